"""Series through EWS: patterns, instances by index, exceptions, and what is refused."""

from __future__ import annotations

import pytest

from .client import ROOM
from .soap import Ews, compare, put, weekly, zones

START = {"start": "2026-12-01T10:00:00", "end": "2026-12-01T11:00:00"}


@pytest.fixture
def ews() -> Ews:
    return Ews()


def series(ews: Ews, rule: str, **more: str) -> tuple[str, str]:
    made = ews.create(after=rule + zones(), **(START | more)).ok()
    return made.ids[0]


def occurrence(master: str, index: int) -> str:
    return f'<t:OccurrenceItemId RecurringMasterId="{master}" InstanceIndex="{index}"/>'


def starts(ews: Ews, low: str = "2026-01-01", high: str = "2027-12-31") -> list[str]:
    rows = ews.graph.live(start=low, end=high)
    return [one["localStart"][:16] for one in rows]


PATTERNS = {
    "daily": "<t:DailyRecurrence><t:Interval>2</t:Interval></t:DailyRecurrence>",
    "weekly": "<t:WeeklyRecurrence><t:Interval>2</t:Interval>"
    "<t:DaysOfWeek>Tuesday Friday</t:DaysOfWeek>"
    "<t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence>",
    "month day": "<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval>"
    "<t:DayOfMonth>31</t:DayOfMonth>"
    "</t:AbsoluteMonthlyRecurrence>",
    "month weekday": "<t:RelativeMonthlyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Weekday"
    "</t:DaysOfWeek><t:DayOfWeekIndex>Last</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>",
    "year day": "<t:AbsoluteYearlyRecurrence>"
    "<t:DayOfMonth>24</t:DayOfMonth><t:Month>December</t:Month>"
    "</t:AbsoluteYearlyRecurrence>",
    "year weekday": "<t:RelativeYearlyRecurrence>"
    "<t:DaysOfWeek>Sunday</t:DaysOfWeek><t:DayOfWeekIndex>"
    "Second</t:DayOfWeekIndex><t:Month>March</t:Month></t:RelativeYearlyRecurrence>",
}
FIRST = {
    "daily": ["2026-12-01", "2026-12-03", "2026-12-05"],
    "weekly": ["2026-12-01", "2026-12-04", "2026-12-15"],
    "month day": ["2026-12-31", "2027-01-31", "2027-02-28"],
    "month weekday": ["2026-12-31", "2027-01-29", "2027-02-26"],
    "year day": ["2026-12-24", "2027-12-24", "2028-12-24"],
    "year weekday": ["2027-03-14", "2028-03-12", "2029-03-11"],
}


@pytest.mark.parametrize("kind", PATTERNS)
def test_every_pattern_comes_back_and_repeats(ews: Ews, kind: str) -> None:
    rule = (
        f"<t:Recurrence>{PATTERNS[kind]}<t:NumberedRecurrence><t:StartDate>2026-12-01</t:StartDate>"
        "<t:NumberOfOccurrences>3</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>"
    )
    master = series(ews, rule)
    assert [one[:10] for one in starts(ews, high="2031-01-01")] == FIRST[kind]
    item = ews.get(master[0]).ok()
    assert item.text("//t:CalendarItem/t:CalendarItemType") == "RecurringMaster"
    shown = item.one("//t:Recurrence")[0]
    name = PATTERNS[kind].partition(">")[0].removeprefix("<t:")
    assert shown.tag.rpartition("}")[2] == name
    said = {one.tag.rpartition("}")[2]: one.text for one in shown}
    for member, text in said.items():
        assert f"<t:{member}>{text}</t:{member}>" in PATTERNS[kind]
    ews.zone = "W. Europe Standard Time"
    item = ews.get(master[0])
    assert item.text("//t:FirstOccurrence/t:Start") == f"{FIRST[kind][0]}T10:00:00+01:00"
    assert item.text("//t:LastOccurrence/t:Start")[:10] == FIRST[kind][2]


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        ("<t:NoEndRecurrence><t:StartDate>2026-12-01</t:StartDate></t:NoEndRecurrence>", "NoEnd"),
        (
            "<t:EndDateRecurrence><t:StartDate>2026-12-01Z</t:StartDate><t:EndDate>2026-12-20"
            "</t:EndDate></t:EndDateRecurrence>",
            "EndDate",
        ),
    ],
)
def test_ranges(ews: Ews, span: str, shown: str) -> None:
    master = series(ews, f"<t:Recurrence>{PATTERNS['daily']}{span}</t:Recurrence>")
    item = ews.get(master[0])
    assert item.all(f"//t:{shown}Recurrence")
    assert item.text("//t:StartDate") == "2026-12-01+01:00"
    assert bool(item.all("//t:LastOccurrence")) == (shown == "EndDate")


