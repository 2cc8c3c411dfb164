"""What the judges of kills and soak make of writes whose answer calsync never heard."""

from __future__ import annotations

from datetime import timedelta

import pytest

from calsync.demo.judge import judge
from calsync.demo.records import Doubt
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
