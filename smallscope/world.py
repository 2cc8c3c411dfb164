"""The whole world as one small state, and everything that can happen next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from calsync.model import Side
from smallscope.answers import Answer, Asked, Failure, Fault, Result, cut_short, misfortunes, plain
from smallscope.canon import Rest, counted_anew
from smallscope.oracle import Watch, Wish, acted, wrote
from smallscope.process import Engine, Memory, Place, Step
from smallscope.scope import Act, Done, Scope, do, doable, possible
from smallscope.side import SideState, settled_numbers
from smallscope.store import Db
from smallscope.values import Pool


class State(NamedTuple):
    """Numbers of the parts. ``process``: twice the number of what it remembers between cycles, or
    of its place in a cycle, and one. ``stalled``: the place of a second one, and one. ``booked``
    and ``called``: acts done so far on the platform and in the calendar. ``struck``: the
    misfortunes so far, as bits. ``owed``: an act on the side that is asked next has to follow."""

    booking: int
    calendar: int
    db: int
    process: int
    stalled: int
    watch: int
    booked: int
    called: int
    struck: int
    owed: bool

    @property
    def idle(self) -> bool:
        return self.process % 2 == 0


#: What happened: somebody acted, a call was answered, or a sentence.
Event = Act | tuple[Asked, Answer] | str
_FAULTS = list(Fault)


class World:
    """The moves of one scope. Everything computed is remembered by number."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.engine = Engine(scope.pair())
        self.sides: Pool[SideState] = Pool()
        self.answers: Pool[Result | Failure] = Pool()
        self.watches: Pool[Watch] = Pool()
        self.fresh = self.engine.memories.number(Memory())
        self._acts: dict[tuple[int, int, Side, int], list[tuple[Act, Done, int, int]]] = {}
        self._plain: dict[tuple[int, int, int], Answer] = {}
        self._bad: dict[tuple[int, int, int], list[Answer]] = {}
        self._cut: dict[tuple[int, int, int], list[Answer]] = {}
        self._first: int | None = None
        self._pairs: dict[tuple[int, int], tuple[int, int]] = {}

    # -- parts of a state -------------------------------------------------------------------

    def start(self) -> State:
        """Empty sides, an empty database, no process yet."""
        return State(
            self.sides.number(SideState(side=Side.BOOKING)),
            self.sides.number(SideState(side=Side.CALENDAR)),
            self.engine.dbs.number(Db()),
            2 * self.fresh,
            0,
            self.watches.number(Watch()),
            0,
            0,
            0,
            False,
        )

    def counted_anew(self, state: State) -> State:
        """A state at rest in its canonical form (``canon``)."""
        if state.stalled:
            return state
        rest = Rest(
            booking=self.sides[state.booking],
            calendar=self.sides[state.calendar],
            db=self.db(state),
            memory=self.memory(state),
        )
        late = {Fault.STALE_READ, Fault.REPLAY} & {*self.scope.faults}
        rest = counted_anew(rest, keep_former=bool(late))
        alive = [i.name for i in rest.booking.live()] + [i.name for i in rest.calendar.live()]
        born = {i.name for i in (*rest.booking.items, *rest.calendar.items)}
        gone = [Wish(name=n, cancelled=True) for n in born if n not in alive]
        twice = [Wish(name=n, twice=True) for n in born if alive.count(n) > 2]
        wishes = tuple(sorted((*gone, *twice), key=lambda w: w.name))
        return state._replace(
            booking=self.sides.number(rest.booking),
            calendar=self.sides.number(rest.calendar),
            db=self.engine.dbs.number(rest.db),
            process=2 * self.engine.memories.number(rest.memory),
            watch=self.watches.number(Watch(wishes)),
        )

    def place(self, state: State) -> Place:
        return self.engine.places[state.process // 2]

    def memory(self, state: State) -> Memory:
        return self.engine.memories[state.process // 2]

    def side(self, state: State, side: Side) -> SideState:
        return self.sides[state.booking if side is Side.BOOKING else state.calendar]

    def db(self, state: State) -> Db:
        return self.engine.dbs[state.db]

    def faults(self, state: State) -> frozenset[Fault]:
        return frozenset(f for at, f in enumerate(_FAULTS) if state.struck >> at & 1)

    def _time(self, state: State) -> int:
        return 1 + max(self.sides[state.booking].latest(), self.sides[state.calendar].latest())

    def _may(self, state: State, fault: Fault) -> bool:
        bit = 1 << _FAULTS.index(fault)
        return (
            fault in self.scope.faults
            and not state.struck & bit
            and state.struck.bit_count() < self.scope.misfortunes
        )

    # -- what can happen --------------------------------------------------------------------

    def moves(self, state: State) -> Iterator[tuple[Event, State]]:
        """Every event that is possible in ``state``, and where it leads. Raises Broken."""
        if state.idle:
            yield self.begin(state)
            return
        place = self.place(state)
        yield from self._people(state, place)
        if state.owed:
            return
        if state.stalled:
            yield self._wake(state)
        yield from self._trouble(state, place)
        yield from self._answer(state, place, self._plainly(state, place.asked))

    def begin(self, state: State, *, full: bool = False) -> tuple[Event, State]:
        """A cycle starts."""
        step = self.engine.begin(state.process // 2, state.db, full=full)
        *_, (_, after) = self._after(state, step, crashes=False)
        return "a cycle starts", after

    def acted_on(self, state: State, act: Act) -> State:
        """``state``, between two cycles, after ``act``."""
        done, booking, calendar = self._act(state, act)[1:]
        here = self.sides[booking if act.side is Side.BOOKING else calendar]
        watch = acted(self.watches[state.watch], done, here)
        return state._replace(booking=booking, calendar=calendar, watch=self.watches.number(watch))

    def go_on(self, state: State) -> State:
        """The next step where all is well and nobody does anything."""
        if state.idle:
            return self.begin(state)[1]
        place = self.place(state)
        *_, (_, after) = self._answer(state, place, self._plainly(state, place.asked))
        return after

    # -- people -----------------------------------------------------------------------------

    def _people(self, state: State, place: Place) -> Iterator[tuple[Event, State]]:
        """An act is tried before a call to its own side: what calsync does elsewhere meanwhile
        does not meet it."""
        asked = place.asked
        if self.scope.together and place.number != self._first_place(place):
            return
        for side in Side:
            near = side is asked.side or bool(state.stalled) or self.scope.together
            if not near and not self._left(state, asked.side):
                continue
            for act, done, booking, calendar in self._doable(state, side):
                here = self.sides[booking if side is Side.BOOKING else calendar]
                watch = acted(self.watches[state.watch], done, here)
                yield (
                    act,
                    state._replace(
                        booking=booking,
                        calendar=calendar,
                        watch=self.watches.number(watch),
                        booked=state.booked + (side is Side.BOOKING),
                        called=state.called + (side is Side.CALENDAR),
                        owed=not near,
                    ),
                )

    def _first_place(self, place: Place) -> int:
        """Where calsync stood when people began to act."""
        if self._first is None:
            self._first = place.number
        return self._first

    def _left(self, state: State, side: Side) -> int:
        at = 0 if side is Side.BOOKING else 1
        done = state.called if at else state.booked
        script = self.scope.script
        return (self.scope.acts[at] if script is None else len(script[at])) - done

    def _doable(self, state: State, side: Side) -> list[tuple[Act, Done, int, int]]:
        if self._left(state, side) <= 0:
            return []
        script = self.scope.script
        at = (state.called if side is Side.CALENDAR else state.booked) if script else 0
        key = (state.booking, state.calendar, side, at)
        found = self._acts.get(key)
        if found is None:
            here, there = self.side(state, side), self.side(state, side.other)
            if script is None:
                acts = list(possible(here, there, self.scope))
            else:
                acts = [script[side is Side.CALENDAR][at]]
                acts = [a for a in acts if doable(a, here, there)]
            found = self._acts[key] = [self._act(state, act) for act in acts]
        return found

    def _act(self, state: State, act: Act) -> tuple[Act, Done, int, int]:
        here, there = self.side(state, act.side), self.side(state, act.side.other)
        here, done = do(act, here, self._time(state))
        here, there = settled_numbers(here, there)
        # The item of ``done`` as it is numbered now.
        if done.after is not None:
            done = replace(done, after=here.item(done.after.key))
        both = (here, there) if act.side is Side.BOOKING else (there, here)
        return act, done, self.sides.number(both[0]), self.sides.number(both[1])

    # -- calls ------------------------------------------------------------------------------

    def _key(self, state: State, asked: Asked) -> tuple[int, int, int]:
        side = state.booking if asked.side is Side.BOOKING else state.calendar
        time = self._time(state) if asked.method == "apply" else 0
        return side, self.engine.calls.number(asked), time

    def _plainly(self, state: State, asked: Asked) -> Answer:
        key = self._key(state, asked)
        found = self._plain.get(key)
        if found is None:
            found = self._plain[key] = plain(self.sides[key[0]], asked, key[2])
        return found

    def _answer(self, state: State, place: Place, answer: Answer) -> Iterator[tuple[Event, State]]:
        """The process is sent ``answer`` and goes on to its next call; before each commit on its
        way there it may die."""
        here = self._with_side(state, place.asked, answer)
        number = self.answers.number(answer.result)
        step = self.engine.send(place, here.db, number, answer.result)
        for crash, after in self._after(here, step, crashes=True):
            yield crash or (place.asked, answer), after

    def _with_side(self, state: State, asked: Asked, answer: Answer) -> State:
        """The side after the call, its writes judged."""
        if answer.fault is not None:
            state = state._replace(struck=state.struck | 1 << _FAULTS.index(answer.fault))
        side, other = self.side(state, asked.side), self.side(state, asked.side.other)
        if answer.writes:
            watch = self.watches[state.watch]
            for write in answer.writes:
                watch = wrote(
                    watch,
                    write,
                    side=side,
                    other=other,
                    db=self.db(state),
                    faults=self.faults(state),
                    traced=self.scope.traced,
                )
            state = state._replace(watch=self.watches.number(watch))
        if answer.side is side:
            return state
        if asked.side is Side.BOOKING:
            both = (self.sides.number(answer.side), state.calendar)
        else:
            both = (state.booking, self.sides.number(answer.side))
        booking, calendar = self._numbered(*both)
        return state._replace(booking=booking, calendar=calendar)

    def _numbered(self, booking: int, calendar: int) -> tuple[int, int]:
        key = (booking, calendar)
        found = self._pairs.get(key)
        if found is None:
            one, two = settled_numbers(self.sides[booking], self.sides[calendar])
            found = self._pairs[key] = (self.sides.number(one), self.sides.number(two))
        return found

    def _after(self, state: State, step: Step, *, crashes: bool) -> Iterator[tuple[str, State]]:
        """Where a step leads: first the deaths on its way, last where it lives."""
        if crashes and step.trail and self._may(state, Fault.CRASH):
            for at, db in enumerate((state.db, *step.trail[:-1])):
                yield f"calsync dies before commit {at + 1}", self._dead(state, db)
        db = step.trail[-1] if step.trail else state.db
        if step.place is not None:
            yield "", state._replace(db=db, process=2 * step.place.number + 1)
        elif step.memory is not None:
            yield "", self._answered(state._replace(db=db, process=2 * step.memory))
        else:
            # Its lease was taken over; the worker begins anew (``worker.control._broken``).
            yield "", state._replace(db=db, process=2 * self.fresh)

    def _answered(self, state: State) -> State:
        """An admin answers what the guard asked: yes, where the side is empty indeed."""
        memory = self.memory(state)
        held = memory.state
        if held is None or not held.halted or held.approved:
            return state
        empty = next((s for s in Side if f"the {s.value} side shows no" in held.halted), None)
        yes = empty is not None and not self.side(state, empty).live()
        told = replace(held, halted="", approved=yes, error="")
        db = replace(self.db(state), state=told)
        return state._replace(
            db=self.engine.dbs.number(db),
            process=2 * self.engine.memories.number(replace(memory, state=told)),
        )

    # -- misfortune -------------------------------------------------------------------------

    def _trouble(self, state: State, place: Place) -> Iterator[tuple[Event, State]]:
        if not self.scope.faults or state.struck.bit_count() >= self.scope.misfortunes:
            return
        key = self._key(state, place.asked)
        if self._may(state, Fault.CRASH):
            yield "calsync dies before the call", self._dead(state, state.db)
            if place.asked.method == "apply":
                cut = self._cut.get(key)
                if cut is None:
                    cut = list(cut_short(self.sides[key[0]], place.asked.effects, key[2]))
                    self._cut[key] = cut
                for answer in cut:
                    here = self._with_side(state, place.asked, answer)
                    yield (place.asked, answer), self._dead(here, here.db)
        if self._may(state, Fault.STALLED):
            bit = 1 << _FAULTS.index(Fault.STALLED)
            yield (
                "calsync stalls before the call; another starts",
                state._replace(
                    stalled=place.number + 1, process=2 * self.fresh, struck=state.struck | bit
                ),
            )
        bad = self._bad.get(key)
        if bad is None:
            bad = list(misfortunes(self.sides[key[0]], place.asked, key[2]))
            self._bad[key] = bad
        for answer in bad:
            if answer.fault is not None and self._may(state, answer.fault):
                yield from self._answer(state, place, answer)

    def _dead(self, state: State, db: int) -> State:
        bit = 1 << _FAULTS.index(Fault.CRASH)
        return state._replace(db=db, process=2 * self.fresh, struck=state.struck | bit)

    def _wake(self, state: State) -> tuple[Event, State]:
        """The stalled process goes on with its call. It holds no lease any more: its next commit
        fails, and it ends."""
        place = self.engine.places[state.stalled - 1]
        answer = self._plainly(state, place.asked)
        here = self._with_side(state, place.asked, answer)
        number = self.answers.number(answer.result)
        step = self.engine.send(place, here.db, number, answer.result)
        db = step.trail[-1] if step.trail else here.db
        stalled = 0 if step.place is None else step.place.number + 1
        text = f"the stalled one goes on: {place.asked}"
        return text, here._replace(db=db, stalled=stalled)
