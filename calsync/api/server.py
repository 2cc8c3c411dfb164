"""The API's HTTP server: uvicorn in a thread of its own, started and stopped by the worker."""

from __future__ import annotations

import socket
import threading

import uvicorn
from starlette.types import ASGIApp

from calsync.errors import UsageError


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
            lifespan="off",
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
            listener.listen(1024)
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
