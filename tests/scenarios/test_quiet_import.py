"""The first import of a room tells nobody anything: what stood at one time on both sides goes on
standing there, and the admin finds it listed. Judged by the sandbox's own log of mails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.hub.desk import Precondition
from calsync.model import BOTH_STAY
from tests.scenarios.fault_kit import (
    ADA,
    BOB,
    SENDER,
    Company,
    Office,
    calsync,
    company,
    day,
    office,
    taken,
)


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    with company() as made:
        yield made


def mails(firm: Company) -> list[dict[str, Any]]:
    """Everything that anybody was mailed so far, by people, by Exchange or by calsync."""
    found: list[dict[str, Any]] = firm.control("GET", "mails?since=0")["mails"]
    return found


def weekly(count: int, first: datetime) -> dict[str, Any]:
    """A weekly series, as the sandbox's people word it."""
    return {
        "recurrence": {
            "pattern": {
                "type": "weekly",
                "interval": 1,
                "daysOfWeek": [f"{first:%A}".lower()],
                "firstDayOfWeek": "monday",
            },
            "range": {
                "type": "numbered",
                "startDate": f"{first:%Y-%m-%d}",
                "numberOfOccurrences": count,
            },
        }
    }


def full_house(firm: Company, made: Office) -> None:
    """Four clashes of either side, two of them of series, from before calsync."""
    room = made.pair("hall").mailbox
    made.booking("hall", day(3))  # The platform was first.
    firm.book(room, day(3), minutes=90)
    firm.book(room, day(4), minutes=120)  # Outlook was first.
    made.booking("hall", day(4) + timedelta(hours=1))
    firm.book(room, day(7), person=BOB, **weekly(4, day(7)))
    made.booking("hall", day(21))  # One date of a series in Outlook.
    every_week = {"@type": "RecurrenceRule", "frequency": "weekly", "count": 3}
    made.booking("hall", day(8), recurrenceRule=every_week)
    firm.book(room, day(15))  # One date of a series of the platform.


EVERYTHING = {
    taken(day(3)): 1,
    taken(day(3), 90): 1,
    taken(day(4), 120): 1,
    taken(day(4) + timedelta(hours=1)): 1,
    **{taken(day(n)): 1 for n in (7, 14, 28, 8, 22)},
    **{taken(day(n)): 2 for n in (21, 15)},
}


def test_a_first_import_full_of_clashes_tells_nobody_and_carries_everything(
    firm: Company, tmp_path: Path
) -> None:
    with office(firm, tmp_path, notices=SENDER, imported=False) as made:
        full_house(firm, made)
        before = mails(firm)
        said = calsync("plan", "--settings", str(tmp_path / "calsync.toml"), "--json").json()
        (room,) = said["rooms"]
        assert said["messages"] == []
        assert (len(room["conflicts"]), room["mails"]) == (4, [])
        assert {c["policy"] for c in room["conflicts"]} == {BOTH_STAY}
        assert all("both stay" in c["verdict"] for c in room["conflicts"])
        assert [w["what"] for w in room["writes"] if w["deletes"] or w["refusal"]] == []

        made.rest()
        assert made.notify().sent == 0
        assert mails(firm) == before
        assert made.home.reports.notices() == []
        assert made.equal() == EVERYTHING

        # It goes on like that: quick looks, full ones, and a new process.
        made.cycle(full=True)
        made.close()
        made.open()
        made.rest()
        assert made.equal() == EVERYTHING
        assert made.notify().sent == 0
        assert mails(firm) == before


def test_a_first_import_with_lost_replies_tells_nobody(firm: Company, tmp_path: Path) -> None:
    """The room counted as imported while nobody knew yet what had been made, and whoever had booked
    before was mailed the answer when that was looked up."""
    with office(firm, tmp_path, notices=SENDER, imported=False) as made:
        room = made.pair("hall").mailbox
        booked = made.booking("hall", day(3))
        firm.book(room, day(6))
        before = mails(firm)
        firm.fault("reply_lost", f"\\$batch|{room}/events", method="POST", count=None)
        report = made.cycle()
        assert (report.error, report.unsettled, report.effects) == ("", True, 1)
        firm.calm()
        made.rest()
        assert made.status(booked) == "confirmed"
        assert made.notify().sent == 0
        assert mails(firm) == before

        # Its import is over: who books now is answered.
        made.booking("hall", day(4))
        made.rest()
        assert made.notify().sent == 1


