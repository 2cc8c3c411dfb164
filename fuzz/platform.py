"""What clients of the booking API, and whoever reaches its port, may send."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

from calsync.adapters.hub import cursors
from calsync.adapters.hub.problems import CursorInvalid
from calsync.adapters.hub.service import BookingService
from calsync.adapters.hub.tokens import SCOPES
from calsync.adapters.webhooks.guard import Forbidden, Guard, meant, read_url
from calsync.api import body
from calsync.api.app import create_app
from calsync.api.problems import KINDS, ApiProblem
from calsync.api.waiting import LONGEST, wished
from calsync.errors import MappingError
from calsync.mapping.booking import read_wish, wish_to_json
from calsync.mapping.booking_edit import occurrence, patched, with_occurrence
from calsync.mapping.booking_form import Form, InvalidBooking
from calsync.mapping.booking_rules import (
    read_rules,
    rules_from_text,
    rules_to_text,
    violations,
)
from calsync.mapping.booking_values import Booking
from calsync.mapping.fingerprint import fingerprint
from calsync.mapping.rrule import format_rrule, parse_rrule
from calsync.mapping.text import TITLE_LIMIT, clean_title
from calsync.model import Interval, Room
from calsync.store.database import Database
from calsync.store.hub import SqlHubStore
from calsync.store.migrate import migrate
from fuzz.graph import NOW, check_occupancy
from fuzz.near import Decisions, as_text, near
from fuzz.target import Target

ZONE = "Europe/Berlin"
PLAIN: dict[str, Any] = {
    "@type": "Event",
    "title": "Standup",
    "start": "2026-12-01T09:00:00",
    "timeZone": "Europe/Berlin",
    "duration": "PT1H30M",
    "showWithoutTime": False,
    "status": "confirmed",
    "freeBusyStatus": "busy",
    "privacy": "public",
    "bookedBy": {"name": "Ada", "email": "ada@contoso.example"},
    "seats": 4,
    "uid": "u-1",
    "externalId": "e-1",
}
RULED: dict[str, Any] = {
    **PLAIN,
    "recurrenceRule": {
        "@type": "RecurrenceRule",
        "frequency": "weekly",
        "interval": 2,
        "byDay": [{"@type": "NDay", "day": "tu"}],
        "count": 10,
        "firstDayOfWeek": "mo",
    },
    "recurrenceOverrides": {
        "2026-12-15T09:00:00": {"excluded": True},
        "2026-12-29T09:00:00": {"start": "2026-12-29T11:00:00", "title": "Later"},
    },
}
TEXT_RULE: dict[str, Any] = {**PLAIN, "rrule": "FREQ=MONTHLY;BYDAY=-1FR;COUNT=12"}
WHOLE_DAYS: dict[str, Any] = {
    "start": "2026-12-01T00:00:00",
    "duration": "P2D",
    "showWithoutTime": True,
    "recurrenceRule": {"frequency": "yearly", "byMonth": ["12"], "byMonthDay": [1]},
}
WISHES = (PLAIN, RULED, TEXT_RULE, WHOLE_DAYS)


def _said(value: Any) -> dict[str, Any]:
    """As it comes through the API's door."""
    return body.parse_object(as_text(value))


def _wish(data: bytes) -> None:
    wish = read_wish(_said(near(data, *WISHES)), ZONE)
    check_occupancy(wish.content, ZONE)
    for text in (wish.uid, wish.external_id or "", wish.person.name, wish.person.address):
        assert text.isprintable(), repr(text)
        text.encode()
    held = _booking(wish.content)
    held = replace(
        held, person=wish.person, seats=wish.seats, uid=wish.uid, external_id=wish.external_id
    )
    said = wish_to_json(held, ZONE)
    assert read_wish(said, ZONE) == wish, "what was written is not what was read"


def _booking(content: Any) -> Booking:
    return Booking(
        id="b1",
        room_id="r1",
        content=content,
        fingerprint=fingerprint(content),
        span=Interval(NOW, NOW),
        created=NOW,
        modified=NOW,
        uid="u-1",
    )


@cache
def _held() -> tuple[Booking, ...]:
    return tuple(_booking(read_wish(doc, ZONE).content) for doc in WISHES)


def _patch(data: bytes) -> None:
    choose = Decisions(data)
    held = _held()[choose.below(len(WISHES))]
    wish = patched(held, _said(near(choose, {}, *WISHES)), ZONE)
    check_occupancy(wish.content, ZONE)


def _one_date(data: bytes) -> None:
    choose = Decisions(data)
    held = _held()[1]
    dates = ("2026-12-01T09:00:00", "2026-12-29T09:00:00", "2026-12-15T09:00:00")
    name = near(choose, *dates)
    slot = occurrence(held, name if isinstance(name, str) else str(name))
    if slot is None:
        slot = datetime(2026, 12, 1, 9)
    sample = {"title": "x", "start": "2026-12-01T10:00:00", "duration": "PT2H", "excluded": True}
    wish = with_occurrence(held, slot, _said(near(choose, sample, {})), ZONE)
    check_occupancy(wish.content, ZONE)


