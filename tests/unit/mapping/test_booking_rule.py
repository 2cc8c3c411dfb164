"""``recurrenceRule`` (RFC 8984 section 4.3.3): what is written, what is read, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from calsync.mapping.booking_form import FieldError, Form
from calsync.mapping.booking_rule import read_rrule, read_rule, rule_to_json
from calsync.mapping.rrule import MAX_COUNT, MAX_INTERVAL, MAX_TEXT
from calsync.model import Frequency, Nth, Occupancy, Rule, Weekday

ROOM = "Europe/Berlin"
MO, TU, WE, FR, SU = Weekday.MO, Weekday.TU, Weekday.WE, Weekday.FR, Weekday.SU
#: A Tuesday.
START = datetime(2026, 12, 1, 9)
PLAIN = Occupancy(start=START, end=datetime(2026, 12, 1, 10, 30), zone=ROOM)
DAY = Occupancy(start=datetime(2026, 12, 1), end=datetime(2026, 12, 2), zone=None, all_day=True)
AT = "/recurrenceRule"


def read(
    doc: dict[str, object], plain: Occupancy = PLAIN, room: str = ROOM
) -> tuple[Rule | None, list[FieldError]]:
    form = Form(doc, at=AT)
    return read_rule(form, plain, room), form.errors


def rule_of(doc: dict[str, object], plain: Occupancy = PLAIN, room: str = ROOM) -> Rule:
    rule, errors = read(doc, plain, room)
    assert errors == []
    assert rule is not None
    return rule


# --- writing -------------------------------------------------------------------------------------


def test_parts_with_their_default_value_are_left_out() -> None:
    assert rule_to_json(Rule(frequency=Frequency.DAILY)) == {
        "@type": "RecurrenceRule",
        "frequency": "daily",
    }


def test_every_part_is_written() -> None:
    rule = Rule(
        frequency=Frequency.YEARLY,
        interval=2,
        by_day=(Nth(MO), Nth(FR, -1)),
        by_month_day=(-1, 5),
        by_month=(1, 12),
        by_set_pos=(-2, 1),
        week_start=SU,
        count=5,
    )
    assert rule_to_json(rule) == {
        "@type": "RecurrenceRule",
        "frequency": "yearly",
        "interval": 2,
        "byDay": [
            {"@type": "NDay", "day": "mo"},
            {"@type": "NDay", "day": "fr", "nthOfPeriod": -1},
        ],
        "byMonthDay": [-1, 5],
        "byMonth": ["1", "12"],
        "bySetPosition": [-2, 1],
        "firstDayOfWeek": "su",
        "count": 5,
    }


def test_an_end_is_written_as_the_last_second_of_its_day() -> None:
    rule = Rule(frequency=Frequency.WEEKLY, until=date(2026, 12, 29))
    assert rule_to_json(rule) == {
        "@type": "RecurrenceRule",
        "frequency": "weekly",
        "until": "2026-12-29T23:59:59",
    }


# --- reading -------------------------------------------------------------------------------------

READ: list[tuple[dict[str, object], Rule]] = [
    ({"frequency": "daily"}, Rule(frequency=Frequency.DAILY)),
    ({"frequency": "weekly"}, Rule(frequency=Frequency.WEEKLY, by_day=(Nth(TU),))),
    ({"frequency": "monthly"}, Rule(frequency=Frequency.MONTHLY, by_month_day=(1,))),
    (
        {"frequency": "yearly"},
        Rule(frequency=Frequency.YEARLY, by_month=(12,), by_month_day=(1,)),
    ),
    (
        {
            "@type": "RecurrenceRule",
            "frequency": "daily",
            "rscale": "gregorian",
            "skip": "omit",
            "interval": 1,
            "firstDayOfWeek": "mo",
        },
        Rule(frequency=Frequency.DAILY),
    ),
    (
        {
            "frequency": "daily",
            "rscale": "GREGORIAN",
            "skip": None,
            "interval": None,
            "byDay": None,
            "byMonth": None,
            "byHour": None,
            "count": None,
            "until": None,
        },
        Rule(frequency=Frequency.DAILY),
    ),
    ({"frequency": "daily", "interval": 2}, Rule(frequency=Frequency.DAILY, interval=2)),
    (
        {"frequency": "daily", "interval": MAX_INTERVAL},
        Rule(frequency=Frequency.DAILY, interval=MAX_INTERVAL),
    ),
    ({"frequency": "daily", "count": 1}, Rule(frequency=Frequency.DAILY, count=1)),
    (
        # More than Outlook counts to is said by the last date.
        {"frequency": "daily", "count": MAX_COUNT},
        Rule(frequency=Frequency.DAILY, until=date(2054, 4, 17)),
    ),
    (
        {
            "frequency": "weekly",
            "interval": 2,
            "byDay": [{"day": "su"}, {"@type": "NDay", "day": "tu"}, {"day": "su"}],
        },
        Rule(frequency=Frequency.WEEKLY, interval=2, by_day=(Nth(TU), Nth(SU))),
    ),
    (
        {
            "frequency": "weekly",
            "interval": 2,
            "byDay": [{"day": "su"}, {"day": "tu"}],
            "firstDayOfWeek": "su",
        },
        # Of the days that part the weeks alike, the first.
        Rule(frequency=Frequency.WEEKLY, interval=2, by_day=(Nth(TU), Nth(SU)), week_start=WE),
    ),
    (
        {"frequency": "monthly", "byDay": [{"day": "fr", "nthOfPeriod": -1}]},
        Rule(frequency=Frequency.MONTHLY, by_day=(Nth(FR),), by_set_pos=(-1,)),
    ),
    (
        {
            "frequency": "monthly",
            "byDay": [{"day": "mo"}, {"day": "tu", "nthOfPeriod": 3}, {"day": "tu"}],
            "bySetPosition": [2, -1],
        },
        Rule(frequency=Frequency.MONTHLY, by_day=(Nth(MO), Nth(TU)), by_set_pos=(-1, 2)),
    ),
    (
        {"frequency": "monthly", "byMonthDay": [31, -31, 1, 1]},
        Rule(frequency=Frequency.MONTHLY, by_month_day=(-31, 1, 31)),
    ),
    (
        {"frequency": "yearly", "byMonth": ["12", 1, "06", "1"], "byMonthDay": [1]},
        Rule(frequency=Frequency.YEARLY, by_month=(1, 6, 12), by_month_day=(1,)),
    ),
    (
        {"frequency": "yearly",
         "byDay": [{"day": "we", "nthOfPeriod": 53}, {"day": "tu", "nthOfPeriod": -53}]},
        Rule(frequency=Frequency.YEARLY, by_day=(Nth(TU, -53), Nth(WE, 53))),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("doc", "rule"), READ)
def test_what_the_parts_say(doc: dict[str, object], rule: Rule) -> None:
    assert rule_of(doc) == rule
    assert rule_of(rule_to_json(rule)) == rule


@pytest.mark.parametrize("position", [366, -366])
def test_positions_reach_through_a_leap_year(position: int) -> None:
    days: list[object] = [{"day": d.name.lower()} for d in Weekday]
    rule = rule_of({"frequency": "yearly", "byDay": days, "bySetPosition": [position]})
    assert rule.by_set_pos == (position,)


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("2026-12-03T08:59:59", date(2026, 12, 2)),
        ("2026-12-03T09:00:00", date(2026, 12, 3)),
        ("2026-12-03T23:59:59", date(2026, 12, 3)),
        ("2026-12-03T00:00", date(2026, 12, 2)),
        ("2026-12-03", date(2026, 12, 3)),
    ],
)
def test_the_last_start_is_included_to_the_second(until: str, last: date) -> None:
    assert rule_of({"frequency": "daily", "until": until}).until == last


def test_an_end_counts_in_the_zone_of_the_series() -> None:
    """The room's date may be another one: 20:00 in New York is the next day in Berlin."""
    evening = replace(
        PLAIN,
        start=datetime(2026, 12, 1, 20),
        end=datetime(2026, 12, 1, 21),
        zone="America/New_York",
    )
    doc: dict[str, object] = {"frequency": "daily", "until": "2026-12-03T20:00:00"}
    assert rule_of(doc, evening).until == date(2026, 12, 3)
    assert rule_of({"frequency": "daily", "until": "2026-12-03T23:00:00"}, DAY).until == date(
        2026, 12, 3
    )


