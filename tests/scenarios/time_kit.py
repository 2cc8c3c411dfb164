"""Series and meetings as a person means them, expanded by nobody's code but this file's.

The expansion here is dateutil's rrule over naive wall times and the standard library's zoneinfo:
it shares no code with ``calsync.mapping`` or with the sandbox, so it may judge both.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from calsync.mapping import zones
from tests.scenarios.series_kit import Stage
from tests.support.company import Instance

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LOW, HIGH = date(2026, 1, 1), date(2029, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """Wall times in ``zone`` (IANA). ``rule``: an RFC 5545 rule that dateutil reads too (so days
    29 to 31 are said as Outlook means them), "" for a single. ``gone``: dates without a meeting;
    ``moved``: date → (start, end) of that one."""

    start: datetime
    end: datetime
    zone: str
    rule: str = ""
    all_day: bool = False
    gone: frozenset[date] = frozenset()
    moved: dict[date, tuple[datetime, datetime]] = field(default_factory=dict)

    @property
    def length(self) -> timedelta:
        return self.end - self.start


def meeting(start: str, end: str, zone: str, rule: str = "", **more: Any) -> Meeting:
    return Meeting(
        start=datetime.fromisoformat(start),
        end=datetime.fromisoformat(end),
        zone=zone,
        rule=rule,
        **more,
    )


# --- the judge ---------------------------------------------------------------------------------


def instant(wall: datetime, zone: str) -> datetime:
    """PEP 495: a time that the clocks skip takes the offset from before, one that comes twice is
    the first."""
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)


def slots(one: Meeting, low: date = LOW, high: date = HIGH) -> list[datetime]:
    """The wall times the rule gives, near the span."""
    if not one.rule:
        return [one.start]
    rule = rrulestr(f"RRULE:{one.rule}", dtstart=one.start)
    after = datetime.combine(low, datetime.min.time()) - timedelta(days=40)
    before = datetime.combine(high, datetime.min.time()) + timedelta(days=40)
    return list(islice(rule.between(after, before, inc=True), 20_000))


def expected(
    one: Meeting, room_zone: str, low: date = LOW, high: date = HIGH
) -> list[tuple[str, str]]:
    """Busy spans in UTC that touch the days from ``low`` to before ``high`` (UTC days)."""
    zone = room_zone if one.all_day else one.zone
    spans = []
    for slot in slots(one, low, high):
        if slot.date() in one.gone:
            continue
        start, end = one.moved.get(slot.date(), (slot, slot + one.length))
        begin, finish = instant(start, zone), instant(end, zone)
        spans.append((begin, finish if finish >= begin else begin + (end - start)))
    floor = datetime.combine(low, datetime.min.time())
    ceiling = datetime.combine(high, datetime.min.time())
    return sorted(
        (f"{a.isoformat()}Z", f"{b.isoformat()}Z")
        for a, b in spans
        if a < ceiling and (b > floor or (a == b and a >= floor))
    )


def spans(shown: list[Instance]) -> list[tuple[str, str]]:
    return sorted((one.start, one.end) for one in shown)


# --- the same meeting, made on either side -------------------------------------------------------


def label(zone: str) -> str:
    """What Outlook calls the zone."""
    return zones.to_windows(zone) or zone


def in_outlook(stage: Stage, one: Meeting, *, named: str = "", **more: Any) -> Any:
    """Written into the room's own calendar by somebody with rights, dates changed afterwards."""
    recurrence = pattern(one) if one.rule else None
    made = stage.put(
        one.start.isoformat(),
        one.end.isoformat(),
        recurrence,
        zone=named or label(one.zone),
        allDay=one.all_day,
        **more,
    )
    change_in_outlook(stage, made, one)
    return made


def change_in_outlook(stage: Stage, made: Any, one: Meeting) -> None:
    for day in sorted(one.gone):
        stage.outlook("remove", made, date=day.isoformat())
    for day, (start, end) in sorted(one.moved.items()):
        stage.outlook(
            "set", made, date=day.isoformat(), start=start.isoformat(), end=end.isoformat()
        )


def on_platform(stage: Stage, one: Meeting, **more: Any) -> Any:
    return stage.book(**document(one), **more)


