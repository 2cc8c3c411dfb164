"""``recurrenceRule`` objects of JSCalendar (RFC 8984 section 4.3.3, jscalendarbis) ↔ Rule.

Only what a room can be booked by: daily to yearly, no parts of a day, Gregorian, and the
default ``skip: omit`` (dates that do not exist are left out).
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from calsync.errors import MappingError
from calsync.mapping import rrule
from calsync.mapping.booking_form import FIRST_YEAR, Form, parse_local
from calsync.model import Frequency, Nth, Occupancy, Rule, Weekday

_FREQUENCIES = {f.value.lower(): f for f in Frequency}
_DAYS = {d.name.lower(): d for d in Weekday}
_KNOWN = (
    "frequency",
    "interval",
    "byDay",
    "byMonthDay",
    "byMonth",
    "bySetPosition",
    "firstDayOfWeek",
    "count",
    "until",
    "rscale",
    "skip",
)
_UNSAYABLE = ("byHour", "byMinute", "bySecond", "byWeekNo", "byYearDay")


def rule_to_json(rule: Rule) -> dict[str, object]:
    """The rule as a JSON object; parts that have their default value are left out."""
    doc: dict[str, object] = {"@type": "RecurrenceRule", "frequency": rule.frequency.value.lower()}
    if rule.interval != 1:
        doc["interval"] = rule.interval
    if rule.by_day:
        doc["byDay"] = [_day_to_json(n) for n in rule.by_day]
    if rule.by_month_day:
        doc["byMonthDay"] = list(rule.by_month_day)
    if rule.by_month:
        # Strings, because leap months of other calendars have a letter ("5L").
        doc["byMonth"] = [str(m) for m in rule.by_month]
    if rule.by_set_pos:
        doc["bySetPosition"] = list(rule.by_set_pos)
    if rule.week_start is not Weekday.MO:
        doc["firstDayOfWeek"] = rule.week_start.name.lower()
    if rule.count is not None:
        doc["count"] = rule.count
    if rule.until is not None:
        doc["until"] = datetime.combine(rule.until, time(23, 59, 59)).isoformat()
    return doc


def read_rule(form: Form, plain: Occupancy, room_zone: str) -> Rule | None:
    """The rule that ``form`` holds, for a series that begins as ``plain``."""
    before = len(form.errors)
    form.refuse_unknown((*_KNOWN, *_UNSAYABLE))
    form.choice("@type", {"RecurrenceRule": None}, None)
    for name in _UNSAYABLE:
        if form.has(name):
            form.fail(name, "a room cannot be booked by this", "Use days, weeks, months or years")
    if form.doc.get("rscale") not in (None, "gregorian", "GREGORIAN"):
        form.fail("rscale", "only the Gregorian calendar is known", "Leave it out")
    form.choice("skip", {"omit": None}, None)
    if not form.has("frequency"):
        form.fail("frequency", "is missing", f"Use {', '.join(_FREQUENCIES)}")
    frequency = form.choice("frequency", _FREQUENCIES, Frequency.DAILY)
    interval = form.whole("interval", low=1, high=rrule.MAX_INTERVAL)
    count = form.whole("count", low=1, high=rrule.MAX_COUNT)
    until = _until(form, plain.start)
    if count is not None and until is not None:
        form.fail("count", "a series has a count or an until, not both")
    by_day = _days(form)
    month_days = _numbers(form, "byMonthDay", 31)
    months = _months(form)
    positions = _numbers(form, "bySetPosition", 366)
    week_start = form.choice("firstDayOfWeek", _DAYS, Weekday.MO)
    if len(form.errors) > before:
        return None
    rule = Rule(
        frequency=frequency,
        interval=interval or 1,
        by_day=by_day,
        by_month_day=month_days,
        by_month=months,
        by_set_pos=positions,
        week_start=week_start,
        count=count,
        until=until,
    )
    # Through the text, so that both spellings pass one and the same gate, which sorts, too.
    text = rrule.format_rrule(rule, start=plain.start, zone=plain.zone, all_day=plain.all_day)
    return _checked(form, "", text, plain, room_zone)


def read_rrule(form: Form, plain: Occupancy, room_zone: str) -> Rule | None:
    """The rule of an RFC 5545 text, taken for convenience beside ``recurrenceRule``."""
    text = form.text("rrule", limit=rrule.MAX_TEXT)
    return None if text is None else _checked(form, "rrule", text, plain, room_zone)


def _checked(form: Form, name: str, text: str, plain: Occupancy, room_zone: str) -> Rule | None:
    zone = plain.zone or room_zone
    try:
        return rrule.parse_rrule(text, start=plain.start, zone=zone, all_day=plain.all_day)
    except MappingError as error:
        form.fail(name, error.what, error.todo)
        return None


def _day_to_json(nth: Nth) -> dict[str, object]:
    doc: dict[str, object] = {"@type": "NDay", "day": nth.weekday.name.lower()}
    if nth.position:
        doc["nthOfPeriod"] = nth.position
    return doc


def _until(form: Form, start: datetime) -> date | None:
    """``until`` is inclusive to the second; Rule keeps the last date that may start one."""
    value = form.doc.get("until")
    if value is None:
        return None
    if not isinstance(value, str) or (parsed := parse_local(value)) is None:
        form.fail("until", "is not a local date and time", "Write 2026-12-31T23:59:59")
        return None
    if parsed.year < FIRST_YEAR:
        form.fail("until", "lies before the start", "Set it to the last date of the series")
        return None
    last = parsed.date()
    is_date = len(value) == len("2026-12-31")
    if not is_date and parsed.time() < start.time():
        last -= timedelta(days=1)
    return last


def _days(form: Form) -> tuple[Nth, ...]:
    found = set()
    for index, entry in enumerate(form.items("byDay", limit=100)):
        if not isinstance(entry, dict):
            form.fail("byDay", f'entry {index} must be an object such as {{"day": "mo"}}')
            continue
        inner = Form(entry, at=f"{form.at}/byDay/{index}", errors=form.errors)
        inner.refuse_unknown(("day", "nthOfPeriod"))
        inner.choice("@type", {"NDay": None}, None)
        if not inner.has("day"):
            inner.fail("day", "is missing", f"Use {', '.join(_DAYS)}")
        position = inner.whole("nthOfPeriod", low=-53, high=53)
        if position == 0:
            inner.fail("nthOfPeriod", "must not be 0", "Leave it out for every such day")
        found.add(Nth(inner.choice("day", _DAYS, Weekday.MO), position or 0))
    return tuple(found)


def _numbers(form: Form, name: str, top: int) -> tuple[int, ...]:
    """Positive ones count from the beginning, negative ones from the end."""
    found = set()
    for entry in form.items(name, limit=100):
        if not isinstance(entry, int) or isinstance(entry, bool) or not 1 <= abs(entry) <= top:
            form.fail(name, f"must hold whole numbers up to {top}, without 0")
            break
        found.add(entry)
    return tuple(found)


def _months(form: Form) -> tuple[int, ...]:
    found = set()
    for entry in form.items("byMonth", limit=12):
        # Numbers, too; nothing else of JSON is written as digits alone.
        text = str(entry)
        if not text.isascii() or not text.isdigit() or len(text) > 2 or not 1 <= int(text) <= 12:
            form.fail("byMonth", 'must hold months "1" to "12"')
            break
        found.add(int(text))
    return tuple(found)
