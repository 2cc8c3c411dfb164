"""RRULE text (RFC 5545 section 3.3.10) ↔ Rule.

A room is booked by days, so parts within a day are refused; so are BYWEEKNO and BYYEARDAY,
which no calendar program offers for meetings. Every refusal is a MappingError that says what
can be written instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Never

from calsync.errors import MappingError
from calsync.mapping import dates, zones
from calsync.mapping.canon import canonical
from calsync.model import Frequency, Nth, Rule, Weekday

__all__ = ["canonical", "format_rrule", "parse_rrule"]

#: Bounds against recurrence bombs.
MAX_TEXT: Final = 1_000
MAX_INTERVAL: Final = 999
MAX_COUNT: Final = 10_000

_DAY_PART: Final = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d{1,5}", re.ASCII)
_UNTIL: Final = re.compile(r"(\d{8})(?:T(\d{6})(Z)?)?", re.ASCII)
_UNSAYABLE: Final = {
    "BYHOUR",
    "BYMINUTE",
    "BYSECOND",
    "BYWEEKNO",
    "BYYEARDAY",
    "BYEASTER",
    "RSCALE",
}


def parse_rrule(text: str, *, start: datetime, zone: str | None, all_day: bool) -> Rule:
    """The canonical rule of a series that starts at ``start``, a wall time in ``zone`` (IANA).

    For an all-day series ``zone`` is the room's zone, if known: Exchange writes its UNTIL as
    the UTC instant of a local midnight. Raises MappingError.
    """
    parts = _parts(text)
    frequency = _frequency(parts)
    rule = Rule(
        frequency=frequency,
        interval=_whole(parts, "INTERVAL", 1, MAX_INTERVAL) or 1,
        by_day=_days(parts, frequency),
        by_month_day=_numbers(parts, "BYMONTHDAY", -31, 31),
        by_month=_numbers(parts, "BYMONTH", 1, 12),
        by_set_pos=_numbers(parts, "BYSETPOS", -366, 366),
        week_start=_week_start(parts),
        count=_whole(parts, "COUNT", 1, MAX_COUNT),
        until=_until(parts, start, zone, all_day),
    )
    _check(rule, start)
    return canonical(rule, start)


def _fail(what: str, todo: str) -> Never:
    raise MappingError(what, where="recurrence rule", todo=todo)


def _parts(text: str) -> dict[str, str]:
    if not isinstance(text, str) or not text.strip():
        _fail("it is empty", "Write a rule such as FREQ=WEEKLY;COUNT=10")
    if len(text) > MAX_TEXT:
        _fail(f"it is longer than {MAX_TEXT} characters", "Write a shorter rule")
    body = text.strip().upper().removeprefix("RRULE:")
    parts: dict[str, str] = {}
    for part in body.strip(";").split(";"):
        name, sign, value = part.partition("=")
        name, value = name.strip(), value.strip()
        if not sign or not name or not value:
            _fail(f"{_show(part)} is no NAME=VALUE", "Write a rule such as FREQ=WEEKLY;COUNT=10")
        if name in parts:
            _fail(f"{_show(name)} is given twice", "Give each part once")
        if name in _UNSAYABLE:
            _fail(f"a room cannot be booked by {name}", "Use days, weeks, months or years")
        if name not in _KNOWN:
            _fail(f"{_show(name)} is no part of a rule", f"Use {', '.join(sorted(_KNOWN))}")
        parts[name] = value
    if "COUNT" in parts and "UNTIL" in parts:
        _fail("it has both COUNT and UNTIL", "Give one of the two")
    return parts


_KNOWN: Final = {
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "BYDAY",
    "BYMONTHDAY",
    "BYMONTH",
    "BYSETPOS",
    "WKST",
}


def _show(text: str) -> str:
    return repr(text[:40])


def _frequency(parts: Mapping[str, str]) -> Frequency:
    value = parts.get("FREQ", "")
    if value in ("HOURLY", "MINUTELY", "SECONDLY"):
        _fail(f"a room cannot be booked {value}", "Use DAILY, WEEKLY, MONTHLY or YEARLY")
    if value not in Frequency.__members__:
        _fail(f"FREQ is {_show(value)}", "Use DAILY, WEEKLY, MONTHLY or YEARLY")
    return Frequency(value)


def _whole(parts: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    if name not in parts:
        return None
    value = parts[name]
    if not _NUMBER.fullmatch(value) or not low <= int(value) <= high:
        _fail(f"{name} is {_show(value)}", f"Use a whole number from {low} to {high}")
    return int(value)


def _numbers(parts: Mapping[str, str], name: str, low: int, high: int) -> tuple[int, ...]:
    if name not in parts:
        return ()
    found = set()
    for value in parts[name].split(","):
        if not _NUMBER.fullmatch(value) or not low <= int(value) <= high or int(value) == 0:
            _fail(
                f"{name} has {_show(value)}", f"Use whole numbers from {low} to {high}, without 0"
            )
        found.add(int(value))
    return tuple(sorted(found))


def _days(parts: Mapping[str, str], frequency: Frequency) -> tuple[Nth, ...]:
    if "BYDAY" not in parts:
        return ()
    found = set()
    for value in parts["BYDAY"].split(","):
        fits = _DAY_PART.fullmatch(value)
        if not fits:
            _fail(f"BYDAY has {_show(value)}", "Use MO, TU, WE, TH, FR, SA, SU, or 2MO, -1FR")
        position = int(fits[1] or 0)
        if fits[1] is not None:
            _check_position(value, position, parts, frequency)
        found.add(Nth(Weekday[fits[2]], position))
    return tuple(found)  # the one form sorts them


def _check_position(
    value: str, position: int, parts: Mapping[str, str], frequency: Frequency
) -> None:
    if frequency not in (Frequency.MONTHLY, Frequency.YEARLY):
        _fail(f"BYDAY={value} with FREQ={frequency}", "Leave the number out, or use MONTHLY")
    most = 53 if frequency is Frequency.YEARLY and "BYMONTH" not in parts else 5
    if not 1 <= abs(position) <= most:
        _fail(f"BYDAY has {_show(value)}", f"Use positions from 1 to {most}, or -1 to -{most}")


def _week_start(parts: Mapping[str, str]) -> Weekday:
    value = parts.get("WKST", "MO")
    if value not in Weekday.__members__:
        _fail(f"WKST is {_show(value)}", "Use MO, TU, WE, TH, FR, SA or SU")
    return Weekday[value]


def _until(
    parts: Mapping[str, str], start: datetime, zone: str | None, all_day: bool
) -> date | None:
    """UNTIL as the last local date on which an occurrence may start."""
    if "UNTIL" not in parts:
        return None
    fits = _UNTIL.fullmatch(parts["UNTIL"])
    try:
        at = datetime.fromisoformat(f"{fits[1]}T{fits[2] or '000000'}") if fits else None
    except ValueError:
        at = None
    if at is None or fits is None:
        _fail(f"UNTIL is {_show(parts['UNTIL'])}", "Write 20261231 or 20261231T225959Z")
    if fits[2] is None:
        last = at.date()
    elif all_day:
        last = _last_whole_day(at, zone, is_utc=fits[3] is not None)
    else:
        last = _last_start(at, start.time(), zone or "UTC", is_utc=fits[3] is not None)
    if last < start.date():
        _fail("UNTIL lies before the start", "Set UNTIL to the date of the last occurrence")
    return last


def _last_whole_day(at: datetime, zone: str | None, *, is_utc: bool) -> date:
    # Exchange writes the UTC instant of local midnight, 20200916T230000Z for 17 September in
    # London; Google the last second of the local day. Without a zone, read to the midnight
    # that is nearest.
    if not is_utc:
        return at.date()
    if zone is not None:
        return zones.to_wall(zones.to_utc(at, "UTC"), zone).date()
    ends_day = at.second == 59
    nearest = (at + timedelta(seconds=ends_day) + timedelta(hours=12)).date()
    return nearest - timedelta(days=1) if ends_day else nearest


def _last_start(at: datetime, clock: time, zone: str, *, is_utc: bool) -> date:
    if not is_utc:
        return at.date() if clock <= at.time() else _before(at.date())
    instant = zones.to_utc(at, "UTC")
    day = zones.to_wall(instant, zone).date()
    # Compared as instants: a slot in the gap of the clocks has no wall time to compare.
    return day if zones.to_utc(datetime.combine(day, clock), zone) <= instant else _before(day)


def _before(day: date) -> date:
    return day - timedelta(days=1) if day > date.min else day


def _check(rule: Rule, start: datetime) -> None:
    if rule.frequency is Frequency.WEEKLY and rule.by_month_day:
        _fail("BYMONTHDAY with FREQ=WEEKLY", "Use FREQ=MONTHLY, or leave BYMONTHDAY out")
    if rule.by_set_pos and not (rule.by_day or rule.by_month_day or rule.by_month):
        _fail("BYSETPOS stands alone", "Add BYDAY or BYMONTHDAY, or leave BYSETPOS out")
    if dates.first(rule, start.date()) is None:
        _fail("it gives no occurrence", "Check its parts against each other and its end")


def format_rrule(rule: Rule, *, start: datetime, zone: str | None, all_day: bool) -> str:
    """RRULE text (without the name). UNTIL is a date for all-day series, else the UTC instant
    of the last start, as RFC 5545 asks of series with a zone."""
    texts = [f"FREQ={rule.frequency.value}"]
    if rule.interval != 1:
        texts.append(f"INTERVAL={rule.interval}")
    texts += _listed("BYMONTH", rule.by_month)
    texts += _listed("BYMONTHDAY", rule.by_month_day)
    texts += _listed("BYDAY", rule.by_day, lambda n: f"{n.position or ''}{n.weekday.name}")
    texts += _listed("BYSETPOS", rule.by_set_pos)
    if rule.week_start is not Weekday.MO:
        texts.append(f"WKST={rule.week_start.name}")
    if rule.count is not None:
        texts.append(f"COUNT={rule.count}")
    if rule.until is not None:
        if all_day:
            texts.append(f"UNTIL={rule.until:%Y%m%d}")
        else:
            until = zones.to_utc(datetime.combine(rule.until, start.time()), zone or "UTC")
            texts.append(f"UNTIL={until:%Y%m%dT%H%M%SZ}")
    return ";".join(texts)


def _listed(name: str, values: tuple[Any, ...], show: Callable[[Any], str] = str) -> list[str]:
    return [f"{name}={','.join(show(value) for value in values)}"] if values else []
