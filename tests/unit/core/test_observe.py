"""What of a reading is accepted into a link: the three observation rules, and what they keep."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Absence,
    Effect,
    EffectKind,
    Gone,
    Half,
    Link,
    LinkState,
    Observation,
    Occupancy,
    Person,
    Presence,
    Refusal,
    Seen,
    Side,
    Unknown,
)
from calsync.reconcile.observe import accept, half_of, last_seen
from calsync.reconcile.rebase import with_half
from calsync.reconcile.sent import as_sent, sending
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    DAY,
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
ANNA, BERT = Person("Anna", "anna@x.example"), Person("Bert", "bert@x.example")
READ_GONE = Gone(key="k", absence=Absence.READ)


def taken(item: Link, side: Side, obs: Observation) -> Link:
    found = accept(item, side, obs, NOW)
    assert found is not None
    return found


# --- older than what is known --------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("half", "obs", "accepted"),
    [
        (there(NINE, mark=5), seen(TEN, mark=4), False),
        (there(NINE, mark=5), seen(TEN, mark=5), True),
        (there(NINE, mark=5), seen(TEN, mark=6), True),
        (there(NINE, mark=5), Gone(key="k", absence=Absence.READ, mark=4), False),
        (there(NINE, mark=5), Gone(key="k", absence=Absence.READ, mark=5), True),
        (there(NINE, mark=5), READ_GONE, True),
        (gone(mark=5), seen(TEN, mark=5), False),
        (gone(mark=5), seen(TEN, mark=6), True),
        (unknown(mark=5), seen(TEN, mark=4), False),
        (unknown(mark=5), seen(TEN, mark=5), True),
        (there(NINE, mark=5), Unknown(key="k", reason="timeout"), True),
    ],
)
def test_what_is_older_than_its_mark_is_dropped(
    side: Side, half: Half, obs: Observation, accepted: bool
) -> None:
    """What shows an item alive has to be newer than its end, and no older than anything else."""
    item = with_half(agreed(NINE), side, half)
    assert (accept(item, side, obs, NOW) is not None) is accepted


@pytest.mark.parametrize(
    ("mark", "after"), [(None, 6), (5, 5), (9, 9)], ids=["no mark", "same", "newer"]
)
def test_an_end_is_newer_than_all_that_was_shown_before(mark: int | None, after: int) -> None:
    item = taken(agreed(NINE), CALENDAR, Gone(key="k", absence=Absence.READ, mark=mark))
    assert item.event.mark == after


# --- what a half keeps ---------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_what_is_seen_is_kept_whole(side: Side) -> None:
    obs = seen(TEN, key="new", mark=7, version="w", owned=False, uid="u", created=at(3))
    half = taken(agreed(NINE), side, replace(obs, modified=at(4))).half(side)
    assert half == Half(
        presence=Presence.PRESENT,
        key="new",
        version="w",
        mark=7,
        fingerprint=fingerprint(TEN),
        seen=TEN,
        created=at(3),
        owned=False,
        uid="u",
        since=at(4),
    )


def test_a_state_equal_to_the_base_is_kept_once() -> None:
    assert taken(agreed(NINE), CALENDAR, seen(NINE)).event.seen is None
    assert taken(link(there(NINE)), CALENDAR, seen(NINE)).event.seen == NINE


@pytest.mark.parametrize("side", Side)
def test_what_is_gone_keeps_its_key_and_the_reason_but_no_content(side: Side) -> None:
    half = taken(agreed(NINE), side, READ_GONE).half(side)
    assert (half.presence, half.reason) == (Presence.GONE, Absence.READ.value)
    assert (half.seen, half.fingerprint) == (None, "")
    assert half.key == agreed(NINE).half(side).key
    nameless = with_half(agreed(NINE), side, replace(agreed(NINE).half(side), key=None))
    assert taken(nameless, side, READ_GONE).half(side).key == "k"


def test_while_a_write_is_in_doubt_what_it_was_about_is_kept() -> None:
    flying = agreed(NINE, in_flight=True)
    assert taken(flying, CALENDAR, READ_GONE).event.seen == NINE


@pytest.mark.parametrize("side", Side)
def test_what_cannot_be_read_keeps_what_was_last_understood(side: Side) -> None:
    item = link(there(TEN, key="b"), there(TEN, key="e"), base=NINE)
    half = taken(item, side, Unknown(key="k", reason="timeout")).half(side)
    assert (half.presence, half.reason, half.fingerprint) == (Presence.UNKNOWN, "timeout", "")
    assert (half.seen, half.key, half.mark) == (TEN, item.half(side).key, 5)
    nameless = with_half(item, side, replace(item.half(side), key=None))
    assert taken(nameless, side, Unknown(key="k", reason="r")).half(side).key == "k"


@pytest.mark.parametrize(
    ("half", "last"),
    [
        (there(TEN), TEN),
        (unknown(seen=TEN), TEN),
        (unknown(), NINE),
        (gone(), None),
        (gone(seen=TEN), TEN),
        (Half(), None),
        (Half(seen=TEN), None),
    ],
)
@pytest.mark.parametrize("side", Side)
def test_the_newest_state_that_was_understood(
    side: Side, half: Half, last: Occupancy | None
) -> None:
    assert last_seen(with_half(agreed(NINE), side, half), side) == last


# --- what cannot be understood -------------------------------------------------------------------


def test_what_cannot_be_understood_is_parked_until_it_can() -> None:
    parked = taken(agreed(NINE), CALENDAR, Unknown(key="k", reason="no end", poison=True))
    assert (parked.state, parked.reason) == (LinkState.PARKED, "no end")
    assert taken(parked, CALENDAR, Unknown(key="k", reason="timeout")).state is LinkState.PARKED
    for obs in (seen(NINE), READ_GONE):
        back = taken(parked, CALENDAR, obs)
        assert (back.state, back.reason) == (LinkState.ACTIVE, "")
    # What the other side shows says nothing about it.
    assert taken(parked, BOOKING, seen(NINE)).state is LinkState.PARKED


def test_what_a_person_has_to_decide_stays_parked_whatever_is_read() -> None:
    parked = replace(agreed(NINE), state=LinkState.PARKED, reason="two bookings claim the room")
    assert taken(parked, CALENDAR, seen(TEN)).state is LinkState.PARKED
    unread = taken(parked, CALENDAR, Unknown(key="k", reason="timeout"))
    assert taken(unread, CALENDAR, seen(TEN)).state is LinkState.PARKED
    unsaid = replace(parked, reason="")
    assert taken(unsaid, CALENDAR, seen(TEN)).state is LinkState.PARKED


def test_a_passing_failure_parks_nothing() -> None:
    item = taken(agreed(NINE), CALENDAR, Unknown(key="k", reason="timeout"))
    assert (item.state, item.reason) == (LinkState.ACTIVE, "")


# --- since when an item claims its time ----------------------------------------------------------

#: What tells two acts of one moment of the server's clock apart.
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("half", "obs", "since"),
    [
        (Half(), seen(NINE, created=at(3), modified=at(8)), at(3)),
        (there(NINE, since=at(1)), seen(NINE, mark=9, modified=at(8)), at(1)),
        (there(NINE, since=at(1)), seen(RENAMED, mark=9, modified=at(8)), at(1)),
        (there(NINE, since=at(1)), seen(TEN, mark=9, modified=at(8)), at(8)),
        (there(NINE, since=at(1)), seen(TEN, mark=9), NOW),
        (unknown(since=at(1)), seen(NINE, mark=9, modified=at(8)), at(1)),
        (unknown(since=at(1)), seen(TEN, mark=9, modified=at(8)), at(8)),
        (gone(since=at(1)), seen(NINE, mark=9, modified=at(8)), at(8)),
        (gone(since=at(1)), seen(NINE, mark=9), NOW),
        (there(NINE, since=at(1)), seen(TEN, mark=9, modified=at(1)), at(1) + TICK),
        (there(NINE, since=at(1)), seen(TEN, mark=9, modified=at(0)), at(0) + TICK),
        (gone(since=at(1)), seen(NINE, mark=9, modified=at(1)), at(1) + TICK),
    ],
    ids=[
        "new", "unchanged", "renamed", "moved", "moved, no time given", "readable again",
        "moved while unreadable", "restored", "restored, no time given",
        "moved as it came", "moved as it was made", "restored as it came",
    ],
)  # fmt: skip
def test_time_is_claimed_when_the_item_came_to_it(
    side: Side, half: Half, obs: Seen, since: object
) -> None:
    item = with_half(agreed(NINE), side, half)
    assert half_of(item, side, obs, NOW).since == since


def test_who_moves_it_in_the_moment_it_was_made_claims_its_time() -> None:
    """Seed 8987: by the server's clock both were one moment."""
    item = link(there(NINE, key="b"), there(NINE, key="e", created=at(5), since=at(5)), base=NINE)
    moved = taken(item, CALENDAR, seen(TEN, key="e", mark=9, created=at(5), modified=at(5)))
    assert (moved.claim, moved.event.since) == (CALENDAR, at(5) + TICK)
    assert moved.event.since != moved.event.created, "calsync did not put it there"


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("was", "since"), [(at(1), at(8)), (None, at(3))], ids=["back", "new"])
def test_what_could_not_be_read_at_first_claims_its_time_since_it_was_restored_or_made(
    side: Side, was: datetime | None, since: datetime
) -> None:
    item = with_half(link(), side, unknown(since=was))
    obs = seen(NINE, mark=9, created=at(3), modified=at(8))
    assert half_of(item, side, obs, NOW).since == since


