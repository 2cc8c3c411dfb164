"""The HTTP API as an ASGI application: routers, one way for errors, the OpenAPI document."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from calsync.adapters.feeds.keys import FeedKeys
from calsync.adapters.hub.service import BookingService
from calsync.api import (
    bookings,
    changes,
    connectors,
    docs,
    feeds,
    health,
    openapi,
    problems,
    rooms,
    stream,
)
from calsync.api.context import Api, SyncStatus
from calsync.api.health import Figures, NotReady, Requests
from calsync.api.limits import LimitHeaders, Limits
from calsync.errors import CalsyncError

log = logging.getLogger("calsync.api")


def create_app(
    service: BookingService,
    *,
    now: Callable[[], datetime],
    sync_status: SyncStatus,
    trigger: Callable[[str], None],
    version: str,
    feed_keys: FeedKeys | None = None,
    not_ready: NotReady = lambda: (),
    figures: Figures = lambda: (),
    limits: Limits | None = None,
    mapped: Callable[[str], bool] = lambda _: False,
    bookings_here: bool = True,
) -> FastAPI:
    """The API over ``service``.

    ``sync_status(room_id)`` says up to when the room is in sync, and whether that is stale;
    ``trigger(room_id)`` is called after each write (it must not block or raise). Without
    ``feed_keys`` there are no room feeds. ``not_ready`` and ``figures`` are for monitoring;
    ``limits`` say how often clients may ask. ``mapped(room_id)``: a calendar of this very calsync
    answers the room's bookings; else a connector may. Without ``bookings_here`` another platform
    holds the bookings: only what says how calsync is stays. Nothing here calls out to any network,
    the page at /docs included.
    """
    # The framework's own pages load scripts from elsewhere: /docs below needs none.
    app = FastAPI(
        title="calsync",
        version=version,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    api = Api(
        service,
        now=now,
        sync_status=sync_status,
        trigger=trigger,
        limits=limits or Limits(),
        mapped=mapped,
    )
    if bookings_here:
        for router in (
            rooms.router(api),
            bookings.router(api),
            connectors.router(api),
            changes.router(api),
            stream.router(api),
        ):
            app.include_router(router, prefix="/v1")
    else:
        _add_elsewhere(app)
    requests = Requests()
    app.include_router(health.router(api, version, requests, not_ready=not_ready, figures=figures))
    if feed_keys is not None and bookings_here:
        app.include_router(feeds.router(api, feed_keys))
    _add_pages(app)
    for kind in (problems.ApiProblem, CalsyncError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(405, _wrong_method(app))
    app.add_middleware(LastResort)
    app.add_middleware(HeadAsGet)
    app.add_middleware(LimitHeaders)
    app.add_middleware(requests.wrap)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]  # FastAPI's own way
    return app


def schema_of(version: str) -> dict[str, Any]:
    """The OpenAPI document, without a database behind it."""
    # Routes keep what they are given, and ask nothing of it before a request comes.
    nothing: Any = object()
    app = create_app(
        nothing,
        now=lambda: datetime.now(UTC),
        sync_status=lambda _: (None, True),
        trigger=lambda _: None,
        version=version,
        feed_keys=nothing,
    )
    return app.openapi()


async def _answer(request: Request, error: Exception) -> Response:
    return problems.of_error(request, error)


def _wrong_method(app: FastAPI) -> Callable[[Request, Exception], Awaitable[Response]]:
    """405 with every method of the address in Allow; the framework names one route's only."""

    async def answer(request: Request, error: Exception) -> Response:
        response = problems.of_error(request, error)
        allowed = set(response.headers.get("Allow", "GET").replace(" ", "").split(","))
        for path, item in app.openapi()["paths"].items():
            if compile_path(path)[0].match(request.scope["path"]):
                allowed |= {method.upper() for method in item}
        if "GET" in allowed:
            allowed.add("HEAD")
        response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    return answer


def _add_elsewhere(app: FastAPI) -> None:
    """What asks for bookings hears where they are, not that its address is misspelt."""

    def elsewhere() -> Response:
        raise problems.ApiProblem(
            "not-found",
            "This calsync polls another booking platform: rooms, bookings and feeds are there.",
        )

    for path in ("/v1/{rest:path}", "/feeds/{rest:path}"):
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        app.add_api_route(path, elsewhere, methods=methods, include_in_schema=False)


def _add_pages(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    def page() -> Response:
        return HTMLResponse(docs.page(app.openapi()), headers=docs.HEADERS)

    @app.get("/problems/{code}", include_in_schema=False)
    def kind(code: str) -> Response:
        if code not in problems.KINDS:
            raise HTTPException(404)
        return HTMLResponse(docs.problem_page(code, *problems.KINDS[code]), headers=docs.HEADERS)


class LastResort:
    """Errors that nobody foresaw: logged here, and answered with a problem, never a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            log.info("%s %s: the client went away", scope["method"], _route(scope))
        except Exception as error:
            log.exception("%s %s failed", scope["method"], _route(scope))
            if not begun:
                request = Request(scope)
                await problems.of_error(request, error)(scope, receive, send)


class HeadAsGet:
    """HEAD is GET without the body (RFC 9110 section 9.3.2), which the server leaves out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = scope["type"] == "http" and scope["method"] == "HEAD"
        if head:
            # For an answer that has no end.
            scope.setdefault("state", {})["head"] = True
        await self._app({**scope, "method": "GET"} if head else scope, receive, send)


def _route(scope: dict[str, Any] | Scope) -> str:
    """The pattern of the address: ids stay out of the log."""
    return str(getattr(scope.get("route"), "path", "an unknown address"))
