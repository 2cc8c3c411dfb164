"""How often something happened lately: a count over a span that begins with its first event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Tally:
    """``count`` since ``since`` (aware UTC). Two numbers instead of a list of times: at most
    twice the limit fits into one span, around the turn from one tally to the next."""

    count: int = 0
    since: datetime | None = None

    def within(self, span: timedelta, now: datetime) -> int:
        """The count, or 0 where it began ``span`` ago or longer, or in the future (a clock that
        was set back must not hold anything up for ever)."""
        if self.since is None or not self.since <= now < self.since + span:
            return 0
        return self.count

    def plus(self, more: int, span: timedelta, now: datetime) -> Tally:
        """``more`` happened now."""
        counted = self.within(span, now)
        if not counted:
            return Tally(more, now) if more else NONE_YET
        return Tally(counted + more, self.since)

    def less(self, fewer: int) -> Tally:
        """So many of them did not happen after all."""
        left = self.count - fewer
        return Tally(left, self.since) if left > 0 else NONE_YET


#: Nothing happened yet.
NONE_YET = Tally()
