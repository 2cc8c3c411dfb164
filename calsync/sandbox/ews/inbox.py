"""The Inbox and Sent Items of people: what the world's mail log says was sent to and by them.

Messages come in when somebody looks. A room whose attendant works keeps no requests: it moves
them away once it has answered.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from ..items import Attendee, Item, Person, instance, when
from ..zones import UTC_ZONE

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import World
    from .call import Call
    from .store import Folder, Store

CLASSES = {
    "request": "IPM.Schedule.Meeting.Request",
    "update": "IPM.Schedule.Meeting.Request",
    "cancel": "IPM.Schedule.Meeting.Canceled",
    "mail": "IPM.Note",
    "forward": "IPM.Schedule.Meeting.Request",
}
ANSWERS = {
    "accepted": "IPM.Schedule.Meeting.Resp.Pos",
    "declined": "IPM.Schedule.Meeting.Resp.Neg",
    "tentativelyAccepted": "IPM.Schedule.Meeting.Resp.Tent",
}


def fill(call: Call, store: Store, folder: Folder) -> None:
    """Bring the Inbox up to date before it is read."""
    if folder.special not in ("inbox", "sentitems", "msgfolderroot"):
        return
    deliver_of(call.world, store)


def deliver_of(world: World, store: Store) -> None:
    """Put every mail since the last look into the folder where it belongs."""
    mails, box = world.mails, store.box
    own = box.address.casefold()
    fresh = mails[store.read_mails :]
    store.read_mails = len(mails)
    if not fresh:
        return
    inbox, sent = store.named("inbox"), store.named("sentitems")
    silent = _works(box)
    for line in fresh:
        meeting = line["kind"] in ("request", "update", "cancel")
        if line["to"].casefold() == own and not (silent and meeting):
            _put(world, inbox, line, is_read=False)
        if line["from"].casefold() == own and not silent and line["kind"] == "mail":
            _put(world, sent, line, is_read=True)


def _works(box: Mailbox) -> bool:
    """Whether a booking attendant answers what comes in, and so clears it away."""
    rules = box.processing
    return rules is not None and rules.AutomateProcessing.casefold() == "autoaccept"


def _put(world: World, folder: Folder, line: dict[str, Any], *, is_read: bool) -> None:
    kind = str(line["kind"])
    item_class = ANSWERS.get(str(line.get("response"))) if kind == "response" else CLASSES.get(kind)
    sender, target = _person(world, str(line["from"])), _person(world, str(line["to"]))
    props: dict[str, Any] = {
        "itemClass": item_class or "IPM.Note",
        "subject": str(line["subject"]),
        "isRead": is_read,
    }
    text = line.get("comment") or line.get("body")
    if text:
        props["body"] = {"contentType": "text", "content": str(text)}
    if line.get("iCalUId"):
        props["about"] = str(line["iCalUId"])
        props["requestType"] = "NewMeetingRequest" if kind == "request" else "FullUpdate"
    if line.get("response"):
        props["response"] = line["response"]
    if line.get("date"):
        props["day"] = date.fromisoformat(str(line["date"]))
    slot = _slot(world, sender.address, props)
    if slot is not None:
        props["slot"] = slot
    now = world.utc().replace(microsecond=0)
    item = Item(
        key=f"{int(line['n']):012x}",
        uid=f"mail:{line['n']}",
        when=when(now, now, UTC_ZONE),
        organizer=sender,
        own=False,
        props=props,
        attendees=(Attendee(target, "to"),),
    )
    world.put(folder.drawer, item)


def _person(world: World, address: str) -> Person:
    known = world.box(address)
    return known.person if known is not None else Person(address, address)


def _slot(world: World, sender: str, props: dict[str, Any]) -> tuple[Any, Any] | None:
    """Start and end of the meeting, where its organizer still has it."""
    home = world.box(sender)
    item = home.find_uid(str(props.get("about"))) if home is not None else None
    if item is None:
        return None
    day = props.get("day")
    found = instance(item, day) if day is not None and item.rule is not None else None
    slot = found.when if found is not None else item.when
    return slot.start_utc, slot.end_utc
