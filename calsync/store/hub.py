"""The hub's data in SQL: rooms, bookings, the change feed, kept answers, tokens.

Keeps the Protocols of ``calsync.adapters.hub.repository``. Hot paths (bulk insert, busy time)
use plain tuples and executemany.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from calsync.errors import DatabaseBusy
from calsync.mapping.booking import refusal_from_json, refusal_to_json
from calsync.mapping.booking_values import (
    ApiToken,
    Booking,
    BookingStatus,
    FeedEntry,
    StoredAnswer,
    StoredRoom,
    Taken,
)
from calsync.mapping.fingerprint import dumps, loads
from calsync.model import Interval, Person, Room, Side
from calsync.model.rooms import NOBODY
from calsync.store import hub_schema as t
from calsync.store.database import Database

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
_LIVE: Final = (BookingStatus.PENDING.value, BookingStatus.CONFIRMED.value)
_STATUS: Final = {s.value: s for s in BookingStatus}
_SIDE: Final = {s.value: s for s in Side}
#: Values in one IN list; SQLite takes 32,766 variables a statement, older ones 999.
_CHUNK: Final = 500
_NUMBER, _HORIZON = "number", "horizon"

T = TypeVar("T")
R = TypeVar("R")


def micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICRO


def instant(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


class SqlHubStore:
    """Transactions of the hub on calsync's database. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def read(self) -> Iterator[SqlHubReader]:
        with self._database.read() as connection:
            yield SqlHubReader(connection)

    @contextmanager
    def write(self) -> Iterator[SqlHubWriter]:
        try:
            with self._database.write() as connection:
                yield SqlHubWriter(connection)
        except IntegrityError as error:
            # Checks and inserts share a transaction; only a server with several writers at
            # once (PostgreSQL) can get here, and the second try sees what the other one wrote.
            raise DatabaseBusy(
                "somebody else wrote the same booking at the same moment; nothing was changed",
                where="hub",
                todo="Try again",
            ) from error


class SqlHubReader:
    def __init__(self, connection: Connection) -> None:
        self._c = connection

    # --- rooms ---

    def rooms(self) -> list[StoredRoom]:
        query = select(t.room).order_by(t.room.c.name, t.room.c.id)
        return [_room(row) for row in self._c.execute(query)]

    def room(self, room_id: str) -> StoredRoom | None:
        row = self._c.execute(select(t.room).where(t.room.c.id == room_id)).first()
        return None if row is None else _room(row)

    # --- bookings ---

    def bookings(self, ids: Sequence[str]) -> Mapping[str, Booking]:
        rows = _in_chunks(ids, lambda part: self._bookings(t.booking.c.id.in_(part)))
        return {b.id: b for b in rows}

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
        return [_booking(row) for row in self._c.execute(query.order_by(c.id).limit(limit))]

    def taken(self, room_ids: Sequence[str], span: Interval) -> list[Taken]:
        c = t.booking.c
        columns = select(c.room_id, c.first_start, c.last_end, c.single, c.content)

        def part(ids: Sequence[str]) -> list[Taken]:
            rows = self._c.execute(columns.where(_meets(ids, span), c.blocks))
            return [
                Taken(
                    room_id=room_id,
                    span=Interval(instant(first), instant(last)),
                    series=None if single else loads(content),
                )
                for room_id, first, last, single, content in rows
            ]

        return _in_chunks(room_ids, part)

    def _bookings(self, condition: Any) -> list[Booking]:
        return [_booking(row) for row in self._c.execute(select(t.booking).where(condition))]

    # --- feed ---

    def numbers(self) -> tuple[int, int]:
        rows = self._c.execute(select(t.counter.c.name, t.counter.c.value))
        found: dict[str, int] = {name: value for name, value in rows}
        return found.get(_NUMBER, 0), found.get(_HORIZON, 0)

    def feed(
        self, after: int, *, room_id: str | None, limit: int | None, by_people: bool = False
    ) -> list[FeedEntry]:
        c = t.change.c
        query: Select[Any] = select(
            c.number, c.room_id, c.booking_id, c.tombstone, c.revision, c.at, c.by_sync
        ).where(c.number > after)
        if room_id is not None:
            query = query.where(c.room_id == room_id)
        if by_people:
            query = query.where(~c.by_sync)
        query = query.order_by(c.number)
        if limit is not None:
            query = query.limit(limit)
        return [
            FeedEntry(
                number=number,
                room_id=room,
                booking_id=booking,
                tombstone=tombstone,
                revision=revision,
                at=instant(at),
                by_sync=by_sync,
            )
            for number, room, booking, tombstone, revision, at, by_sync in self._c.execute(query)
        ]

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
            at=instant(row.at),
        )

    def token(self, token_id: str) -> ApiToken | None:
        row = self._c.execute(select(t.token).where(t.token.c.id == token_id)).first()
        return None if row is None else _token(row)

    def tokens(self) -> list[ApiToken]:
        query = select(t.token).order_by(t.token.c.created, t.token.c.id)
        return [_token(row) for row in self._c.execute(query)]


