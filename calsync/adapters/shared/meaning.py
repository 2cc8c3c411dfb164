"""What a refusal of Exchange can be about, and the form of the tables that say it by code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Meaning(Enum):
    """What a refusal is about. What follows is decided in the ``errors`` of each adapter."""

    SIGN_IN = auto()
    DENIED = auto()
    MAILBOX = auto()
    GONE = auto()
    STALE = auto()
    DUPLICATE = auto()
    ORGANIZER = auto()
    INPUT = auto()
    CURSOR = auto()
    THROTTLED = auto()
    PASSING = auto()
    FULL = auto()
    DEPENDENCY = auto()
    REDIRECT = auto()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: codes that mean the same, in words an admin can act on."""

    codes: tuple[str, ...]
    meaning: Meaning
    what: str
    todo: str = ""
