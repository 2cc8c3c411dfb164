"""Moving the base of a link, with both halves kept true to it."""

from __future__ import annotations

from dataclasses import replace

from calsync.conflicts.clash import shown
from calsync.conflicts.merge import same_grid
from calsync.conflicts.rules import bare
from calsync.model import Half, Link, LinkState, Occupancy, Presence, Side


def rebase(link: Link, base: Occupancy, fingerprint: str) -> Link:
    """``link`` with a new base. A half stores its own state only where it differs from it.
    Where both sides show the base, the link is at rest and no attempt counts any more."""
    at_rest = link.booking.fingerprint == fingerprint == link.event.fingerprint
    return replace(
        link,
        booking=_restated(link, Side.BOOKING, fingerprint),
        event=_restated(link, Side.CALENDAR, fingerprint),
        base=base,
        base_fingerprint=fingerprint,
        attempts=0 if at_rest else link.attempts,
        # Agreed on by both sides: it need not be remembered that the rules let it pass.
        passed=None if link.passed is None or bare(base) == link.passed else link.passed,
    )


def with_half(link: Link, side: Side, half: Half) -> Link:
    """``link`` with its half on ``side`` replaced."""
    if side is Side.BOOKING:
        return replace(link, booking=half)
    return replace(link, event=half)


def _restated(link: Link, side: Side, fingerprint: str) -> Half:
    half = link.half(side)
    if half.presence is not Presence.PRESENT:
        return half
    state = None if half.fingerprint == fingerprint else shown(link, side)
    return half if half.seen is state else replace(half, seen=state)


def bury(link: Link) -> Link:
    """The tombstone: no content any more, but keys and marks stay and still reject late reads."""
    return replace(
        link,
        state=LinkState.BURIED,
        base=None,
        base_fingerprint="",
        booking=replace(link.booking, seen=None),
        event=replace(link.event, seen=None),
        in_flight=False,
        pending=False,
        passed=None,
        passed_seats=None,
    )


def made(target: Occupancy, now: Occupancy) -> Occupancy:
    """What of a new series was made: ``target`` with those of its exceptions that ``now`` has, too.

    The exceptions that are missing are still to be made. Everything else in which ``now`` differs
    is what people changed since, and no reason to take it back.
    """
    ours, there = target.recurrence, now.recurrence
    if ours is None or there is None or not same_grid(target, now):
        return target
    dates = {o.recurrence_id for o in there.overrides} | set(there.excluded)
    return replace(
        target,
        recurrence=replace(
            ours,
            excluded=tuple(d for d in ours.excluded if d in dates),
            overrides=tuple(o for o in ours.overrides if o.recurrence_id in dates),
        ),
    )
