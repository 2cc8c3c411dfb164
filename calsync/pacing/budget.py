"""Budgets: how many calls may run at once and in any span of time, per mailbox and in all.

Exchange Online allows an app 4 calls at a time and 10,000 calls in 10 minutes per mailbox, and
130,000 in 10 seconds in all (Microsoft Graph, "Service-specific throttling limits"). Calls made
while throttled still count, so waiting beforehand is cheaper than being refused.

All times are seconds of a monotonic clock, given by the caller. Nothing here is thread-safe:
the wrapper that shares a budget between threads holds its own lock.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

#: A window is counted in this many buckets: a count is exact to a 60th of its window, and a
#: mailbox costs a few numbers however many calls it makes.
_BUCKETS = 60
#: Buckets that may hold a call that still counts: those of a window, the one that leaves it, and
#: one more where a bucket's border is rounded.
_HELD = _BUCKETS + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """``in_flight`` calls at once (math.inf = no limit); ``calls`` in any ``window`` seconds."""

    in_flight: float
    calls: int
    window: float

    def __post_init__(self) -> None:
        if self.in_flight < 1 or self.calls < 1 or self.window <= 0:
            raise ValueError("a limit lets at least one call through")


#: Outlook service, per app and mailbox.
MAILBOX = Limit(in_flight=4, calls=10_000, window=600.0)
#: All of Graph, per app over all tenants.
WHOLE = Limit(in_flight=math.inf, calls=130_000, window=10.0)
#: An Exchange Server, per account: at most 10 open requests (EWS throttling; EWSMaxConcurrency is
#: 10 or 27, and no client can ask which). Its other budgets it tells only when they are used up.
EWS_WHOLE = Limit(in_flight=10, calls=100_000, window=60.0)


class Budget:
    """What one mailbox (or the whole app) may still do.

    A bucket's calls count until the whole bucket has left the window, so no window of any
    position can hold more than ``limit.calls``.
    """

    __slots__ = (
        *("_blocked", "_counts", "_in_flight", "_newest", "_oldest", "_recent", "_width"),
        "limit",
    )

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._width = limit.window / _BUCKETS
        # Bucket number n, of the span from n to n + 1 widths, counts at n % _HELD. A ring of fixed
        # size: a list that grows and shrinks leaves holes in the heap, one for each mailbox.
        self._counts = array("I", bytes(4 * _HELD))
        self._oldest = self._newest = 0
        self._recent = 0
        self._in_flight = 0
        self._blocked = -math.inf

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def ready_at(self, now: float, *, slots: int = 1, calls: int = 1) -> float:
        """When it makes sense to ask again: ``now`` itself, a later time, or ``inf`` where only
        a call that ends can make room. Changes nothing. A request for more than the limit holds
        is treated as one for all of it, else it could never run."""
        calls = min(calls, self.limit.calls)
        if self._in_flight + min(slots, self.limit.in_flight) > self.limit.in_flight:
            return math.inf
        at = max(now, self._blocked)
        over = self._recent + calls - self.limit.calls
        number = self._oldest
        # (What has left the window already goes first, and names a time that has passed.)
        while over > 0:
            over -= self._counts[number % _HELD]
            number += 1
        return max(at, self._leaves(number - 1)) if number > self._oldest else at

    def take(self, now: float, *, slots: int = 1, calls: int = 1) -> None:
        """Count calls that start now. The caller has asked ``ready_at`` at the same ``now``."""
        self._forget(now)
        self._in_flight += slots
        self._newest = max(self._newest, math.floor(now / self._width))
        if not self._recent:
            self._oldest = self._newest
        self._counts[self._newest % _HELD] += calls
        self._recent += calls

    def give(self, *, slots: int = 1) -> None:
        """Calls that ended."""
        if slots > self._in_flight:
            raise ValueError("more calls ended than were begun")
        self._in_flight -= slots

    def block(self, until: float) -> None:
        """Nothing starts before ``until`` (from Retry-After). An earlier time never shortens."""
        self._blocked = max(self._blocked, until)

    def idle(self, now: float) -> bool:
        """True where nothing is remembered that a new budget would not know."""
        self._forget(now)
        return not self._in_flight and not self._recent and self._blocked <= now

    def _leaves(self, number: int) -> float:
        """When the last call that a bucket can hold has left the window."""
        return (number + 1) * self._width + self.limit.window

    def _forget(self, now: float) -> None:
        while self._recent and self._leaves(self._oldest) <= now:
            slot = self._oldest % _HELD
            self._recent -= self._counts[slot]
            self._counts[slot] = 0
            self._oldest += 1
