"""The neutral value: what a booking and an event both say about a room, in one canonical form.

Canonical means: equal meaning gives an equal value, so ``==`` compares and no caller needs
to normalise. The rules (kept by the constructors in ``mapping``, checked in ``__post_init__``):

* a timed single item is in UTC (``zone == "UTC"``): its home zone changes nothing about it;
* an all-day item has no zone (``zone is None``) and whole days: start and end at midnight,
  end exclusive; it fills the days of the room's own zone;
* a timed series keeps its home zone (an IANA name), because its wall time repeats there;
* ``title`` is None where titles are not carried for the room, where it is blank, or where
  the item is private.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum


class Busy(StrEnum):
    """How an item blocks the room; Graph's ``showAs`` values."""

    FREE = "free"
    TENTATIVE = "tentative"
    BUSY = "busy"
    OOF = "oof"
    ELSEWHERE = "workingElsewhere"

    @property
    def blocks(self) -> bool:
        """True where the room is taken. Tentative blocks: a request that waits for an answer."""
        return self is not Busy.FREE


class Frequency(StrEnum):
    """RFC 5545 FREQ, as far as a room can be booked by it (never within a day)."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


class Weekday(IntEnum):
    """ISO order, Monday is 0, as in ``datetime.weekday()``."""

    MO = 0
    TU = 1
    WE = 2
    TH = 3
    FR = 4
    SA = 5
    SU = 6


@dataclass(frozen=True, slots=True)
class Nth:
    """A BYDAY part: a weekday, with its position in the period (0 = every)."""

    weekday: Weekday
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One RFC 5545 recurrence rule.

    Of ``count`` and ``until`` at most one is set; both None = endless. ``until`` is the last
    local date (in the series' zone) on which an occurrence may start, inclusive.
    Tuples are sorted and free of repeats.
    """

    frequency: Frequency
    interval: int = 1
    by_day: tuple[Nth, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_month: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: Weekday = Weekday.MO
    count: int | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError("interval must be at least 1")
        if self.count is not None and self.until is not None:
            raise ValueError("a rule has a count or an until, not both")
        if self.count is not None and self.count < 1:
            raise ValueError("count must be at least 1")

    @property
    def endless(self) -> bool:
        return self.count is None and self.until is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A changed occurrence, named by the wall-time start its rule gave it (recurrence-id).

    ``start`` and ``end`` are wall times in the zone of the series; whole days if ``all_day``.
    """

    recurrence_id: datetime
    start: datetime
    end: datetime
    all_day: bool = False
    busy: Busy = Busy.BUSY
    title: str | None = None
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """A rule with its exceptions. ``excluded`` and ``overrides`` are sorted by recurrence-id
    and do not meet."""

    rule: Rule
    excluded: tuple[datetime, ...] = ()
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """What an item says about a room. Times are naive wall times in ``zone``."""

    start: datetime
    end: datetime
    zone: str | None
    all_day: bool = False
    busy: Busy = Busy.BUSY
    title: str | None = None
    private: bool = False
    recurrence: Recurrence | None = None

    def __post_init__(self) -> None:
        if self.start.tzinfo is not None or self.end.tzinfo is not None:
            raise ValueError("start and end are wall times: naive, read in `zone`")
        if self.end < self.start:
            raise ValueError("an occupancy cannot end before it starts")
        if self.all_day != (self.zone is None):
            raise ValueError("all-day items, and only those, have no zone")

    @property
    def duration(self) -> timedelta:
        """Length in wall time."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Interval:
    """Half-open span between two aware UTC instants."""

    start: datetime
    end: datetime

    def meets(self, other: Interval) -> bool:
        """True where the two share time. Touching ends do not meet; an item without length
        takes nothing."""
        return (
            self.start < other.end
            and other.start < self.end
            and self.start < self.end
            and other.start < other.end
        )


#: The span that is synced, in UTC. Leaving it is not a deletion.
Window = Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One expanded occurrence in UTC. ``recurrence_id`` is None for single items."""

    start: datetime
    end: datetime
    all_day: bool
    busy: Busy
    title: str | None
    private: bool
    recurrence_id: datetime | None = None

    @property
    def interval(self) -> Interval:
        return Interval(self.start, self.end)
