"""One of a booking's several items was changed: what becomes of the booking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from calsync.errors import MappingError
from calsync.mapping.canon import canonical_occupancy
from calsync.mapping.split import join, split
from calsync.model import Occupancy, Override, Recurrence
from tests.unit.mapping.test_mapping_split_cases import BERLIN, HORIZON
from tests.unit.mapping.test_split_whole import DAY, GAP, HOUR, LATE, START, item, moved, series

MIDNIGHT = START.replace(hour=0)
CUT = "MONTHLY;BYMONTHDAY=5,20"
SECOND, NEXT = LATE + 2 * DAY, LATE + 4 * DAY


# Functions, for what runs on import costs a mutant of it a process that imports everything anew.


def six() -> Occupancy:
    """Both parts of this rule begin in January and have three dates."""
    return series(f"{CUT};COUNT=6")


def endless() -> Occupancy:
    return series(CUT)


def crossed() -> Occupancy:
    """Every second day over midnight; the second date went to the third, and that past the
    fourth."""
    return series("DAILY;INTERVAL=2", LATE, moved(SECOND, 2 * DAY), moved(NEXT, 3 * DAY))


def long() -> Occupancy:
    """36 hours long each day: two series of more than 10,000 dates."""
    return series("DAILY;UNTIL=2090-01-01", length=36 * HOUR)


def whole_days() -> Occupancy:
    return series(f"{CUT};COUNT=6", MIDNIGHT, length=DAY, zone=None)


def part(occ: Occupancy, suffix: str) -> Occupancy:
    return next(p.occupancy for p in split(occ, BERLIN, HORIZON) if p.suffix == suffix)


def rule_of(occ: Occupancy) -> Recurrence:
    assert occ.recurrence is not None
    return occ.recurrence


def without(occ: Occupancy, *at: datetime) -> Occupancy:
    series = rule_of(occ)
    return canonical_occupancy(
        replace(occ, recurrence=replace(series, excluded=(*series.excluded, *at)))
    )


def with_change(occ: Occupancy, *overrides: Override) -> Occupancy:
    series = rule_of(occ)
    return canonical_occupancy(
        replace(occ, recurrence=replace(series, overrides=(*series.overrides, *overrides)))
    )


def test_a_single_item_is_its_only_part() -> None:
    assert join(item(START), "", item(START + HOUR)) == item(START + HOUR)


# --- the series itself ------------------------------------------------------------------------


def test_a_plain_series_may_become_a_single_item() -> None:
    assert join(series("WEEKLY"), "", item(START)) == item(START)


def test_of_an_endless_series_that_was_removed_only_its_single_items_are_left() -> None:
    """It ends behind the last date that one of them passed: all others are removed."""
    until = f"DAILY;INTERVAL=2;UNTIL={LATE + 6 * DAY:%Y-%m-%d}"
    left = series(until, LATE, *rule_of(crossed()).overrides, excluded=(LATE, LATE + 6 * DAY))
    assert join(crossed(), "", None) == left


def test_at_the_end_of_time_there_is_nothing_behind_the_last_date() -> None:
    last = datetime(4500, 8, 31, 9)
    crossed = series("DAILY", last - 2 * DAY, moved(last, -2 * DAY))
    left = series(
        "DAILY;UNTIL=4500-08-31",
        last - 2 * DAY,
        moved(last, -2 * DAY),
        excluded=(last - 2 * DAY, last - DAY),
    )
    assert join(crossed, "", None) == left


def test_an_additional_occurrence_that_the_series_grew_to_is_one_of_its_dates() -> None:
    """Its item stands, so the series that now has Wednesdays, too, was made without it."""
    extra = START + 2 * DAY
    occ = series("WEEKLY", START, moved(extra, 0 * DAY))
    grown = series("WEEKLY;BYDAY=MO,WE", excluded=(extra,))
    assert join(occ, "", grown) == series("WEEKLY;BYDAY=MO,WE")


# --- a single item ----------------------------------------------------------------------------


def test_a_date_that_was_removed_meanwhile_comes_back_with_its_item() -> None:
    occ = series("WEEKLY", excluded=(START + 7 * DAY,))
    assert join(occ, "x20260112T0900", item(START + 7 * DAY)) == series("WEEKLY")


@pytest.mark.parametrize("removed", [False, True])
def test_other_dates_stay_as_they_are(removed: bool) -> None:
    """One of them was moved, and one removed."""
    at, other, gone = START + 7 * DAY, moved(START + 14 * DAY, HOUR), START + 21 * DAY
    occ = series("WEEKLY", START, other, excluded=(gone,))
    if removed:
        assert join(occ, "x20260112T0900", None) == without(occ, at)
    else:
        made = join(occ, "x20260112T0900", item(at + 2 * HOUR))
        assert made == with_change(occ, moved(at, 2 * HOUR))


def test_a_retitled_date_that_the_clocks_skip_keeps_its_name() -> None:
    occ = series("DAILY", GAP, length=HOUR / 2)
    single = replace(part(occ, "x20260329T0230"), title="Standup")
    named = replace(moved(GAP, 0 * DAY, HOUR / 2), title="Standup")
    assert join(occ, "x20260329T0230", single) == series("DAILY", GAP, named, length=HOUR / 2)


@pytest.mark.parametrize(
    ("start", "length", "end"),
    [
        # From three the clocks go back to two: an end that reads as its start, or as earlier.
        ("2026-10-25T00:30", HOUR, "2026-10-25T03:30"),
        ("2026-10-25T00:30", HOUR * 3 / 4, "2026-10-25T03:15"),
        ("2026-10-25T00:30", 2 * HOUR, "2026-10-25T03:30"),
        ("2026-10-25T00:30", 0 * HOUR, "2026-10-25T02:30"),
    ],
)
def test_where_the_clocks_go_back_a_date_keeps_a_length(
    start: str, length: timedelta, end: str
) -> None:
    occ = series("WEEKLY", START, moved(START + 2 * DAY, 0 * DAY))
    at = datetime.fromisoformat(start)
    made = join(occ, "x20260107T0900", Occupancy(start=at, end=at + length, zone="UTC"))
    name, wall = START + 2 * DAY, datetime(2026, 10, 25, 2, 30)
    changed = Override(recurrence_id=name, start=wall, end=datetime.fromisoformat(end))
    assert made == series("WEEKLY", START, changed)


def test_a_date_of_whole_days_that_got_a_time_is_by_the_clock_of_the_room() -> None:
    first = START.replace(hour=0)
    occ = series("DAILY;COUNT=3", first, length=DAY, zone=None)
    timed = Override(recurrence_id=first, start=START, end=START + HOUR)
    wanted = series("DAILY;COUNT=3", first, timed, length=DAY, zone=None)
    assert join(occ, "x20260105T0000", item(START), room_zone=BERLIN) == wanted


def test_a_date_with_a_time_that_got_whole_days_has_them_as_they_are() -> None:
    first = START.replace(hour=0)
    whole = Occupancy(start=first, end=first + DAY, zone=None, all_day=True)
    changed = Override(recurrence_id=START, start=first, end=first + DAY, all_day=True)
    assert join(series("WEEKLY"), "x20260105T0900", whole) == series("WEEKLY", START, changed)


# --- one series of several --------------------------------------------------------------------


def test_a_date_that_stands_alone_is_not_its_seriess_to_remove() -> None:
    """The fifth of February went past that of March, and is an item of its own."""
    february = datetime(2026, 2, 5, 9)
    occ = with_change(six(), moved(february, 40 * DAY))
    fewer = without(part(occ, "s1"), START)
    assert join(occ, "s1", fewer) == without(occ, START)


def test_a_changed_date_that_was_removed_from_its_series_is_removed() -> None:
    occ = with_change(six(), moved(START, HOUR))
    shown = part(occ, "s1")
    removed = canonical_occupancy(
        replace(shown, recurrence=replace(rule_of(shown), overrides=(), excluded=(START,)))
    )
    assert join(occ, "s1", removed) == without(six(), START)


def test_a_removed_date_that_came_back_to_its_series_comes_back() -> None:
    occ = without(six(), START)
    assert join(occ, "s1", part(six(), "s1")) == six()


def test_a_series_that_was_cut_shorter_loses_its_last_dates() -> None:
    shorter = series("MONTHLY;BYMONTHDAY=5;UNTIL=2026-02-05")
    assert join(six(), "s1", shorter) == without(six(), datetime(2026, 3, 5, 9))


def test_exceptions_of_one_of_several_endless_series() -> None:
    fifth = datetime(2026, 2, 5, 9)
    changed = with_change(without(part(endless(), "s1"), START), moved(fifth, HOUR))
    assert join(endless(), "s1", changed) == with_change(
        without(endless(), START), moved(fifth, HOUR)
    )


# --- what cannot be taken over ----------------------------------------------------------------

THAT = "one of the series that the booking consists of"
SEVERAL = "one of several endless series"


def no() -> None:
    return None


@pytest.mark.parametrize(
    ("occ", "suffix", "changed", "why"),
    [
        (lambda: item(START), "", no, "a single item has no parts"),
        (lambda: item(START), "s1", lambda: item(START), "a single item has no parts"),
        (lambda: series("WEEKLY"), "", no, "it removes the whole booking"),
        (
            crossed,
            "",
            lambda: item(START),
            "the series became a single item, but some of its dates are others",
        ),
        (
            crossed,
            "x20260107T2330",
            lambda: series("WEEKLY"),
            "one date of a series became a series of its own",
        ),
        (crossed, "x" + "y" * 50, no, f"the booking has no part {'x' + 'y' * 39!r}"),
        (endless, "s9", no, "the booking has no part 's9'"),
        (lambda: series("DAILY;BYMONTH=1"), "s1", no, "the booking has no part 's1'"),
        (six, "s1", lambda: item(START), f"{THAT} became something else"),
        (
            whole_days,
            "s1",
            lambda: Occupancy(start=MIDNIGHT, end=MIDNIGHT + DAY, zone=None, all_day=True),
            f"{THAT} became something else",
        ),
        (
            six,
            "s1",
            lambda: replace(part(six(), "s1"), zone="America/New_York"),
            f"{THAT} became something else",
        ),
        (
            six,
            "s1",
            lambda: with_change(part(six(), "s1"), moved(START + DAY, 0 * DAY)),
            f"{THAT} got additional dates",
        ),
        (six, "s1", lambda: series("MONTHLY;BYMONTHDAY=5;COUNT=4"), f"{THAT} became longer"),
        (long, "s1", no, "it concerns too many dates"),
        (endless, "s1", no, f"{SEVERAL} was moved or removed"),
        (
            endless,
            "s1",
            lambda: series("MONTHLY;BYMONTHDAY=5", START + HOUR),
            f"{SEVERAL} was moved or removed",
        ),
        (
            endless,
            "s1",
            lambda: replace(part(endless(), "s1"), recurrence=None),
            f"{SEVERAL} became a single item",
        ),
        (
            endless,
            "s1",
            lambda: series("MONTHLY;INTERVAL=2;BYMONTHDAY=5"),
            f"{SEVERAL} got another rule",
        ),
    ],
)
def test_why_a_change_of_a_part_cannot_be_taken_over(
    occ: Callable[[], Occupancy], suffix: str, changed: Callable[[], Occupancy | None], why: str
) -> None:
    with pytest.raises(MappingError) as refused:
        join(occ(), suffix, changed())
    error = refused.value
    assert (error.what, error.where, error.todo) == (
        f"this change cannot be taken over: {why}",
        "booking of several events",
        "Change the booking on the booking side instead",
    )
