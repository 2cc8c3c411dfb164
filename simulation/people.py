"""People who use a room from both sides: book, move, retitle, repeat, cancel, copy, restore.

What they want is drawn from few times of few days, so that they are often in each other's way.
Who is refused by the side itself (the room is visibly taken) leaves it at that. The title of a
booking tells its name and how often it was retitled, see ``views``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from calsync.adapters.hub.desk import Precondition
from calsync.errors import CalsyncError
from calsync.mapping.expand import ALWAYS, instances
from calsync.model import Side
from calsync.sandbox.items import expand
from calsync.sandbox.problems import Refusal
from simulation.company import PEOPLE, Company, Place
from simulation.faults import Tally, Weather
from simulation.story import Story
from simulation.views import HIGH, LOW, Feature, Image, Views

ANY = Precondition()
#: Days on which people want rooms; the two last are those of changes of the clock in the room.
DAYS = ("2026-11-23", "2026-11-24", "2026-11-25")
#: Local times that a change of the clock skips or repeats, by zone.
ODD_TIMES = {
    "Europe/Berlin": ("2027-03-28T02:30:00", "2027-10-31T02:30:00"),
    "America/New_York": ("2027-03-14T02:30:00", "2027-11-07T01:30:00"),
    "Australia/Lord_Howe": ("2027-04-04T01:45:00", "2027-10-03T02:15:00"),
}
HOSTILE = (
    "<script>alert(1)</script>", "\u202egnirtS", "=1+1", "A\r\nBcc: x@y.example", "\x1b[31mred",
    "' OR 1=1 --", "\u0000nul", "é" * 300, "\ufeff\u200b", "]]>&amp;",
)  # fmt: skip


class Kind(StrEnum):
    BOOK = "books"
    EDIT = "changes"
    CANCEL = "cancels"
    RESTORE = "restores"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody did on ``side``: ``before`` → ``after``, the item's features there.

    None = no item. ``saw``: where the other side showed the booking at that time, its features
    there. ``asks``: the person waits for an answer. ``over``: all of it lay in the past then, or
    out of the time that is compared. ``part``: one of several events that carry a series was taken
    away; the others stand.
    """

    step: int
    kind: Kind
    side: Side
    room: str
    name: str
    before: frozenset[Feature] | None
    after: frozenset[Feature] | None
    asks: bool = False
    over: bool = False
    part: bool = False

    @property
    def ends(self) -> bool:
        """Nothing of it is wanted any more: it was cancelled, or the last of its dates was."""
        return self.kind is Kind.CANCEL or self.after is None

    @property
    def removes(self) -> bool:
        """An item is gone by it."""
        return self.ends or self.part


