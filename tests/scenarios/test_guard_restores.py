"""Backups of yesterday: of the mailbox, of the platform, of both, of our own database.

Since the backup people moved, cancelled and booked on both sides. Whatever was restored, nothing
that somebody booked is deleted, nothing is doubled, nobody is mailed; where the truth cannot be
known the admin is asked, and what was deleted and is back waits for a person."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.hub.desk import Precondition
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import Company, Taken, day, taken
from tests.scenarios.guard_kit import Desk, desk, utc

pytestmark = pytest.mark.usefixtures("hasty")

ANY = Precondition()


@dataclass
class Yesterday:
    """What was there at the backup, by name."""

    outlook: dict[str, Any]
    platform: dict[str, str]
    held: Counter[Taken]


def of(*days: int) -> Counter[Taken]:
    return Counter(taken(day(number)) for number in days)


def yesterday(one: Desk) -> Yesterday:
    names = ("kept", "moved", "cancelled")
    outlook = {name: one.firm.book(one.mailbox, day(2 + n)) for n, name in enumerate(names)}
    platform = {name: one.made.booking("hall", day(40 + n)) for n, name in enumerate(names)}
    one.made.rest()
    one.made.notify()
    return Yesterday(outlook, platform, of(2, 3, 4, 40, 41, 42))


def since_then(one: Desk, old: Yesterday) -> Counter[Taken]:
    """A day of people on both sides; what both show after it."""
    firm_, hub = one.firm, one.made.home.bookings
    firm_.act("move", iCalUId=old.outlook["moved"]["iCalUId"], start=utc(13))
    firm_.act("cancel", iCalUId=old.outlook["cancelled"]["iCalUId"])
    hub.patch(old.platform["moved"], {"start": f"{day(51):%Y-%m-%dT%H:%M:%S}"}, ANY)
    hub.cancel(old.platform["cancelled"], ANY)
    for number in (20, 21):
        firm_.book(one.mailbox, day(number))
        one.made.booking("hall", day(40 + number))
    one.made.rest()
    one.made.notify()
    one.forget_mails()
    now = of(2, 13, 20, 21, 40, 51, 60, 61)
    assert one.made.equal() == now
    return now


def parked(one: Desk) -> list[dict[str, Any]]:
    """What waits for a person, each with its history."""
    fact = one.fact()
    assert fact["parked"] == len(fact["waiting"])
    for entry in fact["waiting"]:
        story = one.cli("explain", entry["id"], "--json").json()["links"]
        assert any("park" in line["what"] for link in story for line in link["history"]), story
    found: list[dict[str, Any]] = fact["waiting"]
    return found


# --- the mailbox -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "tokens", "trust"),
    [
        ("same", "void", "booking"),
        ("new", "void", "ask"),
        ("same", "kept", "ask"),
        ("new", "kept", "booking"),
    ],
)
def test_a_mailbox_restored_from_yesterday(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    ids: str,
    tokens: str,
    trust: str,
) -> None:
    with desk(firm, tmp_path) as one:
        old = yesterday(one)
        one.backup_mailbox()
        now = since_then(one, old)
        one.restore_mailbox(ids=ids, tokens=tokens)
        assert one.calendar() == old.held
        report = one.made.cycle(full=True)
        # A copy that lags behind could still explain it: nothing is done, and it is said.
        assert report.effects == 0
        assert "looked at again" in report.error
        assert one.fact()["health"] == "failing"
        one.later(hours=1)
        one.made.cycle()
        question = one.asked("the calendar side shows", "restored from a backup", "--trust")
        assert "2 items in an older state" in question
        assert "2 items that were deleted" in question
        assert one.platform() == now
        one.answer("--trust", trust)
        one.made.rest()
        back = of(4, 42)
        apart = parked(one)
        if trust == "booking":
            # The invitation is its organizer's: the room's copy cannot be moved by us.
            assert one.platform() == now - of(13) + of(3)
            assert one.calendar() == one.platform() + back
            assert len(apart) == 2
        else:
            assert one.platform() == now - of(13) + of(3)
            assert one.calendar() == one.platform() - of(51) + of(41) + back
            assert len(apart) == 3
        assert {"back since a backup" in entry["reason"] for entry in apart} >= {True}
        assert one.mails() == []
        assert one.made.cycle(full=True).effects == 0


def test_what_is_back_goes_when_it_is_deleted_and_lives_when_it_is_moved(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """What the admin can do about the parked ones."""
    with desk(firm, tmp_path) as one:
        mine = [one.made.booking("hall", day(40 + number)) for number in range(3)]
        one.made.rest()
        one.backup_mailbox()
        for number in (0, 1):
            one.made.home.bookings.cancel(mine[number], ANY)
        one.made.rest()
        one.restore_mailbox()
        one.later()
        one.made.cycle()
        one.asked("2 items that were deleted")
        one.answer("--trust", "booking")
        one.made.rest()
        first, second = parked(one)
        assert one.platform() == of(42)
        # It still takes the room: who books over it is told no.
        over = one.made.booking("hall", day(40))
        one.made.rest()
        assert one.made.status(over) == "rejected"
        firm.act("remove", room=one.mailbox, id=first["id"])
        firm.act("move", room=one.mailbox, id=second["id"], start=utc(45))
        one.made.rest()
        assert parked(one) == []
        assert one.made.equal() == of(42, 45)


@pytest.mark.parametrize("answer", [["--trust", "booking"], ["--approve"]])
def test_who_booked_the_time_of_what_is_back_is_not_refused(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    answer: list[str],
) -> None:
    """Two bookings claim one time, and neither was first: both are kept, and a person decides."""
    with desk(firm, tmp_path) as one:
        old, _ = one.made.booking("hall", day(40)), one.made.booking("hall", day(41))
        one.made.rest()
        one.backup_mailbox()
        one.made.home.bookings.cancel(old, ANY)
        one.made.rest()
        new = one.made.booking("hall", day(40))
        one.made.rest()
        one.made.notify()
        one.forget_mails()
        one.restore_mailbox()
        one.later()
        one.made.cycle()
        one.asked("1 items that were deleted", "lacks its 1 newest")
        one.answer(*answer)
        one.made.rest()
        one.made.notify()
        assert one.calendar() == of(40, 41)
        assert one.mails() == []
        assert (one.made.status(new), one.platform()) == ("confirmed", of(40, 41))
        # Taken as it is, the event that is back stands for who booked its time since.
        assert one.fact()["parked"] == (0 if answer == ["--approve"] else 2)


@pytest.mark.parametrize("ids", ["same", "new"])
def test_the_admin_may_say_that_the_restored_mailbox_is_right(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    ids: str,
) -> None:
    """``--approve``: what was done since is undone on the platform, too."""
    with desk(firm, tmp_path) as one:
        old = yesterday(one)
        one.backup_mailbox()
        since_then(one, old)
        one.restore_mailbox(ids=ids)
        one.later()
        one.made.cycle()
        one.asked("restored from a backup")
        one.answer("--approve")
        one.made.rest()
        assert one.made.equal() == old.held


def test_only_the_newest_are_missing(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    """People only booked since the backup: nothing is older, nothing is back. Two that are gone at
    once, the newest of all, are asked about; the guard's limit would have let them go."""
    with desk(firm, tmp_path) as one:
        one.made.booking("hall", day(40))
        one.made.rest()
        one.backup_mailbox()
        for number in (41, 42):
            one.made.booking("hall", day(number))
        one.made.rest()
        one.restore_mailbox()
        one.later()
        one.made.cycle()
        one.asked("lacks its 2 newest items", "restored")
        assert one.platform() == of(40, 41, 42)
        one.answer("--trust", "booking")
        one.made.rest()
        assert one.made.equal() == of(40, 41, 42)
        assert one.mails() == [] or all(m["kind"] != "mail" for m in one.mails())


