"""``calsync rooms discover``: the room mailboxes that Exchange shows."""

from __future__ import annotations

from typing import Annotated

import typer

from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, connected
from calsync.cli.output import plain, print_json, print_line, print_table
from calsync.errors import UsageError
from calsync.settings import checks

Addresses = Annotated[
    list[str] | None,
    typer.Option(
        "--address",
        help="A room mailbox that no list holds (a hidden one, say); repeat for more.",
    ),
]


def discover(
    address: Addresses = None,
    unmapped: Annotated[
        bool, typer.Option("--unmapped", help="Only those that are mapped to no room.")
    ] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """List the room mailboxes of every connection, with the room lists that hold them.

    Reads all pages of the directory's rooms and room lists (the permission Place.Read.All). One
    that the directory does not show is looked up by its address.
    """
    named = addresses(address)
    with connected(settings) as system:
        from calsync.setup.directory import find

        pairs = {pair.mailbox: pair.room_id for pair in system.home.store.pairs()}
        found = find(system, addresses=named)
    if unmapped:
        found = [one for one in found if one.calendar.address not in pairs]
    if as_json:
        print_json(
            {
                "mailboxes": [
                    {
                        **plain(one.calendar),
                        "connection": one.connection,
                        "lists": one.lists,
                        "listed": one.listed,
                        "opens": one.opens,
                        "note": one.why,
                        "room_id": pairs.get(one.calendar.address),
                    }
                    for one in found
                ]
            }
        )
        return
    print_table(
        ["mailbox", "name", "building", "floor", "seats", "lists", "connection", "room"],
        [
            (
                one.calendar.address,
                one.calendar.name,
                one.calendar.building,
                one.calendar.floor,
                one.calendar.capacity or "",
                ", ".join(one.lists),
                one.connection,
                pairs.get(one.calendar.address, ""),
            )
            for one in found
        ],
        empty="No room mailboxes were shown. See why with: calsync check; a mailbox that is hidden"
        " can be named by --address",
    )
    for one in found:
        if not one.listed:
            said = "is in no list, and opens" if one.opens else f"does not open: {one.why}"
            print_line(f"{one.calendar.address} {said}")


def addresses(given: list[str] | None) -> list[str]:
    """Addresses of mailboxes as options name them. Raises UsageError for what is none."""
    try:
        return [str(checks.mailbox(one)) for one in given or []]
    except checks.Wrong as wrong:
        raise UsageError(f"--address: {wrong.what}", todo=wrong.todo) from None
