"""The dates of a rule (RFC 5545 section 3.3.10), the first and last one, and their neighbours."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from calsync.mapping import dates
from calsync.model import Frequency, Nth, Rule, Weekday

DAY = timedelta(days=1)
#: A Monday.
START = date(2026, 1, 5)
ENDS = date(4500, 8, 31)


def raw(text: str) -> Rule:
    """The rule as it is spelt, in no other form."""
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
        count=int(given["COUNT"]) if "COUNT" in given else None,
        until=date.fromisoformat(given["UNTIL"]) if "UNTIL" in given else None,
    )


def shown(days: list[date]) -> str:
    return " ".join(f"{day:%y%m%d}" for day in days)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("DAILY", "260105 260106 260107 260108"),
        ("DAILY;INTERVAL=3", "260105 260108 260111 260114"),
        ("DAILY;BYDAY=SA,SU", "260110 260111 260117 260118"),
        ("DAILY;BYMONTH=2", "260201 260202 260203 260204"),
        ("DAILY;INTERVAL=2;BYDAY=TU", "260113 260127 260210 260224"),
        ("DAILY;INTERVAL=2;BYMONTHDAY=5,8", "260105 260208 260308 260405"),
        ("DAILY;BYMONTHDAY=-1", "260131 260228 260331 260430"),
        ("DAILY;BYMONTHDAY=1;BYDAY=SU", "260201 260301 261101 270801"),
        ("WEEKLY", "260105 260112 260119 260126"),
        ("WEEKLY;BYDAY=SU,TU", "260106 260111 260113 260118"),
        ("WEEKLY;INTERVAL=2;BYDAY=MO,SU", "260105 260111 260119 260125"),
        ("WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU", "260105 260118 260119 260201"),
        ("WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=TU", "260105 260118 260119 260201"),
        ("WEEKLY;BYDAY=MO,TU,WE;BYSETPOS=1,-1", "260105 260107 260112 260114"),
        ("WEEKLY;BYMONTH=1,3", "260105 260112 260119 260126"),
        ("WEEKLY;BYMONTH=3", "260302 260309 260316 260323"),
        ("MONTHLY", "260105 260205 260305 260405"),
        ("MONTHLY;INTERVAL=5", "260105 260605 261105 270405"),
        ("MONTHLY;BYMONTHDAY=16,5", "260105 260116 260205 260216"),
        ("MONTHLY;BYMONTHDAY=1,8", "260108 260201 260208 260301"),
        ("MONTHLY;BYMONTHDAY=31", "260131 260331 260531 260731"),
        ("MONTHLY;BYMONTHDAY=-1,-31", "260131 260228 260301 260331"),
        ("MONTHLY;BYMONTH=2,12", "260205 261205 270205 271205"),
        ("MONTHLY;BYDAY=1MO", "260105 260202 260302 260406"),
        ("MONTHLY;BYDAY=5MO,-5TU", "260303 260330 260602 260629"),
        ("MONTHLY;BYDAY=-1SA", "260131 260228 260328 260425"),
        ("MONTHLY;BYDAY=FR;BYMONTHDAY=13", "260213 260313 261113 270813"),
        ("MONTHLY;BYDAY=SA,SU;BYSETPOS=-1", "260131 260228 260329 260426"),
        ("YEARLY", "260105 270105 280105 290105"),
        ("YEARLY;INTERVAL=3", "260105 290105 320105 350105"),
        ("YEARLY;BYMONTH=3,12", "260305 261205 270305 271205"),
        ("YEARLY;BYMONTHDAY=1", "260201 260301 260401 260501"),
        ("YEARLY;BYMONTHDAY=31", "260131 260331 260531 260731"),
        ("YEARLY;BYMONTH=2;BYMONTHDAY=29", "280229 320229 360229 400229"),
        ("YEARLY;BYDAY=1MO", "260105 270104 280103 290101"),
        ("YEARLY;BYDAY=-1TH", "261231 271230 281228 291227"),
        ("YEARLY;BYDAY=53FR", "271231 321231 381231 441230"),
        ("YEARLY;BYDAY=-1SU", "261227 271226 281231 291230"),
        ("YEARLY;BYDAY=20MO", "260518 270517 280515 290514"),
        ("YEARLY;BYDAY=FR;BYMONTHDAY=13", "260213 260313 261113 270813"),
        ("YEARLY;BYDAY=SA;BYMONTHDAY=-1", "260131 260228 261031 270731"),
        ("YEARLY;BYMONTH=1;BYDAY=2MO", "260112 270111 280110 290108"),
        ("YEARLY;BYMONTH=1;BYMONTHDAY=1,2,3;BYSETPOS=-1", "270103 280103 290103 300103"),
    ],
)
def test_the_first_dates(text: str, wanted: str) -> None:
    found = list(dates.dates(raw(text), START, START, date(2060, 1, 1)))
    assert shown(found[: len(wanted.split())]) == wanted


def test_every_monday_of_a_year_in_its_order() -> None:
    mondays = [START + timedelta(weeks=n) for n in range(52)]
    rule = raw("YEARLY;BYDAY=MO")
    assert list(dates.dates(rule, START, START, date(2026, 12, 31))) == mondays


@pytest.mark.parametrize(
    ("text", "start", "low", "wanted"),
    [
        ("DAILY;INTERVAL=7", date(1900, 1, 1), date(2200, 1, 1), "000106 000113"),
        ("DAILY", date(1900, 1, 1), date(2200, 1, 1), "000101 000102"),
        ("WEEKLY", date(1900, 1, 1), date(4000, 1, 1), "000103 000110"),
        ("WEEKLY;INTERVAL=2", date(1900, 1, 1), date(4000, 1, 1), "000110 000124"),
        ("MONTHLY;INTERVAL=5", date(1900, 1, 1), date(4000, 1, 1), "000101 000601"),
        ("MONTHLY", date(1900, 1, 31), date(4000, 2, 1), "000331 000531"),
        ("YEARLY;INTERVAL=3", date(1900, 1, 1), date(4000, 1, 1), "000101 030101"),
        ("YEARLY;INTERVAL=3", date(1901, 1, 1), date(4000, 1, 1), "010101 040101"),
    ],
)
def test_a_span_far_from_the_start(text: str, start: date, low: date, wanted: str) -> None:
    """Work starts near the span: nothing is counted up to it."""
    found = dates.dates(raw(text), start, low, low + timedelta(days=4000))
    assert shown([next(found), next(found)]) == wanted


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (date(2026, 1, 1), date(2026, 1, 4), ""),
        (date(2026, 1, 1), date(2026, 1, 5), "260105"),
        (date(2026, 1, 5), date(2026, 1, 12), "260105 260112"),
        (date(2026, 1, 6), date(2026, 1, 11), ""),
        (date(2026, 1, 12), date(2026, 1, 12), "260112"),
        (date(2026, 1, 12), date(2026, 1, 11), ""),
        (date(2026, 1, 26), date(2026, 2, 20), "260126"),
    ],
)
@pytest.mark.parametrize("end", ["COUNT=4", "UNTIL=2026-01-26"])
def test_both_ends_of_a_span_belong_to_it(low: date, high: date, wanted: str, end: str) -> None:
    assert shown(list(dates.dates(raw(f"WEEKLY;{end}"), START, low, high))) == wanted


@pytest.mark.parametrize("text", ["DAILY", "WEEKLY;BYDAY=MO", "MONTHLY;BYMONTHDAY=31", "YEARLY"])
def test_nothing_behind_the_end_of_time(text: str) -> None:
    """Outlook's is the last of August 4500, a Tuesday."""
    start = date(4500, 8, 1)
    found = list(dates.dates(raw(text), start, start, date.max))
    last = {"DAILY": ENDS, "WEEKLY;BYDAY=MO": ENDS - DAY, "MONTHLY;BYMONTHDAY=31": ENDS}
    assert found[-1] == last.get(text, start)
    assert not list(dates.dates(raw(text), ENDS + DAY, ENDS + DAY, date.max))
    assert dates.last(raw(f"{text};COUNT=2"), date.max) is None


