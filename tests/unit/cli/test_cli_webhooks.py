"""``calsync webhooks`` against a real database."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from cli_samples import Ran

from tests.support.receiver import a_receiver

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


def test_serve_sends_them_and_tells_how_it_is(cli: Cli, settings_file: Path) -> None:
    """The whole process: a booking over HTTP, its webhook, its feed, its figures; and a change
    that came while it did not run is told after the next start."""
    settings_file.write_text("[api]\nport = 0\nrequests_per_minute = 50\n")
    room = {"name": "Atrium", "timeZone": "Europe/Berlin"}
    scopes = [f"--scope={s}" for s in ("rooms:write", "bookings:write", "metrics:read")]
    token = cli("tokens", "create", "t", *scopes, "--json").json["token"]
    auth = {"Authorization": f"Bearer {token}"}
    wish = {"duration": "PT1H", "title": "Board"}
    with a_receiver() as receiver:
        made = cli("webhooks", "add", "acme", receiver.url, "--json").json
        for number, start in enumerate(("2026-12-01T09:00:00", "2026-12-02T09:00:00"), 1):
            with serving(settings_file) as url:
                assert requests.put(f"{url}/v1/rooms/r", json=room, headers=auth, timeout=5).ok
                booked = requests.post(
                    f"{url}/v1/rooms/r/bookings",
                    json={**wish, "start": start},
                    headers=auth,
                    timeout=5,
                )
                assert booked.status_code == 201
                assert booked.headers["RateLimit-Policy"] == '"default";q=50;w=60'
                got = receiver.wait_for(number)[-1]
                assert got.signed_by(made["secret"])
                assert got.doc["data"]["bookingId"] == booked.json()["id"]
                assert requests.get(f"{url}/readyz", timeout=5).json()["status"] == "ready"
                figures = requests.get(f"{url}/metrics", headers=auth, timeout=5).text
                assert "calsync_changes_total" in figures
                assert "Board" not in figures
                path = cli("feeds", "create", "r", "--json").json["paths"][2]
                assert requests.get(url + path, timeout=5).json()["room"]["id"] == "r"
    assert len(receiver.got) == 2
    (listed,) = cli("webhooks", "list", "--json").json["webhooks"]
    assert (listed["delivered"], listed["queued"]) == (2, 0)


@contextmanager
def serving(settings_file: Path) -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "calsync.cli.main", "serve", "--json"],
        env={**os.environ, "CALSYNC_SETTINGS": str(settings_file)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.terminate()
        assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
