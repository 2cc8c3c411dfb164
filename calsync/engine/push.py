"""Act: carry effects out and settle what became of them, in one transaction per side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from calsync.conflicts.clash import shown
from calsync.engine import audit, theirs
from calsync.engine.addressed import addressed
from calsync.engine.calls import Call, Steps
from calsync.engine.context import Context
from calsync.engine.refusals import with_alternatives
from calsync.errors import AccessDenied, NotSignedIn, SideError, Throttled
from calsync.mapping.expand import busy_intervals
from calsync.model import (
    ANSWERS,
    Absence,
    Conflict,
    Done,
    Effect,
    EffectKind,
    Gone,
    InDoubt,
    Later,
    Link,
    Notice,
    NoticeKind,
    Observation,
    Occupancy,
    Outcome,
    Pair,
    Presence,
    Refused,
    Seen,
    Side,
    Stale,
    Unknown,
    Window,
    former_mark,
    is_theirs,
)
from calsync.ports import LONGEST_QUEUE, Capabilities, Commit, OpenEffect, SyncSide
from calsync.reconcile.join import link_id, never_read
from calsync.reconcile.moved import is_gone
from calsync.reconcile.observe import LAG, too_new_to_be_gone
from calsync.reconcile.order import waves
from calsync.reconcile.rebase import bury, with_half
from calsync.reconcile.remade import outlived
from calsync.reconcile.settle import resolve, settle

_CHANGES = frozenset({EffectKind.CHANGE_EVENT.value, EffectKind.CHANGE_BOOKING.value})


@dataclass(slots=True, kw_only=True)
class Pushed:
    """What pushing did: ``executed`` effects took effect; a side asked to be left alone ``until``
    then (monotonic seconds); ``stale``: somebody was faster than one of them."""

    executed: int = 0
    stale: bool = False
    until: float = 0.0
    reasons: list[str] = field(default_factory=list)


def push(
    ctx: Context,
    pair: Pair,
    effects: Sequence[Effect],
    links: dict[str, Link],
    *,
    window: Window,
    quiet: bool,
) -> Steps[Pushed]:
    """Carry out ``effects``, in order per side; ``links`` is brought up to date in place.

    The booking side goes first: its answers are what people wait for, and a refused booking
    must not be shown as standing while the calendar is slow.
    """
    pushed = Pushed()
    for side in (Side.BOOKING, Side.CALENDAR):
        mine = [e for e in effects if e.kind.side is side]
        port = _port(ctx, pair, side)
        kept: list[Occupancy] = []
        stopped = False
        # What would be put on time that turned out not to be free waits.
        for wave in waves(mine, lambda occ: busy_intervals(occ, window, pair.zone)):
            held = [e for e in wave if stopped or _meets(e.target, kept, window, pair.zone)]
            ready = [e for e in wave if e not in held] if held else wave
            if held:
                later = [Later(0.0, "what goes before it is not done") for _ in held]
                _record(ctx, pair, held, later, links, pushed, quiet=quiet)
                kept += [e.was for e in held if e.was is not None]
            if ready:
                outcomes = yield from _apply(port, pair, ready)
                _record(ctx, pair, ready, outcomes, links, pushed, quiet=quiet)
                kept += _kept(ready, outcomes)
                stopped = stopped or any(
                    isinstance(o, InDoubt | Later) and not e.organizer
                    for e, o in zip(ready, outcomes, strict=True)
                )
    return pushed


def _kept(effects: Sequence[Effect], outcomes: Sequence[Outcome]) -> list[Occupancy]:
    """The time that these effects were to free, or to leave, and that is not known to be free."""
    kept: list[Occupancy] = []
    for effect, outcome in zip(effects, outcomes, strict=True):
        match outcome:
            case Done(now=Gone()):
                continue
            case Done(now=Seen() as now) | Stale(now=Seen() as now):
                kept += [now.occupancy] if effect.kind.frees or isinstance(outcome, Stale) else []
            case Stale(now=Gone()):
                continue
            case _:
                kept += [effect.was] if effect.was is not None else []
    return kept


def _meets(target: Occupancy | None, kept: Sequence[Occupancy], window: Window, zone: str) -> bool:
    if target is None or not kept:
        return False
    wanted = busy_intervals(target, window, zone)
    return any(
        one.meets(other)
        for occ in kept
        for other in busy_intervals(occ, window, zone)
        for one in wanted
    )


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
    more: Sequence[Link] = (),
) -> None:
    now, reported = ctx.clock.now(), outcomes
    outcomes = [
        _doubted(
            links[effect.link_id],
            effect,
            outcome,
            now,
            _port(ctx, pair, effect.kind.side).capabilities,
        )
        for effect, outcome in zip(effects, outcomes, strict=True)
    ]
    outcomes = _without_copies(ctx, pair, effects, outcomes)
    changed = _make_way(ctx, pair, effects, outcomes) | {link.id: link for link in more}
    links.update(changed)
    settled: list[str] = []
    notices: list[Notice] = []
    doubtful: list[Notice] = []
    conflicts: list[Conflict] = []
    entries = []
    for effect, said, outcome in zip(effects, reported, outcomes, strict=True):
        link = links[effect.link_id]
        result = settle(link, effect, outcome, now=now, quiet=quiet)
        links[link.id] = changed[link.id] = result.link
        conflicts += result.conflicts
        for notice in result.notices:
            told = doubtful if may_be_told(ctx, link, kind=notice.kind) else notices
            told.extend(addressed(ctx, pair, notice, link))
        # What a declined copy left is looked for elsewhere first; declined it is.
        declined = isinstance(said, Done) and effect.kind is EffectKind.DECLINE_EVENT
        what = "confirmed" if declined and isinstance(outcome, Stale) else result.what
        entries.append(audit.outcome(pair, effect, what, now))
        if not result.open:
            settled.append(effect.id)
        match outcome:
            case Later():
                # A person's calendar that is closed holds up nobody else in the room.
                asked = 0.0 if effect.organizer else outcome.seconds
                pushed.until = max(pushed.until, ctx.clock.monotonic() + asked)
                pushed.reasons.append(outcome.reason)
            case InDoubt():
                pushed.reasons.append(outcome.reason)
            case _:
                pushed.executed += 1
                pushed.stale = pushed.stale or isinstance(outcome, Stale)
    ctx.store.commit(
        Commit(
            pair_id=pair.id,
            fence=ctx.fence(pair),
            links=list(changed.values()),
            settled=settled,
            conflicts=conflicts,
            notices=notices,
            doubtful=doubtful,
            audit=entries,
            took_effect=[
                effect
                for effect, said, outcome in zip(effects, reported, outcomes, strict=True)
                if isinstance(outcome, Done)
                or (isinstance(said, Done) and effect.kind is EffectKind.DECLINE_EVENT)
            ],
        )
    )


def may_be_told(
    ctx: Context,
    link: Link,
    side: Side = Side.BOOKING,
    *,
    kind: NoticeKind = NoticeKind.CONFIRMED,
) -> bool:
    """True where the person asked on ``side`` so long before this process began that a former life,
    which a restored database does not know, has answered. When others changed something is often
    not known: there it counts for how long nobody had looked."""
    if kind not in ANSWERS:
        return link.pair_id in ctx.slept
    half = link.half(side)
    # Moved by what the calendar shows, it was asked for when it was made.
    asked = half.created if link.claimed_on is not side else half.since or half.created
    return ctx.begun is not None and asked is not None and asked < ctx.begun - LONGEST_QUEUE


def _port(ctx: Context, pair: Pair, side: Side) -> SyncSide:
    return ctx.booking if side is Side.BOOKING else ctx.calendar(pair)


def _doubted(
    link: Link, effect: Effect, outcome: Outcome, now: datetime, able: Capabilities
) -> Outcome:
    """What was made only now, and is not found before it is written to, may be unknown to that
    copy of the mailbox: nothing was written, and it is tried again later. Any other may have
    been made anew under another key, or be gone with a whole side that was set back: it is read
    again, and looked for."""
    half = link.half(effect.kind.side)
    match outcome:
        case Done(now=seen) | Stale(now=Seen() | Gone() as seen) if _is_copy(link, effect, seen):
            return Stale(None)
        case Stale(now=Gone() as gone) if not able.local and too_new_to_be_gone(half, gone, now):
            return Later(LAG.total_seconds() / 2, "not found, but made only now")
        case Stale(now=Gone(absence=Absence.READ)) if able.remakes or able.keeps:
            return Stale(None)
        case Done(now=Gone(absence=Absence.READ)) if able.remakes and effect.kind.frees:
            return Stale(None)
        case _:
            return outcome


def _is_copy(link: Link, effect: Effect, now: Seen | Gone) -> bool:
    """True where what is shown is the room's copy of a meeting that lies with a person, which the
    room declined: what that comes to is read where it lies, under the marks of that place."""
    theirs = effect.kind.side is Side.CALENDAR and is_theirs(link.event.key)
    return theirs and not is_theirs(now.key)


def _make_way(
    ctx: Context, pair: Pair, effects: Sequence[Effect], outcomes: Sequence[Outcome]
) -> dict[str, Link]:
    """Links without content that hold the key of an item which turns out to be one that we made,
    or made anew to change it: it was first seen when nobody knew whose it was. They are buried."""
    gone: dict[str, Link] = {}
    for side in Side:
        made = {
            outcome.now.key: effect.link_id
            for effect, outcome in zip(effects, outcomes, strict=True)
            if effect.kind.side is side
            if isinstance(outcome, Done) and outcome.now.key != effect.key
        }
        for link in ctx.store.links_by_key(pair.id, side, list(made)) if made else ():
            half = link.half(side)
            empty = link.base is None and link.half(side.other).presence is Presence.NEVER
            if empty and half.key is not None and made[half.key] != link.id:
                gone[link.id] = bury(with_half(link, side, replace(half, key=None)))
    return gone


def clear_doubts(ctx: Context, pair: Pair, *, quiet: bool) -> Steps[None]:
    """Look up every effect whose outcome was never recorded, before anything else is done.

    Creates are looked for by our tag, the rest by key. What cannot be read stays in doubt: nothing
    is decided about it, and what wants its time waits; the rest of the room goes on.
    """
    open_effects = ctx.store.open_effects(pair.id)
    if not open_effects:
        return
    links = {lk.id: lk for lk in ctx.store.links_by_id([o.link_id for o in open_effects])}
    void = [o.id for o in open_effects if not _stands(o, links.get(o.link_id))]
    if void:
        ctx.store.commit(Commit(pair_id=pair.id, fence=ctx.fence(pair), settled=void))
    for side in (Side.BOOKING, Side.CALENDAR):
        mine = [
            o
            for o in open_effects
            if EffectKind(o.kind).side is side and _stands(o, links.get(o.link_id))
        ]
        if not mine:
            continue
        port = _port(ctx, pair, side)
        found = yield from _look_up(ctx, port, pair, mine, links)
        found = _without_others(ctx, pair, mine, found)
        found, ended = yield from _outlived(ctx, port, pair, mine, found, links)
        effects = [_effect_again(o, links[o.link_id]) for o in mine]
        window = ctx.state(pair).window
        if window is not None:
            effects = yield from with_alternatives(ctx, pair, effects, window)
        outcomes = [
            resolve(EffectKind(o.kind), version=o.version, wanted=o.fingerprint, found=f)
            for o, f in zip(mine, found, strict=True)
        ]
        _record(ctx, pair, effects, outcomes, links, Pushed(), quiet=quiet, more=ended)


def settle_gone(ctx: Context, pair: Pair, links: Sequence[Link]) -> None:
    """Writes in doubt to events of which it is certain that they are not there any more."""
    held = {link.id: link for link in links}
    mine = [
        one
        for one in ctx.store.open_effects(pair.id)
        if one.link_id in held
        and EffectKind(one.kind).side is Side.CALENDAR
        and _stands(one, held[one.link_id])
    ]
    gone = [is_gone(held[one.link_id].event) for one in mine]
    outcomes = [
        resolve(EffectKind(one.kind), version=one.version, wanted=one.fingerprint, found=found)
        for one, found in zip(mine, gone, strict=True)
    ]
    effects = [_effect_again(one, held[one.link_id]) for one in mine]
    if effects:
        _record(ctx, pair, effects, outcomes, held, Pushed(), quiet=True)


def _stands(open_effect: OpenEffect, link: Link | None) -> bool:
    """False where the link has moved on: it was forgotten, or recognised by our tag meanwhile."""
    return link is not None and link.in_flight and link.revision == open_effect.revision


def _look_up(
    ctx: Context,
    port: SyncSide,
    pair: Pair,
    effects: Sequence[OpenEffect],
    links: Mapping[str, Link],
) -> Steps[list[Observation | None]]:
    found: dict[str, Observation | None] = {o.id: None for o in effects}
    found |= yield from _look_up_theirs(ctx, pair, effects, links)
    effects, asked = [o for o in effects if not _lies_with_a_person(o, links)], effects
    creates = [o for o in effects if o.key is None]
    others = [o for o in effects if o.key is not None]
    local = port.capabilities.local
    try:
        if creates:
            tags = [o.link_id for o in creates]
            by_tag = yield Call("find", lambda: port.find(pair, tags), local)
            found.update({o.id: by_tag.get(o.link_id) for o in creates})
        if others:
            keys = [o.key for o in others if o.key is not None]
            results = yield Call("read", lambda: port.read(pair, keys), local)
            found.update({o.id: r for o, r in zip(others, results, strict=True)})
        # A change may have made the item anew, under another key: it then carries our tag, and says
        # in whose place it stands. What carries the tag alone may be a copy that somebody pasted.
        anew = [o for o in others if o.kind in _CHANGES and isinstance(found[o.id], Gone)]
        if anew:
            tags = [o.link_id for o in anew]
            by_tag = yield Call("find", lambda: port.find(pair, tags), local)
            found.update({o.id: made for o in anew if (made := _in_place(o, by_tag)) is not None})
    except SideError as error:
        found |= {o.id: Unknown(key=o.key or "", reason=str(error)) for o in effects}
    return [found[o.id] for o in asked]


def _outlived(
    ctx: Context,
    port: SyncSide,
    pair: Pair,
    effects: Sequence[OpenEffect],
    found: list[Observation | None],
    links: Mapping[str, Link],
) -> Steps[tuple[list[Observation | None], list[Link]]]:
    """``found``, and links on which items end in whose place ours were made. Nothing is under their
    keys any more, but Exchange may have made them anew just before they could be removed."""
    side = port.side
    in_place = {
        effect.id: links[effect.link_id]
        for effect, obs in zip(effects, found, strict=True)
        if effect.key is not None and isinstance(obs, Seen) and obs.key != effect.key
    }
    uids = sorted({uid for link in in_place.values() if (uid := link.half(side).uid)})
    if not uids or not port.capabilities.remakes:
        return found, []
    try:
        rows: list[Observation] = yield Call("elsewhere", lambda: port.elsewhere(pair, uids))
    except SideError as error:
        rows = [Unknown(key="", reason=str(error))]
    unread = next((row for row in rows if isinstance(row, Unknown) and not row.poison), None)
    if unread is not None:
        return [
            unread if effect.id in in_place else obs
            for effect, obs in zip(effects, found, strict=True)
        ], []
    ours = {obs.key for obs in found if obs is not None}
    left = {row.key: row for row in rows if isinstance(row, Seen) and row.owned}
    held = {link.half(side).key: link for link in ctx.store.links_by_key(pair.id, side, list(left))}
    ended = []
    for was in in_place.values():
        for key, row in left.items():
            known = held.get(key)
            if row.uid != was.half(side).uid or key in ours or (known and not never_read(known)):
                continue
            id_ = link_id(pair.id, side, key, f"{was.id}:former")
            new = known or Link(id=id_, pair_id=pair.id, origin=side)
            ended.append(outlived(new, was, side, row, ctx.clock.now()))
    return found, ended


def _lies_with_a_person(effect: OpenEffect, links: Mapping[str, Link]) -> bool:
    """True for a write to a meeting in a person's calendar, and for one that was to make it."""
    if effect.key is None:
        makes = effect.kind == EffectKind.CREATE_EVENT
        return makes and bool(links[effect.link_id].organizer)
    return is_theirs(effect.key)


