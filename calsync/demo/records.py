"""What a run is judged by: the sandbox's log, both stores at rest, the mails and the calls.

Plain values without any look at calsync's links, audit or outbox. The platform's part comes
from its public API and from the hub's own tables (its bookings, dead ones too, and its feed).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from calsync.sandbox.wishes import Instance, State


@dataclass(frozen=True, slots=True)
class Room:
    """A room with its mailbox. ``zone``: IANA. ``titles``: whether titles are carried."""

    id: str
    mailbox: str
    zone: str = "UTC"
    titles: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """One live item of one store, expanded. ``key``: its iCalUId, or its id on the platform.

    ``uid``: the platform's own note of where the item came from (an iCalUId if from Outlook).
    ``pending``: the platform has not been answered yet.
    """

    room: str
    key: str
    state: State
    uid: str = ""
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A booking in the hub's own table, dead ones included. ``refusal`` as stored, or None."""

    id: str
    room: str
    status: str
    origin: str
    uid: str
    refusal: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class FeedLine:
    """A line of the hub's change feed. ``by_sync``: calsync wrote it, not a person."""

    number: int
    at: datetime
    room: str
    booking: str
    revision: int
    by_sync: bool
    tombstone: bool = False


@dataclass(frozen=True, slots=True)
class Idle:
    """What moved while nobody acted: writes in the sandbox's log, lines of the hub's feed."""

    seconds: float = 0.0
    app_writes: int = 0
    feed_lines: int = 0


@dataclass(frozen=True, slots=True)
class Doubt:
    """From when until when (None: to the end) calsync did not know what it had written there."""

    mailbox: str
    begin: datetime
    end: datetime | None


@dataclass(slots=True, kw_only=True)
class Records:
    """Everything the judge sees. ``log``, ``mails`` and ``calls`` are the sandbox's own lines."""

    seed: int = 0
    seconds: float = 0.0
    rooms: list[Room] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    calendar: list[Image] = field(default_factory=list)
    platform: list[Image] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    feed: list[FeedLine] = field(default_factory=list)
    mails: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    throttled: int = 0
    idle: Idle = field(default_factory=Idle)
    rested: bool = True
    #: To whom calsync tells its admin that it does not know whether a notice arrived.
    flagged: list[str] = field(default_factory=list)
    #: Where calsync died, or heard nothing, over a write to a mailbox.
    doubts: list[Doubt] = field(default_factory=list)


def instant(text: str) -> datetime:
    """An aware UTC instant as logs print it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def calendar_images(room: Room, instances: Iterable[Mapping[str, Any]]) -> list[Image]:
    """Items of a resource calendar from the sandbox's dump of expanded live instances."""
    found: dict[str, State] = {}
    for one in instances:
        series = one["seriesUid"]
        slot = _second(one["originalStart"]) if series else ""
        found.setdefault(series or one["iCalUId"], {})[slot] = {
            "slot": slot,
            "start": _second(one["start"]),
            "end": _second(one["end"]),
            "allDay": bool(one["isAllDay"]),
            "showAs": one["showAs"],
            "title": one["subject"],
        }
    return [Image(room.id, uid, state) for uid, state in found.items()]


def platform_images(
    room: Room,
    occurrences: Iterable[Mapping[str, Any]],
    bookings: Iterable[Mapping[str, Any]],
) -> list[Image]:
    """Live bookings of a room from the platform's API: its occurrences, and its series view."""
    uids = {one["id"]: str(one.get("uid", "")) for one in bookings}
    found: dict[str, State] = {}
    pending: set[str] = set()
    for one in occurrences:
        slot = str(one.get("recurrenceId", ""))
        key = one["bookingId"]
        found.setdefault(key, {})[slot] = {
            "slot": slot,
            "start": _second(one["startUtc"]),
            "end": _second(one["endUtc"]),
            "allDay": bool(one["showWithoutTime"]),
            "showAs": _show_as(one),
            "title": one.get("title"),
        }
        if one["bookingStatus"] == "pending":
            pending.add(key)
    return [
        Image(room.id, key, state, uids.get(key, ""), key in pending)
        for key, state in found.items()
    ]


def _show_as(one: Mapping[str, Any]) -> str:
    if one.get("freeBusyStatus") == "free":
        return "free"
    return "tentative" if one.get("status") == "tentative" else str(one.get("showAs", "busy"))


def _second(text: str) -> str:
    return instant(text).strftime("%Y-%m-%dT%H:%M:%SZ")


def comparable(one: Instance, *, titles: bool) -> tuple[str, str, bool, str, str]:
    """The compared fields of an instance: an item is the multiset of these, slots do not count."""
    title = str(one["title"] or "") if titles else ""
    return (one["start"], one["end"], bool(one["allDay"]), str(one["showAs"]), title)


def picture(state: State, *, titles: bool) -> tuple[tuple[str, str, bool, str, str], ...]:
    """What a state shows, comparable between the stores."""
    return tuple(sorted(comparable(one, titles=titles) for one in state.values()))
