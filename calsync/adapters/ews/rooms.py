"""Rooms that the server lists: room lists and the rooms of each. They exist only where an admin
made them (New-DistributionGroup -RoomList); rooms of none are mapped by address. EWS tells neither
seats nor floor. And when mailboxes are busy."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from calsync.adapters.ews import requests
from calsync.adapters.ews.errors import as_error, judge
from calsync.adapters.ews.reading import instant
from calsync.adapters.ews.transport import Server, messages_of, refusal_of
from calsync.adapters.ews.xml import Element, Message, find, text_of
from calsync.adapters.wrap.port import Answer, Call, Caller
from calsync.errors import BadAnswer
from calsync.mapping.text import clean_title
from calsync.model import Interval, ResourceCalendar
from calsync.pacing import chunks

log = logging.getLogger(__name__)
#: Mailboxes of one question about free and busy, and the longest span (EWS, GetUserAvailability).
_MAILBOXES, _SPAN = 100, timedelta(days=42)


@dataclass(slots=True)
class Listed:
    """A room mailbox and the names of the room lists that hold it."""

    calendar: ResourceCalendar
    lists: list[str] = field(default_factory=list)


def directory(caller: Caller) -> list[Listed]:
    """Every room of every room list once, by address."""
    rooms: dict[str, Listed] = {}
    for name, address in _addresses(_ask(caller, "GetRoomLists", requests.get_room_lists())):
        payload = requests.get_rooms(address)
        for room, box in _addresses(_ask(caller, "GetRooms", payload)):
            listed = rooms.setdefault(
                box.lower(), Listed(ResourceCalendar(address=box.lower(), name=room))
            )
            if name not in listed.lists:
                listed.lists.append(name)
    if not rooms:
        log.info("the server has no room lists: rooms are mapped by address")
    return sorted(rooms.values(), key=lambda listed: listed.calendar.address)


def _addresses(message: Message) -> Iterator[tuple[str, str]]:
    """Name and address of the lists, or of the rooms, that a message holds."""
    lists = find(message.element, "m:RoomLists")
    rows = list(lists) if lists is not None else []
    rooms = find(message.element, "m:Rooms")
    for room in rooms if rooms is not None else ():
        inner = find(room, "t:Id")
        if inner is not None:
            rows.append(inner)
    for row in rows:
        address = text_of(row, "t:EmailAddress")
        if address.count("@") == 1 and address.isprintable() and len(address) <= 320:
            yield clean_title(text_of(row, "t:Name")) or address, address


def open_mailbox(caller: Caller, server: Server, mailbox: str) -> Answer:
    """Look whether a room's calendar can be opened. Raises what stands in the way of it."""
    place = requests.folder(mailbox, impersonated=server.impersonate)
    answer, _ = answered(caller, "GetFolder", requests.get_folder(place), mailbox, mailbox)
    return answer


def busy(caller: Caller, mailboxes: list[str], span: Interval) -> dict[str, list[Interval]]:
    """Busy times of mailboxes that meet the span, as the server itself gives them out. What it will
    not tell of a mailbox is left out."""
    found: dict[str, list[Interval]] = {}
    start = span.start
    while start < span.end:
        end = min(start + _SPAN, span.end)
        for piece in chunks(mailboxes, _MAILBOXES):
            payload = requests.get_availability(piece, start, end)
            message = _ask(caller, "GetUserAvailability", payload)
            rows = find(message.element, "m:FreeBusyResponseArray")
            answers = [] if rows is None else list(rows)
            if len(answers) != len(piece):
                raise BadAnswer("the answer is not about the mailboxes asked for")
            for box, row in zip(piece, answers, strict=True):
                told = find(row, "m:ResponseMessage")
                if told is not None and told.get("ResponseClass") == "Success":
                    found.setdefault(box, []).extend(_times(row))
        start = end
    return found


def _times(row: Element) -> Iterator[Interval]:
    events = find(row, "m:FreeBusyView", "t:CalendarEventArray")
    for event in events if events is not None else ():
        start = instant(text_of(event, "t:StartTime"))
        end = instant(text_of(event, "t:EndTime"))
        if start is not None and end is not None and text_of(event, "t:BusyType") != "Free":
            yield Interval(start, end)


def _ask(caller: Caller, target: str, payload: Element) -> Message:
    return answered(caller, target, payload, "", "list of rooms")[1]


def answered(
    caller: Caller, target: str, payload: Element, mailbox: str, where: str
) -> tuple[Answer, Message]:
    """One question and its message. Raises what stands in the way."""
    answer = caller.call(
        Call(
            method="GET",
            target=target,
            operation="probe" if mailbox else "places",
            mailbox=mailbox,
            body={"soap": payload},
            repeatable=True,
        )
    )
    verdict = refusal_of(answer)
    messages = messages_of(answer)
    if verdict is None and messages and not messages[0].good:
        verdict = judge(messages[0])
    if verdict is not None:
        raise as_error(verdict, where)
    if not messages:
        raise BadAnswer("the answer has no messages", where=where)
    return answer, messages[0]
