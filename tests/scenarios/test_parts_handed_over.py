"""A booking that other events carry from now on is in the calendar all the time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.scenarios.test_found_by_simulation import arm, three_dates
from tests.support.company import Company, Place, a_company, a_tenant

DECEMBER = date(2026, 12, 1), date(2026, 12, 31)


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with a_tenant() as tenant, a_company(tmp_path, tenant) as made:
        yield made


@pytest.fixture
def hall(company: Company) -> Place:
    place = company.add_room("hall", zone="Europe/Berlin", label="W. Europe Standard Time")
    company.sync(place)
    return place


def days(company: Company, place: Place) -> set[str]:
    found = company.tenant.instances(place.address, *DECEMBER)
    return {str(one.start)[8:10] for one in found}


@pytest.mark.parametrize("fault", ["error_before", "lost_request", "reply_lost"])
def test_what_it_keeps_is_held_before_the_former_event_goes(
    company: Company, hall: Place, fault: str
) -> None:
    """The former event was deleted first; the server had no answer to the creation of the new ones,
    and anybody could have taken the first of December meanwhile (found by simulation, seed 8767).
    """
    booking = three_dates(company, hall)
    company.sync(hall)
    company.change(
        booking, recurrenceRule={"frequency": "monthly", "byMonthDay": [1, 15], "count": 4}
    )
    arm(company, fault, method="POST", path="/events", count=3)
    for _ in range(6):
        company.cycle(hall)
        assert "01" in days(company, hall)
        company.tenant.clock.forward(seconds=90)
    company.sync(hall)
    assert days(company, hall) == {"01", "15"}
    assert len(company.tenant.items(hall.address)) == 2
    company.at_rest(hall)
