"""``calsync feeds``: secret addresses by which displays read one room each."""

from __future__ import annotations

from typing import Annotated

import typer

from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, bookings_here, opened
from calsync.cli.output import print_json, print_line, print_table, when

app = typer.Typer(
    help="Make, list and revoke the room feeds that door displays read.", no_args_is_help=True
)
ENDINGS = (".ics", ".ifb", ".json")


@app.command("create")
def create(
    room: Annotated[str, typer.Argument(help="The room's id, as rooms list shows it.")],
    name: Annotated[str, typer.Option(help="Which display it is for.")] = "",
    details: Annotated[
        bool, typer.Option("--details", help="Show titles and names, where the room has them.")
    ] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Make the address of a room feed. It is shown once: calsync keeps only a hash of it.

    Whoever knows the address can read the room's times, so make one for each display.
    """
    with opened(settings) as home:
        bookings_here(home, todo="Make the room's feed there")
        feed, path = home.feeds.create(room, name.strip(), details=details)
    if as_json:
        print_json(
            {
                "id": feed.id,
                "room": feed.room_id,
                "name": feed.name,
                "details": feed.details,
                "paths": [f"{path}{ending}" for ending in ENDINGS],
            }
        )
        return
    print_line(f"Feed {feed.id} of room {feed.room_id}, below the address of the API:")
    for ending in ENDINGS:
        # Plain, so that no line break gets into it when it is copied or piped.
        typer.echo(f"{path}{ending}")
    print_line("Keep it now: it is not stored.")


@app.command("list")
def show(settings: SettingsPath = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """List all feeds, revoked ones included; never their addresses."""
    with opened(settings) as home:
        found = home.feeds.list()
    if as_json:
        fields = ("id", "room_id", "name", "details", "created", "revoked")
        print_json({"feeds": [{f: getattr(feed, f) for f in fields} for feed in found]})
        return
    print_table(
        ["id", "room", "name", "shows", "made (UTC)", "revoked (UTC)"],
        [
            (
                *(f.id, f.room_id, f.name, "details" if f.details else "times"),
                *(when(f.created), when(f.revoked) if f.revoked else ""),
            )
            for f in found
        ],
        empty="No feeds yet. Make one with: calsync feeds create ROOM",
    )


@app.command("revoke")
def revoke(
    feed_id: Annotated[str, typer.Argument(help="Its id, as feeds list shows it.")],
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Make a feed's address void, from the next request on."""
    with opened(settings) as home:
        feed = home.feeds.revoke(feed_id)
    if as_json:
        print_json({"id": feed.id, "room": feed.room_id, "revoked": feed.revoked})
    else:
        print_line(f"Feed {feed.id} of room {feed.room_id} is void.")
