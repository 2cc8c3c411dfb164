"""The nightly purge over the platform's own bookings: what goes when, and what stays as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.hub.desk import Precondition, Shown
from calsync.bootstrap import Home, open_home, purge_now
from calsync.model import Room
from calsync.settings import parse

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
ADA = {"name": "Ada Canary", "email": "ada@canary.example"}


class Clock:
    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = open_home(parse(f'[database]\nurl = "sqlite:///{tmp_path}/calsync.db"'), Clock())
    made.bookings.put_room(Room(id="r", name="R", zone="UTC"))
    made.bookings.set_titles("r", True)
    yield made
    made.close()


def book(home: Home, start: str, **more: Any) -> str:
    doc = {"start": start, "duration": "PT1H", "title": "Canary", "bookedBy": ADA, **more}
    made = home.bookings.create("r", doc)
    assert isinstance(made, Shown)
    return made.booking.id


def later(home: Home, **span: float) -> None:
    assert isinstance(home.clock, Clock)
    home.clock.at += timedelta(**span)


def named(home: Home, booking_id: str) -> bool:
    held = home.bookings.booking(booking_id).booking
    return held.content.title == "Canary" and held.person.name == "Ada Canary"


def bare(home: Home, booking_id: str) -> bool:
    held = home.bookings.booking(booking_id).booking
    return held.content.title is None and not held.person.name and not held.person.address


def kept(home: Home) -> bytes:
    assert home.db.path is not None
    files = home.db.path.parent.glob("calsync.db*")
    return b"".join(path.read_bytes() for path in files)


def test_what_is_over_loses_its_title_and_person_and_looks_the_same_to_sync(home: Home) -> None:
    over, coming = book(home, "2026-11-21T09:00:00"), book(home, "2026-12-30T09:00:00")
    was = home.bookings.booking(over).booking
    later(home, days=31)
    purge_now(home)
    assert named(home, over), "its time was not over yet: it counts from the end"
    later(home, days=1)
    purge_now(home)
    now = home.bookings.booking(over).booking
    assert bare(home, over)
    assert named(home, coming)
    assert (now.fingerprint, now.revision, now.content_revision, now.mark) == (
        was.fingerprint, was.revision, was.content_revision, was.mark,
    )  # fmt: skip


def test_what_was_given_up_counts_from_then_though_its_end_lies_years_ahead(home: Home) -> None:
    far = book(home, "2028-11-22T09:00:00")
    endless = book(home, "2026-11-23T09:00:00", rrule="FREQ=WEEKLY")
    stands = book(home, "2026-11-24T09:00:00", rrule="FREQ=WEEKLY")
    for one in (far, endless):
        home.bookings.cancel(one, Precondition())
    later(home, days=29)
    purge_now(home)
    assert named(home, far)
    later(home, days=2)
    purge_now(home)
    assert bare(home, far)
    assert bare(home, endless)
    assert named(home, stands)


def test_a_series_loses_the_titles_of_its_dates_too(home: Home) -> None:
    dates = {"2026-11-22T09:00:00": {"title": "Other canary"}}
    one = book(home, "2026-11-21T09:00:00", rrule="FREQ=DAILY;COUNT=3", recurrenceOverrides=dates)
    assert b"Other canary" in kept(home)
    later(home, days=40)
    purge_now(home)
    assert bare(home, one)
    assert b"Other canary" not in kept(home)


def test_later_the_booking_itself_goes(home: Home) -> None:
    over, coming = book(home, "2026-11-21T09:00:00"), book(home, "2027-12-30T09:00:00")
    later(home, days=402)
    purge_now(home)
    with home.hub.read() as tx:
        assert set(tx.bookings([over, coming])) == {coming}


def test_many_go_in_short_transactions(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calsync.store.retention.BATCH", 3)
    for hour in range(10):
        book(home, f"2026-11-21T{hour + 8:02}:00:00")
    later(home, days=40)
    purge_now(home)
    assert b"Canary" not in kept(home)


def test_the_file_is_written_anew_once_and_the_log_emptied_each_time(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: list[bool] = []
    real = home.db.scrub

    def scrub(*, whole: bool = False, seen: list[bool] = whole) -> bool:
        seen.append(whole)
        return real(whole=whole)

    monkeypatch.setattr(home.db, "scrub", scrub)
    for _ in range(3):
        purge_now(home)
    assert whole == [True, False, False]
    assert home.db.path is not None
    log = home.db.path.with_name("calsync.db-wal")
    book(home, "2026-12-01T09:00:00")
    assert log.stat().st_size > 0
    purge_now(home)
    assert log.stat().st_size == 0


def test_while_somebody_reads_the_log_stays_and_the_next_purge_empties_it(
    home: Home, tmp_path: Path
) -> None:
    purge_now(home)
    book(home, "2026-12-01T09:00:00")
    reader = sqlite3.connect(tmp_path / "calsync.db")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM hub_booking").fetchall()
    book(home, "2026-12-02T09:00:00")
    home.db._busy_timeout = 0.1
    home.db.dispose()
    assert not home.db.scrub()
    reader.rollback()
    reader.close()
    assert home.db.scrub()
