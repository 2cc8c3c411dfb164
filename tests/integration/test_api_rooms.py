"""Rooms, occupancy, the change feed, and who may see what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from calsync.api.server import ApiServer
from tests.integration.api_kit import Client, Door, Served, open_door, served

WINDOW = "start=2026-11-20T00:00:00Z&end=2026-12-31T00:00:00Z"


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[Door, ApiServer]]:
    with open_door() as opened:
        yield opened


@pytest.fixture
def world(opened: tuple[Door, ApiServer], tmp_path: Path) -> Iterator[Served]:
    with served(opened, tmp_path) as world:
        yield world


@pytest.fixture
def api(world: Served) -> Client:
    return world.all


# --- rooms -----------------------------------------------------------------------------------


def test_rooms_are_listed_made_and_replaced(api: Client) -> None:
    assert [r["id"] for r in api.get("/v1/rooms").json()["rooms"]] == ["r1", "r2", "r3", "r4"]
    doc = {"name": "Aula", "timeZone": "W. Europe Standard Time", "building": "C", "capacity": 90}
    made = api.put("/v1/rooms/aula", json=doc)
    assert made.status_code == 201
    assert made.json() == {
        "id": "aula",
        "name": "Aula",
        "building": "C",
        "floor": "",
        "capacity": 90,
        "timeZone": "Europe/Berlin",
        "titles": False,
        "answeredBy": "connector",
    }
    assert api.put("/v1/rooms/aula", json=doc).status_code == 200
    etag = api.get("/v1/rooms/aula").headers["ETag"]
    assert api.get("/v1/rooms/aula", headers={"If-None-Match": etag}).status_code == 304
    api.put("/v1/rooms/aula", json={**doc, "name": "Hall"})
    assert api.get("/v1/rooms/aula").json()["name"] == "Hall"
    assert api.get("/v1/rooms/nowhere").status_code == 404


@pytest.mark.parametrize(
    ("doc", "pointer"),
    [
        ({"timeZone": "UTC"}, "/name"),
        ({"name": "A"}, "/timeZone"),
        ({"name": "A", "timeZone": "Nowhere"}, "/timeZone"),
        ({"name": "A", "timeZone": "UTC", "capacity": -1}, "/capacity"),
        ({"name": "A", "timeZone": "UTC", "titles": True}, "/titles"),
    ],
)
def test_wrong_rooms(api: Client, doc: dict[str, object], pointer: str) -> None:
    answer = api.put("/v1/rooms/x", json=doc)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_all_day_bookings_follow_the_zone_of_their_room(api: Client) -> None:
    api.book(start="2026-12-03", duration="P1D", showWithoutTime=True)
    room = {k: v for k, v in api.get("/v1/rooms/r1").json().items() if k not in ("id", "titles")}
    api.put("/v1/rooms/r1", json={**room, "timeZone": "America/New_York"})
    narrow = "start=2026-12-04T00:00:00Z&end=2026-12-04T04:00:00Z"
    (item,) = api.get(f"/v1/rooms/r1/occupancy?{narrow}").json()["items"]
    assert (item["startUtc"], item["endUtc"]) == ("2026-12-03T05:00:00Z", "2026-12-04T05:00:00Z")


# --- occupancy -------------------------------------------------------------------------------


def test_occupancy_is_expanded_with_its_age(world: Served, api: Client) -> None:
    api.book(rrule="FREQ=WEEKLY", title="Jour fixe")
    api.book(start="2026-12-02T00:00:00", duration="P1D", showWithoutTime=True)
    doc = api.get(f"/v1/rooms/r1/occupancy?{WINDOW}").json()
    assert doc["inSyncAsOf"] == "2026-11-20T07:59:00Z"
    assert doc["stale"] is False
    assert [i["startUtc"] for i in doc["items"]] == [
        "2026-12-01T08:00:00Z",
        "2026-12-01T23:00:00Z",
        "2026-12-08T08:00:00Z",
        "2026-12-15T08:00:00Z",
        "2026-12-22T08:00:00Z",
        "2026-12-29T08:00:00Z",
    ]
    assert doc["items"][0]["recurrenceId"] == "2026-12-01T09:00:00"
    assert doc["items"][0]["title"] == "Jour fixe"
    series = api.get(f"/v1/rooms/r1/occupancy?{WINDOW}&view=series").json()
    assert [bool(i.get("recurrenceRule")) for i in series["items"]] == [True, False]


def test_wall_time_stays_over_a_change_of_the_clocks(api: Client) -> None:
    api.book(rrule="FREQ=MONTHLY;BYDAY=1TU")
    window = "start=2027-03-01T00:00:00Z&end=2027-05-01T00:00:00Z"
    items = api.get(f"/v1/rooms/r1/occupancy?{window}").json()["items"]
    assert [(i["start"], i["startUtc"]) for i in items] == [
        ("2027-03-02T09:00:00", "2027-03-02T08:00:00Z"),
        ("2027-04-06T09:00:00", "2027-04-06T07:00:00Z"),
    ]


def test_several_rooms_at_once(api: Client) -> None:
    api.book("r2")
    doc = api.get(f"/v1/occupancy?rooms=r2,r1&{WINDOW}").json()
    assert [(r["roomId"], r["stale"], len(r["items"])) for r in doc["rooms"]] == [
        ("r2", True, 1),
        ("r1", False, 0),
    ]
    assert api.get(f"/v1/occupancy?rooms=r1,nowhere&{WINDOW}").status_code == 404
    many = ",".join(f"r{n}" for n in range(101))
    assert api.get(f"/v1/occupancy?rooms={many}&{WINDOW}").status_code == 422


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("", "start"),
        ("start=2026-11-20T00:00:00Z", "end"),
        ("start=2026-11-20T00:00:00Z&end=2026-11-19T00:00:00Z", "end"),
        ("start=2026-11-20T00:00:00Z&end=2027-12-26T00:00:00Z", "end"),
        ("start=yesterday&end=2027-12-26T00:00:00Z", "start"),
        (f"{WINDOW}&view=all", "view"),
    ],
)
def test_the_window_is_required_and_bounded(api: Client, query: str, parameter: str) -> None:
    answer = api.get(f"/v1/rooms/r1/occupancy?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == parameter


def test_too_many_occurrences_are_refused_not_cut(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calsync.adapters.hub.service.MAX_OCCURRENCES", 4)
    api.book(rrule="FREQ=WEEKLY")
    assert api.get(f"/v1/rooms/r1/occupancy?{WINDOW}").json()["code"] == "too-much"


def test_nor_are_too_many_bookings_given_at_once(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred rooms and 400 days of them, each with all its dates, are some 100 MB."""
    monkeypatch.setattr("calsync.adapters.hub.service.MAX_OCCURRENCES", 2)
    for room in ("r1", "r2", "r3"):
        api.book(room)
    query = f"{WINDOW}&view=series"
    assert api.get(f"/v1/occupancy?rooms=r1,r2&{query}").status_code == 200
    refused = api.get(f"/v1/occupancy?rooms=r1,r2,r3&{query}")
    assert (refused.status_code, refused.json()["code"]) == (422, "too-much")
    changed = {f"2026-12-{day:02}T09:00:00": {"excluded": True} for day in (8, 15)}
    api.book("r4", rrule="FREQ=WEEKLY", recurrenceOverrides=changed)
    assert api.get(f"/v1/rooms/r4/occupancy?{query}").status_code == 422


