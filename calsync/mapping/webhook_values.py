"""What is kept of webhooks: plain values, shared by their adapter and the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a platform wants to be told of changes.

    ``scopes`` decide what a message says beyond ids and times; ``rooms``: only these (empty: all).
    ``secret`` is sealed; so is ``former``, which still signs beside it until ``former_until``.
    ``position``: the change number up to which messages were made. ``disabled``: since when no
    message is made or sent, and ``why``. ``paused``: the receiver asked to be left alone so long.
    """

    id: str
    name: str
    url: str
    scopes: frozenset[str]
    rooms: frozenset[str]
    secret: bytes
    position: int
    created: datetime
    former: bytes | None = None
    former_until: datetime | None = None
    disabled: datetime | None = None
    why: str = ""
    paused: datetime | None = None


class MessageState(StrEnum):
    """QUEUED until the receiver took it, or every try of the schedule was made in vain."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one endpoint. ``id`` is the webhook-id, the same at every try.

    ``data`` (JSON) holds ids, times and states only: what scopes add is read when it is sent.
    ``booking_id`` is empty where it is about no booking. ``due``: the next try. ``status``: what
    the last try was answered (0: nothing), and ``reason``.
    """

    id: str
    endpoint_id: str
    kind: str
    booking_id: str
    data: str
    at: datetime
    due: datetime
    changed: datetime
    state: MessageState = MessageState.QUEUED
    tries: int = 0
    status: int = 0
    reason: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How many messages of an endpoint are in which state."""

    queued: int = 0
    delivered: int = 0
    failed: int = 0
    oldest: datetime | None = None
