"""Series at the edges: refused dates, the window, and what calsync may not do to a series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.series_kit import Scene, Stage, a_scene, daily, starts, weekly
from tests.support import front
from tests.support.company import differences


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with a_scene(tmp_path_factory.mktemp("limits")) as scene:
        yield scene


@pytest.fixture
def room(scene: Scene) -> Stage:
    return scene.room()


def _two(room: Stage, cycles: int = 3) -> None:
    """Until both sides rest: a refusal takes effect on one side before it shows on the other."""
    for _ in range(cycles):
        report = room.company.cycle(room.place)
        assert not report.error, report.error
    assert differences(room.calendar(), room.platform()) == []
    room.company.at_rest(room.place)


def test_a_platform_series_loses_only_the_dates_that_clash(room: Stage) -> None:
    """Outlook was first on the third day; the others stand, and the platform is told which."""
    room.put("2026-12-03T10:00", "2026-12-03T11:00", None, subject="First")
    room.book(start="2026-12-01T10:00:00", duration="PT1H", rrule="FREQ=DAILY;COUNT=5")
    _two(room)
    assert len(room.calendar()) == 5
    (series,) = [b for b in room.company.bookings(room.place) if b["origin"] == "booking"]
    assert series["bookingStatus"] == "confirmed"
    assert series["recurrenceOverrides"] == {"2026-12-03T10:00:00": {"excluded": True}}
    assert series["refusal"]["dates"] == ["2026-12-03T10:00:00"]


def test_an_outlook_series_is_declined_on_the_dates_that_clash(room: Stage) -> None:
    room.book(start="2026-12-03T10:00:00", duration="PT1H")
    room.invite("2026-12-01T10:00", "2026-12-01T11:00", daily("2026-12-01", 5))
    _two(room)
    shown = starts(room.calendar())
    assert len(shown) == 5
    assert len(set(shown)) == 5


def test_a_series_that_reaches_in_from_before_the_window(room: Stage) -> None:
    """It began a year ago: it is carried whole, and the dates of the past with it."""
    room.put("2025-11-04T10:00", "2025-11-04T11:00", weekly("2025-11-04", "tuesday"))
    room.company.sync(room.place)
    assert room.booking()["start"] == "2025-11-04T10:00:00"
    assert differences(room.calendar(), room.platform()) == []
    room.company.at_rest(room.place)


def test_a_series_beyond_the_window_comes_when_the_window_does(scene: Scene) -> None:
    room = scene.room()
    room.put("2028-03-07T10:00", "2028-03-07T11:00", weekly("2028-03-07", "tuesday", number=3))
    room.company.sync(room.place)
    # EWS tells of what changes at whatever time, a tenant only of what lies in the window.
    assert len(room.platform()) == (3 if front.by_ews() else 0)
    scene.tenant.clock.forward(days=90)
    room.company.sync(room.place, full=True)
    assert len(room.platform()) == 3
    room.company.at_rest(room.place)


@pytest.mark.parametrize(
    "doc",
    [
        {"rrule": "FREQ=DAILY;BYMONTHDAY=13;BYDAY=FR"},
        {"rrule": "FREQ=HOURLY"},
        {"rrule": "FREQ=DAILY;COUNT=3", "duration": "PT30H"},
        {"rrule": "FREQ=WEEKLY;BYDAY=WE"},
    ],
    ids=lambda doc: doc["rrule"],
)
def test_a_series_that_no_calendar_can_hold_is_refused_at_once(
    room: Stage, doc: dict[str, Any]
) -> None:
    wish = {"start": "2026-12-01T10:00:00", "duration": "PT1H", **doc}
    answer = room.company.call("POST", f"/rooms/{room.place.id}/bookings", wish)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]
    room.settle(0)
