"""The whole product end to end: a sandbox tenant over real HTTP, calsync on a SQLite database
of its own, and its booking API over real HTTP. Every call to the tenant is kept for judging."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import requests

from calsync import bootstrap
from calsync.adapters.hub.tokens import SCOPES
from calsync.api.app import create_app
from calsync.api.server import ApiServer
from calsync.engine.calls import run_inline
from calsync.engine.context import Span
from calsync.engine.cycle import CycleReport, cycle
from calsync.mapping.booking import read_wish
from calsync.mapping.fingerprint import fingerprint
from calsync.model import Pair, Room
from calsync.sandbox import (
    DEFAULT_CLIENT,
    DEFAULT_DOMAIN,
    DEFAULT_SECRET,
    DEFAULT_TENANT,
    Response,
    SandboxServer,
    create_sandbox,
)
from calsync.sandbox.ews.accounts import DEFAULT_PASSWORD, DEFAULT_USER
from calsync.settings import parse
from tests.support import front

DOMAIN = "contoso.example"
START = datetime(2026, 11, 20, 8, tzinfo=UTC)
LIVE = ("pending", "confirmed")


class RunningClock:
    """Begins at START whenever the test runs, goes as time goes, and can be put forward."""

    def __init__(self) -> None:
        self._ahead = START - datetime.now(UTC)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def now(self) -> datetime:
        return self()

    def monotonic(self) -> float:
        return time.monotonic()

    def forward(self, **span: float) -> None:
        self._ahead += timedelta(**span)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call to the tenant: what was sent and what came back."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    response: Response


class Instance(NamedTuple):
    """One expanded occurrence, said alike by the tenant and by the booking API (UTC instants)."""

    start: str
    end: str
    all_day: bool
    shown: str
    private: bool
    title: str


class Tenant:
    """A sandbox tenant on loopback, and its control interface over HTTP."""

    def __init__(self, *, clock: RunningClock | None = None, **switches: Any) -> None:
        self.clock = clock or RunningClock()
        self.server = SandboxServer(create_sandbox(seed=1, clock=self.clock))
        self.exchanges: list[Exchange] = []
        answer = self.server.answer

        def kept(method: str, target: str, headers: dict[str, str], body: bytes) -> Response:
            response = answer(method, target, headers, body)
            if "/_sandbox/" not in target:
                self.exchanges.append(Exchange(method, target, headers, body, response))
            return response

        self.server.answer = kept  # type: ignore[method-assign]  # a tap, for judging
        self.server.start()
        self.session = requests.Session()
        self.session.trust_env = False
        if switches:
            self.control("POST", "switches", switches)

    def close(self) -> None:
        self.session.close()
        self.server.stop()
        assert self.server.failures == []

    @property
    def url(self) -> str:
        return self.server.url

    def control(
        self, method: str, path: str, body: Any = None, /, data: bytes | None = None
    ) -> Any:
        answer = self.session.request(
            method, f"{self.url}/_sandbox/{path}", json=body, data=data, timeout=30
        )
        assert answer.ok, (path, answer.text)
        return answer.json()

    def act(self, kind: str, **raw: Any) -> Any:
        """A person's act in Outlook."""
        return self.control("POST", "acts", {"kind": kind, **raw})

    def load(self, address: str, text: bytes) -> Any:
        """A calendar file into a room's calendar."""
        return self.control("POST", f"rooms/{address}/ics", data=text)

    def items(self, address: str) -> list[Any]:
        found: list[Any] = self.control("GET", f"rooms/{address}/items")["value"]
        return found

    def instances(self, address: str, start: date, end: date) -> list[Instance]:
        """The tenant's own expansion: live instances that touch the span, sorted."""
        span = f"start={start.isoformat()}T00:00:00Z&end={end.isoformat()}T00:00:00Z"
        rows = self.control("GET", f"rooms/{address}/instances?{span}")["value"]
        return sorted(
            Instance(
                row["start"],
                row["end"],
                row["isAllDay"],
                row["showAs"],
                row["sensitivity"] != "normal",
                row["subject"].strip() if row["sensitivity"] == "normal" else "",
            )
            for row in rows
        )

    def writes(self) -> list[str]:
        """What was changed through either front so far, oldest first."""
        return [
            f"{one.method} {one.target.partition('/v1.0')[2]}"
            for one in self.exchanges
            if one.method in ("PATCH", "DELETE", "PUT")
            or (one.method == "POST" and "/oauth2/" not in one.target and not _reads(one))
        ]


def _reads(one: Exchange) -> bool:
    """A batch whose parts only read; of SOAP, all but the operations that write."""
    if one.target.lower().endswith("/ews/exchange.asmx"):
        return re.search(rb"[<:](Create|Update|Delete|Move|Send)Item\b", one.body) is None
    return one.target.endswith("/$batch") and b'"method": "GET"' in one.body


