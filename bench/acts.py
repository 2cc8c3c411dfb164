"""Calendar-side calls per act, without faults, by the sandbox's own counters.

Rounds of one act a room, on one side or the other, each followed by one cycle of every room, and
two idle cycles at the end: every call counts, the polls too."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.ours import Ours, check
from bench.tenant import Tenant
from calsync.adapters.hub.desk import Precondition, Shown

SEED = {"rooms": 20, "people": 20, "buildings": 2, "events_per_room": 0}
ROUNDS = 12
KINDS = ("invite", "invite series", "book", "book series", "move", "cancel", "rebook", "give up")


def measure(tenant: Tenant, folder: Path) -> dict[str, Any]:
    """Calls in all ÷ acts in all."""
    ours = Ours(tenant, folder / "ours.db", 8)
    rng = random.Random(7)
    check(ours.one_pass()[0])
    before = tenant.calls()["total"]
    office = _Office(ours, tenant, rng)
    for _ in range(ROUNDS):
        for room in ours.home.store.pairs():
            office.act(room.room_id, room.mailbox)
        check(ours.one_pass()[0])
    for _ in range(2):
        check(ours.one_pass()[0])
    calls = tenant.calls()["total"] - before
    ours.close()
    return {
        "per_act": calls / office.acts,
        "calls": calls,
        "acts": office.acts,
        "kinds": office.kinds,
        "against": f"{office.acts} acts on both sides, one round of polls after each round",
    }


class _Office:
    """People of both sides who book, move and cancel."""

    def __init__(self, ours: Ours, tenant: Tenant, rng: random.Random) -> None:
        self.ours, self.tenant, self.rng = ours, tenant, rng
        self.people = [f"person-{n + 1:04d}@contoso.example" for n in range(20)]
        self.day = datetime.now(UTC).date() + timedelta(days=2)
        self.slots: dict[str, int] = {}
        self.meetings: dict[str, list[str]] = {}
        self.bookings: dict[str, list[str]] = {}
        self.acts = 0
        self.kinds: dict[str, int] = {}

    def act(self, room: str, mailbox: str) -> None:
        kind = self.rng.choice(
            [
                "invite",
                "invite series",
                "book",
                "book series",
                "move",
                "cancel",
                "rebook",
                "give up",
            ]
        )
        meetings = self.meetings.setdefault(mailbox, [])
        bookings = self.bookings.setdefault(room, [])
        if kind in ("move", "cancel") and not meetings:
            kind = "invite"
        if kind in ("rebook", "give up") and not bookings:
            kind = "book"
        self.acts += 1
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if kind in ("invite", "invite series", "move", "cancel"):
            self._outlook(kind, mailbox, meetings)
        else:
            self._platform(kind, room, bookings)

    def _slot(self, room: str) -> datetime:
        """A time of the room that nobody else wants, nor any week after it: an hour of a
        weekday for each act."""
        number = self.slots[room] = self.slots.get(room, -1) + 1
        day = self.day + timedelta(days=number % 7)
        return datetime.combine(day, datetime.min.time()) + timedelta(hours=6 + number // 7)

    def _outlook(self, kind: str, mailbox: str, meetings: list[str]) -> None:
        body: dict[str, Any] = {"room": mailbox}
        if kind in ("invite", "invite series"):
            start = self._slot(mailbox)
            body |= {"kind": "book", "person": self.rng.choice(self.people), "subject": "m"}
            body |= _times(start)
            if kind == "invite series":
                body |= {"kind": "recur", "recurrence": _weekly(start)}
        elif kind == "move":
            body |= {"kind": "move", "event": self.rng.choice(meetings)} | _times(
                self._slot(mailbox)
            )
        else:
            body |= {"kind": "cancel", "event": meetings.pop()}
        done = self.tenant.control("POST", "acts", body)
        if kind == "invite":
            meetings.append(done["event"])

    def _platform(self, kind: str, room: str, bookings: list[str]) -> None:
        service = self.ours.home.bookings
        pair = self.ours.home.mappings.find(room)
        assert pair is not None
        start = self._slot(pair.mailbox)
        wish: dict[str, object] = {
            "title": "b",
            "start": start.isoformat(),
            "timeZone": "Europe/Berlin",
            "duration": "PT30M",
        }
        if kind in ("book", "book series"):
            if kind == "book series":
                wish["rrule"] = "FREQ=WEEKLY;COUNT=4"
            made = service.create(room, wish)
            assert isinstance(made, Shown)
            if kind == "book":
                bookings.append(made.booking.id)
        elif kind == "rebook":
            service.patch(bookings[-1], {"start": wish["start"]}, _ANY)
        else:
            service.cancel(bookings.pop(), _ANY)


_ANY = Precondition(None)


def _times(start: datetime) -> dict[str, Any]:
    return {
        "start": {"dateTime": start.isoformat(), "timeZone": "Europe/Berlin"},
        "end": {
            "dateTime": (start + timedelta(minutes=30)).isoformat(),
            "timeZone": "Europe/Berlin",
        },
    }


def _weekly(start: datetime) -> dict[str, Any]:
    days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    return {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": [days[start.weekday()]]},
        "range": {
            "type": "numbered",
            "startDate": f"{start:%Y-%m-%d}",
            "numberOfOccurrences": 3,
        },
    }
