"""The API's HTTP server: uvicorn in a thread of its own, started and stopped by the worker."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import threading
from typing import Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from calsync.errors import UsageError

log = logging.getLogger("calsync.api")

#: Connections at once; fewer where the process may open few files (a quarter of those), so that
#: a flood never takes the files that the database and the calls to the calendars need.
MAX_CONNECTIONS: Final = 500
#: Seconds within which the head of a request must have come; its body; and within which a client
#: must have taken the answer.
HEAD_WITHIN: Final = 10.0
BODY_WITHIN: Final = 30.0
ANSWER_WITHIN: Final = 60.0
#: Connections taken in one go. Where files run out, asyncio (3.11) tries, and logs, this often.
_BACKLOG: Final = 64
_ANSWER: Final = "answer"


class ApiServer:
    """Serves ``app`` on ``host``:``port`` (0 = any free port). ``start`` returns when it listens.

    ``stop`` ends within two seconds, whatever clients do. The access log is off: addresses
    hold ids.
    """

    def __init__(
        self, app: ASGIApp, host: str = "127.0.0.1", port: int = 0, *, access_log: bool = False
    ) -> None:
        self._host = host
        self._port = port
        config = uvicorn.Config(
            app,
            log_level="warning",
            log_config=None,
            access_log=access_log,
            server_header=False,
            # Where a request came from is what the connection says: headers are anybody's to write.
            proxy_headers=False,
            ws="none",
            lifespan="off",
            http=_Bounded,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=64 * 1024,
        )
        self._server = _Server(config)
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where it listens, such as http://127.0.0.1:8080; valid once started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def start(self) -> None:
        """Raises UsageError where the address cannot be used."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # asyncio turns Nagle's algorithm off only where the protocol is named; with it every
        # answer (headers and body are two writes) would wait 40 ms for a delayed ACK.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise UsageError(
                f"cannot listen there: {error.strerror}",
                where=f"{self._host}:{self._port}",
                todo="End what listens there, or set another [api] host and port",
            ) from error
        self._socket = listener
        self._port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="calsync-api", daemon=True
        )
        self._thread.start()
        self._server.listening.wait(10.0)

    def stop(self) -> None:
        if self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(1.5)
        if self._thread.is_alive():
            self._server.force_exit = True
            self._thread.join(0.5)
        self._thread = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class _Bounded(H11Protocol):
    """One connection. One too many, or one that does not get to the end of what it began (a head,
    a body, taking an answer), is closed without a word."""

    #: When more was last said about connections that were turned away (loop time).
    _said = float("-inf")
    _deadline: asyncio.TimerHandle | None = None
    _due = ""

    def connection_made(  # type: ignore[override]  # uvicorn narrows asyncio's own type, too
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            self._say_full()
            transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def shutdown(self) -> None:
        """The server ends. A stream never would by itself: it is cut, and its client comes back."""
        if self._streams():
            self.transport.close()
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size():
            # A closed transport waits for its reader for ever.
            self.transport.abort()

    def _watch(self) -> None:
        """Set the time by which the next step must be done; a step under way keeps its own."""
        due, seconds = self._next_step()
        if due != self._due or not due:
            self._stop_waiting()
            self._due = due
            if due:
                self._deadline = self.loop.call_later(seconds, self._overdue)

    def _overdue(self) -> None:
        # That an answer is a stream shows only after its time was set.
        if self._due != _ANSWER or not self._streams():
            self.transport.abort()

    def _streams(self) -> bool:
        """The answer under way said that it has no end (``request.state.streams``)."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        return bool(cycle.scope.get("state", {}).get("streams"))

    def _next_step(self) -> tuple[str, float]:
        their = self.conn.their_state
        if self.transport.is_closing():
            return "", 0.0
        if self.flow is not None and self.flow.write_paused:
            return "taking" if self._streams() else _ANSWER, ANSWER_WITHIN
        if their is h11.SEND_BODY:
            return "body", BODY_WITHIN
        if their is h11.IDLE:
            # Between two requests uvicorn's own timer runs; it ends with the next first byte.
            return ("", 0.0) if self.timeout_keep_alive_task is not None else ("head", HEAD_WITHIN)
        answered = self.cycle is None or self.cycle.response_complete
        return ("", 0.0) if answered or self._streams() else (_ANSWER, ANSWER_WITHIN)

    def _stop_waiting(self) -> None:
        self._due = ""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _say_full(self) -> None:
        """Once a minute: a flood must not fill the disk with its log."""
        if self.loop.time() - _Bounded._said >= 60.0:
            _Bounded._said = self.loop.time()
            log.warning("More than %d connections to the API: closing new ones", most_connections())


def most_connections() -> int:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CONNECTIONS if files < 0 else min(MAX_CONNECTIONS, files // 4)


class _Server(uvicorn.Server):
    """Tells when it listens. (Signals are the worker's: uvicorn leaves them alone outside of
    the main thread.)"""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.listening.set()
