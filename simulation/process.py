"""One calsync process as ``calsync serve`` builds it, on virtual time, that can die anywhere."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from random import Random
from typing import Any

from calsync import bootstrap
from calsync.engine.cycle import CycleReport
from calsync.errors import CalsyncError
from calsync.store.connection import Connection as DbConnection
from calsync.store.lease import ProcessLease


class Died(BaseException):
    """The process ends here. Nothing of calsync may catch it."""


class CallQueue:
    """In place of the worker's threads: calls wait here until the history runs one."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Callable[[], Any], Callable[[Any], None]]] = deque()

    def submit(self, run: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.waiting.append((run, done))

    def close(self) -> None:
        self.waiting.clear()


class Process:
    """``deaths``: the number of further points at which the process stops living; None = never.

    ``disk``: what the database's disk answers to the next writes, oldest first.
    """

    def __init__(
        self,
        name: str,
        system: bootstrap.System,
        *,
        rng: Callable[[], Random],
        before_write: Callable[[], None],
        after_write: Callable[[], None],
        wrote: Callable[[], None],
        on_report: Callable[[CycleReport], None],
    ) -> None:
        self.name, self.system = name, system
        self.calls = CallQueue()
        self.deaths: int | None = None
        self.disk: list[sqlite3.Error] = []
        self.points = 0
        self.sheltered = 0
        self.alive = True
        self._rng, self._before_write, self._after_write = rng, before_write, after_write
        self._wrote = wrote
        self.lease = ProcessLease(system.home.db, system.home.clock)
        self.worker = bootstrap.control_loop(system, self.lease, pool=self.calls, seed=0)
        self.worker.on_report = on_report
        self._watch_database()

    @property
    def home(self) -> bootstrap.Home:
        return self.system.home

    def start(self) -> None:
        """Raises AnotherProcess while another holds the database."""
        self.lease.acquire()
        self.worker.recover()

    # -- running ----------------------------------------------------------------------------

    def run(self, calls: int) -> int:
        """Work until ``calls`` calls were made or nothing is left to do now. How many were."""
        made = 0
        while self.alive and not self.worker.stop.is_set():
            self._local()
            if not self.calls.waiting or made >= calls:
                break
            self.call()
            made += 1
        return made

    def _local(self) -> None:
        """What needs no call: start what is due, take in every result."""
        while True:
            self.worker.step()
            if self.worker.idle:
                return

    def call(self) -> None:
        """One of the calls that wait, any of them."""
        waiting = self.calls.waiting
        waiting.rotate(self._rng().randrange(len(waiting)))
        run, done = waiting.popleft()
        try:
            result = run()
        except Exception as error:
            result = error
        done(result)

    def rest_due(self) -> float | None:
        """The monotonic time at which the worker wants to do something next."""
        return self.worker.next_due()

    # -- the end ----------------------------------------------------------------------------

    def point(self, where: str) -> None:
        """A place at which the process may die."""
        if self.sheltered:
            return
        self.points += 1
        if self.deaths is not None:
            self.deaths -= 1
            if self.deaths < 0:
                self.deaths = None
                raise Died(where)

    def vanish(self) -> None:
        """Gone, as after kill -9: nothing is given back, connections just end.

        That its number belongs to nobody any more is what the next process sees at once; here
        all processes have one number, so the row is taken away instead.
        """
        self.alive = False
        self.calls.waiting.clear()
        with self.shelter():
            self.lease.release()
        self.home.db.dispose()

    def stop(self) -> None:
        """An orderly end (SIGTERM)."""
        self.alive = False
        self.worker.stop.set()
        self.calls.waiting.clear()
        try:
            self.system.context.save_idle()
            self.lease.release()
        except CalsyncError:
            pass
        self.system.close()

    @contextmanager
    def shelter(self) -> Iterator[None]:
        """People use the API meanwhile: no death and no disk fault strikes them."""
        self.sheltered += 1
        try:
            yield
        finally:
            self.sheltered -= 1

    # -- the database -----------------------------------------------------------------------

    def _watch_database(self) -> None:
        db = self.home.db
        real: Callable[[], AbstractContextManager[DbConnection]] = db.write

        @contextmanager
        def write() -> Iterator[DbConnection]:
            if not self.sheltered:
                self._before_write()
            try:
                with real() as connection:
                    if self.disk and not self.sheltered:
                        raise self.disk.pop(0)
                    yield connection
                    self.point("before commit")
            finally:
                self._wrote()
            if not self.sheltered:
                self._after_write()
            self.point("after commit")

        db.write = write  # type: ignore[method-assign]  # a tap: where a process may die


def disk_error(code: int, words: str) -> sqlite3.Error:
    """What SQLite raises for ``code``."""
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    return error
