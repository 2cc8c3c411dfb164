"""A whole series moved or given another pattern, on either side, under exceptions or without.

What becomes of the exceptions when Outlook changes a series, Exchange decides (switch
``series_change_drops_exceptions``); what the platform says about them is what holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.scenarios.series_kit import Scene, Stage, a_scene
from tests.scenarios.time_kit import (
    Meeting,
    document,
    in_outlook,
    label,
    meeting,
    on_platform,
    pattern,
    prove,
    with_moved,
    without,
)
from tests.support.company import differences

SWITCHES: dict[str, dict[str, Any]] = {
    "usual": {},
    "other": {
        "national_cloud": True,
        "masters_in_delta": False,
        "series_change_drops_exceptions": False,
        "if_match_patch": False,
    },
}
BERLIN = "Europe/Berlin"
PLAIN = meeting("2027-03-22T10:00", "2027-03-22T11:00", BERLIN, "FREQ=DAILY;COUNT=12")
CHANGED = with_moved(
    without(PLAIN, "2027-03-24", "2027-04-02"),
    "2027-03-29",
    "2027-03-29T15:00",
    "2027-03-29T15:30",
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


#: What the whole of it becomes (exceptions are given up).
MOVES = {
    "by an hour": replace(PLAIN, start=at("2027-03-22T11:00"), end=at("2027-03-22T12:00")),
    "a day on": replace(PLAIN, start=at("2027-03-23T10:00"), end=at("2027-03-23T11:00")),
    "over the change of the clocks": replace(
        PLAIN, start=at("2027-03-28T02:30"), end=at("2027-03-28T04:00")
    ),
    "to another zone": replace(PLAIN, zone="America/New_York"),
    "to another zone, same instants at first": replace(
        PLAIN, zone="Asia/Tokyo", start=at("2027-03-22T18:00"), end=at("2027-03-22T19:00")
    ),
    "longer, past midnight": replace(
        PLAIN, start=at("2027-03-22T22:00"), end=at("2027-03-23T02:00")
    ),
    "weekly": replace(PLAIN, rule="FREQ=WEEKLY;BYDAY=MO,WE;COUNT=8"),
    "weeks that begin on Sunday": replace(
        PLAIN,
        start=at("2027-03-21T10:00"),
        end=at("2027-03-21T11:00"),
        rule="FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU;COUNT=8",
    ),
    "monthly": replace(
        PLAIN,
        start=at("2027-03-31T10:00"),
        end=at("2027-03-31T11:00"),
        rule="FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1;COUNT=8",
    ),
    "endless": replace(PLAIN, rule="FREQ=WEEKLY;BYDAY=MO"),
    "ended by a date": replace(PLAIN, rule="FREQ=DAILY;INTERVAL=2;UNTIL=20270410T235959"),
    "all day": replace(
        PLAIN, start=at("2027-03-22T00:00"), end=at("2027-03-23T00:00"), all_day=True
    ),
    "into a month before": replace(PLAIN, start=at("2027-02-22T10:00"), end=at("2027-02-22T11:00")),
}


@pytest.fixture(scope="module", params=SWITCHES)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    with a_scene(tmp_path_factory.mktemp("moves"), **SWITCHES[request.param]) as scene:
        yield scene


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with a_scene(tmp_path_factory.mktemp("usual")) as scene:
        yield scene


@pytest.fixture
def room(usual: Scene) -> Stage:
    return usual.room()


def change_on_platform(room: Stage, booking: Any, one: Meeting) -> Any:
    """The whole booking as it shall be. A merge patch: what is to go is said as null."""
    doc: dict[str, Any] = {"recurrenceRule": None, "timeZone": None, "showWithoutTime": None}
    doc |= document(one)
    asked = doc.pop("recurrenceOverrides", {})
    held = booking.get("recurrenceOverrides", {})
    doc["recurrenceOverrides"] = {**dict.fromkeys(held), **asked} or None
    return room.company.change(booking, **doc)


def change_in_outlook(room: Stage, made: Any, one: Meeting) -> None:
    room.outlook(
        "set",
        made,
        start=one.start.isoformat(),
        end=one.end.isoformat(),
        zone=label(one.zone),
        allDay=one.all_day,
        recurrence=pattern(one),
    )


@pytest.mark.parametrize("name", MOVES)
def test_moved_on_the_platform(room: Stage, name: str) -> None:
    booking = on_platform(room, CHANGED)
    prove(room, CHANGED)
    change_on_platform(room, booking, MOVES[name])
    prove(room, MOVES[name])


@pytest.mark.parametrize("name", MOVES)
def test_moved_in_outlook(room: Stage, name: str) -> None:
    made = in_outlook(room, PLAIN)
    prove(room, PLAIN)
    change_in_outlook(room, made, MOVES[name])
    prove(room, MOVES[name])


@pytest.mark.parametrize("name", MOVES)
def test_moved_in_outlook_under_exceptions(scene: Scene, name: str) -> None:
    """Whatever Exchange makes of the exceptions, both sides show the same."""
    room = scene.room()
    on_platform(room, CHANGED)
    prove(room, CHANGED)
    change_in_outlook(room, room.item()["event"], MOVES[name])
    room.company.sync(room.place)
    assert len(room.calendar()) >= 7
    assert differences(room.calendar(), room.platform()) == []
    room.company.at_rest(room.place)


def test_moved_on_both_sides_one_after_the_other(scene: Scene) -> None:
    """There and back through zones and patterns, never more than one item for one booking."""
    room = scene.room()
    booking = on_platform(room, CHANGED)
    prove(room, CHANGED)
    for step, name in enumerate(["by an hour", "weekly", "to another zone", "a day on", "all day"]):
        if step % 2:
            change_in_outlook(room, room.item()["event"], MOVES[name])
        else:
            booking = change_on_platform(room, room.booking(), MOVES[name])
        prove(room, MOVES[name])
        assert len(room.tenant.items(room.place.address)) == 1
    change_on_platform(room, booking, CHANGED)
    prove(room, CHANGED)


@pytest.mark.parametrize("make", [in_outlook, on_platform])
def test_dates_moved_past_one_another(room: Stage, make: Any) -> None:
    """Outlook lets none pass its neighbour; the platform may, and gets an item of its own."""
    make(room, PLAIN)
    prove(room, PLAIN)
    one = PLAIN
    for slot, to in [
        ("2027-03-23", "2027-03-25T15:00"),
        ("2027-03-30", "2027-03-28T02:15"),
        ("2027-03-31", "2027-03-30T23:30"),
        ("2027-03-25", "2027-04-20T09:00"),
    ]:
        room.company.change_date(room.booking(), f"{slot}T10:00:00", start=f"{to}:00")
        one = with_moved(one, slot, to, (at(to) + timedelta(hours=1)).isoformat())
        prove(room, one)
    for slot in ("2027-03-23", "2027-03-30"):
        room.company.drop_date(room.booking(), f"{slot}T10:00:00")
        one = without(one, slot)
        prove(room, one)


@pytest.mark.parametrize("make", [in_outlook, on_platform])
def test_numbered_series_with_exclusions_at_its_ends(room: Stage, make: Any) -> None:
    """The number counts the excluded ones, also after a change."""
    one = without(PLAIN, "2027-03-22", "2027-03-23", "2027-03-28", "2027-04-02")
    make(room, one)
    prove(room, one)
    booking = room.booking()
    room.company.change(booking, title="Renamed")
    prove(room, one)
    room.company.drop_date(room.booking(), "2027-04-01T10:00:00")
    room.outlook("remove", room.item()["event"], date="2027-03-24")
    prove(room, without(one, "2027-04-01", "2027-03-24"))
    assert room.booking()["recurrenceRule"]["count"] == 12


@pytest.mark.parametrize("clock", ["01:30", "23:30"])
def test_ended_in_utc_and_by_date(room: Stage, clock: str) -> None:
    """UNTIL in UTC is an instant: the last date it lets in is one of the zone of the series."""
    start = at(f"2026-12-01T{clock}")
    ones = []
    for hour, (zone, until) in enumerate(
        [
            ("Asia/Tokyo", "20261209T163000Z"),  # 01:30 of the tenth there
            ("America/Los_Angeles", "20261211T072959Z"),  # a second before 23:30 of the tenth
            ("America/Los_Angeles", "20261211T073000Z"),
            ("Europe/Berlin", "20261210"),
        ]
    ):
        length = timedelta(minutes=10 + hour)
        rule = f"FREQ=DAILY;UNTIL={until}"
        room.book(
            start=start.isoformat(),
            duration=f"PT{10 + hour}M",
            timeZone=zone,
            rrule=rule,
            freeBusyStatus="free",
        )
        numbers = {
            ("01:30", 0): 10, ("23:30", 0): 9, ("01:30", 1): 10, ("23:30", 1): 9,
            ("01:30", 2): 10, ("23:30", 2): 10, ("01:30", 3): 10, ("23:30", 3): 10,
        }  # fmt: skip
        number = numbers[clock, hour]
        ones.append(
            Meeting(start=start, end=start + length, zone=zone, rule=f"FREQ=DAILY;COUNT={number}")
        )
    prove(room, *ones)
