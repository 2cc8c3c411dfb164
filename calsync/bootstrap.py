"""The composition root. It, ``connections`` and ``home`` alone name concrete classes.

``open_home`` opens calsync's own database and what stands on it; ``connect`` adds the calendar
sides; ``build_worker`` makes the half of ``calsync serve`` that syncs (the other is ``api``).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from calsync import __version__
from calsync.adapters.booking_http.side import HttpSide
from calsync.adapters.booking_http.transport import Transport as PlatformTransport
from calsync.adapters.feeds.keys import FeedKeys
from calsync.adapters.hub.service import BookingService
from calsync.adapters.hub.side import HubSide
from calsync.adapters.notify import assembly
from calsync.adapters.notify.rationed import Rationed
from calsync.adapters.notify.switchboard import Switchboard
from calsync.adapters.shared.seal import Seal
from calsync.adapters.webhooks.endpoints import Endpoints
from calsync.adapters.webhooks.guard import Guard
from calsync.adapters.webhooks.post import Post
from calsync.adapters.webhooks.sender import Sender
from calsync.adapters.webhooks.vault import Vault
from calsync.adapters.wrap.dry_run import DryRun, DryRunBooking
from calsync.adapters.wrap.logged import Logged
from calsync.adapters.wrap.paced import Paced
from calsync.adapters.wrap.retried import Retried
from calsync.connections import MACHINE as MACHINE
from calsync.connections import Common, EwsLink, GraphLink, identity, wire_up
from calsync.connections import Link as Link
from calsync.connections import Surroundings as Surroundings
from calsync.engine.context import Context, Span
from calsync.errors import CalsyncError
from calsync.home import Home as Home
from calsync.home import SystemClock as SystemClock
from calsync.model import Pair
from calsync.pacing import Limit
from calsync.ports import BookingSide, CalendarSide, Clock, Notifier
from calsync.reconcile.guard import Limits
from calsync.rooms import map_room as map_room
from calsync.rooms import take_in_all
from calsync.settings import Settings, checks
from calsync.store.database import Database
from calsync.store.feeds import SqlFeedStore
from calsync.store.figures import Figures
from calsync.store.former import FormerStates
from calsync.store.hub import SqlHubStore
from calsync.store.lease import ProcessLease
from calsync.store.migrate import facts, migrate
from calsync.store.nights import Nights
from calsync.store.pairs import Mappings
from calsync.store.people import People
from calsync.store.reports import Reports
from calsync.store.requests import SqlRequests
from calsync.store.retention import purge, sweep
from calsync.store.store import SqlStore
from calsync.store.webhooks import SqlWebhookStore
from calsync.worker.control import Calls, Worker
from calsync.worker.deliveries import Deliveries
from calsync.worker.plan import PollSettings
from calsync.worker.triggers import Triggers
from calsync.worker.vitals import Vitals

log = logging.getLogger("calsync")

#: Seconds between two writes of the counts of calls.
_LEDGER_S = 60.0


def open_home(
    settings: Settings, clock: Clock | None = None, around: Surroundings = MACHINE
) -> Home:
    """Open the database, bring its tables up to date, and take in the rooms of the settings."""
    clock = clock or SystemClock()
    db = Database(settings.database.url)
    try:
        if not around.ready:
            migrate(db)
        hub = SqlHubStore(db, monotonic=clock.monotonic)
        webhooks, post = _webhooks(settings, db, hub, clock, around)
        home = Home(
            settings=settings,
            db=db,
            clock=clock,
            store=SqlStore(db, clock),
            mappings=Mappings(db, clock, new_id=around.new_id),
            reports=Reports(db),
            requests=SqlRequests(db, clock),
            former=FormerStates(db),
            people=People(db, clock),
            figures=Figures(db),
            hub=hub,
            bookings=BookingService(hub, now=clock.now, new_id=around.new_id),
            booking_side=HubSide(hub, now=clock.now, new_id=around.new_id),
            webhooks=webhooks,
            post=post,
            feeds=FeedKeys(SqlFeedStore(db), hub, now=clock.now),
        )
        take_in_all(home)
    except BaseException:
        db.dispose()
        raise
    return home


def _webhooks(
    settings: Settings, db: Database, hub: SqlHubStore, clock: Clock, around: Surroundings
) -> tuple[Endpoints, Post]:
    """Nothing is looked up or sent yet, and no key is read."""
    entry = settings.webhooks
    store, vault = SqlWebhookStore(db), Vault(Path(entry.key_file))
    guard = Guard(entry.allowed_networks)
    sender = around.carrier or Sender(guard, timeout=entry.timeout)
    agent, chance = f"calsync/{__version__}", around.chance
    return (
        Endpoints(store, hub, vault, guard, now=clock.now),
        Post(store, hub, vault, sender, now=clock.now, chance=chance, agent=agent),
    )


# --- calendar sides ------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Remote:
    """The booking platform that is polled in place of the hub, and its transport's wrappers."""

    calls: Logged
    side: HttpSide
    transport: PlatformTransport


