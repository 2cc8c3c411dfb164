"""A booking of the built-in platform, and its JSON in the vocabulary of JSCalendar.

Names follow RFC 8984 with the changes of jscalendarbis (singular ``recurrenceRule``). What is
our own: ``bookingStatus``, ``origin``, ``editable``, ``refusal``, ``bookedBy``, ``seats``,
``changeNumber``, ``claimedAt``, ``startUtc``/``endUtc``, and ``showAs`` for the two kinds of
busy that JSCalendar cannot say.

Reading what was written gives the same occupancy back (tests/unit/hub holds this as a law).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from calsync.mapping.booking_form import Form, Length, format_duration, format_local
from calsync.mapping.booking_series import MAX_LENGTH, read_series, series_to_json
from calsync.mapping.booking_state import FREE_BUSY, PRIVACY, STATUS, busy_to_json, read_busy
from calsync.mapping.booking_values import Booking
from calsync.mapping.text import clean_title
from calsync.mapping.zones import resolve, span_utc, to_utc, to_wall
from calsync.model import Alternative, Occupancy, Person, Refusal
from calsync.model.rooms import NOBODY

_ADDRESS = re.compile(r"[^@\s<>\"\x00-\x1f]+@[^@\s<>\"\x00-\x1f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a platform asks for: the members of a booking that it may set."""

    content: Occupancy
    person: Person = NOBODY
    seats: int | None = None
    uid: str = ""
    external_id: str | None = None


CONTENT: Final = (
    "title",
    "start",
    "timeZone",
    "duration",
    "showWithoutTime",
    *(STATUS, FREE_BUSY, "showAs", PRIVACY),
    "recurrenceRule",
    "rrule",
    "recurrenceOverrides",
)
WRITABLE: Final = (*CONTENT, "bookedBy", "seats", "uid", "externalId")
READ_ONLY: Final = (
    "id",
    "roomId",
    "bookingStatus",
    "origin",
    "editable",
    "startUtc",
    "endUtc",
    "sequence",
    "revision",
    "created",
    "updated",
    "changeNumber",
    "claimedAt",
    "refusal",
)


# --- content -------------------------------------------------------------------------------


def content_to_json(occ: Occupancy, room_zone: str) -> dict[str, object]:
    """The members of ``CONTENT``. A timed single is shown in the zone of the room."""
    start, zone = occ.start, occ.zone
    if zone == "UTC" and occ.recurrence is None:
        start, zone = _in_room(occ.start, room_zone)
    doc: dict[str, object] = {"@type": "Event"}
    if occ.title is not None:
        doc["title"] = occ.title
    doc["start"] = format_local(start)
    doc["timeZone"] = "Etc/UTC" if zone == "UTC" else zone
    doc["duration"] = format_duration(occ.duration, days=occ.all_day)
    if occ.all_day:
        doc["showWithoutTime"] = True
    doc.update(busy_to_json(occ.busy))
    doc[PRIVACY] = "private" if occ.private else "public"
    if occ.recurrence is not None:
        doc.update(series_to_json(occ, occ.recurrence))
    return doc


def _in_room(start: datetime, room_zone: str) -> tuple[datetime, str]:
    """Wall time in the room; UTC where the wall time occurs twice and could be misread."""
    instant = start.replace(tzinfo=UTC)
    wall = to_wall(instant, room_zone)
    return (wall, room_zone) if to_utc(wall, room_zone) == instant else (start, "UTC")


