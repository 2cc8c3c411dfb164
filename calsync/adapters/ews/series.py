"""Dates of a series: from recurrence-ids to the ids Exchange gives its occurrences, and the writes
that bring a series to its target one date at a time.

EWS cannot say removed dates or overrides in a create: a date is removed by DeleteItem of the
occurrence and changed by UpdateItem of it, which makes it an exception. An occurrence is found by
its number, counted from 1 with the removed ones included; its original start proves that it is the
one that was meant, whatever the server's own table of the zone says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from calsync.adapters.ews.box import Box, verdicts
from calsync.adapters.ews.errors import Verdict, as_error, as_outcome, judge
from calsync.adapters.ews.reading import fetch, instant, read_found
from calsync.adapters.ews.requests import BATCH, occurrence_id
from calsync.adapters.ews.xml import find, id_of, items_of, read_item
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.wrap.port import Answer
from calsync.errors import SideError
from calsync.mapping import dates, zones
from calsync.mapping.event import Meant, SeriesChange, series_change
from calsync.mapping.ews_item import fields_of
from calsync.model import Done, Gone, InDoubt, Occupancy, Outcome, Seen
from calsync.pacing import chunks

_DAY = timedelta(days=1)
_ROUNDS = 3


class _Interrupted(Exception):
    """A write was refused. ``wrote``: whether one before it took effect."""

    def __init__(self, verdict: Verdict, *, wrote: bool) -> None:
        super().__init__(verdict.code)
        self.verdict = verdict
        self.wrote = wrote


def occurrence_ids(
    box: Box, item: Mapping[str, Any], series: Occupancy, slots: Sequence[datetime]
) -> dict[datetime, tuple[str, str]]:
    """ItemId and ChangeKey of the occurrences at these recurrence-ids; removed ones are missing,
    and so is one that the server counts otherwise than we do."""
    master = str(_key(item))
    rule = series.recurrence.rule if series.recurrence is not None else None
    if rule is None:
        return {}
    first = series.start.date()
    numbers = {slot: sum(1 for _ in dates.dates(rule, first, first, slot.date())) for slot in slots}
    found: dict[datetime, tuple[str, str]] = {}
    for piece in chunks([slot for slot in slots if numbers[slot]], BATCH):
        ids = [occurrence_id(master, numbers[slot]) for slot in piece]
        for slot, message in zip(piece, box.get(ids, operation="read dates"), strict=True):
            if not message.good:
                verdict = judge(message)
                if verdict.meaning is not Meaning.GONE:
                    raise as_error(verdict, box.mailbox)
                continue
            element = next(items_of(message), None)
            if element is None or not id_of(element):
                continue
            one = read_item(element)
            if slot_of(one, series, box.pair.zone) == slot:
                found[slot] = id_of(element), str(one["ItemId"].get("ChangeKey", ""))
    return found


def _key(item: Mapping[str, Any]) -> object:
    ids = item.get("ItemId")
    return ids.get("Id", "") if isinstance(ids, Mapping) else ""


def change_key(item: Mapping[str, Any]) -> str:
    """The server's own version of an item it just showed."""
    ids = item.get("ItemId")
    return str(ids.get("ChangeKey", "")) if isinstance(ids, Mapping) else ""


def slot_of(item: Mapping[str, Any], series: Occupancy, room_zone: str) -> datetime | None:
    """The recurrence-id of an occurrence (wall time in the zone of the series), None if unsaid.

    A timed slot in the hour the clocks skip stands later than its name: the name is what the rule
    gives, so its time of day is that of the series.
    """
    at = instant(item.get("OriginalStart")) or instant(item.get("Start"))
    if at is None:
        return None
    if series.all_day:
        zone = item.get("StartTimeZone")
        name = zone.get("Id") if isinstance(zone, Mapping) else None
        made_in = zones.resolve(name if isinstance(name, str) else None).iana
        days = (zones.day_at(at, one) for one in (made_in, room_zone) if one is not None)
        return datetime.combine(next((day for day in days if day), at.date()), time())
    zone_name = series.zone or room_zone
    wall = zones.to_wall(at, zone_name)
    if wall.time() == series.start.time():
        return wall
    around = (wall.date(), wall.date() - _DAY, wall.date() + _DAY)
    near = [datetime.combine(day, series.start.time()) for day in around]
    for slot in near:
        if zones.to_utc(slot, zone_name) == at:
            return slot
    # The server's table of the zone is another one than ours.
    return min(near, key=lambda slot: abs(slot - wall))