def test_an_end_is_about_starts_also_where_a_booking_goes_past_midnight() -> None:
    night = replace(PLAIN, start=datetime(2026, 12, 1, 22), end=datetime(2026, 12, 2, 1))
    assert rule_of({"frequency": "daily", "until": "2026-12-03"}, night).until == date(2026, 12, 3)


def test_a_week_begins_on_monday_where_nothing_is_said() -> None:
    rule = rule_of({"frequency": "weekly", "interval": 2, "byDay": [{"day": "tu"}, {"day": "mo"}]})
    assert (rule.week_start, rule.by_day) == (MO, (Nth(MO), Nth(TU)))


def test_a_series_of_the_first_year_may_end_in_it() -> None:
    first = replace(PLAIN, start=datetime(1900, 1, 2, 9), end=datetime(1900, 1, 2, 10))
    assert rule_of({"frequency": "daily", "until": "1900-01-03"}, first).until == date(1900, 1, 3)


def test_a_text_is_read_in_the_zone_of_the_series_and_of_the_room_where_it_has_none() -> None:
    def until(text: str, plain: Occupancy, room: str) -> date | None:
        form = Form({"rrule": text})
        rule = read_rrule(form, plain, room)
        assert form.errors == []
        assert rule is not None
        return rule.until

    # Midnight of 3 December in Berlin, as Exchange writes it.
    assert until("FREQ=DAILY;UNTIL=20261202T230000Z", DAY, ROOM) == date(2026, 12, 3)
    assert until("FREQ=DAILY;UNTIL=20261202T230000Z", DAY, "UTC") == date(2026, 12, 2)
    # 9 o'clock in Berlin.
    assert until("FREQ=DAILY;UNTIL=20261203T080000Z", PLAIN, "UTC") == date(2026, 12, 3)
    assert until("FREQ=DAILY;UNTIL=20261203T075959Z", PLAIN, "UTC") == date(2026, 12, 2)


