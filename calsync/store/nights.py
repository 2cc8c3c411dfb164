"""When what is done every night was done last: a calsync that did not run at that hour makes up for
it. (The scheduler remembers nothing over a start.)"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from calsync.ports import Clock
from calsync.store.codec import instant, micros
from calsync.store.database import Database
from calsync.store.statements import Statements

#: The scheduler begins up to a minute early, so that not all the world asks at the same second.
_EARLY = timedelta(minutes=2)


class Nights:
    """Safe to share between threads. ``what`` names a task."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._sql = Statements.of(is_sqlite=db.is_sqlite).sql

    def note(self, what: str) -> None:
        """It is done now."""
        put = self._sql(
            "INSERT INTO meta (key, value) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        )
        with self._db.write() as connection:
            connection.exec_driver_sql(put, (_key(what), str(micros(self._clock.now()))))

    def missed(self, what: str, at: time) -> bool:
        """Whether it was not done when it was due last (``at``, this machine's local time). What
        was never due before is noted, and due the next time."""
        with self._db.read() as connection:
            sql = self._sql("SELECT value FROM meta WHERE key = ?")
            found = connection.exec_driver_sql(sql, (_key(what),)).scalar()
        if found is None:
            self.note(what)
            return False
        now = self._clock.now()
        done = instant(int(found))
        # One that lies ahead is of a time when the clock was wrong.
        return not _due_last(now, at) - _EARLY <= done <= now


def _due_last(now: datetime, at: time) -> datetime:
    local = now.astimezone()
    today = local.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    return today if today <= local else today - timedelta(days=1)


def _key(what: str) -> str:
    return f"done last, {what}"
