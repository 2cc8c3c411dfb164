"""Room feeds: one room by a secret address, for displays that cannot sign in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from calsync.adapters.feeds import render
from calsync.adapters.feeds.keys import FeedKeys
from calsync.adapters.feeds.render import Picture
from calsync.adapters.hub.problems import NotFound
from calsync.api import openapi
from calsync.api.body import none_match
from calsync.api.context import Api

log = logging.getLogger("calsync.api")

_CALENDAR: Final = "text/calendar; charset=utf-8"
#: Private: what one display may see, no cache may give to another. The address is a secret, so it
#: must not leave in a Referer, nor end in a search engine.
_HEADERS: Final = {
    "Cache-Control": "private, max-age=30",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def router(api: Api, keys: FeedKeys) -> APIRouter:
    routes = APIRouter(tags=["feeds"])

    def answer(
        request: Request, room_id: str, key: str, form: Callable[[Picture], bytes], media: str
    ) -> Response:
        feed = keys.check(room_id, key)
        if feed is None:
            api.limits.of_stranger(request)
            raise NotFound(
                "there is no feed at this address, or it was revoked",
                todo="Ask the admin for another: calsync feeds create",
            )
        api.limits.of_feed(request, feed.id)
        log.debug("Feed %s is read", feed.id)
        body = form(_picture(api, room_id, details=feed.details))
        tag = sha256(body).hexdigest()[:32]
        headers = {**_HEADERS, "ETag": f'"{tag}"'}
        if none_match(request, tag):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=media, headers=headers)

    @routes.get("/feeds/{room_id}/{key}.ics", **_described("Its bookings as iCalendar", _CALENDAR))
    def calendar(request: Request, room_id: str, key: str) -> Response:
        return answer(request, room_id, key, render.as_calendar, _CALENDAR)

    @routes.get("/feeds/{room_id}/{key}.ifb", **_described("Its free/busy time", _CALENDAR))
    def free_busy(request: Request, room_id: str, key: str) -> Response:
        return answer(request, room_id, key, render.as_free_busy, _CALENDAR)

    @routes.get("/feeds/{room_id}/{key}.json", **_described("Its state for a door display", "json"))
    def state(request: Request, room_id: str, key: str) -> Response:
        return answer(request, room_id, key, render.as_json, "application/json")

    return routes


def _picture(api: Api, room_id: str, *, details: bool) -> Picture:
    now = api.now()
    room = api.service.room(room_id)
    span = render.window(now, room.room.zone)
    ((_, found),) = api.service.occurrences([room_id], span)
    as_of, stale = api.sync_status(room_id)
    return Picture(
        room=room.room,
        found=found,
        span=span,
        now=now,
        as_of=as_of,
        stale=stale,
        details=details,
    )


def _described(summary: str, media: str) -> dict[str, Any]:
    if media == "json":
        content: dict[str, Any] = {"application/json": openapi.of("RoomState")}
    else:
        content = {"text/calendar": {"schema": {"type": "string"}}}
    responses = openapi.answers(404, 429, 500, 503)
    responses[200] = {"description": "Done", "content": content}
    responses[304] = {"description": "You hold what there is"}
    return {
        "summary": f"A room by a secret address. {summary}",
        "description": "The address is the key: made by `calsync feeds create`, void after "
        "`calsync feeds revoke`. Shows yesterday and the next 14 days.",
        "openapi_extra": {"parameters": [openapi.header("If-None-Match")]},
        "responses": dict(sorted(responses.items(), key=lambda r: str(r[0]))),
        "response_class": Response,
    }
