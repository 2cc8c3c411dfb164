"""The table: what one link needs, given how each side stands against the base.

::

    booking \\ calendar   unchanged        created/updated        deleted           never
    unchanged            nothing          write booking          delete booking    create event
    created/updated      write event      equal: rebase, else    delete or edit    create event
                                          merge
    deleted              delete event     delete or edit         bury              bury
    never                create booking   create booking         bury              nothing

Any cell with *unknown*: nothing, with the reason. A meeting in a person's calendar counts when the
room has answered: until then what it says is not carried over (``_answered``). ``decide`` looks at
one link alone; clashes with other links are judged afterwards (``plan``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from calsync.conflicts.clash import shown
from calsync.conflicts.merge import merge, same_grid, same_schedule
from calsync.conflicts.policy import edit_winner
from calsync.model import (
    LIVES_ON,
    Absence,
    Change,
    Conflict,
    ConflictKind,
    EditPolicy,
    Link,
    Occupancy,
    Presence,
    Side,
)
from calsync.reconcile.classify import classify


class Verb(StrEnum):
    """What is to be done about one link."""

    NOTHING = "nothing"
    SKIP = "skip"
    REBASE = "rebase"
    BURY = "bury"
    PARK = "park"
    SET_APART = "set apart"
    CREATE_BOOKING = "create booking"
    CREATE_EVENT = "create event"
    WRITE_BOOKING = "write booking"
    WRITE_EVENT = "write event"
    WRITE_BOTH = "write both"
    DELETE_BOOKING = "delete booking"
    DELETE_EVENT = "delete event"
    REVIVE_BOOKING = "create booking again"
    REVIVE_EVENT = "create event again"
    DECLINE_DATES = "decline dates"
    REJECT_BOOKING = "reject booking"
    GIVE_BACK = "give the move up"


#: Verbs that put an item onto time it did not hold before (if its schedule differs).
FILLING = frozenset(
    {
        Verb.CREATE_BOOKING,
        Verb.CREATE_EVENT,
        Verb.WRITE_BOOKING,
        Verb.WRITE_EVENT,
        Verb.WRITE_BOTH,
        Verb.REVIVE_BOOKING,
        Verb.REVIVE_EVENT,
        Verb.GIVE_BACK,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """``target`` is the state both sides shall have; ``why`` is a sentence for the audit.
    ``parts``: one that the calendar holds in several items."""

    verb: Verb
    why: str
    target: Occupancy | None = None
    conflict: Conflict | None = None
    dates: tuple[datetime, ...] = ()
    parts: bool = False


def decide(link: Link, policy: EditPolicy) -> Decision:
    """The cell of the table for ``link``. Pure; the changes come from its halves."""
    if link.event.declined:
        return _declined(link)
    if link.event.waits and _follows(link):
        # What stands there is what we wrote, and no edit of anybody's: people want something else.
        return _write_event(link, shown(link, Side.BOOKING), shown(link, Side.CALENDAR))
    return held(link, _cell(link, policy))


def _follows(link: Link) -> bool:
    """True where a meeting in a person's calendar still says what calsync wrote, to which the room
    has not said yes, and the booking says something else by now."""
    booking, event = link.booking, link.event
    ours = event.fingerprint in event.sent.split()
    there = booking.presence is Presence.PRESENT
    return ours and there and booking.fingerprint != event.fingerprint


#: What is not done before the room has answered: to say that it is agreed, or to carry over to the
#: platform what the room may still refuse.
_NOT_YET = frozenset({Verb.NOTHING, Verb.REBASE, Verb.WRITE_BOOKING})
#: Why a meeting in a person's calendar is not agreed on yet.
WAITS = "waits for the room's answer"


def held(link: Link, decision: Decision) -> Decision:
    """``decision``, as far as it can be carried out before the room has answered."""
    if link.event.waits and decision.verb in _NOT_YET:
        return Decision(verb=Verb.SKIP, why=WAITS)
    return decision


_SAID_NO = "the room declined it"


def _declined(link: Link) -> Decision:
    """The room said no to a meeting in a person's calendar. What the platform asked for is given
    up there, too; what stood, or what its person moved in Outlook, stays theirs, without the room
    (``hindrance``)."""
    match classify(link, Side.BOOKING):
        case Change.UNKNOWN:
            return Decision(verb=Verb.SKIP, why=f"booking side unknown: {link.booking.reason}")
        case Change.NEVER:
            return Decision(verb=Verb.BURY, why=_SAID_NO)
        case Change.DELETED if link.hindrance or link.origin is Side.CALENDAR:
            return Decision(verb=Verb.BURY, why=_SAID_NO)
        case Change.DELETED:
            return Decision(verb=Verb.DELETE_EVENT, why=f"{_SAID_NO}: its meeting is given up")
        case Change.UPDATED if link.booking.fingerprint != link.event.fingerprint:
            # People changed the booking since: the room is asked again.
            return _write_event(link, shown(link, Side.BOOKING), shown(link, Side.CALENDAR))
        case Change.UPDATED if link.pending and _is_moved(link):
            return Decision(verb=Verb.GIVE_BACK, why=_SAID_NO, target=link.base)
        case Change.UNCHANGED if _follows(link) or _was_given_back(link):
            # Its booking is back where it was; now the meeting follows.
            why = "its move was refused by the room"
            return Decision(verb=Verb.WRITE_EVENT, why=why, target=link.base)
        case _ if link.origin is Side.CALENDAR:
            return Decision(verb=Verb.DELETE_BOOKING, why=_SAID_NO)
        case _:
            return Decision(verb=Verb.REJECT_BOOKING, why=_SAID_NO)


def _is_moved(link: Link) -> bool:
    """True where people moved the booking away from the time that was agreed on."""
    mine = shown(link, Side.BOOKING)
    return link.base is not None and mine is not None and not same_schedule(link.base, mine)


def _was_given_back(link: Link) -> bool:
    moved = classify(link, Side.CALENDAR) is Change.UPDATED
    return moved and link.pending and link.refusal is not None


def _cell(link: Link, policy: EditPolicy) -> Decision:
    booking, event = classify(link, Side.BOOKING), classify(link, Side.CALENDAR)
    mine, theirs = shown(link, Side.BOOKING), shown(link, Side.CALENDAR)
    match (booking, event):
        case (Change.UNKNOWN, _):
            return Decision(verb=Verb.SKIP, why=f"booking side unknown: {link.booking.reason}")
        case (_, Change.UNKNOWN):
            return Decision(verb=Verb.SKIP, why=f"calendar unknown: {link.event.reason}")

        case (Change.UNCHANGED, Change.UNCHANGED):
            return Decision(verb=Verb.NOTHING, why="both sides as agreed")
        case (Change.NEVER, Change.NEVER):
            return Decision(verb=Verb.NOTHING, why="on neither side")

        # One side moved on, the other stands as agreed: carry it over.
        case (Change.UNCHANGED, Change.CREATED | Change.UPDATED):
            return Decision(verb=Verb.WRITE_BOOKING, why="changed in the calendar", target=theirs)
        case (Change.CREATED | Change.UPDATED, Change.UNCHANGED):
            return _write_event(link, mine, theirs)
        case (Change.UNCHANGED, Change.DELETED):
            return Decision(
                verb=Verb.DELETE_BOOKING, why=f"gone from the calendar: {link.event.reason}"
            )
        case (Change.DELETED, Change.UNCHANGED):
            return Decision(
                verb=Verb.DELETE_EVENT,
                why=f"gone from the booking side: {link.booking.reason}",
            )

        # New on one side.
        case (Change.UNCHANGED | Change.CREATED | Change.UPDATED, Change.NEVER):
            return Decision(verb=Verb.CREATE_EVENT, why="new on the booking side", target=mine)
        case (Change.NEVER, Change.UNCHANGED | Change.CREATED | Change.UPDATED):
            return Decision(verb=Verb.CREATE_BOOKING, why="new in the calendar", target=theirs)

        # Both moved.
        case (Change.CREATED | Change.UPDATED, Change.CREATED | Change.UPDATED):
            assert mine is not None
            assert theirs is not None
            return _both_edited(link, mine, theirs, policy)
        case (Change.DELETED, Change.CREATED | Change.UPDATED):
            return _delete_or_edit(link, Side.BOOKING, theirs, policy)
        case (Change.CREATED | Change.UPDATED, Change.DELETED):
            return _delete_or_edit(link, Side.CALENDAR, mine, policy)

        # Gone, and nothing on the other side.
        case (Change.DELETED, Change.DELETED) if _cancelled_unheard(link):
            return _outgrown(link)
        case (Change.DELETED, Change.DELETED | Change.NEVER):
            return Decision(verb=Verb.BURY, why="gone on both sides")
        case (Change.NEVER, Change.DELETED):
            return Decision(verb=Verb.BURY, why="gone before it was carried over")
        case _:
            assert_never((booking, event))  # type: ignore[arg-type]  # mypy: no exhaustive tuples


_NOT_OURS = "the organiser owns it: only the organiser can change it, in Outlook"


def _write_event(link: Link, mine: Occupancy | None, theirs: Occupancy | None) -> Decision:
    """The booking side changed. An attendee's copy can be declined, never changed."""
    assert mine is not None
    if link.event.owned:
        return Decision(verb=Verb.WRITE_EVENT, why="changed on the booking side", target=mine)
    dates = dropped_dates(link.base, mine)
    if dates:
        return Decision(
            verb=Verb.DECLINE_DATES, why="dates given up on the booking side", dates=dates
        )
    if _may_be_told(link, mine):
        return Decision(verb=Verb.WRITE_EVENT, why="changed on the booking side", target=mine)
    return Decision(
        verb=Verb.WRITE_BOOKING,
        why=_NOT_OURS,
        target=theirs,
        conflict=_capability(link, mine),
    )


