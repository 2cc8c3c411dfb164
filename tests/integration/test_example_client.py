"""The example client, as a platform engineer would copy it: against a real calsync and tenant."""

from __future__ import annotations

import ast
import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.integration.api_kit import Served, open_door, served
from tests.integration.webhook_kit import Hooks
from tests.support.company import Company, Place, a_company, a_tenant
from tests.support.receiver import a_receiver
from tests.unit.hub.hub_kit import ANY

PATH = Path(__file__).resolve().parents[2] / "examples/booking_client.py"


@pytest.fixture(scope="module")
def example() -> Iterator[ModuleType]:
    """From its file, as nothing of calsync's."""
    spec = importlib.util.spec_from_file_location("booking_client", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["booking_client"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["booking_client"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Served]:
    with open_door() as (door, server), served((door, server), tmp_path) as world:
        yield world


def client(example: ModuleType, world: Served) -> Any:
    auth = str(world.all.session.headers["Authorization"])
    made = example.Calsync(world.server.url, auth.removeprefix("Bearer "))
    made.session.trust_env = False
    return made


def test_it_needs_nothing_but_requests() -> None:
    tree = ast.parse(PATH.read_text(encoding="utf-8"))
    names = {
        (node.module or "").partition(".")[0] if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert names - sys.stdlib_module_names == {"requests"}


@contextmanager
def in_sync(firm: Company, room: Place) -> Iterator[None]:
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.05):
            firm.cycle(room)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_the_walk_books_and_cancels_at_a_real_tenant(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with a_tenant() as tenant, a_company(tmp_path / "calsync", tenant) as firm:
        room = firm.add_room("atrium", zone="Europe/Berlin", label="W. Europe Standard Time")
        firm.cycle(room)
        token = str(firm.session.headers["Authorization"]).removeprefix("Bearer ")
        with in_sync(firm, room):
            assert example.main(firm.api.url, token, "atrium") == 0
        said = capsys.readouterr().out
        assert "Rooms: atrium" in said
        assert "confirmed" in said
        assert "Changed: tombstone" in said


def test_a_taken_room_is_refused_with_free_ones(example: ModuleType, world: Served) -> None:
    calsync = client(example, world)
    wish = {"start": "2026-12-01T09:00:00", "duration": "PT1H", "seats": 4}
    made = calsync.book("r1", wait=0, **wish)
    with pytest.raises(example.Refused) as refused:
        calsync.book("r1", wait=0, **wish)
    assert refused.value.code == "room-conflict"
    assert [a["roomId"] for a in refused.value.alternatives] == [
        "r2"
    ]  # r3 does not say how many it seats
    changed = calsync.change(made, wait=0, duration="PT2H")
    assert changed["revision"] == 2
    with pytest.raises(example.Refused, match="changed"):
        calsync.change(made, wait=0, duration="PT3H")
    found = calsync.occupancy(
        "r1", datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC)
    )
    assert (len(found["items"]), found["stale"]) == (1, False)
    calsync.cancel(made["id"])
    assert calsync.booking(made["id"])["bookingStatus"] == "cancelled"


def test_dates_of_a_series(example: ModuleType, world: Served) -> None:
    calsync = client(example, world)
    made = calsync.book(
        "r1", wait=0, start="2026-12-01T09:00:00", duration="PT1H", rrule="FREQ=WEEKLY;COUNT=4"
    )
    rest = calsync.change_dates(made, "2026-12-15T09:00:00", "following", duration="PT2H")
    assert rest["id"] != made["id"]


def test_changes_are_followed_from_where_one_stopped(example: ModuleType, world: Served) -> None:
    calsync = client(example, world)
    world.hub.book("r1")
    (page,) = calsync.follow(None)
    assert page.listing
    world.hub.book("r2")
    (page,) = calsync.follow(page.cursor)
    assert [c["roomId"] for c in page.changes] == ["r2"]
    world.hub.book("r3")
    world.hub.service.compact(feed=timedelta(0))
    with pytest.raises(example.ResyncRequired):
        list(calsync.follow(page.cursor))


def test_it_listens(example: ModuleType, world: Served) -> None:
    calsync = client(example, world)
    cursor = world.hub.service.from_now(None)
    made = [world.hub.book(room).id for room in ("r1", "r2", "r3")]
    heard = calsync.listen(cursor)
    first = [next(heard) for _ in range(2)]
    heard.close()
    again = calsync.listen(first[-1][0])
    assert next(again)[1]["data"]["bookingId"] == made[2]
    again.close()
    assert [doc["data"]["bookingId"] for _, doc in first] == made[:2]


def test_asked_to_wait_it_waits(
    example: ModuleType, world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    calsync, slept = client(example, world), list[float]()
    at = [100.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        at[0] += seconds

    monkeypatch.setattr(example.time, "sleep", sleep)
    world.limits._quota, world.limits._monotonic = 1, lambda: at[0]
    assert len(calsync.rooms()) == len(calsync.rooms()) == 4
    assert slept == [60]


def test_it_knows_calsyncs_webhooks_from_forged_and_old_ones(
    example: ModuleType, world: Served, tmp_path: Path
) -> None:
    """What calsync sends is believed; changed, replayed later, or signed by another it is not."""
    hook = Hooks(world.hub, tmp_path)
    with a_receiver() as receiver:
        endpoint, secret = hook.add(receiver.url)
        booking = world.hub.book()
        hook.run()
        _, renewed = hook.endpoints.rotate(endpoint.id)
        world.hub.service.cancel(booking.id, ANY)
        hook.run()
    now = hook.at.timestamp()
    first, second = receiver.got

    def genuine(got: Any, by: str, **changes: Any) -> bool:
        headers = {**got.headers, **changes.get("headers", {})}
        body, at = changes.get("body", got.body), changes.get("now", now)
        found: bool = example.is_genuine(headers, body, by, now=at)
        return found

    assert genuine(first, secret)
    assert genuine(second, secret)
    assert genuine(second, renewed)
    assert not genuine(first, renewed)
    assert not genuine(first, secret, body=first.body.replace(b"r1", b"r2"))
    assert not genuine(first, secret, headers={"webhook-id": second.id})
    assert not genuine(first, secret, headers={"webhook-timestamp": str(int(now) + 1)})
    assert not genuine(first, secret, now=now + 301)
    assert not genuine(first, secret, now=now - 301)
    assert genuine(first, secret, now=now + 299)
    for broken in ("", "v1", "v1,", "v2,x", "v1,AAAA v1,BBBB", "\u00e9"):
        assert not genuine(first, secret, headers={"webhook-signature": broken})
    for broken in ("", "x", "1e9", "-1"):
        assert not genuine(first, secret, headers={"webhook-timestamp": broken})
    assert not example.is_genuine({}, first.body, secret, now=time.time())
