"""calsync's memory: the implementation of :class:`calsync.ports.Store` in SQL.

One rule above all: :meth:`SqlStore.commit` stores everything that one step of a cycle changes
in one transaction, under the fence of the room's lease, or nothing of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from calsync.errors import StoreError
from calsync.mapping.fingerprint import dumps
from calsync.model import (
    Conflict,
    Effect,
    Interval,
    Link,
    LinkState,
    Notice,
    Pair,
    Side,
)
from calsync.ports import (
    AuditEntry,
    Clock,
    Commit,
    NoticeState,
    OpenEffect,
    RoomState,
    StoredNotice,
)
from calsync.store import schema
from calsync.store.codec import (
    LINK_COLUMNS,
    compact,
    link_of,
    link_row,
    maybe_micros,
    micros,
    seconds_down,
    seconds_up,
)
from calsync.store.connection import Connection
from calsync.store.database import Database
from calsync.store.former import former_rows
from calsync.store.hiding import hide_kept, is_private
from calsync.store.ledger import Ledger
from calsync.store.pairs import PAIR_COLUMNS, ROOM_STATE_COLUMNS, move, pair_of, room_state_of
from calsync.store.statements import Statements, chunks, run_many

#: How long a room's lease is said to last. The fence, not this time, keeps writers apart.
LEASE = timedelta(minutes=10)

_LINKS = f"SELECT {LINK_COLUMNS} FROM link"
_SET_STATE = (
    "UPDATE room_sync SET calendar_cursor = ?, booking_cursor = ?, window_start = ?,"
    " window_end = ?, imported = ?, imported_at = ?, halted = ?, approved = ?, failures = ?,"
    " error = ?, synced_at = ?, woken_at = ?, compared_at = ?, drift = ?, writes = ?,"
    " writes_since = ?, others = ?, others_since = ?, rejoin = ? WHERE pair_id = ?"
)


class SqlStore:
    """The store of one installation. Safe to share between threads."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        text = Statements.of(is_sqlite=db.is_sqlite)
        self._text = text
        self._sql = text.sql
        self.ledger = Ledger(db, clock)
        self._put_link = text.upsert(schema.link)
        self._put_effect = text.upsert(schema.effect)
        self._put_audit = text.insert(schema.audit, skip=["id"])
        self._put_conflict = text.insert(schema.conflict, skip=["id"])
        self._put_former = text.insert(schema.former, skip=["id"])
        self._set_state = text.sql(_SET_STATE)

    # --- pairs and what is known of them -----------------------------------------------------

    def pairs(self) -> list[Pair]:
        """Every mapped pair, by room."""
        sql = f"SELECT {PAIR_COLUMNS} FROM pair WHERE removed IS NULL ORDER BY room_id"
        with self._db.read() as connection:
            return [pair_of(row) for row in connection.exec_driver_sql(sql)]

    def states(self) -> dict[str, RoomState]:
        """By pair id; one for every mapped pair."""
        sql = f"SELECT {ROOM_STATE_COLUMNS} FROM room_sync"
        with self._db.read() as connection:
            found = [room_state_of(row) for row in connection.exec_driver_sql(sql)]
        return {state.pair_id: state for state in found}

    def claim(self, pair_id: str, owner: str) -> int:
        """Take the room's lease; the new fencing number. Whoever held it can commit no more.

        Raises StoreError where the pair is not mapped (any more).
        """
        until = micros(self._clock.now() + LEASE)
        sql = self._sql(
            "UPDATE room_sync SET fence = fence + 1, lease_owner = ?, lease_until = ?"
            " WHERE pair_id = ? RETURNING fence"
        )
        with self._db.write() as connection:
            fence = connection.exec_driver_sql(sql, (owner, until, pair_id)).scalar()
        if fence is None:
            raise StoreError(
                "this room is not mapped",
                where=f"pair {pair_id}",
                todo="Map it with: calsync rooms map",
            )
        return int(fence)

    def save_states(self, states: Sequence[RoomState], fences: Mapping[str, int]) -> set[str]:
        """Store several room states at once; of one without a fence it is kept what went wrong.
        Left out, and given back, are those that were taken over, mapped otherwise or unmapped."""
        if not states:
            return set()
        put = f"{self._set_state} AND {self._sql('fence = ?')}"
        wrong = self._sql("UPDATE room_sync SET failures = ?, error = ? WHERE pair_id = ?")
        held = [state for state in states if state.pair_id in fences]
        failed = [(s.failures, s.error, s.pair_id) for s in states if s.pair_id not in fences]
        with self._db.write() as connection:
            found = connection.exec_driver_sql("SELECT pair_id, fence FROM room_sync").all()
            valid = {str(row[0]): int(row[1]) for row in found}
            lost = {s.pair_id for s in held if valid.get(s.pair_id) != fences[s.pair_id]}
            ours = [state for state in held if state.pair_id not in lost]
            run_many(connection, put, [(*_state_row(s), fences[s.pair_id]) for s in ours])
            run_many(connection, wrong, failed)
        return lost

    # --- links -------------------------------------------------------------------------------

    def links(self, pair_id: str) -> list[Link]:
        """All links of the pair, buried ones included."""
        return self._select_links("WHERE pair_id = ?", (pair_id,))

    def links_by_key(self, pair_id: str, side: Side, keys: Sequence[str]) -> list[Link]:
        """The links whose half on ``side`` has one of these keys, in no order."""
        column = "booking_key" if side is Side.BOOKING else "event_key"
        return self._select_links_in(f"pair_id = ? AND {column}", (pair_id,), keys)

    def links_by_id(self, ids: Sequence[str]) -> list[Link]:
        """The links with these ids, in no order; unknown ids are left out."""
        return self._select_links_in("id", (), ids)

    def links_by_uid(self, pair_id: str, side: Side, uids: Sequence[str]) -> list[Link]:
        """Links not buried whose item on ``side`` has one of these global ids, in no order."""
        column = "booking_uid" if side is Side.BOOKING else "event_uid"
        before = f"pair_id = ? AND state <> 'buried' AND {column}"
        return self._select_links_in(before, (pair_id,), uids)

    def links_asked(
        self, pair_id: str, *, uids: Sequence[str], copies: Sequence[str]
    ) -> list[Link]:
        """Links whose event is a meeting in a person's calendar, buried ones included: those with
        one of these global ids, and those of which the room's own copy has one of these keys."""
        found: dict[str, Link] = {}
        for column, values in (("event_uid", uids), ("event_copy", copies)):
            before = f"pair_id = ? AND {schema.ASKED} AND {column}"
            found |= {one.id: one for one in self._select_links_in(before, (pair_id,), values)}
        return list(found.values())

    def all_asked(self, pair_id: str) -> list[Link]:
        """Links whose event is a meeting in a person's calendar; not buried ones."""
        where = f"WHERE pair_id = ? AND {schema.ASKED} AND state <> 'buried'"
        return self._select_links(where, (pair_id,))

    def links_meeting(self, pair_id: str, span: Interval) -> list[Link]:
        """Links not buried whose extent (first start to last end; endless = open) meets it."""
        return self._select_links(
            "WHERE pair_id = ? AND state <> 'buried' AND starts < ? AND (ends IS NULL OR ends > ?)",
            (pair_id, seconds_up(span.end), seconds_down(span.start)),
        )

    def unsettled(self, pair_id: str) -> list[Link]:
        """Active links about which a decision, or its retry, is due without a new observation."""
        return self._select_links("WHERE pair_id = ? AND unsettled", (pair_id,))

    def future_items(self, pair_id: str, now: datetime) -> int:
        """How many active links still have time to come."""
        sql = self._sql(
            "SELECT count(*) FROM link WHERE pair_id = ? AND state = 'active'"
            " AND starts IS NOT NULL AND (ends IS NULL OR ends > ?)"
        )
        with self._db.read() as connection:
            counted = connection.exec_driver_sql(sql, (pair_id, seconds_down(now))).scalar()
        return int(counted or 0)

    def _select_links(self, where: str, values: tuple[object, ...]) -> list[Link]:
        with self._db.read() as connection:
            rows = connection.exec_driver_sql(self._sql(f"{_LINKS} {where}"), values).all()
        return [link_of(row) for row in rows]

    def _select_links_in(
        self, where: str, values: tuple[object, ...], keys: Sequence[str]
    ) -> list[Link]:
        if not keys:
            return []
        found: list[Link] = []
        with self._db.read() as connection:
            for part in chunks(keys):
                sql = self._sql(f"{_LINKS} WHERE {where} IN ({self._text.marks(len(part))})")
                rows = connection.exec_driver_sql(sql, (*values, *part)).all()
                found.extend(link_of(row) for row in rows)
        return found

    # --- the outbox --------------------------------------------------------------------------

    def open_effects(self, pair_id: str) -> list[OpenEffect]:
        """The pair's effects without a recorded outcome, oldest first."""
        sql = self._sql(
            "SELECT id, pair_id, link_id, kind, revision, key, version, fingerprint"
            " FROM effect WHERE pair_id = ? ORDER BY at, id"
        )
        with self._db.read() as connection:
            rows = connection.exec_driver_sql(sql, (pair_id,)).all()
        return [
            OpenEffect(
                id=id_,
                pair_id=pair,
                link_id=link_id,
                kind=kind,
                revision=revision,
                key=key,
                version=version,
                fingerprint=fingerprint,
            )
            for id_, pair, link_id, kind, revision, key, version, fingerprint in rows
        ]

    # --- the commit --------------------------------------------------------------------------

    def commit(self, commit: Commit) -> None:
        """Store one step of a cycle, whole or not at all.

        Raises StoreError where the fence is not the room's newest (somebody else took the
        room over) or where two links claim one item; nothing was changed then.
        """
        try:
            with self._db.write() as connection:
                self._commit(connection, commit)
        except IntegrityError:
            # A new link may take the key that another one gives up: all are freed before.
            self._commit_freed(commit)

    def _commit_freed(self, commit: Commit) -> None:
        try:
            with self._db.write() as connection:
                self._commit(connection, commit, free=True)
        except IntegrityError as error:
            raise StoreError(
                f"two links claim one item, or a row belongs to no pair: {error.orig}",
                where=f"pair {commit.pair_id}",
                todo="Nothing was changed; the next cycle reads the room again",
            ) from error

    def _commit(self, connection: Connection, commit: Commit, *, free: bool = False) -> None:
        pair_id = commit.pair_id
        self._check_fence(connection, pair_id, commit.fence)
        zone = self._zone(connection, pair_id)
        now = micros(self._clock.now())
        if commit.state is not None:
            run_many(connection, self._set_state, [_state_row(commit.state)])
        if commit.moved_to:
            move(connection, self._sql, commit)
        gone = [(link_id,) for link_id in commit.forget]
        run_many(connection, self._sql("DELETE FROM effect WHERE link_id = ?"), gone)
        run_many(connection, self._sql("DELETE FROM link WHERE id = ?"), gone)
        # Tombstones first: one may give up the key that a living link takes over. A new one may
        # take the former key of a living link, which is therefore freed before.
        ordered = sorted(commit.links, key=lambda link: link.state is not LinkState.BURIED)
        if free or (ordered and ordered[0].state is LinkState.BURIED):
            sql = self._sql("UPDATE link SET booking_key = NULL, event_key = NULL WHERE id = ?")
            living = [(link.id,) for link in ordered if link.state is not LinkState.BURIED]
            run_many(connection, sql, living)
        links = [link_row(link, zone, now) for link in ordered]
        run_many(connection, self._put_link, links)
        settled = [(effect_id,) for effect_id in commit.settled]
        run_many(connection, self._sql("DELETE FROM effect WHERE id = ?"), settled)
        effects = [_effect_row(effect, pair_id, now) for effect in commit.effects]
        run_many(connection, self._put_effect, effects)
        self._put_conflicts(connection, commit, now)
        self.ledger.put(
            connection,
            pair_id,
            zone=zone,
            at=now,
            notices=commit.notices,
            doubtful=commit.doubtful,
        )
        run_many(connection, self._put_audit, [_audit_row(entry) for entry in commit.audit])
        if commit.took_effect:
            rows = former_rows(commit.took_effect, pair_id, zone, now)
            run_many(connection, self._put_former, rows)
        private = [link.id for link in ordered if is_private(link)]
        if private:
            hide_kept(connection, self._text, private)

    def _put_conflicts(self, connection: Connection, commit: Commit, now: int) -> None:
        """A decision that was put off is made again: its conflict is recorded once."""
        known = self._sql(
            "SELECT 1 FROM conflict WHERE link_id = ? AND kind = ? AND policy = ? AND reason = ?"
            " AND COALESCE(winner, '') = ?"
            " AND COALESCE(lost, '') = ? LIMIT 1"
        )
        for conflict in commit.conflicts:
            row = _conflict_row(conflict, commit.pair_id, now)
            same = (row[2], row[4], row[5], row[7], row[6] or "", row[8] or "")
            if connection.exec_driver_sql(known, same).first() is None:
                connection.exec_driver_sql(self._put_conflict, row)

    def _check_fence(self, connection: Connection, pair_id: str, fence: int) -> None:
        # An UPDATE, not a SELECT: on PostgreSQL it also locks the row until the end.
        sql = self._sql("UPDATE room_sync SET fence = fence WHERE pair_id = ? AND fence = ?")
        if connection.exec_driver_sql(sql, (pair_id, fence)).rowcount == 0:
            raise StoreError(
                "this room was taken over by another worker, or unmapped; nothing was changed",
                where=f"pair {pair_id}",
                todo="Nothing to do: whoever holds the room now goes on with it",
            )

    def _zone(self, connection: Connection, pair_id: str) -> str:
        sql = self._sql("SELECT zone FROM pair WHERE id = ?")
        return str(connection.exec_driver_sql(sql, (pair_id,)).scalar_one())

    # --- notices -----------------------------------------------------------------------------

    def claim_notices(
        self, limit: int, *, closed: Collection[str] = frozenset()
    ) -> list[StoredNotice]:
        """The oldest queued notices that are due, moved to SENDING in one transaction."""
        return self.ledger.claim(limit, closed=closed)

    def settle_notice(
        self, notice_id: int, state: NoticeState, reason: str = "", *, wait: float = 0.0
    ) -> None:
        """Record what became of a notice; QUEUED means it may be tried again, in ``wait`` s."""
        self.ledger.settle(notice_id, state, reason, wait=wait)

    def doubt_notices(self, *, start: bool = True) -> int:
        """What was left in SENDING becomes DOUBTFUL; at a ``start`` so does what waits since long
        before. How many."""
        return self.ledger.doubt(start=start)

    def queue_notices(
        self, pair_id: str, notices: Sequence[Notice], *, doubtful: Sequence[Notice] = ()
    ) -> int:
        """Put into the ledger those that it does not hold; how many are to be sent."""
        return self.ledger.queue(pair_id, notices, doubtful=doubtful)

    def coming(self, now: datetime, ahead: timedelta) -> list[tuple[str, int]]:
        """Bookings of the platform that may begin within ``ahead`` of ``now``."""
        return self.ledger.coming(now, ahead)

    def has_live_part(self, pair_id: str, booking: str) -> bool:
        """Whether the booking, or any part of it, is still there."""
        return self.ledger.has_live_part(pair_id, booking)


