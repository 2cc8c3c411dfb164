"""Our database of yesterday, and a series of which Outlook holds more dates apart since then."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from calsync.adapters.hub.desk import Precondition
from calsync.model import Interval
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import Company, day, taken
from tests.scenarios.guard_kit import Desk, desk

pytestmark = pytest.mark.usefixtures("hasty")

ANY = Precondition()
RULE = {"recurrenceRule": {"frequency": "daily", "count": 5}}


def moves(one: Desk, booking: str, date: datetime, to: datetime) -> None:
    """Past its neighbours, so that Exchange holds it as an event of its own."""
    slot, start = (f"{at:%Y-%m-%dT%H:%M:%S}" for at in (date, to))
    one.made.home.bookings.patch_occurrence(booking, slot, {"start": start}, ANY)
    one.made.rest()


@pytest.mark.parametrize("apart", [False, True], ids=["whole", "in parts"])
def test_a_date_that_stands_apart_since_the_backup_is_still_one_of_its_series(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    apart: bool,
) -> None:
    """Seed 20089: its event came to the platform as a booking of its own, beside its series."""
    with desk(firm, tmp_path) as one:
        mine = one.made.booking("hall", day(40), **RULE)
        dates = {n: day(40 + n) for n in range(5)}
        one.made.rest()
        if apart:
            moves(one, mine, dates[3], day(50))
            dates[3] = day(50)
        one.made.notify()
        kept = one.backup_database()
        moves(one, mine, dates[1], day(52))
        one.made.notify()
        one.forget_mails()
        one.restore_database(kept)
        one.later()
        one.made.rest()
        dates[1] = day(52)
        assert one.made.equal() == Counter(taken(at) for at in dates.values())
        ((_, shown),) = one.made.home.bookings.occurrences(["hall"], Interval(day(0), day(390)))
        assert {found.booking.id for found in shown} == {mine}
        one.made.notify()
        assert one.mails() == []
        one.made.home.bookings.cancel(mine, ANY)
        one.made.rest()
        assert one.made.equal() == Counter()
        assert one.made.cycle(full=True).effects == 0
