"""The story of each booking: what people did to it, what calsync wrote, what each side showed.

Built from the sandbox's log (which holds the acts of both sides) and the hub's feed alone.
Lines of the log that count here:

* ``who: people, kind: act``: an act on either side with its answer, its op (``sandbox.people``)
  and what the person saw of the booking before it. An Outlook act names the sandbox's own line
  in ``of``, whose time counts; a platform act counts from its line in the hub's feed;
* ``who: app``: calsync's writes to mailboxes;
* ``who: driver, kind: seen``: an item of the calendar recognised, by its content, as the image of
  a platform-born booking.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from calsync.demo.records import Doubt, FeedLine, Records, Room, Row, instant, picture
from calsync.sandbox.wishes import Op, Side, State, apply, utc_text

#: ``trim``: calsync took refused dates out of a platform's booking, or a refused move back.
WriteKind = Literal["write", "delete", "decline", "reject", "confirm", "trim"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a person did, and the side took. ``saw``: what that side showed of it just before."""

    at: datetime
    side: Side
    did: str
    op: Op
    saw: State | None = None
    revision: int = 0

    @property
    def seeded(self) -> bool:
        """There before calsync was: nobody's act of this run."""
        return self.did == "seeded"


@dataclass(frozen=True, slots=True)
class Write:
    """What calsync wrote to one side. ``slot``: the one date that a decline is about."""

    at: datetime
    side: Side
    kind: WriteKind
    slot: str | None = None


@dataclass(slots=True)
class Story:
    """One booking. ``images``: what each side showed of it from when on, oldest first."""

    key: str
    room: Room
    born: Side
    person: str = ""
    acts: list[Act] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    uids: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    rows: list[Row] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    images: dict[Side, list[tuple[datetime, State]]] = field(
        default_factory=lambda: {"outlook": [], "platform": []}
    )

    def shown(self, side: Side, at: datetime) -> State:
        """What ``side`` showed of it at that time."""
        state: State = {}
        for since, now in self.images[side]:
            if since > at:
                break
            state = now
        return state

    def doubtful(self, act: Act) -> bool:
        """calsync did not know what stood there when the act was made over it."""
        return act.side == "outlook" and any(
            one.begin <= act.at and (one.end is None or act.at <= one.end) for one in self.doubts
        )

    def show(self, state: State) -> tuple[tuple[str, str, bool, str, str], ...]:
        """A state, comparable (titles only where the room carries them)."""
        return picture(state, titles=self.room.titles)

    @property
    def name(self) -> str:
        """For people who debug a run."""
        did = ", ".join(f"{act.side} {act.did}" for act in self.acts)
        ids = " ".join(sorted(self.ids)) or "no id"
        return f"{self.key} in {self.room.id} ({ids}; {did})"


def other(side: Side) -> Side:
    """The side across."""
    return "platform" if side == "outlook" else "outlook"


def stories(records: Records) -> dict[str, Story]:
    """All bookings that a user act made, by key."""
    rooms = {room.id: room for room in records.rooms}
    times = {line["n"]: line["time"] for line in records.log}
    user_feed = {
        (line.booking, line.revision): line.at for line in records.feed if not line.by_sync
    }
    found: dict[str, Story] = {}
    for line in records.log:
        if line["who"] == "people" and line["kind"] == "act" and line["accepted"]:
            _take_act(found, rooms, line, times, user_feed)
    by_id = {one: story for story in found.values() for one in story.ids}
    for line in records.log:
        if line["kind"] == "seen" and line["booking"] in by_id:
            by_id[line["booking"]].uids.add(line["uid"])
    _take_writes(records, found)
    doubts: dict[str, list[Doubt]] = {}
    for one in records.doubts:
        doubts.setdefault(one.mailbox.casefold(), []).append(one)
    for story in found.values():
        story.doubts = doubts.get(story.room.mailbox.casefold(), [])
        story.writes.sort(key=lambda one: one.at)
        _picture(story)
    return found


def _take_act(
    found: dict[str, Story],
    rooms: dict[str, Room],
    line: dict[str, Any],
    times: dict[int, str],
    user_feed: dict[tuple[str, int], datetime],
) -> None:
    key, side = str(line["booking"]), line["side"]
    story = found.get(key)
    if story is None:
        story = found[key] = Story(key, rooms[line["room"]], side, str(line.get("person", "")))
    if line.get("uid"):
        story.uids.add(line["uid"])
    if line.get("id") and story.born == "platform":
        story.ids.add(line["id"])
    revision = int(line.get("revision") or 0)
    at = instant(times.get(line.get("of") or 0) or line.get("at") or line["time"])
    at = user_feed.get((str(line.get("id")), revision), at)
    saw = line.get("saw")
    story.acts.append(
        Act(
            at=at,
            side=side,
            did=str(line["did"]),
            op=line["op"],
            saw=None if saw is None else {one["slot"]: one for one in saw},
            revision=revision,
        )
    )
    story.acts.sort(key=lambda act: act.at)


