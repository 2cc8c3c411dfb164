"""Notices to platforms: handed over to the outbox of webhooks, which signs them and tries for days.

A message has the same id however often it is handed over, and the outbox takes an id once: so a
doubtful one may be handed over again without harm.
"""

from __future__ import annotations

from datetime import UTC
from hashlib import blake2b
from typing import Protocol

from calsync.errors import StoreError
from calsync.mapping.booking import format_utc
from calsync.mapping.expand import extent
from calsync.model import Notice, Pair
from calsync.ports import Delivery, DeliveryReport


class Outbox(Protocol):
    """See ``adapters.webhooks.post.Post``."""

    def tell(
        self, kind: str, *, room_id: str, booking_id: str, data: dict[str, object], about: str
    ) -> int: ...


class WebhookNotices:
    """A ``HandOver``."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def tell(self, pair: Pair, notice: Notice) -> DeliveryReport:
        """Ids, times and kinds; nothing about people. What scopes add is read when it is sent."""
        booking = notice.booking_key.partition("#")[0]
        start, end = extent(notice.occupancy, pair.zone)
        data: dict[str, object] = {
            "bookingId": booking,
            "roomId": pair.room_id,
            "notice": notice.kind.value,
            "startUtc": format_utc(start.astimezone(UTC)),
            "series": notice.occupancy.recurrence is not None,
        }
        if end is not None:
            data["endUtc"] = format_utc(end.astimezone(UTC))
        about = "/".join((notice.booking_key, notice.revision, notice.kind.value))
        try:
            self._outbox.tell(
                f"notice.{notice.kind.value}",
                room_id=pair.room_id,
                booking_id=booking,
                data=data,
                about=blake2b(about.encode(), digest_size=16).hexdigest(),
            )
        except StoreError as error:
            return DeliveryReport(delivery=Delivery.NOT_SENT, reason=error.what, retry_after=10.0)
        return DeliveryReport(delivery=Delivery.SENT)
