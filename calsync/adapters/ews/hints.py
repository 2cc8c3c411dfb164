"""Rooms of which something was heard, handed on so that a flood of events costs few syncs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class _Past:
    """When a room was handed on last, in monotonic seconds, and the least time until the next."""

    at: float
    gap: float


class Hints:
    """Hands rooms to ``tell``, each ``settle`` seconds after the first word about it: one act gives
    several events, and calendars need a moment (EWS, "Mailbox synchronization").

    A room of which one hears on and on is handed on ever more seldom, down to once in ``longest``
    seconds. Not safe for several threads.
    """

    def __init__(self, tell: Callable[[str], None], *, settle: float, longest: float) -> None:
        self._tell, self._settle, self._longest = tell, settle, longest
        self._due: dict[str, float] = {}
        self._past: dict[str, _Past] = {}

    def heard(self, rooms: Iterable[str], now: float) -> None:
        for room in rooms:
            if room not in self._due:
                self._due[room] = self._when(room, now)

    def _when(self, room: str, now: float) -> float:
        past = self._past.get(room)
        if past is None or now - past.at > 2 * past.gap:
            self._past[room] = _Past(now, self._settle)
            return now + self._settle
        past.gap = min(2 * past.gap, self._longest)
        return max(now + self._settle, past.at + past.gap)

    def hand_on(self, now: float) -> None:
        """Tell what is due."""
        if not self._due:
            return
        for room in [room for room, due in self._due.items() if due <= now]:
            del self._due[room]
            self._past[room].at = now
            self._tell(room)
