"""An empty listing of a room that had items: a mistake, or right? (seed 4662)"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from calsync.engine.gathered import Gathered, beyond, expected, is_listed, moved_out
from calsync.engine.questions import ask
from calsync.model import Absence, Gone, LinkState, Observation, Occupancy, Override, Plan, Unknown
from calsync.ports import RoomState
from calsync.reconcile.guard import USUAL
from tests.unit.core.values import (
    CALENDAR,
    DAY,
    NOW,
    PAIR,
    WINDOW,
    agreed,
    daily,
    link,
    occ,
    seen,
    there,
)

BEFORE, INSIDE = occ(-48, -47), occ(9, 10)
#: Three days from the one before the window; without those that lie in it.
REACHING = daily(-15, -14)
DROPS = (DAY + timedelta(hours=9), DAY + timedelta(hours=33))
DROPPED = daily(-15, -14, excluded=DROPS)


def moved(hour: float) -> Override:
    """The last of the three dates, at another time."""
    start = DAY + timedelta(hours=hour)
    return Override(recurrence_id=DROPS[1], start=start, end=start + timedelta(hours=1))


@pytest.mark.parametrize(
    ("shown", "right"),
    [
        ([seen(BEFORE)], True),
        ([seen(INSIDE)], False),
        ([seen(BEFORE), seen(INSIDE)], False),
        ([seen(DROPPED)], True),
        ([seen(REACHING)], False),
        ([seen(BEFORE), Gone(key="k", absence=Absence.READ)], False),
        ([Unknown(key="k", reason="timeout")], False),
    ],
    ids=[
        "moved out",
        "still here",
        "one of two",
        "all its dates here dropped",
        "a series",
        "one is gone",
        "not readable",
    ],
)
def test_it_is_right_where_all_that_was_expected_moved_out(
    shown: list[Observation], right: bool
) -> None:
    keys = [f"k{number}" for number in range(len(shown))]
    found = Gathered(calendar=dict(zip(keys, shown, strict=True)))
    found.missing[CALENDAR] = set(keys)
    assert moved_out(found, CALENDAR, PAIR, WINDOW) is right


@pytest.mark.parametrize(("hours", "right"), [((-48, -47), True), ((9, 10), False)])
def test_it_is_right_where_the_only_one_was_moved_out_and_made_anew(
    hours: tuple[int, int], right: bool
) -> None:
    """Exchange does so on some changes: gone under its key, and there under another one (found by
    simulation, seed 100436: the admin was asked again and again)."""
    anew = seen(occ(*hours), key="new", uid="meeting")
    found = Gathered(calendar={"e": Gone(key="e", absence=Absence.READ), "new": anew})
    known = link(there(INSIDE, key="b"), there(INSIDE, key="e", uid="meeting"), base=INSIDE)
    found.links[known.id] = known
    found.missing[CALENDAR] = {"e"}
    assert moved_out(found, CALENDAR, PAIR, WINDOW) is right


@pytest.mark.parametrize(
    ("was", "odd"), [(BEFORE, False), (INSIDE, True), (DROPPED, False), (REACHING, True)]
)
def test_a_series_is_listed_by_its_dates(was: Occupancy, odd: bool) -> None:
    """Found by simulation (seed 202027): of a series only dropped dates were left, and the admin
    was asked again and again."""
    assert is_listed(agreed(was), CALENDAR, PAIR, WINDOW) is odd


@pytest.mark.parametrize(
    ("was", "sought"),
    [
        (BEFORE, False),
        (INSIDE, True),
        (REACHING, True),
        (DROPPED, False),
        (daily(-15, -14, excluded=DROPS[:1], overrides=(moved(-39),)), False),
        (daily(-15, -14, excluded=DROPS, count=None), True),
        (daily(-15, -14, excluded=DROPS[:1], overrides=(moved(900),)), True),
    ],
    ids=[
        "over", "in it", "a series", "all its dates here dropped", "or moved to before",
        "has no end", "or moved to beyond",
    ],
)  # fmt: skip
def test_of_a_series_that_no_listing_has_what_is_left_counts(was: Occupancy, sought: bool) -> None:
    """All that was left of a series was over. Each compare in full read it all the same, until the
    day that its rule ends on, and carried over what had been changed in it since (seed 7721)."""
    assert expected(agreed(was), CALENDAR, PAIR, WINDOW) is sought


@pytest.mark.parametrize(("ahead", "asked"), [(0, False), (1, True)])
def test_an_empty_side_is_asked_about_where_something_lies_ahead(ahead: int, asked: bool) -> None:
    """Found by simulation (seed 200908): of what is over today nothing can be lost, and the admin
    was asked again and again."""
    store = SimpleNamespace(future_items=lambda pair_id, now: ahead)
    context: Any = SimpleNamespace(
        store=store, limits=USUAL, state=lambda pair: RoomState(pair_id=pair.id, imported=True)
    )
    halt = ask(context, PAIR, Plan(), Gathered(emptied="calendar"), NOW)
    assert (halt is not None) is asked


@pytest.mark.parametrize(
    ("what", "due", "read"),
    [
        (occ(900, 901), False, True),
        (daily(9, 10, count=None), False, True),
        (BEFORE, False, False),
        (BEFORE, True, True),
    ],
    ids=["lies ahead", "has no end", "is over", "is over and still to be written"],
)
def test_what_no_listing_holds_and_still_matters(what: Occupancy, due: bool, read: bool) -> None:
    """After a restore it is read as well: what was confirmed to the platform of a booking that was
    over was older there than anything accepted, and so was confirmed for ever (seed 5278)."""
    known = agreed(what)
    found = Gathered(links={known.id: known})
    ids = {known.id} if due else set()
    assert beyond(found, CALENDAR, ids, WINDOW, "UTC") == (["e"] if read else [])
    found.calendar["e"] = seen(what, key="e")
    assert beyond(found, CALENDAR, ids, WINDOW, "UTC") == [], "it was read already"
    for other in (replace(known, state=LinkState.BURIED), link(there(what))):
        found = Gathered(links={other.id: other})
        assert beyond(found, CALENDAR, {other.id}, WINDOW, "UTC") == []