def _look_up_theirs(
    ctx: Context, pair: Pair, effects: Sequence[OpenEffect], links: Mapping[str, Link]
) -> Steps[dict[str, Observation | None]]:
    """Where the write went: the room's calendar need not know of it, or not yet."""
    mine = [o for o in effects if _lies_with_a_person(o, links)]
    if not mine:
        return {}
    port = ctx.calendar(pair)
    tags = {o.link_id: links[o.link_id].organizer for o in mine if o.key is None}
    uids = {tag: links[tag].booking.uid for tag in tags}
    found: dict[str, Observation | None] = {}
    try:
        if tags:
            by_tag = yield Call("find", lambda: port.find_theirs(pair, tags, uids))
            found |= {o.id: by_tag.get(o.link_id) for o in mine if o.key is None}
        others = [o for o in mine if o.key is not None]
        by_key = yield from theirs.read(ctx, pair, {o.link_id: links[o.link_id] for o in others})
        found |= {o.id: by_key.get(o.key or "") for o in others}
    except SideError as error:
        return {o.id: Unknown(key=o.key or "", reason=str(error)) for o in mine}
    return found


def _without_others(
    ctx: Context, pair: Pair, effects: Sequence[OpenEffect], found: list[Observation | None]
) -> list[Observation | None]:
    """What was found by our tag, and is known as another booking, is a copy that people pasted."""
    by_tag = {
        obs.key: effect.link_id
        for effect, obs in zip(effects, found, strict=True)
        if isinstance(obs, Seen) and obs.key != effect.key
    }
    theirs = _of_others(ctx, pair, EffectKind(effects[0].kind).side, by_tag)
    return [None if isinstance(obs, Seen) and obs.key in theirs else obs for obs in found]


