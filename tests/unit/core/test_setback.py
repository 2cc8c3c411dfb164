"""Signs that a side was restored from a backup: what a complete listing shows that no late reading
explains."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calsync.model import (
    Absence,
    Gone,
    Half,
    Link,
    LinkState,
    Observation,
    Presence,
    Seen,
    Side,
    Unknown,
)
from calsync.reconcile.rebase import with_half
from calsync.reconcile.setback import (
    BACK,
    SetBack,
    forget_marks,
    is_again,
    is_older,
    returned,
    set_apart,
    signs,
)
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    NOW,
    agreed,
    at,
    buried,
    daily,
    link,
    occ,
    seen,
    there,
)

WAS, IS = occ(9, 10, title="was"), occ(9, 10, title="is")


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("obs", "older"),
    [
        (seen(WAS, mark=4), True),
        (seen(IS, mark=4), False),
        (seen(WAS, mark=5), False),
        (seen(WAS, mark=6), False),
        (seen(daily(9, 10), mark=4), True),
        (Gone(key="k", absence=Absence.READ), False),
        (Gone(key="k", absence=Absence.DELETED, mark=5), False),
        (Gone(key="k", absence=Absence.DELETED, mark=4), True),
        (Unknown(key="k", reason="timeout"), False),
    ],
    ids=[
        "older",
        "same content",
        "same mark",
        "newer",
        "series",
        "gone",
        "ended",
        "ended before",
        "unknown",
    ],
)
def test_an_older_state_than_the_accepted_one(side: Side, obs: Observation, older: bool) -> None:
    item = agreed(IS)
    assert is_older(item, side, obs) is older
    assert not is_older(replace(item, state=LinkState.BURIED), side, obs)


@pytest.mark.parametrize("presence", [Presence.NEVER, Presence.GONE])
def test_only_what_was_there_can_be_older(presence: Presence) -> None:
    item = agreed(IS)
    item = replace(item, event=replace(item.event, presence=presence))
    assert not is_older(item, CALENDAR, seen(WAS, mark=4))


@pytest.mark.parametrize(
    ("obs", "older"),
    [
        (seen(WAS, mark=4), True),
        (seen(IS, mark=4), True),
        (seen(IS, mark=5), False),
        (Gone(key="k", absence=Absence.DELETED, mark=4), True),
        (Unknown(key="k", reason="timeout"), False),
    ],
    ids=["older", "same content", "same mark", "ended before", "unknown"],
)
def test_older_than_what_could_not_be_read_since(obs: Observation, older: bool) -> None:
    """No reading of that age is accepted, so it would be read again for ever (seed 3071)."""
    item = agreed(IS)
    half = replace(item.event, presence=Presence.UNKNOWN, fingerprint="", reason="timeout")
    assert is_older(replace(item, event=half), CALENDAR, obs) is older


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("mark", "again"), [(5, True), (6, True), (7, False)])
def test_alive_behind_a_tombstone_unless_somebody_changed_it_since(
    side: Side, mark: int, again: bool
) -> None:
    tomb = buried()
    assert is_again(tomb, side, seen(WAS, mark=mark)) is again
    # Gone is gone, whether its link is buried yet or the other side still has the item.
    active = replace(tomb, state=LinkState.ACTIVE)
    half_gone = with_half(active, side.other, there(WAS))
    for link_ in (active, half_gone):
        assert is_again(link_, side, seen(WAS, mark=mark)) is again
    assert not is_again(tomb, side, Gone(key="k", absence=Absence.READ))
    never = replace(tomb, booking=Half(mark=6), event=Half(mark=6))
    assert not is_again(never, side, seen(WAS, mark=mark)), "it never was there"


# --- a whole listing ---------------------------------------------------------------------------


def item(number: int, *, made: float = 0, **more: object) -> Link:
    """A link with an event ``e1``, ``e2``, ... made at a minute."""
    half = there(occ(number, number + 1), key=f"e{number}", created=at(made))
    return link(Half(), half, base=occ(number, number + 1), id=f"x{number}", **more)  # type: ignore[arg-type]


def lost(number: int, absence: Absence = Absence.READ) -> Gone:
    return Gone(key=f"e{number}", absence=absence)


def shows(number: int, *, made: float = 0, mark: int = 5) -> Seen:
    return seen(occ(number, number + 1), key=f"e{number}", mark=mark, created=at(made))


def after(links: list[Link], seen_now: dict[str, Observation]) -> dict[str, Link]:
    """What the plan makes of those that are gone."""
    found = {}
    for one in links:
        if isinstance(seen_now.get(one.event.key or ""), Gone):
            half = replace(one.event, presence=Presence.GONE, seen=None, fingerprint="")
            found[one.id] = replace(one, event=half)
    return found


def look(links: list[Link], *observations: Observation, told: bool = False) -> SetBack | None:
    by_key = {obs.key: obs for obs in observations}
    return signs(links, after(links, by_key), by_key, CALENDAR, told=told)


THREE = [item(1, made=1), item(2, made=2), item(3, made=3)]


def test_time_that_goes_on_is_no_sign() -> None:
    assert look(THREE, shows(1), shows(2), shows(3, mark=9)) is None
    assert look(THREE) is None, "nothing was seen"
    assert look([link(there(IS))], shows(1)) is None, "no item on this side"
    assert look([replace(THREE[0], state=LinkState.PARKED)], shows(1)) is None


def test_what_is_older_and_what_is_back_are_named() -> None:
    tomb = buried(id="t")
    older = seen(occ(1, 2, title="before"), key="e1", mark=4)
    back = seen(WAS, key="e", mark=6)
    assert look([*THREE, tomb], older, back, shows(2)) == SetBack(
        side=CALENDAR, older=("x1",), again=("t",)
    )


def test_the_newest_items_that_are_gone_together_are_a_sign() -> None:
    assert look(THREE, shows(1, made=1), lost(2), lost(3)) == SetBack(
        side=CALENDAR, missing=("x2", "x3")
    )


@pytest.mark.parametrize(
    ("observations", "why"),
    [
        ((shows(1, made=1), shows(2, made=2), lost(3)), "one alone is somebody who cancelled"),
        ((lost(1), lost(2), shows(3, made=3)), "something newer is there"),
        ((lost(1), shows(2, made=2), lost(3)), "one of them is older than what is there"),
        ((shows(1, made=1), lost(2, Absence.CANCELLED), lost(3)), "cancelled is a person's act"),
        ((shows(1, made=1), lost(2, Absence.DECLINED), lost(3)), "so is declined"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_who_cancels_is_no_restored_backup(observations: tuple[Observation, ...], why: str) -> None:
    assert look(THREE, *observations) is None


def test_what_is_missing_was_made_after_all_that_was_known() -> None:
    """Not after what is new since, and not before what was only made anew."""
    same = [item(1, made=2), *THREE[1:]]
    assert look(same, shows(1), lost(2), lost(3)) is None, "made at the same time"
    assert look(THREE, shows(1, made=9), lost(2), lost(3)) is not None, "made anew"
    assert look(THREE, shows(1, made=1), shows(4, made=9), lost(2), lost(3)) is not None, "new"


def test_a_recorded_deletion_says_as_little_as_a_read_that_found_nothing() -> None:
    found = look(THREE, shows(1, made=1), lost(2, Absence.DELETED), lost(3, Absence.READ))
    assert found is not None
    assert found.missing == ("x2", "x3")


def test_where_nothing_known_is_left_all_that_is_missing_is_a_sign() -> None:
    assert look(THREE, lost(1), lost(2), lost(3)) == SetBack(
        side=CALENDAR, missing=("x1", "x2", "x3")
    )
    parked = replace(item(4), state=LinkState.PARKED)
    assert look([*THREE, parked], lost(1), lost(2), shows(4)) is not None, "it was set apart"
    stranger = seen(occ(20, 21), key="new", created=at(99))
    assert look(THREE, lost(1), lost(2), lost(3), stranger) is not None
    assert look(THREE[:1], lost(1)) is None, "one alone"


def test_who_deletes_an_older_one_besides_hides_no_restore() -> None:
    """Found by simulation (seed 200158): an older one was deleted, too, after the restore."""
    four = [*THREE, item(4, made=4)]
    found = look(four, lost(1), shows(2, made=2), lost(3), lost(4))
    assert found is not None
    assert found.missing == ("x3", "x4")


def test_an_item_of_unknown_age_is_not_surely_among_the_newest() -> None:
    unknown_age = replace(THREE[2], event=replace(THREE[2].event, created=None))
    assert look([*THREE[:2], unknown_age], shows(1, made=1), lost(2), lost(3)) is None


def test_what_lives_on_under_another_key_is_not_missing() -> None:
    observations = {obs.key: obs for obs in (shows(1, made=1), lost(2), lost(3))}
    moved = {
        "x2": THREE[1],
        **{k: v for k, v in after(THREE, dict(observations)).items() if k == "x3"},
    }
    assert signs(THREE, moved, dict(observations), CALENDAR) is None


def test_a_late_word_of_an_end_is_no_end_also_where_nothing_else_is_left() -> None:
    """The plan dropped it: the item counts as there, though no item is shown."""
    observations: dict[str, Observation] = {f"e{n}": lost(n) for n in (1, 2, 3)}
    dropped = {k: v for k, v in after(THREE, observations).items() if k != "x1"}
    found = signs(THREE, dropped, observations, CALENDAR)
    assert found is not None
    assert found.missing == ("x2", "x3")


def test_what_was_gone_before_is_not_missing() -> None:
    """Only the items that this listing lost are counted."""
    before = [
        THREE[0],
        *(replace(x, event=replace(x.event, presence=Presence.GONE)) for x in THREE[1:]),
    ]
    assert look(before, shows(1, made=1), lost(2), lost(3)) is None


def test_one_missing_item_is_named_beside_other_signs() -> None:
    older = seen(occ(1, 2, title="before"), key="e1", mark=4, created=at(1))
    found = look(THREE, older, shows(2, made=2), lost(3))
    assert found is not None
    assert (found.older, found.missing) == (("x1",), ("x3",))
    tomb = buried(id="t")
    back = look([*THREE, tomb], seen(WAS, key="e", mark=6), shows(1), shows(2), lost(3))
    assert back is not None
    assert (back.again, back.missing) == (("t",), ("x3",))


def test_what_the_side_says_itself_is_a_sign_alone() -> None:
    assert look(THREE, shows(1), told=True) == SetBack(side=CALENDAR, told=True)
    found = look(THREE, shows(1), shows(2), lost(3), told=True)
    assert found is not None
    assert found.missing == ("x3",)


@pytest.mark.parametrize(
    ("hinted", "missing"),
    [((), ("x1", "x2")), (("e1",), None), (("e3",), ("x1", "x2")), (("e1", "e2"), None)],
)
def test_of_what_the_feed_told_nothing_is_no_sign(
    hinted: tuple[str, ...], missing: tuple[str, ...] | None
) -> None:
    """Found by simulation (seed 201852): of two that are gone it had told one."""
    observations: dict[str, Observation] = {"e1": lost(1), "e2": lost(2), "e3": shows(3)}
    links = after(THREE, observations)
    found = signs(THREE, links, observations, CALENDAR, silent=True, hinted=hinted)
    assert (found and found.missing) == missing


def test_newest_of_which_the_feed_told_are_no_sign() -> None:
    observations: dict[str, Observation] = {"e1": shows(1, made=1), "e2": lost(2), "e3": lost(3)}
    links = after(THREE, observations)
    assert signs(THREE, links, observations, CALENDAR) is not None
    assert signs(THREE, links, observations, CALENDAR, hinted=("e3",)) is None


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (
            SetBack(side=BOOKING, older=("a", "b")),
            "the booking side shows 2 items in an older state than calsync has seen",
        ),
        (SetBack(side=CALENDAR, again=("a",)), "the calendar side shows 1 items that were deleted"),
        (SetBack(side=CALENDAR, missing=("a", "b")), "the calendar side lacks its 2 newest items"),
        (
            SetBack(side=CALENDAR, missing=("a", "b"), silent=True),
            "the calendar side lacks its 2 items that nobody told us are gone",
        ),
        (
            SetBack(side=CALENDAR, told=True),
            "the calendar side counts its changes from an earlier time",
        ),
        (
            SetBack(side=CALENDAR, older=("a",), again=("b",), missing=("c",), told=True),
            "the calendar side shows 1 items in an older state than calsync has seen and 1 items"
            " that were deleted, and lacks its 1 newest items",
        ),
    ],
)
def test_the_admin_reads_what_was_seen_and_what_to_do(found: SetBack, reason: str) -> None:
    assert found.reason == reason
    assert found.halt.reason.startswith(reason)
    assert "resume" in found.halt.reason
    total = len(found.older) + len(found.again) + len(found.missing)
    assert (found.halt.deletions, found.halt.items) == (len(found.missing), total)


# --- under new keys, as content is that was restored into a mailbox ----------------------------


@pytest.mark.parametrize(
    ("now", "older"),
    [
        (there(WAS, key="new", mark=4), True),
        (there(WAS, key="e1", mark=4), False),
        (there(WAS, key="new", mark=5), False),
        (there(occ(1, 2), key="new", mark=4), False),
        (Half(presence=Presence.UNKNOWN, key="new", mark=4), False),
    ],
    ids=["older", "same key", "same mark", "same content", "unreadable"],
)
def test_an_item_that_lives_on_in_an_older_state(now: Half, older: bool) -> None:
    links = {"x1": replace(THREE[0], event=now)}
    found = signs(THREE, links, {"e1": lost(1), "e2": shows(2)}, CALENDAR)
    assert (found is not None and found.older == ("x1",)) is older


TOMB = buried(id="t")
NAMED = replace(TOMB, event=replace(TOMB.event, uid="u"))
#: Its other side is there still.
LIVES = replace(NAMED, state=LinkState.ACTIVE, booking=there(WAS, key="b"))


@pytest.mark.parametrize(
    ("tomb", "obs", "back"),
    [
        (TOMB, seen(WAS, key="e", mark=6), True),
        (TOMB, seen(WAS, key="e", mark=7), False),
        (TOMB, seen(WAS, key="new", mark=6, uid="u"), False),
        (NAMED, seen(WAS, key="new", mark=6, uid="u"), True),
        (NAMED, seen(WAS, key="new", mark=7, uid="u"), False),
        (NAMED, seen(WAS, key="new", mark=6, uid="v"), False),
        (NAMED, seen(WAS, key="new", mark=6), False),
        (NAMED, Unknown(key="new", reason="timeout"), False),
        (replace(NAMED, state=LinkState.ACTIVE), seen(WAS, key="new", mark=6, uid="u"), True),
        (LIVES, seen(WAS, key="new", mark=6, uid="u"), False),
    ],
    ids=[
        "its key", "changed since", "tomb without uid", "its uid", "its uid, changed since",
        "other uid", "no uid", "unreadable", "not buried yet", "no tomb",
    ],
)  # fmt: skip
def test_what_lives_behind_a_tombstone(tomb: Link, obs: Observation, back: bool) -> None:
    assert returned([tomb], {obs.key: obs}, CALENDAR) == ({"t": obs} if back else {})


def test_a_uid_whose_booking_lives_is_that_booking() -> None:
    """It was deleted and booked again under the same uid, say by another vendor's connector."""
    alive = item(1)
    alive = replace(alive, event=replace(alive.event, uid="u"))
    obs = seen(WAS, key="new", mark=6, uid="u")
    assert returned([NAMED, alive], {"new": obs}, CALENDAR) == {}
    known = seen(WAS, key="e1", mark=6, uid="u")
    assert returned([NAMED, item(1)], {"e1": known}, CALENDAR) == {}, "the item of another link"


