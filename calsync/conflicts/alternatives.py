"""Free rooms to offer to somebody whose booking was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calsync.model import Alternative, Interval, Room


def free_alternatives(
    rooms: Sequence[Room],
    busy: Mapping[str, Sequence[Interval]],
    wanted: Sequence[Interval],
    *,
    room: Room,
    seats: int | None,
    limit: int = 3,
) -> tuple[Alternative, ...]:
    """Rooms of the same building that are free at all of ``wanted`` and have enough seats.

    ``busy`` holds the busy time of each room by id; a room that it lacks is left out, because
    nothing is known of it. ``seats`` is what the person asked for; where that is unknown a
    room of at least the size of the refused one is wanted, and rooms of unknown size come
    last. The smallest that is large enough first, then same floor, then by name: large rooms
    stay free for large meetings and the order is the same on every run.
    """
    need = seats if seats is not None else room.capacity
    found: list[tuple[tuple[bool, int, bool, str, str], Room]] = []
    for other in rooms:
        if other.id == room.id or other.building != room.building or other.id not in busy:
            continue
        if need is not None and other.capacity is not None and other.capacity < need:
            continue
        if seats is not None and other.capacity is None:
            continue
        if any(taken.meets(span) for taken in busy[other.id] for span in wanted):
            continue
        size = other.capacity or 0
        rank = (other.capacity is None, size, other.floor != room.floor, other.name, other.id)
        found.append((rank, other))
    found.sort(key=lambda item: item[0])
    return tuple(
        Alternative(room_id=r.id, name=r.name, capacity=r.capacity) for _, r in found[:limit]
    )
