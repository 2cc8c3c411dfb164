"""Questions of people: what happened to a booking, what waits for me, how much is there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from calsync.mapping.fingerprint import loads
from calsync.model import Conflict, ConflictKind, Link, Notice, Side
from calsync.ports import AuditEntry, AuditStep, NoticeState
from calsync.store.codec import LINK_COLUMNS, instant, link_of
from calsync.store.connection import Connection
from calsync.store.database import Database
from calsync.store.ledger import NOTICE_COLUMNS, notice_of
from calsync.store.statements import Statements

Row = Sequence[Any]

_CONFLICTS = (
    "SELECT id, at, pair_id, kind, link_id, other_link_id, policy, winner, reason, lost, fields"
    " FROM conflict"
)
_NOTICES = f"SELECT {NOTICE_COLUMNS}, reason, queued_at, changed_at FROM notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictRecord:
    """A stored conflict: its number, when it was decided (UTC), and for which pair."""

    id: int
    at: datetime
    pair_id: str
    conflict: Conflict


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRecord:
    """A row of the ledger of notices. Times are UTC."""

    id: int
    pair_id: str
    notice: Notice
    state: NoticeState
    tries: int
    reason: str
    queued_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything known of one link. ``link`` is None where only its history is left."""

    link_id: str
    link: Link | None
    entries: list[AuditEntry]
    conflicts: list[ConflictRecord]
    notices: list[NoticeRecord]
    open_effects: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much of what there is, in one room or in all."""

    active: int = 0
    parked: int = 0
    buried: int = 0
    unsettled: int = 0
    open_effects: int = 0
    conflicts: int = 0
    conflicts_parked: int = 0


class Reports:
    """Read-only queries for the command line, the API and the pages."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._sql = Statements.of(is_sqlite=db.is_sqlite).sql

    def explain(self, key: str) -> list[Story]:
        """The stories of every link that ``key`` names: the id of a link, the key of an event,
        the key of a booking or of one of its parts (``KEY#…``), oldest first. Empty = unknown."""
        with self._db.read() as connection:
            links = {link.id: link for link in self._named(connection, key)}
            ids = list(links) or self._remembered(connection, key)
            return [self._story(connection, link_id, links.get(link_id)) for link_id in ids]

    def conflicts(self, pair_id: str | None = None, *, limit: int = 200) -> list[ConflictRecord]:
        """Newest first; of one pair or of all."""
        with self._db.read() as connection:
            return self._conflicts(connection, "pair_id", pair_id, limit)

    def parked(self, pair_id: str | None = None) -> list[Link]:
        """Links that wait for a person, each with its reason."""
        where, values = _of_pair("state = 'parked'", pair_id)
        with self._db.read() as connection:
            return self._links(connection, where, values)

    def notices(
        self, pair_id: str | None = None, *, state: NoticeState | None = None, limit: int = 200
    ) -> list[NoticeRecord]:
        """The ledger, newest first."""
        where, values = _of_pair("1 = 1" if state is None else "state = ?", pair_id)
        parameters = (*values, limit) if state is None else (state.value, *values, limit)
        sql = self._sql(f"{_NOTICES} WHERE {where} ORDER BY id DESC LIMIT ?")
        with self._db.read() as connection:
            return [_notice_of(row) for row in connection.exec_driver_sql(sql, parameters)]

    def notice_counts(self) -> dict[NoticeState, int]:
        """How many notices are in each state; states without any are left out."""
        with self._db.read() as connection:
            rows = connection.exec_driver_sql("SELECT state, count(*) FROM notice GROUP BY state")
            return {NoticeState(state): count for state, count in rows}

    def counts(self) -> dict[str, Counts]:
        """By pair id; pairs with nothing in them are left out."""
        found: dict[str, dict[str, int]] = {}
        with self._db.read() as connection:
            for sql in _COUNTS:
                for pair_id, name, count in connection.exec_driver_sql(sql):
                    found.setdefault(pair_id, {})[name] = count
        return {pair_id: Counts(**numbers) for pair_id, numbers in found.items()}

    # --- helpers ---------------------------------------------------------------------------

    def _named(self, connection: Connection, key: str) -> list[Link]:
        exact = self._links(
            connection, "id = ? OR event_key = ? OR booking_key = ?", (key, key, key)
        )
        if exact:
            return exact
        # Not LIKE: "_" and "%" are letters like any other in a key.
        part = f"{key}#"
        return self._links(connection, "substr(booking_key, 1, ?) = ?", (len(part), part))

    def _remembered(self, connection: Connection, key: str) -> list[str]:
        """Ids of links that are gone but left a history or a notice."""
        sql = self._sql(
            "SELECT link_id FROM audit WHERE link_id = ?"
            " UNION SELECT link_id FROM notice WHERE booking_key = ?"
        )
        return [str(row[0]) for row in connection.exec_driver_sql(sql, (key, key))]

    def _story(self, connection: Connection, link_id: str, link: Link | None) -> Story:
        audit = self._sql(
            "SELECT at, pair_id, link_id, step, what, detail FROM audit WHERE link_id = ?"
            " ORDER BY at, id"
        )
        effects = self._sql("SELECT kind FROM effect WHERE link_id = ? ORDER BY at, id")
        notices = self._sql(f"{_NOTICES} WHERE link_id = ? ORDER BY id")
        one = (link_id,)
        return Story(
            link_id=link_id,
            link=link,
            entries=[_entry_of(row) for row in connection.exec_driver_sql(audit, one)],
            conflicts=self._conflicts(connection, "link_id", link_id, 1000)[::-1],
            notices=[_notice_of(row) for row in connection.exec_driver_sql(notices, one)],
            open_effects=[str(row[0]) for row in connection.exec_driver_sql(effects, one)],
        )

    def _conflicts(
        self, connection: Connection, column: str, value: str | None, limit: int
    ) -> list[ConflictRecord]:
        where, values = ("1 = 1", ()) if value is None else (f"{column} = ?", (value,))
        sql = self._sql(f"{_CONFLICTS} WHERE {where} ORDER BY id DESC LIMIT ?")
        return [_conflict_of(row) for row in connection.exec_driver_sql(sql, (*values, limit))]

    def _links(self, connection: Connection, where: str, values: tuple[object, ...]) -> list[Link]:
        sql = self._sql(f"SELECT {LINK_COLUMNS} FROM link WHERE {where} ORDER BY stored_at, id")
        return [link_of(row) for row in connection.exec_driver_sql(sql, values)]


