"""GetFolder, FindFolder, CreateFolder, UpdateFolder, DeleteFolder, MoveFolder, EmptyFolder."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..problems import Refusal, bad_request
from ..world import moment_of
from . import inbox, resolve, restrict, shape, tags
from .batch import each
from .call import Call, attr, need, one_of, response, schema, success, truth, whole
from .order import FOLDER
from .shape import Field
from .store import Folder, Store
from .tags import Path
from .write import DISPOSALS
from .xml import Markup, Node, Part, m, t
from .zones import shown

ELEMENTS = {
    "CalendarFolder": "IPF.Appointment",
    "ContactsFolder": "IPF.Contact",
    "TasksFolder": "IPF.Task",
    "SearchFolder": "IPF.Note",
    "Folder": "IPF.Note",
}
ALL = ("FolderId", "ParentFolderId", "FolderClass", "DisplayName", "TotalCount", "ChildFolderCount")
DEFAULT = ("FolderId", "DisplayName", "TotalCount", "ChildFolderCount")
RIGHTS = t(
    "EffectiveRights",
    t("CreateAssociated", True),
    t("CreateContents", True),
    t("CreateHierarchy", True),
    t("Delete", True),
    t("Modify", True),
    t("Read", True),
    t("ViewPrivateItems", True),
)


@dataclass(slots=True)
class FolderShape:
    """What is answered of a folder."""

    names: set[str] = field(default_factory=set)
    paths: list[Path] = field(default_factory=list)


def read_shape(call: Call, node: Node) -> FolderShape:
    """A FolderShape."""
    base = one_of(node, need(node, "BaseShape").text.strip(), shape.BASES)
    made = FolderShape({"FolderId"})
    if base == "AllProperties":
        made.names |= {*ALL, "EffectiveRights", "UnreadCount", "DistinguishedFolderId"}
    elif base == "Default":
        made.names |= {*DEFAULT, "UnreadCount"}
    wanted = node.find("AdditionalProperties")
    for one in wanted.kids if wanted is not None else ():
        path = shape.read_field(one)
        if isinstance(path, Path):
            made.paths.append(path)
        elif path.space != "folder":
            raise bad_request(
                f"Property is not valid for this object type: {path.space}:{path.name}.",
                "ErrorInvalidPropertyRequest",
            )
        else:
            made.names.add(path.name)
    if not call.since("Exchange2013"):
        made.names.discard("DistinguishedFolderId")
    return made


def element_of(folder: Folder) -> str:
    """Element of a folder, by its class."""
    kind = (folder.kind or "").casefold()
    for name in ("CalendarFolder", "ContactsFolder", "TasksFolder"):
        if kind.startswith(ELEMENTS[name].casefold()):
            return name
    return "SearchFolder" if folder.special == "searchfolders" else "Folder"


def render(store: Store, folder: Folder, wanted: FolderShape) -> Markup:
    """A folder, members in the order of the schema."""
    element = element_of(folder)
    values: dict[str, Markup | None] = {
        "FolderId": t("FolderId", Id=store.folder_id(folder), ChangeKey=store.folder_key(folder)),
        "ParentFolderId": _parent(store, folder),
        "FolderClass": t("FolderClass", folder.kind) if folder.kind else None,
        "DisplayName": t("DisplayName", folder.name),
        "TotalCount": t("TotalCount", len(folder.drawer.items)),
        "ChildFolderCount": t("ChildFolderCount", len(store.children(folder.key))),
        "EffectiveRights": RIGHTS,
        "DistinguishedFolderId": t("DistinguishedFolderId", folder.special)
        if folder.special
        else None,
    }
    parts: list[Part] = []
    for name in FOLDER:
        if name == "ExtendedProperty":
            parts += _extended(store, folder, wanted)
        elif name in wanted.names:
            parts.append(values.get(name))
    if element == "CalendarFolder" and "SharingEffectiveRights" in wanted.names:
        parts.append(t("SharingEffectiveRights", "FullDetails"))
    if "PermissionSet" in wanted.names:
        rows = "CalendarPermissions" if element == "CalendarFolder" else "Permissions"
        parts.append(t("PermissionSet", t(rows)) if element != "SearchFolder" else None)
    if "UnreadCount" in wanted.names and element in ("Folder", "SearchFolder", "TasksFolder"):
        parts.append(t("UnreadCount", unread(folder)))
    return t(element, *parts)


def unread(folder: Folder) -> int:
    """Messages not read yet."""
    return sum(1 for one in folder.drawer.items.values() if one.props.get("isRead") is False)


def _parent(store: Store, folder: Folder) -> Markup:
    above = store.folders.get(folder.parent or "")
    # The root's parent is itself.
    above = above or folder
    return t("ParentFolderId", Id=store.folder_id(above), ChangeKey=store.folder_key(above))


def look(store: Store, folder: Folder, path: Path) -> str | None:
    """An extended property of a folder; those of the store are computed ([MS-OXPROPS])."""
    drawer = folder.drawer
    computed: dict[str, str] = {
        "0x3001": folder.name,
        "0x3613": folder.kind or "",
        "0x3602": str(len(drawer.items)),
        "0x3603": str(unread(folder)),
        "0x360a": "true" if store.children(folder.key) else "false",
        "0x10f4": "false",
        "0x3601": "1",
        "0x670a": shown(moment_of(drawer.last_tick)),
        "0x3008": shown(moment_of(drawer.last_tick)),
        "0x10f3": folder.name,
    }
    value = computed.get(path.where)
    if value is not None:
        return value or None
    tag = folder.tags.get(path.key)
    return None if tag is None else tag[1]


def _extended(store: Store, folder: Folder, wanted: FolderShape) -> list[Part]:
    found: list[Part] = []
    for path in wanted.paths:
        value = look(store, folder, path)
        if value is not None:
            found.append(tags.show(path, value))
    return found


def get(call: Call) -> Markup:
    """GetFolder."""
    wanted = read_shape(call, need(call.body, "FolderShape"))
    ids = need(call.body, "FolderIds")

    def work(node: Node) -> Markup:
        store, folder = resolve.folder(call, node)
        inbox.fill(call, store, folder)
        return success("GetFolder", m("Folders", render(store, folder, wanted)))

    return response("GetFolder", each(call, resolve.at_least_one(ids), work))


def find(call: Call) -> Markup:
    """FindFolder."""
    body = call.body
    traversal = one_of(body, attr(body, "Traversal"), ("Shallow", "Deep", "SoftDeleted"))
    wanted = read_shape(call, need(body, "FolderShape"))
    view = next((one for one in body.kids if one.name.endswith("PageFolderView")), None)
    said = body.find("Restriction")

    def work(node: Node) -> Markup:
        store, parent = resolve.folder(call, node)
        found = store.children(parent.key) if traversal == "Shallow" else store.below(parent.key)
        if traversal == "SoftDeleted":
            found = []
        if said is not None:
            test = restrict.read(said, call.zone, lambda one, path: value(store, one, path))
            found = [one for one in found if test(one)]
        total, first, size = len(found), 0, len(found)
        if view is not None:
            most = view.attrs.get("MaxEntriesReturned")
            size = whole(view, most, 1) if most is not None else total
            if view.name == "IndexedPageFolderView":
                first = whole(view, attr(view, "Offset"), 0)
                if one_of(view, attr(view, "BasePoint"), ("Beginning", "End")) == "End":
                    found = found[::-1]
        page = found[first : first + size]
        rows = t("Folders", *(render(store, one, wanted) for one in page))
        attrs: dict[str, Part] = {"TotalItemsInView": total}
        if view is not None:
            attrs = {"IndexedPagingOffset": first + len(page), **attrs}
        attrs["IncludesLastItemInRange"] = first + len(page) >= total
        return success("FindFolder", m("RootFolder", rows, **attrs))

    parents = need(body, "ParentFolderIds")
    return response("FindFolder", each(call, resolve.at_least_one(parents), work))


def value(store: Store, folder: Folder, path: Field | Path) -> str | int | None:
    """A folder's property, to be compared."""
    if isinstance(path, Path):
        found = look(store, folder, path)
        return int(found) if found is not None and path.kind in ("Integer", "Long") else found
    known: dict[str, str | int | None] = {
        "DisplayName": folder.name,
        "FolderClass": folder.kind,
        "TotalCount": len(folder.drawer.items),
        "ChildFolderCount": len(store.children(folder.key)),
        "UnreadCount": unread(folder),
    }
    return known.get(path.name)


