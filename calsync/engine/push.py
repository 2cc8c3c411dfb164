"""Act: carry effects out and settle what became of them, in one transaction per side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from calsync.engine import audit
from calsync.engine.calls import Call, Steps
from calsync.engine.context import Context
from calsync.errors import AccessDenied, NotSignedIn, SideError, Throttled
from calsync.model import (
    Effect,
    EffectKind,
    InDoubt,
    Later,
    Link,
    Notice,
    Observation,
    Outcome,
    Pair,
    Side,
    Unknown,
)
from calsync.ports import Commit, OpenEffect, SyncSide
from calsync.reconcile.settle import resolve, settle


@dataclass(slots=True, kw_only=True)
class Pushed:
    """What pushing did: ``executed`` effects took effect; ``wait`` seconds were asked for."""

    executed: int = 0
    wait: float = 0.0
    reasons: list[str] = field(default_factory=list)


def push(
    ctx: Context,
    pair: Pair,
    effects: Sequence[Effect],
    links: dict[str, Link],
    *,
    quiet: bool,
) -> Steps[Pushed]:
    """Carry out ``effects``, in order per side; ``links`` is brought up to date in place.

    The booking side goes first: its answers are what people wait for, and a refused booking
    must not be shown as standing while the calendar is slow.
    """
    pushed = Pushed()
    for side in (Side.BOOKING, Side.CALENDAR):
        mine = [e for e in effects if e.kind.side is side]
        if not mine:
            continue
        port: SyncSide = ctx.booking if side is Side.BOOKING else ctx.calendar(pair)
        outcomes = yield from _apply(port, pair, mine)
        _record(ctx, pair, mine, outcomes, links, pushed, quiet=quiet)
    return pushed


def _apply(port: SyncSide, pair: Pair, effects: list[Effect]) -> Steps[list[Outcome]]:
    """One outcome per effect, also where the call as a whole failed."""
    try:
        outcomes: list[Outcome] = yield Call(
            "apply", lambda: port.apply(pair, effects), port.capabilities.local
        )
        return outcomes
    except Throttled as error:
        return [Later(error.retry_after, str(error)) for _ in effects]
    except (AccessDenied, NotSignedIn) as error:
        return [Later(0.0, str(error)) for _ in effects]
    except SideError as error:
        return [InDoubt(str(error)) for _ in effects]


def _record(
    ctx: Context,
    pair: Pair,
    effects: Sequence[Effect],
    outcomes: Sequence[Outcome],
    links: dict[str, Link],
    pushed: Pushed,
    *,
    quiet: bool,
) -> None:
    now = ctx.clock.now()
    changed: dict[str, Link] = {}
    settled: list[str] = []
    notices: list[Notice] = []
    entries = []
    for effect, outcome in zip(effects, outcomes, strict=True):
        link = links[effect.link_id]
        result = settle(link, effect, outcome, now=now, quiet=quiet)
        links[link.id] = changed[link.id] = result.link
        notices.extend(result.notices)
        entries.append(audit.outcome(pair, effect, result.what, now))
        if not result.open:
            settled.append(effect.id)
        match outcome:
            case Later():
                pushed.wait = max(pushed.wait, outcome.seconds)
                pushed.reasons.append(outcome.reason)
            case InDoubt():
                pushed.reasons.append(outcome.reason)
            case _:
                pushed.executed += 1
    ctx.store.commit(
        Commit(
            pair_id=pair.id,
            fence=ctx.fence(pair),
            links=list(changed.values()),
            settled=settled,
            notices=notices,
            audit=entries,
        )
    )


def clear_doubts(ctx: Context, pair: Pair, *, quiet: bool) -> Steps[bool]:
    """Look up every effect whose outcome was never recorded, before anything else is done.

    True where all doubts are cleared. Creates are looked for by our tag, the rest by key.
    """
    open_effects = ctx.store.open_effects(pair.id)
    if not open_effects:
        return True
    links = {lk.id: lk for lk in ctx.store.links_by_id([o.link_id for o in open_effects])}
    cleared = True
    for side in (Side.BOOKING, Side.CALENDAR):
        mine = [o for o in open_effects if EffectKind(o.kind).side is side]
        if not mine:
            continue
        port: SyncSide = ctx.booking if side is Side.BOOKING else ctx.calendar(pair)
        found = yield from _look_up(port, pair, mine)
        known = [o for o in mine if o.link_id in links]
        effects = [_effect_again(o, links[o.link_id]) for o in known]
        outcomes = [
            resolve(EffectKind(o.kind), version=o.version, wanted=o.fingerprint, found=f)
            for o, f in zip(mine, found, strict=True)
            if o.link_id in links
        ]
        cleared = cleared and not any(isinstance(o, InDoubt) for o in outcomes)
        _record(ctx, pair, effects, outcomes, links, Pushed(), quiet=quiet)
        orphans = [o.id for o in mine if o.link_id not in links]
        if orphans:
            ctx.store.commit(Commit(pair_id=pair.id, fence=ctx.fence(pair), settled=orphans))
    return cleared


def _look_up(
    port: SyncSide, pair: Pair, effects: Sequence[OpenEffect]
) -> Steps[list[Observation | None]]:
    creates = [o for o in effects if o.key is None]
    others = [o for o in effects if o.key is not None]
    local = port.capabilities.local
    found: dict[str, Observation | None] = {o.id: None for o in effects}
    try:
        if creates:
            tags = [o.link_id for o in creates]
            by_tag = yield Call("find", lambda: port.find(pair, tags), local)
            found.update({o.id: by_tag.get(o.link_id) for o in creates})
        if others:
            keys = [o.key for o in others if o.key is not None]
            results = yield Call("read", lambda: port.read(pair, keys), local)
            found.update({o.id: r for o, r in zip(others, results, strict=True)})
    except SideError as error:
        return [Unknown(key=o.key or "", reason=str(error)) for o in effects]
    return [found[o.id] for o in effects]


def _effect_again(open_effect: OpenEffect, link: Link) -> Effect:
    """The outbox row as an effect. ``merged``: the base stays where it is; both sides, once
    equal, move it by themselves, so nothing needs to be remembered of the target."""
    return Effect(
        id=open_effect.id,
        kind=EffectKind(open_effect.kind),
        link_id=open_effect.link_id,
        revision=open_effect.revision,
        why="looked up after its reply was lost",
        key=open_effect.key,
        version=open_effect.version,
        was=link.half(EffectKind(open_effect.kind).side).seen or link.base,
        fingerprint=open_effect.fingerprint,
        refusal=link.refusal,
        person=link.person,
        merged=True,
    )