@dataclass(slots=True)
class Place:
    """A room of the platform with its mailbox and pair."""

    id: str
    address: str
    zone: str
    pair: Pair


@dataclass(slots=True)
class Company:
    """One calsync with its hub, and the tenant it works on."""

    tenant: Tenant
    system: bootstrap.System
    api: ApiServer
    session: requests.Session
    places: dict[str, Place] = field(default_factory=dict)
    text: str = ""

    @property
    def home(self) -> bootstrap.Home:
        return self.system.home

    # -- rooms ------------------------------------------------------------------------------

    def add_room(
        self, room_id: str, *, zone: str, label: str, titles: bool = True, **more: Any
    ) -> Place:
        """A room on both sides, mapped. ``zone``: IANA; ``label``: what the mailbox calls it."""
        address = f"{room_id}@{DOMAIN}"
        self.tenant.control(
            "POST", "rooms", {"address": address, "name": room_id, "zone": label, **more}
        )
        if self.system.remote is None:
            self.home.bookings.put_room(Room(id=room_id, name=room_id, zone=zone))
        else:
            bootstrap.take_in_rooms(self.system)
        pair = bootstrap.map_room(self.home, room_id=room_id, mailbox=address, titles=titles)
        place = self.places[room_id] = Place(room_id, address, zone, pair)
        return place

    # -- sync -------------------------------------------------------------------------------

    def cycle(self, place: Place, *, full: bool = False) -> CycleReport:
        return run_inline(cycle(self.system.context, place.pair, full=full))

    def sync(self, place: Place, *, full: bool = False) -> CycleReport:
        """One cycle that must leave nothing open."""
        report = self.cycle(place, full=full)
        assert not report.error, report.error
        assert not report.unsettled, report
        return report

    def numbers(self) -> int:
        """The last change number of the hub: grows with every write to it."""
        with self.home.hub.read() as tx:
            return tx.numbers()[0]

    def at_rest(self, place: Place) -> None:
        """Cycles, quick and full, write nothing on either side."""
        before, number = len(self.tenant.writes()), self.numbers()
        for full in (False, True, False):
            report = self.sync(place, full=full)
            assert (report.effects, report.conflicts) == (0, [])
        assert self.tenant.writes()[before:] == []
        assert self.numbers() == number

    # -- the platform, over HTTP ------------------------------------------------------------

    def call(self, method: str, path: str, doc: Any = None, **headers: str) -> requests.Response:
        return self.session.request(
            method, f"{self.api.url}/v1{path}", json=doc, headers=headers, timeout=30
        )

    def ok(self, method: str, path: str, doc: Any = None, **headers: str) -> Any:
        answer = self.call(method, path, doc, **headers)
        assert answer.ok, (method, path, answer.text)
        return answer.json() if answer.content else None

    def book(self, place: Place, **doc: Any) -> Any:
        return self.ok("POST", f"/rooms/{place.id}/bookings", doc)

    def import_booking(self, place: Place, doc: dict[str, Any]) -> bool:
        """Book as the platform's own; False where the API refuses time that is taken (by others,
        or by the series itself). It is booked as free then and made busy behind the API's back:
        what a platform that allowed double bookings would hold when calsync comes."""
        answer = self.call("POST", f"/rooms/{place.id}/bookings", doc)
        if answer.status_code == 201:
            return True
        refused = answer.json()
        assert refused["code"] == "room-conflict" or "overlap one another" in refused["detail"]
        dates = doc.get("recurrenceOverrides", {})
        patches = {at: {**patch, "freeBusyStatus": "free"} for at, patch in dates.items()}
        free = {**doc, "freeBusyStatus": "free"}
        made = self.book(place, **{**free, **({"recurrenceOverrides": patches} if patches else {})})
        content = read_wish(doc, place.zone).content
        with self.home.hub.write() as tx:
            held = tx.bookings([made["id"]])[made["id"]]
            tx.update([replace(held, content=content, fingerprint=fingerprint(content))])
        return False

    def change(self, booking: Any, **patch: Any) -> Any:
        return self.ok("PATCH", f"/bookings/{booking['id']}", patch, **{"If-Match": "*"})

    def cancel(self, booking: Any) -> None:
        self.ok("DELETE", f"/bookings/{booking['id']}", **{"If-Match": "*"})

    def change_date(self, booking: Any, slot: str, **patch: Any) -> Any:
        path = f"/bookings/{booking['id']}/occurrences/{slot}"
        return self.ok("PATCH", path, patch, **{"If-Match": "*"})

    def drop_date(self, booking: Any, slot: str) -> None:
        path = f"/bookings/{booking['id']}/occurrences/{slot}"
        self.ok("DELETE", path, **{"If-Match": "*"})

    def bookings(self, place: Place) -> list[Any]:
        """All live bookings of the room as the change feed lists them, by start."""
        found: dict[str, Any] = {}
        path = f"/changes?room={quote(place.id)}&limit=500"
        page = self.ok("GET", path)
        while True:
            for one in page["changes"]:
                found.pop(one["bookingId"], None)
                if one["kind"] == "upsert" and one["booking"]["bookingStatus"] in LIVE:
                    found[one["bookingId"]] = one["booking"]
            if not page["more"]:
                return sorted(found.values(), key=lambda one: (one["startUtc"], one["id"]))
            page = self.ok("GET", f"{path}&cursor={quote(page['cursor'])}")

    def occupancy(self, place: Place, start: date, end: date) -> list[Instance]:
        """The platform's expansion through the API, which answers 400 days at a time."""
        found: list[Instance] = []
        low = start
        while low < end:
            high = min(low + timedelta(days=400), end)
            span = f"start={low.isoformat()}T00:00:00Z&end={high.isoformat()}T00:00:00Z"
            rows = self.ok("GET", f"/rooms/{place.id}/occupancy?{span}")["items"]
            mine = f"{low.isoformat()}T00:00:00"
            # What reaches in from the window before was counted there.
            found += [_said(row) for row in rows if low == start or row["startUtc"] >= mine]
            low = high
        return sorted(found)


