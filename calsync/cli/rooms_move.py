"""``calsync rooms move``: rooms whose mailbox moved to another connection, with a look before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calsync.cli.carry import carry_out
from calsync.cli.choke import FAILED, say
from calsync.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    SettingsPath,
    chosen_pairs,
    connected,
    opened,
)
from calsync.cli.output import print_json, print_line, print_table
from calsync.errors import CalsyncError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from calsync.bootstrap import System
    from calsync.model import Pair


@dataclass(slots=True, kw_only=True)
class Look:
    """What a move of one room comes to. ``why_not``: empty where it can be done."""

    pair: Pair
    known: int = 0
    found: int = 0
    changed: int = 0
    missing: list[str] = field(default_factory=list)
    why_not: str = ""
    forced: bool = False

    @property
    def possible(self) -> bool:
        return not self.why_not or self.forced

    def show(self) -> dict[str, Any]:
        return {
            "room": self.pair.room_id,
            "mailbox": self.pair.mailbox,
            "from": self.pair.connection,
            "linked": self.known,
            "found": self.found,
            "changed": self.changed,
            "missing": self.missing,
            "why_not": self.why_not,
        }


def move(
    rooms: Annotated[list[str], typer.Argument(help="Ids of rooms on the booking side.")],
    to: Annotated[str, typer.Option("--to", help="The connection that reaches them by now.")],
    accept_missing: Annotated[
        bool,
        typer.Option(
            "--accept-missing",
            help="Move also where many meetings are not in the mailbox any more: they count as"
            " deleted, and the guard asks before that is carried over.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be found.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Say that mailboxes moved, from Exchange Server to the cloud or back.

    Their rooms keep mapping, links and history: each meeting is found again by its global id.
    Nothing is written on either side, and nobody is told. Shown first, and asked. Done by calsync
    serve if it runs, else at once.
    """
    if as_json and not (yes or dry_run):
        raise UsageError("with --json nobody can be asked", todo="Add --yes or --dry-run")
    with connected(settings, dry_run=True) as system:
        pairs = [p for p in chosen_pairs(system.home, rooms) if p.connection != to]
        looks = [_look(system, pair, to, forced=accept_missing) for pair in pairs]
    if not as_json:
        _print(looks, to, rooms)
    able = [one for one in looks if one.possible]
    outcomes: list[dict[str, Any]] = []
    if able and not dry_run:
        if not yes:
            typer.confirm(f"Move {len(able)} room(s) to {to}?", abort=True)
        outcomes = _ask(settings, able, to, accept_missing=accept_missing)
    if as_json:
        print_json({"to": to, "rooms": [one.show() for one in looks], "moves": outcomes})
    else:
        for outcome in outcomes:
            _tell(outcome)
    undone = any(one["state"] == "failed" or one["error"] for one in outcomes)
    if undone or len(able) < len(looks):
        raise typer.Exit(FAILED)


def _look(system: System, pair: Pair, to: str, *, forced: bool) -> Look:
    from calsync.engine.calls import run_inline
    from calsync.engine.relocate import look
    from calsync.model import Side
    from calsync.reconcile.observe import last_seen

    try:
        seen = run_inline(look(system.context, pair, to))
    except UsageError:
        raise
    except CalsyncError as error:
        return Look(pair=pair, why_not=str(error))
    lost = [last_seen(link, Side.CALENDAR) for link in seen.lost]
    return Look(
        pair=pair,
        known=seen.known,
        found=len(seen.rematched.found),
        changed=len(seen.rematched.changed),
        missing=sorted(f"{one.start:%Y-%m-%d %H:%M}" for one in lost if one is not None),
        why_not=seen.why_not,
        forced=forced,
    )


def _ask(
    settings: Path, looks: list[Look], to: str, *, accept_missing: bool
) -> list[dict[str, Any]]:
    detail = {"to": to} | ({"accept_missing": True} if accept_missing else {})
    with opened(settings) as home:
        numbers = [home.requests.ask(one.pair.id, "move", detail) for one in looks]
    return [
        {"room": one.pair.room_id} | carry_out(settings, one.pair, number)
        for one, number in zip(looks, numbers, strict=True)
    ]


def _print(looks: list[Look], to: str, rooms: list[str]) -> None:
    for room in dict.fromkeys(rooms):
        if all(one.pair.room_id != room for one in looks):
            print_line(f"Room {room} is reached through {to} already.")
    print_table(
        ["room", "mailbox", "from", "linked", "found", "changed since", "missing"],
        [
            (
                one.pair.room_id,
                one.pair.mailbox,
                one.pair.connection,
                str(one.known),
                str(one.found),
                str(one.changed),
                str(len(one.missing)),
            )
            for one in looks
        ],
        empty="There is nothing to move.",
        title=f"Meetings found again through {to}",
    )
    for one in looks:
        if one.why_not:
            said = "moved all the same" if one.possible else "not moved"
            say(f"Room {one.pair.room_id}, {said}: {one.why_not}")
        for start in one.missing[:5]:
            print_line(f"Room {one.pair.room_id}: the meeting of {start} is not there any more.")


def _tell(outcome: dict[str, Any]) -> None:
    match outcome["state"]:
        case "done":
            print_line(f"Room {outcome['room']}: {outcome['result']} (by {outcome['by']}).")
        case "failed":
            say(f"Room {outcome['room']}: {outcome['result']}.")
        case _:
            why = f" ({outcome['error']})" if outcome["error"] else ""
            say(f"Room {outcome['room']}: not yet{why}; it is moved with its next sync.")
