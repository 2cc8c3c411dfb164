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
    LinkState,
    Person,
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
    buried,
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
    assert too_new_to_be_gone(half, says, NOW) is (not believed)


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


def test_what_never_had_a_key_has_none_when_it_is_gone() -> None:
    """A create that was looked up in vain."""
    gone_now = read(link(there(NINE, key="b")), CALENDAR, Gone(key="", absence=Absence.READ))
    assert (gone_now.event.key, gone_now.event.presence) == (None, Presence.GONE)


def test_a_tombstone_stays_one_whatever_is_read() -> None:
    tomb = replace(buried(), event=unknown(key="e", reason=""))
    assert read(tomb, CALENDAR, seen(NINE, key="e", mark=9)).state is LinkState.BURIED


ANNA = Person("Anna", "anna@x.example")


def test_who_made_it_private_is_named_nowhere_any_more() -> None:
    """On either side, whoever booked it."""
    private = seen(replace(NINE, private=True), mark=9)
    for origin in Side:
        item = agreed(NINE, person=ANNA, origin=origin)
        assert read(item, CALENDAR, replace(private, person=ANNA)).person == Person("", "")
        assert read(item, BOOKING, private).person == Person("", "")
        assert read(item, BOOKING, seen(NINE, mark=9)).person == ANNA
    assert read(agreed(NINE, person=ANNA), CALENDAR, seen(NINE, mark=9)).person == ANNA


def test_time_that_was_claimed_elsewhere_before_is_claimed_since_then() -> None:
    """On a third side, from which the platform mirrors it."""
    shows = seen(NINE, created=at(3), claimed=at(1))
    assert read(link(), BOOKING, shows).booking.since == at(1)
    assert read(link(), BOOKING, replace(shows, claimed=None)).booking.since == at(3)


@pytest.mark.parametrize(
    ("half", "answer"),
    [
        (gone(key="~e", since=at(1), seen=NINE), RoomAnswer.WAITING),
        (there(NINE, key="~e", since=at(1)), RoomAnswer.ACCEPTED),
        (unknown(key="~e", since=at(1), seen=NINE), RoomAnswer.ACCEPTED),
        (there(NINE, key="~e", since=None, answer=RoomAnswer.WAITING), RoomAnswer.ACCEPTED),
    ],
    ids=["restored", "stands", "readable again", "since nobody knows when"],
)
def test_what_the_room_said_before_a_meeting_was_restored_is_no_answer(
    half: Half, answer: RoomAnswer
) -> None:
    item = link(there(NINE, key="b"), half)
    shows = seen(NINE, key="~e", mark=9, answer=RoomAnswer.ACCEPTED)
    shows = replace(shows, modified=at(10), answered=at(5))
    assert read(item, CALENDAR, shows, at(11)).event.answer is answer


@pytest.mark.parametrize(
    ("seconds", "answer"), [(599, RoomAnswer.WAITING), (600, RoomAnswer.ACCEPTED)]
)
def test_an_answer_of_before_is_one_all_the_same_where_no_other_comes_in_ten_minutes(
    seconds: int, answer: RoomAnswer
) -> None:
    item = link(there(NINE, key="b"), there(NINE, key="~e"), base=NINE)
    shows = seen(TEN, key="~e", mark=9, answer=RoomAnswer.ACCEPTED)
    shows = replace(shows, modified=at(10), answered=at(5))
    assert read(item, CALENDAR, shows, at(10 + seconds / 60)).event.answer is answer


def test_in_whose_mailbox_it_was_found_is_known_from_then_on() -> None:
    item = link(there(NINE, key="b"), there(NINE, key="~e"), base=NINE)
    found = read(item, CALENDAR, seen(NINE, key="~e", mark=9, organizer="anna@x.example"))
    assert found.organizer == "anna@x.example"
    again = read(found, CALENDAR, seen(NINE, key="~e", mark=10))
    assert again.organizer == "anna@x.example"


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (RoomAnswer.WAITING, True),
        (RoomAnswer.DECLINED, True),
        (RoomAnswer.ACCEPTED, False),
        (RoomAnswer.NONE, False),
    ],
)
def test_what_was_sent_is_remembered_until_the_room_said_yes(
    answer: RoomAnswer, kept: bool
) -> None:
    """Though its meeting has another version by now."""
    makes = effect(EffectKind.CHANGE_EVENT, target=TEN)
    item = link(there(NINE, key="b"), there(NINE, key="~e"), base=NINE)
    item = sending(item, makes)
    half = read(item, CALENDAR, seen(NINE, key="~e", mark=9, answer=answer)).event
    assert half.sent == (makes.fingerprint if kept else "")
