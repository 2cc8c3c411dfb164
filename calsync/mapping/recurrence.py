"""Graph's patternedRecurrence ↔ Rule: six pattern kinds, three range kinds.

Outlook moves days 29 to 31 to the end of a shorter month where RFC 5545 skips the month, so
``absoluteMonthly`` on day 31 is BYMONTHDAY=28,29,30,31;BYSETPOS=-1, and a plain BYMONTHDAY=31
cannot be said. Source: Graph resources recurrencePattern and recurrenceRange.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, Never

from calsync.errors import MappingError, UnsayableRecurrence
from calsync.mapping import dates, zones
from calsync.mapping.canon import canonical
from calsync.model import Frequency, Nth, Rule, Weekday

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INDEXES: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_INDEX_NAMES: Final = {position: name for name, position in INDEXES.items()}
_PATTERNS: Final = {
    "daily": Frequency.DAILY,
    "weekly": Frequency.WEEKLY,
    "absolutemonthly": Frequency.MONTHLY,
    "relativemonthly": Frequency.MONTHLY,
    "absoluteyearly": Frequency.YEARLY,
    "relativeyearly": Frequency.YEARLY,
}
MAX_INTERVAL: Final = 999
NO_NAME: Final = "Graph has no name for its time zone"
MAX_COUNT: Final = 10_000
#: Outlook writes 4500-09-01 for "no end" in places; dates from here on mean that.
_NO_END: Final = date(4500, 1, 1)


# --- to Graph --------------------------------------------------------------------------------


def to_graph(rule: Rule, *, start: datetime, zone: str | None) -> dict[str, Any]:
    """``{"pattern": …, "range": …}`` for a series that starts at ``start``, wall time in ``zone``.

    ``zone`` (IANA) None leaves recurrenceTimeZone out: Graph then takes the event's own.
    Raises UnsayableRecurrence with the reason.
    """
    rule = canonical(rule, start)
    pattern = _pattern(rule)
    if not dates.has(rule, start.date(), start.date()):
        _unsayable("its start is not a date that the rule gives")
    span: dict[str, Any] = {"startDate": start.date().isoformat()}
    if rule.count is not None:
        span |= {"type": "numbered", "numberOfOccurrences": rule.count}
    elif rule.until is not None:
        span |= {"type": "endDate", "endDate": rule.until.isoformat()}
    else:
        span["type"] = "noEnd"
    if zone is not None:
        name = zones.outgoing(zone)
        if name is None:
            _unsayable(NO_NAME)
        span["recurrenceTimeZone"] = name
    return {"pattern": pattern, "range": span}


def _unsayable(why: str) -> Never:
    raise UnsayableRecurrence(why, where="recurrence", todo="Book it as several series")


def _pattern(rule: Rule) -> dict[str, Any]:
    if rule.interval > MAX_INTERVAL:
        _unsayable(f"its interval is larger than {MAX_INTERVAL}")
    base: dict[str, Any] = {"interval": rule.interval}
    match rule.frequency:
        case Frequency.DAILY:
            if rule.by_day or rule.by_month_day or rule.by_month or rule.by_set_pos:
                _unsayable("a daily series cannot be limited to some days or months")
            return base | {"type": "daily"}
        case Frequency.WEEKLY:
            if rule.by_month or rule.by_month_day or rule.by_set_pos:
                _unsayable("a weekly series cannot be limited to some weeks or months")
            first_day = DAYS[rule.week_start]
            return base | {
                "type": "weekly",
                "daysOfWeek": _names(rule),
                "firstDayOfWeek": first_day,
            }
        case Frequency.MONTHLY:
            if rule.by_month:
                _unsayable("a monthly series cannot be limited to some months")
            return base | _in_month(rule, "Monthly", 28)
        case Frequency.YEARLY:
            if len(rule.by_month) != 1:
                _unsayable("a yearly series has exactly one month")
            month = rule.by_month[0]
            shortest = monthrange(2001, month)[1]
            return base | {"month": month} | _in_month(rule, "Yearly", shortest)


def _names(rule: Rule) -> list[str]:
    return [DAYS[nth.weekday] for nth in rule.by_day]


def _in_month(rule: Rule, period: str, shortest: int) -> dict[str, Any]:
    if rule.by_day:
        return _relative(rule, period)
    days = rule.by_month_day
    if len(days) == 1:
        if days[0] < 0:
            _unsayable("it counts days from the end of the month")
        if days[0] > shortest:
            _unsayable(f"it skips months without a day {days[0]}, where Outlook takes their last")
        return {"type": f"absolute{period}", "dayOfMonth": days[0]}
    if rule.by_set_pos == (-1,) and days == tuple(range(shortest, days[-1] + 1)):
        return {"type": f"absolute{period}", "dayOfMonth": days[-1]}
    return _unsayable("it has several days of a month")


def _relative(rule: Rule, period: str) -> dict[str, Any]:
    if rule.by_month_day or any(nth.position for nth in rule.by_day):
        _unsayable("it has several positions, or weekdays limited to some days of the month")
    if len(rule.by_set_pos) != 1 or rule.by_set_pos[0] not in _INDEX_NAMES:
        _unsayable("it needs one position out of first, second, third, fourth and last")
    index = _INDEX_NAMES[rule.by_set_pos[0]]
    return {"type": f"relative{period}", "daysOfWeek": _names(rule), "index": index}


# --- from Graph ------------------------------------------------------------------------------


def from_graph(recurrence: Mapping[str, Any], *, start: datetime) -> Rule:
    """The canonical rule of a Graph series whose start is ``start`` (wall time, home zone).

    Members that a type does not use may be absent, null or filled with anything of their type.
    Raises MappingError for an unknown type or value, naming the member.
    """
    pattern = _object(recurrence, "pattern")
    kind = _word(pattern, "type", "pattern.type")
    frequency = _PATTERNS.get(kind)
    if frequency is None:
        _bad("pattern.type", pattern.get("type"))
    interval = _whole(pattern, "interval", 1, MAX_INTERVAL, "pattern.interval")
    count, until = _range(_object(recurrence, "range"), start)
    days = _days(pattern) if kind == "weekly" or kind.startswith("relative") else ()
    month = _whole(pattern, "month", 1, 12, "pattern.month") if kind.endswith("yearly") else 0
    month_days, positions = _day_in_month(pattern, kind)
    rule = Rule(
        frequency=frequency,
        interval=interval,
        by_day=days,
        by_month_day=month_days,
        by_month=(month,) if month else (),
        by_set_pos=positions,
        week_start=_first_day(pattern) if kind == "weekly" else Weekday.MO,
        count=count,
        until=until,
    )
    return canonical(rule, start)


def _bad(member: str, value: object) -> Never:
    raise MappingError(
        f"{member} is {str(value)[:60]!r}, which is not known",
        where="recurrence",
        todo="Open the event in Outlook and set its recurrence again",
    )


def _object(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name) if isinstance(raw, Mapping) else None
    if not isinstance(value, Mapping):
        _bad(name, value)
    return value


def _word(raw: Mapping[str, Any], name: str, member: str, default: str = "") -> str:
    value = raw.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        _bad(member, value)
    return value.lower()


def _whole(raw: Mapping[str, Any], name: str, low: int, high: int, member: str) -> int:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        _bad(member, value)
    return value


def _days(pattern: Mapping[str, Any]) -> tuple[Nth, ...]:
    raw = pattern.get("daysOfWeek")
    if not isinstance(raw, list) or not raw or len(raw) > 50:
        _bad("pattern.daysOfWeek", raw)
    return tuple(Nth(_weekday(value, "pattern.daysOfWeek")) for value in raw)


def _weekday(value: object, member: str) -> Weekday:
    if not isinstance(value, str) or value.lower() not in DAYS:
        _bad(member, value)
    return Weekday(DAYS.index(value.lower()))


def _first_day(pattern: Mapping[str, Any]) -> Weekday:
    value = pattern.get("firstDayOfWeek")
    return Weekday.SU if value is None else _weekday(value, "pattern.firstDayOfWeek")


def _day_in_month(pattern: Mapping[str, Any], kind: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """BYMONTHDAY and BYSETPOS of the pattern."""
    if kind.startswith("relative"):
        index = _word(pattern, "index", "pattern.index", "first")
        if index not in INDEXES:
            _bad("pattern.index", index)
        return (), (INDEXES[index],)
    if not kind.startswith("absolute"):
        return (), ()
    day = _whole(pattern, "dayOfMonth", 1, 31, "pattern.dayOfMonth")
    # In a shorter month its last: the latest of the days up to it. ``canonical`` says it shorter.
    return tuple(range(1, day + 1)), (-1,)


def _range(raw: Mapping[str, Any], start: datetime) -> tuple[int | None, date | None]:
    kind = _word(raw, "type", "range.type")
    if kind == "noend":
        return None, None
    if kind == "numbered":
        return _whole(raw, "numberOfOccurrences", 1, MAX_COUNT, "range.numberOfOccurrences"), None
    if kind != "enddate":
        _bad("range.type", raw.get("type"))
    value = raw.get("endDate")
    try:
        until = date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        until = None
    if until is None or until < start.date():
        _bad("range.endDate", value)
    return None, None if until >= _NO_END else until
