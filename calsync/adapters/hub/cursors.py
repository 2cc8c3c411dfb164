"""Cursors of the change feed: opaque to clients, readable for us.

Two kinds. ``feed``: everything after a change number. ``listing``: in the middle of the first
listing of all live bookings (by id), with the change number at which that listing began.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from calsync.adapters.hub.problems import CursorInvalid
from calsync.bounded_json import read_json


@dataclass(frozen=True, slots=True)
class Cursor:
    """``after_id`` is None for the feed; ``room_id`` None for all rooms. ``whose`` marks the change
    that had the number: after a restore the same numbers are given out a second time."""

    number: int
    room_id: str | None
    after_id: str | None = None
    whose: str = ""


def encode(cursor: Cursor) -> str:
    said = [cursor.number, cursor.room_id, cursor.after_id]
    if cursor.whose:
        said.append(cursor.whose)
    text = json.dumps(said, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str, room_id: str | None) -> Cursor:
    """Raises CursorInvalid for what ``encode`` did not make, or made for another room."""
    try:
        raw = read_json(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        # Half a surrogate pair is JSON, and nothing that a database takes.
        json.dumps(raw, ensure_ascii=False).encode()
    except (binascii.Error, ValueError):
        raw = None
    match raw:
        case [int(number), str() | None as room, str() | None as after, *more] if number >= 0 and (
            not more or (len(more) == 1 and isinstance(more[0], str))
        ):
            if room != room_id:
                raise CursorInvalid(
                    "this cursor was made for another choice of rooms",
                    todo="Send the same room parameter as before, or start without a cursor",
                )
            return Cursor(number, room, after, more[0] if more else "")
    raise CursorInvalid(
        "this is not a cursor of this feed", todo="Send a cursor as you got it, or start without"
    )
