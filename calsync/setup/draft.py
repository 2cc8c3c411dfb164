"""A settings file as text: what ``calsync init`` writes. No secret passes through here."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import MISSING, fields
from datetime import date
from pathlib import Path

from calsync.errors import UsageError
from calsync.settings import Connection, Settings, parse

_HEAD = """\
# Settings of calsync, made by calsync init. What is not here has its default; every setting is
# explained in settings.example.toml. Secrets never stand in this file.
"""
_SANDBOX = """
[worker]
# The sandbox is on this machine: look often. A real tenant suits the defaults.
poll_floor = "2s"
poll_ceiling = "5s"
"""


def text_of(entry: Connection) -> str:
    """The section of one connection: what differs from the defaults, in their order."""
    lines = ["[[connections]]"]
    for field in fields(entry):
        value = getattr(entry, field.name)
        if field.default is MISSING or value != field.default:
            lines.append(f"{field.name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool | int | float):
        return str(value).lower()
    # A JSON text is a TOML one, but for DEL, which no setting may hold.
    return json.dumps(str(value), ensure_ascii=False)


def with_connection(path: Path, entry: Connection) -> tuple[str, Settings]:
    """The text of the settings file with this connection added, and what it says.

    Raises SettingsError where the file that is there is wrong, UsageError where it has a
    connection of this name.
    """
    old = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    if old.strip():
        if parse(old, path=str(path)).connection(entry.name) is not None:
            raise UsageError(
                f"there is a connection {entry.name} already",
                where=str(path),
                todo="Choose another --name, or change it in the file",
            )
        text = f"{old.rstrip()}\n\n{text_of(entry)}"
    else:
        local = (entry.graph_url or entry.endpoint).startswith("http://")
        text = f"{_HEAD}{_SANDBOX if local else ''}\n{text_of(entry)}"
    return text, parse(text, path=str(path))


def store(path: Path, text: str) -> None:
    """Write the file whole or not at all. Raises UsageError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with open(number, "w", encoding="utf-8") as file:
                file.write(text)
            if path.exists():
                os.chmod(name, path.stat().st_mode & 0o777)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(
            f"the settings cannot be written: {error.strerror}",
            where=str(path),
            todo="Check the folder and its rights, or name another with --settings",
        ) from None


def store_secret(path: Path, secret: str) -> None:
    """Put a secret into a file of its own that only this user can read. An old one is never
    written over. Raises UsageError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(number, "w", encoding="utf-8") as file:
            file.write(secret.strip() + "\n")
    except OSError as error:
        raise UsageError(
            f"the secret cannot be written: {error.strerror}",
            where=str(path),
            todo="Write it into a file of its own by hand, and name that with --secret-file",
        ) from None
