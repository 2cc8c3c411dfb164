"""Two ``calsync serve`` processes face each other, each on an Exchange of its own (a sandbox
process each); either may die in mid-write."""

from __future__ import annotations

import random
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.facing_kit import polling
from tests.scenarios.fault_fixtures import firm  # noqa: F401 - fixture
from tests.scenarios.fault_kit import Company, Serving, company, day, serving, taken, until


@pytest.fixture(scope="module")
def other() -> Iterator[Company]:
    """The second Exchange."""
    with company() as made:
        yield made


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


@dataclass(slots=True)
class Both:
    """A with the bookings, B that polls it; one room."""

    a: Serving
    b: Serving

    def shown(self) -> tuple[Counter[Any], Counter[Any], Counter[Any]]:
        one = self.a.firm.taken(self.a.rooms["hall"])
        two = self.b.firm.taken(self.b.rooms["hall"])
        return one, self.a.taken("hall"), two

    def waiting(self) -> bool:
        """A write is open, or a booking has no answer yet."""
        return any(
            serve.query(
                "SELECT 1 FROM effect UNION ALL SELECT 1 FROM hub_booking WHERE status = 'pending'"
            )
            for serve in (self.a, self.b)
        )

    def at_rest(self, wanted: Counter[Any]) -> None:
        """All three stores show just what people made."""

        def holds() -> bool:
            return not self.waiting() and all(shown == wanted for shown in self.shown())

        until(holds, seconds=25.0, what=lambda: f"{self._differences(wanted)}\n{self._logs()}")

    def _differences(self, wanted: Counter[Any]) -> list[Any]:
        return [(wanted - shown, shown - wanted) for shown in self.shown()]

    def _logs(self) -> str:
        return f"A: {self.a.log[-1500:]}\nB: {self.b.log[-1500:]}"

    def writes(self) -> tuple[int, int]:
        return self.a.firm.writes(), self.b.firm.writes()


@pytest.fixture
def both(firm: Company, other: Company, tmp_path: Path) -> Iterator[Both]:  # noqa: F811
    with ExitStack() as ends:
        (tmp_path / "a").mkdir()
        rooms = {"hall": firm.new_room()}
        calm = "[guard]\nmax_deletions = 1000"
        a = ends.enter_context(serving(firm, tmp_path / "a", rooms, port=free_port(), extra=calm))
        a.start()
        token = a.cli("tokens", "create", "b", "--connector", "--json").json()["token"]
        more = polling(tmp_path / "b", a.url, token)
        rooms = {"hall": other.new_room()}
        b = ends.enter_context(serving(other, tmp_path / "b", rooms, extra=f"{calm}\n{more}"))
        b.start()
        made = Both(a, b)
        made.at_rest(Counter())
        yield made
        assert "Traceback" not in a.log + b.log
        assert token not in a.log + b.log


def test_what_people_do_anywhere_is_everywhere_and_then_it_is_quiet(both: Both) -> None:
    both.a.book("hall", day(3))
    both.a.firm.book(both.a.rooms["hall"], day(4))
    at_b = both.b.firm.book(both.b.rooms["hall"], day(5))
    wanted = Counter([taken(day(3)), taken(day(4)), taken(day(5))])
    both.at_rest(wanted)
    both.b.firm.act("cancel", iCalUId=at_b["iCalUId"])
    del wanted[taken(day(5))]
    both.at_rest(wanted)
    before, entries = both.writes(), both.a.query("SELECT MAX(number) FROM hub_change")
    polled = both.b.fact("hall")["synced_at"]
    until(lambda: both.b.fact("hall")["synced_at"] > polled)
    assert both.writes() == before, "no echo"
    assert both.a.query("SELECT MAX(number) FROM hub_change") == entries
    # What B serves: how it is, and where the bookings are.
    assert both.b.call("GET", "/healthz").status_code == 200
    away = both.b.call("GET", "/v1/rooms")
    assert (away.status_code, away.json()["code"]) == (404, "not-found")
    assert "polls another booking platform" in away.json()["detail"]
    listed = both.b.cli("rooms", "list", "--json").json()["rooms"]
    assert [(one["id"], one["mapping"]["mailbox"]) for one in listed] == [
        ("hall", both.b.rooms["hall"])
    ]
    (entry,) = both.b.cli("plan", "--json").json()["rooms"]
    assert (entry["error"], entry["writes"]) == ("", [])
    found = both.b.cli("check", "--no-write", "--json").json()["findings"]
    platform = [(one["level"], one["where"]) for one in found if one["about"] == "platform"]
    assert platform == [("ok", both.a.url), ("ok", "room hall")]


def test_either_may_die_in_mid_write(both: Both) -> None:
    """Killed again and again while people act at all three places: nothing twice, nothing lost."""
    rng, wanted = random.Random(5), Counter[Any]()
    slots = iter(range(2, 60))
    for _ in range(6):
        for place in ("a", "b", "platform"):
            when = day(next(slots))
            match place:
                case "a":
                    both.a.firm.book(both.a.rooms["hall"], when)
                case "b":
                    both.b.firm.book(both.b.rooms["hall"], when)
                case _:
                    assert both.a.book("hall", when).status_code == 201
            wanted[taken(when)] += 1
        victim = both.a if rng.random() < 0.5 else both.b
        open_ = rng.random() < 0.7
        if open_:
            until(lambda: both.waiting() or all(s == wanted for s in both.shown()), seconds=5.0)
        victim.end(signal.SIGKILL)
        victim.start()
    both.at_rest(wanted)
    before = both.writes()
    polled = both.b.fact("hall")["synced_at"]
    until(lambda: both.b.fact("hall")["synced_at"] > polled)
    assert both.writes() == before
    assert both.a.end()[0] == both.b.end()[0] == 0


def test_a_platform_that_is_away_is_waited_for(both: Both) -> None:
    both.a.end(signal.SIGKILL)
    both.b.firm.book(both.b.rooms["hall"], day(3))
    until(lambda: "no connection to the booking platform" in both.b.fact("hall")["error"])
    assert both.b.firm.taken(both.b.rooms["hall"]) == Counter([taken(day(3))])
    code, seconds = both.b.end()
    assert (code, seconds < 4.0) == (0, True)
    both.b.start()
    both.a.start()
    both.at_rest(Counter([taken(day(3))]))
