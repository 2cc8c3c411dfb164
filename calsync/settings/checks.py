"""What a single setting may be. A check takes the raw TOML value and gives the setting, or
raises :class:`Wrong` with what is wrong and what to do."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from calsync.mapping.reactions import read_reactions

Check = Callable[[object], object]

#: The key of a dataclass field's metadata under which its check is kept.
CHECK = "check"


class Wrong(Exception):
    """A value that cannot be a setting."""

    def __init__(self, what: str, todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.todo = todo


def checked(check: Check) -> Mapping[str, Any]:
    """The metadata of a field with this check."""
    return {CHECK: check}


_KINDS = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}


def shown(value: object) -> str:
    """A value as an admin wrote it, short, on one line."""
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 40 else f"{text[:37]}…"


def _a(value: object) -> str:
    match value:
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return f"{_KINDS.get(type(value), 'a date or time')} ({shown(value)})"


def reactions(value: object) -> str:
    """What Outlook's bookings get for breaking rules: ``opening_hours=decline, seats=warn``."""
    said = text(value)
    try:
        read_reactions(said)
    except ValueError as error:
        raise Wrong(str(error), 'Write such as "opening_hours=decline, seats=warn"') from None
    return said


# --- kinds of values -------------------------------------------------------------------------


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"must be true or false, not {_a(value)}", "Write true or false, unquoted")
    return value


def text(value: object) -> str:
    """Any text on one line."""
    if not isinstance(value, str):
        raise Wrong(f"must be text, not {_a(value)}", 'Write it in quotes: "…"')
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in value):
        raise Wrong("must not hold line breaks or control characters")
    return value


def filled(value: object) -> str:
    """Text that is not blank."""
    found = text(value).strip()
    if not found:
        raise Wrong("must not be empty")
    return found


def whole(least: int, most: int) -> Check:
    """A whole number between two, inclusive."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(f"must be a whole number, not {_a(value)}")
        return int(_between(value, least, most))

    return check


def number(least: float, most: float) -> Check:
    """A number between two, inclusive."""

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(f"must be a number, not {_a(value)}")
        return _between(value, least, most)

    return check


def _between(value: float, least: float, most: float) -> float:
    if math.isnan(value) or not least <= value <= most:
        raise Wrong(f"must be between {least:g} and {most:g}, not {shown(value)}")
    return value


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])\s*", re.ASCII)


def duration(least: float, most: float) -> Check:
    """Seconds: a number, or text such as "90s", "3m" or "1h30m"."""

    def check(value: object) -> float:
        if isinstance(value, str):
            seconds = _seconds(value)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(f"must be a duration, not {_a(value)}", 'Write seconds, or "3m"')
        else:
            seconds = float(value)
        if math.isnan(seconds) or not least <= seconds <= most:
            raise Wrong(f"must be between {span(least)} and {span(most)}, not {shown(value)}")
        return seconds

    return check


def _seconds(value: str) -> float:
    parts = list(_SPAN.finditer(value.strip()))
    if not parts or "".join(part.group(0) for part in parts) != value.strip():
        raise Wrong(
            f"{shown(value)} is not a duration", 'Write seconds, or "90s", "3m", "2h", "1h30m"'
        )
    return sum(float(part.group(1)) * _UNITS[part.group(2)] for part in parts)


def span(seconds: float) -> str:
    """A duration in its largest whole unit."""
    for unit in ("d", "h", "m"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:g}{unit}"
    return f"{seconds:g}s"


def time_of_day(value: object) -> time:
    """A wall time: "02:30", or TOML's own time."""
    if isinstance(value, time):
        return value.replace(microsecond=0)
    if isinstance(value, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII):
        return time.fromisoformat(value)
    raise Wrong(f"must be a time of day, not {_a(value)}", 'Write it as "02:30"')


def day(value: object) -> date | None:
    """A date: 2027-03-01, with or without quotes; empty text stands for none."""
    if value == "":
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    raise Wrong(f"must be a date, not {_a(value)}", "Write it as 2027-03-01")


def choice(*choices: str) -> Check:
    """One of these words."""

    def check(value: object) -> str:
        if value not in choices:
            raise Wrong(f"must be one of {', '.join(choices)}, not {shown(value)}")
        return str(value)

    return check


def choices(*allowed: str) -> Check:
    """A list of these words, each at most once."""

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise Wrong(f"must be a list, not {_a(value)}", f'Write ["{allowed[0]}"]')
        for entry in value:
            if entry not in allowed:
                raise Wrong(f"{shown(entry)} is none of {', '.join(allowed)}")
        return tuple(dict.fromkeys(value))

    return check


def networks(value: object) -> tuple[str, ...]:
    """A list of networks, such as "10.20.0.0/16"."""
    if not isinstance(value, list):
        raise Wrong(f"must be a list, not {_a(value)}", 'Write ["10.20.0.0/16"]')
    found = []
    for entry in value:
        try:
            found.append(str(ip_network(text(entry).strip())))
        except ValueError:
            raise Wrong(
                f"{shown(entry)} is not a network",
                'Write address and length: "10.20.0.0/16", or "10.20.0.7/32" for one machine',
            ) from None
    return tuple(dict.fromkeys(found))


def names(value: object) -> tuple[str, ...]:
    """A list of short names."""
    if not isinstance(value, list):
        raise Wrong(f"must be a list, not {_a(value)}", 'Write ["atrium"]')
    return tuple(dict.fromkeys(name(entry) for entry in value))


