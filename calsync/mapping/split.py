"""What Graph cannot say as one series, as several items with the same instances, and back.

Graph has one pattern a series, and no occurrence may move onto or past a neighbour's day
(ErrorOccurrenceCrossingBoundary, Graph docs event-update). So a booking may be several events.
The suffix names a part within its booking: "" the series itself, "x20261120T1030" the single
item of one recurrence-id, "s1", "s2" … the series that a rule was cut into.

No series is begun at a local time that the clocks skip: what Graph makes of one is not
documented, and a single item is written in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Final

from calsync.errors import MappingError, UnsayableRecurrence
from calsync.mapping import dates, zones
from calsync.mapping.canon import canonical_occupancy, is_slot, unchanged
from calsync.mapping.cut import Piece, begin, cut, is_skipped, why_rule_unsayable
from calsync.mapping.expand import instances
from calsync.mapping.recurrence import NO_NAME
from calsync.model import Interval, Occupancy, Override, Recurrence

#: An unsayable rule becomes at most so many single items.
MAX_SINGLES: Final = 400


@dataclass(frozen=True, slots=True)
class Part:
    """One item on the calendar side. ``suffix`` is unique within the booking and stays the same
    as long as the booking's rule does."""

    suffix: str
    occupancy: Occupancy


def why_unsayable(occ: Occupancy) -> str | None:
    """Why Graph cannot say this as one item; None where it can."""
    if occ.recurrence is None:
        return None
    why = _why_bare_unsayable(occ, occ.recurrence)
    if why is not None:
        return why
    strays = _strays(occ, occ.recurrence)
    if strays:
        return f"it has an additional occurrence on {strays[0].start:%Y-%m-%d}"
    crossing = _crossing(occ, occ.recurrence)
    if crossing:
        return f"its occurrence of {crossing[0].recurrence_id:%Y-%m-%d} moves past another one"
    return None


def split(occ: Occupancy, room_zone: str, horizon: Interval) -> list[Part]:
    """The items that together say what ``occ`` (canonical) says; one, with suffix "", wherever
    Graph can say it.

    A rule is kept whole, else cut into few series, else written date by date: all dates if
    they are at most ``MAX_SINGLES``, else those in ``horizon``. Raises UnsayableRecurrence for
    an endless rule, or one with too many dates, that no cut is known for.
    """
    series = occ.recurrence
    if series is None:
        return [Part("", occ)]
    why = _why_bare_unsayable(occ, series)
    if why is None:
        return _uncrossed("", occ, series, room_zone) or [Part("", occ)]
    pieces = _pieces(occ, series)
    if pieces is None:
        return _date_by_date(occ, series, room_zone, horizon, why)
    parts: list[Part] = []
    for suffix, (piece, share) in pieces.items():
        parts += _uncrossed(suffix, piece, share, room_zone)
    alone = [*_skipped(occ, series), *_strays(occ, series)]
    return parts + [_single(o, occ, room_zone) for o in alone]


def _why_bare_unsayable(occ: Occupancy, series: Recurrence) -> str | None:
    if _has_no_name(occ):
        return NO_NAME
    why = why_rule_unsayable(series.rule, occ.start, occ.duration)
    if why is None and _is_skipped(occ, occ.start):
        # What Graph makes of a local time that does not exist is not documented.
        return "its first date is at a time that the clocks skip"
    return why


def _has_no_name(occ: Occupancy) -> bool:
    return occ.zone is not None and zones.outgoing(occ.zone) is None


def _is_skipped(occ: Occupancy, slot: datetime) -> bool:
    return is_skipped(slot, occ.duration, occ.zone)


def _cut(occ: Occupancy, series: Recurrence) -> list[Piece] | None:
    if _has_no_name(occ):
        return None
    if why_rule_unsayable(series.rule, occ.start, occ.duration) is None:
        return [(series.rule, occ.start)]
    return cut(series.rule, occ.start, occ.duration)


