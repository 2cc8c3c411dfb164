"""The wrappers: paced, retried, logged, dry-run. Time is virtual."""

from __future__ import annotations

import logging
import math
import threading
import time
from datetime import UTC, datetime

import pytest
from graph_fakes import Script, StillClock, ok
from hypothesis import given
from hypothesis import strategies as st

from calsync.adapters.wrap import Answer, Call, DryRun, Logged, NotSent, Paced, Retried
from calsync.errors import BadAnswer, ForbiddenLink, NotSignedIn, Throttled, Unavailable
from calsync.model import (
    Effect,
    EffectKind,
    Pair,
    Pull,
    Refused,
    ResourceCalendar,
    Side,
    Window,
)
from calsync.pacing import Limit
from calsync.ports import Capabilities

READ = Call(method="GET", target="/x", operation="read", mailbox="room", repeatable=True)
WRITE = Call(method="POST", target="/x", operation="write", mailbox="room")
THROTTLED = Answer(status=429, retry_after=2.0, throttled=True)


def paced(inner, clock=None, stop=None, **options):
    """Waits move the virtual clock instead of the real one."""
    clock = clock or StillClock()

    def wait_on(condition, seconds):
        clock.seconds += seconds

    return Paced(
        inner,
        monotonic=clock.monotonic,
        stop=stop or threading.Event(),
        wait_on=wait_on,
        **options,
    )


# --- paced -----------------------------------------------------------------------------------


def test_a_window_that_is_full_is_waited_out():
    clock, script = StillClock(), Script([ok()] * 4)
    caller = paced(script, clock, mailbox=Limit(in_flight=4, calls=2, window=10), patience=60)
    began = clock.seconds
    for _ in range(4):
        caller.call(READ)
    assert 10 <= clock.seconds - began <= 10.3
    assert len(script.calls) == 4


def test_a_wait_beyond_the_patience_is_handed_back_unsent():
    clock = StillClock()
    script = Script([ok(), ok()])
    caller = paced(script, clock, mailbox=Limit(in_flight=4, calls=1, window=100), patience=5)
    caller.call(READ)
    with pytest.raises(Throttled) as raised:
        caller.call(READ)
    assert 99 <= raised.value.retry_after <= 103
    assert clock.seconds < 1001
    assert len(script.calls) == 1


def test_retry_after_blocks_that_mailbox_and_no_other():
    clock, script = StillClock(), Script([THROTTLED, ok(), ok()])
    caller = paced(script, clock)
    assert caller.call(READ).status == 429
    began = clock.seconds
    other = Call(method="GET", target="/x", operation="read", mailbox="other")
    caller.call(other)
    assert clock.seconds == began
    caller.call(READ)
    assert clock.seconds - began == pytest.approx(2.0, abs=0.2)


def test_a_429_that_names_no_time_still_counts():
    clock = StillClock()
    caller = paced(Script([Answer(status=429, throttled=True), ok()]), clock)
    caller.call(READ)
    caller.call(READ)
    assert clock.seconds >= 1010


def test_throttled_parts_of_a_batch_block_the_mailbox():
    clock = StillClock()
    batch = Call(method="POST", target="/$batch", operation="b", mailbox="room", parts=20)
    caller = paced(Script([Answer(status=200, retry_after=4.0), ok()]), clock)
    caller.call(batch)
    caller.call(READ)
    assert clock.seconds == pytest.approx(1004.0, abs=0.2)


def test_the_whole_app_has_a_budget_too():
    clock = StillClock()
    script = Script([ok()] * 3)
    whole = Limit(in_flight=math.inf, calls=2, window=10)
    caller = paced(script, clock, whole=whole, patience=60)
    for name in "abc":
        caller.call(Call(method="GET", target="/x", operation="r", mailbox=name))
    assert clock.seconds >= 1010


@pytest.mark.parametrize("error", [Unavailable("x"), ValueError("x")])
def test_a_failed_call_gives_its_slot_back(error):
    script = Script([error] * 4 + [ok()])
    caller = paced(script)
    for _ in range(4):
        with pytest.raises(type(error)):
            caller.call(READ)
    assert caller.call(READ).ok


