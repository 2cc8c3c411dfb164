"""``calsync tokens``: who may use the HTTP API."""

from __future__ import annotations

from typing import Annotated

import typer

from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, opened
from calsync.cli.output import print_json, print_line, print_table, when
from calsync.errors import UsageError

app = typer.Typer(help="Make, list and revoke the tokens of the HTTP API.", no_args_is_help=True)

#: What a booking platform needs: everything but changing rooms, and monitoring.
DEFAULT_SCOPES = ["rooms:read", "busy:read", "bookings:read", "bookings:write", "details:read"]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whom it is for, such as the platform's name.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it allows; repeat for more: rooms:read, rooms:write, busy:read,"
            " bookings:read, bookings:write, bookings:mirror, details:read, metrics:read. Without"
            " any: what a platform needs, all but rooms:write, bookings:mirror and metrics:read."
        ),
    ] = None,
    connector: Annotated[
        bool,
        typer.Option(
            "--connector",
            help="For another calsync that polls this one, or any connector: what a platform"
            " needs, and bookings:mirror.",
        ),
    ] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Make a token. It is shown once and cannot be shown again: calsync keeps only its hash."""
    if not name.strip():
        raise UsageError("a token needs a name", todo="Name whom it is for")
    scopes = list(scope or DEFAULT_SCOPES)
    if connector:
        scopes = [*(scope or ()), *DEFAULT_SCOPES, "bookings:mirror"]
    with opened(settings) as home:
        token, text = home.bookings.tokens.create(name.strip(), scopes)
    if as_json:
        print_json(
            {"id": token.id, "name": token.name, "scopes": sorted(token.scopes), "token": text}
        )
        return
    print_line(f"Token {token.id} for {token.name} ({', '.join(sorted(token.scopes))}):")
    # Plain, so that no line break gets into it when it is copied or piped.
    typer.echo(text)
    print_line("Keep it now: it is not stored. Send it as: Authorization: Bearer <token>")


@app.command("list")
def show(settings: SettingsPath = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """List all tokens, revoked ones included; never their secrets."""
    with opened(settings) as home:
        found = home.bookings.tokens.list()
    if as_json:
        print_json(
            {
                "tokens": [
                    {
                        "id": token.id,
                        "name": token.name,
                        "scopes": sorted(token.scopes),
                        "created": token.created,
                        "revoked": token.revoked,
                    }
                    for token in found
                ]
            }
        )
        return
    print_table(
        ["id", "name", "scopes", "made (UTC)", "revoked (UTC)"],
        [
            (
                token.id,
                token.name,
                " ".join(sorted(token.scopes)),
                when(token.created),
                when(token.revoked) if token.revoked else "",
            )
            for token in found
        ],
        empty="No tokens yet. Make one with: calsync tokens create NAME",
    )


@app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(help="Its id, as tokens list shows it.")],
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Make a token void, from the next request on."""
    with opened(settings) as home:
        token = home.bookings.tokens.revoke(token_id)
    if as_json:
        print_json({"id": token.id, "name": token.name, "revoked": token.revoked})
    else:
        print_line(f"Token {token.id} ({token.name}) is void.")
