"""Expansion against an independent one: dateutil's rrule, converted date by date."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule, weekday
from hypothesis import given
from hypothesis import strategies as st

from calsync.mapping.expand import busy_intervals, extent, instances
from calsync.model import Instance, Interval, Occupancy, Rule
from tests.properties.mapping_strategies import ROOM_ZONE, law, series, window

FREQUENCIES = {"DAILY": DAILY, "WEEKLY": WEEKLY, "MONTHLY": MONTHLY, "YEARLY": YEARLY}
Row = tuple[datetime, datetime, str, str | None, bool]


def brute_dates(rule: Rule, start: datetime, high: date) -> list[datetime]:
    until = None if rule.until is None else datetime.combine(rule.until, datetime.max.time())
    made = rrule(
        FREQUENCIES[rule.frequency.value],
        dtstart=start,
        interval=rule.interval,
        count=rule.count,
        until=until,
        wkst=int(rule.week_start),
        byweekday=[weekday(int(n.weekday), n.position or None) for n in rule.by_day] or None,
        bymonthday=rule.by_month_day or None,
        bymonth=rule.by_month or None,
        bysetpos=rule.by_set_pos or None,
    )
    return list(takewhile(lambda at: at.date() <= high, made))


def brute(occ: Occupancy, span: Interval) -> list[Row]:
    assert occ.recurrence is not None
    zone = ZoneInfo(occ.zone or ROOM_ZONE)
    gone = set(occ.recurrence.excluded)
    known = {o.recurrence_id: o for o in occ.recurrence.overrides}
    rows: list[Row] = []
    for at in brute_dates(occ.recurrence.rule, occ.start, (span.end + timedelta(days=5)).date()):
        if at in gone or at in known:
            continue
        rows.append(row(at, at + occ.duration, zone, occ.busy.value, occ.title, occ.private))
    for o in known.values():
        home = ZoneInfo(ROOM_ZONE) if o.all_day else zone
        rows.append(row(o.start, o.end, home, o.busy.value, o.title, o.private))
    return sorted((r for r in rows if touches(r[0], r[1], span)), key=str)


def row(
    start: datetime, end: datetime, zone: ZoneInfo, busy: str, title: str | None, private: bool
) -> Row:
    begin = start.replace(tzinfo=zone).astimezone(UTC)
    finish = end.replace(tzinfo=zone).astimezone(UTC)
    return begin, finish if finish >= begin else begin + (end - start), busy, title, private


def touches(start: datetime, end: datetime, span: Interval) -> bool:
    if start == end:
        return span.start <= start < span.end
    return start < span.end and end > span.start


def as_rows(found: list[Instance]) -> list[Row]:
    return sorted(((i.start, i.end, i.busy.value, i.title, i.private) for i in found), key=str)


windows = st.builds(
    window,
    st.dates(date(2024, 1, 1), date(2030, 1, 1)),
    st.sampled_from([1, 2, 31, 200]),
)


@law
@given(series(), windows)
def test_instances_are_those_of_an_independent_expansion(occ: Occupancy, span: Interval) -> None:
    found = list(instances(occ, span, ROOM_ZONE))
    assert as_rows(found) == brute(occ, span)
    assert [i.start for i in found] == sorted(i.start for i in found)
    blocking = [i.interval for i in found if i.busy.blocks and i.start < i.end]
    assert busy_intervals(occ, span, ROOM_ZONE) == blocking


@law
@given(series(), windows)
def test_extent_covers_every_instance(occ: Occupancy, span: Interval) -> None:
    first, last = extent(occ, ROOM_ZONE)
    for instance in instances(occ, span, ROOM_ZONE):
        assert first <= instance.start
        assert last is None or instance.end <= last
    assert occ.recurrence is not None
    assert (last is None) == occ.recurrence.rule.endless


@law
@given(series(), windows, st.integers(0, 5))
def test_the_limit_keeps_the_first(occ: Occupancy, span: Interval, limit: int) -> None:
    assert (
        list(instances(occ, span, ROOM_ZONE, limit))
        == list(instances(occ, span, ROOM_ZONE))[:limit]
    )
