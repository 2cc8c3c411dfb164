"""A single HTTP call to a calendar system as a value, and the port that carries it out.

The wrappers ``logged``, ``paced`` and ``retried`` wrap this port and not ``SyncSide``: budgets,
Retry-After and "was it executed?" belong to one HTTP request, and one ``pull`` or ``apply`` is
many of them. ``dry_run`` wraps ``SyncSide``: there a whole effect is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from calsync.errors import Unavailable


class NotSent(Unavailable):
    """The request never reached the server (no connection): it was not executed for sure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP request.

    ``mailbox`` is whose budget it uses ("" = nobody's). ``operation`` names it in counters and
    logs ("delta", "create event"). ``target`` is a path below the API's root or an absolute
    link that the server gave. ``repeatable``: may be sent again after any failure (reads).
    ``parts`` > 1 for ``$batch``: every part uses the budget by itself.
    """

    method: str
    target: str
    operation: str
    mailbox: str = ""
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    prefer: str = ""
    repeatable: bool = False
    parts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. ``body`` is the parsed JSON object, None where there was none.

    ``retry_after`` in seconds, None where the server did not say; ``retry_note`` tells how it
    was read if not as sent. ``throttled``: the service itself refused at the door, for load, so
    the call was not executed for sure (a bare 503 may follow an execution). ``trace``: the
    server's request id.
    """

    status: int
    body: dict[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    retry_note: str = ""
    throttled: bool = False
    trace: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Caller(Protocol):
    """Carries out calls. Statuses are answers, not errors; raises

    ``NotSent`` (never reached the server), ``Unavailable`` (lost on the way: it may have been
    executed), ``BadAnswer`` (the answer cannot be read: it may have been executed),
    ``NotSignedIn``, ``ForbiddenLink`` and ``Throttled`` (all three: not executed).
    """

    def call(self, call: Call) -> Answer: ...
