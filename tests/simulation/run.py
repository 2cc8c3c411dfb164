"""One history, from its seed to its verdict."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from calsync.model import ClashPolicy, EditPolicy
from calsync.reconcile.guard import Limits
from tests.simulation.adversary import Adversary
from tests.simulation.modes import MODES, Mode
from tests.simulation.oracle import Oracle, demand
from tests.simulation.people import People
from tests.simulation.story import Story
from tests.support.room import World

ROUNDS = 5
#: Cycles after trouble ends by which both sides must agree (invariant 1: K = 3), and one more that
#: finds nothing to do. What the guard asks, and waits for, does not count: an admin is to answer.
REST = 3 + 1


@dataclass(frozen=True, slots=True)
class Result:
    """``error`` is None where every invariant held. ``points``: where the process could die."""

    seed: int
    story: Story
    points: int
    error: BaseException | None = None


def simulate(
    seed: int, mode: str = "all", *, rounds: int = ROUNDS, die_at: int | None = None
) -> Result:
    """The history of ``seed``. Never raises for what calsync did wrong: that is the result."""
    history = _History(seed, MODES[mode], die_at)
    try:
        history.run(rounds)
    except Exception as error:
        return Result(seed, history.story, history.adversary.points, error)
    return Result(seed, history.story, history.adversary.points)


class _History:
    def __init__(self, seed: int, mode: Mode, die_at: int | None) -> None:
        self.rng = random.Random(f"history {seed}")
        self.story = Story()
        self.cycles: Counter[int] = Counter()
        self.world = World(seed, Limits(), titles=True, **self._policies(mode))
        self.world.rest()
        self.people = People(self.world, self.rng, self.story)
        self.oracle = Oracle(self.world, self.people, mode, self.story)
        self.adversary = Adversary(
            self.world, self.rng, mode, self.story, act=self.people.act, die_at=die_at
        )

    def _policies(self, mode: Mode) -> dict[str, Any]:
        if not mode.policies:
            return {}
        edit, clash = self.rng.choice(list(EditPolicy)), self.rng.choice(list(ClashPolicy))
        self.story.tell("admin", f"policies: {edit.value} (edits), {clash.value} (clashes)")
        return {"edit_policy": edit, "clash_policy": clash}

    def run(self, rounds: int) -> None:
        for _ in range(rounds):
            self.oracle.begin_round()
            self.adversary.bring_trouble()
            for _ in range(self.rng.randrange(2, 8)):
                self.people.act()
                if self.rng.random() < 0.5:
                    self.adversary.cycle(full=self.rng.random() < 0.1)
                if self.rng.random() < 0.05:
                    self.story.tell("process", "is restarted")
                    self.world.restart()
            self.adversary.heal()
            self._rest()
            self.oracle.judge()
            self.oracle.quiet(self.adversary.cycle)
        self.oracle.resync()

    def _rest(self) -> None:
        """Cycles until nothing is left to do; an admin answers what the guard asks."""
        cycles = 0
        while cycles < REST:
            self.world.tick(60.0)  # Polls are minutes apart.
            before = self.oracle._writes()
            report = self.adversary.cycle()
            if report is not None and "looked at again" in report.error:
                self.world.tick(self.world.limits.lag.total_seconds())
                continue
            cycles += 1
            if report is None:
                continue
            state = self.world.ctx.state(self.world.pair)
            if state.halted:
                yes = self.oracle.halted(state.halted)
                self.story.tell("admin", "approves" if yes else "lets it go on")
                self.world.ctx.states[self.world.pair.id] = replace(state, halted="", approved=yes)
                cycles = 0
                continue
            if not (report.error or report.unsettled) and self.oracle._writes() == before:
                self.cycles[cycles] += 1
                return
        demand(False, "1 convergence", f"no rest after {REST} cycles")
