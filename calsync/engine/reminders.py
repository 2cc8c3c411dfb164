"""Bookings that are about to start, put into the ledger in time.

Nothing is kept on disk for this: what is due follows from the bookings themselves, and the ledger
holds a row for each start that was told. So a restart, a late look or a second look tell nobody
twice; a booking that was moved begins at another time, which is told anew.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from calsync.conflicts.clash import shown
from calsync.engine.addressed import addressed
from calsync.engine.context import Context
from calsync.engine.notify import starts_at
from calsync.errors import StoreError
from calsync.mapping.expand import instances
from calsync.model import (
    Instance,
    Interval,
    Link,
    LinkState,
    Notice,
    NoticeKind,
    Occupancy,
    Pair,
    Side,
)
from calsync.reconcile.told import whole_booking

log = logging.getLogger("calsync.notices")

#: How far ahead the dates of a booking are looked up at once.
HORIZON: Final = timedelta(days=2)
#: When a room that tells nobody yet is asked again.
QUIET: Final = timedelta(minutes=1)
#: Bookings read anew at one look: the control thread has other work, too.
AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class _Known:
    """``stored``: the state of the link that was read. ``due``: when to read it again."""

    stored: int
    due: datetime


class Reminders:
    """``look`` is called every few seconds, on the control thread; an idle look is one query that
    an index answers. ``ctx.lead``: how long before a start people are told."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._known: dict[str, _Known] = {}

    @property
    def wanted(self) -> bool:
        kind = NoticeKind.STARTING
        return kind in self._ctx.notices or any(kind in a.kinds for a in self._ctx.audiences)

    def look(self, pairs: dict[str, Pair]) -> int:
        """Queue what is due now; how many notices."""
        if not self.wanted:
            return 0
        ctx, now = self._ctx, self._ctx.clock.now()
        found = dict(ctx.store.coming(now, ctx.lead))
        self._known = {i: k for i, k in self._known.items() if i in found}
        fresh = [i for i, stored in found.items() if self._is_due(i, stored, now)][:AT_ONCE]
        queued = 0
        for link in ctx.store.links_by_id(fresh):
            pair = pairs.get(link.pair_id)
            due, count = now + HORIZON, 0
            try:
                if pair is not None:
                    due, count = self._one(pair, link, now)
            except StoreError:
                raise
            except Exception:
                # One booking that cannot be worked out must not stop the rooms.
                log.exception("reminders: link %s", link.id)
            queued += count
            self._known[link.id] = _Known(found[link.id], due)
        return queued

    def _one(self, pair: Pair, link: Link, now: datetime) -> tuple[datetime, int]:
        """When to look at it again, and how many notices were queued."""
        lead = self._ctx.lead
        starts = _starts(link, Interval(now, now + HORIZON + lead), pair.zone)
        later = [one.start - lead for one in starts if one.start - lead > now]
        due = min(later, default=now + HORIZON)
        if self._is_quiet(pair):
            return min(due, now + QUIET), 0
        return due, self._queue(pair, link, [one for one in starts if one.start - lead <= now])

    def _is_due(self, link_id: str, stored: int, now: datetime) -> bool:
        known = self._known.get(link_id)
        return known is None or known.stored != stored or known.due <= now

    def _is_quiet(self, pair: Pair) -> bool:
        """Before its first import came to rest, or while it stands still, a room tells nobody."""
        state = self._ctx.states.get(pair.id)
        return state is None or not state.imported or bool(state.halted)

    def _queue(self, pair: Pair, link: Link, starts: list[Instance]) -> int:
        ctx = self._ctx
        notices: list[Notice] = []
        doubtful: list[Notice] = []
        for one in starts:
            if not starts_at(link, one.start, pair.zone):
                continue
            notice = Notice(
                kind=NoticeKind.STARTING,
                link_id=link.id,
                # Of the booking, whichever of its parts begins then: dates of it change places.
                booking_key=whole_booking(link) or link.id,
                revision=f"{one.start:%Y-%m-%dT%H:%M:%SZ}",
                person=link.person,
                occupancy=_date(one),
            )
            told = self._was_told_in_a_life_forgotten(pair, one.start)
            (doubtful if told else notices).extend(addressed(ctx, pair, notice))
        if not notices and not doubtful:
            return 0
        return ctx.store.queue_notices(pair.id, notices, doubtful=doubtful)

    def _was_told_in_a_life_forgotten(self, pair: Pair, start: datetime) -> bool:
        """Due before the room was woken, by this process or one before it: the database that nobody
        had used for long may be a restored one, whose former life told it. It is written down as
        doubtful, and not only passed over, so that it shows."""
        state = self._ctx.states.get(pair.id)
        woken = state.woken_at if state is not None else None
        return woken is not None and start - self._ctx.lead < woken


def _starts(link: Link, span: Interval, zone: str) -> list[Instance]:
    """The dates that begin within ``span`` and take the room; all-day ones remind nobody."""
    there = shown(link, Side.BOOKING)
    if link.state is not LinkState.ACTIVE or there is None:
        return []
    return [
        one
        for one in instances(there, span, zone)
        if span.start < one.start < span.end and not one.all_day and one.busy.blocks
    ]


def _date(one: Instance) -> Occupancy:
    """One date as an occupancy of its own, in UTC."""
    return Occupancy(
        start=one.start.replace(tzinfo=None),
        end=one.end.replace(tzinfo=None),
        zone="UTC",
        busy=one.busy,
        title=one.title,
        private=one.private,
    )
