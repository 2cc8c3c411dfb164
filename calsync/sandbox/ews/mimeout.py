"""MimeContent written: a calendar item as iCalendar, a message as a mail."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from icalendar import (
    Alarm,
    Calendar,
    Event,
    Timezone,
    TimezoneDaylight,
    TimezoneStandard,
    vCalAddress,
    vDDDTypes,
    vRecur,
    vText,
)

from ..items import Instance
from ..recurrence import INDEXES, Recurrence
from ..world import moment_of
from ..zones import Zone, windows_name
from .view import View, original
from .xml import Markup, t
from .zones import Changes, rules_of

CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
STATES = {
    "accepted": "ACCEPTED", "declined": "DECLINED", "tentativelyAccepted": "TENTATIVE",
}  # fmt: skip
BUSY = {
    "free": "FREE", "tentative": "TENTATIVE", "busy": "BUSY", "oof": "OOF",
    "workingElsewhere": "WORKINGELSEWHERE",
}  # fmt: skip


def write(view: View) -> Markup:
    """The MimeContent element."""
    raw = calendar(view) if view.is_calendar else mail(view)
    return t("MimeContent", b64encode(raw).decode(), CharacterSet="UTF-8")


def calendar(view: View) -> bytes:
    """One VCALENDAR: a single event, an instance, or a series with its changed instances."""
    made: Any = Calendar()
    made.add("method", "REQUEST" if view.is_meeting else "PUBLISH")
    made.add("prodid", "Microsoft Exchange Server 2010")
    made.add("version", "2.0")
    zone = view.found.when.start_zone
    if not view.found.when.all_day:
        made.add_component(_timezone(zone))
    made.add_component(_event(view))
    item = view.item
    if item.rule is not None and view.found.day is None:
        for day, one in sorted(item.overrides.items()):
            if day not in item.cancelled:
                changed = View(
                    view.call, view.store, view.folder, Instance(item, day, one.when, one)
                )
                made.add_component(_event(changed))
    content: bytes = made.to_ical()
    return content


def _event(view: View) -> Any:
    item, slot = view.item, view.found.when
    made: Any = Event()
    made.add("uid", item.uid)
    made.add("summary", view.subject)
    text = view.body(text=True)["content"]
    if text:
        made.add("description", text)
    if slot.all_day:
        made.add("dtstart", slot.start.date())
        made.add("dtend", slot.end.date())
    else:
        _wall(made, "DTSTART", slot.start, slot.start_zone)
        _wall(made, "DTEND", slot.end, slot.end_zone)
    if view.found.day is not None:
        at = original(view)
        if item.when.all_day:
            made.add("recurrence-id", view.found.day)
        else:
            _wall(made, "RECURRENCE-ID", item.when.start_zone.to_wall(at), item.when.start_zone)
    elif item.rule is not None:
        made.add("rrule", vRecur(_rule(item.rule, item.when.start, item.when.start_zone)))
        for day in sorted(item.cancelled):
            if item.when.all_day:
                made.add("exdate", day)
            else:
                start = datetime.combine(day, item.when.start.time())
                _wall(made, "EXDATE", start, item.when.start_zone)
    made.add("dtstamp", moment_of(item.modified).replace(microsecond=0, tzinfo=UTC))
    made.add("created", moment_of(item.created).replace(microsecond=0, tzinfo=UTC))
    made.add("last-modified", moment_of(item.modified).replace(microsecond=0, tzinfo=UTC))
    made.add(
        "class",
        {"private": "PRIVATE", "confidential": "CONFIDENTIAL"}.get(
            str(view.prop("sensitivity")), "PUBLIC"
        ),
    )
    made.add("priority", {"high": 1, "low": 9}.get(str(view.prop("importance")), 5))
    shown = str(view.prop("showAs", "busy"))
    made.add("transp", "TRANSPARENT" if shown == "free" else "OPAQUE")
    cancelled = view.is_cancelled
    made.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    made.add("sequence", view.sequence)
    if view.location:
        made.add("location", view.location)
    if view.prop("categories"):
        made.add("categories", list(view.prop("categories")))
    made.add("x-microsoft-cdo-busystatus", BUSY.get(shown, "BUSY"))
    made.add("x-microsoft-cdo-alldayevent", "TRUE" if slot.all_day else "FALSE")
    _people(view, made)
    if view.prop("isReminderOn", True):
        alarm: Any = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", "REMINDER")
        alarm.add("trigger", -timedelta(minutes=int(view.prop("reminderMinutesBeforeStart", 15))))
        made.add_component(alarm)
    return made


def _wall(made: Any, name: str, value: datetime, zone: Zone) -> None:
    """A time in a zone that has a Windows name, which no library knows: value and TZID apart."""
    shown: Any = vDDDTypes(value.replace(microsecond=0))
    if zone.rules is UTC:
        shown = vDDDTypes(value.replace(microsecond=0, tzinfo=UTC))
    else:
        shown.params["TZID"] = windows_name(zone.label)
    made.add(name, shown)


def _people(view: View, made: Any) -> None:
    if not view.is_meeting:
        return
    organizer: Any = vCalAddress(f"mailto:{view.item.organizer.address}")
    organizer.params["CN"] = vText(view.item.organizer.name)
    made.add("organizer", organizer)
    for one in view.people:
        line: Any = vCalAddress(f"mailto:{one.person.address}")
        line.params["CN"] = vText(one.person.name)
        line.params["ROLE"] = vText(
            {"optional": "OPT-PARTICIPANT", "resource": "NON-PARTICIPANT"}.get(
                one.kind, "REQ-PARTICIPANT"
            )
        )
        if one.kind == "resource":
            line.params["CUTYPE"] = vText("RESOURCE")
        line.params["PARTSTAT"] = vText(STATES.get(one.response, "NEEDS-ACTION"))
        line.params["RSVP"] = vText("TRUE")
        made.add("attendee", line, encode=0)


def _rule(rule: Recurrence, start: datetime, home: Zone) -> dict[str, Any]:
    """RRULE of a pattern ([MS-OXCICAL]); days 29 to 31 keep Outlook's move to the month's end."""
    pattern = rule.pattern
    frequency = (
        pattern.kind
        if pattern.kind in ("daily", "weekly")
        else "monthly"
        if pattern.kind.endswith("Monthly")
        else "yearly"
    )
    made: dict[str, Any] = {"FREQ": frequency.upper(), "INTERVAL": pattern.interval}
    if rule.kind == "numbered":
        made["COUNT"] = rule.number
    elif rule.kind == "endDate" and rule.end is not None:
        last = datetime.combine(rule.end, start.time())
        made["UNTIL"] = home.to_utc(last).replace(tzinfo=UTC)
    if pattern.days:
        made["BYDAY"] = [CODES[day] for day in pattern.days]
    if pattern.kind == "weekly":
        made["WKST"] = CODES[pattern.first_day]
    if pattern.kind.startswith("relative"):
        place = INDEXES.index(pattern.index)
        made["BYSETPOS"] = -1 if place == 4 else place + 1
    if pattern.day_of_month == 31:
        made["BYMONTHDAY"] = -1
    elif pattern.day_of_month > 28:
        made["BYMONTHDAY"], made["BYSETPOS"] = list(range(28, pattern.day_of_month + 1)), -1
    elif pattern.day_of_month:
        made["BYMONTHDAY"] = pattern.day_of_month
    if pattern.month:
        made["BYMONTH"] = pattern.month
    return made


def _timezone(zone: Zone) -> Any:
    label = windows_name(zone.label)
    standard, daylight, into, back = rules_of(label)
    made: Any = Timezone()
    made.add("tzid", label)
    made.add_component(_observance(TimezoneStandard(), back, daylight, standard))
    if into is not None:
        made.add_component(_observance(TimezoneDaylight(), into, standard, daylight))
    return made


def _observance(made: Any, change: Changes | None, before: timedelta, after: timedelta) -> Any:
    """STANDARD or DAYLIGHT, from the year 1601 on as Exchange writes it."""
    month, weekday, place, clock = change or (1, 0, 1, datetime.min.time())
    made.add("dtstart", datetime.combine(date(1601, 1, 1), clock))
    made.add("tzoffsetfrom", before if change else after)
    made.add("tzoffsetto", after)
    if change:
        day = f"{place}{CODES[weekday]}"
        made.add("rrule", vRecur({"FREQ": "YEARLY", "BYDAY": day, "BYMONTH": month}))
    return made


def mail(view: View) -> bytes:
    """A message."""
    made = EmailMessage()
    made["From"] = f"{view.item.organizer.name} <{view.item.organizer.address}>"
    made["To"] = ", ".join(one.person.address for one in view.people if one.kind == "to")
    made["Subject"] = view.subject.replace("\r", " ").replace("\n", " ")
    made["Date"] = format_datetime(moment_of(view.item.created).replace(tzinfo=UTC))
    made["Message-ID"] = f"<{view.item.key}@{view.folder.drawer.address.rpartition('@')[2]}>"
    made.set_content(view.body(text=True)["content"])
    return bytes(made)
