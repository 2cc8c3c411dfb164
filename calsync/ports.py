"""The edges of calsync as Protocols. A stranger who wants to add a third calendar system
implements :class:`SyncSide` and passes the contract suite in ``tests/contract``.

Threads: one control thread plans and changes state; blocking calls to a calendar run on a
bounded pool, one in flight per mailbox. A side need not be safe for two calls on the same
pair at once; it must be safe for calls on different pairs at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from calsync.mapping.booking_rules import RoomRules
from calsync.model import (
    NONE_YET,
    Conflict,
    EditPolicy,
    Effect,
    Interval,
    Link,
    Notice,
    NoticeKind,
    Observation,
    Outcome,
    Pair,
    Pull,
    ResourceCalendar,
    Room,
    Side,
    Tally,
    Window,
)


class Clock(Protocol):
    """Time, passed in. ``now`` is wall time (aware, UTC); ``monotonic`` is for waits (seconds)."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a side can do beyond the port; differences are declared, never guessed.

    ``conditional_writes``: the server itself refuses a stale version. Where False the
    adapter re-reads and compares before it writes, which leaves a short race.
    ``find_by_tag``: an item can be looked up by our tag after a lost reply.
    ``remakes``: a change may delete an item and make it anew under another key, so that one that
    is not found by its key is looked for by its uid, too.
    ``keeps``: what was cancelled is kept, and told as that: an item of which nothing at all is
    there was lost with a restore.
    ``local``: calls do not leave this process; they may run on the control thread.
    """

    conditional_writes: bool
    find_by_tag: bool = True
    local: bool = False
    remakes: bool = False
    keeps: bool = False


class SyncSide(Protocol):
    """One side of a pair, as the engine sees it.

    All methods may raise :class:`calsync.errors.SideError` for the call as a whole; nothing
    was changed then, except after ``Unavailable`` from ``apply`` (outcome unknown: the
    engine treats every effect of that call as in doubt).
    """

    @property
    def side(self) -> Side: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def pull(self, pair: Pair, cursor: str | None, window: Window) -> Pull:
        """Everything that changed since ``cursor``; all of it in ``window`` where it is None.

        A series is reported whole, under its own key, whenever any part of it changed. An item
        that cannot be understood gives ``Unknown(poison=True)`` and never fails the pull.
        Raises CursorExpired where the cursor is void; the engine then pulls with None.
        """
        ...

    def read(self, pair: Pair, keys: Sequence[str]) -> list[Observation]:
        """A targeted, fresh read of each key, in order. ``Gone`` only where the side says so
        while the mailbox itself still answers; ``Unknown`` in every other doubt."""
        ...

    def find(self, pair: Pair, tags: Sequence[str]) -> Mapping[str, Observation]:
        """The items that carry these tags (ids of links); tags not found are left out. An item
        that carried one and was removed is ``Gone`` where the side remembers that."""
        ...

    def elsewhere(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        """What is there now under these uids, whatever its key. Only asked of a side that
        ``remakes``; one that cannot look up a uid says nothing of it."""
        ...

    def apply(self, pair: Pair, effects: Sequence[Effect]) -> list[Outcome]:
        """Carry the effects out in order; one outcome each. An effect is not begun once a
        former one of the same call ended in ``InDoubt`` or ``Later``: those get ``Later``. One in a
        person's calendar holds up only those in the same one."""
        ...


