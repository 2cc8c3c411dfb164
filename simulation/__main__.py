"""``python -m simulation``: run histories, print what went wrong with whom, and the verdict."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from calsync.worker.memory import calm_collector
from simulation.company import CALENDARS, DATABASES
from simulation.history import Plan, Result, run, run_lean
from simulation.kept import Kept, OtherRun, left
from simulation.platform import BOOKINGS
from simulation.report import Report
from simulation.shrink import shrink

#: Of the seeds, how many are run twice to see that the same one gives the same trace.
TWICE = 100
#: Failing seeds that are told in full.
TOLD = 3
#: Where the report stands in a page that has more to say.
BEGIN, END = "<!-- report -->", "<!-- end of report -->"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="calsync-simulation-", dir=_fast_place()))
    try:
        if options.seed is not None:
            return _one(options, folder)
        return _many(options, folder)
    except OtherRun as other:
        print(other, file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("-n", type=_positive, default=1000, help="histories (1000)")
    parser.add_argument("--steps", type=_positive, default=60, help="steps of each (60)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--seed", type=int, help="tell the story of this one seed")
    parser.add_argument("--whole", action="store_true", help="with --seed: do not shrink it")
    parser.add_argument("--calendar", choices=CALENDARS, default="graph")
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument(
        "--booking", choices=BOOKINGS, default="hub", help="in our hub, or polled over HTTP"
    )
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--report", type=Path, help="write the report there (.json or .md)")
    parser.add_argument(
        "--kept", type=Path, help="keep each result there, and go on from those that are there"
    )
    parser.add_argument("--all-faults", action="store_true", help="fail if a fault never struck")
    parser.add_argument("--until-first", action="store_true", help="stop at the first failure")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at 20 failures")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _fast_place() -> str | None:
    """Memory in place of a disk, where there is one: a history is a thousand small commits."""
    place = Path("/dev/shm")
    return str(place) if os.access(place, os.W_OK) else None


def _plan(options: argparse.Namespace, seed: int) -> Plan:
    return Plan(
        seed=seed,
        steps=options.steps,
        calendar=options.calendar,
        database=options.database,
        booking=options.booking,
    )


# -- one --------------------------------------------------------------------------------------


def _one(options: argparse.Namespace, folder: Path) -> int:
    result = run(_plan(options, options.seed), folder)
    if result.error and not options.whole:
        print("It fails; leaving out what does not matter ...", file=sys.stderr)
        result = shrink(result, folder)
    print("\n".join(result.lines))
    print(f"seed {options.seed}, trace {result.digest}: {result.error or 'all invariants held'}")
    return 1 if result.error else 0


# -- many -------------------------------------------------------------------------------------


def _many(options: argparse.Namespace, folder: Path) -> int:
    began = time.monotonic()
    report = Report(steps=options.steps, calendar=options.calendar, database=options.database)
    seeds = range(options.first, options.first + options.n)
    again = () if options.until_first else seeds[::TWICE]
    plans = [_plan(options, seed) for seed in (*seeds, *again)]
    kept = Kept(options.kept, plans[0]) if options.kept is not None else None
    for result in kept.results if kept else ():
        report.add(result)
    report.kept = report.histories
    for result in _results(options, left(plans, kept.results if kept else []), folder):
        if kept:
            kept.add(result)
        if not report.add(result):
            continue
        _progress(report, options.n, began)
        if result.error:
            print(f"\nseed {result.plan.seed} failed: {result.error[:200]}", file=sys.stderr)
        if options.until_first and report.failures:
            break
        if len(report.failures) >= 20 and not options.keep_going:
            break
    if kept:
        kept.close()
    print(file=sys.stderr)
    report.seconds = time.monotonic() - began
    for failure in [] if options.until_first else report.failures[:TOLD]:
        short = shrink(run(failure.plan, folder), folder)
        print(f"\nseed {failure.plan.seed}, made short:")
        print("\n".join(short.lines))
        print(short.error)
    print(report.text(all_faults=options.all_faults))
    if options.report is not None:
        _write(report, options)
    return 0 if report.holds(all_faults=options.all_faults) else 1


def _results(options: argparse.Namespace, plans: list[Plan], folder: Path) -> Iterator[Result]:
    lean = partial(run_lean, folder=folder)
    if options.jobs == 1:
        yield from map(lean, plans)
        return
    if plans:
        # Modules, rules of zones and the empty database: made once, and shared by the processes.
        run_lean(replace(plans[0], steps=1), folder)
    with multiprocessing.get_context("fork").Pool(options.jobs, calm_collector) as pool:
        yield from pool.imap_unordered(lean, plans, chunksize=4)


def _progress(report: Report, wanted: int, began: float) -> None:
    if report.histories % 20 and report.histories != wanted:
        return
    seconds = time.monotonic() - began
    line = (
        f"\r{report.histories} of {wanted} histories, {len(report.failures)} failed,"
        f" {seconds:.0f} s"
    )
    print(line, end="", file=sys.stderr, flush=True)


def _write(report: Report, options: argparse.Namespace) -> None:
    path: Path = options.report
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.facts(), indent=1) if path.suffix == ".json" else report.markdown()
    if path.suffix != ".json" and path.exists():
        text = _between_marks(path.read_text(encoding="utf-8"), text).rstrip("\n")
    path.write_text(text + "\n", encoding="utf-8")
    print(f"The report is in {path}.", file=sys.stderr)


def _between_marks(page: str, report: str) -> str:
    """The page with ``report`` between its marks; the report alone where it has none."""
    if BEGIN not in page or END not in page:
        return report
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{report}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    sys.exit(main())
