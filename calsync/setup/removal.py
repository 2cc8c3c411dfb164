"""Taking back what calsync itself wrote for a room: events it made in Outlook, and bookings it made
on the platform. What people made stays, on either side.

It is done after the room was unmapped for good, so that no cycle sees an item vanish and carries
that over, and so that nobody's booking is taken for deleted when the room is mapped again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from calsync.errors import SideError
from calsync.model import (
    Done,
    Effect,
    EffectKind,
    Gone,
    Link,
    Outcome,
    Pair,
    Presence,
    Seen,
    Side,
    is_theirs,
)
from calsync.pacing import chunks
from calsync.ports import SyncSide

if TYPE_CHECKING:
    from calsync.bootstrap import System

_READ, _WRITE = 100, 20
_KINDS = {Side.CALENDAR: EffectKind.DELETE_EVENT, Side.BOOKING: EffectKind.DELETE_BOOKING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """An item that calsync wrote, as it is now."""

    link: Link
    side: Side
    seen: Seen


@dataclass(slots=True, kw_only=True)
class Removed:
    """``done``: how many are gone; ``left``: those that are not, each with why."""

    done: int = 0
    left: list[tuple[Ours, str]] = field(default_factory=list)


def find_ours(system: System, pair: Pair) -> list[Ours]:
    """What calsync wrote for the pair and is still there: it bears our tag, on the side where it
    was not born. Meetings in people's calendars are theirs, and stay. Raises SideError where that
    cannot be read."""
    found: list[Ours] = []
    links = system.home.store.links(pair.id)
    for side in (Side.CALENDAR, Side.BOOKING):
        port = _port(system, pair, side)
        mine = {
            key: link
            for link in links
            if link.origin is side.other
            and (half := link.half(side)).presence in (Presence.PRESENT, Presence.UNKNOWN)
            and (key := half.key) is not None
            and not is_theirs(key)
        }
        for part in chunks(list(mine), _READ):
            for seen in port.read(pair, part):
                if isinstance(seen, Seen) and seen.owned and _is_ours(port, pair, mine, seen):
                    found.append(Ours(link=mine[seen.key], side=side, seen=seen))
    return found


def _is_ours(port: SyncSide, pair: Pair, mine: dict[str, Link], seen: Seen) -> bool:
    """An item that people had made already when the room was first imported was only joined."""
    wanted = mine[seen.key].id
    if seen.tag is not None:
        return seen.tag == wanted
    there = port.find(pair, [wanted]).get(wanted)
    return isinstance(there, Seen) and there.key == seen.key


def remove(
    system: System, pair: Pair, items: Sequence[Ours], told: Callable[[int], None] = lambda _: None
) -> Removed:
    """Delete them, a few at a time; ``told`` hears how many are done. The pair must be retired.

    One that changed meanwhile is left, and so is one that cannot be deleted just now.
    """
    result = Removed()
    for side in (Side.CALENDAR, Side.BOOKING):
        for part in chunks([one for one in items if one.side is side], _WRITE):
            for one, why in zip(part, _delete(system, pair, side, part), strict=True):
                if why:
                    result.left.append((one, why))
                else:
                    result.done += 1
            told(result.done)
    return result


def _delete(system: System, pair: Pair, side: Side, items: Sequence[Ours]) -> list[str]:
    """Why each is still there; empty where it is gone."""
    effects = [
        Effect(
            id=f"{one.link.id}:unmap",
            kind=_KINDS[side],
            link_id=one.link.id,
            revision=one.link.revision,
            why="the room was unmapped",
            key=one.seen.key,
            version=one.seen.version,
            was=one.seen.occupancy,
            owned=one.seen.owned,
        )
        for one in items
    ]
    try:
        outcomes = _port(system, pair, side).apply(pair, effects)
    except SideError as error:
        return [error.what for _ in items]
    return [_why(outcome) for outcome in outcomes]


def _why(outcome: Outcome) -> str:
    match outcome:
        case Done(now=Gone()):
            return ""
        case _ if reason := getattr(outcome, "reason", ""):
            return str(reason)
        case _:
            return "it changed meanwhile"


def _port(system: System, pair: Pair, side: Side) -> SyncSide:
    context = system.context
    return context.booking if side is Side.BOOKING else context.calendar(pair)
