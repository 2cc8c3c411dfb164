"""Zone rules that differ between the two hosts, that change, or that nobody knows; and the ends
of Outlook's calendar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tzlocal.windows_tz import win_tz

from calsync.mapping import zones
from calsync.sandbox import zones as sandbox_zones
from tests.scenarios.series_kit import OPEN, Scene, Stage, a_scene
from tests.scenarios.time_kit import (
    Meeting,
    expected,
    in_outlook,
    meeting,
    on_platform,
    prove,
    spans,
    with_moved,
    without,
)
from tests.support.company import a_company, a_tenant, differences

BERLIN, WITHOUT_SUMMER = "Europe/Berlin", "Africa/Lagos"
LABEL = "W. Europe Standard Time"
#: Around the day on which one of two hosts goes to summer time: near midnight, too.
ACROSS = [
    meeting("2027-03-22T23:30", "2027-03-22T23:50", BERLIN, "FREQ=DAILY;COUNT=14"),
    meeting("2027-03-22T00:15", "2027-03-22T00:45", BERLIN, "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=6"),
    with_moved(
        without(
            meeting("2027-03-22T09:00", "2027-03-22T10:00", BERLIN, "FREQ=WEEKLY;COUNT=6"),
            "2027-04-05",
        ),
        "2027-04-12",
        "2027-04-12T15:00",
        "2027-04-12T16:00",
    ),
]


@contextmanager
def other_rules() -> Iterator[None]:
    """The tenant's host has a table in which Berlin has no summer time."""
    sandbox_zones.zone.cache_clear()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sandbox_zones, "win_tz", {**win_tz, LABEL: WITHOUT_SUMMER})
            yield
    finally:
        sandbox_zones.zone.cache_clear()


@pytest.fixture(params=["usual", "national cloud"])
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    switches = {"national_cloud": True} if request.param != "usual" else {}
    with (
        other_rules(),
        a_scene(tmp_path_factory.mktemp("rules"), **switches) as scene,
    ):
        yield scene


def _elsewhere(one: Meeting) -> Meeting:
    return replace(one, zone=WITHOUT_SUMMER)


#: Not mended yet: a server's answers are instants, and calsync reads them by its own table.
wall_times = pytest.mark.only(
    "graph", reason="EWS tells instants: a server with another table of a zone moves wall times"
)


@wall_times
@pytest.mark.parametrize("make", [in_outlook, on_platform])
def test_hosts_with_different_tables(scene: Scene, make: Any) -> None:
    """Each shows the same wall times by its own table; no date is lost or invented, nothing is
    written for it, and changes still go both ways."""
    room = scene.room()
    for one in ACROSS:
        make(room, one)
    room.company.sync(room.place)
    _each_by_its_own(room, ACROSS)
    room.company.at_rest(room.place)
    (made,) = [
        item["event"]
        for item in room.tenant.items(room.place.address)
        if item["event"]["start"]["dateTime"].startswith("2027-03-21T23:15")
        or item["event"]["start"]["dateTime"].startswith("2027-03-22T22:30")
    ][:1]
    one = ACROSS[0] if "22:30" in made["start"]["dateTime"] else ACROSS[1]
    room.outlook("remove", made, date="2027-03-29")
    room.company.sync(room.place)
    changed = [without(a, "2027-03-29") if a is one else a for a in ACROSS]
    _each_by_its_own(room, changed)
    room.company.at_rest(room.place)


def _each_by_its_own(room: Stage, ones: list[Meeting]) -> None:
    calendar = sorted(s for one in ones for s in expected(_elsewhere(one), WITHOUT_SUMMER))
    platform = sorted(s for one in ones for s in expected(one, BERLIN))
    assert spans(room.calendar()) == calendar
    assert spans(room.platform()) == platform


@wall_times
def test_a_table_that_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """calsync starts again with other rules: what it stored by the old ones still guards the
    room, at its first and its last hour, too."""
    days = meeting("2027-07-01", "2027-07-02", BERLIN, all_day=True)
    series = meeting("2027-07-05T09:00", "2027-07-05T10:00", BERLIN, "FREQ=DAILY;COUNT=3")
    with other_rules(), a_tenant() as tenant:
        with a_company(tmp_path, tenant) as company:
            room = Stage(company, company.add_room("r", zone=BERLIN, label=LABEL, processing=OPEN))
            for one in (days, series):
                on_platform(room, one)
            prove_by(room, [days, series], BERLIN)
        table = lru_cache(lambda name: ZoneInfo(WITHOUT_SUMMER if name == BERLIN else name))
        monkeypatch.setattr(zones, "zone_info", table)
        with a_company(tmp_path, tenant) as company:
            room = Stage(company, room.place)
            company.places["r"] = room.place
            company.sync(room.place, full=True)
            prove_by(room, [days, series], WITHOUT_SUMMER)
            # An hour later than it was stored as: 23:00Z to 23:00Z, and 08:00Z to 09:00Z.
            for start in ("2027-07-01T22:15:00", "2027-07-07T08:15:00"):
                wish = {"start": start, "duration": "PT30M", "timeZone": "Etc/UTC"}
                answer = company.call("POST", f"/rooms/{room.place.id}/bookings", wish)
                assert answer.status_code == 409, (start, answer.text)
            span = "start=2027-07-01T22:30:00Z&end=2027-07-02T12:00:00Z"
            busy = company.ok("GET", f"/rooms/{room.place.id}/occupancy?{span}")["items"]
            assert [row["endUtc"] for row in busy] == ["2027-07-01T23:00:00Z"]


