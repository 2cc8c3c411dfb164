"""A series master with its exceptions → Occupancy.

The truth of a series is the master, its exceptions and its cancelled occurrences; where a
cloud lacks those properties, its listed instances. Facts: Graph resource event
(cancelledOccurrences, exceptionOccurrences, originalStart), CSDL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from calsync.mapping import dates, zones
from calsync.mapping.canon import canonical, canonical_occupancy, is_slot, unchanged
from calsync.mapping.event_fields import (
    Look,
    Poison,
    Reading,
    Span,
    instant_of,
    is_owned,
    read_look,
    read_span,
    response,
    ticks,
)
from calsync.mapping.recurrence import from_graph
from calsync.model import Frequency, Interval, Nth, Occupancy, Override, Recurrence, Rule, Weekday

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What belongs to a master. ``cancelled_known``: ``cancelled`` is the whole list, so slots
    missing from ``instances`` say nothing. ``span``: the window under which instances were
    listed; without it nothing is concluded before the first of them or after the last."""

    exceptions: Sequence[Mapping[str, Any]]
    cancelled: Sequence[str]
    cancelled_known: bool
    instances: Sequence[Mapping[str, Any]] | None
    span: Interval | None


def gather(
    event: Mapping[str, Any],
    exceptions: Sequence[Mapping[str, Any]],
    cancelled: Sequence[str],
    instances: Sequence[Mapping[str, Any]] | None,
    span: Interval | None,
) -> Parts:
    """The parts the caller read, and those the master carries itself."""
    own = event.get("exceptionOccurrences")
    gone = event.get("cancelledOccurrences")
    listed = [one for one in instances or () if one.get("type") == "exception"]
    carried = [one for one in own if isinstance(one, dict)] if isinstance(own, list) else []
    said = [str(one) for one in gone] if isinstance(gone, list) else []
    return Parts(
        exceptions=[*exceptions, *carried, *listed],
        cancelled=[*cancelled, *said],
        # An empty list is an answer: nothing is cancelled. Absent or null is none.
        cancelled_known=isinstance(gone, list) or bool(cancelled),
        instances=instances,
        span=span,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """The bare series while its exceptions are read. ``zone``: where wall times are read, the
    room's for an all-day series; ``home``: where its midnights are. ``shift``: days from the
    dates Graph names to those here."""

    occ: Occupancy
    rule: Rule
    zone: str
    home: str
    shift: timedelta
    how: Reading
    owned: bool
    look: Look

    def slot(self, day: date) -> datetime:
        return datetime.combine(day, self.occ.start.time())


def read_series(
    event: Mapping[str, Any], span: Span, look: Look, how: Reading, parts: Parts
) -> Occupancy:
    """The canonical occupancy of a master. Raises Poison or MappingError."""
    raw = event.get("recurrence")
    if not isinstance(raw, dict):
        raise Poison("recurrence", raw)
    home = _home_zone(event, raw)
    zone = how.room_zone if home is None or span.all_day else home
    start, end = _walls(span, zone)
    if home is not None and not span.all_day:
        start, end = _named(raw, start, end, zone, _listed_walls(parts, zone, how))
    rule, shift = _rule(raw, start, foreign=home is None and not span.all_day)
    occ = Occupancy(
        start=start,
        end=end,
        zone=None if span.all_day else zone,
        all_day=span.all_day,
        busy=look.busy,
        title=look.title,
        private=look.private,
    )
    series = _Series(
        occ=occ,
        rule=rule,
        zone=zone,
        home=home or zone,
        shift=shift,
        how=how,
        owned=is_owned(event),
        look=look,
    )
    excluded = {series.slot(day + shift) for day in _cancelled_days(parts)}
    overrides = _exceptions(series, parts, excluded)
    if parts.instances is not None:
        if home is None and not span.all_day:
            _fit_instants(series, parts.instances, overrides, excluded)
        if not parts.cancelled_known:
            excluded |= _missing(series, parts.instances, parts.span, overrides)
    found = Recurrence(
        rule=rule,
        excluded=tuple(excluded),
        overrides=tuple(overrides.values()),
    )
    return canonical_occupancy(replace(occ, recurrence=found))


def _home_zone(event: Mapping[str, Any], recurrence: Mapping[str, Any]) -> str | None:
    """The zone in which the wall time repeats; None for a custom or unknown one."""
    span = recurrence.get("range")
    named = span.get("recurrenceTimeZone") if isinstance(span, dict) else None
    for name in (named, event.get("originalStartTimeZone")):
        if isinstance(name, str) and name:
            found = zones.resolve(name).iana
            return None if found is None else zones.canonical(found)
    return None


def needs_instances(event: Mapping[str, Any]) -> bool:
    """Whether only its listed instances tell when this series takes place: its wall time repeats
    in a zone we have no rules for (a legacy custom zone), or its first start or end is an
    instant with two names, because the clocks skip the other one (see ``_named``)."""
    raw = event.get("recurrence")
    if not isinstance(raw, dict) or event.get("isAllDay") is True:
        return False
    home = _home_zone(event, raw)
    if home is None:
        return True
    try:
        span = read_span(event, False, home)
    except Poison:
        return False
    return any(zones.skipped(wall, home) is not None for wall in _walls(span, home))


def _walls(span: Span, zone: str) -> tuple[datetime, datetime]:
    if span.all_day:
        return span.start, span.end
    start = zones.to_wall(span.start.replace(tzinfo=UTC), zone)
    end = zones.to_wall(span.end.replace(tzinfo=UTC), zone)
    # In the hour that comes twice an end may read as its start or earlier.
    return start, end if end > start else start + (span.end - span.start)


def home_name(event: Mapping[str, Any]) -> str | None:
    """The name by which to ask Graph for a timed series in the zone where its wall time repeats:
    then that wall time is the server's own, whatever this host's table of the zone says. None
    where there is no such zone: an item that is no timed series, or a custom zone."""
    raw = event.get("recurrence")
    if not isinstance(raw, dict) or event.get("isAllDay") is True:
        return None
    home = _home_zone(event, raw)
    return None if home is None else zones.outgoing(home)


def _named(
    raw: Mapping[str, Any],
    start: datetime,
    end: datetime,
    zone: str,
    listed: Iterable[tuple[datetime, datetime]],
) -> tuple[datetime, datetime]:
    """First start and end by the clock time at which the series repeats.

    On the day the clocks go forward one instant has two names: a series that reads 03:30 there
    may be one of 02:30 that begins in the gap. Which of the two Exchange repeats is not
    documented, so its other dates tell; without any, the date its range begins on.
    """
    starts = [wall for wall in (start, zones.skipped(start, zone)) if wall is not None]
    ends = [wall for wall in (end, zones.skipped(end, zone)) if wall is not None]
    if len(starts) + len(ends) == 2:
        return start, end
    names = [(first, last) for first in starts for last in ends]
    for other, after in listed:
        if zones.skipped(other, zone) is None and zones.skipped(after, zone) is None:
            for first, last in names:
                if first.time() == other.time() and last - first == after - other:
                    return first, last
    begins = raw.get("range")
    named = begins.get("startDate") if isinstance(begins, dict) else None
    return next(((a, b) for a, b in names if a.date().isoformat() == named), (start, end))


def _listed_walls(parts: Parts, zone: str, how: Reading) -> Iterator[tuple[datetime, datetime]]:
    """Where the unchanged dates stand."""
    for event in parts.instances or ():
        if event.get("type") != "exception":
            # One that is no exception is of its master's kind: timed.
            yield _walls(read_span(event, False, how.room_zone), zone)


def _rule(raw: Mapping[str, Any], start: datetime, *, foreign: bool) -> tuple[Rule, timedelta]:
    """The rule in the zone of ``start``, and by how many days its dates moved for it.

    Only under a foreign (custom) zone do the dates Graph names differ from ours: Monday 23:00
    there may be Tuesday here.
    """
    if not foreign:
        return from_graph(raw, start=start), timedelta(0)
    span = raw.get("range")
    named = span.get("startDate") if isinstance(span, dict) else None
    try:
        day = date.fromisoformat(named) if isinstance(named, str) else start.date()
    except ValueError:
        raise Poison("recurrence.range.startDate", named) from None
    shift = start.date() - day
    if abs(shift) > _DAY:
        raise Poison("recurrence.range.startDate", named)
    rule = from_graph(raw, start=datetime.combine(day, start.time()))
    if not shift:
        return rule, shift
    if rule.frequency not in (Frequency.DAILY, Frequency.WEEKLY):
        raise Poison("recurrence, in a time zone of its own,", raw.get("pattern"))
    turned = replace(
        rule,
        by_day=tuple(Nth(Weekday((nth.weekday + shift.days) % 7)) for nth in rule.by_day),
        week_start=Weekday((rule.week_start + shift.days) % 7),
        until=None if rule.until is None else rule.until + shift,
    )
    return canonical(turned, start), shift


def _cancelled_days(parts: Parts) -> set[date]:
    """Entries read ``OID.{masterId}.{yyyy-mm-dd}``; an id may hold dots, the date is the last."""
    found: set[date] = set()
    for entry in parts.cancelled:
        try:
            found.add(date.fromisoformat(entry.rpartition(".")[2][:10]))
        except (ValueError, AttributeError):
            raise Poison("cancelledOccurrences", entry) from None
    return found


def _exceptions(series: _Series, parts: Parts, excluded: set[datetime]) -> dict[datetime, Override]:
    """Overrides by recurrence-id. A cancelled or declined exception adds to ``excluded``."""
    found: dict[datetime, Override] = {}
    for event in parts.exceptions:
        slot = _slot_of(series, event)
        if slot in found or slot in excluded:
            continue
        declined = response(event) == "declined" and not series.owned
        if event.get("isCancelled") is True or declined:
            excluded.add(slot)
        else:
            found[slot] = _override(series, event, slot)
    return found


def _slot_of(series: _Series, event: Mapping[str, Any]) -> datetime:
    """The recurrence-id of an instance, from its originalStart (a UTC timestamp)."""
    if event.get("originalStart") is None:
        raise Poison("exception's originalStart", None)
    at = instant_of(ticks(event, "originalStart")).replace(tzinfo=None)
    wall = zones.to_wall(at.replace(tzinfo=UTC), series.home)
    if series.occ.all_day:
        # The instant of a midnight in the home zone or, where that is said to be UTC, in the
        # mailbox's (microsoft-graph-docs #2804); or the date as if it were UTC.
        for zone in (series.home, series.zone):
            begun = zones.day_at(at.replace(tzinfo=UTC), zone)
            if begun is not None:
                return series.slot(begun)
        return _nearest(series, at)
    slot = series.slot(wall.date())
    if slot == wall:
        return slot
    # A slot in the gap of the clocks stands later than its name says, perhaps on the next day.
    for near in (slot, slot - _DAY):
        if zones.to_utc(near, series.zone).replace(tzinfo=None) == at:
            return near
    # The server's table of the zone is another one than ours.
    return _nearest(series, wall)


def _override(series: _Series, event: Mapping[str, Any], slot: datetime) -> Override:
    occ = series.occ
    all_day = event.get("isAllDay", occ.all_day)
    span = read_span(event, all_day, series.how.room_zone)
    start, end = _walls(span, series.zone)
    look = read_look(event, series.how, owned=series.owned, base=series.look)
    return Override(
        recurrence_id=slot,
        start=start,
        end=end,
        all_day=span.all_day,
        busy=look.busy,
        title=look.title,
        private=look.private,
    )


def _fit_instants(
    series: _Series,
    instances: Sequence[Mapping[str, Any]],
    overrides: dict[datetime, Override],
    excluded: set[datetime],
) -> None:
    """Under a custom zone our wall time is a guess: where a listed instance stands elsewhere
    than the guess, it becomes an override, so that at least the listed instants are right."""
    for event in instances:
        if event.get("type") == "exception":
            continue
        span = read_span(event, False, series.how.room_zone)
        start, end = _walls(span, series.zone)
        slot = _nearest(series, start)
        if slot not in overrides and slot not in excluded:
            # One that stands where the guess is changes nothing, and is dropped in the end.
            overrides[slot] = replace(unchanged(series.occ, slot), start=start, end=end)


def _nearest(series: _Series, wall: datetime) -> datetime:
    day = wall.date()
    near = (series.slot(day), series.slot(day - _DAY), series.slot(day + _DAY))
    fitting = [at for at in near if is_slot(series.rule, series.occ.start, at)]
    return min(fitting or near, key=lambda at: abs(at - wall))


def _missing(
    series: _Series,
    instances: Sequence[Mapping[str, Any]],
    window: Interval | None,
    overrides: Mapping[datetime, Override],
) -> set[datetime]:
    """Slots of the rule that no listed instance fills: the removed ones."""
    listed: set[datetime] = set(overrides)
    for event in instances:
        if event.get("originalStart") is not None:
            listed.add(_slot_of(series, event))
        else:
            # No exception, then: those without it have been refused. It is of its master's kind.
            span = read_span(event, series.occ.all_day, series.how.room_zone)
            listed.add(_nearest(series, _walls(span, series.zone)[0]))
    if window is not None:
        low = zones.to_wall(window.start, series.zone) - series.occ.duration
        high = zones.to_wall(window.end, series.zone)
    elif listed:
        low, high = min(listed), max(listed)
    else:
        return set()
    days = dates.dates(series.rule, series.occ.start.date(), low.date(), high.date())
    slots = (series.slot(day) for day in days)
    return {at for at in slots if low < at < high and at not in listed}
