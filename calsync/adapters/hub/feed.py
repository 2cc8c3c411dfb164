"""The change feed: pages of what changed, in order, with tombstones; all that lives comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from calsync.adapters.hub import cursors, desk
from calsync.adapters.hub.desk import Shown
from calsync.adapters.hub.problems import ResyncRequired
from calsync.adapters.hub.repository import HubReader
from calsync.mapping.booking_values import BookingStatus, FeedEntry


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A page of the feed. ``cursor`` is set on every page, the last one too. ``listing``: this
    is still the first listing of all that lives."""

    entries: tuple[tuple[FeedEntry, Shown | None], ...]
    cursor: str
    more: bool
    listing: bool


def read_changes(
    tx: HubReader, cursor: str | None, *, room_id: str | None, limit: int
) -> ChangePage:
    """The page after ``cursor``. Raises CursorInvalid, ResyncRequired, NotFound."""
    if room_id is not None:
        desk.room(tx, room_id)
    last, horizon = tx.numbers()
    at = cursors.Cursor(last, room_id, "")
    if cursor is not None:
        at = cursors.decode(cursor, room_id)
    again = "Read /v1/changes without a cursor, and drop what is not listed"
    held = whose(tx, at.number) if at.whose else ""
    if at.number > last or (held and held != at.whose):
        raise ResyncRequired(
            "this cursor has seen changes that the feed does not hold: the bookings were restored"
            " from a backup",
            todo=again,
            restored=True,
        )
    if at.number < horizon:
        raise ResyncRequired("this cursor is older than the change feed reaches", todo=again)
    if at.after_id is not None:
        return _listing(tx, at, at.after_id, limit)
    return _feed(tx, at, last, limit)


def _listing(tx: HubReader, at: cursors.Cursor, after: str, limit: int) -> ChangePage:
    held = tx.live_page(at.room_id, after, limit + 1)
    more = len(held) > limit
    held = held[:limit]
    entries = [
        FeedEntry(
            number=b.mark,
            room_id=b.room_id,
            booking_id=b.id,
            tombstone=False,
            revision=b.revision,
            at=b.modified,
        )
        for b in held
    ]
    following = replace(at, after_id=held[-1].id if more else None)
    return _page(tx, entries, following, at, more=more, listing=True)


def _feed(tx: HubReader, at: cursors.Cursor, last: int, limit: int) -> ChangePage:
    entries = tx.feed(at.number, room_id=at.room_id, limit=limit + 1)
    more = len(entries) > limit
    entries = entries[:limit]
    # At the end of the feed the cursor moves on with the whole hub, so that a quiet room's does
    # not fall behind what is kept.
    following = replace(at, number=entries[-1].number if more else last)
    return _page(tx, entries, following, at, more=more, listing=False)


def _page(
    tx: HubReader,
    entries: Sequence[FeedEntry],
    following: cursors.Cursor,
    was: cursors.Cursor,
    *,
    more: bool,
    listing: bool,
) -> ChangePage:
    wanted = [e.booking_id for e in entries if not e.tombstone]
    held = tx.bookings(list(dict.fromkeys(wanted)))
    zones = {r.room.id: r.room.zone for r in tx.rooms()}
    shown = tuple(
        (e, Shown(b, zones.get(b.room_id, "UTC")))
        if not e.tombstone
        and (b := held.get(e.booking_id)) is not None
        and b.status is not BookingStatus.CANCELLED
        else (e, None)
        for e in entries
    )
    if following.number != was.number or not was.whose:
        following = replace(following, whose=whose(tx, following.number))
    return ChangePage(shown, cursors.encode(following), more, listing)


def whose(tx: HubReader, number: int) -> str:
    """A short mark of the change with this number; empty where it was forgotten, or never was."""
    found = tx.feed(number - 1, room_id=None, limit=1)
    if not found or found[0].number != number:
        return ""
    entry = found[0]
    said = f"{entry.booking_id}@{entry.at.timestamp():.6f}"
    return blake2b(said.encode(), digest_size=6).hexdigest()
