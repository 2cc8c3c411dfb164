"""Deliver queued notices, each at most once.

A notice is moved to SENDING in a transaction of its own before the channel is called. If the
process dies then, or the reply is lost, nobody knows whether the mail went out: it becomes
DOUBTFUL, is shown to the admin, and is never sent again by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from calsync.engine.calls import Call, Steps
from calsync.model import Pair, Room
from calsync.ports import Delivery, DeliveryReport, NoticeState, Notifier, Store, StoredNotice

#: Tries of a notice that was certainly not sent, before it is given up.
MAX_TRIES = 8


def deliver_notices(
    store: Store,
    notifier: Notifier,
    *,
    pairs: Mapping[str, Pair],
    rooms: Mapping[str, Room],
    limit: int = 20,
) -> Steps[int]:
    """Try each queued notice once; the number sent."""
    sent = 0
    for stored in store.claim_notices(limit):
        pair = pairs.get(stored.pair_id)
        if pair is None:
            store.settle_notice(stored.id, NoticeState.FAILED, "the room is not mapped any more")
            continue
        report: DeliveryReport = yield Call(
            "notice", _delivery(notifier, pair, rooms.get(pair.room_id), stored)
        )
        state = _state_after(report, stored.tries)
        store.settle_notice(stored.id, state, report.reason)
        sent += state is NoticeState.SENT
    return sent


def _delivery(
    notifier: Notifier, pair: Pair, room: Room | None, stored: StoredNotice
) -> Callable[[], DeliveryReport]:
    return lambda: notifier.deliver(pair, room, stored.notice)


def _state_after(report: DeliveryReport, tries: int) -> NoticeState:
    match report.delivery:
        case Delivery.SENT:
            return NoticeState.SENT
        case Delivery.NOT_SENT:
            return NoticeState.QUEUED if tries + 1 < MAX_TRIES else NoticeState.FAILED
        case Delivery.REFUSED:
            return NoticeState.FAILED
        case Delivery.IN_DOUBT:
            return NoticeState.DOUBTFUL
        case _:
            assert_never(report.delivery)