# --- rows, in the order of the tables --------------------------------------------------------


def _state_row(state: RoomState) -> tuple[object, ...]:
    window = state.window
    return (
        state.calendar_cursor,
        state.booking_cursor,
        None if window is None else micros(window.start),
        None if window is None else micros(window.end),
        state.imported,
        maybe_micros(state.imported_at),
        state.halted,
        state.approved,
        state.failures,
        state.error,
        maybe_micros(state.synced_at),
        maybe_micros(state.woken_at),
        maybe_micros(state.compared_at),
        state.drift,
        state.writes.count,
        maybe_micros(state.writes.since),
        state.others.count,
        maybe_micros(state.others.since),
        "" if state.rejoin is None else state.rejoin.value,
        state.pair_id,
    )


def _effect_row(effect: Effect, pair_id: str, at: int) -> tuple[object, ...]:
    return (
        effect.id,
        pair_id,
        effect.link_id,
        effect.kind.value,
        effect.revision,
        effect.key,
        effect.version,
        effect.fingerprint,
        effect.why,
        at,
    )


def _conflict_row(conflict: Conflict, pair_id: str, at: int) -> tuple[object, ...]:
    return (
        at,
        pair_id,
        conflict.link_id,
        conflict.other_link_id,
        conflict.kind.value,
        conflict.policy,
        None if conflict.winner is None else conflict.winner.value,
        conflict.reason,
        None if conflict.lost is None else dumps(conflict.lost),
        compact(conflict.fields),
    )


def _audit_row(entry: AuditEntry) -> tuple[object, ...]:
    return (
        micros(entry.at),
        entry.pair_id,
        entry.link_id,
        entry.step.value,
        entry.what,
        None if entry.detail is None else compact(entry.detail),
    )
