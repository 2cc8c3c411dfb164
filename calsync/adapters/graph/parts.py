"""Answers of Graph as values: a whole one, and the parts of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from requests.structures import CaseInsensitiveDict

from calsync.adapters.graph.errors import is_throttled
from calsync.adapters.shared.retry_after import retry_after
from calsync.adapters.wrap.port import Answer


def read_answer(
    status: int, headers: Mapping[str, str], body: dict[str, Any] | None, now: datetime
) -> Answer:
    """``headers`` compare without case; ``now`` (aware) is what a Retry-After date counts from."""
    seconds, note = retry_after(headers.get("Retry-After"), now)
    return Answer(
        status=status,
        body=body,
        headers=headers,
        retry_after=seconds,
        retry_note=note,
        throttled=is_throttled(status, body, seconds),
        trace=headers.get("request-id", "")[:64],
    )


def read_part(part: Any, now: datetime) -> Answer | None:
    """One part of a batch; None where it is not one."""
    if not isinstance(part, dict) or type(part.get("status")) is not int:
        return None
    raw, body = part.get("headers"), part.get("body")
    pairs = raw.items() if isinstance(raw, dict) else ()
    headers = CaseInsensitiveDict({str(name): str(value) for name, value in pairs})
    return read_answer(part["status"], headers, body if isinstance(body, dict) else None, now)


def longest_wait(body: Mapping[str, Any], now: datetime) -> float | None:
    """A batch is 200 even where parts of it were throttled: the longest wait of these parts
    in seconds, None without any (Graph, "Throttling guidance": retry after the longest)."""
    parts = body.get("responses")
    waits = []
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and part.get("status") in (429, 503, 504):
            read = read_part(part, now)
            if read is not None and read.throttled:
                waits.append(1.0 if read.retry_after is None else read.retry_after)
    return max(waits, default=None)
