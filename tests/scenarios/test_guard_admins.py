"""What people and admins do to whole rooms: copies of our events, rights taken and given back,
rooms renamed, hidden, mapped elsewhere and back, other policies, the end of the sync."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from calsync.adapters.hub.desk import Precondition
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import Company, Taken, day, settings_text, taken
from tests.scenarios.guard_kit import ADA, Desk, desk, utc, week

pytestmark = pytest.mark.usefixtures("hasty")

ANY = Precondition()
TAG = "String {aa2c9132-e0dd-43a3-8ccf-417a4d60af36} Name calsync"


def of(*days: int) -> Counter[Taken]:
    return Counter(taken(day(number)) for number in days)


def own(one: Desk, mailbox: str = "") -> list[str]:
    """iCalUIds of the events that the room itself owns, in the order of their time."""
    rows = one.firm.control("GET", f"rooms/{mailbox or one.mailbox}/items")["value"]
    events = [row["event"] for row in rows if row["event"]["isOrganizer"]]
    return [e["iCalUId"] for e in sorted(events, key=lambda e: str(e["start"]["dateTime"]))]


# --- copies that carry our tag -----------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["with transactionId", "without"])
def copying(firm: Company, request: pytest.FixtureRequest) -> Company:  # noqa: F811
    firm.control("POST", "switches", {"copy_keeps_transaction_id": request.param})
    return firm


def test_a_copy_is_a_booking_of_its_own(copying: Company, tmp_path: Path) -> None:
    """Original and copy are moved and deleted each alone, whatever tag the copy carries."""
    with desk(copying, tmp_path) as one:
        mine = one.made.booking("hall", day(40))
        one.made.rest()
        copying.act("copy", room=one.mailbox, iCalUId=own(one)[0], start=utc(44))
        one.made.rest()
        assert one.made.equal() == of(40, 44)
        original, copied = own(one)
        copying.act("move", room=one.mailbox, iCalUId=copied, start=utc(45))
        one.made.rest()
        assert one.made.equal() == of(40, 45)
        one.made.home.bookings.cancel(mine, ANY)
        one.made.rest()
        assert one.made.equal() == of(45)
        copying.act("remove", room=one.mailbox, iCalUId=copied)
        one.made.rest()
        assert not one.made.equal()
        assert original not in own(one)
        assert one.fact()["health"] == "ok"


def test_a_copy_onto_the_same_time_is_mirrored(copying: Company, tmp_path: Path) -> None:
    """Two items of one content and one tag: people made them in sight of each other."""
    with desk(copying, tmp_path) as one:
        mine = one.made.booking("hall", day(40))
        one.made.rest()
        copying.act("copy", room=one.mailbox, iCalUId=own(one)[0])
        one.made.rest()
        assert one.made.equal() == of(40, 40)
        assert one.made.status(mine) == "confirmed"


def test_a_copy_made_while_the_create_was_in_doubt(copying: Company, tmp_path: Path) -> None:
    """Looked up by our tag, there are two: the first is ours."""
    with desk(copying, tmp_path) as one:
        copying.fault("reply_lost", f"{one.mailbox}/events", method="POST")
        mine = one.made.booking("hall", day(40))
        one.made.cycle()
        assert copying.fired() == 1
        copying.act("copy", room=one.mailbox, iCalUId=own(one)[0], start=utc(44))
        one.made.rest()
        assert one.made.equal() == of(40, 44)
        one.made.home.bookings.cancel(mine, ANY)
        one.made.rest()
        assert one.made.equal() == of(44)


def test_a_copy_in_the_mailbox_of_another_room(copying: Company, tmp_path: Path) -> None:
    """Its tag names a link of the other room: that one is neither touched nor joined, also where it
    waits for an event of its own."""
    rooms = {"hall": copying.new_room(), "den": copying.new_room()}
    with desk(copying, tmp_path, rooms=rooms) as one:
        mine = one.made.booking("hall", day(40))
        one.made.rest()
        copying.act("copy", room=one.mailbox, iCalUId=own(one)[0], to=rooms["den"], start=utc(41))
        # The other room's booking waits: its mailbox cannot be written just now.
        copying.fault("error_before", f"{one.mailbox}/events", method="POST", count=100)
        waits = one.made.booking("hall", day(50))
        one.made.cycle("hall")
        for _ in range(3):
            one.made.cycle("den")
        assert one.made.taken("den") == copying.taken(rooms["den"]) == of(41)
        assert (one.made.status(mine), one.made.status(waits)) == ("confirmed", "pending")
        copying.calm()
        one.made.rest("hall")
        one.made.rest("den")
        assert one.made.equal("hall") == of(40, 50)
        # What is done to the copy is done to nothing else.
        copying.act("remove", room=rooms["den"], iCalUId=own(one, rooms["den"])[0])
        one.made.rest("den")
        one.made.rest("hall")
        assert not one.made.equal("den")
        assert one.made.equal("hall") == of(40, 50)


def test_a_copied_date_and_a_date_with_our_tag(copying: Company, tmp_path: Path) -> None:
    """Into and out of a series: the tag on an exception says nothing about the series."""
    weekly = {"frequency": "weekly", "count": 3}
    with desk(copying, tmp_path) as one:
        series = one.made.booking("hall", day(40), recurrenceRule=weekly)
        single = one.made.booking("hall", day(60))
        one.made.rest()
        held = of(40, 47, 54, 60)
        assert one.made.equal() == held
        uid = own(one)[0]
        copying.act(
            "copy", room=one.mailbox, iCalUId=uid, date=f"{day(47):%Y-%m-%d}", start=utc(49)
        )
        one.made.rest()
        assert one.made.equal() == held + of(49)
        tag = next(
            row["tags"]
            for row in copying.control("GET", f"rooms/{one.mailbox}/items")["value"]
            if row["event"]["iCalUId"] == own(one)[-1]
        )
        value = {"id": TAG, "value": next(iter(tag.values()), "none")}
        copying.act(
            "set",
            room=one.mailbox,
            iCalUId=uid,
            date=f"{day(54):%Y-%m-%d}",
            showAs="busy",
            graph={"singleValueExtendedProperties": [value]},
        )
        one.made.rest()
        assert one.made.equal() == held + of(49)
        one.made.home.bookings.cancel(single, ANY)
        one.made.rest()
        assert one.made.equal() == held + of(49) - of(60)
        one.made.home.bookings.cancel(series, ANY)
        one.made.rest()
        assert one.made.equal() == of(49)


# --- rights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [403, 404])
def test_a_right_that_is_taken_away_and_given_back(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    shape: int,
) -> None:
    """404 ErrorItemNotFound for everything, the calendar itself included, deletes nothing."""
    with desk(firm, tmp_path) as one:
        held = week(one)
        firm.scope([ADA], shape=shape)
        try:
            firm.book(one.mailbox, day(20))
            mine = one.made.booking("hall", day(60))
            one.forget_mails()
            for full in (False, True):
                report = one.made.cycle(full=full)
                assert (report.effects, report.halt) == (0, None)
                assert one.mailbox in report.error
            fact = one.fact()
            assert fact["health"] == "failing"
            assert "Check the" in fact["error"]
            assert one.platform() == held + of(60)
            assert one.made.status(mine) == "pending"
        finally:
            firm.scope(None)
        one.made.rest()
        assert one.made.equal() == held + of(20, 60)
        assert one.mails() == []
        assert one.fact()["health"] == "ok"


def test_a_right_that_comes_back_between_two_reads(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Items 404, the calendar answers again when asked: everything would look deleted."""
    with desk(firm, tmp_path) as one:
        held = week(one)
        firm.fault("lossy_list", f"{one.mailbox}.*startDateTime")
        firm.fault("thin_replica", "batch", count=1)
        report = one.made.cycle(full=True)
        assert (report.effects, report.halt) == (0, None)
        assert one.platform() == held
        one.made.rest()
        assert one.made.equal() == held
        assert one.mails() == []
        assert one.fact()["health"] == "ok"


