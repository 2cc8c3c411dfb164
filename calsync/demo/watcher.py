"""Looks on while a demo runs: both stores, the sandbox's log, the hub's feed, what calsync decided.

Everything is read; the only thing written is a line of the sandbox's log that says which item of
a calendar is the image of which platform-born booking, recognised by its content.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from calsync.demo.clients import Platform, Sandbox
from calsync.demo.records import (
    FeedLine,
    Image,
    Room,
    Row,
    calendar_images,
    picture,
    platform_images,
)

#: How far ahead both sides are compared: within what calsync syncs.
AHEAD = timedelta(days=200)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HubTables:
    """The hub's own tables and, for the view alone, calsync's audit; opened read-only."""

    def __init__(self, path: Path) -> None:
        self._uri = f"{path.resolve().as_uri()}?mode=ro"

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._uri, uri=True, timeout=10)) as connection:
            return connection.execute(sql, values).fetchall()

    def feed(self, after: int = 0) -> list[FeedLine]:
        sql = (
            "SELECT number, at, room_id, booking_id, revision, by_sync, tombstone"
            " FROM hub_change WHERE number > ? ORDER BY number"
        )
        return [
            FeedLine(number, _moment(at), room, booking, revision, bool(by_sync), bool(tombstone))
            for number, at, room, booking, revision, by_sync, tombstone in self._rows(sql, after)
        ]

    def rows(self) -> list[Row]:
        sql = "SELECT id, room_id, status, origin, uid, refusal FROM hub_booking"
        return [
            Row(key, room, status, origin, uid, json.loads(refusal) if refusal else None)
            for key, room, status, origin, uid, refusal in self._rows(sql)
        ]

    def flagged(self) -> list[str]:
        """Whom the admin is told about: calsync does not know whether their notice arrived."""
        sql = "SELECT recipient FROM notice WHERE state = 'doubtful'"
        return [str(address) for (address,) in self._rows(sql)]

    def unsent(self) -> int:
        """Notices that are still to be sent: some wait for a while after they were refused."""
        sql = "SELECT COUNT(*) FROM notice WHERE state IN ('queued', 'sending')"
        return int(self._rows(sql)[0][0])

    def decisions(self, after: int) -> list[tuple[int, datetime, str, str]]:
        """calsync's audit since a line: number, when, room, what and why. For the view alone."""
        sql = (
            "SELECT audit.id, audit.at, pair.room_id, audit.what FROM audit"
            " JOIN pair ON pair.id = audit.pair_id"
            " WHERE audit.id > ? AND audit.step = 'decision' ORDER BY audit.id"
        )
        return [(n, _moment(at), room, what) for n, at, room, what in self._rows(sql, after)]


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


@dataclass(slots=True)
class RoomView:
    """What is known of a room now."""

    room: Room
    calendar: list[Image] = field(default_factory=list)
    platform: list[Image] = field(default_factory=list)
    looked: float = 0.0

    @property
    def pending(self) -> int:
        return sum(image.pending for image in self.platform)

    @property
    def equal(self) -> bool:
        return self._show(self.calendar) == self._show(self.platform)

    def _show(self, images: list[Image]) -> Sequence[object]:
        titles = self.room.titles
        return sorted(one for image in images for one in picture(image.state, titles=titles))


@dataclass(slots=True)
class Seen:
    """What the view shows. Lists are newest last; read under the watcher's lock."""

    rooms: dict[str, RoomView]
    log: list[dict[str, Any]] = field(default_factory=list)
    acts: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=200))
    decisions: deque[tuple[datetime, str, str]] = field(default_factory=lambda: deque(maxlen=200))
    feed: list[FeedLine] = field(default_factory=list)
    bookings: list[Row] = field(default_factory=list)
    calls: int = 0
    throttled: int = 0
    declines: int = 0
    writes: int = 0


