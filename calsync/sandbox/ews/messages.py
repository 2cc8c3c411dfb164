"""What is no calendar item: mail, and meeting requests, answers and cancellations in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..items import Person, instance, whole
from ..world import moment_of
from . import attach, mimeout
from .order import CONTACT, TASK, words
from .props import BOTH, CALENDAR, WRITERS, mailbox
from .view import View
from .xml import Markup, maybe, t

if TYPE_CHECKING:
    from .props import Write


def _recipients(view: View, name: str, kinds: tuple[str, ...]) -> Markup | None:
    rows = [mailbox(one.person) for one in view.people if one.kind in kinds]
    return t(name, *rows) if rows else None


def _one(name: str, person: Person) -> Markup | None:
    return t(name, mailbox(person)) if person.address else None


def meeting_of(view: View) -> View | None:
    """The calendar item that a meeting message is about, in the same mailbox."""
    uid = view.prop("about")
    item = view.store.box.find_uid(str(uid)) if uid else None
    if item is None:
        return None
    calendar = view.store.named("calendar")
    day = view.prop("day")
    found = instance(item, day) if day is not None and item.rule is not None else whole(item)
    return View(view.call, view.store, calendar, found or whole(item))


def _associated(view: View) -> Markup | None:
    found = meeting_of(view)
    return (
        None
        if found is None
        else t("AssociatedCalendarItemId", Id=found.id, ChangeKey=found.change_key)
    )


def _of_meeting(name: str) -> Callable[[View], Markup | None]:
    """A member of the meeting, shown by its message."""

    def write(view: View) -> Markup | None:
        found = meeting_of(view)
        made = CALENDAR[name](found) if found is not None else None
        if made is None and name in ("Start", "End") and view.prop("slot"):
            return t(name, view.when(view.prop("slot")[0 if name == "Start" else 1]))
        return made

    return write


def _request_type(view: View) -> Markup:
    return t("MeetingRequestType", str(view.prop("requestType", "NewMeetingRequest")))


_ANSWER = {"accepted": "Accept", "declined": "Decline", "tentativelyAccepted": "Tentative"}

MESSAGE: dict[str, Write] = {
    "Sender": lambda v: _one("Sender", v.item.organizer),
    "ToRecipients": lambda v: _recipients(v, "ToRecipients", ("to", "required")),
    "CcRecipients": lambda v: _recipients(v, "CcRecipients", ("cc", "optional")),
    "BccRecipients": lambda v: _recipients(v, "BccRecipients", ("bcc",)),
    "IsReadReceiptRequested": lambda _: t("IsReadReceiptRequested", False),
    "IsDeliveryReceiptRequested": lambda _: t("IsDeliveryReceiptRequested", False),
    "ConversationTopic": lambda v: maybe("ConversationTopic", v.subject or None),
    "From": lambda v: _one("From", v.item.organizer),
    "InternetMessageId": lambda v: t(
        "InternetMessageId", f"<{v.item.key}@{v.folder.drawer.address.rpartition('@')[2]}>"
    ),
    "IsRead": lambda v: t("IsRead", bool(v.prop("isRead", False))),
    "IsResponseRequested": lambda _: t("IsResponseRequested", False),
    "ReceivedBy": lambda v: t("ReceivedBy", mailbox(v.folder.drawer.person)),
    "ReceivedRepresenting": lambda v: t("ReceivedRepresenting", mailbox(v.folder.drawer.person)),
}
MEETING: dict[str, Write] = {
    "AssociatedCalendarItemId": _associated,
    "IsDelegated": lambda _: t("IsDelegated", False),
    "IsOutOfDate": lambda v: t("IsOutOfDate", bool(v.prop("isOutOfDate", False))),
    "HasBeenProcessed": lambda v: t("HasBeenProcessed", bool(v.prop("processed", True))),
    "ResponseType": lambda v: t("ResponseType", _ANSWER.get(str(v.prop("response")), "Unknown")),
    "UID": lambda v: maybe("UID", v.prop("about")),
    "DateTimeStamp": lambda v: t("DateTimeStamp", v.when(moment_of(v.item.created))),
    "IsOrganizer": lambda v: t("IsOrganizer", v.element == "MeetingResponse"),
}
_REQUEST = words(
    """
    IntendedFreeBusyStatus Start End OriginalStart IsAllDayEvent LegacyFreeBusyStatus Location
    IsMeeting IsCancelled IsRecurring MeetingRequestWasSent CalendarItemType MyResponseType
    Organizer RequiredAttendees OptionalAttendees Resources Duration TimeZone
    AppointmentSequenceNumber AppointmentState Recurrence FirstOccurrence LastOccurrence
    ModifiedOccurrences DeletedOccurrences StartTimeZone EndTimeZone ConferenceType
    AllowNewTimeProposal IsOnlineMeeting EnhancedLocation
    """
)


def _as_said(name: str) -> Callable[[View], Markup | None]:
    """A member of a contact, a task or a post, as it was written."""

    def write(view: View) -> Markup | None:
        found: Markup | None = view.prop("raw", {}).get(name)
        return found

    return write


_TABLES: dict[str, dict[str, Write]] = {
    "Contact": {name: _as_said(name) for name in CONTACT} | BOTH,
    "Task": {name: _as_said(name) for name in TASK} | BOTH,
    "CalendarItem": WRITERS,
    "MeetingRequest": BOTH
    | MESSAGE
    | MEETING
    | {name: _of_meeting(name) for name in _REQUEST}
    | {"MeetingRequestType": _request_type},
    "MeetingResponse": BOTH
    | MESSAGE
    | MEETING
    | {
        name: _of_meeting(name)
        for name in ("Start", "End", "Location", "Recurrence", "CalendarItemType")
    },
    "MeetingCancellation": BOTH
    | MESSAGE
    | MEETING
    | {
        name: _of_meeting(name)
        for name in ("Start", "End", "Location", "Recurrence", "CalendarItemType")
    },
    "Message": BOTH | MESSAGE,
    "Item": BOTH,
}


def writers(element: str) -> dict[str, Write]:
    """How the members of such an item are written."""
    return _TABLES.get(element, BOTH) | {"MimeContent": mimeout.write, "Attachments": attach.show}