@dataclass(slots=True)
class People:
    """``unseen``: whose change met a write of calsync on its way to a server that takes no
    preconditions: it answers as if nothing had been, and what it wrote over cannot be read any
    more. ``copied``: of what people pasted in Outlook, whose tag it bears."""

    company: Company
    views: Views
    weather: Weather
    tally: Tally
    story: Story
    acts: list[Act] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    gone: list[tuple[Place, str, str]] = field(default_factory=list)
    copies: int = 0
    unseen: set[str] = field(default_factory=set)
    copied: dict[str, str] = field(default_factory=dict)
    _names: int = 0

    # -- one act ----------------------------------------------------------------------------

    def act(self, rng: Random, place: Place | None = None) -> bool:
        """Somebody does something. False where it was not possible or was refused."""
        place = place or rng.choice(self.company.places)
        with self.company.process.shelter():
            try:
                return self._choose(rng, place)
            except (Refusal, CalsyncError) as error:
                self.story.note("refused", str(error)[:80])
                return False

    def _choose(self, rng: Random, place: Place) -> bool:
        side = rng.choice((Side.BOOKING, Side.CALENDAR))
        here = self.images(side, place)
        choice = rng.random()
        if choice < 0.42 or not here:
            return self._book(rng, side, place)
        image = rng.choice(here)
        if choice < 0.57:
            return self._cancel(rng, side, place, image)
        if choice < 0.60:
            return self._restore(rng, place)
        if choice < 0.62:
            return self._copy(rng, place)
        return self._edit(rng, side, place, image)

    def touch(self, rng: Random, address: str) -> bool:
        """An organizer or delegate changes something of this mailbox now."""
        place = next((p for p in self.company.places if p.address == address), None)
        here = self.images(Side.CALENDAR, place) if place else []
        if place is None or not here:
            return False
        with self.company.process.shelter():
            try:
                return self._edit(rng, Side.CALENDAR, place, rng.choice(here))
            except (Refusal, CalsyncError):
                return False

    def images(self, side: Side, place: Place) -> list[Image]:
        if side is Side.CALENDAR:
            return self.views.calendar(self.company.box(place))
        return self.company.standing(("images", place.id), lambda: self._bookings(place))

    def _bookings(self, place: Place) -> list[Image]:
        with self.company.hub.read() as tx:
            found = tx.live_bookings([place.id], ALWAYS)
        return self.views.bookings(sorted(found, key=lambda b: b.id), place.zone)

    def image(self, side: Side, place: Place, name: str, uid: str = "") -> Image | None:
        """``uid``: which one is meant where a booking stands in two items for a moment, its former
        one and what calsync makes in its place."""
        found = [one for one in self.images(side, place) if one.name == name]
        if side is Side.CALENDAR and len(found) > 1:
            # A create that a proxy doubled: what people do, they do to the one found by its uid.
            box = self.company.box(place)
            item = box.find_uid(uid or box.items[found[0].key].uid)
            found.sort(key=lambda one: item is None or one.key != item.key)
        return next(iter(found), None)

    # -- booking ----------------------------------------------------------------------------

    def _name(self) -> str:
        self._names += 1
        return f"n{self._names}"

    def _book(self, rng: Random, side: Side, place: Place) -> bool:
        name, shape = self._name(), self._shape(rng, place)
        if side is Side.BOOKING:
            return self._book_platform(rng, place, name, shape)
        return self._book_outlook(rng, place, name, shape)

    def _book_platform(self, rng: Random, place: Place, name: str, shape: Shape) -> bool:
        doc: dict[str, Any] = {
            "title": self._title(rng, name, 0),
            "start": shape.start,
            "duration": shape.duration,
            "bookedBy": {"name": "Booker", "email": f"{name}@platform.example"},
        }
        if shape.all_day:
            doc["showWithoutTime"] = True
        elif shape.zone:
            doc["timeZone"] = shape.zone
        if shape.rule:
            doc["recurrenceRule"] = shape.rule
        made = self.company.bookings.create(place.id, doc)
        self.views.ids[made.booking.id] = name  # type: ignore[union-attr]  # no Once, so no StoredAnswer
        self._done(Kind.BOOK, Side.BOOKING, place, name, None, asks=True)
        shape.count(self.tally)
        return True

    def _book_outlook(self, rng: Random, place: Place, name: str, shape: Shape) -> bool:
        direct = rng.random() < 0.3
        raw: dict[str, Any] = {
            "kind": "book_direct" if direct else "recur" if shape.graph_rule else "book",
            "room": place.address,
            "subject": self._title(rng, name, 0),
            "start": shape.start,
            "end": shape.end,
        }
        if shape.all_day:
            raw["allDay"] = True
        raw["zone"] = shape.label or place.label
        if shape.graph_rule:
            raw["recurrence"] = shape.graph_rule
        if not direct:
            raw["person"] = f"{rng.choice(PEOPLE)}@contoso.example"
        if rng.random() < 0.1:
            raw["sensitivity"] = "private"
        if rng.random() < 0.08:
            raw["showAs"] = rng.choice(("free", "tentative", "oof"))
        if direct and self._taken(place, shape) and rng.random() < 0.9:
            return False  # Few people write over what they see.
        made = self.company.control.act(**raw)
        self.views.uids[made["iCalUId"]] = name
        if made["verdict"] == "declined":
            self.tally.struck(42, "invite")
            self.story.tell("outlook", f"{name} is declined by the room")
            return False
        if made["declinedDates"]:
            self.tally.struck(43, "invite")
        self._done(Kind.BOOK, Side.CALENDAR, place, name, None)
        shape.count(self.tally)
        return True

    def _taken(self, place: Place, shape: Shape) -> bool:
        start, end = shape.span(place)
        return any(
            one.busy and a < end and start < b
            for one in self.images(Side.CALENDAR, place)
            for a, b in one.taken
        )

    def _title(self, rng: Random, name: str, version: int) -> str:
        title = f"{name}.{version}"
        if self.weather.about(55) and rng.random() < 0.2:
            self.tally.struck(55, "title")
            title = f"{title} {rng.choice(HOSTILE)}"
        return title

    # -- changing ---------------------------------------------------------------------------

    def _edit(self, rng: Random, side: Side, place: Place, image: Image) -> bool:
        if image.name.startswith("?"):
            return False
        if side is Side.BOOKING:
            return self._edit_platform(rng, place, image)
        return self._edit_outlook(rng, place, image)

    def _edit_platform(self, rng: Random, place: Place, image: Image) -> bool:
        bookings = self.company.bookings
        if image.series and rng.random() < 0.5:
            slot = self._a_date(rng, place, image)
            if slot is None:
                return False
            patch = None if rng.random() < 0.5 else {"duration": "PT25M"}
            if patch is not None and image.all_day:
                return False
            bookings.patch_occurrence(image.key, slot, patch, ANY)
        else:
            bookings.patch(image.key, self._patch(rng, place, image), ANY)
        self._done(Kind.EDIT, Side.BOOKING, place, image.name, image, asks=True)
        return True

    def _a_date(self, rng: Random, place: Place, image: Image) -> str | None:
        span = ALWAYS
        with self.company.hub.read() as tx:
            found = tx.bookings([image.key]).get(image.key)
        if found is None or found.content.recurrence is None:
            return None
        slots = [
            one.recurrence_id
            for one in instances(found.content, span, place.zone, limit=6)
            if one.recurrence_id is not None
        ]
        return rng.choice(slots).isoformat() if slots else None

    def _patch(self, rng: Random, place: Place, image: Image) -> dict[str, Any]:
        patch: dict[str, Any] = {}
        if rng.random() < 0.6:
            patch["title"] = self._title(rng, image.name, (image.version or 0) + 1 + self._step())
        if not patch or rng.random() < 0.4:
            shape = self._shape(rng, place, plain=True)
            if not image.all_day:
                patch |= {"start": shape.start, "timeZone": shape.zone or place.zone}
        return patch or {"title": f"{image.name}.{self._step()}"}

    def _step(self) -> int:
        """A number that no title has had: steps only grow, and one step holds few acts."""
        return self.story.step * 10 + len(self.acts) % 10

    def _edit_outlook(self, rng: Random, place: Place, image: Image) -> bool:
        box = self.company.box(place)
        item = box.items[image.key]
        seen = self._seen(Side.CALENDAR, place, image.name, item.uid) or image
        raw: dict[str, Any] = {"room": place.address, "iCalUId": item.uid}
        choice = rng.random()
        if image.series and choice < 0.5:
            dates = [one.day for one in _instances(item) if one.day]
            if not dates:
                return False
            raw["date"] = rng.choice(dates).isoformat()
            if choice < 0.3:
                raw["kind"] = "cancel_occurrence"
            else:
                day = raw["date"]
                raw |= {"kind": "move_occurrence", "start": f"{day}T{rng.randint(14, 16)}:30:00"}
        elif choice < 0.75 and not image.all_day:
            shape = self._shape(rng, place, plain=True)
            raw |= {"kind": "move", "start": shape.start, "zone": shape.label or place.label}
        else:
            title = self._title(rng, image.name, (image.version or 0) + 1 + self._step())
            raw |= {"kind": "retitle", "subject": title}
        self.company.control.act(**raw)
        self._done(Kind.EDIT, Side.CALENDAR, place, image.name, seen, uid=item.uid)
        return True

    # -- ending -----------------------------------------------------------------------------

    def _cancel(self, rng: Random, side: Side, place: Place, image: Image) -> bool:
        rest = self._rest(place, image) if side is Side.CALENDAR else None
        seen = image if rest else self._seen(side, place, image.name) or image
        if side is Side.BOOKING:
            self.company.bookings.cancel(image.key, ANY)
        else:
            item = self.company.box(place).items[image.key]
            # Somebody with access to the room's own calendar, or the organizer.
            settled = item.own or item.response[0] == "accepted"
            kind = "remove" if settled and rng.random() < 0.15 else "cancel"
            self.company.control.act(kind=kind, room=place.address, iCalUId=item.uid)
            left = self.company.box(place).find_uid(item.uid)
            if left is not None and left.is_cancelled:
                self.tally.struck(44, "cancel")
            there = self.company.box(place).items.values()
            if item.own and any(one.uid == item.uid for one in there):
                # One of two equal ones: who takes that away does not give the booking up.
                self.story.tell("outlook", f"{place.id}: somebody removes a double of {image.name}")
                return True
            self.gone.append((place, item.uid, image.name))
        self._done(Kind.CANCEL, side, place, image.name, seen, rest=rest)
        return True

    def _restore(self, rng: Random, place: Place) -> bool:
        """Out of Outlook's Deleted Items, back into the calendar."""
        mine = [(uid, name) for where, uid, name in self.gone if where is place]
        if not mine:
            return False
        uid, name = rng.choice(mine)
        box = self.company.box(place)
        lost = next((one for one in box.tombs.values() if one.uid == uid and one.own), None)
        if lost is None or box.find_uid(uid) is not None or not lost.live:
            return False
        self.company.control.world.put(box, lost)
        self._done(Kind.RESTORE, Side.CALENDAR, place, name, None)
        return True

    def _copy(self, rng: Random, place: Place) -> bool:
        """Copy and paste in Outlook: a new item with a new identity, our tag and all else."""
        box = self.company.box(place)
        own = [one for one in box.items.values() if one.own and one.tags and one.rule is None]
        if not own:
            return False
        world, item = self.company.control.world, rng.choice(own)
        by = timedelta(hours=rng.choice((0, 24, 72)))
        slot = item.when
        moved = replace(
            slot,
            start=slot.start + by, end=slot.end + by,
            start_utc=slot.start_utc + by, end_utc=slot.end_utc + by,
        )  # fmt: skip
        name = f"x{self.copies}"
        self.copies += 1
        subject = f"{name}.0"
        made = replace(
            item, key=world.new_key(), uid=world.new_uid(), when=moved, created=0,
            transaction_id=None, props={**item.props, "subject": subject},
        )  # fmt: skip
        self.views.uids[made.uid] = name
        source = image.name if (image := self.views.item(box, item)) is not None else ""
        self.copied[name] = self.copied.get(source, source)
        world.put(box, made)
        self._done(Kind.BOOK, Side.CALENDAR, place, name, None)
        return True

    # -- helpers ----------------------------------------------------------------------------

    def _done(
        self,
        kind: Kind,
        side: Side,
        place: Place,
        name: str,
        before: Image | None,
        *,
        asks: bool = False,
        uid: str = "",
        rest: frozenset[Feature] | None = None,
    ) -> None:
        """``rest``: where but a part of a series is taken away, what its other events show."""
        after = self._seen(side, place, name, uid) if kind is not Kind.CANCEL else None
        was = before.features() if before else None
        now = after.features() if after else None
        over = not _timed(was if now is None else now, self.began())
        if rest is not None:
            # Seed 7812: who takes away a date that stands by itself gives up that date, and sees
            # the series stand.
            dates = {f for f in was or () if f[0] == "at"}
            kind, was, now = Kind.EDIT, rest | dates, rest
        self.acts.append(
            Act(
                step=self.story.step, kind=kind, side=side, room=place.id, name=name,
                before=was, after=now, asks=asks, over=over, part=rest is not None,
            )
        )  # fmt: skip
        self.story.tell(
            "platform" if side is Side.BOOKING else "outlook",
            f"{place.id}: somebody {kind.value} {name}: {words(was)} -> {words(now)}",
        )
        if side is Side.BOOKING:
            self.hints.append(place.id)

    def window(self) -> tuple[datetime, datetime]:
        """What is synced now (UTC, naive)."""
        now = self.company.home.clock.now()
        window = self.company.process.system.context.span.window(now)
        return window.start.replace(tzinfo=None), window.end.replace(tzinfo=None)

    def began(self) -> datetime:
        """Where the window that is synced begins now (UTC, naive): nobody needs what is over."""
        return self.window()[0]

    def in_parts(self, place: Place, name: str) -> bool:
        """Whether several events carry the dates of one series: a date that was moved past its
        neighbour has to stand by itself in Exchange. Each date is there once."""
        booked = [one for one in self.images(Side.BOOKING, place) if one.name == name]
        parts = [one for one in self.images(Side.CALENDAR, place) if one.name == name]
        dates = sum(one.count for one in parts)
        return len(booked) == 1 and booked[0].series and dates <= booked[0].count

    def _rest(self, place: Place, image: Image) -> frozenset[Feature] | None:
        """What the other events show that carry the series of which ``image`` is a part; None where
        it is no part."""
        others = [
            one
            for one in self.images(Side.CALENDAR, place)
            if one.name == image.name and one.key != image.key
        ]
        if not others or not self.in_parts(place, image.name):
            return None
        rest: frozenset[Feature] = frozenset().union(*(one.features() for one in others))
        titles = {f for f in rest if f[0] == "title"}
        return rest - titles if len(titles) > 1 else rest

    def _seen(self, side: Side, place: Place, name: str, uid: str = "") -> Image | None:
        """What a person who acts has before them: of a meeting the organizer's own item,
        which the room's copy may follow a minute later."""
        image = self.image(side, place, name, uid)
        if side is Side.BOOKING or (image is not None and image.own):
            return image
        uid = next((u for u, n in self.views.uids.items() if n == name), "")
        for person in PEOPLE:
            box = self.company.control.world.box(f"{person}@contoso.example")
            item = box.find_uid(uid) if box is not None else None
            if box is not None and item is not None and item.own:
                return self.views.item(box, item)
        return image

    def _shape(self, rng: Random, place: Place, *, plain: bool = False) -> Shape:
        odd = None if plain else self._odd(rng, place)
        if odd is not None:
            return odd
        day, hour = rng.choice(DAYS), rng.randrange(9, 13)
        minute, length = rng.choice((0, 0, 30)), rng.choice((30, 60, 60, 90))
        shape = Shape(f"{day}T{hour:02}:{minute:02}:00", length)
        if not plain and rng.random() < 0.2:
            count = rng.choice((2, 3, 5))
            shape = shape.repeated(rng.choice(("daily", "weekly")), count)
        if not plain and rng.random() < 0.06:
            shape = replace(shape, start=f"{day}T00:00:00", length=1440, all_day=True)
        return shape

    def _odd(self, rng: Random, place: Place) -> Shape | None:
        """Times that few people want, while they are about."""
        if self.weather.about(51) and rng.random() < 0.1 and place.zone in ODD_TIMES:
            return Shape(rng.choice(ODD_TIMES[place.zone]), 45, odd=51)
        if self.weather.about(53) and rng.random() < 0.1:
            day, label = rng.choice(DAYS), rng.choice(("Tokyo Standard Time", "UTC"))
            return Shape(f"{day}T00:00:00", 1440, all_day=True, label=label, odd=53)
        if self.weather.about(54) and rng.random() < 0.1:
            start = rng.choice(
                ("2026-11-26T09:00:00", "2025-01-06T09:00:00", "2026-11-27T10:00:00")
            )
            kind = rng.randrange(4)
            if kind == 0:
                return Shape(start, 0, odd=54)
            if kind == 1:
                return Shape(start, 60 * 24 * 400, odd=54)
            return Shape(start, 60, odd=54).repeated("weekly", 0)
        return None


