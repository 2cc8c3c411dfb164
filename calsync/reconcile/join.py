"""Which link an observation belongs to, and new links for items never seen before.

A new item is first looked for among the links that wait for it: by our tag (a create whose
reply was lost, or whose record was), by the identity that copies share (uid; for an event only
where all else speaks for it, too), and, while a room is imported for the first time, by equal
content: so that a resync from nothing writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

from calsync.conflicts.clash import shown
from calsync.conflicts.merge import same_schedule
from calsync.model import (
    Half,
    Link,
    LinkState,
    Observation,
    Pair,
    Presence,
    Seen,
    Side,
    Unknown,
)
from calsync.reconcile.rebase import with_half


def link_id(pair_id: str, side: Side, key: str, generation: str = "") -> str:
    """The id of the link of an item: derived, so that a crash or a restored database gives the
    same one, and a create is recognised by it. ``generation`` sets a successor apart."""
    text = "\x1f".join((pair_id, side.value, key, generation))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Joiner:
    """Finds or makes the links of new items of one pair. ``importing``: match by content, too."""

    def __init__(self, pair: Pair, links: Iterable[Link], *, importing: bool) -> None:
        self._pair = pair
        self._importing = importing
        self.links: dict[str, Link] = {}
        self._by_uid: dict[tuple[Side, str], list[str]] = {}
        self._by_content: dict[tuple[Side, str], list[str]] = {}
        self._holding: dict[tuple[Side, str], list[str]] = {}
        for link in links:
            self.add(link)

    def add(self, link: Link) -> None:
        self.links[link.id] = link
        if link.state is LinkState.BURIED:
            return
        for side in Side:
            uid = link.half(side).uid
            if uid:
                self._holding.setdefault((side, uid), []).append(link.id)
                self._by_uid.setdefault((side.other, uid), []).append(link.id)

    def waiting(self, side: Side, obs: Seen) -> Link | None:
        """A link without an item on ``side`` to which ``obs`` belongs."""
        tagged = self._tagged(side, obs)
        if tagged is None or tagged.half(side.other).fingerprint != obs.fingerprint:
            # While a room is imported, tags and uids may be those of a former life, known to a
            # database that is lost. (Later nothing is remembered by its content.)
            for candidate in self._by_content.get((side, obs.fingerprint), ()):
                link = self.links[candidate]
                if link.half(side).presence is Presence.NEVER:
                    return link
        if tagged is not None:
            return tagged
        named = self._named(side, obs)
        if named is None or side is Side.BOOKING or _same_meeting(named, obs):
            return named
        return named if self._is_back(named, side, obs) and not named.in_flight else None

    def in_doubt(self, side: Side, obs: Seen) -> bool:
        """Whether ``obs`` is back for a booking that waits for it, unless another item, which is
        just made for that one, was faster."""
        named = self._named(side, obs) if side is Side.CALENDAR else None
        return named is not None and named.in_flight and self._is_back(named, side, obs)

    def _is_back(self, named: Link, side: Side, obs: Seen) -> bool:
        """Whether a booking whose event was deleted, and that lives on (it was restored, say), has
        that back: out of Deleted Items, under another key, and either may have changed meanwhile.
        Nobody makes an item that is the room's own by inviting the room. Where another link has
        one of this uid, it is that one made anew, or one of several that carry a booking."""
        known = shown(named, side.other) is not None
        return known and obs.owned and not self._importing and not self.holding(side, obs.uid)

    def _named(self, side: Side, obs: Seen) -> Link | None:
        return self._only(self._by_uid.get((side, obs.uid), ()), side)

    def holding(self, side: Side, uid: str) -> list[Link]:
        """Links, not buried, that had an item of this global id on ``side`` before this plan."""
        return [self.links[i] for i in self._holding.get((side, uid), ())]

    def _tagged(self, side: Side, obs: Seen) -> Link | None:
        link = self.links.get(obs.tag) if obs.tag is not None else None
        if link is None or link.pair_id != self._pair.id:
            return None
        return link if link.half(side).presence is Presence.NEVER else None

    def _only(self, ids: Sequence[str], side: Side) -> Link | None:
        # (One that could not be read at first is named once more when it is.)
        waiting = [
            link
            for link in (self.links[i] for i in dict.fromkeys(ids))
            if link.state is LinkState.ACTIVE and link.half(side).presence is Presence.NEVER
        ]
        return waiting[0] if len(waiting) == 1 else None

    def fresh(self, side: Side, obs: Observation) -> Link:
        """A new link for an item seen for the first time; its half is still NEVER."""
        link = Link(id=link_id(self._pair.id, side, obs.key), pair_id=self._pair.id, origin=side)
        if link.id in self.links:
            # An earlier life of this key is buried under the id.
            link = self.successor(self.links[link.id], side)
        self.add(link)
        return link

    def note(self, side: Side, link: Link, obs: Seen) -> None:
        """Remember a new one-sided item, so that its counterpart can find it."""
        if obs.uid:
            self._by_uid.setdefault((side.other, obs.uid), []).append(link.id)
        if self._importing:
            self._by_content.setdefault((side.other, obs.fingerprint), []).append(link.id)

    def successor(self, link: Link, side: Side) -> Link:
        """A new life for the item that ``link`` holds on ``side``; see :func:`succeed`."""
        new = succeed(link, side)
        while new.id in self.links:
            new = replace(new, id=link_id(link.pair_id, side, new.id, "again"))
        return new


def _same_meeting(link: Link, event: Seen) -> bool:
    """Whether an event may be the one a booking waits for because their uids are equal.

    The organizer of a meeting chooses its uid. Somebody who knows that of another's booking must
    not get hold of it, and be able to cancel it, by inviting the room under the same one.
    """
    booked = shown(link, Side.BOOKING)
    if booked is None or not same_schedule(booked, event.occupancy):
        return False
    one, other = link.person.address.casefold(), event.person.address.casefold()
    return event.owned or not one or not other or one == other


def succeed(link: Link, side: Side) -> Link:
    """A fresh link that takes over the item of ``side`` from ``link`` (which keeps the rest).

    Used where one side's item lives on and the other side needs a new one.
    """
    half = link.half(side)
    new_id = _heir_id(link, side, half.key)
    # The marks go with the key: they still guard against late reads of it.
    return Link(
        id=new_id,
        pair_id=link.pair_id,
        origin=side,
        person=link.person,
        seats=link.seats,
        booking=half if side is Side.BOOKING else Half(),
        event=half if side is Side.CALENDAR else Half(),
        organizer=link.organizer if side is Side.CALENDAR else "",
    )


def is_heir(link: Link, tomb: Link, side: Side) -> bool:
    """True where ``link`` took over the item of ``side`` from ``tomb``."""
    return link.id == _heir_id(tomb, side, link.half(side).key)


def _heir_id(link: Link, side: Side, key: str | None) -> str:
    return link_id(link.pair_id, side, key or "", f"{link.id}:{link.revision}")


def never_read(link: Link) -> Side | None:
    """The side on which ``link`` has an item of which nothing but its key is known: it could not
    be read since it was first heard of, so nobody knows yet whose it is."""
    if link.base is not None or link.state is LinkState.BURIED:
        return None
    for side in Side:
        half = link.half(side)
        if half.presence is Presence.UNKNOWN and half.seen is None:
            return side if link.half(side.other).presence is Presence.NEVER else None
    return None


def strangers(seen: Mapping[str, Observation], known: set[str]) -> list[Observation]:
    """What was seen under keys without a link, in key order (the same on every run).

    ``Gone`` of an unknown key says nothing to us and is left out.
    """
    return [seen[k] for k in sorted(seen.keys() - known) if isinstance(seen[k], Seen | Unknown)]


def heir(link: Link, lives: Side) -> Link:
    """``succeed``, with all that goes on for the item: its claim, who waits for an answer."""
    new = replace(
        succeed(link, lives),
        pending=link.pending,
        claim=link.claimed_on,
        passed=link.passed,
        passed_seats=link.passed_seats,
    )
    half = link.half(lives)
    if half.seen is None:
        new = with_half(new, lives, replace(half, seen=link.base))
    return new