def read_content(form: Form, room_zone: str) -> Occupancy | None:
    """The occupancy that ``form`` says; None (and problems in ``form``) where it says none.

    A missing ``timeZone`` means the zone of the room; an all-day booking has none.
    """
    all_day = form.flag("showWithoutTime")
    start, length = form.local("start"), form.duration("duration")
    for name, example in (("start", "2026-11-20T09:00:00"), ("duration", "PT1H")):
        if not form.has(name):
            form.fail(name, "is missing", f"Give it, such as {example}")
    zone = resolve(form.text("timeZone", limit=128) or room_zone).iana
    if zone is None:
        form.fail("timeZone", "this time zone is not known", "Give an IANA name: Europe/Berlin")
    busy, private = read_busy(form), form.choice(PRIVACY, _PRIVACIES, False)
    title = None if private else clean_title(form.text("title", limit=262_144))
    if all_day and start is not None and start.time() != datetime.min.time():
        form.fail("start", "an all-day booking starts at midnight", "Give the time as 00:00:00")
    if all_day and length is not None and (length.time or not length.days):
        form.fail("duration", "an all-day booking lasts whole days", "Give a duration such as P1D")
    if length is not None and length.wall >= MAX_LENGTH:
        form.fail("duration", "five years or more is no booking", "Book a series, or less time")
    if form.errors:
        return None
    assert start is not None
    assert length is not None
    assert zone is not None
    if all_day or form.has("recurrenceRule") or form.has("rrule"):
        end = start + length.wall
    else:
        start, end = _in_utc(start, length, zone)
        zone = "UTC"
    plain = Occupancy(
        start=start,
        end=end,
        zone=None if all_day else zone,
        all_day=all_day,
        busy=busy,
        title=title,
        private=private,
    )
    return read_series(form, plain, room_zone)


_PRIVACIES: Final = {"public": False, "private": True, "secret": True}


def _in_utc(start: datetime, length: Length, zone: str) -> tuple[datetime, datetime]:
    """Days of a duration are nominal (counted on the wall), its time is exact (RFC 8984)."""
    begin = to_utc(start, zone)
    days_on = to_utc(start + timedelta(days=length.days), zone)
    return begin.replace(tzinfo=None), (days_on + length.time).replace(tzinfo=None)


# --- the whole booking ---------------------------------------------------------------------


def read_wish(doc: Mapping[str, object], room_zone: str) -> Wish:
    """What a platform asks for. Raises InvalidBooking with everything that is wrong."""
    form = Form(doc)
    form.refuse_unknown((*WRITABLE, *READ_ONLY))
    form.choice("@type", {"Event": None}, None)
    for name in READ_ONLY:
        if form.has(name):
            form.fail(name, "is set by calsync", "Leave it out")
    content = read_content(form, room_zone)
    person = _read_person(Form(form.members("bookedBy"), at="/bookedBy", errors=form.errors))
    seats = form.whole("seats", low=1, high=100_000)
    uid, external_id = _read_name(form, "uid"), _read_name(form, "externalId")
    form.done()
    assert content is not None
    if content.private:
        person = NOBODY  # like its title: busy time and nothing else
    return Wish(content=content, person=person, seats=seats, uid=uid or "", external_id=external_id)


def _read_person(form: Form) -> Person:
    form.refuse_unknown(("name", "email"))
    name = clean_title(form.text("name", limit=4096)) or ""
    address = form.text("email", limit=254) or ""
    if address and not _ADDRESS.fullmatch(address):
        form.fail("email", "is not a mail address", "Give one such as ada@example.com")
    return Person(name, address)


def _read_name(form: Form, member: str) -> str | None:
    """An identifier: kept as it is, so what cannot be kept is refused."""
    value = form.text(member, limit=255)
    if value is not None and not is_name(value):
        form.fail(member, "must be printable text", "Use letters, digits and punctuation")
        return None
    return value


def is_name(text: str) -> bool:
    """True for what may be kept as somebody's identifier, unaltered."""
    # U+FFFD stands where an address held what is not UTF-8: two ids would become one.
    return len(text) <= 255 and text.isprintable() and bool(text.strip()) and "\ufffd" not in text


def wish_to_json(booking: Booking, room_zone: str) -> dict[str, object]:
    """The members that a platform may set, as they stand: what a merge patch is applied to."""
    doc = content_to_json(booking.content, room_zone)
    if booking.person != NOBODY and not booking.content.private:
        doc["bookedBy"] = person_to_json(booking.person)
    if booking.seats is not None:
        doc["seats"] = booking.seats
    if booking.uid:
        doc["uid"] = booking.uid
    if booking.external_id is not None:
        doc["externalId"] = booking.external_id
    return doc


