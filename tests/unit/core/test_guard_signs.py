"""What counts as a sign that time went back, and what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    NONE_YET,
    Absence,
    EditPolicy,
    Effect,
    EffectKind,
    Frequency,
    Gone,
    Half,
    Link,
    LinkState,
    Observation,
    Presence,
    Recurrence,
    Rule,
    Seen,
    Side,
    Tally,
)
from calsync.reconcile.anew import decide_anew
from calsync.reconcile.decide import Verb
from calsync.reconcile.guard import HOUR, Limits, check, counted, others, worn_out
from calsync.reconcile.setback import SetBack, is_older, returned, signs
from tests.support.room import World, single

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
CAL = Side.CALENDAR


def seen(key: str, slot: int, *, mark: int, made: int = 0, **more: object) -> Seen:
    occ = single(slot)
    return Seen(
        key=key,
        occupancy=occ,
        fingerprint=fingerprint(occ),
        version=f"v{mark}",
        mark=mark,
        created=NOW + timedelta(hours=made),
        **more,  # type: ignore[arg-type]  # members of Seen by name
    )


def link(key: str, slot: int, *, mark: int, made: int = 0) -> Link:
    occ = single(slot)
    half = Half(
        presence=Presence.PRESENT,
        key=key,
        mark=mark,
        fingerprint=fingerprint(occ),
        created=NOW + timedelta(hours=made),
        uid=f"u-{key}",
    )
    return Link(
        id=f"l-{key}",
        pair_id="p",
        origin=CAL,
        booking=replace(half, key=f"b-{key}"),
        event=half,
        base=occ,
        base_fingerprint=fingerprint(occ),
    )


def gone(one: Link) -> Link:
    return replace(one, event=replace(one.event, presence=Presence.GONE, fingerprint=""))


def buried(one: Link) -> Link:
    return replace(gone(one), state=LinkState.BURIED, base=None)


def look(before: list[Link], shown: list[Observation]) -> SetBack | None:
    found = {obs.key: obs for obs in shown}
    after = {
        one.id: gone(one)
        for one in before
        if isinstance(found.get(one.event.key or ""), Gone) and one.state is LinkState.ACTIVE
    }
    return signs(before, after, found, CAL)


def missing(*keys: str) -> list[Observation]:
    return [Gone(key=key, absence=Absence.READ) for key in keys]


def test_everything_as_before_says_nothing() -> None:
    assert look([link("a", 1, mark=5)], [seen("a", 1, mark=5)]) is None
    assert look([link("a", 1, mark=5)], [seen("a", 2, mark=6)]) is None


def test_an_older_state_does_and_an_older_mark_alone_does_not() -> None:
    assert look([link("a", 1, mark=5)], [seen("a", 2, mark=4)]) == SetBack(side=CAL, older=("l-a",))
    assert look([link("a", 1, mark=5)], [seen("a", 1, mark=4)]) is None


def test_a_tombstone_that_lives_says_so_until_somebody_changed_it() -> None:
    tomb = buried(link("a", 1, mark=5))
    assert look([tomb], [seen("a", 1, mark=5)]) == SetBack(side=CAL, again=("l-a",))
    assert look([tomb], [seen("a", 1, mark=6)]) is None
    # Restored content has another key and the uid it had.
    new = seen("z", 1, mark=5, uid="u-a")
    assert returned([tomb], {"z": new}, CAL) == {"l-a": new}
    # Made anew long since: the booking of that uid lives.
    assert returned([tomb, link("a2", 1, mark=9)], {"z": new}, CAL) == {"l-a": new}
    heir = replace(link("a2", 1, mark=9), event=replace(link("a2", 1, mark=9).event, uid="u-a"))
    assert returned([tomb, heir], {"z": new}, CAL) == {}


def test_the_newest_two_missing_are_a_sign_and_one_is_not() -> None:
    links = [
        link("a", 1, mark=1, made=0),
        link("b", 2, mark=2, made=1),
        link("c", 3, mark=3, made=2),
    ]
    found = look(links, [seen("a", 1, mark=1), *missing("b", "c")])
    assert found is not None
    assert found.missing == ("l-b", "l-c")
    assert look(links, [seen("a", 1, mark=1), seen("b", 2, mark=2, made=1), *missing("c")]) is None
    # Something newer that was known is there: these two were deleted.
    newer = seen("d", 4, mark=4, made=3)
    known = [*links, link("d", 4, mark=4, made=3)]
    assert look(known, [seen("a", 1, mark=1), newer, *missing("b", "c")]) is None
    # Something new tells nothing: people go on booking after a restore.
    assert look(links, [seen("a", 1, mark=1), newer, *missing("b", "c")]) is not None
    # But nothing of what was known: another mailbox under this address.
    assert look(links, [newer, *missing("a", "b", "c")]) is not None


def test_a_series_in_an_older_state_is_a_sign_like_any_other() -> None:
    held = link("a", 1, mark=5)
    obs = seen("a", 2, mark=4)
    rule = Recurrence(rule=Rule(frequency=Frequency.DAILY, count=3))
    series = replace(obs, occupancy=replace(obs.occupancy, recurrence=rule))
    assert is_older(held, CAL, obs)
    assert is_older(held, CAL, series)


def test_a_listing_that_shows_an_old_state_is_read_again_before_anybody_is_asked() -> None:
    world = World(7)
    world.calendar.put("e", single(1))
    world.rest()
    old = world.calendar._seen(world.calendar.items["e"])
    world.calendar.put("e", single(3))
    world.rest()
    world.tick(3600)
    pull = world.calendar.pull

    def stale(*arguments: object) -> object:
        return replace(pull(*arguments), observations=(old,))  # type: ignore[arg-type]

    world.calendar.pull = stale  # type: ignore[method-assign,assignment]  # a copy that lags
    world.clock.at += timedelta(hours=1)
    report = world.cycle(full=True)
    assert (report.halt, report.error, report.effects) == (None, "", 0)
    assert world.shown(Side.BOOKING) == [single(3)]


# --- joined anew -------------------------------------------------------------------------------


def sides(booking: Presence, event: Presence, *, equal: bool = True) -> Link:
    one = link("a", 1, mark=1)
    other = single(2)
    held = one.event if equal else replace(one.event, fingerprint=fingerprint(other), seen=other)
    return replace(
        one,
        booking=replace(one.booking, presence=booking),
        event=replace(held, presence=event),
    )


P, G, N, U = Presence.PRESENT, Presence.GONE, Presence.NEVER, Presence.UNKNOWN


@pytest.mark.parametrize(
    ("booking", "event", "verb"),
    [
        (P, P, Verb.NOTHING),
        (P, G, Verb.REVIVE_EVENT),
        (P, N, Verb.CREATE_EVENT),
        (G, P, Verb.REVIVE_BOOKING),
        (N, P, Verb.CREATE_BOOKING),
        (G, G, Verb.BURY),
        (U, G, Verb.SKIP),
        (P, U, Verb.SKIP),
    ],
)
def test_joined_anew_nothing_is_deleted(booking: Presence, event: Presence, verb: Verb) -> None:
    for trusted in EditPolicy:
        deleted = {"booking": booking, "calendar": event}.get(trusted.value) is G
        # On the side that was not restored it was a person's act.
        apart = deleted and verb in (Verb.REVIVE_BOOKING, Verb.REVIVE_EVENT)
        assert decide_anew(sides(booking, event), trusted).verb is (
            Verb.SET_APART if apart else verb
        )


def test_joined_anew_the_trusted_side_is_right_and_the_other_is_kept_on_record() -> None:
    differ = sides(P, P, equal=False)
    write = decide_anew(differ, EditPolicy.BOOKING)
    assert (write.verb, write.target) == (Verb.WRITE_EVENT, single(1))
    assert write.conflict is not None
    assert write.conflict.lost == single(2)
    write = decide_anew(differ, EditPolicy.CALENDAR)
    assert (write.verb, write.target) == (Verb.WRITE_BOOKING, single(2))
    assert decide_anew(differ, EditPolicy.ASK).verb is Verb.PARK
    invited = replace(differ, event=replace(differ.event, owned=False))
    assert decide_anew(invited, EditPolicy.BOOKING).verb is Verb.WRITE_BOOKING


# --- counting ----------------------------------------------------------------------------------


def effect(kind: EffectKind) -> Effect:
    return Effect(id="e", kind=kind, link_id="l", revision=1, why="w")


def test_what_can_go_in_circles_is_counted() -> None:
    one = link("a", 1, mark=1)
    for kind in EffectKind:
        creates = kind.value.startswith(("create", "confirm"))
        assert (counted(one, effect(kind), NOW).writes == NONE_YET) is creates
    worn = replace(one, writes=Tally(20, NOW))
    assert worn_out(worn, Limits(), NOW)
    assert not worn_out(worn, Limits(per_booking=21), NOW)
    assert not worn_out(worn, Limits(), NOW + HOUR)


def test_a_room_stops_at_its_limit_and_not_for_what_is_made() -> None:
    limits = Limits(floor=100, per_room=10)
    change, make = effect(EffectKind.CHANGE_EVENT), effect(EffectKind.CREATE_EVENT)
    assert check([change], future_items=9, limits=limits, writes=9) is None
    assert check([change], future_items=9, limits=limits, writes=10) is not None
    assert check([make] * 50, future_items=9, limits=limits, writes=10) is None


def test_who_made_an_event_is_told_by_its_mark() -> None:
    mine, theirs = "aa", "bb"
    ours = seen("a", 1, mark=1, tag="l1", maker=mine)

    def count(*new: Seen, known: set[str] | None = None, read: int | None = -2) -> tuple[int, int]:
        at = None if read is None else NOW + timedelta(hours=read)
        return others(new, known or set(), maker=mine, read_at=at, now=NOW)

    assert count(seen("a", 1, mark=1)) == (0, 0)
    assert count(seen("a", 1, mark=1, maker=theirs)) == (1, 0)
    assert count(ours, known={"l1"}) == (0, 0)
    # Not remembered after hours away: a backup was restored. Made while we were there: not by us.
    assert count(ours) == (0, 1)
    new = replace(ours, created=NOW)
    at = NOW - timedelta(minutes=5)
    assert others([new], set(), maker=mine, read_at=at, now=NOW) == (1, 0)
    # A copy from another room of ours bears our mark, and no tag that counts here.
    assert count(replace(ours, tag=None)) == (0, 0)
