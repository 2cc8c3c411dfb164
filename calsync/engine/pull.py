"""Gather: what both sides showed for one room, with every absence and every overlap that only a
change feed told confirmed by a read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from calsync.engine import theirs
from calsync.engine.calls import Call, Steps
from calsync.engine.context import Context
from calsync.engine.gathered import (
    Gathered,
    beyond,
    expected,
    is_listed,
    listed_anew,
    made_anew,
    moved_out,
    new_times,
    overlapping,
    vanished,
)
from calsync.errors import CursorAhead, CursorExpired
from calsync.mapping.expand import extent
from calsync.model import (
    Absence,
    Gone,
    Interval,
    Link,
    LinkState,
    Observation,
    Pair,
    Presence,
    Pull,
    Seen,
    Side,
    Unknown,
    Window,
    is_theirs,
)
from calsync.ports import SyncSide
from calsync.reconcile.guard import others
from calsync.reconcile.join import link_id, never_read
from calsync.reconcile.observe import too_new_to_be_gone
from calsync.reconcile.setback import is_older


def pull_side(
    side: SyncSide, pair: Pair, cursor: str | None, window: Window, found: Gathered
) -> Steps[Pull]:
    """One side's changes. A void cursor means a full listing, which deletes nothing by itself."""
    local = side.capabilities.local
    try:
        pull: Pull = yield Call("pull", lambda: side.pull(pair, cursor, window), local)
    except CursorExpired as error:
        if cursor is None:
            raise
        if isinstance(error, CursorAhead):
            found.told.add(side.side)
        pull = yield Call("pull", lambda: side.pull(pair, None, window), local)
    return pull


def gather(ctx: Context, pair: Pair, window: Window, *, full: bool = False) -> Steps[Gathered]:
    """Read both sides, each as late as can be before anything is written to it.

    A remote booking side is read first, so that the calendar's reading is never the older one.
    A local one is read last: it costs nothing, and a booking that was made while the calendar
    took its time to answer is seen before something is mirrored onto its slot.
    """
    state = ctx.state(pair)
    found = Gathered()
    if full and state.imported:
        cursors = ((Side.BOOKING, state.booking_cursor), (Side.CALENDAR, state.calendar_cursor))
        found.silent = {side for side, cursor in cursors if cursor}
    booking_cursor = None if full else state.booking_cursor
    calendar_cursor = None if full else state.calendar_cursor
    if ctx.booking.capabilities.local:
        shown = yield from pull_side(ctx.calendar(pair), pair, calendar_cursor, window, found)
        booked = yield from pull_side(ctx.booking, pair, booking_cursor, window, found)
    else:
        booked = yield from pull_side(ctx.booking, pair, booking_cursor, window, found)
        shown = yield from pull_side(ctx.calendar(pair), pair, calendar_cursor, window, found)
    found.booking_cursor, found.calendar_cursor = booked.cursor, shown.cursor
    for side, pull in ((Side.BOOKING, booked), (Side.CALENDAR, shown)):
        yield from _take(ctx, pair, found, side, pull, window)
    if pair.id not in ctx.resting:
        for link in ctx.store.unsettled(pair.id):
            found.links.setdefault(link.id, link)
        yield from _look_again(ctx, pair, found)
    if state.approved or state.rejoin is not None:
        yield from _look_beyond(ctx, pair, found, window)
    _load_tagged(ctx, pair, found)
    yield from _read_twins(ctx, pair, found)
    _load_neighbours(ctx, pair, found, window)
    if state.imported:
        for side in Side:
            yield from _read(ctx, pair, found, side, overlapping(found, side, window, pair.zone))
    return found


