"""Items without a link, several in one plan: which of them is whose, and what is left for the
others."""

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
    Plan,
    Presence,
    RoomAnswer,
    Ruling,
    Side,
    Unknown,
    their_key,
)
from calsync.reconcile.join import heir
from calsync.reconcile.observe import LAG
from tests.unit.core.planning import NINE, TEN, TWELVE, kinds, planned, says, stored
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    NOW,
    agreed,
    at,
    buried,
    gone,
    link,
    seen,
    there,
    unknown,
)

K = EffectKind


def key_of(side: Side) -> str:
    return "b" if side is BOOKING else "e"


def held(uid: str = "u") -> Link:
    one = agreed(NINE)
    return replace(one, event=replace(one.event, uid=uid))


# --- several that may be one link's --------------------------------------------------------------


def test_a_copy_of_what_vanished_is_not_it_where_it_came_itself_too() -> None:
    """A copy bears the tag of the booking; what was made anew has its global id."""
    plan = planned(
        held(),
        calendar=[
            Gone(key="e", absence=Absence.READ),
            seen(TEN, key="a copy", tag="x", uid="of the copy"),
            seen(NINE, key="made anew", tag="x", uid="u"),
        ],
    )
    assert stored(plan)["x"].event.key == "made anew"
    (other,) = (lk for lk in plan.links if lk.event.key == "a copy")
    assert kinds(plan) == [(K.CREATE_BOOKING, other.id)]


def test_a_booking_gets_one_event_however_many_bear_its_tag() -> None:
    waits = link(there(NINE, key="b"))
    plan = planned(waits, calendar=[seen(NINE, key=key, tag="x") for key in ("e1", "e2")])
    assert stored(plan)["x"].event.key == "e1"
    (other,) = (lk for lk in plan.links if lk.id != "x")
    assert other.event.key == "e2"


def test_of_two_that_came_of_one_create_in_doubt_the_second_is_removed() -> None:
    doubt = link(there(NINE, key="b"), Half(sent=fingerprint(NINE)), in_flight=True)
    plan = planned(doubt, calendar=[seen(NINE, key=key, tag="x") for key in ("e1", "e2")])
    now = stored(plan)["x"]
    assert (now.event.key, now.base, now.in_flight) == ("e1", NINE, False)
    (removal,) = plan.effects
    assert (removal.kind, removal.key) == (K.DELETE_EVENT, "e2")
    assert plan.rulings[:2] == [
        Ruling("x", "join", "recognised by our tag"),
        Ruling("x", "join", "made twice: one of the two is removed"),
    ]


@pytest.mark.parametrize("side", Side)
def test_what_was_made_twice_gets_one_link_on_either_side(side: Side) -> None:
    first, second = seen(NINE, key=key_of(side)), seen(NINE, key="second", tag="x")
    plan = planned(agreed(NINE), **{side.value: [first, second]})  # type: ignore[arg-type]
    (other,) = (lk for lk in plan.links if lk.id != "x")
    assert other.half(side).key == "second"
    kind = K.DELETE_BOOKING if side is BOOKING else K.DELETE_EVENT
    assert [(e.kind, e.link_id, e.key) for e in plan.effects] == [(kind, other.id, "second")]


def test_what_came_back_to_a_booking_keeps_its_place_from_what_is_new() -> None:
    """Out of Deleted Items, and made anew, in one plan: the booking waited for one."""
    waits = link(there(NINE, key="b", uid="u"))
    plan = planned(
        buried(id="t"),
        waits,
        calendar=[seen(NINE, key="e", mark=7, uid="u"), seen(NINE, key="new", uid="u")],
    )
    assert stored(plan)["x"].event.key == "e"
    (other,) = (lk for lk in plan.links if lk.event.key == "new")
    assert other.event.presence is Presence.UNKNOWN, "it may be the same one, made anew"
    assert plan.effects == []


#: Another booking of the same global id, which has no event yet.
WAITS = link(there(TEN, key="b2", uid="u"), id="w")


@pytest.mark.parametrize("tag", [None, "x"])
@pytest.mark.parametrize("known", [True, False], ids=["heard of before", "new"])
def test_what_a_booking_waits_for_is_not_taken_for_the_double_of_another(
    tag: str | None, known: bool
) -> None:
    unread = link(None, unknown(key="e2", mark=-1, created=NOW - LAG), id="n", origin=CALENDAR)
    plan = planned(
        held(),
        WAITS,
        *([unread] if known else []),
        calendar=[seen(NINE, key="e", uid="u"), seen(TEN, key="e2", uid="u", tag=tag)],
    )
    now = stored(plan)["w"]
    assert (now.event.presence, now.event.key) == (Presence.PRESENT, "e2")
    assert plan.effects == []
    assert {lk.state for lk in plan.links if lk.id == "n"} <= {LinkState.BURIED}


