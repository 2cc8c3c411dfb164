"""What is done every night is made up for where calsync did not run at that hour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from time import monotonic

import pytest

from calsync import bootstrap
from calsync.bootstrap import Home
from calsync.settings import parse
from calsync.store.nights import Nights
from calsync.worker import triggers as module
from calsync.worker.control import Worker

#: By this machine's clock, whose zone is its own affair.
NIGHT = datetime(2026, 11, 20).astimezone()


class Clock:
    def __init__(self) -> None:
        self.at = NIGHT

    def now(self) -> datetime:
        return self.at.astimezone(UTC)

    def monotonic(self) -> float:
        return (self.at - NIGHT).total_seconds()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    text = (
        f'[database]\nurl = "sqlite:///{tmp_path}/calsync.db"\n[worker]\nfull_compare_at = "03:00"'
    )
    made = bootstrap.open_home(parse(text), Clock())
    yield made
    made.close()


def starts(home: Home, at: datetime, *, wanted: set[str]) -> bool:
    """Whether a calsync that is started then, and stopped before the night, does just this of the
    nights' work."""
    assert isinstance(home.clock, Clock)
    home.clock.at = at
    done: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Worker, "compare", lambda _: done.add("compare"))
        patch.setattr(bootstrap, "purge", lambda *_, **__: done.add("purge"))
        worker, triggers = bootstrap.build_worker(bootstrap.connect(home))
        triggers.start()
        try:
            until = monotonic() + (5.0 if wanted else 0.3)
            while monotonic() < until and (not wanted or done != wanted):
                worker.step(0.05)
        finally:
            triggers.shutdown()
    return done == wanted


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timedelta(seconds=30) <= module._AFTER_START <= timedelta(minutes=5)
    monkeypatch.setattr(module, "_AFTER_START", timedelta())


def test_who_sleeps_every_night_forgets_all_the_same(home: Home) -> None:
    """A machine that is off, or restarted, at that hour: nothing was ever forgotten or compared."""
    day = NIGHT + timedelta(hours=9)
    assert starts(home, day, wanted=set()), "there was no night yet"
    assert starts(home, day + timedelta(hours=8), wanted=set())
    for days in (1, 2, 9):
        assert starts(home, day + timedelta(days=days), wanted={"compare", "purge"})
        assert starts(home, day + timedelta(days=days, hours=1), wanted=set())


def test_a_night_that_nobody_foresaw_ends_no_control_loop(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One row that cannot be read ended calsync every night; made up for, after every start."""

    def poisoned(*_: object, **__: object) -> None:
        raise ValueError("no occupancy")

    assert isinstance(home.clock, Clock)
    assert starts(home, NIGHT, wanted=set())
    home.clock.at = NIGHT + timedelta(days=1, hours=9)
    monkeypatch.setattr(bootstrap, "purge", poisoned)
    monkeypatch.setattr(Worker, "compare", lambda _: None)
    worker, triggers = bootstrap.build_worker(bootstrap.connect(home))
    triggers.start()
    try:
        until = monotonic() + 5
        while "nightly purge" not in caplog.text and monotonic() < until:
            worker.step(0.05)
    finally:
        triggers.shutdown()
    assert "ValueError" in caplog.text
    assert not Nights(home.db, home.clock).missed("purge", time(4)), (
        "the next night, not each start"
    )


def test_only_what_was_missed_is_made_up_for(home: Home) -> None:
    nights = Nights(home.db, home.clock)
    assert isinstance(home.clock, Clock)
    assert starts(home, NIGHT, wanted=set())
    home.clock.at = NIGHT + timedelta(hours=3)
    nights.note("compare")
    assert starts(home, NIGHT + timedelta(hours=3, minutes=30), wanted=set())
    assert starts(home, NIGHT + timedelta(hours=5), wanted={"purge"})


@pytest.mark.parametrize(
    ("done", "now", "missed"),
    [
        (timedelta(hours=2, minutes=59), timedelta(hours=3, minutes=1), False),
        (timedelta(hours=2, minutes=50), timedelta(hours=3, minutes=1), True),
        (timedelta(hours=2, minutes=50), timedelta(hours=2, minutes=59), False),
        (timedelta(days=400), timedelta(hours=2), True),
    ],
    ids=["a little early", "before the hour", "not due yet", "by a clock that was wrong"],
)
def test_what_counts_as_missed(home: Home, done: timedelta, now: timedelta, missed: bool) -> None:
    nights = Nights(home.db, home.clock)
    assert isinstance(home.clock, Clock)
    home.clock.at = NIGHT + done
    nights.note("purge")
    home.clock.at = NIGHT + now
    assert nights.missed("purge", time(3)) is missed
