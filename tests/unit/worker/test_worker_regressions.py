"""Notices and the worker's memory of rooms."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from calsync.engine.calls import run_inline
from calsync.engine.notify import deliver_notices
from calsync.errors import StoreError
from calsync.model import Later, Notice, NoticeKind, Person
from calsync.ports import Delivery, DeliveryReport, NoticeState, StoredNotice
from calsync.worker.control import Worker
from calsync.worker.plan import PollSettings
from tests.support.room import World, single


class Ledger:
    def __init__(self, n):
        self.rows = [
            StoredNotice(
                id=i,
                pair_id="p1",
                tries=0,
                state=NoticeState.QUEUED,
                notice=Notice(
                    kind=NoticeKind.CONFIRMED,
                    link_id=f"l{i}",
                    booking_key=f"b{i}",
                    revision="1",
                    person=Person("A", "a@x.example"),
                    occupancy=single(i),
                ),
            )
            for i in range(n)
        ]

    def claim_notices(self, limit, *, closed=()):
        queued = [r for r in self.rows if r.state is NoticeState.QUEUED]
        got = [r for r in queued if r.notice.channel not in closed][:limit]
        for r in got:
            self.rows[r.id] = replace(r, state=NoticeState.SENDING, tries=r.tries + 1)
        return [self.rows[r.id] for r in got]

    def settle_notice(self, id, state, reason="", *, wait=0.0):
        self.rows[id] = replace(self.rows[id], state=state)


class Mail:
    def __init__(self, report):
        self.report = report

    def deliver(self, *a):
        return self.report


def test_notices_that_were_never_tried_stay_queued_when_calsync_stops() -> None:
    """SIGTERM in the middle of a batch: only the one in the call may be doubtful."""
    w, ledger = World(), Ledger(5)
    steps = deliver_notices(
        ledger, Mail(DeliveryReport(delivery=Delivery.SENT)), pairs={"p1": w.pair}, rooms={}
    )
    next(steps)
    steps.close()
    assert [r.state for r in ledger.rows[1:]] == [NoticeState.QUEUED] * 4


def test_a_store_error_in_mid_batch_leaves_the_rest_queued() -> None:
    w, ledger = World(), Ledger(3)
    settle = ledger.settle_notice

    def busy(id, state, reason="", *, wait=0.0):
        if id == 0:
            raise StoreError("busy")
        settle(id, state, reason)

    ledger.settle_notice = busy
    with contextlib.suppress(StoreError):
        run_inline(
            deliver_notices(
                ledger, Mail(DeliveryReport(delivery=Delivery.SENT)), pairs={"p1": w.pair}, rooms={}
            )
        )
    assert [r.state for r in ledger.rows[1:]] == [NoticeState.QUEUED] * 2


def test_a_room_mapped_anew_is_worked_under_its_new_lease() -> None:
    """Unmapped and mapped again between two housekeepings: the fence in memory is void."""
    w = World()
    w.rest()
    worker = Worker(w.ctx, poll=PollSettings(), threads=1)
    worker._load_pairs()
    w.store.fences["p1"] += 1000
    w.calendar.put("e", single(1))
    w.tick()
    for _ in range(2):
        worker._timetable._set(worker._timetable.turns["p1"], worker._clock.monotonic())
        worker._start_due()
        while worker._in_call:
            worker._handle_one(1.0)
    worker._pool.close()
    assert len(w.booking.live()) == 1


def test_the_answer_of_a_replaced_job_is_not_given_to_its_successor() -> None:
    w = World()
    worker = Worker(w.ctx, poll=PollSettings(), threads=0)
    from calsync.engine.calls import Call

    got = []

    def job():
        got.append((yield Call("pull", lambda: "old")))

    worker._begin("p1", job())
    run, done = worker._pool._jobs.get()
    worker._begin("p1", job())
    done(run())
    worker._handle_one(1.0)
    assert got == []


@pytest.mark.parametrize(("slow", "left"), [(0.0, 60.0), (40.0, 20.0), (4000.0, 0.0)])
def test_a_wait_that_was_asked_for_in_mid_cycle_runs_from_then(slow: float, left: float) -> None:
    """Found by simulation (seed 201820): an hour that Exchange had asked for was counted from the
    end of the cycle, which was an hour later, and the room was not polled for another one."""
    w = World()
    w.rest()
    apply, pull = w.calendar.apply, w.calendar.pull

    def first_is_throttled(pair, effects):
        w.calendar.apply, w.calendar.pull = apply, after_a_while
        return [Later(60.0, "asked to wait"), *apply(pair, effects[1:])]

    def after_a_while(*asked):
        w.tick(slow)
        w.calendar.pull = pull
        return pull(*asked)

    w.calendar.apply = first_is_throttled
    for number in range(2):
        # Their people wait for an answer: the calendar is read once more before the cycle ends.
        w.booking.put(f"b{number}", single(number), pending=True)
    report = w.cycle()
    assert w.calendar.pull == pull
    assert report.wait == left


def test_a_channel_that_asked_to_be_left_alone_is_left_alone_from_then() -> None:
    w, ledger = World(), Ledger(2)
    ledger.rows[0] = replace(ledger.rows[0], notice=replace(ledger.rows[0].notice, channel="ops"))

    class Slow:
        def deliver(self, pair, room, notice):
            if notice.channel == "ops":
                return DeliveryReport(delivery=Delivery.NOT_SENT, retry_after=60.0)
            w.tick(40.0)
            return DeliveryReport(delivery=Delivery.SENT)

    steps = deliver_notices(
        *(ledger, Slow()), pairs={"p1": w.pair}, rooms={}, limit=2, monotonic=w.clock.monotonic
    )
    assert run_inline(steps).waits == {"ops": 20.0}
