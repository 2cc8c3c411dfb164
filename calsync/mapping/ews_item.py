"""An EWS calendar item ↔ the vocabulary of a Graph event, so that one reading serves both.

Exchange keeps one calendar; Graph and EWS tell it in different words. What is read through EWS is
put into Graph's words here and read by ``event.read_event``; what is to be written is made by
``event_write`` and put into the words of EWS. An item comes as a mapping of its XML children:
text, mappings for elements with parts, lists for repeated ones (``adapters.ews.xml`` makes it).
Nothing is raised for strange values: they pass on, and the reading names them.

Facts: types.xsd of Exchange SE (CalendarItemType, RecurrenceType); EWS reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from calsync.mapping.event import TAG_PREFIX
from calsync.mapping.ews_recurrence import from_ews, to_ews
from calsync.mapping.ews_uid import uid_of

#: Names of the two extended properties as ``adapters.ews.xml`` hands them on.
TAG: Final = "calsync"
REPLACES: Final = "calsync replaces"
#: What bookings of several rooms that are one meeting have in common.
MEETING: Final = "calsync meeting"
GLOBAL_ID: Final = "CleanGlobalObjectId"

_BUSY: Final = {
    "Free": "free",
    "Tentative": "tentative",
    "Busy": "busy",
    "OOF": "oof",
    "WorkingElsewhere": "workingElsewhere",
}
_BUSY_BACK: Final = {graph: ews for ews, graph in _BUSY.items()}
_TYPES: Final = {
    "Single": "singleInstance",
    "Occurrence": "occurrence",
    "Exception": "exception",
    "RecurringMaster": "seriesMaster",
}
_ANSWERS: Final = {
    "Organizer": "organizer",
    "Tentative": "tentativelyAccepted",
    "Accept": "accepted",
    "Decline": "declined",
    "NoResponseReceived": "notResponded",
}
#: Bits of AppointmentState ([MS-OXOCAL] 2.2.1.10, PidLidAppointmentStateFlags).
_RECEIVED, _CANCELLED = 2, 4


def as_event(
    item: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The item as Graph would tell it in UTC. ``exceptions``: the changed occurrences of a master,
    read in full; those it removed stand in the master itself."""
    ids = _part(item, "ItemId")
    state = _state(item)
    event: dict[str, Any] = {
        "id": ids.get("Id"),
        "changeKey": ids.get("ChangeKey"),
        "@odata.etag": ids.get("ChangeKey"),
        "type": _TYPES.get(_text(item, "CalendarItemType"), item.get("CalendarItemType")),
        "isAllDay": _flag(item.get("IsAllDayEvent")) is True,
        "isCancelled": _flag(item.get("IsCancelled")) is True or bool(state & _CANCELLED),
        "isOrganizer": _organizes(item, state),
        "showAs": _BUSY.get(_text(item, "LegacyFreeBusyStatus"), "busy"),
        "sensitivity": _text(item, "Sensitivity").lower() or "normal",
        "responseStatus": {"response": _ANSWERS.get(_text(item, "MyResponseType"), "none")},
        "iCalUId": uid_of(item.get(GLOBAL_ID), item.get("UID")),
        "createdDateTime": item.get("DateTimeCreated"),
        "lastModifiedDateTime": item.get("LastModifiedTime"),
        "originalStartTimeZone": _part(item, "StartTimeZone").get("Id"),
        "subject": item.get("Subject"),
    }
    for graph, name in (("start", "Start"), ("end", "End")):
        event[graph] = {"dateTime": _in_utc(item.get(name)), "timeZone": None}
    if item.get("OriginalStart") is not None:
        event["originalStart"] = item["OriginalStart"]
    if isinstance(tag := item.get(TAG), str):
        event["transactionId"] = f"{TAG_PREFIX}{tag}"
    box = _part(_part(item, "Organizer"), "Mailbox")
    event["organizer"] = {
        "emailAddress": {"name": box.get("Name"), "address": box.get("EmailAddress")}
    }
    if any(name in item for name in _INVITED):
        event["attendees"] = [
            one for name, kind in _INVITED.items() for one in _invited(item.get(name), kind)
        ]
    if event["type"] == "seriesMaster":
        event["recurrence"] = from_ews(item.get("Recurrence"), event["originalStartTimeZone"])
        event["exceptionOccurrences"] = [
            *(as_event(one) for one in exceptions),
            *_removed(item.get("DeletedOccurrences")),
        ]
        event["cancelledOccurrences"] = []
    return event


#: Who was asked to come; rooms and equipment stand in a list of their own.
_INVITED: Final = {
    "RequiredAttendees": "required",
    "OptionalAttendees": "optional",
    "Resources": "resource",
}


