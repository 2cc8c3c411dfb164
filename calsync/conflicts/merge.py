"""Two edits of one booking: a three-way merge, field by field, against the base.

Only a field that both sides changed to different values is a conflict; everything else is
taken from the side that changed it. The fields of a booking are its schedule, title, busy
kind and privacy. Within a series whose grid (start, zone, rule) neither side touched, every
date is a field of its own, so that two people who change two dates do not meet.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from calsync.model import Occupancy, Override, Recurrence, Side

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """``value`` with the winner's values in the ``conflicts`` (names of fields)."""

    value: Occupancy
    conflicts: tuple[str, ...]


def merge(base: Occupancy | None, booking: Occupancy, event: Occupancy, winner: Side) -> Merged:
    """Merge both edits of ``base``. Without a base everything that differs is a conflict.

    Where a side lacks a title (titles not carried, or private) None is a value like others.
    """
    if booking == event:
        return Merged(value=booking, conflicts=())
    first = booking if winner is Side.BOOKING else event
    if base is None:
        return Merged(value=first, conflicts=("everything",))
    names: list[str] = []

    def pick(name: str, was: T, mine: T, theirs: T) -> T:
        if mine == theirs or theirs == was:
            return mine
        if mine == was:
            return theirs
        names.append(name)
        return mine if winner is Side.BOOKING else theirs

    title = pick("title", base.title, booking.title, event.title)
    busy = pick("busy", base.busy, booking.busy, event.busy)
    private = pick("private", base.private, booking.private, event.private)
    if _grid(base) == _grid(booking) == _grid(event) and base.recurrence is not None:
        shape = replace(base, recurrence=_merge_dates(base, booking, event, winner, names))
    else:
        chosen = pick("schedule", _schedule(base), _schedule(booking), _schedule(event))
        shape = booking if chosen == _schedule(booking) else event
    value = replace(shape, title=None if private else title, busy=busy, private=private)
    return Merged(value=value, conflicts=tuple(names))


def agreed(base: Occupancy, booking: Occupancy, event: Occupancy) -> Occupancy:
    """``base`` with every field in which both sides show the same by now.

    After half of a merge was written, the sides agree on what it carried over: from then on that
    is no change of anybody any more, whatever becomes of the other half.
    """

    def pick(was: T, mine: T, theirs: T) -> T:
        return mine if mine == theirs else was

    if _grid(base) == _grid(booking) == _grid(event) and base.recurrence is not None:
        dates = _agreed_dates(base, booking, event)
        shape = replace(base, recurrence=_with_dates(base.recurrence, dates))
    else:
        shape = booking if same_schedule(booking, event) else base
    return replace(
        shape,
        title=pick(base.title, booking.title, event.title),
        busy=pick(base.busy, booking.busy, event.busy),
        private=pick(base.private, booking.private, event.private),
    )


def _grid(occ: Occupancy) -> Hashable:
    """What gives a series its recurrence-ids; equal grids make dates comparable."""
    rule = occ.recurrence.rule if occ.recurrence else None
    # All-day items, and only those, have no zone: it says that, too.
    return (occ.start, occ.end, occ.zone, rule)


def same_grid(one: Occupancy, other: Occupancy) -> bool:
    """True where both give their dates the same recurrence-ids."""
    return _grid(one) == _grid(other)


def _schedule(occ: Occupancy) -> Hashable:
    return (occ.start, occ.end, occ.zone, occ.recurrence)


def same_schedule(one: Occupancy, other: Occupancy) -> bool:
    """True where both take the same time; title, busy kind and privacy may differ."""
    return _schedule(one) == _schedule(other)


def _merge_dates(
    base: Occupancy, booking: Occupancy, event: Occupancy, winner: Side, names: list[str]
) -> Recurrence:
    """Merge the exceptions of a series date by date. A date is as ruled, excluded or changed."""
    assert base.recurrence is not None
    was, mine, theirs = _dates(base), _dates(booking), _dates(event)
    merged: dict[datetime, Override | str | None] = {}
    for day in sorted(mine.keys() | theirs.keys()):
        w, m, t = was.get(day), mine.get(day), theirs.get(day)
        if m == t or t == w:
            value = m
        elif m == w:
            value = t
        else:
            names.append(f"date {day:%Y-%m-%d %H:%M}")
            value = m if winner is Side.BOOKING else t
        merged[day] = value
    return _with_dates(base.recurrence, merged)


def _agreed_dates(
    base: Occupancy, booking: Occupancy, event: Occupancy
) -> dict[datetime, Override | str | None]:
    was, mine, theirs = _dates(base), _dates(booking), _dates(event)
    days = sorted(was.keys() | mine.keys())  # what only one side has is not agreed on
    return {d: m if (m := mine.get(d)) == theirs.get(d) else was.get(d) for d in days}


def _with_dates(series: Recurrence, dates: dict[datetime, Override | str | None]) -> Recurrence:
    """``series`` with these exceptions, sorted by date; None: as the rule says."""
    return replace(
        series,
        excluded=tuple(day for day, value in dates.items() if value == _EXCLUDED),
        overrides=tuple(value for value in dates.values() if isinstance(value, Override)),
    )


_EXCLUDED = "excluded"


def _dates(occ: Occupancy) -> dict[datetime, Override | str]:
    recurrence = occ.recurrence
    assert recurrence is not None  # equal grids: each is a series
    found: dict[datetime, Override | str] = dict.fromkeys(recurrence.excluded, _EXCLUDED)
    found.update({o.recurrence_id: o for o in recurrence.overrides})
    return found