def test_wall_time_is_kept_over_a_change_of_the_clocks(ews: Ews) -> None:
    rule = weekly("Tuesday", "2027-03-16", 4)
    series(ews, rule, start="2027-03-16T10:00:00", end="2027-03-16T11:00:00")
    shown = ews.view("2027-03-01T00:00:00Z", "2027-05-01T00:00:00Z").ok()
    assert [one.text for one in shown.all("//t:CalendarItem/t:Start")] == [
        "2027-03-16T09:00:00Z",
        "2027-03-23T09:00:00Z",
        "2027-03-30T08:00:00Z",
        "2027-04-06T08:00:00Z",
    ]


def test_instances_by_their_number(ews: Ews) -> None:
    master, _ = series(ews, weekly("Tuesday Thursday", "2026-12-01", 5))
    third = ews.get(occurrence(master, 3)).ok()
    assert third.text("//t:CalendarItem/t:CalendarItemType") == "Occurrence"
    assert third.text("//t:CalendarItem/t:Start") == "2026-12-08T09:00:00Z"
    assert third.text("//t:CalendarItem/t:OriginalStart") == "2026-12-08T09:00:00Z"
    assert third.text("//t:CalendarItem/t:IsRecurring") == "true"
    ident = third.ids[0][0]
    back = ews.get(f'<t:RecurringMasterItemId OccurrenceId="{ident}"/>').ok()
    assert back.ids[0][0] == master
    ews.delete(occurrence(master, 2)).ok()
    cases = {
        occurrence(master, 2): "ErrorCalendarOccurrenceIsDeletedFromRecurrence",
        occurrence(master, 6): "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
        occurrence(master, 0): "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
        occurrence(ident, 1): "ErrorCalendarCannotUseIdForOccurrenceId",
        f'<t:RecurringMasterItemId OccurrenceId="{master}"/>':
            "ErrorCalendarCannotUseIdForRecurringMasterId",
    }  # fmt: skip
    for ids, code in cases.items():
        assert ews.get(ids).codes == [code]
    # Deleted ones count on.
    assert ews.get(occurrence(master, 3)).ids[0][0] == ident


def test_exceptions_and_deletions_show_in_the_master(ews: Ews) -> None:
    master, key = series(ews, weekly("Tuesday", "2026-12-01", 5))
    second = ews.get(occurrence(master, 2)).ids[0]
    moved = ews.update(
        second,
        put("calendar:Start", "<t:Start>2026-12-09T12:00:00Z</t:Start>"),
        put("calendar:End", "<t:End>2026-12-09T13:00:00Z</t:End>"),
        put("item:Subject", "<t:Subject>Other</t:Subject>"),
    ).ok()
    ews.delete(occurrence(master, 4)).ok()
    item = ews.get(master)
    assert item.ids[0][1] != key
    assert item.text("//t:ModifiedOccurrences/t:Occurrence/t:Start") == "2026-12-09T12:00:00Z"
    assert (
        item.text("//t:ModifiedOccurrences/t:Occurrence/t:OriginalStart") == "2026-12-08T09:00:00Z"
    )
    assert item.text("//t:DeletedOccurrences/t:DeletedOccurrence/t:Start") == "2026-12-22T09:00:00Z"
    changed = ews.get(moved.ids[0][0])
    assert changed.text("//t:CalendarItem/t:CalendarItemType") == "Exception"
    assert changed.text("//t:CalendarItem/t:Subject") == "Other"
    assert changed.text("//t:CalendarItem/t:RecurrenceId") == "2026-12-08T09:00:00Z"
    assert changed.text("//t:CalendarItem/t:UID") == item.text("//t:CalendarItem/t:UID")
    view = ews.view("2026-12-01T00:00:00Z", "2027-01-31T00:00:00Z")
    kinds = [one.text for one in view.all("//t:CalendarItemType")]
    assert kinds == ["Occurrence", "Exception", "Occurrence", "Occurrence"]


def test_the_key_of_an_instance_is_that_of_its_series(ews: Ews) -> None:
    master, key = series(ews, weekly("Tuesday", "2026-12-01", 5))
    first, second = (ews.get(occurrence(master, index)).ids[0] for index in (1, 2))
    assert first[1] == second[1] == key
    change = put("item:Subject", "<t:Subject>x</t:Subject>")
    ews.update(first, change).ok()
    assert ews.update(second, change).codes == ["ErrorIrresolvableConflict"]


def test_instances_do_not_cross_each_other(ews: Ews) -> None:
    master, _ = series(ews, weekly("Tuesday", "2026-12-01", 5))
    second = ews.get(occurrence(master, 2)).ids[0]
    assert ews.update(
        second,
        put("calendar:Start", "<t:Start>2026-12-16T12:00:00Z</t:Start>"),
        put("calendar:End", "<t:End>2026-12-16T13:00:00Z</t:End>"),
    ).codes == ["ErrorOccurrenceCrossingBoundary"]
    assert ews.update(
        second, put("calendar:Recurrence", weekly("Monday", "2026-12-07", 2))
    ).codes == ["ErrorInvalidPropertySet"]


def test_a_single_becomes_a_series_and_back(ews: Ews) -> None:
    made = ews.create(after=zones(), **START).ok().ids[0]
    rule = put("calendar:Recurrence", weekly("Tuesday", "2026-12-01", 3))
    many = ews.update(made, rule).ok().ids[0]
    assert len(starts(ews)) == 3
    gone = '<t:DeleteItemField><t:FieldURI FieldURI="calendar:Recurrence"/></t:DeleteItemField>'
    ews.update(many, gone).ok()
    assert starts(ews) == ["2026-12-01T10:00"]


