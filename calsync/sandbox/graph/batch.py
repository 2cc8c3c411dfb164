"""POST /v1.0/$batch: at most 20 parts; every part has a status of its own."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from ..faults import PART, throttled
from ..problems import Refusal
from .request import Request, Response, answer, take_apart

if TYPE_CHECKING:
    from .front import GraphFront

MOST = 20


def run_batch(front: GraphFront, request: Request) -> Response:
    """Run the parts in order; the answers come back by id."""
    parts = request.json().get("requests")
    if not isinstance(parts, list) or not parts:
        raise _malformed("Invalid batch payload format.")
    if len(parts) > MOST:
        raise _malformed("Number of batch request steps exceeds the maximum value of 20.")
    checked = [_check(part, request) for part in parts]
    ids = [part["id"] for part in checked]
    if len(set(ids)) != len(ids):
        raise _malformed("Request Id must be unique in a batch.")
    _check_order(checked, ids)
    done: dict[str, dict[str, Any]] = {}
    for part in checked:
        if any(
            done.get(one, {"status": 424})["status"] >= 400 for one in part.get("dependsOn") or []
        ):
            error = {"code": "FailedDependency", "message": "A request this one depends on failed."}
            done[part["id"]] = {
                "id": part["id"],
                "status": 424,
                "headers": {},
                "body": {"error": error},
            }
            continue
        done[part["id"]] = _run(front, request, part)
    return answer(200, {"responses": list(done.values())})


def _malformed(message: str) -> Refusal:
    return Refusal(400, "BadRequest", message)


def _check(part: object, outer: Request) -> dict[str, Any]:
    if not isinstance(part, dict) or not all(
        isinstance(part.get(name), str) for name in ("id", "method", "url")
    ):
        raise _malformed("A batch request step needs id, method and url.")
    # Relative to the version by the documents; the Python SDK writes the whole address of the
    # same endpoint, the JavaScript SDK leaves the version in.
    url = part["url"].removeprefix(outer.base).removeprefix(f"/{outer.version}/")
    part = {**part, "url": url}
    if part["url"].startswith(("http:", "https:")) or "$batch" in part["url"]:
        raise _malformed("The url of a batch request step must be relative and may not be a batch.")
    headers = {str(name).lower() for name in part.get("headers") or {}}
    if part.get("body") is not None and "content-type" not in headers:
        raise _malformed("A batch request step with a body needs the header Content-Type.")
    return part


def _check_order(parts: list[dict[str, Any]], ids: list[str]) -> None:
    # Fully parallel, fully serial, or all on the same one: nothing else is taken (known issues).
    wanted = [tuple(part.get("dependsOn") or ()) for part in parts]
    if not any(wanted):
        return
    serial = all(want == ((ids[place - 1],) if place else ()) for place, want in enumerate(wanted))
    roots = {want for want in wanted if want}
    same = (
        len(roots) == 1
        and len(next(iter(roots))) == 1
        and sum(1 for want in wanted if not want) == 1
    )
    if not (serial or same) or any(one not in ids for want in wanted for one in want):
        raise _malformed("The dependsOn pattern of the batch is not supported.")


def _run(front: GraphFront, outer: Request, part: dict[str, Any]) -> dict[str, Any]:
    url = part["url"] if part["url"].startswith("/") else f"/{part['url']}"
    body = part.get("body")
    payload = b"" if body is None else json.dumps(body).encode()
    headers = {str(name): str(value) for name, value in (part.get("headers") or {}).items()}
    inner = take_apart(part["method"], f"/{outer.version}{url}", headers, payload, outer.base)
    inner.app, inner.tenant, inner.any_iana = outer.app, outer.tenant, outer.any_iana
    inner.flags.update(
        {
            name: value
            for name, value in outer.flags.items()
            if name not in ("operation", "mailbox", "request-id")
        }
    )
    struck = front.faults.pick(PART, inner.method, inner.path) if front.faults.armed else []
    if struck:
        refusal = throttled(front.world, struck[0].params)
        response = front.refused(inner, refusal)
    else:
        response = front._handled(inner)
    front.record(inner, response.status)
    if inner.applied:
        response.headers["Preference-Applied"] = ", ".join(dict.fromkeys(inner.applied))
    made: dict[str, Any] = {
        "id": part["id"],
        "status": response.status,
        "headers": response.headers,
    }
    if response.body:
        plain = "json" in response.headers.get("Content-Type", "")
        made["body"] = json.loads(response.body) if plain else b64encode(response.body).decode()
    return made
