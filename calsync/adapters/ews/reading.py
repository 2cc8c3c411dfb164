"""Reading items: from XML to observations, each for itself, with a second look before "gone"."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from calsync.adapters.ews.box import Box
from calsync.adapters.ews.errors import Verdict, as_error, judge
from calsync.adapters.ews.requests import BATCH, item_id, occurrence_id
from calsync.adapters.ews.xml import Message, Unreadable, is_id, items_of, read_item, unique
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.shared.theirs import with_answer, with_dates_refused
from calsync.errors import Unavailable
from calsync.mapping import dates
from calsync.mapping.event import needs_instances, read_event
from calsync.mapping.ews_item import as_event, exception_ids
from calsync.mapping.recurrence import from_graph
from calsync.model import Absence, Gone, Observation, Seen, Unknown
from calsync.pacing import chunks

log = logging.getLogger(__name__)
_CLOSED = frozenset({Meaning.SIGN_IN, Meaning.DENIED, Meaning.MAILBOX})
#: About the way to the item, not about the item: it is asked for again.
_COMING_BACK = frozenset({Meaning.THROTTLED, Meaning.PASSING, Meaning.REDIRECT, Meaning.FULL})
#: Dates of a series with a zone of its own that are looked at one by one.
_MOST_DATES = 400


class Found:
    """What a GetItem gave for one key: the item with its changed occurrences, or a refusal."""

    __slots__ = ("exceptions", "item", "verdict")

    def __init__(self, item: dict[str, Any] | None, verdict: Verdict | None = None) -> None:
        self.item, self.verdict = item, verdict
        self.exceptions: list[dict[str, Any]] = []


def fetch(box: Box, keys: Sequence[str], *, operation: str = "read event") -> dict[str, Found]:
    """Each key's item, masters with their changed occurrences. Raises where the mailbox cannot be
    read just now; an item that alone makes every answer unreadable is a refusal of that item."""
    found = {
        key: _found(message)
        for key, message in _each(box, unique(keys), operation=operation).items()
    }
    wanted: dict[str, Found] = {}
    for one in found.values():
        if one.item is not None and one.item.get("CalendarItemType") == "RecurringMaster":
            wanted |= dict.fromkeys(exception_ids(one.item), one)
    parts = _each(box, [key for key in wanted if is_id(key)], operation=operation)
    for key, message in parts.items():
        part, master = _found(message), wanted[key]
        if part.item is not None:
            master.exceptions.append(part.item)
        elif part.verdict is not None and part.verdict.meaning is not Meaning.GONE:
            # Without it the series would read as unchanged on that date.
            master.item, master.verdict = None, part.verdict
        else:
            master.item, master.verdict = None, _PASSED
    return found


#: A changed date was removed between two reads: the series is read again.
_PASSED = judge(Message(code="ErrorInternalServerTransientError", good=False))
#: Nobody can tell what this item says: no parser takes it.
UNREADABLE = judge(Message(code="ErrorItemCorrupt", good=False))


def _found(message: Message | Verdict) -> Found:
    if isinstance(message, Verdict):
        return Found(None, message)
    if not message.good:
        return Found(None, judge(message))
    item = next(items_of(message), None)
    return Found(None, UNREADABLE) if item is None else Found(read_item(item))


def _each(box: Box, keys: Sequence[str], *, operation: str) -> dict[str, Message | Verdict]:
    """The message about each key. Where a batch cannot be read, its items are read one by one:
    one of them may be what no parser takes, and must not stop the others."""
    found: dict[str, Message | Verdict] = {}
    for piece in chunks([key for key in keys if is_id(key)], BATCH):
        try:
            messages = box.get([item_id(key) for key in piece], operation=operation)
            found |= dict(zip(piece, messages, strict=True))
        except (Unreadable, Unavailable):
            found |= _one_by_one(box, piece, operation)
    return found


def _one_by_one(box: Box, keys: Sequence[str], operation: str) -> dict[str, Message | Verdict]:
    found: dict[str, Message | Verdict] = {}
    failed: Exception | None = None
    for key in keys:
        try:
            (found[key],) = box.get([item_id(key)], operation=operation)
        except Unreadable as error:
            failed, found[key] = error, UNREADABLE
        except Unavailable as error:
            failed, found[key] = error, _PASSED
    if failed is not None and ((len(keys) > 1 and not _any_good(found)) or not box.answers()):
        raise failed
    return found


def _any_good(found: dict[str, Message | Verdict]) -> bool:
    return any(isinstance(one, Message) for one in found.values())


# --- observations ----------------------------------------------------------------------------


def read_keys(box: Box, keys: Sequence[str]) -> list[Observation]:
    """A targeted read of each key. ``Gone`` needs ErrorItemNotFound for the item while its calendar
    still opens. Raises where the mailbox is closed to us, or Exchange asks to wait."""
    found = fetch(box, keys)
    seen = {key: observed(box, key, one) for key, one in found.items()}
    alive: bool | None = None
    for key, one in seen.items():
        if isinstance(one, Gone) and one.absence is Absence.READ:
            alive = box.answers() if alive is None else alive
            if not alive:
                why = "not found, but its calendar does not open either"
                seen[key] = Unknown(key=key, reason=why)
    strange = "this can be no id of Exchange"
    return [seen.get(key) or Unknown(key=key, reason=strange, poison=True) for key in keys]


def observed(box: Box, key: str, found: Found) -> Observation:
    """What a read of one key amounts to. ``Gone(READ)`` is unconfirmed."""
    if found.item is not None:
        seen = read_found(box, found)
        # The id as we asked for it stays the key.
        return seen if seen.key == key else replace(seen, key=key)
    verdict = found.verdict
    assert verdict is not None
    if verdict.meaning is Meaning.GONE:
        return Gone(key=key, absence=Absence.READ)
    if verdict.meaning in _CLOSED or verdict.meaning is Meaning.THROTTLED:
        raise as_error(verdict, box.mailbox)
    poison = verdict.meaning not in _COMING_BACK
    return Unknown(key=key, reason=verdict.what, poison=poison)


def as_it_lies(box: Box, found: Found) -> Observation:
    """What a meeting in a person's calendar says, whether the room is asked to it or not."""
    return read_found(box, found, asked=False)