def test_what_was_made_anew_and_stands_under_its_former_key_was_not_deleted() -> None:
    """The tombstone is that of a key, not of a booking."""
    alive = item(1)
    alive = replace(alive, event=replace(alive.event, uid="u"))
    back = seen(WAS, key="e", mark=6, uid="u")
    observations: dict[str, Observation] = {"e": back, "e1": lost(1)}
    assert returned([NAMED, alive], observations, CALENDAR) == {}
    found = signs([NAMED, alive], after([alive], observations), observations, CALENDAR)
    assert found == SetBack(side=CALENDAR, older=("x1",))
    # Where that booking still has its item, or had lost it before, the tombstone is its own.
    assert returned([NAMED, alive], {**observations, "e1": shows(1)}, CALENDAR) == {"t": back}
    gone = replace(alive, event=replace(alive.event, presence=Presence.GONE))
    assert returned([NAMED, gone], observations, CALENDAR) == {"t": back}
    nameless = [TOMB, item(1)]
    assert returned(nameless, observations, CALENDAR) == {"t": back}


def test_the_former_key_says_more_than_the_uid() -> None:
    own, other = seen(WAS, key="e", mark=6, uid="u"), seen(IS, key="new", mark=5, uid="u")
    for order in ({"e": own, "new": other}, {"new": other, "e": own}):
        assert returned([NAMED], order, CALENDAR) == {"t": own}
    first, second = seen(WAS, key="n1", mark=6, uid="u"), seen(IS, key="n2", mark=6, uid="u")
    assert returned([NAMED], {"n1": first, "n2": second}, CALENDAR) == {"t": first}


