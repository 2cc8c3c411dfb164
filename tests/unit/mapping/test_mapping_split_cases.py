"""Single cases of split and join."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calsync.errors import MappingError, UnsayableRecurrence
from calsync.mapping.canon import canonical_occupancy
from calsync.mapping.expand import instances
from calsync.mapping.rrule import parse_rrule
from calsync.mapping.split import Part, goes_on, join, split, why_unsayable
from calsync.model import Interval, Occupancy, Override, Recurrence

BERLIN = "Europe/Berlin"
HORIZON = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def booking(
    text: str,
    start: datetime = datetime(2026, 1, 5, 9),
    length: timedelta = timedelta(hours=1),
    moved: dict[datetime, timedelta] | None = None,
) -> Occupancy:
    overrides = tuple(
        Override(recurrence_id=at, start=at + by, end=at + by + length)
        for at, by in (moved or {}).items()
    )
    rule = parse_rrule(text, start=start, zone=BERLIN, all_day=False)
    return canonical_occupancy(
        Occupancy(
            start=start,
            end=start + length,
            zone=BERLIN,
            recurrence=Recurrence(rule=rule, overrides=overrides),
        )
    )


def parts_of(occ: Occupancy) -> list[Part]:
    return split(occ, BERLIN, HORIZON)


def suffixes(occ: Occupancy) -> list[str]:
    return [part.suffix for part in parts_of(occ)]


def starts(occ: Occupancy) -> list[datetime]:
    return [i.start for i in instances(occ, HORIZON, BERLIN)]


def monday(weeks: int) -> datetime:
    return datetime(2026, 1, 5, 9) + timedelta(weeks=weeks)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("FREQ=WEEKLY", [""]),
        ("FREQ=MONTHLY;BYMONTHDAY=5,20", ["s1", "s2"]),
        ("FREQ=MONTHLY;BYDAY=1MO,3MO", ["s1", "s2"]),
        ("FREQ=MONTHLY;BYDAY=1MO,2TU", ["s1", "s2"]),
        ("FREQ=YEARLY;BYMONTH=1,6;BYMONTHDAY=5", ["s1", "s2"]),
        ("FREQ=YEARLY;BYMONTH=1,6;BYMONTHDAY=5,6", ["s1", "s2", "s3", "s4"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", [f"s{n}" for n in range(1, 8)]),
        ("FREQ=DAILY;BYMONTH=1;COUNT=3", ["x20260105T0900", "x20260106T0900", "x20260107T0900"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-2;COUNT=2", ["x20260130T0900", "x20260227T0900"]),
    ],
)
def test_into_what_a_rule_is_cut(text: str, names: list[str]) -> None:
    occ = booking(text)
    assert suffixes(occ) == names
    together = sorted(at for part in parts_of(occ) for at in starts(part.occupancy))
    assert together == starts(occ)
    assert (why_unsayable(occ) is None) == (names == [""])


def test_occurrences_longer_than_their_gap_take_turns() -> None:
    occ = booking("FREQ=DAILY", length=timedelta(hours=36))
    assert suffixes(occ) == ["s1", "s2"]
    together = sorted(at for part in parts_of(occ) for at in starts(part.occupancy))
    assert together == starts(occ)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY;BYMONTH=1",
        "FREQ=MONTHLY;BYMONTHDAY=29",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=MONTHLY;BYDAY=4MO,-1MO",
    ],
)
def test_endless_and_unsayable_is_refused_with_advice(text: str) -> None:
    with pytest.raises(UnsayableRecurrence) as refused:
        parts_of(booking(text))
    assert refused.value.todo
    assert why_unsayable(booking(text)) == refused.value.what


def test_a_long_rule_is_written_date_by_date_in_the_horizon_only() -> None:
    occ = booking("FREQ=DAILY;BYMONTH=1,2,3;COUNT=500")
    found = parts_of(occ)
    assert [part.occupancy.start.replace(tzinfo=UTC) for part in found] == starts(occ)
    assert len(found) == 27 + 28 + 31


def test_too_many_dates_are_refused() -> None:
    occ = booking("FREQ=DAILY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11;COUNT=4000")
    far = Interval(HORIZON.start, HORIZON.start + timedelta(days=3000))
    with pytest.raises(UnsayableRecurrence, match="more than 400 dates"):
        split(occ, BERLIN, far)


@pytest.mark.parametrize(
    ("days", "stays"), [(6, True), (-6, True), (7, False), (-7, False), (9, False), (-20, False)]
)
def test_an_override_past_its_neighbour_stands_alone(days: int, stays: bool) -> None:
    occ = booking("FREQ=WEEKLY;COUNT=6", moved={monday(2): timedelta(days=days)})
    assert suffixes(occ) == ([""] if stays else ["", "x20260119T0900"])


def test_two_that_pass_each_other_do_not_share_a_series() -> None:
    moves = {monday(2): timedelta(days=5), monday(3): timedelta(days=-5)}
    assert suffixes(booking("FREQ=WEEKLY;COUNT=6", moved=moves)) == ["", "x20260126T0900"]


def test_an_additional_occurrence_stands_alone() -> None:
    extra = {datetime(2026, 1, 7, 15): timedelta(0)}
    occ = booking("FREQ=WEEKLY;COUNT=6", moved=extra)
    assert suffixes(occ) == ["", "x20260107T1500"]
    assert why_unsayable(occ) == "it has an additional occurrence on 2026-01-07"
    assert why_unsayable(CROSSED) == "its occurrence of 2026-01-19 moves past another one"


def test_a_series_whose_only_date_moved_is_no_series() -> None:
    extra = {datetime(2026, 1, 7, 15): timedelta(0)}
    whole = booking("FREQ=WEEKLY;COUNT=1", moved=extra)
    assert whole.recurrence is not None
    empty = replace(whole, recurrence=replace(whole.recurrence, excluded=(monday(0),)))
    assert suffixes(empty) == ["x20260107T1500"]


CROSSED = booking("FREQ=WEEKLY;COUNT=6", moved={monday(2): timedelta(days=9)})


def test_joining_a_moved_single() -> None:
    single = next(part for part in parts_of(CROSSED) if part.suffix).occupancy
    later = replace(
        single, start=single.start + timedelta(hours=1), end=single.end + timedelta(hours=1)
    )
    joined = join(CROSSED, "x20260119T0900", later)
    assert [part.occupancy for part in parts_of(joined) if part.suffix] == [later]
    assert parts_of(joined)[0] == parts_of(CROSSED)[0]


def test_joining_a_removed_single() -> None:
    joined = join(CROSSED, "x20260119T0900", None)
    assert joined.recurrence is not None
    assert joined.recurrence.excluded == (monday(2),)
    assert joined.recurrence.overrides == ()


def test_joining_a_removed_series_leaves_the_single() -> None:
    joined = join(CROSSED, "", None)
    assert [part.suffix for part in parts_of(joined)] == ["x20260119T0900"]


def test_joining_an_exclusion_in_the_main_series() -> None:
    main = parts_of(CROSSED)[0].occupancy
    assert main.recurrence is not None
    fewer = replace(
        main, recurrence=replace(main.recurrence, excluded=(monday(1), *main.recurrence.excluded))
    )
    joined = join(CROSSED, "", canonical_occupancy(fewer))
    assert parts_of(joined)[0].occupancy == canonical_occupancy(fewer)
    assert suffixes(joined) == ["", "x20260119T0900"]


def test_joining_a_moved_piece_of_a_cut_rule() -> None:
    occ = booking("FREQ=MONTHLY;BYMONTHDAY=5,20;COUNT=6")
    piece = parts_of(occ)[1].occupancy
    later = replace(
        piece, start=piece.start + timedelta(hours=2), end=piece.end + timedelta(hours=2)
    )
    joined = join(occ, "s2", later)
    assert starts(joined) == sorted([*starts(parts_of(occ)[0].occupancy), *starts(later)])


def test_what_cannot_be_joined_is_refused_with_advice() -> None:
    endless = booking("FREQ=MONTHLY;BYMONTHDAY=5,20")
    single = Occupancy(start=monday(0), end=monday(0), zone="UTC")
    for occ, suffix, changed in (
        (endless, "s1", None),
        (endless, "s9", None),
        (single, "", None),
        (single, "x20260119T0900", single),
        (booking("FREQ=WEEKLY"), "", None),
        (CROSSED, "xyz", None),
        (CROSSED, "x20260119T0900", endless),
    ):
        with pytest.raises(MappingError) as refused:
            join(occ, suffix, changed)
        assert refused.value.todo


@pytest.mark.parametrize(
    ("suffix", "lives"),
    [
        ("", True),
        ("s1", True),
        ("x20260106T0900", True),
        ("x20260107T0900", False),
        ("x20260106T1000", False),
        ("x20260120T0900", False),
        ("x, what is that", False),
    ],
)
def test_whether_what_an_item_said_lives_on_without_it(suffix: str, lives: bool) -> None:
    """Of the second date, the third (removed), one at another time, and one after the last."""
    occ = booking("FREQ=DAILY;COUNT=5")
    assert occ.recurrence is not None
    less = replace(occ.recurrence, excluded=(datetime(2026, 1, 7, 9),))
    assert goes_on(replace(occ, recurrence=less), suffix) is lives
    single = replace(occ, recurrence=None)
    assert goes_on(single, suffix) is (suffix[:1] != "x")