def _take(
    ctx: Context, pair: Pair, found: Gathered, side: Side, pull: Pull, window: Window
) -> Steps[None]:
    seen = found.seen(side)
    if side is Side.CALENDAR:
        pull = yield from _with_theirs(ctx, pair, found, pull, window)
    hints = [*pull.hints, *pull.missing]
    found.hinted[side].update(pull.hints)
    for obs in pull.observations:
        before = seen.get(obs.key)
        if isinstance(before, Seen) and isinstance(obs, Seen) and obs.mark < before.mark:
            continue  # A feed may replay: of two states told at once, the newer one counts.
        if before is not None and type(before) is not type(obs):
            hints.append(obs.key)  # There and gone at once: a targeted read tells which is newer.
        seen[obs.key] = obs
    if pull.complete:
        found.complete.add(side)
        uids = {obs.uid for obs in seen.values() if isinstance(obs, Seen) and obs.uid}
        linked = [
            link
            for link in ctx.store.links(pair.id)
            if link.half(side).key is not None
            and (
                link.state is not LinkState.BURIED
                or link.half(side).key in seen
                or link.half(side).uid in uids
            )
        ]
        for link in linked:
            found.links[link.id] = link
        here = [lk for lk in linked if expected(lk, side, pair, window)]
        # What a feed told before this listing, and it lacks, may be gone since.
        listed = {obs.key for obs in pull.observations}
        if not seen and any(is_listed(lk, side, pair, window) for lk in here):
            # The guard asks the admin; the reads below are what an approval will act on.
            found.emptied = side.value
        missing = {k for lk in here if (k := lk.half(side).key) is not None and k not in listed}
        found.missing[side] = missing
        hints = sorted({*hints, *missing, *(k for k in seen if k not in listed)})
        # What is older than what was accepted is a late reading, or time went back.
        hints += [
            k
            for lk in linked
            if (k := lk.half(side).key) in seen and k is not None and is_older(lk, side, seen[k])
        ]
    keys = [*seen, *hints]
    if not keys:
        return
    links = ctx.store.links_by_key(pair.id, side, keys)
    linked_keys = {lk.half(side).key for lk in links}
    there = {lk.half(side).key for lk in links if lk.state is not LinkState.BURIED}
    former = _former(ctx, pair, side, seen.keys() - linked_keys)
    for link in (*links, *former.values()):
        found.links.setdefault(link.id, link)
    yield from _confirm(ctx, pair, found, side, [*hints, *former], links)
    for key in pull.missing:
        # New or back, and not known yet to the copy of the mailbox that was asked: the feed told of
        # it once and will not again, so it is asked for until it is found, or surely gone.
        if key not in there:
            seen.setdefault(key, Unknown(key=key, reason="the feed names it, a read finds nothing"))
    if found.emptied == side.value and moved_out(found, side, pair, window):
        found.emptied = ""


def _with_theirs(
    ctx: Context, pair: Pair, found: Gathered, pull: Pull, window: Window
) -> Steps[Pull]:
    """The feed of the room's calendar, with what it tells of meetings in people's calendars read
    where these lie."""
    if not (pull.observations or pull.hints or pull.missing or pull.complete):
        return pull
    told = theirs.sort_out(ctx, pair, pull.observations, [*pull.hints, *pull.missing])
    missing = tuple(key for key in pull.missing if key not in told.ours)
    if pull.complete:
        for link in ctx.store.all_asked(pair.id):
            lacks = is_theirs(link.event.key) and link.id not in told.links
            if lacks and expected(link, Side.CALENDAR, pair, window):
                told.links[link.id] = link
                told.dropped.add(link.id)
    read = yield from theirs.look(ctx, pair, told)
    read += yield from theirs.adopt(ctx, pair, told)
    # Where the room itself says that it is cancelled, that is no late reading.
    found.hinted[Side.CALENDAR].update(
        key for link_id in told.dropped if (key := told.links[link_id].event.key) is not None
    )
    return replace(pull, observations=(*told.rest, *read), missing=missing)


def _former(ctx: Context, pair: Pair, side: Side, keys: Iterable[str]) -> dict[str, Link]:
    """Links born from these keys whose item has another key by now (it was made anew): what is
    shown under the former key may be a late replay."""
    if ctx.state(pair).window is None:
        return {}
    born = {link_id(pair.id, side, key): key for key in keys}
    return {born[link.id]: link for link in ctx.store.links_by_id(list(born))}


