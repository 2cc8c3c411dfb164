"""Whether calsync may write to the calendars of the people who book, in rooms that need it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from calsync.connections import Link
from calsync.errors import SideError
from calsync.model import OrganizerFallback, Pair, Side, WriteAs
from calsync.setup.findings import Finding, Level

if TYPE_CHECKING:
    from calsync.bootstrap import System

#: People who booked last, whose calendars are tried.
_SAMPLE = 3
_NEVER = datetime.min.replace(tzinfo=UTC)


def check_organizers(system: System, link: Link, pair: Pair, where: str) -> Iterator[Finding]:
    """The calendars of those who booked last. Nothing is written to them."""
    if pair.write_as is not WriteAs.ORGANIZER:
        return
    people = _booked_last(system, pair)
    if not people:
        yield Finding(
            level=Level.NOTE,
            about="organizers",
            where=where,
            what="its bookings are meetings of the people who book; nobody has booked yet whose"
            " calendar could be tried",
            todo="Give calsync the right to write to their calendars"
            " (docs/how-to/book-in-peoples-calendars.md)",
        )
    refuses = pair.organizer_fallback is OrganizerFallback.REFUSE
    then = "are refused" if refuses else "become events of the room"
    for address in people:
        try:
            link.open_mailbox(address)
        except SideError as error:
            yield Finding(
                level=Level.WARNING,
                about="organizers",
                where=where,
                what=f"the calendar of {address} does not open, so bookings of theirs {then}:"
                f" {error.what}",
                todo="Give calsync the right to write to it, or check the address that the"
                " platform has (docs/how-to/book-in-peoples-calendars.md)",
            )
        else:
            what = f"the calendar of {address} opens"
            yield Finding(level=Level.OK, about="organizers", where=where, what=what)


def _booked_last(system: System, pair: Pair) -> list[str]:
    links = [lk for lk in system.home.store.links(pair.id) if lk.origin is Side.BOOKING]
    links.sort(key=lambda lk: lk.booking.created or _NEVER, reverse=True)
    people = dict.fromkeys(lk.person.address.lower() for lk in links if lk.person.address)
    return list(people)[:_SAMPLE]