def _may_be_told(link: Link, mine: Occupancy) -> bool:
    """True where the meeting of an organizer, in that one's own calendar, may be brought to what
    the platform wants. A date that the room gives up is not to be cancelled for everybody; and what
    a private meeting is called is not known here, so it would be named anew."""
    base = link.base
    if not link.event.changeable or base is None or mine.private is not base.private:
        return False
    held, wanted = base.recurrence, mine.recurrence
    if held is None or wanted is None:
        return True
    return not set(wanted.excluded) - set(held.excluded)


def _capability(link: Link, lost: Occupancy) -> Conflict:
    """The record of an edit that cannot take effect."""
    return Conflict(
        kind=ConflictKind.EDIT,
        link_id=link.id,
        other_link_id=None,
        policy="capability",
        winner=Side.CALENDAR,
        reason=_NOT_OURS,
        lost=lost,
    )


def dropped_dates(base: Occupancy | None, now: Occupancy) -> tuple[datetime, ...]:
    """The recurrence-ids that ``now`` excludes beyond ``base``, if that is all that changed."""
    if base is None or base.recurrence is None or now.recurrence is None:
        return ()
    gone = set(now.recurrence.excluded) - set(base.recurrence.excluded)
    if set(base.recurrence.excluded) - set(now.recurrence.excluded):
        return ()
    kept = tuple(o for o in base.recurrence.overrides if o.recurrence_id not in gone)
    same = (
        base.recurrence.rule == now.recurrence.rule
        and kept == now.recurrence.overrides
        and (base.start, base.end, base.zone, base.all_day, base.busy)
        == (now.start, now.end, now.zone, now.all_day, now.busy)
        and (base.title, base.private) == (now.title, now.private)
    )
    return tuple(sorted(gone)) if same else ()


