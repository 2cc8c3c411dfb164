"""A history as a person would tell it: one line an act, a write, a cycle, a misfortune."""

from __future__ import annotations

from dataclasses import dataclass, field

from calsync.model import Occupancy


@dataclass(slots=True)
class Story:
    """The lines told so far."""

    lines: list[str] = field(default_factory=list)

    def tell(self, who: str, what: str) -> None:
        self.lines.append(f"{len(self.lines) + 1:4}  {who:<9} {what}")

    def __str__(self) -> str:
        return "\n".join(self.lines)


def words(occ: Occupancy | None) -> str:
    """An occupancy in a few words: title, wall time, dates of a series."""
    if occ is None:
        return "nothing"
    text = f"{occ.title} {occ.start:%d.%m. %H:%M}"
    if occ.recurrence is not None:
        out = ", ".join(f"{d:%d.%m.}" for d in occ.recurrence.excluded)
        text += f" weekly x{occ.recurrence.rule.count}" + (f" without {out}" if out else "")
    return text
