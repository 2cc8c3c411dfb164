"""Deliver queued notices, each at most once.

A notice is moved to SENDING in a transaction of its own before the channel is called. If the
process dies then, or the reply is lost, nobody knows whether it went out: it becomes
DOUBTFUL, is shown to the admin, and is never sent again by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import assert_never

from calsync.conflicts.clash import shown
from calsync.engine.calls import Call, Steps
from calsync.mapping.expand import extent, instances
from calsync.model import (
    Interval,
    Link,
    LinkState,
    Notice,
    NoticeKind,
    Pair,
    Presence,
    Room,
    Side,
)
from calsync.pacing.backoff import backoff
from calsync.ports import Delivery, DeliveryReport, NoticeState, Notifier, Store, StoredNotice

#: Tries of a notice that was certainly not sent, before it is given up: after some five hours.
MAX_TRIES = 15
#: Seconds between two tries where the channel asks for no longer wait: first, and at most.
FIRST_WAIT, LONGEST_WAIT = 1.0, 3600.0
#: So many doubtful ones in a row, and the channel is left alone for this long (seconds): one that
#: swallows its answers would make all that waits doubtful.
MOST_DOUBTS, AFTER_DOUBTS = 2, 120.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many notices were ``sent``. ``waits``: seconds to leave each channel alone that would
    not take one; ``wait``: the longest of them."""

    sent: int = 0
    wait: float = 0.0
    waits: Mapping[str, float] = field(default_factory=dict)


def deliver_notices(
    store: Store,
    notifier: Notifier,
    *,
    pairs: Mapping[str, Pair],
    rooms: Mapping[str, Room],
    limit: int = 20,
    closed: Collection[str] = frozenset(),
    now: Callable[[], datetime] | None = None,
    monotonic: Callable[[], float] = lambda: 0.0,
) -> Steps[Delivered]:
    """Try queued notices, oldest first, until ``limit`` were tried; none of a channel that is
    ``closed``, or that closed meanwhile.

    One is claimed at a time: whatever ends the process leaves at most one in doubt. ``now``: the
    time, so that nothing is told that time has overtaken. ``monotonic``: seconds, so that what is
    left of a wait is known where it goes on for long by another channel.
    """
    sent, doubts = 0, 0
    until: dict[str, float] = {}
    for _ in range(limit):
        claimed = store.claim_notices(1, closed=frozenset(closed) | until.keys())
        if not claimed:
            break
        (stored,) = claimed
        pair = pairs.get(stored.pair_id)
        void = (
            "the room is not mapped any more"
            if pair is None
            else _overtaken(store, pair, stored.notice, now())
            if now is not None
            else ""
        )
        if pair is None or void:
            store.settle_notice(stored.id, NoticeState.FAILED, void)
            continue
        report: DeliveryReport = yield Call(
            "notice", _delivery(notifier, pair, rooms.get(pair.room_id), stored)
        )
        pause = max(report.retry_after, _pause(stored.tries))
        alone = report.alone and report.delivery is Delivery.NOT_SENT
        store.settle_notice(
            stored.id,
            _state_after(report, stored.tries),
            report.reason,
            wait=pause if alone else 0.0,
        )
        sent += report.delivery is Delivery.SENT
        doubts = doubts + 1 if report.delivery is Delivery.IN_DOUBT else 0
        if report.delivery is Delivery.NOT_SENT and not alone:
            # The next through this channel would not get further.
            until[stored.notice.channel] = monotonic() + pause
        elif doubts >= MOST_DOUBTS:
            until[stored.notice.channel] = monotonic() + AFTER_DOUBTS
    waits = {channel: max(0.0, end - monotonic()) for channel, end in until.items()}
    return Delivered(sent, max(waits.values(), default=0.0), waits)


def _pause(tries: int) -> float:
    return backoff(tries - 1, jitter=1.0, base=FIRST_WAIT, cap=LONGEST_WAIT)


def _delivery(
    notifier: Notifier, pair: Pair, room: Room | None, stored: StoredNotice
) -> Callable[[], DeliveryReport]:
    return lambda: notifier.deliver(pair, room, stored.notice)


def _state_after(report: DeliveryReport, tries: int) -> NoticeState:
    match report.delivery:
        case Delivery.SENT:
            return NoticeState.SENT
        case Delivery.NOT_SENT:
            return NoticeState.QUEUED if tries < MAX_TRIES else NoticeState.FAILED
        case Delivery.REFUSED:
            return NoticeState.FAILED
        case Delivery.IN_DOUBT:
            return NoticeState.DOUBTFUL
        case _:
            assert_never(report.delivery)


# --- what time has overtaken -------------------------------------------------------------------


def _overtaken(store: Store, pair: Pair, notice: Notice, now: datetime) -> str:
    """Why nobody needs to be told any more; empty where it still is news."""
    match notice.kind:
        case NoticeKind.CONFIRMED | NoticeKind.REJECTED:
            return ""  # An answer is owed, however late.
        case NoticeKind.CHANGED | NoticeKind.CANCELLED | NoticeKind.WARNED:
            _, end = extent(notice.occupancy, pair.zone)
            if end is not None and end <= now:
                return "it is over"
            cancelled = notice.kind is NoticeKind.CANCELLED and notice.cause is Side.BOOKING
            if cancelled and store.has_live_part(pair.id, notice.booking_key):
                return "only a part of the booking was given up"
            return ""
        case NoticeKind.STARTING:
            start = notice.occupancy.start.replace(tzinfo=UTC)
            if start <= now:
                return "it has begun"
            links = store.links_by_id([notice.link_id])
            stands = bool(links) and starts_at(links[0], start, pair.zone)
            return "" if stands else "it was moved or cancelled"
        case _:
            assert_never(notice.kind)


def starts_at(link: Link, start: datetime, zone: str) -> bool:
    """Whether the booking stands on both sides and one of its dates begins then."""
    there = shown(link, Side.BOOKING)
    both = all(link.half(side).presence is Presence.PRESENT for side in Side)
    if link.state is not LinkState.ACTIVE or link.pending or not both or there is None:
        return False
    moment = Interval(start, start + timedelta(seconds=1))
    return any(one.start == start for one in instances(there, moment, zone))
