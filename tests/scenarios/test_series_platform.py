"""Series booked on the platform, as Outlook shows them, and what people in Outlook do to them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from tests.scenarios.series_kit import Scene, Stage, a_scene, daily, starts, weekly
from tests.support.company import differences

SWITCHES: dict[str, dict[str, Any]] = {
    "usual": {},
    "other": {
        "national_cloud": True,
        "masters_in_delta": False,
        "removed_occurrences_of_series": False,
        "series_change_drops_exceptions": False,
        "if_match_patch": False,
        "all_day_floats": False,
    },
}
DAILY = {"start": "2026-12-01T10:00:00", "duration": "PT1H", "rrule": "FREQ=DAILY;COUNT=6"}


@pytest.fixture(scope="module", params=SWITCHES)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    with a_scene(tmp_path_factory.mktemp("platform"), **SWITCHES[request.param]) as scene:
        yield scene


@pytest.fixture
def room(scene: Scene) -> Stage:
    return scene.room()


# --- booked on the platform --------------------------------------------------------------------


def test_all_dates_at_once_with_exclusions_and_overrides(room: Stage) -> None:
    room.book(
        **DAILY,
        recurrenceOverrides={
            "2026-12-02T10:00:00": {"excluded": True},
            "2026-12-04T10:00:00": {"start": "2026-12-04T15:00:00", "duration": "PT30M"},
            "2026-12-05T10:00:00": {"title": "Other", "freeBusyStatus": "free"},
        },
    )
    shown = room.settle(5)
    assert shown[0].start == "2026-12-01T09:00:00Z"
    item = room.item()
    assert item["recurrence"]["range"]["numberOfOccurrences"] == 6
    assert item["cancelled"] == ["2026-12-02"]
    assert len(item["exceptions"]) == 2


def test_an_endless_series_stays_endless(room: Stage) -> None:
    room.book(start="2026-12-01T10:00:00", duration="PT1H", rrule="FREQ=WEEKLY;BYDAY=TU")
    room.settle(109)
    assert room.item()["recurrence"]["range"]["type"] == "noEnd"
    far = (date(2060, 1, 1), date(2061, 1, 1))
    assert len(room.calendar(*far)) == 52
    assert differences(room.calendar(*far), room.platform(*far)) == []


def test_single_dates_changed_dropped_and_brought_back(room: Stage) -> None:
    booking = room.book(**DAILY)
    room.settle(6)
    room.company.change_date(booking, "2026-12-02T10:00:00", start="2026-12-02T08:00:00")
    room.company.drop_date(booking, "2026-12-04T10:00:00")
    assert "2026-12-02T07:00:00Z" in starts(room.settle(5))
    # A removed occurrence does not come back in Graph: the series is made anew, and stays one.
    room.company.change(booking, recurrenceOverrides={"2026-12-04T10:00:00": None})
    assert "2026-12-04T09:00:00Z" in starts(room.settle(6))
    assert len(room.tenant.items(room.place.address)) == 1
    room.company.change(booking, recurrenceOverrides=None)
    assert {one[11:] for one in starts(room.settle(6))} == {"09:00:00Z"}


def test_a_series_moved_under_its_exceptions(room: Stage) -> None:
    booking = room.book(
        **DAILY,
        recurrenceOverrides={
            "2026-12-02T10:00:00": {"excluded": True},
            "2026-12-04T10:00:00": {"start": "2026-12-04T15:00:00"},
        },
    )
    room.settle(5)
    room.company.change(
        booking,
        start="2026-12-01T12:00:00",
        recurrenceOverrides={
            "2026-12-02T10:00:00": None,
            "2026-12-04T10:00:00": None,
            "2026-12-02T12:00:00": {"excluded": True},
            "2026-12-04T12:00:00": {"start": "2026-12-04T15:00:00"},
        },
    )
    shown = room.settle(5)
    assert starts(shown)[0] == "2026-12-01T11:00:00Z"
    assert "2026-12-04T14:00:00Z" in starts(shown)
    assert len(room.tenant.items(room.place.address)) == 1


def test_a_series_made_longer_shorter_and_endless(room: Stage) -> None:
    booking = room.book(**DAILY)
    room.settle(6)
    for rule, instances in (
        ("FREQ=DAILY;COUNT=9", 9),
        ("FREQ=DAILY;COUNT=3", 3),
        ("FREQ=DAILY;INTERVAL=2;UNTIL=20261211T090000Z", 6),
        ("FREQ=DAILY", 762),
    ):
        room.company.change(booking, rrule=rule, recurrenceRule=None)
        room.settle(instances)


def test_a_single_becomes_a_series_and_back(room: Stage) -> None:
    booking = room.book(start="2026-12-01T10:00:00", duration="PT1H")
    room.settle(1)
    room.company.change(booking, rrule="FREQ=DAILY;COUNT=4")
    room.settle(4)
    room.company.change(booking, recurrenceRule=None)
    room.settle(1)
    assert room.item()["event"]["type"] == "singleInstance"


def test_a_cancelled_series_leaves_no_date(room: Stage) -> None:
    booking = room.book(**DAILY)
    room.settle(6)
    room.company.cancel(booking)
    room.settle(0)
    assert room.tenant.items(room.place.address) == []


@pytest.mark.parametrize(
    ("doc", "instances"),
    [
        ({"start": "2027-03-26T02:30:00", "duration": "PT1H"}, 5),
        ({"start": "2027-03-26T01:30:00", "duration": "PT1H"}, 5),
        ({"start": "2027-10-29T02:30:00", "duration": "PT1H"}, 5),
        ({"start": "2027-03-26T10:00:00", "duration": "PT1H", "timeZone": "Asia/Kolkata"}, 5),
        ({"start": "2027-03-12T23:30:00", "duration": "PT1H", "timeZone": "America/New_York"}, 5),
        ({"start": "2027-03-26T22:00:00", "duration": "PT2H"}, 5),
        ({"start": "2027-03-26T23:00:00", "duration": "PT3H"}, 5),
        ({"start": "2027-03-26T00:00:00", "duration": "P1D"}, 5),
        ({"start": "2027-03-26T00:00:00", "duration": "P1D", "showWithoutTime": True}, 5),
    ],
    ids=lambda value: "-".join(str(v) for v in value.values()) if isinstance(value, dict) else None,
)
def test_walls_over_the_change_of_the_clocks(
    room: Stage, doc: dict[str, Any], instances: int
) -> None:
    booking = room.book(**doc, rrule="FREQ=DAILY;COUNT=5")
    room.settle(instances)
    slots = [row["recurrenceId"] for row in _occurrences(room)]
    room.company.drop_date(booking, slots[2])
    room.settle(instances - 1)


def _occurrences(room: Stage) -> list[Any]:
    span = "start=2027-01-01T00:00:00Z&end=2027-12-31T00:00:00Z"
    found: list[Any] = room.company.ok("GET", f"/rooms/{room.place.id}/occupancy?{span}")["items"]
    return found


@pytest.mark.parametrize("zone", ["Europe/Vienna", "Asia/Calcutta", "US/Eastern", "Etc/UTC"])
def test_zones_that_graph_knows_by_another_name(room: Stage, zone: str) -> None:
    room.book(
        start="2027-03-08T10:00:00", duration="PT1H", timeZone=zone, rrule="FREQ=DAILY;COUNT=25"
    )
    room.settle(25)


# --- changed by people in Outlook --------------------------------------------------------------


def test_dates_changed_in_outlook_show_on_the_platform(room: Stage) -> None:
    room.book(**DAILY)
    room.settle(6)
    made = room.item()["event"]
    room.outlook("move_occurrence", made, date="2026-12-02", start="2026-12-02T08:00")
    room.outlook("remove", made, date="2026-12-04")
    assert "2026-12-02T07:00:00Z" in starts(room.settle(5))
    overrides = room.booking()["recurrenceOverrides"]
    assert overrides["2026-12-04T10:00:00"] == {"excluded": True}
    assert room.booking()["origin"] == "booking"


def test_a_series_changed_in_outlook_shows_on_the_platform(room: Stage) -> None:
    room.book(**DAILY)
    room.settle(6)
    made = room.item()["event"]
    recurrence = weekly("2026-12-02", "wednesday", number=4)
    times = {"start": "2026-12-02T13:00", "end": "2026-12-02T14:30"}
    room.outlook("set", made, **times, zone="W. Europe Standard Time", recurrence=recurrence)
    assert starts(room.settle(4))[0] == "2026-12-02T12:00:00Z"
    room.outlook("remove", made)
    room.settle(0)
    assert room.company.bookings(room.place) == []


def test_both_sides_change_other_dates_at_once(room: Stage) -> None:
    booking = room.book(**DAILY)
    room.settle(6)
    made = room.item()["event"]
    room.outlook("move_occurrence", made, date="2026-12-02", start="2026-12-02T08:00")
    room.company.change_date(booking, "2026-12-04T10:00:00", start="2026-12-04T15:00:00")
    room.company.drop_date(booking, "2026-12-05T10:00:00")
    room.outlook("remove", made, date="2026-12-06")
    shown = starts(room.settle(4))
    assert "2026-12-02T07:00:00Z" in shown
    assert "2026-12-04T14:00:00Z" in shown


def test_a_series_of_the_room_changed_on_the_platform(room: Stage) -> None:
    """Born in Outlook in the room's own calendar: the platform may change it."""
    room.put("2026-12-01T10:00", "2026-12-01T11:00", daily("2026-12-01", 6))
    room.settle(6)
    booking = room.booking()
    assert booking["editable"] is True
    room.company.change_date(booking, "2026-12-02T10:00:00", start="2026-12-02T08:00:00")
    room.company.drop_date(booking, "2026-12-04T10:00:00")
    room.settle(5)
    room.company.change(booking, title="Renamed")
    assert {one.title for one in room.settle(5)} == {"Renamed"}


