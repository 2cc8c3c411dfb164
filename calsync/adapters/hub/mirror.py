"""Sync's writes to the hub: a list of effects, carried out in one transaction.

Overlaps are never refused here: sync mirrors what the calendar holds, and decides about clashes
itself. Every write is conditional on the version on which it was decided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from calsync.adapters.hub import desk, view
from calsync.adapters.hub.repository import HubWriter
from calsync.adapters.hub.shape import is_over, span_of, without_titles
from calsync.errors import MappingError
from calsync.mapping import split
from calsync.mapping.booking_values import Booking, BookingStatus, FeedEntry
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    NOBODY,
    Done,
    Effect,
    EffectKind,
    Gone,
    Occupancy,
    Outcome,
    Pair,
    Person,
    Refusal,
    Refused,
    Seen,
    Side,
    Stale,
)


class Mirror:
    """One call of ``apply``. Reads all it needs first, writes in bulk at the end."""

    def __init__(
        self, tx: HubWriter, pair: Pair, *, now: datetime, new_id: Callable[[], str]
    ) -> None:
        self._tx = tx
        self._pair = pair
        self._now = now
        self._new_id = new_id
        self._held: dict[str, Booking] = {}
        self._tagged: dict[str, list[Booking]] = {}
        self._made: dict[str, Booking] = {}
        self._changed: dict[str, Booking] = {}
        self._feed: list[FeedEntry] = []

    def run(self, effects: Sequence[Effect]) -> list[Outcome]:
        """One outcome each, in order. Raises StoreError: nothing was changed then."""
        self._load(effects)
        # Numbers are cheap and may have gaps; one statement gives them all.
        first = self._tx.take_numbers(len(effects))
        outcomes = [self._one(effect, first + at) for at, effect in enumerate(effects)]
        # Changes first: a booking that gives up its tag makes room for one that takes it.
        self._tx.update(list(self._changed.values()))
        self._tx.insert(list(self._made.values()))
        self._tx.record(self._feed)
        return outcomes

    def _load(self, effects: Sequence[Effect]) -> None:
        ids = {view.split_key(e.key)[0] for e in effects if e.key is not None}
        self._held.update(self._tx.bookings(sorted(ids)))
        tags = [e.tag for e in effects if e.kind is EffectKind.CREATE_BOOKING]
        for booking in self._tx.bookings_by_tags(tags):
            self._tagged.setdefault(booking.tag or "", []).append(booking)

    def _one(self, effect: Effect, number: int) -> Outcome:
        if effect.kind is EffectKind.CREATE_BOOKING:
            return self._create(effect, number)
        if effect.key is None:
            return Refused("the effect names no booking", "no-key")
        booking_id, suffix = view.split_key(effect.key)
        booking = self._held.get(booking_id)
        if booking is None or booking.room_id != self._pair.room_id:
            return _absent(effect, view.missing(effect.key))
        now = view.observe_key(booking, suffix, self._pair.zone)
        if not isinstance(now, Seen):
            return _absent(effect, now)
        if effect.version and effect.version != now.version:
            return Stale(now)
        match effect.kind:
            case EffectKind.CHANGE_BOOKING:
                return self._change(booking, suffix, effect, number)
            case EffectKind.DELETE_BOOKING:
                return self._delete(booking, suffix, number)
            case EffectKind.CONFIRM_BOOKING:
                return self._confirm(booking, suffix, effect, number)
            case EffectKind.REJECT_BOOKING:
                return self._reject(booking, suffix, effect, number)
            case (
                EffectKind.CREATE_EVENT
                | EffectKind.CHANGE_EVENT
                | EffectKind.DELETE_EVENT
                | EffectKind.DECLINE_EVENT
            ):
                return Refused(f"{effect.kind.value} is no act of the booking side", "wrong-side")
            case _:
                assert_never(effect.kind)

    # --- the acts ---

    def _create(self, effect: Effect, number: int) -> Outcome:
        for held in self._tagged.get(effect.tag, ()):
            held = self._held.get(held.id, held)
            if held.status.live or held.made_by == effect.id:
                return Done(view.observe_key(held, "", self._pair.zone))
        target = effect.target
        if target is None:
            return Refused("the effect has no target", "no-target")
        content = target if self._pair.titles else without_titles(target)
        known = effect.fingerprint if content is target else ""
        made = Booking(
            id=self._new_id(),
            room_id=self._pair.room_id,
            content=content,
            fingerprint=known or fingerprint(content),
            span=span_of(content, self._pair.zone),
            created=self._now,
            modified=self._now,
            status=BookingStatus.CONFIRMED,
            origin=Side.CALENDAR,
            editable=effect.owned,
            uid=effect.uid,
            person=effect.person,
            tag=effect.tag,
            made_by=effect.id,
            mark=number,
        )
        self._made[made.id] = self._held[made.id] = made
        self._tagged.setdefault(effect.tag, []).append(made)
        self._feed.append(desk.feed_entry(made, number, self._now, by_sync=True))
        return Done(view.observe_key(made, "", self._pair.zone))

    def _change(self, booking: Booking, suffix: str, effect: Effect, number: int) -> Outcome:
        target = effect.target
        if target is None:
            return Refused("the effect has no target", "no-target")
        if not self._pair.titles:
            target = without_titles(target)
        if not (booking.parts or effect.parts):
            changed = self._with_content(booking, target)
        else:
            joined = self._joined(booking, suffix, target)
            if isinstance(joined, Refused):
                return joined
            changed = joined
        if effect.refusal is not None:
            changed = replace(changed, refusal=_refusal_of(booking, effect.refusal))
        stored = self._store(replace(changed, person=_named(changed, effect)), number)
        return Done(view.observe_key(stored, suffix, self._pair.zone))

    def _delete(self, booking: Booking, suffix: str, number: int) -> Outcome:
        if booking.parts and len(view.current_parts(booking, self._pair.zone)) > 1:
            left = self._joined(booking, suffix, None)
            if isinstance(left, Refused):
                return left
            stored = self._store(left, number)
        else:
            stored = self._store(replace(booking, status=BookingStatus.CANCELLED), number)
        return Done(view.observe_key(stored, suffix, self._pair.zone))

    def _confirm(self, booking: Booking, suffix: str, effect: Effect, number: int) -> Outcome:
        waiting = self._still_waiting(booking, suffix)
        refusal = booking.refusal
        if effect.refusal is not None:
            refusal = _refusal_of(booking, effect.refusal)
        status = BookingStatus.PENDING if waiting else BookingStatus.CONFIRMED
        confirmed = replace(booking, status=status, waiting=waiting, refusal=refusal)
        if confirmed != booking:
            # Visible, but no change of content: version and mark stay.
            confirmed = replace(confirmed, revision=booking.revision + 1)
            self._put(confirmed)
            self._feed.append(desk.feed_entry(confirmed, number, self._now, by_sync=True))
        return Done(view.observe_key(confirmed, suffix, self._pair.zone))

    def _reject(self, booking: Booking, suffix: str, effect: Effect, number: int) -> Outcome:
        """One booking gets one answer: a rejected part rejects all of it."""
        rejected = replace(booking, status=BookingStatus.REJECTED, refusal=effect.refusal)
        stored = self._store(rejected, number)
        return Done(view.gone(stored, suffix))

    def _still_waiting(self, booking: Booking, suffix: str) -> tuple[str, ...]:
        """The parts that wait when this one has its answer."""
        others = [name for name in booking.waiting if name != suffix]
        parts = view.current_parts(booking, self._pair.zone) if others else {}
        return tuple(
            name
            for name in others
            if name in parts and not is_over(parts[name], self._pair.zone, self._now)
        )

    # --- helpers ---

    def _joined(
        self, booking: Booking, suffix: str, changed: Occupancy | None
    ) -> Booking | Refused:
        """The whole booking with one part changed, or taken out (None)."""
        try:
            joined = split.join(booking.content, suffix, changed, room_zone=self._pair.zone)
            return self._with_parts(booking, joined)
        except MappingError as error:
            return Refused(str(error), "unsayable")

    def _with_content(self, booking: Booking, content: Occupancy) -> Booking:
        return replace(
            booking,
            content=content,
            fingerprint=fingerprint(content),
            span=span_of(content, self._pair.zone),
        )

    def _with_parts(self, booking: Booking, content: Occupancy) -> Booking:
        names = desk.part_names(content, self._pair.zone, self._now)
        ever = desk.ever_parts(booking, names)
        pending = booking.status is BookingStatus.PENDING
        fresh = [name for name in names if name in booking.waiting or name not in booking.parts]
        changed = self._with_content(booking, content)
        return replace(changed, parts=ever, waiting=tuple(fresh) if pending else ())

    def _store(self, changed: Booking, number: int) -> Booking:
        stored = replace(
            changed,
            revision=changed.revision + 1,
            content_revision=changed.content_revision + 1,
            mark=number,
            modified=self._now,
        )
        self._put(stored)
        # Sync knows what it wrote, but a change of one part may show in the others.
        known = not stored.parts
        self._feed.append(desk.feed_entry(stored, number, self._now, by_sync=known))
        return stored

    def _put(self, booking: Booking) -> None:
        self._held[booking.id] = booking
        if booking.id in self._made:
            self._made[booking.id] = booking
        else:
            self._changed[booking.id] = booking


def _refusal_of(booking: Booking, new: Refusal) -> Refusal:
    """What a booking has lost, with the dates that other parts of it lost before."""
    held = booking.refusal
    if not booking.parts or held is None or not (held.dates and new.dates):
        return new
    return replace(
        new,
        dates=tuple(sorted({*held.dates, *new.dates})),
        conflicts=tuple(sorted({*held.conflicts, *new.conflicts})),
        # Free on the dates of one part says nothing of those of another.
        alternatives=tuple(one for one in new.alternatives if one in held.alternatives),
    )


def _named(changed: Booking, effect: Effect) -> Person:
    """Who is named beside it. A private meeting names nobody; one that is public again names its
    organizer."""
    if changed.content.private:
        return NOBODY
    if changed.origin is Side.CALENDAR and changed.person == NOBODY:
        return effect.person
    return changed.person


def _absent(effect: Effect, gone: Gone) -> Outcome:
    """What should free the room finds it freed; anything else was decided on an older state."""
    return Done(gone) if effect.kind.frees else Stale(gone)
