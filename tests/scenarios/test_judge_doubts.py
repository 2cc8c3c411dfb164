"""What the judges of kills and soak make of writes whose answer calsync never heard."""

from __future__ import annotations

from datetime import timedelta

import pytest

from calsync.demo.judge import judge
from calsync.demo.records import Doubt
from calsync.sandbox.wishes import Instance, Op, apply
from soak.doubts import doubts
from tests.scenarios.judged import BEGIN, ROOM, Run, at, one


def moved_over_a_write() -> Run:
    """Moved on the platform, carried over, moved back by somebody who saw that; the platform's
    move stands in the end."""
    run = Run()
    run.act(1, "platform", "p1", {"set": [one(9)]})
    run.read(1.1)
    run.to_calendar(1.2, "p1", {"": one(9)})
    run.answer(1.3, "p1")
    run.act(5, "platform", "p1", {"time": one(11)}, saw={"": one(9)})
    run.read(5.1)
    run.to_calendar(5.2, "p1", {"": one(11)}, kind="change")
    run.act(6, "outlook", "p1", {"time": one(14)}, saw={"": one(11)})
    run.read(8)
    run.to_calendar(8.2, "p1", {"": one(11)}, kind="change")
    run.answer(8.3, "p1")
    return run


def test_the_last_act_in_sight_stands() -> None:
    run = moved_over_a_write()
    assert judge(run.end())["lost"] == 1


@pytest.mark.parametrize(("killed", "lost"), [(5.3, 0), (4.0, 1), (6.5, 1)])
def test_unless_calsync_died_over_its_own_write(killed: float, lost: int) -> None:
    run = moved_over_a_write()
    records = run.end()
    records.doubts = doubts(records, [BEGIN + timedelta(seconds=killed)])
    assert judge(records)["lost"] == lost
    assert bool(records.doubts) is (lost == 0)


def test_a_lost_reply_is_a_doubt_and_a_heard_one_is_none() -> None:
    run = moved_over_a_write()
    call = {
        "time": at(5.25),
        "method": "PATCH",
        "operation": "event",
        "path": "",
        "mailbox": ROOM.mailbox,
        "status": 0,
        "faults": ["reply_lost"],
    }
    run.records.calls.append(call)
    end = BEGIN + timedelta(seconds=8)
    begin = BEGIN + timedelta(seconds=5.2)
    assert doubts(run.records) == [Doubt(ROOM.mailbox, begin, end)]
    call["faults"] = ["stale_read"]
    assert doubts(run.records) == []


def test_an_act_after_the_next_reading_is_in_sight() -> None:
    run = moved_over_a_write()
    run.records.calls.sort(key=lambda call: str(call["time"]))
    run.read(5.6)
    records = run.end()
    records.calls.sort(key=lambda call: str(call["time"]))
    records.doubts = doubts(records, [BEGIN + timedelta(seconds=5.3)])
    assert judge(records)["lost"] == 1


def fought_and_gone_on() -> Run:
    """Retitled in the calendar over a write that calsync may not have heard of. Both have the new
    title then; in sight of it, and of one another, people of both sides go on."""
    run = Run()
    run.act(1, "platform", "p1", {"set": [one(9)]})
    run.read(1.1)
    run.to_calendar(1.2, "p1", {"": one(9)})
    run.act(2, "outlook", "p1", {"title": "Plans"}, saw={"": one(9)})
    now = one(9, title="Plans")
    carry_to_platform(run, 3, now)
    ops: list[tuple[str, Op]] = [
        ("platform", {"title": "Budget"}),
        ("outlook", {"time": one(12)}),
        ("outlook", {"title": "Goals"}),
        ("platform", {"time": one(14)}),
    ]
    for seconds, (side, op) in zip((5, 7, 9, 11), ops, strict=True):
        run.act(seconds, side, "p1", op, saw={"": now})
        now = apply(op, {"": now})[""]
        if side == "outlook":
            carry_to_platform(run, seconds, now)
        else:
            run.read(seconds + 0.1)
            run.to_calendar(seconds + 0.2, "p1", {"": now}, kind="change")
            run.answer(seconds + 0.3, "p1")
    assert now == one(14, title="Goals")
    return run


def carry_to_platform(run: Run, seconds: float, state: Instance) -> None:
    run.read(seconds + 0.1)
    run.change_on_platform(seconds + 0.2, "p1", {"": state})
    run.answer(seconds + 0.3, "p1")


@pytest.mark.parametrize(
    ("end", "lost"),
    [
        (one(14, title="Goals"), 0),
        (one(14, title="Budget"), 1),
        (one(12, title="Goals"), 1),
        (one(9, title="Plans"), 1),
    ],
)
def test_a_fight_is_over_once_somebody_acts_in_sight_of_what_came_of_it(
    end: Instance, lost: int
) -> None:
    """What was done since counts in its order. Taken for one long fight, all acts of one side came
    after all of the other's, and what really came of it was none of its ends."""
    run = fought_and_gone_on()
    run.read(12)
    for show in (run.change_on_platform, run.to_calendar):
        show(12.1, "p1", {"": end})
    records = run.end()
    records.doubts = doubts(records, [BEGIN + timedelta(seconds=1.3)])
    assert records.doubts
    found = judge(records)
    assert (found["lost"], found["edit_conflicts"]["happened"]) == (lost, 1), found["details"]
