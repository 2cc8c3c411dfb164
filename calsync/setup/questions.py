"""Conflicts as an admin sees them: what stands against what, and which answers there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from calsync.conflicts.clash import shown
from calsync.model import (
    BOTH_STAY,
    Conflict,
    ConflictKind,
    Link,
    LinkState,
    Occupancy,
    Pair,
    Presence,
    Side,
    Window,
)
from calsync.reconcile.answers import overlap
from calsync.store.reports import ConflictRecord

if TYPE_CHECKING:
    from calsync.bootstrap import Home


class State(StrEnum):
    """OPEN waits for an answer, or for a later act of people; DECIDED was decided by the room's
    policy, and what lost is kept; ANSWERED was decided by an admin."""

    OPEN = "open"
    DECIDED = "decided"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One of the two. ``occupancy`` None: a deletion. ``link`` None: only its record is left."""

    side: Side
    link: Link | None
    occupancy: Occupancy | None

    @property
    def born(self) -> Side:
        """The side on which people booked it."""
        return self.link.origin if self.link is not None else self.side


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """``this`` against ``that``. In one that was decided ``this`` is what stands and ``that`` what
    lost. ``clash``: they are two bookings, else two versions of one. ``records``: numbers of the
    stored conflicts; ``id`` is the newest of them, or the link's id where there is none."""

    id: str
    at: datetime | None
    pair: Pair
    kind: str
    state: State
    policy: str
    reason: str
    this: Version
    that: Version
    clash: bool
    records: tuple[int, ...] = ()


def questions(home: Home, pairs: Sequence[Pair], *, every: bool = False) -> list[Question]:
    """Everything open in these rooms; with ``every`` what was decided, too. Open ones first, newest
    first."""
    found: list[Question] = []
    states = home.store.states()
    for pair in pairs:
        state = states.get(pair.id)
        found += _of_room(home, pair, state.window if state else None, every=every)
    return sorted(
        found,
        key=lambda q: (q.state is not State.OPEN, -(q.at.timestamp() if q.at else 0), q.id),
    )


def _of_room(home: Home, pair: Pair, window: Window | None, *, every: bool) -> list[Question]:
    parked = {link.id: link for link in home.reports.parked(pair.id)}
    records = home.reports.conflicts(pair.id, limit=1000)
    ids = {r.conflict.link_id for r in records}
    ids |= {r.conflict.other_link_id for r in records if r.conflict.other_link_id}
    links = {link.id: link for link in home.store.links_by_id(sorted(ids))} | parked
    found: list[Question] = []
    told: set[str] = set()
    same: dict[tuple[str, str], list[int]] = {}
    waiting: set[int] = set()
    for record in records:
        if _is_open(record.conflict, links, window, pair.zone):
            waiting.add(record.id)
            same.setdefault(_key(record.conflict), []).append(record.id)
    for record in records:
        conflict = record.conflict
        if record.id in waiting:
            mine = same[_key(conflict)]
            if record.id == max(mine):
                found.append(_open(record, pair, links, tuple(sorted(mine))))
            told |= {conflict.link_id, conflict.other_link_id or ""}
        elif every and not conflict.parked:
            found.append(_decided(record, pair, links))
    found += [_parked(link, pair) for link in parked.values() if link.id not in told]
    return found


def _key(conflict: Conflict) -> tuple[str, str]:
    return conflict.link_id, conflict.other_link_id or ""


def _is_open(
    conflict: Conflict, links: Mapping[str, Link], window: Window | None, zone: str
) -> bool:
    link, other = links.get(conflict.link_id), links.get(conflict.other_link_id or "")
    if not conflict.parked or link is None:
        return False
    if conflict.policy != BOTH_STAY:
        return link.state is LinkState.PARKED
    # Nobody was parked: it is over as soon as the two do not meet any more.
    return (
        other is not None
        and window is not None
        and bool(overlap(link, other, window=window, zone=zone)[1])
    )


def _open(
    record: ConflictRecord, pair: Pair, links: Mapping[str, Link], mine: tuple[int, ...]
) -> Question:
    conflict = record.conflict
    link = links[conflict.link_id]
    other = links.get(conflict.other_link_id or "")
    if conflict.kind is ConflictKind.CLASH and other is not None:
        this, that = _claimed(other), _claimed(link)
    else:
        this, that = _versions(link)
    return Question(
        id=str(record.id),
        at=record.at,
        pair=pair,
        kind=conflict.kind.value,
        state=State.OPEN,
        policy=conflict.policy,
        reason=conflict.reason,
        this=this,
        that=that,
        clash=conflict.kind is ConflictKind.CLASH and other is not None,
        records=mine,
    )


def _decided(record: ConflictRecord, pair: Pair, links: Mapping[str, Link]) -> Question:
    """What stands now, and what lost. Of a clash both are bookings; of an edit both versions."""
    conflict, winner = record.conflict, record.conflict.winner
    assert winner is not None
    link, other = links.get(conflict.link_id), links.get(conflict.other_link_id or "")
    if conflict.policy == "admin":
        # The answer may have been for either; what gave way is kept with its effect.
        kept = link if other is None or (link is not None and _now(other) is None) else other
        gave = link if kept is other else other
        stands = Version(side=winner, link=kept, occupancy=_now(kept))
        link, lost_side = gave, winner.other
    elif conflict.kind is ConflictKind.CLASH:
        stands = Version(side=winner, link=other, occupancy=_now(other))
        lost_side = link.claimed_on if link is not None else winner.other
    else:
        stands = Version(side=winner, link=link, occupancy=_now(link))
        lost_side = winner.other
    return Question(
        id=str(record.id),
        at=record.at,
        pair=pair,
        kind=conflict.kind.value,
        state=State.ANSWERED if conflict.policy == "admin" else State.DECIDED,
        policy=conflict.policy,
        reason=conflict.reason,
        this=stands,
        that=Version(side=lost_side, link=link, occupancy=conflict.lost),
        clash=conflict.kind is ConflictKind.CLASH,
        records=(record.id,),
    )


def _parked(link: Link, pair: Pair) -> Question:
    """Parked for another reason than a conflict: what one side shows, or what the other does."""
    this, that = _versions(link)
    return Question(
        id=link.id,
        at=None,
        pair=pair,
        kind="parked",
        state=State.OPEN,
        policy="",
        reason=link.reason,
        this=this,
        that=that,
        clash=False,
    )


def _versions(link: Link) -> tuple[Version, Version]:
    """The booking against the event; where one is gone, what is left comes first."""
    sides = [Side.BOOKING, Side.CALENDAR]
    if link.booking.presence is not Presence.PRESENT:
        sides.reverse()
    one, other = (Version(side=s, link=link, occupancy=shown(link, s)) for s in sides)
    return one, other


def _claimed(link: Link) -> Version:
    side = link.claimed_on
    if shown(link, side) is None:
        side = side.other
    return Version(side=side, link=link, occupancy=shown(link, side))


def _now(link: Link | None) -> Occupancy | None:
    if link is None:
        return None
    return shown(link, Side.BOOKING) or shown(link, Side.CALENDAR)
