"""The verdict: a black box that reads both stores, the tenant's log, and what people did.

Numbers are those of the invariants in the project's reliability notes. After every step:
2 nothing is taken away that nobody gave up, 4 nothing is written onto time that was known to be
taken, 6 no message twice, 10 nothing goes back to a state that its people had left. At rest:
1 both sides show the same, 2 no act is lost in silence, 3 each booking once, 4 no overlap that
people did not make themselves, 5 few writes, 6 everybody has an answer, 8 quiet, 14 series are
equal instance by instance (each side is expanded by its own rules), 15 each booking can be
explained.

After a restore (faults 50 and 62) a judge who sees only both stores can demand this, and no less:

* What the restored side lost or got back by the restore itself is nobody's fault. So it is looked
  at anew from there; what it has left behind may show again, and what neither side shows any more
  is undone.
* The other side is a witness. What it showed at that moment, and both sides had agreed on, must be
  there in the end as it was, unless people change it after, or a record or something parked says
  what became of it. Of what they had not agreed on, something must be there.
* What people do after the restore counts as ever, with two exceptions that are promised so. Who
  changes an item that was set back takes it as it shows, and so does Exchange where it makes it new
  (an update of the zone rules, delete and create, a move to elsewhere): its state is the newest
  then, and no sign any more. Who cancels on the restored side before the admin has answered may be
  undone: joined anew, nothing is deleted.
* Without a sign nobody can know. Where a calendar merely lacks something, and shows nothing older,
  nothing that was deleted, and not the two newest gone, that counts as deleted by people.
* Where calsync's own memory went back, too, the calendars are the witness: what is gone from them
  stays gone, two that overlap there are mirrored, and records of the lost time are lost. A copy
  that bears the tag of an item which is gone is that item moved, for all that anybody can know.
  What people had changed on the platform when the backup was made, and calsync had not carried by
  then, is carried: where the calendar shows again what they gave up, as it did at the backup, that
  it was carried once and changed back since is known to nobody.
* All the rest holds as ever: no message twice, each booking once, both sides equal, nothing wrong
  with either, quiet. In a round without a restore none of this is excused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from calsync.mapping.booking_values import BookingStatus
from calsync.mapping.expand import ALWAYS, extent
from calsync.model import EditPolicy, Occupancy, Side
from calsync.ports import NoticeState
from calsync.store.reports import ConflictRecord
from simulation.claim import demand
from simulation.company import SENDER, Company, Place
from simulation.people import Act, Kind, People, words
from simulation.story import Story
from simulation.unfounded import unfounded
from simulation.views import CROWD, Feature, Image, Views, meetings, name_in

Place_ = tuple[Side, str]


@dataclass(frozen=True, slots=True)
class _Stood:
    """What a restore left of a booking: the acts from ``number`` on are judged, and before them
    ``act``, which stands for what the other side showed; None where only its presence counts.
    ``back``: what the restored side showed; None where it was not there. ``unheard``: of what
    ``act`` shows, what people had given up on the platform, unheard as far as the backup knows."""

    number: int
    act: Act | None
    back: frozenset[Feature] | None = None
    unheard: frozenset[Feature] = frozenset()


@dataclass(slots=True)
class Judge:
    """``restored``: the side that was set back in this round, by room. ``remembers``: False where
    that was calsync's own database. ``undone``: bookings that a restore took from both sides.
    ``were_there``: what any calendar showed after any step. ``ended_at``: by address, the number of
    acts when it was last told that its booking is cancelled. ``hid``: how many faults struck that
    may hide what was done before; ``struck``: so many until now, and ``hidden``: the number of acts
    by then. ``kept``: versions of titles that an admin who was asked wanted, by name. ``aged``:
    what a restore made items show, for as long as they show that and the other side does not.
    ``to_carry``: by name, what people had given up on the platform when all was backed up, and the
    calendar still showed."""

    company: Company
    people: People
    views: Views
    story: Story
    shown: dict[Place_, list[Image]] = field(default_factory=dict)
    own: set[frozenset[str]] = field(default_factory=set)
    left: dict[tuple[Side, str], set[int]] = field(default_factory=dict)
    mails: int = 0
    sent: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    ended_at: dict[str, int] = field(default_factory=dict)
    read_at: dict[str, int] = field(default_factory=dict)
    round_acts: int = 0
    round_log: int = 0
    judged: int = 0
    parted: set[str] = field(default_factory=set)
    restored: dict[str, Side] = field(default_factory=dict)
    remembers: bool = True
    asked: set[str] = field(default_factory=set)
    overruled: Callable[[], set[str]] = set
    kept: Callable[[], set[tuple[str, int]]] = set
    aged: dict[tuple[Side, str], frozenset[Feature]] = field(default_factory=dict)
    to_carry: dict[str, frozenset[Feature]] = field(default_factory=dict)
    stood: dict[str, _Stood] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    lacking: dict[str, tuple[set[str], set[str]]] = field(default_factory=dict)
    were_there: set[str] = field(default_factory=set)
    hid: Callable[[], int] = int
    struck: int = 0
    hidden: int = 0

    # -- after every step -------------------------------------------------------------------

    def after_step(self) -> None:
        acts = self.people.acts[self.judged :]
        self.judged = len(self.people.acts)
        if (struck := self.hid()) > self.struck:
            self.struck, self.hidden = struck, self.judged
        for act in acts:
            self._left(act)
        for place in self.company.places:
            self._name_the_nameless(place)
            self._name_the_taken_over(place)
            for side in Side:
                self._watch(side, place, acts)
            self.were_there |= {one.name for one in self.shown[Side.CALENDAR, place.id]}
        self._is_aged_still()
        self._mail()

    def _is_aged_still(self) -> None:
        if not self.aged:
            return
        shown = {
            (side, one.name): one.features()
            for (side, _), images in self.shown.items()
            for one in images
        }
        for (side, name), features in list(self.aged.items()):
            if not shown.get((side, name)) == features != shown.get((side.other, name)):
                del self.aged[side, name]

    def _name_the_nameless(self, place: Place) -> None:
        """What calsync makes of a private booking shows no title: it is the one booking of these
        times that the calendar lacks otherwise. A series whose dates need several events may have
        some of them made so: such a one has nothing but dates that the calendar lacks of the one
        series (seed 5766)."""
        events = self.people.images(Side.CALENDAR, place)
        nameless = [e for e in events if e.name.startswith("?") and e.version is None]
        if not nameless:
            return
        there = {one.name for one in events}
        private = [b for b in self.people.images(Side.BOOKING, place) if b.private]
        lacking = [b for b in private if b.name not in there]
        shown: dict[str, set[tuple[datetime, datetime]]] = {}
        for one in events:
            shown.setdefault(one.name, set()).update(one.times)
        for event in nameless:
            fits = [b for b in lacking if b.times == event.times] or [
                b for b in private if b.series and event.times <= b.times - shown.get(b.name, set())
            ]
            if len(fits) == 1:
                name = fits[0].name
                shown.setdefault(name, set()).update(event.times)
                self.views.name(self.company.box(place), event.key, name)

    def _name_the_taken_over(self, place: Place) -> None:
        """Where calsync's own memory went back to when a create was in doubt, and what that had
        made is gone since, all that bears its tag is what people pasted. An item that was made anew
        and moved shows just the same, so the booking follows it: it is the copy's from then on."""
        if self.remembers or not self.people.copied:
            return
        events = _by_name(self.people.images(Side.CALENDAR, place))
        booked = _by_name(self.people.images(Side.BOOKING, place))
        for name, source in self.people.copied.items():
            copy, booking = events.get(name), booked.get(source)
            if copy is None or booking is None or source in events or name in booked:
                continue
            if copy.times == booking.times:
                self.views.name_booking(booking.key, name)
                self.company.changed()

    def _left(self, act: Act) -> None:
        """A title that people replaced on this side must not come back there by itself."""
        if act.kind is Kind.RESTORE:
            # What comes back is as old as it is, on both sides.
            for side in Side:
                self.left.pop((side, act.name), None)
            return
        if self.restored.get(act.room) is act.side:
            # What is set back may win, or lose, with what people made of it.
            self.left.pop((act.side.other, act.name), None)
            return
        if act.before is not None and self.aged.get((act.side, act.name)) == act.before:
            # What was set back and then parked (it had been deleted, or its time is claimed twice)
            # waits for a person to change it, for weeks maybe. Who does takes it as it shows, as
            # right after the restore: seeds 3042, 3489 and 3698.
            self.left.get((act.side.other, act.name), set()).discard(_version(act.before))
        before, after = _version(act.before), _version(act.after)
        left = self.left.setdefault((act.side, act.name), set())
        if after is not None:
            left.discard(after)
        if before is not None and after is not None and before != after:
            left.add(before)

    def _watch(self, side: Side, place: Place, acts: list[Act]) -> None:
        now = self.people.images(side, place)
        before = self.shown.get((side, place.id), [])
        self.shown[side, place.id] = now
        if now == before:
            return
        touched = {a.name for a in acts if a.side is side and a.room == place.id}
        self._gone(side, place, before, now)
        known = {one.key: one for one in before}
        named: dict[str, list[Image]] = {}
        for one in reversed(before):
            named.setdefault(one.name, []).append(one)
        theirs: set[str] = set()
        for image in now:
            # An item that is made anew shows under another key what stood there before; where a
            # create was doubled, one of the two.
            same = named.get(image.name, [])
            as_it_was = [one for one in same if one.version == image.version]
            was = known.get(image.key) or next(iter([*as_it_was, *same]), None)
            if image.name in touched or (was is None and _fills_the_room(side, image)):
                theirs.add(image.key)
            elif was != image and not self._back_beside(side, place, was, image):
                self._written(side, was, image)
        self._own_overlaps(theirs, now)

    def _back_beside(self, side: Side, place: Place, was: Image | None, image: Image) -> bool:
        """Whether ``image`` is what somebody took out of Deleted Items on the other side, while
        calsync, to which no feed had told that yet, made another item there for what its booking
        had become meanwhile. From then on there are two (as the oracle of the core has it): that
        the one shows what it was replaces nothing of the other, which stands beside it as it was
        (seed 5709)."""
        brought = {
            act.after
            for act in self.people.acts
            if act.kind is Kind.RESTORE and act.name == image.name and act.side is side.other
        }
        if was is None or was.key == image.key or image.features() not in brought:
            return False
        here = [one for one in self.shown[side, place.id] if one.key == was.key]
        there = [one for one in self.people.images(side.other, place) if one.name == image.name]
        mirrored = {one.features() for one in there} >= {was.features(), image.features()}
        return mirrored and was.features() in [one.features() for one in here]

    def _own_overlaps(self, keys: set[str], now: list[Image]) -> None:
        """Who books in sight of another booking wants it so. ``keys``: what people booked."""
        for one, other in meetings(now) if keys else ():
            if one.key != other.key and (one.key in keys or other.key in keys):
                self.own.add(frozenset((one.name, other.name)))

    def _gone(self, side: Side, place: Place, before: list[Image], now: list[Image]) -> None:
        here = {one.name for one in now}
        for image in before:
            if image.name in here or self._given_up(image):
                continue
            if self._by_exchange(side, place, image):
                continue
            demand(
                False,
                "2 no lost booking",
                f"{image.name} {words(image.features())} left the {side.value} side of {place.id},"
                " and nobody gave it up",
            )

    def _given_up(self, image: Image) -> bool:
        """People cancelled it, or one date here and another there; or it lost and there is a
        record of that."""
        name = image.name
        if any(a.name == name and a.ends for a in self.people.acts) or name in self._taken():
            return True
        if image.times <= self._dates_given_up(name):
            return True
        lost = name in self._declined_by_room() or name in self.recorded()
        return lost or name in self.overruled()

    def _dates_given_up(self, name: str) -> set[tuple[object, object]]:
        """The dates of a series that people took out of it, on either side."""
        return {
            (start, end)
            for act in self.people.acts
            if act.name == name and act.before is not None and act.after is not None
            for kind, start, end in act.before - act.after
            if kind == "at"
        }

    def _by_exchange(self, side: Side, place: Place, image: Image) -> bool:
        """Whether the tenant itself took the item away, and calsync merely followed: an attendant
        that accepts an update by deleting and making anew, say."""
        if self._by_app(place, image):
            return False
        here = self.people.images(Side.CALENDAR, place)
        return side is Side.CALENDAR or not any(one.name == image.name for one in here)

    def _by_app(self, place: Place, image: Image) -> bool:
        """Whether calsync took the item away (not the room's attendant, not a fault)."""
        box = self.company.box(place)
        uid = next((u for u, n in self.views.uids.items() if n == image.name), None)
        tomb = box.tombs.get(image.key)
        uid = uid or (tomb.uid if tomb is not None else None)
        return any(
            line["who"] == "app"
            and line.get("iCalUId") == uid
            and line["kind"] in ("delete", "decline", "cancel")
            for line in self.company.control.world.log
        )

    def _written(self, side: Side, was: Image | None, image: Image) -> None:
        """What calsync (or the attendant, or a fault of the store) wrote."""
        version = image.version
        if image.apart:
            return  # The title of one date, which shows as the others are gone.
        if version is not None and (was is None or was.version != version):
            back = version in self.left.get((side, image.name), set())
            stood = self.stood.get(image.name)
            if back and stood is not None:
                since = self.people.acts[stood.number :]
                back = not self._joined_anew([a for a in since if a.name == image.name])
            # Asked about both versions, the admin may keep the one that people had left on the
            # other side. That answer is no conflict with a record: seed 2928.
            back = back and (image.name, version) not in self.kept()
            demand(
                not back or image.name in self.recorded(),
                "10 no regression",
                f"{image.name} shows version {version} again on the {side.value} side",
            )

    def _mail(self) -> None:
        mails = self.company.control.world.mails
        for mail in mails[self.mails :]:
            if mail["from"] != SENDER:
                continue
            words_ = (mail["to"], mail["subject"], str(mail.get("body", mail.get("content", ""))))
            told = self.sent[words_]
            again = told > 0 and not self._asked_again(mail["to"], mail["subject"], told)
            demand(not again, "6 notices", f"{mail['to']} gets {mail['subject']!r} twice")
            self.sent[words_] += 1
            if mail["subject"].startswith("Cancelled"):
                self.ended_at[mail["to"]] = len(self.people.acts)
        self.mails = len(mails)

    def _asked_again(self, address: str, subject: str, told: int) -> bool:
        """Who changes a booking asks anew, and may get the same answer. Who moves it to and fro in
        the calendar makes the same news twice, and so does who gives up once more on the platform
        what a restore had brought back there: as often as that, and no more. Who changes there what
        a restore had brought back waits for an answer to that, and one that it is cancelled may say
        what they were told before it (seed 9158). ``told``: so often already."""
        name = address.partition("@")[0]
        acts = [act for act in self.people.acts if act.name == name]
        # Nobody can give up there what is gone there, so each time it stood again.
        gave_up = sum(act.ends and act.side is Side.BOOKING for act in acts)
        if subject.startswith("Cancelled"):
            since = self.people.acts[self.ended_at.get(address, 0) :]
            asked = any(a.name == name and a.asks and a.side is Side.BOOKING for a in since)
            if asked or told < gave_up:
                return True
        if subject.startswith(("Changed", "Cancelled")):
            return sum(act.side is Side.CALENDAR for act in acts) > 1
        return not subject.startswith("Starts soon") and sum(act.asks for act in acts) > 1

    # -- restores ---------------------------------------------------------------------------

    def backed_up(self) -> None:
        """Our database is kept as it is now."""
        self.to_carry.clear()
        for place in self.company.places:
            booked = _by_name(self.people.images(Side.BOOKING, place))
            for image in self.people.images(Side.CALENDAR, place):
                if image.name not in booked:
                    continue
                # (What somebody put there in the calendar after that is to be carried itself.)
                given_up: frozenset[Feature] = frozenset()
                for act in self.people.acts:
                    if act.name == image.name:
                        before, after = act.before or frozenset(), act.after or frozenset()
                        given_up -= after - before
                        given_up |= before - after if act.side is Side.BOOKING else frozenset()
                given_up &= image.features() - booked[image.name].features()
                if given_up:
                    self.to_carry[image.name] = given_up

    def set_back(
        self, side: Side, place: Place, before: list[Image], born: dict[str, int] | None
    ) -> None:
        """``side`` was restored: it showed ``before`` until now. ``born``: where it is a calendar,
        when each of its items was made."""
        self.restored[place.id] = side
        now = self.people.images(side, place)
        self.shown[side, place.id] = now
        was, back = _by_name(before), _by_name(now)
        other = _by_name(self.people.images(side.other, place))
        acts = self.people.acts
        if born is not None:
            self.lacking[place.id] = self._signs(was, back, other, born)
        for name in {*was, *back, *other, *(a.name for a in acts if a.room == place.id)}:
            self.left.pop((side, name), None)
            if name in back and (name not in was or was[name].features() != back[name].features()):
                self.aged[side, name] = back[name].features()
            here = other.get(name)
            if here is None and name not in back:
                self.undone.add(name)
            agreed = here is not None and name in was and was[name].features() == here.features()
            mine = [
                a for a in acts[self.round_acts :] if a.name == name and a.side is not Side.BOOKING
            ]
            copy = here if side is Side.BOOKING else was.get(name)
            if mine and copy is not None and mine[-1].after != copy.features():
                agreed = False  # The room's copy is still to follow its organizer.
            act = None
            if agreed and here is not None:
                act = Act(
                    step=self.story.step, kind=Kind.BOOK, side=side.other, room=place.id,
                    name=name, before=None, after=here.features(),
                )  # fmt: skip
            shows = back[name].features() if name in back else None
            self.stood[name] = _Stood(len(acts), act, shows)

    def renewed(self, place: Place, uids: Container[str]) -> None:
        """Exchange gave these items of the room's calendar a new version, which says nothing of
        their age: those that still show what a restore made of them are no sign of it any more, and
        count as changed to that."""
        if self.restored.get(place.id) is not Side.CALENDAR:
            return
        items, (_, odd) = self.company.box(place).items, self.lacking[place.id]
        for one in self.people.images(Side.CALENDAR, place):
            stood = self.stood.get(one.name)
            if items[one.key].uid not in uids or stood is None or stood.back != one.features():
                continue
            odd.discard(one.name)
            if stood.act is not None and stood.act.after != stood.back:
                self.stood[one.name] = replace(stood, act=None)
            # The platform hears of it as of any change, and may show again what its people had left
            # before the restore (seeds 7855 and 8051); not what they left since.
            since = [a for a in self.people.acts[stood.number :] if a.name == one.name]
            left_since = {_version(a.before) for a in since if a.side is Side.BOOKING}
            if one.version is not None and one.version not in left_since:
                self.left.get((Side.BOOKING, one.name), set()).discard(one.version)

    def forgotten(self) -> None:
        """What calsync knew was set back, too. What was in a calendar once and is gone stays gone,
        though why is known to nobody any more (people took it away, or calsync, which had refused
        it and told so); and of two bookings at one time nobody knows that one had lost. They are
        mirrored as they stand."""
        self.remembers = False
        shown: set[str] = set()
        removed: set[str] = set()
        for place in self.company.places:
            here = self.people.images(Side.CALENDAR, place)
            shown |= {image.name for image in here}
            self._own_overlaps({image.key for image in here}, here)
            removed |= self._removed(place)
        for name in self.to_carry.keys() & self.stood.keys():
            self.stood[name] = replace(self.stood[name], unheard=self.to_carry[name])
        given_up = {a.name for a in self.people.acts if a.ends and a.side is Side.CALENDAR}
        self.gone |= (self.were_there | removed | given_up) - shown

    def _removed(self, place: Place) -> set[str]:
        """What was in the calendar once. A rest is many polls: what was made in one of them, and
        refused in the next, was there after no step, but Exchange knows it (seed 3730)."""
        box = self.company.box(place)
        return {
            image.name
            for item in box.tombs.values()
            if (image := self.views.item(box, item)) is not None
        }

    def trusted(self, place: Place, question: str, rng: Random) -> EditPolicy | None:
        """The side that an admin trusts who knows which one was restored; None: nothing was."""
        side = self.restored.get(place.id)
        if side is None:
            return None
        if not self.remembers:
            # The calendars went on; but the copy may be of a time when the platform was set back.
            return EditPolicy.CALENDAR if "the booking side" in question else None
        if rng.random() < 0.15:
            self.asked.add(place.id)
            return EditPolicy.ASK
        return EditPolicy(side.other.value)

    def _since(self, name: str, acts: list[Act]) -> list[Act]:
        """Of ``acts``, those of the booking that no restore undid."""
        stood = self.stood.get(name)
        if stood is None:
            return [a for a in acts if a.name == name]
        mine = [a for a in self.people.acts[stood.number :] if a.name == name]
        if not self.remembers and any(a.removes and a.side is Side.CALENDAR for a in mine):
            # Of an event that calsync forgot it knows no more than that it is gone.
            return []
        if self._joined_anew(mine):
            return []
        if stood.act is None or any(a.side is not stood.act.side for a in mine):
            # Who changes an item that was set back chooses what it shows.
            return mine
        if mine and mine[0].before is not None:
            # An organizer has their own item before them, which the room's copy had not followed.
            before = mine[0].before | (stood.act.after or frozenset())
            mine[0] = replace(mine[0], before=before)
        return [stood.act, *mine]

    def _joined_anew(self, since: list[Act]) -> bool:
        """Whether one of the acts ``since`` a restore ended a booking, and the admin's answer may
        undo that: joined anew nothing is deleted, for what is missing may be what the restore
        took."""
        return any(
            a.removes and (self.restored[a.room] is a.side or a.room in self.asked) for a in since
        )

    def _signs(
        self,
        was: dict[str, Image],
        back: dict[str, Image],
        other: dict[str, Image],
        born: dict[str, int],
    ) -> tuple[set[str], set[str]]:
        """What a restored calendar lacks, and which items in it show that it was restored: those in
        an older state, those that were deleted, and the newest that are gone, two or more."""
        lacks = {name for name in was if name in other and name not in back}
        # Whether the calendar had them calsync did not know; now it hears that they are not there.
        self.gone |= lacks & self._waiting()
        lacks -= self.gone
        # That it was deleted calsync knows for sure where it was so at the last rest.
        lately = {a.name for a in self.people.acts[self.round_acts :]}
        odd = {name for name in back.keys() - lately if name not in was and name not in other}
        odd |= {
            name
            for name, one in was.items()
            if name in back
            and name in other
            and other[name].features() == one.features() != back[name].features()
        }
        newest = max((born[name] for name in back if name in was and name in other), default=0)
        # What is over is not looked for any more, and shows nothing.
        began = self.people.began()
        sought = {
            name
            for shown in (was, back)
            for name, one in shown.items()
            if any(end > began for _, end in one.taken)
        }
        missing = lacks & sought
        if len(missing) > 1 and all(born[name] > newest for name in missing):
            odd |= missing
        return lacks, odd & sought

    def _waiting(self) -> set[str]:
        """Who has no answer on the platform: whether the calendar has it nobody knows."""
        with self.company.hub.read() as tx:
            found = tx.bookings(sorted(self.views.ids))
        return {self.views.ids[b.id] for b in found.values() if b.status is BookingStatus.PENDING}

    def _taken(self) -> set[str]:
        """What one lacks that shows no sign of a restore may as well have been deleted by people
        who changed their mind, and is taken for that: what calsync promises needs a sign. One
        that somebody changed since is none any more."""
        taken = set(self.gone)
        for place, (lacks, odd) in self.lacking.items():
            touched = {
                a.name
                for a in self.people.acts[self.round_acts :]
                if a.room == place and a.side is Side.CALENDAR and a.name in self.stood
                if self.people.acts.index(a) >= self.stood[a.name].number
            }
            if not odd - touched:
                taken |= lacks
        return taken

    # -- records ----------------------------------------------------------------------------

    def recorded(self) -> set[str]:
        """Names of bookings of which calsync keeps a visible record that they lost something."""
        return set(self.records())

    def records(self) -> dict[str, set[Feature]]:
        """By name: the features that stand in records (conflicts, refusals)."""
        found: dict[str, set[Feature]] = {}
        with self.company.process.shelter():
            conflicts = self._conflicts()
            names = self._link_names({r.conflict.link_id for r in conflicts})
        for record in conflicts:
            lost = record.conflict.lost
            named = name_in(lost.title) if lost is not None else None
            for name in {names.get(record.conflict.link_id), named[0] if named else None}:
                if name is not None:
                    known = found.setdefault(name, set())
                    if named:
                        known.add(("title", named[1], None))
        for key in self._refused():
            found.setdefault(self.views.ids[key], set())
        return found

    def _conflicts(self) -> list[ConflictRecord]:
        return self.company.standing(
            "conflicts", lambda: self.company.home.reports.conflicts(limit=10_000)
        )

    def _link_names(self, ids: set[str]) -> dict[str, str]:
        names = {}
        for link in self.company.home.store.links_by_id(sorted(ids)):
            key = (link.booking.key or "").partition("#")[0]
            name = self.views.ids.get(key) or self.views.uids.get(link.event.uid)
            name = name or self.views.uids.get(link.booking.uid)
            if name is not None:
                names[link.id] = name
        return names

    def _refused(self) -> list[str]:
        """Ids of bookings that people made on the platform and that were refused."""
        with self.company.hub.read() as tx:
            found = tx.bookings(list(self.views.ids))
        return [
            key
            for key, booking in found.items()
            if booking.status is BookingStatus.REJECTED or booking.refusal is not None
        ]

    # -- at rest ----------------------------------------------------------------------------

    def begin_round(self) -> None:
        self.undone |= self._taken()
        self.people.unseen.clear()
        self.parted.clear()
        self._parted()
        self.round_acts = len(self.people.acts)
        self.round_log = len(self.company.control.world.log)
        self.restored.clear()
        self.asked.clear()
        self.stood.clear()
        self.gone.clear()
        self.lacking.clear()
        self.remembers = True

    def at_rest(self) -> None:
        with self.company.process.shelter():
            parked = self._parked()
            for place in self.company.places:
                self._equal(place, parked)
                self._once(place, parked)
                self._secret(place)
                self._overlaps(place, parked)
            self._nothing_vanished(parked)
            self._nobody_lost_for_nothing()
            self._acts_survive(parked)
            self._answers(parked)
            self._explained()

    def _parked(self) -> set[str]:
        names: set[str] = set()
        for link in self.company.home.reports.parked():
            key = (link.booking.key or "").partition("#")[0]
            for name in (
                self.views.ids.get(key),
                self.views.uids.get(link.event.uid),
                self.views.uids.get(link.booking.uid),
                *(
                    named[0]
                    for occ in (link.base, link.booking.seen, link.event.seen)
                    if occ is not None and (named := name_in(occ.title))
                ),
            ):
                if name is not None:
                    names.add(name)
        return names

    def _equal(self, place: Place, parked: set[str]) -> None:
        """1 and 14: instance by instance, and in what can be seen of them."""
        shown = {}
        began, parted = self.people.began(), self._parted()
        for side in Side:
            rows = [
                (start, end, one.all_day, one.busy, one.private, _title(one, parted))
                for one in self.people.images(side, place)
                if one.name not in parked
                for start, end in one.times
                if end > began
            ]
            # Two dates of one series may come to lie at one time: an image shows that once, and
            # two events that carry one date each show it twice.
            shown[side] = Counter(
                {row: 1 if row[5] in parted else n for row, n in Counter(rows).items()}
            )
        extra = {
            side: sorted((shown[side] - shown[other]).elements(), key=str)[:4]
            for side, other in ((Side.BOOKING, Side.CALENDAR), (Side.CALENDAR, Side.BOOKING))
        }
        demand(
            not any(extra.values()),
            "1 convergence",
            f"{place.id}: only "
            + ", only ".join(f"{s.value}: {_say(v)}" for s, v in extra.items() if v),
        )

    def _secret(self, place: Place) -> None:
        """13: of what is private only the time leaves Exchange."""
        told = [
            one.title
            for one in self.people.images(Side.BOOKING, place)
            if one.private and one.title
        ]
        demand(not told, "13 privacy", f"{place.id}: the platform knows {told}")

    def _once(self, place: Place, parked: set[str]) -> None:
        restored = {a.name for a in self.people.acts if a.kind is Kind.RESTORE}
        for side in Side:
            counts = Counter(one.name for one in self.people.images(side, place))
            twice = [n for n, c in counts.items() if c > 1 and n not in parked | restored]
            if side is Side.CALENDAR:
                twice = [n for n in twice if not self.people.in_parts(place, n)]
            demand(not twice, "3 no duplicates", f"{twice} on the {side.value} side")
        invented = [
            one.title
            for side in Side
            for one in self.people.images(side, place)
            if one.name.startswith("?")
        ]
        demand(not invented, "3 nothing invented", invented)

    def _overlaps(self, place: Place, parked: set[str]) -> None:
        here = [one for one in self.people.images(Side.BOOKING, place) if one.name not in parked]
        for one, other in meetings(here, self.people.began()):
            if one.name == other.name or frozenset((one.name, other.name)) in self.own:
                continue
            demand(
                self._untellable(one, other),
                "4 no double booking",
                f"{place.id}: {one.name} {words(one.features())} and {other.name}"
                f" {words(other.features())}",
            )

    def _untellable(self, one: Image, other: Image) -> bool:
        """Items of the room's own calendar have nobody who could be refused (ADR 0006)."""
        born = {
            a.name: a.side
            for a in reversed(self.people.acts)
            if a.kind in (Kind.BOOK, Kind.RESTORE)
        }
        return all(born.get(name) is Side.CALENDAR for name in (one.name, other.name))

    def _nobody_lost_for_nothing(self) -> None:
        records = self._conflicts()
        ids = {i for r in records for i in (r.conflict.link_id, r.conflict.other_link_id) if i}
        wrong = unfounded(records, self._link_names(ids), self.people.acts)
        demand(not wrong, "4 a clash of two that met", "; ".join(wrong))

    def _nothing_vanished(self, parked: set[str]) -> None:
        here = {
            one.name
            for place in self.company.places
            for side in Side
            for one in self.people.images(side, place)
        }
        cancelled = {a.name for a in self.people.acts if a.ends} | self._taken()
        missing = {a.name for a in self.people.acts} - here - parked - cancelled
        missing -= self._declined_by_room() | self._outside() | self.undone | self.overruled()
        missing -= {name for name in missing if self._emptied(name)}
        if missing:
            missing -= self.recorded()
        demand(not missing, "2 no lost booking", f"{sorted(missing)} vanished")

    def _emptied(self, name: str) -> bool:
        """Whether a series has no date left though calsync took none of them: its organizer gave
        up some, and the room's attendant declined the others."""
        uids = {uid for uid, whose in self.views.uids.items() if whose == name}
        kept = any(
            item.uid in uids and item.rule is not None
            for place in self.company.places
            for item in self.company.box(place).items.values()
        )
        return kept and not any(
            line["who"] == "app" and line.get("iCalUId") in uids
            for line in self.company.control.world.log
        )

    def _declined_by_room(self) -> set[str]:
        """Whom the room's own attendant declined: Exchange told them."""
        return {
            self.views.uids[line["iCalUId"]]
            for line in self.company.control.world.log
            if line["who"] == "attendant"
            and line["kind"] == "declined"
            and line["iCalUId"] in self.views.uids
        }

    def _declined_in_part(self) -> set[str]:
        """Series of which the room's attendant took some dates only, at some time."""
        return {
            self.views.uids.get(line.get("iCalUId", ""), "")
            for line in self.company.control.world.log
            if line["who"] == "attendant" and line["kind"] == "accepted" and line["reason"]
        }

    def _taken_in_again(self) -> set[str]:
        """Meetings that somebody took out of the room, and that its attendant put back when the
        organizer's last change reached it."""
        removed: set[str] = set()
        back: set[str] = set()
        for number, line in enumerate(self.company.control.world.log):
            name = self.views.uids.get(line.get("iCalUId", ""), "")
            if line["kind"] == "remove":
                removed.add(name)
            elif number < self.round_log:
                continue
            elif line["who"] == "attendant" and line["kind"] == "accepted" and name in removed:
                back.add(name)
        return back

    def _parted(self) -> set[str]:
        """Series whose dates stand in several events: an act on one of these is no act on all."""
        parted: set[str] = set()
        for place in self.company.places:
            counts = Counter(one.name for one in self.people.images(Side.CALENDAR, place))
            parted |= {n for n, c in counts.items() if c > 1 and self.people.in_parts(place, n)}
        self.parted |= parted
        return self.parted

    def _declined_by_us(self) -> set[str]:
        """Meetings that the platform gave up: their organizers have the room's answer, whatever
        they changed since it was sent."""
        gave_up = {a.name for a in self.people.acts if a.ends and a.side is Side.BOOKING}
        return gave_up & {
            self.views.uids.get(line.get("iCalUId", ""), "")
            for line in self.company.control.world.log
            if line["who"] == "app" and line["kind"] == "decline"
        }

    def _outside(self, since: int = 0) -> set[str]:
        """Booked for a time in which nothing is compared, by an act from number ``since`` on."""
        return {a.name for a in self.people.acts[since:] if a.over}

    def _acts_survive(self, parked: set[str]) -> None:
        """2: each part of each act is in the end state, was overruled in sight of it, or is kept
        in a record."""
        acts = self.people.acts[self.round_acts :]
        special = {a.name for a in self.people.acts if a.kind is Kind.RESTORE}
        special |= parked | self._declined_by_room() | self._declined_by_us()
        special |= self.overruled()
        special |= (
            self._outside(self.round_acts)
            | self.people.unseen
            | self._taken_in_again()
            | self._parted()
        )
        in_part = self._declined_in_part()
        shown_since = {a.name for a in self.people.acts[self.hidden :]}
        records: set[str] | None = None
        for name in {**{a.name: None for a in acts}, **dict.fromkeys(self.stood)}:
            mine = self._since(name, acts)
            if name in special | self._taken() or not mine:
                continue
            if self.restored and self._past(mine):
                continue  # Nobody brings back what was over.
            if name not in shown_since and self._past(mine):
                continue  # A fault hid it, and it was over when the daily compare looked.
            place = next(p for p in self.company.places if p.id == mine[0].room)
            image = self.people.image(Side.BOOKING, place, name)
            if image is None and self._emptied(name):
                continue
            end = image.features() if image is not None else None
            untold = self._untold(mine, image)
            stood = self.stood.get(name)
            if stood is not None and mine[0] is stood.act:
                # It stands there as before what is still to be carried: seed 7649.
                mine = [_without(mine[0], stood.unheard), *mine[1:]]
            declined = self.views.declined(self.company.box(place), name)
            if declined:
                mine = [_without(a, declined) for a in mine]
            if name in in_part:
                # Which dates were declined changes with every change of the series.
                mine = [_undated(a) for a in mine]
            lost = _lost(mine, end)
            if lost is not None and untold:
                # Of a title that a side does not show nothing is promised.
                lost = _lost([_untitled(a) for a in mine], end)
            if lost is None:
                continue
            records = self.recorded() if records is None else records
            demand(
                name in records,
                "2 no act is lost in silence",
                f"{name}: {lost.kind.value} {words(lost.before)} -> {words(lost.after)} on the "
                f"{lost.side.value} side; in the end {words(end)}",
            )

    def _past(self, acts: list[Act]) -> bool:
        began = self.people.began()
        return all(
            isinstance(end, datetime) and end <= began
            for act in acts
            for features in (act.before, act.after)
            for kind, _, end in features or ()
            if kind == "at"
        )

    @staticmethod
    def _untold(acts: list[Act], end: Image | None) -> bool:
        hidden = end is not None and end.version is None
        return hidden or any(
            f is not None and _version(f) is None for a in acts for f in (a.before, a.after)
        )

    def _answers(self, parked: set[str]) -> None:
        """6: nobody waits for ever."""
        outside = self._outside()
        with self.company.hub.read() as tx:
            found = tx.bookings(sorted(self.views.ids))
        for key, booking in found.items():
            if self.views.ids[key] in parked | outside or self._is_over(booking.content):
                continue
            demand(
                booking.status is not BookingStatus.PENDING,
                "6 notices",
                f"{self.views.ids[key]} still waits for its answer",
            )
        stuck = self.company.home.reports.notice_counts().get(NoticeState.SENDING, 0)
        demand(not stuck, "6 notices", f"{stuck} notices are being sent for ever")

    def _is_over(self, occ: Occupancy) -> bool:
        """Nobody needs an answer about what is over."""
        last = extent(occ, "UTC")[1]
        return last is not None and last <= self.company.home.clock.now() - timedelta(hours=14)

    def _explained(self) -> None:
        """15: what calsync made can be asked about."""
        with self.company.hub.read() as tx:
            for place in self.company.places:
                held = [b for b in tx.live_bookings([place.id], ALWAYS) if b.tag]
                keys = [b.id for b in held[:2]]
                break
            else:
                keys = []
        for key in keys:
            demand(
                bool(self.company.home.reports.explain(key)), "15 explainable", f"{key} is a riddle"
            )

    # -- quiet ------------------------------------------------------------------------------

    def quiet(self, cycles: Callable[[bool], None]) -> None:
        """8: at rest nothing is written, not even by a full compare."""
        for full in (False, True):
            before = self._writes()
            cycles(full)
            after = self._writes()
            demand(before == after, "8 quiescence", f"{before} -> {after} at rest (full: {full})")

    def is_empty(self, place: Place, question: str) -> bool:
        """What an admin finds who looks at the side of which the guard says that it is empty. What
        is over, or lies beyond what is synced, was not missed there, and is no answer to that."""
        side = next(s for s in Side if f"the {s.value} side" in question)
        begin, finish = self.people.window()
        return not any(
            start < finish and end > begin
            for image in self.people.images(side, place)
            for start, end in image.taken
        )

    def _writes(self) -> tuple[int, int, int]:
        """App writes to mailboxes; the hub's change number; conflict records."""
        app = sum(line["who"] == "app" for line in self.company.control.world.log)
        with self.company.process.shelter():
            with self.company.hub.read() as tx:
                number = tx.numbers()[0]
            conflicts = len(self._conflicts())
        return app, number, conflicts


