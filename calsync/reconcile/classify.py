"""An accepted observation against the base: one of six changes."""

from __future__ import annotations

from typing import assert_never

from calsync.model import Change, Link, Presence, Side


def classify(link: Link, side: Side) -> Change:
    """How ``side`` stands against the base of the link."""
    half = link.half(side)
    match half.presence:
        case Presence.NEVER:
            return Change.NEVER
        case Presence.UNKNOWN:
            return Change.UNKNOWN
        case Presence.GONE:
            return Change.DELETED
        case Presence.PRESENT:
            if link.base is None:
                return Change.CREATED
            if half.fingerprint == link.base_fingerprint:
                return Change.UNCHANGED
            return Change.UPDATED
        case _:
            assert_never(half.presence)
