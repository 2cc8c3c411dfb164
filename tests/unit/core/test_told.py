"""What people are told of an effect: what the preview announces, and what is sent in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from calsync.model import (
    Absence,
    EffectKind,
    Gone,
    Link,
    LinkState,
    NoticeKind,
    Refusal,
    Side,
    Whole,
    their_key,
)
from calsync.reconcile.told import (
    cancellation,
    change,
    confirmation,
    expected,
    marked_as_slept,
    rejection,
    whole_booking,
)
from tests.unit.core.planning import ANNA
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    DAY,
    agreed,
    effect,
    gone,
    link,
    occ,
    seen,
    there,
)

K, N = EffectKind, NoticeKind
NINE, TEN, ALL = occ(9, 10), occ(10, 11), occ(9, 12)
RENAMED = replace(NINE, title="renamed")
BOOKED = agreed(NINE, person=ANNA)
IN_OUTLOOK = replace(BOOKED, origin=CALENDAR)
WAITING = replace(BOOKED, pending=True)
GIVEN_UP = link(gone(key="b"), there(NINE, key="e"), base=NINE, person=ANNA)
REFUSED = link(
    gone(key="b", reason=Absence.REFUSED.value), there(NINE, key="e"), base=NINE, person=ANNA
)
NO = Refusal(reason="taken")
NOT_ALL = replace(NO, dates=(DAY,))
MOVED: dict[str, Any] = {"was": NINE, "target": TEN}


@pytest.mark.parametrize(
    ("item", "kind", "more", "told"),
    [
        (BOOKED, K.REJECT_BOOKING, {}, N.REJECTED),
        (BOOKED, K.CONFIRM_BOOKING, {}, N.CONFIRMED),
        (BOOKED, K.CONFIRM_BOOKING, {"refusal": NOT_ALL}, N.CONFIRMED),
        (BOOKED, K.CONFIRM_BOOKING, {"refusal": NO}, N.REJECTED),
        (BOOKED, K.CHANGE_BOOKING, {"refusal": NOT_ALL}, N.CONFIRMED),
        (BOOKED, K.CHANGE_BOOKING, {"refusal": NO}, N.REJECTED),
        (WAITING, K.CHANGE_BOOKING, MOVED, N.CONFIRMED),
        (WAITING, K.CHANGE_BOOKING, {"was": NINE, "target": RENAMED}, N.CONFIRMED),
        (BOOKED, K.CHANGE_BOOKING, MOVED, N.CHANGED),
        (BOOKED, K.CHANGE_BOOKING, {"was": NINE, "target": RENAMED}, None),
        (BOOKED, K.CHANGE_BOOKING, {"target": TEN}, None),
        (BOOKED, K.CHANGE_BOOKING, {"was": NINE}, None),
        (IN_OUTLOOK, K.CHANGE_BOOKING, MOVED, None),
        (BOOKED, K.DELETE_BOOKING, {"was": NINE}, N.CANCELLED),
        (IN_OUTLOOK, K.DELETE_BOOKING, {"was": NINE}, None),
        (GIVEN_UP, K.DELETE_EVENT, {"was": NINE}, N.CANCELLED),
        (replace(GIVEN_UP, origin=CALENDAR), K.DELETE_EVENT, {"was": NINE}, None),
        (REFUSED, K.DELETE_EVENT, {"was": NINE}, None),
        (BOOKED, K.DELETE_EVENT, {"was": NINE}, None),
        (WAITING, K.CREATE_EVENT, {"target": NINE}, N.CONFIRMED),
        (WAITING, K.CHANGE_EVENT, MOVED, N.CONFIRMED),
        # What is taken away answers nobody: not yet, and not with a yes.
        (WAITING, K.DELETE_EVENT, {"was": NINE}, None),
        (WAITING, K.DECLINE_EVENT, {"was": NINE}, None),
        (BOOKED, K.CREATE_EVENT, {"target": NINE}, None),
        (BOOKED, K.CHANGE_EVENT, MOVED, None),
        (BOOKED, K.CREATE_BOOKING, {"target": NINE}, None),
    ],
)
def test_what_the_preview_announces(
    item: Link, kind: EffectKind, more: dict[str, Any], told: NoticeKind | None
) -> None:
    assert expected(item, effect(kind, **more)) is told


@pytest.mark.parametrize(
    ("refusal", "kind"), [(None, N.CONFIRMED), (NOT_ALL, N.CONFIRMED), (NO, N.REJECTED)]
)
def test_an_answer_says_what_stands_and_what_does_not(
    refusal: Refusal | None, kind: NoticeKind
) -> None:
    sent = effect(K.CONFIRM_BOOKING, refusal=refusal)
    (notice,) = confirmation(WAITING, sent, seen(TEN, key="b", mark=8))
    assert (notice.kind, notice.booking_key, notice.revision) == (kind, "b", "v8")
    assert (notice.person, notice.occupancy, notice.refusal) == (ANNA, TEN, refusal)


NO_OTHER = replace(NOT_ALL, dates=(DAY, DAY + timedelta(days=1)))


@pytest.mark.parametrize(
    ("refusal", "whole", "told"),
    [
        (None, Whole(ALL, waits=True), []),
        (None, Whole(ALL), [(N.CONFIRMED, "b", ALL, None)]),
        (NOT_ALL, Whole(ALL), [(N.CONFIRMED, "b", ALL, NOT_ALL)]),
        (None, Whole(ALL, NO_OTHER), [(N.CONFIRMED, "b", ALL, NO_OTHER)]),
        (NOT_ALL, Whole(ALL, NO_OTHER), [(N.CONFIRMED, "b", ALL, NO_OTHER)]),
        # A move of one part that was refused is told as that, and is no word about the rest.
        (NO, Whole(ALL, NO, waits=True), [(N.REJECTED, "b#x", TEN, NO)]),
        (NO, Whole(ALL, NO), [(N.REJECTED, "b#x", TEN, NO), (N.CONFIRMED, "b", ALL, None)]),
    ],
)
def test_a_booking_in_parts_is_answered_when_the_last_of_them_is(
    refusal: Refusal | None, whole: Whole, told: list[Any]
) -> None:
    sent = effect(K.CONFIRM_BOOKING, refusal=refusal)
    part = replace(seen(TEN, key="b#x", mark=8), whole=whole)
    found = confirmation(WAITING, sent, part)
    assert [(n.kind, n.booking_key, n.occupancy, n.refusal) for n in found] == told
    # Whichever part is the last: the ledger knows it by one name.
    other = replace(part, key="b", version="other")
    again = confirmation(WAITING, replace(sent, refusal=None), other)
    assert {n.revision for n in again} == {n.revision for n in found if n.booking_key == "b"}


@pytest.mark.parametrize("key", ["b", "b#x"])
def test_a_booking_in_parts_is_rejected_as_one(key: str) -> None:
    sent = effect(K.REJECT_BOOKING, key=key, version=f"v{key}", was=NINE, refusal=NO)
    state = Gone(key=key, absence=Absence.REFUSED, mark=8, whole=Whole(ALL))
    (notice,) = rejection(WAITING, sent, state)
    assert (notice.kind, notice.booking_key, notice.revision) == (N.REJECTED, "b", "all:8")
    assert (notice.occupancy, notice.refusal) == (ALL, NO)


@pytest.mark.parametrize(
    ("origin", "key", "told"),
    [(BOOKING, their_key("e"), 1), (CALENDAR, "e", 1), (CALENDAR, their_key("e"), 0)],
)
def test_who_asks_for_a_meeting_that_its_person_made_in_outlook_is_not_known(
    origin: Side, key: str, told: int
) -> None:
    item = link(there(NINE, key="b"), there(NINE, key=key), base=NINE, origin=origin, person=ANNA)
    assert len(confirmation(item, effect(K.CONFIRM_BOOKING), seen(NINE, key="b"))) == told


@pytest.mark.parametrize(
    ("kind", "absence", "more", "told"),
    [
        (K.REJECT_BOOKING, Absence.REFUSED, {}, True),
        (K.REJECT_BOOKING, Absence.DELETED, {}, False),  # Its owner was faster.
        (K.REJECT_BOOKING, Absence.REFUSED, {"was": None}, False),
        (K.REJECT_BOOKING, Absence.REFUSED, {"key": None}, False),
        (K.DELETE_BOOKING, Absence.REFUSED, {}, False),
    ],
)
def test_a_no_is_told_where_it_was_said(
    kind: EffectKind, absence: Absence, more: dict[str, Any], told: bool
) -> None:
    given = {"key": "b", "version": "v5", "was": NINE, "refusal": NO, **more}
    found = rejection(WAITING, effect(kind, **given), Gone(key="b", absence=absence))
    assert bool(found) is told
    for notice in found:
        assert (notice.kind, notice.booking_key, notice.revision) == (N.REJECTED, "b", "v5")
        assert (notice.person, notice.occupancy, notice.refusal) == (ANNA, NINE, NO)


@pytest.mark.parametrize(
    ("item", "kind", "more", "told"),
    [
        (BOOKED, K.CHANGE_BOOKING, {}, True),
        (BOOKED, K.CHANGE_EVENT, {}, False),
        (BOOKED, K.CHANGE_BOOKING, {"refusal": NO}, False),
        (BOOKED, K.CHANGE_BOOKING, {"was": None}, False),
        (BOOKED, K.CHANGE_BOOKING, {"was": replace(TEN, title="other")}, False),
        (IN_OUTLOOK, K.CHANGE_BOOKING, {}, False),
        (WAITING, K.CHANGE_BOOKING, {}, False),
    ],
)
def test_a_move_in_the_calendar_is_news_for_who_booked(
    item: Link, kind: EffectKind, more: dict[str, Any], told: bool
) -> None:
    sent = effect(kind, **{"was": NINE, "target": TEN, **more})
    found = change(item, sent, seen(TEN, key="b", mark=8))
    assert bool(found) is told
    for notice in found:
        assert (notice.kind, notice.booking_key, notice.revision) == (N.CHANGED, "b", "v8")
        assert (notice.occupancy, notice.was, notice.cause) == (TEN, NINE, CALENDAR)


@pytest.mark.parametrize(
    ("item", "kind", "key", "revision", "cause"),
    [
        (BOOKED, K.DELETE_BOOKING, "b#2", "v5", CALENDAR),
        (GIVEN_UP, K.DELETE_EVENT, "b", "", BOOKING),
    ],
)
def test_a_cancellation_names_its_booking_and_who_did_it(
    item: Link, kind: EffectKind, key: str, revision: str, cause: Side
) -> None:
    """Each part that was removed in the calendar is news of its own; a booking that the platform
    gave up is one, in however many parts the calendar held it."""
    if kind is K.DELETE_EVENT:
        item = replace(item, booking=replace(item.booking, key="b#2"))
    sent = effect(kind, key="b#2" if kind is K.DELETE_BOOKING else "e", version="v5", was=NINE)
    (notice,) = cancellation(item, sent)
    assert (notice.kind, notice.booking_key, notice.revision) == (N.CANCELLED, key, revision)
    assert (notice.cause, notice.occupancy, notice.person) == (cause, NINE, ANNA)
    assert cancellation(item, replace(sent, was=None)) == ()
    assert cancellation(replace(item, origin=CALENDAR), sent) == ()
    nameless = replace(item, booking=replace(item.booking, key=None))
    assert cancellation(nameless, replace(sent, key=None)) == ()


@pytest.mark.parametrize(
    ("key", "booking"), [("b", "b"), ("b#x20260303T0900", "b"), ("b#s1", "b"), (None, "")]
)
def test_of_which_booking_a_link_carries_an_item(key: str | None, booking: str) -> None:
    assert whole_booking(replace(BOOKED, booking=replace(BOOKED.booking, key=key))) == booking


PARKED = replace(BOOKED, state=LinkState.PARKED)
BURIED = replace(GIVEN_UP, state=LinkState.BURIED)


@pytest.mark.parametrize(
    ("item", "asleep", "slept"),
    [
        (BOOKED, True, False),
        (BURIED, True, False),
        (PARKED, True, True),
        (GIVEN_UP, True, True),
        (replace(BOOKED, in_flight=True), True, True),
        (link(there(NINE, key="b"), there(TEN, key="e"), base=NINE), True, True),
        (link(there(TEN, key="b"), there(NINE, key="e"), base=NINE), True, True),
        (PARKED, False, False),
        (GIVEN_UP, False, False),
        (replace(PARKED, slept=True), False, True),
        (replace(GIVEN_UP, slept=True), False, True),
        (replace(BOOKED, slept=True), False, False),
        (replace(BURIED, slept=True), False, False),
    ],
)
def test_what_waited_in_sleep_is_remembered_until_nothing_of_it_is_open(
    item: Link, asleep: bool, slept: bool
) -> None:
    marked = marked_as_slept(item, asleep=asleep)
    assert marked == replace(item, slept=slept)
    assert (marked is item) is (item.slept is slept)
