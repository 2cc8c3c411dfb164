"""What the search through small scopes found, each mended at its root: every order in which these
acts can meet the steps of calsync."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calsync.model import Side
from smallscope.answers import Fault
from smallscope.scope import Act, Kind, Scope
from smallscope.search import Search

P, C = Side.BOOKING, Side.CALENDAR
Script = tuple[tuple[Act, ...], tuple[Act, ...]]
BOOKED = Act(Kind.BOOK, P, "A", 1)


def holds(script: Script, *begin: Act, faults: tuple[Fault, ...] = ()) -> None:
    scope = Scope(title="a finding", begin=begin, script=script, faults=faults)
    found = Search(replace(scope, misfortunes=len(faults))).run()
    assert found.finished
    assert found.states > 20
    assert not found.findings, "\n".join(str(f.broken) for f in found.findings.values())


@pytest.mark.parametrize("kind", [Kind.BOOK, Kind.BLOCK])
def test_half_a_merge_is_agreed_on_before_somebody_books_its_time(kind: Kind) -> None:
    """A is moved on the platform and retitled in the calendar; before the merged event is written,
    B is made at its new time in the calendar. The half that was written was taken for a move in
    the calendar: A and B stood at one time in the end, and nobody was told."""
    platform = (Act(Kind.MOVE, P, "A", 2),)
    calendar = (Act(Kind.RETITLE, C, "A"), Act(kind, C, "B", 2))
    holds((platform, calendar), BOOKED)


def test_a_merge_claims_its_time_where_people_asked_for_it() -> None:
    """A is moved to 2 on the platform and to 3 in the calendar, where it is retitled, too, and B
    booked at 2. The platform's time wins, the calendar's title: that time was taken for one that
    was claimed in the calendar, in sight of B, and A was put onto B."""
    calendar = (Act(Kind.BOOK, C, "B", 2), Act(Kind.RETITLE, C, "A"), Act(Kind.MOVE, C, "A", 3))
    holds(((Act(Kind.MOVE, P, "A", 2),), calendar), BOOKED)


def test_an_answer_leaves_nothing_to_compare() -> None:
    """The attempt of an answer stayed on its link until the next full compare."""
    holds(((Act(Kind.BOOK, P, "A", 1), Act(Kind.RETITLE, P, "A")), (Act(Kind.MOVE, C, "A", 2),)))


def test_a_removal_is_not_undone_by_a_late_reading_told_with_it() -> None:
    """One page of a feed told that A was cancelled, and its former state once more. The later
    line won, though it was the older reading: the cancellation was lost until the nightly compare.
    """
    holds(((Act(Kind.CANCEL, P, "A"),), ()), BOOKED, faults=(Fault.REPLAY,))


@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.REPLY_LOST])
def test_what_was_made_in_doubt_and_cancelled_is_not_made_again(fault: Fault) -> None:
    """B is made on the platform, calsync dies before it hears of that, and somebody cancels it
    there. It was looked for among what is alive, not found, and made again."""
    holds(((Act(Kind.CANCEL, P, "B"),), (Act(Kind.BOOK, C, "B", 2),)), BOOKED, faults=(fault,))


def test_a_replay_is_not_the_reading_that_failed() -> None:
    """A could not be read after it was retitled, and the next feed told its former state once
    more: that was taken for the reading that was due, and the new title never carried over."""
    holds(((), (Act(Kind.RETITLE, C, "A"),)), BOOKED, faults=(Fault.UNREADABLE, Fault.REPLAY))
