"""Restrictions of FindItem and FindFolder."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from ..problems import bad_request
from ..zones import Zone
from . import values
from .call import attr, need, one_of, schema
from .shape import Field, read_field
from .tags import Path
from .xml import Node

Test = Callable[[Any], bool]
Get = Callable[[Any, Field | Path], "values.Value | list[str] | None"]
COMPARE = {
    "IsEqualTo": lambda a, b: a == b,
    "IsNotEqualTo": lambda a, b: a != b,
    "IsGreaterThan": lambda a, b: a > b,
    "IsGreaterThanOrEqualTo": lambda a, b: a >= b,
    "IsLessThan": lambda a, b: a < b,
    "IsLessThanOrEqualTo": lambda a, b: a <= b,
}
MODES = ("FullString", "Prefixed", "Substring", "PrefixOnWords", "ExactPhrase")
LOOSENESS = (
    "Exact", "IgnoreCase", "IgnoreNonSpacingCharacters", "Loose",
    "IgnoreCaseAndNonSpacingCharacters", "LooseAndIgnoreCase", "LooseAndIgnoreNonSpace",
    "LooseAndIgnoreCaseAndIgnoreNonSpace",
)  # fmt: skip
MOST_DEPTH = 64


def read(node: Node, zone: Zone, get: Get) -> Test:
    """The test of a Restriction element, which holds one expression."""
    if len(node.kids) != 1:
        raise schema(f"The element '{node.name}' has incomplete content.", node)
    return _read(node.kids[0], zone, get, 0)


def _read(node: Node, zone: Zone, get: Get, depth: int) -> Test:
    if depth > MOST_DEPTH:
        raise bad_request("The restriction is too complex.", "ErrorRestrictionTooComplex")
    name = node.name
    if name in ("And", "Or"):
        parts = [_read(one, zone, get, depth + 1) for one in node.kids]
        if len(parts) < 2:
            raise schema(f"The element '{name}' has incomplete content.", node)
        if name == "And":
            return lambda one: all(part(one) for part in parts)
        return lambda one: any(part(one) for part in parts)
    if name == "Not":
        if len(node.kids) != 1:
            raise schema("The element 'Not' has incomplete content.", node)
        inner = _read(node.kids[0], zone, get, depth + 1)
        return lambda one: not inner(one)
    if not node.kids:
        raise schema(f"The element '{name}' has incomplete content.", node)
    path = read_field(node.kids[0])
    values.check(path)
    if name == "Exists":
        return lambda one: get(one, path) not in (None, "", [])
    if name in COMPARE:
        return _compare(node, path, zone, get)
    if name == "Contains":
        return _contains(node, path, get)
    if name == "Excludes":
        mask = attr(need(node, "Bitmask"), "Value")
        bits = int(mask, 16 if mask.casefold().startswith("0x") else 10)
        return lambda one: not _whole(get(one, path)) & bits
    raise schema(f"The element 'Restriction' has invalid child element '{name}'.", node)


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _compare(node: Node, path: Field | Path, zone: Zone, get: Get) -> Test:
    other = need(node, "FieldURIOrConstant")
    if not other.kids:
        raise schema("The element 'FieldURIOrConstant' has incomplete content.", other)
    hold, ask = COMPARE[node.name], other.kids[0]
    if ask.name != "Constant":
        right = read_field(ask)
        values.check(right)
        return lambda one: _holds(hold, get(one, path), get(one, right), node.name)
    text = attr(ask, "Value")

    def test(one: Any) -> bool:
        left = get(one, path)
        if left is None:
            # What is not there is unequal to everything, and neither more nor less.
            return node.name == "IsNotEqualTo"
        return _holds(hold, left, values.constant(ask, text, left, zone), node.name)

    return test


def _holds(hold: Callable[[Any, Any], bool], left: Any, right: Any, name: str) -> bool:
    if left is None or right is None:
        return name == "IsNotEqualTo"
    if isinstance(left, list):
        # A property of many values holds where one of them does.
        return any(_holds(hold, one, right, name) for one in left)
    if isinstance(left, str) and isinstance(right, str):
        left, right = left.casefold(), right.casefold()
    try:
        return hold(left, right)
    except TypeError:
        return False


def _contains(node: Node, path: Field | Path, get: Get) -> Test:
    wanted = attr(need(node, "Constant"), "Value")
    mode = one_of(node, node.attrs.get("ContainmentMode", "FullString"), MODES)
    loose = one_of(node, node.attrs.get("ContainmentComparison", "Exact"), LOOSENESS)
    if isinstance(path, Path) and not path.kind.startswith("String"):
        raise bad_request("Contains is for text.", "ErrorContainsFilterWrongType")

    def fold(text: str) -> str:
        if "Case" in loose or loose.startswith("Loose"):
            text = text.casefold()
        if "NonSpac" in loose:
            plain = unicodedata.normalize("NFD", text)
            text = "".join(one for one in plain if not unicodedata.combining(one))
        return text

    needle = fold(wanted)

    def holds(text: str) -> bool:
        text = fold(text)
        if mode == "FullString":
            return text == needle
        if mode == "Prefixed":
            return text.startswith(needle)
        if mode == "PrefixOnWords":
            return any(word.startswith(needle) for word in text.split()) or text.startswith(needle)
        return needle in text

    def test(one: Any) -> bool:
        value = get(one, path)
        rows = value if isinstance(value, list) else [value]
        return any(isinstance(row, str) and holds(row) for row in rows)

    return test