def test_what_stood_twice_is_listed_until_an_admin_or_a_person_decides(
    firm: Company, tmp_path: Path
) -> None:
    with office(firm, tmp_path, notices=SENDER, imported=False) as made:
        file = str(tmp_path / "calsync.toml")
        room = made.pair("hall").mailbox
        first = made.booking("hall", day(3))
        firm.book(room, day(3), minutes=90)
        made.booking("hall", day(4))
        moved = firm.book(room, day(4), minutes=90, person=BOB)
        made.rest()

        def listed() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = calsync(
                "conflicts", "list", "--settings", file, "--json"
            ).json()["conflicts"]
            return found

        found = listed()
        assert [(c["state"], c["policy"], c["clash"]) for c in found] == [
            ("open", BOTH_STAY, True)
        ] * 2
        before = mails(firm)
        # A person moves one of them: nothing is left to decide, and nobody is told.
        firm.act("move", room=room, iCalUId=moved["iCalUId"], start=f"{day(5):%Y-%m-%dT%H:%M:%SZ}")
        made.rest()
        (left,) = listed()
        people = [m for m in mails(firm)[len(before) :] if m["kind"] == "response"]
        assert [m for m in people if m["subject"].startswith("Declined")] == []

        # The admin decides the other: the meeting is declined with the reason, once.
        sides = {left[name]["side"]: name for name in ("this", "that")}
        before = mails(firm)
        answer = calsync(
            "conflicts", "resolve", left["id"], "--keep", sides["booking"], "-y", "--settings", file
        )
        assert answer.code == 0, answer.err
        made.close()
        made.open()
        made.rest()
        assert listed() == []
        assert made.status(first) == "confirmed"
        declined = [m for m in mails(firm)[len(before) :] if m["kind"] == "response"]
        assert [(m["from"], m["to"]) for m in declined] == [(room, ADA)]
        assert made.equal() == {taken(day(3)): 1, taken(day(4)): 1, taken(day(5), 90): 1}


def test_what_was_booked_after_the_import_is_judged_as_ever(firm: Company, tmp_path: Path) -> None:
    with office(firm, tmp_path, imported=False) as made:
        room = made.pair("hall").mailbox
        made.booking("hall", day(3))
        firm.book(room, day(3), minutes=90)
        made.rest()
        booking = made.booking("hall", day(6))
        firm.book(room, day(6))
        made.rest()
        assert made.status(booking) == "confirmed"
        assert made.equal() == {taken(day(3)): 1, taken(day(3), 90): 1, taken(day(6)): 1}


def test_a_room_mapped_anew_does_not_decline_what_was_given_up_meanwhile(
    firm: Company, tmp_path: Path
) -> None:
    with office(firm, tmp_path, notices=SENDER) as made:
        file = str(tmp_path / "calsync.toml")
        pair = made.pair("hall")
        firm.book(pair.mailbox, day(3))
        made.rest()  # Then another, so that no side is ever empty.
        (booking,) = [
            link.booking.key for link in made.home.store.links(pair.id) if link.booking.key
        ]
        firm.book(pair.mailbox, day(8))
        made.rest()
        made.home.mappings.remove_pair(pair.id)
        made.home.bookings.cancel(booking, Precondition())
        made.close()
        made.open()  # The settings name the room: it is mapped again.
        before = mails(firm)
        made.rest()
        assert mails(firm) == before
        (open_one,) = calsync("conflicts", "list", "--settings", file, "--json").json()["conflicts"]
        assert "mails its organizer" in open_one["reason"]
        sides = {open_one[name]["side"]: name for name in ("this", "that")}
        calsync(
            "conflicts", "resolve", open_one["id"], "--keep", sides["booking"], "-y",
            "--settings", file,
        )  # fmt: skip
        made.close()
        made.open()
        made.rest()
        assert made.equal() == {taken(day(8)): 1}
        assert [m["to"] for m in mails(firm)[len(before) :]] == [ADA]
