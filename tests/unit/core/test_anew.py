"""Both sides joined anew, on the admin's word: the table of ``anew``, cell by cell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calsync.model import Absence, Conflict, ConflictKind, EditPolicy, Half, Link, Occupancy, Side
from calsync.reconcile.anew import decide_anew
from calsync.reconcile.decide import Decision, Verb
from tests.unit.core.values import agreed, gone, link, occ, there, unknown

OLD, MINE, THEIRS = occ(9, 10), occ(9, 10, title="mine"), occ(9, 10, title="theirs")


def pair(booking: Half, event: Half, **more: object) -> Link:
    return link(booking, event, base=OLD, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("item", "verb", "target"),
    [
        (agreed(OLD), Verb.NOTHING, None),
        (link(there(MINE), there(MINE), base=OLD), Verb.REBASE, MINE),
        (link(there(MINE), there(MINE)), Verb.REBASE, MINE),
        (link(there(MINE), gone(), base=OLD), Verb.REVIVE_EVENT, MINE),
        (link(there(OLD), gone(), base=OLD), Verb.REVIVE_EVENT, OLD),
        (link(there(MINE), Half()), Verb.CREATE_EVENT, MINE),
        (link(gone(), there(THEIRS), base=OLD), Verb.REVIVE_BOOKING, THEIRS),
        (link(Half(), there(THEIRS)), Verb.CREATE_BOOKING, THEIRS),
        (link(gone(), gone(), base=OLD), Verb.BURY, None),
        (link(gone(reason=Absence.RESHAPED.value), gone(), base=OLD), Verb.BURY, None),
        (link(gone(), Half()), Verb.BURY, None),
        (link(unknown(), there(THEIRS), base=OLD), Verb.SKIP, None),
        (link(there(MINE), unknown(), base=OLD), Verb.SKIP, None),
        (link(gone(), unknown(), base=OLD), Verb.SKIP, None),
    ],
)
@pytest.mark.parametrize("trusted", EditPolicy)
def test_nothing_is_deleted_and_what_one_side_has_is_made_on_the_other(
    item: Link, verb: Verb, target: Occupancy | None, trusted: EditPolicy
) -> None:
    decision = decide_anew(item, trusted)
    lacks = Side.CALENDAR if verb is Verb.REVIVE_EVENT else Side.BOOKING
    if trusted.value == lacks.value and verb in (Verb.REVIVE_EVENT, Verb.REVIVE_BOOKING):
        # Who deleted it there meant it.
        verb = Verb.SET_APART
    assert (decision.verb, decision.target, decision.conflict) == (verb, target, None)
    assert decision.why


def test_what_is_skipped_says_which_side_could_not_be_read_and_why() -> None:
    booking = decide_anew(pair(unknown(reason="refused"), there(THEIRS)), EditPolicy.ASK)
    event = decide_anew(pair(there(MINE), unknown(reason="timeout")), EditPolicy.ASK)
    assert (booking.why, event.why) == ("booking unknown: refused", "calendar unknown: timeout")


@pytest.mark.parametrize("origin", Side)
@pytest.mark.parametrize(
    ("trusted", "winner"),
    [
        (EditPolicy.BOOKING, Side.BOOKING),
        (EditPolicy.CALENDAR, Side.CALENDAR),
        (EditPolicy.ORIGIN, None),
    ],
)
def test_the_admin_said_which_side_is_right_and_the_other_state_stays_on_record(
    trusted: EditPolicy, winner: Side | None, origin: Side
) -> None:
    winner = winner or origin
    decision = decide_anew(pair(there(MINE), there(THEIRS), origin=origin), trusted)
    if winner is Side.BOOKING:
        assert (decision.verb, decision.target) == (Verb.WRITE_EVENT, MINE)
    else:
        assert (decision.verb, decision.target) == (Verb.WRITE_BOOKING, THEIRS)
    conflict = decision.conflict
    assert conflict is not None
    assert (conflict.kind, conflict.link_id, conflict.other_link_id) == (
        ConflictKind.EDIT,
        "x",
        None,
    )
    assert (conflict.winner, conflict.policy) == (winner, trusted.value)
    assert conflict.lost == (THEIRS if winner is Side.BOOKING else MINE)


def test_one_side_may_still_stand_as_it_was_agreed() -> None:
    """The base says nothing here: who is right is right also where only the other one changed."""
    decision = decide_anew(pair(there(OLD), there(THEIRS)), EditPolicy.BOOKING)
    assert (decision.verb, decision.target) == (Verb.WRITE_EVENT, OLD)


def test_ask_parks_with_both_on_record() -> None:
    decision = decide_anew(pair(there(MINE), there(THEIRS)), EditPolicy.ASK)
    assert decision.verb is Verb.PARK
    assert decision.conflict is not None
    assert decision.conflict.parked
    assert decision.conflict.lost == THEIRS


@pytest.mark.parametrize("trusted", EditPolicy)
def test_an_attendees_copy_is_right_whatever_the_admin_said(trusted: EditPolicy) -> None:
    """It cannot be written, so trusting the platform would never come to rest."""
    decision = decide_anew(pair(there(MINE), replace(there(THEIRS), owned=False)), trusted)
    assert (decision.verb, decision.target) == (Verb.WRITE_BOOKING, THEIRS)
    assert decision.conflict is not None
    assert (decision.conflict.policy, decision.conflict.lost) == ("capability", MINE)


@pytest.mark.parametrize("trusted", EditPolicy)
@pytest.mark.parametrize(
    ("why", "shows", "recorded"),
    [
        (Absence.TWICE, OLD, False),
        (Absence.REPLACED, OLD, False),
        (Absence.REPLACED, THEIRS, True),
        (Absence.RESHAPED, OLD, True),
        (Absence.RESHAPED, THEIRS, True),
    ],
)
def test_what_stands_beside_its_booking_is_not_joined_to_another(
    why: Absence, shows: Occupancy, recorded: bool, trusted: EditPolicy
) -> None:
    """What calsync made itself, and nobody changed, needs no record."""
    decision = decide_anew(pair(gone(reason=why.value), there(shows)), trusted)
    assert decision.verb is Verb.DELETE_EVENT
    assert (decision.conflict.lost if decision.conflict else None) == (shows if recorded else None)


def test_a_meeting_of_others_stays_whatever_carries_its_booking() -> None:
    theirs = replace(there(THEIRS), owned=False)
    decision = decide_anew(pair(gone(reason=Absence.RESHAPED.value), theirs), EditPolicy.CALENDAR)
    assert decision.verb is Verb.REVIVE_BOOKING


@pytest.mark.parametrize("trusted", EditPolicy)
def test_nor_is_a_booking_whose_meeting_others_stand_for_made_again(trusted: EditPolicy) -> None:
    """What its person made of it since is on record, whichever side the admin trusts."""
    decision = decide_anew(pair(there(MINE), gone(reason=Absence.REPLACED.value)), trusted)
    why = f"{Absence.REPLACED.value}, and it was changed on the booking side"
    assert decision == Decision(
        verb=Verb.DELETE_BOOKING,
        why=why,
        conflict=Conflict(
            kind=ConflictKind.DELETE_EDIT,
            link_id="x",
            other_link_id=None,
            policy="capability",
            winner=Side.CALENDAR,
            reason=why,
            lost=MINE,
        ),
    )