@pytest.mark.parametrize("side", Side)
def test_people_who_move_an_item_claim_its_new_time_where_they_moved_it(side: Side) -> None:
    item = agreed(NINE, origin=side.other)
    assert taken(item, side, seen(TEN, mark=9)).claimed_on is side
    assert taken(item, side, seen(RENAMED, mark=9)).claimed_on is side.other
    assert taken(item, side, seen(NINE, mark=9)).claimed_on is side.other


@pytest.mark.parametrize("side", Side)
def test_an_echo_of_our_own_move_claims_nothing(side: Side) -> None:
    """The other side shows the new time already: people moved it there."""
    item = with_half(agreed(NINE, origin=side.other), side.other, there(TEN, key="o"))
    assert taken(item, side, seen(TEN, mark=9)).claimed_on is side.other
    assert taken(item, side, seen(TWELVE, mark=9)).claimed_on is side


@pytest.mark.parametrize("side", Side)
def test_moved_and_moved_back_it_is_the_other_sides_move_that_stands(side: Side) -> None:
    item = with_half(agreed(NINE, claim=side), side.other, there(TEN, key="o"))
    item = with_half(item, side, there(TWELVE, key="k"))
    assert taken(item, side, seen(NINE, mark=9)).claim is side.other


def test_a_new_title_claims_nothing_though_the_other_side_was_moved() -> None:
    item = link(there(TWELVE), there(TEN), base=NINE, claim=BOOKING)
    assert taken(item, CALENDAR, seen(replace(TEN, title="x"), mark=9)).claim is BOOKING


