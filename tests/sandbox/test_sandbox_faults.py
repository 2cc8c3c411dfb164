"""Faults, throttling, batches and the control side."""

from __future__ import annotations

from typing import Any

import pytest

from calsync.sandbox.faults import KINDS

from .client import ANN, ROOM, ROOM2, TAG, Graph, event


def test_a_lost_request_and_a_lost_reply(graph: Graph) -> None:
    graph.fault("lost_request", method="POST", path="/events", count=1)
    assert graph.call("POST", f"{ROOM}/events", event()).fate == "drop"
    assert graph.live() == []
    graph.fault("reply_lost", method="POST", path="/events", count=1)
    assert graph.call("POST", f"{ROOM}/events", event(transactionId="t")).fate == "drop"
    assert len(graph.live()) == 1
    assert (
        graph.refused("POST", f"{ROOM}/events", event(transactionId="t"))[1]
        == "ErrorDuplicateTransactionId"
    )


@pytest.mark.parametrize(
    ("kind", "params", "status"),
    [
        ("error_before", {"status": 503, "retry_after": 7}, 503),
        ("throttled", {"form": "seconds"}, 429),
        ("throttled", {"form": "fractional"}, 429),
        ("throttled", {"form": "date"}, 429),
        ("throttled", {"form": "absent"}, 429),
        ("throttled", {"form": "huge", "status": 503}, 503),
        ("token_expired", {}, 401),
        ("permission_removed", {}, 403),
        ("permission_removed", {"status": 404}, 404),
        ("not_found", {}, 404),
        ("mailbox_moved", {}, 503),
        ("redirect", {"status": 307}, 307),
        ("html_login", {}, 200),
        ("error_after", {"status": 504}, 504),
        ("html_after", {}, 200),
        ("truncated_json", {}, 200),
        ("garbage_json", {}, 200),
    ],
)
def test_answers_gone_wrong(graph: Graph, kind: str, params: dict[str, Any], status: int) -> None:
    graph.fault(kind, count=1, params=params, method="GET")
    answer = graph.call("GET", f"{ROOM}/events")
    assert answer.status == status
    if kind == "throttled":
        assert ("Retry-After" in answer.headers) == (params["form"] != "absent")
    if status == 200:
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|decode|delimiter"):
            answer.json()
    assert graph.call("GET", f"{ROOM}/events").status == 200


def test_rates_are_seeded_and_counted(graph: Graph) -> None:
    def run(seed: int) -> list[int]:
        one = Graph(seed=seed)
        one.fault("error_before", rate=0.3, method="GET")
        return [one.call("GET", f"{ROOM}/events").status for _ in range(60)]

    assert run(3) == run(3)
    assert 5 < run(3).count(503) < 35
    graph.fault("error_before", after=2, count=1)
    assert [graph.call("GET", f"{ROOM}/events").status for _ in range(4)] == [200, 200, 503, 200]
    graph.fault("error_before")
    graph.control("DELETE", "faults")
    assert graph.call("GET", f"{ROOM}/events").status == 200
    assert graph.box.handle("POST", "/_sandbox/faults", {}, b'{"kind":"nonsense"}').status == 400
    assert len(KINDS) > 20


def test_created_without_its_tag(graph: Graph) -> None:
    graph.fault("without_tag", method="POST", count=1)
    body = event(singleValueExtendedProperties=[{"id": TAG, "value": "1"}])
    assert graph.call("POST", f"{ROOM}/events", body).status == 503
    assert [one["tags"] for one in graph.live()] == [{}]


