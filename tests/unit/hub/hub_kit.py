"""A hub on a database of its own, under a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from calsync.adapters.hub.desk import Precondition, Shown
from calsync.adapters.hub.service import BookingService
from calsync.adapters.hub.side import HubSide
from calsync.mapping.booking import content_to_json
from calsync.mapping.booking_values import Booking
from calsync.model import Occupancy, Pair, Room, Window
from calsync.store.database import Database
from calsync.store.hub import SqlHubStore
from calsync.store.metadata import metadata

ZONE = "Europe/Berlin"
START = datetime(2026, 11, 20, 8, tzinfo=UTC)
ANY = Precondition()


class Clock:
    """Moves a second with each look, so that times in one test differ."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


class Hub:
    """The parts of a hub, joined as bootstrap does it. Rooms: r1 to r3 in house A, r4 in B."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        numbers = count(1)
        self.database = database
        self.store = SqlHubStore(database)
        self.service = BookingService(
            self.store, now=self.clock, new_id=lambda: f"b{next(numbers):04}"
        )
        self.side = HubSide(self.store, now=self.clock, new_id=lambda: f"s{next(numbers):04}")
        for number, (building, capacity) in enumerate(
            [("A", 4), ("A", 6), ("A", None), ("B", 20)], 1
        ):
            self.service.put_room(
                Room(
                    id=f"r{number}",
                    name=f"Room {number}",
                    zone=ZONE,
                    building=building,
                    capacity=capacity,
                )
            )
            self.service.set_titles(f"r{number}", titles=True)
        self.pair = Pair(
            id="p1", room_id="r1", connection="c", mailbox="r1@example.com", zone=ZONE, titles=True
        )
        self.window = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 3, 31, tzinfo=UTC))

    def book(self, room_id: str = "r1", /, **doc: object) -> Booking:
        values: dict[str, object] = {"start": "2026-12-01T09:00:00", "duration": "PT1H", **doc}
        shown = self.service.create(room_id, values)
        assert isinstance(shown, Shown)
        return shown.booking

    def get(self, booking_id: str) -> Booking:
        return self.service.booking(booking_id).booking


class HubLab:
    """People's acts on the platform, for the contract of every side."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.side, self.pair, self.window = hub, hub.side, hub.pair, hub.window

    def put(self, occupancy: Occupancy) -> str:
        shown = self.hub.service.create("r1", content_to_json(occupancy, ZONE))
        assert isinstance(shown, Shown)
        return shown.booking.id

    def edit(self, key: str, occupancy: Occupancy) -> None:
        doc = content_to_json(occupancy, ZONE)
        for name in ("title", "showWithoutTime", "recurrenceRule", "recurrenceOverrides"):
            doc.setdefault(name, None)
        self.hub.service.patch(key, doc, ANY)

    def remove(self, key: str) -> None:
        self.hub.service.cancel(key, ANY)


@contextmanager
def a_hub(folder: Path | None = None) -> Iterator[Hub]:
    """In memory, which has one connection, or in ``folder`` for tests with threads."""
    database = Database(f"sqlite:///{folder}/hub.db" if folder else "sqlite://")
    try:
        with database.rebuild() as connection:
            metadata.create_all(connection)
        yield Hub(database)
    finally:
        database.dispose()
