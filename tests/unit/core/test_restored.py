"""What comes back behind a tombstone: whose it is in a plan, and what becomes of the link that its
booking has by now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

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
    Ruling,
    Side,
    Unknown,
    their_key,
)
from calsync.reconcile.join import succeed
from tests.unit.core.planning import NINE, kinds, planned, stored
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    NOW,
    at,
    buried,
    gone,
    link,
    seen,
    there,
    unknown,
)

K = EffectKind
TOMB = buried(id="t")
#: The item that the tombstone had in the calendar, out of Deleted Items.
BACK = seen(NINE, key="e", mark=7, uid="u")
#: It shows again, but the read that has to confirm it failed.
MAYBE = Unknown(key="e", reason="timeout")


def lives(event: Half | None = None, **more: Any) -> Link:
    """The booking as it lives on since, in another link."""
    return link(there(NINE, key="b2", uid="u"), event, id="w", **more)


def others(plan: Plan, *known: str) -> list[Link]:
    return [lk for lk in plan.links if lk.id not in known]


# --- in place of the present item ----------------------------------------------------------------


def takes_the_place(plan: Plan) -> None:
    """The one that is back is the booking's; nothing is written, and nobody is told anything."""
    links = stored(plan)
    now = links["w"]
    assert (now.event.key, now.booking.key, now.base) == ("e", "b2", NINE)
    assert plan.effects == []
    assert (links["t"].state, links["t"].event.key) == (LinkState.BURIED, None)
    assert plan.rulings == [Ruling("w", "join", "made anew under another key")]
    (former,) = others(plan, "t", "w")
    assert (former.state, former.event.key) == (LinkState.BURIED, "e2")


@pytest.mark.parametrize("uid", ["", "u"], ids=["known by its content", "known by its uid"])
def test_who_deletes_an_event_and_restores_a_former_one_keeps_the_booking(uid: str) -> None:
    present = link(there(NINE, key="b2"), there(NINE, key="e2", uid=uid), base=NINE, id="w")
    deleted = Gone(key="e2", absence=Absence.READ)
    takes_the_place(planned(TOMB, present, calendar=[deleted, replace(BACK, uid=uid)]))


def test_so_does_who_restores_it_while_the_deletion_is_not_carried_over_yet() -> None:
    waits = lives(gone(key="e2"), base=NINE)
    takes_the_place(planned(TOMB, waits, calendar=[BACK]))


@pytest.mark.parametrize(
    ("event", "more"),
    [
        (unknown(key="e2"), {}),
        (gone(key="e2"), {"in_flight": True}),
        (gone(key="e2"), {"state": LinkState.PARKED}),
    ],
    ids=["it cannot be read", "a write in doubt", "parked"],
)
def test_it_takes_no_place_that_may_not_be_free(event: Half, more: dict[str, Any]) -> None:
    plan = planned(TOMB, lives(event, base=NINE, **more), calendar=[BACK])
    assert stored(plan).get("w", lives(event)).event.key == "e2"
    assert len(others(plan, "t", "w")) == 1


# --- while its booking is made anew --------------------------------------------------------------


def test_what_is_back_claims_its_time_since_it_is_back() -> None:
    made, changed = at(1), at(900)
    plan = planned(TOMB, lives(), calendar=[replace(BACK, created=made, modified=changed)])
    now = stored(plan)["w"]
    assert (now.event.key, now.event.created, now.event.since) == ("e", made, changed)


def test_so_does_what_is_back_on_both_sides() -> None:
    plan = planned(TOMB, booking=[seen(NINE, key="b", mark=7)], calendar=[BACK])
    (new,) = others(plan, "t")
    assert (new.booking.since, new.event.since) == (NOW, NOW)


def test_of_what_was_buried_while_it_stood_nothing_of_its_former_life_counts() -> None:
    """The room had declined it, and its booking was never made."""
    stood = replace(there(NINE, key="e", mark=6), seen=None)
    tomb = link(None, stood, id="t", state=LinkState.BURIED)
    plan = planned(tomb, calendar=[replace(BACK, created=at(900), modified=at(901))])
    (new,) = others(plan, "t")
    assert (new.event.created, new.event.since) == (at(900), at(901))


