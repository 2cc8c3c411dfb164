"""A platform that is told by webhooks, and is not always there: it fails, hangs, asks for patience,
and takes what it then seems not to have taken. Rare: a history in twelve has one.

It does what docs/how-to/receive-webhooks.md asks of a receiver: it checks the signature, knows the
ids it has had, and trusts the revision, not the order. The judge asks that it ends with what the
platform shows, and that nothing came that its scopes, or a private booking, forbid.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from calsync import bootstrap
from calsync.adapters.webhooks.sender import Reply
from calsync.errors import CalsyncError
from calsync.mapping.booking_values import BookingStatus
from simulation.claim import demand
from simulation.clock import VirtualClock
from simulation.story import Story

URL = "http://127.0.0.1:9/hook"
#: Of so many histories one has a receiver.
ONE_IN = 12
#: Messages tried in one go: more wait for the next.
ROUND = 6
#: Seconds after which a receiver that hangs is given up.
PATIENCE_S = 20.0
#: What is known of a message before it is tried, and what it may come to.
_FATES = (
    ("takes it", 60),
    ("takes it, and the answer is lost", 12),
    ("hangs, and takes nothing", 8),
    ("hangs, and has taken it", 5),
    ("fails", 7),
    ("asks for patience", 5),
    ("is not there", 3),
)
#: Days by which every message has come to an end.
_LAST_TRIES = 400


@dataclass(slots=True)
class Receiver:
    """``there``: this history has one. ``calm``: it takes everything. ``bodies``: what came, by
    id; ``shown``: by booking, the newest revision told and its status."""

    seed: int
    time: VirtualClock
    story: Story
    there: bool = False
    calm: bool = False
    rng: Random = field(default_factory=Random)
    scopes: tuple[str, ...] = ()
    secret: bytes = b""
    bodies: dict[str, bytes] = field(default_factory=dict)
    shown: dict[str, tuple[int, str]] = field(default_factory=dict)
    began: int = 0

    def __post_init__(self) -> None:
        self.rng = Random(f"{self.seed}/receiver")
        self.there = self.rng.randrange(ONE_IN) == 0
        self.scopes = self.rng.choice(((), ("bookings:read",), ("bookings:read", "details:read")))

    def carrier(self, point: Callable[[str], None]) -> Carrier | None:
        """What carries the messages of one process to it."""
        return Carrier(self, point) if self.there else None

    def register(self, home: bootstrap.Home) -> None:
        if self.there:
            _, secret = home.webhooks.add("platform", URL, self.scopes)
            self.secret = base64.b64decode(secret.removeprefix("whsec_"))
            with home.hub.read() as tx:
                self.began = tx.numbers()[0]

    def serve(self, home: bootstrap.Home, rounds: int = ROUND) -> bool:
        """What the thread that sends webhooks does in a while; True where it sent anything."""
        sent = False
        if self.there:
            # A locked or full disk: the thread looks again later.
            with suppress(CalsyncError):
                while home.post.fan_out():
                    pass
                for _ in range(rounds):
                    due = home.post.due(())
                    for message in due:
                        home.post.deliver(message)
                    sent = sent or bool(due)
                    if not due:
                        break
        return sent

    # -- what comes ---------------------------------------------------------------------------

    def take(self, headers: Mapping[str, str], body: bytes) -> Reply:
        fate = "takes it"
        if not self.calm:
            words, weights = zip(*_FATES, strict=True)
            (fate,) = self.rng.choices(words, weights)
        doc = self._check(headers, body)
        if "take" in fate and "nothing" not in fate:
            self._apply(headers["webhook-id"], doc)
        if fate != "takes it":
            self.story.tell("receiver", fate)
        match fate:
            case "takes it":
                return Reply(204)
            case "fails":
                return Reply(500, "answered 500")
            case "asks for patience":
                return Reply(503, "answered 503", wait=self.rng.choice((1.0, 600.0, 7200.0)))
            case "is not there":
                return Reply(0, "no connection")
            case _:
                self.time.forward(PATIENCE_S)
                return Reply(0, "no answer in time")

    def _check(self, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mark = "v1," + base64.b64encode(hmac.digest(self.secret, signed, "sha256")).decode()
        right = mark in headers["webhook-signature"].split(" ")
        demand(right, "webhooks are signed", headers["webhook-signature"])
        doc: dict[str, Any] = json.loads(body)
        booking = doc["data"].get("booking")
        demand(booking is None or bool(self.scopes), "13 privacy", f"a thin endpoint: {booking}")
        if booking is not None:
            self._private(booking)
        return doc

    def _private(self, booking: dict[str, Any]) -> None:
        """Without the scope no title and nobody; of what is private never."""
        overrides = [o for o in booking.get("recurrenceOverrides", {}).values() if o]
        named = "title" in booking or "bookedBy" in booking
        titles = named or any("title" in one for one in overrides)
        demand("details:read" in self.scopes or not titles, "13 privacy", booking)
        demand(not (named and booking["privacy"] == "private"), "13 privacy", booking)
        shut = [o for o in overrides if o.get("privacy") == "private" and "title" in o]
        demand(not shut, "13 privacy", shut)

    def _apply(self, message: str, doc: dict[str, Any]) -> None:
        # The booking beside the news is told as it is at each try.
        news = {name: value for name, value in doc["data"].items() if "ooking" not in name[:7]}
        news |= {"bookingId": doc["data"].get("bookingId"), "type": doc["type"]}
        bare = json.dumps(news, sort_keys=True).encode()
        known = self.bodies.setdefault(message, bare)
        demand(known == bare, "webhooks: one id, one content", (known, bare))
        if "bookingId" not in doc["data"]:
            return
        booking, revision = doc["data"]["bookingId"], doc["data"]["revision"]
        if revision >= self.shown.get(booking, (0, ""))[0]:
            self.shown[booking] = (revision, doc["type"].removeprefix("booking."))
        self.story.note("webhook", booking, revision, doc["type"])

    # -- the judge ----------------------------------------------------------------------------

    def judge(self, home: bootstrap.Home, *, restored: bool) -> None:
        """Every message comes to an end; then the receiver has what the platform shows.
        ``restored``: a backup came back in this history; what was told after it stays told."""
        if not self.there:
            return
        self.calm = True
        for _ in range(_LAST_TRIES):
            if not self.serve(home, rounds=200) and not self._waits(home):
                break
            self.time.forward(3700.0)
        demand(not self._waits(home), "webhooks come to an end", home.webhooks.list())
        self.calm = False
        if restored:
            return
        with home.hub.read() as tx:
            changed = {e.booking_id for e in tx.feed(self.began, room_id=None, limit=100_000)}
            held = tx.bookings(sorted(changed))
        for booking in held.values():
            there = (booking.revision, booking.status.value)
            told = self.shown.get(booking.id)
            demand(told == there, "webhooks: each change is told", f"{booking.id}: {told} {there}")
        known = {status.value for status in BookingStatus}
        demand({s for _, s in self.shown.values()} <= known, "webhooks", self.shown)

    def _waits(self, home: bootstrap.Home) -> bool:
        """True while a message is on its way; what was given up an admin sends again."""
        ((endpoint, backlog),) = home.webhooks.list()
        if endpoint.disabled is not None:
            home.webhooks.enable(endpoint.id)
        if backlog.failed:
            home.webhooks.replay(endpoint.id)
        return bool(backlog.queued or backlog.failed)


@dataclass(frozen=True, slots=True)
class Carrier:
    """The sender of one process, which may die before and after each call."""

    receiver: Receiver
    point: Callable[[str], None]

    def post(self, _url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.point("before a webhook")
        reply = self.receiver.take(headers, body)
        self.point("after a webhook")
        return reply
