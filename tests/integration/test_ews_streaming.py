"""Streaming notifications before the sandbox's EWS front, over real HTTP: what is heard and when,
and every way in which a stream can end. The server's own log of calls is the judge."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.ews import errors, live
from calsync.adapters.ews.group import Group, Pace
from calsync.adapters.ews.listening import Listener
from calsync.model import Pair
from calsync.sandbox import SandboxServer, create_sandbox, server
from calsync.sandbox.ews.accounts import DEFAULT_USER
from tests.integration.ews_kit import EwsLab, ews_lab
from tests.integration.graph_kit import ROOM, ZONE

FAST = Pace(settle=0.05, longest=0.4, join=0.2, base=0.05, cap=0.2, steady=0.3, quiet=30.0)
ADA = "ada@contoso.example"


@pytest.fixture(autouse=True)
def alert(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader looks up more often, and waits less where no time is named: many short tests."""
    monkeypatch.setattr(errors, "_UNSAID", 0.1)
    monkeypatch.setattr(live, "STEP_S", 0.04)
    monkeypatch.setattr(server, "STREAM_STEP_S", 0.02)


class Ears:
    """A listener on a lab, and what it handed on."""

    def __init__(self, lab: EwsLab, **more: Any) -> None:
        self.lab = lab
        self.told: list[str] = []
        self.sent: list[tuple[str, dict[str, str], bytes]] = []
        self.stop = threading.Event()
        self._spy()
        self.listener = Listener(
            connection="onprem",
            caller=lab.caller,
            transport=lab.transport,
            stop=self.stop,
            tell=self.told.append,
            chance=lambda: 1.0,
            pace=more.pop("pace", FAST),
            **more,
        )

    def _spy(self) -> None:
        """Keep operation, headers and body of what reaches the server."""
        inner = self.lab.server.answer

        def answer(method: str, target: str, headers: dict[str, str], body: bytes) -> Any:
            for name in (b"Subscribe", b"GetStreamingEvents", b"SyncFolderItems", b"GetFolder"):
                if b"<m:" + name + b">" in body:
                    lowered = {key.lower(): value for key, value in headers.items()}
                    self.sent.append((name.decode(), lowered, body))
            return inner(method, target, headers, body)

        self.lab.server.answer = answer  # type: ignore[method-assign]  # a tap

    def of(self, operation: str) -> list[tuple[dict[str, str], bytes]]:
        return [(headers, body) for name, headers, body in list(self.sent) if name == operation]

    def watch(self, *mailboxes: str) -> None:
        self.listener.watch(
            [
                Pair(
                    id=f"p-{one}", room_id=room_of(one), connection="onprem", mailbox=one, zone=ZONE
                )
                for one in mailboxes
            ]
        )

    def hears(self, *mailboxes: str, streams: int = 1) -> None:
        """Watch, and wait until the hints of the first gap were given."""
        self.watch(*mailboxes)
        until(lambda: set(self.told) >= {room_of(one) for one in mailboxes})
        assert len(self.of("GetStreamingEvents")) == streams
        self.told.clear()


def room_of(mailbox: str) -> str:
    return f"room of {mailbox.partition('@')[0]}"


def until(holds: Callable[[], bool], seconds: float = 5.0) -> float:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - began


@contextmanager
def ears(company: SandboxServer | None = None, **more: Any) -> Iterator[Ears]:
    pace = more.pop("pace", FAST)
    options = {key: more.pop(key) for key in ("most_rooms",) if key in more}
    with ews_lab(company, **more) as lab:
        made = Ears(lab, pace=pace, **options)
        try:
            yield made
        finally:
            made.listener.close(2.0)
            assert not [t for t in threading.enumerate() if t.name.startswith("calsync-listen")]


