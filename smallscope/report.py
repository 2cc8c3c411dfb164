"""docs/reference/outcomes.md: tables that a reader can check by eye, and what was searched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from calsync.model import ClashPolicy, EditPolicy, Side
from smallscope.answers import Fault
from smallscope.outcomes import Outcomes, of_acts
from smallscope.scope import Act, Kind, Scope, possible
from smallscope.search import Finding, Found, Search

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "outcomes.md"
P, C = Side.BOOKING, Side.CALENDAR

INTRO = """\
# Outcomes

Two people do something at about the same time, one on the booking platform and one in Outlook.
What stands in the end? These tables are the answer, made by running the real engine through every
order of their acts and calsync's own steps. `make smallscope` makes this page anew and fails if
any order breaks a promise; a test compares a part of it on every run of the tests.

How to read them:

* A and B are bookings; the number behind is the time they are at. **A2** stands on both sides at
  time 2. `p` behind it: under the title that the platform gave it; `c`: the calendar's; neither:
  as it was before.
* *book*: a booking on the platform, or a meeting in Outlook to which the room is invited. *block*:
  an item in the room's own calendar, which nobody was invited to.
* *told*: the answer that the person on the platform gets; *organiser: no*: the room declines, and
  Exchange tells the organiser. *kept*: what lost, in the conflict record, from where it can be
  restored.
* writes: what calsync writes to either side, besides the answer to the person.
* A cell says what happens where neither act could be seen on the other side yet. Where it matters
  who was first, it says both. *or*: what else can come of it where calsync was at work between
  the two acts, or during one.
