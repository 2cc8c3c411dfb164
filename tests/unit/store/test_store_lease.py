"""One process per database."""

import os
import re
import signal
import subprocess
import sys

import pytest
from store_samples import NOW, FixedClock

import calsync.store.lease as module
from calsync.errors import AnotherProcess
from calsync.store.database import Database
from calsync.store.lease import LEASE, ProcessLease, holder


def test_the_second_is_told_who_the_first_is(db: Database, clock: FixedClock) -> None:
    ProcessLease(db, clock).acquire()
    with pytest.raises(AnotherProcess) as caught:
        ProcessLease(db, clock).acquire()
    text = str(caught.value)
    assert f"process {os.getpid()} on" in text
    assert "since 2026-11-20 09:00:00 UTC" in text
    assert re.search(r"kill \d+ .*\[database\] url", text)


def test_the_holder_may_acquire_again(db: Database, clock: FixedClock) -> None:
    lease = ProcessLease(db, clock)
    lease.acquire()
    lease.acquire()
    lease.renew()


def test_who_holds_it_can_be_asked(db: Database, clock: FixedClock) -> None:
    assert holder(db, clock) is None
    ProcessLease(db, clock).acquire()
    found = holder(db, clock)
    assert found is not None
    assert (found.pid, found.since) == (os.getpid(), NOW)
    clock.wait(seconds=31)
    assert holder(db, clock) is None


def test_a_released_lease_is_free(db: Database, clock: FixedClock) -> None:
    first = ProcessLease(db, clock)
    first.acquire()
    first.release()
    ProcessLease(db, clock).acquire()
    first.release()
    with pytest.raises(AnotherProcess):
        first.acquire()


def test_a_lease_that_is_not_renewed_runs_out(db: Database, clock: FixedClock) -> None:
    first, second = ProcessLease(db, clock), ProcessLease(db, clock)
    first.acquire()
    clock.wait(seconds=LEASE.total_seconds() - 1)
    with pytest.raises(AnotherProcess):
        second.acquire()
    clock.wait(seconds=1)
    second.acquire()
    with pytest.raises(AnotherProcess):
        first.renew()


def test_a_renewed_lease_lasts(db: Database, clock: FixedClock) -> None:
    first, second = ProcessLease(db, clock), ProcessLease(db, clock)
    first.acquire()
    for _ in range(5):
        clock.wait(seconds=20)
        first.renew()
    with pytest.raises(AnotherProcess):
        second.acquire()


_HOLD = """
import sys, time
sys.path.insert(0, sys.argv[2])
from store_samples import NOW, FixedClock
from calsync.store.database import Database
from calsync.store.lease import ProcessLease
ProcessLease(Database(sys.argv[1]), FixedClock()).acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_a_killed_owner_on_this_machine_is_noticed_at_once(db: Database, clock: FixedClock) -> None:
    url = f"sqlite:///{db.path}"
    here = os.path.dirname(__file__)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, url, here], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(AnotherProcess, match=f"process {holder.pid} on"):
            ProcessLease(db, clock).acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        ProcessLease(db, clock).acquire()


def test_a_number_given_to_another_program_since_is_not_the_owner(
    db: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ProcessLease(db, clock).acquire()
    monkeypatch.setattr(module, "_started", lambda pid: "started later")
    ProcessLease(db, clock).acquire()


def test_numbers_of_another_machine_say_nothing(
    db: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ProcessLease(db, clock).acquire()
    monkeypatch.setattr(module, "_place", lambda: "elsewhere")
    monkeypatch.setattr(module, "_started", lambda pid: "")
    with pytest.raises(AnotherProcess):
        ProcessLease(db, clock).acquire()


def test_without_proc_the_bare_number_decides(
    db: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_started", lambda pid: "")
    ProcessLease(db, clock).acquire()
    with pytest.raises(AnotherProcess):
        ProcessLease(db, clock).acquire()
    monkeypatch.setattr(module, "_runs", lambda pid: False)
    ProcessLease(db, clock).acquire()
