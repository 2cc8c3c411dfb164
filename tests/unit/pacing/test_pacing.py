"""Laws of the budgets: never too many at once, never too many in any window, never backwards."""

from __future__ import annotations

import gc
import math
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync import pacing
from calsync.pacing import EWS_WHOLE, MAILBOX, WHOLE, Budget, Limit, backoff, chunks, next_interval

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


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 5)), max_size=40),
    st.integers(0, 90),
    st.integers(1, 8),
)
def test_it_names_the_first_time_at_which_the_calls_fit(acts, step, calls):
    """Against a list of every call: each counts until its whole second has left the minute."""
    budget, now, leaves = Budget(Limit(in_flight=math.inf, calls=8, window=60.0)), 0.0, []
    for wait, number in acts:
        now += wait / 4
        if budget.ready_at(now, calls=number) == now:
            budget.take(now, calls=number)
            leaves += [math.floor(now) + 1 + 60.0] * number
    now += step / 4
    times = sorted({now, *(t for t in leaves if t > now)})
    fits = [t for t in times if sum(leave > t for leave in leaves) + calls <= 8]
    assert budget.ready_at(now, calls=calls) == fits[0]


def test_a_budget_is_idle_just_when_its_last_call_has_left():
    budget = Budget(Limit(in_flight=4, calls=5, window=60.0))
    budget.take(0.0)
    budget.give()
    assert not budget.idle(60.9)
    assert budget.idle(61.0)


def test_a_request_above_the_limit_still_runs_alone():
    budget = Budget(Limit(in_flight=2, calls=5, window=10))
    assert budget.ready_at(0.0, slots=4, calls=20) == 0.0
    budget.take(0.0, slots=0, calls=3)
    assert budget.ready_at(0.0, slots=4, calls=20) == pytest.approx(10 + 10 / 60)


def test_a_call_is_one_call_in_one_slot():
    budget = Budget(Limit(in_flight=2, calls=3, window=60))
    for second in range(3):
        assert budget.ready_at(second) == second
        budget.take(second)
        assert budget.in_flight == 1
        budget.give()
        assert budget.in_flight == 0
    assert budget.ready_at(3.0) == 61.0, "the first of three calls leaves with its second"
    busy = Budget(Limit(in_flight=2, calls=3, window=60))
    busy.take(0.0)
    assert busy.ready_at(0.0) == 0.0
    busy.take(0.0)
    assert busy.ready_at(0.0) == math.inf


def test_a_mailbox_costs_the_same_however_many_calls_it_makes():
    budget = Budget(MAILBOX)
    tracemalloc.start()
    try:
        for call in range(5000):
            assert budget.ready_at(call * 0.5) == call * 0.5
            budget.take(call * 0.5)
            budget.give()
            if call == 10:
                before = _held()
        assert _held() - before < 500
    finally:
        tracemalloc.stop()


def _held() -> int:
    """Bytes that the code of pacing allocated and holds. Whoever watches the test (a tracer of
    lines) allocates beside it, and leaves cycles behind."""
    gc.collect()
    ours = tracemalloc.Filter(True, str(Path(pacing.__file__).with_name("*")))
    return sum(one.size for one in tracemalloc.take_snapshot().filter_traces([ours]).traces)


def test_what_exchange_online_allows():
    """Microsoft Graph, "Service-specific throttling limits": Outlook service, and all of Graph."""
    assert (MAILBOX.in_flight, MAILBOX.calls, MAILBOX.window) == (4, 10_000, 10 * 60)
    assert (WHOLE.in_flight, WHOLE.calls, WHOLE.window) == (math.inf, 130_000, 10)


def test_what_every_exchange_server_allows():
    """At most 10 open requests of one account (EWS throttling); no count that they could reach."""
    assert EWS_WHOLE.in_flight == 10
    budget = Budget(EWS_WHOLE)
    for call in range(10 * 60 * 10):  # a minute of ten at a time, each a tenth of a second
        assert budget.ready_at(call / 100) == call / 100
        budget.take(call / 100)
        budget.give()


def test_a_budget_forgets():
    budget = Budget(Limit(in_flight=4, calls=5, window=10))
    budget.take(0.0)
    assert not budget.idle(5.0)
    budget.give()
    assert not budget.idle(5.0)
    assert budget.idle(10.2)
    budget.take(20.0)
    assert not budget.idle(40.0), "a call is still running"
    budget.give()
    budget.block(60.0)
    assert not budget.idle(59.0), "it may not start anything yet"
    assert budget.idle(60.0)
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


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(0, 0.5), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (99, 60)]
)
def test_usual_waits_double_from_half_a_second_up_to_a_minute(attempt, seconds):
    assert backoff(attempt, jitter=1) == seconds


def test_an_idle_room_is_asked_a_quarter_less_often_each_time():
    assert next_interval(8, floor=4, ceiling=60, active=False) == 10
    assert next_interval(1, floor=4, ceiling=60, active=False) == 5
    assert next_interval(55, floor=4, ceiling=60, active=False) == 60


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
        lambda: Limit(in_flight=1, calls=0, window=1),
        lambda: Limit(in_flight=1, calls=1, window=0),
        lambda: list(chunks([1], -1)),
        lambda: list(chunks([], 0)),
        lambda: list(chunks([], -1)),
        lambda: backoff(-1, jitter=0),
        lambda: next_interval(1, floor=0, ceiling=1, active=True),
        lambda: backoff(0, jitter=2),
        lambda: next_interval(1, floor=2, ceiling=1, active=True),
    ],
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"at least one|from 0|above zero"):
        wrong()


def test_the_smallest_limit_lets_one_call_through():
    budget = Budget(Limit(in_flight=1, calls=1, window=1))
    assert budget.ready_at(0.0) == 0.0
