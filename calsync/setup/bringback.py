"""Bringing back what calsync removed or wrote over: as acts on the platform, which the next sync
carries to Outlook with all its checks, as if people had done them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from calsync.adapters.hub.desk import Precondition
from calsync.adapters.hub.problems import NotFound, RoomConflict
from calsync.conflicts.clash import shown
from calsync.errors import CalsyncError
from calsync.mapping.booking import CONTENT, content_to_json, person_to_json
from calsync.mapping.booking_values import FOREVER, Booking
from calsync.mapping.expand import extent
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    NOBODY,
    EffectKind,
    Interval,
    Link,
    Occupancy,
    Pair,
    Person,
    Presence,
    Side,
)
from calsync.store.former import Former

if TYPE_CHECKING:
    from calsync.bootstrap import Home


class Act(StrEnum):
    """What is done to bring an item back."""

    CHANGE = "change back"
    BOOK = "book again"
    CANNOT = "cannot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One item. ``content``: how it was; ``booking``: the booking that is changed, or whose owner
    and names a new one takes over. ``note`` says what to know, or why it cannot be."""

    link_id: str
    act: Act
    content: Occupancy
    booking: Booking | None
    person: Person
    done_at: datetime
    done: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``ok`` and the booking's id, or why not."""

    step: Step
    ok: bool
    said: str


def plan(home: Home, pair: Pair, since: datetime) -> list[Step]:
    """What calsync did to the room's items since then, turned back; oldest first. What is over is
    left out, and what stands as it was."""
    first: dict[str, Former] = {}
    last: dict[str, Former] = {}
    for entry in home.former.since(pair.id, since):
        first.setdefault(entry.link_id, entry)
        last[entry.link_id] = entry
    links = {link.id: link for link in home.store.links_by_id(sorted(first))}
    found = []
    for link_id, entry in first.items():
        end = extent(entry.was, pair.zone)[1]
        if end is not None and end <= home.clock.now():
            continue
        step = _step(home, pair, entry, last[link_id], links.get(link_id))
        if step is not None:
            found.append(step)
    return found


def _step(home: Home, pair: Pair, entry: Former, newest: Former, link: Link | None) -> Step | None:
    def made(act: Act, booking: Booking | None, note: str = "") -> Step:
        person = booking.person if booking is not None else NOBODY
        return Step(
            link_id=entry.link_id,
            act=act,
            content=entry.was,
            booking=booking,
            person=person if person != NOBODY or link is None else link.person,
            done_at=newest.at,
            done=f"{newest.kind.value}: {newest.why}",
            note=note,
        )

    if link is not None and _as_it_was(link, entry.was):
        return None
    key = link.booking.key if link is not None else None
    key = key or (entry.key if entry.kind.side is Side.BOOKING else None)
    booking_id, _, part = (key or "").partition("#")
    booking = _booking(home, booking_id)
    if part or (booking is not None and booking.parts):
        return made(
            Act.CANNOT,
            booking,
            "Outlook holds this series in several parts: change the booking on the platform",
        )
    if newest.kind is EffectKind.DECLINE_EVENT:
        return made(
            Act.CANNOT,
            booking,
            "the room declined the meeting: its organiser has to invite the room again",
        )
    if booking is not None and booking.status.live:
        if not booking.editable:
            return made(
                Act.CANNOT,
                booking,
                "the meeting is its organiser's: only the organiser can change it, in Outlook",
            )
        if booking.fingerprint == fingerprint(entry.was):
            return None
        return made(Act.CHANGE, booking)
    if _stands_again(home, pair, entry.was):
        return None
    outlook = link is not None and link.origin is Side.CALENDAR and not link.event.owned
    note = (
        "comes back as a booking of the platform: the organiser's meeting is gone"
        if outlook
        else ""
    )
    return made(Act.BOOK, booking, note)


def _as_it_was(link: Link, was: Occupancy) -> bool:
    wanted = fingerprint(was)
    there = [shown(link, side) for side in Side if link.half(side).presence is Presence.PRESENT]
    return bool(there) and all(one is not None and fingerprint(one) == wanted for one in there)


def _stands_again(home: Home, pair: Pair, was: Occupancy) -> bool:
    """True where a booking says the same: it was brought back already, or made again by hand."""
    start, end = extent(was, pair.zone)
    ((_, live),) = home.bookings.live([pair.room_id], Interval(start, end or FOREVER))
    wanted = fingerprint(was)
    return any(booking.fingerprint == wanted for booking in live)


def _booking(home: Home, booking_id: str) -> Booking | None:
    if not booking_id:
        return None
    try:
        return home.bookings.booking(booking_id).booking
    except NotFound:
        return None


# --- acts ------------------------------------------------------------------------------------


def carry_out(home: Home, pair: Pair, steps: Iterable[Step]) -> list[Outcome]:
    """Every step that can be done, each for itself: one whose time is taken stops no other."""
    found = []
    for step in steps:
        if step.act is Act.CANNOT:
            found.append(Outcome(step=step, ok=False, said=step.note))
            continue
        try:
            if step.act is Act.CHANGE and step.booking is not None:
                said = change_back(home, step.booking.id, step.content, pair)
            else:
                said = book_again(home, pair.room_id, step.content, step.person, like=step.booking)
        except CalsyncError as error:
            found.append(Outcome(step=step, ok=False, said=reason(error)))
        else:
            found.append(Outcome(step=step, ok=True, said=said))
    return found


def reason(error: CalsyncError) -> str:
    """Why the platform would not, in a sentence."""
    if isinstance(error, RoomConflict):
        held = error.overlaps[0]
        return (
            f"its time is taken by booking {held.booking.id}"
            f" ({held.start:%Y-%m-%d %H:%M}-{held.end:%H:%M} UTC)"
        )
    return str(error)


def change_back(home: Home, booking_id: str, content: Occupancy, pair: Pair) -> str:
    """Give a booking the content it had; its id. Raises HubProblem, InvalidBooking."""
    doc = content_to_json(content, pair.zone)
    doc.pop("@type", None)
    patch: dict[str, Any] = {name: doc.get(name) for name in CONTENT if name != "rrule"}
    if content.title is None:
        # Titles that were not carried are not known, and not to be taken off.
        patch.pop("title")
    home.bookings.patch(booking_id, patch, Precondition())
    return booking_id


def book_again(
    home: Home,
    room_id: str,
    content: Occupancy,
    person: Person,
    *,
    like: Booking | None = None,
) -> str:
    """Book what is gone, for whoever had it, under the platform's own name for it; the new
    booking's id. Raises HubProblem, InvalidBooking."""
    zone = home.bookings.room(room_id).room.zone
    doc = content_to_json(content, zone)
    if person != NOBODY:
        doc["bookedBy"] = person_to_json(person)
    if like is not None and like.seats is not None:
        doc["seats"] = like.seats
    if like is not None and like.external_id is not None and like.room_id == room_id:
        return home.bookings.put_external(room_id, like.external_id, doc).booking.id
    made = home.bookings.create(room_id, doc)
    booking = getattr(made, "booking", None)
    assert isinstance(booking, Booking)
    return booking.id
