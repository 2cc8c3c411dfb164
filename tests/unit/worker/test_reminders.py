"""Bookings about to start: what is looked up when, and that nothing idle is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from calsync.engine import reminders
from calsync.engine.context import Context
from calsync.engine.reminders import Reminders
from calsync.mapping.expand import instances
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Busy,
    Frequency,
    Half,
    Link,
    LinkState,
    Notice,
    NoticeKind,
    Occupancy,
    Pair,
    Person,
    Presence,
    Recurrence,
    Rule,
    Side,
)
from calsync.ports import RoomState

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
PAIR = Pair(id="p1", room_id="r1", connection="c", mailbox="m@x.example", zone="Europe/Berlin")


class Clock:
    at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


class Ledger:
    """The part of a store that reminders ask."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self.stored: dict[str, int] = {}
        self.read: list[str] = []
        self.told: list[Notice] = []
        self.doubtful: list[Notice] = []

    def put(self, link: Link) -> None:
        self.links[link.id] = link
        self.stored[link.id] = self.stored.get(link.id, 0) + 1

    def coming(self, now: datetime, ahead: timedelta) -> list[tuple[str, int]]:
        return list(self.stored.items())

    def links_by_id(self, ids: Sequence[str]) -> list[Link]:
        self.read += ids
        return [self.links[one] for one in ids]

    def queue_notices(
        self, pair_id: str, notices: Sequence[Notice], *, doubtful: Sequence[Notice] = ()
    ) -> int:
        known = {(n.booking_key, n.revision) for n in (*self.told, *self.doubtful)}
        self.doubtful += doubtful
        fresh = [n for n in notices if (n.booking_key, n.revision) not in known]
        self.told += fresh
        return len(fresh)


class Watch:
    def __init__(self) -> None:
        self.clock, self.store = Clock(), Ledger()
        self.ctx = Context(
            store=self.store,  # type: ignore[arg-type]
            booking=None,  # type: ignore[arg-type]
            calendars={},
            clock=self.clock,
            owner="test",
            notices=frozenset(NoticeKind),
        )
        self.ctx.states["p1"] = RoomState(pair_id="p1", imported=True)
        self.reminders = Reminders(self.ctx)

    def look(self, minutes: float = 0.0) -> int:
        self.clock.at += timedelta(minutes=minutes)
        return self.reminders.look({"p1": PAIR})

    def starts(self) -> list[str]:
        return [one.revision for one in self.store.told]


@pytest.fixture
def watch() -> Watch:
    return Watch()


def booked(name: str, minutes: int, **more: Any) -> Link:
    start = (NOW + timedelta(minutes=minutes)).replace(tzinfo=None)
    base = Occupancy(start=start, end=start + timedelta(hours=1), zone="UTC")
    base = replace(base, **more.pop("content", {}))
    mark = fingerprint(base)
    half = Half(presence=Presence.PRESENT, fingerprint=mark, version="1")
    link = Link(
        id=name,
        pair_id="p1",
        origin=Side.BOOKING,
        booking=replace(half, key=name),
        event=replace(half, key=f"e{name}"),
        base=base,
        base_fingerprint=mark,
        person=Person("Ada", "ada@x.example"),
    )
    return replace(link, **more)


def test_told_from_the_lead_on_and_not_once_it_has_begun(watch: Watch) -> None:
    watch.store.put(booked("a", 30))
    assert [watch.look(), watch.look(19), watch.look(1), watch.look(5)] == [0, 0, 1, 0]
    assert watch.starts() == ["2026-12-01T09:30:00Z"]
    late = Watch()
    late.store.put(booked("a", 30))
    assert late.look(30) == 0, "it begins this very moment"


def test_a_start_that_another_part_of_the_booking_takes_over_is_told_once(watch: Watch) -> None:
    """The series was moved away, and then one of its dates, which stands apart in the calendar, to
    where it was. Seed 20757 of 200 steps."""
    series, part = booked("b7", 5), booked("b7#x20261203T0905", 5)
    watch.store.put(series)
    assert watch.look() == 1
    watch.store.put(replace(series, state=LinkState.BURIED))
    watch.store.put(replace(part, id="l2"))
    assert watch.look(1) == 0
    assert watch.starts() == ["2026-12-01T09:05:00Z"]


