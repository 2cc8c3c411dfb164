"""Recurrences in the words of EWS ↔ Graph's patternedRecurrence.

The six patterns are the same, but for two: EWS has no interval of years (every second year is
every 24th month), and a relative pattern has one day, or one of the sets Day, Weekday and
WeekendDay. Facts: types.xsd, RecurrencePatternTypes and RecurrenceRangeTypes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from calsync.errors import UnsayableRecurrence
from calsync.mapping.recurrence import DAYS

_NAMES: Final = {
    "DailyRecurrence": "daily",
    "WeeklyRecurrence": "weekly",
    "AbsoluteMonthlyRecurrence": "absoluteMonthly",
    "RelativeMonthlyRecurrence": "relativeMonthly",
    "AbsoluteYearlyRecurrence": "absoluteYearly",
    "RelativeYearlyRecurrence": "relativeYearly",
}
_ELEMENTS: Final = {graph: ews for ews, graph in _NAMES.items()}
_SETS: Final = {
    "Day": DAYS,
    "Weekday": DAYS[:5],
    "WeekendDay": DAYS[5:],
}
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_YEAR: Final = 12


def from_ews(raw: Any, zone: Any) -> dict[str, Any] | None:
    """What Graph would say. Strange values pass on to be named by ``recurrence.from_graph``;
    what is no recurrence at all is None."""
    if not isinstance(raw, Mapping):
        return None
    pattern: dict[str, Any] = {"type": next((n for n in raw if n.endswith("Recurrence")), None)}
    span: dict[str, Any] = {"recurrenceTimeZone": zone}
    for name, parts in raw.items():
        if name in _NAMES and isinstance(parts, Mapping):
            pattern = _pattern(_NAMES[name], parts)
        elif name.endswith("Recurrence") and isinstance(parts, Mapping) and "StartDate" in parts:
            span |= _range(name, parts)
    return {"pattern": pattern, "range": span}


def _pattern(kind: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    # Patterns of years have no interval.
    found: dict[str, Any] = {"type": kind, "interval": _number(parts.get("Interval", "1"))}
    if "DaysOfWeek" in parts:
        found["daysOfWeek"] = _days(parts["DaysOfWeek"])
    if "FirstDayOfWeek" in parts:
        found["firstDayOfWeek"] = str(parts["FirstDayOfWeek"]).lower()
    if "DayOfMonth" in parts:
        found["dayOfMonth"] = _number(parts["DayOfMonth"])
    if "DayOfWeekIndex" in parts:
        found["index"] = str(parts["DayOfWeekIndex"]).lower()
    if "Month" in parts:
        month = parts["Month"]
        found["month"] = _MONTHS.index(month) + 1 if month in _MONTHS else month
    return found


def _days(text: object) -> list[str]:
    """A list of names with blanks between; a set of days stands for each of them."""
    found: list[str] = []
    for name in str(text).split():
        found += _SETS.get(name, (name.lower(),))
    return found


def _range(name: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    # An xs:date may carry a zone, which says nothing here.
    begins = {"startDate": str(parts["StartDate"])[:10]}
    if "EndDate" in parts:
        return begins | {"type": "endDate", "endDate": str(parts["EndDate"])[:10]}
    if "NumberOfOccurrences" in parts:
        count = _number(parts["NumberOfOccurrences"])
        return begins | {"type": "numbered", "numberOfOccurrences": count}
    return begins | {"type": "noEnd" if name == "NoEndRecurrence" else name}


def _number(text: object) -> object:
    """A whole number; anything else as it is, to be named."""
    value = str(text).strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else text


# --- to EWS ----------------------------------------------------------------------------------


def to_ews(recurrence: Mapping[str, Any]) -> dict[str, Any]:
    """Graph's words (as ``recurrence.to_graph`` makes them) as parts of a Recurrence element.
    Raises UnsayableRecurrence for what EWS has no words for."""
    pattern = recurrence["pattern"]
    if str(pattern["type"]).endswith("Yearly") and pattern["interval"] > 1:
        pattern = _in_months(pattern)
    parts: dict[str, str] = {}
    if not str(pattern["type"]).endswith("Yearly"):
        parts["Interval"] = str(pattern["interval"])
    if "daysOfWeek" in pattern:
        relative = str(pattern["type"]).startswith("relative")
        parts["DaysOfWeek"] = _one_set(pattern["daysOfWeek"]) if relative else _listed(pattern)
    if "firstDayOfWeek" in pattern:
        parts["FirstDayOfWeek"] = str(pattern["firstDayOfWeek"]).capitalize()
    if "dayOfMonth" in pattern:
        parts["DayOfMonth"] = str(pattern["dayOfMonth"])
    if "index" in pattern:
        parts["DayOfWeekIndex"] = str(pattern["index"]).capitalize()
    if "month" in pattern:
        parts["Month"] = _MONTHS[pattern["month"] - 1]
    return {_ELEMENTS[pattern["type"]]: parts, **_ending(recurrence["range"])}


def _in_months(pattern: Mapping[str, Any]) -> dict[str, Any]:
    """Every n years as every 12 n months: the month is that of the start."""
    made = {name: value for name, value in pattern.items() if name != "month"}
    kind = str(pattern["type"]).replace("Yearly", "Monthly")
    return made | {"type": kind, "interval": pattern["interval"] * _YEAR}


def _listed(pattern: Mapping[str, Any]) -> str:
    return " ".join(str(day).capitalize() for day in pattern["daysOfWeek"])


def _one_set(days: list[str]) -> str:
    if len(days) == 1:
        return days[0].capitalize()
    for name, members in _SETS.items():
        if set(days) == set(members):
            return name
    raise UnsayableRecurrence(
        "it counts several weekdays of a month together, which Exchange Server has no words for",
        where="recurrence",
        todo="Book it as several series, one for each weekday",
    )


def _ending(span: Mapping[str, Any]) -> dict[str, Any]:
    begins = {"StartDate": span["startDate"]}
    match span["type"]:
        case "noEnd":
            return {"NoEndRecurrence": begins}
        case "numbered":
            count = str(span["numberOfOccurrences"])
            return {"NumberedRecurrence": begins | {"NumberOfOccurrences": count}}
        case _:
            return {"EndDateRecurrence": begins | {"EndDate": span["endDate"]}}
