"""One HTTP request taken apart, and one answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ..problems import bad_body
from ..zones import UTC_ZONE, Zone, zone

if TYPE_CHECKING:
    from ..world import App, Tenant

_PREFERENCE = re.compile(r'([A-Za-z][\w.\-]*)\s*=\s*("([^"]*)"|[^,;\s]+)')
JSON_TYPE = (
    "application/json;odata.metadata=minimal;odata.streaming=true;"
    "IEEE754Compatible=false;charset=utf-8"
)


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
            raise bad_body("Empty Payload. JSON content expected.")
        try:
            read = json.loads(self.body)
        except ValueError:
            raise bad_body("Unable to read JSON request payload.") from None
        if not isinstance(read, dict):
            raise bad_body("Unable to read JSON request payload. A JSON object is expected.")
        return read

    def json_or_empty(self) -> dict[str, Any]:
        """As `json`, with an empty body read as {}: actions may be called without one."""
        return self.json() if self.body.strip() else {}

    @property
    def immutable(self) -> bool:
        """Whether immutable ids were asked for."""
        return self.preferences.get("idtype", "").casefold() == "immutableid"

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
    segments = [unquote(one) for one in parts.path.split("/") if one]
    query: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True) if parts.query else ():
        query.setdefault(name if not name.startswith("$") else name.lower(), value)
    made = Request(method.upper(), base, parts.path, segments, query, lowered, body, parts.query)
    wanted = lowered.get("prefer")
    if wanted:
        for found in _PREFERENCE.finditer(wanted):
            value = found.group(3) if found.group(3) is not None else found.group(2)
            made.preferences.setdefault(found.group(1).casefold(), value)
    return made


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
    return Response(
        status, made, json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    )


def collection_context(request: Request, kind: str) -> str:
    """The context annotation of a collection of complex values."""
    return f"{request.base}/v1.0/$metadata#Collection({kind})"
