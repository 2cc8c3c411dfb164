"""APScheduler's part: a handful of housekeeping jobs that wake the control loop.

Not one job a room, and no persistent job store: durability lives in our own tables. Its
defaults drop jobs that start more than a second late; ``misfire_grace_time=None`` does not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time

from apscheduler.schedulers.background import BackgroundScheduler

from calsync.worker.control import Worker
from calsync.worker.memory import SWEEP_EVERY, sweep

#: Seconds between two looks at the rooms of a platform that is polled.
_ROOMS_EVERY = 900.0


class Triggers:
    """Starts the timed jobs of a worker. ``compare_at``: local time of the nightly compare.
    ``rooms``: looks at the platform's rooms, now and every quarter of an hour."""

    def __init__(
        self,
        worker: Worker,
        *,
        tick: float,
        housekeeping: float,
        compare_at: time,
        purge: Callable[[], None],
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
        add(
            worker.compare,
            "cron",
            hour=compare_at.hour,
            minute=compare_at.minute,
            jitter=60,
            id="compare",
        )
        add(
            lambda: worker.run_on_control(purge),
            "cron",
            hour=(compare_at.hour + 1) % 24,
            minute=compare_at.minute,
            id="purge",
        )

        if rooms is not None:
            begin = datetime.now(UTC)
            add(rooms, "interval", seconds=_ROOMS_EVERY, id="rooms", next_run_time=begin)

    def start(self) -> None:
        self._scheduler.start()

    def shutdown(self) -> None:
        """End at once; jobs only post messages, so there is nothing to wait for."""
        self._scheduler.shutdown(wait=False)
