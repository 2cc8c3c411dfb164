"""Counts and logs calls; wraps the ``Caller`` port, innermost, so that every request counts."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from calsync.adapters.wrap.port import Answer, Call, Caller
from calsync.errors import CalsyncError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCounts:
    """Requests so far. ``by`` is keyed (method, operation, status); status 0 = no answer."""

    total: int = 0
    writes: int = 0
    throttled: int = 0
    parts: int = 0
    seconds: float = 0.0
    by: dict[tuple[str, str, int], int] = field(default_factory=dict)


class Logged:
    """One counter and, at level DEBUG, one line a call: operation, status, time, trace id.

    Mailbox addresses, ids of items, subjects and tokens are not logged: a name in a log outlives
    the item it names.
    """

    def __init__(self, inner: Caller) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._by: Counter[tuple[str, str, int]] = Counter()
        self._boxes: Counter[str] = Counter()
        self._parts = 0
        self._seconds = 0.0

    def call(self, call: Call) -> Answer:
        began = time.perf_counter()
        status = 0
        try:
            answer = self._inner.call(call)
            status = answer.status
        except CalsyncError as error:
            log.info("%s %s: %s", call.method, call.operation, type(error).__name__)
            raise
        finally:
            self._count(call, status, time.perf_counter() - began)
        if status >= 400:
            log.info(
                "%s %s: %d, retry after %s %s, trace %s",
                call.method,
                call.operation,
                status,
                answer.retry_after,
                answer.retry_note,
                answer.trace,
            )
        return answer

    def counts(self) -> CallCounts:
        """A snapshot."""
        with self._lock:
            by = dict(self._by)
            parts, seconds = self._parts, self._seconds
        return CallCounts(
            total=sum(by.values()),
            writes=sum(n for (method, _, _), n in by.items() if method != "GET"),
            throttled=sum(n for (_, _, status), n in by.items() if status == 429),
            parts=parts,
            seconds=seconds,
            by=by,
        )

    def drain(self) -> dict[str, int]:
        """Requests by mailbox since the last drain, each part of a batch for itself."""
        with self._lock:
            boxes, self._boxes = self._boxes, Counter()
        return {box: count for box, count in boxes.items() if box}

    def _count(self, call: Call, status: int, seconds: float) -> None:
        with self._lock:
            self._boxes[call.mailbox] += call.parts
            self._by[call.method, call.operation, status] += 1
            self._parts += call.parts
            self._seconds += seconds
        log.debug("%s %s: %d in %.3f s", call.method, call.operation, status, seconds)
