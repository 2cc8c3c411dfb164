"""How calsync is, for load balancers and monitoring: is it ready, and the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Protocol

from calsync.adapters.metrics import Metric, counter, gauge, one
from calsync.adapters.webhooks.repository import WebhookStore
from calsync.adapters.wrap.logged import Logged
from calsync.engine.context import Context
from calsync.mapping.webhook_values import Backlog
from calsync.ports import NoticeState
from calsync.store.reports import Reports

#: Seconds without a step after which the control loop counts as hung. It steps every second; a
#: large import may hold one step up for a while.
HUNG_AFTER = 120.0
_STATES = ("ok", "stale", "failing", "stopped", "importing")


class Loop(Protocol):
    """What is asked of the control loop."""

    @property
    def stepped(self) -> float: ...


class Vitals:
    """``stale_after``: seconds without a sync after which a room is out of sync. ``platform``: the
    calls to one that is polled. ``heard``: by connection, rooms of whose changes it is told."""

    def __init__(
        self,
        context: Context,
        reports: Reports,
        webhooks: WebhookStore,
        calls: Mapping[str, Logged],
        loop: Loop,
        newest: Callable[[], int],
        *,
        stale_after: float,
        platform: Logged | None = None,
        heard: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._context = context
        self._reports = reports
        self._webhooks = webhooks
        self._calls = calls
        self._loop = loop
        self._newest = newest
        self._platform = platform
        self._heard = heard
        self._stale_after = timedelta(seconds=stale_after)

    def not_ready(self) -> list[str]:
        """Why it should get no requests. Rooms out of sync are no reason: the API says so itself,
        and without it nobody could ask."""
        hung = self._context.clock.monotonic() - self._loop.stepped > HUNG_AFTER
        return ["the control loop does not answer"] if hung else []

    def metrics(self) -> Iterable[Metric]:
        """Raises StoreError."""
        yield from self._rooms()
        yield from self._work()
        yield from self._outgoing()

    def _rooms(self) -> Iterable[Metric]:
        now = self._context.clock.now()
        pairs = self._context.store.pairs()
        states = dict(self._context.states)
        by_state = dict.fromkeys(_STATES, 0)
        ages: list[tuple[Mapping[str, str], float]] = []
        drift = 0
        for pair in pairs:
            state = states.get(pair.id)
            synced = None if state is None else state.synced_at
            if synced is not None:
                ages.append(({"room": pair.room_id}, (now - synced).total_seconds()))
            drift += 0 if state is None else state.drift
            if state is not None and state.halted:
                kind = "stopped"
            elif state is not None and state.failures:
                kind = "failing"
            elif synced is None:
                kind = "importing"
            else:
                kind = "stale" if now - synced > self._stale_after else "ok"
            by_state[kind] += 1
        yield gauge(
            "rooms", "Mapped rooms by state", [({"state": s}, n) for s, n in by_state.items()]
        )
        yield gauge("room_synced_age_seconds", "Since both sides were last read and equal", ages)
        yield gauge(
            "rooms_heard",
            "Rooms of whose changes Exchange tells at once",
            [({"connection": name}, count) for name, count in self._heard().items()],
        )
        yield gauge("drift_items", "Differences that only full compares found", one(drift))

    def _work(self) -> Iterable[Metric]:
        counts = list(self._reports.counts().values())
        figures = {
            "links": ("Bookings joined to their events", sum(c.active for c in counts)),
            "links_parked": ("Bookings that wait for a person", sum(c.parked for c in counts)),
            "links_unsettled": ("Bookings with work due", sum(c.unsettled for c in counts)),
            "effects_open": (
                "Writes whose outcome is not known",
                sum(c.open_effects for c in counts),
            ),
            "conflicts_stored": ("Conflicts on record", sum(c.conflicts for c in counts)),
        }
        for name, (what, value) in figures.items():
            yield gauge(name, what, one(value))
        calls = {name: logged.counts() for name, logged in self._calls.items()}
        yield counter(
            "calendar_calls_total",
            "Requests to the calendars, by status (0: no answer)",
            [
                ({"connection": name, "method": method, "status": str(status)}, sum(group))
                for name, found in calls.items()
                for (method, status), group in _grouped(found.by).items()
            ],
        )
        yield counter(
            "calendar_call_seconds_total",
            "Time spent in them",
            [({"connection": name}, found.seconds) for name, found in calls.items()],
        )
        if self._platform is not None:
            found = self._platform.counts()
            yield counter(
                "platform_calls_total",
                "Requests to the booking platform, by status (0: no answer)",
                [
                    ({"method": method, "status": str(status)}, sum(group))
                    for (method, status), group in _grouped(found.by).items()
                ],
            )
            yield counter("platform_call_seconds_total", "Time spent in them", one(found.seconds))
        yield counter("changes_total", "Changes of bookings so far", one(self._newest()))

    def _outgoing(self) -> Iterable[Metric]:
        notices = self._reports.notice_counts()
        yield gauge(
            "notices",
            "Mails by state",
            [({"state": s.value}, notices.get(s, 0)) for s in NoticeState],
        )
        backlogs, endpoints = self._webhooks.backlogs(), self._webhooks.endpoints()
        now = self._context.clock.now()
        messages, oldest = [], []
        for endpoint in endpoints:
            backlog = backlogs.get(endpoint.id, Backlog())
            label = {"endpoint": endpoint.id}
            for state in ("queued", "delivered", "failed"):
                messages.append((label | {"state": state}, float(getattr(backlog, state))))
            if backlog.oldest is not None:
                oldest.append((label, (now - backlog.oldest).total_seconds()))
        yield gauge("webhook_messages", "Messages that are kept, by state", messages)
        yield gauge("webhook_oldest_queued_seconds", "Age of the oldest one that waits", oldest)
        yield gauge(
            "webhook_disabled",
            "1: nothing is sent to this endpoint",
            [({"endpoint": e.id}, float(e.disabled is not None)) for e in endpoints],
        )


def _grouped(by: Mapping[tuple[str, str, int], int]) -> dict[tuple[str, int], list[int]]:
    found: dict[tuple[str, int], list[int]] = {}
    for (method, _, status), count in by.items():
        found.setdefault((method, status), []).append(count)
    return found
