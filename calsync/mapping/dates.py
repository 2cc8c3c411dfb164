"""The dates of a recurrence rule (RFC 5545 section 3.3.10, without parts below a day).

One period (day, week, month, year) at a time, so that work starts near the asked span and
every loop has a bound: a rule that never matches must not cost more than one that does.
"""

from __future__ import annotations

from calendar import isleap, monthrange
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import islice
from typing import Final, TypeVar

from calsync.model import Frequency, Nth, Rule

T = TypeVar("T")

#: Outlook's end of time; no occurrence is looked for behind it.
LAST_DATE: Final = date(4500, 8, 31)
#: Periods in a row without an occurrence after which a rule counts as exhausted. The rarest
#: sayable day, a 29 February on a given weekday, comes back within 14,610 days.
MAX_EMPTY: Final = 20_000
#: Occurrences of a counted rule are walked from its start; beyond this many it is cut.
MAX_COUNTED: Final = 10_000
_MAX_STEPS: Final = 100_000
_KEPT: Final = 999


def dates(rule: Rule, start: date, low: date, high: date) -> Iterator[date]:
    """The dates on which occurrences start, rising, within ``low`` ≤ date ≤ ``high``.

    ``start`` is the first date of the series; a date before it is never given. Unlike a
    literal DTSTART, ``start`` itself is given only where the rule has it.
    """
    high = min(high, LAST_DATE, rule.until or LAST_DATE)
    low = max(low, start)
    if low > high:  # nothing to count for
        return
    if rule.count is None:
        yield from _walk(rule, start, low, high)
        return
    for day in counted(rule, start):
        if day > high:
            return
        if day >= low:
            yield day


def counted(rule: Rule, start: date) -> tuple[date, ...]:
    """All dates of a rule with a count (at most ``MAX_COUNTED`` of them)."""
    assert rule.count is not None
    # Long lists are not kept: a thousand hostile rules would fill the memory.
    return _counted(rule, start) if rule.count <= _KEPT else _count(rule, start)


def _count(rule: Rule, start: date) -> tuple[date, ...]:
    assert rule.count is not None
    wanted = min(rule.count, MAX_COUNTED)
    return tuple(islice(_walk(rule, start, start, LAST_DATE), wanted))


_counted = lru_cache(maxsize=256)(_count)


def has(rule: Rule, start: date, day: date) -> bool:
    """Whether the rule gives that date."""
    return next(dates(rule, start, day, day), None) is not None


def first(rule: Rule, start: date) -> date | None:
    """The first date the rule gives; None for a rule that gives none."""
    return next(dates(rule, start, start, LAST_DATE), None)


def last(rule: Rule, start: date) -> date | None:
    """The last date the rule gives; None for an endless rule or one without dates."""
    if rule.count is not None:
        return max(dates(rule, start, start, LAST_DATE), default=None)
    if rule.until is None:
        return None
    # Look back from the end in growing strides: nearly always the first stride has it.
    reach, low = stride(rule), rule.until
    while True:
        low = low - reach if low - start > reach else start
        found = tuple(dates(rule, start, low, rule.until))
        if found:
            return found[-1]
        if low == start:
            return None
        reach *= 16


def neighbours(rule: Rule, start: date, day: date) -> tuple[date | None, date | None]:
    """The dates just before and just after a date that a plain rule (without gaps) gives."""
    reach = stride(rule)
    low = day - reach if day - start > reach else start
    near = tuple(dates(rule, start, low, min(day, LAST_DATE) + reach))
    before = max((d for d in near if d < day), default=None)
    after = min((d for d in near if d > day), default=None)
    return before, after


def stride(rule: Rule) -> timedelta:
    """A span within which a rule without filters gives at least one date."""
    unit = {Frequency.DAILY: 1, Frequency.WEEKLY: 7, Frequency.MONTHLY: 31, Frequency.YEARLY: 366}
    # A weekday, such as the first Monday, moves by less than a week.
    return timedelta(days=unit[rule.frequency] * rule.interval + 7)


def _walk(rule: Rule, start: date, low: date, high: date) -> Iterator[date]:
    """Dates of the rule without its end, from the period that holds ``low``."""
    periods = {
        Frequency.DAILY: _days,
        Frequency.WEEKLY: _weeks,
        Frequency.MONTHLY: _months,
        Frequency.YEARLY: _years,
    }[rule.frequency]
    empty = 0
    for step, (begin, found) in enumerate(periods(rule, start, low)):
        if begin > high or step >= _MAX_STEPS:
            return
        for day in picked(found, rule.by_set_pos) if rule.by_set_pos else found:
            if day > high:
                return
            if day >= low:
                yield day
                empty = 0
        empty += 1
        if empty > MAX_EMPTY:
            return


