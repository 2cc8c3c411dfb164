"""A room whose bookings are meetings in the calendars of the people who book, and what these
calendars hold by the sandbox's own store."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from calsync.adapters.hub.desk import Precondition
from calsync.model import Link
from tests.scenarios.fault_kit import Company, Office, Taken, company, day, office

__all__ = [
    "Person",
    "answers",
    "asking",
    "company",
    "link_of",
    "person",
    "slow",
    "stands",
    "tomorrow",
]

_people = itertools.count(1)


class Person:
    """A person with a mailbox, who books on the platform and works in Outlook."""

    def __init__(self, firm: Company) -> None:
        self.firm = firm
        self.address = f"person-{next(_people):03}@contoso.example"
        firm.control("POST", "people", {"address": self.address, "name": "Eve"})

    def book(self, made: Office, start: datetime, room: str = "hall", **more: Any) -> str:
        """On the platform; the id of the booking."""
        who = {"name": "Eve", "email": self.address}
        return made.booking(room, start, **{"bookedBy": who, **more})

    def items(self) -> list[dict[str, Any]]:
        """Single events and series in the calendar, whole."""
        found = self.firm.control("GET", f"rooms/{self.address}/items")["value"]
        return [one["event"] for one in found]

    def taken(self) -> Counter[Taken]:
        return self.firm.taken(self.address)

    def meeting(self) -> dict[str, Any]:
        (one,) = self.items()
        return one

    def outlook(self, kind: str, **raw: Any) -> dict[str, Any]:
        """An act on the one meeting in the calendar."""
        raw = {"person": self.address, "id": self.meeting()["id"], **raw}
        done: dict[str, Any] = self.firm.act(kind, **raw)
        return done

    def move(self, start: datetime, minutes: int = 60) -> None:
        end = start + timedelta(minutes=minutes)
        self.outlook("move", start=f"{start:%Y-%m-%dT%H:%M:%SZ}", end=f"{end:%Y-%m-%dT%H:%M:%SZ}")


def person(firm: Company) -> Person:
    return Person(firm)


@contextmanager
def asking(
    firm: Company, folder: Path, *, fallback: str = "refuse", processing: Any = None, **more: Any
) -> Iterator[tuple[Office, str]]:
    """An imported room ``hall`` with ``write_as = "organizer"``, and its mailbox."""
    folder.mkdir(exist_ok=True)
    mailbox = firm.new_room(**({"processing": processing} if processing else {}))
    extra = f'write_as = "organizer"\norganizer_fallback = "{fallback}"'
    more = {"titles": True, "rooms": {"hall": mailbox}, "exchange": firm.exchange, **more}
    with office(firm, folder, extra=extra, **more) as made:
        yield made, mailbox


_CALLS = {
    ("graph", "create"): ("POST", "{}/events"),
    ("graph", "read"): ("GET", "{}"),
    ("graph", "write"): ("POST|PATCH", "{}/events"),
    ("ews", "write"): ("CreateItem|UpdateItem", "{}"),
    ("graph", "any"): (".*", "{}"),
    ("ews", "create"): ("CreateItem", "{}"),
    ("ews", "read"): ("GetItem|FindItem|GetFolder", "{}"),
    ("ews", "any"): (".*", "{}"),
}


def strike(firm: Company, kind: str, who: Person | str, what: str = "any", **more: Any) -> None:
    """Arm a fault for what calsync does in a person's calendar: ``create``, ``write``, ``read`` or
    anything.
    ``who``: the person, or a pattern of addresses."""
    method, path = _CALLS[firm.exchange, what]
    address = who if isinstance(who, str) else who.address
    firm.fault(kind, path.format(address), method=method, **more)


@contextmanager
def slow(firm: Company, seconds: float = 3600.0) -> Iterator[None]:
    """The booking attendant takes its time."""
    firm.control("POST", "switches", {"attendant_delay_s": seconds})
    try:
        yield
    finally:
        firm.control("POST", "switches", {"attendant_delay_s": 0.0})


def answers(firm: Company, room: str, who: Person, answer: str) -> None:
    """A delegate of the room answers the one request of a person by hand."""
    firm.act("answer", room=room, iCalUId=who.meeting()["iCalUId"], answer=answer)


def link_of(made: Office, booking: str) -> Link:
    (found,) = [
        link for link in made.home.store.links(made.pair("hall").id) if link.booking.key == booking
    ]
    return found


def patch(made: Office, booking: str, **changed: object) -> None:
    """A change on the platform."""
    said = {
        name: f"{value:%Y-%m-%dT%H:%M:%S}" if isinstance(value, datetime) else value
        for name, value in changed.items()
    }
    made.home.bookings.patch(booking, said, Precondition())


def stands(start: datetime, minutes: int = 60) -> Counter[Taken]:
    """The one time that is taken."""
    return Counter({(start, start + timedelta(minutes=minutes)): 1})


def tomorrow(hour: int = 0) -> datetime:
    return day(3) + timedelta(hours=hour)
