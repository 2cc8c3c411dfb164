"""The rooms that are offered to somebody whose booking was refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from calsync.conflicts.alternatives import free_alternatives
from calsync.model import (
    Interval,
    Room,
)


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


def test_three_rooms_are_offered_if_nobody_asks_for_more() -> None:
    rooms = [room(f"r{n}", 6) for n in range(5)]
    found = free_alternatives(rooms, {r.id: [] for r in rooms}, [SLOT], room=LOST, seats=None)
    assert [a.name for a in found] == ["r0", "r1", "r2"]


def test_names_say_more_than_ids() -> None:
    rooms = [replace(room("1", 6), name="b"), replace(room("2", 6), name="a")]
    found = free_alternatives(rooms, {"1": [], "2": []}, [SLOT], room=LOST, seats=None)
    assert [a.name for a in found] == ["a", "b"]


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