def picked(items: Sequence[T], positions: tuple[int, ...]) -> list[T]:
    """BYSETPOS: the n-th of a period's dates, from either end."""
    wanted, size = set(positions), len(items)
    return [one for n, one in enumerate(items, 1) if n in wanted or n - size - 1 in wanted]


#: Each period's first day, and the dates in it. Without an end: ``_walk`` stops behind the span.
#: ``low`` is never before ``start``.
Periods = Iterator[tuple[date, list[date]]]


def _days(rule: Rule, start: date, low: date) -> Periods:
    step = timedelta(days=rule.interval)
    day = start + (low - start) // step * step
    weekdays = {int(nth.weekday) for nth in rule.by_day}
    while True:
        fits = (
            (not weekdays or day.weekday() in weekdays)
            and (not rule.by_month or day.month in rule.by_month)
            and (not rule.by_month_day or _on_month_day(day, rule.by_month_day))
        )
        yield day, [day] if fits else []
        day += step


def _on_month_day(day: date, month_days: tuple[int, ...]) -> bool:
    if day.day in month_days:
        return True
    return day.day - monthrange(day.year, day.month)[1] - 1 in month_days


def _weeks(rule: Rule, start: date, low: date) -> Periods:
    """Weeks begin on WKST; the one that holds ``start`` is the first."""
    into = (start.weekday() - rule.week_start) % 7
    if (start - date.min).days < into:  # the very first week of the calendar
        into = 0
    week = start - timedelta(days=into)
    step = timedelta(weeks=rule.interval)
    week += (low - week) // step * step
    weekdays = {int(nth.weekday) for nth in rule.by_day} or {start.weekday()}
    offsets = sorted((day - week.weekday()) % 7 for day in weekdays)
    while True:
        found = [week + timedelta(days=offset) for offset in offsets]
        if rule.by_month:
            found = [day for day in found if day.month in rule.by_month]
        yield week, found
        week += step


def _months(rule: Rule, start: date, low: date) -> Periods:
    first = _month_number(start)
    number = first + (_month_number(low) - first) // rule.interval * rule.interval
    while True:
        year, month = divmod(number, 12)
        month += 1
        fits = not rule.by_month or month in rule.by_month
        yield date(year, month, 1), _in_month(rule, start, year, month) if fits else []
        number += rule.interval


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _in_month(rule: Rule, start: date, year: int, month: int) -> list[date]:
    """BYDAY and BYMONTHDAY both given mean their intersection (RFC 5545, table of BYxxx)."""
    length = monthrange(year, month)[1]
    month_days = rule.by_month_day
    if not month_days and not rule.by_day:
        month_days = (start.day,)
    numbers = set(range(1, length + 1))
    if month_days:
        numbers &= {d if d > 0 else length + 1 + d for d in month_days}
    if rule.by_day:
        numbers &= _weekday_numbers(rule.by_day, date(year, month, 1).weekday(), length)
    return [date(year, month, number) for number in sorted(numbers)]


def _weekday_numbers(by_day: tuple[Nth, ...], first_weekday: int, length: int) -> set[int]:
    """Which days 1..length of a span fit BYDAY; positions count within the span."""
    found: set[int] = set()
    for nth in by_day:
        begin = (nth.weekday - first_weekday) % 7 + 1
        every = range(begin, length + 1, 7)
        found.update(picked(every, (nth.position,)) if nth.position else every)
    return found


def _years(rule: Rule, start: date, low: date) -> Periods:
    year = start.year + (low.year - start.year) // rule.interval * rule.interval
    while True:
        yield date(year, 1, 1), _in_year(rule, start, year)
        year += rule.interval


def _in_year(rule: Rule, start: date, year: int) -> list[date]:
    if rule.by_day and not rule.by_month:
        # Positions count within the year where no month is named.
        first_day = date(year, 1, 1)
        numbers = _weekday_numbers(rule.by_day, first_day.weekday(), 365 + isleap(year))
        days = [first_day + timedelta(days=number - 1) for number in sorted(numbers)]
        return [d for d in days if not rule.by_month_day or _on_month_day(d, rule.by_month_day)]
    months = rule.by_month or (tuple(range(1, 13)) if rule.by_month_day else (start.month,))
    return [day for month in months for day in _in_month(rule, start, year, month)]
