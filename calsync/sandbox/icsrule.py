"""RRULE to a Graph recurrence, where Graph has a pattern that means the same."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from .recurrence import INDEXES, MAX_COUNT, Pattern, Recurrence, settle

if TYPE_CHECKING:
    from .icsfile import Entry, File

CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FINE = ("BYHOUR", "BYMINUTE", "BYSECOND", "BYWEEKNO", "BYYEARDAY", "BYEASTER")


def rule_of(file: File, master: Entry) -> tuple[Recurrence | None, str]:
    """The recurrence, or None with the reason why Graph has none."""
    from .icsload import local_until

    raw = master.raw["RRULE"]
    parts = {str(name).upper(): value for name, value in raw.items()}
    if any(name in parts for name in FINE):
        return None, "a BY part Graph does not have"
    start = master.slot.start.date()
    pattern, reason = _pattern(parts, start)
    if pattern is None:
        return None, reason
    number = int(parts["COUNT"][0]) if "COUNT" in parts else 0
    if number > MAX_COUNT:
        return None, "more than 999 instances"
    if number:
        return settle(Recurrence(pattern, start, "numbered", None, number)), ""
    until = local_until(file, master)
    if until is None:
        return settle(Recurrence(pattern, start)), ""
    last = (
        until.date()
        if until.time() >= master.slot.start.time()
        else until.date() - timedelta(days=1)
    )
    made = settle(Recurrence(pattern, start, "endDate", last))
    if made.start > last:
        return None, "the rule has no instance"
    return made, ""


def _pattern(parts: dict[str, Any], start: date) -> tuple[Pattern | None, str]:
    kind = str(parts["FREQ"][0]).upper()
    interval = int(parts["INTERVAL"][0]) if "INTERVAL" in parts else 1
    days = [_weekday(str(one)) for one in parts.get("BYDAY", [])]
    # RFC 5545 weeks begin on Monday unless WKST says otherwise; Graph's default is Sunday.
    first = CODES.index(str(parts["WKST"][0]).upper()) if "WKST" in parts else 0
    if kind == "DAILY":
        if "BYMONTH" in parts or "BYMONTHDAY" in parts or (days and interval > 1):
            return None, "a daily rule with BY parts"
        return Pattern(
            "weekly" if days else "daily",
            interval,
            tuple(sorted(day for _, day in days)),
            first_day=first,
        ), ""
    if kind == "WEEKLY":
        if "BYMONTH" in parts or "BYSETPOS" in parts:
            return None, "a weekly rule with BYMONTH or BYSETPOS"
        chosen = tuple(sorted({day for _, day in days})) or (start.weekday(),)
        return Pattern("weekly", interval, chosen, first_day=first), ""
    if kind == "MONTHLY":
        if "BYMONTH" in parts:
            return None, "a monthly rule with BYMONTH"
        return _monthly(parts, start, interval, days, 0)
    if kind == "YEARLY":
        months = [int(one) for one in parts.get("BYMONTH", [])] or [start.month]
        if len(months) > 1:
            return None, "several months"
        if days and "BYMONTH" not in parts:
            return None, "a yearly rule with BYDAY and no month"
        return _monthly(parts, start, interval, days, months[0])
    return None, f"FREQ={kind}"


def _monthly(
    parts: dict[str, Any], start: date, interval: int, days: list[tuple[int, int]], month: int
) -> tuple[Pattern | None, str]:
    suffix = "Yearly" if month else "Monthly"
    positions = [int(one) for one in parts.get("BYSETPOS", [])]
    numbers = sorted(int(one) for one in parts.get("BYMONTHDAY", []))
    if days:
        if numbers:
            return None, "BYDAY with BYMONTHDAY"
        return _relative(f"relative{suffix}", interval, days, positions, month)
    if not numbers:
        numbers = [start.day]
    if positions == [-1] and len(numbers) > 1 and numbers == list(range(28, numbers[-1] + 1)):
        # BYMONTHDAY=28,…,d;BYSETPOS=-1 is Outlook's clamping said in RFC 5545.
        return Pattern(f"absolute{suffix}", interval, day_of_month=numbers[-1], month=month), ""
    if positions or len(numbers) > 1:
        return None, "several days of the month or BYSETPOS"
    day = numbers[0]
    if day == -1:
        return Pattern(
            f"absolute{suffix}",
            interval,
            day_of_month=31 if not month else _last(month),
            month=month,
        ), ""
    if day < 1:
        return None, "a day counted from the end of the month"
    if day > (28 if not month or month == 2 else _last(month)):
        return None, "a rule that skips short months, where Outlook would move to the month's end"
    return Pattern(f"absolute{suffix}", interval, day_of_month=day, month=month), ""


def _relative(
    kind: str, interval: int, days: list[tuple[int, int]], positions: list[int], month: int
) -> tuple[Pattern | None, str]:
    ranks = {rank for rank, _ in days}
    if positions:
        if len(positions) > 1 or ranks != {0}:
            return None, "a list of BYSETPOS"
        rank = positions[0]
    else:
        if len(days) > 1 or ranks == {0}:
            return None, "several weekdays in the month"
        rank = days[0][0]
    if rank not in (1, 2, 3, 4, -1):
        return None, "a position Graph has no index for"
    index = INDEXES[4] if rank == -1 else INDEXES[rank - 1]
    return Pattern(kind, interval, tuple(sorted({day for _, day in days})), 0, month, index), ""


def _weekday(text: str) -> tuple[int, int]:
    code, rank = text[-2:].upper(), text[:-2]
    return (int(rank) if rank else 0), CODES.index(code)


def _last(month: int) -> int:
    return 29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31
