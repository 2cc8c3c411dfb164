"""Carrying out effects: create, change, delete, decline; each ends in an Outcome.

EWS has no key that makes a create harmless when it is sent twice: every create is looked for by our
tag before it is sent, and whatever may have been executed ends in doubt, to be looked up again.
Every change begins with a fresh read, and is refused by the server itself if the item moved on
since (NeverOverwrite); deletions and declines know no such precondition, which leaves a short race.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, assert_never

from calsync.adapters.ews.box import Box, verdicts
from calsync.adapters.ews.errors import Verdict, as_outcome, wait_of
from calsync.adapters.ews.joint import joined, withdrawn
from calsync.adapters.ews.reading import UNREADABLE, Found, fetch, read_found, read_keys
from calsync.adapters.ews.requests import calendar_item, room_invited
from calsync.adapters.ews.series import (
    bring,
    change_key,
    change_of,
    occurrence_ids,
    renewed,
    still_held,
)
from calsync.adapters.ews.xml import Element, items_of, read_item
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.shared.outcomes import CLOSED_S, NOT_SENT_S, guarded
from calsync.adapters.shared.theirs import (
    CLOSED,
    mark_of,
    may_be_shared,
    no_organizer,
    not_made_by_us,
    only_as_new,
)
from calsync.adapters.shared.words import refusal_text
from calsync.adapters.wrap.port import Answer
from calsync.errors import (
    AccessDenied,
    BadAnswer,
    MailboxMissing,
    MappingError,
    SideError,
    Unavailable,
)
from calsync.mapping.event import bare, event_body, kept_subject
from calsync.mapping.ews_item import fields_of
from calsync.model import (
    Absence,
    Done,
    Effect,
    EffectKind,
    Gone,
    InDoubt,
    Later,
    Occupancy,
    Outcome,
    Refused,
    Seen,
    Stale,
    former_mark,
)

_COMMENT_LIMIT = 2_000
#: There is no meeting yet that a room could be added to.
_NOT_JOINED = Later(0.0, "no meeting to join")


def carry_out(box: Box, effect: Effect) -> Outcome:
    """One effect that is no create, whatever happens as an outcome. Never raises a SideError or
    MappingError."""
    return guarded(lambda: _carry_out(box, effect))


def _carry_out(box: Box, effect: Effect) -> Outcome:
    match effect.kind:
        case EffectKind.CREATE_EVENT:
            return create_all(box, [effect])[0]
        case EffectKind.CHANGE_EVENT:
            return _change(box, effect)
        case EffectKind.DELETE_EVENT:
            return _delete(box, effect)
        case EffectKind.DECLINE_EVENT:
            return _decline(box, effect)
        case (
            EffectKind.CREATE_BOOKING
            | EffectKind.CHANGE_BOOKING
            | EffectKind.DELETE_BOOKING
            | EffectKind.CONFIRM_BOOKING
            | EffectKind.REJECT_BOOKING
        ):
            return Refused(f"{effect.kind.value} is not for the calendar side", code="wrong-side")
        case _:
            assert_never(effect.kind)


def _target(effect: Effect) -> Occupancy:
    if effect.target is None:
        raise MappingError("the effect has no target", todo="This is a defect: report it")
    return effect.target


# --- create ----------------------------------------------------------------------------------


def create_all(
    box: Box, effects: Sequence[Effect], kept: Mapping[str, str] | None = None
) -> list[Outcome]:
    """Creates in one request, each with its own outcome: all of it is begun at once. ``kept``: see
    ``guarded_item``."""
    outcomes: dict[int, Outcome] = {}
    items: dict[int, Element] = {}
    for index, effect in enumerate(effects):
        made = guarded_item(box, effect, kept or {})
        if isinstance(made, Refused):
            outcomes[index] = made
        else:
            items[index] = made
    whole: Outcome = Later(0.0)
    if items:
        whole = guarded(lambda: _create(box, effects, items, outcomes))
    return [outcomes.get(index, whole) for index in range(len(effects))]


def guarded_item(box: Box, effect: Effect, kept: Mapping[str, str]) -> Element | Refused:
    """The item to send; dates of a series follow it. ``kept``: what it has from a former one in
    whose place it stands."""
    try:
        body = event_body(
            bare(_target(effect)), subject_fallback=box.subject_fallback, room_zone=box.pair.zone
        )
        fields = fields_of({**body, **kept})
    except MappingError as error:
        return Refused(str(error), code="unsayable")
    if box.at:
        fields = {name: value for name, value in fields.items() if name != "ReminderIsSet"}
        fields |= room_invited(box.pair.mailbox)
    replaces = _replaced(effect)
    return calendar_item(
        fields,
        tag=box.sealed(effect.tag),
        replaces=replaces,
        meeting=box.sealed(mark_of(effect.uid)) if box.at and may_be_shared(effect.uid) else "",
        uid=box.uid_of(effect.tag, replaces),
        by=uuid.uuid4().hex,
    )


def _replaced(effect: Effect) -> str:
    """What tells a second creation of one link from the first: the mark of the former key."""
    return "" if effect.key is None else former_mark(effect.key)


def _create(
    box: Box,
    effects: Sequence[Effect],
    items: Mapping[int, Element],
    outcomes: dict[int, Outcome],
) -> Outcome:
    """Fills ``outcomes``; what is given back is that of whatever it does not tell of."""
    try:
        there = _made_before(box, [effects[index] for index in items])
    except (Unavailable, BadAnswer) as error:
        return Later(NOT_SENT_S, error.what)
    except (AccessDenied, MailboxMissing) as error:
        if box.at:
            return no_organizer(error.what)
        raise
    for index in items:
        if (found := there.get(effects[index].id)) is not None:
            outcomes[index] = guarded(partial(_adopted, box, effects[index], *found))
    for index in items if box.at else ():
        if index not in outcomes and may_be_shared(effects[index].uid):
            together = guarded(partial(_joined, box, effects[index]))
            if together is not _NOT_JOINED:
                outcomes[index] = together
    due = [index for index in items if index not in outcomes]
    if not due:
        return Later(0.0)
    answer = box.create([items[index] for index in due])
    made: dict[int, str] = {}
    keys: dict[int, str] = {}
    said = _created_ids(answer)
    for index, verdict, ids in zip(due, verdicts(answer, len(due)), said, strict=False):
        if verdict is not None:
            outcomes[index] = _not_created(box, verdict)
        else:
            keys[index], made[index] = ids
    try:
        _look_at(box, effects, keys, made, outcomes)
    except SideError as error:
        # Whatever keeps it from being read just now (a busy server, say): it was made.
        return InDoubt(f"it was made, but could not be read yet: {error.what}")
    return InDoubt("it was made, but could not be read yet")


def _joined(box: Box, effect: Effect) -> Outcome:
    return joined(box, effect) or _NOT_JOINED


def _not_created(box: Box, verdict: Verdict) -> Outcome:
    if verdict.code == "ErrorBatchProcessingStopped":
        return Later(0.0, "one before it stopped the request")
    if box.at and verdict.meaning in CLOSED:
        return no_organizer(verdict.what)
    if verdict.meaning in (Meaning.GONE, Meaning.STALE):
        # There is no item yet that could be gone: it is the calendar that is not shown to us.
        return Later(CLOSED_S, verdict.what)
    return as_outcome(verdict)


def _created_ids(answer: Answer) -> list[tuple[str, str]]:
    """ItemId and ChangeKey that each message of a create tells."""
    found = []
    for message in (answer.body or {}).get("messages", ()):
        ids = [read_item(one).get("ItemId") or {} for one in items_of(message)]
        first = ids[0] if ids else {}
        found.append((str(first.get("Id", "")), str(first.get("ChangeKey", ""))))
    return found or [("", "")] * 1_000


def _look_at(
    box: Box,
    effects: Sequence[Effect],
    keys: Mapping[int, str],
    made: Mapping[int, str],
    outcomes: dict[int, Outcome],
) -> None:
    """What was made, as the server shows it now."""
    found = fetch(box, [key for key in keys.values() if key]) if keys else {}
    for index, key in keys.items():
        one = found.get(key)
        if one is None or one.item is None:
            continue
        seen = read_found(box, one)
        if isinstance(seen, Seen):
            effect, item = effects[index], one.item
            # Somebody may have changed it between the two calls: that is theirs.
            ours = change_key(item) == made[index]
            outcomes[index] = guarded(partial(_completed, box, effect, item, seen, ours=ours))


def _made_before(box: Box, effects: Sequence[Effect]) -> dict[str, tuple[dict[str, Any], Seen]]:
    """Items that an earlier try made, by the id of the effect. Our tag goes along with a copy made
    in Outlook: of several the one with our uid is ours, else the oldest."""
    listed = box.tagged([effect.tag for effect in effects])
    keys = [key for found in listed.values() for key in found]
    items = fetch(box, keys) if keys else {}
    made: dict[str, tuple[dict[str, Any], Seen]] = {}
    for effect in effects:
        mine = [_seen(box, items.get(key)) for key in listed.get(effect.tag, ())]
        ours = [
            one
            for one in mine
            if one is not None and one[1].owned and one[1].replaces == _replaced(effect)
        ]
        if ours:
            made[effect.id] = min(
                ours, key=lambda one: (one[1].tag is None, one[1].created, one[1].key)
            )
    return made


def _seen(box: Box, found: Found | None) -> tuple[dict[str, Any], Seen] | None:
    if found is None or found.item is None:
        return None
    seen = read_found(box, found)
    return (found.item, seen) if isinstance(seen, Seen) else None


def _adopted(box: Box, effect: Effect, item: dict[str, Any], now: Seen) -> Outcome:
    """What an earlier try made."""
    if effect.key is not None:
        return _completed(box, effect, item, now)
    # People may have changed it since: its dates are not written over what they did.
    ours = now.fingerprint == effect.fingerprint
    return Done(replace(now, tag=effect.tag), complete=ours, earlier=True)


def _completed(
    box: Box, effect: Effect, item: dict[str, Any], now: Seen, *, ours: bool = True
) -> Outcome:
    target = _target(effect)
    now = replace(now, tag=effect.tag)
    if not ours or target.recurrence is None or target == bare(target):
        return Done(now, complete=ours)
    try:
        outcome = bring(box, now.key, target, item, now)
    except SideError:
        return Done(now, complete=False)
    match outcome:
        case Done(now=Seen() as seen):
            return Done(replace(seen, tag=effect.tag), complete=outcome.complete)
        case Done():
            return outcome
        case _:
            # The master stands; why a date was refused is found again, and told, by the change.
            return Done(now, complete=False)


# --- change and delete -----------------------------------------------------------------------


def _fresh(box: Box, effect: Effect) -> tuple[dict[str, Any], Seen] | Outcome:
    """The event, if it is still what the decision was made on. A failure of the reading itself is
    no doubt: nothing was written."""
    key = effect.key
    if key is None:
        return Refused("the effect names no event", code="no-key")
    try:
        found = fetch(box, [key]).get(key)
        if found is None:
            return Refused("the effect names what can be no id of Exchange", code="no-key")
        if found.item is None:
            return _unread(box, key, found.verdict)
        now = read_found(box, found)
    except (Unavailable, BadAnswer) as error:
        return Later(NOT_SENT_S, error.what)
    match now:
        case Seen():
            if effect.version and now.version != effect.version:
                return Stale(now)
            return found.item, now
        case Gone():
            return Stale(now)
        case _:
            return Later(NOT_SENT_S, now.reason)


def _unread(box: Box, key: str, verdict: Verdict | None) -> Outcome:
    assert verdict is not None
    if verdict.meaning is Meaning.GONE:
        if box.answers():
            return Stale(Gone(key=key, absence=Absence.READ))
        return Later(CLOSED_S, "neither the event nor its calendar can be found")
    outcome = as_outcome(verdict)
    if isinstance(outcome, InDoubt) or verdict is UNREADABLE:
        return Later(max(wait_of(verdict), NOT_SENT_S), verdict.what)
    return outcome


def _change(box: Box, effect: Effect) -> Outcome:
    found = _fresh(box, effect)
    if not isinstance(found, tuple):
        return found
    item, now = found
    if not now.owned:
        return Refused(
            "the room was invited to this meeting: only its organizer can change it",
            code="not-organizer",
        )
    target = _target(effect)
    change = change_of(box, now.occupancy, target)
    if change.recreate and box.at:
        return only_as_new()
    if change.recreate:
        return _replace(box, effect, item, now)
    if now.occupancy.recurrence is not None or target.recurrence is not None:
        return bring(box, now.key, target, item, now)
    if not change.master:
        return Done(now)
    answer = box.update(now.key, change_key(item), fields_of(change.master))
    (verdict,) = verdicts(answer, 1)
    if verdict is not None:
        return as_outcome(verdict)
    try:
        after = _seen(box, fetch(box, [now.key]).get(now.key))
    except SideError as error:
        return InDoubt(f"it was changed, but could not be read since: {error.what}")
    if after is None or after[1].mark <= now.mark:
        # A copy of the mailbox that does not know the change yet may answer.
        return InDoubt("it was changed, but is not seen changed yet")
    # Somebody may have changed it again between the two calls: that is theirs.
    return Done(replace(after[1], tag=now.tag), complete=change_key(after[0]) == renewed(answer))


def _replace(box: Box, effect: Effect, item: dict[str, Any], now: Seen) -> Outcome:
    """A series that Exchange cannot bring to its target (a removed date does not come back): the
    new event is made first, then the old one removed. Interrupted between the two it is in doubt,
    and done again from the start: the create is recognised by its tag and by what it replaces."""
    kept = kept_subject(item.get("Subject"), now.occupancy, _target(effect))
    (outcome,) = create_all(box, [replace(effect, key=now.key)], kept)
    if not isinstance(outcome, Done) or not isinstance(outcome.now, Seen):
        return outcome
    (verdict,) = verdicts(box.delete([now.key], change_key(item)), 1)
    if verdict is None:
        return outcome
    if verdict.meaning is Meaning.GONE:
        # Another connector, or Exchange itself, may have made it anew just now.
        same = fetch(box, box.of_meetings([now.uid])).values()
        if all(_remove_same(box, found, now) for found in same):
            return outcome
    return InDoubt("the series was made anew, but its former event is still there")


def _remove_same(box: Box, found: Found, was: Seen) -> bool:
    """Remove the item that bears the global id of ``was`` if it is nothing but that one, made anew:
    what differs is somebody's change, and not ours to remove. False where it may still be there."""
    there = _seen(box, found)
    if there is None:
        return found.item is not None
    if not there[1].owned or there[1].fingerprint != was.fingerprint:
        return True
    (verdict,) = verdicts(box.delete([there[1].key], change_key(there[0])), 1)
    return verdict is None or verdict.meaning is Meaning.GONE


