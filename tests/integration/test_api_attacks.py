"""What an attacker found, so that it stays mended; and the OpenAPI document held to its word."""

from __future__ import annotations

import base64
import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
import requests
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from calsync.adapters.hub.tokens import SCOPES
from calsync.api import server as server_module
from calsync.api.app import LastResort
from calsync.api.server import ApiServer
from calsync.errors import DatabaseBusy, DatabaseFull
from tests.integration.api_kit import PLAIN, Client, Served, open_door, served, world_feeds

WEEKLY = {**PLAIN, "rrule": "FREQ=WEEKLY;COUNT=5"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with open_door() as opened, served(opened, tmp_path_factory.mktemp("api")) as world:
        yield world


@pytest.fixture
def api(world: Served) -> Client:
    return world.all


@pytest.fixture
def series(api: Client) -> Iterator[str]:
    made = api.book("r4", **WEEKLY, title="Board")
    yield f"/v1/bookings/{made['id']}"
    assert api.delete(f"/v1/bookings/{made['id']}", "*").status_code == 204


def pointers(answer: requests.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [error["pointer"] for error in answer.json()["errors"]]


# --- the ends of time ----------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["9999-12-31T23:00:00", "0001-01-01T00:00:00"])
def test_a_series_with_changed_dates_moved_to_the_ends_of_time(
    api: Client, series: str, start: str
) -> None:
    changed = api.patch(f"{series}/occurrences/2026-12-08T09:00:00", {"title": "Other"}, "*")
    assert changed.status_code == 200
    assert pointers(api.patch(series, {"start": start}, "*")) == ["/start"]


@pytest.mark.parametrize("slot", ["9999-12-31T23:30:00", "0001-01-01T00:00:00"])
def test_dates_added_at_the_ends_of_time(api: Client, slot: str) -> None:
    doc = {**WEEKLY, "recurrenceOverrides": {slot: {}}}
    answer = api.post("/v1/rooms/r1/bookings", json=doc)
    assert pointers(answer) == [f"/recurrenceOverrides/{slot}"]


def test_a_series_that_ends_before_time(api: Client) -> None:
    rule = {"frequency": "weekly", "until": "0001-01-01T00:00:00"}
    answer = api.post("/v1/rooms/r1/bookings", json={**PLAIN, "recurrenceRule": rule})
    assert pointers(answer) == ["/recurrenceRule/until"]


# --- headers, addresses, cursors -----------------------------------------------------------------


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
def test_a_long_header_costs_no_more_than_its_length(api: Client, series: str, header: str) -> None:
    begun = time.perf_counter()
    sent = {header: "x" + " " * 60_000 + "x"}
    api.call("GET" if header == "If-None-Match" else "PATCH", series, json={}, headers=sent)
    assert time.perf_counter() - begun < 1.0


def test_a_cursor_that_no_database_takes(api: Client) -> None:
    raw = json.dumps([0, None, "\ud800"]).encode()
    forged = base64.urlsafe_b64encode(raw).decode()
    answer = api.get("/v1/changes", params={"cursor": forged})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor-invalid")


def raw_path(api: Client, method: str, path: str, doc: object) -> requests.Response:
    """Without the client's own tidying of addresses."""
    request = requests.Request(method, api.url, json=doc)
    prepared = api.session.prepare_request(request)
    prepared.url = api.url + path
    return api.session.send(prepared, timeout=10)


@pytest.mark.parametrize("room", [".", "..", "-", "@", "a@b", "_a"])
def test_rooms_that_nobody_could_map_or_address(api: Client, room: str) -> None:
    answer = raw_path(api, "PUT", f"/v1/rooms/{room}", {"name": "A", "timeZone": "UTC"})
    assert pointers(answer) == ["/id"]


def test_two_external_ids_never_become_one(api: Client) -> None:
    for name in ("%ff", "%fe"):
        answer = raw_path(api, "PUT", f"/v1/rooms/r1/bookings/by-external/{name}", PLAIN)
        assert pointers(answer) == ["/externalId"]


def test_one_mistake_is_told_once(api: Client) -> None:
    answer = api.put("/v1/rooms/r9", json={"name": ["A"], "timeZone": {}})
    assert pointers(answer) == ["/name", "/timeZone"]


@pytest.mark.parametrize(
    ("doc", "pointer"),
    [
        ({"@type": "Task"}, "/@type"),
        ({"@type": {"a": 1}}, "/@type"),
        ({"recurrenceRule": {"@type": "X", "frequency": "daily"}}, "/recurrenceRule/@type"),
    ],
)
def test_what_is_no_event(api: Client, doc: dict[str, object], pointer: str) -> None:
    assert pointers(api.post("/v1/rooms/r1/bookings", json={**PLAIN, **doc})) == [pointer]


def test_a_problem_names_its_address_as_a_reference(api: Client) -> None:
    answer = api.get("/v1/bookings/%C2%B9%20%0d%0aX:%20y")
    assert answer.json()["instance"] == "/v1/bookings/%C2%B9%20%0D%0AX%3A%20y"


def test_every_address_takes_head(api: Client, series: str) -> None:
    for path in ("/healthz", "/docs", "/openapi.json", "/v1/rooms", series):
        head, get = api.call("HEAD", path), api.get(path)
        assert (head.status_code, head.content) == (200, b""), path
        assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert requests.head(f"{api.url}/v1/rooms", timeout=5).status_code == 401


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/bookings/x", "DELETE, GET, HEAD, PATCH"),
        ("/v1/bookings/x/occurrences/y", "DELETE, PATCH"),
        ("/v1/rooms/r1", "GET, HEAD, PUT"),
        ("/v1/rooms/r1/bookings", "POST"),
        ("/v1/rooms/r1/bookings/by-external/a", "GET, HEAD, PUT"),
        ("/docs", "GET, HEAD"),
    ],
)
def test_405_names_every_method(api: Client, path: str, allowed: str) -> None:
    answer = api.call("OPTIONS", path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


# --- who may see what ----------------------------------------------------------------------------


def test_busy_readers_see_no_titles_names_or_foreign_ids_anywhere(
    world: Served, api: Client
) -> None:
    made = api.book(
        "r1",
        **WEEKLY,
        title="Merger",
        bookedBy={"name": "Ada", "email": "ada@example.com"},
        externalId="case-77",
        recurrenceOverrides={"2026-12-08T09:00:00": {"title": "Merger signed"}},
    )
    one, window = (
        f"/v1/bookings/{made['id']}",
        "start=2026-12-01T00:00:00Z&end=2027-02-01T00:00:00Z",
    )
    busy = world.client("busy:read", "bookings:write", "rooms:read")
    said = []
    for view in ("series", "occurrences"):
        said.append(busy.get(f"/v1/rooms/r1/occupancy?view={view}&{window}"))
        said.append(busy.get(f"/v1/occupancy?rooms=r1,r2&view={view}&{window}"))
        assert '"bookingStatus":"pending"' in said[-1].text
        assert "case-77" not in said[-1].text
    said += [busy.get(one), busy.get("/v1/changes"), busy.get("/v1/rooms")]
    said.append(busy.post("/v1/rooms/r1/bookings", json=PLAIN))
    said.append(
        busy.post("/v1/rooms/r1/bookings", json=PLAIN, headers={"Idempotency-Key": '"busy"'})
    )
    said += [busy.patch(one, {"uid": "guess"}, "*"), busy.patch(one, {}, "*")]
    assert [a.status_code for a in said[4:]] == [403, 403, 200, 409, 409, 422, 200]
    for answer in said:
        shown = answer.text + str(answer.headers)
        assert not re.search("Merger|Ada|ada@", shown), answer.url
    assert api.delete(one, "*").status_code == 204


def test_who_may_only_write_does_not_read_by_writing(world: Served, api: Client) -> None:
    """An empty patch, or one that changes nothing, answers with the booking."""
    secret = {"uid": "uid-of-hers", "externalId": "case-77", "seats": 7}
    made = api.post("/v1/rooms/r1/bookings", json={**WEEKLY, **secret}).json()
    one = f"/v1/bookings/{made['id']}"
    writer = world.client("bookings:write")
    date = f"{one}/occurrences/2026-12-08T09:00:00"
    said = [
        writer.patch(one, {}, "*"),
        writer.patch(one, {"start": "2026-12-01T10:00:00"}, "*"),
        writer.patch(date.replace("T09", "T10"), {"duration": "PT2H"}, "*"),
        writer.delete(date.replace("T09", "T10"), "*"),
    ]
    assert [answer.status_code for answer in said] == [200] * 4
    for answer in said:
        assert not secret.keys() & answer.json().keys()
        assert not re.search("uid-of-hers|case-77", answer.text)
    own = writer.post(
        "/v1/rooms/r2/bookings",
        json={**PLAIN, **secret},
        headers={"Idempotency-Key": '"w"'},
    )
    assert own.json()["uid"] == "uid-of-hers", "whoever sent it may see it"
    path = "/v1/rooms/r2/bookings/by-external/case-77"
    assert not secret.keys() & writer.put(path, json={**PLAIN, "seats": 8}).json().keys()
    assert api.get(one).json()["seats"] == 7


# --- many at once --------------------------------------------------------------------------------


def test_one_external_id_in_parallel_is_one_booking(world: Served) -> None:
    clients = [world.client("bookings:write") for _ in range(8)]

    def put(client: Client) -> tuple[int, str]:
        path = "/v1/rooms/r2/bookings/by-external/race"
        answer = client.put(path, json={**PLAIN, "start": "2027-03-01T09:00:00"})
        return answer.status_code, answer.json()["id"]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(put, clients))
    assert sorted(status for status, _ in found) == [200] * 7 + [201]
    assert len({booking for _, booking in found}) == 1


