"""``calsync rooms``: which room is joined to which resource calendar."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calsync.cli.choke import say
from calsync.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    SettingsPath,
    connected,
    mapped,
    opened,
    platform_rooms,
    polls,
)
from calsync.cli.output import ago, plain, print_json, print_line, print_table
from calsync.cli.probe import look
from calsync.cli.rooms_discover import discover
from calsync.cli.rooms_export import export
from calsync.cli.rooms_import import import_
from calsync.cli.rooms_move import move
from calsync.cli.rooms_suggest import suggest
from calsync.cli.rooms_unmap import unmap
from calsync.errors import UsageError
from calsync.model import (
    ClashPolicy,
    EditPolicy,
    OrganizerFallback,
    Pair,
    Reaction,
    ResourceCalendar,
    Room,
    WriteAs,
)
from calsync.settings import checks

if TYPE_CHECKING:
    from calsync.bootstrap import Home

app = typer.Typer(help="List rooms, map them to room mailboxes, unmap them.", no_args_is_help=True)
app.command("discover")(discover)
app.command("suggest")(suggest)
app.command("import")(import_)
app.command("export")(export)
app.command("unmap")(unmap)
app.command("move")(move)


class Trust(StrEnum):
    """Which side is right where both differ, while they are joined anew."""

    CALENDAR = "calendar"
    BOOKING = "booking"
    ASK = "ask"


RoomId = Annotated[str, typer.Argument(help="The id of the room on the booking side.")]


# --- list ------------------------------------------------------------------------------------


@app.command("list")
def show(
    discover: Annotated[
        bool,
        typer.Option(
            "--discover", help="Also ask Exchange for the room mailboxes that calsync may see."
        ),
    ] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """List the rooms, and what each is mapped to."""
    _say(platform_rooms(settings))
    if discover:
        with connected(settings) as system:
            calendars = {
                name: list(link.side.resource_calendars()) for name, link in system.links.items()
            }
            _show(system.home, calendars, as_json=as_json)
    else:
        with opened(settings) as home:
            _show(home, None, as_json=as_json)


def _say(note: str) -> None:
    if note:
        say(f"Note: {note}")


def _show(
    home: Home, calendars: dict[str, list[ResourceCalendar]] | None, *, as_json: bool
) -> None:
    rooms = {stored.room.id: stored.room for stored in home.bookings.rooms()}
    pairs = {pair.room_id: pair for pair in home.store.pairs()}
    states = home.store.states()
    now = home.clock.now()
    if as_json:
        print_json(_listing(rooms, pairs, states, calendars))
        return
    print_table(
        ["room", "name", "building", "seats", "zone", "mailbox", "connection", "in sync as of"],
        [
            (
                room.id,
                room.name,
                room.building,
                room.capacity or "",
                room.zone,
                pair.mailbox if pair else "",
                pair.connection if pair else "",
                ago(states[pair.id].synced_at, now) if pair and pair.id in states else "",
            )
            for room in rooms.values()
            for pair in [pairs.get(room.id)]
        ],
        empty="No rooms yet. Make and map one with: calsync rooms map ROOM MAILBOX --zone ZONE",
    )
    if calendars is not None:
        mapped = {pair.mailbox: pair.room_id for pair in pairs.values()}
        print_line("")
        print_table(
            ["mailbox", "name", "building", "floor", "seats", "connection", "mapped to room"],
            [
                (
                    found.address,
                    found.name,
                    found.building,
                    found.floor,
                    found.capacity or "",
                    connection,
                    mapped.get(found.address, ""),
                )
                for connection, listed in calendars.items()
                for found in listed
            ],
            empty="No room mailboxes were shown. Check the connections in the settings, and that"
            " the app has the permission Place.Read.All.",
        )


def _listing(
    rooms: dict[str, Room],
    pairs: dict[str, Pair],
    states: dict[str, Any],
    calendars: dict[str, list[ResourceCalendar]] | None,
) -> dict[str, Any]:
    listed = []
    for room in rooms.values():
        pair = pairs.get(room.id)
        entry: dict[str, Any] = {**plain(room), "mapping": None}
        if pair is not None:
            state = states.get(pair.id)
            entry["mapping"] = {**plain(pair), "synced_at": state.synced_at if state else None}
        listed.append(entry)
    out: dict[str, Any] = {"rooms": listed}
    if calendars is not None:
        mapped = {pair.mailbox: pair.room_id for pair in pairs.values()}
        out["resource_calendars"] = [
            {**plain(found), "connection": name, "room_id": mapped.get(found.address)}
            for name, found_in in calendars.items()
            for found in found_in
        ]
    return out


# --- map -------------------------------------------------------------------------------------


@app.command("map")
def map_(
    room: RoomId,
    mailbox: Annotated[str, typer.Argument(help="The address of the room mailbox.")],
    connection: Annotated[
        str, typer.Option(help="The connection that reaches it; needed if there are several.")
    ] = "",
    zone: Annotated[
        str,
        typer.Option(help="The room's IANA time zone, such as Europe/Berlin; needed for new rooms"),
    ] = "",
    name: Annotated[str, typer.Option(help="The room's name, for people.")] = "",
    building: Annotated[
        str, typer.Option(help="Its building: free rooms of the same one are offered instead.")
    ] = "",
    capacity: Annotated[int | None, typer.Option(min=1, help="Its seats.")] = None,
    titles: Annotated[
        bool,
        typer.Option(
            "--titles/--no-titles",
            help="Store and carry the subjects of its bookings, or show them as booked only.",
        ),
    ] = False,
    edit_policy: Annotated[
        EditPolicy | None,
        typer.Option(help="Who wins when both sides changed one booking differently."),
    ] = None,
    clash_policy: Annotated[
        ClashPolicy | None,
        typer.Option(help="Who keeps the room when two bookings want it at one time."),
    ] = None,
    outlook_rules: Annotated[
        str,
        typer.Option(
            help="What Outlook's bookings get for breaking the room's rules, such as"
            ' "opening_hours=decline, seats=warn".'
        ),
    ] = "",
    write_as: Annotated[
        WriteAs,
        typer.Option(
            help="As what its bookings stand in Exchange: events of the room's own, or meetings in"
            " the calendars of the people who book, which wait for the room's answer."
        ),
    ] = WriteAs.ROOM,
    organizer_fallback: Annotated[
        OrganizerFallback,
        typer.Option(
            help="With --write-as organizer, where calsync may not write to the calendar of whoever"
            " booked: refuse the booking, or write it as an event of the room's own."
        ),
    ] = OrganizerFallback.REFUSE,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Join a room to a room mailbox, or change how it is joined.

    The room is made if it is new. Nothing is written to either side before the next sync, and
    calsync plan shows beforehand what that would do. The first import sends no mail. calsync
    looks whether the mailbox opens, and warns if not; without a network the room is mapped, too.
    """
    where = f"room {room}"
    _checked(checks.name, room, where=where, what="room id")
    _checked(checks.mailbox, mailbox, where=where, what="mailbox")
    if zone:
        _checked(checks.zone, zone, where=where, what="--zone")
    _checked(checks.reactions, outlook_rules, where=where, what="--outlook-rules")
    _say(platform_rooms(settings))
    with opened(settings) as home:
        from calsync.bootstrap import map_room

        _check_heard(home, outlook_rules, where)
        _check_free(home, room, mailbox.lower())
        _put_room(home, room, zone=zone, name=name, building=building, capacity=capacity)
        pair = map_room(
            home,
            room_id=room,
            mailbox=mailbox,
            connection=connection,
            zone=zone,
            titles=titles,
            edit=edit_policy.value if edit_policy else "",
            clash=clash_policy.value if clash_policy else "",
            outlook_rules=outlook_rules,
            write_as=write_as,
            organizer_fallback=organizer_fallback,
        )
    there, why = look(settings, pair)
    if as_json:
        print_json({"mapped": pair, "mailbox_opens": there, "mailbox_note": why})
    else:
        print_line(f"Room {pair.room_id} is mapped to {pair.mailbox} ({pair.connection}).")
        if there is False:
            say(f"Warning: this mailbox cannot be opened, so nothing will be synced: {why}")
        elif there is None:
            say(f"Note: it was not looked whether this mailbox is there: {why}")
        print_line(f"See what its first sync would do: calsync plan {pair.room_id}")


