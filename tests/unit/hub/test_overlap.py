"""Overlaps and busy time against the plain definition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.adapters.hub.overlap import newly_wanted, overlaps, union, wanted_time
from calsync.mapping.booking import read_wish
from calsync.mapping.booking_form import InvalidBooking
from calsync.mapping.booking_values import Booking
from calsync.model import Busy, Interval, Occupancy
from tests.unit.hub.test_booking_json import booking

BASE = datetime(2026, 12, 1)


def span(start: int, end: int) -> Interval:
    return Interval(*((BASE + timedelta(hours=h)).replace(tzinfo=UTC) for h in (start, end)))


hours = st.tuples(st.integers(0, 30), st.integers(0, 6)).map(lambda p: (p[0], p[0] + p[1]))


def held(start: int, end: int, busy: Busy = Busy.BUSY) -> Booking:
    begin, finish = BASE + timedelta(hours=start), BASE + timedelta(hours=end)
    return booking(Occupancy(start=begin, end=finish, zone="UTC", busy=busy))


@given(st.lists(hours, max_size=8), st.lists(hours, max_size=8))
def test_overlaps_are_those_that_meet(
    wanted: list[tuple[int, int]], taken: list[tuple[int, int]]
) -> None:
    mine = union([span(a, b) for a, b in wanted if a < b])
    bookings = [held(a, b) for a, b in taken]
    expected = sorted(span(a, b).start for a, b in taken if any(span(a, b).meets(w) for w in mine))
    assert [o.start for o in overlaps(mine, bookings, "UTC")] == expected


def test_free_time_is_nobodys() -> None:
    assert overlaps([span(1, 3)], [held(1, 3, Busy.FREE)], "UTC") == []
    assert len(overlaps([span(1, 3)], [held(1, 3, Busy.TENTATIVE)], "UTC")) == 1


@given(st.lists(hours))
def test_a_union_holds_the_same_hours_without_overlap(parts: list[tuple[int, int]]) -> None:
    spans = [span(a, b) for a, b in parts if a < b]
    joined = union(spans)
    assert all(one.end < two.start for one, two in pairwise(joined))
    for hour in range(40):
        point = span(hour, hour + 1)
        assert any(point.meets(s) for s in spans) == any(point.meets(j) for j in joined)


def test_only_time_that_was_not_held_is_new() -> None:
    assert newly_wanted([span(1, 2), span(4, 6)], [span(0, 3), span(4, 5)]) == [span(4, 6)]


def test_a_series_that_overlaps_itself_is_refused() -> None:
    content = read_wish(
        {"start": "2026-12-01T09:00:00", "duration": "PT30H", "rrule": "FREQ=DAILY;COUNT=3"}, "UTC"
    ).content
    with pytest.raises(InvalidBooking):
        wanted_time(content, "UTC", span(0, 200))
