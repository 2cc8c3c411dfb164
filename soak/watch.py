"""Looks on while a soak runs: what must always hold is checked room by room as the log grows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from calsync.demo.clashes import double_booked
from calsync.demo.clients import Sandbox
from calsync.demo.records import FeedLine, Records, Room
from calsync.demo.story import stories
from calsync.demo.watcher import RoomView, Watcher
from soak.samples import Differing

Line = Mapping[str, Any]
_READS = ("calendarView/delta", "events/delta", "calendarView", "events")


class Observer(Watcher):
    """A watcher that notes since when each room shows different things on its sides."""

    differing: Differing

    def _read_rooms(self, due: list[RoomView]) -> None:
        super()._read_rooms(due)
        for view in due:
            self.differing.note(view.room.id, equal=view.equal and not view.pending)


class Always:
    """Violations of what must hold at every moment: no time booked twice by calsync, nobody told
    the same thing twice. Rooms in which calsync wrote since the last check are judged again."""

    def __init__(self, watcher: Watcher, sandbox: Sandbox) -> None:
        self._watcher, self._sandbox = watcher, sandbox
        self._rooms = {view.room.id: view.room for view in watcher.seen.rooms.values()}
        self._by_mailbox = {room.mailbox.casefold(): room.id for room in self._rooms.values()}
        self._log: dict[str, list[dict[str, Any]]] = {room: [] for room in self._rooms}
        self._calls: dict[str, list[dict[str, Any]]] = {room: [] for room in self._rooms}
        self._of_booking: dict[str, str] = {}
        self._taken, self._fed, self._called, self._mailed = 0, 0, 0, 0
        self._mails: Counter[tuple[str, str, str]] = Counter()
        self._due: set[str] = set()
        self.errors = 0
        #: In words, by room.
        self.found: dict[str, list[str]] = {}

    @property
    def calls(self) -> int:
        return self._called

    @property
    def violations(self) -> list[str]:
        return [what for room in sorted(self.found) for what in self.found[room]]

    def look(self, most: int = 25) -> None:
        """Take in what is new, and judge so many rooms at most."""
        with self._watcher.lock:
            log = self._watcher.seen.log[self._taken :]
            feed = list(self._watcher.seen.feed)
            rows = list(self._watcher.seen.bookings)
        self._take_calls(self._sandbox.since("calls/log", self._called))
        self._take(log, feed[self._fed :])
        self._fed = len(feed)
        due = sorted(self._due)[:most]
        self._due -= set(due)
        for room in due:
            self._judge(self._rooms[room], feed, rows)

    def _judge(self, room: Room, feed: Iterable[FeedLine], rows: Iterable[Any]) -> None:
        records = Records(
            rooms=[room],
            log=self._log[room.id],
            feed=[line for line in feed if line.room == room.id],
            rows=[row for row in rows if row.room == room.id],
            calls=self._calls[room.id],
        )
        doubled = double_booked(stories(records), records, {"outlook": {}, "platform": {}})
        if doubled:
            self.found[room.id] = doubled

    def _take(self, log: list[dict[str, Any]], feed: list[FeedLine]) -> None:
        self._taken += len(log)
        for line in feed:
            self._of_booking[line.booking] = line.room
            if line.by_sync:
                self._due.add(line.room)
        for entry in log:
            room = self._room_of(entry)
            if room is not None:
                self._log[room].append(entry)
                if entry["who"] == "app":
                    self._due.add(room)
        self._due &= self._rooms.keys()

    def _room_of(self, line: Line) -> str | None:
        if line.get("kind") == "seen":
            return self._of_booking.get(str(line["booking"]))
        named = self._by_mailbox.get(str(line.get("mailbox") or "").casefold())
        found = named or str(line.get("room") or "")
        return found if found in self._rooms else self._by_mailbox.get(found.casefold())

    def _take_calls(self, calls: list[dict[str, Any]]) -> None:
        self._called += len(calls)
        for call in calls:
            status = int(call["status"])
            self.errors += status == 0 or status == 429 or status >= 500
            if call["method"] != "GET":
                continue
            mailbox = str(call["mailbox"] or _user(call)).casefold()
            room = self._by_mailbox.get(mailbox)
            if room is not None and (call["operation"] in _READS or status != 200):
                self._calls[room].append(call)


def _user(call: Line) -> str:
    return unquote(str(call.get("path", "")).partition("/users/")[2].partition("/")[0])
