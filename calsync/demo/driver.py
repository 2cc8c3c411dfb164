"""Carries out what people want (``sandbox.people``) on either side, and logs every act.

Before somebody changes a booking they look at it on their own side; where it does not show what
people last made of it (a change is still on its way, or it was refused), they leave it alone. So
only what is meant as a fight is one. What they saw goes into the log beside what they did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

from calsync.demo.clients import Answer, Platform, Sandbox
from calsync.demo.records import Image, Room, calendar_images, picture, platform_images
from calsync.sandbox.people import People
from calsync.sandbox.wishes import Known, Op, RoomFacts, State, Wish

_DAY = timedelta(days=1)
OUTLOOK_KINDS = {
    "move": "move",
    "extend": "extend",
    "shorten": "shorten",
    "retitle": "retitle",
    "cancel": "cancel",
    "cancel date": "cancel_occurrence",
    "move date": "move_occurrence",
}


@dataclass(frozen=True, slots=True)
class Look:
    """What a side shows of a booking: its name there, and its state. ``etag``: platform only."""

    name: str
    state: State
    etag: str = ""


class Driver:
    """Plays all people, one after the other; only rivals act at one time."""

    def __init__(
        self,
        people: People,
        *,
        sandbox: Callable[[], Sandbox],
        platform: Callable[[], Platform],
        hands: Callable[[Sandbox, Platform, People], Hands] | None = None,
    ) -> None:
        """``hands``: who carries wishes out, where not the usual clients of a person."""
        self.people = people
        hands = hands or Hands
        self._one = hands(sandbox(), platform(), people)
        self._other = hands(sandbox(), platform(), people)
        self._pool = ThreadPoolExecutor(1, "rival")

    def close(self) -> None:
        self._pool.shutdown()

    def run(self, seconds: float, *, per_second: float, stop: Event) -> None:
        """People act for so long."""
        until = time.monotonic() + seconds
        while not stop.is_set() and time.monotonic() < until:
            self.step()
            stop.wait(min(self.people.pause(per_second), max(0.0, until - time.monotonic())))

    def step(self) -> None:
        """Somebody's next wish."""
        self.live(self.people.next())

    def live(self, wish: Wish) -> None:
        """One wish, with its rival where it has one."""
        looks = self._looks(wish)
        if looks is None:
            return
        if wish.rival is None:
            self._tell(wish, *self._one.carry_out(wish, looks[0]))
            return
        rival = wish.rival
        waiting = self._pool.submit(self._other.carry_out, rival, looks[1], wish.gap)
        self._tell(wish, *self._one.carry_out(wish, looks[0]))
        self._tell(rival, *waiting.result())

    def _looks(self, wish: Wish) -> tuple[Look | None, Look | None] | None:
        """What each of the people sees of the booking; None where somebody better leaves it."""
        first = self._look(wish)
        second = self._look(wish.rival) if wish.rival else None
        for one, look in ((wish, first), (wish.rival, second)):
            if one is None or one.known is None:
                continue
            if look is None or not _calm(one.known, look.state):
                return None
        return first, second

    def _look(self, wish: Wish) -> Look | None:
        if wish.known is None:
            return None
        if wish.side == "outlook":
            return self._one.look_at_outlook(wish.known)
        return self._one.look_at_platform(wish.known)

    def _tell(self, wish: Wish, accepted: bool, op: Op, ids: Mapping[str, str]) -> None:
        self.people.done(wish, accepted=accepted, op=op, **ids)


def _calm(known: Known, state: State) -> bool:
    titles = known.room.titles
    return picture(state, titles=titles) == picture(known.state, titles=titles)


def as_room(room: RoomFacts) -> Room:
    return Room(room.id, room.mailbox, room.zone, room.titles)


def span_of(state: State) -> tuple[datetime, datetime]:
    starts = [datetime.fromisoformat(one["start"]) for one in state.values()]
    return min(starts) - _DAY, max(starts) + 3 * _DAY