def test_paging_misses_nothing_that_is_written_meanwhile(world: Served, api: Client) -> None:
    writer = world.client("bookings:write", "bookings:read")

    def write() -> None:
        ids = []
        for day in range(1, 25):
            ids.append(writer.book("r3", start=f"2027-05-{day:02}T08:00:00")["id"])
            if day % 3 == 0:
                writer.delete(f"/v1/bookings/{ids.pop(0)}", "*")
            if day % 4 == 0:
                writer.patch(f"/v1/bookings/{ids[-1]}", {"seats": day}, "*")

    state: dict[str, int] = {}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(write)
        cursor, ended = None, False
        while True:
            finished = running.done()
            page = api.get("/v1/changes", params={"limit": 2, "cursor": cursor}).json()
            cursor = page["cursor"]
            for change in page["changes"]:
                if change["kind"] == "tombstone":
                    state.pop(change["bookingId"], None)
                elif "booking" in change:
                    state[change["bookingId"]] = change["booking"]["revision"]
            if not page["more"] and ended:
                break
            ended = finished
        running.result()
    listed = api.get("/v1/changes", params={"limit": 500}).json()["changes"]
    assert state == {c["bookingId"]: c["booking"]["revision"] for c in listed}


# --- floods and slow clients ---------------------------------------------------------------------


