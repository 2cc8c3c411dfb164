"""Free alternatives for everybody whose booking is refused in a plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from calsync.conflicts.alternatives import free_alternatives
from calsync.engine.context import Context
from calsync.mapping.expand import instances
from calsync.model import Effect, Interval, Pair, Room, Window

#: Occurrences of a series that an alternative room must be free on, at most.
MAX_DATES = 50


def with_alternatives(
    ctx: Context, pair: Pair, effects: Iterable[Effect], window: Window
) -> list[Effect]:
    """``effects``, with the refusals among them naming rooms that are free instead."""
    return [
        _with_rooms(ctx, pair, e, window)
        if e.refusal is not None and e.refusal.code == "room-conflict"
        else e
        for e in effects
    ]


def _with_rooms(ctx: Context, pair: Pair, effect: Effect, window: Window) -> Effect:
    assert effect.refusal is not None
    rooms = list(ctx.booking.rooms())
    room = next((r for r in rooms if r.id == pair.room_id), None)
    wanted = _wanted(effect, window, pair.zone)
    if room is None or not wanted:
        return effect
    hull = Interval(min(i.start for i in wanted), max(i.end for i in wanted))
    busy = ctx.booking.busy(_same_building(rooms, room), hull)
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