def test_what_a_life_forgotten_told_is_not_told_by_the_process_after_next(watch: Watch) -> None:
    """Nor what shows only to that one. The second process on a restored database finds one that was
    in use just now. Seeds 100235 and 2212 of 200 steps."""
    watch.store.put(booked("a", 5))
    watch.ctx.states["p1"] = RoomState(pair_id="p1", imported=True, woken_at=watch.clock.now())
    assert watch.look() == 0
    assert [one.link_id for one in watch.store.doubtful] == ["a"]
    watch.reminders = Reminders(watch.ctx)
    watch.store.put(booked("b", 6))
    assert watch.look(1) == 0
    assert [one.link_id for one in watch.store.doubtful[1:]] == ["a", "b"], "stood only now"
    watch.store.put(booked("c", 12))
    assert watch.look(2) == 1, "due since"
    assert watch.starts() == ["2026-12-01T09:12:00Z"]


def test_an_idle_look_reads_no_booking(watch: Watch) -> None:
    for number in range(50):
        watch.store.put(booked(f"b{number}", 600 + number))
    watch.look()
    watch.store.read.clear()
    for _ in range(20):
        assert watch.look(0.2) == 0
    assert watch.store.read == []
    watch.store.put(booked("b7", 12))
    watch.look()
    assert watch.store.read == ["b7"], "only what was stored anew"


def test_a_flood_is_read_in_parts(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reminders, "AT_ONCE", 20)
    for number in range(50):
        watch.store.put(booked(f"b{number}", 5))
    assert [watch.look() for _ in range(4)] == [20, 20, 10, 0]


def test_each_date_of_a_series_by_its_own_zone(watch: Watch) -> None:
    """Over the end of summer time: at nine in Berlin each day."""
    watch.clock.at = datetime(2027, 10, 30, 6, tzinfo=UTC)
    start = datetime(2027, 10, 30, 9)
    series = {
        "start": start,
        "end": start.replace(hour=10),
        "zone": "Europe/Berlin",
        "recurrence": Recurrence(rule=Rule(frequency=Frequency.DAILY)),
    }
    watch.store.put(booked("s", 0, content=series))
    for _ in range(6 * 50):
        watch.look(10)
    assert watch.starts() == [
        "2027-10-30T07:00:00Z",
        "2027-10-31T08:00:00Z",
        "2027-11-01T08:00:00Z",
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"content": {"busy": Busy.FREE}},
        {"pending": True},
        {"booking": Half(presence=Presence.GONE, key="a")},
        {"event": Half(presence=Presence.GONE, key="e")},
    ],
    ids=["free", "pending", "no booking", "no event"],
)
def test_what_takes_no_room_reminds_nobody(watch: Watch, more: dict[str, Any]) -> None:
    watch.store.put(booked("a", 5, **more))
    assert watch.look() == 0


def test_a_whole_day_reminds_nobody(watch: Watch) -> None:
    day = {
        "start": datetime(2026, 12, 2),
        "end": datetime(2026, 12, 3),
        "zone": None,
        "all_day": True,
    }
    watch.store.put(booked("a", 0, content=day))
    assert sum(watch.look(30) for _ in range(60)) == 0


def test_one_booking_that_cannot_be_worked_out_stops_no_other(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def expand(occupancy: Occupancy, *rest: Any) -> Any:
        if occupancy.title == "poison":
            raise OverflowError
        return instances(occupancy, *rest)

    monkeypatch.setattr(reminders, "instances", expand)
    watch.store.put(booked("a", 5, content={"title": "poison"}))
    watch.store.put(booked("b", 5))
    assert (watch.look(), watch.look()) == (1, 0)
    assert watch.store.read.count("a") == 1, "not again at each look"
    assert "link a" in caplog.text


def test_where_nobody_wants_it_nothing_is_looked_up(watch: Watch) -> None:
    watch.ctx.notices = frozenset({NoticeKind.CONFIRMED})
    watch.store.put(booked("a", 5))
    assert watch.look() == 0
    assert watch.store.read == []


def test_a_room_that_stands_still_tells_later(watch: Watch) -> None:
    watch.ctx.states["p1"] = RoomState(pair_id="p1", imported=True, halted="why?")
    watch.store.put(booked("a", 8))
    assert watch.look() == 0
    watch.ctx.states["p1"] = RoomState(pair_id="p1", imported=True)
    assert watch.look(1.5) == 1
