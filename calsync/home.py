"""calsync's own database and what stands on it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from calsync.adapters.feeds.keys import FeedKeys
from calsync.adapters.hub.service import BookingService
from calsync.adapters.hub.side import HubSide
from calsync.adapters.webhooks.endpoints import Endpoints
from calsync.adapters.webhooks.post import Post
from calsync.ports import Clock
from calsync.settings import Settings
from calsync.store.database import Database
from calsync.store.figures import Figures
from calsync.store.former import FormerStates
from calsync.store.hub import SqlHubStore
from calsync.store.pairs import Mappings
from calsync.store.people import People
from calsync.store.reports import Reports
from calsync.store.requests import SqlRequests
from calsync.store.store import SqlStore


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(slots=True, kw_only=True)
class Home:
    """calsync's own database and everything that needs nothing else."""

    settings: Settings
    db: Database
    clock: Clock
    store: SqlStore
    mappings: Mappings
    reports: Reports
    requests: SqlRequests
    former: FormerStates
    people: People
    figures: Figures
    hub: SqlHubStore
    bookings: BookingService
    booking_side: HubSide
    webhooks: Endpoints
    feeds: FeedKeys
    post: Post

    def close(self) -> None:
        self.db.dispose()
