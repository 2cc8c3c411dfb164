"""The Retry-After header (RFC 9110, 10.2.3): seconds or an HTTP date.

Graph sends fractions too ("2.128", Graph, "Throttling guidance").
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: Nothing waits longer on one header: a wrong clock must not stop a room for days.
CAP_S = 3600.0
_SECONDS = re.compile(r"\d{1,15}(\.\d{1,9})?")


def retry_after(header: str | None, now: datetime) -> tuple[float | None, str]:
    """(seconds, note): None where the header is absent or cannot be read; the note says so, and
    says where it was capped. ``now`` is aware; a date in the past gives 0."""
    if header is None:
        return None, ""
    text = header.strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None, "(Retry-After unreadable)"
        if at.tzinfo is None:  # "-0000": a date without a zone is UTC by RFC 5322
            at = at.replace(tzinfo=UTC)
        seconds = max(0.0, (at - now).total_seconds())
    if seconds > CAP_S:
        return CAP_S, f"(Retry-After of {seconds:.0f} s cut to {CAP_S:.0f} s)"
    return seconds, ""
