"""When a webhook is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.pacing.schedule import LONGEST, STEPS, next_try


def test_the_schedule_is_that_of_the_reference() -> None:
    assert STEPS == (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)


@given(
    tries=st.integers(1, len(STEPS) - 1),
    jitter=st.floats(0, 1),
    asked=st.floats(0, 1e12),
)
def test_a_wait_is_never_shorter_than_its_step_and_never_far_longer(
    tries: int, jitter: float, asked: float
) -> None:
    wait = next_try(tries, jitter=jitter, asked=asked)
    assert wait is not None
    assert STEPS[tries] <= wait <= max(STEPS[tries] * 1.2, LONGEST)
    if asked <= LONGEST:
        assert wait >= asked


def test_a_receiver_is_believed_up_to_a_day() -> None:
    assert next_try(1, jitter=0.5, asked=23 * 3600.0) == 23 * 3600
    assert next_try(1, jitter=0.5, asked=1e12) == 24 * 3600


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 300.0), (0.5, 330.0), (1.0, 360.0)])
def test_chance_spreads_a_wait_over_a_fifth_of_it(jitter: float, wait: float) -> None:
    assert next_try(2, jitter=jitter) == pytest.approx(wait)


def test_after_the_last_step_there_is_none() -> None:
    assert next_try(len(STEPS), jitter=0.5) is None


@pytest.mark.parametrize(("tries", "jitter"), [(0, 0.5), (1, -0.1), (1, 1.1)])
def test_wrong_arguments_are_refused(tries: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="counts from 1"):
        next_try(tries, jitter=jitter)
