"""One meeting for several rooms: bookings that share a uid and a person are one meeting of hers.

The first of them makes it; the others add their room to it. Each room answers for itself, and one
that is given up is taken off: the meeting ends with its last room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from calsync.adapters.graph.box import Box
from calsync.adapters.graph.errors import as_outcome, judge
from calsync.adapters.graph.events import as_it_lies, pages, read_keys, read_raw
from calsync.adapters.graph.links import is_id
from calsync.adapters.graph.series import etag, told_in
from calsync.adapters.shared.theirs import others_of, rooms_of
from calsync.conflicts.merge import same_grid
from calsync.errors import AccessDenied, BadAnswer, MailboxMissing, Unavailable
from calsync.model import Absence, Done, Effect, Gone, InDoubt, Later, Outcome, Seen, Stale

#: Seconds until a meeting that changed while a room was added to it is tried again.
_AGAIN_S = 1.0


def joined(box: Box, effect: Effect) -> Outcome | None:
    """The room added to the meeting of its sister bookings; None where there is none yet at that
    time. A room that is on it already was added by an earlier try."""
    try:
        meeting = _meeting(box, effect)
    except (Unavailable, BadAnswer) as error:
        return Later(_AGAIN_S, error.what)
    except (AccessDenied, MailboxMissing):
        return None  # The answer to the create will say so.
    if meeting is None:
        return None
    key, raw = meeting
    if box.pair.mailbox not in rooms_of(raw):
        people = [*_listed(raw), _entry(box.pair.mailbox, "resource")]
        answer = box.patch(key, {"attendees": people}, etag=etag(raw))
        if not answer.ok:
            outcome = as_outcome(judge(answer))
            late = Later(_AGAIN_S, "the meeting changed while the room was added to it")
            return late if isinstance(outcome, Stale) else outcome
        raw = answer.body or {}
    after = read_raw(box, raw)
    if not isinstance(after, Seen):
        return InDoubt("the answer to adding the room was not understood")
    return Done(replace(after, tag=effect.tag))


def _meeting(box: Box, effect: Effect) -> tuple[str, dict[str, Any]] | None:
    """The meeting of the sister bookings, at the time of this one."""
    target = effect.target
    for key in _keys(box, effect.uid) if target is not None else ():
        answer = box.get_event(key, zone=told_in(target))
        raw = answer.body or {}
        seen = as_it_lies(box, raw) if answer.ok else None
        if target is None or not isinstance(seen, Seen):
            continue
        if seen.owned and same_grid(target, seen.occupancy):
            return key, raw
    return None


def found(box: Box, uid: str) -> Seen | None:
    """The meeting of these bookings, if the room is on it."""
    keys = _keys(box, uid)
    seen = [one for one in read_keys(box, keys) if isinstance(one, Seen)] if keys else []
    return seen[0] if len(seen) == 1 else None


def withdrawn(box: Box, key: str, raw: Mapping[str, Any]) -> Outcome | None:
    """The room taken off a meeting to which others are asked, too; None where there are none."""
    if not others_of(raw, box.pair.mailbox):
        return None
    people = [one for one in _listed(raw) if one["emailAddress"]["address"] != box.pair.mailbox]
    answer = box.patch(key, {"attendees": people}, etag=etag(raw))
    if not answer.ok:
        return as_outcome(judge(answer))
    return Done(Gone(key=key, absence=Absence.UNINVITED))


def _keys(box: Box, uid: str) -> list[str]:
    rows = pages(box, box.of_bookings(uid), operation="find")
    return [row["id"] for row in rows if is_id(row.get("id"))]


def _listed(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The attendees as a PATCH says them: it replaces the whole list."""
    rows: Sequence[Any] = raw.get("attendees") or ()
    found: list[dict[str, Any]] = []
    for row in rows:
        mail = row.get("emailAddress") if isinstance(row, dict) else None
        address = mail.get("address") if isinstance(mail, dict) else None
        if isinstance(address, str) and isinstance(row, dict):
            found.append(_entry(address.lower(), str(row.get("type") or "required")))
    return found


def _entry(address: str, kind: str) -> dict[str, Any]:
    return {"emailAddress": {"address": address}, "type": kind}
