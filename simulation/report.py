"""What a run of many histories shows: figures, the table of faults by operations, the bound."""

from __future__ import annotations

import math
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulation.faults import FAULTS
from simulation.history import Result

#: The columns of the table: operations of the wire; all else is one column.
OPERATIONS = (
    "sign in", "delta", "list", "read", "find", "create", "change", "delete", "answer", "batch",
    "mail",
)  # fmt: skip


@dataclass(slots=True)
class Report:
    steps: int
    calendar: str
    database: str
    histories: int = 0
    acts: int = 0
    halts: int = 0
    seconds: float = 0.0
    kept: int = 0
    first: int | None = None
    last: int | None = None
    failures: list[Result] = field(default_factory=list)
    fired: Counter[tuple[int, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    rests: Counter[int] = field(default_factory=Counter)
    twice: int = 0
    unequal: list[int] = field(default_factory=list)
    _digests: dict[int, str] = field(default_factory=dict)

    def add(self, result: Result) -> bool:
        """Whether the seed is new. One that was run before must have the same trace again."""
        seed = result.plan.seed
        if seed in self._digests:
            self.twice += 1
            if self._digests[seed] != result.digest:
                self.unequal.append(seed)
            return False
        self.histories += 1
        self.acts += result.acts
        self.halts += result.halts
        self.fired += result.fired
        self.calls += result.calls
        self.rests += result.rests
        self.first = seed if self.first is None else min(self.first, seed)
        self.last = seed if self.last is None else max(self.last, seed)
        self._digests[seed] = result.digest
        if result.error:
            self.failures.append(result)
        return True

    # -- verdict ----------------------------------------------------------------------------

    def never(self) -> list[int]:
        """Faults that never struck."""
        struck = {number for number, _ in self.fired}
        return [fault.number for fault in FAULTS if fault.number not in struck]

    def holds(self, *, all_faults: bool) -> bool:
        return not self.failures and not self.unequal and not (all_faults and self.never())

    def text(self, *, all_faults: bool) -> str:
        lines = [
            "",
            self.markdown(),
            "",
            f"{self.histories} histories of {self.steps} steps"
            + (f" ({self.kept} of them kept from before)" if self.kept else "")
            + f" in {self.seconds:.0f} s;"
            f" {self.twice} run twice, {len(self.unequal)} with another trace",
        ]
        if self.never():
            what = "Error" if all_faults else "Note"
            lines.append(f"{what}: these faults never struck: {self.never()}")
        for failure in self.failures[:20]:
            lines.append(f"seed {failure.plan.seed}: {failure.error[:200]}")
        lines.append(f"{len(self.failures)} violations")
        return "\n".join(lines)

    # -- forms ------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        return {
            "calendar": self.calendar,
            "database": self.database,
            "commit": commit_id(),
            "histories": self.histories,
            "steps": self.steps,
            "seeds": [self.first, self.last],
            "acts": self.acts,
            "calls": dict(self.calls),
            "halts": self.halts,
            "violations": [{"seed": f.plan.seed, "error": f.error} for f in self.failures],
            "bound_95": at_most(len(self.failures), self.histories) if self.histories else None,
            "run_twice": self.twice,
            "unequal": self.unequal,
            "never": self.never(),
            "polls_to_rest": {str(k + 1): n for k, n in sorted(self.rests.items())},
            "faults": {
                str(f.number): {
                    "name": f.name,
                    "by": {
                        op: n
                        for (number, op), n in sorted(self.fired.items())
                        if number == f.number
                    },
                }
                for f in FAULTS
            },
            "seconds": round(self.seconds, 1),
        }

    def markdown(self) -> str:
        columns = [*OPERATIONS, "other"]
        table = [
            "| fault | " + " | ".join(columns) + " | all |",
            "|---|" + "---:|" * (len(columns) + 1),
        ]
        for fault in FAULTS:
            row: Counter[str] = Counter()
            for (number, operation), count in self.fired.items():
                if number == fault.number:
                    row[operation if operation in OPERATIONS else "other"] += count
            cells = [str(row[c] or "") for c in columns]
            table.append(f"| {fault.number} {fault.name} | {' | '.join(cells)} | {row.total()} |")
        calls = [str(self.calls[c] or "") for c in columns]
        table.append(f"| *calls* | {' | '.join(calls)} | {self.calls.total()} |")
        rests = ", ".join(f"{k + 1}: {n}" for k, n in sorted(self.rests.items()))
        bound = f"{at_most(len(self.failures), self.histories):.1e}" if self.histories else "-"
        return "\n".join(
            [
                f"{self.histories} histories × {self.steps} steps, seeds {self.first} to"
                f" {self.last}, commit {commit_id()}, {self.calendar} on {self.database}.",
                f"{self.acts} acts of people, {self.calls.total()} calls, {self.halts} questions of"
                f" the guard. {len(self.failures)} violations: at 95 % at most {bound} of histories"
                f" fail ({'3/n' if not self.failures else 'Clopper and Pearson, one side'}).",
                f"Polls until both sides rested: {rests}.",
                "",
                *table,
            ]
        )


def at_most(failed: int, histories: int) -> float:
    """The share of all histories that fails at most, at 95 %, where ``failed`` of so many did.

    With none by the rule of three, else the exact binomial bound of Clopper and Pearson (1934).
    """
    if not failed:
        return min(1.0, 3 / histories)
    if failed >= histories:
        return 1.0
    low, high = failed / histories, 1.0
    while high - low > 1e-9:
        share = (low + high) / 2
        so_few = sum(
            math.exp(
                math.lgamma(histories + 1)
                - math.lgamma(k + 1)
                - math.lgamma(histories - k + 1)
                + k * math.log(share)
                + (histories - k) * math.log1p(-share)
            )
            for k in range(failed + 1)
        )
        low, high = (share, high) if so_few > 0.05 else (low, share)
    return high


def commit_id() -> str:
    here = Path(__file__).resolve().parent
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"],
        cwd=here, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or "unknown"
