"""Carrying out one effect: create, change, delete, decline; each ends in an Outcome.

Every change begins with a fresh read that is compared with the version the decision was made
on: whether Graph honours If-Match on PATCH is not documented, so it is sent and not relied on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, assert_never

from calsync.adapters.graph.box import MEETING_PROPERTY, TAG_PROPERTY, Box
from calsync.adapters.graph.errors import as_outcome, judge
from calsync.adapters.graph.events import (
    by_transaction,
    find_tag,
    keys_of,
    read_keys,
    read_raw,
    transaction_id,
    utc,
)
from calsync.adapters.graph.joint import joined, withdrawn
from calsync.adapters.graph.links import is_id
from calsync.adapters.graph.series import (
    bring,
    dates_of,
    etag,
    fetch,
    still_held,
    told_in,
    write_date,
)
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.shared.outcomes import CLOSED_S, NOT_SENT_S, guarded
from calsync.adapters.shared.theirs import (
    CLOSED,
    invitation,
    mark_of,
    may_be_shared,
    no_organizer,
    not_made_by_us,
    only_as_new,
)
from calsync.adapters.shared.words import refusal_text
from calsync.adapters.wrap.port import Answer
from calsync.errors import (
    BadAnswer,
    MappingError,
    SideError,
    Unavailable,
)
from calsync.mapping import zones
from calsync.mapping.event import bare, event_body, kept_subject, series_change
from calsync.mapping.fingerprint import fingerprint
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
)

_COMMENT_LIMIT = 2_000


def carry_out(box: Box, effect: Effect) -> Outcome:
    """One effect, whatever happens as an outcome. Never raises a SideError or MappingError."""
    return guarded(lambda: _carry_out(box, effect))


def _carry_out(box: Box, effect: Effect) -> Outcome:
    match effect.kind:
        case EffectKind.CREATE_EVENT:
            together = box.at and may_be_shared(effect.uid)
            outcome = joined(box, effect) if together else None
            return outcome or created(box, effect, box.post_event(create_body(box, effect)))
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


# --- create ----------------------------------------------------------------------------------


def create_body(box: Box, effect: Effect) -> dict[str, Any]:
    """The body of the POST; dates of a series follow it. Raises UnsayableRecurrence."""
    body = event_body(
        bare(_target(effect)), subject_fallback=box.subject_fallback, room_zone=box.pair.zone
    )
    body["transactionId"] = transaction_id(box, effect.tag, effect.key)
    body["singleValueExtendedProperties"] = [{"id": TAG_PROPERTY, "value": box.sealed(effect.tag)}]
    if box.at:
        del body["isReminderOn"]  # A meeting of theirs reminds them as any other.
        body |= invitation(box.pair.mailbox)
        if may_be_shared(effect.uid):
            value = box.sealed(mark_of(effect.uid))
            body["singleValueExtendedProperties"].append({"id": MEETING_PROPERTY, "value": value})
    return body


def created(box: Box, effect: Effect, answer: Answer) -> Outcome:
    """What the answer to a POST amounts to; adds the dates of a series to what it made."""
    if not answer.ok:
        verdict = judge(answer)
        if verdict.meaning is Meaning.DUPLICATE:
            return _adopt(box, effect, answer)
        if box.at and verdict.meaning in CLOSED:
            return no_organizer(f"{verdict.row.what} ({verdict.code or answer.status})")
        if verdict.meaning in (Meaning.GONE, Meaning.STALE):
            # There is no item yet that could be gone: it is the mailbox that is not shown to us.
            return Later(CLOSED_S, f"{verdict.row.what} ({verdict.code or answer.status})")
        return as_outcome(verdict)
    raw = answer.body or {}
    if raw.get("type") == "seriesMaster" and box.cloud.series_parts:
        # Nothing of it is changed or removed yet; the answer to a POST does not carry these two.
        raw = {**raw, "cancelledOccurrences": [], "exceptionOccurrences": []}
    seen = read_raw(box, _as_meant(raw, _target(effect)))
    if not isinstance(seen, Seen):
        return InDoubt("the answer to the create was not understood")
    if effect.key is None and (former := _made_before(box, effect, seen)) is not None:
        return former
    return _completed(box, effect, raw, replace(seen, tag=effect.tag))


def _made_before(box: Box, effect: Effect, seen: Seen) -> Outcome | None:
    """A second create under one transactionId may be answered with the event of the first (a live
    answer of 2026), as though it had just been made. So it is looked at before dates are added:
    what people changed since is not written over. None where it is new, or no dates follow."""
    target = _target(effect)
    if target.recurrence is None or target == bare(target):
        return None
    try:
        found = fetch(box, seen.key, zone=told_in(target))
    except SideError:
        found = None
    now = found[1] if found is not None else None
    if isinstance(now, Seen) and now.fingerprint == fingerprint(bare(target)):
        return None
    if now is None:
        return Done(replace(seen, tag=effect.tag), complete=False)
    if isinstance(now, Gone):
        return Done(now)
    ours = now.fingerprint == effect.fingerprint
    return Done(replace(now, tag=effect.tag), complete=ours, earlier=True)


def _as_meant(raw: dict[str, Any], target: Occupancy) -> dict[str, Any]:
    """The answer to a POST tells a series in UTC (Prefer is for reading, microsoft-graph-docs
    #116). Where those are the instants that were meant, the server reads the zone as we do, and
    the series need not be read again in its own zone."""
    if target.recurrence is None or target.zone is None:
        return raw
    for name, wall in (("start", target.start), ("end", target.end)):
        point = raw.get(name)
        if not isinstance(point, dict) or point.get("timeZone") != "UTC":
            return raw
        if utc(point.get("dateTime")) != zones.to_utc(wall, target.zone):
            return raw
    zone = told_in(target)
    return raw | {
        "start": {"dateTime": target.start.isoformat(), "timeZone": zone},
        "end": {"dateTime": target.end.isoformat(), "timeZone": zone},
    }


def _completed(box: Box, effect: Effect, raw: dict[str, Any], now: Seen) -> Outcome:
    target = _target(effect)
    if target.recurrence is None or target == bare(target):
        return Done(now)
    try:
        outcome = bring(box, now.key, target, raw, now)
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


def _adopt(box: Box, effect: Effect, answer: Answer) -> Outcome:
    """Graph says this create was done before: by an earlier try whose reply was lost.

    The member with the id is known from one live client only, so our tag, the transactionId
    and the time itself are looked at, too. An event that was made and is gone again was
    removed by a person: that is what is told.
    """
    error = (answer.body or {}).get("error")
    given = error.get("@event.existingEventId") if isinstance(error, dict) else None
    seen = read_keys(box, [given])[0] if is_id(given) else None
    if not isinstance(seen, Seen):
        seen = find_tag(box, effect.tag) or _by_time(box, effect) or seen
    match seen:
        case Seen():
            target = _target(effect)
            series = target.recurrence is not None
            found = fetch(box, seen.key, zone=told_in(target)) if series else None
            if found is not None and isinstance(found[1], Seen):
                if effect.key is not None:
                    return _completed(box, effect, found[0], found[1])
                # People may have changed it since: its dates are not written over what they did.
                seen = found[1]
            ours = seen.fingerprint == effect.fingerprint
            return Done(replace(seen, tag=effect.tag), complete=ours, earlier=True)
        case Gone():
            return Done(seen)
        case _:
            return InDoubt("Graph has this event already, but does not show it", made=True)


def _by_time(box: Box, effect: Effect) -> Seen | None:
    """The last resort: an event at the same time that carries our transactionId."""
    wanted = transaction_id(box, effect.tag, effect.key)
    keys = by_transaction(box, wanted) if effect.key is not None else []
    keys = keys or box.at_time_of(_target(effect), wanted)
    for seen in read_keys(box, keys) if keys else ():
        if isinstance(seen, Seen) and seen.owned:
            return seen
    return None


def _target(effect: Effect) -> Occupancy:
    if effect.target is None:
        raise MappingError("the effect has no target", todo="This is a defect: report it")
    return effect.target


# --- change and delete -------------------------------------------------------------------------


def _fresh(box: Box, effect: Effect) -> tuple[dict[str, Any], Seen] | Outcome:
    """The event, if it is still what the decision was made on."""
    key = effect.key
    if key is None:
        return Refused("the effect names no event", code="no-key")
    answer = box.get_event(key, zone=told_in(effect.target))
    if not answer.ok:
        verdict = judge(answer)
        if verdict.meaning is Meaning.GONE:
            if box.answers():
                return Stale(Gone(key=key, absence=Absence.READ))
            return Later(CLOSED_S, "neither the event nor its mailbox can be found")
        if verdict.meaning in (Meaning.PASSING, Meaning.THROTTLED):
            return Later(answer.retry_after or NOT_SENT_S, verdict.row.what)
        return as_outcome(verdict)
    raw = answer.body or {}
    now = read_raw(box, raw)
    match now:
        case Seen():
            if effect.version and now.version != effect.version:
                return Stale(now)
            return raw, now
        case Gone():
            return Stale(now)
        case _:
            return Later(NOT_SENT_S, now.reason)


def _change(box: Box, effect: Effect) -> Outcome:
    found = _read_first(box, effect)
    if not isinstance(found, tuple):
        return found
    raw, now = found
    if not now.owned:
        return Refused(
            "the room was invited to this meeting: only its organizer can change it",
            code="not-organizer",
        )
    target = _target(effect)
    change = series_change(
        now.occupancy, target, subject_fallback=box.subject_fallback, room_zone=box.pair.zone
    )
    if change.recreate and box.at:
        return only_as_new()
    if change.recreate:
        return _replace(box, effect, raw, now)
    if now.occupancy.recurrence is not None or target.recurrence is not None:
        return bring(box, now.key, target, raw, now)
    if not change.master:
        return Done(now)
    answer = box.patch(now.key, change.master, etag=etag(raw))
    if not answer.ok:
        return as_outcome(judge(answer))
    after = read_raw(box, answer.body or {})
    if not isinstance(after, Seen | Gone):
        return InDoubt("the answer to the change was not understood")
    return Done(replace(after, tag=now.tag) if isinstance(after, Seen) else after)


def _read_first(box: Box, effect: Effect) -> tuple[dict[str, Any], Seen] | Outcome:
    """As ``_fresh``; a failure of the reading itself is no doubt: nothing was written."""
    try:
        return _fresh(box, effect)
    except (Unavailable, BadAnswer) as error:
        return Later(NOT_SENT_S, error.what)


def _replace(box: Box, effect: Effect, raw: dict[str, Any], now: Seen) -> Outcome:
    """A series that Graph cannot bring to its target (a removed date does not come back): the
    new event is made first, then the old one removed. Interrupted between the two it is in
    doubt, and done again from the start: the create is recognised by its transactionId."""
    again = replace(effect, key=now.key)
    kept = kept_subject(raw.get("subject"), now.occupancy, _target(effect))
    outcome = created(box, again, box.post_event(create_body(box, again) | kept))
    if not isinstance(outcome, Done) or not isinstance(outcome.now, Seen):
        return outcome
    answer = box.delete(now.key, etag=etag(raw))
    if answer.ok:
        return outcome
    if judge(answer).meaning is Meaning.GONE:
        # Another connector, or Exchange itself, may have made it anew just now.
        rest = [_remove_same(box, key, now) for key in keys_of(box, [now.uid])]
        if all(rest):
            return outcome
    return InDoubt("the series was made anew, but its former event is still there")


def _remove_same(box: Box, key: str, was: Seen) -> bool:
    """Remove the item that bears the global id of ``was`` if it is nothing but that one, made anew:
    what differs is somebody's change, and not ours to remove. False where it may still be there."""
    answer = box.get_event(key, zone=told_in(was.occupancy))
    if not answer.ok:
        return False
    seen = read_raw(box, answer.body or {})
    if not (isinstance(seen, Seen) and seen.owned and seen.fingerprint == was.fingerprint):
        return True
    removed = box.delete(key, etag=etag(answer.body or {}))
    return removed.ok or judge(removed).meaning is Meaning.GONE


def _delete(box: Box, effect: Effect) -> Outcome:
    found = _read_first(box, effect)
    match found:
        case Stale(now=Gone() as gone):
            return Done(gone)
        case tuple():
            raw, now = found
            if box.at and now.tag is None:
                return not_made_by_us()
            if box.at and (left := withdrawn(box, now.key, raw)) is not None:
                return left
            return _removed(box, now.key, box.delete(now.key, etag=etag(raw)))
        case _:
            return found


def _removed(box: Box, key: str, answer: Answer) -> Outcome:
    if answer.ok:
        return Done(Gone(key=key, absence=Absence.REMOVED))
    verdict = judge(answer)
    if verdict.meaning is Meaning.GONE:
        if box.answers():
            return Done(Gone(key=key, absence=Absence.READ))
        return Later(CLOSED_S, "neither the event nor its mailbox can be found")
    return as_outcome(verdict)


# --- decline -----------------------------------------------------------------------------------


def _decline(box: Box, effect: Effect) -> Outcome:
    """Tell the organizer no: for the whole meeting, or for the refused dates of a series."""
    found = _read_first(box, effect)
    if isinstance(found, Stale) and isinstance(found.now, Gone):
        return Done(found.now)
    if not isinstance(found, tuple):
        return found
    raw, now = found
    refusal = effect.refusal
    dates = refusal.dates if refusal is not None else ()
    comment = refusal_text(refusal, box.pair.zone)[:_COMMENT_LIMIT] if refusal else ""
    if not dates or now.occupancy.recurrence is None:
        if now.owned:
            # Nobody to tell: the room itself is the organizer. Graph's refusal of a decline does
            # not say so by a code of its own.
            return _removed(box, now.key, box.delete(now.key, etag=etag(raw)))
        answer = box.decline(now.key, comment=comment, tell=True)
        return _declined(box, now.key, answer, ())
    return _decline_dates(box, raw, now, dates, comment)


def _decline_dates(
    box: Box, raw: dict[str, Any], now: Seen, dates: Sequence[datetime], comment: str
) -> Outcome:
    """One occurrence at a time; one message: only the first answer is sent to the organizer."""
    due = still_held(now, dates)
    found = dates_of(box, raw, now.occupancy, due)
    if not found:
        return Done(now)
    wrote = False
    for date in found.values():
        if now.owned:
            answer = write_date(box, date, box.delete)
        else:
            answer = box.decline(date.key, comment=comment, tell=not wrote)
        if not answer.ok and judge(answer).meaning is not Meaning.GONE:
            if wrote:
                return InDoubt("only some of the dates could be declined")
            return _not_declined(box, now.key, answer)
        wrote = True
    return _declined(box, now.key, Answer(status=202), dates)


def _declined(box: Box, key: str, answer: Answer, dates: Sequence[datetime]) -> Outcome:
    """202 only says that it will be done: the slot counts as free when it is seen free."""
    if not answer.ok and judge(answer).meaning is not Meaning.GONE:
        return _not_declined(box, key, answer)
    try:
        seen = read_keys(box, [key])[0]
    except SideError as error:
        return InDoubt(f"declined, but not seen free yet: {error.what}")
    match seen:
        case Gone():
            return Done(seen)
        case Seen() if dates and not still_held(seen, dates):
            return Done(seen)
        case Seen() if dates and len(still_held(seen, dates)) < len(dates):
            return Done(seen, complete=False)
        case _:
            return InDoubt("declined, but not seen free yet")


def _not_declined(box: Box, key: str, answer: Answer) -> Outcome:
    """A refused decline. One that the organizer would never hear of is for a person to decide:
    quietly taken from the room, the meeting would stay where it is in everybody's calendar."""
    verdict = judge(answer)
    if verdict.meaning is Meaning.INPUT and box.wants_no_answer(key):
        return Refused(
            "the organizer of this meeting asked for no answers, so Exchange sends no decline."
            " Tell the organizer, and delete the meeting from the room's calendar in Outlook",
            code="no-answers",
        )
    return as_outcome(verdict)
