"""Other programs at work in the same mailbox: a second calsync, a connector that rewrites or
remakes our events, a robot on the platform that puts them back. No ping-pong, no storm of mails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.hub.desk import Precondition
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import Company, day, taken
from tests.scenarios.guard_kit import Desk, desk, utc, week

pytestmark = pytest.mark.usefixtures("hasty")

ANY = Precondition()


# --- a second calsync --------------------------------------------------------------------------


@contextmanager
def two(firm_: Company, folder: Path, **more: Any) -> Iterator[tuple[Desk, Desk]]:
    """Two installations on one mailbox, each with a platform of its own."""
    rooms = {"hall": firm_.new_room()}
    for name in ("one", "two"):
        (folder / name).mkdir()
    with (
        desk(firm_, folder / "one", rooms=rooms, **more) as one,
        desk(firm_, folder / "two", rooms=rooms, **more) as other,
    ):
        other.new_installation()
        yield one, other


def test_a_second_calsync_on_the_mailbox_is_noticed_and_stops_the_room(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with two(firm, tmp_path) as (one, other):
        mine = one.made.booking("hall", day(30))
        one.made.rest()
        # One alone may be a copy: it is carried like any event of the room.
        theirs = [other.made.booking("hall", day(40 + number)) for number in range(4)]
        other.made.rest()
        before = one.platform()
        one.made.cycle()
        question = one.asked("4 events", "another calsync", "unmap the room in one of the two")
        assert one.platform() == before == Counter([taken(day(30))])
        # No ping-pong: both look again and again, nothing is written.
        count, mails = one.writes(), len(one.mails())
        for _ in range(3):
            one.made.cycle()
            other.made.cycle(full=True)
        assert (one.writes(), len(one.mails())) == (count, mails)
        assert all(other.made.status(booking) == "confirmed" for booking in theirs)
        # Looked at again: it is still so, and asked again.
        one.answer("--check-again")
        one.made.cycle()
        assert one.asked("4 events") == question
        # The other one is stopped, and what it made shall live.
        one.answer("--approve")
        one.made.rest()
        assert one.made.equal().total() == 5
        assert one.made.status(mine) == "confirmed"
        one.made.booking("hall", day(50))
        one.made.rest()
        assert one.made.equal().total() == 6


def test_one_or_two_events_of_another_calsync_are_carried(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with two(firm, tmp_path) as (one, other):
        for number in range(2):
            other.made.booking("hall", day(40 + number))
            other.made.rest()
            one.made.rest()
        assert one.made.equal().total() == 2
        # The third within a day is one too many, also where they came one by one.
        other.made.booking("hall", day(42))
        other.made.rest()
        one.made.cycle()
        one.asked("3 events")
        assert one.platform().total() == 2


def test_somebody_works_with_a_copy_of_our_database(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """A staging system made from a backup of this one: the same maker, so the marks look ours. We
    were there all the time, and did not make them."""
    with desk(firm, tmp_path) as one:
        one.made.booking("hall", day(30))
        one.made.rest()
        kept = one.backup_database()
        (tmp_path / "copy").mkdir()
        with desk(firm, tmp_path / "copy", rooms={"hall": one.mailbox}, imported=False) as copy:
            copy.restore_database(kept)
            for number in range(3):
                copy.made.booking("hall", day(40 + number))
            copy.made.rest()
            one.made.cycle()
            one.asked("3 events", "another calsync")
            assert one.platform().total() == 1


def test_what_a_former_installation_left_is_taken_over(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """A database begun anew: marks found at the first import belong to nobody who works here."""
    rooms = {"hall": firm.new_room()}
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    with desk(firm, tmp_path / "old", rooms=rooms) as old:
        held = week(old)
    with desk(firm, tmp_path / "new", rooms=rooms, imported=False) as new:
        new.new_installation()
        new.made.rest()
        assert new.made.equal() == held
        assert new.mails() == []
        assert new.fact()["health"] == "ok"


# --- a connector of another vendor -------------------------------------------------------------


def ours(one: Desk) -> list[dict[str, Any]]:
    """The events that stand for bookings of the platform."""
    rows = one.firm.control("GET", f"rooms/{one.mailbox}/items")["value"]
    return [row["event"] for row in rows if row["event"]["isOrganizer"]]


@pytest.mark.parametrize("titles", [False, True])
def test_subjects_and_bodies_that_are_rewritten(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    titles: bool,
) -> None:
    """Bodies are never read. A subject is followed, where subjects are carried, and not fought."""
    with desk(firm, tmp_path, titles=titles) as one:
        one.made.booking("hall", day(40), title="Budget")
        one.made.rest()
        count = one.writes()
        for number in range(5):
            body = {"contentType": "text", "content": f"Managed by {number}"}
            firm.act(
                "set",
                room=one.mailbox,
                id=ours(one)[0]["id"],
                subject=f"[{number}] Budget",
                graph={"body": body},
            )
            one.made.rest()
        assert one.writes() == count
        assert one.made.equal() == Counter([taken(day(40))])
        assert ours(one)[0]["subject"] == "[4] Budget"


def test_events_that_are_deleted_and_remade_stay_the_booking_they_were(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Each under another id and another iCalUId, without our tag."""
    with desk(firm, tmp_path) as one:
        mine = [one.made.booking("hall", day(40 + number)) for number in range(3)]
        one.made.rest()
        count, held = one.writes(), one.made.equal()
        for _ in range(3):
            for event in ours(one):
                start, end = event["start"]["dateTime"], event["end"]["dateTime"]
                firm.act("remove", room=one.mailbox, id=event["id"])
                firm.act(
                    "book_direct",
                    room=one.mailbox,
                    subject="Managed",
                    start=f"{start[:19]}Z",
                    end=f"{end[:19]}Z",
                )
            one.made.rest()
        assert one.writes() == count
        assert one.made.equal() == held
        assert [one.made.status(booking) for booking in mine] == ["confirmed"] * 3
        assert one.mails() == []
        story = one.cli("explain", mine[0], "--json").json()["links"][0]["history"]
        assert sum("made anew under another key" in line["what"] for line in story) == 3


