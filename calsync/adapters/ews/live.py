"""An answer that goes on for half an hour: carried so that its reader is never stuck in it, and cut
into the documents it consists of."""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter

from calsync.adapters.shared.bounds import pools_reading
from calsync.errors import BadAnswer

#: Seconds after which a reader for whom nothing comes looks up.
STEP_S: Final = 0.2
#: Bytes of one document: 200 rooms with some events each are a tenth of it.
MAX_DOCUMENT: Final = 4 * 1024 * 1024
_CHUNK: Final = 64 * 1024
#: The end of an envelope. "<" stands nowhere in text, and notifications have no CDATA.
_END: Final = re.compile(rb"</(?:[A-Za-z_][\w.\-]{0,40}:)?Envelope\s{0,40}>")
_LONGEST_END: Final = 128


class LiveAdapter(HTTPAdapter):
    """Carries one request whose answer goes on. ``pulse`` is called on the reader's thread before
    every read, at least each ``STEP_S`` seconds; what it raises (no OSError) ends the reading."""

    def __init__(self, pulse: Callable[[], None]) -> None:
        class Pulsed(HTTPResponse):
            def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
                super().__init__(sock, *args, **options)
                self.fp.close()
                self.fp = io.BufferedReader(_Pulsing(sock, pulse))

        self._pools = pools_reading(Pulsed)
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools


class _Pulsing(io.RawIOBase):
    """A socket's bytes, with a look up every now and then.

    It reads from the socket itself: the file that Python makes of one cannot be read again after a
    timeout. That file is held only because the socket lives as long as it does.
    """

    def __init__(self, sock: socket.socket, pulse: Callable[[], None]) -> None:
        self._held = sock.makefile("rb", buffering=0)
        self._sock, self._pulse = sock, pulse

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(STEP_S)
        while True:
            self._pulse()
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                continue

    def close(self) -> None:
        if not self.closed:
            self._held.close()
            super().close()


def documents(response: requests.Response) -> Iterator[bytes]:
    """The envelopes of an answer, each as soon as it is complete; pieces of the body say nothing of
    where one ends. Raises BadAnswer, what the network raises, and what the pulse raises."""
    held = bytearray()
    looked = 0
    while piece := response.raw.read1(_CHUNK, decode_content=True):
        held += piece
        while (found := _END.search(held, max(0, looked - _LONGEST_END))) is not None:
            yield bytes(held[: found.end()]).strip()
            del held[: found.end()]
            looked = 0
        looked = len(held)
        if looked > MAX_DOCUMENT:
            raise BadAnswer(f"a notification is longer than {MAX_DOCUMENT} bytes")
