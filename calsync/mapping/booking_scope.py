"""A change of one date that is meant for all that follow, or for the whole series.

What is set holds for every date it is meant for: dates that were changed before keep what the
change does not speak of. The days of a series stay; only the time of day may move this way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from calsync.mapping import dates
from calsync.mapping.booking import Wish, read_wish, wish_to_json
from calsync.mapping.booking_edit import merge_patch
from calsync.mapping.booking_form import FieldError, InvalidBooking, parse_local, pointer
from calsync.mapping.booking_series import OVERRIDE
from calsync.mapping.booking_values import Booking
from calsync.mapping.canon import is_slot

#: What one platform gave to one booking; the part that is split off is another.
_NAMES: Final = ("uid", "externalId")


class SeriesScope(StrEnum):
    """Which dates of a series a change is for."""

    THIS = "this"
    FOLLOWING = "following"
    ALL = "all"


def has_before(booking: Booking, slot: datetime) -> bool:
    """Whether the series has a date before this one; without, "following" means all of it."""
    series = booking.content.recurrence
    assert series is not None
    if any(o.recurrence_id < slot for o in series.overrides):
        return True
    return any(at not in series.excluded for at in _slots_before(booking, slot))


def _slots_before(booking: Booking, slot: datetime) -> list[datetime]:
    series, start = booking.content.recurrence, booking.content.start
    assert series is not None
    found = dates.dates(series.rule, start.date(), start.date(), slot.date() - timedelta(days=1))
    return [datetime.combine(day, start.time()) for day in found]


def check_slot(booking: Booking, slot: datetime) -> None:
    """Raises InvalidBooking for a date that was added to the series by hand, and for the first one
    of the rule where such dates lie before it: no rule would be left for these."""
    series = booking.content.recurrence
    assert series is not None
    if not is_slot(series.rule, booking.content.start, slot):
        what = "this date was added to the series; nothing follows from it"
        raise InvalidBooking([FieldError("", what, "Name a date that the rule gives")])
    if has_before(booking, slot) and not _slots_before(booking, slot):
        what = "only dates that were added to the series lie before it"
        raise InvalidBooking([FieldError("", what, "Use scope=all, or scope=this date by date")])


def until(booking: Booking, slot: datetime, room_zone: str) -> Wish:
    """The series up to the last date before ``slot``."""
    doc = wish_to_json(booking, room_zone)
    rule = dict(_members(doc, "recurrenceRule"))
    rule.pop("count", None)
    rule["until"] = _slots_before(booking, slot)[-1].isoformat()
    doc["recurrenceRule"] = rule
    doc["recurrenceOverrides"] = {
        key: patch
        for key, patch in _members(doc, "recurrenceOverrides").items()
        if datetime.fromisoformat(key) < slot
    }
    return read_wish(doc, room_zone)


def onwards(booking: Booking, slot: datetime, patch: Mapping[str, object], room_zone: str) -> Wish:
    """The series from ``slot`` on, as a booking of its own, with the change. Raises
    InvalidBooking; pointers lead into ``patch``."""
    doc = wish_to_json(booking, room_zone)
    for name in _NAMES:
        doc.pop(name, None)
    rule = dict(_members(doc, "recurrenceRule"))
    if "count" in rule:
        rule["count"] -= len(_slots_before(booking, slot))
    doc["recurrenceRule"] = rule
    doc["start"] = slot.isoformat()
    kept = {
        key: one
        for key, one in _members(doc, "recurrenceOverrides").items()
        if datetime.fromisoformat(key) >= slot
    }
    return _changed(doc, kept, slot, patch, room_zone)


def whole(booking: Booking, slot: datetime, patch: Mapping[str, object], room_zone: str) -> Wish:
    """All of the series, with the change that was asked of the date ``slot``."""
    doc = wish_to_json(booking, room_zone)
    return _changed(doc, _members(doc, "recurrenceOverrides"), slot, patch, room_zone)


def _changed(
    doc: dict[str, Any],
    overrides: Mapping[str, Any],
    slot: datetime,
    patch: Mapping[str, object],
    room_zone: str,
) -> Wish:
    wrong = [n for n in patch if n == "excluded" or (n not in OVERRIDE and n != "@type")]
    if wrong:
        what = "this member is not known for several dates"
        raise InvalidBooking(FieldError(pointer(name), what) for name in wrong)
    shift = _shift(patch, slot)
    made = merge_patch(doc, {n: v for n, v in patch.items() if n != "@type"})
    assert isinstance(made, dict)
    made["start"] = _moved(str(doc["start"]), shift)
    made["recurrenceOverrides"] = {
        _moved(key, shift): {n: v for n, v in one.items() if n not in patch}
        for key, one in overrides.items()
    }
    return read_wish(made, room_zone)


def _shift(patch: Mapping[str, object], slot: datetime) -> timedelta:
    if "start" not in patch:
        return timedelta(0)
    text = patch["start"]
    start = parse_local(text) if isinstance(text, str) else None
    if start is None:
        todo = "Write 2026-11-20T09:00:00"
        raise InvalidBooking([FieldError("/start", "is not a local date and time", todo)])
    if start.date() != slot.date():
        raise InvalidBooking(
            [
                FieldError(
                    "/start",
                    "lies on another day than the date that is changed",
                    "Change the recurrenceRule of the booking itself to move a series to other "
                    "days",
                )
            ]
        )
    return start - slot


def _moved(local: str, shift: timedelta) -> str:
    return (datetime.fromisoformat(local) + shift).isoformat()


def _members(doc: Mapping[str, object], name: str) -> Mapping[str, Any]:
    found = doc.get(name)
    return found if isinstance(found, Mapping) else {}
