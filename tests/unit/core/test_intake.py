"""Items that calsync made more than once, or late, or in place of others: which of them is the
booking's in a plan, and what becomes of the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import EffectKind, Link, LinkState, Plan, Seen, former_mark
from calsync.reconcile.observe import LAG
from tests.unit.core.planning import NINE, TEN, kinds, planned, stored
from tests.unit.core.values import CALENDAR, NOW, agreed, at, gone, link, seen, there, unknown

K = EffectKind
HELD = agreed(NINE)
HELD = replace(HELD, event=replace(HELD.event, uid="u"))
FIRST = seen(NINE, key="e", uid="u")
SECOND = seen(NINE, key="e2", uid="u", tag="x", mark=9, created=at(900))
#: Heard of long enough ago: no copy of the mailbox lags behind so far.
UNREAD = link(None, unknown(key="e2", mark=-1, created=NOW - LAG), id="n", origin=CALENDAR)


def joined(plan: Plan) -> list[tuple[str, str]]:
    return [(r.link_id, r.why) for r in plan.rulings if r.verb == "join"]


@pytest.mark.parametrize("reason", ["", "it could not be understood"])
def test_what_a_create_of_ours_made_twice_is_removed_once(reason: str) -> None:
    state = LinkState.PARKED if reason else LinkState.ACTIVE
    heard = replace(UNREAD, state=state, reason=reason)
    plan = planned(HELD, heard, calendar=[FIRST, SECOND])
    assert (stored(plan)["n"].state, stored(plan)["n"].reason) == (LinkState.ACTIVE, "")
    assert kinds(plan) == [(K.DELETE_EVENT, "n")]
    assert plan.effects[0].key == "e2"
    assert joined(plan) == [("x", "made twice: one of the two is removed")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (FIRST, {"tag": None}),
        (FIRST, {"tag": "nobody"}),
        (FIRST, {"uid": "other"}),
        (None, {}),
    ],
    ids=["no tag", "of nobody", "another meeting", "the first was not read now"],
)
def test_what_may_be_another_meeting_is_a_booking_of_its_own(
    first: Seen | None, second: dict[str, Any]
) -> None:
    shows = [replace(SECOND, **second), *([first] if first else [])]
    plan = planned(HELD, UNREAD, calendar=shows)
    assert kinds(plan) == [(K.CREATE_BOOKING, "n")]


def test_a_tag_of_another_room_says_nothing() -> None:
    elsewhere = replace(HELD, pair_id="other")
    plan = planned(elsewhere, UNREAD, calendar=[FIRST, SECOND])
    assert (K.DELETE_EVENT, "n") not in kinds(plan)


@pytest.mark.parametrize("known", [True, False], ids=["heard of before", "new"])
@pytest.mark.parametrize(("late", "removed"), [(True, True), (False, False)])
def test_what_was_made_after_it_was_thrown_away_is_removed(
    late: bool, removed: bool, known: bool
) -> None:
    """Somebody deleted the item of one try; then that of another one, given up, arrived."""
    away = link(there(NINE, key="b"), gone(key="e", uid="u"), base=NINE, origin=CALENDAR)
    come = replace(SECOND, late=late)
    plan = planned(away, *([UNREAD] if known else []), calendar=[come])
    assert (("x", "made after it was thrown away: removed") in joined(plan)) is removed
    keys = [e.key for e in plan.effects if e.kind is K.DELETE_EVENT]
    assert keys == (["e2"] if removed else [])


def test_what_came_late_says_nothing_while_its_booking_stands() -> None:
    plan = planned(HELD, UNREAD, calendar=[FIRST, replace(SECOND, uid="v", late=True)])
    assert kinds(plan) == [(K.CREATE_BOOKING, "n")]


# --- in place of another -------------------------------------------------------------------------


def changing(**more: Any) -> Link:
    """Its booking was moved to ten; the new item in the calendar may have been made."""
    old = there(NINE, key="e", uid="u", sent=fingerprint(TEN))
    return link(there(TEN, key="b"), old, base=NINE, in_flight=True, **more)


MADE = seen(TEN, key="e2", uid="w", tag="x", replaces=former_mark("e"), mark=9)


@pytest.mark.parametrize("known", [True, False], ids=["heard of before", "new"])
def test_what_was_made_in_place_of_an_item_is_the_bookings(known: bool) -> None:
    plan = planned(changing(), *([UNREAD] if known else []), calendar=[FIRST, MADE])
    assert joined(plan) == [("x", "made in place of its former item")]
    kept = stored(plan)["x"]
    assert (kept.event.key, kept.in_flight, kept.base) == ("e2", False, TEN)
    assert kept.revision == changing().revision + 1, "what was in doubt is overtaken"
    (removal,) = plan.effects
    assert (removal.kind, removal.key) == (K.DELETE_EVENT, "e")
    assert "n" not in stored(plan) or stored(plan)["n"].event.key is None


@pytest.mark.parametrize(
    "more",
    [{"replaces": former_mark("other")}, {"tag": None}, {"tag": "nobody"}],
    ids=["of another item", "no tag", "of nobody"],
)
def test_a_copy_of_what_was_made_in_place_of_an_item_is_not_the_bookings(
    more: dict[str, Any],
) -> None:
    plan = planned(changing(), calendar=[FIRST, replace(MADE, **more)])
    assert joined(plan) == []
    assert stored(plan).get("x", changing()).event.key == "e"


def test_what_people_changed_in_what_was_made_is_their_change() -> None:
    """Only what was written is agreed on; the rest is carried over."""
    longer = replace(TEN, end=TEN.end + timedelta(hours=1))
    plan = planned(changing(), calendar=[FIRST, replace(MADE, **_shows(longer))])
    writes = [(e.kind, e.target) for e in plan.effects if e.link_id == "x"]
    assert writes == [(K.CHANGE_BOOKING, longer)]


def _shows(what: Any) -> dict[str, Any]:
    return {"occupancy": what, "fingerprint": fingerprint(what)}
