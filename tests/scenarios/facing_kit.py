"""Two calsyncs that face each other: A holds the bookings and works on one Exchange, B polls A's
booking API and works on another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from calsync.adapters.wrap.logged import CallCounts
from calsync.engine.context import Span
from tests.scenarios.series_kit import ANN, BERLIN, HIGH, LOW, OPEN
from tests.support.company import (
    Company,
    Instance,
    Place,
    a_company,
    a_tenant,
    differences,
)

ROOM = "hall"


def polling(folder: Path, url: str, token: str) -> str:
    """The section of B's settings."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "token"
    path.write_text(token, encoding="utf-8")
    path.chmod(0o600)
    return f'[booking]\nkind = "http"\nbase_url = "{url}"\ntoken_file = "{path}"'


@dataclass(slots=True)
class Facing:
    """The two, with one room."""

    a: Company
    b: Company
    at_a: Place
    at_b: Place

    # --- what everybody sees ---

    def shown(self, low: date = LOW, high: date = HIGH) -> list[Instance]:
        """All three stores, equal; what they show."""
        one = self.a.tenant.instances(self.at_a.address, low, high)
        two = self.b.tenant.instances(self.at_b.address, low, high)
        platform = self.a.occupancy(self.at_a, low, high)
        assert differences(one, platform) == [], differences(one, platform)
        assert differences(two, platform) == [], differences(two, platform)
        return platform

    def cycle(self) -> int:
        """One cycle of each, B first; how many effects they had."""
        effects = 0
        for company, place in ((self.b, self.at_b), (self.a, self.at_a)):
            report = company.cycle(place)
            assert not report.error, (company is self.a, report.error)
            effects += report.effects
        return effects

    def settle(self, instances: int, *, rounds: int = 6) -> list[Instance]:
        """Both come to rest, show so many instances, and nothing of it comes back as an echo."""
        for _ in range(rounds):
            if not self.cycle():
                break
        else:
            raise AssertionError("they do not come to rest")
        found = self.shown()
        assert len(found) == instances, (len(found), found[:20])
        statuses = {one["bookingStatus"] for one in self.a.bookings(self.at_a)}
        assert statuses <= {"confirmed"}, statuses
        self.quiet()
        return found

    def quiet(self) -> None:
        """Cycles of both, quick and full, write nothing anywhere."""
        before, number = self.writes(), self.a.numbers()
        for full in (False, True, False):
            for company, place in ((self.a, self.at_a), (self.b, self.at_b)):
                report = company.sync(place, full=full)
                assert (report.effects, report.conflicts) == (0, [])
        assert self.writes() == before
        assert self.a.numbers() == number

    def writes(self) -> tuple[int, int, int]:
        """Writes so far: at A's Exchange, at B's, and of B at A's API."""
        return len(self.a.tenant.writes()), len(self.b.tenant.writes()), self.calls().writes

    def calls(self) -> CallCounts:
        assert self.b.system.remote is not None
        return self.b.system.remote.calls.counts()

    # --- people ---

    def invite(self, company: Company, start: str, end: str, **raw: Any) -> Any:
        """Ann invites the room, in that company's Outlook."""
        kind = "recur" if "recurrence" in raw else "book"
        place = self.at_a if company is self.a else self.at_b
        raw = {"person": ANN, "room": place.address, "subject": "Plan", **raw}
        return company.tenant.act(kind, start=start, end=end, **raw)

    def put(self, company: Company, start: str, end: str, **raw: Any) -> Any:
        """Somebody with rights writes straight into the room's calendar."""
        place = self.at_a if company is self.a else self.at_b
        raw = {"room": place.address, "subject": "Own", **raw}
        return company.tenant.act("book_direct", start=start, end=end, **raw)

    def outlook(self, company: Company, kind: str, made: Any, **raw: Any) -> Any:
        place = self.at_a if company is self.a else self.at_b
        return company.tenant.act(kind, room=place.address, iCalUId=made["iCalUId"], **raw)

    def book(self, **doc: Any) -> Any:
        return self.a.book(self.at_a, **{"title": "Plan", "duration": "PT1H", **doc})


@contextmanager
def facing(folder: Path, *, titles: bool = True) -> Iterator[Facing]:
    """A room that both have imported, at rest and empty."""
    with ExitStack() as ends:
        one = ends.enter_context(a_tenant())
        a = ends.enter_context(a_company(folder / "a", one, span=Span()))
        b = ends.enter_context(second(folder / "b", a))
        for company in (a, b):
            person = {"address": ANN, "name": "Ann", "zone": BERLIN[1]}
            company.tenant.control("POST", "people", person)
        zone, label = BERLIN
        at_a = a.add_room(ROOM, zone=zone, label=label, titles=titles, processing=OPEN)
        at_b = b.add_room(ROOM, zone=zone, label=label, titles=titles, processing=OPEN)
        made = Facing(a, b, at_a, at_b)
        made.settle(0)
        yield made


@contextmanager
def second(folder: Path, a: Company) -> Iterator[Company]:
    """B, on an Exchange of its own."""
    scopes = ("rooms:read", "busy:read", "bookings:read", "bookings:write", "bookings:mirror")
    token = a.home.bookings.tokens.create("b", (*scopes, "details:read"))[1]
    more = polling(folder, a.api.url, token)
    with a_tenant(clock=a.tenant.clock) as two, a_company(folder, two, span=Span(), more=more) as b:
        yield b
