"""Room feeds in SQL. Keeps the Protocol of ``calsync.adapters.feeds.keys``."""

from __future__ import annotations

from calsync.mapping.feed_values import RoomFeed
from calsync.store import schema as t
from calsync.store.codec import instant, maybe_instant, maybe_micros, micros
from calsync.store.connection import Row
from calsync.store.database import Database
from calsync.store.statements import Statements, select_all

_FEEDS = select_all(t.room_feed)


class SqlFeedStore:
    """Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._db = database
        text = Statements.of(is_sqlite=database.is_sqlite)
        self._put = text.upsert(t.room_feed)
        self._one = text.sql(f"{_FEEDS} WHERE id = ?")

    def feeds(self) -> list[RoomFeed]:
        """Oldest first, revoked ones included."""
        with self._db.glance() as c:
            rows = c.exec_driver_sql(f"{_FEEDS} ORDER BY created, id").all()
        return [_feed(row) for row in rows]

    def feed(self, feed_id: str) -> RoomFeed | None:
        with self._db.glance() as c:
            row = c.exec_driver_sql(self._one, (feed_id,)).first()
        return None if row is None else _feed(row)

    def put(self, feed: RoomFeed) -> None:
        values = (
            *(feed.id, feed.room_id, feed.name, feed.secret_hash, feed.details),
            *(micros(feed.created), maybe_micros(feed.revoked)),
        )
        with self._db.write() as c:
            c.exec_driver_sql(self._put, values)


def _feed(row: Row) -> RoomFeed:
    feed_id, room_id, name, secret_hash, details, created, revoked = row
    return RoomFeed(
        id=feed_id,
        room_id=room_id,
        name=name,
        secret_hash=secret_hash,
        details=bool(details),
        created=instant(created),
        revoked=maybe_instant(revoked),
    )
