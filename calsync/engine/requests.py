"""What an admin asked for in another process, carried out by the one that works the room.

* ``keep``: of a parked booking that both sides show differently, or that one side deleted, what
  ``side`` shows is right.
* ``refuse``: of two bookings that claim one time, ``loser`` gives it up and ``winner`` stays.
* ``resync``: read both sides anew, in full.
* ``move``: the mailbox is reached through another connection by now (see ``engine.relocate``; it
  comes before all of these, and what could not be done now stays open).

Each step looks at what is there: cut short at any point, it goes on with the next cycle.
"""

from __future__ import annotations

from calsync.engine.calls import Steps
from calsync.engine.context import Context
from calsync.engine.push import push
from calsync.engine.refusals import with_alternatives
from calsync.model import Effect, Link, LinkState, Pair, Side
from calsync.ports import AuditEntry, AuditStep, Commit, Request
from calsync.reconcile.answers import (
    freed,
    hindrance,
    holds,
    is_known,
    keep,
    overlap,
    refuse,
)


def answer_requests(ctx: Context, pair: Pair, *, quiet: bool) -> Steps[bool]:
    """Carry out what is open for the pair; True where both sides are to be read in full."""
    if ctx.requests is None:
        return False
    ctx.asked.discard(pair.id)
    full = False
    for request in ctx.requests.of(pair.id):
        match request.what:
            case "resync":
                full = True
                ctx.requests.settle(request, "read anew and compared", done=True)
            case "move":
                ctx.asked.add(pair.id)
            case "keep":
                _keep(ctx, pair, request)
            case "refuse":
                yield from _refuse(ctx, pair, request, quiet=quiet)
            case _:
                ctx.requests.settle(request, "this calsync does not know it", done=False)
    return full


def _keep(ctx: Context, pair: Pair, request: Request) -> None:
    assert ctx.requests is not None
    link = _link(ctx, pair, request, "link")
    side = Side(request.detail["side"])
    if link is None or link.state is not LinkState.PARKED:
        ctx.requests.settle(request, "it is not parked any more", done=False)
        return
    why_not = hindrance(link, side)
    if why_not:
        ctx.requests.settle(request, why_not, done=False)
        return
    _store(ctx, pair, keep(link, side), f"an admin kept what the {side.value} side shows")
    ctx.requests.settle(request, f"kept what the {side.value} side shows", done=True)


def _refuse(ctx: Context, pair: Pair, request: Request, *, quiet: bool) -> Steps[None]:
    """The loser first; the winner is let go when the time is free."""
    assert ctx.requests is not None
    winner, loser = _link(ctx, pair, request, "winner"), _link(ctx, pair, request, "loser")
    window = ctx.state(pair).window
    if winner is None or not holds(winner) or window is None:
        ctx.requests.settle(request, "what was to stay is not there any more", done=False)
        return
    if loser is not None and (loser.in_flight or not is_known(loser)):
        # Looked up, or read again, first; then it goes on.
        ctx.asked.add(pair.id)
        if loser.state is LinkState.PARKED:
            _store(ctx, pair, [freed(loser)], "it is read again")
        return
    sent = None
    if loser is not None and holds(loser):
        sent = refuse(
            loser,
            winner,
            window=window,
            zone=pair.zone,
            now=ctx.clock.now(),
            reason=str(request.detail.get("reason", "")),
        )
    if sent is not None:
        link, effect = sent
        effects = yield from with_alternatives(ctx, pair, [effect], window)
        links = {link.id: link}
        _store(ctx, pair, [link], "an admin kept another booking", effects=effects)
        yield from push(ctx, pair, effects, links, window=window, quiet=quiet)
        (loser,) = ctx.store.links_by_id([link.id])
        if loser.state is LinkState.PARKED:
            ctx.requests.settle(request, f"it could not be refused: {loser.reason}", done=False)
            return
        meets = overlap(loser, winner, window=window, zone=pair.zone)[1]
        if loser.in_flight or meets or not is_known(loser):
            ctx.asked.add(pair.id)  # Not known yet, or put off: once more with the next cycle.
            return
    elif loser is not None and loser.state is LinkState.PARKED:
        _store(ctx, pair, [freed(loser)], "it leaves the other's time")
    if winner.state is LinkState.PARKED:
        _store(ctx, pair, [freed(winner)], "an admin kept it")
    ctx.requests.settle(request, "one stays, the other gave up the time", done=True)


def _link(ctx: Context, pair: Pair, request: Request, name: str) -> Link | None:
    found = ctx.store.links_by_id([str(request.detail.get(name, ""))])
    return next((link for link in found if link.pair_id == pair.id), None)


def _store(
    ctx: Context, pair: Pair, links: list[Link], why: str, *, effects: list[Effect] | None = None
) -> None:
    now = ctx.clock.now()
    ctx.resting.discard(pair.id)
    ctx.store.commit(
        Commit(
            pair_id=pair.id,
            fence=ctx.fence(pair),
            links=links,
            effects=effects or (),
            audit=[
                AuditEntry(
                    at=now,
                    pair_id=pair.id,
                    link_id=link.id,
                    step=AuditStep.DECISION,
                    what=f"answer: {why}",
                )
                for link in links
            ],
        )
    )
