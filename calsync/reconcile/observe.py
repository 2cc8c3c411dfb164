"""The three observation rules: what of a reading is accepted into a link.

1. An observation older than the mark of its link is dropped.
2. Absence counts only by positive evidence (a targeted read, a cancellation): ``Gone`` values
   are made from nothing less; see ``ports.SyncSide.read``.
3. A tombstone keeps its marks: the half of a buried link still drops what is older. What is shown
   behind a tombstone is read again first (``engine.pull``), and were that reading always had, the
   marks would be needless: a late state would never get here. But it may fail; then a link stands
   for what may be back, unread, and the next late state of the feed meets nothing but its mark.

Without these three, stale reads revert people's edits even though every write is conditional:
preconditions protect the target, never the source.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from calsync.conflicts.clash import shown
from calsync.conflicts.merge import covers, same_grid
from calsync.model import (
    NOBODY,
    Absence,
    Gone,
    Half,
    Link,
    LinkState,
    Observation,
    Occupancy,
    Presence,
    RoomAnswer,
    Seen,
    Side,
    Unknown,
    is_theirs,
)
from calsync.reconcile.rebase import with_half
from calsync.reconcile.sent import as_sent


def accept(link: Link, side: Side, obs: Observation, now: datetime) -> Link | None:
    """The link with ``obs`` taken into its half on ``side``; None where it is dropped."""
    half = link.half(side)
    match obs:
        case Seen():
            if obs.mark < half.mark:
                return None
            if half.presence is Presence.GONE and obs.mark <= half.mark:
                return None
            shows = _with_seen(link, side, obs, now)
            taken = as_sent(shows, link, side, obs) or _moved_claim(shows, link, side)
            taken = _kept_for_create(taken, link, side)
        case Gone():
            if obs.mark is not None and obs.mark < half.mark:
                return None
            # An absence is newer than everything shown before, also where it carries no mark.
            mark = half.mark + 1 if obs.mark is None else max(half.mark, obs.mark)
            gone = replace(
                half,
                presence=Presence.GONE,
                key=half.key or obs.key or None,
                # While a write is in doubt, what it was about is kept for the answer.
                seen=last_seen(link, side) if link.in_flight else None,
                sent="",
                fingerprint="",
                mark=mark,
                reason=obs.absence.value,
            )
            taken = _kept_for_create(with_half(link, side, gone), link, side)
        case Unknown():
            taken = with_half(
                link,
                side,
                replace(
                    half,
                    presence=Presence.UNKNOWN,
                    key=half.key or obs.key,
                    # Heard of now, or anew: a copy of the mailbox may not know it for a while.
                    created=now if half.presence is Presence.GONE else half.created or now,
                    # (What was last understood stays: a later reading is compared with it.)
                    fingerprint="",
                    reason=obs.reason,
                ),
            )
            if obs.poison:
                return replace(taken, state=LinkState.PARKED, reason=obs.reason)
        case _:
            assert_never(obs)
    unread = half.presence is Presence.UNKNOWN and link.reason == half.reason
    if taken.state is LinkState.PARKED and unread and not isinstance(obs, Unknown):
        # It was parked because it could not be understood, and now it can.
        taken = replace(taken, state=LinkState.ACTIVE, reason="")
    return taken


#: For how long a copy of a mailbox may not know what another one took in.
LAG = timedelta(minutes=2)


def too_new_to_be_gone(half: Half, obs: Observation, now: datetime) -> bool:
    """True where an item made within ``LAG`` is said to be nowhere: a copy of the mailbox that
    lags behind answers so of what it does not know yet. The feed that tells of a removal does
    not err like this; it is not asked here."""
    return (
        isinstance(obs, Gone)
        and obs.absence is Absence.READ
        and half.created is not None
        and half.presence is not Presence.GONE
        and now - half.created < LAG
    )


def may_be_remade(
    twin: Link, side: Side, obs: Seen, *, heard: datetime | None, now: datetime
) -> bool:
    """True where ``obs``, of which no link knows, may be ``twin``'s own item under another key, and
    only a later reading can tell: a write of it is in doubt, or a copy of the mailbox that lags
    behind may still show the item that was deleted to make this one. ``heard``: when it was first
    met, by our own clock; the server's may be another."""
    half = twin.half(side)
    if twin.state is not LinkState.ACTIVE or half.uid != obs.uid or half.key in (None, obs.key):
        return False
    if half.presence is Presence.PRESENT:
        return heard is None or now - heard < LAG
    return twin.in_flight


def _with_seen(link: Link, side: Side, obs: Seen, now: datetime) -> Link:
    half = half_of(link, side, obs, now)
    if side is Side.BOOKING:
        kept = NOBODY if obs.occupancy.private else link.person
        person = obs.person if obs.person.address else kept
        if link.refusal is not None and not link.refusal.dates and half.since != link.booking.since:
            # Moved again since the refused move: nothing is left to be told of that one.
            link = replace(link, refusal=None)
        seats = obs.seats if link.origin is Side.BOOKING else link.seats
        return replace(link, booking=half, pending=obs.pending, person=person, seats=seats)
    mine = link.origin is Side.CALENDAR
    # Made private on this side: from now on nobody is named, whoever booked it.
    person = NOBODY if obs.occupancy.private else obs.person if mine else link.person
    seats = obs.seats if mine else link.seats
    organizer = obs.organizer or link.organizer
    return replace(link, event=half, person=person, seats=seats, organizer=organizer)


