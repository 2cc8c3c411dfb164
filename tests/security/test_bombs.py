"""Answers that would cost a machine its memory or a thread its life: zip and JSON bombs, drips."""

from __future__ import annotations

import gzip
import json
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from calsync.adapters.wrap import NotSent
from calsync.bounded_json import MAX_CONTAINERS, MAX_VALUES, read_json
from calsync.errors import BadAnswer, Unavailable
from tests.security.hostile import CALL, Play, answer, hostile, says, sign_in_at, transport_to

MIB = 1024 * 1024


@contextmanager
def _within(mib: float) -> Iterator[None]:
    """Fails where more memory than that was ever held inside."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()
    assert peak < mib, f"{peak:.0f} MiB were held at a time"


def _packed(mib: int, bits: int) -> bytes:
    """So many MiB of blanks; ``bits`` as zlib's ``wbits``: 31 is gzip, 15 is zlib's own."""
    packer = zlib.compressobj(wbits=bits)
    return b"".join(packer.compress(b" " * MIB) for _ in range(mib)) + packer.flush()


def _gzip_bomb(mib: int, *, times: int = 1) -> bytes:
    data = _packed(mib, 31)
    for _ in range(times - 1):
        data = gzip.compress(data)
    return data


BOMBS = {
    "gzip": ("gzip", lambda: _gzip_bomb(200)),
    "gzip in gzip": ("gzip, gzip", lambda: _gzip_bomb(200, times=2)),
    "deflate": ("deflate", lambda: _packed(200, 15)),
    "six layers": (", ".join(["gzip"] * 6), lambda: _gzip_bomb(1, times=6)),
}


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    return {name: make() for name, (_, make) in BOMBS.items()}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("status", ["200 OK", "302 Found", "500 Oops"])
def test_a_zip_bomb_is_cut_off_at_its_unpacked_size(
    bombs: dict[str, bytes], bomb: str, status: str
) -> None:
    data = answer(bombs[bomb], status=status, Content_Encoding=BOMBS[bomb][0], Location="/x")
    with (
        _within(8),
        hostile(says(data)) as server,
        transport_to(server.url, max_bytes=2 * MIB) as graph,
        pytest.raises(BadAnswer),
    ):
        graph.call(CALL)


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("status", ["200 OK", "302 Found", "400 Bad Request"])
def test_a_zip_bomb_of_the_sign_in_service(bombs: dict[str, bytes], bomb: str, status: str) -> None:
    data = answer(bombs[bomb], status=status, Content_Encoding=BOMBS[bomb][0], Location="/x")
    with (
        _within(8),
        hostile(says(data)) as server,
        sign_in_at(server.url) as tokens,
        pytest.raises((BadAnswer, Unavailable)),
    ):
        tokens.token()


# --- JSON ------------------------------------------------------------------------------------

#: A small text that would make a large value, or a value that no loop over it survives.
TEXTS: dict[str, Callable[[], bytes]] = {
    "objects": lambda: b"[" + b"{}," * MAX_CONTAINERS + b"{}]",
    "lists": lambda: b'{"value":[' + b"[]," * MAX_CONTAINERS + b"[]]}",
    "strings": lambda: b"[" + b'"",' * MAX_VALUES + b'""]',
    "numbers": lambda: b"[" + b"1.5," * (MAX_VALUES + 1) + b"1]",
    "members": lambda: b"{" + b'"a":1,' * MAX_VALUES + b'"a":1}',
    "quotes": lambda: b'"' * (2 * MAX_VALUES + 1),
    "deep": lambda: b"[" * 500_000 + b"]" * 500_000,
    "deep and open": lambda: b'{"a":' * 500_000,
    "deep in strings": lambda: b'["' + b"[" * 999 + b'",' + b"[" * 999 + b"]" * 1000,
    "a long number": lambda: b"[" + b"9" * 1_000_000 + b"]",
    "UTF-32": lambda: ("[" * 5000).encode("utf-32"),
}


@pytest.mark.parametrize("bomb", TEXTS)
def test_a_json_bomb_is_refused_before_it_unfolds(bomb: str) -> None:
    text = TEXTS[bomb]()
    began = time.process_time()
    with _within(3 * len(text) / MIB + 2), pytest.raises(ValueError):  # noqa: PT011 - any kind of it
        read_json(text)
    assert time.process_time() - began < 3.0


def test_a_member_given_twice_counts_once_and_the_last_one_wins() -> None:
    """As every reader that Graph is made for has it; the API refuses it (test_body.py)."""
    assert read_json(b'{"id": "a", "id": "b"}') == {"id": "b"}


def test_what_graph_may_send_is_far_from_every_bound() -> None:
    event = {"id": "x" * 150, "start": {"dateTime": "2026-12-01T09:00:00", "timeZone": "UTC"}}
    event |= {name: {"emailAddress": {"name": "n", "address": "a"}} for name in "abcdefgh"}
    page = {"value": [event] * 10_000}
    assert len(read_json(json.dumps(page))["value"]) == 10_000


def test_a_json_bomb_from_graph_is_a_bad_answer() -> None:
    data = answer(TEXTS["objects"]())
    with (
        hostile(says(data)) as server,
        transport_to(server.url) as graph,
        pytest.raises(BadAnswer, match="no JSON object"),
    ):
        graph.call(CALL)


# --- slow drips ------------------------------------------------------------------------------


def _drips(head: bytes, more: Callable[[int], bytes]) -> Play:
    """Sends a byte ten times a second for ten seconds: the read timeout never comes."""

    def play(connection: socket.socket, _request: bytes) -> None:
        with suppress(OSError):
            connection.sendall(head)
            for number in range(100):
                connection.sendall(more(number))
                time.sleep(0.1)

    return play


_PACKED = gzip.compress(json.dumps({"value": []}).encode() + b" " * 9000, compresslevel=1)
_CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
DRIPS = {
    "status line": _drips(b"HTTP/1.1 2", lambda _: b"0"),
    "headers": _drips(b"HTTP/1.1 200 OK\r\nX: ", lambda _: b"x"),
    "body": _drips(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", lambda _: b" "),
    "chunks": _drips(_CHUNKED + b"\r\n", lambda _: b"1\r\n \r\n"),
    # A compressed body of which nothing can be unpacked for a long time.
    "packed": _drips(
        _CHUNKED + b"Content-Encoding: gzip\r\n\r\n",
        lambda n: b"1\r\n" + _PACKED[:10][n : n + 1].ljust(1, b"\x00") + b"\r\n",
    ),
}


@pytest.mark.parametrize("drip", DRIPS)
def test_a_drip_ends_when_the_time_of_the_answer_is_over(drip: str) -> None:
    began = time.monotonic()
    with (
        hostile(DRIPS[drip]) as server,
        transport_to(server.url, within=0.5) as graph,
        pytest.raises(Unavailable) as caught,
    ):
        graph.call(CALL)
    assert not isinstance(caught.value, NotSent), "the request may have been executed"
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize("drip", DRIPS)
def test_a_drip_of_the_sign_in_service(drip: str) -> None:
    """Every call of the tenant waits for the token."""
    began = time.monotonic()
    with (
        hostile(DRIPS[drip]) as server,
        sign_in_at(server.url, within=0.5) as tokens,
        pytest.raises(Unavailable),
    ):
        tokens.token()
    assert time.monotonic() - began < 2.0