# --- the change feed -------------------------------------------------------------------------


def feed(api: Client, cursor: str | None = None, **query: object) -> dict[str, Any]:
    parameters = {"cursor": cursor, **query}
    answer = api.get("/v1/changes", params={k: v for k, v in parameters.items() if v is not None})
    assert answer.status_code == 200, answer.text
    doc: dict[str, Any] = answer.json()
    return doc


def test_everything_first_then_changes_with_tombstones(api: Client) -> None:
    kept, gone = api.book()["id"], api.book("r2")["id"]
    first = feed(api)
    assert {c["bookingId"] for c in first["changes"]} == {kept, gone}
    assert (first["listing"], first["more"]) == (True, False)
    assert feed(api, first["cursor"])["changes"] == []
    api.patch(f"/v1/bookings/{kept}", {"duration": "PT2H"}, '"1"')
    api.delete(f"/v1/bookings/{gone}", '"1"')
    after = feed(api, first["cursor"])
    assert [(c["kind"], c["bookingId"], c["revision"]) for c in after["changes"]] == [
        ("upsert", kept, 2),
        ("tombstone", gone, 2),
    ]
    assert after["changes"][0]["booking"]["duration"] == "PT2H"
    assert "booking" not in after["changes"][1]
    assert feed(api, first["cursor"]) == after, "the same cursor gives the same answer"
    assert feed(api, after["cursor"])["changes"] == []


