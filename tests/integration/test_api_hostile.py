"""What strangers and broken clients send: always a problem, never a traceback, nothing lost."""

from __future__ import annotations

import json
import logging
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from fastapi import FastAPI

from calsync.api.server import ApiServer
from calsync.errors import DatabaseBusy, DatabaseFull, UsageError
from tests.integration.api_kit import PLAIN, Client, Served, open_door, served


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with open_door() as opened, served(opened, tmp_path_factory.mktemp("api")) as world:
        yield world


@pytest.fixture
def api(world: Served) -> Client:
    return world.all


def send(api: Client, data: bytes, kind: str = "application/json") -> requests.Response:
    return api.post("/v1/rooms/r1/bookings", data=data, headers={"Content-Type": kind})


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b'{"start": NaN}', 400),
        (b'{"start": 1, "start": 2}', 400),
        (b'{"seats": 123456789012345678901234567890}', 400),
        (b'{"title": "\\ud800"}', 400),
        (b"<html>" * 10, 400),
        (b'{"title": "' + b"x" * 262_144 + b'"}', 413),
    ],
)
def test_bodies_that_are_none(api: Client, data: bytes, status: int) -> None:
    assert send(api, data).status_code == status


def test_a_body_without_declared_length_is_cut_off(api: Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 16_384

    answer = api.post(
        "/v1/rooms/r1/bookings", data=endless(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_media_types(api: Client, kind: str) -> None:
    answer = send(api, json.dumps(PLAIN).encode(), kind)
    assert answer.status_code == 415
    assert "application/json" in answer.headers["Accept-Post"]


BOMBS: list[tuple[dict[str, Any], str]] = [
    ({"rrule": "FREQ=SECONDLY"}, "/rrule"),
    ({"rrule": "FREQ=DAILY;COUNT=99999999"}, "/rrule"),
    ({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "/rrule"),
    ({"rrule": "FREQ=DAILY;BYMONTHDAY=31;BYMONTH=2,4,6"}, "/rrule"),
    ({"rrule": "FREQ=DAILY;INTERVAL=999;BYMONTH=2;BYMONTHDAY=29"}, "/start"),
    ({"duration": "P1826D"}, "/duration"),
    ({"duration": "-PT1H"}, "/duration"),
    ({"duration": "PT0S"}, "/duration"),
    ({"duration": "PT25H", "rrule": "FREQ=DAILY;COUNT=500"}, "/duration"),
    ({"timeZone": "Mars/Olympus"}, "/timeZone"),
    ({"start": "2026-12-01T25:00:00"}, "/start"),
    ({"rrule": "FREQ=MONTHLY;BYMONTHDAY=31"}, "/start"),
]


@pytest.mark.parametrize(("doc", "pointer"), BOMBS)
def test_bombs_are_refused_quickly(api: Client, doc: dict[str, Any], pointer: str) -> None:
    begun = time.perf_counter()
    answer = api.post("/v1/rooms/r1/bookings", json={**PLAIN, **doc})
    assert answer.status_code == 422, answer.text
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]
    assert time.perf_counter() - begun < 1.0


def test_a_booking_of_almost_five_years_is_taken(api: Client) -> None:
    made = api.book("r4", duration="P1824D")
    assert api.delete(f"/v1/bookings/{made['id']}", "*").status_code == 204


def test_an_endless_series_that_outlook_cannot_hold(api: Client) -> None:
    doc = {**PLAIN, "rrule": "FREQ=MONTHLY;BYMONTHDAY=1,13;BYDAY=TU,FR"}
    answer = api.post("/v1/rooms/r1/bookings", json=doc)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/recurrenceRule"
    assert "until" in error["todo"]


def test_hostile_text_is_stored_harmless(api: Client) -> None:
    made = api.book("r3", title="<script>\x00\u202ealert(1)</script>\r\nX: y")
    assert made["title"] == "<script>alert(1)</script> X: y"
    answer = api.get(f"/v1/bookings/{made['id']}")
    assert answer.headers["Content-Type"] == "application/json"


def test_unknown_addresses_and_methods(api: Client) -> None:
    assert api.get("/v1/nothing").status_code == 404
    assert api.get("/v1/rooms/").status_code == 404
    assert api.get("/v1/bookings/%00").status_code == 404
    assert api.get("/v1/bookings/" + "x" * 5000).status_code == 404
    wrong = api.call("PUT", "/v1/rooms")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "GET, HEAD")
    assert api.call("TRACE", "/v1/rooms").status_code == 405


@pytest.mark.parametrize("room", ["a b", "x" * 65, "ü", "a;b"])
def test_room_ids(api: Client, room: str) -> None:
    answer = api.put(f"/v1/rooms/{room}", json={"name": "A", "timeZone": "UTC"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/id")


@pytest.mark.parametrize("name", ["%00", "%0A", "x" * 256, "%20"])
def test_external_ids(api: Client, name: str) -> None:
    answer = api.put(f"/v1/rooms/r1/bookings/by-external/{name}", json=PLAIN)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/externalId")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DatabaseBusy("locked", todo="Wait"), 503),
        (DatabaseFull("full"), 507),
        (ValueError("secret detail"), 500),
    ],
)
def test_trouble_inside_is_a_problem_without_details(
    world: Served,
    api: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(world.hub.service, "rooms", fail)
    with caplog.at_level(logging.ERROR, "calsync.api"):
        answer = api.get("/v1/rooms")
    assert answer.status_code == status
    assert "secret detail" not in answer.text
    assert ("secret detail" in caplog.text) == (status == 500)
    assert ("Retry-After" in answer.headers) == (status == 503)


# --- documents and the server ------------------------------------------------------------------


def test_the_openapi_document_holds_together(world: Served, api: Client) -> None:
    doc = api.get("/openapi.json").json()
    assert doc["openapi"] == "3.1.0"
    assert doc["info"]["version"] == "1.2.3"
    assert {"title", "version"} <= doc["info"].keys()
    text = json.dumps(doc)
    names = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert names == set(doc["components"]["schemas"]), "each schema is used, each use has one"
    ids = []
    for path, item in doc["paths"].items():
        for method, operation in item.items():
            ids.append(operation["operationId"])
            declared = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)", path))
            assert all(r["description"] for r in operation["responses"].values())
            if path.startswith("/v1"):
                assert operation["security"], (method, path)
                assert set(operation["responses"]) >= {"401", "403"}
            if method in ("post", "patch", "put"):
                assert operation["requestBody"]["required"]
    assert len(ids) == len(set(ids)) == 25
    codes = doc["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    for code in codes:
        assert requests.get(f"{world.server.url}/problems/{code}", timeout=5).status_code == 200


def test_the_docs_page_needs_no_network(world: Served) -> None:
    answer = requests.get(world.server.url + "/docs", timeout=5)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<script" not in answer.text
    assert not re.search(r"(src|href)=['\"](https?:)?//", answer.text)
    for path in ("/v1/rooms/{room_id}/occupancy", "/v1/changes", "/healthz"):
        assert path in answer.text


def test_health(world: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = requests.get(world.server.url + "/healthz", timeout=5)
    assert answer.json() == {"status": "ok", "version": "1.2.3"}

    def fail() -> None:
        raise DatabaseBusy("locked")

    monkeypatch.setattr(world.hub.service, "ping", fail)
    assert requests.get(world.server.url + "/healthz", timeout=5).status_code == 503


def test_answers_are_not_held_back(world: Served, api: Client) -> None:
    """Nagle's algorithm and delayed ACKs together would cost 40 ms an answer."""
    api.get("/v1/rooms")
    begun = time.perf_counter()
    for _ in range(20):
        api.get("/v1/rooms")
    assert time.perf_counter() - begun < 0.6


def test_the_server_stops_in_time_and_says_where_it_cannot_listen() -> None:
    first = ApiServer(FastAPI(), port=0)
    first.start()
    port = int(first.url.rpartition(":")[2])
    with pytest.raises(UsageError, match="cannot listen"):
        ApiServer(FastAPI(), port=port).start()
    # A client that never finishes its request.
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        begun = time.perf_counter()
        first.stop()
        assert time.perf_counter() - begun < 2.0
    first.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