def test_what_a_booking_waits_for_is_not_given_to_the_one_that_its_tag_names() -> None:
    """That one is about to be made anew, under just this name."""
    item = link(there(TEN, key="b"), gone(key="e"), base=NINE)
    new = heir(item, BOOKING)
    waits = link(there(TWELVE, key="b2", uid="u"), id="w")
    plan = planned(item, waits, calendar=[seen(TWELVE, key="e2", uid="u", tag=new.id)])
    assert (stored(plan)["w"].event.key, stored(plan)["w"].state) == ("e2", LinkState.ACTIVE)
    assert kinds(plan) == [(K.CREATE_EVENT, new.id)]


# --- both sides in one plan ----------------------------------------------------------------------


def test_a_booking_found_under_a_new_key_gets_its_event_in_the_same_plan() -> None:
    """A restored database knows the booking by its former key, and of no event at all."""
    plan = planned(
        link(there(NINE, key="b")),
        booking=[Gone(key="b", absence=Absence.READ), seen(NINE, key="b2")],
        calendar=[seen(NINE, key="e", tag="x")],
    )
    now = stored(plan)["x"]
    assert (now.booking.presence, now.booking.key) == (Presence.PRESENT, "b2")
    assert (now.event.presence, now.event.key, plan.effects) == (Presence.PRESENT, "e", [])


def test_what_is_gone_before_it_could_be_read_waits_for_nothing() -> None:
    unread = link(None, unknown(key="e"), origin=CALENDAR)
    plan = planned(unread, calendar=[Gone(key="e", absence=Absence.READ)])
    assert stored(plan)["x"].state is LinkState.BURIED
    assert plan.rulings == [Ruling("x", "bury", "gone before it was carried over")]


def test_a_late_state_of_what_was_never_read_is_nothing() -> None:
    """It stands for what may be back behind a tombstone, whose mark it has."""
    unread = link(None, unknown(key="e", mark=6), origin=CALENDAR)
    assert planned(unread, calendar=[seen(NINE, key="e", mark=5)]) == Plan()
    assert kinds(planned(unread, calendar=[seen(NINE, key="e", mark=6)])) == [
        (K.CREATE_BOOKING, "x")
    ]


# --- what is known of a joined item --------------------------------------------------------------


def test_a_join_is_on_record() -> None:
    by_tag = planned(link(there(NINE, key="b")), calendar=[seen(NINE, key="e", tag="x")])
    assert by_tag.rulings[0] == Ruling("x", "join", "recognised by our tag")
    by_uid = planned(link(there(NINE, key="b", uid="u")), calendar=[seen(NINE, key="e", uid="u")])
    assert by_uid.rulings[0] == Ruling("x", "join", "the same on both sides")


@pytest.mark.parametrize(("tag", "origin"), [("x", CALENDAR), (None, BOOKING)])
def test_what_we_wrote_was_born_on_the_other_side(tag: str | None, origin: Side) -> None:
    """A meeting of calsync's in a person's calendar, restored after its booking was deleted: the
    booking made of it is the calendar's, and so what stands there is never deleted."""
    meeting = link(None, there(NINE, key=their_key("m"), uid="u"), origin=BOOKING)
    plan = planned(meeting, booking=[seen(NINE, key="b", tag=tag, uid="u")])
    assert (stored(plan)["x"].booking.key, stored(plan)["x"].origin) == ("b", origin)


def test_where_something_was_agreed_on_an_item_claims_its_time_since_it_was_made() -> None:
    """Where nothing was, what calsync wrote says that people moved it since."""
    shows = seen(TEN, key="e", tag="x", created=at(500), modified=at(600))
    before = link(there(NINE, key="b"), base=NINE)
    now = stored(planned(before, calendar=[shows]))["x"]
    assert (now.event.since, now.claim) == (at(500), CALENDAR)
    doubt = link(there(NINE, key="b"), Half(sent=fingerprint(NINE)), in_flight=True)
    moved = stored(planned(doubt, calendar=[shows]))["x"]
    assert (moved.base, moved.event.since, moved.claim) == (NINE, at(600), CALENDAR)


# --- at rest -------------------------------------------------------------------------------------


def test_a_meeting_that_the_room_has_not_agreed_to_is_not_at_rest() -> None:
    def answered(answer: RoomAnswer) -> Link:
        meeting = there(NINE, key=their_key("m"), answer=answer)
        return link(there(NINE, key="b"), meeting, base=NINE)

    assert planned(answered(RoomAnswer.ACCEPTED)) == Plan()
    assert says(planned(answered(RoomAnswer.WAITING))) == ["waits for the room's answer"]
    assert kinds(planned(answered(RoomAnswer.DECLINED))) == [(K.REJECT_BOOKING, "x")]


def test_what_cannot_be_understood_now_can_be_joined_later() -> None:
    poison = Unknown(key="e", reason="no end", poison=True)
    (parked,) = planned(calendar=[poison]).links
    assert (parked.state, parked.reason, parked.event.key) == (LinkState.PARKED, "no end", "e")
    waits = link(there(NINE, key="b"))
    plan = planned(parked, waits, calendar=[seen(NINE, key="e", tag="x")])
    assert stored(plan)["x"].event.key == "e"
    assert stored(plan)[parked.id].state is LinkState.BURIED
