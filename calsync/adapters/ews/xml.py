"""SOAP as values: elements made, and answers read without trusting them.

No document type, no entities, no network: an answer is data. Facts: messages.xsd, types.xsd.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from calsync.errors import BadAnswer
from calsync.mapping.ews_item import GLOBAL_ID, MEETING, REPLACES, TAG

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
M: Final = "http://schemas.microsoft.com/exchange/services/2006/messages"
T: Final = "http://schemas.microsoft.com/exchange/services/2006/types"
ERRORS: Final = "http://schemas.microsoft.com/exchange/services/2006/errors"
_SPACES: Final = {"m": M, "t": T, "s": SOAP, "e": ERRORS}

#: calsync's own property set. GUID and names may never change: they stand in customers' mailboxes.
#: The GUID is that of the Graph adapter, so that an event keeps its tag where its mailbox moves.
_OURS: Final = {"PropertySetId": "aa2c9132-e0dd-43a3-8ccf-417a4d60af36", "PropertyType": "String"}
#: What is set on an item of ours just before it is deleted (``requests.touch_item``).
LEAVING: Final = "calsync leaving"
#: By which request of ours an item was made: a name that no other request has.
MADE: Final = "calsync made"
#: Extended properties that are read: name of ours → attributes of the ExtendedFieldURI.
EXTENDED: Final[dict[str, dict[str, str]]] = {
    TAG: {**_OURS, "PropertyName": "calsync"},
    REPLACES: {**_OURS, "PropertyName": "calsyncReplaces"},
    MEETING: {**_OURS, "PropertyName": "calsyncMeeting"},
    LEAVING: {**_OURS, "PropertyName": "calsyncLeaving"},
    MADE: {**_OURS, "PropertyName": "calsyncMade"},
    # PidLidCleanGlobalObjectId [MS-OXOCAL] 2.2.1.28
    GLOBAL_ID: {
        "DistinguishedPropertySetId": "Meeting",
        "PropertyId": "35",
        "PropertyType": "Binary",
    },
}

Element = Any  # lxml has no types here


class Unreadable(BadAnswer):
    """XML that no parser takes: one item may be the reason, and stop a whole page."""


def el(name: str, *children: Element | str, **attributes: str) -> Element:
    """An element, such as ``el("t:ItemId", Id="…")``; text is made safe for XML."""
    prefix, local = name.split(":")
    made = etree.Element(f"{{{_SPACES[prefix]}}}{local}", attributes, nsmap={"m": M, "t": T})
    for child in children:
        if isinstance(child, str):
            made.text = safe(child)
        else:
            made.append(child)
    return made


#: What XML 1.0 cannot carry at all (section 2.2).
_UNSAYABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def safe(text: str) -> str:
    """The text without characters that no XML can hold."""
    return _UNSAYABLE.sub("\ufffd", text)


def named(name: str) -> str:
    """A prefixed name as lxml spells it."""
    prefix, local = name.split(":")
    return f"{{{_SPACES[prefix]}}}{local}"


def find(element: Element, *path: str) -> Element | None:
    """The first element down this path of prefixed names."""
    for name in path:
        if element is None:
            return None
        element = element.find(named(name))
    return element


def text_of(element: Element, *path: str) -> str:
    """Its text, without white space around it; empty where there is none."""
    found = find(element, *path)
    return "" if found is None or found.text is None else found.text.strip()


def local(element: Element) -> str:
    """The name without its namespace; empty for a comment or a processing instruction."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


# --- answers ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One response message, or a SOAP fault. ``values``: what its MessageXml tells by name."""

    code: str
    good: bool
    values: Mapping[str, str] = field(default_factory=dict)
    element: Element = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An answer: its messages, or its fault. ``version``: the server's build, as it says."""

    messages: tuple[Message, ...] = ()
    fault: Message | None = None
    version: str = ""


_CHARACTER: Final = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}));")


def parse(content: bytes) -> Element:
    """The root. Raises Unreadable or BadAnswer without repeating the content.

    Exchange writes characters that XML forbids as references (a subject pasted from elsewhere):
    those are replaced, or one such item would make its whole page unreadable.
    """
    root = None
    try:
        root = etree.fromstring(content, _parser())
    except (etree.XMLSyntaxError, ValueError):
        try:
            root = etree.fromstring(_CHARACTER.sub(_allowed, content), _parser())
        except (etree.XMLSyntaxError, ValueError):
            raise Unreadable("the answer is no XML, or was cut off") from None
    if root is None or root.getroottree().docinfo.doctype:
        raise BadAnswer("the answer has a document type, which no answer of Exchange has")
    return root


def _parser() -> Any:
    # huge_tree False: libxml2 keeps its own limits of depth and of expansion.
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip


def _allowed(found: re.Match[bytes]) -> bytes:
    number = int(found[1], 16) if found[1] else int(found[2])
    sayable = number <= 0x10FFFF and not _UNSAYABLE.match(chr(number))
    return found[0] if sayable else b"&#xFFFD;"


