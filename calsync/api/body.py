"""Reading a request: a JSON body nobody can hurt us with, and the headers that carry meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Never

from starlette.requests import Request

from calsync.adapters.hub.desk import Precondition
from calsync.api.problems import ApiProblem
from calsync.bounded_json import TooDeep, read_json
from calsync.model import Interval

MAX_BODY: Final = 256 * 1024
MAX_DEPTH: Final = 16
MAX_DIGITS: Final = 15
MAX_WINDOW: Final = timedelta(days=400)
JSON_TYPES: Final = ("application/json", "application/jscalendar+json")
PATCH_TYPES: Final = ("application/merge-patch+json", *JSON_TYPES)

_SURROGATE = re.compile("[\ud800-\udfff]")
# Nothing optional at its ends: a blank there would cost the square of the header's length.
_ETAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"([Zz]|[+\-][0-9]{2}:[0-9]{2})"
)


class _Bad(ValueError):
    """The body is JSON of a kind that is refused."""


def json_body(media_types: tuple[str, ...]) -> Callable[[Request], Awaitable[dict[str, object]]]:
    """A dependency that reads the body as one JSON object."""

    async def read(request: Request) -> dict[str, object]:
        sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sent not in media_types:
            name = "Accept-Patch" if request.method == "PATCH" else "Accept-Post"
            raise ApiProblem(
                "media-type",
                f"Send the body as {media_types[0]}.",
                headers={name: ", ".join(media_types)},
            )
        return parse_object(await _bytes(request))

    return read


async def _bytes(request: Request) -> bytes:
    too_large = ApiProblem("too-large", f"A body has at most {MAX_BODY // 1024} KiB.")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_BODY:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise too_large
    return bytes(body)


def parse_object(body: bytes) -> dict[str, object]:
    """Strict JSON (RFC 8259, and I-JSON where that is safer): UTF-8, one object, no member
    twice, no NaN, no numbers beyond what a double holds exactly, bounded depth."""
    try:
        value = read_json(
            body.decode("utf-8"),
            object_pairs_hook=_members,
            parse_constant=_no_constant,
            parse_int=_small,
            parse_float=_finite,
        )
        _check(value)
    except UnicodeDecodeError:
        raise ApiProblem("malformed-request", "The body is not UTF-8.") from None
    except TooDeep:
        raise ApiProblem("malformed-request", "The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ApiProblem(
            "malformed-request", f"The body is not JSON ({error.msg}, {where})."
        ) from None
    except _Bad as error:
        raise ApiProblem("malformed-request", str(error)) from None
    if not isinstance(value, dict):
        raise ApiProblem("malformed-request", "The body must be a JSON object.")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Bad("A member is given twice; which one counts is not clear.")
    return found


def _no_constant(_name: str) -> Never:
    raise _Bad("NaN and Infinity are not JSON.")


def _small(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise _Bad(f"A number has more than {MAX_DIGITS} digits.")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _Bad("A number is too large.")
    return value


def _check(value: object) -> None:
    """Depth, and text that no UTF-8 can carry; without recursion."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.keys())
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, str) and _SURROGATE.search(item):
                raise _Bad("A string holds half of a surrogate pair.")
        if not below:
            return
        level = below
    raise _Bad(f"The body is nested deeper than {MAX_DEPTH} levels.")


# --- headers -------------------------------------------------------------------------------


def if_match(request: Request) -> Precondition:
    """The precondition that every change and deletion must carry (RFC 6585: 428 without)."""
    found = optional_if_match(request)
    if found is None:
        raise ApiProblem(
            "if-match-required",
            'Send If-Match with the ETag from your last GET, such as If-Match: "3".',
        )
    return found


def optional_if_match(request: Request) -> Precondition | None:
    values = request.headers.getlist("if-match")
    if not values:
        return None
    text = ",".join(values)
    if text.strip() == "*":
        return Precondition()
    # Strong comparison (RFC 9110 section 13.1.1): a weak tag never matches.
    strong = [tag for weak, tag in _tags(text) if not weak]
    revisions = (int(t) for t in strong if t.isascii() and t.isdigit() and len(t) < 16)
    return Precondition(frozenset(revisions))


def none_match(request: Request, held: int | str) -> bool:
    """True where the client already holds this revision, or what has this tag (GET: 304)."""
    text = ",".join(request.headers.getlist("if-none-match"))
    return text.strip() == "*" or any(tag == str(held) for _, tag in _tags(text))


def wants_absent(request: Request) -> bool:
    return request.headers.get("if-none-match", "").strip() == "*"


def _tags(text: str) -> list[tuple[bool, str]]:
    return [(bool(weak), tag) for weak, tag in _ETAG.findall(text)]


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key: a quoted string, or the bare form that many clients send."""
    values = request.headers.getlist("idempotency-key")
    if not values:
        return None
    found = _KEY.fullmatch(values[0].strip())
    if len(values) > 1 or found is None:
        raise ApiProblem(
            "malformed-request",
            'Send one Idempotency-Key of 1 to 255 printable characters, such as "8e03978e".',
        )
    return found[1] or found[2]


# --- parameters ----------------------------------------------------------------------------


def window(start: str, end: str) -> Interval:
    """The asked span. Both ends are instants with an offset (RFC 3339)."""
    begin, finish = _instant("start", start), _instant("end", end)
    if finish <= begin:
        raise _wrong("end", "must lie after start")
    if finish - begin > MAX_WINDOW:
        raise _wrong("end", f"the window may span {MAX_WINDOW.days} days at most")
    return Interval(begin, finish)


def read_instant(text: str) -> datetime | None:
    """An instant (RFC 3339) in UTC; None where it is none."""
    try:
        if _INSTANT.fullmatch(text) and "1900" <= text[:4] <= "2999":
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    return None


def _instant(name: str, text: str) -> datetime:
    # A "+" that was not escaped arrives as a blank.
    found = read_instant(text.replace(" ", "+"))
    if found is not None:
        return found
    raise _wrong(name, "is not an instant; write 2026-11-20T09:00:00Z")


def _wrong(name: str, what: str) -> ApiProblem:
    return ApiProblem(
        "invalid", f"{name} {what}.", errors=[{"parameter": name, "detail": f"{name} {what}"}]
    )