def booking_to_json(booking: Booking, room_zone: str, *, details: bool) -> dict[str, object]:
    """The whole booking. Without ``details`` it says nothing about people or subjects."""
    content = booking.content
    start, end = span_utc(content.start, content.end, content.zone or room_zone)
    doc: dict[str, object] = {
        "id": booking.id,
        "roomId": booking.room_id,
        **wish_to_json(booking, room_zone),
        "bookingStatus": booking.status.value,
        "origin": booking.origin.value,
        "editable": booking.editable,
        "startUtc": format_utc(start),
        "endUtc": format_utc(end),
        "sequence": booking.content_revision,
        "revision": booking.revision,
        "created": format_utc(booking.created),
        "updated": format_utc(booking.modified),
        "changeNumber": booking.mark,
    }
    if booking.claimed is not None:
        doc["claimedAt"] = format_utc(booking.claimed)
    if booking.refusal is not None:
        doc["refusal"] = refusal_to_json(booking.refusal)
    return doc if details else hide_details(doc)


def hide_details(doc: dict[str, object]) -> dict[str, object]:
    """A copy without title and person, overrides included."""
    shown = {k: v for k, v in doc.items() if k not in ("title", "bookedBy")}
    overrides = shown.get("recurrenceOverrides")
    if isinstance(overrides, Mapping):
        shown["recurrenceOverrides"] = {
            at: {k: v for k, v in patch.items() if k != "title"} for at, patch in overrides.items()
        }
    return shown


def hide_titles(
    doc: dict[str, object], dates: Iterable[datetime] | None = None
) -> dict[str, object]:
    """A copy without titles; with ``dates`` without those of these dates of the series alone."""
    if dates is None:
        bare = hide_details(doc)
        return bare | {"bookedBy": doc["bookedBy"]} if "bookedBy" in doc else bare
    shut = {format_local(at) for at in dates}
    overrides = doc.get("recurrenceOverrides")
    if not isinstance(overrides, Mapping):
        return dict(doc)
    shown = {
        at: {k: v for k, v in patch.items() if k != "title" or at not in shut}
        for at, patch in overrides.items()
    }
    return doc | {"recurrenceOverrides": shown}


# --- small values --------------------------------------------------------------------------


def format_utc(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def person_to_json(person: Person) -> dict[str, object]:
    return {"name": person.name, "email": person.address}


def refusal_to_json(refusal: Refusal) -> dict[str, object]:
    """For machines ``code``, for people ``reason``; ``dates`` are recurrence-ids (wall time)."""
    return {
        "code": refusal.code,
        "reason": refusal.reason,
        "dates": [format_local(d) for d in refusal.dates],
        "conflicts": times_to_json(refusal.conflicts),
        "alternatives": [alternative_to_json(a) for a in refusal.alternatives],
        **({"times": times_to_json(refusal.times)} if refusal.times else {}),
    }


def times_to_json(times: Iterable[tuple[datetime, datetime]]) -> list[dict[str, str]]:
    """Spans of time as instants: those of what is in the way, or free ones offered instead."""
    return [{"start": format_utc(start), "end": format_utc(end)} for start, end in times]


def alternative_to_json(alternative: Alternative) -> dict[str, object]:
    return {
        "roomId": alternative.room_id,
        "name": alternative.name,
        "capacity": alternative.capacity,
    }


def refusal_from_json(doc: Mapping[str, Any]) -> Refusal:
    """Reads what ``refusal_to_json`` wrote, from calsync's own database."""
    return Refusal(
        reason=doc["reason"],
        code=doc["code"],
        dates=tuple(datetime.fromisoformat(at) for at in doc["dates"]),
        conflicts=_times_from_json(doc["conflicts"]),
        alternatives=tuple(
            Alternative(room_id=a["roomId"], name=a["name"], capacity=a["capacity"])
            for a in doc["alternatives"]
        ),
        times=_times_from_json(doc.get("times", ())),
    )


def _times_from_json(times: Iterable[Mapping[str, str]]) -> tuple[tuple[datetime, datetime], ...]:
    return tuple(
        (datetime.fromisoformat(one["start"]), datetime.fromisoformat(one["end"])) for one in times
    )
