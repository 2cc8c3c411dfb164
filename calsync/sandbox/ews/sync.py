"""SyncFolderItems and SyncFolderHierarchy: what changed since a SyncState.

No calendar logic: single items and masters only; a change of one instance shows as an Update of its
master; a Delete says an ItemId and nothing else (EWS docs, mailbox synchronization).
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..graph.render import change_key
from ..items import Item
from ..mailbox import Mailbox
from ..problems import Refusal
from . import folders, inbox, resolve, shape
from .call import Call, need, one_of, refused, response, schema, success, whole
from .resolve import stored_item
from .shape import Shape
from .store import Folder, Store, item_id
from .view import view_of
from .xml import Markup, m, t

if TYPE_CHECKING:
    from .front import EwsFront

ROUNDS_KEPT = 256


@dataclass(frozen=True, slots=True)
class Ref:
    """One entry of a round: kind (Create, Update, Delete), key, and the folder number of an id
    that is gone."""

    kind: str
    key: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """What a first call or a follow-up found; further pages are read from it."""

    refs: tuple[Ref, ...]
    until: int


@dataclass(slots=True)
class Rounds:
    """Rounds that are still being paged through. A state can be used again with the same result."""

    kept: OrderedDict[str, Round] = field(default_factory=OrderedDict)
    serial: int = 0

    def keep(self, current: Round) -> str:
        """Keep a round; its name."""
        self.serial += 1
        name = str(self.serial)
        self.kept[name] = current
        while len(self.kept) > ROUNDS_KEPT:
            self.kept.popitem(last=False)
        return name


def bad_state(message: str = "The synchronization state data is invalid.") -> Refusal:
    """The state is to be dropped, and everything read anew."""
    return Refusal(400, "ErrorInvalidSyncStateData", message)


def items(call: Call) -> Markup:
    """SyncFolderItems."""
    body = call.body
    wanted = shape.read(need(body, "ItemShape"), listed=True)
    parent = need(body, "SyncFolderId")
    if not parent.kids:
        raise schema("The element 'SyncFolderId' has incomplete content.", parent)
    most = need(body, "MaxChangesReturned")
    size = whole(most, most.text, 1, 512)
    scope = body.find("SyncScope")
    if scope is not None:
        one_of(scope, scope.text.strip(), ("NormalItems", "NormalAndAssociatedItems"))
    try:
        store, folder = resolve.folder(call, parent.kids[0])
        inbox.fill(call, store, folder)
        ignored = body.find("Ignore")
        skip = {one.attrs.get("Id") for one in ignored.kids} if ignored is not None else set()
        made = _items(call, store, folder, wanted, size, skip)
    except Refusal as refusal:
        made = refused("SyncFolderItems", refusal)
    return response("SyncFolderItems", [made])


def _items(
    call: Call, store: Store, folder: Folder, wanted: Shape, size: int, skip: set[str | None]
) -> Markup:
    box, flags = folder.drawer, call.flags
    said = (call.body.said("SyncState") or "").strip()
    if flags.get("bad_state") and said:
        raise bad_state()
    offset = 0
    if not said:
        current = _first(call, box)
    else:
        since, name, offset = _read(box, said)
        if name:
            found = call.front.rounds.kept.get(name)
            if found is None:
                raise bad_state()
            current = found
        else:
            current = _follow_up(call, box, since)
    refs = current.refs[offset : offset + size]
    if flags.get("short_page") and len(refs) > 1:
        refs = refs[: len(refs) // 2]
    after = offset + len(refs)
    last = after >= len(current.refs)
    rows = [
        row for ref in refs if (row := _row(call, store, folder, ref, wanted, skip)) is not None
    ]
    if flags.get("empty_list"):
        rows, last = [], True
    if flags.get("same_cursor") and said:
        state = said
    elif last:
        state = _write(box, current.until, "", 0)
    else:
        # The name of a round that was kept before stays, so that a page can be read twice.
        name = _kept(call.front, current)
        state = _write(box, current.until, name, after)
    return success(
        "SyncFolderItems",
        m("SyncState", state),
        m("IncludesLastItemInRange", last),
        m("Changes", *rows),
    )


def _kept(front: EwsFront, current: Round) -> str:
    for name, one in front.rounds.kept.items():
        if one is current:
            return name
    return front.rounds.keep(current)


def _visible(call: Call, box: Mailbox) -> int:
    lag = call.world.switches.delta_lag_s
    return box.seq if lag <= 0 else box.seq_at(call.world.tick() - int(lag * 10_000_000))


def _first(call: Call, box: Mailbox) -> Round:
    """Everything, newest first (since Exchange 2010 SP2)."""
    found = sorted(box.items.values(), key=lambda one: one.change, reverse=True)
    if call.flags.get("lossy_list") or call.flags.get("thin"):
        # The same ones that a thin copy of the mailbox has (resolve.stored_item).
        place = {key: number for number, key in enumerate(box.items)}
        found = [item for item in found if place[item.key] % 10 == 0]
    refs = [Ref("Create", item.key) for item in found]
    if call.flags.get("out_of_order"):
        call.world.noise.shuffle(refs)
    return Round(tuple(refs), _visible(call, box))


def _follow_up(call: Call, box: Mailbox, since: int) -> Round:
    flags, known = call.flags, since
    if flags.get("replay"):
        since = max(0, since - 10)
    until = max(since, _visible(call, box))
    refs: list[Ref] = []
    if flags.get("false_removed"):
        living = (item for number, item in enumerate(box.items.values()) if number % 10)
        refs += [Ref("Delete", item.key, item.folder) for item in living]
    for key in box.changed_since(since, until):
        refs += _changed(box, key, since, known)
    if call.world.switches.delta_repeats:
        refs = [*refs, *refs]
    if flags.get("out_of_order"):
        call.world.noise.shuffle(refs)
    return Round(tuple(refs), until)


def _changed(box: Mailbox, key: str, since: int, known: int) -> list[Ref]:
    """``known``: up to where the client's state goes, though more may be told again."""
    item = box.items.get(key)
    gone = [Ref("Delete", key, number) for seq, number in box.moved.get(key, ()) if seq > since]
    if item is None:
        dead = box.tombs.get(key)
        if dead is None or _born(box, dead) > known:
            return []  # came and went between two calls
        return gone or [Ref("Delete", key, dead.folder)]
    if gone:
        return [*gone, Ref("Create", key)]
    return [Ref("Create" if _born(box, item) > since else "Update", key)]