@pytest.mark.parametrize(
    ("text", "start", "wanted"),
    [
        ("WEEKLY;BYDAY=MO,TU;INTERVAL=2", date(1, 1, 2), "010102 010115 010116"),
        ("WEEKLY;BYDAY=MO,TU;INTERVAL=2", date(1, 1, 1), "010101 010102 010115"),
        ("WEEKLY;BYDAY=SU,MO;INTERVAL=2;WKST=SU", date(1, 1, 1), "010101 010107 010115"),
    ],
)
def test_the_first_week_of_the_calendar(text: str, start: date, wanted: str) -> None:
    """The Sunday before the first Monday of all is no date: that week begins with its start."""
    found = list(dates.dates(raw(text), start, start, date(1, 1, 31)))
    assert shown(found[:3]) == wanted


@pytest.mark.parametrize(
    ("text", "day", "has"),
    [
        ("YEARLY;BYMONTH=1;BYMONTHDAY=1", date(2027, 1, 1), True),
        ("MONTHLY;BYMONTHDAY=1", date(2026, 2, 1), True),
        ("MONTHLY;BYMONTHDAY=1", date(2026, 1, 1), False),  # before the start
        ("WEEKLY", date(2026, 1, 12), True),
        ("WEEKLY", date(2026, 1, 13), False),
        ("DAILY", date(2026, 1, 5), True),
        ("DAILY", date(2026, 1, 4), False),
        ("DAILY;COUNT=3", date(2026, 1, 7), True),
        ("DAILY;COUNT=3", date(2026, 1, 8), False),
        ("DAILY;UNTIL=2026-01-07", date(2026, 1, 7), True),
        ("DAILY;UNTIL=2026-01-07", date(2026, 1, 8), False),
    ],
)
def test_whether_a_date_is_one_of_the_rule(text: str, day: date, has: bool) -> None:
    assert dates.has(raw(text), START, day) is has


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("DAILY;COUNT=1", date(2026, 1, 5), date(2026, 1, 5)),
        ("DAILY;COUNT=3", date(2026, 1, 5), date(2026, 1, 7)),
        ("WEEKLY;BYDAY=SU;COUNT=2", date(2026, 1, 11), date(2026, 1, 18)),
        ("WEEKLY", date(2026, 1, 5), None),
        ("WEEKLY;UNTIL=2026-01-05", date(2026, 1, 5), date(2026, 1, 5)),
        ("WEEKLY;UNTIL=2026-01-04", None, None),
        ("WEEKLY;UNTIL=2026-01-11", date(2026, 1, 5), date(2026, 1, 5)),
        ("WEEKLY;UNTIL=2026-01-12", date(2026, 1, 5), date(2026, 1, 12)),
        ("WEEKLY;UNTIL=2199-12-31", date(2026, 1, 5), date(2199, 12, 30)),
        ("YEARLY;BYMONTH=2;BYMONTHDAY=29;UNTIL=2103-12-31", date(2028, 2, 29), date(2096, 2, 29)),
        ("DAILY;BYMONTH=2;BYMONTHDAY=29;UNTIL=2103-12-31", date(2028, 2, 29), date(2096, 2, 29)),
        # Behind the walk's bound, and without a date at all: looked for from the end.
        ("DAILY;BYDAY=MO;UNTIL=2999-12-31", date(2026, 1, 5), date(2999, 12, 30)),
        ("DAILY;BYMONTH=2;BYMONTHDAY=30;UNTIL=2300-01-01", None, None),
        ("WEEKLY;BYDAY=TU;UNTIL=2026-01-05", None, None),
        ("DAILY;BYSETPOS=2;COUNT=3", None, None),
        ("YEARLY;BYMONTH=2;BYMONTHDAY=30;UNTIL=2040-01-01", None, None),
    ],
)
def test_first_and_last(text: str, first: date | None, last: date | None) -> None:
    assert dates.first(raw(text), START) == first
    assert dates.last(raw(text), START) == last


