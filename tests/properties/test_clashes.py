"""Two bookings claim the room at one time: one loser, told once, never dropped in silence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from calsync.mapping.expand import busy_intervals
from calsync.model import (
    ClashPolicy,
    EditPolicy,
    Effect,
    EffectKind,
    Frequency,
    Interval,
    LinkState,
    NoticeKind,
    Nth,
    Occupancy,
    Outcome,
    Pair,
    Person,
    Recurrence,
    Rule,
    Side,
    Weekday,
)
from tests.support.room import World, single

ANNA = Person("Anna", "anna@x.example")
BERT = Person("Bert", "bert@x.example")


def world(**pair: object) -> World:
    """A room past its first import, so that notices leave."""
    w = World(7, titles=True, **pair)
    w.rest()
    assert w.ctx.state(w.pair).imported
    return w


def book(w: World, key: str, occ: Occupancy) -> None:
    w.tick()
    w.booking.put(key, occ, pending=True, person=ANNA)


def invite(w: World, key: str, occ: Occupancy, *, owned: bool = False) -> None:
    w.tick()
    w.calendar.put(key, occ, owned=owned, person=BERT)


def notices(w: World) -> list[tuple[NoticeKind, str]]:
    return sorted((n.notice.kind, n.notice.person.address) for n in w.store.ledger.values())


def weekly(slot: int, *, count: int | None = 4, title: str | None = None) -> Occupancy:
    start = single(slot).start
    rule = Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday(start.weekday())),), count=count)
    return replace(single(slot, title=title), recurrence=Recurrence(rule=rule))


def test_a_booking_nobody_else_wants_is_confirmed_once() -> None:
    w = world()
    book(w, "b", single(1, title="x"))
    w.rest()
    assert [o.title for o in w.shown(Side.CALENDAR)] == ["x"]
    assert not w.booking.items["b"].pending
    assert notices(w) == [(NoticeKind.CONFIRMED, ANNA.address)]


def test_the_earlier_booking_stays_and_the_meeting_is_declined() -> None:
    w = world()
    book(w, "b", single(1, title="first"))
    invite(w, "e", single(1, title="second"))
    w.rest()
    assert [o.title for o in w.shown(Side.CALENDAR)] == ["first"]
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    assert w.calendar.log[0] == (EffectKind.DECLINE_EVENT, "e"), "free the slot, then fill it"
    assert notices(w) == [(NoticeKind.CONFIRMED, ANNA.address)]
    assert len(w.store.conflicts) == 1
    assert w.store.conflicts[0].lost == single(1, title="second")


def test_the_earlier_meeting_stays_and_the_booking_is_rejected_with_alternatives() -> None:
    w = world()
    invite(w, "e", single(1, title="first"))
    book(w, "b", single(1, title="second"))
    w.rest()
    assert [o.title for o in w.shown(Side.BOOKING)] == ["first"]
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    (stored,) = w.store.ledger.values()
    assert stored.notice.kind is NoticeKind.REJECTED
    assert stored.notice.refusal is not None
    assert [a.room_id for a in stored.notice.refusal.alternatives] == ["r2"]
    assert "already booked" in stored.notice.refusal.reason


def test_what_waits_for_a_person_keeps_its_time_on_its_own_side() -> None:
    """A booking that is parked stands on the platform alone. What the calendar holds beside it,
    free there, is not put onto it: that waits for a person, too."""
    w = world(clash_policy=ClashPolicy.ASK)
    two_hours = replace(single(1, title="parked"), end=single(2).end)
    book(w, "b", two_hours)
    invite(w, "e", single(1, title="rival"))
    w.rest()
    assert {lk.state for lk in w.store.links("p1")} == {LinkState.PARKED}
    invite(w, "later", single(2, title="later"))
    w.rest()
    assert [o.title for o in w.shown(Side.BOOKING)] == ["parked"]
    assert {lk.state for lk in w.store.links("p1")} == {LinkState.PARKED}


def test_what_is_parked_is_not_refused_for_what_came_before_it() -> None:
    w = world(clash_policy=ClashPolicy.ASK)
    invite(w, "early", single(2, title="early"), owned=True)
    early = w.calendar.items["early"].created
    w.calendar.items.clear()
    w.calendar.feed.clear()
    book(w, "b", replace(single(1, title="parked"), end=single(2).end))
    invite(w, "e", single(1, title="rival"))
    w.rest()
    invite(w, "early", single(2, title="early"), owned=True)
    w.calendar.items["early"].created = early
    w.rest()
    assert [o.title for o in w.shown(Side.BOOKING)] == ["parked"]
    assert [o.title for o in w.shown(Side.CALENDAR)] == ["rival", "early"]


def test_time_that_one_just_parked_does_not_leave_is_given_to_nobody() -> None:
    """Moved on the platform into a clash that a person decides, it still stands in the calendar."""
    w = world(clash_policy=ClashPolicy.ASK)
    invite(w, "e", single(1, title="moved"), owned=True)
    w.rest()
    (key,) = w.booking.live()
    w.booking.put(key, single(5, title="moved"))
    book(w, "b", single(1, title="wants its place"))
    invite(w, "rival", single(5, title="rival"))
    w.rest()
    assert sorted(str(o.title) for o in w.shown(Side.CALENDAR)) == ["moved", "rival"]


def test_a_tie_goes_to_the_calendar() -> None:
    w = world()
    w.tick()
    w.booking.put("b", single(1, title="b"), pending=True, person=ANNA)
    w.calendar.put("e", single(1, title="e"), owned=False)
    w.booking.items["b"].created = w.calendar.items["e"].created
    w.rest()
    assert [o.title for o in w.shown(Side.BOOKING)] == ["e"]


def test_what_nobody_can_be_told_about_stays() -> None:
    """A block in the room's own calendar has no organiser: the booking is the one refused."""
    w = world()
    book(w, "b", single(1, title="booking"))
    invite(w, "e", single(1, title="block"), owned=True)
    w.rest()
    assert [o.title for o in w.shown(Side.CALENDAR)] == ["block"]
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)


