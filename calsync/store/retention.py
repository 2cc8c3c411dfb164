"""Forget on time: first the personal details of what is over, later the links themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from calsync.mapping.fingerprint import dumps, loads
from calsync.model import BOTH_STAY, Occupancy
from calsync.ports import AuditStep
from calsync.store.codec import micros, seconds_down
from calsync.store.connection import Connection, Row
from calsync.store.database import Database
from calsync.store.statements import Statements, run_many
from calsync.store.words import occupancies

#: Rows per transaction: short enough that a cycle never waits long for the write lock.
BATCH = 1000

#: What history says of a booking whose details went: why no name is shown, and the proof that the
#: purge ran.
FORGOTTEN = "retention: its person, titles and notices were forgotten, as their time was over"

#: Of a booking that is no more, the details are needed no longer either.
_DEAD = "status NOT IN ('pending', 'confirmed')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """How many rows lost their details or went."""

    redacted: int = 0
    bookings: int = 0
    links: int = 0
    audit: int = 0
    notices: int = 0
    conflicts: int = 0
    requests: int = 0


def purge(
    db: Database,
    *,
    details_before: datetime,
    links_before: datetime,
    now: datetime | None = None,
) -> Purged:
    """Drop what is no longer needed. Aware datetimes, ``links_before`` the earlier one.

    * Links and bookings that ended, or were given up, before ``details_before`` lose person and
      titles; their fingerprints stay, so nothing looks changed. Notices about them go, and what
      was kept to be brought back; titles of lost versions in old conflicts go. Of what has no
      end, that is counted from the notice, or the change, itself.
    * Links that ended before ``links_before`` go, and history older than that.

    ``now``: when the history of each link says so; None: it says nothing.
    """
    details, links = seconds_down(details_before), seconds_down(links_before)
    recent, old = micros(details_before), micros(links_before)
    sql = Statements.of(is_sqlite=db.is_sqlite).sql
    redacted = bookings = 0
    while count := _redact_links(db, sql, details, recent, now):
        redacted += count
    while count := _redact_bookings(db, sql, recent):
        bookings += count
    while _redact_conflicts(db, sql, recent):
        pass
    gone = sql(
        "id IN (SELECT id FROM link WHERE ends < ? OR (starts IS NULL AND stored_at < ?)"
        f" LIMIT {BATCH})"
    )
    notices = sql(
        "id IN (SELECT id FROM notice WHERE state NOT IN ('queued', 'sending')"
        f" AND (ends < ? OR (ends IS NULL AND changed_at < ?)) LIMIT {BATCH})"
    )
    former = sql(
        "id IN (SELECT id FROM former WHERE ends < ? OR (ends IS NULL AND at < ?) OR at < ?"
        f" LIMIT {BATCH})"
    )
    _delete(db, f"DELETE FROM former WHERE {former}", (details, recent, old))
    aged = f"id IN (SELECT id FROM {{}} WHERE at < ? LIMIT {BATCH})"
    return Purged(
        redacted=redacted,
        bookings=bookings,
        links=_delete(db, f"DELETE FROM link WHERE {gone}", (links, old)),
        audit=_delete(db, sql(f"DELETE FROM audit WHERE {aged.format('audit')}"), (old,)),
        notices=_delete(db, f"DELETE FROM notice WHERE {notices}", (details, recent)),
        conflicts=_delete(db, sql(f"DELETE FROM conflict WHERE {aged.format('conflict')}"), (old,)),
        requests=_delete(db, sql(f"DELETE FROM request WHERE {aged.format('request')}"), (old,)),
    )


def sweep(db: Database) -> bool:
    """Let what was forgotten leave the database's files, too; False where others use it just now.

    The first time the whole file is written anew: one that an older calsync filled has free pages
    with what was deleted then.
    """
    sql = Statements.of(is_sqlite=db.is_sqlite).sql
    key = ("swept",)
    with db.read() as connection:
        known = connection.exec_driver_sql(sql("SELECT 1 FROM meta WHERE key = ?"), key).first()
    if not db.scrub(whole=known is None):
        return False
    if known is None:
        insert = sql("INSERT INTO meta (key, value) VALUES (?, 'whole') ON CONFLICT DO NOTHING")
        with db.write() as connection:
            connection.exec_driver_sql(insert, key)
    return True


def _delete(db: Database, statement: str, values: tuple[int, ...]) -> int:
    total = 0
    while True:
        with db.write() as connection:
            count = connection.exec_driver_sql(statement, values).rowcount
        total += count
        if count < BATCH:
            return total


def _redact_links(
    db: Database,
    sql: Callable[[str], str],
    ended_before: int,
    buried_before: int,
    now: datetime | None,
) -> int:
    """One batch; how many rows."""
    select = sql(
        f"SELECT pair_id, id, {', '.join(occupancies('link'))} FROM link WHERE NOT redacted"
        f" AND (ends < ? OR (state = 'buried' AND stored_at < ?)) LIMIT {BATCH}"
    )
    with db.write() as connection:
        rows = connection.exec_driver_sql(select, (ended_before, buried_before)).all()
        redact_links(connection, sql, [row[1:] for row in rows])
        if now is not None:
            note(connection, sql, [(row[0], row[1]) for row in rows], FORGOTTEN, now)
    return len(rows)


def redact_links(connection: Connection, sql: Callable[[str], str], rows: Sequence[Row]) -> None:
    """Take person and titles from links. Rows: the id, and every occupancy of the link."""
    sets = "".join(f"{name} = ?, " for name in occupancies("link"))
    update = sql(
        f"UPDATE link SET {sets}person_name = '', person_address = '', organizer = '',"
        " redacted = TRUE WHERE id = ?"
    )
    bare = [(*(untitled(text) for text in seen), link_id) for link_id, *seen in rows]
    run_many(connection, update, bare)


def note(
    connection: Connection,
    sql: Callable[[str], str],
    links: list[tuple[str, str]],
    what: str,
    now: datetime,
) -> None:
    """A line in the history of each link (pair_id, link_id)."""
    insert = sql(
        "INSERT INTO audit (at, pair_id, link_id, step, what, detail) VALUES (?, ?, ?, ?, ?, NULL)"
    )
    at, step = micros(now), AuditStep.DECISION.value
    run_many(connection, insert, [(at, pair_id, link_id, step, what) for pair_id, link_id in links])


def _redact_bookings(db: Database, sql: Callable[[str], str], before: int) -> int:
    """The platform's own bookings, like links. One batch; how many rows."""
    select = sql(
        f"SELECT id, content FROM hub_booking WHERE (last_end < ? OR ({_DEAD} AND modified < ?))"
        f" AND (person_name != '' OR person_address != '' OR content LIKE ?) LIMIT {BATCH}"
    )
    update = sql(
        "UPDATE hub_booking SET content = ?, person_name = '', person_address = '' WHERE id = ?"
    )
    with db.write() as connection:
        rows = connection.exec_driver_sql(select, (before, before, '%"title"%')).all()
        run_many(connection, update, [(untitled(content), id_) for id_, content in rows])
    return len(rows)


