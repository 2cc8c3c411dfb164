"""Rows of the hub's tables ↔ values. Times are microseconds since 1970 in UTC."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row

from calsync.mapping.booking import refusal_from_json, refusal_to_json
from calsync.mapping.booking_values import ApiToken, Booking, BookingStatus, FeedEntry, StoredRoom
from calsync.mapping.fingerprint import dumps, loads
from calsync.model import Interval, Person, Room, Side
from calsync.model.rooms import NOBODY

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
_STATUS: Final = {s.value: s for s in BookingStatus}
_SIDE: Final = {s.value: s for s in Side}


def micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICRO


def instant(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


def room(row: Row[Any]) -> StoredRoom:
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


def feed_entry(row: Row[Any]) -> FeedEntry:
    number, room_id, booking_id, tombstone, revision, by_sync, at = tuple(row)
    return FeedEntry(
        number=number,
        room_id=room_id,
        booking_id=booking_id,
        tombstone=tombstone,
        revision=revision,
        at=instant(at),
        by_sync=by_sync,
    )


def token(row: Row[Any]) -> ApiToken:
    return ApiToken(
        id=row.id,
        name=row.name,
        secret_hash=row.secret_hash,
        scopes=frozenset(row.scopes.split()),
        created=instant(row.created),
        revoked=None if row.revoked is None else instant(row.revoked),
    )


def values(b: Booking) -> tuple[object, ...]:
    """The row of a booking, in the order of the table's columns."""
    content, person, refusal = b.content, b.person, b.refusal
    series = content.recurrence is not None
    return (
        b.id,
        b.room_id,
        b.status.value,
        b.origin.value,
        b.editable,
        b.uid,
        person.name,
        person.address,
        b.seats,
        b.external_id,
        b.tag,
        b.made_by,
        None if refusal is None else json.dumps(refusal_to_json(refusal)),
        json.dumps(b.parts) if b.parts else "",
        json.dumps(b.waiting) if b.waiting else "",
        b.revision,
        b.content_revision,
        b.mark,
        dumps(content),
        b.fingerprint,
        micros(b.span.start),
        micros(b.span.end),
        not series and not content.all_day,
        series or content.busy.blocks,
        micros(b.created),
        micros(b.modified),
    )


def booking(row: Row[Any]) -> Booking:
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