def test_the_last_date_near_the_begin_of_the_calendar() -> None:
    assert dates.last(raw("DAILY;UNTIL=0001-01-03"), date(1, 1, 1)) == date(1, 1, 3)
    assert dates.neighbours(raw("DAILY"), date.min, date.min) == (None, date(1, 1, 2))


@pytest.mark.parametrize(
    ("text", "start", "day", "before", "after"),
    [
        ("DAILY", START, date(2026, 1, 5), None, date(2026, 1, 6)),
        ("DAILY", START, date(2026, 1, 6), date(2026, 1, 5), date(2026, 1, 7)),
        ("DAILY", START, date(2026, 3, 6), date(2026, 3, 5), date(2026, 3, 7)),
        ("DAILY;COUNT=2", START, date(2026, 1, 6), date(2026, 1, 5), None),
        ("DAILY;INTERVAL=999", START, date(2028, 9, 30), START, date(2031, 6, 26)),
        ("WEEKLY;BYDAY=MO,SU", START, date(2026, 1, 11), START, date(2026, 1, 12)),
        ("WEEKLY;INTERVAL=999", START, date(2045, 2, 27), START, date(2064, 4, 21)),
        ("MONTHLY;BYDAY=1MO", date(2026, 6, 1), date(2026, 6, 1), None, date(2026, 7, 6)),
        (
            "MONTHLY;BYDAY=1MO",
            date(2026, 1, 5),
            date(2026, 7, 6),
            date(2026, 6, 1),
            date(2026, 8, 3),
        ),
        ("WEEKLY;INTERVAL=3", START, date(2027, 3, 1), date(2027, 2, 8), date(2027, 3, 22)),
        ("MONTHLY;INTERVAL=501", START, date(2067, 10, 5), START, date(2109, 7, 5)),
        ("YEARLY;INTERVAL=800", START, date(2826, 1, 5), START, date(3626, 1, 5)),
        ("YEARLY;BYMONTH=1;BYDAY=1SA", date(2028, 1, 1), date(2028, 1, 1), None, date(2029, 1, 6)),
        ("DAILY", START, ENDS, ENDS - DAY, None),
        ("DAILY", START, date.max, None, None),
    ],
)
def test_the_neighbours_of_a_date(
    text: str, start: date, day: date, before: date | None, after: date | None
) -> None:
    assert dates.neighbours(raw(text), start, day) == (before, after)