def _kept_for_create(link: Link, before: Link, side: Side) -> Link:
    """While a create is in flight, what it wants to make is kept beside what its source shows."""
    half, was = link.half(side.other), last_seen(before, side)
    waits = link.in_flight and half.presence is Presence.NEVER and half.seen is None
    if not waits or link.half(side).fingerprint == before.half(side).fingerprint:
        return link
    return with_half(link, side.other, replace(half, seen=was))


def _moved_claim(link: Link, before: Link, side: Side) -> Link:
    """People who move an item claim its new time on the side where they moved it."""
    if link.base is None or link.half(side).since == before.half(side).since:
        return link
    other, mine = shown(link, side.other), shown(link, side)
    if mine is None or (other is not None and covers(other, mine)):
        return link
    # Moved and moved back, it is the other side's move that stands.
    back = other is not None and covers(link.base, mine)
    return replace(link, claim=side.other if back else side)


_NOT_AGREED = frozenset({RoomAnswer.WAITING, RoomAnswer.DECLINED})
#: For how long an answer of the room that seems older than the time of its meeting is not believed.
#: A booking attendant takes seconds; when people moved it is known no better than by the last
#: change of anything in it.
ANSWERS_WITHIN = timedelta(minutes=10)
#: The least by which of two times one is the later.
_TICK = timedelta(microseconds=1)


def _is_of_before(answered: datetime, since: datetime, now: datetime) -> bool:
    """True where the room said it of the time that the meeting had before: whether a server forgets
    the answers when a meeting moves, no document says. (It may tell whole seconds only.)"""
    return answered < since.replace(microsecond=0) and now - since < ANSWERS_WITHIN


def claimed_anew(half: Half, obs: Seen, now: datetime) -> datetime:
    """Since when an item that was moved, or is back, claims the time at which ``obs`` shows it.
    ``half``: before that. It was later than what it had before: a clock may tell of both as of one
    moment (of one second, say). Taken for the same, the move counted as none, and the item as put
    there by calsync when it made it (seed 8987)."""
    at = obs.modified or now
    return at + _TICK if at in (half.since, half.created) else at


def moved_unheard(link: Link, side: Side, obs: Seen, made: Occupancy, now: datetime) -> Link:
    """``link``, with ``obs`` as its half on ``side``, which a write of ours made as ``made``: where
    people moved it before anybody heard of that, they claim its new time there."""
    if same_grid(made, obs.occupancy):
        return link
    half = link.half(side)
    half = replace(half, since=claimed_anew(half, obs, now))
    return replace(with_half(link, side, half), claim=side)


def half_of(link: Link, side: Side, obs: Seen, now: datetime) -> Half:
    """The half that ``obs`` gives, with ``since`` moved on where the time it claims changed."""
    half = link.half(side)
    before = last_seen(link, side)
    since = half.since
    if half.presence is Presence.GONE or (before is None and since is not None):
        # It was restored, and perhaps could not be read at first: since then it claims its time
        # again, not since it was made.
        since = claimed_anew(half, obs, now)
    elif before is None:
        since = obs.claimed or obs.created
    elif not covers(before, obs.occupancy):
        since = claimed_anew(half, obs, now)
    same = obs.fingerprint == link.base_fingerprint
    # The answer to a series stands where only a date of it changed: that date has its own.
    moved = half.presence is Presence.GONE or before is None or not same_grid(before, obs.occupancy)
    answer = obs.answer
    if (moved or half.answer is RoomAnswer.WAITING) and obs.answered is not None and since:
        answer = RoomAnswer.WAITING if _is_of_before(obs.answered, since, now) else answer
    known = half.presence is Presence.PRESENT and half.key == obs.key
    return Half(
        presence=Presence.PRESENT,
        key=obs.key,
        version=obs.version,
        mark=obs.mark,
        fingerprint=obs.fingerprint,
        seen=None if same else obs.occupancy,
        # Of what was made anew under this key, the first making counts (``remade``).
        created=half.created if known else obs.created,
        # (What people made in their own calendar is theirs, although it may be changed there.)
        owned=obs.owned and not (is_theirs(obs.key) and link.origin is Side.CALENDAR),
        uid=obs.uid,
        since=since,
        # A write is bound to the version it was decided on: it has missed every other. To what the
        # room has not said yes is remembered until then.
        sent=half.sent if obs.version == half.version or answer in _NOT_AGREED else "",
        answer=answer,
        copy=obs.copy or half.copy,
    )


def last_seen(link: Link, side: Side) -> Occupancy | None:
    """The newest state understood on ``side``, present now or not."""
    half = link.half(side)
    if half.presence is Presence.NEVER:
        return None
    if half.seen is not None:
        return half.seen
    return link.base if half.presence is not Presence.GONE else None
