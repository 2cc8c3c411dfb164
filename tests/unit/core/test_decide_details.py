"""What the table's cells say beside their verb: targets, dates, and what is kept on record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    LIVES_ON,
    Absence,
    Busy,
    Conflict,
    ConflictKind,
    EditPolicy,
    Half,
    Link,
    LinkState,
    Occupancy,
    Override,
    Presence,
    Side,
)
from calsync.reconcile.decide import Decision, Verb, decide, dropped_dates
from calsync.reconcile.rebase import bury, rebase
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    DAY,
    agreed,
    daily,
    gone,
    link,
    occ,
    there,
    unknown,
)

NINE, TEN = occ(9, 10), occ(10, 11)
MINE, THEIRS = replace(NINE, title="mine"), replace(NINE, title="theirs")
DATES = tuple(DAY + timedelta(days=n, hours=9) for n in range(3))
SERIES = daily(9, 10)


def decided(item: Link, policy: EditPolicy = EditPolicy.ORIGIN) -> Decision:
    return decide(item, policy)


@pytest.mark.parametrize(
    ("item", "verb", "target"),
    [
        (link(there(NINE), there(THEIRS), base=NINE), Verb.WRITE_BOOKING, THEIRS),
        (link(there(MINE), there(NINE), base=NINE), Verb.WRITE_EVENT, MINE),
        (link(there(MINE)), Verb.CREATE_EVENT, MINE),
        (link(None, there(THEIRS)), Verb.CREATE_BOOKING, THEIRS),
        (link(there(MINE), None, base=NINE), Verb.CREATE_EVENT, MINE),
        (link(there(NINE), None, base=NINE), Verb.CREATE_EVENT, NINE),
        (link(None, there(NINE), base=NINE), Verb.CREATE_BOOKING, NINE),
        (link(None, there(THEIRS), base=NINE), Verb.CREATE_BOOKING, THEIRS),
        (link(there(MINE), there(MINE), base=NINE), Verb.REBASE, MINE),
        (link(there(MINE), there(MINE)), Verb.REBASE, MINE),
    ],
)
def test_what_one_side_has_is_what_both_shall_have(
    item: Link, verb: Verb, target: Occupancy
) -> None:
    decision = decided(item)
    assert (decision.verb, decision.target, decision.conflict) == (verb, target, None)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (
            link(unknown(reason="refused"), unknown(reason="timeout")),
            "booking side unknown: refused",
        ),
        (link(there(NINE), unknown(reason="timeout")), "calendar unknown: timeout"),
        (link(there(NINE), gone(reason="read"), base=NINE), "gone from the calendar: read"),
        (link(gone(reason="read"), there(NINE), base=NINE), "gone from the booking side: read"),
    ],
)
def test_the_audit_says_what_happened_on_which_side(item: Link, why: str) -> None:
    assert decided(item).why == why


# --- both edited ---------------------------------------------------------------------------------

CLASHING = link(there(MINE), there(THEIRS), base=NINE)


@pytest.mark.parametrize("origin", Side)
@pytest.mark.parametrize("policy", [p for p in EditPolicy if p is not EditPolicy.ASK])
def test_an_edit_conflict_is_on_record(policy: EditPolicy, origin: Side) -> None:
    decision = decided(replace(CLASHING, origin=origin), policy)
    winner = {"origin": origin, "booking": BOOKING, "calendar": CALENDAR}[policy.value]
    assert decision.conflict == Conflict(
        kind=ConflictKind.EDIT,
        link_id="x",
        other_link_id=None,
        policy=policy.value,
        winner=winner,
        reason="both sides changed title",
        lost=THEIRS if winner is BOOKING else MINE,
        fields=("title",),
    )
    won = (Verb.WRITE_EVENT, MINE) if winner is BOOKING else (Verb.WRITE_BOOKING, THEIRS)
    assert (decision.verb, decision.target) == won


def test_what_a_person_has_to_decide_changes_nothing_and_names_its_fields() -> None:
    decision = decided(CLASHING, EditPolicy.ASK)
    assert decision.conflict is not None
    assert (decision.verb, decision.target, decision.conflict.winner) == (Verb.PARK, None, None)
    assert decision.why == "both sides changed title"
    assert decision.conflict.lost == THEIRS


def test_a_person_is_asked_only_about_conflicts() -> None:
    item = link(there(MINE), there(TEN), base=NINE)
    decision = decided(item, EditPolicy.ASK)
    assert (decision.verb, decision.target) == (Verb.WRITE_BOTH, replace(TEN, title="mine"))


def test_a_merge_that_one_side_shows_already_is_written_to_the_other_only() -> None:
    both = replace(MINE, end=TEN.end)
    item = link(there(MINE), there(both), base=NINE)
    assert decided(item).verb is Verb.WRITE_BOOKING
    item = link(there(both), there(MINE), base=NINE)
    assert decided(item).verb is Verb.WRITE_EVENT


# --- deleted and edited --------------------------------------------------------------------------


@pytest.mark.parametrize("origin", Side)
@pytest.mark.parametrize("deleted_on", Side)
@pytest.mark.parametrize("policy", EditPolicy)
def test_delete_against_edit(policy: EditPolicy, deleted_on: Side, origin: Side) -> None:
    edited = there(MINE)
    item = link(
        gone() if deleted_on is BOOKING else edited,
        gone() if deleted_on is CALENDAR else edited,
        base=NINE,
        origin=origin,
    )
    decision = decided(item, policy)
    winner = {"origin": origin, "booking": BOOKING, "calendar": CALENDAR}.get(policy.value)
    assert decision.conflict == Conflict(
        kind=ConflictKind.DELETE_EDIT,
        link_id="x",
        other_link_id=None,
        policy=policy.value,
        winner=winner,
        reason=f"deleted on the {deleted_on.value} side, changed on the other",
        lost=MINE,
    )
    assert decision.why == decision.conflict.reason
    stays = {BOOKING: Verb.REVIVE_BOOKING, CALENDAR: Verb.REVIVE_EVENT}[deleted_on]
    goes = {BOOKING: Verb.DELETE_EVENT, CALENDAR: Verb.DELETE_BOOKING}[deleted_on]
    if winner is None:
        assert (decision.verb, decision.target) == (Verb.PARK, None)
    elif winner is deleted_on:
        assert (decision.verb, decision.target) == (goes, None)
    else:
        assert (decision.verb, decision.target) == (stays, MINE)


@pytest.mark.parametrize("deleted_on", Side)
@pytest.mark.parametrize("policy", EditPolicy)
@pytest.mark.parametrize("why", sorted(LIVES_ON))
def test_what_stands_beside_its_booking_is_not_made_again(
    why: str, policy: EditPolicy, deleted_on: Side
) -> None:
    """Others carry the booking: whoever may win, it would be there twice."""
    lost, edited = gone(reason=why), there(MINE)
    halves = (lost, edited) if deleted_on is BOOKING else (edited, lost)
    decision = decided(link(*halves, base=NINE, origin=deleted_on.other), policy)
    goes = {BOOKING: Verb.DELETE_EVENT, CALENDAR: Verb.DELETE_BOOKING}[deleted_on]
    assert (decision.verb, decision.target) == (goes, None)
    kept = decision.conflict
    assert kept is not None
    assert (kept.kind, kept.policy, kept.winner, kept.lost) == (
        ConflictKind.DELETE_EDIT,
        "capability",
        deleted_on,
        MINE,
    )
    assert kept.reason.startswith(why)


def test_a_booking_whose_meeting_of_others_lives_on_elsewhere_is_not_made_again_either() -> None:
    """Whose meeting it was does not matter: the booking is the platform's."""
    lost = gone(reason=Absence.REPLACED.value, owned=False)
    decision = decided(link(there(MINE), lost, base=NINE), EditPolicy.BOOKING)
    assert decision.verb is Verb.DELETE_BOOKING
    assert decision.conflict is not None
    assert (decision.conflict.winner, decision.conflict.lost) == (CALENDAR, MINE)


