"""A backup comes back while something is half done: cancelled on one side, not rested on the other.

The restored side shows again what had been cancelled there, in the state it had. Its link knows
that it is gone, and no reading of that age counts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from calsync.adapters.hub.desk import Precondition
from calsync.engine import cycle
from calsync.model import Interval
from calsync.reconcile.observe import LAG
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import Company, day
from tests.scenarios.guard_kit import Desk, desk
from tests.scenarios.test_guard_restores import of, parked

pytestmark = pytest.mark.usefixtures("hasty")


def booked(one: Desk, number: int) -> str:
    """The platform's booking of a day."""
    span = Interval(day(number) - timedelta(hours=9), day(number + 1) - timedelta(hours=9))
    ((_, (found,)),) = one.made.home.bookings.occurrences(["hall"], span)
    return found.booking.id


@pytest.mark.parametrize(
    ("born", "answer"), [("platform", "trust"), ("outlook", "trust"), ("platform", "approve")]
)
def test_what_was_cancelled_and_deleted_just_before_a_restore(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    born: str,
    answer: str,
) -> None:
    """The process ended when it had deleted the event, and before that was taken note of in a plan:
    the platform's booking, which is back, counted as a late reading for good (found by simulation,
    seed 9811)."""
    with desk(firm, tmp_path) as one:
        if born == "platform":
            one.made.booking("hall", day(4))
        else:
            firm.book(one.mailbox, day(4))
        one.made.booking("hall", day(2))
        one.made.rest()
        one.made.notify()
        one.forget_mails()
        booking = booked(one, 4)
        kept = one.backup_database()
        one.made.home.bookings.cancel(booking, Precondition())
        with monkeypatch.context() as once:
            once.setattr(cycle, "MAX_ROUNDS", 1)
            assert one.made.cycle().effects == 1
        assert one.calendar() == of(2)
        one.forget_mails()
        one.restore_platform(kept)
        one.made.cycle()
        one.asked("the booking side", "restored from a backup")
        if answer == "trust":
            one.answer("--trust", "calendar")
            one.made.rest()
            assert one.platform() == of(2, 4)
            assert one.calendar() == of(2)
            (apart,) = parked(one)
            assert apart["id"] == booking
        else:
            one.answer("--approve")
            one.made.rest()
            assert one.made.equal() == of(2, 4)
            assert parked(one) == []
        assert one.mails() == []
        assert one.made.cycle(full=True).effects == 0


@pytest.mark.parametrize("asked", ["when it can be told", "at once"])
@pytest.mark.parametrize(
    ("born", "answer"), [("platform", "trust"), ("outlook", "trust"), ("platform", "approve")]
)
def test_what_was_cancelled_and_whose_deletion_is_in_doubt_at_a_restore(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    born: str,
    answer: str,
    asked: str,
) -> None:
    """The reply to the deletion of the event was lost. It counted as deleted by people, in Outlook,
    when the admin let the restored platform be as it is: the booking was deleted there once more.
    At once, nobody can tell whether a mailbox that does not show the event lags behind only."""
    with desk(firm, tmp_path) as one:
        if born == "platform":
            one.made.booking("hall", day(4))
        else:
            firm.book(one.mailbox, day(4))
        one.made.booking("hall", day(2))
        one.made.rest()
        one.made.notify()
        one.forget_mails()
        booking = booked(one, 4)
        kept = one.backup_database()
        one.made.home.bookings.cancel(booking, Precondition())
        how = ("events", {"method": "DELETE"}) if born == "platform" else (".*decline", {})
        firm.fault("reply_lost", f"{one.mailbox}/{how[0]}", **how[1])
        with monkeypatch.context() as once:
            once.setattr(cycle, "MAX_ROUNDS", 1)
            one.made.cycle()
        assert firm.fired() == 1
        assert one.calendar() == of(2)
        one.forget_mails()
        one.restore_platform(kept)
        one.made.cycle()
        one.asked("the booking side", "restored from a backup")
        if asked == "when it can be told":
            one.made.clock.ahead += LAG
        if answer == "trust":
            one.answer("--trust", "calendar")
        else:
            one.answer("--approve")
        if asked == "at once":
            one.made.cycle()
            assert one.platform() == of(2, 4)
            assert answer == "trust" or "your answer waits" in one.fact()["error"], one.fact()
            one.made.clock.ahead += LAG
        one.made.rest()
        if answer == "trust":
            assert one.platform() == of(2, 4)
            assert one.calendar() == of(2)
            (apart,) = parked(one)
            assert apart["id"] == booking
        else:
            assert one.made.equal() == of(2, 4)
            assert parked(one) == []
        one.made.notify()
        assert one.mails() == []
        assert one.fact()["health"] == ("waiting" if answer == "trust" else "ok")
        assert one.made.cycle(full=True).effects == 0
