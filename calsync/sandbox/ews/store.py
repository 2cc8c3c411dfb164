"""What EWS shows of a mailbox: its folders, and the items in each.

The calendar folder is the world's own mailbox object, the one that the Graph front serves. Every
other folder is a drawer: a mailbox object of the same owner that only EWS knows, with its own tag
(and so ids of its own) and its own numbered changes.
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from ..mailbox import Mailbox
from ..problems import Refusal, malformed_id, not_found

if TYPE_CHECKING:
    from ..items import Item
    from ..world import World

# distinguished name -> (display name, folder class, parent)
_NOTE, _NONE = "IPF.Note", None
DISTINGUISHED: dict[str, tuple[str, str | None, str | None]] = {
    "root": ("", _NONE, None),
    "msgfolderroot": ("Top of Information Store", _NONE, "root"),
    "calendar": ("Calendar", "IPF.Appointment", "msgfolderroot"),
    "contacts": ("Contacts", "IPF.Contact", "msgfolderroot"),
    "conversationhistory": ("Conversation History", _NOTE, "msgfolderroot"),
    "deleteditems": ("Deleted Items", _NOTE, "msgfolderroot"),
    "drafts": ("Drafts", _NOTE, "msgfolderroot"),
    "inbox": ("Inbox", _NOTE, "msgfolderroot"),
    "journal": ("Journal", "IPF.Journal", "msgfolderroot"),
    "junkemail": ("Junk Email", _NOTE, "msgfolderroot"),
    "notes": ("Notes", "IPF.StickyNote", "msgfolderroot"),
    "outbox": ("Outbox", _NOTE, "msgfolderroot"),
    "sentitems": ("Sent Items", _NOTE, "msgfolderroot"),
    "tasks": ("Tasks", "IPF.Task", "msgfolderroot"),
    "searchfolders": ("Finder", _NONE, "root"),
    "recoverableitemsroot": ("Recoverable Items", _NONE, "root"),
    "recoverableitemsdeletions": ("Deletions", _NONE, "recoverableitemsroot"),
    "recoverableitemspurges": ("Purges", _NONE, "recoverableitemsroot"),
    "recoverableitemsversions": ("Versions", _NONE, "recoverableitemsroot"),
}
_ITEM, _FOLDER = "ev", "fo"


@dataclass(slots=True)
class Folder:
    """One folder. `drawer` holds its items; `change` grows with writes to the folder itself."""

    key: str
    name: str
    kind: str | None
    parent: str | None
    drawer: Mailbox
    special: str | None = None
    change: int = 1
    tags: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def is_calendar(self) -> bool:
        """Whether calendar items may lie in it."""
        return (self.kind or "").casefold().startswith("ipf.appointment")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an id leads: the mailbox, the folder, the item's key, and the date of an instance."""

    store: Store
    folder: Folder
    key: str
    day: date | None
    moved: int


@dataclass(slots=True)
class Store:
    """The folders of one mailbox. `log`: (number, key, kind) of each change to the hierarchy."""

    box: Mailbox
    folders: dict[str, Folder] = field(default_factory=dict)
    special: dict[str, str] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    read_mails: int = 0
    # (tag of the drawer, key) of an item that went to another folder -> (folder, key) there.
    moves: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def add(self, name: str, kind: str | None, parent: str, special: str | None = None) -> Folder:
        """A new folder. Its ids are derived, so that they do not move the world's chance."""
        seed = special or f"{parent}/{name}/{len(self.log)}"
        digest = hashlib.sha256(f"{self.box.tag}:{seed}".encode()).hexdigest()
        drawer = self.box if special == "calendar" else _drawer(self.box, digest[12:20])
        made = Folder(digest[:12], name, kind, parent or None, drawer, special)
        self.folders[made.key] = made
        if special:
            self.special[special] = made.key
        self.log.append(("put", made.key))
        return made

    def children(self, key: str) -> list[Folder]:
        """Folders right below another one, in the order of their names."""
        found = [one for one in self.folders.values() if one.parent == key]
        return sorted(found, key=lambda one: one.name.casefold())

    def below(self, key: str) -> list[Folder]:
        """All folders below another one."""
        return [one for child in self.children(key) for one in (child, *self.below(child.key))]

    def touch(self, folder: Folder) -> None:
        """The folder itself was written."""
        folder.change += 1
        self.log.append(("put", folder.key))

    def remove(self, folder: Folder) -> None:
        """Delete a folder with all that is below it."""
        for one in [*self.below(folder.key), folder]:
            self.folders.pop(one.key, None)
            self.log.append(("drop", one.key))

    def named(self, special: str) -> Folder:
        """A distinguished folder; refuses one that the mailbox has not."""
        key = self.special.get(special)
        if key is None or key not in self.folders:
            raise Refusal(
                404, "ErrorFolderNotFound", "The specified folder could not be found in the store."
            )
        return self.folders[key]

    def folder_id(self, folder: Folder) -> str:
        """Id of a folder."""
        return self.key_id(folder.key)

    def key_id(self, key: str) -> str:
        """Id of a folder that may be gone."""
        return _encode(f"{_FOLDER}{self.box.tag}00{key}00000000")

    def folder_key(self, folder: Folder) -> str:
        """ChangeKey of a folder: new at every write to the folder itself."""
        return b64encode(bytes.fromhex(self.box.tag) + folder.change.to_bytes(6, "big")).decode()


