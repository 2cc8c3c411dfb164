"""The built-in booking platform: rooms, bookings, change feed. What the HTTP API serves.

Each writing act is one transaction that holds the database's write lock, so that a check (is
the room free?) and the write that rests on it see one state: of many requests for one slot
exactly one is stored.

A booking is ``pending`` until the calendar has it; every change of its content makes it
pending again. Times are aware UTC. Raises HubProblem, InvalidBooking, or a StoreError.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from secrets import token_hex

from calsync.adapters.hub import cursors, desk
from calsync.adapters.hub.connector import Connectors, Mirrored
from calsync.adapters.hub.desk import Precondition, Shown
from calsync.adapters.hub.feed import ChangePage, read_changes
from calsync.adapters.hub.problems import (
    KeyReused,
    KeyRunning,
    NotASeries,
    NotFound,
    RoomConflict,
    StaleRevision,
    TooMuch,
)
from calsync.adapters.hub.repository import HubStore, HubWriter
from calsync.adapters.hub.shape import span_of, without_titles
from calsync.adapters.hub.tokens import TokenStore
from calsync.mapping import booking_scope
from calsync.mapping.booking import Wish, read_wish
from calsync.mapping.booking_edit import occurrence, patched, with_occurrence
from calsync.mapping.booking_rules import NO_RULES, BookingRules
from calsync.mapping.booking_scope import SeriesScope
from calsync.mapping.booking_values import (
    Booking,
    BookingStatus,
    StoredAnswer,
    StoredRoom,
)
from calsync.mapping.expand import ALWAYS, instances
from calsync.mapping.fingerprint import fingerprint
from calsync.model import Instance, Interval, Room

#: Most occurrences in one answer; more is refused, never cut.
MAX_OCCURRENCES = 20_000


@dataclass(frozen=True, slots=True)
class Once:
    """An Idempotency-Key: whose, which, a hash of the request, and how to word the answer."""

    token_id: str
    key: str
    request: str
    answer: Callable[[Shown | RoomConflict], tuple[int, dict[str, str], str]]


@dataclass(frozen=True, slots=True)
class Occurrence:
    booking: Booking
    instance: Instance


def _slot(booking: Booking, recurrence_id: str) -> datetime:
    """The date of the series that is meant. Raises NotASeries, NotFound."""
    if booking.content.recurrence is None:
        raise NotASeries(
            "this booking has no occurrences", todo="Change or cancel the booking itself"
        )
    slot = occurrence(booking, recurrence_id)
    if slot is None:
        raise NotFound(
            "the series has no occurrence at this time, or it was cancelled",
            where=recurrence_id[:40],
            todo="Use the recurrenceId from the room's occupancy",
        )
    return slot


def _dates_named(booking: Booking) -> int:
    series = booking.content.recurrence
    return 1 if series is None else 1 + len(series.overrides) + len(series.excluded)


def _too_much() -> TooMuch:
    return TooMuch(
        f"more than {MAX_OCCURRENCES} occurrences lie in this window",
        todo="Ask for a shorter window or fewer rooms",
    )


class BookingService:
    def __init__(
        self,
        store: HubStore,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str] = lambda: token_hex(10),
    ) -> None:
        self._store = store
        self._now = now
        self._new_id = new_id
        self._running: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self.tokens = TokenStore(store, now=now)
        self.connectors = Connectors(store, now=now)

    # --- rooms ---

    def rooms(self) -> list[StoredRoom]:
        with self._store.read() as tx:
            return tx.rooms()

    def room(self, room_id: str) -> StoredRoom:
        with self._store.read() as tx:
            return desk.room(tx, room_id)

    def put_room(self, room: Room, rules: BookingRules | None = None) -> tuple[StoredRoom, bool]:
        """Make or replace a room; True where it is new. The titles switch stays as it is, and so
        do the rules where None are given."""
        with self._store.write() as tx:
            old = tx.room(room.id)
            if rules is None:
                rules = old.rules if old else NO_RULES
            if old is not None and old.room == room and old.rules == rules:
                return old, False
            same = old is not None and old.rules == rules
            new = StoredRoom(
                rules_since=old.rules_since if old is not None and same else self._now(),
                room=room,
                titles=old.titles if old else False,
                revision=old.revision + 1 if old else 1,
                rules=rules,
            )
            tx.put_room(new)
            if old is not None and old.room.zone != room.zone:
                # All-day bookings fill the days of the room's zone: their extents move.
                held = tx.live_bookings([room.id], ALWAYS)
                tx.update([replace(b, span=span_of(b.content, room.zone)) for b in held])
            return new, old is None

    def set_titles(self, room_id: str, titles: bool) -> None:
        """Mirror the pair's switch. Turned off, the titles that are stored go at once."""
        with self._store.write() as tx:
            room = desk.room(tx, room_id)
            if room.titles == titles:
                return
            tx.put_room(replace(room, titles=titles, revision=room.revision + 1))
            if titles:
                return
            tx.drop_titles(room_id)
            for booking in tx.live_bookings([room_id], ALWAYS):
                bare = without_titles(booking.content)
                if bare != booking.content:
                    changed = replace(booking, content=bare, fingerprint=fingerprint(bare))
                    desk.store_change(tx, changed, now=self._now())

    # --- occupancy ---

    def occurrences(
        self, room_ids: Sequence[str], span: Interval
    ) -> list[tuple[StoredRoom, list[Occurrence]]]:
        """What takes place in each room, expanded, by start."""
        found: list[tuple[StoredRoom, list[Occurrence]]] = []
        left = MAX_OCCURRENCES
        for room, bookings in self.live(room_ids, span):
            zone = room.room.zone
            shown = [
                Occurrence(booking, instance)
                for booking in bookings
                for instance in instances(booking.content, span, zone, limit=left + 1)
            ]
            left -= len(shown)
            if left < 0:
                raise _too_much()
            shown.sort(key=lambda o: (o.instance.start, o.booking.id))
            found.append((room, shown))
        return found

    def series(
        self, room_ids: Sequence[str], span: Interval
    ) -> list[tuple[StoredRoom, list[Booking]]]:
        """As ``live``; refused like too many occurrences where they, with the dates that each of
        them names, are too many."""
        found = self.live(room_ids, span)
        if sum(_dates_named(b) for _, held in found for b in held) > MAX_OCCURRENCES:
            raise _too_much()
        return found

    def live(
        self, room_ids: Sequence[str], span: Interval
    ) -> list[tuple[StoredRoom, list[Booking]]]:
        """Live bookings whose extent meets ``span``, per room."""
        with self._store.read() as tx:
            rooms = [desk.room(tx, room_id) for room_id in dict.fromkeys(room_ids)]
            held: dict[str, list[Booking]] = {room.room.id: [] for room in rooms}
            for booking in tx.live_bookings(list(held), span):
                held[booking.room_id].append(booking)
        return [(room, held[room.room.id]) for room in rooms]

    # --- bookings ---

    def booking(self, booking_id: str) -> Shown:
        with self._store.read() as tx:
            booking = desk.booking(tx, booking_id)
            room = tx.room(booking.room_id)
        return Shown(booking, room.room.zone if room is not None else "UTC")

    def create(
        self,
        room_id: str,
        doc: Mapping[str, object],
        *,
        once: Once | None = None,
        mirrored: Mirrored | None = None,
    ) -> Shown | StoredAnswer:
        """Book a room. With ``once`` the answer is kept in the same transaction, and given
        again (as StoredAnswer) to the same request. ``mirrored``: by a connector. Raises
        RoomConflict with alternatives."""
        if once is None:
            with self._store.write() as tx:
                return self._create(tx, room_id, doc, mirrored)
        with self._alone(once):
            with self._store.write() as tx:
                kept = tx.answer(once.token_id, once.key)
                if kept is not None:
                    if kept.request == once.request:
                        return kept
                    raise KeyReused(
                        "this Idempotency-Key was used for another request",
                        todo="Use a new key for a new request",
                    )
                outcome: Shown | RoomConflict
                try:
                    outcome = self._create(tx, room_id, doc, mirrored)
                except RoomConflict as conflict:  # nothing was written before it is raised
                    outcome = conflict
                tx.keep_answer(self._kept(once, outcome))
            if isinstance(outcome, RoomConflict):
                raise outcome
            return outcome

    def _create(
        self, tx: HubWriter, room_id: str, doc: Mapping[str, object], mirrored: Mirrored | None
    ) -> Shown:
        room = desk.room(tx, room_id)
        wish = read_wish(doc, room.room.zone)
        if mirrored is not None:
            return self.connectors.create(tx, room, wish, mirrored, new_id=self._new_id())
        booking = desk.new_booking(
            tx, room, wish, booking_id=self._new_id(), external_id=wish.external_id, now=self._now()
        )
        return Shown(booking, room.room.zone, created=True)

    def put_external(
        self,
        room_id: str,
        external_id: str,
        doc: Mapping[str, object],
        *,
        match: Precondition | None = None,
        absent: bool = False,
    ) -> Shown:
        """The booking with this externalId, made or replaced so that it says ``doc``.

        ``absent`` (If-None-Match: *): only where there is none yet. A rejected booking that is
        asked for again unchanged stays as it is; with other content it is asked for anew.
        """
        with self._store.write() as tx:
            room = desk.room(tx, room_id)
            zone = room.room.zone
            wish = desk.with_external(read_wish(doc, zone), external_id)
            old = tx.booking_by_external(room_id, external_id)
            if old is None:
                if match is not None:
                    raise StaleRevision("there is no such booking", todo="Leave If-Match out")
            elif absent:
                raise StaleRevision("there is a booking with this externalId already")
            else:
                desk.check(old, match)
                if desk.says(old, room, wish):
                    return Shown(old, zone)
                if old.status.live:
                    changed = desk.change_booking(tx, room, old, wish, now=self._now())
                    return Shown(changed, zone)
                desk.release_external(tx, old)
            made = desk.new_booking(
                tx,
                room,
                wish,
                booking_id=self._new_id(),
                external_id=external_id,
                now=self._now(),
            )
            return Shown(made, zone, created=True)

    def patch(self, booking_id: str, patch: Mapping[str, object], match: Precondition) -> Shown:
        """A merge patch (RFC 7396). One that changes nothing leaves the revision as it is."""
        return self._change(booking_id, match, lambda b, zone: patched(b, patch, zone))

    def patch_occurrence(
        self,
        booking_id: str,
        recurrence_id: str,
        patch: Mapping[str, object] | None,
        match: Precondition,
        scope: SeriesScope = SeriesScope.THIS,
    ) -> Shown:
        """Change one date of a series, or take it out (``patch`` None); with ``scope`` also all
        that follow, or the whole series.

        A change of all that follow splits the series: it ends before the date, and a new booking,
        which is what this gives back, begins with it. Both, or neither.
        """
        with self._store.write() as tx:
            old = desk.booking(tx, booking_id)
            desk.check(old, match)
            desk.check_changeable(old)
            room = desk.room(tx, old.room_id)
            zone, slot = room.room.zone, _slot(old, recurrence_id)
            if scope is SeriesScope.THIS:
                return self._put(tx, room, old, with_occurrence(old, slot, patch, zone))
            if scope is SeriesScope.FOLLOWING:
                booking_scope.check_slot(old, slot)
                if not booking_scope.has_before(old, slot):
                    scope = SeriesScope.ALL
            if scope is SeriesScope.ALL:
                if patch is None:
                    cancelled = replace(old, status=BookingStatus.CANCELLED)
                    return Shown(desk.store_change(tx, cancelled, now=self._now()), zone)
                return self._put(tx, room, old, booking_scope.whole(old, slot, patch, zone))
            rest = None if patch is None else booking_scope.onwards(old, slot, patch, zone)
            ended = self._put(tx, room, old, booking_scope.until(old, slot, zone))
            if rest is None:
                return ended
            made = desk.new_booking(
                tx, room, rest, booking_id=self._new_id(), external_id=None, now=self._now()
            )
            return Shown(made, zone, created=True)

    def _change(
        self, booking_id: str, match: Precondition, wish: Callable[[Booking, str], Wish]
    ) -> Shown:
        with self._store.write() as tx:
            old = desk.booking(tx, booking_id)
            desk.check(old, match)
            desk.check_changeable(old)
            room = desk.room(tx, old.room_id)
            return self._put(tx, room, old, wish(old, room.room.zone))

    def _put(self, tx: HubWriter, room: StoredRoom, old: Booking, asked: Wish) -> Shown:
        if desk.says(old, room, asked):
            return Shown(old, room.room.zone)
        changed = desk.change_booking(tx, room, old, asked, now=self._now())
        return Shown(changed, room.room.zone)

    def cancel(self, booking_id: str, match: Precondition) -> Booking:
        """Take the booking out of the room; one born in Outlook is declined by sync. Cancelling
        twice is one cancellation, whatever revision the second call names."""
        with self._store.write() as tx:
            old = desk.booking(tx, booking_id)
            if old.status is BookingStatus.CANCELLED:
                return old
            desk.check(old, match)
            cancelled = replace(old, status=BookingStatus.CANCELLED)
            return desk.store_change(tx, cancelled, now=self._now())

    # --- change feed ---

    def newest(self) -> int:
        """The newest change number, from memory."""
        return self._store.newest()

    def from_now(self, room_id: str | None) -> str:
        """The cursor of who wants nothing but what comes. Raises NotFound."""
        with self._store.read() as tx:
            if room_id is not None:
                desk.room(tx, room_id)
            return cursors.encode(cursors.Cursor(tx.numbers()[0], room_id))

    def changes(self, cursor: str | None, *, room_id: str | None, limit: int) -> ChangePage:
        """What changed since ``cursor``; all live bookings first where it is None.

        Raises CursorInvalid, ResyncRequired.
        """
        with self._store.read() as tx:
            return read_changes(tx, cursor, room_id=room_id, limit=limit)

    # --- upkeep ---

    def ping(self) -> None:
        """Raises StoreError where the database does not answer."""
        with self._store.read() as tx:
            tx.numbers()

    def compact(
        self,
        *,
        feed: timedelta = timedelta(days=30),
        answers: timedelta = timedelta(days=2),
        dead: timedelta = timedelta(days=400),
        people: timedelta = timedelta(days=30),
    ) -> int:
        """Drop what has outlived its use; how many rows. ``people``: names and addresses go
        this long after the end of a booking. ``answers`` must be a day or more."""
        now = self._now()
        with self._store.write() as tx:
            return tx.compact(
                feed_before=now - feed, answers_before=now - answers, dead_before=now - dead
            ) + tx.forget_people(now - people)

    # --- idempotency ---

    @contextmanager
    def _alone(self, once: Once) -> Iterator[None]:
        mine = (once.token_id, once.key)
        with self._lock:
            if mine in self._running:
                raise KeyRunning(
                    "the first request with this Idempotency-Key is still running",
                    todo="Wait a moment and send it again",
                )
            self._running.add(mine)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(mine)

    def _kept(self, once: Once, outcome: Shown | RoomConflict) -> StoredAnswer:
        status, headers, body = once.answer(outcome)
        return StoredAnswer(
            token_id=once.token_id,
            key=once.key,
            request=once.request,
            status=status,
            headers=headers,
            body=body,
            at=self._now(),
        )
