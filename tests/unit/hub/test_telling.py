"""What the change feed, the stream and webhooks tell of a booking: ids, times and states."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from calsync.adapters.hub.telling import thin
from calsync.mapping.booking_values import Booking, FeedEntry
from calsync.model import Frequency, Interval, Occupancy, Recurrence, Rule

AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
DAILY = Recurrence(rule=Rule(frequency=Frequency.DAILY, count=3))


@pytest.mark.parametrize(
    ("content", "start", "end", "series"),
    [
        (
            Occupancy(start=datetime(2026, 12, 1, 8), end=datetime(2026, 12, 1, 9), zone="UTC"),
            "2026-12-01T08:00:00Z",
            "2026-12-01T09:00:00Z",
            False,
        ),
        (
            Occupancy(
                start=datetime(2026, 12, 1), end=datetime(2026, 12, 2), zone=None, all_day=True
            ),
            "2026-11-30T23:00:00Z",
            "2026-12-01T23:00:00Z",
            False,
        ),
        (
            # It begins in the hour that the clocks skip, and does not end before it starts.
            Occupancy(
                start=datetime(2027, 3, 28, 2, 30),
                end=datetime(2027, 3, 28, 3, 15),
                zone="Europe/Berlin",
                recurrence=DAILY,
            ),
            "2027-03-28T01:30:00Z",
            "2027-03-28T02:15:00Z",
            True,
        ),
    ],
)
def test_a_change_is_told_with_its_instants(
    content: Occupancy, start: str, end: str, series: bool
) -> None:
    held = Booking(
        id="b1",
        room_id="r1",
        content=content,
        fingerprint="f",
        span=Interval(AT, AT),
        created=AT,
        modified=AT,
    )
    entry = FeedEntry(number=1, room_id="r1", booking_id="b1", tombstone=False, revision=2, at=AT)
    assert thin(entry, held, "Europe/Berlin") == {
        "kind": "upsert",
        "bookingId": "b1",
        "roomId": "r1",
        "revision": 2,
        "at": "2026-11-20T08:00:00Z",
        "bookingStatus": "pending",
        "origin": "booking",
        "startUtc": start,
        "endUtc": end,
        "series": series,
    }
