"""Intended writes and what became of them: plain values that can be printed and stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from calsync.model.link import Link
from calsync.model.observation import Gone, Seen
from calsync.model.occupancy import Occupancy
from calsync.model.refusal import Refusal
from calsync.model.rooms import NOBODY, Person, Side


class EffectKind(StrEnum):
    """Everything calsync may do to a side. ``value`` is what plans and logs print."""

    CREATE_EVENT = "create event"
    CHANGE_EVENT = "change event"
    DELETE_EVENT = "delete event"
    DECLINE_EVENT = "decline event"
    CREATE_BOOKING = "create booking"
    CHANGE_BOOKING = "change booking"
    DELETE_BOOKING = "delete booking"
    CONFIRM_BOOKING = "confirm booking"
    REJECT_BOOKING = "reject booking"

    @property
    def side(self) -> Side:
        return _SIDES[self]

    @property
    def frees(self) -> bool:
        """True where the effect can only free time (such effects go first)."""
        return self in _FREEING


_SIDES = {
    kind: Side.CALENDAR if kind.value.endswith("event") else Side.BOOKING for kind in EffectKind
}
_FREEING = frozenset(
    {
        EffectKind.DELETE_EVENT,
        EffectKind.DECLINE_EVENT,
        EffectKind.DELETE_BOOKING,
        EffectKind.REJECT_BOOKING,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One intended write.

    ``version`` is the precondition (the version the decision was made on; empty for creates).
    ``was`` is the state that version showed. ``id`` is also the idempotency key.
    ``refusal`` belongs to declines and rejections, and to changes that give up refused dates.
    ``merged``: the target is not what the other side showed, so the base stays where it is
    until that side has it, too. ``tag`` is written onto a created item: the id of the link.
    ``seats``: how many people it is for, where that is known. ``organizer``: the mailbox of a
    person, where the event is a meeting in that one's calendar. ``parts``: of a booking that was
    one item, the calendar holds the target in several.
    """

    id: str
    kind: EffectKind
    link_id: str
    revision: int
    why: str
    key: str | None = None
    version: str = ""
    was: Occupancy | None = None
    target: Occupancy | None = None
    fingerprint: str = ""
    refusal: Refusal | None = None
    uid: str = ""
    person: Person = NOBODY
    created: datetime | None = None
    owned: bool = True
    merged: bool = False
    seats: int | None = None
    organizer: str = ""
    parts: bool = False

    @property
    def tag(self) -> str:
        return self.link_id


# --- outcomes ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done:
    """It took effect; ``now`` is what the side shows after it.

    ``complete`` is False where only a part of the target could be written yet (a series
    whose master was made but not all of its exceptions): the rest is derived again.
    ``earlier``: this try made nothing, for an earlier one had made ``now``.
    """

    now: Seen | Gone
    complete: bool = True
    earlier: bool = False


@dataclass(frozen=True, slots=True)
class Stale:
    """The item changed since the decision: nothing was written. ``now`` if it was read. ``tried``:
    it was looked up after a write in doubt, which may have been carried out before that change."""

    now: Seen | Gone | None = None
    tried: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """Not executed for sure (throttled, refused at the door). ``seconds`` until it makes sense."""

    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The side will not do this, now or later; the item is parked with the reason."""

    reason: str
    code: str = ""


#: The code of a create that was refused because the person's calendar is not there, or not ours to
#: write to: nothing was made.
NO_ORGANIZER = "no-organizer"


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Sent, reply lost: look it up before anything is sent again. ``made``: the side says that
    it has made the item, but does not show it."""

    reason: str = ""
    made: bool = False


Outcome = Done | Stale | Later | Refused | InDoubt


# --- conflicts and notices ---------------------------------------------------------------

#: The policy of a clash of bookings that stood before the room was imported: both stay.
BOTH_STAY = "import"


class ConflictKind(StrEnum):
    EDIT = "edit conflict"
    DELETE_EDIT = "delete against edit"
    CLASH = "clash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A conflict and its decision. What lost stays here and can be restored.

    ``winner`` is None while parked (policy ``ask``), and where both stay (``BOTH_STAY``).
    """

    kind: ConflictKind
    link_id: str
    other_link_id: str | None
    policy: str
    winner: Side | None
    reason: str
    lost: Occupancy | None = None
    fields: tuple[str, ...] = ()

    @property
    def parked(self) -> bool:
        return self.winner is None


class NoticeKind(StrEnum):
    """CONFIRMED and REJECTED answer whoever asked on the platform. CHANGED and CANCELLED are news
    of a booking that stood. STARTING: it begins soon."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CHANGED = "changed"
    CANCELLED = "cancelled"
    STARTING = "starting"
    WARNED = "warned"


#: The kinds that answer a question.
ANSWERS = frozenset({NoticeKind.CONFIRMED, NoticeKind.REJECTED})
#: The channel of what goes to the person who booked.
MAIL = "mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to a person, or to a shared channel (``channel``, then ``person`` is whom it is
    about), at most once per (booking key, revision, recipient, kind).

    ``was``: the booking as it stood before (CHANGED). ``cause``: the side on which people changed
    or cancelled it. A STARTING notice is about one date: its occupancy is that date in UTC. Of a
    WARNED one the key is that of the link, since there may be no booking yet, and the revision
    names the act of the person.
    """

    kind: NoticeKind
    link_id: str
    booking_key: str
    revision: str
    person: Person
    occupancy: Occupancy
    refusal: Refusal | None = None
    was: Occupancy | None = None
    cause: Side | None = None
    channel: str = MAIL

    @property
    def recipient(self) -> str:
        """Whom the ledger tells once: the address of the person, or the channel."""
        return self.person.address if self.channel == MAIL else f"#{self.channel}"


@dataclass(frozen=True, slots=True)
class Skip:
    """A link about which nothing was decided, and why."""

    link_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided about a link, for the audit chain: a verb and a sentence."""

    link_id: str
    verb: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """The guard's refusal of a plan: what it would have done, and what the admin can do."""

    reason: str
    deletions: int
    items: int


@dataclass(slots=True, kw_only=True)
class Plan:
    """What a cycle intends: links to store, effects in order, conflicts, skips, rulings, warnings.

    If ``halt`` is set, nothing of it may be carried out. ``quiet``: in a preview, that people are
    told nothing of it.
    """

    links: list[Link] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    halt: Halt | None = None
    quiet: bool = False
