"""The log of a running calsync: text for people, or one JSON object a line for collectors."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from calsync.cli.output import clean, json_text
from calsync.cli.redact import without_people, without_secrets
from calsync.errors import UsageError
from calsync.settings import Log


class JsonLines(logging.Formatter):
    """``at`` (UTC), ``level``, ``logger``, ``message``, and ``exception`` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json_text(entry)

    def formatException(self, ei: Any) -> str:
        return without_people(super().formatException(ei))


class Lines(logging.Formatter):
    """One entry a line, times in UTC. Control characters of what comes from outside are
    replaced: an entry must not be able to look like two."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002 - logging's name and signature
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return clean(without_secrets(super().formatMessage(record)))

    def formatException(self, ei: Any) -> str:
        return without_people(super().formatException(ei))

    def format(self, record: logging.LogRecord) -> str:
        # A traceback is set off: what an exception says may hold line ends, too.
        first, *more = super().format(record).split("\n")
        return "\n".join([first, *(f"    {clean(line)}" for line in more)])


def start_logging(log: Log) -> None:
    """Send calsync's log where the settings say; other libraries only speak up in trouble.

    Raises UsageError where the log file cannot be written.
    """
    handler: logging.Handler = logging.StreamHandler(_stream(log))
    handler.setFormatter(JsonLines() if log.json else Lines())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("calsync").setLevel(log.level.upper())
    # Its warnings name whole addresses, and that of a shared channel is a secret.
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def _stream(log: Log) -> TextIO:
    if not log.file:
        return sys.stderr
    try:
        # 0600: a log names rooms and mailboxes.
        descriptor = os.open(log.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the log file cannot be written: {getattr(error, 'strerror', None) or error}",
            where=log.file,
            todo="Make its folder, or change file under [log] in the settings",
        ) from error
    return os.fdopen(descriptor, "a", encoding="utf-8")
