"""Recurrence as Exchange keeps it: one pattern, one range, one zone.

Written from the Graph resources recurrencePattern, recurrenceRange and the article
"Schedule repeating appointments as recurring events in Outlook". It is its own expansion,
so that it can judge other implementations: it shares no code with them.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import count, pairwise
from typing import Any

from .problems import Refusal, bad_body, bad_property, bad_request
from .zones import Zone

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INDEXES = ("first", "second", "third", "fourth", "last")
PATTERNS = (
    "daily",
    "weekly",
    "absoluteMonthly",
    "relativeMonthly",
    "absoluteYearly",
    "relativeYearly",
)
RANGES = ("endDate", "noEnd", "numbered")
NO_DATE = date(1, 1, 1)  # Graph answers 0001-01-01 for the endDate of noEnd and numbered ranges
LAST_DATE = date(4500, 8, 31)  # Outlook's end of time
MAX_COUNT = 999


@dataclass(frozen=True, slots=True)
class Pattern:
    """When a series repeats. `first_day` and `days` are 0 = Monday … 6 = Sunday."""

    kind: str
    interval: int = 1
    days: tuple[int, ...] = ()
    day_of_month: int = 0
    month: int = 0
    index: str = "first"
    first_day: int = 6


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A pattern with its range. `start` is the date of the first instance."""

    pattern: Pattern
    start: date
    kind: str = "noEnd"
    end: date | None = None
    number: int = 0

    def dates(self, low: date, high: date) -> list[date]:
        """Dates of the pattern in low ≤ d ≤ high, deleted and moved instances included."""
        return _dates(self, low, high)

    def last(self) -> date | None:
        """Date of the last instance; None for an endless series."""
        if self.kind == "noEnd":
            return None
        found = _dates(self, self.start, self.end or LAST_DATE)
        return found[-1] if found else None

    def has(self, day: date) -> bool:
        """Whether the pattern generates that date."""
        return bool(_dates(self, day, day))

    def neighbours(self, day: date) -> tuple[date | None, date | None]:
        """Generated dates just before and just after a generated date."""
        span = timedelta(days=_reach(self.pattern))
        before = _dates(self, max(self.start, day - min(span, day - NO_DATE)), day)
        after = _dates(self, day, min(day + span, LAST_DATE))
        return (before[-2] if len(before) > 1 else None, after[1] if len(after) > 1 else None)


def _reach(pattern: Pattern) -> int:
    """Days within which the next instance surely comes."""
    unit = {"daily": 1, "weekly": 7}.get(pattern.kind, 62 if "Monthly" in pattern.kind else 800)
    return unit * (pattern.interval + 1) + 7


@lru_cache(maxsize=65536)
def _dates(rule: Recurrence, low: date, high: date) -> list[date]:
    if rule.kind == "numbered":
        return [day for day in _numbered(rule) if low <= day <= high]
    stop = min(high, rule.end) if rule.kind == "endDate" and rule.end else high
    found = []
    for day in generate(rule.pattern, rule.start, max(low, rule.start)):
        if day > stop:
            break
        if day >= low:
            found.append(day)
    return found


@lru_cache(maxsize=8192)
def _numbered(rule: Recurrence) -> tuple[date, ...]:
    days = generate(rule.pattern, rule.start, rule.start)
    return tuple(day for day, _ in zip(days, range(rule.number), strict=False))


