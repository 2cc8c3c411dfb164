"""Zone names as Exchange, CLDR and the tz database give them, and what clocks do with a time."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from calsync.mapping.zones import (
    _WINDOWS_OF,
    Zone,
    _resolve,
    canonical,
    day_at,
    exists,
    outgoing,
    real_span,
    resolve,
    skipped,
    span_utc,
    to_utc,
    to_wall,
    to_windows,
    zone_info,
)

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "utc",
        "Z",
        "gmt",
        "Etc/GMT",
        "etc/gmt",
        "TZONE://Microsoft/Utc",
        "Coordinated Universal Time",
        "Zulu",
        "Etc/UCT",
        "Etc/Greenwich",
        " UTC ",
    ],
)
def test_utc_has_many_names(name: str) -> None:
    assert resolve(name) == Zone("UTC", name)


@pytest.mark.parametrize(
    ("name", "iana"),
    [
        (" w. europe STANDARD time\t", BERLIN),
        (" Antarctica/Troll ", "Antarctica/Troll"),
        ("cst6cdt", "CST6CDT"),
        ("us/east-indiana", "US/East-Indiana"),
        ("europe/kyiv (kiev)", "Europe/Kyiv"),
        ("Etc/GMT+11", "Etc/GMT+11"),
        ("UTC-11", "Etc/GMT+11"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Kamchatka Standard Time", None),
        ("tzone://Microsoft/Custom ", None),
        ("customized time zone", None),
        ("One/Two/Three/Four", None),
        ("1Europe", None),
        ("posix/Europe/Berlin", None),
        (" ", None),
    ],
)
def test_a_name_in_any_case_with_blanks_around_it(name: str, iana: str | None) -> None:
    assert resolve(name) == Zone(iana, name)


def test_what_is_no_name_at_all() -> None:
    assert resolve(None) == Zone(None, "")
    assert resolve(7) == Zone(None, "")  # type: ignore[arg-type]


def test_a_name_has_at_most_128_characters() -> None:
    longest = BERLIN.ljust(128)
    assert resolve(longest) == Zone(BERLIN, longest)
    assert resolve(longest + " ") == Zone(None, longest)
    assert resolve("x" * 200) == Zone(None, "x" * 128)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """A host whose tz database is this folder and nothing else."""
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    _resolve.cache_clear()
    yield tmp_path
    zoneinfo.reset_tzpath()
    _resolve.cache_clear()
    ZoneInfo.clear_cache()


@pytest.mark.parametrize("name", ["localtime", "Factory", "factory", "posixrules", "PosixRules"])
def test_files_of_a_host_are_no_zones(name: str, database: Path) -> None:
    """They hold rules, but others on every machine."""
    rules = files("tzdata").joinpath("zoneinfo/Europe/Berlin").read_bytes()
    (database / name).write_bytes(rules)
    (database / "Home").write_bytes(rules)
    assert resolve("Home") == Zone("Home", "Home")
    assert resolve(name) == Zone(None, name)


def test_files_without_rules_and_folders_are_no_zones(database: Path) -> None:
    (database / "leapseconds").write_text("# no rules of a zone\n")
    (database / "Folder").mkdir()
    for name in ("leapseconds", "Folder", "Absent"):
        assert resolve(name) == Zone(None, name)


@pytest.mark.parametrize(
    ("iana", "windows"),
    [
        ("CST6CDT", "Central Standard Time"),
        ("EST5EDT", "Eastern Standard Time"),
        ("MST7MDT", "Mountain Standard Time"),
        ("PST8PDT", "Pacific Standard Time"),
        ("US/East-Indiana", "US Eastern Standard Time"),
        ("Europe/Uzhgorod", "FLE Standard Time"),
        ("Europe/Zaporozhye", "FLE Standard Time"),
        ("Europe/Kyiv (Kiev)", "FLE Standard Time"),
        ("Asia/Toshkent (Tashkent)", "West Asia Standard Time"),
        ("Asia/Astana (Almaty)", "West Asia Standard Time"),
        ("Asia/Yangon (Rangoon)", "Myanmar Standard Time"),
        ("UTC", "UTC"),
        ("Antarctica/Troll", None),
        ("Mars/Olympus", None),
    ],
)
def test_the_windows_name(iana: str, windows: str | None) -> None:
    """Links of the tz database, and Exchange's own entries, in any case."""
    assert to_windows(iana) == windows
    assert to_windows(iana.lower()) == windows or windows is None
    assert outgoing(iana) == windows


@pytest.mark.parametrize(
    ("iana", "one"),
    [
        ("Europe/Vienna", BERLIN),
        (BERLIN, BERLIN),
        ("PST8PDT", "America/Los_Angeles"),
        ("UTC", "UTC"),
        # CLDR joins it to the Azores, whose clocks differ.
        ("America/Scoresbysund", "America/Godthab"),
        # As London in winter, as Kaliningrad in summer: alike to none.
        ("Antarctica/Troll", "Antarctica/Troll"),
        ("Mars/Olympus", "Mars/Olympus"),
    ],
)
def test_one_name_for_what_graph_cannot_tell_apart(iana: str, one: str) -> None:
    assert canonical(iana) == one


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Each test computes what it asks for, whatever was asked before."""
    caches = (to_windows, canonical, outgoing)
    for one in caches:
        one.cache_clear()
    yield
    for one in caches:
        one.cache_clear()


def test_a_windows_name_with_other_clocks_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if CLDR's next table joined Troll to London, which it equals in winter only."""
    monkeypatch.setitem(_WINDOWS_OF, "Antarctica/Troll", "GMT Standard Time")
    assert to_windows("Antarctica/Troll") == "GMT Standard Time"
    assert canonical("Antarctica/Troll") == "Antarctica/Troll"
    assert outgoing("Antarctica/Troll") is None


