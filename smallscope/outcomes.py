"""What stands in the end, in words: an outcome as a value, and all outcomes of two acts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from calsync.model import Conflict, ConflictKind, Notice, NoticeKind, Occupancy, Side
from smallscope.answers import Fault
from smallscope.oracle import parked_names
from smallscope.scope import Act, Scope
from smallscope.search import Finding, Search
from smallscope.side import SideState, name_of, slot_of
from smallscope.store import Db
from smallscope.world import State, World

_WHO = {"b": " p", "c": " c"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What both sides show, who was told what, and what is on record."""

    platform: tuple[str, ...]
    calendar: tuple[str, ...]
    told: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    parked: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.platform == self.calendar:
            said = [f"**{_listed(self.platform)}**"]
        else:
            said = [f"platform **{_listed(self.platform)}**, calendar **{_listed(self.calendar)}**"]
        said += [f"told: {', '.join(self.told)}"] if self.told else []
        said += [f"kept: {', '.join(self.records)}"] if self.records else []
        said += [f"a person decides about {', '.join(self.parked)}"] if self.parked else []
        return "; ".join(said)


def _listed(items: tuple[str, ...]) -> str:
    return ", ".join(items) or "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """``at_once``: both acts done before calsync looks, the platform's first, and the calendar's
    first. ``others``: what else comes of them in any other order with calsync's steps. ``writes``:
    how many each took, at least and at most, without answers to people. ``histories``: how many
    orders there are. ``findings``: what must hold and does not."""

    at_once: tuple[Outcome, ...]
    others: tuple[Outcome, ...]
    writes: dict[Outcome, tuple[int, int]]
    histories: int
    findings: tuple[Finding, ...] = ()

    def line(self, outcome: Outcome) -> str:
        least, most = self.writes.get(outcome, (0, 0))
        count = str(least) if least == most else f"{least} to {most}"
        return f"{outcome}; {count} write{'' if count == '1' else 's'}"


def outcome_of(booking: SideState, calendar: SideState, db: Db, log: tuple[str, ...]) -> Outcome:
    stands = {i.name for i in booking.live()}
    return Outcome(
        platform=_shown(booking),
        calendar=_shown(calendar),
        told=(
            *(_told(n) for n in db.notices),
            # Exchange itself tells the organiser of a decline.
            *("organiser: no" for kind in log if kind == "decline event"),
        ),
        records=tuple(_record(c, stands) for c in db.conflicts),
        parked=tuple(sorted(parked_names(db))),
    )


def _shown(side: SideState) -> tuple[str, ...]:
    return tuple(sorted(_item(i.title, i.slot) for i in side.live()))


def _item(title: str, slot: int) -> str:
    name, _, version = title.partition("-")
    return f"{name}{slot}{_WHO.get(version[:1], '')}"


def _words(occ: Occupancy | None) -> str:
    return "nothing" if occ is None else _item(str(occ.title), slot_of(occ))


def _told(notice: Notice) -> str:
    answer = "yes" if notice.kind is NoticeKind.CONFIRMED else "no"
    return f"{name_of(notice.occupancy)} {answer}"


def _record(conflict: Conflict, stands: set[str]) -> str:
    lost = _words(conflict.lost)
    name = name_of(conflict.lost) if conflict.lost is not None else ""
    if conflict.kind is ConflictKind.DELETE_EDIT and name in stands:
        lost = f"{name} cancelled"
    return f"{lost} ({conflict.kind.value})"


# -- two acts ---------------------------------------------------------------------------------


def of_acts(scope: Scope, platform: Act | None, calendar: Act | None) -> Outcomes:
    """Every outcome of the two acts after what ``scope`` begins with."""
    script = (() if platform is None else (platform,), () if calendar is None else (calendar,))
    scope = replace(scope, script=script, traced=True)
    search = Search(scope)
    found = search.run()
    wanted = (len(script[0]), len(script[1]))
    world = search.world
    seen: dict[Outcome, tuple[int, int]] = {}
    for state in sorted(found.rests):
        if (state.booked, state.called) == wanted:
            outcome, count = _at(world, state)
            least, most = seen.get(outcome, (count, count))
            seen[outcome] = (min(least, count), max(most, count))
    at_once = []
    for first in (Side.BOOKING, Side.CALENDAR):
        state = search.first()
        for act in sorted((*script[0], *script[1]), key=lambda a: a.side is not first):
            state = world.acted_on(state, act)
        at_once.append(_at(world, search.settled(state))[0])
    others = [o for o in sorted(seen, key=str) if o not in at_once]
    return Outcomes(
        at_once=tuple(dict.fromkeys(at_once)),
        others=tuple(others),
        writes=seen,
        histories=found.histories,
        findings=tuple(found.findings.values()),
    )


def _at(world: World, state: State) -> tuple[Outcome, int]:
    log = world.watches[state.watch].log
    outcome = outcome_of(
        world.sides[state.booking], world.sides[state.calendar], world.db(state), log
    )
    return outcome, sum(kind != "confirm booking" for kind in log)


def under_faults(
    scope: Scope, platform: Act | None, calendar: Act | None, faults: Iterable[Fault]
) -> dict[Fault, Outcomes]:
    """The outcomes of the two acts where one misfortune of each kind may strike anywhere."""
    return {fault: of_acts(replace(scope, faults=(fault,)), platform, calendar) for fault in faults}


__all__ = ["Outcome", "Outcomes", "of_acts", "outcome_of", "under_faults"]
