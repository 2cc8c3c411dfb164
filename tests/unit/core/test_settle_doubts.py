"""Writes in doubt and writes made in part: what a side says it made and does not show, and what of
a series moved as a whole is agreed on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    NO_ORGANIZER,
    Absence,
    Done,
    EffectKind,
    Gone,
    Half,
    InDoubt,
    Later,
    Link,
    LinkState,
    Override,
    Refused,
)
from calsync.reconcile.observe import LAG
from calsync.reconcile.settle import NEVER_ARRIVED, settle
from tests.unit.core.values import DAY, NOW, agreed, at, daily, effect, link, occ, seen, there

K = EffectKind
NINE, TEN = occ(9, 10), occ(10, 11)
SENT = fingerprint(NINE)
MAKES = effect(K.CREATE_EVENT, target=NINE)
TO_MAKE = link(there(NINE, key="b"), Half(sent=SENT), in_flight=True, pending=True)
MADE = InDoubt("not shown", made=True)


def after(item: Link, outcome: Any, made: Any = MAKES, now: datetime = NOW) -> Link:
    return settle(item, made, outcome, now=now, quiet=False).link


def test_what_a_side_says_it_made_is_awaited_as_long_as_a_copy_may_lag() -> None:
    """Then somebody has removed it: a deletion, and no failure."""
    first = after(TO_MAKE, MADE)
    assert (first.in_flight, first.event.created) == (True, NOW)
    again = after(first, MADE, now=NOW + LAG - timedelta(seconds=1))
    assert again == first, "the time it was first heard of counts"
    gone = after(first, MADE, now=NOW + LAG)
    assert (gone.in_flight, gone.event.presence.value, gone.base) == (False, "gone", NINE)
    only_doubt = after(TO_MAKE, InDoubt("lost"))
    assert only_doubt.event.created is None


def test_what_was_there_before_is_in_doubt_for_as_long_as_it_takes() -> None:
    changes = effect(K.CHANGE_EVENT, key="k", was=NINE, target=TEN)
    stands = link(there(TEN), there(NINE), base=NINE, in_flight=True)
    assert after(stands, MADE, changes, now=NOW + LAG * 9) == stands


def test_a_person_without_a_calendar_leaves_the_booking_ready_for_another_way() -> None:
    asked = replace(TO_MAKE, organizer="anna@x.example")
    free = after(asked, Refused("closed", code=NO_ORGANIZER))
    assert (free.in_flight, free.organizer, free.hindrance) == (False, "", "closed")
    assert (free.event.sent, free.state) == ("", LinkState.ACTIVE)


def test_only_what_never_arrived_may_still_arrive() -> None:
    late = after(TO_MAKE, Later(0.0, NEVER_ARRIVED)).event.reason
    assert late
    assert after(TO_MAKE, Later(5.0, "throttled")).event.reason == ""
    assert after(TO_MAKE, InDoubt("lost")).event.reason == late
    there_already = link(there(TEN), there(NINE), base=NINE, in_flight=True)
    assert after(there_already, InDoubt("lost")).event.reason == ""


@pytest.mark.parametrize(("tries", "base"), [(SENT, True), (f"{SENT} other", False)])
def test_of_several_contents_nobody_knows_which_one_was_removed(tries: str, base: bool) -> None:
    item = replace(TO_MAKE, event=Half(sent=tries))
    removed = after(item, Done(Gone(key="e", absence=Absence.READ)))
    assert (removed.base == NINE) is base


def test_what_was_removed_leaves_the_base_that_was_agreed_on() -> None:
    item = link(there(TEN), there(NINE), base=NINE, in_flight=True)
    changes = effect(K.CHANGE_EVENT, key="k", was=NINE, target=TEN)
    assert after(item, Done(Gone(key="k", absence=Absence.READ)), changes).base == NINE
    deletes = effect(K.DELETE_EVENT, key="k", was=NINE)
    assert after(item, Done(Gone(key="k", absence=Absence.READ)), deletes).base == NINE


# --- in part -------------------------------------------------------------------------------------

DATES = [DAY + timedelta(days=n) for n in range(3)]


def changed(day: datetime, hour: int) -> Override:
    start = day + timedelta(hours=hour + 3)
    return Override(
        recurrence_id=day + timedelta(hours=hour), start=start, end=start + timedelta(hours=1)
    )


def series(hour: int, *days: int) -> Any:
    return daily(hour, hour + 1, overrides=tuple(changed(DATES[n], hour) for n in days))


@pytest.mark.parametrize(
    ("base", "target", "shows", "agreed_on"),
    [
        (series(9), series(11, 0, 1), series(11, 0), series(11, 0)),
        (series(9), series(11, 0, 1), series(11), series(11)),
        (series(9), series(9, 0, 1), series(9, 0), series(9, 0)),
        (series(9), series(9, 0), series(9, 2), series(9)),
        (series(9), series(11, 0), series(9), series(9)),
    ],
    ids=["moved, one of two dates", "moved alone", "one of two", "another one", "not at all"],
)
def test_what_of_a_change_was_made(base: Any, target: Any, shows: Any, agreed_on: Any) -> None:
    """What is missing is still to be made; what is there besides is people's."""
    item = link(there(target), there(base), base=base, in_flight=True)
    part = Done(seen(shows, mark=9), complete=False)
    changes = effect(K.CHANGE_EVENT, key="k", was=base, target=target)
    assert after(item, part, changes).base == agreed_on


def test_a_change_without_a_base_agrees_on_what_is_shown() -> None:
    item = link(there(series(9, 0)), there(series(9)), in_flight=True)
    part = Done(seen(series(9, 2), mark=9), complete=False)
    changes = effect(K.CHANGE_EVENT, key="k", was=series(9), target=series(9, 0))
    assert after(item, part, changes).base == series(9, 2)


def test_a_write_that_was_carried_out_says_so() -> None:
    stands = replace(agreed(NINE, pending=True), in_flight=True)
    gone = settle(
        stands,
        effect(K.DELETE_EVENT, key="k", was=NINE),
        Done(Gone(key="k", absence=Absence.READ)),
        now=at(2000),
        quiet=False,
    )
    assert gone.what == "confirmed"
