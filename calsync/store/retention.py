"""Forget on time: first the personal details of what is over, later the links themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from calsync.mapping.fingerprint import dumps, loads
from calsync.model import BOTH_STAY, Occupancy
from calsync.store.codec import micros, seconds_down
from calsync.store.database import Database
from calsync.store.statements import Statements, run_many

#: Rows per transaction: short enough that a cycle never waits long for the write lock.
BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """How many rows lost their details or went."""

    redacted: int = 0
    links: int = 0
    audit: int = 0
    notices: int = 0
    conflicts: int = 0
    requests: int = 0


def purge(db: Database, *, details_before: datetime, links_before: datetime) -> Purged:
    """Drop what is no longer needed. Aware datetimes, ``links_before`` the earlier one.

    * Links that ended before ``details_before`` lose person and titles; their fingerprints
      stay, so nothing looks changed. Notices about them go, and what was kept to be brought
      back; titles of lost versions in old conflicts go.
    * Links that ended before ``links_before`` go, and history older than that.
    """
    details, links = seconds_down(details_before), seconds_down(links_before)
    old = micros(links_before)
    sql = Statements.of(is_sqlite=db.is_sqlite).sql
    redacted = 0
    while count := _redact_links(db, sql, details):
        redacted += count
    while _redact_conflicts(db, sql, micros(details_before)):
        pass
    gone = sql(
        "id IN (SELECT id FROM link WHERE ends < ? OR (starts IS NULL AND stored_at < ?)"
        f" LIMIT {BATCH})"
    )
    notices = sql(
        "id IN (SELECT id FROM notice WHERE state NOT IN ('queued', 'sending')"
        f" AND (ends < ? OR (ends IS NULL AND changed_at < ?)) LIMIT {BATCH})"
    )
    former = sql(f"id IN (SELECT id FROM former WHERE ends < ? OR at < ? LIMIT {BATCH})")
    _delete(db, f"DELETE FROM former WHERE {former}", (details, old))
    aged = f"id IN (SELECT id FROM {{}} WHERE at < ? LIMIT {BATCH})"
    return Purged(
        redacted=redacted,
        links=_delete(db, f"DELETE FROM link WHERE {gone}", (links, old)),
        audit=_delete(db, sql(f"DELETE FROM audit WHERE {aged.format('audit')}"), (old,)),
        notices=_delete(db, f"DELETE FROM notice WHERE {notices}", (details, old)),
        conflicts=_delete(db, sql(f"DELETE FROM conflict WHERE {aged.format('conflict')}"), (old,)),
        requests=_delete(db, sql(f"DELETE FROM request WHERE {aged.format('request')}"), (old,)),
    )


def _delete(db: Database, statement: str, values: tuple[int, ...]) -> int:
    total = 0
    while True:
        with db.write() as connection:
            count = connection.exec_driver_sql(statement, values).rowcount
        total += count
        if count < BATCH:
            return total


def _redact_links(db: Database, sql: Callable[[str], str], ended_before: int) -> int:
    """One batch; how many rows."""
    select = sql(
        "SELECT id, base, booking_seen, event_seen FROM link WHERE NOT redacted AND ends < ?"
        f" LIMIT {BATCH}"
    )
    update = sql(
        "UPDATE link SET base = ?, booking_seen = ?, event_seen = ?, person_name = '',"
        " person_address = '', redacted = TRUE WHERE id = ?"
    )
    with db.write() as connection:
        rows = connection.exec_driver_sql(select, (ended_before,)).all()
        run_many(
            connection,
            update,
            [(_untitled(a), _untitled(b), _untitled(c), link_id) for link_id, a, b, c in rows],
        )
    return len(rows)


def _redact_conflicts(db: Database, sql: Callable[[str], str], before: int) -> int:
    select = sql(
        "SELECT id, lost FROM conflict WHERE at < ? AND lost LIKE ?"
        f" AND (winner IS NOT NULL OR policy = '{BOTH_STAY}') LIMIT {BATCH}"
    )
    with db.write() as connection:
        # As a value: PostgreSQL's driver would read a percent sign in the statement as its own.
        rows = connection.exec_driver_sql(select, (before, '%"title"%')).all()
        run_many(
            connection,
            sql("UPDATE conflict SET lost = ? WHERE id = ?"),
            [(_untitled(lost), id_) for id_, lost in rows],
        )
    return len(rows)


def _untitled(stored: str | None) -> str | None:
    return None if stored is None else dumps(without_titles(loads(stored)))


def without_titles(occupancy: Occupancy) -> Occupancy:
    """The same occupancy with no words of people in it."""
    series = occupancy.recurrence
    if series is not None:
        plain = tuple(replace(override, title=None) for override in series.overrides)
        series = replace(series, overrides=plain)
    return replace(occupancy, title=None, recurrence=series)
