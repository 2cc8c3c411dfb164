"""The rules by which the hub takes, changes and releases bookings, inside one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from calsync.adapters.hub.overlap import (
    busy_of,
    checked_span,
    newly_wanted,
    overlaps,
    wanted_time,
)
from calsync.adapters.hub.problems import (
    AgainstRules,
    ExternalIdTaken,
    NotFound,
    NotLive,
    OutlookBorn,
    RoomConflict,
    StaleRevision,
)
from calsync.adapters.hub.repository import HubReader, HubWriter
from calsync.adapters.hub.shape import parts_of, span_of, without_titles
from calsync.conflicts.alternatives import (
    Asked,
    allows,
    free_alternatives,
    free_times,
    looked_at,
)
from calsync.errors import UnsayableRecurrence
from calsync.mapping.booking import Wish, is_name
from calsync.mapping.booking_form import FieldError, InvalidBooking
from calsync.mapping.booking_rules import NO_RULES, violations
from calsync.mapping.booking_values import (
    Booking,
    BookingStatus,
    FeedEntry,
    StoredRoom,
)
from calsync.mapping.expand import busy_intervals, instances
from calsync.mapping.fingerprint import fingerprint
from calsync.model import Alternative, Interval, Occupancy

#: Overlaps listed in one refusal; the total is given beside them.
MAX_LISTED: Final = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """A booking with its room's zone; ``created`` is True where this call made it."""

    booking: Booking
    room_zone: str
    created: bool = False


# --- looking up ------------------------------------------------------------------------------


def room(tx: HubReader, room_id: str) -> StoredRoom:
    found = tx.room(room_id)
    if found is None:
        raise NotFound("there is no room with this id", todo="GET /v1/rooms lists the rooms")
    return found


def booking(tx: HubReader, booking_id: str) -> Booking:
    found = tx.bookings([booking_id]).get(booking_id)
    if found is None:
        raise NotFound("there is no booking with this id", todo="GET /v1/changes lists them")
    return found


# --- checks ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Precondition:
    """If-Match: the revisions a client accepts; None = any that exists."""

    revisions: frozenset[int] | None = None


def check(held: Booking, match: Precondition | None) -> None:
    if match is None or match.revisions is None:
        return
    if held.revision not in match.revisions:
        raise StaleRevision(
            f"the booking has changed; its revision is {held.revision} now",
            todo="Read it again, and repeat the change on what you find",
        )


def check_changeable(held: Booking) -> None:
    if not held.status.live:
        raise NotLive(f"the booking is {held.status.value}", todo="Make a new booking")
    if not held.editable:
        raise OutlookBorn(
            "this meeting was made in Outlook and the room is only invited to it: "
            "a change here would not reach the people in it",
            todo="Ask its organizer to change it in Outlook; DELETE declines it for the room",
        )


def _admit(content: Occupancy, zone: str, span: Interval, now: datetime) -> None:
    """What reads well, but cannot be carried. Raises InvalidBooking."""
    if content.start == content.end:
        raise InvalidBooking([FieldError("/duration", "is zero", "Book some time, such as PT30M")])
    if content.recurrence is None:
        return
    sayable_parts(content, zone, now)
    if next(instances(content, span, zone, limit=1), None) is None:
        raise InvalidBooking(
            [
                FieldError(
                    "/recurrenceOverrides",
                    "no occurrence of the series is left",
                    "Leave one, or cancel the booking",
                )
            ]
        )


def _check_free(
    tx: HubReader,
    room: StoredRoom,
    content: Occupancy,
    *,
    old: Booking | None,
    seats: int | None,
    now: datetime,
) -> None:
    """Raises RoomConflict where time that the booking did not hold before is taken, AgainstRules
    where the room's rules do not allow it."""
    zone = room.room.zone
    span = checked_span(content, zone, now)
    _admit(content, zone, span, now)
    wanted = wanted_time(content, zone, span)
    new = wanted
    if old is not None:
        new = newly_wanted(wanted, busy_intervals(old.content, span, zone))
    if not new:
        return
    asked = _asked(content, wanted, seats=seats, now=now)
    _check_rules(tx, room, new, asked)
    others = tx.live_bookings([room.room.id], Interval(new[0].start, new[-1].end))
    found = overlaps(new, (b for b in others if old is None or b.id != old.id), zone)
    if found:
        raise RoomConflict(tuple(found[:MAX_LISTED]), len(found), alternatives(tx, room, asked))


