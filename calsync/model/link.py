"""A booking joined to an event, with the last state both sides agreed on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from calsync.model.observation import RoomAnswer, is_theirs
from calsync.model.occupancy import Occupancy
from calsync.model.refusal import Refusal
from calsync.model.rooms import NOBODY, Person, Side
from calsync.model.tally import NONE_YET, Tally


class Presence(StrEnum):
    """What the accepted observations of one side add up to."""

    NEVER = "never"
    PRESENT = "present"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One side of a link: the newest accepted observation.

    ``seen`` is None where it equals the base of the link (the usual case, kept once), or
    where the item is not present. ``fingerprint`` is that of what is there; empty where nothing
    is (not PRESENT). ``sent``: the fingerprints, parted by blanks, of what we wrote, or
    tried to write, over this ``version`` (see ``reconcile.sent``). While the item is NEVER seen,
    ``seen`` is what a create in flight wants to make, where the other side shows something else
    by now.
    ``since``: when the item came to claim its present time on this side, by that side's
    clock (its creation, later the last change that moved it). ``answer``: what the room said to a
    meeting that lies in a person's calendar; ``copy``: the key of the room's own copy of it.
    """

    presence: Presence = Presence.NEVER
    key: str | None = None
    version: str = ""
    mark: int = -1
    fingerprint: str = ""
    seen: Occupancy | None = None
    created: datetime | None = None
    owned: bool = True
    uid: str = ""
    reason: str = ""
    since: datetime | None = None
    sent: str = ""
    answer: RoomAnswer = RoomAnswer.NONE
    copy: str = ""

    @property
    def changeable(self) -> bool:
        """True where a change takes effect: the room organizes it, or it is the organizer's copy in
        a person's calendar. What people made there themselves is not ``owned``: for the room it can
        be declined, and is never deleted."""
        return self.owned or is_theirs(self.key)

    @property
    def waits(self) -> bool:
        """True while the room has not answered a meeting in a person's calendar."""
        return self.presence is Presence.PRESENT and self.answer is RoomAnswer.WAITING

    @property
    def declined(self) -> bool:
        """True where the room said no to a meeting in a person's calendar."""
        return self.presence is Presence.PRESENT and self.answer is RoomAnswer.DECLINED


class LinkState(StrEnum):
    ACTIVE = "active"
    PARKED = "parked"
    BURIED = "buried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A booking joined to an event.

    ``base`` is None until both sides have held the item. ``revision`` grows with every stored
    change; an effect of an older revision is void. ``in_flight``: an effect was sent and its
    outcome is not known yet; nothing new is decided until it is. ``attempts`` counts writes of
    one target that did not stick, ``writes`` those of the last hour, whether they did or not (the
    two loop breakers). ``claim``: the side on which people
    claimed the present time (the origin, until the item is moved on the other side).
    ``refusal``: dates of this series that were refused, until the person has been told.
    ``passed``: what the calendar's item may be as the room's rules were applied to it, where the
    base does not say it yet; ``passed_seats``: for how many people. It is not judged again.
    ``organizer``: the mailbox in which its event is, or is about to be, a meeting of the person who
    booked; empty: the room's. ``hindrance``: why it cannot be made in that person's calendar.
    ``slept``: it waited for something when nobody had looked at the room for long. What comes of it
    may have been told in a life that a restored database does not know.
    """

    id: str
    pair_id: str
    origin: Side
    booking: Half = Half()
    event: Half = Half()
    base: Occupancy | None = None
    base_fingerprint: str = ""
    state: LinkState = LinkState.ACTIVE
    reason: str = ""
    revision: int = 0
    in_flight: bool = False
    attempts: int = 0
    pending: bool = False
    person: Person = NOBODY
    seats: int | None = None
    claim: Side | None = None
    refusal: Refusal | None = None
    passed: Occupancy | None = None
    passed_seats: int | None = None
    writes: Tally = NONE_YET
    organizer: str = ""
    hindrance: str = ""
    slept: bool = False

    @property
    def claimed_on(self) -> Side:
        return self.claim or self.origin

    def half(self, side: Side) -> Half:
        return self.booking if side is Side.BOOKING else self.event


class Change(StrEnum):
    """An observation against the base."""

    UNCHANGED = "unchanged"
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    NEVER = "never"
    UNKNOWN = "unknown"
