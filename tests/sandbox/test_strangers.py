"""Calls as ordinary Graph clients and SDKs write them, which calsync itself never makes."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from calsync.sandbox import DEFAULT_CLIENT, DEFAULT_SECRET, DEFAULT_TENANT

from .client import ANN, BERLIN, BOB, NOW, ROOM, ROOM2, TAG, Graph, at, daily, event

SPAN = "startDateTime=2026-11-01T00:00:00Z&endDateTime=2027-06-01T00:00:00Z"
BASE = "https://graph.sandbox"


@pytest.fixture
def made(graph: Graph) -> Any:
    """One event of the room."""
    return graph.ok("POST", f"{ROOM}/events", event())


def context(graph: Graph, path: str) -> str:
    found: str = graph.ok("GET", path)["@odata.context"]
    return found.removeprefix(BASE)


# -- addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/v1.0/users('{room}')/events('{id}')",
        "/v1.0/users/{room}/events/{id}/",
        "/V1.0/Users/{room}/Calendar/Events/{id}",
        "/v1.0/users/{quoted}/events/{quoted_id}",
        "/beta/users/{room}/calendar/events/{id}",
        "/v1.0/users/{room}/calendars('{calendar}')/events/{id}",
        "/v1.0/users/{room}/calendarGroups/{group}/calendars/{calendar}/events/{id}",
    ],
)
def test_one_event_by_many_addresses(graph: Graph, made: Any, path: str) -> None:
    calendar = graph.ok("GET", f"{ROOM}/calendars")["value"][0]["id"]
    group = graph.ok("GET", f"{ROOM}/calendarGroups")["value"][0]["id"]
    target = path.format(
        room=ROOM,
        quoted=quote(ROOM, safe=""),
        id=made["id"],
        quoted_id=quote(made["id"], safe=""),
        calendar=calendar,
        group=group,
    )
    assert graph.ok("GET", target)["id"] == made["id"]
    assert graph.ok("PATCH", target, {"subject": "Other"})["subject"] == "Other"


def test_options_without_dollar_and_in_any_case(graph: Graph, made: Any) -> None:
    for query in ("$Select=subject&$TOP=1", "select=subject&top=1"):
        (row,) = graph.ok("GET", f"{ROOM}/events?{query}")["value"]
        assert set(row) == {"@odata.etag", "id", "subject"}
    # A larger $top than a page can hold is no error.
    assert len(graph.ok("GET", f"{ROOM}/events?$top=9999")["value"]) == 1


def test_contexts_follow_the_address(graph: Graph, made: Any) -> None:
    room = quote(ROOM, safe="")
    root = f"/v1.0/$metadata#users('{room}')"
    key = quote(made["id"], safe="")
    assert context(graph, f"{ROOM}/events?$select=subject,start") == f"{root}/events(subject,start)"
    assert context(graph, f"{ROOM}/events/{made['id']}") == f"{root}/events/$entity"
    assert context(graph, f"{ROOM}/calendar/calendarview?{SPAN}") == f"{root}/calendar/calendarView"
    assert context(graph, f"{ROOM}/calendars") == f"{root}/calendars"
    assert context(graph, f"{ROOM}/calendar") == f"{root}/calendar/$entity"
    assert (
        context(graph, f"{ROOM}/events/{made['id']}/subject") == f"{root}/events('{key}')/subject"
    )
    assert context(graph, ROOM) == "/v1.0/$metadata#users/$entity"
    assert (
        context(graph, "/v1.0/places/microsoft.graph.room")
        == "/v1.0/$metadata#places/microsoft.graph.room"
    )
    assert context(graph, f"/beta/users/{ROOM}/events").startswith("/beta/$metadata#users")


def test_counts_and_bare_values_are_text(graph: Graph, made: Any) -> None:
    for path in (f"{ROOM}/events/$count", f"{ROOM}/calendarView/$count?{SPAN}"):
        found = graph.call("GET", path)
        assert (found.status, found.headers["Content-Type"], found.body) == (
            200,
            "text/plain",
            b"1",
        )
    assert graph.call("GET", "/v1.0/places/microsoft.graph.room/$count").body == b"2"
    none = graph.call("GET", f"{ROOM}/events/$count?$filter=subject%20eq%20'other'")
    assert none.body == b"0"
    assert graph.call("GET", f"{ROOM}/events/{made['id']}/subject/$value").body == b"Plan"
    assert graph.ok("GET", f"{ROOM}/events/{made['id']}/start")["dateTime"].startswith("2026-12-01")
    assert graph.ok("GET", f"{ROOM}/events/{made['id']}/attachments")["value"] == []
    assert graph.ok("GET", f"{ROOM}/events/{made['id']}/calendar")["name"] == "Calendar"


# -- preferences ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prefer",
    [
        f'outlook.timezone="{BERLIN}"',
        f"outlook.timezone={BERLIN}",
        'Outlook.TimeZone = "Europe/Berlin"',
        'outlook.body-content-type="text",outlook.timezone="Europe/Berlin";maxpagesize=1',
    ],
)
def test_spellings_of_prefer(graph: Graph, made: Any, prefer: str) -> None:
    (row,) = graph.ok("GET", f"{ROOM}/events", prefer=prefer)["value"]
    assert row["start"]["dateTime"] == "2026-12-01T10:00:00.0000000"
    assert row["body"]["contentType"] == ("text" if "text" in prefer else "html")


def test_page_size_by_either_name(graph: Graph) -> None:
    for day in ("2026-12-01", "2026-12-02", "2026-12-03"):
        graph.ok("POST", f"{ROOM}/events", event(day))
    for name in ("odata.maxpagesize", "maxpagesize"):
        assert len(graph.ok("GET", f"{ROOM}/events", prefer=f"{name}=2")["value"]) == 2


# -- bodies ---------------------------------------------------------------------------------


def test_written_bodies_must_say_that_they_are_json(graph: Graph) -> None:
    for kind, words in (("", "Content-Type header"), ("text/plain", "JSON Content-Type")):
        answer = graph.call("POST", f"{ROOM}/events", event(), Content_Type=kind)
        assert answer.status == 400
        assert answer.json()["error"]["code"] == "BadRequest"
        assert words in answer.json()["error"]["message"]
    kind = "application/json;odata.metadata=minimal; charset=utf-8"
    assert graph.call("POST", f"{ROOM}/events", event(), Content_Type=kind).status == 201


def test_members_of_the_two_endpoints(graph: Graph) -> None:
    series = graph.ok("POST", f"{ROOM}/events", event(recurrence=daily("2026-12-01")))
    assert series["transactionId"] is None
    assert not {"uid", "occurrenceId"} & set(series)
    first = graph.ok("GET", f"/beta/users/{ROOM}/events/{series['id']}/instances?{SPAN}")["value"][
        0
    ]
    assert first["uid"] == series["iCalUId"]
    assert first["iCalUId"] != first["uid"]
    assert first["occurrenceId"] == f"OID.{series['id']}.2026-12-01"
    graph.switch(beta_members_in_v1=True)
    assert graph.ok("GET", f"{ROOM}/events/{series['id']}")["uid"] == series["iCalUId"]


def test_open_extensions_are_managed_on_their_own(graph: Graph) -> None:
    inline = [{"extensionName": "com.a.One", "n": 1}, {"extensionName": "com.a.Two", "n": 2}]
    made = graph.ok("POST", f"{ROOM}/events", event(extensions=inline))
    path = f"{ROOM}/events/{made['id']}/extensions"
    assert [one["extensionName"] for one in graph.ok("GET", path)["value"]] == [
        "com.a.One",
        "com.a.Two",
    ]
    graph.ok("PATCH", f"{path}/com.a.one", {"n": 5, "m": "x"})
    found = graph.ok("GET", f"{path}/com.a.One")
    assert (found["n"], found["m"]) == (5, "x")
    assert found["id"].endswith("OpenTypeExtension.com.a.One")
    assert graph.refused("POST", path, inline[0])[0] == 409
    graph.ok("DELETE", f"{path}/{found['id']}")
    assert graph.refused("GET", f"{path}/com.a.One") == (404, "ErrorItemNotFound")
    chosen = quote("extensions($filter=id eq 'com.a.Two' or id eq 'com.a.Gone')", safe="$=()")
    shown = graph.ok("GET", f"{ROOM}/events/{made['id']}?$expand={chosen}")["extensions"]
    assert [one["n"] for one in shown] == [2]


def test_filters_as_clients_write_them(graph: Graph, made: Any) -> None:
    for clause, count in (
        ("subject in ('Plan','x')", 1),
        ("subject in ('x')", 0),
        ("tolower(subject) eq 'plan'", 1),
        ("contains(tolower(subject),'la') eq true", 1),
        ("contains(subject,'la') eq false", 0),
        ("type eq microsoft.graph.eventType'singleInstance' and not (isAllDay eq true)", 1),
        ("type eq 'seriesMaster'", 0),
    ):
        text = quote(clause)
        assert len(graph.ok("GET", f"{ROOM}/events?$filter={text}")["value"]) == count


def test_filters_compare_instants(graph: Graph, made: Any) -> None:
    """The event begins at 09:00 UTC, 10:00 in Berlin."""
    for literal, count in (
        ("2026-12-01T09:00:00Z", 1),
        ("2026-12-01T10:00:00+01:00", 1),
        ("2026-12-01T09:00:00", 1),
        ("2026-12-01T09:30:00", 0),
    ):
        text = quote(f"start/dateTime ge '{literal}'")
        rows = graph.ok(
            "GET", f"{ROOM}/events?$filter={text}", prefer=f'outlook.timezone="{BERLIN}"'
        )
        assert len(rows["value"]) == count


def test_html_bodies_come_back_as_documents(graph: Graph) -> None:
    for kind, content in (("html", "<b>Tea</b> &amp; cake"), ("text", "Tea & cake")):
        body = event(body={"contentType": kind, "content": content})
        made = graph.ok("POST", f"{ROOM}/events", body)
        assert made["body"]["contentType"] == "html"
        assert made["body"]["content"].startswith("<html>")
        assert made["bodyPreview"] == "Tea & cake"
        again = graph.ok("PATCH", f"{ROOM}/events/{made['id']}", {"body": made["body"]})
        assert again["body"] == made["body"]


def test_limits_of_windows(graph: Graph) -> None:
    wide = "startDateTime=2020-01-01T00:00:00Z&endDateTime=2026-01-01T00:00:00Z"
    answer = graph.call("GET", f"{ROOM}/calendarView?{wide}").json()["error"]
    assert (answer["code"], "1825" in answer["message"]) == ("ErrorInvalidRequest", True)
    body = {"schedules": [ROOM], "startTime": at("2026-12-01"), "endTime": at("2027-03-01")}
    assert graph.refused("POST", f"{ANN}/calendar/getSchedule", body) == (
        400,
        "ErrorTimeIntervalTooBig",
    )


# -- what else an application looks at ------------------------------------------------------


def test_places_as_the_sdks_name_them(graph: Graph) -> None:
    for space in ("graph", "microsoft.graph"):
        rooms = graph.ok("GET", f"/v1.0/places/{space}.room?$top=1")
        assert rooms["value"][0]["emailAddress"] == ROOM
        (building,) = graph.ok("GET", f"/v1.0/places/{space}.roomList")["value"]
        inside = graph.ok("GET", f"/v1.0/places/{building['emailAddress']}/{space}.roomlist/rooms")
        assert [one["emailAddress"] for one in inside["value"]] == [ROOM, ROOM2]
        assert graph.ok("GET", f"/v1.0/places/{ROOM}/{space}.room")["emailAddress"] == ROOM
    assert graph.refused("PATCH", f"/v1.0/places/{ROOM}", {"label": "x"}) == (
        403,
        "Authorization_RequestDenied",
    )
    found = graph.ok("GET", f"/beta/users/{ANN}/findRooms(RoomList='{building['emailAddress']}')")
    assert [one["address"] for one in found["value"]] == [ROOM, ROOM2]


def test_users_with_advanced_queries(graph: Graph) -> None:
    plain = graph.ok("GET", "/v1.0/users?$top=1")["value"][0]
    assert "accountEnabled" not in plain
    chosen = "$select=mail,accountEnabled&$orderby=displayName%20desc"
    rows = graph.ok("GET", f"/v1.0/users?{chosen}")["value"]
    assert rows[0] == {"mail": ROOM2, "accountEnabled": False, "id": rows[0]["id"]}
    search = "/v1.0/users?$count=true&$search=" + quote('"displayName:Person"')
    assert graph.refused("GET", search) == (400, "Request_UnsupportedQuery")
    assert graph.ok("GET", search, ConsistencyLevel="eventual")["@odata.count"] == 3
    assert graph.refused("GET", "/v1.0/users/$count")[0] == 400
    assert graph.call("GET", "/v1.0/users/$count", ConsistencyLevel="eventual").body == b"5"


def test_what_an_application_may_not_do(graph: Graph) -> None:
    for path in ("messages", "mailFolders/sentItems/messages", "contacts"):
        assert graph.refused("GET", f"{ANN}/{path}") == (403, "ErrorAccessDenied")
    assert graph.refused("POST", f"{ANN}/findMeetingTimes", {}) == (403, "ErrorAccessDenied")
    assert graph.refused("GET", "/v1.0/groups") == (403, "Authorization_RequestDenied")
    assert graph.refused("GET", "/v1.0/me/events")[0] == 400
    assert graph.refused("POST", f"{ANN}/calendars", {"name": "x"})[0] == 501
    assert graph.refused("GET", f"{ANN}/photo/$value") == (404, "ImageNotFound")


def test_outlook_lists(graph: Graph) -> None:
    assert graph.ok("GET", f"{ANN}/outlook/masterCategories")["value"] == []
    assert graph.ok("GET", f"{ANN}/outlook/supportedLanguages")["value"][0]["locale"]
    path = (
        f"{ANN}/outlook/supportedTimeZones(TimeZoneStandard=microsoft.graph.timeZoneStandard'Iana')"
    )
    assert {"alias": "Europe/Berlin", "displayName": "Europe/Berlin"} in graph.ok("GET", path)[
        "value"
    ]
    assert graph.refused("GET", f"{ANN}/outlook/nonsense")[0] == 400


def test_reading_permissions_suffice_for_schedules(graph: Graph) -> None:
    graph.control(
        "POST", "apps", {"client_id": "reader", "secrets": ["s"], "roles": ["Calendars.Read"]}
    )
    graph.login("s", client_id="reader")
    body = {"schedules": [ROOM], "startTime": at("2026-12-01"), "endTime": at("2026-12-02")}
    assert graph.ok("POST", f"{ANN}/calendar/getSchedule", body)["value"][0]["scheduleId"] == ROOM
    assert graph.refused("POST", f"{ROOM}/events", event())[0] == 403


def test_batches_of_the_sdks(graph: Graph) -> None:
    parts = [
        {"id": "1", "method": "GET", "url": f"{BASE}/v1.0/users/{ROOM}/events", "depends_on": []},
        {"id": "2", "method": "GET", "url": f"users('{ROOM}')/events?$count=true"},
        {"id": "3", "method": "GET", "url": f"/v1.0/users/{ROOM}/events"},
    ]
    rows = graph.ok("POST", "/v1.0/$batch", {"requests": parts})["responses"]
    assert [row["status"] for row in rows] == [200, 200, 200]
    parts[0]["url"] = "https://elsewhere.example/v1.0/users"
    assert graph.refused("POST", "/v1.0/$batch", {"requests": parts})[0] == 400


# -- signing in -----------------------------------------------------------------------------


def assertion(audience: str) -> dict[str, str]:
    claims = {
        "aud": audience,
        "iss": DEFAULT_CLIENT,
        "sub": DEFAULT_CLIENT,
        "exp": int((NOW + timedelta(minutes=5)).timestamp()),
    }
    parts = [urlsafe_b64encode(json.dumps(one).encode()).decode() for one in ({"alg": "x"}, claims)]
    return {
        "client_assertion": ".".join([*parts, "sig"]).replace("=", ""),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }


@pytest.mark.parametrize(
    ("end", "status"), [("oauth2/v2.0/token", 200), ("v2.0", 200), ("v2.0/", 200), ("other", 401)]
)
def test_audiences_of_assertions(graph: Graph, end: str, status: int) -> None:
    audience = f"https://login.example/{DEFAULT_TENANT}/{end}"
    assert graph.login("", **assertion(audience)).status == status


def test_the_older_token_endpoint(graph: Graph) -> None:
    form = (
        f"grant_type=client_credentials&client_id={DEFAULT_CLIENT}&client_secret={DEFAULT_SECRET}"
    )
    target = f"/{DEFAULT_TENANT}/oauth2/token"
    refused = graph.box.handle("POST", target, {}, form.encode())
    assert (refused.status, refused.json()["error_codes"]) == (400, [900144])
    answer = graph.box.handle("POST", target, {}, f"{form}&resource={BASE}".encode()).json()
    assert (answer["expires_in"], answer["resource"]) == ("3599", BASE)
    graph.token = answer["access_token"]
    assert graph.ok("GET", f"{ROOM}/events")["value"] == []


def test_attendees_need_addresses(graph: Graph) -> None:
    for address, status in ((BOB, 201), ("nobody", 400)):
        body = event(attendees=[{"emailAddress": {"address": address}}], categories=["a"])
        assert graph.call("POST", f"{ANN}/events", body).status == status
    chosen = quote(f"singleValueExtendedProperties($filter=id eq '{TAG}')", safe="$=()")
    (row,) = graph.ok("GET", f"{ANN}/events?$expand={chosen}")["value"]
    assert "singleValueExtendedProperties" not in row
