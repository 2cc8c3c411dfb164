"""The control loop with real threads: rooms do not hold each other up, and it ends in time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from calsync.engine.context import Context, Span
from calsync.engine.cycle import CycleReport
from calsync.model import Pair, Pull, Side, Window
from calsync.reconcile.guard import Limits
from calsync.worker.control import Worker
from calsync.worker.plan import PollSettings
from tests.support.memory_side import MemorySide
from tests.support.memory_store import MemoryStore
from tests.support.room import single


class RealClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class ManyRooms:
    """A side a room, behind one port each; ``on_pull`` may hang or fail for a room."""

    def __init__(self, side: Side, pairs: list[Pair]) -> None:
        self._side = side
        self.by_pair = {p.id: MemorySide(side, random.Random(1)) for p in pairs}
        self.on_pull: Callable[[Pair], None] = lambda _: None

    @property
    def side(self) -> Side:
        return self._side

    @property
    def capabilities(self) -> object:
        return next(iter(self.by_pair.values())).capabilities

    def pull(self, pair: Pair, cursor: str | None, window: Window) -> Pull:
        self.on_pull(pair)
        return self.by_pair[pair.id].pull(pair, cursor, window)

    def __getattr__(self, name: str) -> object:
        if name in ("rooms", "resource_calendars"):
            return list
        return lambda pair, *rest: getattr(self.by_pair[pair.id], name)(pair, *rest)


class Rig:
    def __init__(self, rooms: int = 3, **poll: float) -> None:
        one = Pair(id="p0", room_id="r0", connection="c", mailbox="m0", zone="UTC")
        pairs = [replace(one, id=f"p{n}", room_id=f"r{n}", mailbox=f"m{n}") for n in range(rooms)]
        self.booking = ManyRooms(Side.BOOKING, pairs)
        self.calendar = ManyRooms(Side.CALENDAR, pairs)
        self.store = MemoryStore(pairs)
        ctx = Context(
            store=self.store,
            booking=self.booking,  # type: ignore[arg-type]
            calendars={"c": self.calendar},  # type: ignore[dict-item]
            clock=RealClock(),
            owner="t",
            span=Span(past_days=30, future_days=365),
            limits=Limits(),
        )
        self.reports: list[CycleReport] = []
        self.worker = Worker(
            ctx,
            poll=PollSettings(**({"floor": 0.05, "ceiling": 0.1} | poll)),
            threads=4,
            on_report=self.reports.append,
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.worker.run, kwargs={"grace": 0.5})
        thread.start()
        try:
            yield
        finally:
            self.worker.stop.set()
            self.worker.tick()
            thread.join(10)
            assert not thread.is_alive()

    def wait(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "it did not happen in time"
            time.sleep(0.005)


def test_all_rooms_are_kept_in_sync() -> None:
    rig = Rig()
    for n in range(3):
        rig.calendar.by_pair[f"p{n}"].put("e", single(n))
    with rig.running():
        rig.wait(lambda: all(s.live() for s in rig.booking.by_pair.values()))


def test_a_trigger_does_not_wait_for_the_poll() -> None:
    rig = Rig(floor=3600, ceiling=3600)
    with rig.running():
        rig.wait(lambda: len(rig.reports) == 3)
        rig.booking.by_pair["p1"].put("b", single(1))
        rig.worker.trigger("r1")
        rig.wait(lambda: bool(rig.calendar.by_pair["p1"].live()))


def test_a_poison_room_stops_only_itself() -> None:
    rig = Rig()

    def explode(pair: Pair) -> None:
        if pair.id == "p0":
            raise ZeroDivisionError("nobody foresaw this")

    rig.calendar.on_pull = explode
    with rig.running():
        rig.calendar.by_pair["p1"].put("e", single(1))
        rig.calendar.by_pair["p2"].put("e", single(1))
        rig.wait(lambda: bool(rig.booking.by_pair["p1"].live()))
        rig.wait(lambda: bool(rig.booking.by_pair["p2"].live()))
        rig.calendar.on_pull = lambda _: None
        rig.calendar.by_pair["p0"].put("e", single(1))
        rig.wait(lambda: bool(rig.booking.by_pair["p0"].live()))


def test_a_hanging_room_holds_up_neither_the_others_nor_the_end() -> None:
    rig = Rig()
    released = threading.Event()

    def hang(pair: Pair) -> None:
        if pair.id == "p0":
            released.wait(30)

    rig.calendar.on_pull = hang
    rig.calendar.by_pair["p1"].put("e", single(1))
    with rig.running():
        rig.wait(lambda: bool(rig.booking.by_pair["p1"].live()))
        began = time.monotonic()
    assert time.monotonic() - began < 3
    released.set()


def test_a_room_mapped_later_joins_without_a_restart() -> None:
    rig = Rig(rooms=2)
    late = rig.store.pair_list.pop()
    with rig.running():
        rig.wait(lambda: len(rig.reports) >= 1)
        rig.calendar.by_pair[late.id].put("e", single(1))
        rig.store.pair_list.append(late)
        rig.worker.housekeep()
        rig.wait(lambda: bool(rig.booking.by_pair[late.id].live()))


def test_the_admins_answer_reaches_a_halted_room() -> None:
    rig = Rig(rooms=1)
    side = rig.calendar.by_pair["p0"]
    for n in range(8):
        side.put(f"e{n}", single(n * 2))
    with rig.running():
        rig.wait(lambda: len(rig.booking.by_pair["p0"].live()) == 8)
        for n in range(7):
            side.remove(f"e{n}")
        rig.wait(lambda: bool(rig.store.states()["p0"].halted))
        assert len(rig.booking.by_pair["p0"].live()) == 8
        state = rig.store.state_map["p0"]
        rig.store.state_map["p0"] = replace(state, halted="", approved=True)
        rig.worker.housekeep()
        rig.wait(lambda: len(rig.booking.by_pair["p0"].live()) == 1)
