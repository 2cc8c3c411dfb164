"""Writes that may still take effect when nobody waits for them any more.

A request can be carried out after its sender has given up, after the look-up that did not find
it, or when a stalled process wakes up. What it then leaves looks like an act of people, and would
take back what they really did on the other side meanwhile. So it is remembered what was sent.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from calsync.conflicts.clash import shown
from calsync.conflicts.merge import agreed, same_grid, unmade
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Effect,
    Half,
    Link,
    LinkState,
    Occupancy,
    Presence,
    Seen,
    Side,
    former_mark,
)
from calsync.reconcile.rebase import made, rebase, with_half

#: How many different contents are remembered, newest last. Each was decided on one state of the
#: item, of which people and calsync disagree at most as often as a link may be written.
REMEMBERED = 4


def sending(link: Link, effect: Effect) -> Link:
    """``link`` with what ``effect`` is about to write. Half of a merge is not noted: it was never
    shown by the other side, so both sides cannot have agreed on it."""
    if effect.target is None or effect.merged:
        return link
    side = effect.kind.side
    half = link.half(side)
    sent = effect.fingerprint
    if half.sent:
        others = [one for one in half.sent.split() if one != sent]
        sent = " ".join([*others[1 - REMEMBERED :], sent])
    if half.presence is Presence.NEVER:
        kept = Half(sent=sent, created=half.created, reason=half.reason)
        return with_half(link, side, kept)
    return with_half(link, side, replace(half, sent=sent))


def as_sent(link: Link, before: Link, side: Side, now: Seen) -> Link | None:
    """Where ``side`` turns out to show just what we sent, that is what both sides agreed on: the
    link with that as its base; None where people made it what it is, or the room has to say yes.
    Of a series that is on its way there it is what was made of it. ``link``: with ``now`` as its
    half, ``before``: without."""
    half = before.half(side)
    if link.half(side).waits or link.half(side).declined:
        return None  # The room has not agreed to it.
    if now.version == half.version:
        return None
    if now.fingerprint in half.sent.split():
        return rebase(link, now.occupancy, now.fingerprint)
    sent = before.half(side.other).fingerprint in half.sent.split()
    done = half_way(before, side, now) if sent else None
    return rebase(link, done, fingerprint(done)) if done is not None else None


def half_way(before: Link, side: Side, now: Seen, *, merged: bool = False) -> Occupancy | None:
    """What both sides agree on where a write of ours to a series got half-way: its pattern, or the
    item made anew, stands as it was to be, and its exceptions are still to be made, one by one.
    They are missing because we dropped them: counted as taken back by people, dates that had been
    given up took place again (seed 451). None where it is no such write that made it what it is; a
    booking is changed whole or not at all.

    ``merged``: what was written is not what the other side shows. Of what it was to take from
    ``side`` itself nothing is left to read; that is what people made of it.
    """
    base, half, wanted = before.base, before.half(side), shown(before, side.other)
    if side is Side.BOOKING or base is None or half.key is None:
        return None
    if wanted is None or wanted.recurrence is None or not same_grid(wanted, now.occupancy):
        return None
    # (Of what is gone nothing is known, unless it went while the write was in doubt.)
    was = half.seen or (base if half.presence is not Presence.GONE else None)
    anew = now.replaces == former_mark(half.key)
    moved = was is not None and not same_grid(was, wanted)
    if not (anew or moved):
        return None
    done = made(wanted, now.occupancy)
    if not merged:
        return done
    if was is None:
        return None
    common = agreed(base, wanted, now.occupancy)
    if moved:
        return replace(done, title=common.title, busy=common.busy, private=common.private)
    return unmade(common, was, now.occupancy) if same_grid(base, wanted) else None


def touched(item: Seen) -> bool:
    """True where an item was changed after it was made. Both times are stamped as it is saved, if
    not always in one millisecond."""
    return item.modified is not None and item.modified - item.created > timedelta(milliseconds=20)


def as_tried(link: Link, before: Link, side: Side, now: Seen) -> Link:
    """``link`` with what a create in doubt was to make as its base, where ``side`` shows its item
    before it was looked up: what is missing of a new series is still to be made, and what else
    differs is what people changed since. One that comes when its booking is buried is no edit of
    anybody's as long as nobody touched it, though its exceptions were never made. ``before``:
    without ``now``."""
    if before.state is LinkState.BURIED and before.half(side).sent and not touched(now):
        return rebase(link, now.occupancy, now.fingerprint)
    target, half = shown(before, side.other), before.half(side)
    ours = before.in_flight and before.base is None and now.tag == before.id
    if not ours or target is None or half.sent != before.half(side.other).fingerprint:
        return link  # Which content was sent is not known any more.
    done = made(target, now.occupancy)
    return rebase(link, done, fingerprint(done))
