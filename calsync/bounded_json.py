"""JSON from outside, read with a bound on its depth.

The decoder of the standard library recurses: text nested a thousand deep costs the whole stack,
and whatever runs at its end (a finalizer, a log handler) fails with it. So the depth is looked
at before anything is decoded.
"""

from __future__ import annotations

import json
from typing import Any, Final

#: Far beyond what any service sends (Graph: 8), far below what the decoder's stack holds.
MAX_DEPTH: Final = 64

_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")


class TooDeep(ValueError):
    """Nested deeper than anything that is meant to be read."""


def read_json(data: bytes | str, **hooks: Any) -> Any:
    """The value. ``hooks`` are those of ``json.loads``. Raises ValueError for what is no JSON,
    TooDeep for what is nested deeper than twice MAX_DEPTH; up to MAX_DEPTH is always read."""
    if _too_deep(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data):
        raise TooDeep(f"the JSON is nested more than {MAX_DEPTH} deep")
    return json.loads(data, **hooks)


def _too_deep(data: bytes) -> bool:
    """Whether brackets outside of strings nest deeper than MAX_DEPTH. UTF-16 and UTF-32, which
    the decoder takes too, have their zero bytes dropped with all else that is no bracket."""
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside = b"".join(data.split(b'"')[::2])
    brackets = outside.translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        # Each round takes the innermost pairs away.
        left = brackets.replace(b"[]", b"")
        if len(left) == len(brackets):
            break
        brackets = left
    # What is left is deeper still, or has no partner.
    return len(brackets) > MAX_DEPTH