class SqlHubWriter(SqlHubReader):
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
        if bookings:
            self._c.execute(insert(t.booking), [_values(b) for b in bookings])

    def update(self, bookings: Sequence[Booking]) -> None:
        if not bookings:
            return
        statement = update(t.booking).where(t.booking.c.id == bindparam("key"))
        rows = [_values(b) for b in bookings]
        for row in rows:
            row["key"] = row.pop("id")
        self._c.execute(statement, rows)

    def take_numbers(self, count: int) -> int:
        c = t.counter.c
        query = update(t.counter).where(c.name == _NUMBER).values(value=c.value + count)
        last = self._c.execute(query.returning(c.value)).scalar()
        if last is None:
            self._c.execute(insert(t.counter), {"name": _NUMBER, "value": count})
            return 1
        return int(last) - count + 1

    def record(self, entries: Sequence[FeedEntry]) -> None:
        if not entries:
            return
        rows = [
            {
                "number": e.number,
                "room_id": e.room_id,
                "booking_id": e.booking_id,
                "tombstone": e.tombstone,
                "revision": e.revision,
                "by_sync": e.by_sync,
                "at": micros(e.at),
            }
            for e in entries
        ]
        self._c.execute(insert(t.change), rows)

    def keep_answer(self, answer: StoredAnswer) -> None:
        row = {
            "token_id": answer.token_id,
            "key": answer.key,
            "request": answer.request,
            "status": answer.status,
            "headers": json.dumps(answer.headers),
            "body": answer.body,
            "at": micros(answer.at),
        }
        self._c.execute(insert(t.answer), row)

    def put_token(self, token: ApiToken) -> None:
        values = {
            "name": token.name,
            "secret_hash": token.secret_hash,
            "scopes": " ".join(sorted(token.scopes)),
            "created": micros(token.created),
            "revoked": None if token.revoked is None else micros(token.revoked),
        }
        self._put(t.token, {"id": token.id}, values)

    def compact(
        self, *, feed_before: datetime, answers_before: datetime, dead_before: datetime
    ) -> int:
        old = t.change.c.at < micros(feed_before)
        last = self._c.execute(select(func.max(t.change.c.number)).where(old)).scalar()
        gone = 0
        if last is not None:
            # Up to the newest old one, so that the feed keeps no holes before its horizon.
            gone += self._c.execute(delete(t.change).where(t.change.c.number <= last)).rowcount
            self._put(t.counter, {"name": _HORIZON}, {"value": last})
        answers = delete(t.answer).where(t.answer.c.at < micros(answers_before))
        dead = delete(t.booking).where(
            t.booking.c.status.not_in(_LIVE), t.booking.c.modified < micros(dead_before)
        )
        return gone + self._c.execute(answers).rowcount + self._c.execute(dead).rowcount

    def forget_people(self, ended_before: datetime) -> int:
        c = t.booking.c
        known = or_(c.person_name != "", c.person_address != "")
        statement = (
            update(t.booking)
            .where(c.last_end < micros(ended_before), known)
            .values(person_name="", person_address="")
        )
        return int(self._c.execute(statement).rowcount)

    def _put(self, table: Any, key: dict[str, Any], values: dict[str, Any]) -> None:
        ((name, value),) = key.items()
        done = self._c.execute(update(table).where(table.c[name] == value).values(**values))
        if done.rowcount == 0:
            self._c.execute(insert(table), key | values)


