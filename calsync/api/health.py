"""For load balancers and monitoring: is it alive, is it ready, and the figures."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from calsync.adapters.metrics import CONTENT_TYPE, Metric, counter, gauge, text
from calsync.api import openapi
from calsync.api.context import Api
from calsync.api.openapi import describe
from calsync.api.problems import ApiProblem

#: Why calsync should get no requests now; empty where it may.
NotReady = Callable[[], Sequence[str]]
#: The figures of what is behind the API.
Figures = Callable[[], Iterable[Metric]]

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Requests:
    """Counts what was answered; a middleware. Addresses are not counted: they hold ids."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by: Counter[tuple[str, int]] = Counter()
        self._began = time.time()

    def wrap(self, app: ASGIApp) -> ASGIApp:
        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def watched(message: Message) -> None:
                if message["type"] == "http.response.start":
                    method = scope["method"] if scope["method"] in _METHODS else "other"
                    with self._lock:
                        self._by[(method, message["status"])] += 1
                await send(message)

            await app(scope, receive, watched if scope["type"] == "http" else send)

        return counted

    def metrics(self, version: str) -> Iterable[Metric]:
        with self._lock:
            by = dict(self._by)
        yield gauge("build_info", "Which calsync this is", [({"version": version}, 1)])
        yield gauge("start_time_seconds", "When it was started", [({}, self._began)])
        yield counter(
            "http_requests_total",
            "Requests answered by the API",
            [({"method": m, "status": str(s)}, n) for (m, s), n in sorted(by.items())],
        )


def router(
    api: Api, version: str, requests: Requests, *, not_ready: NotReady, figures: Figures
) -> APIRouter:
    routes = APIRouter(tags=["service"])

    @routes.get("/healthz", summary="Is calsync's API alive?", responses=openapi.answers(500, 503))
    def healthz() -> Response:
        api.service.ping()
        return JSONResponse({"status": "ok", "version": version})

    @routes.get(
        "/readyz",
        summary="May calsync get requests? Its database answers and its control loop runs",
        responses=openapi.answers(500, 503),
    )
    def readyz() -> Response:
        api.service.ping()
        reasons = not_ready()
        if reasons:
            raise ApiProblem(
                "not-ready", f"Not ready: {'; '.join(reasons)}.", headers={"Retry-After": "5"}
            )
        return JSONResponse({"status": "ready", "version": version})

    @routes.get(
        "/metrics",
        dependencies=[api.needs("metrics:read")],
        **describe("metrics:read", None, "Figures for Prometheus, without personal data"),
    )
    def metrics() -> Response:
        found = [*requests.metrics(version), *figures()]
        return Response(text(found), media_type=CONTENT_TYPE)

    return routes
