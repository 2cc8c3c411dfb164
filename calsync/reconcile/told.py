"""What is told to people when an effect took effect: pure, and the only place that says so.

Only bookings born on the platform are spoken of: Exchange itself answers those who book in
Outlook. ``calsync plan`` asks ``expected`` before anything is done.
"""

from __future__ import annotations

from dataclasses import replace

from calsync.conflicts.merge import same_schedule
from calsync.model import (
    Absence,
    Effect,
    EffectKind,
    Gone,
    Link,
    LinkState,
    Notice,
    NoticeKind,
    Presence,
    Refusal,
    Seen,
    Side,
    Whole,
    is_theirs,
)

#: Effects after which a booking that waits is confirmed: the calendar has it then.
_CARRIES = frozenset({EffectKind.CREATE_EVENT, EffectKind.CHANGE_EVENT})


def refuses_all(effect: Effect) -> bool:
    """True where nothing of what was asked stands; False where some dates of a series do."""
    return effect.refusal is not None and not effect.refusal.dates


def marked_as_slept(link: Link, *, asleep: bool) -> Link:
    """``link``, which remembers that it waited for something while nobody looked at the room
    (``asleep``), until nothing of it is open any more: parked, it may wait long after the room came
    to rest, and be answered in another process."""
    at_rest = link.state is LinkState.ACTIVE and not link.in_flight
    at_rest &= link.booking.fingerprint == link.base_fingerprint == link.event.fingerprint
    slept = (link.slept or asleep) and not at_rest and link.state is not LinkState.BURIED
    return link if slept is link.slept else replace(link, slept=slept)


def expected(link: Link, effect: Effect) -> NoticeKind | None:
    """What will be told once ``effect`` took effect, or the confirmation that follows it did."""
    match effect.kind:
        case EffectKind.REJECT_BOOKING:
            return NoticeKind.REJECTED
        case EffectKind.CONFIRM_BOOKING:
            return NoticeKind.REJECTED if refuses_all(effect) else NoticeKind.CONFIRMED
        case EffectKind.CHANGE_BOOKING if effect.refusal is not None:
            return NoticeKind.REJECTED if refuses_all(effect) else NoticeKind.CONFIRMED
        case EffectKind.CHANGE_BOOKING if link.pending:
            return NoticeKind.CONFIRMED
        case EffectKind.CHANGE_BOOKING if _moves(link, effect):
            return NoticeKind.CHANGED
        case EffectKind.DELETE_BOOKING | EffectKind.DELETE_EVENT if _cancels(link, effect):
            return NoticeKind.CANCELLED
        case _ if effect.kind in _CARRIES and link.pending:
            return NoticeKind.CONFIRMED
        case _:
            return None


def confirmation(link: Link, effect: Effect, state: Seen) -> tuple[Notice, ...]:
    """One answer to the person who booked: yes, or yes except for some dates, or "not moved". None
    of a meeting that its person made in Outlook: who asks on the platform is not known. A booking
    in several parts stands when all of them do, and is answered as one then."""
    if link.origin is Side.CALENDAR and is_theirs(link.event.key):
        return ()
    answer = Notice(
        kind=NoticeKind.REJECTED if refuses_all(effect) else NoticeKind.CONFIRMED,
        link_id=link.id,
        booking_key=state.key,
        revision=state.version,
        person=link.person,
        occupancy=state.occupancy,
        refusal=effect.refusal,
    )
    if state.whole is None:
        return (answer,)
    told = (answer,) if refuses_all(effect) else ()
    if state.whole.waits:
        return told
    yes = replace(answer, kind=NoticeKind.CONFIRMED, refusal=_lost(state.whole, effect))
    return (*told, _of_all(yes, state.whole, state.mark))


def _lost(whole: Whole, effect: Effect) -> Refusal | None:
    """The dates that a booking does not get, by whichever of its parts."""
    known = (whole.refusal, effect.refusal)
    return next((one for one in known if one is not None and one.dates), None)


