"""An admin's answer: the link is put where the table decides the same, and a loser is refused only
for the time that it takes of the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calsync.model import (
    Busy,
    EffectKind,
    Frequency,
    Link,
    LinkState,
    Presence,
    Recurrence,
    Refusal,
    Rule,
    Side,
    Tally,
    Window,
)
from calsync.reconcile.answers import freed, hindrance, holds, keep, overlap, refuse
from calsync.reconcile.decide import Verb, decide
from calsync.reconcile.guard import USUAL
from tests.unit.core.planning import kinds, planned
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    DAY,
    NOW,
    PAIR,
    WINDOW,
    agreed,
    buried,
    daily,
    gone,
    link,
    occ,
    span,
    there,
    unknown,
)


def parked(**more: object):  # type: ignore[no-untyped-def]  # a link, with what the case needs
    given: dict[str, object] = {"state": LinkState.PARKED, "reason": "ask", "attempts": 3}
    return {**given, **more}


@pytest.mark.parametrize(
    ("side", "verb", "start"),
    [(BOOKING, Verb.WRITE_EVENT, 9), (CALENDAR, Verb.WRITE_BOOKING, 14)],
)
def test_of_two_edits_the_table_carries_the_one_that_is_kept(
    side: Side, verb: Verb, start: int
) -> None:
    was = link(
        there(occ(9, 10), key="b"), there(occ(14, 15), key="e"), base=occ(11, 12), **parked()
    )
    assert hindrance(was, side) == ""
    (now,) = keep(was, side)
    assert (now.state, now.reason, now.attempts) == (LinkState.ACTIVE, "", 0)
    decision = decide(now, PAIR.edit_policy)
    assert decision.verb is verb
    assert decision.target == occ(start, start + 1)
    assert decision.conflict is None


def test_what_was_written_too_often_is_written_once_more_when_an_admin_says_so() -> None:
    """The answer was said to be carried out, and the next plan parked it again."""
    worn = Tally(count=USUAL.per_booking, since=NOW)
    was = link(
        there(occ(9, 10), key="b"),
        there(occ(14, 15), key="e"),
        base=occ(9, 10),
        writes=worn,
        **parked(),
    )
    (now,) = keep(was, BOOKING)
    assert kinds(planned(now)) == [(EffectKind.CHANGE_EVENT, now.id)]


def test_a_deletion_that_is_kept_is_carried_over() -> None:
    was = link(gone(key="b"), there(occ(14, 15), key="e"), base=occ(11, 12), **parked())
    (now,) = keep(was, BOOKING)
    assert decide(now, PAIR.edit_policy).verb is Verb.DELETE_EVENT


@pytest.mark.parametrize(
    ("was", "side", "verb"),
    [
        (link(None, there(occ(14, 15), key="e"), **parked()), BOOKING, Verb.DELETE_EVENT),
        (link(there(occ(14, 15), key="b"), None, **parked()), CALENDAR, Verb.DELETE_BOOKING),
    ],
)
def test_that_it_is_not_there_may_be_kept_as_well(was: Link, side: Side, verb: Verb) -> None:
    """Found by simulation (seed 203347): what was deleted, and was back after a restore, had a link
    of its own. "It is deleted on the other side, too", said the answer, and made it on this one."""
    assert hindrance(was, side) == ""
    (now,) = keep(was, side)
    assert decide(now, PAIR.edit_policy).verb is verb


def test_an_edit_that_is_kept_against_a_deletion_is_made_again_under_a_new_link() -> None:
    was = link(gone(key="b"), there(occ(14, 15), key="e"), base=occ(11, 12), **parked())
    old, new = keep(was, CALENDAR)
    assert (old.state, old.id, old.event.key) == (LinkState.BURIED, was.id, None)
    assert new.id != was.id
    decision = decide(new, PAIR.edit_policy)
    assert (decision.verb, decision.target) == (Verb.CREATE_BOOKING, occ(14, 15))


def test_what_stands_on_one_side_alone_is_tried_again() -> None:
    was = link(there(occ(9, 10), key="b"), **parked())
    (now,) = keep(was, BOOKING)
    assert decide(now, PAIR.edit_policy).verb is Verb.CREATE_EVENT


@pytest.mark.parametrize(
    ("was", "side", "said"),
    [
        (link(there(occ(9, 10)), there(occ(9, 11)), in_flight=True), BOOKING, "in doubt"),
        (link(there(occ(9, 10)), unknown()), BOOKING, "cannot be read"),
        (link(gone(), gone()), CALENDAR, "neither side"),
        (
            link(there(occ(9, 10)), there(occ(9, 11), owned=False), base=occ(8, 9)),
            BOOKING,
            "only the organiser can change it",
        ),
        (link(there(occ(9, 10)), there(occ(9, 11), owned=False)), CALENDAR, ""),
        (link(gone(), there(occ(9, 11), owned=False), base=occ(8, 9)), BOOKING, ""),
        (link(there(occ(9, 10)), gone(), base=occ(8, 9)), BOOKING, ""),
        (link(there(occ(9, 10)), gone(owned=False), base=occ(8, 9)), BOOKING, ""),
    ],
)
def test_what_cannot_be_kept_says_why(was, side, said):  # type: ignore[no-untyped-def]
    assert said in hindrance(was, side)
    assert bool(said) is bool(hindrance(was, side))


# --- clashes ---------------------------------------------------------------------------------


def booked(start: float, end: float, **more: object):  # type: ignore[no-untyped-def]
    return link(there(occ(start, end), key="b"), id="mine", pending=True, **parked(**more))


def invited(start: float, end: float, *, owned: bool = False):  # type: ignore[no-untyped-def]
    half = there(occ(start, end), key="e", owned=owned)
    return link(None, half, id="theirs", origin=CALENDAR, **parked())


def refused(loser, winner, reason=""):  # type: ignore[no-untyped-def]
    return refuse(loser, winner, window=WINDOW, zone="UTC", now=NOW, reason=reason)


def test_a_booking_that_gives_way_is_rejected_with_the_time_it_lost() -> None:
    sent = refused(booked(9, 11), invited(10, 12))
    assert sent is not None
    now, effect = sent
    assert (effect.kind, effect.key, effect.id) == (EffectKind.REJECT_BOOKING, "b", "mine:2")
    assert (now.state, now.in_flight, now.reason) == (LinkState.ACTIVE, True, "")
    assert effect.refusal is not None
    assert effect.refusal.conflicts == tuple(
        (i.start, i.end)
        for i in overlap(booked(9, 11), invited(10, 12), window=WINDOW, zone="UTC")[1]
    )


def test_an_invitation_that_gives_way_is_declined_and_the_rooms_own_item_deleted() -> None:
    sent = refused(invited(10, 12), booked(9, 11))
    assert sent is not None
    assert sent[1].kind is EffectKind.DECLINE_EVENT
    own = refused(invited(10, 12, owned=True), booked(9, 11))
    assert own is not None
    assert (own[1].kind, own[1].refusal) == (EffectKind.DELETE_EVENT, None)
    assert (own[0].in_flight, own[0].revision) == (True, own[1].revision)


def test_the_reason_of_the_admin_reaches_the_person() -> None:
    sent = refused(booked(9, 11), invited(10, 12), "It was moved to room loft.")
    assert sent is not None
    now, effect = sent
    assert effect.refusal is not None
    assert effect.refusal.reason == "It was moved to room loft."
    assert now.refusal == effect.refusal
    plain = refused(booked(9, 11), invited(10, 12))
    assert plain is not None
    assert plain[1].refusal is not None
    assert plain[1].refusal.reason == "The room was already booked at that time."


@pytest.mark.parametrize("count", [4, None])
def test_of_a_series_only_the_dates_that_meet_go(count: int | None) -> None:
    series = link(there(daily(9, 10, count=count), key="b"), id="mine", **parked())
    meets = link(None, there(occ(33, 34), key="e", owned=False), id="t", origin=CALENDAR)
    sent = refused(series, meets)
    assert sent is not None
    _, effect = sent
    assert effect.kind is EffectKind.CHANGE_BOOKING
    assert effect.target is not None
    assert effect.target.recurrence is not None
    second = DAY + timedelta(days=1, hours=9)
    assert effect.target.recurrence.excluded == (second,)
    assert effect.refusal is not None
    assert effect.refusal.dates == (second,)


def test_a_series_whose_every_date_meets_is_rejected_whole() -> None:
    series = link(there(daily(9, 10, count=3), key="b"), id="mine", **parked())
    other = daily(9, 11, count=9)
    meets = link(None, there(other, key="e", owned=False), id="t", origin=CALENDAR)
    sent = refused(series, meets)
    assert sent is not None
    assert (sent[1].kind, sent[1].refusal.dates if sent[1].refusal else None) == (
        EffectKind.REJECT_BOOKING,
        (),
    )


@pytest.mark.parametrize(("count", "whole"), [(3, True), (4, False), (400, False)])
def test_a_series_is_refused_as_a_whole_only_where_no_date_is_left(count: int, whole: bool) -> None:
    """Also of one that begins on a day that not every year has."""
    start = datetime(2028, 2, 29, 9)
    rule = Rule(frequency=Frequency.DAILY, count=count)
    leap = replace(occ(9, 10), start=start, end=start.replace(hour=10))
    series = link(
        there(replace(leap, recurrence=Recurrence(rule=rule)), key="b"), id="m", **parked()
    )
    three = replace(leap, recurrence=Recurrence(rule=replace(rule, count=3)))
    meets = link(None, there(three, key="e", owned=False), id="t", origin=CALENDAR)
    year = Window(datetime(2028, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC))
    sent = refuse(series, meets, window=year, zone="UTC", now=NOW)
    assert sent is not None
    assert sent[1].refusal is not None
    assert len(sent[1].refusal.dates) == (0 if whole else 3)


def test_what_does_not_meet_is_not_refused() -> None:
    assert refused(booked(9, 10), invited(10, 12)) is None
    free = replace(invited(9, 12), event=there(occ(9, 12), owned=False, key="e"))
    assert refused(booked(9, 10), free) is not None
    assert refused(link(gone(), None, id="mine"), invited(9, 12)) is None


def test_what_is_shown_somewhere_still_holds_its_time() -> None:
    assert holds(agreed(occ(9, 10)))
    assert holds(link(unknown(), None))
    assert not holds(link(gone(), None))
    assert not holds(buried())


def test_what_is_freed_has_all_its_tries_ahead_and_a_new_revision() -> None:
    was = booked(9, 10)
    now = freed(was)
    assert (now.state, now.attempts, now.revision) == (LinkState.ACTIVE, 0, was.revision + 1)
    assert now.booking.presence is Presence.PRESENT


def test_a_write_in_doubt_is_still_looked_up_after_an_answer() -> None:
    """It goes by the revision of its link."""
    was = replace(booked(9, 10), in_flight=True)
    assert freed(was) == replace(was, state=LinkState.ACTIVE, reason="", attempts=0)


def taken(start: float, end: float) -> tuple[tuple[datetime, datetime], ...]:
    return ((span(start, end).start, span(start, end).end),)


ROOM_TAKEN = "The room was already booked at that time."


@pytest.mark.parametrize("reason", ["", "It was moved to room loft."])
def test_an_organizer_is_told_what_the_meeting_lost_by_exchange_alone(reason: str) -> None:
    """Nothing was given up on the platform; and the link keeps nothing to tell its person later."""
    sent = refused(invited(10, 12), booked(9, 11), reason)
    assert sent is not None
    told = Refusal(reason=reason or ROOM_TAKEN, conflicts=taken(9, 11))
    assert (sent[1].kind, sent[1].refusal) == (EffectKind.DECLINE_EVENT, told)
    assert sent[0].refusal is None


def test_a_move_that_gives_way_goes_back_to_the_time_it_had() -> None:
    halves = there(occ(10, 11), key="b"), there(occ(8, 9), key="e")
    sent = refused(link(*halves, base=occ(8, 9), id="mine", **parked()), invited(10, 12))
    assert sent is not None
    assert (sent[1].kind, sent[1].target) == (EffectKind.CHANGE_BOOKING, occ(8, 9))
    assert sent[1].refusal == Refusal(reason=ROOM_TAKEN, conflicts=taken(10, 12))


def test_what_is_gone_where_it_was_claimed_gives_way_where_it_still_is() -> None:
    half = there(occ(10, 12), key="e", owned=False)
    left = link(gone(key="b"), half, id="mine", origin=BOOKING, **parked())
    sent = refused(left, invited(9, 11))
    assert sent is not None
    assert (sent[1].kind, sent[1].key) == (EffectKind.DECLINE_EVENT, "e")


def test_no_time_is_lost_to_what_is_not_there_or_by_what_blocks_none() -> None:
    def lost(loser: Link, winner: Link) -> object:
        return overlap(loser, winner, window=WINDOW, zone="UTC")

    assert lost(booked(9, 11), invited(10, 12)) == ((), (span(10, 12),))
    assert lost(booked(9, 11), link(None, gone(key="e"), origin=CALENDAR)) == ((), ())
    free = link(there(occ(9, 11, busy=Busy.FREE), key="b"), id="mine", **parked())
    assert lost(free, invited(10, 12)) == ((), ())
