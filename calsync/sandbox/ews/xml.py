"""XML in and out. In: a hardened parser, into plain values. Out: a writer that escapes.

EWS schemas are sequences: a writer of a type lists its members in the order of the schema
(types.xsd, messages.xsd of Exchange).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"
# IIS lets no larger request through to EWS (maxAllowedContentLength of its web.config, rounded).
MOST_BYTES = 64 * 1024 * 1024
MOST_DEPTH = 100
MOST_NODES = 100_000
# What XML 1.0 cannot carry at all.
_SPECIAL = re.compile("[&<>\r]|[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class BadXml(ValueError):
    """A request that is no XML, or XML that nobody should read."""


@dataclass(slots=True)
class Node:
    """One element: local name, namespace, attributes, own text, children, line in the request."""

    name: str
    space: str
    attrs: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    kids: list[Node] = field(default_factory=list)
    line: int = 0

    def find(self, *path: str) -> Node | None:
        """The first element at a path of local names below this one."""
        found: Node | None = self
        for name in path:
            found = next((one for one in found.kids if one.name == name), None) if found else None
        return found

    def all(self, name: str) -> list[Node]:
        """Children of that name."""
        return [one for one in self.kids if one.name == name]

    def said(self, *path: str) -> str | None:
        """Text of the element at a path; None where there is none."""
        found = self.find(*path)
        return None if found is None else found.text

    def walk(self) -> Iterator[Node]:
        """This element and all below it."""
        yield self
        for one in self.kids:
            yield from one.walk()


def parse(body: bytes) -> Node:
    """Read a document. Raises BadXml for what is malformed, too large or too deep, and for any
    document type: entities are neither expanded nor fetched, since there can be none."""
    if len(body) > MOST_BYTES:
        raise BadXml(f"The request is larger than {MOST_BYTES} bytes.")
    # In any encoding that keeps ASCII apart by zero bytes at most (UTF-8, UTF-16, UTF-32).
    plain = body.replace(b"\0", b"") if b"\0" in body else body
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise BadXml("For security reasons DTD is prohibited in this XML document.")
    if plain.count(b"<") > 2 * MOST_NODES:  # so many tags are not read at all
        raise BadXml("The document has too many elements.")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadXml(str(error)[:300]) from None
    if root is None or root.getroottree().docinfo.internalDTD is not None:
        raise BadXml("For security reasons DTD is prohibited in this XML document.")
    budget = [MOST_NODES]
    return _read(root, 0, budget)


def _read(element: etree._Element, depth: int, budget: list[int]) -> Node:
    budget[0] -= 1
    if depth > MOST_DEPTH or budget[0] < 0:
        raise BadXml("The document is nested too deeply, or has too many elements.")
    space, name = _split(str(element.tag))
    made = Node(
        name,
        space,
        {_split(str(key))[1]: str(value) for key, value in element.attrib.items()},
        element.text or "",
        line=element.sourceline or 0,
    )
    for one in element:
        if not isinstance(one.tag, str):  # an entity reference that was left as it stands
            raise BadXml("References to entities are not allowed.")
        made.kids.append(_read(one, depth + 1, budget))
    return made


def _split(tag: str) -> tuple[str, str]:
    if tag.startswith("{"):
        space, _, name = tag[1:].partition("}")
        return space, name
    return "", tag


class Markup(str):
    """Text that is XML already."""

    __slots__ = ()


Part = str | Markup | bool | int | None


def escape(text: str) -> str:
    """Text for an element or an attribute; what XML cannot carry is left out."""
    if _SPECIAL.search(text) is None:
        return text
    text = _ILLEGAL.sub("", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#xD;")


def tag(prefix: str, name: str, parts: tuple[Part, ...], attrs: Mapping[str, Part]) -> Markup:
    """One element. None among its parts or attributes is left out; truth is true or false."""
    head = f"{prefix}:{name}"
    for key, value in attrs.items():
        if value is not None:
            text = escape(_plain(value)).replace('"', "&quot;")
            head += f' {key}="{text}"'
    inner = ""
    for one in parts:
        if one.__class__ is Markup:
            inner += one
        elif one is not None:
            inner += escape(_plain(one))
    return Markup(f"<{head}>{inner}</{prefix}:{name}>" if inner else f"<{head}/>")


def _plain(value: Part) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def t(name: str, *parts: Part, **attrs: Part) -> Markup:
    """An element of the types namespace."""
    return tag("t", name, parts, attrs)


def m(name: str, *parts: Part, **attrs: Part) -> Markup:
    """An element of the messages namespace."""
    return tag("m", name, parts, attrs)


def maybe(name: str, value: Part) -> Markup | None:
    """An element of the types namespace, or nothing where there is no value."""
    return None if value is None else tag("t", name, (value,), {})


def again(node: Node) -> Markup:
    """An element of the types namespace as it was read."""
    inner: tuple[Part, ...] = tuple(again(one) for one in node.kids) or (node.text,)
    return tag("t", node.name, inner, node.attrs)
