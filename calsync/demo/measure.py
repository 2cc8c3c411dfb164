"""What a run cost and how fast it was: latency, calls, notices. By the log and the feed alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from calsync.demo.records import FeedLine, Records
from calsync.demo.story import Act, Story, acts_of, other
from calsync.sandbox.wishes import Side

#: Calls that belong to no booking: signing in and looking rooms up.
_UPKEEP = ("token", "discovery", "openid", "places", "users", "user", "mailboxSettings")
_POLLS = ("calendarView/delta", "events/delta")
#: Writes by which an act of one side reaches the other one.
_CARRIES = ("write", "delete", "decline")


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from acts on one side to calsync's write on the other one."""

    samples: dict[Side, list[float]]

    def percentiles(self, side: Side) -> dict[str, float | None]:
        """p50, p95 and p99 (nearest rank) of the acts made on ``side``; None without any."""
        found = sorted(self.samples[side])
        if not found:
            return {"p50": None, "p95": None, "p99": None}
        return {
            f"p{share}": round(found[max(0, ceil(share / 100 * len(found)) - 1)], 1)
            for share in (50, 95, 99)
        }


def latency(found: Mapping[str, Story]) -> Latency:
    """One sample an act whose effect reached the other side (see `carried`)."""
    samples: dict[Side, list[float]] = {"outlook": [], "platform": []}
    for act, ms in carried(found):
        samples[act.side].append(ms)
    return Latency(samples)


def carried(found: Mapping[str, Story]) -> Iterator[tuple[Act, float]]:
    """Each act whose effect reached the other side, oldest first, with the milliseconds until the
    first write of the booking there (its confirmation on the own side is none)."""
    for story, act in acts_of(found.values()):
        target = other(act.side)
        for write in story.writes:
            if write.side == target and write.kind in _CARRIES and write.at >= act.at:
                yield act, (write.at - act.at).total_seconds() * 1000
                break


@dataclass(frozen=True, slots=True)
class Notices:
    """Mails of calsync to the people of platform-born bookings. Lists are in words."""

    sent: int
    duplicated: list[str]
    missing: list[str]


def notices(found: Mapping[str, Story], records: Records) -> Notices:
    """Exactly one mail an answer. A person on the platform asks by making a booking or changing
    it; the answer is calsync's next line in the feed for it, before the person's next one (a
    booking changed again in the meantime is asked about once). A booking that is live at rest
    and was not answered misses its notice, too. One whose fate is flagged as unknown (calsync died,
    or heard nothing, while it was sent) is not missing: it must not be sent again."""
    mails: dict[str, list[dict[str, Any]]] = {}
    for mail in records.mails:
        if mail["kind"] == "mail":
            mails.setdefault(mail["to"].casefold(), []).append(mail)
    sent = sum(len(one) for one in mails.values())
    feed: dict[str, list[FeedLine]] = {}
    for line in records.feed:
        feed.setdefault(line.booking, []).append(line)
    pending = {image.key for image in records.platform if image.pending}
    flagged = Counter(address.casefold() for address in records.flagged)
    duplicated: list[str] = []
    missing: list[str] = []
    for story in found.values():
        if story.born != "platform":
            continue
        due = sum(_answers(feed.get(one, ()), story) for one in story.ids)
        unanswered = bool(story.ids & pending)
        got = len(mails.pop(story.person.casefold(), []))
        told = got + flagged[story.person.casefold()]
        missing += [f"no notice to {story.person}: {story.name}"] * max(0, due + unanswered - told)
        duplicated += [f"one notice too many to {story.person}: {story.name}"] * max(0, got - due)
    for address, many in mails.items():
        duplicated += [f"a notice to {address}, who booked nothing on the platform"] * len(many)
    return Notices(sent, duplicated, missing)


def _answers(lines: Sequence[FeedLine], story: Story) -> int:
    """How many questions of one booking were answered."""
    asked = {act.revision for act in story.acts if act.side == "platform" and "clear" not in act.op}
    count, open_question = 0, False
    for line in sorted(lines, key=lambda one: one.number):
        if not line.by_sync:
            open_question = line.revision in asked
        elif open_question and not line.tombstone:
            count, open_question = count + 1, False
    return count


# --- calls -----------------------------------------------------------------------------------


def app_writes(log: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """calsync's writes to mailboxes."""
    return [line for line in log if line["who"] == "app"]


def calls(records: Records, acts: int) -> dict[str, float]:
    """``per_act``: calls for the sake of bookings an act: all but sign-in, directory, and polls
    that were due anyway (one poll an act counts, since it brought the act)."""
    mine = [one for one in records.calls if one["operation"] not in ("$batch",)]
    upkeep = sum(one["operation"] in _UPKEEP for one in mine)
    polls = sum(one["operation"] in _POLLS for one in mine)
    work = len(mine) - upkeep - polls + min(polls, acts)
    return {
        "total": len(records.calls),
        "writes": len(app_writes(records.log)),
        "per_act": round(work / acts, 2) if acts else 0.0,
    }


def since(moment: datetime, lines: Sequence[FeedLine]) -> int:
    """Feed lines after a moment."""
    return sum(line.at > moment for line in lines)
