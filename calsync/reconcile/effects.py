"""From decisions and verdicts to effects: the write that brings the decided state about."""

from __future__ import annotations

from dataclasses import replace

from calsync.conflicts.clash import Verdict, shown
from calsync.conflicts.merge import covers
from calsync.conflicts.rules import without
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    BOTH_STAY,
    Conflict,
    ConflictKind,
    Effect,
    EffectKind,
    Link,
    Presence,
    Refusal,
    Side,
    is_theirs,
)
from calsync.reconcile.decide import Decision, Verb

_KINDS = {
    Verb.NOTHING: EffectKind.CONFIRM_BOOKING,
    Verb.CREATE_BOOKING: EffectKind.CREATE_BOOKING,
    Verb.CREATE_EVENT: EffectKind.CREATE_EVENT,
    Verb.WRITE_BOOKING: EffectKind.CHANGE_BOOKING,
    Verb.WRITE_EVENT: EffectKind.CHANGE_EVENT,
    Verb.WRITE_BOTH: EffectKind.CHANGE_EVENT,
    Verb.DELETE_BOOKING: EffectKind.DELETE_BOOKING,
    Verb.DELETE_EVENT: EffectKind.DELETE_EVENT,
    Verb.DECLINE_DATES: EffectKind.DECLINE_EVENT,
}

#: What whoever booked is told where the room said no. Why it did is in its mail to the organizer,
#: which calsync does not read.
ROOM_SAID_NO = (
    "The room declined it in Exchange: it was taken, or its booking rules do not allow it."
)


def effect_id(link: Link) -> str:
    """The name of the one effect that this revision of a link can have."""
    return f"{link.id}:{link.revision}"


def in_flight(link: Link) -> Link:
    """``link`` as it is stored beside the effect that is about to be sent for it."""
    return replace(link, revision=link.revision + 1, in_flight=True, attempts=link.attempts + 1)


def effect_of(link: Link, decision: Decision) -> Effect:
    """The one write that ``decision`` asks for, with its precondition."""
    kind = _KINDS[decision.verb]
    if kind is EffectKind.DELETE_EVENT and not link.event.owned:
        # An attendee cannot delete a meeting for people; it can decline, and they are told.
        kind = EffectKind.DECLINE_EVENT
    return _effect(link, kind, decision)


def _effect(
    link: Link, kind: EffectKind, decision: Decision, refusal: Refusal | None = None
) -> Effect:
    half = link.half(kind.side)
    target = decision.target
    if kind is EffectKind.CONFIRM_BOOKING:
        refusal = link.refusal
    if refusal is None and kind is EffectKind.DECLINE_EVENT:
        refusal = Refusal(
            reason="The room was given up on the booking platform.",
            code="cancelled",
            dates=decision.dates,
        )
    other = link.half(kind.side.other)
    key, version = half.key, half.version
    organizer = link.organizer if kind.side is Side.CALENDAR else ""
    if kind is EffectKind.DECLINE_EVENT and is_theirs(key):
        # The room declines its own copy. Of that no version is known, nor matters: the answer is
        # about the meeting as it was read where it lies.
        key, version, organizer = half.copy or None, "", ""
    return Effect(
        id=effect_id(link),
        kind=kind,
        link_id=link.id,
        revision=link.revision,
        why=decision.why,
        key=key,
        version=version,
        was=shown(link, kind.side),
        target=target,
        fingerprint=fingerprint(target) if target is not None else "",
        refusal=refusal,
        uid=other.uid,
        person=link.person,
        created=other.created,
        owned=link.event.changeable,
        merged=decision.verb in (Verb.WRITE_BOTH, Verb.GIVE_BACK) or decision.parts,
        parts=decision.parts,
        seats=link.seats,
        organizer=organizer,
    )


def declined(link: Link, refusal: Refusal, why: str) -> Effect:
    """The decline of what the room was invited to; Exchange itself tells the organizer."""
    decision = Decision(verb=Verb.DECLINE_DATES, why=why)
    return _effect(link, EffectKind.DECLINE_EVENT, decision, refusal)


def turned_down(link: Link, reason: str, code: str, why: str) -> tuple[Link, Effect]:
    """The link, in flight, and the rejection of its booking."""
    refusal = Refusal(reason=reason, code=code)
    link = in_flight(replace(link, refusal=refusal))
    decision = Decision(verb=Verb.NOTHING, why=why)
    return link, _effect(link, EffectKind.REJECT_BOOKING, decision, refusal)


