"""One round of ``calendarView/delta``: all pages, folded into what is there and what is hinted.

Rules of Graph, "event: delta" and "Use delta query": the window is fixed in the token for
ever; links are followed verbatim, also behind an empty page; an id may come several times, the
last wins; ``@removed`` also means "outside the window"; occurrences come slim.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from calsync.adapters.graph.errors import check
from calsync.adapters.graph.links import AllowedOrigin, is_id, user_path
from calsync.adapters.wrap.port import Call, Caller
from calsync.errors import BadAnswer, CursorExpired
from calsync.model import Window

#: Graph's largest useful page; a round that says there is still more after this many is refused.
PAGE_SIZE = 500
_MOST_PAGES = 2_000
#: A tuple: what a page calls a type may be anything, also what cannot be hashed.
_INSTANCES = ("occurrence", "exception")


@dataclass(slots=True, kw_only=True)
class Round:
    """What a round showed, by id. ``singles`` raw; ``series``: ids of masters of which any
    part was shown; ``removed``: hints; ``strange``: items without a usable id (counted only)."""

    singles: dict[str, dict[str, Any]] = field(default_factory=dict)
    series: dict[str, None] = field(default_factory=dict)
    removed: dict[str, None] = field(default_factory=dict)
    strange: int = 0
    cursor: str = ""
    full: bool = False


def read_round(
    caller: Caller,
    mailbox: str,
    cursor: str | None,
    window: Window,
    *,
    page_size: int = PAGE_SIZE,
    origin: AllowedOrigin | None = None,
) -> Round:
    """All pages since the cursor; a full round where it is None or was made for another window
    or mailbox. ``origin``: where the link that ends the round must lead. Raises CursorExpired,
    BadAnswer, ForbiddenLink, and what the caller raises."""
    resume = None if cursor is None else _resume(cursor, mailbox, window)
    found = Round(full=resume is None)
    link = resume or _first(mailbox, window)
    followed: set[str] = set()
    while link not in followed and len(followed) < _MOST_PAGES:
        followed.add(link)
        answer = caller.call(
            Call(
                method="GET",
                target=link,
                operation="delta",
                mailbox=mailbox,
                prefer=f"odata.maxpagesize={page_size}",
                repeatable=True,
            )
        )
        if link == resume and answer.status == 400:
            # An old token is answered by 40X and one of several codes ("Use delta query"). Given up
            # for nothing it costs one full round; held on to, it would close the room for good.
            raise CursorExpired("Graph does not take the resume point any more", where=mailbox)
        body = check(answer, mailbox)
        _fold(found, body.get("value"), mailbox)
        after, end = body.get("@odata.nextLink"), body.get("@odata.deltaLink")
        if isinstance(end, str) and after is None:
            if origin is not None and end != resume:
                # Now, not when it is followed: once stored, it would close the room for good.
                origin.check(end)
            found.cursor = cursor if cursor and end == resume else _cursor(mailbox, window, end)
            return found
        if not isinstance(after, str) or end is not None:
            raise BadAnswer("a page names neither or both of next and end", where=mailbox)
        link = after
    raise BadAnswer(
        f"the pages do not come to an end ({len(followed)} read)",
        where=mailbox,
        todo="calsync tries again; if it stays, report this to Microsoft",
    )


def _fold(found: Round, rows: Any, mailbox: str) -> None:
    if not isinstance(rows, list):
        raise BadAnswer("a page has no list of events", where=mailbox)
    for row in rows:
        key = row.get("id") if isinstance(row, dict) else None
        if not is_id(key):
            found.strange += 1
            continue
        if "@removed" in row:
            found.singles.pop(key, None)
            found.series.pop(key, None)
            found.removed[key] = None
            continue
        found.removed.pop(key, None)
        master, kind = row.get("seriesMasterId"), row.get("type")
        if kind == "seriesMaster":
            found.singles.pop(key, None)
            found.series[key] = None
        elif (isinstance(master, str) and master) or kind in _INSTANCES:
            if is_id(master):
                found.series[master] = None
            else:
                found.strange += 1
        else:
            found.series.pop(key, None)
            found.singles[key] = row


def _first(mailbox: str, window: Window) -> str:
    start, end = (quote(_stamp(at)) for at in (window.start, window.end))
    return f"{user_path(mailbox)}/calendarView/delta?startDateTime={start}&endDateTime={end}"


@lru_cache(maxsize=64)
def _stamp(at: datetime) -> str:
    # "+" of an offset would have to be encoded; Z needs nothing and cannot be misread.
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _cursor(mailbox: str, window: Window, link: str) -> str:
    """Opaque to the engine. Window and mailbox are in it because the link is bound to both."""
    return json.dumps(
        {"m": mailbox, "from": _stamp(window.start), "to": _stamp(window.end), "link": link},
        separators=(",", ":"),
    )


def _resume(cursor: str, mailbox: str, window: Window) -> str | None:
    """The link to go on from; None where the cursor belongs to another window or mailbox."""
    try:
        read = json.loads(cursor)
        link, span = read["link"], (read["m"], read["from"], read["to"])
    except (ValueError, KeyError, TypeError):
        raise CursorExpired("the stored resume point cannot be read", where=mailbox) from None
    if not isinstance(link, str) or not link:
        raise CursorExpired("the stored resume point cannot be read", where=mailbox)
    wanted = (mailbox, _stamp(window.start), _stamp(window.end))
    return link if span == wanted else None
