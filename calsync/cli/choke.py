"""The one place where an error becomes words for an admin. No traceback passes it."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from calsync.cli.output import json_text, plain
from calsync.cli.redact import without_people
from calsync.errors import CalsyncError, SettingsError, UsageError

FAILED = 1
USAGE = 2
INTERRUPTED = 130
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)


def guarded(call: Callable[[], object], *, as_json: bool = False) -> int:
    """Call, and give the exit status; whatever is raised is said on stderr first, in words or,
    ``as_json``, as one JSON object on a line: ``{"error": {"what", "where", "todo"}}``.

    CALSYNC_DEBUG=1 lets exceptions through as they are, for developers.
    """
    try:
        call()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED if end.code else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (calsync … | head): nobody is left to tell.
        _mute(sys.stdout)
        return FAILED
    except CalsyncError as error:
        if os.environ.get("CALSYNC_DEBUG") == "1":
            raise
        _tell(error, as_json=as_json)
        return USAGE if isinstance(error, SettingsError | UsageError) else FAILED
    except Exception as error:
        if os.environ.get("CALSYNC_DEBUG") == "1":
            raise
        _tell(_on_disk(error) or _unforeseen(), as_json=as_json)
        return FAILED
    return 0


def _tell(error: CalsyncError, *, as_json: bool) -> None:
    say(json_text({"error": document(error)}) if as_json else describe(error))


def document(error: CalsyncError) -> dict[str, object]:
    """The error for programs; all problems of a settings file at once."""
    doc: dict[str, object] = {"what": error.what, "where": error.where, "todo": error.todo}
    if isinstance(error, SettingsError):
        doc["problems"] = plain(error.problems)
    return doc


def say(text: str) -> None:
    """Words for people, on stderr, plain: error text is never read as markup."""
    print(_printable(text), file=sys.stderr, flush=True)  # noqa: T201 - this is the way out


def describe(error: CalsyncError) -> str:
    """What is wrong, where, and what to do, each on a line of its own."""
    if isinstance(error, SettingsError):
        return f"Error: {error}"
    lines = [f"Error: {_sentence(error.what)}"]
    if error.where:
        lines.append(f"Where: {error.where}")
    if error.todo:
        # Often ends in a command to copy: no full stop is added to it.
        lines.append(f"To do: {error.todo}")
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _printable(text: str) -> str:
    # Names of rooms and answers of servers come from outside: they must not steer the terminal.
    return "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)


def _on_disk(error: Exception) -> CalsyncError | None:
    """Words for a disk that is full or fails under the output or the log; None for the rest."""
    if not isinstance(error, OSError) or error.errno not in _DISK:
        return None
    _mute(sys.stdout)
    return CalsyncError(
        f"what calsync had to say could not be written: {error.strerror}",
        where=str(error.filename or "the output"),
        todo="Free some space there",
    )


def _unforeseen() -> CalsyncError:
    """Keep the traceback where the admin can find it, and say where that is."""
    reference = secrets.token_hex(4)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    entry = f"{at} reference {reference}\n{without_people(traceback.format_exc())}\n"
    for folder in _folders():
        path = folder / "errors.log"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.parent == Path(tempfile.gettempdir()):
                _refuse_trap(folder)
            # 0600: an exception may name people or addresses.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with open(descriptor, "a", encoding="utf-8") as file:
                file.write(entry)
        except OSError:
            continue
        return CalsyncError(
            f"something unforeseen happened (reference {reference}); details: {path}"
        )
    return CalsyncError(
        f"something unforeseen happened (reference {reference}) and the details could not"
        " be written anywhere; run again with CALSYNC_DEBUG=1 to see them"
    )


def _folders() -> list[Path]:
    home = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    # Windows has no user numbers, and a folder for temporary files for each user.
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return [Path(home) / "calsync", Path(tempfile.gettempdir()) / f"calsync-{user}"]


def _refuse_trap(folder: Path) -> None:
    """Where everybody may make folders somebody may have made ours, to read along, or to have
    another file written to through a link. Raises OSError."""
    if not hasattr(os, "getuid"):
        return
    found = folder.lstat()
    others = stat.S_IWGRP | stat.S_IWOTH
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & others:
        raise PermissionError(errno.EPERM, "others may write there", str(folder))


def _mute(stream: TextIO) -> None:
    """Keep the interpreter from failing once more when it flushes at the end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError, AttributeError):
        return
