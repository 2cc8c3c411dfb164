"""Bookings of a remote platform: its documents read into observations, and ours written.

A key is the booking's id, with ``#suffix`` for a part, as for the hub (``adapters.hub.view``): what
a calendar cannot hold as one item is shown in the parts by which it can. The version of a whole
booking is its revision, which is its ETag; that of a part is the part's fingerprint, so that a
change of one leaves the others as they were.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

from calsync.adapters.hub.shape import parts_of, span_of, without_titles
from calsync.adapters.hub.view import part_key
from calsync.errors import BadAnswer, MappingError
from calsync.mapping.booking import (
    content_to_json,
    format_utc,
    is_name,
    person_to_json,
    refusal_to_json,
)
from calsync.mapping.booking import read_content as read_members
from calsync.mapping.booking_form import Form
from calsync.mapping.fingerprint import fingerprint
from calsync.mapping.split import goes_on, why_unsayable
from calsync.mapping.text import clean_title
from calsync.model import (
    NOBODY,
    Absence,
    Effect,
    Gone,
    Interval,
    Observation,
    Occupancy,
    Pair,
    Person,
    Refusal,
    Seen,
    Unknown,
    Whole,
)

_ADDRESS: Final = re.compile(r"[^@\s<>\"\x00-\x1f]+@[^@\s<>\"\x00-\x1f]+")
#: Members that say when a booking is. They belong together, so a change of one names all three:
#: the platform may show the same time in another zone than the one that was read.
_WHEN: Final = ("start", "timeZone", "duration")
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A booking as the platform has it. ``parts``: the items by which a calendar can hold it, by
    suffix; ``""`` alone is all of it; none where it does not live."""

    id: str
    revision: int
    mark: int
    status: str
    content: Occupancy
    created: datetime
    modified: datetime
    parts: Mapping[str, Occupancy] = field(default_factory=dict)
    uid: str = ""
    external_id: str | None = None
    person: Person = NOBODY
    seats: int | None = None
    claimed: datetime | None = None

    @property
    def live(self) -> bool:
        return self.status in ("pending", "confirmed")

    @property
    def etag(self) -> str:
        return f'"{self.revision}"'

    @property
    def split(self) -> bool:
        return self.live and tuple(self.parts) != ("",)


@dataclass(frozen=True, slots=True)
class Unread:
    """A booking that cannot be understood, and why."""

    id: str
    reason: str


def read_booking(doc: Mapping[str, Any], pair: Pair) -> Held | Unread | None:
    """A booking of the pair's room; None where it is another room's. What the document says beyond
    what we know is passed over. Raises BadAnswer where it is no booking at all."""
    try:
        booking_id, revision, mark = doc["id"], doc["revision"], doc["changeNumber"]
        status, room = doc["bookingStatus"], doc["roomId"]
        created, modified = read_instant(doc["created"]), read_instant(doc["updated"])
        claimed = read_instant(doc["claimedAt"]) if "claimedAt" in doc else None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadAnswer(
            f"a booking without readable {error.args[0] if error.args else 'members'}"[:_LONGEST],
            where=pair.room_id,
            todo="The platform must follow the contract that calsync api schema prints",
        ) from None
    known = is_id(booking_id) and is_number(revision) and is_number(mark)
    if not known or not isinstance(status, str):
        raise BadAnswer("a booking whose id, revision or state is none", where=pair.room_id)
    if room != pair.room_id:
        return None
    form = Form(doc)
    content = read_members(form, pair.zone)
    if content is None or form.errors:
        what = "; ".join(f"{e.pointer} {e.what}" for e in form.errors) or "it says no time"
        return Unread(booking_id, f"the platform's booking cannot be read: {what}"[:_LONGEST])
    if not pair.titles:
        content = without_titles(content)
    external_id = doc.get("externalId")
    held = Held(
        id=booking_id,
        revision=revision,
        mark=mark,
        status=status,
        content=content,
        created=created,
        modified=modified,
        uid=_text(doc.get("uid")),
        external_id=external_id if isinstance(external_id, str) else None,
        # Private: busy time and nothing else, whatever the platform tells.
        person=NOBODY if content.private else _person(doc.get("bookedBy")),
        seats=_seats(doc.get("seats")),
        claimed=claimed,
    )
    if not held.live:
        return held
    try:
        return replace(held, parts=parts_of(content, pair.zone, modified))
    except MappingError as error:
        return Unread(booking_id, str(error)[:_LONGEST])


def read_instant(value: object) -> datetime:
    """An instant in UTC. Raises ValueError, OverflowError."""
    found = datetime.fromisoformat(str(value))
    if found.tzinfo is None:
        raise ValueError("an instant without an offset")
    return found.astimezone(UTC)


def is_id(value: object) -> TypeGuard[str]:
    """What can name a booking in a key of ours."""
    return isinstance(value, str) and is_name(value) and "#" not in value


