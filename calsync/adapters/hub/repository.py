"""What the hub needs from a database, as Protocols. ``calsync.store.hub`` keeps them;
``bootstrap`` joins the two, which never import each other.

All errors are of the family ``calsync.errors.StoreError``; nothing was changed then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from calsync.mapping.booking_values import (
    ApiToken,
    Booking,
    FeedEntry,
    StoredAnswer,
    StoredRoom,
    Taken,
)
from calsync.model import Interval


class HubReader(Protocol):
    """One state of the hub's data."""

    def rooms(self) -> list[StoredRoom]: ...

    def room(self, room_id: str) -> StoredRoom | None: ...

    def bookings(self, ids: Sequence[str]) -> Mapping[str, Booking]: ...

    def booking_by_external(self, room_id: str, external_id: str) -> Booking | None:
        """The booking that holds this id now; cancelled ones have given it up."""
        ...

    def bookings_named(self, room_id: str, external_id: str) -> list[Booking]:
        """All that have, or had last, this externalId, in any status."""
        ...

    def bookings_by_tags(self, tags: Sequence[str]) -> list[Booking]:
        """In any status; a tag belongs to at most one live booking."""
        ...

    def live_bookings(self, room_ids: Sequence[str], span: Interval) -> list[Booking]:
        """Live bookings whose extent meets ``span`` (items without length included), by start."""
        ...

    def live_page(self, room_id: str | None, after: str, limit: int) -> list[Booking]:
        """Live bookings by id, after the id ``after``."""
        ...

    def taken(self, room_ids: Sequence[str], span: Interval) -> list[Taken]:
        """What may take time of these rooms in ``span``."""
        ...

    def numbers(self) -> tuple[int, int]:
        """The last change number given out, and the horizon: the last one compacted away."""
        ...

    def feed(self, after: int, *, room_id: str | None, limit: int) -> list[FeedEntry]:
        """The change feed after a number, in order; all rooms where ``room_id`` is None."""
        ...

    def feed_by_people(self, after: int, *, room_id: str) -> list[FeedEntry]:
        """The same for one room and without sync's own writes, whole."""
        ...

    def answer(self, token_id: str, key: str) -> StoredAnswer | None: ...

    def token(self, token_id: str) -> ApiToken | None: ...

    def tokens(self) -> list[ApiToken]: ...


class HubWriter(HubReader, Protocol):
    """A transaction that holds the write lock: what it reads stays true until it ends."""

    def put_room(self, room: StoredRoom) -> None: ...

    def insert(self, bookings: Sequence[Booking]) -> None: ...

    def update(self, bookings: Sequence[Booking]) -> None:
        """What is private now is taken out of the answers that are kept about it, too."""
        ...

    def drop_titles(self, room_id: str) -> None:
        """Take the titles from the answers that are kept about this room."""
        ...

    def take_numbers(self, count: int) -> int:
        """Give out ``count`` change numbers; the first of them."""
        ...

    def record(self, entries: Sequence[FeedEntry]) -> None: ...

    def keep_answer(self, answer: StoredAnswer) -> None: ...

    def put_token(self, token: ApiToken) -> None: ...

    def compact(
        self, *, feed_before: datetime, answers_before: datetime, dead_before: datetime
    ) -> int:
        """Drop feed entries, kept answers, and bookings that ended or are no longer live, by age;
        how many rows."""
        ...

    def forget_people(self, ended_before: datetime) -> int:
        """Take names and addresses from bookings that ended before; how many."""
        ...


class HubStore(Protocol):
    def read(self) -> AbstractContextManager[HubReader]: ...

    def newest(self) -> int:
        """The newest change number, from memory: changes of this process count at once, those
        of others within a second. What idle rooms are asked by."""
        ...

    def write(self) -> AbstractContextManager[HubWriter]:
        """Committed where the block ends well, rolled back by any exception."""
        ...