def _of_all(notice: Notice, whole: Whole, mark: int | None) -> Notice:
    """``notice`` about the booking as one, under the same name for each of its parts."""
    key = whole_key(notice.booking_key)
    return replace(notice, booking_key=key, revision=f"all:{mark}", occupancy=whole.content)


def rejection(link: Link, effect: Effect, state: Gone) -> tuple[Notice, ...]:
    """No, with the reason."""
    if effect.kind is not EffectKind.REJECT_BOOKING:
        return ()
    if state.absence is not Absence.REFUSED:
        return ()  # Its owner was faster and gave it up: there is nothing to refuse any more.
    if effect.was is None or effect.key is None:
        return ()
    no = Notice(
        kind=NoticeKind.REJECTED,
        link_id=link.id,
        booking_key=effect.key,
        revision=effect.version,
        person=link.person,
        occupancy=effect.was,
        refusal=effect.refusal,
    )
    return (no if state.whole is None else _of_all(no, state.whole, state.mark),)


def change(link: Link, effect: Effect, state: Seen) -> tuple[Notice, ...]:
    """Somebody moved it in the room's calendar: whoever booked it does not know. Where an answer
    is due, that answer says the new time."""
    if effect.kind is not EffectKind.CHANGE_BOOKING or effect.refusal is not None:
        return ()
    if link.origin is not Side.BOOKING or link.pending or effect.was is None:
        return ()
    if same_schedule(effect.was, state.occupancy):
        return ()
    return (
        Notice(
            kind=NoticeKind.CHANGED,
            link_id=link.id,
            booking_key=state.key,
            revision=state.version,
            person=link.person,
            occupancy=state.occupancy,
            was=effect.was,
            cause=Side.CALENDAR,
        ),
    )


def cancellation(link: Link, effect: Effect) -> tuple[Notice, ...]:
    """It stood, and is no more. A booking that the platform gave up is told once, in however many
    parts the calendar held it."""
    if not _cancels(link, effect) or effect.was is None:
        return ()
    by_calendar = effect.kind is EffectKind.DELETE_BOOKING
    key = (effect.key if by_calendar else link.booking.key) or ""
    if not key:
        return ()
    return (
        Notice(
            kind=NoticeKind.CANCELLED,
            link_id=link.id,
            booking_key=key if by_calendar else whole_key(key),
            revision=effect.version if by_calendar else "",
            person=link.person,
            occupancy=effect.was,
            cause=Side.CALENDAR if by_calendar else Side.BOOKING,
        ),
    )


def by_its_person(link: Link, notice: Notice) -> bool:
    """True where the notice is news of a meeting in the calendar of the person who booked, which
    was moved or cancelled there."""
    theirs = is_theirs(link.event.key) and notice.cause is Side.CALENDAR
    return theirs and link.event.reason != Absence.DROPPED.value


def whole_key(key: str) -> str:
    """The booking that a key names, which may be that of a part (``KEY#part``)."""
    return key.partition("#")[0]


def whole_booking(link: Link) -> str:
    """The booking of which the link carries an item; empty where that is not known yet."""
    return whole_key(link.booking.key or "")


def _moves(link: Link, effect: Effect) -> bool:
    if link.origin is not Side.BOOKING or effect.was is None or effect.target is None:
        return False
    return not same_schedule(effect.was, effect.target)


def _cancels(link: Link, effect: Effect) -> bool:
    """What was rejected was told so; its event goes in silence. So does one that a booking which
    stands does not need any more."""
    if link.origin is not Side.BOOKING:
        return False
    if effect.kind is EffectKind.DELETE_BOOKING:
        return True
    given_up = link.booking.presence is Presence.GONE
    refused = link.booking.reason == Absence.REFUSED.value
    return effect.kind is EffectKind.DELETE_EVENT and given_up and not refused