class CalendarSide(SyncSide, Protocol):
    """A calendar system: the port above, and its directory of rooms."""

    def read_theirs(self, pair: Pair, keys: Mapping[str, str]) -> Mapping[str, Observation]:
        """A targeted read of meetings in people's calendars: key → mailbox, as ``apply`` told and
        took them. A calendar that is not there, or closed to us, gives ``Unknown``: it never stops
        the room. Each says what the room answered."""
        ...

    def find_theirs(
        self, pair: Pair, tags: Mapping[str, str], uids: Mapping[str, str]
    ) -> Mapping[str, Observation]:
        """``find`` in people's calendars: tag → mailbox. A tag whose mailbox cannot be asked is
        ``Unknown``. ``uids``: tag → uid of its booking, which others may share: it may be one
        meeting with them."""
        ...

    def meetings_of(self, pair: Pair, uids: Mapping[str, str]) -> Mapping[str, Observation]:
        """Meetings that people made, in their own calendars: uid → mailbox. What is not there, or
        lies in a calendar that is not ours to read, is left out."""
        ...

    def copies(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        """The room's copies of these meetings, whatever their keys."""
        ...

    def resource_calendars(self) -> Iterable[ResourceCalendar]:
        """All room mailboxes that this connection may see, all pages."""
        ...


class BookingSide(SyncSide, Protocol):
    """A booking platform: the port above, and its list of rooms."""

    def rooms(self) -> Iterable[Room]: ...

    def busy(self, room_ids: Sequence[str], span: Interval) -> Mapping[str, list[Interval]]:
        """Busy time per room that meets ``span``: what alternatives are chosen from."""
        ...


class Rulebook(Protocol):
    """What the platform allows in its rooms."""

    def rules(self, room_ids: Sequence[str]) -> Mapping[str, RoomRules]:
        """By room; a room that it does not know is left out."""
        ...


# --- store ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomState:
    """What the engine remembers of a pair between cycles.

    ``imported``: the first import has come to rest; until then no notice leaves. ``imported_at``:
    when it last read both sides (aware UTC; None where that was not noted): what people did before
    is refused to nobody.
    ``halted``: the guard's question to the admin (empty = not halted); ``approved``: the admin
    said yes to the next plan. ``failures`` counts cycles that failed in a row.
    ``synced_at``: both sides were read and equal decisions stored ("in sync as of").
    ``woken_at``: when a process last began to work a room that nobody had looked at for long.
    ``writes``: changes and deletions of the last hour. ``others``: events of the last day that
    another calsync made. ``rejoin``: both sides are joined anew on the admin's word, who said
    which one is right where they differ; nothing is deleted until that is done.
    """

    pair_id: str
    calendar_cursor: str | None = None
    booking_cursor: str | None = None
    window: Window | None = None
    imported: bool = False
    imported_at: datetime | None = None
    halted: str = ""
    approved: bool = False
    failures: int = 0
    error: str = ""
    synced_at: datetime | None = None
    woken_at: datetime | None = None
    compared_at: datetime | None = None
    drift: int = 0
    writes: Tally = NONE_YET
    others: Tally = NONE_YET
    rejoin: EditPolicy | None = None


class AuditStep(StrEnum):
    """The chain of a booking: act → observation → decision → call → confirmation."""

    ACT = "act"
    OBSERVATION = "observation"
    DECISION = "decision"
    CALL = "call"
    CONFIRMATION = "confirmation"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of a booking's history. ``detail`` is small and free of personal data."""

    at: datetime
    pair_id: str
    link_id: str
    step: AuditStep
    what: str
    detail: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEffect:
    """An outbox row: an effect whose outcome is not recorded yet. After a crash it is in doubt."""

    id: str
    pair_id: str
    link_id: str
    kind: str
    revision: int
    key: str | None
    version: str
    fingerprint: str


@dataclass(slots=True, kw_only=True)
class Commit:
    """Everything one step of a cycle changes; stored in one transaction or not at all.

    ``fence`` is the number of the lease under which the room is worked: a commit under an
    older fence changes nothing and raises ``StoreError``. ``doubtful``: notices that may have
    left in a life that a restored database does not know; they are shown, and never sent.
    ``took_effect``: effects that did, so that what they removed or wrote over is kept
    (``calsync restore``). ``moved_to``: the pair is reached through this connection from now on;
    ``keys``: what the keys in the outbox that are not the old ones any more are called there.
    """

    pair_id: str
    fence: int
    links: Sequence[Link] = ()
    forget: Sequence[str] = ()
    effects: Sequence[Effect] = ()
    settled: Sequence[str] = ()
    conflicts: Sequence[Conflict] = ()
    notices: Sequence[Notice] = ()
    doubtful: Sequence[Notice] = ()
    audit: Sequence[AuditEntry] = ()
    state: RoomState | None = None
    took_effect: Sequence[Effect] = ()
    moved_to: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)


#: For how long an answer, or a notice, can wait while calsync runs. What waits longer at a start
#: may come from a restored backup: its person was told in the life that the backup does not know.
LONGEST_QUEUE = timedelta(hours=1)


