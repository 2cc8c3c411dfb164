"""Values of properties, to be compared and sorted by."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from ..problems import bad_request
from ..world import moment_of
from . import messages, tags
from .shape import Field
from .tags import Path
from .xml import Node
from .zones import instant_of, read_time

if TYPE_CHECKING:
    from ..zones import Zone
    from .view import View

Value = str | int | float | bool | datetime
# Not in the folder's table, so nothing can be searched or sorted by them.
UNSEARCHABLE = frozenset(
    {"UID", "MimeContent", "ItemId", "RequiredAttendees", "OptionalAttendees", "Resources"}
    | {"Recurrence", "FirstOccurrence", "LastOccurrence", "ModifiedOccurrences", "Attachments"}
    | {"DeletedOccurrences", "StartTimeZone", "EndTimeZone", "MeetingTimeZone", "ResponseObjects"}
    | {"Culture", "EffectiveRights", "UniqueBody", "NormalizedBody", "CalendarItemType"}
)
_TAGS = re.compile(r"<[^>]*>")


def of(view: View, path: Field | Path) -> Value | list[str] | None:
    """The value of a property of an item; None where it has none."""
    if isinstance(path, Path):
        return _tag(view, path)
    name = path.name
    if name in _TIMES:
        return _TIMES[name](view) if view.is_calendar or name not in ("Start", "End") else None
    if name == "Subject":
        return view.subject
    if name == "Body":
        return view.body(text=True)["content"]
    if name == "Size":
        return view.size
    if name == "Categories":
        return [str(one) for one in view.prop("categories") or ()]
    if name in ("Organizer", "From", "Sender"):
        return view.item.organizer.name
    write = messages.writers(view.element).get(name)
    shown = write(view) if write is not None else None
    if shown is None:
        return None
    text = html.unescape(_TAGS.sub("", shown))
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() else text


_TIMES: dict[str, Callable[[View], datetime | None]] = {
    "Start": lambda v: v.start,
    "End": lambda v: v.end,
    "DateTimeReceived": lambda v: moment_of(v.item.created),
    "DateTimeCreated": lambda v: moment_of(v.item.created),
    "DateTimeSent": lambda v: moment_of(v.item.created),
    "DateTimeStamp": lambda v: moment_of(v.item.modified),
    "LastModifiedTime": lambda v: moment_of(v.item.modified),
    "ReminderDueBy": lambda v: v.start if v.is_calendar else None,
}


def _tag(view: View, path: Path) -> Value | list[str] | None:
    text = tags.look(view, path)
    if text is None:
        return None
    if path.kind.endswith("Array"):
        import json

        return [str(one) for one in json.loads(text)]
    if path.kind in ("Integer", "Long", "Short", "Currency"):
        return int(text)
    if path.kind in ("Double", "Float", "ApplicationTime"):
        return float(text)
    if path.kind == "Boolean":
        return text == "true"
    if path.kind == "SystemTime":
        return read_time(Node("Value", ""), text)[0]
    return text


def constant(node: Node, text: str, like: Value | list[str], zone: Zone) -> Value | None:
    """A constant of a restriction, read as the property's type; None where it cannot be."""
    if isinstance(like, list):
        return text
    if isinstance(like, datetime):
        return instant_of(node, text, zone)
    try:
        if isinstance(like, bool):
            return {"true": True, "1": True, "false": False, "0": False}.get(
                text.strip().casefold()
            )
        if isinstance(like, int):
            return int(text)
        if isinstance(like, float):
            return float(text)
    except ValueError:
        return None
    return text


def check(path: Field | Path) -> None:
    """Refuse what a folder cannot be searched by (ErrorUnsupportedPathForQuery)."""
    if isinstance(path, Field) and path.name in UNSEARCHABLE:
        raise bad_request(
            f"The property {path.space}:{path.name} can't be used in a query.",
            "ErrorUnsupportedPathForQuery",
        )
