"""A rule that Graph cannot say, cut into rules that it can: the same dates, none of them twice."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from typing import Final

from calsync.errors import UnsayableRecurrence
from calsync.mapping import dates, zones
from calsync.mapping.canon import canonical
from calsync.mapping.recurrence import to_graph
from calsync.model import Frequency, Rule

Piece = tuple[Rule, datetime]
#: More series than this are not made out of one.
MAX_SERIES: Final = 12
_DAY: Final = timedelta(days=1)


@lru_cache(maxsize=256)
def why_rule_unsayable(rule: Rule, start: datetime, length: timedelta) -> str | None:
    """Why Graph cannot say this rule for occurrences of this length; None where it can."""
    try:
        to_graph(rule, start=start, zone=None)
    except UnsayableRecurrence as reason:
        return reason.what
    if length > _DAY and length > _shortest_gap(rule, start):
        # ErrorOccurrenceTimeSpanTooBig
        return "an occurrence lasts longer than the time to the next one"
    return None


def _shortest_gap(rule: Rule, start: datetime) -> timedelta:
    """The least time from one date to the next. The calendar repeats after 400 years."""
    day = start.date()
    found = islice(dates.dates(rule, day, day, dates.LAST_DATE), 400)
    return min((later - earlier for earlier, later in pairwise(found)), default=timedelta.max)


def is_skipped(slot: datetime, length: timedelta, zone: str | None) -> bool:
    """Whether the clocks skip the start or the end of an occurrence."""
    if zone is None:
        return False
    return not (zones.exists(slot, zone) and zones.exists(slot + length, zone))


def begin(rule: Rule, start: datetime, length: timedelta, zone: str | None) -> Piece | None:
    """The rule from its first date on that the clocks do not skip; None where there is none."""
    if not is_skipped(start, length, zone):
        return rule, start
    days = dates.dates(rule, start.date(), start.date(), dates.LAST_DATE)
    slots = (datetime.combine(day, start.time()) for day in days)
    slot = next((at for at in slots if not is_skipped(at, length, zone)), None)
    if slot is None:
        return None
    ended = replace(rule, count=None, until=dates.last(rule, start.date()))
    return canonical(ended, slot), slot


def cut(rule: Rule, start: datetime, length: timedelta) -> list[Piece] | None:
    """Sayable rules with their starts, in order of those, that together give the dates of the
    rule; None where no such cut is known."""
    if rule.count is not None:
        rule = replace(rule, count=None, until=dates.last(rule, start.date()))
    found = _cut(rule, start, length)
    if found is None or len(found) > MAX_SERIES:
        return None
    return sorted(found, key=lambda part: part[1])


def _cut(rule: Rule, start: datetime, length: timedelta) -> list[Piece] | None:
    """The pieces, and theirs in turn. It ends: each has fewer weekdays, months, positions or days
    than its rule, or one date where it had several, or is slow enough for its length."""
    parts: list[Piece] = []
    pieces = _pieces(rule, start, length)
    for piece, base in pieces or ():
        first = dates.first(piece, base.date())
        if first is None:  # ended before its first date
            continue
        begin = datetime.combine(first, base.time())
        # Filled in from the base: a part left out means the day of that.
        made = canonical(canonical(piece, base), begin)
        if why_rule_unsayable(made, begin, length) is None:
            parts.append((made, begin))
            continue
        deeper = _cut(made, begin, length)
        if deeper is None:
            return None
        parts += deeper
    return parts or None


def _pieces(rule: Rule, start: datetime, length: timedelta) -> list[Piece] | None:
    """Rules that share the dates of ``rule`` among them; None where we know no way."""
    match rule.frequency:
        case Frequency.DAILY | Frequency.WEEKLY:
            return _turns(rule, start, length)
        case Frequency.YEARLY if len(rule.by_month) > 1 and not rule.by_set_pos:
            return [(replace(rule, by_month=(month,)), start) for month in rule.by_month]
        case _:
            found = _in_month(rule, start)
            return None if found is None else [(piece, start) for piece in found]


def _turns(rule: Rule, start: datetime, length: timedelta) -> list[Piece] | None:
    """Occurrences that overlap the next take turns: by weekday, or every n-th of them."""
    if rule.by_month or rule.by_month_day or rule.by_set_pos:
        return None
    if len(rule.by_day) > 1:
        return [(replace(rule, by_day=(nth,)), start) for nth in rule.by_day]
    gap = (_DAY if rule.frequency is Frequency.DAILY else 7 * _DAY) * rule.interval
    turns = -(-length // gap)
    if not 1 < turns <= MAX_SERIES:
        return None
    slower = replace(rule, interval=rule.interval * turns)
    return [(slower, start + turn * gap) for turn in range(turns)]


def _in_month(rule: Rule, start: datetime) -> Iterable[Rule] | None:
    if rule.by_day and rule.by_month_day:
        return None
    if rule.by_day:
        return _positions(rule)
    if rule.by_set_pos:
        return None
    if len(rule.by_month_day) > 1:
        if min(rule.by_month_day) < 0:  # could be the same day as another, counted from the end
            return None
        return [replace(rule, by_month_day=(day,)) for day in rule.by_month_day]
    return _months_with(rule, rule.by_month_day[0], start)


def _positions(rule: Rule) -> Iterable[Rule] | None:
    if len(rule.by_set_pos) > 1:
        # The fourth can be the last: those two would give one date twice.
        single = len(rule.by_day) == 1
        apart = min(rule.by_set_pos) > 0 or (single and set(rule.by_set_pos) <= {-1, 1, 2, 3})
        return [replace(rule, by_set_pos=(p,)) for p in rule.by_set_pos] if apart else None
    if rule.by_set_pos or any(n.position == 0 for n in rule.by_day):
        return None
    weekdays = {nth.weekday for nth in rule.by_day}
    if len(weekdays) < 2:
        return None
    return [replace(rule, by_day=tuple(n for n in rule.by_day if n.weekday is d)) for d in weekdays]


def _months_with(rule: Rule, day: int, start: datetime) -> Iterable[Rule] | None:
    """Each month on the 31st, months without one skipped: once a year in each that has it (which
    is the form of a rule with one month)."""
    if rule.frequency is not Frequency.MONTHLY or rule.by_month or day < 29:
        return None
    if 12 % rule.interval:
        return None
    months = [month for month in range(1, 13) if (month - start.month) % rule.interval == 0]
    if day == 29 and 2 in months:  # 29 February comes every fourth year, which Graph moves
        return None
    return [
        replace(rule, interval=1, by_month=(month,))
        for month in months
        if monthrange(2001, month)[1] >= day
    ]
