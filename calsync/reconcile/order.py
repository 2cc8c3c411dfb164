"""The order of effects: what frees a slot goes before what fills it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from calsync.model import Effect, Interval, Occupancy, Side

_START = datetime(1, 1, 1)  # noqa: DTZ001  # a wall time, like those it is compared with

#: The time that an occupancy takes from the room.
Times = Callable[[Occupancy], Sequence[Interval]]


def in_order(effects: Iterable[Effect], times: Times) -> list[Effect]:
    """Freeing effects first, then moves, then creations; by start, and the link id makes the
    order total. A move both frees and fills: it goes after those that leave the time it wants."""
    ranked = sorted(effects, key=_rank)
    ordered = [e for e in ranked if e.kind.frees]
    for side in Side:
        moves = [e for e in ranked if _moves(e) and e.kind.side is side]
        ordered += _unblocked(moves, times)
    return ordered + [e for e in ranked if not e.kind.frees and not _moves(e)]


def waves(effects: Sequence[Effect], times: Times) -> list[list[Effect]]:
    """Effects of one side, in order, cut wherever one wants time that another of its wave is to
    leave, and before what is made: how the former fared is known before the next are sent."""
    waits = _waits(effects, times)
    cut: list[list[Effect]] = []
    first = 0
    for number, effect in enumerate(effects):
        made = effect.was is None and effects[number - 1].was is not None
        if number == 0 or made or any(first <= m < number for m in waits.get(number, ())):
            first = number
            cut.append([])
        cut[-1].append(effect)
    return cut


def _rank(effect: Effect) -> tuple[datetime, str]:
    return (effect.target.start if effect.target else _START, effect.link_id)


def _moves(effect: Effect) -> bool:
    return effect.was is not None and not effect.kind.frees


def _unblocked(moves: list[Effect], times: Times) -> list[Effect]:
    """Each after those it waits for. A ring (two that swap) is broken where it is met."""
    waits = _waits(moves, times)
    placed: dict[int, Effect] = {}
    entered: set[int] = set()
    for number in range(len(moves)):
        path = [number]
        while path:
            top = path[-1]
            entered.add(top)
            ahead = [m for m in sorted(waits.get(top, ())) if m not in entered]
            if ahead:
                path.append(ahead[0])
            else:
                placed.setdefault(top, moves[top])
                path.pop()
    return list(placed.values())


def _waits(effects: Sequence[Effect], times: Times) -> dict[int, set[int]]:
    """Which effects (by position) want time that which others are to leave; a sweep over time."""
    if len(effects) < 2 or all(e.was is None for e in effects):
        return {}
    spans: list[tuple[Interval, int, bool]] = []
    for number, effect in enumerate(effects):
        held = times(effect.was) if effect.was is not None else ()
        wanted = times(effect.target) if effect.target is not None else ()
        # Dates that a series keeps are neither left nor waited for.
        kept = set(held).intersection(wanted) if held else ()
        spans.extend((span, number, False) for span in held if span not in kept)
        spans.extend((span, number, True) for span in wanted if span not in kept)
    spans.sort(key=lambda s: s[0].start)
    found: dict[int, set[int]] = {}
    active: list[tuple[Interval, int, bool]] = []
    for one in spans:
        active = [a for a in active if a[0].end > one[0].start]
        for other in active:
            if one[1] != other[1] and one[2] is not other[2]:
                wants, leaves = (one, other) if one[2] else (other, one)
                found.setdefault(wants[1], set()).add(leaves[1])
        active.append(one)
    return found
