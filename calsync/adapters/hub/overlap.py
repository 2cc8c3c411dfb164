"""Which of the wanted time somebody holds. Values in, values out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from calsync.adapters.hub.problems import Overlap
from calsync.mapping.booking_form import FieldError, InvalidBooking
from calsync.mapping.booking_values import Booking, Taken
from calsync.mapping.expand import busy_intervals, extent
from calsync.model import Interval, Occupancy

#: How far ahead a series is checked. What it meets later is a clash for sync to decide.
CHECKED: timedelta = timedelta(days=3 * 366)


def checked_span(content: Occupancy, room_zone: str, now: datetime) -> Interval:
    first, last = extent(content, room_zone)
    limit = max(first, now) + CHECKED
    return Interval(first, min(last, limit) if last is not None else limit)


def wanted_time(content: Occupancy, room_zone: str, span: Interval) -> list[Interval]:
    """The blocking instances, by start. Raises InvalidBooking where they overlap one another."""
    wanted = busy_intervals(content, span, room_zone)
    for one, two in pairwise(wanted):
        if two.start < one.end:
            raise InvalidBooking(
                [
                    FieldError(
                        "/duration",
                        "the occurrences of the series overlap one another",
                        "Shorten the booking, or let it repeat less often",
                    )
                ]
            )
    return wanted


def newly_wanted(wanted: Sequence[Interval], held: Sequence[Interval]) -> list[Interval]:
    """What lies outside the time that the booking already holds: giving up time, or changing a
    title, is never refused because of an overlap that is there already."""
    return [w for w in wanted if not any(h.start <= w.start and w.end <= h.end for h in held)]


def overlaps(
    wanted: Sequence[Interval], bookings: Iterable[Booking], room_zone: str
) -> list[Overlap]:
    """Every instance of ``bookings`` that meets a wanted interval, by start.

    ``wanted`` is sorted and free of overlaps within itself.
    """
    if not wanted:
        return []
    span = Interval(wanted[0].start, wanted[-1].end)
    starts = [w.start for w in wanted]
    found = [
        Overlap(held.start, held.end, booking)
        for booking in bookings
        for held in busy_intervals(booking.content, span, room_zone)
        if _meets_any(held, wanted, starts)
    ]
    return sorted(found, key=lambda o: (o.start, o.booking.id))


def _meets_any(held: Interval, wanted: Sequence[Interval], starts: Sequence[datetime]) -> bool:
    # The last wanted interval that starts before the held one ends is the only one to look at.
    at = bisect_left(starts, held.end) - 1
    return at >= 0 and wanted[at].meets(held)


def busy_of(
    taken: Iterable[Taken], zones: dict[str, str], span: Interval
) -> dict[str, list[Interval]]:
    """Busy time per room: the union of what meets ``span``, sorted. Rooms come from ``zones``."""
    found: dict[str, list[Interval]] = {room_id: [] for room_id in zones}
    for item in taken:
        spans = found.get(item.room_id)
        if spans is None:
            continue
        if item.series is None:
            if item.span.start < item.span.end:
                spans.append(item.span)
        else:
            spans.extend(busy_intervals(item.series, span, zones[item.room_id]))
    return {room_id: union(spans) for room_id, spans in found.items()}


def union(spans: list[Interval]) -> list[Interval]:
    """Joined where they touch or overlap."""
    joined: list[Interval] = []
    for span in sorted(spans, key=lambda s: s.start):
        if joined and span.start <= joined[-1].end:
            if span.end > joined[-1].end:
                joined[-1] = Interval(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined
