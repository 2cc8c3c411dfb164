"""What waits until time is left, and who claims the room's time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from calsync.conflicts.clash import Claim
from calsync.mapping.expand import busy_intervals
from calsync.mapping.fingerprint import fingerprint
from calsync.model import Busy, EffectKind, Half, Interval, Link, LinkState, Occupancy, Side
from calsync.reconcile.claims import claims_of
from calsync.reconcile.decide import FILLING, Decision, Verb
from calsync.reconcile.wait import onto, still_needed, too_early
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    DAY,
    NOW,
    WINDOW,
    agreed,
    at,
    buried,
    daily,
    effect,
    gone,
    link,
    occ,
    there,
    unknown,
)

NINE, TEN, TWELVE = occ(9, 10), occ(10, 11), occ(12, 13)
WIDE = occ(8, 14)


def times(what: Occupancy) -> Sequence[Interval]:
    return busy_intervals(what, WINDOW, "UTC")


def to(verb: Verb, target: Occupancy | None = None) -> Decision:
    return Decision(verb=verb, why="w", target=target)


def called(item: Link, name: str) -> Link:
    return replace(item, id=name)


# --- what waits ----------------------------------------------------------------------------------

#: On the calendar side it still stands at nine, while the booking was moved to twelve.
MOVED = called(link(there(TWELVE), there(NINE), base=NINE), "moved")
NEW = called(link(there(NINE)), "new")
#: New in the calendar.
COMING = called(link(Half(), there(NINE)), "new")


def waiting(*links: Link, effects: tuple[object, ...] = (), **decisions: Decision) -> list[str]:
    return too_early(links, decisions, effects, times)  # type: ignore[arg-type]


def test_time_that_is_about_to_be_left_is_given_to_nobody_yet() -> None:
    """The move is not written in this plan (it waits for something else)."""
    assert waiting(MOVED, NEW, new=to(Verb.CREATE_EVENT, NINE)) == ["new"]
    assert waiting(MOVED, NEW, new=to(Verb.CREATE_EVENT, TEN)) == []


@pytest.mark.parametrize(
    "verb", [Verb.CREATE_EVENT, Verb.WRITE_EVENT, Verb.REVIVE_EVENT, Verb.WRITE_BOTH]
)
def test_whatever_fills_time_on_that_side_waits(verb: Verb) -> None:
    assert waiting(MOVED, NEW, new=to(verb, NINE)) == ["new"]


@pytest.mark.parametrize("verb", [v for v in Verb if v not in FILLING])
def test_what_fills_none_does_not(verb: Verb) -> None:
    assert waiting(MOVED, NEW, new=to(verb, NINE)) == []


def test_time_on_the_other_side_is_another_matter() -> None:
    assert waiting(MOVED, NEW, new=to(Verb.CREATE_BOOKING, NINE)) == []
    mirrored = called(link(there(NINE), there(TWELVE), base=NINE), "moved")
    for verb in (Verb.CREATE_BOOKING, Verb.WRITE_BOOKING, Verb.REVIVE_BOOKING):
        assert waiting(mirrored, COMING, new=to(verb, NINE)) == ["new"]


def test_what_stands_there_already_waits_for_nobody() -> None:
    """People retitled one that another, which they moved, meets: only its title is written."""
    retitled = to(Verb.WRITE_EVENT, replace(NINE, title="other"))
    beside = called(agreed(NINE), "beside")
    assert waiting(MOVED, beside, beside=retitled) == []
    assert waiting(MOVED, called(agreed(TEN), "beside"), beside=retitled) == ["beside"]


def test_what_is_carried_over_from_a_side_stays_there() -> None:
    """Two that people moved in the calendar, onto each other, waited for each other for ever."""
    one = called(link(there(TEN), there(NINE), base=TEN), "one")
    two = called(link(there(TWELVE), there(NINE), base=TWELVE), "two")
    assert waiting(one, two, one=to(Verb.WRITE_BOOKING, NINE), two=to(Verb.WRITE_BOTH, NINE)) == []


def test_a_booking_that_is_deleted_in_this_plan_holds_nobody_up() -> None:
    going = called(link(there(NINE), gone(), base=NINE), "going")
    new = to(Verb.CREATE_BOOKING, NINE)
    assert waiting(going, COMING, new=new) == ["new"]
    assert waiting(going, COMING, new=new, going=to(Verb.DELETE_BOOKING)) == []


@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        (Verb.WRITE_EVENT, EffectKind.CHANGE_EVENT),
        (Verb.DELETE_EVENT, EffectKind.DELETE_EVENT),
        (Verb.DECLINE_DATES, EffectKind.DECLINE_EVENT),
        (Verb.WRITE_BOTH, EffectKind.CHANGE_EVENT),
    ],
)
def test_what_leaves_in_this_plan_holds_nobody_up(verb: Verb, kind: EffectKind) -> None:
    """Within a plan the order of the effects sees to it."""
    new = to(Verb.CREATE_EVENT, NINE)
    assert waiting(MOVED, NEW, new=new, moved=to(verb, TWELVE)) == []
    filed = effect(kind, link_id="moved")
    assert waiting(MOVED, NEW, effects=(filed,), new=new) == []
    elsewhere = effect(EffectKind.CHANGE_BOOKING, link_id="moved")
    assert waiting(MOVED, NEW, effects=(elsewhere,), new=new) == ["new"], "not on this side"


@pytest.mark.parametrize(
    ("other", "waits"),
    [
        (agreed(NINE), False),
        (link(gone(), there(NINE), base=NINE), True),
        (link(unknown(), there(NINE), base=NINE), True),
        (link(there(NINE, key="b"), there(replace(NINE, title="x")), base=NINE), False),
        (link(None, there(NINE)), False),
        (link(there(TWELVE), gone(), base=NINE), False),
        (link(there(TWELVE), unknown(), base=NINE), True),
        (link(gone(), unknown(), base=NINE), True),
        (link(unknown(), unknown(), base=NINE), True),
        (link(there(TWELVE), gone(seen=NINE), base=NINE), False),
        (link(gone(seen=NINE), there(NINE), base=NINE), True),
        (replace(MOVED, state=LinkState.PARKED), False),
        (replace(MOVED, state=LinkState.BURIED), False),
    ],
    ids=[
        "stands on both", "removed there", "unreadable there", "only renamed", "new here",
        "gone here", "unreadable here", "removed there, unreadable here", "unreadable on both",
        "gone here, in doubt", "removed there, in doubt", "parked", "buried",
    ],
)  # fmt: skip
def test_what_is_about_to_leave(other: Link, waits: bool) -> None:
    found = waiting(called(other, "other"), NEW, new=to(Verb.CREATE_EVENT, NINE))
    assert found == (["new"] if waits else [])


def test_a_create_in_doubt_may_have_made_what_is_not_wanted_any_more() -> None:
    doubt = link(there(TWELVE), Half(sent=fingerprint(NINE), seen=NINE))
    new = to(Verb.CREATE_EVENT, NINE)
    assert waiting(called(replace(doubt, in_flight=True), "d"), NEW, new=new) == ["new"]
    assert waiting(called(doubt, "d"), NEW, new=new) == [], "it is known not to be there"


def test_what_waits_does_not_leave_its_own_time_either() -> None:
    """first leaves nine later; second wants nine and stands at ten; third wants ten."""
    second = called(link(there(NINE), there(TEN), base=TEN), "second")
    third = called(link(there(TEN), there(TWELVE), base=TWELVE), "third")
    found = waiting(
        MOVED, second, third, second=to(Verb.WRITE_EVENT, NINE), third=to(Verb.WRITE_EVENT, TEN)
    )
    assert found == ["second", "third"]


# --- what one just parked holds ------------------------------------------------------------------


def test_what_turned_out_to_stay_is_judged_anew() -> None:
    held = called(link(there(TWELVE), there(NINE), base=NINE), "held")
    decisions = {
        "on its event": to(Verb.CREATE_EVENT, NINE),
        "on its booking": to(Verb.CREATE_BOOKING, TWELVE),
        "crosswise": to(Verb.CREATE_EVENT, TWELVE),
        "beside": to(Verb.CREATE_EVENT, TEN),
        "going": to(Verb.DELETE_EVENT),
    }
    assert onto([held], decisions, times) == ["on its booking", "on its event"]
    assert onto([], decisions, times) == []


# --- who claims ----------------------------------------------------------------------------------


def claims(*links: Link, **decisions: Decision) -> dict[str, Claim]:
    found = claims_of(links, decisions, NOW)
    assert len({c.link.id for c in found}) == len(found)
    return {c.link.id: c for c in found}


FILLER = called(link(there(TEN)), "filler")
FILLS = to(Verb.CREATE_EVENT, TEN)


def claim_of(item: Link, decision: Decision | None = None) -> Claim | None:
    """The claim of ``item`` in a plan in which something else fills time."""
    decisions = {"filler": FILLS} if decision is None else {"filler": FILLS, "x": decision}
    return claims(item, FILLER, **decisions).get("x")


def test_where_nothing_takes_time_nobody_is_asked() -> None:
    assert claims(agreed(NINE), FILLER) == {}
    assert claims(agreed(NINE), FILLER, filler=to(Verb.DELETE_EVENT)) == {}
    kept = called(link(there(replace(NINE, title="x")), there(NINE), base=NINE), "filler")
    renames = to(Verb.WRITE_EVENT, replace(NINE, title="x"))
    assert claims(agreed(NINE), kept, filler=renames) == {}, "its time is its own"


def test_the_links_may_come_one_by_one() -> None:
    assert [c.link.id for c in claims_of(iter([FILLER]), {"filler": FILLS}, NOW)] == ["filler"]


def test_a_merge_takes_time_only_where_it_moves() -> None:
    renamed = replace(NINE, title="x")
    item = link(there(renamed), there(replace(NINE, busy=Busy.OOF)), base=NINE)
    merged = replace(renamed, busy=Busy.OOF)
    assert claims(item, x=to(Verb.WRITE_BOTH, merged)) == {}
    moved = link(there(TEN), there(renamed), base=NINE)
    claim = claims(moved, x=to(Verb.WRITE_BOTH, replace(TEN, title="x")))["x"]
    assert (claim.occupancy, claim.new) == (replace(TEN, title="x"), True)


def test_a_merge_of_dates_claims_what_both_together_want() -> None:
    dates = [DAY + timedelta(days=n, hours=9) for n in range(2)]
    mine, theirs = (daily(9, 10, excluded=(day,)) for day in dates)
    both = daily(9, 10, excluded=tuple(dates))
    item = link(there(mine), there(theirs), base=daily(9, 10))
    assert claims(item, x=to(Verb.WRITE_BOTH, both))["x"].occupancy == both


def test_half_of_a_merged_move_is_claimed_where_people_made_it() -> None:
    """The event has the merged state already; what is written now is taken from it."""
    merged = replace(TEN, title="x")
    item = link(
        there(TEN, key="b", since=at(3)),
        there(merged, key="e", since=at(9)),
        base=NINE,
        claim=BOOKING,
    )
    claim = claims(item, x=to(Verb.WRITE_BOOKING, merged))["x"]
    assert (claim.side, claim.at) == (BOOKING, at(3))
    elsewhere = replace(item, booking=there(TWELVE, key="b", since=at(3)))
    assert claims(elsewhere, x=to(Verb.WRITE_BOOKING, merged))["x"].side is CALENDAR


def test_what_is_gone_where_it_was_claimed_holds_the_time_that_was_agreed() -> None:
    held = claim_of(link(there(NINE), gone(), base=NINE, origin=CALENDAR))
    assert held is not None
    assert held.occupancy == NINE


def test_a_link_at_rest_holds_its_time() -> None:
    held = claim_of(agreed(NINE))
    assert held is not None
    assert (held.occupancy, held.side, held.new, held.back) == (NINE, BOOKING, False, False)


def test_what_is_new_claims_the_time_that_it_wants() -> None:
    new = claims(FILLER, filler=FILLS)["filler"]
    assert (new.occupancy, new.side, new.new, new.at) == (TEN, BOOKING, True, at(0))


@pytest.mark.parametrize("side", Side)
def test_a_moved_item_claims_its_new_time_where_it_was_moved(side: Side) -> None:
    new, old = there(TEN, since=at(7)), there(NINE, since=at(1))
    item = link(
        new if side is BOOKING else old,
        new if side is CALENDAR else old,
        base=NINE,
        origin=side.other,
        claim=side,
    )
    verb = Verb.WRITE_EVENT if side is BOOKING else Verb.WRITE_BOOKING
    moved = claim_of(item, to(verb, TEN))
    assert moved is not None
    assert (moved.occupancy, moved.side, moved.new, moved.at) == (TEN, side, True, at(7))


def test_what_is_put_back_takes_time_that_may_have_been_booked_meanwhile() -> None:
    item = link(there(TEN), there(NINE), base=NINE, origin=CALENDAR)
    back = claim_of(item, to(Verb.WRITE_BOOKING, NINE))
    assert back is not None
    assert (back.occupancy, back.new) == (NINE, True)


@pytest.mark.parametrize("verb", [Verb.DELETE_BOOKING, Verb.DELETE_EVENT, Verb.BURY])
def test_what_gives_its_time_up_claims_none(verb: Verb) -> None:
    assert claim_of(agreed(NINE), to(verb)) is None


@pytest.mark.parametrize("verb", [Verb.SKIP, Verb.NOTHING, Verb.PARK, Verb.DECLINE_DATES])
def test_what_stays_keeps_its_claim(verb: Verb) -> None:
    held = claim_of(agreed(NINE), to(verb))
    assert held is not None
    assert not held.new


@pytest.mark.parametrize(
    ("item", "occupancy"),
    [
        (link(unknown(), unknown(), base=NINE), NINE),
        (link(unknown(seen=TEN)), TEN),
        (link(unknown()), None),
        (link(gone(), gone(), base=NINE), None),
        (link(), None),
        (buried(), None),
    ],
    ids=["unreadable", "unreadable, once understood", "never read", "gone", "nothing", "buried"],
)
def test_an_item_that_cannot_be_read_just_now_still_takes_its_time(
    item: Link, occupancy: Occupancy | None
) -> None:
    held = claim_of(item)
    assert (held and held.occupancy) == occupancy


@pytest.mark.parametrize(
    ("item", "fixed"),
    [
        (agreed(NINE, origin=CALENDAR), True),
        (agreed(NINE, origin=BOOKING), False),
        (link(there(NINE), there(NINE, owned=False), base=NINE, origin=CALENDAR), False),
        (link(there(NINE), unknown(), base=NINE, origin=CALENDAR), False),
    ],
    ids=["the room's own", "a booking", "an invitation", "unreadable"],
)
def test_an_item_of_the_rooms_own_calendar_has_nobody_to_refuse(item: Link, fixed: bool) -> None:
    held = claim_of(item)
    assert held is not None
    assert held.fixed is fixed


@pytest.mark.parametrize(
    ("half", "since"),
    [
        (there(NINE, created=at(1), since=at(5)), at(5)),
        (there(NINE, created=at(1), since=None), at(1)),
        (there(NINE, created=None, since=None), NOW),
    ],
)
def test_since_when_time_is_claimed(half: Half, since: object) -> None:
    held = claim_of(link(half, there(NINE), base=NINE))
    assert held is not None
    assert held.at == since


# --- parked ones ---------------------------------------------------------------------------------


def parked(booking: Half | None, event: Half | None) -> list[Claim]:
    item = link(booking, event, base=NINE, state=LinkState.PARKED)
    return [c for c in claims_of([item, FILLER], {"filler": FILLS}, NOW) if c.link.id == "x"]


def test_what_is_parked_keeps_the_room_on_each_side_and_is_not_refused_unasked() -> None:
    booking, event = parked(there(TEN, since=at(2)), there(TWELVE, since=at(3)))
    assert (booking.side, booking.occupancy, booking.at) == (BOOKING, TEN, at(2))
    assert (event.side, event.occupancy, event.at) == (CALENDAR, TWELVE, at(3))
    assert booking.fixed
    assert event.fixed
    assert [(c.new, c.back) for c in (booking, event)] == [(False, False)] * 2


def test_what_is_parked_on_one_side_keeps_only_that() -> None:
    assert [c.side for c in parked(there(TEN), None)] == [BOOKING]
    assert [c.side for c in parked(gone(seen=TEN), there(TEN))] == [CALENDAR]
    assert [c.occupancy for c in parked(unknown(), None)] == [NINE]


def test_when_a_parked_item_came() -> None:
    assert parked(there(TEN, since=None, created=at(4)), None)[0].at == at(4)
    assert parked(there(TEN, since=None, created=None), None)[0].at == NOW


# --- put there by calsync ------------------------------------------------------------------------


def test_what_calsync_put_back_is_known_as_such() -> None:
    """Claimed on the calendar, where calsync itself had made it: people did not place it."""
    made = there(NINE, key="e", created=at(2), since=at(2))
    back = claim_of(link(there(NINE, key="b", since=at(1)), made, base=NINE, claim=CALENDAR))
    assert back is not None
    assert (back.side, back.back, back.at) == (BOOKING, True, at(1))
    later = link(there(NINE, key="b", since=at(5)), made, base=NINE, claim=CALENDAR)
    kept = claim_of(later)
    assert kept is not None
    assert (kept.side, kept.at) == (BOOKING, at(2)), "its event held that time all along"
    moved = replace(made, since=at(9))
    there_moved = claim_of(
        link(there(NINE, key="b", since=at(1)), moved, base=NINE, claim=CALENDAR)
    )
    assert there_moved is not None
    assert (there_moved.side, there_moved.back) == (CALENDAR, False), "people moved it there"


@pytest.mark.parametrize("verb", sorted(FILLING))
def test_no_verb_that_fills_slips_past_the_judge(verb: Verb) -> None:
    assert claims(called(link(there(TEN), there(TEN)), "x"), x=to(verb, TEN))["x"].new


def test_where_it_is_gone_nobody_holds_anything() -> None:
    """People had moved it in the calendar; that event is gone, the booking stands alone."""
    was = gone(key="e", created=at(1), since=at(2))
    held = claim_of(link(there(NINE, key="b", since=at(3)), was, base=NINE, claim=CALENDAR))
    assert held is not None
    assert (held.side, held.back, held.at) == (BOOKING, True, at(3))


def test_what_shows_nothing_where_it_was_claimed_claims_nothing() -> None:
    assert claim_of(link(None, there(NINE), origin=BOOKING)) is None


# --- several events of one booking ---------------------------------------------------------------

#: The booking is carried by another item now, whose event is being made.
FORMER = called(link(gone(key="b"), there(WIDE), base=WIDE), "former")
PART = called(link(there(NINE, key="b#x1"), Half(), in_flight=True), "part")


@pytest.mark.parametrize(
    ("part", "decision", "held"),
    [
        (PART, to(Verb.DELETE_EVENT), True),
        (PART, to(Verb.WRITE_EVENT, TWELVE), True),
        (PART, to(Verb.WRITE_EVENT, WIDE), False),
        (PART, to(Verb.WRITE_BOOKING, TWELVE), False),
        (replace(PART, in_flight=False), to(Verb.DELETE_EVENT), False),
        (replace(PART, event=there(NINE)), to(Verb.DELETE_EVENT), False),
        (replace(PART, booking=there(NINE, key="c#x1")), to(Verb.DELETE_EVENT), False),
        (replace(PART, booking=there(occ(15, 16), key="b#x1")), to(Verb.DELETE_EVENT), False),
        (replace(PART, booking=gone(key="b#x1")), to(Verb.DELETE_EVENT), False),
        (replace(PART, organizer="ada@contoso.example"), to(Verb.DELETE_EVENT), False),
    ],
    ids=[
        "deleted", "moved away", "stays", "left as it is", "not being made", "made",
        "of another booking", "at another time", "given up", "a meeting of a person",
    ],
)  # fmt: skip
def test_an_event_stays_while_it_is_in_doubt_whether_another_holds_its_time(
    part: Link, decision: Decision, held: bool
) -> None:
    found = still_needed([FORMER, part], {"former": decision}, times)
    assert found == (["former"] if held else [])


def test_what_people_gave_up_on_both_sides_holds_nothing() -> None:
    nowhere = replace(FORMER, event=gone(key="e"))
    assert still_needed([nowhere, PART], {"former": to(Verb.DELETE_EVENT)}, times) == []
