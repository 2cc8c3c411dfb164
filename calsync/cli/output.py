"""What verbs print: a table for people, or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Columns of output that no terminal shows.
_PIPE_WIDTH = 1000


def plain(value: object) -> Any:
    """A value as JSON says it: times in RFC 3339 (``Z``), enums by value, dataclasses by field."""
    match value:
        case Enum():
            return value.value
        case datetime():
            if value.tzinfo is None:
                return value.isoformat()
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(key): plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [plain(entry) for entry in value]
        case set() | frozenset():
            return sorted(plain(entry) for entry in value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        case _:
            return value


def json_text(value: object, *, indent: int | None = None) -> str:
    """JSON in which letters stay as they are, and whatever steers a terminal, or no file takes,
    is escaped: JSON itself only asks for that of the oldest of them."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    print(json_text(plain(value), indent=2))  # noqa: T201 - the output itself


def print_json_line(value: object) -> None:
    """The same on one line, at once: for whoever waits for a process to be ready."""
    print(json_text(plain(value)), flush=True)  # noqa: T201 - the output itself


def console() -> Console:
    """Wraps at the width of a terminal; lines of a file or a pipe stay whole, for grep."""
    out = Console(highlight=False)
    if not out.is_terminal:
        out.width = _PIPE_WIDTH
    return out


def clean(value: object) -> str:
    """Text from outside, fit for a terminal: no control characters, no markup."""
    text = "" if value is None else str(value)
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str, title: str = ""
) -> None:
    """A table; the sentence ``empty`` where it has no rows."""
    out = console()
    if not rows:
        out.print(Text(empty))
        return
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    out.print(table)


def print_line(text: str) -> None:
    """A sentence for people."""
    console().print(Text(clean(text)))


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    if at is None:
        return "never"
    seconds = max(0, int((now - at).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def when(at: datetime) -> str:
    """An instant for people, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
