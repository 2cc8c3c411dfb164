"""What an act in Outlook gets under a room's rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calsync.adapters.hub.overlap import CHECKED
from calsync.conflicts.rules import (
    JUDGED,
    MOST_DATES,
    Act,
    House,
    RuleVerdict,
    bare,
    judge_act,
    time_of,
)
from calsync.mapping.booking_rules import BookingRules, Opening
from calsync.mapping.reactions import reactions_text, read_reactions
from calsync.mapping.rule_words import opening_hours
from calsync.model import (
    LET_BE,
    Busy,
    Frequency,
    Occupancy,
    Override,
    Reaction,
    Reactions,
    Recurrence,
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


ALL_BROKEN = replace(
    OFFICE, notice=timedelta(days=9), longest=timedelta(minutes=30), ahead=timedelta(1), seats=True
)


@pytest.mark.parametrize(
    ("reaction", "rule", "rules"),
    [
        ("length", "maxDuration", ALL_BROKEN),
        ("length", "minDuration", replace(ALL_BROKEN, longest=None, shortest=timedelta(hours=2))),
        ("opening_hours", "openingHours", ALL_BROKEN),
        ("notice", "minNotice", ALL_BROKEN),
        ("ahead", "maxAhead", ALL_BROKEN),
        ("seats", "seatsWithinCapacity", ALL_BROKEN),
    ],
)
def test_a_rule_that_is_to_have_no_reaction_is_let_be_and_no_other(
    reaction: str, rule: str, rules: BookingRules
) -> None:
    broken = rules_of(judged(occ(7, 9), rules, seats=9))
    assert len(broken) == 5
    left = replace(ALL, **{reaction: Reaction.NOTHING})
    assert rules_of(judged(occ(7, 9), rules, left, seats=9)) == tuple(
        one for one in broken if one != rule
    )


def test_a_rule_without_a_reaction_is_not_even_warned_of() -> None:
    seats = replace(ALL, seats=Reaction.NOTHING)
    assert judged(occ(3, 9), BookingRules(seats=True), seats, seats=9) is None


def test_a_reaction_to_a_rule_that_the_room_does_not_have_is_idle() -> None:
    assert judged(occ(3, 9), OFFICE, seats=9) is None


@pytest.mark.parametrize(
    ("since", "judges"),
    [(None, True), (-1, True), (0, False), (1, False)],
)
def test_what_was_done_before_the_rules_were_these_is_let_be(
    since: int | None, judges: bool
) -> None:
    moment = None if since is None else NOW + timedelta(minutes=since)
    assert House(rules=OFFICE, reactions=ALL, since=moment).judges(NOW) is judges


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


def test_time_between_what_it_held_is_new() -> None:
    """A Saturday with two of its dates, or a long one and one within it, in any order."""
    apart = [time_of(occ(7, hour), ZONE, NOW)[0] for hour in (12, 9)]
    assert rules_of(judged(occ(7, 9.5, 3), OFFICE, held=apart)) == ("openingHours",)
    assert judged(occ(7, 12.25, 0.5), OFFICE, held=apart) is None
    assert judged(occ(7, 9.25, 0.5), OFFICE, held=apart) is None
    nested = [time_of(occ(7, *hours), ZONE, NOW)[0] for hours in ((9, 1), (8, 6))]
    assert judged(occ(7, 12), OFFICE, held=nested) is None
    hours = ((8, 12.0), (9, 1.0), (11, 1.0))
    within = [time_of(occ(7, start, length), ZONE, NOW)[0] for start, length in hours]
    assert judged(occ(7, 8.25, 0.5), OFFICE, held=within) is None


def test_an_endless_series_is_judged_for_having_no_end_when_it_takes_new_time_only() -> None:
    endless, rules = series(3, 9, count=None), BookingRules(ahead=timedelta(days=2000))
    assert rules_of(judged(endless, rules)) == ("maxAhead",)
    assert judged(endless, rules, held=time_of(endless, ZONE, NOW)) is None


def test_a_series_is_judged_as_far_ahead_as_the_platforms_own() -> None:
    held = time_of(series(3, 9, count=None), ZONE, NOW)
    assert (held[0].start, JUDGED) == (NOW.replace(day=3, hour=8), CHECKED)
    assert NOW + JUDGED - timedelta(days=1) <= held[-1].start < NOW + JUDGED
    assert time_of(None, ZONE, NOW) == []


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
    hours = "the room is not open then (open Mo-Fr 08:00-18:00)"
    closed = f"The rules of the room do not allow it: {hours}."
    length = "a booking of this room lasts 30 minutes at most"
    assert verdict.reason == f"{closed} What is left of the series stands, but: {length}."
    only = judged(series(3, 9, count=7), OFFICE)
    assert only is not None
    assert only.reason == closed


def test_too_many_people_are_too_many_on_every_date() -> None:
    """Not only on those that the room is closed on."""
    verdict = judged(series(3, 9, count=7), replace(OFFICE, seats=True), seats=9)
    assert verdict is not None
    assert verdict.rules == ("openingHours", "seatsWithinCapacity")
    assert (verdict.dates, verdict.rest) == ((), None)


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
    assert few.rest is not None
    assert few.rest.recurrence is not None
    assert few.rest.recurrence.excluded == few.dates == tuple(sorted(few.dates))


def test_a_series_that_ends_within_the_limit_loses_only_what_is_beyond() -> None:
    verdict = judged(series(3, 9, count=10), BookingRules(ahead=timedelta(days=6)))
    assert verdict is not None
    assert [d.day for d in verdict.dates] == [9, 10, 11, 12]


def test_what_is_kept_of_an_act_says_when_it_was_and_not_what() -> None:
    slot = datetime(2026, 3, 4, 9)
    longer = Override(
        recurrence_id=slot, start=slot, end=slot.replace(hour=11), title="t", private=True
    )
    told = replace(series(3, 9, count=3, overrides=(longer,)), title="t", private=True)
    kept = replace(longer, title=None, private=False)
    assert bare(told) == series(3, 9, count=3, overrides=(kept,))
    assert bare(replace(occ(3, 9), title="t", private=True)) == occ(3, 9)


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
