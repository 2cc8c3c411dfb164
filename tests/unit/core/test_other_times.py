"""What is offered instead of a time that the room's rules refuse: other time of the same room, and
rooms whose own rules take it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calsync.conflicts.alternatives import Asked, allows, free_alternatives, free_times, looked_at
from calsync.mapping.booking_rules import NO_RULES, BookingRules, Opening
from calsync.model import Interval, Room, Weekday

ZONE = "Europe/Berlin"
#: A Monday, noon in Berlin.
NOW = datetime(2026, 3, 2, 11, tzinfo=UTC)
OFFICE = BookingRules(opening=(Opening(frozenset(Weekday(n) for n in range(5)), 8 * 60, 18 * 60),))

HERE = Room(id="here", name="Here", zone=ZONE, building="B", capacity=6)


def span(day: int, hour: float, hours: float = 1.0) -> Interval:
    start = datetime(2026, 3, day, tzinfo=UTC) + timedelta(hours=hour)
    return Interval(start, start + timedelta(hours=hours))


def offered(
    rules: BookingRules, wanted: Interval, *busy: Interval, seats: int | None = None
) -> list[str]:
    asked = Asked(wanted=[wanted], now=NOW, seats=seats)
    looked = looked_at(rules, asked)
    assert looked is not None
    found = free_times(rules, busy, asked, room=HERE)
    assert all(looked.start <= start and end <= looked.end for start, end in found)
    return [f"{start:%d %H:%M}-{end:%H:%M}" for start, end in found]


@pytest.mark.parametrize(
    ("rules", "wanted", "times"),
    [
        (OFFICE, span(3, 18), ["03 14:00-15:00", "03 15:00-16:00", "03 16:00-17:00"]),
        (OFFICE, span(7, 9), ["06 14:00-15:00", "06 15:00-16:00", "06 16:00-17:00"]),
        (
            BookingRules(notice=timedelta(days=1)),
            span(3, 9),
            ["04 08:00-09:00", "04 09:00-10:00", "04 10:00-11:00"],
        ),
        (
            BookingRules(notice=timedelta(days=2)),
            span(3, 9),
            ["05 08:00-09:00", "05 09:00-10:00", "05 10:00-11:00"],
        ),
        (
            BookingRules(ahead=timedelta(days=1)),
            span(9, 9),
            ["03 08:00-09:00", "03 09:00-10:00", "03 10:00-11:00"],
        ),
        (
            BookingRules(longest=timedelta(minutes=30)),
            span(3, 9, 4),
            ["03 08:30-09:00", "03 09:00-09:30", "03 09:30-10:00"],
        ),
        (
            BookingRules(shortest=timedelta(minutes=30)),
            span(3, 9, 0.25),
            ["03 08:30-09:00", "03 09:00-09:30", "03 09:30-10:00"],
        ),
        # What keeps to a rule stays as long, and on its day.
        *(
            (rules, span(4, 9), ["04 08:00-09:00", "04 09:00-10:00", "04 10:00-11:00"])
            for rules in (
                BookingRules(shortest=timedelta(minutes=30)),
                BookingRules(longest=timedelta(hours=2)),
                BookingRules(notice=timedelta(hours=1)),
                BookingRules(ahead=timedelta(days=30)),
            )
        ),
    ],
)
def test_the_nearest_times_that_the_rules_allow(
    rules: BookingRules, wanted: Interval, times: list[str]
) -> None:
    assert offered(rules, wanted) == times


def test_times_that_are_taken_or_over_are_not_offered() -> None:
    busy = [span(3, 14, 2)]
    assert offered(OFFICE, span(3, 18), *busy) == [
        "03 12:00-13:00",
        "03 13:00-14:00",
        "03 16:00-17:00",
    ]
    assert offered(NO_RULES, span(2, 11.25), span(2, 11.25))[0] == "02 12:15-13:15"
    # What begins right now is not over.
    assert offered(NO_RULES, span(2, 11.25, 0.25), span(2, 11.25, 0.25))[0] == "02 11:00-11:15"


@pytest.mark.parametrize(("minute", "quarter"), [(0, 0), (14, 0), (15, 15), (59, 45)])
def test_times_begin_on_the_quarters_of_the_hour(minute: int, quarter: int) -> None:
    start = datetime(2026, 3, 4, 9, minute, 30, 5, tzinfo=UTC)
    asked = Asked(wanted=[Interval(start, start + timedelta(hours=1))], now=NOW)
    (found,) = free_times(NO_RULES, [], asked, room=HERE, limit=1)
    near = datetime(2026, 3, 4, 9, quarter, tzinfo=UTC)
    assert found == (near, near + timedelta(hours=1))


def test_of_two_times_equally_near_the_earlier_one_is_offered() -> None:
    for day in range(9, 25):
        asked = Asked(wanted=[span(day, 9)], now=NOW)
        found = free_times(NO_RULES, [], asked, room=HERE, limit=2)
        assert [start for start, _ in found] == [span(day, 8).start, span(day, 9).start]


def test_times_are_looked_for_a_week_before_and_after() -> None:
    """And nothing is offered of which it is not known whether it is free."""
    wanted = span(20, 9, 2)
    asked = Asked(wanted=[wanted], now=NOW)
    assert looked_at(NO_RULES, asked) == Interval(span(13, 9).start, span(27, 11).start)
    soon = Asked(wanted=[span(3, 9)], now=NOW)
    assert looked_at(NO_RULES, soon) == Interval(NOW, span(10, 10).start)
    taken = Interval(span(13, 11.25).start, span(27, 8.75).start)
    assert offered(NO_RULES, wanted, taken) == ["13 09:15-11:15", "27 08:45-10:45"]


def test_no_time_is_offered_where_the_room_is_too_small_or_it_is_a_series_or_days() -> None:
    assert offered(replace(OFFICE, seats=True), span(3, 18), seats=9) == []
    for asked in (
        Asked(wanted=[span(3, 9), span(4, 9)], now=NOW),
        Asked(wanted=[span(3, 0, 24)], now=NOW, all_day=True),
        Asked(wanted=[span(3, 9)], now=NOW, endless=True),  # one date of it is in sight
    ):
        assert looked_at(OFFICE, asked) is None
        assert free_times(OFFICE, [], asked, room=HERE) == ()


def test_rooms_are_offered_whose_own_rules_take_it() -> None:
    rooms = [HERE, *(replace(HERE, id=n, name=n) for n in ("open", "shut"))]
    asked = Asked(wanted=[span(3, 18)], now=NOW)
    rules = {"shut": OFFICE}
    found = free_alternatives(
        rooms,
        {r.id: [] for r in rooms},
        asked.wanted,
        room=HERE,
        seats=None,
        fits=lambda r: allows(rules.get(r.id, NO_RULES), r, asked),
    )
    assert [a.room_id for a in found] == ["open"]