def given_back(link: Link, decision: Decision, reason: str) -> tuple[Link, Effect]:
    """The link, in flight, and the write that takes its booking back to the time it had."""
    refusal = Refusal(reason=reason)
    link = in_flight(replace(link, refusal=refusal))
    mine = shown(link, Side.BOOKING)
    if decision.target is not None and mine is not None:
        back = replace(decision.target, title=mine.title, busy=mine.busy, private=mine.private)
        decision = replace(decision, target=back)
    return link, _effect(link, EffectKind.CHANGE_BOOKING, decision, refusal)


# --- clashes -------------------------------------------------------------------------------


def conflict_of(verdict: Verdict, policy: str) -> Conflict:
    """The record of a clash; what lost stays in it."""
    winner = verdict.winners[0]
    dates = f" on {len(verdict.dates)} date(s)" if verdict.dates else ""
    return Conflict(
        kind=ConflictKind.CLASH,
        link_id=verdict.loser.link.id,
        other_link_id=winner.link.id,
        policy=policy,
        winner=None if verdict.ask else winner.side,
        reason=f"the room was claimed on the {winner.side.value} side, too{dates}",
        lost=verdict.loser.occupancy,
    )


def both_stay(verdict: Verdict) -> Conflict:
    """The record of a clash of bookings that stood before the room was imported."""
    dates = f" on {len(verdict.dates)} date(s)" if verdict.dates else ""
    return Conflict(
        kind=ConflictKind.CLASH,
        link_id=verdict.loser.link.id,
        other_link_id=verdict.winners[0].link.id,
        policy=BOTH_STAY,
        winner=None,
        reason=f"both stood at one time{dates} before the room was imported, so both stay",
        lost=verdict.loser.occupancy,
    )


def refusal_of(verdict: Verdict) -> Refusal:
    """What the loser is told. The alternatives are added by the engine, which knows the rooms."""
    if verdict.winners[0].fixed:
        reason = "The room is blocked at that time in its own calendar."
    elif verdict.dates:
        reason = "The room was already booked on some of the dates."
    else:
        reason = "The room was already booked at that time."
    return Refusal(
        reason=reason,
        dates=verdict.dates,
        conflicts=tuple((i.start, i.end) for i in verdict.taken),
    )


def refused(link: Link, verdict: Verdict, *, whole: bool = False) -> tuple[Link, Effect]:
    """The loser's link, in flight, and the one effect by which it is refused.

    ``link`` is the loser's newest state; its item on the calendar must not be ``owned`` where
    it was claimed there (nobody could be told: the caller parks it). ``whole``: a move that
    lost cannot go back, since its former time was booked meanwhile: all of it is rejected.
    """
    refusal, why = refusal_of(verdict), "lost a clash"
    if verdict.loser.side is Side.CALENDAR:
        link = in_flight(link)
        return link, declined(link, refusal, why)
    if verdict.dates:
        # Some dates of a series: the rest of it stands, and one message will say so.
        target = without(verdict.loser.occupancy, verdict.dates)
    elif (
        not whole
        and link.base is not None
        and link.event.presence is Presence.PRESENT
        and verdict.loser.new
        and not covers(link.base, verdict.loser.occupancy)
    ):
        # A move that lost: the booking goes back to the time that it still holds, or to none.
        mine = shown(link, Side.BOOKING) or link.base
        busy = mine.busy if link.base.busy.blocks else link.base.busy
        target = replace(link.base, title=mine.title, busy=busy, private=mine.private)
        why = "its move lost a clash"
    else:
        # Kept on the link: if the reply is lost, the person is told the reason all the same.
        link = in_flight(replace(link, refusal=refusal))
        decision = Decision(verb=Verb.NOTHING, why=why)
        return link, _effect(link, EffectKind.REJECT_BOOKING, decision, refusal)
    link = in_flight(replace(link, refusal=refusal))
    decision = Decision(verb=Verb.WRITE_BOTH, why=why, target=target)
    return link, _effect(link, EffectKind.CHANGE_BOOKING, decision, refusal)


def ends(verdict: Verdict, refusal: Effect) -> bool:
    """True where ``refusal`` leaves nothing of a conflict between the loser's own two sides to be
    decided later: that conflict has to be recorded now."""
    match refusal.kind:
        case EffectKind.REJECT_BOOKING:
            return True
        case EffectKind.CHANGE_BOOKING:
            # Without its lost dates it is written as merged; a move goes back unmerged.
            return bool(verdict.dates)
        case _:
            return not verdict.dates
