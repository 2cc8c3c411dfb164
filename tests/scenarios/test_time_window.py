"""The edges of the window that is synced, in zones 14 hours ahead and 12 behind; and the clock.

The window reaches from midnight UTC before yesterday's end to 400 days ahead (``Span``). It is a
matter of UTC days, so in Kiritimati and on Baker Island its edges lie in the middle of a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from calsync.engine.context import Span
from tests.scenarios.series_kit import Scene, a_scene
from tests.scenarios.time_kit import (
    Meeting,
    agree,
    in_outlook,
    label,
    meeting,
    on_platform,
    prove,
    with_moved,
    without,
)
from tests.support.company import START, differences

WINDOW = Span().window(START)
ZONES = ["Pacific/Kiritimati", "Etc/GMT+12", "Europe/Berlin"]
#: The days around either edge, as the judge looks at them.
FIRST, LAST = WINDOW.start.date(), WINDOW.end.date()
WEEK = timedelta(days=7)


@pytest.fixture
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A company of its own: its clock is put forward."""
    with a_scene(tmp_path_factory.mktemp("window")) as scene:
        yield scene


def _around(edge: datetime, zone: str) -> list[Meeting]:
    """Meetings that end at the edge, begin at it, lie over it, and take a minute on each side."""
    at = edge.replace(tzinfo=None)
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    spans = [
        (at - 2 * hour, at - hour),
        (at - hour, at - minute),
        (at - minute, at + minute),
        (at + minute, at + hour),
        (at + hour, at + 2 * hour),
        (at - 10 * hour, at - 8 * hour),
        (at + 8 * hour, at + 10 * hour),
    ]
    made = [Meeting(start=a, end=b, zone="Etc/UTC") for a, b in spans]
    days = [at.date() + timedelta(days=n) for n in (-2, -1, 0, 1)]
    made += [
        Meeting(
            start=datetime.combine(day, datetime.min.time()),
            end=datetime.combine(day + timedelta(days=1), datetime.min.time()),
            zone=zone,
            all_day=True,
        )
        for day in days
    ]
    made.append(
        Meeting(
            start=datetime.combine(days[0], datetime.min.time()),
            end=datetime.combine(days[3], datetime.min.time()),
            zone=zone,
            all_day=True,
        )
    )
    return made


@pytest.mark.parametrize("zone", ZONES)
def test_what_touches_the_window_shows_on_both_sides(scene: Scene, zone: str) -> None:
    """Made in Outlook: exactly what meets the window. On the platform: all of it."""
    outlook, platform = (scene.room((zone, label(zone))) for _ in range(2))
    ones = [*_around(WINDOW.start, zone), *_around(WINDOW.end, zone)]
    for one in ones:
        in_outlook(outlook, one, showAs="free")
        on_platform(platform, one, freeBusyStatus="free")
    outlook.company.sync(outlook.place)
    agree(outlook, *ones, low=FIRST, high=LAST)
    outlook.company.at_rest(outlook.place)
    platform.company.sync(platform.place)
    agree(platform, *ones, low=FIRST, high=LAST)
    shown = platform.calendar(LAST, LAST + WEEK)
    assert len(shown) > 5  # beyond the window's end, too: a booking is carried at once
    assert differences(shown, platform.platform(LAST, LAST + WEEK)) == []
    platform.company.at_rest(platform.place)


@pytest.mark.parametrize("zone", ZONES[:2])
def test_a_series_over_both_edges(scene: Scene, zone: str) -> None:
    ones = [
        meeting("2026-11-10T23:30", "2026-11-11T00:30", zone, "FREQ=DAILY"),
        meeting("2026-11-12", "2026-11-13", zone, "FREQ=WEEKLY;BYDAY=TH", all_day=True),
    ]
    for make in (in_outlook, on_platform):
        room = scene.room((zone, label(zone)))
        for one in ones:
            free = {"showAs": "free"} if make is in_outlook else {"freeBusyStatus": "free"}
            make(room, one, **free)
        prove(room, *ones, low=FIRST - WEEK, high=FIRST + WEEK)
        agree(room, *ones, low=LAST - WEEK, high=LAST + WEEK)


