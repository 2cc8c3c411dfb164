"""Up to 200 rooms that share one stream of notifications, and the thread that listens to it.

What is heard is a hint, never a fact: the room is synced. So nothing here has to be complete: what
happens while nobody listens is found by the sync that follows every gap, or by the next poll.

Grouping and affinity follow EWS, "Maintain affinity between a group of subscriptions and the
Mailbox server": all subscriptions of a group are made on the server of its first mailbox (the
anchor), by X-AnchorMailbox, X-PreferServerAffinity and the cookie that the first answer brings.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from calsync.adapters.ews import requests
from calsync.adapters.ews.errors import Verdict, as_error, judge
from calsync.adapters.ews.hints import Hints
from calsync.adapters.ews.live import LiveAdapter, documents
from calsync.adapters.ews.notifications import (
    LOST,
    Told,
    affinity_of,
    read_told,
    subscription_of,
)
from calsync.adapters.ews.sessions import AFFINITY_COOKIE
from calsync.adapters.ews.transport import NETWORK, Transport, messages_of, refusal_of
from calsync.adapters.shared.meaning import Meaning
from calsync.adapters.wrap.port import Call, Caller
from calsync.errors import (
    AccessDenied,
    BadAnswer,
    CalsyncError,
    MailboxMissing,
    NotSignedIn,
    SideError,
    Throttled,
    Unavailable,
)
from calsync.pacing import backoff

log = logging.getLogger("calsync.ews.streams")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Times of streams; seconds but for ``minutes``.

    ``minutes``: how long a connection is asked for (1 to 30). ``quiet``: without a word for that
    long a connection is held for dead: Exchange says every 45 s that it lives, and Microsoft's own
    client waits for twice that (ews-managed-api, GetStreamingEventsRequest). ``overdue``: how long
    after its time a connection may still go on. ``settle``, ``longest``: see ``Hints``. ``join``:
    how long new rooms wait for more of them. ``base`` and ``cap`` of the waits after troubles;
    ``steady``: what lived that long was no trouble. ``rest``: the longest wait of a room that
    cannot be subscribed to.
    """

    minutes: int = 30
    quiet: float = 100.0
    overdue: float = 60.0
    settle: float = 2.0
    longest: float = 60.0
    join: float = 10.0
    base: float = 1.0
    cap: float = 300.0
    steady: float = 60.0
    rest: float = 1800.0


class _Over(Exception):
    """calsync ends, or stops listening."""


class _Silent(Exception):
    """Nothing came for too long: half-open, most likely."""


class _Joined(Exception):
    """Rooms were subscribed to that the open connection does not tell of; or none is left."""


class _Refused(Exception):
    """The server ended the stream with a reason, and its subscriptions were judged by it."""

    def __init__(self, error: SideError) -> None:
        super().__init__()
        self.error = error


#: Of the mailbox and not of the server: the others of the group can be subscribed to all the same.
_OF_ONE = (AccessDenied, MailboxMissing, BadAnswer)
#: Troubles in a row after which an admin should know.
_TELLING = 4
_STEP = 0.2


@dataclass(slots=True)
class Seat:
    """A room's place in a group. ``not_before``: in monotonic seconds; ``failures``: in a row."""

    room: str
    mailbox: str
    subscription: str = ""
    not_before: float = float("-inf")
    failures: int = 0


@dataclass(slots=True, kw_only=True)
class _Stream:
    """An open connection: by subscription, whom it tells of; until when it counts as alive."""

    seats: Mapping[str, Seat]
    opened: float | None = None
    alive_until: float
    over_at: float


