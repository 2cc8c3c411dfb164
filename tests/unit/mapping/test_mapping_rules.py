"""Single cases of RRULE text, canonical rules and Graph recurrences."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from calsync.errors import MappingError, UnsayableRecurrence
from calsync.mapping.canon import canonical_occupancy
from calsync.mapping.dates import dates
from calsync.mapping.recurrence import from_graph, to_graph
from calsync.mapping.rrule import format_rrule, parse_rrule
from calsync.model import Frequency, Nth, Occupancy, Recurrence, Rule, Weekday

MONDAY = datetime(2026, 1, 5, 9)


def parsed(text: str, start: datetime = MONDAY, zone: str | None = "Europe/Berlin") -> Rule:
    return parse_rrule(text, start=start, zone=zone, all_day=False)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=MO"),
        ("FREQ=WEEKLY;WKST=SU", "FREQ=WEEKLY;WKST=MO"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=SU", "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE,MO"),
        ("FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU"),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=5"),
        ("FREQ=MONTHLY;BYDAY=2MO", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=2"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-1"),
        ("FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=5"),
        ("FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=-1", "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=30"),
        ("FREQ=YEARLY;BYMONTHDAY=5", "FREQ=MONTHLY;BYMONTHDAY=5"),
        ("FREQ=DAILY;UNTIL=20260110", "FREQ=DAILY;UNTIL=20260110T080000Z"),
        ("FREQ=WEEKLY;UNTIL=20260118", "FREQ=WEEKLY;UNTIL=20260112"),
        ("RRULE:freq=weekly;byday=mo;", "FREQ=WEEKLY"),
    ],
)
def test_equal_sets_give_equal_rules(one: str, other: str) -> None:
    assert parsed(one) == parsed(other)


def test_week_start_is_kept_where_it_decides() -> None:
    monday = parsed("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=MO")
    sunday = parsed("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU")
    assert monday != sunday
    assert "WKST=SU" not in format_rrule(monday, start=MONDAY, zone=None, all_day=False)


def test_a_count_of_one_stays_a_series() -> None:
    assert parsed("FREQ=DAILY;COUNT=1").count == 1


def test_a_count_outlook_does_not_know_becomes_an_until() -> None:
    rule = parsed("FREQ=DAILY;COUNT=1001")
    assert (rule.count, rule.until) == (None, date(2028, 10, 1))


@pytest.mark.parametrize(
    ("until", "start", "zone", "last"),
    [
        ("20190131T225959Z", datetime(2019, 1, 3, 18), "Europe/Berlin", date(2019, 1, 31)),
        ("20190704T215959Z", datetime(2019, 1, 3, 18), "Europe/Berlin", date(2019, 7, 4)),
        ("20190704T155959Z", datetime(2019, 1, 3, 18), "Europe/Berlin", date(2019, 6, 27)),
        ("20190704T160000Z", datetime(2019, 1, 3, 18), "Europe/Berlin", date(2019, 7, 4)),
        ("20190131T180000", datetime(2019, 1, 3, 18), "Europe/Berlin", date(2019, 1, 31)),
        ("20190131T175959", datetime(2019, 1, 3, 18), "Europe/Berlin", date(2019, 1, 24)),
    ],
)
def test_until_is_the_local_date_of_the_last_start(
    until: str, start: datetime, zone: str, last: date
) -> None:
    assert parsed(f"FREQ=WEEKLY;UNTIL={until}", start, zone).until == last


@pytest.mark.parametrize(
    ("until", "zone", "last"),
    [
        ("20200916T230000Z", "Europe/London", date(2020, 9, 17)),
        ("20200916T230000Z", None, date(2020, 9, 17)),
        ("20200916T225959Z", "Europe/London", date(2020, 9, 16)),
        ("20200916T225959Z", None, date(2020, 9, 16)),
        ("20200917T040000Z", None, date(2020, 9, 17)),
        ("20200917", "Europe/London", date(2020, 9, 17)),
    ],
)
def test_until_of_an_all_day_series(until: str, zone: str | None, last: date) -> None:
    rule = parse_rrule(
        f"FREQ=DAILY;UNTIL={until}", start=datetime(2020, 9, 1), zone=zone, all_day=True
    )
    assert rule.until == last


def test_until_is_written_as_rfc_5545_asks() -> None:
    rule = parsed("FREQ=WEEKLY;UNTIL=20260706")
    timed = format_rrule(rule, start=MONDAY, zone="Europe/Berlin", all_day=False)
    assert timed == "FREQ=WEEKLY;BYDAY=MO;UNTIL=20260706T070000Z"
    days = format_rrule(rule, start=MONDAY, zone=None, all_day=True)
    assert days == "FREQ=WEEKLY;BYDAY=MO;UNTIL=20260706"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "WEEKLY",
        "FREQ=HOURLY",
        "FREQ=MINUTELY;COUNT=5",
        "FREQ=FORTNIGHTLY",
        "FREQ=DAILY;BYHOUR=9",
        "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=YEARLY;BYYEARDAY=100",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=1000",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=10001",
        "FREQ=DAILY;COUNT=3;UNTIL=20270101",
        "FREQ=DAILY;COUNT=3;COUNT=4",
        "FREQ=DAILY;UNTIL=20250101",
        "FREQ=DAILY;UNTIL=20261332",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=WEEKLY;BYDAY=2MO",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=MONTHLY;BYDAY=XX",
        "FREQ=WEEKLY;BYMONTHDAY=3",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYSETPOS=1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;WKST=XX",
        "FREQ=DAILY;X-THING=1",
        "FREQ=DAILY;" + "X" * 2000,
    ],
)
def test_refused_with_advice(text: str) -> None:
    with pytest.raises(MappingError) as refused:
        parsed(text)
    assert refused.value.todo
    assert len(str(refused.value)) < 300


def test_a_series_begins_on_a_date_of_its_rule() -> None:
    tuesday = datetime(2026, 1, 6, 9)
    rule = Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.FR),), count=3)
    occ = Occupancy(
        start=tuesday,
        end=tuesday.replace(hour=10),
        zone="Europe/Vienna",
        recurrence=Recurrence(
            rule=rule, excluded=(datetime(2026, 1, 8, 9), datetime(2026, 1, 16, 9))
        ),
    )
    made = canonical_occupancy(occ)
    assert made.start == datetime(2026, 1, 9, 9)
    assert made.end == datetime(2026, 1, 9, 10)
    assert made.zone == "Europe/Berlin"
    assert made.recurrence is not None
    assert made.recurrence.excluded == (datetime(2026, 1, 16, 9),)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("FREQ=DAILY;INTERVAL=3", {"type": "daily", "interval": 3}),
        (
            "FREQ=WEEKLY;BYDAY=MO,WE",
            {
                "type": "weekly",
                "interval": 1,
                "daysOfWeek": ["monday", "wednesday"],
                "firstDayOfWeek": "monday",
            },
        ),
        ("FREQ=MONTHLY", {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 5}),
        (
            "FREQ=MONTHLY;BYDAY=1MO",
            {
                "type": "relativeMonthly",
                "interval": 1,
                "daysOfWeek": ["monday"],
                "index": "first",
            },
        ),
        ("FREQ=YEARLY", {"type": "absoluteYearly", "interval": 1, "month": 1, "dayOfMonth": 5}),
        (
            "FREQ=YEARLY;BYMONTH=1;BYDAY=1MO",
            {
                "type": "relativeYearly",
                "interval": 1,
                "month": 1,
                "daysOfWeek": ["monday"],
                "index": "first",
            },
        ),
    ],
)
def test_the_six_patterns(text: str, pattern: dict[str, Any]) -> None:
    made = to_graph(parsed(text), start=MONDAY, zone="Europe/Berlin")
    assert made["pattern"] == pattern
    assert made["range"] == {
        "type": "noEnd",
        "startDate": "2026-01-05",
        "recurrenceTimeZone": "W. Europe Standard Time",
    }


def test_the_other_two_ranges() -> None:
    counted = to_graph(parsed("FREQ=DAILY;COUNT=4"), start=MONDAY, zone=None)["range"]
    assert counted == {"type": "numbered", "startDate": "2026-01-05", "numberOfOccurrences": 4}
    ended = to_graph(parsed("FREQ=DAILY;UNTIL=20260108"), start=MONDAY, zone=None)["range"]
    assert ended == {"type": "endDate", "startDate": "2026-01-05", "endDate": "2026-01-08"}


def test_outlook_clamps_where_rfc_5545_skips() -> None:
    start = datetime(2026, 1, 31, 9)
    pattern = {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}
    raw = {"pattern": pattern, "range": {"type": "numbered", "numberOfOccurrences": 3}}
    rule = from_graph(raw, start=start)
    assert list(dates(rule, start.date(), start.date(), date(2027, 1, 1))) == [
        date(2026, 1, 31),
        date(2026, 2, 28),
        date(2026, 3, 31),
    ]
    assert to_graph(rule, start=start, zone=None)["pattern"] == pattern
    skipping = parsed("FREQ=MONTHLY", start)
    with pytest.raises(UnsayableRecurrence, match="skips months"):
        to_graph(skipping, start=start, zone=None)


def test_29_february_clamps_too() -> None:
    start = datetime(2024, 2, 29, 9)
    pattern = {"type": "absoluteYearly", "interval": 1, "dayOfMonth": 29, "month": 2}
    rule = from_graph({"pattern": pattern, "range": {"type": "noEnd"}}, start=start)
    found = list(dates(rule, start.date(), start.date(), date(2026, 1, 1)))
    assert found == [date(2024, 2, 29), date(2025, 2, 28)]
    assert to_graph(rule, start=start, zone=None)["pattern"] == pattern


def test_unused_members_may_hold_anything_of_their_type() -> None:
    raw = {
        "pattern": {
            "type": "daily",
            "interval": 1,
            "month": 0,
            "dayOfMonth": 0,
            "daysOfWeek": None,
            "index": "first",
            "invented": {},
        },
        "range": {
            "type": "noEnd",
            "startDate": "2026-01-05",
            "endDate": "0001-01-01",
            "numberOfOccurrences": 0,
            "recurrenceTimeZone": "UTC",
        },
    }
    assert from_graph(raw, start=MONDAY) == Rule(frequency=Frequency.DAILY)


@pytest.mark.parametrize(
    ("pattern", "span", "member"),
    [
        ({"type": "hourly", "interval": 1}, {"type": "noEnd"}, "pattern.type"),
        ({"type": "daily", "interval": 0}, {"type": "noEnd"}, "pattern.interval"),
        ({"type": "daily", "interval": True}, {"type": "noEnd"}, "pattern.interval"),
        ({"type": "weekly", "interval": 1}, {"type": "noEnd"}, "pattern.daysOfWeek"),
        (
            {"type": "weekly", "interval": 1, "daysOfWeek": ["someday"]},
            {"type": "noEnd"},
            "pattern.daysOfWeek",
        ),
        (
            {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["monday"], "index": "fifth"},
            {"type": "noEnd"},
            "pattern.index",
        ),
        ({"type": "absoluteMonthly", "interval": 1}, {"type": "noEnd"}, "pattern.dayOfMonth"),
        (
            {"type": "absoluteYearly", "interval": 1, "dayOfMonth": 1, "month": 13},
            {"type": "noEnd"},
            "pattern.month",
        ),
        ({"type": "daily", "interval": 1}, {"type": "sometimes"}, "range.type"),
        ({"type": "daily", "interval": 1}, {"type": "numbered"}, "range.numberOfOccurrences"),
        ({"type": "daily", "interval": 1}, {"type": "endDate", "endDate": "x"}, "range.endDate"),
    ],
)
def test_a_bad_member_is_named(pattern: Any, span: Any, member: str) -> None:
    with pytest.raises(MappingError, match=member):
        from_graph({"pattern": pattern, "range": span}, start=MONDAY)
