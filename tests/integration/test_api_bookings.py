"""Bookings over HTTP: made, read, changed, cancelled; the answers a platform builds on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from calsync.api.server import ApiServer
from calsync.mapping.booking_values import BookingStatus
from calsync.model import EffectKind, Person
from tests.contract.sync_side import effect, single
from tests.integration.api_kit import PLAIN, Client, Door, Served, open_door, served


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


def outlook_born(world: Served, **more: object) -> str:
    """A meeting from the calendar, to which the room is only invited."""
    (outcome,) = world.hub.side.apply(
        world.hub.pair,
        [effect(EffectKind.CREATE_BOOKING, "l1", target=single(), owned=False, **more)],
    )
    key: str = outcome.now.key  # type: ignore[union-attr]
    return key


# --- making ----------------------------------------------------------------------------------


def test_a_booking_is_pending_until_the_calendar_has_it(world: Served, api: Client) -> None:
    answer = api.post("/v1/rooms/r1/bookings", json={**PLAIN, "title": "Kick-off", "seats": 4})
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/bookings/{made['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert made["bookingStatus"] == "pending"
    assert (made["startUtc"], made["endUtc"]) == ("2026-12-01T08:00:00Z", "2026-12-01T09:00:00Z")
    assert (made["title"], made["timeZone"]) == ("Kick-off", "Europe/Berlin")
    assert world.triggered == ["r1"]
    (seen,) = world.hub.side.read(world.hub.pair, [made["id"]])
    world.hub.side.apply(
        world.hub.pair,
        [effect(EffectKind.CONFIRM_BOOKING, "l1", seen=seen)],  # type: ignore[arg-type]
    )
    after = api.get(f"/v1/bookings/{made['id']}")
    assert after.json()["bookingStatus"] == "confirmed"
    assert after.headers["ETag"] == '"2"'


def test_of_parallel_requests_for_one_slot_exactly_one_is_stored(world: Served) -> None:
    barrier = threading.Barrier(8)
    clients = [world.client("bookings:write") for _ in range(8)]

    def grab(number: int) -> int:
        barrier.wait()
        # Every other one overlaps by a part only.
        doc = {**PLAIN, "start": f"2026-12-01T09:{(number % 2) * 30:02}:00"}
        return clients[number].post("/v1/rooms/r1/bookings", json=doc).status_code

    for _ in range(3):
        with ThreadPoolExecutor(8) as pool:
            codes = Counter(pool.map(grab, range(8)))
        assert codes == {201: 1, 409: 7}
        held = world.all.get("/v1/changes?room=r1").json()["changes"]
        assert len(held) == 1
        world.all.delete(f"/v1/bookings/{held[0]['bookingId']}", '"1"')


def test_a_conflict_says_what_is_in_the_way_and_what_is_free(world: Served, api: Client) -> None:
    first = api.book(seats=4)
    api.book("r2", start="2026-12-01T09:30:00", duration="PT10M")
    answer = api.post(
        "/v1/rooms/r1/bookings", json={**PLAIN, "start": "2026-12-01T09:30:00", "seats": 3}
    )
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "room-conflict")
    assert problem["conflicts"] == [
        {
            "start": "2026-12-01T08:00:00Z",
            "end": "2026-12-01T09:00:00Z",
            "source": "booking",
            "id": first["id"],
        }
    ]
    # r2 is taken, r3 is of unknown size, r4 stands elsewhere.
    assert problem["alternatives"] == []
    problem = api.post(
        "/v1/rooms/r1/bookings", json={**PLAIN, "start": "2026-12-01T08:30:00", "seats": 5}
    ).json()
    assert [a["roomId"] for a in problem["alternatives"]] == ["r2"]
    blind = world.client("bookings:write").post("/v1/rooms/r1/bookings", json=PLAIN).json()
    assert "id" not in blind["conflicts"][0]


@pytest.mark.parametrize(
    ("held", "wanted", "status"),
    [
        ({"status": "tentative"}, {}, 409),
        ({"freeBusyStatus": "free"}, {}, 201),
        ({}, {"freeBusyStatus": "free"}, 201),
        ({}, {"start": "2026-12-01T10:00:00"}, 201),
        ({}, {"start": "2026-12-01T08:00:00"}, 201),
        ({}, {"start": "2026-12-01T08:00:00", "duration": "PT3H"}, 409),
        ({}, {"start": "2026-11-03T09:30:00", "rrule": "FREQ=WEEKLY"}, 409),
        ({"rrule": "FREQ=DAILY"}, {"start": "2027-06-01T09:30:00"}, 409),
        ({}, {"start": "2026-12-01T00:00:00", "duration": "P1D", "showWithoutTime": True}, 409),
    ],
)
def test_what_takes_the_room(
    api: Client, held: dict[str, object], wanted: dict[str, object], status: int
) -> None:
    api.book(**held)
    answer = api.post("/v1/rooms/r1/bookings", json={**PLAIN, **wanted})
    assert answer.status_code == status, answer.text


def test_a_series_lists_every_date_it_cannot_have(api: Client) -> None:
    for day in (8, 22):
        api.book(start=f"2026-12-{day:02}T09:00:00")
    problem = api.post(
        "/v1/rooms/r1/bookings", json={**PLAIN, "rrule": "FREQ=WEEKLY;COUNT=5"}
    ).json()
    assert [c["start"] for c in problem["conflicts"]] == [
        "2026-12-08T08:00:00Z",
        "2026-12-22T08:00:00Z",
    ]
    assert problem["conflictsTotal"] == 2


# --- twice -----------------------------------------------------------------------------------


def test_the_same_key_gives_the_stored_answer(world: Served, api: Client) -> None:
    def send(doc: dict[str, object], key: str = '"k1"', client: Client = api) -> Any:
        return client.post("/v1/rooms/r1/bookings", json=doc, headers={"Idempotency-Key": key})

    first = send(PLAIN)
    api.patch(f"/v1/bookings/{first.json()['id']}", {"seats": 2}, '"1"')
    again = send(dict(reversed(PLAIN.items())))
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Location"] == first.headers["Location"]
    other = send({**PLAIN, "start": "2026-12-01T12:00:00"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert send(PLAIN, "k2").status_code == 409
    # Keys belong to their client.
    assert send(PLAIN, client=world.client("bookings:write")).status_code == 409
    assert len(api.get("/v1/changes").json()["changes"]) == 1


def test_a_refusal_is_kept_and_an_unreadable_request_is_not(api: Client) -> None:
    held = api.book()
    send = {"json": PLAIN, "headers": {"Idempotency-Key": "k1"}}
    refused = api.post("/v1/rooms/r1/bookings", **send)
    api.delete(f"/v1/bookings/{held['id']}", "*")
    again = api.post("/v1/rooms/r1/bookings", **send)
    assert (refused.status_code, again.status_code) == (409, 409)
    assert again.content == refused.content
    wrong = {"json": {**PLAIN, "duration": "x"}, "headers": {"Idempotency-Key": "k2"}}
    assert api.post("/v1/rooms/r1/bookings", **wrong).status_code == 422
    right = {"json": PLAIN, "headers": {"Idempotency-Key": "k2"}}
    assert api.post("/v1/rooms/r1/bookings", **right).status_code == 201


def test_a_key_still_running_is_said_so(
    world: Served, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    create = world.hub.service._create

    def slow(*arguments: Any) -> Any:
        entered.set()
        assert go_on.wait(5)
        return create(*arguments)

    monkeypatch.setattr(world.hub.service, "_create", slow)
    send = {"json": PLAIN, "headers": {"Idempotency-Key": "k1"}}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(api.post, "/v1/rooms/r1/bookings", **send)
        assert entered.wait(5)
        # The same token, as the same platform would send it from another process.
        token = str(api.session.headers["Authorization"]).removeprefix("Bearer ")
        second = Client(world.server.url, token)
        world.clients.append(second)
        early = second.post("/v1/rooms/r1/bookings", **send)
        assert early.json()["code"] == "idempotency-key-running"
        assert (early.status_code, early.headers["Retry-After"]) == (409, "1")
        go_on.set()
        made = first.result()
    assert made.status_code == 201
    assert second.post("/v1/rooms/r1/bookings", **send).content == made.content


def test_by_external_id_is_idempotent_without_a_header(world: Served, api: Client) -> None:
    path = "/v1/rooms/r1/bookings/by-external/booking/4711"
    first = api.put(path, json=PLAIN)
    again = api.put(path, json=PLAIN)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again.json()["externalId"] == "booking/4711"
    moved = api.put(path, json={**PLAIN, "start": "2026-12-01T11:00:00"})
    assert (moved.status_code, moved.json()["id"]) == (200, first.json()["id"])
    assert moved.headers["ETag"] == '"2"'
    stale = api.put(path, json=PLAIN, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    there = api.put(path, json=PLAIN, headers={"If-None-Match": "*"})
    assert there.status_code == 412
    taken = api.post("/v1/rooms/r1/bookings", json={**PLAIN, "externalId": "booking/4711"})
    assert taken.json()["code"] == "external-id-taken"
    # Another room has its own names.
    assert api.put("/v1/rooms/r2/bookings/by-external/booking/4711", json=PLAIN).status_code == 201
    api.delete(f"/v1/bookings/{first.json()['id']}", "*")
    anew = api.put(path, json=PLAIN)
    assert anew.status_code == 201
    assert anew.json()["id"] != first.json()["id"]


def test_a_rejected_booking_is_tried_anew_only_when_it_changed(world: Served, api: Client) -> None:
    path = "/v1/rooms/r1/bookings/by-external/e1"
    first = api.put(path, json=PLAIN).json()
    (seen,) = world.hub.side.read(world.hub.pair, [first["id"]])
    reject = effect(EffectKind.REJECT_BOOKING, "l1", seen=seen)  # type: ignore[arg-type]
    world.hub.side.apply(world.hub.pair, [reject])
    same = api.put(path, json=PLAIN).json()
    assert (same["id"], same["bookingStatus"]) == (first["id"], "rejected")
    anew = api.put(path, json={**PLAIN, "start": "2026-12-01T10:00:00"}).json()
    assert (anew["bookingStatus"], anew["id"] == first["id"]) == ("pending", False)
    gone = api.patch(f"/v1/bookings/{first['id']}", {"seats": 2}, "*")
    assert gone.json()["code"] == "booking-not-live"


# --- reading and changing --------------------------------------------------------------------


def test_a_known_revision_is_not_sent_again(api: Client) -> None:
    key = api.book()["id"]
    path = f"/v1/bookings/{key}"
    assert api.get(path, headers={"If-None-Match": '"1"'}).status_code == 304
    api.patch(path, {"seats": 2}, '"1"')
    assert api.get(path, headers={"If-None-Match": '"1"'}).status_code == 200


def test_a_patch_needs_the_current_revision(world: Served, api: Client) -> None:
    path = f"/v1/bookings/{api.book()['id']}"
    assert api.patch(path, {"seats": 2}).status_code == 428
    assert api.patch(path, {"seats": 2}, '"7"').status_code == 412
    changed = api.patch(path, {"seats": 2, "duration": "PT2H"}, '"1"')
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert api.patch(path, {"seats": 3}, '"1"').status_code == 412
    same = api.patch(path, changed.json(), '"2"')
    assert (same.status_code, same.headers["ETag"]) == (200, '"2"')
    assert same.json() == changed.json()


def test_moving_onto_somebody_is_refused_and_giving_up_time_never(
    world: Served, api: Client
) -> None:
    mine = api.book(duration="PT3H")
    path = f"/v1/bookings/{mine['id']}"
    outlook_born(world)  # 09:00 UTC: within mine, made in the calendar, mirrored
    assert api.patch(path, {"title": "Still mine"}, "*").status_code == 200
    assert api.patch(path, {"duration": "PT2H30M"}, "*").status_code == 200
    assert api.patch(path, {"start": "2026-12-01T10:30:00"}, "*").status_code == 409
    assert api.patch(path, {"start": "2026-12-01T12:00:00"}, "*").status_code == 200


def test_cancelling_twice_is_one_cancellation(world: Served, api: Client) -> None:
    path = f"/v1/bookings/{api.book()['id']}"
    assert api.delete(path).status_code == 428
    assert api.delete(path, '"9"').status_code == 412
    assert api.delete(path, '"1"').status_code == 204
    assert api.delete(path, '"1"').status_code == 204
    assert api.get(path).json()["bookingStatus"] == "cancelled"
    kinds = [c["kind"] for c in api.get("/v1/changes").json()["changes"]]
    assert kinds == []
    api.book()  # the time is free again


def test_a_meeting_from_outlook_can_be_declined_but_not_changed(world: Served, api: Client) -> None:
    key = outlook_born(world, person=Person("Ada", "ada@example.com"))
    shown = api.get(f"/v1/bookings/{key}").json()
    assert (shown["origin"], shown["editable"]) == ("calendar", False)
    answer = api.patch(f"/v1/bookings/{key}", {"duration": "PT2H"}, "*")
    assert (answer.status_code, answer.json()["code"]) == (422, "outlook-born")
    assert "organizer" in answer.json()["detail"]
    assert "DELETE" in answer.json()["detail"]
    assert world.hub.get(key).revision == 1
    assert api.delete(f"/v1/bookings/{key}", "*").status_code == 204
    assert world.hub.get(key).status is BookingStatus.CANCELLED


# --- series ----------------------------------------------------------------------------------


def test_one_date_of_a_series(world: Served, api: Client) -> None:
    key = api.book(rrule="FREQ=WEEKLY;COUNT=4")["id"]
    path = f"/v1/bookings/{key}/occurrences"
    assert api.patch(f"{path}/2026-12-08T09:00:00", {"duration": "PT2H"}).status_code == 428
    moved = api.patch(f"{path}/2026-12-08T09:00:00", {"start": "2026-12-09T14:00:00"}, '"1"')
    assert moved.status_code == 200
    gone = api.delete(f"{path}/2026-12-15T09:00:00", '"2"')
    assert gone.json()["recurrenceOverrides"] == {
        "2026-12-08T09:00:00": {"start": "2026-12-09T14:00:00"},
        "2026-12-15T09:00:00": {"excluded": True},
    }
    assert api.delete(f"{path}/2026-12-15T09:00:00", "*").status_code == 404
    assert api.patch(f"{path}/2026-12-16T09:00:00", {}, "*").status_code == 404
    wrong = api.patch(f"{path}/2026-12-08T09:00:00", {"colour": "red"}, "*")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/colour")
    query = "start=2026-12-01T00:00:00Z&end=2027-01-01T00:00:00Z"
    items = api.get(f"/v1/rooms/r1/occupancy?{query}").json()["items"]
    assert [(i["recurrenceId"], i["start"]) for i in items] == [
        ("2026-12-01T09:00:00", "2026-12-01T09:00:00"),
        ("2026-12-08T09:00:00", "2026-12-09T14:00:00"),
        ("2026-12-22T09:00:00", "2026-12-22T09:00:00"),
    ]
    assert api.patch(f"/v1/bookings/{api.book('r2')['id']}/occurrences/x", {}, "*").json()[
        "code"
    ] == ("not-a-series")


def test_the_last_date_cannot_be_taken_out(api: Client) -> None:
    key = api.book(rrule="FREQ=WEEKLY;COUNT=2")["id"]
    path = f"/v1/bookings/{key}/occurrences"
    api.delete(f"{path}/2026-12-01T09:00:00", "*")
    answer = api.delete(f"{path}/2026-12-08T09:00:00", "*")
    assert answer.status_code == 422
    assert "cancel" in answer.json()["detail"]


def test_titles_are_not_kept_where_the_switch_is_off(world: Served, api: Client) -> None:
    key = api.book(title="Layoffs")["id"]
    world.hub.service.set_titles("r1", titles=False)
    assert "title" not in api.get(f"/v1/bookings/{key}").json()
    assert "title" not in api.book(title="Secret", start="2026-12-02T09:00:00")
    assert not api.get("/v1/rooms/r1").json()["titles"]
    with world.hub.database.read() as connection:
        kept = connection.exec_driver_sql("SELECT content FROM hub_booking").scalars()
    assert not [text for text in kept if "Layoffs" in text or "Secret" in text]


def test_what_is_kept_for_a_repeated_request_has_no_titles_either(
    world: Served, api: Client
) -> None:
    person = {"name": "Ada", "email": "ada@example.com"}
    series = {
        "rrule": "FREQ=WEEKLY;COUNT=3",
        "recurrenceOverrides": {"2026-12-08T09:00:00": {"title": "Layoffs, part 2"}},
    }
    send = {
        "json": {**PLAIN, **series, "title": "Layoffs", "bookedBy": person},
        "headers": {"Idempotency-Key": "k1"},
    }
    first = api.post("/v1/rooms/r1/bookings", **send)
    api.post("/v1/rooms/r2/bookings", **send)
    world.hub.service.set_titles("r1", titles=False)
    again = api.post("/v1/rooms/r1/bookings", **send)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.json()["id"], again.json()["bookedBy"]) == (first.json()["id"], person)
    assert "Layoffs" not in again.text


def test_a_booking_that_turns_private_takes_along_the_kept_answer(
    world: Served, api: Client
) -> None:
    person = {"name": "Ada", "email": "ada@example.com"}
    send = {
        "json": {**PLAIN, "title": "Layoffs", "bookedBy": person},
        "headers": {"Idempotency-Key": "k1"},
    }
    made = api.post("/v1/rooms/r1/bookings", **send)
    other = api.post("/v1/rooms/r2/bookings", json=send["json"], headers={"Idempotency-Key": "k2"})
    path = f"/v1/bookings/{made.json()['id']}"
    assert api.patch(path, {"privacy": "private"}, "*").status_code == 200
    again = api.post("/v1/rooms/r1/bookings", **send)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json().keys() == made.json().keys() - {"title", "bookedBy"}
    with world.hub.database.read() as connection:
        kept = connection.exec_driver_sql("SELECT body FROM hub_answer").scalars()
    assert sorted("Layoffs" in text for text in kept) == [False, True]
    assert other.json()["title"] == "Layoffs"


def test_a_date_that_turns_private_takes_its_title_out_of_the_kept_answer(api: Client) -> None:
    series = {
        "rrule": "FREQ=WEEKLY;COUNT=3",
        "recurrenceOverrides": {
            "2026-12-08T09:00:00": {"title": "Layoffs"},
            "2026-12-15T09:00:00": {"title": "Party"},
        },
    }
    send = {
        "json": {**PLAIN, **series, "title": "Weekly"},
        "headers": {"Idempotency-Key": "k1"},
    }
    made = api.post("/v1/rooms/r1/bookings", **send).json()
    path = f"/v1/bookings/{made['id']}/occurrences/2026-12-08T09:00:00"
    assert api.patch(path, {"privacy": "private"}, "*").status_code == 200
    again = api.post("/v1/rooms/r1/bookings", **send).text
    assert [word in again for word in ("Weekly", "Layoffs", "Party")] == [True, False, True]


def test_old_people_are_forgotten(world: Served, api: Client) -> None:
    person = {"name": "Ada", "email": "ada@example.com"}
    past = api.book(start="2026-09-01T09:00:00", bookedBy=person)["id"]
    fresh = api.book(bookedBy=person)["id"]
    world.hub.service.compact()
    assert "bookedBy" not in api.get(f"/v1/bookings/{past}").json()
    assert api.get(f"/v1/bookings/{fresh}").json()["bookedBy"] == person