def _rule_text(data: bytes) -> None:
    samples = (
        "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=8",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20271231T235959Z;INTERVAL=2",
        "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;BYSETPOS=1;WKST=SU",
    )
    text = near(data, *samples)
    start = datetime(2026, 12, 1, 9)
    rule = parse_rrule(str(text), start=start, zone=ZONE, all_day=False)
    again = parse_rrule(
        format_rrule(rule, start=start, zone=ZONE, all_day=False),
        start=start,
        zone=ZONE,
        all_day=False,
    )
    assert again == rule


def _title(data: bytes) -> None:
    text = near(data, "Standup", "a\u202eb", "x" * 300)
    clean = clean_title(text if isinstance(text, str) else None)
    if clean is not None:
        assert clean == clean_title(clean)
        assert clean.strip()
        assert len(clean.encode("utf-16-le")) <= 2 * TITLE_LIMIT
        assert "\n" not in clean


# --- the HTTP layer --------------------------------------------------------------------------


def _json_body(data: bytes) -> None:
    choose = Decisions(data)
    raw = choose.rest() if choose.below(2) else as_text(near(choose, *WISHES))
    value = body.parse_object(raw)
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def _request(headers: list[tuple[bytes, bytes]]) -> Request:
    return Request({"type": "http", "method": "PATCH", "path": "/", "headers": headers})


def _header(value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass").replace(b"\n", b"").replace(b"\r", b"")


def _headers(data: bytes) -> None:
    choose = Decisions(data)
    samples = ('"3"', 'W/"3", "4"', "*", '"8e03978e-40d5-43e8-bc93-6894a57f9324"')
    value = _header(near(choose, *samples))
    names = (b"if-match", b"if-none-match", b"idempotency-key", b"content-type", b"authorization")
    request = _request([(names[choose.below(len(names))], value), (b"if-match", value)])
    body.none_match(request, 3)
    body.wants_absent(request)
    found = body.if_match(request)
    assert found.revisions is None or all(0 <= one < 10**16 for one in found.revisions)
    key = body.idempotency_key(request)
    assert key is None or (0 < len(key) <= 255 and key.isascii() and key.isprintable())


def _window(data: bytes) -> None:
    choose = Decisions(data)
    samples = ("2026-11-20T00:00:00Z", "2026-12-20T00:00:00+01:00", "2026-11-20T00:00:00.5-14:00")
    span = body.window(str(near(choose, *samples)), str(near(choose, *samples[::-1])))
    assert span.start < span.end
    assert span.end - span.start <= body.MAX_WINDOW
    assert span.start.tzinfo is UTC


def _feed_cursor(data: bytes) -> None:
    choose = Decisions(data)
    good = cursors.encode(cursors.Cursor(7, "r1", "b1"))
    text = near(choose, good, cursors.encode(cursors.Cursor(0, None)))
    if choose.below(2):
        text = base64.urlsafe_b64encode(as_text(near(choose, [7, "r1", "b1"]))).decode()
    room = (None, "r1")[choose.below(2)]
    found = cursors.decode(str(text), room)
    assert found.number >= 0
    for one in (found.room_id, found.after_id):
        (one or "").encode()


class _Api:
    """The whole API over a database in memory, called without a network."""

    def __init__(self) -> None:
        logging.getLogger("calsync.api").setLevel(logging.CRITICAL)
        self.database = Database("sqlite://")
        migrate(self.database)
        service = BookingService(SqlHubStore(self.database), now=lambda: NOW)
        service.put_room(Room(id="r1", name="One", zone=ZONE, building="HQ", capacity=8))
        self.booking = service.create("r1", {**RULED, "uid": "u-2", "externalId": "e-2"})
        self.token = service.tokens.create("fuzz", SCOPES)[1]
        self.service = service
        self.app = create_app(
            service,
            now=lambda: NOW,
            sync_status=lambda _: (None, False),
            trigger=lambda _: None,
            version="0",
        )

    def call(self, method: str, path: str, query: bytes, headers: Any, data: bytes) -> Any:
        # As the server decodes it from the address.
        path = path.encode("utf-8", "replace").decode()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": quote(path, errors="replace").encode(),
            "query_string": query,
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "scheme": "http",
        }
        sent: list[Any] = []
        said = iter([{"type": "http.request", "body": data, "more_body": False}])

        async def receive() -> Any:
            return next(said, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        return sent


_api = cache(_Api)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "X\x00")
_QUERIES = (
    "start=2026-11-20T00:00:00Z&end=2026-12-20T00:00:00Z&view=series&rooms=r1,r1",
    "cursor=WzcsInIxIiwiYjEiXQ&limit=100&room=r1",
)


