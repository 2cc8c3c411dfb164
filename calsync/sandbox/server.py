"""The sandbox on a loopback socket: HTTP/1.1 with keep-alive, plain or TLS."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
import time
import traceback
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from .ews.front import EwsFront
from .graph.request import VERSIONS, Response, Stream, merge_headers, segments_of
from .notifier import Notifier, post

if TYPE_CHECKING:
    from .control import Control

BROKEN = b'{"error":{"code":"InternalServerError","message":"a defect of the sandbox itself"}}'
PACKED = (
    b'{"error":{"code":"UnsupportedMediaType","message":"The content encoding is not supported."}}'
)
# How often an open stream is asked for news.
STREAM_STEP_S = 0.05
PHRASES = {
    410: "Gone",
    412: "Precondition Failed",
    424: "Failed Dependency",
    429: "Too Many Requests",
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class SandboxServer:
    """Serves one sandbox. One lock guards the world; calls at once are counted before it."""

    def __init__(
        self,
        control: Control,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: bool = False,
        service_time_s: float = 0.0,
    ) -> None:
        self.control = control
        self.lock = threading.Lock()
        self.service_time_s = service_time_s
        self.certificate: bytes | None = None
        self.failures: list[str] = []
        self.stopping = False
        self._server = _Server((host, port), _handler(self))
        self._thread: threading.Thread | None = None
        if tls:
            from .tls import context

            made, self.certificate = context(host)
            self._server.socket = made.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        bound = self._server.server_address
        self.scheme = "https" if tls else "http"
        self.url = f"{self.scheme}://{host}:{bound[1]}"
        control.front.base = self.url
        self.notifier = Notifier()
        control.front.subscriptions.post = post

    def start(self) -> SandboxServer:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the socket and wait for the thread."""
        self.stopping = True
        self._server.shutdown()
        self._server.server_close()
        self.notifier.stop()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def serve_forever(self) -> None:
        """Serve in the calling thread."""
        self._server.serve_forever()

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Response:
        """One call, with the limits of calls at once: per application and mailbox, per account."""
        who = self._caller(target, headers)
        if who is None:
            with self.lock:
                return self._handled(method, target, headers, body)
        ews = EwsFront.serves(target)
        front = self.control.ews if ews else self.control.front
        throttle = front.throttle
        allowed = throttle.enter(*who)
        try:
            if not allowed:
                with self.lock:
                    return front.too_many_at_once(headers.get("client-request-id", ""))
            if self.service_time_s:
                time.sleep(self.service_time_s)
            with self.lock:
                response = self._handled(method, target, headers, body)
            if response.delay_s:
                time.sleep(response.delay_s)
            return response
        finally:
            throttle.leave(*who)

    def _handled(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Response:
        response = self.control.handle(method, target, headers, body)
        self.notifier.send(self.control.front.subscriptions.due())
        return response

    def _caller(self, target: str, headers: dict[str, str]) -> tuple[str, str] | None:
        """(application, mailbox) of a Graph call on a mailbox, else None; of EWS the account."""
        # target is absolute: scheme, "", host, path
        if EwsFront.serves(target):
            # Exchange counts by account, whatever mailboxes its calls are about.
            return "ews", headers.get("authorization", "")
        parts = segments_of(target.partition("?")[0].split("/", 3)[-1])
        if len(parts) < 3 or parts[0] not in VERSIONS or parts[1].casefold() != "users":
            return None
        token = self.control.world.tokens.get(headers.get("authorization", "").partition(" ")[2])
        name = parts[2].casefold()
        box = self.control.world.user_ids.get(name)
        return (token.app.client_id if token else ""), (box.address.casefold() if box else name)


def _handler(owner: SandboxServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "sandbox"
        # One write per answer and no Nagle, else every reply costs 45 ms on loopback.
        wbufsize = -1
        disable_nagle_algorithm = True
        timeout = 60

        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else b""
            if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
                body = self._chunks()
            packed = (self.headers.get("Content-Encoding") or "identity").lower()
            if packed == "gzip":
                try:
                    body = gzip.decompress(body)
                except (OSError, EOFError, zlib.error):
                    body = b""  # read as an empty payload, which Graph refuses
            elif packed != "identity":
                # SDKs that compress request bodies send them again plain after this.
                self._send(Response(415, {"Content-Type": "application/json"}, PACKED))
                return
            host = self.headers.get("Host") or "localhost"
            target = (
                self.path if self.path.startswith("http") else f"{owner.scheme}://{host}{self.path}"
            )
            try:
                # HEAD is a GET whose body stays here.
                method = "GET" if self.command == "HEAD" else self.command
                response = owner.answer(method, target, merge_headers(self.headers.items()), body)
            except Exception:
                owner.failures.append(traceback.format_exc())
                response = Response(500, {"Content-Type": "application/json"}, BROKEN)
            self._send(response)

        def _chunks(self) -> bytes:
            parts = []
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _send(self, response: Response) -> None:
            if response.fate == "drop":
                self._abort()
                return
            self.send_response(response.status, PHRASES.get(response.status))
            for name, value in response.headers.items():
                self.send_header(name, value)
            if response.stream is not None:
                self.send_header("Transfer-Encoding", "chunked")
            elif response.status not in (204, 304):
                self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            if response.stream is not None:
                self._go_on(response.body, response.stream)
                return
            if response.fate == "reset":
                self.wfile.write(response.body[: len(response.body) // 2])
                self.wfile.flush()
                self._abort()
                return
            if self.command != "HEAD" and response.status not in (204, 304):
                self.wfile.write(response.body)
            self.wfile.flush()

        def _go_on(self, first: bytes, stream: Stream) -> None:
            """An answer in chunks, for as long as it has something to say."""
            chunk, last = first, False
            try:
                while not owner.stopping:
                    if chunk:
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                        self.wfile.flush()
                    if last:
                        break
                    time.sleep(STREAM_STEP_S)
                    with owner.lock:
                        chunk, last = stream.poll()
                self.wfile.write(b"0\r\n\r\n")
            finally:
                with owner.lock:
                    stream.close()

        def _abort(self) -> None:
            """Reset the connection (RST): what a client sees of a lost request or reply."""
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.shutdown(socket.SHUT_RDWR)
            self.connection.close()

        def log_message(self, format: str, *args: Any) -> None:
            """Silence: the call log tells more."""

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = do_OPTIONS = handle_one

    return Handler
