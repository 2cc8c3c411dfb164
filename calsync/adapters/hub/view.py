"""What sync sees of a booking: one item, or the parts by which a calendar can hold it.

A key is the booking's id, with ``#suffix`` for a part. The version of a whole booking is its
content revision. That of a part is the part's fingerprint: a change of one part leaves the
others as they were.
"""

from __future__ import annotations

from calsync.adapters.hub.shape import parts_of
from calsync.mapping import split
from calsync.mapping.booking_values import Booking, BookingStatus
from calsync.mapping.fingerprint import fingerprint
from calsync.model import Absence, Gone, Occupancy, Person, Seen, Side, Whole
from calsync.model.rooms import NOBODY


def split_key(key: str) -> tuple[str, str]:
    booking_id, _, suffix = key.partition("#")
    return booking_id, suffix


def part_key(booking_id: str, suffix: str) -> str:
    return f"{booking_id}#{suffix}" if suffix else booking_id


def observe(booking: Booking, room_zone: str) -> list[Seen | Gone]:
    """Every item of the booking that sync may know, those that vanished included."""
    if not booking.parts:
        return [_whole(booking) if booking.status.live else gone(booking, "")]
    parts = current_parts(booking, room_zone)
    return [
        _part(booking, suffix, parts[suffix]) if suffix in parts else gone(booking, suffix)
        for suffix in booking.parts
    ]


def observe_key(booking: Booking, suffix: str, room_zone: str) -> Seen | Gone:
    """One item of the booking."""
    if not booking.parts and not suffix:
        return _whole(booking) if booking.status.live else gone(booking, "")
    part = current_parts(booking, room_zone).get(suffix)
    return gone(booking, suffix) if part is None else _part(booking, suffix, part)


def current_parts(booking: Booking, room_zone: str) -> dict[str, Occupancy]:
    """The parts that live now, by suffix; ``""`` alone = whole."""
    if not booking.status.live:
        return {}
    if not booking.parts:
        return {"": booking.content}
    return parts_of(booking.content, room_zone, booking.modified)


def gone(booking: Booking, suffix: str) -> Gone:
    why = _why_gone(booking, suffix)
    # One booking gets one answer: a rejected part rejects all of it.
    whole = Whole(booking.content) if booking.parts and why is Absence.REFUSED else None
    return Gone(key=part_key(booking.id, suffix), absence=why, mark=booking.mark, whole=whole)


def _why_gone(booking: Booking, suffix: str) -> Absence:
    if booking.status is BookingStatus.REJECTED:
        return Absence.REFUSED
    if booking.status.live and split.goes_on(booking.content, suffix):
        return Absence.RESHAPED
    return Absence.DELETED


def missing(key: str, mark: int | None = None) -> Gone:
    """The hub answers for itself, so what it does not have is not there."""
    return Gone(key=key, absence=Absence.READ if mark is None else Absence.DELETED, mark=mark)


def _to_tell(booking: Booking) -> Person:
    """Who is told what becomes of it. What a connector mirrored was booked in its calendar, and is
    answered there."""
    by_connector = booking.origin is Side.CALENDAR and booking.tag is None
    return NOBODY if by_connector else booking.person


def _whole(booking: Booking) -> Seen:
    return Seen(
        key=booking.id,
        occupancy=booking.content,
        fingerprint=booking.fingerprint,
        version=str(booking.content_revision),
        mark=booking.mark,
        created=booking.created,
        uid=booking.uid,
        tag=booking.tag,
        person=_to_tell(booking),
        pending=booking.status is BookingStatus.PENDING,
        seats=booking.seats,
        modified=booking.modified,
        claimed=booking.claimed,
    )


def _part(booking: Booking, suffix: str, part: Occupancy) -> Seen:
    mark = fingerprint(part)
    pending = booking.status is BookingStatus.PENDING
    return Seen(
        key=part_key(booking.id, suffix),
        occupancy=part,
        fingerprint=mark,
        version=mark,
        mark=booking.mark,
        created=booking.created,
        # Several items must not share one identity.
        uid=booking.uid if not suffix else f"{booking.uid}#{suffix}",
        tag=booking.tag if not suffix else None,
        person=_to_tell(booking),
        pending=pending and suffix in booking.waiting,
        seats=booking.seats,
        modified=booking.modified,
        claimed=booking.claimed,
        whole=Whole(
            booking.content,
            booking.refusal,
            waits=pending and any(name != suffix for name in booking.waiting),
        ),
    )
