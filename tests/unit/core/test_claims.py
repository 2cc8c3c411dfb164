"""What a plan declines claims no time any more; what came back claims it anew; what waits and what
is looked for after a move, in the details."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from calsync.conflicts.clash import Claim, Verdict
from calsync.model import Half, Link, LinkState, Side
from calsync.reconcile.claims import as_known, as_stored, booked_since, claims_of, has_come_back
from calsync.reconcile.decide import Decision, Verb
from calsync.reconcile.wait import claim_taken, taken_from
from tests.unit.core.test_wait_and_claims import times, waiting
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    NOW,
    agreed,
    at,
    buried,
    daily,
    gone,
    link,
    occ,
    there,
    unknown,
)

NINE, TEN, TWELVE, TOMORROW = occ(9, 10), occ(10, 11), occ(12, 13), occ(33, 34)
RENAMED = replace(NINE, title="renamed")


def to(verb: Verb, target: Any = None) -> Decision:
    return Decision(verb=verb, why="w", target=target)


@pytest.mark.parametrize(
    ("leaving", "claimed"),
    [({}, [NINE]), ({"x": None}, []), ({"x": TEN}, [TEN]), ({"other": None}, [NINE])],
    ids=["nothing", "all of it", "some of it", "another"],
)
def test_what_is_declined_already_claims_what_is_left_of_it(leaving: Any, claimed: Any) -> None:
    filler = replace(link(there(TEN)), id="filler")
    fills = {"filler": to(Verb.CREATE_EVENT, TEN)}
    found = claims_of([agreed(NINE), filler], fills, NOW, leaving=leaving)
    assert [c.occupancy for c in found if c.link.id == "x"] == claimed


def moved(what: Any, since: float, **more: Any) -> Link:
    """In the calendar at this time since then; nine was agreed on."""
    return link(there(NINE, since=at(1)), there(what, since=at(since)), base=NINE, **more)


@pytest.mark.parametrize(
    ("before", "now", "back"),
    [
        (moved(TEN, 5), moved(NINE, 9), True),
        (moved(TEN, 5), moved(RENAMED, 9), True),
        (moved(TEN, 5), moved(TWELVE, 9), False),
        (moved(NINE, 5), moved(TEN, 9), False),
        (moved(NINE, 5), moved(NINE, 5), False),
        (moved(NINE, 5), moved(RENAMED, 5), False),
        (link(there(NINE), gone(), base=NINE), moved(NINE, 9), True),
        (moved(NINE, 5), link(there(NINE, since=at(1)), gone(), base=NINE), False),
        (moved(NINE, 5), link(there(NINE, since=at(1)), unknown(), base=NINE), False),
        (link(there(NINE, since=at(1)), base=NINE), moved(NINE, 9), False),
        (link(None, there(TEN, since=at(5))), link(None, there(NINE, since=at(9))), False),
    ],
    ids=[
        "moved back", "back, renamed", "moved on", "moved", "as it was", "renamed",
        "restored", "removed", "unreadable", "new there", "never agreed on",
    ],
)  # fmt: skip
def test_what_people_took_away_and_back(before: Link, now: Link, back: bool) -> None:
    """Its time may have been given to another in the meantime."""
    assert has_come_back(before, now) is back


def test_what_came_back_claims_its_time_anew_though_nothing_is_to_be_done_about_it() -> None:
    found = claims_of([agreed(NINE)], {"x": to(Verb.NOTHING)}, NOW, came_back={"x"})
    assert [(c.occupancy, c.new) for c in found] == [(NINE, True)]


def test_a_move_that_is_given_up_takes_its_former_time_anew() -> None:
    item = link(there(TEN, since=at(5)), there(TEN, since=at(6)), base=NINE)
    (claim,) = claims_of([item], {"x": to(Verb.GIVE_BACK, NINE)}, NOW)
    assert (claim.occupancy, claim.new) == (NINE, True)


# --- when people moved it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "read", "earliest"),
    [
        (moved(TEN, 5), 7, 5),
        (moved(TEN, 5), 10, 8),
        (moved(TEN, 5), 12, 9),
        (moved(TEN, 5), None, None),
        (moved(TEN, 9), 7, None),
        (link(there(NINE, since=at(1)), base=NINE), 7, None),
        (None, 7, None),
        (replace(buried(), event=gone(since=at(1))), 7, 5),
        (link(None, unknown(since=at(1))), 7, 0),
        (link(None, unknown(since=at(1))), None, None),
    ],
    ids=[
        "moved", "moved before a lagging reading", "by another clock", "no reading before",
        "stood there", "new there", "unknown",
        "restored", "restored, and could not be read", "restored, and no reading before",
    ],
)  # fmt: skip
def test_an_item_was_moved_at_some_time_since_the_former_reading(
    before: Link | None, read: float | None, earliest: float | None
) -> None:
    """At the latest at nine; and not before it was last read elsewhere, or was made. (A
    reading may be two minutes behind.)"""
    known = as_known(
        claim(moved(TWELVE, 9), TWELVE, side=CALENDAR, at=at(9)),
        before,
        None if read is None else at(read),
    )
    assert known.earliest == (None if earliest is None else at(earliest))


def test_what_is_back_was_last_known_by_its_tombstone() -> None:
    tomb, other = buried(id="t"), agreed(NINE, id="o")
    stored = as_stored([tomb, other])
    new = link(None, there(NINE, key="e"), id="new")
    assert stored(claim(new, NINE, side=CALENDAR)) is tomb
    assert stored(claim(new, NINE, side=BOOKING)) is None
    assert stored(claim(replace(new, id="o"), NINE, side=CALENDAR)) is other
    assert stored(claim(link(None, there(NINE, key="f")), NINE, side=CALENDAR)) is None
    standing = as_stored([replace(tomb, state=LinkState.ACTIVE)])
    assert standing(claim(new, NINE, side=CALENDAR)) is None


def test_what_nothing_says_when_it_was_made_came_after_the_former_reading() -> None:
    """Restored, and it could not be read at first: by its tombstone nobody knows where it was."""
    now = claim(link(None, there(NINE, created=None, since=at(9))), NINE, side=CALENDAR, at=at(9))
    unread = link(None, unknown(since=at(1)))
    assert as_known(now, unread, at(7)) == replace(now, earliest=at(7))
    assert as_known(now, unread, at(12)) == replace(now, earliest=at(9))


# --- since when, and where -----------------------------------------------------------------------


def test_what_keeps_its_time_claims_it_as_it_stands_where_it_was_claimed() -> None:
    """It is only renamed; another booking takes time in this plan."""
    filler = replace(link(there(TWELVE)), id="filler")
    item = link(there(RENAMED, key="b"), there(NINE, key="e"), base=NINE, origin=CALENDAR)
    decisions = {"filler": to(Verb.CREATE_EVENT, TWELVE), "x": to(Verb.WRITE_EVENT, RENAMED)}
    (held, _) = claims_of([item, filler], decisions, NOW)
    assert held == claim(item, NINE, side=CALENDAR, at=at(0), fixed=True, new=False)


@pytest.mark.parametrize("origin", Side)
def test_a_merge_that_neither_side_shows_is_claimed_where_the_time_was(origin: Side) -> None:
    """Each side gave up a date of its own: by the side from which it is taken nothing is known."""
    mine, theirs = (daily(9, 10, excluded=(what.start,)) for what in (NINE, TOMORROW))
    both = daily(9, 10, excluded=(NINE.start, TOMORROW.start))
    item = link(there(mine, key="b"), there(theirs, key="e"), base=daily(9, 10), origin=origin)
    (found,) = claims_of([item], {"x": to(Verb.WRITE_BOTH, both)}, NOW)
    fixed = origin is CALENDAR
    assert found == claim(item, both, side=origin, at=at(0), fixed=fixed)


def test_what_is_made_again_is_claimed_where_it_was_changed() -> None:
    """It was claimed in the calendar, which shows nothing of it any more."""
    item = link(there(TEN, key="b", since=at(5)), gone(key="e"), base=NINE, origin=CALENDAR)
    (found,) = claims_of([item], {"x": to(Verb.REVIVE_EVENT, TEN)}, NOW)
    assert found == claim(item, TEN, at=at(5), back=True)


def test_what_calsync_put_there_holds_the_time_since_it_was_made() -> None:
    """People had moved it in the calendar, where it is gone. Of its booking no move is known."""
    booking = there(NINE, key="b", created=at(3), since=None)
    item = link(booking, gone(key="e"), base=NINE, claim=CALENDAR)
    (found,) = claims_of([item], {"x": to(Verb.NOTHING)}, NOW, came_back={"x"})
    assert found == claim(item, NINE, at=at(3), back=True)


# --- the time to go back to ----------------------------------------------------------------------


def claim(item: Link, what: Any, **more: Any) -> Claim:
    given = {"side": BOOKING, "at": NOW, "fixed": False, "new": True, **more}
    return Claim(link=item, occupancy=what, **given)


@pytest.mark.parametrize(
    ("loser", "dates", "other", "found"),
    [
        ({}, (), {}, True),
        ({"side": CALENDAR}, (), {}, False),
        ({}, (NINE.start,), {}, False),
        ({}, (), {"new": False}, False),
        ({}, (), {"occupancy": TWELVE}, False),
    ],
    ids=["booked since", "a meeting is declined", "only dates", "it stood before", "elsewhere"],
)
def test_who_has_booked_the_time_that_a_lost_move_would_go_back_to(
    loser: Any, dates: Any, other: Any, found: bool
) -> None:
    mover, newcomer = moved(TEN, 5), replace(link(None, there(NINE)), id="y")
    lost = replace(claim(mover, TEN), **loser)
    verdict = Verdict(loser=lost, winners=(), dates=dates, taken=(), ask=False)
    since = replace(claim(newcomer, NINE), **other)
    assert booked_since(verdict, [lost, since], times) == ([since] if found else [])
    unbased = replace(verdict, loser=replace(lost, link=replace(mover, base=None)))
    assert booked_since(unbased, [since], times) == []


# --- from which side time is taken ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("decision", "side"),
    [
        (to(Verb.WRITE_BOOKING, TEN), CALENDAR),
        (to(Verb.WRITE_EVENT, TEN), BOOKING),
        (to(Verb.WRITE_BOTH, TEN), CALENDAR),
        (to(Verb.WRITE_BOTH, NINE), BOOKING),
        (to(Verb.WRITE_BOTH, TWELVE), None),
        (to(Verb.WRITE_BOTH), None),
        (to(Verb.DELETE_BOOKING, TEN), None),
        (to(Verb.DELETE_EVENT), None),
        (to(Verb.NOTHING, TEN), None),
    ],
)
def test_from_which_side_a_decision_takes_its_time(decision: Decision, side: Side | None) -> None:
    assert taken_from(moved(TEN, 5), decision) is side


def test_a_merge_of_two_that_stand_at_one_time_takes_it_from_neither() -> None:
    item = link(there(RENAMED), there(replace(NINE, private=True)), base=NINE)
    assert taken_from(item, to(Verb.WRITE_BOTH, NINE)) is None


@pytest.mark.parametrize(
    ("item", "decision", "claimed"),
    [
        (moved(TEN, 5), to(Verb.WRITE_BOOKING, TEN), CALENDAR),
        (moved(TEN, 5), to(Verb.WRITE_EVENT, NINE), BOOKING),
        (moved(RENAMED, 5), to(Verb.WRITE_BOOKING, RENAMED), None),
        (moved(TEN, 5), to(Verb.DELETE_EVENT), None),
        (link(None, there(TEN)), to(Verb.CREATE_BOOKING, TEN), None),
        (link(gone(), there(TEN), base=NINE), to(Verb.WRITE_BOOKING, TEN), None),
    ],
    ids=["carried over", "put back", "renamed", "deleted", "new", "gone there"],
)
def test_time_that_is_carried_over_was_claimed_where_it_comes_from(
    item: Link, decision: Decision, claimed: Side | None
) -> None:
    assert claim_taken(item, decision) == replace(item, claim=claimed)


# --- what waits ----------------------------------------------------------------------------------


def test_a_series_waits_where_one_of_its_dates_does() -> None:
    leaving = replace(link(there(TWELVE), there(NINE), base=NINE), id="moved")
    new = replace(link(there(daily(9, 10))), id="new")
    assert waiting(leaving, new, new=to(Verb.CREATE_EVENT, daily(9, 10))) == ["new"]


def test_what_was_removed_there_is_about_to_leave_whatever_it_showed_last() -> None:
    going = replace(link(gone(seen=RENAMED), there(NINE), base=NINE), id="going")
    new = replace(link(there(NINE), Half()), id="new")
    assert waiting(going, new, new=to(Verb.CREATE_EVENT, NINE)) == ["new"]
