"""``Prefer: wait=N``: confirmed, or 409 with alternatives, instead of pending."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from calsync.api import waiting
from calsync.api.server import ApiServer
from calsync.mapping.booking_values import Booking, BookingStatus
from calsync.model import Alternative, Effect, EffectKind, Refusal, Seen
from tests.integration.api_kit import PLAIN, Client, Door, Served, open_door, served
from tests.unit.hub.hub_kit import ANY

TAKEN = (datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 1, 9, tzinfo=UTC))
REFUSAL = Refusal(
    reason="Somebody booked it in Outlook before you",
    conflicts=(TAKEN,),
    alternatives=(Alternative(room_id="r2", name="Room 2", capacity=6),),
)


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


def answered(world: Served, booking: Booking, kind: EffectKind, refusal: Refusal | None) -> None:
    """What sync does with a booking, as it does it."""
    pair = replace(world.hub.pair, room_id=booking.room_id)
    (seen,) = world.hub.side.read(pair, [booking.id])
    assert isinstance(seen, Seen)
    effect = Effect(
        id="e1",
        link_id="l1",
        kind=kind,
        key=booking.id,
        version=seen.version,
        refusal=refusal,
        why="test",
        revision=1,
    )
    world.hub.side.apply(pair, [effect])


@contextmanager
def syncing(
    world: Served, kind: EffectKind, refusal: Refusal | None = None, after: float = 0.15
) -> Iterator[None]:
    """Answers every pending booking a little after it was made."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(after):
            for _, held in world.hub.service.live(["r1"], world.hub.window):
                for booking in held:
                    if booking.status is BookingStatus.PENDING:
                        answered(world, booking, kind, refusal)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_an_answer_that_waits_says_confirmed(world: Served, api: Client) -> None:
    with syncing(world, EffectKind.CONFIRM_BOOKING):
        made = api.post("/v1/rooms/r1/bookings", json=PLAIN, headers={"Prefer": "wait=5"})
    assert made.status_code == 201
    assert made.json()["bookingStatus"] == "confirmed"
    assert made.headers["Preference-Applied"] == "wait=5"
    assert made.headers["Location"] == f"/v1/bookings/{made.json()['id']}"
    assert made.headers["ETag"] == f'"{made.json()["revision"]}"'


def test_or_409_with_the_reason_and_free_rooms(world: Served, api: Client) -> None:
    with syncing(world, EffectKind.REJECT_BOOKING, REFUSAL):
        made = api.post("/v1/rooms/r1/bookings", json=PLAIN, headers={"Prefer": "wait=5"})
    assert made.status_code == 409
    problem = made.json()
    assert problem["code"] == "room-conflict"
    assert problem["detail"] == "Somebody booked it in Outlook before you."
    assert problem["conflicts"] == [
        {"start": "2026-12-01T08:00:00Z", "end": "2026-12-01T09:00:00Z"}
    ]
    assert problem["alternatives"] == [{"roomId": "r2", "name": "Room 2", "capacity": 6}]
    assert made.headers["Preference-Applied"] == "wait=5"
    stored = api.get(f"/v1/bookings/{problem['bookingId']}").json()
    assert stored["bookingStatus"] == "rejected"


def test_a_refusal_of_another_kind_has_its_own_type(world: Served, api: Client) -> None:
    other = Refusal(reason="The calendar takes no more", code="policy")
    with syncing(world, EffectKind.REJECT_BOOKING, other):
        made = api.post("/v1/rooms/r1/bookings", json=PLAIN, headers={"Prefer": "wait=5"})
    assert (made.status_code, made.json()["code"]) == (409, "booking-rejected")


def test_when_the_time_is_up_it_says_pending(api: Client) -> None:
    began = monotonic()
    made = api.post("/v1/rooms/r1/bookings", json=PLAIN, headers={"Prefer": "wait=1"})
    assert 0.9 < monotonic() - began < 3
    assert (made.status_code, made.json()["bookingStatus"]) == (201, "pending")
    assert "Preference-Applied" not in made.headers


@pytest.mark.parametrize(
    "prefer",
    [
        "",
        "wait=0",
        "wait",
        "wait=x",
        "wait=-1",
        "respond-async",
        "=",
        "wait=1e9",
        "waiting=5",
        "wait=٣",
    ],
)
def test_who_asks_for_nothing_waits_for_nothing(api: Client, prefer: str) -> None:
    began = monotonic()
    made = api.post("/v1/rooms/r1/bookings", json=PLAIN, headers={"Prefer": prefer.encode("utf-8")})
    assert made.status_code == 201
    assert monotonic() - began < 0.9


