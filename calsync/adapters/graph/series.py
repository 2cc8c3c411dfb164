"""Dates of a series: from recurrence-ids to the ids Graph gives its occurrences, and the writes
that bring a series to its target one date at a time.

Graph cannot say EXDATE or overrides in a body: a date is removed by DELETE of the occurrence
and changed by PATCH of it, which makes it an exception ("Schedule repeating appointments").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any, Protocol

from calsync.adapters.graph.box import Box
from calsync.adapters.graph.errors import as_outcome, judge
from calsync.adapters.graph.events import instances, read_raw, utc
from calsync.adapters.graph.links import is_id
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.wrap.port import Answer
from calsync.errors import SideError
from calsync.mapping import zones
from calsync.mapping.event import Meant, SeriesChange, series_change
from calsync.model import Done, Gone, Occupancy, Outcome, Seen, Window

_DAY = timedelta(days=1)
#: Dates further apart than this are looked up by themselves, not by one long listing.
_APART = timedelta(days=120)
_ROUNDS = 3
#: What a write to a date was decided on. Everything else of it is not ours to compare.
_SAID = ("type", "start", "end", "isAllDay", "isCancelled", "subject", "showAs", "sensitivity")


class _Write(Protocol):
    """Sends one write for the event with this key, under this precondition (empty: none)."""

    def __call__(self, key: str, /, *, etag: str) -> Answer: ...


class _Interrupted(Exception):
    """A write was refused. ``wrote``: whether one before it took effect."""

    def __init__(self, answer: Answer, *, wrote: bool) -> None:
        super().__init__(answer.status)
        self.answer = answer
        self.wrote = wrote


@dataclass(frozen=True, slots=True)
class Date:
    """One date of a series as Graph showed it, in the zone that was asked for."""

    row: Mapping[str, Any]
    zone: str

    @property
    def key(self) -> str:
        return str(self.row["id"])


def dates_of(
    box: Box, raw: Mapping[str, Any], series: Occupancy, slots: Sequence[datetime]
) -> dict[datetime, Date]:
    """The occurrences at these recurrence-ids; removed ones are missing.

    ``raw`` is the master: its exceptions are known by their original start; the others, and all
    where a cloud does not tell the exceptions, are listed around where they stand now.
    """
    found: dict[datetime, Date] = {}
    exceptions = raw.get("exceptionOccurrences")
    told = exceptions if isinstance(exceptions, list) else ()
    _note(box, found, told, series, zone=told_in(series))
    moved = series.recurrence.overrides if series.recurrence is not None else ()
    stands = {override.recurrence_id: override.start for override in moved}
    for group in _groups([stands.get(slot, slot) for slot in slots if slot not in found]):
        low = zones.to_utc(group[0], series.zone or box.pair.zone) - _DAY
        high = zones.to_utc(group[-1], series.zone or box.pair.zone) + series.duration + _DAY
        listed = instances(box, str(raw["id"]), Window(low, high))
        _note(box, found, listed, series, zone="UTC")
    return {slot: found[slot] for slot in slots if slot in found}


def _groups(slots: Sequence[datetime]) -> Iterator[list[datetime]]:
    group: list[datetime] = []
    for slot in sorted(slots):
        if group and slot - group[-1] > _APART:
            yield group
            group = []
        group.append(slot)
    if group:
        yield group


def _note(
    box: Box, found: dict[datetime, Date], rows: Any, series: Occupancy, *, zone: str
) -> None:
    for row in rows:
        slot = slot_of(row, series, box.pair.zone) if isinstance(row, dict) else None
        if slot is not None and is_id(row.get("id")):
            found.setdefault(slot, Date(row, zone))


def slot_of(row: Mapping[str, Any], series: Occupancy, room_zone: str) -> datetime | None:
    """The recurrence-id of an instance (wall time in the zone of the series), None if unsaid.

    A timed slot in the hour the clocks skip stands later than its name: the name is what the
    rule gives, so its time of day is that of the series.
    """
    start = row.get("start")
    at = utc(row.get("originalStart")) or (
        utc(start.get("dateTime")) if isinstance(start, dict) else None
    )
    if at is None:
        return None
    if series.all_day:
        # Midnight of the zone it was made in, or its date as if that were UTC.
        made_in = zones.resolve(row.get("originalStartTimeZone")).iana
        days = (zones.day_at(at, zone) for zone in (made_in, room_zone) if zone is not None)
        return datetime.combine(next((day for day in days if day), at.date()), time())
    zone = series.zone or room_zone
    wall = zones.to_wall(at, zone)
    if wall.time() == series.start.time():
        return wall
    around = (wall.date(), wall.date() - _DAY, wall.date() + _DAY)
    near = [datetime.combine(day, series.start.time()) for day in around]
    for slot in near:
        if zones.to_utc(slot, zone) == at:
            return slot
    # The server's table of the zone is another one than ours.
    return min(near, key=lambda slot: abs(slot - wall))


def told_in(occ: Occupancy | None) -> str:
    """The zone, by Graph's name, in which to ask for an event that says this."""
    if occ is None or occ.recurrence is None or occ.zone is None:
        return "UTC"
    return zones.outgoing(occ.zone) or "UTC"


