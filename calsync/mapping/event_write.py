"""Occupancy → bodies of Graph requests: create, change, and what becomes of a series.

Singles are written in UTC. A series is written in its home zone, or its local time would move
with the clocks; all-day items in the room's zone, from midnight to midnight. No attendees,
no reminder, no body: nobody is mailed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from calsync.mapping import zones
from calsync.mapping.canon import unchanged
from calsync.mapping.recurrence import to_graph
from calsync.model import Busy, Occupancy, Override

_STILL: Final[dict[str, Any]] = {"isReminderOn": False, "responseRequested": False}


@dataclass(frozen=True, slots=True)
class SeriesChange:
    """What brings a series from one state to another, in this order.

    ``master``: PATCH of the master. ``exclude``: occurrences to delete. ``overrides``:
    recurrence-ids with the PATCH of that occurrence. ``recreate``: Graph cannot get there (a
    cancelled occurrence does not come back, and a changed pattern drops all exceptions):
    delete the event, create it anew.
    """

    master: dict[str, Any] | None = None
    exclude: tuple[datetime, ...] = ()
    overrides: tuple[tuple[datetime, dict[str, Any]], ...] = ()
    recreate: bool = False


class Meant:
    """What a write set out to change, and has not yet. Whatever else differs after one of its steps
    is a change of somebody else's; but a new pattern or time may have dropped any exception."""

    def __init__(self, first: SeriesChange) -> None:
        self._master = frozenset(first.master or ())
        self._any_date = bool(self._master)
        self._dates = frozenset(_dates(first))
        self._done: set[datetime] = set()

    def covers(self, change: SeriesChange) -> bool:
        dates = _dates(change)
        return (
            self._master.issuperset(change.master or ())
            and (self._any_date or self._dates.issuperset(dates))
            and self._done.isdisjoint(dates)
        )

    def step(self, change: SeriesChange) -> None:
        """One step was taken: the master, or else its dates. What differs there from now on was
        changed since, by people."""
        if change.master:
            self._master = frozenset()
        else:
            self._done.update(_dates(change))


def _dates(change: SeriesChange) -> tuple[datetime, ...]:
    return (*change.exclude, *(slot for slot, _ in change.overrides))


def event_body(occ: Occupancy, *, subject_fallback: str, room_zone: str) -> dict[str, Any]:
    """The body of a create. Exceptions of a series follow: ``series_change(bare(occ), occ)``.

    Raises UnsayableRecurrence for a series that Graph cannot say as one.
    """
    return {
        **_looks(occ, subject_fallback),
        **_times(occ, room_zone),
        **({"recurrence": _recurrence(occ, room_zone)} if occ.recurrence else {}),
        **_STILL,
        "body": {"contentType": "text", "content": ""},
    }


def kept_subject(subject: object, was: Occupancy, target: Occupancy) -> dict[str, str]:
    """What an event made anew, to bring it from ``was`` to ``target``, keeps of the former one's
    ``subject``: all of it where calsync does not see it (private, or titles are not carried), for
    then a change of it is not meant either (compare ``_look_patch``)."""
    unseen = was.title is None and target.title is None and was.private == target.private
    return {"subject": subject} if unseen and isinstance(subject, str) and subject else {}


def bare(occ: Occupancy) -> Occupancy:
    """The series without its exceptions: what a create alone makes."""
    if occ.recurrence is None:
        return occ
    return replace(occ, recurrence=replace(occ.recurrence, excluded=(), overrides=()))


def single_patch(
    was: Occupancy, target: Occupancy, *, subject_fallback: str, room_zone: str
) -> dict[str, Any]:
    """The changed members only; empty where nothing changed. Exceptions are not compared.

    A single becomes a series by its recurrence, a series a single by ``recurrence: null``.
    """
    patch = _look_patch(was, target, subject_fallback)
    rules = (was.recurrence and was.recurrence.rule, target.recurrence and target.recurrence.rule)
    if _time_of(was) != _time_of(target) or rules[0] != rules[1]:
        patch |= _times(target, room_zone)
        # range.startDate must equal the date of start, so the two are always sent together.
        if was.recurrence is not None or target.recurrence is not None:
            patch["recurrence"] = _recurrence(target, room_zone)
    return patch