class NoticeState(StrEnum):
    """The ledger of a notice. DOUBTFUL is never sent again by itself."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DOUBTFUL = "doubtful"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNotice:
    id: int
    pair_id: str
    notice: Notice
    state: NoticeState
    tries: int


class Store(Protocol):
    """calsync's own database. All times are aware UTC. Errors: ``calsync.errors.StoreError``."""

    def pairs(self) -> list[Pair]: ...

    def states(self) -> dict[str, RoomState]: ...

    def claim(self, pair_id: str, owner: str) -> int:
        """Take the room's lease; the new fencing number."""
        ...

    def links(self, pair_id: str) -> list[Link]:
        """All links of the pair, buried ones included."""
        ...

    def links_by_key(self, pair_id: str, side: Side, keys: Sequence[str]) -> list[Link]: ...

    def links_by_id(self, ids: Sequence[str]) -> list[Link]: ...

    def links_by_uid(self, pair_id: str, side: Side, uids: Sequence[str]) -> list[Link]:
        """Links not buried whose item on ``side`` has one of these global ids."""
        ...

    def links_asked(
        self, pair_id: str, *, uids: Sequence[str], copies: Sequence[str]
    ) -> list[Link]:
        """Links whose event is a meeting in a person's calendar, buried ones included: those with
        one of these global ids, and those of which the room's own copy has one of these keys."""
        ...

    def all_asked(self, pair_id: str) -> list[Link]:
        """All of these that are not buried."""
        ...

    def links_meeting(self, pair_id: str, span: Interval) -> list[Link]:
        """Links not buried whose extent (first start to last end, endless = open) meets ``span``:
        the neighbours in clashes. What is parked still takes the room."""
        ...

    def unsettled(self, pair_id: str) -> list[Link]:
        """Active links whose halves differ from the base or that are in flight: a decision,
        or its retry, is due although nothing new was observed."""
        ...

    def future_items(self, pair_id: str, now: datetime) -> int:
        """How many active links still have time to come (what the guard measures against)."""
        ...

    def open_effects(self, pair_id: str) -> list[OpenEffect]: ...

    def commit(self, commit: Commit) -> None: ...

    def save_states(self, states: Sequence[RoomState], fences: Mapping[str, int]) -> set[str]:
        """Store several room states at once; for idle rooms, whose cursors moved over nothing.
        ``fences``: under which each was worked; of one without a fence it is kept what went wrong.
        Left out, and given back, are those whose room somebody took, or mapped otherwise, since."""
        ...

    def claim_notices(
        self, limit: int, *, closed: Collection[str] = frozenset()
    ) -> list[StoredNotice]:
        """Queued notices that are due, but for those of the ``closed`` channels, moved to SENDING
        in one transaction."""
        ...

    def settle_notice(
        self, notice_id: int, state: NoticeState, reason: str = "", *, wait: float = 0.0
    ) -> None:
        """``wait``: seconds until a QUEUED one is due again."""
        ...

    def queue_notices(
        self, pair_id: str, notices: Sequence[Notice], *, doubtful: Sequence[Notice] = ()
    ) -> int:
        """Put into the ledger those that it does not hold; how many are to be sent. Those that may
        have been sent before (``doubtful``) are only recorded."""
        ...

    def coming(self, now: datetime, ahead: timedelta) -> list[tuple[str, int]]:
        """Bookings of the platform that stand and may begin within ``ahead`` of ``now``: the id of
        the link, and a number that grows when the link is stored anew."""
        ...

    def has_live_part(self, pair_id: str, booking: str) -> bool:
        """Whether the booking, or any part of it (``KEY#part``), is still there."""
        ...

    def doubt_notices(self, *, start: bool = True) -> int:
        """What was left in SENDING becomes DOUBTFUL; at a ``start`` so does what waits since long
        before. How many."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an admin asked for: ``keep``, ``refuse`` or ``resync`` (see ``engine.requests``)."""

    id: int
    pair_id: str
    what: str
    detail: Mapping[str, Any]


class Requests(Protocol):
    """What admins asked for in another process. The one that works the room carries it out."""

    def waiting(self) -> set[str]:
        """Ids of pairs for which something is open."""
        ...

    def of(self, pair_id: str) -> list[Request]:
        """What is open for a pair, oldest first."""
        ...

    def settle(self, request: Request, result: str, *, done: bool) -> None:
        """Record what became of it; a conflict that it decides is decided with it."""
        ...


# --- notices -------------------------------------------------------------------------------


class Delivery(StrEnum):
    """What became of one try to deliver a notice."""

    SENT = "sent"
    NOT_SENT = "not sent"
    REFUSED = "refused"
    IN_DOUBT = "in doubt"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """``NOT_SENT`` may be tried again after ``retry_after`` seconds; ``IN_DOUBT`` never is.
    ``alone``: what stands in the way is about this recipient; the channel takes others."""

    delivery: Delivery
    reason: str = ""
    retry_after: float = 0.0
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """A shared channel that is told of bookings. ``rooms``: only of these (empty: all).
    ``details``: with titles and names, never those of private bookings. ``name`` ``"mail"`` is
    the person who booked."""

    name: str
    kinds: frozenset[NoticeKind]
    rooms: frozenset[str] = frozenset()
    details: bool = False


class Notifier(Protocol):
    """What carries notices to people, by the channel that each names. Never raises; says what
    became of it."""

    def deliver(self, pair: Pair, room: Room | None, notice: Notice) -> DeliveryReport: ...
