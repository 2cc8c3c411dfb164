"""Response objects: what CreateItem does about a meeting instead of making an item."""

from __future__ import annotations

from .. import answers, events, meetings
from ..items import Attendee, Item, when
from ..problems import Refusal, bad_request
from ..zones import UTC_ZONE
from . import inbox, resolve, shape, write
from .call import Call
from .fields import read_mailbox
from .log import Done, written
from .messages import meeting_of
from .resolve import Target
from .xml import Markup, Node

ANSWERS = {
    "AcceptItem": ("accepted", "ForAccept", "accept"),
    "TentativelyAcceptItem": ("tentativelyAccepted", "ForTentative", "tentativelyaccept"),
    "DeclineItem": ("declined", "ForDecline", "decline"),
}
NAMES = frozenset(
    {*ANSWERS, "CancelCalendarItem", "RemoveItem", "ForwardItem", "ReplyToItem", "ReplyAllToItem"}
    | {"SuppressReadReceipt", "AddItemToMyCalendar", "ProposeNewTime", "PostReplyItem"}
)
_MAILS = ("ForwardItem", "ReplyToItem", "ReplyAllToItem")
_INVALID = {
    "AcceptItem": "ErrorInvalidItemForOperationAcceptItem",
    "TentativelyAcceptItem": "ErrorInvalidItemForOperationTentative",
    "DeclineItem": "ErrorInvalidItemForOperationDeclineItem",
    "CancelCalendarItem": "ErrorInvalidItemForOperationCancelItem",
    "RemoveItem": "ErrorInvalidItemForOperationRemoveItem",
}


def respond(call: Call, node: Node, disposition: str | None) -> list[Markup]:
    """Carry one out. The answer holds what changed in the mailbox, if anything is left to show."""
    said = node.find("ReferenceItemId")
    if said is None:
        raise bad_request(
            "A response object needs its ReferenceItemId.", "ErrorMissingInformationReferenceItemId"
        )
    if disposition is None:
        raise bad_request(
            "MessageDisposition is required for response objects.",
            "ErrorMessageDispositionRequired",
        )
    message = resolve.item(call, said, fresh=True)
    if message.key is None:
        raise bad_request("A change key is required for this operation.", "ErrorChangeKeyRequired")
    if not message.is_current():
        raise Refusal(409, "ErrorStaleObject", "The change key is not the current one of the item.")
    target = _meeting(call, node, message)
    if node.name in ANSWERS:
        _answer(call, node, target, disposition)
    elif node.name == "CancelCalendarItem":
        _cancel(call, node, target)
    elif node.name == "RemoveItem":
        _remove(call, target)
    elif node.name in _MAILS:
        _mail(call, node, target)
    else:
        raise bad_request("This response object is not offered.", "ErrorInvalidOperation")
    if message is not target and node.name in ANSWERS:
        # An answered request leaves the Inbox.
        call.world.drop(message.box, message.item.key)
    if node.name in _MAILS or node.name == "RemoveItem":
        return []
    sent = _sent(call, node, target) if disposition == "SendAndSaveCopy" else []
    left = _left(call, target)
    # A cancellation answers its message, an answer the calendar item, too (exchangelib #886).
    return sent if sent and node.name == "CancelCalendarItem" else [*sent, *left]


def _left(call: Call, target: Target) -> list[Markup]:
    """The calendar item as it is now; one that left the calendar is in Deleted Items."""
    now = target.box.items.get(target.item.key)
    if now is not None:
        left = Target(target.store, target.folder, now, None)
        return [shape.bare(left.view(call))]
    if target.day is not None:
        return []
    folder = target.store.named("deleteditems")
    gone = write.shift(call, target.store, target.box, target.item, folder)
    return [shape.bare(Target(target.store, folder, gone, None).view(call))]


