"""The judge asks of every clash on record whether the two ever met."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from calsync.model import Conflict, ConflictKind, Side
from calsync.store.reports import ConflictRecord
from simulation.people import Act, Kind
from simulation.unfounded import unfounded


def booked(name: str, start: datetime, end: datetime) -> Act:
    return Act(
        step=0,
        kind=Kind.BOOK,
        side=Side.BOOKING,
        room="r0",
        name=name,
        before=None,
        after=frozenset({("at", start, end)}),
    )


def at(hour: int, day: int = 2) -> datetime:
    return datetime(2026, 3, day, hour)


CLASH = ConflictRecord(
    id=1,
    at=datetime(2026, 3, 1, tzinfo=UTC),
    pair_id="p",
    conflict=Conflict(
        kind=ConflictKind.CLASH,
        link_id="l",
        other_link_id="w",
        policy="first",
        winner=Side.CALENDAR,
        reason="taken",
    ),
)
NAMES = {"l": "n1", "w": "n2"}


@pytest.mark.parametrize(
    ("loser", "winner", "wrong"),
    [
        ((at(9), at(10)), (at(9), at(11)), False),
        ((at(9), at(10)), (at(10), at(11)), True),
        ((at(9), at(10)), (at(9, 3), at(10, 3)), True),
        # Somewhere it is still that day.
        ((at(0), at(0, 3)), (at(5, 3), at(6, 3)), False),
        ((at(0), at(0, 3)), (at(15, 3), at(16, 3)), True),
    ],
)
def test_who_never_met_another_cannot_lose_to_it(
    loser: tuple[datetime, datetime], winner: tuple[datetime, datetime], wrong: bool
) -> None:
    acts = [booked("n1", *loser), booked("n2", *winner)]
    assert bool(unfounded([CLASH], NAMES, acts)) is wrong


def test_any_time_that_people_ever_wanted_counts() -> None:
    acts = [booked("n1", at(9), at(10)), booked("n2", at(10), at(11)), booked("n2", at(9), at(10))]
    assert unfounded([CLASH], NAMES, acts) == []


def test_a_crowd_is_nobodys_act() -> None:
    assert unfounded([CLASH], {"l": "n1", "w": "x900001"}, [booked("n1", at(9), at(10))]) == []
