"""Values of a calendar item as a client sends them, read and checked as Exchange does.

One reader for both ways of writing: the members of a CalendarItem in CreateItem, and one field at a
time in UpdateItem. The order of members is checked against the schema, unknown ones are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..items import Attendee, Item, Person
from ..problems import bad_request
from ..recurrence import Recurrence
from ..zones import Zone
from . import recur, tags
from .call import Call, need, one_of, schema, truth, whole
from .order import RANKS, words
from .props import SHOWN_AS
from .xml import Node
from .zones import read_definition, read_meeting_zone, read_time

SHOW_AS = {shown: name for name, shown in SHOWN_AS.items()}
# Members that Exchange makes itself.
READ_ONLY = frozenset(
    words(
        """
    ItemId ParentFolderId DateTimeReceived Size IsSubmitted IsFromMe IsResend IsUnmodified
    DateTimeSent DateTimeCreated ResponseObjects ReminderNextTime DisplayCc DisplayTo
    DisplayBcc HasAttachments EffectiveRights LastModifiedName LastModifiedTime
    WebClientReadFormQueryString WebClientEditFormQueryString ConversationId UniqueBody
    StoreEntryId InstanceKey NormalizedBody TextBody Preview RecurrenceId DateTimeStamp
    OriginalStart When IsMeeting IsCancelled IsRecurring MeetingRequestWasSent
    CalendarItemType MyResponseType Organizer ConflictingMeetingCount AdjacentMeetingCount
    ConflictingMeetings AdjacentMeetings Duration TimeZone AppointmentReplyTime
    AppointmentSequenceNumber AppointmentState FirstOccurrence LastOccurrence
    ModifiedOccurrences DeletedOccurrences StartWallClock EndWallClock StartTimeZoneId
    EndTimeZoneId JoinOnlineMeetingUrl OnlineMeetingSettings IsOrganizer
    """
    )
)
# Text without a meaning here, kept as it was said.
AS_SAID = ("InReplyTo", "MeetingWorkspaceUrl", "NetShowUrl")
LISTS = {"RequiredAttendees": "required", "OptionalAttendees": "optional", "Resources": "resource"}


@dataclass(slots=True)
class Draft:
    """What was said of an item, before it is put together. Times as they stood: value, and whether
    it is UTC already."""

    props: dict[str, Any] = field(default_factory=dict)
    start: tuple[datetime, bool] | None = None
    end: tuple[datetime, bool] | None = None
    all_day: bool | None = None
    start_zone: Zone | None = None
    end_zone: Zone | None = None
    rule: Recurrence | None = None
    single: bool = False
    people: dict[str, tuple[Attendee, ...]] = field(default_factory=dict)
    tags: dict[str, tuple[str, str]] = field(default_factory=dict)
    dropped_tags: set[str] = field(default_factory=set)
    uid: str | None = None
    item_class: str | None = None
    # What a MIME part said of single dates: applied to the item once it is made.
    days: Callable[[Item], Item] | None = None


def read_item(call: Call, node: Node, draft: Draft) -> None:
    """All members of a CalendarItem (or another item) in their order."""
    rank = RANKS.get(node.name)
    if rank is None:
        raise schema(f"The element '{node.name}' is no item.", node)
    last = -1
    for one in node.kids:
        place = rank.get(one.name)
        if place is None or place < last or (place == last and one.name != "ExtendedProperty"):
            raise schema(f"The element '{node.name}' has invalid child element '{one.name}'.", one)
        last = place
        if one.name in READ_ONLY:
            raise bad_request(
                f"Set action is invalid for property: {one.name}.",
                "ErrorInvalidPropertySet",
            )
        read_member(call, one, draft)


def read_member(call: Call, node: Node, draft: Draft) -> None:
    """One member with a new value."""
    name = node.name
    if name in LISTS:
        draft.people[LISTS[name]] = _attendees(call, node, LISTS[name])
    elif name == "ExtendedProperty":
        path, value = tags.read_property(node)
        known = tags.sets(path, value)
        if known is not None:
            draft.props.update(known)
        elif not tags.computed(path):
            draft.tags[path.key] = (path.name, value)
            draft.dropped_tags.discard(path.key)
    elif name in ("Start", "End"):
        setattr(draft, name.lower(), read_time(node, node.text))
    elif name == "IsAllDayEvent":
        draft.all_day = truth(node, node.text)
    elif name in ("StartTimeZone", "EndTimeZone"):
        setattr(
            draft, "start_zone" if name == "StartTimeZone" else "end_zone", read_definition(node)
        )
    elif name == "MeetingTimeZone":
        draft.start_zone = draft.end_zone = read_meeting_zone(node)
    elif name == "Recurrence":
        draft.rule, draft.single = recur.read(node), False
    elif name == "UID":
        draft.uid = node.text.strip() or None
    elif name == "ItemClass":
        draft.item_class = node.text.strip()
    else:
        _plain(node, draft.props)


def _plain(node: Node, props: dict[str, Any]) -> None:
    name, text = node.name, node.text
    if name == "Subject":
        if len(text) > 255:
            raise bad_request("The subject is too long.", "ErrorInvalidPropertySet")
        props["subject"] = text
    elif name == "Body":
        kind = one_of(node, node.attrs.get("BodyType", ""), ("HTML", "Text"))
        props["body"] = {"contentType": kind.lower(), "content": text}
    elif name == "Sensitivity":
        words = ("Normal", "Personal", "Private", "Confidential")
        props["sensitivity"] = one_of(node, text.strip(), words).lower()
    elif name == "Importance":
        props["importance"] = one_of(node, text.strip(), ("Low", "Normal", "High")).lower()
    elif name == "Categories":
        props["categories"] = list(dict.fromkeys(one.text for one in node.all("String")))
    elif name == "LegacyFreeBusyStatus":
        props["showAs"] = SHOW_AS[one_of(node, text.strip(), SHOW_AS)]
    elif name == "Location":
        props.update(place(text))
    elif name == "EnhancedLocation":
        props.update(place(need(node, "DisplayName").text))
    elif name == "ReminderIsSet":
        props["isReminderOn"] = truth(node, text)
    elif name == "ReminderMinutesBeforeStart":
        props["reminderMinutesBeforeStart"] = whole(node, text, 0, 2629800)
    elif name == "IsResponseRequested":
        props["responseRequested"] = truth(node, text)
    elif name == "AllowNewTimeProposal":
        props["allowNewTimeProposals"] = truth(node, text)
    elif name == "IsOnlineMeeting":
        props["isOnlineMeeting"] = truth(node, text)
    elif name == "IsRead":
        props["isRead"] = truth(node, text)
    elif name == "IsDraft":
        props["isDraft"] = truth(node, text)
    elif name in AS_SAID:
        props[f"ews {name}"] = text
    # What is left is kept nowhere: Flag, ConferenceType, InboxReminders …


def place(text: str) -> dict[str, Any]:
    """Location, as Graph keeps it."""
    if not text:
        return {"location": None, "locations": []}
    made = {
        "displayName": text,
        "locationType": "default",
        "uniqueId": text,
        "uniqueIdType": "private",
    }
    return {"location": made, "locations": [made]}


def read_mailbox(call: Call, node: Node) -> Person:
    """A t:Mailbox: by address, else by a name that the directory knows."""
    address = (node.said("EmailAddress") or "").strip()
    name = (node.said("Name") or "").strip()
    if not address:
        found = [
            box
            for box in call.tenant.boxes.values()
            if name and name.casefold() in (box.name.casefold(), box.address.casefold())
        ]
        if len(found) != 1:
            raise bad_request("At least one recipient isn't valid.", "ErrorInvalidRecipients")
        return found[0].person
    known = call.world.box(address)
    if known is not None:
        return Person(name or known.name, known.address)
    if "@" not in address:
        raise bad_request("At least one recipient isn't valid.", "ErrorInvalidRecipients")
    return Person(name or address, address)


def _attendees(call: Call, node: Node, kind: str) -> tuple[Attendee, ...]:
    people: dict[str, Attendee] = {}
    for one in node.kids:
        if one.name != "Attendee":
            raise schema(f"The element '{node.name}' has invalid child '{one.name}'.", one)
        person = read_mailbox(call, need(one, "Mailbox"))
        people.setdefault(person.address.casefold(), Attendee(person, kind))
    if not people:
        raise schema(f"The element '{node.name}' has incomplete content.", node)
    return tuple(people.values())


def merged(
    draft: Mapping[str, tuple[Attendee, ...]], old: tuple[Attendee, ...], organizer: str
) -> tuple[Attendee, ...] | None:
    """The three lists as one; None where nothing was said of any. The organizer, whom clients list
    among the attendees, is none."""
    if not draft:
        return None
    kept: dict[str, Attendee] = {}
    for kind in ("required", "optional", "resource"):
        rows = draft.get(kind)
        if rows is None:
            rows = tuple(one for one in old if one.kind == kind)
        for one in rows:
            if one.person.address.casefold() != organizer.casefold():
                kept.setdefault(one.person.address.casefold(), one)
    return tuple(kept.values())
