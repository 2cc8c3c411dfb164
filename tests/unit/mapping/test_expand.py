"""When an item takes place: which dates touch a window, in which order, from when to when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from calsync.mapping.expand import ALWAYS, busy_intervals, extent, instances
from calsync.model import (
    Busy,
    Frequency,
    Instance,
    Interval,
    Occupancy,
    Override,
    Recurrence,
    Rule,
)

BERLIN = "Europe/Berlin"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(start: str, end: str) -> Interval:
    return Interval(utc(start), utc(end))


def single(start: str, end: str, zone: str | None = "UTC", **more: Any) -> Occupancy:
    return Occupancy(start=at(start), end=at(end), zone=zone, all_day=zone is None, **more)


def daily(start: str, end: str, zone: str | None = "UTC", **rule: Any) -> Occupancy:
    found = Recurrence(rule=Rule(frequency=Frequency.DAILY, **rule))
    return single(start, end, zone, recurrence=found)


def changed(occ: Occupancy, *overrides: Override, excluded: tuple[datetime, ...] = ()) -> Occupancy:
    assert occ.recurrence is not None
    found = replace(occ.recurrence, overrides=overrides, excluded=excluded)
    return replace(occ, recurrence=found)


def moved(slot: str, start: str, end: str, **more: Any) -> Override:
    return Override(recurrence_id=at(slot), start=at(start), end=at(end), **more)


def slots(occ: Occupancy, window: Interval, room_zone: str = "UTC", **how: Any) -> list[str]:
    """The dates that are found, by what the rule calls them."""
    found = instances(occ, window, room_zone, **how)
    return [str(one.recurrence_id and one.recurrence_id.isoformat()[:16]) for one in found]


# --- windows --------------------------------------------------------------------------------------

NOON = span("2027-06-01T12:00", "2027-06-01T13:00")


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [
        ("11:00", "12:00", False),
        ("11:00", "12:01", True),
        ("12:59", "14:00", True),
        ("13:00", "14:00", False),
        ("11:00", "14:00", True),
        ("12:15", "12:45", True),
        # Without length it counts at its start.
        ("11:59", "11:59", False),
        ("12:00", "12:00", True),
        ("12:30", "12:30", True),
        ("13:00", "13:00", False),
    ],
)
def test_what_touches_a_window(start: str, end: str, inside: bool) -> None:
    item = single(f"2027-06-01T{start}", f"2027-06-01T{end}")
    assert bool(list(instances(item, NOON, "UTC"))) is inside
    series = daily(f"2027-05-30T{start}", f"2027-05-30T{end}")
    assert slots(series, NOON) == ([f"2027-06-01T{start}"] if inside else [])
    other = changed(
        daily("2027-06-02T09:00", "2027-06-02T10:00"),
        moved("2027-06-02T09:00", f"2027-06-01T{start}", f"2027-06-01T{end}"),
    )
    assert slots(other, NOON) == (["2027-06-02T09:00"] if inside else [])


def test_all_that_a_date_says() -> None:
    looks: dict[str, Any] = {"busy": Busy.OOF, "title": "Fair", "private": True}
    found = list(
        instances(single("2027-06-01T14:00", "2027-06-01T15:00", BERLIN, **looks), NOON, "")
    )
    start, end = utc("2027-06-01T12:00"), utc("2027-06-01T13:00")
    assert found == [Instance(start=start, end=end, all_day=False, **looks)]
    series = replace(daily("2027-06-01T14:00", "2027-06-01T15:00", BERLIN), **looks)
    slot = at("2027-06-01T14:00")
    (date_,) = instances(series, NOON, "")
    assert date_ == Instance(start=start, end=end, all_day=False, recurrence_id=slot, **looks)
    plain = daily("2027-06-01T08:00", "2027-06-01T09:00", BERLIN)
    override = moved("2027-06-01T08:00", "2027-06-01T14:00", "2027-06-01T15:00", **looks)
    (date_,) = instances(changed(plain, override), NOON, "")
    slot = at("2027-06-01T08:00")
    assert date_ == Instance(start=start, end=end, all_day=False, recurrence_id=slot, **looks)


@pytest.mark.parametrize(
    ("override", "begin", "finish"),
    [
        # Timed: in the zone of the series, or in the room's where that has none.
        (moved("2027-06-01T00:00", "2027-06-01T09:00", "2027-06-01T10:00"), "09:00", "10:00"),
        # A whole day is one of the room, whatever zone the series is in.
        (
            moved("2027-06-01T00:00", "2027-06-01T00:00", "2027-06-02T00:00", all_day=True),
            "00:00",
            "24:00",
        ),
    ],
)
@pytest.mark.parametrize("zone", ["America/New_York", None])
def test_in_which_zone_a_changed_date_is_read(
    override: Override, begin: str, finish: str, zone: str | None
) -> None:
    first = "2027-06-01T00:00"
    series = changed(daily(first, "2027-06-02T00:00", zone, count=1), override)
    (found,) = instances(series, span("2027-05-30T00:00", "2027-06-03T00:00"), "Asia/Tokyo")
    east = timedelta(hours=9 if override.all_day or zone is None else -4)
    midnight = utc("2027-06-01T00:00") - east
    assert found.start == midnight + HOUR * int(begin[:2])
    assert found.end == midnight + HOUR * int(finish[:2])


def test_all_day_dates_are_days_of_the_room() -> None:
    days = daily("2027-06-01T00:00", "2027-06-02T00:00", None, count=2)
    (first, second) = instances(days, ALWAYS, "Asia/Tokyo")
    assert first.interval == span("2027-05-31T15:00", "2027-06-01T15:00")
    assert second.interval == span("2027-06-01T15:00", "2027-06-02T15:00")
    one = single("2027-06-01T00:00", "2027-06-02T00:00", None)
    assert [found.interval for found in instances(one, ALWAYS, "Asia/Tokyo")] == [first.interval]


def test_long_dates_that_began_before_the_window() -> None:
    series = daily("2027-05-01T09:00", "2027-05-04T09:00")
    assert slots(series, NOON) == [f"2027-{day}T09:00" for day in ("05-30", "05-31", "06-01")]


def test_a_date_on_the_day_that_samoa_left_out_takes_the_next_one() -> None:
    """A window that begins two days after its date still finds it."""
    series = daily("2011-12-30T23:00", "2011-12-31T22:00", "Pacific/Apia", count=1)
    real = span("2011-12-31T09:00", "2012-01-01T08:00")  # 31 December, 23:00 there
    (found,) = instances(series, span("2012-01-01T07:00", "2012-01-02T00:00"), "UTC")
    assert found.interval == real


def test_a_date_after_a_midnight_that_the_clocks_take_back() -> None:
    """St. John's went back at 00:01, to 23:01 of the day before: in that hour it has been midnight
    already."""
    series = daily("2010-11-07T00:00", "2010-11-07T00:30", "America/St_Johns", count=1)
    assert slots(series, span("2010-11-07T01:00", "2010-11-07T03:00")) == ["2010-11-07T00:00"]


def test_a_series_on_the_other_side_of_the_date_line() -> None:
    """Where it is 2 June already, while it is 31 May in the room."""
    series = daily("2027-06-02T00:30", "2027-06-02T01:00", "Pacific/Kiritimati", count=1)
    window = span("2027-06-01T10:00", "2027-06-01T10:45")
    assert slots(series, window, "Pacific/Niue") == ["2027-06-02T00:30"]


@pytest.mark.parametrize(
    ("start", "window"),
    [
        ("0001-01-01T09:00", ("0001-01-01T00:00", "0001-01-01T23:00")),
        ("0001-01-01T09:00", ("0001-01-01T00:00", "0001-01-02T00:00")),
        ("4500-08-31T09:00", ("4500-08-31T00:00", "9999-12-31T23:59")),
    ],
)
def test_the_ends_of_the_calendar(start: str, window: tuple[str, str]) -> None:
    first = at(start)
    series = daily(start, (first + HOUR).isoformat())
    assert slots(series, span(*window)) == [start]


def test_a_series_that_began_centuries_ago() -> None:
    """Its dates are looked for where the window is: from 1700 on there are too many to count."""
    series = daily("1700-01-01T12:00", "1700-01-01T13:00")
    assert slots(series, NOON) == ["2027-06-01T12:00"]


# --- order ----------------------------------------------------------------------------------------


def test_by_start_and_of_those_that_start_together_the_earlier_slot_first() -> None:
    series = changed(
        daily("2027-06-01T09:00", "2027-06-01T10:00", count=4),
        # The second stands where the third does, the fourth before all, the first at the fourth's
        # former place and longer than the rest.
        moved("2027-06-01T09:00", "2027-06-04T09:00", "2027-06-04T12:00"),
        moved("2027-06-02T09:00", "2027-06-03T09:00", "2027-06-03T09:30"),
        moved("2027-06-04T09:00", "2027-05-31T09:00", "2027-06-09T10:00"),
    )
    window = span("2027-05-01T00:00", "2027-07-01T00:00")
    ordered = ["2027-06-04T09:00", "2027-06-02T09:00", "2027-06-03T09:00", "2027-06-01T09:00"]
    assert slots(series, window) == ordered
    for limit in range(5):
        assert slots(series, window, limit=limit) == ordered[:limit]
    later = changed(
        daily("2027-06-01T09:00", "2027-06-01T10:00", count=3),
        moved("2027-06-02T09:00", "2027-06-01T09:00", "2027-06-01T10:00"),
        moved("2027-06-03T09:00", "2027-06-01T09:00", "2027-06-01T10:00"),
    )
    assert slots(later, window) == [f"2027-06-0{n}T09:00" for n in (1, 2, 3)]


def test_removed_dates_and_the_slots_of_moved_ones_are_free() -> None:
    series = changed(
        daily("2027-06-01T09:00", "2027-06-01T10:00", count=3),
        moved("2027-06-02T09:00", "2027-06-20T09:00", "2027-06-20T10:00"),
        excluded=(at("2027-06-01T09:00"),),
    )
    first_week = span("2027-06-01T00:00", "2027-06-08T00:00")
    assert slots(series, first_week) == ["2027-06-03T09:00"]


def test_the_time_that_an_item_takes() -> None:
    """What is free takes none, nor does what has no length."""
    slot = "2027-06-02T12:00"
    series = changed(
        daily("2027-06-01T12:00", "2027-06-01T13:00", count=4),
        moved(slot, slot, "2027-06-02T13:00", busy=Busy.FREE),
        moved("2027-06-03T12:00", "2027-06-03T12:00", "2027-06-03T12:00"),
        moved("2027-06-04T12:00", "2027-06-04T12:00", "2027-06-04T13:00", busy=Busy.TENTATIVE),
    )
    assert busy_intervals(series, ALWAYS, "UTC") == [
        span("2027-06-01T12:00", "2027-06-01T13:00"),
        span("2027-06-04T12:00", "2027-06-04T13:00"),
    ]


def test_always_is_the_calendar_of_outlook() -> None:
    """Its last day: 31 August 4500. Its first begins a day late, so that it lies in every zone."""
    assert span("0001-01-02T00:00", "4500-08-31T00:00") == ALWAYS


# --- extent ---------------------------------------------------------------------------------------

NINE = ("2027-06-01T09:00", "2027-06-01T10:00")


@pytest.mark.parametrize(
    ("occ", "first", "last"),
    [
        (single(*NINE, BERLIN), "2027-06-01T07:00", "2027-06-01T08:00"),
        (single("2027-06-01", "2027-06-03", None), "2027-05-31T15:00", "2027-06-02T15:00"),
        (daily(*NINE, BERLIN), "2027-06-01T07:00", None),
        (daily(*NINE, BERLIN, count=3), "2027-06-01T07:00", "2027-06-03T08:00"),
        (daily(*NINE, BERLIN, until=date(2027, 6, 4)), "2027-06-01T07:00", "2027-06-04T08:00"),
        # In winter it is an hour later by UTC.
        (daily(*NINE, BERLIN, until=date(2027, 12, 1)), "2027-06-01T07:00", "2027-12-01T09:00"),
        (daily("2027-06-01", "2027-06-03", None, count=3), "2027-05-31T15:00", "2027-06-04T15:00"),
        (
            daily("2027-06-01T09:00", "2027-06-03T11:00", count=3),
            "2027-06-01T09:00",
            "2027-06-05T11:00",
        ),
        # No date at all: where it would have begun.
        (daily(*NINE, until=date(2027, 5, 1)), "2027-06-01T09:00", "2027-06-01T10:00"),
    ],
)
def test_from_when_to_when(occ: Occupancy, first: str, last: str | None) -> None:
    assert extent(occ, "Asia/Tokyo") == (utc(first), None if last is None else utc(last))


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2027-06-02T11:00", "2027-06-02T12:00", "2027-06-01T09:00", "2027-06-03T10:00"),
        ("2027-05-20T11:00", "2027-05-20T12:00", "2027-05-20T11:00", "2027-06-03T10:00"),
        ("2027-06-20T11:00", "2027-06-20T12:00", "2027-06-01T09:00", "2027-06-20T12:00"),
        ("2027-05-20T11:00", "2027-06-20T12:00", "2027-05-20T11:00", "2027-06-20T12:00"),
    ],
)
def test_a_moved_date_may_lie_before_or_behind_the_others(
    start: str, end: str, first: str, last: str
) -> None:
    override = moved("2027-06-02T09:00", start, end)
    series = changed(daily(*NINE, count=3), override)
    assert extent(series, "UTC") == (utc(first), utc(last))
    assert extent(changed(daily(*NINE), override), "UTC") == (utc(first), None)


def test_at_most_ten_thousand_dates_are_given_unless_asked_for_more() -> None:
    series = daily("2000-01-01T09:00", "2000-01-01T10:00")
    assert sum(1 for _ in instances(series, ALWAYS, "UTC")) == 10_000
    assert sum(1 for _ in instances(series, ALWAYS, "UTC", limit=10_001)) == 10_001
