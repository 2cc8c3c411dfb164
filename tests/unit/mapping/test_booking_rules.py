"""A room's rules: what they allow at their limits and on the days the clocks change, what is said
of a booking that breaks them, and their JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from calsync.mapping.booking_form import FieldError, Form
from calsync.mapping.booking_rules import (
    MAX_OPENINGS,
    NO_RULES,
    BookingRules,
    Opening,
    Violation,
    read_rules,
    rules_from_text,
    rules_to_json,
    rules_to_text,
    violations,
)
from calsync.mapping.zones import to_utc
from calsync.model import Interval, Weekday

ZONE = "Europe/Berlin"
#: A Monday, noon in Berlin.
NOW = datetime(2026, 3, 2, 11, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3600, 86400))
EVERY_DAY = frozenset(Weekday)
WEEK = EVERY_DAY - {Weekday.SA, Weekday.SU}


def local(start: str, end: str, zone: str = ZONE) -> Interval:
    """By the clock in the room."""
    return Interval(*(to_utc(datetime.fromisoformat(one), zone) for one in (start, end)))


def lasting(length: timedelta, start: str = "2026-03-03T09:00") -> Interval:
    first = to_utc(datetime.fromisoformat(start), ZONE)
    return Interval(first, first + length)


def found(rules: BookingRules, *wanted: Interval, **more: object) -> list[Violation]:
    given: dict[str, object] = {
        "zone": ZONE,
        "all_day": False,
        "endless": False,
        "now": NOW,
        "seats": None,
        "capacity": None,
        **more,
    }
    return violations(rules, wanted, **given)  # type: ignore[arg-type]  # by name


def broken(rules: BookingRules, *wanted: Interval, **more: object) -> list[str]:
    return [one.rule for one in found(rules, *wanted, **more)]


# --- length --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "wrong"),
    [
        (HOUR - SECOND, ["minDuration"]),
        (HOUR, []),
        (2 * HOUR, []),
        (2 * HOUR + SECOND, ["maxDuration"]),
    ],
)
def test_a_booking_may_be_as_short_and_as_long_as_the_rules_say(
    length: timedelta, wrong: list[str]
) -> None:
    rules = BookingRules(shortest=HOUR, longest=2 * HOUR)
    assert broken(rules, lasting(length)) == wrong


def test_what_is_said_of_a_length() -> None:
    start = datetime(2026, 3, 3, 9)
    assert found(BookingRules(longest=HOUR), lasting(2 * HOUR)) == [
        Violation(
            "maxDuration", "a booking of this room lasts 1 hour at most", "Book less time", (start,)
        )
    ]
    assert found(BookingRules(shortest=HOUR), lasting(MINUTE)) == [
        Violation(
            "minDuration",
            "a booking of this room lasts 1 hour at least",
            "Book more time",
            (start,),
        )
    ]


#: Days in Berlin: one of 24 hours, the one of 23 in spring, the one of 25 in autumn.
WINTER = local("2026-03-03", "2026-03-04")
SPRING = local("2026-03-29", "2026-03-30")
AUTUMN = local("2026-10-25", "2026-10-26")


@pytest.mark.parametrize("day", [WINTER, SPRING, AUTUMN])
def test_a_whole_day_is_a_day_whatever_the_clocks_do(day: Interval) -> None:
    assert broken(BookingRules(shortest=DAY, longest=DAY), day, all_day=True) == []
    assert broken(BookingRules(longest=DAY - SECOND), day, all_day=True) == ["maxDuration"]
    assert broken(BookingRules(shortest=DAY + SECOND), day, all_day=True) == ["minDuration"]


@pytest.mark.parametrize(
    ("first", "end"), [("2026-03-02", "2026-03-05"), ("2026-03-28", "2026-03-31"),
                       ("2026-10-24", "2026-10-27")],
)  # fmt: skip
def test_so_are_three(first: str, end: str) -> None:
    days = local(first, end)
    assert broken(BookingRules(shortest=3 * DAY, longest=3 * DAY), days, all_day=True) == []
    assert broken(BookingRules(longest=2 * DAY), days, all_day=True) == ["maxDuration"]
    assert broken(BookingRules(shortest=4 * DAY), days, all_day=True) == ["minDuration"]


@pytest.mark.parametrize(
    ("length", "counts"),
    [
        (30 * MINUTE, 30 * MINUTE),
        (23 * HOUR - SECOND, 23 * HOUR - SECOND),
        (23 * HOUR, DAY),
        (25 * HOUR, DAY),
        (25 * HOUR + SECOND, 25 * HOUR + SECOND),
    ],
)
def test_a_date_of_an_all_day_series_that_lasts_hours_counts_by_these(
    length: timedelta, counts: timedelta
) -> None:
    one = lasting(length)
    assert broken(BookingRules(shortest=counts, longest=counts), one, all_day=True) == []
    assert broken(BookingRules(shortest=counts + SECOND), one, all_day=True) == ["minDuration"]


def test_hours_are_counted_exactly() -> None:
    day = BookingRules(shortest=DAY, longest=DAY)
    assert broken(day, AUTUMN) == ["maxDuration"]
    assert broken(day, SPRING) == ["minDuration"]
    assert broken(day, WINTER) == []


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(0), "0 minutes"),
        (SECOND, "1 second"),
        (90 * SECOND, "90 seconds"),
        (MINUTE, "1 minute"),
        (59 * MINUTE, "59 minutes"),
        (HOUR, "1 hour"),
        (90 * MINUTE, "90 minutes"),
        (2 * HOUR, "2 hours"),
        (DAY, "1 day"),
        (25 * HOUR, "25 hours"),
        (90 * DAY, "90 days"),
    ],
)
def test_a_length_is_said_in_the_largest_unit_that_says_it_whole(
    length: timedelta, said: str
) -> None:
    (one,) = found(BookingRules(notice=length), lasting(HOUR, "2026-03-02T11:00"))
    assert one.what == f"this room is booked {said} before at the latest"


# --- opening hours -------------------------------------------------------------------------------

OFFICE = (Opening(WEEK, 8 * 60, 18 * 60),)
LUNCH = (Opening(WEEK, 12 * 60, 14 * 60), Opening(WEEK, 9 * 60, 12 * 60))
BREAK = (Opening(WEEK, 9 * 60, 12 * 60), Opening(WEEK, 12 * 60 + 1, 14 * 60))
NESTED = (Opening(WEEK, 8 * 60, 18 * 60), Opening(WEEK, 9 * 60, 12 * 60))
LATE = (
    Opening(frozenset({Weekday.FR}), 20 * 60, 1440),
    Opening(frozenset({Weekday.SA}), 0, 2 * 60),
)


@pytest.mark.parametrize(
    ("opening", "start", "end", "open_"),
    [
        (OFFICE, "2026-03-03T08:00", "2026-03-03T18:00", True),
        (OFFICE, "2026-03-03T07:59:59", "2026-03-03T09:00", False),
        (OFFICE, "2026-03-03T17:00", "2026-03-03T18:00:00.000001", False),
        (OFFICE, "2026-03-03T18:00", "2026-03-03T19:00", False),
        (OFFICE, "2026-03-03T06:00", "2026-03-03T08:00", False),
        (OFFICE, "2026-03-07T09:00", "2026-03-07T10:00", False),  # a Saturday
        (OFFICE, "2026-03-03T17:00", "2026-03-04T09:00", False),  # shut at night
        # Openings that touch are one, in whatever order they are listed.
        (LUNCH, "2026-03-03T09:00", "2026-03-03T14:00", True),
        (LUNCH, "2026-03-03T13:00", "2026-03-03T14:00", True),
        (LUNCH, "2026-03-03T13:00", "2026-03-03T14:01", False),
        (BREAK, "2026-03-03T09:00", "2026-03-03T14:00", False),
        (BREAK, "2026-03-03T12:01", "2026-03-03T13:00", True),
        (NESTED, "2026-03-03T08:00", "2026-03-03T18:00", True),
        # Midnight parts the days, each with its own hours.
        (LATE, "2026-03-06T23:00", "2026-03-07T00:00", True),
        (LATE, "2026-03-06T20:00", "2026-03-07T02:00", True),
        (LATE, "2026-03-06T20:00", "2026-03-07T02:01", False),
        (LATE, "2026-03-06T00:00", "2026-03-06T02:00", False),
        ((Opening(WEEK, 0, 1440),), "2026-03-02T00:00", "2026-03-07T00:00", True),
        ((Opening(WEEK, 0, 1440),), "2026-03-02T00:00", "2026-03-07T00:01", False),
        ((Opening(WEEK, 0, 1440),), "2026-03-06T12:00", "2026-03-09T12:00", False),
        ((), "2026-03-07T03:00", "2026-03-08T03:00", True),
    ],
)
def test_a_room_is_booked_while_it_is_open(
    opening: tuple[Opening, ...], start: str, end: str, open_: bool
) -> None:
    wrong = broken(BookingRules(opening=opening), local(start, end))
    assert wrong == ([] if open_ else ["openingHours"])


def test_the_room_has_its_own_clock_and_weekday() -> None:
    """In Auckland it is Tuesday while it is Monday in Berlin."""
    tuesday = BookingRules(opening=(Opening(frozenset({Weekday.TU}), 8 * 60, 18 * 60),))
    one = Interval(datetime(2026, 3, 2, 20, tzinfo=UTC), datetime(2026, 3, 2, 21, tzinfo=UTC))
    assert broken(tuesday, one, zone="Pacific/Auckland") == []
    (violation,) = found(tuesday, one)
    assert violation.dates == (datetime(2026, 3, 2, 21),)


@pytest.mark.parametrize(
    ("start", "end", "open_"),
    [
        ("2026-03-03", "2026-03-04", True),
        ("2026-03-02", "2026-03-07", True),
        ("2026-03-02", "2026-03-08", False),
        ("2026-03-01", "2026-03-03", False),
        ("2026-03-07", "2026-03-08", False),
    ],
)
def test_all_day_means_all_the_time_that_it_is_open(start: str, end: str, open_: bool) -> None:
    wrong = broken(BookingRules(opening=OFFICE), local(start, end), all_day=True)
    assert wrong == ([] if open_ else ["openingHours"])


@pytest.mark.parametrize(
    ("zone", "start", "minutes"),
    [
        (ZONE, datetime(2026, 10, 25, 0, 30, tzinfo=UTC), 45),  # 02:30 to 02:15, an hour later
        (ZONE, datetime(2026, 10, 25, 0, 15, tzinfo=UTC), 60),  # 02:15 to 02:15
        ("America/Havana", datetime(2026, 11, 1, 4, 30, tzinfo=UTC), 30),  # 00:30 to 00:00
    ],
)
def test_the_hour_that_comes_twice_has_opening_hours_like_any(
    zone: str, start: datetime, minutes: int
) -> None:
    one = Interval(start, start + minutes * MINUTE)
    assert broken(BookingRules(opening=(Opening(EVERY_DAY, 0, 1440),)), one, zone=zone) == []
    day = BookingRules(opening=(Opening(EVERY_DAY, 8 * 60, 1440),))
    assert broken(day, one, zone=zone) == ["openingHours"]


def test_over_the_change_of_the_clocks_a_booking_ends_by_the_clock() -> None:
    """01:00 to 04:00 are two hours in spring, and 00:00 to 04:00 five in autumn."""
    early = BookingRules(opening=(Opening(EVERY_DAY, 0, 4 * 60),))
    assert broken(early, local("2026-03-29T01:00", "2026-03-29T04:00")) == []
    assert broken(early, local("2026-03-29T01:00", "2026-03-29T04:01")) == ["openingHours"]
    assert broken(early, local("2026-10-25T00:00", "2026-10-25T04:00")) == []


def test_what_is_said_of_closed_hours() -> None:
    assert found(BookingRules(opening=OFFICE), lasting(HOUR, "2026-03-07T09:00")) == [
        Violation(
            "openingHours",
            "the room is not open then",
            "Take a time within its opening hours: GET /v1/rooms/{room} has them",
            (datetime(2026, 3, 7, 9),),
        )
    ]


# --- how soon, and how far ahead -----------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "late"), [(-1, True), (0, False), (1, False)])
def test_notice_is_given_in_time(seconds: int, late: bool) -> None:
    start = NOW + 2 * HOUR + seconds * SECOND
    said = Violation(
        "minNotice",
        "this room is booked 2 hours before at the latest",
        "Take a later time",
        (datetime(2026, 3, 2, 14) + seconds * SECOND,),
    )
    one = Interval(start, start + HOUR)
    assert found(BookingRules(notice=2 * HOUR), one) == ([said] if late else [])


@pytest.mark.parametrize(("seconds", "early"), [(-1, False), (0, False), (1, True)])
def test_a_room_is_booked_so_far_ahead(seconds: int, early: bool) -> None:
    start = NOW + 14 * DAY + seconds * SECOND
    said = Violation(
        "maxAhead",
        "this room is booked 14 days ahead at most",
        "Take an earlier time; end a series before",
        (datetime(2026, 3, 16, 12) + seconds * SECOND,),
    )
    one = Interval(start, start + HOUR)
    assert found(BookingRules(ahead=14 * DAY), one) == ([said] if early else [])


def test_a_series_without_end_reaches_too_far_though_none_of_its_dates_was_seen_there() -> None:
    (one,) = found(BookingRules(ahead=14 * DAY), lasting(HOUR), endless=True)
    assert (one.rule, one.dates) == ("maxAhead", ())
    assert broken(BookingRules(notice=HOUR), lasting(HOUR), endless=True) == []


# --- seats ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seats", "capacity", "wrong"),
    [(8, 8, False), (9, 8, True), (None, 8, False), (9, None, False)],
)
def test_no_more_seats_than_the_room_has(
    seats: int | None, capacity: int | None, wrong: bool
) -> None:
    said = Violation("seatsWithinCapacity", "the room has 8 seats, not 9", "Take a larger room", ())
    known = {"seats": seats, "capacity": capacity}
    assert found(BookingRules(seats=True), lasting(HOUR), **known) == ([said] if wrong else [])
    assert found(BookingRules(), lasting(HOUR), **known) == []


# --- all of them ---------------------------------------------------------------------------------


def test_every_broken_rule_is_told_with_the_dates_that_break_it() -> None:
    rules = BookingRules(
        opening=OFFICE, notice=HOUR, shortest=HOUR, longest=2 * HOUR, ahead=DAY, seats=True
    )
    wanted = (
        lasting(HOUR, "2026-03-02T12:30"),
        lasting(3 * HOUR, "2026-03-03T09:00"),
        lasting(MINUTE, "2026-03-03T12:00:01"),
        lasting(HOUR, "2026-03-03T19:00"),
    )
    assert [(one.rule, one.dates) for one in found(rules, *wanted, seats=9, capacity=8)] == [
        ("maxDuration", (datetime(2026, 3, 3, 9),)),
        ("minDuration", (datetime(2026, 3, 3, 12, 0, 1),)),
        ("openingHours", (datetime(2026, 3, 3, 19),)),
        ("minNotice", (datetime(2026, 3, 2, 12, 30),)),
        ("maxAhead", (datetime(2026, 3, 3, 12, 0, 1), datetime(2026, 3, 3, 19))),
        ("seatsWithinCapacity", ()),
    ]


def test_of_many_dates_the_first_ten_are_listed() -> None:
    wanted = [lasting(HOUR, f"2026-03-{day:02}T20:00") for day in range(3, 14)]
    (one,) = found(BookingRules(opening=OFFICE), *wanted)
    assert one.dates == tuple(datetime(2026, 3, day, 20) for day in range(3, 13))


def test_without_rules_everything_may_be_booked() -> None:
    long = lasting(9999 * DAY, "2026-03-01T03:00")
    assert found(NO_RULES, long, endless=True, seats=99, capacity=1) == []


# --- JSON ----------------------------------------------------------------------------------------

READ: list[tuple[dict[str, object], BookingRules]] = [
    ({}, NO_RULES),
    ({"@type": "Rules"}, NO_RULES),
    ({"openingHours": []}, NO_RULES),
    ({"openingHours": None, "minNotice": None, "seatsWithinCapacity": None}, NO_RULES),
    ({"seatsWithinCapacity": False}, NO_RULES),
    ({"seatsWithinCapacity": True}, BookingRules(seats=True)),
    ({"minNotice": "PT15M"}, BookingRules(notice=15 * MINUTE)),
    ({"minDuration": "PT1H30M"}, BookingRules(shortest=90 * MINUTE)),
    ({"maxDuration": "P1DT2H"}, BookingRules(longest=26 * HOUR)),
    ({"maxAhead": "P13W"}, BookingRules(ahead=91 * DAY)),
    ({"minDuration": "PT1H", "maxDuration": "PT1H"}, BookingRules(shortest=HOUR, longest=HOUR)),
    (
        {
            "openingHours": [
                {"days": ["fr", "mo", "mo"], "opens": "08:30", "closes": "18:05"},
                {"days": ["su"], "opens": "00:00", "closes": "24:00"},
            ]
        },
        BookingRules(
            opening=(
                Opening(frozenset({Weekday.MO, Weekday.FR}), 510, 1085),
                Opening(frozenset({Weekday.SU}), 0, 1440),
            )
        ),
    ),
]


@pytest.mark.parametrize(("doc", "rules"), READ)
def test_what_the_members_say(doc: dict[str, object], rules: BookingRules) -> None:
    form = Form(doc)
    assert read_rules(form) == rules
    assert form.errors == []
    assert read_rules(Form(rules_to_json(rules))) == rules
    assert rules_from_text(rules_to_text(rules)) == rules


def test_rules_are_shown_as_they_are_written() -> None:
    rules = BookingRules(
        opening=(
            Opening(WEEK, 8 * 60, 18 * 60 + 59),
            Opening(frozenset({Weekday.SU, Weekday.SA}), 5, 1440),
        ),
        notice=15 * MINUTE,
        shortest=HOUR,
        longest=26 * HOUR,
        ahead=90 * DAY,
        seats=True,
    )
    doc = {
        "openingHours": [
            {"days": ["mo", "tu", "we", "th", "fr"], "opens": "08:00", "closes": "18:59"},
            {"days": ["sa", "su"], "opens": "00:05", "closes": "24:00"},
        ],
        "minNotice": "PT15M",
        "minDuration": "PT1H",
        "maxDuration": "PT26H",
        "maxAhead": "P90D",
        "seatsWithinCapacity": True,
    }
    assert rules_to_json(rules) == doc
    assert rules_to_json(NO_RULES) == {}
    assert read_rules(Form(doc)) == rules


def test_no_rules_are_kept_as_no_text() -> None:
    assert rules_to_text(NO_RULES) == ""
    assert rules_from_text("") == NO_RULES
    text = rules_to_text(BookingRules(notice=HOUR, seats=True))
    assert text == '{"minNotice":"PT1H","seatsWithinCapacity":true}'


NINE = {"days": ["mo"], "opens": "09:00", "closes": "10:00"}


@pytest.mark.parametrize(
    "entry",
    [
        "mo",
        None,
        [],
        {},
        {"days": ["mo"], "opens": "09:00"},
        {"days": ["mo"], "closes": "10:00"},
        {"opens": "09:00", "closes": "10:00"},
        {**NINE, "room": "x"},
        {**NINE, "days": []},
        {**NINE, "days": "mo"},
        {**NINE, "days": {"mo": True}},
        {**NINE, "days": ["MO"]},
        {**NINE, "days": ["mo", "xx"]},
        {**NINE, "days": [0]},
        {**NINE, "days": [["mo"]]},
        {**NINE, "opens": 540},
        {**NINE, "opens": None},
        {**NINE, "opens": "9:00"},
        {**NINE, "opens": "09:00 "},
        {**NINE, "opens": "09:60"},
        {**NINE, "opens": "10:00"},
        {**NINE, "opens": "11:00"},
        {**NINE, "closes": None},
        {**NINE, "closes": "10"},
        {**NINE, "closes": "24:01"},
        {**NINE, "closes": "25:00"},
        {**NINE, "closes": "1\u0660:00"},
    ],
)
def test_an_entry_that_is_no_opening_is_refused_and_the_others_are_read(entry: object) -> None:
    form = Form({"openingHours": [entry, NINE]}, at="/rules")
    assert read_rules(form).opening == (Opening(frozenset({Weekday.MO}), 540, 600),)
    assert form.errors == [
        FieldError(
            "/rules/openingHours",
            "has an entry that is no opening",
            'Write {"days": ["mo"], "opens": "08:00", "closes": "18:00"}',
        )
    ]


@pytest.mark.parametrize(
    ("doc", "error"),
    [
        (
            {"openinghours": []},
            FieldError(
                "/rules/openinghours",
                "this member is not known here",
                "Check its spelling, or drop it",
            ),
        ),
        ({"openingHours": NINE}, FieldError("/rules/openingHours", "must be an array")),
        (
            {"openingHours": [NINE] * (MAX_OPENINGS + 1)},
            FieldError("/rules/openingHours", "must have at most 50 entries"),
        ),
        (
            {"seatsWithinCapacity": 1},
            FieldError("/rules/seatsWithinCapacity", "must be true or false"),
        ),
        *(
            (
                {name: "1h"},
                FieldError(
                    f"/rules/{name}",
                    "is not an ISO 8601 duration",
                    "Write PT1H30M, or P2D for whole days",
                ),
            )
            for name in ("minNotice", "minDuration", "maxDuration", "maxAhead")
        ),
        (
            {"minDuration": "PT1H1S", "maxDuration": "PT1H"},
            FieldError("/rules/minDuration", "is longer than maxDuration", "Make it shorter"),
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(doc: dict[str, object], error: FieldError) -> None:
    form = Form(doc, at="/rules")
    read_rules(form)
    assert form.errors == [error]


def test_a_room_may_have_fifty_openings() -> None:
    form = Form(json.loads(json.dumps({"openingHours": [NINE] * MAX_OPENINGS})))
    assert len(read_rules(form).opening) == 50
    assert form.errors == []
