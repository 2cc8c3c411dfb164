"""What a booking platform that is polled may answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from calsync.adapters.booking_http import cursors
from calsync.adapters.booking_http.side import HttpSide
from calsync.errors import SideError
from calsync.mapping.fingerprint import fingerprint
from calsync.model import Effect, EffectKind, Interval, Occupancy, Seen
from fuzz.graph import PAIR, WINDOW, Clock, Script, check_occupancy
from fuzz.graph import answer_of as _answer
from fuzz.near import Decisions, as_text, near
from fuzz.platform import PLAIN, RULED, WHOLE_DAYS
from fuzz.target import Target

_FACTS: dict[str, Any] = {
    "id": "b1",
    "roomId": PAIR.room_id,
    "bookingStatus": "confirmed",
    "origin": "calendar",
    "editable": True,
    "revision": 3,
    "sequence": 2,
    "changeNumber": 7,
    "created": "2026-11-20T08:00:00Z",
    "updated": "2026-11-20T08:00:00Z",
}
_CROSSED = {
    **RULED,
    "recurrenceOverrides": {"2026-12-15T09:00:00": {"start": "2027-01-12T16:00:00"}},
}
BOOKINGS = tuple({**doc, **_FACTS} for doc in (PLAIN, RULED, WHOLE_DAYS, _CROSSED))
_TOMB = {"kind": "tombstone", "bookingId": "b2", "roomId": "r", "revision": 2, "changeNumber": 8}
_PAGE = {
    "changes": [
        _TOMB,
        *({"kind": "upsert", "bookingId": "b1", "changeNumber": 7, "booking": b} for b in BOOKINGS),
    ],
    "cursor": "WzEsbnVsbCxudWxsXQ",
    "more": False,
    "listing": False,
}
_ROOMS = {
    "rooms": [
        {
            "id": PAIR.room_id,
            "name": "Room",
            "timeZone": "Europe/Berlin",
            "capacity": 4,
            "titles": True,
            "answeredBy": "connector",
        }
    ]
}
_TOKEN = {"name": "x", "scopes": ["rooms:read", "details:read"]}
_BUSY = {
    "rooms": [
        {
            "roomId": PAIR.room_id,
            "items": [
                {
                    "startUtc": "2026-12-01T08:00:00Z",
                    "endUtc": "2026-12-01T09:00:00Z",
                    "freeBusyStatus": "busy",
                }
            ],
        }
    ]
}
_PROBLEM = {"type": "/problems/x", "code": "not-found", "detail": "There is none.", "status": 404}
_EFFECTS = [
    Effect(
        id="l:1",
        kind=kind,
        link_id="l",
        revision=1,
        why="",
        key=None if kind is EffectKind.CREATE_BOOKING else "b1",
        version="3",
        target=Occupancy(start=datetime(2026, 12, 1, 9), end=datetime(2026, 12, 1, 10), zone="UTC"),
    )
    for kind in (
        EffectKind.CREATE_BOOKING,
        EffectKind.CHANGE_BOOKING,
        EffectKind.DELETE_BOOKING,
        EffectKind.CONFIRM_BOOKING,
        EffectKind.REJECT_BOOKING,
    )
]


def _side(*answers: Any) -> HttpSide:
    return HttpSide(Script(list(answers)), clock=Clock(), tag_key=b"k")


def _check(found: object) -> None:
    if isinstance(found, Seen):
        assert found.fingerprint == fingerprint(found.occupancy)
        assert found.key.isprintable()
        assert 0 <= found.mark < 2**63, "no database holds it"
        check_occupancy(found.occupancy, PAIR.zone)
        for text in (found.key, found.uid, found.version, found.person.name, found.person.address):
            assert "\x00" not in text
            text.encode()


def _check_all(found: Iterable[object]) -> None:
    for one in found:
        _check(one)


def _feed(data: bytes) -> None:
    choose = Decisions(data)
    page = near(choose, _PAGE)
    pair = PAIR if choose.below(2) else replace(PAIR, titles=False)
    side = _side(_answer(_ROOMS), _answer(_TOKEN), _answer(page))
    pulled = side.pull(pair, None, WINDOW)
    for one in pulled.observations:
        _check(one)
        assert pair.titles or "Standup" not in repr(one)
    pulled.cursor.encode()
    for one in (
        _side(_answer(_ROOMS), _answer(_TOKEN), _answer(page))
        .pull(pair, pulled.cursor, WINDOW)
        .observations
    ):
        _check(one)


def _acts(data: bytes) -> None:
    """The whole side over answers of any shape."""
    choose = Decisions(data)
    effect = _EFFECTS[choose.below(len(_EFFECTS))]
    statuses = (200, 200, 200, 201, 204, 301, 400, 404, 409, 410, 412, 422, 429, 500, 503)
    answers = [
        _answer(near(choose, *BOOKINGS, _PROBLEM), status)
        for status in (statuses[choose.below(len(statuses))] for _ in range(3))
    ]
    side = _side(_answer(_ROOMS), _answer(_TOKEN), *answers)
    span = Interval(WINDOW.start, WINDOW.end)
    busy = _side(_answer(near(choose, _BUSY)))
    listed = _side(_answer(near(choose, _ROOMS)), _answer(near(choose, _TOKEN)))
    acts: list[Callable[[], object]] = [
        lambda: side.apply(PAIR, [effect]),
        lambda: _check_all(side.read(PAIR, ["b1", "b1#x20261215T0900"])),
        lambda: _check_all(side.find(PAIR, ["l"]).values()),
        lambda: busy.busy([PAIR.room_id], span),
        lambda: list(listed.rooms()),
    ]
    acts[choose.below(len(acts))]()


def _cursor(data: bytes) -> None:
    choose = Decisions(data)
    sample = {"feed": "x", "parts": {"b1": ["", "x1"]}}
    raw = choose.rest() if choose.below(3) == 0 else as_text(near(choose, sample))
    place = cursors.decode(raw.decode("utf-8", "replace"))
    if place is not None:
        assert cursors.decode(cursors.encode(place)) == place


TARGETS = (
    Target(name="remote-feed", run=_feed, allowed=(SideError,), heavy=True),
    Target(name="remote-acts", run=_acts, allowed=(SideError,), heavy=True),
    Target(name="remote-cursor", run=_cursor),
)
