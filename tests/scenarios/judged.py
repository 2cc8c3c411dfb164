"""A synthetic run for the judge: a log, two stores, a feed and mails, made line by line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from calsync.demo.records import FeedLine, Image, Records, Room, Row
from calsync.sandbox.wishes import Instance, Op, State, apply, utc_text

BEGIN = datetime(2026, 11, 20, 9, tzinfo=UTC)
ROOM = Room("room-1", "room-1@contoso.example", "Europe/Berlin", titles=True)


def at(seconds: float) -> str:
    return (BEGIN + timedelta(seconds=seconds)).isoformat()


def one(hour: int, *, length: int = 60, title: str = "Review", slot: str = "") -> Instance:
    start = datetime(2026, 12, 1, hour, tzinfo=UTC)
    return {
        "slot": slot,
        "start": utc_text(start),
        "end": utc_text(start + timedelta(minutes=length)),
        "allDay": False,
        "showAs": "busy",
        "title": title,
    }


class Run:
    """What people and calsync do, in a line each; ``records`` is what a judge would find."""

    def __init__(self) -> None:
        self.records = Records(seed=1, seconds=10, rooms=[ROOM])
        self.shown: dict[str, dict[str, State]] = {"outlook": {}, "platform": {}}
        self.rows: dict[str, Row] = {}
        self.revisions: dict[str, int] = {}
        self.uids: dict[str, str] = {}
        self.refusals: dict[str, dict[str, Any]] = {}

    # -- people -----------------------------------------------------------------------------

    def act(
        self,
        seconds: float,
        side: str,
        key: str,
        op: Op,
        *,
        saw: State | None = None,
        accepted: bool = True,
        did: str = "act",
    ) -> None:
        """An act on one side; that side shows it at once."""
        line: dict[str, Any] = {
            "who": "people", "kind": "act", "side": side, "booking": key, "room": ROOM.id,
            "person": f"{key}@contoso.example", "did": did, "op": op, "accepted": accepted,
            "saw": None if saw is None else list(saw.values()), "at": at(seconds),
        }  # fmt: skip
        name = self.name(key)
        if side == "outlook":
            line["uid"] = self.uids.setdefault(key, f"uid-{key}")
            name = line["uid"]
        else:
            line |= {"id": name, "revision": self._bump(name)}
            self._feed(seconds, name, by_sync=False, tombstone="clear" in op)
            self.rows.setdefault(name, Row(name, ROOM.id, "pending", "booking", ""))
        self._log(seconds, line)
        if accepted:
            self._show(side, name, apply(op, self.shown[side].get(name, {})))

    def name(self, key: str) -> str:
        return f"id-{key}"

    # -- calsync ----------------------------------------------------------------------------

    def read(self, seconds: float) -> None:
        self.records.calls.append(
            {
                "time": at(seconds), "method": "GET", "operation": "calendarView/delta",
                "path": f"/v1.0/users/{ROOM.mailbox}/calendarView/delta",
                "mailbox": ROOM.mailbox, "status": 200,
            }
        )  # fmt: skip

    def to_calendar(self, seconds: float, key: str, state: State, *, kind: str = "create") -> None:
        uid = self.uids.setdefault(key, f"uid-{key}")
        self._log(
            seconds,
            {"who": "app", "kind": kind, "mailbox": ROOM.mailbox, "iCalUId": uid, "date": None},
        )
        self._log(seconds, {"who": "driver", "kind": "seen", "booking": self.name(key), "uid": uid})
        self._show("outlook", uid, state)

    def to_platform(self, seconds: float, key: str, state: State) -> None:
        name = self.name(key)
        uid = self.uids.get(key, "")
        self.rows[name] = Row(name, ROOM.id, "confirmed", "calendar", uid)
        self._bump(name)
        self._feed(seconds, name, by_sync=True, tombstone=not state)
        self._show("platform", name, state)

    def refuse_in_part(self, seconds: float, key: str, state: State, dates: list[str]) -> None:
        """Take refused dates (or a refused move, without dates) back on the platform."""
        name = self.name(key)
        self._bump(name)
        self._feed(seconds, name, by_sync=True)
        self._show("platform", name, state)
        self.refusals[name] = {"reason": "taken", "dates": dates}

    def change_on_platform(self, seconds: float, key: str, state: State) -> None:
        """Carry a change over to a platform-born booking."""
        name = self.name(key)
        self._bump(name)
        self._feed(seconds, name, by_sync=True, tombstone=not state)
        self._show("platform", name, state)

    def answer(self, seconds: float, key: str, *, mails: int = 1, rejected: bool = False) -> None:
        """Confirm or reject a platform-born booking, with so many mails."""
        name = self.name(key)
        refusal = {"reason": "taken", "dates": []} if rejected else self.refusals.get(name)
        status = "rejected" if rejected else "confirmed"
        self.rows[name] = Row(name, ROOM.id, status, "booking", "", refusal)
        self._bump(name)
        self._feed(seconds, name, by_sync=True)
        if rejected:
            self._show("platform", name, {})
        for _ in range(mails):
            self.records.mails.append({"kind": "mail", "to": f"{key}@contoso.example"})

    # -- the end ----------------------------------------------------------------------------

    def end(self) -> Records:
        records = self.records
        records.rows = list(self.rows.values())
        records.calendar = [
            Image(ROOM.id, uid, state) for uid, state in self.shown["outlook"].items() if state
        ]
        uids = {self.name(key): uid for key, uid in self.uids.items()}
        born = {name for name, row in self.rows.items() if row.origin == "calendar"}
        records.platform = [
            Image(ROOM.id, name, state, uids.get(name, "") if name in born else "")
            for name, state in self.shown["platform"].items()
            if state
        ]
        return records

    def _show(self, side: str, name: str, state: State) -> None:
        self.shown[side][name] = state

    def _bump(self, name: str) -> int:
        self.revisions[name] = self.revisions.get(name, 0) + 1
        return self.revisions[name]

    def _feed(self, seconds: float, name: str, *, by_sync: bool, tombstone: bool = False) -> None:
        number = len(self.records.feed) + 1
        when = BEGIN + timedelta(seconds=seconds)
        self.records.feed.append(
            FeedLine(number, when, ROOM.id, name, self.revisions[name], by_sync, tombstone)
        )

    def _log(self, seconds: float, line: dict[str, Any]) -> None:
        self.records.log.append({"n": len(self.records.log) + 1, "time": at(seconds)} | line)


def clean() -> Run:
    """Two bookings made on either side and carried across; the first one is moved afterwards."""
    run = Run()
    run.act(1, "platform", "p1", {"set": [one(9)]})
    run.read(1.1)
    run.to_calendar(1.2, "p1", {"": one(9)})
    run.answer(1.3, "p1")
    run.act(2, "outlook", "o1", {"set": [one(11)]})
    run.read(3)
    run.to_platform(3.1, "o1", {"": one(11)})
    run.act(4, "outlook", "p1", {"time": one(14)}, saw={"": one(9)})
    run.read(5)
    run.change_on_platform(5.1, "p1", {"": one(14)})
    return run
