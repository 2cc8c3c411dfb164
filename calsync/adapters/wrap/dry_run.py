"""Reads but never writes; wraps ``SyncSide``, because what must not happen is a whole effect."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from calsync.model import (
    Effect,
    Observation,
    Outcome,
    Pair,
    Pull,
    Refused,
    ResourceCalendar,
    Side,
    Window,
)
from calsync.ports import CalendarSide, Capabilities


class DryRun:
    """A calendar side on which nothing can be changed. ``recorded`` keeps what was asked."""

    def __init__(self, inner: CalendarSide) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self.recorded: list[tuple[Pair, Effect]] = []

    @property
    def side(self) -> Side:
        return self._inner.side

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def pull(self, pair: Pair, cursor: str | None, window: Window) -> Pull:
        return self._inner.pull(pair, cursor, window)

    def read(self, pair: Pair, keys: Sequence[str]) -> list[Observation]:
        return self._inner.read(pair, keys)

    def find(self, pair: Pair, tags: Sequence[str]) -> Mapping[str, Observation]:
        return self._inner.find(pair, tags)

    def elsewhere(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        return self._inner.elsewhere(pair, uids)

    def resource_calendars(self) -> Iterable[ResourceCalendar]:
        return self._inner.resource_calendars()

    def apply(self, pair: Pair, effects: Sequence[Effect]) -> list[Outcome]:
        with self._lock:
            self.recorded.extend((pair, effect) for effect in effects)
        return [Refused("dry run: nothing is written", code="dry-run") for _ in effects]
