"""Who asks, and what they may do: bearer tokens (RFC 6750) with scopes."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request

from calsync.adapters.hub.service import BookingService
from calsync.api.limits import Limits
from calsync.api.problems import ApiProblem
from calsync.mapping.booking_values import ApiToken

_REALM = 'Bearer realm="calsync"'


def bearer(request: Request) -> str:
    """The token that a request carries."""
    return request.headers.get("authorization", "").partition(" ")[2].strip()


def allow(service: BookingService, scope: str, limits: Limits) -> Callable[[Request], ApiToken]:
    """A dependency that lets a request pass whose token has ``scope``."""

    def check(request: Request) -> ApiToken:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        if not text:
            limits.of_stranger(request)
            raise ApiProblem(
                "not-signed-in",
                "Send Authorization: Bearer with a token made by `calsync tokens create`.",
                headers={"WWW-Authenticate": _REALM},
            )
        token = service.tokens.check(text.strip()) if kind.lower() == "bearer" else None
        if token is None:
            limits.of_stranger(request)
            raise ApiProblem(
                "not-signed-in",
                "This token is unknown or was revoked.",
                headers={"WWW-Authenticate": f'{_REALM}, error="invalid_token"'},
            )
        limits.of_token(request, token.id)
        if scope not in token.scopes:
            raise ApiProblem(
                "not-allowed",
                f"This needs a token with the scope {scope}.",
                headers={
                    "WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope}"'
                },
            )
        request.state.token = token
        return token

    return check
