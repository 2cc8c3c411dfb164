"""What a mailbox holds: calendar items as values.

An item is never changed in place. A write puts a new value into the mailbox, so an older
version stays readable (stale reads) and a rendered form kept in `cache` can never be out of date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from .recurrence import Recurrence
from .zones import Zone

EPOCH = datetime(1970, 1, 1)
DAY = timedelta(days=1)


def ticks(moment: datetime) -> int:
    """100-nanosecond steps since 1970 of an aware moment (Exchange's own resolution)."""
    span = moment.astimezone(UTC).replace(tzinfo=None) - EPOCH
    return (span.days * 86400 + span.seconds) * 10_000_000 + span.microseconds * 10


def stamp(count: int) -> str:
    """A tick count as a UTC timestamp with seven digits."""
    seconds, rest = divmod(count, 10_000_000)
    return f"{(EPOCH + timedelta(seconds=seconds)).isoformat()}.{rest:07d}Z"


@dataclass(frozen=True, slots=True)
class When:
    """Start and end: naive wall times with their zones, and the naive UTC instants.

    An all-day event is made of dates: it takes the days of `days_in`, the zone of the mailbox
    that holds it (which Outlook shows; no document says it), and keeps the zone it was made in.
    """

    start: datetime
    end: datetime
    start_zone: Zone
    end_zone: Zone
    all_day: bool
    start_utc: datetime = field(compare=False)
    end_utc: datetime = field(compare=False)
    days_in: Zone | None = field(default=None, compare=False)

    def held_in(self, home: Zone) -> When:
        """The same, in a mailbox of that zone."""
        if not self.all_day or self.days_in is home:
            return self
        return when(
            self.start, self.end, self.start_zone, self.end_zone, all_day=True, days_in=home
        )


def when(
    start: datetime,
    end: datetime,
    start_zone: Zone,
    end_zone: Zone | None = None,
    *,
    all_day: bool = False,
    days_in: Zone | None = None,
) -> When:
    """Build a `When` from naive wall times."""
    last = end_zone or start_zone
    days = days_in if all_day else None
    begin, finish = (days or start_zone).to_utc(start), (days or last).to_utc(end)
    return When(start, end, start_zone, last, all_day, begin, finish, days)


@dataclass(frozen=True, slots=True)
class Person:
    """A name with its address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Attendee:
    """One invited party; `kind` is required, optional or resource.

    `at` in ticks, 0 = never answered.
    """

    person: Person
    kind: str = "required"
    response: str = "none"
    at: int = 0


@dataclass(frozen=True, slots=True)
class Override:
    """A changed instance of a series. Members left None are those of the master."""

    when: When
    props: Mapping[str, Any] = field(default_factory=dict)
    attendees: tuple[Attendee, ...] | None = None
    response: tuple[str, int] | None = None
    tags: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    is_cancelled: bool = False

    def held_in(self, home: Zone) -> Override:
        """The same, in a mailbox of that zone."""
        slot = self.when.held_in(home)
        return self if slot is self.when else replace(self, when=slot)


@dataclass(frozen=True, slots=True)
class Item:
    """A single event or a whole series, as one mailbox holds it.

    props: Graph members that have no logic here (subject, body, showAs …), only non-defaults.
    tags: single-value extended properties, canonical id -> (id as written, value).
    cancelled: dates (home zone) of removed instances; declined: those the room itself refused.
    change: the mailbox's change number of the last write; it is the change key.
    """

    key: str
    uid: str
    when: When
    organizer: Person
    own: bool
    rule: Recurrence | None = None
    props: Mapping[str, Any] = field(default_factory=dict)
    attendees: tuple[Attendee, ...] = ()
    response: tuple[str, int] = ("none", 0)
    tags: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    extensions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    overrides: Mapping[date, Override] = field(default_factory=dict)
    cancelled: frozenset[date] = frozenset()
    declined: frozenset[date] = frozenset()
    is_cancelled: bool = False
    transaction_id: str | None = None
    created: int = 0
    modified: int = 0
    change: int = 0
    folder: int = 1
    cache: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def live(self) -> bool:
        """Whether it stands in the way of others: neither cancelled nor declined."""
        return not self.is_cancelled and self.response[0] != "declined"


@dataclass(frozen=True, slots=True)
class Instance:
    """What a calendar view shows: a single event, or one date of a series.

    Or a master (day None).
    """

    item: Item
    day: date | None
    when: When
    override: Override | None = None

    @property
    def kind(self) -> str:
        """Graph's eventType."""
        if self.day is None:
            return "seriesMaster" if self.item.rule else "singleInstance"
        return "exception" if self.override else "occurrence"

    @property
    def live(self) -> bool:
        """As Item.live, with the instance's own state."""
        if not self.item.live:
            return False
        changed = self.override
        if changed is None:
            return True
        return not changed.is_cancelled and (
            changed.response is None or changed.response[0] != "declined"
        )

    def prop(self, name: str, default: Any = None) -> Any:
        """A plain member, the changed one first."""
        if self.override is not None and name in self.override.props:
            return self.override.props[name]
        return self.item.props.get(name, default)


def whole(item: Item) -> Instance:
    """The item itself: a single event or a master."""
    return Instance(item, None, item.when)


def generated(item: Item, day: date) -> When:
    """The slot the pattern gives on a date: wall time and wall length of the master, home zone."""
    base = item.when
    start = datetime.combine(day, base.start.time())
    return when(
        start,
        start + (base.end - base.start),
        base.start_zone,
        base.end_zone,
        all_day=base.all_day,
        days_in=base.days_in,
    )


def instance(item: Item, day: date) -> Instance | None:
    """One date of a series; None when the pattern does not give it or it was removed."""
    if item.rule is None or day in item.cancelled:
        return None
    changed = item.overrides.get(day)
    if changed is not None:
        return Instance(item, day, changed.when, changed)
    return Instance(item, day, generated(item, day)) if item.rule.has(day) else None


def expand(item: Item, low: datetime, high: datetime) -> Iterator[Instance]:
    """Instances that touch low ≤ t < high (naive UTC); single events too.

    Cancelled ones included.
    """
    if item.rule is None:
        if touches(item.when, low, high):
            yield Instance(item, None, item.when)
        return
    base = item.when
    length = base.end - base.start
    first = (
        max((low - length - 2 * DAY).date(), item.rule.start) if low.year > 2 else item.rule.start
    )
    last = (high + DAY).date() if high.year < 9999 else date.max
    if first <= last:
        for day in item.rule.dates(first, last):
            if day in item.cancelled or day in item.overrides:
                continue
            slot = generated(item, day)
            if touches(slot, low, high):
                yield Instance(item, day, slot)
    for day, changed in item.overrides.items():
        if day not in item.cancelled and touches(changed.when, low, high):
            yield Instance(item, day, changed.when, changed)


def touches(slot: When, low: datetime, high: datetime) -> bool:
    """Half-open overlap; an event of no length counts at its start."""
    start, end = slot.start_utc, slot.end_utc
    return start < high and (end > low or (start == end and start >= low))


def within(item: Item, low: datetime, high: datetime) -> bool:
    """Whether any instance touches the span."""
    return next(expand(item, low, high), None) is not None
