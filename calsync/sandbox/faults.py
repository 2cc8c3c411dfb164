"""Faults on demand. Each has a rate, a count and a match, and counts how often it fired.

Before the call is handled: the request is lost, or refused in one of many ways. During: reads
are stale, short, empty, replayed. After: the work is done and the answer is lost or spoiled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from random import Random
from typing import TYPE_CHECKING, Any

from .problems import Refusal

if TYPE_CHECKING:
    from .graph.request import Request, Response
    from .world import World

BEFORE = (
    "lost_request", "error_before", "throttled", "html_login", "redirect", "token_expired", "gone",
    "sync_state_invalid", "permission_removed", "not_found", "mailbox_moved", "slow",
)  # fmt: skip
DURING = {
    "stale_read": "stale_s",
    "empty_list": "empty_list",
    "short_page": "short_page",
    "same_cursor": "same_cursor",
    "delta_replay": "replay",
    "out_of_order": "out_of_order",
    "without_tag": "without_tag",
    "recreate": "recreate",
    "id_change": "new_id",
    "lossy_list": "lossy_list",
    "false_removed": "false_removed",
    "thin_replica": "thin",
}
AFTER = (
    "reply_lost",
    "reset_mid_body",
    "truncated_json",
    "garbage_json",
    "error_after",
    "html_after",
)
PART = ("batch_part_throttled",)
# EWS: one item of a request is throttled, and those after it are not tried.
EWS_PART = ("batch_stopped",)
# EWS: any ResponseCode, for each item asked for or as a SOAP fault.
EWS_BEFORE = ("ews_error",)
# EWS: what happens to notifications.
EWS_NOTICES = (
    "stream_closed", "stream_half_open", "events_lost", "events_repeated", "subscription_lost",
)  # fmt: skip
KINDS = (*BEFORE, *DURING, *AFTER, *PART, *EWS_BEFORE, *EWS_PART, *EWS_NOTICES)
LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in to your account</title></head></html>"


@dataclass(slots=True)
class Fault:
    """One armed fault: `count` None has no end.

    `params` as the kind needs (status, form, seconds …).
    """

    kind: str
    rate: float = 1.0
    count: int | None = None
    method: str = ".*"
    path: str = ".*"
    after: int = 0
    params: dict[str, Any] = field(default_factory=dict)
    fired: int = 0
    met: int = 0
    number: int = 0

    def show(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.number,
            "kind": self.kind,
            "rate": self.rate,
            "count": self.count,
            "method": self.method,
            "path": self.path,
            "after": self.after,
            "params": self.params,
            "fired": self.fired,
        }


class Faults:
    """The armed faults with their own seeded chance."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed ^ 0xFA17)
        self.armed: list[Fault] = []
        self.fired: dict[str, int] = {}
        self._serial = 0

    def arm(self, fault: Fault) -> Fault:
        """Add one; ValueError for an unknown kind or a bad pattern."""
        if fault.kind not in KINDS:
            raise ValueError(f"unknown fault {fault.kind!r}; known: {', '.join(KINDS)}")
        re.compile(fault.method)
        re.compile(fault.path)
        self._serial += 1
        fault.number = self._serial
        self.armed.append(fault)
        return fault

    def clear(self, number: int | None = None) -> None:
        """Disarm one or all; the counters stay."""
        self.armed = [one for one in self.armed if number is not None and one.number != number]

    def pick(self, kinds: tuple[str, ...], method: str, path: str) -> list[Fault]:
        """Faults of these kinds that strike this call; each is counted."""
        struck = []
        for one in self.armed:
            if one.kind not in kinds or (one.count is not None and one.fired >= one.count):
                continue
            if not re.fullmatch(one.method, method) or not re.search(one.path, path):
                continue
            one.met += 1
            if one.met <= one.after or (one.rate < 1 and self.random.random() >= one.rate):
                continue
            one.fired += 1
            self.fired[one.kind] = self.fired.get(one.kind, 0) + 1
            struck.append(one)
        return struck


