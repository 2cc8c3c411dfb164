"""A cycle of one room: pull → reconcile → commit → push, until nothing is left to do.

Each round commits its decisions before it acts on them, and what became of them after. A
crash between the two leaves effects in the outbox; they are looked up first next time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from calsync.conflicts.clash import shown
from calsync.engine import audit
from calsync.engine.calls import Steps
from calsync.engine.context import Context
from calsync.engine.pull import Gathered, gather
from calsync.engine.push import clear_doubts, push
from calsync.engine.refusals import with_alternatives
from calsync.errors import CalsyncError, StoreError, Throttled
from calsync.model import Conflict, Effect, EffectKind, Halt, Link, Pair, Plan, Skip, Window
from calsync.ports import Commit, RoomState
from calsync.reconcile.guard import check
from calsync.reconcile.plan import OVER, in_window, reconcile

#: Rounds of one cycle: a refused date takes three (change, create, confirm), a merge two.
MAX_ROUNDS = 6


@dataclass(slots=True, kw_only=True)
class CycleReport:
    """What a cycle did. ``wait``: seconds a side asked for; ``error``: why it was cut short."""

    pair_id: str
    observed: int = 0
    effects: int = 0
    skips: list[Skip] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    halt: Halt | None = None
    wait: float = 0.0
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
    state = ctx.state(pair)
    if state.halted and not state.approved:
        report.error = state.halted
        return report
    try:
        if full and state.window is not None:
            # What is merely new must not count as drift.
            yield from _cycle(ctx, pair, report, full=False)
        if not report.error:
            yield from _cycle(ctx, pair, report, full=full)
    except Throttled as error:
        report.wait, report.error = error.retry_after, str(error)
    except StoreError:
        raise
    except CalsyncError as error:
        report.error = str(error)
    if report.error and report.halt is None:
        _failed(ctx, pair, report)
    return report


def _cycle(ctx: Context, pair: Pair, report: CycleReport, *, full: bool) -> Steps[None]:
    state = ctx.state(pair)
    quiet = not state.imported
    if pair.id not in ctx.resting and not (yield from clear_doubts(ctx, pair, quiet=quiet)):
        # Tried: going on without the answer loses deletions that meet the doubtful item.
        report.error, report.unsettled = "an earlier write is still in doubt", True
        return
    started = ctx.clock.now()
    full = full or state.window is None
    window = ctx.span.window(started) if full or state.window is None else state.window
    found = yield from gather(ctx, pair, window, full=full)
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
        return
    yield from _work(ctx, pair, found, state, report, full=full)


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
    quiet, window = not state.imported, state.window
    held = ctx.state(pair)
    ctx.resting.discard(pair.id)
    links = dict(found.links)
    seen_booking, seen_calendar = found.booking, found.calendar
    fresh: Gathered | None = found
    for number in range(MAX_ROUNDS):
        now = ctx.clock.now()
        plan = reconcile(
            links.values(),
            seen_booking,
            seen_calendar,
            pair=pair,
            window=window,
            now=now,
            importing=quiet,
        )
        if not state.approved:
            report.halt = _guard(ctx, pair, plan, fresh, now)
        if report.halt is not None:
            _stop(ctx, pair, report)
            return
        plan.effects = with_alternatives(ctx, pair, plan.effects, window)
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
        report.wait = max(report.wait, pushed.wait)
        if not pushed.executed:
            report.error = "; ".join(sorted(set(pushed.reasons)))
            break
        seen_booking, seen_calendar, fresh = {}, {}, None
        # What a stale write showed is newer than the rest of the reading: read all of it again.
        again_due = pushed.stale or _answer_is_due(plan.effects, links)
        if not quiet and number + 1 < MAX_ROUNDS and again_due:
            again = yield from gather(ctx, pair, window)
            links.update(again.links)
            seen_booking, seen_calendar, fresh = again.booking, again.calendar, again
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


def _guard(
    ctx: Context, pair: Pair, plan: Plan, found: Gathered | None, now: datetime
) -> Halt | None:
    emptied = found.emptied if found is not None else ""
    if not plan.effects and not emptied:
        return None
    items = ctx.store.future_items(pair.id, now)
    return check(plan.effects, future_items=items, limits=ctx.limits, emptied=emptied)


def _stop(ctx: Context, pair: Pair, report: CycleReport) -> None:
    """The guard refused: nothing of this cycle is stored but the question to the admin."""
    assert report.halt is not None
    report.error = report.halt.reason
    state = replace(ctx.state(pair), halted=report.halt.reason, approved=False)
    ctx.states[pair.id] = state
    # From here on the admin's answer, made in another process, stands in the database.
    ctx.unsaved.discard(pair.id)
    ctx.store.commit(Commit(pair_id=pair.id, fence=ctx.fence(pair), state=state))


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
    ctx.store.commit(
        Commit(
            pair_id=pair.id,
            fence=ctx.fence(pair),
            links=plan.links,
            effects=plan.effects,
            conflicts=plan.conflicts,
            audit=audit.of_plan(pair, plan, before, now, brief=brief),
            state=state,
        )
    )
    ctx.states[pair.id] = state
    ctx.unsaved.discard(pair.id)


def _rest(ctx: Context, pair: Pair, state: RoomState, report: CycleReport) -> None:
    """A room whose first import has come to rest may send notices from now on."""
    done = replace(
        state,
        imported=state.imported or not report.error,
        approved=False if state.approved else state.approved,
        halted="" if state.approved else state.halted,
    )
    if not report.unsettled and not report.error:
        ctx.resting.add(pair.id)
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
            count += (was.booking.fingerprint, was.event.fingerprint) != (
                link.booking.fingerprint,
                link.event.fingerprint,
            )
    return count


def preview(ctx: Context, pair: Pair) -> Steps[Plan]:
    """What the next cycle would do, with nothing sent and nothing stored."""
    state = ctx.state(pair)
    now = ctx.clock.now()
    full = state.window is None
    window: Window = state.window or ctx.span.window(now)
    found = yield from gather(ctx, pair, window, full=full)
    plan = reconcile(
        found.links.values(),
        found.booking,
        found.calendar,
        pair=pair,
        window=window,
        now=now,
        importing=not state.imported,
    )
    plan.halt = _guard(ctx, pair, plan, found, now)
    plan.effects = with_alternatives(ctx, pair, plan.effects, window)
    return plan
