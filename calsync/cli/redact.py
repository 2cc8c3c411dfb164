"""The last look at what goes into a log or a file of errors: nothing that opens a door passes.

calsync's own messages hold no secret; this is for those of others, and for tracebacks, whose
last line may hold whatever was at hand.
"""

from __future__ import annotations

import re
from typing import Final

_GONE: Final = "[redacted]"
#: Each with the groups that stay. Bounded on purpose: a log line may be megabytes long.
_SECRETS: Final = (
    re.compile(r"\b((?:bearer|basic)\s{1,8})[A-Za-z0-9._~+/=-]{6,8192}", re.IGNORECASE),
    re.compile(
        r"((?:client_?secret|client_?assertion|client_?state|refresh_?token|access_?token|id_?token"
        r"|pass(?:word|phrase)|authorization)[\"']?\s{0,4}[:=]\s{0,4}[\"']?)[^\s\"'&,;}]{3,8192}",
        re.IGNORECASE,
    ),
    re.compile(r"\b(calsync_[0-9a-f]{1,64}_)[0-9a-f]{16,128}"),
    re.compile(r"(/feeds/[^/\s]{1,64}/[0-9a-f]{8}-)[A-Za-z0-9_-]{16,64}"),
    re.compile(r"\b(whsec_)[A-Za-z0-9+/=]{6,128}"),
    re.compile(r"\b()eyJ[A-Za-z0-9_-]{10,8192}(?:\.[A-Za-z0-9_-]{0,8192}){0,2}"),
)
_ADDRESS: Final = re.compile(r"[^\s@<>\"'(),;:]{1,64}@[A-Za-z0-9.-]{1,255}")


def without_secrets(text: str) -> str:
    """``text`` without tokens, passwords and the like, as far as they show what they are."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\1{_GONE}", text)
    return text


def without_people(text: str) -> str:
    """The same, without mail addresses, too: for tracebacks, which nobody worded."""
    return _ADDRESS.sub("[address]", without_secrets(text))
