"""``calsync rooms import``: rooms and mappings from a sheet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calsync.cli.choke import say
from calsync.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    SettingsPath,
    opened,
    platform_rooms,
    polls,
)
from calsync.cli.output import print_json, print_line, print_table
from calsync.errors import UsageError
from calsync.model import OrganizerFallback, Pair, Reaction, Room, WriteAs

if TYPE_CHECKING:
    from calsync.bootstrap import Home
    from calsync.setup.roomsheet import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one line does: ``make``, ``change`` or ``map`` a room, or ``nothing``."""

    entry: Entry
    room: Room
    what: str


def import_(
    file: Annotated[Path, typer.Argument(help="A sheet as rooms export and suggest write it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Make rooms and map them as a CSV file says; shown first, and asked.

    All of the file is checked before anything is done: a mailbox maps once. An empty cell leaves
    things as they are, a room that the file does not name stays as it is, and nothing is
    unmapped. Nothing is written to either side before the next sync.
    """
    from calsync.setup.roomsheet import read_entries
    from calsync.setup.sheets import read

    entries = read_entries(read(file))
    if note := platform_rooms(settings):
        say(f"Note: {note}")
    with opened(settings) as home:
        steps = _steps(home, entries, str(file))
        if polls(home.settings):
            _check_known(home, steps, str(file))
        due = [step for step in steps if step.what]
        if not as_json:
            _print(steps)
        if not dry_run and due:
            if as_json and not yes:
                raise UsageError("with --json nobody can be asked", todo="Add --yes or --dry-run")
            if not yes:
                typer.confirm(f"Do this for {len(due)} room(s)?", abort=True)
            for step in due:
                _carry_out(home, step)
    done = not dry_run
    if as_json:
        print_json(
            {
                "done": done,
                "rooms": [
                    {
                        "line": step.entry.line,
                        "room_id": step.room.id,
                        "mailbox": step.entry.mailbox,
                        "what": step.what,
                    }
                    for step in steps
                ],
            }
        )
    elif due and done:
        print_line(f"{len(due)} room(s) done. See what the first sync would do: calsync plan")


def _steps(home: Home, entries: list[Entry], path: str) -> list[Step]:
    """What each line does. Raises UsageError with all that cannot be done."""
    from calsync.setup.roomsheet import problems

    rooms = {stored.room.id: stored.room for stored in home.bookings.rooms()}
    pairs = {pair.room_id: pair for pair in home.store.pairs()}
    taken = {pair.mailbox: pair.room_id for pair in pairs.values()}
    wrong: list[str] = []
    steps: list[Step] = []
    for entry in entries:
        old, pair = rooms.get(entry.room), pairs.get(entry.room)
        why = _hindrance(home, entry, old, pair, taken)
        if why:
            wrong.append(f"line {entry.line}: {why}")
            continue
        room = entry.room_over(old)
        steps.append(Step(entry=entry, room=room, what=_what(entry, room, old, pair)))
    if wrong:
        raise problems(path, wrong)
    return steps


def _hindrance(
    home: Home, entry: Entry, old: Room | None, pair: Pair | None, taken: dict[str, str]
) -> str:
    if old is None and not entry.zone:
        return f"room {entry.room} is new and needs a zone"
    if not entry.mailbox:
        return "" if not entry.connection else "a connection without a mailbox maps nothing"
    owner = taken.get(entry.mailbox)
    if owner is not None and owner != entry.room:
        return f"{entry.mailbox} is mapped to room {owner} already; unmap that one first"
    if pair is not None and pair.mailbox != entry.mailbox:
        return f"room {entry.room} is mapped to {pair.mailbox} already; unmap it first"
    names = [one.name for one in home.settings.connections]
    if entry.connection and entry.connection not in names:
        return f"there is no connection {entry.connection} in the settings"
    if not entry.connection and pair is None and len(names) != 1:
        return "the settings have not exactly one connection: fill in the column connection"
    if f"={Reaction.WARN}" in entry.outlook_rules:
        return home.settings.notices.unheard
    return ""


def _what(entry: Entry, room: Room, old: Room | None, pair: Pair | None) -> str:
    parts = []
    if old is None:
        parts.append("make")
    elif room != old:
        parts.append("change")
    if entry.mailbox and pair is None:
        parts.append("map")
    elif pair is not None and _changes(entry, pair):
        parts.append("change the mapping")
    return " and ".join(parts)


def _changes(entry: Entry, pair: Pair) -> bool:
    wanted = (entry.connection, entry.zone, entry.edit_policy, entry.clash_policy)
    there = (pair.connection, pair.zone, pair.edit_policy.value, pair.clash_policy.value)
    other = any(new not in ("", old) for new, old in zip(wanted, there, strict=True))
    ruled = entry.outlook_rules not in ("", pair.own_reactions)
    ruled = ruled or entry.write_as not in ("", pair.write_as)
    ruled = ruled or entry.organizer_fallback not in ("", pair.organizer_fallback)
    return other or ruled or entry.titles not in (None, pair.titles)


def _check_known(home: Home, steps: list[Step], path: str) -> None:
    """Rooms of a platform that is polled are made and named there. Raises UsageError."""
    from calsync.setup.roomsheet import problems

    rooms = {stored.room.id: stored.room for stored in home.bookings.rooms()}
    wrong = [
        f"line {step.entry.line}: the platform has no room {step.room.id} that is as this line says"
        for step in steps
        if rooms.get(step.room.id) != step.room
    ]
    if wrong:
        raise problems(path, wrong)


def _carry_out(home: Home, step: Step) -> None:
    from calsync.bootstrap import map_room

    entry = step.entry
    home.bookings.put_room(step.room)
    pair = home.mappings.find(entry.room)
    if not entry.mailbox and pair is None:
        return
    map_room(
        home,
        room_id=entry.room,
        mailbox=entry.mailbox or (pair.mailbox if pair else ""),
        connection=entry.connection or (pair.connection if pair else ""),
        zone=step.room.zone,
        titles=entry.titles if entry.titles is not None else bool(pair and pair.titles),
        edit=entry.edit_policy or (pair.edit_policy.value if pair else ""),
        clash=entry.clash_policy or (pair.clash_policy.value if pair else ""),
        outlook_rules=entry.outlook_rules or (pair.own_reactions if pair else ""),
        write_as=WriteAs(entry.write_as or (pair.write_as if pair else "room")),
        organizer_fallback=OrganizerFallback(
            entry.organizer_fallback or (pair.organizer_fallback if pair else "refuse")
        ),
    )


def _print(steps: list[Step]) -> None:
    print_table(
        ["line", "room", "name", "mailbox", "what"],
        [
            (
                step.entry.line,
                step.room.id,
                step.room.name,
                step.entry.mailbox,
                step.what or "nothing: it is so already",
            )
            for step in steps
        ],
        empty="The file names no rooms.",
    )
