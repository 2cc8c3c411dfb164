"""A room planned, where it is imported, restored or joined anew, and what is on record there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from calsync.model import (
    BOTH_STAY,
    ConflictKind,
    EditPolicy,
    EffectKind,
    Half,
    Link,
    LinkState,
    Plan,
    Side,
    WriteAs,
)
from calsync.reconcile.join import heir
from calsync.reconcile.plan import reconcile
from calsync.reconcile.rebase import bury, rebase
from tests.unit.core.planning import ANNA, kinds, planned, says, stored
from tests.unit.core.test_obey import house, invitation
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    NOW,
    PAIR,
    WINDOW,
    agreed,
    at,
    daily,
    gone,
    link,
    occ,
    seen,
    there,
)

K = EffectKind
NINE, TEN, TWELVE = occ(9, 10), occ(10, 11), occ(12, 13)


# --- what stood before the import ----------------------------------------------------------------


def clash(booked: float, met: float, **more: Any) -> Plan:
    """A booking, and a meeting at the same time: since these minutes, and neither is shown on the
    other side."""
    one = seen(NINE, key="b", created=at(booked))
    two = invitation(replace(NINE, title="met"), created=at(met))
    return planned(booking=[one], calendar=[two], **more)


@pytest.mark.parametrize(
    ("booked", "met", "imported", "stays"),
    [
        (5, 8, 10, True),
        (8, 5, 8, True),
        (5, 12, 10, False),
        (12, 5, 10, False),
        (5, 8, None, False),
    ],
)
def test_what_stood_before_the_import_stays_and_is_on_record(
    booked: float, met: float, imported: float | None, stays: bool
) -> None:
    plan = clash(booked, met, imported_at=at(imported) if imported is not None else None)
    (conflict,) = plan.conflicts
    made = {K.CREATE_BOOKING, K.CREATE_EVENT}
    assert (conflict.policy == BOTH_STAY) is stays
    assert ({kind for kind, _ in kinds(plan)} == made) is stays
    assert conflict.kind is ConflictKind.CLASH
    assert conflict.lost is not None
    assert (conflict.lost.start, conflict.lost.title) == (
        NINE.start,
        "met" if met > booked else None,
    )
    if stays:
        assert conflict.reason == (
            "both stood at one time before the room was imported, so both stay"
        )


def test_nobody_is_refused_by_a_first_import_unless_a_restore_asks_for_it() -> None:
    assert [c.policy for c in clash(5, 8, importing=True).conflicts] == [BOTH_STAY]
    again = clash(5, 8, importing=True, rejoin=EditPolicy.BOOKING)
    assert BOTH_STAY not in [c.policy for c in again.conflicts]


def test_the_record_says_on_how_many_dates_both_stood() -> None:
    series = seen(daily(9, 10, count=3), key="b", created=at(8))
    two = invitation(NINE, created=at(5))
    plan = planned(booking=[series], calendar=[two], imported_at=at(10))
    (conflict,) = plan.conflicts
    assert (conflict.policy, "on 1 date(s)" in conflict.reason) == (BOTH_STAY, True)


# --- joined anew ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lives", [BOOKING, CALENDAR])
def test_what_a_lost_life_made_again_is_known_by_the_name_it_was_to_have(lives: Side) -> None:
    """It was changed on one side while it was deleted on the other; a database that is lost had
    made it anew there already."""
    stands, away = there(TEN, key="k"), gone(key="old")
    halves = (stands, away) if lives is BOOKING else (away, stands)
    item = link(*halves, base=NINE, origin=lives)
    new = heir(item, lives)
    made = K.CREATE_EVENT if lives is BOOKING else K.CREATE_BOOKING
    assert kinds(planned(item)) == [(made, new.id)]
    shows = [seen(TEN, key="new", tag=new.id)]
    plan = planned(item, **{"calendar" if lives is BOOKING else "booking": shows})
    assert plan.effects == []
    kept = stored(plan)
    assert (kept[new.id].half(lives.other).key, kept[new.id].base) == ("new", TEN)
    assert (kept["x"].state, kept["x"].half(lives).key) == (LinkState.BURIED, None)
    assert [(r.link_id, r.verb) for r in plan.rulings] == [(new.id, "join"), (new.id, "rebase")]
    others = [lk for i, lk in kept.items() if i not in (new.id, "x")]
    assert {(lk.state, lk.half(lives.other).key) for lk in others} <= {(LinkState.BURIED, None)}


def test_what_bears_another_name_is_somebody_elses() -> None:
    item = link(there(TEN, key="b"), gone(key="e"), base=NINE)
    plan = planned(item, calendar=[seen(TWELVE, key="e2", tag="other")])
    assert {kind for kind, _ in kinds(plan)} == {K.CREATE_EVENT, K.CREATE_BOOKING}


@pytest.mark.parametrize("more", [{"importing": True}, {"rejoin": EditPolicy.BOOKING}, {}])
def test_what_stood_before_is_made_in_the_room_and_mails_nobody(more: dict[str, Any]) -> None:
    pair = replace(PAIR, write_as=WriteAs.ORGANIZER)
    item = link(there(NINE, key="b"), person=ANNA)
    (made,) = reconcile([item], {}, {}, pair=pair, window=WINDOW, now=NOW, **more).effects
    assert (made.kind, made.organizer) == (K.CREATE_EVENT, "" if more else ANNA.address)


def test_nothing_is_declined_by_a_first_import() -> None:
    theirs = there(NINE, key="e", owned=False)
    item = link(gone(key="b"), theirs, base=NINE, origin=CALENDAR)
    plan = planned(item, importing=True)
    assert (plan.effects, stored(plan)["x"].state) == ([], LinkState.PARKED)
    assert "mails its organizer" in stored(plan)["x"].reason
    assert kinds(planned(item)) == [(K.DECLINE_EVENT, "x")]


def test_what_is_set_apart_holds_its_time_against_what_comes() -> None:
    """Deleted on the trusted side, and the other one still shows it: nobody is put there."""
    apart = link(gone(key="b"), there(NINE, key="e"), base=NINE)
    comes = replace(link(there(NINE, key="b2")), id="y")
    plan = planned(apart, comes, rejoin=EditPolicy.BOOKING)
    assert plan.effects == []
    assert [skip for skip in says(plan) if skip.startswith("its time is")]
    states = {lk.event.key: lk.state for lk in stored(plan).values() if lk.event.key}
    assert states == {"e": LinkState.PARKED}


# --- declined by the rules, with more to say -----------------------------------------------------


def test_an_edit_conflict_of_what_the_rules_decline_is_on_record_too() -> None:
    theirs = there(TEN, key="e", owned=False)
    item = link(there(TWELVE, key="b"), theirs, base=TEN, origin=CALENDAR, person=ANNA)
    plan = planned(item, calendar=[invitation(NINE, mark=9)], house=house())
    assert kinds(plan) == [(K.DECLINE_EVENT, "x")]
    assert [(c.kind, c.lost) for c in plan.conflicts] == [(ConflictKind.EDIT, TWELVE)]


def test_what_the_rules_decline_takes_the_time_of_nobody() -> None:
    booked = seen(NINE, key="b", created=at(8))
    plan = planned(booking=[booked], calendar=[invitation(NINE, created=at(5))], house=house())
    assert {kind for kind, _ in kinds(plan)} == {K.DECLINE_EVENT, K.CREATE_EVENT}
    assert plan.conflicts == []


# --- tombstones ----------------------------------------------------------------------------------


def remembered(**more: Any) -> Link:
    return agreed(NINE, passed=TEN, passed_seats=4, **more)


def test_what_the_rules_let_pass_is_forgotten_when_both_sides_agree_on_it() -> None:
    title = replace(TEN, title="t")
    assert rebase(remembered(), title, "fp").passed is None
    assert rebase(remembered(), TWELVE, "fp").passed == TEN
    tomb = bury(remembered())
    assert (tomb.passed, tomb.passed_seats) == (None, None)


@pytest.mark.parametrize(("lives", "organizer"), [(CALENDAR, "anna@x.example"), (BOOKING, "")])
def test_an_heir_has_all_that_goes_on_for_its_item(lives: Any, organizer: str) -> None:
    """Its mailbox, too, if it is the event that lives on."""
    new = heir(remembered(pending=True, organizer="anna@x.example", seats=5), lives)
    assert (new.passed, new.passed_seats, new.seats, new.pending) == (TEN, 4, 5, True)
    assert (new.organizer, new.claim) == (organizer, BOOKING)
    assert new.half(lives).seen == NINE
    assert new.half(lives.other) == Half()
