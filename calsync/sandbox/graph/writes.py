"""Writes to a calendar through Graph: create, change, delete, and the answers of attendees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from .. import answers, events
from ..items import Item
from ..problems import Refusal, bad_body, bad_request
from ..zones import UTC_ZONE
from . import render
from .calendar import find, shown_instance, style_of
from .reader import Reader
from .request import Request, Response, answer

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import World

ANSWER_OF = {
    "accept": "accepted",
    "tentativelyaccept": "tentativelyAccepted",
    "decline": "declined",
}
ROLE_CODE = {"accept": "ForAccept", "tentativelyaccept": "ForTentative", "decline": "ForDecline"}


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did, for the log."""

    response: Response
    item: Item | None = None
    day: date | None = None
    changed: tuple[str, ...] = ()


def create(world: World, request: Request, box: Mailbox) -> Written:
    """POST /events."""
    raw = request.json()
    fields = Reader(world, None).event(raw)
    used = box.transactions.get(fields.transaction_id or "")
    there = box.items.get(used) if used is not None else None
    if there is not None and world.switches.duplicate_answers_event:
        return _made(world, request, box, there, raw)
    if used is not None:
        known = box.items.get(used) or box.tombs.get(used)
        extra = {}
        if known is not None and world.switches.duplicate_existing_id:
            extra["@event.existingEventId"] = box.id_of(known, immutable=request.immutable)
        raise Refusal(
            world.switches.duplicate_status,
            "ErrorDuplicateTransactionId",
            "Your request can't be completed. You can't create an event with a transaction "
            "Id that's already been used.",
            extra=extra,
        )
    if request.flags.get("without_tag"):
        fields = replace(fields, tags={}, extensions={})
    item = events.create(world, box, fields)
    item = box.items.get(item.key, item)
    if request.flags.get("without_tag"):
        raised = Response(503, {"Retry-After": "1"}, b"")
        return Written(raised, item, None, tuple(raw))
    return _made(world, request, box, item, raw)


def _made(
    world: World, request: Request, box: Mailbox, item: Item, raw: Mapping[str, Any]
) -> Written:
    # The POST answer does not echo extended properties.
    # Prefer outlook.timezone is for reading only (microsoft-graph-docs #116, #8755).
    sent = item.when.start_zone if world.switches.create_answers_in_sent_zone else UTC_ZONE
    shown = render.master(box, item, replace(style_of(world, request), zone=sent))
    context = request.context(entity=True)
    location = f"{request.base}/{request.version}/users('{box.user_id}')/events('{shown['id']}')"
    made = answer(
        201,
        {"@odata.context": context, **shown},
        {"Location": location, "ETag": shown["@odata.etag"]},
    )
    return Written(made, item, None, tuple(raw))


def precondition(
    world: World, request: Request, box: Mailbox, item: Item, *, honoured: bool
) -> None:
    """If-Match: 412 ErrorIrresolvableConflict on a stale etag, where the switch says it is
    honoured.
    """
    wanted = request.headers.get("if-match")
    if not wanted or not honoured or wanted.strip() == "*":
        return
    if wanted.strip().removeprefix("W/").strip('"') != render.change_key(box, item):
        raise Refusal(
            world.switches.stale_status,
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key "
            "passed in the request does not match the current change key for the item.",
        )


def update(world: World, request: Request, box: Mailbox, event_id: str) -> Written:
    """PATCH /events/{id}; of an occurrence it makes an exception."""
    item, day = find(world, replace_flags(request), box, event_id)
    precondition(world, request, box, item, honoured=world.switches.if_match_patch)
    raw = request.json()
    fields = Reader(world, shown_instance(item, day)).event(raw)
    made = events.update(world, box, item, day, replace(fields, transaction_id=None))
    made = disturb(world, request, box, made)
    style = replace(style_of(world, request), zone=UTC_ZONE)
    shown = render.event(box, shown_instance(made, day), style)
    context = request.context(entity=True)
    return Written(
        answer(200, {"@odata.context": context, **shown}, {"ETag": shown["@odata.etag"]}),
        made,
        day,
        tuple(raw),
    )


def replace_flags(request: Request) -> Request:
    """Writes always meet the newest version, whatever faults reading suffers."""
    request.flags.pop("stale_s", None)
    return request


def disturb(world: World, request: Request, box: Mailbox, item: Item) -> Item:
    """Faults of the store: Delete + Create instead of Update, or a move that changes the id."""
    if request.flags.get("recreate"):
        return recreate(world, box, item)
    if request.flags.get("new_id"):
        return box.move(item.key, world.tick())
    return item


def recreate(world: World, box: Mailbox, item: Item) -> Item:
    """The item dies and is born again with the same iCalUId (ews-managed-api #255)."""
    world.drop(box, item.key)
    return world.put(box, replace(item, key=world.new_key(), created=0, transaction_id=None))