def generate(pattern: Pattern, start: date, low: date) -> Iterator[date]:
    """Endless rising dates ≥ start, beginning with the period that holds `low`."""
    step = pattern.interval
    if pattern.kind == "daily":
        skip = -(-(low - start).days // step) if low > start else 0
        day = start + timedelta(days=skip * step)
        while day <= LAST_DATE:
            yield day
            day += timedelta(days=step)
        return
    if pattern.kind == "weekly":
        yield from _weeks(pattern, start, low)
        return
    yearly = pattern.kind.endswith("Yearly")
    size = 12 * step if yearly else step
    base = start.year * 12 + ((pattern.month - 1) if yearly else (start.month - 1))
    first = max(0, (low.year * 12 + low.month - 1 - base) // size)
    for turn in count(first):
        year, month = divmod(base + turn * size, 12)
        if year > LAST_DATE.year:
            return
        day = _in_month(pattern, year, month + 1)
        if day >= start and day >= low:
            yield day


def _weeks(pattern: Pattern, start: date, low: date) -> Iterator[date]:
    """Every interval-th week counted from the week of `start`, whose first day is
    firstDayOfWeek.
    """
    week = start - timedelta(days=(start.weekday() - pattern.first_day) % 7)
    offsets = sorted((day - pattern.first_day) % 7 for day in pattern.days)
    width = 7 * pattern.interval
    week += timedelta(days=max(0, (low - week).days // width) * width)
    while week <= LAST_DATE:
        for offset in offsets:
            day = week + timedelta(days=offset)
            if day >= start and day >= low:
                yield day
        week += timedelta(days=width)


def _in_month(pattern: Pattern, year: int, month: int) -> date:
    length = monthrange(year, month)[1]
    if pattern.kind.startswith("absolute"):
        # Outlook moves days 29 to 31 to the end of a shorter month; RFC 5545 would skip it.
        return date(year, month, min(pattern.day_of_month, length))
    fitting = [
        day for day in range(1, length + 1) if date(year, month, day).weekday() in pattern.days
    ]
    place = INDEXES.index(pattern.index)
    # With several days "second" means the second day that fits any of them.
    return date(year, month, fitting[-1] if place == 4 else fitting[place])


def read(raw: object, *, start: date, zone_of: Zone) -> tuple[Recurrence, str | None]:
    """A Graph patternedRecurrence checked as Graph checks it; also the recurrenceTimeZone given."""
    if not isinstance(raw, Mapping):
        raise bad_body("Cannot read the value of 'recurrence' as a patternedRecurrence.")
    pattern, span = raw.get("pattern"), raw.get("range")
    if not isinstance(pattern, Mapping) or not isinstance(span, Mapping):
        raise bad_property("The recurrence must have a pattern and a range.")
    made, home = _read_range(span, _read_pattern(pattern))
    if made.start != start:
        raise bad_property(
            "The recurrence range startDate must equal the date of the event's start."
        )
    first = next(iter(generate(made.pattern, made.start, made.start)), None)
    if first is None or (made.end is not None and first > made.end):
        raise bad_request(
            "The recurrence pattern has no occurrence in its range.",
            "ErrorRecurrenceHasNoOccurrence",
        )
    _ = zone_of
    return made, home


def _number(raw: Mapping[str, Any], name: str, default: int) -> int:
    value = raw.get(name, default)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_body(f"Cannot convert the value of '{name}' to the expected type 'Edm.Int32'.")
    return value


def _word(
    raw: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str | None
) -> str | None:
    # Fields a pattern type ignores are still read: a bad enum value there is an error too.
    value = raw.get(name, default)
    if value is None:
        return default
    for word in allowed:
        if isinstance(value, str) and value.casefold() == word.casefold():
            return word
    raise bad_body(f"Requested value '{value}' was not found for '{name}'.")


def _read_pattern(raw: Mapping[str, Any]) -> Pattern:
    kind = _word(raw, "type", PATTERNS, None)
    first_day = _word(raw, "firstDayOfWeek", DAYS, "sunday")
    index = _word(raw, "index", INDEXES, "first")
    listed = raw.get("daysOfWeek") or []
    if not isinstance(listed, list):
        raise bad_body("The value of 'daysOfWeek' must be a collection.")
    days = tuple(sorted({DAYS.index(_word({"d": day}, "d", DAYS, None) or "") for day in listed}))
    interval = _number(raw, "interval", 0)
    day_of_month, month = _number(raw, "dayOfMonth", 0), _number(raw, "month", 0)
    if kind is None or interval < 1 or interval > 999:
        raise bad_property("The recurrence pattern needs a type and an interval from 1 to 999.")
    if kind in ("weekly", "relativeMonthly", "relativeYearly") and not days:
        raise bad_property("The recurrence pattern needs daysOfWeek.")
    if kind.startswith("absolute") and not 1 <= day_of_month <= 31:
        raise bad_property("The recurrence pattern needs dayOfMonth from 1 to 31.")
    if kind.endswith("Yearly") and not 1 <= month <= 12:
        raise bad_property("The recurrence pattern needs month from 1 to 12.")
    if kind == "absoluteYearly" and day_of_month > monthrange(2000, month)[1]:
        raise bad_property("The month has no such day.")
    return _plain(
        Pattern(
            kind,
            interval,
            days,
            day_of_month,
            month,
            index or "first",
            DAYS.index(first_day or "sunday"),
        )
    )


def _plain(pattern: Pattern) -> Pattern:
    """Drop what the type ignores, as Exchange does: a read shows defaults there."""
    if pattern.kind in ("daily", "weekly"):
        days = pattern.days if pattern.kind == "weekly" else ()
        return replace(pattern, day_of_month=0, month=0, index="first", days=days)
    month = pattern.month if pattern.kind.endswith("Yearly") else 0
    if pattern.kind.startswith("absolute"):
        return replace(pattern, days=(), index="first", month=month)
    return replace(pattern, day_of_month=0, month=month)


def _day(raw: Mapping[str, Any], name: str) -> date | None:
    value = raw.get(name)
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value)) if len(str(value)) == 10 else _fail(name, value)
    except ValueError:
        return _fail(name, value)


def _fail(name: str, value: object) -> date:
    raise bad_body(
        f"Cannot convert the literal '{value}' of '{name}' to the expected type 'Edm.Date'."
    )


def _read_range(raw: Mapping[str, Any], pattern: Pattern) -> tuple[Recurrence, str | None]:
    kind = _word(raw, "type", RANGES, None)
    start, end, number = (
        _day(raw, "startDate"),
        _day(raw, "endDate"),
        _number(raw, "numberOfOccurrences", 0),
    )
    home = raw.get("recurrenceTimeZone")
    if home is not None and not isinstance(home, str):
        raise bad_body("Cannot convert 'recurrenceTimeZone' to the expected type 'Edm.String'.")
    if kind is None or start is None or start == NO_DATE:
        raise bad_property("The recurrence range needs a type and a startDate.")
    if kind == "endDate":
        if end is None or end == NO_DATE:
            raise bad_property("The recurrence range needs an endDate.")
        if end < start:
            raise bad_request(
                "The recurrence ends before it starts.",
                "ErrorCalendarEndDateIsEarlierThanStartDate",
            )
        if end > LAST_DATE:
            raise bad_request("The recurrence ends too late.", "ErrorRecurrenceEndDateTooBig")
        return Recurrence(pattern, start, kind, end), home or None
    if kind == "numbered":
        if not 1 <= number <= MAX_COUNT:
            raise bad_property("numberOfOccurrences must be from 1 to 999.")
        return Recurrence(pattern, start, kind, None, number), home or None
    return Recurrence(pattern, start, kind), home or None


def settle(rule: Recurrence) -> Recurrence:
    """Move the range's start to the first date the pattern generates, as Exchange does."""
    first = next(iter(generate(rule.pattern, rule.start, rule.start)), None)
    return rule if first is None or first == rule.start else replace(rule, start=first)


def too_long(rule: Recurrence, length: timedelta) -> Refusal | None:
    """An instance may not last longer than the gap to the next one
    (ErrorOccurrenceTimeSpanTooBig).
    """
    span = timedelta(days=max(400, _reach(rule.pattern) * 2))
    days = _dates(rule, rule.start, min(rule.start + span, LAST_DATE))
    if any(length > later - earlier for earlier, later in pairwise(days)):
        return bad_request(
            "An occurrence lasts longer than the time to the next one.",
            "ErrorOccurrenceTimeSpanTooBig",
        )
    return None


def show(rule: Recurrence, zone_label: str) -> dict[str, Any]:
    """The patternedRecurrence as Graph answers it: unused members filled with defaults."""
    pattern = rule.pattern
    shape: dict[str, Any] = {
        "type": pattern.kind,
        "interval": pattern.interval,
        "month": pattern.month,
        "dayOfMonth": pattern.day_of_month,
    }
    if pattern.days:
        shape["daysOfWeek"] = [DAYS[day] for day in _sunday_first(pattern.days)]
    shape["firstDayOfWeek"] = DAYS[pattern.first_day]
    shape["index"] = pattern.index
    return {
        "pattern": shape,
        "range": {
            "type": rule.kind,
            "startDate": rule.start.isoformat(),
            "endDate": (rule.end or NO_DATE).isoformat(),
            "recurrenceTimeZone": zone_label,
            "numberOfOccurrences": rule.number,
        },
    }


def _sunday_first(days: tuple[int, ...]) -> list[int]:
    return sorted(days, key=lambda day: (day + 1) % 7)
