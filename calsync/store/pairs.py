"""The admin's mapping: which room is joined to which resource calendar."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from calsync.errors import UsageError
from calsync.mapping.reactions import reactions_text, read_reactions
from calsync.model import (
    ClashPolicy,
    EditPolicy,
    EffectKind,
    OrganizerFallback,
    Pair,
    Side,
    Tally,
    Window,
    WriteAs,
)
from calsync.ports import Clock, Commit, RoomState
from calsync.store.codec import (
    LINK_COLUMNS,
    instant,
    link_extent,
    link_of,
    maybe_instant,
    micros,
)
from calsync.store.connection import Connection
from calsync.store.database import Database
from calsync.store.statements import Statements, run_many

PAIR_COLUMNS = (
    "id, room_id, connection, mailbox, zone, titles, edit_policy, clash_policy,"
    " reactions, own_reactions, reactions_since, write_as, organizer_fallback"
)
ROOM_STATE_COLUMNS = (
    "pair_id, calendar_cursor, booking_cursor, window_start, window_end, imported,"
    " imported_at, halted, approved, failures, error, synced_at, woken_at, compared_at, drift,"
    " writes, writes_since, others, others_since, rejoin"
)

Row = Sequence[Any]

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def pair_of(row: Row) -> Pair:
    id_, room_id, connection, mailbox, zone, titles, edit_policy, clash_policy, *ruled = row
    reactions, own_reactions, reactions_since, write_as, organizer_fallback = ruled
    return Pair(
        id=id_,
        room_id=room_id,
        connection=connection,
        mailbox=mailbox,
        zone=zone,
        titles=bool(titles),
        edit_policy=EditPolicy(edit_policy),
        clash_policy=ClashPolicy(clash_policy),
        reactions=read_reactions(reactions),
        own_reactions=own_reactions,
        reactions_since=maybe_instant(reactions_since),
        write_as=WriteAs(write_as),
        organizer_fallback=OrganizerFallback(organizer_fallback),
    )


def room_state_of(row: Row) -> RoomState:
    (
        pair_id, calendar_cursor, booking_cursor, window_start, window_end, imported,
        imported_at, halted, approved, failures, error, synced_at, woken_at, compared_at, drift,
        writes, writes_since, others, others_since, rejoin,
    ) = row  # fmt: skip
    window = None
    if window_start is not None and window_end is not None:
        window = Window(instant(window_start), instant(window_end))
    return RoomState(
        pair_id=pair_id,
        calendar_cursor=calendar_cursor,
        booking_cursor=booking_cursor,
        window=window,
        imported=bool(imported),
        imported_at=maybe_instant(imported_at),
        halted=halted,
        approved=bool(approved),
        failures=failures,
        error=error,
        synced_at=maybe_instant(synced_at),
        woken_at=maybe_instant(woken_at),
        compared_at=maybe_instant(compared_at),
        drift=drift,
        writes=Tally(writes, maybe_instant(writes_since)),
        others=Tally(others, maybe_instant(others_since)),
        rejoin=EditPolicy(rejoin) if rejoin else None,
    )


def move(connection: Connection, sql: Callable[[str], str], commit: Commit) -> None:
    """The pair is reached through another connection from now on, which knows the items that the
    outbox names by other keys. Remembered is which one it was, for a [[rooms]] entry that still
    says so."""
    was = connection.exec_driver_sql(
        sql("SELECT connection FROM pair WHERE id = ?"), (commit.pair_id,)
    ).scalar_one()
    _remember(connection, sql, _moved(commit.pair_id), str(was))
    connection.exec_driver_sql(
        sql("UPDATE pair SET connection = ? WHERE id = ?"), (commit.moved_to, commit.pair_id)
    )
    kinds = [kind.value for kind in EffectKind if kind.side is Side.CALENDAR]
    marks = ", ".join("?" for _ in kinds)
    run_many(
        connection,
        sql(f"UPDATE effect SET key = ? WHERE pair_id = ? AND key = ? AND kind IN ({marks})"),
        [(new, commit.pair_id, old, *kinds) for old, new in commit.keys.items()],
    )


def _moved(pair_id: str) -> str:
    return f"moved from, pair {pair_id}"


def _remember(connection: Connection, sql: Callable[[str], str], key: str, value: str) -> None:
    put = sql(
        "INSERT INTO meta (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    )
    connection.exec_driver_sql(put, (key, value))


class Mappings:
    """Maps and unmaps rooms. Reading them is the store's (``SqlStore.pairs``)."""

    def __init__(
        self, db: Database, clock: Clock, *, new_id: Callable[[], str] = lambda: uuid4().hex
    ) -> None:
        self._db = db
        self._clock = clock
        self._new_id = new_id
        self._sql = Statements.of(is_sqlite=db.is_sqlite).sql

    def find(self, room_id: str) -> Pair | None:
        """The pair of a mapped room."""
        with self._db.read() as connection:
            return self._live(connection, "room_id", room_id)

    def id_for(self, room_id: str, mailbox: str, connection: str) -> str:
        """The id for a mapping of these: the one they had when they were mapped before, so that
        their links serve again; a new one otherwise. (Through another connection it is another
        mailbox, whatever it is called: links and cursors of one tenant say nothing of another.)"""
        sql = self._sql(
            "SELECT id FROM pair WHERE room_id = ? AND mailbox = ? AND connection = ?"
            " AND NOT retired"
            " ORDER BY removed IS NULL DESC, removed DESC LIMIT 1"
        )
        values = (room_id, mailbox.lower(), connection)
        with self._db.read() as reading:
            known = reading.exec_driver_sql(sql, values).scalar()
        return str(known) if known is not None else self._new_id()

    def bind(self, connection: str, tenant_id: str) -> None:
        """Remember which tenant a connection is for. Raises UsageError where its rooms were mapped
        in another one: what is known of them, and their cursors, would be taken for that one's.

        Two ids differ for sure only where both are GUIDs; a domain may be another name of one.
        """
        key, tenant = f"tenant of {connection}", tenant_id.lower()
        with self._db.read() as reading:
            sql = self._sql("SELECT value FROM meta WHERE key = ?")
            known = reading.exec_driver_sql(sql, (key,)).scalar()
        if known == tenant:
            return
        with self._db.write() as writing:
            other = known is not None and _GUID.fullmatch(known) and _GUID.fullmatch(tenant)
            if other:
                self._leave(writing, connection, str(known))
            _remember(writing, self._sql, key, tenant)

    def moves(self) -> dict[str, str]:
        """Pairs whose mailbox moved, and the settings have not followed since: the connection
        through which each was reached before."""
        sql = self._sql("SELECT key, value FROM meta WHERE key LIKE ?")
        head = _moved("")
        with self._db.read() as reading:
            rows = reading.exec_driver_sql(sql, (f"{head}%",)).all()
        return {str(key).removeprefix(head): str(value) for key, value in rows}

    def followed(self, pair_id: str) -> None:
        """The settings name the connection that the mailbox moved to: another one that they name
        from now on is a new move, be it back."""
        with self._db.write() as writing:
            sql = self._sql("DELETE FROM meta WHERE key = ?")
            writing.exec_driver_sql(sql, (_moved(pair_id),))

    def _leave(self, writing: Connection, connection: str, former: str) -> None:
        """Whatever was mapped through the connection stays with its former tenant."""
        live = self._sql("SELECT count(*) FROM pair WHERE connection = ? AND removed IS NULL")
        count = writing.exec_driver_sql(live, (connection,)).scalar()
        if count:
            raise UsageError(
                f"{count} room(s) of this connection were mapped in tenant {former}",
                where=f"connection {connection}",
                todo="Put that tenant_id back, and add the new tenant as a connection of its own;"
                " or unmap these rooms first: calsync rooms unmap ROOM",
            )
        sql = self._sql("UPDATE pair SET connection = ? WHERE connection = ?")
        writing.exec_driver_sql(sql, (f"{connection} in {former}", connection))

    def save_pair(self, pair: Pair) -> None:
        """Map a room, or change its mapping (same ``pair.id``). The mailbox is kept lower case.

        A change of room, mailbox or connection needs a new pair. Raises UsageError where the
        mailbox or the room is mapped already, with the name of the room.
        """
        now = micros(self._clock.now())
        mailbox = pair.mailbox.lower()
        with self._db.write() as connection:
            self._check_free(connection, pair, mailbox)
            self._spread(connection, pair)
            before = connection.exec_driver_sql(
                self._sql("SELECT titles, zone FROM pair WHERE id = ?"), (pair.id,)
            ).first()
            connection.exec_driver_sql(
                self._sql(
                    f"INSERT INTO pair ({PAIR_COLUMNS}, added) VALUES"
                    " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (id) DO UPDATE SET connection = excluded.connection,"
                    " zone = excluded.zone, titles = excluded.titles,"
                    " edit_policy = excluded.edit_policy, clash_policy = excluded.clash_policy,"
                    " reactions_since = CASE WHEN pair.reactions = excluded.reactions"
                    " AND pair.removed IS NULL THEN pair.reactions_since"
                    " ELSE excluded.reactions_since END,"
                    " reactions = excluded.reactions,"
                    " own_reactions = excluded.own_reactions, write_as = excluded.write_as,"
                    " organizer_fallback = excluded.organizer_fallback, removed = NULL"
                ),
                (
                    pair.id,
                    pair.room_id,
                    pair.connection,
                    mailbox,
                    pair.zone,
                    pair.titles,
                    pair.edit_policy.value,
                    pair.clash_policy.value,
                    reactions_text(pair.reactions),
                    pair.own_reactions,
                    now,
                    pair.write_as.value,
                    pair.organizer_fallback.value,
                    now,
                ),
            )
            # No cursor yet: the first cycle of a pair lists both sides in full, and quietly.
            # The fence starts at the time of mapping, above every fence of an earlier mapping
            # of the same two: a worker left over from then stays locked out.
            connection.exec_driver_sql(
                self._sql(
                    "INSERT INTO room_sync (pair_id, fence) VALUES (?, ?) ON CONFLICT DO NOTHING"
                ),
                (pair.id, now),
            )
            if before is not None and (bool(before[0]), before[1]) != (pair.titles, pair.zone):
                # What was read says now something else: both sides are listed anew, together.
                # One side alone would look changed, and be changed back. Whoever works the room
                # must not store over it what was read before.
                again = (
                    "UPDATE room_sync SET window_start = NULL, window_end = NULL, fence = fence + 1"
                )
                connection.exec_driver_sql(self._sql(f"{again} WHERE pair_id = ?"), (pair.id,))

    def remove_pair(self, pair_id: str) -> bool:
        """Unmap. Bookings and events stay as they are on both sides; links stay here, so that
        mapping the same two again goes on from them. False where it was not mapped.

        A cycle that is under way for the room can commit nothing more.
        """
        now = micros(self._clock.now())
        with self._db.write() as connection:
            sql = self._sql("UPDATE pair SET removed = ? WHERE id = ? AND removed IS NULL")
            removed = connection.exec_driver_sql(sql, (now, pair_id)).rowcount > 0
            # Open effects stay: their outcome is unknown, and mapping again looks them up.
            connection.exec_driver_sql(
                self._sql("DELETE FROM room_sync WHERE pair_id = ?"), (pair_id,)
            )
        return removed

    def former(self, room_id: str) -> Pair | None:
        """The pair of a room that was unmapped last."""
        sql = self._sql(
            f"SELECT {PAIR_COLUMNS} FROM pair WHERE room_id = ? AND removed IS NOT NULL"
            " ORDER BY removed DESC LIMIT 1"
        )
        with self._db.read() as connection:
            row = connection.exec_driver_sql(sql, (room_id,)).first()
        return None if row is None else pair_of(row)

    def retire(self, pair_id: str) -> None:
        """Unmap for good: mapped again, the same two are new to each other. Needed where what
        calsync wrote is taken away: an item of the same link would count as deleted by people."""
        self.remove_pair(pair_id)
        with self._db.write() as connection:
            sql = self._sql("UPDATE pair SET retired = TRUE WHERE id = ?")
            connection.exec_driver_sql(sql, (pair_id,))

    def resume(self, pair_id: str, *, approve: bool) -> bool:
        """Answer the guard: let a halted room go on. ``approve``: the plan it stopped may pass
        once. False where the room was not halted."""
        sql = self._sql(
            "UPDATE room_sync SET halted = '', approved = ?, failures = 0, error = ''"
            " WHERE pair_id = ? AND halted <> ''"
        )
        with self._db.write() as connection:
            return connection.exec_driver_sql(sql, (approve, pair_id)).rowcount > 0

    def rejoin(self, pair_id: str, trust: EditPolicy) -> bool:
        """Answer the guard: join both sides of a halted room anew, quietly and without a deletion.
        ``trust``: who is right where both have an item and differ. False where the room was not
        halted. Links stay: they know which item is which, and what was deleted."""
        sql = self._sql(
            "UPDATE room_sync SET halted = '', approved = FALSE, failures = 0, error = '',"
            " imported = FALSE, rejoin = ?, calendar_cursor = NULL, booking_cursor = NULL,"
            " window_start = NULL, window_end = NULL, writes = 0, writes_since = NULL,"
            " others = 0, others_since = NULL WHERE pair_id = ? AND halted <> ''"
        )
        with self._db.write() as connection:
            return connection.exec_driver_sql(sql, (trust.value, pair_id)).rowcount > 0

    def _check_free(self, connection: Connection, pair: Pair, mailbox: str) -> None:
        other = self._live(connection, "mailbox", mailbox)
        if other is not None and other.id != pair.id:
            raise UsageError(
                f"{mailbox} is already mapped to room {other.room_id}",
                where=f"room {pair.room_id}",
                todo=f"Unmap that one first: calsync rooms unmap {other.room_id}",
            )
        other = self._live(connection, "room_id", pair.room_id)
        if other is not None and other.id != pair.id:
            raise UsageError(
                f"room {pair.room_id} is already mapped to {other.mailbox}",
                where=f"room {pair.room_id}",
                todo=f"Unmap it first: calsync rooms unmap {pair.room_id}",
            )

    def _spread(self, connection: Connection, pair: Pair) -> None:
        """All-day items fill the days of the room's zone: another zone moves their extents."""
        same = self._sql("SELECT zone = ? FROM pair WHERE id = ?")
        if connection.exec_driver_sql(same, (pair.zone, pair.id)).scalar() in (None, True, 1):
            return
        links = connection.exec_driver_sql(
            self._sql(f"SELECT {LINK_COLUMNS} FROM link WHERE pair_id = ?"), (pair.id,)
        ).all()
        run_many(
            connection,
            self._sql("UPDATE link SET starts = ?, ends = ? WHERE id = ?"),
            [(*link_extent(link, pair.zone), link.id) for link in map(link_of, links)],
        )

    def _live(self, connection: Connection, column: str, value: str) -> Pair | None:
        sql = self._sql(f"SELECT {PAIR_COLUMNS} FROM pair WHERE {column} = ? AND removed IS NULL")
        row = connection.exec_driver_sql(sql, (value,)).first()
        return None if row is None else pair_of(row)
