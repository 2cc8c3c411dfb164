"""``calsync check``: everything that has to be right, tried on the real thing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calsync.cli.choke import FAILED
from calsync.cli.findings import print_commands, print_findings
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, chosen_pairs, connected
from calsync.cli.output import clean, print_json, print_line
from calsync.errors import UsageError
from calsync.settings import checks, load
from calsync.setup.findings import Finding, Level

if TYPE_CHECKING:
    from calsync.bootstrap import System
    from calsync.model import Pair
    from calsync.setup.processing import RoomRules
    from calsync.setup.sheets import Line


def check(
    rooms: Annotated[
        list[str] | None, typer.Argument(help="Only these rooms; without any, all.")
    ] = None,
    outside: Annotated[
        list[str] | None,
        typer.Option(
            help="A mailbox that calsync must not be able to read, such as your own; repeat for"
            " more."
        ),
    ] = None,
    no_write: Annotated[
        bool,
        typer.Option(
            "--no-write", help="Only read: leave out the event that is made and deleted at once."
        ),
    ] = False,
    processing: Annotated[
        Path | None,
        typer.Option(
            help="Also read the booking rules of the rooms from this file, which"
            " Get-CalendarProcessing | Export-Csv wrote, and compare them."
        ),
    ] = None,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Try the sign-in, every right, every room, the clock, zones and the end of the credential.

    In each mapped room an event is made and deleted at once: free, private, without attendees,
    and far ahead, so that nobody sees it. A mailbox outside the rooms must not open. Exit
    status 1 if anything failed; warnings and notes leave it 0.
    """
    from calsync.setup.checks import check_all

    named = [_address(one) for one in outside or []]
    read = load(settings)
    with connected(read) as system:
        pairs = chosen_pairs(system.home, rooms or [])
        rules = _rules(system, pairs, processing) if processing is not None else None
        findings = check_all(system, pairs, outside=named, write=not no_write)
        if as_json:
            found = list(findings)
        else:
            found = print_findings(findings)
    failed = any(one.level is Level.FAILED for one in found)
    if as_json:
        out: dict[str, object] = {"ok": not failed, "findings": found}
        if rules is not None:
            out["processing"] = _document(*rules)
        print_json(out)
    else:
        print_commands(found)
        if rules is not None:
            _print_rules(*rules)
        _print_sum(found)
    if failed:
        raise typer.Exit(FAILED)


def _address(text: str) -> str:
    try:
        return str(checks.mailbox(text))
    except checks.Wrong as wrong:
        raise UsageError(f"--outside: {wrong.what}", todo=wrong.todo) from None


def _print_sum(found: list[Finding]) -> None:
    counted = {level: sum(one.level is level for one in found) for level in Level}
    said = [f"{count} {level.value}" for level, count in counted.items() if count]
    print_line("")
    print_line(f"{', '.join(said)}." if said else "Nothing to check.")


# --- booking rules ---------------------------------------------------------------------------


def _rules(
    system: System, pairs: list[Pair], file: Path
) -> tuple[list[RoomRules], list[Pair], list[Line]]:
    """The rules of each room, the rooms that the file does not have, and lines of no room."""
    from calsync.mapping.booking_rules import NO_RULES
    from calsync.setup.processing import Named, PlatformRules, find_lines, judge
    from calsync.setup.sheets import read

    settings = system.home.settings
    stored = {one.room.id: one for one in system.home.bookings.rooms()}
    names = {room_id: one.room.name for room_id, one in stored.items()}
    sheet = read(file)
    known = {"automateprocessing", "bookingwindowindays", "allowconflicts", "deletesubject"}
    if not known & set(sheet.columns):
        raise UsageError(
            "this file holds no booking rules",
            where=str(file),
            todo="Export it with Get-CalendarProcessing; docs/how-to/read-booking-rules.md has the"
            " command",
        )
    rooms = [Named(pair.mailbox, (names.get(pair.room_id, ""), pair.room_id)) for pair in pairs]
    lines, others = find_lines(sheet, rooms)
    platform = settings.platform

    def allowed(pair: Pair) -> PlatformRules:
        """What the platform set for this room counts, else what the settings say of all."""
        rules = stored[pair.room_id].rules if pair.room_id in stored else NO_RULES
        longest = rules.longest and int(rules.longest.total_seconds() // 60)
        return PlatformRules(
            book_ahead_days=rules.ahead.days if rules.ahead else platform.book_ahead_days,
            longest_minutes=longest or platform.longest_minutes,
            series=platform.series,
            titles=pair.titles,
            horizon=settings.window.future_days,
        )

    found = [
        judge(pair.mailbox, lines[pair.mailbox], allowed(pair))
        for pair in pairs
        if pair.mailbox in lines
    ]
    return found, [pair for pair in pairs if pair.mailbox not in lines], others


def _document(found: list[RoomRules], missing: list[Pair], others: list[Line]) -> dict[str, object]:
    from calsync.setup.powershell import processing_command

    return {
        "rooms": [
            {
                "mailbox": one.mailbox,
                "line": one.line,
                "surprises": [
                    {"rule": s.rule, "now": s.now, "what": s.what, "change": s.change}
                    for s in one.surprises
                ],
                "command": processing_command(one.mailbox, one.changes) if one.changes else "",
            }
            for one in found
        ],
        "missing": [pair.mailbox for pair in missing],
        "other_lines": [line.number for line in others],
    }


def _print_rules(found: list[RoomRules], missing: list[Pair], others: list[Line]) -> None:
    from calsync.setup.powershell import processing_command, processing_export

    print_line("")
    print_line("Booking rules:")
    for one in found:
        print_line(f"  {one.mailbox}: " + ("" if one.surprises else "nothing that surprises"))
        for surprise in one.surprises:
            print_line(f"    {surprise.rule} is {surprise.now}: {surprise.what}")
    for pair in missing:
        print_line(f"  {pair.mailbox}: the file has no line of it")
    if others:
        print_line(f"  {len(others)} line(s) of the file belong to no mapped room")
    commands = [processing_command(one.mailbox, one.changes) for one in found if one.changes]
    if commands:
        print_line("To align them, paste what you agree with into Exchange Online PowerShell:")
        for line in commands:
            typer.echo(clean(line))
    if missing:
        print_line("To export the rules of the missing ones:")
        typer.echo(clean(processing_export(pair.mailbox for pair in missing)))
