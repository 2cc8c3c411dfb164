"""``calsync serve``: the worker and the HTTP API, in one process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import typer

from calsync import __version__
from calsync.cli.choke import INTERRUPTED
from calsync.cli.logs import start_logging
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, connected
from calsync.cli.output import print_json_line, print_line
from calsync.errors import StoreError
from calsync.settings import load

if TYPE_CHECKING:
    from calsync.api.server import ApiServer
    from calsync.bootstrap import Listening, System
    from calsync.worker.control import Worker


def serve(settings: SettingsPath = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """Sync all rooms and serve the HTTP API until stopped (Ctrl-C or SIGTERM).

    Stops within seconds; whatever was under way is looked up on the next start, so that even a
    kill loses nothing. One process works on a database at a time: a second one says so and
    ends. Where a platform is polled ([booking] kind = "http"), bookings are made there, and the API
    has health and metrics only. The API describes itself at /docs. With --json, one line is printed
    once it listens.
    """
    read = load(settings)
    start_logging(read.log)

    from calsync.worker.memory import few_holes

    few_holes()
    with connected(read) as system:
        from calsync.bootstrap import (
            build_deliveries,
            build_listening,
            build_worker,
            count_calls,
        )
        from calsync.store.lease import ProcessLease

        lease = ProcessLease(system.home.db, system.home.clock)
        lease.acquire()
        try:
            worker, triggers = build_worker(system, lease)
            deliveries = build_deliveries(system.home)
            listening = build_listening(system, worker)
            stops = _Stops(system, worker)
            server = _server(system, worker, listening)
            with stops.heard():
                server.start()
                try:
                    _announce(server.url, as_json=as_json)
                    triggers.start()
                    deliveries.start()
                    worker.run(read.worker.shutdown_grace)
                    triggers.shutdown()
                finally:
                    listening.stop()
                    deliveries.stop()
                    server.stop()
        finally:
            with suppress(StoreError):
                count_calls(system)
            lease.release()
    if stops.interrupted:
        raise typer.Exit(INTERRUPTED)


def _server(system: System, worker: Worker, listening: Listening) -> ApiServer:
    from calsync.api.app import create_app
    from calsync.api.limits import Limits
    from calsync.api.server import ApiServer
    from calsync.bootstrap import SyncStatus, build_vitals

    vitals, status = build_vitals(system, worker, listening), SyncStatus(system)
    app = create_app(
        system.home.bookings,
        now=system.home.clock.now,
        sync_status=status,
        trigger=worker.trigger,
        version=__version__,
        feed_keys=system.home.feeds,
        not_ready=vitals.not_ready,
        figures=vitals.metrics,
        limits=Limits(system.home.settings.api.requests_per_minute),
        mapped=status.mapped,
        bookings_here=system.remote is None,
    )
    api = system.home.settings.api
    return ApiServer(app, host=api.host, port=api.port)


def _announce(url: str, *, as_json: bool) -> None:
    if as_json:
        print_json_line({"url": url, "docs": f"{url}/docs", "version": __version__})
    else:
        print_line(f"calsync {__version__} serves its API at {url} (described at {url}/docs).")


class _Stops:
    """SIGTERM and Ctrl-C end every wait; a second Ctrl-C ends the process at once."""

    def __init__(self, system: System, worker: Worker) -> None:
        self._system, self._worker = system, worker
        self.interrupted = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        old = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        for number in old:
            signal.signal(number, self._stop)
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.interrupted = number == signal.SIGINT
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._worker.stop.set()
        self._system.stop.set()
        self._system.home.db.hurry()
        # Wakes the control loop from its wait.
        self._worker.tick()
