"""Meetings in people's calendars when things go wrong: answers lost, crashes between the create and
the room's answer, mailboxes that close. Judged by both calendars and by what the platform shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.hub.desk import Precondition
from calsync.model import LinkState, Presence
from tests.scenarios.fault_kit import Company, Office, company, day, taken
from tests.scenarios.organizer_kit import (
    answers,
    asking,
    link_of,
    person,
    slow,
    stands,
    strike,
    tomorrow,
)
from tests.support import front

NOTHING: Counter[object] = Counter()
#: Reads in the person's calendar before a create is sent: by EWS it is looked for first.
AFTER = {"graph": 0, "ews": 1}


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    """By either front of Exchange (``make scenarios``)."""
    with company() as made:
        made.exchange = front.chosen()
        yield made


def crash_in_apply(made: Office, *, sent: bool) -> None:
    """The next write to a calendar is the last thing this process does."""
    side = made.system.context.calendars["sandbox"]
    apply = side.apply

    def dies(*args: Any) -> Any:
        if sent:
            apply(*args)
        raise Crash

    side.apply = dies  # type: ignore[method-assign, assignment]  # the end of the process
    with pytest.raises(Crash):
        made.cycle()
    made.close()
    made.open()


# --- one meeting, whatever is lost -------------------------------------------------------------


@pytest.mark.parametrize("sent", [True, False])
def test_a_crash_between_the_create_and_its_record(
    firm: Company, tmp_path: Path, sent: bool
) -> None:
    """The room's copy shows in its feed before anybody knows what became of the create."""
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        crash_in_apply(made, sent=sent)
        assert len(eve.items()) == int(sent)
        made.rest()
        assert made.status(booking) == "confirmed"
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow())
        made.equal()


def test_a_crash_between_the_create_and_the_rooms_answer(firm: Company, tmp_path: Path) -> None:
    for answer, ends in (("accepted", "confirmed"), ("declined", "rejected")):
        with asking(firm, tmp_path / answer) as (made, room):
            eve = person(firm)
            with slow(firm):
                booking = eve.book(made, tomorrow())
                crash_in_apply(made, sent=True)
                made.cycle()
                made.close()
                made.open()
                assert made.status(booking) == "pending"
                answers(firm, room, eve, answer)
            made.rest()
            assert made.status(booking) == ends
            there = stands(tomorrow()) if ends == "confirmed" else NOTHING
            assert eve.taken() == firm.taken(room) == made.taken() == there
            made.equal()


@pytest.mark.parametrize("act", ["change", "cancel"])
@pytest.mark.parametrize("sent", [True, False])
def test_a_crash_in_a_change_or_a_cancellation(
    firm: Company, tmp_path: Path, act: str, sent: bool
) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        made.rest()
        if act == "change":
            start = f"{tomorrow(2):%Y-%m-%dT%H:%M:%S}"
            made.home.bookings.patch(booking, {"start": start}, Precondition())
        else:
            made.home.bookings.cancel(booking, Precondition())
        crash_in_apply(made, sent=sent)
        made.rest()
        there = stands(tomorrow(2)) if act == "change" else NOTHING
        assert eve.taken() == firm.taken(room) == made.taken() == there
        made.equal()


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("reply_lost", {}),
        ("error_after", {"status": 503, "retry_after": "0.01"}),
        ("reset_mid_body", {}),
        ("lost_request", {}),
    ],
)
def test_creates_whose_answers_are_lost_each_exist_once(
    firm: Company, tmp_path: Path, kind: str, params: dict[str, Any]
) -> None:
    """(Two hundred of each: tests/integration/test_graph_theirs.py.)"""
    with asking(firm, tmp_path) as (made, room):
        people = [person(firm), person(firm)]
        more = {"params": params, "count": None, "rate": 0.6}
        strike(firm, kind, r"person-\d+@[^/]*", "create", **more)
        wanted: Counter[Any] = Counter()
        for number in range(24):
            start = day(2 + number)
            people[number % 2].book(made, start)
            wanted[taken(start)] += 1
            if number % 3 == 0:
                made.cycle()
        assert firm.fired() > 4
        firm.calm()
        made.rest(rounds=20)
        assert people[0].taken() + people[1].taken() == firm.taken(room) == wanted
        assert made.equal() == wanted
        assert len(people[0].items() + people[1].items()) == 24


def test_the_rooms_copy_is_no_booking_while_the_persons_calendar_cannot_be_asked(
    firm: Company, tmp_path: Path
) -> None:
    """Made, its answer lost, and then the mailbox of the person is not reached for a while. The
    room's copy is held; what others book in Outlook goes on."""
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        strike(firm, "reply_lost", eve, "create")
        strike(firm, "permission_removed", eve, "read", count=None, after=AFTER[firm.exchange])
        made.cycle()
        firm.book(room, tomorrow(4))
        for _ in range(3):
            made.cycle()
        assert made.taken() == stands(tomorrow()) + stands(tomorrow(4))
        assert made.status(booking) == "pending"
        assert link_of(made, booking).in_flight
        firm.calm()
        made.rest()
        assert made.status(booking) == "confirmed"
        assert made.taken() == firm.taken(room) == stands(tomorrow()) + stands(tomorrow(4))
        assert eve.taken() == stands(tomorrow())
        made.equal()


