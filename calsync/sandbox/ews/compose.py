"""A draft put together with what stood before: times with their zones, attendees, recurrence."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from ..events import Fields
from ..items import Attendee, Instance, When, when
from ..problems import bad_request
from ..recurrence import Recurrence
from ..zones import CUSTOM, UTC_ZONE, Zone, windows_name
from .fields import Draft, merged

if TYPE_CHECKING:
    from .call import Call

HALF_HOUR = timedelta(minutes=30)


def fields_of(call: Call, draft: Draft, base: Instance | None, organizer: str) -> Fields:
    """What the world takes: a new item without `base`, else a change of it."""
    slot = _slot(call, draft, base)
    rule, slot = _rule(draft, base, slot)
    old: tuple[Attendee, ...] = ()
    if base is not None:
        changed = base.override
        own = changed.attendees if changed is not None else None
        old = own if own is not None else base.item.attendees
    props = dict(draft.props)
    if draft.item_class and not draft.item_class.startswith("IPM.Appointment"):
        raise bad_request("The item class is not of a calendar item.", "ErrorObjectTypeChanged")
    if draft.item_class and draft.item_class != "IPM.Appointment":
        props["itemClass"] = draft.item_class
    return Fields(
        slot=slot,
        rule=rule,
        single=draft.single,
        props=props,
        attendees=merged(draft.people, old, organizer),
        tags=dict(draft.tags),
    )


def _home(zone: Zone) -> Zone:
    if zone.label == CUSTOM:
        return zone
    return Zone(windows_name(zone.label), zone.rules)


def _slot(call: Call, draft: Draft, base: Instance | None) -> When | None:
    said = draft.start, draft.end, draft.all_day, draft.start_zone, draft.end_zone
    if base is not None and all(one is None for one in said):
        return None
    old = base.when if base is not None else None
    outer = call.zone if call.zone_said else None
    start_zone = draft.start_zone or (old.start_zone if old else outer) or UTC_ZONE
    end_zone = draft.end_zone or draft.start_zone or (old.end_zone if old else outer) or UTC_ZONE
    start_zone, end_zone = _home(start_zone), _home(end_zone)
    start = _point(draft.start, draft.start_zone or outer or UTC_ZONE, start_zone)
    end = _point(draft.end, draft.end_zone or draft.start_zone or outer or UTC_ZONE, end_zone)
    if old is None:
        if start is None:
            # Exchange takes the next half hour for an appointment that says nothing.
            now = call.world.utc()
            first = datetime(now.year, now.month, now.day, now.hour) + HALF_HOUR * (
                1 + now.minute // 30
            )
            start = start_zone.to_wall(first)
        if end is None:
            end = end_zone.to_wall(start_zone.to_utc(start) + HALF_HOUR)
    else:
        if start is None:
            start = old.start if start_zone == old.start_zone else start_zone.to_wall(_utc(old)[0])
        if end is None:
            end = old.end if end_zone == old.end_zone else end_zone.to_wall(_utc(old)[1])
    all_day = draft.all_day if draft.all_day is not None else bool(old and old.all_day)
    if all_day:
        return _days(start, end, start_zone, end_zone)
    return when(start, end, start_zone, end_zone)


def _utc(slot: When) -> tuple[datetime, datetime]:
    if slot.all_day:
        return slot.start_zone.to_utc(slot.start), slot.end_zone.to_utc(slot.end)
    return slot.start_utc, slot.end_utc


def _point(said: tuple[datetime, bool] | None, meant: Zone, home: Zone) -> datetime | None:
    """Wall time in the item's own zone."""
    if said is None:
        return None
    value, is_utc = said
    if is_utc:
        return home.to_wall(value)
    return value if meant == home else home.to_wall(meant.to_utc(value))


def _days(start: datetime, end: datetime, start_zone: Zone, end_zone: Zone) -> When:
    """Whole days of the item's zone: Exchange moves the ends outwards to midnight."""
    if end_zone != start_zone:
        end = start_zone.to_wall(end_zone.to_utc(end))
    first = datetime.combine(start.date(), time(0))
    last = datetime.combine(end.date(), time(0))
    if end.time() != time(0) or last <= first:
        last += timedelta(days=1)
    if end < start:
        raise bad_request(
            "EndDate is earlier than StartDate.", "ErrorCalendarEndDateIsEarlierThanStartDate"
        )
    return when(first, last, start_zone, all_day=True)


def _rule(
    draft: Draft, base: Instance | None, slot: When | None
) -> tuple[Recurrence | None, When | None]:
    old = base.item.rule if base is not None and base.day is None else None
    if draft.rule is not None:
        current = slot or (base.when if base is not None else None)
        if current is None:
            return draft.rule, slot
        if not current.all_day and current.end_zone != current.start_zone:
            current = when(
                current.start, current.start_zone.to_wall(current.end_utc), current.start_zone
            )
        if current.start.date() != draft.rule.start:
            # The series begins with its range, at the time of day of the item.
            shift = draft.rule.start - current.start.date()
            current = when(
                current.start + shift,
                current.end + shift,
                current.start_zone,
                all_day=current.all_day,
            )
        return draft.rule, current
    if old is not None and slot is not None and not draft.single:
        return replace(old, start=slot.start.date()), slot
    return None, slot
