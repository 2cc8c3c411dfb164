"""Generated series, exceptions, zones and moves of the clock over the whole product.

What is generated is a story: meetings made on either side, then acts on either side, the clock
put forward in between. After every act ONE cycle must make both sides equal; where Exchange does
not decide for itself what becomes of exceptions, both must be what the judge of ``time_kit``
expects. At the end nothing is written any more.

``HYPOTHESIS_PROFILE=explore pytest tests/scenarios/test_time_properties.py`` looks further.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.scenarios.series_kit import Scene, Stage, a_scene
from tests.scenarios.time_kit import (
    DAYS,
    Meeting,
    agree,
    in_outlook,
    label,
    on_platform,
    slots,
)
from tests.support.company import START, differences

EXPLORE = os.environ.get("HYPOTHESIS_PROFILE") == "explore"
EXAMPLES = 400 if EXPLORE else 10
LOW, HIGH = date(2026, 11, 1), date(2028, 3, 1)
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Nuuk",
    "Asia/Kolkata",
    "Pacific/Auckland",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
    "Pacific/Apia",
    "America/Havana",
    "Etc/UTC",
]
#: Days near which the clocks change somewhere, and some that are plain.
EDGES = [
    date(2026, 12, 1),
    date(2027, 2, 28),
    date(2027, 3, 13),
    date(2027, 3, 27),
    date(2027, 4, 3),
    date(2027, 4, 29),
    date(2027, 10, 2),
    date(2027, 10, 28),
    date(2027, 11, 6),
]
CLOCKS = ["00:00", "00:30", "01:30", "01:45", "02:00", "02:15", "02:30", "09:00", "22:30", "23:30"]
LENGTHS = [15, 30, 60, 90, 120, 600]
SWITCHES: dict[str, dict[str, Any]] = {
    "usual": {},
    "other": {
        "national_cloud": True,
        "masters_in_delta": False,
        "removed_occurrences_of_series": False,
        "series_change_drops_exceptions": False,
        "original_start_in_asked_zone": True,
        "create_answers_in_sent_zone": True,
    },
}


@st.composite
def rules(draw: st.DrawFn, day: date) -> str:
    kind = draw(st.sampled_from(["daily", "weekly", "weekly", "month day", "weekday", "year"]))
    interval = draw(st.sampled_from([1, 1, 2, 3]))
    end = draw(st.sampled_from(["", f";COUNT={draw(st.integers(2, 12))}", ";UNTIL"]))
    if end == ";UNTIL":
        last = day + timedelta(days=draw(st.integers(10, 120)))
        end = f";UNTIL={last:%Y%m%d}T235959"
    step = f";INTERVAL={interval}" if interval > 1 else ""
    if kind == "daily":
        return f"FREQ=DAILY{step}{end}"
    if kind == "weekly":
        more = draw(st.sets(st.sampled_from(DAYS), max_size=2)) | {DAYS[day.weekday()]}
        week = draw(st.sampled_from(["", ";WKST=SU"]))
        return f"FREQ=WEEKLY{step};BYDAY={','.join(sorted(more, key=DAYS.index))}{week}{end}"
    if kind == "weekday":
        place = (day.day - 1) // 7 + 1
        is_last = (day + timedelta(days=7)).month != day.month
        position = "-1" if is_last else str(place)
        return f"FREQ=MONTHLY{step};BYDAY={DAYS[day.weekday()]};BYSETPOS={position}{end}"
    months = f";BYMONTH={day.month}" if kind == "year" else ""
    named = f"BYMONTHDAY={day.day}"
    if day.day > 28:
        named = f"BYMONTHDAY={','.join(str(n) for n in range(28, day.day + 1))};BYSETPOS=-1"
    return f"FREQ={'YEARLY' if months else 'MONTHLY'}{step}{months};{named}{end}"


@st.composite
def meetings(draw: st.DrawFn) -> Meeting:
    day = draw(st.sampled_from(EDGES)) + timedelta(days=draw(st.integers(-1, 3)))
    all_day = draw(st.integers(0, 4)) == 0
    rule = draw(st.one_of(st.just(""), rules(day), rules(day)))
    if all_day:
        start = datetime.combine(day, datetime.min.time())
        end = start + timedelta(days=1)
    else:
        start = datetime.fromisoformat(f"{day}T{draw(st.sampled_from(CLOCKS))}")
        end = start + timedelta(minutes=draw(st.sampled_from(LENGTHS)))
    zone = draw(st.sampled_from(ZONES))
    return Meeting(start=start, end=end, zone=zone, rule=rule, all_day=all_day)


#: An act: its kind, the side it is done on, which date, and by how much.
acts = st.tuples(
    st.sampled_from(["drop", "move", "move", "rename", "restore", "whole", "clock"]),
    st.sampled_from(["outlook", "platform"]),
    st.integers(0, 7),
    st.sampled_from([-26, -3, -1, 1, 2, 5, 24, 49]),
)


@pytest.fixture(scope="module", params=SWITCHES)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    with a_scene(tmp_path_factory.mktemp("story"), **SWITCHES[request.param]) as scene:
        yield scene


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    phases=list(Phase) if EXPLORE else [Phase.explicit, Phase.generate],
)
@given(
    st.sampled_from(ZONES),
    meetings(),
    st.sampled_from(["outlook", "platform"]),
    st.lists(acts, max_size=5),
)
def test_a_story_of_one_meeting(
    scene: Scene, zone: str, one: Meeting, born: str, story: list[Any]
) -> None:
    room = scene.room((zone, label(zone)))
    (in_outlook if born == "outlook" else on_platform)(room, one)
    teller = Teller(scene, room, one)
    teller.check()
    for act in story:
        teller.tell(*act)
        teller.check()
    room.company.at_rest(room.place)


class Teller:
    """Does acts, and keeps what is expected of them; None where Exchange alone decides."""

    def __init__(self, scene: Scene, room: Stage, one: Meeting) -> None:
        self.scene, self.room = scene, room
        self.one: Meeting | None = one

    def check(self) -> None:
        room = self.room
        room.company.sync(room.place)
        if self.one is not None:
            agree(room, self.one, low=LOW, high=HIGH)
        shown = room.calendar(LOW, HIGH)
        assert differences(shown, room.platform(LOW, HIGH)) == []

    def tell(self, kind: str, side: str, which: int, by: int) -> None:
        if kind == "clock":
            # Never so far that the earliest of them is over before it was carried.
            if self.scene.tenant.clock.now() < START + timedelta(days=8):
                self.scene.tenant.clock.forward(hours=16)
            self.room.company.sync(self.room.place, full=True)
            return
        booking = self._booking()
        if booking is None:
            return
        if kind == "rename":
            self._rename(booking, side)
        elif kind == "whole":
            self._move_whole(booking, side, by)
        elif booking.get("recurrenceRule"):
            self._date(booking, kind, side, which, by)

    def _booking(self) -> Any:
        found = self.room.company.bookings(self.room.place)
        return found[0] if len(found) == 1 else None

    def _rename(self, booking: Any, side: str) -> None:
        if side == "platform":
            self.room.company.change(booking, title="Renamed")
            return
        for item in self.room.tenant.items(self.room.place.address):
            self.room.outlook("retitle", item["event"], subject="Renamed")

    def _move_whole(self, booking: Any, side: str, hours: int) -> None:
        """On the platform, and only what has no exceptions: those are named by their times."""
        one = self.one
        if one is None or one.all_day or one.gone or one.moved or side == "outlook":
            return
        start = one.start + timedelta(hours=hours % 12)
        if start.date() != one.start.date():
            return
        moved = replace(one, start=start, end=start + one.length)
        zone = {"timeZone": one.zone, "start": start.isoformat()}
        length = {"duration": f"PT{int(one.length.total_seconds()) // 60}M"}
        if not one.rule:  # the time part of a single's duration is exact
            self.one = None
        else:
            self.one = moved
        self.room.company.change(booking, **zone, **length)

    def _date(self, booking: Any, kind: str, side: str, which: int, by: int) -> None:
        one = self.one
        if one is None:
            return
        dates = [slot for slot in slots(one, LOW, HIGH) if slot.date() >= date(2026, 12, 1)][:8]
        if not dates:
            return
        slot = dates[which % len(dates)]
        day = slot.date()
        if kind == "restore":
            if day in one.moved and side == "platform":
                path = {slot.isoformat(): None}
                self.room.company.change(booking, recurrenceOverrides=path)
                moved = {at: to for at, to in one.moved.items() if at != day}
                self.one = replace(one, moved=moved)
            return
        if day in one.gone or len(dates) - len(one.gone) < 2:
            return
        if kind == "drop":
            self._drop(booking, side, slot)
        else:
            self._move(booking, side, slot, by)

    def _drop(self, booking: Any, side: str, slot: datetime) -> None:
        assert self.one is not None
        day = slot.date()
        if side == "platform":
            self.room.company.drop_date(booking, slot.isoformat())
        elif not self._remove(slot):
            return
        moved = {at: to for at, to in self.one.moved.items() if at != day}
        self.one = replace(self.one, gone=self.one.gone | {day}, moved=moved)

    def _remove(self, slot: datetime) -> bool:
        item = self._item()
        if item is None or slot.date() in (self.one.moved if self.one else {}):
            return False
        self.room.outlook("remove", item["event"], date=slot.date().isoformat())
        return True

    def _item(self) -> Any:
        items = self.room.tenant.items(self.room.place.address)
        return items[0] if len(items) == 1 and items[0]["recurrence"] else None

    def _move(self, booking: Any, side: str, slot: datetime, hours: int) -> None:
        one = self.one
        assert one is not None
        shift = timedelta(days=1 if hours > 0 else -1) if one.all_day else timedelta(hours=hours)
        start = slot + shift
        end = start + one.length
        if side == "platform":
            path = f"/bookings/{booking['id']}/occurrences/{slot.isoformat()}"
            patch = {"start": start.isoformat()}
            answer = self.room.company.call("PATCH", path, patch, **{"If-Match": "*"})
            if answer.status_code != 200:
                assert answer.status_code in (409, 422), answer.text
                return
        else:
            item = self._item()
            if item is None:
                return
            target = {"start": start.isoformat(), "end": end.isoformat(), "zone": label(one.zone)}
            if not self._accepted(item, slot, target):
                return
        self.one = replace(one, moved={**one.moved, slot.date(): (start, end)})

    def _accepted(self, item: Any, slot: datetime, target: dict[str, str]) -> bool:
        """Exchange refuses a move onto or past a neighbour's day."""
        raw = {
            "kind": "set",
            "room": self.room.place.address,
            "iCalUId": item["event"]["iCalUId"],
            "date": slot.date().isoformat(),
            **target,
        }
        url = f"{self.room.tenant.url}/_sandbox/acts"
        return self.room.tenant.session.post(url, json=raw, timeout=30).ok
