"""``calsync webhooks`` against a real database."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_samples import Ran

Cli = Callable[..., Ran]
URL = "http://127.0.0.1:9/hook"


def test_add_list_rotate_disable_enable_remove(cli: Cli, settings_file: Path) -> None:
    made = cli("webhooks", "add", "acme", URL, "--scope", "bookings:read", "--json").json
    assert made["secret"].startswith("whsec_")
    assert made["scopes"] == ["bookings:read"]
    assert (settings_file.parent / "calsync.key").stat().st_mode & 0o777 == 0o600
    one = made["id"]
    assert made["secret"] not in cli("webhooks", "list").out
    renewed = cli("webhooks", "rotate", one, "--keep", "2", "--json").json
    assert renewed["secret"] != made["secret"]
    assert renewed["former_secret_until"]
    assert "disabled since" in cli("webhooks", "disable", one).out
    (listed,) = cli("webhooks", "list", "--json").json["webhooks"]
    assert (listed["why"], listed["queued"]) == ("by the admin", 0)
    assert cli("webhooks", "enable", one, "--json").json["disabled"] is None
    assert cli("webhooks", "list", one).out.strip() == "Nothing was sent to this endpoint yet."
    assert cli("webhooks", "replay", one, "--json").json["replayed"] == 0
    assert cli("webhooks", "remove", one, "--yes").status == 0
    assert "No webhooks yet" in cli("webhooks", "list").out


def test_the_secret_stands_alone_on_its_line(cli: Cli) -> None:
    lines = cli("webhooks", "add", "acme", URL).out.splitlines()
    assert lines[1].startswith("whsec_")
    assert " " not in lines[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "acme", "http://rooms.example.com/"), "https://"),
        (("add", "acme", "https://10.0.0.7/"), "allowed_networks"),
        (("add", "acme", URL, "--scope", "everything"), "unknown scope"),
        (("add", "acme", URL, "--room", "nowhere"), "no room nowhere"),
        (("add", " ", URL), "needs a name"),
        (("rotate", "nobody"), "no webhook endpoint"),
        (("list", "nobody"), "no webhook endpoint"),
        (("replay", "nobody", "--since", "2026-11-20", "--message", "m"), "two choices"),
    ],
)
def test_what_cannot_be_says_why(cli: Cli, words: tuple[str, ...], said: str) -> None:
    ran = cli("webhooks", *words)
    assert ran.status == 2
    assert said in ran.err
