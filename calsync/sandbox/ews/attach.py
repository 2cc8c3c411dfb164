"""CreateAttachment, GetAttachment, DeleteAttachment: files, small ones."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any

from ..problems import Refusal, bad_request
from . import resolve
from .batch import each
from .call import Call, attr, need, response, schema, success, truth
from .log import Done, written
from .resolve import Target
from .view import View
from .xml import Markup, Node, m, t

MOST_BYTES = 10 * 1024 * 1024


def _all(item_props: dict[str, Any] | Any) -> tuple[dict[str, Any], ...]:
    found: tuple[dict[str, Any], ...] = item_props.get("attachments") or ()
    return found


def _ident(target_id: str, number: int) -> str:
    """An id of its own kind that leads to the item."""
    return "AAMkAT" + b64encode(f"{number}:{target_id}".encode()).decode()


def show(view: View) -> Markup | None:
    """Attachments of an item, without their content."""
    rows = [_file(view.id, one, content=False) for one in _all(view.item.props)]
    return t("Attachments", *rows) if rows else None


def _file(item_id: str, one: dict[str, Any], *, content: bool) -> Markup:
    return t(
        "FileAttachment",
        t("AttachmentId", Id=_ident(item_id, one["number"])),
        t("Name", one["name"]),
        t("ContentType", one["type"]) if one["type"] else None,
        t("ContentId", one["cid"]) if one["cid"] else None,
        t("Size", len(one["content"])),
        t("IsInline", one["inline"]),
        t("IsContactPhoto", False),
        t("Content", b64encode(one["content"]).decode()) if content else None,
    )


def create(call: Call) -> Markup:
    """CreateAttachment. Every one gives the item another ChangeKey."""
    parent = need(call.body, "ParentItemId")
    rows = need(call.body, "Attachments")
    if not rows.kids:
        raise schema("The element 'Attachments' has incomplete content.", rows)

    def work(node: Node) -> Markup:
        target = resolve.item(call, parent, fresh=True)
        if node.name != "FileAttachment":
            raise bad_request(
                "Only files can be attached here.",
                "ErrorInvalidItemForOperationCreateItemAttachment",
            )
        number = 1 + max((one["number"] for one in _all(target.item.props)), default=0)
        made = _read(node, number)
        item = _put(call, target, (*_all(target.item.props), made))
        view = Target(target.store, target.folder, item.item, None).view(call)
        shown = t(
            "FileAttachment",
            t(
                "AttachmentId",
                Id=_ident(view.id, number),
                RootItemId=view.id,
                RootItemChangeKey=view.change_key,
            ),
        )
        return success("CreateAttachment", m("Attachments", shown))

    return response("CreateAttachment", each(call, rows.kids, work))


def _read(node: Node, number: int) -> dict[str, Any]:
    inline = node.find("IsInline")
    try:
        content = b64decode("".join((node.said("Content") or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise schema("The 'Content' element is invalid - it is no Base64Binary.", node) from None
    if len(content) > MOST_BYTES:
        raise bad_request("The file is too large.", "ErrorAttachmentSizeLimitExceeded")
    return {
        "number": number,
        "name": node.said("Name") or "",
        "type": node.said("ContentType") or "",
        "cid": node.said("ContentId") or "",
        "inline": inline is not None and truth(inline, inline.text),
        "content": content,
    }


def _put(call: Call, target: Target, rows: tuple[dict[str, Any], ...]) -> Done:
    if target.day is not None:
        raise bad_request("An occurrence has those of its series.", "ErrorInvalidOperation")

    def make() -> Done:
        props = {**target.item.props, "attachments": rows, "hasAttachments": bool(rows)}
        made = call.world.put(target.box, replace(target.item, props=props))
        return Done(target.box, made, None, ("attachments",))

    return written(call, "update", make)


def _found(call: Call, node: Node) -> tuple[Target, dict[str, Any]]:
    text = attr(node, "Id")
    wrong = Refusal(400, "ErrorInvalidAttachmentId", "The attachment id is invalid.")
    if not text.startswith("AAMkAT"):
        raise wrong
    try:
        number, _, ident = b64decode(text[6:], validate=True).decode().partition(":")
    except (binascii.Error, ValueError, UnicodeError):
        raise wrong from None
    target = resolve.item(call, Node("ItemId", "", {"Id": ident}), fresh=True)
    for one in _all(target.item.props):
        if str(one["number"]) == number:
            return target, one
    raise Refusal(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def get(call: Call) -> Markup:
    """GetAttachment, with the content."""

    def work(node: Node) -> Markup:
        target, one = _found(call, node)
        shown = _file(target.view(call).id, one, content=True)
        return success("GetAttachment", m("Attachments", shown))

    ids = resolve.at_least_one(need(call.body, "AttachmentIds"))
    return response("GetAttachment", each(call, ids, work))


def delete(call: Call) -> Markup:
    """DeleteAttachment."""

    def work(node: Node) -> Markup:
        target, gone = _found(call, node)
        rows = tuple(one for one in _all(target.item.props) if one is not gone)
        item = _put(call, target, rows)
        view = Target(target.store, target.folder, item.item, None).view(call)
        root = m("RootItemId", RootItemId=view.id, RootItemChangeKey=view.change_key)
        return success("DeleteAttachment", root)

    ids = resolve.at_least_one(need(call.body, "AttachmentIds"))
    return response("DeleteAttachment", each(call, ids, work))
