"""A sandbox company on loopback and the EWS side in front of it, for tests.

People act by the other front: what they make in the one calendar shows through both.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

from calsync.adapters.ews.side import EwsSide
from calsync.adapters.ews.signin import Password
from calsync.adapters.ews.transport import Server, Transport
from calsync.adapters.wrap import Logged, Paced, Retried
from calsync.model import Occupancy, Pair
from calsync.sandbox import SandboxServer
from calsync.sandbox.ews.accounts import DEFAULT_PASSWORD, DEFAULT_USER
from calsync.sandbox.faults import Fault
from tests.integration.graph_kit import ROOM, WINDOW, ZONE, GraphLab, WallClock, graph_lab

USER = f"{DEFAULT_USER}@contoso.example"


class EwsLab:
    """One room of one company. ``Lab`` of the contract, and hands for faults and counters."""

    def __init__(self, people: GraphLab, **options: Any) -> None:
        self.people = people
        people.prefer = ""  # ids that both fronts know
        self.server, self.control, self.room = people.server, people.control, people.room
        self.clock = WallClock()
        self.window = WINDOW
        self.pair = Pair(
            id="pair-1",
            room_id="room-1",
            connection="onprem",
            mailbox=self.room,
            zone=ZONE,
            titles=True,
        )
        exchange = Server(
            endpoint=options.pop("endpoint", f"{self.server.url}/EWS/Exchange.asmx"),
            version="se",
            impersonate=options.pop("impersonate", True),
        )
        self.stop = threading.Event()
        self.transport = Transport(
            server=exchange,
            how=options.pop("how", None)
            or Password(
                kind=options.pop("auth", "basic"),
                user=options.pop("user", USER),
                password=options.pop("password", DEFAULT_PASSWORD),
            ),
            clock=options.pop("clock", self.clock),
            timeout=options.pop("timeout", (5.0, 5.0)),
            max_bytes=options.pop("max_bytes", 64 * 1024 * 1024),
            verify=options.pop("verify", True),
            wire=options.pop("wire", None),
        )
        self.logged = Logged(self.transport)
        paced = Paced(self.logged, monotonic=self.clock.monotonic, stop=self.stop, patience=3.0)
        self.caller = Retried(paced, stop=self.stop, base=0.01, patience=3.0)
        self.side = EwsSide(
            connection="onprem",
            server=exchange,
            caller=self.caller,
            clock=self.clock,
            tag_key=b"a secret of the tests",
            page=options.pop("page", 512),
        )
        assert not options

    def close(self) -> None:
        self.transport.close()

    # -- people -----------------------------------------------------------------------------

    def put(self, occupancy: Occupancy) -> str:
        return as_ews(self.people.put(occupancy))

    def edit(self, key: str, occupancy: Occupancy) -> None:
        # EWS tells times of change in milliseconds.
        self.advance(0.001)
        self.people.edit(as_graph(key), occupancy)

    def remove(self, key: str) -> None:
        self.people.remove(as_graph(key))

    # -- the company ------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let time go by in the company."""
        with self.server.lock:
            self.control.world.offset += timedelta(seconds=seconds)

    def act(self, kind: str, **raw: Any) -> dict[str, Any]:
        """An act of a person in Outlook."""
        return self.people.act(kind, **raw)

    def fault(self, kind: str, *, count: int | None = 1, **raw: Any) -> None:
        self.people.fault(kind, count=count, **raw)

    def calm(self) -> None:
        self.people.calm()

    def switch(self, **changes: Any) -> None:
        self.people.switch(**changes)

    def calls(self) -> list[str]:
        """Operation of every request that reached the EWS front, oldest first."""
        with self.server.lock:
            return [
                str(call["method"])
                for call in self.control.front.calls
                if call["path"] == "/EWS/Exchange.asmx"
            ]

    def live(self) -> list[dict[str, Any]]:
        """What lies in the room's calendar, by the other front."""
        rows: list[dict[str, Any]] = self.people.graph(
            "GET", f"/users/{self.room}/events?$top=500"
        )["value"]
        return rows


def as_ews(key: str) -> str:
    """One id in both fronts: EWS has the other alphabet of base64."""
    return key.replace("-", "+").replace("_", "/")


def as_graph(key: str) -> str:
    return key.replace("+", "-").replace("/", "_")


@contextmanager
def ews_lab(server: SandboxServer | None = None, **options: Any) -> Iterator[EwsLab]:
    """A room of its own: in a new company, or on a server that tests share."""
    with ExitStack() as stack:
        people = stack.enter_context(graph_lab(server))
        lab = EwsLab(people, **options)
        stack.callback(lab.close)
        yield lab


__all__ = ["ROOM", "EwsLab", "Fault", "ews_lab"]