def _without_copies(
    ctx: Context, pair: Pair, effects: Sequence[Effect], outcomes: Sequence[Outcome]
) -> list[Outcome]:
    """A copy that bears the name under which ours was to be made stands in its way: the server
    takes it for ours (database and mailbox are of different days). A person decides."""
    kept = list(outcomes)
    for side in Side:
        made = {
            outcome.now.key: effect.link_id
            for effect, outcome in zip(effects, outcomes, strict=True)
            if effect.kind.side is side and effect.key is None
            if isinstance(outcome, Done) and isinstance(outcome.now, Seen)
        }
        theirs = _of_others(ctx, pair, side, made)
        for number, outcome in enumerate(kept if theirs else ()):
            if isinstance(outcome, Done) and outcome.now.key in theirs:
                kept[number] = Refused("a copy that somebody pasted stands in its place")
    return kept


def _of_others(ctx: Context, pair: Pair, side: Side, keys: Mapping[str, str]) -> set[str]:
    """Of ``keys``, each with the link that claims it, those that another booking has."""
    links = ctx.store.links_by_key(pair.id, side, list(keys)) if keys else ()
    return {
        key
        for link in links
        if (key := link.half(side).key) is not None
        and link.base is not None
        and keys[key] != link.id
    }


def _in_place(effect: OpenEffect, by_tag: Mapping[str, Observation]) -> Observation | None:
    made = by_tag.get(effect.link_id)
    if isinstance(made, Gone):
        return None  # What was removed stays known under the key that it had.
    if isinstance(made, Seen) and made.replaces != former_mark(effect.key or ""):
        return None
    return made


def _effect_again(open_effect: OpenEffect, link: Link) -> Effect:
    """The outbox row as an effect. The target of a create is what the other side still shows, or
    showed. Of a change nothing is kept: ``merged``, the base stays where it is; both sides, once
    equal, move it by themselves."""
    kind = EffectKind(open_effect.kind)
    source, half = link.half(kind.side.other), link.half(kind.side)
    target = None
    if open_effect.key is None:
        same = source.fingerprint == open_effect.fingerprint
        target = shown(link, kind.side.other) if same else half.seen
    return Effect(
        id=open_effect.id,
        kind=kind,
        link_id=open_effect.link_id,
        revision=open_effect.revision,
        why="looked up after its reply was lost",
        key=open_effect.key,
        version=open_effect.version,
        was=None if open_effect.key is None else half.seen or link.base,
        target=target,
        fingerprint=open_effect.fingerprint,
        refusal=link.refusal,
        person=link.person,
        organizer=link.organizer if kind.side is Side.CALENDAR else "",
        merged=open_effect.key is not None,
    )