# --- calsync's writes ------------------------------------------------------------------------


def _take_writes(records: Records, found: dict[str, Story]) -> None:
    by_uid = {uid: story for story in found.values() for uid in story.uids}
    for line in records.log:
        story = by_uid.get(str(line.get("iCalUId"))) if line["who"] == "app" else None
        if story is not None:
            story.writes.append(_app_write(line, story))
    by_id: dict[str, Story] = {one: story for story in found.values() for one in story.ids}
    for row in records.rows:
        story = by_id.get(row.id) or by_uid.get(row.uid)
        if story is not None:
            by_id[row.id] = story
            story.ids.add(row.id)
            story.rows.append(row)
    lines: dict[str, list[FeedLine]] = {}
    for entry in records.feed:
        lines.setdefault(entry.booking, []).append(entry)
    for booking, entries in lines.items():
        story = by_id.get(booking)
        if story is not None:
            # While a run goes on, the feed may have been read after the bookings.
            known = next((one for one in story.rows if one.id == booking), None)
            story.writes.extend(_feed_writes(story, entries, known))


def _app_write(line: dict[str, Any], story: Story) -> Write:
    at, kind = instant(line["time"]), line["kind"]
    slot = _slot_of(story, line["date"]) if line.get("date") else None
    if kind == "decline":
        return Write(at, "outlook", "decline", slot)
    if kind in ("delete", "cancel") and slot is None:
        return Write(at, "outlook", "delete")
    return Write(at, "outlook", "write")


def _slot_of(story: Story, day: str) -> str:
    """The slot of a local date."""
    zone = ZoneInfo(story.room.zone)
    for act in story.acts:
        for one in act.op.get("set", ()):
            if one["slot"] and instant(one["slot"]).astimezone(zone).date().isoformat() == day:
                return str(one["slot"])
    return day


def _feed_writes(story: Story, entries: list[FeedLine], row: Row | None) -> Iterator[Write]:
    """What the lines of one booking mean. The first line of calsync after an act of a person on
    the platform is its answer: it changes the status, not what the room shows; unless some of
    what was asked for was refused, which is taken out before the rest is confirmed."""
    waiting = False
    rejected = row is not None and row.status == "rejected"
    last = max((one.number for one in entries if one.by_sync), default=0)
    asked = max((one.number for one in entries if not one.by_sync), default=0)
    refused = row is not None and row.refusal is not None and not rejected
    for one in sorted(entries, key=lambda entry: entry.number):
        if not one.by_sync:
            waiting = story.born == "platform" or waiting
        elif one.tombstone:
            yield Write(one.at, "platform", "delete")
        elif rejected and one.number == last:
            yield Write(one.at, "platform", "reject")
        elif refused and one.number > asked:
            refused = False
            yield Write(one.at, "platform", "trim")
        elif waiting:
            waiting = False
            yield Write(one.at, "platform", "confirm")
        else:
            yield Write(one.at, "platform", "write")


# --- what each side showed -------------------------------------------------------------------


def _picture(story: Story) -> None:
    """Replay acts and writes in order of time. A write brings what the other side shows."""
    now: dict[Side, State] = {"outlook": {}, "platform": {}}
    events: list[tuple[datetime, int, Act | Write]] = [
        *((act.at, 0, act) for act in story.acts),
        *((write.at, 1, write) for write in story.writes),
    ]
    for at, _, event in sorted(events, key=lambda one: one[:2]):
        if isinstance(event, Act):
            now[event.side] = apply(event.op, now[event.side])
        elif event.kind in ("delete", "reject") or (event.kind == "decline" and not event.slot):
            now[event.side] = {}
        elif event.kind == "decline":
            now[event.side] = apply({"drop": event.slot}, now[event.side])
        elif event.kind == "trim":
            now["platform"] = _trimmed(story, now["platform"], at)
        elif event.kind == "write":
            now[event.side] = now[other(event.side)]
        else:
            continue
        story.images[event.side].append((at, now[event.side]))


def refused_slots(story: Story) -> set[str]:
    """Slots of a platform-born series that calsync refused, by what the platform shows."""
    zone, found = ZoneInfo(story.room.zone), set[str]()
    for row in story.rows:
        for local in (row.refusal or {}).get("dates") or ():
            found.add(utc_text(datetime.fromisoformat(str(local)).replace(tzinfo=zone)))
    return found


def _trimmed(story: Story, state: State, at: datetime) -> State:
    slots = refused_slots(story)
    if slots:
        return {slot: one for slot, one in state.items() if slot not in slots}
    last = max(act.at for act in story.acts if act.side == "platform" and act.at <= at)
    return story.shown("platform", last - timedelta(microseconds=1))


def acts_of(found: Iterable[Story]) -> list[tuple[Story, Act]]:
    """All acts of this run, oldest first."""
    every = [(story, act) for story in found for act in story.acts if not act.seeded]
    return sorted(every, key=lambda one: one[1].at)