# --- rooms -------------------------------------------------------------------------------------


def test_a_room_that_is_renamed_or_hidden_goes_on(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path) as one:
        held = week(one)
        firm.control("PATCH", f"rooms/{one.mailbox}", {"name": "Grand Hall", "hidden": True})
        firm.book(one.mailbox, day(20))
        one.made.booking("hall", day(60))
        one.made.rest()
        assert one.made.equal() == held + of(20, 60)


def test_a_mailbox_with_another_address_is_mapped_again(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The old address is said to be missing; under the new one nothing is doubled or lost."""
    with desk(firm, tmp_path) as one:
        held = week(one)
        new = one.mailbox.replace("hall-", "aula-")
        firm.control("POST", f"rooms/{one.mailbox}/rename", {"address": new})
        report = one.made.cycle(full=True)
        assert report.effects == 0
        assert "no such mailbox" in one.fact()["error"]
        assert one.platform() == held
        _map(one, new)
        before = one.writes()
        one.made.rest()
        assert one.made.equal() == held
        assert one.writes() == before
        assert one.mails() == []


def _map(one: Desk, mailbox: str) -> None:
    """As the admin does it: unmap, and map anew; the settings file names no mapping any more."""
    with one.stopped():
        plain = settings_text(one.firm, one.database, {}, poll=60.0, notices="x@contoso.example")
        (one.folder / "calsync.toml").write_text(plain, encoding="utf-8")
        one.made.settings = one.settings()
        assert one.cli("rooms", "unmap", "hall").code in (0, 2)
        said = one.cli("rooms", "map", "hall", mailbox, "--zone", "UTC", "--connection", "sandbox")
        assert said.code == 0, said.err
    one.mailbox = mailbox


def test_a_room_mapped_to_another_mailbox_and_back(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path) as one:
        first, second = one.mailbox, firm.new_room()
        held = week(one)
        firm.book(second, day(25))
        one.forget_mails()
        _map(one, second)
        one.made.rest()
        assert one.made.equal() == held + of(25)
        assert firm.taken(first) == held, "the former mailbox stays as it was"
        # People go on in both, and on the platform.
        firm.book(first, day(26))
        firm.book(second, day(27))
        one.made.booking("hall", day(62))
        one.made.rest()
        assert one.made.equal() == held + of(25, 27, 62)
        one.forget_mails()
        _map(one, first)
        one.made.rest()
        assert one.made.equal() == held + of(25, 26, 27, 62)
        assert firm.taken(second) == held + of(25, 27, 62)
        assert one.mails() == []


def test_a_room_that_is_unmapped_keeps_everything(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path) as one:
        held = week(one)
        pending = one.made.booking("hall", day(60))
        with one.stopped():
            said = one.cli("rooms", "unmap", "hall")
            assert said.code == 0
            assert "nothing was deleted" in said.out
        assert one.calendar() == held
        # Mapped by the settings file as before: it goes on from what it knew.
        before = one.writes()
        one.made.rest()
        assert one.made.status(pending) == "confirmed"
        assert one.made.equal() == held + of(60)
        assert one.writes() == before + 1


# --- policies ----------------------------------------------------------------------------------


def _settings(one: Desk, **more: object) -> None:
    with one.stopped():
        text = settings_text(one.firm, one.database, {"hall": one.mailbox}, poll=60.0, **more)
        (one.folder / "calsync.toml").write_text(text, encoding="utf-8")
        one.made.settings = one.settings()


def test_titles_switched_on_and_off(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    """No booking is moved, deleted or mailed for it, and both sides come to rest."""
    with desk(firm, tmp_path) as one:
        held = week(one)
        for titles in (True, False, True):
            _settings(one, titles=titles)
            one.made.booking("hall", day(60), title="Budget")
            firm.act("move", room=one.mailbox, iCalUId=own(one)[0], start=utc(40, 13))
            one.made.rest()
            one.made.cycle(full=True)
            one.made.rest()
            found = one.made.equal()
            assert found.total() == held.total() + 1
            made = own(one)[-1]
            firm.act("remove", room=one.mailbox, iCalUId=made)
            firm.act("move", room=one.mailbox, iCalUId=own(one)[0], start=utc(40))
            one.made.rest()
            assert one.made.equal() == held
        assert one.mails() == []
        assert one.fact()["health"] == "ok"


@pytest.mark.parametrize("policy", ["calendar", "booking", "ask", "origin"])
def test_another_policy_changes_nothing_that_stands(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    policy: str,
) -> None:
    with desk(firm, tmp_path) as one:
        held = week(one, meetings=2, bookings=2)
        clash = "first" if policy == "origin" else policy
        before = one.writes()
        _settings(one, extra=f'[policy]\nedit = "{policy}"\nclash = "{clash}"\n')
        one.made.cycle(full=True)
        assert one.made.equal() == held
        assert one.writes() == before
        assert one.mails() == []
