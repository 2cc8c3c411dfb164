"""``calsync serve`` as a process: how it ends, what a kill leaves behind, who may run beside it,
and its API under load. Judged by the sandbox's store and the platform's API."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.fault_fixtures import firm  # noqa: F401 - fixture
from tests.scenarios.fault_kit import Company, Serving, calsync_apart, day, serving, taken, until
from tests.support import front

ANY = {"If-Match": "*"}


def at_rest(made: Serving, *, seconds: float = 15.0) -> None:
    """Both stores show the same in every room, and no booking waits."""

    def holds() -> bool:
        return not waiting(made) and all(made.equal(room) for room in made.rooms)

    until(holds, seconds=seconds, what=lambda: _unrest(made))


def _unrest(made: Serving) -> str:
    found = made.query(
        "SELECT room_id, halted, error FROM room_sync s JOIN pair p ON p.id = pair_id"
    )
    for room, mailbox in made.rooms.items():
        there, here = made.firm.taken(mailbox), made.taken(room)
        found.append((room, "calendar only", there - here, "platform only", here - there))
    return f"{found}\n{made.query('SELECT * FROM effect')}\n{made.log[-1000:]}"


def waiting(made: Serving) -> bool:
    """A write is open, or a booking has no answer yet."""
    ((count,),) = made.query(
        "SELECT (SELECT COUNT(*) FROM effect) +"
        " (SELECT COUNT(*) FROM hub_booking WHERE status = 'pending')"
    )
    return bool(count)


# --- how it ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "grace"), [(signal.SIGTERM, "4s"), (signal.SIGINT, "1s")])
def test_a_signal_ends_it_while_calls_hang(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    number: int,
    grace: str,
) -> None:
    rooms = {f"r{n}": firm.new_room() for n in range(6)}
    with serving(firm, tmp_path, rooms, grace=grace) as made:
        made.start()
        until(made.synced)
        firm.fault("slow", "hall-", count=None, params={"seconds": 30})
        until(lambda: firm.fired() >= 4)
        made.book("r0", day(3))
        code, seconds = made.end(number)
        assert seconds < 5.0
        assert code == (0 if number == signal.SIGTERM else 130)
        assert "Traceback" not in made.log
        firm.calm()
        # What was cut off is carried after the next start.
        made.start()
        at_rest(made)
        assert made.taken("r0") == Counter([taken(day(3))])
        assert made.end()[0] == 0


def test_an_idle_process_ends_at_once_and_a_busy_api_does_not_hold_it(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with serving(firm, tmp_path, {"hall": firm.new_room()}) as made:
        made.start()
        import socket

        host, port = made.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as half:
            half.sendall(
                b"POST /v1/rooms/hall/bookings HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"
            )
            code, seconds = made.end()
        assert (code, seconds < 4.0) == (0, True)
        assert "Traceback" not in made.log


def test_a_second_process_says_so_and_stops(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with serving(firm, tmp_path, {"hall": firm.new_room()}) as made:
        made.start()
        assert made.process is not None
        for verb in ("serve", "sync"):
            said = calsync_apart(verb, "--settings", str(made.settings))
            assert said.code == 1
            assert f"another calsync works on this database: process {made.process.pid}" in said.err
            assert "To do: Stop that one first" in said.err
        assert made.process.runs
        assert made.cli("status", "--json").json()["process"]["pid"] == made.process.pid
        made.end(signal.SIGKILL)
        # A killed owner is noticed at once.
        assert made.cli("sync", "--json").code == 0


def test_a_taken_port_is_said(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    rooms = {"hall": firm.new_room()}
    (tmp_path / "b").mkdir()
    with serving(firm, tmp_path, rooms) as made:
        made.start()
        port = int(made.url.rpartition(":")[2])
        with serving(firm, tmp_path / "b", rooms, port=port) as other:
            other.write_settings()
            said = calsync_apart("serve", "--settings", str(other.settings))
        assert said.code == 2
        assert "cannot listen there" in said.err
        assert "[api] host and port" in said.err


# --- kill -9 -------------------------------------------------------------------------------------


def slot(number: int) -> datetime:
    """Every hour from the day after tomorrow; ``SLOTS`` of them lie within the 180 days that a
    room mailbox can be booked ahead."""
    return day(2 + number // 24) + timedelta(hours=number % 24)


SLOTS = 24 * 170


@pytest.mark.long
def test_twenty_kills_under_load_lose_and_double_nothing(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    rng = random.Random(9)
    rooms = {f"r{n}": firm.new_room() for n in range(4)}
    wanted = {room: Counter[Any]() for room in rooms}
    booked: list[tuple[str, str, int]] = []
    # Cancellations pile up while it is dead: that is not what the guard is tested for here.
    with serving(firm, tmp_path, rooms, extra="[guard]\nmax_deletions = 1000") as made:
        number = 1
        # Slow answers, so that many kills fall into a call.
        firm.fault("slow", "hall-", count=None, rate=0.3, params={"seconds": 0.1})
        for _ in range(20):
            made.start()
            end, enough = time.monotonic() + rng.uniform(0.02, 0.4), number + 2
            while time.monotonic() < end or number < enough:
                number += 1
                room = rng.choice(sorted(rooms))
                if booked and rng.random() < 0.2:
                    room, key, at = booked.pop(rng.randrange(len(booked)))
                    assert made.call("DELETE", f"/v1/bookings/{key}", headers=ANY).ok
                    wanted[room][taken(slot(at))] -= 1
                elif rng.random() < 0.5:
                    firm.book(rooms[room], slot(number))
                    wanted[room][taken(slot(number))] += 1
                else:
                    answer = made.book(room, slot(number))
                    assert answer.status_code == 201, answer.text
                    booked.append((room, answer.json()["id"], number))
                    wanted[room][taken(slot(number))] += 1
            made.end(signal.SIGKILL)
        firm.calm()
        made.start()
        at_rest(made, seconds=30)
        for room, times in wanted.items():
            assert made.taken(room) == +times
            assert firm.taken(rooms[room]) == +times
        before = firm.writes()
        time.sleep(1.0)
        assert firm.writes() == before
        assert "Traceback" not in made.log


# --- the API under load -------------------------------------------------------------------------


def test_eight_clients_want_one_slot(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with serving(firm, tmp_path, {"hall": firm.new_room()}) as made:
        made.start()
        for number in range(5):
            with ThreadPoolExecutor(8) as pool:
                answers = list(
                    pool.map(lambda _, n=number: made.book("hall", day(3 + n)), range(8))
                )
            codes = Counter(answer.status_code for answer in answers)
            assert codes == {201: 1, 409: 7}
            for answer in answers:
                if answer.status_code == 409:
                    problem = answer.json()
                    assert problem["conflicts"]
                    assert "alternatives" in problem
        at_rest(made)
        assert made.taken("hall") == Counter(taken(day(3 + n)) for n in range(5))


def test_eight_clients_send_the_same_request(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    """One Idempotency-Key, or one externalId: one booking."""
    with serving(firm, tmp_path, {"hall": firm.new_room()}) as made:
        made.start()

        def send(_: int) -> Any:
            doc = {
                "start": f"{day(3):%Y-%m-%dT%H:%M:%S}",
                "timeZone": "Etc/UTC",
                "duration": "PT1H",
            }
            path = "/v1/rooms/hall/bookings"
            return made.call("POST", path, json=doc, headers={"Idempotency-Key": '"one"'})

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(send, range(8)))
        made_ids = {answer.json()["id"] for answer in answers if answer.status_code == 201}
        assert len(made_ids) == 1
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert send(0).json()["id"] in made_ids
        at_rest(made)
        assert made.taken("hall") == Counter([taken(day(3))])


def test_pending_confirmed_rejected(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    """A booking waits for the calendar. Where people in Outlook were first, it is rejected with
    the reason and a free room of the same building."""
    rooms = {"hall": firm.new_room(), "den": firm.new_room()}
    with serving(firm, tmp_path, rooms) as made:
        made.start()
        until(made.synced)
        firm.fault("error_before", rooms["hall"], count=None)
        firm.book(rooms["hall"], day(3))
        lost = made.book("hall", day(3)).json()
        good = made.book("hall", day(4)).json()
        assert "pending" in str(lost)
        assert "pending" in str(good)
        firm.calm()

        def shown(booking: dict[str, Any]) -> dict[str, Any]:
            doc: dict[str, Any] = made.call("GET", f"/v1/bookings/{booking['id']}").json()
            return doc

        until(lambda: "rejected" in str(shown(lost)) and "confirmed" in str(shown(good)))
        text = str(shown(lost))
        assert "den" in text
        at_rest(made)
        assert made.taken("hall") == Counter([taken(day(3)), taken(day(4))])


def test_deleting_what_outlook_booked_declines_it(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with serving(firm, tmp_path, {"hall": firm.new_room()}) as made:
        meeting = firm.book(made.rooms["hall"], day(3))
        made.start()
        until(lambda: made.taken("hall"))
        low, high = f"{day(1):%Y-%m-%dT%H:%M:%SZ}", f"{day(9):%Y-%m-%dT%H:%M:%SZ}"
        query = f"start={low}&end={high}&view=series"
        items = made.call("GET", f"/v1/rooms/hall/occupancy?{query}").json()["items"]
        path = f"/v1/bookings/{items[0]['id']}"
        edit = made.call("PATCH", path, json={"start": "2026-12-24T09:00:00"}, headers=ANY)
        assert edit.status_code in (403, 409, 422)
        assert edit.json()["detail"]
        assert made.call("DELETE", path, headers=ANY).status_code in (200, 202, 204)
        until(lambda: not firm.taken(made.rooms["hall"]))
        at_rest(made)
        mails = firm.control("GET", "mails")["mails"]
        answers = [
            m for m in mails if m["iCalUId"] == meeting["iCalUId"] and m["kind"] == "response"
        ]
        assert [m["response"] for m in answers] == ["accepted", "declined"]


def test_serve_without_rooms_or_network(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    """An unreachable tenant is a state of its rooms, not the end of the process."""
    with serving(firm, tmp_path, {"hall": firm.new_room()}, graph_url="http://127.0.0.1:9") as made:
        made.start()
        fact = until(lambda: (f := made.fact("hall"))["error"] and f)
        assert fact["health"] == "failing"
        assert front.words("no connection to Graph") in fact["error"]
        assert "firewall" in fact["error"]
        assert made.book("hall", day(3)).status_code == 201
        assert made.end()[0] == 0
    assert calsync_apart("version").code == 0
