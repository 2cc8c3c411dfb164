"""Writes to single dates of a series: never over what people did to that date meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from calsync.adapters.graph.side import GraphSide
from calsync.adapters.wrap import Answer, Call
from calsync.mapping.canon import canonical_occupancy
from calsync.model import (
    Done,
    EffectKind,
    Frequency,
    Nth,
    Occupancy,
    Override,
    Recurrence,
    Rule,
    Seen,
    Stale,
    Weekday,
)
from tests.contract.sync_side import effect, weekly
from tests.integration.graph_kit import GraphLab, graph_lab

CHANGE = EffectKind.CHANGE_EVENT
FIRST, SECOND, THIRD = (datetime(2026, 12, day, 10) for day in (8, 15, 22))


@pytest.fixture
def lab() -> Iterator[GraphLab]:
    with graph_lab() as lab:
        yield lab


def moved(series: Occupancy, *slots: datetime, title: str = "", hours: int = 3) -> Occupancy:
    """The series with these dates later by so many hours."""
    assert series.recurrence is not None
    later = tuple(
        Override(
            recurrence_id=slot,
            start=slot + timedelta(hours=hours),
            end=slot + timedelta(hours=hours + 1),
            title=title or series.title,
        )
        for slot in slots
    )
    kept = tuple(one for one in series.recurrence.overrides if one.recurrence_id not in slots)
    return canonical_occupancy(
        replace(series, recurrence=replace(series.recurrence, overrides=kept + later))
    )


def without(series: Occupancy, *slots: datetime) -> Occupancy:
    assert series.recurrence is not None
    return canonical_occupancy(
        replace(series, recurrence=replace(series.recurrence, excluded=slots))
    )


class Between:
    """Lets somebody act just before the first write to a date is carried out."""

    def __init__(self, lab: GraphLab) -> None:
        self.lab = lab
        self.act: Callable[[], None] | None = None
        self.refuses = False
        self.sent: list[tuple[str, bool]] = []

    def call(self, call: Call) -> Answer:
        if call.method in ("PATCH", "DELETE"):
            conditional = "If-Match" in call.headers
            self.sent.append((call.method, conditional))
            if self.act is not None:
                act, self.act = self.act, None
                act()
            if self.refuses and conditional:
                return Answer(status=412, body={"error": {"code": "ErrorIrresolvableConflict"}})
        return self.lab.caller.call(call)

    def side(self) -> GraphSide:
        return GraphSide(
            connection="contoso",
            cloud=self.lab.cloud,
            caller=self,
            clock=self.lab.clock,
            tag_key=b"a secret of the tests",
        )


def begin(lab: GraphLab) -> tuple[Between, str, Seen]:
    key = lab.put(weekly())
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    return Between(lab), key, seen


def now(lab: GraphLab, key: str) -> Any:
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    return seen.occupancy


WAYS = [
    pytest.param(lambda series: moved(series, SECOND), id="change"),
    pytest.param(lambda series: without(series, SECOND), id="remove"),
]


@pytest.mark.parametrize("target", WAYS)
def test_what_people_just_did_to_a_date_is_not_written_over(
    lab: GraphLab, target: Callable[[Occupancy], Occupancy]
) -> None:
    between, key, seen = begin(lab)
    theirs = moved(seen.occupancy, SECOND, title="Board", hours=5)
    between.act = lambda: lab.edit(key, theirs)
    one = effect(CHANGE, "a", seen=seen, target=target(seen.occupancy))
    (outcome,) = between.side().apply(lab.pair, [one])
    assert isinstance(outcome, Stale)
    assert now(lab, key) == theirs


@pytest.mark.parametrize("target", WAYS)
def test_what_people_do_to_another_date_is_no_reason_to_stop(
    lab: GraphLab, target: Callable[[Occupancy], Occupancy]
) -> None:
    between, key, seen = begin(lab)
    between.act = lambda: lab.edit(key, moved(seen.occupancy, THIRD))
    wanted = target(seen.occupancy)
    between.side().apply(lab.pair, [effect(CHANGE, "a", seen=seen, target=wanted)])
    assert now(lab, key) == moved(wanted, THIRD)


def test_our_own_write_to_one_date_does_not_stop_that_to_the_next(lab: GraphLab) -> None:
    """The version of each date is that of its series, where the server has one for all."""
    between, key, seen = begin(lab)
    wanted = moved(without(seen.occupancy, THIRD), FIRST, SECOND)
    (outcome,) = between.side().apply(lab.pair, [effect(CHANGE, "a", seen=seen, target=wanted)])
    assert isinstance(outcome, Done)
    assert outcome.complete
    assert now(lab, key) == wanted
    assert all(conditional for _, conditional in between.sent)


@pytest.mark.parametrize("target", WAYS)
def test_a_server_that_takes_no_version_of_a_date_is_written_without(
    lab: GraphLab, target: Callable[[Occupancy], Occupancy]
) -> None:
    between, key, seen = begin(lab)
    between.refuses = True
    wanted = target(seen.occupancy)
    (outcome,) = between.side().apply(lab.pair, [effect(CHANGE, "a", seen=seen, target=wanted)])
    assert isinstance(outcome, Done)
    assert now(lab, key) == wanted
    assert [conditional for _, conditional in between.sent] == [True, False]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_changed_dates_that_come_in_pages_are_all_of_the_series(lab: GraphLab, most: int) -> None:
    lab.switch(expanded_most=most)
    series = moved(weekly(), FIRST, SECOND, THIRD)
    key = lab.put(series)
    (pulled,) = lab.side.pull(lab.pair, None, lab.window).observations
    assert isinstance(pulled, Seen), pulled
    assert pulled.occupancy == series
    assert lab.side.read(lab.pair, [key]) == [pulled]
    back = effect(CHANGE, "a", seen=pulled, target=weekly())
    (outcome,) = lab.side.apply(lab.pair, [back])
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.now, Seen)
    assert outcome.complete
    assert outcome.now.occupancy == weekly()


@pytest.mark.parametrize("bounded", [True, False])
def test_a_series_that_began_many_years_ago_is_read_by_its_instances(bounded: bool) -> None:
    """A cloud without cancelledOccurrences. How long a span Graph lists at once, no document says
    of instances; of calendarView it is five years (microsoft-graph-docs #6284)."""
    with graph_lab(series_parts=False) as lab:
        lab.switch(national_cloud=True, instances_have_longest_span=bounded)
        rule = Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.TU),))
        began = datetime(2018, 12, 4, 10)
        series = weekly(
            start=began, end=began + timedelta(hours=1), recurrence=Recurrence(rule=rule)
        )
        removed = (datetime(2019, 3, 5, 10), SECOND)
        key = lab.put(series)
        for slot in removed:
            span = f"startDateTime={slot:%Y-%m-%d}&endDateTime={slot + timedelta(days=1):%Y-%m-%d}"
            path = f"/users/{lab.room}/events/{key}/instances?{span}"
            (date,) = lab.graph("GET", path)["value"]
            lab.remove(date["id"])
        (seen,) = lab.side.read(lab.pair, [key])
        assert isinstance(seen, Seen), seen
        assert seen.occupancy == without(series, *removed)
        assert lab.side.read(lab.pair, [key]) == [seen]
