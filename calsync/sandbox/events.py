"""What can be done to a calendar: create, change, delete, cancel, answer.

Fronts and people share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from . import answers, meetings
from .items import Attendee, Item, Override, When, generated, instance, when
from .mailbox import Mailbox
from .problems import bad_request, not_found
from .recurrence import Recurrence, settle, too_long

if TYPE_CHECKING:
    from .world import World

MAX_LENGTH = timedelta(days=5 * 366)


@dataclass(frozen=True, slots=True)
class Fields:
    """A write, read and checked. None means: not said. `single` says recurrence was set to null;
    `dropped` are the keys of tags that are taken away."""

    slot: When | None = None
    rule: Recurrence | None = None
    single: bool = False
    props: Mapping[str, Any] = field(default_factory=dict)
    attendees: tuple[Attendee, ...] | None = None
    tags: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    extensions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    transaction_id: str | None = None
    dropped: frozenset[str] = frozenset()


def check_slot(slot: When) -> None:
    """Order and length as Exchange checks them (EWS ResponseCode reference)."""
    if slot.end_utc < slot.start_utc:
        raise bad_request(
            "The end is earlier than the start.", "ErrorCalendarEndDateIsEarlierThanStartDate"
        )
    if slot.end_utc - slot.start_utc > MAX_LENGTH:
        raise bad_request(
            "The event lasts longer than five years.", "ErrorCalendarDurationIsTooLong"
        )


def fit(slot: When, rule: Recurrence | None) -> tuple[When, Recurrence | None]:
    """Check a series against its slot; move both to the first date the pattern gives."""
    check_slot(slot)
    if rule is None:
        return slot, None
    made = settle(rule)
    if made.end is not None and made.start > made.end:
        raise bad_request(
            "The recurrence has no occurrence in its range.", "ErrorRecurrenceHasNoOccurrence"
        )
    length = slot.end - slot.start
    if (refusal := too_long(made, length)) is not None:
        raise refusal
    if made.start != slot.start.date():
        start = slot.start + (made.start - slot.start.date())
        slot = when(start, start + length, slot.start_zone, slot.end_zone, all_day=slot.all_day)
    return slot, made


def create(
    world: World, box: Mailbox, fields: Fields, *, uid: str | None = None, announced: bool = True
) -> Item:
    """A new item whose organizer is the mailbox; with attendees it is a meeting and goes out.

    Unless the client keeps the requests back (EWS can, Graph cannot).
    """
    if fields.slot is None:
        raise bad_request("start and end are required.", "ErrorPropertyValidationFailure")
    slot, rule = fit(fields.slot, fields.rule)
    item = Item(
        key=world.new_key(),
        uid=uid or world.new_uid(),
        when=slot,
        organizer=box.person,
        own=True,
        rule=rule,
        props=dict(fields.props),
        attendees=fields.attendees or (),
        response=("organizer", 0),
        tags=dict(fields.tags),
        extensions=dict(fields.extensions),
        transaction_id=fields.transaction_id,
    )
    made = world.put(box, item)
    if made.attendees and announced:
        meetings.announce(world, box, None, made)
    return made


def update(
    world: World,
    box: Mailbox,
    item: Item,
    day: date | None,
    fields: Fields,
    *,
    announced: bool = True,
) -> Item:
    """Change an item, or one date of a series (which becomes an exception).

    ``announced``: attendees are told.
    """
    changed = _change_whole(world, item, fields) if day is None else _change_day(item, day, fields)
    if announced and changed.own and changed.attendees and _moved(item, changed, day):
        # Revisions of a meeting are numbered ([MS-OXOCAL] PidLidAppointmentSequence).
        number = int(changed.props.get("sequence", 0)) + 1
        changed = replace(changed, props={**changed.props, "sequence": number})
    made = world.put(box, changed)
    if announced and made.own and (made.attendees or item.attendees):
        meetings.announce(world, box, item, made)
        return box.items.get(made.key, made)
    return made


def _moved(before: Item, after: Item, day: date | None) -> bool:
    if day is None:
        return before.when != after.when or before.rule != after.rule
    old, new = before.overrides.get(day), after.overrides.get(day)
    return new is not None and (old.when if old else generated(before, day)) != new.when


def _change_whole(world: World, item: Item, fields: Fields) -> Item:
    rule = None if fields.single else (fields.rule or item.rule)
    slot, rule = (
        fit(fields.slot or item.when, rule) if fields.slot or fields.rule else (item.when, rule)
    )
    moved = slot != item.when or rule != item.rule
    people = (
        item.attendees if fields.attendees is None else _known(item.attendees, fields.attendees)
    )
    if moved:
        # A new time voids the answers given to the old one.
        people = tuple(replace(one, response="none", at=0) for one in people)
    changed = replace(
        item,
        when=slot,
        rule=rule,
        props={**item.props, **fields.props},
        attendees=people,
        tags=_retagged(item.tags, fields),
        extensions={**item.extensions, **fields.extensions},
    )
    if rule is None or (moved and world.switches.series_change_drops_exceptions):
        # Outlook: changing the series loses the exceptions made to it.
        changed = replace(changed, overrides={}, cancelled=frozenset(), declined=frozenset())
    elif moved:
        # No exception is left of a date that the pattern does not give any more ([MS-OXCICAL]
        # 2.1.3.1.1.20.13 keeps none such).
        changed = replace(
            changed,
            overrides={day: one for day, one in item.overrides.items() if rule.has(day)},
            cancelled=frozenset(filter(rule.has, item.cancelled)),
            declined=frozenset(filter(rule.has, item.declined)),
        )
    return changed


def _retagged(old: Mapping[str, tuple[str, str]], fields: Fields) -> dict[str, tuple[str, str]]:
    kept = {key: tag for key, tag in old.items() if key not in fields.dropped}
    return {**kept, **fields.tags}


def _known(old: tuple[Attendee, ...], new: tuple[Attendee, ...]) -> tuple[Attendee, ...]:
    """A rewritten attendee list keeps the answers of those who stay."""
    answers = {one.person.address.casefold(): one for one in old}
    kept = []
    for one in new:
        known = answers.get(one.person.address.casefold())
        kept.append(replace(one, response=known.response, at=known.at) if known else one)
    return tuple(kept)


def _change_day(item: Item, day: date, fields: Fields) -> Item:
    shown = instance(item, day)
    if shown is None or item.rule is None:
        raise not_found()
    if fields.rule is not None:
        raise bad_request("An occurrence cannot have a recurrence.", "ErrorInvalidRequest")
    slot = fields.slot or shown.when
    check_slot(slot)
    if fields.slot is not None:
        check_boundary(item, day, slot)
    old = item.overrides.get(day) or Override(shown.when)
    people = old.attendees
    if fields.attendees is not None:
        people = _known(people or item.attendees, fields.attendees)
    changed = replace(
        old,
        when=slot,
        props={**old.props, **fields.props},
        attendees=people,
        tags=_retagged(old.tags, fields),
    )
    return replace(item, overrides={**item.overrides, day: changed})


def check_boundary(item: Item, day: date, slot: When) -> None:
    """An instance may not go onto or past the day of the one before or after it.

    400 ErrorOccurrenceCrossingBoundary (Graph docs, event-update). Removed neighbours do not count.
    """
    if item.rule is None:
        return
    zone = item.when.start_zone
    target = slot.start.date() if slot.all_day else zone.to_wall(slot.start_utc).date()
    before, after = _beside(item, day)
    if (before is not None and target <= before) or (after is not None and target >= after):
        raise bad_request(
            "Cannot move the occurrence onto or past the day of an adjacent occurrence.",
            "ErrorOccurrenceCrossingBoundary",
        )


def _beside(item: Item, day: date) -> tuple[date | None, date | None]:
    """Days on which the live neighbours stand now."""
    sides: list[date | None] = []
    for side in (0, 1):
        place: date | None = day
        while place is not None:
            place = item.rule.neighbours(place)[side] if item.rule else None
            if place is not None and place not in item.cancelled:
                break
        sides.append(None if place is None else _stands(item, place))
    return sides[0], sides[1]


def _stands(item: Item, day: date) -> date:
    changed = item.overrides.get(day)
    slot = changed.when if changed else generated(item, day)
    return (
        slot.start.date() if slot.all_day else item.when.start_zone.to_wall(slot.start_utc).date()
    )


def throw_away(
    world: World, box: Mailbox, item: Item, day: date | None, *, comment: str = ""
) -> None:
    """As people do it in Outlook, and Graph: a whole item lies in Deleted Items afterwards."""
    delete(world, box, item, day, comment=comment)
    if day is None:
        world.discard(box, item)


def delete(world: World, box: Mailbox, item: Item, day: date | None, *, comment: str = "") -> None:
    """Remove an item or one date.

    The organizer's delete sends cancellations, an attendee's is silent.
    """
    if day is not None and instance(item, day) is None:
        raise not_found()
    if day is None:
        world.drop(box, item.key)
    else:
        rest = {known: one for known, one in item.overrides.items() if known != day}
        world.put(box, replace(item, cancelled=item.cancelled | {day}, overrides=rest))
    if item.own:
        shown = item.overrides.get(day) if day else None
        people = shown.attendees if shown and shown.attendees is not None else item.attendees
        for one in people:
            if not item.is_cancelled:
                meetings.withdraw(world, box, item, one.person.address, day=day, comment=comment)
    elif world.switches.delete_by_attendee_tells_organizer and not item.is_cancelled:
        answers.tell_organizer(world, box, item, day, "declined", comment)
