"""What ``make simulate`` found, each as the shortest story that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.company import Company, Place, a_company, a_tenant


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with a_tenant() as tenant, a_company(tmp_path, tenant) as made:
        yield made


@pytest.fixture
def hall(company: Company) -> Place:
    place = company.add_room("hall", zone="Europe/Berlin", label="W. Europe Standard Time")
    company.sync(place)
    return place


def book(company: Company, place: Place) -> None:
    company.book(place, title="One", start="2026-12-01T09:00:00", duration="PT1H")


def arm(company: Company, kind: str, **more: object) -> None:
    company.tenant.control("POST", "faults", {"kind": kind, "count": 1, **more})


def daily(company: Company, place: Place) -> Any:
    """Three dates in the room's own calendar."""
    return company.tenant.act(
        "book_direct",
        room=place.address,
        subject="One",
        start="2026-12-01T09:00:00",
        recurrence={
            "pattern": {"type": "daily", "interval": 1},
            "range": {"type": "numbered", "startDate": "2026-12-01", "numberOfOccurrences": 3},
        },
    )


@pytest.mark.parametrize("status", [403, 404])
def test_a_create_that_finds_no_mailbox_is_tried_again(
    company: Company, hall: Place, status: int
) -> None:
    """404 was taken for "somebody else changed it", of an event that was never made: the booking
    waited for ever, and the room was said to be at rest."""
    book(company, hall)
    arm(company, "permission_removed", method="POST", path="/events", params={"status": status})
    report = company.cycle(hall)
    assert report.error or report.unsettled
    company.cycle(hall)
    assert [one["event"]["subject"] for one in company.tenant.items(hall.address)] == ["One"]
    assert company.bookings(hall)[0]["bookingStatus"] == "confirmed"
    company.at_rest(hall)


def test_an_effect_recognised_by_its_tag_leaves_the_outbox(company: Company, hall: Place) -> None:
    """The reply to the create was lost, and the same cycle saw the event: its row stayed open."""
    book(company, hall)
    # Something of Outlook's makes the cycle read the calendar once more before it answers.
    company.tenant.act("book_direct", room=hall.address, subject="Two", start="2026-12-02T09:00:00")
    arm(company, "reply_lost", method="POST", path="/events")
    for _ in range(3):
        company.cycle(hall)
    assert company.home.store.open_effects(hall.pair.id) == []
    assert len(company.tenant.items(hall.address)) == 2
    company.at_rest(hall)


@pytest.mark.parametrize("fault", ["redirect", "html_login", "error_before"])
def test_a_series_that_could_not_be_read_is_read_again(
    company: Company, hall: Place, fault: str
) -> None:
    """The feed names a changed series once. A proxy that sent the read of it elsewhere made the
    item count as unreadable, and the change was known only to the next nightly compare."""
    made = daily(company, hall)
    company.sync(hall)
    company.tenant.act("retitle", room=hall.address, iCalUId=made["iCalUId"], subject="Two")
    arm(company, fault, method="GET", path="/events/", count=3)
    for _ in range(4):
        company.cycle(hall)
    assert [one["title"] for one in company.bookings(hall)] == ["Two"]
    company.at_rest(hall)


def test_a_lagging_copy_of_the_mailbox_deletes_nothing(company: Company, hall: Place) -> None:
    """A replayed feed named a new series, and the read of it met a copy of the mailbox that did
    not know it yet: 404, while the mailbox answered. The booking was deleted for that."""
    daily(company, hall)
    company.sync(hall)
    arm(company, "delta_replay", path="/delta")
    arm(company, "stale_read", method="GET", path="/events/", params={"seconds": 110}, count=2)
    for _ in range(3):
        company.cycle(hall)
        assert len(company.bookings(hall)) == 1
    company.at_rest(hall)


def test_what_is_new_and_really_gone_goes_at_once(company: Company, hall: Place) -> None:
    made = company.tenant.act(
        "book_direct", room=hall.address, subject="One", start="2026-12-01T09:00:00"
    )
    company.sync(hall)
    company.tenant.act("cancel", room=hall.address, iCalUId=made["iCalUId"])
    company.sync(hall)
    assert company.bookings(hall) == []
    company.at_rest(hall)