def test_whole_days_stay_whole_days_where_the_tables_differ(tmp_path: Path) -> None:
    """A server's midnight is eleven in the evening of another's table: EWS tells instants, and a
    booking of one day was one of two days on the platform."""
    day = {"start": "2027-07-01T00:00:00", "duration": "P1D", "showWithoutTime": True}
    with other_rules(), a_tenant() as tenant, a_company(tmp_path, tenant) as company:
        room = Stage(company, company.add_room("r", zone=BERLIN, label=LABEL, processing=OPEN))
        room.book(**day)
        company.sync(room.place)
        company.at_rest(room.place)
        (booking,) = company.bookings(room.place)
        assert {name: booking[name] for name in day} == day


def prove_by(room: Stage, ones: list[Meeting], table: str) -> None:
    room.company.sync(room.place)
    wanted = sorted(s for one in ones for s in expected(replace(one, zone=table), table))
    assert spans(room.platform()) == wanted
    room.company.at_rest(room.place)


# --- zones nobody knows --------------------------------------------------------------------------

CUSTOM = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//calsync tests//EN
BEGIN:VTIMEZONE
TZID:Head Office
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0500
TZOFFSETTO:+0330
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=2SU
TZOFFSETFROM:+0330
TZOFFSETTO:+0500
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:custom-{room}
DTSTAMP:20261120T000000Z
DTSTART;TZID=Head Office:20270322T{clock}
DURATION:PT1H
RRULE:{rule}
EXDATE;TZID=Head Office:20270405T{clock}
SUMMARY:Custom
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with a_scene(tmp_path_factory.mktemp("plain")) as scene:
        yield scene


@pytest.mark.parametrize("clock", ["090000", "003000", "233000"])
@pytest.mark.parametrize("rule", ["FREQ=DAILY;COUNT=30", "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=9"])
def test_a_zone_with_clocks_of_its_own(plain: Scene, clock: str, rule: str) -> None:
    """tzone://Microsoft/Custom with a summer time that no table has, from a day that is another
    one in the room: the listed instances tell."""
    room = plain.room()
    text = CUSTOM.format(room=room.place.id, clock=clock, rule=rule).replace("\n", "\r\n")
    room.tenant.load(room.place.address, text.encode())
    assert room.item()["event"]["originalStartTimeZone"] == "tzone://Microsoft/Custom"
    room.company.sync(room.place)
    shown = room.calendar()
    assert len(shown) in (8, 29)
    assert differences(shown, room.platform()) == []
    room.company.at_rest(room.place)


# --- the ends of the calendar --------------------------------------------------------------------


def test_years_at_the_ends_of_the_calendar(plain: Scene) -> None:
    """1601 and 4500 break nothing; what reaches the window shows, and the rest of the room does."""
    room = plain.room()
    old = meeting("1601-01-02T09:00", "1601-01-02T10:00", "Etc/UTC")
    far = meeting("4499-12-30T09:00", "4499-12-30T10:00", "Etc/UTC")
    for one in (old, far, replace(far, all_day=True, start=datetime(4499, 12, 30),
                                  end=datetime(4499, 12, 31))):  # fmt: skip
        in_outlook(room, one)
    ever = meeting("1601-01-01T12:00", "1601-01-01T12:30", "Etc/UTC", "FREQ=WEEKLY")
    made = in_outlook(room, ever, showAs="free")
    late = meeting("2026-12-01T15:00", "2026-12-01T16:00", "Etc/UTC",
                   "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=1;UNTIL=44991201T235959")  # fmt: skip
    in_outlook(room, late)
    prove(room, ever, late, low=date(2026, 11, 20), high=date(2027, 12, 1))
    then = room.platform(date(2190, 11, 25), date(2190, 12, 2))
    assert [one.start for one in then if one.shown != "free"] == ["2190-12-01T15:00:00Z"]
    assert differences(room.calendar(date(2190, 11, 25), date(2190, 12, 2)), then) == []
    room.outlook("remove", made, date="2026-12-07")
    prove(
        room,
        without(ever, "2026-12-07"),
        late,
        low=date(2026, 11, 20),
        high=date(2027, 12, 1),
    )
    for year in ("1600", "1899", "2200", "4500", "9999"):
        wish = {"start": f"{year}-01-04T09:00:00", "duration": "PT1H"}
        for more in ({}, {"rrule": "FREQ=DAILY"}, {"showWithoutTime": True, "duration": "P1D"}):
            path = f"/rooms/{room.place.id}/bookings"
            answer = room.company.call("POST", path, {**wish, **more})
            assert answer.status_code == 422, (year, more, answer.text)
    room.company.at_rest(room.place)


def test_meetings_without_length_and_at_midnight(plain: Scene) -> None:
    """A meeting of no length takes nothing and shows; one that ends at midnight does not meet
    the next day's."""
    room = plain.room()
    ones = [
        meeting("2026-12-01T09:00", "2026-12-01T09:00", BERLIN),
        meeting("2026-12-02T00:00", "2026-12-02T00:00", BERLIN, "FREQ=DAILY;COUNT=3"),
        meeting("2026-12-07T22:00", "2026-12-08T00:00", BERLIN, "FREQ=DAILY;COUNT=5"),
        meeting("2026-12-08T00:00", "2026-12-08T01:00", BERLIN, "FREQ=DAILY;COUNT=5"),
        meeting("2026-12-13", "2026-12-14", BERLIN, all_day=True),
        meeting("2026-12-14T00:00", "2026-12-15T00:00", BERLIN),
        meeting("2026-12-12T22:00", "2026-12-13T00:00", BERLIN),
    ]
    for number, one in enumerate(ones):
        (on_platform if number % 2 and one.length else in_outlook)(room, one)
        prove(room, *ones[: number + 1])
    taken = {"start": "2026-12-01T09:00:00", "duration": "PT1H"}
    assert room.book(**taken)["bookingStatus"] == "pending"
    room.company.sync(room.place)
    room.company.at_rest(room.place)
