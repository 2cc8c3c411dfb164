"""Laws of the budgets: never too many at once, never too many in any window, never backwards."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.pacing import MAILBOX, Budget, Limit, backoff, chunks, next_interval

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "take", "give", "block"]),
        st.floats(0, 30),
        st.integers(1, 4),
    ),
    max_size=200,
)


@given(ACTS, st.integers(1, 12), st.floats(1, 40))
def test_no_window_of_any_position_holds_more_than_its_calls(acts, calls, window):
    budget = Budget(Limit(in_flight=math.inf, calls=calls, window=window))
    now, starts = 0.0, []
    for act, step, number in acts:
        now += step
        if act == "take":
            number = min(number, calls)
            at = budget.ready_at(now, calls=number)
            assert at >= now
            if at == now:
                budget.take(now, calls=number)
                starts += [now] * number
    for start in starts:
        assert sum(start <= other < start + window for other in starts) <= calls


@given(ACTS)
def test_never_more_than_four_in_flight(acts):
    budget, now, running = Budget(MAILBOX), 0.0, []
    for act, step, slots in acts:
        now += step
        if act == "give" and running:
            budget.give(slots=running.pop())
        elif act == "take":
            at = budget.ready_at(now, slots=slots)
            if at == now:
                budget.take(now, slots=slots)
                running.append(slots)
            else:
                assert at == math.inf, "only the slots can be short here"
        assert budget.in_flight == sum(running) <= 4


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=20), st.floats(0, 1000))
def test_a_block_is_never_shortened(untils, now):
    budget = Budget(MAILBOX)
    for until in untils:
        budget.block(until)
    assert budget.ready_at(now) == max(now, *untils)


@given(st.floats(0, 1e6), st.integers(1, 50))
def test_the_promised_time_is_true(now, calls):
    """Asked again at the time it named, the budget lets the call through (it does not creep)."""
    budget = Budget(Limit(in_flight=math.inf, calls=50, window=10))
    budget.take(now, calls=50)
    at = budget.ready_at(now, calls=calls)
    assert now < at <= now + 10 + 10 / 60 + 1e-6
    assert budget.ready_at(at, calls=calls) == at


def test_a_request_above_the_limit_still_runs_alone():
    budget = Budget(Limit(in_flight=2, calls=5, window=10))
    assert budget.ready_at(0.0, slots=4, calls=20) == 0.0


def test_a_budget_forgets():
    budget = Budget(Limit(in_flight=4, calls=5, window=10))
    budget.take(0.0)
    assert not budget.idle(5.0)
    budget.give()
    assert not budget.idle(5.0)
    assert budget.idle(10.2)
    with pytest.raises(ValueError, match="more calls ended"):
        budget.give()


@given(st.integers(0, 5000), st.floats(0, 1), st.floats(0.01, 5), st.floats(5, 100))
def test_backoff_grows_up_to_its_cap(attempt, jitter, base, cap):
    one = backoff(attempt, jitter=jitter, base=base, cap=cap)
    two = backoff(attempt + 1, jitter=jitter, base=base, cap=cap)
    assert 0 < one <= two <= cap
    assert backoff(attempt, jitter=0, base=base, cap=cap) * 2 == pytest.approx(
        backoff(attempt, jitter=1, base=base, cap=cap)
    )


@given(st.floats(0, 1000), st.floats(0.1, 100), st.floats(1, 10))
def test_polls_shrink_on_activity_and_grow_when_idle(current, floor, factor):
    ceiling = floor * factor
    idle = next_interval(current, floor=floor, ceiling=ceiling, active=False)
    assert next_interval(current, floor=floor, ceiling=ceiling, active=True) == floor <= idle
    assert min(current, ceiling) <= idle <= ceiling
    assert idle > floor or factor == 1


@given(st.lists(st.integers(), max_size=100), st.integers(1, 25))
def test_chunks_keep_everything_in_order(items, size):
    cut = list(chunks(items, size))
    assert [item for piece in cut for item in piece] == items
    assert all(1 <= len(piece) <= size for piece in cut)
    assert len(cut) == math.ceil(len(items) / size)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Limit(in_flight=0, calls=1, window=1),
        lambda: list(chunks([1], 0)),
        lambda: backoff(-1, jitter=0),
        lambda: backoff(0, jitter=2),
        lambda: next_interval(1, floor=2, ceiling=1, active=True),
    ],
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"\w"):
        wrong()
