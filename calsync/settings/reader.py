"""From a file to :class:`Settings`, or to every problem it has at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, cast

from calsync.errors import Problem, SettingsError
from calsync.settings.checks import CHECK, Wrong
from calsync.settings.lines import Lines
from calsync.settings.model import Connection, RoomEntry, Settings
from calsync.settings.notices import Channel
from calsync.settings.rules import contradictions

T = TypeVar("T")

#: Bytes. Far above any real settings file, low enough to refuse a wrong file at once.
LARGEST = 1_000_000

#: Characters. tomllib's time grows with the square of the parts of a dotted key.
LONGEST_LINE = 4000

_LISTS: dict[str, type[Any]] = {
    "connections": Connection,
    "rooms": RoomEntry,
    "channels": Channel,
}
_SECTIONS: dict[str, type[Any]] = {
    f.name: cast("type[Any]", f.default_factory)
    for f in fields(Settings)
    if f.default_factory is not MISSING
}
_EXAMPLE = "See settings.example.toml for every setting"


def load(path: str | Path) -> Settings:
    """Read and check a settings file. Raises SettingsError, with all problems and their lines."""
    where = str(path)
    try:
        raw = _bytes(Path(path))
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        reason = getattr(error, "strerror", None) or str(error)
        raise _refused(
            where,
            "there is no such file" if missing else f"the file cannot be read: {reason}",
            "Copy settings.example.toml to this name, or name another with --settings"
            if missing
            else "Check the path, and that calsync may read the file",
        ) from error
    try:
        source = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _refused(
            where, "this is not UTF-8 text", "Save the file as UTF-8", line=line
        ) from error
    return parse(source, path=where)


def _bytes(path: Path) -> bytes:
    # A pipe would wait for ever and a device never end.
    if path.exists() and not path.is_file():
        raise ValueError("it is not a file")
    with path.open("rb") as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST:,} bytes, so it is no settings file")
    return raw


def parse(source: str, *, path: str = "calsync.toml") -> Settings:
    """The settings of a TOML text. Relative paths in it count from the folder of ``path``."""
    # tomllib, too, reads CRLF as LF; the lines are counted in the same text.
    source = source.replace("\r\n", "\n")
    for number, line in enumerate(source.split("\n"), start=1):
        if len(line) > LONGEST_LINE:
            what = f"this line of {len(line):,} characters cannot be a setting"
            raise _refused(path, what, _EXAMPLE, line=number)
    raw = _toml(source, path)
    reader = _Reader(Lines(source))
    settings = reader.settings(raw, path)
    for key, what, todo in contradictions(settings, reader.broken):
        reader.problem(key, what, todo)
    if reader.problems:
        found = sorted(set(reader.problems), key=lambda p: (p.line, p.key, p.what))
        raise SettingsError(path, tuple(found))
    return _anchored(settings, Path(path).parent)


#: The reader of the standard library recurses into each; at the end of its stack, whatever else
#: runs there fails too.
_DEEP = re.compile(r"(?:[\[{]\s*){32}|(?:\{\s*[\w\"'.-]+\s*=\s*){32}")


def _toml(source: str, path: str) -> dict[str, Any]:
    if _DEEP.search(source):
        raise _refused(path, "brackets are nested far too deep", _EXAMPLE)
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        text = str(error)
        at = re.search(r"\(at line (\d+), column (\d+)\)", text)
        line = int(at.group(1)) if at else source.count("\n") + 1
        what = f"this is not TOML: {text.split(' (at ')[0]}"
        todo = f"Look at column {at.group(2)}" if at else "Look at the end of the file"
        raise _refused(path, what, todo, line=line) from error
    except RecursionError as error:
        raise _refused(path, "brackets are nested far too deep", _EXAMPLE) from error
    except ValueError as error:
        # A number with thousands of digits.
        raise _refused(path, f"a value cannot be read: {error}", _EXAMPLE) from error


def _refused(path: str, what: str, todo: str, *, line: int = 0) -> SettingsError:
    return SettingsError(path, (Problem(line, "file", what, todo),))


#: What a connection of kind graph cannot do without; one of kind ews can (``rules``).
_APP = ("tenant_id", "client_id")


class _Reader:
    """Reads section by section and collects what is wrong.

    ``broken``: the paths of settings that were wrong, so that rules about several settings do
    not complain about a default that stands in for one of them.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.problems: list[Problem] = []
        self.broken: set[tuple[str | int, ...]] = set()

    def problem(self, path: tuple[str | int, ...], what: str, todo: str = "") -> None:
        self.problems.append(Problem(self._lines.of(path), _shown(path), what, todo))

    def settings(self, raw: Mapping[str, Any], path: str) -> Settings:
        found: dict[str, Any] = {"path": path}
        for key, value in raw.items():
            if key in _LISTS:
                found[key] = self._entries(key, value)
            elif key in _SECTIONS:
                found[key] = self._section(key, value)
            else:
                self._unknown((key,), [*_SECTIONS, *_LISTS], "section")
        return Settings(**found)

    def _section(self, key: str, value: object) -> object:
        if not isinstance(value, dict):
            self.problem((key,), "must be a section", f"Write [{key}] on a line of its own")
            value = {}
        return self._values(_SECTIONS[key], value, (key,))

    def _entries(self, key: str, value: object) -> tuple[object, ...]:
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            self.problem((key,), "must be a list of sections", f"Begin each with [[{key}]]")
            return ()
        read = (self._values(_LISTS[key], entry, (key, n)) for n, entry in enumerate(value))
        return tuple(entry for entry in read if entry is not None)

    def _values(
        self, cls: type[T], raw: Mapping[str, Any], path: tuple[str | int, ...]
    ) -> T | None:
        """The section as a value; None where a setting without a default is missing or wrong."""
        known: dict[str, Field[Any]] = {f.name: f for f in fields(cast("Any", cls))}
        found: dict[str, Any] = {}
        for key, value in raw.items():
            if key not in known:
                self._unknown((*path, key), list(known), "setting")
                continue
            try:
                found[key] = known[key].metadata[CHECK](value)
            except Wrong as wrong:
                self.problem((*path, key), wrong.what, wrong.todo)
                self.broken.add((*path, key))
        complete = True
        needed = _APP if cls is Connection and raw.get("kind", "graph") == "graph" else ()
        for key, field in known.items():
            if key in found or (field.default is not MISSING and key not in needed):
                continue
            complete = False
            if key not in raw:
                self.problem((*path, key), "is missing", _EXAMPLE)
        return cls(**found) if complete else None

    def _unknown(self, path: tuple[str | int, ...], known: list[str], kind: str) -> None:
        key = str(path[-1])
        self.broken.add(path)
        if secret := _SECRETS.get(key):
            self.problem(path, "a secret does not belong in the settings file", secret)
            return
        close = get_close_matches(key, known, n=1, cutoff=0.6)
        home = next((name for name, cls in _SECTIONS.items() if _has(cls, key)), "")
        if close:
            todo = f"Did you mean {close[0]}?"
        elif home and kind == "setting":
            todo = f"It belongs in [{home}]"
        elif home:
            todo = f"It is a setting: write it under [{home}]"
        else:
            todo = f"Known here: {', '.join(known)}"
        self.problem(path, f"there is no {kind} of this name", todo)


