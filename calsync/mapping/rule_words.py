"""A room's rules for people who have never heard of calsync: numbers and fixed words only."""

from __future__ import annotations

from collections.abc import Sequence

from calsync.mapping.booking_rules import BookingRules, Opening, Violation
from calsync.model import Weekday

#: Openings that are told; a room with more has them on the platform.
_MOST = 7


def told(violation: Violation, rules: BookingRules) -> str:
    """What the rule is, in a part of a sentence."""
    if violation.rule == "openingHours" and rules.opening:
        return f"{violation.what} (open {opening_hours(rules.opening)})"
    return violation.what


def opening_hours(openings: Sequence[Opening]) -> str:
    """``Mo-Fr 08:00-18:00, Sa 10:00-24:00``."""
    parts = [f"{_days(o.days)} {_clock(o.opens)}-{_clock(o.closes)}" for o in openings[:_MOST]]
    return ", ".join(parts) + (" and more" if len(openings) > _MOST else "")


def _days(days: frozenset[Weekday]) -> str:
    runs: list[list[Weekday]] = []
    for day in sorted(days):
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return "/".join(_run(run) for run in runs)


def _run(run: list[Weekday]) -> str:
    first, last = run[0].name.title(), run[-1].name.title()
    return first if len(run) == 1 else f"{first}-{last}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
