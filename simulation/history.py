"""One history, from its seed to its verdict."""

from __future__ import annotations

import logging
import os
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from random import Random

from requests.adapters import BaseAdapter

from calsync import bootstrap
from calsync.engine.cycle import CycleReport
from calsync.model import LinkState, Presence
from calsync.sandbox import Control
from calsync.sandbox.items import expand
from simulation.admin import Admin
from simulation.claim import Violation, demand
from simulation.clock import VirtualClock
from simulation.company import ZONES, Company, Place, found
from simulation.faults import Tally, Weather
from simulation.judge import Judge
from simulation.overwritten import Overwritten
from simulation.people import People
from simulation.platform import Both, PlatformWire, Served
from simulation.process import Died
from simulation.receiver import Receiver
from simulation.restores import Restores
from simulation.story import Story
from simulation.troubles import Troubles
from simulation.views import HIGH, LOW, Views
from simulation.wire import Wire

#: Steps between two times at which all is well again and the judge looks.
ROUND = 20
#: Seconds after which nothing asks for patience any more: a Retry-After is heeded for an hour.
HEALED_S = 3700.0
#: Polls of every room, a minute apart, by which both sides must agree and rest once all is well.
REST = 10
#: So many more where an item that nobody told of is doubted: for ten minutes, and then it is asked.
DOUBT = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which history: the same plan gives the same story.

    ``only``: the steps that take place (None: all); ``without``: faults that never strike;
    ``rooms``: at most so many. All three are for shrinking.
    """

    seed: int
    steps: int = 60
    calendar: str = "graph"
    database: str = "sqlite"
    booking: str = "hub"
    only: frozenset[int] | None = None
    without: frozenset[int] = frozenset()
    rooms: int = 3


@dataclass(slots=True, kw_only=True)
class Result:
    """``error`` is empty where every invariant held."""

    plan: Plan
    digest: str
    lines: list[str]
    error: str
    fired: Counter[tuple[int, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    acts: int = 0
    rests: Counter[int] = field(default_factory=Counter)
    halts: int = 0


def run(plan: Plan, folder: Path) -> Result:
    """The history of ``plan``. Never raises for what calsync did wrong: that is the result."""
    logging.disable(logging.CRITICAL)
    history = History(plan, folder)
    error = ""
    try:
        history.run()
    except Violation as violation:
        error = str(violation)
    except Exception as unforeseen:
        error = _unforeseen(unforeseen)
    finally:
        history.close()
    return Result(
        plan=plan,
        digest=history.story.digest,
        lines=history.story.lines,
        error=error,
        fired=history.tally.fired,
        calls=history.tally.calls,
        acts=len(history.people.acts),
        rests=history.rests,
        halts=history.halts,
    )


def run_lean(plan: Plan, folder: Path) -> Result:
    """Without its story, which is long, and can be had again from the seed."""
    return replace(run(plan, folder), lines=[])


def _unforeseen(error: Exception) -> str:
    trace = error.__traceback__
    where = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        where = f"{Path(code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"unforeseen {type(error).__name__} at {where}: {error}"


class History:
    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.story, self.tally = Story(), Tally()
        self.weather = Weather(plan.without)
        self.rng = Random(f"{plan.seed}/start")
        self.rests: Counter[int] = Counter()
        self.halts = 0
        self._were_hidden = 0
        self._ended: set[tuple[str, str]] = set()
        self._mute = False
        self._begun = False
        self._served: Served | None = None
        name = f"h{os.getpid()}"
        time = VirtualClock()
        self.receiver = Receiver(plan.seed, time, self.story)
        # A platform elsewhere tells its own listeners.
        self.receiver.there = self.receiver.there and plan.booking == "hub"
        self.company: Company = found(
            folder,
            name,
            seed=plan.seed,
            calendar=plan.calendar,
            database=plan.database,
            booking=plan.booking,
            chance=lambda: self.rng,
            before_write=self._before_write,
            after_write=self._after_write,
            on_report=self._on_report,
            wire=self._wire,
            carrier=self.receiver.carrier,
            time=time,
            serve=self._serve,
        )
        views = Views()
        self.people = People(self.company, views, self.weather, self.tally, self.story)
        self.overwritten = Overwritten(self.company, self.people)
        self.judge = Judge(self.company, self.people, views, self.story)
        self.admin = Admin(plan.seed, self.company, self.story)
        self.judge.overruled = lambda: self.admin.overruled(self.judge._link_names)
        self.judge.kept = lambda: self.admin.kept
        self.judge.hid = self._hid
        self.troubles = Troubles(
            self.company, self.people, self.weather, self.tally, self.story,
            Restores(self.company, self.judge, self.story),
        )  # fmt: skip
        self._settle_in()
        self._begun = True

    def _wire(self, time: VirtualClock, control: Control, point: object) -> BaseAdapter:
        assert callable(point)
        tenant = Wire(
            control, time, self.weather, self.tally, self.story,
            rng=lambda: self.rng, midway=self._midway, watch=lambda: self.overwritten, point=point,
        )  # fmt: skip
        if self._served is None:
            return tenant
        platform = PlatformWire(
            self._served, time, self.weather, self.tally, self.story,
            rng=lambda: self.rng, later=control.world.later, point=point,
        )  # fmt: skip
        return Both(tenant, platform)

    def _serve(self, platform: bootstrap.Home | None) -> None:
        """The platform's API, anew where its database was set back."""
        if self._served is not None:
            self._served.close()
        self._served = Served(platform) if platform is not None else None

    def _settle_in(self) -> None:
        """Rooms as the seed has them, imported and at rest."""
        rng = self.rng
        world = self.company.control.world
        switches = _switches(rng)
        world.switches.set(switches)
        taken = {"delete": switches["if_match_delete"], "change": switches["if_match_patch"]}
        if self.plan.calendar == "ews":
            # UpdateItem has NeverOverwrite; DeleteItem knows no precondition that calsync sends.
            taken = {"delete": False, "change": True}
        self.overwritten.unconditional = {name for name, heeded in taken.items() if not heeded}
        # Such a feed says nothing at all of an item of which nothing is left in its window.
        self._mute = not switches["removed_outside_window"]
        rooms = min(self.plan.rooms, rng.choice((1, 1, 2, 3)))
        for number in range(rooms):
            zone, label = rng.choice(ZONES)
            place = Place(f"r{number}", f"r{number}@contoso.example", zone, label)
            with self.company.process.shelter():
                self.company.add_place(
                    place,
                    {
                        "AddOrganizerToSubject": rng.random() < 0.3,
                        "DeleteSubject": False,
                        "RemoveCanceledMeetings": rng.random() < 0.5,
                        "RemovePrivateProperty": rng.random() < 0.5,
                        "BookingWindowInDays": rng.choice((180, 1080)),
                        "MaximumConflictInstances": rng.choice((0, 1)),
                        "ConflictPercentageAllowed": rng.choice((0, 50)),
                    },
                )
        self.company.process.worker.housekeep()
        with self.company.process.shelter():
            self.receiver.register(self.company.home)
            self.admin.settle_in()
        self._rest()

    def close(self) -> None:
        self.company.close()
        if self._served is not None:
            self._served.close()

    # -- steps ------------------------------------------------------------------------------

    def run(self) -> None:
        plan = self.plan
        for step in range(1, plan.steps + 1):
            self.story.step = step
            if step % ROUND == 1:
                self.judge.begin_round()
                self.weather.change(Random(f"{plan.seed}/weather/{step}"))
            self.rng = Random(f"{plan.seed}/{step}")
            if plan.only is None or step in plan.only:
                self.troubles.keep(Random(f"{plan.seed}/backup/{step}"))
                self._guarded(self._step)
                self.judge.after_step()
            if step % ROUND == 0 or step == plan.steps:
                self._come_to_rest()
        back = any(number in (50, 62) for number, _ in self.tally.fired)
        self.receiver.judge(self.company.home, restored=back)

    def _step(self) -> None:
        rng, company = self.rng, self.company
        choice = rng.random()
        if choice < 0.42:
            self.people.act(rng)
            if rng.random() < 0.15:
                self.people.act(rng)
        elif choice < 0.84:
            company.time.forward(rng.choice((0.5, 5.0, 31.0, 61.0)))
            self._work(rng.choice((1, 2, 3, 8, 40)))
        elif choice < 0.89:
            company.time.forward(rng.choice((1.0, 60.0, 600.0, 7200.0, 86400.0)))
        elif choice < 0.94:
            self.troubles.world(rng)
        else:
            self.troubles.process(rng)
        if self.admin.asks and rng.random() < 0.2:
            self.admin.answer(rng)
        if company.stalled and rng.random() < 0.2:
            self.troubles.wake()
        self.troubles.hint(rng)
        if self.company.control.world.due:
            company.control.world.settle()

    def _work(self, calls: int) -> None:
        process = self.company.process
        if process.worker.stop.is_set() or not process.alive:
            self.company.start()
            process = self.company.process
        process.worker.housekeep()
        if self.rng.random() < 0.05:
            process.worker.compare()
        process.run(calls)
        self.receiver.serve(process.home)

    def _guarded(self, step: object) -> None:
        assert callable(step)
        try:
            step()
        except Died as died:
            self.story.tell("process", f"dies {died}")
            self._restart()

    def _restart(self) -> None:
        self.company.process.vanish()
        if self.troubles.lose_commit:
            # It died of something else, before the commit that would have been lost.
            self.troubles.lost_state = None
        if self.troubles.lost_state is not None:
            for stalled in self.company.stalled:
                stalled.vanish()
            self.company.stalled.clear()
            self.company.database.restore(
                self.company.folder, self.company.name, self.troubles.lost_state
            )
            self.troubles.lost_state = None
            self.story.tell("process", "its last commit is lost")
        try:
            self.company.start()
        except Died as died:
            self.story.tell("process", f"dies {died}, as it starts")
            self._restart()

    def _on_report(self, report: CycleReport) -> None:
        did = [f"{report.effects} writes"] if report.effects else []
        did += [f"{c.kind.value} conflict" for c in report.conflicts]
        did += [report.error] if report.error else []
        if did:
            self.story.tell("calsync", "; ".join(did))

    def _before_write(self) -> None:
        if self._begun and self.troubles.lose_commit:
            self.troubles.lost_state = self.company.database.save(
                self.company.folder, self.company.name
            )

    def _after_write(self) -> None:
        if self._begun and self.troubles.lose_commit and self.troubles.lost_state is not None:
            self.troubles.lose_commit = False
            raise Died("and the machine with it")

    def _midway(self, operation: str, target: str) -> bool:
        """People act while a request is under way (faults 29 and 45)."""
        place = next(
            (
                p
                for p in self.company.places
                if p.address in target or self.company.box(p).user_id in target
            ),
            None,
        )
        if place is not None and self._is_shut(place):
            return True
        if operation in ("change", "delete", "answer"):
            touched = place is not None and self.people.touch(self.rng, place.address)
            if touched and operation in self.overwritten.unconditional:
                self.people.unseen.add(self.people.acts[-1].name)
            return touched
        return self.people.act(self.rng, place)

    def _is_shut(self, place: Place) -> bool:
        """The room's permission may go while a cycle is under way: what is not found from then on
        is still there (fault 21)."""
        rng = Random(f"{self.plan.seed}/shut/{self.tally.calls.total()}")
        shuts = self.weather.about(21) and rng.random() < 0.3
        return shuts and self.troubles.shut(rng, place)

    # -- rest -------------------------------------------------------------------------------

    def _come_to_rest(self) -> None:
        self._guarded(self.troubles.heal)
        self.story.tell("world", "all is well again")
        self.company.time.forward(HEALED_S)
        self.company.control.world.settle()
        if self.judge.restored:
            self._look_through()
        self._rest()
        if self.admin.asks:
            self._admin_decides()
        if (hidden := self._hidden()) > self._were_hidden:
            # A page that was empty by mistake and ended with a new cursor, a late copy of what the
            # feed told as changed, and a series that ended unsaid hide changes from everybody who
            # asked, for good: the daily compare finds them.
            self._were_hidden = hidden
            self._poll(full=True)
            self._rest()
        self.judge.after_step()
        self.judge.at_rest()
        self.judge.quiet(self._cycles)

    def _admin_decides(self) -> None:
        """What still waits is answered, as far as it can be, and every answer is carried out."""
        for _ in range(3):
            if not self.admin.answer(self.rng, most=20):
                break
            self._rest()
        waiting = self.company.home.requests.waiting()
        demand(not waiting, "answers are carried out", f"{len(waiting)} rooms still have some")

    def _look_through(self) -> None:
        """What docs/how-to/after-a-restore.md asks of the admin: ``sync --full``, and once more ten
        minutes later if calsync wants to look again."""
        self._poll(full=True)
        self.company.time.forward(660.0)

    def _hidden(self) -> int:
        struck = self._hid()
        if self.plan.calendar == "ews":
            # A state of EWS says nothing of what it never held: of our own create that was removed
            # before the next round, if the process that knew of it ended in between.
            struck += self._fired({57, 58, 59, 60, 62})
        return struck + (len(self._emptied()) if self._mute else 0)

    def _hid(self) -> int:
        """How many faults struck that may hide what people did before."""
        return self._fired({28, 30})

    def _fired(self, faults: set[int]) -> int:
        return sum(n for (number, _), n in self.tally.fired.items() if number in faults)

    def _emptied(self) -> set[tuple[str, str]]:
        """Items of which nothing is left in the window, or was when they went, or ever."""
        began = self.people.began()
        for place in self.company.places:
            box = self.company.box(place)
            for key, item in box.items.items():
                image = self.people.views.item(box, item)
                if image is None or all(end <= began for _, end in image.times):
                    self._ended.add((place.id, key))
            self._ended |= {
                (place.id, key)
                for key, item in box.tombs.items()
                if all(one.when.end_utc <= began for one in expand(item, LOW, HIGH))
            }
        return self._ended

    def _rest(self) -> None:
        """Polls until nothing is left to do; an admin answers what the guard asks."""
        doubted = 0
        for number in range(REST + DOUBT):
            doubted += self._doubts()
            if number >= REST and not doubted:
                break
            before, began = self.judge._writes(), self.company.home.clock.now()
            self._poll(full=False)
            if self._answered():
                continue
            if self.judge._writes() == before and self._settled(began):
                self.rests[number] += 1
                return
        demand(False, "1 convergence", f"no rest after {number} polls: {self._unrest()}")

    def _doubts(self) -> bool:
        """True where calsync says of a room that it looks at something again before it acts."""
        states = self.company.process.system.context.states.values()
        return any("looked at again" in state.error for state in states)

    def _settled(self, began: datetime) -> bool:
        """Every room was read since ``began``, and nothing is in doubt."""
        states = self.company.process.system.context.states.values()
        read = [s.synced_at is not None and s.synced_at >= began for s in states]
        wrong = any(s.error or s.halted for s in states)
        return (
            len(read) == len(self.company.places) and all(read) and not wrong and not self._open()
        )

    def _open(self) -> int:
        """Writes in doubt, and items that are to be read again: an item that may be another one,
        made anew, is known to be a second one only after two minutes. And answers of the admin,
        which wait for such a reading: they go on with the next poll."""
        with self.company.process.shelter():
            store = self.company.home.store
            pairs = store.pairs()
            unread = sum(
                link.state is LinkState.ACTIVE and link.event.presence is Presence.UNKNOWN
                for pair in pairs
                for link in store.unsettled(pair.id)
            )
            asked = len(self.company.home.requests.waiting())
            return asked + unread + sum(len(store.open_effects(pair.id)) for pair in pairs)

    def _unrest(self) -> str:
        states = self.company.process.system.context.states.values()
        what = [s.error or s.halted for s in states if s.error or s.halted]
        return (
            "; ".join(what)
            or f"{self._open()} effects, readings or answers open, writes {self.judge._writes()}"
        )

    def _poll(self, *, full: bool) -> None:
        """Let every room's next turn come, and all of its calls."""
        process = self.company.process
        if process.worker.stop.is_set() or not process.alive:
            self.company.start()
            process = self.company.process
        process.worker.housekeep()
        if full:
            process.worker.compare()
        due = process.rest_due()
        self.company.time.forward(max(61.0, (due or 0.0) - self.company.time.elapsed))
        for _ in range(20):
            process.run(400)
            if not process.calls.waiting:
                return

    def _cycles(self, full: bool) -> None:
        self._poll(full=full)

    def _answered(self) -> bool:
        """The admin looks at what the guard asks, and says yes to what people really did."""
        home = self.company.home
        halted = False
        with self.company.process.shelter():
            for state in home.store.states().values():
                if not state.halted:
                    continue
                halted = True
                self.halts += 1
                emptied = "shows no items" in state.halted
                pair = next(p for p in home.store.pairs() if p.id == state.pair_id)
                place = next(p for p in self.company.places if p.id == pair.room_id)
                trust = self.judge.trusted(
                    place, state.halted, Random(f"{self.plan.seed}/{self.story.step}")
                )
                if trust is not None:
                    self.story.tell("admin", f"trusts {trust.value}: {state.halted}")
                    home.mappings.rejoin(state.pair_id, trust)
                    continue
                yes = not emptied or self.judge.is_empty(place, state.halted)
                self.story.tell("admin", f"{'approves' if yes else 'resumes'}: {state.halted}")
                home.mappings.resume(state.pair_id, approve=yes)
        if halted:
            self.company.process.worker.housekeep()
        return halted