def _check_heard(home: Home, outlook_rules: str, where: str) -> None:
    if f"={Reaction.WARN}" in outlook_rules and home.settings.notices.unheard:
        todo = "Switch them on under [notices] in the settings, or choose nothing or decline"
        raise UsageError(home.settings.notices.unheard, where=where, todo=todo)


def _checked(check: checks.Check, value: str, *, where: str, what: str) -> None:
    try:
        check(value)
    except checks.Wrong as wrong:
        raise UsageError(f"{what}: {wrong.what}", where=where, todo=wrong.todo) from None


def _check_free(home: Home, room: str, mailbox: str) -> None:
    """Refuse before a new room is made for nothing. ``Mappings`` checks again as it writes."""
    for pair in home.store.pairs():
        if pair.mailbox == mailbox and pair.room_id != room:
            raise UsageError(
                f"{mailbox} is already mapped to room {pair.room_id}",
                where=f"room {room}",
                todo=f"Unmap that one first: calsync rooms unmap {pair.room_id}",
            )


def _put_room(
    home: Home, room: str, *, zone: str, name: str, building: str, capacity: int | None
) -> None:
    """Make the room, or change what was given of it; a known room with nothing given stays."""
    old = next((r.room for r in home.bookings.rooms() if r.room.id == room), None)
    if polls(home.settings):
        given = zone or name or building or capacity is not None
        if old is None or given:
            raise UsageError(
                "the platform has no such room" if old is None else "the platform names its rooms",
                where=f"room {room}",
                todo="See: calsync rooms list" if old is None else "Change it there",
            )
        return
    if old is None and not zone:
        raise UsageError(
            "this room is new, so its time zone must be given",
            where=f"room {room}",
            todo="Add --zone, such as --zone Europe/Berlin; or see: calsync rooms list",
        )
    wanted = Room(
        id=room,
        name=name or (old.name if old else room),
        zone=zone or (old.zone if old else ""),
        building=building or (old.building if old else ""),
        floor=old.floor if old else "",
        capacity=capacity if capacity is not None else (old.capacity if old else None),
    )
    if wanted != old:
        home.bookings.put_room(wanted)


