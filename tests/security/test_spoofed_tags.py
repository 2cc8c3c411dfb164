"""The confused deputy: somebody writes our tag, or another's uid, onto an event of their own, so
that calsync would change or remove what belongs to others. Over real HTTP, on the whole product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.graph.box import TAG_PROPERTY
from calsync.adapters.shared.seal import Seal
from calsync.model import Link, Presence
from calsync.sandbox.items import Item
from tests.support.company import Company, Place, Tenant, a_company, a_tenant

VICTIM, MALLORY = "victim@contoso.example", "mallory@contoso.example"
ZONE = "W. Europe Standard Time"
BOOKED = {"start": "2026-12-01T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"}
BOOKED_BY = {"name": "Victim", "email": VICTIM}


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with a_tenant() as made:
        for address in (VICTIM, MALLORY):
            made.control("POST", "people", {"address": address, "name": address, "zone": ZONE})
        yield made


@pytest.fixture
def firm(tenant: Tenant, tmp_path: Path) -> Iterator[Company]:
    with a_company(tmp_path, tenant) as made:
        yield made
        tenant.control("DELETE", "faults")


_numbers = iter(range(1000))


@pytest.fixture
def room(firm: Company) -> Place:
    return a_room(firm)


def a_room(firm: Company) -> Place:
    place = firm.add_room(f"spoof-{next(_numbers)}", zone="Europe/Berlin", label=ZONE)
    firm.sync(place)
    return place


# --- hands -----------------------------------------------------------------------------------


def items(firm: Company, place: Place) -> list[Item]:
    box = firm.tenant.server.control.world.box(place.address)
    assert box is not None
    return [one for one in box.items.values() if one.live]


def plant(firm: Company, place: Place, item: Item, **members: Any) -> Item:
    """A new item in the mailbox, as ``item`` but for these members."""
    server = firm.tenant.server
    world = server.control.world
    with server.lock:
        box = world.box(place.address)
        assert box is not None
        members = {"key": world.new_key(), "uid": world.new_uid(), "created": 0, **members}
        return world.put(box, replace(item, **members))


def invite(firm: Company, place: Place, *, hour: int = 9, **members: Any) -> Item:
    """Mallory invites the room; ``members`` are what only a hostile client can set."""
    done = firm.tenant.act(
        "book",
        person=MALLORY,
        room=place.address,
        subject="Mallory",
        start=f"2026-12-01T{hour:02}:00:00",
        end=f"2026-12-01T{hour + 1:02}:00:00",
        zone=ZONE,
    )
    server = firm.tenant.server
    with server.lock:
        world = server.control.world
        box = world.box(place.address)
        assert box is not None
        copy = next(one for one in box.items.values() if one.uid == done["iCalUId"])
        return world.put(box, replace(copy, **members))


def remove(firm: Company, place: Place, item: Item) -> None:
    server = firm.tenant.server
    with server.lock:
        box = server.control.world.box(place.address)
        assert box is not None
        server.control.world.drop(box, item.key)


def settle(firm: Company, place: Place) -> None:
    for _ in range(6):
        report = firm.cycle(place)
        if not (report.error or report.effects or report.unsettled or report.observed):
            return
    raise AssertionError(report)


def waiting(firm: Company, place: Place, **doc: Any) -> tuple[Any, Link]:
    """A booking whose event cannot be made just now, and its link."""
    refused = {"kind": "permission_removed", "method": "POST", "path": "events", "count": None}
    firm.tenant.control("POST", "faults", refused)
    made = firm.book(place, **BOOKED, bookedBy=BOOKED_BY, **doc)
    firm.cycle(place)
    (link,) = [lk for lk in firm.home.store.links(place.pair.id) if lk.booking.key == made["id"]]
    assert link.event.presence is Presence.NEVER
    return made, link


def lives(firm: Company, booking: Any) -> Any:
    now = firm.ok("GET", f"/bookings/{booking['id']}")
    assert now["bookingStatus"] in ("pending", "confirmed"), now
    for member in ("start", "duration", "uid", "bookedBy"):
        assert now[member] == booking[member], member
    return now


def marked(text: str) -> dict[str, Any]:
    """Our mark as Exchange keeps it: the transactionId, and the extended property."""
    name = TAG_PROPERTY
    return {"transaction_id": f"cs1-{text}", "tags": {name.lower(): (name, text)}}


def of_copy(item: Item) -> dict[str, Any]:
    return {"transaction_id": item.transaction_id, "tags": item.tags}


# --- an event of our own is copied -----------------------------------------------------------


@pytest.mark.parametrize("whole", [True, False], ids=["with transactionId", "as Outlook copies"])
def test_a_copied_event_is_a_booking_of_its_own(firm: Company, room: Place, whole: bool) -> None:
    made = firm.book(room, **BOOKED, bookedBy=BOOKED_BY)
    settle(firm, room)
    (ours,) = items(firm, room)
    assert ours.transaction_id is not None
    assert ours.tags, "it bears our mark"
    later = replace(ours.when, **{n: getattr(ours.when, n).replace(hour=16) for n in _TIMES})
    members = {} if whole else {"transaction_id": None}
    copy = plant(firm, room, ours, when=later, **members)
    settle(firm, room)
    assert len(firm.bookings(room)) == 2
    remove(firm, room, copy)
    settle(firm, room)
    lives(firm, made)
    assert [one.key for one in items(firm, room)] == [ours.key]


_TIMES = ("start", "end", "start_utc", "end_utc")


def test_a_cancelled_booking_takes_its_own_event_and_no_copy(firm: Company, room: Place) -> None:
    made = firm.book(room, **BOOKED, bookedBy=BOOKED_BY)
    settle(firm, room)
    (ours,) = items(firm, room)
    later = replace(ours.when, **{n: getattr(ours.when, n).replace(hour=16) for n in _TIMES})
    copy = plant(firm, room, ours, when=later)
    settle(firm, room)
    firm.cancel(made)
    settle(firm, room)
    assert [one.key for one in items(firm, room)] == [copy.key]


def test_a_copy_into_another_room_concerns_that_room_only(firm: Company, room: Place) -> None:
    """It names a link of the first room, at the very time that this one holds there."""
    made = firm.book(room, **BOOKED, bookedBy=BOOKED_BY)
    settle(firm, room)
    (ours,) = items(firm, room)
    other = a_room(firm)
    copy = plant(firm, other, ours)
    settle(firm, other)
    (booked,) = firm.bookings(other)
    assert booked["bookingStatus"] == "confirmed"
    assert firm.home.reports.conflicts(other.pair.id) == [], "no clash with another room's booking"
    remove(firm, other, copy)
    settle(firm, other)
    settle(firm, room)
    lives(firm, made)
    assert [one.key for one in items(firm, room)] == [ours.key]


# --- a tag is invented -----------------------------------------------------------------------

INVENTED = {
    "the id alone": lambda link, room: link.id,
    "of another installation": lambda link, room: Seal(b"mallory").close(room.address, link.id),
    "of another room": lambda link, room: Seal(b"mallory").close("x@contoso.example", link.id),
    "a guessed code": lambda link, room: f"{link.id}-00000000-0000000000000000",
}


@pytest.mark.parametrize("text", INVENTED)
@pytest.mark.parametrize(
    "direct", [True, False], ids=["in the room's calendar", "as an invitation"]
)
def test_an_invented_tag_gets_hold_of_no_booking(
    firm: Company, room: Place, text: str, direct: bool
) -> None:
    made, link = waiting(firm, room)
    mark = marked(INVENTED[text](link, room))
    spoofed = invite(firm, room, hour=14, **mark)
    if direct:
        remove(firm, room, spoofed)
        own = {"own": True, "organizer": replace(spoofed.organizer, address=room.address)}
        spoofed = plant(firm, room, spoofed, **own)
    firm.tenant.control("DELETE", "faults")
    settle(firm, room)
    now = lives(firm, made)
    assert now["bookingStatus"] == "confirmed"
    assert len(items(firm, room)) == 2, "the booking got an event of its own"
    remove(firm, room, spoofed)
    settle(firm, room)
    lives(firm, made)
    assert len(items(firm, room)) == 1


def test_even_a_good_seal_on_an_invitation_is_no_tag(firm: Company, room: Place) -> None:
    """What the room does not own we did not write. (Somebody read the database, say.)"""
    made, link = waiting(firm, room)
    seal = firm.system.links["contoso"].side._seal
    spoofed = invite(firm, room, hour=14, **marked(seal.close(room.address, link.id)))
    firm.tenant.control("DELETE", "faults")
    settle(firm, room)
    lives(firm, made)
    assert len(items(firm, room)) == 2
    remove(firm, room, spoofed)
    settle(firm, room)
    lives(firm, made)


def test_a_write_in_doubt_finds_our_event_and_not_its_copy(firm: Company, room: Place) -> None:
    """The reply to the create is lost; before it is looked up, somebody copies the event."""
    firm.tenant.control(
        "POST", "faults", {"kind": "reply_lost", "method": "POST", "path": "events", "count": 1}
    )
    made = firm.book(room, **BOOKED, bookedBy=BOOKED_BY)
    firm.cycle(room)
    (ours,) = items(firm, room)
    early = replace(ours.when, **{n: getattr(ours.when, n).replace(hour=6) for n in _TIMES})
    # Older than ours, and first in every list.
    copy = plant(firm, room, ours, when=early, transaction_id=None, created=1)
    box = firm.tenant.server.control.world.box(room.address)
    assert box is not None
    box.items[ours.key] = box.items.pop(ours.key)
    settle(firm, room)
    assert len(firm.bookings(room)) == 2
    lives(firm, made)
    remove(firm, room, copy)
    settle(firm, room)
    lives(firm, made)
    assert [one.key for one in items(firm, room)] == [ours.key]


def test_the_platform_cannot_write_a_tag_at_all(firm: Company, room: Place) -> None:
    for member in ("tag", "madeBy", "made_by", "linkId", "transactionId"):
        answer = firm.call("POST", f"/rooms/{room.id}/bookings", {**BOOKED, member: "x"})
        assert answer.status_code == 422


# --- a uid is borrowed -----------------------------------------------------------------------


@pytest.mark.parametrize("hour", [9, 14], ids=["same time", "another time"])
def test_an_invitation_under_the_uid_of_anothers_booking(
    firm: Company, room: Place, hour: int
) -> None:
    """Mallory knows the uid (an invitation to the same meeting bears it), and cancels later."""
    made, _ = waiting(firm, room, uid="known-uid")
    spoofed = invite(firm, room, hour=hour, uid="known-uid")
    firm.tenant.control("DELETE", "faults")
    settle(firm, room)
    now = lives(firm, made)
    assert now["editable"], "it is not Mallory's meeting"
    if any(one.key == spoofed.key for one in items(firm, room)):
        remove(firm, room, spoofed)
    settle(firm, room)
    now = lives(firm, made)
    assert now["bookingStatus"] == "confirmed"


def test_the_platforms_own_invitation_under_its_uid_is_one_booking(
    firm: Company, room: Place
) -> None:
    made, link = waiting(firm, room, uid="one-uid")
    assert link.booking.uid == "one-uid"
    copy = invite(firm, room, uid="one-uid")
    with firm.tenant.server.lock:
        world = firm.tenant.server.control.world
        box = world.box(room.address)
        assert box is not None
        world.put(box, replace(copy, organizer=replace(copy.organizer, address=VICTIM)))
    firm.tenant.control("DELETE", "faults")
    settle(firm, room)
    assert len(items(firm, room)) == 1
    (booked,) = firm.bookings(room)
    assert booked["id"] == made["id"]
    assert booked["bookingStatus"] == "confirmed"
