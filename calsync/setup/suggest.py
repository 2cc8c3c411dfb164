"""Which room is which room mailbox: pairs suggested by name, seats and building. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from calsync.model import ResourceCalendar, Room

#: Words that say of every room that it is one.
_EVERY = (
    "room rooms raum meeting conference conf konferenz besprechung besprechungsraum sal sala salle"
    " kamer zaal vergaderzaal rum res resource mailbox the der die das"
)
_NOISE = frozenset(_EVERY.split())
_WORD = re.compile(r"[a-z]+|[0-9]+|[^\W\d_]+")
_NAME, _SEATS, _BUILDING = 70, 15, 15
#: What two candidates may differ by without one of them being clearly the better.
_CLOSE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """``score``: 0 to 100. ``reason`` says what agrees; ``rival``: another that fits as well."""

    room: Room
    calendar: ResourceCalendar
    score: int
    reason: str
    rival: str = ""


def suggest(
    rooms: Sequence[Room], calendars: Sequence[ResourceCalendar], *, least: int = 50
) -> list[Suggestion]:
    """Each room and each mailbox at most once, the best first. The same on every run."""
    scored = sorted(
        (
            (points, room, calendar, reason)
            for room in rooms
            for calendar in calendars
            for points, reason in [compare(room, calendar)]
            if points >= least
        ),
        key=lambda one: (-one[0], one[1].id, one[2].address),
    )
    taken_rooms: set[str] = set()
    taken: set[str] = set()
    found = []
    for points, room, calendar, reason in scored:
        if room.id in taken_rooms or calendar.address in taken:
            continue
        taken_rooms.add(room.id)
        taken.add(calendar.address)
        close = [
            other.address if one.id == room.id else one.id
            for value, one, other, _ in scored
            if value >= points - _CLOSE
            and (one.id == room.id) != (other.address == calendar.address)
        ]
        found.append(
            Suggestion(
                room=room,
                calendar=calendar,
                score=points,
                reason=reason,
                rival=close[0] if close else "",
            )
        )
    return found


def compare(room: Room, calendar: ResourceCalendar) -> tuple[int, str]:
    """How well the two fit, and in what."""
    reasons = []
    local = calendar.address.partition("@")[0]
    likeness = max(
        _alike(one, other)
        for one in (room.name, room.id)
        for other in (calendar.name, local)
        if one and other
    )
    points = round(likeness * _NAME)
    if likeness == 1.0:
        reasons.append("same name")
    elif likeness >= 0.6:
        reasons.append(f"similar name ({likeness:.0%})")
    if room.capacity and calendar.capacity:
        if room.capacity == calendar.capacity:
            points += _SEATS
            reasons.append(f"{room.capacity} seats each")
        else:
            points -= _SEATS
            reasons.append(f"but {room.capacity} and {calendar.capacity} seats")
    if room.building and calendar.building:
        if _alike(room.building, calendar.building) >= 0.8:
            points += _BUILDING
            reasons.append(f"building {calendar.building}")
        else:
            points -= 2 * _BUILDING
            reasons.append(f"but buildings {room.building} and {calendar.building}")
    # A name alone may be all that is known: it is then all there is to agree in.
    known = _NAME + _SEATS * bool(room.capacity and calendar.capacity)
    known += _BUILDING * bool(room.building and calendar.building)
    return max(0, min(100, round(points * 100 / known))), ", ".join(reasons)


def _alike(one: str, other: str) -> float:
    """0 to 1. Numbers must be the same: room 12 is not room 21, whatever else agrees."""
    mine, theirs = _words(one), _words(other)
    if not mine or not theirs:
        return 0.0
    if [w for w in mine if w.isdigit()] != [w for w in theirs if w.isdigit()]:
        return 0.0
    mine, theirs = sorted(mine), sorted(theirs)
    if mine == theirs:
        return 1.0
    joined = SequenceMatcher(None, "".join(mine), "".join(theirs), autojunk=False).ratio()
    shared = len(set(mine) & set(theirs)) / max(len(set(mine)), len(set(theirs)))
    return min(0.99, max(joined, shared))


def _words(text: str) -> list[str]:
    """Words and numbers of a name, without accents and without what every room is called."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(sign for sign in bare if not unicodedata.combining(sign))
    words = [w.lstrip("0") or "0" if w.isdigit() else w for w in _WORD.findall(bare)]
    return [w for w in words if w not in _NOISE] or words


_NO_ID = re.compile(r"[^a-z0-9]+")


def new_ids(calendars: Iterable[ResourceCalendar], taken: Iterable[str]) -> dict[str, str]:
    """An id for a room of each mailbox, by address: from its name, none given twice."""
    used = set(taken)
    found: dict[str, str] = {}
    for calendar in calendars:
        bare = unicodedata.normalize("NFKD", calendar.name.casefold())
        stem = _NO_ID.sub("-", bare.encode("ascii", "ignore").decode()).strip("-")
        stem = (stem or _NO_ID.sub("-", calendar.address.partition("@")[0]).strip("-") or "room")[
            :56
        ]
        name, number = stem, 2
        while name in used:
            name, number = f"{stem}-{number}", number + 1
        used.add(name)
        found[calendar.address] = name
    return found
