"""People who go on while calsync is down: what a person asked of the platform when it died is
asked again once it is back, as any careful client does."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from threading import Event

from calsync.demo.clients import Answer, Platform, Sandbox
from calsync.demo.driver import Driver, Hands, Look
from calsync.demo.watcher import Watcher
from calsync.sandbox.people import People
from calsync.sandbox.wishes import Wish
from soak.site import Site

#: The longest that calsync may be down while somebody waits for it, in seconds.
_PATIENCE = 60.0


class PatientHands(Hands):
    """Asks again after the platform died over a request. ``on_send`` hears of each one."""

    def __init__(
        self,
        sandbox: Sandbox,
        platform: Platform,
        people: People,
        *,
        site: Site,
        on_send: Callable[[], None],
    ) -> None:
        super().__init__(sandbox, platform, people)
        self._site, self._on_send = site, on_send

    def ask(self, wish: Wish, look: Look | None) -> Answer:
        died = False
        while True:
            try:
                self._on_send()
                got = super().ask(wish, look)
            except OSError:  # requests' errors are OSErrors
                died = True
                if not self._site.up.wait(_PATIENCE):
                    raise
                done = self._done_already(wish, look)
                if done is not None:
                    return done
                continue
            if died and wish.known is None and got.ok:
                # Answered from what was kept: the booking may have been confirmed since.
                got.doc["revision"] = 1
            return got

    def _done_already(self, wish: Wish, look: Look | None) -> Answer | None:
        """A change that was carried out although its answer was lost; by the platform's feed."""
        if wish.known is None or look is None:
            return None  # its Idempotency-Key makes a second request harmless
        revision = int(look.etag.strip('"')) + 1
        sql = "SELECT 1 FROM hub_change WHERE booking_id = ? AND revision = ? AND NOT by_sync"
        path = f"{self._site.database.as_uri()}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=10)) as connection:
            if connection.execute(sql, (look.name, revision)).fetchone() is None:
                return None
        return Answer(200, {"id": look.name, "revision": revision})


class Crowd(Driver):
    """A driver whose people leave the platform alone while it is down, and use Outlook; some do,
    so that both sides stay as busy as each other."""

    def __init__(self, people: People, site: Site) -> None:
        #: Set when a request to the platform is about to leave.
        self.asking = Event()
        super().__init__(
            people,
            sandbox=site.open_sandbox,
            platform=site.open_platform,
            hands=lambda sandbox, platform, people: PatientHands(
                sandbox, platform, people, site=site, on_send=self.asking.set
            ),
        )
        self._site = site
        self._down = 0

    def run(self, seconds: float, *, per_second: float, stop: Event) -> None:
        """People act for so long, at that rate however long each act takes."""
        until = time.monotonic() + seconds
        due = time.monotonic()
        while not stop.is_set() and time.monotonic() < until:
            self.step()
            # What was missed while nobody could act is not made up for in a burst.
            due = max(due + self.people.pause(per_second), time.monotonic() - 2.0)
            stop.wait(max(0.0, min(due, until) - time.monotonic()))

    def step(self) -> None:
        wish = self.people.next()
        if not self._site.up.is_set():
            self._down += 1
            if _needs_platform(wish) or self._down % 4:
                return
        try:
            self.live(wish)
        except OSError:
            if self._site.up.is_set():
                raise


def _needs_platform(wish: Wish) -> bool:
    return "platform" in (wish.side, wish.rival.side if wish.rival else "")


class Onlooker(Watcher):
    """A watcher that goes on while calsync is down."""

    def look(self, *, whole: bool = False) -> None:
        try:
            super().look(whole=whole)
        except (OSError, sqlite3.OperationalError):
            if whole:
                raise
