"""Keeps calls inside their budgets; wraps the ``Caller`` port because budgets count requests."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from calsync.adapters.wrap.port import Answer, Call, Caller, NotSent
from calsync.errors import Throttled
from calsync.pacing import MAILBOX, WHOLE, Budget, Limit

#: Seconds to stay away after a 429 that names no time (Graph promises one, proxies do not).
_UNSAID = 10.0
#: Drop budgets of mailboxes that say nothing any more when there are this many.
_MANY = 4096


class Paced:
    """Waits until the mailbox's budget and the whole app's allow a call, then passes it on.

    ``patience``: the longest wait in seconds inside a call; beyond it ``Throttled`` says when
    to come back, so that no thread sits out a long Retry-After. ``stop`` ends every wait at
    once (``NotSent``). ``monotonic`` gives seconds; ``wait_on`` waits on a held condition for at
    most some seconds (replaced where time is virtual).
    """

    def __init__(
        self,
        inner: Caller,
        *,
        monotonic: Callable[[], float],
        stop: threading.Event,
        mailbox: Limit = MAILBOX,
        whole: Limit = WHOLE,
        patience: float = 20.0,
        wait_on: Callable[[threading.Condition, float], object] = threading.Condition.wait,
    ) -> None:
        self._inner = inner
        self._monotonic = monotonic
        self._stop = stop
        self._limit = mailbox
        self._whole = Budget(whole)
        self._budgets: dict[str, Budget] = {}
        self._patience = patience
        self._wait_on = wait_on
        self._room = threading.Condition()

    def call(self, call: Call) -> Answer:
        # Graph runs up to 4 parts of a batch at a time: a batch takes the mailbox alone.
        slots = min(call.parts, 4)
        budget = self._begin(call, slots)
        try:
            answer = self._inner.call(call)
        finally:
            with self._room:
                budget.give(slots=slots)
                self._whole.give(slots=slots)
                self._room.notify_all()
        self._heed(budget, answer)
        return answer

    def _begin(self, call: Call, slots: int) -> Budget:
        began: float | None = None
        with self._room:
            while True:
                now = self._monotonic()
                budget = self._budget(call.mailbox, now)
                at = max(
                    budget.ready_at(now, slots=slots, calls=call.parts),
                    self._whole.ready_at(now, slots=slots, calls=call.parts),
                )
                if at <= now:
                    budget.take(now, slots=slots, calls=call.parts)
                    self._whole.take(now, slots=slots, calls=call.parts)
                    return budget
                began = now if began is None else began
                self._wait(call, at, now, began + self._patience)

    def _wait(self, call: Call, at: float, now: float, until: float) -> None:
        """Sleep a piece of the wait; raises where it would be too long or we are to end."""
        if self._stop.is_set():
            raise NotSent("calsync is ending; nothing was sent", where=call.mailbox)
        waits_for_a_call = at == math.inf
        if now >= until or (at > until and not waits_for_a_call):
            seconds = self._patience if waits_for_a_call else at - now
            raise Throttled(
                f"the budget of calls is used up for about {seconds:.0f} s",
                retry_after=max(seconds, 1.0),
                where=call.mailbox,
            )
        # The condition wakes when a call ends; the short piece lets the stop event through,
        # which a condition cannot wait for as well.
        self._wait_on(self._room, min(at - now, until - now, 0.1))

    def _budget(self, mailbox: str, now: float) -> Budget:
        budget = self._budgets.get(mailbox)
        if budget is None:
            if len(self._budgets) >= _MANY:
                self._budgets = {k: b for k, b in self._budgets.items() if not b.idle(now)}
            budget = self._budgets[mailbox] = Budget(self._limit)
        return budget

    def _heed(self, budget: Budget, answer: Answer) -> None:
        seconds = _asked_to_wait(answer)
        if seconds is not None:
            with self._room:
                budget.block(self._monotonic() + seconds)


def _asked_to_wait(answer: Answer) -> float | None:
    """Seconds the server asked for. A batch is 200 although parts of it were throttled: its
    ``retry_after`` is then the longest of theirs."""
    return _UNSAID if answer.throttled and answer.retry_after is None else answer.retry_after
