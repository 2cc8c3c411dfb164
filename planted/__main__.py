"""``python -m planted``: is every planted bug caught?"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from planted.bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parent.parent
#: The simulation of a pull request.
HISTORIES, STEPS = 1000, 60


@dataclass(frozen=True, slots=True)
class Verdict:
    """``seed`` and ``error`` of the first history that failed; none where the bug was not caught."""

    bug: Bug
    seed: int | None
    error: str
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m planted", description=__doc__)
    parser.add_argument("--only", default="", help="bugs whose name holds this text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="bugs at a time")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--report", type=Path, help="write a table in Markdown there")
    options = parser.parse_args(arguments)
    bugs = [bug for bug in BUGS if options.only in bug.name]
    verdicts = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for verdict in pool.map(lambda bug: _try_out(bug, options.first), bugs):
            verdicts.append(verdict)
            print(_line(verdict), flush=True)
    missed = [v for v in verdicts if v.seed is None]
    print(f"{len(verdicts) - len(missed)} of {len(verdicts)} planted bugs caught")
    if options.report is not None:
        options.report.write_text(_table(verdicts), encoding="utf-8")
    return 1 if missed else 0


def _line(verdict: Verdict) -> str:
    if verdict.seed is None:
        return f"NOT CAUGHT  {verdict.bug.name} ({verdict.seconds:.0f} s) {verdict.error}"
    return (
        f"seed {verdict.seed:4}  {verdict.bug.name}: {verdict.error[:90]} ({verdict.seconds:.0f} s)"
    )


def _try_out(bug: Bug, first: int) -> Verdict:
    """The bug in a copy of the code, under the histories of a pull request."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="calsync-planted-") as name:
        root = Path(name)
        for package in ("calsync", "simulation"):
            shutil.copytree(
                ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__")
            )
        bug.plant(root)
        found = root / "found.json"
        done = subprocess.run(
            [
                sys.executable, "-m", "simulation", "-n", str(HISTORIES), "--steps", str(STEPS),
                "--first", str(first), "--calendar", bug.calendar, "--jobs", "1", "--until-first", "--report", str(found),
            ],
            cwd=root, env={**os.environ, "PYTHONPATH": str(root), "PYTHONHASHSEED": "0"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not found.exists():
            # It cannot even run: whoever starts it sees that.
            return Verdict(bug, None, done.stderr[-300:], time.monotonic() - began)
        violations = json.loads(found.read_text(encoding="utf-8"))["violations"]
    seconds = time.monotonic() - began
    if not violations:
        return Verdict(bug, None, "", seconds)
    return Verdict(bug, violations[0]["seed"], violations[0]["error"], seconds)


def _table(verdicts: Sequence[Verdict]) -> str:
    rows = ["| planted bug | first seed that fails | what it breaks |", "|---|---:|---|"]
    for one in verdicts:
        broken = one.error.partition(":")[0]
        rows.append(f"| {one.bug.name} | {'-' if one.seed is None else one.seed} | {broken} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
