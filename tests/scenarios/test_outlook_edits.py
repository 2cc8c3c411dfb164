"""Meetings that people made in Outlook, changed from the platform: where their calendars are open
to calsync, and where they are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.hub.desk import Precondition
from calsync.adapters.hub.problems import OutlookBorn
from calsync.model import Interval
from tests.scenarios.fault_kit import BOB, Company, Office, company, day, taken
from tests.scenarios.organizer_kit import (
    Person,
    answers,
    asking,
    patch,
    person,
    slow,
    stands,
    strike,
    tomorrow,
)
from tests.support import front

NOTHING: Counter[object] = Counter()


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    """By either front of Exchange (``make scenarios``)."""
    with company() as made:
        made.exchange = front.chosen()
        yield made


def asked(firm: Company, room: str, who: Person, **more: Any) -> None:
    """The person asks the room, and Bob, to a meeting in Outlook."""
    given = {"subject": "Their plan", "attendees": [BOB], **more}
    firm.book(room, given.pop("start", tomorrow()), person=who.address, **given)


def booking_of(made: Office) -> str:
    """The one booking of the platform that lives."""
    span = Interval(day(0), day(390))
    ((_, (found,)),) = made.home.bookings.live(["hall"], span)
    return found.id


def test_it_is_changed_in_the_calendar_of_its_organizer(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        asked(firm, room, eve)
        made.rest()
        booking = booking_of(made)
        shown = made.home.bookings.booking(booking).booking
        assert (shown.editable, shown.content.title, shown.status.value) == (
            True,
            "Their plan",
            "confirmed",
        )
        assert made.taken() == firm.taken(room) == stands(tomorrow())
        patch(made, booking, start=tomorrow(2), title="Our plan")
        made.rest()
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow(2))
        assert firm.taken(BOB)[taken(tomorrow(2))] == 1, "everybody is told"
        assert eve.meeting()["subject"] == "Our plan"
        assert made.status(booking) == "confirmed"
        made.equal()
        eve.move(tomorrow(4))
        made.rest()
        assert firm.taken(room) == made.taken() == stands(tomorrow(4))
        made.equal()


def test_given_up_on_the_platform_it_is_declined_and_lives_on(
    firm: Company, tmp_path: Path
) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        asked(firm, room, eve)
        made.rest()
        made.home.bookings.cancel(booking_of(made), Precondition())
        made.rest()
        assert made.taken() == firm.taken(room) == NOTHING
        assert eve.taken() == stands(tomorrow()), "nobody's meeting is deleted"
        (status,) = [
            one["status"]["response"]
            for one in eve.meeting()["attendees"]
            if one["emailAddress"]["address"] == room
        ]
        assert status == "declined"
        made.equal()


def test_a_move_that_the_room_refuses_goes_back(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        asked(firm, room, eve)
        made.rest()
        booking = booking_of(made)
        with slow(firm):
            patch(made, booking, start=tomorrow(2))
            made.cycle()
            answers(firm, room, eve, "declined")
        made.rest()
        assert made.status(booking) == "confirmed"
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow())
        made.equal()


def test_one_date_given_up_is_declined_for_the_room_alone(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        pattern = {"type": "weekly", "interval": 1, "daysOfWeek": [f"{tomorrow():%A}".lower()]}
        until = {
            "type": "numbered",
            "startDate": f"{tomorrow():%Y-%m-%d}",
            "numberOfOccurrences": 3,
        }
        asked(firm, room, eve, kind="recur", recurrence={"pattern": pattern, "range": until})
        made.rest()
        booking = booking_of(made)
        slot = f"{day(10):%Y-%m-%dT%H:%M:%S}"
        made.home.bookings.patch_occurrence(booking, slot, None, Precondition())
        made.rest()
        assert made.taken() == firm.taken(room) == Counter([taken(day(3)), taken(day(17))])
        assert len(eve.taken()) == 3, "it takes place, elsewhere"
        patch(made, booking, title="Our plan")
        made.rest()
        assert eve.meeting()["subject"] == "Our plan"
        assert made.taken() == firm.taken(room)
        made.equal()


def test_cancelled_or_taken_off_in_outlook(firm: Company, tmp_path: Path) -> None:
    for number, how in enumerate(("cancel", "uninvite")):
        with asking(firm, tmp_path / str(number)) as (made, room):
            eve = person(firm)
            asked(firm, room, eve)
            made.rest()
            if how == "cancel":
                eve.outlook("cancel")
            else:
                bob = {"emailAddress": {"address": BOB}, "type": "required"}
                eve.outlook("set", graph={"attendees": [bob]})
            made.rest()
            assert made.taken() == firm.taken(room) == NOTHING
            made.equal()


def test_without_a_right_on_that_calendar_it_is_as_ever(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        strike(firm, "permission_removed", eve, count=None)
        asked(firm, room, eve)
        made.rest()
        booking = booking_of(made)
        assert not made.home.bookings.booking(booking).booking.editable
        with pytest.raises(OutlookBorn):
            patch(made, booking, start=tomorrow(2))
        firm.calm()
        made.home.bookings.cancel(booking, Precondition())
        made.rest()
        assert made.taken() == firm.taken(room) == NOTHING
        assert eve.taken() == stands(tomorrow())


def test_a_meeting_of_another_company(firm: Company, tmp_path: Path) -> None:
    """Its organizer has no mailbox here."""
    rules = {"ProcessExternalMeetingMessages": True}
    with asking(firm, tmp_path, processing=rules) as (made, room):
        firm.control(
            "POST", "people", {"address": f"x{room[5:8]}@elsewhere.example", "external": True}
        )
        who = f"x{room[5:8]}@elsewhere.example"
        firm.book(room, tomorrow(), person=who)
        made.rest()
        assert made.taken() == firm.taken(room) == stands(tomorrow())
        made.equal()


def test_what_stood_before_the_import_is_as_ever(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path, imported=False) as (made, room):
        eve = person(firm)
        asked(firm, room, eve)
        made.rest()
        assert not made.home.bookings.booking(booking_of(made)).booking.editable
        made.equal()


def test_a_crash_between_its_change_and_the_record(firm: Company, tmp_path: Path) -> None:
    from tests.scenarios.test_organizer_faults import crash_in_apply

    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        asked(firm, room, eve)
        made.rest()
        patch(made, booking_of(made), start=tomorrow(2))
        crash_in_apply(made, sent=True)
        made.rest()
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow(2))
        made.home.bookings.cancel(booking_of(made), Precondition())
        crash_in_apply(made, sent=True)
        made.rest()
        assert made.taken() == firm.taken(room) == NOTHING
        assert eve.taken() == stands(tomorrow(2))
        made.equal()
