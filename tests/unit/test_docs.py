"""What is documented is what there is: verbs, settings, links, commands, locks, licences."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import click
import pytest
from typer.main import get_command

from calsync.adapters.hub.telling import KINDS as TOLD
from calsync.api.problems import KINDS
from calsync.cli.main import app
from calsync.errors import CalsyncError, SettingsError, UsageError
from calsync.model import NoticeKind
from calsync.sandbox.__main__ import main as sandbox_main
from calsync.sandbox.acts import KINDS as ACTS
from calsync.sandbox.faults import KINDS as FAULTS
from calsync.settings import Settings
from calsync.settings.checks import duration
from calsync.settings.model import Connection, RoomEntry
from calsync.settings.notices import Channel

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
#: Options of nearly every verb: said once, above the table.
SHARED = {"--help", "--settings", "--json"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# --- the command line ------------------------------------------------------------------------


def verbs() -> dict[str, set[str]]:
    """Every verb with its own options, as the command line itself has them."""
    found: dict[str, set[str]] = {}

    def walk(command: click.Command, name: str) -> None:
        below = getattr(command, "commands", None)
        if below:
            for word, one in below.items():
                walk(one, f"{name} {word}")
            return
        options = {
            opt
            for p in command.params
            if p.param_type_name == "option"
            for opt in (*p.opts, *p.secondary_opts)
        }
        found[name] = options - SHARED

    walk(get_command(app), "calsync")
    return found


def documented_verbs() -> dict[str, str]:
    """Verb → its row in the reference. Words in capitals or brackets are arguments."""
    rows = re.findall(r"^\| `(calsync [^`]+)` \| (.*) \|$", text("docs/reference/cli.md"), re.M)
    return {" ".join(word for word in head.split() if word.islower()): rest for head, rest in rows}


def test_every_verb_is_documented_and_no_other() -> None:
    assert set(documented_verbs()) == set(verbs())


@pytest.mark.parametrize(("verb", "options"), verbs().items())
def test_every_option_stands_beside_its_verb(verb: str, options: set[str]) -> None:
    row = documented_verbs()[verb]
    said = set(re.findall(r"`(--?[a-z-]+)", row))
    assert said - SHARED == options


def test_every_option_of_the_sandbox_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        sandbox_main(["--help"])
    there = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    page = text("docs/reference/cli.md").partition("Options of `calsync sandbox`")[2]
    assert set(re.findall(r"`(--[a-z-]+)", page)) == there


# --- settings --------------------------------------------------------------------------------


def settings() -> dict[str, object]:
    """Dotted name → default (MISSING where there is none)."""
    found: dict[str, object] = {}
    defaults = Settings()
    for section in fields(Settings):
        value = getattr(defaults, section.name)
        if is_dataclass(value):
            for one in fields(value):
                found[f"{section.name}.{one.name}"] = getattr(value, one.name)
    for name, kind in (
        ("connections", Connection),
        ("rooms", RoomEntry),
        ("channels", Channel),
    ):
        found |= {f"{name}.{one.name}": one.default for one in fields(kind)}
    return found


def documented_settings() -> dict[str, str]:
    rows = re.findall(
        r"^\| (`[a-z_.`, ]+`) \| ([^|]*) \|", text("docs/reference/settings.md"), re.M
    )
    return {name: default for names, default in rows for name in re.findall(r"`([^`]+)`", names)}


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(documented_settings()) == set(settings())


@pytest.mark.parametrize(("name", "default"), settings().items())
def test_the_documented_default_is_the_default(name: str, default: object) -> None:
    said = documented_settings()[name]
    if said == "–":
        assert default in (MISSING, "", None)
        return
    value: object = tomllib.loads(f"value = {said.strip('`')}")["value"]
    if isinstance(default, float) and isinstance(value, str):
        value = duration(0, 10**9)(value)
    if isinstance(value, dict):
        value = list(value.items())
    if hasattr(default, "isoformat"):
        default = default.isoformat()[:5]
    assert (list(default) if isinstance(default, tuple) else default) == value


# --- problems --------------------------------------------------------------------------------


def test_every_problem_type_is_documented_and_no_other() -> None:
    rows = re.findall(
        r"^\| `([a-z-]+)` \| (\d{3}) \| (.+) \| (.+) \|$", text("docs/reference/problems.md"), re.M
    )
    assert {code: int(status) for code, status, _, _ in rows} == {
        code: status for code, (status, _) in KINDS.items()
    }
    assert {code: title for code, _, title, _ in rows} == {
        code: title for code, (_, title) in KINDS.items()
    }
    assert all(todo.endswith(".") for *_, todo in rows)


def kinds_of_error(kind: type[CalsyncError] = CalsyncError) -> Iterator[type[CalsyncError]]:
    """Those of ``errors.py``: what an admin can meet. The API's own are problems."""
    for below in kind.__subclasses__():
        if below.__module__ == CalsyncError.__module__:
            yield below
            yield from kinds_of_error(below)


