"""A booking made in Outlook against the room's own rules: what it breaks, and what it gets for it.

The rules are those that the platform keeps for its own bookings (``mapping.booking_rules``). An act
is judged once, as of the time when people did it, and only for time it did not hold before: rules
that became stricter turn nobody out. What the admin chose for a rule (``Reactions``) is nothing, a
warning, or a decline; of a series each date has its own verdict.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import accumulate

from calsync.mapping.booking_rules import NO_RULES, BookingRules, Violation, violations
from calsync.mapping.expand import extent, instances
from calsync.mapping.rule_words import told
from calsync.model import Instance, Interval, Occupancy, Reaction, Reactions

#: How far ahead a series is judged; the same as for the platform's own.
JUDGED = timedelta(days=3 * 366)
#: More dates than this are not declined one by one: the series as a whole does not fit the room.
MOST_DATES = 30
#: Which reaction a rule (as the platform's JSON names it) has.
_REACTION = {
    "openingHours": "opening_hours",
    "minNotice": "notice",
    "minDuration": "length",
    "maxDuration": "length",
    "maxAhead": "ahead",
    "seatsWithinCapacity": "seats",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The rules of a room, and what breaking them has for Outlook's bookings. ``since``: what was
    done up to then is let be (the rules were others, or the room not imported yet)."""

    rules: BookingRules
    reactions: Reactions
    capacity: int | None = None
    since: datetime | None = None

    def judges(self, at: datetime) -> bool:
        return self.since is None or at > self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What people made of an item in the calendar. ``at``: when, by that side's clock. ``held``:
    the time it had before. ``seats``: for how many people; None where that is not known, or was let
    pass before. ``refusable``: there is an organizer who can be told no."""

    occupancy: Occupancy
    at: datetime
    held: Sequence[Interval] = ()
    seats: int | None = None
    refusable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVerdict:
    """WARN or DECLINE, with what was broken. ``dates`` are the recurrence-ids that are declined;
    empty = all of it. ``rest``: what is left then, and stands. ``rules``: by their JSON names;
    ``said``: for people, ``reason`` for the one who booked."""

    reaction: Reaction
    rules: tuple[str, ...]
    said: str
    reason: str
    dates: tuple[datetime, ...] = ()
    rest: Occupancy | None = None


@dataclass(slots=True)
class _Broken:
    """One broken rule: on these dates, or all over."""

    violation: Violation
    reaction: Reaction
    dates: list[datetime | None] = field(default_factory=list)
    whole: bool = False


def judge_act(house: House, act: Act, zone: str) -> RuleVerdict | None:
    """What the act gets; None where it may be. ``zone``: the room's."""
    rules = _that_count(house)
    if rules == NO_RULES:
        return None
    wanted = _dates(act.occupancy, zone, act.at)
    fresh = _fresh(wanted, act.held)
    broken: dict[str, _Broken] = {}
    for one in fresh:
        for violation in _of_date(rules, one, zone, act.at):
            _note(house, broken, violation).dates.append(one.recurrence_id)
    for violation in _of_all(rules, house, act, new=bool(fresh)):
        _note(house, broken, violation).whole = True
    return _verdict(rules, act, wanted, list(broken.values())) if broken else None


def _that_count(house: House) -> BookingRules:
    """The rules that have a reaction."""
    rules, chosen = house.rules, house.reactions
    nothing = Reaction.NOTHING
    return replace(
        rules,
        opening=() if chosen.opening_hours is nothing else rules.opening,
        notice=None if chosen.notice is nothing else rules.notice,
        shortest=None if chosen.length is nothing else rules.shortest,
        longest=None if chosen.length is nothing else rules.longest,
        ahead=None if chosen.ahead is nothing else rules.ahead,
        seats=rules.seats and chosen.seats is not nothing,
    )


def _dates(occ: Occupancy, zone: str, at: datetime) -> list[Instance]:
    """The blocking instances that are not over ``at`` that time, of a series those of the next
    years."""
    low = max(extent(occ, zone)[0], at)
    found = instances(occ, Interval(low, low + JUDGED), zone)
    return [one for one in found if one.busy.blocks and one.start < one.end]


