"""When something takes place, for people: in its own wall time, with its zone."""

from __future__ import annotations

from calsync.mapping import zones
from calsync.model import Occupancy


def span(occupancy: Occupancy, zone: str = "") -> str:
    """``2026-11-21 10:00-11:00 Europe/Berlin``. ``zone``: a single item is told in the wall time
    of this zone, the room's; without one, and for series, in its own."""
    start, end, told = occupancy.start, occupancy.end, occupancy.zone
    if zone and told == "UTC" and occupancy.recurrence is None:
        start = zones.to_wall(zones.to_utc(start, "UTC"), zone)
        end = zones.to_wall(zones.to_utc(end, "UTC"), zone)
        told = zone
    repeats = ", series" if occupancy.recurrence is not None else ""
    if told is None:
        days = (end - start).days
        return f"{start:%Y-%m-%d} all day{f', {days} days' if days > 1 else ''}{repeats}"
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M}-{until} {told}{repeats}"
