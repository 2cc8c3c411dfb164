"""The hub's data in SQL: rooms, bookings, the change feed, kept answers, tokens.

Keeps the Protocols of ``calsync.adapters.hub.repository``. Hot paths (bulk insert, busy time)
use plain tuples and executemany.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from calsync.errors import DatabaseBusy
from calsync.mapping.booking_values import (
    ApiToken,
    Booking,
    BookingStatus,
    FeedEntry,
    StoredAnswer,
    StoredRoom,
    Taken,
)
from calsync.mapping.fingerprint import loads
from calsync.model import Interval
from calsync.store import hub_rows as rows
from calsync.store import hub_schema as t
from calsync.store.database import Database
from calsync.store.statements import Statements, padded, run_many

_LIVE: Final = (BookingStatus.PENDING.value, BookingStatus.CONFIRMED.value)
#: Values in one IN list; SQLite takes 32,766 variables a statement, older ones 999.
_CHUNK: Final = 512
#: Seconds after which a change made by another process is seen; our own is seen at once.
OTHERS_SEEN_WITHIN = 1.0

_NUMBER, _HORIZON = "number", "horizon"
_COUNTERS: Final = f"SELECT name, value FROM {t.counter.name}"

# Made once: to build a statement costs more than to run it.
_FEED: Final = (
    select(t.change).where(t.change.c.number > bindparam("after")).order_by(t.change.c.number)
)
_FEED_BY_PEOPLE: Final = _FEED.where(t.change.c.room_id == bindparam("room"), ~t.change.c.by_sync)

T = TypeVar("T")
R = TypeVar("R")


class SqlHubStore:
    """Transactions of the hub on calsync's database. Safe to share between threads."""

    def __init__(
        self, database: Database, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._hot = _Hot.of(Statements.of(is_sqlite=database.is_sqlite))
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._newest = -1
        self._asked = float("-inf")

    @contextmanager
    def read(self) -> Iterator[SqlHubReader]:
        with self._database.read() as connection:
            yield SqlHubReader(connection)

    def newest(self) -> int:
        now = self._monotonic()
        if now - self._asked > OTHERS_SEEN_WITHIN:
            self._asked = now
            with self._database.glance() as connection:
                self._note(SqlHubReader(connection).numbers()[0])
        return self._newest

    @contextmanager
    def write(self) -> Iterator[SqlHubWriter]:
        try:
            with self._database.write() as connection:
                writer = SqlHubWriter(connection, self._hot)
                yield writer
        except IntegrityError as error:
            # Checks and inserts share a transaction; only a server with several writers at
            # once (PostgreSQL) can get here, and the second try sees what the other one wrote.
            raise DatabaseBusy(
                "somebody else wrote the same booking at the same moment; nothing was changed",
                where="hub",
                todo="Try again",
            ) from error
        self._note(writer.newest)

    def _note(self, number: int) -> None:
        """Numbers only grow; a slow reader must not put an older one over a newer."""
        with self._lock:
            self._newest = max(self._newest, number)


class SqlHubReader:
    def __init__(self, connection: Connection) -> None:
        self._c = connection

    # --- rooms ---

    def rooms(self) -> list[StoredRoom]:
        query = select(t.room).order_by(t.room.c.name, t.room.c.id)
        return [rows.room(row) for row in self._c.execute(query)]

    def room(self, room_id: str) -> StoredRoom | None:
        row = self._c.execute(select(t.room).where(t.room.c.id == room_id)).first()
        return None if row is None else rows.room(row)

    # --- bookings ---

    def bookings(self, ids: Sequence[str]) -> Mapping[str, Booking]:
        found = _in_chunks(ids, lambda part: self._bookings(t.booking.c.id.in_(part)))
        return {b.id: b for b in found}

    def booking_by_external(self, room_id: str, external_id: str) -> Booking | None:
        c = t.booking.c
        held = c.status != BookingStatus.CANCELLED.value
        found = self._bookings(and_(c.room_id == room_id, c.external_id == external_id, held))
        return found[0] if found else None

    def bookings_by_tags(self, tags: Sequence[str]) -> list[Booking]:
        return _in_chunks(tags, lambda part: self._bookings(t.booking.c.tag.in_(part)))

    def live_bookings(self, room_ids: Sequence[str], span: Interval) -> list[Booking]:
        found = _in_chunks(room_ids, lambda part: self._bookings(_meets(part, span)))
        return sorted(found, key=lambda b: (b.span.start, b.id))

    def live_page(self, room_id: str | None, after: str, limit: int) -> list[Booking]:
        c = t.booking.c
        query = select(t.booking).where(c.status.in_(_LIVE), c.id > after)
        if room_id is not None:
            query = query.where(c.room_id == room_id)
        return [rows.booking(row) for row in self._c.execute(query.order_by(c.id).limit(limit))]

    def taken(self, room_ids: Sequence[str], span: Interval) -> list[Taken]:
        c = t.booking.c
        columns = select(c.room_id, c.first_start, c.last_end, c.single, c.content)

        def part(ids: Sequence[str]) -> list[Taken]:
            found = self._c.execute(columns.where(_meets(ids, span), c.blocks))
            return [
                Taken(
                    room_id=room_id,
                    span=Interval(rows.instant(first), rows.instant(last)),
                    series=None if single else loads(content),
                )
                for room_id, first, last, single, content in found
            ]

        return _in_chunks(room_ids, part)

    def _bookings(self, condition: Any) -> list[Booking]:
        return [rows.booking(row) for row in self._c.execute(select(t.booking).where(condition))]

    # --- feed ---

    def numbers(self) -> tuple[int, int]:
        # Asked once per room and cycle, idle ones too: as plain text it costs a third.
        counters = self._c.exec_driver_sql(_COUNTERS)
        found = {str(row[0]): int(row[1]) for row in counters}
        return found.get(_NUMBER, 0), found.get(_HORIZON, 0)

    def feed(self, after: int, *, room_id: str | None, limit: int) -> list[FeedEntry]:
        query = _FEED if room_id is None else _FEED.where(t.change.c.room_id == room_id)
        return self._entries(query.limit(limit), {"after": after})

    def feed_by_people(self, after: int, *, room_id: str) -> list[FeedEntry]:
        return self._entries(_FEED_BY_PEOPLE, {"after": after, "room": room_id})

    def _entries(self, query: Select[Any], values: Mapping[str, object]) -> list[FeedEntry]:
        return [rows.feed_entry(row) for row in self._c.execute(query, values)]

    # --- answers and tokens ---

    def answer(self, token_id: str, key: str) -> StoredAnswer | None:
        c = t.answer.c
        query = select(t.answer).where(c.token_id == token_id, c.key == key)
        row = self._c.execute(query).first()
        if row is None:
            return None
        return StoredAnswer(
            token_id=row.token_id,
            key=row.key,
            request=row.request,
            status=row.status,
            headers=json.loads(row.headers),
            body=row.body,
            at=rows.instant(row.at),
        )

    def token(self, token_id: str) -> ApiToken | None:
        row = self._c.execute(select(t.token).where(t.token.c.id == token_id)).first()
        return None if row is None else rows.token(row)

    def tokens(self) -> list[ApiToken]:
        query = select(t.token).order_by(t.token.c.created, t.token.c.id)
        return [rows.token(row) for row in self._c.execute(query)]


@dataclass(frozen=True, slots=True)
class _Hot:
    """Statements that take whole rows as tuples in the order of the columns."""

    insert_bookings: str
    update_bookings: str
    insert_changes: str

    @classmethod
    def of(cls, make: Statements) -> _Hot:
        names = [c.name for c in t.booking.columns if c.name != "id"]
        sets = ", ".join(f"{name} = ?" for name in names)
        return cls(
            insert_bookings=make.insert(t.booking),
            update_bookings=make.sql(f"UPDATE {t.booking.name} SET {sets} WHERE id = ?"),
            insert_changes=make.insert(t.change),
        )


class SqlHubWriter(SqlHubReader):
    def __init__(self, connection: Connection, hot: _Hot) -> None:
        super().__init__(connection)
        self._hot = hot
        self.newest = -1

    def put_room(self, room: StoredRoom) -> None:
        values = {
            "name": room.room.name,
            "zone": room.room.zone,
            "building": room.room.building,
            "floor": room.room.floor,
            "capacity": room.room.capacity,
            "titles": room.titles,
            "revision": room.revision,
        }
        self._put(t.room, {"id": room.room.id}, values)

    def insert(self, bookings: Sequence[Booking]) -> None:
        run_many(self._c, self._hot.insert_bookings, [rows.values(b) for b in bookings])

    def update(self, bookings: Sequence[Booking]) -> None:
        lines = [rows.values(b) for b in bookings]
        run_many(self._c, self._hot.update_bookings, [(*row[1:], row[0]) for row in lines])

    def take_numbers(self, count: int) -> int:
        c = t.counter.c
        query = update(t.counter).where(c.name == _NUMBER).values(value=c.value + count)
        last = self._c.execute(query.returning(c.value)).scalar()
        if last is None:
            self._c.execute(insert(t.counter), {"name": _NUMBER, "value": count})
            last = count
        self.newest = int(last)
        return self.newest - count + 1

    def record(self, entries: Sequence[FeedEntry]) -> None:
        lines = [
            (
                e.number,
                e.room_id,
                e.booking_id,
                e.tombstone,
                e.revision,
                e.by_sync,
                rows.micros(e.at),
            )
            for e in entries
        ]
        run_many(self._c, self._hot.insert_changes, lines)

    def keep_answer(self, answer: StoredAnswer) -> None:
        row = {
            "token_id": answer.token_id,
            "key": answer.key,
            "request": answer.request,
            "status": answer.status,
            "headers": json.dumps(answer.headers),
            "body": answer.body,
            "at": rows.micros(answer.at),
        }
        self._c.execute(insert(t.answer), row)

    def put_token(self, token: ApiToken) -> None:
        values = {
            "name": token.name,
            "secret_hash": token.secret_hash,
            "scopes": " ".join(sorted(token.scopes)),
            "created": rows.micros(token.created),
            "revoked": None if token.revoked is None else rows.micros(token.revoked),
        }
        self._put(t.token, {"id": token.id}, values)

    def compact(
        self, *, feed_before: datetime, answers_before: datetime, dead_before: datetime
    ) -> int:
        old = t.change.c.at < rows.micros(feed_before)
        last = self._c.execute(select(func.max(t.change.c.number)).where(old)).scalar()
        gone = 0
        if last is not None:
            # Up to the newest old one, so that the feed keeps no holes before its horizon.
            gone += self._c.execute(delete(t.change).where(t.change.c.number <= last)).rowcount
            self._put(t.counter, {"name": _HORIZON}, {"value": last})
        answers = delete(t.answer).where(t.answer.c.at < rows.micros(answers_before))
        dead = delete(t.booking).where(
            t.booking.c.status.not_in(_LIVE), t.booking.c.modified < rows.micros(dead_before)
        )
        return gone + self._c.execute(answers).rowcount + self._c.execute(dead).rowcount

    def forget_people(self, ended_before: datetime) -> int:
        c = t.booking.c
        known = or_(c.person_name != "", c.person_address != "")
        statement = (
            update(t.booking)
            .where(c.last_end < rows.micros(ended_before), known)
            .values(person_name="", person_address="")
        )
        return int(self._c.execute(statement).rowcount)

    def _put(self, table: Any, key: dict[str, Any], values: dict[str, Any]) -> None:
        ((name, value),) = key.items()
        done = self._c.execute(update(table).where(table.c[name] == value).values(**values))
        if done.rowcount == 0:
            self._c.execute(insert(table), key | values)


# --- helpers ---------------------------------------------------------------------------------


def _in_chunks(values: Sequence[T], query: Callable[[Sequence[T]], list[R]]) -> list[R]:
    if len(values) <= _CHUNK:
        return query(padded(values)) if values else []
    found: list[R] = []
    for start in range(0, len(values), _CHUNK):
        found.extend(query(padded(values[start : start + _CHUNK])))
    return found


_DAY: Final = 86_400_000_000  # microseconds


def _meets(room_ids: Sequence[str], span: Interval) -> Any:
    c = t.booking.c
    start, end = rows.micros(span.start), rows.micros(span.end)
    return and_(
        c.room_id.in_(room_ids) if len(room_ids) > 1 else c.room_id == room_ids[0],
        c.status.in_(_LIVE),
        # Days and series stand where the rules of a zone put them. Those can have changed since
        # the row was written, so their extents are a coarse sieve: what comes through is expanded.
        c.first_start < end + _DAY,
        c.last_end > start - _DAY,
        or_(not_(c.single), c.first_start < end),
        or_(not_(c.single), c.last_end > start, and_(c.last_end == start, c.first_start == start)),
    )