def _fresh(wanted: Iterable[Instance], held: Sequence[Interval]) -> list[Instance]:
    """What lies outside the time that it had before: to give up time is always allowed."""
    held = sorted(held, key=lambda h: h.start)
    starts = [h.start for h in held]
    reached = list(accumulate((h.end for h in held), max))
    return [
        one
        for one in wanted
        if (before := bisect_right(starts, one.start)) == 0 or reached[before - 1] < one.end
    ]


def _of_date(rules: BookingRules, one: Instance, zone: str, at: datetime) -> list[Violation]:
    return violations(
        rules,
        [one.interval],
        zone=zone,
        all_day=one.all_day,
        endless=False,
        now=at,
        seats=None,
        capacity=None,
    )


def _of_all(rules: BookingRules, house: House, act: Act, *, new: bool) -> list[Violation]:
    """What no date breaks by itself: too many people, or no end."""
    series = act.occupancy.recurrence
    return violations(
        rules,
        [],
        zone="UTC",
        all_day=False,
        endless=new and series is not None and series.rule.endless,
        now=act.at,
        seats=act.seats,
        capacity=house.capacity,
    )


def _note(house: House, broken: dict[str, _Broken], violation: Violation) -> _Broken:
    reaction: Reaction = getattr(house.reactions, _REACTION[violation.rule])
    return broken.setdefault(violation.rule, _Broken(violation, reaction))


# --- the verdict -----------------------------------------------------------------------------


def _verdict(
    rules: BookingRules, act: Act, wanted: Sequence[Instance], broken: list[_Broken]
) -> RuleVerdict:
    refused = [b for b in broken if b.reaction is Reaction.DECLINE] if act.refusable else []
    if not refused:
        said = _said(broken, rules)
        return RuleVerdict(
            reaction=Reaction.WARN,
            rules=tuple(b.violation.rule for b in broken),
            said=said,
            reason=f"It is against the rules of the room, but it stands: {said}.",
        )
    dates = _declined(act.occupancy, wanted, refused)
    said = _said(refused, rules)
    reason = f"The rules of the room do not allow it: {said}."
    warned = [b for b in broken if b not in refused]
    if dates and warned:
        reason += f" What is left of the series stands, but: {_said(warned, rules)}."
    return RuleVerdict(
        reaction=Reaction.DECLINE,
        rules=tuple(b.violation.rule for b in refused),
        said=said,
        reason=reason,
        dates=dates,
        rest=without(act.occupancy, dates) if dates else None,
    )


def _said(broken: Iterable[_Broken], rules: BookingRules) -> str:
    return "; ".join(told(b.violation, rules) for b in broken)


def _declined(
    occ: Occupancy, wanted: Sequence[Instance], refused: Sequence[_Broken]
) -> tuple[datetime, ...]:
    """The dates that have to go; none where all of it has to."""
    if occ.recurrence is None or any(one.whole for one in refused):
        return ()
    found = {date for one in refused for date in one.dates if date is not None}
    if len(found) >= len(wanted) or len(found) > MOST_DATES:
        return ()
    return tuple(sorted(found))


def without(occ: Occupancy, dates: Iterable[datetime]) -> Occupancy:
    """The series without these dates."""
    recurrence = occ.recurrence
    assert recurrence is not None
    gone = set(dates)
    return replace(
        occ,
        recurrence=replace(
            recurrence,
            excluded=tuple(sorted(gone | set(recurrence.excluded))),
            overrides=tuple(o for o in recurrence.overrides if o.recurrence_id not in gone),
        ),
    )


def bare(occ: Occupancy) -> Occupancy:
    """When it is, and nothing about what it is."""
    series = occ.recurrence
    if series is not None:
        plain = tuple(replace(o, title=None, private=False) for o in series.overrides)
        series = replace(series, overrides=plain)
    return replace(occ, title=None, private=False, recurrence=series)


def time_of(occ: Occupancy | None, zone: str, at: datetime) -> list[Interval]:
    """The time that it has, as far as acts are judged."""
    return [] if occ is None else [one.interval for one in _dates(occ, zone, at)]
