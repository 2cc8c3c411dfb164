"""One form for one meaning: equal recurrence sets give equal rules, in all usual cases.

Both sides pass through here, so an event made from a booking reads back equal to it and no
write follows from a difference in spelling alone. RFC 5545 section 3.3.10 gives the meaning
of the parts; which of several spellings is chosen is our own rule.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Final

from calsync.mapping import dates, zones
from calsync.mapping.text import clean_title
from calsync.model import Frequency, Nth, Occupancy, Override, Recurrence, Rule, Weekday

#: Outlook counts occurrences up to 999; longer counts are said by their last date.
MAX_COUNT: Final = 999
_ALL_DAYS: Final = tuple(Nth(day) for day in Weekday)


@lru_cache(maxsize=256)
def canonical(rule: Rule, start: datetime) -> Rule:
    """The one spelling of the rule of a series that starts at ``start`` (wall time)."""
    day = start.date()
    rule, before = _respelt(_sorted(rule), day), rule
    while rule != before:  # each step leads to fewer parts or a longer period: three at most
        rule, before = _respelt(rule, day), rule
    return _end(replace(rule, week_start=_week_start(rule, day)), day)


def _respelt(rule: Rule, start: date) -> Rule:
    match rule.frequency:
        case Frequency.DAILY:
            return _daily(rule)
        case Frequency.WEEKLY:
            return _weekly(rule, start)
        case Frequency.MONTHLY:
            return _monthly(rule, start)
        case Frequency.YEARLY:
            return _yearly(rule, start)


def _sorted(rule: Rule) -> Rule:
    every = {nth.weekday for nth in rule.by_day if nth.position == 0}
    days = {nth for nth in rule.by_day if nth.position == 0 or nth.weekday not in every}
    return replace(
        rule,
        by_day=tuple(sorted(days, key=lambda nth: (nth.weekday, nth.position))),
        by_month_day=tuple(sorted(set(rule.by_month_day))),
        by_month=tuple(sorted(set(rule.by_month))),
        by_set_pos=tuple(sorted(set(rule.by_set_pos))),
    )


def _daily(rule: Rule) -> Rule:
    rule = _of_one(rule)  # a day has one occurrence at most
    if len(rule.by_month) == 12:
        rule = replace(rule, by_month=())
    if rule.by_day == _ALL_DAYS:
        rule = replace(rule, by_day=())
    # "Every day, but only on weekdays" is Outlook's weekly pattern with five days, and comes to
    # that by way of the month.
    if rule.interval == 1 and not rule.by_set_pos and (rule.by_month_day or rule.by_day):
        return replace(rule, frequency=Frequency.MONTHLY)
    return rule


def _of_one(rule: Rule) -> Rule:
    """Where a period has one date at most, the first and the last of its dates are all of them."""
    return replace(rule, by_set_pos=()) if {1, -1} & set(rule.by_set_pos) else rule


def _weekly(rule: Rule, start: date) -> Rule:
    days = rule.by_day or (Nth(Weekday(start.weekday())),)
    if len(rule.by_month) == 12:
        rule = replace(rule, by_month=())
    if rule.by_set_pos and not rule.by_month:
        in_week = sorted(days, key=lambda nth: (nth.weekday - rule.week_start) % 7)
        picked = dates.picked(in_week, rule.by_set_pos)
        if picked:
            days = tuple(sorted(picked, key=lambda nth: nth.weekday))
            rule = replace(rule, by_set_pos=())
    if days == _ALL_DAYS and rule.interval == 1 and not rule.by_set_pos:
        return replace(rule, frequency=Frequency.DAILY)
    return replace(rule, by_day=days)


def _monthly(rule: Rule, start: date) -> Rule:
    if len(rule.by_month) == 12:
        rule = replace(rule, by_month=())
    if not rule.by_day and not rule.by_month_day:
        rule = replace(rule, by_month_day=(start.day,))
    if rule.interval % 12 == 0 and not rule.by_month:
        # EWS knows no interval of years: every second year comes back as every 24th month.
        years = rule.interval // 12
        return replace(rule, frequency=Frequency.YEARLY, interval=years, by_month=(start.month,))
    if rule.interval == 1 and rule.by_month and (len(rule.by_month) == 1 or not rule.by_set_pos):
        return replace(rule, frequency=Frequency.YEARLY)
    rule = _in_month(rule, 28, 31)
    # Months that are still named here come with a position.
    if rule.interval == 1 and not (rule.by_month_day or rule.by_set_pos) and _every(rule):
        return replace(rule, frequency=Frequency.WEEKLY)
    return rule


def _every(rule: Rule) -> bool:
    return all(nth.position == 0 for nth in rule.by_day)


def _yearly(rule: Rule, start: date) -> Rule:
    if not rule.by_day and not rule.by_month_day:
        months = rule.by_month or (start.month,)
        rule = replace(rule, by_month=months, by_month_day=(start.day,))
    # Without BYMONTH a position counts within the year, not within a month.
    monthly = len(rule.by_month) == 12 or (not rule.by_month and _every(rule))
    if rule.interval == 1 and not rule.by_set_pos and monthly:
        return replace(rule, frequency=Frequency.MONTHLY)
    if len(rule.by_month) == 1:
        month = rule.by_month[0]
        # 2000 was a leap year, 2001 was not: February is the one month of two lengths.
        return _in_month(rule, monthrange(2001, month)[1], monthrange(2000, month)[1])
    return rule


def _in_month(rule: Rule, short: int, long: int) -> Rule:
    """Spellings of a day within a month that has from ``short`` to ``long`` days."""
    if rule.by_day == _ALL_DAYS and not rule.by_month_day:
        rule = replace(rule, by_month_day=rule.by_set_pos, by_set_pos=())
    if rule.by_day == _ALL_DAYS and rule.by_month_day:
        rule = replace(rule, by_day=())
    if rule.by_day:
        return _relative(rule)
    return _absolute(rule, short, long)


def _relative(rule: Rule) -> Rule:
    """``2MO`` and ``MO`` with BYSETPOS=2 are one; the second is the form."""
    if rule.by_month_day:
        return rule
    if len(rule.by_day) == 1 and rule.by_day[0].position:
        rule = _of_one(rule)
    weekdays = {nth.weekday for nth in rule.by_day}
    if rule.by_set_pos or len(weekdays) > 1 or rule.by_day[0].position == 0:
        return rule
    places = tuple(nth.position for nth in rule.by_day)
    return replace(rule, by_day=(Nth(rule.by_day[0].weekday),), by_set_pos=places)


def _absolute(rule: Rule, short: int, long: int) -> Rule:
    days = tuple(d for d in rule.by_month_day if -long <= d <= long)
    if not days:
        return rule
    if short == long:  # the month's length never changes: count from its beginning
        days = tuple(sorted({d if d > 0 else long + 1 + d for d in days}))
        if rule.by_set_pos:
            days = tuple(dates.picked(days, rule.by_set_pos))
            if not days:
                return rule
        return replace(rule, by_month_day=days, by_set_pos=())
    if len(days) == 1:
        rule = _of_one(rule)
    if days == (-1,) and not rule.by_set_pos:
        return replace(rule, by_month_day=tuple(range(short, long + 1)), by_set_pos=(-1,))
    if rule.by_set_pos == (-1,) and min(days) > 0:
        # The last that fits: of the days every month has, only the latest can be it.
        sure = [d for d in days if d <= short]
        days = tuple(sure[-1:] + [d for d in days if d > short])
    return replace(rule, by_month_day=days)


def _week_start(rule: Rule, start: date) -> Weekday:
    """WKST matters only where it decides which days share a week."""
    if rule.frequency is not Frequency.WEEKLY:
        return Weekday.MO
    if rule.by_set_pos:
        return rule.week_start
    if rule.interval == 1:
        return Weekday.MO

    def offsets(first: Weekday) -> set[int]:
        into = (start.weekday() - first) % 7
        return {(nth.weekday - first) % 7 - into for nth in rule.by_day}

    wanted = offsets(rule.week_start)
    return next(first for first in Weekday if offsets(first) == wanted)


def _end(rule: Rule, start: date) -> Rule:
    """UNTIL is the date of the last occurrence; a long COUNT becomes an UNTIL."""
    if rule.until is not None or (rule.count is not None and rule.count > MAX_COUNT):
        final = dates.last(rule, start)
        if final is not None:
            return replace(rule, count=None, until=final)
    return rule


# --- occupancies ---------------------------------------------------------------------------


def canonical_occupancy(occ: Occupancy) -> Occupancy:
    """The one form of an occupancy (the rules at the top of ``model.occupancy``).

    A series begins on the first date its rule gives. Exclusions of dates the rule does not give
    are dropped, so are overrides that change nothing. An override without a slot stays: it is
    an additional occurrence, and it takes the room.
    """
    title = None if occ.private else clean_title(occ.title)
    occ = replace(occ, title=title)
    if occ.recurrence is None:
        return _single(occ)
    day = occ.start.date()
    first = dates.first(occ.recurrence.rule, day)
    start = occ.start if first is None else datetime.combine(first, occ.start.time())
    # Filled in from the start that was given: BYMONTHDAY left out means that day.
    rule = canonical(canonical(occ.recurrence.rule, occ.start), start)
    zone = None if occ.zone is None else zones.canonical(occ.zone)
    moved = replace(occ, start=start, end=start + occ.duration, zone=zone)
    return replace(moved, recurrence=recurrence(moved, rule, occ.recurrence))


def _single(occ: Occupancy) -> Occupancy:
    if occ.zone is None:
        return occ
    start, end = zones.span_utc(occ.start, occ.end, occ.zone)
    return replace(occ, start=start.replace(tzinfo=None), end=end.replace(tzinfo=None), zone="UTC")


def recurrence(occ: Occupancy, rule: Rule, given: Recurrence) -> Recurrence:
    """The exceptions of ``given``, sorted and cleaned, under a canonical rule of ``occ``."""
    overrides: dict[datetime, Override] = {}
    for override in given.overrides:
        title = None if override.private else clean_title(override.title)
        override = _by_the_clock(occ, replace(override, title=title))
        if override != unchanged(occ, override.recurrence_id) or not is_slot(
            rule, occ.start, override.recurrence_id
        ):
            overrides[override.recurrence_id] = override
    excluded = {at for at in given.excluded if at not in overrides and is_slot(rule, occ.start, at)}
    return Recurrence(
        rule=rule,
        excluded=tuple(sorted(excluded)),
        overrides=tuple(overrides[at] for at in sorted(overrides)),
    )


def _by_the_clock(occ: Occupancy, override: Override) -> Override:
    """An override is one date, so its times are those that clocks show then. Only where it takes
    the very time of its slot, and that is one the clocks skip, it keeps the name of the slot."""
    if occ.zone is None or override.all_day:
        return override
    start, end = zones.real_span(override.start, override.end, occ.zone)
    slot, over = override.recurrence_id, override.recurrence_id + occ.duration
    if (start, end) == zones.real_span(slot, over, occ.zone):
        start, end = slot, over
    return replace(override, start=start, end=end)


def unchanged(occ: Occupancy, slot: datetime) -> Override:
    """What the rule itself gives for a slot, in the form of an override."""
    return Override(
        recurrence_id=slot,
        start=slot,
        end=slot + occ.duration,
        all_day=occ.all_day,
        busy=occ.busy,
        title=occ.title,
        private=occ.private,
    )


def is_slot(rule: Rule, start: datetime, at: datetime) -> bool:
    """Whether the rule gives an occurrence that starts at ``at`` (wall time)."""
    return at.time() == start.time() and dates.has(rule, start.date(), at.date())
