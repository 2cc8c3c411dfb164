"""The requests that calsync makes, as XML that Microsoft's schema accepts, attribute for attribute.

Whoever is invited or told is never left to a default: each operation says SendToNone, or, for a
meeting in a person's calendar, that all are told (EWS: SendMeetingInvitations and its kin; left
out, the request is refused).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from calsync.adapters.ews.xml import EXTENDED, LEAVING, MADE, Element, el
from calsync.mapping.ews_item import GLOBAL_ID, MEETING, REPLACES, TAG, Value

#: Largest page of SyncFolderItems (messages.xsd, MaxSyncChangesReturnedType).
MAX_CHANGES: Final = 512
#: Items of a GetItem or CreateItem: charged one by one, and a request may run for a minute.
BATCH: Final = 20

#: What is asked of an item: compared fields, identity, and who may change it. Never the body.
_ITEM_FIELDS: Final = (
    "item:Subject",
    "item:Sensitivity",
    "item:DateTimeCreated",
    "item:LastModifiedTime",
    "calendar:UID",
    "calendar:Start",
    "calendar:End",
    "calendar:OriginalStart",
    "calendar:IsAllDayEvent",
    "calendar:LegacyFreeBusyStatus",
    "calendar:IsMeeting",
    "calendar:IsCancelled",
    "calendar:CalendarItemType",
    "calendar:MyResponseType",
    "calendar:Organizer",
    "calendar:AppointmentState",
    "calendar:Recurrence",
    "calendar:ModifiedOccurrences",
    "calendar:DeletedOccurrences",
    "calendar:StartTimeZone",
)
#: Only where the room's rules ask for how many people it is; no more than their number is kept.
_PEOPLE_FIELDS: Final = ("calendar:RequiredAttendees", "calendar:OptionalAttendees")
#: Only of meetings in people's calendars: what the room answered stands there.
_ROOM_FIELDS: Final = ("calendar:Resources",)
_EXTENDED_FIELDS: Final = (TAG, REPLACES, GLOBAL_ID)
#: By these what lies outside the window is passed over, before anything else is asked of it.
_TIME_FIELDS: Final = ("calendar:Start", "calendar:End", "calendar:CalendarItemType")

#: Field of a calendar item → its FieldURI, in the order of the schema.
_URIS: Final = {
    "Subject": "item:Subject",
    "Sensitivity": "item:Sensitivity",
    "ReminderIsSet": "item:ReminderIsSet",
    "Start": "calendar:Start",
    "End": "calendar:End",
    "IsAllDayEvent": "calendar:IsAllDayEvent",
    "LegacyFreeBusyStatus": "calendar:LegacyFreeBusyStatus",
    "Location": "calendar:Location",
    "IsResponseRequested": "calendar:IsResponseRequested",
    "Resources": "calendar:Resources",
    "Recurrence": "calendar:Recurrence",
    "StartTimeZone": "calendar:StartTimeZone",
    "EndTimeZone": "calendar:EndTimeZone",
}


def folder(mailbox: str, *, impersonated: bool, name: str = "calendar") -> Element:
    """The room's calendar: one's own while impersonating, else that of another mailbox. ``name``:
    another folder that every mailbox has."""
    made = el("t:DistinguishedFolderId", Id=name)
    if not impersonated:
        made.append(el("t:Mailbox", el("t:EmailAddress", mailbox)))
    return made


def _shape(name: str, fields: Iterable[str], extended: Iterable[str] = ()) -> Element:
    made = el(name, el("t:BaseShape", "IdOnly"))
    paths = [el("t:FieldURI", FieldURI=field) for field in fields]
    paths += [el("t:ExtendedFieldURI", **EXTENDED[one]) for one in extended]
    if paths:
        made.append(el("t:AdditionalProperties", *paths))
    return made


# --- reading ---------------------------------------------------------------------------------


def sync_items(place: Element, state: str, *, page: int, times: bool) -> Element:
    """One page of changes; everything in the folder where ``state`` is empty. ``times``: ask for
    start, end and type, too."""
    made = el(
        "m:SyncFolderItems",
        _shape("m:ItemShape", _TIME_FIELDS if times else ()),
        el("m:SyncFolderId", place),
    )
    if state:
        made.append(el("m:SyncState", state))
    made.append(el("m:MaxChangesReturned", str(page)))
    made.append(el("m:SyncScope", "NormalItems"))
    return made


def get_items(ids: Sequence[Element], *, people: bool = False, rooms: bool = False) -> Element:
    """Items in full (``item_id``, ``occurrence_id``). ``people``: with those who are invited;
    ``rooms``: and with the rooms that are."""
    fields = (*_ITEM_FIELDS, *_PEOPLE_FIELDS) if people else _ITEM_FIELDS
    fields = (*fields, *_ROOM_FIELDS) if rooms else fields
    return el(
        "m:GetItem",
        _shape("m:ItemShape", fields, _EXTENDED_FIELDS),
        el("m:ItemIds", *ids),
    )


def item_id(key: str, change_key: str = "") -> Element:
    return el("t:ItemId", Id=key, ChangeKey=change_key) if change_key else el("t:ItemId", Id=key)


def occurrence_id(master: str, index: int) -> Element:
    """The n-th date of a series, counted from 1, removed ones included."""
    return el("t:OccurrenceItemId", RecurringMasterId=master, InstanceIndex=str(index))


def find_items(
    place: Element,
    tests: Sequence[tuple[str, str]],
    *,
    limit: int,
    offset: int = 0,
    also: Sequence[str] = (),
) -> Element:
    """Ids of items of which one of these extended properties has its value. (calendar:UID cannot
    be searched for.) ``offset``: how many to pass over; ``also``: further properties to tell."""
    asked = list(dict.fromkeys((*(name for name, _ in tests), *also)))
    wanted = [
        el(
            "t:IsEqualTo",
            el("t:ExtendedFieldURI", **EXTENDED[name]),
            el("t:FieldURIOrConstant", el("t:Constant", Value=value)),
        )
        for name, value in tests
    ]
    return el(
        "m:FindItem",
        _shape("m:ItemShape", (), asked),
        el(
            "m:IndexedPageItemView",
            MaxEntriesReturned=str(limit),
            Offset=str(offset),
            BasePoint="Beginning",
        ),
        el("m:Restriction", wanted[0] if len(wanted) == 1 else el("t:Or", *wanted)),
        el("m:ParentFolderIds", place),
        Traversal="Shallow",
    )


def calendar_view(place: Element, start: datetime, end: datetime, *, limit: int) -> Element:
    """Ids of what takes place in a span (aware UTC), dates of series one by one."""
    return el(
        "m:FindItem",
        _shape("m:ItemShape", ()),
        el(
            "m:CalendarView",
            MaxEntriesReturned=str(limit),
            StartDate=f"{start:%Y-%m-%dT%H:%M:%SZ}",
            EndDate=f"{end:%Y-%m-%dT%H:%M:%SZ}",
        ),
        el("m:ParentFolderIds", place),
        Traversal="Shallow",
    )


def get_folder(place: Element) -> Element:
    """The calendar itself, and what may be done in it."""
    return el(
        "m:GetFolder",
        _shape("m:FolderShape", ("folder:EffectiveRights",)),
        el("m:FolderIds", place),
    )


def get_room_lists() -> Element:
    return el("m:GetRoomLists")


def get_rooms(address: str) -> Element:
    return el("m:GetRooms", el("m:RoomList", el("t:EmailAddress", address)))


def get_availability(mailboxes: Sequence[str], start: datetime, end: datetime) -> Element:
    """Busy times of mailboxes between two instants (aware UTC), told in UTC."""
    boxes = [
        el(
            "t:MailboxData",
            el("t:Email", el("t:Address", box)),
            el("t:AttendeeType", "Room"),
            el("t:ExcludeConflicts", "false"),
        )
        for box in mailboxes
    ]
    rule = (
        el("t:Bias", "0"),
        el("t:Time", "00:00:00"),
        el("t:DayOrder", "0"),
        el("t:Month", "0"),
        el("t:DayOfWeek", "Sunday"),
    )

    def never(name: str) -> Element:
        return el(name, *(el(f"t:{one.tag.rpartition('}')[2]}", one.text) for one in rule))

    return el(
        "m:GetUserAvailabilityRequest",
        el("t:TimeZone", el("t:Bias", "0"), never("t:StandardTime"), never("t:DaylightTime")),
        el("m:MailboxDataArray", *boxes),
        el(
            "t:FreeBusyViewOptions",
            el(
                "t:TimeWindow",
                el("t:StartTime", f"{start:%Y-%m-%dT%H:%M:%S}"),
                el("t:EndTime", f"{end:%Y-%m-%dT%H:%M:%S}"),
            ),
            el("t:RequestedView", "FreeBusy"),
        ),
    )


# --- writing ---------------------------------------------------------------------------------


def calendar_item(
    fields: Mapping[str, Value],
    *,
    tag: str = "",
    replaces: str = "",
    meeting: str = "",
    uid: str = "",
    by: str = "",
    only: str = "",
) -> Element:
    """A CalendarItem with these fields (or the one that is set: ``only``), in schema order.
    ``by``: the name of the request that makes it."""
    made = el("t:CalendarItem")
    for name in ("Subject", "Sensitivity", "ReminderIsSet"):
        _add(made, name, fields, only)
    for name, value in ((TAG, tag), (REPLACES, replaces), (MEETING, meeting), (MADE, by)):
        if value:
            made.append(
                el(
                    "t:ExtendedProperty",
                    el("t:ExtendedFieldURI", **EXTENDED[name]),
                    el("t:Value", value),
                )
            )
    if uid:
        made.append(el("t:UID", uid))
    for name in list(_URIS)[3:]:
        _add(made, name, fields, only)
    return made


def _add(made: Element, name: str, fields: Mapping[str, Value], only: str) -> None:
    value = fields.get(name)
    if value is not None and only in ("", name):
        made.append(_field(name, value))


def _field(name: str, value: str | dict[str, Any]) -> Element:
    if isinstance(value, str):
        return el(f"t:{name}", value)
    if name.endswith("TimeZone"):
        return el(f"t:{name}", **value)
    parts = [
        _field(part, one)
        for part, inner in value.items()
        for one in (inner if isinstance(inner, list) else [inner])
    ]
    return el(f"t:{name}", *parts)


def room_invited(mailbox: str) -> dict[str, Value]:
    """Fields that make an item of a person a meeting that asks the room to come."""
    return {
        "Location": mailbox,
        "IsResponseRequested": "true",
        **rooms_invited([mailbox]),
    }


def rooms_invited(mailboxes: Sequence[str]) -> dict[str, Value]:
    """The rooms that a meeting asks to come: all of them, it replaces the list."""
    rows = [{"Mailbox": {"EmailAddress": mailbox}} for mailbox in mailboxes]
    return {"Resources": {"Attendee": rows}}


def _told(tell: bool) -> str:
    return "SendToAllAndSaveCopy" if tell else "SendToNone"


def create_items(place: Element, items: Sequence[Element], *, tell: bool = False) -> Element:
    """Plain appointments in the room's own calendar: nobody is invited, nobody is mailed. ``tell``:
    meetings in a person's, of which the room is told."""
    return el(
        "m:CreateItem",
        el("m:SavedItemFolderId", place),
        el("m:Items", *items),
        SendMeetingInvitations=_told(tell),
    )