@dataclass(slots=True, kw_only=True)
class System:
    """Everything wired together. ``stop`` ends every wait at once. ``remote``: None where the
    hub holds the bookings."""

    home: Home
    links: dict[str, Link]
    stop: threading.Event
    context: Context
    notifier: Notifier | None = None
    board: Switchboard | None = None
    remote: Remote | None = None
    _closers: list[Callable[[], None]] = field(default_factory=list)

    def close(self) -> None:
        self.stop.set()
        for link in self.links.values():
            link.close()
        if self.remote is not None:
            self.remote.transport.close()
        self.home.close()


def connect(
    home: Home,
    *,
    owner: str = "calsync",
    dry_run: bool = False,
    around: Surroundings = MACHINE,
) -> System:
    """Add the calendar sides. Secrets are read now; no network is used yet.

    ``dry_run``: whatever would be written is refused by the sides themselves.
    """
    settings, stop = home.settings, around.stop()
    for entry in settings.connections:
        home.mappings.bind(entry.name, identity(entry))
    common = Common(
        clock=home.clock,
        stop=stop,
        around=around,
        tag_key=_tag_key(home, around),
        subject_fallback=settings.platform.subject_fallback,
        threads=settings.worker.threads,
    )
    links = {c.name: wire_up(c, common) for c in settings.connections}
    calendars: dict[str, CalendarSide] = {
        name: DryRun(one.side) if dry_run else one.side for name, one in links.items()
    }
    remote = _remote(home, stop, around) if settings.booking.kind == "http" else None
    booking: BookingSide = home.booking_side
    if remote is not None:
        booking = DryRunBooking(remote.side) if dry_run else remote.side
    context = Context(
        store=home.store,
        booking=booking,
        calendars=calendars,
        clock=home.clock,
        owner=owner,
        span=Span(past_days=settings.window.past_days, future_days=settings.window.future_days),
        limits=Limits(
            floor=settings.guard.max_deletions,
            share=settings.guard.max_share,
            per_booking=settings.guard.max_writes_per_booking,
            per_room=settings.guard.max_writes_per_room,
        ),
        maker=Seal(common.tag_key).maker,
        notices=assembly.mailed(settings),
        audiences=assembly.audiences(settings),
        lead=assembly.lead(settings),
    )
    context.requests, context.rulebook = home.requests, home.booking_side
    context.follows = {one.name: one.moves_to for one in settings.connections if one.moves_to}
    context.hear()
    board = _switchboard(home, links)
    return System(
        home=home,
        links=links,
        stop=stop,
        context=context,
        notifier=None if board is None else _rationed(home, board),
        board=board,
        remote=remote,
    )


