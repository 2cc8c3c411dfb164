"""Who claims the room's time: what is decided in this plan, and what stands there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import replace
from datetime import datetime

from calsync.conflicts.clash import Claim, Verdict, shown
from calsync.conflicts.merge import covers
from calsync.model import Link, LinkState, Occupancy, Presence, Side
from calsync.reconcile.decide import FILLING, Decision, Verb
from calsync.reconcile.join import never_read
from calsync.reconcile.observe import LAG, last_seen
from calsync.reconcile.order import Times
from calsync.reconcile.wait import TAKEN_FROM, taken_from

_GIVES_UP = frozenset({Verb.DELETE_BOOKING, Verb.DELETE_EVENT, Verb.BURY, Verb.REJECT_BOOKING})
_ABSENT = frozenset({Presence.NEVER, Presence.GONE})


def claims_of(
    links: Iterable[Link],
    decisions: Mapping[str, Decision],
    now: datetime,
    *,
    came_back: Set[str] = frozenset(),
    leaving: Mapping[str, Occupancy | None] | None = None,
) -> list[Claim]:
    """The claims of a room, or none where no decision takes time that its side did not hold.

    ``links``: the newest state of every link of the plan and of its neighbours. ``came_back``: ids
    of those that people took away and back: their time may have been given to another meanwhile.
    ``leaving``: what is left of those that this plan declines already; None = nothing.
    """
    links = list(links)
    filling = {
        link.id
        for link in links
        if (decision := decisions.get(link.id)) is not None
        and (link.id in came_back or (decision.verb in FILLING and _takes_time(link, decision)))
    }
    if not filling:
        return []
    found: list[Claim] = []
    for link in links:
        match link.state:
            case LinkState.ACTIVE:
                claim = _claim(link, decisions.get(link.id), now=now, new=link.id in filling)
                found.extend(_left(claim, leaving or {}))
            case LinkState.PARKED:
                found.extend(_parked(link, now))
            case LinkState.BURIED:
                pass
    return found


def _left(claim: Claim | None, leaving: Mapping[str, Occupancy | None]) -> Iterator[Claim]:
    """The claim, as far as this plan does not decline it already."""
    if claim is None:
        return
    if claim.link.id not in leaving:
        yield claim
    elif (left := leaving[claim.link.id]) is not None:
        yield replace(claim, occupancy=left)


def as_known(claim: Claim, before: Link | None, read_at: datetime | None) -> Claim:
    """``claim``, where its item was moved since the reading before this one, which began at
    ``read_at``, with the ``earliest`` time at which that may have been done. Its last change may be
    of later: it was retitled since, Exchange made it anew, or its mailbox went to another server.
    Taken for the time of the move, what came there in between counted as seen (seeds 546 and 1521).
    ``before``: its link as it was stored; of what is back, its tombstone (seed 2932)."""
    if before is None or read_at is None:
        return claim
    was, half = before.half(claim.side), claim.link.half(claim.side)
    if was.presence is Presence.NEVER or was.since == half.since:
        return claim
    if never_read(before) is claim.side:
        # Nor did any reading show where it was, or that it was there at all.
        return replace(claim, earliest=min(half.created or read_at, claim.at))
    # What that reading did not show yet, since its feed lagged, may have been done before it.
    return replace(claim, earliest=min(read_at - LAG, claim.at))


def as_stored(links: Iterable[Link]) -> Callable[[Claim], Link | None]:
    """Of a claim, the link of its item as it was stored in ``links``; of an item that is back from
    behind a tombstone, and has a new link, the tombstone."""
    by_id: dict[str, Link] = {}
    tombs: dict[tuple[Side, str | None], Link] = {}
    for link in links:
        by_id[link.id] = link
        if link.state is LinkState.BURIED:
            tombs.update({(side, key): link for side in Side if (key := link.half(side).key)})

    def stored(claim: Claim) -> Link | None:
        key = claim.link.half(claim.side).key
        return by_id.get(claim.link.id) or tombs.get((claim.side, key))

    return stored


def booked_since(verdict: Verdict, claims: Iterable[Claim], times: Times) -> list[Claim]:
    """Who wants the time that the loser, a moved booking, would have to go back to."""
    link = verdict.loser.link
    if verdict.loser.side is Side.CALENDAR or verdict.dates or link.base is None:
        return []
    back = times(link.base)
    return [
        claim
        for claim in claims
        if claim.new
        and claim.link.id != link.id
        and any(one.meets(other) for other in times(claim.occupancy) for one in back)
    ]


def has_come_back(before: Link, link: Link) -> bool:
    """True where people had moved or removed the item, and it is back at the time agreed on."""
    if link.base is None:
        return False
    for side in Side:
        was, half, there = before.half(side), link.half(side), shown(link, side)
        moved = was.presence is not Presence.NEVER and was.since != half.since
        if moved and there is not None and covers(link.base, there):
            return True
    return False


def _takes_time(link: Link, decision: Decision) -> bool:
    """True where the decision takes time that its side does not hold now: also where it puts
    back what was moved away, since that time may have been booked meanwhile."""
    target = decision.target
    assert target is not None
    if link.base is None or not covers(link.base, target):
        return True
    if decision.verb is Verb.GIVE_BACK:
        return True
    side = TAKEN_FROM.get(decision.verb)
    if side is None:
        return False
    there = shown(link, side.other)
    return there is None or not covers(there, target)


def _claim(link: Link, decision: Decision | None, *, now: datetime, new: bool) -> Claim | None:
    """What the link wants (``new``) or holds; None where it gives its time up."""
    side = link.origin if _put_there(link, link.origin) else link.claimed_on
    occupancy: Occupancy | None
    if new and decision is not None and decision.target is not None:
        occupancy = decision.target
        if not _claimed(link, occupancy):
            side = taken_from(link, decision) or side
    elif decision is not None and decision.verb in _GIVES_UP:
        return None
    else:
        occupancy = last_seen(link, side) or link.base
    # An item that cannot be read just now still takes its time.
    somewhere = any(last_seen(link, s) is not None for s in Side)
    if occupancy is None or not somewhere:
        return None
    back = _put_there(link, side)
    return Claim(
        link=link,
        occupancy=occupancy,
        side=side,
        at=_since(link, side, now, back=back),
        fixed=side is Side.CALENDAR
        and link.event.presence is Presence.PRESENT
        and link.event.owned,
        new=new,
        back=back,
    )


def _claimed(link: Link, target: Occupancy) -> bool:
    """True where the side on which people claimed the item shows it at the time of ``target``."""
    there = shown(link, link.claimed_on)
    return there is not None and covers(there, target)


def _since(link: Link, side: Side, now: datetime, *, back: bool) -> datetime:
    """When the time was claimed; what was put there held it for as long as one side shows it."""
    if not back:
        return link.half(side).since or link.half(side).created or now
    sides = [s for s in Side if link.half(s).presence not in _ABSENT]
    found = [at for s in sides if (at := link.half(s).since or link.half(s).created) is not None]
    return min(found, default=now)


def _put_there(link: Link, side: Side) -> bool:
    """True where calsync, not people, put the item where it is on ``side``: they claimed its time
    on the other side, where it is gone since, or where calsync itself made it (after a refused
    move the time counts as held there, see ``effects.refused``)."""
    if link.claimed_on is side:
        return False
    held = link.half(link.claimed_on)
    return held.presence in _ABSENT or held.since == held.created


def _parked(link: Link, now: datetime) -> Iterator[Claim]:
    """What is parked still takes the room on each side where it stands, and is not refused
    unasked."""
    for side in Side:
        there = last_seen(link, side)
        if there is not None and link.half(side).presence is not Presence.GONE:
            at = link.half(side).since or link.half(side).created or now
            yield Claim(link=link, occupancy=there, side=side, at=at, fixed=True, new=False)
