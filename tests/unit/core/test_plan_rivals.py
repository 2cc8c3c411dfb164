"""A whole room: which item is whose, what comes back, what loses, and what has to wait."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from calsync.model import (
    Absence,
    ClashPolicy,
    EditPolicy,
    EffectKind,
    Gone,
    Link,
    LinkState,
    Occupancy,
    Plan,
    Presence,
    Ruling,
    Seen,
    Side,
    Unknown,
)
from calsync.model.tally import Tally
from calsync.reconcile.guard import Limits
from calsync.reconcile.join import link_id, succeed
from calsync.reconcile.plan import MAX_ATTEMPTS, reconcile
from tests.unit.core.planning import (
    ANNA,
    BERT,
    NINE,
    RENAMED,
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
    agreed,
    at,
    buried,
    link,
    seen,
    there,
    unknown,
)

# --- joining -------------------------------------------------------------------------------------


def test_on_the_first_import_equal_items_are_one_booking() -> None:
    plan = planned(booking=[seen(NINE, key="b")], calendar=[seen(NINE, key="e")], importing=True)
    (item,) = plan.links
    assert (item.booking.key, item.event.key, item.base) == ("b", "e", NINE)
    assert (item.origin, plan.effects) == (BOOKING, [])
    assert Ruling(item.id, "join", "the same on both sides") in plan.rulings


def test_an_event_with_our_tag_belongs_to_the_booking_that_waits_for_it() -> None:
    waiting = link(there(NINE, key="b"), in_flight=True)
    plan = planned(waiting, calendar=[seen(NINE, key="e", tag="x")])
    item = stored(plan)["x"]
    assert (item.event.key, item.base, item.in_flight, item.origin) == ("e", NINE, False, BOOKING)
    assert plan.rulings[0] == Ruling("x", "join", "recognised by our tag")
    assert plan.effects == []


def test_a_booking_made_anew_stands_before_the_event_that_asks_for_it() -> None:
    """Our database is lost: the event carries the tag of a link that is only just made again."""
    name = link_id("p", BOOKING, "b")
    plan = planned(booking=[seen(NINE, key="b")], calendar=[seen(NINE, key="e", tag=name)])
    (item,) = plan.links
    assert (item.id, item.event.key, item.origin) == (name, "e", BOOKING)


def test_a_link_that_was_parked_goes_on_when_its_other_half_comes() -> None:
    parked = link(there(NINE, key="b"), state=LinkState.PARKED, reason="too long")
    plan = planned(parked, calendar=[seen(NINE, key="e", tag="x")])
    item = stored(plan)["x"]
    assert (item.state, item.reason, item.event.key) == (LinkState.ACTIVE, "", "e")


def test_what_vanished_and_came_again_is_the_same_booking() -> None:
    plan = planned(
        agreed(NINE),
        calendar=[Gone(key="e", absence=Absence.READ), seen(NINE, key="e2", mark=1)],
    )
    item = stored(plan)["x"]
    assert (item.event.key, item.booking.key, item.base) == ("e2", "b", NINE)
    assert plan.effects == []
    assert plan.rulings == [Ruling("x", "join", "made anew under another key")]
    (tomb,) = (lk for lk in plan.links if lk.id != "x")
    assert (tomb.state, tomb.event.key) == (LinkState.BURIED, "e")


def test_what_the_other_side_shows_in_the_same_plan_counts_too() -> None:
    plan = planned(
        agreed(NINE),
        booking=[seen(RENAMED, key="b", mark=9)],
        calendar=[Gone(key="e", absence=Absence.READ), seen(NINE, key="e2", mark=1)],
    )
    assert kinds(plan) == [(EffectKind.CHANGE_EVENT, "x")]
    assert plan.effects[0].key == "e2"


# --- what could not be read when it came ---------------------------------------------------------


def test_an_item_of_which_only_its_key_is_known_waits() -> None:
    plan = planned(calendar=[Unknown(key="e", reason="timeout")])
    (item,) = plan.links
    assert (item.event.presence, item.event.key) == (Presence.UNKNOWN, "e")
    assert says(plan) == ["calendar unknown: timeout"]


def test_once_it_can_be_read_it_may_turn_out_to_be_ours() -> None:
    unread = link(None, unknown(key="e"), id="u", origin=CALENDAR)
    waiting = link(there(NINE, key="b"), id="w")
    plan = planned(unread, waiting, calendar=[seen(NINE, key="e", tag="w")])
    links = stored(plan)
    assert links["w"].event.key == "e"
    assert (links["u"].state, links["u"].event.key) == (LinkState.BURIED, None)
    assert plan.effects == []


def test_once_it_can_be_read_it_may_be_somebody_elses() -> None:
    unread = link(None, unknown(key="e"), id="u", origin=CALENDAR)
    plan = planned(unread, calendar=[seen(NINE, key="e")])
    assert kinds(plan) == [(EffectKind.CREATE_BOOKING, "u")]


# --- tombstones ----------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_a_late_reading_behind_a_tombstone_is_nothing(side: Side) -> None:
    key = side.value[0].replace("c", "e")
    assert planned(buried(), **{side.value: [seen(NINE, key=key, mark=6)]}) == Plan()
    assert planned(buried(), **{side.value: [Gone(key=key, absence=Absence.READ)]}) == Plan()
    poison = Unknown(key=key, reason="no end", poison=True)
    assert planned(buried(), **{side.value: [poison]}) == Plan()


@pytest.mark.parametrize("side", Side)
def test_what_somebody_restored_has_a_new_life(side: Side) -> None:
    key = side.value[0].replace("c", "e")
    plan = planned(buried(), **{side.value: [seen(NINE, key=key, mark=7)]})
    tomb = stored(plan)["x"]
    assert (tomb.state, tomb.half(side).key) == (LinkState.BURIED, None)
    assert tomb.half(side.other).key is not None
    (new,) = (lk for lk in plan.links if lk.id != "x")
    assert (new.half(side).key, new.half(side).seen, new.origin) == (key, NINE, side)
    assert new.half(side).since == NOW, "it claims its time from now on"
    kind = EffectKind.CREATE_EVENT if side is BOOKING else EffectKind.CREATE_BOOKING
    assert kinds(plan) == [(kind, new.id)]


def test_what_was_restored_on_both_sides_is_one_booking() -> None:
    plan = planned(
        buried(), booking=[seen(NINE, key="b", mark=7)], calendar=[seen(NINE, key="e", mark=7)]
    )
    tomb = stored(plan)["x"]
    assert (tomb.booking.key, tomb.event.key) == (None, None)
    (new,) = (lk for lk in plan.links if lk.id != "x")
    assert (new.booking.key, new.event.key, plan.effects) == ("b", "e", [])


def test_what_may_have_been_restored_is_looked_at_again() -> None:
    plan = planned(buried(), booking=[Unknown(key="b", reason="timeout")])
    (new,) = (lk for lk in plan.links if lk.id != "x")
    assert (new.booking.presence, new.booking.key) == (Presence.UNKNOWN, "b")
    assert plan.effects == []


def test_what_comes_back_while_it_is_to_be_made_anew_is_that() -> None:
    """Its event was deleted and is about to be made again, under the same uid."""
    tomb = buried(id="t")
    waits = link(there(NINE, key="b2", uid="u"), id="w")
    plan = planned(tomb, waits, calendar=[seen(NINE, key="e", mark=7, uid="u")])
    links = stored(plan)
    assert set(links) == {"t", "w"}
    assert (links["w"].event.key, links["w"].base, plan.effects) == ("e", NINE, [])
    other = planned(tomb, waits, calendar=[seen(NINE, key="e", mark=7, uid="v")])
    assert len(other.links) == 3, "another uid: another booking"
    doubt = planned(
        tomb, replace(waits, in_flight=True), calendar=[seen(NINE, key="e", mark=7, uid="u")]
    )
    assert "w" not in stored(doubt) or stored(doubt)["w"].event.key is None
    assert len(doubt.links) > 1, "its own create may have arrived: this one is not given away"


def test_nothing_is_made_anew_while_what_may_be_its_own_item_cannot_be_read() -> None:
    unread = link(None, unknown(key="e", uid="u"), id="t", origin=CALENDAR)
    waits = link(there(NINE, key="b", uid="u"), id="w")
    plan = planned(unread, waits)
    assert plan.effects == []
    assert "what may be its own item cannot be read" in says(plan)
    other = link(there(NINE, key="b", uid="v"), id="w")
    assert len(planned(unread, other).effects) == 1
    without = link(None, unknown(key="e"), id="t", origin=CALENDAR)
    assert len(planned(without, link(there(NINE, key="b"), id="w")).effects) == 1


def test_the_heir_of_a_tombstone_gets_back_what_it_left() -> None:
    tomb = replace(buried(), booking=there(NINE, key="b"))
    heir = succeed(tomb, BOOKING)
    plan = planned(
        replace(tomb, booking=replace(tomb.booking, key=None)),
        heir,
        calendar=[seen(NINE, key="e", mark=7)],
    )
    assert stored(plan)[heir.id].event.key == "e"


# --- again and again -----------------------------------------------------------------------------


def test_what_does_not_stick_is_parked_after_eight_writes() -> None:
    item = link(there(RENAMED), there(NINE), base=NINE, attempts=MAX_ATTEMPTS - 1)
    assert len(planned(item).effects) == 1
    plan = planned(replace(item, attempts=MAX_ATTEMPTS))
    parked = stored(plan)["x"]
    assert (parked.state, plan.effects) == (LinkState.PARKED, [])
    assert "after 8 writes" in parked.reason
    assert MAX_ATTEMPTS == 8


def test_what_is_changed_back_all_the_time_is_parked() -> None:
    worn = Tally(20, NOW)
    item = link(there(RENAMED), there(NINE), base=NINE, writes=worn)
    plan = planned(item)
    assert (stored(plan)["x"].state, plan.effects) == (LinkState.PARKED, [])
    assert planned(replace(item, writes=Tally(19, NOW))).effects != []
    assert planned(item, limits=Limits(per_booking=21)).effects != []
    for once in (link(there(NINE), writes=worn), agreed(NINE, pending=True, writes=worn)):
        assert len(planned(once).effects) == 1, "what is made or told cannot repeat itself"


def test_writes_are_counted_but_not_those_of_an_import() -> None:
    item = link(there(RENAMED), there(NINE), base=NINE)
    assert stored(planned(item))["x"].writes == Tally(1, NOW)
    assert stored(planned(item, importing=True))["x"].writes == Tally()


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
