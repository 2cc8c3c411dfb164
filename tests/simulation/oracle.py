"""The verdict: what must hold of both sides, whatever happened. Numbers are those of the
invariants in the project's reliability notes:

* at every write: 2 no lost booking, 4 no new double booking, 10 no regression;
* at every commit: 6 at most one notice for what a person asked;
* at rest: 1 convergence, 2 nothing vanished, no edit of one side lost, what lost is on record,
  3 no duplicates, 5 no echo, 8 quiescence, 11 the guard does not fire without cause.

The oracle looks at the two sides, at what people did, and at what calsync shows to people
(conflict records, notices, what is parked); never at how calsync came to it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from calsync.model import (
    Conflict,
    ConflictKind,
    Done,
    Effect,
    LinkState,
    Notice,
    NoticeKind,
    Occupancy,
    Outcome,
    Side,
)
from calsync.ports import Commit
from calsync.reconcile.setback import NEWEST
from tests.simulation.modes import Mode
from tests.simulation.people import Act, Kind, People, name_of, overlap, times
from tests.simulation.story import Story, words
from tests.support.memory_side import MemorySide
from tests.support.memory_store import MemoryStore
from tests.support.room import World


class Broken(AssertionError):
    """An invariant does not hold."""


def demand(holds: bool, invariant: str, what: object) -> None:
    if not holds:
        raise Broken(f"{invariant}: {what}")


class Oracle:
    """Watches ``world`` from its making on."""

    def __init__(self, world: World, people: People, mode: Mode, story: Story) -> None:
        self.world, self.people, self.mode, self.story = world, people, mode, story
        self._read_at = dict.fromkeys(Side, 0)
        self._written: dict[Side, set[int]] = {side: set() for side in Side}
        self._left: dict[str, set[str | None]] = {}
        self._unheard: set[tuple[Side, str]] = set()
        self._answered: set[tuple[str, int]] = set()
        self._untold: set[str] = set()
        self._round_acts = self._round_conflicts = self._round_writes = 0
        for side in (world.booking, world.calendar):
            self._watch_side(side)
        self._watch_store()

    # -- what is watched --------------------------------------------------------------------

    def _watch_side(self, port: MemorySide) -> None:
        real_pull, real_apply = port.pull, port._apply

        def pull(*args: object) -> object:
            self._read_at[port.side] = port.ticks
            return real_pull(*args)  # type: ignore[arg-type]

        def apply(effect: Effect) -> Outcome:
            target = f" {words(effect.target)}" if effect.target else ""
            self.story.tell("calsync", f"{effect.kind.value} {effect.key or ''}{target}")
            self._before_write(port, effect)
            ticks = port.ticks
            outcome = real_apply(effect)
            self._written[port.side].update(range(ticks + 1, port.ticks + 1))
            if effect.key is None and isinstance(outcome, Done):
                self._unheard.add((port.side, outcome.now.key))
            self.story.tell(port.side.value, f"-> {type(outcome).__name__.lower()}")
            return outcome

        port.pull = pull  # type: ignore[method-assign, assignment]
        port._apply = apply  # type: ignore[method-assign]

    def _watch_store(self) -> None:
        store = self.world.store
        real = store.commit

        def commit(step: Commit) -> None:
            before = len(store.ledger)
            real(step)
            heard = {(s, k) for lk in step.links for s in Side if (k := lk.half(s).key)}
            self._unheard -= {(s, k) for s, k in heard if k in self.world.side(s).live()}
            self._notices([s.notice for s in list(store.ledger.values())[before:]])

        store.commit = commit  # type: ignore[method-assign]

    # -- at every write ---------------------------------------------------------------------

    def _before_write(self, port: MemorySide, effect: Effect) -> None:
        item = port.items.get(effect.key or "")
        takes_effect = effect.key is None or (
            item is not None and not item.deleted and f"v{item.mark}" == effect.version
        )
        late = effect.id not in self.world.store.outbox
        # A stalled process may write what is not wanted any more: it is found, and taken back.
        if takes_effect and not late and effect.target is not None:
            self._no_regression(effect.target, carried=not effect.merged)
        if not takes_effect or not self.mode.sees:
            return
        if effect.target is not None:
            self._no_double_booking(port, effect)
        elif effect.kind.frees and not (effect.refusal and effect.refusal.dates):
            assert item is not None
            self._deleted_for_a_reason(port, item.occupancy)

    def _no_regression(self, target: Occupancy, *, carried: bool) -> None:
        """10: a state that people left, and whose successor was carried over, never comes back.
        (Half of a merge is not carried over yet.)"""
        name = name_of(target)
        left = self._left.setdefault(name, set())
        if name in self._restored():
            return
        demand(target.title not in left, "10 no regression", f"{words(target)} was left")
        title = target.title
        for act in reversed(self.people.acts) if carried else ():
            if act.name != name or act.before is None or act.after is None:
                continue
            if act.after.title == title != act.before.title:
                left.add(act.before.title)
                title = act.before.title

    def _no_double_booking(self, port: MemorySide, effect: Effect) -> None:
        """4: nothing is written onto time that calsync could know to be taken, also by what is
        parked and stands on this side alone."""
        assert effect.target is not None
        wanted = set(times(effect.target))
        if effect.key is not None:
            wanted -= set(times(port.items[effect.key].occupancy))
        for key, item in port.items.items():
            if item.deleted:
                continue
            known = item.mark <= self._read_at[port.side] or item.mark in self._written[port.side]
            same = key == effect.key or item.tag == effect.tag
            taken = any(one.meets(two) for one in wanted for two in times(item.occupancy))
            taken = taken and not self._in_a_ring(port, effect, item.occupancy)
            demand(
                same or not known or not taken,
                "4 no new double booking",
                f"{words(effect.target)} onto {words(item.occupancy)} on the {port.side} side",
            )

    def _in_a_ring(self, port: MemorySide, effect: Effect, taken: Occupancy) -> bool:
        """True where people let bookings change places on the other side. One of them has to move
        first, since nothing can move two at once."""
        if effect.key is None:
            return False
        place, ahead, met = port.items[effect.key].occupancy, [taken], [taken]
        while ahead:
            name = name_of(ahead.pop())
            aims = [
                a.after for a in self.people.acts if (a.name, a.side) == (name, port.side.other)
            ]
            for aim in (a for a in aims if a is not None):
                if overlap(aim, place):
                    return True
                others = [o for o in port.live().values() if o not in met and overlap(o, aim)]
                ahead += others
                met += others
        return False

    def _deleted_for_a_reason(self, port: MemorySide, occ: Occupancy) -> None:
        """2: calsync deletes what people deleted, or what lost and is kept on record."""
        name = name_of(occ)
        lost = any(name in _names(c) for c in self.world.store.conflicts)
        demand(
            lost or any(a.kind is Kind.CANCEL and a.name == name for a in self.people.acts),
            "2 no lost booking",
            f"{words(occ)} deleted on the {port.side} side, and nobody deleted it",
        )

    # -- at every commit --------------------------------------------------------------------

    def _notices(self, notices: Iterable[Notice]) -> None:
        """6: one answer to each thing that a person did to a booking."""
        for notice in notices:
            key = notice.booking_key
            self.story.tell("notice", f"{key}: {notice.kind.value} {words(notice.occupancy)}")
            marks = [a.mark for a in self.people.acts if (a.side, a.key) == (Side.BOOKING, key)]
            asked = bisect_right(marks, int(notice.revision.removeprefix("v")))
            demand(asked > 0, "6 notices", f"{key} is told what nobody asked")
            if self.mode.sees:
                demand((key, asked) not in self._answered, "6 notices", f"{key} answered twice")
            self._answered.add((key, asked))

    # -- at rest ----------------------------------------------------------------------------

    def begin_round(self) -> None:
        self._round_acts = len(self.people.acts)
        self._round_conflicts = len(self.world.store.conflicts)
        self._round_writes = self._writes()

    def judge(self) -> None:
        """Everything that must hold once trouble is over and nothing is left to do."""
        parked = self._parked()
        acts = self.people.acts[self._round_acts :]
        self._converged(parked)
        self._nothing_vanished(parked)
        for name in {a.name for a in acts} - parked:
            self._acts_survive([a for a in acts if a.name == name])
        self._answers(parked)
        self._no_echo(len(acts))

    def _parked(self) -> set[str]:
        """Names that wait for a person: nothing is promised of them but that they are kept."""
        return {
            name_of(occ)
            for link in self.world.store.links(self.world.pair.id)
            if link.state is LinkState.PARKED
            for occ in (link.base, link.booking.seen, link.event.seen)
            if occ is not None
        }

    def _converged(self, parked: set[str]) -> None:
        """1 both sides show the same; 3 each booking once; 4 nothing overlaps."""
        shown = {s: [o for o in self.world.shown(s) if name_of(o) not in parked] for s in Side}
        demand(
            shown[Side.BOOKING] == shown[Side.CALENDAR],
            "1 convergence",
            {s.value: [words(o) for o in v] for s, v in shown.items()},
        )
        for side in Side:
            counts = Counter(name_of(o) for o in self.world.shown(side))
            doubled = [n for n, c in counts.items() if c > 1 and n not in self._twice() | parked]
            demand(not doubled, "3 no duplicates", f"{doubled} on the {side} side")
        here = shown[Side.BOOKING]
        meeting = [
            (words(a), words(b))
            for i, a in enumerate(here)
            for b in here[i + 1 :]
            if overlap(a, b) and not (name_of(a) == name_of(b) and name_of(a) in self._twice())
        ]
        demand(not meeting, "4 no double booking at rest", meeting)

    def _nothing_vanished(self, parked: set[str]) -> None:
        """2: what nobody deleted and nothing beat is there."""
        here = {name_of(o) for o in self.world.shown(Side.BOOKING)} | parked
        deleted = {a.name for a in self.people.acts if a.kind is Kind.CANCEL}
        lost = {name for c in self.world.store.conflicts for name in _names(c)}
        gone = {a.name for a in self.people.acts} - here - deleted - lost
        demand(not gone, "2 no lost booking", f"{sorted(gone)} vanished")

    def _acts_survive(self, acts: list[Act]) -> None:
        """2: of each act, every part that nobody overruled in sight of it is in the end state,
        or is kept in a conflict record."""
        if any(a.kind is Kind.RESTORE for a in acts):
            return  # People who restore old states beside new ones: only 1, 3 and 4 hold.
        unheard = {(a.side, a.key) for a in acts if a.after is None} & self._unheard
        if unheard or acts[0].name in self._twice():
            return  # Made, its reply lost, and cancelled at once: nobody can know what it showed.
        end = next((o for o in self.world.shown(Side.BOOKING) if name_of(o) == acts[0].name), None)
        records = self.world.store.conflicts[self._round_conflicts :]
        records = [c for c in records if acts[0].name in _names(c)]
        for number, act in enumerate(acts):
            # Who goes back to an earlier state (A-B-A) changed nothing in the end.
            parts = _parts(act).difference(
                *(_features(a.before) for a in acts[:number] if a.before)
            )
            for later in acts[number + 1 :]:
                parts -= _overruled(parts, later)
            missing = {p for p in parts if not _holds(end, p)}
            deletion = act.after is None and any(
                c.kind is ConflictKind.DELETE_EDIT for c in records
            )
            kept = deletion or all(any(_holds(c.lost, p) for c in records) for p in missing)
            demand(
                kept,
                "2 no act is lost in silence",
                f"{act.key} {act.kind.value} {words(act.before)} -> {words(act.after)} on the "
                f"{act.side} side, in the end {words(end)}; records: "
                f"{[(c.kind.value, words(c.lost)) for c in records]}",
            )

    def _answers(self, parked: set[str]) -> None:
        """6: nobody waits for ever; who lost the room was told; who was told yes has it."""
        told: dict[str, Notice] = {}
        for stored in self.world.store.ledger.values():
            told[stored.notice.booking_key] = stored.notice
        for key in {a.key for a in self.people.acts if a.side is Side.BOOKING and a.asks}:
            item = self.world.booking.items[key]
            name, last = name_of(item.occupancy), told.get(key)
            if name in parked:
                continue
            demand(item.deleted or not item.pending, "6 notices", f"{key} still waits")
            cancelled = any(a.kind is Kind.CANCEL and a.name == name for a in self.people.acts)
            if self.mode.zombie:
                continue  # It may have been answered by a process that nobody listened to any more.
            if item.deleted and not cancelled:
                demand(
                    last is not None and last.kind is NoticeKind.REJECTED,
                    "6 notices",
                    f"{key} is gone, and its owner was told {last and last.kind.value}",
                )
            if not item.deleted and name not in self._restored() and key not in self._untold:
                demand(last is not None, "6 notices", f"{key} stands, and nobody was told")

    def _twice(self) -> set[str]:
        """Who restores one while the other is being made, unseen, may have two from then on; and
        who restores two former lives of one booking that differ."""
        if self.mode.midway or self.mode.zombie:
            return self._restored()
        acts = [a for a in self.people.acts if a.kind is Kind.RESTORE]
        back = {side: [a for a in acts if a.side is side] for side in Side}
        return {
            one.name
            for one in back[Side.BOOKING]
            for other in back[Side.CALENDAR]
            if one.name == other.name and one.after != other.after
        }

    def _restored(self) -> set[str]:
        return {a.name for a in self.people.acts if a.kind is Kind.RESTORE}

    def _no_echo(self, acts: int) -> None:
        """5: an act costs one write on the other side; a conflict two more, or one a date."""
        if self.mode != type(self.mode)():
            return
        conflicts = len(self.world.store.conflicts) - self._round_conflicts
        writes = self._writes() - self._round_writes
        demand(writes <= acts + 2 * conflicts, "5 no echo", f"{writes} writes after {acts} acts")

    def quiet(self, cycle: Callable[..., object]) -> None:
        """8: nothing is written or noted by cycles at rest, nor by a full compare."""
        writes, rows = self._writes(), len(self.world.store.audit)
        for full in (False, False, True):
            cycle(full=full)
            demand(self._writes() == writes, "8 quiescence", f"a write at rest (full: {full})")
            demand(len(self.world.store.audit) == rows, "8 quiescence", "a journal row at rest")

    def resync(self) -> None:
        """8: a database lost for good is made again from both sides without a write."""
        world = self.world
        if self._parked() or any(i.pending and not i.deleted for i in world.booking.items.values()):
            return
        writes = self._writes()
        world.store = MemoryStore([world.pair])
        world.restart()
        world.rest()
        demand(self._writes() == writes, "8 quiescence", "a resync from nothing writes")

    def halted(self, reason: str) -> bool:
        """11: the guard asks only when people emptied a side or did much. True: go on."""
        emptied = [s for s in Side if f"the {s.value} side shows no items" in reason]
        if emptied:
            gone = any(a.kind is Kind.CANCEL for a in self.people.acts)
            demand(gone, "11 guard", f"{reason}, and nobody deleted anything")
            empty = not self.world.side(emptied[0]).live()
            self._untold |= {a.key for a in self.people.acts if a.asks and empty}
            return empty
        acts = self.people.acts[self._round_acts :]
        if "restored from a backup" in reason:
            deleted = [a for a in acts if a.kind is Kind.CANCEL]
            demand(len(deleted) >= NEWEST, "11 guard", f"{reason}, and nobody deleted that much")
            # What a restored side shows is told to nobody: it may have been told before.
            self._untold |= {a.key for a in self.people.acts if a.asks}
            return True
        names = {a.name for a in acts}
        demand(len(names) > self.world.limits.floor, "11 guard", f"{reason}; touched: {names}")
        return True

    def _writes(self) -> int:
        return self.world.booking.writes + self.world.calendar.writes


def _names(conflict: Conflict) -> set[str]:
    return {name_of(conflict.lost)} if conflict.lost is not None else set()


# -- parts of an act ------------------------------------------------------------------------

#: ("title", value), ("time", start), ("without", date), or ("gone", None).
_Part = tuple[str, str | datetime | None]


def _parts(act: Act) -> set[_Part]:
    """What the act changed."""
    if act.after is None:
        return {("gone", None)}
    now, was = _features(act.after), _features(act.before) if act.before else set()
    return now - was


def _features(occ: Occupancy) -> set[_Part]:
    dates = occ.recurrence.excluded if occ.recurrence else ()
    return {("title", occ.title), ("time", occ.start), *(("without", d) for d in dates)}


def _holds(end: Occupancy | None, part: _Part) -> bool:
    return part == ("gone", None) if end is None else part in _features(end)


def _overruled(parts: set[_Part], later: Act) -> set[_Part]:
    """The parts that ``later`` changed while its author could see them."""
    if later.before is None:
        return set()
    visible = parts & _features(later.before)
    left = _features(later.after) if later.after else set()
    return visible - left
