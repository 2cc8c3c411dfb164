"""APScheduler's part: a handful of housekeeping jobs that wake the control loop.

Not one job a room, and no persistent job store: durability lives in our own tables. Its
defaults drop jobs that start more than a second late; ``misfire_grace_time=None`` does not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Protocol

from apscheduler.schedulers.background import BackgroundScheduler

from calsync.errors import StoreError
from calsync.worker.control import Worker
from calsync.worker.memory import SWEEP_EVERY, sweep

log = logging.getLogger("calsync.worker")

#: Seconds between two looks at the rooms of a platform that is polled.
_ROOMS_EVERY = 900.0
#: How long after a start what was missed is made up for: rooms come first.
_AFTER_START = timedelta(minutes=1)


class Nights(Protocol):
    """Remembers over starts when a nightly task was done last."""

    def note(self, what: str) -> None: ...

    def missed(self, what: str, at: time) -> bool: ...


class Triggers:
    """Starts the timed jobs of a worker. ``compare_at``: local time of the nightly compare; the
    purge follows an hour later. What was missed, as calsync did not run then, is done at the start.
    ``rooms``: looks at the platform's rooms, now and every quarter of an hour."""

    def __init__(
        self,
        worker: Worker,
        *,
        tick: float,
        housekeeping: float,
        compare_at: time,
        purge: Callable[[], None],
        nights: Nights,
        rooms: Callable[[], None] | None = None,
    ) -> None:
        self._scheduler = BackgroundScheduler(
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            daemon=True,
        )
        add = self._scheduler.add_job
        add(worker.tick, "interval", seconds=tick, id="tick")
        add(worker.housekeep, "interval", seconds=housekeeping, id="housekeep")
        add(lambda: worker.run_on_control(sweep), "interval", seconds=SWEEP_EVERY, id="sweep")
        purge_at = compare_at.replace(hour=(compare_at.hour + 1) % 24)

        def nightly(what: str, act: Callable[[], None]) -> Callable[[], None]:
            def due() -> None:
                try:
                    act()
                except StoreError:
                    raise
                except Exception:
                    # One row that cannot be read must not end calsync, night by night.
                    log.exception("the nightly %s failed in a way nobody foresaw", what)
                nights.note(what)

            return lambda: worker.run_on_control(due)

        for what, act, at, jitter in (
            ("compare", worker.compare, compare_at, 60),
            ("purge", purge, purge_at, None),
        ):
            job = nightly(what, act)
            add(job, "cron", hour=at.hour, minute=at.minute, jitter=jitter, id=what)
            if nights.missed(what, at):
                add(job, "date", run_date=datetime.now(UTC) + _AFTER_START, id=f"missed {what}")
        if rooms is not None:
            begin = datetime.now(UTC)
            add(rooms, "interval", seconds=_ROOMS_EVERY, id="rooms", next_run_time=begin)

    def start(self) -> None:
        self._scheduler.start()

    def shutdown(self) -> None:
        """End at once; jobs only post messages, so there is nothing to wait for."""
        self._scheduler.shutdown(wait=False)
