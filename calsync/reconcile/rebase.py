"""Moving the base of a link, with both halves kept true to it."""

from __future__ import annotations

from dataclasses import replace

from calsync.conflicts.clash import shown
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
    )
