"""Who stood in whose way: races between the sides, and time that calsync itself booked twice.

A *claim* is an act by which people took time in a room. Two claims on different sides that meet
are a *clash* where the later person could not see the earlier claim on the own side; where they
could, the overlap is the people's own and is mirrored, not "fixed". Overlaps within one side are
never calsync's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from calsync.demo.records import Records, instant
from calsync.demo.story import Act, Story
from calsync.sandbox.wishes import Instance, Side, State, apply

#: calsync reads its own booking side a moment before the calendar, whose read the sandbox's log
#: shows when it is answered: what became visible within this span may have been read or not.
READ_SLACK = timedelta(seconds=0.25)
_ROOM_READS = frozenset(
    {("GET", name) for name in ("calendarView/delta", "events/delta", "calendarView", "events")}
    | {("SyncFolderItems", "EWS SyncFolderItems")}
)


@dataclass(frozen=True, slots=True)
class Claim:
    """Time that an act took on a side, as instances it did not hold before."""

    story: Story
    act: Act
    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True)
class Clash:
    """A race: ``early`` and ``late`` met, and ``late`` could not see it."""

    early: Claim
    late: Claim


def meets(one: Instance, two: Instance) -> bool:
    """Two busy instances share time."""
    return bool(
        one["showAs"] != "free"
        and two["showAs"] != "free"
        and one["start"] < two["end"]
        and two["start"] < one["end"]
    )


def overlap(one: Iterable[Instance], two: Sequence[Instance]) -> bool:
    return any(meets(a, b) for a in one for b in two)


def claims(story: Story) -> list[Claim]:
    """Acts of one booking that took time, oldest first."""
    found, state = [], dict[str, Instance]()
    for act in story.acts:
        after = apply(act.op, state)
        held = [(one["start"], one["end"]) for one in state.values()]
        new = tuple(
            one
            for one in after.values()
            if not any(start <= one["start"] and one["end"] <= end for start, end in held)
        )
        if new:
            found.append(Claim(story, act, new))
        state = after
    return found


def clashes(found: Mapping[str, Story]) -> list[Clash]:
    """Every race between the sides, by the log alone."""
    rooms: dict[str, list[Claim]] = {}
    for story in found.values():
        rooms.setdefault(story.room.id, []).extend(claims(story))
    races = []
    for held in rooms.values():
        for one, two in combinations(held, 2):
            early, late = sorted((one, two), key=lambda claim: claim.act.at)
            if _race(early, late):
                races.append(Clash(early, late))
    return races


def _race(early: Claim, late: Claim) -> bool:
    if early.story is late.story or early.act.side == late.act.side:
        return False
    if not overlap(early.instances, late.instances):
        return False
    # The earlier one still claims the time where it was claimed …
    if not overlap(early.story.shown(early.act.side, late.act.at).values(), late.instances):
        return False
    # … and does not show yet where the later one looked.
    return not overlap(early.story.shown(late.act.side, late.act.at).values(), late.instances)


def in_sight(one: Story, two: Story) -> bool:
    """People made this overlap themselves: on one side, or in sight of what stood there."""
    for a in claims(one):
        for b in claims(two):
            if not overlap(a.instances, b.instances):
                continue
            if a.act.side == b.act.side:
                return True
            early, late = sorted((a, b), key=lambda claim: claim.act.at)
            if overlap(early.story.shown(late.act.side, late.act.at).values(), late.instances):
                return True
    return False


# --- double bookings ---------------------------------------------------------------------------


def double_booked(
    found: Mapping[str, Story],
    records: Records,
    rest: Mapping[Side, Mapping[str, State]],
) -> list[str]:
    """Each pair that calsync booked onto one time, in words.

    During the run: a write that put an item onto time where another one, which is not its own
    side's affair and not made in sight of it, had been visible in that store since before
    calsync's last read of the room began. At rest (``rest``: what each side shows, by booking):
    any such overlap at all.
    """
    rooms: dict[str, list[Story]] = {}
    for story in found.values():
        rooms.setdefault(story.room.id, []).append(story)
    reads = _reads(records)
    pairs: dict[tuple[str, str], str] = {}
    for held in rooms.values():
        for one, two in combinations(sorted(held, key=lambda story: story.key), 2):
            what = next(_doubled(one, two, reads, rest), None)
            if what is not None and not in_sight(one, two):
                pairs[one.key, two.key] = what
    return list(pairs.values())


@dataclass(frozen=True, slots=True)
class _Reads:
    """When reads of a room were answered, oldest first, and when each of them began."""

    answered: list[datetime] = field(default_factory=list)
    began: list[datetime] = field(default_factory=list)

    def last_before(self, at: datetime) -> datetime | None:
        """When the last one that was answered by then began."""
        number = bisect_right(self.answered, at)
        return self.began[number - 1] if number else None


def _reads(records: Records) -> dict[str, _Reads]:
    """When each of calsync's reads of a room was answered, and when it began, by mailbox.

    A read that was throttled or broken began with the first call that was: calsync may have read
    its own side by then, and waited. A read that a fault spoiled does not count: what stood there
    may not have been in it.
    """
    found: dict[str, _Reads] = {}
    waiting: dict[str, datetime] = {}
    # A call refused at the door does not say whose mailbox it was for; its address does.
    users = {_user(call): call["mailbox"] for call in records.calls if call["mailbox"]}
    for call in records.calls:
        mailbox = users.get(_user(call), "") or call["mailbox"]
        at = instant(call["time"])
        status = int(call["status"])
        if status in (0, 429) or status >= 500:
            waiting.setdefault(mailbox, at)
            continue
        began = waiting.pop(mailbox, at)
        whole = status < 300 and not call.get("faults")
        if (call["method"], call["operation"]) in _ROOM_READS and whole:
            reads = found.setdefault(mailbox, _Reads())
            reads.answered.append(at)
            reads.began.append(began)
    return found


def _user(call: Mapping[str, Any]) -> str:
    """The user segment of a call's path; empty where it is for no mailbox."""
    return str(call.get("path", "")).partition("/users/")[2].partition("/")[0].casefold()


