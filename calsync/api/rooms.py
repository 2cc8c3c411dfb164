"""Rooms and their occupancy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from calsync.adapters.hub.desk import Shown
from calsync.adapters.hub.service import Occurrence
from calsync.api.body import JSON_TYPES, json_body, none_match, window
from calsync.api.context import Api, answer, booking_doc, details, etag
from calsync.api.openapi import describe
from calsync.api.problems import ApiProblem
from calsync.mapping.booking import format_utc, person_to_json
from calsync.mapping.booking_form import Form
from calsync.mapping.booking_rules import BookingRules, read_rules, rules_to_json
from calsync.mapping.booking_state import busy_to_json
from calsync.mapping.booking_values import ApiToken, StoredRoom
from calsync.mapping.text import clean_title
from calsync.mapping.zones import resolve, to_wall
from calsync.model import Interval, Room

MAX_ROOMS = 100
#: As the settings have it, so that every room can be mapped. (Clients drop "." and ".." from
#: addresses.)
_ROOM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
View = Literal["occurrences", "series"]


def router(api: Api) -> APIRouter:
    routes = APIRouter(tags=["rooms"])
    service = api.service

    may_read, may_write = [api.needs("rooms:read")], [api.needs("rooms:write")]

    @routes.get(
        "/rooms", dependencies=may_read, **describe("rooms:read", "Rooms", "List all rooms")
    )
    def list_rooms() -> Response:
        return answer({"rooms": [room_doc(r, api) for r in service.rooms()]})

    @routes.get(
        "/rooms/{room_id}",
        dependencies=may_read,
        **describe(
            "rooms:read",
            "Room",
            "One room",
            good=(200, 304),
            codes=(404,),
            headers=("If-None-Match",),
        ),
    )
    def get_room(request: Request, room_id: str) -> Response:
        room = service.room(room_id)
        # Whether it is mapped is no part of its revision.
        held = f"{room.revision}m" if api.mapped(room_id) else str(room.revision)
        headers = {"ETag": f'"{held}"'}
        if none_match(request, held):
            return Response(status_code=304, headers=headers)
        return answer(room_doc(room, api), headers=headers)

    @routes.put(
        "/rooms/{room_id}",
        dependencies=may_write,
        **describe(
            "rooms:write",
            "Room",
            "Make or replace a room",
            body="RoomInput",
            good=(200, 201),
            codes=(404,),
        ),
    )
    def put_room(room_id: str, doc: dict[str, object] = Depends(json_body(JSON_TYPES))) -> Response:
        room, created = service.put_room(*read_room(room_id, doc))
        headers = {"ETag": etag(room.revision)}
        return answer(room_doc(room, api), status=201 if created else 200, headers=headers)

    @routes.get(
        "/rooms/{room_id}/occupancy",
        **describe(
            "busy:read", "RoomOccupancy", "When one room is taken, in a window", codes=(404, 422)
        ),
    )
    def room_occupancy(
        room_id: str,
        start: Annotated[str, Query(description=_START)],
        end: Annotated[str, Query(description=_END)],
        view: Annotated[View, Query(description=_VIEW)] = "occurrences",
        token: ApiToken = api.needs("busy:read"),
    ) -> Response:
        (doc,) = _occupancy(api, [room_id], window(start, end), view, token)
        return answer(doc)

    @routes.get(
        "/occupancy",
        **describe("busy:read", "Occupancy", "When several rooms are taken", codes=(404, 422)),
    )
    def occupancy(
        rooms: Annotated[str, Query(description=f"Room ids, with commas; at most {MAX_ROOMS}")],
        start: Annotated[str, Query(description=_START)],
        end: Annotated[str, Query(description=_END)],
        view: Annotated[View, Query(description=_VIEW)] = "occurrences",
        token: ApiToken = api.needs("busy:read"),
    ) -> Response:
        ids = [name for name in rooms.split(",") if name]
        if not 1 <= len(ids) <= MAX_ROOMS:
            what = f"rooms must name 1 to {MAX_ROOMS} rooms"
            raise ApiProblem("invalid", f"{what}.", errors=[{"parameter": "rooms", "detail": what}])
        return answer({"rooms": _occupancy(api, ids, window(start, end), view, token)})

    return routes


_START = "Begin of the window: an instant such as 2026-11-20T00:00:00Z"
_END = "End of the window; at most 400 days after its begin"
_VIEW = "occurrences: every date of a series; series: each booking once"


def _occupancy(
    api: Api, room_ids: Sequence[str], span: Interval, view: View, token: ApiToken
) -> list[dict[str, object]]:
    if view == "series":
        return [
            _frame(api, room, span, view)
            | {"items": [booking_doc(Shown(b, room.room.zone), token) for b in bookings]}
            for room, bookings in api.service.series(room_ids, span)
        ]
    return [
        _frame(api, room, span, view)
        | {"items": [occurrence_doc(o, room.room.zone, token) for o in found]}
        for room, found in api.service.occurrences(room_ids, span)
    ]


def _frame(api: Api, room: StoredRoom, span: Interval, view: View) -> dict[str, object]:
    as_of, stale = api.sync_status(room.room.id)
    return {
        "roomId": room.room.id,
        "timeZone": room.room.zone,
        "start": format_utc(span.start),
        "end": format_utc(span.end),
        "view": view,
        "generatedAt": format_utc(api.now()),
        "inSyncAsOf": None if as_of is None else format_utc(as_of),
        "stale": stale,
    }


def occurrence_doc(found: Occurrence, room_zone: str, token: ApiToken) -> dict[str, object]:
    """One instance. ``start`` is wall time in the room; ``recurrenceId`` is the local start that
    the series gave it, in the zone of the series."""
    booking, instance = found.booking, found.instance
    doc: dict[str, object] = {"bookingId": booking.id}
    if instance.recurrence_id is not None:
        doc["recurrenceId"] = instance.recurrence_id.isoformat()
    doc |= {
        "start": to_wall(instance.start, room_zone).isoformat(),
        "timeZone": room_zone,
        "startUtc": format_utc(instance.start),
        "endUtc": format_utc(instance.end),
        "showWithoutTime": instance.all_day,
        **busy_to_json(instance.busy),
        "privacy": "private" if instance.private else "public",
        "bookingStatus": booking.status.value,
        "origin": booking.origin.value,
        "editable": booking.editable,
    }
    if details(token):
        if instance.title is not None:
            doc["title"] = instance.title
        if not instance.private and (booking.person.name or booking.person.address):
            doc["bookedBy"] = person_to_json(booking.person)
    return doc


# --- rooms as JSON ---------------------------------------------------------------------------


def room_doc(stored: StoredRoom, api: Api) -> dict[str, object]:
    room = stored.room
    rules = rules_to_json(stored.rules)
    return {
        "id": room.id,
        "name": room.name,
        "building": room.building,
        "floor": room.floor,
        "capacity": room.capacity,
        "timeZone": room.zone,
        "titles": stored.titles,
        "answeredBy": "calendar" if api.mapped(room.id) else "connector",
        **({"rules": rules} if rules else {}),
    }


def read_room(room_id: str, doc: dict[str, object]) -> tuple[Room, BookingRules]:
    """Raises InvalidBooking (the one kind for bodies that say something wrong)."""
    form = Form(doc)
    # A client may send back what it read.
    known = ("id", "name", "building", "floor", "capacity", "timeZone", "rules", "answeredBy")
    form.refuse_unknown(known)
    if doc.get("id") not in (None, room_id):
        form.fail("id", "differs from the id in the address", "Leave it out")
    if not _ROOM_ID.fullmatch(room_id):
        what = "a room id has 1 to 64 letters, digits, dots, dashes and underscores"
        form.fail("id", what, "Begin it with a letter or digit")
    said = len(form.errors)
    name = clean_title(form.text("name", limit=4096))
    if name is None and len(form.errors) == said:
        form.fail("name", "is missing", "Give the room a name")
    said = len(form.errors)
    zone = resolve(form.text("timeZone", limit=128)).iana
    if zone is None and len(form.errors) == said:
        form.fail("timeZone", "is missing or unknown", "Give an IANA name: Europe/Berlin")
    building = clean_title(form.text("building", limit=4096)) or ""
    floor = clean_title(form.text("floor", limit=4096)) or ""
    capacity = form.whole("capacity", low=1, high=100_000)
    rules = read_rules(Form(form.members("rules"), at="/rules", errors=form.errors))
    form.done()
    room = Room(
        id=room_id,
        name=name or "",
        zone=zone or "",
        building=building,
        floor=floor,
        capacity=capacity,
    )
    return room, rules