def before(world: World, fault: Fault, request: Request) -> Response | None:
    """The answer of a fault that strikes before the call is handled; None lets it go on."""
    from .graph.request import Response

    kind, params = fault.kind, fault.params
    if kind == "lost_request":
        return Response(0, {}, b"", fate="drop")
    if kind == "slow":
        request.flags["delay_s"] = float(params.get("seconds", 1.0))
        return None
    if kind == "html_login":
        return Response(200, {"Content-Type": "text/html; charset=utf-8"}, LOGIN_PAGE)
    if kind == "redirect":
        target = str(params.get("location", f"{request.base}{request.path}?{request.raw_query}"))
        return Response(int(params.get("status", 302)), {"Location": target}, b"")
    if kind == "throttled":
        raise throttled(world, params)
    if kind == "error_before":
        raise broken(params)
    raise _refusal(kind, params, request)


def _refusal(kind: str, params: dict[str, Any], request: Request) -> Refusal:
    if kind == "token_expired":
        from .graph.auth import unauthorized

        return unauthorized(request, "Lifetime validation failed, the token is expired.")
    if kind in ("gone", "sync_state_invalid"):
        from .graph.changes import gone

        code = str(
            params.get("code", "SyncStateNotFound" if kind == "gone" else "SyncStateInvalid")
        )
        refusal = gone(request, None, code)
        refusal.status = int(params.get("status", 410 if kind == "gone" else 400))
        return refusal
    if kind == "permission_removed":
        if int(params.get("status", 403)) == 404:
            return Refusal(
                404, "ErrorItemNotFound", "The specified object was not found in the store."
            )
        return Refusal(
            403, "ErrorAccessDenied", "Access is denied. Check credentials and try again."
        )
    if kind == "mailbox_moved":
        return Refusal(
            503,
            "ErrorMailboxMoveInProgress",
            "The mailbox is being moved.",
            headers={"Retry-After": "30"},
        )
    return Refusal(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def throttled(world: World, params: dict[str, Any]) -> Refusal:
    """429 with Retry-After as seconds, a fraction, an HTTP date, huge, or absent."""
    form, seconds = str(params.get("form", "seconds")), float(params.get("seconds", 5))
    headers = {
        "seconds": {"Retry-After": str(int(seconds))},
        "fractional": {"Retry-After": f"{seconds + 0.128:.3f}"},
        "date": {
            "Retry-After": format_datetime(world.now() + timedelta(seconds=seconds)).replace(
                "+0000", "GMT"
            )
        },
        "huge": {"Retry-After": "86400"},
        "absent": {},
    }[form]
    code = str(params.get("code", "TooManyRequests"))
    return Refusal(
        int(params.get("status", 429)), code, "Please retry after some time.", headers=headers
    )


def broken(params: dict[str, Any]) -> Refusal:
    """502, 503 or 504."""
    status = int(params.get("status", 503))
    code = {502: "BadGateway", 503: "ServiceUnavailable", 504: "GatewayTimeout"}.get(
        status, "InternalServerError"
    )
    headers = {"Retry-After": str(params["retry_after"])} if "retry_after" in params else {}
    return Refusal(
        status,
        str(params.get("code", code)),
        "The service is temporarily unavailable.",
        headers=headers,
    )


def after(fault: Fault, response: Response) -> Response:
    """The answer spoiled after the work was done."""
    from .graph.request import Response

    kind = fault.kind
    if kind == "reply_lost":
        return Response(0, {}, b"", fate="drop")
    if kind == "reset_mid_body":
        response.fate = "reset"
    elif kind == "truncated_json":
        response.body = response.body[: max(1, len(response.body) * 2 // 3)]
        response.status = 200 if response.status < 300 else response.status
    elif kind == "garbage_json":
        response.body, response.status = b'{"value":[{]}\x00\xff', 200
    elif kind == "html_after":
        return Response(200, {"Content-Type": "text/html; charset=utf-8"}, LOGIN_PAGE)
    elif kind == "error_after":
        refusal = broken(fault.params)
        return Response(
            refusal.status,
            {**refusal.headers, "Content-Type": "text/html"},
            b"<html>Bad gateway</html>",
        )
    return response
