"""``recurrenceRule`` and ``recurrenceOverrides``: each member, each limit, each error."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from calsync.mapping.booking import content_to_json, read_wish
from calsync.mapping.booking_form import FieldError, InvalidBooking
from calsync.mapping.booking_series import MAX_OVERRIDES, override_to_json, series_to_json
from calsync.model import Busy, Frequency, Nth, Occupancy, Override, Recurrence, Rule, Weekday

ZONE = "Europe/Berlin"
START = datetime(2026, 12, 1, 9)
SLOT = datetime(2026, 12, 8, 9)
KEY = "2026-12-08T09:00:00"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RULE = Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.TU),), count=5)
TIMED = Occupancy(
    start=START, end=START + HOUR, zone=ZONE, title="Sync", recurrence=Recurrence(rule=RULE)
)
DAYS = replace(TIMED, start=datetime(2026, 12, 1), end=datetime(2026, 12, 2), zone=None,
               all_day=True)  # fmt: skip
WEEKLY: dict[str, Any] = {
    "title": "Sync",
    "start": "2026-12-01T09:00:00",
    "timeZone": ZONE,
    "duration": "PT1H",
    "recurrenceRule": {"frequency": "weekly", "count": 5},
}
WEEKLY_DAYS: dict[str, Any] = {
    **WEEKLY,
    "start": "2026-12-01",
    "duration": "P1D",
    "showWithoutTime": True,
}


def override(slot: datetime = SLOT, **more: Any) -> Override:
    values: dict[str, Any] = {"start": slot, "end": slot + HOUR, "title": "Sync", **more}
    return Override(recurrence_id=slot, **values)


def day_override(slot: datetime = datetime(2026, 12, 8), **more: Any) -> Override:
    return override(slot, **{"end": slot + DAY, "all_day": True, **more})


def read(doc: dict[str, Any]) -> Recurrence:
    found = read_wish(doc, ZONE).content.recurrence
    assert found is not None
    return found


def problems(doc: dict[str, Any]) -> list[FieldError]:
    with pytest.raises(InvalidBooking) as caught:
        read_wish(doc, ZONE)
    return list(caught.value.errors)


def patched(patch: object, **more: object) -> dict[str, Any]:
    return {**WEEKLY, "recurrenceOverrides": {KEY: patch}, **more}


def day_patched(patch: object) -> dict[str, Any]:
    return {**WEEKLY_DAYS, "recurrenceOverrides": {"2026-12-08": patch}}


# --- both ways -------------------------------------------------------------------------------

TENTATIVE = {"status": "tentative", "freeBusyStatus": "busy", "showAs": "busy"}
BOTH_WAYS: list[tuple[dict[str, object], Override]] = [
    ({"start": "2026-12-09T10:30:00"},
     override(start=datetime(2026, 12, 9, 10, 30), end=datetime(2026, 12, 9, 11, 30))),
    ({"duration": "PT2H30M"}, override(end=SLOT + 2.5 * HOUR)),
    ({"duration": "PT0S"}, override(end=SLOT)),
    ({"start": "2026-12-08T10:00:00", "duration": "PT45M"},
     override(start=SLOT + HOUR, end=SLOT + 1.75 * HOUR)),
    ({"start": "2026-12-08T08:00:00", "duration": "PT2H"},
     override(start=SLOT - HOUR, end=SLOT + HOUR)),
    ({"showWithoutTime": True, "start": "2026-12-08T00:00:00", "duration": "P2D"},
     day_override(SLOT, start=datetime(2026, 12, 8), end=datetime(2026, 12, 10))),
    (TENTATIVE, override(busy=Busy.TENTATIVE)),
    ({"status": "confirmed", "freeBusyStatus": "free", "showAs": "busy"},
     override(busy=Busy.FREE)),
    ({"status": "confirmed", "freeBusyStatus": "busy", "showAs": "oof"}, override(busy=Busy.OOF)),
    ({"title": "Other"}, override(title="Other")),
    ({"title": ""}, override(title=None)),
    ({"privacy": "private"}, override(private=True, title=None)),
]  # fmt: skip
SHOWN = [
    *((TIMED, doc, changed) for doc, changed in BOTH_WAYS),
    (TIMED, {}, override()),
    (replace(TIMED, busy=Busy.TENTATIVE),
     {"status": "confirmed", "freeBusyStatus": "busy", "showAs": "busy"}, override()),
    (replace(TIMED, title=None), {"title": "Sync"}, override()),
    (replace(TIMED, title=None), {}, override(title=None)),
    (replace(TIMED, private=True, title=None), {"privacy": "public", "title": "Sync"}, override()),
    (replace(TIMED, private=True, title=None), {}, override(private=True, title=None)),
    (DAYS, {}, day_override()),
    (DAYS, {"duration": "P3D"}, day_override(end=datetime(2026, 12, 11))),
    (DAYS, {"showWithoutTime": False, "duration": "PT24H"},
     day_override(all_day=False, end=datetime(2026, 12, 9))),
    (DAYS, {"showWithoutTime": False, "start": "2026-12-08T09:00:00", "duration": "PT1H"},
     day_override(all_day=False, start=SLOT, end=SLOT + HOUR)),
]  # fmt: skip


@pytest.mark.parametrize(("series", "doc", "changed"), SHOWN)
def test_of_a_date_only_what_differs_is_shown(
    series: Occupancy, doc: dict[str, object], changed: Override
) -> None:
    assert override_to_json(series, changed) == doc


@pytest.mark.parametrize(("doc", "changed"), BOTH_WAYS)
def test_what_differs_is_read_and_the_rest_is_of_the_series(
    doc: dict[str, object], changed: Override
) -> None:
    assert read(patched(doc)) == Recurrence(rule=RULE, overrides=(changed,))


@pytest.mark.parametrize(
    ("doc", "changed"),
    [
        ({"duration": "P2D"}, day_override(end=datetime(2026, 12, 10))),
        ({"start": "2026-12-09"}, day_override(start=datetime(2026, 12, 9),
                                               end=datetime(2026, 12, 10))),
        ({"showWithoutTime": False, "duration": "PT0.5S"},
         day_override(all_day=False, end=datetime(2026, 12, 8, 0, 0, 0, 500_000))),
    ],
)  # fmt: skip
def test_what_differs_of_a_series_of_days(doc: dict[str, object], changed: Override) -> None:
    assert read(day_patched(doc)) == Recurrence(rule=RULE, overrides=(changed,))


@pytest.mark.parametrize(
    ("doc", "changed"),
    [
        ({"privacy": "secret"}, override(private=True, title=None)),
        ({"privacy": "private", "title": "Secret"}, override(private=True, title=None)),
        ({"@type": "PatchObject", "title": "x" * 300}, override(title="x" * 255)),
        ({"start": None, "duration": "PT2H", "title": None}, override(end=SLOT + 2 * HOUR)),
        ({"excluded": False, "duration": "P1D"}, override(end=SLOT + DAY)),
    ],
)
def test_other_spellings_of_a_change(doc: dict[str, object], changed: Override) -> None:
    assert read(patched(doc)) == Recurrence(rule=RULE, overrides=(changed,))


@pytest.mark.parametrize("doc", [{}, {"title": "Sync"}, {"start": KEY}, {"duration": "PT1H"},
                                 {"privacy": "public"}, {"excluded": False}])  # fmt: skip
def test_what_changes_nothing_is_no_change(doc: dict[str, object]) -> None:
    assert read(patched(doc)) == Recurrence(rule=RULE)


def test_a_date_of_a_private_series_can_be_public() -> None:
    found = read(patched({"privacy": "public", "title": "Open"}, privacy="private"))
    assert found.overrides == (override(title="Open"),)
    hidden = read(patched({"title": "Open", "duration": "PT2H"}, privacy="private"))
    assert hidden.overrides == (override(private=True, title=None, end=SLOT + 2 * HOUR),)


def test_a_date_takes_the_kind_of_its_series() -> None:
    found = read(patched({"duration": "PT2H"}, status="tentative"))
    assert found.overrides == (override(busy=Busy.TENTATIVE, end=SLOT + 2 * HOUR),)
    firm = read(patched({"status": "confirmed"}, status="tentative"))
    assert firm.overrides == (override(),)


def test_a_series_as_it_is_shown() -> None:
    """In the order of the calendar, whatever was changed or taken out."""
    slots = {n: START + n * timedelta(weeks=1) for n in range(5)}
    changed = (override(slots[2], title="Other"), override(datetime(2026, 12, 18, 15)))
    series = Recurrence(rule=RULE, excluded=(slots[1], slots[4]), overrides=changed)
    rule = {"@type": "RecurrenceRule", "frequency": "weekly", "count": 5,
            "byDay": [{"@type": "NDay", "day": "tu"}]}  # fmt: skip
    doc = series_to_json(TIMED, series)
    shown = {
        "2026-12-08T09:00:00": {"excluded": True},
        "2026-12-15T09:00:00": {"title": "Other"},
        "2026-12-18T15:00:00": {},
        "2026-12-29T09:00:00": {"excluded": True},
    }
    assert doc == {"recurrenceRule": rule, "recurrenceOverrides": shown}
    found = doc["recurrenceOverrides"]
    assert isinstance(found, dict)
    assert list(found) == list(shown)
    assert series_to_json(TIMED, Recurrence(rule=RULE)) == {"recurrenceRule": rule}
    whole = replace(TIMED, recurrence=series)
    assert read_wish(content_to_json(whole, ZONE), ZONE).content == whole


def test_dates_are_kept_in_their_order_however_they_came() -> None:
    keys = ["2026-12-29T09:00:00", "2026-12-22T09:00:00", "2026-12-15T09:00:00", KEY]
    out = {key: {"excluded": True} for key in keys}
    assert read({**WEEKLY, "recurrenceOverrides": out}).excluded == tuple(
        sorted(map(datetime.fromisoformat, keys))
    )
    other = {key: {"title": "Other"} for key in keys}
    names = [o.recurrence_id for o in read({**WEEKLY, "recurrenceOverrides": other}).overrides]
    assert names == sorted(map(datetime.fromisoformat, keys))


def test_a_date_that_the_rule_does_not_give_is_added() -> None:
    added = datetime(2026, 12, 10, 15)
    doc = {**WEEKLY, "recurrenceOverrides": {"2026-12-10T15:00:00": {}}}
    assert read(doc).overrides == (override(added),)


# --- the rule --------------------------------------------------------------------------------


def test_a_rule_is_said_once_in_either_spelling() -> None:
    single = {n: v for n, v in WEEKLY.items() if n != "recurrenceRule"}
    assert read_wish(single, ZONE).content.recurrence is None
    assert read({**single, "rrule": "FREQ=WEEKLY;COUNT=5"}) == Recurrence(rule=RULE)
    assert read({**single, "rrule": None, "recurrenceRule": WEEKLY["recurrenceRule"]}) == (
        Recurrence(rule=RULE)
    )
    both = {**WEEKLY, "rrule": "FREQ=WEEKLY;COUNT=5", "recurrenceOverrides": {"x": {}}}
    assert problems(both) == [
        FieldError("/rrule", "a booking has a recurrenceRule or an rrule, not both")
    ]
    assert problems({**single, "recurrenceOverrides": {KEY: {}}}) == [
        FieldError("/recurrenceOverrides", "only a series has these", "Give a recurrenceRule, too")
    ]
    assert read_wish({**single, "recurrenceOverrides": {}}, ZONE).content.recurrence is None


@pytest.mark.parametrize(
    ("doc", "pointers"),
    [
        ({"recurrenceRule": {"frequency": "hourly"}}, ["/recurrenceRule/frequency"]),
        ({"recurrenceRule": 5}, ["/recurrenceRule", "/recurrenceRule/frequency"]),
        ({"recurrenceRule": None, "rrule": "FREQ=HOURLY"}, ["/rrule"]),
        ({"recurrenceRule": None, "rrule": 5}, ["/rrule"]),
        ({"recurrenceOverrides": 5}, ["/recurrenceOverrides"]),
        ({"recurrenceRule": None, "recurrenceOverrides": 5}, ["/recurrenceOverrides"]),
        ({"recurrenceRule": {"frequency": "no"}, "recurrenceOverrides": {"x": {}}},
         ["/recurrenceRule/frequency"]),
    ],
)  # fmt: skip
def test_where_a_rule_is_wrong(doc: dict[str, object], pointers: list[str]) -> None:
    assert [e.pointer for e in problems({**WEEKLY, **doc})] == pointers


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ({"frequency": "weekly", "byDay": [{"day": "fr"}]}, date(2026, 12, 4)),
        ({"frequency": "monthly", "byMonthDay": [2]}, date(2026, 12, 2)),
        ({"frequency": "yearly", "byMonth": ["6"]}, date(2027, 6, 1)),
    ],
)
def test_a_series_starts_with_a_date_of_its_rule(rule: dict[str, object], first: date) -> None:
    """Its end does not matter: that may well lie on another day."""
    what = "the series does not start on a date of its rule"
    wrong = FieldError("/start", what, f"Its first date is {first}")
    for length in ("PT1H", "PT30H"):
        assert problems({**WEEKLY, "duration": length, "recurrenceRule": rule}) == [wrong]
    long = read_wish({**WEEKLY, "duration": "PT30H"}, ZONE).content
    assert long == replace(TIMED, end=START + 30 * HOUR)


def test_a_series_is_kept_in_its_one_form() -> None:
    rule = {"frequency": "daily", "byDay": [{"day": "tu"}], "count": 5}
    assert read_wish({**WEEKLY, "recurrenceRule": rule}, ZONE).content == TIMED


# --- limits and errors -----------------------------------------------------------------------


def test_how_many_dates_may_be_changed() -> None:
    doc = {**WEEKLY, "recurrenceRule": {"frequency": "daily"}}
    slots = [START + n * DAY for n in range(MAX_OVERRIDES + 1)]
    assert MAX_OVERRIDES == 2_000
    out: dict[str, object] = {at.isoformat(): {"excluded": True} for at in slots}
    out[START.isoformat()] = {"excluded": "too many to be looked at"}
    assert problems({**doc, "recurrenceOverrides": out}) == [
        FieldError("/recurrenceOverrides", "at most 2000 dates may be changed")
    ]
    del out[slots[-1].isoformat()]
    out[START.isoformat()] = {"excluded": True}
    assert read({**doc, "recurrenceOverrides": out}).excluded == tuple(slots[:-1])


YEARS = "must lie between the years 1900 and 2199"


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("soon", ("is not a local date and time", "Write it as 2026-11-20T09:00:00")),
        ("2026-12-08T09:00:00Z", ("is not a local date and time",
                                  "Write it as 2026-11-20T09:00:00")),
        ("a/b", ("is not a local date and time", "Write it as 2026-11-20T09:00:00")),
        ("1899-12-31T09:00:00", (YEARS, "")),
        ("1900-01-01T09:00:00", None),
        ("2199-12-31T09:00:00", None),
        ("2200-01-01T09:00:00", (YEARS, "")),
    ],
)  # fmt: skip
def test_by_what_a_date_can_be_named(key: str, problem: tuple[str, str] | None) -> None:
    doc = {**WEEKLY, "recurrenceOverrides": {key: {}}}
    if problem is None:
        assert read(doc).overrides == (override(datetime.fromisoformat(key)),)
    else:
        at = "/recurrenceOverrides/" + key.replace("/", "~1")
        assert problems(doc) == [FieldError(at, *problem)]


def test_a_date_is_named_once() -> None:
    twice = {KEY: {"title": "a"}, "2026-12-08T09:00": {"title": "b"}, "2026-12-15T09:00": {}}
    what = "names the same date as another entry"
    assert problems({**WEEKLY, "recurrenceOverrides": twice}) == [
        FieldError("/recurrenceOverrides/2026-12-08T09:00", what)
    ]


@pytest.mark.parametrize("patch", [None, 5, "excluded", [], [{}]])
def test_a_change_is_an_object(patch: object) -> None:
    assert problems(patched(patch)) == [
        FieldError(f"/recurrenceOverrides/{KEY}", "must be an object")
    ]


@pytest.mark.parametrize(
    "key", ["2026-12-09T09:00:00", "2026-12-08T10:00:00", "2026-11-24T09:00:00",
            "2027-01-05T09:00:00"]
)  # fmt: skip
def test_only_a_date_of_the_rule_can_be_taken_out(key: str) -> None:
    assert problems({**WEEKLY, "recurrenceOverrides": {key: {"excluded": True}}}) == [
        FieldError(
            f"/recurrenceOverrides/{key}/excluded",
            "the rule gives no occurrence at this time",
            "Name an occurrence by its local start",
        )
    ]


MIDNIGHT = ("start", "an all-day occurrence starts at midnight", "Give the time as 00:00:00")
WHOLE = ("duration", "an all-day occurrence lasts whole days", "Give it such as P1D")
TOO_LONG = ("duration", "five years or more is no booking", "Book less time")
MISSING = ("duration", "is missing", "An occurrence that changes its kind needs a length")
KIND = {"showWithoutTime": True, "start": "2026-12-08"}


@pytest.mark.parametrize(
    ("patch", "wrong"),
    [
        ({"foo": 1}, [("foo", "this member is not known here", "Check its spelling, or drop it")]),
        ({"recurrenceRule": {}},
         [("recurrenceRule", "this member is not known here", "Check its spelling, or drop it")]),
        ({"excluded": "yes"}, [("excluded", "must be true or false", "")]),
        ({"showWithoutTime": 1}, [("showWithoutTime", "must be true or false", "")]),
        ({"start": "2200-01-01"}, [("start", YEARS, "")]),
        ({"title": 5}, [("title", "must be a string", "")]),
        ({"title": "x" * 262_145},
         [("title", "must have at most 262144 characters, has 262145", "")]),
        ({"privacy": "none"},
         [("privacy", "is not one of the known values", "Use public, private, secret")]),
        ({"showWithoutTime": True, "duration": "P1D"}, [MIDNIGHT]),
        ({**KIND, "start": "2026-12-08T00:00:01", "duration": "P1D"}, [MIDNIGHT]),
        ({**KIND}, [MISSING]),
        ({**KIND, "duration": "PT24H"}, [WHOLE]),
        ({**KIND, "duration": "P1DT1H"}, [WHOLE]),
        ({**KIND, "duration": "P0D"}, [WHOLE]),
        ({"showWithoutTime": True, "duration": "PT1H"}, [MIDNIGHT, WHOLE]),
        ({"duration": "P1825D"}, [TOO_LONG]),
        ({"duration": "P1824DT24H"}, [TOO_LONG]),
        ({"duration": "P1824DT23H59M60S", "title": 5},
         [("title", "must be a string", ""), TOO_LONG]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_one_date(
    patch: dict[str, object], wrong: list[tuple[str, str, str]]
) -> None:
    at = f"/recurrenceOverrides/{KEY}/"
    assert problems(patched(patch)) == [FieldError(at + name, *rest) for name, *rest in wrong]


def test_a_day_that_gets_a_time_needs_a_length() -> None:
    at = "/recurrenceOverrides/2026-12-08/duration"
    timed = {"showWithoutTime": False, "start": "2026-12-08T09:00:00"}
    assert problems(day_patched(timed)) == [FieldError(at, *MISSING[1:])]
    assert problems(day_patched({"duration": "PT1H"})) == [FieldError(at, *WHOLE[1:])]


@pytest.mark.parametrize(
    ("patch", "end"),
    [
        ({"duration": "P1824D"}, SLOT + 1824 * DAY),
        ({"duration": "P1824DT23H59M59S"}, SLOT + 1825 * DAY - timedelta(seconds=1)),
        ({"title": "x" * 262_144}, SLOT + HOUR),
    ],
)
def test_how_much_a_date_may_be(patch: dict[str, object], end: datetime) -> None:
    (found,) = read(patched(patch)).overrides
    assert found.end == end


def test_every_problem_of_every_date_is_said() -> None:
    overrides = {KEY: {"title": 5}, "x": {}, "2026-12-15T09:00:00": {"duration": "x"}, "y": 1}
    assert [e.pointer for e in problems({**WEEKLY, "recurrenceOverrides": overrides})] == [
        f"/recurrenceOverrides/{KEY}/title",
        "/recurrenceOverrides/x",
        "/recurrenceOverrides/2026-12-15T09:00:00/duration",
        "/recurrenceOverrides/y",
    ]