def update_item(
    key: str, change_key: str, fields: Mapping[str, Value], *, tell: bool = False
) -> Element:
    """Change these fields if the item is still at ``change_key``. ``tell``: all who are invited."""
    updates = []
    for name, value in fields.items():
        uri = el("t:FieldURI", FieldURI=_URIS[name])
        if value is None:
            updates.append(el("t:DeleteItemField", uri))
        else:
            updates.append(el("t:SetItemField", uri, calendar_item(fields, only=name)))
    return el(
        "m:UpdateItem",
        el(
            "m:ItemChanges", el("t:ItemChange", item_id(key, change_key), el("t:Updates", *updates))
        ),
        ConflictResolution="NeverOverwrite",
        SendMeetingInvitationsOrCancellations=_told(tell),
    )


def touch_item(key: str, change_key: str) -> Element:
    """Change nothing that anybody sees, if the item is still at ``change_key``. DeleteItem asks for
    no version; this is how the server itself refuses to delete what has changed."""
    uri = EXTENDED[LEAVING]
    shell = el(
        "t:CalendarItem",
        el("t:ExtendedProperty", el("t:ExtendedFieldURI", **uri), el("t:Value", "1")),
    )
    change = el("t:SetItemField", el("t:ExtendedFieldURI", **uri), shell)
    return el(
        "m:UpdateItem",
        el("m:ItemChanges", el("t:ItemChange", item_id(key, change_key), el("t:Updates", change))),
        ConflictResolution="NeverOverwrite",
        SendMeetingInvitationsOrCancellations="SendToNone",
    )