def series_change(
    was: Occupancy, target: Occupancy, *, subject_fallback: str, room_zone: str
) -> SeriesChange:
    """What brings Graph's series from ``was`` to ``target``; either may be a single."""
    master = single_patch(was, target, subject_fallback=subject_fallback, room_zone=room_zone)
    moved = "start" in master
    before, after = was.recurrence, target.recurrence
    if after is None:
        return SeriesChange(master or None)
    had_exceptions = before is not None and bool(before.excluded or before.overrides)
    if moved and had_exceptions:
        return SeriesChange(recreate=True)
    gone_before = set(before.excluded) if before else set()
    gone_after = set(after.excluded)
    if not gone_before <= gone_after:
        return SeriesChange(recreate=True)
    known = {o.recurrence_id: o for o in before.overrides} if before else {}
    wanted = {o.recurrence_id: o for o in after.overrides}
    steps: list[_Step] = []
    for slot in sorted((known.keys() | wanted.keys()) - gone_after):
        # A plain occurrence has by now what the master was changed to.
        now = known.get(slot) or unchanged(target, slot)
        then = wanted.get(slot) or unchanged(target, slot)
        patch = _override_patch(now, then, master, known, target, subject_fallback, room_zone)
        if patch:
            steps.append(_Step(slot, now.start, then.start, patch))
    return SeriesChange(
        master or None,
        tuple(sorted(gone_after - gone_before)),
        tuple((step.slot, step.patch) for step in _in_order(steps)),
    )


@dataclass(frozen=True, slots=True)
class _Step:
    slot: datetime
    now: datetime
    then: datetime
    patch: dict[str, Any]


def _in_order(steps: list[_Step]) -> list[_Step]:
    """An occurrence may not pass its neighbour even for a moment: those that go back leave
    first, earliest first; then those that go forward, latest first."""
    back = [step for step in steps if step.then <= step.now]
    forward = [step for step in steps if step.then > step.now]
    return back + forward[::-1]


def _override_patch(
    now: Override,
    then: Override,
    master: dict[str, Any],
    known: dict[datetime, Override],
    series: Occupancy,
    subject_fallback: str,
    room_zone: str,
) -> dict[str, Any]:
    patch = _look_patch(now, then, subject_fallback)
    if now.recurrence_id in known:
        # Whether an exception follows its master's new subject or status depends on what it
        # had changed itself: say again what the master's change could have touched.
        again = _looks(then, subject_fallback)
        patch |= {name: again[name] for name in again if name in master}
    if (now.start, now.end, now.all_day) != (then.start, then.end, then.all_day):
        patch |= _span(then.start, then.end, then.all_day, series.zone or room_zone, room_zone)
    return patch


def _time_of(occ: Occupancy) -> tuple[object, ...]:
    # Whether it is all-day, too: then and only then it has no zone.
    return occ.start, occ.end, occ.zone


def _look_patch(
    was: Occupancy | Override, target: Occupancy | Override, subject_fallback: str
) -> dict[str, Any]:
    looks = _looks(target, subject_fallback)
    patch: dict[str, Any] = {}
    # The subject behind a private item is not known here, so it is written whenever that changes.
    if was.title != target.title or was.private != target.private:
        patch["subject"] = looks["subject"]
    if was.busy is not target.busy:
        patch["showAs"] = looks["showAs"]
    if was.private != target.private:
        patch["sensitivity"] = looks["sensitivity"]
    return patch


def _looks(item: Occupancy | Override, subject_fallback: str) -> dict[str, Any]:
    return {
        "subject": item.title or subject_fallback,
        "showAs": Busy(item.busy).value,
        "sensitivity": "private" if item.private else "normal",
    }


def _times(occ: Occupancy, room_zone: str) -> dict[str, Any]:
    return _span(occ.start, occ.end, occ.all_day, occ.zone or room_zone, room_zone)


def _span(
    start: datetime, end: datetime, all_day: bool, zone: str, room_zone: str
) -> dict[str, Any]:
    name = zones.outgoing(room_zone if all_day else zone)
    if name is None and not all_day:
        start, end = (at.replace(tzinfo=None) for at in zones.span_utc(start, end, zone))
    # An all-day item is its dates, whatever the zone is called.
    name = name or "UTC"
    return {
        "start": {"dateTime": start.isoformat(), "timeZone": name},
        "end": {"dateTime": end.isoformat(), "timeZone": name},
        "isAllDay": all_day,
    }


def _recurrence(occ: Occupancy, room_zone: str) -> dict[str, Any] | None:
    if occ.recurrence is None:
        return None
    # As in ``_span``: the dates of an all-day series are those of any zone.
    zone = occ.zone or (room_zone if zones.outgoing(room_zone) else "UTC")
    return to_graph(occ.recurrence.rule, start=occ.start, zone=zone)
