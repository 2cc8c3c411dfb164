"""What must hold. Numbers are those of the invariants in the project's reliability notes:

* at every write: 2 no lost booking, 4 no new double booking, 10 no regression;
* at every commit: 6 at most one answer to each thing a person asked (judged from the ledger);
* at rest: 1 convergence, 2 nothing vanished and no act lost in silence, 3 no duplicates,
  4 no double booking, 6 everybody has an answer, 8 quiescence.

The oracle looks at the two sides, at what people did, and at what calsync shows to people
(conflict records, notices, what is parked); never at how calsync came to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from calsync.model import (
    ConflictKind,
    EffectKind,
    LinkState,
    NoticeKind,
    Occupancy,
    Presence,
    Side,
)
from smallscope.answers import Fault, Write, words
from smallscope.scope import Done, Kind
from smallscope.side import Item, SideState, name_of, slot_of
from smallscope.store import Db

#: ("title", value), ("time", slot) or ("gone", "").
Part = tuple[str, str | int]
GONE: Part = ("gone", "")
#: After these calsync cannot know what stood on a side when it last read it.
BLINDING = frozenset({Fault.STALE_READ, Fault.STALLED, Fault.UNREADABLE})


class Broken(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, what: object) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


def demand(holds: bool, invariant: str, what: object) -> None:
    if not holds:
        raise Broken(invariant, what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What people want of one booking.

    ``parts``: what they made of it and nobody overruled in sight. ``former``: parts that it had
    before (who goes back to one changed nothing in the end). ``followed``: titles with those they
    replaced; ``left``: titles whose successor was carried over, which must not come back.
    ``twice``: it was restored while calsync made it anew, unseen: two items from then on.
    """

    name: str
    parts: frozenset[Part] = frozenset()
    former: frozenset[Part] = frozenset()
    followed: frozenset[tuple[str, str]] = frozenset()
    left: frozenset[str] = frozenset()
    cancelled: bool = False
    restored: bool = False
    twice: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """The wishes of all bookings, and what calsync wrote where that is traced. ``knowing``: people
    saw these two at one time and changed one of them, and let the other be."""

    wishes: tuple[Wish, ...] = ()
    log: tuple[str, ...] = ()
    knowing: bool = False

    def of(self, name: str) -> Wish:
        return next((w for w in self.wishes if w.name == name), Wish(name=name))

    def but(self, wish: Wish) -> Watch:
        others = [w for w in self.wishes if w.name != wish.name]
        wishes = tuple(sorted((*others, wish), key=lambda w: w.name))
        return replace(self, wishes=wishes)


def _parts(item: Item | None) -> frozenset[Part]:
    if item is None:
        return frozenset()
    return frozenset({("title", item.title), ("time", item.slot)})


def acted(watch: Watch, done: Done, here: SideState) -> Watch:
    """After people did something on ``here``."""
    if done.after is not None:
        slot, name = done.after.slot, done.act.name
        over = any(i.slot == slot and i.name != name for i in here.live())
        watch = replace(watch, knowing=watch.knowing or over)
    wish = watch.of(done.act.name)
    was, now = _parts(done.before), _parts(done.after)
    kept = wish.parts - (was - now)
    match done.act.kind:
        case Kind.CANCEL:
            return watch.but(
                replace(wish, parts=kept | {GONE}, former=wish.former | was, cancelled=True)
            )
        case Kind.RESTORE:
            return watch.but(replace(wish, parts=frozenset(), restored=True, twice=True))
        case _:
            new = now - was - wish.former
            followed = wish.followed
            if done.before is not None and done.after is not None:
                titles = (done.after.title, done.before.title)
                followed |= {titles} if titles[0] != titles[1] else set()
            return watch.but(
                replace(wish, parts=kept | new, former=wish.former | was, followed=followed)
            )


