"""The booking_http side before a real API of calsync, over real HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calsync.adapters.booking_http.directory import DETAILS, NEEDED
from calsync.adapters.booking_http.side import HttpSide
from calsync.adapters.booking_http.transport import Transport
from calsync.adapters.webhooks.guard import Guard
from calsync.adapters.wrap import Logged, Paced, Retried
from calsync.model import Occupancy
from tests.integration.api_kit import Door, Served, served
from tests.unit.hub.hub_kit import HubLab


class KitClock:
    """The hub's own time, and the machine's for waits."""

    def __init__(self, now: Any) -> None:
        self.now = now

    def monotonic(self) -> float:
        return time.monotonic()


class HttpLab:
    """The side, and the platform's people behind its back."""

    def __init__(self, world: Served, *, scopes: tuple[str, ...] = (*NEEDED, DETAILS)) -> None:
        self.world, self.hub = world, world.hub
        self.pair, self.window = world.hub.pair, world.hub.window
        self.people = HubLab(world.hub)
        self.token = world.hub.service.tokens.create("connector", scopes)[1]
        self.stop = threading.Event()
        self.clock = KitClock(world.hub.clock)
        self.transport = self.connect()
        self.logged = Logged(self.transport)
        paced = Paced(self.logged, monotonic=self.clock.monotonic, stop=self.stop, patience=3.0)
        caller = Retried(paced, stop=self.stop, base=0.01, patience=3.0)
        self.side = HttpSide(caller, clock=self.clock, tag_key=b"a secret of the tests")

    def connect(self, base: str = "", **options: Any) -> Transport:
        return Transport(
            base=base or self.world.server.url,
            token=self.token,
            clock=self.clock,
            guard=Guard(),
            **options,
        )

    def put(self, occupancy: Occupancy) -> str:
        return self.people.put(occupancy)

    def edit(self, key: str, occupancy: Occupancy) -> None:
        self.people.edit(key, occupancy)

    def remove(self, key: str) -> None:
        self.people.remove(key)


@contextmanager
def http_lab(door: tuple[Door, Any], folder: Path, **options: Any) -> Iterator[HttpLab]:
    with served(door, folder) as world:
        lab = HttpLab(world, **options)
        try:
            yield lab
        finally:
            lab.transport.close()
