"""Real calendars, end to end: tenant → calsync → platform, and from a fresh platform into an
empty tenant, with no difference in any expanded instance.

Both ends expand by themselves: the tenant in ``calsync.sandbox`` (which shares no code with
calsync), the platform through its HTTP API. The files stay outside the repository.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from calsync.engine.context import Span
from calsync.mapping.booking import READ_ONLY
from calsync.model import Seen
from tests.fidelity import csdl
from tests.fidelity.csdl import shared_folder
from tests.fidelity.exchanges import faults
from tests.support.company import (
    Company,
    Instance,
    Place,
    a_company,
    a_tenant,
    differences,
)

FOLDER = shared_folder()
FILES = sorted((FOLDER / "data" / "calendars").glob("*.ics")) if FOLDER else []
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not FILES, reason="shared/data/calendars not found"),
]

LOW, HIGH = date(2004, 1, 1), date(2031, 1, 1)
#: Reaches from before LOW to after HIGH, whatever the day of the test.
SPAN = Span(past_days=366 * 28, future_days=366 * 6)
BERLIN, LONDON, CHICAGO = (
    ("Europe/Berlin", "W. Europe Standard Time"),
    ("Europe/London", "GMT Standard Time"),
    ("America/Chicago", "Central Standard Time"),
)
HOMES = {
    "after_many_events_in_order": LONDON,
    "issue_28_rrule_with_UTC_endinginZ": LONDON,
    "issue_48_dst": CHICAGO,
    "same_event_recurring_at_same_time": LONDON,
}
names = pytest.mark.parametrize("name", [file.stem for file in FILES])


@dataclass(slots=True)
class Carried:
    """One file: its room in the first company and in the second, and all instances it has in
    the first tenant, the first platform, the second platform, the second tenant."""

    source: Place
    copy: Place
    loaded: dict[str, Any]
    double_booked: int
    lives: dict[str, list[Instance]]


@dataclass(slots=True)
class Stage:
    """Two companies that never meet: what the second knows it got from the first one's API."""

    one: Company
    two: Company
    files: dict[str, Carried]


@pytest.fixture(scope="module", params=["graph", "ews"])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("calendars")
    with ExitStack() as ends:
        one = _company(ends, folder / "one", request.param)
        two = _company(ends, folder / "two", request.param)
        files = {file.stem: _carry(one, two, number, file) for number, file in enumerate(FILES)}
        yield Stage(one, two, files)


def _company(ends: ExitStack, folder: Path, exchange: str) -> Company:
    tenant = ends.enter_context(a_tenant())
    return ends.enter_context(a_company(folder, tenant, span=SPAN, exchange=exchange))


def _carry(one: Company, two: Company, number: int, file: Path) -> Carried:
    """File → first tenant → first platform → second platform → second tenant."""
    zone, label = HOMES.get(file.stem, BERLIN)
    source = one.add_room(f"cal-{number}", zone=zone, label=label)
    loaded = one.tenant.load(source.address, file.read_bytes())
    one.sync(source)
    copy = two.add_room(f"cal-{number}", zone=zone, label=label)
    taken_over = [
        two.import_booking(copy, {k: v for k, v in booking.items() if k not in READ_ONLY})
        for booking in one.bookings(source)
    ]
    two.sync(copy)
    lives = {
        "first tenant": one.tenant.instances(source.address, LOW, HIGH),
        "first platform": one.occupancy(source, LOW, HIGH),
        "second platform": two.occupancy(copy, LOW, HIGH),
        "second tenant": two.tenant.instances(copy.address, LOW, HIGH),
    }
    return Carried(source, copy, loaded, taken_over.count(False), lives)


def _fullest(instances: list[Instance]) -> tuple[str, str]:
    """The five years in which most instances start."""
    starts = Counter(int(one.start[:4]) for one in instances)
    first = max(range(LOW.year, HIGH.year - 4), key=lambda y: sum(starts[y + n] for n in range(5)))
    return f"{first}-01-01", f"{first + 5}-01-01"