def _skipped(occ: Occupancy, series: Recurrence) -> list[Override]:
    """Dates before the first of their piece, as single items: those have no local times."""
    known = {override.recurrence_id: override for override in series.overrides}
    excluded = set(series.excluded)
    alone: list[Override] = []
    for rule, start in _cut(occ, series) or ():
        begun = begin(rule, start, occ.duration, occ.zone)
        end = dates.LAST_DATE if begun is None else begun[1].date() - timedelta(days=1)
        slots = (_slot(occ, day) for day in dates.dates(rule, start.date(), start.date(), end))
        alone += [known.get(at) or unchanged(occ, at) for at in slots if at not in excluded]
    return alone


def _pieces(occ: Occupancy, series: Recurrence) -> dict[str, tuple[Occupancy, Recurrence]] | None:
    """The series a rule is cut into, each with its share of the exceptions, by suffix."""
    found = _cut(occ, series)
    if found is None:
        return None
    pieces: dict[str, tuple[Occupancy, Recurrence]] = {}
    for number, (given, base) in enumerate(found, 1):
        begun = begin(given, base, occ.duration, occ.zone)
        if begun is None:
            continue
        rule, start = begun
        share = Recurrence(
            rule=rule,
            excluded=tuple(at for at in series.excluded if is_slot(rule, start, at)),
            overrides=tuple(o for o in series.overrides if is_slot(rule, start, o.recurrence_id)),
        )
        piece = replace(occ, start=start, end=start + occ.duration, recurrence=share)
        pieces[f"s{number}"] = piece, share
    return pieces


def _strays(occ: Occupancy, series: Recurrence) -> list[Override]:
    """Overrides without a slot: additional occurrences."""
    return [o for o in series.overrides if not is_slot(series.rule, occ.start, o.recurrence_id)]


def _uncrossed(suffix: str, occ: Occupancy, series: Recurrence, room_zone: str) -> list[Part]:
    """The series without the overrides it cannot hold, and those as single items."""
    out = _crossing(occ, series)
    names = {override.recurrence_id for override in out}
    slots = {at for at in names if is_slot(series.rule, occ.start, at)}
    rest = replace(
        series,
        excluded=tuple(sorted({*series.excluded, *slots})),
        overrides=tuple(o for o in series.overrides if o.recurrence_id not in names),
    )
    kept = [Part(suffix, replace(occ, recurrence=rest))] if lives(occ, rest) else []
    return kept + [_single(override, occ, room_zone) for override in out]


def lives(occ: Occupancy, series: Recurrence) -> bool:
    """Whether any occurrence is left. Exchange keeps no series without one."""
    if series.overrides:
        return True
    excluded = set(series.excluded)
    first = occ.start.date()
    days = dates.dates(series.rule, first, first, dates.LAST_DATE)
    return any(_slot(occ, day) not in excluded for day in days)


def _slot(occ: Occupancy, day: date) -> datetime:
    return datetime.combine(day, occ.start.time())


def _crossing(occ: Occupancy, series: Recurrence) -> list[Override]:
    """Overrides that the series cannot hold: without a slot, or past a neighbour.

    Neighbours are taken where the rule put them, removed ones too, and where they were moved:
    stricter than Exchange may be, and right either way.
    """
    out: list[Override] = []
    kept: date | None = None  # the place of the last one that stays
    for override in series.overrides:
        slot, place = override.recurrence_id.date(), override.start.date()
        if not is_slot(series.rule, occ.start, override.recurrence_id):
            out.append(override)
            continue
        if place != slot:
            before, after = dates.neighbours(series.rule, occ.start.date(), slot)
            crosses = (before is not None and place <= before) or (
                after is not None and place >= after
            )
            if crosses or (kept is not None and place <= kept):
                out.append(override)
                continue
        kept = place
    return out


def goes_on(occ: Occupancy, suffix: str) -> bool:
    """Whether what the item of that suffix said lives on in ``occ``, which has no such item now.
    The item of one date goes with its date, unless that was moved back to where its series can hold
    it; all else is carried by others now."""
    if suffix[:1] != "x":
        return True
    series = occ.recurrence
    try:
        name = datetime.fromisoformat(suffix[1:])
    except ValueError:
        return False
    if series is None or name in series.excluded:
        return False
    return is_slot(series.rule, occ.start, name)


def suffix_of(name: datetime) -> str:
    """The suffix of the single item of a date."""
    return f"x{name:%Y%m%dT%H%M}" if not name.second else f"x{name:%Y%m%dT%H%M%S}"


