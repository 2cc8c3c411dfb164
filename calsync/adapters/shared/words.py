"""Plain sentences for people: why a booking cannot stay, and what is free instead.

Everything here comes from users in part (titles, room names): one line each, no control
characters, bounded length.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from calsync.model import Occupancy, Refusal

_MOST = 10


def line(text: str, limit: int = 200) -> str:
    """One printable line: no control, format (bidirectional overrides) or private characters."""
    kept = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text[: limit * 2])
    short = " ".join(kept.split())
    return short if len(short) <= limit else short[: limit - 1] + "…"


def when(occupancy: Occupancy, room_zone: str) -> str:
    """Start and end as a room's visitor reads them; a series by its first date."""
    start, end = occupancy.start, occupancy.end
    prefix = "series from " if occupancy.recurrence is not None else ""
    if occupancy.all_day:
        last = end - timedelta(days=1) if end > start else start  # the end is exclusive
        days = f"{start:%Y-%m-%d}" + (f" to {last:%Y-%m-%d}" if last > start else "")
        return f"{prefix}{days}, all day"
    zone = ZoneInfo(occupancy.zone or room_zone)
    return prefix + span(start.replace(tzinfo=zone), end.replace(tzinfo=zone), room_zone)


def span(start: datetime, end: datetime, room_zone: str) -> str:
    """`2026-12-01 09:00 to 10:00 (Europe/Berlin)`; naive times are already the room's."""
    zone = ZoneInfo(room_zone)
    begin, finish = _local(start, zone), _local(end, zone)
    tail = f"{finish:%H:%M}" if finish.date() == begin.date() else f"{finish:%Y-%m-%d %H:%M}"
    return f"{begin:%Y-%m-%d %H:%M} to {tail} ({room_zone})"


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at if at.tzinfo is None else at.astimezone(UTC).astimezone(zone)


def refusal_text(refusal: Refusal, room_zone: str) -> str:
    """Reason, refused dates, what stands in the way, free rooms: each on a line of its own."""
    lines = [line(refusal.reason, 500)]
    if refusal.dates:
        dates = [f"{at:%Y-%m-%d %H:%M}" for at in refusal.dates[:_MOST]]
        lines.append("Refused dates: " + ", ".join(dates) + _more(len(refusal.dates)) + ".")
    if refusal.conflicts:
        taken = [span(start, end, room_zone) for start, end in refusal.conflicts[:_MOST]]
        lines.append("The room is taken: " + "; ".join(taken) + _more(len(refusal.conflicts)) + ".")
    if refusal.alternatives:
        rooms = [
            line(room.name) + (f" ({room.capacity} seats)" if room.capacity else "")
            for room in refusal.alternatives[:_MOST]
        ]
        lines.append("Free at that time: " + ", ".join(rooms) + ".")
    if refusal.times:
        free = [span(start, end, room_zone) for start, end in refusal.times[:_MOST]]
        lines.append("Free in this room: " + "; ".join(free) + ".")
    return "\n".join(lines)


def _more(count: int) -> str:
    return f" and {count - _MOST} more" if count > _MOST else ""
