"""The guard: what calsync asks a person about instead of doing it.

A listing that lost items, a restored backup or a wrong mapping look like many people who all
cancel at once; two programs that do not agree look like people who keep changing their minds.
calsync would rather ask once too often than empty a room's calendar, or fight over it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from calsync.conflicts.merge import same_schedule
from calsync.model import Effect, EffectKind, Halt, Link, Observation, Seen

#: The span over which writes are counted, and that over which events of another calsync are.
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At most ``floor`` items or ``share`` of the room's future items, whichever is more, are
    deleted or moved at once. In an hour at most ``per_booking`` writes of one booking, and
    ``per_room`` changes and deletions in one room. In a day fewer than ``others`` events that
    another calsync made. ``lag``: how long a side may go on showing an old state.
    """

    floor: int = 5
    share: float = 0.10
    per_booking: int = 20
    per_room: int = 200
    others: int = 3
    lag: timedelta = timedelta(minutes=10)

    def allowed(self, future_items: int) -> int:
        return max(self.floor, int(future_items * self.share))


USUAL = Limits()


_DELETIONS = frozenset(
    {
        EffectKind.DELETE_EVENT,
        EffectKind.DECLINE_EVENT,
        EffectKind.DELETE_BOOKING,
        EffectKind.REJECT_BOOKING,
    }
)
_CHANGES = frozenset({EffectKind.CHANGE_EVENT, EffectKind.CHANGE_BOOKING})


# --- too much at once --------------------------------------------------------------------------


def disruptive(effects: Iterable[Effect]) -> int:
    """How many bookings the effects delete or move in time.

    The items of a booking that is carried as several share its uid: one person who cancels it
    has cancelled one booking.
    """
    return len({effect.uid or effect.link_id for effect in effects if _disrupts(effect)})


def _disrupts(effect: Effect) -> bool:
    if effect.kind in _DELETIONS:
        return True
    if effect.kind in _CHANGES and effect.was is not None and effect.target is not None:
        return not same_schedule(effect.was, effect.target)
    return False


def check(
    effects: Iterable[Effect],
    *,
    future_items: int,
    limits: Limits,
    emptied: str = "",
    writes: int = 0,
) -> Halt | None:
    """Refuse, or None. ``emptied`` names a side that came up empty where the base is not.
    ``writes``: changes and deletions of the last hour, before this plan."""
    if emptied:
        return Halt(
            reason=f"the {emptied} side shows no items at all, but {future_items} were agreed on",
            deletions=future_items,
            items=future_items,
        )
    effects = tuple(effects)
    count = disruptive(effects)
    if count > limits.allowed(future_items):
        return Halt(
            reason=(
                f"this cycle would delete or move {count} of {future_items} future items "
                f"(at most {limits.allowed(future_items)} go without asking)"
            ),
            deletions=count,
            items=future_items,
        )
    more = repeatable(effects)
    if more and writes + more > limits.per_room:
        return Halt(
            reason=(
                f"{writes} changes and deletions were written within an hour, and {more} more are"
                f" due (at most {limits.per_room} go without asking): another program may be"
                " working against calsync in this room"
            ),
            deletions=count,
            items=future_items,
        )
    return None


# --- again and again ---------------------------------------------------------------------------


def repeatable(effects: Iterable[Effect]) -> int:
    """How many of the effects can be part of a loop. Whatever goes in circles changes or deletes;
    who books a whole term at once only creates."""
    return sum(effect.kind in _CHANGES or effect.kind in _DELETIONS for effect in effects)


def counted(link: Link, effect: Effect, now: datetime) -> Link:
    """``link`` with the write counted, if it is one that can repeat itself."""
    if effect.kind not in _CHANGES and effect.kind not in _DELETIONS:
        return link
    return replace(link, writes=link.writes.plus(1, HOUR, now))


def uncounted(link: Link, effect: Effect) -> Link:
    """``link`` without a write that was put off: what was not carried out, nobody takes back."""
    return replace(link, writes=link.writes.less(repeatable([effect])))


def worn_out(link: Link, limits: Limits, now: datetime) -> str:
    """Why the link is written no more for now; empty where it may be."""
    count = link.writes.within(HOUR, now)
    if count < limits.per_booking:
        return ""
    assert link.writes.since is not None
    return (
        f"it was written {count} times since {link.writes.since:%H:%M} UTC: people, or another"
        " program, keep changing it back. Find out who (calsync explain); it is tried again when it"
        f" changes after {link.writes.since + HOUR:%H:%M} UTC"
    )


# --- not alone ---------------------------------------------------------------------------------


def others(
    new: Iterable[Observation],
    known: Container[str],
    *,
    maker: str,
    read_at: datetime | None,
    now: datetime,
) -> tuple[int, int]:
    """How many of the ``new`` events another calsync made, and how many we made in a life that our
    database does not remember: it was restored from a backup.

    ``known``: ids of links that are remembered. ``maker``: our mark. ``read_at``: when the room was
    last read. An event under our mark that was made since, while we were there all the time, was
    made by somebody who works with a copy of our database.
    """
    there_since = read_at if read_at is not None and now - read_at < HOUR else None
    foreign = forgotten = 0
    for obs in new:
        if not isinstance(obs, Seen) or not obs.maker:
            continue
        if obs.maker != maker:
            foreign += 1
        elif obs.tag is not None and obs.tag not in known:
            # Under our own seal, for this mailbox: we made it.
            since = there_since is not None and obs.created > there_since
            foreign, forgotten = foreign + since, forgotten + (not since)
    return foreign, forgotten


def not_alone(count: int, limits: Limits) -> Halt | None:
    """Ask where another calsync works on the same mailbox. ``count``: the events it made within
    the last day. One or two may be copies that people made from another room."""
    if count < limits.others:
        return None
    return Halt(
        reason=(
            f"{count} events of the last day were made by another calsync: two of them must not"
            " work on one mailbox. Stop the other one, or unmap the room in one of the two"
        ),
        deletions=0,
        items=count,
    )
