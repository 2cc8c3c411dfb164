"""Members of a Graph event, one by one: what they may hold, and what is made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from calsync.mapping import zones
from calsync.mapping.text import clean_title
from calsync.model import Busy

#: The longest item Exchange takes: five years (ErrorCalendarDurationIsTooLong).
MAX_DURATION: Final = timedelta(days=5 * 366)
#: Exchange's calendar begins in 1601 and ends in 4500; an item outside is no booking.
FIRST_YEAR: Final = 1601
LAST_YEAR: Final = 4499
#: Characters of a uid or a version. Exchange's have some hundred.
MAX_TEXT: Final = 1024

_BUSY: Final = {busy.value: busy for busy in Busy}
_PRIVATE: Final = frozenset({"private", "confidential", "personal"})
#: An invitation nobody has answered yet. ``none`` and ``notResponded`` mean the same.
_UNANSWERED: Final = frozenset({"none", "notResponded", "tentativelyAccepted"})

_MIDNIGHT: Final = time(0)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN: Final = (None, "Z", "+00:00")
_WALL: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", re.ASCII
)


class Poison(ValueError):
    """A member that cannot be understood. Stays within the event modules."""

    def __init__(self, member: str, value: object) -> None:
        shown = clean_title(repr(value)[:80])
        super().__init__(f"its {member} cannot be understood ({shown})")


class Span(NamedTuple):
    """Start and end as Graph gave them: naive UTC, or whole days."""

    start: datetime
    end: datetime
    all_day: bool


@dataclass(frozen=True, slots=True)
class Look:
    """How an item shows: what an exception may change besides its time."""

    busy: Busy
    title: str | None
    private: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How events of a room are read. ``subject_fallback``: the subject calsync itself writes
    where there is no title; read back, it is none."""

    titles: bool
    room_zone: str
    subject_fallback: str | None = None


def read_span(event: Mapping[str, Any], all_day: object, room_zone: str) -> Span:
    """Start and end. Timed: converted to UTC. All-day: whole days, of the zone it was made in."""
    if all_day is True:
        return _whole_days(event, room_zone)
    start, end = _instant(event, "start"), _instant(event, "end")
    return _checked(start, end, all_day=False)


def _checked(start: datetime, end: datetime, *, all_day: bool) -> Span:
    if end < start:
        raise Poison("end, which is before its start,", end.isoformat())
    if end - start > MAX_DURATION:
        raise Poison("end, more than 5 years after its start,", end.isoformat())
    if start.year < FIRST_YEAR or end.year > LAST_YEAR:
        raise Poison("start", start.isoformat())
    return Span(start, end, all_day)


def _instant(event: Mapping[str, Any], name: str) -> datetime:
    raw = event.get(name)
    if not isinstance(raw, dict):
        raise Poison(name, raw)
    text, zone = raw.get("dateTime"), raw.get("timeZone")
    if not isinstance(text, str):
        raise Poison(f"{name}.dateTime", text)
    # Nearly every value has this shape, and the general way costs ten times as much.
    if zone == "UTC" and text[19:] == ".0000000" and text[10] == "T":
        try:
            return datetime.fromisoformat(text[:19])
        except ValueError:
            raise Poison(f"{name}.dateTime", text) from None
    wall = _wall(text, f"{name}.dateTime")
    if zone is None or text.endswith(("Z", "+00:00")):
        return wall
    known = zones.resolve(zone).iana
    if known is None:
        raise Poison(f"{name}.timeZone", zone)
    return zones.to_utc(wall, known).replace(tzinfo=None)


def _wall(text: str, member: str) -> datetime:
    fits = _WALL.fullmatch(text)
    if fits is None or fits[3] not in _PLAIN:
        raise Poison(member, text)
    try:
        # Seven digits come; a datetime keeps six.
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise Poison(member, text) from None


def _whole_days(event: Mapping[str, Any], room_zone: str) -> Span:
    start, end = _wall_of(event, "start"), _wall_of(event, "end")
    if start.time() != _MIDNIGHT:
        start, end = _days_of_instants(
            event, _instant(event, "start"), _instant(event, "end"), room_zone
        )
    first = datetime(start.year, start.month, start.day)
    last = datetime(end.year, end.month, end.day)
    # An end of 23:59:59, or none at all, means that its day is taken.
    if last < end or last == first:
        last += timedelta(days=1)
    return _checked(first, last, all_day=True)


