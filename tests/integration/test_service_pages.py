"""Health, readiness, figures for monitoring, and the limits of requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from calsync.adapters.hub.tokens import SCOPES
from calsync.adapters.metrics import Metric, gauge, text
from calsync.api import limits
from calsync.api.limits import Limits
from calsync.api.server import ApiServer
from calsync.bootstrap import SyncStatus, build_vitals, control_loop
from calsync.errors import DatabaseBusy
from tests.integration.api_kit import Client, Door, Served, open_door, served, world_feeds
from tests.support.company import a_company, a_tenant
from tests.support.receiver import a_receiver


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[Door, ApiServer]]:
    with open_door() as opened:
        yield opened


@pytest.fixture
def world(opened: tuple[Door, ApiServer], tmp_path: Path) -> Iterator[Served]:
    with served(opened, tmp_path) as world:
        yield world


# --- ready -----------------------------------------------------------------------------------


def test_ready_says_why_not(world: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = world.client()
    assert nobody.get("/readyz").json() == {"status": "ready", "version": "1.2.3"}
    world.not_ready = ["the control loop does not answer"]
    answer = nobody.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    assert "control loop" in answer.json()["detail"]
    assert answer.headers["Retry-After"] == "5"
    assert nobody.get("/healthz").status_code == 200
    world.not_ready = []

    def fail() -> None:
        raise DatabaseBusy("locked")

    monkeypatch.setattr(world.hub.service, "ping", fail)
    assert nobody.get("/readyz").status_code == 503


# --- figures ---------------------------------------------------------------------------------

LINE = re.compile(
    r'calsync_[a-z_]+(\{[a-z]+="([^"\\\n]|\\.)*"(,[a-z]+="([^"\\\n]|\\.)*")*\})? -?\d+(\.\d+)?'
)


def figures(page: str) -> dict[str, float]:
    """Every line, checked by the format's own rules."""
    found: dict[str, float] = {}
    typed: set[str] = set()
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind in ("counter", "gauge")
            assert name not in typed
            typed.add(name)
        elif not line.startswith("# HELP "):
            assert LINE.fullmatch(line), line
            name, _, value = line.rpartition(" ")
            assert name.partition("{")[0] in typed
            assert name not in found
            found[name] = float(value)
    assert page.endswith("\n")
    return found


def test_figures_need_their_scope(world: Served) -> None:
    answer = world.client("metrics:read").get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = figures(answer.text)
    assert found["calsync_rooms"] == 4
    assert found['calsync_build_info{version="1.2.3"}'] == 1
    others = [scope for scope in SCOPES if scope != "metrics:read"]
    assert world.client(*others).get("/metrics").status_code == 403
    assert world.client().get("/metrics").status_code == 401


def test_requests_are_counted_by_method_and_status(world: Served) -> None:
    world.all.get("/v1/rooms")
    world.all.get("/v1/rooms/nope")
    world.all.session.request("BREW", world.all.url + "/v1/rooms", timeout=5)
    found = figures(world.all.get("/metrics").text)
    assert found['calsync_http_requests_total{method="GET",status="200"}'] >= 1
    assert found['calsync_http_requests_total{method="GET",status="404"}'] == 1
    assert found['calsync_http_requests_total{method="other",status="405"}'] == 1


def test_a_label_cannot_break_out() -> None:
    page = text([Metric("x", "gauge", "X", [({"room": 'a"} 1\ncalsync_y\\'}, 1.5)])])
    assert len(page.splitlines()) == 3
    figures(page)
    assert text([gauge("x", "X", [])]) == "# HELP calsync_x X\n# TYPE calsync_x gauge\n"


def test_the_figures_of_a_running_calsync(tmp_path: Path) -> None:
    """Of the whole: rooms, calls, webhooks; and nothing about people."""
    with a_tenant() as tenant, a_company(tmp_path / "calsync", tenant) as firm:
        room = firm.add_room("atrium", zone="Europe/Berlin", label="W. Europe Standard Time")
        with a_receiver() as receiver:
            endpoint, _ = firm.home.webhooks.add("acme", receiver.url)
            firm.cycle(room)
            doc = {"title": "canary title", "bookedBy": {"name": "Canary", "email": "c@x.example"}}
            firm.book(room, start="2026-12-02T09:00:00", duration="PT1H", **doc)
            firm.cycle(room)
            firm.home.post.fan_out()
            worker = control_loop(firm.system)
            vitals = build_vitals(firm.system, worker)
            page = text(vitals.metrics())
            found = figures(page)
            assert found['calsync_rooms{state="ok"}'] == 1
            assert found["calsync_links"] == 1
            assert found["calsync_changes_total"] >= 2
            label = f'endpoint="{endpoint.id}",state="queued"'
            assert found[f"calsync_webhook_messages{{{label}}}"] == 1
            assert any(name.startswith("calsync_calendar_calls_total{") for name in found)
            for word in ("canary", "Canary", "@", receiver.url):
                assert word not in page
            assert vitals.not_ready() == []
            worker.stepped -= 1000
            assert vitals.not_ready() == ["the control loop does not answer"]


