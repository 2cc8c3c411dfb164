"""Rooms of one company for scenarios of series, and what every scenario must end in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from calsync.engine.context import Span
from tests.support.company import Company, Instance, Place, a_company, a_tenant, differences

ANN = "ann@contoso.example"
BERLIN = ("Europe/Berlin", "W. Europe Standard Time")
LOW, HIGH = date(2026, 1, 1), date(2029, 1, 1)
#: Nothing of Exchange's booking rules is in the way of a series, and titles stay.
OPEN = {
    "BookingWindowInDays": 1080,
    "MaximumDurationInMinutes": 0,
    "DeleteSubject": False,
    "AddOrganizerToSubject": False,
}
_rooms = itertools.count(1)


class Scene:
    """One company; each scenario takes a room of its own."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.tenant = company.tenant

    def room(self, zone: tuple[str, str] = BERLIN) -> Stage:
        name = f"series-{next(_rooms)}"
        iana, label = zone
        place = self.company.add_room(name, zone=iana, label=label, processing=OPEN)
        self.company.sync(place)
        return Stage(self.company, place)


class Stage:
    """A room, with hands on both sides."""

    def __init__(self, company: Company, place: Place) -> None:
        self.company, self.place, self.tenant = company, place, company.tenant

    # -- Outlook ------------------------------------------------------------------------------

    def invite(self, start: str, end: str, recurrence: dict[str, Any], **more: Any) -> Any:
        """Ann invites the room to a series; her mailbox is in Berlin's zone."""
        raw = {"person": ANN, "room": self.place.address, "subject": "Plan", **more}
        made = self.tenant.act("recur", start=start, end=end, recurrence=recurrence, **raw)
        assert made["verdict"] == "accepted", made
        return made

    def put(self, start: str, end: str, recurrence: dict[str, Any] | None, **more: Any) -> Any:
        """Somebody with rights writes straight into the room's calendar."""
        raw = {"room": self.place.address, "subject": "Own", **more}
        if recurrence is not None:
            raw["recurrence"] = recurrence
        return self.tenant.act("book_direct", start=start, end=end, **raw)

    def outlook(self, kind: str, made: Any, **raw: Any) -> Any:
        return self.tenant.act(kind, room=self.place.address, iCalUId=made["iCalUId"], **raw)

    def item(self) -> Any:
        """The only item of the room's calendar, as the tenant stores it."""
        (item,) = self.tenant.items(self.place.address)
        return item

    def calendar(self, low: date = LOW, high: date = HIGH) -> list[Instance]:
        return self.tenant.instances(self.place.address, low, high)

    # -- the platform -------------------------------------------------------------------------

    def book(self, **doc: Any) -> Any:
        return self.company.book(self.place, **{"title": "Plan", **doc})

    def platform(self, low: date = LOW, high: date = HIGH) -> list[Instance]:
        return self.company.occupancy(self.place, low, high)

    def booking(self) -> Any:
        (booking,) = self.company.bookings(self.place)
        return booking

    # -- sync ---------------------------------------------------------------------------------

    def settle(self, instances: int) -> list[Instance]:
        """ONE cycle makes both sides equal, with so many instances; then nothing is written."""
        self.company.sync(self.place)
        shown = self.calendar()
        found = differences(shown, self.platform())
        assert found == [], found
        assert len(shown) == instances, (len(shown), shown[:20])
        statuses = {one["bookingStatus"] for one in self.company.bookings(self.place)}
        assert statuses <= {"confirmed"}
        self.company.at_rest(self.place)
        return shown


@contextmanager
def a_scene(folder: Path, **switches: Any) -> Iterator[Scene]:
    with a_tenant(**switches) as tenant, a_company(folder, tenant, span=Span()) as company:
        tenant.control("POST", "people", {"address": ANN, "name": "Ann", "zone": BERLIN[1]})
        yield Scene(company)


def weekly(first: str, *days: str, number: int | None = None, **more: Any) -> dict[str, Any]:
    """Graph's weekly pattern; endless without ``number``."""
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": list(days), **more}
    return {"pattern": pattern, "range": _range(first, number)}


def daily(first: str, number: int | None = None, interval: int = 1) -> dict[str, Any]:
    return {"pattern": {"type": "daily", "interval": interval}, "range": _range(first, number)}


def _range(first: str, number: int | None) -> dict[str, Any]:
    if number is None:
        return {"type": "noEnd", "startDate": first}
    return {"type": "numbered", "startDate": first, "numberOfOccurrences": number}


def starts(instances: list[Instance]) -> list[str]:
    return [one.start for one in instances]