def test_what_was_made_anew_is_back_under_its_former_key(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Nothing was deleted: what the former key shows counted as that, and was set apart beside its
    own booking, for which an event was made a second time (found by simulation)."""
    with desk(firm, tmp_path) as one:
        firm.book(one.mailbox, day(2))
        one.made.booking("hall", day(41))
        one.made.rest()
        one.backup_mailbox()
        rows = firm.control("GET", f"rooms/{one.mailbox}/items")["value"]
        for found in rows:
            firm.act("recreate", room=one.mailbox, iCalUId=found["event"]["iCalUId"])
        one.made.rest()
        one.restore_mailbox(ids="same", tokens="kept")
        one.later()
        one.made.cycle(full=True)
        one.asked("2 items in an older state", "restored")
        one.answer("--trust", "booking")
        one.made.rest()
        assert one.made.equal() == of(2, 41)
        assert parked(one) == []


@pytest.mark.parametrize("since", ["somebody booked", "the oldest was made anew"])
def test_what_is_new_since_a_restore_does_not_hide_it(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    since: str,
) -> None:
    """Something newer than what is missing was there, so people must have deleted that: two
    bookings were cancelled (found by simulation)."""
    with desk(firm, tmp_path) as one:
        oldest = firm.book(one.mailbox, day(2))
        one.made.rest()
        one.backup_mailbox()
        for number in (41, 42):
            one.made.booking("hall", day(number))
        one.made.rest()
        one.restore_mailbox()
        if since == "somebody booked":
            firm.book(one.mailbox, day(3))
        else:
            firm.act("recreate", room=one.mailbox, iCalUId=oldest["iCalUId"])
        one.later()
        one.made.cycle()
        one.asked("lacks its 2 newest items", "restored")
        one.answer("--trust", "booking")
        one.made.rest()
        booked = [3] if since == "somebody booked" else []
        assert one.made.equal() == of(2, 41, 42, *booked)


def test_a_series_in_an_older_state_is_asked_about(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Its late state was turned away for ever, and both sides differed (found by simulation)."""
    with desk(firm, tmp_path) as one:
        mine = one.made.booking("hall", day(40), recurrenceRule={"frequency": "daily", "count": 2})
        one.made.rest()
        one.backup_mailbox()
        one.made.home.bookings.patch(mine, {"start": f"{day(45):%Y-%m-%dT%H:%M:%S}"}, ANY)
        one.made.rest()
        one.restore_mailbox()
        one.later()
        one.made.cycle()
        one.asked("1 items in an older state")
        one.answer("--trust", "booking")
        one.made.rest()
        assert one.made.equal() == of(45, 46)


def test_an_older_state_that_could_not_be_read_once_is_asked_about(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """A read in between failed: what was known of the item was no sign any more, and its older
    state was read and turned away for ever (found by simulation, seed 3071)."""
    with desk(firm, tmp_path) as one:
        mine = one.made.booking("hall", day(30))
        one.made.rest()
        one.backup_mailbox()
        one.made.home.bookings.patch(mine, {"start": f"{day(35):%Y-%m-%dT%H:%M:%S}"}, ANY)
        one.made.rest()
        one.restore_mailbox()
        assert "looked at again" in one.made.cycle(full=True).error
        moved = {"location": "https://login.example/"}
        firm.fault("redirect", "/events/", method="GET", count=9, params=moved)
        one.made.cycle()
        firm.calm()
        one.later()
        one.made.cycle(full=True)
        one.asked("1 items in an older state", "restored from a backup")
        one.answer("--trust", "booking")
        one.made.rest()
        assert one.made.equal() == of(35)


def test_a_write_that_finds_nothing_looks_at_the_whole_mailbox_first(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Links of delta go on after some restores, and tell nothing. What the platform changed was
    made again as if somebody had deleted it, and was the newest from then on: the others that were
    lost with it were cancelled (found by simulation)."""
    with desk(firm, tmp_path) as one:
        one.made.booking("hall", day(40))
        one.made.rest()
        one.backup_mailbox()
        first, _ = one.made.booking("hall", day(41)), one.made.booking("hall", day(42))
        one.made.rest()
        one.restore_mailbox(tokens="kept")
        one.later()
        one.made.home.bookings.patch(first, {"start": f"{day(45):%Y-%m-%dT%H:%M:%S}"}, ANY)
        one.made.cycle()
        one.made.cycle()
        one.asked("lacks its 2 newest items", "restored")
        one.answer("--trust", "booking")
        one.made.rest()
        assert one.made.equal() == of(40, 42, 45)


def test_who_cancels_on_the_other_side_before_the_answer_is_not_overruled(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """What the restored mailbox still showed was booked anew for them (found by simulation)."""
    with desk(firm, tmp_path) as one:
        mine, moved = (one.made.booking("hall", day(40 + number)) for number in range(2))
        one.made.rest()
        one.backup_mailbox()
        one.made.home.bookings.patch(moved, {"start": f"{day(45):%Y-%m-%dT%H:%M:%S}"}, ANY)
        one.made.rest()
        one.restore_mailbox()
        one.later()
        one.made.cycle()
        one.asked("1 items in an older state")
        one.made.home.bookings.cancel(mine, ANY)
        one.answer("--trust", "booking")
        one.made.rest()
        (waiting,) = parked(one)
        assert one.platform() == of(45)
        firm.act("remove", room=one.mailbox, id=waiting["id"])
        one.made.rest()
        assert parked(one) == []
        assert one.made.equal() == of(45)


def test_two_that_people_cancelled_while_nobody_looked_are_no_restore(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Deletions that a new listing finds, and of which the newest is not one."""
    with desk(firm, tmp_path) as one:
        done = [firm.book(one.mailbox, day(2 + number)) for number in range(4)]
        one.made.rest()
        for meeting in done[1:3]:
            firm.act("cancel", iCalUId=meeting["iCalUId"])
        firm.fault("gone", one.mailbox)
        one.later()
        one.made.rest()
        assert one.made.equal() == of(2, 5)


# --- the platform ----------------------------------------------------------------------------


@pytest.mark.parametrize("trust", ["calendar", "ask"])
def test_a_platform_restored_from_yesterday(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    trust: str,
) -> None:
    with desk(firm, tmp_path) as one:
        old = yesterday(one)
        kept = one.backup_database()
        now = since_then(one, old)
        one.restore_platform(kept)
        assert one.platform() == old.held
        one.made.cycle()
        # Its own numbers run backwards: that is certain at once.
        one.asked("the booking side shows", "restored from a backup")
        assert one.calendar() == now
        one.answer("--trust", trust)
        one.made.rest()
        apart = parked(one)
        back = of(4, 42)
        if trust == "calendar":
            assert one.calendar() == now
            assert one.platform() == now + back
            assert len(apart) == 2
        else:
            # An invitation is its organizer's, whoever is asked.
            assert one.calendar() == now
            assert one.platform() == now - of(51) + of(41) + back
            assert len(apart) == 3
        assert one.mails() == []
        assert one.made.cycle(full=True).effects == 0


def test_one_booking_that_the_restored_platform_lacks(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """One alone, the newest: the feed that ends before our cursor tells."""
    with desk(firm, tmp_path) as one:
        one.made.booking("hall", day(40))
        one.made.rest()
        kept = one.backup_database()
        one.made.booking("hall", day(41))
        one.made.rest()
        one.made.notify()
        one.forget_mails()
        one.restore_platform(kept)
        one.made.cycle()
        one.asked("the booking side lacks its 1 newest items")
        assert one.calendar() == of(40, 41)
        one.answer("--trust", "calendar")
        one.made.rest()
        assert one.made.equal() == of(40, 41)
        assert one.mails() == []


def test_what_people_do_on_the_restored_platform_is_carried(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Its change numbers are given out a second time: they must not be taken for late readings."""
    with desk(firm, tmp_path) as one:
        old = yesterday(one)
        kept = one.backup_database()
        since_then(one, old)
        one.restore_platform(kept)
        one.made.cycle()
        one.asked("restored from a backup")
        one.answer("--trust", "calendar")
        one.made.rest()
        hub = one.made.home.bookings
        hub.patch(old.platform["kept"], {"start": f"{day(70):%Y-%m-%dT%H:%M:%S}"}, ANY)
        mine = one.made.booking("hall", day(71))
        one.made.rest()
        assert one.made.status(mine) == "confirmed"
        assert one.calendar() == of(2, 13, 20, 21, 51, 60, 61, 70, 71)


def test_as_many_changes_as_were_lost_do_not_hide_a_restore(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The feed reached up to the cursor again, with other changes: it was taken for the same feed,
    and what the platform had lost was cancelled in Outlook (found by simulation)."""
    with desk(firm, tmp_path) as one:
        one.made.booking("hall", day(40))
        one.made.rest()
        kept = one.backup_database()
        lost = one.made.booking("hall", day(41))
        one.made.rest()
        one.made.home.bookings.patch(lost, {"title": "Mine"}, ANY)
        one.made.rest()
        one.restore_platform(kept)
        for number in range(50, 60):
            one.made.booking("hall", day(number))
        one.made.cycle()
        one.asked("the booking side lacks its 1 newest items")
        assert one.calendar() == of(40, 41)
        one.answer("--trust", "calendar")
        one.made.rest()
        assert one.made.equal() == of(40, 41, *range(50, 60))


def test_what_only_calsync_had_written_to_the_platform_is_missed(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The feed of others ends where it did. The meeting that was moved found no booking, and was
    declined as if somebody had cancelled it (found by simulation)."""
    with desk(firm, tmp_path) as one:
        one.made.booking("hall", day(40))
        one.made.rest()
        kept = one.backup_database()
        mine = firm.book(one.mailbox, day(2))
        one.made.cycle()
        one.restore_platform(kept)
        one.made.system.context.states.clear()
        firm.act("move", iCalUId=mine["iCalUId"], start=utc(3))
        one.made.cycle()
        one.asked("the booking side lacks its 1 newest items")
        one.answer("--trust", "calendar")
        one.made.rest()
        assert one.made.equal() == of(3, 40)
        assert all(m["kind"] != "declined" for m in one.mails())


def test_what_lies_beyond_the_window_is_joined_anew_as_well(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """No listing shows it: the restored platform kept its older state, which would have counted as
    a late reading later on (found with seed 5278)."""
    with desk(firm, tmp_path) as one:
        mine = one.made.booking("hall", day(500))
        one.made.booking("hall", day(40))
        one.made.rest()
        kept = one.backup_database()
        one.made.home.bookings.patch(mine, {"start": f"{day(505):%Y-%m-%dT%H:%M:%S}"}, ANY)
        one.made.rest()
        one.restore_platform(kept)
        one.made.cycle()
        one.asked("the booking side", "restored from a backup")
        one.answer("--trust", "calendar")
        one.made.rest()
        there = one.made.home.bookings.booking(mine).booking
        assert there.span.start.date() == day(505).date()
        one.made.home.bookings.patch(mine, {"start": f"{day(41):%Y-%m-%dT%H:%M:%S}"}, ANY)
        one.made.rest()
        assert one.made.equal() == of(40, 41)


def out_of_deleted_items(one: Desk, number: int) -> str:
    """An item of the room's own calendar comes (back) into it, under a new key; its uid."""
    start = f"{day(number):%Y%m%dT%H%M%SZ}"
    lines = (
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", f"UID:back-{number}",
        f"DTSTAMP:{start}", f"DTSTART:{start}", "DURATION:PT1H", "SUMMARY:Plan", "END:VEVENT",
        "END:VCALENDAR", "",
    )  # fmt: skip
    where = f"{one.firm.url}/_sandbox/rooms/{one.mailbox}/ics"
    answer = one.firm.session.post(where, data="\r\n".join(lines).encode(), timeout=30)
    assert answer.json()["events"] == 1
    return f"back-{number}"


def test_what_both_sides_have_again_is_one_booking(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The platform's booking was back since a restore, and people moved it to keep it; its event
    had been taken out of Deleted Items meanwhile, where it had got another key. They were two
    bookings from then on, of which one went back to what people had left (found by simulation,
    seed 1343)."""
    with desk(firm, tmp_path) as one:
        uid = out_of_deleted_items(one, 4)
        one.made.rest()
        kept = one.backup_database()
        firm.act("cancel", room=one.mailbox, iCalUId=uid)
        one.made.rest()
        assert one.made.equal() == of()
        one.restore_platform(kept)
        one.later()
        one.made.cycle(full=True)
        one.asked("1 items that were deleted", "restored from a backup")
        one.answer("--trust", "calendar")
        one.made.rest()
        (apart,) = parked(one)
        out_of_deleted_items(one, 4)
        hub = one.made.home.bookings
        hub.patch(apart["id"], {"start": f"{day(6):%Y-%m-%dT%H:%M:%S}"}, ANY)
        one.made.rest()
        assert one.made.equal() == of(6)
        assert parked(one) == []


# --- both, and ours --------------------------------------------------------------------------


def test_both_sides_restored_from_yesterday(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    """The whole company went back a day; only calsync remembers it."""
    with desk(firm, tmp_path) as one:
        old = yesterday(one)
        one.backup_mailbox()
        kept = one.backup_database()
        since_then(one, old)
        one.restore_mailbox()
        one.restore_platform(kept)
        one.later()
        one.made.cycle()
        one.asked("restored from a backup")
        assert one.platform() == one.calendar() == old.held
        one.answer("--approve")
        one.made.rest()
        assert one.made.equal() == old.held
        assert one.mails() == []


@pytest.mark.parametrize("tokens", ["still good", "void"])
def test_our_own_database_of_yesterday(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    tokens: str,
) -> None:
    """The calendar went on, and says what happened: no question is needed. Bookings of the
    platform that were made since come back from their events, without a second mail."""
    with desk(firm, tmp_path) as one:
        old = yesterday(one)
        kept = one.backup_database()
        now = since_then(one, old)
        one.restore_database(kept)
        one.later()
        if tokens == "void":
            firm.fault("gone", one.mailbox)
        one.made.rest()
        assert one.made.equal() == now
        assert one.fact()["health"] == "ok"
        one.made.notify()
        assert one.mails() == []
        assert one.made.cycle(full=True).effects == 0


def test_our_database_of_a_moment_when_a_booking_waited(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The copy was made between the booking and its event, whose person was told since."""
    with desk(firm, tmp_path) as one:
        mine = one.made.booking("hall", day(40))
        kept = one.backup_database()
        one.made.rest()
        one.made.notify()
        assert [mail["to"] for mail in one.mails()] == ["eve@contoso.example"]
        one.forget_mails()
        one.restore_database(kept)
        one.later()
        assert one.made.status(mine) == "pending"
        one.made.rest()
        one.made.notify()
        assert one.made.status(mine) == "confirmed"
        assert one.made.equal() == of(40)
        assert one.mails() == []


@pytest.mark.parametrize("dates", [1, 3])
def test_our_database_of_a_moment_when_a_booking_waited_that_is_changed_since(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    dates: int,
) -> None:
    """No listing tells of the event that was made in the lost life (a page was empty by mistake);
    the create finds it. What it shows passed for what people had made of it since, and took their
    change of the booking back (found by simulation)."""
    rule = {"recurrenceRule": {"frequency": "daily", "count": dates}} if dates > 1 else {}
    with desk(firm, tmp_path) as one:
        mine = one.made.booking("hall", day(40), **rule)
        kept = one.backup_database()
        one.made.rest()
        one.restore_database(kept)
        one.later()
        one.made.home.bookings.patch(mine, {"duration": "PT2H"}, ANY)
        firm.fault("empty_list", f"{one.mailbox}.*deltatoken")
        one.made.cycle()
        assert firm.fired() == 1
        one.made.rest()
        assert one.made.equal() == Counter(taken(day(40 + n), 120) for n in range(dates))


def test_our_database_of_a_moment_before_a_refusal(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Nothing in the calendar tells that the booking was refused; it is refused again, and its
    person was told so long ago (found by simulation)."""
    with desk(firm, tmp_path) as one:
        firm.book(one.mailbox, day(40))
        mine = one.made.booking("hall", day(40))
        kept = one.backup_database()
        one.made.rest()
        one.made.notify()
        assert one.made.status(mine) == "rejected"
        assert [mail["to"] for mail in one.mails() if mail["kind"] == "mail"] != []
        one.forget_mails()
        one.restore_database(kept)
        one.later()
        context = one.made.system.context
        context.begun = context.clock.now() + timedelta(hours=2)
        one.made.rest()
        one.made.notify()
        assert one.made.status(mine) == "rejected"
        assert one.mails() == []
        assert one.cli("status", "--json").json()["notices"]["doubtful"] == 1


def test_our_database_of_a_moment_when_a_mail_waited(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """A queued notice of yesterday may have left: it is shown to the admin, and not sent again."""
    with desk(firm, tmp_path) as one:
        one.made.booking("hall", day(40))
        one.made.rest()
        kept = one.backup_database()
        one.made.notify()
        one.forget_mails()
        one.restore_database(kept)
        one.later(hours=2)
        assert one.cli("sync", "--json").json()["notices_sent"] == 0
        assert one.mails() == []
        said = one.cli("status", "--json").json()
        assert said["notices"]["doubtful"] == 1
        assert "restored" in said["notice_troubles"][0]["reason"]