@pytest.mark.parametrize(("count", "kept"), [(998, True), (999, True), (1000, False)])
def test_only_short_lists_of_dates_are_kept(count: int, kept: bool) -> None:
    """A thousand rules of ten thousand dates each would fill the memory."""
    rule = raw(f"DAILY;COUNT={count}")
    found = dates.counted(rule, START)
    assert found == tuple(START + n * DAY for n in range(count))
    assert (dates.counted(rule, START) is found) is kept


@pytest.mark.parametrize(("count", "given"), [(9_999, 9_999), (10_000, 10_000), (10_001, 10_000)])
def test_a_count_is_walked_to_its_bound(count: int, given: int) -> None:
    assert dates.last(raw(f"DAILY;COUNT={count}"), START) == START + (given - 1) * DAY


def test_a_walk_ends_after_100_000_periods() -> None:
    far = dates.dates(raw("DAILY;BYDAY=MO,TU,WE,TH,FR,SA,SU"), START, START, ENDS)
    assert sum(1 for _ in far) == 100_000


@pytest.mark.parametrize(
    "text", ["DAILY;BYMONTH=2;BYMONTHDAY=30", "YEARLY;BYMONTH=2;BYMONTHDAY=30"]
)
def test_a_rule_that_never_matches_ends(text: str) -> None:
    assert list(dates.dates(raw(text), START, START, ENDS)) == []


def test_the_rarest_date_is_found() -> None:
    """A 29 February on a given weekday may be 40 years away."""
    rule = raw("DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU")
    assert dates.first(rule, date(2088, 3, 1)) == date(2128, 2, 29)


@pytest.mark.parametrize(
    ("positions", "wanted"),
    [
        ((1,), "a"),
        ((4,), "d"),
        ((5,), ""),
        ((-1,), "d"),
        ((-4,), "a"),
        ((-5,), ""),
        ((-1, 1), "ad"),
        ((2, -3), "b"),
        ((), ""),
    ],
)
def test_positions_count_from_either_end(positions: tuple[int, ...], wanted: str) -> None:
    assert "".join(dates.picked("abcd", positions)) == wanted
