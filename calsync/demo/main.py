"""``calsync demo``: set the stage, let people act, wait for rest, judge, report."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import SystemRandom
from threading import Event, Thread
from types import FrameType
from typing import NoReturn

from rich.console import Console
from rich.live import Live

from calsync.demo.driver import Driver, as_room
from calsync.demo.judge import Report, judge
from calsync.demo.records import Idle, Image, Records, calendar_images
from calsync.demo.stage import EXCHANGES, Cast, Stage, StageError
from calsync.demo.view import View, summary
from calsync.demo.watcher import AHEAD, HubTables, Watcher
from calsync.errors import UsageError
from calsync.sandbox.people import People
from calsync.sandbox.wishes import Known, Shape

DEFAULT_SECONDS, DEFAULT_ROOMS = 60.0, 8
#: The bound on coming to rest, in seconds.
REST_S = 60.0
_IMPORT_S = 120.0
INTERRUPTED = 130


def run_demo(
    *,
    seconds: float = DEFAULT_SECONDS,
    seed: int | None = None,
    rooms: int = DEFAULT_ROOMS,
    headless: bool = False,
    report: Path | None = None,
    keep: Path | None = None,
    as_json: bool = False,
    faults: float = 0.0,
    events_per_room: int = 4,
    pace: float | None = None,
    exchange: str = "graph",
) -> int:
    """Run the main job before the eyes of whoever started it; the exit status.

    ``seconds``: how long people act; coming to rest and the look at idleness come after.
    ``seed`` None: a random one, which is printed. ``keep``: a folder for database, settings and
    logs, which are then left there. ``as_json``: print the report as JSON instead of words.
    ``faults``: share of calls that the tenant throttles. ``pace``: acts a second; None: as many
    as fit the number of rooms. ``exchange``: one of ``stage.EXCHANGES``. 0 only where the verdict
    is in order.
    """
    console = Console(stderr=as_json)
    if report is not None:
        try:
            report.touch()
        except OSError as error:
            raise UsageError(
                f"the report cannot be written: {error.strerror}",
                where=str(report),
                todo="Make its folder, or name another file with --report",
            ) from error
    seed = SystemRandom().randrange(1, 1_000_000) if seed is None else seed
    cast = Cast(
        seed=seed, rooms=rooms, events_per_room=events_per_room, faults=faults, exchange=exchange
    )
    console.print(f"calsync demo: seed {seed}, {rooms} rooms, {seconds:g} s, exchange {exchange}")
    try:
        with _stoppable():
            live = not headless and not as_json
            made = _run(cast, seconds, console, live=live, keep=keep, pace=pace or _pace(rooms))
    except KeyboardInterrupt:
        console.print("Interrupted; everything was stopped.")
        return INTERRUPTED
    except (RuntimeError, OSError) as error:  # a process that died, and what clients say of it
        console.print(f"The demo could not run: {error}", style="red", markup=False)
        return 1
    if report is not None:
        report.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    if as_json:
        sys.stdout.write(json.dumps(made, indent=2) + "\n")
    else:
        console.print(summary(made))
        for line in made["details"][:50]:
            console.print(f"  {line}", style="red", markup=False)
    return 0 if made["ok"] else 1


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM and SIGHUP end the run as Ctrl-C does, so that no process stays behind."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    try:
        old = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    except ValueError:  # not on the main thread: a test
        old = {}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _pace(rooms: int) -> float:
    """Acts a second: enough for something to be seen, few enough to be read."""
    return min(8.0, max(1.5, rooms / 4))


def _run(
    cast: Cast, seconds: float, console: Console, *, live: bool, keep: Path | None, pace: float
) -> Report:
    with Stage(cast, keep) as stage:
        # An hour ago, on no half hour: no meeting begins or ends there.
        since = datetime.now(UTC).replace(minute=7, second=0, microsecond=0) - timedelta(hours=1)
        people = People(cast.seed, stage.rooms, stage.persons, datetime.now(UTC).date())
        rooms = [as_room(room) for room in stage.rooms]
        stage.serve()
        watcher = Watcher(
            rooms,
            sandbox=stage.open_sandbox,
            platform=stage.open_platform,
            tables=HubTables(stage.database),
            since=since,
        )
        note_seeded(stage, people, since)
        if not watcher.wait_for_rest(still=0.5, limit=_IMPORT_S):
            raise StageError(f"the first import did not end: {stage.log_of('serve')}")
        driver = Driver(people, sandbox=stage.open_sandbox, platform=stage.open_platform)
        view = View(watcher, seed=cast.seed, seconds=seconds)
        watcher.start()
        try:
            with Live(view, console=console, screen=True, refresh_per_second=4) if live else _no():
                _act(driver, stage, watcher, view, seconds=seconds, pace=pace)
                watcher.stop()
                view.phase = "coming to rest"
                rested = watcher.wait_for_rest(still=1.5 * cast.poll_ceiling, limit=REST_S)
                view.phase = "looking whether anything is written while nobody acts"
                idle = look_at_idleness(watcher, 3 * cast.poll_ceiling + 0.5)
                stage.check()
                records = gather(stage, watcher, idle, seconds=seconds, rested=rested)
        finally:
            watcher.stop()
            driver.close()
        if keep is not None:
            lines = "".join(f"{json.dumps(line)}\n" for line in records.log)
            (keep / "acts.jsonl").write_text(lines, encoding="utf-8")
        made = judge(records)
        took = stage.stop("serve")
        made["serve_stopped_in_s"] = round(took, 2)
        return made


@contextmanager
def _no() -> Iterator[None]:
    yield


def note_seeded(stage: Stage, people: People, since: datetime) -> None:
    """Put what was in the calendars before calsync was into the log, and into people's minds."""
    facts = {room.id: room for room in stage.rooms}
    number = 0
    for room in (as_room(one) for one in stage.rooms):
        rows = stage.sandbox.instances(room.mailbox, since, since + AHEAD)
        for image in calendar_images(room, rows):
            number += 1
            now = image.state
            stage.sandbox.note(
                who="people",
                kind="act",
                side="outlook",
                did="seeded",
                booking=f"s{number}",
                room=room.id,
                uid=image.key,
                accepted=True,
                op={"set": list(now.values())},
            )
            shape = Shape(datetime.min, datetime.min, "")  # noqa: DTZ901  # never looked at: retired
            people.add(Known(f"s{number}", facts[room.id], "invite", "", shape, now, image.key))


