"""What a series keeps, and what of it becomes items of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from calsync.errors import UnsayableRecurrence
from calsync.mapping.canon import canonical_occupancy
from calsync.mapping.cut import why_rule_unsayable
from calsync.mapping.recurrence import NO_NAME
from calsync.mapping.split import Part, lives, split, suffix_of, why_unsayable
from calsync.model import Interval, Occupancy, Override, Recurrence
from tests.unit.mapping.test_dates import raw
from tests.unit.mapping.test_mapping_split_cases import BERLIN, HORIZON

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
#: A Monday.
START = datetime(2026, 1, 5, 9)
#: A series that lasts over midnight begins then.
LATE = datetime(2026, 1, 5, 23, 30)
#: On 29 March 2026, a Sunday, Berlin's clocks go from two to three.
GAP = datetime(2026, 3, 29, 2, 30)


def series(
    text: str,
    start: datetime = START,
    *overrides: Override,
    length: timedelta = HOUR,
    zone: str | None = BERLIN,
    excluded: tuple[datetime, ...] = (),
) -> Occupancy:
    found = Recurrence(rule=raw(text), excluded=excluded, overrides=overrides)
    occ = Occupancy(
        start=start, end=start + length, zone=zone, all_day=zone is None, recurrence=found
    )
    return canonical_occupancy(occ)


def moved(slot: datetime, by: timedelta, length: timedelta = HOUR) -> Override:
    return Override(recurrence_id=slot, start=slot + by, end=slot + by + length)


def item(start: datetime, length: timedelta = HOUR, title: str | None = None) -> Occupancy:
    """A single item, as it stands in Berlin."""
    return canonical_occupancy(Occupancy(start=start, end=start + length, zone=BERLIN, title=title))


def parts_of(occ: Occupancy) -> list[Part]:
    return split(occ, BERLIN, HORIZON)


def suffixes(occ: Occupancy) -> list[str]:
    return [part.suffix for part in parts_of(occ)]


# --- what a series can hold -------------------------------------------------------------------


def test_a_series_of_whole_days_has_no_zone_to_name() -> None:
    occ = series("DAILY", START.replace(hour=0), length=DAY, zone=None)
    assert why_unsayable(occ) is None
    assert parts_of(occ) == [Part("", occ)]


def test_an_additional_occurrence_over_midnight_is_told_by_its_first_day() -> None:
    occ = series("WEEKLY", START, moved(datetime(2026, 1, 7, 23, 30), 0 * DAY))
    assert why_unsayable(occ) == "it has an additional occurrence on 2026-01-07"


def test_an_additional_occurrence_leaves_no_trace_in_its_series() -> None:
    occ = series("WEEKLY", START, moved(START + 2 * DAY, 0 * DAY))
    alone = item(START + 2 * DAY)
    assert parts_of(occ) == [Part("", series("WEEKLY")), Part("x20260107T0900", alone)]


def test_a_series_without_a_date_stays_one_item() -> None:
    """Whoever writes it decides what becomes of it."""
    occ = series("DAILY;COUNT=1", excluded=(START,))
    assert parts_of(occ) == [Part("", occ)]
    assert occ.recurrence is not None
    assert not lives(occ, occ.recurrence)


def test_an_additional_occurrence_is_one_that_is_left() -> None:
    occ = series("DAILY;COUNT=1", START, moved(START + DAY, 0 * DAY), excluded=(START,))
    assert occ.recurrence is not None
    assert lives(occ, occ.recurrence)


def test_of_a_series_over_midnight_whose_only_date_was_removed_nothing_is_left() -> None:
    extra = moved(LATE + 2 * DAY, 0 * DAY)
    occ = series("DAILY;COUNT=1", LATE, extra, excluded=(LATE,))
    assert parts_of(occ) == [Part("x20260107T2330", item(LATE + 2 * DAY))]


@pytest.mark.parametrize(
    ("start", "moves", "alone"),
    [
        # Two that keep their order, and two on one day.
        (START, {7: DAY, 14: DAY}, []),
        (START, {7: 3 * DAY, 14: -4 * DAY}, ["x20260119T0900"]),
        # The one that went past its neighbour is out of the way of the next.
        (START, {7: 16 * DAY, 14: DAY}, ["x20260112T0900"]),
        # The first date of a series over midnight is one to pass.
        (LATE, {7: -7 * DAY}, ["x20260112T2330"]),
        (LATE, {7: -6 * DAY}, []),
    ],
)
def test_which_moved_dates_a_weekly_series_holds(
    start: datetime, moves: dict[int, timedelta], alone: list[str]
) -> None:
    changed = [moved(start + at * DAY, by) for at, by in moves.items()]
    assert suffixes(series("WEEKLY", start, *changed)) == ["", *alone]


def test_a_late_date_of_a_daily_series_stays_in_it() -> None:
    occ = series("DAILY", START, moved(START + DAY, 14.5 * HOUR))
    assert parts_of(occ) == [Part("", occ)]


def test_an_additional_occurrence_is_in_no_ones_way() -> None:
    """It stands apart, so the date after it may be moved before it."""
    extra = moved(START + 2 * DAY, 0 * DAY)
    occ = series("WEEKLY", START, extra, moved(START + 7 * DAY, -6 * DAY))
    assert suffixes(occ) == ["", "x20260107T0900"]


def test_a_timed_date_of_whole_days_is_by_the_clock_of_the_room() -> None:
    first = START.replace(hour=0)
    timed = Override(recurrence_id=first, start=START + 2 * DAY, end=START + 2 * DAY + HOUR)
    occ = series("DAILY;COUNT=3", first, timed, length=DAY, zone=None)
    assert parts_of(occ)[1:] == [Part("x20260105T0000", item(START + 2 * DAY))]


@pytest.mark.parametrize(
    ("name", "suffix"),
    [(START, "x20260105T0900"), (START + timedelta(seconds=7), "x20260105T090007")],
)
def test_the_suffix_of_a_date(name: datetime, suffix: str) -> None:
    assert suffix_of(name) == suffix


# --- a first date that the clocks skip --------------------------------------------------------

SKIPPED = "its first date is at a time that the clocks skip"


def test_a_first_date_that_the_clocks_skip_stands_before_its_series() -> None:
    extra = moved(GAP + timedelta(days=1, hours=12), 0 * DAY)
    occ = series("DAILY", GAP, extra, length=HOUR / 2)
    assert why_unsayable(occ) == SKIPPED
    assert parts_of(occ) == [
        Part("s1", series("DAILY", GAP + DAY, length=HOUR / 2)),
        Part("x20260329T0230", item(GAP + HOUR, HOUR / 2)),
        Part("x20260330T1430", item(GAP + timedelta(days=1, hours=12))),
    ]


def test_a_skipped_first_date_keeps_what_was_changed_of_it() -> None:
    """Two hours, of which the clocks skip one."""
    titled = replace(moved(GAP, 0 * DAY, 2 * HOUR), title="Standup")
    occ = series("DAILY;COUNT=4", GAP, titled, length=2 * HOUR)
    rest = series("DAILY;UNTIL=2026-04-01", GAP + DAY, length=2 * HOUR)
    single = item(GAP + HOUR, HOUR, title="Standup")
    assert parts_of(occ) == [Part("s1", rest), Part("x20260329T0230", single)]


def test_a_skipped_first_date_that_was_removed_is_not_made() -> None:
    occ = series("DAILY;COUNT=4", GAP, excluded=(GAP,))
    assert parts_of(occ) == [Part("s1", series("DAILY;UNTIL=2026-04-01", GAP + DAY))]


def test_where_the_clocks_skip_every_date_no_series_is_begun() -> None:
    occ = series("DAILY;COUNT=1", GAP, length=HOUR / 2)
    assert parts_of(occ) == [Part("x20260329T0230", item(GAP + HOUR, HOUR / 2))]


def test_why_a_rule_cannot_be_said_comes_before_the_clocks() -> None:
    occ = series("MONTHLY;BYMONTHDAY=29", GAP)
    assert occ.recurrence is not None
    why = why_rule_unsayable(occ.recurrence.rule, GAP, HOUR)
    assert why is not None
    assert why_unsayable(occ) == why != SKIPPED


# --- a rule cut into several ------------------------------------------------------------------


def test_long_occurrences_are_cut_by_their_own_dates() -> None:
    """Three days long on Monday and Wednesday, which is all there is of it."""
    occ = series("WEEKLY;BYDAY=MO,WE;UNTIL=2026-01-07", length=3 * DAY)
    assert parts_of(occ) == [
        Part("s1", series("WEEKLY;BYDAY=MO;UNTIL=2026-01-05", length=3 * DAY)),
        Part("s2", series("WEEKLY;BYDAY=WE;UNTIL=2026-01-07", START + 2 * DAY, length=3 * DAY)),
    ]


def test_an_additional_occurrence_of_a_rule_that_is_cut() -> None:
    occ = series("MONTHLY;BYMONTHDAY=5,20", START, moved(START + 2 * DAY, 0 * DAY))
    assert suffixes(occ) == ["s1", "s2", "x20260107T0900"]


# --- date by date -----------------------------------------------------------------------------


def test_a_zone_without_a_name_goes_date_by_date() -> None:
    extra = moved(START + 12 * HOUR, 0 * DAY)
    occ = series("DAILY;COUNT=2", START, extra, zone="Antarctica/Troll")
    assert why_unsayable(occ) == NO_NAME
    # In the order of their names; Troll is on UTC in winter.
    assert parts_of(occ) == [
        Part(f"x{at:%Y%m%dT%H%M}", Occupancy(start=at, end=at + HOUR, zone="UTC"))
        for at in (START, START + 12 * HOUR, START + DAY)
    ]


@pytest.mark.parametrize(
    ("text", "zone", "length", "why", "todo"),
    [
        (
            "DAILY",
            "Antarctica/Troll",
            HOUR,
            NO_NAME,
            "Give it an end, or book it as several series",
        ),
        (
            "DAILY;UNTIL=2028-01-01",
            "Antarctica/Troll",
            HOUR,
            f"{NO_NAME}, and it has more than 400 dates",
            "Let it end sooner, or book it as several series",
        ),
    ],
)
def test_why_a_rule_cannot_go_date_by_date(
    text: str, zone: str, length: timedelta, why: str, todo: str
) -> None:
    occ = series(text, zone=zone, length=length)
    with pytest.raises(UnsayableRecurrence) as refused:
        split(occ, BERLIN, Interval(HORIZON.start, HORIZON.start + 500 * DAY))
    error = refused.value
    assert (error.what, error.where, error.todo) == (why, "recurrence", todo)


@pytest.mark.parametrize(
    ("count", "days", "written"),
    [
        # To 400 all of them, however near the horizon is; else what lies in it, to 400 too.
        (3, 1, 3),
        (400, 1, 400),
        (401, 10, 10),
        (500, 400, 400),
    ],
)
def test_how_many_dates_are_written(count: int, days: int, written: int) -> None:
    occ = series(f"DAILY;COUNT={count}", zone="Antarctica/Troll")
    first = HORIZON.start.replace(day=5)
    found = split(occ, BERLIN, Interval(first, first + days * DAY))
    assert [part.occupancy.start.date() for part in found] == [
        date(2026, 1, 5) + n * DAY for n in range(written)
    ]


def test_a_changed_and_a_removed_date_go_as_they_are() -> None:
    occ = series(
        "DAILY;COUNT=3",
        START,
        moved(START + DAY, 3 * HOUR),
        zone="Antarctica/Troll",
        excluded=(START + 2 * DAY,),
    )
    later = replace(occ, start=START + DAY + 3 * HOUR, end=START + DAY + 4 * HOUR)
    first = replace(occ, zone="UTC", recurrence=None)
    assert parts_of(occ) == [
        Part("x20260105T0900", first),
        Part("x20260106T0900", replace(later, zone="UTC", recurrence=None)),
    ]
