"""One round of SyncFolderItems: all pages since a state, folded into what changed and what went.

Rules of EWS, "Mailbox synchronization": without a state everything in the folder comes as created;
pages follow until IncludesLastItemInRange; a state is bound to its folder; a deletion carries only
an ItemId, and may be the first half of an acceptance; there is no calendar logic: single items and
masters only, of all times.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from calsync.adapters.ews import requests
from calsync.adapters.ews.box import Box
from calsync.adapters.ews.reading import instant
from calsync.adapters.ews.requests import MAX_CHANGES
from calsync.adapters.ews.xml import Element, find, id_of, local, read_item, text_of
from calsync.errors import BadAnswer, CursorExpired
from calsync.model import Window

_MOST_PAGES = 10_000


@dataclass(slots=True, kw_only=True)
class Round:
    """What a round showed, by ItemId: ``changed`` is to be read, ``removed`` are hints.
    ``strange``: items without a usable id (counted only)."""

    changed: dict[str, None] = field(default_factory=dict)
    removed: dict[str, None] = field(default_factory=dict)
    strange: int = 0
    cursor: str = ""
    full: bool = False


def read_round(box: Box, cursor: str | None, window: Window, *, page: int = MAX_CHANGES) -> Round:
    """All pages since the cursor; a full round where it is None or was made for another window or
    mailbox. Raises CursorExpired, BadAnswer, and what the caller raises."""
    resume = None if cursor is None else _resume(cursor, box.mailbox, window)
    found = Round(full=resume is None)
    state = resume or ""
    for _ in range(_MOST_PAGES):
        payload = requests.sync_items(box.place, state, page=page, times=found.full)
        (message,) = box.ask("SyncFolderItems", payload, "sync")[:1]
        answer = message.element
        _fold(found, find(answer, "m:Changes"), window)
        after = text_of(answer, "m:SyncState")
        if not after:
            raise BadAnswer("a page of changes names no state to go on from", where=box.mailbox)
        last = text_of(answer, "m:IncludesLastItemInRange").lower() in ("true", "1")
        if last:
            same = cursor is not None and after == resume
            found.cursor = cursor if same and cursor else _cursor(box.mailbox, window, after)
            return found
        if after == state:
            break
        state = after
    raise BadAnswer(
        "the pages of changes do not come to an end",
        where=box.mailbox,
        todo="calsync tries again; if it stays, look at the server's own health",
    )


def _fold(found: Round, changes: Element | None, window: Window) -> None:
    """The last word about an id wins. ReadFlagChange says nothing about a meeting."""
    for change in () if changes is None else changes:
        kind = local(change)
        if kind == "Delete":
            key = id_of(change)
            if not key:
                found.strange += 1
                continue
            found.changed.pop(key, None)
            found.removed[key] = None
        elif kind in ("Create", "Update"):
            for item in change:
                _fold_item(found, item, window)


def _fold_item(found: Round, item: Element, window: Window) -> None:
    if local(item) != "CalendarItem":
        return  # A message or a note that somebody moved here takes no room.
    key = id_of(item)
    if not key:
        found.strange += 1
        return
    found.removed.pop(key, None)
    if found.full and _outside(read_item(item), window):
        found.changed.pop(key, None)
    else:
        found.changed[key] = None


def _outside(item: dict[str, Any], window: Window) -> bool:
    """A single item that touches nothing of the window. A full round tells the whole history of a
    room; only masters, and what does not say its time, have to be read to know."""
    start, end = instant(item.get("Start")), instant(item.get("End"))
    if item.get("CalendarItemType") != "Single" or start is None or end is None:
        return False
    return start >= window.end or end < window.start or (end == window.start and start < end)


def _cursor(mailbox: str, window: Window, state: str) -> str:
    """Opaque to the engine. Window and mailbox are in it: the state is bound to the mailbox, and a
    full round keeps to the window."""
    return json.dumps(
        {"m": mailbox, "from": _stamp(window.start), "to": _stamp(window.end), "state": state},
        separators=(",", ":"),
    )


def _resume(cursor: str, mailbox: str, window: Window) -> str | None:
    """The state to go on from; None where the cursor belongs to another window or mailbox."""
    try:
        read = json.loads(cursor)
        state, span = read["state"], (read["m"], read["from"], read["to"])
    except (ValueError, KeyError, TypeError):
        raise CursorExpired("the stored resume point cannot be read", where=mailbox) from None
    if not isinstance(state, str) or not state:
        raise CursorExpired("the stored resume point cannot be read", where=mailbox)
    wanted = (mailbox, _stamp(window.start), _stamp(window.end))
    return state if span == wanted else None


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
