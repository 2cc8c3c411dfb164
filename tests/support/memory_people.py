"""An in-memory calendar system in which people have calendars, too: meetings to which the room is
invited, and a room that answers them when it is told to (``attend``), never before.

The room's copy follows the organizer's only when the room attends to it. The feed tells of the
room's own calendar alone; what lies with people is read where it lies.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from calsync.mapping.expand import busy_intervals
from calsync.model import (
    NOBODY,
    Absence,
    Done,
    Effect,
    EffectKind,
    Gone,
    Observation,
    Occupancy,
    Outcome,
    Pair,
    Person,
    RoomAnswer,
    Seen,
    Side,
    Unknown,
    Window,
    is_theirs,
    their_key,
)
from tests.support.memory_side import Item, MemorySide

_ALL = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))


@dataclass
class Meeting:
    """What the room knows of a meeting in a person's calendar. ``due``: it has to answer."""

    mailbox: str
    copy: str
    answer: RoomAnswer = RoomAnswer.WAITING
    answered: datetime | None = None
    due: bool = True
    invited: bool = True


class PeopleSide(MemorySide):
    """``meetings`` by key. ``made``: how many meetings were ever made for a tag."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(Side.CALENDAR, rng)
        self.meetings: dict[str, Meeting] = {}
        self.made: dict[str, int] = {}

    # -- what people do ---------------------------------------------------------------------

    def put(self, key: str, occ: Occupancy, **more: object) -> Item:
        item = super().put(key, occ, **more)  # type: ignore[arg-type]
        meeting = self.meetings.get(key)
        if meeting is not None:
            self.feed.pop()  # Nobody tells of what lies with people.
            # (A server forgets the former answer only when the room attends to it.)
            meeting.due = True
        return item

    def remove(self, key: str) -> None:
        super().remove(key)
        meeting = self.meetings.get(key)
        if meeting is not None:
            self.feed.pop()
            meeting.due = True

    def invite(self, name: str, occ: Occupancy, mailbox: str) -> str:
        """A person asks the room to a meeting of their own; its key."""
        key = their_key(name)
        self.meetings[key] = Meeting(mailbox=mailbox, copy=f"copy-{name}")
        self.put(key, occ, uid=f"uid-{name}")
        return key

    def uninvite(self, key: str) -> None:
        self.meetings[key].invited, self.meetings[key].due = False, True
        self.items[key].mark = self._tick()

    def room(self) -> dict[str, Occupancy]:
        """What the room's own calendar shows."""
        return {k: occ for k, occ in self.live().items() if not is_theirs(k)}

    def theirs(self) -> dict[str, Occupancy]:
        """Meetings in people's calendars to which the room is invited, and said yes."""
        return {
            key: self.items[key].occupancy
            for key, meeting in self.meetings.items()
            if not self.items[key].deleted
            and meeting.invited
            and meeting.answer is RoomAnswer.ACCEPTED
        }

    # -- the room ---------------------------------------------------------------------------

    def attend(self, chance: float = 1.0) -> None:
        """The room answers what is due, each with this chance."""
        for key, meeting in self.meetings.items():
            if meeting.due and self.rng.random() < chance:
                meeting.due = False
                self._answer(key, meeting)

    def _answer(self, key: str, meeting: Meeting) -> None:
        item = self.items[key]
        held = self.items.get(meeting.copy)
        there = held is not None and not held.deleted
        if item.deleted or not meeting.invited:
            if there:
                super().remove(meeting.copy)
            return
        wanted = busy_intervals(item.occupancy, _ALL, "UTC")
        others = [occ for k, occ in self.room().items() if k != meeting.copy]
        taken = any(
            one.meets(other)
            for occ in others
            for other in busy_intervals(occ, _ALL, "UTC")
            for one in wanted
        )
        item.mark = self._tick()
        meeting.answered = item.modified = self.now
        meeting.answer = RoomAnswer.DECLINED if taken else RoomAnswer.ACCEPTED
        if not taken:
            # The title of the room's copy is the organizer's name, and no flag stays.
            shown = replace(item.occupancy, title=meeting.mailbox, private=False)
            person = Person("", meeting.mailbox)
            super().put(meeting.copy, shown, owned=False, uid=item.uid, person=person)
            self.items[meeting.copy].person = person
        elif there:
            super().remove(meeting.copy)

    # -- the port ---------------------------------------------------------------------------

    def _listed(self) -> list[str]:
        return [key for key in super()._listed() if not is_theirs(key)]

    def _seen(self, item: Item) -> Seen:
        seen = super()._seen(item)
        meeting = self.meetings.get(item.key)
        if meeting is None:
            return seen
        who = Person("", meeting.mailbox)
        return replace(seen, answer=meeting.answer, answered=meeting.answered, person=who)

    def read_theirs(self, pair: Pair, keys: Mapping[str, str]) -> Mapping[str, Observation]:
        return {key: self._look(key, mailbox) for key, mailbox in keys.items()}

    def _look(self, key: str, mailbox: str) -> Observation:
        seen = self._read(key)
        meeting = self.meetings.get(key)
        if meeting is None or meeting.mailbox != mailbox:
            return Unknown(key=key, reason="nothing is known of it in that calendar")
        if isinstance(seen, Seen) and not meeting.invited:
            return Gone(key=key, absence=Absence.UNINVITED, mark=seen.mark)
        return seen

    def find_theirs(
        self, pair: Pair, tags: Mapping[str, str], uids: Mapping[str, str]
    ) -> Mapping[str, Observation]:
        found: dict[str, Observation] = {}
        for tag, mailbox in tags.items():
            if self.rng.random() < self.faults.unreadable:
                found[tag] = Unknown(key="", reason="not readable just now")
                continue
            for key, meeting in self.meetings.items():
                item = self.items[key]
                if item.tag == tag and meeting.mailbox == mailbox and not item.deleted:
                    found[tag] = self._look(key, mailbox)
        return found

    def meetings_of(self, pair: Pair, uids: Mapping[str, str]) -> Mapping[str, Observation]:
        found: dict[str, Observation] = {}
        for key, meeting in self.meetings.items():
            item = self.items[key]
            if (
                uids.get(item.uid) == meeting.mailbox
                and self.rng.random() >= self.faults.unreadable
            ):
                seen = self._look(key, meeting.mailbox)
                if isinstance(seen, Seen):
                    found[item.uid] = replace(seen, organizer=meeting.mailbox)
        return found

    def copies(self, pair: Pair, uids: Sequence[str]) -> list[Observation]:
        return [
            self._seen(item)
            for key, item in self.items.items()
            if item.uid in uids and not item.deleted and not is_theirs(key)
        ]

    def _apply(self, effect: Effect) -> Outcome:
        if effect.kind is EffectKind.CREATE_EVENT and effect.organizer:
            return self._invite(effect)
        if effect.kind is EffectKind.DECLINE_EVENT and not effect.version:
            return self._decline(effect.key or "")
        meeting = self.meetings.get(effect.key or "")
        if meeting is not None and not meeting.invited and effect.key is not None:
            gone = Gone(key=effect.key, absence=Absence.UNINVITED)
            return Done(gone) if effect.kind is EffectKind.DELETE_EVENT else self._stale(gone)
        return super()._apply(effect)

    def _decline(self, copy: str) -> Outcome:
        """The room's own no, to a meeting of somebody's."""
        self.writes += 1
        ((key, meeting),) = [(k, m) for k, m in self.meetings.items() if m.copy == copy]
        if not self.items[copy].deleted:
            super().remove(copy)
        meeting.answer, meeting.answered = RoomAnswer.DECLINED, self.now
        self.items[key].mark = self._tick()
        self.items[key].modified = self.now
        return Done(self._gone(copy))

    def _stale(self, gone: Gone) -> Outcome:
        from calsync.model import Stale

        return Stale(gone)

    def _invite(self, effect: Effect) -> Outcome:
        assert effect.target is not None
        for key in self.meetings:
            item = self.items[key]
            if item.tag == effect.tag and item.deleted:
                return Done(self._gone(key))
            if item.tag == effect.tag:
                seen = self._look(key, effect.organizer)
                if not isinstance(seen, Seen | Gone):
                    return Done(self._seen(item))
                return Done(seen, complete=item.occupancy == effect.target)
        self.writes += 1
        number = len(self.items)
        key, copy = their_key(f"m-{number}"), f"copy-{number}"
        self.log.append((effect.kind, key))
        self.made[effect.tag] = self.made.get(effect.tag, 0) + 1
        self.meetings[key] = Meeting(mailbox=effect.organizer, copy=copy)
        item = self.put(key, effect.target, tag=effect.tag, uid=f"uid-{number}")
        return Done(self._seen(item))


__all__ = ["NOBODY", "Meeting", "PeopleSide"]