def _both_edited(link: Link, mine: Occupancy, theirs: Occupancy, policy: EditPolicy) -> Decision:
    if link.booking.fingerprint == link.event.fingerprint:
        return Decision(verb=Verb.REBASE, why="both sides made the same change", target=mine)
    if not link.event.owned and not _may_be_told(link, mine):
        return _organisers(link, mine, theirs)
    winner = edit_winner(policy, link.origin)
    merged = merge(link.base, mine, theirs, winner or link.origin)
    conflict = None
    if merged.conflicts:
        lost = mine if winner is Side.CALENDAR else theirs
        conflict = Conflict(
            kind=ConflictKind.EDIT,
            link_id=link.id,
            other_link_id=None,
            policy=policy.value,
            winner=winner,
            reason=f"both sides changed {', '.join(merged.conflicts)}",
            lost=lost,
            fields=merged.conflicts,
        )
        if winner is None:
            return Decision(verb=Verb.PARK, why=conflict.reason, conflict=conflict)
    target = merged.value
    if target == theirs:
        verb = Verb.WRITE_BOOKING
    elif target == mine:
        verb = Verb.WRITE_EVENT
    else:
        verb = Verb.WRITE_BOTH
    return Decision(verb=verb, why="edits of both sides merged", target=target, conflict=conflict)