@dataclass(slots=True)
class Group:
    """``run`` is the body of its thread. ``want`` may be called from another one."""

    name: str
    caller: Caller
    transport: Transport
    tell: Callable[[str], None]
    monotonic: Callable[[], float]
    chance: Callable[[], float]
    stops: tuple[threading.Event, ...]
    pace: Pace
    _wanted: dict[str, str] = field(default_factory=dict)
    _changed: threading.Event = field(default_factory=threading.Event)
    _seats: dict[str, Seat] = field(default_factory=dict)
    _anchor: str = ""
    _cookie: str = ""
    _stream: _Stream | None = None
    _hints: Hints = field(init=False)
    _troubles: int = 0
    _asked: float = 0.0

    def __post_init__(self) -> None:
        pace = self.pace
        self._hints = Hints(self.tell, settle=pace.settle, longest=pace.longest)

    def want(self, rooms: Mapping[str, str]) -> None:
        """Listen to these mailboxes (mailbox → room), and to no others."""
        self._wanted = dict(rooms)
        self._changed.set()

    @property
    def heard(self) -> int:
        """How many rooms an open stream tells of."""
        stream = self._stream
        return 0 if stream is None or stream.opened is None else len(stream.seats)

    def run(self) -> None:
        """Listen until one of ``stops`` is set."""
        with suppress(_Over):
            while True:
                self._idle()
                trouble = self._round()
                lived = self._lived()
                self._stream = None
                if lived >= self.pace.steady:
                    self._recovered()
                if trouble or lived < self.pace.steady:
                    self._pause(trouble)

    def _idle(self) -> None:
        """Wait while there is no room."""
        while not self._wanted:
            self._look_up()
            self._changed.wait(_STEP)
            self._changed.clear()

    # -- one round: subscribe, listen until the connection ends ---------------------------------

    def _round(self) -> str:
        """What was wrong with the connection; empty where it ended as it should."""
        try:
            self._reseat()
            self._keep_anchor()
            self._subscribe()
            self._listen()
        except _Joined:
            # The server may go on telling the connection that was cut: what is subscribed anew
            # is told to nobody else.
            self._forget(self._stream)
            self._troubles = 0
            return "rooms joined"
        except _Silent:
            self._forget()
            return "the connection went silent"
        except SideError as error:
            # What the server asks for counts, however short our own waits are.
            self._asked = error.retry_after if isinstance(error, Throttled) else 0.0
            return str(error)
        except _Over:
            raise
        except Exception as error:
            log.exception("%s: something unforeseen went wrong while listening", self.name)
            self._forget()
            return type(error).__name__
        return ""

    def _reseat(self) -> None:
        self._changed.clear()
        wanted = self._wanted
        for mailbox in self._seats.keys() - wanted.keys():
            # To unsubscribe would end the connection of all. It expires by itself.
            del self._seats[mailbox]
        for mailbox, room in sorted(wanted.items()):
            self._seats.setdefault(mailbox, Seat(room, mailbox)).room = room

    def _keep_anchor(self) -> None:
        """Rights on a room that is not mapped any more may be gone: another one is acted for."""
        if self._anchor not in self._seats:
            self._forget()

    def _subscribe(self) -> None:
        """A subscription for every room without one whose rest is over. Raises where the server,
        and not the mailbox, is the reason that one cannot be had."""
        for seat in list(self._seats.values()):
            if seat.subscription or self.monotonic() < seat.not_before:
                continue
            self._look_up()
            try:
                self._subscribe_one(seat)
            except NotSignedIn:
                raise
            except SideError as error:
                self._rest(seat)
                log.info("%s: no subscription to a room: %s", self.name, error)
                if not isinstance(error, _OF_ONE):
                    raise

    def _subscribe_one(self, seat: Seat) -> None:
        if not any(one.subscription for one in self._seats.values()):
            self._anchor, self._cookie = seat.mailbox, ""
        place = requests.folder(seat.mailbox, impersonated=self.transport.server.impersonate)
        answer = self.caller.call(
            Call(
                method="GET",
                target="Subscribe",
                operation="subscribe",
                mailbox=seat.mailbox,
                body={"soap": requests.subscribe(place)},
                headers=self._affinity(),
                # Made twice it costs nothing: one that nobody listens to expires.
                repeatable=True,
            )
        )
        verdict = refusal_of(answer)
        message = next(iter(messages_of(answer)), None)
        if verdict is None and message is not None and not message.good:
            verdict = judge(message)
        if verdict is not None:
            raise as_error(verdict, seat.mailbox)
        subscription = subscription_of(message) if message is not None else ""
        if not subscription:
            raise BadAnswer("the answer names no subscription", where=seat.mailbox)
        seat.subscription = subscription
        self._cookie = affinity_of(answer.headers.get("Set-Cookie", "")) or self._cookie

    def _affinity(self) -> dict[str, str]:
        headers = {"X-AnchorMailbox": self._anchor, "X-PreferServerAffinity": "true"}
        return headers | ({"Cookie": f"{AFFINITY_COOKIE}={self._cookie}"} if self._cookie else {})

    def _listen(self) -> None:
        """Read a stream until it ends in good order."""
        seats = {one.subscription: one for one in self._seats.values() if one.subscription}
        if not seats:
            raise Unavailable("no room could be subscribed to", where=self.name)
        now = self.monotonic()
        self._stream = stream = _Stream(
            seats=seats,
            alive_until=now + self.pace.quiet,
            over_at=now + 60.0 * self.pace.minutes + self.pace.overdue,
        )
        call = Call(
            method="GET",
            target="GetStreamingEvents",
            operation="listen",
            # Charged to the anchor, which no other group has.
            mailbox=self._anchor,
            body={"soap": requests.streaming_events(list(seats), minutes=self.pace.minutes)},
            headers=self._affinity() | {"Accept-Encoding": "identity"},
        )
        try:
            with self.transport.open(call, LiveAdapter(self._look_up)) as response:
                for content in documents(response):
                    if self._heed(stream, read_told(content)):
                        return
        except _Refused as refused:
            raise refused.error from None
        except (NotSignedIn, Throttled):
            raise
        except CalsyncError:
            self._forget()
            raise
        except NETWORK as error:
            self._forget()
            raise self.transport.lost(error) from None

    def _heed(self, stream: _Stream, told: Told) -> bool:
        """Take in a document; True where nothing follows."""
        now = self.monotonic()
        stream.alive_until = now + self.pace.quiet
        if told.refusal is not None:
            self._lose(stream, told.refusal, told.lost)
            raise _Refused(as_error(told.refusal, self.name))
        if stream.opened is None:
            stream.opened = now
            log.info("%s: listening to %d rooms", self.name, len(stream.seats))
            # What happened since the last connection, or before the first, was told to nobody.
            self._hints.heard([seat.room for seat in stream.seats.values()], now)
        found = [seat for one in told.news if (seat := stream.seats.get(one)) is not None]
        self._hints.heard([seat.room for seat in found], now)
        return told.closed

    def _lose(self, stream: _Stream, refusal: Verdict, lost: Sequence[str]) -> None:
        """Subscriptions that the server does not know any more are made anew, with no watermark."""
        if refusal.code not in LOST and not lost:
            if refusal.meaning not in (Meaning.THROTTLED, Meaning.PASSING):
                self._forget()
            return
        named = [stream.seats[one] for one in lost if one in stream.seats]
        for seat in named or list(stream.seats.values()):
            seat.subscription = ""
            seat.failures += 1
            if named and seat.failures > 2:
                # Lost again and again: it must not keep the others from being heard.
                self._rest(seat)

    # -- while a stream is read -----------------------------------------------------------------

    def _look_up(self) -> None:
        """Called every moment of waiting: hand on what was heard; raises what ends the waiting."""
        if any(stop.is_set() for stop in self.stops):
            raise _Over
        now, stream = self.monotonic(), self._stream
        self._hints.hand_on(now)
        if stream is None:
            return
        if now > stream.alive_until or now > stream.over_at:
            raise _Silent
        if stream.opened is not None and now - stream.opened >= self.pace.join:
            self._join(stream)

    def _join(self, stream: _Stream) -> None:
        """Rooms that were mapped, or have rested: the stream is begun anew with them, once there is
        a subscription."""
        if self._changed.is_set():
            self._reseat()
            if not self._seats:
                raise _Joined
        now = self.monotonic()
        if not any(not s.subscription and now >= s.not_before for s in self._seats.values()):
            return
        self._stream = None
        with suppress(SideError):
            self._subscribe()
        self._stream = stream
        # What came meanwhile waits in the socket.
        stream.alive_until += self.monotonic() - now
        if any(s.subscription and s.subscription not in stream.seats for s in self._seats.values()):
            raise _Joined

    # -- troubles -------------------------------------------------------------------------------

    def _lived(self) -> float:
        opened = self._stream.opened if self._stream is not None else None
        return 0.0 if opened is None else self.monotonic() - opened

    def _recovered(self) -> None:
        if self._troubles >= _TELLING:
            log.warning("%s: Exchange tells of changes again", self.name)
        self._troubles = 0
        for seat in self._seats.values():
            if seat.subscription:
                seat.failures = 0

    def _pause(self, trouble: str) -> None:
        seconds = backoff(
            self._troubles, jitter=self.chance(), base=self.pace.base, cap=self.pace.cap
        )
        seconds, self._asked = max(seconds, self._asked), 0.0
        self._troubles += 1
        log.info("%s: %s; again in %.1f s", self.name, trouble or "closed", seconds)
        if self._troubles == _TELLING:
            log.warning(
                "%s: Exchange tells of no changes (%s): its rooms are polled meanwhile",
                self.name,
                trouble or "it closes its connections at once",
            )
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0:
            self._look_up()
            self.stops[0].wait(min(left, _STEP))

    def _rest(self, seat: Seat) -> None:
        pause = backoff(seat.failures, jitter=self.chance(), base=60.0, cap=self.pace.rest)
        seat.failures += 1
        seat.not_before = self.monotonic() + pause

    def _forget(self, stream: _Stream | None = None) -> None:
        """All subscriptions, or those of a stream, are made anew; those left behind expire."""
        for seat in (self._seats if stream is None else stream.seats).values():
            seat.subscription = ""
