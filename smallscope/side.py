"""A booking platform or a calendar as a value: what it holds, what people and calsync do to it.

Every change of a side gives a new ``SideState``. Marks and times are small whole numbers. What
nobody has looked at yet is numbered anew (``settled_numbers``), so that two histories which
differ only in what nobody saw are one state.

The booking side follows calsync's own hub: its feed tells what people changed and names
deletions outright. The calendar side follows Graph: its feed tells calsync's own writes, too, and
a deletion is a hint without a mark.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from calsync.mapping.fingerprint import fingerprint
from calsync.model import NOBODY, Absence, Gone, Occupancy, Person, Seen, Side

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ANNA = Person("Anna", "anna@x.example")
BERT = Person("Bert", "bert@x.example")
#: Marks lie apart: absences without a mark are put between two of them (``observe.accept``).
STEP = 10


@cache
def occupancy(title: str, slot: int) -> Occupancy:
    """An hour of the day; slots do not overlap."""
    start = datetime(2026, 1, 5) + timedelta(hours=8 + slot)
    return Occupancy(start=start, end=start + timedelta(hours=1), zone="UTC", title=title)


@cache
def fingerprint_of(occ: Occupancy) -> str:
    return fingerprint(occ)


def slot_of(occ: Occupancy) -> int:
    return occ.start.hour - 8


def name_of(occ: Occupancy) -> str:
    """The booking that an item belongs to; titles are ``NAME-sN``: named on side s, N-th name."""
    return str(occ.title).split("-")[0]


@cache
def _instant(time: int) -> datetime:
    return EPOCH + timedelta(seconds=time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One booking or event.

    ``editable``: the platform lets its people change it. ``by_people``: the mark of the newest
    change that calsync did not make. ``asks``: marks of the changes after which somebody waits
    for an answer. ``former``: what a stale read shows, the
    state before the newest change that calsync had seen. ``dead``: why it is gone.
    """

    key: str
    title: str
    slot: int
    mark: int
    created: int
    modified: int
    by_people: int = 0
    owned: bool = True
    editable: bool = True
    uid: str = ""
    tag: str | None = None
    made_by: str = ""
    pending: bool = False
    person: Person = NOBODY
    asks: tuple[int, ...] = ()
    former: Seen | None = None
    dead: Absence | None = None

    @property
    def name(self) -> str:
        return self.title.split("-")[0]

    @property
    def version(self) -> str:
        return f"v{self.mark}"

    def seen(self) -> Seen:
        occ = occupancy(self.title, self.slot)
        return Seen(
            key=self.key,
            occupancy=occ,
            fingerprint=fingerprint_of(occ),
            version=self.version,
            mark=self.mark,
            created=_instant(self.created),
            modified=_instant(self.modified),
            owned=self.owned,
            uid=self.uid,
            tag=self.tag,
            pending=self.pending,
            person=self.person,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SideState:
    """``ticks``: the newest mark given. ``observed``: the newest that calsync could have seen in
    any answer; ``pulled``: in a listing or feed; ``known_time``: the newest time it could know.
    ``titled``: how many titles were given here to each booking, by name, that calsync could see.
    """

    side: Side
    items: tuple[Item, ...] = ()
    ticks: int = 0
    observed: int = 0
    pulled: int = 0
    known_time: int = 0
    titled: tuple[tuple[str, int], ...] = ()

    def item(self, key: str | None) -> Item | None:
        return next((i for i in self.items if i.key == key), None)

    def live(self) -> list[Item]:
        return [i for i in self.items if i.dead is None]

    def latest(self) -> int:
        return max([self.known_time, *(i.modified for i in self.items)])

    def gone(self, key: str) -> Gone:
        """What a targeted read says of what is not there: Graph's 404 carries no mark."""
        item = self.item(key)
        if item is None or item.dead is None:
            return Gone(key=key, absence=Absence.READ)
        if self.side is Side.CALENDAR:
            return Gone(key=key, absence=item.dead)
        return Gone(key=key, absence=item.dead, mark=item.mark)

    def put(self, item: Item, *, time: int, people: bool) -> SideState:
        """With ``item`` new or changed, under the next mark."""
        old = self.item(item.key)
        former = item.former
        if old is not None and old.mark <= self.observed:
            former = old.seen() if old.dead is None else None
        mark = self.ticks + STEP
        new = replace(
            item,
            mark=mark,
            modified=time,
            by_people=mark if people else item.by_people,
            created=item.created if old is not None else time,
            former=former,
        )
        others = [i for i in self.items if i.key != item.key]
        items = tuple(sorted((*others, new), key=lambda i: i.key))
        return replace(self, items=items, ticks=mark)

    def looked_at(self, *, pulled: bool = False) -> SideState:
        """After an answer to calsync: what was there may be known from now on."""
        titled = dict(self.titled)
        for item in self.items:
            name, _, number = item.title.partition("-")
            if number[:1] == self.side.value[0]:
                titled[name] = max(titled.get(name, 0), int(number[1:]))
        return replace(
            self,
            observed=self.ticks,
            pulled=self.ticks if pulled else self.pulled,
            known_time=self.latest(),
            titled=tuple(sorted(titled.items())),
        )

    def next_title(self, name: str) -> str:
        """A title that calsync has not seen here yet."""
        return f"{name}-{self.side.value[0]}{dict(self.titled).get(name, 0) + 1}"


def settled_numbers(one: SideState, other: SideState) -> tuple[SideState, SideState]:
    """Both sides with marks and times that nobody has seen yet counted anew, in their order.

    Only who came to claim time has a time of their own: of a new title, or a removal, nobody asks
    whether it was earlier than what happened on the other side.
    """
    known = max(one.known_time, other.known_time)
    times = {t for s in (one, other) for i in s.items for t in _claimed(i, s)}
    ranks = {t: known + 1 + at for at, t in enumerate(sorted(t for t in times if t > known))}
    return _renumbered(one, ranks, known), _renumbered(other, ranks, known)


def _claimed(item: Item, side: SideState) -> tuple[int, ...]:
    """Times of ``item`` that may decide who came first."""
    if item.mark <= side.observed:
        return (item.modified, item.created)
    if item.dead is not None or (
        item.former is not None and slot_of(item.former.occupancy) == item.slot
    ):
        return (item.created,)
    return (item.modified, item.created)


def _renumbered(side: SideState, times: dict[int, int], known: int) -> SideState:
    unseen = sorted({i.mark for i in side.items if i.mark > side.observed})
    marks = {mark: side.observed + STEP * (at + 1) for at, mark in enumerate(unseen)}
    items = []
    for item in side.items:
        mark = marks.get(item.mark, item.mark)
        seen = tuple(ask for ask in item.asks if ask <= side.observed)
        modified = times.get(item.modified, min(item.modified, known))
        items.append(
            replace(
                item,
                mark=mark,
                by_people=mark if item.by_people > side.observed else item.by_people,
                # What was asked before anybody looked is one question: the last.
                asks=(*seen, mark) if len(seen) < len(item.asks) else seen,
                created=times.get(item.created, item.created),
                modified=modified if item.modified in _claimed(item, side) else known,
            )
        )
    ticks = max([side.observed, *(i.mark for i in items)])
    return replace(side, items=tuple(items), ticks=ticks)
