"""From ids in a request to folders and items, with the caller's rights looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from ..graph.render import change_key
from ..items import Instance, Item, instance, whole
from ..problems import Refusal, bad_request, not_found
from . import recur
from .accounts import denied
from .call import Call, attr, schema
from .call import whole as whole_number
from .order import words
from .store import DISTINGUISHED, Folder, Place, Store
from .view import View
from .xml import Node

if TYPE_CHECKING:
    from ..mailbox import Mailbox

ARCHIVES = "archive"


@dataclass(slots=True)
class Target:
    """An item found by an id; `day` of an instance; the ChangeKey that was sent, if any."""

    store: Store
    folder: Folder
    item: Item
    day: date | None
    key: str | None = None

    @property
    def box(self) -> Mailbox:
        """Where it is stored."""
        return self.folder.drawer

    def found(self) -> Instance:
        """The instance; refuses a date that does not stand."""
        if self.day is None:
            return whole(self.item)
        made = instance(self.item, self.day)
        if made is None:
            raise not_found()
        return made

    def view(self, call: Call) -> View:
        """To be shown."""
        return View(call, self.store, self.folder, self.found())

    def is_current(self) -> bool:
        """Whether the ChangeKey sent is that of the item now."""
        return self.key == change_key(self.box, self.item)


def guard(call: Call, box: Mailbox) -> None:
    """Refuse a mailbox that the caller has no right on."""
    if call.flags.get("denied"):
        raise denied(str(call.flags["denied"]))
    if box.tenant_id != call.tenant.tenant_id:
        raise denied(call.front.denial)
    if call.box is box:
        return
    if call.impersonated or not call.account.may_open(box):
        raise denied(call.front.denial)


def is_delegate(call: Call, box: Mailbox) -> bool:
    """Whether the caller works in a mailbox that is neither its own nor impersonated."""
    return call.box is not box


def mailbox_of(call: Call, address: str) -> Mailbox:
    """A mailbox of the company by address."""
    found = call.tenant.boxes.get(address.strip().casefold())
    if found is None or not found.enabled or found.home == "cloud":
        raise Refusal(
            404, "ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it."
        )
    return found


def folder(call: Call, node: Node) -> tuple[Store, Folder]:
    """A FolderId or DistinguishedFolderId."""
    if node.name == "FolderId":
        store, found = call.front.stores.folder(attr(node, "Id"))
        guard(call, store.box)
        _note(call, store.box)
        return store, found
    if node.name != "DistinguishedFolderId":
        raise schema(f"The element '{node.name}' is no folder id.", node)
    name = attr(node, "Id")
    address = node.said("Mailbox", "EmailAddress")
    if address is not None:
        box = mailbox_of(call, address)
    elif call.box is not None:
        box = call.box
    else:
        raise bad_request(
            "When making a request as an account that does not have a mailbox, you must specify "
            "the mailbox primary SMTP address for any distinguished folder Ids.",
            "ErrorMissingEmailAddress",
        )
    _note(call, box)
    guard(call, box)
    if name not in DISTINGUISHED:
        _known_name(node, name)
    store = call.front.stores.of(box)
    return store, store.named(name)


def _known_name(node: Node, name: str) -> None:
    """Names that the schema has and these mailboxes have not."""
    if name == "publicfoldersroot":
        raise Refusal(404, "ErrorNoPublicFolderReplicaAvailable", "There is no public folder.")
    if name.startswith(ARCHIVES) or name in OTHERS:
        return
    raise schema(f"The 'Id' attribute is invalid - The value '{name}' is invalid.", node)


OTHERS = frozenset(
    words(
        """
    voicemail recoverableitemsdiscoveryholds syncissues conflicts localfailures serverfailures
    recipientcache quickcontacts adminauditlogs todosearch mycontacts directory imcontactlist
    peopleconnect favorites mecontact personmetadata teamspaceactivity teamspacemessaging
    teamspaceworkitems scheduled orionnotes tagitems alltaggeditems externalcontacts teamchat
    teamchathistory yammerroot yammerinbound yammeroutbound yammerfeeds onedriveroot
    onedriverecylebin onedrivesystem onedrivevolume important starred
    """
    )
)


def _note(call: Call, box: Mailbox) -> None:
    """The first mailbox that a call touches names it in the call log."""
    call.flags.setdefault("mailbox", box.address)


def item(call: Call, node: Node, *, fresh: bool = False) -> Target:
    """An ItemId, OccurrenceItemId or RecurringMasterItemId. `fresh`: never a stale version."""
    if node.name in ("ItemId", "ReferenceItemId", "ParentItemId", "RecurringMasterItemIdRanges"):
        found = _plain(call, attr(node, "Id"), fresh=fresh)
    elif node.name == "OccurrenceItemId":
        found = _occurrence(call, node, fresh=fresh)
    elif node.name == "RecurringMasterItemId":
        found = _plain(call, attr(node, "OccurrenceId"), fresh=fresh)
        if found.day is None:
            raise bad_request(
                "The Id is not that of an occurrence.",
                "ErrorCalendarCannotUseIdForRecurringMasterId",
            )
        found.day = None
    else:
        raise schema(f"The element '{node.name}' is no item id.", node)
    found.key = node.attrs.get("ChangeKey")
    if found.key == "":
        raise bad_request("The change key is invalid.", "ErrorInvalidChangeKey")
    return found


def _plain(call: Call, text: str, *, fresh: bool) -> Target:
    place = call.front.stores.item(text)
    _note(call, place.store.box)
    guard(call, place.store.box)
    stored = stored_item(call, place.folder, place.key, fresh=fresh)
    if stored is None or (place.moved and place.moved != stored.folder):
        raise not_found()
    if place.day is not None and instance(stored, place.day) is None:
        raise not_found()
    return _target(place, stored)


def _target(place: Place, stored: Item) -> Target:
    return Target(place.store, place.folder, stored, place.day)


def stored_item(call: Call, folder: Folder, key: str, *, fresh: bool = False) -> Item | None:
    """An item; under the fault of stale reads its version of some seconds ago."""
    box, flags = folder.drawer, call.flags
    if fresh:
        return box.items.get(key)
    if flags.get("thin") and key in box.items and list(box.items).index(key) % 10:
        return None
    lag = flags.get("stale_s")
    if lag:
        tick, old = box.previous.get(key, (0, None))
        if tick and call.world.tick() - tick < lag * 10_000_000:
            return old
    return box.items.get(key)


def _occurrence(call: Call, node: Node, *, fresh: bool) -> Target:
    found = _plain(call, attr(node, "RecurringMasterId"), fresh=fresh)
    rule = found.item.rule
    if rule is None or found.day is not None:
        raise bad_request(
            "The Id is not that of a recurring master.", "ErrorCalendarCannotUseIdForOccurrenceId"
        )
    day = recur.nth(rule, whole_number(node, attr(node, "InstanceIndex")))
    if day is None:
        raise bad_request(
            "Occurrence index is out of recurrence range.",
            "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
        )
    if instance(found.item, day) is None:
        raise bad_request(
            "Occurrence with this index was previously deleted from the recurrence.",
            "ErrorCalendarOccurrenceIsDeletedFromRecurrence",
        )
    found.day = day
    return found


def at_least_one(node: Node) -> list[Node]:
    """FolderIds and the like: at least one."""
    if not node.kids:
        raise schema(f"The element '{node.name}' has incomplete content.", node)
    return node.kids
