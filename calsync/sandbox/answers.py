"""Answers to meeting requests: given by an attendee, tracked in the organizer's copy."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from .items import Attendee, Instance, Item, Override, instance
from .mailbox import Mailbox

if TYPE_CHECKING:
    from .world import World

ANSWERS = {
    "accepted": "Accepted: ",
    "declined": "Declined: ",
    "tentativelyAccepted": "Tentative: ",
}


def title(item: Item, day: date | None = None) -> str:
    """Subject of the mail about an item."""
    shown = instance(item, day) if day else None
    return str((shown or Instance(item, None, item.when)).prop("subject", "") or "")


def set_status(
    world: World,
    box: Mailbox,
    uid: str,
    address: str,
    answer: str,
    *,
    day: date | None = None,
    refused: frozenset[date] = frozenset(),
) -> None:
    """Track an answer in the organizer's copy.

    One of a single date makes that date an exception.
    """
    item = box.find_uid(uid)
    if item is None:
        return
    at = world.tick()
    overrides = dict(item.overrides)
    if day is None:
        changed = replace(item, attendees=answered(item.attendees, address, answer, at))
        for known, one in overrides.items():
            if one.attendees is not None:
                overrides[known] = replace(
                    one, attendees=answered(one.attendees, address, answer, at)
                )
    else:
        changed = item
    for date_ in refused | ({day} if day else frozenset()):
        shown = instance(item, date_)
        if shown is not None:
            one = overrides.get(date_) or Override(shown.when)
            people = one.attendees if one.attendees is not None else changed.attendees
            verdict = "declined" if date_ in refused else answer
            overrides[date_] = replace(one, attendees=answered(people, address, verdict, at))
    world.put(box, replace(changed, overrides=overrides))


def answered(
    people: tuple[Attendee, ...], address: str, answer: str, at: int
) -> tuple[Attendee, ...]:
    """The attendees with one answer noted."""
    folded = address.casefold()
    return tuple(
        replace(one, response=answer, at=at) if one.person.address.casefold() == folded else one
        for one in people
    )


def answer(
    world: World,
    box: Mailbox,
    item: Item,
    day: date | None,
    response: str,
    *,
    comment: str = "",
    send: bool = True,
) -> None:
    """An attendee accepts, tentatively accepts or declines, by hand or through an app."""
    at = world.tick()
    if response == "declined" and world.switches.decline_removes_copy:
        if day is None:
            world.drop(box, item.key)
        else:
            rest = {known: one for known, one in item.overrides.items() if known != day}
            gone = frozenset({day})
            world.put(
                box,
                replace(
                    item,
                    cancelled=item.cancelled | gone,
                    declined=item.declined | gone,
                    overrides=rest,
                ),
            )
    else:
        _mark(world, box, item, day, response, at)
    told = send and (
        bool(item.props.get("responseRequested", True)) or world.switches.decline_mails_unrequested
    )
    if told:
        tell_organizer(world, box, item, day, response, comment)


def _mark(world: World, box: Mailbox, item: Item, day: date | None, response: str, at: int) -> None:
    home = world.box(item.organizer.address)
    meant = home.find_uid(item.uid) if home else None
    busy = meant.props.get("showAs", "busy") if meant else "busy"
    shown = {"accepted": busy, "declined": "free"}.get(response, "tentative")
    if day is None:
        world.put(
            box, replace(item, response=(response, at), props={**item.props, "showAs": shown})
        )
        return
    found = instance(item, day)
    if found is not None:
        old = item.overrides.get(day) or Override(found.when)
        one = replace(old, response=(response, at), props={**old.props, "showAs": shown})
        world.put(box, replace(item, overrides={**item.overrides, day: one}))


def tell_organizer(
    world: World, box: Mailbox, item: Item, day: date | None, response: str, comment: str
) -> None:
    """Mail the answer and note it in the organizer's copy."""
    detail: dict[str, Any] = {"iCalUId": item.uid, "response": response, "comment": comment}
    if day is not None:
        detail["date"] = day.isoformat()
    organizer = item.organizer.address
    world.mail("response", box.address, organizer, ANSWERS[response] + title(item, day), **detail)
    home = world.box(organizer)
    if home is not None:
        set_status(world, home, item.uid, box.address, response, day=day)
