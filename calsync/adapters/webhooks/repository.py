"""What webhooks need from a database, as a Protocol. ``calsync.store.webhooks`` keeps it;
``bootstrap`` joins the two. All errors are of the family ``calsync.errors.StoreError``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from calsync.mapping.webhook_values import Backlog, Endpoint, Message


class WebhookStore(Protocol):
    def endpoints(self) -> list[Endpoint]: ...

    def endpoint(self, endpoint_id: str) -> Endpoint | None: ...

    def add(self, endpoint: Endpoint) -> None: ...

    def change(self, endpoint_id: str, make: Callable[[Endpoint], Endpoint]) -> Endpoint | None:
        """Put what ``make`` makes of it in its place, under the write lock; None where there is
        none."""
        ...

    def remove(self, endpoint_id: str) -> bool: ...

    def advance(
        self, endpoint_id: str, *, before: int, after: int, messages: Sequence[Message]
    ) -> bool:
        """Queue ``messages`` and move the endpoint's position, both or neither."""
        ...

    def queue(self, messages: Sequence[Message]) -> None:
        """Queue those whose id is not known yet."""
        ...

    def due(self, now: datetime, *, busy: Collection[str]) -> list[Message]:
        """The oldest message that is due of each endpoint that may be sent to and is not busy."""
        ...

    def settle(self, message: Message) -> None: ...

    def messages(self, endpoint_id: str, limit: int) -> list[Message]: ...

    def replay(
        self,
        endpoint_id: str,
        now: datetime,
        *,
        since: datetime | None = None,
        message_id: str | None = None,
    ) -> int: ...

    def backlogs(self) -> Mapping[str, Backlog]: ...

    def delivered_since(self, endpoint_id: str, since: datetime) -> bool: ...

    def purge(self, before: datetime) -> int: ...
