"""The guard: a plan that would delete or move too much is refused as a whole.

A listing that lost items, a restored backup or a wrong mapping look like many people who all
cancel at once. calsync would rather ask once too often than empty a room's calendar.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from calsync.conflicts.merge import same_schedule
from calsync.model import Effect, EffectKind, Halt


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At most ``floor`` items or ``share`` of the room's future items, whichever is more."""

    floor: int = 5
    share: float = 0.10

    def allowed(self, future_items: int) -> int:
        return max(self.floor, int(future_items * self.share))


_DELETIONS = frozenset(
    {
        EffectKind.DELETE_EVENT,
        EffectKind.DECLINE_EVENT,
        EffectKind.DELETE_BOOKING,
        EffectKind.REJECT_BOOKING,
    }
)
_CHANGES = frozenset({EffectKind.CHANGE_EVENT, EffectKind.CHANGE_BOOKING})


def disruptive(effects: Iterable[Effect]) -> int:
    """How many bookings the effects delete or move in time.

    The items of a booking that is carried as several share its uid: one person who cancels it
    has cancelled one booking.
    """
    return len({effect.uid or effect.link_id for effect in effects if _disrupts(effect)})


def _disrupts(effect: Effect) -> bool:
    if effect.kind in _DELETIONS:
        return True
    if effect.kind in _CHANGES and effect.was is not None and effect.target is not None:
        return not same_schedule(effect.was, effect.target)
    return False


def check(
    effects: Iterable[Effect], *, future_items: int, limits: Limits, emptied: str = ""
) -> Halt | None:
    """Refuse, or None. ``emptied`` names a side that came up empty where the base is not."""
    if emptied:
        return Halt(
            reason=f"the {emptied} side shows no items at all, but {future_items} were agreed on",
            deletions=future_items,
            items=future_items,
        )
    count = disruptive(effects)
    if count <= limits.allowed(future_items):
        return None
    return Halt(
        reason=(
            f"this cycle would delete or move {count} of {future_items} future items "
            f"(at most {limits.allowed(future_items)} go without asking)"
        ),
        deletions=count,
        items=future_items,
    )