def read_envelope(content: bytes) -> Envelope:
    """What an answer says. Raises BadAnswer for what is no SOAP of Exchange."""
    root = parse(content)
    body = find(root, "s:Body")
    if root.tag != named("s:Envelope") or body is None or not len(body):
        raise BadAnswer("the answer is no SOAP envelope")
    version = _version(find(root, "s:Header", "t:ServerVersionInfo"))
    top = body[0]
    if top.tag == named("s:Fault"):
        return Envelope(fault=_fault(top), version=version)
    listed = find(top, "m:ResponseMessages")
    # GetRoomLists, GetRooms and GetUserAvailability answer without a list of messages.
    rows = [top] if listed is None else list(listed)
    return Envelope(messages=tuple(_message(row) for row in rows), version=version)


def _version(info: Element | None) -> str:
    if info is None:
        return ""
    names = ("MajorVersion", "MinorVersion", "MajorBuildNumber", "MinorBuildNumber")
    parts = [info.get(name, "") for name in names]
    return ".".join(parts) if all(part.isascii() and part.isdigit() for part in parts) else ""


def _message(row: Element) -> Message:
    inner = find(row, "m:FreeBusyResponseArray")
    code = text_of(row, "m:ResponseCode")
    if inner is not None:
        return Message(code="NoError", good=True, element=row)
    # A warning has done what was asked, or tells that what came before it stopped the batch.
    good = row.get("ResponseClass", "Error") != "Error" and code in ("NoError", "")
    return Message(
        code=code or ("NoError" if good else ""),
        good=good,
        values=_values(find(row, "m:MessageXml")),
        element=row,
    )


def _fault(fault: Element) -> Message:
    detail = fault.find("detail")
    code, values = "", {}
    if detail is not None:
        code = text_of(detail, "e:ResponseCode")
        values = _values(find(detail, "t:MessageXml"))
    if not code:
        # "a:ErrorSchemaValidation" where the request itself was not understood.
        code = (fault.findtext("faultcode") or "").rpartition(":")[2].strip()
    return Message(code=code, good=False, values=values)


def _values(box: Element | None) -> dict[str, str]:
    if box is None:
        return {}
    rows = [row for row in box if local(row) == "Value"]
    return {row.get("Name", ""): (row.text or "").strip()[:200] for row in rows}


# --- items -----------------------------------------------------------------------------------

_PARTS: Final = {
    "Recurrence", "Organizer", "Mailbox", "StartTimeZone", "EndTimeZone",
}  # fmt: skip
_LISTS: Final = {
    "ModifiedOccurrences", "DeletedOccurrences",
    "RequiredAttendees", "OptionalAttendees", "Resources",
}  # fmt: skip


def items_of(message: Message, *path: str) -> Iterator[Element]:
    """The items of a message, whatever their kind."""
    listed = find(message.element, *(path or ("m:Items",)))
    yield from () if listed is None else listed


def read_item(element: Element) -> dict[str, Any]:
    """A calendar item as plain values (``mapping.ews_item``): text, parts, lists. Never raises."""
    item: dict[str, Any] = {"kind": local(element)}
    for child in element:
        name = local(child)
        if name == "ExtendedProperty":
            _note(item, child)
        elif name in _LISTS:
            item[name] = [_plain(row) for row in child]
        elif name in _PARTS or child.attrib:
            item.setdefault(name, _plain(child))
        elif not len(child):
            item.setdefault(name, child.text or "")
    return item


def _plain(element: Element, depth: int = 4) -> dict[str, Any]:
    """Attributes, and children by name."""
    found: dict[str, Any] = dict(element.attrib)
    for child in element if depth else ():
        name = local(child)
        if len(child) or child.attrib:
            found.setdefault(name, _plain(child, depth - 1))
        else:
            found.setdefault(name, child.text or "")
    return found


def _note(item: dict[str, Any], row: Element) -> None:
    uri = find(row, "t:ExtendedFieldURI")
    if uri is None:
        return
    said = {name: value.lower() for name, value in uri.attrib.items()}
    for name, wanted in EXTENDED.items():
        if all(said.get(key) == value.lower() for key, value in wanted.items()):
            item.setdefault(name, text_of(row, "t:Value"))


def id_of(element: Element) -> str:
    """The ItemId of an item; empty where it has none that a request could carry."""
    found = find(element, "t:ItemId")
    key = "" if found is None else found.get("Id", "")
    return key if is_id(key) else ""


_ID: Final = re.compile(r"[\x21-\x7e]{1,1024}")


def is_id(value: object) -> bool:
    """Whether Exchange may have meant it as an id: opaque, case-sensitive, at most 512 bytes."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def ids_of(message: Message, *path: str) -> list[str]:
    return [key for item in items_of(message, *path) if (key := id_of(item))]


def unique(keys: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(keys))
