"""Checks EWS traffic against Microsoft's own schema, by the rules of the shared notes.

The schema stays outside the repository (see csdl.py). ``check(request, response)`` answers a list
of faults; an empty list is a pass. ``Recorder`` checks every exchange of the sandbox's EWS front
while it is in place: one is, in all tests (tests/conftest.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from lxml import etree

from calsync.sandbox import Response
from calsync.sandbox.ews.front import EwsFront
from calsync.sandbox.graph.request import Stream
from tests.fidelity.csdl import shared_folder

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
TYPES = "{http://schemas.microsoft.com/exchange/services/2006/types}"
# Header elements that the schema knows; others a server passes over.
HEADERS = {
    "RequestServerVersion", "ExchangeImpersonation", "TimeZoneContext", "ServerVersionInfo",
    "MailboxCulture", "DateTimePrecision", "ManagementRole",
}  # fmt: skip
REFUSED = ("ErrorSchemaValidation", "ErrorInvalidServerVersion", "ErrorInvalidRequest")


def schema_file() -> Path | None:
    """messages.xsd of Exchange, or None."""
    folder = shared_folder()
    found = folder / "schemas" / "ews" / "messages.xsd" if folder else None
    return found if found is not None and found.is_file() else None


@lru_cache(maxsize=1)
def schema() -> Any:
    path = schema_file()
    assert path is not None
    return etree.XMLSchema(etree.parse(str(path)))


def parse(body: bytes) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    return etree.fromstring(body, parser)


def envelope_faults(body: bytes) -> list[str]:
    """What the schema says against an envelope: the children of its header and of its body."""
    root = parse(body)
    found: list[str] = []
    head, inner = root.find(f"{SOAP}Header"), root.find(f"{SOAP}Body")
    for one in head if head is not None else ():
        if one.tag.startswith(TYPES) and one.tag.removeprefix(TYPES) in HEADERS:
            found += _element(one)
    if inner is None or len(inner) != 1:
        return [*found, "a body without one element"]
    if inner[0].tag == f"{SOAP}Fault":
        return [*found, *_fault(inner[0])]
    return found + _element(inner[0])


def _element(node: Any) -> list[str]:
    # Alone, as the schema knows it: without the envelope around it.
    alone = etree.fromstring(etree.tostring(node))
    if schema().validate(alone):
        return []
    return [f"{etree.QName(node).localname}: {schema().error_log[0].message[:300]}"]


def _fault(node: Any) -> list[str]:
    """A SOAP fault is not in the schema: it needs a code of its enumeration, and a text."""
    found = []
    errors = "{http://schemas.microsoft.com/exchange/services/2006/errors}"
    code = node.findtext(f"detail/{errors}ResponseCode") or ""
    if code not in codes():
        found.append(f"a fault with the code {code!r}")
    if not node.findtext("faultstring"):
        found.append("a fault without a text")
    return found


@lru_cache(maxsize=1)
def codes() -> frozenset[str]:
    """ResponseCodeType."""
    xsd = "{http://www.w3.org/2001/XMLSchema}"
    root = etree.parse(str(schema_file())).getroot()
    kind = root.find(f"{xsd}simpleType[@name='ResponseCodeType']")
    return frozenset(one.get("value") for one in kind.iter(f"{xsd}enumeration"))


def check(request: bytes, response: Response, *, spoiled: bool = False) -> list[str]:
    """Both halves of an exchange. A request that the sandbox refused for its form need not be of
    that form; one that it took must be."""
    if response.fate == "drop" or spoiled or not response.body.startswith(b"<?xml"):
        answer_code = None if response.status != 200 else ""
    else:
        found = [f"answer, {fault}" for fault in envelope_faults(response.body)]
        if found:
            return found
        answer_code = _code(response.body)
    if answer_code is None or answer_code in REFUSED:
        return []
    try:
        return [f"request, {fault}" for fault in envelope_faults(request)]
    except etree.XMLSyntaxError as error:
        return [f"request, {error}"]


def _code(body: bytes) -> str:
    root = parse(body)
    errors = "{http://schemas.microsoft.com/exchange/services/2006/errors}"
    found: str | None = root.findtext(f"{SOAP}Body/{SOAP}Fault/detail/{errors}ResponseCode")
    return found or ""


class _Judged:
    """A stream whose every document is looked at."""

    def __init__(self, stream: Stream, recorder: Recorder) -> None:
        self.stream, self.recorder = stream, recorder

    def poll(self) -> tuple[bytes, bool]:
        chunk, last = self.stream.poll()
        if chunk and schema_file() is not None:
            self.recorder.faults += envelope_faults(chunk)
        return chunk, last

    def close(self) -> None:
        self.stream.close()


class Recorder:
    """Stands before EwsFront.handle and judges what goes through."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.checked = 0
        self._real = EwsFront.handle

    def install(self, monkeypatch: Any) -> None:
        real, recorder = self._real, self

        def handle(
            front: EwsFront, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
        ) -> Response:
            response = real(front, method, target, headers, body)
            recorder.see(front, body, response)
            if response.stream is not None:
                response.stream = _Judged(response.stream, recorder)
            return response

        monkeypatch.setattr(EwsFront, "handle", handle)

    def see(self, front: EwsFront, body: bytes, response: Response) -> None:
        if not body or schema_file() is None:
            return
        spoiled = bool(front.graph.calls and "faults" in front.graph.calls[-1])
        self.checked += 1
        self.faults += check(body, response, spoiled=spoiled)