class Hands:
    """One person's clients."""

    def __init__(self, sandbox: Sandbox, platform: Platform, people: People) -> None:
        self.sandbox, self.platform, self.people = sandbox, platform, people

    # -- looking ----------------------------------------------------------------------------

    def look_at_outlook(self, known: Known) -> Look | None:
        rows = self.sandbox.instances(known.room.mailbox, *span_of(known.state))
        images = calendar_images(as_room(known.room), rows)
        others = {one.uid for one in self.people.known.values() if one is not known}
        for image in images:
            mine = not known.uid and image.key not in others and self._is(image, known)
            if image.key == known.uid or mine:
                known.uid = image.key
                return Look(image.key, image.state)
        return None

    def look_at_platform(self, known: Known) -> Look | None:
        shown = self.platform.occupancy([known.room.id], *span_of(known.state))[known.room.id]
        images = platform_images(as_room(known.room), shown.occurrences, shown.bookings)
        for image in images:
            if image.key == known.id or (known.uid and image.uid == known.uid):
                got = self.platform.booking(image.key)
                # The booking is read last: a change in between is met by If-Match.
                return Look(image.key, image.state, got.etag) if got.ok else None
        return None

    @staticmethod
    def _is(image: Image, known: Known) -> bool:
        return known.origin == "platform" and _calm(known, image.state)

    # -- acting -----------------------------------------------------------------------------

    def carry_out(
        self, wish: Wish, look: Look | None, after: float = 0.0
    ) -> tuple[bool, Op, dict[str, str]]:
        """Do it, and log it. Whether the side took it, what it came to, names of the booking."""
        time.sleep(after)
        if wish.side == "outlook":
            return self._in_outlook(wish, look)
        return self._on_platform(wish, look)

    def _note(self, wish: Wish, look: Look | None, **said: Any) -> None:
        self.sandbox.note(
            who="people",
            kind="act",
            side=wish.side,
            booking=wish.key,
            room=wish.room.id,
            person=wish.person,
            did=wish.did,
            saw=None if look is None else list(look.state.values()),
            fight=wish.blind and wish.did not in ("squeeze", "book taken"),
            **said,
        )

    def _in_outlook(self, wish: Wish, look: Look | None) -> tuple[bool, Op, dict[str, str]]:
        done = self.sandbox.act(outlook_act(wish, look))
        told = done.doc
        verdict = told.get("verdict")
        refused = not done.ok or (wish.known is None and verdict == "declined")
        op = wish.op
        if verdict == "declined" and wish.known is not None and "clear" not in op:
            # The attendant gives back the time of a meeting that it cannot move.
            op = {"drop": wish.slot} if wish.slot else {"clear": True}
        uid = str(told.get("iCalUId") or (look.name if look else ""))
        self._note(
            wish,
            look,
            of=told.get("n"),
            accepted=not refused,
            op=op,
            uid="" if refused else uid,
            answer={"status": done.status, "verdict": verdict, "error": told.get("error")},
        )
        return not refused, op, {} if refused else {"uid": uid}

    def _on_platform(self, wish: Wish, look: Look | None) -> tuple[bool, Op, dict[str, str]]:
        done = self.ask(wish, look)
        booking = str(done.doc.get("id") or (look.name if look else ""))
        revision = done.doc.get("revision")
        if revision is None and look is not None and look.etag:
            revision = int(look.etag.strip('"')) + 1
        self._note(
            wish,
            look,
            at=datetime.now(UTC).isoformat(),
            accepted=done.ok,
            op=wish.op,
            id=booking,
            uid=wish.known.uid if wish.known else "",
            revision=revision if done.ok else None,
            answer={"status": done.status, "code": done.doc.get("code")},
        )
        return done.ok, wish.op, {"id": booking} if done.ok else {}

    def ask(self, wish: Wish, look: Look | None) -> Answer:
        """The one call to the platform that a wish is."""
        if wish.known is None:
            return self.platform.create(wish.room.id, new_booking(wish), key=f"demo-{wish.number}")
        assert look is not None
        date = wish.known.local(wish.slot).isoformat() if wish.slot else ""
        if "clear" in wish.op or "drop" in wish.op:
            return self.platform.cancel(look.name, etag=look.etag, date=date)
        patch = booking_patch(wish.op, wish.room)
        return self.platform.patch(look.name, patch, etag=look.etag, date=date)


