"""A mailbox that moved between Exchange Server and Exchange Online: the same meetings, other ids.

A move keeps a meeting's global id, its times and its named properties; ids of items, versions and
resume points are those of the place (EWS and Graph spell even equal ones differently). So each
link's item is looked for by what stays, and the link is given the new key. What the item says is
left to the next ordinary reading: a change that people made meanwhile is found there as any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from calsync.conflicts.merge import same_grid, same_schedule
from calsync.mapping.ews_uid import identity
from calsync.mapping.expand import extent
from calsync.model import (
    Absence,
    Gone,
    Half,
    Link,
    LinkState,
    Observation,
    Presence,
    Seen,
    Side,
    Unknown,
    Window,
    former_mark,
    is_theirs,
)
from calsync.reconcile.join import never_read
from calsync.reconcile.observe import accept, last_seen
from calsync.reconcile.rebase import bury, with_half
from calsync.reconcile.remade import replaced

_THERE = (Presence.PRESENT, Presence.UNKNOWN)
CALENDAR = Side.CALENDAR


@dataclass(frozen=True, slots=True, kw_only=True)
class Rematch:
    """Which item of the moved mailbox is that of which link.

    ``found``: by the id of the link. ``changed``: of these, what shows something else than when it
    was last read (ids of links). ``missing``: links of whose item nothing is there.
    """

    found: Mapping[str, Observation]
    changed: tuple[str, ...] = ()
    missing: tuple[Link, ...] = ()


def awaited(links: Iterable[Link]) -> list[Link]:
    """Links whose item has to be found again: it was there, and is known by more than its key."""
    return [
        link
        for link in links
        if link.state is not LinkState.BURIED
        and link.event.presence in _THERE
        and never_read(link) is not CALENDAR
        and not is_theirs(link.event.key)  # It lies in a person's calendar, which stays.
    ]


def put_in_place(
    links: Iterable[Link],
    seen: Iterable[Observation],
    now: datetime,
    *,
    changing: Mapping[str, str],
    maker: str,
) -> tuple[dict[str, Link], set[str]]:
    """Items that a write of ours was to put in place of others, when nobody heard that they were
    made, name those by their former keys. The links as that leaves them (what is to be looked for
    among them, too), and the keys that are thereby taken.

    ``changing``: links with a change in doubt, and the fingerprint of what it was to make;
    ``maker``: our mark. What Graph made says its tag in a member that EWS does not tell: there it
    is known as ours, made since, and just what that change was to make.
    """
    held = {link.id: link for link in links}
    taken: set[str] = set()
    rows = sorted((o for o in seen if isinstance(o, Seen)), key=lambda o: (o.created, o.key))
    silent: dict[str, str] = {}
    for obs in rows:
        link_id = _made_for(obs, held, changing, maker)
        # What came later is a copy of it.
        if link_id is not None and link_id not in silent.values():
            silent[obs.key] = link_id
    for row in rows:
        obs = row
        if obs.key in silent:
            key = held[silent[obs.key]].event.key or ""
            obs = replace(obs, tag=silent[obs.key], replaces=former_mark(key))
        if obs.tag not in held:
            continue
        both = replaced(held[obs.tag], CALENDAR, obs, now)
        if both is not None:
            held |= {one.id: one for one in both}
            taken.add(obs.key)
    return held, taken


def _made_for(
    obs: Seen, links: Mapping[str, Link], changing: Mapping[str, str], maker: str
) -> str | None:
    """The link for which a change in doubt made this item anew; None where none did."""
    if obs.tag is not None or not obs.owned or not maker or obs.maker != maker:
        return None
    for link_id, wanted in changing.items():
        link = links.get(link_id)
        if link is None or link.event.created is None or obs.created <= link.event.created:
            continue
        if identity(obs.uid) == identity(link.event.uid):
            continue  # It is the item itself, already changed.
        target = last_seen(link, Side.BOOKING)
        if obs.fingerprint == wanted or (target and same_grid(target, obs.occupancy)):
            return link_id
    return None


def rematch(links: Iterable[Link], seen: Iterable[Observation]) -> Rematch:
    """Find the items of ``links`` among those of the mailbox at its new place.

    A date that a room was invited to alone has on Exchange Server the global id of its series, and
    a series that is carried as several items may share one: among several the one that stands at
    the time last seen is meant, then the one that says all the same, then the older for the older.
    """
    pool: dict[str, list[Seen]] = {}
    tagged: dict[str, list[Seen]] = {}
    for obs in seen:
        if isinstance(obs, Seen):
            pool.setdefault(identity(obs.uid), []).append(obs)
            if obs.tag is not None:
                tagged.setdefault(obs.tag, []).append(obs)
    found: dict[str, Observation] = {}
    taken: set[str] = set()
    left = sorted(awaited(links), key=_age)
    for fits in (_all_the_same, _same_time, _same_uid, _looked_for):
        still: list[Link] = []
        for link in left:
            rows = pool.get(identity(link.event.uid), ()) if link.event.uid else ()
            rows = rows or tagged.get(link.id, ())
            mine = [one for one in rows if one.key not in taken and fits(link, one)]
            if mine:
                oldest = min(mine, key=lambda obs: (obs.created, obs.key))
                found[link.id] = oldest
                taken.add(oldest.key)
            else:
                still.append(link)
        left = still
    return Rematch(
        found=found,
        changed=tuple(
            link.id
            for link in awaited(links)
            if isinstance(one := found.get(link.id), Seen) and _differs(link, one)
        ),
        missing=tuple(left),
    )


def _age(link: Link) -> tuple[str, str]:
    return (link.event.created.isoformat() if link.event.created else "", link.id)


def _all_the_same(link: Link, obs: Seen) -> bool:
    return obs.uid == link.event.uid and not _differs(link, obs)


def _same_time(link: Link, obs: Seen) -> bool:
    before = last_seen(link, CALENDAR)
    return before is not None and same_schedule(before, obs.occupancy)


def _same_uid(link: Link, obs: Seen) -> bool:
    return obs.uid == link.event.uid


def _looked_for(_link: Link, _obs: Seen) -> bool:
    return True  # It was found by its identity, or by our tag.


def _differs(link: Link, obs: Seen) -> bool:
    # Where it could not be read, its fingerprint is empty: what was agreed on is what is known.
    known = link.event.fingerprint or link.base_fingerprint
    return bool(known) and obs.fingerprint != known


def matters(link: Link, window: Window, zone: str) -> bool:
    """Whether its item still has time to come: that one of the past is not found says nothing."""
    there = last_seen(link, CALENDAR)
    if there is None:
        return True
    end = extent(there, zone)[1]
    return end is None or end > window.start


def under_new_keys(
    links: Iterable[Link], rematched: Rematch, *, window: Window, zone: str, now: datetime
) -> list[Link]:
    """The links that change: each with the key of its item at the new place, and ready to accept
    whatever that shows first (marks and versions are another server's). What is not there any more
    was deleted, unless it is of the past."""
    changed: list[Link] = []
    keys = {obs.key for obs in rematched.found.values()}
    missing = {link.id for link in rematched.missing}
    for link in links:
        half = link.event
        obs = rematched.found.get(link.id)
        if obs is not None:
            reason = obs.reason if isinstance(obs, Unknown) else half.reason
            moved = replace(half, key=obs.key, version="", mark=-1, reason=reason)
            if isinstance(obs, Unknown):
                moved = replace(moved, presence=Presence.UNKNOWN, fingerprint="")
            changed.append(with_half(link, CALENDAR, moved))
        elif link.id in missing and matters(link, window, zone):
            changed.append(accept(link, CALENDAR, is_gone(half), now) or link)
        elif link.state is LinkState.BURIED and half.key in keys:
            # An id can come again at another place; whose it was is over.
            changed.append(with_half(link, CALENDAR, replace(half, key=None)))
        elif never_read(link) is CALENDAR:
            # Nobody knew what it was. Whatever it is, it shows as new.
            changed.append(bury(with_half(link, CALENDAR, replace(half, key=None))))
    return changed


def is_gone(half: Half) -> Gone:
    """Its mailbox was read in full, and its identity looked for: it is not there."""
    return Gone(key=half.key or "", absence=Absence.DELETED)


def unlikely(links: Sequence[Link], rematched: Rematch, lost: int, allowed: int) -> str:
    """Why this cannot be the mailbox that moved, or not the whole of it; empty where it can.
    ``lost``: how many of the missing have time to come; ``allowed``: how many may."""
    known = len(awaited(links))
    if lost and (lost > allowed or not rematched.found):
        return (
            f"of {known} meetings that are linked, {lost} are not in that mailbox"
            f" (at most {allowed} may be missing)"
        )
    return ""
