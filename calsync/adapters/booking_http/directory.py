"""The platform's rooms, and what our token may do there: asked now and then, and kept."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from calsync.adapters.booking_http.answers import body_of, code_of
from calsync.adapters.booking_http.documents import is_id, is_number
from calsync.adapters.wrap.port import Call, Caller
from calsync.errors import AccessDenied, BadAnswer, MailboxMissing, SideError
from calsync.mapping.booking_form import Form
from calsync.mapping.booking_rules import NO_RULES, BookingRules, read_rules
from calsync.mapping.text import clean_title
from calsync.mapping.zones import resolve
from calsync.model import Pair, Room
from calsync.ports import Clock

log = logging.getLogger("calsync.platform")

#: Seconds for which an answer is good. Rooms change by the week.
FRESH: Final = 600.0
#: What a connector needs at the platform; titles and people need details:read on top.
NEEDED: Final = ("rooms:read", "busy:read", "bookings:read", "bookings:write", "bookings:mirror")
DETAILS: Final = "details:read"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteRoom:
    """``titles``: the platform keeps titles for it. ``answered``: a calendar of the platform's own
    answers the room's bookings; else they wait for us. ``rules``: what it allows in the room; None
    where it says something that cannot be read."""

    room: Room
    titles: bool
    answered: bool
    rules: BookingRules | None = NO_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """``scopes`` is None where the platform does not say what the token may do."""

    rooms: Mapping[str, RemoteRoom]
    scopes: frozenset[str] | None


class Directory:
    """Safe for several threads."""

    def __init__(self, caller: Caller, clock: Clock) -> None:
        self._caller = caller
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Listing | None = None
        self._until = float("-inf")

    def listing(self, *, anew: bool = False) -> Listing:
        """All rooms. While the platform cannot be asked, what it said last. Raises SideError where
        it never said anything, or (``anew``) does not answer now.

        Only who has nothing to go by waits while another asks: rooms are not to stand still behind
        a slow answer."""
        held = self._held
        if held is not None and not anew:
            if self._clock.monotonic() < self._until or not self._lock.acquire(blocking=False):
                return held
        else:
            self._lock.acquire()
        try:
            return self._asked(anew=anew)
        finally:
            self._lock.release()

    def _asked(self, *, anew: bool) -> Listing:
        now = self._clock.monotonic()
        if self._held is not None and now < self._until and not anew:
            return self._held  # Another asked meanwhile.
        try:
            self._held = Listing(rooms=self._rooms(), scopes=self._scopes())
        except SideError:
            if self._held is None or anew:
                raise
            self._until = now + FRESH / 10
        else:
            self._until = now + FRESH
        return self._held

    def room(self, pair: Pair) -> RemoteRoom:
        """The pair's room. Raises SideError where it is not there, or cannot carry what the pair
        should: equal bookings that cannot become equal would be written for ever."""
        listing = self.listing()
        found = listing.rooms.get(pair.room_id)
        if found is None:
            found = self.listing(anew=True).rooms.get(pair.room_id)
        if found is None:
            raise MailboxMissing(
                "the booking platform has no such room",
                where=f"room {pair.room_id}",
                todo="Make it there, or unmap it here: calsync rooms unmap",
            )
        if pair.titles:
            _check_titles(pair, found, listing.scopes)
        return found

    def _rooms(self) -> dict[str, RemoteRoom]:
        body = body_of(self._get("/v1/rooms", "rooms"), "the list of rooms")
        entries = body.get("rooms")
        if not isinstance(entries, list):
            raise BadAnswer("the list of rooms is none", where="the booking platform")
        found = [_read(entry) for entry in entries]
        return {one.room.id: one for one in found}

    def _scopes(self) -> frozenset[str] | None:
        answer = self._get("/v1/token", "token")
        if answer.status == 404 and code_of(answer) in ("", "not-found"):
            return None
        scopes = body_of(answer, "the token").get("scopes")
        return frozenset(map(str, scopes)) if isinstance(scopes, list) else None

    def _get(self, target: str, operation: str) -> Any:
        return self._caller.call(
            Call(method="GET", target=target, operation=operation, repeatable=True)
        )


def _check_titles(pair: Pair, room: RemoteRoom, scopes: frozenset[str] | None) -> None:
    where = f"room {pair.room_id}"
    if scopes is not None and DETAILS not in scopes:
        raise AccessDenied(
            "titles are to be carried, and the token may not see them at the booking platform",
            where=where,
            todo=f"Give it the scope {DETAILS}, or map the room with --no-titles",
        )
    if not room.titles:
        raise AccessDenied(
            "titles are to be carried, and the booking platform keeps none for this room",
            where=where,
            todo="Switch them on there, or map the room here with --no-titles",
        )


def _read(entry: object) -> RemoteRoom:
    if not isinstance(entry, Mapping) or not is_id(entry.get("id")):
        raise BadAnswer("an entry of the list of rooms is no room", where="the booking platform")
    room_id = entry["id"]
    zone = entry.get("timeZone")
    known = resolve(zone).iana if isinstance(zone, str) else None
    if known is None:
        raise BadAnswer(
            "a room of the booking platform has no known time zone", where=f"room {room_id[:64]}"
        )

    def text(name: str) -> str:
        value = entry.get(name)
        return clean_title(value if isinstance(value, str) else None) or ""

    capacity = entry.get("capacity")
    whole = is_number(capacity) and 0 < capacity <= 100_000
    room = Room(
        id=room_id,
        name=text("name") or room_id,
        zone=known,
        building=text("building"),
        floor=text("floor"),
        capacity=capacity if whole else None,
    )
    return RemoteRoom(
        room=room,
        titles=entry.get("titles") is True,
        answered=entry.get("answeredBy") == "calendar",
        rules=_rules(entry.get("rules"), room_id),
    )


def _rules(said: object, room_id: str) -> BookingRules | None:
    """Rules that are not understood stop no booking: those that were known before go on."""
    if said is None:
        return NO_RULES
    if isinstance(said, Mapping):
        form = Form(said)
        rules = read_rules(form)
        if not form.errors:
            return rules
    log.warning("room %s: the booking platform's rules for it cannot be read", room_id)
    return None