def test_stale_reads(graph: Graph) -> None:
    made = graph.ok("POST", f"{ROOM}/events", event(subject="old"))
    graph.clock.forward(60)
    graph.ok("PATCH", f"{ROOM}/events/{made['id']}", {"subject": "new"})
    graph.fault("stale_read", params={"seconds": 20}, method="GET")
    assert graph.ok("GET", f"{ROOM}/events/{made['id']}")["subject"] == "old"
    assert graph.ok("GET", f"{ROOM}/events")["value"][0]["subject"] == "old"
    graph.clock.forward(21)
    assert graph.ok("GET", f"{ROOM}/events/{made['id']}")["subject"] == "new"
    graph.call("DELETE", f"{ROOM}/events/{made['id']}")
    assert graph.ok("GET", f"{ROOM}/events/{made['id']}")["subject"] == "new"
    graph.clock.forward(21)
    assert graph.refused("GET", f"{ROOM}/events/{made['id']}")[0] == 404


def test_delete_and_create_instead_of_update(graph: Graph) -> None:
    made = graph.ok("POST", f"{ROOM}/events", event())
    _, link = graph.first_delta()
    graph.fault("recreate", method="PATCH", count=1)
    new = graph.ok("PATCH", f"{ROOM}/events/{made['id']}", {"subject": "b"})
    assert (new["iCalUId"], new["id"] != made["id"]) == (made["iCalUId"], True)
    rows, _ = graph.round(link)
    assert sorted((one["id"] == made["id"], "@removed" in one) for one in rows) == [
        (False, False),
        (True, True),
    ]


def test_ten_thousand_in_ten_minutes(graph: Graph) -> None:
    graph.control("POST", "throttle", {"per_window": 3, "retry_after_s": 8})
    for _ in range(3):
        graph.ok("GET", f"{ROOM}/events")
    answer = graph.call("GET", f"{ROOM}/events")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "8")
    graph.ok("GET", f"{ROOM2}/events")
    graph.clock.forward(601)
    graph.ok("GET", f"{ROOM}/events")
    counts = graph.control("GET", "calls")
    assert counts["throttled"] == 1
    assert any(one["operation"] == "events" and one["status"] == 429 for one in counts["calls"])


def test_batches(graph: Graph) -> None:
    made = graph.ok("POST", f"{ROOM}/events", event())
    parts = [
        {"id": "1", "method": "GET", "url": f"/users/{ROOM}/events/{made['id']}?$select=subject"},
        {"id": "2", "method": "GET", "url": f"/users/{ROOM}/events/none"},
        {
            "id": "3",
            "method": "PATCH",
            "url": f"users/{ROOM}/events/{made['id']}",
            "headers": {"Content-Type": "application/json"},
            "body": {"subject": "n"},
        },
        {"id": "4", "method": "DELETE", "url": f"/users/{ROOM}/events/{made['id']}"},
    ]
    answers = {
        one["id"]: one for one in graph.ok("POST", "/v1.0/$batch", {"requests": parts})["responses"]
    }
    assert [answers[one]["status"] for one in "1234"] == [200, 400, 200, 204]
    assert answers["1"]["body"]["subject"] == "Plan"
    serial = [{"id": "a", "method": "GET", "url": f"/users/{ROOM}/events/none"}]
    serial += [{"id": "b", "method": "GET", "url": f"/users/{ROOM}/events", "dependsOn": ["a"]}]
    assert [
        one["status"] for one in graph.ok("POST", "/v1.0/$batch", {"requests": serial})["responses"]
    ] == [400, 424]
    for bad in (
        [],
        [dict(parts[0], id=str(number)) for number in range(21)],
        [parts[0], parts[0]],
        [{"id": "1", "method": "POST", "url": "/x", "body": {}}],
        [{"id": "1", "method": "GET", "url": "/x", "dependsOn": ["9"]}],
    ):
        assert graph.refused("POST", "/v1.0/$batch", {"requests": bad}) == (400, "BadRequest")
    graph.fault("batch_part_throttled", rate=1, count=1, params={"seconds": 3})
    both = graph.ok("POST", "/v1.0/$batch", {"requests": [parts[1], dict(parts[1], id="9")]})[
        "responses"
    ]
    assert [one["status"] for one in both] == [429, 400]
    assert both[0]["headers"]["Retry-After"] == "3"