def test_the_rules_of_a_zone_or_utc() -> None:
    assert zone_info("W. Europe Standard Time").key == BERLIN
    assert zone_info("Mars/Olympus").key == "UTC"


# --- instants and wall times ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wall", "zone", "instant"),
    [
        ("2027-06-01T09:00", "UTC", "2027-06-01T09:00"),
        ("2027-06-01T09:00", BERLIN, "2027-06-01T07:00"),
        ("2027-03-28T02:30", BERLIN, "2027-03-28T01:30"),
        ("2027-10-31T02:30", BERLIN, "2027-10-31T00:30"),
        # The calendar ends: what lies before or behind it is its first or last second.
        ("0001-01-01T03:00", "Asia/Tokyo", "0001-01-01T00:00"),
        ("9999-12-31T22:30", "America/New_York", "9999-12-31T23:59:59"),
    ],
)
def test_a_wall_time_is_an_instant(wall: str, zone: str, instant: str) -> None:
    assert to_utc(at(wall), zone) == utc(instant)
    assert to_utc(at(wall).replace(fold=1), zone) == utc(instant), "always the first of two"


@pytest.mark.parametrize(
    ("instant", "zone", "wall"),
    [
        ("2027-06-01T09:00", "UTC", "2027-06-01T09:00"),
        ("2027-06-01T09:00", BERLIN, "2027-06-01T11:00"),
        ("2027-10-31T00:30", BERLIN, "2027-10-31T02:30"),
        ("2027-10-31T01:30", BERLIN, "2027-10-31T02:30"),
        ("0001-01-01T03:00", "America/New_York", "0001-01-01T00:00"),
        ("9999-12-31T22:30", "Asia/Tokyo", "9999-12-31T23:59:59"),
    ],
)
def test_an_instant_is_a_wall_time(instant: str, zone: str, wall: str) -> None:
    found = to_wall(utc(instant), zone)
    assert (found, found.fold) == (at(wall), 0)


@pytest.mark.parametrize(
    ("wall", "real", "shown"),
    [
        # Over the change of the clocks a night stays a night.
        ("2027-03-27T20:00/2027-03-28T08:00", "2027-03-27T19:00/2027-03-28T06:00", None),
        ("2027-10-31T02:15/2027-10-31T02:45", "2027-10-31T00:15/2027-10-31T00:45", None),
        # In the gap an end stands an hour later; a start that would pass its end takes it along.
        (
            "2027-03-28T02:15/2027-03-28T02:45",
            "2027-03-28T01:15/2027-03-28T01:45",
            "2027-03-28T03:15/2027-03-28T03:45",
        ),
        (
            "2027-03-28T02:45/2027-03-28T03:15",
            "2027-03-28T01:45/2027-03-28T02:15",
            "2027-03-28T03:45/2027-03-28T04:15",
        ),
        # Both of its ends name one instant.
        (
            "2027-03-28T02:30/2027-03-28T03:30",
            "2027-03-28T01:30/2027-03-28T01:30",
            "2027-03-28T03:30/2027-03-28T03:30",
        ),
    ],
)
def test_a_span_in_berlin(wall: str, real: str, shown: str | None) -> None:
    start, end = map(at, wall.split("/"))
    assert span_utc(start, end, BERLIN) == tuple(map(utc, real.split("/")))
    assert real_span(start, end, BERLIN) == tuple(map(at, (shown or wall).split("/")))


@pytest.mark.parametrize(
    ("wall", "zone", "name"),
    [
        ("2027-03-28T03:00", BERLIN, "2027-03-28T02:00"),
        ("2027-03-28T03:59:59", BERLIN, "2027-03-28T02:59:59"),
        ("2027-03-28T04:00", BERLIN, None),
        ("2027-03-28T02:30", BERLIN, None),
        # Samoa left out a whole day.
        ("2011-12-31T00:00", "Pacific/Apia", "2011-12-30T00:00"),
        ("2011-12-31T23:59:59", "Pacific/Apia", "2011-12-30T23:59:59"),
        ("2012-01-01T00:00", "Pacific/Apia", None),
        ("0001-01-02T00:00", BERLIN, None),
        ("9999-12-31T23:59:59", "America/New_York", None),
    ],
)
def test_the_name_that_the_clocks_skipped(wall: str, zone: str, name: str | None) -> None:
    assert skipped(at(wall), zone) == (None if name is None else at(name))


@pytest.mark.parametrize(
    ("wall", "real"),
    [("01:59", True), ("02:00", False), ("02:59", False), ("03:00", True)],
)
def test_an_hour_in_spring_does_not_exist(wall: str, real: bool) -> None:
    assert exists(at(f"2027-03-28T{wall}"), BERLIN) is real


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        ("2026-11-20T23:00", BERLIN, "2026-11-21"),
        ("2026-11-21T00:00", BERLIN, None),
        ("2026-11-20T23:00:01", BERLIN, None),
        # Cairo's clocks go from 00:00 to 01:00 that night.
        ("2027-04-29T22:00", "Africa/Cairo", "2027-04-30"),
        ("2027-04-29T23:00", "Africa/Cairo", None),
        # Havana's go back from 01:00: midnight comes twice, and a server may mean either.
        ("2027-11-07T04:00", "America/Havana", "2027-11-07"),
        ("2027-11-07T05:00", "America/Havana", "2027-11-07"),
        ("2027-11-07T04:30", "America/Havana", None),
    ],
)
def test_the_day_that_begins_then(instant: str, zone: str, day: str | None) -> None:
    assert day_at(utc(instant), zone) == (None if day is None else date.fromisoformat(day))
