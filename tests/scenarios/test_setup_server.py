"""Set-up of an Exchange Server as an admin does it, against the sandbox's EWS front over HTTP:
init, check, discover, map, sync; and a set-up with a tenant and a server in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from calsync.sandbox.ews.accounts import DEFAULT_PASSWORD, DEFAULT_USER
from calsync.settings import load
from tests.scenarios.fault_kit import ADA, Company, Said, calsync, company, day
from tests.scenarios.test_setup import SECRET, init, levels

PASSWORD = {"SETUP_PASSWORD": DEFAULT_PASSWORD}
USER = f"{DEFAULT_USER}@contoso.example"


@pytest.fixture(scope="module")
def tenant() -> Iterator[Company]:
    """A company of its own: what the service account may do is changed here."""
    with company() as made, patch.dict(os.environ, SECRET | PASSWORD):
        yield made


@pytest.fixture
def scoped(tenant: Company) -> Iterator[Company]:
    """The rights of the account as they were, afterwards."""
    yield tenant
    tenant.control("POST", "ews/accounts", {"name": DEFAULT_USER, "impersonates": None})
    tenant.calm()


def init_server(tenant: Company, path: Path, *more: str, env: dict[str, str] | None = None) -> Said:
    given = {
        "--kind": "ews",
        "--name": "onprem",
        "--endpoint": f"{tenant.url}/EWS/Exchange.asmx",
        "--auth": "basic",
        "--user": USER,
        "--password-env": "SETUP_PASSWORD",
    }
    given |= dict(zip(more[::2], more[1::2], strict=True))
    words = [word for pair in given.items() if pair[1] for word in pair]
    return calsync("init", *words, "--json", "--settings", str(path), env=PASSWORD | (env or {}))


def run(path: Path, *words: str) -> Said:
    return calsync(*words, "--settings", str(path), env=SECRET | PASSWORD)


def test_a_server_is_tried_and_its_password_written_nowhere(
    tenant: Company, tmp_path: Path
) -> None:
    path = tmp_path / "calsync.toml"
    said = init_server(tenant, path)
    assert (said.code, said.json()["written"]) == (0, True), said.out + said.err
    assert levels(said)["sign-in"] == levels(said)["version"] == "ok"
    assert DEFAULT_PASSWORD not in path.read_text() + said.out + said.err
    (entry,) = load(path).connections
    assert (entry.kind, entry.user, entry.server) == ("ews", USER, "se")
    assert init(tenant, path).code == 0, "a tenant beside it"
    assert [one.kind for one in load(path).connections] == ["ews", "graph"]


@pytest.mark.parametrize(
    ("changed", "env", "said"),
    [
        ((), {"SETUP_PASSWORD": "wrong"}, "Exchange refused the sign-in"),
        (("--user", "stranger@contoso.example"), {}, "Exchange refused the sign-in"),
        (("--password-env", ""), {}, "--password-env NAME_OF_A_VARIABLE"),
        (("--endpoint", ""), {}, "--endpoint is missing"),
        (("--endpoint", "http://mail.contoso.com"), {}, "not a secure address"),
        (("--endpoint", "https://outlook.office365.com/EWS/Exchange.asmx"), {}, "reached by Graph"),
        (("--auth", "magic"), {}, "must be one of"),
    ],
)
def test_what_does_not_work_is_said_and_nothing_is_written(
    tenant: Company, tmp_path: Path, changed: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    path = tmp_path / "calsync.toml"
    ran = init_server(tenant, path, *changed, env=env)
    assert ran.code != 0
    assert said in ran.out + ran.err
    assert not path.exists()


def test_check_finds_what_is_wrong_with_the_scope(scoped: Company, tmp_path: Path) -> None:
    path = tmp_path / "calsync.toml"
    assert init_server(scoped, path, "--server", "2019").code == 0
    room, other = scoped.new_room(), scoped.new_room()
    mapped = run(path, "rooms", "map", "r1", room, "--zone", "Europe/Berlin", "--json")
    assert mapped.json()["mailbox_opens"] is True
    wide = run(path, "check", "--outside", ADA, "--json")
    assert wide.code == 1
    assert levels(wide) == {
        "sign-in": "ok", "version": "warning", "places": "note", "read": "ok", "write": "ok",
        "zone": "ok", "clock": "ok", "scope": "failed",
    } | {"places": levels(wide)["places"]}  # fmt: skip
    (loud,) = [one for one in wide.json()["findings"] if one["commands"]]
    shown = "\n".join(loud["commands"])
    assert "New-ManagementRoleAssignment -Name 'calsync impersonation'" in shown
    assert f"Set-Mailbox '{room}' -CustomAttribute1 'calsync'" in shown
    assert USER in shown
    scoped.control("POST", "ews/accounts", {"name": DEFAULT_USER, "impersonates": [room]})
    narrow = run(path, "check", "--outside", ADA, "--json")
    assert narrow.code == 0, narrow.out
    assert levels(narrow)["scope"] == "ok"
    scoped.control("POST", "ews/accounts", {"name": DEFAULT_USER, "impersonates": [other]})
    lost = run(path, "check", "--outside", ADA, "--json")
    assert (lost.code, levels(lost)["read"]) == (1, "failed")
    assert "connect-exchange-server" in lost.out


def test_rooms_of_a_tenant_and_of_a_server_sync_in_one_set_up(
    tenant: Company, tmp_path: Path
) -> None:
    path = tmp_path / "calsync.toml"
    assert init_server(tenant, path).code == 0
    assert init(tenant, path).code == 0
    boxes = {"onprem": tenant.new_room(), "sandbox": tenant.new_room()}
    for connection, box in boxes.items():
        words = ("rooms", "map", connection, box, "--zone", "Europe/Berlin")
        assert run(path, *words, "--connection", connection).code == 0
        tenant.book(box, day(2))
    ran = run(path, "sync", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert {one["room_id"]: one["writes"] for one in ran.json()["rooms"]} == {
        "onprem": 1,
        "sandbox": 1,
    }
    again = run(path, "sync", "--json")
    assert again.code == 0
    assert {one["writes"] for one in again.json()["rooms"]} == {0}