def test_every_kind_of_error_is_documented_with_its_exit_status_and_no_other() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\d) \| (?:.+) \| (.+) \|$", text("docs/reference/errors.md"), re.M
    )
    said = {name: int(status) for name, status, _ in rows}
    assert said == {
        kind.__name__: 2 if issubclass(kind, SettingsError | UsageError) else 1
        for kind in kinds_of_error()
    }
    assert all(todo.rstrip(")").endswith(".") or "](" in todo for *_, todo in rows)


def test_every_notice_and_every_template_is_documented() -> None:
    page = text("docs/how-to/notices.md")
    kinds = {kind.value for kind in NoticeKind}
    assert set(re.findall(r"^\| `(\w+)` \| .* \| (?:on|off) \|$", page, re.M)) == kinds
    files = {path.name for path in (ROOT / "calsync/adapters/notify/templates").glob("*.txt")}
    assert set(re.findall(r"`(\w+\.txt)`", page)) == files


def test_the_page_of_the_sandbox_names_acts_and_faults_that_there_are() -> None:
    page = text("docs/how-to/act-in-the-sandbox.md")
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| .* \| .* \|$", page, re.M)
    named = {kind for row in rows for kind in re.findall(r"`([a-z_]+)`", row)}
    assert {"book", "cancel"} <= named <= set(ACTS)
    assert set(re.findall(r'"kind": "(\w+)", "count"', page)) <= set(FAULTS)


def test_every_page_is_in_the_list_of_documents() -> None:
    pages = {p.relative_to(ROOT / "docs") for p in (ROOT / "docs").glob("[!a]*/*.md")}
    listed = {
        Path(link) for link in re.findall(r"\]\(([a-z-]+/[a-z-]+\.md)\)", text("docs/README.md"))
    }
    assert pages <= listed


def test_every_kind_of_webhook_is_documented_and_no_other() -> None:
    page = text("docs/how-to/receive-webhooks.md")
    assert set(re.findall(r"^\| `([a-z-]+\.[a-z-]+)` \|", page, re.M)) == set(TOLD)


# --- pages -----------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors that a forge makes of a page's headings."""
    body = FENCE.sub("", page.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ (.+)$", body, re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_relative_link_is_broken(page: Path) -> None:
    body = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", body):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_decisions_are_numbered_without_gaps_and_complete() -> None:
    pages = sorted((ROOT / "docs/adr").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    for page in pages:
        body = page.read_text(encoding="utf-8")
        assert body.startswith(f"# {page.name[:4]}. ")
        missing = {"Context", "Decision", "Consequences"} - set(
            re.findall(r"^## (.+)$", body, re.M)
        )
        assert not missing, f"{page.name} lacks {missing}"


def test_every_make_command_is_a_target() -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.M))
    said = {
        word
        for page in PAGES
        for word in re.findall(r"(?:^|`)make (?:[A-Z]+=\S+ )?([a-z]+)", page.read_text(), re.M)
    }
    assert {"demo", "test", "bench", "check", "lock"} <= said
    assert said <= targets


def test_the_readme_says_how_to_see_and_test_it_in_two_commands() -> None:
    first = FENCE.search(text("README.md"))
    assert first is not None
    assert first.groups() == ("sh", "make demo\nmake test\n")


