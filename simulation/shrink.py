"""A long failing story made short: steps, faults and rooms are left out while it still fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from simulation.faults import FAULTS
from simulation.history import Result, run

#: Histories that may be run to shrink one.
BUDGET = 160


def shrink(result: Result, folder: Path, told: Callable[[str], None] = lambda _: None) -> Result:
    """The shortest history found that breaks the same invariant."""
    search = _Search(result, folder)
    last = _last_step(result)
    search.try_out(steps=last, only=frozenset(range(1, last + 1)))
    for rooms in (1, 2):
        if search.try_out(rooms=rooms):
            break
    search.try_out(without=frozenset(fault.number for fault in FAULTS))
    told(f"{len(search.best.plan.only or ())} steps")
    chunk = max(1, len(search.best.plan.only or ()) // 2)
    while chunk and search.left:
        if not search.drop_steps(chunk):
            chunk //= 2
        told(f"{len(search.best.plan.only or ())} steps")
    for fault in FAULTS:
        if fault.number not in search.best.plan.without:
            search.try_out(without=search.best.plan.without | {fault.number})
    return search.best


def _last_step(result: Result) -> int:
    steps = [int(line[:4]) for line in result.lines if line[:4].strip().isdigit()]
    return min(result.plan.steps, max(steps, default=result.plan.steps))


class _Search:
    def __init__(self, result: Result, folder: Path) -> None:
        self.best, self.left, self._folder = result, BUDGET, folder
        self._kind = _kind(result)

    def try_out(self, **changes: object) -> bool:
        """Keep the changes if the history still breaks the same invariant."""
        if not self.left:
            return False
        self.left -= 1
        plan = replace(self.best.plan, **changes)  # type: ignore[arg-type]  # names of Plan's fields
        result = run(plan, self._folder)
        if _kind(result) != self._kind:
            return False
        self.best = result
        return True

    def drop_steps(self, chunk: int) -> bool:
        """Leave out ``chunk`` steps at a time. True where any could go."""
        steps = sorted(self.best.plan.only or ())
        dropped = False
        for at in range(0, len(steps), chunk):
            gone = set(steps[at : at + chunk])
            only = frozenset(s for s in self.best.plan.only or () if s not in gone)
            dropped = self.try_out(only=only) or dropped
        return dropped


def _kind(result: Result) -> str:
    """Which invariant broke; of what was unforeseen, where."""
    return result.error.partition(":")[0]
