"""Observations and links in, changed links out: steps 1 and 2 of a plan (see ``plan``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from calsync.model import (
    Link,
    LinkState,
    Observation,
    Pair,
    Presence,
    Ruling,
    Seen,
    Side,
    Skip,
    Unknown,
    is_theirs,
)
from calsync.reconcile.join import Joiner, is_heir, never_read, strangers, succeed
from calsync.reconcile.observe import accept, last_seen, may_be_remade, moved_unheard
from calsync.reconcile.rebase import bury, with_half
from calsync.reconcile.remade import (
    Vanished,
    came_late,
    made_twice,
    outlived,
    replaced,
    under_new_key,
)
from calsync.reconcile.sent import as_tried


class Intake:
    """``all``: the links as they were given; ``changed``: those about which something is to be
    decided, in their newest state, by id. ``tagged``: by side and tag, the new link of an item
    that names a link which nobody knows."""

    def __init__(self, *, pair: Pair, now: datetime, importing: bool) -> None:
        self._pair, self._now, self._importing = pair, now, importing
        self.all: list[Link] = []
        self.changed: dict[str, Link] = {}
        self.skips: list[Skip] = []
        self.rulings: list[Ruling] = []
        self._matched: dict[Side, set[str]] = {Side.BOOKING: set(), Side.CALENDAR: set()}
        self._returned: list[tuple[Link, dict[Side, Seen | Unknown]]] = []
        self._unread: dict[tuple[Side, str], Link] = {}
        self._vanished: dict[Side, Vanished] = {}
        self._former: dict[tuple[Side, str], Link] = {}
        self._shown: dict[Side, Mapping[str, Observation]] = {}
        self.tagged: dict[tuple[Side, str], str] = {}

    # -- 1 ----------------------------------------------------------------------------------

    def observe(
        self,
        links: Iterable[Link],
        bookings: Mapping[str, Observation],
        events: Mapping[str, Observation],
    ) -> None:
        booked, evented = self._matched[Side.BOOKING], self._matched[Side.CALENDAR]
        active = LinkState.ACTIVE
        for link in links:
            self.all.append(link)
            b, e = link.booking, link.event
            ob = oe = None
            if b.key is not None:
                ob = bookings.get(b.key)
                booked.add(b.key)
            if e.key is not None:
                oe = events.get(e.key)
                evented.add(e.key)
            # The usual case first, and cheaply: both sides as agreed, nothing pending.
            base = link.base_fingerprint
            if (
                base
                and b.fingerprint == base
                and e.fingerprint == base
                and link.state is active
                and not link.pending
                and not link.in_flight
                and (ob is None or _same(ob, b.version, base))
                and (oe is None or _same(oe, e.version, base))
                and not link.attempts
                and not (e.waits or e.declined)
            ):
                continue
            self._absorb(link, ob, oe)
        if self._returned:
            self._vanished = {side: Vanished(side, self.all, self.changed) for side in Side}
        for tomb, back in self._returned:
            self._revive(tomb, back)

    def _absorb(self, link: Link, ob: Observation | None, oe: Observation | None) -> None:
        before = link
        offered = ((Side.BOOKING, ob), (Side.CALENDAR, oe))
        if link.state is LinkState.BURIED:
            back = {
                side: obs
                for side, obs in offered
                if (isinstance(obs, Seen) and obs.mark > link.half(side).mark)
                # It was shown again, but the read that has to confirm it failed: look again.
                or (isinstance(obs, Unknown) and not obs.poison)
            }
            if back:
                self._returned.append((link, back))
            return
        side = never_read(link)
        if side is not None and isinstance(dict(offered)[side], Seen):
            # Now it shows whose it is: perhaps our own create, which another link waits for.
            key = link.half(side).key
            assert key is not None
            self._unread[side, key] = link
            self._matched[side].discard(key)
            return
        for side, obs in offered:
            if obs is None:
                continue
            taken = accept(link, side, obs, self._now)
            if taken is None:
                self.skips.append(Skip(link.id, f"late reading of the {side.value} side dropped"))
                continue
            link = taken
        if before.state is LinkState.PARKED and _content_changed(before, link):
            # Somebody changed it since it was parked: that is a new chance.
            link = replace(link, state=LinkState.ACTIVE, reason="", attempts=0)
        self.changed[link.id] = link

    def _revive(self, tomb: Link, back: Mapping[Side, Seen | Unknown]) -> None:
        """An item came back after its burial (restored by a person): a new life, a new link, if
        none waits for it. Where both sides came back they are still one booking."""
        if len(back) == 1:
            ((side, obs),) = back.items()
            if self._takes_the_place(tomb, side, obs):
                return
            if isinstance(obs, Seen) and self._same_booking(tomb, side, obs, in_flight=True):
                # It is read again when it is known what became of the one that is being made.
                back = {side: Unknown(key=obs.key, reason="its booking is just made anew")}
        new = self._awaits(tomb, back) or succeed(tomb, next(iter(back)))
        for side, obs in back.items():
            half = tomb.half(side)
            new = with_half(new, side, replace(half, presence=Presence.GONE))
            new = accept(new, side, obs, self._now) or new
            tomb = with_half(tomb, side, replace(half, key=None))
        if is_theirs(new.event.key):
            # Whose meeting it is, is not forgotten: what people made is never deleted.
            new = replace(new, organizer=tomb.organizer, origin=tomb.origin)
        self.changed[tomb.id] = tomb
        self.changed[new.id] = new

    def _takes_the_place(self, tomb: Link, side: Side, obs: Seen | Unknown) -> bool:
        """True where the present life of the same booking has vanished there, and that is not
        carried over yet: somebody deleted it and restored the former one instead."""
        if not isinstance(obs, Seen):
            return False
        was = self._vanished[side].take(obs)
        was = was or self._same_booking(tomb, side, obs, presence=Presence.GONE)
        if was is None:
            return False
        self.changed[tomb.id] = with_half(tomb, side, replace(tomb.half(side), key=None))
        self._under_new_key(was, side, obs)
        return True

    def _awaits(self, tomb: Link, back: Mapping[Side, Seen | Unknown]) -> Link | None:
        """The link of the same booking whose item is just to be made anew where one came back."""
        if len(back) != 1:
            return None
        ((side, obs),) = back.items()
        if not isinstance(obs, Seen):
            return None
        return self._same_booking(tomb, side, obs)

    def _same_booking(
        self,
        tomb: Link,
        side: Side,
        obs: Seen,
        *,
        presence: Presence = Presence.NEVER,
        in_flight: bool = False,
    ) -> Link | None:
        """The link that is now what ``tomb`` was; its half on ``side`` is in this ``presence``."""
        for link in ({link.id: link for link in self.all} | self.changed).values():
            waits = link.state is LinkState.ACTIVE and link.half(side).presence is presence
            if waits and link.in_flight is in_flight:
                uid = link.half(side.other).uid
                if (uid and uid == obs.uid) or is_heir(link, tomb, side.other):
                    return link
        return None

    # -- 2 ----------------------------------------------------------------------------------

    def join(self, bookings: Mapping[str, Observation], events: Mapping[str, Observation]) -> None:
        new_bookings = strangers(bookings, self._matched[Side.BOOKING])
        new_events = strangers(events, self._matched[Side.CALENDAR])
        if not new_bookings and not new_events:
            return
        known = {link.id: link for link in self.all}
        known.update(self.changed)
        self._shown = {Side.BOOKING: bookings, Side.CALENDAR: events}
        joiner = Joiner(self._pair, known.values(), importing=self._importing)
        self._vanished = {side: Vanished(side, self.all, self.changed) for side in Side}
        # Bookings first: the link of a booking that was made anew (a restored database) must
        # stand before the event that carries its tag asks for it.
        for side, found in ((Side.BOOKING, new_bookings), (Side.CALENDAR, new_events)):
            # A copy bears the tag of what it was copied from: whose item it is by its own identity
            # is asked first; of two that are one link's, what was made in place of the other.
            for obs in sorted(
                found,
                key=lambda one: (not _replaces(one), not self._vanished[side].identified(one)),
            ):
                self._adopt(joiner, side, obs)

    def _adopt(self, joiner: Joiner, side: Side, obs: Observation) -> None:
        unread = self._unread.get((side, obs.key))
        unread = unread and self.changed.get(unread.id, unread)
        link = None
        # Unless its other side has come in this plan, too, and was joined to it.
        if isinstance(obs, Seen) and (
            self._replaces(joiner, side, obs, unread)
            or self._late(joiner, side, obs, unread)
            or self._outlives(joiner, side, obs, unread)
        ):
            return
        if isinstance(obs, Seen) and (unread is None or never_read(unread) is side):
            was = self._vanished[side].take(obs)
            if was is not None:
                self._give_way(joiner, side, unread)
                self._under_new_key(was, side, obs)
                return
            link = joiner.waiting(side, obs)
            if link is None and self._second(joiner, side, obs, unread):
                return
        joined = link is not None
        if not joined and isinstance(obs, Seen) and self._twin(joiner, side, obs, unread):
            obs = Unknown(key=obs.key, reason="it may be another item, made anew")
        if joined:
            self._give_way(joiner, side, unread)
        link = link or unread or joiner.fresh(side, obs)
        link = self.changed.get(link.id, link)
        taken = accept(link, side, obs, self._now)
        if taken is None:
            return
        if joined and isinstance(obs, Seen):
            why = "recognised by our tag" if obs.tag == link.id else "the same on both sides"
            if taken.base is None:
                taken = as_tried(taken, link, side, obs)
            if link.base is None and taken.base is not None:
                taken = moved_unheard(taken, side, obs, taken.base, self._now)
            taken = replace(taken, in_flight=False, origin=_origin(taken, side, obs))
            taken = replace(taken, state=LinkState.ACTIVE, reason="")
            self.rulings.append(Ruling(link.id, "join", why))
        joiner.links[taken.id] = taken
        self.changed[taken.id] = taken
        if isinstance(obs, Seen):
            joiner.note(side, taken, obs)
            if obs.tag is not None and not joined:
                self.tagged[side, obs.tag] = taken.id

    def _twin(self, joiner: Joiner, side: Side, obs: Seen, unread: Link | None) -> bool:
        """Whether ``obs`` has to be read again, to tell it from an item that has a link."""
        heard = unread.half(side).created if unread is not None else None
        return joiner.in_doubt(side, obs) or any(
            may_be_remade(self.changed.get(twin.id, twin), side, obs, heard=heard, now=self._now)
            for twin in joiner.holding(side, obs.uid)
        )

    def _named(self, joiner: Joiner, obs: Seen) -> Link | None:
        """The link of this room that it names."""
        link = joiner.links.get(obs.tag) if obs.tag is not None else None
        return link if link is not None and link.pair_id == self._pair.id else None

    def _replaces(self, joiner: Joiner, side: Side, obs: Seen, unread: Link | None) -> bool:
        """True where it is what we made in place of another item of its link."""
        link = self._named(joiner, obs)
        if link is None:
            return False
        both = replaced(self.changed.get(link.id, link), side, obs, self._now)
        if both is None:
            return False
        self._give_way(joiner, side, unread)
        self._vanished[side].found(link.id)
        if uid := both[0].half(side).uid:
            self._former[side, uid] = next((one for one in self.all if one.id == link.id), link)
        for one in both:
            joiner.links[one.id] = self.changed[one.id] = one
        self.rulings.append(Ruling(link.id, "join", "made in place of its former item"))
        return True

    def _outlives(self, joiner: Joiner, side: Side, obs: Seen, unread: Link | None) -> bool:
        """True where it is the item in whose place ours was made: Exchange had made that anew just
        before. A copy of the mailbox that lags behind may still show it under its former key."""
        was = self._former.get((side, obs.uid)) if obs.owned else None
        if was is None:
            return False
        one = outlived(unread or joiner.fresh(side, obs), was, side, obs, self._now)
        joiner.links[one.id] = self.changed[one.id] = one
        self.rulings.append(Ruling(was.id, "join", "its former item was made anew: removed"))
        return True

    def _late(self, joiner: Joiner, side: Side, obs: Seen, unread: Link | None) -> bool:
        """True where a create of ours made it after its booking's item was thrown away."""
        link = self._named(joiner, obs) if obs.late else None
        if link is None:
            return False
        link = self.changed.get(link.id, link)
        if link.half(side).presence is not Presence.GONE:
            return False
        one = came_late(unread or joiner.fresh(side, obs), side, obs, self._now)
        joiner.links[one.id] = self.changed[one.id] = one
        self.rulings.append(Ruling(link.id, "join", "made after it was thrown away: removed"))
        return True

    def _second(self, joiner: Joiner, side: Side, obs: Seen, unread: Link | None) -> bool:
        """True where it is what a create of ours made a second time: one that a proxy doubled, or
        that came late. Only a first one that was read just now, too, tells it from an item that
        Exchange made anew; for a while a copy of the mailbox may still show that one."""
        link = self._named(joiner, obs)
        if link is None or self._twin(joiner, side, obs, unread):
            return False
        link = self.changed.get(link.id, link)
        both = made_twice(link, unread or joiner.fresh(side, obs), side, obs, self._now)
        first = self._shown[side].get(link.half(side).key or "")
        if both is None or not isinstance(first, Seen):
            return False
        for one in both:
            joiner.links[one.id] = self.changed[one.id] = one
        self.rulings.append(Ruling(link.id, "join", "made twice: one of the two is removed"))
        return True

    def _give_way(self, joiner: Joiner, side: Side, unread: Link | None) -> None:
        """The link that stood for an item nobody could read is not needed: the item has its own."""
        if unread is not None:
            buried = bury(with_half(unread, side, replace(unread.half(side), key=None)))
            self.changed[unread.id] = joiner.links[unread.id] = buried

    def _under_new_key(self, was: Link, side: Side, obs: Seen) -> None:
        """Not gone, but made anew. What the other side shows in this plan stays as accepted."""
        now = with_half(self.changed[was.id], side, was.half(side))
        if obs.fingerprint == was.half(side).fingerprint:
            # Where it was parked: nobody did anything about what waits for a person.
            now = replace(now, state=was.state, reason=was.reason)
        for link in under_new_key(now, side, obs, self._now):
            self.changed[link.id] = link
        self.rulings.append(Ruling(was.id, "join", "made anew under another key"))


def _replaces(obs: Observation) -> bool:
    return isinstance(obs, Seen) and bool(obs.replaces)


def _same(obs: Observation, version: str, base: str) -> bool:
    # A part of a booking may wait for an answer again though it did not change itself.
    return (
        isinstance(obs, Seen)
        and obs.fingerprint == base
        and obs.version == version
        and not obs.pending
    )


def _content_changed(before: Link, after: Link) -> bool:
    """True where a side shows something else now. Not being readable for a while is no change."""
    return any(last_seen(before, side) != last_seen(after, side) for side in Side)


def _origin(link: Link, side: Side, obs: Seen) -> Side:
    """A joined item that carries our tag was written by us: it was born on the other side."""
    return side.other if obs.tag == link.id else link.origin