# --- what is kept in the repository ------------------------------------------------------------


def test_no_key_secret_or_database_is_kept_in_the_repository() -> None:
    """A test once left its key here, and it was taken in: every clone then sealed under one key."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    done = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True
    )
    kept = [Path(name) for name in done.stdout.split("\0") if name]
    assert Path("README.md") in kept
    secret = {".key", ".secret", ".token", ".pem", ".pfx", ".p12", ".db"}
    assert [str(path) for path in kept if path.suffix in secret] == []


# --- locks and licences ----------------------------------------------------------------------


def locked(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+) \\$", text(name), re.M))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_has_hashes_and_names_no_place(name: str) -> None:
    for block in re.split(r"\n(?=\S)", text(name).strip()):
        if not block.startswith("#"):
            assert "--hash=sha256:" in block, block.splitlines()[0]
    assert not re.search(r"://|^-|^\s*#.*\s/\w|--index|--find", text(name), re.M)


def test_the_locks_agree_and_cover_what_is_asked_for() -> None:
    run, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    assert run.items() <= dev.items()
    project = tomllib.loads(text("pyproject.toml"))["project"]

    def names(asked: list[str]) -> set[str]:
        return {re.split(r"[<>=\[ ]", one)[0].lower().replace("_", "-") for one in asked}

    assert names(project["dependencies"]) <= run.keys()
    assert names(project["optional-dependencies"]["dev"]) <= dev.keys()


@pytest.mark.parametrize("name", sorted(locked("requirements.lock")))
def test_nothing_at_run_time_is_under_a_gpl(name: str) -> None:
    try:
        meta = distribution(name).metadata
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed here")
    said = [meta.get("License-Expression") or "", (meta.get("License") or "").split("\n")[0]]
    said += [one for one in meta.get_all("Classifier") or [] if one.startswith("License")]
    assert any(said), f"{name} states no licence"
    assert not re.search(r"\b[AL]?GPL|General Public", " ".join(said))


# --- the walk of the README ------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def walk() -> tuple[str, str]:
    """The commands of terminal 1 and of terminal 2, on free ports, with longer waits."""
    section = text("README.md").partition("## A walk")[2].partition("\n## ")[0]
    first, *rest = [body for kind, body in FENCE.findall(section) if kind == "sh"]
    sandbox, api = free_port(), free_port()
    # After init has written the settings: the port of the API.
    port = f"printf '\\n[api]\\nport = {api}\\n' >> calsync.toml\n"
    second = "".join(rest).replace("calsync rooms discover\n", f"{port}calsync rooms discover\n", 1)
    second = re.sub(r"sleep (\d+)", lambda m: f"sleep {2 * int(m[1])}", second)
    ports = {"8901": str(sandbox), "8080": str(api)}
    for old, new in ports.items():
        first, second = first.replace(old, new), second.replace(old, new)
    return first.replace("make setup\n", "exec "), second


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if not (Path(sys.prefix) / "bin/calsync").exists():
        pytest.skip("calsync is not installed here: make test installs it")
    for tool in ("bash", "curl"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on this machine")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@pytest.mark.slow
def test_the_walk_of_the_readme_works_as_it_is_written(folder: Path) -> None:
    first, second = walk()
    settings_free = {k: v for k, v in os.environ.items() if not k.startswith("CALSYNC_")}
    tenant = subprocess.Popen(
        ["bash", "-ec", first], cwd=folder, env=settings_free, stdout=subprocess.PIPE
    )
    try:
        assert tenant.stdout is not None
        assert b"client_secret" in tenant.stdout.readline()
        script = second + "\nkill $!; wait $! || true; echo; cat serve.log >&2\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=settings_free,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        tenant.send_signal(signal.SIGTERM)
        tenant.communicate(timeout=60)
    states = re.findall(r'"bookingStatus":"(\w+)"', done.stdout)
    assert states == ["pending", "confirmed", "cancelled"], done.stdout + done.stderr
    assert '"subject":"Board"' in done.stdout
    assert "gone from the calendar" in done.stdout
