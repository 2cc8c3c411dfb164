"""What an admin's answer makes of what was parked. Pure.

Nothing is written by it that the table would not write: a link is put into the state in which the
table decides as the admin did, and the next cycle carries that out with all its checks.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from calsync.conflicts.clash import Claim, Verdict, shown
from calsync.mapping.expand import busy_intervals, extent, instances
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    NONE_YET,
    Effect,
    Interval,
    Link,
    LinkState,
    Occupancy,
    Presence,
    Refusal,
    Side,
    Window,
)
from calsync.reconcile.decide import Decision, Verb
from calsync.reconcile.effects import effect_of, in_flight, refused
from calsync.reconcile.join import heir
from calsync.reconcile.rebase import bury, rebase, with_half

_ABSENT = frozenset({Presence.NEVER, Presence.GONE})


def hindrance(link: Link, side: Side) -> str:
    """Why what ``side`` shows cannot be kept; empty where it can."""
    if link.in_flight:
        return "a write of it is still in doubt"
    if not is_known(link):
        return "one side of it cannot be read just now"
    there, other = shown(link, side), shown(link, side.other)
    if there is None and other is None:
        return "it is on neither side any more"
    foreign = side is Side.BOOKING and not link.event.changeable
    if foreign and there is not None and other is not None:
        return "the organiser owns the meeting: only the organiser can change it, in Outlook"
    return ""


def keep(link: Link, side: Side) -> list[Link]:
    """The link as it must be for ``side`` to win, whose present state may be a deletion; a second
    one where the item gets a new life. Only where ``hindrance`` names nothing."""
    link = freed(link)
    other = shown(link, side.other)
    if other is not None:
        half = link.half(side)
        if half.presence is Presence.NEVER:
            # That it is not there is right, as if it had been deleted: "never" would make it there.
            link = with_half(link, side, replace(half, presence=Presence.GONE))
        # What the other side shows counts as agreed on: so all that differs was done on this one.
        return [rebase(link, other, fingerprint(other))]
    if link.half(side.other).presence is Presence.GONE:
        return _new_life(link, side)
    return [link]


def freed(link: Link) -> Link:
    """Not parked any more, and with all tries ahead of it. A write that is in doubt goes by the
    revision: moved on, nothing would look it up, and the link waited for it for ever (found by
    simulation)."""
    revision = link.revision if link.in_flight else link.revision + 1
    return replace(
        link,
        state=LinkState.ACTIVE,
        reason="",
        attempts=0,
        writes=NONE_YET,
        revision=revision,
    )


def _new_life(link: Link, lives: Side) -> list[Link]:
    """The item of one side under a new link, as new; the old one becomes the tombstone."""
    half = link.half(lives)
    return [bury(with_half(link, lives, replace(half, key=None))), heir(link, lives)]


# --- clashes ---------------------------------------------------------------------------------


def holds(link: Link) -> bool:
    """True while any side shows the item."""
    return any(link.half(side).presence not in _ABSENT for side in Side)


def is_known(link: Link) -> bool:
    """False while one side of it has to be read again before anybody can tell what it shows."""
    return all(link.half(side).presence is not Presence.UNKNOWN for side in Side)


def overlap(
    loser: Link, winner: Link, *, window: Window, zone: str
) -> tuple[tuple[datetime, ...], tuple[Interval, ...]]:
    """Recurrence-ids of the loser's dates that meet the winner's time, and that time, in UTC."""
    mine, theirs = _claimed(loser), _claimed(winner)
    if mine is None or theirs is None:
        return (), ()
    taken = busy_intervals(theirs, window, zone)
    dates: list[datetime] = []
    found: list[Interval] = []
    for one in instances(mine, window, zone):
        met = [other for other in taken if one.busy.blocks and one.interval.meets(other)]
        if met:
            found += met
            dates += [one.recurrence_id] if one.recurrence_id is not None else []
    return tuple(dates), tuple(dict.fromkeys(found))


def refuse(
    loser: Link,
    winner: Link,
    *,
    window: Window,
    zone: str,
    now: datetime,
    reason: str = "",
) -> tuple[Link, Effect] | None:
    """The loser's link in flight, and the write that takes it off the winner's time; None where
    the two do not meet (any more)."""
    dates, taken = overlap(loser, winner, window=window, zone=zone)
    occupancy = _claimed(loser)
    if not taken or occupancy is None:
        return None
    loser = freed(loser)
    side = _side(loser)
    if side is Side.CALENDAR and loser.event.owned:
        # The room's own: nobody is told. It goes because the admin said so.
        decision = Decision(verb=Verb.DELETE_EVENT, why="an admin kept another booking")
        loser = in_flight(loser)
        return loser, effect_of(loser, decision)
    series = occupancy.recurrence
    whole = series is not None and not series.rule.endless and len(dates) >= _count(occupancy, zone)
    verdict = Verdict(
        loser=_claim(loser, occupancy, now),
        winners=(_claim(winner, _claimed(winner) or occupancy, now),),
        dates=() if whole else dates,
        taken=taken,
        ask=False,
    )
    link, effect = refused(loser, verdict)
    if reason and effect.refusal is not None:
        refusal: Refusal = replace(effect.refusal, reason=reason)
        effect = replace(effect, refusal=refusal)
        link = replace(link, refusal=refusal if link.refusal is not None else None)
    return link, effect


def _side(link: Link) -> Side:
    """Where it was claimed, if it still is there."""
    side = link.claimed_on
    return side if shown(link, side) is not None else side.other


def _claimed(link: Link) -> Occupancy | None:
    return shown(link, _side(link))


def _claim(link: Link, occupancy: Occupancy, now: datetime) -> Claim:
    return Claim(link=link, occupancy=occupancy, side=_side(link), at=now, fixed=False, new=True)


def _count(occupancy: Occupancy, zone: str) -> int:
    """Dates of a series that ends; more than anybody books where it hardly does."""
    first, last = extent(occupancy, zone)
    assert last is not None  # it ends
    return sum(1 for _ in instances(occupancy, Window(first, last), zone))
