"""Items: GetItem, CreateItem, UpdateItem, DeleteItem, MoveItem, CopyItem."""

from __future__ import annotations

from dataclasses import replace

from .. import copies
from ..problems import Refusal, bad_request
from . import inbox, mail, resolve, respond, shape, write
from .batch import each
from .call import Call, attr, need, one_of, refused, response, schema, success, truth
from .log import Done, written
from .resolve import Target
from .store import Folder, Store
from .xml import Markup, Node, m, t

DISPOSITIONS = ("SaveOnly", "SendOnly", "SendAndSaveCopy")


def get(call: Call) -> Markup:
    """GetItem."""
    wanted = shape.read(need(call.body, "ItemShape"))

    def work(node: Node) -> Markup:
        found = resolve.item(call, node)
        return success("GetItem", m("Items", shape.render(found.view(call), wanted)))

    return response("GetItem", each(call, _ids(call), work))


def _ids(call: Call, name: str = "ItemIds") -> list[Node]:
    ids = need(call.body, name)
    if not ids.kids:
        raise schema(f"The element '{name}' has incomplete content.", ids)
    return ids.kids


def create(call: Call) -> Markup:
    """CreateItem: items, and the response objects that answer a meeting."""
    disposition = call.body.attrs.get("MessageDisposition")
    if disposition is not None:
        one_of(call.body, disposition, DISPOSITIONS)
    said = call.body.find("SavedItemFolderId")
    items = need(call.body, "Items")
    if not items.kids:
        raise schema("The element 'Items' has incomplete content.", items)

    def work(node: Node) -> Markup:
        if node.name in respond.NAMES:
            shown = respond.respond(call, node, disposition)
            return success("CreateItem", m("Items", *shown))
        if node.name == "CalendarItem":
            store, folder = _saved(call, said, "calendar")
            made = write.create(call, store, folder, node)
        else:
            default = "sentitems" if disposition == "SendAndSaveCopy" else "drafts"
            store, folder = _saved(call, said, mail.HOMES.get(node.name, default))
            kept = mail.create(call, store, folder, node, disposition)
            if kept is None:
                return success("CreateItem", m("Items"))
            made = kept
        return success("CreateItem", m("Items", shape.bare(made.view(call))))

    answer = response("CreateItem", each(call, items.kids, work))
    if call.flags.get("without_tag"):
        call.flags["broken_after"] = True
    return answer


def _saved(call: Call, said: Node | None, default: str) -> tuple[Store, Folder]:
    """The folder to save in; without one, the caller's own of that kind."""
    if said is None or not said.kids:
        said = Node(
            "SavedItemFolderId", "", kids=[Node("DistinguishedFolderId", "", {"Id": default})]
        )
    return resolve.folder(call, said.kids[0])


def update(call: Call) -> Markup:
    """UpdateItem."""
    attr(call.body, "ConflictResolution")
    disposition = call.body.attrs.get("MessageDisposition")
    if disposition is not None:
        one_of(call.body, disposition, DISPOSITIONS)

    def work(node: Node) -> Markup:
        if not node.kids:
            raise schema("The element 'ItemChange' has incomplete content.", node)
        target = resolve.item(call, node.kids[0], fresh=True)
        if target.view(call).is_calendar:
            made = write.update(call, target, node)
        else:
            made = mail.update(call, target, node)
        items = m("Items", shape.bare(made.view(call)))
        return success("UpdateItem", items, m("ConflictResults", t("Count", 0)))

    return response("UpdateItem", each(call, _ids(call, "ItemChanges"), work))


def delete(call: Call) -> Markup:
    """DeleteItem."""
    how = one_of(call.body, attr(call.body, "DeleteType"), write.DISPOSALS)

    def work(node: Node) -> Markup:
        target = resolve.item(call, node, fresh=True)
        if target.view(call).is_calendar and target.folder.is_calendar:
            write.delete(call, target)
        else:
            call.world.drop(target.box, target.item.key)
            if target.folder.special != "deleteditems":
                write.keep(call, target.store, target.box, how, target.item)
        return success("DeleteItem")

    return response("DeleteItem", each(call, _ids(call), work))


