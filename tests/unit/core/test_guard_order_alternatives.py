"""The guard, the order of effects, and the rooms that are offered instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calsync.conflicts.alternatives import free_alternatives
from calsync.mapping.expand import ALWAYS, busy_intervals
from calsync.model import Effect, EffectKind, Interval, Occupancy, Room
from calsync.reconcile.guard import Limits, check, disruptive
from calsync.reconcile.order import in_order, waves

START = datetime(2026, 3, 2, 9)
OCC = Occupancy(start=START, end=START + timedelta(hours=1), zone="UTC")
LATER = replace(OCC, start=START + timedelta(hours=3), end=START + timedelta(hours=4))
LATEST = replace(OCC, start=START + timedelta(hours=5), end=START + timedelta(hours=6))
FREE = replace(OCC, start=START + timedelta(hours=7), end=START + timedelta(hours=8))


def times(occ: Occupancy) -> list[Interval]:
    return busy_intervals(occ, ALWAYS, "UTC")


def effect(kind: EffectKind, n: int = 0, **more: object) -> Effect:
    return Effect(id=f"e{n}", kind=kind, link_id=f"l{n}", revision=1, why="w", **more)  # type: ignore[arg-type]


def test_what_frees_goes_before_what_fills() -> None:
    create = effect(EffectKind.CREATE_EVENT, 1, target=OCC)
    move = effect(EffectKind.CHANGE_EVENT, 2, was=OCC, target=LATER)
    decline = effect(EffectKind.DECLINE_EVENT, 3)
    reject = effect(EffectKind.REJECT_BOOKING, 4, was=OCC)
    assert in_order([create, move, decline, reject], times) == [decline, reject, move, create]


def test_a_move_goes_after_the_one_that_leaves_its_time() -> None:
    first = effect(EffectKind.CHANGE_EVENT, 1, was=LATEST, target=OCC)
    second = effect(EffectKind.CHANGE_EVENT, 2, was=OCC, target=LATER)
    third = effect(EffectKind.CHANGE_EVENT, 3, was=LATER, target=FREE)
    assert in_order([first, second, third], times) == [third, second, first]
    assert waves([third, second, first], times) == [[third], [second], [first]]


def test_moves_of_different_sides_do_not_wait_for_each_other() -> None:
    booking = effect(EffectKind.CHANGE_BOOKING, 1, was=LATER, target=OCC)
    event = effect(EffectKind.CHANGE_EVENT, 2, was=OCC, target=LATER)
    assert in_order([event, booking], times) == [booking, event]


def test_two_that_swap_go_one_after_the_other() -> None:
    one = effect(EffectKind.CHANGE_EVENT, 1, was=OCC, target=LATER)
    two = effect(EffectKind.CHANGE_EVENT, 2, was=LATER, target=OCC)
    assert sorted(e.id for e in in_order([one, two], times)) == ["e1", "e2"]
    assert waves([one, two], times) == [[one], [two]]


def test_what_is_made_is_sent_once_it_is_known_what_was_freed() -> None:
    reject = effect(EffectKind.REJECT_BOOKING, 1, was=OCC)
    made = [effect(EffectKind.CREATE_BOOKING, n, target=LATER) for n in (2, 3)]
    assert waves([reject, *made], times) == [[reject], made]


@pytest.mark.parametrize(
    ("deletions", "items", "halts"),
    [(5, 10, False), (6, 10, True), (10, 100, False), (11, 100, True), (6, 1000, False)],
)
def test_guard_allows_five_or_a_tenth(deletions: int, items: int, halts: bool) -> None:
    effects = [effect(EffectKind.DELETE_BOOKING, n) for n in range(deletions)]
    halt = check(effects, future_items=items, limits=Limits())
    assert (halt is not None) is halts
    if halt is not None:
        assert str(deletions) in halt.reason


def test_guard_counts_moves_but_not_other_changes() -> None:
    move = effect(EffectKind.CHANGE_EVENT, 1, was=OCC, target=LATER)
    retitle = effect(EffectKind.CHANGE_EVENT, 2, was=OCC, target=replace(OCC, title="x"))
    create = effect(EffectKind.CREATE_EVENT, 3, target=OCC)
    assert disruptive([move, retitle, create]) == 1


def test_guard_stops_an_emptied_side_however_small() -> None:
    halt = check([], future_items=1, limits=Limits(), emptied="calendar")
    assert halt is not None
    assert "calendar" in halt.reason


def room(key: str, capacity: int | None, building: str = "B", floor: str = "1") -> Room:
    return Room(id=key, name=key, zone="UTC", building=building, floor=floor, capacity=capacity)


SLOT = Interval(datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC))
LOST = room("lost", 6)
ROOMS = [
    LOST,
    room("huge", 40),
    room("same", 6),
    room("upstairs", 6, floor="2"),
    room("small", 4),
    room("away", 6, building="C"),
    room("taken", 6),
    room("unsized", None),
]
BUSY: dict[str, list[Interval]] = {r.id: [] for r in ROOMS}
BUSY["taken"] = [SLOT]


def names(seats: int | None, limit: int = 9, **busy: list[Interval]) -> list[str]:
    found = free_alternatives(ROOMS, BUSY | busy, [SLOT], room=LOST, seats=seats, limit=limit)
    return [a.name for a in found]


def test_alternatives_are_free_rooms_of_the_building_with_enough_seats() -> None:
    assert names(None) == ["same", "upstairs", "huge", "unsized"]
    assert names(4) == ["small", "same", "upstairs", "huge"]
    assert names(30) == ["huge"]
    assert names(None, limit=1) == ["same"]


def test_the_room_that_wastes_the_fewest_seats_is_offered_first() -> None:
    """Seats to spare, then the same floor, then the name; a room of unknown size comes last."""
    rooms = [
        LOST,
        room("unsized", None),
        room("spare two", 8),
        room("z fits", 6),
        room("a fits upstairs", 6, floor="2"),
        room("b fits", 6),
    ]
    found = free_alternatives(
        rooms, {r.id: [] for r in rooms}, [SLOT], room=LOST, seats=None, limit=9
    )
    assert [a.name for a in found] == [
        "b fits",
        "z fits",
        "a fits upstairs",
        "spare two",
        "unsized",
    ]
    assert [a.capacity for a in found] == [6, 6, 6, 8, None]


def test_rooms_of_one_name_are_offered_in_the_order_of_their_ids() -> None:
    twins = [replace(room(key, 6), name="Twin") for key in ("t2", "t1", "t3")]
    for order in (twins, twins[::-1]):
        found = free_alternatives(
            order, {r.id: [] for r in twins}, [SLOT], room=LOST, seats=None, limit=3
        )
        assert [a.room_id for a in found] == ["t1", "t2", "t3"]


def test_where_no_size_is_known_any_free_room_of_the_building_is_offered() -> None:
    lost = replace(LOST, capacity=None)
    rooms = [room("huge", 40), room("a small", 2), room("unsized", None)]
    found = free_alternatives(rooms, {r.id: [] for r in rooms}, [SLOT], room=lost, seats=None)
    assert [a.name for a in found] == ["a small", "huge", "unsized"]


def test_touching_meetings_do_not_block_and_unknown_rooms_are_left_out() -> None:
    before = Interval(SLOT.start - timedelta(hours=1), SLOT.start)
    assert "same" in names(None, same=[before])
    busy = {k: v for k, v in BUSY.items() if k != "same"}
    found = free_alternatives(ROOMS, busy, [SLOT], room=LOST, seats=None)
    assert "same" not in [a.name for a in found]
