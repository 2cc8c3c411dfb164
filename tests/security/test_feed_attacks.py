"""Secret addresses of room feeds: guessed, moved, leaked; and titles that mean harm."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import icalendar
import pytest

from calsync.adapters.feeds import render
from calsync.adapters.feeds.keys import FeedKeys
from calsync.api.server import ApiServer
from calsync.cli.redact import without_secrets
from calsync.mapping.booking_values import StoredRoom
from calsync.model import Room
from tests.integration.api_kit import Door, Served, open_door, served, world_feeds


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


def test_only_the_whole_address_of_this_room_opens(world: Served, keys: FeedKeys) -> None:
    feed, path = keys.create("r1", "")
    key = path.rpartition("/")[2]
    secret = key.partition("-")[2]
    wrong = [
        f"/feeds/r2/{key}",
        f"/feeds/R1/{key}",
        f"/feeds/r1/{feed.id}-{secret[:-1]}",
        f"/feeds/r1/{feed.id}-{secret}x",
        f"/feeds/r1/{feed.id}-{secret.swapcase()}",
        f"/feeds/r1/{feed.id}-",
        f"/feeds/r1/{feed.id}",
        f"/feeds/r1/-{secret}",
        f"/feeds/r1/{'0' * 8}-{secret}",
        f"/feeds/r1/{feed.secret_hash}",
        f"/feeds/r1/{feed.id}-{feed.secret_hash}",
        f"/feeds/r1/{feed.id}-%00",
        f"/feeds/r1/%F0%9F%94%91-{secret}",
        f"/feeds/r1/{'a' * 5000}-{secret}",
        f"/feeds/..%2fr1/{key}",
    ]
    nobody = world.client()
    said = set()
    for address in wrong:
        answer = nobody.get(f"{address}.json")
        assert answer.status_code == 404, address
        said.add(answer.text)
    # One answer for all: it does not tell an id that exists from one that does not.
    assert len(said) <= 2
    assert nobody.get(f"{path}.json").status_code == 200


def test_a_feed_opens_nothing_but_its_room(world: Served, keys: FeedKeys) -> None:
    _, path = keys.create("r1", "")
    client = world.client()
    client.session.headers["Authorization"] = f"Bearer {path.rpartition('/')[2]}"
    for address in ("/v1/rooms", "/v1/changes", "/v1/bookings/b0001"):
        assert client.get(address).status_code == 401


def test_the_secret_is_in_no_answer_log_or_database(
    world: Served, keys: FeedKeys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="calsync")
    feed, path = keys.create("r1", "")
    secret = path.partition("-")[2]
    nobody = world.client()
    answers = [
        nobody.get(f"{path}.json"),
        nobody.get(f"{path}.nonsense"),
        nobody.get(f"{path}x.ics"),
        nobody.post(f"{path}.ics"),
        nobody.get(f"{path}.ics"),
    ]
    for answer in answers:
        assert secret not in answer.text + repr(answer.headers)
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("calsync")]
    assert any(feed.id in line for line in ours)
    assert not any(secret in line for line in ours)
    files = b"".join(f.read_bytes() for f in tmp_path.glob("hub.db*"))
    assert secret.encode() not in files
    # And where another library logs an address, only the id is left of it.
    line = without_secrets(f"GET http://x{path}.ics failed")
    assert line == f"GET http://x/feeds/r1/{feed.id}-[redacted].ics failed"


HOSTILE = [
    "x\r\nEND:VEVENT\r\nBEGIN:VEVENT",
    "x\nATTACH:https://evil.example/",
    "x\rMETHOD:CANCEL",
    "x\\nBEGIN:VALARM",
    "a;b,c\\d:e",
    "\u2028X-EVIL:1\u2029\x85X-EVIL:2",
    '"quoted"; X=1',
    '=HYPERLINK("https://evil.example")',
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "x" * 5000,
]


@pytest.mark.parametrize("title", HOSTILE)
def test_a_title_stays_one_value(world: Served, keys: FeedKeys, title: str) -> None:
    world.hub.book(
        start="2026-11-20T14:00:00",
        title=title,
        bookedBy={"name": title[:4000], "email": "a@b.example"},
    )
    _, path = keys.create("r1", "", details=True)
    answer = world.client().get(f"{path}.ics")
    parsed = icalendar.Calendar.from_ical(answer.content)
    (event,) = parsed.walk("VEVENT")
    assert parsed.walk("VALARM") == []
    assert {"ATTACH", "METHOD", "X-EVIL", "X"}.isdisjoint({*event, *parsed})
    shown = str(event["summary"])
    stored = world.hub.get("b0001").content.title
    assert shown == stored
    assert not any(sign in shown for sign in "\r\n\u2028\u2029\u202e\x85")
    assert all(len(line.encode()) <= 75 for line in answer.content.decode().split("\r\n"))
    assert world.client().get(f"{path}.json").json()["next"]["title"] == stored


@pytest.mark.parametrize("name", HOSTILE)
def test_so_does_the_name_of_a_room(name: str) -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 11, 20, 8, tzinfo=UTC)
    picture = render.Picture(
        room=StoredRoom(room=Room(id="r1", name=name, zone="Europe/Berlin")).room,
        found=[],
        span=render.window(now, "Europe/Berlin"),
        now=now,
        as_of=None,
        stale=False,
        details=True,
    )
    for form in (render.as_calendar, render.as_free_busy):
        parsed = icalendar.Calendar.from_ical(form(picture))
        assert parsed.walk("VEVENT") == []
        assert {"ATTACH", "METHOD", "X-EVIL"}.isdisjoint(parsed)
