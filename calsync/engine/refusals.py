"""Free alternatives for everybody whose booking is refused in a plan."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from calsync.conflicts.alternatives import (
    Asked,
    allows,
    free_alternatives,
    free_times,
    looked_at,
)
from calsync.engine.calls import Call, Steps
from calsync.engine.context import Context
from calsync.errors import SideError
from calsync.mapping.booking_rules import NO_RULES, BookingRules
from calsync.mapping.expand import extent, instances
from calsync.model import Effect, Interval, Occupancy, Pair, Room, Window
from calsync.reconcile.obey import CODE

log = logging.getLogger(__name__)

#: Occurrences of a series that an alternative room must be free on, at most.
MAX_DATES = 50
#: Refusals after which something else may fit: the time is taken, or not as the room is booked.
_ANOTHER = frozenset({"room-conflict", CODE})


def with_alternatives(
    ctx: Context, pair: Pair, effects: Iterable[Effect], window: Window
) -> Steps[list[Effect]]:
    """``effects``, with the refusals among them naming what is free instead: rooms whose own rules
    allow it, and, where it was the rules of this one, other times. Where the platform cannot be
    asked for them, they name none."""
    found: list[Effect] = []
    for effect in effects:
        if effect.refusal is not None and effect.refusal.code in _ANOTHER:
            effect = yield from _with_rooms(ctx, pair, effect, window)
        found.append(effect)
    return found


def _with_rooms(ctx: Context, pair: Pair, effect: Effect, window: Window) -> Steps[Effect]:
    assert effect.refusal is not None
    wanted, local = _wanted(effect, window, pair.zone), ctx.booking.capabilities.local
    if effect.was is None or not wanted:
        return effect
    asked = _asked(ctx, effect, effect.was, wanted)
    hull = Interval(min(i.start for i in wanted), max(i.end for i in wanted))
    try:
        rooms: list[Room] = yield Call("rooms", lambda: list(ctx.booking.rooms()), local)
        room = next((r for r in rooms if r.id == pair.room_id), None)
        if room is None:
            return effect
        near = _same_building(rooms, room)
        busy: Mapping[str, list[Interval]] = yield Call(
            "busy", lambda: ctx.booking.busy(near, hull), local
        )
        rules = _rules(ctx, [*near, room.id])
        mine = rules.get(room.id, NO_RULES)
        span = looked_at(mine, asked) if effect.refusal.code == CODE else None
        own: Mapping[str, list[Interval]] = {}
        if span is not None:
            own = yield Call("busy", lambda: ctx.booking.busy([room.id], span), local)
    except SideError as error:
        log.info("no alternatives can be named: %s", error)
        return effect
    found = free_alternatives(
        rooms,
        busy,
        wanted,
        room=room,
        seats=effect.seats,
        fits=lambda other: allows(rules.get(other.id, NO_RULES), other, asked),
    )
    times = free_times(mine, own[room.id], asked, room=room) if room.id in own else ()
    return replace(effect, refusal=replace(effect.refusal, alternatives=found, times=times))


def _asked(ctx: Context, effect: Effect, was: Occupancy, wanted: list[Interval]) -> Asked:
    assert effect.refusal is not None
    series = was.recurrence
    return Asked(
        wanted=wanted,
        now=ctx.clock.now(),
        seats=effect.seats,
        all_day=was.all_day,
        endless=series is not None and series.rule.endless and not effect.refusal.dates,
    )


def _rules(ctx: Context, room_ids: list[str]) -> dict[str, BookingRules]:
    if ctx.rulebook is None:
        return {}
    return {room_id: known.rules for room_id, known in ctx.rulebook.rules(room_ids).items()}


def _same_building(rooms: Iterable[Room], room: Room) -> list[str]:
    return [r.id for r in rooms if r.building == room.building and r.id != room.id]


def _wanted(effect: Effect, window: Window, zone: str) -> list[Interval]:
    """The refused time: all of a single booking, the lost dates of a series."""
    assert effect.refusal is not None
    if effect.was is None:
        return []
    if effect.was.recurrence is None:
        first, last = extent(effect.was, zone)  # It may lie beyond the window.
        window = Window(first, last or first)
    dates = set(effect.refusal.dates)
    found = []
    for instance in instances(effect.was, window, zone):
        if not dates or instance.recurrence_id in dates:
            found.append(instance.interval)
        if len(found) >= MAX_DATES:
            break
    return found
