"""What a connector may do that a platform's own people may not (ADR 0015).

A connector keeps bookings equal with a calendar that it works on, from outside: another calsync
that polls this one, or a product that speaks the same contract. What it writes stands in that
calendar already, so overlaps and the room's rules are not asked: like sync itself it mirrors, and
decides about clashes by its own lights. It also answers what waits for a calendar.

``here``: the room is mapped in this very calsync, which then answers bookings by itself. What a
connector writes waits for that answer, and the connector's own yes is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from calsync.adapters.hub import desk
from calsync.adapters.hub.desk import Precondition, Shown
from calsync.adapters.hub.problems import NotFound, NotLive
from calsync.adapters.hub.repository import HubStore, HubWriter
from calsync.adapters.hub.shape import span_of
from calsync.mapping.booking import Wish
from calsync.mapping.booking_edit import patched
from calsync.mapping.booking_values import Booking, BookingStatus, StoredRoom
from calsync.mapping.fingerprint import fingerprint
from calsync.model import Refusal, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """A create by a connector. ``editable``: False where the room is only invited to it.
    ``claimed``: when it was made in the calendar, by that one's clock: who came first is decided by
    it."""

    here: bool
    editable: bool = True
    claimed: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A connector's answer to a booking. ``refusal`` says why not, or which dates not."""

    status: BookingStatus
    refusal: Refusal | None = None


class Connectors:
    """The acts of connectors. Each is one transaction; raises HubProblem, InvalidBooking,
    StoreError."""

    def __init__(self, store: HubStore, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def create(
        self, tx: HubWriter, room: StoredRoom, wish: Wish, mirrored: Mirrored, *, new_id: str
    ) -> Shown:
        """Put into the room what stands in the connector's calendar. Its externalId makes it once:
        a booking that lives under it is given back as it is."""
        zone, now = room.room.zone, self._now()
        if wish.external_id is not None:
            old = tx.booking_by_external(room.room.id, wish.external_id)
            if old is not None and old.status.live:
                return Shown(old, zone)
            if old is not None:
                desk.release_external(tx, old)
        content = desk.kept(room, wish)
        names = desk.sayable_parts(content, zone, now)
        parts = () if names == ("",) else names
        number = tx.take_numbers(1)
        made = Booking(
            id=new_id,
            room_id=room.room.id,
            content=content,
            fingerprint=fingerprint(content),
            span=span_of(content, zone),
            created=now,
            modified=now,
            status=BookingStatus.PENDING if mirrored.here else BookingStatus.CONFIRMED,
            origin=Side.CALENDAR,
            editable=mirrored.editable,
            uid=wish.uid or f"{new_id}@calsync",
            person=wish.person,
            seats=wish.seats,
            external_id=wish.external_id,
            parts=parts,
            waiting=parts if mirrored.here else (),
            mark=number,
            claimed=None if mirrored.claimed is None else min(now, mirrored.claimed),
        )
        tx.insert([made])
        tx.record([desk.feed_entry(made, number, now)])
        return Shown(made, zone, created=True)

    def patch(
        self,
        booking_id: str,
        patch: Mapping[str, object],
        match: Precondition,
        *,
        here: bool,
        refusal: Refusal | None = None,
    ) -> Shown:
        """Change a booking to what the connector's calendar shows. ``refusal``: the dates that the
        change gives up, and why."""
        with self._store.write() as tx:
            old = desk.booking(tx, booking_id)
            desk.check(old, match)
            _check_live(old)
            room, now = desk.room(tx, old.room_id), self._now()
            zone = room.room.zone
            wish = patched(old, patch, zone)
            if desk.says(old, room, wish) and refusal in (None, old.refusal):
                return Shown(old, zone)
            content = desk.kept(room, wish)
            names = desk.sayable_parts(content, zone, now)
            parts = desk.ever_parts(old, names)
            anew = here and content != old.content
            pending = anew or old.status is BookingStatus.PENDING
            changed = replace(
                old,
                content=content,
                fingerprint=fingerprint(content),
                span=span_of(content, zone),
                person=wish.person,
                seats=wish.seats,
                status=BookingStatus.PENDING if pending else old.status,
                refusal=refusal if refusal is not None else None if anew else old.refusal,
                parts=parts,
                waiting=names if parts and pending else (),
            )
            return Shown(desk.store_change(tx, changed, now=now), zone)

    def answer(
        self, booking_id: str, verdict: Verdict, match: Precondition, *, here: bool
    ) -> Shown:
        """Say yes or no to a booking. The same answer a second time changes nothing; neither does
        a yes where the room's own calendar is asked ``here``."""
        with self._store.write() as tx:
            old = desk.booking(tx, booking_id)
            zone = desk.room(tx, old.room_id).room.zone
            if old.status is verdict.status and verdict.refusal in (None, old.refusal):
                return Shown(old, zone)
            desk.check(old, match)
            _check_live(old)
            if verdict.status is BookingStatus.REJECTED:
                said = replace(old, status=verdict.status, refusal=verdict.refusal)
                return Shown(desk.store_change(tx, said, now=self._now()), zone)
            if here:
                return Shown(old, zone)
            # Visible, but no change of content: its number stays.
            said = replace(
                old,
                status=verdict.status,
                waiting=(),
                refusal=verdict.refusal if verdict.refusal is not None else old.refusal,
                revision=old.revision + 1,
            )
            number = tx.take_numbers(1)
            tx.update([said])
            tx.record([desk.feed_entry(said, number, self._now())])
            return Shown(said, zone)

    def named(self, room_id: str, external_id: str) -> Shown:
        """The booking with this externalId: the live one, else the one that had it last. Raises
        NotFound."""
        with self._store.read() as tx:
            room = desk.room(tx, room_id)
            held = tx.bookings_named(room_id, external_id)
        if not held:
            raise NotFound("no booking of this room has this externalId", todo="Make it")
        return Shown(max(held, key=lambda b: (b.status.live, b.mark)), room.room.zone)


def _check_live(held: Booking) -> None:
    if not held.status.live:
        raise NotLive(f"the booking is {held.status.value}", todo="Read it again")
