"""Outlook's bookings under the room's own rules: which links are judged, and what follows.

What an act was allowed to be is kept on the link (``passed``) in the commit that decides it, until
both sides agree on it. So a crash, a write that has to be tried again, or our own decline of
some dates is no new act: nobody is judged, or told, a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from calsync.conflicts.clash import shown
from calsync.conflicts.rules import Act, House, RuleVerdict, bare, judge_act, time_of
from calsync.model import (
    Effect,
    Link,
    Notice,
    NoticeKind,
    Occupancy,
    Reaction,
    Refusal,
    Ruling,
    Side,
)
from calsync.reconcile.decide import Decision, Verb
from calsync.reconcile.effects import declined, in_flight
from calsync.reconcile.wait import taken_from

#: The name of such a refusal, as the API has it for the platform's own bookings.
CODE = "against-rules"
#: Both sides agree: all that can be new is how many people come.
_AT_REST = frozenset({Verb.NOTHING, Verb.REBASE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An act of people in the calendar, and its verdict; None where it may be."""

    act: Act
    verdict: RuleVerdict | None

    @property
    def declines(self) -> bool:
        return self.verdict is not None and self.verdict.reaction is Reaction.DECLINE


def judge_links(
    house: House,
    links: Mapping[str, Link],
    decisions: Mapping[str, Decision],
    *,
    zone: str,
    now: datetime,
) -> dict[str, Judged]:
    """The acts among what is to be decided, by link."""
    found: dict[str, Judged] = {}
    for link_id, decision in decisions.items():
        act = _act(links[link_id], decision, zone, now)
        if act is not None:
            verdict = judge_act(house, act, zone) if house.judges(act.at) else None
            found[link_id] = Judged(act=act, verdict=verdict)
    return found


def _act(link: Link, decision: Decision, zone: str, now: datetime) -> Act | None:
    """What people did to it in the calendar; None where that is nothing the rules speak of."""
    there = shown(link, Side.CALENDAR)
    if there is None:
        return None
    if decision.verb in _AT_REST:
        if link.origin is not Side.CALENDAR or link.seats in (None, link.passed_seats):
            return None
        at, held = now, time_of(there, zone, now)  # When people were added nothing tells.
    elif taken_from(link, decision) is Side.CALENDAR:
        at = link.event.since or link.event.created or now
        held = [*time_of(link.base, zone, at), *time_of(link.passed, zone, at)]
    else:
        return None
    return Act(
        occupancy=there,
        at=at,
        held=held,
        seats=_more_seats(link),
        refusable=not link.event.owned,
    )


def _more_seats(link: Link) -> int | None:
    """How many people an item of the calendar is for, where that is news. What stood before anybody
    counted is no act."""
    if link.origin is not Side.CALENDAR or link.seats is None:
        return None
    if link.passed_seats is None:
        return link.seats if link.base is None else None
    return link.seats if link.seats > link.passed_seats else None


def passing(link: Link, occupancy: Occupancy) -> Link:
    """The link, of which the calendar's item may be this."""
    passed: Occupancy | None = bare(occupancy)
    if link.base is not None and bare(link.base) == passed:
        passed = None
    seats = link.seats if link.origin is Side.CALENDAR else None
    return replace(link, passed=passed, passed_seats=seats)


def against_rules(link: Link, verdict: RuleVerdict) -> tuple[Link, Effect]:
    """The link, in flight, and the decline that tells its organizer which rule it is."""
    if verdict.rest is not None:
        link = passing(link, verdict.rest)
    link = in_flight(link)
    refusal = Refusal(reason=verdict.reason, code=CODE, dates=verdict.dates)
    return link, declined(link, refusal, why(verdict))


def why(verdict: RuleVerdict) -> str:
    """For the plan and the history."""
    return f"against the rules of the room: {verdict.said}"


def warning(link: Link, judged: Judged) -> tuple[Notice | None, Ruling]:
    """The one message to the organizer (None where there is nobody to tell), and its record."""
    verdict = judged.verdict
    assert verdict is not None
    if not link.person.address:
        return None, Ruling(link.id, "warn", f"{why(verdict)}; nobody could be told")
    people = f" for {judged.act.seats}" if judged.act.seats is not None else ""
    notice = Notice(
        kind=NoticeKind.WARNED,
        link_id=link.id,
        booking_key=link.id,
        revision=f"{(link.event.since or judged.act.at).isoformat()}{people}",
        person=link.person,
        occupancy=judged.act.occupancy,
        refusal=Refusal(reason=verdict.reason, code=CODE),
    )
    return notice, Ruling(link.id, "warn", why(verdict))
