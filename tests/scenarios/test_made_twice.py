"""EWS knows no key that makes a create harmless: a proxy may double it, and a try that was given up
may arrive late. What calsync made too often it takes away again, and people's acts stay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from calsync.sandbox.items import Item
from calsync.sandbox.mailbox import Mailbox
from tests.scenarios.hybrid_kit import a_hybrid, a_room
from tests.support.company import Company, Exchange, Place


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with a_hybrid(tmp_path) as made:
        yield made


@pytest.fixture
def hall(company: Company) -> Place:
    place = a_room(company, 1)
    company.sync(place)
    company.book(place, title="One", start="2026-12-01T09:00:00", duration="PT1H")
    company.sync(place)
    return place


def box_of(company: Company, place: Place) -> Mailbox:
    box = company.tenant.server.control.world.box(place.address)
    assert box is not None
    return box


def made_again(company: Company, place: Place, key: str = "") -> Item:
    """The create of the room's only item is carried out once more, some seconds later."""
    world, box = company.tenant.server.control.world, box_of(company, place)
    (item,) = [one for one in box.items.values() if key in ("", one.key)]
    return world.put(box, replace(item, key=world.new_key(), created=0))


def subjects(company: Company, place: Place) -> list[str]:
    return [one["event"]["subject"] for one in company.tenant.items(place.address)]


def test_a_create_that_a_proxy_doubled(company: Company, hall: Place) -> None:
    """Seeds 1080 and 3162: the second one was mirrored as a booking of its own, or parked as its
    rival."""
    first = next(iter(box_of(company, hall).items))
    second = made_again(company, hall).key
    company.cycle(hall)
    assert len(subjects(company, hall)) == 2, "it may be the first one, made anew by Exchange"
    company.tenant.clock.forward(minutes=3)
    company.sync(hall)
    assert set(box_of(company, hall).items) == {first}
    assert second not in box_of(company, hall).items
    assert [one["bookingStatus"] for one in company.bookings(hall)] == ["confirmed"]
    company.at_rest(hall)


def test_a_person_changes_the_second_of_two(company: Company, hall: Place) -> None:
    second = made_again(company, hall)
    company.cycle(hall)
    company.tenant.clock.forward(seconds=5)
    company.tenant.act("retitle", room=hall.address, iCalUId=second.uid, subject="Two")
    company.tenant.clock.forward(minutes=3)
    company.sync(hall)
    assert set(box_of(company, hall).items) == {second.key}
    assert [one["title"] for one in company.bookings(hall)] == ["Two"]
    company.at_rest(hall)


def test_the_first_is_made_anew_while_the_second_is_doubted(company: Company, hall: Place) -> None:
    """What looks like two of ours may be one and its new making: nothing is removed then."""
    box = box_of(company, hall)
    first = next(iter(box.items))
    second = made_again(company, hall)
    company.tenant.server.control.world.drop(box, first)
    company.sync(hall)
    company.tenant.clock.forward(minutes=3)
    company.sync(hall)
    assert set(box.items) == {second.key}
    assert [one["bookingStatus"] for one in company.bookings(hall)] == ["confirmed"]
    company.at_rest(hall)


def test_what_was_made_in_place_of_a_series_is_made_twice(company: Company) -> None:
    """A dropped date is back, for which Exchange needs the series made anew: a proxy doubles that
    create, too."""
    hall = a_room(company, 1)
    company.sync(hall)
    whole = {"frequency": "daily", "count": 3}
    times = {"start": "2026-12-01T09:00:00", "duration": "PT1H"}
    booking = company.book(hall, title="One", recurrenceRule=whole, **times)
    company.sync(hall)
    former = next(iter(box_of(company, hall).items))
    company.drop_date(booking, "2026-12-02T09:00:00")
    company.sync(hall)
    company.change(company.bookings(hall)[0], recurrenceOverrides=None)
    company.sync(hall)
    first = next(iter(box_of(company, hall).items))
    assert first != former
    made_again(company, hall)
    company.cycle(hall)
    company.tenant.clock.forward(minutes=3)
    company.sync(hall)
    assert set(box_of(company, hall).items) == {first}
    assert [one["bookingStatus"] for one in company.bookings(hall)] == ["confirmed"]
    company.at_rest(hall)


#: The name of the request that makes an item, as it stands in it.
MADE = re.compile(rb"<t:Value>[0-9a-f]{32}</t:Value>")


def create_of(company: Company) -> Exchange:
    """The last create that calsync sent."""
    return [one for one in company.tenant.exchanges if b"<m:CreateItem" in one.body][-1]


def arrives(company: Company, create: Exchange, body: bytes) -> None:
    answer = company.tenant.session.post(
        f"{company.tenant.url}/EWS/Exchange.asmx", data=body, headers=_plain(create.headers)
    )
    assert answer.status_code == 200
    assert b"NoError" in answer.content


def _plain(headers: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k.lower() not in ("content-length", "host")}


def cancelled(company: Company, place: Place) -> str:
    (item,) = box_of(company, place).items.values()
    company.tenant.act("cancel", room=place.address, iCalUId=item.uid)
    return item.uid


def test_a_create_that_arrives_after_a_person_deleted_what_another_try_had_made(
    company: Company, hall: Place
) -> None:
    """Seed 1046: an old worker that woke up made it again, and the person's act was undone."""
    create = create_of(company)
    uid = cancelled(company, hall)
    late, count = MADE.subn(b"<t:Value>" + b"0" * 32 + b"</t:Value>", create.body)
    assert count == 1
    arrives(company, create, late)
    assert [one.uid for one in box_of(company, hall).items.values()] == [uid]
    company.sync(hall)
    assert subjects(company, hall) == []
    assert [one["bookingStatus"] for one in company.bookings(hall)] == []
    company.at_rest(hall)


def test_it_arrives_when_the_booking_has_been_cancelled_already(
    company: Company, hall: Place
) -> None:
    create = create_of(company)
    cancelled(company, hall)
    company.sync(hall)
    arrives(company, create, MADE.sub(b"<t:Value>" + b"0" * 32 + b"</t:Value>", create.body))
    company.sync(hall)
    assert subjects(company, hall) == []
    assert [one["bookingStatus"] for one in company.bookings(hall)] == []
    company.at_rest(hall)


def test_what_bears_the_mark_of_the_one_thrown_away_was_made_anew(
    company: Company, hall: Place
) -> None:
    """Exchange, or another connector, deleted it and made it again: the booking stays."""
    create = create_of(company)
    cancelled(company, hall)
    arrives(company, create, create.body)
    company.sync(hall)
    assert subjects(company, hall) == ["One"]
    assert [one["bookingStatus"] for one in company.bookings(hall)] == ["confirmed"]
    company.at_rest(hall)


def test_who_restores_the_one_thrown_away_gets_it_back(company: Company, hall: Place) -> None:
    """What calsync itself removed as late is no evidence against it."""
    create, box = create_of(company), box_of(company, hall)
    (item,) = box.items.values()
    cancelled(company, hall)
    arrives(company, create, MADE.sub(b"<t:Value>" + b"0" * 32 + b"</t:Value>", create.body))
    company.sync(hall)
    company.tenant.clock.forward(minutes=5)
    company.tenant.server.control.world.put(box, item)
    company.sync(hall)
    assert subjects(company, hall) == ["One"]
    assert [one["bookingStatus"] for one in company.bookings(hall)] == ["confirmed"]
    company.at_rest(hall)
