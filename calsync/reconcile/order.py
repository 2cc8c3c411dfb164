"""The order of effects: what frees a slot goes before what fills it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from calsync.model import Effect

_START = datetime(1, 1, 1)  # noqa: DTZ001  # a wall time, like those it is compared with


def in_order(effects: Iterable[Effect]) -> list[Effect]:
    """Freeing effects first, then by start; the link id makes the order total.

    A move both frees and fills; it goes after all pure deletions and before creations.
    """
    return sorted(effects, key=_rank)


def _rank(effect: Effect) -> tuple[int, datetime, str]:
    if effect.kind.frees:
        rank = 0
    elif effect.was is not None:
        rank = 1
    else:
        rank = 2
    start = effect.target.start if effect.target else _START
    return (rank, start, effect.link_id)