def _act(
    driver: Driver, stage: Stage, watcher: Watcher, view: View, *, seconds: float, pace: float
) -> None:
    """People act on a thread of their own, so that a Ctrl-C is heard at once."""
    stop, failed = Event(), list[BaseException]()

    def play() -> None:
        try:
            driver.run(seconds, per_second=pace, stop=stop)
        except BaseException as error:  # handed to the main thread
            failed.append(error)

    view.phase = "people act"
    begun = time.monotonic()
    thread = Thread(target=play, name="people")
    thread.start()
    moved = False
    try:
        while thread.is_alive():
            thread.join(0.2)
            view.elapsed = time.monotonic() - begun
            stage.check()
            if not moved and view.elapsed > seconds / 2:
                moved, count = True, stage.move_mailboxes()
                if count:
                    view.phase = f"people act; {count} mailbox(es) moved to the cloud"
            if watcher.failure is not None:
                raise watcher.failure
    finally:
        stop.set()
        thread.join(60)
    if failed:
        raise failed[0]


def look_at_idleness(watcher: Watcher, seconds: float) -> Idle:
    """Nobody acts for so long: what calsync writes all the same."""
    watcher.look()
    writes, lines = watcher.seen.writes, len(watcher.seen.feed)
    begun = time.monotonic()
    time.sleep(seconds)
    watcher.look(whole=True)
    return Idle(
        seconds=time.monotonic() - begun,
        app_writes=watcher.seen.writes - writes,
        feed_lines=len(watcher.seen.feed) - lines,
    )


def gather(stage: Stage, watcher: Watcher, idle: Idle, *, seconds: float, rested: bool) -> Records:
    """Everything the judge is told."""
    views = watcher.seen.rooms.values()
    tables = HubTables(stage.database)
    calendar: list[Image] = [image for view in views for image in view.calendar]
    platform: list[Image] = [image for view in views for image in view.platform]
    return Records(
        seed=stage.cast.seed,
        seconds=seconds,
        rooms=[view.room for view in views],
        log=stage.sandbox.since("log", 0),
        calendar=calendar,
        platform=platform,
        rows=tables.rows(),
        feed=tables.feed(),
        mails=stage.sandbox.since("mails", 0),
        calls=stage.sandbox.since("calls/log", 0),
        throttled=int(stage.sandbox.control("GET", "calls")["throttled"]),
        idle=idle,
        rested=rested,
    )


def main(arguments: list[str] | None = None) -> int:
    """``python -m calsync.demo``."""
    parser = argparse.ArgumentParser(
        prog="calsync demo",
        description="Show calsync at work: a synthetic company, both sides, and a live view.",
    )
    parser.add_argument("--seconds", type=float, default=DEFAULT_SECONDS)
    parser.add_argument("--seed", type=int, help="default: a random one, which is printed")
    parser.add_argument("--rooms", type=int, default=DEFAULT_ROOMS)
    parser.add_argument("--headless", action="store_true", help="no live view")
    parser.add_argument("--report", type=Path, help="write the report to this file, as JSON")
    parser.add_argument("--json", dest="as_json", action="store_true", help="print the report")
    parser.add_argument(
        "--keep", type=Path, help="leave database, settings and logs in this folder"
    )
    parser.add_argument(
        "--faults", type=float, default=0.0, help="share of calls that are throttled, 0 to 1"
    )
    parser.add_argument("--exchange", choices=EXCHANGES, default="graph", help="where rooms are")
    parser.add_argument("--pace", type=float, help="acts a second; default: by the number of rooms")
    chosen = parser.parse_args(arguments)
    if chosen.rooms < 1 or chosen.seconds <= 0 or not 0 <= chosen.faults < 1:
        parser.error("needs 1 room, some seconds, and a share of faults below 1")
    return run_demo(**vars(chosen))
