"""``python -m soak.kills``: the real process under real kill -9, while people act on both sides.

``calsync serve`` (its entry point, SQLite, HTTP) is killed, started, killed …; then everything
heals, comes to rest, and is judged by both stores and the log of acts. Exit status 0 only where
nothing was lost, invented, booked twice or told twice, and the database is whole.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

from calsync.demo.driver import as_room
from calsync.demo.judge import Report, judge
from calsync.demo.main import gather, look_at_idleness, note_seeded
from calsync.demo.stage import Cast, StageError
from calsync.demo.watcher import HubTables
from calsync.sandbox.people import People
from soak.aims import Aims
from soak.crowd import Crowd, Onlooker
from soak.doubts import doubts
from soak.faults import arm, mixed
from soak.samples import rooms_in_trouble
from soak.site import Site

REPORT = Path(__file__).parent / "kills.json"
_REST_S = 180.0
#: After every so many kills the files of the dead process are checked as they lie there.
_CHECK_EVERY = 10


def run_world(
    kills: int,
    *,
    seed: int,
    rooms: int,
    faults: float,
    pace: float,
    keep: Path | None = None,
    ceiling: float = 2.0,
) -> Report:
    """So many kills in one world; its report. ``ceiling``: seconds between polls, at most."""
    cast = Cast(seed=seed, rooms=rooms, poll_floor=1.0, poll_ceiling=ceiling)
    begun = time.monotonic()
    with Site(cast, keep, gated=True) as site:
        since = datetime.now(UTC).replace(minute=7, second=0, microsecond=0) - timedelta(hours=1)
        starts = [site.start()]
        people = People(seed, site.rooms, site.persons, datetime.now(UTC).date())
        watcher = Onlooker(
            [as_room(room) for room in site.rooms],
            sandbox=site.open_sandbox,
            platform=site.open_platform,
            tables=HubTables(site.database),
            since=since,
        )
        note_seeded(site, people, since)
        if not watcher.wait_for_rest(still=0.5, limit=120):
            raise StageError(f"the first import did not end: {site.log_of('serve')}")
        crowd = Crowd(people, site)
        aims = Aims(site, random.Random(seed), crowd.asking)
        arm(site, mixed(faults))
        watcher.start()
        broken = _kill(site, crowd, aims, starts, kills, pace=pace)
        acted = time.monotonic() - begun
        site.sandbox.control("DELETE", "faults")
        watcher.stop()
        if watcher.failure is not None:
            raise watcher.failure
        healed = time.monotonic()
        rested = watcher.wait_for_rest(still=1.5 * ceiling, limit=_REST_S)
        rest_s = time.monotonic() - healed
        idle = look_at_idleness(watcher, 3 * cast.poll_ceiling + 0.5)
        site.check()
        records = gather(site, watcher, idle, seconds=acted, rested=rested)
        records.flagged = watcher.tables.flagged()
        records.doubts = doubts(records, site.killed)
        report = judge(records)
        crowd.close()
        site.send(signal.SIGTERM)
        site.bury()
        report["kills"] = dict(sorted(aims.kills.items()))
        report["starts_s"] = [round(one, 3) for one in starts]
        report["rest_s"] = round(rest_s, 1)
        report["notices"]["flagged"] = len(records.flagged)
        report["faults_fired"] = site.sandbox.control("GET", "faults")["fired"]
        report["checked_copies"] = kills // _CHECK_EVERY
        _amend(report, [*broken, *_check_files(site.database), *_tracebacks(site)])
        report["rooms_in_trouble"] = rooms_in_trouble(site.database)
        if keep is not None:
            lines = "".join(f"{json.dumps(line)}\n" for line in records.log)
            (keep / "acts.jsonl").write_text(lines, encoding="utf-8")
            calls = "".join(f"{json.dumps(line)}\n" for line in records.calls)
            (keep / "calls.jsonl").write_text(calls, encoding="utf-8")
    return report


def _amend(report: Report, more: list[str]) -> None:
    report["details"] += more
    report["ok"] = not report["details"]


def _kill(
    site: Site,
    crowd: Crowd,
    aims: Aims,
    starts: list[float],
    kills: int,
    *,
    pace: float,
) -> list[str]:
    """Kill and start it again while people act. What was wrong with the files, in words."""
    stop, failed, wrong = Event(), list[BaseException](), list[str]()

    def play() -> None:
        try:
            crowd.run(1e9, per_second=pace, stop=stop)
        except BaseException as error:  # handed to the main thread
            failed.append(error)

    thread = Thread(target=play, name="people", daemon=True)
    thread.start()
    try:
        for number in range(1, kills + 1):
            # Both sides are busy in every life.
            crowd.asking.wait(2.0)
            sort = aims.deal()
            if sort == "while it starts":
                _make_room(site)
            aims.strike(sort)
            site.bury()
            if number % _CHECK_EVERY == 0:
                wrong += _check_copy(site.database)
            crowd.asking.clear()
            starts.append(site.start())
            if number % 25 == 0:
                print(f"seed {site.cast.seed}: {number} of {kills} kills", flush=True)
            if failed:
                raise failed[0]
    finally:
        stop.set()
        thread.join(60)
    return wrong


def _make_room(site: Site) -> None:
    """The one that runs makes room for one that will not get to its end."""
    site.send(signal.SIGKILL)
    site.bury()
    site.launch()


# --- the database ------------------------------------------------------------------------------


def _check_copy(database: Path) -> list[str]:
    """Look at the files as a dead process left them; a copy, so that calsync finds them so."""
    with tempfile.TemporaryDirectory(prefix="calsync-kills-") as folder:
        for end in ("", "-wal"):
            part = Path(f"{database}{end}")
            if part.exists():
                shutil.copy(part, Path(folder) / f"copy.db{end}")
        return _check_files(Path(folder) / "copy.db")


def _check_files(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        whole = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
        loose = connection.execute("PRAGMA foreign_key_check").fetchall()
    found = [] if whole == ["ok"] else [f"the database is damaged: {'; '.join(whole[:3])}"]
    return found + [f"a row belongs to nothing: {row}" for row in loose[:3]]


def _tracebacks(site: Site) -> list[str]:
    text = (site.folder / "serve.log").read_text(encoding="utf-8", errors="replace")
    count = text.count("Traceback (most recent call last)") + text.count("unforeseen")
    return [f"{count} unforeseen errors in the log of serve"] if count else []


# --- many worlds -------------------------------------------------------------------------------


def run_worlds(chosen: argparse.Namespace) -> list[Report]:
    """Each world in a process of its own, side by side."""
    shares = [chosen.count // chosen.worlds] * chosen.worlds
    for number in range(chosen.count % chosen.worlds):
        shares[number] += 1
    with tempfile.TemporaryDirectory(prefix="calsync-kills-") as folder:
        running = []
        for number, share in enumerate(shares):
            path = Path(folder) / f"{number}.json"
            command = [sys.executable, "-m", "soak.kills", "--worlds", "1", "--report", str(path)]
            command += ["--count", str(share), "--seed", str(chosen.seed + number)]
            command += ["--rooms", str(chosen.rooms), "--faults", str(chosen.faults)]
            command += ["--pace", str(chosen.pace), "--quiet"]
            if chosen.keep:
                command += ["--keep", str(chosen.keep / str(number))]
            running.append((path, subprocess.Popen(command)))
        reports: list[Report] = []
        for path, process in running:
            code = process.wait()
            if not path.exists():
                raise StageError(f"a world ended with {code} and no report")
            reports += json.loads(path.read_text(encoding="utf-8"))["worlds"]
    return reports


def summary(worlds: list[Report], seconds: float) -> dict[str, Any]:
    """All worlds in one."""
    kills: Counter[str] = Counter()
    for one in worlds:
        kills.update(one["kills"])
    starts = sorted(s for one in worlds for s in one["starts_s"])
    counted = ("lost", "invented", "double_booked_by_calsync", "differences_at_rest")
    return {
        "ok": all(one["ok"] for one in worlds),
        "kills": sum(kills.values()),
        "seconds": round(seconds, 1),
        "by_moment": dict(sorted(kills.items())),
        "acts": sum(sum(one["acts"].values()) for one in worlds),
        **{name: sum(one[name] for one in worlds) for name in counted},
        "writes_while_idle": sum(one["writes_while_idle"] for one in worlds),
        "notices": {
            name: sum(one["notices"][name] for one in worlds)
            for name in ("sent", "duplicated", "missing", "flagged")
        },
        "start_s": {
            "median": starts[len(starts) // 2],
            "p95": starts[int(len(starts) * 0.95)],
            "longest": starts[-1],
        },
        "rest_s": max(one["rest_s"] for one in worlds),
        "worlds": worlds,
    }


def show(made: dict[str, Any]) -> None:
    print(f"{made['kills']} kills in {made['seconds']:.0f} s; {made['acts']} acts of people")
    for moment, count in sorted(made["by_moment"].items(), key=lambda one: (-one[1], one[0])):
        print(f"  {count:4}  {moment}")
    start = made["start_s"]
    print(
        f"start-up: median {start['median']:.2f} s, p95 {start['p95']:.2f} s, longest"
        f" {start['longest']:.2f} s; at rest {made['rest_s']:.0f} s after the last one"
    )
    told = made["notices"]
    print(
        f"notices: {told['sent']} sent, {told['duplicated']} twice, {told['missing']} missing,"
        f" {told['flagged']} flagged as in doubt"
    )
    for name in ("lost", "invented", "double_booked_by_calsync", "differences_at_rest"):
        print(f"{name.replace('_', ' ')}: {made[name]}")
    for one in made["worlds"]:
        for line in (*one["details"][:20], *one["rooms_in_trouble"]):
            print(f"  {line}")
    print("verdict: " + ("nothing lost, the database is whole" if made["ok"] else "NOT in order"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak.kills", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="how many kills")
    parser.add_argument("--worlds", type=int, default=2, help="processes side by side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rooms", type=int, default=8, help="per world")
    parser.add_argument("--faults", type=float, default=0.03, help="share of spoiled calls")
    parser.add_argument("--pace", type=float, default=6.0, help="acts a second, per world")
    parser.add_argument("--report", type=Path, default=REPORT)
    parser.add_argument("--keep", type=Path, help="leave databases and logs in this folder")
    parser.add_argument("--quiet", action="store_true")
    chosen = parser.parse_args()
    begun = time.monotonic()
    if chosen.worlds > 1 and chosen.count > 1:
        worlds = run_worlds(chosen)
    else:
        worlds = [
            run_world(
                chosen.count,
                seed=chosen.seed,
                rooms=chosen.rooms,
                faults=chosen.faults,
                pace=chosen.pace,
                keep=chosen.keep,
            )
        ]
    made = summary(worlds, time.monotonic() - begun)
    chosen.report.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    if not chosen.quiet:
        show(made)
        print(f"written to {chosen.report}")
    return 0 if made["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
