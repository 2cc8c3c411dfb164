"""JSON from outside, read with a bound on its depth and on how much it makes.

The decoder of the standard library recurses: text nested a thousand deep costs the whole stack,
and whatever runs at its end (a finalizer, a log handler) fails with it. And it makes a hundred
times as much memory out of ``[{},{},…`` as the text had. So both are looked at before anything
is decoded.
"""

from __future__ import annotations

import json
from typing import Any, Final

#: Far beyond what any service sends (Graph: 8), far below what the decoder's stack holds.
MAX_DEPTH: Final = 64
#: Objects and lists in one text; strings; members and items. The largest answer we ask for (20
#: series with a thousand exceptions each) has a third of that.
MAX_CONTAINERS: Final = 1_000_000
MAX_VALUES: Final = 5_000_000

_BLOCK: Final = 256 * 1024
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")


class TooDeep(ValueError):
    """Nested deeper than anything that is meant to be read."""


class TooMuch(ValueError):
    """More values than anything that is meant to be read."""


def read_json(data: bytes | str, **hooks: Any) -> Any:
    """The value. ``hooks`` are those of ``json.loads``. Raises ValueError for what is no JSON,
    TooDeep for what is nested deeper than twice MAX_DEPTH (up to MAX_DEPTH is always read), and
    TooMuch."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    # The usual answer is too short to be much, and has too few brackets to be deep.
    small = len(raw) <= MAX_VALUES and raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH
    if not small and _too_deep(_brackets(raw)):
        raise TooDeep(f"the JSON is nested more than {MAX_DEPTH} deep")
    return json.loads(data, **hooks)


def _brackets(data: bytes) -> bytes:
    """The brackets outside of strings, all of one kind. UTF-16 and UTF-32, which the decoder
    takes too, have their zero bytes dropped with all else that is no bracket."""
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if data.count(b'"') > 2 * MAX_VALUES:
        raise TooMuch(f"the JSON has more than {MAX_VALUES} strings")
    brackets, values, inside = bytearray(), 0, 0
    # In blocks: the pieces between ten million quotes would be a bomb themselves.
    for at in range(0, len(data), _BLOCK):
        pieces = data[at : at + _BLOCK].split(b'"')
        outside = b"".join(pieces[inside::2])
        inside ^= (len(pieces) - 1) & 1
        values += outside.count(b",")
        brackets += outside.translate(_ONE_KIND, _NOT_BRACKETS)
    if values > MAX_VALUES:
        raise TooMuch(f"the JSON has more than {MAX_VALUES} values")
    if len(brackets) > 2 * MAX_CONTAINERS:
        raise TooMuch(f"the JSON has more than {MAX_CONTAINERS} objects and lists")
    return bytes(brackets)


def _too_deep(brackets: bytes) -> bool:
    """Whether they nest deeper than MAX_DEPTH."""
    for _ in range(MAX_DEPTH):
        # Each round takes the innermost pairs away.
        left = brackets.replace(b"[]", b"")
        if len(left) == len(brackets):
            break
        brackets = left
    # What is left is deeper still, or has no partner.
    return len(brackets) > MAX_DEPTH
