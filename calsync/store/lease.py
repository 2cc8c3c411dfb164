"""One calsync process per database: the second one says so and stops."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from calsync.errors import AnotherProcess, DatabaseBusy
from calsync.ports import Clock
from calsync.store.codec import instant, micros
from calsync.store.database import Database
from calsync.store.statements import Statements

#: How long a lease lasts without being renewed.
LEASE = timedelta(seconds=30)

Row = Sequence[Any]

_COLUMNS = "owner, host, place, pid, started, since, until"


class ProcessLease:
    """The right to work on a database. Acquire on start, renew every ten seconds, release at
    the end. A killed owner is noticed at once on the same machine, after 30 s on another."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._owner = uuid4().hex
        self._sql = Statements.of(is_sqlite=db.is_sqlite).sql

    @property
    def owner(self) -> str:
        """The name of this holder, for the leases of rooms."""
        return self._owner

    def acquire(self) -> None:
        """Take the lease. Raises AnotherProcess, with who holds it, while its owner lives."""
        now = micros(self._clock.now())
        until = micros(self._clock.now() + LEASE)
        pid = os.getpid()
        with self._db.write() as connection:
            row = connection.exec_driver_sql(f"SELECT {_COLUMNS} FROM process_lease").first()
            if row is not None and row[0] != self._owner and not _is_dead(row, now):
                raise _another(row, self._db.where)
            connection.exec_driver_sql("DELETE FROM process_lease")
            connection.exec_driver_sql(
                self._sql(
                    "INSERT INTO process_lease (id, owner, host, place, pid, started, since, until)"
                    " VALUES (1, ?, ?, ?, ?, ?, ?, ?)"
                ),
                (self._owner, socket.gethostname(), _place(), pid, _started(pid), now, until),
            )

    def renew(self) -> None:
        """Keep the lease for another 30 s. Raises AnotherProcess where it was lost meanwhile:
        this process must stop working then (the machine slept, or the clock leapt)."""
        until = micros(self._clock.now() + LEASE)
        sql = self._sql("UPDATE process_lease SET until = ? WHERE owner = ?")
        with self._db.write() as connection:
            if connection.exec_driver_sql(sql, (until, self._owner)).rowcount:
                return
        self.acquire()

    def release(self) -> None:
        """Give the lease back; harmless where it is not held. Where the database is locked it
        stays: it ends with this process, or by its time."""
        sql = self._sql("DELETE FROM process_lease WHERE owner = ?")
        with suppress(DatabaseBusy), self._db.write() as connection:
            connection.exec_driver_sql(sql, (self._owner,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that works on a database."""

    host: str
    pid: int
    since: datetime


def holder(db: Database, clock: Clock) -> Holder | None:
    """Who works on the database now; None where nobody does."""
    with db.read() as connection:
        row = connection.exec_driver_sql(f"SELECT {_COLUMNS} FROM process_lease").first()
    if row is None or _is_dead(row, micros(clock.now())):
        return None
    return Holder(host=row[1], pid=row[3], since=instant(row[5]))


def _another(row: Row, where: str) -> AnotherProcess:
    _, host, _, pid, _, since, _ = row
    began = instant(since).strftime("%Y-%m-%d %H:%M:%S UTC")
    return AnotherProcess(
        f"another calsync works on this database: process {pid} on {host}, since {began}",
        where=where,
        todo=f"Stop that one first (kill {pid} on {host}), or give this one another [database] url."
        f" If it is gone, wait {int(LEASE.total_seconds())} seconds",
    )


def _is_dead(row: Row, now: int) -> bool:
    """True where the lease ran out, or its owner is known to be gone."""
    _, _, place, pid, started, _, until = row
    if int(until) <= now:
        return True
    if place != _place():
        return False
    if started:
        # The number alone could have been given to another program since.
        return _started(pid) != str(started)
    return not _runs(pid)


def _place() -> str:
    """Names the set of process numbers that this process can see: one boot of one machine, and
    within it one container. Numbers of another place say nothing here."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{socket.gethostname()} {boot} {os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str:
    """When a process was started, as the kernel counts it; empty where it cannot be told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name of the program stands in brackets and may hold anything; state is the first
    # field after it and the start time the twentieth (proc(5)).
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def _runs(pid: int) -> bool:
    if os.name == "nt":
        # There os.kill ends the process, whatever the signal: its lease tells by its time.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
