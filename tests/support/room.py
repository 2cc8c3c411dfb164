"""One room on two in-memory sides, with the real engine between them."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from calsync.engine.calls import run_inline
from calsync.engine.context import Context, Span
from calsync.engine.cycle import CycleReport, cycle
from calsync.model import Busy, Occupancy, Pair, Room, Side
from calsync.reconcile.guard import Limits
from calsync.reconcile.observe import LAG
from tests.support.memory_side import EPOCH, Faults, MemorySide
from tests.support.memory_store import MemoryStore

EMPTIED = ("the calendar side shows no", "the booking side shows no")
LACKS = "lacks its"
NO_GUARD = Limits(floor=10_000)
BASE_DAY = datetime(2026, 1, 5)


class TestClock:
    __test__ = False

    def __init__(self) -> None:
        self.at = EPOCH

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - EPOCH).total_seconds()


def single(slot: int, *, title: str | None = None, busy: Busy = Busy.BUSY) -> Occupancy:
    """An hour-long booking; slots do not overlap."""
    start = BASE_DAY + timedelta(hours=slot)
    return Occupancy(
        start=start, end=start + timedelta(hours=1), zone="UTC", title=title, busy=busy
    )


class World:
    """Two sides, a store, and the engine's context."""

    def __init__(self, seed: int = 0, limits: Limits = NO_GUARD, **pair: Any) -> None:
        self.rng = random.Random(seed)
        self.pair = Pair(
            id="p1", room_id="r1", connection="c", mailbox="r1@x.example", zone="UTC", **pair
        )
        rooms = [
            Room(id="r1", name="One", zone="UTC", building="B", capacity=4),
            Room(id="r2", name="Two", zone="UTC", building="B", capacity=6),
        ]
        self.booking = MemorySide(Side.BOOKING, self.rng, rooms)
        self.calendar = MemorySide(Side.CALENDAR, self.rng)
        self.store = MemoryStore([self.pair])
        self.clock = TestClock()
        self.limits = limits
        self.restart()

    def restart(self) -> None:
        """A new process on the same store."""
        self.ctx = Context(
            store=self.store,
            booking=self.booking,
            calendars={"c": self.calendar},
            clock=self.clock,
            owner="test",
            span=Span(past_days=30, future_days=365),
            limits=self.limits,
        )

    def side(self, side: Side) -> MemorySide:
        return self.booking if side is Side.BOOKING else self.calendar

    def tick(self, seconds: float = 1.0) -> None:
        self.clock.at += timedelta(seconds=seconds)
        for side in (self.booking, self.calendar):
            side.now = max(side.now, self.clock.at)

    def cycle(self, *, full: bool = False) -> CycleReport:
        self.tick()
        return run_inline(cycle(self.ctx, self.pair, full=full))

    def heal(self) -> None:
        self.booking.faults = Faults()
        self.calendar.faults = Faults()

    def rest(self, limit: int = 12) -> int:
        """Cycles until nothing is done any more; fails where that does not come. Time passes
        before: what was made and is gone already is believed to be gone by then."""
        self.tick(LAG.total_seconds())
        for number in range(limit):
            before = (self.booking.writes, self.calendar.writes)
            report = self.cycle()
            if report.error.startswith(EMPTIED):
                self.answer(report.error)
                continue
            if LACKS in report.error:
                # People did delete them, while no feed could tell.
                self.tick(self.limits.lag.total_seconds())
                state = replace(self.ctx.state(self.pair), approved=True, halted="")
                self.ctx.states[self.pair.id] = state
                continue
            assert report.halt is None, report.halt
            after = (self.booking.writes, self.calendar.writes)
            if before == after and not report.unsettled and not report.error:
                return number
        raise AssertionError(f"no rest after {limit} cycles: {report}")

    def answer(self, question: str) -> None:
        """The admin looks at the side that is said to be empty: approve if it is, else resume."""
        side = next(s for s in Side if f"the {s.value} side" in question)
        empty = not self.side(side).live()
        state = replace(self.ctx.state(self.pair), approved=empty, halted="")
        self.ctx.states[self.pair.id] = state

    def shown(self, side: Side) -> list[Occupancy]:
        return sorted(self.side(side).live().values(), key=repr)


__all__ = ["BASE_DAY", "UTC", "World", "single"]
