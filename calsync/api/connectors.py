"""What connectors need beyond the rest of the booking API: see ``adapters.hub.connector``."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from calsync.adapters.hub.connector import Mirrored, Verdict
from calsync.adapters.hub.desk import Shown
from calsync.api.body import (
    JSON_TYPES,
    PATCH_TYPES,
    idempotency_key,
    if_match,
    json_body,
    read_instant,
)
from calsync.api.bookings import again, once_for
from calsync.api.context import Api, answer, booking_answer
from calsync.api.openapi import describe
from calsync.mapping.booking_form import Form
from calsync.mapping.booking_refusal import read_refusal
from calsync.mapping.booking_values import ApiToken, BookingStatus, StoredAnswer
from calsync.model import Refusal

_MIRROR = "bookings:mirror"
_ANSWERS = {status.value: status for status in (BookingStatus.CONFIRMED, BookingStatus.REJECTED)}


def router(api: Api) -> APIRouter:
    routes = APIRouter(tags=["connectors"])
    _add_looking(routes, api)
    _add_mirroring(routes, api)
    _add_answering(routes, api)
    return routes


def _add_looking(routes: APIRouter, api: Api) -> None:
    @routes.get("/token", **describe("rooms:read", "Token", "What your own token may do"))
    def token(token: ApiToken = api.needs("rooms:read")) -> Response:
        return answer({"name": token.name, "scopes": sorted(token.scopes)})

    @routes.get(
        "/rooms/{room_id}/bookings/by-external/{external_id:path}",
        **describe(
            "bookings:read",
            "Booking",
            "The booking with this externalId, or, where none lives, the one that had it last",
            codes=(404,),
        ),
    )
    def named(
        room_id: str, external_id: str, token: ApiToken = api.needs("bookings:read")
    ) -> Response:
        return booking_answer(api.service.connectors.named(room_id, external_id), token)


def _add_mirroring(routes: APIRouter, api: Api) -> None:
    @routes.post(
        "/rooms/{room_id}/mirrored",
        **describe(
            _MIRROR,
            "Booking",
            "Put into a room what stands in its calendar already: taken time and rules are not "
            "asked, and an externalId that lives already is given back as it is",
            body="MirroredInput",
            good=(200, 201),
            codes=(404, 409),
            headers=("Idempotency-Key",),
        ),
    )
    async def create(
        request: Request,
        room_id: str,
        token: ApiToken = api.needs(_MIRROR),
        doc: dict[str, object] = Depends(json_body(JSON_TYPES)),
    ) -> Response:
        key = idempotency_key(request)
        once = None if key is None else once_for(request, token, key, doc)
        form = Form(doc)
        editable, claimed = form.flag("editable", default=True), _claimed_at(form)
        form.done()
        wish = {name: value for name, value in doc.items() if name not in ("editable", "claimedAt")}

        def make() -> Shown | StoredAnswer:
            here = api.mapped(room_id)
            mirrored = Mirrored(here=here, editable=editable, claimed=claimed)
            return api.service.create(room_id, wish, once=once, mirrored=mirrored)

        done = await run_in_threadpool(make)
        if isinstance(done, StoredAnswer):
            return again(done)
        api.trigger(room_id)
        return booking_answer(done, token)

    @routes.patch(
        "/bookings/{booking_id}/mirrored",
        **describe(
            _MIRROR,
            "Booking",
            "Change a booking to what the room's calendar shows, by a merge patch (RFC 7396)",
            body="MirroredPatch",
            codes=(404, 409, 412, 428),
            headers=("If-Match",),
        ),
    )
    def patch(
        request: Request,
        booking_id: str,
        token: ApiToken = api.needs(_MIRROR),
        doc: dict[str, object] = Depends(json_body(PATCH_TYPES)),
    ) -> Response:
        held = api.service.booking(booking_id).booking
        change = {name: value for name, value in doc.items() if name != "refusal"}
        shown = api.service.connectors.patch(
            booking_id,
            change,
            if_match(request),
            here=api.mapped(held.room_id),
            refusal=_refusal(doc),
        )
        api.trigger(held.room_id)
        return booking_answer(shown, token)


def _add_answering(routes: APIRouter, api: Api) -> None:
    @routes.post(
        "/bookings/{booking_id}/answer",
        **describe(
            _MIRROR,
            "Booking",
            "Confirm a booking that waits for its room's calendar, or reject one",
            body="Answer",
            codes=(404, 409, 412, 428),
            headers=("If-Match",),
        ),
    )
    def say(
        request: Request,
        booking_id: str,
        token: ApiToken = api.needs(_MIRROR),
        doc: dict[str, object] = Depends(json_body(JSON_TYPES)),
    ) -> Response:
        form = Form(doc)
        form.refuse_unknown(("status", "refusal"))
        status = form.choice("status", _ANSWERS, None)
        if status is None and not form.errors:
            form.fail("status", "is missing", f"Use {', '.join(_ANSWERS)}")
        form.done()
        assert status is not None
        held = api.service.booking(booking_id).booking
        shown = api.service.connectors.answer(
            booking_id,
            Verdict(status=status, refusal=_refusal(doc)),
            if_match(request),
            here=api.mapped(held.room_id),
        )
        api.trigger(held.room_id)
        return booking_answer(shown, token)


def _claimed_at(form: Form) -> datetime | None:
    text = form.text("claimedAt", limit=64)
    found = None if text is None else read_instant(text)
    if text is not None and found is None:
        form.fail("claimedAt", "is not an instant", "Write 2026-11-20T09:00:00Z")
    return found


def _refusal(doc: dict[str, object]) -> Refusal | None:
    form = Form(doc)
    if not form.has("refusal"):
        return None
    found = read_refusal(Form(form.members("refusal"), at="/refusal", errors=form.errors))
    form.done()
    return found
