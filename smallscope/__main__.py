"""``python -m smallscope``: every scope, and docs/reference/outcomes.md anew.

Exit status 1 where a promise is broken: its shortest history is printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

from calsync.model import ClashPolicy, EditPolicy
from smallscope.answers import Asked, Fault
from smallscope.report import BEGINNINGS, INTRO, PAGE, Page, beginning
from smallscope.scope import Act, Scope
from smallscope.search import Finding, Found, Search
from smallscope.world import Event

ALL = tuple(Fault)


def scopes() -> list[Scope]:
    """What is searched, the small ones first."""
    found = []
    nothing = Scope(title="")
    for begin in BEGINNINGS.values():
        one = replace(nothing, begin=begin)
        found += [
            replace(one, title="two misfortunes", acts=acts, names="A", faults=ALL, misfortunes=2)
            for acts in ((1, 0), (0, 1))
        ]
        found.append(replace(one, title="any misfortune", faults=ALL))
        found += [
            replace(one, title="any order", acts=(2, 1)),
            replace(one, title="any order", acts=(1, 2)),
            # Four acts at any point: of one booking, or of two that are yet to be made.
            replace(one, title="any order", acts=(2, 2), names="A" if begin else "AB"),
            replace(one, title="before the first look", acts=(3, 3), together=True),
        ]
    platform = replace(nothing, begin=BEGINNINGS["A was booked on the platform, at 1"])
    found += [
        replace(platform, title=f"policies {edit.value}, {clash.value}", edit=edit, clash=clash)
        for edit in EditPolicy
        for clash in ClashPolicy
    ]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m smallscope", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only what the tests search")
    parser.add_argument("--only", default="", help="only searches whose title has this in it")
    parser.add_argument("--seconds", type=float, help="at most this long for each search")
    chosen = parser.parse_args()
    began = time.process_time()
    searched = []
    for scope in quick() if chosen.quick else scopes():
        if chosen.only in scope.title:
            searched.append(Search(scope).run(chosen.seconds))
            tell(searched[-1])
    findings = [f for one in searched for f in one.findings.values()]
    if not chosen.quick and not chosen.only:
        page = Page(lambda text: print(text, file=sys.stderr, flush=True))
        tables = [page.table(title) for title in BEGINNINGS]
        text = "\n".join([INTRO, "## Two acts", "", *tables, page.policies(), page.misfortunes()])
        PAGE.write_text(f"{text}\n{page.searched(searched)}", encoding="utf-8")
        findings += page.findings
    for finding in findings:
        print(story(finding))
    states = sum(one.states for one in searched)
    seconds = time.process_time() - began
    print(f"{len(searched)} searches, {states:,} states, {seconds:.0f} s of processor time")
    return int(bool(findings) or not all(one.finished for one in searched))


def quick() -> list[Scope]:
    """The subset that fits into the tests."""
    meeting = BEGINNINGS["A is a meeting from Outlook, at 1"]
    faults = (Fault.CRASH, Fault.REPLY_LOST, Fault.VOID_CURSOR)
    return [
        *(Scope(title="one act a side", begin=begin) for begin in BEGINNINGS.values()),
        Scope(title="one act a side, one misfortune", begin=meeting, names="A", faults=faults),
    ]


def tell(found: Found) -> None:
    ended = "" if found.finished else ", NOT FINISHED"
    print(
        f"{found.scope.title}, beginning with {beginning(found.scope)}: {found.states:,} states,"
        f" {found.histories:,} histories, {found.broken} broken, {found.seconds:.1f} s{ended}",
        flush=True,
    )


def story(finding: Finding) -> str:
    """A history, one line an event."""
    return "\n".join([f"BROKEN: {finding.broken}", *(f"    {words(e)}" for e in finding.story)])


def words(event: Event) -> str:
    match event:
        case str():
            return event
        case Act():
            return f"{event.side.value}: somebody does {event!s}"
        case (Asked() as asked, answer):
            fault = f"  ({answer.fault.value} {answer.where})" if answer.fault else ""
            return f"  {asked}{fault}"
    raise AssertionError(event)


if __name__ == "__main__":
    sys.exit(main())
