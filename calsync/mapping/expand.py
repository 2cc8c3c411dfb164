"""Recurrence sets as instances in UTC: expanded in local wall time, then converted.

All-day items, and all-day overrides, fill the days of the room's own zone. Timed overrides of
an all-day series are wall times in the room's zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from heapq import merge
from itertools import islice

from calsync.mapping import dates
from calsync.mapping.zones import span_utc, to_wall
from calsync.model import Instance, Interval, Occupancy, Override, Recurrence

_DAY = timedelta(days=1)


def instances(
    occ: Occupancy, window: Interval, room_zone: str, limit: int = 10_000
) -> Iterator[Instance]:
    """The instances that touch ``window``, by start; at most ``limit`` of them.

    An override counts where it stands, not where its slot was. An item without length counts
    at its start.
    """
    series = occ.recurrence
    if series is None:
        single = _instance(occ, occ.start, occ.end, room_zone, None)
        if _touches(single, window):
            yield single
        return
    moved = sorted(
        (i for i in (_changed(o, occ, room_zone) for o in series.overrides) if _touches(i, window)),
        key=_by_start,
    )
    regular = _regular(occ, series, window, room_zone)
    yield from islice(merge(regular, moved, key=_by_start), limit)


def _by_start(instance: Instance) -> tuple[datetime, datetime]:
    """Of two that start together the one whose slot is earlier comes first."""
    assert instance.recurrence_id is not None
    return instance.start, instance.recurrence_id


def _regular(
    occ: Occupancy, series: Recurrence, window: Interval, room_zone: str
) -> Iterator[Instance]:
    hidden = set(series.excluded)
    hidden.update(override.recurrence_id for override in series.overrides)
    length, clock = occ.duration, occ.start.time()
    zone = occ.zone or room_zone
    # Where a whole day is skipped, an item stands a day after its date.
    low = _back(to_wall(window.start, zone).date(), length + 2 * _DAY)
    # A day more: clocks that go back over midnight show the day before once more.
    high = min(to_wall(window.end, zone).date(), dates.LAST_DATE) + _DAY
    for day in dates.dates(series.rule, occ.start.date(), low, high):
        slot = datetime.combine(day, clock)
        if slot in hidden:
            continue
        made = _instance(occ, slot, slot + length, room_zone, slot)
        if _touches(made, window):
            yield made


def _back(day: date, span: timedelta) -> date:
    return day - span if day - date.min > span else date.min


def _instance(
    occ: Occupancy, start: datetime, end: datetime, room_zone: str, slot: datetime | None
) -> Instance:
    begin, finish = span_utc(start, end, occ.zone or room_zone)
    return Instance(
        start=begin,
        end=finish,
        all_day=occ.all_day,
        busy=occ.busy,
        title=occ.title,
        private=occ.private,
        recurrence_id=slot,
    )


def _changed(override: Override, occ: Occupancy, room_zone: str) -> Instance:
    zone = room_zone if override.all_day or occ.zone is None else occ.zone
    begin, finish = span_utc(override.start, override.end, zone)
    return Instance(
        start=begin,
        end=finish,
        all_day=override.all_day,
        busy=override.busy,
        title=override.title,
        private=override.private,
        recurrence_id=override.recurrence_id,
    )


def _touches(instance: Instance, window: Interval) -> bool:
    start, end = instance.start, instance.end
    return start < window.end and (end > window.start or start >= window.start)


def extent(occ: Occupancy, room_zone: str) -> tuple[datetime, datetime | None]:
    """First start and last end in UTC; the end is None for an endless series.

    Never too small. It may be too large: excluded occurrences still count.
    """
    first, finish = span_utc(occ.start, occ.end, occ.zone or room_zone)
    series = occ.recurrence
    if series is None:
        return first, finish
    spans = [_changed(override, occ, room_zone).interval for override in series.overrides]
    first = min([first, *(span.start for span in spans)])
    if series.rule.endless:
        return first, None
    final = dates.last(series.rule, occ.start.date())
    if final is not None:
        begin = datetime.combine(final, occ.start.time())
        finish = max(finish, span_utc(begin, begin + occ.duration, occ.zone or room_zone)[1])
    return first, max([finish, *(span.end for span in spans)])


def busy_intervals(occ: Occupancy, window: Interval, room_zone: str) -> list[Interval]:
    """The time in ``window`` that the item takes from the room; whole instances, by start."""
    return [
        instance.interval
        for instance in instances(occ, window, room_zone)
        if instance.busy.blocks and instance.start < instance.end
    ]


#: The whole calendar, for callers that want every instance of a finite item.
ALWAYS = Interval(
    datetime(1, 1, 2, tzinfo=UTC), datetime.combine(dates.LAST_DATE, datetime.min.time(), UTC)
)