def test_a_whole_series_moves_with_its_start(ews: Ews) -> None:
    master = series(ews, weekly("Tuesday", "2026-12-01", 3))
    ews.update(
        master,
        put("calendar:Start", "<t:Start>2026-12-01T14:00:00</t:Start>"),
        put("calendar:End", "<t:End>2026-12-01T15:00:00</t:End>"),
    ).ok()
    # Without a zone said the values are UTC; the series keeps its own.
    assert starts(ews) == ["2026-12-01T15:00", "2026-12-08T15:00", "2026-12-15T15:00"]


BAD = {
    "ErrorRecurrenceHasNoOccurrence": PATTERNS["year day"]
    + "<t:EndDateRecurrence><t:StartDate>2026-12-01</t:StartDate><t:EndDate>2026-12-05</t:EndDate>"
    "</t:EndDateRecurrence>",
    "ErrorRecurrenceEndDateTooBig": PATTERNS["daily"]
    + "<t:EndDateRecurrence><t:StartDate>2026-12-01</t:StartDate><t:EndDate>4500-09-02</t:EndDate>"
    "</t:EndDateRecurrence>",
    "ErrorCalendarEndDateIsEarlierThanStartDate": PATTERNS["daily"]
    + "<t:EndDateRecurrence><t:StartDate>2026-12-01</t:StartDate><t:EndDate>2026-11-05</t:EndDate>"
    "</t:EndDateRecurrence>",
    "ErrorCalendarInvalidRecurrence": PATTERNS["daily"]
    + "<t:NumberedRecurrence><t:StartDate>2026-12-01</t:StartDate><t:NumberOfOccurrences>0"
    "</t:NumberOfOccurrences></t:NumberedRecurrence>",
    "ErrorCalendarInvalidDayForWeeklyRecurrence": "<t:WeeklyRecurrence><t:Interval>1</t:Interval>"
    "<t:DaysOfWeek>Weekday</t:DaysOfWeek></t:WeeklyRecurrence><t:NoEndRecurrence><t:StartDate>"
    "2026-12-01</t:StartDate></t:NoEndRecurrence>",
}


@pytest.mark.parametrize("code", BAD)
def test_recurrences_that_are_refused(ews: Ews, code: str) -> None:
    answer = ews.create(after=f"<t:Recurrence>{BAD[code]}</t:Recurrence>" + zones(), **START)
    assert answer.codes == [code]
    assert starts(ews) == []


def test_an_instance_longer_than_its_gap(ews: Ews) -> None:
    rule = (
        "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>"
        "<t:NoEndRecurrence><t:StartDate>2026-12-01</t:StartDate></t:NoEndRecurrence></t:Recurrence>"
    )
    answer = ews.create(
        start="2026-12-01T10:00:00", end="2026-12-03T10:00:00", after=rule + zones()
    )
    assert answer.codes == ["ErrorOccurrenceTimeSpanTooBig"]


@pytest.mark.not_of_schema
def test_regenerating_patterns_are_of_tasks(ews: Ews) -> None:
    rule = (
        "<t:Recurrence><t:DailyRegeneration><t:Interval>1</t:Interval></t:DailyRegeneration>"
        "<t:NoEndRecurrence><t:StartDate>2026-12-01</t:StartDate></t:NoEndRecurrence></t:Recurrence>"
    )
    assert ews.create(after=rule, **START).codes == ["ErrorSchemaValidation"]


def test_years_apart_become_months_as_exchange_keeps_them(ews: Ews) -> None:
    ews.graph.ok(
        "POST",
        f"{ROOM}/events",
        {
            "subject": "x",
            "start": {"dateTime": "2026-12-24T10:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2026-12-24T11:00:00", "timeZone": "UTC"},
            "recurrence": {
                "pattern": {"type": "absoluteYearly", "interval": 2, "dayOfMonth": 24, "month": 12},
                "range": {"type": "noEnd", "startDate": "2026-12-24"},
            },
        },
    )
    item = ews.get(ews.find(compare("IsEqualTo", "item:Subject", "x")).ids[0][0])
    assert item.text("//t:AbsoluteMonthlyRecurrence/t:Interval") == "24"
    assert item.text("//t:StartDate") == "2026-12-24Z"


def test_whole_day_series(ews: Ews) -> None:
    series(
        ews,
        "<t:IsAllDayEvent>true</t:IsAllDayEvent>" + weekly("Tuesday", "2026-12-01", 2),
        start="2026-12-01T00:00:00",
        end="2026-12-02T00:00:00",
    )
    assert starts(ews) == ["2026-12-01T00:00", "2026-12-08T00:00"]
    shown = ews.view("2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z")
    assert [one.text for one in shown.all("//t:CalendarItem/t:Start")] == [
        "2026-11-30T23:00:00Z", "2026-12-07T23:00:00Z",
    ]  # fmt: skip