def read_found(box: Box, found: Found, *, asked: bool = True) -> Observation:
    """The observation of an item that was read."""
    item = found.item or {}
    if item.get("kind") != "CalendarItem":
        key = str(item.get("ItemId", {}).get("Id", ""))
        return Unknown(key=key, reason="something else than a meeting lies there", poison=True)
    event = as_event(item, found.exceptions)
    listed = _listed(box, event) if _by_dates(event) else None
    if box.at:
        event = with_dates_refused(event, box.pair.mailbox)
    seen = read_event(
        event,
        titles=box.pair.titles,
        room_zone=box.pair.zone,
        instances=listed,
        subject_fallback=box.subject_fallback,
        people=box.counts_people,
        meeting=box.counts_people and bool(box.at),
    )
    if box.at and asked:
        seen = with_answer(event, seen, box.pair.mailbox)
    return _marked(box, seen) if isinstance(seen, Seen) else seen


def _marked(box: Box, seen: Seen) -> Seen:
    """The tag is what the uid says. One in the property alone is that of what was copied, or was
    sealed for another mailbox: it tells only who made it once."""
    named = box.named_in(seen.uid) if seen.owned else None
    if named is not None:
        mark, replaces = named
        return replace(seen, tag=mark.tag, maker=mark.maker, replaces=replaces)
    if seen.tag is None or not seen.owned:
        return replace(seen, tag=None)
    return replace(seen, tag=None, maker=box.opened(seen.tag).maker)


def _by_dates(event: dict[str, Any]) -> bool:
    return event.get("type") == "seriesMaster" and needs_instances(event)


def _listed(box: Box, event: dict[str, Any]) -> list[dict[str, Any]]:
    """Dates of a series whose wall time repeats in a zone that only its server knows: asked for by
    their number, from the last month on, for two years."""
    found: list[dict[str, Any]] = []
    key = str(event["id"])
    indexes = list(_indexes(event, box.now))
    for piece in chunks(indexes, BATCH):
        messages = box.get([occurrence_id(key, n) for n in piece], operation="instances")
        found += [
            as_event(one.item) for message in messages if (one := _found(message)).item is not None
        ]
    return found


def _indexes(event: dict[str, Any], now: datetime) -> range:
    """Numbers of the dates to look at. They are counted by the rule's own dates: the zone does not
    matter for that, and one more at either end makes up for the hour."""
    raw = event.get("recurrence") or {}
    try:
        day = datetime.fromisoformat(str(raw["range"]["startDate"]))
        rule = from_graph(raw, start=day)
    except Exception:  # what cannot be understood is named by read_event
        return range(0)
    low, high = now.replace(tzinfo=None) - timedelta(days=31), now + timedelta(days=731)
    before = sum(1 for _ in dates.dates(rule, day.date(), day.date(), low.date()))
    within = dates.dates(rule, day.date(), max(low.date(), day.date()), high.date())
    first = max(before - 1, 1)
    return range(first, first + 2 + sum(1 for _ in islice(within, _MOST_DATES)))


def instant(text: object) -> datetime | None:
    """An xs:dateTime as an aware UTC datetime; None if it is none. Without a zone it is UTC."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


# --- changes that a sync told of -------------------------------------------------------------


def read_changed(box: Box, keys: Sequence[str]) -> tuple[list[Observation], list[str]]:
    """What a sync told as made or changed: observations, and the keys of what is not found.

    A passing failure raises, because the cursor must not move past a change that was not read;
    only an item that fails alone, while its calendar answers, is left behind, unknown: it is then
    asked for in every cycle.
    """
    found: list[Observation] = []
    missing: list[str] = []
    for key, one in fetch(box, keys, operation="read changes").items():
        seen = observed(box, key, one)
        if isinstance(seen, Unknown) and not seen.poison:
            seen = _once_more(box, key)
        if isinstance(seen, Gone) and seen.absence is Absence.READ:
            missing.append(key)
        else:
            found.append(seen)
    return found, missing


def _once_more(box: Box, key: str) -> Observation:
    again = fetch(box, [key], operation="read changes")[key]
    seen = observed(box, key, again)
    if isinstance(seen, Unknown) and not seen.poison:
        if not box.answers():
            assert again.verdict is not None
            raise as_error(again.verdict, box.mailbox)
        log.warning("one item cannot be read while its mailbox answers: %s", seen.reason)
    return seen