def look(box: Box, key: str) -> tuple[dict[str, Any], Seen | Gone] | None:
    """The item as it is now, plain and read; None where it cannot be told."""
    found = fetch(box, [key]).get(key)
    if found is None or found.item is None:
        return None
    seen = read_found(box, found)
    return (found.item, seen) if isinstance(seen, Seen | Gone) else None


def bring(box: Box, key: str, target: Occupancy, item: dict[str, Any], now: Seen) -> Outcome:
    """Bring a series to its target, comparing with what is there after every step: whether a change
    of the pattern drops its exceptions is not documented, so it is looked at.

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
            stepped = _step(box, key, item, now, change)
            meant.step(change)
            wrote = wrote or stepped
            found = look(box, key)
            if found is not None and stepped and change_key(found[0]) == change_key(item):
                # A copy of the mailbox that does not know the change yet answers.
                return InDoubt("it was changed, but is not seen changed yet")
        except _Interrupted as refused:
            if not (wrote or refused.wrote):
                return as_outcome(refused.verdict)
            found = _again(box, key)
            return Done(found[1] if found else now, complete=False)
        except SideError:
            if not wrote:
                raise
            return Done(now, complete=False)
        if found is None:
            return Done(now, complete=False)
        item, state = found
        if isinstance(state, Gone):
            return Done(state)
        now = state
    return Done(now, complete=False)


def _again(box: Box, key: str) -> tuple[dict[str, Any], Seen | Gone] | None:
    try:
        return look(box, key)
    except SideError:
        return None


def change_of(box: Box, was: Occupancy, target: Occupancy) -> SeriesChange:
    """Raises MappingError for what Exchange cannot say."""
    return series_change(
        was, target, subject_fallback=box.subject_fallback, room_zone=box.pair.zone
    )


def _step(box: Box, key: str, item: dict[str, Any], now: Seen, change: SeriesChange) -> bool:
    """The master, or else the dates: a change of the master may move them. What is gone already
    need not be removed; a date that cannot be found is found missing afterwards. Whether anything
    was written."""
    if change.master:
        answer = box.update(key, change_key(item), fields_of(change.master))
        (verdict,) = verdicts(answer, 1)
        if verdict is not None:
            raise _Interrupted(verdict, wrote=False)
        return True
    wrote = _remove(box, item, now, change.exclude) if change.exclude else False
    if change.overrides:
        wrote = _override(box, item, now, change, wrote=wrote)
    return wrote


def _remove(box: Box, item: dict[str, Any], now: Seen, slots: Sequence[datetime]) -> bool:
    """Whether any date was removed."""
    ids = occurrence_ids(box, item, now.occupancy, slots)
    wrote = False
    for piece in chunks([key for key, _ in ids.values()], BATCH):
        for verdict in verdicts(box.delete(piece), len(piece)):
            if verdict is not None and verdict.meaning is not Meaning.GONE:
                raise _Interrupted(verdict, wrote=wrote)
            wrote = wrote or verdict is None
    return wrote


def _override(
    box: Box, item: dict[str, Any], now: Seen, change: SeriesChange, *, wrote: bool
) -> bool:
    """Change dates one after the other. A series and all its dates have one ChangeKey, which every
    change renews: the answer to one gives the key for the next (EWS, OccurrenceItemId)."""
    ids = occurrence_ids(box, item, now.occupancy, [slot for slot, _ in change.overrides])
    latest = ""
    for slot, patch in change.overrides:
        if slot not in ids:
            continue
        key, shown = ids[slot]
        answer = box.update(key, latest or shown, fields_of(patch))
        (verdict,) = verdicts(answer, 1)
        if verdict is not None:
            raise _Interrupted(verdict, wrote=wrote)
        wrote = True
        latest = renewed(answer)
    return wrote


def renewed(answer: Answer) -> str:
    """The ChangeKey that an update gave; empty where it does not say."""
    for message in (answer.body or {}).get("messages", ()):
        for element in items_of(message):
            found = find(element, "t:ItemId")
            if found is not None:
                return str(found.get("ChangeKey", ""))
    return ""


def still_held(now: Seen, slots: Sequence[datetime]) -> list[datetime]:
    """Those of the dates that the series still has."""
    series = now.occupancy.recurrence
    gone = set(series.excluded) if series is not None else set()
    return [slot for slot in slots if slot not in gone]