def test_a_client_that_hangs_up_is_no_fault_of_ours(
    world: Served, api: Client, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    token = api.session.headers["Authorization"]
    head = (
        f"POST /v1/rooms/r1/bookings HTTP/1.1\r\nHost: x\r\nAuthorization: {token!s}\r\n"
        "Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    )
    with caplog.at_level("INFO", "calsync.api"):
        with socket.create_connection((host, int(port))) as client:
            client.sendall(head.encode())
            time.sleep(0.1)
        deadline = time.monotonic() + 5
        while "went away" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "POST /rooms/{room_id}/bookings: the client went away" in caplog.text
    assert "Traceback" not in caplog.text


async def echo(request: Request) -> Response:
    return Response(await request.body())


@pytest.fixture
def small_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 5)
    for step in ("HEAD_WITHIN", "BODY_WITHIN", "ANSWER_WITHIN"):
        monkeypatch.setattr(server_module, step, 0.3)
    app = FastAPI()
    app.add_api_route("/", lambda: "here")
    app.add_api_route("/large", lambda: Response(b"x" * 20_000_000))
    app.add_api_route("/echo", echo, methods=["POST"])
    server = ApiServer(LastResort(app))
    server.start()
    yield server
    server.stop()


def closed(client: socket.socket) -> bool:
    client.settimeout(5)
    try:
        return client.recv(1000) == b""
    except ConnectionResetError:
        return True


def test_a_flood_of_connections_is_turned_away(
    small_server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = small_server.url.removeprefix("http://").split(":")
    clients = [socket.create_connection((host, int(port))) for _ in range(40)]
    try:
        # The surplus goes at once, and those who say nothing soon after.
        assert all(closed(client) for client in clients)
    finally:
        for client in clients:
            client.close()
    assert requests.get(small_server.url, timeout=5).json() == "here"
    assert caplog.text.count("connections to the API") <= 1, "a flood must not flood the log"


def test_half_a_head_is_waited_for_only_so_long(small_server: ApiServer) -> None:
    host, port = small_server.url.removeprefix("http://").split(":")
    whole, half = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nX: "
    with socket.create_connection((host, int(port))) as client:
        for _ in range(2):
            client.sendall(whole)
            answer = b""
            while not answer.endswith(b'"here"'):
                answer += client.recv(1000)
            time.sleep(0.5)  # idle between two requests is another matter
        begun = time.monotonic()
        client.sendall(half)
        while not closed(client):
            assert time.monotonic() - begun < 3
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "drip", [b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1\r\n"]
)
def test_a_body_that_drips_is_waited_for_only_so_long(small_server: ApiServer, drip: bytes) -> None:
    host, port = small_server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\n" + drip)
        begun = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - begun < 5:
                client.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - begun < 3, "it was cut off"


def test_an_answer_that_nobody_takes_is_dropped(small_server: ApiServer) -> None:
    host, port = small_server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1.0)
        client.settimeout(5)
        taken = 0
        with suppress(ConnectionResetError):
            while piece := client.recv(65536):
                taken += len(piece)
        assert taken < 20_000_000, "the rest was dropped"


def test_a_body_in_time_is_taken_and_the_next_one_too(small_server: ApiServer) -> None:
    host, port = small_server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        for _ in range(3):
            client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
            time.sleep(0.1)
            client.sendall(b"cd")
            said = b""
            while not said.endswith(b"abcd"):
                said += client.recv(1000)
            time.sleep(0.4)


# --- the document --------------------------------------------------------------------------------


def _calls(
    booking: str, series: str, dead: str, feed: str
) -> list[tuple[str, str, str, dict[str, Any]]]:
    """(operation, method, path, options): between them every status of success and failure."""
    window = "start=2027-01-01T00:00:00Z&end=2027-01-02T00:00:00Z"
    room = "/v1/rooms/{room_id}"
    by_external = room + "/bookings/by-external/{external_id}"
    one = "/v1/bookings/{booking_id}"
    date = one + "/occurrences/{recurrence_id}"
    first = "2026-12-02T09:00:00"
    fresh: dict[str, Any] = {**PLAIN, "start": "2027-09-01T09:00:00"}
    some, none = {"If-Match": "*"}, {"If-Match": '"0"'}
    raw = {"Content-Type": "application/json"}
    made: list[tuple[str, str, str, dict[str, Any]]] = [
        ("/v1/rooms", "GET", "/v1/rooms", {}),
        (room, "GET", "/v1/rooms/r1", {}),
        (room, "GET", "/v1/rooms/r1", {"headers": {"If-None-Match": "*"}}),
        (room, "GET", "/v1/rooms/nope", {}),
        (room, "PUT", "/v1/rooms/made", {"json": {"name": "A", "timeZone": "UTC"}}),
        (room, "PUT", "/v1/rooms/made", {"json": {"name": "B", "timeZone": "UTC"}}),
        (room, "PUT", "/v1/rooms/made", {"json": {}}),
        (room, "PUT", "/v1/rooms/a%2Fb", {"json": {}}),
        (f"{room}/occupancy", "GET", f"/v1/rooms/r1/occupancy?{window}", {}),
        (f"{room}/occupancy", "GET", f"/v1/rooms/nope/occupancy?{window}", {}),
        (f"{room}/occupancy", "GET", "/v1/rooms/r1/occupancy", {}),
        ("/v1/occupancy", "GET", f"/v1/occupancy?rooms=r1&{window}", {}),
        ("/v1/occupancy", "GET", f"/v1/occupancy?rooms=nope&{window}", {}),
        ("/v1/occupancy", "GET", f"/v1/occupancy?rooms=&{window}", {}),
        (f"{room}/bookings", "POST", "/v1/rooms/made/bookings", {"json": fresh}),
        (f"{room}/bookings", "POST", "/v1/rooms/made/bookings", {"json": fresh}),
        (f"{room}/bookings", "POST", "/v1/rooms/nope/bookings", {"json": fresh}),
        (f"{room}/bookings", "POST", "/v1/rooms/made/bookings", {"json": {}}),
        (by_external, "PUT", "/v1/rooms/r3/bookings/by-external/doc", {"json": fresh}),
        (by_external, "PUT", "/v1/rooms/r3/bookings/by-external/doc", {"json": fresh}),
        (by_external, "PUT", "/v1/rooms/r3/bookings/by-external/doc2", {"json": fresh}),
        (by_external, "PUT", "/v1/rooms/nope/bookings/by-external/doc", {"json": fresh}),
        (by_external, "PUT", "/v1/rooms/r3/bookings/by-external/doc", {"json": {}}),
        (
            by_external,
            "PUT",
            "/v1/rooms/r3/bookings/by-external/doc",
            {"json": fresh, "headers": {"If-None-Match": "*"}},
        ),
        (one, "GET", f"/v1/bookings/{booking}", {}),
        (one, "GET", f"/v1/bookings/{booking}", {"headers": {"If-None-Match": "*"}}),
        (one, "GET", "/v1/bookings/nope", {}),
        (one, "DELETE", "/v1/bookings/nope", {"headers": some}),
        (one, "DELETE", f"/v1/bookings/{booking}", {"headers": none}),
        (one, "DELETE", f"/v1/bookings/{booking}", {}),
        (date, "DELETE", f"/v1/bookings/{booking}/occurrences/x", {"headers": some}),
        (date, "DELETE", f"/v1/bookings/{dead}/occurrences/x", {"headers": some}),
        (date, "DELETE", f"/v1/bookings/{series}/occurrences/x", {"headers": some}),
        (date, "DELETE", f"/v1/bookings/{series}/occurrences/x", {"headers": none}),
        (date, "DELETE", f"/v1/bookings/{series}/occurrences/x", {}),
        ("/v1/changes", "GET", "/v1/changes", {}),
        ("/v1/changes", "GET", "/v1/changes?cursor=x", {}),
        ("/v1/changes", "GET", "/v1/changes?room=nope", {}),
        ("/v1/changes", "GET", "/v1/changes?limit=0", {}),
        ("/v1/changes", "GET", "/v1/changes?cursor=" + _beyond(), {}),
        ("/v1/events", "GET", "/v1/events?cursor=x", {}),
        ("/v1/events", "GET", "/v1/events?room=nope", {}),
        ("/v1/events", "GET", f"/v1/events?room={'x' * 65}", {}),
        ("/v1/events", "GET", "/v1/events?cursor=" + _beyond(), {}),
        ("/v1/events", "GET", "/v1/events", {"stream": True}),
        ("/healthz", "GET", "/healthz", {}),
        ("/readyz", "GET", "/readyz", {}),
        ("/metrics", "GET", "/metrics", {}),
    ]
    for form in ("ics", "ifb", "json"):
        operation = f"/feeds/{{room_id}}/{{key}}.{form}"
        made += [
            (operation, "GET", f"{feed}.{form}", {}),
            (operation, "GET", f"{feed}.{form}", {"headers": {"If-None-Match": "*"}}),
            (operation, "GET", f"{feed}x.{form}", {}),
        ]
    for operation, path, taken in (
        (one, f"/v1/bookings/{series}", {"duration": "PT25H"}),
        (date, f"/v1/bookings/{series}/occurrences/2026-12-08T09:00:00", {"start": first}),
    ):
        lost = path.replace(series, "nope")
        made += [
            (operation, "PATCH", path, {"json": {}, "headers": some}),
            (operation, "PATCH", path, {"json": {"duration": "x"}, "headers": some}),
            (operation, "PATCH", path, {"json": taken, "headers": some}),
            (operation, "PATCH", path, {"json": {}, "headers": none}),
            (operation, "PATCH", path, {"json": {}}),
            (operation, "PATCH", lost, {"json": {}, "headers": some}),
            (operation, "PATCH", path, {"data": b"{", "headers": {**raw, **some}}),
        ]
    split = f"/v1/bookings/{series}/occurrences/2026-12-22T09:00:00?scope=following"
    made.append((date, "PATCH", split, {"json": {"title": "x"}, "headers": some}))
    # At the end: they take away what the others need.
    gone = f"/v1/bookings/{series}"
    first_date = f"{gone}/occurrences/2026-12-01T09:00:00"
    made.append((date, "DELETE", first_date, {"headers": some}))
    made.append((one, "DELETE", gone, {"headers": some}))
    return made


def _connector_calls(booking: str, dead: str) -> list[tuple[str, str, str, dict[str, Any]]]:
    room, one = "/v1/rooms/{room_id}", "/v1/bookings/{booking_id}"
    by_external = room + "/bookings/by-external/{external_id}"
    some, none = {"If-Match": "*"}, {"If-Match": '"0"'}
    named = {**PLAIN, "externalId": "mirror"}
    running = {"json": PLAIN, "headers": {"Idempotency-Key": "running"}}
    made: list[tuple[str, str, str, dict[str, Any]]] = [
        ("/v1/token", "GET", "/v1/token", {}),
        (f"{room}/mirrored", "POST", "/v1/rooms/r1/mirrored", {"json": named}),
        (f"{room}/mirrored", "POST", "/v1/rooms/r1/mirrored", {"json": named}),
        (f"{room}/mirrored", "POST", "/v1/rooms/nope/mirrored", {"json": named}),
        (f"{room}/mirrored", "POST", "/v1/rooms/r1/mirrored", {"json": {}}),
        (f"{room}/mirrored", "POST", "/v1/rooms/r1/mirrored", running),
        (by_external, "GET", "/v1/rooms/r1/bookings/by-external/mirror", {}),
        (by_external, "GET", "/v1/rooms/r1/bookings/by-external/nope", {}),
    ]
    for tail, method, good, bad in (
        ("mirrored", "PATCH", {"start": "2027-05-01T09:00:00"}, {"duration": "x"}),
        ("answer", "POST", {"status": "confirmed"}, {"status": "x"}),
    ):
        operation = f"{one}/{tail}"
        made += [
            (operation, method, f"/v1/bookings/{booking}/{tail}", {"json": good, "headers": none}),
            (operation, method, f"/v1/bookings/{booking}/{tail}", {"json": good, "headers": some}),
            (operation, method, f"/v1/bookings/{booking}/{tail}", {"json": bad, "headers": some}),
            (operation, method, f"/v1/bookings/{booking}/{tail}", {"json": good}),
            (operation, method, f"/v1/bookings/{dead}/{tail}", {"json": good, "headers": some}),
            (operation, method, f"/v1/bookings/nope/{tail}", {"json": good, "headers": some}),
        ]
    return made


def _beyond() -> str:
    return base64.urlsafe_b64encode(b"[999999999,null,null]").decode()


def test_every_status_that_occurs_is_documented_and_the_reverse(
    world: Served, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = api.get("/openapi.json").json()
    booking = api.book("r4", start="2026-12-02T09:00:00")["id"]
    series = api.book("r4", **WEEKLY)["id"]
    dead = api.book("r4", start="2028-01-01T09:00:00")["id"]
    api.delete(f"/v1/bookings/{dead}", "*")
    mirrored = api.book("r4", start="2027-05-02T09:00:00")["id"]
    calls = _connector_calls(mirrored, dead)
    calls += _calls(booking, series, dead, world_feeds(world.hub).create("r1", "")[1])
    (mine,) = [one.id for one in world.hub.service.tokens.list() if len(one.scopes) == len(SCOPES)]
    world.hub.service._running.add((mine, "running"))
    seen: dict[tuple[str, str], set[int]] = {}

    def note(operation: str, method: str, answer: requests.Response) -> None:
        seen.setdefault((operation, method), set()).add(answer.status_code)

    for operation, method, path, options in calls:
        note(operation, method, api.call(method, path, **options))
    nobody, guest = world.client(), world.client("busy:read")
    guest_too = world.client("rooms:read")
    with monkeypatch.context() as patch:
        for operation, method, path, options in calls:
            if operation.startswith(("/v1", "/metrics")):
                note(operation, method, nobody.call(method, path, **options))
                other = guest_too if "occupancy" in operation else guest
                note(operation, method, other.call(method, path, **options))
            if "json" in options:
                big, raw = b" " * 300_000, {"Content-Type": "application/json"}
                for sent in ({"data": big, "headers": raw}, {"data": b"{", "headers": raw}):
                    note(operation, method, api.call(method, path, **sent))
                note(operation, method, api.call(method, path, data=b"{}"))
        with patch.context() as full:
            full.setattr(world.limits, "_quota", 1)
            full.setattr("calsync.api.limits.FEED", 1)
            api.get("/v1/rooms")
            for operation, method, path, options in calls:
                if operation not in ("/healthz", "/readyz"):
                    note(operation, method, api.call(method, path, **options))
        writes = {"PUT", "POST", "PATCH", "DELETE"}
        for error in (ValueError("x"), DatabaseBusy("locked"), DatabaseFull("full")):

            def fail(*_: object, error: Exception = error, **__: object) -> None:
                raise error

            for name in _ACTS:
                patch.setattr(world.hub.service, name, fail)
            patch.setattr(world.hub.service.connectors, "named", fail)
            patch.setattr(world, "figures", fail)
            for operation, method, path, options in calls:
                if method in writes or not isinstance(error, DatabaseFull):
                    with patch.context() as door:
                        if operation == "/v1/token":  # It asks for nothing but the token.
                            door.setattr(world.hub.service.tokens, "check", fail)
                        note(operation, method, api.call(method, path, **options))
    documented = {
        (path, method.upper()): {int(code) for code in operation["responses"]}
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    for key, statuses in documented.items():
        assert seen[key] == statuses, key
    assert seen.keys() == documented.keys()


_ACTS = (
    *("rooms", "room", "put_room", "occurrences", "booking", "create", "put_external", "patch"),
    *("patch_occurrence", "cancel", "changes", "ping", "from_now", "newest"),
)
