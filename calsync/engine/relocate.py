"""A mailbox moved between connections, from Exchange Server to the cloud or back: its pair, links
and history go along. Nothing is written on either side, and nobody is told.

The mailbox is read in full at its new place, each link's item is found there by the meeting's
global id, and one transaction says it all: the connection of the pair, the new keys, a void resume
point. Cut short before it, nothing was changed; after it, the next cycle is an ordinary one. What
is in doubt stays that, under the new key, and is looked up there first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from calsync.engine.calls import Call, Steps
from calsync.engine.context import Context
from calsync.engine.doubts import settle_gone
from calsync.errors import (
    AccessDenied,
    ForbiddenLink,
    MailboxMissing,
    NotSignedIn,
    SideError,
    UsageError,
)
from calsync.model import EffectKind, Link, Observation, Pair, Pull, Unknown, Window
from calsync.pacing import chunks
from calsync.ports import AuditEntry, AuditStep, Commit
from calsync.reconcile.moved import (
    Rematch,
    awaited,
    matters,
    put_in_place,
    rematch,
    under_new_keys,
    unlikely,
)

#: What stays until an admin does something: the room goes on where it was.
_CLOSED = (MailboxMissing, AccessDenied, NotSignedIn, ForbiddenLink)
#: Global ids asked for at once.
_PIECE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocation:
    """What a move comes to. ``links``: as they are now; ``changed``: those to be stored. ``lost``:
    linked meetings with time to come that are not there. ``why_not``: empty where it may be done.
    """

    pair: Pair
    links: tuple[Link, ...]
    changed: tuple[Link, ...]
    rematched: Rematch
    lost: tuple[Link, ...]
    why_not: str = ""

    @property
    def known(self) -> int:
        """How many linked meetings were looked for."""
        return len(awaited(self.links))


def look(ctx: Context, pair: Pair, to: str) -> Steps[Relocation]:
    """Read the mailbox through the connection ``to`` and find the links' items in it; nothing is
    stored. Raises UsageError for a connection that is not there, SideError where it cannot be read.
    """
    if to not in ctx.calendars:
        names = ", ".join(sorted(ctx.calendars)) or "none"
        raise UsageError(
            f"there is no connection {to!r} in the settings",
            where=f"room {pair.room_id}",
            todo=f"Known connections: {names}.",
        )
    there = replace(pair, connection=to)
    port, now = ctx.calendar(there), ctx.clock.now()
    window: Window = ctx.state(pair).window or ctx.span.window(now)
    pull: Pull = yield Call("pull", lambda: port.pull(there, None, window))
    seen: dict[str, Observation] = {obs.key: obs for obs in pull.observations}
    stored = ctx.store.links(pair.id)
    changing = {
        one.link_id: one.fingerprint
        for one in ctx.store.open_effects(pair.id)
        if one.kind == EffectKind.CHANGE_EVENT
    }
    held, taken = put_in_place(stored, seen.values(), now, changing=changing, maker=ctx.maker)
    waiting = [link for link in held.values() if link.event.key not in taken]
    found = rematch(waiting, _but(seen, taken))
    if found.missing:
        seen |= yield from _elsewhere(ctx, there, found.missing)
        found = rematch(waiting, _but(seen, taken))
    if found.missing and any(isinstance(obs, Unknown) for obs in seen.values()):
        found = yield from _unreadable(ctx, there, found)
    lost = tuple(link for link in found.missing if matters(link, window, pair.zone))
    moved = under_new_keys(waiting, found, window=window, zone=pair.zone, now=now)
    before = {link.id: link for link in stored}
    after = held | {link.id: link for link in moved}
    allowed = ctx.limits.allowed(ctx.store.future_items(pair.id, now))
    return Relocation(
        pair=there,
        links=tuple(stored),
        changed=tuple(one for one in after.values() if before.get(one.id) != one),
        rematched=found,
        lost=lost,
        why_not=unlikely(waiting, found, len(lost), allowed),
    )


def _but(seen: dict[str, Observation], taken: set[str]) -> list[Observation]:
    return [obs for key, obs in seen.items() if key not in taken]


def _elsewhere(
    ctx: Context, there: Pair, missing: tuple[Link, ...]
) -> Steps[dict[str, Observation]]:
    """Items outside the window, looked for by their global ids."""
    port = ctx.calendar(there)
    seen: dict[str, Observation] = {}
    for piece in chunks(sorted({link.event.uid for link in missing if link.event.uid}), _PIECE):
        rows: list[Observation] = yield Call("elsewhere", partial(port.elsewhere, there, piece))
        seen |= {obs.key: obs for obs in rows}
    return seen


def _unreadable(ctx: Context, there: Pair, found: Rematch) -> Steps[Rematch]:
    """An item that cannot be read does not say who it is; asked for one by one, it is known by the
    question."""
    port = ctx.calendar(there)
    known, left = dict(found.found), []
    keys = {obs.key for obs in known.values()}
    for link in found.missing:
        uid = link.event.uid
        rows: list[Observation] = []
        if uid:
            rows = yield Call("elsewhere", partial(port.elsewhere, there, [uid]))
        mine = [obs for obs in rows if isinstance(obs, Unknown) and obs.key not in keys]
        if mine:
            known[link.id] = mine[0]
            keys.add(mine[0].key)
        else:
            left.append(link)
    return replace(found, found=known, missing=tuple(left))


def carry_over(ctx: Context, relocation: Relocation) -> None:
    """Store the move: from here on the pair is reached through its new connection."""
    pair, now = relocation.pair, ctx.clock.now()
    found = relocation.rematched
    before = {link.id: link for link in relocation.links}
    keys = {
        key: obs.key
        for link_id, obs in found.found.items()
        if (link := before.get(link_id)) is not None and (key := link.event.key) is not None
    }
    # A write in doubt whose item is not there any more has no key to be looked up by.
    settle_gone(ctx, pair, [link for link in relocation.lost if link.in_flight])
    gone = {link.id for link in relocation.lost if link.in_flight}
    changed = [link for link in relocation.changed if link.id not in gone]
    # A question of the guard stays open: it is about what people did, not about where it lies.
    state = replace(ctx.state(pair), calendar_cursor=None, failures=0, error="")
    ctx.store.commit(
        Commit(
            pair_id=pair.id,
            fence=ctx.fence(pair),
            links=changed,
            state=state,
            moved_to=pair.connection,
            keys=keys,
            audit=[
                AuditEntry(
                    at=now,
                    pair_id=pair.id,
                    link_id=link.id,
                    step=AuditStep.DECISION,
                    what=f"join: its mailbox moved to {pair.connection}, and it was found there",
                )
                for link in changed
                if link.id in found.found
            ],
        )
    )
    ctx.states[pair.id] = state
    ctx.moved[pair.id] = pair.connection
    ctx.unsaved.discard(pair.id)
    ctx.resting.discard(pair.id)


def move_as_asked(ctx: Context, pair: Pair) -> Steps[Pair]:
    """Carry out the newest move that an admin asked for; the pair as it is reached now. Where it
    cannot be done the room goes on where it is, and the request says why. Raises SideError for
    what passes: it is tried again with the next cycle."""
    if ctx.requests is None:
        return pair
    asked = [one for one in ctx.requests.of(pair.id) if one.what == "move"]
    for former in asked[:-1]:
        ctx.requests.settle(former, "another move was asked for since", done=False)
    if not asked:
        return pair
    request = asked[-1]
    to = str(request.detail.get("to", ""))
    if to == pair.connection:
        ctx.requests.settle(request, f"its mailbox is reached through {to} already", done=True)
        return pair
    try:
        relocation = yield from look(ctx, pair, to)
    except (*_CLOSED, UsageError) as error:
        ctx.requests.settle(request, f"not moved: {error}", done=False)
        return pair
    if relocation.why_not and not request.detail.get("accept_missing"):
        ctx.requests.settle(request, f"not moved: {relocation.why_not}", done=False)
        return pair
    carry_over(ctx, relocation)
    said = f"moved to {to}: {len(relocation.rematched.found)} meeting(s) found again"
    if relocation.lost:
        said += f", {len(relocation.lost)} not there any more"
    ctx.requests.settle(request, said, done=True)
    return relocation.pair


def follow(ctx: Context, pair: Pair, gone: MailboxMissing) -> Steps[Pair | None]:
    """Where the admin said that the mailboxes of a connection are being moved: whether this one,
    which is not there any more, has arrived. None where it has not (yet). A half-copied mailbox
    does not pass for one that arrived."""
    to = ctx.follows.get(pair.connection)
    if to is None:
        return None
    try:
        relocation = yield from look(ctx, pair, to)
    except SideError as error:
        raise MailboxMissing(
            f"{gone.what}, nor can it be read through {to}: {error.what}",
            where=gone.where,
            todo=error.todo or gone.todo,
        ) from error
    if relocation.why_not:
        raise MailboxMissing(
            f"{gone.what}, and through {to}: {relocation.why_not}",
            where=gone.where,
            todo="Wait until the move is done. If it is, and these were deleted:"
            f" calsync rooms move {pair.room_id} --to {to} --accept-missing",
        ) from gone
    carry_over(ctx, relocation)
    return relocation.pair
