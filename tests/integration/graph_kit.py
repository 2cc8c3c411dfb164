"""A sandbox tenant on loopback and the Graph side in front of it, for tests."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

from calsync.adapters.graph.auth import MsalTokens, Secret
from calsync.adapters.graph.clouds import custom
from calsync.adapters.graph.side import GraphSide
from calsync.adapters.graph.transport import Transport
from calsync.adapters.wrap import Logged, Paced, Retried
from calsync.mapping.event import bare, event_body, series_change
from calsync.model import Occupancy, Pair, Window
from calsync.sandbox import (
    DEFAULT_CLIENT,
    DEFAULT_SECRET,
    DEFAULT_TENANT,
    SandboxServer,
    create_sandbox,
)
from calsync.sandbox.faults import Fault
from calsync.sandbox.graph.request import Response

WINDOW = Window(datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC))
ROOM = "atlas@contoso.example"
ZONE = "Europe/Berlin"
_numbers = itertools.count()


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class GraphLab:
    """One room in one tenant. ``Lab`` of the contract, and hands for faults and counters.
    ``prefer``: what people's own client asks for."""

    prefer = 'IdType="ImmutableId"'

    def __init__(self, server: SandboxServer, room: str = ROOM, **options: Any) -> None:
        self.room = room
        self.control = server.control
        self.server = server
        self.clock = WallClock()
        self.window = WINDOW
        self.pair = Pair(
            id="pair-1",
            room_id="room-1",
            connection="contoso",
            mailbox=room,
            zone=ZONE,
            titles=True,
        )
        self.cloud = custom(
            login=server.url,
            graph=options.pop("graph", server.url),
            series_parts=options.pop("series_parts", True),
        )
        verify = options.pop("verify", True)
        self.tokens = options.pop("tokens", None) or MsalTokens(
            cloud=self.cloud,
            tenant_id=options.pop("tenant", DEFAULT_TENANT),
            client_id=DEFAULT_CLIENT,
            credential=Secret(options.pop("secret", DEFAULT_SECRET)),
            clock=self.clock,
            verify=verify,
        )
        self.stop = threading.Event()
        self.transport = Transport(
            cloud=self.cloud,
            tenant_id=self.tokens.tenant_id,
            tokens=self.tokens,
            clock=self.clock,
            timeout=options.pop("timeout", (5.0, 5.0)),
            verify=verify,
            max_bytes=options.pop("max_bytes", 64 * 1024 * 1024),
        )
        self.logged = Logged(self.transport)
        paced = Paced(self.logged, monotonic=self.clock.monotonic, stop=self.stop, patience=3.0)
        self.caller = Retried(paced, stop=self.stop, base=0.01, patience=3.0)
        self.side = GraphSide(
            connection="contoso",
            cloud=self.cloud,
            caller=self.caller,
            clock=self.clock,
            tag_key=b"a secret of the tests",
            page_size=options.pop("page_size", 500),
        )
        assert not options

    def close(self) -> None:
        self.transport.close()
        self.tokens.close()

    # -- people (by a second Graph client, as an Outlook add-in would) -----------------------

    def put(self, occupancy: Occupancy) -> str:
        body = event_body(bare(occupancy), subject_fallback="", room_zone=ZONE)
        made = self.graph("POST", f"/users/{self.room}/events", body)
        key: str = made["id"]
        if occupancy.recurrence is not None:
            self._dates(key, bare(occupancy), occupancy)
        return key

    def edit(self, key: str, occupancy: Occupancy) -> None:
        (seen,) = self.side.read(self.pair, [key])
        self._dates(key, seen.occupancy, occupancy)  # type: ignore[union-attr]

    def _dates(self, key: str, was: Occupancy, target: Occupancy) -> None:
        change = series_change(was, target, subject_fallback="", room_zone=ZONE)
        assert not change.recreate
        if change.master:
            self.graph("PATCH", f"/users/{self.room}/events/{key}", change.master)
        ids = self._ids(key) if change.exclude or change.overrides else {}
        for slot in change.exclude:
            self.graph("DELETE", f"/users/{self.room}/events/{ids[slot.date().isoformat()]}")
        for slot, patch in change.overrides:
            self.graph("PATCH", f"/users/{self.room}/events/{ids[slot.date().isoformat()]}", patch)

    def _ids(self, key: str) -> dict[str, str]:
        span = "startDateTime=2026-10-01T00:00:00Z&endDateTime=2027-12-01T00:00:00Z&$top=500"
        rows = self.graph("GET", f"/users/{self.room}/events/{key}/instances?{span}")["value"]
        return {row["originalStart"][:10]: row["id"] for row in rows}

    def remove(self, key: str) -> None:
        self.graph("DELETE", f"/users/{self.room}/events/{key}")

    def graph(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """A call past the adapter and its counters, under the sandbox's lock."""
        headers = {
            "authorization": f"Bearer {self._other_token()}",
            "prefer": self.prefer,
            "content-type": "application/json",
        }
        with self.server.lock:
            armed, self.control.front.faults.armed = self.control.front.faults.armed, []
            answer = self.control.handle(
                method, f"/v1.0{path}", headers, b"" if body is None else json.dumps(body).encode()
            )
            self.control.front.faults.armed = armed
        assert answer.status < 300, (answer.status, answer.body)
        return answer.json() if answer.body else None

    def _other_token(self) -> str:
        form = (
            f"grant_type=client_credentials&client_id={DEFAULT_CLIENT}"
            f"&client_secret={DEFAULT_SECRET}&scope=x/.default"
        )
        with self.server.lock:
            armed, self.control.front.faults.armed = self.control.front.faults.armed, []
            answer = self.control.handle(
                "POST", f"/{DEFAULT_TENANT}/oauth2/v2.0/token", {}, form.encode()
            )
            self.control.front.faults.armed = armed
        token: str = answer.json()["access_token"]
        return token

    # -- the tenant ---------------------------------------------------------------------------

    def act(self, kind: str, **raw: Any) -> dict[str, Any]:
        """An act of a person in Outlook."""
        with self.server.lock:
            return self.control.act(kind=kind, **raw)

    def fault(self, kind: str, *, count: int | None = 1, **raw: Any) -> None:
        with self.server.lock:
            self.control.front.faults.arm(Fault(kind, count=count, **raw))

    def calm(self) -> None:
        with self.server.lock:
            self.control.front.faults.clear()

    def switch(self, **changes: Any) -> None:
        with self.server.lock:
            self.control.world.switches.set(changes)

    def requests(self) -> list[str]:
        """Method and operation of every request that reached Graph, oldest first."""
        with self.server.lock:
            return [
                f"{call['method']} {call['operation']}"
                for call in self.control.front.calls
                if call["path"].startswith("/v1.0") and call["app"]
            ]


@contextmanager
def graph_server() -> Iterator[SandboxServer]:
    server = SandboxServer(create_sandbox(seed=1)).start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def graph_lab(server: SandboxServer | None = None, **options: Any) -> Iterator[GraphLab]:
    """A room of its own: on a new tenant, or on a server that tests share."""
    with ExitStack() as stack:
        room = ROOM if server is None else f"room-{next(_numbers)}@contoso.example"
        server = server or stack.enter_context(graph_server())
        raw = {
            "address": room,
            "name": "Atlas",
            "zone": "W. Europe Standard Time",
            "building": "HQ",
            "capacity": 8,
        }
        person = {
            "address": "ada@contoso.example",
            "name": "Ada",
            "zone": "W. Europe Standard Time",
        }
        with server.lock:
            made = server.control.handle("POST", "/_sandbox/rooms", {}, json.dumps(raw).encode())
            server.control.handle("POST", "/_sandbox/people", {}, json.dumps(person).encode())
        assert made.status == 201, made.body
        lab = GraphLab(server, room, **options)
        stack.callback(lab.close)
        yield lab


def rewrite(lab: GraphLab, change: Callable[[str, dict[str, Any]], None]) -> None:
    """Let ``change(path, body)`` edit every JSON answer of the sandbox in place."""
    inner = lab.control.handle

    def handle(method: str, target: str, headers: Any = None, body: bytes = b"") -> Response:
        answer = inner(method, target, headers, body)
        if answer.body[:1] == b"{":
            read = answer.json()
            change(target, read)
            answer.body = json.dumps(read).encode()
        return answer

    lab.control.handle = handle  # type: ignore[method-assign]


def live(lab: GraphLab) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = lab.graph("GET", f"/users/{lab.room}/events?$top=500")["value"]
    return rows
