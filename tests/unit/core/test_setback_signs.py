"""Which of the items of a complete listing count as missing, as there, or as back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calsync.model import Absence, Gone, Link, LinkState, Observation, Presence, Seen, Unknown
from calsync.reconcile.setback import SetBack, returned, signs
from tests.unit.core.test_setback import (
    LIVES,
    NAMED,
    THREE,
    TOMB,
    WAS,
    after,
    item,
    look,
    lost,
    shows,
)
from tests.unit.core.values import CALENDAR, at, seen

FIVE = [*THREE, item(4, made=4), item(5, made=5)]


def missing(*ids: str) -> SetBack:
    return SetBack(side=CALENDAR, missing=ids)


def named(number: int) -> Link:
    """An item of the uid that the tombstones have."""
    one = item(number)
    return replace(one, event=replace(one.event, uid="u"))


def aged(number: int, made: float | None) -> Link:
    one = item(number)
    return replace(one, event=replace(one.event, created=at(made) if made is not None else None))


# --- what is missing ---------------------------------------------------------------------------


def test_where_as_many_older_ones_are_gone_people_or_a_listing_lost_them() -> None:
    assert look(FIVE, lost(1), lost(2), shows(3), lost(4), lost(5)) is None
    assert look(FIVE, lost(1), shows(2), shows(3), lost(4), lost(5)) == missing("x4", "x5")


def test_the_newest_is_there_also_where_only_a_late_word_of_its_end_is() -> None:
    """The plan dropped that: those that were made before it are not the newest."""
    observations: dict[str, Observation] = {f"e{n}": lost(n) for n in (1, 2, 3)}
    dropped = {k: v for k, v in after(THREE, observations).items() if k != "x3"}
    assert signs(THREE, dropped, observations, CALENDAR) is None


@pytest.mark.parametrize(
    "newest", [Unknown(key="e3", reason="timeout"), lost(3, Absence.CANCELLED)]
)
def test_what_cannot_be_read_or_was_cancelled_is_not_there(newest: Observation) -> None:
    assert look(THREE, lost(1), lost(2), newest) == missing("x1", "x2")


def test_what_was_set_apart_is_not_there_either() -> None:
    parked = item(4, made=9, state=LinkState.PARKED)
    assert look([*THREE, parked], lost(1), lost(2), shows(4)) == missing("x1", "x2")


def test_of_unknown_age_nothing_is_newer_or_older() -> None:
    """A link of an older release, say."""
    links = [aged(1, None), item(2, made=2), item(3, made=3), item(4, made=4)]
    assert look(links, shows(1), shows(2), lost(3), lost(4)) == missing("x3", "x4")
    assert look(links[:3], shows(1), lost(2), lost(3)) == missing("x2", "x3")
    ageless = [aged(n, None) for n in (1, 2)]
    assert look(ageless, lost(1), lost(2)) == missing("x1", "x2"), "nothing is left at all"


@pytest.mark.parametrize(
    ("observations", "told", "found"),
    [
        (
            (lost(1), lost(2), shows(3)),
            False,
            SetBack(side=CALENDAR, missing=("x1", "x2"), silent=True),
        ),
        (
            (lost(1), lost(2), shows(3)),
            True,
            SetBack(side=CALENDAR, missing=("x1", "x2"), told=True),
        ),
        ((shows(1), lost(2), lost(3)), False, missing("x2", "x3")),
    ],
    ids=["silent", "the side says it itself", "its newest items"],
)
def test_that_nobody_told_of_them_is_said_where_nothing_else_says_it(
    observations: tuple[Observation, ...], told: bool, found: SetBack
) -> None:
    by_key = {obs.key: obs for obs in observations}
    links = after(THREE, by_key)
    assert signs(THREE, links, by_key, CALENDAR, told=told, silent=True) == found


# --- what is back ------------------------------------------------------------------------------


def test_of_two_items_of_one_uid_only_the_one_that_is_gone_lives_in_the_former_one() -> None:
    links = [NAMED, named(1), named(2)]
    observations: dict[str, Observation] = {
        "e": seen(WAS, key="e", mark=6, uid="u"),
        "e1": lost(1),
        "e2": shows(2),
    }
    found = signs(links, after(links[1:], observations), observations, CALENDAR)
    assert found == SetBack(side=CALENDAR, older=("x1",))


@pytest.mark.parametrize(
    ("links", "gone", "back"),
    [
        ([NAMED, named(1)], lost(1, Absence.CANCELLED), True),
        ([LIVES, named(1)], lost(1), True),
        ([NAMED, named(1)], lost(1), False),
    ],
    ids=["the later one was cancelled", "its booking is still there", "it lives in the former one"],
)
def test_what_is_back_beside_another_of_its_uid_that_is_gone(
    links: list[Link], gone: Gone, back: bool
) -> None:
    obs = seen(WAS, key="e", mark=6, uid="u")
    assert returned(links, {"e": obs, "e1": gone}, CALENDAR) == ({"t": obs} if back else {})


@pytest.mark.parametrize(
    ("tomb", "obs"),
    [
        (replace(NAMED, state=LinkState.ACTIVE, in_flight=True), seen(WAS, key="n", uid="u")),
        (TOMB, seen(WAS, key="n")),
    ],
    ids=["a write of it is in doubt", "without a uid"],
)
def test_what_comes_under_a_new_key_is_not_what_was_deleted(tomb: Link, obs: Seen) -> None:
    assert tomb.event.presence is Presence.GONE
    assert returned([tomb], {"n": obs}, CALENDAR) == {}
