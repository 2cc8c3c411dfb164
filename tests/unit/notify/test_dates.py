"""Days and times are written as Unicode's CLDR has them, and by the room's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from babel import Locale
from babel.dates import format_date, format_time

from calsync.adapters.notify import dates
from calsync.model import Occupancy
from calsync.settings.notices import LANGUAGES

CLDR = {"en": "en_GB", "nl": "nl", "sv": "sv", "ko": "ko"}
BERLIN = "Europe/Berlin"


def test_the_settings_know_the_languages_that_there_are() -> None:
    assert set(LANGUAGES) == set(dates.LANGUAGES) == set(CLDR)


@pytest.mark.parametrize("language", dates.LANGUAGES)
def test_names_are_those_of_cldr(language: str) -> None:
    manner, locale = dates.MANNERS[language], Locale.parse(CLDR[language])
    assert list(manner.months) == [locale.months["format"]["wide"][n] for n in range(1, 13)]
    assert list(manner.weekdays) == [locale.days["format"]["wide"][n] for n in range(7)]
    first = datetime(2026, 1, 1, 9, 5)
    for number in range(400):
        one = first + timedelta(days=number)
        assert dates.day(one, language) == format_date(one, "full", locale=locale)


@pytest.mark.parametrize("language", ["nl", "sv", "ko", "en"])
def test_clocks_are_those_of_cldr(language: str) -> None:
    for hour in range(24):
        at = datetime(2026, 1, 1, hour, 5)
        said = format_time(at, "short", locale=CLDR[language])
        assert dates.MANNERS[language].clock(at) == said


SAID = {
    "en": "Tuesday, 1 December 2026, 09:00–10:30 (Europe/Berlin)",
    "nl": "dinsdag 1 december 2026, 09:00–10:30 uur (Europe/Berlin)",
    "sv": "tisdag 1 december 2026 kl. 09:00–10:30 (Europe/Berlin)",
    "ko": "2026년 12월 1일 화요일 오전 9:00~오전 10:30 (Europe/Berlin)",
}


@pytest.mark.parametrize("language", SAID)
def test_from_when_to_when_by_the_rooms_clock(language: str) -> None:
    start = datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert dates.span(start, start + timedelta(minutes=90), BERLIN, language) == SAID[language]


def test_over_midnight_both_days_are_said() -> None:
    start = datetime(2026, 12, 1, 22, 30, tzinfo=UTC)
    assert dates.span(start, start + timedelta(hours=1), BERLIN, "en") == (
        "Tuesday, 1 December 2026, 23:30 – Wednesday, 2 December 2026, 00:30 (Europe/Berlin)"
    )


def test_an_hour_that_comes_twice_says_which_one_it_is() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    said = [
        dates.span(first + timedelta(hours=n), first + timedelta(hours=n, minutes=15), BERLIN, "en")
        for n in range(2)
    ]
    assert "02:30 [UTC+0200]–02:45 [UTC+0200]" in said[0]
    assert "02:30 [UTC+0100]–02:45 [UTC+0100]" in said[1]
    usual = datetime(2026, 10, 25, 3, 30, tzinfo=UTC)
    assert "UTC" not in dates.span(usual, usual, BERLIN, "en")


def test_whole_days_end_with_the_last_of_them() -> None:
    def days(last: date) -> str:
        end = datetime.combine(last, datetime.min.time())
        item = Occupancy(start=datetime(2026, 12, 1), end=end, zone=None, all_day=True)
        return dates.days(item, "en")

    assert days(date(2026, 12, 2)) == "Tuesday, 1 December 2026"
    assert days(date(2026, 12, 4)) == "Tuesday, 1 December 2026 – Thursday, 3 December 2026"
    assert days(date(2026, 12, 1)) == "Tuesday, 1 December 2026"
