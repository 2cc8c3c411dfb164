"""Where the bookings of a history are: in calsync's own hub, or at another platform that calsync
polls (a calsync without calendars, on a database of its own), over a wire that has faults, too."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Protocol
from unittest.mock import patch
from urllib.parse import unquote

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from calsync import bootstrap
from calsync.adapters.booking_http.directory import DETAILS, NEEDED
from calsync.api.app import create_app
from calsync.api.limits import Limits
from calsync.settings import parse
from simulation.clock import ProcessClock, VirtualClock
from simulation.faults import Tally, Weather
from simulation.story import Story

BASE = "https://platform.sandbox"
#: Seconds that our side waits for an answer.
TIMEOUT_S = 60.0


class Bookings(Protocol):
    """A kind of booking side: what the settings say of it, and the platform where it is another."""

    def settings(self, folder: Path) -> str: ...

    def platform(
        self, folder: Path, url: str, time: VirtualClock, new_id: Callable[[], str]
    ) -> bootstrap.Home | None: ...


class InHub:
    """The hub of the calsync under test."""

    def settings(self, folder: Path) -> str:
        del folder
        return ""

    def platform(
        self, folder: Path, url: str, time: VirtualClock, new_id: Callable[[], str]
    ) -> bootstrap.Home | None:
        del folder, url, time, new_id
        return None


class Polled:
    """A platform that is polled over HTTP. It never dies; its replies may."""

    def settings(self, folder: Path) -> str:
        token = folder / "platform.token"
        return f"""
            [booking]
            kind = "http"
            base_url = "{BASE}"
            token_file = "{token}"
            requests_per_minute = 1000000
            calls_at_once = 64
            """

    def platform(
        self, folder: Path, url: str, time: VirtualClock, new_id: Callable[[], str]
    ) -> bootstrap.Home | None:
        settings = parse(f'[database]\nurl = "{url}"')
        around = bootstrap.Surroundings(new_id=new_id, ready=True)
        home = bootstrap.open_home(settings, ProcessClock(time), around)
        token = home.bookings.tokens.create("calsync", (*NEEDED, DETAILS))[1]
        path = folder / "platform.token"
        path.write_text(token, encoding="utf-8")
        path.chmod(0o600)
        return home


BOOKINGS: dict[str, Bookings] = {"hub": InHub(), "http": Polled()}


class Served:
    """The platform's API, carried out inline: on one loop, and without threads."""

    def __init__(self, home: bootstrap.Home) -> None:
        self._app = create_app(
            home.bookings,
            now=home.clock.now,
            sync_status=lambda _: (None, True),
            trigger=lambda _: None,
            version="0",
            limits=Limits(0),
        )
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        self._loop.close()

    def handle(self, request: requests.PreparedRequest) -> requests.Response:
        path, _, query = (request.url or "").removeprefix(BASE).partition("?")
        body = request.body or b""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "https",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in request.headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 443),
        }
        sent: list[dict[str, Any]] = []
        asked = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return asked.pop() if asked else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        with patch("anyio.to_thread.run_sync", _inline):
            self._loop.run_until_complete(self._app(scope, receive, send))
        headers = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        content = b"".join(one.get("body", b"") for one in sent[1:])
        return answer(request, sent[0]["status"], headers, content)


async def _inline(run: Callable[..., Any], *args: Any, **_: Any) -> Any:
    return run(*args)


def answer(
    request: requests.PreparedRequest, status: int, headers: dict[str, str], content: bytes
) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.headers.update(headers)
    made.request, made.url = request, request.url or ""
    raw = io.BytesIO(content)
    made.raw = HTTPResponse(body=raw, headers=headers, status=status, preload_content=False)
    return made