def test_a_room_is_out_of_sync_once_it_stops_or_is_not_read(tmp_path: Path) -> None:
    """What occupancy and displays rely on."""
    with a_tenant() as tenant, a_company(tmp_path / "calsync", tenant) as firm:
        room = firm.add_room("atrium", zone="Europe/Berlin", label="W. Europe Standard Time")
        status, states = SyncStatus(firm.system), firm.system.context.states
        assert status(room.id) == (None, True)
        for _ in range(2):
            firm.cycle(room)
        (pair_id,) = states
        state = states[pair_id]
        assert status(room.id) == (state.synced_at, False)
        states[pair_id] = replace(state, halted="12 of 20 would be deleted")
        assert status(room.id) == (state.synced_at, True)
        assert state.synced_at is not None
        states[pair_id] = replace(state, synced_at=state.synced_at - timedelta(minutes=19))
        assert status(room.id)[1]


# --- limits ----------------------------------------------------------------------------------


class Time:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def limited(world: Served, quota: int) -> Time:
    at = Time()
    world.limits._quota, world.limits._monotonic = quota, at
    return at


def test_each_answer_says_where_the_token_stands(world: Served) -> None:
    at = limited(world, 3)
    client = world.client("rooms:read")
    for left in (2, 1, 0):
        answer = client.get("/v1/rooms" if left else "/v1/rooms/nope")
        assert answer.headers["RateLimit-Policy"] == '"default";q=3;w=60'
        assert answer.headers["RateLimit"] == f'"default";r={left};t=60'
    at.at += 20
    refused = client.get("/v1/rooms")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "40"
    assert refused.headers["RateLimit"] == '"default";r=0;t=40'
    assert refused.json()["code"] == "quota-exceeded"
    assert refused.json()["violated-policies"] == ["default"]
    # Another token is nobody's business, and time heals.
    assert world.client("rooms:read").get("/v1/rooms").status_code == 200
    at.at += 41
    assert client.get("/v1/rooms").headers["RateLimit"] == '"default";r=2;t=60'


def test_nothing_is_done_for_a_request_too_many(world: Served) -> None:
    limited(world, 1)
    client = world.client("bookings:write")
    assert client.delete("/v1/bookings/nope", "*").status_code == 404
    doc = {"start": "2026-12-01T09:00:00", "duration": "PT1H"}
    assert client.post("/v1/rooms/r1/bookings", json=doc).status_code == 429
    assert world.hub.service.live(["r1"], world.hub.window)[0][1] == []


def test_who_guesses_tokens_or_addresses_is_held_up_and_who_has_one_is_not(
    world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(world, 100)
    monkeypatch.setattr(limits, "ANONYMOUS", 5)
    _, path = world_feeds(world.hub).create("r1", "")
    nobody = world.client()
    nobody.session.headers["Authorization"] = "Bearer calsync_00_11"
    statuses = [nobody.get("/v1/rooms").status_code for _ in range(3)]
    statuses += [nobody.get(f"{path}x.json").status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 404, 404, 429, 429]
    assert world.all.get("/v1/rooms").status_code == 200
    assert world.client().get(f"{path}.json").status_code == 200


def test_a_feed_has_a_limit_of_its_own(world: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(world, 100)
    monkeypatch.setattr(limits, "FEED", 2)
    keys = world_feeds(world.hub)
    one, two = (keys.create("r1", "")[1] for _ in range(2))
    nobody = world.client()
    assert [nobody.get(f"{one}.ics").status_code for _ in range(3)] == [200, 200, 429]
    assert nobody.get(f"{two}.ics").headers["RateLimit"] == '"feed";r=1;t=60'


def test_a_flood_from_many_places_is_counted_in_bounded_memory() -> None:
    at = Time()
    counts = Limits(10, monotonic=at)

    class Request:
        class state: ...

    request: Any = Request()
    for number in range(25_000):
        counts._take(request, "anonymous", str(number), 5)
    assert len(counts._counts) <= 10_000
    at.at += 100
    counts._take(request, "anonymous", "new", 5)
    assert len(counts._counts) <= 10_000


def test_without_a_limit_nothing_is_said(world: Served) -> None:
    answer: requests.Response = world.all.get("/v1/rooms")
    assert "RateLimit" not in answer.headers
    client = Client(world.all.url, "")
    assert [client.get("/v1/rooms").status_code for _ in range(80)] == [401] * 80
    client.session.close()
