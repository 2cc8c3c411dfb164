"""A meeting in several rooms: one booking for each, with one uid and a verdict of its own; one
meeting in the calendar of the person who booked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.hub.desk import Precondition
from tests.scenarios.fault_kit import BOB, Company, Office, company, office
from tests.scenarios.organizer_kit import Person, patch, person, slow, stands, strike, tomorrow
from tests.support import front

NOTHING: Counter[object] = Counter()


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    """By either front of Exchange (``make scenarios``)."""
    with company() as made:
        made.exchange = front.chosen()
        yield made


@contextmanager
def two_rooms(firm: Company, folder: Path) -> Iterator[tuple[Office, dict[str, str]]]:
    """``hall`` and ``loft``, imported, both with ``write_as = "organizer"``; their mailboxes."""
    boxes = {"hall": firm.new_room(), "loft": firm.new_room()}
    first = f'[[rooms]]\nid = "hall"\nname = "hall"\nzone = "UTC"\nmailbox = "{boxes["hall"]}"'
    asked = 'titles = true\nwrite_as = "organizer"'
    extra = f'write_as = "organizer"\n\n{first}\n{asked}'
    more = {"titles": True, "exchange": firm.exchange, "rooms": {"loft": boxes["loft"]}}
    with office(firm, folder, extra=extra, **more) as made:
        made.rest("hall")
        yield made, boxes


def rest(made: Office) -> None:
    for _ in range(2):
        for room in ("hall", "loft"):
            made.rest(room)


def book(made: Office, who: Person, **more: Any) -> tuple[str, str]:
    """One meeting in both rooms."""
    uid = f"meeting of {who.address}"
    hall = who.book(made, tomorrow(), "hall", uid=uid, title="All hands", **more)
    loft = who.book(made, tomorrow(), "loft", uid=uid, title="All hands", **more)
    return hall, loft


def rooms_of(who: Person) -> set[str]:
    """The rooms on the one meeting."""
    return {
        one["emailAddress"]["address"]
        for one in who.meeting()["attendees"]
        if one["type"] == "resource"
    }


def test_it_is_one_meeting_with_both_rooms(firm: Company, tmp_path: Path) -> None:
    with two_rooms(firm, tmp_path) as (made, boxes):
        eve = person(firm)
        hall, loft = book(made, eve)
        rest(made)
        assert made.status(hall) == made.status(loft) == "confirmed"
        assert rooms_of(eve) == set(boxes.values())
        for room, mailbox in boxes.items():
            assert firm.taken(mailbox) == made.taken(room) == stands(tomorrow())
            made.equal(room)
        # Moved in one room it is moved in both: it is one meeting.
        patch(made, hall, start=tomorrow(2))
        rest(made)
        assert eve.taken() == stands(tomorrow(2))
        for room, mailbox in boxes.items():
            assert firm.taken(mailbox) == made.taken(room) == stands(tomorrow(2))
        eve.move(tomorrow(4))
        rest(made)
        assert made.status(hall) == made.status(loft) == "confirmed"
        for room, mailbox in boxes.items():
            assert firm.taken(mailbox) == made.taken(room) == stands(tomorrow(4))
            made.equal(room)
        # Given up in one room it goes on in the other; with the last one it ends.
        made.home.bookings.cancel(hall, Precondition())
        rest(made)
        assert rooms_of(eve) == {boxes["loft"]}
        assert made.status(loft) == "confirmed"
        assert firm.taken(boxes["hall"]) == made.taken("hall") == NOTHING
        made.equal("loft")
        made.home.bookings.cancel(loft, Precondition())
        rest(made)
        assert eve.items() == []
        assert firm.taken(boxes["loft"]) == made.taken("loft") == NOTHING


def test_each_room_has_its_own_verdict(firm: Company, tmp_path: Path) -> None:
    with two_rooms(firm, tmp_path) as (made, boxes):
        eve = person(firm)
        rules = {"processing": {"BookingWindowInDays": 1}}
        firm.control("PATCH", f"rooms/{boxes['loft']}", rules)
        hall, loft = book(made, eve)
        rest(made)
        assert (made.status(hall), made.status(loft)) == ("confirmed", "rejected")
        assert rooms_of(eve) == {boxes["hall"]}
        assert firm.taken(boxes["hall"]) == made.taken("hall") == eve.taken() == stands(tomorrow())
        assert made.taken("loft") == NOTHING
        made.equal("hall")


def test_cancelled_by_its_person_it_ends_in_both(firm: Company, tmp_path: Path) -> None:
    with two_rooms(firm, tmp_path) as (made, boxes):
        eve = person(firm)
        hall, loft = book(made, eve)
        rest(made)
        eve.outlook("cancel")
        rest(made)
        assert made.status(hall) == made.status(loft) == "cancelled"
        for room, mailbox in boxes.items():
            assert firm.taken(mailbox) == made.taken(room) == NOTHING
            made.equal(room)


@pytest.mark.parametrize("kind", ["reply_lost", "lost_request"])
def test_lost_answers_make_no_second_meeting(firm: Company, tmp_path: Path, kind: str) -> None:
    with two_rooms(firm, tmp_path) as (made, boxes):
        eve = person(firm)
        hall, loft = book(made, eve)
        for room in boxes:
            # The first room's create, and what adds the second one.
            strike(firm, kind, eve, "write")
            made.cycle(room)
        assert firm.fired() == 2
        rest(made)
        assert made.status(hall) == made.status(loft) == "confirmed"
        assert rooms_of(eve) == set(boxes.values())
        for room in boxes:
            made.equal(room)


def test_other_people_other_times_and_other_uids_are_meetings_of_their_own(
    firm: Company, tmp_path: Path
) -> None:
    with two_rooms(firm, tmp_path) as (made, boxes):
        eve, ben = person(firm), person(firm)
        eve.book(made, tomorrow(), "hall", uid="same")
        ben.book(made, tomorrow(), "loft", uid="same")
        eve.book(made, tomorrow(2), "loft", uid="same")
        eve.book(made, tomorrow(4), "hall")
        eve.book(made, tomorrow(4), "loft")
        rest(made)
        assert (len(eve.items()), len(ben.items())) == (4, 1)
        for room, mailbox in boxes.items():
            assert firm.taken(mailbox) == made.taken(room)
            made.equal(room)


def test_two_rooms_of_a_meeting_made_in_outlook(firm: Company, tmp_path: Path) -> None:
    with two_rooms(firm, tmp_path) as (made, boxes):
        eve = person(firm)
        with slow(firm, 0.0):
            firm.book("", tomorrow(), person=eve.address, rooms=[*boxes.values()], attendees=[BOB])
        rest(made)
        for room, mailbox in boxes.items():
            assert firm.taken(mailbox) == made.taken(room) == stands(tomorrow())
        uids = {
            made.home.bookings.booking(link.booking.key or "").booking.uid
            for room in boxes
            for link in made.home.store.links(made.pair(room).id)
        }
        assert len(uids) == 1, "by this the platform knows that it is one meeting"
        (one,) = made.home.store.links(made.pair("hall").id)
        patch(made, one.booking.key or "", start=tomorrow(2))
        rest(made)
        for room, mailbox in boxes.items():
            assert firm.taken(mailbox) == made.taken(room) == stands(tomorrow(2))
        made.home.bookings.cancel(one.booking.key or "", Precondition())
        rest(made)
        assert made.taken("hall") == firm.taken(boxes["hall"]) == NOTHING
        assert firm.taken(boxes["loft"]) == made.taken("loft") == stands(tomorrow(2))
        for room in boxes:
            made.equal(room)
