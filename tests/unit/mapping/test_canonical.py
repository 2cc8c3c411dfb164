"""The one form of a rule keeps its dates, whichever way it was spelt, and that of an occupancy."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from calsync.mapping import dates
from calsync.mapping.canon import canonical, canonical_occupancy, is_slot, unchanged
from calsync.mapping.rrule import format_rrule
from calsync.model import Busy, Occupancy, Override, Recurrence, Weekday
from tests.unit.mapping.test_dates import raw

#: A Monday, the 5th of January.
START = datetime(2026, 1, 5, 9)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ALL = "MO,TU,WE,TH,FR,SA,SU"


def form(text: str, start: datetime = START) -> str:
    rule = canonical(raw(text), start)
    return format_rrule(rule, start=start, zone=None, all_day=True).removeprefix("FREQ=")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # As they are: no other spelling is theirs.
        ("DAILY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11", ""),
        ("WEEKLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11;BYDAY=MO", ""),
        ("MONTHLY;INTERVAL=2;BYMONTH=1,2,3,4,5,6,7,8,9,10,11;BYMONTHDAY=5", ""),
        ("YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11;BYMONTHDAY=5", ""),
        ("WEEKLY;BYMONTH=1;BYDAY=MO,SU;BYSETPOS=1;WKST=SU", ""),
        ("WEEKLY;BYMONTH=1;BYDAY=TH,FR,SA;BYSETPOS=-1", ""),
        ("MONTHLY;BYDAY=1MO,2MO;BYSETPOS=2", ""),
        ("MONTHLY;BYDAY=1MO,2TU", ""),
        ("MONTHLY;BYDAY=MO,2TU", ""),
        ("MONTHLY;BYMONTHDAY=-31,5", ""),
        ("MONTHLY;BYMONTHDAY=-3", ""),
        ("MONTHLY;BYMONTHDAY=-2,3,31;BYSETPOS=-1", ""),
        ("MONTHLY;BYMONTHDAY=5,20;BYSETPOS=1", ""),
        ("MONTHLY;INTERVAL=13;BYMONTHDAY=5", ""),
        ("MONTHLY;INTERVAL=11;BYMONTHDAY=5", ""),
        ("MONTHLY;INTERVAL=12;BYMONTH=1;BYMONTHDAY=5", ""),
        ("MONTHLY;BYMONTH=1,2;BYDAY=MO;BYSETPOS=1", ""),
        ("YEARLY;BYMONTH=2;BYMONTHDAY=-29,1", ""),
        ("YEARLY;BYMONTH=2;BYMONTHDAY=1,29", ""),
        ("YEARLY;BYDAY=1MO", ""),
        ("YEARLY;BYMONTHDAY=5;BYDAY=1MO", ""),
        ("YEARLY;INTERVAL=2;BYDAY=MO", ""),
        ("YEARLY;BYMONTH=1;BYDAY=1MO,2TU", ""),
        ("YEARLY;INTERVAL=2;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYMONTHDAY=5", ""),
        # By one of the days, weekdays or months.
        ("WEEKLY;BYDAY=MO,SU;WKST=SU", "WEEKLY;BYDAY=MO,SU"),
        ("WEEKLY;INTERVAL=2;BYDAY=TU,SU;BYSETPOS=1;WKST=SU", "WEEKLY;INTERVAL=2;BYDAY=SU;WKST=TU"),
        ("WEEKLY;BYDAY=MO,TH,SU;BYSETPOS=-1;WKST=TH", "WEEKLY;BYDAY=MO"),
        ("WEEKLY;BYDAY=MO,TH,SU;BYSETPOS=1,2;WKST=SU", "WEEKLY;BYDAY=MO,SU"),
        ("WEEKLY;BYMONTH=2;BYDAY=" + ALL, "DAILY;BYMONTH=2"),
        ("DAILY;BYDAY=TU,MO;BYMONTH=2", "YEARLY;BYMONTH=2;BYDAY=MO,TU"),
        ("DAILY;INTERVAL=2;BYDAY=MO;BYSETPOS=-1,1", "DAILY;INTERVAL=2;BYDAY=MO"),
        ("MONTHLY;INTERVAL=12", "YEARLY;BYMONTH=1;BYMONTHDAY=5"),
        ("MONTHLY;INTERVAL=24;BYMONTHDAY=7", "YEARLY;INTERVAL=2;BYMONTH=1;BYMONTHDAY=7"),
        ("MONTHLY;INTERVAL=132", "YEARLY;INTERVAL=11;BYMONTH=1;BYMONTHDAY=5"),
        (
            "MONTHLY;INTERVAL=24;BYDAY=MO;BYSETPOS=2",
            "YEARLY;INTERVAL=2;BYMONTH=1;BYDAY=MO;BYSETPOS=2",
        ),
        ("MONTHLY;BYMONTHDAY=-3;BYSETPOS=-1", "MONTHLY;BYMONTHDAY=-3"),
        ("MONTHLY;BYMONTHDAY=-3;BYSETPOS=1,2", "MONTHLY;BYMONTHDAY=-3"),
        ("MONTHLY;BYMONTHDAY=5;BYDAY=" + ALL, "MONTHLY;BYMONTHDAY=5"),
        ("MONTHLY;BYDAY=" + ALL + ";BYSETPOS=5,40", "MONTHLY;BYMONTHDAY=5"),
        ("MONTHLY;BYDAY=2MO;BYSETPOS=-1,1,2", "MONTHLY;BYDAY=MO;BYSETPOS=2"),
        ("MONTHLY;BYDAY=-1MO,2MO", "MONTHLY;BYDAY=MO;BYSETPOS=-1,2"),
        ("MONTHLY;BYMONTHDAY=3,27,28,31;BYSETPOS=-1", "MONTHLY;BYMONTHDAY=28,31;BYSETPOS=-1"),
        ("MONTHLY;BYMONTHDAY=3,27;BYSETPOS=-1", "MONTHLY;BYMONTHDAY=27"),
        (
            "MONTHLY;BYMONTHDAY=5,20,25;BYSETPOS=2,3;BYDAY=" + ALL,
            "MONTHLY;BYMONTHDAY=5,20,25;BYSETPOS=2,3",
        ),
        ("MONTHLY;BYMONTHDAY=8,9,10,11,12,13,14;BYDAY=2MO", ""),
        (
            "MONTHLY;INTERVAL=2;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12",
            "MONTHLY;INTERVAL=2;BYMONTHDAY=5",
        ),
        ("YEARLY;BYMONTH=3;BYMONTHDAY=-27,16", "YEARLY;BYMONTH=3;BYMONTHDAY=5,16"),
        ("YEARLY;BYDAY=MO,WE", "WEEKLY;BYDAY=MO,WE"),
        ("YEARLY;BYMONTH=3", "YEARLY;BYMONTH=3;BYMONTHDAY=5"),
        ("YEARLY;BYMONTH=3;BYMONTHDAY=-1,-31", "YEARLY;BYMONTH=3;BYMONTHDAY=1,31"),
        ("YEARLY;BYMONTH=4;BYMONTHDAY=-31,-30", "YEARLY;BYMONTH=4;BYMONTHDAY=1"),
        ("YEARLY;BYMONTH=1;BYMONTHDAY=1,5,9;BYSETPOS=-2", "YEARLY;BYMONTH=1;BYMONTHDAY=5"),
        ("YEARLY;BYMONTH=2;BYMONTHDAY=-1", "YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1"),
        ("YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYDAY=1MO", "MONTHLY;BYDAY=MO;BYSETPOS=1"),
    ],
)
def test_the_form_keeps_the_dates(text: str, wanted: str) -> None:
    assert form(text) == (wanted or text)
    high = date(2041, 1, 1)
    given = list(dates.dates(raw(text), START.date(), START.date(), high))
    made = list(dates.dates(canonical(raw(text), START), START.date(), START.date(), high))
    assert given == made != []


@pytest.mark.parametrize(
    "text",
    [
        "DAILY;BYDAY=MO;BYSETPOS=2",
        "WEEKLY;BYDAY=" + ALL + ";BYSETPOS=8",
        "MONTHLY;BYMONTHDAY=-1;BYSETPOS=2",
        "MONTHLY;BYDAY=1MO;BYSETPOS=2",
        "YEARLY;BYMONTH=1;BYMONTHDAY=5;BYSETPOS=2",
        "YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "YEARLY;BYMONTH=4;BYMONTHDAY=31",
        "YEARLY;BYMONTH=2;BYMONTHDAY=30,31;BYSETPOS=-1",
    ],
)
def test_a_rule_without_dates_does_not_come_to_have_some(text: str) -> None:
    assert dates.first(raw(text), START.date()) is None
    assert dates.first(canonical(raw(text), START), START.date()) is None


@pytest.mark.parametrize(
    ("given", "start", "kept"),
    [
        ("MO", "MO", "MO"),
        ("SU", "MO", "TU"),
        ("SU", "SU", "TU"),
        ("TU", "MO", "TU"),
        ("MO", "SU", "MO"),
        ("TH", "SU", "TU"),
    ],
)
def test_the_start_of_the_week_where_it_decides(given: str, start: str, kept: str) -> None:
    """The first that leaves Monday and Sunday in the same weeks: only what follows counts."""
    at = START if start == "MO" else START - DAY
    rule = canonical(raw(f"WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST={given}"), at)
    assert rule.week_start is Weekday[kept]


# --- occupancies --------------------------------------------------------------------------------

BERLIN = "Europe/Berlin"


def meeting(
    start: datetime, length: timedelta, zone: str | None = BERLIN, **more: object
) -> Occupancy:
    return Occupancy(start=start, end=start + length, zone=zone, **more)  # type: ignore[arg-type]


def moved(slot: datetime, start: datetime, length: timedelta, **more: object) -> Override:
    return Override(recurrence_id=slot, start=start, end=start + length, **more)  # type: ignore[arg-type]


def test_a_single_item_is_in_utc() -> None:
    late = meeting(datetime(2026, 7, 5, 23), 3 * HOUR)
    assert canonical_occupancy(late) == meeting(datetime(2026, 7, 5, 21), 3 * HOUR, "UTC")
    done = meeting(datetime(2026, 7, 5, 21), 3 * HOUR, "UTC")
    assert canonical_occupancy(done) == done
    whole = meeting(datetime(2026, 7, 5), DAY, None, all_day=True)
    assert canonical_occupancy(whole) == whole


def test_an_item_in_the_hour_that_the_clocks_skip_does_not_end_before_it_begins() -> None:
    skipped = meeting(datetime(2026, 3, 29, 2, 30), HOUR / 2)
    at = datetime(2026, 3, 29, 1, 30)
    assert canonical_occupancy(skipped) == meeting(at, HOUR / 2, "UTC")


@pytest.mark.parametrize("in_series", [False, True])
@pytest.mark.parametrize(
    ("title", "private", "kept"),
    [
        ("Standup", False, "Standup"),
        ("Standup", True, None),
        (" ", False, None),
        (None, True, None),
    ],
)
def test_no_blank_title_and_none_of_what_is_private(
    in_series: bool, title: str | None, private: bool, kept: str | None
) -> None:
    occ = meeting(START, HOUR, title=title, private=private)
    if in_series:
        override = moved(START, START + HOUR, HOUR, title=title, private=private)
        series = Recurrence(rule=raw("WEEKLY;BYDAY=MO"), overrides=(override,))
        found = canonical_occupancy(replace(occ, recurrence=series))
        assert found.recurrence is not None
        assert found.recurrence.overrides == (replace(override, title=kept),)
        assert found.title == kept
    else:
        assert canonical_occupancy(occ) == replace(
            occ, title=kept, start=START - HOUR, end=START, zone="UTC"
        )


def test_a_series_over_midnight_begins_on_its_first_date() -> None:
    start = datetime(2026, 1, 5, 22)
    occ = meeting(start, 4 * HOUR, "Europe/Vienna", recurrence=Recurrence(rule=raw("WEEKLY")))
    made = canonical_occupancy(occ)
    rule = raw("WEEKLY;BYDAY=MO")
    assert made == meeting(start, 4 * HOUR, BERLIN, recurrence=Recurrence(rule=rule))
    later = canonical_occupancy(
        replace(occ, recurrence=Recurrence(rule=raw("WEEKLY;BYDAY=WE;COUNT=2")))
    )
    third = start + 2 * DAY
    wednesday = Recurrence(rule=raw("WEEKLY;BYDAY=WE;COUNT=2"))
    assert later == meeting(third, 4 * HOUR, BERLIN, recurrence=wednesday)
    whole = meeting(datetime(2026, 1, 5), DAY, None, all_day=True)
    whole = replace(whole, recurrence=Recurrence(rule=rule))
    assert canonical_occupancy(whole) == whole


def test_a_rule_without_a_day_means_that_of_the_start_that_was_given() -> None:
    rule = raw("MONTHLY;BYMONTH=3,4")
    made = canonical_occupancy(meeting(START, HOUR, recurrence=Recurrence(rule=rule)))
    wanted = Recurrence(rule=raw("YEARLY;BYMONTH=3,4;BYMONTHDAY=5"))
    assert made == meeting(datetime(2026, 3, 5, 9), HOUR, recurrence=wanted)


def test_a_series_without_dates_stays_where_it_is() -> None:
    series = Recurrence(rule=raw("WEEKLY;BYDAY=TU;UNTIL=2026-01-05"))
    occ = meeting(START, HOUR, recurrence=series)
    assert canonical_occupancy(occ) == occ


def test_exceptions_are_sorted_and_those_that_say_nothing_are_dropped() -> None:
    start = datetime(2026, 1, 5, 22)
    slots = [start + n * DAY for n in range(6)]
    length = 4 * HOUR
    shifted = [moved(at, at + HOUR, length) for at in slots]
    stray = moved(slots[0] + HOUR, slots[0] + 5 * HOUR, length)
    series = Recurrence(
        rule=raw("DAILY;COUNT=5"),
        excluded=(slots[4], slots[5], slots[3], slots[3] + HOUR, slots[2]),
        overrides=(
            shifted[2],
            moved(slots[0], slots[0], length),
            stray,
            moved(slots[5], slots[5], length),
            replace(shifted[1], busy=Busy.FREE),
        ),
    )
    made = canonical_occupancy(meeting(start, length, recurrence=series)).recurrence
    assert made == Recurrence(
        rule=raw("DAILY;COUNT=5"),
        excluded=(slots[3], slots[4]),
        overrides=(
            stray,
            replace(shifted[1], busy=Busy.FREE),
            shifted[2],
            # Of a date that the rule does not give: an additional occurrence.
            moved(slots[5], slots[5], length),
        ),
    )


GAP = datetime(2026, 3, 29, 2, 30)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        # At its own time, by either of its names: nothing is changed.
        ((GAP, HOUR), None),
        ((GAP + HOUR, 0 * HOUR), None),
        # Moved, to a time that the clocks skip, and by the name they have for it.
        ((GAP + HOUR / 4, HOUR), (GAP + HOUR * 5 / 4, 0 * HOUR)),
        ((GAP + HOUR / 4, 2 * HOUR), (GAP + HOUR * 5 / 4, HOUR)),
        ((GAP + HOUR, HOUR), (GAP + HOUR, HOUR)),
        ((GAP - HOUR, HOUR), (GAP - HOUR, 2 * HOUR)),
        ((GAP + 5 * HOUR, HOUR), (GAP + 5 * HOUR, HOUR)),
        ((GAP + HOUR, 2 * HOUR), (GAP + HOUR, 2 * HOUR)),
    ],
)
def test_an_override_is_at_times_that_the_clocks_show(
    given: tuple[datetime, timedelta], wanted: tuple[datetime, timedelta] | None
) -> None:
    start = GAP - 7 * DAY
    series = Recurrence(rule=raw("WEEKLY;BYDAY=SU"), overrides=(moved(GAP, *given),))
    made = canonical_occupancy(meeting(start, HOUR, recurrence=series))
    assert made.recurrence is not None
    assert made.recurrence.overrides == (() if wanted is None else (moved(GAP, *wanted),))


def test_where_no_clock_skips_anything_an_override_stays_as_it_is() -> None:
    series = Recurrence(rule=raw("WEEKLY;BYDAY=SU"), overrides=(moved(GAP, GAP + HOUR / 4, HOUR),))
    occ = meeting(GAP - 7 * DAY, HOUR, "UTC", recurrence=series)
    assert canonical_occupancy(occ) == occ


def test_an_override_for_whole_days_keeps_them_where_midnight_is_skipped() -> None:
    """Cairo's clocks go from midnight to one on 24 April 2026."""
    midnight = datetime(2026, 4, 24)
    whole = moved(midnight + 9 * HOUR, midnight, DAY, all_day=True)
    series = Recurrence(rule=raw("WEEKLY;BYDAY=FR"), overrides=(whole,))
    occ = meeting(midnight - 7 * DAY + 9 * HOUR, HOUR, "Africa/Cairo", recurrence=series)
    assert canonical_occupancy(occ) == occ


def test_what_a_rule_gives_for_a_slot() -> None:
    occ = meeting(START, 2 * HOUR, title="Standup", busy=Busy.TENTATIVE)
    at = START + 7 * DAY
    assert unchanged(occ, at) == moved(at, at, 2 * HOUR, title="Standup", busy=Busy.TENTATIVE)
    hidden = replace(occ, private=True)
    assert unchanged(hidden, at) == replace(unchanged(occ, at), private=True)
    whole = meeting(datetime(2026, 1, 5), DAY, None, all_day=True)
    assert unchanged(whole, at) == moved(at, at, DAY, all_day=True)


@pytest.mark.parametrize(
    ("at", "is_one"),
    [
        (START, True),
        (START + 7 * DAY, True),
        (START - 7 * DAY, False),
        (START + DAY, False),
        (START + 7 * DAY + HOUR, False),
    ],
)
def test_a_slot_is_a_date_at_the_time_of_the_start(at: datetime, is_one: bool) -> None:
    assert is_slot(raw("WEEKLY"), START, at) is is_one
