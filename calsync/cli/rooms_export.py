"""``calsync rooms export``: rooms and mappings as a sheet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from calsync.cli.choke import say
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, opened, platform_rooms
from calsync.cli.output import print_json, print_line
from calsync.errors import UsageError


def export(
    out: Annotated[
        Path | None, typer.Option(help="The file to write; without one it is printed.")
    ] = None,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Write all rooms and what each is mapped to as CSV, for a spreadsheet and rooms import.

    A cell that a spreadsheet would run as a formula (it begins with = + - @ or a control
    character) gets an apostrophe before it, which import takes off again.
    """
    from calsync.setup.roomsheet import COLUMNS
    from calsync.setup.roomsheet import export as sheet

    if note := platform_rooms(settings):
        say(f"Note: {note}")
    with opened(settings) as home:
        rooms = [stored.room for stored in home.bookings.rooms()]
        pairs = {pair.room_id: pair for pair in home.store.pairs()}
    text = sheet(rooms, pairs)
    if out is not None:
        write_sheet(out, text)
    if as_json:
        print_json(
            {"rooms": len(rooms), "file": str(out) if out else None, "columns": COLUMNS}
            | ({} if out else {"csv": text})
        )
    elif out is not None:
        print_line(f"{len(rooms)} room(s) written to {out}.")
    else:
        sys.stdout.write(text.replace("\r\n", "\n"))


def write_sheet(path: Path, text: str) -> None:
    """UTF-8 with a mark, by which Excel knows it. Raises UsageError where it cannot be written."""
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"the file cannot be written: {error.strerror}",
            where=str(path),
            todo="Check the folder and its rights",
        ) from None
