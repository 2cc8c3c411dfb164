"""``calsync guard``: questions of the guard, and their answers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from calsync.cli.choke import FAILED
from calsync.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    SettingsPath,
    chosen_pairs,
    connected,
    opened,
)
from calsync.cli.output import print_json, print_line
from calsync.cli.plan import preview_room, print_room
from calsync.cli.rooms import Trust, answer
from calsync.errors import CalsyncError

app = typer.Typer(help="Show what the guard stopped, and answer it.", no_args_is_help=True)


@app.command("show")
def show(
    rooms: Annotated[
        list[str] | None, typer.Argument(help="Only these rooms; without any, all that stopped.")
    ] = None,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Show every room that stopped to ask you: why, and what would be done if you say yes.

    Reads both sides as a sync would; nothing is sent or changed. Exit status 1 while any waits.
    """
    with opened(settings) as home:
        states = home.store.states()
        stopped = [
            pair
            for pair in chosen_pairs(home, rooms or [])
            if (state := states.get(pair.id)) is not None and state.halted
        ]
    found: list[dict[str, Any]] = []
    if stopped:
        with connected(settings, dry_run=True) as system:
            for pair in stopped:
                entry: dict[str, Any] = {
                    "room_id": pair.room_id,
                    "question": states[pair.id].halted,
                }
                try:
                    entry["plan"] = preview_room(system, pair)
                except CalsyncError as error:
                    entry["plan"] = None
                    entry["error"] = str(error)
                found.append(entry)
    if as_json:
        print_json({"stopped": found})
    else:
        _print(found)
    if found:
        raise typer.Exit(FAILED)


def _print(found: list[dict[str, Any]]) -> None:
    if not found:
        print_line("No room is stopped.")
    for entry in found:
        room = entry["room_id"]
        print_line(f"Room {room} stands still: {entry['question']}")
        if entry["plan"] is not None:
            print_room(entry["plan"])
        else:
            print_line(f"  What it would do cannot be shown: {entry['error']}")
        print_line(f"  Let it pass once:    calsync guard approve {room}")
        print_line(f"  Only look again:     calsync guard approve {room} --check-again")
        print_line(f"  After a restore:     calsync guard approve {room} --trust SIDE")


@app.command("approve")
def approve(
    room: Annotated[str, typer.Argument(help="The id of the room on the booking side.")],
    check_again: Annotated[
        bool,
        typer.Option(
            "--check-again", help="Only look once more: it stops again if it is still so."
        ),
    ] = False,
    trust: Annotated[
        Trust | None,
        typer.Option(
            help="Join both sides anew instead: nothing is deleted, and where both differ this side"
            " is right (ask: those wait for you)."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Answer the guard: let the plan of a stopped room pass once, or say what else to do.

    The same as calsync rooms resume.
    """
    answer(settings, room, approve=not check_again, trust=trust, yes=yes, as_json=as_json)
