"""From the change feed to the receivers: messages are made, sent, and tried again for days.

The change feed is written with each change, in one transaction; so is a message with the move of
its endpoint's position in the feed. A message stays queued until a receiver took it: after a crash
it is sent (again), under the same id. So each change is told at least once.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b
from secrets import token_hex
from typing import Any, Final, Protocol

from calsync.adapters.hub.desk import Shown
from calsync.adapters.hub.repository import HubStore
from calsync.adapters.hub.telling import RESYNC, kind_of, thin, visible
from calsync.adapters.webhooks import signing
from calsync.adapters.webhooks.repository import WebhookStore
from calsync.adapters.webhooks.sender import Reply
from calsync.adapters.webhooks.vault import Vault
from calsync.errors import UsageError
from calsync.mapping.booking import format_utc
from calsync.mapping.booking_values import Booking, FeedEntry
from calsync.mapping.webhook_values import Endpoint, Message, MessageState
from calsync.pacing.schedule import LONGEST, next_try

log = logging.getLogger("calsync.webhooks")

#: Changes taken from the feed at once.
BATCH: Final = 500
#: Standard Webhooks: bodies stay below 20 kB. One with a larger booking says where to read it.
MAX_BODY: Final = 20_000


class Carrier(Protocol):
    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply: ...


class Post:
    """Safe to share between threads; one message of an endpoint at a time is the caller's part."""

    def __init__(
        self,
        store: WebhookStore,
        hub: HubStore,
        vault: Vault,
        carrier: Carrier,
        *,
        now: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
        new_id: Callable[[], str] = lambda: f"msg_{token_hex(16)}",
        agent: str = "calsync",
    ) -> None:
        self._store = store
        self._hub = hub
        self._vault = vault
        self._carrier = carrier
        self._now = now
        self._chance = chance
        self._new_id = new_id
        self._agent = agent

    # --- making messages ---

    def fan_out(self) -> bool:
        """Queue what changed since each endpoint's place in the feed; True where there is more."""
        newest = self._hub.newest()
        behind = [e for e in self._store.endpoints() if e.disabled is None and e.position != newest]
        more = [self._fan_out_to(endpoint) for endpoint in behind]
        return any(more)

    def _fan_out_to(self, endpoint: Endpoint) -> bool:
        with self._hub.read() as tx:
            last, horizon = tx.numbers()
            if not horizon <= endpoint.position <= last:
                entries: list[FeedEntry] = []
                missed = True
            else:
                entries = tx.feed(endpoint.position, room_id=None, limit=BATCH)
                missed = False
            # What was overtaken by a later change is not told on its own.
            latest = {e.booking_id: e for e in entries}
            held = tx.bookings(list(latest))
            zones = {r.room.id: r.room.zone for r in tx.rooms()}
        now = self._now()
        more = len(entries) == BATCH
        messages = [
            self._message(endpoint, entry, held.get(entry.booking_id), zones, now)
            for entry in sorted(latest.values(), key=lambda e: e.number)
            if not endpoint.rooms or entry.room_id in endpoint.rooms
        ]
        if missed:
            messages = [self._resync(endpoint, now)]
        moved = self._store.advance(
            endpoint.id,
            before=endpoint.position,
            after=entries[-1].number if more else last,
            messages=messages,
        )
        return moved and more

    def _message(
        self,
        endpoint: Endpoint,
        entry: FeedEntry,
        held: Booking | None,
        zones: Mapping[str, str],
        now: datetime,
    ) -> Message:
        return Message(
            id=self._new_id(),
            endpoint_id=endpoint.id,
            kind=kind_of(entry, held),
            booking_id=entry.booking_id,
            data=_json(thin(entry, held, zones.get(entry.room_id, "UTC"))),
            at=entry.at,
            due=now,
            changed=now,
        )

    def _resync(self, endpoint: Endpoint, now: datetime) -> Message:
        return Message(
            id=self._new_id(),
            endpoint_id=endpoint.id,
            kind=RESYNC,
            booking_id="",
            data=_json({"at": format_utc(now)}),
            at=now,
            due=now,
            changed=now,
        )

    def tell(
        self, kind: str, *, room_id: str, booking_id: str, data: dict[str, object], about: str
    ) -> int:
        """Queue a message that is no change of a booking; how many endpoints are told. ``about``
        names it: however often it is queued, each endpoint has it once."""
        now = self._now()
        messages = [
            Message(
                id=f"msg_{about}{blake2b(endpoint.id.encode(), digest_size=8).hexdigest()}",
                endpoint_id=endpoint.id,
                kind=kind,
                booking_id=booking_id,
                data=_json(data | {"at": format_utc(now)}),
                at=now,
                due=now,
                changed=now,
            )
            for endpoint in self._store.endpoints()
            if endpoint.disabled is None
            if not endpoint.rooms or room_id in endpoint.rooms
        ]
        self._store.queue(messages)
        return len(messages)

    # --- sending them ---

    def due(self, busy: Collection[str]) -> Sequence[Message]:
        """What may be sent now, at most one message of each endpoint that is not ``busy``."""
        return self._store.due(self._now(), busy=busy)

    def deliver(self, message: Message) -> None:
        """One try, and what follows from it. Raises StoreError; the message then stays queued."""
        endpoint = self._store.endpoint(message.endpoint_id)
        if endpoint is None or endpoint.disabled is not None:
            return
        try:
            reply = self._try(endpoint, message)
        except UsageError as error:  # the key file
            log.error("Webhook %s: %s", endpoint.id, error)
            reply = Reply(0, error.what)
        self._settle(endpoint, message, reply)

    def _try(self, endpoint: Endpoint, message: Message) -> Reply:
        now, body = self._now(), self.body(endpoint, message)
        keys = [self._vault.open(endpoint.secret, owner=endpoint.id)]
        until = endpoint.former_until
        if endpoint.former is not None and until is not None and now < until:
            keys.append(self._vault.open(endpoint.former, owner=endpoint.id))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._agent,
            **signing.headers(message.id, now, body, keys),
        }
        return self._carrier.post(endpoint.url, headers, body)

    def body(self, endpoint: Endpoint, message: Message) -> bytes:
        """The same at each try, but for the booking, which is told as it is now."""
        data: dict[str, Any] = json.loads(message.data)
        doc = {"type": message.kind, "timestamp": format_utc(message.at), "data": data}
        booking = self._booking(endpoint, message.booking_id)
        if booking is None:
            return _json(doc).encode()
        data["booking"] = booking
        whole = _json(doc).encode()
        if len(whole) < MAX_BODY:
            return whole
        del data["booking"]
        data["bookingOmitted"] = True
        return _json(doc).encode()

    def _booking(self, endpoint: Endpoint, booking_id: str) -> dict[str, object] | None:
        if not booking_id or not endpoint.scopes & {"bookings:read", "details:read"}:
            return None
        with self._hub.read() as tx:
            held = tx.bookings([booking_id]).get(booking_id)
            room = None if held is None else tx.room(held.room_id)
        if held is None:
            return None
        return visible(Shown(held, "UTC" if room is None else room.room.zone), endpoint.scopes)

    def _settle(self, endpoint: Endpoint, message: Message, reply: Reply) -> None:
        now, tries = self._now(), message.tries + 1
        tried = replace(message, tries=tries, changed=now, status=reply.status, reason=reply.reason)
        if reply.taken:
            self._store.settle(replace(tried, state=MessageState.DELIVERED))
            return
        log.info("Webhook %s: try %d: %s", endpoint.id, tries, reply.reason)
        if reply.status == 410:
            # The receiver's word that nobody listens there any more.
            self._store.settle(replace(tried, state=MessageState.FAILED))
            self._close(endpoint, "the receiver answered 410 Gone", now)
            return
        wait = next_try(tries, jitter=self._chance(), asked=reply.wait)
        if wait is None:
            self._store.settle(replace(tried, state=MessageState.FAILED))
            if not self._store.delivered_since(endpoint.id, message.at):
                self._close(endpoint, f"nothing was taken for days: {reply.reason}", now)
            return
        self._store.settle(replace(tried, due=now + timedelta(seconds=wait)))
        if reply.status in (429, 503) and reply.wait:
            until = now + timedelta(seconds=min(reply.wait, LONGEST))
            self._store.change(endpoint.id, lambda e: replace(e, paused=until))

    def _close(self, endpoint: Endpoint, why: str, now: datetime) -> None:
        log.warning(
            "Webhook %s is disabled: %s. When it is mended: calsync webhooks enable %s",
            *(endpoint.id, why, endpoint.id),
        )
        self._store.change(
            endpoint.id, lambda e: e if e.disabled else replace(e, disabled=now, why=why)
        )

    # --- upkeep ---

    def purge(self, keep: timedelta) -> int:
        """Drop messages that were delivered or given up that long ago."""
        return self._store.purge(self._now() - keep)


def _json(doc: Mapping[str, object]) -> str:
    return json.dumps(doc, ensure_ascii=False, separators=(",", ":"))
