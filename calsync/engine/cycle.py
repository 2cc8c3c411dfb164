"""A cycle of one room: pull → reconcile → commit → push, until nothing is left to do.

Each round commits its decisions before it acts on them, and what became of them after. A
crash between the two leaves effects in the outbox; they are looked up first next time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from calsync.conflicts.clash import shown
from calsync.engine import audit
from calsync.engine.addressed import addressed
from calsync.engine.calls import Steps
from calsync.engine.context import Context
from calsync.engine.doubts import clear_doubts, settle_ended
from calsync.engine.gathered import Gathered
from calsync.engine.pull import gather
from calsync.engine.push import may_be_told, push
from calsync.engine.questions import (
    answered,
    ask,
    counted,
    decide_room,
    is_certain,
    is_half_known,
    list_again,
    refusing_nobody,
    signs_of,
    stop,
    unfinished,
)
from calsync.engine.refusals import with_alternatives
from calsync.engine.relocate import follow, move_as_asked
from calsync.engine.requests import answer_requests
from calsync.errors import CalsyncError, MailboxMissing, StoreError, Throttled
from calsync.model import (
    NONE_YET,
    Conflict,
    Effect,
    EffectKind,
    Halt,
    Link,
    Pair,
    Plan,
    Side,
    Skip,
    Window,
)
from calsync.ports import Commit, RoomState
from calsync.reconcile.effects import effect_id
from calsync.reconcile.plan import OVER, in_window
from calsync.reconcile.setback import SetBack
from calsync.reconcile.told import marked_as_slept

#: Rounds of one cycle: a refused date takes three (change, create, confirm), a merge two.
MAX_ROUNDS = 6


@dataclass(slots=True, kw_only=True)
class CycleReport:
    """What a cycle did. ``wait``: seconds a side asked for, of which so many are left at its end;
    ``until``: the same in monotonic seconds; ``error``: why it was cut short."""

    pair_id: str
    observed: int = 0
    effects: int = 0
    skips: list[Skip] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    halt: Halt | None = None
    wait: float = 0.0
    until: float = 0.0
    error: str = ""
    unsettled: bool = False

    @property
    def active(self) -> bool:
        """True where something happened: the room is then polled sooner."""
        return bool(self.observed or self.effects or self.unsettled)


def cycle(ctx: Context, pair: Pair, *, full: bool = False) -> Steps[CycleReport]:
    """Bring one room to rest. ``full``: then read everything anew, count what the change feeds
    had not told (drift), and roll the window on.

    Never raises for what a side did, or a pair that cannot be worked: the report says what is
    wrong, the state keeps it. Raises StoreError: nothing can be kept then.
    """
    report = CycleReport(pair_id=pair.id)
    ctx.begin(pair)
    try:
        pair = ctx.where_it_is(pair)
        if pair.id in ctx.asked:
            pair = yield from move_as_asked(ctx, pair)
        state = ctx.state(pair)
        if state.halted and not state.approved:
            report.error = state.halted
            return report
        try:
            yield from _cycles(ctx, pair, report, full=full)
        except MailboxMissing as error:
            arrived = yield from follow(ctx, pair, error)
            if arrived is None:
                raise
            yield from _cycles(ctx, arrived, report, full=full)
    except Throttled as error:
        report.wait, report.error = error.retry_after, str(error)
    except StoreError:
        raise
    except CalsyncError as error:
        report.error = str(error)
    # What was asked for in the middle of the cycle has run since.
    report.wait = max(report.wait, report.until - ctx.clock.monotonic())
    if report.error and report.halt is None:
        _failed(ctx, pair, report)
    return report


def _cycles(ctx: Context, pair: Pair, report: CycleReport, *, full: bool) -> Steps[None]:
    if full and ctx.state(pair).window is not None:
        # What is merely new must not count as drift.
        yield from _cycle(ctx, pair, report, full=False)
    if not report.error:
        yield from _cycle(ctx, pair, report, full=full)


def _cycle(ctx: Context, pair: Pair, report: CycleReport, *, full: bool) -> Steps[None]:
    state = ctx.state(pair)
    quiet = not state.imported
    if pair.id not in ctx.resting:
        yield from clear_doubts(ctx, pair, quiet=quiet)
    if pair.id in ctx.asked:
        full = (yield from answer_requests(ctx, pair, quiet=quiet)) or full
    started = ctx.clock.now()
    full = full or state.window is None
    if full and _first_since_woken(state):
        ctx.slept.add(pair.id)
    window = _rolled_on(ctx, state, started) if full or state.window is None else state.window
    found = yield from gather(ctx, pair, window, full=full)
    settle_ended(ctx, pair, found)
    if pair.id in ctx.slept:
        _mark_what_slept(ctx, pair)
    report.observed = len(found.booking) + len(found.calendar)
    state = replace(
        ctx.state(pair),
        window=window,
        calendar_cursor=found.calendar_cursor,
        booking_cursor=found.booking_cursor,
        synced_at=started,
        failures=0,
        error="",
    )
    if not found.anything and state.imported and not full:
        # An idle room: only its cursors moved, over nothing.
        ctx.states[pair.id] = state
        ctx.unsaved.add(pair.id)
        ctx.resting.add(pair.id)
        ctx.slept.discard(pair.id)
        return
    yield from _work(ctx, pair, found, state, report, full=full)


def _mark_what_slept(ctx: Context, pair: Pair) -> None:
    """Remember, with each link that waits for something, that it did so when the room was woken.
    Before the first reading is stored: after that nothing says any more that the room slept."""
    marked = [
        now
        for link in ctx.store.links(pair.id)
        if (now := marked_as_slept(link, asleep=True)) is not link
    ]
    if marked:
        ctx.store.commit(Commit(pair_id=pair.id, fence=ctx.fence(pair), links=marked))


def _first_since_woken(state: RoomState) -> bool:
    """True where nothing was compared in full since the room was woken. What the change feeds did
    not tell, and a full compare finds, may have happened while nobody looked (seed 4797)."""
    woken, compared = state.woken_at, state.compared_at
    return woken is not None and (compared is None or compared < woken)


def _rolled_on(ctx: Context, state: RoomState, now: datetime) -> Window:
    """The window that is synced from now on. Where nothing is known since the last reading, which
    was doubted, or of which an admin was asked, it still begins where that one did: what people
    took away before it was over has to go on the other side, too."""
    window = ctx.span.window(now)
    if state.window is not None or state.synced_at is None:
        return window
    return Window(min(window.start, ctx.span.window(state.synced_at).start), window.end)


def _work(
    ctx: Context,
    pair: Pair,
    found: Gathered,
    state: RoomState,
    report: CycleReport,
    *,
    full: bool,
) -> Steps[None]:
    assert state.window is not None
    window, held = state.window, ctx.state(pair)
    # What we made and do not remember was told to people in a life that the database lost.
    quiet = not state.imported or found.forgotten > 0
    ctx.resting.discard(pair.id)
    links = dict(found.links)
    fresh: Gathered | None = found
    for number in range(MAX_ROUNDS):
        now = ctx.clock.now()
        seen = {side: fresh.seen(side) if fresh is not None else {} for side in Side}
        plan = decide_room(ctx, pair, links, seen, state=state, window=window, now=now)
        back = signs_of(fresh, links, plan)
        if back and fresh is not None and state.approved and is_half_known(links, fresh, back, now):
            _wait_for_the_rest(ctx, pair, back, report)
        elif back and fresh is not None and (state.approved or state.rejoin is not None):
            pair, quiet = refusing_nobody(pair), True
            links = answered(ctx, pair, links, fresh, back, state=state, now=now)
            plan = decide_room(ctx, pair, links, seen, state=state, window=window, now=now)
        elif back and fresh is not None and not fresh.emptied:
            _doubt(ctx, pair, fresh, back, report)
        elif doubtful := unfinished(fresh) if state.imported and not state.approved else []:
            list_again(ctx, pair, doubtful)
            report.error = "items made only now are not found: looked at again"
        if report.halt is None and not (report.error or state.approved or state.rejoin):
            report.halt = ask(ctx, pair, plan, fresh, now)
        if report.halt is not None:
            report.error = report.halt.reason
            stop(ctx, pair, report.halt)
        if report.error:
            return
        state = counted(state, plan, fresh, now)
        asleep = pair.id in ctx.slept
        plan.links = [marked_as_slept(link, asleep=asleep) for link in plan.links]
        plan.effects = yield from with_alternatives(ctx, pair, plan.effects, window)
        if number == 0 and full:
            drift = _drift(plan, links, held.window, pair.zone) if held.imported else 0
            state = replace(state, compared_at=now, drift=drift)
        _commit(ctx, pair, plan, links, state, now, brief=quiet)
        links.update({link.id: link for link in plan.links})
        report.skips = plan.skips
        report.conflicts.extend(plan.conflicts)
        if not plan.effects:
            break
        pushed = yield from push(ctx, pair, plan.effects, links, window=window, quiet=quiet)
        report.effects += pushed.executed
        report.until = max(report.until, pushed.until)
        if pushed.put_off:
            state = replace(state, writes=state.writes.less(pushed.put_off))
            ctx.states[pair.id] = state
            ctx.unsaved.add(pair.id)
        if not pushed.executed:
            report.error = "; ".join(sorted(set(pushed.reasons)))
            break
        fresh = None
        # What a stale write showed is newer than the rest of the reading: read all of it again.
        again_due = pushed.stale or _answer_is_due(plan.effects, links)
        if not quiet and number + 1 < MAX_ROUNDS and again_due:
            again = yield from gather(ctx, pair, window)
            settle_ended(ctx, pair, again)
            links.update(again.links)
            fresh = again
            state = replace(
                state,
                booking_cursor=again.booking_cursor,
                calendar_cursor=again.calendar_cursor,
            )
    waiting = {skip.link_id for skip in plan.skips if skip.reason == OVER}
    report.unsettled = any(lk.id not in waiting for lk in ctx.store.unsettled(pair.id))
    _rest(ctx, pair, state, report)


def _answer_is_due(effects: list[Effect], links: dict[str, Link]) -> bool:
    """True where a person is about to be told yes.

    The calendar is read once more before that: whoever booked there between our reading and
    our write shows now, and a lost race gets one answer (no) instead of two (yes, then no).
    """
    return any(e.kind in _ANSWERS and links[e.link_id].pending for e in effects)


_ANSWERS = frozenset({EffectKind.CREATE_EVENT, EffectKind.CHANGE_EVENT})


def _doubt(
    ctx: Context, pair: Pair, found: Gathered, back: list[SetBack], report: CycleReport
) -> None:
    """Time seems to have gone back on a side. It is looked at again until no late reading can
    explain it; then the admin is asked. Nothing is done before."""
    list_again(ctx, pair, [one.side for one in back if one.side not in found.silent])
    # Where its feed told nothing, that is half of the evidence: the cursor of it stays.
    ctx.states[pair.id] = replace(ctx.state(pair), window=None)
    certain = next((one for one in back if is_certain(ctx, pair, one)), None)
    if certain is not None:
        report.halt = certain.halt
    else:
        report.error = f"{back[0].reason}: looked at again, and you are asked if it stays"


def _wait_for_the_rest(ctx: Context, pair: Pair, back: list[SetBack], report: CycleReport) -> None:
    """The answer is kept until it can be given: everything is listed and read again."""
    list_again(ctx, pair, [one.side for one in back])
    ctx.states[pair.id] = replace(ctx.state(pair), window=None)
    report.error = f"{back[0].reason}: your answer waits until the other side can be read, too"


def _commit(
    ctx: Context,
    pair: Pair,
    plan: Plan,
    before: dict[str, Link],
    state: RoomState,
    now: datetime,
    *,
    brief: bool,
) -> None:
    wanted = [to for n in plan.notices for to in addressed(ctx, pair, n)] if not brief else []
    links = {link.id: link for link in plan.links}
    told = [n for n in wanted if not may_be_told(ctx, links[n.link_id], Side.CALENDAR)]
    ctx.store.commit(
        Commit(
            pair_id=pair.id,
            fence=ctx.fence(pair),
            links=plan.links,
            effects=plan.effects,
            # Recognised by our tag in this very reading: nothing is in doubt any more.
            settled=[
                effect_id(was)
                for link in plan.links
                if (was := before.get(link.id)) is not None and was.in_flight
                if not link.in_flight or link.revision != was.revision
            ],
            conflicts=plan.conflicts,
            notices=told,
            doubtful=[notice for notice in wanted if notice not in told],
            audit=audit.of_plan(pair, plan, before, now, brief=brief),
            state=state,
        )
    )
    ctx.states[pair.id] = state
    ctx.unsaved.discard(pair.id)


def _rest(ctx: Context, pair: Pair, state: RoomState, report: CycleReport) -> None:
    """A room whose first import has come to rest may send notices from now on."""
    joining = state.rejoin is not None and report.unsettled
    # What was written and not heard of belongs to the import: its answer is told to nobody either.
    doubtful = not state.imported and bool(ctx.store.open_effects(pair.id))
    imported = state.imported or not (report.error or joining or doubtful)
    done = replace(
        state,
        imported=imported,
        # That of the first import stays, whatever is joined anew later.
        imported_at=state.imported_at or (state.synced_at if imported > state.imported else None),
        approved=False if state.approved else state.approved,
        halted="" if state.approved else state.halted,
        writes=NONE_YET if state.approved else state.writes,
        others=NONE_YET if state.approved else state.others,
        rejoin=state.rejoin if report.error or joining else None,
    )
    if not report.unsettled and not report.error:
        ctx.resting.add(pair.id)
        ctx.slept.discard(pair.id)
    if done != state:
        ctx.store.commit(Commit(pair_id=pair.id, fence=ctx.fence(pair), state=done))
        ctx.states[pair.id] = done


def _failed(ctx: Context, pair: Pair, report: CycleReport) -> None:
    """Keep what is wrong where ``calsync status`` finds it."""
    ctx.resting.discard(pair.id)
    state = ctx.state(pair)
    ctx.states[pair.id] = replace(state, failures=state.failures + 1, error=report.error)
    ctx.unsaved.add(pair.id)


def _drift(plan: Plan, before: dict[str, Link], covered: Window | None, zone: str) -> int:
    """What a full compare found that the change feeds had not told: items that are new, gone or
    different. Items that the rolled window has just reached are none."""
    count = 0
    for link in plan.links:
        was = before.get(link.id)
        if was is None:
            there = shown(link, link.origin)
            count += there is not None and covered is not None and in_window(there, covered, zone)
        else:
            count += any(was.half(side).fingerprint != link.half(side).fingerprint for side in Side)
    return count


def preview(ctx: Context, pair: Pair) -> Steps[Plan]:
    """What the next cycle would do, with nothing sent and nothing stored."""
    state = ctx.state(pair)
    now = ctx.clock.now()
    full = state.window is None
    window: Window = state.window or ctx.span.window(now)
    found = yield from gather(ctx, pair, window, full=full)
    seen = {side: found.seen(side) for side in Side}
    plan = decide_room(ctx, pair, found.links, seen, state=state, window=window, now=now)
    back = signs_of(found, found.links, plan)
    plan.halt = back[0].halt if back else ask(ctx, pair, plan, found, now)
    answers = state.approved or state.rejoin is not None
    plan.quiet = not state.imported or found.forgotten > 0 or (bool(back) and answers)
    plan.effects = yield from with_alternatives(ctx, pair, plan.effects, window)
    return plan