def new_room(lab: EwsLab, name: str) -> str:
    address = f"{name}@contoso.example"
    raw = json.dumps({"address": address, "name": name, "zone": "UTC"}).encode()
    with lab.server.lock:
        assert lab.control.handle("POST", "/_sandbox/rooms", {}, raw).status == 201
    return address


def book(lab: EwsLab, room: str, day: int = 3) -> None:
    start = f"2026-12-{day:02}T09:00:00Z"
    lab.act(
        "book", person=ADA, room=room, subject="x", start=start, end=start.replace("T09", "T10")
    )


# --- what is heard -------------------------------------------------------------------------------


def test_an_act_in_outlook_is_heard_at_once_and_of_its_room_only() -> None:
    with ears() as made:
        other = new_room(made.lab, "borea")
        made.hears(ROOM, other)
        book(made.lab, other)
        assert until(lambda: bool(made.told)) < 1.5
        time.sleep(0.3)
        assert set(made.told) == {room_of(other)}


def test_a_group_keeps_to_the_server_of_its_first_mailbox() -> None:
    with ears() as made:
        rooms = sorted([ROOM, new_room(made.lab, "borea"), new_room(made.lab, "zephyr")])
        made.hears(*rooms)
        asked = made.of("Subscribe")
        assert len(asked) == 3
        for headers, _ in (*asked, *made.of("GetStreamingEvents")):
            assert headers["x-anchormailbox"] == rooms[0]
            assert headers["x-preferserveraffinity"] == "true"
        assert "cookie" not in asked[0][0]
        for headers, _ in (*asked[1:], *made.of("GetStreamingEvents")):
            assert headers["cookie"] == "X-BackEndOverrideCookie=sandbox~1"
        for (_, body), room in zip(asked, rooms, strict=True):
            assert f"<t:PrimarySmtpAddress>{room}<".encode() in body
            assert b"Watermark" not in body
        ((_, opened),) = made.of("GetStreamingEvents")
        assert opened.count(b"<t:SubscriptionId>") == 3
        assert f"<t:PrimarySmtpAddress>{rooms[0]}<".encode() in opened
        # Other calls of the same account go to the servers of their own mailboxes.
        made.lab.side.pull(made.lab.pair, None, made.lab.window)
        for headers, _ in made.of("SyncFolderItems"):
            assert "cookie" not in headers
            assert "x-preferserveraffinity" not in headers


def test_with_rights_of_its_own_the_account_names_each_mailbox() -> None:
    with ears(impersonate=False) as made:
        made.hears(ROOM)
        ((_, body),) = made.of("Subscribe")
        assert b"Impersonation" not in body
        assert f"<t:EmailAddress>{ROOM}<".encode() in body
        book(made.lab, ROOM)
        until(lambda: bool(made.told))


def test_a_flood_of_events_costs_few_syncs() -> None:
    with ears() as made:
        made.hears(ROOM)
        for number in range(150):
            book(made.lab, ROOM, 1 + number % 28)
        until(lambda: bool(made.told))
        time.sleep(1.0)
        assert 1 <= len(made.told) <= 6


def test_events_told_twice_are_one_hint() -> None:
    with ears() as made:
        made.hears(ROOM)
        made.lab.fault("events_repeated", count=None)
        book(made.lab, ROOM)
        until(lambda: bool(made.told))
        time.sleep(0.3)
        assert made.told == [room_of(ROOM)]