# --- wording -----------------------------------------------------------------------------------


def new_booking(wish: Wish) -> dict[str, Any]:
    """A booking as the platform's API wants it (vocabulary of JSCalendar)."""
    shape = wish.shape
    assert shape is not None
    doc: dict[str, Any] = {
        "title": shape.title,
        "start": shape.start.isoformat(),
        "timeZone": wish.room.zone,
        "duration": _duration(shape.start, shape.end),
        "bookedBy": {"name": f"Booker {wish.number}", "email": wish.person},
    }
    if shape.all_day:
        doc |= {"showWithoutTime": True, "duration": f"P{(shape.end - shape.start).days}D"}
    if shape.show_as == "tentative":
        doc["status"] = "tentative"
    if shape.repeat is not None:
        frequency, count = shape.repeat
        doc["recurrenceRule"] = {
            "@type": "RecurrenceRule",
            "frequency": frequency,
            "count": count,
        }
    return doc


def booking_patch(op: Op, room: RoomFacts) -> dict[str, Any]:
    """A merge patch for an op on a booking or one date."""
    if "title" in op:
        return {"title": op["title"]}
    changed = op.get("time") or op["put"]
    start, end = (_local(changed[name], room) for name in ("start", "end"))
    patch = {"start": start.isoformat(), "duration": _duration(start, end)}
    return patch | ({"timeZone": room.zone} if "time" in op else {})


def _duration(start: datetime, end: datetime) -> str:
    return f"PT{int((end - start).total_seconds()) // 60}M"


def _local(text: str, room: RoomFacts) -> datetime:
    moment = datetime.fromisoformat(text).astimezone(ZoneInfo(room.zone))
    return moment.replace(tzinfo=None)


def outlook_act(wish: Wish, look: Look | None) -> dict[str, Any]:
    """An act for the sandbox, in Outlook's words."""
    raw: dict[str, Any] = {"room": wish.room.mailbox, "zone": wish.room.label}
    invited = wish.origin == "invite" or (wish.known is not None and wish.known.origin == "invite")
    if invited:
        raw["person"] = wish.person
    if wish.known is None:
        return raw | _new_act(wish)
    assert look is not None
    raw |= {"kind": OUTLOOK_KINDS[wish.did], "iCalUId": look.name}
    changed = wish.op.get("time") or wish.op.get("put")
    if changed:
        raw |= {name: _local(changed[name], wish.room).isoformat() for name in ("start", "end")}
    if "title" in wish.op:
        raw["subject"] = wish.op["title"]
    if wish.slot:
        raw["date"] = wish.known.local(wish.slot).date().isoformat()
    return raw


def _new_act(wish: Wish) -> dict[str, Any]:
    shape = wish.shape
    assert shape is not None
    kind = "book_direct" if wish.origin == "direct" else "recur" if shape.repeat else "book"
    raw: dict[str, Any] = {
        "kind": kind,
        "subject": shape.title,
        "start": shape.start.isoformat(),
        "end": shape.end.isoformat(),
        "showAs": shape.show_as,
    }
    if shape.all_day:
        raw["allDay"] = True
    if shape.repeat is not None:
        frequency, count = shape.repeat
        pattern: dict[str, Any] = {"type": frequency, "interval": 1}
        if frequency == "weekly":
            pattern |= {
                "daysOfWeek": [shape.start.strftime("%A").lower()],
                "firstDayOfWeek": "monday",
            }
        raw["recurrence"] = {
            "pattern": pattern,
            "range": {
                "type": "numbered",
                "startDate": shape.start.date().isoformat(),
                "numberOfOccurrences": count,
            },
        }
    return raw
