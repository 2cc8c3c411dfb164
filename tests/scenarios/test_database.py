"""calsync's own database in trouble, settings that are wrong, and what an admin reads then."""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from calsync.cli.status import Health, health
from calsync.errors import DatabaseBusy, DatabaseFull
from calsync.store.database import Database
from calsync.store.reports import Counts
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import (
    Company,
    Serving,
    calsync,
    day,
    office,
    proxy,
    serving,
    settings_text,
    taken,
    until,
)
from tests.support import front

pytestmark = pytest.mark.usefixtures("hasty")

#: Holds the write lock of a database for some seconds, in a process of its own.
_LOCK = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
db.execute("ROLLBACK")
db.close()
"""


def lock(path: Path, seconds: float) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", _LOCK, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    return holder


def unlock(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait(5)
    assert holder.stdout is not None
    holder.stdout.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked database is waited for 0.3 s, not 5."""
    monkeypatch.setitem(Database.__init__.__kwdefaults__, "busy_timeout", 0.3)


# --- locked --------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_lock_of_fifteen_seconds_is_survived(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    """The worker says so, the API answers 503 with what to do, reads go on; then all goes on."""
    rooms = {"hall": firm.new_room(), "den": firm.new_room()}
    with serving(firm, tmp_path, rooms) as made:
        made.start()
        until(made.synced)
        holder = lock(tmp_path / "calsync.db", 15.0)
        firm.book(rooms["hall"], day(3))
        answer = made.book("den", day(4))
        assert answer.status_code == 503, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "locked" in answer.text
        assert made.call("GET", "/v1/rooms").status_code == 200
        assert holder.wait(20) == 0
        unlock(holder)
        assert made.process is not None
        assert made.process.runs
        assert made.book("den", day(5)).status_code == 201
        until(lambda: made.equal("hall") and made.equal("den") and firm.taken(rooms["den"]))
        assert made.taken("hall") == Counter([taken(day(3))])
        assert made.taken("den") == Counter([taken(day(5))])
        assert "the database stayed locked by somebody else" in made.log
        assert "Traceback" not in made.log