def _confirm(
    ctx: Context,
    pair: Pair,
    found: Gathered,
    side: Side,
    hints: Iterable[str],
    links: list[Link],
) -> Steps[None]:
    """Read what a hint says is gone, and what would come back from behind a tombstone.

    A hint of an unknown key says nothing to us (Graph sends those for anything outside the
    window). An item that shows again after its burial, or beside the news of its removal, may
    be a late replay: read it, too. What is shown in a state newer than its end is no replay: where
    the read finds nothing, it may have met a copy of the mailbox that lags behind.
    """
    seen = found.seen(side)
    linked = {link.half(side).key: link for link in links}
    again = [
        key
        for key, link in linked.items()
        if key is not None
        and isinstance(seen.get(key), Seen)
        and link.half(side).presence is Presence.GONE
    ]
    newer = [
        key
        for key in again
        if isinstance(obs := seen[key], Seen) and obs.mark > linked[key].half(side).mark
    ]
    doubtful = [
        k for k in hints if k in seen or (k in linked and linked[k].state is not LinkState.BURIED)
    ]
    yield from _read(ctx, pair, found, side, list(dict.fromkeys([*doubtful, *again])))
    port: SyncSide = ctx.booking if side is Side.BOOKING else ctx.calendar(pair)
    for key in () if port.capabilities.local else newer:
        lacks = isinstance(obs := seen[key], Gone) and obs.absence is Absence.READ
        if lacks and key not in found.hinted[side]:
            seen[key] = Unknown(key=key, reason="the feed shows it, a read finds nothing")


def _look_again(ctx: Context, pair: Pair, found: Gathered) -> Steps[None]:
    """Items whose last reading failed or went stale are read again, and those to which the room has
    not said yes or no, unless they show something newer by now: what is no newer may be a replay of
    what stood there before."""
    for side in Side:
        seen = found.seen(side)
        keys = [
            key
            for link in found.links.values()
            if link.state is LinkState.ACTIVE
            and ((half := link.half(side)).presence is Presence.UNKNOWN or half.waits)
            and (key := half.key) is not None
            and not (isinstance(obs := seen.get(key), Seen) and obs.mark > half.mark)
        ]
        yield from _read(ctx, pair, found, side, keys)


def _look_beyond(ctx: Context, pair: Pair, found: Gathered, window: Window) -> Steps[None]:
    """What a complete listing does not show is read as well when an admin has said what is to
    become of a side that was set back: what is known of it may be newer than anything it shows."""
    due = {link.id for link in ctx.store.unsettled(pair.id)}
    for side in Side:
        if side in found.complete:
            keys = beyond(found, side, due, window, pair.zone)
            yield from _read(ctx, pair, found, side, keys)


def _doubt_absence(ctx: Context, found: Gathered, side: Side, port: SyncSide) -> None:
    """Items that a read does not find although they were made just now, and of whose removal no
    feed tells, are looked at again later."""
    if port.capabilities.local:
        return
    now, seen = ctx.clock.now(), found.seen(side)
    for link in found.links.values():
        half = link.half(side)
        if half.key is None or half.key in found.hinted[side]:
            continue
        obs = seen.get(half.key)
        if obs is not None and too_new_to_be_gone(half, obs, now):
            seen[half.key] = Unknown(key=half.key, reason="not found, but made only now")


