"""Meetings in people's calendars: the room as one who is invited, and what it answered.

The verdict of a room is the status of its entry among the attendees of the organizer's copy (Graph
resource attendee); that a POST was answered 201 says that this copy exists, no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from calsync.adapters.shared.meaning import Meaning
from calsync.errors import SideError
from calsync.mapping.event import organizer_of
from calsync.mapping.event_fields import instant_of, ticks
from calsync.model import (
    NO_ORGANIZER,
    Absence,
    Done,
    Effect,
    Gone,
    InDoubt,
    Later,
    Observation,
    Outcome,
    Refused,
    RoomAnswer,
    Seen,
    Stale,
    Unknown,
    their_id,
    their_key,
)

#: What the mailbox of a person can be that a room's cannot: not there, or not ours to write to.
CLOSED: Final = frozenset({Meaning.DENIED, Meaning.MAILBOX, Meaning.GONE})

_ANSWERS: Final = {"accepted": RoomAnswer.ACCEPTED, "declined": RoomAnswer.DECLINED}


def invitation(mailbox: str) -> dict[str, Any]:
    """What makes an event of a person a meeting that asks the room to come. Members beside those
    that every event of ours has, or in their place."""
    return {
        "attendees": [{"emailAddress": {"address": mailbox}, "type": "resource"}],
        "location": {
            "displayName": mailbox,
            "locationEmailAddress": mailbox,
            "locationType": "conferenceRoom",
        },
        "responseRequested": True,
    }


def answer_of(raw: Mapping[str, Any], mailbox: str) -> tuple[RoomAnswer, datetime | None] | None:
    """What the room said, and when; None where it is not invited (any more). It is known by the
    address that it is mapped by, which has to be its primary one: another room may be invited in
    its place, and would be taken for it."""
    invited = raw.get("attendees")
    rows = [one for one in invited if isinstance(one, dict)] if isinstance(invited, list) else []
    found = [one for one in rows if _address(one) == mailbox.casefold()]
    if not found:
        return None
    status = found[0].get("status")
    status = status if isinstance(status, dict) else {}
    said = status.get("response")
    at = ticks(status, "time") if isinstance(status.get("time"), str) else 0
    answer = _ANSWERS.get(said, RoomAnswer.WAITING) if isinstance(said, str) else RoomAnswer.WAITING
    return answer, instant_of(at) if at > 0 else None


def rooms_of(raw: Mapping[str, Any]) -> list[str]:
    """Addresses of the rooms that are asked to a meeting."""
    invited = raw.get("attendees")
    rows = [one for one in invited if isinstance(one, dict)] if isinstance(invited, list) else []
    return [_address(one) for one in rows if one.get("type") == "resource" and _address(one)]


def others_of(raw: Mapping[str, Any], mailbox: str) -> list[str]:
    """The rooms beside this one; none where this one is not named by this address."""
    rooms = rooms_of(raw)
    return [one for one in rooms if one != mailbox] if mailbox in rooms else []


#: How the uids end that bookings get from calsync, one for each.
_OF_ONE: Final = "@calsync"


def may_be_shared(uid: str) -> bool:
    """True where the platform named the uid, so that bookings of other rooms may have it, too."""
    return bool(uid) and not uid.endswith(_OF_ONE)


def mark_of(uid: str) -> str:
    """What stands on a meeting for the uid of its bookings."""
    return f"m{blake2b(uid.encode(), digest_size=12).hexdigest()}"


def _address(one: Mapping[str, Any]) -> str:
    mail = one.get("emailAddress")
    text = mail.get("address") if isinstance(mail, dict) else None
    return text.casefold() if isinstance(text, str) else ""


def dates_refused(rows: Sequence[Any], mailbox: str) -> list[Any]:
    """Exceptions of a series, with those to which the room said no as the removed dates that they
    are to the room."""
    return [
        {**one, "isCancelled": True}
        if isinstance(one, dict)
        and isinstance(one.get("attendees"), list)
        and (said := answer_of(one, mailbox)) is not None
        and said[0] is RoomAnswer.DECLINED
        else one
        for one in rows
    ]


def with_dates_refused(raw: Mapping[str, Any], mailbox: str) -> dict[str, Any]:
    """A master whose refused dates are removed ones."""
    exceptions = raw.get("exceptionOccurrences")
    if not isinstance(exceptions, list):
        return dict(raw)
    return {**raw, "exceptionOccurrences": dates_refused(exceptions, mailbox)}


def with_answer(raw: Mapping[str, Any], seen: Observation, mailbox: str) -> Observation:
    """The meeting with what the room said. Taken off the meeting, the room is free: to this room
    the meeting is gone."""
    if not isinstance(seen, Seen):
        return seen
    said = answer_of(raw, mailbox)
    if said is None:
        return Gone(key=seen.key, absence=Absence.UNINVITED, mark=seen.mark)
    return replace(seen, answer=said[0], answered=said[1], person=organizer_of(raw))


# --- at the edge: keys -------------------------------------------------------------------------


def observed(seen: Observation) -> Observation:
    """The observation under the key by which the engine knows it."""
    return replace(seen, key=their_key(seen.key))


def read_each(
    keys: Mapping[str, str], read: Callable[[str, list[str]], Sequence[Observation]]
) -> dict[str, Observation]:
    """Meetings by key, mailbox by mailbox, as ``read`` shows those of one mailbox by their ids. One
    that does not open takes nothing from the others."""
    found: dict[str, Observation] = {}
    for mailbox in sorted(set(keys.values())):
        mine = [key for key in keys if keys[key] == mailbox]
        try:
            shown = read(mailbox, [their_id(key) for key in mine])
            found |= {key: observed(seen) for key, seen in zip(mine, shown, strict=True)}
        except SideError as error:
            found |= {key: Unknown(key=key, reason=error.what) for key in mine}
    return found


def find_each(
    tags: Mapping[str, str], look: Callable[[str, str], Observation | None]
) -> dict[str, Observation]:
    """What ``look`` finds under each tag in its mailbox. Unknown, without a key, where the mailbox
    does not open."""
    found: dict[str, Observation] = {}
    for tag, mailbox in tags.items():
        try:
            seen = look(mailbox, tag)
        except SideError as error:
            seen = Unknown(key="", reason=error.what)
        if seen is not None:
            found[tag] = observed(seen) if seen.key else seen
    return found


def outcome_of(outcome: Outcome, mailbox: str) -> Outcome:
    """The outcome of a write, in the keys of the engine. Reasons are kept and shown: they do not
    say whose mailbox it is."""
    match outcome:
        case Later() | Refused() | InDoubt() if mailbox in outcome.reason:
            return replace(outcome, reason=outcome.reason.replace(mailbox, "a person's mailbox"))
        case Done(now=Seen() | Gone() as now):
            return replace(outcome, now=_keyed(now))
        case Stale(now=Seen() | Gone() as now):
            return Stale(_keyed(now))
        case _:
            return outcome


def _keyed(now: Seen | Gone) -> Seen | Gone:
    seen = observed(now)
    assert not isinstance(seen, Unknown)
    return seen


def organized(
    uids: Mapping[str, str], look: Callable[[str, str], list[Observation]]
) -> dict[str, Observation]:
    """Of these meetings (uid → mailbox) those that lie in the calendar of their organizer, under
    the keys of the engine. ``look``: what a mailbox has under a uid."""
    found: dict[str, Observation] = {}
    for uid, mailbox in uids.items():
        try:
            rows = look(mailbox, uid)
        except SideError:
            continue  # Of another company, or not ours to read: it stays what the room shows.
        mine = [one for one in rows if isinstance(one, Seen) and one.owned and one.uid == uid]
        if len(mine) == 1:
            found[uid] = replace(mine[0], key=their_key(mine[0].key), organizer=mailbox)
    return found


def is_held(effect: Effect, before: Iterable[tuple[Effect, Outcome]]) -> bool:
    """True where an effect is not begun because one before it is open: in the same calendar, or in
    the room's. One person's calendar holds up no other."""
    return any(
        isinstance(outcome, InDoubt | Later) and former.organizer in ("", effect.organizer)
        for former, outcome in before
    )


def only_as_new() -> Refused:
    """Made anew beside the old one, the room would be taken by that and say no."""
    return Refused(
        "a removed date of a series does not come back, and a series with changed dates does not"
        " move, in a person's calendar: cancel the booking and book it anew",
        code="series-of-a-person",
    )


def not_made_by_us() -> Refused:
    """Whatever the engine thinks: nobody's own meeting is deleted."""
    return Refused("its organizer made this meeting: it is not calsync's to delete", "theirs")


def no_organizer(what: str) -> Refused:
    """Nothing was made: the person's calendar is not there, or not ours to write to."""
    return Refused(
        "The booking could not be made as a meeting in the calendar of the person who booked:"
        f" {what}.",
        code=NO_ORGANIZER,
    )