def test_what_an_organizer_made_of_a_meeting_is_theirs_whatever_carries_the_booking() -> None:
    lost = gone(reason=Absence.RESHAPED.value)
    item = link(lost, there(MINE, owned=False), base=NINE, origin=CALENDAR)
    assert decided(item).verb is Verb.REVIVE_BOOKING


# --- an attendee's copy --------------------------------------------------------------------------


def copy(what: Occupancy) -> Half:
    return there(what, owned=False)


def test_an_edit_that_cannot_take_effect_is_put_back_and_kept_on_record() -> None:
    decision = decided(link(there(MINE), copy(NINE), base=NINE, origin=CALENDAR))
    assert (decision.verb, decision.target) == (Verb.WRITE_BOOKING, NINE)
    assert decision.conflict == Conflict(
        kind=ConflictKind.EDIT,
        link_id="x",
        other_link_id=None,
        policy="capability",
        winner=CALENDAR,
        reason=decision.why,
        lost=MINE,
    )
    assert "organiser" in decision.why


def test_dates_given_up_are_declined() -> None:
    less = daily(9, 10, excluded=DATES[:1])
    decision = decided(link(there(less), copy(SERIES), base=SERIES))
    assert (decision.verb, decision.dates, decision.target) == (Verb.DECLINE_DATES, DATES[:1], None)
    assert decision.conflict is None


