"""The form of requests around items and folders: which elements stand where, in which order.

Exchange validates every request against its schema before anything is done. Items have their own
check (fields.py); what is left are the elements around them (messages.xsd).
"""

from __future__ import annotations

from .call import schema
from .order import words
from .xml import Node

_PATHS = words("FieldURI IndexedFieldURI ExtendedFieldURI ExceptionFieldURI")
_FOLDER_IDS = words("FolderId DistinguishedFolderId")
_ITEM_IDS = words("ItemId OccurrenceItemId RecurringMasterItemId RecurringMasterItemIdRanges")
_TESTS = words(
    """
    Exists Excludes IsEqualTo IsNotEqualTo IsGreaterThan IsGreaterThanOrEqualTo IsLessThan
    IsLessThanOrEqualTo Contains Not And Or Near
    """
)

# Children in their order, each at most once.
SEQUENCES: dict[str, list[str]] = {
    name: words(text)
    for name, text in {
        "GetItem": "ItemShape ItemIds",
        "CreateItem": "SavedItemFolderId Items",
        "UpdateItem": "SavedItemFolderId ItemChanges",
        "DeleteItem": "ItemIds",
        "MoveItem": "ToFolderId ItemIds ReturnNewItemIds",
        "CopyItem": "ToFolderId ItemIds ReturnNewItemIds",
        "SendItem": "ItemIds SavedItemFolderId",
        "FindItem": "ItemShape IndexedPageItemView FractionalPageItemView "
        "SeekToConditionPageItemView CalendarView ContactsView GroupBy DistinguishedGroupBy "
        "Restriction SortOrder ParentFolderIds QueryString",
        "SyncFolderItems": "ItemShape SyncFolderId SyncState Ignore MaxChangesReturned SyncScope",
        "SyncFolderHierarchy": "FolderShape SyncFolderId SyncState",
        "GetFolder": "FolderShape FolderIds",
        "FindFolder": "FolderShape IndexedPageFolderView FractionalPageFolderView Restriction "
        "ParentFolderIds",
        "CreateFolder": "ParentFolderId Folders",
        "UpdateFolder": "FolderChanges",
        "DeleteFolder": "FolderIds",
        "EmptyFolder": "FolderIds",
        "MoveFolder": "ToFolderId FolderIds",
        "MarkAllItemsAsRead": "ReadFlag SuppressReadReceipts FolderIds",
        "Subscribe": "PullSubscriptionRequest PushSubscriptionRequest StreamingSubscriptionRequest",
        "PullSubscriptionRequest": "FolderIds EventTypes Watermark Timeout",
        "StreamingSubscriptionRequest": "FolderIds EventTypes",
        "Unsubscribe": "SubscriptionId",
        "GetEvents": "SubscriptionId Watermark",
        "GetStreamingEvents": "SubscriptionIds ConnectionTimeout",
        "GetServerTimeZones": "Ids",
        "ResolveNames": "ParentFolderIds UnresolvedEntry",
        "ExpandDL": "Mailbox",
        "GetRoomLists": "",
        "GetRooms": "RoomList",
        "ConvertId": "SourceIds",
        "GetUserConfiguration": "UserConfigurationName UserConfigurationProperties",
        "CreateAttachment": "ParentItemId Attachments",
        "GetAttachment": "AttachmentShape AttachmentIds",
        "DeleteAttachment": "AttachmentIds",
        "GetUserAvailabilityRequest": "TimeZone MailboxDataArray FreeBusyViewOptions "
        "SuggestionsViewOptions",
        "FreeBusyViewOptions": "TimeWindow MergedFreeBusyIntervalInMinutes RequestedView",
        "TimeWindow": "StartTime EndTime",
        "MailboxData": "Email AttendeeType ExcludeConflicts",
        "ItemShape": "BaseShape IncludeMimeContent BodyType UniqueBodyType NormalizedBodyType "
        "FilterHtmlContent ConvertHtmlCodePageToUTF8 InlineImageUrlTemplate BlockExternalImages "
        "AddBlankTargetToLinks MaximumBodySize AdditionalProperties",
        "FolderShape": "BaseShape AdditionalProperties",
        "ItemChange": "ItemId OccurrenceItemId RecurringMasterItemId Updates CalendarActivityData",
        "FolderChange": "FolderId DistinguishedFolderId Updates",
        "Mailbox": "Name EmailAddress Address RoutingType MailboxType ItemId OriginalDisplayName",
        "Attendee": "Mailbox ResponseType LastResponseTime ProposedStart ProposedEnd",
        "ExtendedProperty": "ExtendedFieldURI Value Values",
        "DailyRecurrence": "Interval",
        "WeeklyRecurrence": "Interval DaysOfWeek FirstDayOfWeek",
        "AbsoluteMonthlyRecurrence": "Interval DayOfMonth",
        "RelativeMonthlyRecurrence": "Interval DaysOfWeek DayOfWeekIndex",
        "AbsoluteYearlyRecurrence": "DayOfMonth Month",
        "RelativeYearlyRecurrence": "DaysOfWeek DayOfWeekIndex Month",
        "NoEndRecurrence": "StartDate",
        "EndDateRecurrence": "StartDate EndDate",
        "NumberedRecurrence": "StartDate NumberOfOccurrences",
        "RecurringDayTransition": "To TimeOffset Month DayOfWeek Occurrence",
        "RemoveItem": "ReferenceItemId",
        "ConnectingSID": "PrincipalName SID PrimarySmtpAddress SmtpAddress",
        "ExchangeImpersonation": "ConnectingSID",
    }.items()
}
_ANSWER = words(
    """
    ItemClass Sensitivity Body Attachments InternetMessageHeaders Sender ToRecipients CcRecipients
    BccRecipients IsReadReceiptRequested IsDeliveryReceiptRequested From ReferenceItemId
    ProposedStart ProposedEnd
    """
)
_REPLY = words(
    """
    Subject Body ToRecipients CcRecipients BccRecipients IsReadReceiptRequested
    IsDeliveryReceiptRequested From ReferenceItemId NewBodyContent
    """
)
for _names, _order in (
    ("ToFolderId SavedItemFolderId SyncFolderId ParentFolderId", [*_FOLDER_IDS, "AddressListId"]),
    ("AcceptItem TentativelyAcceptItem DeclineItem", _ANSWER),
    ("CancelCalendarItem ForwardItem ReplyToItem ReplyAllToItem", _REPLY),
    ("FieldURIOrConstant Contains", [*_PATHS, "Constant"]),
    ("Excludes", [*_PATHS, "Bitmask"]),
    ("Exists", _PATHS),
    ("Not Restriction", _TESTS),
    (" ".join(one for one in _TESTS if one.startswith("Is")), [*_PATHS, "FieldURIOrConstant"]),
):
    for _name in _names.split():
        SEQUENCES[_name] = _order
