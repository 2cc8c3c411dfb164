"""The explained survivors, the score, and the verdict on a run.

``survivors.toml`` names each survivor by what stays when lines move: its function, the operator,
the text of its line and the change. ``equivalent``: no test can ever see it, the reason is the
proof; it does not count. ``accepted``: it could be seen, but a test would pin down what should
stay free; it counts as not killed, and the reason says why it stays.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutation.source import Mutant

#: Killed mutants of all that are not equivalent, in per cent.
REQUIRED = 90.0

_KINDS = ("equivalent", "accepted")


@dataclass(frozen=True, slots=True)
class Explanation:
    """``change``: empty for every change of the operator on the line."""

    place: str
    operator: str
    line: str
    change: str
    kind: str
    reason: str

    def covers(self, mutant: Mutant) -> bool:
        return (
            self.place == mutant.place
            and self.operator == mutant.operator
            and self.line == mutant.line
            and self.change in ("", mutant.says)
        )


def read_explanations(path: Path) -> list[Explanation]:
    """Raises ValueError, naming the entry, where one is not complete."""
    found = []
    for entry in tomllib.loads(path.read_text("utf-8")).get("survivor", []):
        given = dict(entry)
        one = Explanation(
            place=given.pop("in", ""),
            operator=given.pop("operator", ""),
            line=given.pop("line", ""),
            change=given.pop("change", ""),
            kind=given.pop("kind", ""),
            reason=given.pop("reason", ""),
        )
        if given or one.kind not in _KINDS or not (one.place and one.operator and one.reason):
            raise ValueError(f"{path.name}: not complete, or with unknown fields: {entry}")
        found.append(one)
    return found


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of mutants. ``killed`` includes those that never ended or broke the process."""

    mutants: int
    killed: int
    equivalent: int
    accepted: int

    @property
    def unexplained(self) -> int:
        return self.mutants - self.killed - self.equivalent - self.accepted

    @property
    def of_all(self) -> float:
        """Per cent of all mutants that are killed."""
        return 100.0 * self.killed / self.mutants if self.mutants else 100.0

    @property
    def strict(self) -> float:
        """Per cent of those that can be killed; what is merely explained still counts against."""
        able = self.mutants - self.equivalent
        return 100.0 * self.killed / able if able else 100.0


@dataclass(frozen=True, slots=True)
class Summary:
    """``idle``: explanations without a survivor."""

    scores: Mapping[str, Score]
    unexplained: Sequence[Mutant]
    idle: Sequence[Explanation]

    @property
    def total(self) -> Score:
        parts = self.scores.values()
        return Score(
            sum(s.mutants for s in parts),
            sum(s.killed for s in parts),
            sum(s.equivalent for s in parts),
            sum(s.accepted for s in parts),
        )

    @property
    def passes(self) -> bool:
        enough = all(s.strict >= REQUIRED for s in self.scores.values())
        return enough and not self.unexplained and not self.idle


def summarise(
    outcomes: Iterable[tuple[Mutant, bool]], explanations: Sequence[Explanation]
) -> Summary:
    """``outcomes``: each mutant, and whether it survived."""
    counts: dict[str, Counter[str]] = {}
    unexplained: list[Mutant] = []
    used: set[Explanation] = set()
    places: set[str] = set()
    for mutant, survived in outcomes:
        package = mutant.module.split(".")[1]
        places.add(package)
        count = counts.setdefault(package, Counter())
        count["mutants"] += 1
        if not survived:
            count["killed"] += 1
            continue
        found = next((e for e in explanations if e.covers(mutant)), None)
        if found is None:
            unexplained.append(mutant)
        else:
            used.add(found)
            count[found.kind] += 1
    scores = {
        package: Score(c["mutants"], c["killed"], c["equivalent"], c["accepted"])
        for package, c in counts.items()
    }
    idle = [e for e in explanations if e not in used and e.place.split(".")[1] in places]
    return Summary(scores, unexplained, idle)
