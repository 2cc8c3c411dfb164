"""The engine as an automaton: where a cycle stands, and where an answer takes it.

A cycle is a generator; generators cannot be copied. But it is deterministic: it is told by the
database at its start, by what the process remembers, and by the answers it was sent. So a place
in it is those three, and to branch there the generator is made anew and sent the same answers
again. Every step is taken once and remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from calsync.engine.calls import Call, Steps
from calsync.engine.context import Context, Span
from calsync.engine.cycle import CycleReport, cycle
from calsync.errors import StoreError
from calsync.model import (
    Effect,
    Interval,
    Observation,
    Outcome,
    Pair,
    Pull,
    ResourceCalendar,
    Room,
    Side,
    Window,
)
from calsync.ports import Capabilities, RoomState
from calsync.reconcile.observe import LAG
from smallscope.answers import Asked, Failure, Result
from smallscope.side import EPOCH
from smallscope.store import Db, ValueStore, bare
from smallscope.values import Pool

ROOMS = [
    Room(id="r1", name="One", zone="UTC", building="B", capacity=4),
    Room(id="r2", name="Two", zone="UTC", building="B", capacity=6),
]


class _Clock:
    """Noon of the first day, always: the sides' own clocks give the order of what people do. A full
    compare is so much ``later`` that what was heard of at noon counts as new no more."""

    def __init__(self, *, later: bool) -> None:
        self._now = EPOCH + timedelta(hours=12) + (LAG if later else timedelta(0))

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return 0.0


class _Asking(Exception):
    """Carries what a call asked for out of it."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(str(asked))
        self.asked = asked


class _Port:
    """Both sides' ports: a call tells what it asks for instead of asking."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.capabilities = Capabilities(conditional_writes=True, local=side is Side.BOOKING)

    def pull(self, pair: Pair, cursor: str | None, window: Window) -> Pull:
        raise _Asking(Asked("pull", self.side, cursor))

    def read(self, pair: Pair, keys: Sequence[str]) -> list[Observation]:
        raise _Asking(Asked("read", self.side, tuple(keys)))

    def find(self, pair: Pair, tags: Sequence[str]) -> Mapping[str, Observation]:
        raise _Asking(Asked("find", self.side, tuple(tags)))

    def elsewhere(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        return []  # Not asked of these: nothing is made anew.

    # (No room here is asked for its answer: nothing lies with people.)

    def meetings_of(self, pair: Pair, uids: Mapping[str, str]) -> Mapping[str, Observation]:
        return {}

    def copies(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        return []

    def read_theirs(self, pair: Pair, keys: Mapping[str, str]) -> Mapping[str, Observation]:
        return {}

    def find_theirs(
        self, pair: Pair, tags: Mapping[str, str], uids: Mapping[str, str]
    ) -> Mapping[str, Observation]:
        return {}

    def apply(self, pair: Pair, effects: Sequence[Effect]) -> list[Outcome]:
        raise _Asking(Asked("apply", self.side, tuple(effects)))

    def rooms(self) -> Iterable[Room]:
        return ROOMS

    def busy(self, room_ids: Sequence[str], span: Interval) -> Mapping[str, list[Interval]]:
        return {room_id: [] for room_id in room_ids}

    def resource_calendars(self) -> Iterable[ResourceCalendar]:
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a process remembers between cycles; all at their defaults: it has just started."""

    state: RoomState | None = None
    fence: int | None = None
    worked: bool = False
    resting: bool = False


@dataclass(slots=True)
class _Running:
    """A cycle that stands in a call."""

    steps: Steps[CycleReport]
    ctx: Context
    store: ValueStore