def _sent(call: Call, node: Node, target: Target) -> list[Markup]:
    """The copy of the message that went out, in Sent Items."""
    answer = ANSWERS[node.name][0] if node.name in ANSWERS else None
    head = answers.ANSWERS[answer] if answer else meetings.CANCELLED
    now = call.world.utc().replace(microsecond=0)
    text = _comment(node, "Body" if answer else "NewBodyContent")
    props = {
        "itemClass": inbox.ANSWERS[answer] if answer else inbox.CLASSES["cancel"],
        "subject": head + answers.title(target.item, target.day),
        "about": target.item.uid,
        "isRead": True,
        "day": target.day,
        "body": {"contentType": "text", "content": text} if text else None,
    }
    to = [one.person for one in target.item.attendees]
    if answer:
        props["response"] = answer
        to = [target.item.organizer]
    item = Item(
        key=call.world.new_key(),
        uid=f"mail:{call.world.request_id()}",
        when=when(now, now, UTC_ZONE),
        organizer=target.store.box.person,
        own=True,
        props=props,
        attendees=tuple(Attendee(one, "to") for one in to),
    )
    folder = target.store.named("sentitems")
    made = call.world.put(folder.drawer, item)
    return [shape.bare(Target(target.store, folder, made, None).view(call))]


def _meeting(call: Call, node: Node, message: Target) -> Target:
    """The calendar item: itself, or the one that a meeting message is about."""
    view = message.view(call)
    if view.is_calendar:
        return message
    found = meeting_of(view)
    if found is None:
        if node.name in _INVALID:
            raise bad_request("The item is no meeting.", _INVALID[node.name])
        return message
    return Target(found.store, found.folder, found.item, found.found.day)


def _comment(node: Node, name: str = "Body") -> str:
    return node.said(name) or ""


def _answer(call: Call, node: Node, target: Target, disposition: str) -> None:
    response, code, kind = ANSWERS[node.name]
    view = target.view(call)
    if not view.is_meeting:
        raise bad_request("The item is no meeting.", _INVALID[node.name])
    if target.item.own:
        raise bad_request(
            "You can't respond to this meeting because you're the meeting organizer.",
            f"ErrorCalendarIsOrganizer{code}",
        )
    if view.is_cancelled:
        raise bad_request("The meeting is cancelled.", f"ErrorCalendarIsCancelled{code}")
    send = disposition != "SaveOnly"
    comment = _comment(node)

    def make() -> Done:
        answers.answer(
            call.world, target.box, target.item, target.day, response, comment=comment, send=send
        )
        return Done(target.box, target.item, target.day, (response,))

    written(call, kind, make)


def _cancel(call: Call, node: Node, target: Target) -> None:
    view = target.view(call)
    if not target.item.own:
        raise bad_request(
            "You must be the organizer to cancel a meeting.", "ErrorCalendarIsNotOrganizer"
        )
    if not view.is_meeting:
        raise bad_request("The item is no meeting.", _INVALID[node.name])
    # Body is ignored here (EWS docs, CancelCalendarItem).
    comment = _comment(node, "NewBodyContent")

    def make() -> Done:
        events.delete(call.world, target.box, target.item, target.day, comment=comment)
        return Done(target.box, target.item, target.day, ("cancelled",))

    written(call, "cancel", make)


def _remove(call: Call, target: Target) -> None:
    """RemoveItem: takes a meeting that the organizer cancelled out of the calendar."""
    if target.item.own:
        raise bad_request(
            "The organizer cannot remove the meeting so.", "ErrorCalendarIsOrganizerForRemove"
        )
    if not target.view(call).is_cancelled:
        raise bad_request("The meeting is not cancelled.", _INVALID["RemoveItem"])

    def make() -> Done:
        events.delete(call.world, target.box, target.item, target.day)
        return Done(target.box, target.item, target.day, ("removed",))

    written(call, "delete", make)


def _mail(call: Call, node: Node, target: Target) -> None:
    to = [
        read_mailbox(call, one)
        for name in ("ToRecipients", "CcRecipients", "BccRecipients")
        for group in node.all(name)
        for one in group.kids
    ]
    if node.name == "ForwardItem" and not to:
        raise bad_request("There is no recipient.", "ErrorMissingRecipients")
    if node.name != "ForwardItem" and not to:
        to = [target.item.organizer]
    head = "FW: " if node.name == "ForwardItem" else "RE: "
    title = head + answers.title(target.item, target.day)
    kind = "forward" if node.name == "ForwardItem" else "mail"
    for one in to:
        call.world.mail(kind, target.box.address, one.address, title, iCalUId=target.item.uid)
