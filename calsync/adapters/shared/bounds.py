"""What an answer may cost: bytes after decompression, and seconds from its first byte to its last.

A read timeout alone bounds neither: each byte that drips in begins it anew, while the head is
read as well as within a compressed body that gives nothing yet.
"""

from __future__ import annotations

import io
import socket
from http.client import HTTPResponse
from time import monotonic
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from calsync.errors import BadAnswer, Unavailable

#: Seconds for one whole answer.
WHOLE_ANSWER_S: Final = 120.0
_CHUNK: Final = 64 * 1024


def read_body(response: requests.Response, limit: int, *, seconds: float) -> bytes:
    """The decoded body of a streamed response, in pieces: at most ``limit`` bytes, and within
    ``seconds``. Raises BadAnswer, Unavailable, and what the network raises."""
    began, size, pieces = monotonic(), 0, []
    while piece := response.raw.read1(_CHUNK, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise BadAnswer(
                f"the answer is longer than {limit} bytes",
                todo="If this is a proxy's page, exclude Graph from it",
            )
        if monotonic() - began > seconds:
            raise Unavailable(f"the answer was not complete after {seconds:.0f} s")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class BoundedAdapter(HTTPAdapter):
    """Carries requests so that every answer is over, head and body, within ``seconds``."""

    def __init__(self, *, seconds: float, **options: Any) -> None:
        class Answered(_InTime):
            within = seconds

        self._pools = pools_reading(Answered)
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools


def pools_reading(answered: type[HTTPResponse]) -> dict[str, Any]:
    """urllib3's own pools, whose connections read their answers by this class."""

    class Plain(HTTPConnection):
        response_class = answered

    class Secure(HTTPSConnection):
        response_class = answered

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class _InTime(HTTPResponse):
    """Reads head and body from a stream that ends after so many seconds."""

    within: float

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        stream = _Stream(sock, monotonic() + self.within)
        self.fp = io.BufferedReader(stream)


class _Stream(io.RawIOBase):
    """A socket's bytes until a time (monotonic seconds); TimeoutError after it."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._raw = sock.makefile("rb", buffering=0)
        self._sock, self._gap, self._until = sock, sock.gettimeout(), until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError("the answer is not complete, and its time is over")
        self._sock.settimeout(left if self._gap is None else min(self._gap, left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
            super().close()
