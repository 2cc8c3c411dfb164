"""Callback URLs as a way into private networks, and receivers that mean harm."""

from __future__ import annotations

import logging
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from calsync.adapters.webhooks.guard import Forbidden, Guard, read_url
from calsync.adapters.webhooks.sender import Sender
from calsync.cli.redact import without_secrets
from calsync.mapping.webhook_values import MessageState
from calsync.sandbox.tls import context as tls_context
from tests.integration.webhook_kit import hooks
from tests.support.receiver import a_receiver

PRIVATE = [
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "127.0.0.1",
    "127.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "64:ff9b::7f00:1",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_to_a_private_address_is_not_called(address: str) -> None:
    guard = Guard(look_up=lambda *_: ["93.184.216.34", address])
    with pytest.raises(Forbidden, match="not a public address"):
        guard.addresses(read_url("https://rooms.example.com/hook"))


@pytest.mark.parametrize(
    "address", [a for a in PRIVATE if "%" not in a and a != "127.0.0.1" and a != "::1"]
)
def test_nor_is_the_address_itself(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Forbidden):
        Guard().addresses(read_url(f"https://{host}/hook"))


@pytest.mark.parametrize("host", ["0x7f000001", "2130706433", "127.1", "017700000001"])
def test_odd_spellings_of_this_machine_are_seen_through(host: str) -> None:
    """The machine's resolver reads them as addresses; what it gives is what is judged."""
    try:
        Guard().addresses(read_url(f"https://{host}/hook"))
    except (Forbidden, OSError):
        return
    pytest.fail("it was let through")


@pytest.mark.parametrize(
    "url",
    [
        "http://rooms.example.com/hook",
        "ftp://rooms.example.com/hook",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/",
        "https://user:pass@rooms.example.com/",
        "https://rooms.example.com\\@127.0.0.1/",
        "https://rooms.example.com/#x",
        "https://rooms.example.com/a b",
        "https://rooms.example.com/\r\nHost: x",
        "https://rooms.example.com/\u2028",
        "https:///hook",
        "https://[::1/hook",
        "https://rooms.example.com:99999/",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "x" * 5000,
        "https://rooms.example.com/" + "x" * 5000,
    ],
)
def test_what_is_no_plain_https_url_is_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        read_url(url)


def test_a_name_that_changes_after_it_was_checked_gains_nothing(tmp_path: Path) -> None:
    """DNS rebinding: public when the endpoint is made, this machine when it is called."""
    answers = iter([["93.184.216.34"]])
    with a_receiver() as inside:
        port = inside.url.split(":")[2].split("/")[0]
        with hooks(tmp_path, look_up=lambda *_: next(answers, ["127.0.0.1"])) as hook:
            endpoint, _ = hook.add(f"https://rebind.example.com:{port}/hook")
            hook.hub.book()
            hook.run()
            (message,) = hook.messages(endpoint)
            assert message.state is MessageState.QUEUED
            assert "not a public address" in message.reason
    assert inside.got == []


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """One look for each try: a second answer of the name server is never asked for."""
    asked: list[str] = []

    def look_up(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with a_receiver() as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        sender = Sender(Guard(["127.0.0.0/8"], look_up=look_up), timeout=2)
        reply = sender.post(f"https://pinned.example.com:{port}/", {}, b"{}")
    # It was reached (and speaks no TLS); the system's resolver knows no such name.
    assert reply.reason.startswith("no connection")
    assert "not found" not in reply.reason
    assert asked == ["pinned.example.com"]


def test_a_network_of_the_admins_own_may_be_allowed_and_no_more_than_that() -> None:
    guard = Guard(["10.20.0.0/16", "fd00:1::/32"])
    target = read_url("https://10.20.3.4/hook")
    assert guard.addresses(target) == ["10.20.3.4"]
    assert guard.addresses(read_url("https://[::ffff:10.20.3.4]/")) == ["::ffff:a14:304"]
    assert guard.addresses(read_url("https://[fd00:1::7]/")) == ["fd00:1::7"]
    for url in ("https://10.21.0.1/", "https://[fd00:2::1]/", "https://169.254.169.254/"):
        with pytest.raises(Forbidden):
            guard.addresses(read_url(url))


def whole_request(one: socket.socket) -> bytes:
    """All of it: who closes on what was not read resets the connection, and the answer is lost."""
    got = b""
    while piece := one.recv(65536):
        got += piece
        head, found, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if found and length is not None and len(body) >= int(length[1]):
            break
    return got


@contextmanager
def tls_receiver() -> Iterator[tuple[int, bytes, list[bytes]]]:
    """Takes one message over TLS; its port, its certificate, and what it got."""
    server, pem = tls_context("pinned.example.com")
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            raw, _ = listener.accept()
            try:
                with server.wrap_socket(raw, server_side=True) as one:
                    got.append(whole_request(one))
                    one.sendall(b"HTTP/1.1 204 x\r\n\r\n")
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], pem, got
        thread.join(5)


def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    with tls_receiver() as (port, _, got):
        reply = Sender(Guard(), timeout=5).post(f"https://localhost:{port}/", {}, b"{}")
    assert reply.status == 0
    assert "certificate is not trusted" in reply.reason
    assert got == []


@pytest.mark.parametrize(("host", "taken"), [("pinned.example.com", True), ("other.test", False)])
def test_the_certificate_is_checked_for_the_name_though_the_address_is_pinned(
    host: str, taken: bool
) -> None:
    with tls_receiver() as (port, pem, got):
        trusting = ssl.create_default_context(cadata=pem.decode())
        guard = Guard(["127.0.0.1/32"], look_up=lambda *_: ["127.0.0.1"])
        sender = Sender(guard, timeout=5, context=trusting)
        reply = sender.post(f"https://{host}:{port}/hook", {}, b"{}")
    assert reply.taken is taken
    assert [f"Host: {host}:{port}".encode() in head for head in got] == [True] * taken


# --- receivers that mean harm ----------------------------------------------------------------


@contextmanager
def raw_receiver(*pieces: bytes, pause: float = 0.0) -> Iterator[str]:
    """Answers each connection with these bytes, with a pause before each piece."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while not stop.is_set():
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                with one:
                    one.settimeout(2)
                    try:
                        whole_request(one)
                        for piece in pieces:
                            stop.wait(pause)
                            one.sendall(piece)
                    except OSError:
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_a_receiver_that_drips_is_cut_off() -> None:
    with raw_receiver(*[b"H"] * 100, pause=0.1) as url:
        began = monotonic()
        reply = Sender(Guard(), timeout=0.5).post(url, {}, b"{}")
        assert monotonic() - began < 1.5
    assert reply.status == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 \r\n\r\n",
        b"HTTP/1.1 99999 x\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 500 x\r\nRetry-After: 9999999999999999999999\r\n\r\n",
        b"HTTP/1.1 503 x\r\nRetry-After: -5\r\n\r\n",
        b"HTTP/1.1 503 x\r\nRetry-After: nan\r\n\r\n",
        "HTTP/1.1 503 x\r\nRetry-After: ٣\r\n\r\n".encode(),
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5,
        b"\x16\x03\x01\x00\x00",
    ],
)
def test_odd_answers_are_tries_in_vain_and_nothing_worse(answer: bytes) -> None:
    with raw_receiver(answer) as url:
        reply = Sender(Guard(), timeout=2).post(url, {}, b"{}")
    assert not reply.taken
    assert 0 <= reply.wait <= 999_999_999
    assert len(reply.reason) < 200


def test_an_endless_body_is_not_read() -> None:
    flood = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    with raw_receiver(flood, *[b"x" * 65536] * 50) as url:
        began = monotonic()
        assert Sender(Guard(), timeout=5).post(url, {}, b"{}").taken
        assert monotonic() - began < 2


def test_what_a_receiver_says_is_neither_logged_nor_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="calsync")
    words = b"HTTP/1.1 500 canary-words\r\nX-Canary: canary-header\r\n\r\ncanary-body"
    with raw_receiver(words) as url, hooks(tmp_path) as hook:
        endpoint, secret = hook.add(f"{url}?token=canary-in-url")
        hook.hub.book()
        hook.run()
        assert hook.messages(endpoint)[0].reason == "answered 500"
        assert "canary" not in caplog.text
        assert secret not in caplog.text


def test_a_secret_that_gets_into_a_log_is_taken_out() -> None:
    line = "receiver has whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw and more"
    assert without_secrets(line) == "receiver has whsec_[redacted] and more"