def test_while_its_create_is_in_doubt_what_is_back_is_looked_at_again() -> None:
    """Taken for a booking of its own, the person would have two."""
    plan = planned(TOMB, lives(in_flight=True), calendar=[BACK])
    assert plan.effects == []
    (new,) = others(plan, "t", "w")
    assert (new.event.presence, new.event.key) == (Presence.UNKNOWN, "e")
    assert new.event.reason == "its booking is just made anew"
    assert stored(plan)["t"].event.key is None


def test_what_cannot_be_read_stands_for_itself() -> None:
    for waits in (lives(), lives(in_flight=True), lives(gone(key="e2"), base=NINE)):
        plan = planned(TOMB, waits, calendar=[MAYBE])
        (new,) = others(plan, "t", "w")
        assert (new.event.presence, new.event.key) == (Presence.UNKNOWN, "e")
        assert new.event.reason == "timeout"


def test_a_booking_that_a_person_has_to_decide_on_gets_nothing_back() -> None:
    plan = planned(TOMB, lives(state=LinkState.PARKED), calendar=[BACK])
    assert stored(plan).get("w", lives()).event.key is None
    assert len(others(plan, "t", "w")) == 1


def test_a_booking_whose_event_came_by_now_gets_no_second_one() -> None:
    """Two tombstones, of two of its events: one is back after the other in the same plan."""
    second = replace(buried(id="t2"), event=gone(key="f"))
    again = seen(NINE, key="f", mark=7, uid="u")
    plan = planned(TOMB, second, lives(), calendar=[BACK, again])
    assert stored(plan)["w"].event.key == "e"
    (other,) = others(plan, "t", "t2", "w")
    assert other.event.key == "f"


# --- and could not be read itself ----------------------------------------------------------------


UNREAD = link(unknown(key="b2", uid="u"), id="w")


def test_both_sides_of_a_booking_that_could_not_be_read_come_in_one_plan() -> None:
    plan = planned(TOMB, UNREAD, booking=[seen(NINE, key="b2", uid="u")], calendar=[BACK])
    now = stored(plan)["w"]
    assert (now.booking.key, now.event.key, now.base) == ("b2", "e", NINE)
    assert now.booking.presence is now.event.presence is Presence.PRESENT
    assert (others(plan, "t", "w"), plan.effects) == ([], [])


def test_then_it_is_not_taken_for_another_one_that_vanished() -> None:
    away = link(there(NINE, key="b0"), there(NINE, key="e0"), base=NINE, id="y")
    plan = planned(
        TOMB,
        UNREAD,
        away,
        booking=[seen(NINE, key="b2", uid="u"), Gone(key="b0", absence=Absence.READ)],
        calendar=[BACK],
    )
    now = stored(plan)["w"]
    assert (now.booking.key, now.event.key) == ("b2", "e")
    assert kinds(plan) == [(K.DELETE_EVENT, "y")]


# --- whose meeting it is -------------------------------------------------------------------------


@pytest.mark.parametrize("origin", Side)
def test_whose_a_meeting_is_in_a_persons_calendar_is_not_forgotten(origin: Side) -> None:
    key = their_key("m")
    tomb = link(
        gone(key="b"), gone(key=key), id="t", origin=origin, state=LinkState.BURIED,
        organizer="anna@x.example",
    )  # fmt: skip
    back: list[list[Observation]] = [[seen(NINE, key="b", mark=7)], []]
    for shows in back:
        plan = planned(tomb, booking=shows, calendar=[replace(BACK, key=key)])
        (new,) = others(plan, "t")
        assert (new.event.key, new.organizer, new.origin) == (key, "anna@x.example", origin)


def test_of_the_rooms_own_it_is_whoever_restored_it() -> None:
    tomb = replace(TOMB, organizer="anna@x.example", origin=BOOKING)
    (new,) = others(planned(tomb, calendar=[BACK]), "t")
    assert (new.id, new.origin) == (succeed(tomb, CALENDAR).id, CALENDAR)
