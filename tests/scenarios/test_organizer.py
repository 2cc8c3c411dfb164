"""Bookings of the platform as meetings in the calendars of the people who booked, end to end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.adapters.hub.desk import Precondition
from calsync.model import RoomAnswer
from calsync.store.people import People
from tests.scenarios.fault_kit import BOB, SENDER, Company, Office, calsync, company, taken
from tests.scenarios.organizer_kit import (
    answers,
    asking,
    link_of,
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


def reason(made: Office, booking: str) -> str:
    refusal = made.home.bookings.booking(booking).booking.refusal
    return refusal.reason if refusal is not None else ""


# --- the room answers --------------------------------------------------------------------------


def test_a_booking_is_a_meeting_of_its_person_and_stands_when_the_room_says_yes(
    firm: Company, tmp_path: Path
) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow(), title="Plan")
        made.rest()
        assert made.status(booking) == "confirmed"
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow())
        meeting = eve.meeting()
        assert meeting["subject"] == "Plan"
        assert [(a["type"], a["emailAddress"]["address"]) for a in meeting["attendees"]] == [
            ("resource", room)
        ]
        assert meeting["responseRequested"]
        made.equal()
        made.cycle(full=True)
        made.equal()
        assert len(eve.items()) == 1


def test_it_is_pending_until_the_room_answers(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        with slow(firm):
            booking = eve.book(made, tomorrow())
            for _ in range(3):
                report = made.cycle()
                assert not report.error
                assert made.status(booking) == "pending"
            assert [skip.reason for skip in report.skips] == ["waits for the room's answer"]
            assert report.effects == 0
            answers(firm, room, eve, "tentativelyAccepted")
            made.cycle()
            assert made.status(booking) == "pending"
            made.cycle(full=True)
            assert made.status(booking) == "pending"
            answers(firm, room, eve, "accepted")
            made.rest()
        assert made.status(booking) == "confirmed"
        assert eve.taken() == firm.taken(room) == stands(tomorrow())
        made.equal()


def test_what_the_room_declines_is_rejected_with_the_reason_and_given_up(
    firm: Company, tmp_path: Path
) -> None:
    rules = {"BookingWindowInDays": 1}
    with asking(firm, tmp_path, processing=rules, notices=SENDER) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        made.rest()
        assert made.status(booking) == "rejected"
        assert "The room declined it" in reason(made, booking)
        assert eve.taken() == firm.taken(room) == made.taken() == NOTHING
        made.equal()
        if firm.exchange == "graph":  # which can mail by itself
            before = len(firm.mails())
            assert made.notify().sent == 1
            assert made.notify().sent == 0
            (mail,) = firm.mails()[before:]
            assert mail["to"] == eve.address


def test_a_request_that_loses_the_room_to_another_is_rejected(
    firm: Company, tmp_path: Path
) -> None:
    """Bob's meeting is accepted while the platform's waits: nobody is declined by calsync."""
    with asking(firm, tmp_path, processing={"AddNewRequestsTentatively": False}) as (made, room):
        eve = person(firm)
        with slow(firm, 1e9):
            booking = eve.book(made, tomorrow())
            made.cycle()
        firm.book(room, tomorrow(), person=BOB)
        for _ in range(2):
            report = made.cycle()
            assert report.effects == 0, "Exchange says who has the time"
        firm.control("POST", "clock", {"offset_s": 1e9 + 3600})
        firm.control("POST", "clock", {"offset_s": 0})
        made.rest()
        assert made.status(booking) == "rejected"
        assert eve.taken() == NOTHING
        assert firm.taken(room) == made.taken() == stands(tomorrow())
        made.equal()


# --- Outlook -----------------------------------------------------------------------------------


def test_a_person_moves_the_meeting_in_outlook(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        made.rest()
        eve.move(tomorrow(2))
        made.rest()
        assert made.status(booking) == "confirmed"
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow(2))
        eve.outlook("retitle", subject="Renamed")
        made.rest()
        assert made.home.bookings.booking(booking).booking.content.title == "Renamed"
        eve.outlook("set", sensitivity="private")
        made.rest()
        assert made.home.bookings.booking(booking).booking.content.private
        made.equal()


def test_a_move_in_outlook_is_carried_over_when_the_room_has_said_yes(
    firm: Company, tmp_path: Path
) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        made.rest()
        with slow(firm):
            eve.move(tomorrow(2))
            made.cycle()
            assert made.taken() == stands(tomorrow())
            answers(firm, room, eve, "accepted")
        made.rest()
        assert made.status(booking) == "confirmed"
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow(2))
        made.equal()


def test_a_person_moves_it_to_where_the_room_says_no(firm: Company, tmp_path: Path) -> None:
    """The booking is off; the meeting, without the room, stays with its person."""
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        firm.book(room, tomorrow(3), person=BOB)
        made.rest()
        eve.move(tomorrow(3))
        made.rest()
        assert made.status(booking) == "rejected"
        assert eve.taken() == stands(tomorrow(3))
        assert firm.taken(room) == made.taken() == stands(tomorrow(3))
        made.equal()
        assert len(eve.items()) == 1


def test_a_person_cancels_in_outlook(firm: Company, tmp_path: Path) -> None:
    for remove in (False, True):
        rules = {"RemoveCanceledMeetings": remove}
        with asking(firm, tmp_path, processing=rules) as (made, room):
            eve = person(firm)
            booking = eve.book(made, tomorrow())
            made.rest()
            eve.outlook("cancel")
            made.rest()
            assert made.status(booking) == "cancelled"
            assert firm.taken(room) == made.taken() == NOTHING
            made.equal()


def test_a_person_cancels_before_the_room_answered(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        with slow(firm):
            booking = eve.book(made, tomorrow())
            made.cycle()
            eve.outlook("cancel")
            made.rest()
        assert made.status(booking) == "cancelled"
        assert firm.taken(room) == made.taken() == eve.taken() == NOTHING


def test_a_person_takes_the_room_off_the_meeting(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        made.rest()
        bob = {"emailAddress": {"address": BOB}, "type": "required"}
        eve.outlook("set", graph={"attendees": [bob]})
        made.rest()
        assert made.status(booking) == "cancelled"
        assert eve.taken() == stands(tomorrow()), "the meeting is theirs"
        assert made.taken() == firm.taken(room) == NOTHING
        made.equal()


def test_the_room_takes_its_yes_back(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        made.rest()
        answers(firm, room, eve, "declined")
        made.rest()
        assert made.status(booking) == "rejected"
        assert "The room declined it" in reason(made, booking)
        assert eve.taken() == stands(tomorrow()), "the meeting is theirs"
        assert made.taken() == firm.taken(room) == NOTHING
        made.equal()


def test_somebody_removes_it_from_the_rooms_calendar_in_silence(
    firm: Company, tmp_path: Path
) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        made.rest()
        firm.act("remove", room=room, iCalUId=eve.meeting()["iCalUId"])
        report = made.cycle()
        assert made.status(booking) == "confirmed", "it may be a copy that is just made anew"
        assert "changed only now" in str(report.skips)
        made.clock.ahead += made.system.context.limits.lag
        made.rest()
        assert made.status(booking) == "cancelled"
        assert made.taken() == firm.taken(room) == NOTHING


# --- the platform ------------------------------------------------------------------------------


def test_the_platform_moves_and_cancels(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow(), title="Plan")
        made.rest()
        patch(made, booking, start=tomorrow(2))
        made.rest()
        assert made.status(booking) == "confirmed"
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow(2))
        patch(made, booking, title="New plan")
        made.rest()
        assert eve.meeting()["subject"] == "New plan"
        assert made.status(booking) == "confirmed"
        made.equal()
        made.home.bookings.cancel(booking, Precondition())
        made.rest()
        assert eve.taken() == firm.taken(room) == made.taken() == NOTHING
        made.equal()


def test_a_move_to_which_the_room_says_no_goes_back(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path, notices=SENDER) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        made.rest()
        with slow(firm):
            patch(made, booking, start=tomorrow(2))
            made.cycle()
            assert eve.taken() == stands(tomorrow(2))
            answers(firm, room, eve, "declined")
        made.rest()
        assert made.status(booking) == "confirmed"
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow())
        assert "The room declined it" in reason(made, booking)
        if firm.exchange == "graph":
            before = len(firm.mails())
            assert made.notify().sent == 2
            assert [mail["to"] for mail in firm.mails()[before:]] == [eve.address] * 2
        made.equal()


def test_the_platform_cancels_what_waits(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        with slow(firm):
            booking = eve.book(made, tomorrow())
            made.cycle()
            made.home.bookings.cancel(booking, Precondition())
            made.rest()
        assert made.status(booking) == "cancelled"
        assert eve.taken() == firm.taken(room) == NOTHING


def test_both_change_it_at_once(firm: Company, tmp_path: Path) -> None:
    """The same field: the origin's side wins, in the person's calendar, too."""
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow(), title="Plan")
        made.rest()
        eve.move(tomorrow(2))
        patch(made, booking, start=tomorrow(4))
        made.rest()
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow(4))
        made.equal()


def test_a_stale_copy_is_never_written_over(firm: Company, tmp_path: Path) -> None:
    """The person renames it between the look and the write: both changes stand."""
    with asking(firm, tmp_path) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow(), title="Plan")
        made.rest()
        link = link_of(made, booking)
        assert link.organizer == eve.address
        assert link.event.answer is RoomAnswer.ACCEPTED
        patch(made, booking, start=tomorrow(2))
        eve.outlook("retitle", subject="Renamed")
        made.rest()
        assert eve.meeting()["subject"] == "Renamed"
        assert eve.taken() == firm.taken(room) == made.taken() == stands(tomorrow(2))
        assert made.home.bookings.booking(booking).booking.content.title == "Renamed"
        made.equal()


# --- no calendar to write to -------------------------------------------------------------------


def test_without_a_mailbox_the_booking_is_refused_with_the_reason(
    firm: Company, tmp_path: Path
) -> None:
    with asking(firm, tmp_path) as (made, room):
        who = {"name": "Guest", "email": "guest@elsewhere.example"}
        booking = made.booking("hall", tomorrow(), bookedBy=who)
        nobody = made.booking("hall", tomorrow(2), bookedBy={})
        made.rest()
        assert made.status(booking) == made.status(nobody) == "rejected"
        assert "no such mailbox" in reason(made, booking)
        assert "names nobody's mail address" in reason(made, nobody)
        assert firm.taken(room) == made.taken() == NOTHING
        made.equal()


def test_without_a_mailbox_it_may_be_an_event_of_the_room(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path, fallback="room") as (made, room):
        who = {"name": "Guest", "email": "guest@elsewhere.example"}
        booking = made.booking("hall", tomorrow(), bookedBy=who)
        made.rest()
        assert made.status(booking) == "confirmed"
        assert firm.taken(room) == made.taken() == stands(tomorrow())
        made.equal()


def test_what_people_book_in_outlook_is_mirrored_as_ever(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        done = firm.book(room, tomorrow())
        made.rest()
        assert firm.taken(room) == made.taken() == stands(tomorrow())
        firm.act("cancel", id=done["id"])
        made.rest()
        assert firm.taken(room) == made.taken() == NOTHING
        made.equal()


def test_a_first_import_writes_to_the_room_and_mails_nobody(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path, imported=False) as (made, room):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        before = len(firm.control("GET", "mails?since=0")["mails"])
        made.rest()
        assert made.status(booking) == "confirmed"
        assert firm.taken(room) == stands(tomorrow())
        assert eve.items() == []
        assert len(firm.control("GET", "mails?since=0")["mails"]) == before


def test_two_bookings_side_by_side(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        eve, ben = person(firm), person(firm)
        for hour in (0, 1, 2):
            eve.book(made, tomorrow(hour))
        ben.book(made, tomorrow(4))
        firm.book(room, tomorrow(5))
        made.rest()
        assert made.taken() == firm.taken(room)
        assert eve.taken() == Counter(taken(tomorrow(hour)) for hour in (0, 1, 2))
        assert ben.taken() == stands(tomorrow(4))
        made.equal()


def test_check_looks_whether_the_calendars_of_those_who_booked_open(
    firm: Company, tmp_path: Path
) -> None:
    with asking(firm, tmp_path) as (made, _):
        settings = ("--settings", str(tmp_path / "calsync.toml"), "--json", "--no-write")

        def said() -> list[tuple[str, str]]:
            found = calsync("check", *settings).json()["findings"]
            return [(one["level"], one["what"]) for one in found if one["about"] == "organizers"]

        ((level, what),) = said()
        assert (level, "nobody has booked yet" in what) == ("note", True)
        eve = person(firm)
        eve.book(made, tomorrow())
        made.booking("hall", tomorrow(2), bookedBy={"email": "guest@elsewhere.example"})
        made.cycle()
        assert sorted((level, what.partition(",")[0]) for level, what in said()) == [
            ("ok", f"the calendar of {eve.address} opens"),
            ("warning", "the calendar of guest@elsewhere.example does not open"),
        ]


def test_no_message_and_no_history_says_whose_calendar_it_is(firm: Company, tmp_path: Path) -> None:
    """Names of people stand where they can be erased: on the link, and beside notices."""
    with asking(firm, tmp_path) as (made, _):
        eve = person(firm)
        booking = eve.book(made, tomorrow())
        made.rest()
        strike(firm, "permission_removed", eve, count=None)
        patch(made, booking, start=tomorrow(2))
        errors = [made.cycle().error for _ in range(3)]
        other = eve.book(made, tomorrow(6))
        made.cycle()
        assert any(errors), "it is said that something is wrong"
        assert eve.address not in " ".join(errors)
        assert eve.address not in reason(made, other)
        text = "\n".join(
            str(row)
            for table in ("audit", "room_sync", "mailbox_calls", "effect")
            for row in rows_of(made, table)
        )
        assert "create event" in text
        assert eve.address not in text
        erased = People(made.home.db, made.clock).erase(eve.address)
        assert erased.links == 2
        assert eve.address not in str(rows_of(made, "link"))


def rows_of(made: Office, table: str) -> list[object]:
    with made.home.db.read() as connection:
        return list(connection.exec_driver_sql(f"SELECT * FROM {table}").all())


def test_a_room_is_switched_by_verb_and_sheet(firm: Company, tmp_path: Path) -> None:
    with asking(firm, tmp_path) as (made, room):
        where = ("--settings", str(tmp_path / "calsync.toml"))
        out = tmp_path / "rooms.csv"
        assert calsync("rooms", "export", "--out", str(out), *where).code == 0
        sheet = out.read_text(encoding="utf-8")
        assert "organizer,refuse" in sheet
        out.write_text(sheet.replace("organizer,refuse", "room,room"), encoding="utf-8")
        assert calsync("rooms", "import", str(out), "--yes", *where).code == 0
        pair = made.pair("hall")
        assert (pair.write_as, pair.organizer_fallback) == ("room", "room")
        words = ("hall", room, "--write-as", "organizer", "--titles", "--json")
        assert calsync("rooms", "map", *words, *where).code == 0
        assert made.pair("hall").write_as == "organizer"
