"""``calsync conflicts``: what waits for a person, and what was decided without one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from calsync.cli.conflicts_resolve import resolve
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, chosen_pairs, opened
from calsync.cli.output import print_json, print_line, print_table, when
from calsync.cli.times import span
from calsync.errors import UsageError
from calsync.model import Side
from calsync.setup.questions import Question, State, Version, questions

app = typer.Typer(help="List conflicts, look at one, settle it.", no_args_is_help=True)
app.command("resolve")(resolve)


@app.command("list")
def show_all(
    rooms: Annotated[
        list[str] | None, typer.Argument(help="Only these rooms; without any, all.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also what was decided; what lost can be brought back.")
    ] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """List what is parked and waits for you."""
    with opened(settings) as home:
        found = questions(home, chosen_pairs(home, rooms or []), every=every)
    if as_json:
        print_json({"conflicts": [document(one) for one in found]})
        return
    print_table(
        ["id", "room", "state", "kind", "this", "that", "since (UTC)"],
        [
            (
                one.id,
                one.pair.room_id,
                one.state.value,
                one.kind,
                _short(one, one.this),
                _short(one, one.that),
                when(one.at) if one.at else "",
            )
            for one in found
        ],
        empty="Nothing waits for you.",
    )
    if any(one.state is State.OPEN for one in found):
        print_line(
            "Look at one: calsync conflicts show ID. Settle it: calsync conflicts resolve ID"
        )


@app.command("show")
def show(
    conflict: Annotated[str, typer.Argument(help="Its id, as conflicts list shows it.")],
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Show one conflict: this against that, why, and what each answer would do."""
    with opened(settings) as home:
        found = find(questions(home, home.store.pairs(), every=True), conflict)
    if as_json:
        print_json(document(found))
        return
    print_line(f"{found.kind} in room {found.pair.room_id}, {found.state.value}")
    print_line(f"  why:  {found.reason}")
    print_line(f"  this: {_long(found, found.this)}")
    print_line(f"  that: {_long(found, found.that)}")
    for line in answers(found):
        print_line(f"  {line}")
    for version in (found.this, found.that):
        if version.link is not None:
            key = version.link.booking.key or version.link.event.key or version.link.id
            print_line(f"  Its history: calsync explain {key}")
            if not found.clash:
                break


def find(found: list[Question], name: str) -> Question:
    """The question of this id. Raises UsageError where there is none."""
    named = [one for one in found if one.id == name]
    named = named or [one for one in found if name in _keys(one) and one.state is State.OPEN]
    if not named:
        raise UsageError(
            "there is no such conflict", where=name, todo="See: calsync conflicts list --all"
        )
    return named[0]


def _keys(one: Question) -> set[str | None]:
    return {
        key
        for version in (one.this, one.that)
        if (link := version.link) is not None
        for key in (link.id, link.booking.key, link.event.key)
    }


def answers(one: Question) -> list[str]:
    """What each answer would do, in a line."""
    ask = f"calsync conflicts resolve {one.id} --keep"
    if one.state is State.ANSWERED:
        return [f"It was answered. To take that back: calsync restore {one.pair.room_id} --at TIME"]
    if one.state is not State.OPEN:
        if one.that.occupancy is None:
            return ["What lost was a deletion: delete the booking on either side to have it."]
        return [
            f"{ask} that  brings back what lost, if its time is free and the room may change it",
            f"{ask} both  books what lost in another room",
        ]
    if one.clash:
        return [
            f"{ask} this  the other gives up the room, and its person is told",
            f"{ask} that  the same, the other way round",
            f"{ask} both  one stays, the other is booked in another room",
        ]
    return [
        f"{ask} this  {_does(one.this)}",
        f"{ask} that  {_does(one.that)}",
        f"{ask} both  this stays, that is booked in another room",
    ]


def _does(version: Version) -> str:
    if version.occupancy is None:
        return "it is deleted on the other side, too"
    other = "Outlook" if version.side is Side.BOOKING else "the platform"
    return f"{other} gets what the {version.side.value} side shows"


def _short(one: Question, version: Version) -> str:
    what = span(version.occupancy, one.pair.zone) if version.occupancy else "deleted"
    return f"{version.side.value}: {what}"


def _long(one: Question, version: Version) -> str:
    if version.occupancy is None:
        return f"on the {version.side.value} side: deleted, or not there"
    title = f" “{version.occupancy.title}”" if version.occupancy.title else ""
    link = version.link
    who = ""
    if link is not None:
        name = link.person.name or link.person.address
        born = "on the platform" if link.origin is Side.BOOKING else "in Outlook"
        who = f", booked {born}" + (f" by {name}" if name else "")
    return f"on the {version.side.value} side:{title} {span(version.occupancy, one.pair.zone)}{who}"


def document(one: Question) -> dict[str, Any]:
    """For programs."""
    return {
        "id": one.id,
        "room_id": one.pair.room_id,
        "kind": one.kind,
        "state": one.state,
        "policy": one.policy,
        "reason": one.reason,
        "at": one.at,
        "clash": one.clash,
        "this": _version(one.this),
        "that": _version(one.that),
    }


def _version(version: Version) -> dict[str, Any]:
    link, there = version.link, version.occupancy
    return {
        "side": version.side,
        "link_id": link.id if link else None,
        "booking": link.booking.key if link else None,
        "event": link.event.key if link else None,
        "start": there.start if there else None,
        "end": there.end if there else None,
        "zone": there.zone if there else None,
        "title": there.title if there else None,
        "series": bool(there and there.recurrence),
        "deleted": there is None,
    }
