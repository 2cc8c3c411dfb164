"""Pytest held open: a process that has imported and collected everything, one fork per mutant.

The caller never imports calsync: every function here forks first. A child's answer comes back
through a pipe; what never ends is stopped by its own timers, which count the processor time of
one test (a busy machine makes nothing time out) and, far behind, real time.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mutation.source import Module, Mutant, put_warm, serve_cold
from mutation.trace import Trace, tracing

_ARGUMENTS = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no"]
# hypothesis is imported before the forks, so its own assertions are not rewritten.
_ARGUMENTS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
#: A test may take this many times what it took under the tracer, and a second more.
_PATIENCE = 3.0
#: Bytes of address space beyond those in use: an endless loop may gather things.
_MEMORY = 1_000_000_000


class Stop(Exception):
    """The run cannot go on; the text says why."""


@dataclass(frozen=True, slots=True)
class Task:
    """A mutant to be tried. ``groups`` of tasks share a function (see :meth:`Trials.run`)."""

    module: Module
    mutant: Mutant


@dataclass(frozen=True, slots=True)
class Verdict:
    """``how``: killed, timeout, crash or survived; ``by``: the test that failed."""

    how: str
    by: str = ""


def prepare() -> None:
    """What every process needs: done once, before the first fork."""
    from hypothesis import Phase, settings

    # The examples of the gate; but a failure is enough, it need not be shrunk.
    settings.register_profile(
        "mutation",
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        report_multiple_bugs=False,
    )
    os.environ["HYPOTHESIS_PROFILE"] = "mutation"
    for name in ("dateutil.rrule", "tzlocal"):
        importlib.import_module(name)


class _Plugin:
    """Does ``work`` in place of running the tests, once they are collected."""

    def __init__(self, work: Callable[[pytest.Session], None]) -> None:
        self.work = work
        self.failed = False
        self.error: Stop | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        try:
            if session.testsfailed:
                raise Stop("the tests cannot be collected")
            self.work(session)
        except Stop as error:
            self.error = error
        return True

    def fails(self, item: pytest.Item, following: pytest.Item | None) -> bool:
        """Run one test: True where it fails."""
        self.failed = False
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return self.failed

    def first_failure(self, items: Sequence[pytest.Item], seconds: dict[str, float]) -> str:
        """The first of the tests that fails, or nothing; within limits of time and memory."""
        _limit_memory()
        for item, following in zip(items, [*items[1:], None], strict=True):
            _limit_time(seconds.get(item.nodeid, 0.0))
            if self.fails(item, following):
                return item.nodeid
        return ""

    def main(self, tests: Sequence[str]) -> None:
        code = pytest.main([*_ARGUMENTS, *tests], plugins=[self])
        if self.error is not None:
            raise self.error
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            raise Stop(f"pytest ended with {code!r}")


def _limit_time(seconds: float) -> None:
    """The signals of these timers end the process."""
    signal.setitimer(signal.ITIMER_PROF, 1.0 + _PATIENCE * seconds)
    signal.setitimer(signal.ITIMER_REAL, 30.0 + 20 * _PATIENCE * seconds)


def _limit_memory() -> None:
    with suppress(ValueError, OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + _MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


# --- children --------------------------------------------------------------------------------


def _fork(work: Callable[[], object], *, loud: bool = False) -> tuple[int, int]:
    """A child that does ``work`` and answers its value as JSON: its pid and the pipe to read.
    ``loud``: what goes wrong in it stops the run."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        os.close(reading)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        try:
            answer: object = {"value": work()}
        except Stop as error:
            answer = {"stop": str(error)}
        except Exception:
            if not loud:
                raise
            answer = {"stop": traceback.format_exc()}
        with os.fdopen(writing, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    finally:
        os._exit(3)


def _read(pipe: int) -> Any:
    """What a child answered; None where it died before."""
    with os.fdopen(pipe) as reading:
        text = reading.read()
    answer = json.loads(text) if text else {"value": None}
    if "stop" in answer:
        raise Stop(answer["stop"])
    return answer["value"]


def _in_child(work: Callable[[], object]) -> Any:
    pid, pipe = _fork(work, loud=True)
    value = _read(pipe)
    _, status = os.waitpid(pid, 0)
    if value is None:
        raise Stop(f"a process of the run ended with status {status}")
    return value


def trace(tests: Sequence[str], modules: Sequence[Module]) -> Trace:
    """Run all tests once, without a mutant but with every function put in place as a mutant's
    would be: that they pass shows that only the change of a mutant can make them fail."""
    found = Trace()
    files = {str(m.path): m.name for m in modules}
    importing = ExitStack()

    def run(session: pytest.Session) -> None:
        importing.close()
        for module in modules:
            for unit in sorted({m.unit for m in module.mutants if not m.cold}):
                try:
                    put_warm(module, unit)
                except LookupError:
                    found.stiff.add((module.name, unit))
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            begun = time.process_time()
            with tracing(files) as lines:
                failed = plugin.fails(item, following)
            if failed:
                raise Stop(f"{item.nodeid} fails without any mutant")
            found.add(item.nodeid, time.process_time() - begun, lines)

    plugin = _Plugin(run)

    def work() -> object:
        found.imported = importing.enter_context(tracing(files))
        plugin.main(tests)
        return found.to_json()

    return Trace.from_json(_in_child(work))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """How mutants are tried. ``choose``: the tests for one, in order, given those that killed
    the last ones of its function; ``done`` is told each verdict and the tests that were to be met;
    ``jobs`` run at a time."""

    tests: Sequence[str]
    seconds: dict[str, float]
    choose: Callable[[Task, Sequence[str]], list[str]]
    done: Callable[[Task, Verdict, Sequence[str]], None]
    jobs: int

    def warm(self, groups: Iterable[list[Task]]) -> None:
        """Try mutants in forks of one process that has collected. Each group: the mutants of
        one function, one after the other. ``done`` is called in that process."""

        def run(session: pytest.Session) -> None:
            items = {item.nodeid: item for item in session.items}

            def attempt(task: Task, chosen: list[str]) -> object:
                task.mutant.put()
                put_warm(task.module, task.mutant.unit)
                return plugin.first_failure([items[c] for c in chosen], self.seconds)

            gc.collect()
            gc.freeze()
            self._pool(groups, attempt)

        plugin = _Plugin(run)

        def work() -> object:
            plugin.main(self.tests)
            return True

        _in_child(work)

    def cold(self, groups: Iterable[list[Task]]) -> None:
        """Try mutants in forks that import the mutated module and collect for themselves."""

        def attempt(task: Task, chosen: list[str]) -> object:
            task.mutant.put()
            serve_cold(task.module)
            for some in by_files(chosen):
                killer = self._collected(some)
                if killer != "":
                    return killer or "its import"
            return ""

        self._pool(groups, attempt)

    def _collected(self, chosen: Sequence[str]) -> str | None:
        """The first of the tests that fails, or nothing; None where they cannot be collected."""
        found: list[str] = []

        def run(session: pytest.Session) -> None:
            items = {item.nodeid: item for item in session.items}
            # A mutated table may change which cases a test has.
            gone = next((c for c in chosen if c not in items), None)
            found.append(gone or plugin.first_failure([items[c] for c in chosen], self.seconds))

        plugin = _Plugin(run)
        _limit_time(30.0)
        with suppress(Stop):
            plugin.main(sorted({c.partition("::")[0] for c in chosen}))
        return found[0] if found else None

    def _pool(
        self, groups: Iterable[list[Task]], attempt: Callable[[Task, list[str]], object]
    ) -> None:
        """``jobs`` groups at a time, each one mutant at a time: what kills one goes first for
        the next of the function."""
        waiting = iter(groups)
        running: dict[int, tuple[int, list[Task], list[str], list[str]]] = {}

        def begin(group: list[Task], killers: list[str]) -> None:
            while True:
                for number, task in enumerate(group):
                    if chosen := self.choose(task, killers):
                        pid, pipe = _fork(lambda t=task, c=chosen: attempt(t, c))  # type: ignore[misc]
                        running[pid] = (pipe, group[number:], chosen, killers)
                        return
                    self.done(task, Verdict("survived"), ())
                following = next(waiting, None)
                if following is None:
                    return
                group, killers = following, []

        for _ in range(self.jobs):
            begin([], [])
        while running:
            pid, status = os.wait()
            pipe, group, chosen, killers = running.pop(pid)
            verdict = _verdict(_read(pipe), status)
            self.done(group[0], verdict, chosen)
            if verdict.by:
                killers = [verdict.by, *(k for k in killers if k != verdict.by)][:5]
            begin(group[1:], killers)


def by_files(chosen: Sequence[str]) -> Iterator[list[str]]:
    """The tests in parts: those of the file whose test comes first, of the next three, of all the
    rest. To collect a file takes longer than its tests, and most mutants die in the first."""
    files = list(dict.fromkeys(c.partition("::")[0] for c in chosen))
    for some in (files[:1], files[1:4], files[4:]):
        if some:
            yield [c for c in chosen if c.partition("::")[0] in some]


def _verdict(value: Any, status: int) -> Verdict:
    if value is not None:
        return Verdict("killed", value) if value else Verdict("survived")
    signalled = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return Verdict("timeout" if signalled in (signal.SIGPROF, signal.SIGALRM) else "crash")