def _days_of_instants(
    event: Mapping[str, Any], start: datetime, end: datetime, room_zone: str
) -> tuple[datetime, datetime]:
    """How an all-day event of another zone reads under UTC is not documented: as its dates, or
    as the instants of its midnights. Those are midnights in the zone it was made in, or in the
    room's; an hour off, they are so by a server's table of the zone that is not ours. What is
    neither stays as it is."""
    made_in = zones.resolve(event.get("originalStartTimeZone")).iana
    for zone in (made_in, zones.resolve(room_zone).iana):
        if zone is not None:
            first = zones.day_at(start.replace(tzinfo=UTC), zone)
            after = zones.day_at(end.replace(tzinfo=UTC), zone)
            if first is not None and after is not None:
                return datetime.combine(first, _MIDNIGHT), datetime.combine(after, _MIDNIGHT)
    if made_in is not None:
        first, after = (_day_near(at.replace(tzinfo=UTC), made_in) for at in (start, end))
        if first is not None and after is not None and first < after:
            return datetime.combine(first, _MIDNIGHT), datetime.combine(after, _MIDNIGHT)
    return start, end


def _day_near(instant: datetime, zone: str) -> date | None:
    """The day that begins within an hour of an aware instant in ``zone``."""
    near = zones.to_wall(instant, zone) + timedelta(hours=1)
    return near.date() if near.time() <= time(2) else None


def _wall_of(event: Mapping[str, Any], name: str) -> datetime:
    raw = event.get(name)
    text = raw.get("dateTime") if isinstance(raw, dict) else None
    if not isinstance(text, str):
        raise Poison(f"{name}.dateTime", text)
    wall = _wall(text, f"{name}.dateTime")
    if wall.year > LAST_YEAR:
        raise Poison(f"{name}.dateTime", text)
    return wall


def read_look(
    event: Mapping[str, Any], how: Reading, *, owned: bool, base: Look | None = None
) -> Look:
    """Status, title and privacy; what the event does not carry is taken from ``base``."""
    shown = event.get("showAs")
    # Unknown values block: a room shown as free too early is booked twice.
    busy = _BUSY.get(shown, Busy.BUSY) if isinstance(shown, str) else Busy.BUSY
    if base is not None and "showAs" not in event:
        busy = base.busy
    if not owned and busy is not Busy.FREE and response(event) in _UNANSWERED:
        busy = Busy.TENTATIVE
    sensitivity = event.get("sensitivity")
    private = isinstance(sensitivity, str) and sensitivity in _PRIVATE
    if base is not None and "sensitivity" not in event:
        private = base.private
    if private or not how.titles:
        return Look(busy, None, private)
    if base is not None and "subject" not in event:
        return Look(busy, base.title, private)
    title = clean_title(event.get("subject"))
    if title == how.subject_fallback:
        title = None
    return Look(busy, title, private)


def response(event: Mapping[str, Any]) -> str:
    """The room's own answer; empty where there is none to see."""
    status = event.get("responseStatus")
    answer = status.get("response") if isinstance(status, dict) else None
    return answer if isinstance(answer, str) else ""


def is_owned(event: Mapping[str, Any]) -> bool:
    """Whether the room organises it. In doubt no: what is not ours is not written."""
    organises = event.get("isOrganizer")
    if isinstance(organises, bool):
        return organises
    return response(event) == "organizer"


def ticks(event: Mapping[str, Any], name: str = "lastModifiedDateTime") -> int:
    """A timestamp in 100 ns steps since 1970, all seven digits kept; 0 where it is absent. UTC;
    where events are asked for in a zone, originalStart was seen with its offset."""
    text = event.get(name)
    if text is None:
        return 0
    if not isinstance(text, str):
        raise Poison(name, text)
    fits = _WALL.fullmatch(text)
    if fits is None:
        raise Poison(name, text)
    try:
        span = datetime.fromisoformat(fits[1] + (fits[3] or "Z")) - _EPOCH
    except ValueError:
        raise Poison(name, text) from None
    part = fits[2]
    fraction = int(part[:7].ljust(7, "0")) if part else 0
    return (span.days * 86_400 + span.seconds) * 10_000_000 + fraction


def instant_of(mark: int) -> datetime:
    """The aware UTC instant of a number of ticks (to the microsecond)."""
    return _EPOCH + timedelta(microseconds=mark // 10)


def text_of(event: Mapping[str, Any], name: str) -> str:
    """An identity or a version: compared, stored, and never shown. What no database takes is
    told by its hash, so that two of them still differ."""
    value = event.get(name)
    if not isinstance(value, str):
        return ""
    raw = value.encode("utf-8", "surrogatepass")
    if len(value) > MAX_TEXT or "\x00" in value or raw.decode("utf-8", "replace") != value:
        return f"hash:{blake2b(raw, digest_size=16).hexdigest()}"
    return value
