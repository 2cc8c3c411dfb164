"""A booking as an iCalendar file that whoever booked may put into a calendar of theirs.

Always ``METHOD:PUBLISH`` (RFC 5546, 3.2.1): it asks nobody for an answer, invites nobody, and no
mail program acts on it by itself; a cancellation is the same event with ``STATUS:CANCELLED``. All
text goes through the library, which escapes it: nothing that a user typed can begin a property.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from calsync.mapping.rrule import format_rrule
from calsync.model import Notice, NoticeKind, Occupancy, Override

if TYPE_CHECKING:
    import icalendar

#: SEQUENCE must grow with what is sent later, and be a 32-bit number.
_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


def published(
    notice: Notice,
    *,
    room: str,
    place: str,
    summary: str,
    organizer: str,
    now: datetime,
) -> bytes:
    """The booking of ``notice``. ``room``, ``place`` and ``summary`` are one line each."""
    import icalendar

    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//calsync//notices//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    common: dict[str, Any] = {
        "uid": f"{notice.booking_key}@calsync",
        "dtstamp": now.astimezone(UTC).replace(microsecond=0),
        "sequence": max(0, int((now - _EPOCH).total_seconds())),
        "summary": summary,
        "location": ", ".join(part for part in (room, place) if part),
        "status": "CANCELLED" if notice.kind is NoticeKind.CANCELLED else "CONFIRMED",
        "transp": "OPAQUE",
        "class": "PRIVATE" if notice.occupancy.private else "PUBLIC",
    }
    calendar.add_component(_event(icalendar, common, notice.occupancy, organizer, room))
    series = notice.occupancy.recurrence
    for override in series.overrides if series is not None else ():
        event = _dated(icalendar, common, override, notice.occupancy, organizer, room)
        calendar.add_component(event)
    if series is not None and notice.occupancy.zone not in (None, "UTC"):
        calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def _event(
    icalendar: Any, common: dict[str, Any], occ: Occupancy, organizer: str, room: str
) -> icalendar.Event:
    event = _bare(icalendar, common, organizer, room)
    event.add("dtstart", _at(occ.start, occ))
    event.add("dtend", _at(occ.end, occ))
    if occ.recurrence is not None:
        rule = format_rrule(
            occ.recurrence.rule, start=occ.start, zone=occ.zone, all_day=occ.all_day
        )
        event.add("rrule", icalendar.vRecur.from_ical(rule))
        for one in occ.recurrence.excluded:
            event.add("exdate", _at(one, occ))
    return event


def _dated(
    icalendar: Any,
    common: dict[str, Any],
    override: Override,
    occ: Occupancy,
    organizer: str,
    room: str,
) -> icalendar.Event:
    """A changed date of a series."""
    event = _bare(icalendar, common, organizer, room)
    event.add("recurrence-id", _at(override.recurrence_id, occ))
    event.add("dtstart", _at(override.start, occ, all_day=override.all_day))
    event.add("dtend", _at(override.end, occ, all_day=override.all_day))
    return event


def _bare(icalendar: Any, common: dict[str, Any], organizer: str, room: str) -> icalendar.Event:
    event = icalendar.Event()
    for name, value in common.items():
        event.add(name, value)
    if organizer:
        event.add("organizer", f"mailto:{organizer}", parameters={"CN": room})
    return event


def _at(wall: datetime, occ: Occupancy, *, all_day: bool | None = None) -> Any:
    if occ.all_day if all_day is None else all_day:
        return wall.date()
    return wall.replace(tzinfo=UTC if occ.zone in (None, "UTC") else ZoneInfo(occ.zone))
