"""Three-way merge: only a field that both sides changed to different values is a conflict."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.conflicts.merge import agreed, covers, merge, same_grid, same_schedule
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
def test_what_both_sides_show_is_agreed_on_and_nothing_else(
    base: Occupancy, other: Occupancy
) -> None:
    assert agreed(base, other, other) == other
    assert agreed(base, base, other) == base
    assert agreed(base, other, base) == base


@given(items, items, items, st.sampled_from(list(Side)))
def test_after_half_of_a_merge_what_it_wrote_is_agreed_on(
    base: Occupancy, mine: Occupancy, theirs: Occupancy, winner: Side
) -> None:
    """The event has the merged value, the booking not yet: what is left is the event's change."""
    merged = merge(base, mine, theirs, winner).value
    step = agreed(base, mine, merged)
    assert step == agreed(base, merged, mine)
    rest = merge(step, mine, merged, winner)
    assert (rest.value, agreed(step, mine, merged)) == (merged, step)


def test_half_of_a_merge_field_by_field() -> None:
    booking = replace(SINGLE, title="new", busy=Busy.OOF, end=START + timedelta(hours=2))
    event = replace(SINGLE, title="new", busy=Busy.FREE)
    assert agreed(SINGLE, booking, event) == replace(SINGLE, title="new")
    assert agreed(SINGLE, replace(booking, busy=Busy.FREE), event) == replace(
        SINGLE, title="new", busy=Busy.FREE
    )
    moved = replace(event, end=booking.end)
    assert agreed(SINGLE, booking, moved) == replace(SINGLE, title="new", end=booking.end)
    hidden = replace(SINGLE, private=True, title=None)
    assert agreed(SINGLE, hidden, hidden) == hidden


def test_half_of_a_merge_date_by_date() -> None:
    assert SERIES.recurrence is not None
    one, both = (replace(SERIES.recurrence, excluded=tuple(DAYS[:n])) for n in (1, 2))
    booking, event = replace(SERIES, recurrence=one), replace(SERIES, recurrence=both)
    assert agreed(SERIES, booking, event) == booking
    assert agreed(event, booking, SERIES) == replace(
        event, recurrence=replace(both, excluded=(DAYS[0],))
    )


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


NINE_DAYS = Recurrence(rule=Rule(frequency=Frequency.DAILY, count=9))
WHOLE_DAY = replace(
    SINGLE, start=datetime(2026, 3, 2), end=datetime(2026, 3, 3), zone=None, all_day=True
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SINGLE, replace(SINGLE, start=START + timedelta(minutes=30))),
        (SINGLE, replace(SINGLE, end=START + timedelta(hours=2))),
        (SERIES, replace(SERIES, zone="Europe/Vienna")),
        (SERIES, replace(SERIES, recurrence=NINE_DAYS)),
        (SERIES, replace(SERIES, recurrence=None)),
        (WHOLE_DAY, replace(WHOLE_DAY, zone="UTC", all_day=False)),
    ],
    ids=["start", "end", "zone", "rule", "no rule", "all day"],
)
def test_what_belongs_to_the_grid_and_to_the_schedule(one: Occupancy, other: Occupancy) -> None:
    assert same_grid(one, one)
    assert not same_grid(one, other)
    assert same_schedule(one, one)
    assert not same_schedule(one, other)


def test_what_does_not() -> None:
    """Titles and the like are no time; exceptions are time, but give no recurrence-ids."""
    looks = replace(SERIES, title="x", busy=Busy.FREE)
    assert same_schedule(SERIES, looks)
    assert same_grid(SERIES, looks)
    less = replace(SERIES, recurrence=replace(SERIES.recurrence, excluded=(DAYS[1],)))
    assert not same_schedule(SERIES, less)
    assert same_grid(SERIES, less)


@pytest.mark.parametrize("winner", Side)
@pytest.mark.parametrize(
    ("mine", "theirs", "fields"),
    [
        ({"title": "a"}, {"title": "b"}, ("title",)),
        ({"busy": Busy.OOF}, {"busy": Busy.TENTATIVE}, ("busy",)),
        ({"title": "a", "busy": Busy.OOF}, {"title": "b"}, ("title",)),
        ({"title": "a", "busy": Busy.OOF}, {"title": "a", "busy": Busy.FREE}, ("busy",)),
        ({"end": START + timedelta(hours=2)}, {"end": START + timedelta(hours=3)}, ("schedule",)),
        (
            {"end": START + timedelta(hours=2), "title": "a"},
            {"end": START + timedelta(hours=3), "title": "b"},
            ("title", "schedule"),
        ),
    ],
)
def test_a_conflict_names_its_fields_and_the_winner_has_its_values(
    mine: dict[str, object], theirs: dict[str, object], fields: tuple[str, ...], winner: Side
) -> None:
    one, two = replace(SINGLE, **mine), replace(SINGLE, **theirs)
    merged = merge(SINGLE, one, two, winner)
    assert merged.conflicts == fields
    value = {**theirs, **mine} if winner is Side.BOOKING else {**mine, **theirs}
    assert merged.value == replace(SINGLE, **value)


