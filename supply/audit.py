"""Known weaknesses of what is locked (by pip-audit), and its licences.

Exit status: 0 nothing is known against it, 1 something is, 2 it could not be found out. That
no advisory service was reached must not look like good news.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supply.lock import LOCK, Pin, is_copyleft, licence_of, read_lock

CLEAN, AFFECTED, UNKNOWN = 0, 1, 2
_NO_TOOL = "pip-audit is not installed. To do: make audit, which installs it into .audit"
_NO_SERVICE = (
    "the advisory service (pypi.org or api.osv.dev) was not reached, or does not know these"
    " packages, so nothing is known about them. To do: run make audit where one of the two can"
    " be reached"
)


@dataclass(slots=True)
class Verdict:
    """``lines`` for people."""

    status: int
    lines: list[str] = field(default_factory=list)


def advisories(tool: Path, *, service: str, lock: Path = LOCK) -> Verdict:
    """Ask for every pin. ``tool``: pip-audit's command; ``service``: pypi or osv."""
    found = shutil.which(str(tool))
    if found is None:
        return Verdict(UNKNOWN, [_NO_TOOL])
    command = [found, "-r", str(lock), "--disable-pip", "--require-hashes", "-f", "json"]
    command += ["--progress-spinner", "off", "--timeout", "10", "-s", service]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return Verdict(UNKNOWN, [_NO_SERVICE])
    try:
        rows = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]
        return Verdict(UNKNOWN, [_NO_SERVICE, f"pip-audit said: {last}"])
    return judge(rows, [pin.name for pin in read_lock(lock)])


def judge(rows: Sequence[dict[str, Any]], wanted: Sequence[str]) -> Verdict:
    """From pip-audit's list. What it skipped, or left out, was not checked."""
    checked = {row["name"].lower() for row in rows if "skip_reason" not in row}
    affected = [
        f"{row['name']} {row['version']}: {one['id']}"
        + (f", mended in {', '.join(one['fix_versions'])}" if one.get("fix_versions") else "")
        for row in rows
        for one in row.get("vulns", ())
    ]
    missing = [name for name in wanted if name not in checked]
    lines = list(affected)
    if missing:
        named = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if missing[5:] else "")
        lines.append(f"not checked: {named}: {_NO_SERVICE}")
    if affected:
        return Verdict(AFFECTED, lines)
    if missing:
        return Verdict(UNKNOWN, lines)
    return Verdict(CLEAN, [f"nothing is known against the {len(wanted)} packages of the lock"])


def licences(pins: Sequence[Pin]) -> Verdict:
    """No package of the lock may be under a GPL, or state nothing."""
    bad, missing = [], []
    for pin in pins:
        package = pin.installed()
        if package is None:
            missing.append(pin.name)
            continue
        stated = licence_of(package)
        if not stated or is_copyleft(stated):
            bad.append(f"{pin.name}: {stated or 'states no licence'}")
    lines = [*bad, *(f"{name}: not installed here, so not looked at" for name in missing)]
    if bad:
        return Verdict(AFFECTED, lines)
    if missing:
        return Verdict(UNKNOWN, lines)
    return Verdict(CLEAN, [f"no GPL among the {len(pins)} packages of the lock"])
