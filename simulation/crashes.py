"""Death at every point: before and after each call, each write to a mailbox and each commit.

A recorded history is a seed: people act on both sides while calsync is not running; then it works
until both sides rest. That is done once without a death, and once for each point at which the
process could have died. After every one of them both stores must end in the same state, and the
same messages must have left (but for one that was under way when the process died, of which
nobody can know).
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from calsync.model import Side
from simulation.claim import Violation
from simulation.company import SENDER
from simulation.faults import FAULTS
from simulation.history import History, Plan
from simulation.process import Died

_NO_FAULTS = frozenset(fault.number for fault in FAULTS)
#: Acts of people before calsync works, and how many such rounds a history has.
ACTS, ROUNDS = 6, 2


@dataclass(frozen=True, slots=True)
class State:
    """What both stores hold in the end, and who was told what."""

    items: tuple[tuple[object, ...], ...]
    mails: Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """``points``: where the process could die. ``error``: what differed, and after which death."""

    seed: int
    points: int
    deaths: int
    error: str


class _Recorded(History):
    """A history whose people act while calsync does not run."""

    def play(self, deaths: Sequence[int]) -> tuple[State, int]:
        """``deaths``: points, counted over the whole of it, at which a process dies."""
        left = sorted(deaths, reverse=True)
        passed = 0
        for number in range(ROUNDS):
            self.story.step = number + 1
            self.rng = Random(f"{self.plan.seed}/acts/{number}")
            self.people.hints.clear()
            for _ in range(ACTS):
                self.company.time.forward(1.0)
                self.people.act(self.rng)
            passed = self._work_through(left, passed)
        self.judge.after_step()
        self.judge.at_rest()
        return self._state(), passed

    def _work_through(self, left: list[int], passed: int) -> int:
        while True:
            process = self.company.process
            process.points = 0
            process.deaths = left[-1] - passed if left else None
            try:
                self._rest()
            except Died as died:
                left.pop()
                passed += process.points
                self.story.tell("process", f"dies {died}")
                self._restart()
            else:
                process.deaths = None
                return passed + process.points

    def _state(self) -> State:
        items = sorted(
            (
                (
                    place.id,
                    side.value,
                    one.name,
                    one.version,
                    one.private,
                    one.busy,
                    one.times_said(),
                )
                for place in self.company.places
                for side in Side
                for one in self.people.images(side, place)
            ),
            key=str,
        )
        mails = Counter(
            (mail["to"], mail["subject"])
            for mail in self.company.control.world.mails
            if mail["from"] == SENDER
        )
        return State(tuple(items), mails)


def crash_everywhere(seed: int, folder: Path, *, pairs: int = 0, every: int = 1) -> Outcome:
    """One history, with a death at each (or ``every`` so many) of its points, and ``pairs`` times
    at two of them."""
    logging.disable(logging.CRITICAL)
    whole, points = _play(seed, (), folder)
    if isinstance(whole, str):
        return Outcome(seed, points, 0, f"without any death: {whole}")
    chance = Random(f"{seed}/deaths")
    schedules: list[tuple[int, ...]] = [(point,) for point in range(0, points, every)]
    schedules += [tuple(sorted(chance.sample(range(points), 2))) for _ in range(pairs)]
    for schedule in schedules:
        after, _ = _play(seed, schedule, folder)
        error = after if isinstance(after, str) else _difference(whole, after, len(schedule))
        if error:
            return Outcome(seed, points, len(schedules), f"death at {schedule}: {error}")
    return Outcome(seed, points, len(schedules), "")


def _play(seed: int, deaths: Sequence[int], folder: Path) -> tuple[State | str, int]:
    history = _Recorded(Plan(seed=seed, without=_NO_FAULTS), folder)
    try:
        return history.play(deaths)
    except Violation as violation:
        return str(violation), 0
    finally:
        history.company.close()


def _difference(whole: State, after: State, deaths: int) -> str:
    if after.items != whole.items:
        odd = set(whole.items) ^ set(after.items)
        return f"another state: {sorted(odd, key=str)[:4]}"
    extra, missing = after.mails - whole.mails, whole.mails - after.mails
    if extra:
        return f"messages too many: {dict(extra)}"
    if missing.total() > deaths:
        return f"messages missing: {dict(missing)}"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m simulation.crashes", description=__doc__)
    parser.add_argument("-n", type=int, default=300, help="histories (300)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--pairs", type=int, default=2, help="pairs of deaths in each (2)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    place = Path("/dev/shm")
    folder = Path(
        tempfile.mkdtemp(prefix="calsync-crashes-", dir=place if place.is_dir() else None)
    )
    began, points, deaths, failed = time.monotonic(), 0, 0, 0
    try:
        seeds = range(options.first, options.first + options.n)
        work = partial(crash_everywhere, folder=folder, pairs=options.pairs)
        with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
            for number, outcome in enumerate(pool.imap_unordered(work, seeds), 1):
                points, deaths = points + outcome.points, deaths + outcome.deaths
                print(
                    f"\r{number} of {options.n} histories, {deaths} deaths", end="", file=sys.stderr
                )
                if outcome.error:
                    failed += 1
                    print(f"\nseed {outcome.seed}: {outcome.error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(file=sys.stderr)
    print(
        f"{options.n} histories, {points} points, {deaths} runs with a death at one or two of them,"
        f" {time.monotonic() - began:.0f} s: {failed} histories ended otherwise"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
