"""When a kill strikes: at random, or at one of the moments at which least is certain."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Event

from soak.gate import MOMENTS, READS, WRITES, Moment
from soak.site import Site

#: Of a hundred kills, how many are of which sort.
DECK = {
    "during a write": 56,
    "during a read": 12,
    "during a commit": 10,
    "during a request to the API": 8,
    "while it starts": 6,
    "while it stops": 3,
    "at random": 5,
}
#: Seconds for which an aim waits for its rarest calls, for any of its sort, and for anything.
_RAREST_S, _SORT_S, _ANY_S = 1.5, 3.0, 6.0


class Aims:
    """Deals the sorts of kills and carries each out. ``kills`` counts what struck when."""

    def __init__(self, site: Site, chance: random.Random, asking: Event) -> None:
        self.kills: Counter[str] = Counter()
        self._site, self._chance, self._asking = site, chance, asking
        self._deck: list[str] = []
        self._calls = _CallAim(site, chance, self.kills)
        if site.gate is not None:
            site.gate.listener = self._calls.heard

    def deal(self) -> str:
        if not self._deck:
            self._deck = [sort for sort, copies in DECK.items() for _ in range(copies)]
            self._chance.shuffle(self._deck)
        return self._deck.pop()

    def strike(self, sort: str) -> None:
        """End a process that is up (``while it starts``: that was launched)."""
        do: dict[str, Callable[[], str]] = {
            "during a write": lambda: self._calls.strike(WRITES),
            "during a read": lambda: self._calls.strike(READS),
            "during a commit": self._commit,
            "during a request to the API": self._request,
            "while it starts": lambda: self._wait(0.0, 0.9),
            "while it stops": self._stop,
            "at random": lambda: self._wait(0.0, 1.2),
        }
        struck = do[sort]()
        self._site.send(signal.SIGKILL)
        self.kills[struck or sort] += 1

    def _wait(self, low: float, high: float) -> str:
        time.sleep(self._chance.uniform(low, high))
        return ""

    def _stop(self) -> str:
        self._wait(0.0, 0.5)
        self._site.send(signal.SIGTERM)
        return self._wait(0.0, 0.25)

    def _request(self) -> str:
        self._asking.clear()
        if not self._asking.wait(_ANY_S):
            return "at random"
        return self._wait(0.0, 0.015)

    def _commit(self) -> str:
        """Strike when the write-ahead log grows: a commit's pages are being written."""
        wal, skip = Path(f"{self._site.database}-wal"), self._chance.randrange(12)
        self._wait(0.0, 0.5)
        before, until = _size(wal), time.monotonic() + _ANY_S
        while time.monotonic() < until:
            now = _size(wal)
            if now != before:
                before, skip = now, skip - 1
                if skip < 0:
                    return ""
            time.sleep(0)
        return "at random"


def _size(path: Path) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


class _CallAim:
    """Strikes on the thread of the call it is aimed at, while calsync waits for the answer."""

    def __init__(self, site: Site, chance: random.Random, kills: Counter[str]) -> None:
        self._site, self._chance, self._kills = site, chance, kills
        self._lock = threading.Lock()
        self._sort: tuple[str, ...] = ()
        self._since = 0.0
        self._struck = ""
        self._done = Event()

    def strike(self, sort: tuple[str, ...]) -> str:
        with self._lock:
            self._sort, self._since, self._struck = sort, time.monotonic(), ""
            self._done.clear()
        self._done.wait(_ANY_S)
        with self._lock:
            self._sort = ()
            return self._struck or "at random"

    def heard(self, operation: str, moment: Moment) -> bool:
        """The gate's listener. False where nobody hears the rest of the call."""
        with self._lock:
            if not self._sort or not self._wanted(operation, moment):
                return True
            self._sort, self._struck = (), _cell(operation, moment)
        if moment == "answered":
            # The answer is read, and what came of it is being stored.
            time.sleep(self._chance.uniform(0.0, 0.012))
        self._site.send(signal.SIGKILL)
        self._done.set()
        # A call on its way may still be carried out after its caller is dead, or may not.
        return moment == "arrived" and self._chance.random() < 0.5

    def _wanted(self, operation: str, moment: Moment) -> bool:
        waited = time.monotonic() - self._since
        if operation not in self._sort:
            return waited > _SORT_S
        if waited > _RAREST_S:
            return True
        counts = {_cell(op, at): self._kills[_cell(op, at)] for op in self._sort for at in MOMENTS}
        return counts[_cell(operation, moment)] <= sorted(counts.values())[len(counts) // 2]


def _cell(operation: str, moment: Moment) -> str:
    return f"{operation}, {moment}"
