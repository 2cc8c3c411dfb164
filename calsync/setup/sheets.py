"""Comma-separated files as spreadsheets and PowerShell write them, read and written safely.

A cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return is a formula to a
spreadsheet (OWASP, "CSV Injection"): it is written with an apostrophe before it, and that one is
taken off again in reading. A text that begins with an apostrophe itself gets one more, so that
every text comes back as it was.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from calsync.errors import UsageError

#: Bytes. 10,000 rooms with 100 columns stay below; a wrong file is refused at once.
LARGEST = 32_000_000
_STEERS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_GUARD = "'"
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row: its line in the file (from 1) and its cells by the name of their column, lower
    case. Columns that a row is too short for are empty."""

    number: int
    cells: Mapping[str, str]

    def get(self, *names: str) -> str:
        """The first of these columns that is there and filled; empty where there is none."""
        return next((self.cells[name] for name in names if self.cells.get(name)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file with a row of names. ``columns`` are lower case."""

    path: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]


def guarded(text: str) -> str:
    """A cell as it is written: no spreadsheet takes it for a formula."""
    return f"{_GUARD}{text}" if text.startswith((*_STEERS, _GUARD)) else text


def plain(cell: str) -> str:
    """A cell as it was meant: without the apostrophe that ``guarded`` put before it."""
    follows = cell[1:2]
    return cell[1:] if cell[:1] == _GUARD and follows in (*_STEERS, _GUARD) and follows else cell


def written(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A sheet as text, cells guarded, lines ended as RFC 4180 says."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if cell is None else guarded(str(cell)) for cell in row])
    return out.getvalue()


def read(path: Path) -> Sheet:
    """A sheet in UTF-8 or UTF-16, parted by commas, semicolons or tabs, with or without
    PowerShell's ``#TYPE`` line. Raises UsageError where it is none."""
    where = str(path)
    text = _text(path, where)
    first, *_ = text.split("\n", 1)
    skipped = 0
    if first.lstrip('"').upper().startswith("#TYPE"):
        text, skipped = text.partition("\n")[2], 1
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
        rows = []
        for row in reader:
            rows.append((reader.line_num + skipped, row))
    except csv.Error as error:
        raise UsageError(
            f"this is no comma-separated file: {error}",
            where=where,
            todo="Export it again, or save it as CSV UTF-8",
        ) from None
    rows = [(number, row) for number, row in rows if any(cell.strip() for cell in row)]
    if not rows:
        raise UsageError("the file has no lines", where=where, todo="Export it again")
    names = tuple(plain(cell.strip()).lower() for cell in rows[0][1])
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise UsageError(f"the column {twice[0]} is there twice", where=where)
    lines = [
        Line(number=number, cells=dict(zip(names, _filled(row, len(names)), strict=False)))
        for number, row in rows[1:]
    ]
    return Sheet(path=where, columns=names, lines=tuple(lines))


def _filled(row: Sequence[str], length: int) -> list[str]:
    cells = [plain(cell.strip(" ")) for cell in row]
    return cells + [""] * (length - len(cells))


def _text(path: Path, where: str) -> str:
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is not a file")
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"the file cannot be read: {reason}", where=where, todo="Check the path"
        ) from None
    if len(raw) > LARGEST:
        raise UsageError(f"the file is larger than {LARGEST:,} bytes", where=where)
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding)
    except UnicodeError:
        # What Windows PowerShell and Excel write where nothing else is asked for.
        return raw.decode("cp1252", "replace")


def _delimiter(text: str) -> str:
    """Of the signs that may part cells the one that the first line has most of."""
    first = text.split("\n", 1)[0]
    return max((",", ";", "\t"), key=first.count)