@pytest.mark.parametrize("private_on", Side)
def test_what_one_side_made_private_shows_no_title_though_the_other_changed_it(
    private_on: Side,
) -> None:
    hidden, renamed = replace(SINGLE, title=None, private=True), replace(SINGLE, title="new")
    sides = (hidden, renamed) if private_on is Side.BOOKING else (renamed, hidden)
    for winner in Side:
        merged = merge(SINGLE, *sides, winner)
        assert merged.value.private
        assert merged.value.title is None


@pytest.mark.parametrize("winner", Side)
def test_without_a_base_the_winner_has_everything(winner: Side) -> None:
    other = replace(SINGLE, title="other")
    merged = merge(None, SINGLE, other, winner)
    assert merged.conflicts == ("everything",)
    assert merged.value == (SINGLE if winner is Side.BOOKING else other)
    assert merge(None, SINGLE, SINGLE, winner).conflicts == ()


@pytest.mark.parametrize("winner", Side)
def test_a_date_that_both_changed_goes_to_the_winner_and_the_others_are_kept(winner: Side) -> None:
    def on(day: datetime, hours: int) -> Override:
        later = day + timedelta(hours=hours)
        return Override(recurrence_id=day, start=later, end=later + timedelta(hours=1), title="t")

    assert SERIES.recurrence is not None
    was = replace(SERIES.recurrence, excluded=(DAYS[0],), overrides=(on(DAYS[3], 1),))
    base = replace(SERIES, recurrence=was)
    mine = replace(was, overrides=(on(DAYS[1], 2), on(DAYS[3], 1)))
    theirs = replace(was, overrides=(on(DAYS[1], 3),))
    merged = merge(base, replace(base, recurrence=mine), replace(base, recurrence=theirs), winner)
    assert merged.conflicts == ("date 2026-03-03 09:00",)
    # The first date stays excluded; the last one is as ruled again, as only one side made it.
    kept = on(DAYS[1], 2 if winner is Side.BOOKING else 3)
    assert merged.value.recurrence == replace(was, overrides=(kept,))


def test_a_date_given_back_on_both_sides_is_no_conflict() -> None:
    assert SERIES.recurrence is not None
    base = replace(SERIES, recurrence=replace(SERIES.recurrence, excluded=(DAYS[1],)))
    mine = replace(SERIES, title="mine")
    merged = merge(base, mine, SERIES, Side.CALENDAR)
    assert (merged.value, merged.conflicts) == (mine, ())


# --- one date, field by field --------------------------------------------------------------------


def _on(day: int, **fields: object) -> Override:
    start = DAYS[day]
    shown = Override(recurrence_id=start, start=start, end=start + timedelta(hours=1), title="t")
    return replace(shown, **fields)  # type: ignore[arg-type]  # by name


def _with(*dates: Override, **fields: object) -> Occupancy:
    assert SERIES.recurrence is not None
    shape = replace(SERIES, recurrence=replace(SERIES.recurrence, overrides=dates))
    return replace(shape, **fields)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("winner", Side)
def test_who_renames_a_series_renames_the_date_that_somebody_shortens(winner: Side) -> None:
    """Found by simulation (seed 100553): the new title was lost on that date, without a word."""
    end = DAYS[1] + timedelta(minutes=25)
    shorter = _with(_on(1, end=end))
    both = merge(SERIES, shorter, replace(SERIES, title="new"), winner)
    assert both.value == _with(_on(1, end=end, title="new"), title="new")
    assert both.conflicts == ()


@pytest.mark.parametrize("winner", Side)
def test_a_date_with_a_title_of_its_own_keeps_it(winner: Side) -> None:
    own = _with(_on(1, title="its own"))
    both = merge(own, own, replace(own, title="new"), winner)
    assert both.value == replace(own, title="new")
    assert both.conflicts == ()


@pytest.mark.parametrize("winner", Side)
def test_two_fields_of_one_date_do_not_meet(winner: Side) -> None:
    end = DAYS[1] + timedelta(minutes=25)
    both = merge(SERIES, _with(_on(1, end=end)), _with(_on(1, busy=Busy.TENTATIVE)), winner)
    assert both.value == _with(_on(1, end=end, busy=Busy.TENTATIVE))
    assert both.conflicts == ()


@pytest.mark.parametrize(("winner", "minutes"), [(Side.BOOKING, 25), (Side.CALENDAR, 40)])
def test_one_field_of_one_date_does(winner: Side, minutes: int) -> None:
    mine, theirs = (_with(_on(1, end=DAYS[1] + timedelta(minutes=m))) for m in (25, 40))
    both = merge(SERIES, mine, theirs, winner)
    assert both.value == _with(_on(1, end=DAYS[1] + timedelta(minutes=minutes)))
    assert both.conflicts == ("date 2026-03-03 09:00",)


