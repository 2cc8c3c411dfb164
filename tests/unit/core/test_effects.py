"""From decisions and verdicts to the one write that brings them about, and its record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from calsync.conflicts.clash import Claim, Verdict
from calsync.conflicts.rules import without
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Busy,
    Conflict,
    ConflictKind,
    Effect,
    EffectKind,
    Half,
    Link,
    Occupancy,
    Override,
    Person,
    Refusal,
    Side,
    their_key,
)
from calsync.reconcile.decide import Decision, Verb
from calsync.reconcile.effects import (
    conflict_of,
    effect_of,
    ends,
    given_back,
    in_flight,
    refusal_of,
    refused,
    turned_down,
)
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    DAY,
    at,
    daily,
    effect,
    gone,
    link,
    occ,
    span,
    there,
)

NINE, TEN, TWELVE = occ(9, 10), occ(10, 11), occ(12, 13)
ANNA = Person("Anna", "anna@x.example")
MOVED = link(
    there(TEN, key="b", version="vb", uid="ub", created=at(1)),
    there(NINE, key="e", version="ve", uid="ue", created=at(2)),
    base=NINE,
    person=ANNA,
    revision=4,
)


def to(verb: Verb, target: Occupancy | None = None, **more: object) -> Decision:
    return Decision(verb=verb, why="because", target=target, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        (Verb.CREATE_BOOKING, EffectKind.CREATE_BOOKING),
        (Verb.CREATE_EVENT, EffectKind.CREATE_EVENT),
        (Verb.WRITE_BOOKING, EffectKind.CHANGE_BOOKING),
        (Verb.WRITE_EVENT, EffectKind.CHANGE_EVENT),
        (Verb.WRITE_BOTH, EffectKind.CHANGE_EVENT),
        (Verb.DELETE_BOOKING, EffectKind.DELETE_BOOKING),
        (Verb.DELETE_EVENT, EffectKind.DELETE_EVENT),
        (Verb.DECLINE_DATES, EffectKind.DECLINE_EVENT),
        (Verb.NOTHING, EffectKind.CONFIRM_BOOKING),
    ],
)
def test_the_write_that_a_decision_asks_for(verb: Verb, kind: EffectKind) -> None:
    made = effect_of(MOVED, to(verb))
    assert made.kind is kind
    assert made.merged is (verb is Verb.WRITE_BOTH)


def test_a_change_of_the_calendar_carries_its_precondition() -> None:
    assert effect_of(MOVED, to(Verb.WRITE_EVENT, TEN)) == Effect(
        id="x:4",
        kind=EffectKind.CHANGE_EVENT,
        link_id="x",
        revision=4,
        why="because",
        key="e",
        version="ve",
        was=NINE,
        target=TEN,
        fingerprint=fingerprint(TEN),
        uid="ub",
        person=ANNA,
        created=at(1),
        owned=True,
    )


def test_a_change_of_a_booking_does_so_for_its_own_side() -> None:
    made = effect_of(MOVED, to(Verb.WRITE_BOOKING, NINE))
    assert (made.key, made.version, made.was) == ("b", "vb", TEN)
    assert (made.uid, made.created) == ("ue", at(2))


def test_a_deletion_has_no_target() -> None:
    made = effect_of(MOVED, to(Verb.DELETE_BOOKING))
    assert (made.target, made.fingerprint, made.refusal) == (None, "", None)


def test_a_meeting_of_others_is_declined_not_deleted_and_its_people_are_told_why() -> None:
    invited = replace(MOVED, event=replace(MOVED.event, owned=False))
    made = effect_of(invited, to(Verb.DELETE_EVENT, dates=(DAY,)))
    assert (made.kind, made.owned) == (EffectKind.DECLINE_EVENT, False)
    assert made.refusal is not None
    assert (made.refusal.code, made.refusal.dates) == ("cancelled", (DAY,))
    assert made.refusal.reason
    assert effect_of(invited, to(Verb.DELETE_BOOKING)).kind is EffectKind.DELETE_BOOKING


def test_a_confirmation_tells_what_was_refused() -> None:
    refusal = Refusal(reason="taken")
    item = replace(MOVED, refusal=refusal)
    assert effect_of(item, to(Verb.NOTHING)).refusal == refusal
    assert effect_of(item, to(Verb.WRITE_BOOKING, NINE)).refusal is None


def test_a_link_in_flight_is_a_new_revision_and_one_more_attempt() -> None:
    item = in_flight(replace(MOVED, attempts=2))
    assert (item.revision, item.in_flight, item.attempts) == (5, True, 3)


# --- refusals ------------------------------------------------------------------------------------

DATES = tuple(DAY + timedelta(days=n, hours=9) for n in range(3))
SERIES = daily(9, 10)


def claim(
    item: Link, side: Side, what: Occupancy, *, fixed: bool = False, new: bool = True
) -> Claim:
    return Claim(link=item, occupancy=what, side=side, at=at(0), fixed=fixed, new=new)


def verdict(
    item: Link = MOVED,
    side: Side = BOOKING,
    what: Occupancy = TEN,
    *,
    fixed: bool = False,
    dates: tuple[object, ...] = (),
    ask: bool = False,
    new: bool = True,
) -> Verdict:
    winners = tuple(
        claim(link(id=name), side.other, what, fixed=fixed) for name in ("winner", "other")
    )
    return Verdict(
        loser=claim(item, side, what, new=new),
        winners=winners,
        dates=dates,  # type: ignore[arg-type]
        taken=(span(10, 11), span(34, 35)),
        ask=ask,
    )


@pytest.mark.parametrize("side", Side)
def test_the_record_of_a_clash(side: Side) -> None:
    record = conflict_of(verdict(side=side), "first")
    assert record == Conflict(
        kind=ConflictKind.CLASH,
        link_id="x",
        other_link_id="winner",
        policy="first",
        winner=side.other,
        reason=f"the room was claimed on the {side.other.value} side, too",
        lost=TEN,
    )
    assert conflict_of(verdict(side=side, ask=True), "ask").parked
    assert conflict_of(verdict(dates=DATES[:2]), "first").reason.endswith("too on 2 date(s)")


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        (verdict(), "The room was already booked at that time."),
        (verdict(dates=DATES[:1]), "The room was already booked on some of the dates."),
        (verdict(fixed=True), "The room is blocked at that time in its own calendar."),
    ],
)
def test_what_the_loser_is_told(lost: Verdict, reason: str) -> None:
    """The first winner is the strongest; these sentences reach people as they stand."""
    refusal = refusal_of(lost)
    assert (refusal.reason, refusal.dates) == (reason, lost.dates)
    assert refusal.conflicts == tuple((taken.start, taken.end) for taken in lost.taken)


def test_a_meeting_that_lost_is_declined() -> None:
    lost = verdict(side=CALENDAR, dates=DATES[:1])
    item, made = refused(MOVED, lost)
    assert (made.kind, made.key, made.refusal) == (EffectKind.DECLINE_EVENT, "e", refusal_of(lost))
    assert item == in_flight(MOVED)
    assert item.refusal is None, "Exchange tells the organiser"


def test_a_move_that_the_room_refused_goes_back_with_all_else_as_it_is_now() -> None:
    shows = replace(TEN, title="new", busy=Busy.TENTATIVE, private=True)
    moved = replace(MOVED, booking=there(shows, key="b", version="vb"))
    now, back = given_back(moved, to(Verb.GIVE_BACK, NINE), "no")
    assert (back.kind, back.target) == (
        EffectKind.CHANGE_BOOKING,
        replace(shows, start=NINE.start, end=NINE.end),
    )
    assert back.refusal is not None
    assert (back.refusal.reason, now.refusal, now.in_flight) == ("no", back.refusal, True)
    assert back.merged, "the calendar still shows the time that it leaves"


def test_a_booking_that_is_turned_down_keeps_the_reason_until_it_is_told() -> None:
    now, rejection = turned_down(MOVED, "no", "code", "why")
    assert (rejection.kind, rejection.why, rejection.key) == (
        EffectKind.REJECT_BOOKING,
        "why",
        "b",
    )
    assert rejection.refusal == now.refusal == Refusal(reason="no", code="code")
    assert (now.in_flight, now.revision) == (True, MOVED.revision + 1)


def test_the_room_declines_its_own_copy_of_a_meeting_in_a_persons_calendar() -> None:
    theirs = there(NINE, key=their_key("e"), version="ve", owned=False, copy="c")
    item = replace(MOVED, event=theirs, organizer="anna@x.example", seats=4)
    declined = effect_of(item, to(Verb.DELETE_EVENT))
    assert (declined.kind, declined.key, declined.version) == (EffectKind.DECLINE_EVENT, "c", "")
    assert (declined.organizer, declined.seats) == ("", 4)
    unknown_copy = replace(item, event=replace(theirs, copy=""))
    assert effect_of(unknown_copy, to(Verb.DELETE_EVENT)).key is None
    changed = effect_of(item, to(Verb.WRITE_EVENT, TEN))
    assert (changed.key, changed.organizer) == (their_key("e"), "anna@x.example")
    assert effect_of(item, to(Verb.WRITE_BOOKING, TEN)).organizer == ""


def test_a_booking_that_lost_all_is_rejected() -> None:
    new = link(there(TEN, key="b"), person=ANNA)
    lost = verdict(new)
    item, made = refused(new, lost)
    assert (made.kind, made.key, made.target) == (EffectKind.REJECT_BOOKING, "b", None)
    assert made.refusal == refusal_of(lost)
    assert item == in_flight(replace(new, refusal=refusal_of(lost)))
    assert not made.merged


def test_a_move_that_lost_goes_back_with_all_else_as_it_is_now() -> None:
    looks = {"title": "new title", "busy": Busy.OOF}
    item = replace(MOVED, booking=there(replace(TEN, **looks), key="b"))
    lost = verdict(item, what=replace(TEN, **looks))
    after, made = refused(item, lost)
    assert (made.kind, made.target) == (EffectKind.CHANGE_BOOKING, replace(NINE, **looks))
    assert (made.merged, made.why) == (True, "its move lost a clash")
    hidden = replace(MOVED, booking=there(replace(TEN, private=True), key="b"))
    assert refused(hidden, verdict(hidden))[1].target == replace(NINE, private=True)
    assert after == in_flight(replace(item, refusal=refusal_of(lost)))


@pytest.mark.parametrize(
    ("item", "lost", "whole"),
    [
        (MOVED, verdict(), True),
        (replace(MOVED, base=None), verdict(), False),
        (replace(MOVED, event=gone()), verdict(), False),
        (replace(MOVED, event=Half()), verdict(), False),
        (MOVED, verdict(new=False), False),
    ],
    ids=["booked since", "no former time", "its event is gone", "it has none", "was no move"],
)
def test_a_booking_that_has_nothing_to_go_back_to_is_rejected(
    item: Link, lost: Verdict, whole: bool
) -> None:
    assert refused(item, lost, whole=whole)[1].kind is EffectKind.REJECT_BOOKING


def test_a_series_that_lost_dates_keeps_the_others() -> None:
    item = link(there(SERIES, key="b"))
    lost = verdict(item, what=SERIES, dates=DATES[:1])
    after, made = refused(item, lost)
    assert made.kind is EffectKind.CHANGE_BOOKING
    assert made.target == daily(9, 10, excluded=DATES[:1])
    assert made.merged
    assert after.refusal == refusal_of(lost)


def test_lost_dates_are_excluded_and_their_changes_dropped() -> None:
    def changed(day: object) -> Override:
        return Override(recurrence_id=day, start=day, end=day + timedelta(hours=1))  # type: ignore[operator, arg-type]

    series = daily(9, 10, excluded=DATES[2:], overrides=(changed(DATES[0]), changed(DATES[1])))
    rest = without(series, DATES[:1])
    assert rest == daily(9, 10, excluded=(DATES[0], DATES[2]), overrides=(changed(DATES[1]),))


@pytest.mark.parametrize(
    ("kind", "dates", "over"),
    [
        (EffectKind.REJECT_BOOKING, (), True),
        (EffectKind.REJECT_BOOKING, DATES, True),
        (EffectKind.CHANGE_BOOKING, (), False),
        (EffectKind.CHANGE_BOOKING, DATES, True),
        (EffectKind.DECLINE_EVENT, (), True),
        (EffectKind.DECLINE_EVENT, DATES, False),
    ],
)
def test_when_nothing_is_left_to_be_decided_later(
    kind: EffectKind, dates: tuple[object, ...], over: bool
) -> None:
    assert ends(verdict(dates=dates), effect(kind)) is over
