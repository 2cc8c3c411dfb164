"""Meetings in people's calendars: what the room's calendar tells of them is read where they lie.

The room's copy of such a meeting is no booking of its own. That it changed, or went, says that the
organizer's copy is to be read: only that one may be written to, has the subject that its person
gave it, and tells what the room answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from calsync.conflicts.merge import same_schedule
from calsync.engine.calls import Call, Steps
from calsync.engine.context import Context
from calsync.model import (
    Absence,
    Gone,
    Link,
    LinkState,
    Observation,
    Pair,
    Presence,
    RoomAnswer,
    Seen,
    Side,
    Unknown,
    WriteAs,
    is_theirs,
)
from calsync.reconcile.observe import LAG, last_seen
from calsync.reconcile.route import may_be_our_own


@dataclass(slots=True, kw_only=True)
class Theirs:
    """What the room's calendar told of such meetings. ``rest``: what is none of them. ``copies``:
    the room's copies, by the id of the link. ``dropped``: ids of links whose copy went.
    ``links``: the links of both. ``ours``: keys of room's copies that went."""

    rest: list[Observation] = field(default_factory=list)
    copies: dict[str, Seen] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    links: dict[str, Link] = field(default_factory=dict)
    ours: set[str] = field(default_factory=set)


def sort_out(
    ctx: Context, pair: Pair, observations: Sequence[Observation], gone: Iterable[str]
) -> Theirs:
    """Tell the room's copies of meetings that we made in people's calendars from all else.
    ``gone``: keys that the feed says went."""
    found = Theirs()
    invited = {obs.key: obs for obs in observations if isinstance(obs, Seen) and not obs.owned}
    ended = {obs.key for obs in observations if isinstance(obs, Gone)} | set(gone)
    uids = sorted({obs.uid for obs in invited.values() if obs.uid})
    known = ctx.store.links_asked(pair.id, uids=uids, copies=sorted(ended)) if uids or ended else []
    by_uid = {link.event.uid: link for link in _living_last(known) if link.event.uid}
    by_copy = {link.event.copy: link for link in _living_last(known) if link.event.copy}
    making = _in_the_making(ctx, pair) if invited else []
    for obs in observations:
        link = by_uid.get(obs.uid) if isinstance(obs, Seen) and obs.key in invited else None
        if link is not None and isinstance(obs, Seen):
            found.links[link.id] = link
            found.copies[link.id] = obs
        elif obs.key in by_copy and isinstance(obs, Gone):
            continue  # Taken up below.
        elif isinstance(obs, Seen) and obs.key in invited and _is_held(obs, making):
            # Our own create may have made it; the person's calendar will tell.
            reason = "it may be the room's copy of a meeting that is just being made"
            found.rest.append(Unknown(key=obs.key, reason=reason))
        else:
            found.rest.append(obs)
    found.ours = ended & by_copy.keys()
    for key in found.ours:
        link = by_copy[key]
        if link.id not in found.copies and link.state is not LinkState.BURIED:
            found.links[link.id] = link
            found.dropped.add(link.id)
    return found


def _living_last(links: Iterable[Link]) -> list[Link]:
    """A tombstone and a living link may name one meeting: the living one counts."""
    return sorted(links, key=lambda link: link.state is not LinkState.BURIED)


def _in_the_making(ctx: Context, pair: Pair) -> list[Link]:
    """Links of meetings that were sent to a person's calendar, of which nobody heard yet."""
    if pair.id in ctx.resting:
        return []
    never = Presence.NEVER
    open_links = ctx.store.unsettled(pair.id)
    return [one for one in open_links if one.organizer and one.event.presence is never]


def _is_held(obs: Seen, making: Iterable[Link]) -> bool:
    for link in making:
        wanted = link.event.seen or last_seen(link, Side.BOOKING)
        alike = wanted is not None and same_schedule(wanted, obs.occupancy)
        if may_be_our_own(link, obs.person.address) or (alike and may_be_our_own(link, "")):
            return True
    return False


def read(ctx: Context, pair: Pair, links: Mapping[str, Link]) -> Steps[dict[str, Observation]]:
    """The organizers' copies of these links' meetings, by key."""
    port = ctx.calendar(pair)
    wanted = {
        link.event.key: link.organizer
        for link in links.values()
        if link.event.key is not None and is_theirs(link.event.key)
    }
    asked = {key: mailbox for key, mailbox in wanted.items() if mailbox}
    found: dict[str, Observation] = {}
    if asked:
        found.update((yield Call("read", lambda: port.read_theirs(pair, asked))))
    for key in wanted:
        nobody = Unknown(key=key, reason="whose calendar it lies in was forgotten")
        found.setdefault(key, nobody)
    return found


