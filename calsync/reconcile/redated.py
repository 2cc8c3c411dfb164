"""A date of a series that is an event of its own, of which a restored database knows nothing.

Its booking is as of the backup: whole, or in fewer parts. Taken for a booking of its own, the event
would come to the platform beside its series, which lacks the date (seed 20089). But our tag names
the link that the part would have, and that is derived from the booking's key and the date.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from calsync.errors import MappingError
from calsync.mapping import split
from calsync.model import Link, Presence, Side
from calsync.reconcile.decide import Decision, Verb
from calsync.reconcile.join import link_id
from calsync.reconcile.rebase import with_half


def with_dates(
    link: Link, decision: Decision, named: Callable[[str], Link | None]
) -> tuple[Decision, list[Link]]:
    """``decision`` so that its booking gets back the dates that the calendar holds apart, and the
    links that stand for the events of these, to be read again when it has them. ``named``: the link
    of a new event under a tag that no link has, if it would be made a booking of."""
    target, key = decision.target, link.booking.key
    series = target.recurrence if target is not None else None
    if decision.verb is not Verb.WRITE_BOOKING or target is None or series is None or not key:
        return decision, []
    apart: list[Link] = []
    for at in series.excluded:
        suffix = split.suffix_of(at)
        one = named(link_id(link.pair_id, Side.BOOKING, f"{key}#{suffix}"))
        if one is None or one.event.seen is None:
            continue
        try:
            target = split.join(target, suffix, one.event.seen)
        except MappingError:
            continue
        apart.append(_unread(one))
    if not apart:
        return decision, []
    return replace(decision, target=target, parts=True), apart


def _unread(link: Link) -> Link:
    half = replace(
        link.event,
        presence=Presence.UNKNOWN,
        seen=None,
        fingerprint="",
        reason="a date of a series, which is to have it again first",
    )
    return with_half(link, Side.CALENDAR, half)
