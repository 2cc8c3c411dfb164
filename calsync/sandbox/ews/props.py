"""How each member of a calendar item is written."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from ..graph.render import plain_text
from ..items import Instance, Person, instance
from ..recurrence import LAST_DATE
from ..world import moment_of
from ..zones import windows_name
from . import recur
from .view import UNSENT, View, original
from .xml import Markup, maybe, t
from .zones import described, duration, meeting_zone

SHOWN_AS = {
    "free": "Free", "tentative": "Tentative", "busy": "Busy", "oof": "OOF",
    "workingElsewhere": "WorkingElsewhere", "unknown": "NoData",
}  # fmt: skip
ANSWERED = {
    "none": "Unknown", "notResponded": "NoResponseReceived", "organizer": "Organizer",
    "tentativelyAccepted": "Tentative", "accepted": "Accept", "declined": "Decline",
}  # fmt: skip
KINDS = {
    "singleInstance": "Single", "occurrence": "Occurrence", "exception": "Exception",
    "seriesMaster": "RecurringMaster",
}  # fmt: skip


def mailbox(person: Person) -> Markup:
    """t:Mailbox of a person."""
    return t(
        "Mailbox",
        t("Name", person.name) if person.name else None,
        t("EmailAddress", person.address) if person.address else None,
        t("RoutingType", "SMTP"),
        t("MailboxType", "Mailbox"),
    )


def id_element(view: View, name: str = "ItemId") -> Markup:
    """An ItemId."""
    return t(name, Id=view.id, ChangeKey=view.change_key)


Write = Callable[[View], Markup | None]


def _body(view: View) -> Markup:
    return _any_body(view, "Body", view.text)


def _any_body(view: View, name: str, text: bool | None) -> Markup:
    stored = view.prop("body")
    # Best: what it was written as, HTML where nothing was.
    plain = text if text is not None else bool(stored) and stored.get("contentType") == "text"
    body = view.body(text=plain)
    kind = "Text" if plain else "HTML"
    return t(name, body["content"], BodyType=kind)


def _attendees(view: View, name: str, kind: str) -> Markup | None:
    rows = [
        t(
            "Attendee",
            mailbox(one.person),
            t("ResponseType", ANSWERED.get(one.response, "Unknown")),
            t("LastResponseTime", view.when(moment_of(one.at))) if one.at else None,
        )
        for one in view.people
        if one.kind == kind
    ]
    if kind == "required" and rows and view.item.own:
        # Exchange lists the organizer among the attendees, first.
        organizer = view.item.organizer
        own = t("Attendee", mailbox(organizer), t("ResponseType", "Organizer"))
        if all(
            one.person.address.casefold() != organizer.address.casefold() for one in view.people
        ):
            rows.insert(0, own)
    return t(name, *rows) if rows else None


def _recurrence(view: View) -> Markup | None:
    if view.item.rule is None or view.found.day is not None:
        return None
    return recur.write(view.item.rule, view.item.when.start_zone)


def _occurrence(view: View, name: str, found: Instance) -> Markup:
    one = View(view.call, view.store, view.folder, found)
    return t(
        name,
        id_element(one),
        t("Start", view.when(one.start)),
        t("End", view.when(one.end)),
        t("OriginalStart", view.when(original(one))),
    )


def _edge(view: View, name: str, *, last: bool) -> Markup | None:
    """FirstOccurrence, LastOccurrence: the first and last that still stand."""
    item = view.item
    if item.rule is None or view.found.day is not None:
        return None
    if last:
        end = item.rule.last()
        days = item.rule.dates(item.rule.start, end)[::-1] if end is not None else []
    else:
        stop = min(item.rule.start.replace(year=min(item.rule.start.year + 3, 4500)), LAST_DATE)
        days = item.rule.dates(item.rule.start, stop)
    for day in days:
        found = instance(item, day)
        if found is not None:
            return _occurrence(view, name, found)
    return None


def _modified(view: View) -> Markup | None:
    item = view.item
    if item.rule is None or view.found.day is not None:
        return None
    rows = [
        _occurrence(view, "Occurrence", Instance(item, day, one.when, one))
        for day, one in sorted(item.overrides.items())
        if day not in item.cancelled
    ]
    return t("ModifiedOccurrences", *rows) if rows else None


def _deleted(view: View) -> Markup | None:
    item = view.item
    if item.rule is None or view.found.day is not None or not item.cancelled:
        return None
    zone = item.when.start_zone
    rows = [
        t(
            "DeletedOccurrence",
            t("Start", view.when(zone.to_utc(datetime.combine(day, item.when.start.time())))),
        )
        for day in sorted(item.cancelled)
    ]
    return t("DeletedOccurrences", *rows)


def _responses(view: View) -> Markup | None:
    """ResponseObjects: what can be done about the item."""
    names = ["ForwardItem"]
    if view.is_calendar and view.is_meeting:
        if view.is_cancelled:
            names = ["RemoveItem", "ForwardItem"]
        elif view.item.own:
            names = ["CancelCalendarItem", "ForwardItem"]
        else:
            names = ["AcceptItem", "TentativelyAcceptItem", "DeclineItem"]
            names += ["ReplyToItem", "ReplyAllToItem", "ForwardItem"]
    return t("ResponseObjects", *(t(name) for name in names))


def _enhanced(view: View) -> Markup | None:
    if view.location is None:
        return None
    address = t("PostalAddress", t("Type", "Business"), t("LocationSource", "None"))
    return t("EnhancedLocation", t("DisplayName", view.location), address)


def _strings(name: str, values: Any) -> Markup | None:
    return t(name, *(t("String", str(one)) for one in values)) if values else None


def _recipient(name: str, person: Person) -> Markup | None:
    return t(name, mailbox(person)) if person.address else None


def _recurrence_id(view: View) -> str | None:
    return view.when(original(view)) if view.found.day is not None else None


def _reminder(view: View) -> datetime:
    return view.start - timedelta(minutes=int(view.prop("reminderMinutesBeforeStart", 15)))


def _wall(view: View, *, end: bool) -> str:
    slot = view.found.when
    wall = slot.end if end else slot.start
    return wall.replace(microsecond=0).isoformat()


def _owner(view: View) -> str:
    return view.folder.drawer.name


def _beside(view: View, *, adjacent: bool) -> int:
    """How many others overlap, or end or begin where this one begins or ends."""
    start, end = view.found.when.start_utc, view.found.when.end_utc
    span = timedelta(minutes=1)
    others = [
        one
        for one in view.folder.drawer.view(start - span, end + span)
        if one.item.key != view.item.key and one.live
    ]
    if adjacent:
        return sum(one.when.end_utc == start or one.when.start_utc == end for one in others)
    return sum(one.when.start_utc < end and one.when.end_utc > start for one in others)


RIGHTS = t(
    "EffectiveRights",
    t("CreateAssociated", False),
    t("CreateContents", False),
    t("CreateHierarchy", False),
    t("Delete", True),
    t("Modify", True),
    t("Read", True),
    t("ViewPrivateItems", True),
)

BOTH: dict[str, Write] = {
    "ItemId": id_element,
    "ParentFolderId": lambda v: t(
        "ParentFolderId", Id=v.store.folder_id(v.folder), ChangeKey=v.store.folder_key(v.folder)
    ),
    "ItemClass": lambda v: t("ItemClass", v.item_class),
    "Subject": lambda v: t("Subject", v.subject[:255]) if v.subject else None,
    "Sensitivity": lambda v: t("Sensitivity", str(v.prop("sensitivity", "normal")).capitalize()),
    "Body": _body,
    "DateTimeReceived": lambda v: t("DateTimeReceived", v.when(moment_of(v.item.created))),
    "Size": lambda v: t("Size", v.size),
    "Categories": lambda v: _strings("Categories", v.prop("categories")),
    "Importance": lambda v: t("Importance", str(v.prop("importance", "normal")).capitalize()),
    "IsSubmitted": lambda _: t("IsSubmitted", False),
    "IsDraft": lambda v: t("IsDraft", bool(v.prop("isDraft", False))),
    "IsFromMe": lambda _: t("IsFromMe", False),
    "IsResend": lambda _: t("IsResend", False),
    "IsUnmodified": lambda _: t("IsUnmodified", False),
    "DateTimeSent": lambda v: t("DateTimeSent", v.when(moment_of(v.item.created))),
    "DateTimeCreated": lambda v: t("DateTimeCreated", v.when(moment_of(v.item.created))),
    "ResponseObjects": _responses,
    "DisplayCc": lambda v: t("DisplayCc", v.display("cc")),
    "DisplayTo": lambda v: t("DisplayTo", v.display("to")),
    "HasAttachments": lambda v: t("HasAttachments", bool(v.prop("hasAttachments", False))),
    "Culture": lambda _: t("Culture", "en-US"),
    "EffectiveRights": lambda _: RIGHTS,
    "LastModifiedName": lambda v: t("LastModifiedName", _owner(v)),
    "LastModifiedTime": lambda v: t("LastModifiedTime", v.when(moment_of(v.item.modified))),
    "IsAssociated": lambda _: t("IsAssociated", False),
    "WebClientReadFormQueryString": lambda v: t(
        "WebClientReadFormQueryString",
        f"{v.call.front.base}/owa/?ItemID={quote(v.id, safe='')}&exvsurl=1",
    ),
    "UniqueBody": lambda v: _any_body(v, "UniqueBody", v.text),
    "NormalizedBody": lambda v: _any_body(v, "NormalizedBody", v.text),
    "TextBody": lambda v: _any_body(v, "TextBody", text=True),
    "Flag": lambda _: t("Flag", t("FlagStatus", "NotFlagged")),
    "StoreEntryId": lambda v: t("StoreEntryId", b64encode(v.id.encode()).decode()),
    "InstanceKey": lambda v: t(
        "InstanceKey", b64encode(f"{v.item.key}{v.found.day or ''}".encode()).decode()
    ),
    "Preview": lambda v: maybe("Preview", plain_text(v.body(text=True)["content"])[:255] or None),
}
CALENDAR: dict[str, Write] = {
    "ReminderDueBy": lambda v: t("ReminderDueBy", v.when(v.start)),
    "ReminderIsSet": lambda v: t("ReminderIsSet", bool(v.prop("isReminderOn", True))),
    "ReminderNextTime": lambda v: (
        t("ReminderNextTime", v.when(_reminder(v))) if v.prop("isReminderOn", True) else None
    ),
    "ReminderMinutesBeforeStart": lambda v: t(
        "ReminderMinutesBeforeStart", str(v.prop("reminderMinutesBeforeStart", 15))
    ),
    "UID": lambda v: t("UID", v.item.uid),
    "RecurrenceId": lambda v: maybe("RecurrenceId", _recurrence_id(v)),
    "DateTimeStamp": lambda v: t("DateTimeStamp", v.when(moment_of(v.item.modified))),
    "Start": lambda v: t("Start", v.when(v.start)),
    "End": lambda v: t("End", v.when(v.end)),
    "OriginalStart": lambda v: (
        t("OriginalStart", v.when(original(v))) if v.found.day is not None else None
    ),
    "IsAllDayEvent": lambda v: t("IsAllDayEvent", v.found.when.all_day),
    "LegacyFreeBusyStatus": lambda v: t("LegacyFreeBusyStatus", SHOWN_AS[v.prop("showAs", "busy")]),
    "Location": lambda v: maybe("Location", v.location),
    "IsMeeting": lambda v: t("IsMeeting", v.is_meeting),
    "IsCancelled": lambda v: t("IsCancelled", v.is_cancelled),
    # An organizer's master says false (EWS docs, IsRecurring: known to be wrong, and so).
    "IsRecurring": lambda v: t(
        "IsRecurring", v.item.rule is not None and (v.found.day is not None or not v.item.own)
    ),
    "MeetingRequestWasSent": lambda v: t(
        "MeetingRequestWasSent", v.item.own and v.is_meeting and not v.item.props.get(UNSENT)
    ),
    "IsResponseRequested": lambda v: t(
        "IsResponseRequested", bool(v.prop("responseRequested", True))
    ),
    "CalendarItemType": lambda v: t("CalendarItemType", KINDS[v.found.kind]),
    "MyResponseType": lambda v: t("MyResponseType", ANSWERED.get(v.response[0], "Unknown")),
    "Organizer": lambda v: _recipient("Organizer", v.item.organizer),
    "RequiredAttendees": lambda v: _attendees(v, "RequiredAttendees", "required"),
    "OptionalAttendees": lambda v: _attendees(v, "OptionalAttendees", "optional"),
    "Resources": lambda v: _attendees(v, "Resources", "resource"),
    "ConflictingMeetingCount": lambda v: t("ConflictingMeetingCount", _beside(v, adjacent=False)),
    "AdjacentMeetingCount": lambda v: t("AdjacentMeetingCount", _beside(v, adjacent=True)),
    "Duration": lambda v: t("Duration", duration(v.end - v.start)),
    "TimeZone": lambda v: t("TimeZone", windows_name(v.found.when.start_zone.label)),
    "AppointmentReplyTime": lambda v: (
        t("AppointmentReplyTime", v.when(moment_of(v.response[1]))) if v.response[1] else None
    ),
    "AppointmentSequenceNumber": lambda v: t("AppointmentSequenceNumber", v.sequence),
    "AppointmentState": lambda v: t("AppointmentState", v.state),
    "Recurrence": _recurrence,
    "FirstOccurrence": lambda v: _edge(v, "FirstOccurrence", last=False),
    "LastOccurrence": lambda v: _edge(v, "LastOccurrence", last=True),
    "ModifiedOccurrences": _modified,
    "DeletedOccurrences": _deleted,
    "MeetingTimeZone": lambda v: (
        meeting_zone(v.found.when.start_zone.label) if not v.call.since("Exchange2010") else None
    ),
    "StartTimeZone": lambda v: described("StartTimeZone", v.found.when.start_zone),
    "EndTimeZone": lambda v: described("EndTimeZone", v.found.when.end_zone),
    "ConferenceType": lambda _: t("ConferenceType", 0),
    "AllowNewTimeProposal": lambda v: t(
        "AllowNewTimeProposal", bool(v.prop("allowNewTimeProposals", True))
    ),
    "IsOnlineMeeting": lambda v: t("IsOnlineMeeting", bool(v.prop("isOnlineMeeting", False))),
    "EnhancedLocation": _enhanced,
    "InReplyTo": lambda v: maybe("InReplyTo", v.prop("ews InReplyTo")),
    "MeetingWorkspaceUrl": lambda v: maybe(
        "MeetingWorkspaceUrl", v.prop("ews MeetingWorkspaceUrl")
    ),
    "NetShowUrl": lambda v: maybe("NetShowUrl", v.prop("ews NetShowUrl")),
    "StartWallClock": lambda v: t(
        "StartWallClock", v.when(v.start) if v.listed else _wall(v, end=False)
    ),
    "EndWallClock": lambda v: t("EndWallClock", v.when(v.end) if v.listed else _wall(v, end=True)),
    "StartTimeZoneId": lambda v: t("StartTimeZoneId", windows_name(v.found.when.start_zone.label)),
    "EndTimeZoneId": lambda v: t("EndTimeZoneId", windows_name(v.found.when.end_zone.label)),
    "IntendedFreeBusyStatus": lambda v: t(
        "IntendedFreeBusyStatus", SHOWN_AS[v.prop("showAs", "busy")]
    ),
    "JoinOnlineMeetingUrl": lambda v: maybe(
        "JoinOnlineMeetingUrl", (v.prop("onlineMeeting") or {}).get("joinUrl")
    ),
    "IsOrganizer": lambda v: t("IsOrganizer", v.item.own),
}
WRITERS = BOTH | CALENDAR