def look(ctx: Context, pair: Pair, theirs: Theirs) -> Steps[list[Observation]]:
    """Read what the room's calendar told of: one observation for each link, under its own key."""
    seen = yield from read(ctx, pair, theirs.links)
    for link in theirs.links.values():
        key, copy = link.event.key, theirs.copies.get(link.id)
        obs = seen.get(key or "")
        if key is None or obs is None:
            continue
        if copy is not None and isinstance(obs, Seen) and _is_another(copy, obs):
            theirs.rest.append(copy)
        elif copy is not None and isinstance(obs, Seen):
            seen[key] = replace(obs, copy=copy.key)
        elif link.id in theirs.dropped:
            seen[key] = yield from without_copy(ctx, pair, link, obs)
    return list(seen.values())


def _is_another(copy: Seen, obs: Seen) -> bool:
    """The organizer of a meeting chooses its uid. Somebody who knows that of another's must not be
    able to hide a meeting from the platform by inviting the room under the same one."""
    one, other = copy.person.address.casefold(), obs.person.address.casefold()
    strange = bool(one and other and one != other)
    return strange and not same_schedule(copy.occupancy, obs.occupancy)


def adopt(ctx: Context, pair: Pair, theirs: Theirs) -> Steps[list[Observation]]:
    """What people just asked the room to, as it stands in their own calendars, where these are open
    to us: there it can be changed from the platform, too. It is taken out of ``theirs.rest``."""
    if pair.write_as is not WriteAs.ORGANIZER or not ctx.state(pair).imported:
        return []
    asked = {
        obs.key: obs
        for obs in theirs.rest
        if isinstance(obs, Seen) and not obs.owned and obs.uid and obs.person.address
    }
    known = ctx.store.links_by_key(pair.id, Side.CALENDAR, list(asked)) if asked else []
    new = asked.keys() - {link.event.key for link in known}
    wanted = {asked[key].uid: asked[key].person.address.lower() for key in sorted(new)}
    if not wanted:
        return []
    port = ctx.calendar(pair)
    found: Mapping[str, Observation] = yield Call("find", lambda: port.meetings_of(pair, wanted))
    taken: list[Observation] = []
    for key in sorted(new):
        obs, copy = found.get(asked[key].uid), asked[key]
        if isinstance(obs, Seen) and not _is_another(copy, obs):
            taken.append(replace(obs, copy=key))
            theirs.rest.remove(copy)
    return taken


def checked(
    ctx: Context,
    pair: Pair,
    links: Iterable[Link],
    seen: dict[str, Observation],
    before: Mapping[str, Observation],
) -> Steps[None]:
    """Whether the room still holds meetings that could not be told just now, and by which key the
    others are known there: only by that is it noticed when its copy goes. ``before``: what was read
    in this gathering already."""
    for link in links:
        key = link.event.key or ""
        obs, former = seen.get(key), before.get(key)
        if not isinstance(obs, Seen):
            continue
        if isinstance(former, Seen) and former.copy:
            seen[key] = replace(obs, copy=former.copy)
        elif link.event.presence is Presence.UNKNOWN or not link.event.copy:
            seen[key] = yield from without_copy(ctx, pair, link, obs)


def without_copy(ctx: Context, pair: Pair, link: Link, obs: Observation) -> Steps[Observation]:
    """The room's copy went. The organizer's may stand, and say that the room comes: what somebody
    removed from the room's calendar tells nobody. A copy that changes may go and come anew."""
    if isinstance(obs, Unknown):
        return obs
    if isinstance(obs, Gone):
        return replace(obs, absence=Absence.CANCELLED) if obs.absence is Absence.READ else obs
    if obs.answer is not RoomAnswer.ACCEPTED or not link.event.uid:
        return obs
    port, uid = ctx.calendar(pair), link.event.uid
    rows: list[Observation] = yield Call("copies", lambda: port.copies(pair, [uid]))
    there = [row for row in rows if not isinstance(row, Gone)]
    if there:
        return replace(obs, copy=there[0].key)
    if obs.modified is not None and ctx.clock.now() - obs.modified < LAG:
        return Unknown(key=obs.key, reason="the room's copy is not there, but it changed only now")
    return Gone(key=obs.key, absence=Absence.DROPPED)
