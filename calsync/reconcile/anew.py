"""Both sides joined anew, on the admin's word: after a restore, or after a side was emptied.

::

    booking \\ calendar   there                            not there
    there                equal: base; else who is right   create event
    not there            create booking                   bury

The base says nothing here: it may be of a time that one side does not know any more. So nothing is
deleted; what only one side has is made on the other. The admin said which side is right where both
have an item and differ. What was deleted on that side, and that the other one still shows, is set
apart: to make it again would undo what somebody did, and to delete it is a person's to say.
"""

from __future__ import annotations

from dataclasses import replace

from calsync.conflicts.clash import shown
from calsync.conflicts.policy import edit_winner
from calsync.model import (
    Absence,
    Conflict,
    ConflictKind,
    EditPolicy,
    Link,
    Occupancy,
    Presence,
    Side,
)
from calsync.reconcile.decide import Decision, Verb, is_superfluous, superfluous
from calsync.reconcile.setback import BACK

_WHY = "both sides are joined anew"


def decide_anew(link: Link, trusted: EditPolicy) -> Decision:
    """What ``link`` needs so that both sides have it."""
    for side in Side:
        if link.half(side).presence is Presence.UNKNOWN:
            return Decision(verb=Verb.SKIP, why=f"{side.value} unknown: {link.half(side).reason}")
    mine, theirs = shown(link, Side.BOOKING), shown(link, Side.CALENDAR)
    if mine is not None and theirs is not None:
        return _both(link, mine, theirs, trusted)
    there = Side.BOOKING if mine is not None else Side.CALENDAR
    if (mine is None) != (theirs is None) and is_superfluous(link, there):
        # Made again on the other side, the booking would stand there twice.
        decision = superfluous(link, there.other, mine or theirs)
        as_agreed = link.half(there).fingerprint == link.base_fingerprint
        ours = as_agreed and link.half(there.other).reason != Absence.RESHAPED.value
        return replace(decision, conflict=None) if ours else decision
    if (mine is None) != (theirs is None) and _given_up(link, there.other, trusted):
        return Decision(verb=Verb.SET_APART, why=BACK, target=mine or theirs)
    if mine is not None:
        never = link.event.presence is Presence.NEVER
        verb = Verb.CREATE_EVENT if never else Verb.REVIVE_EVENT
        return Decision(verb=verb, why=_WHY, target=mine)
    if theirs is not None:
        never = link.booking.presence is Presence.NEVER
        verb = Verb.CREATE_BOOKING if never else Verb.REVIVE_BOOKING
        return Decision(verb=verb, why=_WHY, target=theirs)
    return Decision(verb=Verb.BURY, why="gone on both sides")


def _given_up(link: Link, side: Side, trusted: EditPolicy) -> bool:
    """True where people deleted the item on ``side``, which was not restored."""
    return trusted.value == side.value and link.half(side).presence is Presence.GONE


def _both(link: Link, mine: Occupancy, theirs: Occupancy, trusted: EditPolicy) -> Decision:
    if link.booking.fingerprint == link.event.fingerprint:
        if link.event.fingerprint == link.base_fingerprint:
            return Decision(verb=Verb.NOTHING, why="both sides as agreed")
        return Decision(verb=Verb.REBASE, why=_WHY, target=mine)
    winner = edit_winner(trusted, link.origin) if link.event.owned else Side.CALENDAR
    conflict = Conflict(
        kind=ConflictKind.EDIT,
        link_id=link.id,
        other_link_id=None,
        policy=trusted.value if link.event.owned else "capability",
        winner=winner,
        reason="both sides were joined anew and differ",
        lost=mine if winner is Side.CALENDAR else theirs,
    )
    if winner is None:
        return Decision(verb=Verb.PARK, why=conflict.reason, conflict=conflict)
    verb, target = (
        (Verb.WRITE_EVENT, mine) if winner is Side.BOOKING else (Verb.WRITE_BOOKING, theirs)
    )
    return Decision(verb=verb, why=_WHY, target=target, conflict=conflict)
