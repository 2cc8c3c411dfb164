"""What to offer to somebody whose booking was refused: free rooms, or other time of this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from calsync.mapping.booking_rules import BookingRules, violations
from calsync.model import Alternative, Interval, Room

#: Times are offered on the quarters of the hour, at most this far from the wanted one.
_STEP, _REACH = timedelta(minutes=15), timedelta(days=7)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants a room for, by start. ``seats``: for how many; None: not known. ``now``:
    when it is asked for, which notice and how far ahead count from."""

    wanted: Sequence[Interval]
    now: datetime
    seats: int | None = None
    all_day: bool = False
    endless: bool = False


def allows(rules: BookingRules, room: Room, asked: Asked) -> bool:
    """True where the room's own rules take such a booking."""
    return not violations(
        rules,
        asked.wanted,
        zone=room.zone,
        all_day=asked.all_day,
        endless=asked.endless,
        now=asked.now,
        seats=asked.seats,
        capacity=room.capacity,
    )


def free_alternatives(
    rooms: Sequence[Room],
    busy: Mapping[str, Sequence[Interval]],
    wanted: Sequence[Interval],
    *,
    room: Room,
    seats: int | None,
    limit: int = 3,
    fits: Callable[[Room], bool] = lambda _: True,
) -> tuple[Alternative, ...]:
    """Rooms of the same building that are free at all of ``wanted`` and have enough seats.

    ``busy`` holds the busy time of each room by id; a room that it lacks is left out, because
    nothing is known of it. ``seats`` is what the person asked for; where that is unknown a
    room of at least the size of the refused one is wanted, and rooms of unknown size come
    last. The smallest that is large enough first, then same floor, then by name: large rooms
    stay free for large meetings and the order is the same on every run. ``fits``: whether a room's
    own rules take the booking.
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
        if not fits(other):
            continue
        size = other.capacity or 0
        rank = (other.capacity is None, size, other.floor != room.floor, other.name, other.id)
        found.append((rank, other))
    found.sort(key=lambda item: item[0])
    return tuple(
        Alternative(room_id=r.id, name=r.name, capacity=r.capacity) for _, r in found[:limit]
    )


# --- another time --------------------------------------------------------------------------------


def looked_at(rules: BookingRules, asked: Asked) -> Interval | None:
    """The span in which ``free_times`` looks; None where it offers nothing: a series, or days."""
    if len(asked.wanted) != 1 or asked.all_day or asked.endless:
        return None
    start = _nearest(rules, asked) - _REACH
    return Interval(max(start, asked.now), start + 2 * _REACH + _length(rules, asked.wanted[0]))


def free_times(
    rules: BookingRules, busy: Sequence[Interval], asked: Asked, *, room: Room, limit: int = 3
) -> tuple[tuple[datetime, datetime], ...]:
    """Free time of the room itself that its rules allow, as long as what was wanted (or as they let
    it be): the nearest, by start. ``busy``: of the room, over ``looked_at``."""
    span = looked_at(rules, asked)
    if span is None:
        return ()
    length, near = _length(rules, asked.wanted[0]), _nearest(rules, asked)
    chosen: list[Interval] = []
    for steps in range(_REACH // _STEP):
        for at in sorted({near - steps * _STEP, near + steps * _STEP}):
            one = Interval(at, at + length)
            if at < span.start or any(one.meets(other) for other in (*chosen, *busy)):
                continue
            if allows(rules, room, replace(asked, wanted=[one])):
                chosen.append(one)
        if len(chosen) >= limit:
            break
    return tuple(sorted((one.start, one.end) for one in chosen[:limit]))


def _length(rules: BookingRules, wanted: Interval) -> timedelta:
    length = wanted.end - wanted.start
    if rules.shortest is not None:
        length = max(length, rules.shortest)
    return length if rules.longest is None else min(length, rules.longest)


def _nearest(rules: BookingRules, asked: Asked) -> datetime:
    """The quarter of an hour in which what was wanted begins, or that of the nearest day that is
    neither too soon nor too far ahead."""
    start, now = asked.wanted[0].start.astimezone(UTC), asked.now
    first = now + (rules.notice or timedelta(0))
    if start < first:
        start += _whole_days(first - start)
    if rules.ahead is not None and start > now + rules.ahead:
        start -= _whole_days(start - now - rules.ahead)
    return start.replace(minute=start.minute // 15 * 15, second=0, microsecond=0)


def _whole_days(time: timedelta) -> timedelta:
    """The least number of them that is no shorter."""
    return -(-time // _DAY) * _DAY