def test_dates_given_up_are_declined_also_where_the_organiser_changed_something_else() -> None:
    less = daily(9, 10, excluded=DATES[:2])
    renamed = replace(SERIES, title="new")
    decision = decided(link(there(less), copy(renamed), base=SERIES))
    assert (decision.verb, decision.dates) == (Verb.DECLINE_DATES, DATES[:2])
    cancelled = replace(daily(9, 10, excluded=DATES[:1]), title="new")
    decision = decided(link(there(less), copy(cancelled), base=SERIES))
    assert decision.dates == DATES[1:2], "what the organiser cancelled needs no decline"


@pytest.mark.parametrize(
    "organisers",
    [daily(11, 12), occ(9, 10), replace(daily(9, 10, excluded=DATES[:1]), title="x")],
    ids=["moved", "no series any more", "cancelled the same date"],
)
def test_dates_of_another_grid_are_not_declined(organisers: Occupancy) -> None:
    less = daily(9, 10, excluded=DATES[:1])
    decision = decided(link(there(less), copy(organisers), base=SERIES))
    assert (decision.verb, decision.target) == (Verb.WRITE_BOOKING, organisers)


def test_without_a_base_no_date_was_given_up() -> None:
    less = daily(9, 10, excluded=DATES[:1])
    decision = decided(link(there(less), copy(SERIES)))
    assert (decision.verb, decision.target) == (Verb.WRITE_BOOKING, SERIES)


def test_only_what_is_lost_is_kept_on_record() -> None:
    """The organiser's change contains the platform's: nothing was lost."""
    both = replace(MINE, end=TEN.end)
    assert decided(link(there(MINE), copy(both), base=NINE)).conflict is None
    record = decided(link(there(MINE), copy(THEIRS), base=NINE)).conflict
    assert record is not None
    assert (record.policy, record.lost, record.winner) == ("capability", MINE, CALENDAR)


def changed(day: object) -> Override:
    return Override(recurrence_id=day, start=day, end=day + timedelta(hours=2))  # type: ignore[operator, arg-type]


WEEK = tuple(DAY + timedelta(days=n, hours=9) for n in range(8))


@pytest.mark.parametrize(
    ("base", "now", "dates"),
    [
        (SERIES, daily(9, 10, excluded=DATES[:2]), DATES[:2]),
        (daily(9, 10, excluded=DATES[:1]), daily(9, 10, excluded=DATES[:2]), DATES[1:2]),
        (daily(9, 10, overrides=(changed(DATES[0]),)), daily(9, 10, excluded=DATES[:1]), DATES[:1]),
        (daily(9, 10, count=9), daily(9, 10, count=9, excluded=WEEK), WEEK),
        (
            daily(9, 10, overrides=(changed(DATES[0]), changed(DATES[2]))),
            daily(9, 10, excluded=DATES[:1], overrides=(changed(DATES[2]),)),
            DATES[:1],
        ),
        (SERIES, SERIES, ()),
        (None, SERIES, ()),
        (NINE, daily(9, 10, excluded=DATES[:1]), ()),
        (SERIES, NINE, ()),
        (daily(9, 10, excluded=DATES[:1]), daily(9, 10, excluded=DATES[1:2]), ()),
        (SERIES, daily(9, 10, excluded=DATES[:1], overrides=(changed(DATES[1]),)), ()),
        (SERIES, daily(9, 10, count=2, excluded=DATES[:1]), ()),
        (SERIES, daily(9, 11, excluded=DATES[:1]), ()),
        (SERIES, daily(8, 10, excluded=DATES[:1]), ()),
        (SERIES, replace(daily(9, 10, excluded=DATES[:1]), zone="Europe/Berlin"), ()),
        (SERIES, replace(daily(9, 10, excluded=DATES[:1]), busy=Busy.FREE), ()),
        (SERIES, replace(daily(9, 10, excluded=DATES[:1]), title="x"), ()),
        (SERIES, replace(daily(9, 10, excluded=DATES[:1]), private=True), ()),
    ],
    ids=[
        "dates", "one more date", "a changed date", "many", "beside a changed date",
        "nothing", "no base", "was no series",
        "is no series", "one given back", "one changed, too", "shorter", "longer", "earlier",
        "zone", "busy", "title", "private",
    ],
)  # fmt: skip
def test_dates_that_were_dropped_if_that_is_all(
    base: Occupancy | None, now: Occupancy, dates: tuple[object, ...]
) -> None:
    assert dropped_dates(base, now) == dates


