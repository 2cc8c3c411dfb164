"""Items that come again, twice, late, or in place of others: whose they are, and all that is kept
of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Absence,
    Done,
    EditPolicy,
    EffectKind,
    Gone,
    Half,
    Link,
    LinkState,
    Override,
    Seen,
    Unknown,
    former_mark,
)
from calsync.reconcile.decide import decide
from calsync.reconcile.join import link_id
from calsync.reconcile.remade import (
    Vanished,
    came_late,
    made_twice,
    outlived,
    replaced,
    under_new_key,
)
from calsync.reconcile.sent import sending
from calsync.reconcile.settle import settle
from tests.unit.core.planning import NINE, RENAMED, TEN, TWELVE, kinds, planned, stored
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    DAY,
    NOW,
    at,
    daily,
    effect,
    gone,
    link,
    seen,
    there,
    unknown,
)

K = EffectKind
BOOKED = there(NINE, key="b")
EVENT = there(NINE, key="e", uid="u")
HELD = link(BOOKED, EVENT, base=NINE)
NOT_FOUND = gone(key="e", uid="u")
NEW = seen(NINE, key="new", uid="u", mark=9)


def vanished(before: Half, after: Half, **more: Any) -> Vanished:
    was = link(BOOKED, before, **{"base": NINE, **more})
    return Vanished(CALENDAR, [was], {"x": replace(was, event=after)})


# --- what vanished -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [
        (EVENT, NOT_FOUND, True),
        (EVENT, unknown(key="e", uid="u"), True),
        (unknown(key="e", uid="u"), NOT_FOUND, True),
        (NOT_FOUND, NOT_FOUND, False),
        (EVENT, EVENT, False),
        (EVENT, replace(EVENT, uid="v"), False),
    ],
    ids=[
        "gone", "unreadable now", "unreadable before", "gone before", "still there", "another now",
    ],
)  # fmt: skip
def test_the_global_id_of_what_is_not_shown_any_more_tells_it(
    before: Half, after: Half, known: bool
) -> None:
    found = vanished(before, after)
    assert found.identified(NEW) is known
    assert (found.take(NEW) is not None) is known


def test_what_could_never_be_read_is_nobodys_yet() -> None:
    was = link(None, unknown(key="e", uid="u", mark=-1))
    found = Vanished(CALENDAR, [was], {"x": replace(was, event=NOT_FOUND)})
    assert not found.identified(NEW)
    assert found.take(NEW) is None


def test_who_bears_no_known_id_is_not_identified_by_it() -> None:
    found = vanished(EVENT, NOT_FOUND)
    assert not found.identified(replace(NEW, uid="other"))
    assert not found.identified(replace(NEW, uid=""))
    assert not found.identified(Unknown(key="new", reason="timeout"))
    assert not vanished(replace(EVENT, uid=""), gone(key="e")).identified(replace(NEW, uid=""))


def test_whose_item_is_another_one_is_not_looked_for_any_more() -> None:
    found = vanished(EVENT, NOT_FOUND)
    found.found("x")
    assert found.take(NEW) is None
    found.found("nobody")


def test_a_booking_whose_event_was_deleted_does_not_get_a_strangers() -> None:
    plan = planned(HELD, calendar=[Gone(key="e", absence=Absence.READ), seen(TEN, key="new")])
    (new,) = (lk for lk in plan.links if lk.event.key == "new")
    assert (K.CREATE_BOOKING, new.id) in kinds(plan)


@pytest.mark.parametrize("key", ["a", "z"])
def test_of_two_the_one_with_the_identity_is_it_and_not_the_copy_with_the_tag(key: str) -> None:
    """Whichever is looked at first: Outlook copies our tag along with an item."""
    copy = seen(TWELVE, key=key, uid="v", tag="x", mark=9)
    anew = replace(NEW, key="m")
    plan = planned(HELD, calendar=[Gone(key="e", absence=Absence.READ), anew, copy])
    assert stored(plan)["x"].event.key == "m"
    (other,) = (lk for lk in plan.links if lk.event.key == key)
    assert kinds(plan) == [(K.CREATE_BOOKING, other.id)]


# --- under a new key -----------------------------------------------------------------------------


def test_what_could_not_be_read_before_has_its_time_since_it_was_made() -> None:
    """Its event had never been read: nobody can have moved it as far as anybody knows."""
    was = link(BOOKED, unknown(key="e", created=at(40)))
    obs = replace(NEW, created=at(50), modified=at(60))
    _, alive = under_new_key(was, CALENDAR, obs, NOW)
    assert (alive.event.since, alive.event.created) == (at(50), at(50))


# --- made twice ----------------------------------------------------------------------------------

SECOND = Link(id="second", pair_id="p", origin=CALENDAR)
MADE = at(0) + timedelta(seconds=1)


def double(what: Any, **more: Any) -> Seen:
    """A second item, changed by people after it was made."""
    given = {"uid": "u", "tag": "x", "created": MADE, "modified": at(7), **more}
    return seen(what, key="e2", mark=9, **given)


def superfluous(event: Half, base: Any, why: Absence = Absence.TWICE) -> Link:
    given_up = Half(presence=gone().presence, reason=why.value)
    return Link(
        id="second",
        pair_id="p",
        origin=BOOKING,
        booking=given_up,
        event=event,
        base=base,
        base_fingerprint=fingerprint(base),
    )


SHOWN = there(NINE, key="e2", mark=9, uid="u", created=MADE, since=MADE)


def test_a_second_item_is_removed_as_one_whose_booking_lives_on_in_the_first() -> None:
    both = made_twice(HELD, SECOND, CALENDAR, double(NINE, modified=None), NOW)
    assert both == (HELD, superfluous(SHOWN, NINE))


def test_a_second_item_that_was_saved_again_as_it_is_changes_nothing() -> None:
    assert made_twice(HELD, SECOND, CALENDAR, double(NINE), NOW) == (HELD, superfluous(SHOWN, NINE))


def test_who_renames_the_second_one_does_not_claim_the_time_anew() -> None:
    both = made_twice(HELD, SECOND, CALENDAR, double(RENAMED), NOW)
    shown = there(RENAMED, key="e2", mark=9, uid="u", since=at(0), created=at(0))
    kept = replace(HELD, event=shown, revision=1)
    assert both == (kept, superfluous(HELD.event, NINE))


def test_what_is_not_agreed_on_yet_has_no_second_item() -> None:
    """Whatever else bears its tag and id is read again first."""
    alone = link(BOOKED, there(TEN, key="e", uid="u"))
    assert made_twice(alone, SECOND, CALENDAR, double(NINE, modified=None), NOW) is None


def made_a_second_time(second: Link, obs: Seen) -> Link:
    both = made_twice(HELD, second, CALENDAR, obs, NOW)
    assert both is not None
    return both[1]


ENDS: list[Callable[[Link, Seen], Link]] = [
    made_a_second_time,
    lambda one, obs: came_late(one, CALENDAR, obs, NOW),
    lambda one, obs: outlived(one, HELD, CALENDAR, obs, NOW),
]


@pytest.mark.parametrize("ended", ENDS, ids=["made twice", "late", "outlived"])
def test_what_ends_is_known_as_it_was_last_shown(ended: Callable[[Link, Seen], Link]) -> None:
    """It was shown before, went, and could not be read since: a late reading is dropped."""
    obs = double(NINE, modified=None)
    assert ended(SECOND, obs) == superfluous(SHOWN, NINE)
    newer = unknown(key="e2", mark=99, reason="timeout")
    assert ended(replace(SECOND, event=newer), obs) == superfluous(newer, NINE)


@pytest.mark.parametrize(
    ("was", "base"),
    [(HELD, NINE), (link(BOOKED, NOT_FOUND, base=NINE), TEN)],
    ids=["known", "gone before, and nothing of it is known"],
)
def test_of_what_outlived_its_removal_the_changes_since_are_on_record(was: Link, base: Any) -> None:
    left = outlived(SECOND, was, CALENDAR, double(TEN), NOW)
    assert (left.base, left.base_fingerprint) == (base, fingerprint(base))
    conflict = decide(left, EditPolicy.ORIGIN).conflict
    assert (conflict and conflict.lost) == (TEN if base == NINE else None)


# --- in place of another -------------------------------------------------------------------------


def writing(event: Half = EVENT, target: Any = TEN, **more: Any) -> Link:
    """The booking was moved, and for that a new event was to be made; nothing was heard of it."""
    item = link(there(target, key="b"), event, base=NINE, in_flight=True, revision=3, **more)
    return sending(item, effect(K.CHANGE_EVENT, key="e", target=target))


def put(what: Any = TEN, **more: Any) -> Seen:
    given = {"uid": "w", "tag": "x", "replaces": former_mark("e"), "created": at(50), **more}
    return seen(what, key="new", mark=9, **given)


def test_of_two_the_former_ends_and_the_booking_goes_on_with_the_new_one() -> None:
    item = writing()
    former = Link(
        id=link_id("p", CALENDAR, "e", "x:3:replaced"),
        pair_id="p",
        origin=BOOKING,
        booking=Half(presence=gone().presence, reason=Absence.REPLACED.value),
        event=HELD.event,
        base=NINE,
        base_fingerprint=fingerprint(NINE),
    )
    new = there(TEN, key="new", mark=9, uid="w", created=at(50), since=NOW)
    taken = link(there(TEN, key="b"), new, base=TEN, revision=4)
    assert replaced(item, CALENDAR, put(), NOW) == (former, taken)


@pytest.mark.parametrize(
    "item",
    [
        replace(writing(), state=LinkState.PARKED),
        replace(writing(), state=LinkState.BURIED),
        link(there(TEN, key="b"), Half()),
        link(there(TEN, key="b"), replace(gone(), key=None), base=NINE),
        writing(replace(EVENT, key="e9")),
    ],
    ids=["parked", "buried", "never made", "gone, under which key nobody knows", "another's"],
)
def test_what_no_write_of_ours_puts_in_its_place(item: Link) -> None:
    assert replaced(item, CALENDAR, put(), NOW) is None


def test_a_booking_that_was_moved_on_since_has_not_agreed_to_what_was_made() -> None:
    item = replace(writing(), booking=there(TWELVE, key="b"))
    both = replaced(item, CALENDAR, put(), NOW)
    assert both is not None
    assert both[1].base == NINE
    assert decide(both[1], EditPolicy.BOOKING).target == TWELVE


def test_nor_has_one_that_was_given_up_since() -> None:
    item = replace(writing(), booking=gone(key="b"))
    both = replaced(item, CALENDAR, put(), NOW)
    assert both is not None
    assert (both[1].base, both[1].booking) == (NINE, gone(key="b"))


# --- a series ------------------------------------------------------------------------------------

SECOND_DATE, THIRD = (DAY + timedelta(days=day, hours=9) for day in (1, 2))
BARE = daily(9, 10, count=4)
HELD_SERIES = daily(9, 10, count=4, excluded=(SECOND_DATE, THIRD))
ONE_BACK = daily(9, 10, count=4, excluded=(THIRD,))


def one_back(**more: Any) -> Link:
    item = link(there(ONE_BACK, key="b"), there(HELD_SERIES, key="e"), base=HELD_SERIES, **more)
    write = effect(K.CHANGE_EVENT, key="e", target=ONE_BACK)
    return sending(replace(item, in_flight=True), write)


@pytest.mark.parametrize("claim", [None, BOOKING, CALENDAR])
def test_a_series_that_lacks_its_exceptions_as_yet_was_moved_by_nobody(claim: Any) -> None:
    """The time stays claimed where people claimed it, as when the write itself had told of it."""
    both = replaced(one_back(claim=claim), CALENDAR, put(BARE), NOW)
    assert both is not None
    assert (both[1].claim, both[1].base) == (claim, BARE)


def test_a_series_that_people_moved_since_is_claimed_where_they_moved_it() -> None:
    both = replaced(one_back(), CALENDAR, put(daily(14, 15, count=4), modified=at(51)), NOW)
    assert both is not None
    assert (both[1].claim, both[1].event.since) == (CALENDAR, at(51))


def moved_date(hour: int) -> Override:
    start = DAY + timedelta(days=2, hours=hour)
    return Override(recurrence_id=THIRD, start=start, end=start + timedelta(hours=1))


@pytest.mark.parametrize("claim", [None, CALENDAR])
def test_a_merge_found_half_way_by_the_feed_is_as_its_answer_would_have_told(claim: Any) -> None:
    """A date takes place again on the platform, while Outlook moved another one further."""
    base = daily(9, 10, count=4, excluded=(SECOND_DATE,), overrides=(moved_date(11),))
    mine = daily(9, 10, count=4, overrides=(moved_date(11),))
    theirs = daily(9, 10, count=4, excluded=(SECOND_DATE,), overrides=(moved_date(12),))
    target = daily(9, 10, count=4, overrides=(moved_date(12),))
    item = link(there(mine, key="b"), there(theirs, key="e"), base=base, in_flight=True)
    item = replace(item, claim=claim)
    write = effect(K.CHANGE_EVENT, key="e", target=target, merged=True)
    told = settle(item, write, Done(put(BARE), complete=False), now=NOW, quiet=False).link
    both = replaced(item, CALENDAR, put(BARE), NOW)
    assert both is not None
    found = both[1]
    assert (found.base, found.claim) == (told.base, told.claim)
    assert decide(found, EditPolicy.ORIGIN) == decide(told, EditPolicy.ORIGIN)


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (NOT_FOUND, LinkState.BURIED),
        (EVENT, LinkState.ACTIVE),
        (unknown(key="e", uid="u"), LinkState.ACTIVE),
    ],
)
def test_the_former_item_ends_at_once_only_where_it_is_known_to_be_gone(
    event: Half, state: LinkState
) -> None:
    both = replaced(link(BOOKED, event, base=NINE), CALENDAR, put(), NOW)
    assert both is not None
    assert both[0].state is state
