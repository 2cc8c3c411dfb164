"""What admins asked for in another process, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from calsync.ports import Clock, Request
from calsync.store.codec import compact, instant, micros
from calsync.store.database import Database
from calsync.store.statements import Statements

Row = Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """``state``: open, done or failed; ``result`` says what became of it."""

    request: Request
    at: datetime
    state: str
    result: str


class SqlRequests:
    """The implementation of :class:`calsync.ports.Requests`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._sql = Statements.of(is_sqlite=db.is_sqlite).sql

    def ask(self, pair_id: str, what: str, detail: Mapping[str, Any]) -> int:
        """Ask for something; its number."""
        now = micros(self._clock.now())
        sql = self._sql(
            "INSERT INTO request (at, pair_id, what, detail, state, result, changed_at)"
            " VALUES (?, ?, ?, ?, 'open', '', ?) RETURNING id"
        )
        with self._db.write() as connection:
            values = (now, pair_id, what, compact(detail), now)
            return int(connection.exec_driver_sql(sql, values).scalar_one())

    def waiting(self) -> set[str]:
        sql = "SELECT DISTINCT pair_id FROM request WHERE state = 'open'"
        with self._db.read() as connection:
            return {str(pair_id) for pair_id in connection.exec_driver_sql(sql).scalars()}

    def of(self, pair_id: str) -> list[Request]:
        return [
            stored.request for stored in self._stored("state = 'open' AND pair_id = ?", pair_id)
        ]

    def find(self, number: int) -> StoredRequest | None:
        """One request by its number."""
        return next(iter(self._stored("id = ?", number)), None)

    def settle(self, request: Request, result: str, *, done: bool) -> None:
        now = micros(self._clock.now())
        sql = self._sql("UPDATE request SET state = ?, result = ?, changed_at = ? WHERE id = ?")
        decide = self._sql(
            "UPDATE conflict SET winner = ?, policy = 'admin' WHERE id = ? AND winner IS NULL"
        )
        with self._db.write() as connection:
            state = "done" if done else "failed"
            connection.exec_driver_sql(sql, (state, result, now, request.id))
            winner = request.detail.get("winner_side")
            for number in request.detail.get("conflicts", ()) if done and winner else ():
                connection.exec_driver_sql(decide, (winner, number))

    def _stored(self, where: str, value: object) -> list[StoredRequest]:
        sql = self._sql(
            f"SELECT id, at, pair_id, what, detail, state, result FROM request WHERE {where}"
            " ORDER BY id"
        )
        with self._db.read() as connection:
            rows = connection.exec_driver_sql(sql, (value,)).all()
        return [
            StoredRequest(
                request=Request(id=id_, pair_id=pair_id, what=what, detail=json.loads(detail)),
                at=instant(at),
                state=state,
                result=result,
            )
            for id_, at, pair_id, what, detail, state, result in rows
        ]
