"""Dates that Exchange holds as events of their own, after our database was restored."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from calsync.model import (
    EffectKind,
    Half,
    Link,
    LinkState,
    Occupancy,
    Override,
    Presence,
    Ruling,
    Seen,
)
from calsync.reconcile.decide import Decision, Verb
from calsync.reconcile.join import link_id
from calsync.reconcile.redated import with_dates
from tests.unit.core.planning import kinds, planned
from tests.unit.core.values import BOOKING, CALENDAR, DAY, agreed, daily, link, occ, seen, unknown

SERIES = daily(9, 10)
SECOND = DAY + timedelta(days=1, hours=9)
#: As the series was made anew without its second date, in a life that is forgotten.
LESS = daily(9, 10, excluded=(SECOND,))
HELD = agreed(SERIES)
FAR = occ(24 * 6 + 9, 24 * 6 + 10)


def tag_of(suffix: str, key: str = "b") -> str:
    return link_id("p", BOOKING, f"{key}#{suffix}")


def apart(tag: str, what: Occupancy = FAR) -> Seen:
    return seen(what, key="apart", uid="v", tag=tag, mark=9)


def test_a_date_goes_back_to_its_booking_which_then_has_it_apart() -> None:
    event = apart(tag_of("x20260303T0900"))
    plan = planned(HELD, calendar=[seen(LESS, key="e", mark=9), event])
    (effect,) = plan.effects
    assert (effect.kind, effect.key, effect.parts, effect.merged) == (
        EffectKind.CHANGE_BOOKING,
        "b",
        True,
        True,
    )
    moved = Override(recurrence_id=SECOND, start=FAR.start, end=FAR.end)
    assert effect.target is not None
    assert effect.target.recurrence is not None
    assert effect.target.recurrence.overrides == (moved,)
    assert effect.target.recurrence.excluded == ()
    (left,) = (lk for lk in plan.links if lk.event.key == "apart")
    assert plan.rulings[0] == Ruling("x", "join", "a date of it, recognised by our tag")
    shows = Half(
        presence=Presence.UNKNOWN,
        key="apart",
        version=event.version,
        mark=event.mark,
        created=event.created,
        since=event.created,
        uid=event.uid,
        reason="a date of a series, which is to have it again first",
    )
    assert left.event == shows, "it is read again before anything is made of it"


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (apart(tag_of("x20260304T0900")), "a date that the series still has"),
        (apart(tag_of("x20260303T0900", key="c")), "one of another booking"),
        (apart("somebody's"), "any other tag"),
        (apart(tag_of("x20260303T0900"), SERIES), "a series cannot be a date"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_no_date_of_a_series_is_a_booking(event: Seen, why: str) -> None:
    plan = planned(HELD, calendar=[seen(LESS, key="e", mark=9), event])
    found = {e.kind: e for e in plan.effects}
    assert set(found) == {EffectKind.CHANGE_BOOKING, EffectKind.CREATE_BOOKING}, why
    assert found[EffectKind.CHANGE_BOOKING].target == LESS
    assert not found[EffectKind.CHANGE_BOOKING].parts


def test_where_the_series_waits_for_a_person_the_date_does_not() -> None:
    parked = replace(HELD, state=LinkState.PARKED, event=replace(HELD.event, mark=99))
    plan = planned(parked, calendar=[apart(tag_of("x20260303T0900"))])
    assert [kind for kind, _ in kinds(plan)] == [EffectKind.CREATE_BOOKING]


def test_a_date_that_is_over_stays_apart() -> None:
    """Nothing would be made of it, so nothing is made twice."""
    begun = daily(9 - 48, 10 - 48)
    less = daily(9 - 48, 10 - 48, excluded=(DAY - timedelta(hours=15),))
    event = apart(tag_of("x20260301T0900"), occ(10 - 24, 11 - 24))
    (effect,) = planned(agreed(begun), calendar=[seen(less, key="e", mark=9), event]).effects
    assert (effect.kind, effect.target, effect.parts) == (EffectKind.CHANGE_BOOKING, less, False)


def test_so_does_one_that_waits_for_a_person() -> None:
    parked = link(
        None,
        unknown(key="apart"),
        id="u",
        origin=CALENDAR,
        state=LinkState.PARKED,
        reason="asked about",
    )
    event = apart(tag_of("x20260303T0900"))
    (effect,) = planned(HELD, parked, calendar=[seen(LESS, key="e", mark=9), event]).effects
    assert (effect.kind, effect.target, effect.parts) == (EffectKind.CHANGE_BOOKING, LESS, False)


def test_a_booking_without_dates_has_none_apart() -> None:
    """Another event came with a tag that no link has, and has nothing to do with it."""
    single, moved = agreed(occ(9, 10)), occ(11, 12)
    plan = planned(single, calendar=[seen(moved, key="e", mark=9), apart("somebody's")])
    found = {e.kind: e.target for e in plan.effects}
    assert found == {EffectKind.CHANGE_BOOKING: moved, EffectKind.CREATE_BOOKING: FAR}


def test_only_what_is_written_to_a_booking_gives_it_dates_back() -> None:
    """What is made of an event is made as it is."""
    made = Decision(verb=Verb.WRITE_EVENT, why="w", target=LESS)

    def named(tag: str) -> Link | None:
        pytest.fail(tag)

    assert with_dates(HELD, made, named) == (made, [])