def _read(ctx: Context, pair: Pair, found: Gathered, side: Side, keys: list[str]) -> Steps[None]:
    if not keys:
        return
    port: SyncSide = ctx.booking if side is Side.BOOKING else ctx.calendar(pair)
    if side is Side.CALENDAR and any(map(is_theirs, keys)):
        yield from _read_theirs(ctx, pair, found, [key for key in keys if is_theirs(key)])
        yield from _read(ctx, pair, found, side, [key for key in keys if not is_theirs(key)])
        return
    results: list[Observation] = yield Call(
        "read", lambda: port.read(pair, keys), port.capabilities.local
    )
    if side is Side.CALENDAR:
        results = yield from _own_copies(ctx, pair, found, keys, results)
    seen, lost, gone = found.seen(side), set[str](), set[str]()
    for key, obs in zip(keys, results, strict=True):
        before = seen.get(key)
        if isinstance(before, Seen) and before.uid:
            if isinstance(obs, Unknown):
                lost.add(before.uid)
            elif isinstance(obs, Gone) and obs.absence is Absence.READ:
                gone.add(before.uid)
        if side is Side.CALENDAR and isinstance(obs, Gone) and isinstance(before, Seen):
            found.ended[key] = before
        seen[key] = obs
        found.read[side].add(key)
    _doubt_absence(ctx, found, side, port)
    if port.capabilities.remakes:
        # What was shown under another key and is not there any more may have been made anew once
        # more since: its item is looked for again, whose own key was read before (seed 20292).
        keys = list(dict.fromkeys([*keys, *made_anew(found, side, gone)]))
        yield from _look_elsewhere(ctx, pair, found, port, set(keys))
        for key in made_anew(found, side, lost):
            # The feed showed it under another key, which cannot be read any more: nothing says
            # there whose item that is, and this one alone would count as deleted.
            seen[key] = Unknown(key=key, reason="made anew under a key that cannot be read")
    if vanished(found, side, keys):
        if port.capabilities.keeps:
            # Its feed tells nothing of what only we had written.
            found.told.add(side)
        if side not in found.complete:
            yield from _list(ctx, pair, found, side)


def _read_theirs(ctx: Context, pair: Pair, found: Gathered, keys: list[str]) -> Steps[None]:
    """Meetings in people's calendars."""
    links = ctx.store.links_by_key(pair.id, Side.CALENDAR, keys)
    read = yield from theirs.read(ctx, pair, {link.id: link for link in links})
    yield from theirs.checked(ctx, pair, links, read, found.calendar)
    found.calendar.update(read)
    found.read[Side.CALENDAR].update(read)
    _doubt_absence(ctx, found, Side.CALENDAR, ctx.calendar(pair))


def _own_copies(
    ctx: Context, pair: Pair, found: Gathered, keys: list[str], results: list[Observation]
) -> Steps[list[Observation]]:
    """What turns out to be the room's copy of a meeting that has its link is no item of its own."""
    told = theirs.sort_out(ctx, pair, results, ())
    if not told.links and len(told.rest) == len(results):
        by_key = {obs.key: obs for obs in told.rest}
        return [by_key[obs.key] for obs in results]
    for obs in (yield from theirs.look(ctx, pair, told)):
        found.calendar[obs.key] = obs
        found.read[Side.CALENDAR].add(obs.key)
    for link in told.links.values():
        found.links.setdefault(link.id, link)
    rest = {obs.key: obs for obs in told.rest}
    return [rest.get(key, Gone(key=key, absence=Absence.READ)) for key in keys]


def _look_elsewhere(
    ctx: Context, pair: Pair, found: Gathered, port: SyncSide, keys: set[str]
) -> Steps[None]:
    """Of items that were there and are not found under their keys: whether they have others now.

    Exchange makes some changes as Delete + Create (ews-managed-api #255). A feed may tell the
    first half alone; taken for a deletion it would cancel a person's booking. What a listing in
    full shows under another key is not searched for: of a mailbox that moved that is everything,
    and the calls it allows would not do. Begun anew, they would not do for ever.
    """
    seen = found.seen(port.side)
    listed = listed_anew(found, port.side)
    gone = {
        half.key: half.uid
        for link in found.links.values()
        if (half := link.half(port.side)).key in keys
        and half.key is not None
        and not is_theirs(half.key)
        and half.uid
        and half.key not in listed
        and half.presence in (Presence.PRESENT, Presence.UNKNOWN)
        and isinstance(obs := seen.get(half.key), Gone)
        and obs.absence is Absence.READ
    }
    if not gone:
        return
    uids = sorted(set(gone.values()))
    results: list[Observation] = yield Call(
        "elsewhere", lambda: port.elsewhere(pair, uids), port.capabilities.local
    )
    for obs in results:
        if isinstance(obs, Gone) and obs.absence is not Absence.READ:
            continue  # Made anew, and cancelled since.
        # One copy of the mailbox has it and another has not, or it cannot be read just now.
        doubtful: list[str] = []
        if obs.key in gone:
            doubtful = [obs.key]
        elif not isinstance(obs, Seen):
            doubtful = list(gone)
        elif isinstance(held := seen.get(obs.key), Gone) and held.absence is Absence.READ:
            doubtful = [key for key, uid in gone.items() if uid == obs.uid]
        for key in doubtful:
            seen[key] = Unknown(key=key, reason="not found by its key, but by its identity")
    new = [obs.key for obs in results if obs.key not in gone and obs.key not in seen]
    seen |= {obs.key: obs for obs in results if obs.key in new and not isinstance(obs, Gone)}
    for link in ctx.store.links_by_key(pair.id, port.side, new) if new else ():
        found.links.setdefault(link.id, link)


