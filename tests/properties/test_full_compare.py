"""The nightly compare: what it looks for, what it counts, and what it must not ask about."""

from __future__ import annotations

from datetime import timedelta

from calsync.model import Side
from tests.support.room import World, single


def test_what_ended_before_the_window_is_not_looked_for() -> None:
    """A room whose bookings are all over is not "suddenly empty", and they are not read again."""
    w = World(1)
    for n in range(4):
        w.calendar.put(f"e{n}", single(n))
    w.rest()
    w.clock.at += timedelta(days=60)
    for side in (w.calendar, w.booking):
        side.items_hidden_before = w.clock.at
    report = w.cycle(full=True)
    assert report.halt is None
    assert report.effects == 0
    assert len(w.booking.live()) == 4


def test_drift_counts_what_the_feed_had_not_told() -> None:
    w = World(2, titles=True)
    for n in range(4):
        w.calendar.put(f"e{n}", single(n * 2, title="a"))
    w.rest()
    w.cycle(full=True)
    assert w.ctx.state(w.pair).drift == 0
    w.calendar.put("e1", single(2, title="changed"))
    w.calendar.put("new", single(40, title="new"))
    del w.calendar.feed[-2:]  # the change feed lost both
    w.cycle(full=True)
    assert w.ctx.state(w.pair).drift == 2
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)


def test_what_is_merely_new_is_no_drift() -> None:
    w = World(3)
    w.calendar.put("e1", single(2))
    w.rest()
    w.calendar.put("e2", single(4))
    w.cycle(full=True)
    assert w.ctx.state(w.pair).drift == 0
    assert len(w.booking.live()) == 2


def test_what_the_rolled_window_reaches_is_no_drift() -> None:
    w = World(4)
    w.calendar.put("e1", single(2))
    w.rest()
    far = single(24 * 367)
    w.calendar.put("far", far)
    w.calendar.feed.pop()  # the change feed is bound to its window
    w.cycle()
    assert len(w.booking.live()) == 1, "beyond the window"
    w.clock.at += timedelta(days=30)
    w.cycle(full=True)
    assert len(w.booking.live()) == 2
    assert w.ctx.state(w.pair).drift == 0


def test_a_booking_beyond_the_window_is_carried_at_once() -> None:
    w = World(5)
    w.rest()
    w.booking.put("b", single(24 * 500), pending=True)
    w.rest()
    assert w.shown(Side.CALENDAR) == [single(24 * 500)]
    assert not w.booking.items["b"].pending


def test_what_is_over_is_not_carried() -> None:
    w = World(6)
    w.rest()
    w.clock.at += timedelta(days=90)
    w.cycle(full=True)
    w.booking.put("b", single(1))
    w.rest()
    assert w.shown(Side.CALENDAR) == []