def test_a_stop_while_the_database_is_locked(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with serving(firm, tmp_path, {"hall": firm.new_room()}) as made:
        made.start()
        until(made.synced)
        holder = lock(tmp_path / "calsync.db", 30.0)
        try:
            firm.book(made.rooms["hall"], day(3))
            time.sleep(1.5)
            _, seconds = made.end(within=20.0)
            assert seconds < 5.0
            assert "Traceback" not in made.log
        finally:
            unlock(holder)


@pytest.mark.usefixtures("impatient")
def test_a_start_on_a_locked_database(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with serving(firm, tmp_path, {"hall": firm.new_room()}) as made:
        made.write_settings()
        assert made.cli("status").code == 0
        holder = lock(tmp_path / "calsync.db", 30.0)
        try:
            said = made.cli("sync")
        finally:
            unlock(holder)
        assert said.code == 1
        assert "locked by somebody else" in said.err
        assert "To do: End other programs" in said.err
        assert made.cli("sync").code == 0


# --- full ----------------------------------------------------------------------------------------


def test_a_full_disk_stops_nothing_for_good(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with office(firm, tmp_path) as made:
        hall = made.pair("hall").mailbox
        firm.book(hall, day(3))
        made.rest()
        wanted = Counter([taken(day(3))])

        def cap(pages: int) -> None:
            with made.home.db.read() as connection:
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        # Each pooled connection has its own cap: one is left, and it is full.
        made.home.db.engine.dispose()
        cap(1)
        for number in range(40):
            firm.book(hall, day(10 + number))
            wanted[taken(day(10 + number))] += 1
        with pytest.raises(DatabaseFull) as error:
            made.cycle()
        assert "Free some space" in str(error.value)
        assert firm.taken(hall) == wanted
        cap(1 << 30)
        made.system.context.states.clear()
        made.rest()
        assert made.equal() == wanted


def test_a_full_disk_under_a_running_process(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The quota of the process ends where its write-ahead log does: nothing can be stored."""
    rooms = {"hall": firm.new_room()}
    with serving(firm, tmp_path, rooms) as made:
        made.start()
        until(made.synced)
        made.book("hall", day(3))
        until(lambda: made.equal("hall") and made.taken("hall"))
        assert made.process is not None
        pid, endless = made.process.pid, resource.RLIM_INFINITY
        size = (tmp_path / "calsync.db-wal").stat().st_size
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, endless))
        firm.book(rooms["hall"], day(5))
        answer = made.book("hall", day(4))
        assert answer.status_code in (503, 507), answer.text
        assert "full" in answer.text
        until(lambda: "Free some space" in made.log)
        assert made.call("GET", "/v1/rooms").status_code == 200
        assert made.taken("hall") == Counter([taken(day(3))])
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (endless, endless))
        until(lambda: made.book("hall", day(6)).status_code == 201)
        wanted = Counter(taken(day(number)) for number in (3, 5, 6))
        until(lambda: made.taken("hall") == wanted == firm.taken(rooms["hall"]))
        assert made.process.runs
        assert made.end()[0] == 0


@pytest.mark.usefixtures("impatient")
def test_a_write_whose_outcome_could_not_be_stored_is_not_repeated(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The event is made, then the database locks: after it the event is found, not made again."""
    with proxy(firm.url) as hop, office(firm, tmp_path, graph_url=hop.url) as made:
        for number in range(3):
            made.booking("hall", day(3 + number))
        made.home.db.engine.dispose()
        holders: list[sqlite3.Connection] = []

        def spoil(method: str, path: str, status: int, headers: Any, body: bytes) -> Any:
            if front.is_made(method, body) and not holders:
                other = sqlite3.connect(
                    made.home.db.path or "", isolation_level=None, check_same_thread=False
                )
                holders.append(other)
                other.execute("BEGIN IMMEDIATE")
            return status, headers, body

        hop.spoil = spoil
        with pytest.raises(DatabaseBusy):
            made.cycle()
        assert firm.taken(made.pair("hall").mailbox).total() >= 1
        holders[0].execute("ROLLBACK")
        holders[0].close()
        made.system.context.resting.clear()
        made.rest()
        assert made.equal() == Counter(taken(day(3 + number)) for number in range(3))


# --- not ours, newer, broken ---------------------------------------------------------------------


def a_database(made: Serving) -> Path:
    made.write_settings()
    assert made.cli("status").code == 0
    return made.folder / "calsync.db"


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE customers (id INTEGER)")


def no_database(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 1000)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def torn(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\x00" * 8192 + content[12288:])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (newer, "made by a newer calsync (revision 9999"),
        (foreign, "tables of another program (customers)"),
        (no_database, "not a calsync database"),
        (a_folder, "database"),
        (torn, "Restore the newest backup"),
    ],
)
def test_a_database_that_cannot_be_used(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    spoil: Any,
    words: str,
) -> None:
    with serving(firm, tmp_path, {"hall": firm.new_room()}) as made:
        path = a_database(made)
        spoil(path)
        said = made.cli("serve")
        assert said.code == 1
        assert words in said.err
        assert str(path) in said.err
        assert "To do:" in said.err


# --- settings from hell --------------------------------------------------------------------------

HELL = """
[database]
url = 7
colour = "red"
[api]
port = 99999
host = ["x"]
[worker]
poll_floor = "soon"
threads = -1
[window]
future_days = 1e9
[notices]
enabled = true
sender = "nobody"
kinds = ["confirmed", "perhaps"]
[guard]
max_share = 7.0
[[connections]]
name = "a b"
tenant_id = "x y"
cloud = "mars"
[[connections]]
name = "two"
client_secret = "hunter2"
[[rooms]]
id = "../../etc"
zone = "Mars/Olympus"
mailbox = "no address"
connection = "three"
[[rooms]]
[planet]
"""


def test_settings_from_hell_give_all_errors_at_once(tmp_path: Path) -> None:
    path = tmp_path / "calsync.toml"
    path.write_text(HELL, encoding="utf-8")
    said = calsync("serve", "--settings", str(path))
    assert said.code == 2
    lines = HELL.splitlines()
    for wrong in (
        "url = 7",
        "colour",
        "99999",
        "soon",
        "threads = -1",
        "mars",
        "perhaps",
        "Olympus",
    ):
        (number,) = [n for n, line in enumerate(lines, 1) if wrong in line]
        assert f"{path}:{number}:" in said.err, wrong
    assert "hunter2" not in said.err


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"[[[", b"a = " + b"[" * 50_000, b"x = 1\n" * 2, b"\x00" * 100],
    ids=["bytes", "syntax", "deep", "twice", "nul"],
)
def test_a_settings_file_that_is_no_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "calsync.toml"
    path.write_bytes(content)
    said = calsync("status", "--settings", str(path), "--json")
    assert said.code == 2
    assert str(path) in said.err


def test_no_settings_file(tmp_path: Path) -> None:
    said = calsync("serve", "--settings", str(tmp_path / "none.toml"))
    assert said.code == 2
    assert "none.toml" in said.err


# --- what an admin meets on the way --------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"secret_env": "CALSYNC_WRONG_SECRET"}, ["client secret is wrong", "AADSTS7000215"]),
        pytest.param(
            {"tenant_id": "nowhere.example"},
            ["no such tenant", "tenant id"],
            marks=pytest.mark.only("graph", reason="an Exchange Server has no tenant"),
        ),
        ({"graph_url": "http://127.0.0.1:9"}, ["no connection to Graph", "firewall"]),
        pytest.param(
            {"login_url": "http://127.0.0.1:9"},
            ["sign-in service was not reached", "firewall"],
            marks=pytest.mark.only(
                "graph", reason="an Exchange Server asks for the password itself"
            ),
        ),
        ({"secret_env": "CALSYNC_NO_SUCH_VARIABLE"}, ["CALSYNC_NO_SUCH_VARIABLE"]),
    ],
    ids=["secret", "tenant", "graph", "login", "variable"],
)
def test_a_connection_that_does_not_work(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    wrong: dict[str, Any],
    words: list[str],
) -> None:
    with serving(firm, tmp_path, {"hall": firm.new_room()}, **wrong) as made:
        made.write_settings()
        env = {"CALSYNC_WRONG_SECRET": "wrong-secret-value"}
        for verb in (("sync", "--json"), ("plan",), ("rooms", "list", "--discover")):
            said = made.cli(*verb, env=env)
            text = said.out + said.err
            assert said.code in (1, 2), (verb, text)
            for word in words:
                assert front.words(word) in text, (verb, text)
            assert "wrong-secret-value" not in text
        if made.cli("status", "--json").json()["rooms"][0]["error"]:
            assert front.words(words[0]) in made.cli("status").out