def _api_request(data: bytes) -> None:
    api, choose = _api(), Decisions(data)
    booking = api.booking.booking.id  # type: ignore[union-attr]  # no key: never a stored answer
    paths = (
        "/v1/rooms/r1/bookings",
        f"/v1/bookings/{booking}",
        f"/v1/bookings/{booking}/occurrences/2026-12-01T09:00:00",
        "/v1/rooms/r1/bookings/by-external/e-2",
        "/v1/rooms/r1/occupancy",
        "/v1/rooms/r1",
        "/v1/occupancy",
        "/v1/changes",
        "/v1/rooms",
        "/healthz",
        "/docs",
        "/openapi.json",
        "/problems/invalid",
    )
    path = str(near(choose, *paths) if choose.below(4) == 0 else paths[choose.below(len(paths))])
    method = _METHODS[choose.below(len(_METHODS))]
    query = _header(near(choose, *_QUERIES))
    kind = (b"application/json", b"application/merge-patch+json", b"text/plain")[choose.below(3)]
    match = _header(near(choose, "*", '"1"'))
    headers = [
        (b"authorization", f"Bearer {api.token}".encode()),
        (b"content-type", kind),
        (b"if-match", match),
    ]
    if choose.below(3) == 0:
        headers.append((b"idempotency-key", _header(choose.odd())))
    if choose.below(8) == 0:
        headers[0] = (b"authorization", _header(near(choose, f"Bearer {api.token}")))
    raw = as_text(near(choose, {}, *WISHES))
    sent = api.call(method, "/" + path.lstrip("/"), query, headers, raw)
    status = sent[0]["status"]
    said = b"".join(message.get("body", b"") for message in sent[1:])
    for name, value in sent[0]["headers"]:
        assert b"\r" not in value, name
        assert b"\n" not in value, name
    assert status < 500, (status, said[:300])
    if status >= 400 and method != "HEAD":
        problem = json.loads(said)
        assert KINDS[problem["code"]][0] == status, problem
        assert len(said) < 100_000


def _token(data: bytes) -> None:
    api, choose = _api(), Decisions(data)
    text = near(choose, api.token)
    found = api.service.tokens.check(str(text))
    assert (found is None) == (str(text) != api.token)


_URLS = (
    "https://rooms.example.com/hook?x=1",
    "http://127.0.0.1:8080/hook",
    "https://[64:ff9b::a00:1]:443/",
    "https://10.0.0.1/",
)


def _callback_url(data: bytes) -> None:
    """Whatever is let through leads to a public address, or to this machine by its own name."""
    choose = Decisions(data)
    target = read_url(str(near(choose, *_URLS)))
    assert target.tls or target.local
    assert "\n" not in target.path
    assert 0 < target.port < 65536
    for text in Guard(look_up=lambda *_: ["203.0.113.7", "93.184.216.34"]).addresses(target):
        found = meant(ip_address(text))
        assert found.is_global or (target.local and found.is_loopback)


_RULES = {
    "openingHours": [{"days": ["mo", "su"], "opens": "08:00", "closes": "24:00"}],
    "minNotice": "PT1H",
    "minDuration": "PT15M",
    "maxDuration": "PT8H",
    "maxAhead": "P60D",
    "seatsWithinCapacity": True,
}


def _room_rules(data: bytes) -> None:
    """Rules that are taken are kept as they are, and can be asked about any time."""
    choose = Decisions(data)
    form = Form(body.parse_object(as_text(near(choose, _RULES))))
    rules = read_rules(form)
    form.done()
    assert rules_from_text(rules_to_text(rules)) == rules
    wanted = [Interval(NOW, NOW + timedelta(days=2))]
    facts: Any = {"zone": ZONE, "all_day": False, "endless": True, "now": NOW}
    violations(rules, wanted, **facts, seats=9, capacity=8)


def _prefer(data: bytes) -> None:
    value = _header(near(Decisions(data), "wait=10", 'respond-async, wait="5"; x=1'))
    assert 0 <= wished(_request([(b"prefer", value)])) <= LONGEST


TARGETS = [
    Target(name="callback-url", run=_callback_url, allowed=(Forbidden, OSError)),
    Target(name="room-rules", run=_room_rules, allowed=(InvalidBooking, ApiProblem)),
    Target(name="prefer", run=_prefer),
    Target(name="wish", run=_wish, allowed=(InvalidBooking, ApiProblem)),
    Target(name="booking-patch", run=_patch, allowed=(InvalidBooking, ApiProblem)),
    Target(name="date-patch", run=_one_date, allowed=(InvalidBooking, ApiProblem)),
    Target(name="rule-text", run=_rule_text, allowed=(MappingError,)),
    Target(name="title", run=_title),
    Target(name="json-body", run=_json_body, allowed=(ApiProblem,)),
    Target(name="headers", run=_headers, allowed=(ApiProblem,)),
    Target(name="window", run=_window, allowed=(ApiProblem,)),
    Target(name="feed-cursor", run=_feed_cursor, allowed=(CursorInvalid,)),
    Target(name="api", run=_api_request, heavy=True),
    Target(name="token", run=_token, heavy=True),
]