def test_moved_back_while_the_other_side_cannot_be_read() -> None:
    item = link(unknown(), there(TEN), base=NINE, claim=BOOKING)
    assert taken(item, CALENDAR, seen(NINE, mark=9)).claim is CALENDAR


def test_what_both_sides_have_not_held_yet_is_claimed_where_it_was_born() -> None:
    item = link(there(NINE))
    assert taken(item, BOOKING, seen(TEN, mark=9)).claim is None


# --- who and what waits --------------------------------------------------------------------------


def test_a_booking_says_who_waits_for_an_answer() -> None:
    item = taken(link(), BOOKING, seen(NINE, pending=True, person=ANNA, seats=4))
    assert (item.pending, item.person, item.seats) == (True, ANNA, 4)
    answered = taken(item, BOOKING, seen(NINE, mark=9, person=BERT))
    assert (answered.pending, answered.person, answered.seats) == (False, BERT, None)
    assert taken(item, BOOKING, seen(NINE, mark=9)).person == ANNA, "a booking that names nobody"


def test_an_event_names_its_organiser_only_where_it_was_born() -> None:
    assert taken(link(origin=CALENDAR), CALENDAR, seen(NINE, person=BERT)).person == BERT
    booked = link(there(NINE), person=ANNA, pending=True, seats=4)
    event = taken(booked, CALENDAR, seen(NINE, person=BERT))
    assert (event.person, event.pending, event.seats) == (ANNA, True, 4)


def test_a_booking_moved_again_is_told_nothing_of_its_refused_move() -> None:
    refusal = Refusal(reason="taken")
    item = with_half(agreed(NINE, refusal=refusal), CALENDAR, there(NINE, since=at(9)))
    assert taken(item, BOOKING, seen(TEN, mark=9)).refusal is None
    assert taken(item, BOOKING, seen(RENAMED, mark=9)).refusal == refusal
    assert taken(item, CALENDAR, seen(TEN, mark=9)).refusal == refusal
    dates = replace(item, refusal=replace(refusal, dates=(DAY,)))
    assert taken(dates, BOOKING, seen(TEN, mark=9)).refusal is not None, "dates stay refused"


# --- what we sent --------------------------------------------------------------------------------


