"""Free alternatives for everybody whose booking is refused in a plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from calsync.conflicts.alternatives import (
    Asked,
    allows,
    free_alternatives,
    free_times,
    looked_at,
)
from calsync.engine.context import Context
from calsync.mapping.booking_rules import NO_RULES, BookingRules
from calsync.mapping.expand import extent, instances
from calsync.model import Effect, Interval, Occupancy, Pair, Room, Window
from calsync.reconcile.obey import CODE

#: Occurrences of a series that an alternative room must be free on, at most.
MAX_DATES = 50
#: Refusals after which something else may fit: the time is taken, or not as the room is booked.
_ANOTHER = frozenset({"room-conflict", CODE})


def with_alternatives(
    ctx: Context, pair: Pair, effects: Iterable[Effect], window: Window
) -> list[Effect]:
    """``effects``, with the refusals among them naming what is free instead: rooms whose own rules
    allow it, and, where it was the rules of this one, other times."""
    return [
        _with_rooms(ctx, pair, e, window)
        if e.refusal is not None and e.refusal.code in _ANOTHER
        else e
        for e in effects
    ]


def _with_rooms(ctx: Context, pair: Pair, effect: Effect, window: Window) -> Effect:
    assert effect.refusal is not None
    rooms = list(ctx.booking.rooms())
    room = next((r for r in rooms if r.id == pair.room_id), None)
    wanted = _wanted(effect, window, pair.zone)
    if room is None or effect.was is None or not wanted:
        return effect
    asked = _asked(ctx, effect, effect.was, wanted)
    near = _same_building(rooms, room)
    rules = _rules(ctx, [*near, room.id])
    hull = Interval(min(i.start for i in wanted), max(i.end for i in wanted))
    found = free_alternatives(
        rooms,
        ctx.booking.busy(near, hull),
        wanted,
        room=room,
        seats=effect.seats,
        fits=lambda other: allows(rules.get(other.id, NO_RULES), other, asked),
    )
    refusal = replace(effect.refusal, alternatives=found)
    mine = rules.get(room.id, NO_RULES)
    span = looked_at(mine, asked) if refusal.code == CODE else None
    if span is not None:
        busy = ctx.booking.busy([room.id], span).get(room.id, ())
        refusal = replace(refusal, times=free_times(mine, busy, asked, room=room))
    return replace(effect, refusal=refusal)


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
