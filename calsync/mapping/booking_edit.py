"""What a merge patch (RFC 7396) makes of a booking, and of one date of a series."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from calsync.mapping.booking import (
    READ_ONLY,
    Wish,
    booking_to_json,
    read_wish,
    wish_to_json,
)
from calsync.mapping.booking_form import FieldError, InvalidBooking, parse_local, pointer
from calsync.mapping.booking_series import OVERRIDE
from calsync.mapping.booking_values import Booking
from calsync.mapping.canon import is_slot

_SERIES = ("recurrenceRule", "rrule")


def merge_patch(target: object, patch: object) -> object:
    """RFC 7396: members of ``patch`` replace those of ``target``, null takes one away."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def patched(booking: Booking, patch: Mapping[str, object], room_zone: str) -> Wish:
    """The booking as the patch wants it. Raises InvalidBooking.

    A client may send back what it read: members set by calsync are accepted unchanged. Where
    the patch moves a series and says nothing about its changed dates, those move along.
    """
    _refuse_read_only(booking, patch, room_zone)
    current = wish_to_json(booking, room_zone)
    wanted = {name: value for name, value in patch.items() if name not in READ_ONLY}
    merged = merge_patch(current, wanted)
    assert isinstance(merged, dict)
    if wanted.get("rrule") is not None and "recurrenceRule" not in wanted:
        merged.pop("recurrenceRule", None)
    if "recurrenceOverrides" not in wanted and "recurrenceOverrides" in merged:
        if not any(merged.get(name) for name in _SERIES):
            del merged["recurrenceOverrides"]
        elif (start := parse_local(str(merged.get("start")))) is not None:
            shift = start - datetime.fromisoformat(str(current["start"]))
            merged["recurrenceOverrides"] = _moved(merged["recurrenceOverrides"], shift)
    return read_wish(merged, room_zone)


def _refuse_read_only(booking: Booking, patch: Mapping[str, object], room_zone: str) -> None:
    shown = booking_to_json(booking, room_zone, details=True)
    fixed = (*READ_ONLY, *(n for n in ("uid", "externalId") if shown.get(n) is not None))
    wrong = [
        FieldError(pointer(name), "cannot be changed", "Leave it out of the patch")
        for name in fixed
        if name in patch and patch[name] != shown.get(name)
    ]
    if wrong:
        raise InvalidBooking(wrong)


def _moved(overrides: Mapping[str, object], shift: timedelta) -> Mapping[str, object]:
    try:
        return {
            (datetime.fromisoformat(key) + shift).isoformat(): patch
            for key, patch in overrides.items()
        }
    except OverflowError:  # so far off that the new start itself is refused
        return overrides


def occurrence(booking: Booking, recurrence_id: str) -> datetime | None:
    """The slot that this recurrence-id names; None where the series has no such occurrence."""
    series, slot = booking.content.recurrence, parse_local(recurrence_id)
    if series is None or slot is None or slot in series.excluded:
        return None
    if is_slot(series.rule, booking.content.start, slot):
        return slot
    return slot if any(o.recurrence_id == slot for o in series.overrides) else None


def with_occurrence(
    booking: Booking, slot: datetime, patch: Mapping[str, object] | None, room_zone: str
) -> Wish:
    """One date changed by a merge patch, or taken out where ``patch`` is None.

    Raises InvalidBooking; pointers lead into ``patch``.
    """
    doc = wish_to_json(booking, room_zone)
    overrides = doc.get("recurrenceOverrides")
    patches = dict(overrides) if isinstance(overrides, Mapping) else {}
    key = slot.isoformat()
    series = booking.content.recurrence
    assert series is not None
    if patch is None:
        # An additional occurrence has no slot of the rule behind it: it just goes.
        patches.pop(key, None)
        if is_slot(series.rule, booking.content.start, slot):
            patches[key] = {"excluded": True}
    else:
        unknown = [n for n in patch if n not in OVERRIDE and n != "@type"]
        if unknown:
            what = "this member is not known for one date"
            raise InvalidBooking(FieldError(pointer(n), what) for n in unknown)
        patches[key] = merge_patch(patches.get(key, {}), patch)
    doc["recurrenceOverrides"] = patches
    try:
        return read_wish(doc, room_zone)
    except InvalidBooking as error:
        prefix = pointer("recurrenceOverrides", key)
        raise InvalidBooking(
            FieldError(e.pointer.removeprefix(prefix), e.what, e.todo) for e in error.errors
        ) from None
