"""Events as Graph answers them (member names and order follow the samples of event-get)."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..items import Attendee, Instance, Item, Person, When, stamp, whole
from ..recurrence import show
from ..zones import UTC_ZONE, Zone

if TYPE_CHECKING:
    from ..mailbox import Mailbox

NEVER = "0001-01-01T00:00:00Z"
PLAIN: dict[str, Any] = {
    "categories": [],
    "reminderMinutesBeforeStart": 15,
    "isReminderOn": True,
    "hasAttachments": False,
    "subject": "",
    "importance": "normal",
    "sensitivity": "normal",
    "responseRequested": True,
    "showAs": "busy",
    "isOnlineMeeting": False,
    "onlineMeetingProvider": "unknown",
    "allowNewTimeProposals": True,
    "isDraft": False,
    "hideAttendees": False,
    "onlineMeeting": None,
}
EMPTY_LOCATION = {
    "displayName": "",
    "locationType": "default",
    "uniqueIdType": "unknown",
    "address": {},
    "coordinates": {},
}
EMPTY_BODY = {"contentType": "html", "content": ""}
_TAGS = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Style:
    """How the caller wants events shown."""

    zone: Zone = UTC_ZONE
    text: bool = False
    immutable: bool = False
    floats: bool = True
    # Members of the beta metadata: uid, occurrenceId.
    beta: bool = False
    # Switches all_day_series_say_utc and original_start_in_asked_zone.
    days_say_utc: bool = False
    offsets: bool = False


DEFAULT = Style()


def etag(box: Mailbox, item: Item) -> str:
    """W/"changeKey"."""
    return f'W/"{change_key(box, item)}"'


def change_key(box: Mailbox, item: Item) -> str:
    """New at every write of the item; instances share that of their series."""
    return b64encode(bytes.fromhex(box.tag) + item.change.to_bytes(6, "big")).decode()


def moment(value: datetime) -> str:
    """Seven fractional digits, no offset."""
    return f"{value.isoformat(timespec='seconds')}.{value.microsecond:06d}0"


def times(slot: When, style: Style) -> tuple[dict[str, str], dict[str, str]]:
    """start and end in the asked zone. An all-day event keeps its dates (switch all_day_floats)."""
    if slot.all_day and style.floats:
        start, end = slot.start, slot.end
    elif slot.all_day:
        # Or the midnights of the zone it was made in.
        start = style.zone.to_wall(slot.start_zone.to_utc(slot.start))
        end = style.zone.to_wall(slot.end_zone.to_utc(slot.end))
    else:
        start, end = style.zone.to_wall(slot.start_utc), style.zone.to_wall(slot.end_utc)
    label = style.zone.label
    return {"dateTime": moment(start), "timeZone": label}, {
        "dateTime": moment(end),
        "timeZone": label,
    }


def recipient(person: Person) -> dict[str, Any]:
    """A recipient."""
    return {"emailAddress": {"name": person.name, "address": person.address}}


def _attendee(one: Attendee) -> dict[str, Any]:
    status = {"response": one.response, "time": stamp(one.at) if one.at else NEVER}
    return {"type": one.kind, "status": status, **recipient(one.person)}


def occurrence_uid(uid: str, found: Instance) -> str:
    """Each instance has an iCalUId of its own: the global object id with its date field filled."""
    if found.day is None:
        return uid
    day = f"{found.day.year:04X}{found.day.month:02X}{found.day.day:02X}"
    if uid.startswith("040000008200E00074C5B7101A82E008") and len(uid) >= 80:
        return uid[:32] + day + uid[40:]
    # A foreign UID is wrapped behind the marker vCal-Uid ([MS-OXOCAL] PidLidGlobalObjectId).
    blob = b"vCal-Uid\x01\x00\x00\x00" + uid.encode() + b"\x00"
    head = f"040000008200E00074C5B7101A82E008{day}{'0' * 32}"
    return head + len(blob).to_bytes(4, "little").hex().upper() + blob.hex().upper()


def event(box: Mailbox, found: Instance, style: Style) -> dict[str, Any]:
    """The full event, without expanded members. The caller must not change it: it is kept."""
    key = (found.day, style)
    kept = found.item.cache.get(key)
    if kept is None:
        kept = _event(box, found, style)
        found.item.cache[key] = kept
    return dict(kept)


def _event(box: Mailbox, found: Instance, style: Style) -> dict[str, Any]:
    item, changed, slot = found.item, found.override, found.when
    props = {**PLAIN, **item.props}
    if changed is not None:
        props.update(changed.props)
    mark = change_key(box, item)
    own_id = box.id_of(item, found.day, immutable=style.immutable)
    start, end = times(slot, style)
    days = style.days_say_utc and item.when.all_day and item.rule is not None
    body = shown_body(props.get("body"), text=style.text)
    location = props.get("location") or EMPTY_LOCATION
    response = changed.response if changed and changed.response else item.response
    people = changed.attendees if changed and changed.attendees is not None else item.attendees
    cancelled = item.is_cancelled or bool(changed and changed.is_cancelled)
    shown: dict[str, Any] = {
        "@odata.etag": f'W/"{mark}"',
        "id": own_id,
        "createdDateTime": stamp(item.created),
        "lastModifiedDateTime": stamp(item.modified),
        "changeKey": mark,
        "categories": props["categories"],
        "transactionId": item.transaction_id,
        "originalStartTimeZone": "UTC" if days else slot.start_zone.label,
        "originalEndTimeZone": "UTC" if days else slot.end_zone.label,
        "iCalUId": occurrence_uid(item.uid, found),
        "reminderMinutesBeforeStart": props["reminderMinutesBeforeStart"],
        "isReminderOn": props["isReminderOn"],
        "hasAttachments": props["hasAttachments"],
        "subject": props["subject"],
        "bodyPreview": plain_text(body["content"])[:255],
        "importance": props["importance"],
        "sensitivity": props["sensitivity"],
        "isAllDay": slot.all_day,
        "isCancelled": cancelled,
        "isOrganizer": item.own,
        "responseRequested": props["responseRequested"],
        "seriesMasterId": None if found.day is None else box.id_of(item, immutable=style.immutable),
        "showAs": props["showAs"],
        "type": found.kind,
        "webLink": f"https://outlook.office365.com/owa/?itemid={quote(own_id)}&exvsurl=1&path=/calendar/item",
        "onlineMeetingUrl": None,
        "isOnlineMeeting": props["isOnlineMeeting"],
        "onlineMeetingProvider": props["onlineMeetingProvider"],
        "allowNewTimeProposals": props["allowNewTimeProposals"],
        "isDraft": props["isDraft"],
        "hideAttendees": props["hideAttendees"],
        "responseStatus": {
            "response": response[0],
            "time": stamp(response[1]) if response[1] else NEVER,
        },
        "body": body,
        "start": start,
        "end": end,
        "location": location,
        "locations": props.get("locations")
        or ([location] if location is not EMPTY_LOCATION else []),
        "recurrence": show(item.rule, "UTC" if days else item.when.start_zone.label)
        if item.rule and found.day is None
        else None,
        "attendees": [_attendee(one) for one in people],
        "organizer": recipient(item.organizer),
        "onlineMeeting": props["onlineMeeting"],
    }
    if style.beta:
        shown["uid"] = item.uid
        shown["occurrenceId"] = (
            None if found.day is None else occurrence_id(box, item, found.day, style)
        )
    if found.day is not None:
        shown["originalStart"] = original_start(found, style)
    return shown


def original_start(found: Instance, style: Style = DEFAULT) -> str:
    """The slot an instance was generated for, a UTC timestamp."""
    base, day = found.item.when, found.day or found.item.when.start.date()
    zone = base.days_in if style.days_say_utc and base.days_in else base.start_zone
    slot = zone.to_utc(datetime.combine(day, base.start.time()))
    if style.offsets and style.zone != UTC_ZONE:
        return slot.replace(tzinfo=UTC).astimezone(style.zone.rules).isoformat()
    return slot.isoformat() + "Z"


def slim(box: Mailbox, found: Instance, style: Style) -> dict[str, Any]:
    """An occurrence in delta: these members and no others (microsoft-graph-docs #7632)."""
    start, end = times(found.when, style)
    return {
        "@odata.type": "#microsoft.graph.event",
        "@odata.etag": etag(box, found.item),
        "id": box.id_of(found.item, found.day, immutable=style.immutable),
        "seriesMasterId": box.id_of(found.item, immutable=style.immutable),
        "type": "occurrence",
        "start": start,
        "end": end,
    }


def occurrence_id(box: Mailbox, item: Item, day: date, style: Style) -> str:
    """OID.{masterId}.{yyyy-mm-dd}, the date in the zone of the series."""
    return f"OID.{box.id_of(item, immutable=style.immutable)}.{day.isoformat()}"


def cancelled_occurrences(box: Mailbox, item: Item, style: Style) -> list[str]:
    """occurrenceId strings OID.{masterId}.{yyyy-mm-dd} of removed and of cancelled instances."""
    flagged = {day for day, one in item.overrides.items() if one.is_cancelled}
    return [occurrence_id(box, item, day, style) for day in sorted(item.cancelled | flagged)]


def exceptions(item: Item) -> list[Instance]:
    """Changed instances, the cancelled ones not included."""
    return [
        Instance(item, day, one.when, one)
        for day, one in sorted(item.overrides.items())
        if day not in item.cancelled and not one.is_cancelled
    ]


def master(box: Mailbox, item: Item, style: Style) -> dict[str, Any]:
    """The item itself."""
    return event(box, whole(item), style)


def shown_body(stored: dict[str, str] | None, *, text: bool) -> dict[str, str]:
    body = stored or EMPTY_BODY
    if not text:
        content = body["content"]
        if body["contentType"] == "text":
            content = html.escape(content)
        # Exchange keeps a whole document, whatever fragment was written.
        whole_document = not content or "<html" in content[:200].casefold()
        return {"contentType": "html", "content": content if whole_document else _wrapped(content)}
    return {
        "contentType": "text",
        "content": plain_text(body["content"])
        if body["contentType"] == "html"
        else body["content"],
    }


def _wrapped(content: str) -> str:
    head = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
    return f"<html>\r\n<head>\r\n{head}\r\n</head>\r\n<body>\r\n{content}\r\n</body>\r\n</html>\r\n"


def plain_text(content: str) -> str:
    return (
        html.unescape(_TAGS.sub("", content)).strip()
        if "<" in content or "&" in content
        else content.strip()
    )