"""

#: What there is before the two acts, by the name of the table.
BEGINNINGS: dict[str, tuple[Act, ...]] = {
    "Nothing is booked yet": (),
    "A was booked on the platform, at 1": (Act(Kind.BOOK, P, "A", 1),),
    "A is a meeting from Outlook, at 1": (Act(Kind.BOOK, C, "A", 1),),
    "A is a block in the room's calendar, at 1": (Act(Kind.BLOCK, C, "A", 1),),
    "A was booked on the platform at 1, B in Outlook at 2": (
        Act(Kind.BOOK, P, "A", 1),
        Act(Kind.BOOK, C, "B", 2),
    ),
    "A was booked on the platform at 1, and cancelled": (
        Act(Kind.BOOK, P, "A", 1),
        Act(Kind.CANCEL, P, "A"),
    ),
}
#: What the longer tables are about: one of each kind of booking.
KINDS = list(BEGINNINGS)[:3]
#: Tables that the tests make anew.
QUICK = ["Nothing is booked yet", "A is a meeting from Outlook, at 1"]

#: Why an outcome may differ where such a misfortune struck, and why it is right so.
RIGHT = {
    Fault.CRASH: "what was sent is looked up first, and nothing is sent twice",
    Fault.REQUEST_LOST: "the write is looked up, was not made, and is decided anew",
    Fault.REPLY_LOST: "the write is looked up, and found",
    Fault.STALE_READ: (
        "what is shown late is known late. calsync looks at the calendar once more before it says"
        " yes; if that look shows an old state, too, the yes is followed by a no"
    ),
    Fault.STALE_WRITE: "both sides are read again, and all is decided anew",
    Fault.REPLAY: "a reading older than what was accepted is dropped, or read again",
    Fault.VOID_CURSOR: "everything is listed anew; what the listing lacks is read by itself",
    Fault.STALLED: (
        "whoever stalled commits nothing any more, but its last write may still arrive. What it"
        " wrote stands and is taken for what it is; if it was an answer, the booking shows it and"
        " no message follows (none is ever sent twice); if it was the refusal of a move, the"
        " message says yes, at the former time"
    ),
    Fault.UNREADABLE: (
        "nothing is decided about what cannot be read, but nobody else is kept waiting for it: who"
        " met it unseen has a yes that is followed by a no"
    ),
}


class Page:
    """Makes the sections; keeps what does not hold."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.findings: list[Finding] = []
        self._say = say

    # -- every act against every act --------------------------------------------------------

    def table(self, title: str) -> str:
        """One beginning: a row for each act on the platform, a column for each in the calendar."""
        scope = Scope(title=title, begin=BEGINNINGS[title])
        rows, columns = acts_of(scope)
        lines = [f"### {title}", "", *_head("platform \\ calendar", [_named(c) for c in columns])]
        for row in rows:
            cells = [self._cell(self._outcomes(scope, row, column)) for column in columns]
            lines.append(_row(f"**{_named(row)}**", cells))
        return "\n".join(lines) + "\n"

    def _outcomes(self, scope: Scope, row: Act | None, column: Act | None) -> Outcomes:
        row, column = _apart(row, column)
        found = of_acts(scope, row, column)
        self.findings.extend(found.findings)
        return found

    @staticmethod
    def _cell(found: Outcomes) -> str:
        once = [found.line(o) for o in found.at_once]
        if len(once) == 2:
            once = [f"platform first: {once[0]}", f"calendar first: {once[1]}"]
        return "<br>".join([*once, *(f"*or* {found.line(o)}" for o in found.others)])

    # -- policies ---------------------------------------------------------------------------

    def policies(self) -> str:
        """Where another policy than the default gives another outcome."""
        lines = [
            "## Where a policy decides",
            "",
            "Everything above is under the default policies: `origin` for edits, `first` for"
            " clashes. These outcomes of the first three tables differ under others; all that is"
            " not listed is the same.",
            "",
            *_head("begins with", ["platform", "calendar", "policy", "outcome"]),
        ]
        for scope, row, column in self._that_meet():
            lines += self._policy_rows(scope, row, column)
        return "\n".join(lines) + "\n"

    def _that_meet(self) -> Iterator[tuple[Scope, Act, Act]]:
        """Two acts of which one has to give way, or that both change one booking."""
        for title in KINDS:
            self._say(f"acts that meet: {title}")
            scope = Scope(title=title, begin=BEGINNINGS[title])
            rows, columns = acts_of(scope)
            for row in [r for r in rows if r is not None]:
                for column in [c for c in columns if c is not None]:
                    usual = self._outcomes(scope, row, column)
                    if any(o.records for o in (*usual.at_once, *usual.others)):
                        yield scope, row, column

    def _policy_rows(self, scope: Scope, row: Act, column: Act) -> Iterator[str]:
        usual = self._outcomes(scope, row, column)
        for other in (
            *(replace(scope, edit=edit) for edit in EditPolicy if edit is not scope.edit),
            *(replace(scope, clash=clash) for clash in ClashPolicy if clash is not scope.clash),
        ):
            found = self._outcomes(other, row, column)
            if (found.at_once, found.others) != (usual.at_once, usual.others):
                edits = other.edit is not scope.edit
                policy = f"edits: `{other.edit}`" if edits else f"clashes: `{other.clash}`"
                cells = [_named(row), _named(column), policy, self._cell(found)]
                yield _row(scope.title, cells)

    # -- misfortune -------------------------------------------------------------------------

    def misfortunes(self) -> str:
        """Every act alone, and one misfortune anywhere: is the outcome the same?"""
        lines = [
            "## One act and one misfortune",
            "",
            "Each act alone, with one misfortune at every point where it can strike. *same*: what"
            " stands in the end and who was told what is the same as without it; the number is"
            " that of the different orders. Else what can come of it besides.",
            "",
            *_head("act", [fault.value for fault in Fault]),
        ]
        for title, begin in BEGINNINGS.items():
            self._say(f"misfortunes: {title}")
            scope = Scope(title=title, begin=begin)
            rows, columns = acts_of(scope)
            for row in [r for r in rows if r is not None]:
                lines.append(self._struck(scope, row, None))
            for column in [c for c in columns if c is not None and c.slot < 3]:
                lines.append(self._struck(scope, None, column))
        lines += [
            "",
            "## Two acts that meet, and one misfortune",
            "",
            "The same for two acts of which one has to give way. *same*: one of the outcomes that"
            " can come of them without the misfortune, too (see the tables above).",
            "",
            *_head("acts", [fault.value for fault in Fault]),
        ]
        lines += [self._struck(*meeting) for meeting in self._that_meet()]
        lines += ["", "Why an outcome may differ, and why it is right so:", ""]
        lines += [f"* {fault.value}: {why}." for fault, why in RIGHT.items()]
        return "\n".join(lines) + "\n"

    def _struck(self, scope: Scope, row: Act | None, column: Act | None) -> str:
        usual = self._outcomes(scope, row, column)
        before = {*usual.at_once, *usual.others}
        cells = []
        for fault in Fault:
            found = self._outcomes(replace(scope, faults=(fault,)), row, column)
            new = [o for o in found.others if o not in before]
            said = [f"*or* {found.line(o)}" for o in new] if new else ["same"]
            cells.append(f"{'<br>'.join(said)} ({found.histories})")
        acts = [
            f"{where}: **{act}**"
            for where, act in (("platform", row), ("calendar", column))
            if act is not None
        ]
        return _row(f"{scope.title}; {', '.join(acts)}", cells)

    # -- what was searched ------------------------------------------------------------------

    @staticmethod
    def searched(found: Sequence[Found]) -> str:
        """The scopes, how many states, and how many different histories they hold."""
        head = ["begins with", "bookings", "acts", "misfortunes", "states", "histories", "promises"]
        total = sum(one.states for one in found)
        orders = sum(one.histories for one in found)
        lines = [
            "## What was searched",
            "",
            SCOPE,
            "",
            *_head("search", head),
        ]
        for one in found:
            scope = one.scope
            begin = beginning(scope)
            faults = str(scope.misfortunes) if scope.faults else "none"
            kept = "kept" if not one.broken else f"**broken {one.broken} times**"
            if not one.finished:
                kept += ", not finished"
            acts = f"{scope.acts[0]} and {scope.acts[1]}"
            cells = [begin, ", ".join(scope.names), acts, faults, f"{one.states:,}"]
            lines.append(_row(scope.title, [*cells, f"{one.histories:,}", kept]))
        lines += ["", f"In all {total:,} states and {orders:,} histories."]
        return "\n".join(lines) + "\n"


