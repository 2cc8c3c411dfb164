"""Time zones: Windows names and IANA names, over tzlocal's copy of the CLDR table windowsZones.

Nothing here raises on a name from outside: an unknown zone is a value (``Zone.iana is None``)
that keeps the server's own word in ``raw``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import tz_win, win_tz

#: What Exchange and people call UTC besides the names that CLDR's table has for it.
_UTC_NAMES: Final = {"z", "gmt", "tzone://microsoft/utc", "coordinated universal time"}
#: Files of a tz database that mean another thing on every machine, or nothing.
_NO_ZONE: Final = {"localtime", "factory", "posixrules"}
#: tz database links (file ``backward``) and Exchange's odd list entries that CLDR's table lacks.
_LINKS: Final = {
    "CST6CDT": "America/Chicago",
    "EST5EDT": "America/New_York",
    "MST7MDT": "America/Denver",
    "PST8PDT": "America/Los_Angeles",
    "US/East-Indiana": "America/Indiana/Indianapolis",
    "Europe/Uzhgorod": "Europe/Kyiv",
    "Europe/Zaporozhye": "Europe/Kyiv",
    "Europe/Kyiv (Kiev)": "Europe/Kyiv",
    "Asia/Toshkent (Tashkent)": "Asia/Tashkent",
    "Asia/Astana (Almaty)": "Asia/Almaty",
    "Asia/Yangon (Rangoon)": "Asia/Yangon",
}
#: The shape of a tz database key. "posix/" and "right/" are other builds of the same zones. The
#: names of Exchange's legacy custom zones ("tzone://Microsoft/Custom") do not have it.
_KEY: Final = re.compile(
    r"(?!posix/|right/)[A-Za-z][A-Za-z0-9_+\-]*(/[A-Za-z0-9_+\-]+){0,2}", re.ASCII
)
_WINDOWS_OF: Final[dict[str, str]] = tz_win
_WINDOWS: Final[dict[str, str]] = {name.casefold(): iana for name, iana in win_tz.items()}
_IANA: Final[dict[str, str]] = {name.casefold(): name for name in _WINDOWS_OF}
_LINK_NAMES: Final[dict[str, str]] = {
    name.casefold(): name if _KEY.fullmatch(name) else iana for name, iana in _LINKS.items()
}
_FIRST: Final = datetime(1, 1, 1)
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59)


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone name from outside. ``iana`` is None where no rules are known for it."""

    iana: str | None
    raw: str


@lru_cache(maxsize=4096)
def _resolve(name: str) -> Zone:
    folded = name.strip().casefold()
    if folded in _UTC_NAMES:
        return Zone("UTC", name)
    if folded in _NO_ZONE:
        return Zone(None, name)
    found = _WINDOWS.get(folded) or _IANA.get(folded) or _LINK_NAMES.get(folded)
    if found is None and _KEY.fullmatch(name.strip()):
        found = name.strip()
    if found is None:
        return Zone(None, name)
    if _WINDOWS_OF.get(found) == "UTC":
        return Zone("UTC", name)
    return Zone(found if _loads(found) else None, name)


def _loads(key: str) -> bool:
    try:
        ZoneInfo(key)
    except (ValueError, KeyError, OSError):  # OSError: a folder of the database, such as "America"
        return False
    return True


def resolve(name: str | None) -> Zone:
    """The zone behind a Windows or IANA name, legacy aliases included; any case. Never raises."""
    if not isinstance(name, str):
        return Zone(None, "")
    if len(name) > 128:
        return Zone(None, name[:128])
    return _resolve(name)


@lru_cache(maxsize=1024)
def to_windows(iana: str) -> str | None:
    """The Windows name of an IANA zone; None where CLDR knows none (such as Antarctica/Troll)."""
    zone = resolve(iana).iana
    if zone is None:
        return None
    return _WINDOWS_OF.get(_LINKS.get(zone, zone))


@lru_cache(maxsize=1024)
def canonical(iana: str) -> str:
    """One name for all zones that Graph cannot tell apart.

    Graph keeps a series' zone by its Windows name, so Europe/Vienna comes back as
    Europe/Berlin. Where the two have the same offsets (compared a week apart from 2026 to 2037)
    both sides use the latter. Where its own Windows name says other offsets (CLDR's entry of
    America/Scoresbysund is out of date), another zone that has them stands for it; without any
    (Antarctica/Troll) the IANA name itself stays.
    """
    zone = resolve(iana).iana
    if zone is None:
        return iana
    own = to_windows(zone)
    for name in ([own] if own else []) + sorted(win_tz):
        main = resolve(win_tz[name]).iana
        if main is not None and _alike(zone, main):
            return main
    return zone