def test_a_date_of_an_invited_series_cannot_be_changed_here(room: Stage) -> None:
    room.invite("2026-12-01T10:00", "2026-12-01T11:00", daily("2026-12-01", 6))
    room.settle(6)
    booking = room.booking()
    path = f"/bookings/{booking['id']}/occurrences/2026-12-02T10:00:00"
    answer = room.company.call("PATCH", path, {"title": "x"}, **{"If-Match": "*"})
    assert (answer.status_code, answer.json()["code"]) == (422, "outlook-born")
    room.settle(6)


# --- what Graph cannot say as one series -------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "start", "items", "instances"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=1,15;COUNT=10", "2026-12-01", 2, 10),
        ("FREQ=MONTHLY;BYDAY=1TU,3TH;COUNT=8", "2026-12-01", 2, 8),
        ("FREQ=DAILY;BYMONTH=12;BYDAY=TU,TH;COUNT=9", "2026-12-01", 9, 9),
    ],
)
def test_several_items_are_one_booking(
    room: Stage, rule: str, start: str, items: int, instances: int
) -> None:
    booking = room.book(start=f"{start}T10:00:00", duration="PT1H", rrule=rule)
    shown = room.settle(instances)
    assert len(room.tenant.items(room.place.address)) == items
    slots = [f"{one.start[:10]}T10:00:00" for one in shown]
    room.company.drop_date(booking, slots[1])
    room.settle(instances - 1)
    room.company.change_date(booking, slots[2], start=f"{slots[2][:10]}T12:00:00")
    assert f"{slots[2][:10]}T11:00:00Z" in starts(room.settle(instances - 1))


