"""The front: one callable that takes an HTTP request and gives an HTTP answer, no sockets.

Faults, call counts and error bodies are its work; routes.py has the routes. It holds no lock: a
server that calls it from several threads must (see server.py); a simulation calls it inline.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import faults as fault_kinds
from ..faults import Faults
from ..problems import Refusal
from ..throttle import Throttle
from .request import VERSIONS, Request, Response, answer, take_apart
from .routes import Routes
from .subscriptions import Subscriptions

if TYPE_CHECKING:
    from ..world import World

EXPOSED = "ETag, Location, Preference-Applied, Retry-After, request-id, client-request-id"


class GraphFront:
    """Entra's token endpoint and Graph v1.0 over one world."""

    def __init__(self, world: World, *, base: str = "https://graph.sandbox") -> None:
        self.world = world
        self.base = base
        self.faults = Faults(world.seed)
        self.throttle = Throttle()
        self.token_lifetime_s = 3600
        self.scope_denial = 403
        self.calls: list[dict[str, Any]] = []
        self.counts: Counter[tuple[str, str, str, int]] = Counter()
        self.log_reads = True
        self.subscriptions = Subscriptions(world)
        self.routes = Routes(self)

    def handle(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Response:
        """Answer one request. Never raises for what a client sends."""
        self.world.settle()
        request = take_apart(method, target, headers, body, self.base)
        request.any_iana = self.world.switches.any_iana_zone
        if request.method == "OPTIONS":
            return preflight(request)
        response = self._faulty(request) if self.faults.armed else self._handled(request)
        self._finish(request, response)
        return response

    def _faulty(self, request: Request) -> Response:
        method, path = request.method, f"{request.path}?{request.raw_query}"
        try:
            for fault in self.faults.pick(fault_kinds.BEFORE, method, path):
                struck = fault_kinds.before(self.world, fault, request)
                if struck is not None:
                    request.flags["operation"] = f"fault {fault.kind}"
                    return struck
        except Refusal as refusal:
            return self.refused(request, refusal)
        for fault in self.faults.pick(tuple(fault_kinds.DURING), method, path):
            request.flags[fault_kinds.DURING[fault.kind]] = fault.params.get("seconds", 30)
            request.flags.setdefault("faults", []).append(fault.kind)
        response = self._handled(request)
        for fault in self.faults.pick(fault_kinds.AFTER, method, path):
            response = fault_kinds.after(fault, response)
            request.flags.setdefault("faults", []).append(fault.kind)
        response.delay_s += request.flags.get("delay_s", 0.0)
        return response

    def _handled(self, request: Request) -> Response:
        if not self.world.switches.immutable_ids:  # a mailbox that ignores the preference
            request.preferences.pop("idtype", None)
        try:
            return self.routes.route(request)
        except Refusal as refusal:
            return self.refused(request, refusal)

    def refused(self, request: Request, refusal: Refusal) -> Response:
        """An error in Graph's shape."""
        inner: dict[str, Any] = {
            "date": self.world.iso()[:19],
            "request-id": self._request_id(request),
            "client-request-id": request.headers.get("client-request-id")
            or self._request_id(request),
        }
        if refusal.inner:
            inner = {"code": refusal.inner, **inner}
        error = {
            "code": refusal.code,
            "message": refusal.message,
            **refusal.extra,
            "innerError": inner,
        }
        return answer(
            refusal.status,
            {"error": error},
            {"Content-Type": "application/json", **refusal.headers},
        )

    def _request_id(self, request: Request) -> str:
        made: str = request.flags.setdefault("request-id", "")
        if not made:
            made = request.flags["request-id"] = self.world.request_id()
        return made

    def _finish(self, request: Request, response: Response) -> None:
        if response.fate != "drop":
            headers = response.headers
            headers["request-id"] = self._request_id(request)
            headers["client-request-id"] = (
                request.headers.get("client-request-id") or headers["request-id"]
            )
            if request.segments[:1] and request.segments[0] in VERSIONS:
                headers["OData-Version"] = "4.0"
            if "origin" in request.headers:
                headers["Access-Control-Allow-Origin"] = "*"
                headers["Access-Control-Expose-Headers"] = EXPOSED
            if request.applied:
                headers["Preference-Applied"] = ", ".join(dict.fromkeys(request.applied))
        self.record(request, response.status)

    def record(self, request: Request, status: int) -> None:
        """Count the call and put it into the call log."""
        operation = request.flags.get("operation", "unknown")
        mailbox = request.flags.get("mailbox", "")
        self.counts[(request.method, operation, mailbox, status)] += 1
        if self.log_reads or request.method != "GET":
            # What made the answer other than true and whole, for whoever judges by it.
            spoiled = {"faults": request.flags["faults"]} if "faults" in request.flags else {}
            self.calls.append(
                {
                    "n": len(self.calls) + 1,
                    "time": self.world.iso(),
                    "method": request.method,
                    "path": request.path,
                    "operation": operation,
                    "mailbox": mailbox,
                    "app": request.app.client_id if request.app else None,
                    "status": status,
                    **spoiled,
                }
            )

    def too_many_at_once(self, request_id: str) -> Response:
        """The 429 of the fifth call at once, given by the transport (calls are only at once
        there).
        """
        self.throttle.refused["concurrency"] += 1
        self.counts[("?", "concurrency", "", 429)] += 1
        error = {
            "code": "ApplicationThrottled",
            "message": "Application is over its MailboxConcurrency limit.",
            "innerError": {"request-id": request_id, "date": self.world.iso()[:19]},
        }
        return answer(429, {"error": error}, {"Retry-After": f"{self.throttle.retry_after_s:g}"})


def preflight(request: Request) -> Response:
    """What a browser asks before a call from a page of another origin."""
    wanted = request.headers.get("access-control-request-headers", "*")
    return Response(
        200,
        {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD",
            "Access-Control-Allow-Headers": wanted,
            "Access-Control-Max-Age": "3600",
        },
    )


def encode(content: object) -> bytes:
    """JSON for a request body."""
    return json.dumps(content).encode()
