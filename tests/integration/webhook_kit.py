"""Webhooks over a hub of their own, under a clock that the test moves; sent over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from calsync.adapters.webhooks.endpoints import Endpoints
from calsync.adapters.webhooks.guard import Guard, Resolve, resolve
from calsync.adapters.webhooks.post import Post
from calsync.adapters.webhooks.sender import Sender
from calsync.adapters.webhooks.vault import Vault
from calsync.mapping.webhook_values import Endpoint, Message
from calsync.store.webhooks import SqlWebhookStore
from tests.unit.hub.hub_kit import START, Hub, a_hub


class Hooks:
    def __init__(
        self,
        hub: Hub,
        folder: Path,
        *,
        allowed: Sequence[str] = (),
        look_up: Resolve = resolve,
        timeout: float = 5.0,
    ) -> None:
        self.hub, self.at = hub, START
        self.store = SqlWebhookStore(hub.database)
        self.vault = Vault(folder / "calsync.key")
        self.guard = Guard(allowed, look_up=look_up)
        self.sender = Sender(self.guard, timeout=timeout)
        self.endpoints = Endpoints(self.store, hub.store, self.vault, self.guard, now=self.now)
        self.post = self.new_post()

    def new_post(self) -> Post:
        """As after a start: nothing is remembered but what the database holds."""
        return Post(
            self.store, self.hub.store, self.vault, self.sender, now=self.now, chance=lambda: 0.0
        )

    def now(self) -> datetime:
        return self.at

    def later(self, **time: float) -> None:
        self.at += timedelta(**time)

    def add(self, url: str, *scopes: str, rooms: Sequence[str] = ()) -> tuple[Endpoint, str]:
        return self.endpoints.add("platform", url, scopes, rooms)

    def run(self) -> list[Message]:
        """Make what is to be made, and send what is due until nothing is; what was tried."""
        while self.post.fan_out():
            pass
        tried: list[Message] = []
        while due := self.post.due(()):
            for message in due:
                self.post.deliver(message)
                tried.append(message)
        return tried

    def messages(self, endpoint: Endpoint) -> list[Message]:
        """Oldest first."""
        return list(reversed(self.store.messages(endpoint.id, 1000)))

    def held(self, endpoint: Endpoint) -> Endpoint:
        found = self.store.endpoint(endpoint.id)
        assert found is not None
        return found


@contextmanager
def hooks(folder: Path, **options: object) -> Iterator[Hooks]:
    with a_hub(folder) as hub:
        yield Hooks(hub, folder, **options)  # type: ignore[arg-type]  # as Hooks names them