def test_verbs_on_rooms_that_are_not_there(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with serving(firm, tmp_path, {"hall": firm.new_room()}) as made:
        made.write_settings()
        for verb in (
            ("sync", "attic"),
            ("plan", "attic"),
            ("status", "attic"),
            ("rooms", "unmap", "attic"),
            ("rooms", "resume", "attic", "--yes"),
            ("rooms", "resume", "hall", "--yes"),
            ("explain", "nothing-like-it"),
            ("rooms", "map", "attic", "no address"),
            ("rooms", "map", "attic", made.rooms["hall"], "--zone", "UTC"),
        ):
            said = made.cli(*verb, "--json")
            assert said.code == 2, (verb, said)
            error = json.loads(said.err)["error"]
            assert error["what"], (verb, said.err)
            assert error["todo"], (verb, said.err)


def test_a_mailbox_without_permission_and_one_that_is_none(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    rooms = {"closed": firm.new_room(), "none": "nobody-there@contoso.example", "fine": ""}
    rooms["fine"] = firm.new_room()
    firm.fault("permission_removed", rooms["closed"], count=None)
    firm.book(rooms["fine"], day(3))
    with serving(firm, tmp_path, rooms) as made:
        made.write_settings()
        said = made.cli("sync", "--json")
        assert said.code == 1
        found = {room["room_id"]: room for room in said.json()["rooms"]}
        assert front.words("may not open this mailbox") in found["closed"]["error"]
        assert front.words("Test-ServicePrincipalAuthorization") in found["closed"]["error"]
        assert "mailbox" in found["none"]["error"]
        assert "address" in found["none"]["error"]
        assert found["fine"]["error"] == ""
        shown = {room["room_id"]: room for room in made.cli("status", "--json").json()["rooms"]}
        assert shown["fine"]["health"] == "ok"
        assert shown["fine"]["links"] == 1
        for room in ("closed", "none"):
            assert shown[room]["health"] == "failing"
            assert shown[room]["error"] == found[room]["error"]
        assert made.cli("status", "--check").code == 1


def test_the_guard_stops_a_room_and_resume_lets_it_go(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    rooms = {"hall": firm.new_room(), "den": firm.new_room()}
    done = [firm.book(rooms["hall"], day(2 + number)) for number in range(12)]
    with serving(firm, tmp_path, rooms) as made:
        made.start()
        until(lambda: made.taken("hall").total() == 12)
        for meeting in done[:9]:
            firm.act("cancel", iCalUId=meeting["iCalUId"])
        fact = until(lambda: (f := made.fact("hall"))["halted"] and f)
        assert fact["health"] == "stopped"
        assert "was stopped, and waits for you" in made.log
        assert "9 of 12" in fact["halted"]
        assert made.taken("hall").total() == 12
        plan = made.cli("plan", "hall")
        assert plan.code in (0, 1)
        assert "delete booking" in plan.out
        # The other room goes on meanwhile.
        firm.book(rooms["den"], day(3))
        until(lambda: made.taken("den").total() == 1)
        refused = made.cli("rooms", "resume", "hall", "--json")
        assert refused.code == 2
        assert "--yes" in refused.err
        said = made.cli("rooms", "resume", "hall", "--yes", "--json")
        assert said.json()["approved"] is True
        until(lambda: made.taken("hall").total() == 3, seconds=15, what=lambda: made.log)
        assert made.equal("hall")
        until(lambda: made.fact("hall")["health"] == "ok")


def test_every_reading_verb_speaks_json(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with serving(firm, tmp_path, {"hall": firm.new_room()}) as made:
        done = firm.book(made.rooms["hall"], day(3))
        made.write_settings()
        for verb in (
            ("plan",),
            ("sync",),
            ("status",),
            ("rooms", "list"),
            ("rooms", "list", "--discover"),
            ("tokens", "list"),
            # EWS has an id of its own for it.
            ("explain", "") if front.by_ews() else ("explain", done["roomImmutableId"]),
        ):
            if verb == ("explain", ""):
                verb = ("explain", made.query("SELECT event_key FROM link")[0][0])
            said = made.cli(*verb, "--json")
            assert said.code == 0, (verb, said)
            assert isinstance(json.loads(said.out), dict)
        assert json.loads(calsync("version", "--json").out)


def test_a_room_mapped_twice_in_the_settings_is_said(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    mailbox = firm.new_room()
    path = tmp_path / "calsync.toml"
    path.write_text(
        settings_text(firm, tmp_path / "calsync.db", {"a": mailbox, "b": mailbox}), encoding="utf-8"
    )
    said = calsync("status", "--settings", str(path))
    assert said.code == 2
    assert mailbox in said.err


def test_unforeseen_errors_show_in_status(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    """Whatever goes wrong in a room, the worker lives and status says that something did."""
    from calsync import bootstrap

    with office(firm, tmp_path) as made:
        side = made.system.context.calendars["sandbox"]
        worker, _ = bootstrap.build_worker(made.system)
        worker._load_pairs()

        def pull(*_: object) -> Any:
            raise ZeroDivisionError("nobody foresaw this")

        broken = type("Broken", (), {"pull": pull, "capabilities": side.capabilities})()
        made.system.context.calendars = {"sandbox": broken}
        worker._start_due()
        for _ in range(3):
            worker._handle_one(0.2)
        made.system.context.save_idle()
        state = made.home.store.states()[made.pair("hall").id]
        assert "ZeroDivisionError" in state.error
        assert health(state, Counts()) is Health.FAILING
        worker._pool.close()
