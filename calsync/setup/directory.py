"""The room mailboxes that calsync may see, and those that no list holds but somebody named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calsync.errors import AccessDenied, MailboxMissing
from calsync.model import ResourceCalendar

if TYPE_CHECKING:
    from calsync.bootstrap import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A room mailbox. ``lists``: the room lists that hold it. ``listed`` is False for one that
    the directory does not name; ``opens`` and ``why`` then say whether it is there."""

    calendar: ResourceCalendar
    connection: str
    lists: tuple[str, ...] = ()
    listed: bool = True
    opens: bool | None = None
    why: str = ""


def find(system: System, *, addresses: Sequence[str] = (), connection: str = "") -> list[Found]:
    """All pages of rooms and room lists of every connection (or of the named one), then each of
    ``addresses`` that none of them holds, tried in one connection after the other."""
    links = {n: link for n, link in system.links.items() if connection in ("", n)}
    found = [
        Found(calendar=calendar, connection=name, lists=lists)
        for name, link in links.items()
        for calendar, lists in link.directory()
    ]
    known = {one.calendar.address for one in found}
    for address in dict.fromkeys(one.lower() for one in addresses):
        if address not in known:
            found.append(_by_address(system, address, list(links)))
    return found


def _by_address(system: System, address: str, names: Iterable[str]) -> Found:
    calendar = ResourceCalendar(address=address, name=address.partition("@")[0])
    why = first = ""
    for name in names:
        first = first or name
        try:
            system.links[name].open_mailbox(address)
        except (MailboxMissing, AccessDenied) as error:
            why = why or f"{error.what}. {error.todo}".strip()
            continue
        return Found(calendar=calendar, connection=name, listed=False, opens=True)
    return Found(calendar=calendar, connection=first, listed=False, opens=False, why=why)
