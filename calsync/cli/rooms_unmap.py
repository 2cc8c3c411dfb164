"""``calsync rooms unmap``: the end of a room's sync, with or without what calsync wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from calsync.cli.choke import FAILED, say
from calsync.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    SettingsPath,
    connected,
    mapped,
    opened,
)
from calsync.cli.output import print_json, print_line, print_table
from calsync.cli.times import span
from calsync.errors import UsageError

if TYPE_CHECKING:
    from calsync.model import Pair
    from calsync.setup.removal import Ours, Removed


def unmap(
    room: Annotated[str, typer.Argument(help="The id of the room on the booking side.")],
    remove_ours: Annotated[
        bool,
        typer.Option(
            "--remove-ours",
            help="Also delete what calsync wrote: its events in the room's calendar, and its"
            " bookings on the platform. Shown first, and asked.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --remove-ours: only show what would go.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """End the sync of a room.

    Bookings and events stay as they are on both sides; mapped again, calsync goes on from what it
    knew. With --remove-ours the mirrors that calsync made go: what people booked on one side
    stays there. If that is cut short, say it again.
    """
    if remove_ours:
        _with_ours(settings, room, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    if dry_run:
        raise UsageError("--dry-run goes with --remove-ours", where=f"room {room}")
    with opened(settings) as home:
        pair = mapped(home, room)
        home.mappings.remove_pair(pair.id)
    if as_json:
        print_json({"unmapped": pair})
    else:
        print_line(f"Room {room} is not synced with {pair.mailbox} any more; nothing was deleted.")


def _with_ours(settings: Any, room: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    if as_json and not (yes or dry_run):
        raise UsageError("with --json nobody can be asked", todo="Add --yes or --dry-run")
    with connected(settings) as system:
        from calsync.setup.removal import Removed, find_ours, remove

        home = system.home
        pair = home.mappings.find(room) or home.mappings.former(room) or mapped(home, room)
        items = find_ours(system, pair)
        if not as_json:
            _print(pair, items)
        result = Removed()
        if not dry_run:
            if not yes:
                typer.confirm(
                    f"Unmap room {room} and delete these {len(items)} item(s)?", abort=True
                )
            home.mappings.retire(pair.id)
            # Once more: a cycle may have been under way.
            items = find_ours(system, pair)
            result = remove(system, pair, items)
    _tell(pair, items, result, dry_run=dry_run, as_json=as_json)
    if result.left:
        raise typer.Exit(FAILED)


def _print(pair: Pair, items: list[Ours]) -> None:
    print_table(
        ["side", "when", "title"],
        [
            (one.side.value, span(one.seen.occupancy), one.seen.occupancy.title or "")
            for one in items
        ],
        empty=f"calsync wrote nothing for room {pair.room_id} that is still there.",
        title=f"What calsync wrote for {pair.room_id} ↔ {pair.mailbox}",
    )


def _tell(pair: Pair, items: list[Ours], result: Removed, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "unmapped": None if dry_run else pair,
                "ours": [
                    {
                        "side": one.side,
                        "key": one.seen.key,
                        "start": one.seen.occupancy.start,
                        "end": one.seen.occupancy.end,
                        "zone": one.seen.occupancy.zone,
                    }
                    for one in items
                ],
                "deleted": result.done,
                "left": [{"key": one.seen.key, "why": why} for one, why in result.left],
            }
        )
        return
    if dry_run:
        print_line("Nothing was changed.")
        return
    print_line(f"Room {pair.room_id} is not synced any more; {result.done} item(s) deleted.")
    for one, why in result.left:
        say(f"Left: {one.side.value} {span(one.seen.occupancy)}: {why}")
    if result.left:
        say(f"Try again: calsync rooms unmap {pair.room_id} --remove-ours")