def delete(
    world: World, request: Request, box: Mailbox, event_id: str, *, purge: bool = False
) -> Written:
    """DELETE /events/{id} and permanentDelete."""
    item, day = find(world, replace_flags(request), box, event_id)
    precondition(world, request, box, item, honoured=world.switches.if_match_delete)
    if purge:
        world.drop(box, item.key)
    else:
        events.throw_away(world, box, item, day)
    return Written(Response(204, {}), item, day, ("deleted",))


def act(world: World, request: Request, box: Mailbox, event_id: str, name: str) -> Written:
    """accept, tentativelyAccept, decline, cancel, forward, permanentDelete and the like."""
    action = name.rpartition(".")[2].casefold()
    if action == "permanentdelete" and not world.switches.national_cloud:
        return delete(world, request, box, event_id, purge=True)
    item, day = find(world, replace_flags(request), box, event_id)
    raw = parameters(request.json_or_empty(), sensitive=world.switches.actions_case_sensitive)
    if action in ANSWER_OF:
        return _respond(world, box, item, day, action, raw)
    if action == "cancel":
        return _cancel(world, box, item, day, raw)
    if action == "forward" and not world.switches.national_cloud:
        people = raw.get("torecipients")
        if not isinstance(people, list) or not people:
            raise bad_body("ToRecipients is required.")
        for one in people:
            to = (
                str(one.get("emailAddress", {}).get("address", ""))
                if isinstance(one, Mapping)
                else ""
            )
            world.mail("forward", box.address, to, answers.title(item, day), iCalUId=item.uid)
        return Written(Response(202, {}), item, day, ("forwarded",))
    if action in ("dismissreminder", "snoozereminder"):
        return Written(Response(202, {}), item, day, ())
    raise Refusal(400, "BadRequest", f"Resource not found for the segment '{name}'.")


def parameters(raw: Mapping[str, Any], *, sensitive: bool) -> dict[str, Any]:
    """Action parameters, PascalCase in the metadata and camelCase in practice: compared
    without case.
    """
    return dict(raw) if sensitive else {name.casefold(): value for name, value in raw.items()}


def _typed(raw: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    value = raw.get(name.casefold())
    if value is None:
        return default
    if not isinstance(value, kind):
        raise bad_body(f"Cannot convert the value of '{name}' to the expected type.")
    return value


def _respond(
    world: World,
    box: Mailbox,
    item: Item,
    day: date | None,
    action: str,
    raw: Mapping[str, Any],
) -> Written:
    send = _typed(raw, "SendResponse", bool, default=True)
    comment = _typed(raw, "Comment", str, "")
    code = ROLE_CODE[action]
    if item.own:
        # Live answers (several clients, 2022 to 2026) have this code, not that of EWS.
        raise bad_request(
            "Your request can't be completed. You can't respond to this meeting because "
            "you're the meeting organizer."
        )
    if send and not item.props.get("responseRequested", True):
        # Live answers of several clients, 2022 to 2026; without sending, it is done.
        raise bad_request(
            "Your request can't be completed. The meeting organizer hasn't requested a response."
        )
    if item.is_cancelled:
        raise bad_request(
            "Your request can't be completed. The meeting is cancelled.",
            f"ErrorCalendarIsCancelled{code}",
        )
    if box.place is not None and not world.switches.respond_allowed_on_rooms:
        raise Refusal(
            403, "ErrorAccessDenied", "Access is denied. Check credentials and try again."
        )
    if day is not None and action == "decline" and not world.switches.decline_occurrence_allowed:
        raise bad_request("Your request can't be completed for an occurrence.")
    if raw.get("comment") is not None and not send:
        # Also an empty one: seen by several clients, in live answers of 2026.
        raise bad_request(
            "'SendResponse' must be true when 'Comment' is not null.", "ErrorInvalidParameter"
        )
    if raw.get("proposednewtime") is not None and (
        action == "accept" or not send or not item.props.get("allowNewTimeProposals", True)
    ):
        raise bad_request(
            "ProposedNewTime needs sendResponse and a meeting that allows new time proposals.",
            "ErrorInvalidRequest" if send else "ErrorInvalidParameter",
        )
    response = ANSWER_OF[action]
    world.later(
        world.switches.respond_delay_s,
        lambda: _respond_now(world, box, item.key, day, response, comment=comment, send=send),
    )
    return Written(Response(202, {}), item, day, (response,))


def _respond_now(
    world: World,
    box: Mailbox,
    key: str,
    day: date | None,
    response: str,
    *,
    comment: str,
    send: bool,
) -> None:
    item = box.items.get(key)
    if item is not None:
        answers.answer(world, box, item, day, response, comment=comment, send=send)


def _cancel(
    world: World, box: Mailbox, item: Item, day: date | None, raw: Mapping[str, Any]
) -> Written:
    if not item.own:
        raise bad_request(
            "Your request can't be completed. You need to be an organizer to cancel a meeting."
        )
    comment = _typed(raw, "Comment", str, "")
    events.delete(world, box, item, day, comment=comment)
    return Written(Response(202, {}), item, day, ("cancelled",))
