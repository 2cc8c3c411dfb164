"""The guard: what is asked about instead of being done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calsync.model import (
    Effect,
    EffectKind,
    Link,
    Occupancy,
    Seen,
    Side,
    Tally,
    Unknown,
)
from calsync.reconcile.guard import (
    DAY,
    HOUR,
    Limits,
    check,
    counted,
    disruptive,
    not_alone,
    others,
    repeatable,
    uncounted,
    worn_out,
)

START = datetime(2026, 3, 2, 9)
OCC = Occupancy(start=START, end=START + timedelta(hours=1), zone="UTC")
LATER = replace(OCC, start=START + timedelta(hours=3), end=START + timedelta(hours=4))
LATEST = replace(OCC, start=START + timedelta(hours=5), end=START + timedelta(hours=6))
FREE = replace(OCC, start=START + timedelta(hours=7), end=START + timedelta(hours=8))


def effect(kind: EffectKind, n: int = 0, **more: object) -> Effect:
    return Effect(id=f"e{n}", kind=kind, link_id=f"l{n}", revision=1, why="w", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("deletions", "items", "halts"),
    [(5, 10, False), (6, 10, True), (10, 100, False), (11, 100, True), (6, 1000, False)],
)
def test_guard_allows_five_or_a_tenth(deletions: int, items: int, halts: bool) -> None:
    effects = [effect(EffectKind.DELETE_BOOKING, n) for n in range(deletions)]
    halt = check(effects, future_items=items, limits=Limits())
    assert (halt is not None) is halts
    if halt is not None:
        assert str(deletions) in halt.reason


def test_guard_counts_moves_but_not_other_changes() -> None:
    move = effect(EffectKind.CHANGE_EVENT, 1, was=OCC, target=LATER)
    retitle = effect(EffectKind.CHANGE_EVENT, 2, was=OCC, target=replace(OCC, title="x"))
    create = effect(EffectKind.CREATE_EVENT, 3, target=OCC)
    assert disruptive([move, retitle, create]) == 1


def test_guard_stops_an_emptied_side_however_small() -> None:
    halt = check([], future_items=1, limits=Limits(), emptied="calendar")
    assert halt is not None
    assert "calendar" in halt.reason


@pytest.mark.parametrize(
    ("kind", "was", "target", "counts"),
    [
        (EffectKind.DELETE_EVENT, OCC, None, True),
        (EffectKind.DECLINE_EVENT, OCC, None, True),
        (EffectKind.DELETE_BOOKING, OCC, None, True),
        (EffectKind.REJECT_BOOKING, OCC, None, True),
        (EffectKind.CHANGE_EVENT, OCC, LATER, True),
        (EffectKind.CHANGE_BOOKING, OCC, LATER, True),
        (EffectKind.CHANGE_BOOKING, OCC, replace(OCC, title="x"), False),
        (EffectKind.CHANGE_BOOKING, None, LATER, False),
        (EffectKind.CHANGE_BOOKING, OCC, None, False),
        (EffectKind.CONFIRM_BOOKING, OCC, LATER, False),
        (EffectKind.CREATE_EVENT, None, LATER, False),
        (EffectKind.CREATE_BOOKING, OCC, LATER, False),
    ],
)
def test_what_disrupts(
    kind: EffectKind, was: Occupancy | None, target: Occupancy | None, counts: bool
) -> None:
    assert disruptive([effect(kind, was=was, target=target)]) == counts


def test_the_parts_of_one_booking_count_once() -> None:
    parts = [effect(EffectKind.DELETE_EVENT, n, uid="u") for n in range(9)]
    assert disruptive(parts) == 1
    assert disruptive([replace(e, uid="") for e in parts]) == 9
    assert check(parts, future_items=0, limits=Limits()) is None


def test_a_halt_says_how_much_of_what() -> None:
    effects = [effect(EffectKind.DELETE_EVENT, n) for n in range(8)]
    halt = check(effects, future_items=70, limits=Limits())
    assert halt is not None
    assert (halt.deletions, halt.items) == (8, 70)
    assert "8 of 70" in halt.reason
    assert "at most 7" in halt.reason


def test_an_emptied_side_is_asked_about_before_anything_is_counted() -> None:
    halt = check([], future_items=9, limits=Limits(), emptied="booking")
    assert halt is not None
    assert (halt.deletions, halt.items) == (9, 9)
    assert "9" in halt.reason


def test_the_floor_and_the_share() -> None:
    assert [Limits().allowed(n) for n in (0, 50, 59, 60, 69, 1000)] == [5, 5, 5, 6, 6, 100]
    assert Limits(floor=0, share=1.0).allowed(7) == 7


# --- again and again ---------------------------------------------------------------------------

UTC_NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
AGAIN = [EffectKind.CHANGE_EVENT, EffectKind.CHANGE_BOOKING, *(k for k in EffectKind if k.frees)]


@pytest.mark.parametrize("kind", EffectKind)
def test_whatever_goes_in_circles_changes_or_deletes(kind: EffectKind) -> None:
    assert repeatable([effect(kind), effect(kind, 2)]) == (2 if kind in AGAIN else 0)
    item = Link(id="l", pair_id="p", origin=Side.BOOKING)
    once = counted(item, effect(kind), UTC_NOW)
    assert once.writes.within(HOUR, UTC_NOW) == (1 if kind in AGAIN else 0)
    assert replace(once, writes=item.writes) == item
    assert uncounted(once, effect(kind)) == item, "put off"
    kept = replace(item, writes=Tally(2, UTC_NOW))
    assert uncounted(kept, effect(kind)).writes.count == (1 if kind in AGAIN else 2)


def test_a_room_in_which_two_programs_fight_is_stopped() -> None:
    again = [effect(EffectKind.CHANGE_EVENT, 1)]
    limits = Limits(per_room=3)
    assert check(again, future_items=9, limits=limits, writes=2) is None
    halt = check(again, future_items=9, limits=limits, writes=3)
    assert halt is not None
    assert (halt.deletions, halt.items) == (0, 9)
    assert "3 changes" in halt.reason
    assert "1 more" in halt.reason
    assert check(again, future_items=9, limits=Limits(per_room=1)) is None, "the first one"
    made = [effect(EffectKind.CREATE_EVENT, n) for n in range(9)]
    assert check(made, future_items=9, limits=limits, writes=99) is None, "who creates never loops"
    assert check(iter([*again, *made]), future_items=9, limits=limits, writes=3) is not None


def test_a_booking_that_is_changed_back_again_and_again_wears_out() -> None:
    item = Link(id="l", pair_id="p", origin=Side.BOOKING)
    limits = Limits(per_booking=2)
    assert worn_out(item, limits, UTC_NOW) == ""
    for minute in (0, 1):
        item = counted(item, effect(EffectKind.CHANGE_EVENT), UTC_NOW + timedelta(minutes=minute))
    why = worn_out(item, limits, UTC_NOW + timedelta(minutes=2))
    assert "2 times since 12:00 UTC" in why
    assert "after 13:00 UTC" in why
    assert worn_out(item, replace(limits, per_booking=3), UTC_NOW + timedelta(minutes=2)) == ""
    assert worn_out(item, limits, UTC_NOW + HOUR) == "", "an hour later it may be tried again"


# --- not alone ---------------------------------------------------------------------------------


def made_by(maker: str, *, minute: float = -600, tag: str | None = "unknown") -> Seen:
    return Seen(
        key="k",
        occupancy=OCC,
        fingerprint="f",
        version="v",
        mark=1,
        created=UTC_NOW + timedelta(minutes=minute),
        maker=maker,
        tag=tag,
    )


READ_AT = UTC_NOW - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("obs", "read_at", "counts"),
    [
        (made_by("other"), READ_AT, (1, 0)),
        (made_by(""), READ_AT, (0, 0)),
        (Unknown(key="k", reason="timeout"), READ_AT, (0, 0)),
        (made_by("us", tag="known"), READ_AT, (0, 0)),
        (made_by("us", tag=None), READ_AT, (0, 0)),
        (made_by("us"), READ_AT, (0, 1)),
        (made_by("us", minute=-5), READ_AT, (0, 1)),
        (made_by("us", minute=-4), READ_AT, (1, 0)),
        (made_by("us", minute=-4), None, (0, 1)),
        (made_by("us", minute=-4), UTC_NOW - HOUR, (0, 1)),
        (made_by("us", minute=-4), UTC_NOW - HOUR + timedelta(seconds=1), (1, 0)),
    ],
    ids=[
        "another's", "nobody's", "unreadable", "remembered", "no tag", "forgotten",
        "made as we looked", "made since under our mark", "we never looked",
        "we were away", "we were there",
    ],
)  # fmt: skip
def test_whose_events_are_new(
    obs: Seen | Unknown, read_at: datetime | None, counts: tuple[int, int]
) -> None:
    assert others([obs], {"known"}, maker="us", read_at=read_at, now=UTC_NOW) == counts


def test_all_of_them_are_counted() -> None:
    new = [made_by(name) for name in ("other", "us", "third", "us")]
    new.append(made_by("us", minute=-1))
    assert others(new, (), maker="us", read_at=READ_AT, now=UTC_NOW) == (3, 2)


def test_one_or_two_may_be_copies_that_people_made() -> None:
    limits = Limits(others=3)
    assert not_alone(2, limits) is None
    halt = not_alone(3, limits)
    assert halt is not None
    assert (halt.deletions, halt.items) == (0, 3)
    assert "3 events" in halt.reason


def test_the_usual_limits() -> None:
    """docs/explanation: what goes without asking."""
    assert Limits() == Limits(
        floor=5, share=0.10, per_booking=20, per_room=200, others=3, lag=timedelta(minutes=10)
    )
    assert (timedelta(hours=1), timedelta(days=1)) == (HOUR, DAY)
