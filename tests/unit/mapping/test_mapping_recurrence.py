"""Graph's patternedRecurrence: what can be said in it, and each member at its limits."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from calsync.errors import MappingError, UnsayableRecurrence
from calsync.mapping.recurrence import from_graph, to_graph
from calsync.model import Frequency, Nth, Rule, Weekday

MO, TU, WE, SA, SU = Weekday.MO, Weekday.TU, Weekday.WE, Weekday.SA, Weekday.SU
DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY
MONTHLY, YEARLY = Frequency.MONTHLY, Frequency.YEARLY
#: A Monday, the 5th of January.
START = datetime(2026, 1, 5, 9)
NO_END = {"type": "noEnd"}


def refusal(rule: Rule, *, zone: str | None = None) -> UnsayableRecurrence:
    with pytest.raises(UnsayableRecurrence) as refused:
        to_graph(rule, start=START, zone=zone)
    return refused.value


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (Rule(frequency=DAILY, interval=1000), "its interval is larger than 999"),
        *(
            (
                Rule(frequency=DAILY, interval=2, **limit),
                "a daily series cannot be limited to some days or months",
            )
            for limit in (
                {"by_day": (Nth(MO),)},
                {"by_month_day": (5,)},
                {"by_month": (1,)},
                {"by_set_pos": (2,)},
            )
        ),
        *(
            (
                Rule(frequency=WEEKLY, by_day=(Nth(MO),), **limit),
                "a weekly series cannot be limited to some weeks or months",
            )
            for limit in ({"by_month": (1,)}, {"by_month_day": (5,)}, {"by_set_pos": (2,)})
        ),
        (
            Rule(frequency=MONTHLY, interval=2, by_month=(1, 3), by_month_day=(5,)),
            "a monthly series cannot be limited to some months",
        ),
        (
            Rule(frequency=YEARLY, by_month=(1, 2), by_month_day=(5,)),
            "a yearly series has exactly one month",
        ),
        (
            Rule(frequency=YEARLY, interval=2, by_month_day=(5,)),
            "a yearly series has exactly one month",
        ),
        (
            Rule(frequency=MONTHLY, by_month_day=(-27,)),
            "it counts days from the end of the month",
        ),
        *(
            (
                Rule(frequency=MONTHLY, by_month_day=(day,)),
                f"it skips months without a day {day}, where Outlook takes their last",
            )
            for day in (29, 31)
        ),
        (
            Rule(frequency=YEARLY, by_month=(2,), by_month_day=(29,)),
            "it skips months without a day 29, where Outlook takes their last",
        ),
        *(
            (Rule(frequency=MONTHLY, **limit), "it has several days of a month")
            for limit in (
                {"by_month_day": (5, 6)},
                {"by_month_day": (5, 6), "by_set_pos": (1,)},
                {"by_month_day": (28, 29, 30, 31)},
                {"by_month_day": (28, 30), "by_set_pos": (-1,)},
            )
        ),
        *(
            (
                Rule(frequency=MONTHLY, **limit),
                "it has several positions, or weekdays limited to some days of the month",
            )
            for limit in (
                {"by_day": (Nth(MO),), "by_month_day": (5,)},
                {"by_day": (Nth(MO, 1), Nth(TU, 1))},
                {"by_day": (Nth(MO, 1), Nth(TU)), "by_set_pos": (1,)},
            )
        ),
        *(
            (
                Rule(frequency=MONTHLY, interval=2, by_day=(Nth(MO), Nth(TU)), by_set_pos=places),
                "it needs one position out of first, second, third, fourth and last",
            )
            for places in ((), (5,), (-2,), (1, 3))
        ),
        (
            Rule(frequency=WEEKLY, by_day=(Nth(TU),)),
            "its start is not a date that the rule gives",
        ),
    ],
)
def test_what_graph_cannot_say(rule: Rule, why: str) -> None:
    said = refusal(rule)
    assert (said.what, said.where, said.todo) == (why, "recurrence", "Book it as several series")


def test_a_zone_that_graph_has_no_name_for() -> None:
    said = refusal(Rule(frequency=DAILY), zone="Antarctica/Troll")
    assert said.what == "Graph has no name for its time zone"


@pytest.mark.parametrize(
    ("rule", "start", "pattern"),
    [
        (Rule(frequency=DAILY, interval=999), START, {"type": "daily", "interval": 999}),
        (
            Rule(frequency=WEEKLY, interval=2, by_day=(Nth(MO), Nth(SU)), week_start=TU),
            START,
            {
                "type": "weekly",
                "interval": 2,
                "daysOfWeek": ["monday", "sunday"],
                "firstDayOfWeek": "tuesday",
            },
        ),
        *(
            (
                Rule(frequency=MONTHLY, by_day=(Nth(day),), by_set_pos=(place,)),
                datetime(2026, 6, number, 9),
                {
                    "type": "relativeMonthly",
                    "interval": 1,
                    "daysOfWeek": [name],
                    "index": index,
                },
            )
            for day, name, place, index, number in (
                (MO, "monday", 1, "first", 1),
                (TU, "tuesday", 2, "second", 9),
                (WE, "wednesday", 3, "third", 17),
                (SA, "saturday", 4, "fourth", 27),
                (SU, "sunday", -1, "last", 28),
            )
        ),
        (
            Rule(frequency=MONTHLY, by_month_day=(28,)),
            datetime(2026, 1, 28, 9),
            {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 28},
        ),
        (
            Rule(frequency=MONTHLY, by_month_day=(28, 29), by_set_pos=(-1,)),
            datetime(2026, 1, 29, 9),
            {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 29},
        ),
        (
            Rule(frequency=YEARLY, by_month=(4,), by_month_day=(30,)),
            datetime(2026, 4, 30, 9),
            {"type": "absoluteYearly", "interval": 1, "month": 4, "dayOfMonth": 30},
        ),
        (
            Rule(frequency=YEARLY, by_month=(2,), by_month_day=(28, 29), by_set_pos=(-1,)),
            datetime(2024, 2, 29, 9),
            {"type": "absoluteYearly", "interval": 1, "month": 2, "dayOfMonth": 29},
        ),
    ],
)
def test_a_pattern_and_back(rule: Rule, start: datetime, pattern: dict[str, Any]) -> None:
    made = to_graph(rule, start=start, zone=None)
    assert made == {
        "pattern": pattern,
        "range": {"type": "noEnd", "startDate": start.date().isoformat()},
    }
    assert from_graph(made, start=start) == rule


def test_another_spelling_is_said_as_well() -> None:
    spelt = Rule(frequency=MONTHLY, by_day=(Nth(MO, 1),))
    form = Rule(frequency=MONTHLY, by_day=(Nth(MO),), by_set_pos=(1,))
    assert to_graph(spelt, start=START, zone=None) == to_graph(form, start=START, zone=None)


# --- from Graph ------------------------------------------------------------------------------


def weekly(**members: Any) -> dict[str, Any]:
    return {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], **members}


def monthly(**members: Any) -> dict[str, Any]:
    return {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 5, **members}


def yearly(**members: Any) -> dict[str, Any]:
    return {"type": "absoluteYearly", "interval": 1, "dayOfMonth": 5, "month": 1, **members}


def relative(**members: Any) -> dict[str, Any]:
    return {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["monday"], **members}


LAST_DAY = {"by_month_day": (28, 29, 30, 31), "by_set_pos": (-1,)}


@pytest.mark.parametrize(
    ("pattern", "rule"),
    [
        # Words in any case.
        ({"type": "DAILY", "interval": 999}, Rule(frequency=DAILY, interval=999)),
        (
            weekly(daysOfWeek=["SUNDAY", "Monday", "monday"], firstDayOfWeek="MONDAY"),
            Rule(frequency=WEEKLY, by_day=(Nth(MO), Nth(SU))),
        ),
        (weekly(daysOfWeek=["monday"] * 50), Rule(frequency=WEEKLY, by_day=(Nth(MO),))),
        # Without a first day of the week it is Sunday (resource recurrencePattern). Which days of a
        # Monday's week are hers is the same if it begins on Tuesday: that is the form.
        *(
            (
                weekly(interval=2, daysOfWeek=["monday", "sunday"], **first),
                Rule(frequency=WEEKLY, interval=2, by_day=(Nth(MO), Nth(SU)), week_start=week),
            )
            for first, week in (
                ({}, TU),
                ({"firstDayOfWeek": None}, TU),
                ({"firstDayOfWeek": "sunday"}, TU),
                ({"firstDayOfWeek": "monday"}, MO),
            )
        ),
        # Without an index it is the first.
        *(
            (relative(**index), Rule(frequency=MONTHLY, by_day=(Nth(MO),), by_set_pos=(place,)))
            for index, place in (
                ({}, 1),
                ({"index": None}, 1),
                ({"index": "Second"}, 2),
                ({"index": "third"}, 3),
                ({"index": "fourth"}, 4),
                ({"index": "last"}, -1),
            )
        ),
        (
            relative(type="relativeYearly", month=12, index="last"),
            Rule(frequency=YEARLY, by_day=(Nth(MO),), by_month=(12,), by_set_pos=(-1,)),
        ),
        # Days beyond the shortest month stand for its last.
        (monthly(dayOfMonth=1), Rule(frequency=MONTHLY, by_month_day=(1,))),
        (monthly(dayOfMonth=28), Rule(frequency=MONTHLY, by_month_day=(28,))),
        (
            monthly(dayOfMonth=29),
            Rule(frequency=MONTHLY, by_month_day=(28, 29), by_set_pos=(-1,)),
        ),
        (monthly(dayOfMonth=31), Rule(frequency=MONTHLY, **LAST_DAY)),
        (yearly(dayOfMonth=31), Rule(frequency=YEARLY, by_month=(1,), by_month_day=(31,))),
        (
            yearly(dayOfMonth=31, month=4),
            Rule(frequency=YEARLY, by_month=(4,), by_month_day=(30,)),
        ),
        (
            yearly(dayOfMonth=28, month=2),
            Rule(frequency=YEARLY, by_month=(2,), by_month_day=(28,)),
        ),
        *(
            (
                yearly(dayOfMonth=day, month=2),
                Rule(frequency=YEARLY, by_month=(2,), by_month_day=(28, 29), by_set_pos=(-1,)),
            )
            for day in (29, 31)
        ),
        # What a type does not use says nothing.
        (monthly(month=5, daysOfWeek="x", index=5), Rule(frequency=MONTHLY, by_month_day=(5,))),
        (weekly(dayOfMonth=99, month="x"), Rule(frequency=WEEKLY, by_day=(Nth(MO),))),
        (relative(firstDayOfWeek=5), Rule(frequency=MONTHLY, by_day=(Nth(MO),), by_set_pos=(1,))),
    ],
)
def test_what_a_pattern_means(pattern: dict[str, Any], rule: Rule) -> None:
    assert from_graph({"pattern": pattern, "range": NO_END}, start=START) == rule


@pytest.mark.parametrize(
    ("span", "count", "until"),
    [
        ({"type": "NoEnd", "endDate": "x", "numberOfOccurrences": 0}, None, None),
        ({"type": "numbered", "numberOfOccurrences": 1}, 1, None),
        ({"type": "numbered", "numberOfOccurrences": 999}, 999, None),
        # Exchange counts up to 999; what is more is said by its last date.
        ({"type": "numbered", "numberOfOccurrences": 10_000}, None, date(2053, 5, 22)),
        ({"type": "endDate", "endDate": "2026-01-05"}, None, date(2026, 1, 5)),
        ({"type": "endDate", "endDate": "4499-12-31"}, None, date(4499, 12, 31)),
        # Outlook's end of time.
        ({"type": "endDate", "endDate": "4500-01-01"}, None, None),
        ({"type": "endDate", "endDate": "4500-09-01"}, None, None),
    ],
)
def test_what_a_range_means(span: dict[str, Any], count: int | None, until: date | None) -> None:
    rule = from_graph({"pattern": {"type": "daily", "interval": 1}, "range": span}, start=START)
    assert rule == Rule(frequency=DAILY, count=count, until=until)


@pytest.mark.parametrize(
    ("pattern", "span", "member", "shown"),
    [
        (None, NO_END, "pattern", "'None'"),
        (weekly(), None, "range", "'None'"),
        ("weekly", NO_END, "pattern", "'weekly'"),
        (weekly(type=None), NO_END, "pattern.type", "'None'"),
        (weekly(type=5), NO_END, "pattern.type", "'5'"),
        (weekly(type="Hourly"), NO_END, "pattern.type", "'Hourly'"),
        (weekly(type="h" * 61), NO_END, "pattern.type", f"'{'h' * 60}'"),
        (weekly(interval=0), NO_END, "pattern.interval", "'0'"),
        (weekly(interval=1000), NO_END, "pattern.interval", "'1000'"),
        (weekly(interval="1"), NO_END, "pattern.interval", "'1'"),
        (weekly(interval=True), NO_END, "pattern.interval", "'True'"),
        (weekly(interval=1.0), NO_END, "pattern.interval", "'1.0'"),
        (weekly(daysOfWeek=[]), NO_END, "pattern.daysOfWeek", "'[]'"),
        (
            weekly(daysOfWeek=["monday"] * 51),
            NO_END,
            "pattern.daysOfWeek",
            f'"{str(["monday"] * 51)[:60]}"',
        ),
        (weekly(daysOfWeek="monday"), NO_END, "pattern.daysOfWeek", "'monday'"),
        (weekly(daysOfWeek=["monday", ""]), NO_END, "pattern.daysOfWeek", "''"),
        (weekly(daysOfWeek=["monday", 5]), NO_END, "pattern.daysOfWeek", "'5'"),
        (relative(daysOfWeek=None), NO_END, "pattern.daysOfWeek", "'None'"),
        (weekly(firstDayOfWeek="x"), NO_END, "pattern.firstDayOfWeek", "'x'"),
        (relative(index="fifth"), NO_END, "pattern.index", "'fifth'"),
        (relative(index=1), NO_END, "pattern.index", "'1'"),
        (monthly(dayOfMonth=0), NO_END, "pattern.dayOfMonth", "'0'"),
        (monthly(dayOfMonth=32), NO_END, "pattern.dayOfMonth", "'32'"),
        (yearly(month=0), NO_END, "pattern.month", "'0'"),
        (yearly(month=13), NO_END, "pattern.month", "'13'"),
        (weekly(), {}, "range.type", "'None'"),
        (weekly(), {"type": 5}, "range.type", "'5'"),
        (weekly(), {"type": "Ever"}, "range.type", "'Ever'"),
        (
            weekly(),
            {"type": "numbered", "numberOfOccurrences": 0},
            "range.numberOfOccurrences",
            "'0'",
        ),
        (
            weekly(),
            {"type": "numbered", "numberOfOccurrences": 10_001},
            "range.numberOfOccurrences",
            "'10001'",
        ),
        # No date, a date in another form, and one before the start.
        (weekly(), {"type": "endDate"}, "range.endDate", "'None'"),
        (weekly(), {"type": "endDate", "endDate": 20260105}, "range.endDate", "'20260105'"),
        (weekly(), {"type": "endDate", "endDate": "20260105"}, "range.endDate", "'20260105'"),
        (weekly(), {"type": "endDate", "endDate": "2026-13-01"}, "range.endDate", "'2026-13-01'"),
        (weekly(), {"type": "endDate", "endDate": "2026-01-04"}, "range.endDate", "'2026-01-04'"),
    ],
)
def test_a_value_that_is_not_known_is_shown(
    pattern: Any, span: Any, member: str, shown: str
) -> None:
    with pytest.raises(MappingError) as refused:
        from_graph({"pattern": pattern, "range": span}, start=START)
    said = refused.value
    assert (said.what, said.where, said.todo) == (
        f"{member} is {shown}, which is not known",
        "recurrence",
        "Open the event in Outlook and set its recurrence again",
    )


def test_a_recurrence_that_is_no_object_has_no_pattern() -> None:
    with pytest.raises(MappingError, match="pattern is 'None', which is not known"):
        from_graph("weekly", start=START)  # type: ignore[arg-type]
