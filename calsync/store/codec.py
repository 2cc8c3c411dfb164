"""Values to rows and back. No SQL and no database in here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from calsync.mapping.expand import extent
from calsync.mapping.fingerprint import dumps, loads
from calsync.model import (
    NOBODY,
    NONE_YET,
    Alternative,
    Half,
    Link,
    LinkState,
    Occupancy,
    Person,
    Presence,
    Refusal,
    RoomAnswer,
    Side,
    Tally,
)
from calsync.store import schema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)

_SIDES = {side.value: side for side in Side}
_PRESENCES = {presence.value: presence for presence in Presence}
_STATES = {state.value: state for state in LinkState}
_ROOM_ANSWERS = {answer.value: answer for answer in RoomAnswer}

Row = Sequence[Any]

#: What :func:`link_of` reads, in its order: the columns that say what a link is. The rest is
#: derived from them, to search by.
LINK_COLUMNS = ", ".join(
    column.name
    for column in schema.link.columns
    if column.name not in ("starts", "ends", "unsettled", "redacted", "stored_at")
)


# --- times -----------------------------------------------------------------------------------


#: A row of a later time than this from now was written by a clock that was wrong: whatever it
#: waits for, it has waited.
AHEAD: Final = timedelta(minutes=5)


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime."""
    return (at - _EPOCH) // _MICROSECOND


def instant(stored: int) -> datetime:
    """The aware UTC datetime of :func:`micros`."""
    return _EPOCH + timedelta(microseconds=stored)


def maybe_micros(at: datetime | None) -> int | None:
    return None if at is None else (at - _EPOCH) // _MICROSECOND


def maybe_instant(stored: int | None) -> datetime | None:
    return None if stored is None else _EPOCH + timedelta(microseconds=stored)


def seconds_down(at: datetime) -> int:
    """Whole seconds since 1970 UTC, rounded down (for starts)."""
    return micros(at) // 1_000_000


