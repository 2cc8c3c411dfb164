"""The lock file, read: what is installed, under which hashes, and why."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"

_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+?))?"
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
#: Licences that would reach calsync itself; the Lesser GPL would at least ask for more.
_COPYLEFT = re.compile(r"\b[AL]?GPL|General Public", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pin:
    """One locked package. ``hashes``: SHA-256 of every file that may be installed for it."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def installed(self) -> Distribution | None:
        try:
            return distribution(self.name)
        except PackageNotFoundError:
            return None


def read_lock(path: Path = LOCK) -> list[Pin]:
    """Every pin. Raises ValueError for a block that is no pin with hashes."""
    return list(_pins(path.read_text(encoding="utf-8")))


def _pins(text: str) -> Iterator[Pin]:
    for block in re.split(r"\n(?=\S)", text.strip()):
        if block.startswith("#"):
            continue
        found = _PIN.match(block)
        hashes = tuple(_HASH.findall(block))
        if found is None or not hashes:
            raise ValueError(f"this is no pin with hashes: {block.splitlines()[0]!r}")
        yield Pin(normal(found["name"]), found["version"], (found["marker"] or "").strip(), hashes)


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_for() -> list[str]:
    """What calsync itself asks for, as pyproject.toml states it."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return list(tomllib.load(file)["project"]["dependencies"])


def licence_of(package: Distribution) -> str:
    """What the package states: an SPDX expression where it has one; empty = nothing."""
    meta = package.metadata
    (expression, *_) = meta.get_all("License-Expression") or [""]
    if expression:
        return str(expression)
    classifiers = [
        one.rpartition(" :: ")[2]
        for one in meta.get_all("Classifier") or []
        if one.startswith("License :: ") and one != "License :: OSI Approved"
    ]
    # Some put the whole text into this field: its first line names it.
    (stated, *_) = meta.get_all("License") or [""]
    return " OR ".join(classifiers) or str(stated).strip().split("\n")[0][:80]


def is_copyleft(licence: str) -> bool:
    return _COPYLEFT.search(licence) is not None
