"""Everything that goes wrong around a cycle: the network, the sides' answers, the process.

Faults of reliability.md §3: 1, 2 (request and reply lost), 3 (carried out after the client gave
up), 8 (down before), 7 (down after commit), 13 and 17 (throttled), 23 and 24 (replays out of
order), 25 (void cursor), 28 (stale reads), 29 (people act between two calls), 57 (death before and
after each call, each effect and each commit), 58 (a stalled process wakes up after another took
the room).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from calsync.engine.calls import Call, Steps, run_inline
from calsync.engine.cycle import CycleReport, cycle
from calsync.errors import StoreError, Throttled, Unavailable
from calsync.model import Effect, InDoubt, Outcome, Stale
from calsync.ports import Commit
from tests.simulation.modes import Mode
from tests.simulation.story import Story
from tests.support.memory_side import Faults, MemorySide
from tests.support.room import World

_NETWORK = {"lose_reply": 0.12, "lose_request": 0.08, "later": 0.08, "void_cursor": 0.05}
_READING = {"stale": 0.2, "unreadable": 0.12}
#: Of cycles in a mode with crashes, how many die somewhere; of their points, how far they get.
_DEATHS, _REACH = 0.25, 16
_CALL_FAILS, _REFUSED_AS_STALE, _ACT_MIDWAY, _STALL = 0.03, 0.03, 0.2, 0.06
_DELAYED, _LATE = 0.08, 0.2


class Died(Exception):
    """The process ends here, and nothing of it runs any more."""


@dataclass(slots=True)
class _Stalled:
    steps: Steps[CycleReport]
    call: Call


def _from(stalled: _Stalled) -> Steps[CycleReport]:
    """The rest of a cycle, from the call in which it stalled."""
    call = stalled.call
    try:
        while True:
            try:
                result = yield call
            except Exception as error:
                call = stalled.steps.throw(error)
            else:
                call = stalled.steps.send(result)
    except StopIteration as stop:
        report: CycleReport = stop.value
        return report


class Adversary:
    """Runs cycles of ``world`` and lets them meet misfortune; ``heal`` ends all of it.

    ``die_at``: the only point of the whole history at which the process dies (counted from 0),
    for runs over every point; ``points`` counts them.
    """

    def __init__(
        self,
        world: World,
        rng: random.Random,
        mode: Mode,
        story: Story,
        *,
        act: Callable[[], None],
        die_at: int | None = None,
    ) -> None:
        self.world, self.rng, self.mode, self.story, self.act = world, rng, mode, story, act
        self.points = 0
        self.healthy = False
        self._die_at = die_at
        self._left: int | None = None
        self._stalled: list[_Stalled] = []
        self._underway: list[Callable[[], object]] = []
        self._watch_store()
        for side in (world.booking, world.calendar):
            self._watch_side(side)

    # -- weather ----------------------------------------------------------------------------

    def bring_trouble(self) -> None:
        """Each kind of fault is on for about half of the rounds."""
        self.healthy = False
        rates = (_NETWORK if self.mode.network else {}) | (_READING if self.mode.reading else {})
        rates = {name: rate for name, rate in rates.items() if self.rng.random() < 0.5}
        assert rates.keys() <= {f.name for f in fields(Faults)}
        self.world.booking.faults, self.world.calendar.faults = Faults(**rates), Faults(**rates)
        if rates:
            self.story.tell("world", f"trouble: {', '.join(rates)}")

    def heal(self) -> None:
        while self._stalled:
            self._wake()
        while self._underway:
            self._arrive()
        self.world.heal()
        self.healthy = True
        self._left = None
        self.story.tell("world", "all is well again")

    # -- a cycle ----------------------------------------------------------------------------

    def cycle(self, *, full: bool = False) -> CycleReport | None:
        """One cycle; None where the process did not live to report."""
        world, rng = self.world, self.rng
        world.tick()
        if self._stalled and rng.random() < 0.5:
            self._wake()
        if self.mode.crash and not self.healthy and rng.random() < _DEATHS:
            self._left = rng.randrange(_REACH)
        try:
            report = self._drive(cycle(world.ctx, world.pair, full=full))
        except Died:
            self.story.tell("process", "dies")
            world.restart()
            report = None
        except StoreError as error:
            if not self.mode.zombie:
                raise
            # The stalled one woke up before it had ever taken the lease, and took it.
            self.story.tell("process", f"starts again: {error}")
            world.restart()
            report = None
        self._left = None
        if report is not None:
            told = report.error or ("unsettled" if report.unsettled else "at rest")
            self.story.tell("cycle", f"{'full, ' if full else ''}{told}")
        return report

    def _drive(self, steps: Steps[CycleReport]) -> CycleReport | None:
        try:
            call = next(steps)
            while True:
                if self._stalls():
                    self.story.tell("process", f"stalls before {call.name!r}; another starts")
                    self._stalled.append(_Stalled(steps, call))
                    self.world.restart()
                    return None
                try:
                    result = self._run(call)
                except (Throttled, Unavailable) as error:
                    self.story.tell("world", f"{call.name}: {error}")
                    call = steps.throw(error)
                except Died:
                    steps.close()
                    raise
                except Exception as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(result)
        except StopIteration as stop:
            report: CycleReport = stop.value
            return report

    def _run(self, call: Call) -> Any:
        self._people_act()
        self._others_act()
        self._point()
        fate = self.rng.random() if self.mode.network and not self.healthy else 1.0
        if fate < _CALL_FAILS:
            raise Throttled("throttled", retry_after=1.0)
        if fate < 2 * _CALL_FAILS:
            raise Unavailable("no connection")
        result = call.run()
        if fate < 3 * _CALL_FAILS:
            raise Unavailable("the reply never came")
        self._point()
        self._people_act()
        return result

    def _others_act(self) -> None:
        """Amid a cycle: a stalled process wakes up, a write that nobody waits for takes effect."""
        if not self.mode.late or self.healthy:
            return
        if self._stalled and self.rng.random() < _LATE:
            self._wake()
        if self._underway and self.rng.random() < _LATE:
            self._arrive()

    def _arrive(self) -> None:
        self.story.tell("world", "a request arrives late")
        self._underway.pop(0)()

    def _people_act(self) -> None:
        if self.mode.midway and not self.healthy and self.rng.random() < _ACT_MIDWAY:
            self.act()

    # -- death and sleep --------------------------------------------------------------------

    def _point(self) -> None:
        """A point at which the process may die."""
        number, self.points = self.points, self.points + 1
        if number == self._die_at:
            raise Died
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                self._left = None
                raise Died

    def _stalls(self) -> bool:
        return self.mode.zombie and not self.healthy and self.rng.random() < _STALL

    def _wake(self) -> None:
        """A stalled process goes on with the call it stalled in. It holds no lease any more: its
        first commit fails, and it ends."""
        zombie = self._stalled.pop(0)
        self.story.tell("process", f"the stalled one goes on with {zombie.call.name!r}")
        self._left = None
        try:
            run_inline(_from(zombie))
            self.story.tell("process", "the stalled one ends its cycle")
        except StoreError as error:
            self.story.tell("process", f"the stalled one gives up: {error}")

    # -- the points inside calls and commits ------------------------------------------------

    def _watch_store(self) -> None:
        real = self.world.store.commit

        def commit(step: Commit) -> None:
            self._point()
            real(step)
            self._point()

        self.world.store.commit = commit  # type: ignore[method-assign]

    def _watch_side(self, side: MemorySide) -> None:
        real = side._apply

        def apply(effect: Effect) -> Outcome:
            self._point()
            if self._refuses(effect):
                self.story.tell(side.side.value, f"refuses {effect.kind.value!r} as stale")
                return Stale(None)
            if self._delays():
                self.story.tell("world", f"{effect.kind.value!r} takes its time")
                self._underway.append(lambda: real(effect))
                return InDoubt("no answer in time")
            outcome = real(effect)
            self._point()
            return outcome

        side._apply = apply  # type: ignore[method-assign]

    def _delays(self) -> bool:
        return self.mode.late and not self.healthy and self.rng.random() < _DELAYED

    def _refuses(self, effect: Effect) -> bool:
        trouble = self.mode.reading and not self.healthy
        return trouble and effect.key is not None and self.rng.random() < _REFUSED_AS_STALE
