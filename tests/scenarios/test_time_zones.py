"""The clocks of organiser and room change on different dates, or by other than an hour, or never;
a day of the room is not a day elsewhere. All in one room, on either side (see ``time_kit``)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from tests.scenarios.series_kit import Scene, Stage, a_scene
from tests.scenarios.time_kit import (
    Meeting,
    in_outlook,
    label,
    meeting,
    on_platform,
    prove,
    with_moved,
    without,
)

#: The rooms stand in these zones: usual ones, the ends of the day line, one of half an hour.
ROOMS = [
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
    "Australia/Lord_Howe",
]


def daily(first: str, zone: str, number: int, start: str = "09:00", end: str = "10:00") -> Meeting:
    return meeting(f"{first}T{start}", f"{first}T{end}", zone, f"FREQ=DAILY;COUNT={number}")


ZONES = {
    "the three weeks of March": daily("2027-03-10", "America/New_York", 30),
    "the week of autumn": daily("2027-10-25", "America/New_York", 20),
    "the south, autumn": daily("2027-03-25", "Australia/Sydney", 20),
    "the south, spring": daily("2027-09-25", "Pacific/Auckland", 20),
    "by half an hour": daily("2027-03-30", "Australia/Lord_Howe", 12, "23:45", "23:59"),
    "Ramadan": daily("2027-02-01", "Africa/Casablanca", 60),
    "half hours": daily("2027-03-20", "Asia/Kolkata", 30, "09:30", "10:15"),
    "quarters": daily("2027-03-20", "Asia/Kathmandu", 30),
    "ahead of all": daily("2027-03-20", "Pacific/Kiritimati", 30, "00:30", "01:00"),
    "behind all": daily("2027-03-20", "Etc/GMT+12", 30, "23:30", "23:45"),
    "Samoa": daily("2027-03-20", "Pacific/Apia", 30),
    "Niue": daily("2027-03-20", "Pacific/Niue", 30),
    "the clocks change at midnight": daily("2027-04-25", "Africa/Cairo", 12, "23:30", "23:50"),
    "the day before, in the room": daily("2027-03-10", "Asia/Tokyo", 25, "07:00", "08:00"),
    "over the night of the change": daily("2027-03-26", "Europe/Berlin", 5, "20:00", "23:59"),
    "excluded and moved": with_moved(
        without(daily("2027-03-10", "America/New_York", 30), "2027-03-14", "2027-03-28"),
        "2027-03-21",
        "2027-03-21T17:00",
        "2027-03-21T18:00",
    ),
    "a weekday that is another in the room": meeting(
        "2027-03-07T20:00",
        "2027-03-07T21:00",
        "America/Los_Angeles",
        "FREQ=WEEKLY;BYDAY=SU,WE;COUNT=12",
    ),
    "the last day of the month, elsewhere": meeting(
        "2027-01-31T22:00",
        "2027-01-31T23:00",
        "America/New_York",
        "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1;COUNT=9",
    ),
    "ended by its own date, early": meeting(
        "2026-12-01T00:30", "2026-12-01T01:00", "Asia/Tokyo", "FREQ=DAILY;UNTIL=20261210T235959"
    ),
    "ended by its own date, late": meeting(
        "2026-12-01T23:30",
        "2026-12-01T23:45",
        "America/Los_Angeles",
        "FREQ=DAILY;UNTIL=20261210T235959",
    ),
    "single over the change": meeting("2027-03-27T22:00", "2027-03-28T08:00", "Europe/Berlin"),
    "single at the other end": meeting("2027-03-28T00:15", "2027-03-28T00:45", "Pacific/Niue"),
}
#: All-day: the days of the room, whoever made them wherever.
DAYS = {
    "series": meeting(
        "2027-03-26", "2027-03-27", "Europe/Berlin", "FREQ=DAILY;COUNT=5", all_day=True
    ),
    "series from elsewhere": meeting(
        "2027-11-01", "2027-11-02", "America/New_York", "FREQ=DAILY;COUNT=9", all_day=True
    ),
    "several days each": meeting(
        "2027-03-26", "2027-03-29", "Asia/Tokyo", "FREQ=WEEKLY;BYDAY=FR;COUNT=3", all_day=True
    ),
    "several days once": meeting("2027-10-29", "2027-11-03", "Europe/Berlin", all_day=True),
    "one day, ahead": meeting("2027-03-28", "2027-03-29", "Pacific/Kiritimati", all_day=True),
    "one day, behind": meeting("2027-03-28", "2027-03-29", "Etc/GMT+12", all_day=True),
    "excluded and moved": with_moved(
        without(
            meeting(
                "2027-03-22", "2027-03-23", "America/New_York", "FREQ=WEEKLY;COUNT=5", all_day=True
            ),
            "2027-03-29",
        ),
        "2027-04-05",
        "2027-04-06",
        "2027-04-08",
    ),
    "the day whose midnight is skipped": meeting(
        "2027-04-30", "2027-05-01", "Africa/Cairo", all_day=True
    ),
}
#: Nothing documents these: the other way than usual.
OTHER = {
    "national_cloud": True,
    "masters_in_delta": False,
    "removed_occurrences_of_series": False,
    "all_day_floats": False,
    "original_start_in_asked_zone": True,
    "create_answers_in_sent_zone": True,
}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with a_scene(tmp_path_factory.mktemp("zones")) as scene:
        yield scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with a_scene(tmp_path_factory.mktemp("other"), **OTHER) as scene:
        yield scene


@pytest.mark.parametrize("zone", ROOMS)
def test_in_rooms_of_all_zones(usual: Scene, zone: str) -> None:
    for make in (in_outlook, on_platform) if zone in ROOMS[1:3] else (in_outlook,):
        _all_of_them(usual.room((zone, label(zone))), make)


@pytest.mark.parametrize("make", [in_outlook, on_platform])
def test_whatever_is_not_documented(scene: Scene, make: Any) -> None:
    _all_of_them(scene.room(("America/New_York", "Eastern Standard Time")), make)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
def test_days_that_are_said_to_be_in_utc(scene: Scene, zone: str) -> None:
    """As Graph answered in 2018: dates, "UTC", and originalStart at the mailbox's midnight."""
    switched = {"all_day_series_say_utc": True, "all_day_floats": True, "national_cloud": False}
    scene.tenant.control("POST", "switches", switched)
    try:
        room = scene.room((zone, label(zone)))
        for one in DAYS.values():
            in_outlook(room, one, showAs="free")
        prove(room, *DAYS.values())
    finally:
        scene.tenant.control("POST", "switches", {**dict.fromkeys(switched, False), **OTHER})


