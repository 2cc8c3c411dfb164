"""What the guard asks before a plan is carried out, and what the admin's answer means for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from calsync.conflicts.rules import House
from calsync.engine.context import Context
from calsync.engine.gathered import Gathered
from calsync.mapping.booking_rules import NO_RULES
from calsync.model import (
    ClashPolicy,
    Halt,
    Link,
    LinkState,
    Observation,
    Pair,
    Plan,
    Presence,
    Side,
    Unknown,
    Window,
)
from calsync.ports import AuditEntry, AuditStep, Commit, RoomState
from calsync.reconcile.guard import DAY, HOUR, check, not_alone, repeatable
from calsync.reconcile.observe import accept
from calsync.reconcile.plan import reconcile
from calsync.reconcile.rebase import bury
from calsync.reconcile.setback import SetBack, forget_marks, is_tomb, returned, set_apart, signs


def decide_room(
    ctx: Context,
    pair: Pair,
    links: Mapping[str, Link],
    seen: Mapping[Side, Mapping[str, Observation]],
    *,
    state: RoomState,
    window: Window,
    now: datetime,
) -> Plan:
    """The plan of the room; while both sides are joined anew, one that refuses nobody."""
    if state.rejoin is not None:
        pair = refusing_nobody(pair)
    return reconcile(
        links.values(),
        seen[Side.BOOKING],
        seen[Side.CALENDAR],
        pair=pair,
        window=window,
        now=now,
        importing=not state.imported,
        imported_at=state.imported_at,
        # Of the reading that is stored: ``state`` is that of this one, not stored yet.
        read_at=ctx.state(pair).synced_at,
        limits=ctx.limits,
        rejoin=state.rejoin,
        house=house_of(ctx, pair, state),
    )


def house_of(ctx: Context, pair: Pair, state: RoomState) -> House | None:
    """The room's rules for what people book in Outlook; None where nothing is held against it. What
    was done before the import, the rules or the admin's choice is let be."""
    if ctx.rulebook is None or not pair.reactions.any or not state.imported:
        return None
    known = ctx.rulebook.rules([pair.room_id]).get(pair.room_id)
    if known is None or known.rules == NO_RULES:
        return None
    times = (state.imported_at, known.since, pair.reactions_since)
    return House(
        rules=known.rules,
        reactions=pair.reactions,
        capacity=known.capacity,
        since=max((at for at in times if at is not None), default=None),
    )


def refusing_nobody(pair: Pair) -> Pair:
    """Two bookings that claim one time wait for a person: after a restore neither was first."""
    return replace(pair, clash_policy=ClashPolicy.ASK)


# --- did time go back? -------------------------------------------------------------------------


def signs_of(found: Gathered | None, links: Mapping[str, Link], plan: Plan) -> list[SetBack]:
    """What the complete listings among the observations say against time going on."""
    if found is None or not (found.complete or found.told):
        return []
    after = {link.id: link for link in plan.links}
    looked = (
        signs(
            links.values(),
            after,
            found.seen(side),
            side,
            told=side in found.told,
            silent=side in found.silent,
            hinted=found.hinted[side],
        )
        for side in Side
        if side in found.complete
    )
    return [sign for sign in looked if sign is not None]


def unfinished(found: Gathered | None) -> list[Side]:
    """Sides whose complete listing lacked something of which nobody knows yet whether it is gone.
    The next one has to be complete, too, and comes before anything is done, to tell."""
    if found is None or found.emptied:
        return []
    return [
        side
        for side in Side
        if any(isinstance(found.seen(side).get(key), Unknown) for key in found.missing[side])
    ]


def is_certain(ctx: Context, pair: Pair, back: SetBack) -> bool:
    """False where it may still be a late reading: a copy of the mailbox that lags behind."""
    port = ctx.booking if back.side is Side.BOOKING else ctx.calendar(pair)
    read_at = ctx.state(pair).synced_at
    lags = read_at is not None and ctx.clock.now() - read_at < ctx.limits.lag
    return port.capabilities.local or not lags


def list_again(ctx: Context, pair: Pair, sides: Iterable[Side]) -> None:
    """The next cycle lists these sides in full, whatever their feeds tell."""
    state = ctx.state(pair)
    for side in sides:
        if side is Side.BOOKING:
            state = replace(state, booking_cursor=None)
        else:
            state = replace(state, calendar_cursor=None)
    ctx.states[pair.id] = state