def _drawer(box: Mailbox, tag: str) -> Mailbox:
    return Mailbox(
        address=box.address,
        name=box.name,
        user_id=box.user_id,
        tag=tag,
        tenant_id=box.tenant_id,
        zone=box.zone,
        place=box.place,
    )


def _encode(plain: str) -> str:
    return "AAMk" + b64encode(plain.encode()).decode()


def item_id(drawer: Mailbox, item: Item, day: date | None = None) -> str:
    """Graph's id in the other alphabet of base64 (Graph docs, translateExchangeIds)."""
    return drawer.id_of(item, day).replace("-", "+").replace("_", "/")


def take_apart(text: str) -> tuple[str, str, int, str, date | None]:
    """Sort (ev, fo), tag, folder number, key and date of an id; ErrorInvalidIdMalformed else."""
    if not text:
        raise Refusal(400, "ErrorInvalidIdEmpty", "The Id must be non-empty.")
    if not text.startswith("AAMk"):
        raise malformed_id()
    try:
        plain = b64decode(text[4:].replace("-", "+").replace("_", "/"), validate=True).decode(
            "ascii"
        )
        if len(plain) != 32:
            raise malformed_id()
        number = int(plain[10:12], 16)
        day = None if plain[24:] == "00000000" else date.fromisoformat(plain[24:])
    except (binascii.Error, ValueError, UnicodeError):
        raise malformed_id() from None
    if plain[:2] not in (_ITEM, _FOLDER):
        raise malformed_id()
    return plain[:2], plain[2:10], number, plain[12:24], day


class Stores:
    """The stores of all mailboxes, made when they are first asked for."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._stores: dict[str, Store] = {}
        self._tags: dict[str, tuple[str, str]] = {}

    def of(self, box: Mailbox) -> Store:
        """The store of a mailbox. One that was deleted and made anew has another."""
        found = self._stores.get(box.tag)
        if found is None:
            found = Store(box)
            self._stores[box.tag] = found
            for name, (shown, kind, parent) in DISTINGUISHED.items():
                self.register(
                    found, found.add(shown, kind, found.special.get(parent or "", ""), name)
                )
        return found

    def discard(self, box: Mailbox, item: Item) -> None:
        """What a person deleted, in Outlook or through Graph, goes to Deleted Items."""
        if box.home == "cloud":
            return
        store = self.of(box)
        folder = store.named("deleteditems")
        # Derived, so that it does not move the world's chance.
        key = hashlib.sha256(f"{box.tag}:{item.key}:{item.change}".encode()).hexdigest()[:12]
        store.moves[(box.tag, item.key)] = (folder.key, key)
        self.world.put(folder.drawer, replace(item, key=key, created=0, folder=1))

    def register(self, store: Store, folder: Folder) -> None:
        """Note a new folder, so that ids of its items find it."""
        self._tags[folder.drawer.tag] = (store.box.tag, folder.key)

    def _by_tag(self, tag: str) -> tuple[Store, Folder | None]:
        known = self._tags.get(tag)
        if known is None:
            for box in self.world.user_ids.values():
                if box.tag == tag:
                    self.of(box)
                    break
            known = self._tags.get(tag)
        if known is None:
            raise not_found()
        store = self._stores[known[0]]
        if self.world.user_ids.get(store.box.user_id) is not store.box:
            raise not_found()  # the mailbox was deleted
        if store.box.home == "cloud" or self._stores.get(store.box.tag) is not store:
            raise not_found()  # it was moved
        return store, store.folders.get(known[1])

    def item(self, text: str) -> Place:
        """Where an item id leads; whether an item is there, the caller looks."""
        sort, tag, number, key, day = take_apart(text)
        if sort == _FOLDER:
            raise Refusal(400, "ErrorCannotUseFolderIdForItemId", "Id must be an item id.")
        store, folder = self._by_tag(tag)
        if folder is None:
            raise not_found()
        return Place(store, folder, key, day, number)

    def folder(self, text: str) -> tuple[Store, Folder]:
        """The folder of a folder id."""
        sort, tag, _, key, _ = take_apart(text)
        if sort == _ITEM:
            raise Refusal(400, "ErrorCannotUseItemIdForFolderId", "Id must be a folder id.")
        store, _ = self._by_tag(tag)
        found = store.folders.get(key)
        if found is None:
            raise Refusal(
                404, "ErrorFolderNotFound", "The specified folder could not be found in the store."
            )
        return store, found
