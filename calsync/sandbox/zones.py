"""Time zones as Exchange names them.

Windows names come from tzlocal's copy of CLDR windowsZones. Graph accepts on write every
Windows name and a fixed list of about a hundred IANA names (Graph docs, dateTimeTimeZone
resource), not every IANA id; `OTHER_ACCEPTED` holds the entries of that page which are not
the CLDR main zone of a Windows name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from tzlocal.windows_tz import tz_win, win_tz

from .problems import bad_zone

CUSTOM = "tzone://Microsoft/Custom"
UTC_ALIASES = frozenset(
    {"UTC", "tzone://Microsoft/Utc", "Etc/GMT", "Etc/UTC", "Coordinated Universal Time"}
)
OTHER_ACCEPTED = {
    "America/Santa_Isabel": "America/Tijuana",
    "America/Godthab": "America/Nuuk",
    "Europe/Kyiv (Kiev)": "Europe/Kyiv",
    "Asia/Toshkent (Tashkent)": "Asia/Tashkent",
    "Asia/Astana (Almaty)": "Asia/Almaty",
    "Asia/Yangon (Rangoon)": "Asia/Yangon",
    "Asia/Kolkata": "Asia/Kolkata",
    "Asia/Kathmandu": "Asia/Kathmandu",
    "Africa/Windhoek": "Africa/Windhoek",
    "America/Argentina/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "America/Indiana/Indianapolis": "America/Indiana/Indianapolis",
    "Asia/Yekaterinburg": "Asia/Yekaterinburg",
    "America/Chihuahua": "America/Chihuahua",
    "Europe/Kiev": "Europe/Kyiv",
}


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: the name an item carries, and the rules behind it."""

    label: str
    rules: tzinfo = field(compare=False, hash=False)

    def to_utc(self, wall: datetime) -> datetime:
        """Naive UTC of a naive wall time.

        A gap or an overlap takes the offset before it (fold=0).
        """
        if self.rules is UTC:
            return wall
        offset = wall.replace(tzinfo=self.rules, fold=0).utcoffset()
        return wall - (offset or timedelta(0))

    def to_wall(self, instant: datetime) -> datetime:
        """Naive wall time of a naive UTC instant."""
        if self.rules is UTC:
            return instant
        return instant.replace(tzinfo=UTC).astimezone(self.rules).replace(tzinfo=None, fold=0)


UTC_ZONE = Zone("UTC", UTC)


@lru_cache(maxsize=2048)
def zone(name: str, *, any_iana: bool = False) -> Zone:
    """The zone of a Windows name or an accepted IANA name; refuses others as Graph does."""
    found = lookup(name, any_iana=any_iana)
    if found is None:
        raise bad_zone(name)
    return found


def lookup(name: str, *, any_iana: bool = True) -> Zone | None:
    """As `zone`, but None for an unknown name."""
    if name in UTC_ALIASES or name.upper() == "UTC":
        return Zone(name, UTC)
    main = win_tz.get(name)
    if main is None:
        folded = _FOLDED.get(name.casefold())
        main = win_tz.get(folded) if folded else None
        if main is not None and folded is not None:
            name = folded
    if main is None and name in _LISTED:
        main = OTHER_ACCEPTED.get(name, name)
    if main is None and any_iana and name in _known():
        main = name
    if main is None:
        return None
    try:
        return Zone(name, ZoneInfo(main))
    except (ZoneInfoNotFoundError, ValueError):
        return None


def windows_name(name: str) -> str:
    """The Windows name of a zone name where one exists, else the name itself."""
    if name in win_tz or name == CUSTOM:
        return name
    if name in UTC_ALIASES:
        return "UTC"
    plain = OTHER_ACCEPTED.get(name, name)
    return str(tz_win.get(plain, name))


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


_FOLDED = {known.casefold(): known for known in win_tz}
_LISTED = frozenset(value for value in win_tz.values() if "/" in value) | frozenset(OTHER_ACCEPTED)


def supported(standard: str) -> list[str]:
    """Names for outlook/supportedTimeZones, standard `windows` or `iana`."""
    return sorted(win_tz) if standard.casefold() == "windows" else sorted(_LISTED)