def is_half_known(
    links: Mapping[str, Link], found: Gathered, back: list[SetBack], now: datetime
) -> bool:
    """True where something is back of which this reading does not say whether the other side is rid
    of it. Only that tells whether it is one half of something that stands, or a new life."""
    for one in back:
        for id_ in returned(links.values(), found.seen(one.side), one.side):
            link = _as_read(links[id_], found, one.side.other, now)
            unread = link.half(one.side.other).presence is Presence.UNKNOWN
            if link.state is LinkState.ACTIVE and (unread or link.in_flight):
                return True
    return False


def _as_read(link: Link, found: Gathered, side: Side, now: datetime) -> Link:
    """``link`` with what this reading says of a half that could not be read before, or whose
    deletion was in doubt."""
    half = link.half(side)
    if half.presence is not Presence.UNKNOWN or half.key is None:
        return link
    obs = found.seen(side).get(half.key)
    return (accept(link, side, obs, now) or link) if obs is not None else link


def answered(
    ctx: Context,
    pair: Pair,
    links: Mapping[str, Link],
    found: Gathered,
    back: list[SetBack],
    *,
    state: RoomState,
    now: datetime,
) -> dict[str, Link]:
    """``links`` as the admin's answer makes them. *Let it pass*: what the sides show is right, so
    the marks that speak against it go. *Joined anew*: what was deleted and is back is parked. Where
    both sides had lost it, its link is a tombstone first: it is a new life, not one half of it."""
    changed = dict(links)
    apart: list[Link] = []
    for one in back:
        seen = found.seen(one.side)
        again = returned(links.values(), seen, one.side)
        read = {id_: _as_read(changed[id_], found, one.side.other, now) for id_ in again}
        tombs = {id_: bury(link) for id_, link in read.items() if is_tomb(link)}
        changed |= tombs
        for link in links.values():
            if link.half(one.side).key in seen:
                changed[link.id] = forget_marks(changed[link.id], one.side)
        if state.rejoin is not None:
            for id_ in tombs:
                tomb = bury(_as_read(links[id_], found, one.side.other, now))
                apart += set_apart(tomb, one.side, again[id_], now)
    if apart:
        changed.update({link.id: link for link in apart})
        said = [
            AuditEntry(
                at=now,
                pair_id=pair.id,
                link_id=link.id,
                step=AuditStep.DECISION,
                what=f"park: {link.reason}",
            )
            for link in apart
            if link.reason
        ]
        commit = Commit(pair_id=pair.id, fence=ctx.fence(pair), links=apart, audit=said)
        ctx.store.commit(commit)
    return changed


# --- too much, too often, not alone ------------------------------------------------------------


def ask(ctx: Context, pair: Pair, plan: Plan, found: Gathered | None, now: datetime) -> Halt | None:
    """What a person must be asked before ``plan`` is carried out."""
    state = ctx.state(pair)
    if found is not None and found.others:
        company = not_alone(state.others.within(DAY, now) + found.others, ctx.limits)
        if company is not None:
            return company
    future_items = ctx.store.future_items(pair.id, now)
    # Where nothing lies ahead, an empty side says nothing.
    emptied = found.emptied if found is not None and future_items else ""
    if not plan.effects and not emptied:
        return None
    return check(
        plan.effects,
        future_items=future_items,
        limits=ctx.limits,
        emptied=emptied,
        writes=state.writes.within(HOUR, now) if state.imported else 0,
    )


def counted(state: RoomState, plan: Plan, found: Gathered | None, now: datetime) -> RoomState:
    """``state`` with what ``plan`` adds to the counts that ``ask`` goes by."""
    if not state.imported:
        return state
    return replace(
        state,
        writes=state.writes.plus(repeatable(plan.effects), HOUR, now),
        others=state.others.plus(found.others if found is not None else 0, DAY, now),
    )


def stop(ctx: Context, pair: Pair, halt: Halt) -> None:
    """The guard refused: nothing of this cycle is stored but the question to the admin."""
    state = replace(ctx.state(pair), halted=halt.reason, approved=False)
    ctx.states[pair.id] = state
    # From here on the admin's answer, made in another process, stands in the database.
    ctx.unsaved.discard(pair.id)
    ctx.store.commit(Commit(pair_id=pair.id, fence=ctx.fence(pair), state=state))
