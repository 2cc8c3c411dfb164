"""Extended properties: the same tags that Graph calls single-value extended properties.

A tag set here shows in Graph and the other way round: both fronts name it in Graph's form,
"{type} {guid} Name {name}". What is no tag but a property of the store itself is computed
([MS-OXPROPS], [MS-OXOCAL]); such tags cannot be given another value here.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ..graph.reader import canonical_tag
from ..problems import Refusal, bad_request
from ..world import moment_of
from . import goid
from .call import attr, need, schema
from .xml import Markup, Node, t
from .zones import read_time, shown

if TYPE_CHECKING:
    from .view import View

SETS = {
    "Meeting": "6ed8da90-450b-101b-98da-00aa003f1305",
    "Appointment": "00062002-0000-0000-c000-000000000046",
    "Common": "00062008-0000-0000-c000-000000000046",
    "PublicStrings": "00020329-0000-0000-c000-000000000046",
    "Address": "00062004-0000-0000-c000-000000000046",
    "InternetHeaders": "00020386-0000-0000-c000-000000000046",
    "CalendarAssistant": "11000e07-b51b-40d6-af21-caa85edab1d0",
    "UnifiedMessaging": "4442858e-a9e3-4e80-b900-317a210cc15b",
    "Task": "00062003-0000-0000-c000-000000000046",
    "Sharing": "00062040-0000-0000-c000-000000000046",
}
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
    made = COMPUTED.get(path.where)
    if made is not None:
        value = made(view)
        if value is not None:
            return value
    if view.tags is None:
        view.tags = _tags(view)
    found = view.tags.get(path.key)
    return None if found is None else found[1]


def _tags(view: View) -> Mapping[str, tuple[str, str]]:
    from ..graph.calendar import tags_of

    return tags_of(view.found)


def computed(path: Path) -> bool:
    """Whether it is a property of the store itself."""
    return path.where in COMPUTED


# -- properties of the store ----------------------------------------------------------------


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _moment(value: datetime) -> str:
    return shown(value)


def _bytes(hexadecimal: str) -> str:
    return b64encode(bytes.fromhex(hexadecimal)).decode()


_BUSY = {"free": 0, "tentative": 1, "busy": 2, "oof": 3, "workingElsewhere": 4}
_ANSWERS = {
    "none": 0, "organizer": 1, "tentativelyAccepted": 2, "accepted": 3, "declined": 4,
    "notResponded": 5,
}  # fmt: skip


def _named(group: str, number: int) -> str:
    return f"{{{SETS[group]}}} id 0x{number:x}"


def _calendar(make: Callable[[View], str | None]) -> Callable[[View], str | None]:
    return lambda view: make(view) if view.is_calendar else None


COMPUTED: dict[str, Callable[[View], str | None]] = {
    "0x1a": lambda v: v.item_class,
    "0x37": lambda v: v.subject,
    "0xe1d": lambda v: v.subject,
    "0x70": lambda v: v.subject,
    "0x1000": lambda v: v.body(text=True)["content"],
    "0x17": lambda v: str({"low": 0, "high": 2}.get(v.prop("importance"), 1)),
    "0x36": lambda v: str(
        {"personal": 1, "private": 2, "confidential": 3}.get(v.prop("sensitivity"), 0)
    ),
    "0x60": _calendar(lambda v: _moment(v.start)),
    "0x61": _calendar(lambda v: _moment(v.end)),
    "0x3007": lambda v: _moment(moment_of(v.item.created)),
    "0x3008": lambda v: _moment(moment_of(v.item.modified)),
    "0xe06": lambda v: _moment(moment_of(v.item.created)),
    "0x39": lambda v: _moment(moment_of(v.item.created)),
    "0xe08": lambda v: str(v.size),
    "0xe1b": lambda v: _flag(bool(v.prop("hasAttachments"))),
    "0xe07": lambda v: "1" if v.prop("isRead", True) else "0",
    "0xe03": lambda v: v.display("cc"),
    "0xe04": lambda v: v.display("to"),
    "0xfff": lambda v: b64encode(v.id.encode()).decode(),
    "0x300b": lambda v: b64encode(v.item.key.encode()).decode(),
    "0x65e2": lambda v: v.change_key,
    "0xff6": lambda v: b64encode(v.id.encode()).decode(),
    # The name of an item in WebDAV, which CalDAV gateways use for their addresses.
    "0x10f3": lambda v: f"{v.subject or v.item.key}.EML",
    "0xc1a": lambda v: v.item.organizer.name,
    "0xc1f": lambda v: v.item.organizer.address,
    "0x42": lambda v: v.item.organizer.name,
    "0x5d01": lambda v: v.item.organizer.address,
    "0x5d02": lambda v: v.item.organizer.address,
    _named("Meeting", 3): _calendar(lambda v: _bytes(goid.of(v.item.uid, v.found.day))),
    _named("Meeting", 0x23): _calendar(lambda v: _bytes(goid.of(v.item.uid, None))),
    _named("Meeting", 0x5): _calendar(lambda v: _flag(v.item.rule is not None)),
    _named("Meeting", 0xA): _calendar(lambda v: _flag(v.is_exception)),
    _named("Appointment", 0x8201): _calendar(lambda v: str(v.sequence)),
    _named("Appointment", 0x8205): _calendar(lambda v: str(_BUSY.get(v.prop("showAs", "busy"), 2))),
    _named("Appointment", 0x8208): _calendar(lambda v: v.location),
    _named("Appointment", 0x820D): _calendar(lambda v: _moment(v.start)),
    _named("Appointment", 0x820E): _calendar(lambda v: _moment(v.end)),
    _named("Appointment", 0x8213): _calendar(
        lambda v: str(int((v.end - v.start).total_seconds()) // 60)
    ),
    _named("Appointment", 0x8215): _calendar(lambda v: _flag(v.found.when.all_day)),
    _named("Appointment", 0x8217): _calendar(lambda v: str(v.state)),
    _named("Appointment", 0x8218): _calendar(lambda v: str(_ANSWERS.get(v.response[0], 0))),
    _named("Appointment", 0x8223): _calendar(lambda v: _flag(v.item.rule is not None)),
    _named("Appointment", 0x8231): _calendar(lambda v: str(_pattern_type(v))),
    _named("Appointment", 0x8234): _calendar(lambda v: v.found.when.start_zone.label),
    _named("Appointment", 0x8235): _calendar(lambda v: _moment(v.item.when.start_utc)),
    _named("Common", 0x8501): lambda v: str(v.prop("reminderMinutesBeforeStart", 15)),
    _named("Common", 0x8503): lambda v: _flag(bool(v.prop("isReminderOn", True))),
    _named("Common", 0x8506): lambda v: _flag(v.prop("sensitivity") in ("private", "confidential")),
    _named("Common", 0x8516): _calendar(lambda v: _moment(v.start)),
    _named("Common", 0x8517): _calendar(lambda v: _moment(v.end)),
}


def _pattern_type(view: View) -> int:
    rule = view.item.rule
    if rule is None:
        return 0
    kind = rule.pattern.kind
    return 1 if kind == "daily" else 2 if kind == "weekly" else 3 if "Monthly" in kind else 4
