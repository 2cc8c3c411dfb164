"""Secrets that must be read again, sealed: a copy of the database alone signs nothing.

AES-256-GCM under a key in a file of its own, which is made with mode 0600 when it is first needed.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from calsync.errors import UsageError
from calsync.settings.secret import warn_of_readers

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class Vault:
    """Seals and opens under the key in ``path``; nothing is read before it is needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cipher: AESGCM | None = None

    def seal(self, plain: bytes, *, owner: str) -> bytes:
        """Only ``open`` with the same ``owner`` opens it: a row copied onto another is void."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._key(make=True).encrypt(nonce, plain, owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> bytes:
        """Raises UsageError where the key file is missing or another one."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._key(make=False).decrypt(nonce, rest, owner.encode())
        except InvalidTag:
            raise UsageError(
                "the key file is not the one under which the webhook secrets were sealed",
                where=str(self._path),
                todo="Put the old file back, or renew each secret: calsync webhooks rotate ID",
            ) from None

    def _key(self, *, make: bool) -> AESGCM:
        if self._cipher is None:
            key = self._read() or (self._make() if make else None)
            if key is None:
                raise UsageError(
                    "the key file of the webhook secrets is missing",
                    where=str(self._path),
                    todo="Put it back, or renew each secret: calsync webhooks rotate ID",
                )
            self._cipher = AESGCM(key)
        return self._cipher

    def _read(self) -> bytes | None:
        try:
            text = self._path.read_text(encoding="ascii").strip()
            key = bytes.fromhex(text)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise self._unusable(error) from error
        if len(key) != _KEY_BYTES:
            raise self._unusable(ValueError("it does not hold 64 hex digits"))
        warn_of_readers(self._path, where="webhooks.key_file")
        return key

    def _make(self) -> bytes:
        key = secrets.token_bytes(_KEY_BYTES)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with open(os.open(self._path, flags, 0o600), "w", encoding="ascii") as file:
                file.write(f"{key.hex()}\n")
        except FileExistsError:  # another process was quicker
            found = self._read()
            assert found is not None
            return found
        except OSError as error:
            raise self._unusable(error) from error
        return key

    def _unusable(self, error: Exception) -> UsageError:
        return UsageError(
            f"the key file cannot be used: {getattr(error, 'strerror', None) or error}",
            where=str(self._path),
            todo="Check the path and its rights, or set another [webhooks] key_file",
        )
