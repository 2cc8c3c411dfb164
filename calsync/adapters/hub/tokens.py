"""Bearer tokens of platforms: made once, shown once, kept as a hash.

A token is ``calsync_<id>_<secret>``. The id finds the row, the secret is compared by its
SHA-256 in constant time; a fast hash is right for 256 random bits.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Final

from calsync.adapters.hub.repository import HubStore
from calsync.errors import UsageError
from calsync.mapping.booking_values import ApiToken

#: What a token may be allowed to do. ``rooms:write`` belongs to admins, ``metrics:read`` to
#: their monitoring, ``bookings:mirror`` to a connector (ADR 0015).
SCOPES: Final = {
    "rooms:read": "list the rooms",
    "rooms:write": "make and change rooms",
    "busy:read": "see when rooms are taken",
    "bookings:read": "read bookings and the change feed",
    "bookings:write": "make, change and cancel bookings",
    "bookings:mirror": "keep bookings equal with a calendar, as a connector does",
    "details:read": "see titles and people in whatever else may be read",
    "metrics:read": "read the figures for monitoring",
}
_PREFIX: Final = "calsync"
_NO_HASH: Final = "0" * 64


class TokenStore:
    """The tokens of the API: for the command line, and for the API's door."""

    def __init__(self, store: HubStore, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def create(self, name: str, scopes: Iterable[str]) -> tuple[ApiToken, str]:
        """A new token and its text, which is not kept. Raises UsageError for unknown scopes."""
        wanted = frozenset(scopes)
        unknown = sorted(wanted - SCOPES.keys())
        if unknown or not wanted:
            raise UsageError(
                f"unknown scope {', '.join(unknown)}" if unknown else "a token needs a scope",
                todo=f"Choose from {', '.join(SCOPES)}",
            )
        secret = secrets.token_hex(32)
        token = ApiToken(
            id=secrets.token_hex(6),
            name=name,
            secret_hash=_hash(secret),
            scopes=wanted,
            created=self._now(),
        )
        with self._store.write() as tx:
            tx.put_token(token)
        return token, f"{_PREFIX}_{token.id}_{secret}"

    def list(self) -> list[ApiToken]:
        """All tokens, revoked ones included, oldest first."""
        with self._store.read() as tx:
            return tx.tokens()

    def revoke(self, token_id: str) -> ApiToken:
        """The token is void from the next request on. Raises UsageError for an unknown id."""
        with self._store.write() as tx:
            token = tx.token(token_id)
            if token is None:
                raise UsageError("there is no token with this id", where=token_id)
            if token.revoked is None:
                token = replace(token, revoked=self._now())
                tx.put_token(token)
        return token

    def check(self, text: str) -> ApiToken | None:
        """The token behind what a client sent; None where it is none of ours, or revoked."""
        prefix, _, rest = text.partition("_")
        token_id, _, secret = rest.partition("_")
        if prefix != _PREFIX or not text.isascii() or not 0 < len(token_id) <= 64:
            return None
        with self._store.read() as tx:
            token = tx.token(token_id)
        # Compared even where there is no row, so that the time tells nothing about ids.
        good = hmac.compare_digest(_hash(secret), _NO_HASH if token is None else token.secret_hash)
        return token if good and token is not None and token.revoked is None else None


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