@pytest.mark.parametrize("winner", Side)
def test_a_date_that_was_put_back_is_none_of_its_own_any_more(winner: Side) -> None:
    end = DAYS[1] + timedelta(minutes=25)
    renamed = _with(_on(1, end=end, title="new"), title="new")
    both = merge(_with(_on(1, end=end)), SERIES, renamed, winner)
    assert both.value == replace(SERIES, title="new")


@pytest.mark.parametrize("winner", Side)
def test_dates_follow_their_series_onto_another_grid(winner: Side) -> None:
    moved = _with(_on(1, end=DAYS[1] + timedelta(minutes=25)), zone="UTC")
    both = merge(SERIES, moved, replace(SERIES, title="new"), winner)
    shorter = _on(1, end=DAYS[1] + timedelta(minutes=25), title="new")
    assert both.value == _with(shorter, zone="UTC", title="new")


@pytest.mark.parametrize("winner", Side)
def test_a_date_given_back_follows_its_series(winner: Side) -> None:
    """The one side gave it back at another hour; the other one had renamed the series."""
    assert SERIES.recurrence is not None
    base = replace(SERIES, recurrence=replace(SERIES.recurrence, excluded=(DAYS[1],)))
    back = _on(1, end=DAYS[1] + timedelta(minutes=25))
    for sides in (
        (replace(base, title="new"), _with(back)),
        (_with(back), replace(base, title="new")),
    ):
        both = merge(base, *sides, winner)
        assert both.value == _with(replace(back, title="new"), title="new")
        assert both.conflicts == ()


@pytest.mark.parametrize("winner", Side)
def test_a_date_made_all_day_is_all_day(winner: Side) -> None:
    day = DAYS[1].replace(hour=0)
    whole = _on(1, start=day, end=day + timedelta(days=1), all_day=True)
    both = merge(SERIES, _with(whole), replace(SERIES, title="new"), winner)
    assert both.value == _with(replace(whole, title="new"), title="new")


def test_what_both_sides_show_on_a_date_stays_whoever_names_the_series() -> None:
    """The date had its own title; the booking side gave the whole series that title, the calendar
    gave it another one, and wins."""
    own = _with(_on(1, title="its own"))
    mine = replace(SERIES, title="its own")
    both = merge(own, mine, replace(own, title="new"), Side.CALENDAR)
    assert both.value == replace(own, title="new")
    assert both.conflicts == ("title",)


@pytest.mark.parametrize("winner", Side)
def test_one_name_for_a_date_is_no_conflict_however_each_side_came_to_it(winner: Side) -> None:
    """The booking side named the series so, and the calendar that date alone."""
    own = _with(_on(1, title="its own"))
    mine, theirs = replace(SERIES, title="new"), _with(_on(1, title="new"))
    both = merge(own, mine, theirs, winner)
    assert (both.value, both.conflicts) == (mine, ())


@pytest.mark.parametrize("winner", Side)
def test_two_names_of_a_series_are_one_conflict_however_many_dates_follow(winner: Side) -> None:
    end = DAYS[1] + timedelta(minutes=25)
    mine, theirs = (_with(_on(1, end=end, title=t), title=t) for t in ("mine", "theirs"))
    both = merge(SERIES, mine, theirs, winner)
    assert both.value == (mine if winner is Side.BOOKING else theirs)
    assert both.conflicts == ("title",)


@pytest.mark.parametrize("winner", Side)
def test_a_date_put_back_while_its_series_is_made_private_is_none_of_its_own(winner: Side) -> None:
    """Also where the title that the series has no more would have been changed, too."""
    shorter = _with(_on(1, end=DAYS[1] + timedelta(minutes=25)))
    hidden = _on(1, end=DAYS[1] + timedelta(minutes=25), title=None, private=True)
    private = _with(hidden, title=None, private=True)
    both = merge(shorter, replace(SERIES, title="new"), private, winner)
    assert both.value == replace(SERIES, title=None, private=True)


@pytest.mark.parametrize(
    ("held", "wanted", "all_of_it"),
    [
        (Busy.BUSY, Busy.BUSY, True),
        (Busy.BUSY, Busy.FREE, True),
        (Busy.FREE, Busy.BUSY, False),
        (Busy.FREE, Busy.TENTATIVE, False),
        (Busy.FREE, Busy.FREE, True),
    ],
)
def test_what_is_shown_as_free_takes_no_time(held: Busy, wanted: Busy, all_of_it: bool) -> None:
    nine = Occupancy(start=datetime(2026, 3, 2, 9), end=datetime(2026, 3, 2, 10), zone="UTC")
    one, other = replace(nine, busy=held), replace(nine, busy=wanted)
    assert covers(one, other) is all_of_it
    assert not covers(one, replace(other, end=datetime(2026, 3, 2, 11)))
