"""Two bookings claim one room at one time: who keeps it.

A clash is a *race between the sides*: neither claimant could see the other. An overlap that
people made inside one side, in sight of what stood there, is theirs; it is mirrored, not
"fixed". The two are told apart per pair of claims:

* both claimed on the same side: made inside it, unless calsync put one of them back there
  (its move was refused): then nobody placed that one in sight of the other;
* on some side S, the claim made on S came later than the other one had been shown on S: made
  in sight of it. When people moved an item is known only as some time between two readings, since
  anything that changed it later, too, bears another time: it counts where all of that is later;
* otherwise neither was visible to the other: a clash, with exactly one loser per date.

The order of strength is total and the same on every run: what waits for a person first, then
what nobody can be told about (an item in the room's own calendar without an organiser), the policy,
then the earlier claim, then the calendar, then the id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from calsync.conflicts.merge import covers
from calsync.mapping.expand import extent, instances
from calsync.model import ClashPolicy, Interval, Link, LinkState, Occupancy, Presence, Side, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """``occupancy`` is wanted (``new``: decided in this plan) or held by ``link``.

    ``side``: where people claimed it; ``at``: when, by that side's clock (aware UTC).
    ``earliest``: since when it may have been made, where ``at`` tells only by when it was.
    ``fixed``: an item of the room's own calendar; it has no organiser who could be told.
    ``back``: not people but calsync put it where it is now on ``side``.
    """

    link: Link
    occupancy: Occupancy
    side: Side
    at: datetime
    fixed: bool
    new: bool
    back: bool = False
    earliest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``loser`` loses to ``winners``. ``dates`` are the recurrence-ids it loses; empty = all of
    it. ``taken`` is the time that the winners hold of it, in UTC. ``ask``: a person decides."""

    loser: Claim
    winners: tuple[Claim, ...]
    dates: tuple[datetime, ...]
    taken: tuple[Interval, ...]
    ask: bool


def shown(link: Link, side: Side) -> Occupancy | None:
    """What ``side`` shows for the link now, by the newest accepted observation."""
    half = link.half(side)
    if half.presence is not Presence.PRESENT:
        return None
    return half.seen if half.seen is not None else link.base


def _in_sight(native: Claim, foreign: Claim) -> bool:
    """True where ``native`` was surely claimed on its side after ``foreign`` was shown there."""
    if foreign.link.half(native.side).waits:
        return False  # It is shown in a person's calendar, and not in the room's yet.
    there = shown(foreign.link, native.side)
    since = foreign.link.half(native.side).since
    return (
        not native.back
        and there is not None
        and since is not None
        and covers(there, foreign.occupancy)
        and since < (native.earliest or native.at)
    )


def is_race(one: Claim, other: Claim) -> bool:
    """True where neither claim was made in sight of the other (see the module)."""
    if one.side is other.side and not (one.back or other.back):
        return False
    return not _in_sight(one, other) and not _in_sight(other, one)


def strength(claim: Claim, policy: ClashPolicy) -> tuple[bool, bool, bool, datetime, bool, str]:
    """Sort key: the smallest is the strongest."""
    match policy:
        case ClashPolicy.FIRST | ClashPolicy.ASK:
            preferred = True
        case ClashPolicy.CALENDAR:
            preferred = claim.side is Side.CALENDAR
        case ClashPolicy.BOOKING:
            preferred = claim.side is Side.BOOKING
        case _:
            assert_never(policy)
    return (
        claim.link.state is not LinkState.PARKED,
        not claim.fixed,
        not preferred,
        claim.at,
        claim.side is Side.BOOKING,
        claim.link.id,
    )


@dataclass(slots=True)
class _Slot:
    start: datetime
    end: datetime
    claim: int
    recurrence_id: datetime | None
    lost: bool = False


def judge(
    claims: Sequence[Claim], *, policy: ClashPolicy, window: Window, zone: str
) -> list[Verdict]:
    """The verdicts on all races among ``claims`` of one room within ``window``.

    Claims that are not ``new`` never clash with each other: they were judged when they came.
    ``zone`` is the room's. The result does not depend on the order of ``claims``.
    """
    one_side = len({c.side for c in claims}) < 2 and not any(c.back for c in claims)
    if one_side or not any(c.new for c in claims):
        return []
    ranked = sorted(claims, key=lambda c: strength(c, policy))
    slots: list[_Slot] = []
    for rank, claim in enumerate(ranked):
        slots.extend(
            _Slot(i.start, i.end, rank, i.recurrence_id)
            for i in instances(claim.occupancy, window, zone)
            if i.busy.blocks and i.start < i.end
        )
    meetings = _meetings(ranked, slots)
    return _resolve(
        ranked, meetings, slots, policy, goes_on=lambda occ: _goes_on(occ, window, zone)
    )


def _goes_on(occ: Occupancy, window: Window, zone: str) -> bool:
    """True where it has dates behind the window: they may be free."""
    last = extent(occ, zone)[1]
    if last is None:
        return True
    later = instances(occ, Interval(window.end, last), zone)
    return any(i.busy.blocks and i.start >= window.end for i in later)


def _meetings(ranked: Sequence[Claim], slots: list[_Slot]) -> list[tuple[_Slot, _Slot]]:
    """Pairs (stronger, weaker) of slots that meet and race, by a sweep over time."""
    slots.sort(key=lambda s: s.start)
    active: list[_Slot] = []
    found: list[tuple[_Slot, _Slot]] = []
    for slot in slots:
        active = [a for a in active if a.end > slot.start]
        for other in active:
            one, two = (other, slot) if other.claim < slot.claim else (slot, other)
            strong, weak = ranked[one.claim], ranked[two.claim]
            if one.claim != two.claim and (strong.new or weak.new) and is_race(strong, weak):
                found.append((one, two))
        active.append(slot)
    return found


def _resolve(
    ranked: Sequence[Claim],
    meetings: list[tuple[_Slot, _Slot]],
    slots: list[_Slot],
    policy: ClashPolicy,
    *,
    goes_on: Callable[[Occupancy], bool],
) -> list[Verdict]:
    """From the strongest down: a slot is lost to a stronger slot that still stands. ``goes_on``:
    whether a series has dates that are not judged yet."""
    losses: dict[int, list[tuple[_Slot, _Slot]]] = {}
    for strong, weak in sorted(meetings, key=lambda m: m[1].claim):
        if not strong.lost:
            weak.lost = True
            losses.setdefault(weak.claim, []).append((weak, strong))
    total: dict[int, int] = {}
    for slot in slots:
        total[slot.claim] = total.get(slot.claim, 0) + 1
    verdicts = []
    for rank, lost in losses.items():
        dates = sorted({w.recurrence_id for w, _ in lost if w.recurrence_id is not None})
        whole = len(dates) >= total[rank] and not goes_on(ranked[rank].occupancy)
        verdicts.append(
            Verdict(
                loser=ranked[rank],
                winners=tuple(ranked[r] for r in sorted({s.claim for _, s in lost})),
                dates=() if whole else tuple(dates),
                taken=tuple(
                    Interval(*span) for span in sorted({(s.start, s.end) for _, s in lost})
                ),
                ask=policy is ClashPolicy.ASK,
            )
        )
    return verdicts
