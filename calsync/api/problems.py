"""Errors as RFC 9457 problem documents. Whatever goes wrong, the client gets one of these.

``type`` is a reference below ``/problems/`` of this server, which explains it; ``code`` is its
last part. ``detail`` says what is wrong and what to do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from calsync.adapters.hub import problems as hub
from calsync.errors import CalsyncError, DatabaseBusy, DatabaseFull, StoreError
from calsync.mapping.booking import alternative_to_json, format_utc, times_to_json
from calsync.mapping.booking_form import InvalidBooking

MEDIA_TYPE: Final = "application/problem+json"

#: code → (status, title). The one list of everything that can go wrong.
KINDS: Final[dict[str, tuple[int, str]]] = {
    "malformed-request": (400, "The request cannot be read"),
    "cursor-invalid": (400, "This is no cursor of this feed"),
    "not-signed-in": (401, "A valid bearer token is needed"),
    "not-allowed": (403, "This token may not do that"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "This address does not take this method"),
    "room-conflict": (409, "The room is taken at that time"),
    "booking-rejected": (409, "The room's calendar did not take the booking"),
    "external-id-taken": (409, "Another booking has this externalId"),
    "booking-not-live": (409, "The booking was cancelled or rejected"),
    "idempotency-key-running": (409, "The first request with this key is still running"),
    "resync-required": (410, "The cursor is too old"),
    "stale-revision": (412, "The booking has changed since it was read"),
    "too-large": (413, "The request is too large"),
    "media-type": (415, "The body has a media type that is not taken here"),
    "against-rules": (422, "The room's rules do not allow this"),
    "invalid": (422, "The request says something that cannot be done"),
    "outlook-born": (422, "A change here would take no effect"),
    "not-a-series": (422, "The booking is not a series"),
    "idempotency-key-reused": (422, "The key was used for another request"),
    "too-much": (422, "The answer would be too large"),
    "if-match-required": (428, "If-Match is needed here"),
    "quota-exceeded": (429, "Too many requests within a minute"),
    "internal": (500, "calsync failed"),
    "not-ready": (503, "calsync is not ready"),
    "too-many-streams": (503, "Too many event streams are open"),
    "database": (503, "calsync's database does not answer"),
    "database-full": (507, "calsync's disk is full"),
}
_BY_STATUS: Final = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}


class ApiProblem(Exception):
    """A problem found by the HTTP layer itself."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers
        self.extensions = extensions or {}


def problem(
    code: str,
    detail: str,
    *,
    instance: str = "",
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> Response:
    """A problem document. Members of ``extensions`` that are None are left out."""
    status, title = KINDS[code]
    doc: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if instance:
        doc["instance"] = instance
    doc.update({name: value for name, value in extensions.items() if value is not None})
    return Response(
        json.dumps(doc, ensure_ascii=False).encode("utf-8", "replace"),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def sentence(error: CalsyncError) -> str:
    """What is wrong and what to do, for people."""
    text = error.what[:1].upper() + error.what[1:]
    return f"{text}. {error.todo}." if error.todo else f"{text}."


def of_conflict(error: hub.RoomConflict, *, ids: bool, instance: str = "") -> Response:
    """``ids``: the client may read bookings, so it may know which ones are in its way."""
    conflicts = [
        {
            "start": format_utc(o.start),
            "end": format_utc(o.end),
            "source": o.booking.origin.value,
            **({"id": o.booking.id} if ids else {}),
        }
        for o in error.overlaps
    ]
    return problem(
        error.code,
        sentence(error),
        instance=instance,
        conflicts=conflicts,
        conflictsTotal=error.total,
        alternatives=[alternative_to_json(a) for a in error.alternatives],
    )


def address(request: Request) -> str:
    """The path as a URI reference: what was sent, with odd characters escaped; of a feed's secret
    address only where it begins."""
    if request.scope["path"].startswith("/feeds/"):
        return "/feeds"
    return quote(request.scope["path"])


def of_error(request: Request, error: Exception) -> Response:
    """The problem for any error that an endpoint raised."""
    path = address(request)
    match error:
        case ApiProblem():
            return problem(
                error.code,
                error.detail,
                instance=path,
                headers=error.headers,
                errors=error.errors,
                **error.extensions,
            )
        case hub.RoomConflict():
            token = getattr(request.state, "token", None)
            ids = token is not None and "bookings:read" in token.scopes
            return of_conflict(error, ids=ids, instance=path)
        case InvalidBooking():
            errors = [
                {"pointer": e.pointer, "detail": e.what, **({"todo": e.todo} if e.todo else {})}
                for e in error.errors
            ]
            return problem("invalid", sentence(error), instance=path, errors=errors)
        case hub.AgainstRules():
            broken = [
                {
                    "rule": v.rule,
                    "detail": v.what,
                    "todo": v.todo,
                    "dates": [at.isoformat() for at in v.dates],
                }
                for v in error.violations
            ]
            return problem(
                error.code,
                sentence(error),
                instance=path,
                violations=broken,
                alternatives=[alternative_to_json(a) for a in error.alternatives],
                times=times_to_json(error.times),
            )
        case hub.ResyncRequired():
            restored = True if error.restored else None
            return problem(error.code, sentence(error), instance=path, restored=restored)
        case hub.HubProblem():
            headers = {"Retry-After": "1"} if isinstance(error, hub.KeyRunning) else None
            return problem(error.code, sentence(error), instance=path, headers=headers)
        case DatabaseFull():
            return problem("database-full", sentence(error), instance=path)
        case StoreError():
            wait = "1" if isinstance(error, DatabaseBusy) else "30"
            return problem(
                "database", sentence(error), instance=path, headers={"Retry-After": wait}
            )
        case CalsyncError():
            return problem("invalid", sentence(error), instance=path)
        case RequestValidationError():
            return _of_validation(path, error)
        case HTTPException():
            return _of_http(path, error)
        case _:
            return problem(
                "internal",
                "An error inside calsync; its log says more. Nothing is known to have changed.",
                instance=path,
            )


def _of_validation(path: str, error: RequestValidationError) -> Response:
    errors = [
        {"parameter": str(e["loc"][-1]), "detail": str(e["msg"])[:200]} for e in error.errors()
    ]
    names = ", ".join(e["parameter"] for e in errors)
    return problem("invalid", f"Wrong or missing: {names}.", instance=path, errors=errors)


def _of_http(path: str, error: HTTPException) -> Response:
    code = _BY_STATUS.get(error.status_code, "malformed-request")
    details = {
        "not-found": "There is nothing at this address. GET /docs lists what there is.",
        "method-not-allowed": "The Allow header lists the methods this address takes.",
    }
    return problem(code, details.get(code, str(error.detail)), instance=path, headers=error.headers)
