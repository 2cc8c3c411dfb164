"""Rows of the hub's tables ↔ values. Times are microseconds since 1970 in UTC."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from calsync.mapping.booking import (
    hide_details,
    hide_titles,
    refusal_from_json,
    refusal_to_json,
)
from calsync.mapping.booking_rules import rules_from_text, rules_to_text
from calsync.mapping.booking_values import (
    ApiToken,
    Booking,
    BookingStatus,
    FeedEntry,
    StoredAnswer,
    StoredRoom,
)
from calsync.mapping.fingerprint import dumps, loads
from calsync.model import Interval, Occupancy, Person, Room, Side
from calsync.model.rooms import NOBODY
from calsync.store.connection import Row

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
_STATUS: Final = {s.value: s for s in BookingStatus}
_SIDE: Final = {s.value: s for s in Side}


def micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICRO


def instant(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


# Columns in the order of the tables. A truth value is a number in SQLite.


def room(row: Row) -> StoredRoom:
    room_id, name, zone, building, floor, capacity, titles, revision, rules, since = row
    return StoredRoom(
        room=Room(
            id=room_id, name=name, zone=zone, building=building, floor=floor, capacity=capacity
        ),
        titles=bool(titles),
        revision=revision,
        rules=rules_from_text(rules),
        rules_since=None if since is None else instant(since),
    )


def room_values(stored: StoredRoom) -> tuple[object, ...]:
    room = stored.room
    return (
        room.id,
        room.name,
        room.zone,
        room.building,
        room.floor,
        room.capacity,
        stored.titles,
        stored.revision,
        rules_to_text(stored.rules),
        None if stored.rules_since is None else micros(stored.rules_since),
    )


def feed_entry(row: Row) -> FeedEntry:
    number, room_id, booking_id, tombstone, revision, by_sync, at = row
    return FeedEntry(
        number=number,
        room_id=room_id,
        booking_id=booking_id,
        tombstone=bool(tombstone),
        revision=revision,
        at=instant(at),
        by_sync=bool(by_sync),
    )


def answer(row: Row) -> StoredAnswer:
    token_id, key, request, status, headers, body, at = row
    return StoredAnswer(
        token_id=token_id,
        key=key,
        request=request,
        status=status,
        headers=json.loads(headers),
        body=body,
        at=instant(at),
    )


def answer_values(kept: StoredAnswer) -> tuple[object, ...]:
    headers = json.dumps(kept.headers)
    at = micros(kept.at)
    return (kept.token_id, kept.key, kept.request, kept.status, headers, kept.body, at)


def hides(content: Occupancy) -> bool:
    """Whether something of it is private."""
    return content.private or bool(_private_dates(content))


def hidden(doc: dict[str, Any], content: Occupancy) -> dict[str, Any]:
    """A kept answer about a booking without what is private of it by now."""
    return hide_details(doc) if content.private else hide_titles(doc, _private_dates(content))


def _private_dates(content: Occupancy) -> list[datetime]:
    series = content.recurrence
    return [o.recurrence_id for o in series.overrides if o.private] if series is not None else []


def token(row: Row) -> ApiToken:
    token_id, name, secret_hash, scopes, created, revoked = row
    return ApiToken(
        id=token_id,
        name=name,
        secret_hash=secret_hash,
        scopes=frozenset(scopes.split()),
        created=instant(created),
        revoked=None if revoked is None else instant(revoked),
    )


def token_values(token: ApiToken) -> tuple[object, ...]:
    scopes = " ".join(sorted(token.scopes))
    revoked = None if token.revoked is None else micros(token.revoked)
    return (token.id, token.name, token.secret_hash, scopes, micros(token.created), revoked)


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
        None if b.claimed is None else micros(b.claimed),
    )


def booking(row: Row) -> Booking:
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
        claimed,
    ) = row
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
        editable=bool(editable),
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
        claimed=None if claimed is None else instant(claimed),
    )
