"""``python -m planted``: is every planted bug caught?

The run that has to catch it is that of a pull request: so many histories from seed 0 on. Which of
them did is kept in ``seeds.json`` (``--remember``), and tried first: the run holds that history. It counts only where
the code without the bug passes it. Where it does not catch the bug any more, the whole run is made.
"""

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
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from planted.bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parent.parent
#: The simulation of a pull request.
HISTORIES, STEPS = 1000, 60
SEEDS = Path(__file__).with_name("seeds.json")


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
    parser.add_argument("--remember", action="store_true", help="keep which seeds caught them")
    parser.add_argument("--fresh", action="store_true", help="forget which seeds caught them")
    options = parser.parse_args(arguments)
    bugs = [bug for bug in BUGS if options.only in bug.name]
    known = {} if options.fresh or options.first else _remembered()
    verdicts = []
    with ThreadPoolExecutor(options.jobs) as pool:
        tries = [pool.submit(_try_out, bug, options.first, known.get(bug.name)) for bug in bugs]
        for one in as_completed(tries):
            verdict = one.result()
            verdicts.append(verdict)
            print(_line(verdict), flush=True)
            if options.remember and verdict.seed is not None and not options.first:
                known[verdict.bug.name] = verdict.seed
                _remember(known)
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


def _remembered() -> dict[str, int]:
    return dict(json.loads(SEEDS.read_text(encoding="utf-8"))) if SEEDS.exists() else {}


def _remember(seeds: dict[str, int]) -> None:
    """Only of bugs that there are."""
    kept = {bug.name: seeds[bug.name] for bug in BUGS if bug.name in seeds}
    SEEDS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _try_out(bug: Bug, first: int, known: int | None) -> Verdict:
    """The bug in a copy of the code, under the histories of a pull request."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="calsync-planted-") as name:
        clean, root = Path(name) / "clean", Path(name) / "planted"
        for place, package in product((clean, root), ("calsync", "simulation")):
            shutil.copytree(
                ROOT / package, place / package, ignore=shutil.ignore_patterns("__pycache__")
            )
        bug.plant(root)
        if known is not None:
            seed, error = _first_failure(root, bug, known, 1)
            if seed is not None and _first_failure(clean, bug, seed, 1) == (None, ""):
                return Verdict(bug, seed, error, time.monotonic() - began)
        start, end = first, first + HISTORIES
        while start < end:
            seed, error = _first_failure(root, bug, start, end - start)
            # What fails without the bug, too, catches nothing.
            if seed is None or _first_failure(clean, bug, seed, 1) == (None, ""):
                return Verdict(bug, seed, error, time.monotonic() - began)
            start = seed + 1
        return Verdict(bug, None, "", time.monotonic() - began)


def _first_failure(root: Path, bug: Bug, first: int, histories: int) -> tuple[int | None, str]:
    """The first of the histories that fails, and how. No seed, and what was said, where the code
    cannot even run."""
    found = root / "found.json"
    found.unlink(missing_ok=True)
    done = subprocess.run(
        [
            sys.executable, "-m", "simulation", "-n", str(histories), "--steps", str(STEPS),
            "--first", str(first), "--calendar", bug.calendar, "--jobs", "1", "--until-first",
            "--report", str(found),
        ],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root), "PYTHONHASHSEED": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not found.exists():
        return None, done.stderr[-300:] or "it ended without a word"
    violations = json.loads(found.read_text(encoding="utf-8"))["violations"]
    return (violations[0]["seed"], violations[0]["error"]) if violations else (None, "")


def _table(verdicts: Sequence[Verdict]) -> str:
    rows = ["| planted bug | first seed that fails | what it breaks |", "|---|---:|---|"]
    for one in verdicts:
        broken = one.error.partition(":")[0]
        rows.append(f"| {one.bug.name} | {'-' if one.seed is None else one.seed} | {broken} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