# Children in any number and order.
LISTS: dict[str, list[str]] = {
    "FolderIds": _FOLDER_IDS,
    "ParentFolderIds": _FOLDER_IDS,
    "ItemIds": _ITEM_IDS,
    "Ignore": ["ItemId"],
    "AdditionalProperties": _PATHS,
    "ItemChanges": ["ItemChange"],
    "FolderChanges": ["FolderChange"],
    "SortOrder": ["FieldOrder"],
    "FieldOrder": _PATHS,
    "And": _TESTS,
    "Or": _TESTS,
    "EventTypes": ["EventType"],
    "SubscriptionIds": ["SubscriptionId"],
    "Ids": ["Id"],
    "SourceIds": words("AlternateId AlternatePublicFolderId AlternatePublicFolderItemId"),
    "AttachmentIds": ["AttachmentId"],
    "MailboxDataArray": ["MailboxData"],
    "RequiredAttendees": ["Attendee"],
    "OptionalAttendees": ["Attendee"],
    "Resources": ["Attendee"],
}
# Elements that hold text and nothing else.
LEAVES = frozenset(
    words(
        """
        BaseShape IncludeMimeContent BodyType MaxChangesReturned SyncState SyncScope UnresolvedEntry
        SubscriptionId Watermark Timeout ConnectionTimeout EventType Subject Start End Location
        IsAllDayEvent LegacyFreeBusyStatus Sensitivity Importance UID EmailAddress DisplayName
        Interval DaysOfWeek DayOfMonth Month NumberOfOccurrences StartDate EndDate StartTime EndTime
        Address AttendeeType RequestedView ReadFlag ReturnNewItemIds Value String
        """
    )
)


def check(node: Node) -> None:
    """Refuse a request whose elements stand where the schema has none (ErrorSchemaValidation)."""
    for one in node.walk():
        order, many = SEQUENCES.get(one.name), LISTS.get(one.name)
        if one.name in LEAVES and one.kids:
            raise _wrong(one, one.kids[0])
        if (order is not None or many is not None) and one.text.strip():
            raise schema(f"The element '{one.name}' cannot contain text.", one)
        if order is not None:
            last = -1
            for child in one.kids:
                place = order.index(child.name) if child.name in order else -1
                if place <= last:
                    raise _wrong(one, child)
                last = place
        elif many is not None:
            for child in one.kids:
                if child.name not in many:
                    raise _wrong(one, child)


def _wrong(node: Node, child: Node) -> Exception:
    return schema(f"The element '{node.name}' has invalid child element '{child.name}'.", child)