_COUNTS = (
    "SELECT pair_id, state, count(*) FROM link GROUP BY pair_id, state",
    "SELECT pair_id, 'unsettled', count(*) FROM link WHERE unsettled GROUP BY pair_id",
    "SELECT pair_id, 'open_effects', count(*) FROM effect GROUP BY pair_id",
    "SELECT pair_id, 'conflicts', count(*) FROM conflict GROUP BY pair_id",
    "SELECT pair_id, 'conflicts_parked', count(*) FROM conflict WHERE winner IS NULL"
    " GROUP BY pair_id",
)


def _of_pair(where: str, pair_id: str | None) -> tuple[str, tuple[str, ...]]:
    return (where, ()) if pair_id is None else (f"{where} AND pair_id = ?", (pair_id,))


def _entry_of(row: Row) -> AuditEntry:
    at, pair_id, link_id, step, what, detail = row
    return AuditEntry(
        at=instant(at),
        pair_id=pair_id,
        link_id=link_id,
        step=AuditStep(step),
        what=what,
        detail=None if detail is None else json.loads(detail),
    )


def _conflict_of(row: Row) -> ConflictRecord:
    id_, at, pair_id, kind, link_id, other, policy, winner, reason, lost, fields = row
    return ConflictRecord(
        id=id_,
        at=instant(at),
        pair_id=pair_id,
        conflict=Conflict(
            kind=ConflictKind(kind),
            link_id=link_id,
            other_link_id=other,
            policy=policy,
            winner=None if winner is None else Side(winner),
            reason=reason,
            lost=None if lost is None else loads(lost),
            fields=tuple(json.loads(fields)),
        ),
    )


def _notice_of(row: Row) -> NoticeRecord:
    reason, queued_at, changed_at = row[-3:]
    return NoticeRecord(
        id=row[0],
        pair_id=row[1],
        notice=notice_of(row),
        state=NoticeState(row[2]),
        tries=row[3],
        reason=reason,
        queued_at=instant(queued_at),
        changed_at=instant(changed_at),
    )
