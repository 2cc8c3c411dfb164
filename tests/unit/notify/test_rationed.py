"""The caps of a day: over a restart, for shared channels, and for every way to write an address."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import datetime

import pytest

from calsync.adapters.notify.rationed import Rationed
from calsync.model import Notice, NoticeKind, Occupancy, Pair, Person, Room
from calsync.ports import Delivery, DeliveryReport

AT = datetime(2026, 12, 1, 9)
PAIR = Pair(id="p1", room_id="r1", connection="c", mailbox="r1@x.example", zone="UTC")
NOTICE = Notice(
    kind=NoticeKind.CONFIRMED,
    link_id="l",
    booking_key="b",
    revision="1",
    person=Person("Ada", "ada@x.example"),
    occupancy=Occupancy(start=AT, end=AT.replace(hour=10), zone="UTC"),
)


class Channel:
    def __init__(self) -> None:
        self.sent = 0

    def deliver(self, pair: Pair, room: Room | None, notice: Notice) -> DeliveryReport:
        self.sent += 1
        return DeliveryReport(delivery=Delivery.SENT)


def sent(guard: Rationed, notice: Notice, times: int, pair: Pair = PAIR) -> int:
    reports = [guard.deliver(pair, None, notice) for _ in range(times)]
    return sum(one.delivery is Delivery.SENT for one in reports)


def test_what_left_before_a_restart_counts_for_as_long_as_it_is_of_the_day() -> None:
    now = [1000.0]
    before = [("p1", "mail", "ADA@x.example", 86400.0 - 10.0)] * 2 + [("p9", "mail", "a@b.c", 5.0)]
    guard = Rationed(
        Channel(), per_room=3, per_person=100, monotonic=lambda: now[0], before=lambda: before
    )
    assert sent(guard, NOTICE, 5) == 1
    now[0] += 11.0 + 900.0
    assert sent(guard, NOTICE, 5) == 2, "the two of yesterday are forgotten"


@pytest.mark.parametrize(("first", "left"), [(0.0, 87300.0), (899.0, 87300.0), (900.0, 88200.0)])
def test_a_notice_counts_for_a_day_and_until_its_quarter_of_an_hour_is_a_day_old(
    first: float, left: float
) -> None:
    now = [first]
    guard = Rationed(Channel(), per_room=1, per_person=9, monotonic=lambda: now[0])
    assert sent(guard, NOTICE, 2) == 1
    for now[0] in (first + 86400.0, left - 0.5):
        assert sent(guard, NOTICE, 2) == 0
    now[0] = left
    assert sent(guard, NOTICE, 2) == 1


def test_ten_thousand_people_told_once_cost_less_than_a_megabyte_and_a_half() -> None:
    guard = Rationed(
        Channel(), per_room=100_000, per_person=9, monotonic=lambda: 0.0, before=lambda: past
    )
    past = [("p1", "mail", f"booker-{n}@x.example", 60.0) for n in range(10_000)]
    tracemalloc.start()
    try:
        assert sent(guard, NOTICE, 1) == 1
        assert tracemalloc.get_traced_memory()[0] < 1.5e6
    finally:
        tracemalloc.stop()


def test_a_person_told_before_a_restart_is_the_same_person() -> None:
    before = [("p9", "mail", " Ada@X.example", 60.0)] * 2
    guard = Rationed(
        Channel(), per_room=9, per_person=2, monotonic=lambda: 0.0, before=lambda: before
    )
    assert sent(guard, NOTICE, 3) == 0


def test_a_shared_channel_is_no_person_and_has_the_cap_of_the_room_to_itself() -> None:
    guard = Rationed(Channel(), per_room=3, per_person=2, monotonic=lambda: 0.0)
    shared = replace(NOTICE, channel="ops", person=Person())
    assert sent(guard, shared, 9) == 3
    assert sent(guard, shared, 9, replace(PAIR, id="p2")) == 3
    assert sent(guard, NOTICE, 9) == 2


def test_the_past_is_asked_for_once_and_only_when_something_leaves() -> None:
    asked: list[int] = []

    def before() -> list[tuple[str, str, str, float]]:
        asked.append(1)
        return []

    guard = Rationed(Channel(), per_room=9, per_person=9, monotonic=lambda: 0.0, before=before)
    assert asked == []
    sent(guard, NOTICE, 3)
    assert asked == [1]
