"""What the outcome of an effect means for its link: pure, and the only place that says so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from calsync.conflicts.clash import shown
from calsync.conflicts.merge import agreed, merge, same_grid
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    NO_ORGANIZER,
    Absence,
    Conflict,
    ConflictKind,
    Done,
    Effect,
    EffectKind,
    Gone,
    InDoubt,
    Later,
    Link,
    LinkState,
    Notice,
    Occupancy,
    Outcome,
    Presence,
    Refused,
    Seen,
    Side,
    Stale,
    Unknown,
)
from calsync.reconcile.guard import uncounted
from calsync.reconcile.observe import LAG, accept, half_of, moved_unheard
from calsync.reconcile.rebase import made, rebase, with_half
from calsync.reconcile.sent import as_sent, half_way
from calsync.reconcile.told import cancellation, change, confirmation, refuses_all, rejection

#: Effects that refuse what a person asked; the reason stays on the link until they are told.
_REFUSING = frozenset({EffectKind.CHANGE_BOOKING, EffectKind.REJECT_BOOKING})
_CHANGES = frozenset({EffectKind.CHANGE_EVENT, EffectKind.CHANGE_BOOKING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """``link`` after the outcome; ``open`` where the effect stays in the outbox (in doubt)."""

    link: Link
    open: bool = False
    notices: tuple[Notice, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    what: str = ""


def settle(link: Link, effect: Effect, outcome: Outcome, *, now: datetime, quiet: bool) -> Settled:
    """Apply ``outcome`` to the newest state of ``link``. ``quiet``: no notice to anyone."""
    told = effect.refusal is not None and effect.kind in _REFUSING
    if told and isinstance(outcome, Stale | Later | Refused):
        # It did not take effect, so there is nothing to tell; it is decided anew.
        link = replace(link, refusal=None)
    match outcome:
        case Done():
            return _done(link, effect, outcome, now=now, quiet=quiet)
        case Stale(now=None):
            # Somebody was faster: read again before anything is decided.
            half = link.half(effect.kind.side)
            unknown = replace(
                half, presence=Presence.UNKNOWN, fingerprint="", reason="changed meanwhile"
            )
            kept = half.seen if half.seen is not None else link.base
            link = with_half(link, effect.kind.side, replace(unknown, seen=kept))
            return Settled(link=replace(link, in_flight=False), what="stale: changed meanwhile")
        case Stale(now=seen):
            assert seen is not None
            link = replace(link, in_flight=False)
            taken = accept(link, effect.kind.side, seen, now)
            undone = _perhaps_undone(link, effect, seen) if taken and outcome.tried else ()
            if taken and outcome.tried:
                taken = _half_merged(link, effect, seen, taken)
            return Settled(link=taken or link, conflicts=undone, what="stale: changed meanwhile")
        case Later():
            # Nothing was tried, so nothing counts as an attempt.
            link = replace(link, in_flight=False, attempts=max(0, link.attempts - 1))
            link = uncounted(link, effect)
            if outcome.reason == NEVER_ARRIVED:
                link = _may_still_arrive(link, effect)
            return Settled(link=link, what=f"put off: {outcome.reason}")
        case Refused(code=code) if code == NO_ORGANIZER and not _was_in_doubt(link, effect):
            link = replace(link, in_flight=False, organizer="", hindrance=outcome.reason)
            link = with_half(link, effect.kind.side, replace(link.half(effect.kind.side), sent=""))
            return Settled(link=link, what=f"not made: {outcome.reason}")
        case Refused():
            link = replace(link, in_flight=False, state=LinkState.PARKED, reason=outcome.reason)
            return Settled(link=link, what=f"refused: {outcome.reason}")
        case InDoubt(made=True) if _was_made(link, effect, now):
            gone = Gone(key="", absence=Absence.READ)
            return _done(link, effect, Done(gone), now=now, quiet=quiet)
        case InDoubt():
            link = _may_still_arrive(link, effect)
            if outcome.made:
                link = _said_to_be_made(link, effect, now)
            return Settled(link=link, open=True, what=f"in doubt: {outcome.reason}")
        case _:
            assert_never(outcome)


#: Why a create that was looked up is sent again.
NEVER_ARRIVED = "it never arrived"
#: Stands at an item that was not made as far as anybody knows, of which a create was in doubt.
_LATE = "a create of it was in doubt"


def _may_still_arrive(link: Link, effect: Effect) -> Link:
    """Remember that a create was in doubt: it may be carried out yet."""
    half = link.half(effect.kind.side)
    if effect.key is not None or half.presence is not Presence.NEVER:
        return link
    return with_half(link, effect.kind.side, replace(half, reason=_LATE))


def _was_in_doubt(link: Link, effect: Effect) -> bool:
    """True where a former try may have been carried out, so that no other way may be gone now."""
    return effect.kind is not EffectKind.CREATE_EVENT or link.event.reason == _LATE


def _perhaps_undone(link: Link, effect: Effect, now: Seen | Gone) -> tuple[Conflict, ...]:
    """The record of what may have been lost: a write was in doubt, and people changed the item,
    before it came or after. Where it shows what was agreed on before, they may have put that back;
    nobody can tell, and the change of the other side, which is certain, is carried over again."""
    side = effect.kind.side
    wanted, half = shown(link, side.other), link.half(side.other)
    if wanted is None or not isinstance(now, Seen) or half.fingerprint != effect.fingerprint:
        return ()
    if side is Side.CALENDAR and wanted.recurrence is not None:
        return ()  # A series is written step by step: what is still to be done nobody put back.
    mine, theirs = (now.occupancy, wanted) if side is Side.BOOKING else (wanted, now.occupancy)
    merged = merge(link.base, mine, theirs, side.other)
    if merged.conflicts or merged.value == now.occupancy:
        return ()  # Recorded when it is decided; or nothing is taken back.
    return (
        Conflict(
            kind=ConflictKind.EDIT,
            link_id=link.id,
            other_link_id=None,
            policy="in doubt",
            winner=side.other,
            reason=f"the {side.value} side was changed while a write of it was in doubt",
            lost=now.occupancy,
        ),
    )


def _done(link: Link, effect: Effect, done: Done, *, now: datetime, quiet: bool) -> Settled:
    what = "confirmed" if done.complete else "confirmed in part"
    state = done.now
    if isinstance(state, Gone):
        gone = _removed(link, effect, state, now)
        notices = () if quiet else (*rejection(gone, effect, state), *cancellation(gone, effect))
        return Settled(link=gone, notices=notices, what=what)
    link, before = _shown_now(link, effect, state, now), link
    if effect.kind is EffectKind.CONFIRM_BOOKING:
        notices = () if quiet else confirmation(link, effect, state)
        # Both sides agree and the person knows: the link is at rest.
        return Settled(link=replace(link, refusal=None, attempts=0), notices=notices, what=what)
    notices = () if quiet else change(link, effect, state)
    if ours := as_sent(link, before, effect.kind.side, state):
        link = ours
    elif effect.merged and not done.complete:
        link = _half_merged(before, effect, state, _agreed(link, state))
    elif effect.kind is EffectKind.DECLINE_EVENT or effect.merged:
        link = _agreed(link, state)
    elif effect.key is None:
        link = _created(link, before, effect, done, state, now)
    elif effect.kind is EffectKind.CHANGE_EVENT and link.event.waits:
        pass  # Agreed on when the room says yes; it goes back to the base when it says no.
    else:
        part = _part_made(link.base, effect.target, state.occupancy)
        link = _rebased(link, effect, part, complete=done.complete)
    return Settled(link=link, notices=notices, what=what)


def _said_to_be_made(link: Link, effect: Effect, now: datetime) -> Link:
    """A copy of the mailbox that lags behind does not show it yet; or a person removed it."""
    half = link.half(effect.kind.side)
    if half.presence is not Presence.NEVER or half.created is not None:
        return link
    return with_half(link, effect.kind.side, replace(half, created=now))


def _was_made(link: Link, effect: Effect, now: datetime) -> bool:
    """True where no lag explains any more that what was made is not shown: it is gone again."""
    half = link.half(effect.kind.side)
    made = half.created if half.presence is Presence.NEVER else None
    return made is not None and now - made >= LAG


def _removed(link: Link, effect: Effect, state: Gone, now: datetime) -> Link:
    side = effect.kind.side
    if effect.target is not None and link.base is None and not _several(link, side):
        # Made, and removed by a person before we saw it: that is a deletion, not a failure. Where
        # several contents were tried, what was removed may be older than what people want now.
        link = rebase(link, effect.target, effect.fingerprint)
    link = replace(link, in_flight=False)
    link = accept(link, side, state, now) or link
    return replace(link, pending=link.pending and side is Side.CALENDAR)


def _shown_now(link: Link, effect: Effect, state: Seen, now: datetime) -> Link:
    """``link`` with what the side shows after the write; the base is as it was."""
    side = effect.kind.side
    half = half_of(link, side, state, now)
    # A newer reading than our own write's answer may have been accepted in the meantime.
    half = replace(half, mark=max(half.mark, link.half(side).mark))
    link = with_half(replace(link, in_flight=False), side, half)
    if side is Side.BOOKING:
        link = replace(link, pending=state.pending)
    if effect.kind is EffectKind.CHANGE_BOOKING and refuses_all(effect):
        # Back where its event was all along: who booked there meanwhile could not see that.
        link = replace(link, claim=Side.CALENDAR)
    return link


def _several(link: Link, side: Side) -> bool:
    """True where creates of different contents were sent."""
    return len(link.half(side).sent.split()) > 1


def _created(
    link: Link, before: Link, effect: Effect, done: Done, state: Seen, now: datetime
) -> Link:
    side, target = effect.kind.side, effect.target
    if target is None or _several(before, side) or _of_another_life(before, effect, done, state):
        # Which of several tries made what people have changed since, nobody can tell.
        return link
    link = moved_unheard(link, side, state, target, now)
    return _rebased(link, effect, made(target, state.occupancy), complete=done.complete)


def _of_another_life(before: Link, effect: Effect, done: Done, state: Seen) -> bool:
    """True where an earlier try made it, of which nobody here knows: our database was restored, and
    what was to be made then may be older than what people want now."""
    unknown = done.earlier and before.half(effect.kind.side).reason != _LATE
    target = effect.target
    return unknown and target is not None and made(target, state.occupancy) != state.occupancy


def _rebased(link: Link, effect: Effect, done: Occupancy, *, complete: bool) -> Link:
    """The base after a write: its target, or what of a series is ``done`` yet."""
    target = effect.target
    assert target is not None
    if complete or target.recurrence is None:
        # A single item is made whole or not at all: what differs is what people changed since.
        return rebase(link, target, effect.fingerprint)
    return rebase(link, done, fingerprint(done))


def _part_made(base: Occupancy | None, target: Occupancy | None, now: Occupancy) -> Occupancy:
    """What of a change was made: where ``now`` is neither what stood there before nor what was to
    be, people changed it meanwhile, and it is no base of anything."""
    if base is None or target is None:
        return now
    if same_grid(target, now) and not same_grid(base, target):
        return made(target, now)  # Moved; its exceptions come one by one.
    return agreed(base, target, now)


def _agreed(link: Link, state: Seen) -> Link:
    """Move the base where both sides turn out to show the same: all of it, or field by field."""
    if link.booking.presence is not Presence.PRESENT or link.event.presence is not Presence.PRESENT:
        return link
    if link.booking.fingerprint == link.event.fingerprint:
        return rebase(link, state.occupancy, state.fingerprint)
    mine, theirs = shown(link, Side.BOOKING), shown(link, Side.CALENDAR)
    if link.base is None or mine is None or theirs is None:
        return link
    base = agreed(link.base, mine, theirs)
    return link if base == link.base else rebase(link, base, fingerprint(base))


def _half_merged(before: Link, effect: Effect, now: Seen | Gone, link: Link) -> Link:
    """``link``, or with another base where half of a merge got half-way to the calendar: see
    ``half_way``. What the other side shows, and was written as it is, is known to ``as_sent``."""
    side = effect.kind.side
    if not isinstance(now, Seen) or before.half(side.other).fingerprint == effect.fingerprint:
        return link
    done = half_way(before, side, now, merged=True)
    if done is None:
        return link
    return replace(rebase(link, done, fingerprint(done)), claim=before.claim)


def _unread(kind: EffectKind, found: Unknown) -> Outcome:
    """In doubt until it can be read; what cannot be understood must not hold up the room."""
    if not found.poison:
        return InDoubt(found.reason)
    if kind in (EffectKind.CREATE_EVENT, EffectKind.CREATE_BOOKING):
        return Refused(found.reason, "poison")
    return Stale(None)


def resolve(
    kind: EffectKind,
    *,
    version: str,
    wanted: str,
    found: Seen | Gone | Unknown | None,
) -> Outcome:
    """The outcome of an effect in doubt, from a targeted look-up made since.

    ``version``: the effect's precondition; ``wanted``: the fingerprint of its target;
    ``found``: the item under our tag (creates) or its key; None = no item carries the tag. Gone
    under a tag: it was made, and is not there any more.
    """
    if isinstance(found, Unknown):
        return _unread(kind, found)
    match kind:
        case EffectKind.CREATE_EVENT | EffectKind.CREATE_BOOKING:
            if isinstance(found, Seen):
                return Done(found, complete=found.fingerprint == wanted)
            if isinstance(found, Gone):
                return Done(found)  # It did arrive, and somebody removed it since.
            return Later(0.0, NEVER_ARRIVED)
        case EffectKind.CHANGE_EVENT | EffectKind.CHANGE_BOOKING:
            if isinstance(found, Seen) and found.fingerprint == wanted:
                return Done(found)
        case EffectKind.DELETE_EVENT | EffectKind.DECLINE_EVENT | EffectKind.DELETE_BOOKING:
            if isinstance(found, Gone):
                return Done(found)
        case EffectKind.REJECT_BOOKING:
            if isinstance(found, Gone):
                return Done(found)
        case EffectKind.CONFIRM_BOOKING:
            if isinstance(found, Seen) and not found.pending:
                return Done(found)
        case _:
            assert_never(kind)
    if found is None:
        return Stale(None)
    if isinstance(found, Seen) and found.version == version:
        return Later(0.0, NEVER_ARRIVED)
    return Stale(found, tried=kind in _CHANGES and isinstance(found, Seen))
