"""A Graph event, asked for without ``Prefer: outlook.timezone`` (so in UTC) → observation.

Robust by design: a member may be absent, null, empty, of a wrong type or hostile. What cannot
be understood becomes ``Unknown(poison=True)`` with the member's name; nothing is raised, so
one poison item never stops a room. Facts: Graph resource event, and its CSDL.

What is written to Graph is made in ``event_write``; its functions are offered here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final

from calsync.errors import MappingError
from calsync.mapping.event_fields import (
    Look,
    Poison,
    Reading,
    Span,
    instant_of,
    is_owned,
    read_look,
    read_span,
    response,
    text_of,
    ticks,
)
from calsync.mapping.event_series import Parts, gather, home_name, needs_instances, read_series
from calsync.mapping.event_write import (
    Meant,
    SeriesChange,
    bare,
    event_body,
    kept_subject,
    series_change,
    single_patch,
)
from calsync.mapping.fingerprint import fingerprint
from calsync.mapping.split import lives
from calsync.mapping.text import clean_title
from calsync.model import NOBODY, Absence, Gone, Interval, Occupancy, Person, Seen, Unknown

__all__ = [
    "TAG_PREFIX",
    "Meant",
    "SeriesChange",
    "bare",
    "event_body",
    "home_name",
    "kept_subject",
    "master_etag",
    "needs_instances",
    "read_event",
    "series_change",
    "single_patch",
]

#: Our mark in a transactionId; the id of the link follows.
TAG_PREFIX: Final = "cs1-"
_PARTS_MARK: Final = "~"


def read_event(
    event: Mapping[str, Any],
    *,
    titles: bool,
    room_zone: str,
    exceptions: Sequence[Mapping[str, Any]] = (),
    cancelled: Sequence[str] = (),
    instances: Sequence[Mapping[str, Any]] | None = None,
    span: Interval | None = None,
    subject_fallback: str | None = None,
    people: bool = False,
    meeting: bool = False,
) -> Seen | Gone | Unknown:
    """What one event says. Never raises.

    ``titles``: whether subjects are carried for the room. For a series: ``exceptions`` are its
    changed instances, ``cancelled`` its cancelledOccurrences; where the cloud has no such list,
    ``instances`` are all its instances that touch ``span``. An occurrence or exception alone
    gives Unknown: its master is what is read. ``people``: whether those who come are counted;
    ``meeting``: also where it is the organizer's.
    """
    key = event.get("id") if isinstance(event, dict) else None
    if not isinstance(key, str) or not key:
        return Unknown(key="", reason="an event has no id", poison=True)
    how = Reading(titles=titles, room_zone=room_zone, subject_fallback=subject_fallback)
    try:
        if "@removed" in event:
            return Unknown(key=key, reason="reported as removed: to be read again")
        kind = event.get("type")
        if kind == "occurrence" or kind == "exception" or _is_part(event, kind):
            return Unknown(key=key, reason="a part of a series: its master is read instead")
        parts = None
        if kind == "seriesMaster" or (kind is None and event.get("recurrence") is not None):
            parts = gather(event, exceptions, cancelled, instances, span)
        seen = _read(key, event, how, parts)
        if isinstance(seen, Seen) and (meeting or (people and not seen.owned)):
            return replace(seen, seats=_people(event))
        return seen
    except (Poison, MappingError) as problem:
        reason = problem.what if isinstance(problem, MappingError) else str(problem)
        return Unknown(key=key, reason=f"an event cannot be carried: {reason}", poison=True)
    except Exception as problem:  # a hostile value that no check foresaw still parks one item only
        what = type(problem).__name__
        return Unknown(key=key, reason=f"an event cannot be understood ({what})", poison=True)


def _is_part(event: Mapping[str, Any], kind: object) -> bool:
    return kind is None and bool(event.get("seriesMasterId"))


def _read(key: str, event: Mapping[str, Any], how: Reading, parts: Parts | None) -> Seen | Gone:
    mark = ticks(event)
    if event.get("isCancelled") is True:
        return Gone(key=key, absence=Absence.CANCELLED, mark=mark)
    owned = is_owned(event)
    if not owned and response(event) == "declined":
        return Gone(key=key, absence=Absence.DECLINED, mark=mark)
    span = read_span(event, event.get("isAllDay"), how.room_zone)
    look = read_look(event, how, owned=owned)
    version = text_of(event, "@odata.etag") or text_of(event, "changeKey")
    if parts is None:
        occ = _single(span, look)
    else:
        occ = read_series(event, span, look, how, parts)
        assert occ.recurrence is not None
        if not lives(occ, occ.recurrence):
            # Every date was removed, one by one: nothing of it takes place any more.
            return Gone(key=key, absence=Absence.CANCELLED, mark=mark)
        version = f"{version}{_PARTS_MARK}{_parts_hash(parts)}"
    # A change of a date changes its master, too (OccurrenceItemIdType.ChangeKey: both have one). So
    # the master's own time is the age of the whole: its dates may come in an answer of their own,
    # and where that is newer, what the master says is still as old as it is.
    newest = max([mark, *(ticks(one) for one in parts.exceptions)]) if parts else mark
    tag = event.get("transactionId")
    modified = instant_of(newest) if newest else None
    created = ticks(event, "createdDateTime")
    return Seen(
        key=key,
        occupancy=occ,
        fingerprint=fingerprint(occ),
        version=version,
        mark=mark,
        # Without a time of creation it counts as old: the calendar was first.
        created=instant_of(created),
        owned=owned,
        uid=text_of(event, "iCalUId"),
        tag=tag[len(TAG_PREFIX) :] if isinstance(tag, str) and tag.startswith(TAG_PREFIX) else None,
        # Whose private meeting it is stays in Exchange: there it is busy time and nothing else.
        person=NOBODY if owned or look.private else organizer_of(event),
        modified=modified,
    )


def _single(span: Span, look: Look) -> Occupancy:
    return Occupancy(
        start=span.start,
        end=span.end,
        zone=None if span.all_day else "UTC",
        all_day=span.all_day,
        busy=look.busy,
        title=look.title,
        private=look.private,
    )


def organizer_of(event: Mapping[str, Any]) -> Person:
    """The organizer: whom a notice about this booking concerns."""
    organizer = event.get("organizer")
    address = organizer.get("emailAddress") if isinstance(organizer, dict) else None
    if not isinstance(address, dict):
        return NOBODY
    name, mail = address.get("name"), address.get("address")
    return Person(
        name=clean_title(name) or "",
        address=clean_title(mail) or "",
    )


def _people(event: Mapping[str, Any]) -> int | None:
    """For how many people a meeting is: its organizer and all who are asked to come. A group counts
    as one. None where it cannot be told, or where the attendees are hidden from each other."""
    invited = event.get("attendees")
    if not isinstance(invited, list) or event.get("hideAttendees") is True:
        return None
    addresses = {organizer_of(event).address.casefold()}
    for one in invited:
        if isinstance(one, dict) and one.get("type") in ("required", "optional"):
            addresses.add(organizer_of({"organizer": one}).address.casefold())
    return len(addresses - {""}) or None


def _parts_hash(parts: Parts) -> str:
    """Over what changes when an occurrence does: the master's own etag may stay the same."""
    marks = sorted(
        f"{text_of(one, 'id')} {text_of(one, '@odata.etag') or text_of(one, 'changeKey')}"
        for one in parts.exceptions
    )
    listed = (
        [] if parts.cancelled_known else sorted(text_of(i, "id") for i in parts.instances or ())
    )
    gone = sorted(str(entry) for entry in parts.cancelled)
    text = "\n".join([*marks, "-", *gone, "-", *listed])
    return blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def master_etag(version: str) -> str:
    """The server's own etag within a version that ``read_event`` made (for If-Match)."""
    return version.rpartition(_PARTS_MARK)[0] if _PARTS_MARK in version else version