def test_the_window_moves_on_day_by_day(scene: Scene) -> None:
    """Ten days over the change of the clocks: what comes into the window shows on the day it
    does, what falls out of it stays as it was, and nothing is ever written for it."""
    tenant = scene.tenant
    tenant.clock.forward(days=112)
    room = scene.room(("America/New_York", "Eastern Standard Time"))
    endless = meeting("2025-01-06T09:00", "2025-01-06T10:00", "America/New_York", "FREQ=DAILY")
    other = meeting("2025-01-06T18:00", "2025-01-06T19:00", "Europe/Berlin", "FREQ=DAILY")
    in_outlook(room, endless)
    on_platform(room, other)
    first = tenant.clock.now().date()
    coming = [
        Meeting(
            start=datetime.combine(first + timedelta(days=398 + n), datetime.min.time()),
            end=datetime.combine(first + timedelta(days=398 + n), datetime.min.time())
            + timedelta(hours=2),
            zone="America/New_York",
        )
        for n in range(0, 20, 3)
    ]
    for one in coming:
        in_outlook(room, one)
    room.company.sync(room.place)
    writes = len(tenant.writes())
    for _ in range(10):
        low, high = _window_days(scene)
        agree(room, endless, other, *coming, low=low, high=low + 3 * WEEK)
        agree(room, endless, other, *coming, low=high - 3 * WEEK, high=high)
        tenant.clock.forward(days=1)
        report = room.company.sync(room.place, full=True)
        assert report.conflicts == []
        report = room.company.sync(room.place)
        assert report.effects == 0
    assert tenant.writes()[writes:] == []
    agree(room, endless, other, low=date(2027, 1, 1), high=date(2027, 6, 1))


@pytest.mark.parametrize("make", [in_outlook, on_platform])
def test_what_is_left_of_a_series_is_over(scene: Scene, make: Any) -> None:
    """Its last two dates were taken out, and its first went by. What Graph's feed says of such an
    item is not known; here it says nothing. Then each compare in full read it until the day its
    rule ends on, and wrote to the platform what had been changed in it since (seed 7721)."""
    room = scene.room(("Pacific/Kiritimati", label("Pacific/Kiritimati")))
    scene.tenant.control("POST", "switches", {"removed_outside_window": False})
    one = meeting(
        "2026-12-01T10:00", "2026-12-01T11:00", "Pacific/Kiritimati", "FREQ=WEEKLY;COUNT=3"
    )
    one = without(one, "2026-12-08", "2026-12-15")
    make(room, one)
    prove(room, one)
    scene.tenant.clock.forward(days=13)
    room.company.sync(room.place, full=True)
    room.outlook("set", room.item()["event"], subject="Another")
    room.company.sync(room.place)
    room.company.at_rest(room.place)


def _window_days(scene: Scene) -> tuple[date, date]:
    window = Span().window(scene.tenant.clock.now())
    return window.start.date(), window.end.date()


@pytest.mark.parametrize("make", [in_outlook, on_platform])
def test_endless_series_over_ten_years(scene: Scene, make: Any) -> None:
    """No drift: in every year each date stands where it did, exceptions included."""
    room = scene.room()
    ones = [
        meeting("2026-12-01T09:00", "2026-12-01T10:00", "Europe/Berlin", "FREQ=DAILY;INTERVAL=3"),
        meeting(
            "2026-12-07T16:30",
            "2026-12-07T18:00",
            "America/New_York",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH",
        ),
        meeting("2026-12-31T05:00", "2026-12-31T06:00", "Asia/Tokyo",
                "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"),
        meeting("2027-02-26T20:00", "2027-02-26T21:00", "Australia/Sydney",
                "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
        meeting("2027-02-28T12:00", "2027-02-28T12:30", "Europe/Berlin",
                "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1"),
    ]  # fmt: skip
    for one in ones:
        free = {"showAs": "free"} if make is in_outlook else {"freeBusyStatus": "free"}
        make(room, one, **free)
    prove(room, *ones, high=date(2027, 6, 1))
    writes, number = len(scene.tenant.writes()), room.company.numbers()
    for year in range(2027, 2037):
        agree(room, *ones, low=date(year, 1, 1), high=date(year + 1, 1, 1))
        scene.tenant.clock.forward(days=365)
        room.company.sync(room.place, full=True)
        room.company.sync(room.place)
    assert scene.tenant.writes()[writes:] == []
    assert room.company.numbers() == number


@pytest.mark.parametrize("make", [in_outlook, on_platform])
def test_after_ten_years_it_is_still_changed_date_by_date(scene: Scene, make: Any) -> None:
    room = scene.room()
    one = meeting("2026-12-01T09:00", "2026-12-01T10:00", "Europe/Berlin", "FREQ=WEEKLY")
    make(room, one)
    prove(room, one)
    scene.tenant.clock.forward(days=3650)
    room.company.sync(room.place, full=True)
    made = room.item()["event"]
    room.outlook("remove", made, date="2036-12-02")
    booking = room.booking()
    room.company.change_date(booking, "2036-12-09T09:00:00", start="2036-12-10T15:00:00")
    changed = with_moved(
        without(one, "2036-12-02"), "2036-12-09", "2036-12-10T15:00", "2036-12-10T16:00"
    )
    prove(room, changed, low=date(2036, 1, 1), high=date(2038, 1, 1))
