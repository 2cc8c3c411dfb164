"""People who book, move, retitle, give up dates, cancel and restore, on both sides of one room.

They never book over what their own side shows: an overlap is then always a race between the
sides. Every title is ``name-number``; the name stays with a booking for life, so that the oracle
recognises it on either side whatever calsync made of it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from calsync.mapping.expand import busy_intervals
from calsync.model import (
    Frequency,
    Interval,
    Nth,
    Occupancy,
    Person,
    Recurrence,
    Rule,
    Side,
    Weekday,
    Window,
)
from tests.simulation.story import Story, words
from tests.support.memory_side import EPOCH
from tests.support.room import World, single

ANNA = Person("Anna", "anna@x.example")
BERT = Person("Bert", "bert@x.example")
WEEK = timedelta(days=7)
#: Few, so that people often want the same time.
SLOTS, WEEKS = 4, 2
_HORIZON = Window(EPOCH - WEEK, EPOCH + 52 * WEEK)


class Kind(StrEnum):
    BOOK = "books"
    EDIT = "changes"
    CANCEL = "cancels"
    RESTORE = "restores"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody did on ``side`` to the item ``key``: ``before`` → ``after`` (None: no item).

    ``mark`` is that of the side after it; ``asks``: the person waits for an answer.
    """

    kind: Kind
    side: Side
    key: str
    name: str
    before: Occupancy | None
    after: Occupancy | None
    mark: int
    asks: bool = False


def name_of(occ: Occupancy) -> str:
    return str(occ.title).split("-")[0]


def times(occ: Occupancy) -> list[Interval]:
    return list(busy_intervals(occ, _HORIZON, "UTC"))


def overlap(one: Occupancy, other: Occupancy) -> bool:
    return any(a.meets(b) for a in times(one) for b in times(other))


class People:
    """Makes acts, and remembers all of them in order."""

    def __init__(self, world: World, rng: random.Random, story: Story) -> None:
        self.world, self.rng, self.story = world, rng, story
        self.acts: list[Act] = []
        self.copies: set[str] = set()
        self._count = 0

    def act(self) -> None:
        """Somebody does something on one side, or finds the time taken and does nothing."""
        self.world.tick()
        side = self.rng.choice(list(Side))
        live = self.world.side(side).live()
        choice = self.rng.random()
        if choice < 0.4 or not live:
            self._book(side)
        elif choice < 0.55:
            self._cancel(side, self.rng.choice(sorted(live)))
        elif choice < 0.6:
            self._restore(side)
        else:
            self._edit(side, self.rng.choice(sorted(live)))

    # -- kinds of acts ----------------------------------------------------------------------

    def _book(self, side: Side) -> None:
        name = f"n{self._next()}"
        occ = self._some_time(f"{name}-0")
        if not self._free(side, occ):
            return
        port, key = self.world.side(side), f"{side.value[0]}.{name}"
        if side is Side.BOOKING:
            item = port.put(key, occ, pending=True, person=ANNA)
        else:
            # Three in ten are blocks in the room's own calendar, the rest are meetings.
            owned = self.rng.random() < 0.3
            if not owned:
                self.copies.add(name)
            item = port.put(key, occ, owned=owned, person=BERT, uid=f"uid-{name}")
        self._done(Kind.BOOK, side, key, before=None, after=occ, mark=item.mark)

    def _cancel(self, side: Side, key: str) -> None:
        port = self.world.side(side)
        before = port.items[key].occupancy
        port.remove(key)
        self._done(Kind.CANCEL, side, key, before=before, after=None, mark=port.items[key].mark)

    def _restore(self, side: Side) -> None:
        """From the recycle bin; not where the booking has another item there already."""
        port = self.world.side(side)
        gone = sorted(k for k, i in port.items.items() if i.deleted)
        if not gone:
            return
        key = self.rng.choice(gone)
        item = port.items[key]
        occ, here = item.occupancy, {name_of(o) for o in port.live().values()}
        if name_of(occ) in here or not self._free(side, occ):
            return
        port.put(key, occ, pending=item.pending, person=item.person)
        self._done(
            Kind.RESTORE, side, key, before=None, after=occ, mark=item.mark, asks=item.pending
        )

    def _edit(self, side: Side, key: str) -> None:
        port = self.world.side(side)
        item = port.items[key]
        before = item.occupancy
        after = self._changed(before)
        if after is None or not self._free(side, after, but=key):
            return
        own = any(a.key == key and a.kind is Kind.BOOK for a in self.acts)
        # Who waits for an answer goes on waiting; who had one may ask again.
        asks = item.pending or (side is Side.BOOKING and own and self.rng.random() < 0.5)
        port.put(key, after, pending=asks, person=item.person)
        self._done(Kind.EDIT, side, key, before=before, after=after, mark=item.mark, asks=asks)

    def _changed(self, occ: Occupancy) -> Occupancy | None:
        retitled = replace(occ, title=f"{name_of(occ)}-{self._next()}")
        if self.rng.random() < 0.5:
            return retitled
        if occ.recurrence is None:
            return self._at(self._slot(), str(retitled.title))
        day = occ.start + self.rng.randrange(2) * WEEK
        return _without(occ, day) if day not in occ.recurrence.excluded else retitled

    # -- helpers ----------------------------------------------------------------------------

    def _done(
        self,
        kind: Kind,
        side: Side,
        key: str,
        *,
        before: Occupancy | None,
        after: Occupancy | None,
        mark: int,
        asks: bool = False,
    ) -> None:
        occ = after or before
        assert occ is not None
        asks = asks or (kind is Kind.BOOK and side is Side.BOOKING)
        self.acts.append(
            Act(
                kind=kind,
                side=side,
                key=key,
                name=name_of(occ),
                before=before,
                after=after,
                mark=mark,
                asks=asks,
            )
        )
        change = words(after) if before is None else f"{words(before)} -> {words(after)}"
        self.story.tell(side.value, f"{key}: somebody {kind.value} {change}")

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _slot(self) -> int:
        return self.rng.randrange(SLOTS) + 168 * self.rng.randrange(WEEKS)

    def _some_time(self, title: str) -> Occupancy:
        if self.rng.random() < 0.25:
            return weekly(self.rng.randrange(SLOTS), title, self.rng.choice([2, 4]))
        return self._at(self._slot(), title)

    @staticmethod
    def _at(slot: int, title: str) -> Occupancy:
        return single(slot, title=title)

    def _free(self, side: Side, occ: Occupancy, *, but: str = "") -> bool:
        live = self.world.side(side).live()
        return not any(key != but and overlap(o, occ) for key, o in live.items())


def weekly(slot: int, title: str, count: int) -> Occupancy:
    first = single(slot, title=title)
    day = Nth(Weekday(first.start.weekday()))
    rule = Rule(frequency=Frequency.WEEKLY, by_day=(day,), count=count)
    return replace(first, recurrence=Recurrence(rule=rule))


def _without(occ: Occupancy, day: datetime) -> Occupancy:
    assert occ.recurrence is not None
    excluded = tuple(sorted({*occ.recurrence.excluded, day}))
    return replace(occ, recurrence=replace(occ.recurrence, excluded=excluded))
