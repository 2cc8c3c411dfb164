"""Into which series a rule is cut that Graph cannot say, and where such a series begins."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from calsync.mapping import dates
from calsync.mapping.canon import canonical
from calsync.mapping.cut import MAX_SERIES, begin, cut, is_skipped, why_rule_unsayable
from calsync.mapping.rrule import format_rrule
from calsync.model import Frequency, Nth, Rule, Weekday
from tests.unit.mapping.test_dates import raw

#: A Monday.
START = datetime(2026, 1, 5, 9)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)
OVERLAPS = "an occurrence lasts longer than the time to the next one"


def series(text: str, start: datetime = START) -> Rule:
    return canonical(raw(text), start)


def said(rule: Rule) -> str:
    return format_rrule(rule, start=START, zone=None, all_day=True).removeprefix("FREQ=")


def pieces(text: str, start: datetime = START, length: timedelta = HOUR) -> list[str] | None:
    """The start and rule of each series. Together they give the dates of the rule, each once."""
    rule = series(text, start)
    found = cut(rule, start, length)
    if found is None:
        return None
    high = date(2040, 1, 1)
    together = sorted(
        day for piece, at in found for day in dates.dates(piece, at.date(), at.date(), high)
    )
    assert together == list(dates.dates(rule, start.date(), start.date(), high))
    assert all(why_rule_unsayable(piece, at, length) is None for piece, at in found)
    assert all(at.time() == start.time() for _, at in found)
    return [f"{at:%y%m%d} {said(piece)}" for piece, at in found]


YEARLY = "YEARLY;BYMONTH={};BYMONTHDAY={}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("MONTHLY;BYMONTHDAY=3,5", ["260105 MONTHLY;BYMONTHDAY=5", "260203 MONTHLY;BYMONTHDAY=3"]),
        ("MONTHLY;BYMONTHDAY=5,20;COUNT=1", ["260105 MONTHLY;BYMONTHDAY=5;UNTIL=20260105"]),
        (
            "MONTHLY;BYMONTHDAY=5,20;COUNT=4",
            [
                "260105 MONTHLY;BYMONTHDAY=5;UNTIL=20260205",
                "260120 MONTHLY;BYMONTHDAY=20;UNTIL=20260220",
            ],
        ),
        (
            "MONTHLY;BYDAY=MO;BYSETPOS=-1,1",
            ["260105 MONTHLY;BYDAY=MO;BYSETPOS=1", "260126 MONTHLY;BYDAY=MO;BYSETPOS=-1"],
        ),
        (
            "MONTHLY;BYDAY=MO;BYSETPOS=-1,1,2,3",
            [
                "260105 MONTHLY;BYDAY=MO;BYSETPOS=1",
                "260112 MONTHLY;BYDAY=MO;BYSETPOS=2",
                "260119 MONTHLY;BYDAY=MO;BYSETPOS=3",
                "260126 MONTHLY;BYDAY=MO;BYSETPOS=-1",
            ],
        ),
        (
            "MONTHLY;BYDAY=MO,TU;BYSETPOS=1,2",
            ["260105 MONTHLY;BYDAY=MO,TU;BYSETPOS=1", "260106 MONTHLY;BYDAY=MO,TU;BYSETPOS=2"],
        ),
        (
            "MONTHLY;BYDAY=1MO,2TU,3TU",
            [
                "260105 MONTHLY;BYDAY=MO;BYSETPOS=1",
                "260113 MONTHLY;BYDAY=TU;BYSETPOS=2",
                "260120 MONTHLY;BYDAY=TU;BYSETPOS=3",
            ],
        ),
        (
            "YEARLY;BYMONTH=1,6;BYDAY=1MO,2TU,3TU",
            [
                "260105 YEARLY;BYMONTH=1;BYDAY=MO;BYSETPOS=1",
                "260113 YEARLY;BYMONTH=1;BYDAY=TU;BYSETPOS=2",
                "260120 YEARLY;BYMONTH=1;BYDAY=TU;BYSETPOS=3",
                "260601 YEARLY;BYMONTH=6;BYDAY=MO;BYSETPOS=1",
                "260609 YEARLY;BYMONTH=6;BYDAY=TU;BYSETPOS=2",
                "260616 YEARLY;BYMONTH=6;BYDAY=TU;BYSETPOS=3",
            ],
        ),
        (
            "YEARLY;BYMONTH=1;BYMONTHDAY=3,5",
            ["260105 " + YEARLY.format(1, 5), "270103 " + YEARLY.format(1, 3)],
        ),
        (
            "YEARLY;INTERVAL=2;BYMONTH=3,6;BYMONTHDAY=5",
            [
                "260305 YEARLY;INTERVAL=2;BYMONTH=3;BYMONTHDAY=5",
                "260605 YEARLY;INTERVAL=2;BYMONTH=6;BYMONTHDAY=5",
            ],
        ),
        (
            "MONTHLY;BYMONTHDAY=30",
            [f"26{m:02}30 " + YEARLY.format(m, 30) for m in (1, *range(3, 13))],
        ),
        (
            "MONTHLY;BYMONTHDAY=31",
            [f"26{m:02}31 " + YEARLY.format(m, 31) for m in (1, 3, 5, 7, 8, 10, 12)],
        ),
        (
            "MONTHLY;INTERVAL=2;BYMONTHDAY=29",
            [f"26{m:02}29 " + YEARLY.format(m, 29) for m in (1, 3, 5, 7, 9, 11)],
        ),
        (
            "MONTHLY;INTERVAL=3;BYMONTHDAY=31",
            [f"26{m:02}31 " + YEARLY.format(m, 31) for m in (1, 7, 10)],
        ),
        (
            "MONTHLY;INTERVAL=6;BYMONTHDAY=31",
            [f"26{m:02}31 " + YEARLY.format(m, 31) for m in (1, 7)],
        ),
    ],
)
def test_the_series_of_a_rule(text: str, wanted: list[str]) -> None:
    assert pieces(text) == wanted


def test_every_third_month_counts_from_that_of_the_start() -> None:
    start = datetime(2026, 5, 31, 9)
    wanted = ["260531 " + YEARLY.format(5, 31), "260831 " + YEARLY.format(8, 31)]
    assert pieces("MONTHLY;INTERVAL=3;BYMONTHDAY=31", start) == wanted
    assert pieces("MONTHLY;INTERVAL=2;BYMONTHDAY=29", datetime(2026, 2, 28, 9)) is None
    assert pieces("MONTHLY;INTERVAL=3;BYMONTHDAY=29", datetime(2026, 3, 29, 9)) is not None


@pytest.mark.parametrize(
    "text",
    [
        # A date could be that of two series.
        "MONTHLY;BYMONTHDAY=-1,28",
        "MONTHLY;BYMONTHDAY=-1,15",
        "MONTHLY;BYDAY=MO;BYSETPOS=-1,4",
        "MONTHLY;BYDAY=MO;BYSETPOS=-2,-1",
        "MONTHLY;BYDAY=MO,TU;BYSETPOS=-1,1",
        "MONTHLY;BYDAY=MO,TU;BYSETPOS=-1,1,2",
        # The positions count among all of the dates, not among those of a series.
        "MONTHLY;BYMONTHDAY=5,20;BYSETPOS=1",
        "MONTHLY;BYDAY=1MO,2TU;BYSETPOS=1",
        "YEARLY;BYMONTH=1,6;BYMONTHDAY=5;BYSETPOS=1",
        "YEARLY;BYMONTH=1,6;BYDAY=MO;BYSETPOS=1",
        "WEEKLY;BYMONTH=1;BYDAY=MO,TU;BYSETPOS=1",
        # Graph has no such day, or no such limit.
        "MONTHLY;BYMONTHDAY=-2",
        "MONTHLY;BYMONTHDAY=29",
        "MONTHLY;INTERVAL=5;BYMONTHDAY=31",
        "MONTHLY;INTERVAL=11;BYMONTHDAY=31",
        "MONTHLY;INTERVAL=13;BYMONTHDAY=31",
        "MONTHLY;INTERVAL=2;BYMONTH=1,3;BYMONTHDAY=31",
        "MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "MONTHLY;BYDAY=1MO,2TU;BYMONTHDAY=1,2,3,4,5,6,7,8",
        "MONTHLY;BYDAY=5MO",
        "MONTHLY;INTERVAL=2;BYDAY=MO",
        "MONTHLY;BYDAY=MO,2TU",
        "YEARLY;INTERVAL=2;BYMONTHDAY=31",
        "YEARLY;INTERVAL=2;BYMONTHDAY=5,6",
        "YEARLY;BYDAY=1MO",
        "YEARLY;BYDAY=1MO,2TU",
        "YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "DAILY;INTERVAL=2;BYDAY=MO",
        "DAILY;INTERVAL=2;BYDAY=MO,TU",
        "DAILY;INTERVAL=2;BYMONTHDAY=5",
        "DAILY;BYMONTH=1",
        "WEEKLY;BYMONTH=1;BYDAY=MO,TU",
        # It has no dates.
        "WEEKLY;BYDAY=TU;UNTIL=2026-01-05",
        "WEEKLY;BYMONTH=2;BYDAY=TU,WE;UNTIL=2026-01-05",
        "MONTHLY;BYMONTHDAY=6,7;UNTIL=2026-01-05",
        "YEARLY;BYMONTH=2;BYMONTHDAY=30",
    ],
)
def test_no_cut_is_known(text: str) -> None:
    assert pieces(text) is None


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (YEARLY.format("1,2,3,4,5,6", "5,6"), 12),
        ("MONTHLY;BYMONTHDAY=1,2,3,4,5,6,7,8,9,10,11,12", 12),
        ("MONTHLY;BYMONTHDAY=1,2,3,4,5,6,7,8,9,10,11,12,13", None),
        (YEARLY.format("1,2,3,4,5,6,7", "5,6"), None),
    ],
)
def test_twelve_series_are_the_most(text: str, count: int | None) -> None:
    found = pieces(text)
    assert (None if found is None else len(found)) == count
    assert MAX_SERIES == 12


@pytest.mark.parametrize(
    ("text", "length", "wanted"),
    [
        ("DAILY", DAY, 0),
        ("DAILY", DAY + HOUR, 2),
        ("DAILY", 2 * DAY, 2),
        ("DAILY", 2 * DAY + HOUR, 3),
        ("DAILY", 12 * DAY, 12),
        ("DAILY", 12 * DAY + HOUR, None),
        ("DAILY;INTERVAL=2", 2 * DAY, 0),
        ("DAILY;INTERVAL=2", 3 * DAY, 2),
        ("DAILY;INTERVAL=333", 999 * DAY, 3),
        ("DAILY;INTERVAL=334", 1000 * DAY, None),
        ("WEEKLY", WEEK, 0),
        ("WEEKLY", WEEK + HOUR, 2),
        ("WEEKLY", 13 * DAY, 2),
        ("WEEKLY", 2 * WEEK + HOUR, 3),
        ("WEEKLY;BYDAY=MO,TU", DAY, 0),
        ("WEEKLY;BYDAY=MO,TU", DAY + HOUR, 2),
        ("WEEKLY;BYDAY=MO,TU", WEEK + HOUR, 4),
        ("WEEKLY;BYDAY=MO,WE", 2 * DAY, 0),
        ("WEEKLY;BYDAY=MO,WE", 2 * DAY + HOUR, 2),
        ("MONTHLY", 28 * DAY, 0),
        ("MONTHLY", 28 * DAY + HOUR, None),
        ("YEARLY", 365 * DAY, 0),
        ("YEARLY", 366 * DAY, None),
        ("DAILY;COUNT=1", 9 * DAY, 0),
    ],
)
def test_occurrences_that_overlap_the_next_take_turns(
    text: str, length: timedelta, wanted: int | None
) -> None:
    """An end at the very start of the next one is no overlap."""
    rule = series(text)
    if wanted == 0:
        assert why_rule_unsayable(rule, START, length) is None
        return
    assert why_rule_unsayable(rule, START, length) == OVERLAPS
    found = pieces(text, length=length)
    assert (None if found is None else len(found)) == wanted


def test_long_occurrences_of_a_day_in_every_month_take_no_turns() -> None:
    start = datetime(2026, 1, 28, 9)
    assert why_rule_unsayable(series("MONTHLY", start), start, 40 * DAY) == OVERLAPS
    assert pieces("MONTHLY", start, 40 * DAY) is None


def test_turns_are_taken_in_the_order_of_their_dates() -> None:
    assert pieces("DAILY", length=50 * HOUR) == [
        "260105 DAILY;INTERVAL=3",
        "260106 DAILY;INTERVAL=3",
        "260107 DAILY;INTERVAL=3",
    ]
    assert pieces("WEEKLY;INTERVAL=2;BYDAY=TU", length=15 * DAY) == [
        "260106 WEEKLY;INTERVAL=4;BYDAY=TU",
        "260120 WEEKLY;INTERVAL=4;BYDAY=TU",
    ]


def test_a_short_gap_far_ahead_counts() -> None:
    """Friday first, and then Monday and Friday of the same week, some twenty years later."""
    friday = datetime(2026, 1, 9, 9)
    rule = series("WEEKLY;INTERVAL=999;BYDAY=MO,FR", friday)
    assert why_rule_unsayable(rule, friday, 4 * DAY) is None
    assert why_rule_unsayable(rule, friday, 5 * DAY) == OVERLAPS


def test_why_a_rule_cannot_be_said_is_what_graph_says() -> None:
    rule = Rule(frequency=Frequency.DAILY, interval=2, by_day=(Nth(Weekday.MO),))
    why = "a daily series cannot be limited to some days or months"
    assert why_rule_unsayable(rule, START, HOUR) == why


# --- the hour that the clocks skip: on 29 March 2026, a Sunday, from two to three in Berlin ------

GAP = datetime(2026, 3, 29, 2, 30)


@pytest.mark.parametrize(
    ("slot", "length", "zone", "skipped"),
    [
        (GAP, HOUR, "Europe/Berlin", True),
        (GAP, HOUR, "UTC", False),
        (GAP, HOUR, None, False),
        (GAP, HOUR, "America/New_York", False),
        (GAP.replace(hour=1, minute=59), 2 * HOUR, "Europe/Berlin", False),
        (GAP.replace(hour=2, minute=0), 2 * HOUR, "Europe/Berlin", True),
        (GAP.replace(hour=3, minute=0), HOUR, "Europe/Berlin", False),
        (GAP.replace(hour=1), HOUR, "Europe/Berlin", True),  # its end is skipped
        (GAP.replace(hour=1), HOUR / 2, "Europe/Berlin", True),
        (GAP.replace(hour=3), HOUR, "Europe/Berlin", False),
        (GAP - DAY, DAY, "Europe/Berlin", True),
        (GAP - DAY, HOUR, "Europe/Berlin", False),
    ],
)
def test_a_start_or_an_end_that_the_clocks_skip(
    slot: datetime, length: timedelta, zone: str | None, skipped: bool
) -> None:
    assert is_skipped(slot, length, zone) is skipped


@pytest.mark.parametrize(
    ("text", "start", "wanted"),
    [
        ("WEEKLY", GAP, "260405 WEEKLY;BYDAY=SU"),
        ("DAILY", GAP, "260330 DAILY"),
        ("DAILY;COUNT=5", GAP, "260330 DAILY;UNTIL=20260402"),
        ("DAILY;UNTIL=2026-04-02", GAP, "260330 DAILY;UNTIL=20260402"),
        ("DAILY;COUNT=1", GAP, None),
        ("DAILY;COUNT=5", GAP - DAY, "260328 DAILY;COUNT=5"),
        ("YEARLY;BYMONTH=3;BYDAY=-1SU", GAP, None),
        ("YEARLY", GAP, "270329 YEARLY;BYMONTH=3;BYMONTHDAY=29"),
    ],
)
def test_a_series_begins_on_a_date_that_the_clocks_do_not_skip(
    text: str, start: datetime, wanted: str | None
) -> None:
    if "-1SU" in text:
        text += ";UNTIL=2036-01-01"  # summer time begins on just that day, every year
    begun = begin(series(text, start), start, HOUR, "Europe/Berlin")
    if begun is None:
        assert wanted is None
        return
    rule, at = begun
    assert f"{at:%y%m%d} {said(rule)}" == wanted
    assert at.time() == start.time()


def test_where_no_clock_skips_anything_a_series_stays_as_it_is() -> None:
    rule = raw("DAILY;COUNT=5")
    assert begin(rule, GAP, HOUR, None) == (rule, GAP)
    assert begin(rule, GAP, HOUR, "UTC") == (rule, GAP)
