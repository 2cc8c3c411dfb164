"""The laws of a room's rules for Outlook's bookings: of the pure judgement, and of the engine with
it over random acts, faults and crashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.conflicts.rules import Act, House, judge_act, time_of
from calsync.mapping.booking_rules import BookingRules, Opening, RoomRules
from calsync.mapping.expand import instances
from calsync.model import (
    LET_BE,
    EffectKind,
    Frequency,
    Interval,
    NoticeKind,
    Occupancy,
    Person,
    Reaction,
    Reactions,
    Recurrence,
    Rule,
    Side,
    Weekday,
)
from tests.support.memory_side import Faults
from tests.support.room import World, single

ANNA = Person("Anna", "anna@x.example")
EVERY_DAY = frozenset(Weekday)
HOURS = BookingRules(opening=(Opening(EVERY_DAY, 8 * 60, 18 * 60),))
DECLINE, WARN = Reaction.DECLINE, Reaction.WARN
NOISE = Faults(
    lose_reply=0.15, lose_request=0.1, stale=0.2, unreadable=0.1, later=0.1, void_cursor=0.1
)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

# --- the judgement -------------------------------------------------------------------------------

_walls = st.integers(0, 24 * 60 * 60).map(lambda m: datetime(2026, 3, 2) + timedelta(minutes=m))
_lengths = st.none() | st.integers(1, 600).map(lambda m: timedelta(minutes=m))
_rules = st.builds(
    BookingRules,
    opening=st.lists(
        st.builds(
            Opening,
            st.frozensets(st.sampled_from(Weekday), min_size=1),
            st.integers(0, 700),
            st.integers(701, 1440),
        ),
        max_size=3,
    ).map(tuple),
    notice=_lengths,
    shortest=_lengths,
    longest=_lengths,
    ahead=st.none() | st.integers(1, 60).map(lambda d: timedelta(days=d)),
    seats=st.booleans(),
)
_reactions = st.builds(
    Reactions, **{name: st.sampled_from(Reaction) for name in Reactions.__slots__}
)
_houses = st.builds(
    House, rules=_rules, reactions=_reactions, capacity=st.none() | st.integers(1, 9)
)


@st.composite
def _occupancies(draw: st.DrawFn) -> Occupancy:
    start = draw(_walls)
    series = draw(
        st.none()
        | st.builds(
            lambda f, n: Recurrence(rule=Rule(frequency=f, count=n)),
            st.sampled_from([Frequency.DAILY, Frequency.WEEKLY]),
            st.none() | st.integers(1, 40),
        )
    )
    return Occupancy(
        start=start,
        end=start + timedelta(minutes=draw(st.integers(0, 800))),
        zone="UTC" if series is None else "Europe/Berlin",
        recurrence=series,
    )


_acts = st.builds(
    Act,
    occupancy=_occupancies(),
    at=st.just(NOW),
    seats=st.none() | st.integers(1, 12),
    refusable=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(house=_houses, act=_acts)
def test_what_may_be_left_of_a_series_breaks_no_rule_that_declines(house: House, act: Act) -> None:
    verdict = judge_act(house, act, "Europe/Berlin")
    if verdict is None:
        return
    assert verdict.rules
    assert verdict.reason.endswith(".")
    if verdict.reaction is WARN:
        assert (verdict.dates, verdict.rest) == ((), None)
        return
    assert act.refusable
    if verdict.rest is not None:
        again = judge_act(house, replace(act, occupancy=verdict.rest), "Europe/Berlin")
        assert again is None or again.reaction is WARN
        starts = {i.recurrence_id for i in instances(act.occupancy, _ALWAYS, "Europe/Berlin")}
        assert set(verdict.dates) < starts


_ALWAYS = Interval(NOW - timedelta(days=30), NOW + timedelta(days=4 * 366))


@settings(max_examples=200, deadline=None)
@given(house=_houses, act=_acts)
def test_time_that_was_held_before_is_never_judged(house: House, act: Act) -> None:
    held = time_of(act.occupancy, "Europe/Berlin", act.at)
    assert judge_act(house, replace(act, held=held, seats=None), "Europe/Berlin") is None


@settings(max_examples=200, deadline=None)
@given(house=_houses, act=_acts)
def test_where_nothing_is_chosen_nothing_is_judged_and_who_cannot_be_told_is_not_declined(
    house: House, act: Act
) -> None:
    assert judge_act(replace(house, reactions=LET_BE), act, "Europe/Berlin") is None
    verdict = judge_act(house, replace(act, refusable=False), "Europe/Berlin")
    assert verdict is None or verdict.reaction is WARN


# --- the engine with it --------------------------------------------------------------------------


class Book:
    """The rules of all rooms."""

    def __init__(self, rules: BookingRules, since: datetime | None = None) -> None:
        self.known = RoomRules(rules=rules, since=since)

    def rules(self, room_ids: Sequence[str]) -> Mapping[str, RoomRules]:
        return dict.fromkeys(room_ids, self.known)


def world(seed: int, reaction: Reaction, since: datetime | None = None) -> World:
    """A room past its first import, under opening hours."""
    w = World(seed, titles=True, reactions=Reactions(opening_hours=reaction))
    restart(w, since)
    w.rest()
    return w


def restart(w: World, since: datetime | None = None) -> None:
    w.restart()
    w.ctx.rulebook = Book(HOURS, since)


def closed(occ: Occupancy) -> bool:
    return not 8 <= occ.start.hour < 18


@dataclass
class People:
    """Each of four people has one meeting at a time, on a day of their own. ``acts``: how often the
    item of a key was put onto other time that is against the rule."""

    w: World
    lives: list[int] = field(default_factory=lambda: [0] * 4)
    acts: Counter[str] = field(default_factory=Counter)

    def act(self) -> None:
        """Somebody books, moves, retitles or cancels."""
        who = self.w.rng.randrange(4)
        key = f"{who}.{self.lives[who]}"
        item = self.w.calendar.items.get(key)
        if item is not None and item.deleted:
            self.lives[who] += 1
            key, item = f"{who}.{self.lives[who]}", None
        if item is not None and self.w.rng.random() < 0.2:
            self.w.calendar.remove(key)
            return
        title = f"t{self.w.rng.randrange(999)}"
        occ = single(24 * who + self.w.rng.choice([3, 9, 12, 20]), title=title)
        if item is not None and self.w.rng.random() < 0.3:
            occ = replace(item.occupancy, title=title)
        if closed(occ) and (item is None or item.occupancy.start != occ.start):
            self.acts[key] += 1
        self.w.calendar.put(key, occ, owned=False, person=ANNA)


def history(seed: int, reaction: Reaction) -> tuple[World, Counter[str]]:
    w = world(seed, reaction)
    people = People(w)
    for _ in range(3):
        w.calendar.faults = w.booking.faults = NOISE
        for _ in range(6):
            w.tick(30)
            people.act()
            if w.rng.random() < 0.6:
                w.cycle()
            if w.rng.random() < 0.1:
                restart(w)
        w.heal()
        w.rest()
    return w, people.acts


@pytest.mark.parametrize("seed", range(80))
def test_declined_meetings_are_never_mirrored_and_each_act_is_declined_once(seed: int) -> None:
    w, acts = history(seed, DECLINE)
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    assert not any(closed(occ) for occ in w.shown(Side.BOOKING))
    declines = [key for kind, key in w.calendar.log if kind is EffectKind.DECLINE_EVENT]
    for name in acts.keys() | set(declines):
        assert declines.count(name) <= acts[name]
    created = [e for e in w.booking.items.values() if any(closed(s.occupancy) for s in e.history)]
    assert created == []
    assert w.store.ledger == {}


#: As many as a gate has time for, and the others.
SEEDS = [*range(24), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(24, 80))]


@pytest.mark.parametrize("seed", SEEDS)
def test_each_act_is_warned_about_at_most_once_and_what_stands_was(seed: int) -> None:
    w, acts = history(seed, WARN)
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    assert [k for k, _ in w.calendar.log if k is EffectKind.DECLINE_EVENT] == []
    warned = [n.notice for n in w.store.ledger.values()]
    assert {n.kind for n in warned} <= {NoticeKind.WARNED}
    assert len(warned) <= acts.total()
    standing = [i for i in w.calendar.items.values() if not i.deleted and closed(i.occupancy)]
    for item in standing:
        assert any(n.occupancy.start == item.occupancy.start for n in warned), item


def test_what_was_done_before_the_rule_was_made_is_let_be() -> None:
    w = world(1, DECLINE)
    w.tick(60)
    w.calendar.put("old", single(3, title="old"), owned=False, person=ANNA)
    w.tick(60)
    restart(w, since=w.clock.now())
    w.tick(60)
    w.calendar.put("new", single(27, title="new"), owned=False, person=ANNA)
    w.rest()
    assert [o.title for o in w.shown(Side.BOOKING)] == ["old"]
    assert w.calendar.log == [(EffectKind.DECLINE_EVENT, "new")]
    # Other time of the old one is another act.
    w.tick(60)
    w.calendar.put("old", single(4, title="old"), owned=False, person=ANNA)
    w.rest()
    assert w.shown(Side.BOOKING) == []


def test_a_first_import_judges_nothing() -> None:
    w = World(3, titles=True, reactions=Reactions(opening_hours=DECLINE))
    restart(w)
    w.calendar.put("before", single(3, title="before"), owned=False, person=ANNA)
    w.tick(60)
    w.rest()
    assert [o.title for o in w.shown(Side.BOOKING)] == ["before"]
    assert w.calendar.log == []


def test_a_process_that_comes_back_after_long_shows_a_warning_and_does_not_send_it() -> None:
    """Where the database is a restored backup, it was sent in the life that the backup lost."""
    w = world(4, WARN)
    w.tick(60)
    w.calendar.put("e", single(3, title="e"), owned=False, person=ANNA)
    w.tick(3 * 3600)
    restart(w)
    w.ctx.begun = w.clock.now()
    w.rest()
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    assert [n.state.value for n in w.store.ledger.values()] == ["doubtful"]


def test_a_first_import_with_clashes_of_every_kind_refuses_nobody() -> None:
    """Also where the policy would have somebody refused, and with a fault in the middle."""
    for seed in range(40):
        w = World(seed, titles=True)
        for n in range(5):
            late = w.rng.random() < 0.5
            for side in (Side.CALENDAR, Side.BOOKING) if late else (Side.BOOKING, Side.CALENDAR):
                w.tick()
                occ = single(3 * n, title=f"{side.value} {n}")
                if side is Side.BOOKING:
                    w.booking.put(
                        f"b{n}",
                        replace(occ, end=occ.end + timedelta(hours=1)),
                        person=ANNA,
                        pending=True,
                    )
                else:
                    w.calendar.put(f"e{n}", occ, owned=w.rng.random() < 0.3, person=ANNA)
        w.calendar.faults = w.booking.faults = replace(NOISE, unreadable=0.0)
        w.cycle()
        w.heal()
        w.rest()
        assert len(w.shown(Side.BOOKING)) == len(w.shown(Side.CALENDAR)) == 10
        assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
        assert EffectKind.DECLINE_EVENT not in {kind for kind, _ in w.calendar.log}
        assert EffectKind.REJECT_BOOKING not in {kind for kind, _ in w.booking.log}
        assert {c.winner for c in w.store.conflicts} == {None}
        assert not any(i.pending for i in w.booking.items.values())


# --- series --------------------------------------------------------------------------------------

SHUT = Weekday.WE
OPEN = BookingRules(opening=(Opening(EVERY_DAY - {SHUT}, 8 * 60, 18 * 60),))


def course(w: World, hour: int, title: str) -> Occupancy:
    """Ten days in a row, one or two of them on the day on which the room is shut."""
    recurrence = Recurrence(rule=Rule(frequency=Frequency.DAILY, count=10))
    return replace(single(hour, title=title), recurrence=recurrence)


def test_notice_counts_from_the_act_also_after_some_dates_were_declined() -> None:
    """Our own decline changes the series, late; what is left of it was early enough when booked."""
    w = World(1, titles=True, reactions=Reactions(opening_hours=DECLINE, notice=DECLINE))
    w.restart()
    w.ctx.rulebook = Book(replace(OPEN, notice=timedelta(days=4)))
    w.rest()
    first = datetime(2026, 1, 5, 9, tzinfo=UTC)
    w.tick((first - timedelta(days=4, hours=1) - w.clock.now()).total_seconds())
    w.calendar.put("s", course(w, 9, "t"), owned=False, person=ANNA)
    w.tick(timedelta(hours=3).total_seconds())  # calsync was away since.
    w.restart()
    w.ctx.rulebook = Book(replace(OPEN, notice=timedelta(days=4)))
    w.rest()
    assert [kind for kind, _ in w.calendar.log] == [EffectKind.DECLINE_EVENT]
    (there,) = w.shown(Side.BOOKING)
    assert there.recurrence is not None
    assert [d.day for d in there.recurrence.excluded] == [7, 14]


@pytest.mark.parametrize("seed", range(60))
def test_a_series_loses_its_dates_on_shut_days_once_and_keeps_the_others(seed: int) -> None:
    w = World(seed, titles=True, reactions=Reactions(opening_hours=DECLINE))
    w.restart()
    w.ctx.rulebook = Book(OPEN)
    w.rest()
    moves = 1
    w.calendar.put("s", course(w, 9, "t0"), owned=False, person=ANNA)
    for number in range(3):
        w.calendar.faults = w.booking.faults = NOISE
        for _ in range(5):
            w.tick(30)
            item = w.calendar.items["s"]
            if w.rng.random() < 0.4:
                # All of it at another hour: sent again whole, with all its dates.
                hour = w.rng.choice([9, 12, 15])
                moves += item.occupancy.start.hour != hour
                if item.occupancy.start.hour != hour:
                    w.calendar.put("s", course(w, hour, "t"), owned=False, person=ANNA)
            else:
                title = f"t{number}.{w.rng.randrange(99)}"
                kept = replace(item.occupancy, title=title)
                w.calendar.put("s", kept, owned=False, person=ANNA)
            if w.rng.random() < 0.6:
                w.cycle()
            if w.rng.random() < 0.15:
                w.restart()
                w.ctx.rulebook = Book(OPEN)
        w.heal()
        w.rest()
    (there,) = w.shown(Side.CALENDAR)
    assert w.shown(Side.BOOKING) == [there]
    days = {i.start.weekday() for i in instances(there, _ALL_OF_2026, "UTC")}
    assert days == set(range(7)) - {SHUT}
    assert there.recurrence is not None
    assert all(d.weekday() == SHUT for d in there.recurrence.excluded)
    declines = [kind for kind, _ in w.calendar.log if kind is EffectKind.DECLINE_EVENT]
    assert 1 <= len(declines) <= moves
    shown_shut = [
        s
        for i in w.booking.items.values()
        for s in i.history
        if any(one.start.weekday() == SHUT for one in instances(s.occupancy, _ALL_OF_2026, "UTC"))
    ]
    assert shown_shut == []
    assert w.store.ledger == {}


_ALL_OF_2026 = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