def _redact_conflicts(db: Database, sql: Callable[[str], str], before: int) -> int:
    """Those that were decided; and those that wait for an answer about what is over."""
    select = sql(
        "SELECT id, lost FROM conflict WHERE at < ? AND lost LIKE ? AND (winner IS NOT NULL"
        f" OR policy = '{BOTH_STAY}'"
        " OR NOT EXISTS (SELECT 1 FROM link WHERE link.id = conflict.link_id AND NOT redacted))"
        f" LIMIT {BATCH}"
    )
    with db.write() as connection:
        # As a value: PostgreSQL's driver would read a percent sign in the statement as its own.
        rows = connection.exec_driver_sql(select, (before, '%"title"%')).all()
        run_many(
            connection,
            sql("UPDATE conflict SET lost = ? WHERE id = ?"),
            [(untitled(lost), id_) for id_, lost in rows],
        )
    return len(rows)


def untitled(stored: str | None) -> str | None:
    """A stored occupancy without its titles."""
    if stored is None or '"title"' not in stored:
        return stored
    return dumps(without_titles(loads(stored)))


def without_titles(occupancy: Occupancy) -> Occupancy:
    """The same occupancy with no words of people in it."""
    series = occupancy.recurrence
    if series is not None:
        plain = tuple(replace(override, title=None) for override in series.overrides)
        series = replace(series, overrides=plain)
    return replace(occupancy, title=None, recurrence=series)
