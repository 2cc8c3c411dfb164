"""The endpoints of webhooks: made, renewed, replayed and closed by the admin."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from calsync.adapters.hub.repository import HubStore
from calsync.adapters.webhooks import signing
from calsync.adapters.webhooks.guard import Guard, read_url
from calsync.adapters.webhooks.repository import WebhookStore
from calsync.adapters.webhooks.vault import Vault
from calsync.errors import UsageError
from calsync.mapping.webhook_values import Backlog, Endpoint, Message

#: What an endpoint may be told beyond ids, times and states.
SCOPES: Final = {
    "busy:read": "ids, room, times and state of what changed",
    "bookings:read": "also the booking itself, with its ids, seats and refusal",
    "details:read": "also titles and people",
}
THIN: Final = ("busy:read",)
#: How long the former secret still signs, by default.
OVERLAP: Final = timedelta(hours=24)
MAX_ENDPOINTS: Final = 100


class Endpoints:
    def __init__(
        self,
        store: WebhookStore,
        hub: HubStore,
        vault: Vault,
        guard: Guard,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str] = lambda: secrets.token_hex(6),
    ) -> None:
        self._store = store
        self._hub = hub
        self._vault = vault
        self._guard = guard
        self._now = now
        self._new_id = new_id

    def add(
        self, name: str, url: str, scopes: Iterable[str] = (), rooms: Iterable[str] = ()
    ) -> tuple[Endpoint, str]:
        """A new endpoint, told of all changes from now on, and its secret as the receiver takes
        it. Raises UsageError for a URL, scope or room that cannot be."""
        wanted, only = frozenset(scopes) or frozenset(THIN), frozenset(rooms)
        unknown = sorted(wanted - SCOPES.keys())
        if unknown:
            raise UsageError(
                f"unknown scope {', '.join(unknown)}", todo=f"Choose from {', '.join(SCOPES)}"
            )
        self._check(url)
        with self._hub.read() as tx:
            position = tx.numbers()[0]
            missing = sorted(only - {stored.room.id for stored in tx.rooms()})
        if missing:
            raise UsageError(
                f"there is no room {', '.join(missing)}", todo="See them with: calsync rooms list"
            )
        if len(self._store.endpoints()) >= MAX_ENDPOINTS:
            raise UsageError(
                f"there are {MAX_ENDPOINTS} endpoints already",
                todo="Remove one: calsync webhooks remove ID",
            )
        key, endpoint_id = signing.new_key(), self._new_id()
        endpoint = Endpoint(
            id=endpoint_id,
            name=name,
            url=url,
            scopes=wanted,
            rooms=only,
            secret=self._vault.seal(key, owner=endpoint_id),
            position=position,
            created=self._now(),
        )
        self._store.add(endpoint)
        return endpoint, signing.shown(key)

    def _check(self, url: str) -> None:
        target = read_url(url)
        try:
            self._guard.addresses(target)
        except OSError as error:
            raise UsageError(
                "the name in this URL is not known to this machine",
                where=target.host,
                todo="Check the name, and this machine's name servers",
            ) from error

    def list(self) -> list[tuple[Endpoint, Backlog]]:
        backlogs = self._store.backlogs()
        return [(e, backlogs.get(e.id, Backlog())) for e in self._store.endpoints()]

    def messages(self, endpoint_id: str, limit: int = 20) -> Sequence[Message]:
        """The newest messages, newest first."""
        return self._store.messages(self._known(endpoint_id).id, limit)

    def rotate(self, endpoint_id: str, overlap: timedelta = OVERLAP) -> tuple[Endpoint, str]:
        """A new secret; the one so far signs beside it for ``overlap``, so that the receiver can
        change over at its leisure."""
        key = signing.new_key()
        sealed, until = self._vault.seal(key, owner=endpoint_id), self._now() + overlap
        made = self._store.change(
            endpoint_id,
            lambda held: replace(held, secret=sealed, former=held.secret, former_until=until),
        )
        return self._found(made, endpoint_id), signing.shown(key)

    def disable(self, endpoint_id: str, why: str = "by the admin") -> Endpoint:
        """Nothing is made or sent any more; its place in the change feed is kept."""
        now = self._now()
        made = self._store.change(
            endpoint_id, lambda e: e if e.disabled else replace(e, disabled=now, why=why)
        )
        return self._found(made, endpoint_id)

    def enable(self, endpoint_id: str) -> Endpoint:
        """It is told of all that changed since, as far back as the change feed reaches."""
        made = self._store.change(
            endpoint_id, lambda e: replace(e, disabled=None, why="", paused=None)
        )
        return self._found(made, endpoint_id)

    def replay(
        self, endpoint_id: str, *, since: datetime | None = None, message_id: str | None = None
    ) -> int:
        """Queue messages again, under their own ids; without a choice those that failed. How
        many."""
        self._known(endpoint_id)
        count = self._store.replay(endpoint_id, self._now(), since=since, message_id=message_id)
        if message_id is not None and not count:
            raise UsageError("this endpoint has no such message", where=message_id)
        return count

    def remove(self, endpoint_id: str) -> Endpoint:
        held = self._known(endpoint_id)
        self._store.remove(endpoint_id)
        return held

    def _known(self, endpoint_id: str) -> Endpoint:
        return self._found(self._store.endpoint(endpoint_id), endpoint_id)

    def _found(self, endpoint: Endpoint | None, endpoint_id: str) -> Endpoint:
        if endpoint is None:
            raise UsageError(
                "there is no webhook endpoint with this id",
                where=endpoint_id,
                todo="See them with: calsync webhooks list",
            )
        return endpoint
