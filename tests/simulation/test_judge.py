"""What the judge of the whole makes of single things it sees."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from simulation.judge import Judge

BEGIN, FINISH = datetime(2026, 11, 26), datetime(2027, 1, 1)


@pytest.mark.parametrize("side", ["booking", "calendar"])
@pytest.mark.parametrize(
    ("days", "empty"),
    [([], True), ([-2], True), ([3], False), ([-2, 3], False), ([60], True)],
    ids=["nothing", "over", "ahead", "a series", "beyond"],
)
def test_a_side_is_empty_that_shows_nothing_of_what_is_synced(
    side: str, days: list[int], empty: bool
) -> None:
    """Seed 202027: nothing was left ahead, and the admin, who was asked about it, found bookings of
    the week before and said no for ever."""
    starts = [BEGIN + timedelta(days=day) for day in days]
    image = SimpleNamespace(taken=[(start, start + timedelta(hours=1)) for start in starts])
    people: Any = SimpleNamespace(
        window=lambda: (BEGIN, FINISH),
        images=lambda seen, _: [image] if seen.value == side else [],
    )
    nobody: Any = None
    judge = Judge(company=nobody, people=people, views=nobody, story=nobody)
    question = f"the {side} side shows no items at all, but 1 were agreed on"
    assert judge.is_empty(nobody, question) is empty
