"""Figures of a running calsync: calls per mailbox and day, and how long acts take to arrive."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from statistics import median

from calsync.ports import AuditStep
from calsync.store.codec import instant, micros
from calsync.store.database import Database
from calsync.store.statements import Statements, run_many

#: Days of calls that are kept.
_KEEP = 60
#: Newest lines of history that lag is taken from: a bounded look, however old the database is.
_LOOK = 5_000
_ARRIVED = frozenset(
    f"{kind}: confirmed"
    for kind in ("create event", "create booking", "change event", "change booking")
)


class Figures:
    """Counts calls, and reads lag from the history of bookings."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._sql = Statements.of(is_sqlite=db.is_sqlite).sql

    def count(self, calls: Mapping[str, int], now: datetime) -> None:
        """Add calls by mailbox to today's (UTC). Those of mailboxes that are no mapped room's are
        let go: they are people's."""
        if not calls:
            return
        put = self._sql(
            "INSERT INTO mailbox_calls (mailbox, day, calls) VALUES (?, ?, ?)"
            " ON CONFLICT (mailbox, day) DO UPDATE SET calls = mailbox_calls.calls + excluded.calls"
        )
        old = self._sql("DELETE FROM mailbox_calls WHERE day < ?")
        today = _day(now)
        with self._db.write() as connection:
            rooms = set(connection.exec_driver_sql("SELECT mailbox FROM pair").scalars())
            named = ((box.lower(), count) for box, count in calls.items())
            rows = [(box, today, count) for box, count in named if box in rooms]
            run_many(connection, put, rows)
            connection.exec_driver_sql(old, (today - _KEEP,))

    def calls(self, now: datetime) -> dict[str, tuple[int, int]]:
        """By mailbox: calls of today so far, and of yesterday (UTC)."""
        today = _day(now)
        sql = self._sql("SELECT mailbox, day, calls FROM mailbox_calls WHERE day IN (?, ?)")
        found: dict[str, tuple[int, int]] = {}
        with self._db.read() as connection:
            for box, day, count in connection.exec_driver_sql(sql, (today, today - 1)):
                one, other = found.get(box, (0, 0))
                found[box] = (count, other) if day == today else (one, count)
        return found

    def lag(self, now: datetime) -> dict[str, float]:
        """By pair: seconds from an act of people on one side until the other side had it; the
        median of the last day, taken from the newest lines of history. Pairs without are left
        out. The clocks of both sides are in it."""
        sql = self._sql(
            "SELECT at, pair_id, link_id, step, what FROM audit WHERE at >= ?"
            " ORDER BY id DESC LIMIT ?"
        )
        since = micros(now - timedelta(days=1))
        with self._db.read() as connection:
            rows = connection.exec_driver_sql(sql, (since, _LOOK)).all()
        acted: dict[str, datetime] = {}
        spans: dict[str, list[float]] = {}
        for at, pair_id, link_id, step, what in reversed(rows):
            if step == AuditStep.ACT.value:
                acted[link_id] = instant(at)
            elif step == AuditStep.CONFIRMATION.value and what in _ARRIVED:
                began = acted.pop(link_id, None)
                if began is not None:
                    seconds = (instant(at) - began).total_seconds()
                    spans.setdefault(pair_id, []).append(max(0.0, seconds))
        return {pair_id: median(found) for pair_id, found in spans.items()}


def _day(at: datetime) -> int:
    return (at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