# --- rows ------------------------------------------------------------------------------------


def _in_chunks(values: Sequence[T], query: Callable[[Sequence[T]], list[R]]) -> list[R]:
    if len(values) <= _CHUNK:
        return query(values) if values else []
    found: list[R] = []
    for start in range(0, len(values), _CHUNK):
        found.extend(query(values[start : start + _CHUNK]))
    return found


def _meets(room_ids: Sequence[str], span: Interval) -> Any:
    c = t.booking.c
    start, end = micros(span.start), micros(span.end)
    return and_(
        c.room_id.in_(room_ids) if len(room_ids) > 1 else c.room_id == room_ids[0],
        c.status.in_(_LIVE),
        c.first_start < end,
        or_(c.last_end > start, and_(c.last_end == start, c.first_start == start)),
    )


def _room(row: Row[Any]) -> StoredRoom:
    return StoredRoom(
        room=Room(
            id=row.id,
            name=row.name,
            zone=row.zone,
            building=row.building,
            floor=row.floor,
            capacity=row.capacity,
        ),
        titles=row.titles,
        revision=row.revision,
    )


def _token(row: Row[Any]) -> ApiToken:
    return ApiToken(
        id=row.id,
        name=row.name,
        secret_hash=row.secret_hash,
        scopes=frozenset(row.scopes.split()),
        created=instant(row.created),
        revoked=None if row.revoked is None else instant(row.revoked),
    )


def _values(b: Booking) -> dict[str, Any]:
    content, person, refusal = b.content, b.person, b.refusal
    series = content.recurrence is not None
    return {
        "id": b.id,
        "room_id": b.room_id,
        "status": b.status.value,
        "origin": b.origin.value,
        "editable": b.editable,
        "uid": b.uid,
        "person_name": person.name,
        "person_address": person.address,
        "seats": b.seats,
        "external_id": b.external_id,
        "tag": b.tag,
        "made_by": b.made_by,
        "refusal": None if refusal is None else json.dumps(refusal_to_json(refusal)),
        "parts": json.dumps(b.parts) if b.parts else "",
        "waiting": json.dumps(b.waiting) if b.waiting else "",
        "revision": b.revision,
        "content_revision": b.content_revision,
        "mark": b.mark,
        "content": dumps(content),
        "fingerprint": b.fingerprint,
        "first_start": micros(b.span.start),
        "last_end": micros(b.span.end),
        "single": not series,
        "blocks": series or content.busy.blocks,
        "created": micros(b.created),
        "modified": micros(b.modified),
    }


def _booking(row: Row[Any]) -> Booking:
    # In the order of the table's columns.
    (
        booking_id,
        room_id,
        status,
        origin,
        editable,
        uid,
        person_name,
        person_address,
        seats,
        external_id,
        tag,
        made_by,
        refusal,
        parts,
        waiting,
        revision,
        content_revision,
        mark,
        content,
        fingerprint,
        first_start,
        last_end,
        _single,
        _blocks,
        created,
        modified,
    ) = tuple(row)
    known = person_name or person_address
    return Booking(
        id=booking_id,
        room_id=room_id,
        content=loads(content),
        fingerprint=fingerprint,
        span=Interval(instant(first_start), instant(last_end)),
        created=instant(created),
        modified=instant(modified),
        status=_STATUS[status],
        origin=_SIDE[origin],
        editable=editable,
        uid=uid,
        person=Person(person_name, person_address) if known else NOBODY,
        seats=seats,
        external_id=external_id,
        tag=tag,
        made_by=made_by,
        refusal=None if refusal is None else refusal_from_json(json.loads(refusal)),
        parts=tuple(json.loads(parts)) if parts else (),
        waiting=tuple(json.loads(waiting)) if waiting else (),
        revision=revision,
        content_revision=content_revision,
        mark=mark,
    )
