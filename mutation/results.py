"""What became of each mutant, kept in a file, so that only what changed is run again.

A result holds while the text of its function stays as it was, and

* killed: while the file of the test that killed it stays as it was;
* survived: for the test files that it met; later it meets only those that are new or changed,
  unless it is given a larger budget.

What changed elsewhere (a function that it calls, a helper of the tests) can make a kept result
wrong; ``FRESH=1`` forgets them all, and that is what a published score is made with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mutation.session import Verdict
from mutation.source import Mutant


@dataclass(frozen=True, slots=True)
class Result:
    """``unit``: digest of the function's text; ``files``: digests of the test files it met;
    ``budget``: seconds of tests that it met at most."""

    id: str
    unit: str
    how: str
    by: str
    files: dict[str, str]
    shown: str
    budget: float


class Results:
    """The results file: one JSON object a line, the last one of a mutant counts."""

    def __init__(self, path: Path, files: Mapping[str, str]) -> None:
        self._path = path
        self._files = files
        self._known: dict[str, Result] = {}

    def load(self) -> None:
        self._known = {}
        if self._path.exists():
            for line in self._path.read_text("utf-8").splitlines():
                result = Result(**json.loads(line))
                self._known[result.id] = result

    def __iter__(self) -> Iterator[Result]:
        return iter(self._known.values())

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)
        self._known = {}

    def of(self, mutant: Mutant) -> Result | None:
        """What is known of the mutant as its function is now."""
        result = self._known.get(mutant.id)
        return result if result is not None and result.unit == mutant.unit_digest else None

    def holds(self, result: Result) -> bool:
        """True for a kill that needs no second look."""
        if result.how == "survived":
            return False
        file = result.by.partition("::")[0]
        return file not in result.files or self._files.get(file) == result.files[file]

    def unmet(self, result: Result | None, tests: list[str]) -> list[str]:
        """Those of ``tests`` that the survivor has not met as they are now."""
        if result is None or result.how != "survived":
            return tests
        return [t for t in tests if result.files.get(_file(t)) != self._files.get(_file(t))]

    def save(self, mutant: Mutant, verdict: Verdict, tests: list[str], budget: float) -> None:
        """``tests``: all that can see the mutant."""
        met = {verdict.by} if verdict.how == "killed" else set(tests)
        result = Result(
            id=mutant.id,
            unit=mutant.unit_digest,
            how=verdict.how,
            by=verdict.by,
            files={_file(t): self._files[_file(t)] for t in sorted(met) if _file(t) in self._files},
            shown=str(mutant),
            budget=budget,
        )
        self._known[mutant.id] = result
        self._path.parent.mkdir(exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(result)) + "\n")


def _file(test: str) -> str:
    return test.partition("::")[0]
