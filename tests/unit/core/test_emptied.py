"""An empty listing of a room that had items: a mistake, or right? (seed 4662)"""

from __future__ import annotations

import pytest

from calsync.engine.pull import Gathered, _moved_out
from calsync.model import Absence, Gone, Observation, Unknown
from tests.unit.core.values import CALENDAR, PAIR, WINDOW, occ, seen

BEFORE, INSIDE = occ(-48, -47), occ(9, 10)


@pytest.mark.parametrize(
    ("shown", "right"),
    [
        ([seen(BEFORE)], True),
        ([seen(INSIDE)], False),
        ([seen(BEFORE), seen(INSIDE)], False),
        ([seen(BEFORE), Gone(key="k", absence=Absence.READ)], False),
        ([Unknown(key="k", reason="timeout")], False),
    ],
    ids=["moved out", "still here", "one of two", "one is gone", "not readable"],
)
def test_it_is_right_where_all_that_was_expected_moved_out(
    shown: list[Observation], right: bool
) -> None:
    keys = [f"k{number}" for number in range(len(shown))]
    found = Gathered(calendar=dict(zip(keys, shown, strict=True)))
    found.missing[CALENDAR] = set(keys)
    assert _moved_out(found, CALENDAR, PAIR, WINDOW) is right
