"""The thread that sends webhooks: it looks at the change feed, and hands messages to a pool.

A slow receiver holds up nobody else: an endpoint has at most one message under way, and the pool
has more threads than that takes in the usual case.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from calsync.errors import CalsyncError
from calsync.worker.pool import Pool

log = logging.getLogger("calsync.webhooks")

#: Seconds between two looks at what is due; and at the newest change number, which is in memory.
LOOK_EVERY = 1.0
GLANCE_EVERY = 0.05
#: Seconds after an error of our own, such as a locked database.
AFTER_ERROR = 5.0


class ToSend(Protocol):
    @property
    def endpoint_id(self) -> str: ...


class Office(Protocol):
    """Where messages are made and sent; see ``adapters.webhooks.post``."""

    def fan_out(self) -> bool: ...

    def due(self, busy: Collection[str]) -> Sequence[Any]: ...

    def deliver(self, message: Any) -> None: ...


class Deliveries:
    """Started and stopped by ``calsync serve``. What is under way at a stop is sent again.

    ``newest`` gives the newest change number: it is looked at often, the database seldom.
    """

    def __init__(
        self, office: Office, *, newest: Callable[[], int] = lambda: 0, threads: int = 8
    ) -> None:
        self._office = office
        self._newest = newest
        self._threads = threads
        self._pool: Pool | None = None
        self._busy: set[str] = set()
        #: When each endpoint was last served: those with dead receivers must not starve the rest.
        self._served: dict[str, float] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._pool = Pool(self._threads, "calsync-webhook")
        self._thread = threading.Thread(target=self._run, name="calsync-webhooks", daemon=True)
        self._thread.start()

    def stop(self, grace: float = 1.0) -> None:
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(grace)
        if self._pool is not None:
            self._pool.close()

    def wake(self) -> None:
        """Something changed: look now."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                seen = self._newest()
                more = self._office.fan_out()
                self._send()
            except CalsyncError as error:
                log.error("Webhooks wait: %s", error)
                self._stop.wait(AFTER_ERROR)
            except Exception:
                log.exception("Webhooks: something unforeseen went wrong")
                self._stop.wait(AFTER_ERROR)
            else:
                if not more:
                    self._rest(seen)

    def _rest(self, seen: int) -> None:
        """Until somebody calls, something changes, or it is time to look what is due."""
        until = time.monotonic() + LOOK_EVERY
        while time.monotonic() < until and not self._wake.wait(GLANCE_EVERY):
            try:
                if self._newest() != seen:
                    return
            except CalsyncError:
                return  # the look that follows says what is wrong

    def _send(self) -> None:
        with self._lock:
            busy = frozenset(self._busy)
        if len(busy) >= self._threads:
            return
        assert self._pool is not None
        waiting = sorted(self._office.due(busy), key=lambda m: self._served.get(m.endpoint_id, 0.0))
        for message in waiting[: self._threads - len(busy)]:
            self._served[message.endpoint_id] = time.monotonic()
            with self._lock:
                self._busy.add(message.endpoint_id)
            self._pool.submit(self._call(message), self._done(message))

    def _call(self, message: ToSend) -> Callable[[], None]:
        return lambda: self._office.deliver(message)

    def _done(self, message: ToSend) -> Callable[[Any], None]:
        def done(result: Any) -> None:
            if isinstance(result, CalsyncError):
                log.error("Webhook %s waits: %s", message.endpoint_id, result)
            elif isinstance(result, Exception):
                log.error(
                    "Webhook %s: something unforeseen went wrong",
                    message.endpoint_id,
                    exc_info=result,
                )
            if isinstance(result, Exception):
                # Nothing was settled: not again in the same breath.
                self._stop.wait(AFTER_ERROR)
            with self._lock:
                self._busy.discard(message.endpoint_id)
            self._wake.set()

        return done