def _doubled(
    one: Story,
    two: Story,
    reads: Mapping[str, _Reads],
    rest: Mapping[Side, Mapping[str, State]],
) -> Iterator[str]:
    sides: tuple[Side, Side] = ("outlook", "platform")
    for side in sides:
        shown = rest[side]
        if overlap(shown.get(one.key, {}).values(), list(shown.get(two.key, {}).values())):
            yield f"double booked at rest on the {side} side: {one.name} and {two.name}"
    for mine, theirs in ((one, two), (two, one)):
        for write in mine.writes:
            if write.kind != "write":
                continue
            read = reads.get(mine.room.mailbox, _Reads()).last_before(write.at)
            if read is None:
                continue
            began = read - READ_SLACK
            put = _put(mine, write.side, write.at)
            stood = theirs.shown(write.side, write.at)
            since = theirs.shown(write.side, began)
            visible = [i for slot, i in stood.items() if since.get(slot) == i]
            if overlap(put, visible):
                yield (
                    f"calsync wrote {mine.name} to the {write.side} side "
                    f"at {write.at:%H:%M:%S.%f}, onto {theirs.name}, which it had read there"
                )


def _put(story: Story, side: Side, at: datetime) -> list[Instance]:
    """Instances that the write at that time added to what the side showed."""
    after = story.shown(side, at)
    before = story.shown(side, at - timedelta(microseconds=1))
    old = [(one["start"], one["end"]) for one in before.values()]
    return [one for one in after.values() if (one["start"], one["end"]) not in old]


def unresolved(race: Clash, rest: Mapping[Side, Mapping[str, State]]) -> bool:
    """Both still hold the time they raced for, on whatever side."""
    left, right = (
        [
            one
            for states in rest.values()
            for one in states.get(claim.story.key, {}).values()
            if overlap([one], claim.instances)
        ]
        for claim in (race.early, race.late)
    )
    return overlap(left, right)
