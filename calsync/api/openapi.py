"""The OpenAPI 3.1 document: what FastAPI derives from the routes, with our schemas."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from calsync.adapters.hub.tokens import SCOPES
from calsync.api.problems import KINDS, MEDIA_TYPE
from calsync.api.schemas import SCHEMAS

_HEADERS: Final = {
    "If-Match": (True, 'The ETag of the booking as you read it, such as "3"'),
    "Idempotency-Key": (False, "The same key and body give the stored answer again"),
}
_ALWAYS: Final = (400, 401, 403, 404, 422)


def describe(
    scope: str,
    schema: str | None,
    summary: str,
    *,
    body: str | None = None,
    made: bool = False,
    codes: tuple[int, ...] = (),
    headers: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Keyword arguments of a route: what it gives (None: 204), takes and needs.

    ``made``: 201 where it makes something. ``codes``: problems beyond the usual ones.
    """
    extra: dict[str, Any] = {"security": [{"bearer": [scope]}]}
    if body is not None:
        media = "application/merge-patch+json" if body.endswith("Patch") else "application/json"
        extra["requestBody"] = {"required": True, "content": {media: _of(body)}}
    if headers:
        extra["parameters"] = [_header(name) for name in headers]
    wrong = (*_ALWAYS, *codes, *((413, 415) if body is not None else ()))
    responses: dict[int | str, dict[str, Any]] = {code: _problem(code) for code in wrong}
    if schema is None:
        responses[204] = {"description": "Done"}
    else:
        good = {"description": "Done", "content": {"application/json": _of(schema)}}
        responses[200] = good
        if made:
            responses[201] = {**good, "description": "Made"}
    return {
        "summary": summary,
        "description": f"Needs the scope `{scope}`.",
        "openapi_extra": extra,
        "responses": dict(sorted(responses.items(), key=lambda r: str(r[0]))),
        "response_class": Response,
        "status_code": 204 if schema is None else 200,
    }


def _of(schema: str) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{schema}"}}


def _header(name: str) -> dict[str, Any]:
    required, text = _HEADERS[name]
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": text,
        "schema": {"type": "string"},
    }


def _problem(status: int) -> dict[str, Any]:
    titles = [title for code, title in KINDS.values() if code == status]
    return {"description": "; ".join(titles), "content": {MEDIA_TYPE: _of("Problem")}}


def document(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        doc = get_openapi(
            title=app.title, version=app.version, openapi_version="3.1.0", routes=app.routes
        )
        doc["info"]["description"] = (
            "Rooms, bookings and their changes. JSON in the vocabulary of JSCalendar. Errors are "
            "RFC 9457 problems; an answer of 200 never holds an error."
        )
        doc["info"]["license"] = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
        parts = doc.setdefault("components", {})
        parts["schemas"] = SCHEMAS
        parts["securitySchemes"] = {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "; ".join(f"`{name}`: {text}" for name, text in SCOPES.items()),
            }
        }
        app.openapi_schema = doc
    return app.openapi_schema
