"""Counting over a span."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from calsync.model import NONE_YET, Tally

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_tally_counts_until_its_span_is_over() -> None:
    tally = NONE_YET.plus(3, HOUR, NOW).plus(2, HOUR, NOW + timedelta(minutes=59))
    assert tally == Tally(5, NOW)
    assert tally.within(HOUR, NOW + timedelta(minutes=59)) == 5
    assert tally.within(HOUR, NOW + HOUR) == 0
    assert tally.plus(1, HOUR, NOW + HOUR) == Tally(1, NOW + HOUR)
    assert NONE_YET.plus(0, HOUR, NOW) is NONE_YET
    assert tally.less(2) == Tally(3, NOW)
    assert tally.less(5) == tally.less(6) == NONE_YET.less(1) == NONE_YET


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    assert Tally(99, NOW).within(HOUR, NOW - timedelta(seconds=1)) == 0


@given(st.lists(st.integers(0, 7_200), max_size=60), st.integers(1, 9))
def test_never_more_than_twice_the_limit_in_one_span(gaps: list[int], limit: int) -> None:
    """Who stops at the limit has done at most twice as much within any one span."""
    now, tally, done = NOW, NONE_YET, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        if tally.within(HOUR, now) < limit:
            tally = tally.plus(1, HOUR, now)
            done.append(now)
    for start in done:
        assert sum(start <= at < start + HOUR for at in done) <= 2 * limit