@dataclass(frozen=True, slots=True)
class Shape:
    """What somebody wants. ``length`` in minutes; ``odd``: the fault that it stands for."""

    start: str
    length: int
    all_day: bool = False
    rule: dict[str, Any] | None = None
    graph_rule: dict[str, Any] | None = None
    zone: str = ""
    label: str = ""
    odd: int = 0

    @property
    def duration(self) -> str:
        return f"P{self.length // 1440}D" if self.all_day else f"PT{self.length}M"

    @property
    def end(self) -> str:
        return (datetime.fromisoformat(self.start) + timedelta(minutes=self.length)).isoformat()

    def repeated(self, frequency: str, count: int) -> Shape:
        """``count`` 0: without end."""
        first = datetime.fromisoformat(self.start)
        pattern: dict[str, Any] = {"type": frequency, "interval": 1}
        if frequency == "weekly":
            pattern |= {"daysOfWeek": [first.strftime("%A").lower()], "firstDayOfWeek": "monday"}
        span: dict[str, Any] = {"type": "noEnd", "startDate": str(first.date())}
        rule: dict[str, Any] = {"frequency": frequency}
        if count:
            span |= {"type": "numbered", "numberOfOccurrences": count}
            rule["count"] = count
        return replace(self, rule=rule, graph_rule={"pattern": pattern, "range": span})

    def span(self, place: Place) -> tuple[datetime, datetime]:
        """The first instance in UTC, naive."""
        zone = ZoneInfo(place.zone)
        start = datetime.fromisoformat(self.start).replace(tzinfo=zone)
        utc = start.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
        return utc, utc + timedelta(minutes=self.length)

    def count(self, tally: Tally) -> None:
        if self.odd:
            tally.struck(self.odd, "book")


def _timed(features: frozenset[Feature] | None, began: datetime) -> bool:
    return features is not None and any(
        f[0] == "at" and isinstance(f[2], datetime) and f[2] > began for f in features
    )


def words(features: frozenset[Feature] | None) -> str:
    """Features for people: the version of the title, and the first times."""
    if features is None:
        return "-"
    titles = [f"v{f[1]}" for f in features if f[0] == "title"]
    times = sorted(f"{f[1]:%m-%d %H:%M}/{f[2]:%H:%M}" for f in features if f[0] == "at")
    more = f" +{len(times) - 3}" if len(times) > 3 else ""
    return " ".join([*titles, *times[:3]]) + more


def _instances(item: Any) -> list[Any]:
    return [one for one in expand(item, LOW, HIGH) if one.live][:6]
