"""A calendar side in memory, and the result of a command line."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from calsync.adapters.graph.places import open_mailbox
from calsync.adapters.wrap import Answer, Call
from calsync.bootstrap import Home, System
from calsync.engine.context import Context
from calsync.errors import SideError, Unavailable
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Effect,
    Observation,
    Occupancy,
    Outcome,
    Pair,
    Person,
    Pull,
    ResourceCalendar,
    Seen,
    Side,
    Unknown,
    Window,
)
from calsync.ports import Capabilities


@dataclass(frozen=True)
class Ran:
    """How a command line ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def seen(key: str = "ev1", *, days: int = 3) -> Seen:
    """An event that somebody invited the room to, some days from now."""
    start = (datetime.now(UTC) + timedelta(days=days)).replace(
        tzinfo=None, minute=0, second=0, microsecond=0
    )
    occupancy = Occupancy(start=start, end=start + timedelta(hours=1), zone="UTC")
    return Seen(
        key=key,
        occupancy=occupancy,
        fingerprint=fingerprint(occupancy),
        version="1",
        mark=1,
        created=datetime(2026, 1, 1, tzinfo=UTC),
        owned=False,
        uid=f"uid-{key}",
        person=Person("Ann", "ann@x.test"),
    )


@dataclass
class FakeCalendar:
    """Shows ``events``; ``broken`` makes every pull fail; ``applied`` is what it was told."""

    events: list[Seen] = field(default_factory=list)
    broken: SideError | None = None
    answer: Answer = field(default_factory=lambda: Answer(status=200, body={}))
    applied: list[Effect] = field(default_factory=list)
    side: Side = Side.CALENDAR
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(conditional_writes=True)
    )

    def call(self, call: Call) -> Answer:
        if self.broken:
            raise self.broken
        return self.answer

    def drain(self) -> dict[str, int]:
        return {}

    def resource_calendars(self) -> Iterable[ResourceCalendar]:
        return [ResourceCalendar(address="atrium@x.test", name="Atrium \x1b[31m", capacity=12)]

    def pull(self, pair: Pair, cursor: str | None, window: Window) -> Pull:
        if self.broken:
            raise self.broken
        return Pull(observations=tuple(self.events), cursor="c1", complete=True)

    def read(self, pair: Pair, keys: Sequence[str]) -> list[Observation]:
        known: dict[str, Observation] = {event.key: event for event in self.events}
        return [known.get(key, Unknown(key, "not there")) for key in keys]

    def find(self, pair: Pair, tags: Sequence[str]) -> Mapping[str, Observation]:
        return {}

    def elsewhere(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        return []

    def apply(self, pair: Pair, effects: Sequence[Effect]) -> list[Outcome]:
        self.applied += effects
        raise Unavailable("this calendar cannot be written to")


def fake_connect(calendar: FakeCalendar) -> Callable[..., System]:
    def connect(home: Home, *, owner: str = "test", dry_run: bool = False) -> System:
        link: Any = SimpleNamespace(
            side=calendar,
            calls=calendar,
            open_mailbox=lambda mailbox, patient=True: open_mailbox(calendar, mailbox),
            close=lambda: None,
        )
        context = Context(
            store=home.store,
            booking=home.booking_side,
            calendars={"main": calendar},
            clock=home.clock,
            owner=owner,
        )
        return System(home=home, links={"main": link}, stop=threading.Event(), context=context)

    return connect
