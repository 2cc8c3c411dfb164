"""Webhooks, from a change to a receiver on loopback: what is said, signed, and tried again."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from calsync.adapters.hub.problems import HubProblem
from calsync.adapters.webhooks.sender import Reply, Sender
from calsync.adapters.webhooks.vault import Vault
from calsync.errors import UsageError
from calsync.mapping.webhook_values import MessageState
from calsync.pacing.schedule import STEPS
from calsync.worker.deliveries import Deliveries
from tests.integration.webhook_kit import Hooks, hooks
from tests.support.receiver import Answer, Receiver, a_receiver
from tests.unit.hub.hub_kit import ANY

PERSON = {"name": "Ada Byron", "email": "ada@contoso.example"}


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Hooks]:
    with hooks(tmp_path) as made:
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as made:
        yield made


# --- what is said ----------------------------------------------------------------------------


def test_a_change_is_told_signed_and_thin(hook: Hooks, receiver: Receiver) -> None:
    hook.hub.book(start="2026-12-01T07:00:00")  # before anybody asked to be told
    endpoint, secret = hook.add(receiver.url)
    booking = hook.hub.book(title="Board", bookedBy=PERSON, externalId="x-1", seats=2)
    hook.run()
    (got,) = receiver.got
    assert got.path == "/hook"
    assert got.headers["content-type"] == "application/json"
    assert got.signed_by(secret)
    assert abs(int(got.headers["webhook-timestamp"]) - hook.at.timestamp()) < 2
    assert got.doc["type"] == "booking.pending"
    assert got.doc["data"] == {
        "kind": "upsert",
        "bookingId": booking.id,
        "roomId": "r1",
        "revision": 1,
        "at": got.doc["timestamp"],
        "bookingStatus": "pending",
        "origin": "booking",
        "startUtc": "2026-12-01T08:00:00Z",
        "endUtc": "2026-12-01T09:00:00Z",
        "series": False,
    }
    (message,) = hook.messages(endpoint)
    assert (message.state, message.tries, message.status) == (MessageState.DELIVERED, 1, 204)
    assert hook.run() == []


def test_states_follow_one_another(hook: Hooks, receiver: Receiver) -> None:
    hook.add(receiver.url)
    booking = hook.hub.book()
    hook.run()
    hook.hub.service.patch(booking.id, {"duration": "PT2H"}, ANY)
    hook.run()
    hook.hub.service.cancel(booking.id, ANY)
    hook.run()
    assert [g.doc["type"] for g in receiver.got] == [
        "booking.pending",
        "booking.pending",
        "booking.cancelled",
    ]
    assert [g.doc["data"]["revision"] for g in receiver.got] == [1, 2, 3]
    assert receiver.got[2].doc["data"]["kind"] == "tombstone"
    assert len({g.id for g in receiver.got}) == 3


def test_what_was_overtaken_is_not_told_on_its_own(hook: Hooks, receiver: Receiver) -> None:
    hook.add(receiver.url)
    booking = hook.hub.book()
    hook.hub.service.patch(booking.id, {"duration": "PT2H"}, ANY)
    hook.run()
    assert [g.doc["data"]["revision"] for g in receiver.got] == [2]


@pytest.mark.parametrize(
    ("scopes", "there", "absent"),
    [
        ((), [], ['"booking":', "Board", "Ada", "ada@", "x-1"]),
        (("bookings:read",), ["x-1", '"seats":2'], ["Board", "Ada", "ada@"]),
        (("bookings:read", "details:read"), ["x-1", "Board", "Ada Byron", "ada@contoso"], []),
        (("details:read",), ["Board", "Ada Byron"], ["x-1", '"seats"']),
    ],
)
def test_the_scopes_of_an_endpoint_decide_what_it_is_told(
    hook: Hooks, receiver: Receiver, scopes: tuple[str, ...], there: list[str], absent: list[str]
) -> None:
    hook.add(receiver.url, *scopes)
    hook.hub.book(title="Board", bookedBy=PERSON, externalId="x-1", seats=2)
    hook.run()
    doc = receiver.got[0].doc["data"]
    doc = {k: v for k, v in doc.items() if k not in ("bookingId", "bookingStatus")}
    text = json.dumps(doc, separators=(",", ":"))
    assert [word for word in there if word not in text] == []
    assert [word for word in absent if word in text] == []


def test_nothing_about_people_is_kept_with_the_messages(hook: Hooks, receiver: Receiver) -> None:
    hook.add(receiver.url, "bookings:read", "details:read")
    hook.hub.book(title="Board", bookedBy=PERSON)
    hook.run()
    assert "Ada Byron" in receiver.got[0].body.decode()
    with hook.hub.database.read() as c:
        kept = repr(c.exec_driver_sql("SELECT * FROM webhook_message").all())
    assert "Ada" not in kept
    assert "Board" not in kept


def test_a_body_stays_below_20_kb(hook: Hooks, receiver: Receiver) -> None:
    hook.add(receiver.url, "bookings:read", "details:read")
    hook.hub.book(
        start="2026-12-01T09:00:00",
        rrule="FREQ=DAILY;COUNT=150",
        recurrenceOverrides={
            f"{day}T09:00:00": {"title": "long " * 40}
            for day in (f"2027-01-{n:02}" for n in range(1, 32))
        }
        | {f"2027-02-{n:02}T09:00:00": {"title": "long " * 40} for n in range(1, 29)}
        | {f"2027-03-{n:02}T09:00:00": {"title": "long " * 40} for n in range(1, 32)},
    )
    hook.run()
    assert len(receiver.got[0].body) < 20_000
    assert receiver.got[0].doc["data"]["bookingOmitted"] is True
    assert "booking" not in receiver.got[0].doc["data"]


def test_an_endpoint_may_be_for_some_rooms_only(hook: Hooks, receiver: Receiver) -> None:
    hook.add(receiver.url, rooms=["r2"])
    hook.hub.book("r1")
    hook.hub.book("r2")
    hook.run()
    assert [g.doc["data"]["roomId"] for g in receiver.got] == ["r2"]


def test_each_of_several_endpoints_is_told_by_its_own_secret(hook: Hooks) -> None:
    with a_receiver() as one, a_receiver() as two:
        secrets = [hook.add(r.url)[1] for r in (one, two)]
        hook.hub.book()
        hook.run()
        assert [one.got[0].signed_by(s) for s in secrets] == [True, False]
        assert [two.got[0].signed_by(s) for s in secrets] == [False, True]
        assert one.got[0].id != two.got[0].id


def test_who_fell_behind_what_the_feed_keeps_is_told_so(hook: Hooks, receiver: Receiver) -> None:
    endpoint, _ = hook.add(receiver.url)
    hook.endpoints.disable(endpoint.id)
    hook.hub.book()
    hook.hub.service.compact(feed=timedelta(0))
    hook.endpoints.enable(endpoint.id)
    hook.run()
    assert [g.doc["type"] for g in receiver.got] == ["changes.resync-required"]
    hook.hub.book("r2")
    hook.run()
    assert receiver.got[-1].doc["data"]["roomId"] == "r2"


# --- trying again ----------------------------------------------------------------------------


def test_what_is_not_taken_is_tried_over_days_under_one_id(hook: Hooks) -> None:
    with a_receiver(Answer(500)) as receiver:
        endpoint, secret = hook.add(receiver.url)
        hook.hub.book()
        waits, before = [], hook.at
        for _ in STEPS:
            hook.run()
            (message,) = hook.messages(endpoint)
            waits.append((hook.at - before).total_seconds())
            before = hook.at
            hook.at = max(hook.at, message.due)
        assert waits == list(STEPS)
        assert sum(STEPS) > 3 * 24 * 3600
        assert len(receiver.got) == len(STEPS)
        assert len({g.id for g in receiver.got}) == 1
        assert len({g.body for g in receiver.got}) == 1
        assert len({g.headers["webhook-timestamp"] for g in receiver.got}) == len(STEPS)
        assert all(g.signed_by(secret) for g in receiver.got)
        assert message.state is MessageState.FAILED
        # Nothing was taken for days: nobody listens there.
        assert hook.held(endpoint).disabled is not None
        assert "answered 500" in hook.held(endpoint).why


def test_a_try_that_fails_is_made_up_for_by_the_next(hook: Hooks) -> None:
    with a_receiver(Answer(503), Answer(200)) as receiver:
        endpoint, _ = hook.add(receiver.url)
        hook.hub.book()
        hook.run()
        assert hook.messages(endpoint)[0].reason == "answered 503"
        hook.later(seconds=4)
        assert hook.run() == []
        hook.later(seconds=2)
        hook.run()
        assert [g.id for g in receiver.got] == [receiver.got[0].id] * 2
        assert hook.messages(endpoint)[0].state is MessageState.DELIVERED


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_that_asks_for_time_gets_it_for_all_messages(hook: Hooks, status: int) -> None:
    with a_receiver(Answer(status, {"Retry-After": "120"}), Answer()) as receiver:
        hook.add(receiver.url)
        hook.hub.book("r1")
        hook.run()
        hook.hub.book("r2")
        hook.later(seconds=100)
        hook.run()
        assert len(receiver.got) == 1
        hook.later(seconds=21)
        hook.run()
        assert len(receiver.got) == 3


@pytest.mark.parametrize("answer", [Answer(503), Answer(429, {"Retry-After": "120"})])
def test_a_clock_that_was_wrong_for_an_hour_silences_nobody_for_a_year(
    hook: Hooks, answer: Answer
) -> None:
    with a_receiver(answer, Answer()) as receiver:
        hook.add(receiver.url)
        hook.later(days=365)
        for room in ("r1", "r2"):  # one is tried in that hour, one only queued
            hook.hub.book(room)
            hook.run()
        assert len(receiver.got) in (1, 2)
        hook.later(days=-365)
        hook.hub.book("r3")
        for _ in range(2):
            hook.later(minutes=10)
            hook.run()
        assert {got.doc["data"]["roomId"] for got in receiver.got[1:]} == {"r1", "r2", "r3"}


def test_410_ends_it_at_once(hook: Hooks) -> None:
    with a_receiver(Answer(410)) as receiver:
        endpoint, _ = hook.add(receiver.url)
        hook.hub.book("r1")
        hook.hub.book("r2")
        hook.run()
        assert len(receiver.got) == 1
        assert "410" in hook.held(endpoint).why
        hook.later(days=2)
        assert hook.run() == []


def test_a_redirect_is_not_followed(hook: Hooks) -> None:
    with a_receiver() as other, a_receiver(Answer(307, {"Location": other.url})) as receiver:
        endpoint, _ = hook.add(receiver.url)
        hook.hub.book()
        hook.run()
        assert len(receiver.got) == 1
        assert other.got == []
        assert hook.messages(endpoint)[0].state is MessageState.QUEUED
        assert "not followed" in hook.messages(endpoint)[0].reason


def test_nobody_there_and_a_receiver_that_hangs_are_tries_in_vain(tmp_path: Path) -> None:
    with hooks(tmp_path, timeout=0.3) as hook, a_receiver(Answer(wait=2.0)) as slow:
        hangs, _ = hook.add(slow.url)
        silent, _ = hook.add("http://127.0.0.1:1/hook")
        hook.hub.book()
        began = monotonic()
        hook.run()
        assert monotonic() - began < 1.5
        assert hook.messages(hangs)[0].reason == "no answer in time"
        assert hook.messages(silent)[0].reason.startswith("no connection (")


def test_a_crash_between_answer_and_note_sends_it_again_under_the_same_id(
    hook: Hooks, receiver: Receiver
) -> None:
    endpoint, _ = hook.add(receiver.url)
    hook.hub.book()
    hook.post.fan_out()
    store, hook.post._store = hook.post._store, _NoNotes(hook.post._store)  # type: ignore[assignment]  # dies after the answer
    with pytest.raises(_Died):
        hook.post.deliver(store.due(hook.at, busy=())[0])
    hook.post = hook.new_post()
    hook.run()
    assert len(receiver.got) == 2
    assert receiver.got[0].id == receiver.got[1].id
    assert hook.messages(endpoint)[0].state is MessageState.DELIVERED


class _Died(BaseException):
    pass


class _NoNotes:
    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        if name == "settle":
            raise _Died
        return getattr(self._inner, name)


def test_making_messages_twice_at_once_makes_them_once(hook: Hooks, receiver: Receiver) -> None:
    endpoint, _ = hook.add(receiver.url)
    for number in range(40):
        hook.hub.book(
            start=f"2026-12-01T{8 + number // 4:02}:{number % 4 * 15:02}:00", duration="PT15M"
        )
    posts = [hook.new_post() for _ in range(4)]
    threads = [threading.Thread(target=post.fan_out) for post in posts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hook.messages(endpoint)) == 40


@pytest.mark.parametrize("seed", range(12))
def test_under_faults_and_deaths_at_random_points_every_change_is_told(
    tmp_path: Path, seed: int
) -> None:
    """Receivers that fail, hang up and ask for time; calsync dies before and after it notes what
    became of a message. At rest the last state of every booking was told, and a message never
    changed under its id."""
    chance = random.Random(seed)
    with hooks(tmp_path) as hook, a_receiver() as receiver:
        carrier = _Moody(hook.sender, chance)
        hook.sender = carrier  # type: ignore[assignment]  # it posts, too
        endpoint, secret = hook.add(receiver.url)
        alive: list[str] = []
        for step in range(60):
            hook.post = hook.new_post()
            hook.post._store = _Mortal(hook.store, chance)  # type: ignore[assignment]  # may die
            if len(alive) < 3 or chance.random() < 0.4:
                start = f"2027-{1 + step // 28:02}-{1 + step % 28:02}T09:00:00"
                alive.append(hook.hub.book(chance.choice(["r1", "r2"]), start=start).id)
            elif chance.random() < 0.5:
                hours = chance.randint(1, 9)
                with suppress(HubProblem):
                    hook.hub.service.patch(chance.choice(alive), {"duration": f"PT{hours}H"}, ANY)
            else:
                hook.hub.service.cancel(alive.pop(chance.randrange(len(alive))), ANY)
            with suppress(_Died):
                hook.run()
            hook.later(minutes=chance.choice([0, 0, 1, 10, 60]))
        carrier.calm = True
        hook.post = hook.new_post()
        for _ in range(20):
            hook.later(hours=24)
            hook.endpoints.enable(endpoint.id)
            hook.run()
        last: dict[str, int] = {}
        bodies: dict[str, set[bytes]] = {}
        for got in receiver.got:
            assert got.signed_by(secret)
            bodies.setdefault(got.id, set()).add(got.body)
            data = got.doc["data"]
            last[data["bookingId"]] = max(last.get(data["bookingId"], 0), data["revision"])
        with hook.hub.store.read() as tx:
            entries = tx.feed(0, room_id=None, limit=10_000)
        assert last == {e.booking_id: e.revision for e in entries}
        assert all(len(found) == 1 for found in bodies.values())
        assert {m.state for m in hook.messages(endpoint)} == {MessageState.DELIVERED}
        assert {m.id for m in hook.messages(endpoint)} == set(bodies)


class _Moody:
    """Between calsync and the receiver: refuses, loses requests and answers."""

    def __init__(self, inner: Sender, chance: random.Random) -> None:
        self._inner, self._chance, self.calm = inner, chance, False

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        fate = 1.0 if self.calm else self._chance.random()
        if fate < 0.2:
            return Reply(self._chance.choice([400, 500, 502, 307]), "answered")
        if fate < 0.3:
            return Reply(self._chance.choice([429, 503]), "answered", wait=90.0)
        if fate < 0.4:
            return Reply(0, "no answer in time")
        reply = self._inner.post(url, headers, body)
        return Reply(0, "no answer in time") if fate < 0.55 else reply


class _Mortal:
    """A store whose process dies at some of its writes, before or after them."""

    def __init__(self, inner: object, chance: random.Random) -> None:
        self._inner, self._chance = inner, chance

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._inner, name)
        if name not in ("settle", "advance"):
            return act

        def perhaps(*args: object, **options: object) -> object:
            fate = self._chance.random()
            if fate < 0.1:
                raise _Died
            found = act(*args, **options)
            if fate > 0.9:
                raise _Died
            return found

        return perhaps


# --- the admin's acts ------------------------------------------------------------------------


def test_while_rotating_both_secrets_sign_and_then_the_new_one_alone(
    hook: Hooks, receiver: Receiver
) -> None:
    endpoint, old = hook.add(receiver.url)
    _, new = hook.endpoints.rotate(endpoint.id, timedelta(hours=1))
    assert old != new
    hook.hub.book("r1")
    hook.run()
    hook.later(hours=1, seconds=1)
    hook.hub.book("r2")
    hook.run()
    assert [(g.signed_by(old), g.signed_by(new)) for g in receiver.got] == [
        (True, True),
        (False, True),
    ]


def test_replay_sends_again_under_the_same_ids(hook: Hooks, receiver: Receiver) -> None:
    endpoint, _ = hook.add(receiver.url)
    hook.hub.book("r1")
    hook.hub.book("r2")
    hook.run()
    ids = [g.id for g in receiver.got]
    assert hook.endpoints.replay(endpoint.id) == 0  # none failed
    assert hook.endpoints.replay(endpoint.id, since=hook.at - timedelta(days=1)) == 2
    hook.run()
    assert [g.id for g in receiver.got] == [*ids, *ids]
    assert hook.endpoints.replay(endpoint.id, message_id=ids[1]) == 1
    hook.run()
    assert receiver.got[-1].id == ids[1]
    with pytest.raises(UsageError, match="no such message"):
        hook.endpoints.replay(endpoint.id, message_id="msg_other")


def test_what_changed_while_it_was_disabled_is_told_afterwards(
    hook: Hooks, receiver: Receiver
) -> None:
    endpoint, _ = hook.add(receiver.url)
    hook.endpoints.disable(endpoint.id)
    hook.hub.book()
    assert hook.run() == []
    hook.endpoints.enable(endpoint.id)
    hook.run()
    assert [g.doc["type"] for g in receiver.got] == ["booking.pending"]


def test_a_removed_endpoint_takes_its_messages_along(hook: Hooks, receiver: Receiver) -> None:
    endpoint, _ = hook.add(receiver.url)
    hook.hub.book()
    hook.post.fan_out()
    hook.endpoints.remove(endpoint.id)
    assert hook.run() == []
    assert hook.store.backlogs() == {}
    with pytest.raises(UsageError, match="no webhook endpoint"):
        hook.endpoints.remove(endpoint.id)


def test_what_came_to_an_end_is_dropped_in_time(hook: Hooks, receiver: Receiver) -> None:
    endpoint, _ = hook.add(receiver.url)
    hook.hub.book()
    hook.run()
    receiver.answers = [Answer(500)]
    hook.hub.book("r2")
    hook.run()
    hook.later(days=31)
    assert hook.post.purge(timedelta(days=30)) == 1
    assert [m.state for m in hook.messages(endpoint)] == [MessageState.QUEUED]


# --- secrets ---------------------------------------------------------------------------------


def test_the_database_alone_signs_nothing(hook: Hooks, receiver: Receiver, tmp_path: Path) -> None:
    endpoint, secret = hook.add(receiver.url)
    assert (tmp_path / "calsync.key").stat().st_mode & 0o777 == 0o600
    other = Vault(tmp_path / "other.key")
    with pytest.raises(UsageError, match="missing"):
        other.open(endpoint.secret, owner=endpoint.id)
    other.seal(b"x", owner="y")
    with pytest.raises(UsageError, match="not the one"):
        other.open(endpoint.secret, owner=endpoint.id)
    with pytest.raises(UsageError, match="not the one"):  # copied onto another's row
        hook.vault.open(endpoint.secret, owner="another")
    assert secret.encode() not in (tmp_path / "hub.db").read_bytes()


# --- the thread ------------------------------------------------------------------------------


def test_a_slow_receiver_holds_up_nobody_else(hook: Hooks) -> None:
    with a_receiver(Answer(wait=3.0)) as slow, a_receiver() as quick:
        hook.add(slow.url)
        hook.add(quick.url)
        deliveries = Deliveries(hook.post, threads=2)
        deliveries.start()
        try:
            for number in range(5):
                hook.hub.book(start=f"2026-12-01T{9 + number:02}:00:00")
                deliveries.wake()
                sleep(0.05)
            began = monotonic()
            seen = quick.wait_for(1, 2.0)
            while seen[-1].doc["data"]["bookingId"] != "b0005":
                assert monotonic() - began < 2.5
                sleep(0.01)
            assert len(slow.got) == 1
        finally:
            deliveries.stop()
