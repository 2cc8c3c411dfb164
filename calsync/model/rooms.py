"""Rooms, resource calendars, and the pair that joins one of each."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum


class Side(StrEnum):
    """BOOKING: the booking platform. CALENDAR: Exchange."""

    BOOKING = "booking"
    CALENDAR = "calendar"

    @property
    def other(self) -> Side:
        return Side.CALENDAR if self is Side.BOOKING else Side.BOOKING


class EditPolicy(StrEnum):
    """Who wins a field that both sides changed to different values."""

    ORIGIN = "origin"
    CALENDAR = "calendar"
    BOOKING = "booking"
    ASK = "ask"


class ClashPolicy(StrEnum):
    """Who keeps the room when two bookings claim it at one time."""

    FIRST = "first"
    CALENDAR = "calendar"
    BOOKING = "booking"
    ASK = "ask"


class Reaction(StrEnum):
    """What a booking made in Outlook gets for breaking a rule of the room."""

    NOTHING = "nothing"
    WARN = "warn"
    DECLINE = "decline"


class WriteAs(StrEnum):
    """As what a booking of the platform stands in Exchange: an event of the room's own, or a
    meeting in the calendar of the person who booked, to which the room is invited."""

    ROOM = "room"
    ORGANIZER = "organizer"


class OrganizerFallback(StrEnum):
    """What becomes of a booking whose person has no calendar that calsync may write to."""

    REFUSE = "refuse"
    ROOM = "room"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactions:
    """One for each rule. ``length``: too short or too long."""

    opening_hours: Reaction = Reaction.NOTHING
    notice: Reaction = Reaction.NOTHING
    length: Reaction = Reaction.NOTHING
    ahead: Reaction = Reaction.NOTHING
    seats: Reaction = Reaction.NOTHING

    @property
    def any(self) -> bool:
        """True where anything is judged at all."""
        return any(getattr(self, f.name) is not Reaction.NOTHING for f in fields(self))


#: Outlook's bookings are mirrored as they are.
LET_BE = Reactions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A bookable space on the booking side. ``zone`` is its IANA home zone."""

    id: str
    name: str
    zone: str
    building: str = ""
    floor: str = ""
    capacity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceCalendar:
    """A room mailbox as the directory shows it. ``address`` (lower case) is its key."""

    address: str
    name: str
    building: str = ""
    floor: str = ""
    capacity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The admin's mapping: one room joined to one resource calendar of one connection.

    ``titles``: whether subjects are stored and carried for this room (off by default).
    ``reactions``: what Outlook's bookings get that break the room's rules; ``own_reactions``: what
    of it was said for this room, as text, where the rest comes from the settings;
    ``reactions_since``: since when it is like that (aware UTC), as far as the store knows.
    ``write_as``, ``organizer_fallback``: as what its bookings stand in Exchange.
    """

    id: str
    room_id: str
    connection: str
    mailbox: str
    zone: str
    titles: bool = False
    edit_policy: EditPolicy = EditPolicy.ORIGIN
    clash_policy: ClashPolicy = ClashPolicy.FIRST
    reactions: Reactions = LET_BE
    own_reactions: str = ""
    reactions_since: datetime | None = field(default=None, compare=False)
    write_as: WriteAs = WriteAs.ROOM
    organizer_fallback: OrganizerFallback = OrganizerFallback.REFUSE


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a notice goes to. Either part may be empty."""

    name: str = ""
    address: str = ""


#: No person known: what a value that names nobody carries.
NOBODY = Person()
