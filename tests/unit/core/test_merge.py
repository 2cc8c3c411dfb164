"""Three-way merge: only a field that both sides changed to different values is a conflict."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from calsync.conflicts.merge import merge, same_schedule
from calsync.model import Busy, Frequency, Occupancy, Override, Recurrence, Rule, Side

START = datetime(2026, 3, 2, 9)
SINGLE = Occupancy(start=START, end=START + timedelta(hours=1), zone="UTC", title="t")
DAYS = [START + timedelta(days=n) for n in range(4)]
SERIES = replace(
    SINGLE,
    zone="Europe/Berlin",
    recurrence=Recurrence(rule=Rule(frequency=Frequency.DAILY, count=4)),
)


@st.composite
def singles(draw: st.DrawFn) -> Occupancy:
    start = START + timedelta(hours=draw(st.integers(0, 2)))
    private = draw(st.booleans())
    return replace(
        SINGLE,
        start=start,
        end=start + timedelta(hours=1),
        title=None if private else draw(st.sampled_from(["a", "b", "c"])),
        busy=draw(st.sampled_from(list(Busy)[:3])),
        private=private,
    )


@st.composite
def series(draw: st.DrawFn) -> Occupancy:
    fate = [draw(st.sampled_from(["ruled", "excluded", "later", "longer"])) for _ in DAYS]
    overrides = tuple(
        Override(
            recurrence_id=d,
            start=d + timedelta(minutes=30 if f == "later" else 0),
            end=d + timedelta(minutes=90 if f == "later" else 120),
            title="t",
        )
        for d, f in zip(DAYS, fate, strict=True)
        if f in ("later", "longer")
    )
    excluded = tuple(d for d, f in zip(DAYS, fate, strict=True) if f == "excluded")
    assert SERIES.recurrence is not None
    return replace(
        SERIES,
        title=draw(st.sampled_from(["t", "u"])),
        recurrence=replace(SERIES.recurrence, excluded=excluded, overrides=overrides),
    )


items = st.one_of(singles(), series())


@given(items, items, st.sampled_from(list(Side)))
def test_one_sided_changes_are_taken_whole(base: Occupancy, other: Occupancy, winner: Side) -> None:
    assert merge(base, other, base, winner).value == other
    assert merge(base, base, other, winner).value == other
    assert merge(base, other, base, winner).conflicts == ()


@given(items, items, items, st.sampled_from(list(Side)))
def test_merge_is_idempotent(
    base: Occupancy, mine: Occupancy, theirs: Occupancy, winner: Side
) -> None:
    """Writing the merged value on one side and merging again changes nothing: what a crash
    between the two writes leads to."""
    merged = merge(base, mine, theirs, winner).value
    assert merge(base, merged, theirs, winner).value == merged
    assert merge(base, mine, merged, winner).value == merged


@given(items, items, items)
def test_the_winner_is_only_asked_in_a_conflict(
    base: Occupancy, mine: Occupancy, theirs: Occupancy
) -> None:
    a, b = (merge(base, mine, theirs, side) for side in Side)
    if not a.conflicts:
        assert a.value == b.value
    assert a.conflicts == b.conflicts


@given(items, items)
def test_mirror_image(mine: Occupancy, theirs: Occupancy) -> None:
    """Swapping the sides and the winner gives the same value."""
    one = merge(SINGLE, mine, theirs, Side.BOOKING)
    two = merge(SINGLE, theirs, mine, Side.CALENDAR)
    assert one.value == two.value


def test_two_people_change_two_dates() -> None:
    assert SERIES.recurrence is not None
    mine = replace(SERIES, recurrence=replace(SERIES.recurrence, excluded=(DAYS[1],)))
    theirs = replace(SERIES, recurrence=replace(SERIES.recurrence, excluded=(DAYS[2],)))
    merged = merge(SERIES, mine, theirs, Side.BOOKING)
    assert merged.conflicts == ()
    assert merged.value.recurrence is not None
    assert merged.value.recurrence.excluded == (DAYS[1], DAYS[2])


def test_one_date_excluded_and_moved_is_a_conflict_about_that_date() -> None:
    assert SERIES.recurrence is not None
    moved = Override(
        recurrence_id=DAYS[1], start=DAYS[1] + timedelta(hours=2), end=DAYS[1] + timedelta(hours=3)
    )
    mine = replace(SERIES, recurrence=replace(SERIES.recurrence, excluded=(DAYS[1],)))
    theirs = replace(SERIES, recurrence=replace(SERIES.recurrence, overrides=(moved,)))
    merged = merge(SERIES, mine, theirs, Side.CALENDAR)
    assert merged.conflicts == ("date 2026-03-03 09:00",)
    assert merged.value == theirs


def test_same_schedule_ignores_what_is_not_time() -> None:
    assert same_schedule(SINGLE, replace(SINGLE, title="x", busy=Busy.FREE))
    assert not same_schedule(SINGLE, replace(SINGLE, end=START + timedelta(hours=2)))
