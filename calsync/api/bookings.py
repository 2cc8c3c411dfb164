"""Bookings: make, read, change, cancel; one date of a series."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from calsync.adapters.hub.desk import Shown
from calsync.adapters.hub.problems import RoomConflict
from calsync.adapters.hub.service import Once
from calsync.api import problems
from calsync.api.body import (
    JSON_TYPES,
    PATCH_TYPES,
    idempotency_key,
    if_match,
    json_body,
    none_match,
    optional_if_match,
    wants_absent,
)
from calsync.api.context import (
    Api,
    booking_answer,
    booking_doc,
    booking_headers,
    encode,
    etag,
)
from calsync.api.openapi import describe
from calsync.api.waiting import Waits, wished
from calsync.mapping.booking_scope import SeriesScope
from calsync.mapping.booking_values import ApiToken, StoredAnswer

_WRITE, _READ = "bookings:write", "bookings:read"


def router(api: Api) -> APIRouter:
    routes = APIRouter(tags=["bookings"])
    waits = Waits(api.service)
    _add_making(routes, api, waits)
    _add_changing(routes, api, waits)
    _add_occurrences(routes, api, waits)
    return routes


def _add_making(routes: APIRouter, api: Api, waits: Waits) -> None:
    @routes.post(
        "/rooms/{room_id}/bookings",
        **describe(
            _WRITE,
            "Booking",
            "Book a room",
            body="BookingInput",
            good=(201,),
            codes=(404, 409),
            headers=("Idempotency-Key", "Prefer"),
        ),
    )
    async def create(
        request: Request,
        room_id: str,
        token: ApiToken = api.needs(_WRITE),
        doc: dict[str, object] = Depends(json_body(JSON_TYPES)),
    ) -> Response:
        key = idempotency_key(request)
        once = None if key is None else once_for(request, token, key, doc)
        done = await run_in_threadpool(api.service.create, room_id, doc, once=once)
        if isinstance(done, StoredAnswer):
            return await _again(request, done, api, waits, token)
        api.trigger(room_id)
        return await waits.answer(request, done, token)

    @routes.put(
        "/rooms/{room_id}/bookings/by-external/{external_id:path}",
        **describe(
            _WRITE,
            "Booking",
            "Make or replace the booking with your own id",
            body="BookingInput",
            good=(200, 201),
            codes=(404, 409, 412),
            headers=("If-Match", "If-None-Match", "Prefer"),
        ),
    )
    async def put_external(
        request: Request,
        room_id: str,
        external_id: str,
        token: ApiToken = api.needs(_WRITE),
        doc: dict[str, object] = Depends(json_body(JSON_TYPES)),
    ) -> Response:
        shown = await run_in_threadpool(
            api.service.put_external,
            room_id,
            external_id,
            doc,
            match=optional_if_match(request),
            absent=wants_absent(request),
        )
        api.trigger(room_id)
        return await waits.answer(request, shown, token)


def _add_changing(routes: APIRouter, api: Api, waits: Waits) -> None:
    @routes.get(
        "/bookings/{booking_id}",
        **describe(
            _READ,
            "Booking",
            "One booking",
            good=(200, 304),
            codes=(404,),
            headers=("If-None-Match",),
        ),
    )
    def get(request: Request, booking_id: str, token: ApiToken = api.needs(_READ)) -> Response:
        shown = api.service.booking(booking_id)
        if none_match(request, shown.booking.revision):
            headers = {"ETag": etag(shown.booking.revision), "Vary": "Authorization"}
            return Response(status_code=304, headers=headers)
        return booking_answer(shown, token)

    @routes.patch(
        "/bookings/{booking_id}",
        **describe(
            _WRITE,
            "Booking",
            "Change a booking by a merge patch (RFC 7396)",
            body="BookingPatch",
            codes=(404, 409, 412, 428),
            headers=("If-Match", "Prefer"),
        ),
    )
    async def patch(
        request: Request,
        booking_id: str,
        token: ApiToken = api.needs(_WRITE),
        doc: dict[str, object] = Depends(json_body(PATCH_TYPES)),
    ) -> Response:
        shown = await run_in_threadpool(api.service.patch, booking_id, doc, if_match(request))
        api.trigger(shown.booking.room_id)
        return await waits.answer(request, shown, token)

    @routes.delete(
        "/bookings/{booking_id}",
        dependencies=[api.needs(_WRITE)],
        **describe(
            _WRITE,
            None,
            "Cancel a booking; one made in Outlook is declined for the room",
            good=(204,),
            codes=(404, 412, 428),
            headers=("If-Match",),
        ),
    )
    def delete(request: Request, booking_id: str) -> Response:
        cancelled = api.service.cancel(booking_id, if_match(request))
        api.trigger(cancelled.room_id)
        return Response(status_code=204)


Dates = Literal["this", "following", "all"]
_SCOPE = "Which dates are meant: this one, this and all that follow, or all"


def _add_occurrences(routes: APIRouter, api: Api, waits: Waits) -> None:
    path = "/bookings/{booking_id}/occurrences/{recurrence_id}"

    @routes.patch(
        path,
        **describe(
            _WRITE,
            "Booking",
            "Change one date of a series; with scope=following all from it on, which then are a "
            "booking of their own, with scope=all the whole series",
            body="OverridePatch",
            good=(200, 201),
            codes=(404, 409, 412, 428),
            headers=("If-Match", "Prefer"),
        ),
    )
    async def patch_occurrence(
        request: Request,
        booking_id: str,
        recurrence_id: str,
        scope: Annotated[Dates, Query(description=_SCOPE)] = "this",
        token: ApiToken = api.needs(_WRITE),
        doc: dict[str, object] = Depends(json_body(PATCH_TYPES)),
    ) -> Response:
        shown = await run_in_threadpool(
            api.service.patch_occurrence,
            booking_id,
            recurrence_id,
            doc,
            if_match(request),
            SeriesScope(scope),
        )
        api.trigger(shown.booking.room_id)
        response = await waits.answer(request, shown, token)
        if shown.created:
            response.headers["Link"] = f'</v1/bookings/{booking_id}>; rel="prev"'
        return response

    @routes.delete(
        path,
        **describe(
            _WRITE,
            "Booking",
            "Cancel one date of a series; with scope=following all from it on, with scope=all "
            "the whole series",
            codes=(404, 409, 412, 422, 428),
            headers=("If-Match", "Prefer"),
        ),
    )
    async def delete_occurrence(
        request: Request,
        booking_id: str,
        recurrence_id: str,
        scope: Annotated[Dates, Query(description=_SCOPE)] = "this",
        token: ApiToken = api.needs(_WRITE),
    ) -> Response:
        shown = await run_in_threadpool(
            api.service.patch_occurrence,
            booking_id,
            recurrence_id,
            None,
            if_match(request),
            SeriesScope(scope),
        )
        api.trigger(shown.booking.room_id)
        return await waits.answer(request, shown, token)


# --- idempotency -----------------------------------------------------------------------------


def once_for(request: Request, token: ApiToken, key: str, doc: dict[str, object]) -> Once:
    """The Idempotency-Key of a request that makes a booking."""
    said = json.dumps([request.scope["path"], doc], sort_keys=True)

    def word(outcome: Shown | RoomConflict) -> tuple[int, dict[str, str], str]:
        if isinstance(outcome, RoomConflict):
            response = problems.of_conflict(
                outcome, ids=_READ in token.scopes, instance=problems.address(request)
            )
            headers = {"Content-Type": problems.MEDIA_TYPE}
            return response.status_code, headers, bytes(response.body).decode()
        headers = {"Content-Type": "application/json", **booking_headers(outcome)}
        return (
            201 if outcome.created else 200,
            headers,
            encode(booking_doc(outcome, token)).decode(),
        )

    return Once(token.id, key, sha256(said.encode("utf-8")).hexdigest(), word)


async def _again(
    request: Request, kept: StoredAnswer, api: Api, waits: Waits, token: ApiToken
) -> Response:
    """The answer as it was given; to who would wait, how the booking stands by now."""
    made = kept.headers.get("Location", "").rpartition("/")[2]
    if made and wished(request):
        shown = await run_in_threadpool(api.service.booking, made)
        response = await waits.answer(request, replace(shown, created=True), token)
        response.headers["Idempotency-Replayed"] = "true"
        return response
    return again(kept)


def again(kept: StoredAnswer) -> Response:
    """The answer as it was given."""
    headers = {**kept.headers, "Idempotency-Replayed": "true", "Cache-Control": "private, no-cache"}
    return Response(kept.body, status_code=kept.status, headers=headers)
