"""Server-sent events over real HTTP: order, resuming, signs of life, and an end."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import requests

from calsync.api import server as server_module
from calsync.api import stream
from calsync.api.server import ApiServer
from tests.integration.api_kit import Client, Door, Served, open_door, served
from tests.unit.hub.hub_kit import ANY


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[Door, ApiServer]]:
    with open_door() as opened:
        yield opened


@pytest.fixture
def world(opened: tuple[Door, ApiServer], tmp_path: Path) -> Iterator[Served]:
    with served(opened, tmp_path) as world:
        yield world


class Listener:
    """Reads a stream as the standard has it."""

    def __init__(self, answer: requests.Response) -> None:
        self.answer = answer
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        self.lines = answer.iter_lines(chunk_size=1)
        self.comments: list[str] = []
        self.retry = 0

    def next(self) -> tuple[str, dict[str, Any]]:
        """The id and the message of the next event."""
        event: dict[str, str] = {}
        for raw in self.lines:
            line = raw.decode()
            if line.startswith(":"):
                self.comments.append(line)
            elif line.startswith("retry: "):
                self.retry = int(line[7:])
            elif line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif event:
                doc = json.loads(event["data"])
                assert doc["type"] == event["event"]
                return event.get("id", ""), doc
        raise EOFError

    def ended(self) -> bool:
        try:
            self.next()
        except (EOFError, requests.RequestException):
            return True
        return False


@contextmanager
def listening(client: Client, path: str = "/v1/events", **headers: str) -> Iterator[Listener]:
    with requests.Session() as session:
        session.trust_env = False
        auth = {"Authorization": str(client.session.headers["Authorization"])}
        url = client.url + path
        with session.get(url, stream=True, timeout=20, headers={**auth, **headers}) as answer:
            yield Listener(answer)


def test_what_happens_is_told_as_it_happens(world: Served) -> None:
    world.hub.book(start="2026-12-01T07:00:00")  # before the stream
    with listening(world.all) as stream_:
        booking = world.hub.book(title="Board", externalId="x-1")
        _, first = stream_.next()
        world.hub.service.cancel(booking.id, ANY)
        _, second = stream_.next()
    assert stream_.retry == 3000
    assert first["type"] == "booking.pending"
    assert first["data"]["bookingId"] == booking.id
    assert first["data"]["booking"]["title"] == "Board"
    assert (second["type"], second["data"]["kind"]) == ("booking.cancelled", "tombstone")
    assert "booking" not in second["data"]


def test_who_comes_back_with_the_last_id_misses_nothing(world: Served) -> None:
    with listening(world.all) as stream_:
        world.hub.book(start="2026-12-01T07:00:00")
        last, _ = stream_.next()
    missed = [world.hub.book(start=f"2026-12-01T{hour:02}:00:00").id for hour in range(8, 18)]
    with listening(world.all, **{"Last-Event-ID": last}) as stream_:
        heard = [stream_.next() for _ in missed]
        assert [doc["data"]["bookingId"] for _, doc in heard] == missed
    # In the middle of what came at once, too.
    with listening(world.all, **{"Last-Event-ID": heard[4][0]}) as stream_:
        assert [stream_.next()[1]["data"]["bookingId"] for _ in range(5)] == missed[5:]
    # A cursor of the change feed is one of the stream, and the other way round.
    page = world.all.get(f"/v1/changes?cursor={heard[8][0]}").json()
    assert [c["bookingId"] for c in page["changes"]] == missed[9:]


def test_a_cursor_of_the_change_feed_begins_the_stream(world: Served) -> None:
    world.hub.book(start="2026-12-01T07:00:00")
    cursor = world.all.get("/v1/changes").json()["cursor"]
    booking = world.hub.book()
    with listening(world.all, f"/v1/events?cursor={cursor}") as stream_:
        assert stream_.next()[1]["data"]["bookingId"] == booking.id


def test_more_than_a_page_comes_whole_and_in_order(world: Served) -> None:
    cursor = world.hub.service.from_now(None)
    made = [
        world.hub.book(start=f"2027-{1 + n // 28:02}-{1 + n % 28:02}T09:00:00").id
        for n in range(250)
    ]
    with listening(world.all, f"/v1/events?cursor={cursor}") as stream_:
        assert [stream_.next()[1]["data"]["bookingId"] for _ in made] == made


def test_only_one_room_where_one_is_asked_for(world: Served) -> None:
    with listening(world.all, "/v1/events?room=r2") as stream_:
        world.hub.book("r1")
        booking = world.hub.book("r2")
        assert stream_.next()[1]["data"]["bookingId"] == booking.id


def test_the_scopes_of_the_token_decide_what_is_told(world: Served) -> None:
    reader = world.client("bookings:read")
    with listening(reader) as stream_:
        world.hub.book(title="Board", bookedBy={"name": "Ada", "email": "a@b.example"})
        _, doc = stream_.next()
    assert doc["data"]["booking"].keys().isdisjoint({"title", "bookedBy"})
    for client, status in ((world.client("busy:read"), 403), (world.client(), 401)):
        assert client.get("/v1/events").status_code == status


def test_there_is_a_sign_of_life(world: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stream.PULSE == 15.0
    monkeypatch.setattr(stream, "PULSE", 0.2)
    with listening(world.all) as stream_:
        sleep(1.0)
        world.hub.book()
        stream_.next()
    assert len(stream_.comments) >= 2


def test_a_line_end_in_a_title_begins_no_field(world: Served) -> None:
    with listening(world.all) as stream_:
        world.hub.book(title="x\n\nid: evil\ndata: {}\r\revent: evil")
        world.hub.book("r2")
        _, first = stream_.next()
        _, second = stream_.next()
    assert first["data"]["booking"]["title"].startswith("x id: evil")
    assert second["data"]["roomId"] == "r2"


# --- cursors that are none -------------------------------------------------------------------


def test_a_cursor_that_is_too_old_is_said_before_the_stream(world: Served) -> None:
    cursor = world.hub.service.from_now(None)
    world.hub.book()
    world.hub.service.compact(feed=timedelta(0))
    gone = world.all.get("/v1/events", headers={"Last-Event-ID": cursor})
    assert (gone.status_code, gone.json()["code"]) == (410, "resync-required")


@pytest.mark.parametrize("cursor", ["x", "AAAA", "\u00e9"])
def test_what_is_no_cursor_is_refused(world: Served, cursor: str) -> None:
    answer = world.all.get("/v1/events", headers={"Last-Event-ID": cursor.encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor-invalid")


def test_nor_is_one_from_the_middle_of_the_listing(world: Served) -> None:
    world.hub.book()
    world.hub.book("r2")
    cursor = world.all.get("/v1/changes?limit=1").json()["cursor"]
    answer = world.all.get(f"/v1/events?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor-invalid")
    assert world.all.get("/v1/events?room=nowhere").status_code == 404


def test_a_stream_that_falls_behind_what_is_kept_says_so_and_ends(
    world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_LOOK_EVERY", 0.5)
    with listening(world.all) as stream_:
        sleep(0.1)
        world.hub.book()
        world.hub.service.compact(feed=timedelta(0))
        assert stream_.next()[1]["type"] == "changes.resync-required"
        assert stream_.ended()


def test_head_has_an_end(world: Served) -> None:
    answer = world.all.call("HEAD", "/v1/events")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")


# --- streams among others --------------------------------------------------------------------


def test_a_revoked_token_ends_its_stream(world: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PULSE", 0.2)
    client = world.client("bookings:read")
    with listening(client) as stream_:
        token = next(t for t in world.hub.service.tokens.list() if t.scopes == {"bookings:read"})
        world.hub.service.tokens.revoke(token.id)
        assert stream_.ended()


@contextmanager
def a_busy_room(world: Served, room: str) -> Iterator[None]:
    """Somebody books there again and again."""
    done = threading.Event()

    def book() -> None:
        for n in range(300):
            world.hub.book(room, start=f"2027-{1 + n // 28:02}-{1 + n % 28:02}T09:00:00")
            if done.wait(0.05):
                return

    thread = threading.Thread(target=book)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_revoked_token_ends_its_stream_while_all_is_busy(world: Served) -> None:
    """Where something happens all the time there is no pause in which to look at the token."""
    client = world.client("bookings:read")
    with a_busy_room(world, "r1"), listening(client) as stream_:
        stream_.next()
        token = next(t for t in world.hub.service.tokens.list() if t.scopes == {"bookings:read"})
        world.hub.service.tokens.revoke(token.id)
        # What was on its way already may still come.
        assert any(stream_.ended() for _ in range(20))


def test_there_is_a_sign_of_life_while_other_rooms_are_busy(
    world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PULSE", 0.2)
    with listening(world.all, "/v1/events?room=r2") as stream_:
        with a_busy_room(world, "r1"):
            sleep(1.0)
        world.hub.book("r2")
        assert stream_.next()[1]["data"]["roomId"] == "r2"
    assert len(stream_.comments) >= 2


def test_streams_are_bounded_and_given_back(world: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_EACH", 2)
    with listening(world.all) as one, listening(world.all) as two:
        for stream_ in (one, two):
            next(stream_.lines)
        refused = world.all.get("/v1/events")
        assert (refused.status_code, refused.json()["code"]) == (503, "too-many-streams")
        assert refused.headers["Retry-After"] == "30"
        with listening(world.client("bookings:read")):
            pass
    until = monotonic() + 5
    while (
        world.all.session.get(world.all.url + "/v1/events", stream=True, timeout=5).status_code
        != 200
    ):
        assert monotonic() < until
        sleep(0.05)


def test_a_stream_outlives_the_time_of_other_answers(
    world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "ANSWER_WITHIN", 0.3)
    with listening(world.all) as stream_:
        sleep(1.0)
        booking = world.hub.book()
        assert stream_.next()[1]["data"]["bookingId"] == booking.id


def test_who_does_not_take_the_stream_is_cut_off(
    world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "ANSWER_WITHIN", 0.5)
    cursor = world.hub.service.from_now(None)
    for n in range(50):
        world.hub.book("r3", start=f"2027-{1 + n // 28:02}-{1 + n % 28:02}T09:00:00")
    # More than the buffers between the two take.
    monkeypatch.setattr(stream, "encode", lambda _: b"x" * 200_000)
    host, port = world.server.url.removeprefix("http://").split(":")
    auth = world.all.session.headers["Authorization"]
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host, int(port)))
        head = f"GET /v1/events?cursor={cursor} HTTP/1.1\r\nHost: x\r\nAuthorization: {auth!s}\r\n"
        client.sendall(f"{head}\r\n".encode())
        sleep(2.5)
        client.settimeout(5)
        got = 0
        try:
            while piece := client.recv(65536):
                got += len(piece)
        except ConnectionResetError:
            pass
    assert got < 50 * 200_000


def test_the_server_stops_in_time_with_streams_open(tmp_path: Path) -> None:
    with (
        open_door() as (door, api_server),
        served((door, api_server), tmp_path) as world,
        listening(world.all) as stream_,
    ):
        next(stream_.lines)
        began = monotonic()
        thread = threading.Thread(target=api_server.stop)
        thread.start()
        assert stream_.ended()
        thread.join()
        assert monotonic() - began < 1.5
