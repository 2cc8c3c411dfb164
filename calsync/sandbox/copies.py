"""Copy and paste in Outlook: the copy is an appointment of its own in the target mailbox.

Outlook copies every named property along, ours among them. Id and iCalUId are new, attendees do not
come along. Whether Graph's transactionId is one of the properties that a copy keeps, no document
says: a switch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .items import Instance, Item, When, whole
from .mailbox import Mailbox

if TYPE_CHECKING:
    from .world import World


def copy(world: World, source: Instance, target: Mailbox, slot: When | None) -> Item:
    """Paste ``source`` into ``target``, at ``slot`` or where it stood. A date of a series becomes
    a single appointment."""
    item, date = source.item, source.day
    original = whole(item) if date is None else source
    keeps = world.switches.copy_keeps_transaction_id
    props = dict(item.props)
    tags = dict(item.tags)
    if original.override is not None:
        props.update(original.override.props)
        tags.update(original.override.tags)
    pasted = Item(
        key=world.new_key(),
        uid=world.new_uid(),
        when=slot or original.when,
        organizer=target.person,
        own=True,
        rule=item.rule if date is None and slot is None else None,
        props=props,
        response=("organizer", 0),
        tags=tags,
        extensions=item.extensions,
        overrides=item.overrides if date is None and slot is None else {},
        cancelled=item.cancelled if date is None and slot is None else frozenset(),
        transaction_id=item.transaction_id if keeps else None,
    )
    # What refuses a repeated create is not moved by a paste.
    used = dict(target.transactions)
    made = world.put(target, pasted)
    target.transactions = used
    return made
