"""Mail: items of other kinds than the calendar's, plain and few."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..items import Attendee, Item, when
from ..problems import bad_request
from ..zones import UTC_ZONE
from . import mime
from .call import Call, schema
from .fields import Draft, read_mailbox, read_member
from .order import ITEM, RANKS
from .resolve import Target
from .shape import read_field
from .store import Folder, Store
from .tags import Path
from .write import precondition
from .xml import Node, again

HOMES = {"Contact": "contacts", "Task": "tasks", "PostItem": "notes"}
CLASSES = {
    "Message": "IPM.Note", "Item": "IPM.Note", "Contact": "IPM.Contact", "Task": "IPM.Task",
    "PostItem": "IPM.Post",
}  # fmt: skip
RECIPIENTS = {"ToRecipients": "to", "CcRecipients": "cc", "BccRecipients": "bcc"}


def create(
    call: Call, store: Store, folder: Folder, node: Node, disposition: str | None
) -> Target | None:
    """A message, saved, sent, or both. None where no copy is kept."""
    if node.name not in CLASSES:
        raise bad_request("Such an item cannot be made.", "ErrorInvalidItemForOperationCreateItem")
    if node.name in ("Message", "Item") and disposition is None:
        raise bad_request(
            "MessageDisposition is required for messages.", "ErrorMessageDispositionRequired"
        )
    draft, people = Draft(), dict[str, tuple[Attendee, ...]]()
    rank, last = RANKS[node.name], -1
    for one in node.kids:
        place = rank.get(one.name)
        if place is None or place < last:
            raise schema(f"The element '{node.name}' has invalid child element '{one.name}'.", one)
        last = place
        _member(call, one, draft, people, plain=node.name in HOMES)
    sent = disposition in ("SendOnly", "SendAndSaveCopy")
    everybody = tuple(one for kind in ("to", "cc", "bcc") for one in people.get(kind, ()))
    if sent:
        _send(call, folder, str(draft.props.get("subject", "")), everybody, draft.props)
    if disposition == "SendOnly":
        return None
    now = call.world.utc().replace(microsecond=0)
    item = Item(
        key=call.world.new_key(),
        uid=f"mail:{call.world.request_id()}",
        when=when(now, now, UTC_ZONE),
        organizer=folder.drawer.person,
        own=True,
        props={
            "isRead": True,
            **draft.props,
            "itemClass": draft.item_class or CLASSES[node.name],
            "isDraft": not sent,
        },
        attendees=everybody,
        tags=draft.tags,
    )
    return Target(store, folder, call.world.put(folder.drawer, item), None)


def _send(
    call: Call, folder: Folder, subject: str, people: tuple[Attendee, ...], props: dict[str, Any]
) -> None:
    if not people:
        raise bad_request("There is no recipient.", "ErrorMissingRecipients")
    body = props.get("body")
    for one in people:
        call.world.mail(
            "mail",
            folder.drawer.address,
            one.person.address,
            subject,
            body=body["content"] if body else "",
            saved=True,
        )


def _member(
    call: Call,
    node: Node,
    draft: Draft,
    people: dict[str, tuple[Attendee, ...]],
    *,
    plain: bool = False,
) -> None:
    """One member. ``plain``: of a contact, a task or a post, whose own members are kept as said."""
    kind = RECIPIENTS.get(node.name)
    if plain and node.name not in ITEM:
        draft.props["raw"] = {**draft.props.get("raw", {}), node.name: again(node)}
        return
    if kind is not None:
        people[kind] = tuple(Attendee(read_mailbox(call, one), kind) for one in node.kids)
    elif node.name == "MimeContent" and not plain:
        people |= mime.read_mail(call, node, draft)
    elif node.name in ("MimeContent", "Attachments"):
        raise bad_request(
            f"Such an item cannot be made of {node.name} here.", "ErrorInvalidPropertySet"
        )
    elif node.name not in ("From", "Sender", "ReplyTo"):
        read_member(call, node, draft)


def send(call: Call, target: Target) -> None:
    """SendItem of a draft."""
    subject = str(target.item.props.get("subject", ""))
    _send(call, target.folder, subject, target.item.attendees, dict(target.item.props))


def update(call: Call, target: Target, node: Node) -> Target:
    """UpdateItem of a message: read flag, subject, categories, tags …"""
    precondition(call, target)
    draft, people = Draft(), dict[str, tuple[Attendee, ...]]()
    plain = target.view(call).element in HOMES
    updates = node.find("Updates")
    for one in updates.kids if updates is not None else ():
        path = read_field(one.kids[0])
        if one.name == "DeleteItemField":
            if isinstance(path, Path):
                draft.dropped_tags.add(path.key)
            elif plain:
                draft.props["raw"] = {**draft.props.get("raw", {}), path.name: None}
            continue
        if len(one.kids) != 2 or len(one.kids[1].kids) != 1:
            raise bad_request("One property is expected.", "ErrorIncorrectUpdatePropertyCount")
        _member(call, one.kids[1].kids[0], draft, people, plain=plain)
    old = target.item
    kept = {key: tag for key, tag in old.tags.items() if key not in draft.dropped_tags}
    everybody = old.attendees
    for kind, rows in people.items():
        everybody = (*(one for one in everybody if one.kind != kind), *rows)
    if "raw" in draft.props:
        draft.props["raw"] = {**old.props.get("raw", {}), **draft.props["raw"]}
    made = replace(
        old, props={**old.props, **draft.props}, tags={**kept, **draft.tags}, attendees=everybody
    )
    return Target(target.store, target.folder, call.world.put(target.box, made), None)