def delete_items(ids: Sequence[Element], *, recoverable: bool, tell: bool = False) -> Element:
    """``tell``: those who are invited, that it is cancelled. ``recoverable``: into Deleted Items,
    where people see it; a delegate may not do that (ErrorCannotDeleteObject), so it goes to the
    recoverable items of the mailbox."""
    return el(
        "m:DeleteItem",
        el("m:ItemIds", *ids),
        DeleteType="MoveToDeletedItems" if recoverable else "SoftDelete",
        SendMeetingCancellations=_told(tell),
    )


def decline(key: str, change_key: str, *, comment: str, tell: bool) -> Element:
    """The room's no to a meeting or to one date of it. ``tell``: mail it to the organizer."""
    said = [el("t:Body", comment, BodyType="Text")] if comment else []
    answer = el("t:DeclineItem", *said)
    reference = item_id(key, change_key)
    reference.tag = el("t:ReferenceItemId").tag
    answer.append(reference)
    return el(
        "m:CreateItem",
        el("m:Items", answer),
        MessageDisposition="SendAndSaveCopy" if tell else "SaveOnly",
    )


# --- notifications ---------------------------------------------------------------------------

#: What can happen to an item of a calendar. Free/busy changes come with one of these.
_EVENTS: Final = ("CopiedEvent", "CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent")


def subscribe(place: Element) -> Element:
    """A streaming subscription to one folder. It is never told a watermark: what was missed is for
    SyncFolderItems."""
    events = [el("t:EventType", name) for name in _EVENTS]
    return el(
        "m:Subscribe",
        el(
            "m:StreamingSubscriptionRequest",
            el("t:FolderIds", place),
            el("t:EventTypes", *events),
        ),
    )


def streaming_events(subscriptions: Sequence[str], *, minutes: int) -> Element:
    """An answer that goes on for so many minutes (1 to 30) and tells what happens meanwhile, in at
    most 200 subscriptions."""
    return el(
        "m:GetStreamingEvents",
        el("m:SubscriptionIds", *(el("t:SubscriptionId", one) for one in subscriptions)),
        el("m:ConnectionTimeout", str(minutes)),
    )
