"""One HTTP request taken apart, and one answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ..problems import Refusal, bad_body
from ..zones import UTC_ZONE, Zone, zone

if TYPE_CHECKING:
    from ..world import App, Tenant

VERSIONS = ("v1.0", "beta")
# A value without quotes may hold blanks: outlook.timezone=Pacific Standard Time.
_PREFERENCE = re.compile(r'([A-Za-z][\w.\-]*)\s*=\s*("([^"]*)"|[^,;"]+)')
_KEYED = re.compile(r"^([A-Za-z]\w*)\('((?:[^']|'')*)'\)$")
_OPTIONS = frozenset(
    {"select", "expand", "filter", "orderby", "top", "skip", "count", "search"}
    | {"skiptoken", "deltatoken"}
)
# Entity sets whose next segment is a key; lower case -> as the metadata spells it.
_SETS = {
    name.lower(): name
    for name in ("users", "events", "calendars", "calendarGroups", "places", "subscriptions")
}
_SPELLING = _SETS | {
    name.lower(): name for name in ("calendar", "calendarView", "instances", "mailboxSettings")
}
JSON_TYPE = (
    "application/json;odata.metadata=minimal;odata.streaming=true;"
    "IEEE754Compatible=false;charset=utf-8"
)
# json.dumps would make one of these for every answer.
_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Stream(Protocol):
    """Chunks of an answer that does not end yet. Called under the lock of the world."""

    def poll(self) -> tuple[bytes, bool]:
        """What is new, and whether it was the last."""
        ...

    def close(self) -> None:
        """The connection ended, however."""
        ...


@dataclass(slots=True)
class Response:
    """An answer. `fate` tells the transport what to do with it: deliver, drop or reset.

    `delay_s` first.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    fate: str = "deliver"
    delay_s: float = 0.0
    # What follows the body bit by bit while the connection stays open (EWS's streaming).
    stream: Stream | None = None

    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class Request:
    """Method, path segments, query options (first value wins) and lower-case headers."""

    method: str
    base: str
    path: str
    segments: list[str]
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    raw_query: str = ""
    app: App | None = None
    tenant: Tenant | None = None
    preferences: dict[str, str] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)
    flags: dict[str, Any] = field(default_factory=dict)
    any_iana: bool = False

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; refuses anything else as Graph's reader does."""
        if not self.body.strip():
            raise Refusal(400, "BadRequest", "Empty Payload. JSON content expected.")
        try:
            read = json.loads(self.body)
        except ValueError:
            raise Refusal(
                400,
                "BadRequest",
                "Unable to read JSON request payload. Please ensure Content-Type header is set "
                "and payload is of valid JSON format.",
            ) from None
        if not isinstance(read, dict):
            raise bad_body("Unable to read JSON request payload. A JSON object is expected.")
        return read

    def check_type(self) -> None:
        """A written body must say that it is JSON (messages as Graph words them)."""
        kind = self.headers.get("content-type", "")
        if self.method in ("POST", "PATCH", "PUT") and self.body and "json" not in kind.casefold():
            raise Refusal(
                400,
                "BadRequest",
                "Entity only allows writes with a JSON Content-Type header."
                if kind
                else "Write requests (excluding DELETE) must contain the Content-Type header "
                "declaration.",
            )

    def json_or_empty(self) -> dict[str, Any]:
        """As `json`, with an empty body read as {}: actions may be called without one."""
        return self.json() if self.body.strip() else {}

    @property
    def immutable(self) -> bool:
        """Whether immutable ids were asked for."""
        return self.preferences.get("idtype", "").casefold() == "immutableid"

    @property
    def version(self) -> str:
        """The endpoint called, v1.0 or beta: both serve the same routes here."""
        return self.segments[0] if self.segments[:1] == ["beta"] else "v1.0"

    @property
    def metadata(self) -> str:
        """What every context annotation begins with."""
        return f"{self.base}/{self.version}/$metadata"

    def context(self, names: tuple[str, ...] | None = None, *, entity: bool = False) -> str:
        """`@odata.context`: the set as the client addressed it, with the members it selected."""
        path, place, parts = "", 1, self.segments
        while place < len(parts):
            name = parts[place]
            keyed = (
                name.casefold() in _SETS
                and place + 1 < len(parts)
                and "graph." not in parts[place + 1]  # a type, as in places/microsoft.graph.room
            )
            path += "/" + _SPELLING.get(name.casefold(), name)
            # The key of the entity answered is not part of its set.
            if keyed and not (entity and place + 2 == len(parts)):
                path += f"('{quote(parts[place + 1], safe='')}')"
            place += 2 if keyed else 1
        chosen = f"({','.join(names)})" if names else ""
        return f"{self.metadata}#{path[1:]}{chosen}{'/$entity' if entity else ''}"

    def zone(self) -> Zone:
        """The zone asked by Prefer: outlook.timezone, else UTC."""
        name = self.preferences.get("outlook.timezone")
        return UTC_ZONE if not name else zone(name, any_iana=self.any_iana)

    def page_size(self, default: int, most: int = 1000) -> int:
        """odata.maxpagesize."""
        text = self.preferences.get("odata.maxpagesize", "")
        return max(1, min(most, int(text))) if text.isdigit() else default


def take_apart(
    method: str, target: str, headers: Mapping[str, str], body: bytes, base: str
) -> Request:
    """Read a request line and its headers. The target may be absolute.

    Links in answers follow it.
    """
    parts = urlsplit(target)
    if parts.scheme:
        base = f"{parts.scheme}://{parts.netloc}"
    lowered = {name.lower(): value for name, value in headers.items()}
    segments = list(segments_of(parts.path))
    query: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True) if parts.query else ():
        query.setdefault(_option(name), value)
    made = Request(method.upper(), base, parts.path, segments, query, lowered, body, parts.query)
    wanted = lowered.get("prefer")
    if wanted:
        for found in _PREFERENCE.finditer(wanted):
            value = found.group(3) if found.group(3) is not None else found.group(2).strip()
            name = found.group(1).casefold()
            # OData 4.01 spells it without the prefix.
            made.preferences.setdefault(
                "odata.maxpagesize" if name == "maxpagesize" else name, value
            )
    return made


@lru_cache(maxsize=1024)
def segments_of(path: str) -> tuple[str, ...]:
    """Path segments, decoded. A key may stand in parentheses: users('a@b') is users/a@b."""
    found: list[str] = []
    for raw in path.split("/"):
        text = unquote(raw)
        keyed = _KEYED.match(text) if text.endswith("')") else None
        if keyed:
            found += [keyed.group(1), keyed.group(2).replace("''", "'")]
        elif text:
            found.append(text)
    if found and found[0].casefold() in VERSIONS:
        found[0] = found[0].casefold()
    return tuple(found)


def _option(name: str) -> str:
    """System options are read without regard to case, and their $ may be left out."""
    folded = name.lower()
    if folded.startswith("$"):
        return folded
    return f"${folded}" if folded in _OPTIONS else name


def merge_headers(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Header lines as a mapping; repeated ones (Prefer may be) are joined by a comma."""
    merged: dict[str, str] = {}
    for name, value in pairs:
        known = name.lower()
        merged[known] = f"{merged[known]}, {value}" if known in merged else value
    return merged


def answer(status: int, content: object, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    made = {"Content-Type": JSON_TYPE}
    if headers:
        made.update(headers)
    return Response(status, made, _ENCODE(content).encode())


def collection_context(request: Request, kind: str) -> str:
    """The context annotation of a collection of complex values."""
    return f"{request.metadata}#Collection({kind})"