def test_a_date_of_one_item_removed_in_outlook(room: Stage) -> None:
    room.book(
        start="2026-12-01T10:00:00", duration="PT1H", rrule="FREQ=MONTHLY;BYMONTHDAY=1,15;COUNT=10"
    )
    room.settle(10)
    (first,) = [
        one["event"]
        for one in room.tenant.items(room.place.address)
        if one["event"]["start"]["dateTime"].startswith("2026-12-15")
    ]
    room.outlook("remove", first, date="2027-01-15")
    room.outlook("move_occurrence", first, date="2027-02-15", start="2027-02-16T10:00")
    shown = starts(room.settle(9))
    assert "2027-02-16T09:00:00Z" in shown
    room.outlook("remove", first)
    assert len(room.settle(5)) == 5


def test_a_date_moved_past_its_neighbour(room: Stage) -> None:
    """ErrorOccurrenceCrossingBoundary: that date becomes an item of its own."""
    booking = room.book(**DAILY)
    room.settle(6)
    room.company.change_date(booking, "2026-12-02T10:00:00", start="2026-12-05T15:00:00")
    assert "2026-12-05T14:00:00Z" in starts(room.settle(6))
    assert len(room.tenant.items(room.place.address)) == 2
    room.company.change_date(booking, "2026-12-02T10:00:00", start="2026-12-02T10:00:00")
    assert "2026-12-02T09:00:00Z" in starts(room.settle(6))
    room.company.cancel(booking)
    room.settle(0)


def test_a_date_changed_twice_where_it_stands_far_from_its_slot(room: Stage) -> None:
    """A cloud that does not tell the exceptions lists them where they stand now."""
    booking = room.book(
        start="2026-12-01T10:00:00", duration="PT1H", rrule="FREQ=WEEKLY;BYDAY=TU;COUNT=4"
    )
    room.settle(4)
    slot = "2026-12-08T10:00:00"
    room.company.change_date(booking, slot, start="2026-12-13T16:00:00")
    room.settle(4)
    room.company.change_date(booking, slot, title="Other", freeBusyStatus="free")
    assert {one.title for one in room.settle(4)} == {"Plan", "Other"}
    room.company.change_date(booking, slot, start=slot)
    assert "2026-12-08T09:00:00Z" in starts(room.settle(4))
    room.company.change_date(booking, slot, start="2026-12-13T16:00:00")
    room.settle(4)
    room.company.drop_date(booking, slot)
    room.settle(3)
