"""The ledger of notices: a row for each, and that row is what makes it leave at most once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from calsync.mapping.fingerprint import dumps, loads
from calsync.model import MAIL, Notice, NoticeKind, Person, Side
from calsync.ports import LONGEST_QUEUE, Clock, NoticeState, StoredNotice
from calsync.store import schema
from calsync.store.codec import (
    AHEAD,
    instant,
    micros,
    occupancy_ends,
    refusal_json,
    refusal_of,
    seconds_down,
    seconds_up,
)
from calsync.store.connection import Connection
from calsync.store.database import Database
from calsync.store.hiding import ERASED, NAMELESS
from calsync.store.statements import Statements, run_many

#: The columns of which ``notice_of`` makes a notice, in its order.
NOTICE_COLUMNS = (
    "id, pair_id, state, tries, kind, link_id, booking_key, revision, recipient, recipient_name,"
    " occupancy, refusal, was, cause, channel"
)
#: Why a notice is not sent that may have been sent already.
_WAITED = "it waited while calsync did not run; if a backup was restored, it was sent before"


class Ledger:
    """Safe to share between threads."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        text = Statements.of(is_sqlite=db.is_sqlite)
        self._marks: Callable[[int], str] = text.marks
        self._sql = text.sql
        self._put = text.insert(
            schema.notice,
            skip=["id"],
            ending="ON CONFLICT (booking_key, revision, recipient, kind) DO NOTHING",
        )

    def put(
        self,
        connection: Connection,
        pair_id: str,
        *,
        zone: str,
        at: int,
        notices: Sequence[Notice],
        doubtful: Sequence[Notice] = (),
    ) -> None:
        """Add those that are not there yet, within the caller's transaction."""
        rows = [_row(notice, pair_id, zone, at) for notice in notices]
        rows += [_row(notice, pair_id, zone, at, doubt=_WAITED) for notice in doubtful]
        run_many(connection, self._put, rows)

    def queue(
        self, pair_id: str, notices: Sequence[Notice], *, doubtful: Sequence[Notice] = ()
    ) -> int:
        """Add those that are not there yet; how many of ``notices``. None for a room that is not
        mapped."""
        pair = self._sql("SELECT zone FROM pair WHERE id = ? AND removed IS NULL")
        count = 0
        with self._db.write() as connection:
            zone = connection.exec_driver_sql(pair, (pair_id,)).scalar()
            if zone is None:
                return 0
            at = micros(self._clock.now())
            for notice in notices:
                row = _row(notice, pair_id, str(zone), at)
                count += connection.exec_driver_sql(self._put, row).rowcount
            rows = [_row(notice, pair_id, str(zone), at, doubt=_WAITED) for notice in doubtful]
            run_many(connection, self._put, rows)
        return count

    def claim(self, limit: int, *, closed: Collection[str] = frozenset()) -> list[StoredNotice]:
        """The oldest that are due, but for those of ``closed`` channels, moved to SENDING in one
        transaction."""
        at = self._clock.now()
        now = micros(at)
        where = "state = 'queued' AND (due <= ? OR changed_at > ?)"
        if closed:
            where += f" AND channel NOT IN ({self._marks(len(closed))})"
        values = (now, micros(at + AHEAD), *sorted(closed))
        any_due = self._sql(f"SELECT 1 FROM notice WHERE {where} LIMIT 1")
        with self._db.read() as connection:
            if connection.exec_driver_sql(any_due, values).first() is None:
                return []
        pick = self._sql(f"SELECT {NOTICE_COLUMNS} FROM notice WHERE {where} ORDER BY id LIMIT ?")
        mark = self._sql(
            "UPDATE notice SET state = 'sending', tries = tries + 1, changed_at = ? WHERE id = ?"
        )
        with self._db.write() as connection:
            rows = connection.exec_driver_sql(pick, (*values, limit)).all()
            run_many(connection, mark, [(now, row[0]) for row in rows])
        return [_stored(row, NoticeState.SENDING, row[3] + 1) for row in rows]

    def settle(
        self, notice_id: int, state: NoticeState, reason: str = "", *, wait: float = 0.0
    ) -> None:
        """Record what became of a notice; QUEUED means it may be tried again, in ``wait`` s."""
        sql = self._sql(
            "UPDATE notice SET state = ?, reason = ?, changed_at = ?, due = ? WHERE id = ?"
        )
        now = self._clock.now()
        due = micros(now + timedelta(seconds=wait)) if wait else 0
        about = self._sql("SELECT occupancy FROM notice WHERE id = ?")
        with self._db.write() as connection:
            connection.exec_driver_sql(sql, (state.value, reason, micros(now), due, notice_id))
            stored = connection.exec_driver_sql(about, (notice_id,)).scalar()
            if state is not NoticeState.QUEUED and stored is not None and loads(stored).private:
                nameless = self._sql(f"UPDATE notice SET {NAMELESS} WHERE id = ?")
                connection.exec_driver_sql(nameless, (notice_id,))

    def resend(self, notice_id: int) -> bool:
        """On an admin's word: one that failed, or of which nobody knows, is queued again."""
        sql = self._sql(
            "UPDATE notice SET state = 'queued', tries = 0, due = 0, queued_at = ?, changed_at = ?,"
            " reason = '' WHERE id = ? AND state IN ('failed', 'doubtful')"
            # As a value: in a statement with values PostgreSQL's driver reads a % as a placeholder.
            " AND recipient NOT LIKE ?"
        )
        now = micros(self._clock.now())
        values = (now, now, notice_id, f"{ERASED}%")
        with self._db.write() as connection:
            return connection.exec_driver_sql(sql, values).rowcount > 0

    def doubt(self, *, start: bool = True) -> int:
        """Everything left in SENDING becomes DOUBTFUL. At a ``start``, so does what has waited, for
        its first try or since its last one, for longer than a notice waits while calsync runs:
        where this database is a restored backup, it was sent in the life that the backup does not
        know. How many."""
        if not start and not self._any_sending():
            return 0
        now = self._clock.now()
        sending = self._sql(
            "UPDATE notice SET state = 'doubtful', changed_at = ?,"
            " reason = 'calsync ended while it was being sent' WHERE state = 'sending'"
        )
        waiting = self._sql(
            f"UPDATE notice SET state = 'doubtful', changed_at = ?, reason = '{_WAITED}'"
            " WHERE state = 'queued' AND changed_at < ?"
        )
        # The outbox of webhooks takes a message once, however often it is handed over.
        again = self._sql(
            "UPDATE notice SET state = 'queued', changed_at = ?"
            " WHERE state = 'sending' AND channel = 'webhooks'"
        )
        with self._db.write() as connection:
            connection.exec_driver_sql(again, (micros(now),))
            count = connection.exec_driver_sql(sending, (micros(now),)).rowcount
            if not start:
                return count
            old = (micros(now), micros(now - LONGEST_QUEUE))
            return count + connection.exec_driver_sql(waiting, old).rowcount

    def _any_sending(self) -> bool:
        sql = self._sql("SELECT 1 FROM notice WHERE state = 'sending' LIMIT 1")
        with self._db.read() as connection:
            return connection.exec_driver_sql(sql).first() is not None

    # --- what it is asked --------------------------------------------------------------------

    def told_since(self, since: datetime) -> list[tuple[str, str, str, datetime]]:
        """Pair, channel, recipient and time of what left, or may have, since then."""
        sql = self._sql(
            "SELECT pair_id, channel, recipient, changed_at FROM notice"
            " WHERE state IN ('sent', 'doubtful') AND tries > 0 AND changed_at > ? ORDER BY id"
        )
        with self._db.read() as connection:
            rows = connection.exec_driver_sql(sql, (micros(since),)).all()
        return [(p, c, r, instant(at)) for p, c, r, at in rows]

    def coming(self, now: datetime, ahead: timedelta) -> list[tuple[str, int]]:
        """Bookings of the platform that stand on both sides and may begin within ``ahead`` of
        ``now``: the id of the link, and when it was stored. The index answers it alone."""
        # Two halves, each a stretch of the index: what is long over is never looked at.
        one = f"SELECT id, stored_at FROM link WHERE {schema.COMING} AND starts <= ?"
        sql = self._sql(f"{one} AND ends > ? UNION ALL {one} AND ends IS NULL")
        soon = seconds_up(now + ahead)
        values = (soon, seconds_down(now), soon)
        with self._db.read() as connection:
            return [(i, at) for i, at in connection.exec_driver_sql(sql, values)]

    def has_live_part(self, pair_id: str, booking: str) -> bool:
        """Whether the booking, or any part of it (``KEY#part``), is still there."""
        sql = self._sql(
            "SELECT 1 FROM link WHERE pair_id = ? AND booking_presence <> 'gone'"
            " AND state <> 'buried' AND (booking_key = ? OR substr(booking_key, 1, ?) = ?) LIMIT 1"
        )
        part = f"{booking}#"
        with self._db.read() as connection:
            values = (pair_id, booking, len(part), part)
            return connection.exec_driver_sql(sql, values).first() is not None