@dataclass(slots=True, eq=False)
class Place:
    """A place in a cycle: before the call ``asked``. ``former`` and ``by`` (the database it
    resumed on, and the answer) tell how it got there."""

    number: int
    memory: Memory
    start: Db
    full: bool
    asked: Asked
    call: int
    former: Place | None = None
    by: tuple[Db, Result | Failure] | None = None
    running: _Running | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What an answer led to. ``trail``: the database after each commit, oldest first. Then either
    a new ``place``, or the cycle is over: ``memory`` and ``report``; or its lease was ``lost``."""

    trail: tuple[int, ...]
    place: Place | None = None
    memory: int | None = None
    report: CycleReport | None = None

    @property
    def lost(self) -> bool:
        return self.place is None and self.memory is None


@dataclass(slots=True)
class Engine:
    """All places and steps found so far, for one pair (its policies)."""

    pair: Pair
    dbs: Pool[Db] = field(default_factory=Pool)
    memories: Pool[Memory] = field(default_factory=Pool)
    calls: Pool[Asked] = field(default_factory=Pool)
    places: list[Place] = field(default_factory=list)
    #: How often the engine itself was run for a step (the rest is remembered).
    ran: int = 0
    _begun: dict[tuple[int, int, bool], Step] = field(default_factory=dict)
    _taken: dict[tuple[int, int, object], Step] = field(default_factory=dict)

    def begin(self, memory: int, db: int, *, full: bool = False) -> Step:
        """Start a cycle."""
        key = (memory, db, full)
        step = self._begun.get(key)
        if step is None:
            held, stored = self.memories[memory], self.dbs[db]
            running = self._start(held, stored, full=full)
            step = self._begun[key] = self._advance(running, None, (held, stored, full), None)
        return step

    def send(self, place: Place, db: int, answer: int, result: Result | Failure) -> Step:
        """Go on from ``place`` with ``result`` (``answer`` is its number)."""
        key = (place.number, db, answer)
        step = self._taken.get(key)
        if step is None:
            stored = self.dbs[db]
            running = place.running or self._again(place)
            place.running = None
            how = (place.memory, place.start, place.full)
            step = self._advance(running, (stored, result), how, place)
            self._taken[key] = step
        return step

    # -- the engine itself ------------------------------------------------------------------

    def _start(self, memory: Memory, db: Db, *, full: bool) -> _Running:
        store = ValueStore(self.pair, db)
        ctx = Context(
            store=store,
            booking=_Port(Side.BOOKING),
            calendars={self.pair.connection: _Port(Side.CALENDAR)},
            clock=_Clock(later=full),
            owner="smallscope",
            span=Span(past_days=30, future_days=365),
        )
        if memory.state is not None:
            ctx.states[self.pair.id] = memory.state
        if memory.fence is not None:
            ctx.fences[self.pair.id] = memory.fence
        if memory.worked:
            ctx.worked.add(self.pair.id)
        if memory.resting:
            ctx.resting.add(self.pair.id)
        return _Running(cycle(ctx, self.pair, full=full), ctx, store)

    def _again(self, place: Place) -> _Running:
        """A generator that stands in ``place``, made by sending it the same answers again."""
        answers = []
        at = place
        while at.former is not None and at.by is not None:
            answers.append((at.former.asked, at.by))
            at = at.former
        running = self._start(place.memory, place.start, full=place.full)
        _past_rooms(running.steps, next(running.steps))
        for asked, (stored, result) in reversed(answers):
            running.store.db = stored
            _past_rooms(running.steps, _resume(running.steps, asked, result))
        return running

    def _advance(
        self,
        running: _Running,
        by: tuple[Db, Result | Failure] | None,
        how: tuple[Memory, Db, bool],
        former: Place | None,
    ) -> Step:
        self.ran += 1
        store = running.store
        store.trail = []
        if by is not None:
            store.db = by[0]
        try:
            if by is None or former is None:
                call = next(running.steps)
            else:
                call = _resume(running.steps, former.asked, by[1])
            call = _past_rooms(running.steps, call)
        except StopIteration as stop:
            memory = self.memories.number(self._remembered(running.ctx))
            return Step(self._trail(store), memory=memory, report=stop.value)
        except StoreError:
            return Step(self._trail(store))
        asked = _asked(call)
        place = Place(len(self.places), *how, asked, self.calls.number(asked), former, by, running)
        self.places.append(place)
        return Step(self._trail(store), place=place)

    def _trail(self, store: ValueStore) -> tuple[int, ...]:
        return tuple(self.dbs.number(db) for db in store.trail)

    def _remembered(self, ctx: Context) -> Memory:
        state = ctx.states.get(self.pair.id)
        return Memory(
            state=None if state is None else bare(state),
            fence=ctx.fences.get(self.pair.id),
            worked=self.pair.id in ctx.worked,
            resting=self.pair.id in ctx.resting,
        )


def _past_rooms(steps: Steps[Any], call: Call) -> Call:
    """The next call of which something can become. What rooms there are, and which are free, is the
    same at all times here."""
    while call.name in ("rooms", "busy"):
        call = steps.send(call.run())
    return call


def _asked(call: Call) -> Asked:
    try:
        call.run()
    except _Asking as asking:
        return asking.asked
    raise AssertionError(f"{call.name} asked for nothing")


def _resume(steps: Steps[Any], asked: Asked, result: Result | Failure) -> Call:
    if isinstance(result, Failure):
        return steps.throw(result.kind(result.what))
    if isinstance(result, Pull):
        return steps.send(result)
    if asked.method == "find":
        return steps.send(dict(r for r in result if isinstance(r, tuple)))
    return steps.send(list(result))
