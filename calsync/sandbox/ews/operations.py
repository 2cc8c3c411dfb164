"""Which operation is done where."""

from __future__ import annotations

from collections.abc import Callable

from . import (
    attach,
    availability,
    configuration,
    directory,
    find,
    folders,
    ids,
    items,
    notify,
    sync,
)
from .call import Call
from .xml import Markup

OPERATIONS: dict[str, Callable[[Call], Markup]] = {
    "GetFolder": folders.get,
    "FindFolder": folders.find,
    "CreateFolder": folders.create,
    "UpdateFolder": folders.update,
    "DeleteFolder": folders.delete,
    "MoveFolder": folders.move,
    "EmptyFolder": folders.empty,
    "SyncFolderHierarchy": sync.hierarchy,
    "SyncFolderItems": sync.items,
    "FindItem": find.find,
    "GetItem": items.get,
    "CreateItem": items.create,
    "UpdateItem": items.update,
    "DeleteItem": items.delete,
    "MoveItem": items.move,
    "CopyItem": items.copy,
    "CreateAttachment": attach.create,
    "GetAttachment": attach.get,
    "DeleteAttachment": attach.delete,
    "SendItem": items.send,
    "MarkAllItemsAsRead": items.mark_read,
    "ConvertId": ids.convert,
    "GetServerTimeZones": directory.time_zones,
    "ResolveNames": directory.resolve_names,
    "ExpandDL": directory.expand,
    "GetRoomLists": directory.room_lists,
    "GetRooms": directory.rooms,
    "GetUserAvailabilityRequest": availability.get,
    "GetUserConfiguration": configuration.get,
    "GetUserOofSettingsRequest": configuration.oof,
    "GetMailTips": configuration.mail_tips,
    "GetDelegate": configuration.delegates,
    "GetInboxRules": configuration.inbox_rules,
    "GetPasswordExpirationDate": configuration.password_expires,
    "Subscribe": notify.subscribe,
    "Unsubscribe": notify.unsubscribe,
    "GetEvents": notify.get_events,
    "GetStreamingEvents": notify.get_streaming_events,
}
