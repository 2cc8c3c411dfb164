"""People who act on both sides, decided by a seed: who wants what, where, when.

Nothing here calls anybody. `People.next` gives a wish, the caller carries it out (acts of Outlook
users through `/_sandbox/acts`, acts of the booking platform through its public API) and reports
back with `People.done`. What an act means is said in `wishes`.

A booking that was fought over (both sides grabbed or edited it at one time) is left alone from
then on, so that whoever judges the run knows every admissible end of the fight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from .wishes import Instance, Known, Op, RoomFacts, Shape, Side, Wish, apply, utc_text

TITLES: Final = ("Review", "Customer call", "Interview", "Planning", "Retro", "Budget", "Training")
#: What people do, and how often: a deck that is dealt, reshuffled and dealt again.
DECK: Final[Mapping[str, int]] = {
    "outlook book": 8, "outlook series": 4, "outlook all-day": 2, "outlook direct": 4,
    "outlook squeeze": 1, "outlook taken": 3, "outlook move": 5, "outlook length": 4,
    "outlook retitle": 3, "outlook cancel": 4, "outlook cancel date": 3, "outlook move date": 3,
    "platform book": 9, "platform series": 4, "platform all-day": 2, "platform taken": 3,
    "platform move": 5, "platform length": 4, "platform retitle": 3, "platform cancel": 4,
    "platform cancel date": 3, "platform move date": 3, "platform decline": 2,
    "clash": 6, "clash series": 3, "clash move": 3, "edit both": 4, "delete or edit": 4,
}  # fmt: skip
#: How a run begins, so that even the shortest shows something of everything.
OPENING: Final = (
    "platform book", "outlook book", "platform series", "outlook direct", "clash", "platform book",
    "outlook series", "edit both", "platform book", "clash series", "delete or edit",
)  # fmt: skip


@dataclass(slots=True)
class People:
    """Decides, from one seed, what people want next. The same reports give the same wishes."""

    seed: int
    rooms: list[RoomFacts]
    persons: list[str]
    today: date
    chance: Random = field(init=False)
    known: dict[str, Known] = field(default_factory=dict)
    _deck: list[str] = field(default_factory=list)
    _number: int = 0
    _dealt: int = 0

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)

    def pause(self, per_second: float) -> float:
        """Seconds until somebody acts again."""
        return min(self.chance.expovariate(per_second), 3.0 / per_second)

    def next(self) -> Wish:
        """What somebody wants now. Where nobody can want the card dealt, somebody books."""
        card = self._deal()
        wish = self._of(card)
        if wish is None:
            wish = self._of("platform book" if self.chance.random() < 0.5 else "outlook book")
        while wish is None:  # no free time found in the room that was picked: try another
            wish = self._of("outlook book")
        return wish

    def done(self, wish: Wish, *, accepted: bool, op: Op | None = None, **ids: str) -> None:
        """What became of a wish. `op`: what it did in the room, where not what was wanted."""
        known = wish.known
        if known is not None and wish.blind:
            known.retired = True
        if not accepted:
            return
        if wish.over is not None:
            wish.over.retired = True
        op = op or wish.op
        if known is None:
            assert wish.shape is not None
            known = Known(wish.key, wish.room, wish.origin, wish.person, wish.shape, {})
            self.known[known.key] = known
        known.state = apply(op, known.state)
        known.uid = ids.get("uid") or known.uid
        known.id = ids.get("id") or known.id
        known.retired = known.retired or wish.blind
        if not known.state:
            self.known.pop(known.key, None)

    def add(self, known: Known) -> None:
        """A booking that was there before; its time is taken, and nobody touches it."""
        known.retired = True
        self.known[known.key] = known

    # -- choosing ---------------------------------------------------------------------------

    def _deal(self) -> str:
        self._dealt += 1
        if self._dealt <= len(OPENING):
            return OPENING[self._dealt - 1]
        if not self._deck:
            self._deck = [card for card, copies in DECK.items() for _ in range(copies)]
            self.chance.shuffle(self._deck)
        return self._deck.pop()

    def _of(self, card: str) -> Wish | None:
        side, _, what = card.partition(" ")
        if card.startswith("clash"):
            return self._clash(what)
        if card == "edit both":
            return self._edit_both()
        if card == "delete or edit":
            return self._delete_or_edit()
        return self._plain("outlook" if side == "outlook" else "platform", what)

    def _plain(self, side: Side, what: str) -> Wish | None:
        changes: dict[str, Callable[[Side], Wish | None]] = {
            "move": self._move, "length": self._length, "retitle": self._retitle,
            "cancel": self._cancel, "cancel date": self._cancel_date,
            "move date": self._move_date, "decline": self._decline,
            "taken": self._taken, "squeeze": self._squeeze,
        }  # fmt: skip
        if what in changes:
            return changes[what](side)
        room = self.chance.choice(self.rooms)
        shape = self._free(room, series=what == "series", all_day=what == "all-day")
        if shape is None:
            return None
        return self._book(side, room, shape, direct=what == "direct")

    def _book(
        self, side: Side, room: RoomFacts, shape: Shape, *, direct: bool = False, did: str = ""
    ) -> Wish:
        self._number += 1
        origin = "platform" if side == "platform" else "direct" if direct else "invite"
        person = self.chance.choice(self.persons)
        if side == "platform":
            # A mail address of its own for each booking: so each notice tells what it is about.
            person = f"booker-{self._number}@{person.partition('@')[2]}"
        what = "all-day" if shape.all_day else "series" if shape.repeat else "book"
        return Wish(
            self._number, side, did or ("direct" if direct else what), room, person,
            {"set": shape.instances(room.zone)}, shape=shape, origin=origin,
        )  # fmt: skip

    def _change(self, side: Side, did: str, known: Known, op: Op, slot: str | None = None) -> Wish:
        self._number += 1
        return Wish(self._number, side, did, known.room, known.person, op, known, slot=slot)

    def _pick(self, fits: Callable[[Known], bool]) -> Known | None:
        found = [one for one in self.known.values() if not one.retired and fits(one)]
        return self.chance.choice(found) if found else None

    def _editable(self, side: Side, *, series: bool = False) -> Known | None:
        """A single (or series) that somebody on this side can change, and the change be carried."""
        return self._pick(
            lambda one: (
                one.series == series
                and not one.shape.all_day
                and (side == "outlook" or one.origin != "invite")
            )
        )

    # -- time -------------------------------------------------------------------------------

    def _shape(self, *, series: bool, all_day: bool) -> Shape:
        chance = self.chance
        ahead = chance.randint(1, 40) if chance.random() < 0.8 else chance.randint(95, 125)
        day = self.today + timedelta(days=ahead)
        title = f"{chance.choice(TITLES)} {chance.randint(100, 999)}"
        if all_day:
            start = datetime.combine(day, time.min)
            return Shape(start, start + timedelta(days=1), title, all_day=True)
        start = datetime.combine(day, time(chance.randint(8, 16), chance.choice((0, 30))))
        length = timedelta(minutes=chance.choice((30, 30, 60, 60, 90)))
        show = "tentative" if chance.random() < 0.05 and not series else "busy"
        repeat = None
        if series:
            repeat = (chance.choice(("weekly", "weekly", "daily")), chance.randint(3, 6))
        return Shape(start, start + length, title, show_as=show, repeat=repeat)

    def _free(
        self, room: RoomFacts, *, series: bool = False, all_day: bool = False
    ) -> Shape | None:
        """A time that nobody holds in the room, on either side."""
        for _ in range(60):
            shape = self._shape(series=series, all_day=all_day)
            if not self._held(room, shape.instances(room.zone)):
                return shape
        return None

    def _held(self, room: RoomFacts, wanted: Iterable[Instance], own: Known | None = None) -> bool:
        spans = [(one["start"], one["end"]) for one in wanted]
        return any(
            start < one["end"] and one["start"] < end
            for known in self.known.values()
            if known.room.id == room.id and known is not own
            for one in known.state.values()
            for start, end in spans
        )

    def _new_time(self, known: Known, slot: str = "", *, same_day: bool = False) -> Instance | None:
        """Another free time for a single, or for one date on its own day."""
        old = known.state[slot]
        for _ in range(40):
            shape = self._shape(series=False, all_day=False)
            if same_day:
                day = known.local(slot).date()
                start = datetime.combine(day, shape.start.time())
                shape = Shape(start, start + (shape.end - shape.start), "")
            (made,) = shape.instances(known.room.zone)
            moved = {**old, "start": made["start"], "end": made["end"]}
            if not self._held(known.room, [moved]) and moved["start"] != old["start"]:
                return moved
        return None

    # -- single acts ------------------------------------------------------------------------

    def _move(self, side: Side) -> Wish | None:
        known = self._editable(side)
        moved = self._new_time(known) if known else None
        return self._change(side, "move", known, {"time": moved}) if known and moved else None

    def _length(self, side: Side) -> Wish | None:
        known = self._editable(side)
        if known is None:
            return None
        old = known.state[""]
        start, end = (datetime.fromisoformat(old[name]) for name in ("start", "end"))
        by = timedelta(minutes=30)
        longer = {**old, "end": utc_text(end + by)}
        if self.chance.random() < 0.5 and not self._held(known.room, [longer], known):
            return self._change(side, "extend", known, {"time": longer})
        if end - start <= by:
            return None
        return self._change(side, "shorten", known, {"time": {**old, "end": utc_text(end - by)}})

    def _retitle(self, side: Side) -> Wish | None:
        known = self._pick(
            lambda one: (
                one.room.titles and not one.series and (side == "outlook" or one.origin != "invite")
            )
        )
        title = f"{self.chance.choice(TITLES)} {self.chance.randint(1000, 9999)}"
        return self._change(side, "retitle", known, {"title": title}) if known else None

    def _cancel(self, side: Side) -> Wish | None:
        known = self._pick(lambda one: side == "outlook" or one.origin != "invite")
        return self._change(side, "cancel", known, {"clear": True}) if known else None

    def _decline(self, side: Side) -> Wish | None:
        """The platform gives up a meeting made in Outlook: the room declines it."""
        known = self._pick(lambda one: one.origin == "invite" and not one.series)
        return self._change(side, "decline", known, {"clear": True}) if known else None

    def _date(self, side: Side) -> tuple[Known, str] | None:
        known = self._editable(side, series=True)
        if known is None or len(known.state) < 2:
            return None
        return known, self.chance.choice(sorted(known.state))

    def _cancel_date(self, side: Side) -> Wish | None:
        found = self._date(side)
        return found and self._change(side, "cancel date", found[0], {"drop": found[1]}, found[1])

    def _move_date(self, side: Side) -> Wish | None:
        found = self._date(side)
        moved = self._new_time(*found, same_day=True) if found else None
        if found is None or moved is None:
            return None
        return self._change(side, "move date", found[0], {"put": moved}, found[1])

    # -- in each other's way ----------------------------------------------------------------

    def _over(self) -> tuple[Known, Shape] | None:
        """The time of a booking that stands."""
        known = self._pick(lambda one: not one.series and not one.shape.all_day)
        if known is None:
            return None
        start = known.local("")
        return known, Shape(
            start, start + timedelta(minutes=30), self._shape(series=False, all_day=False).title
        )

    def _taken(self, side: Side) -> Wish | None:
        """Somebody wants a room that is visibly taken. The side itself refuses."""
        found = self._over()
        if found is None:
            return None
        wish = self._book(side, found[0].room, found[1], did="book taken")
        # Where the side does not show it yet, this is a fight like any other.
        wish.blind, wish.over = True, found[0]
        return wish

    def _squeeze(self, side: Side) -> Wish | None:
        """A delegate writes over a booking on purpose, in sight of it."""
        found = self._over()
        if found is None:
            return None
        found[0].retired = True
        wish = self._book(side, found[0].room, found[1], direct=True, did="squeeze")
        wish.blind = True
        return wish

    def _clash(self, what: str) -> Wish | None:
        """Both sides grab one slot within a second."""
        room = self.chance.choice(self.rooms)
        if what == "move":
            return self._clash_by_move()
        shape = self._free(room, series=what == "series")
        if shape is None:
            return None
        other = Shape(shape.start, shape.end, f"Also {shape.title}")
        if what == "series":
            day = self.chance.choice(shape.dates())
            other = Shape(
                datetime.combine(day, shape.start.time()),
                datetime.combine(day, shape.end.time()),
                other.title,
            )
        direct = what == "" and self.chance.random() < 0.2
        swap = self.chance.random() < 0.5
        mine = self._book("platform", room, other if swap else shape)
        theirs = self._book("outlook", room, shape if swap else other, direct=direct)
        return self._fight(theirs, mine)

    def _clash_by_move(self) -> Wish | None:
        known = self._pick(
            lambda one: one.origin == "platform" and not one.series and not one.shape.all_day
        )
        moved = self._new_time(known) if known else None
        if known is None or moved is None:
            return None
        mine = self._change("platform", "move", known, {"time": moved})
        start = datetime.fromisoformat(moved["start"]).astimezone(ZoneInfo(known.room.zone))
        end = datetime.fromisoformat(moved["end"]).astimezone(ZoneInfo(known.room.zone))
        shape = Shape(start.replace(tzinfo=None), end.replace(tzinfo=None), "Grabbed by Outlook")
        return self._fight(self._book("outlook", known.room, shape), mine)

    def _edit_both(self) -> Wish | None:
        """Both sides edit one platform-born booking within a second."""
        known = self._fightable()
        one = self._new_time(known) if known else None
        two = self._new_time(known) if known else None
        if known is None or one is None or two is None:
            return None
        theirs = self._change("outlook", "move", known, {"time": one})
        if known.room.titles and self.chance.random() < 0.5:
            title = f"Renamed {self.chance.randint(1000, 9999)}"
            return self._fight(theirs, self._change("platform", "retitle", known, {"title": title}))
        return self._fight(theirs, self._change("platform", "move", known, {"time": two}))

    def _delete_or_edit(self) -> Wish | None:
        """One side deletes what the other one edits."""
        known = self._fightable()
        moved = self._new_time(known) if known else None
        if known is None or moved is None:
            return None
        sides: list[Side] = ["outlook", "platform"]
        self.chance.shuffle(sides)
        edit = self._change(sides[0], "move", known, {"time": moved})
        gone = self._change(sides[1], "cancel", known, {"clear": True})
        return self._fight(edit, gone)

    def _fightable(self) -> Known | None:
        return self._pick(
            lambda one: one.origin == "platform" and not one.series and not one.shape.all_day
        )

    def _fight(self, one: Wish, other: Wish) -> Wish:
        """The two at one time, or Outlook a moment first: the platform's acts are seen at once."""
        one.blind = other.blind = True
        first, second = (one, other) if one.side == "outlook" else (other, one)
        first.rival = second
        first.gap = 0.0 if self.chance.random() < 0.6 else round(self.chance.uniform(0.02, 0.6), 3)
        return first
