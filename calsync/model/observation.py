"""What one side showed for one item, and the closed union of what it may have shown.

``key`` names the item on its side (event id; booking part). ``mark`` is the order of
modification on that side: the server's modification time in 100 ns ticks (Graph), or the
change number (booking side). ``version`` is the side's opaque change marker.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b

from calsync.model.occupancy import Occupancy
from calsync.model.refusal import Refusal
from calsync.model.rooms import NOBODY, Person


class RoomAnswer(StrEnum):
    """What the room answered to a meeting in a person's calendar. NONE: it is no such meeting."""

    NONE = ""
    WAITING = "waiting"
    ACCEPTED = "accepted"
    DECLINED = "declined"


#: Begins the key of an item that lies in a person's calendar, not in the room's.
_THEIRS = "~"


def their_key(id_: str) -> str:
    """The key of an item that lies in a person's calendar. Whose is no part of it: keys are
    logged."""
    return _THEIRS + id_


def is_theirs(key: str | None) -> bool:
    """True where the key names an item in a person's calendar."""
    return key is not None and key.startswith(_THEIRS)


def their_id(key: str) -> str:
    """The id that the side itself gave the item of such a key."""
    return key.removeprefix(_THEIRS)


@dataclass(frozen=True, slots=True)
class Whole:
    """The booking that an item is one of several parts of: all that it says, and which of its dates
    were refused. ``waits``: other parts of it have no answer yet."""

    content: Occupancy
    refusal: Refusal | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The item is there. ``fingerprint`` is that of ``occupancy``, computed once at the edge.

    ``owned``: False for an attendee's copy, which may be declined but never changed.
    ``tag``: our mark on the item, where we wrote it: the id of the link; a hint, no authority.
    ``replaces``: where we made the item in place of another of the same link, the mark of that
    one's key (``former_mark``).
    ``maker``: which installation of calsync wrote it, where the tag says so.
    ``uid``: the identity it shares with copies elsewhere (iCalUId).
    ``person``: who booked it. ``pending``: a booking that waits for the calendar's answer.
    ``created``, ``modified``: by the server's clock, aware UTC. ``claimed``: when its time was
    claimed, where that was before it appeared here: on a third side, from which it was mirrored.
    ``late``: a create of ours made it that had been given up, after somebody threw away what
    another one made.
    ``answer``: of a meeting in a person's calendar, what the room said; ``answered``: when, by the
    server's clock, where it tells. ``copy``: the key of the room's own copy, where it is known.
    ``organizer``: in whose mailbox it was found, where no link knows. ``whole``: the booking of
    which it is a part.
    """

    key: str
    occupancy: Occupancy
    fingerprint: str
    version: str
    mark: int
    created: datetime
    owned: bool = True
    uid: str = ""
    tag: str | None = None
    person: Person = NOBODY
    pending: bool = False
    seats: int | None = None
    modified: datetime | None = None
    maker: str = ""
    claimed: datetime | None = None
    replaces: str = ""
    late: bool = False
    answer: RoomAnswer = RoomAnswer.NONE
    answered: datetime | None = None
    copy: str = ""
    organizer: str = ""
    whole: Whole | None = None


def former_mark(key: str) -> str:
    """A short mark by which what replaces an item names the key of that one."""
    return blake2b(key.encode(), digest_size=4).hexdigest()


class Absence(StrEnum):
    """Why an item counts as gone. Absence from a list is not among them."""

    READ = "a targeted read did not find it"
    CANCELLED = "it is marked cancelled"
    DECLINED = "the room declined it"
    REFUSED = "the booking was rejected"
    DELETED = "its deletion is recorded in a complete change feed"
    REMOVED = "it was deleted as calsync asked"
    UNINVITED = "the room was taken off the meeting"
    DROPPED = "the room does not hold it any more"
    RESHAPED = "its booking is carried in other items now"
    REPLACED = "another item was made in its place"
    TWICE = "it was made twice"


#: Reasons (``Half.reason``) for which an item is gone while its booking lives on in others: nobody
#: deleted that, so there is nothing to make again.
LIVES_ON = frozenset({Absence.RESHAPED.value, Absence.REPLACED.value, Absence.TWICE.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The item is not there any more, by positive evidence. ``whole``: of a part of a booking that
    was rejected, all of it."""

    key: str
    absence: Absence
    mark: int | None = None
    whole: Whole | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Not seen, not complete, failed or stale: never a reason to write.

    ``poison``: the item itself cannot be understood; it is parked with ``reason``.
    """

    key: str
    reason: str
    poison: bool = False


Observation = Seen | Gone | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What one side's change feed gave for one room since a cursor.

    ``hints`` are keys reported as removed: nothing until a targeted read confirms. ``missing`` are
    keys that were reported as changed, and that a read did not find: nothing, either.
    ``complete`` is True for a full listing: linked keys that it lacks are hints, too.
    ``cursor`` may be stored only with what was read under it.
    """

    observations: tuple[Observation, ...] = ()
    hints: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    cursor: str = ""
    complete: bool = False
