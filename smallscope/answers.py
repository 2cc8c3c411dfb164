"""What a side answers to calsync, and every way in which one answer can go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from calsync.errors import CursorExpired, Unavailable
from calsync.model import (
    Absence,
    Done,
    Effect,
    EffectKind,
    Gone,
    InDoubt,
    Later,
    Observation,
    Occupancy,
    Outcome,
    Pull,
    Side,
    Stale,
    Unknown,
)
from smallscope.side import Item, SideState, name_of, slot_of


class Fault(StrEnum):
    """One misfortune. Numbers are those of the project's list of faults (reliability notes)."""

    CRASH = "crash"
    REQUEST_LOST = "request lost"
    REPLY_LOST = "reply lost"
    STALE_READ = "stale read"
    STALE_WRITE = "refused as stale"
    REPLAY = "replayed delta"
    VOID_CURSOR = "void cursor"
    STALLED = "stalled second process"
    UNREADABLE = "unreadable read"


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as a value. ``what``: cursor (pull), keys (read), tags (find) or effects (apply)."""

    method: str
    side: Side
    what: str | tuple[str, ...] | tuple[Effect, ...] | None

    def __str__(self) -> str:
        if self.method == "apply":
            effects = ", ".join(f"{e.kind.value} {words(e.target)}" for e in self.effects)
            return f"apply: {effects}"
        return f"{self.method} {self.side.value}"

    @property
    def effects(self) -> tuple[Effect, ...]:
        return tuple(e for e in self.what or () if isinstance(e, Effect))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(k for k in self.what or () if isinstance(k, str))


def words(occ: Occupancy | None) -> str:
    return "" if occ is None else f"{occ.title}@{slot_of(occ)}"


@dataclass(frozen=True, slots=True)
class Failure:
    """The call as a whole fails with this error."""

    kind: type[CursorExpired] | type[Unavailable]
    what: str


#: What the process is sent: all of it values. Mappings travel as their items.
Result = Pull | tuple[Observation, ...] | tuple[tuple[str, Observation], ...] | tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """An effect that reached the side: ``before`` is the item it met. ``done``: it changed
    something there; ``onto``: other items whose time it took, known from a listing."""

    effect: Effect
    before: Item | None
    after: Item | None
    done: bool
    onto: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """``side`` after the call; ``fault``: the misfortune in it, and ``where`` it struck."""

    side: SideState
    result: Result | Failure
    writes: tuple[Write, ...] = ()
    fault: Fault | None = None
    where: str = ""


def plain(side: SideState, asked: Asked, time: int) -> Answer:
    """The answer when all is well. ``time``: that of the writes."""
    match asked.method:
        case "pull":
            assert asked.what is None or isinstance(asked.what, str)
            return Answer(side.looked_at(pulled=True), _pull(side, asked.what))
        case "read":
            return Answer(side.looked_at(), tuple(_read(side, key) for key in asked.names))
        case "find":
            return Answer(side.looked_at(), tuple(_find(side, asked.names)))
        case _:
            after, outcomes, writes = _apply(side, asked.effects, time)
            return Answer(after.looked_at(), outcomes, writes)


def misfortunes(side: SideState, asked: Asked, time: int) -> Iterator[Answer]:
    """Every way in which this one call can go wrong."""
    match asked.method:
        case "pull":
            yield from _bad_pulls(side, asked.what if isinstance(asked.what, str) else None)
        case "read":
            yield from _bad_reads(side, asked)
        case "find":
            yield _lost(side)
        case _:
            yield from _bad_writes(side, asked.effects, time)


def _lost(side: SideState) -> Answer:
    return Answer(side, Failure(Unavailable, "no connection"), (), Fault.REQUEST_LOST)


# -- reading ----------------------------------------------------------------------------------


def _pull(side: SideState, cursor: str | None) -> Pull:
    after = int(cursor) if cursor is not None else -1
    found: list[Observation] = []
    hints: list[str] = []
    for item in side.items:
        mark = item.by_people if side.side is Side.BOOKING else item.mark
        if mark <= after or (cursor is None and item.dead is not None):
            continue
        if item.dead is None:
            found.append(item.seen())
        elif side.side is Side.BOOKING:
            found.append(side.gone(item.key))
        else:
            hints.append(item.key)
    return Pull(
        observations=tuple(found),
        hints=tuple(hints),
        cursor=str(side.ticks),
        complete=cursor is None,
    )


def _read(side: SideState, key: str) -> Observation:
    item = side.item(key)
    return side.gone(key) if item is None or item.dead is not None else item.seen()


def _find(side: SideState, tags: Sequence[str]) -> Iterator[tuple[str, Observation]]:
    """The platform remembers what was removed; Exchange does not."""
    for item in sorted(side.items, key=lambda i: i.dead is None):
        if item.tag is None or item.tag not in tags:
            continue
        if item.dead is None:
            yield item.tag, item.seen()
        elif side.side is Side.BOOKING:
            yield item.tag, side.gone(item.key)


def _bad_pulls(side: SideState, cursor: str | None) -> Iterator[Answer]:
    yield _lost(side)
    if cursor is not None:
        void = Failure(CursorExpired, "the sync state is void")
        yield Answer(side, void, (), Fault.VOID_CURSOR)
    good, seen = _pull(side, cursor), side.looked_at(pulled=True)
    told = {obs.key for obs in good.observations} | set(good.hints)
    for item in side.items:
        if item.key not in told:
            if cursor is not None:
                yield _replayed(good, seen, item)
            continue
        others = tuple(obs for obs in good.observations if obs.key != item.key)
        hints = tuple(key for key in good.hints if key != item.key)
        if item.former is not None:
            # The feed tells it again later: nothing is ever lost, only late.
            again = str(min(item.mark, item.by_people or item.mark) - 1)
            late = replace(good, observations=(*others, item.former), hints=hints, cursor=again)
            yield Answer(seen, late, (), Fault.STALE_READ, item.key)
            both = replace(good, observations=(*good.observations, item.former))
            yield Answer(seen, both, (), Fault.REPLAY, item.key)
        if item.dead is None:
            unknown = Unknown(key=item.key, reason="not readable just now")
            bad = replace(good, observations=(*others, unknown))
            yield Answer(seen, bad, (), Fault.UNREADABLE, item.key)


def _replayed(good: Pull, seen: SideState, item: Item) -> Answer:
    """An item that was told before is told again, in its former state if it has one."""
    again: Pull
    if item.former is not None:
        again = replace(good, observations=(*good.observations, item.former))
    elif item.dead is None:
        again = replace(good, observations=(*good.observations, item.seen()))
    else:
        again = replace(good, hints=(*good.hints, item.key))
    return Answer(seen, again, (), Fault.REPLAY, item.key)


def _bad_reads(side: SideState, asked: Asked) -> Iterator[Answer]:
    yield _lost(side)
    good = [_read(side, key) for key in asked.names]
    for at, key in enumerate(asked.names):
        unknown = Unknown(key=key, reason="not readable just now")
        bad = (*good[:at], unknown, *good[at + 1 :])
        yield Answer(side.looked_at(), bad, (), Fault.UNREADABLE, key)


# -- writing ----------------------------------------------------------------------------------


def _apply(
    side: SideState, effects: Sequence[Effect], time: int
) -> tuple[SideState, tuple[Outcome, ...], tuple[Write, ...]]:
    outcomes: list[Outcome] = []
    writes: list[Write] = []
    for effect in effects:
        after, outcome = _carry_out(side, effect, time)
        writes.append(_write(side, after, effect))
        outcomes.append(outcome)
        side = after
    return side, tuple(outcomes), tuple(writes)


def _bad_writes(side: SideState, effects: Sequence[Effect], time: int) -> Iterator[Answer]:
    for at, effect in enumerate(effects):
        before, done, writes = _apply(side, effects[:at], time)
        rest = tuple(Later(0.0, "an earlier effect did not finish") for _ in effects[at + 1 :])
        where = f"{effect.kind.value} {words(effect.target)}"
        lost = (*done, InDoubt("request lost"), *rest)
        yield Answer(before.looked_at(), lost, writes, Fault.REQUEST_LOST, where)
        after, done, writes = _apply(side, effects[: at + 1], time)
        lost = (*done[:at], InDoubt("reply lost"), *rest)
        yield Answer(after.looked_at(), lost, writes, Fault.REPLY_LOST, where)
        if effect.key is not None:
            kept, first, ahead = _apply(side, effects[:at], time)
            after, then, more = _apply(kept, effects[at + 1 :], time)
            refused = (*first, Stale(None), *then)
            yield Answer(after.looked_at(), refused, (*ahead, *more), Fault.STALE_WRITE, where)


def cut_short(side: SideState, effects: Sequence[Effect], time: int) -> Iterator[Answer]:
    """The process dies in a call: after each of its effects. Nobody hears the outcomes."""
    for at in range(1, len(effects) + 1):
        after, _, writes = _apply(side, effects[:at], time)
        where = f"after {effects[at - 1].kind.value}"
        yield Answer(after.looked_at(), (), writes, Fault.CRASH, where)


def _write(side: SideState, after: SideState, effect: Effect) -> Write:
    item = side.item(effect.key)
    done = after.ticks > side.ticks
    new = max(after.items, key=lambda i: i.mark) if done else item
    onto: list[Item] = []
    if done and effect.target is not None and new is not None:
        onto = [
            other
            for other in side.live()
            if other.key != new.key
            and other.slot == new.slot
            and (item is None or item.slot != new.slot)
            and (other.mark <= side.pulled or other.mark > other.by_people)
        ]
    return Write(effect, item, new, done, tuple(onto))


def _carry_out(side: SideState, effect: Effect, time: int) -> tuple[SideState, Outcome]:
    kind = effect.kind
    if kind in (EffectKind.CREATE_BOOKING, EffectKind.CREATE_EVENT):
        return _create(side, effect, time)
    assert effect.key is not None
    item = side.item(effect.key)
    if item is None or item.dead is not None:
        gone = side.gone(effect.key)
        return side, Done(gone) if kind.frees else Stale(gone)
    if effect.version and item.version != effect.version:
        return side, Stale(item.seen())
    match kind:
        case EffectKind.CONFIRM_BOOKING:
            # Visible, but no change of content: version and mark stay (as in the hub).
            told = replace(item, pending=False)
            others = [i for i in side.items if i.key != item.key]
            items = tuple(sorted((*others, told), key=lambda i: i.key))
            return replace(side, items=items), Done(told.seen())
        case EffectKind.CHANGE_BOOKING | EffectKind.CHANGE_EVENT:
            assert effect.target is not None
            title = str(effect.target.title)
            new = replace(item, title=title, slot=slot_of(effect.target))
            side = side.put(new, time=time, people=False)
            changed = side.item(effect.key)
            assert changed is not None
            return side, Done(changed.seen())
        case EffectKind.DECLINE_EVENT:
            dead = Absence.DECLINED
        case EffectKind.REJECT_BOOKING:
            dead = Absence.REFUSED
        case EffectKind.DELETE_BOOKING:
            dead = Absence.CANCELLED
        case EffectKind.DELETE_EVENT:
            dead = Absence.READ
        case _:
            assert_never(kind)
    side = side.put(replace(item, dead=dead, pending=False), time=time, people=False)
    return side, Done(side.gone(effect.key))


def _create(side: SideState, effect: Effect, time: int) -> tuple[SideState, Outcome]:
    assert effect.target is not None
    for item in sorted(side.items, key=lambda i: i.dead is not None):
        if item.tag != effect.tag:
            continue
        if item.dead is None:
            return side, Done(item.seen(), complete=item.seen().fingerprint == effect.fingerprint)
        # Exchange knows a transactionId for good (the tag), the hub an effect.
        if side.side is Side.CALENDAR or item.made_by == effect.id:
            return side, Done(side.gone(item.key))
    key = f"{side.side.value[0]}{len(side.items)}.{name_of(effect.target)}"
    new = Item(
        key=key,
        title=str(effect.target.title),
        slot=slot_of(effect.target),
        mark=0,
        created=time,
        modified=time,
        editable=effect.owned,
        # Exchange gives an event its own identity.
        uid=effect.uid if side.side is Side.BOOKING else f"{key}@exchange",
        tag=effect.tag,
        made_by=effect.id,
        person=effect.person,
    )
    side = side.put(new, time=time, people=False)
    made = side.item(new.key)
    assert made is not None
    return side, Done(made.seen())


__all__ = ["Answer", "Asked", "Failure", "Fault", "Gone", "Result", "Write", "words"]
