"""What an all-seeing observer finds in a mailbox: the truth a run is judged by."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .graph.calendar import tags_of
from .graph.render import DEFAULT, event, exceptions, occurrence_uid, original_start
from .items import Instance, Item, stamp, whole
from .recurrence import show

if TYPE_CHECKING:
    from .mailbox import Mailbox
    from .world import World


def instances(
    world: World, box: Mailbox, low: datetime, high: datetime, *, everything: bool = False
) -> list[dict[str, Any]]:
    """Fully expanded items that touch the span, by start; only live ones unless `everything`."""
    _ = world
    found = [one for one in box.view(low, high) if everything or one.live]
    found.sort(key=lambda one: (one.when.start_utc, one.when.end_utc, one.item.key))
    return [_instance(box, one) for one in found]


def _instance(box: Mailbox, one: Instance) -> dict[str, Any]:
    item, slot = one.item, one.when
    return {
        "id": box.id_of(item, one.day),
        "immutableId": box.id_of(item, one.day, immutable=True),
        "iCalUId": occurrence_uid(item.uid, one),
        "seriesUid": item.uid if one.day else None,
        "seriesMasterId": box.id_of(item) if one.day else None,
        "type": one.kind,
        "originalStart": original_start(one) if one.day else None,
        "originalDate": one.day.isoformat() if one.day else None,
        "start": slot.start_utc.isoformat() + "Z",
        "end": slot.end_utc.isoformat() + "Z",
        "localStart": slot.start.isoformat(),
        "localEnd": slot.end.isoformat(),
        "zone": slot.start_zone.label,
        "isAllDay": slot.all_day,
        "showAs": one.prop("showAs", "busy"),
        "subject": one.prop("subject", ""),
        "sensitivity": one.prop("sensitivity", "normal"),
        "organizer": item.organizer.address,
        "isOrganizer": item.own,
        "isCancelled": not one.live,
        "response": item.response[0],
        "tags": dict(tags_of(one).values()),
        "created": stamp(item.created),
        "modified": stamp(item.modified),
        "change": item.change,
    }


def item_dump(box: Mailbox, item: Item) -> dict[str, Any]:
    """An item as stored: Graph's form, plus what Graph does not tell."""
    return {
        "event": event(box, whole(item), DEFAULT),
        "immutableId": box.id_of(item, immutable=True),
        "recurrence": show(item.rule, item.when.start_zone.label) if item.rule else None,
        "cancelled": [day.isoformat() for day in sorted(item.cancelled)],
        "declined": [day.isoformat() for day in sorted(item.declined)],
        "exceptions": [event(box, one, DEFAULT) for one in exceptions(item)],
        "tags": dict(item.tags.values()),
        "change": item.change,
    }