def seconds_up(at: datetime) -> int:
    """Whole seconds since 1970 UTC, rounded up (for ends)."""
    return -(-micros(at) // 1_000_000)


# --- links -----------------------------------------------------------------------------------


def link_row(link: Link, zone: str, at: int) -> tuple[object, ...]:
    """A row in the order of ``schema.link``. ``zone`` is the room's, which all-day items fill."""
    booking, event, base = link.booking, link.event, link.base
    base_json = None if base is None else dumps(base)
    starts, ends = link_extent(link, zone)
    return (
        link.id,
        link.pair_id,
        link.origin.value,
        *_half_row(booking, base, base_json),
        *_half_row(event, base, base_json),
        base_json,
        link.base_fingerprint,
        link.state.value,
        link.reason,
        link.revision,
        link.in_flight,
        link.attempts,
        link.pending,
        link.person.name,
        link.person.address,
        link.seats,
        None if link.claim is None else link.claim.value,
        refusal_json(link.refusal),
        None if link.passed is None else dumps(link.passed),
        link.passed_seats,
        link.writes.count,
        maybe_micros(link.writes.since),
        link.organizer,
        link.hindrance,
        event.answer.value,
        event.copy,
        link.slept,
        starts,
        ends,
        is_unsettled(link),
        False,
        at,
    )


def _half_row(half: Half, base: Occupancy | None, base_json: str | None) -> tuple[object, ...]:
    seen = half.seen
    return (
        half.presence.value,
        half.key,
        half.version,
        half.mark,
        half.fingerprint,
        None if seen is None else base_json if seen is base else dumps(seen),
        maybe_micros(half.created),
        half.owned,
        half.uid,
        half.reason,
        maybe_micros(half.since),
        half.sent,
    )


def link_extent(link: Link, zone: str) -> tuple[int | None, int | None]:
    """The seconds within which anything of the link can lie; (start, None) is without end,
    (None, None) where nothing says when."""
    return _extent((link.base, link.booking.seen, link.event.seen), zone)


def occupancy_ends(occupancy: Occupancy, zone: str) -> int | None:
    """The second after which nothing of it is left; None = endless."""
    return _extent((occupancy,), zone)[1]


def _extent(occupancies: tuple[Occupancy | None, ...], zone: str) -> tuple[int | None, int | None]:
    starts: int | None = None
    ends: int | None = None
    endless = False
    for occupancy in occupancies:
        if occupancy is None:
            continue
        start, end = _seconds(occupancy, zone)
        if starts is None or start < starts:
            starts = start
        if end is None:
            endless = True
        elif ends is None or end > ends:
            ends = end
    return starts, None if endless else ends


def _seconds(occupancy: Occupancy, zone: str) -> tuple[int, int | None]:
    if occupancy.recurrence is None and occupancy.zone == "UTC":
        # The usual case, once per event of an import: no zone to look up.
        start = (occupancy.start - _NAIVE_EPOCH) // _SECOND
        return start, -((_NAIVE_EPOCH - occupancy.end) // _SECOND)
    first, last = extent(occupancy, zone)
    return seconds_down(first), None if last is None else seconds_up(last)


def is_unsettled(link: Link) -> bool:
    """True where a decision, or its retry, is due although nothing new was observed: a half is
    not at the base, an outcome is open, a booking still waits for its confirmation, or the room has
    not said yes."""
    if link.state is not LinkState.ACTIVE:
        return False
    return (
        link.in_flight
        or link.pending
        or link.base is None
        or _differs(link.booking, link.base_fingerprint)
        or _differs(link.event, link.base_fingerprint)
        or link.event.waits
        or link.event.declined
    )


def _differs(half: Half, base_fingerprint: str) -> bool:
    return half.presence is not Presence.PRESENT or half.fingerprint != base_fingerprint


def link_of(row: Row) -> Link:
    """The link of a row with :data:`LINK_COLUMNS`."""
    # One unpacking: naming forty columns by index would be slower and harder to check.
    (
        id_, pair_id, origin,
        b_presence, b_key, b_version, b_mark, b_fingerprint, b_seen, b_created, b_owned, b_uid,
        b_reason, b_since, b_sent,
        e_presence, e_key, e_version, e_mark, e_fingerprint, e_seen, e_created, e_owned, e_uid,
        e_reason, e_since, e_sent,
        base_json, base_fingerprint, state, reason, revision, in_flight, attempts, pending,
        person_name, person_address, seats, claim, refusal, passed,
        passed_seats, writes, writes_since, organizer, hindrance, e_answer, e_copy,
        slept,
    ) = row  # fmt: skip
    base = None if base_json is None else loads(base_json)
    return Link(
        id=id_,
        pair_id=pair_id,
        origin=_SIDES[origin],
        booking=Half(
            presence=_PRESENCES[b_presence],
            key=b_key,
            version=b_version,
            mark=b_mark,
            fingerprint=b_fingerprint,
            # The text of the base is not decoded a second time.
            seen=None if b_seen is None else base if b_seen == base_json else loads(b_seen),
            created=maybe_instant(b_created),
            owned=bool(b_owned),
            uid=b_uid,
            reason=b_reason,
            since=maybe_instant(b_since),
            sent=b_sent,
        ),
        event=Half(
            presence=_PRESENCES[e_presence],
            key=e_key,
            version=e_version,
            mark=e_mark,
            fingerprint=e_fingerprint,
            seen=None if e_seen is None else base if e_seen == base_json else loads(e_seen),
            created=maybe_instant(e_created),
            owned=bool(e_owned),
            uid=e_uid,
            reason=e_reason,
            since=maybe_instant(e_since),
            sent=e_sent,
            answer=_ROOM_ANSWERS[e_answer],
            copy=e_copy,
        ),
        base=base,
        base_fingerprint=base_fingerprint,
        state=_STATES[state],
        reason=reason,
        revision=revision,
        in_flight=bool(in_flight),
        attempts=attempts,
        pending=bool(pending),
        person=Person(person_name, person_address) if person_name or person_address else NOBODY,
        seats=seats,
        claim=None if claim is None else _SIDES[claim],
        refusal=refusal_of(refusal),
        passed=None if passed is None else loads(passed),
        passed_seats=passed_seats,
        writes=Tally(writes, instant(writes_since)) if writes_since is not None else NONE_YET,
        organizer=organizer,
        hindrance=hindrance,
        slept=bool(slept),
    )


# --- small JSON ------------------------------------------------------------------------------


def compact(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """JSON in one line; what JSON cannot say is written as text, so that a log entry never
    fails a commit."""
    return json.dumps(value, separators=(",", ":"), default=str)


def refusal_json(refusal: Refusal | None) -> str | None:
    if refusal is None:
        return None
    return compact(
        {
            "reason": refusal.reason,
            "code": refusal.code,
            "dates": [date.isoformat() for date in refusal.dates],
            "conflicts": [[a.isoformat(), b.isoformat()] for a, b in refusal.conflicts],
            "alternatives": [[a.room_id, a.name, a.capacity] for a in refusal.alternatives],
            "times": [[a.isoformat(), b.isoformat()] for a, b in refusal.times],
        }
    )


def refusal_of(stored: str | None) -> Refusal | None:
    if stored is None:
        return None
    value = json.loads(stored)
    when = datetime.fromisoformat
    return Refusal(
        reason=value["reason"],
        code=value["code"],
        dates=tuple(when(date) for date in value["dates"]),
        conflicts=tuple((when(a), when(b)) for a, b in value["conflicts"]),
        alternatives=tuple(
            Alternative(room_id=room_id, name=name, capacity=capacity)
            for room_id, name, capacity in value["alternatives"]
        ),
        times=tuple((when(a), when(b)) for a, b in value.get("times", ())),
    )
