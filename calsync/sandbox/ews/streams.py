"""Notifications: pull subscriptions with watermarks, and streaming ones over an open connection.

A notification says that something happened, not what. One act gives several events (the item's and
its folder's). Streaming tells only what happens while the connection is open.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..graph.render import change_key
from ..problems import Refusal, bad_request
from ..world import moment_of
from . import inbox
from .store import Folder, Store, item_id
from .xml import Markup, t
from .zones import shown

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import World
    from .call import Call

EVENTS = (
    "CopiedEvent", "CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent", "NewMailEvent",
    "FreeBusyChangedEvent",
)  # fmt: skip
# A streaming subscription that nobody listens to is gone after that time.
IDLE = timedelta(minutes=30)
MOST_EVENTS = 50


@dataclass(slots=True)
class Watched:
    """One folder under watch: up to which change it was looked at, and which items were there."""

    store: Store
    folder: Folder
    seq: int
    known: set[str]


@dataclass(slots=True)
class Subscription:
    """`events` of a pull subscription are kept under their numbers until the next one is asked."""

    id: str
    account: str
    box: Mailbox
    kinds: frozenset[str]
    watched: list[Watched]
    until: datetime
    timeout: timedelta
    streaming: bool
    events: list[tuple[str, Markup]] = field(default_factory=list)
    connected: bool = False

    def watermark(self, number: int) -> str:
        """Where a reader stands after so many events."""
        return b64encode(f"{self.id}:{number}".encode()).decode()


class Subscriptions:
    """All subscriptions of the world, those of every account."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.found: dict[str, Subscription] = {}
        self.most = 5000
        self.connections: dict[str, int] = {}

    def add(
        self,
        call: Call,
        box: Mailbox,
        places: list[tuple[Store, Folder]],
        kinds: frozenset[str],
        minutes: int | None,
    ) -> Subscription:
        """Begin one. `minutes` None: streaming."""
        self._expire()
        if sum(one.box is box for one in self.found.values()) >= self.most:
            raise Refusal(
                500,
                "ErrorExceededSubscriptionCount",
                "No more subscriptions are allowed.",
            )
        timeout = IDLE if minutes is None else timedelta(minutes=minutes)
        made = Subscription(
            id=b64encode(f"{box.address}:{self.world.request_id()}".encode()).decode(),
            account=call.account.name,
            box=box,
            kinds=kinds,
            watched=[_watch(store, folder) for store, folder in places],
            until=self.world.now() + timeout,
            timeout=timeout,
            streaming=minutes is None,
        )
        self.found[made.id] = made
        return made

    def get(self, call: Call, name: str) -> Subscription:
        """One by its id; refuses those that are gone, and those of others."""
        one = self.found.get(name)
        if one is None:
            raise Refusal(404, "ErrorSubscriptionNotFound", "The subscription was not found.")
        if one.account != call.account.name:
            raise Refusal(403, "ErrorSubscriptionAccessDenied", "The subscription is another's.")
        if one.until <= self.world.now() and not one.connected:
            del self.found[name]
            raise Refusal(404, "ErrorExpiredSubscription", "The subscription has expired.")
        return one

    def _expire(self) -> None:
        now = self.world.now()
        # A little longer, so that its owner hears that it expired.
        gone = [key for key, one in self.found.items() if one.until + IDLE <= now]
        for key in gone:
            if not self.found[key].connected:
                del self.found[key]

    def pull(self, one: Subscription, watermark: str) -> tuple[int, list[tuple[int, str, Markup]]]:
        """Events after a watermark: its number, and (number, kind, inner) of each."""
        start = _number(one, watermark)
        one.until = self.world.now() + one.timeout
        one.events += self.news(one)
        if start > len(one.events):
            raise bad_request("The watermark is invalid.", "ErrorInvalidWatermark")
        rows = one.events[start : start + MOST_EVENTS]
        return start, [(start + n + 1, kind, inner) for n, (kind, inner) in enumerate(rows)]

    def news(self, one: Subscription) -> list[tuple[str, Markup]]:
        """(kind, content) of what happened since the last look, of the kinds asked for."""
        rows: list[tuple[str, Markup]] = []
        for place in one.watched:
            if place.folder.special == "inbox":
                inbox.deliver_of(self.world, place.store)
            rows += [row for row in _changes(place) if row[0] in one.kinds]
        return rows