def _remote(home: Home, stop: threading.Event, around: Surroundings) -> Remote:
    """The platform that is polled. Its token is read; no network is used yet."""
    source = home.settings.booking
    transport = PlatformTransport(
        base=source.base_url,
        token=source.token.read(),
        clock=home.clock,
        guard=Guard(source.allowed_networks),
        ca_file=source.ca_file,
        timeout=source.timeout,
        pool=source.calls_at_once,
        wire=around.wire() if around.wire is not None else None,
    )
    logged = Logged(transport)
    whole = Limit(in_flight=source.calls_at_once, calls=source.requests_per_minute, window=60.0)
    paced = Paced(
        logged,
        monotonic=home.clock.monotonic,
        stop=stop,
        mailbox=whole,
        whole=whole,
        wait_on=around.wait_on,
    )
    caller = Retried(paced, stop=stop, chance=around.chance)
    side = HttpSide(caller, clock=home.clock, tag_key=_tag_key(home, around))
    return Remote(calls=logged, side=side, transport=transport)


def take_in_rooms(system: System) -> None:
    """Where a platform is polled, its rooms and their rules, as it names them now. Raises
    SideError."""
    if system.remote is None:
        return
    bookings = system.home.bookings
    held = {stored.room.id: stored for stored in bookings.rooms()}
    for found in system.remote.side.directory.listing(anew=True).rooms.values():
        known = held.get(found.room.id)
        same = known is not None and known.room == found.room
        if same and known is not None and found.rules in (None, known.rules):
            continue
        if _is_name(found.room.id):
            bookings.put_room(found.room, found.rules)


def _is_name(room_id: str) -> bool:
    """A room that commands and logs can name; others cannot be mapped."""
    try:
        checks.name(room_id)
    except checks.Wrong:
        return False
    return True


def count_calls(system: System) -> None:
    """Store how many requests each mailbox cost since the last time."""
    calls: dict[str, int] = {}
    for link in system.links.values():
        for mailbox, count in link.calls.drain().items():
            calls[mailbox] = calls.get(mailbox, 0) + count
    if system.remote is not None:
        # Counted for monitoring; figures are by mailbox.
        system.remote.calls.drain()
    system.home.figures.count(calls, system.home.clock.now())


