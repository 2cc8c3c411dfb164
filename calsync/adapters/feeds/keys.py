"""Secret addresses of room feeds: one for each display, shown once, kept as a hash.

The key in an address is ``<id>-<secret>``. The id finds the row and is what logs may say; the
secret (192 random bits) is compared by its SHA-256 in constant time.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Final, Protocol

from calsync.adapters.hub import desk
from calsync.adapters.hub.repository import HubStore
from calsync.errors import UsageError
from calsync.mapping.feed_values import RoomFeed

_NO_HASH: Final = "0" * 64


class FeedStore(Protocol):
    def feeds(self) -> list[RoomFeed]: ...

    def feed(self, feed_id: str) -> RoomFeed | None: ...

    def put(self, feed: RoomFeed) -> None: ...


class FeedKeys:
    """For the command line, and for the API's door."""

    def __init__(self, store: FeedStore, hub: HubStore, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._hub = hub
        self._now = now

    def create(self, room_id: str, name: str, *, details: bool = False) -> tuple[RoomFeed, str]:
        """A new feed of a room, and its path without the ending. Raises NotFound."""
        with self._hub.read() as tx:
            desk.room(tx, room_id)
        secret = secrets.token_urlsafe(24)
        feed = RoomFeed(
            id=secrets.token_hex(4),
            room_id=room_id,
            name=name,
            secret_hash=_hash(secret),
            details=details,
            created=self._now(),
        )
        self._store.put(feed)
        return feed, f"/feeds/{room_id}/{feed.id}-{secret}"

    def list(self) -> list[RoomFeed]:
        """All, revoked ones included, oldest first."""
        return self._store.feeds()

    def revoke(self, feed_id: str) -> RoomFeed:
        """Void from the next request on. Raises UsageError for an unknown id."""
        feed = self._store.feed(feed_id)
        if feed is None:
            raise UsageError(
                "there is no feed with this id",
                where=feed_id,
                todo="See them with: calsync feeds list",
            )
        if feed.revoked is None:
            feed = replace(feed, revoked=self._now())
            self._store.put(feed)
        return feed

    def check(self, room_id: str, key: str) -> RoomFeed | None:
        """The feed behind an address; None where it is none of ours, of another room, or
        revoked."""
        feed_id, _, secret = key.partition("-")
        if not key.isascii() or not 0 < len(feed_id) <= 64:
            return None
        feed = self._store.feed(feed_id)
        # Compared even where there is no row, so that the time tells nothing about ids.
        good = hmac.compare_digest(_hash(secret), _NO_HASH if feed is None else feed.secret_hash)
        if not good or feed is None or feed.revoked is not None or feed.room_id != room_id:
            return None
        return feed


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