def _switches(rng: Random) -> dict[str, object]:
    """Facts that no public source confirms: each is drawn anew for every history."""
    return {
        "if_match_patch": rng.random() < 0.7,
        "if_match_delete": rng.random() < 0.8,
        "stale_status": rng.choice((412, 409)),
        "duplicate_status": rng.choice((409, 400)),
        "duplicate_existing_id": rng.random() < 0.5,
        "tag_reaches_room_copy": rng.random() < 0.5,
        "decline_removes_copy": rng.random() < 0.5,
        "decline_occurrence_allowed": rng.random() < 0.8,
        "decline_mails_unrequested": rng.random() < 0.5,
        "delete_by_attendee_tells_organizer": rng.random() < 0.5,
        "respond_delay_s": rng.choice((0.0, 0.0, 20.0)),
        "masters_in_delta": rng.random() < 0.5,
        "removed_outside_window": rng.random() < 0.5,
        "removed_occurrences_of_series": rng.random() < 0.5,
        "delta_repeats": rng.random() < 0.2,
        "delta_lag_s": rng.choice((0.0, 0.0, 0.0, 4.723)),
        "calendar_view_expands_tags": rng.random() < 0.5,
        "beta_members_in_v1": rng.random() < 0.5,
        "tentative_blocks": rng.random() < 0.5,
        "accept_recreates_copy": rng.random() < 0.2,
        "conflict_limits": rng.choice(("both", "either")),
        "attendant_delay_s": rng.choice((0.0, 0.0, 10.0)),
        "series_change_drops_exceptions": rng.random() < 0.7,
        "national_cloud": rng.random() < 0.1,
        "immutable_ids": rng.random() < 0.85,
        "ids_of_asked_form": rng.random() < 0.3,
    }