def _single(override: Override, occ: Occupancy, room_zone: str) -> Part:
    """One occurrence as an item of its own."""
    suffix = suffix_of(override.recurrence_id)
    zone = None if override.all_day else occ.zone or room_zone
    single = Occupancy(
        start=override.start,
        end=override.end,
        zone=zone,
        all_day=override.all_day,
        busy=override.busy,
        title=override.title,
        private=override.private,
    )
    return Part(suffix, canonical_occupancy(single))


def _date_by_date(
    occ: Occupancy, series: Recurrence, room_zone: str, horizon: Interval, why: str
) -> list[Part]:
    if series.rule.endless:
        raise _unsayable(why, "Give it an end, or book it as several series")
    known = {override.recurrence_id: override for override in series.overrides}
    excluded = set(series.excluded)
    first = occ.start.date()
    days = dates.dates(series.rule, first, first, dates.LAST_DATE)
    slots = [_slot(occ, day) for day in islice(days, MAX_SINGLES + 1)]
    if len(slots) > MAX_SINGLES:
        near = islice(instances(occ, horizon, room_zone), MAX_SINGLES + 1)
        slots = [i.recurrence_id for i in near if i.recurrence_id is not None]
    if len(slots) > MAX_SINGLES:
        raise _unsayable(
            f"{why}, and it has more than {MAX_SINGLES} dates",
            "Let it end sooner, or book it as several series",
        )
    live = {at: known.get(at) or unchanged(occ, at) for at in slots if at not in excluded}
    live |= {override.recurrence_id: override for override in _strays(occ, series)}
    return [_single(live[at], occ, room_zone) for at in sorted(live)]


def _unsayable(why: str, todo: str) -> UnsayableRecurrence:
    return UnsayableRecurrence(why, where="recurrence", todo=todo)


# --- back ------------------------------------------------------------------------------------


def join(
    occ: Occupancy, suffix: str, changed: Occupancy | None, *, room_zone: str = "UTC"
) -> Occupancy:
    """``occ`` with one of its parts changed; ``changed`` None = that part was deleted.

    ``room_zone`` matters only to a timed occurrence of an all-day series. Raises MappingError
    for a change that the whole cannot take up; it can be made on the booking side.
    """
    series = occ.recurrence
    if series is None:
        if changed is None or suffix:
            raise _cannot_join("a single item has no parts")
        return changed
    if not suffix:
        return canonical_occupancy(_join_main(occ, series, changed))
    if suffix[0] == "x":
        return canonical_occupancy(_join_single(occ, series, suffix, changed, room_zone))
    pieces = _pieces(occ, series) or {}
    if suffix not in pieces:
        raise _cannot_join(f"the booking has no part {suffix!r}")
    piece, share = pieces[suffix]
    found = _join_piece(piece, share, changed)
    # Dates that are single items of their own are not this part's to change.
    found |= {o.recurrence_id: o for o in _crossing(piece, share)}
    others = tuple(o for o in series.overrides if o not in share.overrides)
    excluded = (at for at in series.excluded if at not in share.excluded)
    joined = replace(
        series,
        excluded=(*excluded, *(at for at, override in found.items() if override is None)),
        overrides=(*others, *(override for override in found.values() if override is not None)),
    )
    return canonical_occupancy(replace(occ, recurrence=joined))


def _cannot_join(why: str) -> MappingError:
    return MappingError(
        f"this change cannot be taken over: {why}",
        where="booking of several events",
        todo="Change the booking on the booking side instead",
    )


def _join_main(occ: Occupancy, series: Recurrence, changed: Occupancy | None) -> Occupancy:
    out = _crossing(occ, series)
    names = {override.recurrence_id for override in out}
    if changed is None:
        if not out:
            raise _cannot_join("it removes the whole booking")
        # Only the single items are left. The neighbours they passed stay, as removed dates:
        # without them they would count as occurrences in their place again.
        ended = series.rule
        if ended.endless:
            last = max(names).date()
            after = dates.neighbours(ended, occ.start.date(), last)[1]
            ended = replace(ended, until=after or last)
        slots = [_slot(occ, day) for day in _days(occ, replace(series, rule=ended))]
        left = tuple(at for at in slots if at not in names)
        return replace(occ, recurrence=Recurrence(rule=ended, excluded=left, overrides=tuple(out)))
    if changed.recurrence is None:
        if out:
            raise _cannot_join("the series became a single item, but some of its dates are others")
        return changed
    mine = changed.recurrence
    joined = replace(
        mine,
        excluded=tuple(at for at in mine.excluded if at not in names),
        overrides=(*(o for o in mine.overrides if o.recurrence_id not in names), *out),
    )
    return replace(changed, recurrence=joined)


