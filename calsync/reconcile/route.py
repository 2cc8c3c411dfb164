"""In whose calendar a booking of the platform is made: the room's, or that of whoever booked."""

from __future__ import annotations

from dataclasses import replace

from calsync.model import Link, Pair, Presence, WriteAs

#: Why a booking cannot be a meeting of its person.
NOBODY_NAMED = (
    "Bookings of this room are meetings in the calendar of the person who booked, and this one"
    " names nobody's mail address."
)
NAMELESS = (
    "Bookings of this room are meetings in the calendar of the person who booked, and of a private"
    " booking calsync does not keep who that is."
)


def routed(link: Link, pair: Pair) -> Link:
    """The link of a booking whose event is about to be made, with the mailbox to make it in, or the
    ``hindrance`` because of which there is none. What was sent to one mailbox before, goes there
    again: the first try may have been carried out."""
    if pair.write_as is WriteAs.ROOM and not link.event.sent:
        return replace(link, organizer="", hindrance="")
    if pair.write_as is WriteAs.ROOM or link.organizer or link.hindrance or link.event.sent:
        return link
    address = link.person.address.strip().lower()
    if not address:
        wanted = link.booking.seen or link.base
        private = wanted is not None and wanted.private
        return replace(link, hindrance=NAMELESS if private else NOBODY_NAMED)
    if address == pair.mailbox:
        return link
    return replace(link, organizer=address)


def may_be_our_own(link: Link, address: str) -> bool:
    """True where a meeting of this organizer in the room may be the one that a create of this link
    made, or is about to make: nobody has heard yet, and so its global id is not known."""
    waits = link.event.presence is Presence.NEVER and bool(link.organizer and link.event.sent)
    known = ("", link.organizer.casefold(), link.person.address.casefold())
    return waits and address.casefold() in known
