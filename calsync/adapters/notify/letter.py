"""What a notice says, before any channel carries it."""

from __future__ import annotations

from dataclasses import dataclass

from calsync.adapters.shared.words import line

#: Characters of a whole message, far above any that calsync makes.
LONGEST = 20_000
#: Nothing that a mail server or a reader could take for more than one address, or for a route.
_LISTS = '<>()[],;:\\"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Plain text. ``calendar``: iCalendar (RFC 5545), empty where none helps. ``about``: a name
    of the notice that stays the same at each try."""

    subject: str
    text: str
    language: str = "en"
    calendar: bytes = b""
    about: str = ""


def is_address(text: str) -> bool:
    """Whether one mailbox is meant, and nothing that a mail server could read as more."""
    plain = text.isprintable() and not any(c.isspace() or c in _LISTS for c in text)
    local, _, domain = text.partition("@")
    return plain and bool(local and domain) and "@" not in domain and len(text) <= 254


def split_subject(rendered: str) -> tuple[str, str]:
    """A rendered template: its first line is the subject, what follows the text."""
    first, _, rest = rendered.strip().partition("\n")
    lines = [one.rstrip() for one in rest.strip().splitlines()]
    body = "\n".join(lines[:400])[:LONGEST]
    return line(first), f"{body}\n"