def test_pages_lose_nothing_while_bookings_change(api: Client) -> None:
    keys = [api.book(start=f"2026-12-{day:02}T09:00:00")["id"] for day in range(1, 8)]
    seen: dict[str, int] = {}
    page, pages = feed(api, limit=2), 0
    while True:
        pages += 1
        for change in page["changes"]:
            seen[change["bookingId"]] = change["revision"]
        if not page["more"]:
            break
        # Somebody changes one that was listed already, on every page.
        first = page["changes"][0]["bookingId"]
        api.patch(f"/v1/bookings/{first}", {"seats": pages}, "*")
        page = feed(api, page["cursor"], limit=2)
    assert pages == 4
    assert set(seen) == set(keys)
    while (page := feed(api, page["cursor"], limit=2))["changes"]:
        for change in page["changes"]:
            seen[change["bookingId"]] = change["revision"]
    current = {key: api.get(f"/v1/bookings/{key}").json()["revision"] for key in keys}
    assert seen == current


def test_the_cursor_of_a_quiet_room_does_not_grow_old(world: Served, api: Client) -> None:
    quiet = feed(api, room="r3")["cursor"]
    for day in range(1, 4):
        api.book(start=f"2026-12-0{day}T09:00:00")
        world.hub.clock.at += timedelta(days=20)
        quiet = feed(api, quiet, room="r3")["cursor"]
        world.hub.service.compact()
    assert feed(api, quiet, room="r3")["changes"] == []


def test_the_link_to_the_next_page_works(api: Client) -> None:
    for room in ("r1", "r1", "r2"):
        api.book(room, start=f"2026-12-0{len(feed(api)['changes']) + 1}T09:00:00")
    answer = api.get("/v1/changes?room=r1&limit=1")
    assert 'rel="next"' in answer.headers["Link"]
    following = api.get(answer.headers["Link"].partition(">")[0].removeprefix("<"))
    assert [c["roomId"] for c in following.json()["changes"]] == ["r1"]
    assert "Link" not in following.headers
    assert following.json()["cursor"]


def test_old_and_foreign_cursors(world: Served, api: Client) -> None:
    key = api.book()["id"]
    old = feed(api)["cursor"]
    api.patch(f"/v1/bookings/{key}", {"seats": 2}, "*")
    world.hub.clock.at += timedelta(days=60)
    world.hub.service.compact()
    answer = api.get(f"/v1/changes?cursor={old}")
    assert (answer.status_code, answer.json()["code"]) == (410, "resync-required")
    assert len(feed(api)["changes"]) == 1, "a new listing has it all"
    assert api.get("/v1/changes?cursor=garbage").status_code == 400
    assert api.get(f"/v1/changes?cursor={feed(api)['cursor']}&room=r1").status_code == 400
    assert api.get("/v1/changes?limit=0").status_code == 422
    assert api.get("/v1/changes?room=nowhere").status_code == 404


# --- who may -----------------------------------------------------------------------------------

CALLS = [
    ("rooms:read", "GET", "/v1/rooms"),
    ("rooms:read", "GET", "/v1/rooms/r1"),
    ("rooms:write", "PUT", "/v1/rooms/r1"),
    ("busy:read", "GET", f"/v1/rooms/r1/occupancy?{WINDOW}"),
    ("busy:read", "GET", f"/v1/occupancy?rooms=r1&{WINDOW}"),
    ("bookings:read", "GET", "/v1/bookings/none"),
    ("bookings:read", "GET", "/v1/changes"),
    ("bookings:write", "POST", "/v1/rooms/r1/bookings"),
    ("bookings:write", "PUT", "/v1/rooms/r1/bookings/by-external/x"),
    ("bookings:write", "PATCH", "/v1/bookings/none"),
    ("bookings:write", "DELETE", "/v1/bookings/none"),
    ("bookings:write", "PATCH", "/v1/bookings/none/occurrences/x"),
    ("bookings:write", "DELETE", "/v1/bookings/none/occurrences/x"),
    ("rooms:read", "GET", "/v1/token"),
    ("bookings:read", "GET", "/v1/rooms/r1/bookings/by-external/x"),
    ("bookings:mirror", "POST", "/v1/rooms/r1/mirrored"),
    ("bookings:mirror", "PATCH", "/v1/bookings/none/mirrored"),
    ("bookings:mirror", "POST", "/v1/bookings/none/answer"),
]


