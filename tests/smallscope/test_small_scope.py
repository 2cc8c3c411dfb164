"""Every order of a few acts and calsync's steps, in small; `make smallscope` does it all."""

from __future__ import annotations

import pytest

from calsync.conflicts import clash
from calsync.model import Side
from calsync.reconcile import observe, settle
from smallscope.__main__ import quick, story
from smallscope.answers import Fault
from smallscope.report import PAGE, QUICK, Page
from smallscope.scope import Act, Kind, Scope
from smallscope.search import Found, Search

P, C = Side.BOOKING, Side.CALENDAR
BOOKED = Act(Kind.BOOK, P, "A", 1)


@pytest.mark.parametrize("scope", quick(), ids=lambda s: f"{s.title} after {len(s.begin)}")
def test_every_promise_holds_in_every_order(scope: Scope) -> None:
    found = Search(scope).run()
    assert found.finished
    assert found.histories > 40
    assert len(found.rests) > 20
    assert not found.findings, "\n".join(story(f) for f in found.findings.values())


@pytest.mark.parametrize("title", QUICK)
def test_the_page_of_outcomes_is_what_comes_of_them(title: str) -> None:
    page = Page(lambda _: None)
    table = page.table(title)
    assert not page.findings
    assert table in PAGE.read_text(encoding="utf-8"), f"make smallscope\n{table}"


# --- the search sees what is wrong -------------------------------------------------------------


def broken(platform: tuple[Act, ...], calendar: tuple[Act, ...], *faults: Fault) -> set[str]:
    """The invariants that do not hold in some order of these acts, after A was booked."""
    scope = Scope(title="planted", begin=(BOOKED,), script=(platform, calendar), faults=faults)
    found: Found = Search(scope).run()
    return set(found.findings)


def test_a_race_that_is_taken_for_an_overlap_in_sight_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    acts = ((Act(Kind.BOOK, P, "B", 2),), (Act(Kind.BOOK, C, "C", 2),))
    assert broken(*acts) == set()
    monkeypatch.setattr(clash, "_in_sight", lambda *_: True)
    assert "4 no double booking at rest" in broken(*acts)


def test_half_a_merge_that_nobody_agreed_on_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    acts = (
        (Act(Kind.MOVE, P, "A", 2),),
        (Act(Kind.RETITLE, C, "A"), Act(Kind.BLOCK, C, "B", 2)),
    )
    assert broken(*acts) == set()
    monkeypatch.setattr(settle, "_agreed", lambda link, _: link)
    assert "4 no double booking at rest" in broken(*acts)


def test_a_late_reading_that_counts_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    acts = ((Act(Kind.RETITLE, P, "A"),), ())
    assert broken(*acts, Fault.REPLAY) == set()
    real = observe.half_of

    def unmarked(*args: object) -> object:
        return observe.replace(real(*args), mark=-1)  # type: ignore[arg-type, attr-defined]

    monkeypatch.setattr(observe, "half_of", unmarked)
    assert broken(*acts, Fault.REPLAY)