@pytest.mark.parametrize(
    "change",
    [
        lambda api, b, h: api.call("PATCH", b, json={"duration": "PT2H"}, headers=h),
        lambda api, b, h: api.call(
            "PUT", "/v1/rooms/r1/bookings/by-external/x", json={**PLAIN, "duration": "PT2H"},
            headers=h,
        ),
    ],
)  # fmt: skip
def test_changes_wait_as_well(
    world: Served, api: Client, change: Callable[[Client, str, dict[str, str]], Any]
) -> None:
    made = api.put("/v1/rooms/r1/bookings/by-external/x", json=PLAIN).json()
    headers = {"If-Match": "*", "Prefer": "handling=strict, wait=5"}
    with syncing(world, EffectKind.CONFIRM_BOOKING):
        answer = change(api, f"/v1/bookings/{made['id']}", headers)
    assert (answer.status_code, answer.json()["bookingStatus"]) == (200, "confirmed")
    assert answer.json()["duration"] == "PT2H"


def test_one_date_of_a_series_waits_as_well(world: Served, api: Client) -> None:
    made = api.book(rrule="FREQ=WEEKLY;COUNT=3")
    date = f"/v1/bookings/{made['id']}/occurrences/2026-12-08T09:00:00"
    headers = {"If-Match": "*", "Prefer": "wait=5"}
    with syncing(world, EffectKind.CONFIRM_BOOKING):
        changed = api.call("PATCH", date, json={"duration": "PT2H"}, headers=headers)
        assert changed.json()["bookingStatus"] == "confirmed"
        dropped = api.call("DELETE", date, headers=headers)
        assert dropped.json()["bookingStatus"] == "confirmed"


def test_the_same_key_again_waits_for_the_same_booking(world: Served, api: Client) -> None:
    headers = {"Idempotency-Key": '"k1"'}
    first = api.post("/v1/rooms/r1/bookings", json=PLAIN, headers=headers)
    assert first.json()["bookingStatus"] == "pending"
    with syncing(world, EffectKind.CONFIRM_BOOKING):
        again = api.post(
            "/v1/rooms/r1/bookings", json=PLAIN, headers={**headers, "Prefer": "wait=5"}
        )
    assert again.status_code == 201
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.json()["id"], again.json()["bookingStatus"]) == (first.json()["id"], "confirmed")
    plain = api.post("/v1/rooms/r1/bookings", json=PLAIN, headers=headers)
    assert plain.content == first.content


def _once_there(look: Callable[[], Sequence[Any]]) -> Sequence[Any]:
    """A busy machine may take its time."""
    until = monotonic() + 4.0
    while not (found := look()) and monotonic() < until:
        sleep(0.02)
    return found


def test_a_booking_that_is_cancelled_meanwhile_says_so(world: Served, api: Client) -> None:
    def cancel() -> None:
        (booking,) = _once_there(lambda: world.hub.service.live(["r1"], world.hub.window)[0][1])
        world.hub.service.cancel(booking.id, ANY)

    thread = threading.Thread(target=cancel)
    thread.start()
    made = api.post("/v1/rooms/r1/bookings", json=PLAIN, headers={"Prefer": "wait=5"})
    thread.join()
    assert (made.status_code, made.json()["code"]) == (409, "booking-not-live")


def test_many_that_wait_hold_up_nobody(
    world: Served, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than there are threads; and beyond a bound nobody waits any more."""
    monkeypatch.setattr(waiting, "MOST", 50)
    answers: list[int] = []

    def book(number: int) -> None:
        client = Client(api.url, "")
        client.session.headers.update(api.session.headers)
        start = f"2027-01-{1 + number // 20:02}T{number % 20:02}:00:00"
        made = client.post(
            "/v1/rooms/r3/bookings",
            json={"start": start, "duration": "PT30M"},
            headers={"Prefer": "wait=2"},
        )
        answers.append(made.status_code)
        client.session.close()

    threads = [threading.Thread(target=book, args=(n,)) for n in range(60)]
    for thread in threads:
        thread.start()
    sleep(1.0)
    began = monotonic()
    assert api.get("/v1/rooms").status_code == 200
    assert monotonic() - began < 0.5
    for thread in threads:
        thread.join()
    assert answers == [201] * 60
