"""What a reading changes in a half, and what it leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from calsync.model import (
    Absence,
    EffectKind,
    Gone,
    Half,
    Link,
    Presence,
    RoomAnswer,
    Seen,
    Side,
    Unknown,
)
from calsync.reconcile.observe import LAG, accept, too_new_to_be_gone
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

NINE, TEN = occ(9, 10), occ(10, 11)


def read(item: Link, side: Side, obs: Any, now: Any = NOW) -> Link:
    taken = accept(item, side, obs, now)
    assert taken is not None
    return taken


@pytest.mark.parametrize(
    ("half", "obs", "believed"),
    [
        (there(NINE, created=NOW - LAG + timedelta(seconds=1)), Absence.READ, False),
        (there(NINE, created=NOW - LAG), Absence.READ, True),
        (there(NINE, created=NOW), Absence.CANCELLED, True),
        (there(NINE, created=None), Absence.READ, True),
        (gone(created=NOW), Absence.READ, True),
        (unknown(created=NOW), Absence.READ, False),
        (there(NINE, created=NOW), None, True),
    ],
    ids=["new", "old enough", "told", "of unknown age", "gone before", "unreadable", "shown"],
)
def test_a_copy_that_lags_behind_does_not_end_what_is_new(
    half: Half, obs: Absence | None, believed: bool
) -> None:
    says = Gone(key="k", absence=obs) if obs is not None else seen(NINE)
    assert too_new_to_be_gone(half, says, NOW) is not believed


def test_when_an_item_was_first_heard_of_stays_known_while_it_cannot_be_read() -> None:
    fails = Unknown(key="e", reason="again")
    first = read(link(None, Half()), CALENDAR, fails, at(1))
    assert (first.event.created, first.event.key) == (at(1), "e")
    again = read(first, CALENDAR, fails, at(9))
    assert (again.event.created, again.event.reason) == (at(1), "again")


def test_what_may_be_back_is_heard_of_anew() -> None:
    """A copy of the mailbox may not know for a while that it was restored."""
    away = link(there(NINE, key="b"), gone(key="e", created=at(1)), base=NINE)
    back = read(away, CALENDAR, Unknown(key="e", reason="not found"), at(9))
    assert (back.event.created, back.event.presence) == (at(9), Presence.UNKNOWN)


@pytest.mark.parametrize(
    ("origin", "side", "seats"),
    [
        (BOOKING, BOOKING, 9),
        (BOOKING, CALENDAR, 4),
        (CALENDAR, BOOKING, 4),
        (CALENDAR, CALENDAR, 9),
    ],
)
def test_for_how_many_it_is_says_the_side_on_which_it_was_booked(
    origin: Side, side: Side, seats: int
) -> None:
    item = agreed(NINE, origin=origin, seats=4)
    key = "b" if side is BOOKING else "e"
    assert read(item, side, seen(NINE, key=key, mark=9, seats=9)).seats == seats


def test_what_was_restored_was_made_when_it_was_restored() -> None:
    away = link(there(NINE, key="b"), gone(key="k", created=at(1)), base=NINE)
    back = read(away, CALENDAR, seen(NINE, mark=9, created=at(50)))
    assert back.event.created == at(50)
    stands = link(there(NINE, key="b"), there(NINE, key="k", created=at(1)), base=NINE)
    assert read(stands, CALENDAR, seen(TEN, mark=9, created=at(50))).event.created == at(1)


@pytest.mark.parametrize(
    ("key", "origin", "owned"),
    [("~e", BOOKING, True), ("~e", CALENDAR, False), ("e", CALENDAR, True), ("e", BOOKING, True)],
)
def test_what_people_made_in_their_own_calendar_is_theirs(
    key: str, origin: Side, owned: bool
) -> None:
    item = link(there(NINE, key="b"), there(NINE, key=key), base=NINE, origin=origin)
    assert read(item, CALENDAR, seen(NINE, key=key, mark=9)).event.owned is owned


def test_an_answer_that_is_told_in_whole_seconds_is_one_to_the_move_of_that_second() -> None:
    item = link(there(NINE, key="b"), there(NINE, key="~e"), base=NINE)
    moved = at(10) + timedelta(milliseconds=500)
    answers: list[RoomAnswer] = []
    for answered in (at(10), at(10) - timedelta(seconds=1)):
        shows: Seen = seen(TEN, key="~e", mark=9, answer=RoomAnswer.ACCEPTED)
        shows = replace(shows, modified=moved, answered=answered)
        answers.append(read(item, CALENDAR, shows, at(11)).event.answer)
    assert answers == [RoomAnswer.ACCEPTED, RoomAnswer.WAITING]


def test_what_is_made_again_keeps_when_and_why_the_first_try_was_in_doubt() -> None:
    item = link(there(NINE, key="b"), Half(created=at(1), reason="doubt"))
    makes = effect(EffectKind.CREATE_EVENT, target=NINE)
    sent = sending(item, makes).event
    assert (sent.created, sent.reason, sent.sent) == (at(1), "doubt", makes.fingerprint)