def _watch(store: Store, folder: Folder) -> Watched:
    return Watched(store, folder, folder.drawer.seq, set(folder.drawer.items))


def rewatch(one: Subscription) -> None:
    """Begin anew from now: what a reconnected stream tells of."""
    one.watched = [_watch(place.store, place.folder) for place in one.watched]


def _number(one: Subscription, watermark: str) -> int:
    try:
        name, _, number = b64decode(watermark, validate=True).decode().rpartition(":")
        if name == one.id:
            return int(number)
    except (binascii.Error, ValueError, UnicodeError):
        pass
    raise bad_request("The watermark is invalid.", "ErrorInvalidWatermark")


def _changes(place: Watched) -> list[tuple[str, Markup]]:
    """Every write since the last look, in its order, as events."""
    box, store, folder = place.folder.drawer, place.store, place.folder
    low = bisect_right(box.change_seqs, place.seq)
    rows: list[tuple[str, Markup]] = []
    for at in range(low, len(box.change_seqs)):
        key, stamp = box.change_keys[at], shown(moment_of(box.change_times[at]))
        dead = box.tombs.get(key)
        item = box.items.get(key) or dead
        if item is None:
            continue
        ended = dead is not None and dead.change == box.change_seqs[at]
        time = t("TimeStamp", stamp)
        ident = t("ItemId", Id=item_id(box, item), ChangeKey=change_key(box, item))
        home = _folder_id("ParentFolderId", store, folder)
        if ended:
            if key not in place.known:
                continue
            place.known.discard(key)
            rows.append(_end(place, key, time, ident, home))
        elif key in place.known:
            rows.append(("ModifiedEvent", Markup(time + ident + home)))
        else:
            place.known.add(key)
            rows.append(("CreatedEvent", Markup(time + ident + home)))
            if folder.special == "inbox":
                rows.append(("NewMailEvent", Markup(time + ident + home)))
        if folder.is_calendar:
            rows.append(("FreeBusyChangedEvent", Markup(time + ident + home)))
        rows.append(("ModifiedEvent", _folder_event(place, time)))
    place.seq = box.seq
    return rows


def _end(place: Watched, key: str, time: Markup, ident: Markup, home: Markup) -> tuple[str, Markup]:
    """Gone: moved where somebody moved it (Deleted Items too), else deleted."""
    box, store = place.folder.drawer, place.store
    target = store.moves.get((box.tag, key))
    folder = store.folders.get(target[0]) if target else None
    item = folder.drawer.items.get(target[1]) if folder is not None and target else None
    if folder is None or item is None:
        return "DeletedEvent", Markup(time + ident + home)
    new = t("ItemId", Id=item_id(folder.drawer, item), ChangeKey=change_key(folder.drawer, item))
    old = Markup(ident.replace("t:ItemId", "t:OldItemId"))
    former = _folder_id("OldParentFolderId", store, place.folder)
    return "MovedEvent", Markup(
        time + new + _folder_id("ParentFolderId", store, folder) + old + former
    )


def _folder_id(name: str, store: Store, folder: Folder) -> Markup:
    return t(name, Id=store.folder_id(folder), ChangeKey=store.folder_key(folder))


def _folder_event(place: Watched, time: Markup) -> Markup:
    store, folder = place.store, place.folder
    above = store.folders.get(folder.parent or "") or folder
    unread = sum(1 for one in folder.drawer.items.values() if one.props.get("isRead") is False)
    return Markup(
        time
        + _folder_id("FolderId", store, folder)
        + _folder_id("ParentFolderId", store, above)
        + t("UnreadCount", unread)
    )
