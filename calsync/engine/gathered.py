"""What both sides showed for one room, and what follows from looking at it alone."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from calsync.conflicts.clash import shown
from calsync.conflicts.merge import same_schedule
from calsync.mapping.expand import ALWAYS, busy_intervals, extent, instances
from calsync.model import (
    Absence,
    Gone,
    Interval,
    Link,
    LinkState,
    Observation,
    Occupancy,
    Pair,
    Presence,
    Seen,
    Side,
    Window,
    is_theirs,
)
from calsync.reconcile.plan import in_window


@dataclass(slots=True, kw_only=True)
class Gathered:
    """Observations by key per side, the links they may belong to, and the new cursors.

    ``emptied`` names a side whose complete listing was empty although items are linked. ``read``:
    keys per side whose observation is a targeted read; ``hinted``: keys of which the feed said
    that they are gone, or out of the window. ``complete``: sides listed in full;
    ``told``: sides that say themselves that they were set back. ``others``: new events that another
    calsync made; ``forgotten``: new events that we made, and know nothing of any more.
    ``missing``: keys per side that a complete listing lacked. ``silent``: sides whose feed, asked
    just before that listing, told nothing of it. ``ended``: events, by key, as the
    feed showed them that were gone when they were read.
    """

    booking: dict[str, Observation] = field(default_factory=dict)
    calendar: dict[str, Observation] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    booking_cursor: str = ""
    calendar_cursor: str = ""
    emptied: str = ""
    read: dict[Side, set[str]] = field(default_factory=lambda: {side: set() for side in Side})
    hinted: dict[Side, set[str]] = field(default_factory=lambda: {side: set() for side in Side})
    complete: set[Side] = field(default_factory=set)
    told: set[Side] = field(default_factory=set)
    others: int = 0
    forgotten: int = 0
    silent: set[Side] = field(default_factory=set)
    ended: dict[str, Seen] = field(default_factory=dict)
    missing: dict[Side, set[str]] = field(default_factory=lambda: {side: set() for side in Side})

    def seen(self, side: Side) -> dict[str, Observation]:
        return self.booking if side is Side.BOOKING else self.calendar

    @property
    def anything(self) -> bool:
        return bool(self.booking or self.calendar or self.links or self.emptied)


def expected(link: Link, side: Side, pair: Pair, window: Window) -> bool:
    """True where the link's item is to be looked for if a complete listing of the window lacks it:
    it is there as far as we know, and its time lies in the window. What ended before is not looked
    for: nobody needs a room in the past."""
    there = shown(link, side)
    if there is None or not in_window(there, window, pair.zone):
        return False
    return not _is_over(there, window, pair.zone)


def _is_over(occ: Occupancy, window: Window, zone: str) -> bool:
    """True for a series that only dates which were dropped, or moved to before, take into the
    window or beyond: what is left of it ended. (Without exceptions its extent is exact.)"""
    series = occ.recurrence
    if series is None or not (series.excluded or series.overrides):
        return False
    return not has_date(occ, Window(window.start, ALWAYS.end), zone)


def is_listed(link: Link, side: Side, pair: Pair, window: Window) -> bool:
    """True where a listing that lacks the link's item is odd."""
    there = None if is_theirs(link.half(side).key) else shown(link, side)
    return there is not None and has_date(there, window, pair.zone)


def has_date(occ: Occupancy, window: Window, zone: str) -> bool:
    """True where the item shows in a listing of the window: a series by its dates, for all that lie
    there may be left out of it."""
    return next(instances(occ, window, zone), None) is not None


def beyond(
    found: Gathered, side: Side, due: Container[str], window: Window, zone: str
) -> list[str]:
    """Keys of items that a complete listing of the window is not to hold, and that still matter:
    they lie ahead of it, or are over with something still to be written (ids of links: ``due``)."""
    keys = []
    for link in found.links.values():
        key, there = link.half(side).key, shown(link, side)
        if link.state is LinkState.BURIED or there is None or key in found.seen(side):
            continue
        end = extent(there, zone)[1]
        if key is not None and (link.id in due or end is None or end > window.start):
            keys.append(key)
    return keys


