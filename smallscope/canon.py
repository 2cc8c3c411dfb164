"""Two rests that differ only in their history are one state: names, numbers and times anew.

At rest both sides have been judged and nothing is under way. What may follow depends on which
items there are, on their order in time, and on which titles are equal; not on how often something
was written before. So marks, times, titles and revisions are counted anew in their order, and what
was only kept to judge by (conflicts, notices, wishes) is let go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from calsync.model import Half, Link, Occupancy, Presence, Seen, Side
from calsync.ports import RoomState
from smallscope.process import Memory
from smallscope.side import EPOCH, STEP, Item, SideState, fingerprint_of, occupancy, slot_of
from smallscope.store import Db

#: Revisions per life of a booking, more than it is ever written between two rests.
WRITES = 100
#: Times of day that a table or a search uses, at most.
SLOTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The parts of a state at rest."""

    booking: SideState
    calendar: SideState
    db: Db
    memory: Memory

    def side(self, side: Side) -> SideState:
        return self.booking if side is Side.BOOKING else self.calendar


def counted_anew(rest: Rest, *, keep_former: bool) -> Rest:
    """``rest`` in its canonical form. ``keep_former``: late readings may still show old states."""
    if not keep_former:
        rest = replace(
            rest, booking=_without_former(rest.booking), calendar=_without_former(rest.calendar)
        )
    return _Names(rest).apply()


def _without_former(side: SideState) -> SideState:
    return replace(side, items=tuple(replace(i, former=None) for i in side.items))


class _Names:
    """What every mark, time and title of ``rest`` is called from now on."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest
        self.marks = {side: self._ranks(self._marks(side), STEP) for side in Side}
        self.times = self._ranks(self._times(), 1)
        self.titles: dict[str, str] = {}
        for title in self._titles():
            if title not in self.titles:
                name = title.split("-")[0]
                number = sum(t.split("-")[0] == name for t in self.titles)
                self.titles[title] = f"{name}-x{number}"
        self.contents = {
            fingerprint_of(occupancy(old, slot)): fingerprint_of(occupancy(new, slot))
            for old, new in self.titles.items()
            for slot in range(1, SLOTS + 1)
        }

    # -- what there is ----------------------------------------------------------------------

    @staticmethod
    def _ranks(values: Iterable[int], step: int) -> dict[int, int]:
        return {value: step * at for at, value in enumerate(sorted({0, *values}))}

    def _marks(self, side: Side) -> Iterator[int]:
        state = self.rest.side(side)
        yield from (state.ticks, state.observed, state.pulled)
        for item in state.items:
            yield from (item.mark, item.by_people, *item.asks)
            if item.former is not None:
                yield item.former.mark
        for link in self.rest.db.links:
            half = link.half(side)
            if half.mark > 0:
                yield half.mark - half.mark % STEP
            if half.version:
                yield int(half.version[1:])
        for room in (self.rest.db.state, self.rest.memory.state):
            cursor = None if room is None else _cursor(room, side)
            if cursor:
                yield int(cursor)

    def _times(self) -> Iterator[int]:
        for side in Side:
            state = self.rest.side(side)
            yield state.known_time
            for item in state.items:
                yield from (item.created, item.modified)
                if item.former is not None:
                    yield _seconds(item.former.created)
                    yield _seconds(item.former.modified or item.former.created)
            for link in self.rest.db.links:
                for at in (link.half(side).created, link.half(side).since):
                    if at is not None:
                        yield _seconds(at)

    def _titles(self) -> Iterator[str]:
        for side in Side:
            for item in self.rest.side(side).items:
                yield item.title
                if item.former is not None:
                    yield str(item.former.occupancy.title)
        for link in self.rest.db.links:
            for occ in (link.base, link.booking.seen, link.event.seen):
                if occ is not None:
                    yield str(occ.title)

    # -- what it is called ------------------------------------------------------------------

    def apply(self) -> Rest:
        rest = self.rest
        revision = WRITES * len(rest.db.links)
        held = rest.memory.fence == rest.db.fence
        return Rest(
            booking=self._side(rest.booking),
            calendar=self._side(rest.calendar),
            db=Db(
                state=self._room(rest.db.state),
                fence=1,
                links=tuple(self._link(link, revision) for link in rest.db.links),
            ),
            memory=replace(
                rest.memory, state=self._room(rest.memory.state), fence=1 if held else None
            ),
        )

    def _side(self, state: SideState) -> SideState:
        marks = self.marks[state.side]
        return replace(
            state,
            items=tuple(self._item(item, marks) for item in state.items),
            ticks=marks[state.ticks],
            observed=marks[state.observed],
            pulled=marks[state.pulled],
            known_time=self.times[state.known_time],
            titled=(),
        )

    def _item(self, item: Item, marks: dict[int, int]) -> Item:
        return replace(
            item,
            title=self.titles[item.title],
            mark=marks[item.mark],
            by_people=marks[item.by_people],
            asks=tuple(marks[a] for a in item.asks) if item.pending else (),
            created=self.times[item.created],
            modified=self.times[item.modified],
            former=self._seen(item.former, marks) if item.former is not None else None,
            made_by="",
        )

    def _seen(self, seen: Seen, marks: dict[int, int]) -> Seen:
        occ = self._occ(seen.occupancy)
        assert occ is not None
        return replace(
            seen,
            occupancy=occ,
            fingerprint=fingerprint_of(occ),
            version=f"v{marks[seen.mark]}",
            mark=marks[seen.mark],
            created=self._at(seen.created) or seen.created,
            modified=self._at(seen.modified),
        )

    def _link(self, link: Link, revision: int) -> Link:
        base = self._occ(link.base)
        return replace(
            link,
            booking=self._half(link, Side.BOOKING),
            event=self._half(link, Side.CALENDAR),
            base=base,
            base_fingerprint=fingerprint_of(base) if base is not None else "",
            revision=revision,
        )

    def _half(self, link: Link, side: Side) -> Half:
        half, marks = link.half(side), self.marks[side]
        seen = self._occ(half.seen)
        fingerprint = ""
        if half.presence is Presence.PRESENT:
            shown = seen if seen is not None else self._occ(link.base)
            fingerprint = fingerprint_of(shown) if shown is not None else ""
        mark = half.mark
        if mark > 0:
            mark = marks[mark - mark % STEP] + mark % STEP
        return replace(
            half,
            version=f"v{marks[int(half.version[1:])]}" if half.version else "",
            mark=mark,
            fingerprint=fingerprint,
            seen=seen,
            created=self._at(half.created),
            since=self._at(half.since),
            sent=" ".join(
                sorted(self.contents[f] for f in half.sent.split() if f in self.contents)
            ),
        )

    def _room(self, room: RoomState | None) -> RoomState | None:
        if room is None:
            return None
        cursors = {
            side: str(self.marks[side][int(cursor)]) if (cursor := _cursor(room, side)) else cursor
            for side in Side
        }
        return replace(
            room,
            booking_cursor=cursors[Side.BOOKING],
            calendar_cursor=cursors[Side.CALENDAR],
        )

    def _occ(self, occ: Occupancy | None) -> Occupancy | None:
        return None if occ is None else occupancy(self.titles[str(occ.title)], slot_of(occ))

    def _at(self, at: datetime | None) -> datetime | None:
        return None if at is None else EPOCH + timedelta(seconds=self.times[_seconds(at)])


def _cursor(room: RoomState, side: Side) -> str | None:
    return room.booking_cursor if side is Side.BOOKING else room.calendar_cursor


def _seconds(at: datetime) -> int:
    return int((at - EPOCH).total_seconds())