def document(one: Meeting) -> dict[str, Any]:
    length = one.length
    if not (one.rule or one.all_day):
        # The time part of a duration is exact (RFC 8984); within a series it is a wall length.
        length = instant(one.end, one.zone) - instant(one.start, one.zone)
    doc: dict[str, Any] = {
        "start": one.start.isoformat(),
        "duration": duration(length, days=one.all_day),
    }
    if one.all_day:
        doc["showWithoutTime"] = True
    else:
        doc["timeZone"] = one.zone
    if one.rule:
        doc["rrule"] = one.rule
        doc["recurrenceOverrides"] = overrides(one)
    return doc


def overrides(one: Meeting) -> dict[str, Any]:
    clock = one.start.time()
    patches: dict[str, Any] = {
        datetime.combine(day, clock).isoformat(): {"excluded": True} for day in one.gone
    }
    for day, (start, end) in one.moved.items():
        patches[datetime.combine(day, clock).isoformat()] = {
            "start": start.isoformat(),
            "duration": duration(end - start, days=one.all_day),
        }
    return patches


def duration(length: timedelta, *, days: bool = False) -> str:
    if days:
        return f"P{length.days}D"
    return f"PT{int(length.total_seconds()) // 60}M"


def pattern(one: Meeting) -> dict[str, Any]:
    """Graph's recurrence for the rules that scenarios use."""
    said = dict(part.split("=") for part in one.rule.split(";"))
    span: dict[str, Any] = {"type": "noEnd", "startDate": one.start.date().isoformat()}
    if "COUNT" in said:
        span |= {"type": "numbered", "numberOfOccurrences": int(said["COUNT"])}
    elif "UNTIL" in said:
        last = datetime.fromisoformat(said["UNTIL"][:8])
        span |= {"type": "endDate", "endDate": last.date().isoformat()}
    return {
        "pattern": {"interval": int(said.get("INTERVAL", 1)), **_kind(said, one)},
        "range": span,
    }


def _kind(said: dict[str, str], one: Meeting) -> dict[str, Any]:
    days = [NAMES[DAYS.index(day[-2:])] for day in said.get("BYDAY", "").split(",") if day]
    frequency = said["FREQ"]
    if frequency == "DAILY":
        return {"type": "daily"}
    if frequency == "WEEKLY":
        first = NAMES[DAYS.index(said.get("WKST", "MO"))]
        named = days or [NAMES[one.start.weekday()]]
        return {"type": "weekly", "daysOfWeek": named, "firstDayOfWeek": first}
    period = "Monthly" if frequency == "MONTHLY" else "Yearly"
    month = {} if period == "Monthly" else {"month": int(said.get("BYMONTH", one.start.month))}
    if days:
        index = {"1": "first", "2": "second", "3": "third", "4": "fourth", "-1": "last"}
        return {
            "type": f"relative{period}",
            "daysOfWeek": days,
            "index": index[said["BYSETPOS"]],
            **month,
        }
    latest = max(int(day) for day in said.get("BYMONTHDAY", str(one.start.day)).split(","))
    return {"type": f"absolute{period}", "dayOfMonth": latest, **month}


def without(one: Meeting, *days: str) -> Meeting:
    return replace(one, gone=one.gone | {date.fromisoformat(day) for day in days})


def with_moved(one: Meeting, day: str, start: str, end: str) -> Meeting:
    walls = datetime.fromisoformat(start), datetime.fromisoformat(end)
    return replace(one, moved={**one.moved, date.fromisoformat(day): walls})


# --- what every scenario ends in ---------------------------------------------------------------


def prove(stage: Stage, *ones: Meeting, low: date = LOW, high: date = HIGH) -> list[Instance]:
    """After ONE cycle both sides show exactly what the judge expects; then nothing is written."""
    stage.company.sync(stage.place)
    shown = agree(stage, *ones, low=low, high=high)
    stage.company.at_rest(stage.place)
    agree(stage, *ones, low=low, high=high)
    return shown


def agree(stage: Stage, *ones: Meeting, low: date = LOW, high: date = HIGH) -> list[Instance]:
    wanted = sorted(span for one in ones for span in expected(one, stage.place.zone, low, high))
    calendar, platform = stage.calendar(low, high), stage.platform(low, high)
    assert spans(calendar) == wanted, ("calendar", unlike(spans(calendar), wanted))
    assert spans(platform) == wanted, ("platform", unlike(spans(platform), wanted))
    return calendar


def unlike(one: list[Any], two: list[Any]) -> list[str]:
    more = [f"+ {x}" for x in one if x not in two]
    less = [f"- {x}" for x in two if x not in one]
    return [*more[:6], *less[:6], f"{len(one)} for {len(two)}"]
