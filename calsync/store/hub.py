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

from sqlalchemy.exc import IntegrityError

from calsync.errors import DatabaseBusy
from calsync.mapping.booking import hide_titles
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
from calsync.store.connection import Connection, Result
from calsync.store.database import Database
from calsync.store.statements import Statements, padded, run_many, select_all

_LIVE: Final = f"status IN ('{BookingStatus.PENDING.value}', '{BookingStatus.CONFIRMED.value}')"
_HELD: Final = f"status != '{BookingStatus.CANCELLED.value}'"
#: Values in one IN list; SQLite takes 32,766 variables a statement, older ones 999.
_CHUNK: Final = 512
#: Seconds after which a change made by another process is seen; our own is seen at once.
OTHERS_SEEN_WITHIN = 1.0

_NUMBER, _HORIZON = "number", "horizon"
_COUNTERS: Final = f"SELECT name, value FROM {t.counter.name}"
_ROOMS: Final = select_all(t.room)
_BOOKINGS: Final = select_all(t.booking)
_FEED: Final = f"{select_all(t.change)} WHERE number > ?"
_ANSWERS: Final = select_all(t.answer)
_TOKENS: Final = select_all(t.token)
_TAKEN: Final = f"SELECT room_id, first_start, last_end, single, content FROM {t.booking.name}"

T = TypeVar("T")
R = TypeVar("R")