def _invited(listed: Any, kind: str) -> list[dict[str, Any]]:
    rows = listed if isinstance(listed, list) else []
    return [
        {
            "type": kind,
            "emailAddress": {"name": "", "address": _part(row, "Mailbox").get("EmailAddress")},
            "status": {
                "response": _ANSWERS.get(_text(row, "ResponseType"), "none"),
                "time": row.get("LastResponseTime"),
            },
        }
        for row in rows
        if isinstance(row, Mapping)
    ]


def _removed(listed: Any) -> list[dict[str, Any]]:
    """Removed dates are told by the instant at which they would have begun: as cancelled
    exceptions they are read like the others, whatever zone that instant is a date in."""
    rows = listed if isinstance(listed, list) else []
    return [
        {
            "id": f"removed {row.get('Start')}",
            "type": "exception",
            "isCancelled": True,
            "originalStart": row.get("Start"),
        }
        for row in rows
        if isinstance(row, Mapping)
    ]


_OFFSET: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d", re.ASCII)


def _in_utc(text: object) -> object:
    """An xs:dateTime with an offset, by the clock of UTC; anything else as it is."""
    if not isinstance(text, str) or not _OFFSET.fullmatch(text):
        return text
    try:
        at = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return f"{at.replace(tzinfo=None).isoformat()}Z"


def exception_ids(item: Mapping[str, Any]) -> list[str]:
    """ItemIds of the changed occurrences that a master names."""
    rows = item.get("ModifiedOccurrences")
    ids = [_part(row, "ItemId").get("Id") for row in rows] if isinstance(rows, list) else []
    return [one for one in ids if isinstance(one, str) and one]


def _organizes(item: Mapping[str, Any], state: int) -> bool:
    """Whether the room may change it: it organizes the meeting, or nobody was invited at all. What
    was received from an organizer elsewhere never is the room's own, whatever else it says."""
    if state & _RECEIVED:
        return False
    said = _flag(item.get("IsOrganizer"))
    if said is not None:
        return said
    answer = _text(item, "MyResponseType")
    if answer == "Organizer":
        return True
    meeting = _flag(item.get("IsMeeting"))
    return answer in ("", "Unknown") and meeting is False


def _state(item: Mapping[str, Any]) -> int:
    text = _text(item, "AppointmentState")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _flag(value: object) -> bool | None:
    """An xs:boolean."""
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower())


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value.strip() if isinstance(value, str) else ""


def _part(item: object, name: str) -> Mapping[str, Any]:
    value = item.get(name) if isinstance(item, Mapping) else None
    return value if isinstance(value, Mapping) else {}


# --- to EWS ----------------------------------------------------------------------------------

#: A field of an item: text, or the parts of an element by name; None deletes it.
Value = str | dict[str, Any] | None
#: Members of a body that EWS has no field for, or for which calsync needs none.
_LEFT_OUT: Final = frozenset({"body", "responseRequested"})


def fields_of(body: Mapping[str, Any]) -> dict[str, Value]:
    """The members of a Graph body as fields of a calendar item, in the order in which EWS has to
    apply them: zones before the wall times that are read in them (EWS: updates apply in order).

    Raises UnsayableRecurrence for a pattern that only Graph can say.
    """
    found: dict[str, Value] = {}
    if "subject" in body:
        found["Subject"] = body["subject"] or ""
    if "sensitivity" in body:
        found["Sensitivity"] = str(body["sensitivity"]).capitalize()
    if "isReminderOn" in body:
        found["ReminderIsSet"] = _bool(body["isReminderOn"])
    if "start" in body:
        start, end = body["start"], body["end"]
        found["StartTimeZone"] = {"Id": start["timeZone"]}
        found["EndTimeZone"] = {"Id": end["timeZone"]}
        found["Start"], found["End"] = _time(start), _time(end)
        found["IsAllDayEvent"] = _bool(body["isAllDay"])
    if "showAs" in body:
        found["LegacyFreeBusyStatus"] = _BUSY_BACK[body["showAs"]]
    if "recurrence" in body:
        found["Recurrence"] = None if body["recurrence"] is None else to_ews(body["recurrence"])
    unknown = body.keys() - _LEFT_OUT - _READ
    if unknown:
        raise ValueError(f"no field of EWS for {sorted(unknown)}")
    return found


_READ: Final = frozenset(
    {"subject", "sensitivity", "isReminderOn", "start", "end", "isAllDay", "showAs", "recurrence"}
)


def _time(side: Mapping[str, Any]) -> str:
    """An instant for UTC; else a wall time, which EWS reads in the zone set beside it."""
    text = str(side["dateTime"])
    return f"{text}Z" if side["timeZone"] == "UTC" else text


def _bool(value: object) -> str:
    return "true" if value else "false"
