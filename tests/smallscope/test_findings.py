"""What the search through small scopes found, each mended at its root: every order in which these
acts can meet the steps of calsync."""

from __future__ import annotations

import pytest

from calsync.model import Side
from smallscope.scope import Act, Kind, Scope
from smallscope.search import Search

P, C = Side.BOOKING, Side.CALENDAR
Script = tuple[tuple[Act, ...], tuple[Act, ...]]
BOOKED = Act(Kind.BOOK, P, "A", 1)


def holds(script: Script, *begin: Act) -> None:
    found = Search(Scope(title="a finding", begin=begin, script=script)).run()
    assert found.finished
    assert found.states > 50
    assert not found.findings, "\n".join(str(f.broken) for f in found.findings.values())


@pytest.mark.parametrize("kind", [Kind.BOOK, Kind.BLOCK])
def test_half_a_merge_is_agreed_on_before_somebody_books_its_time(kind: Kind) -> None:
    """A is moved on the platform and retitled in the calendar; before the merged event is written,
    B is made at its new time in the calendar. The half that was written was taken for a move in
    the calendar: A and B stood at one time in the end, and nobody was told."""
    platform = (Act(Kind.MOVE, P, "A", 2),)
    calendar = (Act(Kind.RETITLE, C, "A"), Act(kind, C, "B", 2))
    holds((platform, calendar), BOOKED)


def test_an_answer_leaves_nothing_to_compare() -> None:
    """The attempt of an answer stayed on its link until the next full compare."""
    holds(((Act(Kind.BOOK, P, "A", 1), Act(Kind.RETITLE, P, "A")), (Act(Kind.MOVE, C, "A", 2),)))
