"""A late write of ours, and what people did on the other side meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from calsync.conflicts.merge import merge
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Done,
    EditPolicy,
    EffectKind,
    Link,
    Occupancy,
    Override,
    Seen,
    Stale,
    former_mark,
)
from calsync.reconcile.decide import decide
from calsync.reconcile.observe import accept
from calsync.reconcile.rebase import bury
from calsync.reconcile.remade import replaced
from calsync.reconcile.sent import sending
from calsync.reconcile.settle import settle
from tests.unit.core.planning import kinds, planned
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    DAY,
    NOW,
    agreed,
    at,
    daily,
    effect,
    gone,
    link,
    occ,
    seen,
    there,
)

NINE, TEN, TWELVE = occ(9, 10), occ(10, 11), occ(12, 13)

#: Moved to ten on the platform; the event's move was sent, and nothing was heard of it.
MOVING = sending(agreed(NINE), effect(EffectKind.CHANGE_EVENT, key="e", target=TEN))
UNNOTED = replace(MOVING, event=replace(MOVING.event, sent=""))


def test_a_late_move_of_ours_takes_nothing_back() -> None:
    """It was given up as lost, and the booking was moved on to twelve. Then it came."""
    item = replace(MOVING, booking=there(TWELVE, key="b", mark=7), claim=BOOKING)
    late = accept(item, CALENDAR, seen(TEN, key="e", mark=9), NOW)
    assert late is not None
    assert (late.base, late.booking.seen, late.event.seen) == (TEN, TWELVE, None)
    assert late.claim is BOOKING, "nobody claimed ten in the calendar"


@pytest.mark.parametrize(("item", "base"), [(MOVING, TEN), (UNNOTED, NINE)])
def test_a_change_found_after_its_reply_was_lost_is_agreed_on(item: Link, base: Occupancy) -> None:
    """The outbox does not keep what was written; the link knows whether both sides had it."""
    doubt = replace(item, in_flight=True, booking=there(TWELVE, key="b"))
    again = effect(EffectKind.CHANGE_EVENT, key="e", version="v5", merged=True)
    found = settle(doubt, again, Done(seen(TEN, key="e", mark=9)), now=NOW, quiet=False).link
    assert (found.base, found.booking.seen) == (base, TWELVE)


# --- a series on its way, found half-way (seed 451) ---------------------------------------------

SECOND, THIRD, FOURTH = (DAY + timedelta(days=day, hours=9) for day in (1, 2, 3))
BARE = daily(9, 10, count=4)
#: Two dates were given up, and both sides know.
HELD = daily(9, 10, count=4, excluded=(SECOND, THIRD))
#: One of them takes place again: Exchange needs a new item for that.
ONE_BACK = daily(9, 10, count=4, excluded=(THIRD,))
#: In Outlook, the other one does.
OTHER_BACK = daily(9, 10, count=4, excluded=(SECOND,))
#: A date is shortened, while Outlook moves the series, which loses its exceptions.
SHORT = Override(recurrence_id=FOURTH, start=FOURTH, end=FOURTH + timedelta(minutes=25))
SHORTER = daily(9, 10, count=4, excluded=(SECOND, THIRD), overrides=(SHORT,))
MOVED = daily(14, 15, count=4)
#: On the platform it is moved with the dates that it lacks.
LATER = daily(14, 15, count=4, excluded=(SECOND + timedelta(hours=5), THIRD + timedelta(hours=5)))


def told(half: Seen, item: Link, target: Occupancy, merged: bool) -> Link:
    """The answer says how far it came."""
    done = Done(half, complete=False)
    write = effect(EffectKind.CHANGE_EVENT, key="e", target=target, merged=merged)
    return settle(item, write, done, now=NOW, quiet=False).link


def in_doubt(half: Seen, item: Link, target: Occupancy, merged: bool) -> Link:
    """The answer was lost; the item is looked up."""
    doubt = Stale(half, tried=True)
    print_ = fingerprint(target)
    write = effect(EffectKind.CHANGE_EVENT, key="e", fingerprint=print_, merged=True)
    return settle(item, write, doubt, now=NOW, quiet=False).link


def by_feed(half: Seen, item: Link, target: Occupancy, merged: bool) -> Link:
    """Nothing of it is known but what was sent."""
    now = replace(item, in_flight=False)
    if half.replaces:
        both = replaced(now, CALENDAR, half, NOW)
        assert both is not None
        return both[1]
    found = accept(now, CALENDAR, half, NOW)
    assert found is not None
    return found


def writing(base: Occupancy, mine: Occupancy, theirs: Occupancy) -> tuple[Link, Occupancy]:
    """A link whose event is being written to, and what it is to become."""
    item = link(there(mine, key="b"), there(theirs, key="e"), base=base, in_flight=True)
    target = decide(item, EditPolicy.ORIGIN).target
    assert target is not None
    merged = target != mine
    write = effect(EffectKind.CHANGE_EVENT, key="e", target=target, merged=merged)
    return sending(item, write), target


Found = Callable[[Seen, Link, Occupancy, bool], Link]
ANEW: dict[str, Any] = {"key": "new", "replaces": former_mark("e"), "mark": 9}


def retitled(what: Occupancy) -> Occupancy:
    return replace(what, title="Two")


@pytest.mark.parametrize("found", [told, in_doubt, by_feed])
@pytest.mark.parametrize(
    ("mine", "theirs", "shown", "more"),
    [
        (ONE_BACK, HELD, BARE, ANEW),
        (ONE_BACK, retitled(HELD), retitled(BARE), ANEW),
        (ONE_BACK, OTHER_BACK, BARE, ANEW),
        (SHORTER, MOVED, BARE, {"key": "e", "mark": 9}),
        (LATER, HELD, MOVED, {"key": "e", "mark": 9}),
    ],
    ids=[
        "made anew",
        "made anew, merged",
        "made anew, a date given back on each side",
        "moved",
        "moved on the platform",
    ],
)
def test_what_a_series_on_its_way_lacks_nobody_took_back(
    found: Found, mine: Occupancy, theirs: Occupancy, shown: Occupancy, more: dict[str, Any]
) -> None:
    item, target = writing(HELD, mine, theirs)
    half = found(seen(shown, **more), item, target, target != mine)
    decision = decide(half, EditPolicy.ORIGIN)
    assert (decision.target, decision.conflict) == (target, None)


@pytest.mark.parametrize("found", [told, in_doubt])
def test_nor_what_a_moved_one_lacks_that_is_merged(found: Found) -> None:
    item, target = writing(HELD, SHORTER, retitled(MOVED))
    half = found(seen(retitled(BARE), key="e", mark=9), item, target, True)
    assert target == merge(HELD, SHORTER, retitled(MOVED), BOOKING).value
    decision = decide(half, EditPolicy.ORIGIN)
    assert (decision.target, decision.conflict) == (target, None)
    assert half.claim is None, "nobody claimed its time in the calendar"


@pytest.mark.parametrize("found", [told, in_doubt])
def test_who_changed_it_meanwhile_is_heard(found: Found) -> None:
    item, target = writing(HELD, ONE_BACK, HELD)
    half = found(seen(retitled(BARE), **ANEW), item, target, False)
    assert decide(half, EditPolicy.ORIGIN).target == retitled(ONE_BACK)


@pytest.mark.parametrize("found", [told, in_doubt])
def test_who_changed_a_date_of_it_that_was_made_again_already_is_heard(found: Found) -> None:
    """Both had shortened it. It was made again beside the new item, and lengthened there."""
    back = daily(9, 10, count=4, excluded=(THIRD,), overrides=(SHORT,))
    item, target = writing(SHORTER, back, retitled(SHORTER))
    longer = replace(SHORT, end=FOURTH + timedelta(hours=2), title="Two")
    shows = retitled(daily(9, 10, count=4, overrides=(longer,)))
    half = found(seen(shows, **ANEW), item, target, True)
    decision = decide(half, EditPolicy.ORIGIN)
    heard = retitled(daily(9, 10, count=4, excluded=(THIRD,), overrides=(longer,)))
    assert (decision.target, decision.conflict) == (heard, None)


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        (writing(HELD, ONE_BACK, HELD)[0], seen(BARE, key="e", mark=9)),
        (writing(HELD, ONE_BACK, HELD)[0], seen(BARE, key="new", mark=9, replaces="another's")),
        (link(there(SHORTER, key="b"), there(MOVED, key="e"), base=HELD), seen(BARE, mark=9)),
    ],
    ids=["the same item", "a copy", "nothing was sent"],
)
def test_what_no_write_of_ours_left_is_peoples(item: Link, shown: Seen) -> None:
    found = accept(replace(item, in_flight=False), CALENDAR, shown, NOW)
    assert found is not None
    assert found.base == HELD
    assert SECOND not in (decide(found, EditPolicy.ORIGIN).target or HELD).recurrence.excluded  # type: ignore[union-attr]


def test_a_booking_is_changed_whole_or_not_at_all() -> None:
    item = link(there(MOVED, key="b"), there(SHORTER, key="e"), base=HELD, in_flight=True)
    item = sending(item, effect(EffectKind.CHANGE_BOOKING, key="b", target=SHORTER))
    found = accept(item, BOOKING, seen(BARE, key="b", mark=9), NOW)
    assert found is not None
    assert found.base == HELD


@pytest.mark.parametrize("policy", EditPolicy)
@pytest.mark.parametrize("minutes", [None, 0, 5])
def test_a_late_series_whose_booking_was_given_up_is_nobodys_edit(
    policy: EditPolicy, minutes: int | None
) -> None:
    """It came bare: its exceptions are made once it is known. Where the calendar's edits win, that
    brought back a booking that people had cancelled, with dates that were never in it."""
    series = daily(9, 10)
    assert series.recurrence is not None
    wanted = replace(series, recurrence=replace(series.recurrence, excluded=(DAY,)))
    waits = link(there(wanted, key="b"))
    making = sending(waits, effect(EffectKind.CREATE_EVENT, target=wanted))
    tomb = bury(replace(making, booking=gone(key="b")))
    when = None if minutes is None else at(9) + timedelta(minutes=minutes)
    came = seen(series, key="e", tag="x", created=at(9), modified=when)
    plan = planned(tomb, calendar=[came], edit=policy)
    touched = minutes == 5
    assert bool(plan.conflicts) is touched, "what people did to it counts"
    if not touched:
        assert kinds(plan) == [(EffectKind.DELETE_EVENT, "x")]