def by_address(*allowed: str) -> Check:
    """One of these words for each address or domain; ordered, lower case."""

    def check(value: object) -> tuple[tuple[str, str], ...]:
        todo = f'Write {{ "contoso.com" = "{allowed[0]}" }}'
        if not isinstance(value, dict):
            raise Wrong(f"must be a table, not {_a(value)}", todo)
        found: dict[str, str] = {}
        for key, word in value.items():
            plain = text(key).strip().casefold()
            if not (_MAILBOX.fullmatch(plain) or _TENANT.fullmatch(plain)):
                raise Wrong(f"{shown(key)} is neither an address nor a domain", todo)
            if word not in allowed:
                raise Wrong(f"{shown(word)} ({shown(key)}) is none of {', '.join(allowed)}", todo)
            found[plain] = word
        return tuple(sorted(found.items()))

    return check


# --- names of things -------------------------------------------------------------------------

_MAILBOX = re.compile(r"[^@\s<>\"',;:\\/()\[\]]{1,64}@[^@\s<>\"',;:\\/()\[\]]{1,255}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def mailbox(value: object) -> str:
    """The address of a mailbox, lower case."""
    found = text(value).strip()
    if not _MAILBOX.fullmatch(found):
        raise Wrong(
            f"{shown(found)} is not a mailbox address", 'Write it plainly: "atrium@contoso.com"'
        )
    return found.lower()


def optional(check: Check) -> Check:
    """The same check, where empty text stands for nothing."""
    return lambda value: "" if value == "" else check(value)


def name(value: object) -> str:
    """A short name for use in commands and logs."""
    if not _NAME.fullmatch(text(value)):
        raise Wrong(
            f"{shown(value)} cannot be a name here",
            "Use letters, digits, dots, dashes and underscores, at most 64",
        )
    return str(value)


def tenant(value: object) -> str:
    """A tenant id or one of its domains."""
    if not _TENANT.fullmatch(text(value)):
        raise Wrong(
            f"{shown(value)} is not a tenant id",
            "Copy the Directory (tenant) ID from the app's overview page in Entra",
        )
    return str(value)


_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,45}", re.ASCII)


def host(value: object) -> str:
    """The name or address of a machine, without a port."""
    found = text(value).strip()
    if not _HOST.fullmatch(found):
        raise Wrong(f"{shown(found)} is not the name of a server", 'Write "smtp.contoso.com"')
    return found


def variable(value: object) -> str:
    """The name of an environment variable."""
    if not _VARIABLE.fullmatch(text(value)):
        raise Wrong(
            f"{shown(value)} is not the name of an environment variable",
            'Give the name, not the secret itself: "CALSYNC_CLIENT_SECRET"',
        )
    return str(value)


def zone(value: object) -> str:
    """An IANA time zone."""
    found = text(value).strip()
    try:
        ZoneInfo(found)
    except (ValueError, OSError, KeyError):
        raise Wrong(
            f"{shown(found)} is not a time zone", 'Write an IANA name: "Europe/Berlin"'
        ) from None
    return found


LOOPBACK = ("localhost", "127.0.0.1", "::1")


def origin(value: object) -> str:
    """Scheme, host and port of a service; plain http only towards this machine."""
    found = text(value).strip().rstrip("/")
    todo = "Write https://host or https://host:port; http:// works only for 127.0.0.1"
    try:
        parts = urlsplit(found)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Wrong(f"{shown(found)} is not an address", todo) from None
    plain = parts.scheme == "http" and host in LOOPBACK
    if not host or not (parts.scheme == "https" or plain):
        raise Wrong(f"{shown(found)} is not a secure address", todo)
    if parts.username or parts.path or parts.query or parts.fragment:
        raise Wrong(f"{shown(found)} must be scheme, host and port only", todo)
    return found


def endpoint(value: object) -> str:
    """The address of Exchange.asmx; plain http only towards this machine."""
    found = text(value).strip()
    todo = "Write https://mail.contoso.com/EWS/Exchange.asmx"
    try:
        parts = urlsplit(found)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Wrong(f"{shown(found)} is not an address", todo) from None
    plain = parts.scheme == "http" and host in LOOPBACK
    if not host or not (parts.scheme == "https" or plain):
        raise Wrong(f"{shown(found)} is not a secure address", todo)
    if parts.username or parts.query or parts.fragment:
        raise Wrong(f"{shown(found)} must be scheme, host and path only", todo)
    if host.lower().endswith((".office365.com", ".office.com", ".outlook.cn")):
        raise Wrong(
            "Exchange Online is reached by Graph: Microsoft is switching EWS off there",
            'Set kind = "graph" for it (docs/how-to/connect-a-tenant.md)',
        )
    path = parts.path if parts.path not in ("", "/") else "/EWS/Exchange.asmx"
    return f"{parts.scheme}://{parts.netloc}{path}"


def base_address(value: object) -> str:
    """An origin, with a path below which the service may lie."""
    found = text(value).strip().rstrip("/")
    path = found.partition("://")[2].partition("/")[2]
    if path and not re.fullmatch(r"[A-Za-z0-9._~/-]+", path, re.ASCII):
        raise Wrong(
            f"{shown(found)} is not an address", "Write https://host/path, without ? # or %"
        )
    if path and {".", "..", ""} & set(path.split("/")):
        raise Wrong(f"{shown(found)} has a path that leads elsewhere", "Write the plain path")
    return origin(found.removesuffix(f"/{path}") if path else found) + (f"/{path}" if path else "")


def database_url(value: object) -> str:
    found = text(value).strip()
    if not found.startswith(("sqlite:", "postgresql:", "postgresql+")) or "://" not in found:
        raise Wrong(
            f"{shown(found)} is not a database URL",
            "Write sqlite:///calsync.db or postgresql://user@host/name",
        )
    if found.startswith("postgresql") and re.search(r"://[^/@]*:[^/@]+@", found):
        raise Wrong(
            "a password does not belong in the settings file",
            "Leave it out and use PostgreSQL's own password file (.pgpass) or PGPASSWORD",
        )
    return found
