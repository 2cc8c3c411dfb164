"""Single cases of zones, titles and the canonical text."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from calsync.mapping import zones
from calsync.mapping.fingerprint import dumps, fingerprint, loads
from calsync.mapping.text import clean_title
from calsync.model import Busy, Frequency, Nth, Occupancy, Override, Recurrence, Rule, Weekday


@pytest.mark.parametrize(
    ("name", "iana"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("w. europe standard time", "Europe/Berlin"),
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("Europe/Vienna", "Europe/Vienna"),
        ("europe/vienna", "Europe/Vienna"),
        ("US/Pacific", "US/Pacific"),
        ("CST6CDT", "CST6CDT"),
        ("Europe/Kyiv (Kiev)", "Europe/Kyiv"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("Etc/UTC", "UTC"),
        ("GMT", "UTC"),
        ("GMT Standard Time", "Europe/London"),
        ("Antarctica/Troll", "Antarctica/Troll"),
        ("tzone://Microsoft/Custom", None),
        ("Customized Time Zone", None),
        ("Mars/Olympus", None),
        ("America", None),
        ("../../etc/passwd", None),
        ("right/Europe/Berlin", None),
        ("localtime", None),
        ("", None),
        (None, None),
    ],
)
def test_names(name: str | None, iana: str | None) -> None:
    zone = zones.resolve(name)
    assert zone.iana == iana
    assert zone.raw == (name or "")


def test_windows_names_of_aliases_and_links() -> None:
    assert zones.to_windows("Europe/Vienna") == "W. Europe Standard Time"
    assert zones.to_windows("US/East-Indiana") == "US Eastern Standard Time"
    assert zones.to_windows("Europe/Uzhgorod") == "FLE Standard Time"
    assert zones.to_windows("Antarctica/Troll") is None
    assert zones.to_windows("Mars/Olympus") is None


def test_zones_that_graph_cannot_tell_apart_are_one() -> None:
    assert zones.canonical("Europe/Vienna") == "Europe/Berlin"
    # CLDR joins it to the Azores, whose clocks are an hour behind today.
    assert zones.canonical("America/Scoresbysund") == zones.canonical("America/Nuuk")
    assert zones.outgoing("America/Scoresbysund") == "Greenland Standard Time"
    assert zones.canonical("Antarctica/Troll") == "Antarctica/Troll"
    assert zones.outgoing("Antarctica/Troll") is None
    assert zones.outgoing("Europe/Vienna") == "W. Europe Standard Time"
    assert zones.outgoing("UTC") == "UTC"


def test_gap_and_overlap() -> None:
    skipped = datetime(2026, 3, 29, 2, 30)
    assert zones.to_utc(skipped, "Europe/Berlin") == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    twice = datetime(2026, 10, 25, 2, 30)
    assert zones.to_utc(twice, "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert zones.to_wall(second, "Europe/Berlin") == twice


def test_the_ends_of_the_calendar_do_not_overflow() -> None:
    assert zones.to_utc(datetime(1, 1, 1), "Asia/Tokyo").year == 1
    assert zones.to_wall(datetime(9999, 12, 31, 23, tzinfo=UTC), "Asia/Tokyo").year == 9999


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        (None, None),
        ("", None),
        (" \t\r\n ", None),
        ("Standup", "Standup"),
        ("  Two\r\nlines\tand   blanks ", "Two lines and blanks"),
        ("a\x00b\x1b[31m\x7f\x9f", "ab[31m"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u2066hidden\u2069\u200b", "hidden"),
        ("half \ud83d pair", "half pair"),
        ("Grüße 📅", "Grüße 📅"),
        ("x" * 300, "x" * 255),
        ("📅" * 200, "📅" * 127),
        ("\u200b" * 50, None),
    ],
)
def test_titles(raw: str | None, title: str | None) -> None:
    assert clean_title(raw) == title


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        (5, None),
        # 255 units of UTF-16, of which an emoji takes two; what is cut ends in no blank.
        ("x" * 255, "x" * 255),
        ("x" * 256, "x" * 255),
        ("\u00e9" * 255, "\u00e9" * 255),
        ("\u00e9" * 256, "\u00e9" * 255),
        ("x" * 253 + "\U0001f4c5", "x" * 253 + "\U0001f4c5"),
        ("x" * 254 + "\U0001f4c5", "x" * 254),
        ("x" * 254 + " y", "x" * 254),
        # Blanks of all kinds, at the ends and between.
        (" a b ", "a b"),
        ("a  b", "a b"),
        ("\u00a0a\u2003\u00e9\u3000", "a \u00e9"),
        ("tab\there", "tab here"),
        ("a\x1cb", "a b"),
        ("a\x85b", "a b"),
        # What changes what a reader sees is left out, character by character at its limits.
        *((f"a{char}b", "ab") for char in "\x00\x08\x0e\x1b\x7f\x84\x86\x9f\xad\u061c\u115f"),
        *((f"a{char}b", "ab") for char in "\u1160\u180e\u200b\u200f\u202a\u202e\u2060\u206f"),
        *((f"a{char}b", "ab") for char in "\ud800\udfff\ufeff\ufff9\ufffb\U000e0000\U000e007f"),
        *((f"a{char}b", f"a{char}b") for char in "~\u00a1\u061d\u1161\u2010\u2070\ufffc\U000e0080"),
    ],
)
def test_titles_at_their_limits(raw: Any, title: str | None) -> None:
    assert clean_title(raw) == title


def test_the_canonical_text_of_a_single() -> None:
    occ = Occupancy(start=datetime(2026, 1, 1, 9), end=datetime(2026, 1, 1, 10), zone="UTC")
    assert dumps(occ) == '{"start":"2026-01-01T09:00:00","end":"2026-01-01T10:00:00"}'
    # A changed form would make every stored base look edited: this value may not move.
    assert fingerprint(occ) == "f6c0d03288f3729299de5bcec5a8f37e"


def test_the_canonical_text_of_a_series() -> None:
    start = datetime(2026, 1, 5, 9)
    moved = Override(
        recurrence_id=start, start=start, end=start.replace(hour=11), busy=Busy.FREE, title="É"
    )
    occ = Occupancy(
        start=start,
        end=start.replace(hour=10),
        zone="Europe/Berlin",
        recurrence=Recurrence(
            rule=Rule(frequency=Frequency.WEEKLY, until=date(2026, 2, 2)),
            excluded=(datetime(2026, 1, 12, 9),),
            overrides=(moved,),
        ),
    )
    assert dumps(occ) == (
        '{"start":"2026-01-05T09:00:00","end":"2026-01-05T10:00:00","zone":"Europe/Berlin",'
        '"series":{"freq":"WEEKLY","until":"2026-02-02","excluded":["2026-01-12T09:00:00"],'
        '"overrides":[{"id":"2026-01-05T09:00:00","start":"2026-01-05T09:00:00",'
        '"end":"2026-01-05T11:00:00","busy":"free","title":"\\u00c9"}]}}'
    )


NINE, TEN = datetime(2026, 1, 5, 9), datetime(2026, 1, 5, 10)
TIMES = '"start":"2026-01-05T09:00:00","end":"2026-01-05T10:00:00"'
DAILY = Recurrence(rule=Rule(frequency=Frequency.DAILY))


@pytest.mark.parametrize(
    ("occ", "text"),
    [
        (Occupancy(start=NINE, end=TEN, zone="UTC"), f"{{{TIMES}}}"),
        (
            Occupancy(start=NINE, end=TEN, zone="UTC", busy=Busy.OOF, title='"\u00c9"'),
            f'{{{TIMES},"busy":"oof","title":"\\"\\u00c9\\""}}',
        ),
        (Occupancy(start=NINE, end=TEN, zone="UTC", private=True), f'{{{TIMES},"private":true}}'),
        (
            Occupancy(
                start=datetime(2026, 1, 5), end=datetime(2026, 1, 6), zone=None, all_day=True
            ),
            '{"start":"2026-01-05T00:00:00","end":"2026-01-06T00:00:00","zone":null}',
        ),
        (
            Occupancy(start=NINE, end=TEN, zone="Europe/Berlin", recurrence=DAILY),
            f'{{{TIMES},"zone":"Europe/Berlin","series":{{"freq":"DAILY"}}}}',
        ),
        (
            Occupancy(
                start=NINE,
                end=TEN,
                zone="UTC",
                recurrence=Recurrence(
                    rule=Rule(
                        frequency=Frequency.MONTHLY,
                        interval=2,
                        by_day=(Nth(Weekday.MO, -1), Nth(Weekday.TU)),
                        by_month_day=(5, -1),
                        by_month=(1, 3),
                        by_set_pos=(1, -1),
                        week_start=Weekday.SU,
                        count=7,
                    ),
                ),
            ),
            f'{{{TIMES},"series":{{"freq":"MONTHLY","interval":2,"byday":[[-1,"MO"],[0,"TU"]],'
            '"bymonthday":[5,-1],"bymonth":[1,3],"bysetpos":[1,-1],"wkst":"SU","count":7}}',
        ),
        (
            Occupancy(
                start=NINE,
                end=TEN,
                zone="UTC",
                recurrence=Recurrence(
                    rule=Rule(frequency=Frequency.DAILY, until=date(2026, 1, 31)),
                    excluded=(datetime(2026, 1, 6, 9),),
                    overrides=(
                        Override(recurrence_id=NINE, start=NINE, end=TEN),
                        Override(
                            recurrence_id=datetime(2026, 1, 7, 9),
                            start=datetime(2026, 1, 7),
                            end=datetime(2026, 1, 8),
                            all_day=True,
                            busy=Busy.FREE,
                            title="Other",
                        ),
                        Override(
                            recurrence_id=datetime(2026, 1, 8, 9), start=NINE, end=TEN, private=True
                        ),
                    ),
                ),
            ),
            f'{{{TIMES},"series":{{"freq":"DAILY","until":"2026-01-31",'
            f'"excluded":["2026-01-06T09:00:00"],"overrides":[{{"id":"2026-01-05T09:00:00",{TIMES}}},'
            '{"id":"2026-01-07T09:00:00","start":"2026-01-07T00:00:00",'
            '"end":"2026-01-08T00:00:00","allday":true,"busy":"free","title":"Other"},'
            f'{{"id":"2026-01-08T09:00:00",{TIMES},"private":true}}]}}}}',
        ),
    ],
)
def test_the_text_that_is_kept_is_the_whole_occupancy(occ: Occupancy, text: str) -> None:
    assert dumps(occ) == text
    assert loads(text) == occ


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        ("2026-11-20T23:00", "Europe/Berlin", "2026-11-21"),
        ("2026-11-20T22:00", "Europe/Berlin", None),
        # Cairo's clocks go from 00:00 to 01:00 that night.
        ("2027-04-29T22:00", "Africa/Cairo", "2027-04-30"),
        ("2027-04-29T21:00", "Africa/Cairo", None),
        ("2027-04-30T00:00", "UTC", "2027-04-30"),
    ],
)
def test_the_day_that_begins_at_an_instant(instant: str, zone: str, day: str | None) -> None:
    found = zones.day_at(datetime.fromisoformat(instant).replace(tzinfo=UTC), zone)
    assert found == (date.fromisoformat(day) if day else None)


@pytest.mark.parametrize(
    ("wall", "zone", "name"),
    [
        ("2027-03-28T03:30", "Europe/Berlin", "2027-03-28T02:30"),
        ("2027-03-28T04:00", "Europe/Berlin", None),
        ("2027-03-28T01:30", "Europe/Berlin", None),
        ("2027-03-29T03:30", "Europe/Berlin", None),
        ("2027-10-31T02:30", "Europe/Berlin", None),
        ("2027-10-03T02:45", "Australia/Lord_Howe", "2027-10-03T02:15"),
        ("2027-03-28T00:30", "America/Nuuk", "2027-03-27T23:30"),
        ("2011-12-31T10:00", "Pacific/Apia", "2011-12-30T10:00"),  # Samoa left out a whole day
        ("2027-03-28T03:30", "UTC", None),
        ("0001-01-01T00:30", "Europe/Berlin", None),
    ],
)
def test_the_other_name_of_an_instant_after_a_gap(wall: str, zone: str, name: str | None) -> None:
    found = zones.skipped(datetime.fromisoformat(wall), zone)
    assert found == (None if name is None else datetime.fromisoformat(name))
    if found is not None:
        assert not zones.exists(found, zone)
        assert zones.to_utc(found, zone) == zones.to_utc(datetime.fromisoformat(wall), zone)


def test_a_span_by_times_that_clocks_show() -> None:
    at = datetime.fromisoformat
    found = zones.real_span(at("2027-03-28T02:15"), at("2027-03-28T02:45"), "Europe/Berlin")
    assert found == (at("2027-03-28T03:15"), at("2027-03-28T03:45"))
    same = at("2027-06-01T02:15"), at("2027-06-01T02:45")
    assert zones.real_span(*same, "Europe/Berlin") == same
