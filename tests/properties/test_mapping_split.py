"""Laws of split and join: the same instances, in parts that Graph can say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import assume, event, given
from hypothesis import strategies as st

from calsync.errors import MappingError, UnsayableRecurrence
from calsync.mapping.canon import canonical_occupancy
from calsync.mapping.expand import instances
from calsync.mapping.recurrence import to_graph
from calsync.mapping.split import Part, join, split, why_unsayable
from calsync.model import Instance, Interval, Occupancy
from tests.properties.mapping_strategies import ROOM_ZONE, law, occupancies, series, window

HORIZON = Interval(datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
SPAN = window(date(2023, 6, 1), 365 * 8)


def rows(parts: list[Occupancy]) -> list[str]:
    found = [i for occ in parts for i in instances(occ, SPAN, ROOM_ZONE)]
    return sorted(map(as_row, found))


def as_row(i: Instance) -> str:
    return f"{i.start} {i.end} {i.all_day} {i.busy} {i.title} {i.private}"


def parts_of(occ: Occupancy) -> list[Part]:
    try:
        return split(occ, ROOM_ZONE, HORIZON)
    except UnsayableRecurrence:
        assume(False)
        raise


@law
@given(occupancies)
def test_parts_have_the_same_instances(occ: Occupancy) -> None:
    parts = parts_of(occ)
    assert rows([part.occupancy for part in parts]) == rows([occ])
    assert len({part.suffix for part in parts}) == len(parts)


@law
@given(occupancies)
def test_every_part_can_be_said(occ: Occupancy) -> None:
    for part in parts_of(occ):
        assert why_unsayable(part.occupancy) is None
        assert canonical_occupancy(part.occupancy) == part.occupancy
        series_of = part.occupancy.recurrence
        if series_of is not None:
            to_graph(series_of.rule, start=part.occupancy.start, zone=part.occupancy.zone)


@law
@given(occupancies)
def test_what_can_be_said_stays_whole(occ: Occupancy) -> None:
    if why_unsayable(occ) is None:
        assert parts_of(occ) == [Part("", occ)]


@law
@given(series(), st.data())
def test_a_removed_part_is_gone_and_the_others_stay(occ: Occupancy, data: st.DataObject) -> None:
    parts = parts_of(occ)
    assume(parts)
    part = data.draw(st.sampled_from(parts))
    try:
        joined = join(occ, part.suffix, None, room_zone=ROOM_ZONE)
    except MappingError:
        event("refused")
        assert len(parts) == 1 or part.suffix[:1] == "s"
        return
    left = [other for other in parts if other != part]
    assert rows([joined]) == rows([other.occupancy for other in left])
    if part.suffix[:1] == "x" and left:  # a series that lost its last date stays one, without dates
        assert sorted(map(repr, parts_of(joined))) == sorted(map(repr, left))


@law
@given(series(), st.data())
def test_a_changed_part_is_taken_over(occ: Occupancy, data: st.DataObject) -> None:
    parts = parts_of(occ)
    assume(parts)
    part = data.draw(st.sampled_from(parts))
    item = part.occupancy
    plain = item.recurrence is None or not (item.recurrence.excluded or item.recurrence.overrides)
    movable = plain and not item.all_day and item.start.hour < 23
    later = timedelta(minutes=data.draw(st.sampled_from([0, 30])) if movable else 0)
    changed = canonical_occupancy(
        replace(
            item,
            start=item.start + later,
            end=item.end + later,
            title="Changed",
            private=False,
            recurrence=item.recurrence,
        )
    )
    try:
        joined = join(occ, part.suffix, changed, room_zone=ROOM_ZONE)
    except MappingError:
        event("refused")
        assert part.suffix[:1] == "s"
        return
    others = [other.occupancy for other in parts if other != part]
    assert rows([joined]) == rows([*others, changed])


@law
@given(series())
def test_an_unchanged_part_changes_nothing(occ: Occupancy) -> None:
    for part in parts_of(occ):
        assert join(occ, part.suffix, part.occupancy, room_zone=ROOM_ZONE) == occ