def test_what_is_back_under_a_new_key_leaves_the_tombstone_its_own() -> None:
    tomb, parked = set_apart(NAMED, CALENDAR, seen(WAS, key="new", mark=3), NOW)
    assert tomb == NAMED
    assert (parked.event.key, parked.event.seen) == ("new", WAS)


def test_links_may_come_one_by_one() -> None:
    older = seen(occ(1, 2, title="before"), key="e1", mark=4)
    found = signs(iter([THREE[0], TOMB]), {}, {"e1": older, "e": seen(WAS, key="e")}, CALENDAR)
    assert found is not None
    assert (found.older, found.again) == (("x1",), ("t",))
    assert returned(iter([TOMB]), {"e": seen(WAS, key="e")}, CALENDAR) != {}


# --- what is done then -------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_on_the_admins_word_a_side_is_believed_whatever_it_shows(side: Side) -> None:
    item = agreed(IS)
    free = forget_marks(item, side)
    assert free.half(side).mark == -1
    assert free.half(side.other) == item.half(side.other)
    assert replace(free.half(side), mark=5) == item.half(side)


@pytest.mark.parametrize("side", Side)
def test_what_is_back_is_set_apart_and_waits_for_somebody(side: Side) -> None:
    tomb = buried(person=agreed(IS).person)
    tomb, parked = set_apart(tomb, side, seen(WAS, key=tomb.half(side).key or "", mark=3), NOW)
    assert tomb.state is LinkState.BURIED
    assert tomb.half(side).key is None, "the key belongs to the new link"
    assert tomb.half(side).mark == 6
    assert tomb.half(side.other).key is not None
    assert (parked.state, parked.reason) == (LinkState.PARKED, BACK)
    half = parked.half(side)
    assert (half.presence, half.seen, half.mark) == (Presence.PRESENT, WAS, 3)
    assert parked.half(side.other) == Half(), "nothing is carried over"
    assert parked.id != tomb.id
