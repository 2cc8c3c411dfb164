"""Graph's Outlook limits: per application and mailbox, calls at once and calls in ten minutes.

Numbers from the Graph throttling-limits page; both can be set lower by the control interface.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass, field

WINDOW_S = 600
TICK = 10_000_000


@dataclass(slots=True)
class Throttle:
    """Counts calls. `enter` and `leave` may come from many threads.

    The rest runs under the front's lock.
    """

    concurrent: int = 4
    per_window: int = 10_000
    retry_after_s: float = 10.0
    running: Counter[tuple[str, str]] = field(default_factory=Counter)
    seen: dict[tuple[str, str], deque[int]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, app: str, mailbox: str) -> bool:
        """Note a call that begins; False when it is one too many for the mailbox."""
        key = (app, mailbox)
        with self.lock:
            self.running[key] += 1
            self.most[mailbox] = max(self.most[mailbox], self.running[key])
            return self.running[key] <= self.concurrent

    def leave(self, app: str, mailbox: str) -> None:
        """Note that a call ended, refused or not."""
        with self.lock:
            self.running[(app, mailbox)] -= 1
            if not self.running[(app, mailbox)]:
                del self.running[(app, mailbox)]

    def count(self, app: str, mailbox: str, tick: int) -> bool:
        """Count a call against the ten minutes; refused calls count too. False: over the limit."""
        times = self.seen.get((app, mailbox))
        if times is None:
            times = self.seen[(app, mailbox)] = deque()
        times.append(tick)
        oldest = tick - WINDOW_S * TICK
        while times and times[0] <= oldest:
            times.popleft()
        return len(times) <= self.per_window

    def show(self) -> dict[str, object]:
        """Settings and counters."""
        return {
            "concurrent": self.concurrent,
            "per_window": self.per_window,
            "retry_after_s": self.retry_after_s,
            "refused": dict(self.refused),
            "most_at_once": dict(self.most),
        }
