"""What the engine's use cases share: the ports, the settings they need, and what is known of
each room between cycles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from calsync.errors import UsageError
from calsync.model import ANSWERS, NoticeKind, Pair, Window
from calsync.ports import (
    LONGEST_QUEUE,
    Audience,
    BookingSide,
    CalendarSide,
    Clock,
    Requests,
    RoomState,
    Rulebook,
    Store,
)
from calsync.reconcile.guard import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How far the window reaches back and ahead of today, in days."""

    past_days: int = 1
    future_days: int = 400

    def window(self, now: datetime) -> Window:
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return Window(day - timedelta(days=self.past_days), day + timedelta(days=self.future_days))


@dataclass(slots=True, kw_only=True)
class Context:
    """The ports and what is remembered. Only the control thread touches it.

    ``resting``: pairs that have nothing unsettled and nothing in doubt, so that an idle cycle
    needs no look into the database. ``unsaved``: states whose cursors moved over nothing;
    stored in bulk now and then (an older cursor only means reading again). ``worked``: pairs
    whose lease this process took at some time. ``notices``: the
    kinds that are mailed to whoever booked; others are never queued, so that switching them on
    later sends no old mail. ``audiences``: shared channels beside that. ``lead``: how long before
    its start a booking is about to start. ``slept``: pairs that nobody looked at for long before
    this process began, and that have not come to rest since, or are compared in full for the first
    time since. What happened meanwhile may have been told in a life that a restored database does
    not know.
    ``begun``: when this process began to work on what another one left; None where nothing says
    that time passed in between.
    ``maker``: our installation's mark on the events it makes; empty = none is compared.
    ``rulebook``: the rules of rooms; without one nothing is held against any.
    ``requests``: what admins asked for; ``asked``: pairs for which something of it is open.
    ``moved``: the connection of pairs whose mailbox moved while this process works them: whoever
    holds the pair from before must not ask its former place.
    ``follows``: connection → the one that its mailboxes are being moved to, where an admin said so.
    """

    store: Store
    booking: BookingSide
    calendars: Mapping[str, CalendarSide]
    clock: Clock
    owner: str
    span: Span = Span()
    limits: Limits = field(default_factory=Limits)
    notices: frozenset[NoticeKind] = ANSWERS | {NoticeKind.WARNED}
    audiences: tuple[Audience, ...] = ()
    lead: timedelta = timedelta(minutes=10)
    maker: str = ""
    begun: datetime | None = None
    states: dict[str, RoomState] = field(default_factory=dict)
    fences: dict[str, int] = field(default_factory=dict)
    worked: set[str] = field(default_factory=set)
    resting: set[str] = field(default_factory=set)
    unsaved: set[str] = field(default_factory=set)
    slept: set[str] = field(default_factory=set)
    requests: Requests | None = None
    rulebook: Rulebook | None = None
    asked: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)
    follows: Mapping[str, str] = field(default_factory=dict)

    def where_it_is(self, pair: Pair) -> Pair:
        """The pair with the connection through which it is reached by now."""
        at = self.moved.get(pair.id, pair.connection)
        return pair if at == pair.connection else replace(pair, connection=at)

    def hear(self) -> set[str]:
        """Learn what admins asked for in other processes; the pairs it is about."""
        if self.requests is not None:
            self.asked = self.requests.waiting()
        return self.asked

    def calendar(self, pair: Pair) -> CalendarSide:
        """The calendar side of the pair's own connection; never another tenant's."""
        side = self.calendars.get(pair.connection)
        if side is None:
            raise UsageError(
                f"connection {pair.connection!r} is not in the settings",
                where=f"room {pair.room_id}",
                todo="Add it under [[connections]], or unmap the room.",
            )
        return side

    def state(self, pair: Pair) -> RoomState:
        state = self.states.get(pair.id)
        if state is None:
            state = self.store.states().get(pair.id) or RoomState(pair_id=pair.id)
            self.states[pair.id] = state
        return state

    def fence(self, pair: Pair) -> int:
        """The fencing number under which this process works the room; taken at first use."""
        fence = self.fences.get(pair.id)
        if fence is None:
            fence = self.fences[pair.id] = self.store.claim(pair.id, self.owner)
        return fence

    def begin(self, pair: Pair) -> None:
        """Take the room's lease before anything is read: a reading of a time when another process
        worked the room must never be stored. Where the lease was lost meanwhile, what is
        remembered from before is too old."""
        if pair.id in self.fences:
            return
        self.fence(pair)
        held = self.states.get(pair.id)
        if pair.id in self.worked:
            # Another process may have moved it.
            self.moved |= {
                one.id: one.connection for one in self.store.pairs() if one.id == pair.id
            }
        if pair.id in self.worked and held is not None:
            stored = self.store.states().get(pair.id, held)
            self.states[pair.id] = replace(stored, failures=held.failures, error=held.error)
            self.resting.discard(pair.id)
        self.worked.add(pair.id)

    def wake(self) -> None:
        """This process begins to work on what another one left. That a room slept is stored with
        the first reading of it, after which nothing else would show it to the next process."""
        now = self.begun = self.clock.now()
        stored = self.store.states()
        self.slept = {
            pair_id
            for pair_id, state in stored.items()
            if state.synced_at is not None and now - state.synced_at > LONGEST_QUEUE
        }
        self.states.update(stored)
        self.states.update({i: replace(stored[i], woken_at=now) for i in self.slept})

    def forget(self, pair_id: str) -> None:
        """Drop what is remembered of a room that is not mapped any more."""
        self.slept.discard(pair_id)
        self.states.pop(pair_id, None)
        self.fences.pop(pair_id, None)
        self.moved.pop(pair_id, None)
        self.worked.discard(pair_id)
        self.resting.discard(pair_id)
        self.unsaved.discard(pair_id)

    def look_again(self, pair_id: str) -> None:
        """The pair is read in another way from now on (titles, zone): both sides are listed in full
        before anything is decided."""
        state = self.states.get(pair_id)
        if state is not None:
            self.states[pair_id] = replace(state, window=None)
        # Whoever mapped it so took the lease away: what was read before must not be stored.
        self.fences.pop(pair_id, None)
        self.resting.discard(pair_id)

    def save_idle(self) -> None:
        """Store the states of rooms whose cursors moved over nothing."""
        if self.unsaved:
            held = [self.states[i] for i in sorted(self.unsaved)]
            for pair_id in self.store.save_states(held, self.fences):
                # Its lease, and what is stored, is taken anew with its next cycle.
                self.fences.pop(pair_id, None)
                self.resting.discard(pair_id)
            self.unsaved.clear()
