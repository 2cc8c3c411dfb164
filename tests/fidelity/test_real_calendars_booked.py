"""Real calendars booked by the platform's API as its own, one booking a UID, and carried into
an empty tenant: what Graph cannot say as one series is cut by calsync itself here.

The files are read by ``icalendar`` alone; the expected instances are those of the sandbox's own
loader. The files stay outside the repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from tests.fidelity.test_real_calendars import BERLIN, FILES, HIGH, HOMES, LOW, SPAN, pytestmark
from tests.support.company import Company, Place, a_company, a_tenant, differences

__all__ = ["pytestmark"]

WINDOWS = {"GMT Standard Time": "Europe/London"}
names = pytest.mark.parametrize("name", [file.stem for file in FILES])
_OVERRIDDEN = ("showWithoutTime", "start", "duration", "freeBusyStatus", "privacy", "title")


@dataclass(slots=True)
class Booked:
    """A file's room, a room of the tenant that has the file itself, and what was said of parts."""

    place: Place
    model: str
    parts: dict[str, int]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("booked")
    with ExitStack() as ends:
        yield ends.enter_context(a_company(folder, ends.enter_context(a_tenant()), span=SPAN))


@pytest.fixture(scope="module")
def booked(company: Company) -> dict[str, Booked]:
    return {file.stem: _booked(company, number, file) for number, file in enumerate(FILES)}


def _booked(company: Company, number: int, file: Path) -> Booked:
    zone, label = HOMES.get(file.stem, BERLIN)
    place = company.add_room(f"own-{number}", zone=zone, label=label)
    model = f"model-{number}@contoso.example"
    company.tenant.control("POST", "rooms", {"address": model, "zone": label})
    company.tenant.load(model, file.read_bytes())
    for wish in File(file.read_bytes(), zone).bookings():
        company.import_booking(place, wish)
    company.sync(place)
    with company.home.hub.read() as tx:
        held = tx.live_bookings([place.id], SPAN.window(company.home.clock.now()))
    return Booked(place, model, {one.uid: len(one.parts) for one in held if one.parts})


@names
def test_the_tenant_has_every_instance(
    company: Company, booked: dict[str, Booked], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = booked[name]
    with capsys.disabled():
        for uid, parts in found.parts.items():
            print(f"\n{name}: {uid[:40]} carried as {parts} items")
    wanted = company.tenant.instances(found.model, LOW, HIGH)
    assert wanted
    assert differences(wanted, company.tenant.instances(found.place.address, LOW, HIGH)) == []
    assert differences(wanted, company.occupancy(found.place, LOW, HIGH)) == []
    held = company.bookings(found.place)
    assert {(one["origin"], one["bookingStatus"]) for one in held} == {("booking", "confirmed")}


@names
def test_then_it_rests(company: Company, booked: dict[str, Booked], name: str) -> None:
    company.at_rest(booked[name].place)


def test_only_what_graph_cannot_say_is_cut(booked: dict[str, Booked]) -> None:
    cut = {name: sorted(one.parts.values()) for name, one in booked.items() if one.parts}
    assert cut == {"after_many_events_in_order": [2], "same_event_recurring_at_same_time": [5]}


# --- a file as bookings ------------------------------------------------------------------------


class File:
    """One booking a UID, in the JSON of the booking API."""

    def __init__(self, text: bytes, home: str) -> None:
        calendar = Calendar.from_ical(text)
        zones = [str(one["TZID"]) for one in calendar.walk("VTIMEZONE")]
        self.home = WINDOWS.get(zones[0], zones[0]) if zones else home
        self.masters: dict[str, Any] = {}
        self.changes: dict[str, list[Any]] = {}
        for event in calendar.walk("VEVENT"):
            uid = str(event["UID"])
            if "RECURRENCE-ID" in event:
                self.changes.setdefault(uid, []).append(event)
            else:
                assert uid not in self.masters
                self.masters[uid] = event

    def bookings(self) -> list[dict[str, Any]]:
        assert self.changes.keys() <= self.masters.keys()
        return [self._booking(uid, event) for uid, event in self.masters.items()]

    def _booking(self, uid: str, event: Any) -> dict[str, Any]:
        doc = {**self._plain(event), "uid": uid}
        if "RRULE" not in event:
            return doc
        doc["rrule"] = event["RRULE"].to_ical().decode()
        zone, start = doc["timeZone"] or self.home, datetime.fromisoformat(doc["start"])
        patches: dict[str, Any] = {}
        dropped = event.get("EXDATE", [])
        for group in dropped if isinstance(dropped, list) else [dropped]:
            for one in group.dts:
                patches[self._slot(one.dt, start, zone)] = {"excluded": True}
        for change in self.changes.get(uid, ()):
            own = self._plain(change, zone)
            slot = self._slot(change["RECURRENCE-ID"].dt, start, zone)
            patches[slot] = {name: own[name] for name in _OVERRIDDEN}
        return {**doc, "recurrenceOverrides": patches} if patches else doc

    def _slot(self, value: date | datetime, start: datetime, zone: str) -> str:
        day = value
        if isinstance(value, datetime):
            day = value.astimezone(ZoneInfo(zone)).date() if value.tzinfo else value.date()
        return datetime.combine(day, start.time()).isoformat()

    def _plain(self, event: Any, zone: str | None = None) -> dict[str, Any]:
        """``zone``: wall times are wanted in it."""
        first = event["DTSTART"]
        all_day = not isinstance(first.dt, datetime)
        own = first.params.get("TZID")
        name = "Etc/UTC" if own is None and not all_day and first.dt.tzinfo else own or self.home
        name = WINDOWS.get(name, name)
        start, end = self._wall(first, name), self._wall(event.get("DTEND", first), name)
        if all_day and end == start:
            end += timedelta(days=1)
        if zone is not None and not all_day and name != zone:
            start, end = (
                at.replace(tzinfo=ZoneInfo(name)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
                for at in (start, end)
            )
        minutes = (end - start) // timedelta(minutes=1)
        status = str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", ""))
        free = status == "FREE" or str(event.get("TRANSP", "")) == "TRANSPARENT"
        return {
            "title": str(event.get("SUMMARY", "")),
            "start": start.isoformat(),
            "timeZone": None if all_day else name,
            "duration": f"P{(end - start).days}D" if all_day else f"PT{minutes}M",
            "showWithoutTime": all_day,
            "freeBusyStatus": "free" if free else "busy",
            "privacy": "private" if str(event.get("CLASS", "")) == "PRIVATE" else "public",
        }

    def _wall(self, prop: Any, zone: str) -> datetime:
        if not isinstance(prop.dt, datetime):
            return datetime.combine(prop.dt, time())
        if prop.params.get("TZID") is None and prop.dt.tzinfo is not None:
            return prop.dt.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        return prop.dt.replace(tzinfo=None)