def _asked(
    content: Occupancy, wanted: list[Interval], *, seats: int | None, now: datetime
) -> Asked:
    series = content.recurrence
    return Asked(
        wanted=wanted,
        now=now,
        seats=seats,
        all_day=content.all_day,
        endless=series is not None and series.rule.endless,
    )


def _check_rules(tx: HubReader, room: StoredRoom, new: list[Interval], asked: Asked) -> None:
    """Raises AgainstRules. Like an overlap, what a booking held before is not asked about again:
    rules that were made stricter turn nobody out."""
    if room.rules == NO_RULES:
        return
    found = violations(
        room.rules,
        new,
        zone=room.room.zone,
        all_day=asked.all_day,
        endless=asked.endless,
        now=asked.now,
        seats=asked.seats,
        capacity=room.room.capacity,
    )
    if found:
        raise AgainstRules(
            tuple(found), alternatives(tx, room, asked), _other_times(tx, room, asked)
        )


def alternatives(tx: HubReader, room: StoredRoom, asked: Asked) -> tuple[Alternative, ...]:
    """Free rooms of the same building with enough seats whose own rules allow it, for all of the
    wanted time."""
    held = [r for r in tx.rooms() if r.room.building == room.room.building]
    rules = {r.room.id: r.rules for r in held}
    zones = {r.room.id: r.room.zone for r in held}
    span = Interval(asked.wanted[0].start, asked.wanted[-1].end)
    busy = busy_of(tx.taken(list(zones), span), zones, span)
    return free_alternatives(
        [r.room for r in held],
        busy,
        asked.wanted,
        room=room.room,
        seats=asked.seats,
        fits=lambda other: allows(rules[other.id], other, asked),
    )


def _other_times(
    tx: HubReader, room: StoredRoom, asked: Asked
) -> tuple[tuple[datetime, datetime], ...]:
    span = looked_at(room.rules, asked)
    if span is None:
        return ()
    zones = {room.room.id: room.room.zone}
    busy = busy_of(tx.taken(list(zones), span), zones, span)
    return free_times(room.rules, busy[room.room.id], asked, room=room.room)


# --- writing ---------------------------------------------------------------------------------


def with_external(wish: Wish, external_id: str) -> Wish:
    """The wish under the externalId of the address. Raises InvalidBooking."""
    if not is_name(external_id):
        what = "must have 1 to 255 printable characters"
        raise InvalidBooking([FieldError("/externalId", what, "Choose another one")])
    if wish.external_id not in (None, external_id):
        what = "differs from the externalId in the address"
        raise InvalidBooking([FieldError("/externalId", what, "Leave it out")])
    return replace(wish, external_id=external_id)


def kept(room: StoredRoom, wish: Wish) -> Occupancy:
    """The content as the room may keep it."""
    return wish.content if room.titles else without_titles(wish.content)


def says(held: Booking, room: StoredRoom, wish: Wish) -> bool:
    """True where the booking already says what is wished."""
    return (
        held.content == kept(room, wish)
        and held.person == wish.person
        and held.seats == wish.seats
        and (held.uid == wish.uid or not wish.uid)
        and held.external_id == wish.external_id
    )


def _check_external(tx: HubReader, room_id: str, external_id: str | None, own: str) -> None:
    if external_id is None:
        return
    holder = tx.booking_by_external(room_id, external_id)
    if holder is not None and holder.id != own:
        raise ExternalIdTaken(
            "another booking of this room has this externalId",
            where=holder.id,
            todo="PUT /v1/rooms/{room}/bookings/by-external/{externalId} changes that one",
        )


