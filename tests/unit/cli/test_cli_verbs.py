"""What the verbs do and print, against a real database and a calendar side in memory."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cli_samples import FakeCalendar, Ran, seen

from calsync import __version__
from calsync.adapters.wrap import Answer
from calsync.bootstrap import SystemClock, open_home
from calsync.cli.status import Health, health
from calsync.errors import Unavailable
from calsync.model import NoticeKind, Person
from calsync.ports import Commit, NoticeState, RoomState
from calsync.settings import load
from calsync.store.database import Database
from calsync.store.lease import ProcessLease
from calsync.store.migrate import migrate
from calsync.store.reports import Counts

Cli = Callable[..., Ran]


def mapped(cli: Cli, room: str = "atrium") -> None:
    ran = cli("rooms", "map", room, f"{room}@x.test", "--zone", "Europe/Berlin")
    assert ran.status == 0, ran.err


def halt(settings_file: Path, question: str = "12 of 20 would be deleted") -> None:
    home = open_home(load(settings_file))
    (pair,) = home.store.pairs()
    state = RoomState(pair_id=pair.id, halted=question)
    fence = home.store.claim(pair.id, "test")
    home.store.commit(Commit(pair_id=pair.id, fence=fence, state=state))
    home.close()


# --- rooms -----------------------------------------------------------------------------------


def test_map_list_unmap(cli: Cli) -> None:
    ran = cli(
        *("rooms", "map", "atrium", "Atrium@X.test", "--zone", "Europe/Berlin", "--name", "Atrium"),
        *("--building", "HQ", "--capacity", "12", "--titles", "--clash-policy", "ask", "--json"),
    )
    pair = ran.json["mapped"]
    assert pair["mailbox"] == "atrium@x.test"
    assert (pair["connection"], pair["titles"], pair["clash_policy"]) == ("main", True, "ask")
    (room,) = cli("rooms", "list", "--json").json["rooms"]
    assert (room["name"], room["building"], room["capacity"]) == ("Atrium", "HQ", 12)
    assert room["mapping"]["id"] == pair["id"]
    assert cli("rooms", "unmap", "atrium", "--json").json["unmapped"]["id"] == pair["id"]
    (room,) = cli("rooms", "list", "--json").json["rooms"]
    assert room["mapping"] is None
    assert "atrium@x.test" not in cli("rooms", "list").out
    again = cli("rooms", "map", "atrium", "atrium@x.test", "--json").json["mapped"]
    assert again["id"] == pair["id"]


def test_a_room_is_mapped_with_its_rules_for_outlook(cli: Cli) -> None:
    words = ("rooms", "map", "atrium", "atrium@x.test", "--zone", "Europe/Berlin", "--json")
    ruled = cli(*words, "--outlook-rules", "opening_hours=decline, ahead=decline")
    assert ruled.json["mapped"]["reactions"]["opening_hours"] == "decline"
    assert ruled.json["mapped"]["reactions"]["seats"] == "nothing"
    wrong = cli(*words, "--outlook-rules", "colour=decline")
    assert (wrong.status, "opening_hours, notice, length, ahead, seats" in wrong.err) == (2, True)
    unheard = cli(*words, "--outlook-rules", "seats=warn")
    assert (unheard.status, "nobody can be warned: notices are off" in unheard.err) == (2, True)
    (room,) = cli("rooms", "list", "--json").json["rooms"]
    assert room["mapping"]["reactions"]["ahead"] == "decline"


def test_a_sheet_changes_the_rules_for_outlook_that_it_names(cli: Cli, tmp_path: Path) -> None:
    mapped(cli)
    sheet = tmp_path / "rooms.csv"
    sheet.write_text('room,mailbox,outlook_rules\natrium,atrium@x.test,"length=decline"\n')
    assert cli("rooms", "import", str(sheet), "--yes").status == 0
    assert cli("rooms", "import", str(sheet), "--yes", "--json").json["rooms"][0]["what"] == ""
    assert "length=decline" in cli("rooms", "export").out
    sheet.write_text('room,mailbox,outlook_rules\natrium,atrium@x.test,"seats=warn"\n')
    refused = cli("rooms", "import", str(sheet), "--yes")
    assert (refused.status, "line 2: nobody can be warned" in refused.err) == (2, True)


NO_MAILBOX = {"error": {"code": "ErrorInvalidUser"}}


@pytest.mark.parametrize(
    ("answer", "broken", "there", "said"),
    [
        (Answer(status=200, body={}), None, True, ""),
        (
            Answer(status=404, body=NO_MAILBOX),
            None,
            False,
            "Warning: this mailbox cannot be opened",
        ),
        (Answer(status=403, body={"error": {"code": "ErrorAccessDenied"}}), None, False, "Warning"),
        (Answer(status=503, body=None), None, None, "Note: it was not looked"),
        (Answer(status=200, body={}), Unavailable("no network"), None, "no network"),
    ],
)
def test_mapping_looks_whether_the_mailbox_opens(
    cli: Cli,
    calendar: FakeCalendar,
    answer: Answer,
    broken: Unavailable | None,
    there: bool | None,
    said: str,
) -> None:
    calendar.answer, calendar.broken = answer, broken
    ran = cli("rooms", "map", "atrium", "atrium@x.test", "--zone", "UTC")
    assert ran.status == 0, "it is mapped all the same"
    assert "is mapped to atrium@x.test" in ran.out
    assert said in ran.err
    assert bool(ran.err) is bool(said)
    again = cli("rooms", "map", "atrium", "atrium@x.test", "--json")
    assert (again.json["mailbox_opens"], again.err) == (there, "")


def test_mapping_needs_neither_network_nor_secret(cli: Cli) -> None:
    ran = cli("rooms", "map", "atrium", "atrium@x.test", "--zone", "UTC")
    assert ran.status == 0
    assert "CALSYNC_TEST_SECRET is not set" in ran.err


def test_a_mailbox_that_is_taken_names_its_room_and_makes_no_other(cli: Cli) -> None:
    mapped(cli)
    ran = cli("rooms", "map", "loft", "ATRIUM@x.test", "--zone", "UTC")
    assert ran.status == 2
    assert "already mapped to room atrium" in ran.err
    assert "calsync rooms unmap atrium" in ran.err
    assert [room["id"] for room in cli("rooms", "list", "--json").json["rooms"]] == ["atrium"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["loft", "loft@x.test"], "time zone must be given"),
        (["loft", "loft@x.test", "--zone", "Mars/Olympus"], "not a time zone"),
        (["loft", "loft", "--zone", "UTC"], "not a mailbox address"),
        (["two words", "loft@x.test", "--zone", "UTC"], "cannot be a name"),
        (["loft", "loft@x.test", "--zone", "UTC", "--connection", "no"], "no connection 'no'"),
    ],
)
def test_a_mapping_that_cannot_be(cli: Cli, arguments: list[str], complaint: str) -> None:
    ran = cli("rooms", "map", *arguments)
    assert ran.status == 2
    assert complaint in ran.err
    assert "To do: " in ran.err


def test_changing_one_thing_of_a_room_keeps_the_others(cli: Cli) -> None:
    cli("rooms", "map", "a", "a@x.test", "--zone", "Asia/Tokyo", "--name", "A", "--capacity", "4")
    cli("rooms", "map", "a", "a@x.test", "--building", "HQ")
    (room,) = cli("rooms", "list", "--json").json["rooms"]
    assert (room["name"], room["zone"], room["capacity"]) == ("A", "Asia/Tokyo", 4)
    assert room["building"] == "HQ"


def test_room_mailboxes_can_be_discovered(cli: Cli, calendar: FakeCalendar) -> None:
    mapped(cli)
    (found,) = cli("rooms", "list", "--discover", "--json").json["resource_calendars"]
    assert (found["address"], found["room_id"]) == ("atrium@x.test", "atrium")
    ran = cli("rooms", "list", "--discover")
    assert "atrium@x.test" in ran.out
    assert "\x1b" not in ran.out


@pytest.mark.parametrize("verb", ["unmap", "resume"])
def test_a_room_that_is_not_mapped(cli: Cli, verb: str) -> None:
    ran = cli("rooms", verb, "atrium")
    assert ran.status == 2
    assert "not mapped" in ran.err


def test_a_stopped_room_goes_on_when_told(cli: Cli, settings_file: Path) -> None:
    mapped(cli)
    assert "was not stopped" in cli("rooms", "resume", "atrium").err
    halt(settings_file)
    assert "--yes" in cli("rooms", "resume", "atrium", "--json").err
    ran = cli("rooms", "resume", "atrium", "--yes", "--json")
    assert ran.json == {"resumed": "atrium", "approved": True, "was": "12 of 20 would be deleted"}
    assert cli("status", "--json").json["rooms"][0]["halted"] == ""


def test_a_stopped_room_is_asked_about(
    cli: Cli, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped(cli)
    halt(settings_file)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    ran = cli("rooms", "resume", "atrium")
    assert ran.status == 130
    assert "12 of 20 would be deleted" in ran.out
    assert cli("status", "--json").json["rooms"][0]["halted"]


# --- status and explain ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "counts", "expected"),
    [
        (RoomState(pair_id="p", imported=True), Counts(active=3), Health.OK),
        (RoomState(pair_id="p", imported=True), Counts(unsettled=1), Health.WORKING),
        (RoomState(pair_id="p", imported=True), Counts(open_effects=1), Health.WORKING),
        (RoomState(pair_id="p"), Counts(unsettled=1), Health.IMPORTING),
        (RoomState(pair_id="p"), Counts(parked=1), Health.WAITING),
        (RoomState(pair_id="p", failures=1), Counts(parked=1), Health.FAILING),
        (RoomState(pair_id="p", failures=1, halted="?"), Counts(), Health.STOPPED),
    ],
)
def test_the_worst_that_is_true_of_a_room(
    state: RoomState, counts: Counts, expected: Health
) -> None:
    assert health(state, counts) is expected


def test_status_names_what_is_wrong(cli: Cli, settings_file: Path) -> None:
    mapped(cli)
    halt(settings_file)
    ran = cli("status")
    assert ran.status == 0
    assert "stopped" in ran.out
    assert "12 of 20 would be deleted" in ran.out
    assert "not running" in ran.out
    assert cli("status", "--check").status == 1
    assert cli("status", "nosuch").status == 2


def test_status_tells_who_runs(cli: Cli, settings_file: Path) -> None:
    cli("status")
    db = Database(load(settings_file).database.url)
    migrate(db)
    ProcessLease(db, SystemClock()).acquire()
    assert isinstance(cli("status", "--json").json["process"]["pid"], int)
    assert "calsync runs as process" in cli("status").out
    db.dispose()


def test_status_keys_are_stable(cli: Cli) -> None:
    mapped(cli)
    found = cli("status", "--json").json
    assert set(found) == {"process", "rooms", "notices", "notice_troubles"}
    assert set(found["notices"]) == {state.value for state in NoticeState}
    assert set(found["rooms"][0]) == {
        "room_id", "mailbox", "connection", "health", "synced_at", "compared_at", "drift",
        "halted", "error", "failures", "links", "parked", "unsettled", "open_effects", "conflicts",
        "waiting", "lag", "calls_today", "calls_yesterday",
    }  # fmt: skip


# --- plan, sync, explain ---------------------------------------------------------------------


def test_a_plan_is_shown_and_nothing_is_done(cli: Cli, calendar: FakeCalendar) -> None:
    mapped(cli)
    calendar.events = [seen()]
    before = cli("status", "--json").json
    (entry,) = cli("plan", "--json").json["rooms"]
    assert (entry["room_id"], entry["first_import"], entry["error"]) == ("atrium", True, "")
    (write,) = entry["writes"]
    assert (write["what"], write["side"], write["deletes"]) == ("create booking", "booking", False)
    assert entry["mails"] == []
    ran = cli("plan", "atrium")
    assert ran.status == 0
    assert "create booking" in ran.out
    assert "Nothing was sent" in ran.out
    assert cli("status", "--json").json == before
    assert calendar.applied == []


def test_a_room_that_cannot_be_read_fails_the_plan(cli: Cli, calendar: FakeCalendar) -> None:
    mapped(cli)
    calendar.broken = Unavailable("the mailbox does not answer", where="atrium@x.test")
    ran = cli("plan")
    assert ran.status == 1
    assert "the mailbox does not answer" in ran.out


def test_a_sync_carries_an_event_over_and_can_be_explained(
    cli: Cli, calendar: FakeCalendar
) -> None:
    mapped(cli)
    calendar.events = [seen()]
    (entry,) = cli("sync", "--json").json["rooms"]
    assert (entry["room_id"], entry["writes"], entry["error"]) == ("atrium", 1, "")
    (entry,) = cli("sync", "--full", "--json").json["rooms"]
    assert entry["writes"] == 0
    (room,) = cli("status", "--json").json["rooms"]
    assert (room["links"], room["health"]) == (1, "ok")
    (link,) = cli("explain", "ev1", "--json").json["links"]
    assert link["link"]["event"]["key"] == "ev1"
    assert link["room_id"] == "atrium"
    assert [step["step"] for step in link["history"]]
    text = cli("explain", link["link"]["booking"]["key"])
    assert text.status == 0
    assert "Room atrium." in text.out
    # A first import keeps one line a booking in its history, not the whole chain.
    assert "the platform has it" in text.out
    assert "confirmation" in cli("explain", "ev1", "--raw").out


def test_a_sync_that_fails_says_so(cli: Cli, calendar: FakeCalendar) -> None:
    mapped(cli)
    calendar.broken = Unavailable("the mailbox does not answer")
    ran = cli("sync", "atrium")
    assert ran.status == 1
    assert "the mailbox does not answer" in ran.out
    assert cli("status", "--json").json["rooms"][0]["health"] == "failing"
    assert cli("status", "--json").json["process"] is None


def test_a_sync_beside_a_running_calsync_stops(
    cli: Cli, calendar: FakeCalendar, settings_file: Path
) -> None:
    mapped(cli)
    db = Database(load(settings_file).database.url)
    ProcessLease(db, SystemClock()).acquire()
    ran = cli("sync")
    db.dispose()
    assert ran.status == 1
    assert "another calsync works on this database: process" in ran.err
    assert calendar.applied == []


def test_what_is_not_known_cannot_be_explained(cli: Cli) -> None:
    ran = cli("explain", "nothing")
    assert ran.status == 2
    assert "Where: nothing" in ran.err


# --- tokens, version, demo, sandbox ----------------------------------------------------------


def test_tokens_are_made_listed_and_revoked(cli: Cli) -> None:
    made = cli("tokens", "create", "platform", "--scope", "rooms:read", "--json").json
    assert made["token"].startswith(f"calsync_{made['id']}_")
    (listed,) = cli("tokens", "list", "--json").json["tokens"]
    assert (listed["name"], listed["scopes"], listed["revoked"]) == (
        "platform",
        ["rooms:read"],
        None,
    )
    secret = made["token"].rpartition("_")[2]
    assert secret not in cli("tokens", "list").out
    assert cli("tokens", "revoke", made["id"], "--json").json["revoked"]
    assert cli("tokens", "revoke", "nosuch").status == 2
    assert cli("tokens", "create", "x", "--scope", "everything").status == 2
    assert cli("tokens", "create", "  ").status == 2


def test_a_token_is_printed_on_a_line_of_its_own(cli: Cli) -> None:
    lines = cli("tokens", "create", "platform").out.splitlines()
    assert sum(line.startswith("calsync_") and " " not in line for line in lines) == 1


def test_version(cli: Cli) -> None:
    assert cli("version", "--json").json["version"] == __version__
    assert __version__ in cli("version").out


def _stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **names: object) -> None:
    module = ModuleType(name)
    for key, value in names.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)


def test_the_demo_gets_its_options_and_gives_its_exit_status(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[dict[str, object]] = []

    def run_demo(**chosen: object) -> int:
        asked.append(chosen)
        return 1

    monkeypatch.setattr("calsync.demo.main.run_demo", run_demo)
    report = tmp_path / "out.json"
    ran = cli(
        *("demo", "--headless", "--seconds", "20", "--seed", "7", "--rooms", "12"),
        *("--report", str(report)),
    )
    assert ran.status == 1
    assert asked[0] == {
        "seconds": 20.0,
        "seed": 7,
        "rooms": 12,
        "headless": True,
        "report": report,
        "as_json": False,
        "exchange": "graph",
    }


def test_the_sandbox_gets_its_own_options(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def main(arguments: list[str]) -> int:
        asked.append(arguments)
        return 0

    _stand_in(monkeypatch, "calsync.sandbox.__main__", main=main)
    assert cli("sandbox", "--port", "8901", "--help").status == 0
    assert asked == [["--port", "8901", "--help"]]


# --- serve -----------------------------------------------------------------------------------


def _serve(settings_file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "calsync.cli.main", "serve", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            "CALSYNC_SETTINGS": str(settings_file),
            "CALSYNC_TEST_SECRET": "x",
            "XDG_STATE_HOME": str(settings_file.parent / "state"),
            "PYTHONPATH": ":".join(p for p in sys.path if p),
            "PYTHONUNBUFFERED": "1",
        },
        cwd=Path(__file__).parents[3],
    )


def _announced(process: subprocess.Popen[str]) -> Any:
    """The line of JSON that serve prints once it listens."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    return json.loads(line)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_serve_answers_and_ends_when_told(
    settings_file: Path, number: signal.Signals, status: int
) -> None:
    settings_file.write_text(settings_file.read_text() + "\n[api]\nport = 0\n")
    with _serve(settings_file) as process:
        url = _announced(process)["url"]
        with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
            assert json.load(answer)["status"] == "ok"
        with _serve(settings_file) as second:
            assert second.wait(timeout=30) == 1
            assert second.stderr is not None
            assert f"process {process.pid} on" in second.stderr.read()
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(timeout=30) == status
        assert time.monotonic() - began < 5
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_serve_on_a_port_that_is_taken(
    cli: Cli, calendar: FakeCalendar, settings_file: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings_file.write_text(settings_file.read_text() + f"\n[api]\nport = {port}\n")
        ran = cli("serve")
    assert ran.status == 2
    assert f"127.0.0.1:{port}" in ran.err
    assert cli("status", "--json").json["process"] is None


def test_a_notice_is_counted_in_the_status(cli: Cli, settings_file: Path) -> None:
    from calsync.model import Notice

    mapped(cli)
    home = open_home(load(settings_file))
    (pair,) = home.store.pairs()
    notice = Notice(
        kind=NoticeKind.CONFIRMED,
        link_id="l",
        booking_key="b",
        revision="1",
        person=Person("Ann", "ann@x.test"),
        occupancy=seen().occupancy,
    )
    fence = home.store.claim(pair.id, "test")
    home.store.commit(Commit(pair_id=pair.id, fence=fence, notices=[notice]))
    home.close()
    assert cli("status", "--json").json["notices"]["queued"] == 1
    assert "1 queued" in cli("status").out
