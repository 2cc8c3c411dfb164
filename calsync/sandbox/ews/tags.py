"""Extended properties: the same tags that Graph calls single-value extended properties.

A tag set here shows in Graph and the other way round: both fronts name it in Graph's form,
"{type} {guid} Name {name}". What is no tag but a property of the store itself is computed
([MS-OXPROPS], [MS-OXOCAL]); such tags cannot be given another value here.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..graph.calendar import tags_of
from ..graph.reader import canonical_tag
from ..problems import Refusal, bad_request
from .call import attr, need, schema
from .mapi import COMPUTED, KEPT, SET, SETS, UNSET
from .xml import Markup, Node, t
from .zones import read_time, shown

if TYPE_CHECKING:
    from .view import View

_SINGLE = (
    "ApplicationTime", "Binary", "Boolean", "CLSID", "Currency", "Double", "Float", "Integer",
    "Long", "Short", "SystemTime", "String",
)  # fmt: skip
TYPES = (*_SINGLE, *(f"{one}Array" for one in _SINGLE), "Error", "Null", "Object", "ObjectArray")
_UNUSABLE = ("Error", "Null", "Object", "ObjectArray")


@dataclass(frozen=True, slots=True)
class Path:
    """One ExtendedFieldURI. `key` is Graph's id of it, made comparable; `attrs` as it was said."""

    key: str
    name: str
    kind: str
    attrs: tuple[tuple[str, str], ...]

    @property
    def where(self) -> str:
        """Set and name or number, without the type: what a computed property is looked up by."""
        return self.name.partition(" ")[2].casefold()

    def element(self) -> Markup:
        """The ExtendedFieldURI as it was said."""
        return t("ExtendedFieldURI", **dict(self.attrs))


def read_path(node: Node) -> Path:
    """An ExtendedFieldURI; refuses combinations that name nothing."""
    kind = attr(node, "PropertyType")
    if kind not in TYPES:
        raise schema(f"The 'PropertyType' attribute is invalid - '{kind}' failed.", node)
    if kind in _UNUSABLE:
        raise _wrong("ErrorUnsupportedMapiPropertyType", "The property type is not supported.")
    said = node.attrs
    number, name, tag = said.get("PropertyId"), said.get("PropertyName"), said.get("PropertyTag")
    group, guid = said.get("DistinguishedPropertySetId"), said.get("PropertySetId")
    if tag is not None:
        if number or name or group or guid:
            raise _wrong()
        where = f"0x{_tag(node, tag):x}"
    else:
        if (group is None) == (guid is None) or (number is None) == (name is None):
            raise _wrong()
        if group is not None and group not in SETS:
            raise schema(
                f"The 'DistinguishedPropertySetId' attribute is invalid - '{group}'.", node
            )
        home = SETS[group] if group else (guid or "").casefold()
        where = (
            f"{{{home}}} Name {name}"
            if name is not None
            else f"{{{home}}} Id 0x{_id(node, number):x}"
        )
    full = f"{kind} {where}"
    try:
        key = canonical_tag(full)
    except Refusal:
        raise _wrong() from None
    return Path(key, full, kind, tuple(said.items()))


def _wrong(
    code: str = "ErrorInvalidExtendedProperty",
    message: str = "The extended property attribute combination is invalid.",
) -> Refusal:
    return bad_request(message, code)


def _tag(node: Node, text: str) -> int:
    try:
        # The schema allows 0x3007; clients also send a plain number, which Exchange reads.
        value = int(text, 16 if text.casefold().startswith("0x") else 10)
    except ValueError:
        raise schema(f"The 'PropertyTag' attribute is invalid - '{text}'.", node) from None
    if not 0 < value <= 0xFFFE:
        raise schema(f"The 'PropertyTag' attribute is invalid - '{text}'.", node)
    return value


def _id(node: Node, text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError:
        raise schema(f"The 'PropertyId' attribute is invalid - '{text}'.", node) from None


def read_property(node: Node) -> tuple[Path, str]:
    """An ExtendedProperty with its value; arrays become JSON lists."""
    path = read_path(need(node, "ExtendedFieldURI"))
    many = node.find("Values")
    if path.kind.endswith("Array"):
        if many is None:
            raise _value("An array needs Values.")
        return path, json.dumps([_checked(path.kind[:-5], one) for one in many.all("Value")])
    one = node.find("Value")
    if one is None:
        raise _value("The property needs a Value.")
    return path, _checked(path.kind, one)


def _value(message: str) -> Refusal:
    return bad_request(message, "ErrorInvalidExtendedPropertyValue")


def _checked(kind: str, node: Node) -> str:
    text = node.text if kind == "String" else node.text.strip()
    try:
        if kind in ("Integer", "Long", "Short", "Currency"):
            return str(int(text))
        if kind in ("Double", "Float", "ApplicationTime"):
            return repr(float(text))
        if kind == "Boolean":
            if text.casefold() not in ("true", "false", "1", "0"):
                raise ValueError(text)
            return "true" if text.casefold() in ("true", "1") else "false"
        if kind == "Binary":
            return b64encode(b64decode(text, validate=True)).decode()
        if kind == "SystemTime":
            return shown(read_time(node, text)[0])
    except (ValueError, BadBase64):
        raise _value(f"'{text[:80]}' is no {kind}.") from None
    return text


def show(path: Path, value: str) -> Markup:
    """An ExtendedProperty of an answer."""
    if path.kind.endswith("Array"):
        values = t("Values", *(t("Value", str(one)) for one in json.loads(value)))
        return t("ExtendedProperty", path.element(), values)
    return t("ExtendedProperty", path.element(), t("Value", value))


def look(view: View, path: Path) -> str | None:
    """The value of an extended property of an item; None where it has none."""
    if view.tags is None:
        view.tags = _tags(view)
    found = view.tags.get(path.key)
    if found is not None and path.where in KEPT:
        return found[1]
    made = COMPUTED.get(path.where)
    value = made(view) if made is not None else None
    if value is not None:
        return value
    return None if found is None else found[1]


def _tags(view: View) -> Mapping[str, tuple[str, str]]:
    return tags_of(view.found)


def computed(path: Path) -> bool:
    """Whether it is a property of the store itself, that nobody sets."""
    return path.where in COMPUTED and path.where not in KEPT


def unsets(path: Path) -> dict[str, Any] | None:
    """Members that go back to their defaults when such a property is deleted."""
    return UNSET.get(path.where)


def sets(path: Path, value: str) -> dict[str, Any] | None:
    """Members that a property of the store changes when it is written; None for others."""
    made = SET.get(path.where)
    return None if made is None else made(value)