def _row(
    notice: Notice, pair_id: str, zone: str, at: int, *, doubt: str = ""
) -> tuple[object, ...]:
    return (
        pair_id,
        notice.kind.value,
        notice.link_id,
        notice.booking_key,
        notice.revision,
        notice.recipient,
        notice.person.name,
        dumps(notice.occupancy),
        refusal_json(notice.refusal),
        occupancy_ends(notice.occupancy, zone),
        (NoticeState.DOUBTFUL if doubt else NoticeState.QUEUED).value,
        0,
        doubt,
        at,
        at,
        None if notice.was is None else dumps(notice.was),
        "" if notice.cause is None else notice.cause.value,
        notice.channel,
        0,
    )


def _stored(row: Sequence[object], state: NoticeState, tries: int) -> StoredNotice:
    return StoredNotice(
        id=int(str(row[0])), pair_id=str(row[1]), notice=notice_of(row), state=state, tries=tries
    )


def notice_of(row: Sequence[object]) -> Notice:
    """The notice of a row that begins with ``NOTICE_COLUMNS``."""
    kind, link_id, key, revision, recipient, name, content, refusal, was, cause, channel, *_ = row[
        4:
    ]
    return Notice(
        kind=NoticeKind(str(kind)),
        link_id=str(link_id),
        booking_key=str(key),
        revision=str(revision),
        person=Person(str(name), str(recipient) if channel == MAIL else ""),
        occupancy=loads(str(content)),
        refusal=refusal_of(None if refusal is None else str(refusal)),
        was=None if was is None else loads(str(was)),
        cause=Side(str(cause)) if cause else None,
        channel=str(channel),
    )