# --- the base ------------------------------------------------------------------------------------


def test_a_new_base_keeps_each_half_true_to_itself() -> None:
    item = rebase(replace(CLASHING, attempts=3), MINE, fingerprint(MINE))
    assert (item.base, item.base_fingerprint) == (MINE, fingerprint(MINE))
    assert (item.booking.seen, item.event.seen) == (None, THEIRS)
    assert item.attempts == 3, "the calendar does not show it yet"
    back = rebase(agreed(NINE), MINE, fingerprint(MINE))
    assert (back.booking.seen, back.event.seen) == (NINE, NINE), "no half loses what it shows"


def test_attempts_end_where_both_sides_show_the_base() -> None:
    item = replace(link(there(MINE), there(MINE), base=NINE), attempts=3)
    assert rebase(item, MINE, fingerprint(MINE)).attempts == 0
    for half in ("booking", "event"):
        away = replace(item, **{half: gone()})
        assert rebase(away, MINE, fingerprint(MINE)).attempts == 3


@pytest.mark.parametrize("half", [gone(seen=TEN), unknown(seen=TEN), Half()])
def test_what_is_not_there_keeps_what_it_has(half: Half) -> None:
    item = rebase(link(half, there(NINE), base=NINE), MINE, fingerprint(MINE))
    assert item.booking == half


def test_a_half_that_needs_no_change_is_the_same_object() -> None:
    """What did not change is not written: the store compares by identity."""
    item = agreed(NINE)
    assert rebase(item, NINE, fingerprint(NINE)).booking is item.booking


def test_a_tombstone_has_keys_and_marks_and_nothing_else() -> None:
    item = replace(CLASHING, in_flight=True, pending=True)
    tomb = bury(item)
    assert (tomb.state, tomb.base, tomb.base_fingerprint) == (LinkState.BURIED, None, "")
    assert (tomb.in_flight, tomb.pending) == (False, False)
    for side in Side:
        assert tomb.half(side) == replace(item.half(side), seen=None)
        assert tomb.half(side).presence is Presence.PRESENT


@pytest.mark.parametrize(
    ("of_booking", "of_event", "changes", "recorded"),
    [
        (Absence.RESHAPED, Absence.READ, {}, True),
        (Absence.RESHAPED, Absence.CANCELLED, {}, True),
        (Absence.DELETED, Absence.READ, {}, False),
        (Absence.RESHAPED, Absence.REMOVED, {}, False),
        (Absence.RESHAPED, Absence.READ, {"in_flight": True}, False),
        (Absence.RESHAPED, Absence.READ, {"attempts": 1}, False),
    ],
)
def test_a_cancel_that_other_items_outlive_is_on_record(
    of_booking: Absence, of_event: Absence, changes: dict[str, Any], recorded: bool
) -> None:
    """What calsync removed itself, or may have, is nobody's cancel."""
    both = link(gone(reason=of_booking.value), gone(reason=of_event.value), base=NINE)
    decision = decided(replace(both, **changes))
    assert decision.verb is Verb.BURY
    assert (decision.conflict is not None) is recorded
    if recorded:
        assert decision.conflict == Conflict(
            kind=ConflictKind.DELETE_EDIT,
            link_id="x",
            other_link_id=None,
            policy="capability",
            winner=BOOKING,
            reason=decision.why,
            lost=None,
        )
        assert "other items carry it" in decision.why
