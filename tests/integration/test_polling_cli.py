"""The verbs where another platform holds the bookings ([booking] kind = "http")."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.booking_http.directory import NEEDED
from calsync.settings import parse
from tests.integration.api_kit import Served, open_door, served
from tests.scenarios.facing_kit import polling
from tests.scenarios.fault_kit import Said, calsync


@pytest.fixture(scope="module")
def door() -> Iterator[Any]:
    with open_door() as opened:
        yield opened


@pytest.fixture
def world(door: Any, tmp_path: Path) -> Iterator[Served]:
    with served(door, tmp_path) as world:
        yield world


class Desk:
    """An admin's folder."""

    def __init__(self, world: Served, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.file = folder / "calsync.toml"
        (folder / "secret").write_text("s", encoding="utf-8")
        (folder / "secret").chmod(0o600)
        self.write(*NEEDED, "details:read")

    def write(self, *scopes: str) -> None:
        token = self.world.hub.service.tokens.create("desk", scopes)[1]
        self.file.write_text(
            f"""
            [database]
            url = "sqlite:///{self.folder}/calsync.db"
            [[connections]]
            name = "contoso"
            tenant_id = "contoso.example"
            client_id = "c"
            cloud = "custom"
            login_url = "http://127.0.0.1:9"
            graph_url = "http://127.0.0.1:9"
            client_secret_file = "{self.folder}/secret"
            {polling(self.folder, self.world.server.url, token)}
            """,
            encoding="utf-8",
        )

    def __call__(self, *arguments: str) -> Said:
        return calsync(*arguments, "--settings", str(self.file))

    def platform(self) -> dict[str, str]:
        """What ``check`` says of the platform: where to level."""
        found = json.loads(self("check", "--no-write", "--json").out)["findings"]
        return {one["where"]: one["level"] for one in found if one["about"] == "platform"}


@pytest.fixture
def desk(world: Served, tmp_path: Path) -> Desk:
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(world, folder)


def test_rooms_come_from_the_platform_and_are_mapped_here(desk: Desk) -> None:
    listed = json.loads(desk("rooms", "list", "--json").out)["rooms"]
    assert [(one["id"], one["name"], one["capacity"]) for one in listed] == [
        ("r1", "Room 1", 4),
        ("r2", "Room 2", 6),
        ("r3", "Room 3", None),
        ("r4", "Room 4", 20),
    ]
    assert desk("rooms", "map", "r1", "r1@contoso.example").code == 0
    for arguments, why in (
        (("rooms", "map", "r9", "r9@contoso.example"), "the platform has no such room"),
        (("rooms", "map", "r2", "r2@contoso.example", "--name", "Else"), "names its rooms"),
        (("rooms", "suggest", "--new", "--zone", "UTC"), "the platform makes its rooms"),
    ):
        said = desk(*arguments)
        assert (said.code != 0, why in said.err) == (True, True), said
    sheet = desk.folder / "rooms.csv"
    sheet.write_text("room,mailbox,zone\nr9,r9@contoso.example,UTC\n", encoding="utf-8")
    said = desk("rooms", "import", str(sheet), "--yes")
    assert said.code != 0
    assert "has no room r9" in said.err
    sheet.write_text("room,mailbox\nr2,r2@contoso.example\n", encoding="utf-8")
    assert desk("rooms", "import", str(sheet), "--yes").code == 0


def test_without_the_platform_the_rooms_are_those_of_the_last_time(desk: Desk) -> None:
    assert desk("rooms", "list").code == 0
    text = desk.file.read_text(encoding="utf-8")
    desk.file.write_text(text.replace(desk.world.server.url, "http://127.0.0.1:9"), "utf-8")
    said = desk("rooms", "list", "--json")
    assert said.code == 0
    assert len(json.loads(said.out)["rooms"]) == 4
    assert "no connection to the booking platform" in said.err


def test_check_says_what_is_missing_at_the_platform(desk: Desk) -> None:
    desk("rooms", "map", "r1", "r1@contoso.example", "--titles")
    url = desk.world.server.url
    assert desk.platform() == {url: "ok", "room r1": "ok"}
    desk.world.hub.service.set_titles("r1", titles=False)
    assert desk.platform() == {url: "ok", "room r1": "failed"}
    desk.write(*(scope for scope in NEEDED if scope != "bookings:mirror"))
    found = json.loads(desk("check", "--no-write", "--json").out)["findings"]
    (lacks,) = [one for one in found if "the token lacks" in one["what"]]
    assert "bookings:mirror" in lacks["what"]
    desk.write("busy:read")
    assert set(desk.platform().values()) == {"failed"}


def test_what_belongs_to_the_platform_is_refused_with_where_it_is(desk: Desk) -> None:
    desk("rooms", "map", "r1", "r1@contoso.example")
    for arguments in (
        ("feeds", "create", "r1"),
        ("webhooks", "add", "x", "https://example.com/x"),
        ("restore", "r1", "--at", "1h", "--yes"),
    ):
        said = desk(*arguments)
        assert said.code != 0, said
        assert "polls another booking platform" in said.err, said


def test_a_connectors_token_has_what_a_connector_needs(desk: Desk) -> None:
    made = json.loads(desk("tokens", "create", "b", "--connector", "--json").out)
    assert set(made["scopes"]) == {*NEEDED, "details:read"}


WRONG = [
    ('kind = "http"', "needs base_url"),
    ('kind = "http"\nbase_url = "https://x.example"', "needs token_env or token_file"),
    ('base_url = "https://x.example"', 'does not go with kind "hub"'),
    ('token_env = "X"', 'does not go with kind "hub"'),
    (
        'kind = "http"\nbase_url = "https://x.example"\ntoken_env = "X"\ntoken_file = "y"',
        "is given twice",
    ),
    ('kind = "http"\nbase_url = "http://x.example"\ntoken_env = "X"', "not a secure address"),
    ('kind = "http"\nbase_url = "https://x.example/a/../b"\ntoken_env = "X"', "leads elsewhere"),
    ('kind = "http"\nbase_url = "https://x.example/a?b"\ntoken_env = "X"', "is not an address"),
    ('kind = "http"\nbase_url = "https://u:p@x.example"\ntoken_env = "X"', "scheme, host and port"),
    ('token = "calsync_abc"', "a secret does not belong in the settings file"),
]


@pytest.mark.parametrize(("section", "why"), WRONG)
def test_settings_that_cannot_be(section: str, why: str) -> None:
    with pytest.raises(Exception, match="problem") as caught:
        parse(f"[booking]\n{section}")
    assert why in str(caught.value)


def test_settings_that_can_be(tmp_path: Path) -> None:
    text = '[booking]\nkind = "http"\nbase_url = "https://x.example/rooms/"\ntoken_file = "t"'
    read = parse(text, path=str(tmp_path / "calsync.toml")).booking
    assert read.base_url == "https://x.example/rooms"
    assert read.token_file == str(tmp_path / "t")
