"""A whole room: which item is whose, what comes back, and what does not stick."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from calsync.model import (
    Absence,
    EffectKind,
    Gone,
    LinkState,
    Occupancy,
    Plan,
    Presence,
    Ruling,
    Side,
    Unknown,
)
from calsync.model.tally import Tally
from calsync.reconcile.guard import Limits
from calsync.reconcile.join import link_id, succeed
from calsync.reconcile.plan import MAX_ATTEMPTS
from calsync.reconcile.sent import sending
from tests.unit.core.planning import (
    NINE,
    RENAMED,
    TEN,
    kinds,
    planned,
    says,
    stored,
)
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    NOW,
    agreed,
    at,
    buried,
    effect,
    gone,
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


@pytest.mark.parametrize(
    ("shows", "since", "claim"), [(RENAMED, at(0), None), (TEN, at(7), CALENDAR)]
)
def test_what_people_moved_before_it_was_recognised_is_claimed_where_they_moved_it(
    shows: Occupancy, since: datetime, claim: Side | None
) -> None:
    """As where it is looked up: see ``settle``."""
    waiting = link(there(NINE, key="b"), in_flight=True)
    waiting = sending(waiting, effect(EffectKind.CREATE_EVENT, target=NINE))
    plan = planned(waiting, calendar=[seen(shows, key="e", tag="x", modified=at(7))])
    item = stored(plan)["x"]
    assert (item.base, item.event.since, item.claim) == (NINE, since, claim)


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
    nameless = link(there(NINE, key="b2"), id="w")
    unnamed = planned(tomb, nameless, calendar=[seen(NINE, key="e", mark=7)])
    assert len(unnamed.links) == 3, "that both have none is no common uid"
    doubt = planned(
        tomb, replace(waits, in_flight=True), calendar=[seen(NINE, key="e", mark=7, uid="u")]
    )
    assert "w" not in stored(doubt) or stored(doubt)["w"].event.key is None
    assert len(doubt.links) > 1, "its own create may have arrived: this one is not given away"


def test_what_comes_back_under_another_key_is_that_too() -> None:
    """Both were changed since; what loses is on record."""
    waits = link(there(TEN, key="b", uid="u"), id="w")
    plan = planned(waits, calendar=[seen(NINE, key="e", uid="u")])
    (item,) = plan.links
    assert (item.id, item.event.key) == ("w", "e")
    assert kinds(plan) == [(EffectKind.CHANGE_EVENT, "w")]
    (conflict,) = plan.conflicts
    assert (conflict.link_id, conflict.winner, conflict.lost) == ("w", BOOKING, NINE)
    doubt = planned(replace(waits, in_flight=True), calendar=[seen(NINE, key="e", uid="u")])
    (unread,) = doubt.links
    assert unread.event.presence is Presence.UNKNOWN, "its own create may have arrived"
    assert (unread.event.key, doubt.effects) == ("e", [])


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


def test_nor_is_a_booking_while_its_own_one_cannot_be_read() -> None:
    unread = link(unknown(key="b", uid="u"), id="t")
    waits = link(None, there(NINE, key="e", uid="u"), id="w", origin=CALENDAR)
    assert "what may be its own item cannot be read" in says(planned(unread, waits))


def test_a_tombstone_that_shows_again_and_cannot_be_read_may_be_its_own_item() -> None:
    tomb = replace(buried(id="t"), event=gone(key="e", uid="u"))
    waits = link(there(NINE, key="b2", uid="u"), id="w")
    plan = planned(tomb, waits, calendar=[Unknown(key="e", reason="timeout")])
    assert plan.effects == []


def test_an_item_that_can_be_read_is_somebody_elses_though_its_uid_is_the_same() -> None:
    """A copy of a meeting stands in the room already; the second booking gets its own event."""
    both = there(TEN, key="b1", uid="u"), there(TEN, key="e1", uid="u")
    other = link(*both, base=TEN, id="other")
    waits = link(there(NINE, key="b2", uid="u"), id="w")
    assert kinds(planned(other, waits)) == [(EffectKind.CREATE_EVENT, "w")]


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