def _join_single(
    occ: Occupancy, series: Recurrence, suffix: str, changed: Occupancy | None, room_zone: str
) -> Occupancy:
    try:
        name = datetime.fromisoformat(suffix[1:])
    except ValueError:
        raise _cannot_join(f"the booking has no part {suffix[:40]!r}") from None
    others = tuple(o for o in series.overrides if o.recurrence_id != name)
    if changed is None:
        excluded = (*series.excluded, name)
        return replace(occ, recurrence=replace(series, excluded=excluded, overrides=others))
    if changed.recurrence is not None:
        raise _cannot_join("one date of a series became a series of its own")
    override = _as_override(name, changed, occ, room_zone)
    # A date that was removed in the meantime comes back with its change.
    excluded = tuple(at for at in series.excluded if at != name)
    found = replace(series, excluded=excluded, overrides=(*others, override))
    return replace(occ, recurrence=found)


def _as_override(name: datetime, single: Occupancy, occ: Occupancy, room_zone: str) -> Override:
    """At times that clocks show: the one form gives a date that was not moved its name again."""
    start, end = single.start, single.end
    if single.zone is not None:
        zone = occ.zone or room_zone
        start = zones.to_wall(zones.to_utc(single.start, single.zone), zone)
        end = zones.to_wall(zones.to_utc(single.end, single.zone), zone)
        # In the hour that comes twice an end may read as its start or earlier.
        end = end if end > start else start + single.duration
    return Override(
        recurrence_id=name,
        start=start,
        end=end,
        all_day=single.all_day,
        busy=single.busy,
        title=single.title,
        private=single.private,
    )


def _days(occ: Occupancy, series: Recurrence) -> list[date]:
    first = occ.start.date()
    days = dates.dates(series.rule, first, first, dates.LAST_DATE)
    found = list(islice(days, dates.MAX_COUNTED + 1))
    if len(found) > dates.MAX_COUNTED:
        raise _cannot_join("it concerns too many dates")
    return found


def _slots(occ: Occupancy, series: Recurrence) -> list[datetime]:
    return [_slot(occ, day) for day in _days(occ, series)]


def _join_piece(
    piece: Occupancy, series: Recurrence, changed: Occupancy | None
) -> dict[datetime, Override | None]:
    """What became of each slot of a piece: an override, or None for removed."""
    if series.rule.endless:
        return _join_endless(piece, series, changed)
    slots = _slots(piece, series)
    if changed is None:
        return dict.fromkeys(slots)
    mine = changed.recurrence
    if mine is None or changed.zone != piece.zone:
        raise _cannot_join("one of the series that the booking consists of became something else")
    now = _slots(changed, mine)
    if _strays(changed, mine):
        raise _cannot_join("one of the series that the booking consists of got additional dates")
    if len(now) > len(slots):
        raise _cannot_join("one of the series that the booking consists of became longer")
    known = {o.recurrence_id: o for o in mine.overrides}
    gone = set(mine.excluded)
    found: dict[datetime, Override | None] = dict.fromkeys(slots)
    for name, at in zip(slots, now, strict=False):
        if at not in gone:
            found[name] = replace(known.get(at) or unchanged(changed, at), recurrence_id=name)
    return found


def _join_endless(
    piece: Occupancy, series: Recurrence, changed: Occupancy | None
) -> dict[datetime, Override | None]:
    if changed is None or replace(changed, recurrence=series) != piece:
        raise _cannot_join("one of several endless series was moved or removed")
    mine = changed.recurrence
    if mine is None:
        raise _cannot_join("one of several endless series became a single item")
    if mine.rule != series.rule:
        raise _cannot_join("one of several endless series got another rule")
    found: dict[datetime, Override | None] = dict.fromkeys(mine.excluded)
    found |= {o.recurrence_id: o for o in mine.overrides}
    return found
