"""A late write of ours, and what people did on the other side meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calsync.model import Done, EffectKind
from calsync.reconcile.observe import accept
from calsync.reconcile.sent import sending
from calsync.reconcile.settle import settle
from tests.unit.core.values import BOOKING, CALENDAR, NOW, agreed, effect, occ, seen, there

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
def test_a_change_found_after_its_reply_was_lost_is_agreed_on(item, base) -> None:
    """The outbox does not keep what was written; the link knows whether both sides had it."""
    doubt = replace(item, in_flight=True, booking=there(TWELVE, key="b"))
    again = effect(EffectKind.CHANGE_EVENT, key="e", version="v5", merged=True)
    found = settle(doubt, again, Done(seen(TEN, key="e", mark=9)), now=NOW, quiet=False).link
    assert (found.base, found.booking.seen) == (base, TWELVE)