def _has(cls: type[Any], key: str) -> bool:
    return any(f.name == key for f in fields(cls))


def _instead(stem: str) -> str:
    return (
        f'Write {stem}_env = "NAME_OF_A_VARIABLE" or {stem}_file = "/path/to/file" instead, and'
        " renew this secret if anybody else could read the file"
    )


#: What people write when they mean a secret.
_SECRETS = {
    "client_secret": _instead("client_secret"),
    "secret": _instead("client_secret"),
    "password": _instead("password"),
    "certificate_password": _instead("certificate_password"),
    "federated_token": _instead("federated_token"),
    "token": _instead("federated_token"),
    "url": _instead("url"),
}


def _shown(path: tuple[str | int, ...]) -> str:
    """A path as an admin reads it: ``connections[2].name`` is the name in the second entry."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += f".{part}" if text else part
    # A hostile key could steer the terminal it is printed on.
    text = "".join(sign if sign.isprintable() else "?" for sign in text)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings with every relative path counted from ``folder``."""
    url = settings.database.url
    plain = url.removeprefix("sqlite:///")
    if plain != url and plain and not plain.startswith(("/", ":", "file:")):
        url = f"sqlite:///{folder / plain}"
    connections = tuple(_anchored_files(entry, folder) for entry in settings.connections)
    log, webhooks = settings.log, settings.webhooks
    if log.file:
        log = replace(log, file=str(folder / log.file))
    notices, smtp = settings.notices, settings.smtp
    if notices.templates:
        notices = replace(notices, templates=str(folder / notices.templates))
    return replace(
        settings,
        database=replace(settings.database, url=url),
        connections=connections,
        notices=notices,
        smtp=_anchored_files(smtp, folder),
        channels=tuple(_anchored_files(one, folder) for one in settings.channels),
        booking=_anchored_files(settings.booking, folder),
        webhooks=replace(webhooks, key_file=str(folder / webhooks.key_file)),
        log=log,
    )


def _anchored_files(entry: T, folder: Path) -> T:
    """Every setting of ``entry`` that names a file."""
    values = cast("Any", entry)
    files: dict[str, Any] = {
        f.name: str(folder / getattr(entry, f.name))
        for f in fields(values)
        if (f.name.endswith("_file") or f.name == "ca_bundle") and getattr(entry, f.name)
    }
    return cast("T", replace(values, **files))
