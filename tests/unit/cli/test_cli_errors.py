"""Every way a command can end badly: clear words on stderr, a stable exit status."""

import errno
import json
import logging
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_samples import Ran

from calsync.cli.choke import describe, guarded
from calsync.cli.logs import JsonLines, Lines, start_logging
from calsync.cli.output import print_json
from calsync.errors import CalsyncError, DatabaseBusy, SettingsError, UsageError
from calsync.settings import Log

Cli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in before[0]:
            root.removeHandler(handler)
            if isinstance(handler, logging.StreamHandler) and handler.stream is not sys.stderr:
                handler.stream.close()
            handler.close()
    root.handlers[:], root.level = before[0], before[1]


def _raise(error: BaseException) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("no"), 2),
        (SettingsError("x.toml", ()), 2),
        (DatabaseBusy("locked"), 1),
        (CalsyncError("no"), 1),
        (KeyboardInterrupt(), 130),
        (SystemExit(3), 3),
        (SystemExit(None), 0),
        (SystemExit("text"), 1),
        (ZeroDivisionError(), 1),
    ],
)
def test_exit_statuses(
    error: BaseException, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert guarded(_raise(error)) == status
    assert guarded(lambda: None) == 0


def test_an_error_says_what_where_and_what_to_do() -> None:
    error = DatabaseBusy("it is locked", where="x.db", todo="Run: calsync status")
    assert describe(error) == "Error: it is locked.\nWhere: x.db\nTo do: Run: calsync status"


@pytest.mark.parametrize("trap", ["a link", "anybody may write there", "somebody else's"])
def test_details_are_never_written_where_others_of_this_machine_lie_in_wait(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trap: str,
) -> None:
    """The folder for temporary files is everybody's, and the name of ours is no secret."""
    (tmp_path / "no folder").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "no folder"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder, theirs = tmp_path / f"calsync-{os.getuid()}", tmp_path / "theirs"
    theirs.mkdir()
    if trap == "a link":
        folder.symlink_to(theirs)
    else:
        folder.mkdir()
        folder.chmod(0o777 if trap == "anybody may write there" else 0o755)
        if trap == "somebody else's":
            if os.getuid() != 0:
                pytest.skip("only root can give a folder away")
            os.chown(folder, 12345, 12345)
    for place in {folder, theirs}:
        (place / "errors.log").write_text("was\n")
    assert guarded(_raise(ZeroDivisionError("Ada is not a number"))) == 1
    assert "could not be written anywhere" in capsys.readouterr().err
    assert (folder / "errors.log").read_text() == "was\n"


def test_details_go_into_a_folder_of_our_own_where_there_is_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no folder").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "no folder"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for _ in range(2):
        assert guarded(_raise(ZeroDivisionError())) == 1
    folder = tmp_path / f"calsync-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "errors.log").read_text().count("ZeroDivisionError") >= 2
    assert str(folder / "errors.log") in capsys.readouterr().err


def test_text_from_outside_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    guarded(_raise(UsageError("room \x1b[31mred\x07", todo="a\r\nb")))
    assert "\x1b" not in (err := capsys.readouterr().err)
    assert "\x07" not in err
    assert "\r" not in err


def test_the_unforeseen_gives_a_reference_and_a_private_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for _ in range(2):
        guarded(_raise(ZeroDivisionError("hidden")))
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 2
    assert "hidden" not in err
    assert "Traceback" not in err
    path = tmp_path / "calsync" / "errors.log"
    assert str(path) in err
    references = re.findall(r"reference ([0-9a-f]{8})", err)
    kept = path.read_text()
    assert all(reference in kept for reference in references)
    assert kept.count("ZeroDivisionError: hidden") == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_unforeseen_without_any_place_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("calsync.cli.choke._folders", lambda: [tmp_path / "file" / "under"])
    assert guarded(_raise(ZeroDivisionError())) == 1
    assert "could not be written" in capsys.readouterr().err


def test_developers_may_see_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALSYNC_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        guarded(_raise(ZeroDivisionError()))
    with pytest.raises(UsageError):
        guarded(_raise(UsageError("no")))


# --- through the command line ----------------------------------------------------------------


def test_wrong_settings_are_all_shown(cli: Cli, settings_file: Path) -> None:
    settings_file.write_text("[worker]\nthreds = 3\n[api]\nport = -1\n")
    ran = cli("status")
    assert ran.status == 2
    assert f"{settings_file}:2: worker.threds" in ran.err
    assert f"{settings_file}:4: api.port" in ran.err
    assert ran.out == ""


def test_no_settings_file(cli: Cli, tmp_path: Path) -> None:
    ran = cli("status", "--settings", str(tmp_path / "none.toml"))
    assert ran.status == 2
    assert "settings.example.toml" in ran.err


@pytest.mark.parametrize(
    "arguments", [["nosuch"], ["status", "--nosuch"], ["rooms", "map"], ["demo", "--rooms", "many"]]
)
def test_wrong_usage(cli: Cli, arguments: list[str]) -> None:
    ran = cli(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err


def test_a_database_that_cannot_be_used(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "calsync.db").write_bytes(b"not a database" * 500)
    ran = cli("status")
    assert ran.status == 1
    assert "Where: " in ran.err
    assert "To do: " in ran.err


def test_a_reader_that_goes_away() -> None:
    script = (
        "from calsync.cli.choke import guarded; import sys\n"
        "def flood():\n"
        "    while True: print('x' * 1000)\n"
        "sys.exit(guarded(flood))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(timeout=30) == 1
        assert process.stderr.read() == b""


# --- for programs ------------------------------------------------------------------------------


def error_of(ran: Ran) -> dict[str, object]:
    """The one line on stderr, and nothing on stdout."""
    assert ran.out == ""
    (line,) = ran.err.splitlines()
    error: dict[str, object] = json.loads(line)["error"]
    assert error["what"]
    return error


def test_with_json_an_error_is_json(cli: Cli, settings_file: Path, tmp_path: Path) -> None:
    ran = cli("explain", "nobody", "--json")
    assert ran.status == 2
    assert error_of(ran)["where"] == "nobody"
    assert "history" in str(error_of(ran)["todo"])
    for words in (
        ["rooms", "map"],
        ["status", "--nosuch"],
        ["nosuch"],
        ["demo", "--rooms", "many"],
    ):
        ran = cli(*words, "--json")
        assert ran.status == 2
        assert error_of(ran)["todo"] == "See: calsync --help"
    settings_file.write_text("[worker]\nthreds = 3\n[api]\nport = -1\n")
    found = error_of(cli("status", "--json"))
    assert [p["line"] for p in found["problems"]] == [2, 4]  # type: ignore[attr-defined]  # a list
    settings_file.write_text("")
    (tmp_path / "calsync.db").write_bytes(b"not a database" * 500)
    ran = cli("status", "--json")
    assert ran.status == 1
    assert error_of(ran)["where"]


def test_with_json_the_unforeseen_is_json(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert guarded(_raise(ZeroDivisionError("hidden")), as_json=True) == 1
    said = capsys.readouterr().err
    assert "reference" in json.loads(said)["error"]["what"]
    assert "hidden" not in said


def test_json_output_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[31m\x9b31m\u202e\ud800\x7f ä"
    print_json({"name": hostile})
    out = capsys.readouterr().out
    assert all(sign.isprintable() or sign == "\n" for sign in out)
    assert "ä" in out
    assert json.loads(out) == {"name": hostile}
    guarded(_raise(UsageError(hostile)), as_json=True)
    err = capsys.readouterr().err
    assert err.strip().isprintable()
    assert json.loads(err)["error"]["what"] == hostile


@pytest.mark.parametrize(
    "words",
    [
        ["--rooms", "-5"],
        ["--rooms", "many"],
        ["--people", "-1"],
        ["--buildings", "-1"],
        ["--events-per-room", "1.5"],
        ["--rooms", "999999999"],
        ["--port", "x"],
        ["--nosuch"],
    ],
)
def test_the_sandbox_says_what_is_wrong_with_its_words(cli: Cli, words: list[str]) -> None:
    ran = cli("sandbox", *words)
    assert ran.status == 2
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == ["Error", "To do"]
    assert words[0] in ran.err


def test_a_report_that_cannot_be_written_is_said_before_the_demo(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "no" / "such" / "folder.json"
    ran = cli("demo", "--report", str(path))
    assert ran.status == 2
    assert "Errno" not in ran.err
    assert f"Where: {path}" in ran.err
    assert "To do: " in ran.err


# --- help ------------------------------------------------------------------------------------

VERBS = [
    ["init"],
    ["check"],
    ["demo"],
    ["serve"],
    ["sync"],
    ["plan"],
    ["status"],
    ["explain"],
    ["resync"],
    ["restore"],
    ["conflicts", "list"],
    ["conflicts", "show"],
    ["conflicts", "resolve"],
    ["guard", "show"],
    ["guard", "approve"],
    ["rooms", "list"],
    ["rooms", "discover"],
    ["rooms", "suggest"],
    ["rooms", "import"],
    ["rooms", "export"],
    ["rooms", "map"],
    ["rooms", "unmap"],
    ["rooms", "resume"],
    ["tokens", "create"],
    ["tokens", "list"],
    ["tokens", "revoke"],
    ["version"],
]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_explains_itself_and_speaks_json(cli: Cli, verb: list[str]) -> None:
    ran = cli(*verb, "--help")
    assert ran.status == 0
    assert "--json" in ran.out
    if verb[0] not in ("demo", "version"):
        assert "--settings" in ran.out


def test_the_first_page_names_every_verb(cli: Cli) -> None:
    ran = cli("--help")
    for verb in [*VERBS, ["sandbox"]]:
        assert re.search(rf"\b{verb[0]}\b", ran.out)
    assert "settings.example.toml" in ran.out


def test_importing_the_command_line_is_light() -> None:
    """Vendor packages load only for the verbs that need them."""
    script = (
        "import sys, calsync.cli.main\n"
        "print([m for m in ('O365', 'fastapi', 'msal', 'apscheduler') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# --- the log ---------------------------------------------------------------------------------


def _record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("calsync.x", logging.WARNING, "", 1, message, arguments, None)


def test_an_entry_of_the_log_cannot_look_like_two() -> None:
    text = Lines().format(_record("room %s", "a\n2026 ERROR forged"))
    assert "\n" not in text
    assert text.endswith("WARNING calsync.x: room a?2026 ERROR forged")


def test_json_lines() -> None:
    import json

    entry = json.loads(JsonLines().format(_record("room %s", "a\nb")))
    assert (entry["level"], entry["message"]) == ("warning", "room a\nb")


def test_the_log_file_is_private_and_holds_what_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "calsync.log"
    start_logging(Log(level="info", file=str(path)))
    logging.getLogger("calsync.x").info("said")
    logging.getLogger("calsync.x").debug("not said")
    logging.getLogger("another.library").info("not said either")
    assert [line.partition("calsync.x: ")[2] for line in path.read_text().splitlines()] == ["said"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="log file"):
        start_logging(Log(file=os.fspath(tmp_path)))


def test_output_onto_a_full_disk_is_no_riddle(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calsync.cli.choke._mute", lambda _: None)
    assert guarded(_raise(OSError(errno.ENOSPC, "No space left on device"))) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in said] == ["Error", "Where", "To do"]
    assert "No space left on device" in said[0]


@pytest.mark.parametrize("port", ["taken", "99999"])
def test_a_sandbox_that_cannot_listen(cli: Cli, port: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = str(taken.getsockname()[1]) if port == "taken" else port
        ran = cli("sandbox", "--port", number, "--json")
    assert ran.status == 2
    assert "cannot listen there" in ran.err
    assert "Choose another --port" in ran.err


def test_an_interrupt_while_the_verbs_load_shows_no_traceback() -> None:
    child = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "calsync", "version"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # In the background Ctrl-C is ignored, and the child would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stderr is not None
    said = []
    # "import time: … typer": the verbs are being loaded.
    for line in child.stderr:
        said.append(line)
        if re.search(r"\btyper\.", line):
            child.send_signal(signal.SIGINT)
            break
    said += child.stderr.readlines()
    child.stderr.close()
    assert child.wait(20) == -signal.SIGINT
    assert "Traceback" not in "".join(said)