def wrote(
    watch: Watch,
    write: Write,
    *,
    side: SideState,
    other: SideState,
    db: Db,
    faults: frozenset[Fault],
    traced: bool,
) -> Watch:
    """Before a write takes effect. ``db`` is calsync's when it was sent. Raises Broken."""
    effect, item = write.effect, write.before
    if traced and (write.done or effect.kind is EffectKind.CONFIRM_BOOKING):
        watch = replace(watch, log=(*watch.log, effect.kind.value))
    if not write.done:
        return watch
    target = write.after
    assert target is not None
    name = target.name
    wish = watch.of(name)
    if all(effect.id != o.id for o in db.outbox):
        # A stalled process made what nobody waits for any more: it is found, and taken back.
        wish = replace(wish, late=True)
        return watch.but(wish)
    if effect.target is not None:
        wish = _no_regression(wish, target, carried=not effect.merged)
        if not faults & BLINDING and not watch.knowing:
            _no_double_booking(write, other, db)
        return watch.but(wish)
    lost = any(c.lost is not None and name_of(c.lost) == name for c in db.conflicts)
    assert item is not None
    demand(
        wish.cancelled or lost or bool(faults & BLINDING),
        "2 no lost booking",
        f"{item.title} deleted on the {side.side.value} side, and nobody deleted it",
    )
    return watch


def _no_regression(wish: Wish, target: Item, *, carried: bool) -> Wish:
    """10: a title that people left, and whose successor was carried over, never comes back."""
    if wish.restored or wish.late:
        return wish
    demand(target.title not in wish.left, "10 no regression", f"{target.title} was left")
    if not carried:
        return wish
    left, title = set(wish.left), target.title
    follows = dict(wish.followed)
    while title in follows and follows[title] not in left:
        title = follows[title]
        left.add(title)
    return replace(wish, left=frozenset(left))


def _no_double_booking(write: Write, other: SideState, db: Db) -> None:
    """4: nothing is written onto time that calsync could know to be taken. What is parked is left
    to a person; what people overlapped on the other side themselves is mirrored."""
    parked = parked_names(db)
    target = write.after
    assert target is not None
    there = {i.name for i in other.live() if i.slot == target.slot}
    for item in write.onto:
        # Of two that swap their times one has to go first.
        beyond = next((i for i in other.live() if i.name == item.name), None)
        swap = write.before is not None and beyond is not None and beyond.slot == write.before.slot
        demand(
            item.name in parked | {target.name} or {item.name, target.name} <= there or swap,
            "4 no new double booking",
            f"{target.title}@{target.slot} onto {item.title}",
        )


def parked_names(db: Db) -> set[str]:
    """Bookings that wait for a person: nothing is promised of them but that they are kept."""
    return {
        name_of(occ)
        for link in db.links
        if link.state is LinkState.PARKED
        for occ in (link.base, link.booking.seen, link.event.seen)
        if occ is not None
    }


# -- at rest ----------------------------------------------------------------------------------


def judge(
    booking: SideState, calendar: SideState, db: Db, watch: Watch, faults: frozenset[Fault]
) -> None:
    """Everything that must hold once nothing is left to do. Raises Broken."""
    parked = parked_names(db)
    _converged(booking, calendar, watch, parked)
    here = {i.name: i for i in booking.live()}
    names = {i.name for s in (booking, calendar) for i in s.items} - parked
    for name in sorted(names):
        _kept(watch.of(name), here.get(name), db)
    _answered(booking, db, watch, parked, faults)
    demand(not db.outbox, "1 convergence", f"in doubt at rest: {db.outbox}")