def sent(*contents: Occupancy) -> str:
    return " ".join(fingerprint(one) for one in contents)


def writes(
    target: Occupancy | None, kind: EffectKind = EffectKind.CHANGE_EVENT, **more: Any
) -> Effect:
    return effect(kind, target=target, **more)


@pytest.mark.parametrize("side", Side)
def test_what_was_sent_is_remembered_the_newest_last(side: Side) -> None:
    kind = EffectKind.CHANGE_EVENT if side is CALENDAR else EffectKind.CHANGE_BOOKING
    item = agreed(NINE)
    for target in (NINE, TEN, TWELVE, TEN):
        item = sending(item, writes(target, kind))
    assert item.half(side).sent == sent(NINE, TWELVE, TEN)
    assert item.half(side.other) == agreed(NINE).half(side.other)
    for target in (RENAMED, occ(1, 2)):
        item = sending(item, writes(target, kind))
    assert item.half(side).sent == sent(TWELVE, TEN, RENAMED, occ(1, 2)), "four are enough"


def test_what_both_sides_cannot_have_agreed_on_is_not_noted() -> None:
    """A deletion makes nothing; half of a merge was never shown by the other side."""
    item = sending(agreed(NINE), writes(TWELVE))
    assert sending(item, writes(None, EffectKind.DELETE_EVENT)) == item
    assert sending(item, writes(TEN, merged=True)) == item


def test_a_new_create_forgets_what_the_former_wanted() -> None:
    never = link(there(NINE), Half(seen=TEN))
    assert sending(never, writes(NINE, EffectKind.CREATE_EVENT)).event.seen is None
    own = link(there(NINE), there(TEN), base=NINE)
    assert sending(own, writes(NINE)).event.seen == TEN, "what is there is kept"


def test_an_item_that_shows_what_we_sent_is_agreed_on() -> None:
    item = link(there(NINE), Half(sent=sent(NINE, TEN)))
    for content in (NINE, TEN):
        found = taken(item, CALENDAR, seen(content))
        assert (found.base, found.base_fingerprint) == (content, fingerprint(content))
        assert found.claim is None
    assert taken(item, CALENDAR, seen(TWELVE)).base is None, "somebody changed it since"


def test_a_late_write_over_an_item_is_known_again_too() -> None:
    """It did not stick as far as anybody knew; now it shows, and nobody moved it there."""
    half = there(NINE, sent=sent(TEN))
    item = with_half(agreed(NINE, origin=CALENDAR), CALENDAR, half)
    assert taken(item, CALENDAR, seen(TEN, mark=9)).base == TEN
    assert taken(item, CALENDAR, seen(TWELVE, mark=9)).base == NINE
    same = seen(TEN, mark=9, version=half.version)
    assert as_sent(item, item, CALENDAR, same) is None, "no write shows under its old version"


def test_a_write_is_bound_to_the_version_that_it_was_decided_on() -> None:
    half = there(NINE, sent=sent(TEN))
    item = with_half(agreed(NINE), CALENDAR, half)
    assert taken(item, CALENDAR, seen(RENAMED, mark=9)).event.sent == "", "it has missed this one"
    assert taken(item, CALENDAR, seen(NINE, mark=9, version=half.version)).event.sent == sent(TEN)
    assert taken(item, CALENDAR, READ_GONE).event.sent == ""
    assert taken(item, CALENDAR, Unknown(key="k", reason="timeout")).event.sent == sent(TEN)


@pytest.mark.parametrize("obs", [seen(TEN, mark=9), READ_GONE], ids=["changed", "gone"])
def test_while_a_create_is_in_flight_what_it_makes_is_kept(obs: Observation) -> None:
    """The booking is changed or removed: the event that may have been made shows the old state."""
    flying = link(there(NINE), Half(sent=sent(NINE)), in_flight=True)
    assert taken(flying, BOOKING, obs).event.seen == NINE
    assert taken(flying, BOOKING, seen(NINE, mark=9)).event.seen is None, "nothing changed"
    assert taken(replace(flying, in_flight=False), BOOKING, obs).event.seen is None
    before = with_half(flying, CALENDAR, replace(flying.event, seen=TWELVE))
    assert taken(before, BOOKING, obs).event.seen == TWELVE, "the first one counts"


def test_what_was_made_already_keeps_no_second_state() -> None:
    flying = agreed(NINE, in_flight=True)
    assert taken(flying, BOOKING, seen(TEN, mark=9)).event.seen is None
