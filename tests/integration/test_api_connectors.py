"""What connectors may do through the API, over real HTTP: mirrored bookings, and answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api_kit import PLAIN, Client, Served, open_door, served


@pytest.fixture(scope="module")
def door() -> Iterator[Any]:
    with open_door() as opened:
        yield opened


@pytest.fixture
def world(door: Any, tmp_path: Path) -> Iterator[Served]:
    with served(door, tmp_path) as world:
        yield world


@pytest.fixture
def api(world: Served) -> Client:
    return world.all


def mirror(api: Client, room: str = "r1", **doc: object) -> Any:
    return api.post(f"/v1/rooms/{room}/mirrored", json={**PLAIN, **doc})


def say(api: Client, booking: Any, status: str, match: str = "", **refusal: object) -> Any:
    body: dict[str, Any] = {"status": status, **({"refusal": refusal} if refusal else {})}
    headers = {"If-Match": match or f'"{booking["revision"]}"'}
    return api.post(f"/v1/bookings/{booking['id']}/answer", json=body, headers=headers)


def test_what_stands_in_the_calendar_is_mirrored_over_taken_time_and_rules(api: Client) -> None:
    room = {"name": "Room 1", "timeZone": "Europe/Berlin", "rules": {"maxDuration": "PT30M"}}
    assert api.put("/v1/rooms/r1", json=room).status_code == 200
    assert api.post("/v1/rooms/r1/bookings", json=PLAIN).status_code == 422
    for number in range(2):
        made = mirror(api, externalId=f"m{number}", editable=number == 0)
        assert made.status_code == 201
        doc = made.json()
        assert (doc["bookingStatus"], doc["origin"]) == ("confirmed", "calendar")
        assert doc["editable"] is (number == 0)
    # A platform's own people still hear that it is taken, and cannot change what is not theirs.
    short = {**PLAIN, "duration": "PT15M"}
    assert api.post("/v1/rooms/r1/bookings", json=short).status_code == 409
    refused = api.patch(f"/v1/bookings/{doc['id']}", {"title": "Mine"}, made.headers["ETag"])
    assert (refused.status_code, refused.json()["code"]) == (422, "outlook-born")
    headers = {"If-Match": made.headers["ETag"]}
    path = f"/v1/bookings/{doc['id']}/mirrored"
    moved = api.call("PATCH", path, json={"start": "2026-12-01T11:00:00"}, headers=headers)
    assert (moved.status_code, moved.json()["start"]) == (200, "2026-12-01T11:00:00")
    assert moved.json()["bookingStatus"] == "confirmed"
    assert api.call("PATCH", path, json={}, headers=headers).status_code == 412
    assert api.call("PATCH", path, json={}).status_code == 428


def test_an_external_id_makes_it_once_and_finds_it_again(api: Client, world: Served) -> None:
    first = mirror(api, externalId="a/b ü")
    again = mirror(api, externalId="a/b ü", start="2026-12-02T09:00:00")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    path = "/v1/rooms/r1/bookings/by-external/a%2Fb%20%C3%BC"
    assert api.get(path).json()["id"] == first.json()["id"]
    assert api.get("/v1/rooms/r2/bookings/by-external/a%2Fb%20%C3%BC").status_code == 404
    api.delete(f"/v1/bookings/{first.json()['id']}", "*")
    gone = api.get(path).json()
    assert (gone["id"], gone["bookingStatus"]) == (first.json()["id"], "cancelled")
    anew = mirror(api, externalId="a/b ü")
    assert anew.status_code == 201
    assert api.get(path).json()["id"] == anew.json()["id"] != first.json()["id"]
    assert "r1" in world.triggered


def test_a_mirrored_create_with_a_key_is_repeated_not_made_again(api: Client) -> None:
    headers = {"Idempotency-Key": '"k1"'}
    path = "/v1/rooms/r1/mirrored"
    first = api.post(path, json=PLAIN, headers=headers)
    again = api.post(path, json=PLAIN, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    other = api.post(path, json={**PLAIN, "duration": "PT2H"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


def test_who_made_it_earlier_is_kept_and_nobody_makes_it_in_the_future(api: Client) -> None:
    early = mirror(api, claimedAt="2026-11-02T08:00:00Z").json()
    assert early["claimedAt"] == "2026-11-02T08:00:00Z" < early["created"]
    late = mirror(api, claimedAt="2099-01-01T00:00:00Z").json()
    assert late["claimedAt"] == late["created"] < "2026-12-01"
    assert "claimedAt" not in mirror(api).json()
    assert mirror(api, claimedAt="yesterday").status_code == 422
    assert mirror(api, editable="no").status_code == 422


def test_a_booking_is_confirmed_or_rejected_by_the_connector(api: Client) -> None:
    one, two = api.book(), api.book(start="2026-12-02T09:00:00")
    yes = say(api, one, "confirmed")
    assert (yes.status_code, yes.json()["bookingStatus"]) == (200, "confirmed")
    assert yes.json()["changeNumber"] == one["changeNumber"], "its content is the same"
    assert say(api, one, "confirmed").json() == yes.json(), "twice is one yes"
    reason = {"code": "room-conflict", "reason": "The room was taken.", "dates": []}
    spans = [{"start": "2026-12-02T08:00:00Z", "end": "2026-12-02T09:00:00Z"}]
    rooms = [{"roomId": "r2", "name": "Room 2"}]
    no = say(api, two, "rejected", conflicts=spans, alternatives=rooms, **reason)
    assert (no.status_code, no.json()["bookingStatus"]) == (200, "rejected")
    assert no.json()["refusal"] == {
        **reason,
        "conflicts": spans,
        "alternatives": [{**rooms[0], "capacity": None}],
    }
    api.book(start="2026-12-02T09:00:00")  # the slot is free again
    late = say(api, no.json(), "confirmed")
    assert (late.status_code, late.json()["code"]) == (409, "booking-not-live")


def test_a_stale_or_unclear_answer_changes_nothing(api: Client) -> None:
    one = api.book()
    api.patch(f"/v1/bookings/{one['id']}", {"start": "2026-12-01T15:00:00"}, "*")
    assert say(api, one, "confirmed").status_code == 412
    assert say(api, one, "maybe", "*").status_code == 422
    assert say(api, one, "rejected", "*", code="NO WAY", reason="x").status_code == 422
    assert say(api, one, "rejected", "*", code="no").status_code == 422, "without a reason"
    for wrong in ([1], ["x"], [{"start": "2026-12-02T08:00:00Z"}], [{"start": 1, "end": 2}]):
        assert say(api, one, "rejected", "*", reason="x", conflicts=wrong).status_code == 422
    assert say(api, one, "rejected", "*", reason="x", alternatives=[{}]).status_code == 422
    held = api.get(f"/v1/bookings/{one['id']}").json()
    assert (held["bookingStatus"], held["revision"]) == ("pending", 2)


def test_a_room_with_a_calendar_here_answers_by_itself(api: Client, world: Served) -> None:
    world.mapped.add("r1")
    rooms = {room["id"]: room["answeredBy"] for room in api.get("/v1/rooms").json()["rooms"]}
    assert (rooms["r1"], rooms["r2"]) == ("calendar", "connector")
    etag = api.get("/v1/rooms/r1").headers["ETag"]
    world.mapped.clear()
    assert api.get("/v1/rooms/r1", headers={"If-None-Match": etag}).status_code == 200
    world.mapped.add("r1")
    made = mirror(api).json()
    assert made["bookingStatus"] == "pending", "this calendar has not got it yet"
    one = api.book(start="2026-12-02T09:00:00")
    kept = say(api, one, "confirmed").json()
    assert (kept["bookingStatus"], kept["revision"]) == ("pending", 1)
    assert say(api, one, "rejected", reason="Taken.").json()["bookingStatus"] == "rejected"


def test_a_token_says_what_it_may(world: Served) -> None:
    client = world.client("rooms:read", "busy:read")
    assert client.get("/v1/token").json() == {"name": "test", "scopes": ["busy:read", "rooms:read"]}


def test_a_cursor_notices_that_the_bookings_were_restored(api: Client, world: Served) -> None:
    api.book()
    before = api.get("/v1/changes").json()["cursor"]
    api.book(start="2026-12-02T09:00:00")
    after = api.get("/v1/changes", params={"cursor": before}).json()
    assert len(after["changes"]) == 1

    def set_back() -> None:
        with world.hub.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM hub_change WHERE number > 1")
            connection.exec_driver_sql("DELETE FROM hub_booking WHERE mark > 1")
            connection.exec_driver_sql("UPDATE hub_counter SET value = 1 WHERE name = 'number'")

    set_back()
    ahead = api.get("/v1/changes", params={"cursor": after["cursor"]})
    assert (ahead.status_code, ahead.json()["restored"]) == (410, True)
    assert api.get("/v1/changes", params={"cursor": before}).json()["changes"] == []
    # The same number, given out a second time, is another change.
    api.book(start="2026-12-03T09:00:00")
    again = api.get("/v1/changes", params={"cursor": after["cursor"]})
    assert (again.status_code, again.json()["code"]) == (410, "resync-required")
    assert len(api.get("/v1/changes", params={"cursor": before}).json()["changes"]) == 1