class Watcher:
    """A thread that keeps `seen` up to date. ``look`` does one round inline."""

    def __init__(
        self,
        rooms: list[Room],
        *,
        sandbox: Callable[[], Sandbox],
        platform: Callable[[], Platform],
        tables: HubTables,
        since: datetime,
        every: float = 0.25,
        stale: float = 2.0,
    ) -> None:
        """``since``: the fixed begin of what is compared, so that no item drops out of a run.
        A room is read when something happened there, and again after ``stale`` seconds."""
        self._low, self._high = since, since + AHEAD
        self.seen = Seen({room.id: RoomView(room) for room in rooms})
        self.lock = threading.Lock()
        self.failure: Exception | None = None
        self._sandbox, self._platform, self.tables = sandbox(), platform(), tables
        self._mailboxes = {room.mailbox.casefold(): room.id for room in rooms}
        self._every, self._stale = every, stale
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="watcher", daemon=True)
        self._audit = 0
        self._joined: set[tuple[str, str]] = set()
        #: What calsync made in calendars: nothing else can be the image of a platform's booking.
        self._made: set[str] = set()
        self._dirty: set[str] = set(self.seen.rooms)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(30)

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:  # shown by the main thread, which ends the run
                self.failure = error
                return
            self._stop.wait(self._every)

    def look(self, *, whole: bool = False) -> None:
        """Read what is new; ``whole``: every room anew."""
        lines = self._sandbox.since("log", len(self.seen.log))
        feed = self.tables.feed(self.seen.feed[-1].number if self.seen.feed else 0)
        decisions = self.tables.decisions(self._audit)
        counts = self._sandbox.control("GET", "calls")
        bookings = self.tables.rows()
        with self.lock:
            self.seen.bookings = bookings
            self._take(lines, feed, decisions, counts)
        stale = time.monotonic() - self._stale
        due = [
            view
            for view in self.seen.rooms.values()
            if whole or view.room.id in self._dirty or view.looked < stale
        ]
        self._dirty = set()
        self._read_rooms(due)

    def _take(
        self,
        lines: list[dict[str, Any]],
        feed: list[FeedLine],
        decisions: list[tuple[int, datetime, str, str]],
        counts: dict[str, Any],
    ) -> None:
        seen = self.seen
        for line in lines:
            seen.log.append(line)
            mailbox = str(line.get("mailbox") or "").casefold()
            if mailbox in self._mailboxes:
                self._dirty.add(self._mailboxes[mailbox])
            if line["who"] == "app":
                seen.writes += 1
                seen.declines += line["kind"] == "decline"
                if line["kind"] == "create":
                    self._made.add(str(line.get("iCalUId")))
            elif line["who"] == "people":
                if line["did"] != "seeded":
                    seen.acts.append(line)
                self._dirty.add(line["room"])
        seen.feed.extend(feed)
        self._dirty |= {line.room for line in feed if line.room in seen.rooms}
        for number, at, room, what in decisions:
            seen.decisions.append((at, room, what))
            self._audit = number
        seen.calls, seen.throttled = counts["total"], counts["throttled"]

    def _read_rooms(self, due: list[RoomView]) -> None:
        if not due:
            return
        names = [view.room.id for view in due]
        shown = self._platform.occupancy(names, self._low, self._high)
        for view in due:
            rows = self._sandbox.instances(view.room.mailbox, self._low, self._high)
            calendar = calendar_images(view.room, rows)
            found = shown[view.room.id]
            platform = platform_images(view.room, found.occurrences, found.bookings)
            born = {one["id"] for one in found.bookings if one["origin"] == "booking"}
            with self.lock:
                view.calendar, view.platform, view.looked = calendar, platform, time.monotonic()
            self._join(view, born)

    def _join(self, view: RoomView, born: set[str]) -> None:
        """Recognise images of platform-born bookings by what they show."""
        titles = view.room.titles
        mine = {
            picture(image.state, titles=titles): image.key
            for image in view.platform
            if image.key in born
        }
        for image in view.calendar:
            booking = mine.get(picture(image.state, titles=titles))
            if booking is None or image.key not in self._made:
                continue
            if (booking, image.key) not in self._joined:
                self._joined.add((booking, image.key))
                self._sandbox.note(who="driver", kind="seen", booking=booking, uid=image.key)

    # -- rest -------------------------------------------------------------------------------

    def moved(self) -> tuple[int, int, int]:
        """Counters that stand still when calsync does: its writes, the feed, the mails."""
        mails = len(self._sandbox.since("mails", 0))
        with self.lock:
            last = self.seen.feed[-1].number if self.seen.feed else 0
            return self.seen.writes, last, mails

    def equal(self) -> bool:
        """Both sides show the same in every room, and no booking waits for its answer."""
        with self.lock:
            return all(view.equal and not view.pending for view in self.seen.rooms.values())

    def wait_for_rest(self, *, still: float, limit: float) -> bool:
        """Inline (the thread is stopped): until all is equal and nothing has moved for ``still``
        seconds. False after ``limit`` seconds."""
        until = time.monotonic() + limit
        since, before = time.monotonic(), (-1, -1, -1)
        while time.monotonic() < until:
            self.look(whole=True)
            now = self.moved()
            if now != before or not self.equal() or self.tables.unsent():
                since, before = time.monotonic(), now
            elif time.monotonic() - since >= still:
                return True
            time.sleep(self._every)
        return False
