"""What a room feed says: as iCalendar, as free/busy, and as JSON for a door display.

All three are made of the same instances, and are the same bytes as long as nothing changes. Where
the room is out of sync none of them shows it as free: iCalendar and free/busy get a block over the
present, JSON the state ``unknown``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import icalendar

from calsync.adapters.hub.overlap import union
from calsync.adapters.hub.service import Occurrence
from calsync.mapping.booking import format_utc
from calsync.mapping.booking_values import BookingStatus
from calsync.mapping.text import clean_title
from calsync.mapping.zones import to_utc, to_wall
from calsync.model import Busy, Interval, Room

#: Days back from, and ahead of, today in the room that a feed shows.
BACK, AHEAD = 1, 14
#: A free room is "soon" busy this long before.
SOON: Final = timedelta(minutes=15)
_REFRESH: Final = timedelta(minutes=15)
_HOUR: Final = timedelta(hours=1)
_STALE_TITLE: Final = "State unknown: out of sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What is known of a room at ``now``. ``as_of``: when it was last in sync, None: never."""

    room: Room
    found: Sequence[Occurrence]
    span: Interval
    now: datetime
    as_of: datetime | None
    stale: bool
    details: bool

    def busy(self) -> list[Interval]:
        """The time that is taken, joined."""
        return union([o.instance.interval for o in self.found if _blocks(o)])

    def doubt(self) -> Interval | None:
        """Where the room is out of sync: the present, in whole hours."""
        if not self.stale:
            return None
        start = min(self.now, self.as_of or self.now)
        begin = max(self.span.start, _floor(start))
        return Interval(begin, _floor(self.now) + 2 * _HOUR)


def window(now: datetime, zone: str) -> Interval:
    """From the start of yesterday in the room, for the days that a feed shows."""
    today = to_wall(now, zone).date()
    first, last = (_midnight(today + timedelta(days=n), zone) for n in (-BACK, AHEAD + 1))
    return Interval(first, last)


def _midnight(day: date, zone: str) -> datetime:
    return to_utc(datetime.combine(day, time()), zone)


def _floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _blocks(one: Occurrence) -> bool:
    return one.instance.busy.blocks and one.instance.start < one.instance.end


# --- iCalendar -------------------------------------------------------------------------------


def as_calendar(picture: Picture) -> bytes:
    """RFC 5545: each instance an event in UTC, so that no reader needs zones or rules."""
    calendar = _calendar(picture)
    for one in picture.found:
        calendar.add_component(_event(picture, one))
    doubt = picture.doubt()
    if doubt is not None:
        event = icalendar.Event()
        event.add("uid", f"stale.{picture.room.id}@calsync")
        event.add("dtstamp", doubt.start)
        event.add("dtstart", doubt.start)
        event.add("dtend", doubt.end)
        event.add("summary", _STALE_TITLE)
        event.add("status", "TENTATIVE")
        event.add("transp", "OPAQUE")
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _calendar(picture: Picture) -> icalendar.Calendar:
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//calsync//room feed//EN")
    calendar.add("version", "2.0")
    # As text, which is escaped: the library takes names it does not know for written already.
    name = icalendar.vText(clean_title(picture.room.name) or picture.room.id)
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT15M")
    calendar.add("x-calsync-stale", "TRUE" if picture.stale else "FALSE")
    if picture.as_of is not None:
        calendar.add("x-calsync-in-sync-as-of", format_utc(picture.as_of))
    return calendar


def _event(picture: Picture, one: Occurrence) -> icalendar.Event:
    booking, instance = one.booking, one.instance
    event = icalendar.Event()
    slot = "" if instance.recurrence_id is None else f".{instance.recurrence_id:%Y%m%dT%H%M%S}"
    event.add("uid", f"{booking.id}{slot}@calsync")
    event.add("dtstamp", booking.modified.replace(microsecond=0))
    event.add("sequence", booking.content_revision)
    if instance.all_day:
        event.add("dtstart", to_wall(instance.start, picture.room.zone).date())
        event.add("dtend", to_wall(instance.end, picture.room.zone).date())
    else:
        event.add("dtstart", instance.start)
        event.add("dtend", instance.end)
    event.add("summary", _title(picture, one) or ("Busy" if instance.busy.blocks else "Free"))
    sure = booking.status is BookingStatus.CONFIRMED and instance.busy is not Busy.TENTATIVE
    event.add("status", "CONFIRMED" if sure else "TENTATIVE")
    event.add("transp", "OPAQUE" if instance.busy.blocks else "TRANSPARENT")
    event.add("class", "PRIVATE" if instance.private else "PUBLIC")
    return event


def _title(picture: Picture, one: Occurrence) -> str | None:
    return one.instance.title if picture.details and not one.instance.private else None


def as_free_busy(picture: Picture) -> bytes:
    """RFC 5545 VFREEBUSY over the whole window."""
    calendar = _calendar(picture)
    part = icalendar.FreeBusy()
    part.add("uid", f"freebusy.{picture.room.id}@calsync")
    stamps = [picture.span.start, *(o.booking.modified for o in picture.found)]
    part.add("dtstamp", max(stamps).replace(microsecond=0))
    part.add("dtstart", picture.span.start)
    part.add("dtend", picture.span.end)
    for taken in picture.busy():
        start, end = max(taken.start, picture.span.start), min(taken.end, picture.span.end)
        if start < end:
            part.add("freebusy", [(start, end)], parameters={"FBTYPE": "BUSY"})
    doubt = picture.doubt()
    if doubt is not None:
        period = [(doubt.start, doubt.end)]
        part.add("freebusy", period, parameters={"FBTYPE": "BUSY-UNAVAILABLE"})
    calendar.add_component(part)
    return bytes(calendar.to_ical())


# --- JSON ------------------------------------------------------------------------------------


def as_json(picture: Picture) -> bytes:
    """The state of the room now, for a screen beside its door."""
    now, busy = picture.now, picture.busy()
    current = next((b for b in busy if b.start <= now < b.end), None)
    coming = next((b for b in busy if b.start > now), None)
    if current is not None:
        state, until = "busy", current.end
    elif picture.stale:
        state, until = "unknown", None
    else:
        until = None if coming is None else coming.start
        state = "soon" if until is not None and until - now <= SOON else "free"
    taking = [o for o in picture.found if _blocks(o)]
    running = [o for o in taking if o.instance.start <= now < o.instance.end]
    following = [o for o in taking if o.instance.start > now]
    doc = {
        "room": {"id": picture.room.id, "name": picture.room.name},
        "state": state,
        "now": _shown(picture, running),
        "next": _shown(picture, following),
        "until": None if until is None else format_utc(until),
        "timeZone": picture.room.zone,
        "updatedAt": None if picture.as_of is None else format_utc(picture.as_of),
        "stale": picture.stale,
    }
    return json.dumps(doc, ensure_ascii=False, separators=(",", ":")).encode()


def _shown(picture: Picture, found: Sequence[Occurrence]) -> dict[str, object] | None:
    if not found:
        return None
    booking, instance = found[0].booking, found[0].instance
    zone = picture.room.zone
    doc: dict[str, object] = {
        "start": to_wall(instance.start, zone).isoformat(),
        "end": to_wall(instance.end, zone).isoformat(),
        "startUtc": format_utc(instance.start),
        "endUtc": format_utc(instance.end),
        "bookingStatus": booking.status.value,
        "privacy": "private" if instance.private else "public",
    }
    title = _title(picture, found[0])
    if title is not None:
        doc["title"] = title
    if picture.details and not instance.private and booking.person.name:
        doc["bookedBy"] = booking.person.name
    return doc
