"""Judges whole exchanges with Graph by the official metadata: what calsync sent (its parts of a
batch, too) and what the sandbox answered. Usable by any test that keeps its exchanges."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.fidelity import csdl
from tests.support.company import Exchange

LOST = 0
_USER = r"/users/[^/]+"
_EVENT = rf"{_USER}/events/[^/]+"


@dataclass(frozen=True, slots=True)
class Route:
    """What a call is: its body is an entity or an action of ``sent``, its answer ``given``.

    ``many``: the answer is a list. A body or answer where None is expected is a fault.
    """

    name: str
    pattern: str
    sent: str | None = None
    given: str | None = None
    many: bool = False


ROUTES = (
    Route("list rooms", r"GET /places/microsoft\.graph\.room", given="room", many=True),
    Route(
        "list room lists", r"GET /places/microsoft\.graph\.roomlist", given="roomList", many=True
    ),
    Route(
        "rooms of a list",
        r"GET /places/[^/]+/microsoft\.graph\.roomlist/rooms",
        given="room",
        many=True,
    ),
    Route("delta", rf"GET {_USER}/calendarView/delta(\(\))?", given="event", many=True),
    Route("view", rf"GET {_USER}/calendarView", given="event", many=True),
    Route("list events", rf"GET {_USER}/events", given="event", many=True),
    Route("create event", rf"POST {_USER}/events", sent="event", given="event"),
    Route("read event", rf"GET {_EVENT}", given="event"),
    Route("change event", rf"PATCH {_EVENT}", sent="event", given="event"),
    Route("delete event", rf"DELETE {_EVENT}"),
    Route("instances", rf"GET {_EVENT}/instances", given="event", many=True),
    Route("decline", rf"POST {_EVENT}/decline", sent="event:decline"),
    Route("probe", rf"GET {_USER}/calendar", given="calendar"),
    Route("send mail", rf"POST {_USER}/sendMail", sent="user:sendMail"),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """``name`` of the route, and every fault of the exchange."""

    name: str
    faults: tuple[str, ...]


def judge(exchanges: Iterable[Exchange]) -> list[Judged]:
    """Every call on Graph; a batch as itself and each of its parts. Signing in is not Graph."""
    return [judged for one in exchanges if "/v1.0/" in one.target for judged in _judge(one)]


def faults(exchanges: Iterable[Exchange]) -> list[str]:
    return sorted({f"{one.name}: {fault}" for one in judge(exchanges) for fault in one.faults})


def _judge(one: Exchange) -> list[Judged]:
    path = one.target.partition("/v1.0")[2]
    sent = json.loads(one.body) if one.body else None
    given = json.loads(one.response.body) if one.response.body else None
    found = _headers(one.headers, has_body=sent is not None)
    if one.method == "POST" and path == "/$batch":
        return _batch(found, sent, one.response.status, given)
    # A lost reply is judged by its request alone.
    status = one.response.status if one.response.fate == "deliver" else LOST
    return [_call(one.method, path, sent, status, given, found)]


def _headers(headers: Mapping[str, str], *, has_body: bool, part: bool = False) -> list[str]:
    """Immutable ids must be asked for on every request (Graph docs, outlook-immutable-id)."""
    low = {name.lower(): value for name, value in headers.items()}
    found = []
    if 'IdType="ImmutableId"' not in low.get("prefer", ""):
        found.append("no immutable ids are asked for")
    if has_body and not low.get("content-type", "").startswith("application/json"):
        found.append("a body without its content type")
    if not part and not low.get("authorization", "").startswith("Bearer "):
        found.append("no token")
    return found


def _batch(found: list[str], sent: Any, status: int, given: Any) -> list[Judged]:
    parts = sent.get("requests", ()) if isinstance(sent, dict) else ()
    ids = [part.get("id") for part in parts]
    if not 1 <= len(parts) <= 20 or len(set(ids)) != len(ids):
        found.append(f"a batch of {len(parts)} parts with {len(set(ids))} ids")
    if status != 200 or not isinstance(given, dict):
        return [Judged("batch", tuple(found))]
    answers = {part.get("id"): part for part in given["responses"]}
    if sorted(answers) != sorted(ids):
        found.append("the answers of a batch have other ids than its parts")
    judged = [Judged("batch", tuple(found))]
    for part in parts:
        answer = answers.get(part["id"], {})
        headers = _headers(part.get("headers", {}), has_body="body" in part, part=True)
        judged.append(
            _call(
                part["method"],
                part["url"],
                part.get("body"),
                answer.get("status", 0),
                answer.get("body"),
                headers,
            )
        )
    return judged


def _call(method: str, target: str, sent: Any, status: int, given: Any, found: list[str]) -> Judged:
    path, _, query = target.partition("?")
    route = next((r for r in ROUTES if re.fullmatch(r.pattern, f"{method} {unquote(path)}")), None)
    if route is None:
        return Judged("unknown", (*found, f"no rule for {method} {path}"))
    found = [*found, *_query(route, query), *_sent(route, sent)]
    return Judged(route.name, (*found, *_given(route, status, given)))


def _query(route: Route, query: str) -> list[str]:
    """$select and $expand name members of the type; delta takes neither, nor $top."""
    options = parse_qs(query)
    known = csdl.schema().members(f"microsoft.graph.{route.given}") if route.given else {}
    asked = {
        name.partition("(")[0]
        for option in ("$select", "$expand")
        for text in options.get(option, ())
        for name in text.split(",")
    }
    found = [f"{name} is no member of {route.given}" for name in sorted(asked - known.keys())]
    refused = {"$select", "$expand", "$filter", "$orderby", "$search", "$top"} & options.keys()
    if route.name == "delta" and refused:
        found.append(f"delta does not take {sorted(refused)}")
    return found


def _sent(route: Route, sent: Any) -> list[str]:
    if route.sent is None:
        return [] if sent is None else [f"{route.name} takes no body"]
    if sent is None:
        return [f"{route.name} needs a body"]
    kind, _, action = route.sent.partition(":")
    if action:
        return csdl.validate_action(action, kind, sent)
    return csdl.validate_entity(kind, sent) + unknown(f"microsoft.graph.{kind}", sent, kind)


def unknown(kind: str, value: Any, path: str) -> list[str]:
    """Names the metadata does not know. ``event`` is an open type, so they are legal in answers;
    in what calsync sends they are slips."""
    schema = csdl.schema()
    members = schema.members(kind)
    if not members or not isinstance(value, Mapping):
        return []
    found: list[str] = []
    for name, inner in value.items():
        here = f"{path}/{name}"
        if "@" in name:
            continue
        if name not in members:
            found.append(f"{here}: no member of {kind}")
            continue
        for one in inner if isinstance(inner, list) else [inner]:
            found += unknown(members[name].kind, one, here)
    return found


def _given(route: Route, status: int, given: Any) -> list[str]:
    if status == LOST:
        return []
    if status >= 400:
        error = given.get("error") if isinstance(given, dict) else None
        good = isinstance(error, dict) and all(
            isinstance(error.get(name), str) and error[name] for name in ("code", "message")
        )
        return [] if good else [f"an error without code or message: {str(given)[:80]}"]
    if route.given is None:
        return [] if given is None else ["an answer where none is documented"]
    rows: Sequence[Any] = given.get("value", ()) if route.many else [given]
    if route.many and not isinstance(given.get("value"), list):
        return ["a list without value"]
    return [fault for row in rows for fault in csdl.validate_entity(route.given, row)]