def _list(ctx: Context, pair: Pair, found: Gathered, side: Side) -> Steps[None]:
    """List a side in full after all; its feed, asked just now, had told nothing."""
    found.silent.add(side)
    port: SyncSide = ctx.booking if side is Side.BOOKING else ctx.calendar(pair)
    window = ctx.state(pair).window or ctx.span.window(ctx.clock.now())
    pull: Pull = yield Call("pull", lambda: port.pull(pair, None, window), port.capabilities.local)
    if side is Side.BOOKING:
        found.booking_cursor = pull.cursor
    else:
        found.calendar_cursor = pull.cursor
    yield from _take(ctx, pair, found, side, pull, window)


def _load_tagged(ctx: Context, pair: Pair, found: Gathered) -> None:
    """Links of this room that new items name in our tag; and who made those that name no link."""
    tags = {
        obs.tag
        for side in Side
        for obs in found.seen(side).values()
        if isinstance(obs, Seen) and obs.tag is not None
    } - found.links.keys()
    named = ctx.store.links_by_id(sorted(tags)) if tags else []
    for link in named:
        # An event copied from another room names a link that is none of this room's business.
        if link.pair_id == pair.id:
            found.links[link.id] = link
    state = ctx.state(pair)
    if state.imported and any(isinstance(o, Seen) and o.maker for o in found.calendar.values()):
        known = found.links.keys() | {link.id for link in named}
        linked = {link.event.key for link in found.links.values()}
        new = [obs for key, obs in found.calendar.items() if key not in linked]
        found.others, found.forgotten = others(
            new, known, maker=ctx.maker, read_at=state.synced_at, now=ctx.clock.now()
        )


def _read_twins(ctx: Context, pair: Pair, found: Gathered) -> Steps[None]:
    """New items, and such as are back from behind a tombstone, with the global id of one that is
    linked under another key: that one is read before they count as new, for it may have been made
    anew as one of them, or they beside it; a restored mailbox has its items under former keys."""
    for side in Side:
        port: SyncSide = ctx.booking if side is Side.BOOKING else ctx.calendar(pair)
        if not port.capabilities.remakes or not found.seen(side):
            continue
        seen = found.seen(side)
        linked = {
            lk.half(side).key
            for lk in found.links.values()
            if lk.state is not LinkState.BURIED and never_read(lk) is not side
        }
        new = [o for key, o in seen.items() if key not in linked and isinstance(o, Seen) and o.uid]
        if not new:
            continue
        for link in ctx.store.links_by_uid(pair.id, side, sorted({o.uid for o in new})):
            found.links.setdefault(link.id, link)
        uids = {o.uid for o in new}
        twins = {
            half.key
            for link in found.links.values()
            if link.state is not LinkState.BURIED
            and (half := link.half(side)).uid in uids
            and half.presence is Presence.PRESENT
            and half.key not in seen
            and half.key is not None
        }
        yield from _read(ctx, pair, found, side, sorted(twins))


def _load_neighbours(ctx: Context, pair: Pair, found: Gathered, window: Window) -> None:
    """Links whose time an observed item may meet: they are needed to judge clashes."""
    start = end = None
    for occ in new_times(found):
        first, last = extent(occ, pair.zone)
        start = first if start is None else min(start, first)
        end = max(end or window.start, last or window.end)
    if start is None or end is None:
        return
    # Stored extents go by the rules that a zone had then: by a day to spare.
    day = timedelta(days=1)
    for link in ctx.store.links_meeting(pair.id, Interval(start - day, end + day)):
        found.links.setdefault(link.id, link)
