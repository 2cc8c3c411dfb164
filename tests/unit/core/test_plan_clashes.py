"""A whole room: what loses, how it is refused, and what has to wait for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from calsync.model import (
    Busy,
    ClashPolicy,
    ConflictKind,
    EditPolicy,
    EffectKind,
    Link,
    LinkState,
    Occupancy,
    Seen,
    Side,
    former_mark,
)
from calsync.model.tally import Tally
from calsync.reconcile.join import link_id
from calsync.reconcile.plan import MAX_ATTEMPTS, reconcile
from calsync.reconcile.sent import sending
from tests.unit.core.planning import (
    ANNA,
    BERT,
    NINE,
    RENAMED,
    TEN,
    TWELVE,
    kinds,
    planned,
    says,
    stored,
)
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    NOW,
    PAIR,
    WINDOW,
    at,
    effect,
    link,
    occ,
    seen,
    there,
    unknown,
)

# --- clashes -------------------------------------------------------------------------------------


def early(what: Occupancy = NINE, **more: Any) -> Seen:
    return seen(what, key="b", created=at(0), person=ANNA, pending=True, **more)


def late(what: Occupancy = NINE, **more: Any) -> Seen:
    return seen(what, key="e", created=at(5), person=BERT, **{"owned": False, **more})


B, E = link_id("p", BOOKING, "b"), link_id("p", CALENDAR, "e")


def test_the_later_meeting_is_declined_and_the_booking_made() -> None:
    plan = planned(booking=[early()], calendar=[late()])
    assert kinds(plan) == [(EffectKind.DECLINE_EVENT, E), (EffectKind.CREATE_EVENT, B)]
    (conflict,) = plan.conflicts
    assert (conflict.link_id, conflict.other_link_id, conflict.policy) == (E, B, "first")


def test_ask_parks_both_and_decides_nothing() -> None:
    plan = planned(booking=[early()], calendar=[late()], clash=ClashPolicy.ASK)
    assert {lk.id: lk.state for lk in plan.links} == dict.fromkeys((B, E), LinkState.PARKED)
    assert (plan.effects, [c.winner for c in plan.conflicts]) == ([], [None])
    assert [r.verb for r in plan.rulings] == ["park", "park"]


def test_nobody_is_asked_while_a_write_of_one_is_in_doubt() -> None:
    """It may have taken it off the time; and parked, nothing would look that write up."""
    doubted = link(
        None,
        there(NINE, key="e", created=at(5), since=at(5), owned=False),
        id=E,
        origin=CALENDAR,
        in_flight=True,
    )
    plan = planned(doubted, booking=[early()], clash=ClashPolicy.ASK)
    assert (plan.effects, plan.conflicts) == ([], [])
    assert LinkState.PARKED not in {lk.state for lk in plan.links}


def test_what_nobody_could_be_told_is_parked() -> None:
    """The policy prefers the platform, but the room's own entry is fixed: it wins; where it lost
    before it became fixed, it waits for a person."""
    plan = planned(booking=[early()], calendar=[late(owned=True)], clash=ClashPolicy.BOOKING)
    assert kinds(plan) == [(EffectKind.REJECT_BOOKING, B), (EffectKind.CREATE_BOOKING, E)]


@pytest.mark.parametrize(
    "loser",
    [
        link(None, there(NINE, key="e", created=at(5), since=at(5), owned=False), id=E,
             origin=CALENDAR, in_flight=True),
        link(None, unknown(key="e", seen=NINE, created=at(5), since=at(5)), id=E, origin=CALENDAR),
    ],
    ids=["its write is in doubt", "unreadable"],
)  # fmt: skip
def test_what_would_fill_the_losers_time_waits_until_it_is_known(loser: Link) -> None:
    plan = planned(loser, booking=[early()])
    assert plan.effects == []
    assert len(plan.conflicts) == 1


def test_a_refusal_that_does_not_take_effect_is_given_up() -> None:
    held = there(NINE, key="e", created=at(5), since=at(5), owned=False)
    loser = link(None, held, id=E, origin=CALENDAR, attempts=MAX_ATTEMPTS)
    plan = planned(loser, booking=[early()])
    assert (stored(plan)[E].state, plan.effects) == (LinkState.PARKED, [])
    assert "after 8 tries" in stored(plan)[E].reason
    worn = planned(replace(loser, attempts=0, writes=Tally(20, NOW)), booking=[early()])
    assert (stored(worn)[E].state, worn.effects) == (LinkState.PARKED, [])
    assert "written 20 times" in stored(worn)[E].reason


def test_a_move_whose_former_time_was_booked_meanwhile_is_rejected_as_a_whole() -> None:
    moved = link(
        there(TWELVE, key="b", since=at(50)), there(NINE, key="e1"), base=NINE, id="m", person=ANNA
    )
    rival = seen(TWELVE, key="e2", created=at(10), owned=False)
    plan = planned(moved, calendar=[rival])
    assert (EffectKind.CHANGE_BOOKING, "m") in kinds(plan), "it goes back"
    booked = seen(NINE, key="b2", created=at(60))
    plan = planned(moved, booking=[booked], calendar=[rival])
    assert (EffectKind.REJECT_BOOKING, "m") in kinds(plan)
    assert link_id("p", BOOKING, "b2") not in [e.link_id for e in plan.effects], "it waits"


def moved_booking(to: Occupancy = TWELVE, **more: Any) -> Link:
    """From nine to another time, on the platform."""
    return link(
        there(to, key="b", since=at(50)),
        there(NINE, key="e1"),
        base=NINE,
        id="m",
        person=ANNA,
        **more,
    )


def rival(what: Occupancy = TWELVE) -> Seen:
    return seen(what, key="e2", created=at(10), owned=False)


def test_a_move_by_half_an_hour_may_go_back_to_the_time_that_it_overlaps() -> None:
    half_past = occ(9.5, 10.5)
    plan = planned(moved_booking(half_past), calendar=[rival(occ(10, 11))])
    assert (EffectKind.CHANGE_BOOKING, "m") in kinds(plan)


def test_what_stood_beside_it_all_the_time_does_not_keep_a_move_from_going_back() -> None:
    beside = link(there(NINE, key="b9"), there(NINE, key="e9"), base=NINE, id="beside")
    plan = planned(moved_booking(), beside, calendar=[rival()])
    assert (EffectKind.CHANGE_BOOKING, "m") in kinds(plan)


def test_what_takes_no_time_does_not_keep_a_move_from_going_back() -> None:
    free = seen(replace(NINE, busy=Busy.FREE), key="b3", created=at(60))
    plan = planned(moved_booking(), booking=[free], calendar=[rival()])
    assert (EffectKind.CHANGE_BOOKING, "m") in kinds(plan)


def test_the_former_time_of_a_declined_meeting_is_free_at_once() -> None:
    """It was moved in the calendar itself: nine is free there, whoever is declined at twelve."""
    moved = link(
        there(NINE, key="b1"),
        there(TWELVE, key="e1", since=at(50), owned=False),
        base=NINE,
        id="m",
        origin=CALENDAR,
    )
    first = seen(TWELVE, key="b2", created=at(10))
    later = seen(NINE, key="b3", created=at(60))
    plan = planned(moved, booking=[first, later])
    assert (EffectKind.DECLINE_EVENT, "m") in kinds(plan)
    assert (EffectKind.CREATE_EVENT, link_id("p", BOOKING, "b3")) in kinds(plan)


def test_an_edit_conflict_of_what_is_rejected_is_on_record_too() -> None:
    titled = replace(TWELVE, title="mine")
    item = replace(moved_booking(titled), event=there(replace(NINE, title="theirs"), key="e1"))
    booked = seen(NINE, key="b2", created=at(60))
    plan = planned(item, booking=[booked], calendar=[rival()])
    assert (EffectKind.REJECT_BOOKING, "m") in kinds(plan)
    assert [c.kind for c in plan.conflicts] == [ConflictKind.CLASH, ConflictKind.EDIT]
    goes_back = planned(item, calendar=[rival()])
    assert [c.kind for c in goes_back.conflicts] == [ConflictKind.CLASH], "it is decided later"


def test_a_neighbour_at_rest_keeps_its_time_against_who_could_not_see_it() -> None:
    """Booked on the platform just before the meeting showed there."""
    neighbour = link(
        there(NINE, key="b1", since=at(8)),
        there(NINE, key="e1", since=at(5)),
        base=NINE,
        id="n",
        origin=CALENDAR,
    )
    blind = seen(NINE, key="b2", created=at(6))
    assert kinds(planned(neighbour, booking=[blind])) == [
        (EffectKind.REJECT_BOOKING, link_id("p", BOOKING, "b2"))
    ]
    in_sight = seen(NINE, key="b2", created=at(9))
    assert [kind for kind, _ in kinds(planned(neighbour, booking=[in_sight]))] == [
        EffectKind.CREATE_EVENT
    ]


def test_what_waits_for_a_person_already_is_not_parked_again() -> None:
    parked = link(there(NINE, key="b"), id="old", state=LinkState.PARKED, reason="first reason")
    plan = planned(parked, calendar=[late()], clash=ClashPolicy.ASK)
    assert [r.link_id for r in plan.rulings] == [E]
    assert "old" not in stored(plan) or stored(plan)["old"].reason == "first reason"
    assert stored(plan)[E].state is LinkState.PARKED


def test_the_rooms_own_entry_that_loses_to_what_is_parked_is_parked_too() -> None:
    """Nobody could be told of a refusal."""
    parked = link(there(NINE, key="b"), id="old", state=LinkState.PARKED, reason="first reason")
    plan = planned(parked, calendar=[late(owned=True)])
    assert (stored(plan)[E].state, plan.effects) == (LinkState.PARKED, [])
    assert "nobody could be told" in stored(plan)[E].reason


def test_who_books_the_time_that_an_item_is_just_put_to_did_not_see_it_there() -> None:
    """Seed 8065: a booking was moved on the platform, and its event made anew for that; the answer
    was lost. Somebody booked in Outlook where it was to come, a moment before it came."""
    moved = link(there(TEN, key="b", since=at(30)), there(NINE, key="e1", since=at(5)), base=NINE)
    write = effect(EffectKind.CHANGE_EVENT, key="e1", target=TEN)
    moved = replace(sending(moved, write), in_flight=True, claim=BOOKING)
    there_now = seen(
        TEN, key="new", created=at(42), modified=at(42), tag="x", replaces=former_mark("e1")
    )
    newcomer = seen(TEN, key="e", created=at(41), modified=at(41), owned=False, person=BERT)
    plan = planned(moved, calendar=[there_now, seen(NINE, key="e1"), newcomer])
    assert (EffectKind.DECLINE_EVENT, E) in kinds(plan)
    assert EffectKind.CREATE_BOOKING not in {kind for kind, _ in kinds(plan)}


def test_who_moves_an_item_as_it_is_made_claimed_its_new_time_only_then() -> None:
    """Seed 8987: by the server's clock it was moved in the moment at which calsync had made it. It
    counted as put there by calsync, and claimed since it was booked, before the room was imported;
    so both stayed, though both had come after."""
    made = there(NINE, key="e1", created=at(5), since=at(5))
    item = link(there(NINE, key="b1", since=at(0)), made, base=NINE)
    shows = seen(TEN, key="e1", mark=9, created=at(5), modified=at(5))
    plan = planned(item, booking=[early(TEN)], calendar=[shows], imported_at=at(1))
    assert kinds(plan) == [(EffectKind.REJECT_BOOKING, B), (EffectKind.CHANGE_BOOKING, "x")]
    assert [one.policy for one in plan.conflicts] == ["first"]


# --- what waits ----------------------------------------------------------------------------------


def test_time_that_is_about_to_be_left_is_not_filled_yet() -> None:
    leaving = link(there(TWELVE), unknown(key="e", seen=NINE), base=NINE, id="leaving")
    plan = planned(leaving, booking=[seen(NINE, key="b2", created=at(60))])
    assert plan.effects == []
    assert "its time is about to be left by another" in says(plan)


def test_time_at_which_one_was_just_parked_is_not_filled_either() -> None:
    """People put a second booking onto one that an admin has to decide about first."""
    stuck = link(there(RENAMED, key="b"), there(replace(NINE, title="x"), key="e"), base=NINE)
    plan = reconcile(
        [stuck],
        {"b2": seen(NINE, key="b2", created=at(60))},
        {},
        pair=replace(PAIR, edit_policy=EditPolicy.ASK),
        window=WINDOW,
        now=NOW,
    )
    assert stored(plan)["x"].state is LinkState.PARKED
    assert plan.effects == []
    assert says(plan) == ["its time is held by one just parked"]


FREE = replace(NINE, busy=Busy.FREE)


def _free(*, owned: bool = True, **more: Any) -> Link:
    """Shown as free at nine, which takes no time."""
    mine = there(FREE, key="b", since=at(0))
    theirs = there(FREE, key="e", since=at(0), owned=owned)
    return link(mine, theirs, base=FREE, id="f", person=ANNA, **more)


def test_a_booking_that_was_free_and_takes_time_now_is_judged_as_one_that_moved() -> None:
    """It claims its time since then, and goes back to taking none where somebody was faster."""
    busy = seen(NINE, key="b", mark=9, modified=at(50))
    faster = seen(NINE, key="e2", created=at(20), owned=False)
    plan = planned(_free(), booking=[busy], calendar=[faster])
    back = [(e.kind, e.target) for e in plan.effects if e.link_id == "f"]
    assert back == [(EffectKind.CHANGE_BOOKING, FREE)]
    assert [c.kind for c in plan.conflicts] == [ConflictKind.CLASH]
    assert kinds(planned(_free(), booking=[busy])) == [(EffectKind.CHANGE_EVENT, "f")]


@pytest.mark.parametrize("origin", Side)
def test_an_event_that_was_free_and_takes_time_now_is_declined_where_the_room_was_booked(
    origin: Side,
) -> None:
    """Whoever made it: it was on the calendar that it was given the time."""
    item = _free(owned=False, origin=origin)
    busy = seen(NINE, key="e", mark=9, modified=at(50), owned=False)
    faster = seen(NINE, key="b2", created=at(20))
    plan = planned(item, calendar=[busy], booking=[faster])
    assert (EffectKind.DECLINE_EVENT, "f") in kinds(plan)
    assert [c.kind for c in plan.conflicts] == [ConflictKind.CLASH]
    later = seen(NINE, key="b2", created=at(55))
    plan = planned(item, calendar=[busy], booking=[later])
    assert [k for k, _ in kinds(plan)] == [EffectKind.REJECT_BOOKING, EffectKind.CHANGE_BOOKING]
    assert kinds(planned(item, calendar=[busy])) == [(EffectKind.CHANGE_BOOKING, "f")]


def test_who_gives_time_up_by_showing_it_as_free_clashes_with_nobody() -> None:
    free = seen(FREE, key="b", mark=9, modified=at(50))
    held = there(NINE, key="b", since=at(0)), there(NINE, key="e", since=at(0))
    item = link(*held, base=NINE, id="f", person=ANNA)
    plan = planned(item, booking=[free], calendar=[seen(NINE, key="e2", created=at(40))])
    assert (EffectKind.CHANGE_EVENT, "f") in kinds(plan)
    assert not plan.conflicts
