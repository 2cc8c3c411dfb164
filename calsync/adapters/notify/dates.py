"""Times as people of a language write them, in the zone of the room.

The names are those of Unicode's CLDR (a test compares them), so that nothing large has to be
loaded for four languages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from calsync.model import Occupancy


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a language writes a day (``{weekday} {day} {month} {year}``) and joins it with times."""

    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    day: str
    at: str
    to: str
    clock: Callable[[datetime], str]


def _clock24(at: datetime) -> str:
    return f"{at:%H:%M}"


def _clock_ko(at: datetime) -> str:
    return f"{'오전' if at.hour < 12 else '오후'} {at.hour % 12 or 12}:{at:%M}"


MANNERS: Final = {
    "en": Manner(
        weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        months=(
            *("January", "February", "March", "April", "May", "June", "July", "August"),
            *("September", "October", "November", "December"),
        ),
        day="{weekday}, {day} {month} {year}",
        at="{day}, {times}",
        to="{start}–{end}",
        clock=_clock24,
    ),
    "nl": Manner(
        weekdays=(
            *("maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"),
        ),
        months=(
            *("januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus"),
            *("september", "oktober", "november", "december"),
        ),
        day="{weekday} {day} {month} {year}",
        at="{day}, {times} uur",
        to="{start}–{end}",
        clock=_clock24,
    ),
    "sv": Manner(
        weekdays=("måndag", "tisdag", "onsdag", "torsdag", "fredag", "lördag", "söndag"),
        months=(
            *("januari", "februari", "mars", "april", "maj", "juni", "juli", "augusti"),
            *("september", "oktober", "november", "december"),
        ),
        day="{weekday} {day} {month} {year}",
        at="{day} kl. {times}",
        to="{start}–{end}",
        clock=_clock24,
    ),
    "ko": Manner(
        weekdays=("월요일", "화요일", "수요일", "목요일", "금요일", "토요일", "일요일"),
        months=tuple(f"{month}월" for month in range(1, 13)),
        day="{year}년 {month} {day}일 {weekday}",
        at="{day} {times}",
        to="{start}~{end}",
        clock=_clock_ko,
    ),
}
LANGUAGES: Final = tuple(MANNERS)


def day(at: datetime, language: str) -> str:
    """The day of a wall time."""
    manner = MANNERS[language]
    return manner.day.format(
        weekday=manner.weekdays[at.weekday()],
        day=at.day,
        month=manner.months[at.month - 1],
        year=at.year,
    )


def span(start: datetime, end: datetime, room_zone: str, language: str) -> str:
    """From when to when by the room's clock. Naive times are already the room's."""
    manner, zone = MANNERS[language], ZoneInfo(room_zone)
    begin, finish = local(start, zone), local(end, zone)
    times = (_clock(begin, manner), _clock(finish, manner))
    if begin.date() == finish.date():
        said = manner.at.format(
            day=day(begin, language), times=manner.to.format(start=times[0], end=times[1])
        )
    else:
        ends = [
            manner.at.format(day=day(one, language), times=clock)
            for one, clock in zip((begin, finish), times, strict=True)
        ]
        said = " – ".join(ends)
    return f"{said} ({room_zone})"


def moment(at: datetime, room_zone: str, language: str) -> str:
    """Day and time by the room's clock, without the name of the zone."""
    manner, there = MANNERS[language], local(at, ZoneInfo(room_zone))
    return manner.at.format(day=day(there, language), times=_clock(there, manner))


def days(occupancy: Occupancy, language: str) -> str:
    """The whole days of an all-day item, whose end is exclusive."""
    start, end = occupancy.start, occupancy.end
    last = end - timedelta(days=1) if end > start else start
    first = day(start, language)
    return first if last <= start else f"{first} – {day(last, language)}"


def ends_of(occupancy: Occupancy, room_zone: str) -> tuple[datetime, datetime]:
    """Start and end as aware times; only for what is not all day."""
    zone = ZoneInfo(occupancy.zone or room_zone)
    return occupancy.start.replace(tzinfo=zone), occupancy.end.replace(tzinfo=zone)


def local(at: datetime, zone: ZoneInfo) -> datetime:
    """The wall time there, aware; a naive time is one already."""
    return at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(UTC).astimezone(zone)


def _clock(at: datetime, manner: Manner) -> str:
    """An hour that comes twice (the clocks go back) says which of the two it is."""
    said = manner.clock(at)
    if at.replace(fold=0).utcoffset() == at.replace(fold=1).utcoffset():
        return said
    return f"{said} [UTC{at:%z}]"
