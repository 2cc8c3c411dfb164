"""One soak: two hundred rooms, people on both sides, faults, real time; measured from outside."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from calsync.demo.driver import as_room
from calsync.demo.judge import Report, judge
from calsync.demo.main import gather, look_at_idleness, note_seeded
from calsync.demo.measure import carried
from calsync.demo.stage import Cast, StageError
from calsync.demo.story import stories
from calsync.demo.watcher import HubTables
from calsync.sandbox.people import People
from soak.crowd import Crowd
from soak.doubts import doubts
from soak.faults import arm, mixed
from soak.samples import Differing, Sample, backlog, process, rooms_in_trouble, size_mb
from soak.site import Site
from soak.watch import Always, Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``per_room_hour``: acts of people, on either side. Polls in seconds, samples too."""

    minutes: float
    rooms: int = 200
    per_room_hour: float = 50.0
    faults: float = 0.05
    seed: int = 1
    poll_floor: float = 3.0
    poll_ceiling: float = 6.0
    every: float = 5.0
    rest_limit: float = 600.0
    keep: Path | None = None


@dataclass(slots=True, kw_only=True)
class Course:
    """What a run gave. ``carried``: for each act that was carried, when (s) and how long (ms).
    ``calls_before``: of the import."""

    plan: Plan
    samples: list[Sample] = field(default_factory=list)
    carried: list[tuple[float, str, float]] = field(default_factory=list)
    verdict: Report = field(default_factory=dict)
    import_s: float = 0.0
    calls_before: int = 0
    start_s: float = 0.0
    rest_s: float = 0.0
    rested: bool = False
    faults: dict[str, int] = field(default_factory=dict)
    always: list[str] = field(default_factory=list)
    log_troubles: int = 0
    rooms_in_trouble: list[str] = field(default_factory=list)


def soak(plan: Plan, say: Callable[[str], None]) -> Course:
    """Raises StageError where a process died."""
    cast = Cast(
        seed=plan.seed,
        rooms=plan.rooms,
        poll_floor=plan.poll_floor,
        poll_ceiling=plan.poll_ceiling,
    )
    course = Course(plan=plan)
    with Site(cast, plan.keep) as site:
        _run(plan, site, course, say)
    return course


def _run(plan: Plan, site: Site, course: Course, say: Callable[[str], None]) -> None:
    since = datetime.now(UTC).replace(minute=7, second=0, microsecond=0) - timedelta(hours=1)
    begun = time.monotonic()
    course.start_s = site.start()
    people = People(plan.seed, site.rooms, site.persons, datetime.now(UTC).date())
    watcher = Observer(
        [as_room(room) for room in site.rooms],
        sandbox=site.open_sandbox,
        platform=site.open_platform,
        tables=HubTables(site.database),
        since=since,
        every=0.5,
        stale=60.0,
    )
    watcher.differing = Differing()
    note_seeded(site, people, since)
    if not watcher.wait_for_rest(still=plan.poll_ceiling, limit=300):
        raise StageError(f"the first import did not end: {site.log_of('serve')}")
    course.import_s = time.monotonic() - begun
    say(f"{plan.rooms} rooms imported after {course.import_s:.0f} s; people act from now on")
    crowd, always = Crowd(people, site), Always(watcher, site.open_sandbox())
    always.look()
    course.calls_before = always.calls
    arm(site, mixed(plan.faults))
    watcher.start()
    began = datetime.now(UTC)
    _act(plan, site, watcher, crowd, always, course, say)
    seconds = (datetime.now(UTC) - began).total_seconds()
    course.faults = site.sandbox.control("GET", "faults")["fired"]
    site.sandbox.control("DELETE", "faults")
    watcher.stop()
    crowd.close()
    say("healed; coming to rest")
    healed = time.monotonic()
    course.rested = watcher.wait_for_rest(still=1.5 * plan.poll_ceiling, limit=plan.rest_limit)
    course.rest_s = time.monotonic() - healed
    idle = look_at_idleness(watcher, 3 * plan.poll_ceiling)
    always.look(most=plan.rooms)
    course.always = always.violations
    site.check()
    say("judging")
    records = gather(site, watcher, idle, seconds=seconds, rested=course.rested)
    records.flagged = watcher.tables.flagged()
    records.doubts = doubts(records)
    course.verdict = judge(records)
    course.verdict["notices"]["flagged"] = len(records.flagged)
    course.carried = [
        ((act.at - began).total_seconds(), act.side, ms) for act, ms in carried(stories(records))
    ]
    site.send(signal.SIGTERM)
    site.bury()
    course.rooms_in_trouble = rooms_in_trouble(site.database)
    text = (site.folder / "serve.log").read_text(encoding="utf-8", errors="replace")
    course.log_troubles = text.count("Traceback (most recent call last)")
    course.log_troubles += text.count("unforeseen")


def _act(
    plan: Plan,
    site: Site,
    watcher: Observer,
    crowd: Crowd,
    always: Always,
    course: Course,
    say: Callable[[str], None],
) -> None:
    """People act on a thread of their own; this one takes samples."""
    stop, failed = Event(), list[BaseException]()

    def play() -> None:
        try:
            crowd.run(
                plan.minutes * 60, per_second=plan.rooms * plan.per_room_hour / 3600, stop=stop
            )
        except BaseException as error:  # handed to the main thread
            failed.append(error)

    thread = Thread(target=play, name="people", daemon=True)
    begun = time.monotonic()
    thread.start()
    said = begun
    try:
        while thread.is_alive():
            thread.join(plan.every)
            site.check()
            for trouble in (watcher.failure, *failed):
                if trouble is not None:
                    raise trouble
            always.look()
            made = _sample(site, watcher, always, time.monotonic() - begun)
            course.samples.append(made)
            if time.monotonic() - said >= 60:
                said = time.monotonic()
                say(progress(made))
    finally:
        stop.set()
        thread.join(60)


def _sample(site: Site, watcher: Observer, always: Always, at: float) -> Sample:
    found, open_now = process(site.pid), backlog(site.database)
    differing, oldest = watcher.differing.now()
    with watcher.lock:
        acts = sum(
            line["kind"] == "act" and line["accepted"] and line["did"] != "seeded"
            for line in watcher.seen.log
        )
    return Sample(
        at=round(at, 2),
        rss_mb=found.rss_mb,
        anon_mb=found.anon_mb,
        files=found.files,
        threads=found.threads,
        cpu_s=found.cpu_s,
        database_mb=size_mb(site.database),
        wal_mb=size_mb(Path(f"{site.database}-wal")),
        open_effects=open_now.open_effects,
        unsettled=open_now.unsettled,
        pending=open_now.pending,
        halted=open_now.halted,
        oldest_s=round(oldest, 1),
        differing=differing,
        acts=acts,
        calls=always.calls,
        errors=always.errors,
        violations=len(always.violations),
    )


def progress(one: Sample) -> str:
    return (
        f"{one.at / 60:5.1f} min  RSS {one.rss_mb:.1f} MB  database {one.database_mb:.1f}"
        f" + {one.wal_mb:.1f} MB  files {one.files}  acts {one.acts}  calls {one.calls}"
        f" ({one.errors} failed)  open {one.open_effects}/{one.unsettled}"
        f"  rooms that differ {one.differing}, longest {one.oldest_s:.0f} s"
        f"  halted {one.halted}  violations {one.violations}"
    )
