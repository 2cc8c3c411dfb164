"""What comes waits for what leaves.

Some time is about to be left, though not by a write of this plan: a merge writes the event now and
the booking in the next round; a write may be in doubt; an item that was moved on the other side
may be unreadable just now. Until it is left, nothing is put there: one store never shows two
bookings at one time because of calsync. (Within a plan, ``order`` sees to that.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from calsync.conflicts.clash import shown
from calsync.conflicts.merge import same_schedule
from calsync.model import Effect, Interval, Link, LinkState, Occupancy, Presence, Side
from calsync.reconcile.decide import Decision, Verb
from calsync.reconcile.observe import last_seen
from calsync.reconcile.order import Times
from calsync.reconcile.told import whole_booking

#: The side whose state such a decision carries over.
TAKEN_FROM = {
    Verb.CREATE_BOOKING: Side.CALENDAR,
    Verb.WRITE_BOOKING: Side.CALENDAR,
    Verb.REVIVE_BOOKING: Side.CALENDAR,
    Verb.CREATE_EVENT: Side.BOOKING,
    Verb.WRITE_EVENT: Side.BOOKING,
    Verb.REVIVE_EVENT: Side.BOOKING,
}
_FILLS = {verb: side.other for verb, side in TAKEN_FROM.items()} | {
    Verb.WRITE_BOTH: Side.CALENDAR,
    Verb.GIVE_BACK: Side.BOOKING,
}
_WRITES_TO = {
    **_FILLS,
    Verb.DELETE_BOOKING: Side.BOOKING,
    Verb.REJECT_BOOKING: Side.BOOKING,
    Verb.DELETE_EVENT: Side.CALENDAR,
    Verb.DECLINE_DATES: Side.CALENDAR,
}


def taken_from(link: Link, decision: Decision) -> Side | None:
    """The side from which the decision takes its time: the claim is the one made there. A merge
    takes it from the side that shows it; None where both do, or neither (dates of a series)."""
    side = TAKEN_FROM.get(decision.verb)
    if side is None and decision.verb is Verb.WRITE_BOTH and decision.target is not None:
        there = [(s, occ) for s in Side if (occ := shown(link, s)) is not None]
        showing = [s for s, occ in there if same_schedule(occ, decision.target)]
        return showing[0] if len(showing) == 1 else None
    return side


def claim_taken(link: Link, decision: Decision) -> Link:
    """The time that is carried over was claimed on the side it is taken from: also where it puts
    back what people moved on the other side but could not move."""
    side = taken_from(link, decision)
    if side is None or decision.target is None or link.base is None:
        return link
    there = shown(link, side.other)
    if there is None or same_schedule(there, decision.target):
        return link
    return replace(link, claim=side)


def too_early(
    links: Sequence[Link],
    decisions: Mapping[str, Decision],
    effects: Sequence[Effect],
    times: Times,
) -> list[str]:
    """The links whose decision has to wait. ``effects`` are those that the plan has already."""
    by_id = {link.id: link for link in links}
    waiting: list[str] = []
    for side in Side:
        known = {e.link_id for e in effects if e.kind.side is side}
        known |= {i for i, d in decisions.items() if _WRITES_TO.get(d.verb) is side}
        # What is carried over from here stays here.
        known |= {i for i, d in decisions.items() if i in by_id and taken_from(by_id[i], d) is side}
        left = [span for occ in _leaving(links, side, known) for span in times(occ)]
        filling = {
            i: d
            for i, d in decisions.items()
            if _FILLS.get(d.verb) is side and not _stands(by_id.get(i), d, side)
        }
        while left:
            held = [i for i, d in filling.items() if _meets(d.target, left, times)]
            waiting += held
            # What waits does not leave its own time either.
            stays = (shown(by_id[i], side) for i in held if i in by_id)
            left = [span for occ in stays if occ is not None for span in times(occ)]
            filling = {i: d for i, d in filling.items() if i not in held}
    return waiting


def still_needed(
    links: Sequence[Link], decisions: Mapping[str, Decision], times: Times
) -> list[str]:
    """The links whose event holds time that another event of the same booking is to hold, of which
    nobody knows whether it was made: until then it stays (see ``order``)."""
    doubtful = [
        link
        for link in links
        if link.in_flight
        and link.event.presence is Presence.NEVER
        and link.booking.presence is Presence.PRESENT
        and not link.organizer
    ]
    found: list[str] = []
    for link in links if doubtful else ():
        decision, there = decisions.get(link.id), shown(link, Side.CALENDAR)
        if decision is None or decision.verb not in _LEAVES or there is None:
            continue
        kept = set(times(decision.target)) if decision.target is not None else set()
        left = [span for span in times(there) if span not in kept]
        if any(
            whole_booking(one) == whole_booking(link)
            and _meets(shown(one, Side.BOOKING), left, times)
            for one in doubtful
        ):
            found.append(link.id)
    return found


#: What may take an event off time that it has.
_LEAVES = frozenset({Verb.DELETE_EVENT, Verb.WRITE_EVENT})


def _stands(link: Link | None, decision: Decision, side: Side) -> bool:
    """True where the decision takes no time on ``side`` but that which its item has there."""
    here = shown(link, side) if link is not None else None
    return here is not None and decision.target is not None and same_schedule(here, decision.target)


def onto(held: Sequence[Link], decisions: Mapping[str, Decision], times: Times) -> list[str]:
    """The links that want time at which one of ``held`` stands, which was not known to stay when
    the decisions were made: they are judged anew, against it."""
    found: list[str] = []
    for side in Side if held else ():
        taken = [span for lk in held if (o := shown(lk, side)) is not None for span in times(o)]
        filling = {i: d for i, d in decisions.items() if _FILLS.get(d.verb) is side}
        found += [i for i, d in filling.items() if _meets(d.target, taken, times)]
    return found


def _leaving(links: Iterable[Link], side: Side, known: set[str]) -> Iterator[Occupancy]:
    """What stands on ``side`` although the other side has moved or removed it."""
    for link in links:
        # Equal and empty means that neither side can be read, or one cannot and the other is gone.
        at_rest = link.booking.fingerprint == link.event.fingerprint != ""
        if at_rest or link.id in known:
            continue
        here, other = link.half(side), link.half(side.other)
        if link.state is not LinkState.ACTIVE or other.presence is Presence.NEVER:
            continue
        there, aim = last_seen(link, side), last_seen(link, side.other)
        if link.in_flight and here.presence is Presence.NEVER:
            there = here.seen  # A create in doubt may have made what is not wanted any more.
        if there is None or here.presence is Presence.GONE:
            continue
        moved = aim is None or not same_schedule(there, aim)
        # What cannot be read may have been moved: who wants its time may have seen that.
        if moved or other.presence in (Presence.GONE, Presence.UNKNOWN):
            yield there


def _meets(target: Occupancy | None, left: Sequence[Interval], times: Times) -> bool:
    return target is not None and any(one.meets(two) for one in times(target) for two in left)
