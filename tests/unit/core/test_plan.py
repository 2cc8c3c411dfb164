"""A whole room: observations in, a plan out. What one link after the other needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Absence,
    EditPolicy,
    EffectKind,
    Gone,
    Link,
    LinkState,
    Observation,
    Occupancy,
    Plan,
    Refusal,
    Ruling,
    Side,
    Skip,
    Unknown,
)
from calsync.reconcile.join import link_id, succeed
from calsync.reconcile.plan import OVER, in_window, reconcile
from tests.unit.core.planning import (
    ANNA,
    BERT,
    NINE,
    RENAMED,
    TEN,
    kinds,
    planned,
    says,
    stored,
)
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    DAY,
    NOW,
    PAIR,
    WINDOW,
    agreed,
    daily,
    gone,
    link,
    occ,
    seen,
    there,
    unknown,
)

# --- nothing to do -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("booking", "calendar"),
    [([], []), ([seen(NINE, key="b")], []), ([], [seen(NINE, key="e")])],
    ids=["nothing seen", "booking seen as it was", "event seen as it was"],
)
def test_a_link_at_rest_is_not_touched(
    booking: list[Observation], calendar: list[Observation]
) -> None:
    assert planned(agreed(NINE), booking=booking, calendar=calendar) == Plan()


@pytest.mark.parametrize("side", Side)
def test_a_new_version_of_the_same_content_is_stored_and_nothing_else(side: Side) -> None:
    """The echo of our own write, or somebody who changed what is not carried."""
    obs = seen(NINE, key=side.value[0].replace("c", "e"), mark=9)
    plan = planned(agreed(NINE), **{side.value: [obs]})
    assert stored(plan)["x"].half(side).version == "v9"
    assert (plan.effects, plan.skips, plan.rulings) == ([], [], [])


@pytest.mark.parametrize("side", Side)
def test_a_late_reading_is_dropped_and_said_so(side: Side) -> None:
    obs = seen(TEN, key=side.value[0].replace("c", "e"), mark=4)
    plan = planned(agreed(NINE), **{side.value: [obs]})
    assert plan.skips == [Skip("x", f"late reading of the {side.value} side dropped")]
    assert (plan.links, plan.effects) == ([], [])


def test_attempts_are_forgotten_at_rest() -> None:
    plan = planned(agreed(NINE, attempts=3))
    assert stored(plan)["x"].attempts == 0
    assert plan.effects == []


def test_what_is_unsettled_is_taken_up_again_though_nothing_new_was_seen() -> None:
    plan = planned(link(there(RENAMED), there(NINE), base=NINE))
    assert kinds(plan) == [(EffectKind.CHANGE_EVENT, "x")]
    plan = planned(link(there(NINE), there(RENAMED), base=NINE))
    assert kinds(plan) == [(EffectKind.CHANGE_BOOKING, "x")]


@pytest.mark.parametrize("side", Side)
def test_the_same_version_may_wait_for_an_answer_again_or_show_something_else(side: Side) -> None:
    """Parts of a booking wait together; a series may change without its version."""
    key = side.value[0].replace("c", "e")
    waits = planned(agreed(NINE), booking=[seen(NINE, key="b", pending=True)])
    assert kinds(waits) == [(EffectKind.CONFIRM_BOOKING, "x")]
    other = planned(agreed(NINE), **{side.value: [seen(TEN, key=key)]})
    assert len(other.effects) == 1


@pytest.mark.parametrize(
    ("item", "says_so"),
    [
        (agreed(NINE, in_flight=True), "a write of it is still in doubt"),
        (agreed(NINE, state=LinkState.PARKED, reason="too long"), "parked: too long"),
    ],
)
def test_what_cannot_go_on_is_named_in_every_plan(item: Link, says_so: str) -> None:
    assert says(planned(item)) == [says_so]


def test_what_was_never_agreed_on_is_not_at_rest() -> None:
    assert stored(planned(link(gone(key="b"))))["x"].state is LinkState.BURIED


def test_attempts_at_an_active_link_count_on_whatever_people_change() -> None:
    """A loop of two programs changes something each time: it has to end."""
    item = link(there(RENAMED, key="b"), there(NINE, key="e"), base=NINE, attempts=5)
    plan = planned(item, booking=[seen(TEN, key="b", mark=9)])
    assert stored(plan)["x"].attempts == 6


def test_a_write_in_doubt_is_waited_for() -> None:
    plan = planned(agreed(NINE, in_flight=True), booking=[seen(TEN, key="b", mark=9)])
    assert plan.skips == [Skip("x", "a write of it is still in doubt")]
    assert plan.effects == []
    assert stored(plan)["x"].booking.seen == TEN


def test_what_is_unknown_is_skipped_with_the_reason() -> None:
    plan = planned(agreed(NINE), calendar=[Unknown(key="e", reason="timeout")])
    assert plan.skips == [Skip("x", "calendar unknown: timeout")]
    assert plan.effects == []


def test_what_is_gone_is_not_refused_for_what_comes_while_its_event_cannot_be_read() -> None:
    item = link(gone(key="b"), unknown(key="e", seen=NINE), base=NINE)
    newer = seen(NINE, key="new", owned=False)
    plan = planned(item, calendar=[newer])
    assert plan.effects == [], "there is nothing to refuse, and its event may still stand there"


# --- parked --------------------------------------------------------------------------------------

PARKED = agreed(NINE, state=LinkState.PARKED, reason="too long", attempts=9)


def test_what_is_parked_is_let_be() -> None:
    plan = planned(PARKED, booking=[seen(NINE, key="b", mark=9)])
    assert plan.skips == [Skip("x", "parked: too long")]
    assert stored(plan)["x"].state is LinkState.PARKED


@pytest.mark.parametrize(
    "obs",
    [seen(RENAMED, key="b", mark=9), Gone(key="b", absence=Absence.READ)],
    ids=["changed", "removed"],
)
def test_what_somebody_changed_since_has_a_new_chance(obs: Observation) -> None:
    plan = planned(PARKED, booking=[obs])
    item = stored(plan)["x"]
    assert (item.state, item.reason) == (LinkState.ACTIVE, "")
    assert item.attempts == 1, "counted anew"
    assert len(plan.effects) == 1


def test_not_being_readable_for_a_while_is_no_change() -> None:
    plan = planned(PARKED, booking=[Unknown(key="b", reason="timeout")])
    assert stored(plan)["x"].state is LinkState.PARKED


def test_what_cannot_be_understood_is_parked_at_once() -> None:
    plan = planned(agreed(NINE), calendar=[Unknown(key="e", reason="no end", poison=True)])
    assert plan.skips == [Skip("x", "parked: no end")]
    assert stored(plan)["x"].state is LinkState.PARKED


# --- carried over --------------------------------------------------------------------------------


def test_a_new_booking_gets_an_event() -> None:
    plan = planned(booking=[seen(NINE, key="b", person=ANNA, pending=True, uid="u")])
    (item,) = plan.links
    assert item.id == link_id("p", BOOKING, "b")
    assert (item.origin, item.person, item.pending) == (BOOKING, ANNA, True)
    assert (item.in_flight, item.revision, item.attempts) == (True, 1, 1)
    (made,) = plan.effects
    assert (made.kind, made.target, made.uid, made.revision) == (
        EffectKind.CREATE_EVENT, NINE, "u", 1
    )  # fmt: skip
    assert plan.rulings == [Ruling(item.id, "create event", "new on the booking side")]


def test_a_new_event_gets_a_booking() -> None:
    plan = planned(calendar=[seen(NINE, key="e", person=BERT, owned=False)])
    (item,) = plan.links
    assert (item.id, item.origin, item.person) == (link_id("p", CALENDAR, "e"), CALENDAR, BERT)
    assert kinds(plan) == [(EffectKind.CREATE_BOOKING, item.id)]


def test_a_confirmation_is_sent_once_both_sides_have_it() -> None:
    refusal = Refusal(reason="taken")
    item = agreed(NINE, pending=True, attempts=5, refusal=refusal)
    plan = planned(item)
    (confirm,) = plan.effects
    assert (confirm.kind, confirm.key, confirm.refusal) == (
        EffectKind.CONFIRM_BOOKING, "b", refusal
    )  # fmt: skip
    assert stored(plan)["x"].attempts == 1
    assert planned(link(gone(), gone(), base=NINE, pending=True)).effects == []


def test_the_same_change_on_both_sides_is_the_new_base_and_then_confirmed() -> None:
    plan = planned(link(there(TEN), there(TEN), base=NINE))
    item = stored(plan)["x"]
    assert (item.base, plan.effects) == (TEN, [])
    assert plan.rulings == [Ruling("x", "rebase", "both sides made the same change")]
    plan = planned(link(there(TEN), there(TEN), base=NINE, pending=True))
    assert kinds(plan) == [(EffectKind.CONFIRM_BOOKING, "x")]
    assert stored(plan)["x"].base == TEN


def test_what_is_gone_on_both_sides_is_buried() -> None:
    plan = planned(
        agreed(NINE),
        booking=[Gone(key="b", absence=Absence.READ)],
        calendar=[Gone(key="e", absence=Absence.READ)],
    )
    assert stored(plan)["x"].state is LinkState.BURIED
    assert plan.rulings == [Ruling("x", "bury", "gone on both sides")]


def test_an_edit_conflict_is_on_record_and_ask_parks() -> None:
    item = link(there(RENAMED), there(replace(NINE, title="other")), base=NINE)
    assert [c.winner for c in planned(item).conflicts] == [BOOKING]
    plan = reconcile(
        [item], {}, {}, pair=replace(PAIR, edit_policy=EditPolicy.ASK), window=WINDOW, now=NOW
    )
    assert stored(plan)["x"].state is LinkState.PARKED
    assert stored(plan)["x"].revision == 1
    assert plan.rulings == [Ruling("x", "park", "both sides changed title")]
    assert [c.winner for c in plan.conflicts] == [None]


@pytest.mark.parametrize("lives", Side)
def test_what_lives_on_one_side_gets_a_new_life_on_the_other(lives: Side) -> None:
    edited = there(RENAMED, key="live", mark=7)
    item = link(
        edited if lives is BOOKING else gone(key="b"),
        edited if lives is CALENDAR else gone(key="e"),
        base=NINE,
        origin=lives,
        pending=True,
        person=ANNA,
    )
    plan = planned(item)
    tomb, new = stored(plan)["x"], stored(plan)[succeed(item, lives).id]
    assert (tomb.state, tomb.half(lives).key) == (LinkState.BURIED, None)
    assert tomb.half(lives.other).key is not None, "late readings of it are still turned away"
    assert (new.half(lives).key, new.half(lives).seen, new.half(lives).mark) == (
        "live", RENAMED, 7
    )  # fmt: skip
    assert (new.pending, new.person, new.in_flight) == (True, ANNA, True)
    kind = EffectKind.CREATE_BOOKING if lives is CALENDAR else EffectKind.CREATE_EVENT
    assert kinds(plan) == [(kind, new.id)]
    assert len(plan.conflicts) == 1, "the deletion that lost is on record, once"
    assert new.claim is lives


def test_a_new_life_is_claimed_where_people_moved_it() -> None:
    item = link(there(TEN, key="b"), gone(key="e"), base=NINE, claim=CALENDAR)
    assert stored(planned(item))[succeed(item, BOOKING).id].claim is CALENDAR


def test_what_was_agreed_on_but_never_made_is_made() -> None:
    plan = planned(link(there(RENAMED, key="b"), None, base=NINE))
    assert kinds(plan) == [(EffectKind.CREATE_EVENT, "x")]


def test_an_edit_takes_the_claim_with_it_but_not_one_that_nobody_agreed_on() -> None:
    moved = link(there(TEN, key="b"), there(NINE, key="e"), base=NINE, origin=CALENDAR)
    assert stored(planned(moved))["x"].claim is BOOKING
    renamed = link(there(RENAMED, key="b"), there(NINE, key="e"), base=NINE, origin=CALENDAR)
    assert stored(planned(renamed))["x"].claim is None
    unagreed = link(there(TEN, key="b"), there(NINE, key="e"))
    assert stored(planned(unagreed))["x"].claim is None


def test_a_new_life_of_what_was_agreed_keeps_its_content() -> None:
    item = link(there(NINE, key="b"), gone(key="e"), base=NINE)
    plan = planned(item, rejoin=EditPolicy.BOOKING)
    new = stored(plan)[succeed(item, BOOKING).id]
    assert (new.booking.seen, new.base) == (NINE, None)


def test_joined_anew_nothing_is_deleted() -> None:
    item = link(gone(key="b"), there(NINE, key="e"), base=NINE)
    assert kinds(planned(item)) == [(EffectKind.DELETE_EVENT, "x")]
    again = planned(item, rejoin=EditPolicy.ORIGIN)
    assert [e.kind for e in again.effects] == [EffectKind.CREATE_BOOKING]


# --- the window ----------------------------------------------------------------------------------


def days(n: int) -> Occupancy:
    return replace(NINE, start=NINE.start + timedelta(days=n), end=NINE.end + timedelta(days=n))


@pytest.mark.parametrize("side", Side)
def test_what_is_over_is_not_carried_but_what_comes_late_is(side: Side) -> None:
    assert says(planned(**{side.value: [seen(days(-1))]})) == [OVER]
    assert len(planned(**{side.value: [seen(days(400))]}).effects) == 1
    until_midnight = occ(-2, 0)
    assert says(planned(**{side.value: [seen(until_midnight)]})) == [OVER]
    into_it = occ(-2, 0.5)
    assert len(planned(**{side.value: [seen(into_it)]}).effects) == 1
    endless = replace(daily(9, 10, count=None), start=days(-99).start, end=days(-99).end)
    assert len(planned(**{side.value: [seen(endless)]}).effects) == 1


def test_what_both_sides_have_is_kept_equal_also_when_it_is_over() -> None:
    item = link(there(replace(days(-1), title="x")), there(days(-1)), base=days(-1))
    assert kinds(planned(item)) == [(EffectKind.CHANGE_EVENT, "x")]


@pytest.mark.parametrize(
    ("what", "inside"),
    [
        (NINE, True),
        (occ(-1, 0), False),
        (occ(-1, 0.5), True),
        (occ(0, 0), True),
        (days(27), True),
        (days(28), False),
        (occ(28 * 24, 28 * 24 + 1), False),
        (occ(28 * 24 - 1, 28 * 24 + 1), True),
        (replace(daily(9, 10, count=None), start=days(-9).start, end=days(-9).end), True),
        (replace(daily(9, 10, count=2), start=days(-9).start, end=days(-9).end), False),
        (replace(daily(9, 10, count=10), start=days(-9).start, end=days(-9).end), True),
    ],
)
def test_what_may_lie_in_the_window(what: Occupancy, inside: bool) -> None:
    assert in_window(what, WINDOW, "UTC") is inside


def test_what_is_stored_is_what_changed() -> None:
    quiet = [replace(agreed(days(n)), id=f"q{n}") for n in range(3)]
    quiet = [
        replace(
            lk,
            booking=replace(lk.booking, key=f"b{n}"),
            event=replace(lk.event, key=f"e{n}"),
        )
        for n, lk in enumerate(quiet)
    ]
    plan = planned(*quiet, booking=[seen(replace(days(1), title="x"), key="b1", mark=9)])
    assert set(stored(plan)) == {"q1"}
    assert stored(plan)["q1"].booking.fingerprint == fingerprint(replace(days(1), title="x"))


def test_the_zone_of_the_room_tells_when_an_all_day_item_is_over() -> None:
    """The day before the window ends later in New York than in UTC."""
    day = Occupancy(start=DAY - timedelta(days=1), end=DAY, zone=None, all_day=True)
    assert says(planned(booking=[seen(day)])) == [OVER]
    pair = replace(PAIR, zone="America/New_York")
    west = reconcile([], {"k": seen(day)}, {}, pair=pair, window=WINDOW, now=NOW)
    assert len(west.effects) == 1
    assert in_window(day, WINDOW, "America/New_York")
    assert not in_window(day, WINDOW, "UTC")


@pytest.mark.parametrize(
    ("shows", "state"), [(NINE, LinkState.PARKED), (RENAMED, LinkState.ACTIVE)]
)
def test_what_waits_for_a_person_waits_on_under_a_new_key(
    shows: Occupancy, state: LinkState
) -> None:
    """A mailbox moved to another server gives its items new keys (found by simulation, seed 200793:
    what a restored backup had brought back, and was deleted, was booked again)."""
    apart = link(
        event=there(NINE, key="e", uid="meeting"),
        origin=CALENDAR,
        state=LinkState.PARKED,
        reason="it was deleted, and is back since a backup was restored",
    )
    gone_here = Gone(key="e", absence=Absence.READ)
    shown = [gone_here, seen(shows, key="new", uid="meeting", mark=9)]
    plan = planned(apart, calendar=shown)
    assert (stored(plan)["x"].state, stored(plan)["x"].event.key) == (state, "new")
    assert bool(plan.effects) is (state is LinkState.ACTIVE)
