"""Why somebody's booking cannot stay, and what is free instead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A free room offered instead."""

    room_id: str
    name: str
    capacity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why somebody's booking cannot stay: for people, in one sentence, and for machines.

    ``dates`` are the local starts of the refused occurrences of a series; empty = all of it.
    ``times``: free time of the same room that is offered instead, in UTC.
    """

    reason: str
    code: str = "room-conflict"
    dates: tuple[datetime, ...] = ()
    conflicts: tuple[tuple[datetime, datetime], ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    times: tuple[tuple[datetime, datetime], ...] = ()
