"""Every route of the sandbox answers what the official metadata allows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fidelity import csdl
from tests.sandbox.client import ANN, BOB, ROOM, TAG, Graph, at, daily, event, weekly

pytestmark = pytest.mark.skipif(csdl.metadata_file() is None, reason="Graph metadata not found")

# Members the metadata does not know but an answer may carry: none.
ERROR = {"code": str, "message": str, "innerError": dict}


def good(kind: str, body: Any) -> None:
    rows = body["value"] if isinstance(body.get("value"), list) else [body]
    for row in rows:
        assert csdl.validate_entity(kind, row) == []
        known = csdl.schema().members(f"microsoft.graph.{kind}")
        assert not [name for name in row if "@" not in name and name not in known], row.keys()


@pytest.fixture
def full() -> Graph:
    """Singles, series with exceptions, all-day, private, online, cancelled, tagged."""
    graph = Graph()
    graph.ok(
        "POST",
        f"{ROOM}/events",
        event(singleValueExtendedProperties=[{"id": TAG, "value": "1"}], transactionId="t"),
    )
    all_day = event(isAllDay=True, showAs="free") | {
        "start": at("2026-12-05", "00:00"),
        "end": at("2026-12-06", "00:00"),
    }
    graph.ok("POST", f"{ROOM}/events", all_day)
    graph.ok(
        "POST",
        f"{ROOM}/events",
        event(
            "2026-12-09",
            isOnlineMeeting=True,
            locations=[{"displayName": "A"}],
            body={"contentType": "text", "content": "x"},
        ),
    )
    graph.book("2026-12-02T10:00", "2026-12-02T11:00", attendees=[BOB], sensitivity="private")
    series = graph.book("2026-12-10T10:00", "2026-12-10T11:00", recurrence=daily("2026-12-10", 6))
    graph.box.act(
        kind="move_occurrence",
        iCalUId=series["iCalUId"],
        room=ROOM,
        date="2026-12-11",
        start="2026-12-11T15:00",
    )
    graph.box.act(kind="cancel_occurrence", iCalUId=series["iCalUId"], room=ROOM, date="2026-12-12")
    monthly = {
        "pattern": {
            "type": "relativeMonthly",
            "interval": 1,
            "daysOfWeek": ["monday"],
            "index": "last",
        },
        "range": {"type": "noEnd", "startDate": "2026-12-28"},
    }
    graph.ok("POST", f"{ROOM}/events", event("2026-12-28", recurrence=monthly))
    graph.ok(
        "POST",
        f"{ROOM}/events",
        event("2026-12-03", "05:00", "06:00", recurrence=weekly("2026-12-03", days=["thursday"])),
    )
    gone = graph.book("2026-12-20T10:00", "2026-12-20T11:00")
    graph.box.act(kind="cancel", iCalUId=gone["iCalUId"], room=ROOM)
    return graph


def test_events_everywhere(full: Graph) -> None:
    window = "startDateTime=2026-12-01T00:00:00Z&endDateTime=2027-03-01T00:00:00Z"
    for box in (ROOM, ANN, BOB):
        good("event", full.ok("GET", f"{box}/events?$top=100"))
        good("event", full.ok("GET", f"{box}/calendarView?{window}&$top=100"))
        rows, _ = full.first_delta(box)
        assert {one["@odata.type"] for one in rows} == {"#microsoft.graph.event"}
        good("event", {"value": [one for one in rows if "@removed" not in one]})
        for row in full.ok("GET", f"{box}/events?$top=100")["value"]:
            path = f"{box}/events/{row['id']}"
            good("event", full.ok("GET", path, prefer='outlook.body-content-type="text"'))
            if row["type"] == "seriesMaster":
                good("event", full.ok("GET", f"{path}/instances?{window}"))
                select = "$select=cancelledOccurrences,exceptionOccurrences,subject"
                good("event", full.ok("GET", f"{path}?{select}&$expand=exceptionOccurrences"))
    expand = f"$expand=singleValueExtendedProperties($filter=id eq '{TAG}'),extensions"
    good("event", full.ok("GET", f"{ROOM}/events?$top=100&{expand}"))


def test_writes_answer_events(full: Graph) -> None:
    made = full.ok(
        "POST",
        f"{ROOM}/events",
        event("2027-01-04", attendees=[{"type": "optional", "emailAddress": {"address": BOB}}]),
    )
    good("event", made)
    good(
        "event",
        full.ok(
            "PATCH", f"{ROOM}/events/{made['id']}", {"showAs": "tentative", "importance": "high"}
        ),
    )
    extension = {
        "@odata.type": "microsoft.graph.openTypeExtension",
        "extensionName": "com.calsync",
        "n": 1,
    }
    shown = full.ok("POST", f"{ROOM}/events/{made['id']}/extensions", extension)
    assert csdl.validate_entity("openTypeExtension", shown) == []
    read = full.ok("GET", f"{ROOM}/events/{made['id']}?$expand=extensions")
    assert [one["extensionName"] for one in read["extensions"]] == ["com.calsync"]


def test_directory(full: Graph) -> None:
    full.control(
        "POST",
        "rooms",
        {"address": "x@contoso.example", "building": "T", "floor": 2, "capacity": 3, "tags": ["a"]},
    )
    good("room", full.ok("GET", "/v1.0/places/microsoft.graph.room"))
    good("roomList", full.ok("GET", "/v1.0/places/microsoft.graph.roomList"))
    good("user", full.ok("GET", "/v1.0/users"))
    good("user", full.ok("GET", f"{ROOM}"))
    good("calendar", full.ok("GET", f"{ROOM}/calendar"))
    good("calendar", full.ok("GET", f"{ROOM}/calendars"))
    good("mailboxSettings", full.ok("GET", f"{ROOM}/mailboxSettings"))
    zones = full.ok(
        "GET",
        f"{ROOM}/outlook/supportedTimeZones(TimeZoneStandard=microsoft.graph.timeZoneStandard'Iana')",
    )
    good("timeZoneInformation", zones)
    ids = [one["id"] for one in full.ok("GET", f"{ROOM}/events")["value"]] + ["junk"]
    body = {"inputIds": ids, "sourceIdType": "restId", "targetIdType": "restImmutableEntryId"}
    assert csdl.validate_action("translateExchangeIds", "user", body) == []
    good("convertIdResult", full.ok("POST", f"{ROOM}/translateExchangeIds", body))


def test_actions(full: Graph) -> None:
    body = {
        "schedules": [ROOM, "ghost@x.example"],
        "startTime": at("2026-12-01", "00:00"),
        "endTime": at("2026-12-08", "00:00"),
    }
    assert csdl.validate_action("getSchedule", "calendar", body) == []
    good("scheduleInformation", full.ok("POST", f"{ROOM}/calendar/getSchedule", body))
    message = {
        "message": {"subject": "s", "toRecipients": [{"emailAddress": {"address": BOB}}]},
        "saveToSentItems": False,
    }
    assert csdl.validate_action("sendMail", "user", message) == []
    assert full.call("POST", f"{ROOM}/sendMail", message).status == 202
    assert csdl.validate_action("decline", "event", {"comment": "x", "sendResponse": True}) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/v1.0/users/{ROOM}/events/none"),
        ("GET", "/v1.0/users/nobody/events"),
        ("POST", f"/v1.0/users/{ROOM}/events"),
        ("GET", "/v1.0/unknown"),
        ("PUT", f"/v1.0/users/{ROOM}/events"),
        ("GET", "/nothing"),
        ("GET", "/"),
    ],
)
def test_errors_have_graphs_shape(full: Graph, method: str, path: str) -> None:
    answer = full.call(method, path)
    assert answer.status in (400, 404, 405)
    error = answer.json()["error"]
    for name, kind in ERROR.items():
        assert isinstance(error[name], kind)
    assert error["innerError"]["request-id"] == answer.headers["request-id"]