# -- parts of acts --------------------------------------------------------------------------


def _by_name(images: Iterable[Image]) -> dict[str, Image]:
    return {one.name: one for one in images}


def _version(features: frozenset[Feature] | None) -> int | None:
    if features is None:
        return None
    return next((int(str(f[1])) for f in features if f[0] == "title"), None)


def _title(image: Image, parted: set[str]) -> str:
    """What both sides must show; what is not for showing, or no text of ours, is left out. Of a
    series in several events each may have a title of its own, which the booking has by date."""
    if image.name in parted:
        return image.name
    if image.private:
        return ""
    return f"{image.name} v{image.version}" if image.version is not None else image.title.strip()


def _without(act: Act, declined: frozenset[Feature]) -> Act:
    return replace(
        act,
        before=None if act.before is None else act.before - declined,
        after=None if act.after is None else act.after - declined,
    )


def _undated(act: Act) -> Act:
    return replace(
        act,
        before=None if act.before is None else act.before - _visible(act.before),
        after=None if act.after is None else act.after - _visible(act.after),
    )


def _untitled(act: Act) -> Act:
    return replace(
        act,
        before=None if act.before is None else _visible(act.before),
        after=None if act.after is None else _visible(act.after),
    )


def _visible(features: frozenset[Feature]) -> frozenset[Feature]:
    return frozenset(f for f in features if f[0] != "title")


