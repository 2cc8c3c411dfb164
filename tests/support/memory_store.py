"""An in-memory ``ports.Store``: the same promises as the SQL store, fast enough for laws that
are tested over thousands of histories."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from calsync.errors import StoreError
from calsync.mapping.expand import extent
from calsync.model import (
    Conflict,
    Interval,
    Link,
    LinkState,
    Notice,
    Pair,
    Presence,
    Side,
)
from calsync.ports import (
    AuditEntry,
    Commit,
    NoticeState,
    OpenEffect,
    RoomState,
    StoredNotice,
)


@dataclass
class MemoryStore:
    pair_list: list[Pair]
    state_map: dict[str, RoomState] = field(default_factory=dict)
    link_map: dict[str, Link] = field(default_factory=dict)
    outbox: dict[str, OpenEffect] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    ledger: dict[tuple[str, str, str, str], StoredNotice] = field(default_factory=dict)
    audit: list[AuditEntry] = field(default_factory=list)
    fences: dict[str, int] = field(default_factory=dict)
    commits: int = 0

    def pairs(self) -> list[Pair]:
        return list(self.pair_list)

    def states(self) -> dict[str, RoomState]:
        return dict(self.state_map)

    def claim(self, pair_id: str, owner: str) -> int:
        self.fences[pair_id] = self.fences.get(pair_id, 0) + 1
        return self.fences[pair_id]

    def links(self, pair_id: str) -> list[Link]:
        return [lk for lk in self.link_map.values() if lk.pair_id == pair_id]

    def links_by_key(self, pair_id: str, side: Side, keys: Sequence[str]) -> list[Link]:
        wanted = set(keys)
        return [lk for lk in self.links(pair_id) if lk.half(side).key in wanted]

    def links_by_id(self, ids: Sequence[str]) -> list[Link]:
        return [self.link_map[i] for i in ids if i in self.link_map]

    def links_by_uid(self, pair_id: str, side: Side, uids: Sequence[str]) -> list[Link]:
        there = [lk for lk in self.links(pair_id) if lk.state is not LinkState.BURIED]
        return [lk for lk in there if lk.half(side).uid in uids]

    def links_asked(
        self, pair_id: str, *, uids: Sequence[str], copies: Sequence[str]
    ) -> list[Link]:
        asked = [lk for lk in self.links(pair_id) if lk.event.answer]
        return [lk for lk in asked if lk.event.uid in uids or lk.event.copy in copies]

    def all_asked(self, pair_id: str) -> list[Link]:
        asked = [lk for lk in self.links(pair_id) if lk.event.answer]
        return [lk for lk in asked if lk.state is not LinkState.BURIED]

    def links_meeting(self, pair_id: str, span: Interval) -> list[Link]:
        return [
            lk
            for lk in self.links(pair_id)
            if lk.state is not LinkState.BURIED
            and any(_meets(o, span) for o in (lk.base, lk.booking.seen, lk.event.seen) if o)
        ]

    def unsettled(self, pair_id: str) -> list[Link]:
        return [lk for lk in self.links(pair_id) if _unsettled(lk)]

    def future_items(self, pair_id: str, now: datetime) -> int:
        return sum(
            1
            for lk in self.links(pair_id)
            if lk.state is LinkState.ACTIVE
            and lk.base is not None
            and ((end := extent(lk.base, "UTC")[1]) is None or end > now)
        )

    def open_effects(self, pair_id: str) -> list[OpenEffect]:
        return [o for o in self.outbox.values() if o.pair_id == pair_id]

    def commit(self, commit: Commit) -> None:
        if self.fences.get(commit.pair_id) != commit.fence:
            raise StoreError("the room's lease was lost")
        self.commits += 1
        if commit.moved_to:
            self._move(commit)
        for link_id in commit.forget:
            self.link_map.pop(link_id, None)
        self.link_map.update({lk.id: lk for lk in commit.links})
        self._check_keys(commit.pair_id)
        for e in commit.effects:
            self.outbox[e.id] = OpenEffect(
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
            self.outbox.pop(effect_id, None)
        self.conflicts.extend(c for c in commit.conflicts if c not in self.conflicts)
        queued = [(n, NoticeState.QUEUED) for n in commit.notices]
        for n, state in [*queued, *((n, NoticeState.DOUBTFUL) for n in commit.doubtful)]:
            key = (n.booking_key, n.revision, n.recipient, n.kind.value)
            if key not in self.ledger:
                self.ledger[key] = StoredNotice(
                    id=len(self.ledger),
                    pair_id=commit.pair_id,
                    notice=n,
                    state=state,
                    tries=0,
                )
        self.audit.extend(commit.audit)
        if commit.state is not None:
            self.state_map[commit.pair_id] = commit.state

    def _move(self, commit: Commit) -> None:
        self.pair_list = [
            replace(one, connection=commit.moved_to) if one.id == commit.pair_id else one
            for one in self.pair_list
        ]
        self.outbox = {
            i: replace(o, key=commit.keys.get(o.key, o.key) if o.key is not None else None)
            for i, o in self.outbox.items()
        }

    def _check_keys(self, pair_id: str) -> None:
        for side in Side:
            keys = [lk.half(side).key for lk in self.links(pair_id) if lk.half(side).key]
            assert len(keys) == len(set(keys)), f"two links hold one {side.value} key"

    def save_states(self, states: Sequence[RoomState], fences: Mapping[str, int]) -> set[str]:
        for state in states:
            held, fence = self.state_map.get(state.pair_id), fences.get(state.pair_id)
            if fence is None and held is not None:
                state = replace(held, failures=state.failures, error=state.error)
            if fence in (None, self.fences.get(state.pair_id)):
                self.state_map[state.pair_id] = state
        asked = {state.pair_id for state in states} & fences.keys()
        return {i for i in asked if fences[i] != self.fences.get(i)}

    def claim_notices(
        self, limit: int, *, closed: Collection[str] = frozenset()
    ) -> list[StoredNotice]:
        return []

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
        there = [lk for lk in self.links(pair_id) if lk.state is not LinkState.BURIED]
        return any(
            (half := lk.booking).presence is not Presence.GONE
            and (half.key or "").partition("#")[0] == booking
            for lk in there
        )

    def doubt_notices(self, *, start: bool = True) -> int:
        return 0


def _meets(occ: object, span: Interval) -> bool:
    start, end = extent(occ, "UTC")  # type: ignore[arg-type]
    return start < span.end and (end is None or end > span.start)


def _unsettled(lk: Link) -> bool:
    if lk.state is not LinkState.ACTIVE:
        return False
    if lk.in_flight or lk.pending or lk.base is None or lk.event.waits or lk.event.declined:
        return True
    return any(
        half.presence is not Presence.PRESENT or half.fingerprint != lk.base_fingerprint
        for half in (lk.booking, lk.event)
    )
