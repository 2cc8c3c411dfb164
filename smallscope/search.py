"""Through all of a scope, depth first, each state once. Counts states, moves and histories."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from calsync.model import Presence, Side
from smallscope.answers import Fault
from smallscope.oracle import Broken, demand, judge, parked_names, tidy
from smallscope.scope import Scope
from smallscope.store import Db
from smallscope.world import Event, State, World

#: Cycles in which both sides must agree and rest, once people and misfortune cease (invariant 1).
REST = 8


@dataclass(slots=True)
class Finding:
    """An invariant that does not hold, and the shortest history found to it."""

    broken: Broken
    story: tuple[Event, ...]


@dataclass(slots=True)
class Found:
    """What a search saw. ``histories``: how many different orders of all its events there are,
    each from the first state to rest; ``rests``: states at rest by what they look like."""

    scope: Scope
    states: int = 0
    moves: int = 0
    histories: int = 0
    rests: set[State] = field(default_factory=set)
    findings: dict[str, Finding] = field(default_factory=dict)
    broken: int = 0
    ran: int = 0
    seconds: float = 0.0
    finished: bool = True


@dataclass(slots=True)
class _Frame:
    state: State
    moves: Iterator[tuple[Event, State]]
    event: Event
    paths: int = 0


class Search:
    """One scope, from the state after its first acts on."""

    def __init__(self, scope: Scope, world: World | None = None) -> None:
        self.scope = scope
        self.world = world or World(scope)
        self.found = Found(scope)
        self._rested: dict[State, State] = {}
        self._far: dict[State, int] = {}
        self._quiet: set[tuple[int, int, int]] = set()

    def run(self, limit: float | None = None) -> Found:
        """Walk through all of it, or for ``limit`` seconds of processor time."""
        began = time.process_time()
        first = self.first()
        done: dict[State, int] = {}
        stack = [self._frame("it begins", first)]
        path = {first}
        while stack:
            if limit is not None and time.process_time() - began > limit:
                self.found.finished = False
                break
            frame = stack[-1]
            try:
                event, state = next(frame.moves)
            except StopIteration:
                stack.pop()
                path.discard(frame.state)
                done[frame.state] = max(1, frame.paths)
                if stack:
                    stack[-1].paths += done[frame.state]
                continue
            except Broken as broken:
                self._note(broken, stack)
                continue
            self.found.moves += 1
            if state.idle:
                state = self._between(state, stack, event)
            if state in path:
                frame.paths += 1  # An idle cycle: the history is over.
                continue
            paths = done.get(state)
            if paths is not None:
                frame.paths += paths
                continue
            path.add(state)
            stack.append(self._frame(event, state))
        self.found.states = len(done)
        self.found.histories = done.get(first, 0)
        self.found.ran = self.world.engine.ran
        self.found.seconds = time.process_time() - began
        return self.found

    def first(self) -> State:
        """The state in which the scope begins: its first acts carried over, nothing left to do."""
        world = self.world
        state = self.settled(world.start())
        for act in self.scope.begin:
            state = self.settled(world.acted_on(state, act))
        return world.counted_anew(state)

    def _frame(self, event: Event, state: State) -> _Frame:
        return _Frame(state, self.world.moves(state), event)

    def _note(self, broken: Broken, stack: list[_Frame], *more: Event) -> None:
        self.found.broken += 1
        story = (*(frame.event for frame in stack), *more)
        held = self.found.findings.get(broken.invariant)
        if held is None or len(story) < len(held.story):
            self.found.findings[broken.invariant] = Finding(broken, story)

    # -- at rest ----------------------------------------------------------------------------

    def settled(self, state: State) -> State:
        while (after := self._cycle(state)) != state:
            state = after
        return state

    def _cycle(self, state: State, *, full: bool = False) -> State:
        """A whole cycle in which nothing happens but it."""
        state = self.world.begin(state, full=full)[1]
        while not state.idle:
            state = self.world.go_on(state)
        return state

    def _between(self, state: State, stack: list[_Frame], event: Event) -> State:
        """Between two cycles: rest is near; at rest, both sides are judged."""
        known = self._rested.get(state)
        if known is not None:
            return known
        self._rested[state] = state
        try:
            if self._way_to_rest(state) > 0:
                return state
            self.found.rests.add(state)
            world = self.world
            if Fault.STALLED in world.faults(state) or self._waits(state):
                # The platform's feed does not tell what calsync wrote: what a process wrote that
                # nobody listened to any more is found by the nightly full compare. So is, here,
                # what is waited for: in cycles no time passes.
                state = self.settled(self._cycle(state, full=True))
            booking, calendar = world.sides[state.booking], world.sides[state.calendar]
            db, watch = world.db(state), world.watches[state.watch]
            judge(booking, calendar, db, watch, world.faults(state))
            tidy(db, booking, calendar)
            if not self.scope.traced:
                state = self._rested[state] = world.counted_anew(state)
            self._be_quiet(state)
        except Broken as broken:
            self._note(broken, stack, event)
        return state

    def _waits(self, state: State) -> bool:
        """Whether something was heard of that no reading has shown or missed for good."""
        halves = (link.half(s) for link in self.world.db(state).links for s in Side)
        return any(half.presence is Presence.UNKNOWN for half in halves)

    def _way_to_rest(self, state: State) -> int:
        """How many cycles from here to rest (0: here), if nothing else happens."""
        ahead: list[State] = []
        while state not in self._far:
            after = self._cycle(state)
            if after == state:
                self._far[state] = 0
                break
            demand(after not in ahead, "1 convergence", "the same states over and over")
            ahead.append(state)
            state = after
        far = self._far[state]
        for number, one in enumerate(reversed(ahead)):
            self._far[one] = far + number + 1
        far += len(ahead)
        demand(far <= REST, "1 convergence", f"{far} cycles to rest")
        return far

    def _be_quiet(self, state: State) -> None:
        """8: a full compare, and a new database, write nothing and change nothing."""
        key = (state.booking, state.calendar, state.db)
        if key in self._quiet:
            return
        self._quiet.add(key)
        after = self._cycle(state, full=True)
        same = (after.booking, after.calendar) == (state.booking, state.calendar)
        demand(same, "8 quiescence", "a full compare writes")
        links = self.world.db(after).links
        demand(links == self.world.db(state).links, "8 quiescence", "a full compare changes links")
        waits = any(i.pending for i in self.world.sides[state.booking].live())
        if waits or parked_names(self.world.db(state)):
            return
        again = self.settled(
            state._replace(
                db=self.world.engine.dbs.number(Db()), process=2 * self.world.fresh, stalled=0
            )
        )
        same = (again.booking, again.calendar) == (state.booking, state.calendar)
        demand(same, "8 quiescence", "a resync from nothing writes")