class PlatformWire(BaseAdapter):
    """Carries the requests of one process to the platform. ``point`` is where the process may
    die."""

    def __init__(
        self,
        served: Served,
        clock: VirtualClock,
        weather: Weather,
        tally: Tally,
        story: Story,
        *,
        rng: Callable[[], Random],
        later: Callable[[float, Callable[[], None]], None],
        point: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._served, self._clock = served, clock
        self._weather, self._tally, self._story = weather, tally, story
        self._rng, self._later, self._point = rng, later, point

    def close(self) -> None:
        pass

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        method, target = request.method or "GET", (request.url or "").removeprefix(BASE)
        operation = "platform read" if method == "GET" else "platform write"
        self._tally.calls[operation] += 1
        self._point(f"before {operation}")
        self._clock.forward(0.02)
        fault = self._weather.strikes(operation, self._rng())
        strike = _STRIKES.get(fault.number) if fault is not None else None
        if fault is None or strike is None:
            got = self._served.handle(request)
        else:
            self._tally.struck(fault.number, operation)
            self._story.tell("wire", f"fault {fault.number} at {operation}")
            got = strike(self, request)
        self._story.note(method, target.partition("?")[0], got.status_code)
        self._point(f"after {operation}")
        return got

    # -- faults, by the numbers of ``faults`` --------------------------------------------------

    def _lost(self, _: requests.PreparedRequest) -> requests.Response:
        raise requests.ConnectionError("Connection aborted: the remote end closed it")

    def _reply_lost(self, request: requests.PreparedRequest) -> requests.Response:
        self._served.handle(request)
        self._clock.forward(TIMEOUT_S)
        raise requests.ReadTimeout("no answer")

    def _late(self, request: requests.PreparedRequest) -> requests.Response:
        seconds = TIMEOUT_S + self._rng().choice((1.0, 5.0, 30.0, 90.0))
        self._later(seconds, lambda: _ignore(self._served.handle(request)))
        self._clock.forward(TIMEOUT_S)
        raise requests.ReadTimeout("no answer yet")

    def _doubled(self, request: requests.PreparedRequest) -> requests.Response:
        first, second = self._served.handle(request), self._served.handle(request)
        return self._rng().choice((first, second))

    def _garbled(self, request: requests.PreparedRequest) -> requests.Response:
        got = self._served.handle(request)
        content = got.raw.read()
        half = content[: len(content) // 2] or b"{"
        return answer(request, got.status_code, {"Content-Type": "application/json"}, half)

    def _failed_after(self, request: requests.PreparedRequest) -> requests.Response:
        self._served.handle(request)
        return self._failed(request)

    def _failed(self, request: requests.PreparedRequest) -> requests.Response:
        status = self._rng().choice((500, 502, 503, 504))
        return answer(request, status, {"Content-Type": "text/html"}, b"<html>not now</html>")

    def _page(self, request: requests.PreparedRequest) -> requests.Response:
        return answer(request, 200, {"Content-Type": "text/html"}, b"<html>sign in</html>")

    def _throttled(self, request: requests.PreparedRequest) -> requests.Response:
        wait = self._rng().choice(("1", "7", "90"))
        headers = {"Content-Type": "application/problem+json", "Retry-After": wait}
        body = {"code": "quota-exceeded", "detail": "Too many.", "status": 429}
        return answer(request, 429, headers, json.dumps(body).encode())


_STRIKES: dict[int, Callable[[PlatformWire, requests.PreparedRequest], requests.Response]] = {
    1: PlatformWire._lost,
    2: PlatformWire._reply_lost,
    3: PlatformWire._late,
    4: PlatformWire._doubled,
    5: PlatformWire._garbled,
    6: PlatformWire._garbled,
    7: PlatformWire._failed_after,
    8: PlatformWire._failed,
    9: PlatformWire._lost,
    11: PlatformWire._page,
    13: PlatformWire._throttled,
    14: PlatformWire._throttled,
}


class Both(BaseAdapter):
    """The network of one process: the tenant, and the platform."""

    def __init__(self, tenant: BaseAdapter, platform: BaseAdapter) -> None:
        super().__init__()
        self._tenant, self._platform = tenant, platform

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> Any:
        to_platform = (request.url or "").startswith(BASE)
        wire = self._platform if to_platform else self._tenant
        return wire.send(request, *args, **more)

    def close(self) -> None:
        self._tenant.close()
        self._platform.close()


def _ignore(_: object) -> None:
    return None
