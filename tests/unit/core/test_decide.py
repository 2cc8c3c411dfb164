"""The table of the design, cell by cell."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Change,
    EditPolicy,
    Frequency,
    Half,
    Link,
    Occupancy,
    Presence,
    Recurrence,
    Rule,
    Side,
)
from calsync.reconcile.classify import classify
from calsync.reconcile.decide import Verb, decide, dropped_dates

BASE = Occupancy(
    start=datetime(2026, 3, 2, 9), end=datetime(2026, 3, 2, 10), zone="UTC", title="base"
)
MINE = replace(BASE, title="mine")
THEIRS = replace(BASE, title="theirs")


def half(change: Change, edited: Occupancy) -> Half:
    match change:
        case Change.NEVER:
            return Half()
        case Change.UNKNOWN:
            return Half(presence=Presence.UNKNOWN, key="k", reason="failed")
        case Change.DELETED:
            return Half(presence=Presence.GONE, key="k", reason="read")
        case Change.UNCHANGED:
            return Half(presence=Presence.PRESENT, key="k", fingerprint=fingerprint(BASE))
        case _:
            return Half(
                presence=Presence.PRESENT, key="k", fingerprint=fingerprint(edited), seen=edited
            )


def link(
    booking: Change, event: Change, *, origin: Side = Side.BOOKING, owned: bool = True
) -> Link:
    based = Change.CREATED not in (booking, event) and Change.NEVER not in (booking, event)
    if not based:
        # Nothing was agreed on yet, so what stands there is new.
        booking, event = (Change.CREATED if c is Change.UNCHANGED else c for c in (booking, event))
    return Link(
        id="x",
        pair_id="p",
        origin=origin,
        booking=half(booking, MINE),
        event=replace(half(event, THEIRS), owned=owned),
        base=BASE if based else None,
        base_fingerprint=fingerprint(BASE) if based else "",
    )


U, C, N, D, X, K = (
    Change.UNCHANGED,
    Change.CREATED,
    Change.NEVER,
    Change.DELETED,
    Change.UPDATED,
    Change.UNKNOWN,
)

#: (booking, event) -> verb, where the booking was born on the booking side.
TABLE = {
    (U, U): Verb.NOTHING,
    (U, X): Verb.WRITE_BOOKING,
    (U, D): Verb.DELETE_BOOKING,
    (X, U): Verb.WRITE_EVENT,
    (X, X): Verb.WRITE_EVENT,  # the same field on both sides: the origin's value stays
    (X, D): Verb.REVIVE_EVENT,
    (C, C): Verb.WRITE_EVENT,
    (C, N): Verb.CREATE_EVENT,
    (D, U): Verb.DELETE_EVENT,
    (D, X): Verb.DELETE_EVENT,
    (D, D): Verb.BURY,
    (D, N): Verb.BURY,
    (N, C): Verb.CREATE_BOOKING,
    (N, D): Verb.BURY,
    (N, N): Verb.NOTHING,
    (K, U): Verb.SKIP,
    (K, X): Verb.SKIP,
    (K, D): Verb.SKIP,
    (K, N): Verb.SKIP,
    (K, K): Verb.SKIP,
    (U, K): Verb.SKIP,
    (X, K): Verb.SKIP,
    (D, K): Verb.SKIP,
    (N, K): Verb.SKIP,
}


@pytest.mark.parametrize(("cell", "verb"), TABLE.items(), ids=lambda c: str(c))
def test_cell(cell: tuple[Change, Change], verb: Verb) -> None:
    item = link(*cell)
    assert (classify(item, Side.BOOKING), classify(item, Side.CALENDAR)) == cell
    assert decide(item, EditPolicy.ORIGIN).verb is verb


def test_every_pair_of_changes_has_a_cell() -> None:
    """No combination that halves and base can show is left to chance."""
    for booking in Change:
        for event in Change:
            item = link(booking, event)
            cell = (classify(item, Side.BOOKING), classify(item, Side.CALENDAR))
            assert decide(item, EditPolicy.ORIGIN).why, cell


@pytest.mark.parametrize(
    ("policy", "origin", "winner"),
    [
        (EditPolicy.ORIGIN, Side.BOOKING, MINE),
        (EditPolicy.ORIGIN, Side.CALENDAR, THEIRS),
        (EditPolicy.CALENDAR, Side.BOOKING, THEIRS),
        (EditPolicy.BOOKING, Side.CALENDAR, MINE),
    ],
)
def test_edit_conflict_goes_by_policy_and_keeps_what_lost(
    policy: EditPolicy, origin: Side, winner: Occupancy
) -> None:
    decision = decide(link(X, X, origin=origin), policy)
    assert decision.target == winner
    assert decision.conflict is not None
    assert decision.conflict.lost == (THEIRS if winner == MINE else MINE)
    assert decision.conflict.fields == ("title",)


def test_ask_parks() -> None:
    assert decide(link(X, X), EditPolicy.ASK).verb is Verb.PARK
    assert decide(link(D, X), EditPolicy.ASK).verb is Verb.PARK


def test_delete_against_edit_goes_to_the_origin() -> None:
    assert decide(link(X, D, origin=Side.CALENDAR), EditPolicy.ORIGIN).verb is Verb.DELETE_BOOKING
    assert decide(link(D, X, origin=Side.CALENDAR), EditPolicy.ORIGIN).verb is Verb.REVIVE_BOOKING


def test_the_same_change_on_both_sides_is_no_conflict() -> None:
    item = link(X, X)
    item = replace(item, event=replace(item.event, seen=MINE, fingerprint=fingerprint(MINE)))
    decision = decide(item, EditPolicy.ORIGIN)
    assert (decision.verb, decision.conflict) == (Verb.REBASE, None)


def test_different_fields_are_merged_without_a_conflict() -> None:
    item = link(X, X)
    moved = replace(BASE, end=datetime(2026, 3, 2, 11))
    item = replace(item, event=replace(item.event, seen=moved, fingerprint=fingerprint(moved)))
    decision = decide(item, EditPolicy.ORIGIN)
    assert decision.verb is Verb.WRITE_BOTH
    assert decision.conflict is None
    assert decision.target == replace(moved, title="mine")


@pytest.mark.parametrize("policy", list(EditPolicy))
def test_a_plan_never_writes_an_attendees_copy(policy: EditPolicy) -> None:
    for booking in Change:
        for event in Change:
            for origin in Side:
                item = link(booking, event, origin=origin, owned=False)
                verb = decide(item, policy).verb
                assert verb not in (Verb.WRITE_EVENT, Verb.WRITE_BOTH)


def test_dropped_dates_are_only_dropped_dates() -> None:
    rule = Rule(frequency=Frequency.DAILY, count=5)
    series = replace(BASE, recurrence=Recurrence(rule=rule))
    day = BASE.start + timedelta(days=1)
    less = replace(series, recurrence=Recurrence(rule=rule, excluded=(day,)))
    assert dropped_dates(series, less) == (day,)
    assert dropped_dates(less, series) == ()
    assert dropped_dates(series, replace(less, title="other")) == ()
    assert dropped_dates(BASE, BASE) == ()
