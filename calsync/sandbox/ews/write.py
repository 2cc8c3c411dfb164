"""CreateItem, UpdateItem and DeleteItem of calendar items: the world's acts behind EWS's rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .. import events, meetings
from ..events import Fields
from ..graph.writes import recreate
from ..items import Item, instance
from ..problems import Refusal, bad_request, not_found
from . import compose, mime
from .call import Call, need, one_of, schema
from .fields import AS_SAID, LISTS, READ_ONLY, Draft, read_item, read_member
from .log import Done, written
from .order import RANKS
from .resolve import Target, is_delegate
from .shape import Field, read_field
from .store import Folder, Store
from .tags import Path, computed, unsets
from .view import UNSENT
from .xml import Node

if TYPE_CHECKING:
    from ..mailbox import Mailbox

INVITATIONS = ("SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy")
UPDATES = (*INVITATIONS, "SendOnlyToChanged", "SendToChangedAndSaveCopy")
RESOLUTIONS = ("NeverOverwrite", "AutoResolve", "AlwaysOverwrite")
DISPOSALS = ("HardDelete", "SoftDelete", "MoveToDeletedItems")


def option(call: Call, name: str, allowed: tuple[str, ...], missing: str) -> str:
    """An attribute that the schema leaves out and calendar items need."""
    value = call.body.attrs.get(name)
    if value is None:
        raise bad_request(f"The attribute {name} is required for calendar items.", missing)
    return one_of(call.body, value, allowed)


def create(call: Call, store: Store, folder: Folder, node: Node) -> Target:
    """A CalendarItem."""
    send = option(
        call, "SendMeetingInvitations", INVITATIONS, "ErrorSendMeetingInvitationsRequired"
    )
    if not folder.is_calendar:
        raise bad_request(
            "Cannot create a calendar item in a folder of another kind.",
            "ErrorCannotCreateCalendarItemInNonCalendarFolder",
        )
    draft = Draft()
    said = node.find("MimeContent")
    if said is not None:
        mime.read(call, said, draft, folder.drawer.zone)
    read_item(call, _without(node, "MimeContent"), draft)
    box = folder.drawer
    fields = compose.fields_of(call, draft, None, box.address)
    if call.flags.get("without_tag"):
        fields = replace(fields, tags={})
    if send == "SendToNone" and fields.attendees:
        fields = replace(fields, props={**fields.props, UNSENT: True})
    changed = tuple(one.name for one in node.kids)

    def make() -> Done:
        later = draft.days is not None
        sent = send != "SendToNone" and not later
        item = events.create(call.world, box, fields, uid=draft.uid, announced=sent)
        if draft.days is not None:
            item = call.world.put(box, draft.days(item))
            if send != "SendToNone" and item.attendees:
                meetings.announce(call.world, box, None, item)
        return Done(box, box.items.get(item.key, item), None, changed)

    done = written(call, "create", make)
    return Target(store, folder, done.item, None)


def _without(node: Node, name: str) -> Node:
    kids = [one for one in node.kids if one.name != name]
    return Node(node.name, node.space, node.attrs, node.text, kids, node.line)


# -- update ---------------------------------------------------------------------------------


def update(call: Call, target: Target, node: Node) -> Target:
    """The Updates of one ItemChange, in their order, as one write."""
    send = option(
        call,
        "SendMeetingInvitationsOrCancellations",
        UPDATES,
        "ErrorSendMeetingInvitationsOrCancellationsRequired",
    )
    if target.folder.special == "deleteditems":
        raise bad_request(
            "A calendar item in Deleted Items cannot be changed.",
            "ErrorCalendarCannotUpdateDeletedItem",
        )
    precondition(call, target)
    base = target.found()
    draft = Draft()
    names = tuple(_change(call, one, draft, target) for one in need(node, "Updates").kids)
    if not names:
        raise schema("The element 'Updates' has incomplete content.", node)
    if target.day is not None and (draft.rule is not None or draft.single):
        raise bad_request("A recurrence cannot be set on an occurrence.", "ErrorInvalidPropertySet")
    fields = compose.fields_of(call, draft, base, target.item.organizer.address)
    fields = replace(fields, dropped=frozenset(draft.dropped_tags))

    def make() -> Done:
        made = _send(call, target, fields, send)
        if draft.days is not None and made.rule is not None:
            made = call.world.put(target.box, draft.days(made))
        made = _disturb(call, target.box, made)
        return Done(target.box, made, target.day, names)

    done = written(call, "update", make)
    return Target(target.store, target.folder, done.item, target.day)


def precondition(call: Call, target: Target) -> None:
    """ConflictResolution against the ChangeKey (EWS docs, UpdateItem)."""
    mode = one_of(call.body, call.body.attrs.get("ConflictResolution", "AutoResolve"), RESOLUTIONS)
    if target.key is None:
        raise bad_request(
            "A change key is required for this operation.",
            "ErrorChangeKeyRequiredForWriteOperations",
        )
    if mode == "NeverOverwrite" and not target.is_current():
        raise Refusal(
            409,
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key passed in "
            "the request does not match the current change key for the item.",
        )


def _send(call: Call, target: Target, fields: Fields, send: str) -> Item:
    """The write, and who is told of it."""
    world, box, item = call.world, target.box, target.item
    if send == "SendToNone":
        return events.update(world, box, item, target.day, fields, announced=False)
    if not item.props.get(UNSENT):
        return events.update(world, box, item, target.day, fields)
    made = events.update(world, box, item, target.day, fields, announced=False)
    props = {name: value for name, value in made.props.items() if name != UNSENT}
    made = world.put(box, replace(made, props=props))
    if made.own and made.attendees:
        meetings.announce(world, box, None, made)
    return box.items.get(made.key, made)


def _disturb(call: Call, box: Mailbox, item: Item) -> Item:
    """Faults of the store: Delete + Create instead of Update, or a move that changes the id."""
    if call.flags.get("recreate"):
        return recreate(call.world, box, item)
    if call.flags.get("new_id"):
        return box.move(item.key, call.world.tick())
    return item


def _change(call: Call, node: Node, draft: Draft, target: Target) -> str:
    """One SetItemField, AppendToItemField or DeleteItemField."""
    if not node.kids:
        raise schema(f"The element '{node.name}' has incomplete content.", node)
    path = read_field(node.kids[0])
    if node.name == "DeleteItemField":
        return _delete_field(path, draft)
    if node.name not in ("SetItemField", "AppendToItemField"):
        raise schema(f"The element 'Updates' has invalid child element '{node.name}'.", node)
    if len(node.kids) != 2:
        raise schema(f"The element '{node.name}' has incomplete content.", node)
    shell = node.kids[1]
    if shell.name not in RANKS:
        raise schema(f"The element '{node.name}' has invalid child element '{shell.name}'.", shell)
    if len(shell.kids) != 1:
        raise bad_request(
            "A change description must contain one and only one property to modify.",
            "ErrorIncorrectUpdatePropertyCount",
        )
    value = shell.kids[0]
    named = "ExtendedProperty" if isinstance(path, Path) else path.name
    if value.name != named or value.name not in RANKS[shell.name]:
        raise bad_request(
            "Update property does not match the property in the item.",
            "ErrorUpdatePropertyMismatch",
        )
    if value.name in READ_ONLY:
        raise bad_request(
            f"Set action is invalid for property: {named}.", "ErrorInvalidPropertySet"
        )
    if node.name == "AppendToItemField":
        _append(call, value, draft, target)
    elif value.name == "MimeContent":
        mime.read(call, value, draft, target.box.zone)
    elif value.name == "UID":
        raise bad_request("Set action is invalid for property: UID.", "ErrorInvalidPropertySet")
    else:
        read_member(call, value, draft)
    return named


def _append(call: Call, value: Node, draft: Draft, target: Target) -> None:
    """What can be appended to: the body and the lists of people."""
    if value.name == "Body":
        more = Draft()
        read_member(call, value, more)
        found = draft.props.get("body") or target.found().prop("body")
        old = str(found["content"]) if found else ""
        kind = found["contentType"] if found else more.props["body"]["contentType"]
        draft.props["body"] = {"contentType": kind, "content": old + more.props["body"]["content"]}
        return
    if value.name in LISTS:
        kind = LISTS[value.name]
        more = Draft()
        read_member(call, value, more)
        known = draft.people.get(kind)
        if known is None:
            base = target.view(call).people
            known = tuple(one for one in base if one.kind == kind)
        draft.people[kind] = (*known, *more.people[kind])
        return
    raise bad_request(
        f"Append action is invalid for property: {value.name}.", "ErrorInvalidPropertyAppend"
    )


def _delete_field(path: Field | Path, draft: Draft) -> str:
    if isinstance(path, Path):
        gone = unsets(path)
        if gone is not None:
            draft.props.update(gone)
            return "ExtendedProperty"
        if computed(path):
            raise bad_request(
                "Delete action is invalid for this property.", "ErrorInvalidPropertyDelete"
            )
        draft.tags.pop(path.key, None)
        draft.dropped_tags.add(path.key)
        return "ExtendedProperty"
    name = path.name
    empty: dict[str, dict[str, object]] = {
        "Subject": {"subject": ""},
        "Body": {"body": None},
        "Location": {"location": None, "locations": []},
        "EnhancedLocation": {"location": None, "locations": []},
        "Categories": {"categories": []},
        "Importance": {"importance": "normal"},
        "Sensitivity": {"sensitivity": "normal"},
        "LegacyFreeBusyStatus": {"showAs": "busy"},
        "ReminderIsSet": {"isReminderOn": False},
        "ReminderMinutesBeforeStart": {"reminderMinutesBeforeStart": 15},
        "IsResponseRequested": {"responseRequested": True},
        "AllowNewTimeProposal": {"allowNewTimeProposals": True},
    }
    if name in LISTS:
        draft.people[LISTS[name]] = ()
    elif name == "Recurrence":
        draft.rule, draft.single = None, True
    elif name in empty:
        draft.props.update(empty[name])
    elif name in AS_SAID:
        draft.props[f"ews {name}"] = None
    elif name not in ("Culture", "Flag"):
        raise bad_request(
            f"Delete action is invalid for property: {path.space}:{name}.",
            "ErrorInvalidPropertyDelete",
        )
    return name


# -- delete ---------------------------------------------------------------------------------


def delete(call: Call, target: Target) -> None:
    """DeleteItem of a calendar item."""
    send = option(
        call, "SendMeetingCancellations", INVITATIONS, "ErrorSendMeetingCancellationsRequired"
    )
    how = one_of(call.body, call.body.attrs["DeleteType"], DISPOSALS)
    if how == "MoveToDeletedItems" and is_delegate(call, target.store.box):
        raise bad_request(
            "Object cannot be deleted: a delegate has to move it.", "ErrorCannotDeleteObject"
        )
    if call.world.switches.ews_delete_checks_change_key and target.key is not None:
        precondition_of_delete(target)
    world, box, item, day = call.world, target.box, target.item, target.day
    if day is not None and instance(item, day) is None:
        raise not_found()

    def make() -> Done:
        if send == "SendToNone" or item.props.get(UNSENT):
            _silently(call, target)
        else:
            events.delete(world, box, item, day)
        if day is None:
            keep(call, target.store, box, how, item)
        return Done(box, item, day, ("deleted",))

    written(call, "delete", make)


def precondition_of_delete(target: Target) -> None:
    """By switch only: no document says that DeleteItem looks at the ChangeKey."""
    if not target.is_current():
        raise Refusal(409, "ErrorIrresolvableConflict", "The change key is not the current one.")


def _silently(call: Call, target: Target) -> None:
    item, day = target.item, target.day
    if day is None:
        call.world.drop(target.box, item.key)
        return
    rest = {known: one for known, one in item.overrides.items() if known != day}
    call.world.put(target.box, replace(item, cancelled=item.cancelled | {day}, overrides=rest))


def keep(call: Call, store: Store, box: Mailbox, how: str, item: Item) -> None:
    """Where a deleted item goes: nowhere, the dumpster, or Deleted Items under another id."""
    name = {"SoftDelete": "recoverableitemsdeletions", "MoveToDeletedItems": "deleteditems"}.get(
        how
    )
    if name is None:
        return
    shift(call, store, box, item, store.named(name))


def shift(call: Call, store: Store, box: Mailbox, item: Item, folder: Folder) -> Item:
    """An item that left a folder comes into another one, under another id."""
    moved = replace(item, key=call.world.new_key(), created=0, folder=1)
    store.moves[(box.tag, item.key)] = (folder.key, moved.key)
    return call.world.put(folder.drawer, moved)
