"""Webhooks in SQL: endpoints, and the outbox of messages to them.

Keeps the Protocol of ``calsync.adapters.webhooks.repository``. A running calsync and the command
line write the same rows, so each changes only what it means to, or reads first under the write
lock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from calsync.mapping.webhook_values import Backlog, Endpoint, Message, MessageState
from calsync.pacing.schedule import LONGEST
from calsync.store import schema as t
from calsync.store.codec import AHEAD, instant, maybe_instant, maybe_micros, micros
from calsync.store.connection import Connection, Row
from calsync.store.database import Database
from calsync.store.statements import Statements, run_many, select_all

_ENDPOINTS = select_all(t.webhook_endpoint)
_MESSAGES = select_all(t.webhook_message)
_QUEUED = f"state = '{MessageState.QUEUED.value}'"


class SqlWebhookStore:
    """Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._db = database
        text = Statements.of(is_sqlite=database.is_sqlite)
        self._sql = text.sql
        self._put = text.upsert(t.webhook_endpoint)
        self._insert = text.insert(t.webhook_message, skip=("number",))
        self._insert_new = f"{self._insert} ON CONFLICT (id) DO NOTHING"

    # --- endpoints ---

    def endpoints(self) -> list[Endpoint]:
        with self._db.glance() as c:
            rows = c.exec_driver_sql(f"{_ENDPOINTS} ORDER BY created, id").all()
        return [_endpoint(row) for row in rows]

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        with self._db.glance() as c:
            return self._one(c, endpoint_id)

    def add(self, endpoint: Endpoint) -> None:
        with self._db.write() as c:
            c.exec_driver_sql(self._put, _endpoint_values(endpoint))

    def change(self, endpoint_id: str, make: Callable[[Endpoint], Endpoint]) -> Endpoint | None:
        """Put what ``make`` makes of it in its place; None where there is none."""
        with self._db.write() as c:
            held = self._one(c, endpoint_id)
            if held is None:
                return None
            made = make(held)
            c.exec_driver_sql(self._put, _endpoint_values(made))
        return made

    def remove(self, endpoint_id: str) -> bool:
        """With all its messages."""
        delete = self._sql(f"DELETE FROM {t.webhook_endpoint.name} WHERE id = ?")
        with self._db.write() as c:
            return c.exec_driver_sql(delete, (endpoint_id,)).rowcount > 0

    def _one(self, c: Connection, endpoint_id: str) -> Endpoint | None:
        row = c.exec_driver_sql(self._sql(f"{_ENDPOINTS} WHERE id = ?"), (endpoint_id,)).first()
        return None if row is None else _endpoint(row)

    # --- messages ---

    def advance(
        self, endpoint_id: str, *, before: int, after: int, messages: Sequence[Message]
    ) -> bool:
        """Queue ``messages`` and move the endpoint's position, both or neither; False where
        somebody else moved, disabled or removed it meanwhile."""
        move = self._sql(
            f"UPDATE {t.webhook_endpoint.name} SET position = ?"
            " WHERE id = ? AND position = ? AND disabled IS NULL"
        )
        with self._db.write() as c:
            if not c.exec_driver_sql(move, (after, endpoint_id, before)).rowcount:
                return False
            run_many(c, self._insert, [_message_values(m) for m in messages])
        return True

    def queue(self, messages: Sequence[Message]) -> None:
        """Queue those whose id is not known yet."""
        if messages:
            with self._db.write() as c:
                run_many(c, self._insert_new, [_message_values(m) for m in messages])

    def due(self, now: datetime, *, busy: Collection[str]) -> list[Message]:
        """The oldest message that is due of each endpoint that may be sent to and is not busy."""
        free = self._sql(
            f"SELECT id FROM {t.webhook_endpoint.name}"
            " WHERE disabled IS NULL AND (paused IS NULL OR paused <= ? OR paused > ?)"
        )
        oldest = self._sql(
            f"{_MESSAGES} WHERE endpoint_id = ? AND {_QUEUED} AND (due <= ? OR changed > ?)"
            " ORDER BY number LIMIT 1"
        )
        at, ahead = micros(now), micros(now + AHEAD)
        longest = micros(now + timedelta(seconds=LONGEST) + AHEAD)
        with self._db.read() as c:
            ids = [i for i in c.exec_driver_sql(free, (at, longest)).scalars() if i not in busy]
            rows = [c.exec_driver_sql(oldest, (i, at, ahead)).first() for i in ids]
        return [_message(row) for row in rows if row is not None]

    def settle(self, message: Message) -> None:
        """Store what became of a try."""
        update = self._sql(
            f"UPDATE {t.webhook_message.name} SET due = ?, changed = ?, state = ?, tries = ?,"
            " status = ?, reason = ? WHERE id = ?"
        )
        values = (
            *(micros(message.due), micros(message.changed), message.state.value),
            *(message.tries, message.status, message.reason, message.id),
        )
        with self._db.write() as c:
            c.exec_driver_sql(update, values)

    def messages(self, endpoint_id: str, limit: int) -> list[Message]:
        """Newest first."""
        sql = self._sql(f"{_MESSAGES} WHERE endpoint_id = ? ORDER BY number DESC LIMIT ?")
        with self._db.glance() as c:
            return [_message(row) for row in c.exec_driver_sql(sql, (endpoint_id, limit))]

    def replay(
        self,
        endpoint_id: str,
        now: datetime,
        *,
        since: datetime | None = None,
        message_id: str | None = None,
    ) -> int:
        """Queue again: one message, all about changes since a time, or all that failed."""
        where, values = f"state = '{MessageState.FAILED.value}'", list[object]()
        if message_id is not None:
            where, values = "id = ?", [message_id]
        elif since is not None:
            where, values = "at >= ?", [micros(since)]
        at = micros(now)
        update = self._sql(
            f"UPDATE {t.webhook_message.name} SET state = '{MessageState.QUEUED.value}', tries = 0,"
            f" due = ?, changed = ? WHERE endpoint_id = ? AND {where}"
        )
        with self._db.write() as c:
            return c.exec_driver_sql(update, (at, at, endpoint_id, *values)).rowcount

    def backlogs(self) -> dict[str, Backlog]:
        sql = (
            "SELECT endpoint_id, state, count(*), min(at)"
            f" FROM {t.webhook_message.name} GROUP BY endpoint_id, state"
        )
        with self._db.glance() as c:
            rows = c.exec_driver_sql(sql).all()
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for endpoint_id, state, count, oldest in rows:
            found.setdefault(endpoint_id, {})[state] = (count, oldest)
        return {i: _backlog(states) for i, states in found.items()}

    def delivered_since(self, endpoint_id: str, since: datetime) -> bool:
        """Whether the receiver took anything since then."""
        sql = self._sql(
            f"SELECT 1 FROM {t.webhook_message.name} WHERE endpoint_id = ? AND changed >= ?"
            f" AND state = '{MessageState.DELIVERED.value}' LIMIT 1"
        )
        with self._db.glance() as c:
            found = c.exec_driver_sql(sql, (endpoint_id, micros(since))).first()
        return found is not None

    def purge(self, before: datetime) -> int:
        """Drop messages that came to an end before; how many."""
        delete = self._sql(
            f"DELETE FROM {t.webhook_message.name} WHERE changed < ? AND NOT {_QUEUED}"
        )
        with self._db.write() as c:
            return c.exec_driver_sql(delete, (micros(before),)).rowcount