def test_a_remade_event_at_another_time_is_another_booking(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path) as one:
        mine = one.made.booking("hall", day(40))
        one.made.rest()
        firm.act("remove", room=one.mailbox, id=ours(one)[0]["id"])
        firm.act("book_direct", room=one.mailbox, subject="New", start=utc(41), end=utc(41, 10))
        one.made.rest()
        assert one.made.status(mine) == "cancelled"
        assert one.made.equal() == Counter([taken(day(41))])


def fight(one: Desk, booking: str, *, rounds: int, notify: bool = True) -> int:
    """A connector keeps the event at 9, a robot keeps the booking at 14; writes of ours."""
    count = one.writes()
    hub = one.made.home.bookings
    for _ in range(rounds):
        hub.patch(booking, {"start": f"{day(40).replace(hour=14):%Y-%m-%dT%H:%M:%S}"}, ANY)
        one.made.cycle()
        event = max(ours(one), key=lambda found: str(found["start"]["dateTime"]))
        if event["start"]["dateTime"][11:13] != "09":
            one.firm.act("move", room=one.mailbox, id=event["id"], start=utc(40))
        one.made.cycle()
        if notify:
            one.made.notify()
    return one.writes() - count


def test_two_programs_that_disagree_are_let_go_round_twenty_times(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path) as one:
        other = one.made.booking("hall", day(30))
        booking = one.made.booking("hall", day(40))
        one.made.rest()
        one.made.notify()
        one.forget_mails()
        wrote = fight(one, booking, rounds=30)
        # Twenty writes in all, half of them to the mailbox: then it is parked.
        assert wrote == 10
        # Each round is an answer to the platform, and news of the move in the calendar.
        mails = len(one.mails())
        assert mails <= 20
        fact = one.fact()
        assert (fact["health"], fact["parked"]) == ("waiting", 1)
        assert "20 times since" in fact["waiting"][0]["reason"]
        assert "calsync explain" in fact["waiting"][0]["reason"]
        assert "Parked in room hall" in one.cli("status").out
        # They go on; nothing of it is carried, or told.
        assert fight(one, booking, rounds=5) == 0
        assert len(one.mails()) == mails
        # Nobody else in the room is held up.
        assert one.made.status(other) == "confirmed"
        mine = one.made.booking("hall", day(31))
        one.made.cycle()
        one.made.cycle()
        assert one.made.status(mine) == "confirmed"
        # An hour later a change is a new chance, and both are equal again.
        one.wait_an_hour()
        one.made.home.bookings.patch(booking, {"start": f"{day(40):%Y-%m-%dT%H}:30:00"}, ANY)
        one.made.rest()
        assert one.made.equal().total() == 3
        assert one.fact()["health"] == "ok"


def test_a_room_in_which_much_is_changed_back_stops_and_asks(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Remade at other times each time: no booking is written twice, the room is all the time."""
    limits = "[guard]\nmax_writes_per_room = 12\n"
    with desk(firm, tmp_path, extra=limits) as one:
        for number in range(4):
            one.made.booking("hall", day(40 + number))
        one.made.rest()
        for round_ in range(1, 5):
            for number, event in enumerate(ours(one)):
                firm.act("remove", room=one.mailbox, id=event["id"])
                start, end = utc(40 + number, 9 + round_), utc(40 + number, 10 + round_)
                firm.act("book_direct", room=one.mailbox, subject="X", start=start, end=end)
            one.made.cycle()
        one.asked("12 changes and deletions", "another program")
        shown = one.platform()
        one.made.cycle(full=True)
        assert one.platform() == shown
        one.answer("--approve")
        one.made.rest()
        assert one.made.equal().total() == 4
        assert one.mails() == []


@pytest.mark.parametrize("limit", ["per_room", "per_booking"])
def test_writes_that_are_put_off_are_no_loop(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    limit: str,
) -> None:
    """While the calendar takes no changes nothing is written; but after some twenty tries the
    booking was parked, since "people, or another program, keep changing it back", for good."""
    with desk(firm, tmp_path, extra=f"[guard]\nmax_writes_{limit} = 5\n") as one:
        bookings = [one.made.booking("hall", day(30 + number)) for number in range(2)]
        one.made.rest()
        firm.fault("permission_removed", f"{one.mailbox}|\\$batch", method="PATCH", count=None)
        for number, booking in enumerate(bookings):
            start = f"{day(40 + number):%Y-%m-%dT%H:%M:%S}"
            one.made.home.bookings.patch(booking, {"start": start}, ANY)
        for _ in range(7):
            report = one.made.cycle()
            assert "may not" in report.error
        firm.calm()
        one.made.rest()
        assert one.made.equal() == Counter([taken(day(40)), taken(day(41))])
        assert [one.made.status(booking) for booking in bookings] == ["confirmed"] * 2


def test_a_whole_term_booked_at_once_is_no_loop(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    limits = "[guard]\nmax_writes_per_room = 12\n"
    with desk(firm, tmp_path, extra=limits) as one:
        for number in range(40):
            one.made.booking("hall", day(40 + number))
        one.made.rest()
        assert one.made.equal().total() == 40
        assert one.fact()["health"] == "ok"
