"""What people do in this world, and how much of it a search covers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from calsync.model import Absence, ClashPolicy, EditPolicy, Pair, Side
from smallscope.answers import Fault
from smallscope.side import ANNA, BERT, Item, SideState


class Kind(StrEnum):
    """An act. ``BLOCK`` is an item of the room's own calendar, ``BOOK`` a meeting the room is
    invited to, or a booking of the platform."""

    BOOK = "book"
    BLOCK = "block"
    MOVE = "move"
    RETITLE = "retitle"
    CANCEL = "cancel"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does on ``side`` to the booking ``name``. ``slot``: the time they want."""

    kind: Kind
    side: Side
    name: str
    slot: int = 0

    def __str__(self) -> str:
        at = f"@{self.slot}" if self.slot else ""
        return f"{self.kind.value} {self.name}{at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A search: where it begins and how far it goes.

    ``begin``: acts that are carried over and at rest before the search starts. ``acts``: how many
    follow at most on each side (platform, calendar). ``names``: the bookings there may be.
    ``slots``: how many times of day. ``faults``: which misfortunes may strike, each once;
    ``misfortunes``: how many of them in one history. ``script``: where it is given, people do
    just these acts, in this order on each side, instead of all that are possible. ``together``:
    people act before calsync looks for the first time, in any order, and not after. ``traced``:
    what calsync wrote is kept, to be printed; equal rests are then not joined.
    """

    title: str
    begin: tuple[Act, ...] = ()
    acts: tuple[int, int] = (1, 1)
    names: str = "AB"
    slots: int = 3
    faults: tuple[Fault, ...] = ()
    misfortunes: int = 1
    edit: EditPolicy = EditPolicy.ORIGIN
    clash: ClashPolicy = ClashPolicy.FIRST
    script: tuple[tuple[Act, ...], tuple[Act, ...]] | None = None
    together: bool = False
    traced: bool = False

    def pair(self) -> Pair:
        return Pair(
            id="p1",
            room_id="r1",
            connection="c",
            mailbox="r1@x.example",
            zone="UTC",
            titles=True,
            edit_policy=self.edit,
            clash_policy=self.clash,
        )


def possible(
    here: SideState, there: SideState, scope: Scope, *, untouched: int = 1
) -> Iterator[Act]:
    """Everything that people on ``here`` can do now. They never book over what they see.

    Two symmetries are used: the first booking is called A, and of the times of day that nothing
    was ever at only the first is tried (the first ``untouched``).
    """
    side = here.side
    highest = max([0, *(i.slot for s in (here, there) for i in s.items)])
    slots = range(1, min(highest + untouched, scope.slots) + 1)
    free = [s for s in slots if not any(i.slot == s for i in here.live())]
    born = {i.name for s in (here, there) for i in s.items}
    for name in [n for n in scope.names if n not in born][:1]:
        for slot in free:
            yield Act(Kind.BOOK, side, name, slot)
            if side is Side.CALENDAR:
                yield Act(Kind.BLOCK, side, name, slot)
    for item in here.live():
        if item.editable:
            yield Act(Kind.RETITLE, side, item.name)
            for slot in free:
                yield Act(Kind.MOVE, side, item.name, slot)
        yield Act(Kind.CANCEL, side, item.name)
    for name in scope.names:
        dead = _restorable(here, name)
        if dead is not None and dead.slot in free:
            yield Act(Kind.RESTORE, side, name)


def _restorable(side: SideState, name: str) -> Item | None:
    """The item of that name that was removed last, where none is there."""
    items = [i for i in side.items if i.name == name]
    if not items or any(i.dead is None for i in items):
        return None
    return max(items, key=lambda i: i.mark)


def doable(act: Act, here: SideState, there: SideState) -> bool:
    """True where a scripted act can be done now."""
    born = any(i.name == act.name for s in (here, there) for i in s.items)
    taken = any(i.slot == act.slot for i in here.live())
    item = next((i for i in here.live() if i.name == act.name), None)
    match act.kind:
        case Kind.BOOK | Kind.BLOCK:
            return not born and not taken
        case Kind.RESTORE:
            dead = _restorable(here, act.name)
            return dead is not None and all(i.slot != dead.slot for i in here.live())
        case Kind.CANCEL:
            return item is not None
        case _:
            return item is not None and item.editable and not taken


@dataclass(frozen=True, slots=True)
class Done:
    """An act that was done: the item before and after it (None: none was or is there)."""

    act: Act
    before: Item | None
    after: Item | None


def do(act: Act, here: SideState, time: int) -> tuple[SideState, Done]:
    """``here`` after ``act``, done at ``time``. Who changes a booking waits for an answer."""
    item = next((i for i in here.live() if i.name == act.name), None)
    platform = here.side is Side.BOOKING
    before = item
    match act.kind:
        case Kind.BOOK | Kind.BLOCK:
            new = Item(
                key=f"{here.side.value[0]}{len(here.items)}.{act.name}",
                title=here.next_title(act.name),
                slot=act.slot,
                mark=0,
                created=time,
                modified=time,
                owned=platform or act.kind is Kind.BLOCK,
                uid=f"{act.name}@{here.side.value}",
                person=ANNA if platform else BERT,
            )
        case Kind.RESTORE:
            dead = _restorable(here, act.name)
            assert dead is not None
            new = replace(dead, dead=None)
        case Kind.MOVE:
            assert item is not None
            new = replace(item, slot=act.slot)
        case Kind.RETITLE:
            assert item is not None
            new = replace(item, title=here.next_title(act.name))
        case Kind.CANCEL:
            assert item is not None
            dead_how = Absence.CANCELLED if platform else Absence.READ
            new = replace(item, dead=dead_how, pending=False)
    asks = platform and act.kind is not Kind.CANCEL
    if asks:
        new = replace(new, pending=True)
    side = here.put(new, time=time, people=True)
    after = side.item(new.key)
    assert after is not None
    if asks:
        asked = replace(after, asks=(*after.asks, after.mark))
        items = tuple(asked if i.key == asked.key else i for i in side.items)
        side, after = replace(side, items=items), asked
    return side, Done(act, before, after if after.dead is None else None)
