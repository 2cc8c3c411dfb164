"""Reading JSON that strangers wrote: every problem at once, each with its JSON pointer.

The two lexical forms of JSCalendar used here (RFC 8984 sections 1.4.4 and 1.4.6): LocalDateTime
(``2026-11-20T09:00:00``, no zone) and Duration (``PT1H30M``, ``P2D``; weeks and days are nominal,
the time part is exact).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from calsync.errors import MappingError

#: Years a booking may lie in; what lies outside is a slip or an attack.
FIRST_YEAR, LAST_YEAR = 1900, 2199

_LOCAL = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?)?"
)
_DURATION = re.compile(
    r"P(?:([0-9]{1,4})W)?(?:([0-9]{1,5})D)?"
    r"(T(?:([0-9]{1,6})H)?(?:([0-9]{1,7})M)?(?:([0-9]{1,8})(?:\.([0-9]{1,6}))?S)?)?"
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong: ``pointer`` (RFC 6901) into the body, what, and what to do."""

    pointer: str
    what: str
    todo: str = ""


class InvalidBooking(MappingError):
    """A booking that cannot be taken as it was sent. Carries every problem found."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(first.what, where=first.pointer or "the body", todo=first.todo)


@dataclass(frozen=True, slots=True)
class Length:
    """A parsed Duration: nominal ``days`` (wall clock) and an exact ``time``."""

    days: int
    time: timedelta

    @property
    def wall(self) -> timedelta:
        return timedelta(days=self.days) + self.time


def pointer(*parts: str | int) -> str:
    """An RFC 6901 pointer from its reference tokens."""
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in parts)


def parse_local(text: str) -> datetime | None:
    """A LocalDateTime, or a bare date for midnight; None where it is neither."""
    found = _LOCAL.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction = found.groups()
    try:
        return datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "").ljust(6, "0")),
        )
    except ValueError:
        return None


def format_local(value: datetime) -> str:
    return value.isoformat()


def parse_duration(text: str) -> Length | None:
    """A Duration, or None where it is not one (negative ones are not)."""
    found = _DURATION.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        return None
    weeks, days, _, hours, minutes, seconds, fraction = found.groups()
    return Length(
        days=int(weeks or 0) * 7 + int(days or 0),
        time=timedelta(
            hours=int(hours or 0),
            minutes=int(minutes or 0),
            seconds=int(seconds or 0),
            microseconds=int((fraction or "").ljust(6, "0")),
        ),
    )


def format_duration(value: timedelta, *, days: bool) -> str:
    """``days``: the length is a number of whole days. Otherwise only the exact time part is
    used, because a nominal day may have 23 or 25 hours."""
    if days:
        return f"P{value.days}D"
    minutes, seconds = divmod(value.days * 86400 + value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    exact = f"{seconds}.{value.microseconds:06d}".rstrip("0").rstrip(".")
    text = f"{hours}H" if hours else ""
    if minutes or (hours and exact != "0"):  # seconds never follow hours (RFC 8984, 1.4.6)
        text += f"{minutes}M"
    if exact != "0" or not text:
        text += f"{exact}S"
    return "PT" + text


class Form:
    """One JSON object, read member by member. Problems gather in ``errors``; a member that is
    wrong reads as its default so that reading can go on."""

    def __init__(
        self, doc: Mapping[str, object], *, at: str = "", errors: list[FieldError] | None = None
    ) -> None:
        self.doc = doc
        self.at = at
        self.errors: list[FieldError] = [] if errors is None else errors

    def fail(self, name: str, what: str, todo: str = "") -> None:
        self.errors.append(FieldError(self.at + (pointer(name) if name else ""), what, todo))

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """A misspelt member that is ignored books the wrong thing; it is refused instead."""
        names = frozenset(known)
        for name in self.doc:
            if name not in names and name != "@type":
                self.fail(name, "this member is not known here", "Check its spelling, or drop it")

    def has(self, name: str) -> bool:
        return self.doc.get(name) is not None

    def text(self, name: str, *, limit: int, default: str | None = None) -> str | None:
        value = self.doc.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self.fail(name, "must be a string")
        elif len(value) > limit:
            self.fail(name, f"must have at most {limit} characters, has {len(value)}")
        else:
            return value
        return default

    def choice(self, name: str, options: Mapping[str, T], default: T) -> T:
        value = self.doc.get(name)
        if value is None:
            return default
        if isinstance(value, str) and value in options:
            return options[value]
        self.fail(name, "is not one of the known values", f"Use {', '.join(options)}")
        return default

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.doc.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        self.fail(name, "must be true or false")
        return default

    def whole(self, name: str, *, low: int, high: int, default: int | None = None) -> int | None:
        value = self.doc.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(name, "must be a whole number")
        elif not low <= value <= high:
            self.fail(name, f"must be between {low} and {high}")
        else:
            return value
        return default

    def local(self, name: str, default: datetime | None = None) -> datetime | None:
        value = self.doc.get(name)
        if value is None:
            return default
        parsed = parse_local(value) if isinstance(value, str) else None
        if parsed is None:
            self.fail(
                name,
                "is not a local date and time",
                "Write 2026-11-20T09:00:00, without an offset; the zone goes into timeZone",
            )
        elif not FIRST_YEAR <= parsed.year <= LAST_YEAR:
            self.fail(name, f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")
        else:
            return parsed
        return default

    def duration(self, name: str) -> Length | None:
        value = self.doc.get(name)
        if value is None:
            return None
        if isinstance(value, str) and value.startswith("-"):
            self.fail(name, "the end lies before the start", "Give a duration that is not negative")
            return None
        parsed = parse_duration(value) if isinstance(value, str) else None
        if parsed is None:
            self.fail(name, "is not an ISO 8601 duration", "Write PT1H30M, or P2D for whole days")
        return parsed

    def members(self, name: str) -> Mapping[str, object]:
        value = self.doc.get(name)
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return value
        self.fail(name, "must be an object")
        return {}

    def items(self, name: str, *, limit: int) -> Sequence[object]:
        value = self.doc.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.fail(name, "must be an array")
        elif len(value) > limit:
            self.fail(name, f"must have at most {limit} entries")
        else:
            return value
        return ()

    def done(self) -> None:
        """Raises InvalidBooking where anything was wrong."""
        if self.errors:
            raise InvalidBooking(self.errors)
