"""``calsync rooms suggest``: which room is which room mailbox."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calsync.cli.choke import say
from calsync.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    SettingsPath,
    connected,
    platform_rooms,
    polls,
)
from calsync.cli.output import print_json, print_line, print_table
from calsync.cli.rooms_discover import Addresses, addresses
from calsync.cli.rooms_export import write_sheet
from calsync.errors import UsageError
from calsync.model import Room
from calsync.settings import checks

if TYPE_CHECKING:
    from calsync.bootstrap import System


def suggest(
    new: Annotated[
        bool,
        typer.Option(
            "--new", help="Also suggest a new room for each mailbox that fits none; needs --zone."
        ),
    ] = False,
    zone: Annotated[
        str, typer.Option(help="The time zone of new rooms, such as Europe/Berlin.")
    ] = "",
    titles: Annotated[
        bool,
        typer.Option("--titles", help="With --out: carry the subjects of the rooms' bookings."),
    ] = False,
    least: Annotated[
        int, typer.Option(min=1, max=100, help="Leave out what scores less than this.")
    ] = 50,
    address: Addresses = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the suggestions to this file, for calsync rooms import."),
    ] = None,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Suggest which room is which room mailbox, by name, seats and building. Maps nothing.

    Looks at rooms and mailboxes that are not mapped. Each suggestion has a score (100 is best)
    and a reason; look twice at those that another fits as well. Write them to a file, change
    what you know better, and map them with calsync rooms import.
    """
    if new and not zone:
        raise UsageError(
            "new rooms need a time zone", todo="Add --zone, such as --zone Europe/Berlin"
        )
    if zone:
        try:
            zone = str(checks.zone(zone))
        except checks.Wrong as wrong:
            raise UsageError(f"--zone: {wrong.what}", todo=wrong.todo) from None
    named = addresses(address)
    if new and polls(settings):
        raise UsageError("the platform makes its rooms", todo="Leave --new out")
    if note := platform_rooms(settings):
        say(f"Note: {note}")
    with connected(settings) as system:
        found = _suggestions(system, named, zone=zone if new else "", least=least)
    if out is not None:
        _write(out, found, titles=titles)
    if as_json:
        print_json({"suggestions": found, "file": str(out) if out else None})
        return
    _print(found)
    if found:
        into = str(out) if out else "FILE"
        first = "" if out else "Write them to a file with --out FILE, look through it, then: "
        print_line(f"{first}calsync rooms import {into}")


def _suggestions(
    system: System, named: list[str], *, zone: str, least: int
) -> list[dict[str, Any]]:
    from calsync.setup.directory import find
    from calsync.setup.suggest import new_ids
    from calsync.setup.suggest import suggest as best

    pairs = system.home.store.pairs()
    mapped_rooms = {pair.room_id for pair in pairs}
    mapped = {pair.mailbox for pair in pairs}
    rooms = [stored.room for stored in system.home.bookings.rooms()]
    mailboxes = [
        one
        for one in find(system, addresses=named)
        if one.calendar.address not in mapped and one.opens is not False
    ]
    connection = {one.calendar.address: one.connection for one in mailboxes}
    free = [room for room in rooms if room.id not in mapped_rooms]
    found = [
        _entry(one.room, one.calendar.address, connection, one.score, one.reason, one.rival)
        for one in best(free, [m.calendar for m in mailboxes], least=least)
    ]
    if zone:
        taken = {entry["mailbox"] for entry in found}
        left = [m.calendar for m in mailboxes if m.calendar.address not in taken]
        for address, room_id in new_ids(left, [room.id for room in rooms]).items():
            calendar = next(c for c in left if c.address == address)
            room = Room(
                id=room_id,
                name=calendar.name,
                zone=zone,
                building=calendar.building,
                floor=calendar.floor,
                capacity=calendar.capacity,
            )
            found.append(_entry(room, address, connection, None, "new room", ""))
    return found


def _entry(
    room: Room,
    mailbox: str,
    connection: dict[str, str],
    score: int | None,
    reason: str,
    rival: str,
) -> dict[str, Any]:
    return {
        "room": room,
        "mailbox": mailbox,
        "connection": connection[mailbox],
        "new": score is None,
        "score": score,
        "reason": reason,
        "rival": rival,
    }


def _remark(entry: dict[str, Any]) -> str:
    doubt = f"; {entry['rival']} fits as well" if entry["rival"] else ""
    return f"{entry['reason']}{doubt}"


def _write(path: Path, found: list[dict[str, Any]], *, titles: bool) -> None:
    from calsync.setup.roomsheet import COLUMNS, REMARKS, row_of
    from calsync.setup.sheets import written

    rows = []
    for entry in found:
        row = row_of(entry["room"], None)
        row[COLUMNS.index("mailbox")] = entry["mailbox"]
        row[COLUMNS.index("connection")] = entry["connection"]
        row[COLUMNS.index("titles")] = "yes" if titles else "no"
        score = "" if entry["score"] is None else entry["score"]
        rows.append([*row, score, _remark(entry)])
    write_sheet(path, written((*COLUMNS, *REMARKS), rows))


def _print(found: list[dict[str, Any]]) -> None:
    print_table(
        ["room", "name", "mailbox", "score", "why"],
        [
            (
                entry["room"].id,
                entry["room"].name,
                entry["mailbox"],
                "new" if entry["new"] else entry["score"],
                _remark(entry),
            )
            for entry in found
        ],
        empty="Nothing to suggest: no room and mailbox that are not mapped fit. For new rooms:"
        " calsync rooms suggest --new --zone ZONE",
    )
