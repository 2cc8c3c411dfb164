"""The order of effects: what frees a slot goes before what fills it, and who waits for whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from graphlib import CycleError, TopologicalSorter

from hypothesis import given
from hypothesis import strategies as st

from calsync.mapping.expand import ALWAYS, busy_intervals
from calsync.model import (
    Effect,
    EffectKind,
    Frequency,
    Interval,
    Occupancy,
    Recurrence,
    Rule,
)
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


def test_what_frees_and_what_is_made_goes_by_start_then_by_name() -> None:
    late = effect(EffectKind.CREATE_EVENT, 1, target=LATER)
    early = [effect(EffectKind.CREATE_EVENT, n, target=OCC) for n in (3, 2)]
    freed = [effect(EffectKind.DELETE_EVENT, n, was=LATER) for n in (5, 4)]
    ordered = in_order([late, *early, *freed], times)
    assert [e.id for e in ordered] == ["e4", "e5", "e2", "e3", "e1"]


def test_moves_that_want_nobodys_time_go_by_their_new_start() -> None:
    far = effect(EffectKind.CHANGE_EVENT, 1, was=OCC, target=FREE)
    near = effect(EffectKind.CHANGE_EVENT, 2, was=LATER, target=LATEST)
    assert in_order([far, near], times) == [near, far]
    assert waves([near, far], times) == [[near, far]], "nothing has to be known between them"


def test_a_move_within_its_own_time_waits_for_nobody() -> None:
    longer = replace(OCC, end=OCC.end + timedelta(minutes=30))
    own = effect(EffectKind.CHANGE_EVENT, 1, was=OCC, target=longer)
    other = effect(EffectKind.CHANGE_EVENT, 2, was=LATER, target=LATEST)
    assert waves([own, other], times) == [[own, other]]


def test_what_wants_the_same_time_or_leaves_it_does_not_wait_for_its_like() -> None:
    """Only time that is left is waited for; who gets what is wanted twice was judged before."""
    wants = [effect(EffectKind.CHANGE_EVENT, n, was=FREE, target=LATER) for n in (1, 2)]
    assert waves(wants, times) == [wants]
    leave = [
        effect(EffectKind.CHANGE_EVENT, 1, was=OCC, target=LATER),
        effect(EffectKind.CHANGE_EVENT, 2, was=OCC, target=LATEST),
    ]
    assert waves(leave, times) == [leave]


def test_a_chain_is_cut_once_where_it_has_to_be() -> None:
    """Two that leave, then two that want what these left: two waves, not four."""
    leaving = [
        effect(EffectKind.CHANGE_EVENT, 1, was=OCC, target=FREE),
        effect(EffectKind.CHANGE_EVENT, 2, was=LATER, target=replace(FREE, title="x")),
    ]
    wanting = [
        effect(EffectKind.CHANGE_EVENT, 3, was=LATEST, target=OCC),
        effect(EffectKind.CHANGE_EVENT, 4, was=LATEST, target=LATER),
    ]
    assert waves([*leaving, *wanting], times) == [leaving, wanting]


def test_a_ring_of_three_is_broken_once() -> None:
    ring = [
        effect(EffectKind.CHANGE_EVENT, 1, was=OCC, target=LATER),
        effect(EffectKind.CHANGE_EVENT, 2, was=LATER, target=LATEST),
        effect(EffectKind.CHANGE_EVENT, 3, was=LATEST, target=OCC),
    ]
    ordered = in_order(ring, times)
    assert sorted(e.id for e in ordered) == ["e1", "e2", "e3"]
    held = {e.id: e.was for e in ring}
    waits = 0
    for done in ordered:
        del held[done.id]
        waits += done.target in held.values()
    assert waits == 1, "one of them goes onto time that is not free yet, and only one"


def test_dates_of_a_series_that_meet_are_waited_for_too() -> None:
    rule = Rule(frequency=Frequency.DAILY, count=3)
    series = replace(LATER, recurrence=Recurrence(rule=rule))
    third = replace(OCC, start=LATER.start + timedelta(days=2), end=LATER.end + timedelta(days=2))
    leaves = effect(EffectKind.CHANGE_EVENT, 1, was=third, target=FREE)
    wants = effect(EffectKind.CHANGE_EVENT, 2, was=OCC, target=series)
    assert in_order([wants, leaves], times) == [leaves, wants]


def test_by_start_means_by_start() -> None:
    long = replace(LATER, end=LATER.end + timedelta(hours=9))
    creates = [effect(EffectKind.CREATE_EVENT, n, target=t) for n, t in ((1, LATEST), (2, long))]
    assert [e.id for e in in_order(creates, times)] == ["e2", "e1"]


def test_what_is_made_goes_after_every_move() -> None:
    made = effect(EffectKind.CREATE_EVENT, 1, target=OCC)
    move = effect(EffectKind.CHANGE_EVENT, 2, was=LATER, target=LATEST)
    assert in_order([made, move], times) == [move, made]


def test_what_stays_where_it_is_leaves_nothing_and_waits_for_nothing() -> None:
    renamed = effect(EffectKind.CHANGE_EVENT, 1, was=OCC, target=replace(OCC, title="x"))
    leaves = effect(EffectKind.CHANGE_EVENT, 2, was=OCC, target=LATER)
    wants = effect(EffectKind.CHANGE_EVENT, 3, was=LATEST, target=OCC)
    assert waves([leaves, renamed], times) == [[leaves, renamed]]
    assert waves([renamed, wants], times) == [[renamed, wants]]


def test_moves_are_waited_for_also_where_something_is_made_beside_them() -> None:
    leaves = effect(EffectKind.CHANGE_EVENT, 1, was=OCC, target=FREE)
    wants = effect(EffectKind.CHANGE_EVENT, 2, was=LATER, target=OCC)
    made = effect(EffectKind.CREATE_EVENT, 3, target=LATEST)
    assert waves([leaves, wants, made], times) == [[leaves], [wants], [made]]


# --- several events of one booking ---------------------------------------------------------------


def booking_of(names: dict[int, str]) -> Callable[[Effect], str]:
    return lambda e: names.get(int(e.id[1:]), "")


def test_what_a_booking_keeps_is_held_by_its_new_event_before_the_former_one_goes() -> None:
    """The create failed, and the booking was nowhere in the calendar (seed 8767)."""
    former = effect(EffectKind.DELETE_EVENT, 1, was=OCC)
    new = effect(EffectKind.CREATE_EVENT, 2, target=OCC)
    whole = booking_of({1: "b", 2: "b"})
    assert in_order([former, new], times, whole) == [new, former]
    assert waves([new, former], times, whole) == [[new], [former]]
    assert in_order([former, new], times, booking_of({1: "b", 2: "c"})) == [former, new]


def test_a_date_that_a_series_hands_over_is_made_before_the_series_leaves_it() -> None:
    series = effect(EffectKind.CHANGE_EVENT, 1, was=OCC, target=LATER)
    date = effect(EffectKind.CREATE_EVENT, 2, target=OCC)
    whole = booking_of({1: "b", 2: "b"})
    assert in_order([series, date], times, whole) == [date, series]
    back = effect(EffectKind.CHANGE_EVENT, 1, was=LATER, target=OCC)
    part = effect(EffectKind.DELETE_EVENT, 2, was=OCC)
    assert in_order([part, back], times, whole) == [back, part]


def test_others_still_wait_until_the_former_event_has_left_its_time() -> None:
    both = replace(OCC, end=LATER.end)
    former = effect(EffectKind.DELETE_EVENT, 1, was=both)
    new = effect(EffectKind.CREATE_EVENT, 2, target=OCC)
    leaves = effect(EffectKind.CHANGE_EVENT, 3, was=OCC, target=FREE)
    wants = effect(EffectKind.CHANGE_EVENT, 4, was=LATEST, target=LATER)
    freed = effect(EffectKind.DELETE_EVENT, 5, was=FREE)
    reject = effect(EffectKind.REJECT_BOOKING, 6, was=FREE)
    whole = booking_of({1: "b", 2: "b", 3: "c", 4: "d", 5: "e", 6: "b"})
    ordered = in_order([former, new, leaves, wants, freed, reject], times, whole)
    assert ordered == [reject, freed, leaves, new, former, wants]
    assert waves(ordered[1:], times, whole) == [[freed], [leaves], [new], [former], [wants]]


def test_a_meeting_of_a_person_is_made_when_the_room_is_free() -> None:
    """The room would decline it."""
    former = effect(EffectKind.DELETE_EVENT, 1, was=OCC)
    new = effect(EffectKind.CREATE_EVENT, 2, target=OCC, organizer="ada@contoso.example")
    assert in_order([new, former], times, booking_of({1: "b", 2: "b"})) == [former, new]


def test_what_waits_for_a_create_goes_as_late_as_it_can_and_nothing_else_does() -> None:
    """A create that fails stops what is behind it."""
    former = effect(EffectKind.DELETE_EVENT, 1, was=OCC)
    new = effect(EffectKind.CREATE_EVENT, 2, target=OCC)
    other = effect(EffectKind.CREATE_EVENT, 3, target=LATER)
    freed = effect(EffectKind.DELETE_EVENT, 4, was=FREE)
    reject = effect(EffectKind.REJECT_BOOKING, 5, was=FREE)
    booked = effect(EffectKind.CREATE_BOOKING, 6, target=LATEST)
    whole = booking_of({1: "b", 2: "b", 3: "c", 4: "d", 5: "b", 6: "e"})
    ordered = in_order([former, new, other, freed, reject, booked], times, whole)
    assert ordered == [reject, booked, freed, new, other, former]


def test_a_booking_with_one_event_is_none_of_several_items() -> None:
    """Its event goes, as any other, before what is made; what is written to the platform is no
    second one."""
    gone = effect(EffectKind.DELETE_EVENT, 1, was=OCC)
    moved = effect(EffectKind.CHANGE_BOOKING, 2, was=OCC, target=LATEST)
    made = effect(EffectKind.CREATE_EVENT, 3, target=LATER)
    assert in_order([made, moved, gone], times, booking_of({1: "b", 2: "b", 3: "c"})) == [
        gone,
        moved,
        made,
    ]


def test_on_the_platform_what_leaves_goes_first_also_within_one_booking() -> None:
    leaves = effect(EffectKind.CHANGE_BOOKING, 1, was=OCC, target=FREE)
    wants = effect(EffectKind.CHANGE_BOOKING, 2, was=LATER, target=OCC)
    assert waves([leaves, wants], times, booking_of({1: "b", 2: "b"})) == [[leaves], [wants]]


def hours(start: int, length: int) -> Occupancy:
    begin = START + timedelta(hours=start)
    return replace(OCC, start=begin, end=begin + timedelta(hours=length))


SPANS = st.builds(hours, st.integers(0, 8), st.integers(1, 3))
MOVES = st.tuples(SPANS, SPANS).filter(lambda m: m[0] != m[1])


def waits_for(one: Effect, other: Effect) -> bool:
    """``one`` wants time that ``other`` is to leave."""
    assert one.target is not None
    assert other.was is not None
    return (
        one is not other and one.target.start < other.was.end and other.was.start < one.target.end
    )


@given(st.lists(MOVES, max_size=6))
def test_any_moves_are_ordered_so_that_each_wave_needs_only_what_is_free(
    moves: list[tuple[Occupancy, Occupancy]],
) -> None:
    """Every effect comes out once; each after those that leave the time it wants, if that is
    possible at all; the waves are the order, cut just where something has to be known."""
    effects = [
        effect(EffectKind.CHANGE_EVENT, n, was=was, target=to) for n, (was, to) in enumerate(moves)
    ]
    ordered = in_order(effects, times)
    assert sorted(e.id for e in ordered) == sorted(e.id for e in effects)
    assert in_order(effects[::-1], times) == ordered, "the same for every order that they come in"
    graph = {e.id: {o.id for o in effects if waits_for(e, o)} for e in effects}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        pass  # a ring: one of them has to go first all the same
    else:
        place = {e.id: n for n, e in enumerate(ordered)}
        assert all(place[name] > place[other] for name, ahead in graph.items() for other in ahead)
    cut = waves(ordered, times)
    assert [e for wave in cut for e in wave] == ordered
    for number, wave in enumerate(cut):
        for at, one in enumerate(wave):
            assert not any(waits_for(one, other) for other in wave[:at])
        if number:
            assert any(waits_for(wave[0], other) for other in cut[number - 1]), "no cut in vain"


def test_of_two_that_are_waited_for_the_one_that_starts_first_goes_first() -> None:
    wants = effect(EffectKind.CHANGE_EVENT, 0, was=hours(200, 1), target=hours(0, 10))
    near = effect(EffectKind.CHANGE_EVENT, 1, was=hours(1, 1), target=hours(20, 1))
    others = [
        effect(EffectKind.CHANGE_EVENT, n, was=hours(100 + n, 1), target=hours(20 + n, 1))
        for n in range(2, 8)
    ]
    far = effect(EffectKind.CHANGE_EVENT, 8, was=hours(2, 1), target=hours(28, 1))
    assert in_order([wants, near, *others, far], times) == [near, far, wants, *others]
