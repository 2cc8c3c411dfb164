"""An HTTP hop between calsync and the sandbox that tells when a call arrives, when the server has
carried it out, and when its answer has been passed on: the moments a kill is aimed at."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Moment = Literal["arrived", "carried out", "answered"]
MOMENTS: tuple[Moment, ...] = ("arrived", "carried out", "answered")
#: Calls that change something, and calls that do not.
WRITES = ("create", "change", "delete", "decline", "batch of writes", "mail")
READS = ("delta", "read", "find", "batch of reads", "token")
#: (operation, moment) → False: go no further with this call (nobody is left to hear of it).
Listener = Callable[[str, Moment], bool]

_KEPT = ("connection", "keep-alive", "transfer-encoding", "server", "date")


class Gate:
    """``listener`` is called on the thread of the call, which waits for it."""

    def __init__(self, target: str) -> None:
        self.netloc = urlsplit(target).netloc
        self.listener: Listener | None = None
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def tell(self, operation: str, moment: Moment) -> bool:
        listener = self.listener
        return listener is None or listener(operation, moment)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def operation_of(method: str, path: str, body: bytes) -> str:
    """What a call is for, by its address."""
    plain = path.partition("?")[0].rstrip("/")
    last = plain.rpartition("/")[2].casefold()
    if last == "token":
        return "token"
    if last == "$batch":
        parts = json.loads(body or b"{}").get("requests", [])
        reads = all(part.get("method") == "GET" for part in parts)
        return "batch of reads" if reads else "batch of writes"
    if last == "sendmail":
        return "mail"
    if last == "decline":
        return "decline"
    if last == "delta":
        return "delta"
    return {
        "POST": "create",
        "PATCH": "change",
        "DELETE": "delete",
        "GET": "read" if "/events/" in plain else "find",
    }.get(method, "other")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is what this is for."""


def _handler(gate: Gate) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1
        timeout = 60
        _beyond: http.client.HTTPConnection | None = None

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            operation = operation_of(self.command, self.path, body)
            if not gate.tell(operation, "arrived"):
                self.close_connection = True
                return
            try:
                status, headers, content = self._forward(body)
            except (OSError, http.client.HTTPException):
                # What the sandbox did to the connection is done to calsync's.
                self.close_connection = True
                self._drop()
                return
            if not gate.tell(operation, "carried out"):
                self.close_connection = True
                return
            self._answer(status, headers, content)
            gate.tell(operation, "answered")

        def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            if self._beyond is None:
                self._beyond = http.client.HTTPConnection(gate.netloc, timeout=60)
            # Host is handed on: the sandbox makes its links from it.
            headers = {k: v for k, v in self.headers.items() if k.casefold() != "connection"}
            self._beyond.request(self.command, self.path, body=body or None, headers=headers)
            got = self._beyond.getresponse()
            return got.status, got.getheaders(), got.read()

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.casefold() not in _KEPT:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        def _drop(self) -> None:
            if self._beyond is not None:
                self._beyond.close()
                self._beyond = None

        def finish(self) -> None:
            self._drop()
            super().finish()

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

        do_GET = do_POST = do_PATCH = do_DELETE = handle_one

    return Handler
