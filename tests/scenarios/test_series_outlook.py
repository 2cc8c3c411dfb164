"""Series made in Outlook, as the platform shows them: whole, at once, and after every change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from tests.scenarios.series_kit import Scene, Stage, a_scene, daily, starts, weekly
from tests.support.company import differences

#: Nothing documents these; each scenario runs with all of them this way and that.
SWITCHES: dict[str, dict[str, Any]] = {
    "usual": {},
    "other": {
        "national_cloud": True,
        "masters_in_delta": False,
        "removed_occurrences_of_series": False,
        "series_change_drops_exceptions": False,
        "all_day_floats": False,
    },
}


@pytest.fixture(scope="module", params=SWITCHES)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    with a_scene(tmp_path_factory.mktemp("outlook"), **SWITCHES[request.param]) as scene:
        yield scene


@pytest.fixture
def room(scene: Scene) -> Stage:
    return scene.room()


def test_all_dates_at_once_the_first_among_them(room: Stage) -> None:
    room.invite("2026-12-01T10:00", "2026-12-01T11:00", weekly("2026-12-01", "tuesday", number=20))
    shown = room.settle(20)
    assert shown[0].start == "2026-12-01T09:00:00Z"
    assert room.booking()["recurrenceRule"]["count"] == 20


def test_an_endless_series_stays_endless(room: Stage) -> None:
    room.put("2026-12-01T10:00", "2026-12-01T11:00", weekly("2026-12-01", "tuesday"))
    room.settle(109)
    rule = room.booking()["recurrenceRule"]
    assert "count" not in rule
    assert "until" not in rule
    far = (date(2060, 1, 1), date(2061, 1, 1))
    assert len(room.platform(*far)) == 52
    assert differences(room.calendar(*far), room.platform(*far)) == []


def test_dates_moved_dropped_and_renamed(room: Stage) -> None:
    made = room.invite("2026-12-01T10:00", "2026-12-01T11:00", daily("2026-12-01", 10))
    room.settle(10)
    room.outlook(
        "move_occurrence",
        made,
        date="2026-12-03",
        start="2026-12-03T15:00",
        end="2026-12-03T15:30",
    )
    room.outlook("cancel_occurrence", made, date="2026-12-05")
    room.outlook("retitle", made, date="2026-12-07", subject="Other")
    shown = room.settle(9)
    assert "2026-12-03T14:00:00Z" in starts(shown)
    overrides = room.booking()["recurrenceOverrides"]
    assert overrides["2026-12-05T10:00:00"] == {"excluded": True}
    assert overrides["2026-12-07T10:00:00"] == {"title": "Other"}
    assert overrides["2026-12-03T10:00:00"]["duration"] == "PT30M"


def test_a_series_with_exceptions_before_calsync_saw_it(room: Stage) -> None:
    made = room.put("2026-12-01T10:00", "2026-12-01T11:00", daily("2026-12-01", 6))
    room.outlook("move_occurrence", made, date="2026-12-02", start="2026-12-02T08:00")
    room.outlook("cancel_occurrence", made, date="2026-12-04")
    room.settle(5)


def test_a_single_date_deleted_in_the_room_shows(room: Stage) -> None:
    """Delta sends no @removed for one deleted occurrence: it is found all the same."""
    made = room.put("2026-12-01T10:00", "2026-12-01T11:00", daily("2026-12-01", 6))
    room.settle(6)
    room.outlook("remove", made, date="2026-12-03")
    assert "2026-12-03T09:00:00Z" not in starts(room.settle(5))
    room.outlook("remove", made, date="2026-12-01")
    assert starts(room.settle(4))[0] == "2026-12-02T09:00:00Z"


def test_a_series_moved_under_its_exceptions(room: Stage) -> None:
    made = room.put("2026-12-01T10:00", "2026-12-01T11:00", daily("2026-12-01", 6))
    room.outlook("move_occurrence", made, date="2026-12-02", start="2026-12-02T08:00")
    room.outlook("cancel_occurrence", made, date="2026-12-04")
    room.settle(5)
    room.outlook(
        "move",
        made,
        start="2026-12-01T13:00",
        end="2026-12-01T14:00",
        recurrence=daily("2026-12-01", 6),
    )
    room.company.sync(room.place)
    assert "2026-12-01T12:00:00Z" in starts(room.platform())
    room.settle(len(room.calendar()))


def test_a_series_made_longer_shorter_and_endless(room: Stage) -> None:
    made = room.put("2026-12-01T10:00", "2026-12-01T11:00", daily("2026-12-01", 6))
    room.settle(6)
    times = {"start": "2026-12-01T10:00", "end": "2026-12-01T11:00"}
    for number, instances in ((9, 9), (3, 3)):
        room.outlook("set", made, **times, recurrence=daily("2026-12-01", number))
        room.settle(instances)
    room.outlook("set", made, **times, recurrence=daily("2026-12-01"))
    room.settle(762)
    assert "count" not in room.booking()["recurrenceRule"]


def test_a_single_becomes_a_series_and_back(room: Stage) -> None:
    made = room.put("2026-12-01T10:00", "2026-12-01T11:00", None)
    room.settle(1)
    times = {"start": "2026-12-01T10:00", "end": "2026-12-01T11:00"}
    room.outlook("set", made, **times, recurrence=daily("2026-12-01", 4))
    room.settle(4)
    room.outlook("set", made, graph={"recurrence": None})
    room.settle(1)


def test_a_cancelled_series_leaves_no_date(room: Stage) -> None:
    made = room.invite("2026-12-01T10:00", "2026-12-01T11:00", daily("2026-12-01", 10))
    room.settle(10)
    room.outlook("cancel", made)
    room.settle(0)
    assert room.company.bookings(room.place) == []


@pytest.mark.parametrize(
    ("zone", "first", "winter", "summer"),
    [
        ("W. Europe Standard Time", "2027-03-22", "09:00", "08:00"),
        ("Eastern Standard Time", "2027-03-08", "15:00", "14:00"),
        ("GMT Standard Time", "2027-03-22", "10:00", "09:00"),
        ("India Standard Time", "2027-03-22", "04:30", "04:30"),
        ("AUS Eastern Standard Time", "2027-03-29", "23:00", "00:00"),
    ],
)
def test_the_wall_time_stays_when_the_clocks_change(
    room: Stage, zone: str, first: str, winter: str, summer: str
) -> None:
    """In the zone of the series, whatever that of the room."""
    day = date.fromisoformat(first).strftime("%A").lower()
    recurrence = weekly(first, day, number=3)
    room.put(f"{first}T10:00", f"{first}T11:00", recurrence, zone=zone)
    times = [one.start[11:16] for one in room.settle(3)]
    assert (times[0], times[-1]) == (winter, summer)


@pytest.mark.parametrize(
    ("first", "start", "end"),
    [
        ("2027-03-26", "02:30", "03:30"),  # the start falls into the gap on the 28th
        ("2027-03-26", "01:30", "02:30"),  # the end does
        ("2027-10-29", "02:30", "03:30"),  # the start comes twice on the 31st
        ("2027-10-29", "23:00", "23:30"),
    ],
)
def test_dates_within_the_change_of_the_clocks(
    room: Stage, first: str, start: str, end: str
) -> None:
    room.put(f"{first}T{start}", f"{first}T{end}", daily(first, 5))
    room.settle(5)


def test_all_day_series_with_exceptions(room: Stage) -> None:
    made = room.put("2027-03-26T00:00", "2027-03-27T00:00", daily("2027-03-26", 5), allDay=True)
    shown = room.settle(5)
    assert (shown[2].start, shown[2].end) == ("2027-03-27T23:00:00Z", "2027-03-28T22:00:00Z")
    room.outlook("cancel_occurrence", made, date="2027-03-28")
    room.outlook("retitle", made, date="2027-03-29", subject="Other")
    room.settle(4)
    assert room.booking()["recurrenceOverrides"]["2027-03-28T00:00:00"] == {"excluded": True}


def test_one_date_becomes_all_day_and_one_of_an_all_day_series_timed(room: Stage) -> None:
    made = room.put("2026-12-01T10:00", "2026-12-01T11:00", daily("2026-12-01", 3))
    days = room.put("2027-01-11T00:00", "2027-01-12T00:00", daily("2027-01-11", 3), allDay=True)
    room.settle(6)
    room.outlook(
        "set",
        made,
        date="2026-12-02",
        start="2026-12-02T00:00",
        end="2026-12-03T00:00",
        allDay=True,
    )
    room.outlook(
        "set",
        days,
        date="2027-01-12",
        start="2027-01-12T09:00",
        end="2027-01-12T10:00",
        allDay=False,
    )
    shown = room.settle(6)
    assert [one.all_day for one in shown] == [False, True, False, True, False, True]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-12-01T22:00", "2026-12-02T00:00"),
        ("2026-12-01T23:00", "2026-12-02T01:00"),
        ("2026-12-01T00:00", "2026-12-02T00:00"),  # a whole day, but not all-day
    ],
)
def test_ends_at_and_after_midnight(room: Stage, start: str, end: str) -> None:
    made = room.put(start, end, daily("2026-12-01", 4))
    room.settle(4)
    room.outlook("cancel_occurrence", made, date="2026-12-03")
    room.settle(3)


def test_meetings_of_several_days_that_repeat(room: Stage) -> None:
    room.put("2026-12-04T18:00", "2026-12-07T06:00", weekly("2026-12-04", "friday", number=3))
    room.put(
        "2027-01-04T00:00",
        "2027-01-07T00:00",
        weekly("2027-01-04", "monday", number=3),
        allDay=True,
    )
    room.settle(6)


@pytest.mark.parametrize(
    ("pattern", "first", "instances"),
    [
        ({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}, "2026-12-31", 6),
        (
            {
                "type": "relativeMonthly",
                "interval": 1,
                "daysOfWeek": ["friday"],
                "index": "last",
            },
            "2026-12-25",
            6,
        ),
        ({"type": "absoluteYearly", "interval": 1, "dayOfMonth": 29, "month": 2}, "2027-02-28", 6),
        (
            {
                "type": "relativeYearly",
                "interval": 1,
                "daysOfWeek": ["monday"],
                "index": "second",
                "month": 6,
            },
            "2027-06-14",
            6,
        ),
        (
            {
                "type": "weekly",
                "interval": 2,
                "daysOfWeek": ["sunday", "monday"],
                "firstDayOfWeek": "sunday",
            },
            "2026-12-06",
            6,
        ),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else None,
)
def test_every_pattern(room: Stage, pattern: dict[str, Any], first: str, instances: int) -> None:
    span = {"type": "numbered", "startDate": first, "numberOfOccurrences": instances}
    room.put(f"{first}T10:00", f"{first}T11:00", {"pattern": pattern, "range": span})
    room.company.sync(room.place)
    whole = (date(2026, 1, 1), date(2040, 1, 1))
    shown = room.calendar(*whole)
    assert len(shown) == instances
    assert differences(shown, room.platform(*whole)) == []


CUSTOM = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//calsync tests//EN
BEGIN:VTIMEZONE
TZID:Head Office
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0100
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:custom-{number}
DTSTAMP:20261120T000000Z
DTSTART;TZID=Head Office:20270322T{clock}
DURATION:PT1H
RRULE:FREQ=DAILY;COUNT=12
SUMMARY:Custom
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize("clock", ["100000", "000000", "233000"])
def test_a_zone_that_only_the_item_knows(room: Stage, clock: str) -> None:
    """tzone://Microsoft/Custom: its instants are right on both sides of the change of the clocks
    that the room has and it has not."""
    text = CUSTOM.format(number=room.place.id, clock=clock)
    room.tenant.load(room.place.address, text.replace("\n", "\r\n").encode())
    assert room.item()["event"]["originalStartTimeZone"] == "tzone://Microsoft/Custom"
    times = {one.start[11:16] for one in room.settle(12)}
    assert len(times) == 1


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "Eastern Standard Time"])
def test_zones_by_either_name(scene: Scene, zone: str) -> None:
    room = scene.room(("America/New_York", "Eastern Standard Time"))
    made = room.put("2027-03-08T10:00", "2027-03-08T11:00", daily("2027-03-08", 25), zone=zone)
    room.settle(25)
    room.outlook("cancel_occurrence", made, date="2027-03-14")
    room.settle(24)


@pytest.mark.parametrize("born", ["outlook", "platform"])
def test_all_dates_removed_one_by_one(room: Stage, born: str) -> None:
    """Nothing is left of the series, so nothing is left of the booking."""
    if born == "outlook":
        room.put("2026-12-01T10:00", "2026-12-01T11:00", daily("2026-12-01", 2))
    else:
        room.book(start="2026-12-01T10:00:00", duration="PT1H", rrule="FREQ=DAILY;COUNT=2")
    room.settle(2)
    made = room.item()["event"]
    room.outlook("remove", made, date="2026-12-01")
    room.settle(1)
    room.outlook("remove", made, date="2026-12-02")
    room.settle(0)
    assert room.company.bookings(room.place) == []