def test_four_at_once_and_a_batch_alone():
    running, most, lock = [0], [0], threading.Lock()

    class Slow:
        def call(self, call):
            with lock:
                running[0] += min(call.parts, 4)
                most[0] = max(most[0], running[0])
            time.sleep(0.01)
            with lock:
                running[0] -= min(call.parts, 4)
            return ok()

    caller = Paced(Slow(), monotonic=time.monotonic, stop=threading.Event())
    batch = Call(method="POST", target="/$batch", operation="b", mailbox="room", parts=20)
    calls = [READ, READ, batch, READ] * 3
    threads = [threading.Thread(target=caller.call, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 4


def test_a_stop_ends_a_wait_at_once_and_nothing_is_sent():
    stop = threading.Event()
    script = Script([THROTTLED, ok()])
    caller = Paced(script, monotonic=time.monotonic, stop=stop)
    caller.call(READ)
    threading.Timer(0.05, stop.set).start()
    began = time.monotonic()
    with pytest.raises(NotSent):
        caller.call(READ)
    assert time.monotonic() - began < 0.5
    assert len(script.calls) == 1


def test_budgets_of_many_mailboxes_are_forgotten():
    clock = StillClock()
    caller = paced(Script([ok()] * 9000), clock)
    for number in range(9000):
        clock.seconds += 1
        caller.call(Call(method="GET", target="/x", operation="r", mailbox=f"room-{number}"))
    assert len(caller._budgets) <= 5000


# --- retried ---------------------------------------------------------------------------------


def retried(inner, **options):
    return Retried(
        inner,
        stop=options.pop("stop", threading.Event()),
        base=0.001,
        chance=lambda: 0.0,
        **options,
    )


SURE = st.sampled_from([THROTTLED, NotSent("x")])
UNSURE = st.sampled_from(
    [Unavailable("x"), BadAnswer("x"), ok(status=500), ok(status=503), ok(status=404), ok()]
)
QUICK = Answer(status=429, retry_after=0.0, throttled=True)


@given(st.lists(SURE, max_size=4), UNSURE)
def test_a_write_that_may_have_been_executed_is_never_repeated(sure, unsure):
    sure = [QUICK if isinstance(one, Answer) else one for one in sure]
    script = Script([*sure, unsure, *[ok()] * 9])
    caller = retried(script, attempts=9)
    if isinstance(unsure, Answer):
        assert caller.call(WRITE) is unsure
    else:
        with pytest.raises(type(unsure)):
            caller.call(WRITE)
    assert len(script.calls) == len(sure) + 1


@pytest.mark.parametrize(
    "failure",
    [Unavailable("x"), BadAnswer("x"), NotSent("x"), ok(status=500), ok(status=504), QUICK],
)
def test_reads_are_repeated(failure):
    script = Script([failure, failure, ok()])
    assert retried(script, attempts=3).call(READ).ok
    assert len(script.calls) == 3


@pytest.mark.parametrize(
    "final", [ok(status=404), ok(status=410), ok(status=400), NotSignedIn("x"), ForbiddenLink("x")]
)
def test_what_cannot_pass_is_not_repeated(final):
    script = Script([final, ok()])
    if isinstance(final, Answer):
        assert retried(script).call(READ) is final
    else:
        with pytest.raises(type(final)):
            retried(script).call(READ)
    assert len(script.calls) == 1


def test_the_last_answer_or_error_comes_back_as_it_is():
    assert retried(Script([ok(status=502)] * 3)).call(READ).status == 502
    with pytest.raises(Unavailable, match="third"):
        retried(Script([Unavailable("1"), Unavailable("2"), Unavailable("third")])).call(READ)


def test_retry_after_is_honoured_to_the_second():
    stop = threading.Event()
    waited: list[float] = []
    stop.wait = lambda seconds=None: waited.append(seconds) or False  # type: ignore[assignment, func-returns-value]
    retried(Script([THROTTLED, Answer(status=503, retry_after=1.5), ok()]), stop=stop).call(READ)
    assert waited == [2.0, 1.5]


def test_a_long_retry_after_is_handed_back():
    long = Answer(status=429, retry_after=60.0, throttled=True)
    script = Script([long, ok()])
    assert retried(script).call(READ) is long
    assert len(script.calls) == 1


def test_a_stop_ends_the_tries():
    stop = threading.Event()
    script = Script([Answer(status=429, retry_after=15.0, throttled=True)] * 3)
    threading.Timer(0.05, stop.set).start()
    began = time.monotonic()
    assert retried(script, stop=stop).call(READ).status == 429
    assert time.monotonic() - began < 1.0
    assert len(script.calls) == 2


# --- logged ----------------------------------------------------------------------------------


def test_every_request_is_counted(caplog):
    caplog.set_level(logging.DEBUG)
    script = Script([ok(), THROTTLED, Unavailable("x"), ok(status=201)])
    logged = Logged(script)
    logged.call(READ)
    logged.call(READ)
    with pytest.raises(Unavailable):
        logged.call(WRITE)
    logged.call(Call(method="POST", target="/users/room@x/events", operation="write", parts=20))
    counts = logged.counts()
    assert counts.by == {
        ("GET", "read", 200): 1,
        ("GET", "read", 429): 1,
        ("POST", "write", 0): 1,
        ("POST", "write", 201): 1,
    }
    assert (counts.total, counts.writes, counts.throttled, counts.parts) == (4, 2, 1, 23)
    assert counts.seconds > 0
    assert "room@x" not in caplog.text
    assert "429" in caplog.text


# --- dry run ---------------------------------------------------------------------------------


class Inner:
    side = Side.CALENDAR
    capabilities = Capabilities(conditional_writes=False)

    def pull(self, pair, cursor, window):
        return Pull(cursor="c")

    def read(self, pair, keys):
        return []

    def find(self, pair, tags):
        return {}

    def elsewhere(self, pair, uids):
        return []

    def resource_calendars(self):
        return [ResourceCalendar(address="a", name="A")]

    def apply(self, pair, effects):
        raise AssertionError("a dry run wrote")


def test_a_dry_run_reads_and_never_writes():
    pair = Pair(id="p", room_id="r", connection="c", mailbox="m", zone="UTC")
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    one = Effect(id="1", kind=EffectKind.CREATE_EVENT, link_id="l", revision=1, why="a test")
    dry = DryRun(Inner())
    assert dry.pull(pair, None, window).cursor == "c"
    assert dry.read(pair, ["k"]) == []
    assert dry.find(pair, ["t"]) == {}
    assert dry.side is Side.CALENDAR
    assert not dry.capabilities.conditional_writes
    assert [room.address for room in dry.resource_calendars()] == ["a"]
    outcomes = dry.apply(pair, [one, one])
    assert [type(outcome) for outcome in outcomes] == [Refused, Refused]
    assert dry.recorded == [(pair, one), (pair, one)]
