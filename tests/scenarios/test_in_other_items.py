"""A booking that goes on in other items, while people change one of its former ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calsync import bootstrap
from tests.scenarios.test_found_by_simulation import DECEMBER, daily, three_dates
from tests.support import front
from tests.support.company import Company, Place, a_company, a_tenant, differences


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with a_tenant() as tenant, a_company(tmp_path, tenant) as made:
        yield made


@pytest.fixture
def hall(company: Company) -> Place:
    """Outlook's edits win there."""
    place = company.add_room("hall", zone="Europe/Berlin", label="W. Europe Standard Time")
    pair = bootstrap.map_room(
        company.home, room_id=place.id, mailbox=place.address, titles=True, edit="calendar"
    )
    place = replace(place, pair=pair)
    company.sync(place)
    return place


def uids(company: Company, place: Place) -> list[str]:
    return [one["event"]["iCalUId"] for one in company.tenant.items(place.address)]


def one_booking_and_a_record(company: Company, place: Place, booking: Any, reason: str) -> None:
    """The booking goes on, once on each side, and what was lost can be looked up."""
    company.sync(place)
    assert [one["id"] for one in company.bookings(place)] == [booking["id"]]
    shown = company.tenant.instances(place.address, *DECEMBER)
    assert differences(shown, company.occupancy(place, *DECEMBER)) == []
    (record,) = company.home.reports.conflicts()
    assert reason in record.conflict.reason
    assert record.conflict.lost is not None
    company.at_rest(place)


def test_the_event_of_a_series_that_is_cut_into_parts_is_changed(
    company: Company, hall: Place
) -> None:
    """Seed 7116: the booking got a rule for which Exchange has no word, so other events carry it;
    somebody retitled its former event, which was made a second booking of: Outlook's edits win."""
    daily(company, hall)
    company.sync(hall)
    (booking,) = company.bookings(hall)
    (uid,) = uids(company, hall)
    company.change(
        booking, recurrenceRule={"frequency": "monthly", "byMonthDay": [1, 15], "count": 4}
    )
    company.tenant.act("retitle", room=hall.address, iCalUId=uid, subject="Two")
    one_booking_and_a_record(company, hall, booking, "carried in other items")
    assert uid not in uids(company, hall)


def test_the_former_event_of_a_series_made_anew_is_changed(company: Company, hall: Place) -> None:
    """Seed 9063: a removed date comes back, so the series is made anew; before its former event
    could be removed somebody retitled that, and it was made a second booking of."""
    series = three_dates(company, hall)
    company.sync(hall)
    company.drop_date(series, "2026-12-02T09:00:00")
    company.sync(hall)
    (uid,) = uids(company, hall)
    company.change(company.bookings(hall)[0], recurrenceOverrides=None)
    answer = company.tenant.server.answer
    made: list[str] = []

    def meddle(method: str, target: str, headers: dict[str, str], body: bytes) -> Any:
        response = answer(method, target, headers, body)
        if front.is_create(method, body) and target.endswith(("/events", ".asmx")) and not made:
            made.append(target)
            company.tenant.act("retitle", room=hall.address, iCalUId=uid, subject="Two")
        return response

    company.tenant.server.answer = meddle  # type: ignore[method-assign]  # somebody acts meanwhile
    for _ in range(3):
        company.cycle(hall)
        company.tenant.clock.forward(seconds=90)
    assert made
    one_booking_and_a_record(company, hall, series, "made in its place")
    assert uid not in uids(company, hall)


def far_date(company: Company, place: Place) -> tuple[Any, dict[str, str]]:
    """A series with a date past its neighbour, which is an event of its own: the booking, and where
    that event is."""
    series = three_dates(company, place)
    company.sync(place)
    first = uids(company, place)
    company.change_date(series, "2026-12-02T09:00:00", start="2026-12-05T15:00:00")
    company.sync(place)
    (uid,) = set(uids(company, place)) - set(first)
    return series, {"room": place.address, "iCalUId": uid}


def test_a_date_goes_back_into_its_series_while_its_event_is_changed(
    company: Company, hall: Place
) -> None:
    series, where = far_date(company, hall)
    company.change_date(series, "2026-12-02T09:00:00", start="2026-12-02T10:00:00")
    company.tenant.act("retitle", subject="Two", **where)
    one_booking_and_a_record(company, hall, series, "carried in other items")


def test_a_series_moves_under_a_date_while_the_event_of_that_is_changed(
    company: Company, hall: Place
) -> None:
    """The date has another name then, and still its event: nothing is lost."""
    series, where = far_date(company, hall)
    company.change(series, start="2026-12-02T11:00:00")
    company.tenant.act("retitle", subject="Two", **where)
    company.sync(hall)
    (booking,) = company.bookings(hall)
    assert [one["title"] for one in booking["recurrenceOverrides"].values()] == ["Two"]
    assert company.home.reports.conflicts() == []
    company.at_rest(hall)
