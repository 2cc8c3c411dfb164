"""One meeting for several rooms by EWS; see the Graph adapter's ``joint``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from calsync.adapters.ews.box import Box, verdicts
from calsync.adapters.ews.errors import as_outcome
from calsync.adapters.ews.reading import as_it_lies, fetch, read_found, read_keys
from calsync.adapters.ews.requests import rooms_invited
from calsync.adapters.ews.series import change_key
from calsync.adapters.shared.theirs import others_of, rooms_of
from calsync.conflicts.merge import same_grid
from calsync.errors import BadAnswer, Unavailable
from calsync.mapping.ews_item import as_event
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
    if meeting is None:
        return None
    key, item = meeting
    rooms = rooms_of(as_event(item))
    if box.pair.mailbox not in rooms:
        failed = _write(box, key, item, [*rooms, box.pair.mailbox])
        if failed is not None:
            late = Later(_AGAIN_S, "the meeting changed while the room was added to it")
            return late if isinstance(failed, Stale) else failed
    again = fetch(box, [key]).get(key)
    after = read_found(box, again) if again is not None and again.item is not None else None
    if not isinstance(after, Seen):
        return InDoubt("the room was added, but the meeting could not be read yet")
    return Done(replace(after, tag=effect.tag))


def _meeting(box: Box, effect: Effect) -> tuple[str, dict[str, Any]] | None:
    """The meeting of the sister bookings, at the time of this one."""
    target, keys = effect.target, box.of_bookings(effect.uid)
    for key, one in fetch(box, keys).items() if keys and target is not None else ():
        seen = as_it_lies(box, one) if one.item is not None else None
        if one.item is None or target is None or not isinstance(seen, Seen):
            continue
        if seen.owned and same_grid(target, seen.occupancy):
            return key, one.item
    return None


def found(box: Box, uid: str) -> Seen | None:
    """The meeting of these bookings, if the room is on it."""
    keys = box.of_bookings(uid)
    seen = [one for one in read_keys(box, keys) if isinstance(one, Seen)] if keys else []
    return seen[0] if len(seen) == 1 else None


def withdrawn(box: Box, key: str, item: Mapping[str, Any]) -> Outcome | None:
    """The room taken off a meeting to which others are asked, too; None where there are none."""
    others = others_of(as_event(item), box.pair.mailbox)
    if not others:
        return None
    failed = _write(box, key, item, others)
    return failed if failed is not None else Done(Gone(key=key, absence=Absence.UNINVITED))


def _write(box: Box, key: str, item: Mapping[str, Any], rooms: list[str]) -> Outcome | None:
    """None where it was done."""
    (verdict,) = verdicts(box.update(key, change_key(item), rooms_invited(rooms)), 1)
    return None if verdict is None else as_outcome(verdict)
