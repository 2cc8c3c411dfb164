"""``python -m mutation``: mutate, try, judge. Exit 0 where the score is met and every survivor
is explained, 1 where not, 2 where the run itself could not be made."""

from __future__ import annotations

import argparse
import ast
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mutation import session, survivors
from mutation.results import Results
from mutation.session import Stop, Task, Trials, Verdict
from mutation.source import VERSION, Module, Mutant, digest, read
from mutation.trace import Trace

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pacing", "conflicts", "reconcile", "mapping")
#: The fast pure tests. Of the histories a few hundred, but not every point of dying: those ask
#: the engine rather than the core.
TESTS = (
    "tests/unit/core",
    "tests/unit/hub",
    "tests/unit/mapping",
    "tests/unit/pacing",
    "tests/properties",
    "tests/simulation/test_histories.py::test_every_invariant_holds_in_histories_of_a_mode",
)
KEPT = ROOT / ".mutation"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="mutation", description=__doc__)
    parser.add_argument("packages", nargs="*", help=f"of {', '.join(PACKAGES)}; all by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--fresh", action="store_true", help="forget what is known")
    parser.add_argument("--only", default="", help="places (module:function) that contain this")
    parser.add_argument(
        "--budget", type=float, default=6.0, help="seconds of tests that each mutant meets at most"
    )
    parser.add_argument("--sample", type=int, default=1, help="every n-th mutant; 1: all")
    given = parser.parse_args(arguments)
    if unknown := set(given.packages) - set(PACKAGES):
        parser.error(f"no such package: {', '.join(sorted(unknown))}")
    os.chdir(ROOT)
    session.prepare()
    try:
        return _Run(given).judge()
    except Stop as problem:
        print(f"Error: {problem}.", file=sys.stderr)
        return 2


class _Run:
    def __init__(self, given: argparse.Namespace) -> None:
        # Lines are traced in all of the core, so that one trace serves every run.
        everything = read(ROOT, PACKAGES)
        wanted = tuple(f"calsync.{p}" for p in given.packages or PACKAGES)
        self.only, self.sample, self.jobs = given.only, given.sample, given.jobs
        self.budget = given.budget
        self.modules = [m for m in everything if m.name.startswith(wanted)]
        self.files = _test_files()
        self.results = Results(KEPT / "results.jsonl", self.files)
        if given.fresh:
            self.results.forget()
        self.results.load()
        self.trace = self._traced(everything)
        self.users = _importers(everything)
        self.imports = {path: _imported((ROOT / path).read_text("utf-8")) for path in self.files}
        #: How often each test killed a mutant of a module, and how often it was tried on one.
        self.kills: Counter[tuple[str, str]] = Counter()
        self.tries: Counter[tuple[str, str]] = Counter()
        for result in self.results:
            if result.by:
                self.kills[result.shown.partition(":")[0], result.by] += 1
                self.tries[result.shown.partition(":")[0], result.by] += 1
        self.left = 0
        self.begun = time.monotonic()
        self.tell = os.fdopen(os.dup(1), "w", buffering=1)

    def judge(self) -> int:
        self._try_all()
        self.results.load()
        outcomes = []
        for module in self.modules:
            for mutant in module.mutants:
                if self._is_wanted(mutant):
                    result = self.results.of(mutant)
                    assert result is not None, mutant
                    outcomes.append((mutant, result.how == "survived"))
        explanations = survivors.read_explanations(Path(__file__).with_name("survivors.toml"))
        if self.only or self.sample > 1:
            # A part of the mutants cannot tell which explanations have become idle.
            alive = [mutant for mutant, survived in outcomes if survived]
            explanations = [e for e in explanations if any(e.covers(m) for m in alive)]
        summary = survivors.summarise(outcomes, explanations)
        print(_report(summary))
        return 0 if summary.passes else 1

    # -- trying -----------------------------------------------------------------------------

    def _try_all(self) -> None:
        warm: list[list[Task]] = []
        cold: list[list[Task]] = []
        for module in self.modules:
            groups: dict[tuple[str, bool], list[Task]] = {}
            for mutant in module.mutants:
                if self._is_wanted(mutant) and self._is_open(mutant):
                    is_cold = self._is_cold(mutant)
                    groups.setdefault((mutant.unit, is_cold), []).append(Task(module, mutant))
            for (_, is_cold), group in groups.items():
                (cold if is_cold else warm).append(group)
        self.left = sum(map(len, [*warm, *cold]))
        print(f"{sum(map(len, warm))} mutants to try, and {sum(map(len, cold))} of imported code")
        trials = Trials(
            tests=TESTS,
            seconds=self.trace.seconds,
            choose=self._choose,
            done=self._done,
            jobs=self.jobs,
        )
        if warm:
            trials.warm(warm)
        self.left = sum(map(len, cold))
        if cold:
            trials.cold(cold)

    def _is_wanted(self, mutant: Mutant) -> bool:
        return self.only in mutant.place and int(mutant.id, 16) % self.sample == 0

    def _is_open(self, mutant: Mutant) -> bool:
        result = self.results.of(mutant)
        if result is None:
            return True
        if result.how == "survived" and result.budget >= self.budget:
            return bool(self.results.unmet(result, self._seeing(mutant)))
        return not self.results.holds(result)

    def _is_cold(self, mutant: Mutant) -> bool:
        place = (mutant.module, mutant.unit)
        lines = ((mutant.module, n) for n in range(mutant.first, mutant.last + 1))
        return (
            mutant.cold
            or place in self.trace.stiff
            or any(line in self.trace.imported for line in lines)
        )

    def _seeing(self, mutant: Mutant) -> list[str]:
        """The tests that can see the mutant."""
        if self._is_cold(mutant):
            # A test that only reads a constant runs no line of the module.
            users = self.users[mutant.module]
            files = {f for f, modules in self.imports.items() if modules & users}
            reading = {t for t in self.trace.seconds if t.partition("::")[0] in files}
            return sorted(self.trace.using(users) | reading)
        return sorted(self.trace.seeing(mutant.module, mutant.first, mutant.last))

    def _choose(self, task: Task, killers: Sequence[str]) -> list[str]:
        """Its tests in the order that kills soonest: what killed it or its neighbours before,
        then by the time that each test has taken for a kill in this module so far; no more of
        them than the budget allows, but always those of files that import the module itself."""
        result = self.results.of(task.mutant)
        tests = self._seeing(task.mutant)
        if result is not None and result.budget >= self.budget:
            tests = self.results.unmet(result, tests)
        last = [result.by] if result is not None and result.by else []
        first = {test: n for n, test in enumerate(dict.fromkeys([*last, *killers]))}

        def key(test: str) -> tuple[int, float, str]:
            at = (task.module.name, test)
            chance = (self.kills[at] + 0.05) / (self.tries[at] + 1.0)
            return first.get(test, len(first)), (self.trace.seconds[test] + 0.005) / chance, test

        chosen: list[str] = []
        spent = 0.0
        for test in sorted(tests, key=key):
            direct = task.module.name in self.imports[test.partition("::")[0]]
            if direct or not chosen or spent < self.budget:
                chosen.append(test)
                spent += self.trace.seconds[test]
        return chosen

    def _done(self, task: Task, verdict: Verdict, tests: Sequence[str]) -> None:
        met = tests[: tests.index(verdict.by) + 1] if verdict.by in tests else tests
        for test in met:
            self.tries[task.module.name, test] += 1
        if verdict.by:
            self.kills[task.module.name, verdict.by] += 1
        self.results.save(task.mutant, verdict, self._seeing(task.mutant), self.budget)
        self.left -= 1
        if verdict.how == "survived":
            print(f"survived: {task.mutant}", file=self.tell)
        if self.left % 200 == 0:
            passed = time.monotonic() - self.begun
            print(f"{self.left} left, {passed:.0f} s", file=self.tell)

    def _traced(self, modules: Sequence[Module]) -> Trace:
        """The trace, from its file where the code has not changed since; then only the tests of
        new or changed files are run for it."""
        sources = sorted((ROOT / "calsync").glob("**/*.py"))
        code = digest(json.dumps([VERSION, TESTS, [p.read_text("utf-8") for p in sources]]))
        path = KEPT / "trace.json"
        kept: dict[str, Any] = {"code": ""}
        if path.exists():
            kept = json.loads(path.read_text("utf-8"))
        known: dict[str, str] = kept["files"] if kept["code"] == code else {}
        helpers = [f for f in self.files if not f.rpartition("/")[2].startswith("test_")]
        if any(known.get(f) != self.files[f] for f in helpers):
            known = {}
        changed = {f for f in {*known, *self.files} if known.get(f) != self.files.get(f)}
        found = Trace.from_json(kept["trace"]).without(changed) if known else Trace()
        tests = _narrowed(TESTS, changed & self.files.keys()) if known else TESTS
        if tests:
            print("Running the tests once without a mutant", flush=True)
            fresh = session.trace(tests, modules)
            fresh.join(found)
            found = fresh
        if changed:
            KEPT.mkdir(exist_ok=True)
            made = {"code": code, "files": self.files, "trace": found.to_json()}
            path.write_text(json.dumps(made), "utf-8")
        return found