# --- what is wrong -------------------------------------------------------------------------------

WEEKLY: dict[str, object] = {"frequency": "weekly"}
DAYS = "Use mo, tu, we, th, fr, sa, su"
UNKNOWN = ("this member is not known here", "Check its spelling, or drop it")
NOT_KNOWN = "is not one of the known values"


@pytest.mark.parametrize(
    ("doc", "errors"),
    [
        ({**WEEKLY, "byday": []}, [("/byday", *UNKNOWN)]),
        *(
            ({**WEEKLY, name: [1]}, [
                (f"/{name}", "a room cannot be booked by this", "Use days, weeks, months or years")
            ])
            for name in ("byHour", "byMinute", "bySecond", "byWeekNo", "byYearDay")
        ),
        ({**WEEKLY, "@type": "NDay"}, [("/@type", NOT_KNOWN, "Use RecurrenceRule")]),
        ({**WEEKLY, "rscale": "hebrew"},
         [("/rscale", "only the Gregorian calendar is known", "Leave it out")]),
        ({**WEEKLY, "rscale": ["gregorian"]},
         [("/rscale", "only the Gregorian calendar is known", "Leave it out")]),
        ({**WEEKLY, "skip": "backward"}, [("/skip", NOT_KNOWN, "Use omit")]),
        ({}, [("/frequency", "is missing", "Use daily, weekly, monthly, yearly")]),
        ({"frequency": "WEEKLY"},
         [("/frequency", NOT_KNOWN, "Use daily, weekly, monthly, yearly")]),
        ({**WEEKLY, "interval": 0}, [("/interval", "must be between 1 and 999", "")]),
        ({**WEEKLY, "interval": 1000}, [("/interval", "must be between 1 and 999", "")]),
        ({**WEEKLY, "count": 0}, [("/count", "must be between 1 and 10000", "")]),
        ({**WEEKLY, "count": 10_001}, [("/count", "must be between 1 and 10000", "")]),
        ({**WEEKLY, "count": 3, "until": "2026-12-29"},
         [("/count", "a series has a count or an until, not both", "")]),
        ({**WEEKLY, "until": "2026-12-29T09:00:00Z"},
         [("/until", "is not a local date and time", "Write 2026-12-31T23:59:59")]),
        ({**WEEKLY, "until": 20261229},
         [("/until", "is not a local date and time", "Write 2026-12-31T23:59:59")]),
        ({**WEEKLY, "until": "0001-01-01T00:00:00"},
         [("/until", "lies before the start", "Set it to the last date of the series")]),
        ({**WEEKLY, "until": "1899-12-31"},
         [("/until", "lies before the start", "Set it to the last date of the series")]),
        ({**WEEKLY, "until": "2026-11-30"},
         [("", "UNTIL lies before the start", "Set UNTIL to the date of the last occurrence")]),
        ({**WEEKLY, "until": "2026-12-01T08:59:59"},
         [("", "UNTIL lies before the start", "Set UNTIL to the date of the last occurrence")]),
        ({**WEEKLY, "firstDayOfWeek": "MO"}, [("/firstDayOfWeek", NOT_KNOWN, DAYS)]),
        # --- days
        ({**WEEKLY, "byDay": {"day": "tu"}}, [("/byDay", "must be an array", "")]),
        ({**WEEKLY, "byDay": [{"day": "tu"}] * 101},
         [("/byDay", "must have at most 100 entries", "")]),
        ({**WEEKLY, "byDay": [{"day": "tu"}, "tu"]},
         [("/byDay", 'entry 1 must be an object such as {"day": "mo"}', "")]),
        ({**WEEKLY, "byDay": [{"day": "tu"}, {"nthOfPeriod": 1}]},
         [("/byDay/1/day", "is missing", DAYS)]),
        ({**WEEKLY, "byDay": [{"day": "TU"}]}, [("/byDay/0/day", NOT_KNOWN, DAYS)]),
        ({**WEEKLY, "byDay": [{"day": "tu", "n": 1}]}, [("/byDay/0/n", *UNKNOWN)]),
        ({**WEEKLY, "byDay": [{"day": "tu", "@type": "Day"}]},
         [("/byDay/0/@type", NOT_KNOWN, "Use NDay")]),
        ({**WEEKLY, "byDay": [{"day": "tu", "nthOfPeriod": 0}]},
         [("/byDay/0/nthOfPeriod", "must not be 0", "Leave it out for every such day")]),
        *(
            ({"frequency": "yearly", "byDay": [{"day": "tu", "nthOfPeriod": n}]},
             [("/byDay/0/nthOfPeriod", "must be between -53 and 53", "")])
            for n in (-54, 54)
        ),
        # --- numbers
        *(
            ({"frequency": "monthly", "byMonthDay": [1, wrong, wrong]},
             [("/byMonthDay", "must hold whole numbers up to 31, without 0", "")])
            for wrong in (0, 32, -32, True, 1.0, "1", None, [1])
        ),
        *(
            ({"frequency": "yearly", "byDay": [{"day": "tu"}], "bySetPosition": [wrong]},
             [("/bySetPosition", "must hold whole numbers up to 366, without 0", "")])
            for wrong in (0, 367, -367)
        ),
        ({"frequency": "monthly", "byMonthDay": [1] * 101},
         [("/byMonthDay", "must have at most 100 entries", "")]),
        *(
            ({"frequency": "yearly", "byMonth": ["12", wrong, wrong]},
             [("/byMonth", 'must hold months "1" to "12"', "")])
            for wrong in (
                "0", "13", 0, 13, -1, "", "5L", "001", "\u0661", "\u00b2", True, 1.0, None, [1]
            )
        ),
        ({"frequency": "yearly", "byMonth": ["12"] * 13},
         [("/byMonth", "must have at most 12 entries", "")]),
        # --- what each part allows, and together they do not
        ({**WEEKLY, "byMonthDay": [1]},
         [("", "BYMONTHDAY with FREQ=WEEKLY",
           "Use FREQ=MONTHLY, or leave BYMONTHDAY out")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(
    doc: dict[str, object], errors: list[tuple[str, str, str]]
) -> None:
    expected = [FieldError(AT + pointer, what, todo) for pointer, what, todo in errors]
    assert read(doc) == (None, expected)


def test_what_was_wrong_before_does_not_count_against_the_rule() -> None:
    earlier = FieldError("/title", "must be a string")
    form = Form(WEEKLY, at=AT, errors=[earlier])
    assert read_rule(form, PLAIN, ROOM) == Rule(frequency=Frequency.WEEKLY, by_day=(Nth(TU),))
    assert form.errors == [earlier]


def test_as_many_entries_as_are_allowed() -> None:
    days: list[object] = [{"day": "tu"}] * 100
    assert rule_of({**WEEKLY, "byDay": days}).by_day == (Nth(TU),)
    assert rule_of({"frequency": "monthly", "byMonthDay": [1] * 100}).by_month_day == (1,)
    rule = rule_of({"frequency": "yearly", "byMonth": ["12"] * 12})
    assert (rule.by_month, rule.by_month_day) == ((12,), (1,))


def test_a_text_that_is_no_rule_is_refused_with_its_member() -> None:
    form = Form({"rrule": "FREQ=HOURLY"})
    assert read_rrule(form, PLAIN, ROOM) is None
    assert form.errors == [
        FieldError(
            "/rrule", "a room cannot be booked HOURLY", "Use DAILY, WEEKLY, MONTHLY or YEARLY"
        )
    ]  # fmt: skip
    long = Form({"rrule": "X" * (MAX_TEXT + 1)})
    assert read_rrule(long, PLAIN, ROOM) is None
    assert long.errors == [FieldError("/rrule", "must have at most 1000 characters, has 1001")]
    assert read_rrule(Form({}), PLAIN, ROOM) is None
