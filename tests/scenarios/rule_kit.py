"""A room with rules of the platform, and people who book it in Outlook. Judged by the mails of the
sandbox, by its calendar, and by what the platform shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from calsync.mapping.booking_form import Form
from calsync.mapping.booking_rules import read_rules
from tests.scenarios.fault_kit import SENDER, Company, Office, Said, calsync, office

DAYS = ["mo", "tu", "we", "th", "fr", "sa", "su"]
HOURS: dict[str, Any] = {"openingHours": [{"days": DAYS, "opens": "08:00", "closes": "18:00"}]}


def at(start: datetime, hours: float) -> datetime:
    """So many hours after 09:00 of a day."""
    return start + timedelta(hours=hours)


def ruled(made: Office, room: str = "hall", **rules: Any) -> None:
    """The platform sets the rules of a room."""
    made.home.bookings.put_room(made.home.bookings.room(room).room, read_rules(Form(rules)))


def resized(made: Office, room: str, capacity: int) -> None:
    stored = made.home.bookings.room(room)
    made.home.bookings.put_room(replace(stored.room, capacity=capacity))


class Post:
    """What was mailed since the last look."""

    def __init__(self, firm: Company) -> None:
        self._firm = firm
        self._seen = len(self._all())

    def _all(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._firm.control("GET", "mails?since=0")["mails"]
        return found

    def fresh(self) -> list[dict[str, Any]]:
        found = self._all()[self._seen :]
        self._seen += len(found)
        return found

    def declines(self) -> list[dict[str, Any]]:
        return [m for m in self.fresh() if m.get("response") == "declined"]

    def answers(self) -> list[dict[str, Any]]:
        """What was told by the room or by calsync, but that it is accepted."""
        kinds = [m for m in self.fresh() if m["kind"] == "response" or m["from"] == SENDER]
        return [m for m in kinds if m.get("response") != "accepted"]

    def warnings(self) -> list[dict[str, Any]]:
        return [m for m in self.fresh() if m["from"] == SENDER]


@contextmanager
def ruled_room(
    firm: Company, folder: Path, reactions: str, *, rooms: int = 1, **rules: Any
) -> Iterator[tuple[Office, Post, str]]:
    """An imported room under these rules; what its ``[outlook_rules]`` say; its mailbox."""
    chosen = "\n".join(f'{k} = "{v}"' for k, v in (p.split("=") for p in reactions.split()))
    names = ("hall", "loft", "cellar")[:rooms]
    boxes = {name: firm.new_room() for name in names}
    extra = f"[outlook_rules]\n{chosen}"
    with office(firm, folder, rooms=boxes, notices=SENDER, extra=extra) as made:
        if rules:
            ruled(made, **rules)
        yield made, Post(firm), boxes["hall"]


def run(folder: Path, *words: str) -> Said:
    return calsync(*words, "--settings", str(folder / "calsync.toml"))


def told(made: Office) -> None:
    """All that is to be mailed is mailed; trying again mails nothing more."""
    for _ in range(3):
        made.notify()
