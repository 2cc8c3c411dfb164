"""A server on loopback that answers as an attacker would: raw bytes, at its own pace."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from calsync.adapters.graph.auth import MsalTokens, Secret
from calsync.adapters.graph.clouds import custom
from calsync.adapters.graph.transport import Transport
from calsync.adapters.wrap import Call
from tests.integration.graph_kit import WallClock

TENANT = "11111111-2222-3333-4444-555555555555"
TOKEN, SECRET = "canary-token-0b5e", "canary-secret-91d2"
CALL = Call(method="GET", target="/users/room@contoso.example/events", operation="attack")

#: What is done with a connection once the head and body of its request were read.
Play = Callable[[socket.socket, bytes], None]


class Hostile:
    """Listens until closed; ``play`` may be changed at any time; ``heard`` are the requests."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.heard: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            request = connection.recv(65536)
            while b"\r\n\r\n" not in request or _short(request):
                more = connection.recv(65536)
                if not more:
                    return
                request += more
            self.heard.append(request)
            self.play(connection, request)

    def close(self) -> None:
        # A thread in accept() is woken by this, and not by closing alone.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join(5)


def _short(request: bytes) -> bool:
    head, _, body = request.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) < int(line.partition(b":")[2])
    return False


@contextmanager
def hostile(play: Play) -> Iterator[Hostile]:
    server = Hostile(play)
    try:
        yield server
    finally:
        server.close()


def answer(
    body: bytes, *, status: str = "200 OK", kind: str = "application/json", **headers: str
) -> bytes:
    """One whole answer; ``headers`` with dashes for underscores."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def says(data: bytes) -> Play:
    return lambda connection, _request: connection.sendall(data)


def discovery(url: str) -> dict[str, str]:
    base = f"{url}/{TENANT}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "issuer": f"{base}/v2.0",
    }


def granted() -> dict[str, Any]:
    return {"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN}


def signs_in(url: str) -> Play:
    """A sign-in service as it should be."""

    def play(connection: socket.socket, request: bytes) -> None:
        doc = granted() if request.startswith(b"POST") else discovery(url)
        connection.sendall(answer(json.dumps(doc).encode()))

    return play


class FixedTokens:
    """A token source without a sign-in service."""

    tenant_id = TENANT

    def token(self) -> str:
        return TOKEN

    def renew(self, refused: str) -> str:
        return f"{TOKEN}-renewed"


@contextmanager
def transport_to(url: str, **options: Any) -> Iterator[Transport]:
    made = Transport(
        cloud=custom(login=url, graph=url),
        tenant_id=TENANT,
        tokens=FixedTokens(),
        clock=WallClock(),
        timeout=options.pop("timeout", (2.0, 2.0)),
        **options,
    )
    try:
        yield made
    finally:
        made.close()


@contextmanager
def sign_in_at(url: str, **options: Any) -> Iterator[MsalTokens]:
    made = MsalTokens(
        cloud=custom(login=url, graph="https://graph.example"),
        tenant_id=TENANT,
        client_id="app",
        credential=Secret(SECRET),
        clock=WallClock(),
        timeout=(2.0, 2.0),
        **options,
    )
    try:
        yield made
    finally:
        made.close()
