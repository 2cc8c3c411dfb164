"""The platform that is polled: whether it answers, what the token may do there, and its rooms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from calsync.adapters.booking_http.directory import DETAILS, NEEDED, Listing, RemoteRoom
from calsync.errors import SideError
from calsync.model import Pair
from calsync.setup.findings import Finding, Level

if TYPE_CHECKING:
    from calsync.bootstrap import System


def check_platform(system: System, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Nothing where the hub holds the bookings. Only reads."""
    if system.remote is None:
        return
    where, directory = system.home.settings.booking.base_url, system.remote.side.directory
    try:
        listing = directory.listing(anew=True)
    except SideError as error:
        yield Finding(
            level=Level.FAILED, about="platform", where=where, what=error.what, todo=error.todo
        )
        return
    yield Finding(
        level=Level.OK,
        about="platform",
        where=where,
        what=f"it takes the token, and names {len(listing.rooms)} room(s)",
    )
    yield from _scopes(listing, where)
    for pair in pairs:
        at = f"room {pair.room_id}"
        try:
            room = directory.room(pair)
        except SideError as error:
            yield Finding(
                level=Level.FAILED, about="platform", where=at, what=error.what, todo=error.todo
            )
        else:
            yield _room(pair, room, at)


def _room(pair: Pair, found: RemoteRoom, at: str) -> Finding:
    if pair.zone != found.room.zone:
        return Finding(
            level=Level.WARNING,
            about="platform",
            where=at,
            what=f"it is in {found.room.zone} at the platform, and mapped here in {pair.zone}",
            todo="Map it anew: whole days lie by the room's zone",
        )
    who = "the platform's own calendar answers" if found.answered else "calsync answers"
    return Finding(level=Level.OK, about="platform", where=at, what=f"the platform has it; {who}")


def _scopes(listing: Listing, where: str) -> Iterator[Finding]:
    if listing.scopes is None:
        yield Finding(
            level=Level.NOTE,
            about="platform",
            where=where,
            what="it does not say what the token may do",
            todo=f"See that it may {', '.join(NEEDED)}, and {DETAILS} for titles and people",
        )
        return
    missing = [scope for scope in NEEDED if scope not in listing.scopes]
    if missing:
        yield Finding(
            level=Level.FAILED,
            about="platform",
            where=where,
            what=f"the token lacks {', '.join(missing)}",
            todo="Make one there with these scopes, too: calsync tokens create --connector",
        )
    elif DETAILS not in listing.scopes:
        yield Finding(
            level=Level.NOTE,
            about="platform",
            where=where,
            what="the token may not see titles and people, so neither is carried",
            todo=f"Give it {DETAILS} if people are to be told of their bookings by mail",
        )