def fetch(box: Box, key: str, *, zone: str) -> tuple[dict[str, Any], Seen | Gone] | None:
    """The event as it is now, raw and read; None where it cannot be told. ``zone``: the one in
    which it repeats, as far as is known (``told_in``)."""
    answer = box.get_event(key, zone=zone)
    if not answer.ok or answer.body is None:
        return None
    seen = read_raw(box, answer.body)
    return (answer.body, seen) if isinstance(seen, Seen | Gone) else None


def bring(box: Box, key: str, target: Occupancy, raw: dict[str, Any], now: Seen) -> Outcome:
    """Bring a series to its target, comparing with what is there after every step: whether a
    change of the master drops its exceptions is not documented, so it is looked at.

    Once something was written, whatever stops it is told as Done(complete=False) with the state
    read last: the rest is derived again. A refusal before that is the outcome.
    """
    wrote = False
    meant = Meant(change_of(box, now.occupancy, target))
    for _ in range(_ROUNDS):
        change = change_of(box, now.occupancy, target)
        if change.recreate or not (change.master or change.exclude or change.overrides):
            return Done(now, complete=not change.recreate)
        if not meant.covers(change):
            # People changed something else between two of our steps: that is theirs.
            return Done(now, complete=False)
        try:
            _step(box, key, raw, now, change)
            meant.step(change)
            wrote = True
            found = fetch(box, key, zone=told_in(target))
        except _Interrupted as refused:
            if not (wrote or refused.wrote):
                return as_outcome(judge(refused.answer))
            found = _again(box, key, target)
            return Done(found[1] if found else now, complete=False)
        except SideError:
            if not wrote:
                raise
            return Done(now, complete=False)
        if found is None:
            return Done(now, complete=False)
        raw, state = found
        if isinstance(state, Gone):
            return Done(state)
        now = state
    return Done(now, complete=False)


def _again(box: Box, key: str, target: Occupancy) -> tuple[dict[str, Any], Seen | Gone] | None:
    try:
        return fetch(box, key, zone=told_in(target))
    except SideError:
        return None


def change_of(box: Box, was: Occupancy, target: Occupancy) -> SeriesChange:
    """Raises MappingError for what Graph cannot say."""
    return series_change(
        was, target, subject_fallback=box.subject_fallback, room_zone=box.pair.zone
    )


def _step(box: Box, key: str, raw: dict[str, Any], now: Seen, change: SeriesChange) -> None:
    """The master, or else the dates: a change of the master may move them. What is gone
    already need not be removed; a date that cannot be found is found missing afterwards."""
    if change.master:
        answer = box.patch(key, change.master, etag=etag(raw))
        if not answer.ok:
            raise _Interrupted(answer, wrote=False)
        return
    patches = dict(change.overrides)
    found = dates_of(box, raw, now.occupancy, [*change.exclude, *patches])
    wrote = False
    for slot, date in found.items():
        patch = patches.get(slot)
        if patch is None:
            answer = write_date(box, date, box.delete)
            gone = not answer.ok and judge(answer).meaning is Meaning.GONE
        else:
            answer = write_date(box, date, partial(box.patch, body=patch))
            gone = False
        if not answer.ok and not gone:
            raise _Interrupted(answer, wrote=wrote)
        wrote = True


def write_date(box: Box, date: Date, write: _Write) -> Answer:
    """Change or remove one date if it still is what it was when the decision was made.

    Whether each date has a version of its own, or all share that of the series (which our own
    write to another date has just changed), is not documented, nor whether one is honoured here
    at all. So a refused version is looked at: a date that still says the same is written, by the
    version it has now, and by none where that is the refused one.
    """
    sent = etag(date.row)
    answer = write(date.key, etag=sent)
    if answer.ok or not sent or judge(answer).meaning is not Meaning.STALE:
        return answer
    again = box.get_plain(date.key, zone=date.zone)
    row = again.body if again.ok else None
    if row is None or any(row.get(name) != date.row.get(name) for name in _SAID):
        return answer
    now = etag(row)
    return write(date.key, etag=now if now != sent else "")


def etag(raw: Mapping[str, Any]) -> str:
    """The server's own version of an event it just showed, for If-Match; empty where it is nothing
    that a header can carry."""
    value = raw.get("@odata.etag")
    return value if is_id(value) else ""


def still_held(now: Seen, dates: Sequence[datetime]) -> list[datetime]:
    """Those of the dates that the series still has."""
    series = now.occupancy.recurrence
    gone = set(series.excluded) if series is not None else set()
    return [date for date in dates if date not in gone]
