"""Clashes on record that were none: of two bookings that never took one time, neither may lose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from calsync.model import ConflictKind
from calsync.store.reports import ConflictRecord
from simulation.people import Act

#: The times of what lasts all day are days, wherever their midnight lies.
_ZONES = timedelta(hours=14)
_DAY = timedelta(days=1)

Span = tuple[datetime, datetime]


def unfounded(
    records: Iterable[ConflictRecord], names: Mapping[str, str], acts: Sequence[Act]
) -> list[str]:
    """What is wrong with each clash on record between two bookings of ``names`` (by their link)
    for which people never wanted any time that meets. All times that they ever gave each of the two
    count: which of them calsync saw, and when, is its own affair. (A crowd of items is nobody's
    act.)"""
    found = []
    for conflict in (record.conflict for record in records):
        loser, winner = names.get(conflict.link_id), names.get(conflict.other_link_id or "")
        if conflict.kind is not ConflictKind.CLASH or not loser or not winner or loser == winner:
            continue
        mine, theirs = _wanted(loser, acts), _wanted(winner, acts)
        met = any(one[0] < other[1] and other[0] < one[1] for one in mine for other in theirs)
        if mine and theirs and not met:
            found.append(f"{loser} lost to {winner}, which it never met: {conflict.reason}")
    return found


def _wanted(name: str, acts: Sequence[Act]) -> set[Span]:
    return {
        _wide(start, end)
        for act in acts
        if act.name == name
        for kind, start, end in (act.before or frozenset()) | (act.after or frozenset())
        if kind == "at" and isinstance(start, datetime) and isinstance(end, datetime)
    }


def _wide(start: datetime, end: datetime) -> Span:
    whole = (end - start) % _DAY == timedelta(0) and start.time() == end.time()
    return (start - _ZONES, end + _ZONES) if whole else (start, end)
