"""Reads but never writes; wraps ``SyncSide``, because what must not happen is a whole effect."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from calsync.model import (
    Effect,
    Interval,
    Observation,
    Outcome,
    Pair,
    Pull,
    Refused,
    ResourceCalendar,
    Room,
    Side,
    Window,
)
from calsync.ports import BookingSide, CalendarSide, Capabilities, SyncSide


class _ReadOnly:
    """A side on which nothing can be changed. ``recorded`` keeps what was asked."""

    def __init__(self, inner: SyncSide) -> None:
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

    def apply(self, pair: Pair, effects: Sequence[Effect]) -> list[Outcome]:
        with self._lock:
            self.recorded.extend((pair, effect) for effect in effects)
        return [Refused("dry run: nothing is written", code="dry-run") for _ in effects]


class DryRun(_ReadOnly):
    """A calendar side that only reads."""

    def __init__(self, inner: CalendarSide) -> None:
        super().__init__(inner)
        self._calendar = inner

    def meetings_of(self, pair: Pair, uids: Mapping[str, str]) -> Mapping[str, Observation]:
        return self._calendar.meetings_of(pair, uids)

    def copies(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        return self._calendar.copies(pair, uids)

    def read_theirs(self, pair: Pair, keys: Mapping[str, str]) -> Mapping[str, Observation]:
        return self._calendar.read_theirs(pair, keys)

    def find_theirs(
        self, pair: Pair, tags: Mapping[str, str], uids: Mapping[str, str]
    ) -> Mapping[str, Observation]:
        return self._calendar.find_theirs(pair, tags, uids)

    def resource_calendars(self) -> Iterable[ResourceCalendar]:
        return self._calendar.resource_calendars()


class DryRunBooking(_ReadOnly):
    """A booking side that only reads."""

    def __init__(self, inner: BookingSide) -> None:
        super().__init__(inner)
        self._booking = inner

    def rooms(self) -> Iterable[Room]:
        return self._booking.rooms()

    def busy(self, room_ids: Sequence[str], span: Interval) -> Mapping[str, list[Interval]]:
        return self._booking.busy(room_ids, span)