def test_tokens_and_permissions(graph: Graph) -> None:
    assert graph.login("wrong").json()["error_codes"] == [7000215]
    assert graph.login(client_id="who").json()["error"] == "unauthorized_client"
    assert graph.login(scope="User.Read").json()["error"] == "invalid_scope"
    assert graph.login(grant_type="password").json()["error"] == "unsupported_grant_type"
    assert graph.login().json()["expires_in"] == 3599
    graph.clock.forward(3601)
    answer = graph.call("GET", f"{ROOM}/events")
    assert (answer.status, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    graph.login()
    graph.control("POST", "apps", {"scope": [ROOM]})
    graph.ok("GET", f"{ROOM}/events")
    assert graph.refused("GET", f"{ROOM2}/events") == (403, "ErrorAccessDenied")
    graph.control("POST", "apps", {"scope_denial": 404})
    assert graph.refused("GET", f"{ROOM2}/events") == (404, "ErrorItemNotFound")
    graph.control("POST", "apps", {"scope": None, "roles": ["Calendars.Read"]})
    graph.ok("GET", f"{ROOM2}/events")
    assert graph.refused("POST", f"{ROOM2}/events", event())[0] == 403
    assert graph.refused("GET", "/v1.0/places/microsoft.graph.room") == (
        403,
        "Authorization_RequestDenied",
    )
    assert graph.refused("GET", "nobody@contoso.example/events") == (404, "ErrorInvalidUser")
    graph.control("PATCH", f"rooms/{ROOM2}", {"enabled": False})
    assert graph.refused("GET", f"{ROOM2}/events") == (404, "MailboxNotEnabledForRESTAPI")


def test_two_tenants_do_not_see_each_other(graph: Graph) -> None:
    graph.control(
        "POST",
        "tenants",
        {"tenant": "t2", "domain": "fabrikam.example", "client_id": "c2", "secret": "s2"},
    )
    graph.control("POST", "rooms", {"tenant": "t2", "address": "room@fabrikam.example"})
    assert graph.refused("GET", "room@fabrikam.example/events") == (404, "ErrorInvalidUser")
    assert len(graph.ok("GET", "/v1.0/places/microsoft.graph.room")["value"]) == 2


def test_places_and_people(graph: Graph) -> None:
    graph.control(
        "POST",
        "rooms",
        {
            "address": "big@contoso.example",
            "name": "Big",
            "capacity": 50,
            "building": "Tower",
            "floor": 3,
        },
    )
    page = graph.ok("GET", "/v1.0/places/microsoft.graph.room?$top=2&$count=true")
    assert (page["@odata.count"], len(page["value"])) == (3, 2)
    big = graph.ok("GET", page["@odata.nextLink"])["value"][0]
    assert (big["displayName"], big["capacity"], big["building"], big["floorNumber"]) == (
        "Big",
        50,
        "Tower",
        3,
    )
    lists = graph.ok("GET", "/v1.0/places/microsoft.graph.roomList")["value"]
    tower = next(one for one in lists if one["displayName"] == "Tower")
    inside = graph.ok(
        "GET", f"/v1.0/places/{tower['emailAddress']}/microsoft.graph.roomlist/rooms"
    )["value"]
    assert [one["emailAddress"] for one in inside] == ["big@contoso.example"]
    assert graph.ok("GET", f"/v1.0/places/{big['placeId']}")["displayName"] == "Big"
    assert (
        len(graph.ok("GET", "/v1.0/places/microsoft.graph.room?$filter=capacity ge 50")["value"])
        == 1
    )
    assert graph.refused("GET", "/v1.0/places/microsoft.graph.room?$orderby=capacity")[0] == 400
    assert len(graph.ok("GET", "/v1.0/users")["value"]) == 6
    settings = graph.ok("GET", f"{ROOM}/mailboxSettings")
    assert (settings["timeZone"], settings["userPurpose"]) == ("W. Europe Standard Time", "room")
    assert graph.ok("GET", f"{ANN}/mailboxSettings/userPurpose")["value"] == "user"
    assert graph.refused("GET", "/v1.0/me/events")[0] == 400
    assert graph.refused("GET", "/v1.0/planets")[0] == 400
    assert graph.refused("GET", "/v2.0/users")[0] == 404


def test_mail(graph: Graph) -> None:
    message = {
        "subject": "Hi",
        "body": {"contentType": "Text", "content": "x"},
        "toRecipients": [{"emailAddress": {"address": ANN}}],
    }
    answer = graph.call("POST", f"{ROOM}/sendMail", {"message": message, "saveToSentItems": False})
    assert answer.status == 202
    assert graph.mails()[0] | {"n": 1} == {
        "n": 1,
        "time": "2026-11-20T09:00:00.000Z",
        "kind": "mail",
        "from": ROOM,
        "to": ANN,
        "subject": "Hi",
        "body": "x",
        "saved": False,
    }
    assert graph.refused("POST", f"{ROOM}/sendMail", {"message": {}})[0] == 400


def test_the_log_is_one_order_of_people_and_apps(graph: Graph) -> None:
    graph.book()
    made = graph.ok("POST", f"{ROOM2}/events", event())
    graph.control("POST", "log", {"who": "platform", "kind": "booked", "id": 7})
    assert graph.refused("POST", f"{ROOM2}/events", {})[0] == 400
    log = graph.control("GET", "log?since=0")["log"]
    assert [(one["n"], one["who"], one["kind"]) for one in log] == [
        (1, "person", "book"),
        (2, "attendant", "accepted"),
        (3, "app", "create"),
        (4, "platform", "booked"),
    ]
    assert (log[2]["id"], log[2]["iCalUId"], log[2]["mailbox"]) == (
        made["id"],
        made["iCalUId"],
        ROOM2,
    )
    assert [one["n"] for one in graph.control("GET", "log?since=3")["log"]] == [4]
    assert {one["operation"] for one in graph.control("GET", "calls/log?since=1")["calls"]} == {
        "events"
    }


def test_direct_acts_and_dumps(graph: Graph) -> None:
    made = graph.book(kind="book_direct", person=None)
    assert made["verdict"] == "direct"
    graph.box.act(kind="retitle", iCalUId=made["iCalUId"], room=ROOM, subject="Other")
    graph.box.act(kind="shorten", iCalUId=made["iCalUId"], room=ROOM, end="2026-12-01T10:20")
    one = graph.live()[0]
    assert (one["subject"], one["end"], one["isOrganizer"]) == (
        "Other",
        "2026-12-01T09:20:00Z",
        True,
    )
    assert graph.control("GET", f"rooms/{ROOM}/items")["value"][0]["event"]["subject"] == "Other"
    graph.box.act(kind="cancel", id=made["roomImmutableId"], room=ROOM)
    assert graph.live() == []
    other = graph.book()
    graph.box.act(kind="remove", iCalUId=other["iCalUId"], room=ROOM)
    assert graph.live() == []
    assert graph.box.handle("POST", "/_sandbox/acts", {}, b'{"kind":"fly"}').status == 400


def test_reset_clock_and_health(graph: Graph) -> None:
    graph.book()
    graph.control("POST", "clock", {"offset_s": 3600})
    assert graph.control("GET", "health")["now"] == "2026-11-20T10:00:00.000Z"
    graph.control("POST", "reset", {"seed": 1})
    assert graph.control("GET", "health")["tenants"][0]["rooms"] == 0
    assert graph.control("GET", "log")["log"] == []
    assert graph.control("GET", "calls")["total"] == 0


def test_the_same_seed_makes_the_same_world() -> None:
    def world() -> Any:
        one = Graph(rooms=2, people=2, seed=5)
        one.control(
            "POST",
            "seed",
            {"rooms": 1, "people": 1, "events_per_room": 30, "series_share": 0.2, "seed": 9},
        )
        rows, _ = one.first_delta("room-0003@contoso.example")
        return rows

    assert world() == world()
    assert len(world()) > 30
