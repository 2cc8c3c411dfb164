"""A room feed: what is kept of a display's right to read one room without signing in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomFeed:
    """Only the SHA-256 of its secret is kept. ``details``: titles and names are shown, too."""

    id: str
    room_id: str
    name: str
    secret_hash: str
    details: bool
    created: datetime
    revoked: datetime | None = None
