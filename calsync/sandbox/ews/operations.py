"""Which operation is done where."""

from __future__ import annotations

from collections.abc import Callable

from . import find, folders, items, sync
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
}
