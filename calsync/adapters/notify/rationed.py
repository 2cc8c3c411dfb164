"""At most so many mails a day for a room, and for a person; wraps the ``Notifier`` port.

Whoever may book on the platform names the person who is told. A client gone wild, or taken over,
must not make a mail gun of calsync. What left before this process began counts, too (the ledger
knows); what is held back is refused for good, so a restart sends nothing late.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable

from calsync.model import MAIL, Notice, Pair, Room
from calsync.ports import Delivery, DeliveryReport, Notifier

log = logging.getLogger(__name__)
_DAY_S = 86400.0
#: What leaves is counted by spans of so many seconds; one counts until all of it is a day old.
_SPAN_S = 900.0


class Rationed:
    """``per_room`` (and channel) and ``per_person``: notices within any 24 hours, or up to a
    quarter of an hour more. ``monotonic``: seconds. ``before``: pair, channel, recipient and age in
    seconds of what left before; asked for once, with the first notice."""

    def __init__(
        self,
        inner: Notifier,
        *,
        per_room: int,
        per_person: int,
        monotonic: Callable[[], float],
        before: Callable[[], Iterable[tuple[str, str, str, float]]] = tuple,
    ) -> None:
        self._inner = inner
        self._per_room, self._per_person = per_room, per_person
        self._monotonic = monotonic
        self._lock = threading.Lock()
        # By number of the span, what each counter got, by its hash: nobody's address stays in
        # memory, and most people are told once a day: a number for each is enough.
        self._sent: dict[int, Counter[int]] = {}
        self._told: dict[str, float] = {}
        self._before: Callable[[], Iterable[tuple[str, str, str, float]]] | None = before

    def deliver(self, pair: Pair, room: Room | None, notice: Notice) -> DeliveryReport:
        now = self._monotonic()
        counters = self._counters(pair.id, notice.channel, notice.recipient)
        with self._lock:
            self._remember(now)
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
                for key, _ in counters:
                    self._add(key, now)
        return report

    def _counters(
        self, pair_id: str, channel: str, recipient: str
    ) -> list[tuple[tuple[str, str], int]]:
        """What a notice counts in, and how many each may have. A shared channel is no person."""
        room = ("room", pair_id if channel == MAIL else f"{pair_id} {channel}")
        found = [(room, self._per_room)]
        if channel == MAIL:
            found.append((("person", recipient.strip().casefold()), self._per_person))
        return found

    def _remember(self, now: float) -> None:
        """Count what left before this process began. Under the lock."""
        if self._before is None:
            return
        ask, self._before = self._before, None
        for pair_id, channel, recipient, age in ask():
            for key, _ in self._counters(pair_id, channel, recipient):
                self._add(key, now - age)

    def _add(self, key: tuple[str, str], at: float) -> None:
        self._sent.setdefault(int(at // _SPAN_S), Counter())[hash(key)] += 1

    def _count(self, key: tuple[str, str], now: float) -> int:
        for span in [n for n in self._sent if (n + 1) * _SPAN_S + _DAY_S <= now]:
            del self._sent[span]
        named = hash(key)
        return sum(counts[named] for counts in self._sent.values())

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