def _organisers(link: Link, mine: Occupancy, theirs: Occupancy) -> Decision:
    """Both sides changed an attendee's copy: dates can be given up; all else is the organiser's,
    and what was wanted on the booking side is kept on record."""
    series = theirs.recurrence
    if series is not None and link.base is not None and same_grid(link.base, theirs):
        held = tuple(d for d in dropped_dates(link.base, mine) if d not in series.excluded)
        if held:
            return Decision(
                verb=Verb.DECLINE_DATES, why="dates given up on the booking side", dates=held
            )
    conflict = None
    if merge(link.base, mine, theirs, Side.BOOKING).value != theirs:
        conflict = _capability(link, mine)
    return Decision(verb=Verb.WRITE_BOOKING, why=_NOT_OURS, target=theirs, conflict=conflict)


def _cancelled_unheard(link: Link) -> bool:
    """True where people removed the item from the calendar while its booking was changed so that
    other items carry it now: it lives on in them."""
    ours = link.in_flight or link.attempts or link.event.reason == Absence.REMOVED.value
    return link.booking.reason == Absence.RESHAPED.value and not ours


def _outgrown(link: Link) -> Decision:
    conflict = Conflict(
        kind=ConflictKind.DELETE_EDIT,
        link_id=link.id,
        other_link_id=None,
        policy="capability",
        winner=Side.BOOKING,
        reason="deleted on the calendar side, changed on the other so that other items carry it",
    )
    return Decision(verb=Verb.BURY, why=conflict.reason, conflict=conflict)


def _delete_or_edit(
    link: Link, deleted_on: Side, edited: Occupancy | None, policy: EditPolicy
) -> Decision:
    """One side deleted what the other changed. By default the act on the origin side wins."""
    if is_superfluous(link, deleted_on.other):
        return superfluous(link, deleted_on, edited)
    winner = edit_winner(policy, link.origin)
    conflict = Conflict(
        kind=ConflictKind.DELETE_EDIT,
        link_id=link.id,
        other_link_id=None,
        policy=policy.value,
        winner=winner,
        reason=f"deleted on the {deleted_on.value} side, changed on the other",
        lost=edited,
    )
    if winner is None:
        return Decision(verb=Verb.PARK, why=conflict.reason, conflict=conflict)
    if winner is deleted_on:
        verb = Verb.DELETE_EVENT if deleted_on is Side.BOOKING else Verb.DELETE_BOOKING
        return Decision(verb=verb, why=conflict.reason, conflict=conflict)
    verb = Verb.REVIVE_BOOKING if deleted_on is Side.BOOKING else Verb.REVIVE_EVENT
    return Decision(verb=verb, why=conflict.reason, target=edited, conflict=conflict)


def is_superfluous(link: Link, there: Side) -> bool:
    """True where others stand for the booking of the item on the side ``there``. What an organizer
    made of a meeting is theirs all the same."""
    ours = there is Side.BOOKING or link.event.owned
    return ours and link.half(there.other).reason in LIVES_ON


def superfluous(link: Link, gone_from: Side, left: Occupancy | None) -> Decision:
    """What people made of an item in whose place others stand for the booking. No policy can let it
    win: made again, the booking would stand beside itself (seeds 7116, 9063). It ends on record."""
    why = f"{link.half(gone_from).reason}, and it was changed on the {gone_from.other.value} side"
    conflict = Conflict(
        kind=ConflictKind.DELETE_EDIT,
        link_id=link.id,
        other_link_id=None,
        policy="capability",
        winner=gone_from,
        reason=why,
        lost=left,
    )
    verb = Verb.DELETE_EVENT if gone_from is Side.BOOKING else Verb.DELETE_BOOKING
    return Decision(verb=verb, why=why, conflict=conflict)
