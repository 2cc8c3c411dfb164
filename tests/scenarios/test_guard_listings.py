"""Listings that lost items, and a side that shows nothing: nothing is deleted for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import Company, day, taken
from tests.scenarios.guard_kit import desk, week
from tests.support import front

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.mark.parametrize("kind", ["lossy_list", "false_removed"])
def test_a_listing_that_lost_nine_of_ten_is_not_believed(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    kind: str,
) -> None:
    """In full, or by a round that says they were removed: each is read, and found."""
    with desk(firm, tmp_path) as one:
        held = week(one, meetings=10, bookings=10)
        full = kind == "lossy_list"
        firm.fault(kind, f"{one.mailbox}.*{'startDateTime' if full else 'deltatoken'}")
        before = one.reads()
        report = one.made.cycle(full=full)
        assert firm.fired() == 1
        assert one.reads() - before == (1 if front.by_ews() else 18), "each of the 18 is read"
        assert (report.effects, report.halt, report.error) == (0, None, "")
        assert one.made.equal() == held
        assert one.mails() == []


def test_a_copy_of_the_mailbox_that_lost_nine_of_ten_stops_the_room(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Listing and targeted reads lie alike. The admin looks again, and nothing was lost."""
    with desk(firm, tmp_path) as one:
        held = week(one, meetings=10, bookings=10)
        firm.fault("thin_replica", "", count=1000)
        one.later()
        one.made.cycle(full=True)
        one.asked("lacks its 18 items that nobody told us are gone")
        assert one.platform() == held
        # Looked at again while it still lies: stopped again, for the same reason.
        one.answer("--check-again")
        one.made.cycle(full=True)
        one.asked("lacks its 18 items")
        firm.calm()
        one.answer("--check-again")
        one.made.rest()
        assert one.made.equal() == held
        assert one.mails() == []
        assert one.fact()["health"] == "ok"


def test_an_empty_calendar_is_filled_again_where_the_platform_is_right(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path) as one:
        held = week(one, meetings=0, bookings=6)
        for item in firm.control("GET", f"rooms/{one.mailbox}/items")["value"]:
            firm.act("remove", room=one.mailbox, id=item["event"]["id"])
        one.later()
        one.made.cycle(full=True)
        question = one.asked("6 of 6")
        assert "delete or move" in question
        assert one.platform() == held
        one.answer("--trust", "booking")
        one.made.rest()
        assert one.made.equal() == held
        assert one.mails() == []


def test_an_empty_platform_is_filled_again_where_the_calendar_is_right(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The platform's store was set up anew."""
    with desk(firm, tmp_path) as one:
        kept = one.backup_database()
        held = week(one)
        one.restore_platform(kept)
        assert not one.platform()
        one.made.cycle()
        one.asked("the booking side", "no items at all")
        assert one.calendar() == held
        one.answer("--trust", "calendar")
        one.made.rest()
        assert one.made.equal() == held
        assert one.mails() == []
        # It works on as before: what people do from now on is carried, and told.
        mine = one.made.booking("hall", day(60))
        one.made.rest()
        one.made.notify()
        assert one.made.status(mine) == "confirmed"
        assert [mail["to"] for mail in one.mails()] == ["eve@contoso.example"]


@pytest.mark.parametrize("answer", [["--approve"], ["--check-again"]])
def test_the_admin_may_say_that_an_empty_side_is_right(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    answer: list[str],
) -> None:
    with desk(firm, tmp_path) as one:
        kept = one.backup_database()
        held = week(one, meetings=0, bookings=3)
        one.restore_platform(kept)
        one.made.cycle()
        one.asked("no items at all")
        one.answer(*answer)
        if answer == ["--approve"]:
            one.made.rest()
            assert not one.made.equal()
        else:
            one.made.cycle()
            one.asked("no items at all")
            assert one.calendar() == held
        assert one.mails() == []


def test_a_mailbox_made_anew_is_filled_from_the_platform(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path) as one:
        held = week(one)
        firm.control("POST", f"rooms/{one.mailbox}/remake")
        one.later()
        one.made.cycle()
        one.asked("the calendar side", "no items at all")
        assert one.platform() == held
        one.answer("--trust", "booking")
        one.made.rest()
        assert one.made.equal() == held
        assert one.mails() == []


def test_a_mailbox_made_anew_in_which_somebody_booked_already(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Few enough are missing for the guard's limit, and the new one keeps the listing from being
    empty: that nothing of what was agreed on is there any more is asked about all the same."""
    with desk(firm, tmp_path) as one:
        held = week(one, meetings=2, bookings=2)
        firm.control("POST", f"rooms/{one.mailbox}/remake")
        firm.book(one.mailbox, day(20))
        one.forget_mails()
        report = one.made.cycle()
        assert (report.effects, one.platform()) == (0, held)
        assert "looked at again" in report.error
        one.later()
        one.made.cycle()
        one.asked("the calendar side lacks its 4 newest items", "restored")
        assert one.platform() == held
        one.answer("--trust", "booking")
        one.made.rest()
        assert one.made.equal() == held + type(held)([taken(day(20))])
        assert one.mails() == []
