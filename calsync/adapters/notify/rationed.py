"""At most so many mails a day for a room, and for a person; wraps the ``Notifier`` port.

Whoever may book on the platform names the person who is told. A client gone wild, or taken over,
must not make a mail gun of calsync. Counted since this process began: what is held back is
refused for good, so a restart sends nothing late.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from calsync.model import Notice, Pair, Room
from calsync.ports import Delivery, DeliveryReport, Notifier

log = logging.getLogger(__name__)
_DAY_S = 86400.0
#: Counters after which those of yesterday are dropped.
_MANY = 10_000


class Rationed:
    """``per_room`` and ``per_person``: mails within any 24 hours. ``monotonic``: seconds."""

    def __init__(
        self,
        inner: Notifier,
        *,
        per_room: int,
        per_person: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._inner = inner
        self._per_room, self._per_person = per_room, per_person
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._sent: dict[tuple[str, str], deque[float]] = {}
        self._told: dict[str, float] = {}

    def deliver(self, pair: Pair, room: Room | None, notice: Notice) -> DeliveryReport:
        now = self._monotonic()
        person = ("person", notice.person.address.strip().casefold())
        counters = ((("room", pair.id), self._per_room), (person, self._per_person))
        with self._lock:
            for (kind, name), most in counters:
                if self._count((kind, name), now) >= most:
                    self._say(pair, kind, now)
                    return DeliveryReport(
                        delivery=Delivery.REFUSED,
                        reason=f"this {kind} had its {most} notices of the day"
                        f" (max_per_{kind}_day under [notices])",
                    )
        report = self._inner.deliver(pair, room, notice)
        if report.delivery in (Delivery.SENT, Delivery.IN_DOUBT):
            with self._lock:
                self._forget(now)
                for key, _ in counters:
                    self._sent.setdefault(key, deque()).append(now)
        return report

    def _forget(self, now: float) -> None:
        """People who were told once and never again must not be kept for ever."""
        if len(self._sent) >= _MANY:
            self._sent = {k: times for k, times in self._sent.items() if times[-1] > now - _DAY_S}

    def _count(self, key: tuple[str, str], now: float) -> int:
        times = self._sent.get(key)
        if times is None:
            return 0
        while times and times[0] <= now - _DAY_S:
            times.popleft()
        if not times:
            del self._sent[key]
        return len(times)

    def _say(self, pair: Pair, kind: str, now: float) -> None:
        """Once an hour and room; nobody's address."""
        if now - self._told.get(pair.id, float("-inf")) >= 3600.0:
            self._told[pair.id] = now
            log.warning(
                "room %s: a %s had all notices of a day; more are not sent. If these are not"
                " people who book, look at who holds API tokens (calsync tokens list)",
                pair.room_id,
                kind,
            )