def is_number(value: object) -> TypeGuard[int]:
    """A revision, or a change number, of a size that every JSON reader and database holds."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _seats(value: object) -> int | None:
    return value if is_number(value) and 0 < value <= 100_000 else None


def _text(value: object) -> str:
    return value if isinstance(value, str) and is_name(value) else ""


def _person(value: object) -> Person:
    if not isinstance(value, Mapping):
        return Person()
    name, address = value.get("name"), value.get("email")
    good = isinstance(address, str) and len(address) <= 254 and _ADDRESS.fullmatch(address)
    return Person(
        clean_title(name if isinstance(name, str) else None) or "",
        str(address) if good else "",
    )


# --- observations ----------------------------------------------------------------------------


def observe(
    held: Held | Unread, known: Iterable[str], *, tag: str | None, waits: frozenset[str]
) -> list[Observation]:
    """Every item of the booking, with those of ``known`` (suffixes) that are no more. ``tag``:
    ours, where it carries one. ``waits``: suffixes of what waits for our answer."""
    if isinstance(held, Unread):
        return [
            Unknown(key=part_key(held.id, suffix), reason=held.reason, poison=True)
            for suffix in dict.fromkeys((*known, ""))
        ]
    suffixes = dict.fromkeys((*held.parts, *known))
    return [observe_part(held, suffix, tag=tag, waits=waits) for suffix in suffixes]


def observe_part(held: Held, suffix: str, *, tag: str | None, waits: frozenset[str]) -> Seen | Gone:
    occupancy = held.parts.get(suffix)
    if occupancy is None:
        return gone(held, suffix)
    found = fingerprint(occupancy)
    pending = held.status == "pending"
    return Seen(
        key=part_key(held.id, suffix),
        occupancy=occupancy,
        fingerprint=found,
        version=found if held.split else str(held.revision),
        mark=held.mark,
        created=held.created,
        # Several items must not share one identity.
        uid=f"{held.uid}#{suffix}" if suffix else held.uid,
        tag=None if suffix else tag,
        person=held.person,
        pending=pending and suffix in waits,
        seats=held.seats,
        modified=held.modified,
        # Of our own, the calendar that we work on tells when; here it counts when it came here.
        claimed=held.claimed if tag is None else None,
        whole=Whole(held.content, waits=pending and bool(waits - {suffix})) if held.split else None,
    )


def gone(held: Held, suffix: str) -> Gone:
    rejected = held.status == "rejected"
    why = Absence.REFUSED if rejected else Absence.DELETED
    if held.live and goes_on(held.content, suffix):
        why = Absence.RESHAPED
    return Gone(
        key=part_key(held.id, suffix),
        absence=why,
        mark=held.mark,
        # One booking gets one answer: a rejected part rejects all of it.
        whole=Whole(held.content) if rejected and why_unsayable(held.content) else None,
    )


def meets(held: Held, span: Interval, room_zone: str) -> bool:
    """Whether the booking's extent meets the window; what has no length counts, too."""
    mine = span_of(held.content, room_zone)
    if mine.start == mine.end:
        return span.start <= mine.start < span.end
    return mine.start < span.end and mine.end > span.start


# --- writing -----------------------------------------------------------------------------------


def content_of(occupancy: Occupancy, pair: Pair) -> dict[str, object]:
    """The members that say it; none that say nothing."""
    if not pair.titles:
        occupancy = without_titles(occupancy)
    doc = content_to_json(occupancy, pair.zone)
    return {name: value for name, value in doc.items() if value is not None and name != "@type"}


def new_booking(effect: Effect, target: Occupancy, pair: Pair, external_id: str) -> dict[str, Any]:
    doc: dict[str, Any] = {
        **content_of(target, pair),
        "externalId": external_id,
        "editable": effect.owned,
    }
    if effect.created is not None:
        doc["claimedAt"] = format_utc(effect.created)
    if effect.uid and is_name(effect.uid):
        doc["uid"] = effect.uid
    person = effect.person
    address = person.address if _ADDRESS.fullmatch(person.address) else ""
    if person.name or address:
        doc["bookedBy"] = person_to_json(Person(person.name, address))
    return doc


def change(was: Occupancy, target: Occupancy, pair: Pair) -> dict[str, Any]:
    """A merge patch (RFC 7396) that makes ``target`` of what stands there as ``was``; empty where
    they say the same. Members that we do not carry are not named, so they stay."""
    old, new = content_of(was, pair), content_of(target, pair)
    patch = _difference(old, new)
    if not patch:
        return {}
    for name in _WHEN:
        patch[name] = new.get(name)
    if "recurrenceOverrides" in new:
        # Else the platform would move changed dates along with the start.
        patch.setdefault("recurrenceOverrides", {})
    return patch


def _difference(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, Any]:
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = _difference(before, value)
            if inner:
                patch[name] = inner
        elif value != before:
            patch[name] = value
    return patch


def refusal_of(refusal: Refusal) -> dict[str, object]:
    """As the contract takes it."""
    doc = refusal_to_json(refusal)
    code = refusal.code if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", refusal.code) else "refused"
    return {**doc, "code": code, "reason": refusal.reason[:_LONGEST] or "The room is not free."}
