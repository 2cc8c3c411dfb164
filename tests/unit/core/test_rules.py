"""What an act in Outlook gets under a room's rules; what is offered instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calsync.conflicts.alternatives import Asked, allows, free_alternatives, free_times, looked_at
from calsync.conflicts.rules import MOST_DATES, Act, House, RuleVerdict, judge_act, time_of
from calsync.mapping.booking_rules import NO_RULES, BookingRules, Opening
from calsync.mapping.reactions import reactions_text, read_reactions
from calsync.mapping.rule_words import opening_hours
from calsync.model import (
    LET_BE,
    Busy,
    Frequency,
    Interval,
    Occupancy,
    Override,
    Reaction,
    Reactions,
    Recurrence,
    Room,
    Rule,
    Weekday,
)

DECLINE, WARN = Reaction.DECLINE, Reaction.WARN
ZONE = "Europe/Berlin"
#: A Monday, noon in Berlin.
NOW = datetime(2026, 3, 2, 11, tzinfo=UTC)
WEEK = frozenset(Weekday(n) for n in range(5))
OFFICE = BookingRules(opening=(Opening(WEEK, 8 * 60, 18 * 60),))
ALL = Reactions(opening_hours=DECLINE, notice=DECLINE, length=DECLINE, ahead=DECLINE, seats=DECLINE)


def occ(day: int, hour: float, hours: float = 1.0, month: int = 3) -> Occupancy:
    """A meeting, by UTC."""
    start = datetime(2026, month, day) + timedelta(hours=hour)
    return Occupancy(start=start, end=start + timedelta(hours=hours), zone="UTC")


def series(
    day: int, hour: int, *, count: int | None, overrides: tuple[Override, ...] = ()
) -> Occupancy:
    """Daily, by the wall time of Berlin."""
    start = datetime(2026, 3, day, hour)
    rule = Rule(frequency=Frequency.DAILY, count=count)
    recurrence = Recurrence(rule=rule, overrides=overrides)
    return Occupancy(start=start, end=start + timedelta(hours=1), zone=ZONE, recurrence=recurrence)


def judged(
    what: Occupancy, rules: BookingRules, reactions: Reactions = ALL, **more: object
) -> RuleVerdict | None:
    capacity = more.pop("capacity", 8)
    assert capacity is None or isinstance(capacity, int)
    act = replace(Act(occupancy=what, at=NOW), **more)  # type: ignore[arg-type]  # by name
    return judge_act(House(rules=rules, reactions=reactions, capacity=capacity), act, ZONE)


def rules_of(verdict: RuleVerdict | None) -> tuple[str, ...]:
    return () if verdict is None else verdict.rules


@pytest.mark.parametrize(
    ("what", "rules", "broken"),
    [
        (occ(3, 7), OFFICE, ()),  # 08:00 in Berlin
        (occ(3, 6.9), OFFICE, ("openingHours",)),
        (occ(3, 16), OFFICE, ()),  # until 18:00
        (occ(3, 16.1), OFFICE, ("openingHours",)),
        (occ(31, 6, month=3), OFFICE, ()),  # summer time: 08:00
        (occ(7, 9), OFFICE, ("openingHours",)),  # a Saturday
        (occ(2, 12.5), BookingRules(notice=timedelta(hours=1)), ()),
        (occ(2, 11.9), BookingRules(notice=timedelta(hours=1)), ("minNotice",)),
        (occ(3, 9, 2), BookingRules(longest=timedelta(hours=2)), ()),
        (occ(3, 9, 2.1), BookingRules(longest=timedelta(hours=2)), ("maxDuration",)),
        (occ(3, 9, 0.1), BookingRules(shortest=timedelta(minutes=15)), ("minDuration",)),
        (occ(1, 9, month=6), BookingRules(ahead=timedelta(days=90)), ("maxAhead",)),
        (occ(1, 9, month=5), BookingRules(ahead=timedelta(days=90)), ()),
        (occ(1, 9), BookingRules(notice=timedelta(hours=1)), ()),  # it is over
        (replace(occ(7, 9), busy=Busy.FREE), OFFICE, ()),
        (occ(7, 9, 0), OFFICE, ()),
    ],
)
def test_each_rule(what: Occupancy, rules: BookingRules, broken: tuple[str, ...]) -> None:
    verdict = judged(what, rules)
    assert rules_of(verdict) == broken
    assert rules_of(judged(what, rules, LET_BE)) == ()
    if verdict is not None:
        assert (verdict.reaction, verdict.dates, verdict.rest) == (DECLINE, (), None)


def test_all_day_needs_open_days_only() -> None:
    def days(first: int, count: int) -> Occupancy:
        start = datetime(2026, 3, first)
        return Occupancy(start=start, end=start + timedelta(days=count), zone=None, all_day=True)

    assert rules_of(judged(days(3, 3), OFFICE)) == ()
    assert rules_of(judged(days(6, 2), OFFICE)) == ("openingHours",)


@pytest.mark.parametrize(
    ("seats", "capacity", "broken"),
    [(8, 8, False), (9, 8, True), (None, 8, False), (99, None, False)],
)
def test_seats(seats: int | None, capacity: int | None, broken: bool) -> None:
    verdict = judged(occ(3, 9), BookingRules(seats=True), seats=seats, capacity=capacity)
    assert (rules_of(verdict) == ("seatsWithinCapacity",)) is broken


def test_the_strictest_choice_counts_and_the_message_names_its_rules() -> None:
    rules = replace(OFFICE, longest=timedelta(minutes=30))
    some = Reactions(opening_hours=WARN, length=DECLINE)
    verdict = judged(occ(7, 9), rules, some)
    assert verdict is not None
    assert (verdict.reaction, verdict.rules) == (DECLINE, ("maxDuration",))
    assert verdict.reason == (
        "The rules of the room do not allow it: a booking of this room lasts 30 minutes at most."
    )
    warned = judged(occ(7, 9), rules, replace(some, length=WARN))
    assert warned is not None
    assert (warned.reaction, warned.rules) == (WARN, ("maxDuration", "openingHours"))
    assert "the room is not open then (open Mo-Fr 08:00-18:00)" in warned.reason


def test_nobody_to_tell_is_a_warning() -> None:
    verdict = judged(occ(7, 9), OFFICE, refusable=False)
    assert verdict is not None
    assert verdict.reaction is WARN


def test_only_new_time_is_judged() -> None:
    late = occ(3, 20, 2)
    held = time_of(late, ZONE, NOW)
    assert judged(late, OFFICE, held=held) is None
    assert judged(occ(3, 20.5), OFFICE, held=held) is None  # given up
    assert rules_of(judged(occ(3, 21, 2), OFFICE, held=held)) == ("openingHours",)


def test_of_a_series_the_dates_that_break_a_rule_are_declined() -> None:
    verdict = judged(series(3, 9, count=7), OFFICE)  # Tuesday to Monday
    assert verdict is not None
    assert [d.day for d in verdict.dates] == [7, 8]
    assert verdict.rest is not None
    assert verdict.rest.recurrence is not None
    assert verdict.rest.recurrence.excluded == verdict.dates


def test_a_changed_date_is_judged_where_it_stands() -> None:
    slot = datetime(2026, 3, 4, 9)
    late = Override(recurrence_id=slot, start=slot.replace(hour=20), end=slot.replace(hour=21))
    verdict = judged(series(3, 9, count=3, overrides=(late,)), OFFICE)
    assert verdict is not None
    assert verdict.dates == (slot,)
    assert verdict.rest is not None
    assert verdict.rest.recurrence is not None
    assert verdict.rest.recurrence.overrides == ()


def test_what_is_left_of_a_series_is_warned_about_in_the_same_message() -> None:
    rules = replace(OFFICE, longest=timedelta(minutes=30))
    verdict = judged(series(3, 9, count=7), rules, replace(ALL, length=WARN))
    assert verdict is not None
    assert [d.day for d in verdict.dates] == [7, 8]
    assert "What is left of the series stands, but: a booking of this room lasts" in verdict.reason


@pytest.mark.parametrize(
    ("what", "rules", "broken"),
    [
        (series(3, 20, count=5), OFFICE, "openingHours"),  # every date
        (series(3, 9, count=None), OFFICE, "openingHours"),  # far too many dates
        (series(3, 9, count=None), BookingRules(ahead=timedelta(days=400)), "maxAhead"),  # no end
    ],
)
def test_where_too_much_of_a_series_is_against_a_rule_all_of_it_is_declined(
    what: Occupancy, rules: BookingRules, broken: str
) -> None:
    verdict = judged(what, rules)
    assert verdict is not None
    assert (verdict.rules, verdict.dates, verdict.rest) == ((broken,), (), None)


def test_up_to_so_many_dates_are_declined_one_by_one() -> None:
    few = judged(series(3, 9, count=MOST_DATES // 2 * 7), OFFICE)
    more = judged(series(3, 9, count=(MOST_DATES // 2 + 1) * 7), OFFICE)
    assert few is not None
    assert more is not None
    assert (len(few.dates), len(more.dates)) == (MOST_DATES, 0)


def test_a_series_that_ends_within_the_limit_loses_only_what_is_beyond() -> None:
    verdict = judged(series(3, 9, count=10), BookingRules(ahead=timedelta(days=6)))
    assert verdict is not None
    assert [d.day for d in verdict.dates] == [9, 10, 11, 12]


# --- what is offered -----------------------------------------------------------------------------

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


def test_no_time_is_offered_where_the_room_is_too_small_or_it_is_a_series_or_days() -> None:
    assert offered(replace(OFFICE, seats=True), span(3, 18), seats=9) == []
    for asked in (
        Asked(wanted=[span(3, 9), span(4, 9)], now=NOW),
        Asked(wanted=[span(3, 0, 24)], now=NOW, all_day=True),
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


# --- words ---------------------------------------------------------------------------------------


def test_opening_hours_for_people() -> None:
    openings = (
        Opening(WEEK, 480, 1080),
        Opening(frozenset({Weekday.SA}), 600, 1440),
        Opening(frozenset({Weekday.MO, Weekday.WE, Weekday.TH}), 0, 60),
    )
    assert opening_hours(openings) == ("Mo-Fr 08:00-18:00, Sa 10:00-24:00, Mo/We-Th 00:00-01:00")
    assert opening_hours(openings[:1] * 9).endswith(" and more")


def test_reactions_as_text() -> None:
    some = read_reactions("opening_hours=decline, seats=warn")
    assert (some.opening_hours, some.seats, some.ahead) == (DECLINE, WARN, Reaction.NOTHING)
    assert read_reactions(reactions_text(some)) == some
    assert reactions_text(LET_BE) == ""
    assert read_reactions("seats=nothing", some).seats is Reaction.NOTHING
    assert read_reactions("", some) == some


@pytest.mark.parametrize(
    "text", ["seats", "seats=maybe", "hours=warn", "seats=warn seats=warn", "=", "seats=warn;"]
)
def test_reactions_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"seats|rule of|said twice"):
        read_reactions(text)
