"""The control loop: one thread that plans and changes state, and drives every cycle.

A cycle is a generator (``engine``). Its local calls run here; its blocking calls go to the
pool and come back as messages. So all state changes are in one order, and a room has at most
one call in flight.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from calsync.engine.calls import Call, Steps
from calsync.engine.context import Context
from calsync.engine.cycle import CycleReport, cycle
from calsync.engine.notify import Delivered, deliver_notices
from calsync.engine.reminders import Reminders
from calsync.errors import AnotherProcess, CalsyncError, SideError, StoreError
from calsync.model import Pair
from calsync.ports import Clock, Notifier
from calsync.worker.memory import calm_collector
from calsync.worker.plan import PollSettings, Timetable
from calsync.worker.pool import Pool

log = logging.getLogger("calsync.worker")

_NOTICES = "\x00notices"
#: Seconds between two words in the log about a channel of notices that is closed.
_SAY_EVERY = 3600.0


class Calls(Protocol):
    """Where blocking calls run: see ``pool``."""

    def submit(self, run: Callable[[], Any], done: Callable[[Any], None]) -> None: ...

    def close(self) -> None: ...


class Lease(Protocol):
    """The right of one process to work this database."""

    def renew(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Result:
    """What a call gave. ``steps``: the job it belongs to, which may have been replaced since."""

    job: str
    steps: Steps[Any]
    value: Any


@dataclass(frozen=True, slots=True)
class _Ask:
    """A message from another thread: do this on the control thread."""

    act: Callable[[], None]


class Worker:
    """Keeps the pairs of ``ctx.store`` in sync until ``stop`` is set.

    ``on_report`` is told of every cycle that did something (for views and tests);
    ``on_housekeeping`` is called with each housekeeping. ``on_pairs`` is told of all pairs, on the
    control thread, whenever they are not those of before.
    """

    def __init__(
        self,
        ctx: Context,
        *,
        poll: PollSettings,
        threads: int,
        lease: Lease | None = None,
        notifier: Notifier | None = None,
        clock: Clock | None = None,
        on_report: Callable[[CycleReport], None] | None = None,
        seed: int | None = None,
        pool: Calls | None = None,
        on_housekeeping: Callable[[], None] | None = None,
    ) -> None:
        self.ctx = ctx
        self.stop = threading.Event()
        self._clock = clock or ctx.clock
        self._lease, self._notifier = lease, notifier
        self._timetable = Timetable(poll)
        self._threads = threads
        self._pool: Calls = pool or Pool(threads)
        self._inbox: queue.SimpleQueue[_Result | _Ask] = queue.SimpleQueue()
        self._jobs: dict[str, Steps[Any]] = {}
        self._in_call: set[str] = set()
        self._pairs: dict[str, Pair] = {}
        self._by_room: dict[str, str] = {}
        self.on_report = on_report
        self.on_pairs: Callable[[Sequence[Pair]], None] | None = None
        self._on_housekeeping = on_housekeeping
        self._rng = random.Random(seed)
        self._notices_due = True
        #: Until when (monotonic) each channel of notices is left alone.
        self._closed: dict[str, float] = {}
        self._said: dict[str, float] = {}
        self._reminders = Reminders(ctx)
        #: When the loop last began a step, in monotonic seconds: whether it still runs.
        self.stepped = self._clock.monotonic()

    # -- from other threads -------------------------------------------------------------------

    def trigger(self, room_id: str) -> None:
        """The room changed, or may have: sync it now, not at its next poll."""
        self._post(lambda: self._trigger(room_id))

    def compare(self) -> None:
        """Start a full compare of every room."""
        self._post(lambda: self._timetable.compare_all(self._clock.monotonic()))

    def tick(self) -> None:
        """Wake up: start what is due."""
        self._post(lambda: None)

    def housekeep(self) -> None:
        """Renew the lease, save idle cursors, learn of rooms that were mapped or answered."""
        self._post(self._housekeep)

    def run_on_control(self, act: Callable[[], None]) -> None:
        """Have ``act`` done between two steps, where the state is nobody else's."""
        self._post(act)

    def _post(self, act: Callable[[], None]) -> None:
        self._inbox.put(_Ask(act))

    # -- the loop -----------------------------------------------------------------------------

    def run(self, grace: float = 3.0) -> None:
        """Work until ``stop``; then take in what the pool still answers within ``grace`` s."""
        calm_collector()
        self.recover()
        while not self.stop.is_set():
            self.step(self._patience())
        self._drain(grace)
        self._pool.close()
        self._guarded("saving cursors", self.ctx.save_idle)

    def step(self, timeout: float = 0.0) -> None:
        """Start what is due, and take in one message; ``timeout`` seconds to wait for it."""
        self.stepped = self._clock.monotonic()
        self._start_due()
        self._handle_one(timeout)

    @property
    def idle(self) -> bool:
        """Nothing to take in, and nothing due that could be started."""
        now, due = self._clock.monotonic(), self.next_due()
        full = len(self._jobs) >= self._capacity
        rooms_wait = due is not None and due <= now and not full
        return self._inbox.empty() and not rooms_wait and not self._notices_wait()

    def next_due(self) -> float | None:
        """When a room is due, in monotonic seconds."""
        return self._timetable.next_due()

    def recover(self) -> None:
        """Before the first step: what another process left behind."""
        self.ctx.wake()
        doubtful = self.ctx.store.doubt_notices()
        if doubtful:
            log.warning("%d notice(s) were being sent when calsync stopped: not resent", doubtful)
        self._load_pairs()

    def _patience(self) -> float:
        due = self._timetable.next_due()
        if due is None or len(self._jobs) >= self._capacity:
            return 1.0
        return min(1.0, max(0.0, due - self._clock.monotonic()))

    @property
    def _capacity(self) -> int:
        # A few more cycles than threads, so that the pool never starves while we plan.
        return self._threads + 4

    def _handle_one(self, timeout: float) -> None:
        try:
            message = self._inbox.get(timeout=timeout) if timeout > 0 else self._inbox.get_nowait()
        except queue.Empty:
            return
        match message:
            case _Result():
                self._take_in(message)
            case _Ask():
                self._guarded("a request", message.act)

    def _start_due(self) -> None:
        now = self._clock.monotonic()
        if self._notifier is not None and self._notices_wait():
            self._notices_due = False
            self._begin(_NOTICES, self._notices(self._notifier))
        while len(self._jobs) < self._capacity:
            turn = self._timetable.start(now)
            if turn is None:
                return
            pair = self._pairs.get(turn.pair_id)
            if pair is None:
                self._timetable.remove(turn.pair_id)
            else:
                self._begin(pair.id, cycle(self.ctx, pair, full=turn.full))

    def _notices_wait(self) -> bool:
        return self._notices_due and self._notifier is not None and _NOTICES not in self._jobs

    def _begin(self, job: str, steps: Steps[Any]) -> None:
        self._jobs[job] = steps
        self._advance(job, None)

    def _take_in(self, result: _Result) -> None:
        if self._jobs.get(result.job) is result.steps:
            self._in_call.discard(result.job)
            self._advance(result.job, result.value)

    def _advance(self, job: str, value: Any) -> None:
        """Drive one job until it needs the pool, or ends."""
        steps = self._jobs.get(job)
        if steps is None:
            return
        try:
            while True:
                call = steps.throw(value) if isinstance(value, BaseException) else steps.send(value)
                if self.stop.is_set():
                    # What is in the outbox is looked up on the next start.
                    steps.close()
                    del self._jobs[job]
                    return
                if not call.local:
                    self._in_call.add(job)
                    self._pool.submit(call.run, lambda v: self._inbox.put(_Result(job, steps, v)))
                    return
                try:
                    value = call.run()
                except Exception as error:
                    # Thrown into the generator at once: the cycle says what it means.
                    value = error
        except StopIteration as end:
            del self._jobs[job]
            self._finished(job, end.value)
        except StoreError as error:
            del self._jobs[job]
            self._broken(job, error)
        except Exception as error:
            # One poison room must not stop the others, whatever it is that went wrong.
            log.exception("room %s: a cycle failed in a way nobody foresaw", job)
            del self._jobs[job]
            self._broken(job, error)

    def _finished(self, job: str, value: Any) -> None:
        now = self._clock.monotonic()
        if job == _NOTICES:
            delivered: Delivered = value
            self._notices_due = bool(delivered.sent)
            for channel, wait in delivered.waits.items():
                self._closed[channel] = now + wait
                self._say_closed(channel, now)
            return
        report: CycleReport = value
        state = self.ctx.states.get(job)
        if report.halt is not None:
            log.warning("room %s was stopped, and waits for you: %s", job, report.halt.reason)
        if report.halt is not None or (state is not None and state.halted):
            self._timetable.hold(job, now)
        elif report.error:
            log.warning("room %s: %s", job, report.error)
            self._timetable.fail(job, now, jitter=self._rng.random(), wait=report.wait)
        else:
            self._timetable.finish(job, now, active=report.active, wait=report.wait)
        if report.effects:
            self._notices_due = True
        if self.on_report is not None:
            self.on_report(report)

    def _say_closed(self, channel: str, now: float) -> None:
        """Once an hour; the reason is with each notice."""
        if now - self._said.get(channel, float("-inf")) >= _SAY_EVERY:
            self._said[channel] = now
            log.warning("notices by %s do not leave: calsync status says why", channel)

    def _broken(self, job: str, error: Exception) -> None:
        if isinstance(error, CalsyncError):
            why = str(error)
            log.error("%s", why)
        else:
            why = f"something unforeseen went wrong ({type(error).__name__}); the log has it all"
        self.ctx.resting.discard(job)
        # The room may have been mapped anew: its lease is taken again at its next use.
        self.ctx.fences.pop(job, None)
        state = self.ctx.states.get(job)
        if state is not None:
            # Stored with the next housekeeping, where ``calsync status`` finds it.
            self.ctx.states[job] = replace(state, failures=state.failures + 1, error=why)
            self.ctx.unsaved.add(job)
        self._timetable.fail(job, self._clock.monotonic(), jitter=self._rng.random())

    def _drain(self, grace: float) -> None:
        """After SIGTERM: record the outcomes of calls that come back in time."""
        until = self._clock.monotonic() + grace
        while self._in_call and (left := until - self._clock.monotonic()) > 0:
            try:
                message = self._inbox.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(message, _Result):
                self._take_in(message)
        for steps in self._jobs.values():
            steps.close()

    # -- housekeeping -------------------------------------------------------------------------

    def _notices(self, notifier: Notifier) -> Steps[Delivered]:
        # None of ours is under way: whoever left one in the middle, be it a process that lost its
        # lease, ended between a mail and the word that it left. Nobody knows any more.
        self.ctx.store.doubt_notices(start=False)
        side = self.ctx.booking
        try:
            listed = yield Call("rooms", lambda: list(side.rooms()), side.capabilities.local)
        except SideError as error:
            # A message without the room's name is better than none.
            log.warning("the rooms cannot be listed: %s", error)
            listed = []
        rooms = {room.id: room for room in listed}
        now = self._clock.monotonic()
        self._closed = {name: until for name, until in self._closed.items() if until > now}
        return (
            yield from deliver_notices(
                *(self.ctx.store, notifier),
                pairs=self._pairs,
                rooms=rooms,
                closed=self._closed.keys(),
                now=self.ctx.clock.now,
                monotonic=self._clock.monotonic,
            )
        )

    def _trigger(self, room_id: str) -> None:
        pair_id = self._by_room.get(room_id)
        if pair_id is not None:
            self._timetable.trigger(pair_id, self._clock.monotonic())

    def _housekeep(self) -> None:
        if self._lease is not None:
            try:
                self._lease.renew()
            except AnotherProcess as error:
                log.error("%s", error)
                self.stop.set()
                return
        self.ctx.save_idle()
        self._load_pairs()
        for pair_id in self.ctx.hear():
            self._timetable.trigger(pair_id, self._clock.monotonic())
        if self._on_housekeeping is not None:
            self._on_housekeeping()
        if self._notifier is not None:
            self._reminders.look(self._pairs)
        self._notices_due = True

    def _load_pairs(self) -> None:
        now = self._clock.monotonic()
        stored = {pair.id: pair for pair in self.ctx.store.pairs()}
        for pair_id in self._pairs.keys() - stored.keys():
            self._timetable.remove(pair_id)
            self.ctx.forget(pair_id)
        for pair_id, pair in stored.items():
            self._timetable.add(pair_id, now)
            held = self._pairs.get(pair_id)
            if held is not None and (held.titles, held.zone) != (pair.titles, pair.zone):
                self.ctx.look_again(pair_id)
        anew, self._pairs = stored != self._pairs, stored
        self._by_room = {pair.room_id: pair.id for pair in stored.values()}
        if anew and self.on_pairs is not None:
            self.on_pairs(list(stored.values()))
        self._hear_answers()

    def _hear_answers(self) -> None:
        """The admin answers a guard's question in another process, through the database."""
        halted = [i for i, state in self.ctx.states.items() if state.halted]
        if halted:
            stored = self.ctx.store.states()
            self.ctx.states.update({i: stored[i] for i in halted if i in stored})

    def _guarded(self, what: str, act: Callable[[], None]) -> None:
        try:
            act()
        except StoreError as error:
            log.error("%s: %s", what, error)