def _alike(one: str, other: str) -> bool:
    a, b = zone_info(one), zone_info(other)
    # Not before 2026: CLDR joins zones whose past differs, and rooms are booked in the future.
    day = datetime(2026, 1, 1, tzinfo=UTC)
    weeks = (day + timedelta(weeks=n) for n in range(52 * 12))
    return all(t.astimezone(a).utcoffset() == t.astimezone(b).utcoffset() for t in weeks)


@lru_cache(maxsize=1024)
def outgoing(iana: str) -> str | None:
    """The name to send to Graph: a Windows name with the same offsets. None where there is none:
    of IANA names Graph takes a fixed list (resource dateTimeTimeZone), all of which have one."""
    main = canonical(iana)
    windows = to_windows(main)
    return windows if windows is not None and resolve(win_tz[windows]).iana == main else None


@lru_cache(maxsize=1024)
def zone_info(iana: str) -> ZoneInfo:
    """The rules of a zone. UTC for a name that has none: callers resolve first."""
    zone = resolve(iana).iana
    return ZoneInfo(zone or "UTC")


def to_utc(wall: datetime, zone: str) -> datetime:
    """The aware UTC instant of a naive wall time.

    A time that occurs twice means the first (fold=0). A time skipped by the clocks takes the
    offset from before the gap, so it lies as far after the gap as it would have: 02:30 on the
    day Berlin goes to summer time is 01:30Z, which is 03:30 there.
    """
    if zone == "UTC":
        return wall.replace(tzinfo=UTC)
    try:
        return wall.replace(tzinfo=zone_info(zone), fold=0).astimezone(UTC)
    except OverflowError:  # within a day of the ends of the calendar
        return (_FIRST if wall.year == 1 else _LAST).replace(tzinfo=UTC)


def span_utc(start: datetime, end: datetime, zone: str) -> tuple[datetime, datetime]:
    """Both ends in UTC. Lengths are wall lengths, as Outlook keeps them: 20:00-08:00 over the
    change of the clocks stays 20:00-08:00."""
    begin, finish = to_utc(start, zone), to_utc(end, zone)
    # A start inside the gap in spring moves forward and could pass its own end.
    return begin, finish if finish >= begin else begin + (end - start)


def real_span(start: datetime, end: datetime, zone: str) -> tuple[datetime, datetime]:
    """The same span by wall times that the clocks do show."""
    begin, finish = span_utc(start, end, zone)
    # Never turned about: wall times mean the first of two hours, and nowhere do the clocks go
    # back within a day of going forward.
    return to_wall(begin, zone), to_wall(finish, zone)


def skipped(wall: datetime, zone: str) -> datetime | None:
    """The wall time that the clocks skip and ``to_utc`` reads as the same instant as ``wall``:
    02:30 for 03:30 on the day Berlin goes to summer time. None on every other day."""
    if zone == "UTC":
        return None
    tz, at = zone_info(zone), to_utc(wall, zone)
    try:
        # Nowhere do the clocks go forward twice within 25 hours; a whole day can be skipped.
        before = (at - timedelta(hours=25)).astimezone(tz).utcoffset()
        now = at.astimezone(tz).utcoffset()
        assert before is not None
        assert now is not None
        if now <= before:
            return None
        name = wall - (now - before)
    except OverflowError:
        return None
    return name if to_utc(name, zone) == at else None


def exists(wall: datetime, zone: str) -> bool:
    """False for a wall time that the clocks skip."""
    return to_wall(to_utc(wall, zone), zone) == wall


def to_wall(instant: datetime, zone: str) -> datetime:
    """The naive wall time of an aware instant."""
    try:
        tz = UTC if zone == "UTC" else zone_info(zone)
        return instant.astimezone(tz).replace(tzinfo=None, fold=0)
    except OverflowError:
        return _FIRST if instant.year == 1 else _LAST


def day_at(instant: datetime, zone: str) -> date | None:
    """The day that begins at an aware instant in ``zone``; None where no day begins then. On a
    day whose midnight the clocks skip (Cairo in spring) it begins at one."""
    wall = to_wall(instant, zone)
    # Where midnight comes twice (Havana in autumn), a server may mean either.
    if wall.time() == time(0) or to_utc(datetime.combine(wall.date(), time(0)), zone) == instant:
        return wall.date()
    return None
