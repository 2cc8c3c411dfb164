"""Time zones as EWS writes them: a definition of periods and transitions under a Windows name.

Rules are taken from the zone tables for the year at hand. Values without an offset are wall time of
the zone said: in the property's own zone, else in the TimeZoneContext (EWS docs, time zones).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache

from ..problems import Refusal
from ..zones import CUSTOM, UTC_ZONE, Zone, lookup, supported, windows_name
from .call import schema
from .xml import Markup, Node, t

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_TIME = re.compile(
    r"^(-?\d{4,})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?$"
)
_DURATION = re.compile(r"^(-)?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?$")
YEAR = 2026


def shown(instant: datetime, zone: Zone = UTC_ZONE, *, precise: bool = False) -> str:
    """A naive UTC instant in an answer: Z or the offset of the zone asked; in whole seconds, or in
    milliseconds where the header DateTimePrecision asks for them."""
    unit = "milliseconds" if precise else "seconds"
    if zone.rules is UTC:
        return instant.isoformat(timespec=unit) + "Z"
    wall = instant.replace(tzinfo=UTC).astimezone(zone.rules)
    return wall.isoformat(timespec=unit)


def duration(span: timedelta) -> str:
    """xs:duration of days, hours, minutes, seconds."""
    sign = "-" if span < timedelta(0) else ""
    seconds = abs(int(span.total_seconds()))
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    text = "".join(f"{n}{u}" for n, u in ((hours, "H"), (minutes, "M"), (seconds, "S")) if n)
    day = f"{days}D" if days else ""
    return f"{sign}P{day}{'T' + text if text else ''}" if day or text else "PT0S"


def read_duration(node: Node, text: str) -> timedelta:
    """xs:duration back."""
    found = _DURATION.match(text.strip())
    if found is None or text.strip().endswith(("P", "T")):
        raise schema(f"The '{node.name}' element is invalid - '{text}' is no duration.", node)
    days, hours, minutes, seconds = (int(one or 0) for one in found.groups()[1:])
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -span if found.group(1) else span


def read_time(node: Node, text: str) -> tuple[datetime, bool]:
    """xs:dateTime: naive value, and whether it carried an offset (then the value is UTC)."""
    found = _TIME.match(text.strip())
    if found is None:
        raise schema(f"The '{node.name}' element is invalid - '{text}' is no DateTime.", node)
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        micro = int((fraction or "0")[:6].ljust(6, "0"))
        value = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            micro,
        )
        if offset is None:
            return value, False
        if offset == "Z":
            return value, True
        span = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
        return value - (-span if offset[0] == "-" else span), True
    except (ValueError, OverflowError):
        raise schema(
            f"The '{node.name}' element is invalid - '{text}' is no DateTime.", node
        ) from None


def instant_of(node: Node, text: str, zone: Zone) -> datetime:
    """xs:dateTime as a naive UTC instant; without an offset it is wall time of that zone."""
    value, said = read_time(node, text)
    return value if said else zone.to_utc(value)


# -- definitions read -----------------------------------------------------------------------


def read_definition(node: Node) -> Zone:
    """A TimeZoneDefinition, StartTimeZone or EndTimeZone: by its Id, else by its periods."""
    name = node.attrs.get("Id", "")
    found = _named(name) if name else None
    if found is not None:
        return found
    periods = node.find("Periods")
    if periods is not None and periods.kids:
        return Zone(CUSTOM, _ruled(node))
    raise Refusal(400, "ErrorTimeZone", f"The specified time zone isn't valid: '{name}'.")


def _named(name: str) -> Zone | None:
    # Exchange knows its own names only; an IANA name is no time zone to it.
    found = lookup(name, any_iana=False)
    if found is None or "/" in found.label:
        return UTC_ZONE if name == "tzone://Microsoft/Utc" else None
    return UTC_ZONE if found.rules is UTC else found


class Rules(tzinfo):
    """Two offsets with the days of the year on which they change."""

    def __init__(
        self, standard: timedelta, daylight: timedelta, into: Changes | None, back: Changes | None
    ) -> None:
        self.standard, self.daylight, self.into, self.back = standard, daylight, into, back

    def utcoffset(self, moment: datetime | None) -> timedelta:
        if moment is None or self.into is None or self.back is None:
            return self.standard
        wall = moment.replace(tzinfo=None)
        into, back = on(self.into, wall.year), on(self.back, wall.year)
        summer = into <= wall < back if into < back else not back <= wall < into
        return self.daylight if summer else self.standard

    def dst(self, moment: datetime | None) -> timedelta:
        return self.utcoffset(moment) - self.standard

    def tzname(self, moment: datetime | None) -> str:
        _ = moment
        return CUSTOM


# month, weekday (0 = Monday), which one (-1 = last), wall time
Changes = tuple[int, int, int, time]


def on(change: Changes, year: int) -> datetime:
    """Wall time of a change in a year."""
    month, weekday, place, clock = change
    if place > 0:
        day = datetime(year, month, 1)
        day += timedelta(days=(weekday - day.weekday()) % 7 + 7 * (place - 1))
    else:
        day = datetime(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        day -= timedelta(days=(day.weekday() - weekday) % 7)
    return datetime.combine(day, clock)


def _ruled(node: Node) -> tzinfo:
    """Rules of a definition: the periods of its last transition group."""
    bias = {
        one.attrs.get("Id", ""): -read_duration(one, one.attrs.get("Bias", "PT0S"))
        for one in (node.find("Periods") or node).all("Period")
    }
    changes: dict[str, Changes] = {}
    groups = node.find("TransitionsGroups")
    for one in groups.kids[-1].kids if groups is not None and groups.kids else ():
        to = (one.said("To") or "").strip()
        if one.name != "RecurringDayTransition" or to not in bias:
            continue
        weekday = one.said("DayOfWeek") or ""
        clock = datetime(1, 1, 1) + read_duration(one, one.said("TimeOffset") or "PT0S")
        changes[to] = (
            max(1, min(12, int(one.said("Month") or 1))),
            DAYS.index(weekday) if weekday in DAYS else 6,
            int(one.said("Occurrence") or 1),
            clock.time(),
        )
    if len(changes) != 2:
        return timezone(next(iter(bias.values()), timedelta(0)))
    (one_id, one_change), (other_id, other_change) = changes.items()
    if bias[one_id] > bias[other_id]:
        return Rules(bias[other_id], bias[one_id], one_change, other_change)
    return Rules(bias[one_id], bias[other_id], other_change, one_change)


def read_meeting_zone(node: Node) -> Zone:
    """MeetingTimeZone of the schema Exchange2007: by its name, else by its base offset."""
    name = node.attrs.get("TimeZoneName", "")
    found = _named(name) if name else None
    if found is not None:
        return found
    base = node.find("BaseOffset")
    if base is None:
        raise Refusal(400, "ErrorCalendarInvalidTimeZone", f"The time zone '{name}' isn't valid.")
    return Zone(CUSTOM, timezone(-read_duration(base, base.text)))


# -- definitions written --------------------------------------------------------------------


# Standard and daylight offset, and the changes into daylight and back.
Ruled = tuple[timedelta, timedelta, Changes | None, Changes | None]


@lru_cache(maxsize=512)
def rules_of(label: str, year: int = YEAR) -> Ruled:
    """The rules of a named zone in a year."""
    return _ruled_by((lookup(label) or UTC_ZONE).rules, year)


def _ruled_by(rules: tzinfo, year: int) -> Ruled:
    offsets, changes = _look(rules, year)
    if len(changes) != 2 or len(set(offsets)) != 2:
        # None, or several (Ramadan in Morocco): what stands at the end of the year.
        return offsets[-1], offsets[-1], None, None
    low, high = min(offsets), max(offsets)
    into = next(one for one in changes if one[1] == high)
    back = next(one for one in changes if one[1] == low)
    return low, high, _rule(rules, into[0], year), _rule(rules, back[0], year)


def _look(rules: tzinfo, year: int) -> tuple[list[timedelta], list[tuple[datetime, timedelta]]]:
    """Offsets in a year in their order, and (wall time before the change, new offset)."""
    moment = datetime(year, 1, 1, tzinfo=UTC)
    offsets = [_offset(rules, moment)]
    changes: list[tuple[datetime, timedelta]] = []
    step = timedelta(hours=1)
    while moment.year == year:
        after = moment + timedelta(days=1)
        if _offset(rules, after) != offsets[-1]:
            while _offset(rules, moment + step) == offsets[-1]:
                moment += step
            half = timedelta(minutes=30)
            if _offset(rules, moment + half) == offsets[-1]:
                moment += half
                half = timedelta(minutes=30)
            at = (moment + half).replace(tzinfo=None) + offsets[-1]
            offsets.append(_offset(rules, moment + half))
            changes.append((at, offsets[-1]))
        moment = after
    return offsets, changes


def _offset(rules: tzinfo, moment: datetime) -> timedelta:
    return moment.astimezone(rules).utcoffset() or timedelta(0)


def _rule(rules: tzinfo, at: datetime, year: int) -> Changes:
    """The weekday rule of a change: the last one of the month where that holds next year, too."""
    place = (at.day - 1) // 7 + 1
    is_last = (at + timedelta(days=7)).month != at.month
    _, later = _look(rules, year + 1)
    other = [one for one, _ in later if one.month == at.month]
    if is_last and (place == 5 or (other and (other[0] + timedelta(days=7)).month != at.month)):
        place = -1
    return at.month, at.weekday(), place, at.time()


def described(element: str, zone: Zone) -> Markup:
    """The zone of an item. One without a name is told by its rules."""
    if zone.label == CUSTOM:
        return _definition(element, CUSTOM, _ruled_by(zone.rules, YEAR), full=True)
    return definition(element, zone.label)


@lru_cache(maxsize=1024)
def definition(element: str, label: str, *, full: bool = True) -> Markup:
    """A zone as an element of that name: id, display name, and with `full` its rules."""
    label = windows_name(label)
    return _definition(element, label, rules_of(label), full=full)


def _definition(element: str, label: str, rules: Ruled, *, full: bool) -> Markup:
    standard, daylight, into, back = rules
    name = f"({display_offset(standard)}) {label}"
    if not full:
        return t(element, Id=label, Name=name)
    prefix = f"trule:Microsoft/Registry/{label}/1"
    periods = [t("Period", Bias=duration(-standard), Name="Standard", Id=f"{prefix}-Standard")]
    if into is None or back is None:
        group = t(
            "TransitionsGroup",
            t("Transition", t("To", f"{prefix}-Standard", Kind="Period")),
            Id="0",
        )
    else:
        periods.append(
            t("Period", Bias=duration(-daylight), Name="Daylight", Id=f"{prefix}-Daylight")
        )
        group = t(
            "TransitionsGroup",
            _transition(f"{prefix}-Daylight", into),
            _transition(f"{prefix}-Standard", back),
            Id="0",
        )
    return t(
        element,
        t("Periods", *periods),
        t("TransitionsGroups", group),
        t("Transitions", t("Transition", t("To", "0", Kind="Group"))),
        Id=label,
        Name=name,
    )


def _transition(to: str, change: Changes) -> Markup:
    month, weekday, place, clock = change
    return t(
        "RecurringDayTransition",
        t("To", to, Kind="Period"),
        t("TimeOffset", duration(timedelta(hours=clock.hour, minutes=clock.minute))),
        t("Month", month),
        t("DayOfWeek", DAYS[weekday]),
        t("Occurrence", place),
    )


def display_offset(offset: timedelta) -> str:
    """UTC, UTC+01:00, UTC-03:30 …"""
    if not offset:
        return "UTC"
    minutes = int(abs(offset).total_seconds()) // 60
    return f"UTC{'-' if offset < timedelta(0) else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


@lru_cache(maxsize=256)
def meeting_zone(label: str) -> Markup:
    """MeetingTimeZone of the schema Exchange2007."""
    label = windows_name(label)
    standard, daylight, into, back = rules_of(label)
    parts: list[Markup] = [t("BaseOffset", duration(-standard))]
    if into is not None and back is not None:
        parts.append(_change("Standard", timedelta(0), back))
        parts.append(_change("Daylight", standard - daylight, into))
    return t("MeetingTimeZone", *parts, TimeZoneName=label)


def _change(name: str, offset: timedelta, change: Changes) -> Markup:
    month, weekday, place, clock = change
    return t(
        name,
        t("Offset", duration(offset)),
        t(
            "RelativeYearlyRecurrence",
            t("DaysOfWeek", DAYS[weekday]),
            t(
                "DayOfWeekIndex",
                ("First", "Second", "Third", "Fourth", "Last")[place - 1 if place > 0 else 4],
            ),
            t("Month", MONTHS[month - 1]),
        ),
        t("Time", clock.isoformat()),
    )


def all_zones() -> list[str]:
    """Windows names of all zones a server knows."""
    return [one for one in supported("windows") if lookup(one) is not None]
