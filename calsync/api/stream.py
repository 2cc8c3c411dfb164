"""Changes as server-sent events: the same news as webhooks, for a client that calsync cannot call.

https://html.spec.whatwg.org/multipage/server-sent-events.html. The id of an event is a cursor of
the change feed, so a client that comes back with its Last-Event-ID misses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from time import monotonic
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from calsync.adapters.hub import cursors
from calsync.adapters.hub.feed import ChangePage
from calsync.adapters.hub.problems import CursorInvalid, ResyncRequired
from calsync.adapters.hub.telling import RESYNC, kind_of, thin, visible
from calsync.api.auth import bearer
from calsync.api.context import Api, encode
from calsync.api.openapi import stream
from calsync.api.problems import ApiProblem
from calsync.errors import CalsyncError
from calsync.mapping.booking import format_utc
from calsync.mapping.booking_values import ApiToken

log = logging.getLogger("calsync.api")

#: Seconds between two signs of life: proxies close what says nothing for 30 to 60.
PULSE: Final = 15.0
#: Milliseconds after which a client comes back.
RETRY: Final = 3000
#: Streams at once, and of one token: each holds a connection, of which there are 500.
MOST: Final = 100
MOST_EACH: Final = 20
_LOOK_EVERY: Final = 0.1
_PAGE: Final = 100
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Vary": "Authorization",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


def router(api: Api) -> APIRouter:
    routes = APIRouter(tags=["changes"])
    open_now: dict[str, int] = {}

    @routes.get("/events", **stream("bookings:read", "Changes as they happen (server-sent events)"))
    async def events(
        request: Request,
        room: Annotated[str | None, Query(description="Only this room", max_length=64)] = None,
        cursor: Annotated[str | None, Query(max_length=2048, description=_CURSOR)] = None,
        token: ApiToken = api.needs("bookings:read"),
    ) -> Response:
        since = request.headers.get("last-event-id") or cursor
        if since is None:
            since = await run_in_threadpool(api.service.from_now, room)
        elif cursors.decode(since, room).after_id is not None:
            raise CursorInvalid(
                "this cursor is in the middle of the first listing",
                todo="Read /v1/changes to its last page, and come with that cursor",
            )
        # What is wrong with the cursor is said before the stream begins.
        seen = api.service.newest()
        page = await run_in_threadpool(api.service.changes, since, room_id=room, limit=_PAGE)
        if open_now.get(token.id, 0) >= MOST_EACH or sum(open_now.values()) >= MOST:
            raise ApiProblem(
                "too-many-streams",
                "Close one, or read GET /v1/changes from time to time.",
                headers={"Retry-After": "30"},
            )
        if getattr(request.state, "head", False):
            return Response(media_type="text/event-stream", headers=_HEADERS)
        request.state.streams = True
        told = _Stream(api, token, bearer(request), room)
        return _Counted(told.run(page, seen), open_now, token.id)

    return routes


_CURSOR = "Of /v1/changes, to begin there; without it and Last-Event-ID the stream begins now"


class _Counted(StreamingResponse):
    """Counts as open from the look at the count on, in which nothing is awaited (a crowd that asks
    at one moment would pass it else), to its end, begun or not."""

    def __init__(
        self, lines: AsyncIterator[bytes], open_now: dict[str, int], token_id: str
    ) -> None:
        super().__init__(lines, media_type="text/event-stream", headers=_HEADERS)
        self._open_now, self._token_id = open_now, token_id
        open_now[token_id] = open_now.get(token_id, 0) + 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._open_now[self._token_id] -= 1
            if not self._open_now[self._token_id]:
                del self._open_now[self._token_id]


class _Stream:
    """One client's stream."""

    def __init__(self, api: Api, token: ApiToken, secret: str, room_id: str | None) -> None:
        self._api = api
        self._token = token
        self._secret = secret
        self._room_id = room_id

    async def run(self, page: ChangePage, seen: int) -> AsyncIterator[bytes]:
        """``seen``: the newest change number before ``page`` was read."""
        yield f"retry: {RETRY}\n\n".encode()
        said = monotonic()
        try:
            while True:
                for event in self._events(page):
                    yield event
                    said = monotonic()
                if not page.more:
                    await self._changed(seen, until=said + PULSE)
                if monotonic() - said >= PULSE:
                    # What changes elsewhere all the time is nothing that this client hears of.
                    yield b": still here\n\n"
                    said = monotonic()
                # Before the reading: what comes between the two is looked at once more.
                seen = self._api.service.newest()
                found = await run_in_threadpool(self._next, page.cursor)
                if found is None:
                    return
                page = found
        except ResyncRequired:
            now = format_utc(self._api.now())
            yield _event("", RESYNC, {"type": RESYNC, "timestamp": now, "data": {"at": now}})
        except CalsyncError as error:
            # The client comes back by itself, and is told then what is wrong.
            log.warning("An event stream ended: %s", error)

    async def _changed(self, seen: int, *, until: float) -> None:
        """Ends when something changed, or at ``until`` (monotonic seconds)."""
        while monotonic() < until:
            await asyncio.sleep(_LOOK_EVERY)
            if self._api.service.newest() != seen:
                return

    def _next(self, cursor: str) -> ChangePage | None:
        """None: the token was revoked, which ends its streams, too, however busy they are."""
        if self._api.service.tokens.check(self._secret) is None:
            return None
        return self._api.service.changes(cursor, room_id=self._room_id, limit=_PAGE)

    def _events(self, page: ChangePage) -> list[bytes]:
        # What was overtaken by a later change of the same page is not told on its own.
        latest = {entry.booking_id: (entry, shown) for entry, shown in page.entries}
        made = []
        for entry, shown in sorted(latest.values(), key=lambda pair: pair[0].number):
            held = None if shown is None else shown.booking
            zone = "UTC" if shown is None else shown.room_zone
            kind, data = kind_of(entry, held), thin(entry, held, zone)
            if shown is not None:
                data["booking"] = visible(shown, self._token.scopes)
            doc = {"type": kind, "timestamp": format_utc(entry.at), "data": data}
            number = cursors.Cursor(entry.number, self._room_id)
            made.append(_event(cursors.encode(number), kind, doc))
        return made


def _event(cursor: str, kind: str, doc: Mapping[str, object]) -> bytes:
    # JSON in one line: a line end within would begin another field.
    head = f"id: {cursor}\n" if cursor else ""
    return f"{head}event: {kind}\ndata: ".encode() + encode(doc) + b"\n\n"