def create(call: Call) -> Markup:
    """CreateFolder."""
    into = need(call.body, "ParentFolderId")
    rows = need(call.body, "Folders")

    def work(node: Node) -> Markup:
        store, parent = resolve.folder(call, resolve.at_least_one(into)[0])
        name = (node.said("DisplayName") or "").strip()
        kind = (node.said("FolderClass") or ELEMENTS.get(node.name, "IPF.Note")).strip()
        if not name:
            raise bad_request("A folder needs a name.", "ErrorFolderSavePropertyError")
        if any(one.name.casefold() == name.casefold() for one in store.children(parent.key)):
            raise Refusal(
                409, "ErrorFolderExists", "A folder with the specified name already exists."
            )
        made = store.add(name, kind, parent.key)
        call.front.stores.register(store, made)
        _tag(node, made)
        return success("CreateFolder", m("Folders", _bare(store, made)))

    return response("CreateFolder", each(call, resolve.at_least_one(rows), work))


def _bare(store: Store, folder: Folder) -> Markup:
    shown_id = t("FolderId", Id=store.folder_id(folder), ChangeKey=store.folder_key(folder))
    return t(element_of(folder), shown_id)


def _tag(node: Node, folder: Folder) -> None:
    for one in node.all("ExtendedProperty"):
        path, text = tags.read_property(one)
        folder.tags[path.key] = (path.name, text)


