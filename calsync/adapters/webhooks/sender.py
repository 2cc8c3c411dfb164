"""One POST to a callback URL: to the address that was checked, no redirects, in bounded time."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import Final

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from calsync.adapters.webhooks.guard import Forbidden, Guard, Target, read_url

_LONGEST_NAME: Final = 80
_NOT_REACHED: Final = "no connection"


@dataclass(frozen=True, slots=True)
class Reply:
    """``status`` 0: there was no answer, and ``reason`` says why. ``wait``: Retry-After, in
    seconds. ``forbidden``: the URL leads where nothing is sent."""

    status: int
    reason: str = ""
    wait: float = 0.0
    forbidden: bool = False

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300


class Sender:
    """Safe to share between threads. ``timeout``: seconds for a whole try."""

    def __init__(
        self, guard: Guard, *, timeout: float, context: ssl.SSLContext | None = None
    ) -> None:
        self._guard = guard
        self._timeout = timeout
        self._context = context

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Never raises for what the network or the receiver does."""
        try:
            target = read_url(url)
            addresses = self._guard.addresses(target)
        except Forbidden as error:
            return Reply(0, error.what, forbidden=True)
        except OSError as error:
            return Reply(0, f"the name was not found ({_said(error)})")
        until = monotonic() + self._timeout
        reply = Reply(0, "there was no time to connect")
        for address in addresses:
            left = until - monotonic()
            if left <= 0:
                break
            context = self._context or _trusting() if target.tls else None
            reply = _one_address(_Pinned(target, address, left, context), headers, body)
            if reply.status or not reply.reason.startswith(_NOT_REACHED):
                break
        return reply


class _Pinned(http.client.HTTPConnection):
    """A connection to ``address``, whatever the name of the host says by now."""

    def __init__(
        self, target: Target, address: str, timeout: float, context: ssl.SSLContext | None
    ) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self.target, self.seconds = target, timeout
        self._address, self._tls = address, context

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.target.port), self.seconds)
        if self._tls is not None:
            # In two steps, so that a handshake that drips can be cut off, too.
            self.sock = self._tls.wrap_socket(
                self.sock, server_hostname=self.target.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def cut(self) -> None:
        """End whatever another thread waits for."""
        with suppress(OSError):
            # Not SSLSocket's own, which would pull the rug from under that thread.
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


def _one_address(connection: _Pinned, headers: Mapping[str, str], body: bytes) -> Reply:
    # The timeout of a socket is for each piece of an answer; a receiver that drips is cut off here.
    late = threading.Event()

    def end() -> None:
        late.set()
        connection.cut()

    cut = threading.Timer(connection.seconds, end)
    cut.daemon = True
    cut.start()
    reached = False
    try:
        connection.connect()
        reached = True
        connection.request("POST", connection.target.path, body=body, headers=dict(headers))
        answer = connection.getresponse()
        # What the receiver says beyond the status is not read.
        return Reply(answer.status, _word(answer.status), _wait(answer.getheader("Retry-After")))
    except (OSError, http.client.HTTPException) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            return Reply(0, "no answer in time" if reached else f"{_NOT_REACHED} in time")
        return Reply(0, f"{'no answer' if reached else _NOT_REACHED} ({_said(error)})")
    finally:
        cut.cancel()
        connection.close()


@lru_cache(maxsize=1)
def _trusting() -> ssl.SSLContext:
    """The machine's own authorities (a company's among them), and those that requests brings.
    Read when first needed: that takes longer than all else of a start."""
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _word(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"answered {status}: a redirect is not followed"
    return f"answered {status}"


def _wait(text: str | None) -> float:
    """Seconds; dates are not taken, for their sake nobody's clock has to be right."""
    found = re.fullmatch(r"\s{0,9}(\d{1,9})\s{0,9}", text or "", re.ASCII)
    return float(found[1]) if found else 0.0


def _said(error: Exception) -> str:
    """In few words, and only calsync's or the system's own: what a receiver wrote stays out."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"[:_LONGEST_NAME]
    text = getattr(error, "strerror", None)
    return text if isinstance(text, str) and text else type(error).__name__
