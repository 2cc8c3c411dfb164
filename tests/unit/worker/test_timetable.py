"""When rooms are due: adaptive intervals, triggers, waits, back-off. Time is an argument."""

from __future__ import annotations

from calsync.worker.plan import PollSettings, Timetable


def table(*rooms: str, floor: float = 10, ceiling: float = 40) -> Timetable:
    made = Timetable(PollSettings(floor=floor, ceiling=ceiling))
    for room in rooms:
        made.add(room, 0.0)
    return made


def test_every_room_is_due_at_once_and_only_once() -> None:
    t = table("a", "b")
    assert {t.start(0.0).pair_id, t.start(0.0).pair_id} == {"a", "b"}  # type: ignore[union-attr]
    assert t.start(0.0) is None


def test_an_idle_room_drifts_to_the_ceiling_and_an_active_one_back_to_the_floor() -> None:
    t = table("a")
    now, gaps = 0.0, []
    for _ in range(10):
        assert t.start(now) is not None
        t.finish("a", now, active=False)
        due = t.next_due()
        assert due is not None
        gaps.append(due - now)
        now = due
    assert gaps == sorted(gaps)
    assert gaps[-1] == 40
    assert t.start(now) is not None
    t.finish("a", now, active=True)
    assert t.next_due() == now + 10


def test_a_trigger_makes_a_room_due_now() -> None:
    t = table("a")
    t.start(0.0)
    t.finish("a", 0.0, active=False)
    t.trigger("a", 1.0)
    assert t.next_due() == 1.0


def test_twenty_triggers_during_a_cycle_give_one_more_cycle() -> None:
    t = table("a")
    t.start(0.0)
    for n in range(20):
        t.trigger("a", float(n))
    t.finish("a", 20.0, active=True)
    assert t.next_due() == 20.0
    assert t.start(20.0) is not None
    t.finish("a", 21.0, active=True)
    assert t.next_due() == 31.0


def test_what_a_side_asked_for_is_waited_even_when_triggered() -> None:
    t = table("a")
    t.start(0.0)
    t.trigger("a", 0.0)
    t.finish("a", 0.0, active=True, wait=30.0)
    assert t.next_due() == 30.0
    t.trigger("a", 5.0)
    assert t.next_due() == 30.0


def test_failures_back_off_and_triggers_do_not_hurry_them() -> None:
    t = table("a")
    gaps, now = [], 0.0
    for _ in range(8):
        t.start(now)
        t.fail("a", now, jitter=1.0)
        due = t.next_due()
        assert due is not None
        gaps.append(due - now)
        t.trigger("a", now)
        assert t.next_due() == due
        now = due
    assert gaps == sorted(gaps)
    assert gaps[0] < 10
    assert gaps[-1] == 40


def test_a_compare_is_done_with_the_next_turn_of_every_room() -> None:
    t = table("a", "b")
    first = t.start(0.0)
    assert first is not None
    t.compare_all(1.0)
    other = t.start(1.0)
    assert other is not None
    assert other.full
    t.finish(other.pair_id, 2.0, active=False)
    assert not t.turns[other.pair_id].full


def test_unmapped_rooms_are_forgotten() -> None:
    t = table("a")
    t.remove("a")
    assert t.next_due() is None
    t.trigger("a", 0.0)
    t.finish("a", 0.0, active=True)
    assert t.start(99.0) is None
