"""An item that vanished while an equal one came: the same booking under another key.

Exchange makes some changes as Delete + Create (ews-managed-api #255), other vendors' connectors
remake what they rewrite, and content restored into a mailbox gets new ids. Taken for a deletion
and a booking, a person's booking would be cancelled and somebody's without a name be made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from calsync.conflicts.merge import same_schedule
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Absence,
    Half,
    Link,
    LinkState,
    Observation,
    Occupancy,
    Presence,
    Seen,
    Side,
    former_mark,
)
from calsync.reconcile.join import link_id, never_read
from calsync.reconcile.observe import accept, claimed_anew, last_seen, moved_unheard
from calsync.reconcile.rebase import bury, made, rebase, with_half
from calsync.reconcile.sent import half_way, touched


class Vanished:
    """Links whose item on ``side`` was there before this plan, and is gone now."""

    def __init__(self, side: Side, before: Iterable[Link], changed: Mapping[str, Link]) -> None:
        self._side = side
        self._links: dict[str, Link] = {}
        self._by: dict[tuple[str, str], list[str]] = {}
        for was in before:
            now = changed.get(was.id)
            if now is None or not self._left(was, now):
                continue
            self._links[was.id] = was
            for name in self._names(was, now.half(side).presence):
                self._by.setdefault(name, []).append(was.id)

    def _left(self, was: Link, now: Link) -> bool:
        return (
            now.state is LinkState.ACTIVE
            and not now.in_flight
            and was.half(self._side).presence in (Presence.PRESENT, Presence.UNKNOWN)
            and never_read(was) is None
            and now.half(self._side).presence in (Presence.GONE, Presence.UNKNOWN)
        )

    def _names(self, link: Link, now: Presence) -> list[tuple[str, str]]:
        """Where it is not even certain that it is gone, its identity alone counts."""
        half = link.half(self._side)
        names = [("tag", link.id)]
        if half.uid:
            names.append(("uid", half.uid))
        if half.owned and now is Presence.GONE:
            names.append(("content", half.fingerprint))
        return names

    def found(self, link_id: str) -> None:
        """Its item turned out to be another one."""
        self._links.pop(link_id, None)

    def identified(self, obs: Observation) -> bool:
        """Whether a vanished item had the identity of this one."""
        return isinstance(obs, Seen) and ("uid", obs.uid) in self._by

    def take(self, obs: Seen) -> Link | None:
        """The link, as it was before this plan, whose item ``obs`` is; each only once."""
        names = [("uid", obs.uid), ("tag", obs.tag or "")]
        if obs.owned:
            names.append(("content", obs.fingerprint))
        for name in names:
            for candidate in self._by.get(name, ()):
                link = self._links.pop(candidate, None)
                if link is not None:
                    return link
        return None


def under_new_key(link: Link, side: Side, obs: Seen, now: datetime) -> tuple[Link, Link]:
    """A tombstone for the former key, which still turns late readings of it away, and the link
    with its item under the new one. ``link``: as it was when the item was last there."""
    half = link.half(side)
    gone = replace(half, presence=Presence.GONE, seen=None, fingerprint="", mark=half.mark + 1)
    tomb = bury(
        with_half(
            Link(
                id=link_id(link.pair_id, side, half.key or "", f"{link.id}:{link.revision}:former"),
                pair_id=link.pair_id,
                origin=link.origin,
            ),
            side,
            replace(gone, reason="made anew under another key"),
        )
    )
    empty = with_half(link, side, Half())
    taken = accept(empty, side, obs, now) or empty
    before = last_seen(link, side)
    if before is not None and same_schedule(before, obs.occupancy):
        # People claimed this time when they booked it, not when it was made anew.
        kept = replace(taken.half(side), since=half.since, created=half.created)
        taken = with_half(taken, side, kept)
    elif half.presence is Presence.GONE:
        # It was restored: since then its time is claimed again.
        restored = replace(taken.half(side), since=claimed_anew(half, obs, now))
        taken = with_half(taken, side, restored)
    elif before is not None:
        # Moved as well, by people. When the item was made says nothing of that: a mailbox that
        # moves keeps it, and made with the present time it would count as put there by calsync.
        moved = replace(taken.half(side), since=claimed_anew(half, obs, now), created=half.created)
        taken = with_half(taken, side, moved)
    return tomb, replace(taken, revision=link.revision + 1)


def made_twice(
    link: Link, second: Link, side: Side, obs: Seen, now: datetime
) -> tuple[Link, Link] | None:
    """Where ``obs`` is a second item that a create of ours made, beside the one of ``link``: the
    link, and another on which the superfluous item ends. None where it may be anything else.

    The two are one booking. Whatever people changed on the second one, while the first stands as
    agreed, they changed on the booking: then it is the first that is superfluous. ``second``: the
    link that would be that of the new item.
    """
    half = link.half(side)
    if link.state is not LinkState.ACTIVE or link.in_flight or link.base is None:
        return None
    if half.presence is not Presence.PRESENT or not (half.owned and obs.owned):
        return None
    if half.uid != obs.uid or half.key == obs.key:
        return None
    second = accept(second, side, obs, now) or second
    if not touched(obs) or obs.fingerprint == half.fingerprint:
        # One that came late may show what the booking was: that is nobody's change.
        return link, _superfluous(second, side, obs.occupancy, obs.fingerprint)
    if half.fingerprint != link.base_fingerprint:
        return link, _superfluous(second, side, link.base, link.base_fingerprint)
    swapped = replace(
        with_half(link, side, replace(second.half(side), since=half.since, created=half.created)),
        revision=link.revision + 1,
    )
    if not same_schedule(link.base, obs.occupancy):
        moved = replace(swapped.half(side), since=claimed_anew(half, obs, now))
        swapped = with_half(swapped, side, moved)
    first = with_half(second, side, replace(half, seen=None))
    return swapped, _superfluous(first, side, link.base, link.base_fingerprint)


def came_late(link: Link, side: Side, obs: Seen, now: datetime) -> Link:
    """The link on which an item ends that was made when its booking had been given up."""
    taken = accept(link, side, obs, now) or link
    return _superfluous(taken, side, obs.occupancy, obs.fingerprint)


def outlived(link: Link, was: Link, side: Side, obs: Seen, now: datetime) -> Link:
    """The link on which an item ends that was to be removed when another was made in its place, and
    that bears another key by now. ``was``: the link of both, before it had the new one. What people
    changed meanwhile is kept on record."""
    taken = accept(link, side, obs, now) or link
    before = last_seen(was, side) or obs.occupancy
    return _superfluous(taken, side, before, fingerprint(before))


def _superfluous(link: Link, side: Side, base: Occupancy, base_fingerprint: str) -> Link:
    """The link of an item whose booking is another's: on its own other side it is given up."""
    there = with_half(link, side.other, _elsewhere(Absence.TWICE))
    return replace(
        there,
        origin=side.other,
        base=base,
        base_fingerprint=base_fingerprint,
        state=LinkState.ACTIVE,
        reason="",
    )


