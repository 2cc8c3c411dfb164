"""The whole worker, its threads and timers, under a wall clock that is set back and forth, and
under a machine that slept: nothing is lost, doubled or delayed. Judged by both stores."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calsync import bootstrap
from calsync.settings import parse
from calsync.store.lease import ProcessLease
from calsync.worker.control import Worker
from tests.scenarios.fault_fixtures import firm  # noqa: F401 - fixture
from tests.scenarios.fault_kit import Company, Office, Taken, day, settings_text, taken, until


@dataclass(slots=True)
class Unsteady:
    """The machine's clock, with what somebody did to it. ``slept`` moves both of its hands."""

    wall: timedelta = field(default_factory=timedelta)
    slept: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.wall + self.slept

    def monotonic(self) -> float:
        return time.monotonic() + self.slept.total_seconds()


@dataclass(slots=True)
class Working:
    """A worker at work on one room, ``hall``, in this process."""

    office: Office
    clock: Unsteady
    worker: Worker
    wanted: Counter[Taken] = field(default_factory=Counter)
    number: int = 0

    def book(self) -> None:
        """A booking on either side, in days that lie in the window of every clock used here."""
        firm = self.office.firm  # noqa: F811 - the company, not the fixture
        mailbox = self.office.pair("hall").mailbox
        for side in ("outlook", "platform"):
            self.number += 1
            start = day(20 + self.number)
            self.wanted[taken(start)] += 1
            if side == "outlook":
                firm.book(mailbox, start)
            else:
                self.office.booking("hall", start)
                self.worker.trigger("hall")

    def equal(self, *, seconds: float = 8.0) -> None:
        """Both sides show all that people made, and nothing else."""
        mailbox = self.office.pair("hall").mailbox

        def holds() -> bool:
            return self.office.taken() == self.wanted == self.office.firm.taken(mailbox)

        until(holds, seconds=seconds, what=lambda: self.office.system.context.states)


@contextmanager
def working(firm: Company, folder: Path) -> Iterator[Working]:  # noqa: F811
    text = settings_text(firm, folder / "calsync.db", {"hall": firm.new_room()}, poll=1.0)
    settings, clock = parse(text), Unsteady()
    office = Office.__new__(Office)
    office.firm, office.settings = firm, settings
    office.home = bootstrap.open_home(settings, clock)
    office.system = bootstrap.connect(office.home)
    lease = ProcessLease(office.home.db, clock)
    lease.acquire()
    worker, triggers = bootstrap.build_worker(office.system, lease)
    thread = threading.Thread(target=worker.run, name="worker")
    thread.start()
    triggers.start()
    try:
        yield Working(office, clock, worker)
        assert thread.is_alive()
    finally:
        triggers.shutdown()
        worker.stop.set()
        worker.tick()
        thread.join(10)
        lease.release()
        firm.calm()
        office.close()
    assert not thread.is_alive()


JUMPS = {
    "an hour back, as by a wrong daylight saving": [timedelta(hours=-1)],
    "ten days ahead": [timedelta(days=10)],
    "to and fro": [timedelta(days=sign * 3) for sign in (1, -1, -1, 1)],
}


@pytest.mark.parametrize("jumps", JUMPS.values(), ids=JUMPS)
def test_a_wall_clock_that_is_set(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    jumps: list[timedelta],
) -> None:
    with working(firm, tmp_path) as made:
        made.book()
        made.equal()
        for jump in jumps:
            made.clock.wall += jump
            made.book()
            made.equal()
            # The nightly compare reads everything anew, under a window that moved.
            made.worker.compare()
            made.worker.housekeep()
            made.book()
            made.equal()
        before = firm.writes()
        time.sleep(1.2)
        assert firm.writes() == before


def test_a_machine_that_slept(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    """Both hands leap: every wait is over at once, tokens and leases are older than they look."""
    with working(firm, tmp_path) as made:
        made.book()
        made.equal()
        for hours in (0.2, 8.0, 60.0):
            made.book()
            made.clock.slept += timedelta(hours=hours)
            made.equal()
            made.book()
            made.equal()


def test_what_is_asked_to_wait_for_is_waited_for_by_the_steady_hand(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """A Retry-After of seconds ends on time although the clock is set back while it runs."""
    with working(firm, tmp_path) as made:
        made.book()
        made.equal()
        firm.fault("throttled", made.office.pair("hall").mailbox, params={"seconds": 2})
        until(lambda: firm.fired() >= 1)
        made.clock.wall -= timedelta(days=1)
        made.book()
        made.equal(seconds=6.0)