# --- rows, in the order of the tables --------------------------------------------------------


def _endpoint(row: Row) -> Endpoint:
    (
        endpoint_id, name, url, scopes, rooms, secret, position, created,
        former, former_until, disabled, why, paused,
    ) = row  # fmt: skip
    return Endpoint(
        id=endpoint_id,
        name=name,
        url=url,
        scopes=frozenset(scopes.split()),
        rooms=frozenset(rooms.split()),
        secret=bytes(secret),
        position=position,
        created=instant(created),
        former=None if former is None else bytes(former),
        former_until=maybe_instant(former_until),
        disabled=maybe_instant(disabled),
        why=why,
        paused=maybe_instant(paused),
    )


def _endpoint_values(e: Endpoint) -> tuple[object, ...]:
    return (
        *(e.id, e.name, e.url, " ".join(sorted(e.scopes)), " ".join(sorted(e.rooms))),
        *(e.secret, e.position, micros(e.created), e.former, maybe_micros(e.former_until)),
        *(maybe_micros(e.disabled), e.why, maybe_micros(e.paused)),
    )


def _message(row: Row) -> Message:
    (
        number, message_id, endpoint_id, kind, booking_id, data, at, due, changed,
        state, tries, status, reason,
    ) = row  # fmt: skip
    return Message(
        number=number,
        id=message_id,
        endpoint_id=endpoint_id,
        kind=kind,
        booking_id=booking_id,
        data=data,
        at=instant(at),
        due=instant(due),
        changed=instant(changed),
        state=MessageState(state),
        tries=tries,
        status=status,
        reason=reason,
    )


def _message_values(m: Message) -> tuple[object, ...]:
    return (
        *(m.id, m.endpoint_id, m.kind, m.booking_id, m.data),
        *(micros(m.at), micros(m.due), micros(m.changed)),
        *(m.state.value, m.tries, m.status, m.reason),
    )


def _backlog(states: dict[str, tuple[int, int]]) -> Backlog:
    queued = states.get(MessageState.QUEUED.value)
    return Backlog(
        queued=queued[0] if queued else 0,
        delivered=states.get(MessageState.DELIVERED.value, (0, 0))[0],
        failed=states.get(MessageState.FAILED.value, (0, 0))[0],
        oldest=instant(queued[1]) if queued else None,
    )