def _said(row: dict[str, Any]) -> Instance:
    shown = row.get("showAs") or ("free" if row["freeBusyStatus"] == "free" else "busy")
    if row["status"] == "tentative" and shown == "busy":
        shown = "tentative"
    return Instance(
        row["startUtc"],
        row["endUtc"],
        row["showWithoutTime"],
        shown,
        row["privacy"] == "private",
        row.get("title", ""),
    )


@contextmanager
def a_tenant(**switches: Any) -> Iterator[Tenant]:
    tenant = Tenant(**switches)
    try:
        yield tenant
    finally:
        tenant.close()


@contextmanager
def a_company(
    folder: Path,
    tenant: Tenant,
    *,
    span: Span | None = None,
    notices_from: str = "",
    more: str = "",
    exchange: str = "",
) -> Iterator[Company]:
    """A calsync of its own in ``folder``, on ``tenant`` and its clock, with its API
    served. ``notices_from``:
    the mailbox that sends notices, where they are wanted. ``more``: further settings. ``exchange``:
    by which of its fronts the tenant is reached, ``graph`` or ``ews``; else the one chosen."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "secret").write_text(DEFAULT_SECRET, encoding="utf-8")
    (folder / "password").write_text(DEFAULT_PASSWORD, encoding="utf-8")
    text = _settings(folder, tenant, notices_from, more, exchange or front.chosen())
    settings = parse(text)
    with ExitStack() as ends:
        home = bootstrap.open_home(settings, tenant.clock)
        ends.callback(home.close)
        system = bootstrap.connect(home)
        ends.callback(system.close)
        if span is not None:
            system.context.span = span
        status = bootstrap.SyncStatus(system)
        app = create_app(
            home.bookings,
            now=home.clock.now,
            sync_status=status,
            trigger=lambda room_id: None,
            version="0",
            feed_keys=home.feeds,
            figures=bootstrap.build_vitals(system, bootstrap.control_loop(system)).metrics,
            mapped=status.mapped,
            bookings_here=system.remote is None,
        )
        api = ApiServer(app, "127.0.0.1", 0)
        api.start()
        ends.callback(api.stop)
        session = requests.Session()
        ends.callback(session.close)
        session.trust_env = False
        _, token = home.bookings.tokens.create("test", SCOPES)
        session.headers["Authorization"] = f"Bearer {token}"
        yield Company(tenant, system, api, session, text=text)


def _settings(folder: Path, tenant: Tenant, notices_from: str, more: str, exchange: str) -> str:
    notices = f'[notices]\nenabled = true\nsender = "{notices_from}"' if notices_from else ""
    connection = {
        "graph": f"""
        tenant_id = "{DEFAULT_TENANT}"
        client_id = "{DEFAULT_CLIENT}"
        cloud = "custom"
        login_url = "{tenant.url}"
        graph_url = "{tenant.url}"
        client_secret_file = "{folder}/secret"
        """,
        "ews": f"""
        kind = "ews"
        endpoint = "{tenant.url}/EWS/Exchange.asmx"
        auth = "basic"
        user = '{DEFAULT_USER}@{DEFAULT_DOMAIN}'
        password_file = "{folder}/password"
        """,
    }[exchange]
    return f"""
        [database]
        url = "sqlite:///{folder}/calsync.db"
        [webhooks]
        key_file = "{folder}/calsync.key"
        [[connections]]
        name = "contoso"
        {connection}
        {notices}
        {more}
        """


def differences(left: Sequence[Instance], right: Sequence[Instance]) -> list[str]:
    """What only one of the two has, readable; each instance counts as often as it occurs."""
    one, two = Counter(left), Counter(right)
    return [f"- {x}" for x in (one - two).elements()] + [f"+ {x}" for x in (two - one).elements()]
