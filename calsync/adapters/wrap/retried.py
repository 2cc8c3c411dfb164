"""Tries a call again where that cannot do a thing twice; wraps the ``Caller`` port because only
one request can say whether it was executed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from tenacity import (
    RetryCallState,
    Retrying,
    retry_any,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
)
from tenacity.stop import stop_base, stop_when_event_set

from calsync.adapters.wrap.port import Answer, Call, Caller, NotSent
from calsync.errors import BadAnswer, Unavailable
from calsync.pacing import backoff

#: Statuses after which a read may be repeated; of a write only a throttled one (see port.py).
_PASSING = frozenset({408, 429, 500, 502, 503, 504, 507, 509})


class Retried:
    """Repeats reads after any failure that may pass, writes only if not executed for sure.

    ``attempts`` in all. A Retry-After is honoured to the second; one above ``patience`` seconds
    is not waited for: the answer goes back as it is. ``stop`` ends every wait at once.
    ``chance`` gives numbers in [0, 1) for the jitter.
    """

    def __init__(
        self,
        inner: Caller,
        *,
        stop: threading.Event,
        attempts: int = 3,
        patience: float = 20.0,
        base: float = 0.5,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._inner = inner
        self._stop = stop
        self._patience = patience
        self._base = base
        self._chance = chance
        end = stop_after_attempt(attempts) | stop_when_event_set(stop)
        self._reads = self._retrying(end, repeatable=True)
        self._writes = self._retrying(end, repeatable=False)

    def call(self, call: Call) -> Answer:
        policy = self._reads if call.repeatable else self._writes
        return policy(self._inner.call, call)

    def _retrying(self, end: stop_base, *, repeatable: bool) -> Retrying:
        def failed(error: BaseException) -> bool:
            if repeatable:
                return isinstance(error, Unavailable | BadAnswer)
            return isinstance(error, NotSent)

        def unwell(answer: Answer) -> bool:
            if (answer.retry_after or 0.0) > self._patience:
                return False
            return answer.throttled or (repeatable and answer.status in _PASSING)

        return Retrying(
            retry=retry_any(retry_if_exception(failed), retry_if_result(unwell)),
            stop=end,
            wait=self._seconds,
            sleep=self._sleep,
            retry_error_callback=_last,
        )

    def _sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _seconds(self, state: RetryCallState) -> float:
        """Retry-After if the answer has one, else a growing wait with jitter."""
        outcome = state.outcome
        if outcome is not None and not outcome.failed and outcome.result().retry_after is not None:
            return float(outcome.result().retry_after)
        return backoff(state.attempt_number - 1, jitter=self._chance(), base=self._base)


def _last(state: RetryCallState) -> Answer:
    """No try is left: the last answer as it is, or its error."""
    assert state.outcome is not None
    answer: Answer = state.outcome.result()
    return answer
