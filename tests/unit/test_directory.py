"""The rooms of a polled platform: asked now and then, and nobody waits behind a slow answer."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from calsync.adapters.booking_http.directory import FRESH, Directory
from calsync.adapters.wrap.port import Answer, Call
from calsync.errors import Unavailable
from calsync.mapping.booking_rules import NO_RULES

HALL = {"id": "hall", "name": "Hall", "timeZone": "Europe/Berlin"}


class Platform:
    """Answers as told; ``slow``: only when ``go`` is set."""

    def __init__(self, *rooms: dict[str, Any]) -> None:
        self.rooms = list(rooms)
        self.asked, self.go = threading.Event(), threading.Event()
        self.slow = self.down = False

    def call(self, call: Call) -> Answer:
        if self.slow:
            self.asked.set()
            assert self.go.wait(10)
        if self.down:
            raise Unavailable("down", where="the booking platform")
        body: dict[str, Any] = {"scopes": ["rooms:read"]}
        if call.target == "/v1/rooms":
            body = {"rooms": self.rooms}
        return Answer(status=200, headers={}, body=body)


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> Any:
        raise AssertionError("not asked for")


def test_rooms_go_on_while_one_asks_anew() -> None:
    platform, clock = Platform(HALL), Clock()
    directory = Directory(platform, clock)
    first = directory.listing()
    platform.slow, clock.at = True, FRESH + 1
    found: list[Any] = []
    asking = threading.Thread(target=lambda: found.append(directory.listing()))
    asking.start()
    assert platform.asked.wait(10)
    assert directory.listing() is first, "this returns while the other waits"
    platform.go.set()
    asking.join(10)
    assert found[0] is not first
    assert directory.listing() is found[0]


def test_what_it_said_last_holds_while_it_is_down() -> None:
    platform, clock = Platform(HALL), Clock()
    directory = Directory(platform, clock)
    first = directory.listing()
    platform.down, clock.at = True, FRESH + 1
    assert directory.listing() is first
    with pytest.raises(Unavailable):
        directory.listing(anew=True)
    with pytest.raises(Unavailable):
        Directory(platform, clock).listing()


@pytest.mark.parametrize(
    "rules",
    ["always open", {"maxDuration": "for ever"}, {"phaseOfTheMoon": "full"}],
)
def test_rules_that_are_not_understood_stop_nothing(
    rules: object, caplog: pytest.LogCaptureFixture
) -> None:
    room = Directory(Platform({**HALL, "rules": rules}), Clock()).listing().rooms["hall"]
    assert room.rules is None
    assert "room hall" in caplog.text
    plain = Directory(Platform(HALL), Clock()).listing().rooms["hall"]
    assert plain.rules == NO_RULES