SCOPE = """\
Acts: how many there are at most on the platform, and in the calendar: any of book, block, move,
retitle, cancel, restore, of the bookings named, at up to three times of day. People never book over
what they see on their own side (an overlap is then always a race between the sides). Steps of
calsync: before and after each call to a side, each effect within a call, and each commit.
Misfortunes: every kind, at every point: crash, request lost, reply lost, stale read, refused as
stale, replayed delta, void cursor, a stalled process that goes on after another took its place, an
unreadable item.

*Before the first look*: all acts come before calsync looks for the first time, in any order; else
they come at any point. Three acts a side at any point are more than ten minutes can hold (of one
meeting alone, more than 570,000 states were seen when it was stopped): three a side are searched
where they come before the first look, two a side at any point where there is one booking or none
yet, and two against one everywhere.

A history is one order of all these; equal states are visited once. Four things are not told apart,
because nothing can come of them: what happened before anybody looked is what there is when somebody
looks; an act in one calendar comes before or after a call to the other side; what times of day are
called; and, at rest, how it came to that (marks and times keep their order).

What is cut: a stale read shows the state before the newest change, not an older one; a targeted
read is fresh, as the rules assume; whether a write of calsync came before or after an act on the
other side is not told apart by the clock; calsync's own clock stands still, so that nothing waits
for time to pass; series, and limits on how much is written, are not in this world (the simulation
has them). A person who saw two bookings at one time, changed one of them and let it stand, is taken
to know what they do. Who restores a booking while calsync is just making it anew has it twice.
Where a process stalled, the platform is judged after a full compare, since its feed does not tell
what calsync wrote itself."""


def beginning(scope: Scope) -> str:
    """What there is before the search."""
    where = {P: "platform", C: "calendar"}
    return ", ".join(f"{act} ({where[act.side]})" for act in scope.begin) or "nothing"


def acts_of(scope: Scope) -> tuple[list[Act | None], list[Act | None]]:
    """Every act on the platform, every act in the calendar, and None for no act."""
    search = Search(scope)
    first = search.first()
    here, there = search.world.side(first, P), search.world.side(first, C)
    rows = [None, *possible(here, there, replace(scope, slots=4))]
    columns = [None, *possible(there, here, replace(scope, slots=4), untouched=2)]
    return rows, columns


def _apart(row: Act | None, column: Act | None) -> tuple[Act | None, Act | None]:
    """Two that are booked at once are two bookings."""
    births = (Kind.BOOK, Kind.BLOCK)
    if row and column and row.kind in births and column.kind in births and row.name == column.name:
        return row, replace(column, name=chr(ord(column.name) + 1))
    return row, column


def _named(act: Act | None) -> str:
    return "–" if act is None else str(act)


def _head(corner: str, columns: Sequence[str]) -> list[str]:
    return [_row(corner, columns), "|" + "---|" * (len(columns) + 1)]


def _row(first: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"
