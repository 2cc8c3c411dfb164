"""Room feeds over real HTTP: what a display reads, who may, and what it shows out of sync."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import icalendar
import pytest
import requests

from calsync.adapters.feeds.keys import FeedKeys
from calsync.api.app import create_app
from calsync.api.server import ApiServer
from tests.integration.api_kit import AS_OF, Client, Door, Served, open_door, served, world_feeds
from tests.unit.hub.hub_kit import ANY

# The clock of the hub stands at 2026-11-20 08:00 UTC, 09:00 in the rooms.
ADA = {"name": "Ada Byron", "email": "ada@contoso.example"}


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[Door, ApiServer]]:
    with open_door() as opened:
        yield opened


@pytest.fixture
def world(opened: tuple[Door, ApiServer], tmp_path: Path) -> Iterator[Served]:
    with served(opened, tmp_path) as world:
        yield world


@pytest.fixture
def keys(world: Served) -> FeedKeys:
    return world_feeds(world.hub)


@pytest.fixture
def nobody(world: Served) -> Client:
    """A display: it cannot sign in."""
    return world.client()


def calendar(answer: requests.Response) -> icalendar.Calendar:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    found = icalendar.Calendar.from_ical(answer.content)
    assert isinstance(found, icalendar.Calendar)
    return found


def events(answer: requests.Response) -> list[Any]:
    return calendar(answer).walk("VEVENT")


# --- what it says ----------------------------------------------------------------------------


def test_a_calendar_of_times_only(world: Served, keys: FeedKeys, nobody: Client) -> None:
    world.hub.book(start="2026-11-20T14:00:00", title="Board", bookedBy=ADA)
    _, path = keys.create("r1", "door")
    answer = nobody.get(f"{path}.ics")
    (event,) = events(answer)
    assert event["summary"] == "Busy"
    assert event.decoded("dtstart") == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert event.decoded("dtend") == datetime(2026, 11, 20, 14, tzinfo=UTC)
    assert event["status"] == "TENTATIVE"  # pending
    assert (event["sequence"], event["transp"], event["class"]) == (1, "OPAQUE", "PUBLIC")
    assert event["dtstamp"]
    whole = calendar(answer)
    assert whole["x-calsync-stale"] == "FALSE"
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT15M" in answer.text
    assert "X-PUBLISHED-TTL:PT15M" in answer.text
    assert "METHOD" not in whole
    assert "Board" not in answer.text
    assert "Ada" not in answer.text


def test_a_series_is_shown_date_by_date_and_changed_dates_as_they_are(
    world: Served, keys: FeedKeys, nobody: Client
) -> None:
    world.hub.book(
        start="2026-11-20T14:00:00",
        rrule="FREQ=DAILY;COUNT=30",
        recurrenceOverrides={
            "2026-11-21T14:00:00": {"start": "2026-11-21T16:00:00"},
            "2026-11-22T14:00:00": {"excluded": True},
        },
    )
    _, path = keys.create("r1", "")
    found = events(nobody.get(f"{path}.ics"))
    # Today and the next 14 days, without the one that is out.
    assert len(found) == 14
    assert len({e["uid"] for e in found}) == 14
    starts = [e.decoded("dtstart") for e in found]
    assert datetime(2026, 11, 21, 15, tzinfo=UTC) in starts
    assert datetime(2026, 11, 21, 13, tzinfo=UTC) not in starts
    assert max(starts) < datetime(2026, 12, 5, tzinfo=UTC)


def test_days_stay_days(world: Served, keys: FeedKeys, nobody: Client) -> None:
    world.hub.book(start="2026-11-23T00:00:00", duration="P2D", showWithoutTime=True)
    _, path = keys.create("r1", "")
    (event,) = events(nobody.get(f"{path}.ics"))
    assert event.decoded("dtstart") == date(2026, 11, 23)
    assert event.decoded("dtend") == date(2026, 11, 25)
    assert "DTSTART;VALUE=DATE:20261123" in nobody.get(f"{path}.ics").text


def test_free_busy_is_the_union_of_what_takes_time(
    world: Served, keys: FeedKeys, nobody: Client
) -> None:
    world.hub.book(start="2026-11-20T14:00:00")
    world.hub.book(start="2026-11-20T15:00:00")
    world.hub.book(start="2026-11-20T18:00:00", freeBusyStatus="free")
    _, path = keys.create("r1", "")
    text = nobody.get(f"{path}.ifb").text.replace("\r\n ", "")
    assert "FREEBUSY;FBTYPE=BUSY;VALUE=PERIOD:20261120T130000Z/20261120T150000Z" in text
    assert text.count("FREEBUSY;") == 1
    (part,) = calendar(nobody.get(f"{path}.ifb")).walk("VFREEBUSY")
    assert part.decoded("dtstart") == datetime(2026, 11, 18, 23, tzinfo=UTC)
    assert part.decoded("dtend") == datetime(2026, 12, 4, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("booked", "state", "until"),
    [
        ([], "free", None),
        (["10:00"], "free", "2026-11-20T09:00:00Z"),
        (["09:10"], "soon", "2026-11-20T08:10:00Z"),
        (["08:30"], "busy", "2026-11-20T08:30:00Z"),
        (["08:30", "09:30"], "busy", "2026-11-20T09:30:00Z"),
        (["07:00"], "free", None),
    ],
)
def test_the_state_of_a_door(
    world: Served,
    keys: FeedKeys,
    nobody: Client,
    booked: list[str],
    state: str,
    until: str | None,
) -> None:
    for at in booked:
        world.hub.book(start=f"2026-11-20T{at}:00")
    _, path = keys.create("r1", "")
    doc = nobody.get(f"{path}.json").json()
    assert (doc["state"], doc["until"], doc["stale"]) == (state, until, False)
    assert doc["room"] == {"id": "r1", "name": "Room 1"}
    assert doc["updatedAt"] == "2026-11-20T07:59:00Z"
    assert (doc["now"] is not None) == (state == "busy")


def test_details_are_shown_only_by_feeds_that_may_and_never_of_private_bookings(
    world: Served, keys: FeedKeys, nobody: Client
) -> None:
    world.hub.book(start="2026-11-20T08:30:00", title="Board", bookedBy=ADA)
    world.hub.book(start="2026-11-20T10:00:00", privacy="private", bookedBy=ADA)
    plain, open_ = (keys.create("r1", "", details=d)[1] for d in (False, True))
    assert "Board" not in nobody.get(f"{plain}.json").text
    doc = nobody.get(f"{open_}.json").json()
    assert (doc["now"]["title"], doc["now"]["bookedBy"]) == ("Board", "Ada Byron")
    assert "ada@" not in nobody.get(f"{open_}.json").text
    assert doc["next"].keys().isdisjoint({"title", "bookedBy"})
    assert doc["next"]["privacy"] == "private"
    titles = [e["summary"] for e in events(nobody.get(f"{open_}.ics"))]
    assert titles == ["Board", "Busy"]


# --- out of sync -----------------------------------------------------------------------------


def test_out_of_sync_no_form_shows_the_room_as_free(keys: FeedKeys, nobody: Client) -> None:
    """r2 is stale in this world, and has no bookings at all."""
    _, path = keys.create("r2", "")
    doc = nobody.get(f"{path}.json").json()
    assert (doc["state"], doc["stale"], doc["until"]) == ("unknown", True, None)
    now = datetime(2026, 11, 20, 8, 0, 30, tzinfo=UTC)
    answer = nobody.get(f"{path}.ics")
    (event,) = events(answer)
    assert event.decoded("dtstart") <= AS_OF
    assert event.decoded("dtend") > now + timedelta(minutes=30)
    assert event["transp"] == "OPAQUE"
    assert calendar(answer)["x-calsync-stale"] == "TRUE"
    free_busy = nobody.get(f"{path}.ifb").text.replace("\r\n ", "")
    period = "20261120T070000Z/20261120T100000Z"
    assert f"FBTYPE=BUSY-UNAVAILABLE;VALUE=PERIOD:{period}" in free_busy


def test_out_of_sync_a_room_that_is_busy_stays_busy(
    world: Served, keys: FeedKeys, nobody: Client
) -> None:
    world.hub.book("r2", start="2026-11-20T08:30:00")
    _, path = keys.create("r2", "")
    assert nobody.get(f"{path}.json").json()["state"] == "busy"


# --- HTTP ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".ics", ".ifb", ".json"])
def test_what_did_not_change_is_not_sent_again(
    world: Served, keys: FeedKeys, nobody: Client, ending: str
) -> None:
    booking = world.hub.book(start="2026-11-20T14:00:00")
    _, path = keys.create("r1", "")
    first = nobody.get(path + ending)
    tag = first.headers["ETag"]
    assert not tag.startswith("W/")
    again = nobody.get(path + ending, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    for answer in (first, again):
        assert answer.headers["Cache-Control"].startswith("private")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["ETag"] == tag
    world.hub.service.patch(booking.id, {"duration": "PT2H"}, ANY)
    changed = nobody.get(path + ending, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag
    assert nobody.call("HEAD", path + ending).headers["ETag"] == changed.headers["ETag"]


def test_a_revoked_feed_is_gone_at_once_and_others_stay(keys: FeedKeys, nobody: Client) -> None:
    one, two = keys.create("r1", "one"), keys.create("r1", "two")
    keys.revoke(one[0].id)
    assert nobody.get(f"{one[1]}.json").status_code == 404
    assert nobody.get(f"{two[1]}.json").status_code == 200
    assert [f.revoked is None for f in keys.list()] == [False, True]


def test_an_app_without_feeds_has_none(world: Served, opened: tuple[Door, ApiServer]) -> None:
    door, _ = opened
    door.app = create_app(
        world.hub.service,
        now=world.hub.clock,
        sync_status=lambda _: (None, False),
        trigger=lambda _: None,
        version="0",
    )
    assert world.client().get("/feeds/r1/x-y.json").status_code == 404
