"""Signs that time went back on a side: it was restored from a backup.

Marks make every late reading harmless, and a restored backup is one large late reading. Left to
themselves the rules would drop what it shows for ever, and take what it lacks for deleted. So a
complete listing is looked through for what no late reading explains, and the admin is asked.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from calsync.model import (
    Absence,
    Gone,
    Half,
    Halt,
    Link,
    LinkState,
    Observation,
    Presence,
    Seen,
    Side,
)
from calsync.reconcile.join import succeed
from calsync.reconcile.observe import accept
from calsync.reconcile.rebase import with_half

#: Newest items that are gone together: one alone is somebody who changed their mind.
NEWEST = 2
#: Why an item that came back is parked.
BACK = (
    "it was deleted, and is back since a backup was restored: delete it there, or move it to keep"
    " it"
)

_THERE = (Presence.PRESENT, Presence.UNKNOWN)
_NOT_THERE = (Absence.READ, Absence.DELETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBack:
    """What ``side`` showed: ids of links. ``older``: in a state older than the one accepted.
    ``again``: alive behind a tombstone. ``missing``: its newest items, or with ``silent`` those of
    whose end its feed told nothing. ``told``: the side's own feed ends before our cursor; so it
    does where nothing else is named."""

    side: Side
    older: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    told: bool = False
    silent: bool = False

    @property
    def reason(self) -> str:
        said = [
            f"{len(found)} {words}"
            for found, words in (
                (self.older, "items in an older state than calsync has seen"),
                (self.again, "items that were deleted"),
            )
            if found
        ]
        shows = [f"shows {' and '.join(said)}"] if said else []
        if self.missing:
            which = "items that nobody told us are gone" if self.silent else "newest items"
            shows.append(f"lacks its {len(self.missing)} {which}")
        if not shows:
            shows.append("counts its changes from an earlier time")
        return f"the {self.side.value} side {', and '.join(shows)}"

    @property
    def halt(self) -> Halt:
        return Halt(
            reason=(
                f"{self.reason}: it looks as if it was restored from a backup. Say which side is"
                " right: calsync rooms resume, with --trust"
            ),
            deletions=len(self.missing),
            items=len(self.older) + len(self.again) + len(self.missing),
        )


def is_older(link: Link, side: Side, obs: Observation) -> bool:
    """True where the item stands in an older state than the one that was accepted, or came to its
    end before that: either would be turned away for ever, and both sides differ. So would whatever
    is older than an item that could not be read since, which would be read again for ever."""
    half = link.half(side)
    if link.state is LinkState.BURIED or half.presence not in _THERE:
        return False
    if isinstance(obs, Gone):
        return obs.mark is not None and obs.mark < half.mark
    return isinstance(obs, Seen) and obs.mark < half.mark and obs.fingerprint != half.fingerprint


def is_tomb(link: Link) -> bool:
    """True where neither side has the item: buried, or about to be, as the process ended between
    the removal of its second half and the next plan (seed 9811)."""
    if link.state is LinkState.BURIED:
        return True
    return not link.in_flight and all(link.half(s).presence is Presence.GONE for s in Side)


def is_again(link: Link, side: Side, obs: Observation) -> bool:
    """True where the item was gone, lives, and nobody changed it since. It is turned away for ever,
    also where the other side is not rid of its own yet: that is still to be deleted, or a deletion
    of it is to be looked up."""
    half = link.half(side)
    return isinstance(obs, Seen) and half.presence is Presence.GONE and obs.mark <= half.mark


def signs(
    before: Iterable[Link],
    after: Mapping[str, Link],
    seen: Mapping[str, Observation],
    side: Side,
    *,
    told: bool = False,
    silent: bool = False,
    hinted: Container[str] = frozenset(),
) -> SetBack | None:
    """What a complete listing of ``side`` says against time going on; None where nothing does.

    ``before``: the links as stored; ``after``: those that the plan changed (an item that lives on
    under another key is not missing). Every odd one in ``seen`` is a targeted read, but for items
    under new keys, which nothing shows in a late state. ``silent``: the feed, asked just before the
    listing, told of nothing that it lacks but of what is ``hinted`` (keys): people took that away.
    """
    before = tuple(before)
    older, missing, held = [], [], []
    again = list(returned(before, seen, side))
    formerly = _under_former_keys(before, seen, side)
    for link in before:
        half = link.half(side)
        obs = seen.get(half.key) if half.key is not None else None
        now = after.get(link.id, link).half(side)
        if obs is None or half.presence not in _THERE:
            continue
        back = isinstance(obs, Gone) and half.uid in formerly
        if back or is_older(link, side, obs) or _is_older_anew(half, now):
            older.append(link.id)
        elif isinstance(obs, Gone) and obs.absence in _NOT_THERE:
            if now.presence is Presence.GONE:
                missing += [] if half.key in hinted else [link]
            else:
                held.append(half.created)
        elif isinstance(obs, Seen) and link.state is LinkState.ACTIVE:
            held.append(half.created)
    newest = _newest(missing, held, side)
    silent = silent and not (told or newest) and len(missing) >= NEWEST
    if not (told or silent or older or again):
        missing = newest
    if not (told or older or again or missing):
        return None
    return SetBack(
        side=side,
        older=tuple(older),
        again=tuple(again),
        missing=tuple(link.id for link in missing),
        told=told,
        silent=silent,
    )


def _is_older_anew(half: Half, now: Half) -> bool:
    """True where an item lives on under another key, in an older state."""
    return (
        now.presence is Presence.PRESENT
        and now.key != half.key
        and now.mark < half.mark
        and now.fingerprint != half.fingerprint
    )


def returned(links: Iterable[Link], seen: Mapping[str, Observation], side: Side) -> dict[str, Seen]:
    """What lives behind a tombstone, unchanged since: by the id of its link. Under its former key,
    or under a key that no link has (restored content has new ids, and the uid it had)."""
    links = tuple(links)
    found: dict[str, Seen] = {}
    buried: dict[str, Link] = {}
    formerly = _under_former_keys(links, seen, side)
    held = {link.half(side).key for link in links}
    for link in links:
        half = link.half(side)
        obs = seen.get(half.key) if half.key is not None else None
        if is_tomb(link) and half.uid in formerly:
            continue
        if obs is not None and is_again(link, side, obs) and isinstance(obs, Seen):
            found[link.id] = obs
        elif is_tomb(link):
            if half.uid:
                buried[half.uid] = link
        else:
            # Its booking lives: whatever bears this uid is that booking.
            held.add(half.uid)
    for key, obs in seen.items():
        if not isinstance(obs, Seen) or key in held or obs.uid in held:
            continue
        tomb = buried.get(obs.uid)
        if tomb is not None and obs.mark <= tomb.half(side).mark:
            found.setdefault(tomb.id, obs)
    return found


def _under_former_keys(
    links: Iterable[Link], seen: Mapping[str, Observation], side: Side
) -> set[str]:
    """Uids of items that are gone under their present keys, and live under those that they had
    before they were made anew: nothing was deleted."""
    left, lives = set(), set()
    for link in links:
        half = link.half(side)
        obs = seen.get(half.key) if half.key is not None else None
        if obs is not None and is_again(link, side, obs):
            lives.add(half.uid)
        elif isinstance(obs, Gone) and obs.absence in _NOT_THERE and half.presence in _THERE:
            left.add(half.uid)
    return (left & lives) - {""}


def _newest(missing: list[Link], held: list[datetime | None], side: Side) -> list[Link]:
    """Those of the missing, two at least and most of them, after which nothing was made that was
    known and is there; all of them where nothing of what was known is there at all. What is new
    says nothing: people go on, and may have deleted older ones besides.
    ``held``: when those that are there came to be known as made; one may be made anew since."""
    last = max((at for at in held if at is not None), default=None)
    made = [(link, link.half(side).created) for link in missing]
    newest = [link for link, at in made if not held or (at and (last is None or at > last))]
    # A listing that merely lost many of them lost older ones as well.
    return newest if len(newest) >= max(NEWEST, len(missing) - len(newest) + 1) else []


def forget_marks(link: Link, side: Side) -> Link:
    """``link``, ready to accept whatever ``side`` shows: on the admin's word only."""
    return with_half(link, side, replace(link.half(side), mark=-1))


def set_apart(tomb: Link, side: Side, obs: Seen, now: datetime) -> tuple[Link, Link]:
    """The tombstone without its key, and a parked link for the item that is back: it still takes
    the room, and is neither deleted nor carried over until somebody says so."""
    half = tomb.half(side)
    new = with_half(succeed(tomb, side), side, Half(key=obs.key))
    new = accept(new, side, obs, now) or new
    parked = replace(new, state=LinkState.PARKED, reason=BACK)
    if obs.key == half.key:
        tomb = with_half(tomb, side, replace(half, key=None))
    return tomb, parked
