"""The order of effects: what frees a slot goes before what fills it.

Among the items that carry one booking (the parts of a series) it is the other way round: what a
booking keeps is held by its new item before the former one goes. A write may fail, and the process
may end, between the two; shown twice for a while it is safe, shown nowhere its time is free to be
taken (seed 8767). Not so where the new one is a meeting of a person: the room would decline it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from calsync.model import Effect, Interval, Occupancy, Side

_START = datetime(1, 1, 1)  # noqa: DTZ001  # a wall time, like those it is compared with

#: The time that an occupancy takes from the room.
Times = Callable[[Occupancy], Sequence[Interval]]
#: The booking whose item an effect writes; empty where that is unknown.
Whole = Callable[[Effect], str]


def _by_itself(_: Effect) -> str:
    return ""


def in_order(effects: Iterable[Effect], times: Times, whole: Whole = _by_itself) -> list[Effect]:
    """Freeing effects first, then moves, then creations; by start, and the link id makes the
    order total. A move both frees and fills: it goes after those that leave the time it wants."""
    ranked = sorted(effects, key=_rank)
    freeing = [e for e in ranked if e.kind.frees]
    moves = {side: [e for e in ranked if _moves(e) and e.kind.side is side] for side in Side}
    made = [e for e in ranked if not e.kind.frees and not _moves(e)]
    shared = _in_several(ranked, whole)
    if not shared:
        for side in Side:
            freeing += _unblocked(moves[side], _waits(moves[side], times))
        return freeing + made
    # A create that fails stops what is behind it: what waits for one goes as late as it can.
    early = [e for e in freeing if e.kind.side is Side.BOOKING or whole(e) not in shared]
    late = [e for e in freeing if e not in early]
    ordered: list[Effect] = []
    for side in Side:
        mine = [e for e in [*early, *moves[side], *made, *late] if e.kind.side is side]
        ordered += _unblocked(mine, _waits(mine, times, whole))
    return ordered


def _in_several(effects: Iterable[Effect], whole: Whole) -> set[str]:
    """The bookings of which several events are written."""
    known = Counter(name for e in effects if e.kind.side is Side.CALENDAR and (name := whole(e)))
    return {name for name, events in known.items() if events > 1}


def waves(effects: Sequence[Effect], times: Times, whole: Whole = _by_itself) -> list[list[Effect]]:
    """Effects of one side, in order, cut wherever one wants time that another of its wave is to
    leave, and before what is made: how the former fared is known before the next are sent."""
    waits = _waits(effects, times, whole)
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


def _unblocked(moves: list[Effect], waits: Mapping[int, set[int]]) -> list[Effect]:
    """Each after those it waits for. A ring (two that swap) is broken where it is met."""
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


def _hands_over(leaves: Effect, wants: Effect, whole: Whole) -> bool:
    """True where both are about events of one booking, and the room has no say in the new one."""
    if wants.kind.side is Side.BOOKING or wants.organizer:
        return False
    return whole(wants) == whole(leaves) != ""


def _waits(
    effects: Sequence[Effect], times: Times, whole: Whole = _by_itself
) -> dict[int, set[int]]:
    """Which effects (by position) wait for which others: those that want time for those that are to
    leave it, and of one booking the other way round; a sweep over time."""
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
                wants, leaves = (one[1], other[1]) if one[2] else (other[1], one[1])
                if _hands_over(effects[leaves], effects[wants], whole):
                    wants, leaves = leaves, wants
                found.setdefault(wants, set()).add(leaves)
        active.append(one)
    return found