class SqlHubStore:
    """Transactions of the hub on calsync's database. Safe to share between threads."""

    def __init__(
        self, database: Database, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._text = Statements.of(is_sqlite=database.is_sqlite)
        self._hot = _Hot.of(self._text)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._newest = -1
        self._asked = float("-inf")

    @contextmanager
    def read(self) -> Iterator[SqlHubReader]:
        with self._database.read() as connection:
            yield SqlHubReader(connection, self._text)

    def newest(self) -> int:
        now = self._monotonic()
        if now - self._asked > OTHERS_SEEN_WITHIN:
            self._asked = now
            with self._database.glance() as connection:
                self._note(SqlHubReader(connection, self._text).numbers()[0])
        return self._newest

    @contextmanager
    def write(self) -> Iterator[SqlHubWriter]:
        try:
            with self._database.write() as connection:
                writer = SqlHubWriter(connection, self._text, self._hot)
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
    def __init__(self, connection: Connection, text: Statements) -> None:
        self._c = connection
        self._text = text

    # --- rooms ---

    def rooms(self) -> list[StoredRoom]:
        return [rows.room(row) for row in self._run(f"{_ROOMS} ORDER BY name, id")]

    def room(self, room_id: str) -> StoredRoom | None:
        row = self._run(f"{_ROOMS} WHERE id = ?", room_id).first()
        return None if row is None else rows.room(row)

    # --- bookings ---

    def bookings(self, ids: Sequence[str]) -> Mapping[str, Booking]:
        found = _in_chunks(ids, lambda part: self._bookings(self._among("id", part), *part))
        return {b.id: b for b in found}

    def booking_by_external(self, room_id: str, external_id: str) -> Booking | None:
        where = f"room_id = ? AND external_id = ? AND {_HELD}"
        found = self._bookings(where, room_id, external_id)
        return found[0] if found else None

    def bookings_named(self, room_id: str, external_id: str) -> list[Booking]:
        return self._bookings("room_id = ? AND external_id = ?", room_id, external_id)

    def bookings_by_tags(self, tags: Sequence[str]) -> list[Booking]:
        return _in_chunks(tags, lambda part: self._bookings(self._among("tag", part), *part))

    def live_bookings(self, room_ids: Sequence[str], span: Interval) -> list[Booking]:
        bounds = _bounds(span)

        def part(ids: Sequence[str]) -> list[Booking]:
            return self._bookings(f"{self._among('room_id', ids)} AND {_MEETS}", *ids, *bounds)

        return sorted(_in_chunks(room_ids, part), key=lambda b: (b.span.start, b.id))

    def live_page(self, room_id: str | None, after: str, limit: int) -> list[Booking]:
        where, values = f"{_LIVE} AND id > ?", [after]
        if room_id is not None:
            where, values = f"{where} AND room_id = ?", [after, room_id]
        return self._bookings(f"{where} ORDER BY id LIMIT ?", *values, limit)

    def taken(self, room_ids: Sequence[str], span: Interval) -> list[Taken]:
        bounds = _bounds(span)

        def part(ids: Sequence[str]) -> list[Taken]:
            where = f"{self._among('room_id', ids)} AND {_MEETS} AND blocks"
            found = self._run(f"{_TAKEN} WHERE {where}", *ids, *bounds)
            return [
                Taken(
                    room_id=room_id,
                    span=Interval(rows.instant(first), rows.instant(last)),
                    series=None if single else loads(content),
                )
                for room_id, first, last, single, content in found
            ]

        return _in_chunks(room_ids, part)

    def _bookings(self, where: str, *values: object) -> list[Booking]:
        return [rows.booking(row) for row in self._run(f"{_BOOKINGS} WHERE {where}", *values)]

    # --- feed ---

    def numbers(self) -> tuple[int, int]:
        # Asked once per room and cycle, idle ones too.
        found = {str(name): int(value) for name, value in self._run(_COUNTERS)}
        return found.get(_NUMBER, 0), found.get(_HORIZON, 0)

    def feed(self, after: int, *, room_id: str | None, limit: int) -> list[FeedEntry]:
        if room_id is None:
            return self._entries(f"{_FEED} ORDER BY number LIMIT ?", after, limit)
        return self._entries(
            f"{_FEED} AND room_id = ? ORDER BY number LIMIT ?", after, room_id, limit
        )

    def feed_by_people(self, after: int, *, room_id: str) -> list[FeedEntry]:
        return self._entries(
            f"{_FEED} AND room_id = ? AND NOT by_sync ORDER BY number", after, room_id
        )

    def _entries(self, sql: str, *values: object) -> list[FeedEntry]:
        return [rows.feed_entry(row) for row in self._run(sql, *values)]

    # --- answers and tokens ---

    def answer(self, token_id: str, key: str) -> StoredAnswer | None:
        row = self._run(f"{_ANSWERS} WHERE token_id = ? AND key = ?", token_id, key).first()
        return None if row is None else rows.answer(row)

    def token(self, token_id: str) -> ApiToken | None:
        row = self._run(f"{_TOKENS} WHERE id = ?", token_id).first()
        return None if row is None else rows.token(row)

    def tokens(self) -> list[ApiToken]:
        return [rows.token(row) for row in self._run(f"{_TOKENS} ORDER BY created, id")]

    # --- helpers ---

    def _run(self, sql: str, *values: object) -> Result:
        return self._c.exec_driver_sql(self._text.sql(sql), values)

    def _among(self, column: str, values: Sequence[str]) -> str:
        return f"{column} IN ({', '.join('?' * len(values))})"


@dataclass(frozen=True, slots=True)
class _Hot:
    """Statements that take whole rows as tuples in the order of the columns."""

    insert_bookings: str
    update_bookings: str
    insert_changes: str
    insert_answer: str
    put_room: str
    put_token: str
    put_counter: str

    @classmethod
    def of(cls, make: Statements) -> _Hot:
        names = [c.name for c in t.booking.columns if c.name != "id"]
        sets = ", ".join(f"{name} = ?" for name in names)
        return cls(
            insert_bookings=make.insert(t.booking),
            update_bookings=make.sql(f"UPDATE {t.booking.name} SET {sets} WHERE id = ?"),
            insert_changes=make.insert(t.change),
            insert_answer=make.insert(t.answer),
            put_room=make.upsert(t.room),
            put_token=make.upsert(t.token),
            put_counter=make.upsert(t.counter),
        )


class SqlHubWriter(SqlHubReader):
    def __init__(self, connection: Connection, text: Statements, hot: _Hot) -> None:
        super().__init__(connection, text)
        self._hot = hot
        self.newest = -1

    def put_room(self, room: StoredRoom) -> None:
        self._c.exec_driver_sql(self._hot.put_room, rows.room_values(room))

    def insert(self, bookings: Sequence[Booking]) -> None:
        run_many(self._c, self._hot.insert_bookings, [rows.values(b) for b in bookings])

    def update(self, bookings: Sequence[Booking]) -> None:
        lines = [rows.values(b) for b in bookings]
        run_many(self._c, self._hot.update_bookings, [(*row[1:], row[0]) for row in lines])
        if shut := {b.id: b.content for b in bookings if rows.hides(b.content)}:
            self._hide_in_answers(
                lambda doc: rows.hidden(doc, shut[key]) if (key := doc.get("id")) in shut else doc
            )

    def drop_titles(self, room_id: str) -> None:
        self._hide_in_answers(lambda doc: hide_titles(doc) if doc.get("roomId") == room_id else doc)

    def _hide_in_answers(self, hide: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        where = "body LIKE ? OR body LIKE ?"
        answers = [
            rows.answer(row)
            for row in self._run(f"{_ANSWERS} WHERE {where}", '%"title"%', '%"bookedBy"%')
        ]
        changed = []
        for kept in answers:
            doc = json.loads(kept.body)
            if (bare := hide(doc)) != doc:
                changed.append((json.dumps(bare, ensure_ascii=False), kept.token_id, kept.key))
        update = f"UPDATE {t.answer.name} SET body = ? WHERE token_id = ? AND key = ?"
        run_many(self._c, self._text.sql(update), changed)

    def take_numbers(self, count: int) -> int:
        sql = f"UPDATE {t.counter.name} SET value = value + ? WHERE name = ? RETURNING value"
        last = self._run(sql, count, _NUMBER).scalar()
        if last is None:
            last = count
            self._c.exec_driver_sql(self._hot.put_counter, (_NUMBER, last))
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
        self._c.exec_driver_sql(self._hot.insert_answer, rows.answer_values(answer))

    def put_token(self, token: ApiToken) -> None:
        self._c.exec_driver_sql(self._hot.put_token, rows.token_values(token))

    def compact(
        self, *, feed_before: datetime, answers_before: datetime, dead_before: datetime
    ) -> int:
        newest = f"SELECT max(number) FROM {t.change.name} WHERE at < ?"
        last = self._run(newest, rows.micros(feed_before)).scalar()
        gone = 0
        if last is not None:
            # Up to the newest old one, so that the feed keeps no holes before its horizon.
            gone += self._run(f"DELETE FROM {t.change.name} WHERE number <= ?", last).rowcount
            self._c.exec_driver_sql(self._hot.put_counter, (_HORIZON, last))
        answers = f"DELETE FROM {t.answer.name} WHERE at < ?"
        gone += self._run(answers, rows.micros(answers_before)).rowcount
        # What ended before is of no use either, whether it took place or not.
        dead = f"DELETE FROM {t.booking.name} WHERE NOT {_LIVE} AND modified < ? OR last_end < ?"
        before = rows.micros(dead_before)
        return gone + self._run(dead, before, before).rowcount

    def forget_people(self, ended_before: datetime) -> int:
        sql = (
            f"UPDATE {t.booking.name} SET person_name = '', person_address = ''"
            " WHERE last_end < ? AND (person_name != '' OR person_address != '')"
        )
        return self._run(sql, rows.micros(ended_before)).rowcount


# --- helpers ---------------------------------------------------------------------------------


def _in_chunks(values: Sequence[T], query: Callable[[Sequence[T]], list[R]]) -> list[R]:
    if len(values) <= _CHUNK:
        return query(padded(values)) if values else []
    found: list[R] = []
    for start in range(0, len(values), _CHUNK):
        found.extend(query(padded(values[start : start + _CHUNK])))
    return found


_DAY: Final = 86_400_000_000  # microseconds

# Days and series stand where the rules of a zone put them. Those can have changed since the row
# was written, so their extents are a coarse sieve: what comes through is expanded.
_MEETS: Final = (
    f"{_LIVE} AND first_start < ? AND last_end > ? AND (NOT single OR first_start < ?)"
    " AND (NOT single OR last_end > ? OR (last_end = ? AND first_start = ?))"
)


def _bounds(span: Interval) -> tuple[int, ...]:
    """The values of ``_MEETS``."""
    start, end = rows.micros(span.start), rows.micros(span.end)
    return (end + _DAY, start - _DAY, end, start, start, start)
