"""Writes that may still take effect when nobody waits for them any more.

A request can be carried out after its sender has given up, after the look-up that did not find
it, or when a stalled process wakes up. What it then leaves looks like an act of people, and would
take back what they really did on the other side meanwhile. So it is remembered what was sent.
"""

from __future__ import annotations

from dataclasses import replace

from calsync.conflicts.clash import shown
from calsync.mapping.fingerprint import fingerprint
from calsync.model import Effect, Half, Link, Presence, Seen, Side
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
    ``link``: with ``now`` as its half, ``before``: without."""
    half = before.half(side)
    if link.half(side).waits or link.half(side).declined:
        return None  # The room has not agreed to it.
    ours = now.version != half.version and now.fingerprint in half.sent.split()
    return rebase(link, now.occupancy, now.fingerprint) if ours else None


def as_tried(link: Link, before: Link, side: Side, now: Seen) -> Link:
    """``link`` with what a create in doubt was to make as its base, where ``side`` shows its item
    before it was looked up: what is missing of a new series is still to be made, and what else
    differs is what people changed since. ``before``: without ``now``."""
    target, half = shown(before, side.other), before.half(side)
    ours = before.in_flight and before.base is None and now.tag == before.id
    if not ours or target is None or half.sent != before.half(side.other).fingerprint:
        return link  # Which content was sent is not known any more.
    done = made(target, now.occupancy)
    return rebase(link, done, fingerprint(done))