def _all_of_them(room: Stage, make: Any) -> None:
    cases = {**ZONES, **DAYS}
    for one in cases.values():
        free = {"showAs": "free"} if make is in_outlook else {"freeBusyStatus": "free"}
        make(room, one, **free)
    assert len(prove(room, *cases.values())) > 20 * len(cases) / 2


def test_all_day_in_a_room_whose_midnights_are_skipped(scene: Scene) -> None:
    """In Cairo the last Friday of April begins at one o'clock."""
    for make in (in_outlook, on_platform):
        room = scene.room(("Africa/Cairo", "Egypt Standard Time"))
        days = meeting(
            "2027-04-28", "2027-04-29", "Africa/Cairo", "FREQ=DAILY;COUNT=5", all_day=True
        )
        make(room, days)
        one = without(days, "2027-04-30")
        shown = prove(room, days)
        assert shown[2].start == "2027-04-29T22:00:00Z"
        made = room.item()["event"]
        room.outlook("remove", made, date="2027-04-30")
        prove(room, one)


@pytest.mark.parametrize("make", [in_outlook, on_platform])
def test_meetings_that_take_time_beside_one_another(scene: Scene, make: Any) -> None:
    """Busy ones: on the night of the change, one of each zone that touch and do not meet."""
    room = scene.room()
    ones = [
        meeting("2027-03-28T00:00", "2027-03-28T03:00", "Europe/Berlin"),
        meeting("2027-03-28T01:00", "2027-03-28T02:00", "Etc/UTC"),
        meeting("2027-03-27T22:00", "2027-03-27T23:00", "America/New_York"),
        meeting("2027-03-28T05:00", "2027-03-29T00:00", "Europe/Berlin"),
        meeting("2027-03-29", "2027-03-30", "Europe/Berlin", all_day=True),
        meeting("2027-03-30T00:00", "2027-03-30T01:00", "Europe/Berlin"),
    ]
    for one in ones:
        make(room, one)
    shown = prove(room, *ones)
    assert all(a.end == b.start for a, b in pairwise(shown))


def test_names_that_no_list_has(scene: Scene) -> None:
    """Graph takes Windows names and about a hundred others: all of these must arrive."""
    room = scene.room()
    zones = ["Europe/Vaduz", "America/Indiana/Knox", "Asia/Saigon", "Pacific/Kanton", "EST5EDT"]
    ones = [
        daily("2027-03-10", zone, 20, f"{8 + at:02}:00", f"{8 + at:02}:30")
        for at, zone in enumerate(zones)
    ]
    for one in ones:
        on_platform(room, one, freeBusyStatus="free")
    prove(room, *ones, low=date(2027, 1, 1))


TROLL = daily("2027-03-20", "Antarctica/Troll", 15, "10:00", "12:00")


def test_a_series_in_a_zone_that_graph_has_no_name_for(scene: Scene) -> None:
    """Date by date in UTC; without an end it is refused, with the reason."""
    room = scene.room()
    booking = on_platform(
        room,
        with_moved(
            without(TROLL, "2027-03-22"), "2027-03-29", "2027-03-29T11:00", "2027-03-29T12:30"
        ),
    )
    prove(
        room,
        with_moved(
            without(TROLL, "2027-03-22"), "2027-03-29", "2027-03-29T11:00", "2027-03-29T12:30"
        ),
    )
    assert booking["timeZone"] == "Antarctica/Troll"
    wish = {"start": "2027-03-20T10:00:00", "duration": "PT1H", "timeZone": "Antarctica/Troll"}
    path = f"/rooms/{room.place.id}/bookings"
    answer = room.company.call("POST", path, {**wish, "rrule": "FREQ=DAILY"})
    assert answer.status_code == 422
    assert "no name for its time zone" in answer.text


def test_a_room_in_such_a_zone(scene: Scene) -> None:
    """Its days and its meetings are written all the same."""
    for make in (in_outlook, on_platform):
        room = scene.room(("Antarctica/Troll", "UTC"))
        ones = [
            meeting("2027-03-28T09:00", "2027-03-28T10:00", "Etc/UTC"),
            daily("2027-03-20", "Europe/Berlin", 15),
        ]
        for one in ones:
            make(room, one)
        prove(room, *ones)
    on_platform(room, meeting("2027-06-01", "2027-06-03", "Antarctica/Troll", all_day=True))
    weekly = "FREQ=WEEKLY;COUNT=3"
    on_platform(room, meeting("2027-06-07", "2027-06-08", "Antarctica/Troll", weekly, all_day=True))
    room.company.sync(room.place)
    assert [one.start for one in room.platform()[-4:]] == [
        f"2027-{day}T22:00:00Z" for day in ("05-31", "06-06", "06-13", "06-20")
    ]
    assert [one.all_day for one in room.calendar()[-4:]] == [True] * 4
    room.company.at_rest(room.place)
