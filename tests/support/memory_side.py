"""An in-memory side: items with versions, marks and a change feed, and faults on demand.

It behaves like a well-made calendar or platform behind ``ports.SyncSide`` and can be told to
lose replies, show stale states, fail reads and shuffle what it reports."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from calsync.errors import CursorExpired, Unavailable
from calsync.mapping.expand import busy_intervals
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    NOBODY,
    Absence,
    Done,
    Effect,
    EffectKind,
    Gone,
    InDoubt,
    Interval,
    Later,
    Observation,
    Occupancy,
    Outcome,
    Pair,
    Person,
    Pull,
    ResourceCalendar,
    Room,
    Seen,
    Side,
    Stale,
    Unknown,
    Window,
)
from calsync.ports import Capabilities

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Item:
    key: str
    occupancy: Occupancy
    mark: int
    created: datetime
    modified: datetime
    owned: bool = True
    uid: str = ""
    tag: str | None = None
    replaces: str = ""
    pending: bool = False
    person: Person = NOBODY
    deleted: bool = False
    absence: Absence = Absence.READ
    history: list[Seen] = field(default_factory=list)


@dataclass
class Faults:
    """Probabilities of one call each."""

    lose_reply: float = 0.0
    lose_request: float = 0.0
    stale: float = 0.0
    unreadable: float = 0.0
    later: float = 0.0
    void_cursor: float = 0.0


class MemorySide:
    """``side`` says which of the two it plays. ``writes`` counts changes made through the port."""

    def __init__(self, side: Side, rng: random.Random, rooms: Sequence[Room] = ()) -> None:
        self._side = side
        self.rng = rng
        self.items: dict[str, Item] = {}
        self.feed: list[str] = []
        self.ticks = 0
        self.faults = Faults()
        self.writes = 0
        self.log: list[tuple[EffectKind, str]] = []
        self._rooms = list(rooms)
        self.now = EPOCH
        self.items_hidden_before: datetime | None = None

    # -- what people do ---------------------------------------------------------------------

    def put(
        self,
        key: str,
        occ: Occupancy,
        *,
        owned: bool = True,
        pending: bool = False,
        person: Person = NOBODY,
        uid: str = "",
        tag: str | None = None,
        replaces: str = "",
    ) -> Item:
        mark = self._tick()
        item = self.items.get(key)
        if item is None:
            item = Item(
                key, occ, mark, self.now, self.now,
                owned=owned, uid=uid, tag=tag, replaces=replaces,
            )  # fmt: skip
            self.items[key] = item
        item.occupancy, item.mark, item.modified = occ, mark, self.now
        item.deleted, item.pending, item.person = False, pending, person
        item.absence = Absence.READ
        item.history.append(self._seen(item))
        self.feed.append(key)
        return item

    def remove(self, key: str) -> None:
        item = self.items[key]
        item.mark, item.deleted = self._tick(), True
        self.feed.append(key)

    def live(self) -> dict[str, Occupancy]:
        return {k: i.occupancy for k, i in self.items.items() if not i.deleted}

    def _tick(self) -> int:
        self.ticks += 1
        self.now += timedelta(milliseconds=1)
        return self.ticks

    def _seen(self, item: Item) -> Seen:
        return Seen(
            key=item.key,
            occupancy=item.occupancy,
            fingerprint=fingerprint(item.occupancy),
            version=f"v{item.mark}",
            mark=item.mark,
            created=item.created,
            modified=item.modified,
            owned=item.owned,
            uid=item.uid,
            tag=item.tag,
            replaces=item.replaces,
            pending=item.pending,
            person=item.person,
        )

    # -- the port ---------------------------------------------------------------------------

    @property
    def side(self) -> Side:
        return self._side

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(conditional_writes=True, local=self._side is Side.BOOKING)

    def pull(self, pair: Pair, cursor: str | None, window: Window) -> Pull:
        if cursor is not None and self.rng.random() < self.faults.void_cursor:
            raise CursorExpired("the sync state is void")
        start, end = int(cursor) if cursor else 0, len(self.feed)
        keys = list(dict.fromkeys(self.feed[start:])) if cursor is not None else self._listed()
        self.rng.shuffle(keys)
        found: list[Observation] = []
        hints: list[str] = []
        for key in keys:
            item = self.items[key]
            if self.rng.random() < self.faults.stale and item.history:
                found.append(self.rng.choice(item.history))
                # The feed says it again later: nothing is ever lost, only late.
                self.feed.append(key)
            elif self.rng.random() < self.faults.unreadable:
                found.append(Unknown(key=key, reason="not readable just now"))
            elif item.deleted:
                if cursor is not None:
                    hints.append(key)
            else:
                found.append(self._seen(item))
        return Pull(
            observations=tuple(found),
            hints=tuple(hints),
            cursor=str(end),
            complete=cursor is None,
        )

    def _listed(self) -> list[str]:
        """A listing of the window leaves out what ended before it."""
        before = self.items_hidden_before
        return [
            k
            for k, i in self.items.items()
            if before is None or i.occupancy.end.replace(tzinfo=UTC) > before
        ]

    def read(self, pair: Pair, keys: Sequence[str]) -> list[Observation]:
        return [self._read(k) for k in keys]

    def _read(self, key: str) -> Observation:
        if self.rng.random() < self.faults.unreadable:
            return Unknown(key=key, reason="not readable just now")
        item = self.items.get(key)
        if item is None or item.deleted:
            return self._gone(key)
        return self._seen(item)

    def _gone(self, key: str) -> Gone:
        item = self.items.get(key)
        if item is None:
            return Gone(key=key, absence=Absence.READ)
        return Gone(key=key, absence=item.absence, mark=item.mark)

    def find(self, pair: Pair, tags: Sequence[str]) -> Mapping[str, Observation]:
        return {
            i.tag: self._seen(i)
            for i in self.items.values()
            if i.tag in set(tags) and not i.deleted
        }

    def elsewhere(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        return []

    # People have no calendars here (see ``memory_people``).

    def meetings_of(self, pair: Pair, uids: Mapping[str, str]) -> Mapping[str, Observation]:
        return {}

    def copies(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        return []

    def read_theirs(self, pair: Pair, keys: Mapping[str, str]) -> Mapping[str, Observation]:
        return {}

    def find_theirs(
        self, pair: Pair, tags: Mapping[str, str], uids: Mapping[str, str]
    ) -> Mapping[str, Observation]:
        return {}

    def apply(self, pair: Pair, effects: Sequence[Effect]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for effect in effects:
            if outcomes and isinstance(outcomes[-1], InDoubt | Later):
                outcomes.append(Later(0.0, "an earlier effect did not finish"))
            elif self.rng.random() < self.faults.later:
                outcomes.append(Later(1.0, "busy"))
            elif self.rng.random() < self.faults.lose_request:
                outcomes.append(InDoubt("request lost"))
            else:
                outcome = self._apply(effect)
                lost = self.rng.random() < self.faults.lose_reply
                outcomes.append(InDoubt("reply lost") if lost else outcome)
        return outcomes

    def _apply(self, effect: Effect) -> Outcome:
        kind = effect.kind
        if kind in (EffectKind.CREATE_BOOKING, EffectKind.CREATE_EVENT):
            return self._create(effect)
        assert effect.key is not None
        item = self.items.get(effect.key)
        if item is None or item.deleted:
            gone = self._gone(effect.key)
            if kind in (EffectKind.CHANGE_BOOKING, EffectKind.CHANGE_EVENT):
                return Stale(gone)
            return Done(gone)
        if f"v{item.mark}" != effect.version:
            return Stale(self._seen(item))
        if kind is EffectKind.CONFIRM_BOOKING:
            item.pending = False
            return Done(self._seen(item))
        self.writes += 1
        self.log.append((kind, effect.key))
        if kind in (EffectKind.CHANGE_BOOKING, EffectKind.CHANGE_EVENT):
            assert effect.target is not None
            assert item.owned, "an attendee's copy was written to"
            self.put(effect.key, effect.target, pending=item.pending, person=item.person)
            return Done(self._seen(item))
        if kind is EffectKind.DECLINE_EVENT and effect.refusal and effect.refusal.dates:
            return self._decline_dates(item, effect)
        self.remove(effect.key)
        if kind is EffectKind.REJECT_BOOKING:
            item.absence = Absence.REFUSED
        return Done(self._gone(effect.key))

    def _decline_dates(self, item: Item, effect: Effect) -> Outcome:
        assert effect.refusal is not None
        recurrence = item.occupancy.recurrence
        assert recurrence is not None
        dates = tuple(sorted({*recurrence.excluded, *effect.refusal.dates}))
        kept = tuple(o for o in recurrence.overrides if o.recurrence_id not in dates)
        new = replace(recurrence, excluded=dates, overrides=kept)
        self.put(item.key, replace(item.occupancy, recurrence=new), person=item.person)
        return Done(self._seen(item))

    def _create(self, effect: Effect) -> Outcome:
        assert effect.target is not None
        for item in self.items.values():
            if item.tag == effect.tag and item.deleted:
                return Done(self._gone(item.key))
            if item.tag == effect.tag:
                return Done(self._seen(item), complete=item.occupancy == effect.target)
        self.writes += 1
        key = f"{self._side.value[0]}-{len(self.items)}"
        self.log.append((effect.kind, key))
        item = self.put(key, effect.target, tag=effect.tag, uid=effect.uid)
        return Done(self._seen(item))

    # -- directories ------------------------------------------------------------------------

    def rooms(self) -> Iterable[Room]:
        return list(self._rooms)

    def resource_calendars(self) -> Iterable[ResourceCalendar]:
        return []

    def busy(self, room_ids: Sequence[str], span: Interval) -> Mapping[str, list[Interval]]:
        return {
            r: [i for occ in self.live().values() for i in busy_intervals(occ, span, "UTC")]
            if self._rooms and r == self._rooms[0].id
            else []
            for r in room_ids
        }


__all__ = ["EPOCH", "Faults", "Item", "MemorySide", "Unavailable"]
