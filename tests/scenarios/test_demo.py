"""The demo itself, end to end and short; and that people are the same for the same seed."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import tomllib
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from calsync.demo.main import run_demo
from calsync.sandbox.people import OPENING, People
from calsync.sandbox.wishes import RoomFacts, Wish, apply
from tests.support import front

ROOMS = [
    RoomFacts("room-1", "room-1@contoso.example", "Europe/Berlin", "W. Europe Standard Time"),
    RoomFacts("room-2", "room-2@contoso.example", "Asia/Kolkata", "India Standard Time", True),
]
KEYS = {
    "seed", "seconds", "rooms", "acts", "carried", "latency_ms", "clashes", "edit_conflicts",
    "declines_sent", "calls", "throttled_answers", "notices", "differences_at_rest",
    "writes_while_idle", "lost", "invented", "double_booked_by_calsync",
}  # fmt: skip


def _wishes(seed: int, count: int) -> list[Wish]:
    people = People(seed, ROOMS, ["ada@contoso.example"], date(2026, 11, 20))
    made = []
    for _ in range(count):
        wish = people.next()
        for one in (wish, wish.rival):
            if one is not None:
                made.append(one)
                people.done(one, accepted=True, uid=f"u{one.number}", id=f"b{one.number}")
    return made


def test_the_same_seed_gives_the_same_people_and_another_one_others() -> None:
    assert _wishes(7, 200) == _wishes(7, 200)
    assert _wishes(7, 50) != _wishes(8, 50)


def test_people_do_everything_and_make_sense() -> None:
    wishes = _wishes(3, 600)
    assert {wish.did for wish in wishes} >= {
        "book", "series", "all-day", "direct", "squeeze", "book taken", "move", "extend", "shorten",
        "retitle", "cancel", "cancel date", "move date", "decline",
    }  # fmt: skip
    assert {wish.side for wish in wishes if wish.rival or wish.blind} == {"outlook", "platform"}
    for wish in wishes:
        if wish.did == "retitle":
            assert wish.room.titles
        if wish.known is not None and wish.known.origin == "invite" and wish.side == "platform":
            assert wish.did == "decline"
        for one in apply(wish.op, {}).values():
            assert one["start"] < one["end"]


def test_a_run_begins_with_something_of_everything() -> None:
    assert {"clash", "edit both", "delete or edit", "platform series"} <= set(OPENING)


@pytest.mark.slow
def test_a_short_headless_run_ends_equal_and_with_nothing_lost(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    status = run_demo(
        seconds=6, seed=7, rooms=4, headless=True, report=path, exchange=front.chosen()
    )
    report = json.loads(path.read_text(encoding="utf-8"))
    assert status == 0, report["details"]
    assert report.keys() >= KEYS
    assert report["acts"]["outlook"] > 2
    assert report["acts"]["platform"] > 2
    assert report["carried"] > 4
    assert report["notices"]["sent"] > 0
    assert report["idle_seconds"] >= 6
    assert report["serve_stopped_in_s"] < 5


@pytest.mark.slow
def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "calsync.demo", "--headless", "--rooms", "2"]
    command += ["--exchange", front.chosen()]
    process = subprocess.Popen(
        [*command, "--seconds", "60", "--keep", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # In the background Ctrl-C is ignored, and the child would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        settings = tmp_path / "calsync.toml"
        until = time.monotonic() + 60
        while not (settings.exists() and (tmp_path / "serve.log").exists()):
            assert time.monotonic() < until
            time.sleep(0.2)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    finally:
        process.kill()
        process.communicate()
    (connection, *_) = tomllib.loads(settings.read_text(encoding="utf-8"))["connections"]
    url = connection["graph_url"]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) != 0
    with (tmp_path / "calsync.db").open("rb"):
        alive = [
            line
            for line in Path("/proc").glob("[0-9]*/cmdline")
            if str(settings).encode() in _read(line)
        ]
    assert not alive


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
