"""The OpenAPI 3.1 document: what FastAPI derives from the routes, with our schemas."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from calsync.adapters.hub.telling import KINDS as TOLD
from calsync.adapters.hub.tokens import SCOPES
from calsync.api.problems import KINDS, MEDIA_TYPE
from calsync.api.schemas import SCHEMAS

_HEADERS: Final = {
    "If-Match": 'The ETag of the booking as you read it, such as "3"',
    "If-None-Match": "The ETag that you hold: 304 where it is still right",
    "Idempotency-Key": "The same key and body give the stored answer again",
    "Last-Event-ID": "The id of the last event that you had: the stream goes on behind it",
    "Prefer": "wait=N: answer once the booking is confirmed, or with 409 and free rooms where it "
    "is refused, within N seconds (30 at most); pending only if that takes longer (RFC 7240)",
}
_ANYWHERE: Final = (401, 403, 429, 500, 503)
_OF_WRITES: Final = (507,)
_OF_BODIES: Final = (400, 413, 415, 422)


def describe(
    scope: str,
    schema: str | None,
    summary: str,
    *,
    body: str | None = None,
    good: tuple[int, ...] = (200,),
    codes: tuple[int, ...] = (),
    headers: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Keyword arguments of a route: what it gives, takes and needs.

    ``good``: statuses of success. ``codes``: problems beyond those that any such route has.
    Together they are all the statuses that occur; tests hold the API to it.
    """
    extra: dict[str, Any] = {"security": [{"bearer": [scope]}]}
    if body is not None:
        media = "application/merge-patch+json" if body.endswith("Patch") else "application/json"
        extra["requestBody"] = {"required": True, "content": {media: of(body)}}
    if headers:
        extra["parameters"] = [
            header(name, required=428 in codes and name == "If-Match") for name in headers
        ]
    writes = _OF_WRITES if scope.endswith((":write", ":mirror")) else ()
    wrong = (*_ANYWHERE, *codes, *writes, *(_OF_BODIES if body is not None else ()))
    responses = answers(*wrong)
    for status in good:
        responses[status] = {"description": _GOOD[status]}
        if schema is not None and status != 304:
            responses[status]["content"] = {"application/json": of(schema)}
    return {
        "summary": summary,
        "description": f"Needs the scope `{scope}`.",
        "openapi_extra": extra,
        "responses": dict(sorted(responses.items(), key=lambda r: str(r[0]))),
        "response_class": Response,
        "status_code": good[0],
    }


def stream(scope: str, summary: str) -> dict[str, Any]:
    """Keyword arguments of a route that gives server-sent events."""
    made = describe(scope, "Message", summary, codes=(400, 404, 410, 422))
    made["responses"][200]["content"] = {"text/event-stream": of("Message")}
    made["openapi_extra"]["parameters"] = [header("Last-Event-ID")]
    made["description"] += (
        " Each event is one message, as webhooks carry it: `id` is a cursor of the change feed, "
        "`event` the type, `data` the message as JSON."
    )
    return made


_GOOD: Final = {200: "Done", 201: "Made", 204: "Done", 304: "You hold what there is"}


def of(schema: str) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{schema}"}}


def header(name: str, *, required: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": _HEADERS[name],
        "schema": {"type": "string"},
    }


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These problems, as a route declares them."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    titles = [title for code, title in KINDS.values() if code == status]
    return {"description": "; ".join(titles), "content": {MEDIA_TYPE: of("Problem")}}


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
        _drop_foreign(doc)
        doc["webhooks"] = webhooks()
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


def webhooks() -> dict[str, Any]:
    """What is sent to the endpoints that an admin made (``calsync webhooks add``)."""
    names = {
        "webhook-id": "The same at every try: what you have seen already, skip",
        "webhook-timestamp": "Of this try, in seconds since 1970; refuse what is older than 300",
        "webhook-signature": "v1, and the base64 of HMAC-SHA256 over id.timestamp.body, for each "
        "secret that is valid now",
    }
    parameters = [
        {
            "name": name,
            "in": "header",
            "required": True,
            "description": text,
            "schema": {"type": "string"},
        }
        for name, text in names.items()
    ]
    responses = {
        "2XX": {"description": "Taken"},
        "410": {"description": "Nobody listens here any more: the endpoint is disabled"},
        "429": {"description": "Later: Retry-After says when"},
        "default": {"description": "It is sent again, over some three days"},
    }
    return {
        kind: {
            "post": {
                "operationId": kind.replace(".", "_").replace("-", "_"),
                "tags": ["webhooks"],
                "summary": text,
                "description": "In the form of Standard Webhooks. Ids, times and states only, "
                "unless the endpoint has a wider scope.",
                "security": [],
                "parameters": parameters,
                "requestBody": {
                    "required": True,
                    "content": {"application/json": of("Message")},
                },
                "responses": responses,
            }
        }
        for kind, text in TOLD.items()
    }


def _drop_foreign(doc: dict[str, Any]) -> None:
    """FastAPI adds a 422 of its own to whatever has a parameter; ours say which have one."""
    for item in doc["paths"].values():
        for operation in item.values():
            wrong = operation["responses"].get("422", {})
            if MEDIA_TYPE not in wrong.get("content", {MEDIA_TYPE: None}):
                del operation["responses"]["422"]
