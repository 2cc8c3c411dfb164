"""Act: carry effects out and settle what became of them, in one transaction per side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from calsync.engine import audit
from calsync.engine.addressed import addressed
from calsync.engine.calls import Call, Steps
from calsync.engine.context import Context
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
    Occupancy,
    Outcome,
    Pair,
    Presence,
    Refused,
    Seen,
    Side,
    Stale,
    Window,
    is_theirs,
)
from calsync.ports import LONGEST_QUEUE, Capabilities, Commit, SyncSide
from calsync.reconcile.guard import repeatable
from calsync.reconcile.observe import LAG, too_new_to_be_gone
from calsync.reconcile.order import waves
from calsync.reconcile.rebase import bury, with_half
from calsync.reconcile.settle import settle
from calsync.reconcile.told import marked_as_slept, whole_booking


@dataclass(slots=True, kw_only=True)
class Pushed:
    """What pushing did: ``executed`` effects took effect; a side asked to be left alone ``until``
    then (monotonic seconds); ``stale``: somebody was faster than one of them. ``put_off``: changes
    and deletions that were not carried out."""

    executed: int = 0
    put_off: int = 0
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
        port = port_of(ctx, pair, side)
        kept: list[Occupancy] = []
        stopped = False
        # What would be put on time that turned out not to be free waits.
        for wave in waves(
            mine,
            lambda occ: busy_intervals(occ, window, pair.zone),
            lambda effect: whole_booking(links[effect.link_id]),
        ):
            held = [e for e in wave if stopped or _meets(e.target, kept, window, pair.zone)]
            ready = [e for e in wave if e not in held] if held else wave
            if held:
                later = [Later(0.0, "what goes before it is not done") for _ in held]
                record(ctx, pair, held, later, links, pushed, quiet=quiet)
                kept += [e.was for e in held if e.was is not None]
            if ready:
                outcomes = yield from _apply(port, pair, ready)
                record(ctx, pair, ready, outcomes, links, pushed, quiet=quiet)
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


def record(
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
            port_of(ctx, pair, effect.kind.side).capabilities,
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
        links[link.id] = changed[link.id] = marked_as_slept(result.link, asleep=False)
        conflicts += result.conflicts
        for notice in result.notices:
            if _lives_on(ctx, pair, notice):
                continue
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
                pushed.put_off += repeatable([effect])
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
            notices=_series_first(notices),
            doubtful=_series_first(doubtful),
            audit=entries,
            took_effect=[
                effect
                for effect, said, outcome in zip(effects, reported, outcomes, strict=True)
                if isinstance(outcome, Done)
                or (isinstance(said, Done) and effect.kind is EffectKind.DECLINE_EVENT)
            ],
        )
    )


def _lives_on(ctx: Context, pair: Pair, notice: Notice) -> bool:
    """True where the platform gave up only a part of the booking. The ledger has one row for the
    cancellation of all of it, so that a part must not take its place."""
    cancelled = notice.kind is NoticeKind.CANCELLED and notice.cause is Side.BOOKING
    return cancelled and ctx.store.has_live_part(pair.id, notice.booking_key)


def _series_first(notices: Iterable[Notice]) -> list[Notice]:
    """Of a booking that is cancelled in several parts, the first is what its person is told of: to
    name one date, where a series goes, would say that the others stand."""
    return sorted(
        notices, key=lambda n: n.kind is NoticeKind.CANCELLED and n.occupancy.recurrence is None
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
    not known: there it counts for how long nobody had looked, also for what has waited since then
    for an admin."""
    if kind not in ANSWERS:
        return link.slept or link.pair_id in ctx.slept
    half = link.half(side)
    # Moved by what the calendar shows, it was asked for when it was made.
    asked = half.created if link.claimed_on is not side else half.since or half.created
    state = ctx.states.get(link.pair_id)
    # A verb that carries out an answer by itself begins nothing; another process woke the room.
    begun = ctx.begun or (state.woken_at if state is not None else None)
    return begun is not None and asked is not None and asked < begun - LONGEST_QUEUE


def port_of(ctx: Context, pair: Pair, side: Side) -> SyncSide:
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
        theirs = of_others(ctx, pair, side, made)
        for number, outcome in enumerate(kept if theirs else ()):
            if isinstance(outcome, Done) and outcome.now.key in theirs:
                kept[number] = Refused("a copy that somebody pasted stands in its place")
    return kept


def of_others(ctx: Context, pair: Pair, side: Side, keys: Mapping[str, str]) -> set[str]:
    """Of ``keys``, each with the link that claims it, those that another booking has."""
    links = ctx.store.links_by_key(pair.id, side, list(keys)) if keys else ()
    return {
        key
        for link in links
        if (key := link.half(side).key) is not None
        and link.base is not None
        and keys[key] != link.id
    }
