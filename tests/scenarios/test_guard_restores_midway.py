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
