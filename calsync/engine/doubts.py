"""Look up what became of writes whose outcome was never recorded, and settle them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calsync.conflicts.clash import shown
from calsync.engine import theirs
from calsync.engine.calls import Call, Steps
from calsync.engine.context import Context
from calsync.engine.gathered import Gathered
from calsync.engine.push import Pushed, of_others, port_of, record
from calsync.engine.refusals import with_alternatives
from calsync.errors import SideError
from calsync.model import (
    Effect,
    EffectKind,
    Gone,
    Link,
    Observation,
    Pair,
    Presence,
    Seen,
    Side,
    Unknown,
    former_mark,
    is_theirs,
)
from calsync.ports import Commit, OpenEffect, SyncSide
from calsync.reconcile.join import link_id, never_read
from calsync.reconcile.moved import is_gone
from calsync.reconcile.observe import LAG
from calsync.reconcile.remade import outlived
from calsync.reconcile.settle import resolve

_CHANGES = frozenset({EffectKind.CHANGE_EVENT.value, EffectKind.CHANGE_BOOKING.value})


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
        port = port_of(ctx, pair, side)
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
        record(ctx, pair, effects, outcomes, links, Pushed(), quiet=quiet, more=ended)


def settle_ended(ctx: Context, pair: Pair, found: Gathered) -> None:
    """Creates in doubt whose item the feed showed, and that was gone by the end of this reading: it
    was made, and people removed it. No later look-up would say so: what bears its tag then may be
    a copy that they had pasted (seed 3204)."""
    if not found.ended or Side.CALENDAR not in found.complete:
        return
    if any(isinstance(obs, Unknown) for obs in found.calendar.values()):
        return  # Any of these may be the same item, made anew.
    now = ctx.clock.now()
    there = {obs.uid for obs in found.calendar.values() if isinstance(obs, Seen)}
    ended: dict[str, Gone] = {}
    for key, was in found.ended.items():
        gone = found.calendar.get(key)
        if not isinstance(gone, Gone) or was.tag is None or was.replaces or not was.owned:
            continue
        # It may be made anew under another key, or too new for the copy of the mailbox asked.
        if was.uid not in there and now - was.created >= LAG:
            ended[was.tag] = gone
    links = [
        link
        for link in ctx.store.links_by_id(sorted(ended))
        if link.pair_id == pair.id and link.event.presence is Presence.NEVER
    ]
    settle_gone(ctx, pair, links, ended)
    found.links |= {link.id: link for link in ctx.store.links_by_id([one.id for one in links])}


def settle_gone(
    ctx: Context, pair: Pair, links: Sequence[Link], found: Mapping[str, Gone] | None = None
) -> None:
    """Writes in doubt to events of which it is certain that they are not there any more. ``found``:
    by link, under which key, where the link does not know it."""
    told = found or {}
    held = {link.id: link for link in links}
    mine = [
        one
        for one in ctx.store.open_effects(pair.id)
        if one.link_id in held
        and EffectKind(one.kind).side is Side.CALENDAR
        and _stands(one, held[one.link_id])
    ]
    gone = [told.get(one.link_id) or is_gone(held[one.link_id].event) for one in mine]
    outcomes = [
        resolve(EffectKind(one.kind), version=one.version, wanted=one.fingerprint, found=nowhere)
        for one, nowhere in zip(mine, gone, strict=True)
    ]
    effects = [_effect_again(one, held[one.link_id]) for one in mine]
    if effects:
        record(ctx, pair, effects, outcomes, held, Pushed(), quiet=True)


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
    theirs = of_others(ctx, pair, EffectKind(effects[0].kind).side, by_tag)
    return [None if isinstance(obs, Seen) and obs.key in theirs else obs for obs in found]


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
