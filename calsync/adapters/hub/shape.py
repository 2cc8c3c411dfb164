"""What follows from a booking's content: title rule, extent, and its parts for the calendar."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from calsync.mapping import split
from calsync.mapping.booking_values import FOREVER
from calsync.mapping.canon import canonical_occupancy
from calsync.mapping.expand import extent
from calsync.model import Interval, Occupancy

#: A rule that must be written date by date is carried this far, from its last change on.
PARTS_BACK: Final = timedelta(days=31)
PARTS_AHEAD: Final = timedelta(days=5 * 366)


def without_titles(content: Occupancy) -> Occupancy:
    """Bodies are never stored; titles only where the room's switch is on."""
    series = content.recurrence
    if series is None:
        return content if content.title is None else replace(content, title=None)
    if content.title is None and all(o.title is None for o in series.overrides):
        return content
    bare = tuple(replace(o, title=None) for o in series.overrides)
    return canonical_occupancy(
        replace(content, title=None, recurrence=replace(series, overrides=bare))
    )


def span_of(content: Occupancy, room_zone: str) -> Interval:
    """Extent in UTC. A single in UTC, the usual case, needs no zone tables."""
    if content.recurrence is None and content.zone == "UTC":
        return Interval(content.start.replace(tzinfo=UTC), content.end.replace(tzinfo=UTC))
    first, last = extent(content, room_zone)
    return Interval(first, FOREVER if last is None else last)


def is_over(content: Occupancy, room_zone: str, at: datetime) -> bool:
    """True for what had ended by then: sync may never carry it, so nothing waits for its answer."""
    end = extent(content, room_zone)[1]
    return end is not None and end <= at


def parts_of(content: Occupancy, room_zone: str, modified: datetime) -> dict[str, Occupancy]:
    """The items by which a calendar holds this content, by suffix; ``""`` alone is all of it.

    ``modified`` bounds what is written date by date, so that the parts do not move with the
    clock. Raises UnsayableRecurrence.
    """
    if content.recurrence is None or split.why_unsayable(content) is None:
        return {"": content}
    horizon = Interval(modified - PARTS_BACK, modified + PARTS_AHEAD)
    return {part.suffix: part.occupancy for part in split.split(content, room_zone, horizon)}
