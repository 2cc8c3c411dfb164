"""``calsync resync``: a room read anew from both sides, with a look before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from calsync.cli.carry import carry_out, tell
from calsync.cli.choke import FAILED
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, connected, mapped, opened
from calsync.cli.output import print_json, print_line
from calsync.cli.plan import preview_room, print_room
from calsync.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def resync(
    room: Annotated[str, typer.Argument(help="The id of the room on the booking side.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Read a room anew from both sides, whatever was read before, and put right what differs.

    Shows first what that would write, delete and mail, and asks. Links stay: what was agreed on
    is still known, and the guard asks before much is deleted. Done by calsync serve if it runs,
    else at once. (sync --full does the same without a look, and only while serve does not run.)
    """
    if as_json and not (yes or dry_run):
        raise UsageError("with --json nobody can be asked", todo="Add --yes or --dry-run")
    shown = _look(settings, room)
    if not as_json:
        print_room(shown)
    if shown["error"] or dry_run:
        if as_json:
            print_json({"plan": shown, "state": None})
        if shown["error"]:
            raise typer.Exit(FAILED)
        return
    if not yes:
        typer.confirm(f"Read room {room} anew and do this?", abort=True)
    with opened(settings) as home:
        pair = mapped(home, room)
        number = home.requests.ask(pair.id, "resync", {})
        stopped = bool(home.store.states()[pair.id].halted)
    outcome: dict[str, Any] = carry_out(settings, pair, number)
    if as_json:
        print_json({"plan": shown} | outcome)
        failed = outcome["state"] == "failed" or bool(outcome["error"])
    else:
        if stopped:
            print_line(f"The room stands still until you answer: calsync guard show {room}")
        failed = tell(outcome)
    if failed:
        raise typer.Exit(FAILED)


def _look(settings: Path, room: str) -> dict[str, Any]:
    with connected(settings, dry_run=True) as system:
        return preview_room(system, mapped(system.home, room), full=True)
