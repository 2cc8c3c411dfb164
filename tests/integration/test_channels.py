"""Shared channels through apprise, against a real HTTP receiver: at most one message each, and
what makes the difference between "not sent" and "nobody knows"."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from calsync.adapters.notify.apprise_post import ApprisePost
from calsync.adapters.notify.letter import Letter
from calsync.errors import UsageError
from calsync.ports import Delivery

LETTER = Letter(subject="Booked: Atlas", text="When: now\n<b>x</b> *y*\n")
TOKEN = "canary-token-5Tz8"


class Receiver:
    """Answers as it is told. ``hold``: it takes the message and does not answer."""

    def __init__(self) -> None:
        self.status = 200
        self.hold = False
        self.drip = False
        self.got: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []


@pytest.fixture
def running() -> Iterator[tuple[Receiver, int]]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append(json.loads(raw))
            receiver.paths.append(self.path)
            if receiver.hold:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if receiver.drip:
                with suppress(OSError):
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                    for _ in range(100):
                        self.wfile.write(b"X-A: b\r\n")
                        time.sleep(0.05)
                return
            self.send_response(receiver.status)
            if receiver.status in (301, 302, 307):
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def do_GET(self) -> None:
            receiver.paths.append(f"GET {self.path}")
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver, server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def channel(port: int, *, timeout: float = 10.0, query: str = "") -> ApprisePost:
    return ApprisePost("ops", lambda: f"json://127.0.0.1:{port}/{TOKEN}{query}", timeout=timeout)


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """What any logger lets through to the root, at the lowest level."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(f"{record.name} {record.getMessage()}")

    root, ear = logging.getLogger(), Ear(0)
    level = root.level
    root.addHandler(ear)
    root.setLevel(1)
    try:
        yield heard
    finally:
        root.removeHandler(ear)
        root.setLevel(level)


def test_one_message_arrives_as_plain_text(running: tuple[Receiver, int]) -> None:
    receiver, port = running
    assert channel(port).post(LETTER).delivery is Delivery.SENT
    (doc,) = receiver.got
    assert doc["title"] == "Booked: Atlas"
    assert doc["message"] == "When: now\n<b>x</b> *y*"
    assert "attachments" not in doc or doc["attachments"] == []


STATUSES = [
    (429, Delivery.NOT_SENT),
    (401, Delivery.NOT_SENT),
    (403, Delivery.NOT_SENT),
    (404, Delivery.NOT_SENT),
    (400, Delivery.REFUSED),
    (413, Delivery.REFUSED),
    (422, Delivery.REFUSED),
    (500, Delivery.IN_DOUBT),
    (502, Delivery.IN_DOUBT),
    (503, Delivery.IN_DOUBT),
    (504, Delivery.IN_DOUBT),
]


@pytest.mark.parametrize(("status", "delivery"), STATUSES)
def test_what_the_service_answers(
    running: tuple[Receiver, int], status: int, delivery: Delivery
) -> None:
    receiver, port = running
    receiver.status = status
    with everything_logged() as heard:
        report = channel(port).post(LETTER)
    assert report.delivery is delivery
    assert str(status) in report.reason
    assert (report.retry_after > 0) == (delivery is Delivery.NOT_SENT)
    assert len(receiver.got) == 1, "never tried again by apprise itself"
    assert TOKEN not in report.reason + " ".join(
        line for line in heard if not line.startswith("urllib3")
    )


def test_an_answer_that_is_lost_leaves_a_doubt(running: tuple[Receiver, int]) -> None:
    receiver, port = running
    receiver.hold = True
    report = channel(port).post(LETTER)
    assert report.delivery is Delivery.IN_DOUBT
    assert len(receiver.got) == 1


def test_a_service_that_drips_is_left_behind(running: tuple[Receiver, int]) -> None:
    receiver, port = running
    receiver.drip = True
    started = time.monotonic()
    report = channel(port, timeout=0.5).post(LETTER)
    assert report.delivery is Delivery.IN_DOUBT
    assert time.monotonic() - started < 2.0


def test_where_nobody_listens_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with everything_logged() as heard:
        report = channel(port).post(LETTER)
    assert report.delivery is Delivery.NOT_SENT
    assert report.retry_after == 60.0
    assert TOKEN not in report.reason
    assert not any(TOKEN in line for line in heard if not line.startswith("urllib3"))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "none that apprise knows"),
        ("nonsense", "none that apprise knows"),
        ("json://127.0.0.1:1/a, json://127.0.0.1:1/b", "more than one"),
        ("dbus://", "acts on this machine"),
        ("syslog://", "acts on this machine"),
        ("gnome://", "acts on this machine"),
        ("windows://", "acts on this machine"),
        ("macosx://", "acts on this machine"),
        (f"jsons://hooks.example/{TOKEN}?verify=no", "check of certificates"),
        (f"json://hooks.example/{TOKEN}", "unencrypted"),
        (f"mmost://chat.example/{TOKEN}", "unencrypted"),
        ("file:///etc/passwd", "none that apprise knows"),
        ("https://hooks.example/config", "none that apprise knows"),
    ],
)
def test_addresses_that_nothing_is_sent_to(address: str, said: str) -> None:
    post = ApprisePost("ops", lambda: address)
    wrong = post.check()
    # Which of those that act on a machine are known depends on the machine.
    assert said in wrong or "none that apprise knows" in wrong
    assert "channel ops" in wrong
    assert TOKEN not in wrong
    report = post.post(LETTER)
    assert (report.delivery, report.retry_after) == (Delivery.NOT_SENT, 300.0)


@pytest.mark.parametrize(
    "address",
    [
        "workflows://team.example.com:443/WorkflowID/Signature/",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
        "mmosts://chat.example/3ccdd113474722377935511fc85d3dd4",
    ],
)
def test_addresses_of_the_usual_services_are_taken(address: str) -> None:
    assert ApprisePost("ops", lambda: address).check() == ""


def test_a_missing_address_is_said() -> None:
    def missing() -> str:
        raise UsageError("the environment variable X is not set", where="channel ops, url")

    report = ApprisePost("ops", missing).post(LETTER)
    assert report.delivery is Delivery.NOT_SENT
    assert "X is not set" in report.reason


def test_a_plugin_that_breaks_leaves_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def notify(self, **_: object) -> bool:
            raise RuntimeError(TOKEN)

    post = ApprisePost("ops", lambda: "")
    monkeypatch.setattr(post, "_plugin", Broken)
    report = post.post(LETTER)
    assert report.delivery is Delivery.IN_DOUBT
    assert TOKEN not in report.reason
