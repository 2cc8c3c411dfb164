"""What Microsoft Graph, its sign-in service, or whoever answers in their place may send."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from urllib3.util import parse_url

from calsync.adapters.graph.batch import Part, run_batch
from calsync.adapters.graph.clouds import GLOBAL
from calsync.adapters.graph.delta import read_round
from calsync.adapters.graph.errors import as_error, as_outcome, check, judge
from calsync.adapters.graph.links import AllowedOrigin, event_path, is_id, user_path
from calsync.adapters.graph.parts import longest_wait, read_answer, read_part
from calsync.adapters.graph.places import resource_calendars
from calsync.adapters.graph.side import GraphSide
from calsync.adapters.graph.signin import explain
from calsync.adapters.shared.retry_after import CAP_S, retry_after
from calsync.adapters.shared.seal import Seal
from calsync.adapters.wrap.port import Answer, Call
from calsync.bounded_json import read_json
from calsync.errors import (
    BadAnswer,
    CursorExpired,
    ForbiddenLink,
    MappingError,
    SideError,
)
from calsync.mapping import zones
from calsync.mapping.canon import canonical_occupancy
from calsync.mapping.event import bare, event_body, read_event
from calsync.mapping.expand import busy_intervals
from calsync.mapping.fingerprint import dumps, fingerprint, loads
from calsync.mapping.recurrence import from_graph, to_graph
from calsync.mapping.text import clean_title
from calsync.model import (
    Effect,
    EffectKind,
    Occupancy,
    Pair,
    Seen,
    Unknown,
    Window,
)
from fuzz.near import Decisions, as_text, near
from fuzz.target import Target

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=1), NOW + timedelta(days=400))
PAIR = Pair(
    id="p", room_id="r", connection="c", mailbox="room@contoso.example", zone="Asia/Kolkata"
)


def _time(day: int, hour: int) -> dict[str, str]:
    return {"dateTime": f"2026-12-{day:02}T{hour:02}:00:00.0000000", "timeZone": "UTC"}


SINGLE: dict[str, Any] = {
    "id": "AAMkAGI1",
    "@odata.etag": 'W/"x"',
    "changeKey": "x",
    "createdDateTime": "2026-11-01T08:00:00.1234567Z",
    "lastModifiedDateTime": "2026-11-02T08:00:00.7654321Z",
    "iCalUId": "0400",
    "transactionId": "cs1-0123",
    "type": "singleInstance",
    "seriesMasterId": None,
    "start": _time(1, 9),
    "end": _time(1, 10),
    "originalStartTimeZone": "W. Europe Standard Time",
    "isAllDay": False,
    "isCancelled": False,
    "isOrganizer": True,
    "showAs": "busy",
    "sensitivity": "normal",
    "subject": "Standup",
    "organizer": {"emailAddress": {"name": "Ann", "address": "ann@firm.example"}},
    "responseStatus": {"response": "accepted", "time": "2026-11-02T08:00:00Z"},
    "recurrence": None,
}
ALL_DAY: dict[str, Any] = {
    **SINGLE,
    "isAllDay": True,
    "start": _time(1, 0),
    "end": _time(3, 0),
}


def _range(kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "startDate": "2026-12-01",
        "endDate": "2027-03-01",
        "numberOfOccurrences": 10,
        "recurrenceTimeZone": "W. Europe Standard Time",
    }


PATTERNS: list[dict[str, Any]] = [
    {"pattern": pattern, "range": _range(kind)}
    for pattern, kind in (
        ({"type": "daily", "interval": 1}, "noEnd"),
        ({"type": "weekly", "interval": 2, "daysOfWeek": ["tuesday", "friday"]}, "endDate"),
        ({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}, "numbered"),
        (
            {"type": "relativeMonthly", "interval": 3, "daysOfWeek": ["monday"], "index": "last"},
            "numbered",
        ),
        ({"type": "absoluteYearly", "interval": 1, "dayOfMonth": 29, "month": 2}, "noEnd"),
        (
            {
                "type": "relativeYearly",
                "interval": 1,
                "daysOfWeek": ["weekday"],
                "index": "first",
                "month": 12,
                "firstDayOfWeek": "sunday",
            },
            "endDate",
        ),
    )
]


def _series(recurrence: dict[str, Any]) -> dict[str, Any]:
    exception = {
        **SINGLE,
        "id": "X1",
        "type": "exception",
        "seriesMasterId": "AAMkAGI1",
        "originalStart": "2026-12-08T09:00:00Z",
        "start": _time(8, 14),
        "end": _time(8, 15),
    }
    return {
        **SINGLE,
        "type": "seriesMaster",
        "recurrence": recurrence,
        "exceptionOccurrences": [exception],
        "cancelledOccurrences": ["OID.AAMkAGI1.2026-12-15"],
    }


EVENTS = [SINGLE, ALL_DAY, *(_series(one) for one in PATTERNS)]


# --- events ----------------------------------------------------------------------------------


def _storable(*texts: str | None) -> None:
    for text in texts:
        assert text is None or "\x00" not in text, "a database takes no NUL"
        (text or "").encode()


def check_occupancy(occ: Occupancy, room_zone: str) -> None:
    """What every reader of the neutral form relies on."""
    assert loads(dumps(occ)) == occ, "it is not what is stored of it"
    assert canonical_occupancy(occ) == occ, "it is not canonical"
    busy = busy_intervals(occ, WINDOW, room_zone)
    assert all(one.start <= one.end for one in busy)
    assert all(one.start < WINDOW.end and WINDOW.start < one.end for one in busy if occ.recurrence)
    try:
        body = event_body(bare(occ), subject_fallback="Booked", room_zone=room_zone)
    except MappingError:
        return
    json.dumps(body, allow_nan=False).encode()


def _event(data: bytes) -> None:
    raw = near(data, *EVENTS)
    parts = raw if isinstance(raw, dict) else {}
    exceptions, cancelled = parts.get("exceptionOccurrences"), parts.get("cancelledOccurrences")
    for titles in (True, False):
        seen = read_event(
            raw,
            titles=titles,
            room_zone=PAIR.zone,
            exceptions=exceptions if isinstance(exceptions, list) else (),
            cancelled=cancelled if isinstance(cancelled, list) else (),
            subject_fallback="Booked",
        )
        if not isinstance(seen, Seen):
            if isinstance(seen, Unknown):
                assert seen.reason.isprintable(), repr(seen.reason)
                _storable(seen.reason)
            continue
        assert seen.fingerprint == fingerprint(seen.occupancy)
        assert titles or "Standup" not in repr(seen.occupancy)
        # (A tag is judged by its seal before anybody looks at it.)
        _storable(seen.uid, seen.version, seen.person.name, seen.person.address)
        check_occupancy(seen.occupancy, PAIR.zone)


def _pattern(data: bytes) -> None:
    raw = near(data, *PATTERNS)
    start = datetime(2026, 12, 1, 9)
    rule = from_graph(raw, start=start)
    again = from_graph(to_graph(rule, start=start, zone="Europe/Berlin"), start=start)
    assert again == rule, f"{rule} comes back as {again}"


# --- answers ---------------------------------------------------------------------------------


class Script:
    """Answers calls from a list; the last one for ever."""

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = answers

    def call(self, call: Call) -> Answer:
        del call
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def answer_of(value: Any, status: int = 200) -> Answer:
    """As the transport gives it: an object or nothing."""
    try:
        body = read_json(as_text(value))
    except ValueError:
        raise BadAnswer("no JSON") from None
    return Answer(status=status, body=body if isinstance(body, dict) else None)


_PAGE = {
    "value": [SINGLE, {"id": "gone", "@removed": {"reason": "deleted"}}, _series(PATTERNS[1])],
    "@odata.nextLink": "https://graph.microsoft.com/v1.0/delta?$skiptoken=1",
}
_LAST = {"value": [ALL_DAY], "@odata.deltaLink": "https://graph.microsoft.com/v1.0/delta?$t=2"}


def _delta(data: bytes) -> None:
    choose = Decisions(data)
    first, second = near(choose, _PAGE, _LAST), near(choose, _LAST)
    script = Script([answer_of(first), answer_of(second)])
    origin = AllowedOrigin(GLOBAL.graph)
    found = read_round(script, PAIR.mailbox, None, WINDOW, origin=origin)
    _storable(found.cursor)
    for key in (*found.singles, *found.series, *found.removed):
        assert is_id(key), key
        event_path(PAIR.mailbox, key)
    assert not found.singles.keys() & found.removed.keys()
    # What ends a round begins the next one.
    read_round(Script([answer_of(_LAST)]), PAIR.mailbox, found.cursor, WINDOW, origin=origin)


_CURSOR = {
    "m": PAIR.mailbox,
    "from": WINDOW.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "to": WINDOW.end.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "link": "https://graph.microsoft.com/v1.0/delta?$t=2",
}


def _stored_cursor(data: bytes) -> None:
    choose = Decisions(data)
    raw = choose.rest() if choose.below(3) == 0 else as_text(near(choose, _CURSOR))
    read_round(Script([answer_of(_LAST)]), PAIR.mailbox, raw.decode("utf-8", "replace"), WINDOW)


class Clock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


_EFFECTS = [
    Effect(
        id="l:1",
        kind=kind,
        link_id="l",
        revision=1,
        why="",
        key=None if kind is EffectKind.CREATE_EVENT else "AAMkAGI1",
        version='W/"x"',
        target=Occupancy(start=datetime(2026, 12, 1, 9), end=datetime(2026, 12, 1, 10), zone="UTC"),
    )
    for kind in (
        EffectKind.CREATE_EVENT,
        EffectKind.CHANGE_EVENT,
        EffectKind.DELETE_EVENT,
        EffectKind.DECLINE_EVENT,
    )
]
_REFUSED = {"error": {"code": "ErrorDuplicateTransactionId", "@event.existingEventId": "AAMkAGI1"}}


def _side(data: bytes) -> None:
    """The whole side over answers of any shape: reading, looking up, writing."""
    choose = Decisions(data)
    effect = _EFFECTS[choose.below(len(_EFFECTS))]
    statuses = (200, 200, 200, 201, 202, 204, 301, 400, 404, 409, 412, 429, 500, 503)
    answers = [
        answer_of(near(choose, SINGLE, _LAST, _series(PATTERNS[0]), _REFUSED), status)
        for status in (statuses[choose.below(len(statuses))] for _ in range(3))
    ]
    side = GraphSide(
        connection="c", cloud=GLOBAL, caller=Script(answers), clock=Clock(), tag_key=b""
    )
    acts: list[Callable[[], object]] = [
        lambda: side.apply(PAIR, [effect]),
        lambda: side.apply(PAIR, [replace(effect, owned=False)]),
        lambda: side.read(PAIR, ["AAMkAGI1"]),
        lambda: side.find(PAIR, ["l"]),
        lambda: side.pull(PAIR, None, WINDOW),
    ]
    acts[choose.below(len(acts))]()


_BATCH = {
    "responses": [
        {"id": "1", "status": 200, "headers": {"Content-Type": "x"}, "body": SINGLE},
        {"id": "0", "status": 429, "headers": {"Retry-After": "2"}, "body": _REFUSED},
    ]
}


def _batch(data: bytes) -> None:
    parts = [Part(method="GET", path="/users/a/events/0"), Part(method="GET", path="/x")]
    answer = answer_of(near(data, _BATCH))
    found = run_batch(Script([answer]), parts, operation="x", mailbox="a", now=NOW, repeatable=True)
    assert len(found) == 2
    if answer.body is not None:
        wait = longest_wait(answer.body, NOW)
        assert wait is None or 0 <= wait <= CAP_S
    for part in (answer.body or {}).get("responses", ()):
        read_part(part, NOW)


_ERRORS = [
    _REFUSED,
    {"error": {"code": "ErrorItemNotFound", "message": "x", "innerError": {"code": "y"}}},
    {"error": {"code": "X", "innererror": {"code": "ErrorServerBusy", "innerError": {}}}},
]


def _refusal(data: bytes) -> None:
    choose = Decisions(data)
    status = 300 + choose.below(300)
    body = near(choose, *_ERRORS)
    answer = read_answer(status, {}, body if isinstance(body, dict) else None, NOW)
    verdict = judge(answer)
    error = as_error(verdict, "room@contoso.example")
    for text in (str(error), repr(as_outcome(verdict)), verdict.code):
        assert len(text) < 1000
        assert text.isprintable(), repr(text)
    check(answer, "room@contoso.example")


def _retry_after(data: bytes) -> None:
    samples = ("120", "2.128", "Fri, 20 Nov 2026 09:00:00 GMT", "Friday, 20-Nov-26 09:00:00 GMT")
    choose = Decisions(data)
    header = near(choose, *samples)
    text = str(header) if choose.below(2) else header
    seconds, note = retry_after(text if isinstance(text, str) else None, NOW)
    assert seconds is None or 0 <= seconds <= CAP_S
    assert note.isprintable()


_PLACES = {
    "value": [
        {
            "id": "1",
            "emailAddress": "Room@contoso.example",
            "displayName": "Atlas",
            "building": "HQ",
            "floorNumber": 2,
            "capacity": 8,
        }
    ]
}


def _places(data: bytes) -> None:
    choose = Decisions(data)
    script = Script([answer_of(near(choose, _PLACES)) for _ in range(3)])
    for room in resource_calendars(script):
        assert is_id(room.address)
        for text in (room.name, room.building, room.floor):
            assert text == room.address or (clean_title(text) or "") == text, repr(text)
            _storable(text)
        assert user_path(room.address).isascii()


# --- addresses, names, words -----------------------------------------------------------------

_LINKS = (
    "https://graph.microsoft.com/v1.0/users/x/calendarView/delta?$deltatoken=abc",
    "https://graph.microsoft.com:443/v1.0/x",
    "https://graph.microsoft.com@evil.example/x",
    "https://evil.example\\@graph.microsoft.com/x",
    "https://graph.microsoft.com.evil.example/x",
    "http://graph.microsoft.com/x",
)


def _link(data: bytes) -> None:
    choose = Decisions(data)
    link = near(choose, *_LINKS)
    text = link if isinstance(link, str) else str(link)
    assert AllowedOrigin(GLOBAL.graph).check(text) == text
    # Every parser between here and the wire sees the same host.
    one, other = urlsplit(text), parse_url(text)
    assert (one.scheme, one.hostname, one.port or 443) == ("https", "graph.microsoft.com", 443)
    assert (other.scheme, other.host, other.port or 443) == ("https", "graph.microsoft.com", 443)
    assert one.username is None
    assert other.auth is None
    assert text.isascii()
    assert text.isprintable()


def _zone(data: bytes) -> None:
    names = ("W. Europe Standard Time", "Europe/Vienna", "tzone://Microsoft/Utc", "UTC+13")
    name = near(data, *names)
    zone = zones.resolve(name)
    if zone.iana is None:
        return
    assert zones.resolve(zone.iana).iana is not None
    main = zones.canonical(zone.iana)
    assert zones.canonical(main) == main
    zones.outgoing(zone.iana)
    for wall in (datetime(1, 1, 1), datetime(2026, 3, 29, 2, 30), datetime(9999, 12, 31, 23, 59)):
        zones.to_wall(zones.to_utc(wall, zone.iana), zone.iana)


def _sealed(data: bytes) -> None:
    choose = Decisions(data)
    seal = Seal(b"secret")
    good = seal.close(PAIR.mailbox, "0" * 32)
    text = near(choose, good, "0" * 32, "cs1-x")
    if isinstance(text, str) and text != good:
        assert seal.open(PAIR.mailbox, text).tag is None


def _sign_in(data: bytes) -> None:
    choose = Decisions(data)
    said = "AADSTS7000215: Invalid client secret provided. Trace ID: 0 Correlation ID: 1"
    what, todo = explain(str(near(choose, said)), str(near(choose, "invalid_client")))
    assert what.isprintable()
    assert todo.isprintable()
    assert len(what) + len(todo) < 500


TARGETS = [
    Target(name="graph-event", run=_event),
    Target(name="graph-pattern", run=_pattern, allowed=(MappingError,)),
    Target(name="graph-delta", run=_delta, allowed=(SideError,)),
    Target(name="graph-cursor", run=_stored_cursor, allowed=(CursorExpired, SideError)),
    Target(name="graph-side", run=_side, allowed=(SideError,)),
    Target(name="graph-batch", run=_batch, allowed=(SideError,)),
    Target(name="graph-refusal", run=_refusal, allowed=(SideError,)),
    Target(name="graph-places", run=_places, allowed=(SideError,)),
    Target(name="retry-after", run=_retry_after),
    Target(name="link", run=_link, allowed=(ForbiddenLink,)),
    Target(name="zone-name", run=_zone),
    Target(name="sealed-tag", run=_sealed),
    Target(name="sign-in-refusal", run=_sign_in),
]
