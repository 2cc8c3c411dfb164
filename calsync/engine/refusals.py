"""Free alternatives for everybody whose booking is refused in a plan."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from calsync.conflicts.alternatives import free_alternatives
from calsync.engine.calls import Call, Steps
from calsync.engine.context import Context
from calsync.errors import SideError
from calsync.mapping.expand import instances
from calsync.model import Effect, Interval, Pair, Room, Window

log = logging.getLogger(__name__)

#: Occurrences of a series that an alternative room must be free on, at most.
MAX_DATES = 50


def with_alternatives(
    ctx: Context, pair: Pair, effects: Iterable[Effect], window: Window
) -> Steps[list[Effect]]:
    """``effects``, with the refusals among them naming rooms that are free instead. Where the
    platform cannot be asked for them, they name none."""
    found: list[Effect] = []
    for effect in effects:
        if effect.refusal is not None and effect.refusal.code == "room-conflict":
            effect = yield from _with_rooms(ctx, pair, effect, window)
        found.append(effect)
    return found


def _with_rooms(ctx: Context, pair: Pair, effect: Effect, window: Window) -> Steps[Effect]:
    assert effect.refusal is not None
    wanted, local = _wanted(effect, window, pair.zone), ctx.booking.capabilities.local
    if not wanted:
        return effect
    hull = Interval(min(i.start for i in wanted), max(i.end for i in wanted))
    try:
        rooms: list[Room] = yield Call("rooms", lambda: list(ctx.booking.rooms()), local)
        room = next((r for r in rooms if r.id == pair.room_id), None)
        if room is None:
            return effect
        names = _same_building(rooms, room)
        busy: Mapping[str, list[Interval]] = yield Call(
            "busy", lambda: ctx.booking.busy(names, hull), local
        )
    except SideError as error:
        log.info("no alternatives can be named: %s", error)
        return effect
    found = free_alternatives(rooms, busy, wanted, room=room, seats=None)
    return replace(effect, refusal=replace(effect.refusal, alternatives=found))


def _same_building(rooms: Iterable[Room], room: Room) -> list[str]:
    return [r.id for r in rooms if r.building == room.building and r.id != room.id]


def _wanted(effect: Effect, window: Window, zone: str) -> list[Interval]:
    """The refused time: all of a single booking, the lost dates of a series."""
    assert effect.refusal is not None
    if effect.was is None:
        return []
    dates = set(effect.refusal.dates)
    found = []
    for instance in instances(effect.was, window, zone):
        if not dates or instance.recurrence_id in dates:
            found.append(instance.interval)
        if len(found) >= MAX_DATES:
            break
    return found
