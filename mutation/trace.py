"""Which lines of the code under mutation each test runs, by a line tracer of our own.

coverage.py could do it; but it would be one more locked package for thirty lines.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

#: A line: the dotted module and the number in its file.
Line = tuple[str, int]


@dataclass(slots=True)
class Trace:
    """``lines``: the tests (by node id) that run a line; ``seconds``: processor time of each
    test, slowed by the tracer; ``imported``: lines that run while everything is imported;
    ``stiff``: functions (module, name) that cannot be given other code while they live."""

    lines: dict[Line, set[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    imported: set[Line] = field(default_factory=set)
    stiff: set[tuple[str, str]] = field(default_factory=set)

    def add(self, test: str, seconds: float, lines: Iterable[Line]) -> None:
        self.seconds[test] = seconds
        for line in lines:
            self.lines.setdefault(line, set()).add(test)

    def without(self, files: set[str]) -> Trace:
        """The trace without the tests of some files."""
        kept = {t: s for t, s in self.seconds.items() if t.partition("::")[0] not in files}
        lines = {line: seen & kept.keys() for line, seen in self.lines.items()}
        return Trace(lines, kept, self.imported, self.stiff)

    def join(self, other: Trace) -> None:
        """Add the tests of another trace of the same code."""
        self.seconds |= other.seconds
        self.imported |= other.imported
        for line, tests in other.lines.items():
            self.lines.setdefault(line, set()).update(tests)

    def seeing(self, module: str, first: int, last: int) -> set[str]:
        """The tests that run any of the lines ``first`` to ``last``."""
        return set().union(*(self.lines.get((module, n), ()) for n in range(first, last + 1)))

    def using(self, modules: set[str]) -> set[str]:
        """The tests that run any line of the modules."""
        return set().union(*(seen for (m, _), seen in self.lines.items() if m in modules))

    def to_json(self) -> dict[str, Any]:
        tests = sorted(self.seconds)
        number = {test: n for n, test in enumerate(tests)}
        return {
            "tests": [[test, round(self.seconds[test], 5)] for test in tests],
            "lines": [
                [module, line, sorted(number[t] for t in seen)]
                for (module, line), seen in sorted(self.lines.items())
            ],
            "imported": sorted(map(list, self.imported)),
            "stiff": sorted(map(list, self.stiff)),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Trace:
        tests = [test for test, _ in data["tests"]]
        return cls(
            lines={(m, n): {tests[t] for t in seen} for m, n, seen in data["lines"]},
            seconds=dict(data["tests"]),
            imported={(m, n) for m, n in data["imported"]},
            stiff={(m, u) for m, u in data["stiff"]},
        )


@contextmanager
def tracing(files: Mapping[str, str]) -> Iterator[set[Line]]:
    """Gathers the lines of ``files`` (path to dotted module) that run within the block."""
    found: set[Line] = set()

    def enter(frame: types.FrameType, _event: str, _arg: object) -> Any:
        module = files.get(frame.f_code.co_filename)
        if module is None:
            return None

        def line(frame: types.FrameType, _event: str, _arg: object) -> Any:
            found.add((module, frame.f_lineno))
            return line

        return line

    sys.settrace(enter)
    try:
        yield found
    finally:
        sys.settrace(None)
