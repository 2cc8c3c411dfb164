"""MimeContent read: iCalendar, bare or inside a mail, as CalDAV gateways put it."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import replace
from datetime import date, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any

from ..events import check_boundary
from ..icsfile import Entry, File
from ..icsrule import rule_of
from ..items import Attendee, Item, Override, Person
from ..problems import Refusal, bad_request

if TYPE_CHECKING:
    from ..zones import Zone
    from .call import Call
    from .fields import Draft
    from .xml import Node

# A part that says nothing of these has them so.
PLAIN: dict[str, Any] = {
    "subject": "",
    "body": None,
    "location": None,
    "locations": [],
    "showAs": "busy",
    "sensitivity": "normal",
    "importance": "normal",
    "categories": [],
}


def read(call: Call, node: Node, draft: Draft, home: Zone) -> None:
    """A MimeContent into a draft; it says all of an item, so what it leaves out is gone."""
    raw = _raw(node)
    file = _file(_calendar(raw), home)
    groups = list(file.entries.items())
    if not groups:
        raise _invalid("There is no event in it.")
    uid, entries = groups[0]
    master = next((one for one in entries if one.recurrence_id is None), entries[0])
    draft.uid = uid
    draft.props.update(PLAIN | _props(master))
    slot = master.slot
    draft.start, draft.end = (slot.start, False), (slot.end, False)
    draft.start_zone, draft.end_zone, draft.all_day = slot.start_zone, slot.end_zone, slot.all_day
    draft.people = _people(call, master)
    draft.single = True
    if master.raw.get("RRULE") is not None:
        made, reason = rule_of(file, master)
        if made is None:
            raise bad_request(
                f"The recurrence cannot be kept: {reason}.", "ErrorMimeContentConversionFailed"
            )
        draft.rule, draft.single = made, False
        draft.days = lambda item: _with_days(item, file, master, entries)


def _raw(node: Node) -> bytes:
    try:
        return b64decode("".join(node.text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise bad_request(
            "The MIME content is no base64.", "ErrorMimeContentInvalidBase64String"
        ) from None


def read_mail(call: Call, node: Node, draft: Draft) -> dict[str, tuple[Attendee, ...]]:
    """A message: subject and body into the draft; the recipients of its three headers."""
    message = message_from_bytes(_raw(node), policy=default)
    if not message.keys():
        raise _invalid("There is no header in it.")
    draft.props["subject"] = str(message.get("Subject", ""))[:255]
    part = message.get_body(("html", "plain"))
    if part is not None:
        kind = "html" if part.get_content_type() == "text/html" else "text"
        draft.props["body"] = {"contentType": kind, "content": str(part.get_content())}
    found: dict[str, tuple[Attendee, ...]] = {}
    for kind in ("to", "cc", "bcc"):
        lines = [str(one) for one in message.get_all(kind, [])]
        people = [
            Attendee(Person(name or _name(call, address), address), kind)
            for name, address in getaddresses(lines)
            if "@" in address
        ]
        if people:
            found[kind] = tuple(people)
    return found


def _name(call: Call, address: str) -> str:
    known = call.world.box(address)
    return known.name if known is not None else address


def _invalid(message: str) -> Refusal:
    return bad_request(f"The MIME content is invalid. {message}", "ErrorMimeContentInvalid")


def _calendar(raw: bytes) -> bytes:
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].upper() == b"BEGIN:VCALENDAR":
        return raw.lstrip(b"\xef\xbb\xbf \t\r\n")
    message = message_from_bytes(raw, policy=default)
    for part in message.walk():
        if part.get_content_type() == "text/calendar":
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                return content
    raise _invalid("There is no iCalendar part.")


def _file(raw: bytes, home: Zone) -> File:
    try:
        return File(raw, home)
    except Exception as error:  # the library raises whatever it stumbles over
        raise _invalid(f"{type(error).__name__}: {error}"[:200]) from None


def _props(entry: Entry) -> dict[str, Any]:
    props = dict(entry.props)
    html = entry.raw.get("X-ALT-DESC")
    if html is not None and str(html.params.get("FMTTYPE", "")).casefold() == "text/html":
        props["body"] = {"contentType": "html", "content": str(html)}
    named = entry.raw.get("CATEGORIES")
    groups = named if isinstance(named, list) else [named] if named is not None else []
    words = [str(one) for group in groups for one in getattr(group, "cats", [])]
    if words:
        props["categories"] = list(dict.fromkeys(words))
    priority = str(entry.raw.get("PRIORITY", "0"))
    if priority.isdigit() and int(priority):
        props["importance"] = (
            "high" if int(priority) < 5 else "low" if int(priority) > 5 else "normal"
        )
    props["isReminderOn"] = False
    for alarm in entry.raw.walk("VALARM"):
        trigger = getattr(alarm.get("TRIGGER"), "dt", None)
        if isinstance(trigger, timedelta) and trigger <= timedelta(0):
            props["isReminderOn"] = True
            props["reminderMinutesBeforeStart"] = int(-trigger.total_seconds()) // 60
            break
    return props


def _people(call: Call, entry: Entry) -> dict[str, tuple[Attendee, ...]]:
    """ATTENDEE lines in the three lists of Exchange; a part without any has none."""
    found: dict[str, list[Attendee]] = {"required": [], "optional": [], "resource": []}
    said = entry.raw.get("ATTENDEE")
    for one in said if isinstance(said, list) else [said] if said is not None else []:
        address = str(one).partition(":")[2] if ":" in str(one) else str(one)
        if "@" not in address:
            continue
        params = one.params
        kind = "required"
        if str(params.get("CUTYPE", "")).upper() in ("RESOURCE", "ROOM"):
            kind = "resource"
        elif str(params.get("ROLE", "")).upper() in ("OPT-PARTICIPANT", "NON-PARTICIPANT"):
            kind = "optional"
        known = call.world.box(address)
        name = str(params.get("CN") or (known.name if known else address))
        person = Person(name, known.address if known else address)
        found[kind].append(Attendee(person, kind))
    return {kind: tuple(rows) for kind, rows in found.items()}


def _with_days(item: Item, file: File, master: Entry, entries: list[Entry]) -> Item:
    """EXDATEs and changed instances, once the series is made."""
    rule = item.rule
    if rule is None:
        return item
    gone = {day for day in file.days(master.raw, "EXDATE", master.slot) if rule.has(day)}
    changed = replace(item, cancelled=frozenset(gone), overrides={})
    for one in entries:
        if one.recurrence_id is None:
            continue
        day = _day(one, master)
        if not rule.has(day):
            continue
        if one.cancelled:
            changed = replace(changed, cancelled=changed.cancelled | {day})
            continue
        check_boundary(changed, day, one.slot)
        base = PLAIN | _props(master)
        props = {
            key: value for key, value in (PLAIN | _props(one)).items() if base.get(key) != value
        }
        changed = replace(changed, overrides={**changed.overrides, day: Override(one.slot, props)})
    return changed


def _day(entry: Entry, master: Entry) -> date:
    """The date that a RECURRENCE-ID means, in the zone of the series."""
    value, zone = entry.recurrence_id or (master.slot.start, None)
    if not isinstance(value, datetime):
        return value
    home = master.slot.start_zone
    if zone is None or zone == home or master.slot.all_day:
        return value.date()
    return home.to_wall(zone.to_utc(value)).date()
