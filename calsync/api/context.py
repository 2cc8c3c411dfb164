"""What all routers share, and how they word their answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import Depends
from starlette.responses import Response

from calsync.adapters.hub.desk import Shown
from calsync.adapters.hub.service import BookingService
from calsync.adapters.hub.telling import visible
from calsync.api.auth import allow
from calsync.api.limits import Limits
from calsync.mapping.booking_values import ApiToken

#: room id → (in sync as of, stale). None: never yet.
SyncStatus = Callable[[str], tuple[datetime | None, bool]]


@dataclass(frozen=True, slots=True)
class Api:
    """``mapped(room_id)``: this very calsync keeps the room equal with a calendar."""

    service: BookingService
    now: Callable[[], datetime]
    sync_status: SyncStatus
    trigger: Callable[[str], None]
    limits: Limits = field(default_factory=Limits)
    mapped: Callable[[str], bool] = lambda _: False

    def needs(self, scope: str) -> Any:
        """The token of the request, as a declared default (which FastAPI types as Any)."""
        return Depends(allow(self.service, scope, self.limits))


def details(token: ApiToken) -> bool:
    return "details:read" in token.scopes


def answer(
    doc: Mapping[str, object], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        encode(doc),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "private, no-cache", "Vary": "Authorization", **(headers or {})},
    )


def encode(doc: Mapping[str, object]) -> bytes:
    return json.dumps(doc, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def etag(revision: int) -> str:
    return f'"{revision}"'


def booking_headers(shown: Shown) -> dict[str, str]:
    headers = {"ETag": etag(shown.booking.revision)}
    if shown.created:
        headers["Location"] = f"/v1/bookings/{shown.booking.id}"
    return headers


def booking_doc(shown: Shown, token: ApiToken) -> dict[str, object]:
    """The booking as far as the token may see it; whoever made it may see what they sent."""
    return visible(shown, token.scopes, own=shown.created)


def booking_answer(shown: Shown, token: ApiToken) -> Response:
    return answer(
        booking_doc(shown, token),
        status=201 if shown.created else 200,
        headers=booking_headers(shown),
    )
