"""How often each client may ask, and the headers that tell it
(https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/).

Counted in this process, per token in windows of a minute. Who cannot sign in is counted per
network address: behind a proxy that is the proxy's, so only requests without a valid token are held
up by it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from calsync.api.problems import ApiProblem

WINDOW: Final = 60
#: Requests a minute without a valid token, from one address; and of one room feed.
ANONYMOUS: Final = 60
FEED: Final = 120
#: Clients remembered at once; those whose window is over are forgotten first.
_MOST: Final = 10_000


@dataclass(slots=True)
class _Count:
    until: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a client stands: what the headers say."""

    policy: str
    quota: int
    left: int
    seconds: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        said = {
            "RateLimit-Policy": f'"{self.policy}";q={self.quota};w={WINDOW}',
            "RateLimit": f'"{self.policy}";r={self.left};t={self.seconds}',
        }
        return [(name.lower().encode(), value.encode()) for name, value in said.items()]


class Limits:
    """``quota``: requests a minute of one token; 0 = as many as it likes."""

    def __init__(self, quota: int = 0, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._quota = quota
        self._monotonic = monotonic
        self._counts: dict[tuple[str, str], _Count] = {}
        self._lock = threading.Lock()

    def of_token(self, request: Request, token_id: str) -> None:
        """Raises ApiProblem (429) where the token has used up its window."""
        if self._quota:
            self._take(request, "default", token_id, self._quota)

    def of_stranger(self, request: Request) -> None:
        """Somebody without a valid key. Raises ApiProblem (429) where that goes on and on."""
        if self._quota:
            host = request.client.host if request.client is not None else ""
            self._take(request, "anonymous", host, ANONYMOUS)

    def of_feed(self, request: Request, feed_id: str) -> None:
        if self._quota:
            self._take(request, "feed", feed_id, FEED)

    def _take(self, request: Request, policy: str, who: str, quota: int) -> None:
        now = self._monotonic()
        with self._lock:
            count = self._counts.get((policy, who))
            if count is None or count.until <= now:
                if len(self._counts) >= _MOST:
                    self._forget(now)
                count = self._counts[policy, who] = _Count(now + WINDOW)
            count.used += 1
            over, left = count.used > quota, max(0, quota - count.used)
            seconds = max(1, round(count.until - now))
        request.state.standing = Standing(policy, quota, left, seconds)
        if over:
            raise ApiProblem(
                "quota-exceeded",
                f"More than {quota} requests within a minute. Wait {seconds} seconds.",
                headers={"Retry-After": str(seconds)},
                extensions={"violated-policies": [policy]},
            )

    def _forget(self, now: float) -> None:
        old = [key for key, count in self._counts.items() if count.until <= now]
        for key in old or list(self._counts)[: _MOST // 10]:
            del self._counts[key]


class LimitHeaders:
    """Says where the client stands, with each answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def told(message: Message) -> None:
            standing = state.get("standing")
            if message["type"] == "http.response.start" and standing is not None:
                message = {**message, "headers": [*message["headers"], *standing.headers()]}
            await send(message)

        await self._app(scope, receive, told)
