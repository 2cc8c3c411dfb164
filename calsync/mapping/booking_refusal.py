"""A refusal as a connector, or a platform, sends it. What calsync itself wrote is read by
``booking.refusal_from_json``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from calsync.mapping.booking_form import Form
from calsync.mapping.booking_series import MAX_OVERRIDES
from calsync.mapping.text import clean_title
from calsync.model import Alternative, Refusal

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_LONGEST = 1000
_MOST = 50


def read_refusal(form: Form) -> Refusal:
    """What ``form`` says; problems are kept in it."""
    form.refuse_unknown(("code", "reason", "dates", "conflicts", "alternatives", "times"))
    before = len(form.errors)
    reason = _clean(form.text("reason", limit=_LONGEST) or "")
    if not reason and len(form.errors) == before:
        form.fail("reason", "is missing", "Say why, in a sentence for the person who booked")
    code = form.text("code", limit=64) or "refused"
    if not _CODE.fullmatch(code):
        form.fail("code", "is not a code", "Use small letters, digits and dashes")
    dates = [_local(form, one) for one in form.items("dates", limit=MAX_OVERRIDES)]
    conflicts = [_span(form, one, "conflicts") for one in form.items("conflicts", limit=_MOST)]
    times = [_span(form, one, "times") for one in form.items("times", limit=_MOST)]
    rooms = [
        _alternative(form, one, number)
        for number, one in enumerate(form.items("alternatives", limit=_MOST))
    ]
    return Refusal(
        reason=reason,
        code=code,
        dates=tuple(sorted(one for one in dates if one is not None)),
        conflicts=tuple(one for one in conflicts if one is not None),
        alternatives=tuple(one for one in rooms if one is not None),
        times=tuple(one for one in times if one is not None),
    )


def _clean(text: str) -> str:
    """On one line, as safe as a title, which may be shorter only."""
    return " ".join(word for part in text.split() if (word := clean_title(part)) is not None)


def _local(form: Form, value: object) -> datetime | None:
    if value is None:
        # Without any date the refusal would be one of the whole series.
        form.fail("dates", "an entry is null", "Leave it out")
    return Form({"dates": value}, at=form.at, errors=form.errors).local("dates")


def _span(form: Form, value: object, name: str) -> tuple[datetime, datetime] | None:
    if isinstance(value, Mapping):
        start, end = _instant(value.get("start")), _instant(value.get("end"))
        if start is not None and end is not None and start < end:
            return start, end
    form.fail(name, "an entry is no span", "Give start and end as instants")
    return None


def _instant(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if found is None or found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _alternative(form: Form, value: object, number: int) -> Alternative | None:
    if isinstance(value, Mapping):
        inner = Form(value, at=f"{form.at}/alternatives/{number}", errors=form.errors)
        room_id, name = inner.text("roomId", limit=64), clean_title(inner.text("name", limit=4096))
        capacity = inner.whole("capacity", low=1, high=100_000)
        if room_id:
            return Alternative(room_id=room_id, name=name or room_id, capacity=capacity)
    form.fail("alternatives", "an entry names no room", "Give roomId and name")
    return None
