"""A room planned: what is written no more, what is told once, and who waits for what is parked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from calsync.model import (
    ClashPolicy,
    EditPolicy,
    EffectKind,
    LinkState,
    Override,
    RoomAnswer,
    Skip,
    Tally,
)
from calsync.reconcile.plan import MAX_ATTEMPTS
from tests.unit.core.planning import ANNA, NINE, TEN, TWELVE, kinds, planned, says, stored
from tests.unit.core.test_asked import asked, plan
from tests.unit.core.test_obey import house, invitation
from tests.unit.core.test_plan_clashes import moved_booking, rival
from tests.unit.core.values import (
    CALENDAR,
    DAY,
    NOW,
    at,
    daily,
    gone,
    link,
    seen,
    there,
    unknown,
)

K = EffectKind

# --- what the room declined ----------------------------------------------------------------------


def test_what_the_room_declined_is_declined_also_while_both_sides_are_joined_anew() -> None:
    declined = asked(NINE, NINE, RoomAnswer.DECLINED, pending=True)
    found = plan(declined, rejoin=EditPolicy.BOOKING)
    assert [one.kind for one in found.effects] == [K.REJECT_BOOKING]


@pytest.mark.parametrize("what", [NINE, TEN], ids=["rejected", "its move given back"])
@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"attempts": MAX_ATTEMPTS}, "after 8 writes"),
        ({"writes": Tally(20, NOW)}, "written 20 times"),
    ],
)
def test_what_the_room_declines_again_and_again_is_parked(
    what: Any, more: dict[str, Any], why: str
) -> None:
    """The platform does not take the answer, or a program books it again each time."""
    found = plan(asked(what, what, RoomAnswer.DECLINED, pending=True, ours=True, **more))
    assert found.effects == []
    assert (found.links[0].state, why in found.links[0].reason) == (LinkState.PARKED, True)


# --- clashes -------------------------------------------------------------------------------------


def test_who_booked_a_time_that_was_left_may_lose_it_to_what_comes_back() -> None:
    """Nothing is to be written for what is back as agreed; but another was put there meanwhile."""
    met = link(
        there(NINE, key="b2", since=at(55)),
        there(NINE, key="e2", since=at(20), owned=False),
        base=NINE,
        id="y",
        origin=CALENDAR,
    )
    away = link(there(NINE, key="b"), there(TEN, key="e", since=at(5)), base=NINE)
    found = planned(away, met, calendar=[seen(NINE, key="e", mark=9, modified=at(50))])
    assert kinds(found) == [(K.DECLINE_EVENT, "y")]
    assert [(c.link_id, c.other_link_id) for c in found.conflicts] == [("y", "x")]
    stays = link(there(NINE, key="b"), there(NINE, key="e", since=at(30)), base=NINE)
    again = planned(stays, met, booking=[seen(NINE, key="b", mark=9)])
    assert (again.effects, again.conflicts) == ([], []), "judged when they came"


#: It came to the calendar after somebody had booked there, who could not see it.
RESTS = link(there(NINE, key="b"), there(NINE, key="e", since=at(6)), base=NINE)
MET = seen(NINE, key="e2", created=at(5), owned=False)


def test_who_waits_for_an_answer_hears_none_while_a_person_decides() -> None:
    """Both sides have it; but it is one of two that claim the time."""
    found = planned(replace(RESTS, pending=True), calendar=[MET], clash=ClashPolicy.ASK)
    assert (found.effects, stored(found)["x"].state) == ([], LinkState.PARKED)


def test_what_is_at_rest_may_lose_to_what_could_not_be_seen() -> None:
    """The one in the calendar has the time, and gets it when the booking has left."""
    found = planned(RESTS, calendar=[MET], clash=ClashPolicy.CALENDAR)
    assert kinds(found) == [(K.REJECT_BOOKING, "x")]


def test_the_time_of_a_move_that_is_refused_no_more_is_not_given_away() -> None:
    """The loser is parked, and its event stands where it was."""
    stuck = moved_booking(attempts=MAX_ATTEMPTS)
    booked = seen(NINE, key="b2", created=at(60))
    found = planned(stuck, booking=[booked], calendar=[rival(TWELVE)])
    assert (found.effects, stored(found)["m"].state) == ([], LinkState.PARKED)
    assert says(found) == ["its time is held by one just parked"]


# --- what cannot be told yet ---------------------------------------------------------------------


def test_an_event_stays_until_it_is_known_whether_its_booking_has_another() -> None:
    """The booking came to be several items, the first of which holds the time of the former."""
    former = link(gone(key="b"), there(NINE, key="e"), base=NINE, id="former")
    part = link(there(NINE, key="b#x20260302T0900"), in_flight=True, id="part")
    found = planned(former, part)
    assert found.effects == []
    assert Skip("former", "whether another item holds its time is in doubt") in found.skips


def test_what_cannot_be_read_holds_up_its_booking_also_where_a_late_state_shows() -> None:
    unread = link(None, unknown(key="e", uid="u"), id="t", origin=CALENDAR)
    waits = link(there(TEN, key="b", uid="u"), id="w")
    found = planned(unread, waits, calendar=[seen(NINE, key="e", mark=4)])
    assert found.effects == []


# --- the room's rules ----------------------------------------------------------------------------


def test_an_edit_conflict_about_a_series_that_keeps_its_other_dates_is_decided_later() -> None:
    base = daily(10, 11)
    second = DAY + timedelta(days=1, hours=10)
    early = Override(
        recurrence_id=second,
        start=second - timedelta(hours=2),
        end=second - timedelta(hours=1),
    )
    theirs = invitation(daily(10, 11, overrides=(early,)), mark=9)
    item = link(
        there(replace(base, title="mine"), key="b"),
        there(base, key="e", owned=False),
        base=base,
        origin=CALENDAR,
        person=ANNA,
    )
    found = planned(item, calendar=[theirs], house=house())
    (effect,) = found.effects
    assert effect.kind is K.DECLINE_EVENT
    assert effect.refusal is not None
    assert effect.refusal.dates == (second,)
    assert found.conflicts == []
    assert len(planned(item, calendar=[theirs]).conflicts) == 1
