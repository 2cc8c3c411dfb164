"""What a check found: one line each, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is, worst first."""

    FAILED = "failed"
    WARNING = "warning"
    NOTE = "note"
    OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``about``: what was looked at (token, calendar, write, scope, clock, zone, …); ``where``:
    the connection or room; ``commands``: PowerShell to paste."""

    level: Level
    about: str
    where: str
    what: str
    todo: str = ""
    commands: tuple[str, ...] = ()