def _same(found: Carried, one: str, two: str) -> None:
    """No difference in the fullest five years, nor in the whole life."""
    left, right = found.lives[one], found.lives[two]
    low, high = _fullest(left)
    five = [[i for i in life if i.start < high and i.end > low] for life in (left, right)]
    assert five[0]
    assert differences(*five) == []
    assert differences(left, right) == []


@names
def test_calendar_to_platform(stage: Stage, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = stage.files[name]
    with capsys.disabled():
        for one in found.loaded["split"]:
            print(f"\n{name}: {one['uid'][:40]} carried as {one['parts']} items: {one['reason']}")
    assert found.loaded["skipped"] == []
    _same(found, "first tenant", "first platform")
    items = stage.one.bookings(found.source)
    assert len(items) == found.loaded["events"] + found.loaded["series"]
    assert {(one["origin"], one["bookingStatus"]) for one in items} == {("calendar", "confirmed")}


@names
def test_platform_to_an_empty_tenant(stage: Stage, name: str) -> None:
    found = stage.files[name]
    _same(found, "first tenant", "second tenant")
    _same(found, "first tenant", "second platform")
    items = stage.two.bookings(found.copy)
    assert {(one["origin"], one["bookingStatus"]) for one in items} == {("booking", "confirmed")}


@names
def test_then_nothing_is_written_anywhere(stage: Stage, name: str) -> None:
    found = stage.files[name]
    stage.one.at_rest(found.source)
    stage.two.at_rest(found.copy)


def test_an_import_writes_nothing_to_the_calendar(stage: Stage) -> None:
    assert stage.one.tenant.writes() == []
    assert stage.two.tenant.writes()


def test_what_people_double_booked_is_mirrored(stage: Stage) -> None:
    """Ten bookings of one half hour stay ten, on every side."""
    found = stage.files["several_events_at_the_same_time"]
    assert found.double_booked == 9
    assert {len(life) for life in found.lives.values()} == {10}
    assert {len({(i.start, i.end) for i in life}) for life in found.lives.values()} == {1}


def test_two_exports_of_one_calendar_are_one(stage: Stage) -> None:
    """Both files hold one calendar, exported a day apart: only DTSTAMP differs."""
    first, second = (
        {
            (seen.uid, seen.fingerprint)
            for seen in stage.one.system.context.calendar(place.pair)
            .pull(place.pair, None, SPAN.window(stage.one.home.clock.now()))
            .observations
            if isinstance(seen, Seen)
        }
        for place in (
            stage.files["machbar_16_feb_2019"].source,
            stage.files["daylight_saving_time"].source,
        )
    )
    assert len(first) == 58
    assert first == second


def test_a_new_export_over_the_old_one_changes_nothing(stage: Stage) -> None:
    """Every event gets a new version and time of change, as by an import over what is there."""
    one, files = stage.one, {file.stem: file.read_bytes() for file in FILES}
    room = one.add_room("cal-over", zone=BERLIN[0], label=BERLIN[1])
    one.tenant.load(room.address, files["machbar_16_feb_2019"])
    one.sync(room)
    number, writes = one.numbers(), len(one.tenant.writes())
    again = one.tenant.load(room.address, files["daylight_saving_time"])
    assert len(again["skipped"]) == 58
    items = one.tenant.items(room.address)
    for item in items:
        key = item["event"]["id"]
        one.tenant.act("set", room=room.address, id=key, graph={"importance": "high"})
    for before, after in zip(items, one.tenant.items(room.address), strict=True):
        assert before["event"]["@odata.etag"] != after["event"]["@odata.etag"]
    report = one.sync(room)
    assert (report.observed, report.effects) == (58, 0)
    assert (one.numbers(), len(one.tenant.writes())) == (number, writes)


@pytest.mark.skipif(csdl.metadata_file() is None, reason="Graph metadata not found")
def test_every_exchange_is_as_the_metadata_says(stage: Stage) -> None:
    for company in (stage.one, stage.two):
        assert faults(company.tenant.exchanges) == []
