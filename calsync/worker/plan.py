"""When each room is due: adaptive polling, triggers, waits that a side asked for."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from calsync.pacing.backoff import backoff, next_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class PollSettings:
    """Seconds. A room that shows activity is polled every ``floor``; an idle one drifts towards
    ``ceiling``. ``halted`` rooms are looked at that often for the admin's answer."""

    floor: float = 180.0
    ceiling: float = 360.0
    halted: float = 15.0


@dataclass(slots=True)
class Turn:
    """One room's place in the plan. ``due`` is in monotonic seconds. ``not_before``: a side asked
    to be left alone until then, whatever happens on the other."""

    pair_id: str
    due: float
    interval: float
    failures: int = 0
    running: bool = False
    again: bool = False
    full: bool = False
    full_next: bool = False
    not_before: float = 0.0


@dataclass(slots=True)
class Timetable:
    """The rooms by the time they are due. Time is an argument; nothing here waits."""

    poll: PollSettings
    turns: dict[str, Turn] = field(default_factory=dict)
    _heap: list[tuple[float, str]] = field(default_factory=list)

    def add(self, pair_id: str, now: float) -> None:
        """A room that was mapped is due at once."""
        if pair_id not in self.turns:
            self.turns[pair_id] = Turn(pair_id, now, self.poll.floor)
            heapq.heappush(self._heap, (now, pair_id))

    def remove(self, pair_id: str) -> None:
        self.turns.pop(pair_id, None)

    def trigger(self, pair_id: str, now: float) -> None:
        """Something happened there: due now, or once more after the cycle that runs."""
        turn = self.turns.get(pair_id)
        if turn is None:
            return
        if turn.running:
            turn.again = True
        elif turn.due > now and not turn.failures:
            self._set(turn, max(now, turn.not_before))

    def compare_all(self, now: float) -> None:
        """Every room gets a full compare with its next turn."""
        for turn in self.turns.values():
            if turn.running:
                # Its cycle may have read already: the compare is the next one.
                turn.full_next = True
            else:
                turn.full = True
                self._set(turn, min(turn.due, now))

    def next_due(self) -> float | None:
        """When the next room is due, or None where all are running or there are none."""
        while self._heap:
            due, pair_id = self._heap[0]
            turn = self.turns.get(pair_id)
            if turn is not None and turn.due == due and not turn.running:
                return due
            heapq.heappop(self._heap)
        return None

    def start(self, now: float) -> Turn | None:
        """The room that has been due longest, marked as running."""
        due = self.next_due()
        if due is None or due > now:
            return None
        _, pair_id = heapq.heappop(self._heap)
        turn = self.turns[pair_id]
        turn.running, turn.again = True, False
        return turn

    def finish(self, pair_id: str, now: float, *, active: bool, wait: float = 0.0) -> None:
        """A cycle came through; ``wait`` seconds were asked for by a side."""
        turn = self.turns.get(pair_id)
        if turn is None:
            return
        turn.running, turn.failures = False, 0
        turn.full, turn.full_next = turn.full_next, False
        turn.interval = next_interval(
            turn.interval, floor=self.poll.floor, ceiling=self.poll.ceiling, active=active
        )
        soon = 0.0 if turn.again or turn.full else turn.interval
        turn.not_before = now + wait
        self._set(turn, now + max(wait, soon))

    def fail(self, pair_id: str, now: float, *, jitter: float, wait: float = 0.0) -> None:
        """A cycle was cut short: back off, the longer the more often, up to the ceiling."""
        turn = self.turns.get(pair_id)
        if turn is None:
            return
        turn.running = False
        turn.failures += 1
        pause = backoff(
            turn.failures, jitter=jitter, base=min(1.0, self.poll.floor), cap=self.poll.ceiling
        )
        self._set(turn, now + max(wait, pause))

    def hold(self, pair_id: str, now: float) -> None:
        """A halted room: looked at again for the admin's answer."""
        turn = self.turns.get(pair_id)
        if turn is not None:
            turn.running = False
            self._set(turn, now + min(self.poll.halted, self.poll.floor))

    def _set(self, turn: Turn, due: float) -> None:
        turn.due = due
        heapq.heappush(self._heap, (due, turn.pair_id))
