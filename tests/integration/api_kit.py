"""The API over real HTTP on loopback, with a hub of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from starlette.types import ASGIApp, Receive, Scope, Send

from calsync.adapters.feeds.keys import FeedKeys
from calsync.adapters.hub.tokens import SCOPES
from calsync.adapters.metrics import Metric, gauge, one
from calsync.api.app import create_app
from calsync.api.limits import Limits
from calsync.api.server import ApiServer
from calsync.store.feeds import SqlFeedStore
from tests.unit.hub.hub_kit import Hub, a_hub

AS_OF = datetime(2026, 11, 20, 7, 59, tzinfo=UTC)
PLAIN = {"start": "2026-12-01T09:00:00", "duration": "PT1H"}


class Client:
    """One platform. Every answer is checked: JSON, and a problem exactly where it failed."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        answer = self.session.request(method, self.url + path, timeout=10, **options)
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json"
            problem = answer.json()
            assert problem["status"] == answer.status_code
            assert problem["type"] == f"/problems/{problem['code']}"
            assert problem["title"]
            assert problem["detail"].endswith(".")
        return answer

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.call("POST", path, **options)

    def put(self, path: str, **options: Any) -> requests.Response:
        return self.call("PUT", path, **options)

    def patch(self, path: str, doc: object, match: str | None = None) -> requests.Response:
        headers = {} if match is None else {"If-Match": match}
        return self.call("PATCH", path, json=doc, headers=headers)

    def delete(self, path: str, match: str | None = None) -> requests.Response:
        return self.call("DELETE", path, headers={} if match is None else {"If-Match": match})

    def book(self, room: str = "r1", **doc: object) -> dict[str, Any]:
        answer = self.post(f"/v1/rooms/{room}/bookings", json={**PLAIN, **doc})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


class Served:
    def __init__(self, hub: Hub, server: ApiServer, triggered: list[str]) -> None:
        self.hub, self.server, self.triggered = hub, server, triggered
        self.not_ready: list[str] = []
        self.figures: Callable[[], list[Metric]] = lambda: [gauge("rooms", "Rooms", one(4))]
        self.limits = Limits()
        self.mapped: set[str] = set()
        self.clients: list[Client] = []
        self.all = self.client(*SCOPES)

    def client(self, *scopes: str) -> Client:
        token = self.hub.service.tokens.create("test", scopes)[1] if scopes else ""
        client = Client(self.server.url, token)
        self.clients.append(client)
        return client


def world_feeds(hub: Hub) -> FeedKeys:
    return FeedKeys(SqlFeedStore(hub.database), hub.store, now=hub.clock)


class Door:
    """One server for many tests (it takes a fifth of a second to stop); each brings its app."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@contextmanager
def open_door() -> Iterator[tuple[Door, ApiServer]]:
    door = Door()
    server = ApiServer(door, "127.0.0.1", 0)
    server.start()
    try:
        yield door, server
    finally:
        server.stop()


@contextmanager
def served(opened: tuple[Door, ApiServer], folder: Path) -> Iterator[Served]:
    triggered: list[str] = []
    door, server = opened
    with a_hub(folder) as hub:
        world = Served(hub, server, triggered)
        door.app = create_app(
            hub.service,
            now=hub.clock,
            sync_status=lambda room_id: (AS_OF, room_id == "r2"),
            trigger=triggered.append,
            version="1.2.3",
            feed_keys=world_feeds(hub),
            not_ready=lambda: world.not_ready,
            figures=lambda: world.figures(),
            limits=world.limits,
            mapped=lambda room_id: room_id in world.mapped,
        )
        try:
            yield world
        finally:
            for client in world.clients:
                client.session.close()
            door.app = None