class CallLedger:
    """Stores the counts of calls once a minute, not with every housekeeping."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._next = system.home.clock.monotonic() + _LEDGER_S

    def __call__(self) -> None:
        now = self._system.home.clock.monotonic()
        if now >= self._next:
            self._next = now + _LEDGER_S
            count_calls(self._system)


def _tag_key(home: Home, around: Surroundings) -> bytes:
    """What tags are sealed under: a secret that was drawn when the database was made. A run
    whose requests leave nowhere has none, so that one seed says the same each time."""
    return b"" if around.wire is not None else bytes.fromhex(facts(home.db)["secret"])


def _switchboard(home: Home, links: dict[str, Link]) -> Switchboard | None:
    """Mail by Graph leaves through the first tenant."""
    first = next((one for one in links.values() if isinstance(one, GraphLink)), None)
    return assembly.switchboard(
        home.settings,
        graph=None if first is None else first.caller,
        outbox=home.post,
        now=home.clock.now,
    )


def _rationed(home: Home, inner: Notifier) -> Rationed:
    """So many a day; what left within the last one counts."""
    notices, now = home.settings.notices, home.clock.now

    def before() -> list[tuple[str, str, str, float]]:
        told = home.store.ledger.told_since(now() - timedelta(days=1))
        return [(p, c, r, (now() - at).total_seconds()) for p, c, r, at in told]

    return Rationed(
        inner,
        per_room=notices.max_per_room_day,
        per_person=notices.max_per_person_day,
        monotonic=home.clock.monotonic,
        before=before,
    )


# --- the worker ------------------------------------------------------------------------------


def control_loop(
    system: System,
    lease: ProcessLease | None = None,
    *,
    pool: Calls | None = None,
    seed: int | None = None,
) -> Worker:
    """The control loop; not started. ``pool`` and ``seed`` for runs under virtual time."""
    settings = system.home.settings
    return Worker(
        system.context,
        poll=PollSettings(floor=settings.worker.poll_floor, ceiling=settings.worker.poll_ceiling),
        threads=settings.worker.threads,
        lease=lease,
        notifier=system.notifier,
        pool=pool,
        seed=seed,
        on_housekeeping=CallLedger(system),
    )


def build_worker(system: System, lease: ProcessLease | None = None) -> tuple[Worker, Triggers]:
    """The control loop and its timed jobs; neither is started."""
    settings, home = system.home.settings, system.home
    worker = control_loop(system, lease)
    triggers = Triggers(
        worker,
        tick=min(1.0, settings.worker.poll_floor / 2),
        housekeeping=min(10.0, settings.worker.poll_floor * 2),
        compare_at=settings.worker.full_compare_at,
        purge=lambda: purge_now(home),
        nights=Nights(home.db, home.clock),
        rooms=(lambda: _look_at_rooms(system)) if system.remote is not None else None,
    )
    return worker, triggers


def _look_at_rooms(system: System) -> None:
    """On a thread of its own, which holds up nothing, an end of calsync least of all."""
    threading.Thread(target=_rooms_again, args=(system,), name="rooms", daemon=True).start()


def _rooms_again(system: System) -> None:
    try:
        take_in_rooms(system)
    except CalsyncError as error:
        log.info("the platform's rooms cannot be listed just now: %s", error)


class Listening:
    """What tells the worker at once that something changed in a calendar: a listener for every
    connection that has streaming notifications. Only hints; polling finds what they miss."""

    def __init__(self, system: System, worker: Worker) -> None:
        self._listeners = {
            name: link.listener(system.stop, worker.trigger)
            for name, link in system.links.items()
            if isinstance(link, EwsLink) and link.streaming
        }

    def watch(self, pairs: Sequence[Pair]) -> None:
        for listener in self._listeners.values():
            listener.watch(pairs)

    def heard(self) -> dict[str, int]:
        """By connection, how many rooms it is told of at once."""
        return {name: listener.heard for name, listener in self._listeners.items()}

    def stop(self) -> None:
        for listener in self._listeners.values():
            listener.close(0.0)
        for listener in self._listeners.values():
            listener.close()


def build_listening(system: System, worker: Worker) -> Listening:
    """It begins once the worker has read which rooms are mapped."""
    made = Listening(system, worker)
    worker.on_pairs = made.watch
    return made


def build_deliveries(home: Home) -> Deliveries:
    """The thread that sends webhooks; not started."""
    return Deliveries(home.post, newest=home.hub.newest)


def purge_now(home: Home) -> None:
    """Forget what retention says is old: details first, links without personal data later."""
    now, keep = home.clock.now(), home.settings.retention
    purge(
        home.db,
        details_before=now - timedelta(days=keep.details_days),
        links_before=now - timedelta(days=keep.links_days),
        now=now,
    )
    home.bookings.compact(
        people=timedelta(days=keep.details_days), dead=timedelta(days=keep.links_days)
    )
    home.post.purge(timedelta(days=home.settings.webhooks.keep_days))
    sweep(home.db)


def build_vitals(system: System, worker: Worker, listening: Listening | None = None) -> Vitals:
    """How calsync is, for load balancers and monitoring."""
    home = system.home
    return Vitals(
        system.context,
        home.reports,
        SqlWebhookStore(home.db),
        {name: link.calls for name, link in system.links.items()},
        worker,
        home.hub.newest,
        stale_after=3 * home.settings.worker.poll_ceiling,
        platform=system.remote.calls if system.remote is not None else None,
        heard=listening.heard if listening is not None else dict,
    )


class SyncStatus:
    """``in sync as of`` per room, from what the engine remembers."""

    def __init__(self, system: System) -> None:
        self._system = system

    def mapped(self, room_id: str) -> bool:
        """Whether this calsync keeps the room equal with a calendar."""
        return self._system.home.mappings.find(room_id) is not None

    def __call__(self, room_id: str) -> tuple[datetime | None, bool]:
        """When both sides were last read, and whether that is too long ago to rely on. A room that
        waits for the admin's answer is out of sync at once: nothing is carried over any more."""
        context, home = self._system.context, self._system.home
        pair = home.mappings.find(room_id)
        if pair is None:
            return None, False
        state = context.states.get(pair.id)
        at = state.synced_at if state is not None else None
        limit = timedelta(seconds=3 * home.settings.worker.poll_ceiling)
        stopped = state is not None and bool(state.halted)
        return at, at is None or stopped or context.clock.now() - at > limit
