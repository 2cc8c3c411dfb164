"""Time that moves only when somebody lets it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import msal.application
import msal.individual_cache
import msal.token_cache

#: A Friday. All histories begin here, so that a seed means the same on every day.
START = datetime(2026, 11, 20, 8, tzinfo=UTC)


class VirtualClock:
    """Wall time and monotonic seconds. ``skew``: how far a process's wall clock is off."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self._world = START

    def world(self) -> datetime:
        """The time of Exchange."""
        return self._world

    def forward(self, seconds: float) -> None:
        if seconds > 0.0:
            self.elapsed += seconds
            self._world = START + timedelta(seconds=self.elapsed)


class LibraryTime:
    """In place of the ``time`` module of libraries that take no clock: msal keeps refusals of the
    sign-in service, and tokens, by the machine's own."""

    def __init__(self, time: VirtualClock) -> None:
        self._time = time

    def time(self) -> float:
        return self._time.world().timestamp()

    def install(self) -> None:
        for module in (msal.application, msal.individual_cache, msal.token_cache):
            module.time = self


class ProcessClock:
    """The clock of one machine on which calsync runs (``calsync.ports.Clock``)."""

    def __init__(self, time: VirtualClock) -> None:
        self._time = time
        self.skew = timedelta(0)

    def now(self) -> datetime:
        return self._time.world() + self.skew

    def monotonic(self) -> float:
        return self._time.elapsed


class Patience(threading.Event):
    """A stop event: whoever waits on it lets virtual time pass."""

    def __init__(self, time: VirtualClock) -> None:
        super().__init__()
        self._time = time

    def wait(self, timeout: float | None = None) -> bool:
        if not self.is_set():
            self._time.forward(timeout or 0.0)
        return self.is_set()
