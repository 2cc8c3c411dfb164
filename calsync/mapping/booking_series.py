"""``recurrenceRule`` and ``recurrenceOverrides`` ↔ Recurrence.

An override is a patch of the series, keyed by the local start that the rule gave the
occurrence (RFC 8984 section 4.3.5): ``{"excluded": true}``, or the members that differ. Its
``start`` and ``duration`` are wall-clock values; an empty ``title`` says that it has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Final

from calsync.mapping import dates
from calsync.mapping.booking_form import (
    FIRST_YEAR,
    LAST_YEAR,
    FieldError,
    Form,
    format_duration,
    format_local,
    parse_local,
    pointer,
)
from calsync.mapping.booking_rule import read_rrule, read_rule, rule_to_json
from calsync.mapping.booking_state import FREE_BUSY, PRIVACY, STATUS, busy_to_json, read_busy
from calsync.mapping.canon import canonical_occupancy, is_slot
from calsync.mapping.text import clean_title
from calsync.model import Occupancy, Override, Recurrence, Rule

#: Most dates of a series that may be changed or taken out.
MAX_OVERRIDES: Final = 2_000
#: A booking of five years or more is a slip.
MAX_LENGTH: Final = timedelta(days=5 * 365)
OVERRIDE: Final = (
    "excluded",
    "start",
    "duration",
    "showWithoutTime",
    "title",
    *(STATUS, FREE_BUSY, "showAs", PRIVACY),
)


def series_to_json(occ: Occupancy, series: Recurrence) -> dict[str, object]:
    doc: dict[str, object] = {"recurrenceRule": rule_to_json(series.rule)}
    patches: dict[datetime, dict[str, object]] = {at: {"excluded": True} for at in series.excluded}
    patches.update({o.recurrence_id: override_to_json(occ, o) for o in series.overrides})
    if patches:
        doc["recurrenceOverrides"] = {format_local(at): patches[at] for at in sorted(patches)}
    return doc


def override_to_json(occ: Occupancy, override: Override) -> dict[str, object]:
    """Only what differs from the occurrence that the rule gives."""
    doc: dict[str, object] = {}
    if override.all_day != occ.all_day:
        doc["showWithoutTime"] = override.all_day
    if override.start != override.recurrence_id:
        doc["start"] = format_local(override.start)
    if override.end - override.start != occ.duration or override.all_day != occ.all_day:
        doc["duration"] = format_duration(override.end - override.start, days=override.all_day)
    if override.busy is not occ.busy:
        doc.update(busy_to_json(override.busy, always=True))
    if override.private != occ.private:
        doc[PRIVACY] = "private" if override.private else "public"
    if override.title != occ.title and not override.private:
        doc["title"] = override.title or ""
    return doc


def read_series(form: Form, plain: Occupancy, room_zone: str) -> Occupancy | None:
    """``plain`` with the recurrence that ``form`` says, in canonical form.

    As in JSCalendar, an entry of ``recurrenceOverrides`` at a time that the rule does not give
    is an additional occurrence.
    """
    rule: Rule | None = None
    if form.has("recurrenceRule"):
        inner = Form(form.members("recurrenceRule"), at="/recurrenceRule", errors=form.errors)
        rule = read_rule(inner, plain, room_zone)
        if form.has("rrule"):
            form.fail("rrule", "a booking has a recurrenceRule or an rrule, not both")
    elif form.has("rrule"):
        rule = read_rrule(form, plain, room_zone)
    elif form.members("recurrenceOverrides"):
        form.fail("recurrenceOverrides", "only a series has these", "Give a recurrenceRule, too")
    if form.errors:
        return None
    if rule is None:
        return plain
    first = dates.first(rule, plain.start.date())
    if first != plain.start.date():
        what = "the series does not start on a date of its rule"
        form.fail("start", what, f"Its first date is {first}")
        return None
    recurrence = _read_overrides(form, plain, rule)
    return None if form.errors else canonical_occupancy(replace(plain, recurrence=recurrence))


def _read_overrides(form: Form, plain: Occupancy, rule: Rule) -> Recurrence:
    excluded: list[datetime] = []
    overrides: list[Override] = []
    met: set[datetime] = set()
    patches = form.members("recurrenceOverrides")
    if len(patches) > MAX_OVERRIDES:
        form.fail("recurrenceOverrides", f"at most {MAX_OVERRIDES} dates may be changed")
        patches = {}
    for key, patch in patches.items():
        at = pointer("recurrenceOverrides", key)
        slot = parse_local(key)
        if slot is None:
            what = "is not a local date and time"
            form.errors.append(FieldError(at, what, "Write it as 2026-11-20T09:00:00"))
        elif not FIRST_YEAR <= slot.year <= LAST_YEAR:
            what = f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}"
            form.errors.append(FieldError(at, what))
        elif slot in met:
            form.errors.append(FieldError(at, "names the same date as another entry"))
        elif not isinstance(patch, Mapping):
            form.errors.append(FieldError(at, "must be an object"))
        else:
            met.add(slot)
            inner = Form(patch, at=at, errors=form.errors)
            if inner.flag("excluded"):
                excluded.append(slot)
                if not is_slot(rule, plain.start, slot):
                    what = "the rule gives no occurrence at this time"
                    inner.fail("excluded", what, "Name an occurrence by its local start")
            else:
                overrides.append(_read_override(inner, plain, slot))
    # As they came: the canonical form sorts them.
    return Recurrence(rule=rule, excluded=tuple(excluded), overrides=tuple(overrides))


def _read_override(form: Form, plain: Occupancy, slot: datetime) -> Override:
    """The occurrence as the patch has it. The canonical form takes the title of a private one."""
    form.refuse_unknown(OVERRIDE)
    all_day = form.flag("showWithoutTime", plain.all_day)
    start = form.local("start") or slot
    length = form.duration("duration")
    busy = read_busy(form, plain.busy)
    private = form.choice(
        PRIVACY, {"public": False, "private": True, "secret": True}, plain.private
    )
    title = clean_title(form.text("title", limit=262_144, default=plain.title))
    if all_day and start.time() != time.min:
        form.fail("start", "an all-day occurrence starts at midnight", "Give the time as 00:00:00")
    if all_day and length is not None and (length.time or not length.days):
        form.fail("duration", "an all-day occurrence lasts whole days", "Give it such as P1D")
    if length is not None and length.wall >= MAX_LENGTH:
        form.fail("duration", "five years or more is no booking", "Book less time")
    if length is None and all_day != plain.all_day:
        form.fail("duration", "is missing", "An occurrence that changes its kind needs a length")
    return Override(
        recurrence_id=slot,
        start=start,
        end=start + (plain.duration if length is None else length.wall),
        all_day=all_day,
        busy=busy,
        title=title,
        private=private,
    )
