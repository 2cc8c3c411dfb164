"""What people do, as plain values: an act means an *op* on a *state*, both JSON.

* a state is what a booking shows in a room, expanded: slot → instance. The slot is the UTC start
  that the rule gave the date ("" for a single), the instance its UTC start and end, whether it
  takes whole days, Outlook's showAs, and its title;
* an op is `{"set": [instances]}`, `{"clear": true}`, `{"time": instance}` (a single moved, extended
  or shortened), `{"title": text}`, `{"put": instance}` or `{"drop": slot}` (one date of a series).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

Instance = dict[str, Any]
State = dict[str, Instance]
Op = dict[str, Any]
Side = Literal["outlook", "platform"]


def utc_text(moment: datetime) -> str:
    """An instant as both sides print it: `2026-11-20T09:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def apply(op: Op, state: State) -> State:
    """What `op` makes of `state`. An edit of what is not there leaves nothing but itself."""
    (what,) = op
    value = op[what]
    match what:
        case "set":
            return {one["slot"]: one for one in value}
        case "clear":
            return {}
        case "time" | "put":
            slot = value["slot"]
            times = {name: value[name] for name in ("start", "end", "allDay")}
            return {**state, slot: {**value, **state.get(slot, {}), **times}}
        case "title":
            return {slot: {**one, "title": value} for slot, one in state.items()}
        case "drop":
            return {slot: one for slot, one in state.items() if slot != value}
    raise ValueError(f"unknown op {op}")


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """A room as people know it. `zone` is its IANA name, `label` what Outlook calls that zone."""

    id: str
    mailbox: str
    zone: str
    label: str
    titles: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A booking as somebody words it: naive wall times in the room's zone."""

    start: datetime
    end: datetime
    title: str
    all_day: bool = False
    show_as: str = "busy"
    repeat: tuple[str, int] | None = None

    def dates(self) -> list[date]:
        """Local dates on which it takes place."""
        first = self.start.date()
        if self.repeat is None:
            return [first]
        kind, number = self.repeat
        step = timedelta(days=7 if kind == "weekly" else 1)
        return [first + step * turn for turn in range(number)]

    def instances(self, zone: str) -> list[Instance]:
        """Every date in UTC. Lengths are wall lengths, as Outlook keeps them."""
        rules, length = ZoneInfo(zone), self.end - self.start
        found = []
        for day in self.dates():
            start = datetime.combine(day, self.start.time())
            begin = utc_text(start.replace(tzinfo=rules))
            found.append(
                {
                    "slot": begin if self.repeat else "",
                    "start": begin,
                    "end": utc_text((start + length).replace(tzinfo=rules)),
                    "allDay": self.all_day,
                    "showAs": self.show_as,
                    "title": self.title,
                }
            )
        return found


@dataclass(slots=True)
class Known:
    """A booking people remember. `origin`: invite, direct (a delegate wrote it) or platform.

    `uid` is its iCalUId once known, `id` its id on the platform. `retired`: left alone.
    """

    key: str
    room: RoomFacts
    origin: str
    person: str
    shape: Shape
    state: State
    uid: str = ""
    id: str = ""
    retired: bool = False

    @property
    def series(self) -> bool:
        return self.shape.repeat is not None

    def local(self, slot: str) -> datetime:
        """Naive wall time, in the room, of a slot."""
        moment = datetime.fromisoformat(slot or self.state[""]["start"])
        return moment.astimezone(ZoneInfo(self.room.zone)).replace(tzinfo=None)


@dataclass(slots=True)
class Wish:
    """One intended act. `slot` names a date of a series; `shape` what is wanted.

    `rival` is what somebody on the other side wants at the same time, `gap` seconds later.
    `blind`: whatever is touched is left alone from then on; `over`: whose time is wanted.
    """

    number: int
    side: Side
    did: str
    room: RoomFacts
    person: str
    op: Op
    known: Known | None = None
    shape: Shape | None = None
    origin: str = ""
    slot: str | None = None
    rival: Wish | None = None
    gap: float = 0.0
    blind: bool = False
    over: Known | None = None

    @property
    def key(self) -> str:
        """Key of the booking it makes or touches."""
        return self.known.key if self.known else f"{self.side[0]}{self.number}"
