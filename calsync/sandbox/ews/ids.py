"""ConvertId: one id in the forms that Exchange's protocols have for it."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from urllib.parse import quote, unquote

from ..problems import Refusal, malformed_id
from . import store
from .batch import each
from .call import Call, attr, need, one_of, response, schema, success
from .xml import Markup, Node, tag

FORMATS = ("EwsLegacyId", "EwsId", "EntryId", "HexEntryId", "StoreId", "OwaId")
XSI = "http://www.w3.org/2001/XMLSchema-instance"
_STORE = b"\x00\x00\x00\x00store"


def convert(call: Call) -> Markup:
    """ConvertId."""
    wanted = one_of(call.body, attr(call.body, "DestinationFormat"), FORMATS)
    rows = need(call.body, "SourceIds")
    if not rows.kids:
        raise schema("The element 'SourceIds' has incomplete content.", rows)

    def work(node: Node) -> Markup:
        if node.name != "AlternateId":
            raise Refusal(400, "ErrorUnsupportedTypeForConversion", "Public folders are not here.")
        source = one_of(node, attr(node, "Format"), FORMATS)
        address = attr(node, "Mailbox")
        plain = _read(source, attr(node, "Id"))
        store.take_apart("AAMk" + b64encode(plain).decode())
        attrs = {
            "xmlns:xsi": XSI,
            "xsi:type": "t:AlternateIdType",
            "Format": wanted,
            "Id": _write(wanted, plain),
            "Mailbox": address,
        }
        return success("ConvertId", tag("m", "AlternateId", (), attrs))

    return response("ConvertId", each(call, rows.kids, work))


def _read(form: str, text: str) -> bytes:
    try:
        if form == "HexEntryId":
            return bytes.fromhex(text)
        if form == "OwaId":
            form, text = "EwsId", unquote(text).replace("-", "/").replace("_", "+")
        if form in ("EwsId", "EwsLegacyId"):
            if not text.startswith("AAMk"):
                raise malformed_id()
            return b64decode(text[4:].replace("-", "+").replace("_", "/"), validate=True)
        plain = b64decode(text, validate=True)
        return plain.removeprefix(_STORE)
    except (binascii.Error, ValueError):
        raise malformed_id() from None


def _write(form: str, plain: bytes) -> str:
    if form == "HexEntryId":
        return plain.hex().upper()
    if form == "EntryId":
        return b64encode(plain).decode()
    if form == "StoreId":
        return b64encode(_STORE + plain).decode()
    text = "AAMk" + b64encode(plain).decode()
    return quote(text, safe="") if form == "OwaId" else text
