"""What admins do to whole mailboxes: back up, restore, delete and make anew, rename.

A restore comes in the two forms that Exchange knows. A database brought back from a backup shows
the same ids in their former state. Content imported into the mailbox (New-MailboxRestoreRequest)
has new ids and keeps iCalUId, times and named properties. Neither sends a message.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .items import Item
from .mailbox import Mailbox
from .problems import Refusal, bad_request

if TYPE_CHECKING:
    from .world import World

IDS = ("same", "new")
TOKENS = ("void", "kept")
HOMES = ("cloud", "onprem", "both")


@dataclass(frozen=True, slots=True)
class Backup:
    """A mailbox at one moment. Items are values, so the dicts need no deeper copy."""

    items: dict[str, Item]
    tombs: dict[str, Item]
    transactions: dict[str, str]
    seq: int


@dataclass(slots=True)
class Backups:
    """Named backups of one world."""

    world: World
    kept: dict[tuple[str, str], Backup] = field(default_factory=dict)

    def take(self, box: Mailbox, name: str) -> dict[str, Any]:
        """Keep what the mailbox holds now."""
        made = Backup(dict(box.items), dict(box.tombs), dict(box.transactions), box.seq)
        self.kept[box.address.casefold(), name] = made
        return {"mailbox": box.address, "backup": name, "items": len(made.items)}

    def restore(self, box: Mailbox, name: str, *, ids: str, tokens: str) -> dict[str, Any]:
        """Bring a backup back. ``tokens``: whether delta links made since are refused (void), or
        taken and answered with what changed after the restore (kept): no document says which."""
        backup = self.kept.get((box.address.casefold(), name))
        if backup is None:
            raise Refusal(404, "UnknownBackup", f"no backup {name!r} of {box.address}")
        if ids not in IDS or tokens not in TOKENS:
            raise bad_request(f"ids is one of {IDS}, tokens one of {TOKENS}")
        self.world.note("admin", "restore", mailbox=box.address, ids=ids)
        if ids == "new":
            box.items = {
                made.key: made
                for one in backup.items.values()
                for made in [replace(one, key=self.world.new_key())]
            }
            box.tombs = {**box.tombs, **backup.tombs, **backup.items}
        else:
            # Ids that only the time after the backup knew lead nowhere.
            box.items, box.tombs = dict(backup.items), dict(backup.tombs)
        box.transactions = dict(backup.transactions)
        box.file()
        for history in (box.change_seqs, box.change_keys, box.change_times):
            history.clear()
        box.previous.clear()
        box.rounds.clear()
        if tokens == "void":
            box.token_serial += self.world.switches.delta_tokens_kept + 1
            box.epoch += 1
        return {"mailbox": box.address, "restored": name, "items": len(box.items)}


def remake(world: World, box: Mailbox) -> Mailbox:
    """The mailbox is deleted, and one with the same address made: empty, with other ids."""
    world.note("admin", "remake", mailbox=box.address)
    world.remove_mailbox(box)
    return world.add_mailbox(
        box.address,
        box.name,
        tenant=world.tenants[box.tenant_id],
        home=box.zone,
        place=box.place,
        processing=box.processing,
    )


def migrate(world: World, box: Mailbox, to: str) -> Mailbox:
    """Moved between Exchange Server and Exchange Online: ids and resume points are void, global
    ids, times and named properties are kept, nobody gets a message."""
    if to not in HOMES:
        raise bad_request(f"to is one of {HOMES}")
    world.note("admin", "migrate", mailbox=box.address, to=to)
    box.home, box.tag = to, f"{world.random.getrandbits(32):08x}"
    box.items = {
        made.key: made for one in box.items.values() for made in [replace(one, key=world.new_key())]
    }
    box.file()
    for kept in (box.tombs, box.previous, box.moved, box.transactions, box.rounds):
        kept.clear()
    for history in (box.change_seqs, box.change_keys, box.change_times):
        history.clear()
    box.epoch += 1
    return box


def rename(world: World, box: Mailbox, address: str) -> Mailbox:
    """Another primary address. The old one does not answer any more."""
    if world.box(address) is not None:
        raise Refusal(409, "Exists", f"mailbox {address} exists")
    world.note("admin", "rename", mailbox=box.address, to=address)
    tenant, old = world.tenants[box.tenant_id], box.address.casefold()
    del world.addresses[old], tenant.boxes[old]
    box.address = address
    world.addresses[address.casefold()] = tenant.boxes[address.casefold()] = box
    return box