def new_booking(
    tx: HubWriter,
    room: StoredRoom,
    wish: Wish,
    *,
    booking_id: str,
    external_id: str | None,
    now: datetime,
) -> Booking:
    """Check and store a platform's booking."""
    content, zone = kept(room, wish), room.room.zone
    _check_external(tx, room.room.id, external_id, booking_id)
    _check_free(tx, room, content, old=None, seats=wish.seats, now=now)
    names = part_names(content, zone, now)
    parts = () if names == ("",) else names
    number = tx.take_numbers(1)
    made = Booking(
        id=booking_id,
        room_id=room.room.id,
        content=content,
        fingerprint=fingerprint(content),
        span=span_of(content, zone),
        created=now,
        modified=now,
        uid=wish.uid or f"{booking_id}@calsync",
        person=wish.person,
        seats=wish.seats,
        external_id=external_id,
        parts=parts,
        waiting=parts,
        mark=number,
    )
    tx.insert([made])
    tx.record([feed_entry(made, number, now)])
    return made


def change_booking(
    tx: HubWriter, room: StoredRoom, old: Booking, wish: Wish, *, now: datetime
) -> Booking:
    """Check and store what a platform made of its booking; pending again if the time or kind
    of it changed."""
    check_changeable(old)
    content, zone = kept(room, wish), room.room.zone
    _check_external(tx, old.room_id, wish.external_id, old.id)
    changed = replace(
        old,
        person=wish.person,
        seats=wish.seats,
        uid=wish.uid or old.uid,
        external_id=wish.external_id,
    )
    if content != old.content:
        _check_free(tx, room, content, old=old, seats=wish.seats, now=now)
        parts = ever_parts(old, part_names(content, zone, now))
        changed = replace(
            changed,
            content=content,
            fingerprint=fingerprint(content),
            span=span_of(content, zone),
            status=BookingStatus.PENDING,
            refusal=None,
            parts=parts,
            waiting=part_names(content, zone, now) if parts else (),
        )
    return store_change(tx, changed, now=now)


def release_external(tx: HubWriter, held: Booking) -> None:
    """A rejected booking gives its externalId to the one that takes its place."""
    tx.update([replace(held, external_id=None)])


def store_change(
    tx: HubWriter, changed: Booking, *, now: datetime, by_sync: bool = False
) -> Booking:
    """Store a change of content: new revisions, new mark, a line in the feed."""
    number = tx.take_numbers(1)
    stored = replace(
        changed,
        revision=changed.revision + 1,
        content_revision=changed.content_revision + 1,
        mark=number,
        modified=now,
    )
    tx.update([stored])
    tx.record([feed_entry(stored, number, now, by_sync=by_sync)])
    return stored


def feed_entry(held: Booking, number: int, now: datetime, *, by_sync: bool = False) -> FeedEntry:
    return FeedEntry(
        number=number,
        room_id=held.room_id,
        booking_id=held.id,
        tombstone=held.status is BookingStatus.CANCELLED,
        revision=held.revision,
        at=now,
        by_sync=by_sync,
    )


def sayable_parts(content: Occupancy, room_zone: str, now: datetime) -> tuple[str, ...]:
    """The same, for what was sent. Raises InvalidBooking."""
    try:
        return part_names(content, room_zone, now)
    except UnsayableRecurrence as error:
        what = f"Outlook cannot hold this series: {error.what}"
        todo = "Give it a count or an until, or a simpler rule"
        raise InvalidBooking([FieldError("/recurrenceRule", what, todo)]) from None


def part_names(content: Occupancy, room_zone: str, now: datetime) -> tuple[str, ...]:
    """Suffixes of the parts; ``""`` alone where the calendar holds the content as one item."""
    return tuple(parts_of(content, room_zone, now))


def ever_parts(old: Booking, names: tuple[str, ...]) -> tuple[str, ...]:
    """Every suffix under which sync may know the booking; empty = never other than whole."""
    ever = tuple(dict.fromkeys((*(old.parts or ("",)), *names)))
    return () if ever == ("",) else ever