def moved_out(found: Gathered, side: Side, pair: Pair, window: Window) -> bool:
    """True where an empty listing is right: all that was expected lies outside the window now,
    under its own key or, where it was made anew there, under another one."""
    seen = {key: o for key, o in found.seen(side).items() if isinstance(o, Seen)}
    if any(has_date(obs.occupancy, window, pair.zone) for obs in seen.values()):
        return False
    uids = {obs.uid for obs in seen.values() if obs.uid}
    anew = {half.key for lk in found.links.values() if (half := lk.half(side)).uid in uids}
    return all(key in seen or key in anew for key in found.missing[side])


def listed_anew(found: Gathered, side: Side) -> set[str]:
    """Keys that a complete listing lacked whose items it showed under other ones."""
    lacked = found.missing[side]
    if not lacked:
        return set()
    uids = {
        obs.uid
        for key, obs in found.seen(side).items()
        if key not in lacked and isinstance(obs, Seen) and obs.uid
    }
    halves = [link.half(side) for link in found.links.values()]
    return {half.key for half in halves if half.key in lacked and half.uid in uids}


def vanished(found: Gathered, side: Side, keys: list[str]) -> bool:
    """True where an item that was there is nowhere, and no feed told that it went: the side may
    have been set back. Then all of it is looked at before anything is made of one absence."""
    seen = found.seen(side)
    halves = {lk.half(side).key: lk.half(side) for lk in found.links.values() if lk.base}
    gone = {
        key: half.uid
        for key in keys
        if isinstance(obs := seen[key], Gone)
        and obs.absence is Absence.READ
        and key not in found.hinted[side]
        and not is_theirs(key)
        and (half := halves.get(key)) is not None
        and half.presence in (Presence.PRESENT, Presence.UNKNOWN)
    }
    # What is found under another key was made anew.
    elsewhere = {obs.uid for obs in seen.values() if isinstance(obs, Seen)} if gone else set()
    return any(not uid or uid not in elsewhere for uid in gone.values())


def made_anew(found: Gathered, side: Side, uids: set[str]) -> list[str]:
    """Keys on ``side`` under which items of these global ids were there, and are not found."""
    halves = [link.half(side) for link in found.links.values()] if uids else []
    return [
        half.key
        for half in halves
        if half.uid in uids
        and half.key is not None
        and half.presence in (Presence.PRESENT, Presence.UNKNOWN)
        and isinstance(found.seen(side).get(half.key), Gone)
    ]


def overlapping(found: Gathered, side: Side, window: Window, zone: str) -> list[str]:
    """Keys on ``side`` of items that overlap there as far as their latest states tell, one of them
    new at that time. A feed may show the old state of an item whose time somebody else took
    since; nobody must be refused, or shown twice, for that."""
    held = {link.half(side).key: link for link in found.links.values()}
    states: dict[str, Occupancy] = {}
    for key, link in held.items():
        there = shown(link, side)
        if key is not None and there is not None:
            states[key] = there
    new = set()
    for key, obs in found.seen(side).items():
        if not isinstance(obs, Seen):
            states.pop(key, None)
            continue
        known, before = held.get(key), states.get(key)
        if known is not None and obs.mark < known.half(side).mark:
            continue  # Too late to be accepted.
        if before is None or not same_schedule(before, obs.occupancy):
            new.add(key)
        states[key] = obs.occupancy
    if not new:
        return []
    doubtful: set[str] = set()
    active: list[tuple[Interval, str]] = []
    times = ((one, key) for key, occ in states.items() for one in busy_intervals(occ, window, zone))
    for one, key in sorted(times, key=lambda t: (t[0].start, t[0].end)):
        active = [a for a in active if a[0].end > one.start]
        for _, other in active:
            if other != key and (key in new or other in new):
                doubtful |= {key, other}
        active.append((one, key))
    return sorted(doubtful - found.read[side])


def new_times(found: Gathered) -> Iterator[Occupancy]:
    """The states that are new on a side: observed now, or left from a former cycle."""
    known = {side: {link.half(side).key: link for link in found.links.values()} for side in Side}
    for side in Side:
        for obs in found.seen(side).values():
            if isinstance(obs, Seen):
                link = known[side].get(obs.key)
                agreed = link is not None and obs.fingerprint == link.base_fingerprint
                if link is None or not agreed or link.half(side).fingerprint != obs.fingerprint:
                    yield obs.occupancy
    for link in found.links.values():
        for side in Side:
            seen = link.half(side).seen
            if seen is not None:
                yield seen
