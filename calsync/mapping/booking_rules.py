"""The platform's rules for a room: when it may be booked, for how long, how soon and how far ahead.

They hold for what people ask of the platform; for what they book in Outlook as far as the admin
chose so (``conflicts.rules``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from calsync.mapping.booking_form import Form, Length, format_duration
from calsync.mapping.zones import to_wall
from calsync.model import Interval, Weekday

_DAYS: Final = {day.name.lower(): day for day in Weekday}
_CLOCK: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_DAY: Final = timedelta(days=1)
#: By how much a day on which the clocks change is shorter or longer.
_SHIFT: Final = timedelta(hours=1)
_MEMBERS: Final = (
    "openingHours",
    "minNotice",
    "minDuration",
    "maxDuration",
    "maxAhead",
    "seatsWithinCapacity",
)
#: Dates of one kind of violation that are listed.
_LISTED: Final = 10
MAX_OPENINGS: Final = 50


@dataclass(frozen=True, slots=True)
class Opening:
    """Open on these weekdays, from one minute of the day to another (1440: midnight)."""

    days: frozenset[Weekday]
    opens: int
    closes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingRules:
    """None: no such rule. ``opening`` empty: always open. ``notice``: how long before it begins a
    booking must be made. ``ahead``: how long before it begins it may be made."""

    opening: tuple[Opening, ...] = ()
    notice: timedelta | None = None
    shortest: timedelta | None = None
    longest: timedelta | None = None
    ahead: timedelta | None = None
    seats: bool = False


NO_RULES: Final = BookingRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRules:
    """The rules of a room, since when they are these (aware UTC; None: nobody noted it), and its
    seats."""

    rules: BookingRules = NO_RULES
    since: datetime | None = None
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """``rule`` as the JSON names it; ``dates``: the local starts that break it."""

    rule: str
    what: str
    todo: str
    dates: tuple[datetime, ...] = ()


def violations(
    rules: BookingRules,
    wanted: Sequence[Interval],
    *,
    zone: str,
    all_day: bool,
    endless: bool,
    now: datetime,
    seats: int | None,
    capacity: int | None,
) -> list[Violation]:
    """What of ``wanted`` (by start) the rules of the room do not allow."""
    found = [
        *_length(rules, wanted, zone, all_day=all_day),
        *_opening(rules, wanted, zone, all_day=all_day),
        *_time(rules, wanted, zone, endless=endless, now=now),
    ]
    if rules.seats and seats is not None and capacity is not None and seats > capacity:
        what = f"the room has {capacity} seats, not {seats}"
        found.append(Violation("seatsWithinCapacity", what, "Take a larger room"))
    return found


def _length(
    rules: BookingRules, wanted: Sequence[Interval], zone: str, *, all_day: bool
) -> Iterator[Violation]:
    longest, shortest = rules.longest, rules.shortest
    if longest is not None:
        wrong = [one for one in wanted if _lasts(one, all_day=all_day) > longest]
        if wrong:
            what = f"a booking of this room lasts {_said(longest)} at most"
            yield Violation("maxDuration", what, "Book less time", _dates(wrong, zone))
    if shortest is not None:
        wrong = [one for one in wanted if _lasts(one, all_day=all_day) < shortest]
        if wrong:
            what = f"a booking of this room lasts {_said(shortest)} at least"
            yield Violation("minDuration", what, "Book more time", _dates(wrong, zone))


def _lasts(one: Interval, *, all_day: bool) -> timedelta:
    """Whole days are days, also those of 23 and 25 hours."""
    length = one.end - one.start
    days = _DAY * round(length / _DAY)
    return days if all_day and days and abs(length - days) <= _SHIFT else length


def _opening(
    rules: BookingRules, wanted: Sequence[Interval], zone: str, *, all_day: bool
) -> Iterator[Violation]:
    if not rules.opening:
        return
    wrong = [one for one in wanted if not _is_open(rules.opening, one, zone, all_day=all_day)]
    if wrong:
        yield Violation(
            "openingHours",
            "the room is not open then",
            "Take a time within its opening hours: GET /v1/rooms/{room} has them",
            _dates(wrong, zone),
        )


def _is_open(opening: Sequence[Opening], one: Interval, zone: str, *, all_day: bool) -> bool:
    start, end = to_wall(one.start, zone), to_wall(one.end, zone)
    if end <= start:
        # In the hour that comes twice an end may read as earlier than its start.
        end = start + (one.end - one.start)
    day = datetime.combine(start, time.min)
    while day < end:
        hours = [o for o in opening if _weekday(day) in o.days]
        low, high = max(start, day) - day, min(end, day + _DAY) - day
        # All day means: all the time that it is open.
        if not hours or (not all_day and not _within(hours, low, high)):
            return False
        day += _DAY
    return True


def _weekday(day: datetime) -> Weekday:
    return Weekday(day.weekday())


def _within(hours: Sequence[Opening], low: timedelta, high: timedelta) -> bool:
    """Through openings that touch, too."""
    reached = low
    for opening in sorted(hours, key=lambda o: o.opens):
        if timedelta(minutes=opening.opens) <= reached:
            reached = max(reached, timedelta(minutes=opening.closes))
    return reached >= high


def _time(
    rules: BookingRules, wanted: Sequence[Interval], zone: str, *, endless: bool, now: datetime
) -> Iterator[Violation]:
    if rules.notice is not None:
        wrong = [one for one in wanted if one.start < now + rules.notice]
        if wrong:
            what = f"this room is booked {_said(rules.notice)} before at the latest"
            yield Violation("minNotice", what, "Take a later time", _dates(wrong, zone))
    if rules.ahead is not None:
        late = [one for one in wanted if one.start > now + rules.ahead]
        if late or endless:
            what = f"this room is booked {_said(rules.ahead)} ahead at most"
            todo = "Take an earlier time; end a series before"
            yield Violation("maxAhead", what, todo, _dates(late, zone))


def _dates(wrong: Sequence[Interval], zone: str) -> tuple[datetime, ...]:
    return tuple(to_wall(one.start, zone) for one in wrong[:_LISTED])


def _said(length: timedelta) -> str:
    seconds = length // timedelta(seconds=1)
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count, rest = divmod(seconds, size)
        if count and not rest:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "0 minutes"


# --- JSON ------------------------------------------------------------------------------------


def rules_to_json(rules: BookingRules) -> dict[str, object]:
    doc: dict[str, object] = {}
    if rules.opening:
        doc["openingHours"] = [
            {
                "days": [name for name, day in _DAYS.items() if day in o.days],
                "opens": _clock(o.opens),
                "closes": _clock(o.closes),
            }
            for o in rules.opening
        ]
    for name, length in (
        ("minNotice", rules.notice),
        ("minDuration", rules.shortest),
        ("maxDuration", rules.longest),
        ("maxAhead", rules.ahead),
    ):
        if length is not None:
            doc[name] = format_duration(length, days=length % _DAY == timedelta(0))
    if rules.seats:
        doc["seatsWithinCapacity"] = True
    return doc


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def read_rules(form: Form) -> BookingRules:
    """The rules that ``form`` says; problems go into it."""
    form.refuse_unknown(_MEMBERS)
    rules = BookingRules(
        opening=_read_opening(form),
        notice=_wall(form.duration("minNotice")),
        shortest=_wall(form.duration("minDuration")),
        longest=_wall(form.duration("maxDuration")),
        ahead=_wall(form.duration("maxAhead")),
        seats=form.flag("seatsWithinCapacity"),
    )
    if rules.shortest is not None and rules.longest is not None and rules.shortest > rules.longest:
        form.fail("minDuration", "is longer than maxDuration", "Make it shorter")
    return rules


def _wall(length: Length | None) -> timedelta | None:
    return None if length is None else length.wall


def _read_opening(form: Form) -> tuple[Opening, ...]:
    found = [_one_opening(one) for one in form.items("openingHours", limit=MAX_OPENINGS)]
    if None in found:
        what = "has an entry that is no opening"
        todo = 'Write {"days": ["mo"], "opens": "08:00", "closes": "18:00"}'
        form.fail("openingHours", what, todo)
    return tuple(one for one in found if one is not None)


def _one_opening(said: object) -> Opening | None:
    if not isinstance(said, Mapping) or said.keys() != {"days", "opens", "closes"}:
        return None
    days = said["days"]
    if (
        not isinstance(days, list)
        or not days
        or not all(isinstance(day, str) and day in _DAYS for day in days)
    ):
        return None
    opens, closes = _minutes(said["opens"]), _minutes(said["closes"])
    if opens is None or closes is None or not opens < closes <= 1440:
        return None
    return Opening(frozenset(_DAYS[day] for day in days), opens, closes)


def _minutes(said: object) -> int | None:
    found = _CLOCK.fullmatch(said) if isinstance(said, str) else None
    return None if found is None else int(found[1]) * 60 + int(found[2])


def rules_to_text(rules: BookingRules) -> str:
    """As the database keeps it; empty for none."""
    doc = rules_to_json(rules)
    return json.dumps(doc, separators=(",", ":")) if doc else ""


def rules_from_text(text: str) -> BookingRules:
    return read_rules(Form(json.loads(text))) if text else NO_RULES
