"""Recurrence of a calendar item, EWS's elements to the world's rule and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import islice

from ..problems import Refusal, bad_request
from ..recurrence import INDEXES, LAST_DATE, MAX_COUNT, Pattern, Recurrence, generate
from ..zones import Zone
from .call import need, one_of, schema, whole
from .xml import Markup, Node, t
from .zones import DAYS, MONTHS

ANY = {
    "Day": tuple(range(7)),
    "Weekday": (0, 1, 2, 3, 4),
    "WeekendDay": (5, 6),
}
PLACES = ("First", "Second", "Third", "Fourth", "Last")
_DAY_NAMES = (*DAYS, *ANY)


def _invalid(message: str, code: str = "ErrorCalendarInvalidRecurrence") -> Refusal:
    return bad_request(message, code)


def read(node: Node) -> Recurrence:
    """A Recurrence element. Its StartDate need not be one of its dates."""
    if len(node.kids) != 2:
        raise schema("The element 'Recurrence' has incomplete content.", node)
    pattern, span = _pattern(node.kids[0]), node.kids[1]
    start = _date(need(span, "StartDate"))
    if span.name == "NoEndRecurrence":
        made = Recurrence(pattern, start)
    elif span.name == "EndDateRecurrence":
        end = _date(need(span, "EndDate"))
        if end < start:
            raise _invalid(
                "The end of the recurrence is earlier than its start.",
                "ErrorCalendarEndDateIsEarlierThanStartDate",
            )
        if end > date(4500, 9, 1):
            raise _invalid(
                "The end date of the recurrence is too late.", "ErrorRecurrenceEndDateTooBig"
            )
        made = Recurrence(pattern, start, "endDate", min(end, LAST_DATE))
    elif span.name == "NumberedRecurrence":
        said = need(span, "NumberOfOccurrences")
        number = whole(said, said.text)
        if not 1 <= number <= MAX_COUNT:
            raise _invalid("NumberOfOccurrences must be between 1 and 999.")
        made = Recurrence(pattern, start, "numbered", None, number)
    else:
        raise schema(f"The element 'Recurrence' has invalid child element '{span.name}'.", span)
    first = next(iter(generate(pattern, start, start)), None)
    if first is None or (made.end is not None and first > made.end):
        raise _invalid(
            "The recurrence pattern has no occurrence.", "ErrorRecurrenceHasNoOccurrence"
        )
    return made


def _pattern(node: Node) -> Pattern:
    kinds = {
        "DailyRecurrence": "daily",
        "WeeklyRecurrence": "weekly",
        "AbsoluteMonthlyRecurrence": "absoluteMonthly",
        "RelativeMonthlyRecurrence": "relativeMonthly",
        "AbsoluteYearlyRecurrence": "absoluteYearly",
        "RelativeYearlyRecurrence": "relativeYearly",
    }
    kind = kinds.get(node.name)
    if kind is None:
        # Regenerating patterns are of tasks: the schema of a calendar item has none.
        raise schema(f"The element 'Recurrence' has invalid child element '{node.name}'.", node)
    interval = 1
    if not kind.endswith("Yearly"):
        said = need(node, "Interval")
        interval = whole(said, said.text)
        if not 1 <= interval <= (99 if "Monthly" in kind else 999):
            raise _invalid("The interval of the recurrence is out of range.")
    month = 0
    if kind.endswith("Yearly"):
        named = need(node, "Month")
        month = MONTHS.index(one_of(named, named.text.strip(), MONTHS)) + 1
    if kind.startswith("absolute"):
        said = need(node, "DayOfMonth")
        day = whole(said, said.text)
        if not 1 <= day <= 31:
            raise _invalid("DayOfMonth must be between 1 and 31.")
        return Pattern(kind, interval, day_of_month=day, month=month)
    if kind == "daily":
        return Pattern(kind, interval)
    named = need(node, "DaysOfWeek")
    words = [one_of(named, word, _DAY_NAMES) for word in named.text.split()]
    if kind == "weekly":
        if any(word in ANY for word in words):
            raise _invalid(
                "Day, Weekday and WeekendDay are no days of a weekly recurrence.",
                "ErrorCalendarInvalidDayForWeeklyRecurrence",
            )
        first = node.said("FirstDayOfWeek")
        days = tuple(sorted({DAYS.index(word) for word in words}))
        if not days:
            raise _invalid("A weekly recurrence needs DaysOfWeek.")
        return Pattern(kind, interval, days, first_day=DAYS.index(first) if first in DAYS else 6)
    if len(words) != 1:
        raise schema("The 'DaysOfWeek' element is invalid - one value is expected.", named)
    place = need(node, "DayOfWeekIndex")
    index = INDEXES[PLACES.index(one_of(place, place.text.strip(), PLACES))]
    days = ANY.get(words[0]) or (DAYS.index(words[0]),)
    return Pattern(kind, interval, days, 0, month, index)


def _date(node: Node) -> date:
    """xs:date: what stands behind the day, a zone, does not count."""
    try:
        return date.fromisoformat(node.text.strip()[:10])
    except ValueError:
        raise schema(
            f"The '{node.name}' element is invalid - '{node.text}' is no Date.", node
        ) from None


def write(rule: Recurrence, home: Zone) -> Markup:
    """The Recurrence element of a master."""
    pattern = rule.pattern
    if pattern.kind.endswith("Yearly") and pattern.interval > 1:
        # EWS has no interval of years: Exchange stores months.
        kind = pattern.kind.replace("Yearly", "Monthly")
        pattern = replace(pattern, kind=kind, interval=12 * pattern.interval, month=0)
    name = pattern.kind[0].upper() + pattern.kind[1:] + "Recurrence"
    interval = None if pattern.kind.endswith("Yearly") else t("Interval", pattern.interval)
    month = t("Month", MONTHS[pattern.month - 1]) if pattern.month else None
    if pattern.kind == "daily":
        shape = t(name, interval)
    elif pattern.kind == "weekly":
        named = " ".join(DAYS[day] for day in sorted(pattern.days, key=lambda day: (day + 1) % 7))
        shape = t(
            name, interval, t("DaysOfWeek", named), t("FirstDayOfWeek", DAYS[pattern.first_day])
        )
    elif pattern.kind.startswith("absolute"):
        shape = t(name, interval, t("DayOfMonth", pattern.day_of_month), month)
    else:
        word = next((one for one, days in ANY.items() if days == pattern.days), None)
        # Several single days, which Graph can say and the schema of EWS cannot, as Exchange does.
        word = word or " ".join(DAYS[day] for day in pattern.days)
        place = t("DayOfWeekIndex", PLACES[INDEXES.index(pattern.index)])
        shape = t(name, interval, t("DaysOfWeek", word), place, month)
    start = t("StartDate", dated(rule.start, home))
    if rule.kind == "noEnd":
        span = t("NoEndRecurrence", start)
    elif rule.kind == "numbered":
        span = t("NumberedRecurrence", start, t("NumberOfOccurrences", rule.number))
    else:
        span = t("EndDateRecurrence", start, t("EndDate", dated(rule.end or LAST_DATE, home)))
    return t("Recurrence", shape, span)


def dated(day: date, home: Zone) -> str:
    """xs:date with the offset of the zone on that day, as Exchange writes it."""
    if home.rules is UTC:
        return f"{day.isoformat()}Z"
    offset = datetime(day.year, day.month, day.day, tzinfo=home.rules).strftime("%z")
    return f"{day.isoformat()}{offset[:3]}:{offset[3:5]}"


def nth(rule: Recurrence, index: int) -> date | None:
    """The date of an instance by its number from 1: deleted ones count. None beyond the end."""
    if index < 1 or (rule.kind == "numbered" and index > rule.number):
        return None
    days = generate(rule.pattern, rule.start, rule.start)
    found = next(islice(days, index - 1, index), None)
    if found is None or (rule.kind == "endDate" and rule.end is not None and found > rule.end):
        return None
    return found