def _delete(box: Box, effect: Effect) -> Outcome:
    found = _fresh(box, effect)
    match found:
        case Stale(now=Gone() as gone):
            return Done(gone)
        case tuple() if box.at and found[1].tag is None:
            return not_made_by_us()
        case tuple():
            item, now = found
            left = withdrawn(box, now.key, item) if box.at else None
            return left or _removed_as_read(box, item, now)
        case _:
            return found


def _removed_as_read(box: Box, item: dict[str, Any], now: Seen) -> Outcome:
    """DeleteItem asks for no version. An item of our own is touched under the version that was
    read: the server refuses that where a person changed it since, however old the answer was that
    we read. Between the two requests the race is open."""
    if not now.owned:
        return _removed(box, now.key, change_key(item))
    answer = box.touch(now.key, change_key(item))
    (verdict,) = verdicts(answer, 1)
    if verdict is not None and verdict.meaning is not Meaning.GONE:
        return as_outcome(verdict)
    return _removed(box, now.key, renewed(answer))


def _removed(box: Box, key: str, version: str) -> Outcome:
    (verdict,) = verdicts(box.delete([key], version), 1)
    if verdict is None:
        return Done(Gone(key=key, absence=Absence.REMOVED))
    if verdict.meaning is Meaning.GONE:
        if box.answers():
            return Done(Gone(key=key, absence=Absence.READ))
        return Later(CLOSED_S, "neither the event nor its calendar can be found")
    return as_outcome(verdict)


