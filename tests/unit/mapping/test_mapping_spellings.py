"""The one spelling of a rule: which others mean the same, and which only look alike."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from calsync.mapping import dates
from calsync.mapping.canon import canonical
from calsync.mapping.rrule import format_rrule, parse_rrule
from calsync.model import Frequency, Nth, Rule, Weekday

#: A Monday, the 5th of January.
START = datetime(2026, 1, 5, 9)
EVERY_DAY = "MO,TU,WE,TH,FR,SA,SU"
EVERY_MONTH = "1,2,3,4,5,6,7,8,9,10,11,12"

#: The form, and other spellings of it.
SPELLINGS = {
    # Daily.
    "DAILY": [
        "DAILY;BYDAY=" + EVERY_DAY,
        "DAILY;BYMONTH=" + EVERY_MONTH,
        "DAILY;BYSETPOS=1;BYDAY=" + EVERY_DAY,
        "DAILY;BYSETPOS=-1;BYDAY=" + EVERY_DAY,
        "WEEKLY;BYDAY=" + EVERY_DAY,
        "WEEKLY;WKST=WE;BYDAY=" + EVERY_DAY,
        "MONTHLY;BYDAY=" + EVERY_DAY,
        "YEARLY;BYDAY=" + EVERY_DAY,
    ],
    "DAILY;INTERVAL=2": ["DAILY;INTERVAL=2;BYDAY=" + EVERY_DAY],
    "DAILY;INTERVAL=2;BYDAY=MO": ["DAILY;INTERVAL=2;BYDAY=MO;BYSETPOS=1"],
    "DAILY;BYMONTH=2": ["DAILY;BYMONTH=2;BYDAY=" + EVERY_DAY],
    "DAILY;INTERVAL=2;BYMONTHDAY=5": ["DAILY;INTERVAL=2;BYMONTHDAY=5;BYSETPOS=-1"],
    # Weekly.
    "WEEKLY;BYDAY=MO": [
        "WEEKLY",
        "WEEKLY;WKST=SU",
        "WEEKLY;BYMONTH=" + EVERY_MONTH,
        "WEEKLY;BYDAY=MO,WE;BYSETPOS=1",
        "WEEKLY;BYDAY=MO,WE;BYSETPOS=-1;WKST=TU",
        "DAILY;BYDAY=MO",
        "MONTHLY;BYDAY=MO",
        "YEARLY;BYDAY=MO",
    ],
    "WEEKLY;BYDAY=MO,WE": [
        "WEEKLY;BYDAY=WE,MO",
        "WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1,2",
        "WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-2,-3",
        "WEEKLY;BYDAY=MO,TU,WE;BYSETPOS=1,-1",
        "DAILY;BYDAY=MO,WE",
        "MONTHLY;BYDAY=MO,WE",
        "YEARLY;BYDAY=MO,WE",
    ],
    "WEEKLY;BYDAY=SU": ["WEEKLY;BYDAY=MO,SU;BYSETPOS=1;WKST=SU", "WEEKLY;BYDAY=MO,SU;BYSETPOS=2"],
    "WEEKLY;INTERVAL=2;BYDAY=MO": [
        "WEEKLY;INTERVAL=2;WKST=SU",
        "WEEKLY;INTERVAL=2;BYDAY=MO;WKST=TH",
    ],
    "WEEKLY;INTERVAL=2;BYDAY=MO,SA": ["WEEKLY;INTERVAL=2;BYDAY=MO,SA;WKST=SU"],
    "WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=TU": ["WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=WE"],
    "WEEKLY;INTERVAL=2;BYDAY=" + EVERY_DAY: ["WEEKLY;INTERVAL=2;BYDAY=SU,MO,SA,TU,FR,WE,TH"],
    "WEEKLY;BYMONTH=1;BYDAY=MO": ["WEEKLY;BYMONTH=1", "WEEKLY;BYMONTH=1;WKST=SU"],
    # Monthly, by days of the month.
    "MONTHLY;BYMONTHDAY=5": [
        "MONTHLY",
        "MONTHLY;BYMONTH=" + EVERY_MONTH,
        "MONTHLY;BYMONTHDAY=5;BYSETPOS=1",
        "MONTHLY;BYMONTHDAY=5;BYSETPOS=-1",
        "MONTHLY;BYMONTHDAY=5;BYDAY=" + EVERY_DAY,
        "MONTHLY;BYMONTHDAY=4,5;BYSETPOS=-1",
        "MONTHLY;BYDAY=" + EVERY_DAY + ";BYSETPOS=5",
        "YEARLY;BYMONTHDAY=5",
        "YEARLY;BYMONTHDAY=5;BYMONTH=" + EVERY_MONTH,
        "DAILY;BYMONTHDAY=5",
    ],
    "MONTHLY;INTERVAL=2;BYMONTHDAY=5": ["MONTHLY;INTERVAL=2"],
    "MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1": [
        "MONTHLY;BYMONTHDAY=-1",
        "MONTHLY;BYMONTHDAY=-1;BYSETPOS=1",
        "MONTHLY;BYDAY=" + EVERY_DAY + ";BYSETPOS=-1",
        "MONTHLY;BYMONTHDAY=26,27,28,29,30,31;BYSETPOS=-1",
        "MONTHLY;BYMONTHDAY=1,28,29,30,31;BYSETPOS=-1",
        "YEARLY;BYMONTHDAY=-1",
    ],
    "MONTHLY;BYMONTHDAY=29,30;BYSETPOS=-1": ["MONTHLY;BYMONTHDAY=30,29;BYSETPOS=-1"],
    "MONTHLY;BYMONTHDAY=28,30;BYSETPOS=-1": ["MONTHLY;BYMONTHDAY=27,28,30;BYSETPOS=-1"],
    "MONTHLY;BYMONTHDAY=28": ["MONTHLY;BYMONTHDAY=28,28", "MONTHLY;BYMONTHDAY=3,28;BYSETPOS=-1"],
    "MONTHLY;BYMONTHDAY=5,6": ["DAILY;BYMONTHDAY=6,5", "YEARLY;BYMONTHDAY=5,6"],
    "MONTHLY;BYMONTHDAY=5;BYDAY=MO": [
        "DAILY;BYMONTHDAY=5;BYDAY=MO",
        "YEARLY;BYMONTHDAY=5;BYDAY=MO",
    ],
    # Monthly, by weekdays.
    "MONTHLY;BYDAY=MO;BYSETPOS=1": ["MONTHLY;BYDAY=1MO", "MONTHLY;BYDAY=1MO;BYSETPOS=-1"],
    "MONTHLY;BYDAY=MO;BYSETPOS=-1": ["MONTHLY;BYDAY=-1MO", "MONTHLY;BYDAY=-1MO;BYSETPOS=-1,1"],
    "MONTHLY;BYDAY=MO;BYSETPOS=1,3": ["MONTHLY;BYDAY=3MO,1MO", "MONTHLY;BYDAY=1MO,3MO"],
    "MONTHLY;INTERVAL=2;BYDAY=MO": [
        "MONTHLY;INTERVAL=2;BYDAY=MO,2MO",
        "MONTHLY;INTERVAL=2;BYDAY=-1MO,MO",
    ],
    "MONTHLY;BYDAY=1MO,1TU": ["MONTHLY;BYDAY=1TU,1MO"],
    "MONTHLY;BYDAY=MO,TU;BYSETPOS=1": ["MONTHLY;BYDAY=TU,MO;BYSETPOS=1,1"],
    "MONTHLY;INTERVAL=2;BYMONTH=1,3;BYMONTHDAY=5": ["MONTHLY;INTERVAL=2;BYMONTH=3,1"],
    # Yearly.
    "YEARLY;BYMONTH=1;BYMONTHDAY=5": [
        "YEARLY",
        "YEARLY;BYMONTH=1",
        "YEARLY;BYMONTH=1;BYMONTHDAY=-27",
        "YEARLY;BYMONTH=1;BYMONTHDAY=5;BYSETPOS=1",
        "YEARLY;BYMONTH=1;BYMONTHDAY=4,5;BYSETPOS=2",
        "MONTHLY;BYMONTH=1",
        "MONTHLY;BYMONTH=1;BYMONTHDAY=5",
        "DAILY;BYMONTH=1;BYMONTHDAY=5",
    ],
    "YEARLY;BYMONTH=4;BYMONTHDAY=30": [
        "YEARLY;BYMONTH=4;BYMONTHDAY=-1",
        "YEARLY;BYMONTH=4;BYMONTHDAY=30,31",
        "YEARLY;BYMONTH=4;BYDAY=" + EVERY_DAY + ";BYSETPOS=-1",
        "YEARLY;BYMONTH=4;BYMONTHDAY=29,30;BYSETPOS=-1",
    ],
    "YEARLY;BYMONTH=1;BYMONTHDAY=31": ["YEARLY;BYMONTH=1;BYMONTHDAY=-1"],
    "YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1": [
        "YEARLY;BYMONTH=2;BYMONTHDAY=-1",
        "YEARLY;BYMONTH=2;BYMONTHDAY=28,29,30;BYSETPOS=-1",
    ],
    "YEARLY;BYMONTH=2;BYMONTHDAY=29": ["YEARLY;BYMONTH=2;BYMONTHDAY=29,30,31"],
    "YEARLY;BYMONTH=1;BYDAY=MO;BYSETPOS=1": [
        "YEARLY;BYMONTH=1;BYDAY=1MO",
        "MONTHLY;BYMONTH=1;BYDAY=1MO",
        "MONTHLY;BYMONTH=1;BYDAY=MO;BYSETPOS=1",
    ],
    "YEARLY;BYMONTH=1,2;BYMONTHDAY=5": ["MONTHLY;BYMONTH=2,1", "YEARLY;BYMONTH=1,2"],
    "YEARLY;INTERVAL=2;BYMONTH=1;BYMONTHDAY=5": ["YEARLY;INTERVAL=2"],
    "YEARLY;INTERVAL=2;BYMONTHDAY=5": ["YEARLY;INTERVAL=2;BYMONTHDAY=5,5"],
}  # fmt: skip


def parsed(text: str) -> Rule:
    return parse_rrule(f"FREQ={text}", start=START, zone="UTC", all_day=False)


def shown(rule: Rule) -> str:
    return format_rrule(rule, start=START, zone="UTC", all_day=False).removeprefix("FREQ=")


@pytest.mark.parametrize("form", SPELLINGS)
def test_other_spellings_come_to_one_form(form: str) -> None:
    assert {spelling: shown(parsed(spelling)) for spelling in SPELLINGS[form]} == dict.fromkeys(
        SPELLINGS[form], form
    )
    assert shown(parsed(form)) == form, "and there they rest"


@pytest.mark.parametrize("form", SPELLINGS)
def test_they_give_the_same_dates(form: str) -> None:
    """Judged by the dates themselves, as they are spelt: not by the form."""
    high = date(2034, 1, 1)
    wanted = list(dates.dates(parsed(form), START.date(), START.date(), high))
    assert wanted
    for spelling in SPELLINGS[form]:
        rule = raw(spelling)
        assert list(dates.dates(rule, START.date(), START.date(), high)) == wanted, spelling


def raw(text: str) -> Rule:
    """The rule as it is spelt."""
    frequency, *parts = text.split(";")
    given = dict(part.split("=") for part in parts)

    def numbers(name: str) -> tuple[int, ...]:
        return tuple(map(int, given[name].split(","))) if name in given else ()

    return Rule(
        frequency=Frequency(frequency),
        interval=int(given.get("INTERVAL", 1)),
        by_day=tuple(
            Nth(Weekday[day[-2:]], int(day[:-2] or 0))
            for day in given.get("BYDAY", "").split(",")
            if day
        ),
        by_month_day=numbers("BYMONTHDAY"),
        by_month=numbers("BYMONTH"),
        by_set_pos=numbers("BYSETPOS"),
        week_start=Weekday[given.get("WKST", "MO")],
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("DAILY;INTERVAL=2", "WEEKLY;BYDAY=" + EVERY_DAY),
        ("DAILY;INTERVAL=2;BYDAY=MO", "WEEKLY;BYDAY=MO"),
        ("DAILY;BYDAY=MO;BYMONTH=1", "WEEKLY;BYDAY=MO"),
        ("WEEKLY;INTERVAL=2;BYDAY=" + EVERY_DAY, "DAILY;INTERVAL=2"),
        ("WEEKLY;INTERVAL=2;BYDAY=MO,SU", "WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU"),
        ("MONTHLY;BYMONTHDAY=31", "MONTHLY;BYMONTHDAY=-1"),
        ("MONTHLY;BYMONTHDAY=29,30,31;BYSETPOS=-1", "MONTHLY;BYMONTHDAY=-1"),
        ("MONTHLY;BYDAY=4MO", "MONTHLY;BYDAY=-1MO"),
        ("MONTHLY;INTERVAL=2;BYDAY=MO", "WEEKLY;BYDAY=MO"),
        ("YEARLY;BYDAY=1MO", "MONTHLY;BYDAY=1MO"),
        ("YEARLY;BYDAY=1MO", "YEARLY;BYMONTH=1;BYDAY=-1MO"),
        ("YEARLY;INTERVAL=2;BYMONTHDAY=5", "MONTHLY;BYMONTHDAY=5"),
        ("YEARLY;BYMONTHDAY=5;BYSETPOS=1", "MONTHLY;BYMONTHDAY=5"),
        ("YEARLY;BYMONTH=2;BYMONTHDAY=29", "YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
        ("YEARLY;BYMONTH=2;BYMONTHDAY=28", "YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
        ("MONTHLY;BYMONTH=1,2;BYDAY=MO;BYSETPOS=1", "YEARLY;BYMONTH=1,2;BYDAY=MO;BYSETPOS=1"),
    ],
)
def test_what_only_looks_alike(one: str, other: str) -> None:
    assert parsed(one) != parsed(other)


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        ("DAILY;COUNT=999", "COUNT=999"),
        ("DAILY;COUNT=1000", "UNTIL=20280930"),
        ("WEEKLY;UNTIL=20260118T000000Z", "UNTIL=20260112"),
        ("WEEKLY;UNTIL=20260119T090000Z", "UNTIL=20260119"),
        ("DAILY;COUNT=1", "COUNT=1"),
    ],
)
def test_the_end_is_the_last_date_that_there_is(rule: str, end: str) -> None:
    assert shown(parsed(rule)).split(";")[-1].partition("T0")[0] == end


def test_a_rule_without_dates_keeps_its_end() -> None:
    """It is refused from outside; a stored one must not raise."""
    rule = Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.TU),), until=START.date())
    assert canonical(rule, START).until == START.date()
