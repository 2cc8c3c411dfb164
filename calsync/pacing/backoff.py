"""Waits that grow, polls that adapt, lists that are cut. All times are seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

#: 2 to this power is more than any cap; it keeps the arithmetic finite for any attempt.
_MAX_DOUBLINGS = 40


def backoff(attempt: int, *, jitter: float, base: float = 0.5, cap: float = 60.0) -> float:
    """Seconds before try number ``attempt`` + 1 (the first failure is attempt 0).

    Doubles up to ``cap``. ``jitter`` in [0, 1] is the caller's randomness: it moves the wait
    between half and all of that, so that clients that failed together do not return together.
    """
    if attempt < 0 or not 0.0 <= jitter <= 1.0:
        raise ValueError("attempt counts from 0; jitter lies in [0, 1]")
    return min(cap, base * 2.0 ** min(attempt, _MAX_DOUBLINGS)) * (0.5 + jitter / 2)


def next_interval(current: float, *, floor: float, ceiling: float, active: bool) -> float:
    """Seconds until a room is polled again.

    A room in which something happened is asked at the floor (people who change one meeting
    often change it again); an idle one is asked a quarter less often each time, up to the ceiling.
    """
    if not 0 < floor <= ceiling:
        raise ValueError("the floor is above zero and not above the ceiling")
    if active:
        return floor
    return min(ceiling, max(floor, current) * 1.25)


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in order, in pieces of at most ``size`` (Graph's ``$batch`` takes 20)."""
    if size < 1:
        raise ValueError("a piece holds at least one item")
    for start in range(0, len(items), size):
        yield items[start : start + size]