def _elsewhere(why: Absence) -> Half:
    return Half(presence=Presence.GONE, reason=why.value)


def replaced(link: Link, side: Side, obs: Seen, now: datetime) -> tuple[Link, Link] | None:
    """Where ``obs`` is what a write of ours was to put in place of the link's item, and nobody
    heard that it was made: a link on which the former item ends, and the link with the new one.
    None where it is anything else (a copy of such an item, say).
    """
    half = link.half(side)
    if link.state is not LinkState.ACTIVE or half.presence is Presence.NEVER:
        return None
    if half.key is None or obs.replaces != former_mark(half.key):
        return None
    former = Link(
        id=link_id(link.pair_id, side, half.key, f"{link.id}:{link.revision}:replaced"),
        pair_id=link.pair_id,
        origin=side.other,
        base=link.base,
        base_fingerprint=link.base_fingerprint,
    )
    former = with_half(former, side, replace(half, sent=""))
    # Its booking lives on beside the new one; here it is given up.
    former = with_half(former, side.other, _elsewhere(Absence.REPLACED))
    if half.presence is Presence.GONE:
        former = bury(former)  # Removed as it should be; only that nobody heard of it.
    taken = accept(with_half(link, side, Half()), side, obs, now) or link
    before = last_seen(link, side)
    stands = before is not None and same_schedule(before, obs.occupancy)
    # At another time it stands only since it was put there: who booked that time before could not
    # see it (seed 8065).
    since = half.since if stands else claimed_anew(half, obs, now)
    kept = with_half(taken, side, replace(taken.half(side), since=since))
    wanted = last_seen(taken, side.other)
    if wanted is not None and taken.half(side.other).fingerprint in half.sent.split():
        # Nobody claims its time by what of a series is still to be made; who moved it since, does.
        moved = moved_unheard(taken, side, obs, wanted, now)
        kept = replace(kept, claim=link.claim) if moved is taken else moved
        # As far as it was made, it is what both sides agree on.
        done = made(wanted, obs.occupancy)
        kept = rebase(kept, done, fingerprint(done))
    elif (part := half_way(link, side, obs, merged=True)) is not None:
        kept = replace(rebase(kept, part, fingerprint(part)), claim=link.claim)
    return former, replace(kept, in_flight=False, revision=link.revision + 1)
