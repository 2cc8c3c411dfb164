"""What ``calsync serve`` needs and has open, from the outside: /proc, its files, its database."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_MB = 1024 * 1024
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look. ``at``: seconds since people began to act. Sizes in MB.

    ``open_effects``: writes in the outbox without an outcome; ``unsettled``: bookings about which
    something is still to be done; ``oldest_s``: how long the room that has differed longest does
    so; ``differing``: rooms that differ now; ``halted``: rooms that wait for their admin.
    ``calls``, ``errors``: of calsync to the tenant so far; ``violations``: found so far.
    """

    at: float
    rss_mb: float
    anon_mb: float
    files: int
    threads: int
    cpu_s: float
    database_mb: float
    wal_mb: float
    open_effects: int = 0
    unsettled: int = 0
    pending: int = 0
    halted: int = 0
    oldest_s: float = 0.0
    differing: int = 0
    acts: int = 0
    calls: int = 0
    errors: int = 0
    violations: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    rss_mb: float
    anon_mb: float
    files: int
    threads: int
    cpu_s: float


def process(pid: int) -> Process:
    """Raises OSError where it is gone."""
    status = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    )
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return Process(
        rss_mb=int(status["VmRSS"].split()[0]) / 1024,
        anon_mb=int(status["RssAnon"].split()[0]) / 1024,
        files=len(os.listdir(f"/proc/{pid}/fd")),
        threads=int(status["Threads"]),
        # utime and stime are fields 14 and 15 of stat, counted from the number (proc(5)).
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS,
    )


def size_mb(path: Path) -> float:
    try:
        return path.stat().st_size / _MB
    except OSError:
        return 0.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """What calsync itself says is still to be done. Never part of the verdict on bookings."""

    open_effects: int
    unsettled: int
    pending: int
    halted: int


_BACKLOG = (
    "SELECT (SELECT COUNT(*) FROM effect), (SELECT COUNT(*) FROM link WHERE unsettled),"
    " (SELECT COUNT(*) FROM hub_booking WHERE status = 'pending'),"
    " (SELECT COUNT(*) FROM room_sync WHERE halted <> '')"
)


def backlog(database: Path) -> Backlog:
    with closing(
        sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10)
    ) as connection:
        return Backlog(*connection.execute(_BACKLOG).fetchone())


def rooms_in_trouble(database: Path) -> list[str]:
    """Rooms that wait for their admin or whose last cycle failed, and why, in words."""
    sql = (
        "SELECT room_id, halted, error FROM room_sync JOIN pair ON pair.id = pair_id"
        " WHERE halted <> '' OR error <> '' ORDER BY room_id"
    )
    with closing(
        sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10)
    ) as connection:
        return [
            f"{room} {'waits for its admin' if halted else 'failed last'}: {halted or error}"
            for room, halted, error in connection.execute(sql)
        ]


class Differing:
    """Since when each room shows something else on its two sides."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def note(self, room: str, *, equal: bool) -> None:
        if equal:
            self._since.pop(room, None)
        else:
            self._since.setdefault(room, time.monotonic())

    def now(self) -> tuple[int, float]:
        """How many differ, and for how many seconds the one that has done so longest."""
        held = list(self._since.values())
        return len(held), time.monotonic() - min(held) if held else 0.0
