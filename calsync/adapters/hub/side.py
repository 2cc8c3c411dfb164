"""The hub as the BOOKING side of sync (``calsync.ports.BookingSide``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from secrets import token_hex

from calsync.adapters.hub import view
from calsync.adapters.hub.mirror import Mirror
from calsync.adapters.hub.overlap import busy_of
from calsync.adapters.hub.repository import HubReader, HubStore
from calsync.errors import CursorAhead, CursorExpired
from calsync.mapping.booking_rules import RoomRules
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
    writes are answered by ``apply`` and not shown again. Behind it stands whose change that was:
    after a restore the same numbers are given out a second time.
    """

    side = Side.BOOKING
    capabilities = Capabilities(conditional_writes=True, local=True, keeps=True)

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
        self._newest = (-1, "")
        self._given: dict[str, str] = {}

    def pull(self, pair: Pair, cursor: str | None, window: Window) -> Pull:
        if cursor is not None and self._newest == (self._store.newest(), cursor):
            return Pull(cursor=cursor)
        with self._store.read() as tx:
            last, horizon = tx.numbers()
            known, newest = self._newest
            if known != last:
                newest = _cursor(tx, last)
                self._newest = (last, newest)
            # What this process gave out it has seen; it is not looked up again.
            given = cursor is not None and self._given.get(pair.room_id) == cursor
            self._given[pair.room_id] = newest
            if cursor is None:
                held = tx.live_bookings([pair.room_id], window)
                return Pull(
                    observations=tuple(o for b in held for o in view.observe(b, pair.zone)),
                    cursor=newest,
                    complete=True,
                )
            upto, _, whose = cursor.partition(":")
            after = int(upto) if upto.isascii() and upto.isdigit() else -1
            if after > last or (whose and not given and _cursor(tx, after) not in (cursor, upto)):
                raise CursorAhead(
                    "the change feed does not hold what the cursor has seen: the bookings were"
                    " restored from a backup",
                    where=pair.room_id,
                )
            if after < horizon:
                raise CursorExpired(
                    "the change feed does not reach back to the cursor", where=pair.room_id
                )
            entries = tx.feed_by_people(after, room_id=pair.room_id)
            if not entries:
                return Pull(cursor=newest)
            numbers = {e.booking_id: e.number for e in entries}
            bookings = tx.bookings(list(numbers))
        observations: list[Observation] = []
        for booking_id, number in numbers.items():
            booking = bookings.get(booking_id)
            if booking is None:  # compacted since: it had been dead for long
                observations.append(view.missing(booking_id, number))
            else:
                observations.extend(view.observe(booking, pair.zone))
        return Pull(observations=tuple(observations), cursor=newest)

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

    def rules(self, room_ids: Sequence[str]) -> Mapping[str, RoomRules]:
        with self._store.read() as tx:
            found = [room for one in room_ids if (room := tx.room(one)) is not None]
        return {
            r.room.id: RoomRules(rules=r.rules, since=r.rules_since, capacity=r.room.capacity)
            for r in found
        }

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


def _cursor(tx: HubReader, number: int) -> str:
    """The change ``number``, and whose it was; a change that was forgotten is its number alone."""
    found = tx.feed(number - 1, room_id=None, limit=1)
    if not found or found[0].number != number:
        return str(number)
    entry = found[0]
    return f"{number}:{entry.booking_id}@{entry.at.timestamp():.6f}"