def _narrowed(tests: Sequence[str], files: set[str]) -> tuple[str, ...]:
    """What of ``tests`` (folders, or tests of a file) lies in ``files``."""
    return tuple(
        test if "::" in test else file
        for file in sorted(files)
        for test in tests
        if file.startswith(test.partition("::")[0]) and file.rpartition("/")[2].startswith("test_")
    )


def _test_files() -> dict[str, str]:
    """The digest of every test file, by its path below the root."""
    return {
        path.relative_to(ROOT).as_posix(): digest(path.read_text("utf-8"))
        for path in sorted((ROOT / "tests").glob("**/*.py"))
    }


def _importers(modules: Sequence[Module]) -> dict[str, set[str]]:
    """Each module with those that import from it."""
    found = {module.name: {module.name} for module in modules}
    for module in modules:
        for name in _imported(module.text) & found.keys():
            found[name].add(module.name)
    return found


def _imported(text: str) -> set[str]:
    """The modules from which a text imports names."""
    nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom))
    return {node.module for node in nodes if node.module is not None}


def _report(summary: survivors.Summary) -> str:
    lines = []
    for mutant in summary.unexplained:
        lines += [f"unexplained survivor: {mutant}", f"    {mutant.line}"]
    for one in summary.idle:
        lines.append(f"explained, but not there (any more): {one.place}: {one.line}: {one.change}")
    lines.append("")
    head = "package     mutants  killed  equivalent  accepted  unexplained  of all  score"
    lines += [head, "-" * len(head)]
    for name, score in [*summary.scores.items(), ("all", summary.total)]:
        lines.append(
            f"{name:<10} {score.mutants:8} {score.killed:7} {score.equivalent:11}"
            f" {score.accepted:9} {score.unexplained:12} {score.of_all:6.1f}% {score.strict:5.1f}%"
        )
    lines.append("")
    lines.append(
        f"{'Passed' if summary.passes else 'FAILED'}: each package needs a score of "
        f"{survivors.REQUIRED:.0f} %, and a reason for each mutant that survives. The score counts "
        "all mutants but those that are proved equivalent."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
