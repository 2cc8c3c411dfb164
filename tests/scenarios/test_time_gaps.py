"""Hours that the clocks skip, and hours that come twice: every date of every kind of meeting.

Judged by dateutil and zoneinfo (``time_kit``). What Graph makes of a local time that does not
exist is not documented; both ways are tried (switch ``skipped_times_move``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.series_kit import Scene, Stage, a_scene
from tests.scenarios.time_kit import (
    Meeting,
    in_outlook,
    meeting,
    on_platform,
    prove,
    spans,
    with_moved,
    without,
)
from tests.support.company import differences

BERLIN, LORD_HOWE = "Europe/Berlin", "Australia/Lord_Howe"
FIVE = "FREQ=DAILY;COUNT=5"


def berlin(start: str, end: str, rule: str = FIVE, **more: Any) -> Meeting:
    return meeting(start, end, BERLIN, rule, **more)


IN_GAP = berlin("2027-03-26T02:30", "2027-03-26T03:30")
OFFICE = berlin("2027-03-26T10:00", "2027-03-26T11:00")
FIRST_IN_GAP = berlin("2027-03-28T02:30", "2027-03-28T03:30")
TWICE = berlin("2027-10-29T02:30", "2027-10-29T03:30")

#: Where Exchange moves this one, its date is no more the one its range begins on.
REFUSED = "into the next day"
#: Series that begin at a time that does not exist.
BEGINNING = {
    "start": FIRST_IN_GAP,
    "whole": berlin("2027-03-28T02:10", "2027-03-28T02:50"),
    "end": berlin("2027-03-28T01:30", "2027-03-28T02:30"),
    "excluded": without(FIRST_IN_GAP, "2027-03-28"),
    "moved": with_moved(FIRST_IN_GAP, "2027-03-28", "2027-03-28T10:00", "2027-03-28T11:00"),
    "next moved": with_moved(FIRST_IN_GAP, "2027-03-29", "2027-03-29T10:00", "2027-03-29T11:00"),
    "weekly": berlin("2027-03-28T02:30", "2027-03-28T04:00", "FREQ=WEEKLY;BYDAY=SU,WE;COUNT=6"),
    "every second week": berlin(
        "2027-03-28T02:30", "2027-03-28T04:00", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU;WKST=SU;COUNT=6"
    ),
    "last Sunday, endless": berlin(
        "2027-03-28T02:30", "2027-03-28T04:00", "FREQ=MONTHLY;BYDAY=SU;BYSETPOS=-1"
    ),
    "half an hour": meeting("2027-10-03T02:15", "2027-10-03T02:45", LORD_HOWE, FIVE),
    "midnight": meeting("2027-04-30T00:00", "2027-04-30T01:30", "Africa/Cairo", FIVE),
    # The clocks in Nuuk skip 23:00-24:00: read back, this one begins on the next day.
    REFUSED: meeting("2027-03-27T23:30", "2027-03-28T01:00", "America/Nuuk", FIVE),
}
#: Dates of a series, or changed ones, at such times; and the hours that come twice.
WITHIN = {
    "start": IN_GAP,
    "whole": berlin("2027-03-26T02:10", "2027-03-26T02:50"),
    "end": berlin("2027-03-26T01:30", "2027-03-26T02:30"),
    "across": berlin("2027-03-26T01:30", "2027-03-26T03:30"),
    "excluded": without(IN_GAP, "2027-03-28"),
    "moved away": with_moved(IN_GAP, "2027-03-28", "2027-03-28T10:00", "2027-03-28T11:00"),
    "longer": with_moved(IN_GAP, "2027-03-28", "2027-03-28T02:30", "2027-03-28T04:30"),
    "to where it reads": with_moved(IN_GAP, "2027-03-28", "2027-03-28T03:30", "2027-03-28T04:00"),
    "moved into it": with_moved(OFFICE, "2027-03-28", "2027-03-28T02:15", "2027-03-28T02:45"),
    "start moved into it": with_moved(OFFICE, "2027-03-28", "2027-03-28T02:15", "2027-03-28T03:45"),
    "end moved into it": with_moved(OFFICE, "2027-03-28", "2027-03-28T01:15", "2027-03-28T02:45"),
    "half an hour": meeting("2027-10-01T02:15", "2027-10-01T02:45", LORD_HOWE, FIVE),
    "twice": TWICE,
    "twice, first date": berlin("2027-10-31T02:30", "2027-10-31T03:30"),
    "twice, whole": berlin("2027-10-31T02:10", "2027-10-31T02:50"),
    "twice, end": berlin("2027-10-29T01:30", "2027-10-29T02:30"),
    "twice, across": berlin("2027-10-29T01:30", "2027-10-29T03:30"),
    "twice, excluded": without(TWICE, "2027-10-31"),
    "twice, moved into it": with_moved(TWICE, "2027-10-31", "2027-10-31T02:10", "2027-10-31T02:40"),
    "half an hour twice": meeting("2027-04-02T01:45", "2027-04-02T02:15", LORD_HOWE, FIVE),
    "single": berlin("2027-03-28T02:30", "2027-03-28T04:00", ""),
    "single, end": berlin("2027-03-28T01:30", "2027-03-28T02:30", ""),
    "single, twice": berlin("2027-10-31T02:30", "2027-10-31T03:30", ""),
}
SWITCHES: dict[str, dict[str, Any]] = {
    "usual": {},
    "other": {
        "national_cloud": True,
        "skipped_times_move": True,
        "series_change_drops_exceptions": False,
    },
}


@pytest.fixture(scope="module", params=SWITCHES)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    with a_scene(tmp_path_factory.mktemp("gaps"), **SWITCHES[request.param]) as scene:
        yield scene


@pytest.fixture
def room(scene: Scene) -> Stage:
    return scene.room()


@pytest.mark.parametrize("cases", [BEGINNING, WITHIN], ids=["beginning", "within"])
def test_booked_on_the_platform(room: Stage, cases: dict[str, Meeting]) -> None:
    """The times that were asked for, whatever Graph does with those that do not exist."""
    for name, one in cases.items():
        on_platform(room, one, title=name, freeBusyStatus="free")
    prove(room, *cases.values())


@pytest.mark.parametrize("cases", [BEGINNING, WITHIN], ids=["beginning", "within"])
def test_made_in_outlook(scene: Scene, room: Stage, cases: dict[str, Meeting]) -> None:
    if not scene.tenant.control("GET", "switches")["skipped_times_move"]:
        for name, one in cases.items():
            in_outlook(room, one, subject=name, showAs="free")
        prove(room, *cases.values())
        return
    # Exchange itself makes another time of it: that one shows.
    for name, one in cases.items():
        if name != REFUSED:
            in_outlook(room, one, subject=name, showAs="free")
    room.company.sync(room.place)
    assert len(room.calendar()) > len(cases)
    assert differences(room.calendar(), room.platform()) == []
    room.company.at_rest(room.place)


@pytest.mark.parametrize("name", ["start", "end", "every second week"])
@pytest.mark.parametrize("make", [in_outlook, on_platform])
def test_with_time_that_is_taken(scene: Scene, name: str, make: Any) -> None:
    room = scene.room(("America/New_York", "Eastern Standard Time"))
    make(room, BEGINNING[name])
    if not scene.tenant.control("GET", "switches")["skipped_times_move"]:
        prove(room, BEGINNING[name])
    else:
        room.company.sync(room.place)
        assert differences(room.calendar(), room.platform()) == []
        room.company.at_rest(room.place)


def test_no_series_is_sent_with_a_start_that_does_not_exist(room: Stage) -> None:
    """Its first date is an item of its own, in UTC; people see one booking."""
    on_platform(room, FIRST_IN_GAP)
    room.company.sync(room.place)
    items = [item["event"] for item in room.tenant.items(room.place.address)]
    assert sorted(item["type"] for item in items) == ["seriesMaster", "singleInstance"]
    assert room.booking()["start"] == "2027-03-28T02:30:00"
    assert room.booking()["recurrenceRule"]["count"] == 5


def test_such_a_booking_changed_on_both_sides(room: Stage) -> None:
    booking = on_platform(room, FIRST_IN_GAP)
    room.company.sync(room.place)
    (single,) = [
        item["event"]
        for item in room.tenant.items(room.place.address)
        if item["event"]["type"] == "singleInstance"
    ]
    room.outlook("set", single, start="2027-03-28T12:00", end="2027-03-28T13:00", zone="UTC")
    room.company.drop_date(booking, "2027-03-30T02:30:00")
    room.company.sync(room.place)
    changed = without(
        with_moved(FIRST_IN_GAP, "2027-03-28", "2027-03-28T14:00", "2027-03-28T15:00"), "2027-03-30"
    )
    prove(room, changed)
    room.company.change(booking, title="Renamed")
    assert {one.title for one in prove(room, changed)} == {"Renamed"}
    room.company.cancel(booking)
    room.company.sync(room.place)
    assert room.tenant.items(room.place.address) == []
    assert spans(room.platform()) == []
