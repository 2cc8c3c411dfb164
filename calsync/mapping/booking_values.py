"""What the hub, the built-in booking platform, keeps: plain values, shared by its service and
its store (which never import each other)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from calsync.mapping.booking_rules import NO_RULES, BookingRules
from calsync.model import Interval, Occupancy, Person, Refusal, Room, Side
from calsync.model.rooms import NOBODY

#: Later than any booking: the end of the extent of an endless series.
FOREVER: Final = datetime(9999, 12, 31, tzinfo=UTC)


class BookingStatus(StrEnum):
    """PENDING until the calendar has it. REJECTED and CANCELLED take no time any more."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"

    @property
    def live(self) -> bool:
        return self is BookingStatus.PENDING or self is BookingStatus.CONFIRMED


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRoom:
    """A room of the hub. ``titles``: may titles be stored for it (mirrors the pair's switch).
    ``rules``: what the platform allows in it, and since when."""

    room: Room
    titles: bool = False
    revision: int = 1
    rules: BookingRules = NO_RULES
    rules_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One booking, whole, as the platform (or the calendar) said it.

    ``span``: extent in UTC, first start to last end (``FOREVER`` for an endless series).
    ``revision`` counts every visible change (the ETag); ``content_revision`` those of the
    content (sync's version). ``mark``: the change number of the last change of content, and
    ``modified`` its time. ``tag``: the link for which sync made it, by the effect ``made_by``.
    ``parts``: every suffix under which sync ever saw a part of it, where the calendar cannot
    hold it as one series; ``waiting``: those of them that are not confirmed yet. ``claimed``: when
    what a connector mirrored was made in its calendar.
    """

    id: str
    room_id: str
    content: Occupancy
    fingerprint: str
    span: Interval
    created: datetime
    modified: datetime
    status: BookingStatus = BookingStatus.PENDING
    origin: Side = Side.BOOKING
    editable: bool = True
    uid: str = ""
    person: Person = NOBODY
    seats: int | None = None
    external_id: str | None = None
    tag: str | None = None
    made_by: str = ""
    refusal: Refusal | None = None
    parts: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    revision: int = 1
    content_revision: int = 1
    mark: int = 0
    claimed: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Time that a live booking may take: a timed single's own span, or days or a series to be
    expanded (``series``)."""

    room_id: str
    span: Interval
    series: Occupancy | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One line of the change feed. ``number`` grows over the whole hub and is never reused.

    ``by_sync``: written by sync itself, which knows the outcome; its own pull leaves it out.
    """

    number: int
    room_id: str
    booking_id: str
    tombstone: bool
    revision: int
    at: datetime
    by_sync: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """The answer once given to an Idempotency-Key. ``request`` is a hash of what was asked."""

    token_id: str
    key: str
    request: str
    status: int
    headers: dict[str, str]
    body: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A bearer token of a platform. Only the SHA-256 of its secret is kept."""

    id: str
    name: str
    secret_hash: str
    scopes: frozenset[str]
    created: datetime
    revoked: datetime | None = None
