"""A booking platform that speaks calsync's own contract over HTTP, as the BOOKING side of sync
(``calsync.ports.BookingSide``). docs/how-to/poll-another-platform.md is what admins read of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeGuard
from urllib.parse import urlencode

from calsync.adapters.booking_http import cursors
from calsync.adapters.booking_http.answers import body_of
from calsync.adapters.booking_http.client import Client
from calsync.adapters.booking_http.directory import Directory
from calsync.adapters.booking_http.documents import (
    Held,
    Unread,
    is_id,
    is_number,
    meets,
    observe,
    observe_part,
    read_booking,
    read_instant,
)
from calsync.adapters.booking_http.writes import Writer
from calsync.adapters.hub.overlap import union
from calsync.adapters.hub.view import missing, part_key, split_key
from calsync.adapters.shared.seal import Seal
from calsync.adapters.wrap.port import Caller
from calsync.errors import BadAnswer, CursorExpired
from calsync.mapping.booking import format_utc
from calsync.model import (
    Effect,
    Gone,
    Interval,
    Observation,
    Outcome,
    Pair,
    Pull,
    Room,
    Side,
    Unknown,
    Window,
)
from calsync.ports import Capabilities, Clock

#: Changes asked for at once; the contract's most.
PAGE: Final = 500
#: The contract gives busy time of so many rooms and days at once.
_ROOMS: Final = 100
_DAYS: Final = timedelta(days=400)


class HttpSide:
    """Safe for calls on different pairs at once. All methods may raise SideError.

    What others and what we wrote comes alike in the platform's feed; our own writes are known by
    their revision and fingerprint, and change nothing when they are seen again.
    """

    side = Side.BOOKING
    capabilities = Capabilities(conditional_writes=True, keeps=True)

    def __init__(self, caller: Caller, *, clock: Clock, tag_key: bytes) -> None:
        self.directory = Directory(caller, clock)
        self._client = Client(caller, self.directory, Seal(tag_key))

    # --- reading ---

    def pull(self, pair: Pair, cursor: str | None, window: Window) -> Pull:
        place = None
        if cursor is not None:
            place = cursors.decode(cursor)
            if place is None:
                raise CursorExpired("this is no cursor of this platform", where=pair.room_id)
        self.directory.room(pair)
        latest, following = self._changes(pair, place.feed if place is not None else None)
        known = dict(place.parts) if place is not None else {}
        observations: list[Observation] = []
        for booking_id, entry in latest.items():
            before = known.pop(booking_id, ("",))
            if entry["kind"] == "tombstone":
                if place is not None:
                    mark = entry["changeNumber"]
                    observations += [missing(part_key(booking_id, s), mark) for s in before]
                continue
            held = read_booking(entry["booking"], pair)
            if held is None:
                continue
            if isinstance(held, Held):
                if held.split:
                    known[booking_id] = tuple(held.parts)
                if place is None and not (held.live and meets(held, window, pair.zone)):
                    continue
            elif before != ("",):
                known[booking_id] = before
            observations += self._observe(pair, held, before if place is not None else ())
        return Pull(
            observations=tuple(observations),
            cursor=cursors.encode(cursors.Place(following, known)),
            complete=place is None,
        )

    def _changes(self, pair: Pair, cursor: str | None) -> tuple[dict[str, dict[str, Any]], str]:
        """The last entry of each booking, in order, to the end of the feed; and its cursor."""
        latest: dict[str, dict[str, Any]] = {}
        while True:
            query = {"room": pair.room_id, "limit": str(PAGE)}
            if cursor is not None:
                query["cursor"] = cursor
            answer = self._client.get(pair, f"/v1/changes?{urlencode(query)}", "changes")
            page = body_of(answer, pair.room_id)
            following, more = page.get("cursor"), page.get("more")
            entries = page.get("changes")
            if not is_cursor(following) or not isinstance(entries, list):
                raise BadAnswer("a page of changes without changes or cursor", where=pair.room_id)
            for entry in entries:
                booking_id = _checked(entry, pair)
                latest.pop(booking_id, None)
                latest[booking_id] = entry
            if more is not True:
                return latest, following
            if following == cursor:
                raise BadAnswer("a page of changes that leads to itself", where=pair.room_id)
            cursor = following

    def read(self, pair: Pair, keys: Sequence[str]) -> list[Observation]:
        if not keys:
            return []
        self.directory.room(pair)
        held = {i: self._client.booking(pair, i) for i in {split_key(key)[0] for key in keys}}
        return [self._observe_key(pair, key, held[split_key(key)[0]]) for key in keys]

    def find(self, pair: Pair, tags: Sequence[str]) -> Mapping[str, Observation]:
        found: dict[str, Observation] = {}
        for tag in dict.fromkeys(tags):
            held = self._client.named(pair, tag)
            if held is not None:
                found[tag] = self._observe_key(pair, held.id, held)
        return found

    def elsewhere(self, _pair: Pair, _uids: Sequence[str]) -> list[Observation]:
        return []  # A booking keeps its id for life.

    def _observe(self, pair: Pair, held: Held | Unread, known: Iterable[str]) -> list[Observation]:
        if isinstance(held, Unread):
            return observe(held, known, tag=None, waits=frozenset())
        tag, waits = self._client.tag(pair, held), self._client.waits(pair, held)
        return observe(held, known, tag=tag, waits=waits)

    def _observe_key(self, pair: Pair, key: str, held: Held | Unread | None) -> Observation:
        if held is None:
            return missing(key)
        if isinstance(held, Unread):
            return Unknown(key=key, reason=held.reason, poison=True)
        tag, waits = self._client.tag(pair, held), self._client.waits(pair, held)
        found: Observation = observe_part(held, split_key(key)[1], tag=tag, waits=waits)
        assert isinstance(found, Gone) or found.key == key
        return found

    # --- writing ---

    def apply(self, pair: Pair, effects: Sequence[Effect]) -> list[Outcome]:
        return Writer(self._client, pair).run(effects) if effects else []

    # --- rooms ---

    def rooms(self) -> Iterable[Room]:
        return [one.room for one in self.directory.listing().rooms.values()]

    def busy(self, room_ids: Sequence[str], span: Interval) -> Mapping[str, list[Interval]]:
        found: dict[str, list[Interval]] = {room_id: [] for room_id in room_ids}
        names = list(found)
        for first in range(0, len(names), _ROOMS):
            start = span.start
            while start < span.end:
                end = min(start + _DAYS, span.end)
                self._busy(names[first : first + _ROOMS], Interval(start, end), found)
                start = end
        return {room_id: union(spans) for room_id, spans in found.items()}

    def _busy(self, names: list[str], span: Interval, found: dict[str, list[Interval]]) -> None:
        query = urlencode(
            {
                "rooms": ",".join(names),
                "start": format_utc(span.start),
                "end": format_utc(span.end),
            }
        )
        where = "busy time"
        body = body_of(self._client.get(None, f"/v1/occupancy?{query}", "busy"), where)
        try:
            for room in body["rooms"]:
                for item in room["items"]:
                    if item["freeBusyStatus"] != "free":
                        start, end = read_instant(item["startUtc"]), read_instant(item["endUtc"])
                        if start < end and room["roomId"] in found:
                            found[room["roomId"]].append(Interval(start, end))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadAnswer("busy time that cannot be read", where=where) from error


def is_cursor(text: object) -> TypeGuard[str]:
    """What can be sent back as it came."""
    return isinstance(text, str) and 0 < len(text) <= 2048 and text.isascii() and text.isprintable()


def _checked(entry: object, pair: Pair) -> str:
    """The booking that an entry of the feed is about. Raises BadAnswer for what is no entry."""
    match entry:
        case {"kind": "tombstone", "bookingId": booking_id, "changeNumber": number}:
            if is_id(booking_id) and is_number(number):
                return booking_id
        case {"kind": "upsert", "bookingId": booking_id, "booking": dict() as doc}:
            if is_id(booking_id) and doc.get("id") == booking_id:
                return booking_id
        case {"kind": "upsert", "bookingId": booking_id, "changeNumber": number}:
            if is_id(booking_id) and is_number(number):
                # Cancelled since: its tombstone follows, on this page or a later one.
                assert isinstance(entry, dict)
                entry["kind"] = "tombstone"
                return booking_id
    raise BadAnswer(
        "an entry of the change feed that cannot be read",
        where=pair.room_id,
        todo="The platform must follow the contract that calsync api schema prints",
    )