# --- resume ----------------------------------------------------------------------------------


@app.command("resume")
def resume(
    room: RoomId,
    approve: Annotated[
        bool,
        typer.Option(
            "--approve/--check-again",
            help="Let the stopped plan pass once, or only look again: it stops again if it would"
            " still delete or move as much.",
        ),
    ] = True,
    trust: Annotated[
        Trust | None,
        typer.Option(
            help="Join both sides anew instead: nothing is deleted and nobody is told; what only"
            " one side has is made on the other, and where both differ this side is right (ask:"
            " those wait for you). After a restore, name the side that was not restored.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Let a room go on that calsync stopped to ask you.

    See why with calsync guard show, which also says what would be done.
    """
    answer(settings, room, approve=approve, trust=trust, yes=yes, as_json=as_json)


def answer(
    settings: Path, room: str, *, approve: bool, trust: Trust | None, yes: bool, as_json: bool
) -> None:
    """The admin's answer to the guard, for this verb and for guard approve."""
    with opened(settings) as home:
        pair = mapped(home, room)
        state = home.store.states().get(pair.id)
        if state is None or not state.halted:
            raise UsageError(
                "this room was not stopped", where=f"room {room}", todo="See: calsync status"
            )
        if (approve or trust) and not yes:
            _ask(state.halted, trust, as_json=as_json)
        if trust is not None:
            home.mappings.rejoin(pair.id, EditPolicy(trust.value))
        else:
            home.mappings.resume(pair.id, approve=approve)
    if as_json:
        said = {"trust": trust.value} if trust is not None else {"approved": approve}
        print_json({"resumed": room, **said, "was": state.halted})
    else:
        print_line(f"Room {room} goes on with the next sync.")


def _ask(question: str, trust: Trust | None, *, as_json: bool) -> None:
    if as_json:
        raise UsageError(
            "with --json nobody can be asked", todo="Add --yes if the plan is what you want"
        )
    print_line(f"It was stopped because: {question}")
    if trust is None:
        typer.confirm("Let it pass once?", abort=True)
        return
    right = "those wait for you" if trust is Trust.ASK else f"the {trust.value} side is right"
    typer.confirm(
        f"Join both sides anew? Nothing is deleted; where they differ, {right}.", abort=True
    )