def test_every_call_needs_a_token_with_its_scope(world: Served) -> None:
    scopes = sorted({scope for scope, *_ in CALLS} | {"details:read"})
    nobody = world.client()
    for scope, method, path in CALLS:
        refused = nobody.call(method, path)
        assert refused.status_code == 401, path
        assert refused.headers["WWW-Authenticate"] == 'Bearer realm="calsync"'
        others = world.client(*(s for s in scopes if s != scope))
        refused = others.call(method, path)
        assert refused.status_code == 403, path
        assert f'scope="{scope}"' in refused.headers["WWW-Authenticate"]
        assert world.client(scope).call(method, path).status_code not in (401, 403), path


def test_revoked_and_invented_tokens(world: Served, api: Client) -> None:
    token, text = world.hub.service.tokens.create("door", ["rooms:read"])
    client = Client(world.server.url, text)
    world.clients.append(client)
    assert client.get("/v1/rooms").status_code == 200
    world.hub.service.tokens.revoke(token.id)
    gone = client.get("/v1/rooms")
    assert (gone.status_code, "invalid_token" in gone.headers["WWW-Authenticate"]) == (401, True)
    listed = {t.id: t.revoked for t in world.hub.service.tokens.list()}
    assert listed[token.id] is not None
    _, good = world.hub.service.tokens.create("door", ["rooms:read"])
    kind, ident, secret = good.split("_")
    for header in (
        "Bearer",
        "Bearer ",
        "Bearer x",
        f"Basic {good}",
        f"Bearer {good}x",
        f"Bearer {good[:-1]}",
        f"Bearer {kind}_{token.id}_{secret}",
        f"Bearer other_{ident}_{secret}",
        f"Bearer {kind}_' OR 1=1 --_{secret}",
        "Bearer " + "é" * 40,
    ):
        client.session.headers["Authorization"] = header.encode()  # type: ignore[assignment]
        assert client.get("/v1/rooms").status_code == 401, header


def test_secrets_are_not_kept(world: Served) -> None:
    _, text = world.hub.service.tokens.create("door", ["rooms:read"])
    with world.hub.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM hub_token").all()
    assert text.rpartition("_")[2] not in repr(rows)


def test_details_need_their_own_scope(world: Served, api: Client) -> None:
    person = {"name": "Ada", "email": "ada@example.com"}
    overrides = {"2026-12-08T09:00:00": {"title": "Layoffs"}}
    made = api.book(
        title="Board",
        bookedBy=person,
        rrule="FREQ=WEEKLY;COUNT=3",
        recurrenceOverrides=overrides,
        externalId="e1",
    )
    blind = world.client("busy:read", "bookings:read", "bookings:write")
    paths = [
        f"/v1/rooms/r1/occupancy?{WINDOW}",
        f"/v1/rooms/r1/occupancy?{WINDOW}&view=series",
        f"/v1/bookings/{made['id']}",
        "/v1/changes",
    ]
    words = ("Board", "Layoffs", "Ada", "ada@example.com")
    for path in paths:
        hidden, full = json.dumps(blind.get(path).json()), json.dumps(api.get(path).json())
        assert not [w for w in words if w in hidden], path
        assert all(w in full for w in words), path
    # A patch by somebody who cannot see the title leaves it as it is.
    changed = blind.patch(f"/v1/bookings/{made['id']}", {"duration": "PT2H"}, '"1"')
    assert "title" not in changed.json()
    assert api.get(f"/v1/bookings/{made['id']}").json()["title"] == "Board"
    busy = world.client("busy:read").get(paths[1]).json()["items"][0]
    assert not [name for name in ("uid", "externalId") if name in busy]