@pytest.mark.parametrize(
    ("policy", "winner"), [(ClashPolicy.CALENDAR, "e"), (ClashPolicy.BOOKING, "b")]
)
def test_the_policy_of_the_room_decides(policy: ClashPolicy, winner: str) -> None:
    w = world(clash_policy=policy)
    book(w, "b1", single(1, title="b"))
    invite(w, "e1", single(1, title="e"))
    invite(w, "e2", single(5, title="e"))
    book(w, "b2", single(5, title="b"))
    w.rest()
    assert [o.title for o in w.shown(Side.CALENDAR)] == [winner, winner]
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)


def test_ask_parks_both_and_writes_nothing() -> None:
    w = world(clash_policy=ClashPolicy.ASK)
    book(w, "b", single(1, title="b"))
    invite(w, "e", single(1, title="e"))
    w.rest()
    assert [o.title for o in w.shown(Side.CALENDAR)] == ["e"]
    assert [o.title for o in w.shown(Side.BOOKING)] == ["b"]
    assert {lk.state for lk in w.store.links("p1")} == {LinkState.PARKED}
    assert w.store.conflicts[0].parked
    assert notices(w) == []


def test_what_is_parked_still_takes_the_room() -> None:
    w = world(clash_policy=ClashPolicy.ASK)
    book(w, "b", single(1, title="b"))
    invite(w, "e", single(1, title="e"))
    w.rest()
    w.pair = replace(w.pair, clash_policy=ClashPolicy.FIRST)
    book(w, "late", single(1, title="late"))
    w.rest()
    assert [o.title for o in w.shown(Side.CALENDAR)] == ["e"]
    assert notices(w) == [(NoticeKind.REJECTED, ANNA.address)]


def test_an_overlap_made_in_sight_is_mirrored_not_fixed() -> None:
    """Somebody with full access puts an event onto a booking that the calendar already shows."""
    w = world()
    book(w, "b", single(1, title="b"))
    w.rest()
    invite(w, "e", single(1, title="e"))
    w.rest()
    assert sorted(str(o.title) for o in w.shown(Side.CALENDAR)) == ["b", "e"]
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    assert w.store.conflicts == []


def test_overlaps_of_one_side_are_mirrored() -> None:
    w = world()
    invite(w, "e1", single(1, title="1"))
    invite(w, "e2", single(1, title="2"))
    w.rest()
    assert len(w.shown(Side.BOOKING)) == 2
    assert w.store.conflicts == []


def test_free_items_take_no_room() -> None:
    from calsync.model import Busy

    w = world()
    invite(w, "e", single(1, title="e", busy=Busy.FREE))
    book(w, "b", single(1, title="b"))
    w.rest()
    assert len(w.shown(Side.CALENDAR)) == 2
    assert w.store.conflicts == []


def test_a_series_that_loses_some_dates_keeps_the_rest_with_one_message() -> None:
    w = world()
    invite(w, "e", single(1 + 7 * 24, title="meeting"))
    book(w, "b", weekly(1, title="series"))
    w.rest()
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    series = next(o for o in w.shown(Side.CALENDAR) if o.recurrence is not None)
    assert series.recurrence is not None
    assert series.recurrence.excluded == (single(1 + 7 * 24).start,)
    assert notices(w) == [(NoticeKind.CONFIRMED, ANNA.address)]
    (stored,) = w.store.ledger.values()
    assert stored.notice.refusal is not None
    assert stored.notice.refusal.dates == (single(1 + 7 * 24).start,)


def test_a_meeting_series_is_declined_only_on_the_dates_it_lost() -> None:
    w = world()
    book(w, "b", single(1 + 7 * 24, title="booking"))
    invite(w, "e", weekly(1, title="series", count=None))
    w.rest()
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    assert len(w.shown(Side.CALENDAR)) == 2
    series = w.calendar.items["e"].occupancy.recurrence
    assert series is not None
    assert series.excluded == (single(1 + 7 * 24).start,)