def _say(found: Sequence[tuple[object, ...]]) -> str:
    return "; ".join(" ".join(str(part) for part in one) for one in found)


def _lost(acts: list[Act], end: frozenset[Feature] | None) -> Act | None:
    """The first act of which something is missing in the end that nobody overruled in sight."""
    for number, act in enumerate(acts):
        later = acts[number + 1 :]
        if act.after is None:
            revived = any(a.after is not None and a.before is None for a in later)
            if end is not None and not revived:
                return act
            continue
        before = act.before or frozenset()
        earlier = frozenset().union(*(a.before or frozenset() for a in acts[: number + 1]))
        # Who goes back to an earlier state (A-B-A) changed nothing in the end.
        added = act.after - before - earlier
        taken = before - act.after
        if act.after & earlier - before:
            # Nor did the way there: what they made of it meanwhile is theirs to take back, and
            # stays somebody else's who wants the same.
            taken -= _made_on(act.side, acts[:number])
        for other in later:
            if other.before is None:
                continue
            after = other.after or frozenset()
            added -= other.before - after
            taken -= after - other.before
        if end is None:
            if added or taken:
                cancelled = any(a.after is None for a in acts)
                if not cancelled or added & _unseen_by_cancel(acts, number):
                    return act
            continue
        if added - end or taken & end:
            return act
    return None


def _fills_the_room(side: Side, image: Image) -> bool:
    """Whether it is one of the thousands that people have in a room's calendar (fault 56), of which
    no act tells; from the thousand-and-first on their names began otherwise than was looked for
    (seed 6968). What calsync makes of one on the platform is calsync's."""
    name = image.name
    return side is Side.CALENDAR and name.startswith("x") and int(name[1:]) >= CROWD


def _made_on(side: Side, acts: list[Act]) -> frozenset[Feature]:
    """What people put there on this side."""
    made = ((a.after or frozenset()) - (a.before or frozenset()) for a in acts if a.side is side)
    return frozenset().union(*made)


def _unseen_by_cancel(acts: list[Act], number: int) -> frozenset[Feature]:
    """Features that the cancelling person did not see."""
    for act in acts[number + 1 :]:
        if act.after is None and act.before is not None:
            return (acts[number].after or frozenset()) - act.before
    # Cancelled before: the change was made on the other side, out of sight.
    return acts[number].after or frozenset()
