"""What waits until time is left, where several want it or a write is in doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from calsync.model import Half, Link, Occupancy
from calsync.reconcile.decide import Decision, Verb
from calsync.reconcile.wait import claim_taken, still_needed
from tests.unit.core.planning import NINE, RENAMED, TEN, TWELVE
from tests.unit.core.test_wait_and_claims import (
    COMING,
    FORMER,
    MOVED,
    NEW,
    PART,
    called,
    times,
    to,
    waiting,
)
from tests.unit.core.values import BOOKING, CALENDAR, DAY, agreed, daily, gone, link, there

MAKES = to(Verb.CREATE_EVENT, NINE)


def test_what_a_write_in_doubt_may_have_left_is_not_left_as_far_as_anybody_knows() -> None:
    assert waiting(replace(MOVED, in_flight=True), NEW, new=MAKES) == ["new"]


def test_what_was_gone_when_its_write_came_into_doubt_leaves_nothing() -> None:
    """What it was is kept for the answer; it stands there no more."""
    away = called(link(there(TWELVE), gone(seen=NINE), base=TEN), "away")
    assert waiting(away, NEW, new=MAKES) == []


def test_what_people_moved_here_does_not_leave_it_by_being_carried_over() -> None:
    """Whether two may stand there is no matter of waiting: that was judged before."""
    here = called(link(there(TEN), there(NINE), base=TEN), "here")
    assert waiting(here, NEW, new=MAKES, here=to(Verb.WRITE_BOOKING, NINE)) == []
    booked = called(link(there(NINE), there(TEN), base=TEN), "here")
    new = to(Verb.CREATE_BOOKING, NINE)
    assert waiting(booked, COMING, new=new, here=to(Verb.WRITE_EVENT, NINE)) == []


def test_two_that_want_each_others_time_wait_once() -> None:
    """Both for a third, which is about to leave it."""
    one = called(link(there(NINE), there(TEN), base=TEN), "one")
    two = called(link(there(TEN), there(NINE), base=NINE), "two")
    found = waiting(MOVED, one, two, one=to(Verb.WRITE_EVENT, NINE), two=to(Verb.WRITE_EVENT, TEN))
    assert found == ["one", "two"]


def test_an_event_stays_for_its_own_booking_whatever_else_is_in_doubt() -> None:
    other = called(link(there(NINE, key="c"), Half(), in_flight=True), "other")
    leaves = {"former": to(Verb.DELETE_EVENT)}
    for parts in ([PART, other], [other, PART]):
        assert still_needed([FORMER, *parts], leaves, times) == ["former"]
    nameless = replace(FORMER, booking=gone(key=None))  # type: ignore[arg-type]
    assert still_needed([nameless, PART], leaves, times) == []


# --- on which side it is claimed -----------------------------------------------------------------

FIRST = DAY + timedelta(hours=9)
SERIES, LESS = daily(9, 10), daily(9, 10, excluded=(FIRST,))


def renamed(what: Occupancy) -> Occupancy:
    return replace(what, title="renamed")


@pytest.mark.parametrize(
    ("item", "decision", "claim"),
    [
        (link(there(TEN), there(NINE), base=NINE), to(Verb.WRITE_EVENT, TEN), BOOKING),
        (link(there(TEN), there(NINE), base=NINE), to(Verb.WRITE_BOOKING, NINE), CALENDAR),
        (link(there(RENAMED), there(NINE), base=NINE), to(Verb.WRITE_EVENT, RENAMED), None),
        (link(there(TEN), gone(), base=NINE), to(Verb.REVIVE_EVENT, TEN), None),
        (link(there(TEN), there(NINE)), to(Verb.WRITE_EVENT, TEN), None),
        (
            link(there(renamed(LESS)), there(SERIES), base=SERIES),
            to(Verb.WRITE_BOTH, renamed(LESS)),
            BOOKING,
        ),
        (
            link(there(LESS), there(renamed(SERIES)), base=SERIES),
            to(Verb.WRITE_BOTH, daily(9, 10, excluded=(FIRST, FIRST + timedelta(days=1)))),
            None,
        ),
        (agreed(NINE), to(Verb.WRITE_BOTH, RENAMED), None),
        (agreed(NINE), to(Verb.DELETE_EVENT), None),
    ],
    ids=[
        "moved on the platform", "put back as it was", "only renamed", "nothing there",
        "never agreed on", "merged, as one side shows it", "merged of both", "merged at its time",
        "nothing is carried over",
    ],
)  # fmt: skip
def test_time_that_is_carried_over_was_claimed_where_it_is_taken_from(
    item: Link, decision: Decision, claim: object
) -> None:
    assert claim_taken(item, decision) == replace(item, claim=claim)  # type: ignore[arg-type]
