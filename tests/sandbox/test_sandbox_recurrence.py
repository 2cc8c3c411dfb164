"""The expansion against dateutil, and what a recurrence may not be."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule, weekday
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.sandbox.recurrence import INDEXES, PATTERNS, Pattern, Recurrence, settle

from .client import ROOM, Graph, at, daily, event, weekly

KINDS = {"daily": DAILY, "weekly": WEEKLY, "Monthly": MONTHLY, "Yearly": YEARLY}


def oracle(rule: Recurrence, low: date, high: date) -> list[date]:
    """The same dates by dateutil; days 29 to 31 by BYMONTHDAY=28,…,d with BYSETPOS=-1."""
    pattern = rule.pattern
    kind = next(value for name, value in KINDS.items() if pattern.kind.endswith(name))
    options: dict[str, Any] = {"interval": pattern.interval, "wkst": pattern.first_day}
    if pattern.kind == "weekly":
        options["byweekday"] = pattern.days
    if pattern.kind.startswith("absolute"):
        if pattern.day_of_month > 28:
            options |= {"bymonthday": range(28, pattern.day_of_month + 1), "bysetpos": -1}
        else:
            options["bymonthday"] = pattern.day_of_month
    if pattern.kind.startswith("relative"):
        place = INDEXES.index(pattern.index)
        options |= {
            "byweekday": [weekday(day) for day in pattern.days],
            "bysetpos": -1 if place == 4 else place + 1,
        }
    if pattern.kind.endswith("Yearly"):
        options["bymonth"] = pattern.month
    if rule.kind == "numbered":
        options["count"] = rule.number
    if rule.kind == "endDate" and rule.end:
        options["until"] = datetime.combine(rule.end, datetime.min.time())
    made = rrule(kind, dtstart=datetime.combine(rule.start, datetime.min.time()), **options)
    return [
        one.date()
        for one in made.between(
            datetime.combine(low, datetime.min.time()),
            datetime.combine(high, datetime.min.time()),
            inc=True,
        )
    ]


@st.composite
def rules(draw: st.DrawFn) -> Recurrence:
    kind = draw(st.sampled_from(PATTERNS))
    days = tuple(sorted(draw(st.sets(st.integers(0, 6), min_size=1, max_size=7))))
    month = draw(st.integers(1, 12))
    longest = (
        31
        if not kind.endswith("Yearly")
        else 29
        if month == 2
        else 30
        if month in (4, 6, 9, 11)
        else 31
    )
    pattern = Pattern(
        kind,
        draw(st.integers(1, 5)),
        days if kind in ("weekly", "relativeMonthly", "relativeYearly") else (),
        draw(st.integers(1, longest)) if kind.startswith("absolute") else 0,
        month if kind.endswith("Yearly") else 0,
        draw(st.sampled_from(INDEXES)),
        draw(st.integers(0, 6)),
    )
    start = draw(st.dates(date(2019, 1, 1), date(2026, 12, 31)))
    span = draw(st.sampled_from(("noEnd", "endDate", "numbered")))
    end = start + timedelta(days=draw(st.integers(0, 2000))) if span == "endDate" else None
    return Recurrence(
        pattern, start, span, end, draw(st.integers(1, 60)) if span == "numbered" else 0
    )


@settings(max_examples=400, deadline=None)
@given(rules(), st.integers(-400, 2500), st.integers(0, 900))
def test_expansion_agrees_with_dateutil(rule: Recurrence, offset: int, length: int) -> None:
    low = rule.start + timedelta(days=offset)
    high = low + timedelta(days=length)
    assert rule.dates(low, high) == oracle(rule, low, high)


@settings(max_examples=150, deadline=None)
@given(rules())
def test_settling_and_neighbours_keep_the_set(rule: Recurrence) -> None:
    made = settle(rule)
    high = rule.start + timedelta(days=4000)
    days = rule.dates(rule.start, high)
    assert made.dates(rule.start, high) == days
    for place in range(1, min(len(days) - 1, 6)):
        assert rule.neighbours(days[place]) == (days[place - 1], days[place + 1])


def test_outlook_clamps_the_31st() -> None:
    rule = Recurrence(Pattern("absoluteMonthly", 1, day_of_month=31), date(2026, 1, 31))
    assert rule.dates(date(2026, 1, 1), date(2026, 4, 30)) == [
        date(2026, 1, 31),
        date(2026, 2, 28),
        date(2026, 3, 31),
        date(2026, 4, 30),
    ]


def test_a_series_keeps_its_wall_time_over_dst(graph: Graph) -> None:
    made = graph.ok(
        "POST",
        f"{ROOM}/events",
        event("2027-03-22", recurrence=weekly("2027-03-22", days=["monday"], number=3)),
    )
    assert made["type"] == "seriesMaster"
    starts = [one["start"] for one in graph.live()]
    assert starts == ["2027-03-22T09:00:00Z", "2027-03-29T08:00:00Z", "2027-04-05T08:00:00Z"]


def test_an_instance_in_a_gap(graph: Graph) -> None:
    body = event("2027-03-27", "02:30", "02:45", recurrence=daily("2027-03-27", 3))
    graph.ok("POST", f"{ROOM}/events", body)
    assert [one["start"][11:16] for one in graph.live()] == ["01:30", "01:30", "00:30"]


def patterned(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "pattern": {"type": kind, "interval": 1} | more,
        "range": {"type": "noEnd", "startDate": "2026-12-01"},
    }


@pytest.mark.parametrize(
    ("recurrence", "code"),
    [
        (patterned("weekly"), "ErrorPropertyValidationFailure"),
        (patterned("daily", index="fifth"), "RequestBodyRead"),
        (patterned("daily", daysOfWeek=["funday"]), "RequestBodyRead"),
        (patterned("hourly"), "RequestBodyRead"),
        (patterned("daily", interval=0), "ErrorPropertyValidationFailure"),
        (patterned("absoluteMonthly"), "ErrorPropertyValidationFailure"),
        (patterned("absoluteYearly", dayOfMonth=31, month=4), "ErrorPropertyValidationFailure"),
        ({"pattern": {"type": "daily", "interval": 1}}, "ErrorPropertyValidationFailure"),
        (daily("2026-12-02"), "ErrorPropertyValidationFailure"),
        (daily("2026-12-01", 0), "ErrorPropertyValidationFailure"),
        (
            {
                "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]},
                "range": {"type": "endDate", "startDate": "2026-12-01", "endDate": "2026-12-03"},
            },
            "ErrorRecurrenceHasNoOccurrence",
        ),
        (
            {
                "pattern": {"type": "daily", "interval": 1},
                "range": {"type": "endDate", "startDate": "2026-12-01", "endDate": "2026-11-03"},
            },
            "ErrorCalendarEndDateIsEarlierThanStartDate",
        ),
    ],
)
def test_bad_recurrences(graph: Graph, recurrence: Any, code: str) -> None:
    assert graph.refused("POST", f"{ROOM}/events", event(recurrence=recurrence)) == (400, code)


def test_the_start_moves_to_the_first_date_of_the_pattern(graph: Graph) -> None:
    made = graph.ok(
        "POST",
        f"{ROOM}/events",
        event("2026-12-01", recurrence=weekly("2026-12-01", days=["friday"])),
    )
    assert made["start"]["dateTime"].startswith("2026-12-04")
    assert made["recurrence"]["range"]["startDate"] == "2026-12-04"


def test_too_long_instances(graph: Graph) -> None:
    body = event(recurrence=daily("2026-12-01"))
    body["end"] = {"dateTime": "2026-12-02T10:01:00", "timeZone": "W. Europe Standard Time"}
    assert graph.refused("POST", f"{ROOM}/events", body) == (400, "ErrorOccurrenceTimeSpanTooBig")


def test_moving_an_occurrence_past_its_neighbour(graph: Graph) -> None:
    master = graph.ok("POST", f"{ROOM}/events", event(recurrence=daily("2026-12-01")))
    path = f"{ROOM}/events/{master['id']}/instances?startDateTime=2026-12-01&endDateTime=2026-12-09"
    days = graph.ok("GET", path)["value"]
    assert [one["type"] for one in days] == ["occurrence"] * 5
    second = f"{ROOM}/events/{days[1]['id']}"
    for day in ("2026-12-01", "2026-12-03", "2026-12-05"):
        assert (
            graph.refused("PATCH", second, event(day, "20:00", "21:00"))[1]
            == "ErrorOccurrenceCrossingBoundary"
        )
    moved = graph.ok("PATCH", second, event("2026-12-02", "20:00", "21:00"))
    assert moved["type"] == "exception"
    assert moved["id"] == days[1]["id"]
    assert moved["originalStart"] == "2026-12-02T09:00:00Z"
    assert moved["seriesMasterId"] == master["id"]
    assert moved["iCalUId"] != master["iCalUId"]
    # A removed neighbour gives its day free.
    graph.ok("DELETE", f"{ROOM}/events/{days[2]['id']}")
    graph.ok("PATCH", second, event("2026-12-03", "20:00", "21:00"))
    shown = graph.ok(
        "GET",
        f"{ROOM}/events/{master['id']}?$select=subject,cancelledOccurrences,exceptionOccurrences&$expand=exceptionOccurrences",
    )
    assert shown["cancelledOccurrences"] == [f"OID.{master['id']}.2026-12-03"]
    assert [one["id"] for one in shown["exceptionOccurrences"]] == [days[1]["id"]]


@pytest.mark.parametrize("drops", [True, False])
def test_no_exception_outlives_its_date_in_the_pattern(graph: Graph, drops: bool) -> None:
    """Where a series keeps its exceptions as it moves, those of dates that it leaves go all the
    same: one stood before the start of its series for ever (seed 60713)."""
    graph.switch(series_change_drops_exceptions=drops)
    master = graph.ok("POST", f"{ROOM}/events", event(recurrence=daily("2026-12-01")))
    path = f"{ROOM}/events/{master['id']}/instances?startDateTime=2026-12-01&endDateTime=2026-12-19"
    days = graph.ok("GET", path)["value"]
    for number in (0, 3):
        day = f"2026-12-0{number + 1}"
        graph.ok("PATCH", f"{ROOM}/events/{days[number]['id']}", event(day, "20:00", "20:25"))
    for number in (1, 4):
        graph.ok("DELETE", f"{ROOM}/events/{days[number]['id']}")
    later = {"start": at("2026-12-04"), "end": at("2026-12-04", "11:00")}
    recurrence = daily("2026-12-04")
    graph.ok("PATCH", f"{ROOM}/events/{master['id']}", later | {"recurrence": recurrence})
    shown = graph.ok("GET", path)["value"]
    found = sorted(one["start"]["dateTime"][:16] for one in shown)
    kept = [] if drops else ["2026-12-04T19:00"]
    usual = [f"2026-12-0{n}T09:00" for n in (6, 7, 8)]
    assert found == (kept + usual if kept else ["2026-12-04T09:00", "2026-12-05T09:00", *usual])
