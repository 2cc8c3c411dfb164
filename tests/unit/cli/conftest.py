from collections.abc import Callable
from pathlib import Path

import pytest
from cli_samples import FakeCalendar, Ran, fake_connect

from calsync.cli.main import run

SETTINGS = """
[[connections]]
name = "main"
tenant_id = "contoso.com"
client_id = "app"
client_secret_env = "CALSYNC_TEST_SECRET"
"""

Cli = Callable[..., Ran]


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings file that the command finds by itself, with its database beside it."""
    path = tmp_path / "calsync.toml"
    path.write_text(SETTINGS)
    monkeypatch.setenv("CALSYNC_SETTINGS", str(path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("CALSYNC_DEBUG", raising=False)
    return path


@pytest.fixture
def cli(settings_file: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command line in this process; its exit status and what it printed."""

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            run(arguments)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Ran(int(end.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> FakeCalendar:
    """A calendar side in memory, in place of every connection."""
    fake = FakeCalendar()
    monkeypatch.setattr("calsync.bootstrap.connect", fake_connect(fake))
    return fake