# --- decline ---------------------------------------------------------------------------------


def _decline(box: Box, effect: Effect) -> Outcome:
    """Tell the organizer no: for the whole meeting, or for the refused dates of a series."""
    found = _fresh(box, effect)
    if isinstance(found, Stale) and isinstance(found.now, Gone):
        return Done(found.now)
    if not isinstance(found, tuple):
        return found
    item, now = found
    refusal = effect.refusal
    slots = refusal.dates if refusal is not None else ()
    comment = refusal_text(refusal, box.pair.zone)[:_COMMENT_LIMIT] if refusal else ""
    if slots and now.occupancy.recurrence is not None:
        return _decline_dates(box, item, now, slots, comment)
    (verdict,) = verdicts(box.decline(now.key, change_key(item), comment=comment, tell=True), 1)
    if verdict is not None and verdict.meaning is Meaning.ORGANIZER:
        # Nobody to tell: the room itself is the organizer.
        return _removed(box, now.key, change_key(item))
    if verdict is not None and verdict.meaning is not Meaning.GONE:
        return as_outcome(verdict)
    return _declined(box, now.key, ())


def _decline_dates(
    box: Box, item: dict[str, Any], now: Seen, slots: Sequence[datetime], comment: str
) -> Outcome:
    """One message for all dates: the first answer is sent to the organizer, the others are kept in
    the room's own copy alone. A date that were only deleted there would come back with the next
    change of the series, and be declined once more."""
    due = still_held(now, slots)
    ids = occurrence_ids(box, item, now.occupancy, due)
    first = next((slot for slot in due if slot in ids), None)
    if first is None:
        return Done(now)
    key, version = ids[first]
    (verdict,) = verdicts(box.decline(key, version, comment=comment, tell=True), 1)
    if verdict is not None and verdict.meaning is Meaning.ORGANIZER:
        (verdict,) = verdicts(box.delete([key]), 1)
    if verdict is not None and verdict.meaning is not Meaning.GONE:
        return as_outcome(verdict)
    for slot in (slot for slot in due if slot in ids and slot != first):
        # Every answer changes the series, and with it the ChangeKey of all its dates.
        again = occurrence_ids(box, item, now.occupancy, [slot]).get(slot)
        if again is None:
            continue
        (verdict,) = verdicts(box.decline(*again, comment="", tell=False), 1)
        if verdict is not None and verdict.meaning is Meaning.ORGANIZER:
            (verdict,) = verdicts(box.delete([again[0]]), 1)
        if verdict is not None and verdict.meaning is not Meaning.GONE:
            return InDoubt("only some of the dates could be declined")
    return _declined(box, now.key, slots)


def _declined(box: Box, key: str, slots: Sequence[datetime]) -> Outcome:
    """The slot counts as free when it is seen free."""
    try:
        seen = read_keys(box, [key])[0]
    except SideError as error:
        return InDoubt(f"declined, but not seen free yet: {error.what}")
    match seen:
        case Gone():
            return Done(seen)
        case Seen() if slots and not still_held(seen, slots):
            return Done(seen)
        case Seen() if slots and len(still_held(seen, slots)) < len(slots):
            return Done(seen, complete=False)
        case _:
            return InDoubt("declined, but not seen free yet")