def move(call: Call) -> Markup:
    """MoveItem: a copy under another id, and the original gone. No message to anybody."""
    return _shift(call, "MoveItem")


def copy(call: Call) -> Markup:
    """CopyItem: a calendar item becomes an appointment of its own."""
    return _shift(call, "CopyItem")


def _shift(call: Call, name: str) -> Markup:
    into = need(call.body, "ToFolderId")
    if not into.kids:
        raise schema("The element 'ToFolderId' has incomplete content.", into)
    told = call.body.find("ReturnNewItemIds")
    tell = told is None or truth(told, told.text)

    def work(node: Node) -> Markup:
        store, folder = resolve.folder(call, into.kids[0])
        source = resolve.item(call, node, fresh=True)
        if source.day is not None:
            raise bad_request(
                "An occurrence cannot be moved or copied.",
                "ErrorCalendarCannotMoveOrCopyOccurrence",
            )
        if store is not source.store:
            raise Refusal(400, "ErrorCrossMailboxMoveCopy", "Items cannot leave their mailbox.")
        made = _moved(call, source, folder) if name == "MoveItem" else _copied(call, source, folder)
        return success(name, m("Items", shape.bare(made.view(call)) if tell else None))

    return response(name, each(call, _ids(call), work))


def _moved(call: Call, source: Target, folder: Folder) -> Target:
    world = call.world
    if folder.key == source.folder.key:
        moved = source.box.move(source.item.key, world.tick())
        return Target(source.store, folder, moved, None)

    def make() -> Done:
        world.drop(source.box, source.item.key)
        made = write.shift(call, source.store, source.box, source.item, folder)
        return Done(source.box, made, None, ("moved",))

    done = written(call, "move", make)
    return Target(source.store, folder, done.item, None)


def _copied(call: Call, source: Target, folder: Folder) -> Target:
    world = call.world
    if not source.view(call).is_calendar:
        made = world.put(folder.drawer, replace(source.item, key=world.new_key(), created=0))
        return Target(source.store, folder, made, None)

    def make() -> Done:
        return Done(folder.drawer, copies.copy(world, source.found(), folder.drawer, None))

    return Target(source.store, folder, written(call, "copy", make).item, None)


def send(call: Call) -> Markup:
    """SendItem: a draft goes out, and into Sent Items where a copy is wanted."""
    saved = truth(call.body, attr(call.body, "SaveItemToFolder"))
    into = call.body.find("SavedItemFolderId")
    if into is not None and not saved:
        raise bad_request("A folder without saving.", "ErrorInvalidSendItemSaveSettings")

    def work(node: Node) -> Markup:
        target = resolve.item(call, node, fresh=True)
        if target.key is None:
            raise bad_request("A change key is required.", "ErrorChangeKeyRequired")
        if target.view(call).is_calendar:
            raise bad_request("It is no message.", "ErrorInvalidItemForOperationSendItem")
        mail.send(call, target)
        call.world.drop(target.box, target.item.key)
        if saved:
            store, folder = _saved(call, into, "sentitems")
            sent = replace(target.item, props={**target.item.props, "isDraft": False})
            write.shift(call, store, target.box, sent, folder)
        return success("SendItem")

    return response("SendItem", each(call, _ids(call), work))


def mark_read(call: Call) -> Markup:
    """MarkAllItemsAsRead."""
    said = need(call.body, "ReadFlag")
    flag = truth(said, said.text)
    rows = []
    for node in resolve.at_least_one(need(call.body, "FolderIds")):
        try:
            store, folder = resolve.folder(call, node)
        except Refusal as refusal:
            rows.append(refused("MarkAllItemsAsRead", refusal))
            continue
        inbox.fill(call, store, folder)
        for item in list(folder.drawer.items.values()):
            if "itemClass" in item.props and item.props.get("isRead") is not flag:
                call.world.put(folder.drawer, replace(item, props={**item.props, "isRead": flag}))
        rows.append(success("MarkAllItemsAsRead"))
    return response("MarkAllItemsAsRead", rows)
