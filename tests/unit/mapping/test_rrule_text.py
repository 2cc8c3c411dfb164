"""RFC 5545's text of a rule: what is taken, what is refused with which advice, what is written."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from calsync.errors import MappingError
from calsync.mapping.rrule import format_rrule, parse_rrule
from calsync.model import Frequency, Nth, Rule, Weekday

#: A Monday.
START = datetime(2026, 1, 5, 9)


def parsed(text: str, zone: str | None = "Europe/Berlin") -> Rule:
    return parse_rrule(text, start=START, zone=zone, all_day=False)


EXAMPLE = "Write a rule such as FREQ=WEEKLY;COUNT=10"
PARTS = "Use BYDAY, BYMONTH, BYMONTHDAY, BYSETPOS, COUNT, FREQ, INTERVAL, UNTIL, WKST"
PERIODS = "Use DAILY, WEEKLY, MONTHLY or YEARLY"
UNITS = "Use days, weeks, months or years"
WEEKDAYS = "Use MO, TU, WE, TH, FR, SA, SU, or 2MO, -1FR"
UNTIL = "Write 20261231 or 20261231T225959Z"


def whole(low: int, high: int) -> str:
    return f"Use a whole number from {low} to {high}"


def several(low: int, high: int) -> str:
    return f"Use whole numbers from {low} to {high}, without 0"


@pytest.mark.parametrize(
    ("text", "what", "todo"),
    [
        ("", "it is empty", EXAMPLE),
        (" \n", "it is empty", EXAMPLE),
        (None, "it is empty", EXAMPLE),
        ("FREQ=DAILY" + " " * 991, "it is longer than 1000 characters", "Write a shorter rule"),
        ("WEEKLY", "'WEEKLY' is no NAME=VALUE", EXAMPLE),
        ("FREQ=", "'FREQ=' is no NAME=VALUE", EXAMPLE),
        ("=DAILY", "'=DAILY' is no NAME=VALUE", EXAMPLE),
        ("FREQ=DAILY;;COUNT=2", "'' is no NAME=VALUE", EXAMPLE),
        ("FREQ=DAILY;" + "X" * 41, f"'{'X' * 40}' is no NAME=VALUE", EXAMPLE),
        ("FREQ=DAILY;FREQ=DAILY", "'FREQ' is given twice", "Give each part once"),
        ("FREQ=DAILY;X-A=1", "'X-A' is no part of a rule", PARTS),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "it has both COUNT and UNTIL", "Give one of the two"),
        *(
            (f"FREQ=DAILY;{name}=1", f"a room cannot be booked by {name}", UNITS)
            for name in (
                "BYHOUR",
                "BYMINUTE",
                "BYSECOND",
                "BYWEEKNO",
                "BYYEARDAY",
                "BYEASTER",
                "RSCALE",
            )
        ),
        *(
            (f"FREQ={name}", f"a room cannot be booked {name}", PERIODS)
            for name in ("HOURLY", "MINUTELY", "SECONDLY")
        ),
        ("COUNT=2", "FREQ is ''", PERIODS),
        ("FREQ=FORTNIGHTLY", "FREQ is 'FORTNIGHTLY'", PERIODS),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is '0'", whole(1, 999)),
        ("FREQ=DAILY;INTERVAL=1000", "INTERVAL is '1000'", whole(1, 999)),
        ("FREQ=DAILY;INTERVAL=1.5", "INTERVAL is '1.5'", whole(1, 999)),
        ("FREQ=DAILY;COUNT=0", "COUNT is '0'", whole(1, 10_000)),
        ("FREQ=DAILY;COUNT=-1", "COUNT is '-1'", whole(1, 10_000)),
        ("FREQ=DAILY;COUNT=10001", "COUNT is '10001'", whole(1, 10_000)),
        ("FREQ=DAILY;COUNT=ten", "COUNT is 'TEN'", whole(1, 10_000)),
        ("FREQ=DAILY;COUNT=٣", "COUNT is '٣'", whole(1, 10_000)),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY has '32'", several(-31, 31)),
        ("FREQ=MONTHLY;BYMONTHDAY=-32", "BYMONTHDAY has '-32'", several(-31, 31)),
        ("FREQ=MONTHLY;BYMONTHDAY=5,0", "BYMONTHDAY has '0'", several(-31, 31)),
        ("FREQ=MONTHLY;BYMONTHDAY=5,", "BYMONTHDAY has ''", several(-31, 31)),
        ("FREQ=YEARLY;BYMONTH=0", "BYMONTH has '0'", several(1, 12)),
        ("FREQ=YEARLY;BYMONTH=13", "BYMONTH has '13'", several(1, 12)),
        ("FREQ=YEARLY;BYMONTH=-1", "BYMONTH has '-1'", several(1, 12)),
        ("FREQ=DAILY;BYMONTH=1;BYSETPOS=367", "BYSETPOS has '367'", several(-366, 366)),
        ("FREQ=DAILY;BYMONTH=1;BYSETPOS=-367", "BYSETPOS has '-367'", several(-366, 366)),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY has 'XX'", WEEKDAYS),
        ("FREQ=MONTHLY;BYDAY=MO,123TU", "BYDAY has '123TU'", WEEKDAYS),
        (
            "FREQ=DAILY;BYDAY=1MO",
            "BYDAY=1MO with FREQ=DAILY",
            "Leave the number out, or use MONTHLY",
        ),
        (
            "FREQ=WEEKLY;BYDAY=-1MO",
            "BYDAY=-1MO with FREQ=WEEKLY",
            "Leave the number out, or use MONTHLY",
        ),
        ("FREQ=MONTHLY;BYDAY=6MO", "BYDAY has '6MO'", "Use positions from 1 to 5, or -1 to -5"),
        ("FREQ=MONTHLY;BYDAY=-6MO", "BYDAY has '-6MO'", "Use positions from 1 to 5, or -1 to -5"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY has '0MO'", "Use positions from 1 to 5, or -1 to -5"),
        (
            "FREQ=YEARLY;BYMONTH=1;BYDAY=6MO",
            "BYDAY has '6MO'",
            "Use positions from 1 to 5, or -1 to -5",
        ),
        ("FREQ=YEARLY;BYDAY=54MO", "BYDAY has '54MO'", "Use positions from 1 to 53, or -1 to -53"),
        ("FREQ=WEEKLY;WKST=XX", "WKST is 'XX'", "Use MO, TU, WE, TH, FR, SA or SU"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL is 'TOMORROW'", UNTIL),
        ("FREQ=DAILY;UNTIL=20261332", "UNTIL is '20261332'", UNTIL),
        ("FREQ=DAILY;UNTIL=20261231T250000Z", "UNTIL is '20261231T250000Z'", UNTIL),
        ("FREQ=DAILY;UNTIL=20261231Z", "UNTIL is '20261231Z'", UNTIL),
        (
            "FREQ=DAILY;UNTIL=20260104",
            "UNTIL lies before the start",
            "Set UNTIL to the date of the last occurrence",
        ),
        (
            "FREQ=WEEKLY;BYMONTHDAY=5",
            "BYMONTHDAY with FREQ=WEEKLY",
            "Use FREQ=MONTHLY, or leave BYMONTHDAY out",
        ),
        (
            "FREQ=MONTHLY;BYSETPOS=1",
            "BYSETPOS stands alone",
            "Add BYDAY or BYMONTHDAY, or leave BYSETPOS out",
        ),
        (
            "FREQ=WEEKLY;BYDAY=TU;UNTIL=20260105",
            "it gives no occurrence",
            "Check its parts against each other and its end",
        ),
    ],
)
def test_what_is_refused_and_what_to_do(text: str, what: str, todo: str) -> None:
    with pytest.raises(MappingError) as refused:
        parsed(text)
    told = refused.value
    assert (told.where, told.what, told.todo) == ("recurrence rule", what, todo)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("FREQ=DAILY" + " " * 990, "FREQ=DAILY"),
        (" rrule:freq=daily ; interval = 2; ", "FREQ=DAILY;INTERVAL=2"),
        ("FREQ=DAILY;", "FREQ=DAILY"),
        ("FREQ=DAILY;INTERVAL=1", "FREQ=DAILY"),
        ("FREQ=DAILY;INTERVAL=999", "FREQ=DAILY;INTERVAL=999"),
        ("FREQ=DAILY;COUNT=1", "FREQ=DAILY;COUNT=1"),
        ("FREQ=DAILY;COUNT=+3", "FREQ=DAILY;COUNT=3"),
        ("FREQ=DAILY;COUNT=10000", "FREQ=DAILY;UNTIL=20530522T070000Z"),
        ("FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=31", "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=31"),
        ("FREQ=MONTHLY;BYMONTHDAY=-31", "FREQ=MONTHLY;BYMONTHDAY=-31"),
        ("FREQ=YEARLY;BYMONTH=12,1", "FREQ=YEARLY;BYMONTH=1,12;BYMONTHDAY=5"),
        ("FREQ=MONTHLY;BYDAY=5MO", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=5"),
        ("FREQ=MONTHLY;BYDAY=-5MO", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=-5"),
        ("FREQ=MONTHLY;BYDAY=1TU,2MO,-1MO", "FREQ=MONTHLY;BYDAY=-1MO,2MO,1TU"),
        ("FREQ=YEARLY;BYDAY=53FR", "FREQ=YEARLY;BYDAY=53FR"),
        ("FREQ=YEARLY;BYDAY=-53FR", "FREQ=YEARLY;BYDAY=-53FR"),
        ("FREQ=YEARLY;BYDAY=6MO", "FREQ=YEARLY;BYDAY=6MO"),
        (
            "FREQ=YEARLY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-366,366",
            "FREQ=YEARLY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-366,366",
        ),
        ("FREQ=MONTHLY;BYMONTH=1,2;BYSETPOS=1", "FREQ=YEARLY;BYMONTH=1,2;BYMONTHDAY=5"),
        ("FREQ=MONTHLY;BYMONTHDAY=5,6;BYSETPOS=1", "FREQ=MONTHLY;BYMONTHDAY=5,6;BYSETPOS=1"),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=TU",
        ),
        ("FREQ=WEEKLY;WKST=SU", "FREQ=WEEKLY;BYDAY=MO"),
        ("FREQ=DAILY;UNTIL=20260105", "FREQ=DAILY;UNTIL=20260105T080000Z"),
    ],
)
def test_what_is_taken_and_how_it_is_written(text: str, wanted: str) -> None:
    made = format_rrule(parsed(text), start=START, zone="Europe/Berlin", all_day=False)
    assert made == wanted


def test_the_parts_of_a_rule_are_sorted_and_said_once() -> None:
    rule = parsed("FREQ=YEARLY;INTERVAL=2;BYDAY=1TU,2MO,-1MO,2MO;BYMONTHDAY=9,2,2")
    assert rule == Rule(
        frequency=Frequency.YEARLY,
        interval=2,
        by_day=(Nth(Weekday.MO, -1), Nth(Weekday.MO, 2), Nth(Weekday.TU, 1)),
        by_month_day=(2, 9),
    )


@pytest.mark.parametrize(
    ("until", "zone", "last"),
    [
        # Floating and by the instant: at the time of the start, and a second before it.
        ("20260107T090000", "Europe/Berlin", date(2026, 1, 7)),
        ("20260107T085959", "Europe/Berlin", date(2026, 1, 6)),
        ("20260107T080000Z", "Europe/Berlin", date(2026, 1, 7)),
        ("20260107T075959Z", "Europe/Berlin", date(2026, 1, 6)),
        ("20260107T090000Z", None, date(2026, 1, 7)),
        ("20260107T085959Z", None, date(2026, 1, 6)),
        ("20260107", "Europe/Berlin", date(2026, 1, 7)),
        ("20260106T235900Z", "Asia/Tokyo", date(2026, 1, 6)),
        ("20260107T000000Z", "Asia/Tokyo", date(2026, 1, 7)),
    ],
)
def test_an_until_before_the_time_of_the_start_ends_the_day_before(
    until: str, zone: str | None, last: date
) -> None:
    assert parsed(f"FREQ=DAILY;UNTIL={until}", zone).until == last


@pytest.mark.parametrize(
    ("until", "zone", "last"),
    [
        ("20260106T235959", None, date(2026, 1, 6)),
        ("20260107T000000", "Asia/Tokyo", date(2026, 1, 7)),
        ("20260107T000000", "America/New_York", date(2026, 1, 7)),
        # The last second of a day, somewhere: of the nearest.
        ("20260107T235959Z", None, date(2026, 1, 7)),
        ("20260107T115959Z", None, date(2026, 1, 7)),
        ("20260107T115859Z", None, date(2026, 1, 6)),
        # Midnight, somewhere: the nearest.
        ("20260107T000000Z", None, date(2026, 1, 7)),
        ("20260107T115958Z", None, date(2026, 1, 7)),
        ("20260107T120000Z", None, date(2026, 1, 8)),
        ("20260106T150000Z", "Asia/Tokyo", date(2026, 1, 7)),
        ("20260106T145959Z", "Asia/Tokyo", date(2026, 1, 6)),
    ],
)
def test_an_until_of_whole_days(until: str, zone: str | None, last: date) -> None:
    start = datetime(2026, 1, 5)
    rule = parse_rrule(f"FREQ=DAILY;UNTIL={until}", start=start, zone=zone, all_day=True)
    assert rule.until == last


def test_months_in_any_order_are_looked_for_in_theirs() -> None:
    """It ends in the first year, behind the one and before the other."""
    for months in ("1,8", "8,1"):
        rule = parsed(f"FREQ=YEARLY;BYMONTH={months};BYMONTHDAY=20;UNTIL=20260201")
        assert (rule.by_month, rule.until) == ((1, 8), date(2026, 1, 20))


def test_an_until_on_the_first_day_of_the_calendar_stays_there() -> None:
    start = datetime(1, 1, 1, 9)
    rule = parse_rrule("FREQ=DAILY;UNTIL=00010101T080000", start=start, zone="UTC", all_day=False)
    assert rule.until == date(1, 1, 1)


@pytest.mark.parametrize(
    ("zone", "all_day", "until"),
    [
        ("Europe/Berlin", False, "20260706T070000Z"),
        ("UTC", False, "20260706T090000Z"),
        (None, False, "20260706T090000Z"),
        (None, True, "20260706"),
    ],
)
def test_the_until_that_is_written(zone: str | None, all_day: bool, until: str) -> None:
    rule = Rule(frequency=Frequency.DAILY, interval=2, until=date(2026, 7, 6))
    made = format_rrule(rule, start=START, zone=zone, all_day=all_day)
    assert made == f"FREQ=DAILY;INTERVAL=2;UNTIL={until}"
