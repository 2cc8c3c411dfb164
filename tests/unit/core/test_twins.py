"""An item with the global id of a linked one: made anew, or another? (seeds 3656, 4264)"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from calsync.model import (
    Absence,
    EditPolicy,
    EffectKind,
    Gone,
    LinkState,
    Plan,
    Presence,
    Seen,
    Side,
    former_mark,
)
from calsync.reconcile.observe import LAG, may_be_remade
from tests.unit.core.planning import NINE, RENAMED, TEN, kinds, planned, stored
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    NOW,
    agreed,
    gone,
    link,
    seen,
    there,
    unknown,
)

HELD = agreed(NINE)
HELD = replace(HELD, event=replace(HELD.event, uid="u"))
NEW = seen(NINE, key="new", uid="u", mark=9, created=NOW)
#: A refusal of Outlook's booking is under way, and nobody knows whether it got through.
DOUBT = link(
    gone(key="b"), there(NINE, key="e", uid="u"), base=NINE, origin=CALENDAR, in_flight=True
)
NOT_FOUND = Gone(key="e", absence=Absence.READ)


def test_a_new_item_waits_while_the_linked_one_still_shows() -> None:
    plan = planned(HELD, calendar=[NEW, seen(NINE, key="e", uid="u")])
    (waits,) = (lk for lk in plan.links if lk.id != HELD.id)
    assert (waits.event.presence, waits.event.key) == (Presence.UNKNOWN, "new")
    assert waits.event.created == NOW
    assert plan.effects == []


@pytest.mark.parametrize(("since", "held"), [(LAG - timedelta(seconds=1), True), (LAG, False)])
def test_after_a_while_it_is_a_booking_of_its_own(since: timedelta, held: bool) -> None:
    waits = link(None, unknown(key="new", mark=-1, created=NOW - since), id="n", origin=CALENDAR)
    plan = planned(HELD, waits, calendar=[NEW, seen(NINE, key="e", uid="u")])
    assert [e.kind for e in plan.effects] == ([] if held else [EffectKind.CREATE_BOOKING])


def test_once_the_former_one_is_gone_it_is_the_same_booking() -> None:
    waits = link(None, unknown(key="new", mark=-1, created=NOW), id="n", origin=CALENDAR)
    plan = planned(HELD, waits, calendar=[NEW, NOT_FOUND])
    assert plan.effects == []
    assert stored(plan)[HELD.id].event.key == "new"
    assert stored(plan)["n"].state is LinkState.BURIED


def test_while_a_write_of_the_linked_one_is_in_doubt_nothing_is_made_of_it() -> None:
    plan = planned(DOUBT, calendar=[NEW, NOT_FOUND])
    (waits,) = (lk for lk in plan.links if lk.id != DOUBT.id)
    assert waits.event.presence is Presence.UNKNOWN
    assert plan.effects == []


def test_a_refusal_that_did_not_get_through_is_sent_again_under_the_new_key() -> None:
    # The mailbox moved meanwhile: all its items have new keys.
    settled = replace(DOUBT, in_flight=False, event=unknown(key="e", uid="u", mark=5))
    waits = link(None, unknown(key="new", mark=-1, created=NOW), id="n", origin=CALENDAR)
    again = replace(NEW, owned=False, created=DOUBT.event.created)
    plan = planned(settled, waits, calendar=[again, NOT_FOUND])
    assert [(e.kind, e.key) for e in plan.effects] == [(EffectKind.DECLINE_EVENT, "new")]


@pytest.mark.parametrize(
    "twin",
    [
        replace(HELD, event=replace(HELD.event, uid="other")),
        replace(HELD, event=replace(HELD.event, key=None)),
        replace(HELD, event=replace(HELD.event, key="new")),
        replace(HELD, state=LinkState.BURIED),
        replace(HELD, event=gone(key="e", uid="u")),
        replace(HELD, event=unknown(key="e", uid="u")),
    ],
    ids=["another id", "no key", "itself", "buried", "gone for sure", "not readable"],
)
def test_what_cannot_be_it(twin: object) -> None:
    assert not may_be_remade(twin, CALENDAR, NEW, heard=None, now=NOW)  # type: ignore[arg-type]


def test_what_bears_no_global_id_waits_for_nothing() -> None:
    nameless = replace(HELD, event=replace(HELD.event, uid=""))
    plan = planned(nameless, calendar=[replace(NEW, uid=""), seen(NINE, key="e")])
    assert kinds(plan) != []


def test_the_booking_side_is_told_apart_in_the_same_way() -> None:
    held = replace(HELD, booking=replace(HELD.booking, uid="u"))
    assert may_be_remade(held, BOOKING, NEW, heard=None, now=NOW)


# --- made in its place, while Exchange made it anew, too (seed 100861) -------------------------

#: A change of the booking, for which the event had to be made a second time, is in doubt.
MOVING = replace(
    link(there(TEN, key="b"), there(NINE, key="e", uid="u"), base=NINE, in_flight=True),
    origin=BOOKING,
)
OURS = seen(TEN, key="ours", uid="v", tag="x", replaces=former_mark("e"), mark=9)
ANEW = seen(NINE, key="anew", uid="u", mark=9)


def ends(plan: Plan, obs: Seen) -> None:
    assert stored(plan)["x"].event.key == obs.key
    assert stored(plan)["x"].base == obs.occupancy
    (effect,) = plan.effects
    assert (effect.kind, effect.key) == (EffectKind.DELETE_EVENT, "anew")
    (left,) = (lk for lk in plan.links if lk.event.key == "anew")
    assert (left.origin, left.booking.presence) == (Side.BOOKING, Presence.GONE)


@pytest.mark.parametrize("key", ["ours", "a key that comes first"])
@pytest.mark.parametrize("doubt", [True, False])
def test_of_two_the_one_that_replaces_is_the_booking_and_the_other_ends(
    key: str, doubt: bool
) -> None:
    """Whichever is looked at first, and also where nobody knows of the write any more."""
    ours = replace(OURS, key=key)
    was = replace(MOVING, in_flight=doubt)
    was = replace(was, event=replace(was.event, sent=OURS.fingerprint))
    plan = planned(was, calendar=[ours, ANEW, NOT_FOUND])
    ends(plan, ours)
    assert plan.conflicts == []


def test_what_people_changed_on_the_other_is_on_record() -> None:
    was = replace(MOVING, event=replace(MOVING.event, sent=OURS.fingerprint))
    plan = planned(was, calendar=[OURS, seen(RENAMED, key="anew", uid="u", mark=9), NOT_FOUND])
    ends(plan, OURS)
    (conflict,) = plan.conflicts
    assert conflict.lost == RENAMED


@pytest.mark.parametrize("policy", EditPolicy)
def test_nobody_who_changes_the_other_gets_a_second_booking(policy: EditPolicy) -> None:
    """Seed 9063. It was changed before it could be removed, where Outlook's edits may win."""
    was = replace(MOVING, event=replace(MOVING.event, sent=OURS.fingerprint))
    left = seen(RENAMED, key="e", uid="u", mark=9)
    plan = planned(was, calendar=[OURS, left], edit=policy)
    assert stored(plan)["x"].event.key == OURS.key
    assert [(e.kind, e.key) for e in plan.effects] == [(EffectKind.DELETE_EVENT, "e")]
    (conflict,) = plan.conflicts
    assert conflict.lost == RENAMED


def test_what_others_organize_is_not_removed() -> None:
    was = replace(MOVING, event=replace(MOVING.event, sent=OURS.fingerprint))
    plan = planned(was, calendar=[OURS, replace(ANEW, owned=False), NOT_FOUND])
    assert [e.kind for e in plan.effects] != [EffectKind.DELETE_EVENT]
