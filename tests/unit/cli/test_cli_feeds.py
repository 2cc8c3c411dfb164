"""``calsync feeds`` against a real database."""

from collections.abc import Callable

from cli_samples import Ran

Cli = Callable[..., Ran]


def test_create_list_revoke(cli: Cli) -> None:
    assert cli("rooms", "map", "atrium", "a@x.test", "--zone", "Europe/Berlin").status == 0
    made = cli("feeds", "create", "atrium", "--name", "door", "--details", "--json").json
    assert [p.rpartition(".")[2] for p in made["paths"]] == ["ics", "ifb", "json"]
    assert made["paths"][0].startswith(f"/feeds/atrium/{made['id']}-")
    secret = made["paths"][0].partition("-")[2].partition(".")[0]
    listed = cli("feeds", "list")
    assert "door" in listed.out
    assert secret not in listed.out
    (one,) = cli("feeds", "list", "--json").json["feeds"]
    assert (one["room_id"], one["details"], one["revoked"]) == ("atrium", True, None)
    assert cli("feeds", "revoke", made["id"]).status == 0
    assert cli("feeds", "list", "--json").json["feeds"][0]["revoked"]


def test_addresses_stand_alone_on_their_lines(cli: Cli) -> None:
    cli("rooms", "map", "atrium", "a@x.test", "--zone", "Europe/Berlin")
    lines = cli("feeds", "create", "atrium").out.splitlines()
    assert [line.startswith("/feeds/atrium/") for line in lines] == [False, True, True, True, False]


def test_what_is_not_there_is_said(cli: Cli) -> None:
    ran = cli("feeds", "create", "nowhere")
    assert (ran.status, "no room" in ran.err) == (2, True)
    assert "No feeds yet" in cli("feeds", "list").out
    assert "no feed with this id" in cli("feeds", "revoke", "x").err
