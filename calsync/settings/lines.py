"""In which line of a TOML text a key stands. ``tomllib`` tells values, but not where they were.

The scanner runs only over text that ``tomllib`` has accepted, so it need not judge the syntax:
it only has to know where strings, comments and brackets begin and end.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]

#: Whatever may hide a line break, a bracket or a "#": strings (three quotes first) and comments.
_OPAQUE = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}'
    r'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*',
    re.DOTALL,
)
#: No setting lies deeper; a key of thousands of parts is found by its first ones.
_DEEPEST = 8
_KEY_PART = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+')


class Lines:
    """The lines of one TOML text, counted from 1."""

    def __init__(self, source: str) -> None:
        self._found: dict[Path, int] = {(): 0}
        self._counts: dict[Path, int] = {}
        self._scan(source)

    def of(self, path: Path) -> int:
        """The line of a key, or of the nearest part of it that has one (a member of an inline
        table stands where the table does); 0 where it is not in the text."""
        while path not in self._found:
            path = path[:-1]
        return self._found[path]

    def _scan(self, source: str) -> None:
        table: Path = ()
        at, line = 0, 1
        while at < len(source):
            end = _statement_end(source, at)
            statement = source[at:end]
            text = statement.lstrip(" \t\r\n")
            start = line + statement[: len(statement) - len(text)].count("\n")
            if text.startswith("["):
                table = self._header(text, start)
            elif text and not text.startswith("#"):
                self._note((*table, *_key(text)), start)
            line += statement.count("\n")
            at = end

    def _header(self, text: str, line: int) -> Path:
        listed = text.startswith("[[")
        path: Path = ()
        keys = _key(text.lstrip("["))
        for depth, key in enumerate(keys, start=1):
            path = (*path, key)
            if listed and depth == len(keys):
                self._note(path, line)
                self._counts[path] = self._counts.get(path, -1) + 1
            if path in self._counts:
                path = (*path, self._counts[path])
        self._note(path, line)
        return path

    def _note(self, path: Path, line: int) -> None:
        # Dotted keys and headers also name the tables they lead through.
        for length in range(1, len(path) + 1):
            self._found.setdefault(path[:length], line)


def _statement_end(source: str, at: int) -> int:
    """Where the statement that starts at ``at`` ends: after the first line break outside of
    strings and brackets. Lines that are blank or comments are statements of their own."""
    depth = 0
    while at < len(source):
        sign = source[at]
        if sign in "\"'#":
            match = _OPAQUE.match(source, at)
            at = match.end() if match else at + 1
            continue
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
        elif sign == "\n" and depth <= 0:
            return at + 1
        at += 1
    return at


def _key(text: str) -> list[str]:
    """The parts of the dotted key that ``text`` begins with."""
    parts: list[str] = []
    at = 0
    while len(parts) < _DEEPEST:
        at += len(text[at:]) - len(text[at:].lstrip(" \t"))
        match = _KEY_PART.match(text, at)
        if match is None:
            return parts
        parts.append(_plain(match.group()))
        rest = text[match.end() :].lstrip(" \t")
        if not rest.startswith("."):
            return parts
        at = len(text) - len(rest) + 1
    return parts


def _plain(part: str) -> str:
    if part[0] in "\"'":
        return next(iter(tomllib.loads(f"{part} = 0")))
    return part
