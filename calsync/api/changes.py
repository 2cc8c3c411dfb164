"""The change feed."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.responses import Response

from calsync.adapters.hub.desk import Shown
from calsync.api.context import Api, answer, booking_doc
from calsync.api.openapi import describe
from calsync.mapping.booking import format_utc
from calsync.mapping.booking_values import ApiToken, FeedEntry

MAX_PAGE = 500


def router(api: Api) -> APIRouter:
    routes = APIRouter(tags=["changes"])

    @routes.get(
        "/changes",
        **describe(
            "bookings:read",
            "Changes",
            "What changed since a cursor, in order, with tombstones; without a cursor all live "
            "bookings first",
            codes=(400, 404, 410, 422),
        ),
    )
    def changes(
        cursor: Annotated[str | None, Query(max_length=2048, description=_CURSOR)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
        room: Annotated[str | None, Query(description="Only this room", max_length=64)] = None,
        token: ApiToken = api.needs("bookings:read"),
    ) -> Response:
        page = api.service.changes(cursor, room_id=room, limit=limit)
        headers = {}
        if page.more:
            following = {"cursor": page.cursor, "limit": str(limit)}
            query = urlencode(following | ({"room": room} if room is not None else {}))
            headers["Link"] = f'</v1/changes?{query}>; rel="next"'
        doc = {
            "changes": [_entry(entry, shown, token) for entry, shown in page.entries],
            "cursor": page.cursor,
            "more": page.more,
            "listing": page.listing,
        }
        return answer(doc, headers=headers)

    return routes


_CURSOR = "As the last page gave it. One that is too old gives 410: start without a cursor"


def _entry(entry: FeedEntry, shown: Shown | None, token: ApiToken) -> dict[str, object]:
    doc: dict[str, object] = {
        "kind": "tombstone" if entry.tombstone else "upsert",
        "bookingId": entry.booking_id,
        "roomId": entry.room_id,
        "revision": entry.revision,
        "at": format_utc(entry.at),
        "changeNumber": entry.number,
    }
    if shown is not None:
        doc["booking"] = booking_doc(shown, token)
    return doc
