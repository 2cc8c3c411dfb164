"""Where a secret is found. The settings name the place; only ``read`` looks there."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from calsync.errors import UsageError

log = logging.getLogger("calsync.settings")
_LARGEST = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """An environment variable or a file that holds a secret; exactly one of the two is set.

    ``where`` names the setting, for errors.
    """

    env: str = ""
    file: str = ""
    where: str = ""

    def read(self, environ: Mapping[str, str] | None = None) -> str:
        """The secret, without surrounding white space. Raises UsageError where it is missing."""
        if self.env:
            value = (os.environ if environ is None else environ).get(self.env, "").strip()
            if not value:
                raise UsageError(
                    f"the environment variable {self.env} is not set",
                    where=self.where,
                    todo="Set it for the calsync process, or name another in the settings",
                )
            return value
        return self._from_file()

    def _from_file(self) -> str:
        try:
            with Path(self.file).open(encoding="utf-8") as file:
                value = file.read(_LARGEST).strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise UsageError(
                f"the secret in {self.file} cannot be read: {reason}",
                where=self.where,
                todo="Check the path, and that the calsync process may read the file",
            ) from error
        warn_of_readers(self.file, where=self.where)
        if not value:
            raise UsageError(
                f"the secret file {self.file} is empty",
                where=self.where,
                todo="Write the secret into it, on one line",
            )
        return value


def warn_of_readers(path: str | Path, *, where: str) -> None:
    """Say so where everybody on this machine can read a secret. It is not refused: what mounts
    secrets into a container often gives them that mode."""
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return
    if mode & stat.S_IRWXO:
        log.warning("%s: other users of this machine can read %s: chmod 600 it", where, path)