def _born(box: Mailbox, item: Item) -> int:
    """Change number at which an item came into the folder."""
    return box.seq_at(item.created) if item.created else item.change


def _row(
    call: Call, store: Store, folder: Folder, ref: Ref, wanted: Shape, skip: set[str | None]
) -> Markup | None:
    box = folder.drawer
    if ref.kind == "Delete":
        known = box.items.get(ref.key) or box.tombs.get(ref.key)
        if known is None:
            return None
        shown = replace(known, folder=ref.number or known.folder)
        return t("Delete", t("ItemId", Id=item_id(box, shown), ChangeKey=change_key(box, known)))
    item = stored_item(call, folder, ref.key) if call.flags else box.items.get(ref.key)
    if item is None:
        return None  # deleted since the round began: the next one says so
    if skip and item_id(box, item) in skip:
        return None
    if ref.kind == "Update" and _only_read(box, item):
        ident = t("ItemId", Id=item_id(box, item), ChangeKey=change_key(box, item))
        return t("ReadFlagChange", ident, t("IsRead", bool(item.props.get("isRead"))))
    return t(ref.kind, shape.render(view_of(call, store, folder, item), wanted))


def _only_read(box: Mailbox, item: Item) -> bool:
    """Whether the last write of a message changed its read flag and nothing else."""
    _, old = box.previous.get(item.key, (0, None))
    if old is None or "isRead" not in item.props:
        return False
    before, after = dict(old.props), dict(item.props)
    return before.pop("isRead", None) != after.pop("isRead") and before == after


def _write(box: Mailbox, since: int, name: str, offset: int) -> str:
    text = json.dumps(["i", box.tag, box.epoch, since, name, offset], separators=(",", ":"))
    return b64encode(text.encode()).decode()


def _read(box: Mailbox, state: str) -> tuple[int, str, int]:
    parts = _parts(state, "i", box.tag, 6)
    if parts[2] != box.epoch or parts[3] > box.seq:
        raise bad_state()
    return parts[3], str(parts[4]), int(parts[5])


def _parts(state: str, kind: str, tag: str, count: int) -> list[int]:
    try:
        parts = json.loads(b64decode(state, validate=True))
    except (binascii.Error, ValueError, UnicodeError):
        raise bad_state() from None
    if not isinstance(parts, list) or len(parts) != count or parts[:2] != [kind, tag]:
        raise bad_state()
    if not all(isinstance(one, int) for one in parts[2:4]):
        raise bad_state()
    return parts


# -- folders --------------------------------------------------------------------------------


def hierarchy(call: Call) -> Markup:
    """SyncFolderHierarchy: folders below one, by default below the root."""
    body = call.body
    wanted = folders.read_shape(call, need(body, "FolderShape"))
    said = body.find("SyncFolderId")
    try:
        if said is not None and said.kids:
            store, top = resolve.folder(call, said.kids[0])
        elif call.box is not None:
            store = call.front.stores.of(call.box)
            top = store.named("msgfolderroot")
        else:
            raise Refusal(400, "ErrorMissingEmailAddress", "Say whose folders are meant.")
        made = _folders(call, store, top, wanted)
    except Refusal as refusal:
        made = refused("SyncFolderHierarchy", refusal)
    return response("SyncFolderHierarchy", [made])


def _folders(call: Call, store: Store, top: Folder, wanted: folders.FolderShape) -> Markup:
    state = (call.body.said("SyncState") or "").strip()
    since = 0
    if state:
        parts = _parts(state, "h", store.box.tag, 4)
        since = parts[2]
        if parts[3] != store.box.epoch or since > len(store.log):
            raise bad_state()
    below = {one.key for one in store.below(top.key)}
    rows: list[Markup] = []
    seen_before = {key for kind, key in store.log[:since] if kind == "put"}
    gone_before = {key for kind, key in store.log[:since] if kind == "drop"}
    for key in dict.fromkeys(key for _, key in store.log[since:]):
        known = key in seen_before and key not in gone_before
        if key in store.folders:
            if key in below:
                shown = folders.render(store, store.folders[key], wanted)
                rows.append(t("Update" if known else "Create", shown))
        elif known:
            rows.append(t("Delete", t("FolderId", Id=store.key_id(key))))
    text = json.dumps(["h", store.box.tag, len(store.log), store.box.epoch], separators=(",", ":"))
    return success(
        "SyncFolderHierarchy",
        m("SyncState", b64encode(text.encode()).decode()),
        m("IncludesLastFolderInRange", True),
        m("Changes", *rows),
    )