def test_a_move_that_lost_goes_back_to_the_time_it_holds() -> None:
    w = world()
    book(w, "b", single(1, title="b"))
    w.rest()
    invite(w, "e", single(5, title="e"))
    w.tick()
    w.booking.put("b", single(5, title="b"), pending=True, person=ANNA)
    w.rest()
    assert w.booking.live()["b"] == single(1, title="b")
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    kinds = [n.notice.kind for n in w.store.ledger.values()]
    assert kinds == [NoticeKind.CONFIRMED, NoticeKind.REJECTED]


def test_a_meeting_moved_onto_a_new_booking_is_declined() -> None:
    w = world()
    invite(w, "e", single(5, title="e"))
    w.rest()
    book(w, "b", single(1, title="b"))
    w.tick()
    w.calendar.put("e", single(1, title="e"), owned=False, person=BERT)
    w.rest()
    assert [o.title for o in w.shown(Side.CALENDAR)] == ["b"]
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)


def test_an_attendee_copy_is_never_written() -> None:
    """An edit of an Outlook-born meeting on the platform cannot take effect: it is put back,
    what was wanted is kept in the conflict record."""
    w = world(edit_policy=EditPolicy.BOOKING)
    invite(w, "e", single(1, title="e"))
    w.rest()
    (key,) = w.booking.live()
    w.booking.put(key, single(3, title="moved"))
    w.rest()
    assert [o.title for o in w.shown(Side.BOOKING)] == ["e"]
    assert w.calendar.log == []
    assert w.store.conflicts[0].lost == single(3, title="moved")


def test_giving_up_an_outlook_born_booking_declines_the_meeting() -> None:
    w = world()
    invite(w, "e", single(1, title="e"))
    w.rest()
    (key,) = w.booking.live()
    w.booking.remove(key)
    w.rest()
    assert w.calendar.log == [(EffectKind.DECLINE_EVENT, "e")]


def test_first_import_is_quiet() -> None:
    w = World(1, titles=True)
    book(w, "b", single(1))
    invite(w, "e", single(1))
    w.rest()
    assert w.store.ledger == {}
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)


def test_a_lost_race_gets_one_answer_even_when_the_reply_is_lost() -> None:
    w = world()
    invite(w, "e", single(1, title="first"))
    book(w, "b", single(1, title="second"))
    w.booking.faults.lose_reply = 1.0
    w.cycle()
    w.heal()
    w.restart()
    w.rest()
    assert notices(w) == [(NoticeKind.REJECTED, ANNA.address)]


def test_a_race_between_reading_and_writing_gets_one_answer() -> None:
    """A delegate blocks the slot after the calendar was read and before our event is made: the
    booking is refused, and nobody was told yes before."""
    w = world()
    book(w, "b", single(1, title="booking"))
    apply = w.calendar.apply

    def slow(pair: Pair, effects: Sequence[Effect]) -> list[Outcome]:
        w.calendar.apply = apply  # type: ignore[method-assign]
        invite(w, "e", single(1, title="block"), owned=True)
        w.tick()
        return apply(pair, effects)

    w.calendar.apply = slow  # type: ignore[method-assign]
    w.rest()
    assert [o.title for o in w.shown(Side.CALENDAR)] == ["block"]
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    assert notices(w) == [(NoticeKind.REJECTED, ANNA.address)]


@pytest.mark.parametrize("seed", range(150))
def test_no_new_double_booking(seed: int) -> None:
    """Both sides grab slots at random: at rest no two items of different origin overlap, every
    booking is either on both sides or refused on record, and each person got one answer."""
    w = World(seed, titles=True)
    w.rest()
    number = 0
    for _ in range(6):
        for _ in range(w.rng.randrange(1, 4)):
            number += 1
            slot = w.rng.randrange(4)
            occ = (
                weekly(slot, title=f"n{number}")
                if w.rng.random() < 0.3
                else single(slot + 168 * w.rng.randrange(3), title=f"n{number}")
            )
            side = w.rng.choice(list(Side))
            if side is Side.BOOKING and _free(w, Side.BOOKING, occ):
                book(w, f"b{number}", occ)
            elif side is Side.CALENDAR and _free(w, Side.CALENDAR, occ):
                invite(w, f"e{number}", occ)
        if w.rng.random() < 0.8:
            w.cycle()
    w.rest()
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    taken = sorted((i.start, i.end) for o in w.shown(Side.CALENDAR) for i in times(o))
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(taken))
    per_booking = [n.notice.booking_key for n in w.store.ledger.values()]
    assert len(per_booking) == len(set(per_booking)), "somebody got two answers"


def times(occ: Occupancy) -> list[Interval]:
    start = single(0).start.replace(tzinfo=World().clock.now().tzinfo)
    return busy_intervals(occ, Interval(start, start + timedelta(days=200)), "UTC")


def _free(w: World, side: Side, occ: Occupancy) -> bool:
    """What both the platform and the room's attendant do: refuse what they see is taken."""
    wanted = times(occ)
    return not any(
        t.meets(i) for o in w.side(side).live().values() for t in times(o) for i in wanted
    )
