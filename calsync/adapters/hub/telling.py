"""What is told of a change, and to whom which parts of it: the API, streams and webhooks alike."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from calsync.adapters.hub.desk import Shown
from calsync.mapping.booking import booking_to_json, format_utc
from calsync.mapping.booking_values import Booking, BookingStatus, FeedEntry
from calsync.mapping.zones import span_utc

#: What only those see who may read bookings.
_READERS: Final = ("uid", "externalId", "seats", "refusal")
#: The kinds of messages, and what each says.
KINDS: Final = {
    "booking.pending": "A booking was made or changed; the room's calendar does not have it yet",
    "booking.confirmed": "A booking stands, on both sides",
    "booking.rejected": "A booking cannot stand: it lost a clash, or the calendar did not take it",
    "booking.cancelled": "A booking is no more",
    "notice.confirmed": "Whoever booked was told: it stands (what notices.webhook_kinds names)",
    "notice.rejected": "Whoever booked was told: it cannot stand",
    "notice.changed": "A booking that stood was moved in the room's calendar",
    "notice.cancelled": "A booking that stood is no more",
    "notice.starting": "A booking, or a date of a series, is about to start",
    "changes.resync-required": "Changes were missed: read /v1/changes without a cursor",
}
RESYNC: Final = "changes.resync-required"


def visible(shown: Shown, scopes: Collection[str], *, own: bool = False) -> dict[str, object]:
    """The booking as far as these scopes reach; ``own``: for whoever made it just now."""
    details = "details:read" in scopes
    doc = booking_to_json(shown.booking, shown.room_zone, details=details)
    if own or "bookings:read" in scopes:
        return doc
    return {name: value for name, value in doc.items() if name not in _READERS}


def kind_of(entry: FeedEntry, held: Booking | None) -> str:
    if entry.tombstone or held is None:
        return f"booking.{BookingStatus.CANCELLED.value}"
    return f"booking.{held.status.value}"


def thin(entry: FeedEntry, held: Booking | None, room_zone: str) -> dict[str, object]:
    """Ids, times and states of a change; nothing about people."""
    doc: dict[str, object] = {
        "kind": "tombstone" if entry.tombstone else "upsert",
        "bookingId": entry.booking_id,
        "roomId": entry.room_id,
        "revision": entry.revision,
        "at": format_utc(entry.at),
    }
    if held is not None:
        content = held.content
        start, end = span_utc(content.start, content.end, content.zone or room_zone)
        doc |= {
            "bookingStatus": held.status.value,
            "origin": held.origin.value,
            "startUtc": format_utc(start),
            "endUtc": format_utc(end),
            "series": content.recurrence is not None,
        }
    return doc