def test_many_rooms_are_spread_over_streams_and_no_more_than_an_account_may_have(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ears(most_rooms=2) as made:
        rooms = [new_room(made.lab, f"hall-{n:02}") for n in range(23)]
        with caplog.at_level(logging.WARNING, "calsync"):
            made.hears(*rooms[:20], streams=10)
            made.watch(*rooms)
        assert "3 rooms more than its 10 streams" in caplog.text
        book(made.lab, rooms[19])
        until(lambda: room_of(rooms[19]) in made.told)
        with made.lab.server.lock:
            open_ones = made.lab.control.ews.subscriptions.connections
            assert list(open_ones.values()) == [10]


def test_rooms_that_are_mapped_and_unmapped_meanwhile() -> None:
    with ears() as made:
        made.hears(ROOM)
        other = new_room(made.lab, "borea")
        made.watch(ROOM, other)
        until(lambda: room_of(other) in made.told)
        made.told.clear()
        book(made.lab, other)
        until(lambda: room_of(other) in made.told)
        made.told.clear()
        book(made.lab, ROOM)
        until(lambda: room_of(ROOM) in made.told)
        made.watch()
        time.sleep(0.8)
        before = len(made.lab.calls())
        time.sleep(0.5)
        assert len(made.lab.calls()) == before, "nothing is asked where there are no rooms"
        made.told.clear()
        made.watch(other)
        until(lambda: made.told == [room_of(other)])


def test_over_tls(tmp_path: Path) -> None:
    with SandboxServer(create_sandbox(seed=1), tls=True) as company:
        assert company.certificate is not None
        authority = tmp_path / "ca.pem"
        authority.write_bytes(company.certificate)
        with ears(company, verify=str(authority)) as made:
            made.hears(made.lab.room)
            time.sleep(0.5)
            book(made.lab, made.lab.room)
            until(lambda: bool(made.told))
            assert len(made.of("GetStreamingEvents")) == 1


# --- how streams end -----------------------------------------------------------------------------


def test_a_half_open_stream_is_cut_and_every_room_synced() -> None:
    pace = Pace(settle=0.05, longest=0.4, join=9.0, base=0.05, cap=0.2, steady=9.0, quiet=0.6)
    with ears(pace=pace) as made:
        made.lab.control.ews.status_seconds = 0.1
        made.hears(ROOM)
        time.sleep(1.0)
        assert len(made.of("GetStreamingEvents")) == 1, "heartbeats keep it alive"
        made.lab.fault("stream_half_open", count=1)
        until(lambda: made.told == [room_of(ROOM)])
        made.lab.calm()
        assert len(made.of("GetStreamingEvents")) == 2
        assert len(made.of("Subscribe")) == 2, "the dead connection may still hold the first"
        made.told.clear()
        book(made.lab, ROOM)
        until(lambda: bool(made.told))


def test_what_happens_in_a_gap_is_hinted_at_after_it() -> None:
    with ears() as made:
        made.hears(ROOM)
        made.lab.fault("ews_error", method="GetStreamingEvents", count=2, params={"form": "fault"})
        made.lab.fault("stream_closed", count=1)
        book(made.lab, ROOM)
        until(lambda: len(made.of("GetStreamingEvents")) >= 4)
        until(lambda: bool(made.told))


def test_a_stream_that_was_closed_is_opened_again_with_what_is_subscribed() -> None:
    with ears() as made:
        made.hears(ROOM)
        made.lab.fault("stream_closed", count=1)
        until(lambda: made.told == [room_of(ROOM)])
        assert len(made.of("GetStreamingEvents")) == 2
        assert len(made.of("Subscribe")) == 1
        made.told.clear()
        book(made.lab, ROOM)
        until(lambda: bool(made.told))


def test_a_connection_whose_time_is_over_is_renewed() -> None:
    with ears() as made:
        made.hears(ROOM)
        ((_, body),) = made.of("GetStreamingEvents")
        assert b"<m:ConnectionTimeout>30<" in body
        made.lab.advance(30 * 60 + 1)
        until(lambda: made.told == [room_of(ROOM)])
        assert len(made.of("GetStreamingEvents")) == 2


@pytest.mark.parametrize(
    "code",
    [
        "ErrorSubscriptionNotFound",
        "ErrorInvalidSubscription",
        "ErrorExpiredSubscription",
        "ErrorReadEventsFailed",
        "ErrorMissedNotificationEvents",
    ],
)
def test_a_lost_subscription_is_made_anew(code: str) -> None:
    with ears() as made:
        other = new_room(made.lab, "borea")
        made.hears(ROOM, other)
        subscriptions = made.lab.control.ews.subscriptions
        if code == "ErrorSubscriptionNotFound":
            with made.lab.server.lock:
                # A failover: the open stream hears of it.
                lost = next(one for one in subscriptions.found.values() if one.box.address == other)
                del subscriptions.found[lost.id]
            expected = 3
        else:
            made.lab.fault("ews_error", method="GetStreamingEvents", params={"code": code})
            made.lab.fault("stream_closed", count=1)
            expected = 4
        until(lambda: set(made.told) == {room_of(ROOM), room_of(other)})
        assert len(made.of("Subscribe")) == expected, "only what was lost"
        made.told.clear()
        book(made.lab, other)
        until(lambda: room_of(other) in made.told)


def test_a_server_that_restarts() -> None:
    with ears() as made:
        made.hears(ROOM)
        old, control = made.lab.server, made.lab.control
        port = int(old.url.rpartition(":")[2])
        old.stop()
        with old.lock:
            control.ews.subscriptions.found.clear()
            control.ews.subscriptions.connections.clear()
        time.sleep(0.3)
        book(made.lab, ROOM)
        assert made.told == []
        with SandboxServer(control, port=port) as again:
            made.lab.server = again
            made._spy()
            until(lambda: made.told == [room_of(ROOM)])
            made.told.clear()
            book(made.lab, ROOM, 4)
            until(lambda: bool(made.told))


def test_garbage_on_the_stream_is_a_gap_like_others() -> None:
    with ears() as made:
        # A first document that is cut off is noticed by what follows it.
        made.lab.control.ews.status_seconds = 0.2
        made.hears(ROOM)
        for kind in ("garbage_json", "html_login", "truncated_json", "redirect", "error_before"):
            made.told.clear()
            before = len(made.of("GetStreamingEvents"))
            made.lab.fault(kind, method="GetStreamingEvents", count=1)
            made.lab.advance(30 * 60 + 1)
            until(lambda: bool(made.told))
            assert len(made.of("GetStreamingEvents")) >= before + 2, "the spoiled one, and another"
        assert made.lab.server.failures == []


# --- what stands in the way ----------------------------------------------------------------------


def test_a_room_that_cannot_be_subscribed_to_does_not_silence_the_others() -> None:
    with ears() as made:
        gone = "aaa-unknown@contoso.example"
        made.watch(gone, ROOM)
        until(lambda: made.told == [room_of(ROOM)])
        time.sleep(0.8)
        assert len(made.of("Subscribe")) == 2, "it is not tried again soon"
        assert len(made.of("GetStreamingEvents")) == 1
        (anchor,) = {headers["x-anchormailbox"] for headers, _ in made.of("GetStreamingEvents")}
        assert anchor == ROOM


def test_too_many_connections_are_waited_for_not_fought_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(errors, "_UNSAID", 0.4)
    pace = Pace(settle=0.05, base=0.2, cap=1.0, steady=9.0)
    with ears(pace=pace) as made:
        subscriptions = made.lab.control.ews.subscriptions
        with made.lab.server.lock:
            subscriptions.connections[DEFAULT_USER] = 10
        made.watch(ROOM)
        time.sleep(1.2)
        tries = len(made.of("GetStreamingEvents"))
        assert 1 <= tries <= 4
        assert len(made.of("Subscribe")) == 1, "what is subscribed stays"
        assert made.told == []
        with made.lab.server.lock:
            subscriptions.connections.clear()
        until(lambda: made.told == [room_of(ROOM)])


@pytest.mark.parametrize("form", ["soap", "http", "message"])
def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(form: str) -> None:
    with ears() as made:
        made.lab.control.ews.backoff_ms = 1500
        made.hears(ROOM)
        made.lab.fault("throttled", method="GetStreamingEvents", params={"form": form})
        made.lab.fault("stream_closed")
        until(lambda: len(made.of("GetStreamingEvents")) == 2)
        assert until(lambda: len(made.of("GetStreamingEvents")) == 3) > 0.7
        until(lambda: bool(made.told))
        assert len(made.of("Subscribe")) == 1, "what is subscribed stays"


def test_a_refused_sign_in_is_not_tried_over_and_over() -> None:
    with ears(password="wrong") as made:
        made.watch(ROOM)
        # A busy machine takes its time for the first; a second would follow it by far less.
        until(lambda: made.lab.calls().count("login") >= 1)
        time.sleep(1.0)
        assert made.lab.calls().count("login") == 1, "or the account is locked"
        assert made.told == []


def test_an_admin_learns_of_hints_that_do_not_come(caplog: pytest.LogCaptureFixture) -> None:
    with ears() as made, caplog.at_level(logging.WARNING, "calsync"):
        made.lab.fault("ews_error", method="Subscribe", count=None)
        made.watch(ROOM)
        made.lab.fault("ews_error", method="GetStreamingEvents", count=None)
        until(lambda: "Exchange tells of no changes" in caplog.text)
        assert "polled meanwhile" in caplog.text
        made.lab.calm()


# --- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "how"),
    [
        ("listening", "own"),
        ("listening", "process"),
        ("half open", "own"),
        ("backing off", "process"),
        ("idle", "own"),
    ],
)
def test_it_ends_at_once(state: str, how: str) -> None:
    pace = Pace(settle=0.05, base=60.0, cap=60.0) if state == "backing off" else FAST
    with ears(pace=pace) as made:
        if state == "backing off":
            made.lab.fault("stream_closed", count=None)
        if state == "half open":
            made.lab.fault("stream_half_open", count=None)
        made.watch(ROOM)
        until(lambda: bool(made.of("GetStreamingEvents")))
        time.sleep(0.3)
        if state == "idle":
            made.watch()
            time.sleep(0.4)
        began = time.monotonic()
        if how == "own":
            made.listener.close(5.0)
        else:
            made.stop.set()
            until(lambda: not any(t.is_alive() for t in made.listener._threads))
        assert time.monotonic() - began < 0.7
        made.watch(ROOM)
        assert not any(t.is_alive() for t in made.listener._threads), "nothing begins afterwards"


