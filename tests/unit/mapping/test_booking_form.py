"""Reading JSON that strangers wrote: times and lengths as RFC 8984 has them, and every member with
its limits, its default and the error that an integrator reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from calsync.mapping.booking_form import (
    FieldError,
    Form,
    InvalidBooking,
    Length,
    format_duration,
    format_local,
    parse_duration,
    parse_local,
    pointer,
)

# --- LocalDateTime (RFC 8984 section 1.4.4) --------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-20T09:08:07", datetime(2026, 11, 20, 9, 8, 7)),
        ("2026-11-20T23:59:59", datetime(2026, 11, 20, 23, 59, 59)),
        ("2026-11-20T09:08:07.5", datetime(2026, 11, 20, 9, 8, 7, 500_000)),
        ("2026-11-20T09:08:07.003", datetime(2026, 11, 20, 9, 8, 7, 3_000)),
        ("2026-11-20T09:08:07.123456", datetime(2026, 11, 20, 9, 8, 7, 123_456)),
        ("2024-02-29T00:00:00", datetime(2024, 2, 29)),
        ("0001-01-01T00:00:00", datetime(1, 1, 1)),
        # For convenience: without seconds, and a bare date for its midnight.
        ("2026-11-20T09:08", datetime(2026, 11, 20, 9, 8)),
        ("2026-11-20", datetime(2026, 11, 20)),
    ],
)
def test_a_local_date_and_time(text: str, value: datetime) -> None:
    assert parse_local(text) == value
    assert parse_local(format_local(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-20T09:08:07Z",
        "2026-11-20T09:08:07+01:00",
        "2026-11-20 09:08:07",
        "2026-11-20t09:08:07",
        "20261120T090807",
        "2026-11-20T",
        "2026-11-20T09",
        "2026-11-20T9:08:07",
        "2026-11-20T09:08:07.",
        "2026-11-20T09:08:07.1234567",
        "2026-11-20T09:08:07\n",
        " 2026-11-20T09:08:07",
        "٢٠٢٦-11-20T09:08:07",
        "2026-02-29T09:08:07",
        "2026-13-01T09:08:07",
        "2026-11-20T24:00:00",
        "2026-11-20T09:60:00",
        "2026-11-20T09:08:60",
        "0000-01-01T00:00:00",
    ],
)
def test_what_is_no_local_date_and_time(text: str) -> None:
    assert parse_local(text) is None


# --- Duration (RFC 8984 section 1.4.6) -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "days", "time"),
    [
        ("PT1H", 0, timedelta(hours=1)),
        ("PT90M", 0, timedelta(minutes=90)),
        ("PT45S", 0, timedelta(seconds=45)),
        ("PT1H2M3S", 0, timedelta(hours=1, minutes=2, seconds=3)),
        ("PT1H0M3S", 0, timedelta(hours=1, seconds=3)),
        ("PT0.5S", 0, timedelta(milliseconds=500)),
        ("PT1.003S", 0, timedelta(seconds=1, milliseconds=3)),
        ("PT1.123456S", 0, timedelta(seconds=1, microseconds=123_456)),
        ("PT0S", 0, timedelta(0)),
        ("PT24H", 0, timedelta(hours=24)),  # exact, so no day
        ("P1D", 1, timedelta(0)),
        ("P2W", 14, timedelta(0)),
        ("P1W3D", 10, timedelta(0)),
        ("P1WT1H", 7, timedelta(hours=1)),
        ("P2DT3H4M5.6S", 2, timedelta(hours=3, minutes=4, seconds=5.6)),
        ("P0D", 0, timedelta(0)),
    ],
)
def test_a_duration_has_nominal_days_and_an_exact_time(
    text: str, days: int, time: timedelta
) -> None:
    found = parse_duration(text)
    assert found == Length(days=days, time=time)
    assert found.wall == timedelta(days=days) + time


@pytest.mark.parametrize(
    "text",
    [
        "", "P", "PT", "P1DT", "1H", "T1H", "PT1", "pt1h", "P1H", "PT1D", "P1Y", "P1M", "PT1.5H",
        "PT.5S", "PT1.S", "PT1.1234567S", "P1D1W", "PT1S1M", "-PT1H", "+PT1H", "PT-1H", "PT1H ",
        "PT1H\n", "PT١H",
    ],
)  # fmt: skip
def test_what_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(0), "PT0S"),
        (timedelta(seconds=59), "PT59S"),
        (timedelta(minutes=1), "PT1M"),
        (timedelta(minutes=59, seconds=1), "PT59M1S"),
        (timedelta(hours=1), "PT1H"),
        (timedelta(hours=1, minutes=30), "PT1H30M"),
        (timedelta(hours=10, seconds=10), "PT10H0M10S"),
        (timedelta(hours=1, microseconds=1), "PT1H0M0.000001S"),
        (timedelta(seconds=10), "PT10S"),
        (timedelta(seconds=10, milliseconds=250), "PT10.25S"),
        (timedelta(milliseconds=500), "PT0.5S"),
        (timedelta(minutes=5, microseconds=100), "PT5M0.0001S"),
        (timedelta(days=1), "PT24H"),
        (timedelta(days=2, hours=1, minutes=2, seconds=3), "PT49H2M3S"),
    ],
)
def test_lengths_are_written_as_their_rfc_has_them(value: timedelta, text: str) -> None:
    # RFC 8984, 1.4.6 (as RFC 5545): hours may be followed by minutes, only these by seconds; a
    # fraction of a second has no zeros at its end.
    assert format_duration(value, days=False) == text
    assert parse_duration(text) == Length(0, value)


@pytest.mark.parametrize("days", [1, 2, 30])
def test_whole_days_are_written_as_nominal_days(days: int) -> None:
    assert format_duration(timedelta(days=days), days=True) == f"P{days}D"


# --- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((), ""),
        (("start",), "/start"),
        (("byDay", 0, "day"), "/byDay/0/day"),
        (("a/b~c",), "/a~1b~0c"),
        (("~1",), "/~01"),
        (("",), "/"),
    ],
)
def test_pointers_as_in_rfc_6901(parts: tuple[str | int, ...], text: str) -> None:
    assert pointer(*parts) == text


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        (
            [FieldError("/start", "is missing", "Give it"), FieldError("/x", "is unknown")],
            "/start: is missing. Give it",
        ),
        ([FieldError("/x", "is unknown"), FieldError("/y", "is odd")], "/x: is unknown"),
        ([FieldError("", "is too much")], "the body: is too much"),
    ],
)
def test_a_refused_booking_says_the_first_problem_and_keeps_all(
    errors: list[FieldError], says: str
) -> None:
    problem = InvalidBooking(iter(errors))
    assert str(problem) == says
    assert problem.errors == tuple(errors)


def test_a_form_raises_only_with_problems() -> None:
    form = Form({})
    form.done()
    form.fail("a/b", "is odd", "Drop it")
    form.fail("", "is too much")
    with pytest.raises(InvalidBooking) as caught:
        form.done()
    assert caught.value.errors == (
        FieldError("/a~1b", "is odd", "Drop it"),
        FieldError("", "is too much", ""),
    )


def test_an_inner_form_adds_to_the_problems_of_the_outer_one() -> None:
    outer = Form({})
    inner = Form({}, at="/bookedBy", errors=outer.errors)
    inner.fail("name", "is odd")
    inner.fail("", "is odd, too")
    assert outer.errors == [
        FieldError("/bookedBy/name", "is odd"),
        FieldError("/bookedBy", "is odd, too"),
    ]
    assert Form({}).errors == []


def test_a_misspelt_member_is_refused_but_the_type_of_jscalendar_is_none() -> None:
    form = Form({"@type": "Event", "start": 1, "titel": None, "uid": 2}, at="/in")
    form.refuse_unknown(iter(["start", "uid"]))
    what, todo = "this member is not known here", "Check its spelling, or drop it"
    assert form.errors == [FieldError("/in/titel", what, todo)]


@pytest.mark.parametrize(
    ("doc", "there"),
    [({}, False), ({"m": None}, False), ({"m": ""}, True), ({"m": 0}, True), ({"n": 1}, False)],
)
def test_null_is_as_good_as_missing(doc: dict[str, object], there: bool) -> None:
    assert Form(doc).has("m") is there


# --- members ---------------------------------------------------------------------------------

Reader = Callable[[Form], object]

DAY = datetime(2026, 11, 20, 9)
COLOURS = {"red": 1, "green": 2}
NO_DATE = (
    "is not a local date and time",
    "Write 2026-11-20T09:00:00, without an offset; the zone goes into timeZone",
)
NO_DURATION = ("is not an ISO 8601 duration", "Write PT1H30M, or P2D for whole days")


def text(form: Form) -> object:
    return form.text("m", limit=3, default="d")


def choice(form: Form) -> object:
    return form.choice("m", COLOURS, 7)


def flag(form: Form) -> object:
    return form.flag("m")


def flag_that_is_on(form: Form) -> object:
    return form.flag("m", True)


def whole(form: Form) -> object:
    return form.whole("m", low=2, high=5, default=4)


def local(form: Form) -> object:
    return form.local("m", DAY)


def duration(form: Form) -> object:
    return form.duration("m")


def members(form: Form) -> object:
    return form.members("m")


def items(form: Form) -> object:
    return form.items("m", limit=2)


GOOD: list[tuple[Reader, object, object]] = [
    (text, "", ""), (text, "abc", "abc"), (text, None, "d"),
    (choice, "red", 1), (choice, "green", 2), (choice, None, 7),
    (flag, True, True), (flag, False, False), (flag, None, False),
    (flag_that_is_on, True, True), (flag_that_is_on, False, False), (flag_that_is_on, None, True),
    (whole, 2, 2), (whole, 3, 3), (whole, 5, 5), (whole, None, 4),
    (local, "2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5)), (local, None, DAY),
    (local, "1900-01-01T00:00:00", datetime(1900, 1, 1)),
    (local, "2199-12-31T23:59:59", datetime(2199, 12, 31, 23, 59, 59)),
    (duration, "P1DT2H", Length(1, timedelta(hours=2))), (duration, None, None),
    (members, {"a": 1}, {"a": 1}), (members, {}, {}), (members, None, {}),
    (items, [1, 2], [1, 2]), (items, [], []), (items, None, ()),
]  # fmt: skip


@pytest.mark.parametrize(("reader", "value", "result"), GOOD)
def test_a_member_is_read(reader: Reader, value: object, result: object) -> None:
    form = Form({"m": value}, at="/in")
    assert reader(form) == result
    assert form.errors == []


@pytest.mark.parametrize(
    "reader", [text, choice, flag, flag_that_is_on, whole, local, duration, members, items]
)
def test_a_member_that_is_not_there_reads_like_null(reader: Reader) -> None:
    form = Form({})
    assert reader(form) == reader(Form({"m": None}))
    assert form.errors == []


def test_without_a_default_a_missing_member_is_none() -> None:
    form = Form({})
    assert form.text("m", limit=3) is None
    assert form.whole("m", low=1, high=2) is None
    assert form.local("m") is None


BAD: list[tuple[Reader, object, object, str, str]] = [
    (text, 7, "d", "must be a string", ""),
    (text, ["a"], "d", "must be a string", ""),
    (text, "abcd", "d", "must have at most 3 characters, has 4", ""),
    (choice, "blue", 7, "is not one of the known values", "Use red, green"),
    (choice, "Red", 7, "is not one of the known values", "Use red, green"),
    (choice, ["red"], 7, "is not one of the known values", "Use red, green"),
    (choice, 1, 7, "is not one of the known values", "Use red, green"),
    (flag, "true", False, "must be true or false", ""),
    (flag, 1, False, "must be true or false", ""),
    (flag_that_is_on, 0, True, "must be true or false", ""),
    (whole, 1, 4, "must be between 2 and 5", ""),
    (whole, 6, 4, "must be between 2 and 5", ""),
    (whole, 3.0, 4, "must be a whole number", ""),
    (whole, "3", 4, "must be a whole number", ""),
    (whole, True, 4, "must be a whole number", ""),
    (local, "soon", DAY, *NO_DATE),
    (local, 2026, DAY, *NO_DATE),
    (local, "1899-12-31T23:59:59", DAY, "must lie between the years 1900 and 2199", ""),
    (local, "2200-01-01T00:00:00", DAY, "must lie between the years 1900 and 2199", ""),
    (duration, "an hour", None, *NO_DURATION),
    (duration, "PT1H-", None, *NO_DURATION),
    (duration, "", None, *NO_DURATION),
    (duration, 3600, None, *NO_DURATION),
    (duration, "-PT1H", None, "the end lies before the start",
     "Give a duration that is not negative"),
    (members, [], {}, "must be an object", ""),
    (members, "a", {}, "must be an object", ""),
    (items, {}, (), "must be an array", ""),
    (items, "ab", (), "must be an array", ""),
    (items, [1, 2, 3], (), "must have at most 2 entries", ""),
]  # fmt: skip


@pytest.mark.parametrize(("reader", "value", "result", "what", "todo"), BAD)
def test_a_wrong_member_is_named_and_reads_as_its_default(
    reader: Reader, value: object, result: object, what: str, todo: str
) -> None:
    form = Form({"m": value}, at="/in")
    assert reader(form) == result
    assert form.errors == [FieldError("/in/m", what, todo)]
