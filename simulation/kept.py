"""Results of histories on disk, one line each: a long run that was interrupted goes on from them.

A line is written when its history ends, so an ending process, a full night or a Ctrl-C costs no
more than the histories under way. The first line says of which program and plan the rest are: of
another commit, or with other steps, nothing is taken over.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO

from simulation.history import Plan, Result
from simulation.report import commit_id


class OtherRun(Exception):
    """The file holds the results of another program or plan; says which, and what to do."""


class Kept:
    """The results in the file at ``path``, which is made where there is none.

    ``plan`` is any of the run: all but its seed must be what the file's results were made with.

    :raises OtherRun: the file is of another commit, other steps, another calendar or database, or
        is no such file at all.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        self._plan = plan
        self.results: list[Result] = []
        head = {"commit": commit_id(), **_common(plan)}
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if lines:
            self._check(path, lines[0], head)
            self.results = list(self._read(lines[1:]))
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written anew: a last line that was cut off by the end of the process is not continued.
        whole = path.with_name(path.name + ".new")
        with whole.open("w", encoding="utf-8") as file:
            for fields in (head, *map(_fields, self.results)):
                file.write(json.dumps(fields) + "\n")
        whole.replace(path)
        self._file: TextIO = path.open("a", encoding="utf-8")

    def add(self, result: Result) -> None:
        self._file.write(json.dumps(_fields(result)) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _check(self, path: Path, first: str, head: dict[str, Any]) -> None:
        found = _loaded(first)
        if found is None or found.keys() != head.keys():
            raise OtherRun(f"{path} holds no results of a simulation. Give another --kept.")
        other = ", ".join(
            f"{name} {found[name]} (now {head[name]})" for name in head if found[name] != head[name]
        )
        if other:
            raise OtherRun(
                f"The results in {path} were made with {other}: they cannot be put together with"
                " those of this run. Give another --kept, or delete the file to begin anew."
            )

    def _read(self, lines: list[str]) -> Iterator[Result]:
        for line in lines:
            fields = _loaded(line)
            if fields is None:
                return  # cut off when the process ended
            yield Result(
                plan=replace(self._plan, seed=fields["seed"]),
                digest=fields["digest"],
                lines=[],
                error=fields["error"],
                fired=Counter({(number, by): n for number, by, n in fields["fired"]}),
                calls=Counter(fields["calls"]),
                acts=fields["acts"],
                rests=Counter(dict(fields["rests"])),
                halts=fields["halts"],
            )


def left(plans: list[Plan], results: list[Result]) -> list[Plan]:
    """Of ``plans``, those without a result; a seed that is there twice needs two."""
    done = Counter(result.plan.seed for result in results)
    missing = []
    for plan in plans:
        if done[plan.seed]:
            done[plan.seed] -= 1
        else:
            missing.append(plan)
    return missing


def _common(plan: Plan) -> dict[str, Any]:
    fields = asdict(plan)
    del fields["seed"]
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, (set, frozenset)) else value


def _fields(result: Result) -> dict[str, Any]:
    return {
        "seed": result.plan.seed,
        "digest": result.digest,
        "error": result.error,
        "fired": [[number, by, n] for (number, by), n in result.fired.items()],
        "calls": dict(result.calls),
        "acts": result.acts,
        "rests": list(result.rests.items()),
        "halts": result.halts,
    }


def _loaded(line: str) -> dict[str, Any] | None:
    try:
        found: object = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
