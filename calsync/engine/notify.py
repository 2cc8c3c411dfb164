"""Deliver queued notices, each at most once.

A notice is moved to SENDING in a transaction of its own before the channel is called. If the
process dies then, or the reply is lost, nobody knows whether the mail went out: it becomes
DOUBTFUL, is shown to the admin, and is never sent again by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from calsync.engine.calls import Call, Steps
from calsync.model import Pair, Room
from calsync.pacing.backoff import backoff
from calsync.ports import Delivery, DeliveryReport, NoticeState, Notifier, Store, StoredNotice

#: Tries of a notice that was certainly not sent, before it is given up: after some five hours.
MAX_TRIES = 15
#: Seconds between two tries where the channel asks for no longer wait: first, and at most.
FIRST_WAIT, LONGEST_WAIT = 1.0, 3600.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many notices were ``sent``. ``wait``: seconds to leave the channel alone, because it
    would not take one."""

    sent: int = 0
    wait: float = 0.0


def deliver_notices(
    store: Store,
    notifier: Notifier,
    *,
    pairs: Mapping[str, Pair],
    rooms: Mapping[str, Room],
    limit: int = 20,
) -> Steps[Delivered]:
    """Try queued notices, oldest first, until ``limit`` were tried or the channel closes.

    One is claimed at a time: whatever ends the process leaves at most one in doubt.
    """
    sent = 0
    for _ in range(limit):
        claimed = store.claim_notices(1)
        if not claimed:
            break
        (stored,) = claimed
        pair = pairs.get(stored.pair_id)
        if pair is None:
            store.settle_notice(stored.id, NoticeState.FAILED, "the room is not mapped any more")
            continue
        report: DeliveryReport = yield Call(
            "notice", _delivery(notifier, pair, rooms.get(pair.room_id), stored)
        )
        store.settle_notice(stored.id, _state_after(report, stored.tries), report.reason)
        if report.delivery is Delivery.NOT_SENT:
            # All leave through one channel: the next would not get further.
            return Delivered(sent, max(report.retry_after, _pause(stored.tries)))
        sent += report.delivery is Delivery.SENT
    return Delivered(sent)


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