def test_moved_by_its_person_before_anybody_knew_that_it_was_made(
    firm: Company, tmp_path: Path
) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        crash_in_apply(made, sent=True)
        eve.move(tomorrow(2))
        made.rest()
        assert made.status(booking) == "confirmed"
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow(2))
        made.equal()


def test_the_attendant_remakes_its_copy(firm: Company, tmp_path: Path) -> None:
    """Accepting shows as Delete + Create with another id."""
    firm.control("POST", "switches", {"accept_recreates_copy": True})
    try:
        with asking(firm, tmp_path) as (made, room):
            eve = person(firm)
            booking = eve.book(made, tomorrow())
            made.rest()
            eve.move(tomorrow(2))
            made.rest()
            eve.move(tomorrow(4))
            made.rest()
            assert made.status(booking) == "confirmed"
            assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow(4))
            made.equal()
    finally:
        firm.control("POST", "switches", {"accept_recreates_copy": False})


# --- mailboxes that close ----------------------------------------------------------------------


@pytest.mark.parametrize("fallback", ["refuse", "room"])
def test_after_a_try_in_doubt_it_is_neither_refused_nor_made_in_the_room(
    firm: Company, tmp_path: Path, fallback: str
) -> None:
    """The answer to the create is lost, and from then on the mailbox is not there: the first try
    may have been carried out (it was)."""
    with asking(firm, tmp_path, fallback=fallback) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        strike(firm, "reply_lost", eve, "create")
        strike(firm, "permission_removed", eve, "read", count=None, after=AFTER[firm.exchange])
        for _ in range(4):
            made.cycle()
        assert made.status(booking) == "pending"
        assert firm.taken(room) == made.taken() == stands(tomorrow())
        firm.calm()
        made.rest()
        assert made.status(booking) == "confirmed"
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow())


def test_found_not_to_have_arrived_and_then_refused_it_waits_for_a_person(
    firm: Company, tmp_path: Path
) -> None:
    with asking(firm, tmp_path, fallback="room") as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        strike(firm, "lost_request", eve, "create")
        made.cycle()
        strike(firm, "permission_removed", eve, "create", count=None)
        made.cycle()
        link = link_of(made, booking)
        assert (link.state, link.event.presence) == (LinkState.PARKED, Presence.NEVER)
        assert "in the calendar of the person who booked" in link.reason
        assert firm.taken(room) == NOTHING


def test_a_persons_calendar_that_closes_stops_nobody_else(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve, ben = person(firm), person(firm)
        booking = eve.book(made, tomorrow())
        made.rest()
        strike(firm, "permission_removed", eve, count=None)
        made.home.bookings.cancel(booking, Precondition())
        other = ben.book(made, tomorrow(3))
        for _ in range(3):
            assert made.cycle().wait == 0.0
        assert made.status(other) == "confirmed"
        assert eve.taken() == stands(tomorrow()), "nothing is known of it, so nothing is done"
        made.cycle(full=True)
        firm.calm()
        made.rest()
        assert eve.taken() == NOTHING
        assert ben.taken() == firm.taken(room) == made.taken() == stands(tomorrow(3))
        made.equal()


def test_a_person_who_leaves_the_company(firm: Company, tmp_path: Path) -> None:
    """The mailbox is deleted: nobody can tell what became of the meeting, so it stays."""
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        made.rest()
        firm.control("DELETE", f"rooms/{eve.address}")
        for _ in range(2):
            assert made.cycle(full=True).error == ""
        assert made.status(booking) == "confirmed"
        assert made.taken() == firm.taken(room) == stands(tomorrow())


# --- series ------------------------------------------------------------------------------------


def weekly(count: int = 4) -> dict[str, object]:
    rule = {"@type": "RecurrenceRule", "frequency": "weekly", "count": count}
    return {"recurrenceRule": rule}


def test_a_series_is_one_meeting(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow(), **weekly())
        made.rest()
        assert made.status(booking) == "confirmed"
        assert len(made.taken()) == 4
        assert eve.taken() == firm.taken(room) == made.taken()
        second = day(10)
        made.home.bookings.patch_occurrence(
            booking, f"{second:%Y-%m-%dT%H:%M:%S}", None, Precondition()
        )
        made.rest()
        assert taken(second) not in made.taken()
        assert eve.taken() == firm.taken(room) == made.taken()
        eve.outlook(
            "move_occurrence", date=f"{day(17):%Y-%m-%d}", start=f"{day(17):%Y-%m-%dT11:00:00Z}"
        )
        made.rest()
        assert eve.taken() == firm.taken(room) == made.taken()
        made.equal()


def test_dates_that_the_room_declines_leave_the_booking(firm: Company, tmp_path: Path) -> None:
    rules = {"ConflictPercentageAllowed": 50, "MaximumConflictInstances": 2}
    with asking(firm, tmp_path, processing=rules) as (made, room):
        eve = person(firm)
        with slow(firm, 1e9):
            booking = eve.book(made, tomorrow(), **weekly())
            made.cycle()
        firm.act("answer", room=room, iCalUId=eve.meeting()["iCalUId"], answer="accepted")
        firm.act(
            "answer",
            room=room,
            iCalUId=eve.meeting()["iCalUId"],
            date=f"{day(10):%Y-%m-%d}",
            answer="declined",
        )
        made.rest()
        assert made.status(booking) == "confirmed"
        assert len(made.taken()) == 3
        assert firm.taken(room) == made.taken()
        made.equal()
