"""The hub as the BOOKING side of sync (``calsync.ports.BookingSide``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from secrets import token_hex

from calsync.adapters.hub import view
from calsync.adapters.hub.mirror import Mirror
from calsync.adapters.hub.overlap import busy_of
from calsync.adapters.hub.repository import HubStore
from calsync.errors import CursorAhead, CursorExpired
from calsync.model import (
    Effect,
    Interval,
    Observation,
    Outcome,
    Pair,
    Pull,
    Room,
    Side,
    Window,
)
from calsync.ports import Capabilities


class HubSide:
    """Calls stay in this process and cost one transaction each. Besides SideError they may
    raise StoreError, since the hub lives in calsync's own database; nothing was changed then.

    The cursor is the change number up to which sync has seen what *others* changed; its own
    writes are answered by ``apply`` and not shown again.
    """

    side = Side.BOOKING
    capabilities = Capabilities(conditional_writes=True, find_by_tag=True, local=True)

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

    def pull(self, pair: Pair, cursor: str | None, window: Window) -> Pull:
        if cursor is not None and str(self._store.newest()) == cursor:
            return Pull(cursor=cursor)
        with self._store.read() as tx:
            last, horizon = tx.numbers()
            if cursor is None:
                held = tx.live_bookings([pair.room_id], window)
                return Pull(
                    observations=tuple(o for b in held for o in view.observe(b, pair.zone)),
                    cursor=str(last),
                    complete=True,
                )
            after = int(cursor) if cursor.isascii() and cursor.isdigit() else -1
            if after > last:
                raise CursorAhead(
                    "the change feed ends before the cursor: the bookings were restored from a"
                    " backup",
                    where=pair.room_id,
                )
            if after < horizon:
                raise CursorExpired(
                    "the change feed does not reach back to the cursor", where=pair.room_id
                )
            entries = tx.feed_by_people(after, room_id=pair.room_id)
            if not entries:
                return Pull(cursor=str(last))
            numbers = {e.booking_id: e.number for e in entries}
            bookings = tx.bookings(list(numbers))
        observations: list[Observation] = []
        for booking_id, number in numbers.items():
            booking = bookings.get(booking_id)
            if booking is None:  # compacted since: it had been dead for long
                observations.append(view.missing(booking_id, number))
            else:
                observations.extend(view.observe(booking, pair.zone))
        return Pull(observations=tuple(observations), cursor=str(last))

    def read(self, pair: Pair, keys: Sequence[str]) -> list[Observation]:
        wanted = {view.split_key(key)[0] for key in keys}
        with self._store.read() as tx:
            held = tx.bookings(sorted(wanted))
        found: list[Observation] = []
        for key in keys:
            booking_id, suffix = view.split_key(key)
            booking = held.get(booking_id)
            if booking is None or booking.room_id != pair.room_id:
                found.append(view.missing(key))
            else:
                found.append(view.observe_key(booking, suffix, pair.zone))
        return found

    def find(self, pair: Pair, tags: Sequence[str]) -> Mapping[str, Observation]:
        with self._store.read() as tx:
            held = tx.bookings_by_tags(tags)
        # What was made and cancelled since is told, too: else it would be made again.
        return {
            b.tag: view.observe_key(b, "", pair.zone)
            for b in sorted(held, key=lambda b: b.status.live)
            if b.tag is not None and b.room_id == pair.room_id
        }

    def elsewhere(self, _pair: Pair, _uids: Sequence[str]) -> list[Observation]:
        return []  # A booking keeps its id for life.

    def apply(self, pair: Pair, effects: Sequence[Effect]) -> list[Outcome]:
        if not effects:
            return []
        with self._store.write() as tx:
            return Mirror(tx, pair, now=self._now(), new_id=self._new_id).run(effects)

    def rooms(self) -> Iterable[Room]:
        with self._store.read() as tx:
            return [stored.room for stored in tx.rooms()]

    def busy(self, room_ids: Sequence[str], span: Interval) -> Mapping[str, list[Interval]]:
        zones = dict.fromkeys(room_ids, "UTC")
        with self._store.read() as tx:
            taken = tx.taken(list(zones), span)
            # Only series (and their all-day dates) are expanded; only they need a zone.
            for room_id in {t.room_id for t in taken if t.series is not None}:
                stored = tx.room(room_id)
                if stored is not None:
                    zones[room_id] = stored.room.zone
        return busy_of(taken, zones, span)
