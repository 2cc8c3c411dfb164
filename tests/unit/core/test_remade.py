"""An item that vanished while an equal one came is the same booking under another key."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from calsync.model import (
    EditPolicy,
    EffectKind,
    Half,
    Link,
    LinkState,
    Occupancy,
    Presence,
    Seen,
    Side,
    former_mark,
)
from calsync.reconcile.decide import Verb, decide
from calsync.reconcile.join import link_id
from calsync.reconcile.observe import accept
from calsync.reconcile.remade import Vanished, made_twice, replaced, under_new_key
from calsync.reconcile.sent import sending
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    NOW,
    agreed,
    at,
    effect,
    gone,
    link,
    occ,
    seen,
    there,
    unknown,
)

NINE, TEN, TWELVE = occ(9, 10), occ(10, 11), occ(12, 13)
RENAMED = replace(NINE, title="renamed")
TICK = timedelta(microseconds=1)


def was(number: int = 1, **more: object) -> Link:
    """A link with an event of its own as it was before this plan."""
    half = there(occ(number, number + 1), key=f"e{number}", **more)  # type: ignore[arg-type]
    return link(Half(), half, base=occ(number, number + 1), id=f"x{number}")


def now(link: Link, half: Half | None = None, **more: object) -> Link:
    return replace(link, event=half or gone(key=link.event.key or ""), **more)  # type: ignore[arg-type]


def vanished(*pairs: tuple[Link, Link]) -> Vanished:
    return Vanished(CALENDAR, [a for a, _ in pairs], {b.id: b for _, b in pairs})


def came(number: int = 1, **more: object) -> Seen:
    return seen(occ(number, number + 1), key="new", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "obs", "taken"),
    [
        (was(uid="u"), came(7, uid="u"), True),
        (was(uid="u"), came(7, uid="other"), False),
        (was(), came(7, tag="x1"), True),
        (was(), came(7, tag="x2"), False),
        (was(), came(1), True),
        (was(), came(7), False),
        (was(), came(1, owned=False), False),
        (was(owned=False), came(1), False),
        (was(owned=False), came(1, tag="x1"), True),
        (was(), came(7, uid=""), False),
    ],
    ids=[
        "uid", "other uid", "our tag", "tag of another", "content", "other content",
        "invited copy came", "invited copy went", "tagged copy", "no uid at all",
    ],
)  # fmt: skip
def test_by_what_an_item_is_known_again(before: Link, obs: Seen, taken: bool) -> None:
    found = vanished((before, now(before))).take(obs)
    assert found == (before if taken else None)


@pytest.mark.parametrize(
    "after",
    [
        now(was(), was().event),
        now(was(), unknown(key="e1")),
        now(was(), state=LinkState.PARKED),
        now(was(), state=LinkState.BURIED),
        now(was(), in_flight=True),
    ],
    ids=["still there", "not readable", "parked", "buried", "a write in doubt"],
)
def test_only_what_is_gone_for_sure_can_come_again(after: Link) -> None:
    assert vanished((was(), after)).take(came()) is None


def test_what_was_gone_before_this_plan_is_not_looked_for() -> None:
    before = now(was())
    assert vanished((before, before)).take(came()) is None
    assert Vanished(CALENDAR, [was()], {}).take(came()) is None, "the plan did not touch it"


def test_each_comes_again_once() -> None:
    found = vanished((was(), now(was())))
    assert found.take(came(uid="")) is not None
    assert found.take(came(uid="")) is None


def test_the_uid_says_more_than_our_tag_and_that_more_than_equal_content() -> None:
    one, two, three = was(1, uid="u"), was(2), was(3)
    found = vanished(*((x, now(x)) for x in (one, two, three)))
    assert found.take(came(3, uid="u", tag="x2")) == one
    assert found.take(came(3, uid="u", tag="x2")) == two
    assert found.take(came(3, uid="u", tag="x2")) == three


def test_items_of_equal_content_come_again_one_for_one() -> None:
    twins = [replace(was(), id=name) for name in ("a", "b")]
    found = vanished(*((x, now(x)) for x in twins))
    taken = [found.take(came()) for _ in range(3)]
    assert [x and x.id for x in taken] == ["a", "b", None]


# --- the new key -------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_the_former_key_still_turns_late_readings_away(side: Side) -> None:
    before = agreed(NINE, origin=side)
    tomb, alive = under_new_key(before, side, seen(NINE, key="new", mark=9), NOW)
    half = tomb.half(side)
    assert tomb.state is LinkState.BURIED
    assert (half.presence, half.key, half.mark) == (
        Presence.GONE, before.half(side).key, before.half(side).mark + 1
    )  # fmt: skip
    assert (half.seen, half.fingerprint) == (None, "")
    assert half.reason
    assert tomb.half(side.other) == Half()
    assert (tomb.pair_id, tomb.origin) == (before.pair_id, before.origin)
    assert tomb.id not in (before.id, alive.id)


@pytest.mark.parametrize("side", Side)
def test_the_link_goes_on_with_the_item_under_its_new_key(side: Side) -> None:
    before = agreed(NINE, revision=3)
    _, alive = under_new_key(before, side, seen(NINE, key="new", mark=2, version="v"), NOW)
    half = alive.half(side)
    assert (half.presence, half.key, half.mark, half.version) == (Presence.PRESENT, "new", 2, "v")
    assert alive.half(side.other) == before.half(side.other)
    assert (alive.id, alive.base, alive.revision) == (before.id, before.base, 4)


def test_its_time_was_claimed_when_people_booked_it_not_when_it_was_made_anew() -> None:
    old = there(NINE, key="e", created=at(1), since=at(2))
    before = link(there(NINE, key="b"), old, base=NINE)
    _, same = under_new_key(before, CALENDAR, seen(NINE, key="new", created=at(50)), NOW)
    assert (same.event.since, same.event.created) == (at(2), at(1))
    _, renamed = under_new_key(
        before, CALENDAR, seen(replace(NINE, title="x"), key="new", created=at(50)), NOW
    )
    assert renamed.event.since == at(2)


@pytest.mark.parametrize("made", [at(1), at(50)], ids=["under another id only", "made anew"])
@pytest.mark.parametrize(("modified", "since"), [(at(60), at(60)), (None, NOW)])
def test_what_was_moved_as_well_claims_its_time_since_it_was_moved(
    made: datetime, modified: datetime | None, since: datetime
) -> None:
    """By people: had it been made at that time, calsync would have put it there. A mailbox that
    moves to another server keeps the time at which its items were made (seed 821)."""
    old = there(NINE, key="e", created=at(1), since=at(1))
    before = link(there(NINE, key="b"), old, base=NINE)
    obs = seen(TEN, key="new", created=made, modified=modified)
    _, moved = under_new_key(before, CALENDAR, obs, NOW)
    assert (moved.event.since, moved.event.created) == (since, at(1))
    assert moved.claimed_on is CALENDAR


@pytest.mark.parametrize(("modified", "since"), [(at(8), at(8)), (None, NOW)])
def test_what_was_restored_claims_its_time_from_then_on(modified: object, since: object) -> None:
    item = link(there(NINE, key="b"), gone(key="e", since=at(1), created=at(1)), base=NINE)
    obs = seen(NINE, key="new", mark=9, created=at(1), modified=modified)
    assert under_new_key(item, CALENDAR, obs, NOW)[1].event.since == since


def test_the_tombstone_has_the_same_id_in_every_release() -> None:
    tomb, _ = under_new_key(agreed(NINE, revision=3), CALENDAR, seen(NINE, key="new"), NOW)
    assert tomb.id == link_id("p", CALENDAR, "e", "x:3:former")
    assert tomb.event.reason == "made anew under another key"


def test_two_lives_of_a_key_have_two_tombstones() -> None:
    one, alive = under_new_key(agreed(NINE), CALENDAR, seen(NINE, key="new"), NOW)
    two, _ = under_new_key(alive, CALENDAR, seen(NINE, key="newer"), NOW)
    assert one.id != two.id
    again, _ = under_new_key(agreed(NINE), CALENDAR, seen(NINE, key="new"), NOW)
    assert again.id == one.id, "the same on every run"


def test_what_was_made_anew_keeps_the_time_of_its_first_making_through_later_readings() -> None:
    old = there(NINE, key="e", created=at(1), since=at(2))
    before = link(there(NINE, key="b"), old, base=NINE)
    shows = seen(TEN, key="new", created=at(50), modified=at(50))
    _, moved = under_new_key(before, CALENDAR, shows, NOW)
    again = accept(moved, CALENDAR, replace(shows, mark=99), NOW)
    assert again is not None
    assert (again.event.since, again.event.created) == (at(50), at(1))


# --- put in place of another -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "shows", "modified", "since", "claim"),
    [
        (RENAMED, RENAMED, 51, at(2), BOOKING),
        (TEN, TEN, 51, at(51), BOOKING),
        (TEN, TWELVE, 51, at(51), CALENDAR),
        (TEN, NINE, 51, at(51), CALENDAR),
        (TEN, TWELVE, 50, at(50) + TICK, CALENDAR),
    ],
    ids=["at its time", "elsewhere", "moved since", "moved back since", "moved at once"],
)
def test_what_was_put_in_place_of_another_has_its_time_since_it_came_to_it(
    target: Occupancy, shows: Occupancy, modified: int, since: datetime, claim: Side
) -> None:
    """Seed 8065: it counted as shown at its new time since the former item stood at its own."""
    before = link(
        there(target, key="b", since=at(30)),
        there(NINE, key="e", created=at(1), since=at(2)),
        base=NINE,
        claim=BOOKING,
    )
    write = effect(EffectKind.CHANGE_EVENT, key="e", target=target)
    new = seen(
        shows, key="new", mark=9, created=at(50), modified=at(modified), tag="x",
        replaces=former_mark("e"),
    )  # fmt: skip
    both = replaced(replace(sending(before, write), in_flight=True), CALENDAR, new, NOW)
    assert both is not None
    former, taken = both
    assert (taken.event.since, taken.claim, taken.base) == (since, claim, target)
    assert decide(former, EditPolicy.ORIGIN).verb is Verb.DELETE_EVENT


# --- made twice --------------------------------------------------------------------------------


def of_ours(**event: object) -> Link:
    """A booking that stands in the calendar as calsync wrote it."""
    half = there(NINE, key="e", uid="u", **event)  # type: ignore[arg-type]
    return link(there(NINE, key="b"), half, base=NINE)


def double(what: object = NINE, *, touched: bool = False, **more: object) -> Seen:
    made = at(0) + timedelta(seconds=1)
    modified = made + timedelta(seconds=touched * 60)
    given = {"uid": "u", "tag": "x", "created": made, "modified": modified, **more}
    return seen(what, key="e2", mark=9, **given)  # type: ignore[arg-type]


SECOND = Link(id="second", pair_id="p", origin=CALENDAR)


@pytest.mark.parametrize("what", [NINE, TEN], ids=["equal", "late: it shows what once was"])
def test_what_a_proxy_doubled_is_given_up_and_the_booking_stays(what: object) -> None:
    both = made_twice(of_ours(), SECOND, CALENDAR, double(what), NOW)
    assert both is not None
    kept, superfluous = both
    assert kept == of_ours()
    assert (superfluous.event.key, decide(superfluous, EditPolicy.CALENDAR).verb) == (
        "e2",
        Verb.DELETE_EVENT,
    )


def test_who_changes_the_second_one_changes_the_booking() -> None:
    both = made_twice(of_ours(), SECOND, CALENDAR, double(TEN, touched=True), NOW)
    assert both is not None
    kept, superfluous = both
    assert (kept.event.key, decide(kept, EditPolicy.ORIGIN).target) == ("e2", TEN)
    assert kept.event.since == double(touched=True).modified, "its time was claimed by the move"
    assert kept.revision == of_ours().revision + 1, "what is under way for the first one is over"
    assert (superfluous.event.key, decide(superfluous, EditPolicy.ORIGIN).verb) == (
        "e",
        Verb.DELETE_EVENT,
    )


@pytest.mark.parametrize(("later", "changed"), [(0, False), (20, False), (21, True)])
def test_what_is_stamped_as_it_is_made_was_changed_by_nobody(later: int, changed: bool) -> None:
    """In milliseconds: some servers write the two times one after the other."""
    made = at(0)
    obs = double(TEN, created=made, modified=made + timedelta(milliseconds=later))
    both = made_twice(of_ours(), SECOND, CALENDAR, obs, NOW)
    assert both is not None
    assert (both[0].event.key == "e2") is changed


def test_where_both_were_changed_the_second_change_is_on_record() -> None:
    mine = replace(of_ours(), event=there(occ(12, 13), key="e", uid="u"))
    both = made_twice(mine, SECOND, CALENDAR, double(TEN, touched=True), NOW)
    assert both is not None
    kept, superfluous = both
    assert kept == mine
    decision = decide(superfluous, EditPolicy.ORIGIN)
    assert decision.verb is Verb.DELETE_EVENT
    assert decision.conflict is not None
    assert decision.conflict.lost == TEN


@pytest.mark.parametrize(
    ("mine", "obs"),
    [
        (of_ours(), double(uid="other")),
        (of_ours(), double(owned=False)),
        (of_ours(owned=False), double()),
        (replace(of_ours(), in_flight=True), double()),
        (replace(of_ours(), state=LinkState.PARKED), double()),
        (replace(of_ours(), event=gone(key="e", uid="u")), double()),
        (of_ours(), replace(double(), key="e")),
    ],
    ids=["another", "invited", "an invitation", "in doubt", "parked", "made anew", "itself"],
)
def test_what_may_be_anything_else_is_not_touched(mine: Link, obs: Seen) -> None:
    assert made_twice(mine, SECOND, CALENDAR, obs, NOW) is None
