"""calsync's database as a value, and the store port over it.

The promises are those of ``calsync.store``: a commit under an old fence changes nothing, a
conflict is recorded once, a notice is queued once. What is kept for display only (audit, counts
of failures) is left out, so that it does not set states apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from calsync.errors import StoreError
from calsync.mapping.expand import extent
from calsync.model import (
    NONE_YET,
    Conflict,
    Interval,
    Link,
    LinkState,
    Notice,
    Occupancy,
    Pair,
    Presence,
    Side,
)
from calsync.ports import Commit, NoticeState, OpenEffect, RoomState, StoredNotice


@dataclass(frozen=True, slots=True, kw_only=True)
class Db:
    """All that survives the process. ``links`` and ``outbox`` are sorted by id."""

    state: RoomState | None = None
    fence: int = 0
    links: tuple[Link, ...] = ()
    outbox: tuple[OpenEffect, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    notices: tuple[Notice, ...] = ()

    def link(self, link_id: str) -> Link | None:
        return next((lk for lk in self.links if lk.id == link_id), None)


def unsettled(link: Link) -> bool:
    """As the column of that name in ``calsync.store.schema``."""
    if link.state is not LinkState.ACTIVE:
        return False
    if link.in_flight or link.pending or link.base is None:
        return True
    return any(
        half.presence is not Presence.PRESENT or half.fingerprint != link.base_fingerprint
        for half in (link.booking, link.event)
    )


@dataclass(slots=True)
class ValueStore:
    """``calsync.ports.Store`` over ``db``; ``trail`` keeps every state it went through."""

    pair: Pair
    db: Db
    trail: list[Db] = field(default_factory=list)

    def pairs(self) -> list[Pair]:
        return [self.pair]

    def states(self) -> dict[str, RoomState]:
        return {} if self.db.state is None else {self.pair.id: self.db.state}

    def claim(self, pair_id: str, owner: str) -> int:
        self._now(replace(self.db, fence=self.db.fence + 1))
        return self.db.fence

    def links(self, pair_id: str) -> list[Link]:
        return list(self.db.links)

    def links_by_key(self, pair_id: str, side: Side, keys: Sequence[str]) -> list[Link]:
        return [lk for lk in self.db.links if lk.half(side).key in keys]

    def links_by_id(self, ids: Sequence[str]) -> list[Link]:
        return [lk for lk in self.db.links if lk.id in ids]

    def links_by_uid(self, pair_id: str, side: Side, uids: Sequence[str]) -> list[Link]:
        there = [lk for lk in self.db.links if lk.state is not LinkState.BURIED]
        return [lk for lk in there if lk.half(side).uid in uids]

    def links_asked(
        self, pair_id: str, *, uids: Sequence[str], copies: Sequence[str]
    ) -> list[Link]:
        return []

    def all_asked(self, pair_id: str) -> list[Link]:
        return []

    def links_meeting(self, pair_id: str, span: Interval) -> list[Link]:
        return [
            lk
            for lk in self.db.links
            if lk.state is not LinkState.BURIED
            and any(_meets(o, span) for o in (lk.base, lk.booking.seen, lk.event.seen) if o)
        ]

    def unsettled(self, pair_id: str) -> list[Link]:
        return [lk for lk in self.db.links if unsettled(lk)]

    def future_items(self, pair_id: str, now: datetime) -> int:
        active = (lk for lk in self.db.links if lk.state is LinkState.ACTIVE)
        return sum(1 for lk in active if lk.base is not None)

    def open_effects(self, pair_id: str) -> list[OpenEffect]:
        return list(self.db.outbox)

    def commit(self, commit: Commit) -> None:
        db = self.db
        if db.fence != commit.fence:
            raise StoreError("the room's lease was lost")
        links = {lk.id: lk for lk in db.links if lk.id not in commit.forget}
        # How much was written within the hour is not of this world: limits are far beyond it.
        links.update({lk.id: replace(lk, writes=NONE_YET) for lk in commit.links})
        _check_keys(links.values())
        outbox = {o.id: o for o in db.outbox}
        for e in commit.effects:
            outbox[e.id] = OpenEffect(
                id=e.id,
                pair_id=commit.pair_id,
                link_id=e.link_id,
                kind=e.kind.value,
                revision=e.revision,
                key=e.key,
                version=e.version,
                fingerprint=e.fingerprint,
            )
        for effect_id in commit.settled:
            outbox.pop(effect_id, None)
        asked = {_address(n) for n in db.notices}
        state = db.state if commit.state is None else bare(commit.state)
        self._now(
            Db(
                state=state,
                fence=db.fence,
                links=tuple(sorted(links.values(), key=lambda lk: lk.id)),
                outbox=tuple(sorted(outbox.values(), key=lambda o: o.id)),
                conflicts=(
                    *db.conflicts,
                    *dict.fromkeys(c for c in commit.conflicts if c not in db.conflicts),
                ),
                notices=(*db.notices, *(n for n in commit.notices if _address(n) not in asked)),
            )
        )

    def _now(self, db: Db) -> None:
        self.db = db
        self.trail.append(db)

    def save_states(self, states: Sequence[RoomState], fences: Mapping[str, int]) -> set[str]:
        raise NotImplementedError

    def claim_notices(
        self, limit: int, *, closed: Collection[str] = frozenset()
    ) -> list[StoredNotice]:
        raise NotImplementedError

    def settle_notice(
        self, notice_id: int, state: NoticeState, reason: str = "", *, wait: float = 0.0
    ) -> None:
        raise NotImplementedError

    def queue_notices(
        self, pair_id: str, notices: Sequence[Notice], *, doubtful: Sequence[Notice] = ()
    ) -> int:
        raise NotImplementedError

    def coming(self, now: datetime, ahead: timedelta) -> list[tuple[str, int]]:
        raise NotImplementedError

    def has_live_part(self, pair_id: str, booking: str) -> bool:
        there = (lk for lk in self.db.links if lk.state is not LinkState.BURIED)
        halves = (lk.booking for lk in there if lk.booking.presence is not Presence.GONE)
        return any((half.key or "").partition("#")[0] == booking for half in halves)

    def doubt_notices(self, *, start: bool = True) -> int:
        raise NotImplementedError


def bare(state: RoomState) -> RoomState:
    """Without what is only counted. calsync's clock stands still here, later than anything people
    do: by the time of its import, everything would be from before."""
    return replace(state, failures=0, writes=NONE_YET, imported_at=None)


def _address(notice: Notice) -> tuple[str, str, str, str]:
    return (notice.booking_key, notice.revision, notice.person.address, notice.kind.value)


def _check_keys(links: Iterable[Link]) -> None:
    for side in Side:
        keys = [lk.half(side).key for lk in links if lk.half(side).key]
        if len(keys) != len(set(keys)):
            raise StoreError(f"two links claim one {side.value} item")


def _meets(occ: Occupancy, span: Interval) -> bool:
    start, end = extent(occ, "UTC")
    return start < span.end and (end is None or end > span.start)
