"""Items that bear our tag, or the identity of one that does: by what they are told apart, what is
known of each in the same plan, and what is on record of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Absence,
    EffectKind,
    Gone,
    Half,
    Link,
    LinkState,
    Observation,
    Plan,
    Presence,
    Side,
    Unknown,
    former_mark,
)
from calsync.reconcile.observe import LAG
from tests.unit.core.planning import NINE, RENAMED, TEN, TWELVE, kinds, planned, stored
from tests.unit.core.values import BOOKING, CALENDAR, NOW, agreed, gone, link, seen, there, unknown

K = EffectKind
HELD = agreed(NINE)
HELD = replace(HELD, event=replace(HELD.event, uid="u"))
FIRST = seen(NINE, key="e", uid="u")
SECOND = seen(NINE, key="e2", uid="u", tag="x", mark=9)
NOT_FOUND = Gone(key="e", absence=Absence.READ)


def heard_of(key: str, **more: object) -> Link:
    """An item that nobody could read so far; no copy of the mailbox lags behind so long."""
    half = unknown(key=key, mark=-1, created=NOW - LAG)
    return link(None, half, id="n", origin=CALENDAR, **more)  # type: ignore[arg-type]


def joined(plan: Plan) -> list[tuple[str, str]]:
    return [(r.link_id, r.why) for r in plan.rulings if r.verb == "join"]


def holder(plan: Plan, key: str) -> Link:
    """The link of the item of this key in the calendar: there is only one."""
    (one,) = (lk for lk in plan.links if lk.event.key == key)
    return one


def removed(plan: Plan, *keys: str) -> None:
    """These items are removed, for one booking has them all; nothing else is done."""
    assert [(e.kind, e.key) for e in plan.effects] == [(K.DELETE_EVENT, key) for key in keys]
    assert {lk.event.key for lk in plan.links if lk.origin is CALENDAR} <= {None}


# --- made twice ----------------------------------------------------------------------------------


@pytest.mark.parametrize("uid", ["u", ""], ids=["with a global id", "without"])
def test_a_create_that_a_proxy_doubled_is_one_booking_where_both_are_read_at_once(
    uid: str,
) -> None:
    made = Half(sent=fingerprint(NINE))
    doubt = link(there(NINE, key="b"), made, in_flight=True)
    plan = planned(doubt, calendar=[replace(FIRST, uid=uid, tag="x"), replace(SECOND, uid=uid)])
    assert stored(plan)["x"].event.key == "e"
    removed(plan, "e2")
    assert joined(plan) == [
        ("x", "recognised by our tag"),
        ("x", "made twice: one of the two is removed"),
    ]
    assert stored(plan).keys() == {"x", holder(plan, "e2").id}


def test_what_bears_no_global_id_cannot_be_the_first_one_made_anew() -> None:
    held = replace(HELD, event=replace(HELD.event, uid=""))
    plan = planned(held, calendar=[replace(FIRST, uid=""), replace(SECOND, uid="")])
    removed(plan, "e2")
    assert stored(plan).keys() == {holder(plan, "e2").id}


def test_a_double_is_not_removed_while_it_may_be_the_first_one_made_anew() -> None:
    plan = planned(HELD, calendar=[FIRST, SECOND])
    assert holder(plan, "e2").event.presence is Presence.UNKNOWN
    assert (plan.effects, joined(plan)) == ([], [])


def test_the_first_one_is_known_under_the_key_that_it_has_in_this_plan() -> None:
    """A mailbox with both of a doubled create was moved: both have new keys."""
    moved = [replace(SECOND, key=key) for key in ("f", "g")]
    plan = planned(HELD, heard_of("g"), calendar=[NOT_FOUND, *moved])
    assert stored(plan)["x"].event.key == "f"
    removed(plan, "g")
    assert holder(plan, "g").id == "n"


@pytest.mark.parametrize("known", [True, False], ids=["one later", "both at once"])
def test_what_was_made_in_place_of_another_may_be_made_twice_too(known: bool) -> None:
    """Exchange cannot bring every series to its target: it is made anew, by a create as well."""
    made = seen(NINE, key="e", uid="u", tag="x", replaces=former_mark("former"))
    former = replace(HELD, event=replace(HELD.event, key="former", uid="t"))
    links = [HELD, heard_of("e2")] if known else [former]
    plan = planned(*links, calendar=[made, replace(made, key="e2")])
    removed(plan, *([] if known else ["former"]), "e2")
    assert joined(plan)[-1] == ("x", "made twice: one of the two is removed")


# --- made after it was thrown away ---------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False], ids=["heard of before", "new"])
def test_what_came_late_has_one_link_on_which_it_ends(known: bool) -> None:
    away = link(there(NINE, key="b"), gone(key="e", uid="u"), base=NINE, origin=CALENDAR)
    links = [away, heard_of("e2")] if known else [away]
    plan = planned(*links, calendar=[replace(SECOND, late=True)])
    ends = "n" if known else holder(plan, "e2").id
    assert kinds(plan) == [(K.DELETE_EVENT, ends), (K.DELETE_BOOKING, "x")]
    assert joined(plan) == [("x", "made after it was thrown away: removed")]
    assert stored(plan).keys() == {"x", ends}


def test_what_came_late_is_no_reason_to_give_up_what_only_has_another_key() -> None:
    late = seen(TWELVE, key="e3", uid="v", tag="x", late=True)
    plan = planned(HELD, calendar=[NOT_FOUND, SECOND, late])
    assert stored(plan)["x"].event.key == "e2"
    assert kinds(plan) == [(K.CREATE_BOOKING, holder(plan, "e3").id)]


# --- made in place of another --------------------------------------------------------------------

#: A change of its booking, for which the event had to be made a second time.
CHANGED = link(there(TEN, key="b"), there(NINE, key="e", uid="u", sent=fingerprint(TEN)), base=NINE)
DOUBT = replace(CHANGED, in_flight=True)
OURS = seen(TEN, key="ours", uid="w", tag="x", replaces=former_mark("e"), mark=9)
ANEW = seen(NINE, key="anew", uid="u", mark=9)
IN_PLACE = ("x", "made in place of its former item")
ENDED = ("x", "its former item was made anew: removed")


def test_whoever_waited_to_read_what_was_made_in_place_of_an_item_waits_no_more() -> None:
    waits = heard_of("ours")
    plan = planned(DOUBT, waits, calendar=[FIRST, OURS])
    nothing = replace(waits.event, key=None)
    assert stored(plan)["n"] == replace(waits, event=nothing, state=LinkState.BURIED)
    assert holder(plan, "ours").id == "x"


def test_a_copy_of_what_was_made_in_place_of_another_item_is_a_booking_of_its_own() -> None:
    copy = replace(seen(TWELVE, key="copy", uid="v", tag="x"), replaces=former_mark("other"))
    plan = planned(DOUBT, calendar=[FIRST, copy])
    assert kinds(plan) == [(K.CREATE_BOOKING, holder(plan, "copy").id)]
    assert joined(plan) == []


def test_what_equals_an_item_that_was_replaced_is_another_booking() -> None:
    """The one that is gone is known to live on: no other one can be it."""
    alike = seen(NINE, key="z", uid="v", mark=9)
    plan = planned(CHANGED, calendar=[NOT_FOUND, OURS, alike])
    assert stored(plan)["x"].event.key == "ours"
    assert kinds(plan) == [(K.CREATE_BOOKING, holder(plan, "z").id)]
    assert joined(plan) == [IN_PLACE]


@pytest.mark.parametrize("known", [True, False], ids=["heard of before", "new"])
@pytest.mark.parametrize("doubt", [True, False])
def test_the_former_item_made_anew_is_held_against_what_it_was(doubt: bool, known: bool) -> None:
    """It is as it was before this plan: nobody changed anything that had to be on record."""
    other = link(there(TWELVE, key="b0"), there(TWELVE, key="e0"), base=TWELVE, id="first")
    was = DOUBT if doubt else CHANGED
    links = [other, was, heard_of("anew")] if known else [other, was]
    plan = planned(*links, calendar=[NOT_FOUND, OURS, ANEW])
    removed(plan, "anew")
    assert (joined(plan), plan.conflicts) == ([IN_PLACE, ENDED], [])
    assert not known or holder(plan, "anew").id == "n"


@pytest.mark.parametrize("was", [DOUBT, CHANGED], ids=["in doubt", "nobody knows of the write"])
def test_what_people_changed_on_the_former_item_made_anew_is_on_record(was: Link) -> None:
    plan = planned(was, calendar=[NOT_FOUND, OURS, seen(RENAMED, key="anew", uid="u", mark=9)])
    removed(plan, "anew")
    assert [one.lost for one in plan.conflicts] == [RENAMED]


@pytest.mark.parametrize(
    ("shows", "keys"),
    [(FIRST, ["e", "anew"]), (Unknown(key="e", reason="timeout"), ["anew"])],
    ids=["a copy that lags behind shows it", "not readable"],
)
def test_the_former_item_made_anew_ends_whatever_its_former_key_shows(
    shows: Observation, keys: list[str]
) -> None:
    """A booking of its own was made of it, beside the one that has ours."""
    plan = planned(DOUBT, calendar=[shows, OURS, ANEW])
    removed(plan, *keys)
    assert joined(plan) == [IN_PLACE, ENDED]


def test_a_meeting_of_others_that_bears_the_id_of_the_former_item_is_a_booking() -> None:
    theirs = replace(seen(TWELVE, key="theirs", uid="u", mark=9), owned=False)
    plan = planned(DOUBT, calendar=[NOT_FOUND, OURS, theirs])
    assert kinds(plan) == [(K.CREATE_BOOKING, holder(plan, "theirs").id)]
    assert joined(plan) == [IN_PLACE]


# --- the same under another key ------------------------------------------------------------------


def test_what_is_back_waits_while_another_one_is_made_for_its_booking() -> None:
    """Its event was deleted and comes back changed, under another key; a new one may be there."""
    doubt = link(there(NINE, key="b", uid="u"), in_flight=True)
    plan = planned(doubt, calendar=[seen(TEN, key="back", uid="u")])
    assert holder(plan, "back").event.presence is Presence.UNKNOWN
    assert (plan.effects, joined(plan)) == ([], [])


def test_what_waits_for_a_person_waits_under_its_new_key() -> None:
    parked = replace(HELD, state=LinkState.PARKED, reason="two bookings claim the room")
    plan = planned(parked, calendar=[NOT_FOUND, replace(SECOND, tag=None)])
    kept = stored(plan)["x"]
    assert (kept.state, kept.reason) == (LinkState.PARKED, "two bookings claim the room")
    assert kept.event.key == "e2"
    assert (plan.effects, joined(plan)) == ([], [("x", "made anew under another key")])


def test_what_people_changed_as_it_got_its_new_key_is_a_new_chance() -> None:
    parked = replace(HELD, state=LinkState.PARKED, reason="two bookings claim the room")
    plan = planned(parked, calendar=[NOT_FOUND, seen(RENAMED, key="e2", uid="u", mark=9)])
    kept = stored(plan)["x"]
    assert (kept.state, kept.reason, kept.event.key) == (LinkState.ACTIVE, "", "e2")
    assert [(e.kind, e.key, e.target) for e in plan.effects] == [(K.CHANGE_BOOKING, "b", RENAMED)]


@pytest.mark.parametrize(
    ("tag", "origin"),
    [("x", CALENDAR), (None, BOOKING)],
    ids=["written by us", "there before"],
)
def test_what_bears_our_tag_was_born_on_the_other_side(tag: str | None, origin: Side) -> None:
    back = link(None, there(NINE, key="e", uid="u"), origin=BOOKING)
    plan = planned(back, booking=[seen(NINE, key="b", uid="u", tag=tag)])
    assert (stored(plan)["x"].booking.key, stored(plan)["x"].origin) == ("b", origin)
