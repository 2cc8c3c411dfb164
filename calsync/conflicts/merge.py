"""Two edits of one booking: a three-way merge, field by field, against the base.

Only a field that both sides changed to different values is a conflict; everything else is
taken from the side that changed it. The fields of a booking are its schedule, title, busy
kind and privacy. Within a series whose grid (start, zone, rule) neither side touched, every
date has fields of its own, so that two people who change two dates do not meet, nor do who
renames the series and who moves one date of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from calsync.mapping.canon import unchanged
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
    pick = _Pick(winner)
    ruled = replace(
        base,
        title=pick("title", base.title, booking.title, event.title),
        busy=pick("busy", base.busy, booking.busy, event.busy),
        private=pick("private", base.private, booking.private, event.private),
    )
    if _grid(base) == _grid(booking) == _grid(event) and base.recurrence is not None:
        shape = replace(base, recurrence=_merge_dates(base, booking, event, ruled, pick))
    else:
        chosen = pick("schedule", _schedule(base), _schedule(booking), _schedule(event))
        own = booking if chosen == _schedule(booking) else event
        shape = replace(own, recurrence=_dates_following(own, ruled))
    value = replace(shape, title=_title(ruled), busy=ruled.busy, private=ruled.private)
    return Merged(value=value, conflicts=tuple(dict.fromkeys(pick.conflicts)))


class _Pick:
    """Takes each field from the side that changed it; ``conflicts``: what both did, and what the
    winner decided."""

    def __init__(self, winner: Side) -> None:
        self._winner = winner
        self.conflicts: list[str] = []

    def __call__(self, name: str, was: T, mine: T, theirs: T) -> T:
        if mine == theirs or theirs == was:
            return mine
        if mine == was:
            return theirs
        self.conflicts.append(name)
        return mine if self._winner is Side.BOOKING else theirs


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


def unmade(base: Occupancy, was: Occupancy, now: Occupancy) -> Occupancy:
    """``base`` without the exceptions that ``now``, made anew in place of ``was``, lacks as yet
    though ``was`` had them as agreed on. All three give their dates the same recurrence-ids;
    ``base`` is what is ``agreed`` on after it was made anew."""
    assert base.recurrence is not None
    former, there = _dates(was), _dates(now)
    kept: dict[datetime, Override | str | None] = {
        day: value
        for day, value in _dates(base).items()
        if day in there or former.get(day) != value
    }
    return replace(base, recurrence=_with_dates(base.recurrence, kept))


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


def covers(held: Occupancy, wanted: Occupancy) -> bool:
    """True where ``held`` takes all the time that ``wanted`` would: at the same time, and what is
    shown as free takes none. (A single date says so itself: it is part of the schedule.)"""
    return same_schedule(held, wanted) and (held.busy.blocks or not wanted.busy.blocks)


def _merge_dates(
    base: Occupancy, booking: Occupancy, event: Occupancy, ruled: Occupancy, pick: _Pick
) -> Recurrence:
    """Merge the exceptions of a series date by date. A date is as ruled, excluded or changed."""
    assert base.recurrence is not None
    was, mine, theirs = _dates(base), _dates(booking), _dates(event)
    merged: dict[datetime, Override | str | None] = {}
    for day in sorted(mine.keys() | theirs.keys()):
        w, m, t = was.get(day), mine.get(day), theirs.get(day)
        name = f"date {day:%Y-%m-%d %H:%M}"
        if isinstance(w, str) or isinstance(m, str) or isinstance(t, str):
            value = pick(name, w, m, t)
            own = booking if value == m else event
            merged[day] = _following(value, own, ruled) if isinstance(value, Override) else value
        else:
            merged[day] = _merge_date(name, day, ((w, base), (m, booking), (t, event)), ruled, pick)
    return _with_dates(base.recurrence, merged)


def _merge_date(
    name: str,
    day: datetime,
    states: Sequence[tuple[Override | None, Occupancy]],
    ruled: Occupancy,
    pick: _Pick,
) -> Override | None:
    """One date of a series, field by field. ``states``: as it was, and as the booking side and the
    calendar show it, each with its series. A field in which a date is as its series says follows
    the series: who changed the title of all of it changed it here, too."""
    was, mine, theirs = (one or unchanged(series, day) for one, series in states)
    value = unchanged(ruled, day)

    def time(one: Override) -> tuple[datetime, datetime, bool]:
        return one.start, one.end, one.all_day

    start, end, all_day = pick(name, time(was), time(mine), time(theirs))
    value = replace(value, start=start, end=end, all_day=all_day)
    for field in _FOLLOWING:
        if getattr(mine, field) == getattr(theirs, field):
            value = replace(value, **{field: getattr(mine, field)})
            continue
        own = (
            _FOLLOWS if getattr(one, field) == getattr(series, field) else getattr(one, field)
            for one, (_, series) in zip((was, mine, theirs), states, strict=True)
        )
        chosen = pick(name, *own)
        if chosen is not _FOLLOWS:
            given: dict[str, Any] = {field: chosen}
            value = replace(value, **given)
    value = replace(value, title=_title(value))
    return None if value == replace(unchanged(ruled, day), title=_title(ruled)) else value


def _following(one: Override, own: Occupancy, ruled: Occupancy) -> Override:
    """A changed date of the series ``own`` as one of the series ``ruled``."""
    fields: dict[str, Any] = {
        field: getattr(ruled, field)
        for field in _FOLLOWING
        if getattr(one, field) == getattr(own, field)
    }
    one = replace(one, **fields)
    return replace(one, title=_title(one))


def _dates_following(own: Occupancy, ruled: Occupancy) -> Recurrence | None:
    series = own.recurrence
    if series is None:
        return None
    changed = tuple(_following(one, own, ruled) for one in series.overrides)
    return replace(series, overrides=changed)


def _title(shown: Occupancy | Override) -> str | None:
    return None if shown.private else shown.title


#: What a changed date has in common with its series, unless it says something else.
_FOLLOWING = ("title", "busy", "private")
_FOLLOWS = object()


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