def _converged(booking: SideState, calendar: SideState, watch: Watch, parked: set[str]) -> None:
    shown = [
        sorted((i.title, i.slot) for i in side.live() if i.name not in parked)
        for side in (booking, calendar)
    ]
    demand(shown[0] == shown[1], "1 convergence", f"platform {shown[0]}, calendar {shown[1]}")
    for side in (booking, calendar):
        counts = Counter(i.name for i in side.live() if i.name not in parked)
        # Who restores one while the other is being made, unseen, has two from then on.
        doubled = [n for n, c in counts.items() if c > 1 and not watch.of(n).twice]
        demand(not doubled, "3 no duplicates", f"{doubled} twice on the {side.side.value} side")
        taken = Counter(i.slot for i in side.live() if i.name not in parked)
        late = watch.knowing or any(w.late for w in watch.wishes)
        double = [s for s, c in taken.items() if c > 1]
        demand(late or not double, "4 no double booking at rest", f"{shown}")


def _kept(wish: Wish, end: Item | None, db: Db) -> None:
    """2: what nobody deleted and nothing beat is there; of what people did, every part that
    nobody overruled in sight of it is there, or is kept on record."""
    records = [c for c in db.conflicts if c.lost is not None and name_of(c.lost) == wish.name]
    demand(
        end is not None or wish.cancelled or bool(records),
        "2 no lost booking",
        f"{wish.name} vanished",
    )
    if wish.restored or wish.late or wish.twice:
        return
    held = _parts(end) if end is not None else {GONE}
    deletion = any(c.kind is ConflictKind.DELETE_EDIT for c in records)
    for part in sorted(wish.parts - held, key=str):
        recorded = any(part in _recorded(c.lost) for c in records)
        demand(
            recorded or (part == GONE and deletion),
            "2 no act is lost in silence",
            f"{part} of {wish.name}; in the end {end and (end.title, end.slot)}; "
            f"records: {[(c.kind.value, words(c.lost)) for c in records]}",
        )


def _recorded(lost: Occupancy | None) -> set[Part]:
    return set() if lost is None else {("title", str(lost.title)), ("time", slot_of(lost))}


def _answered(
    booking: SideState, db: Db, watch: Watch, parked: set[str], faults: frozenset[Fault]
) -> None:
    """6: nobody waits for ever; nobody is answered twice; who lost the room was told."""
    for item in booking.items:
        if not item.asks or item.name in parked:
            continue
        notices = [n for n in db.notices if n.booking_key == item.key]
        questions = [_question(item.asks, int(n.revision.removeprefix("v"))) for n in notices]
        demand(0 not in questions, "6 notices", f"{item.key} is told what nobody asked")
        if not faults & BLINDING:
            twice = [q for q, count in Counter(questions).items() if count > 1]
            demand(not twice, "6 notices", f"{item.key} is answered twice")
        demand(item.dead is not None or not item.pending, "6 notices", f"{item.key} still waits")
        wish, last = watch.of(item.name), notices[-1] if notices else None
        if Fault.STALLED in faults or wish.restored:
            continue  # It may have been answered by a process nobody listened to any more.
        told = last and last.kind.value
        if item.dead is not None and not wish.cancelled:
            rejected = last is not None and last.kind is NoticeKind.REJECTED
            demand(rejected, "6 notices", f"{item.key} is gone, its owner was told {told}")
        if item.dead is None:
            answered = len(item.asks) in questions
            demand(answered, "6 notices", f"{item.key} stands; the last question has no answer")


def _question(asks: Iterable[int], revision: int) -> int:
    """Which question a notice of this revision answers; 0: none."""
    return sum(1 for ask in asks if ask <= revision)


def tidy(db: Db, booking: SideState, calendar: SideState) -> None:
    """At rest each link shows what its two items show."""
    for link in db.links:
        for side, half in ((booking, link.booking), (calendar, link.event)):
            if link.state is LinkState.ACTIVE and half.presence is Presence.PRESENT:
                item = side.item(half.key)
                same = item is not None and item.version == half.version
                demand(same, "1 convergence", f"{half.key} is not as its link says")


__all__ = ["BLINDING", "Broken", "Side", "Watch", "acted", "judge", "tidy", "wrote"]