def test_a_peer_that_drips_is_held_for_dead() -> None:
    """Bytes are no sign of life: only what Exchange says is."""
    taken: list[socket.socket] = []
    over = threading.Event()

    def drip(listening: socket.socket) -> None:
        while not over.is_set():
            try:
                peer, _ = listening.accept()
            except OSError:
                return
            taken.append(peer)
            peer.recv(65536)
            peer.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            threading.Thread(target=_spaces, args=(peer, over), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, args=(listening,), daemon=True).start()
        port = listening.getsockname()[1]
        pace = Pace(quiet=0.5, base=0.05, cap=0.1)
        with ears() as made, ews_lab(endpoint=f"http://127.0.0.1:{port}/EWS/x.asmx") as slow:
            stop = threading.Event()
            group = Group(
                name="drips",
                caller=made.lab.caller,
                transport=slow.transport,
                tell=made.told.append,
                monotonic=time.monotonic,
                chance=lambda: 1.0,
                stops=(stop,),
                pace=pace,
            )
            group.want({ROOM: "room"})
            thread = threading.Thread(target=group.run, daemon=True)
            thread.start()
            until(lambda: len(taken) >= 2, seconds=4.0)
            stop.set()
            thread.join(2.0)
            assert not thread.is_alive()
            assert made.told == []
        over.set()
    for peer in taken:
        peer.close()


def _spaces(peer: socket.socket, over: threading.Event) -> None:
    try:
        while not over.wait(0.05):
            peer.sendall(b"1\r\n \r\n")
    except OSError:
        pass
