"""The directory of rooms: rooms, room lists, and the rooms of each list; all pages. And whether
one of their mailboxes opens.

Graph, "places": a room list is addressed by its e-mail address; place ids may change, so the
lower-case address is the key (China has no other).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeGuard
from urllib.parse import quote

from calsync.adapters.graph.errors import check
from calsync.adapters.graph.links import is_id, user_path
from calsync.adapters.wrap.port import Answer, Call, Caller
from calsync.errors import BadAnswer
from calsync.mapping.text import clean_title
from calsync.model import ResourceCalendar

log = logging.getLogger(__name__)
_MOST_PAGES = 1_000


@dataclass(slots=True)
class Listed:
    """A room mailbox and the names of the room lists that hold it."""

    calendar: ResourceCalendar
    lists: list[str] = field(default_factory=list)


def resource_calendars(caller: Caller) -> list[ResourceCalendar]:
    """Every room once, by address. An empty list is a matter of rights or set-up: logged."""
    return [listed.calendar for listed in directory(caller)]


def directory(caller: Caller) -> list[Listed]:
    """The same, each with the room lists that hold it."""
    rooms: dict[str, Listed] = {}
    _merge(rooms, _pages(caller, "/places/microsoft.graph.room?$top=100"))
    for room_list in _pages(caller, "/places/microsoft.graph.roomlist?$top=100"):
        address = room_list.get("emailAddress")
        if _is_address(address):
            name = clean_title(room_list.get("displayName")) or address
            path = f"/places/{quote(address, safe='@')}/microsoft.graph.roomlist/rooms?$top=100"
            _merge(rooms, _pages(caller, path), name)
    if not rooms:
        log.warning(
            "Graph lists no rooms: check the permission Place.Read.All and that the room"
            " mailboxes are not hidden"
        )
    return sorted(rooms.values(), key=lambda listed: listed.calendar.address)


def open_mailbox(caller: Caller, mailbox: str) -> Answer:
    """Look whether a mailbox can be opened. Raises what stands in the way of it."""
    target = f"{user_path(mailbox)}/calendar?$select=id"
    answer = caller.call(Call(method="GET", target=target, operation="probe", mailbox=mailbox))
    check(answer, mailbox)
    return answer


def _merge(rooms: dict[str, Listed], raws: Iterator[dict[str, Any]], name: str = "") -> None:
    for raw in raws:
        room = _room(raw)
        if room is not None:
            listed = rooms.setdefault(room.address, Listed(room))
            if name and name not in listed.lists:
                listed.lists.append(name)


def _room(raw: dict[str, Any]) -> ResourceCalendar | None:
    """A place without an address has no mailbox, and cannot be paired."""
    address, capacity = raw.get("emailAddress"), raw.get("capacity")
    if not _is_address(address):
        return None
    floor = raw.get("floorLabel") or raw.get("floorNumber")
    return ResourceCalendar(
        address=address.lower(),
        name=clean_title(raw.get("displayName")) or address,
        building=clean_title(raw.get("building")) or "",
        floor="" if floor is None else clean_title(str(floor)) or "",
        capacity=capacity if type(capacity) is int and capacity > 0 else None,
    )


def _is_address(value: object) -> TypeGuard[str]:
    """A mail address, in a form that a path and a database can hold."""
    return is_id(value) and value.count("@") == 1 and len(value) <= 320


def _pages(caller: Caller, target: str) -> Iterator[dict[str, Any]]:
    followed: set[str] = set()
    link: Any = target
    while isinstance(link, str) and link:
        if link in followed or len(followed) >= _MOST_PAGES:
            raise BadAnswer("the pages do not come to an end", where="list of rooms")
        followed.add(link)
        call = Call(method="GET", target=link, operation="places", repeatable=True)
        body = check(caller.call(call), "list of rooms")
        rows = body.get("value")
        if not isinstance(rows, list):
            raise BadAnswer("a page has no list of places", where="list of rooms")
        yield from (row for row in rows if isinstance(row, dict))
        link = body.get("@odata.nextLink")