def update(call: Call) -> Markup:
    """UpdateFolder: its name, and its tags."""
    changes = need(call.body, "FolderChanges")

    def work(node: Node) -> Markup:
        if not node.kids:
            raise schema("The element 'FolderChange' has incomplete content.", node)
        store, folder = resolve.folder(call, node.kids[0])
        for one in need(node, "Updates").kids:
            if one.name != "SetFolderField" or len(one.kids) != 2:
                raise bad_request("Such a change is not possible.", "ErrorInvalidPropertySet")
            name = one.kids[1].said("DisplayName")
            if name is not None:
                folder.name = name.strip() or folder.name
            _tag(one.kids[1], folder)
        store.touch(folder)
        return success("UpdateFolder", m("Folders", _bare(store, folder)))

    return response("UpdateFolder", each(call, resolve.at_least_one(changes), work))


def delete(call: Call) -> Markup:
    """DeleteFolder, with what is in it."""
    one_of(call.body, attr(call.body, "DeleteType"), DISPOSALS)
    ids = need(call.body, "FolderIds")

    def work(node: Node) -> Markup:
        store, folder = resolve.folder(call, node)
        if folder.special:
            raise Refusal(
                400, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted."
            )
        store.remove(folder)
        return success("DeleteFolder")

    return response("DeleteFolder", each(call, resolve.at_least_one(ids), work))


def move(call: Call) -> Markup:
    """MoveFolder."""
    into = need(call.body, "ToFolderId")
    ids = need(call.body, "FolderIds")

    def work(node: Node) -> Markup:
        store, folder = resolve.folder(call, node)
        other, target = resolve.folder(call, resolve.at_least_one(into)[0])
        if folder.special:
            raise Refusal(
                400, "ErrorMoveDistinguishedFolder", "Distinguished folders cannot be moved."
            )
        inside = {one.key for one in store.below(folder.key)} | {folder.key}
        if other is not store or target.key in inside:
            raise bad_request("The folder cannot go there.", "ErrorMoveCopyFailed")
        folder.parent = target.key
        store.touch(folder)
        return success("MoveFolder", m("Folders", _bare(store, folder)))

    return response("MoveFolder", each(call, resolve.at_least_one(ids), work))


def empty(call: Call) -> Markup:
    """EmptyFolder; not of a calendar (ErrorCannotEmptyFolder)."""
    one_of(call.body, attr(call.body, "DeleteType"), DISPOSALS)
    deep = truth(call.body, attr(call.body, "DeleteSubFolders"))
    ids = need(call.body, "FolderIds")

    def work(node: Node) -> Markup:
        store, folder = resolve.folder(call, node)
        if folder.is_calendar or folder.special in ("root", "msgfolderroot", "searchfolders"):
            raise bad_request("The folder cannot be emptied.", "ErrorCannotEmptyFolder")
        for key in list(folder.drawer.items):
            call.world.drop(folder.drawer, key)
        for one in store.children(folder.key) if deep else ():
            store.remove(one)
        return success("EmptyFolder")

    return response("EmptyFolder", each(call, resolve.at_least_one(ids), work))
