"""Claims on one room as values: which two race, which is stronger, what the weaker one loses."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.conflicts.clash import Claim, Verdict, is_race, judge, shown, strength
from calsync.model import (
    Busy,
    ClashPolicy,
    Frequency,
    Half,
    Link,
    LinkState,
    Occupancy,
    Override,
    Presence,
    Recurrence,
    Rule,
    Side,
)
from tests.unit.core.values import BOOKING, CALENDAR, DAY, WINDOW, at, daily, occ, span


def claim(
    name: str,
    side: Side,
    minute: float = 0,
    what: Occupancy | None = None,
    *,
    mirrored: float | None = None,
    as_of: Occupancy | None = None,
    new: bool = True,
    fixed: bool = False,
    back: bool = False,
    state: LinkState = LinkState.ACTIVE,
) -> Claim:
    """``mirrored``: since which minute the other side shows it, too (``as_of``: in which form)."""
    what = what or occ(9, 10)
    mine = Half(presence=Presence.PRESENT, since=at(minute))
    other = Half()
    if mirrored is not None:
        other = Half(presence=Presence.PRESENT, since=at(mirrored), seen=as_of)
    link = Link(
        id=name,
        pair_id="p",
        origin=side,
        booking=mine if side is BOOKING else other,
        event=mine if side is CALENDAR else other,
        base=what,
        state=state,
    )
    return Claim(
        link=link, occupancy=what, side=side, at=at(minute), fixed=fixed, new=new, back=back
    )


# --- what races --------------------------------------------------------------------------------

MEETING = claim("e", CALENDAR, 5)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("mirrored", "as_of", "race"),
    [
        (None, None, True),
        (3, None, False),
        (5, None, True),
        (7, None, True),
        (3, occ(9, 11), True),
        (3, occ(9, 10, title="only its title differs"), False),
    ],
    ids=["not shown", "shown before", "shown at once", "shown later", "elsewhere", "other title"],
)
def test_whoever_saw_the_other_one_standing_there_does_not_race(
    side: Side, mirrored: float | None, as_of: Occupancy | None, race: bool
) -> None:
    early = claim("one", side, 0, mirrored=mirrored, as_of=as_of)
    late = claim("two", side.other, 5)
    assert is_race(early, late) is race
    assert is_race(late, early) is race


@pytest.mark.parametrize(("earliest", "race"), [(2, True), (3, True), (4, False)])
def test_of_a_move_at_an_unknown_time_all_of_it_must_be_later(earliest: float, race: bool) -> None:
    early = claim("b", BOOKING, 0, mirrored=3)
    assert is_race(early, replace(MEETING, earliest=at(earliest))) is race


def test_an_item_whose_time_there_is_unknown_was_not_surely_in_sight() -> None:
    early = claim("b", BOOKING, 0, mirrored=3)
    unknown = replace(early.link, event=replace(early.link.event, since=None))
    assert is_race(replace(early, link=unknown), MEETING)


def test_an_item_that_is_gone_there_is_not_in_sight() -> None:
    early = claim("b", BOOKING, 0, mirrored=3)
    gone = replace(early.link, event=replace(early.link.event, presence=Presence.GONE))
    assert is_race(replace(early, link=gone), MEETING)


@pytest.mark.parametrize("side", Side)
def test_inside_one_side_nothing_races_but_what_calsync_put_back(side: Side) -> None:
    there, later = claim("there", side, 0), claim("later", side, 5)
    put_back = replace(later, back=True)
    assert not is_race(there, later)
    assert not is_race(there, claim("at once", side, 0)), "though neither saw the other"
    assert is_race(there, put_back)
    assert is_race(put_back, there)
    # Who books beside it once it stands there again does so in sight of it.
    assert not is_race(put_back, claim("still later", side, 7))
    # Also what came from the other side was in sight of people only, not of calsync.
    mirrored = claim("mirrored", side.other, 0, mirrored=3)
    assert not is_race(mirrored, later)
    assert is_race(mirrored, put_back)


def test_what_a_side_shows() -> None:
    """Its own state where that differs from the base, else the base; nothing where it is away."""
    link = claim("b", BOOKING, mirrored=3).link
    assert shown(link, CALENDAR) == link.base
    other = replace(link, event=replace(link.event, seen=occ(11, 12)))
    assert shown(other, CALENDAR) == occ(11, 12)
    for away in (Presence.NEVER, Presence.GONE, Presence.UNKNOWN):
        assert shown(replace(other, event=replace(other.event, presence=away)), CALENDAR) is None


# --- who is stronger ---------------------------------------------------------------------------

#: From the strongest to the weakest, where the policy asks for the earlier one.
ORDER = [
    claim("parked", BOOKING, 9, state=LinkState.PARKED),
    claim("fixed", CALENDAR, 8, fixed=True),
    claim("earlier", BOOKING, 1),
    claim("tie, calendar", CALENDAR, 2),
    claim("tie, booking", BOOKING, 2),
    claim("tie, booking, later id", BOOKING, 2),
]


@pytest.mark.parametrize("policy", [ClashPolicy.FIRST, ClashPolicy.ASK])
def test_the_order_of_strength(policy: ClashPolicy) -> None:
    for order in itertools.permutations(ORDER):
        assert sorted(order, key=lambda c: strength(c, policy)) == ORDER


@pytest.mark.parametrize(
    ("policy", "side"), [(ClashPolicy.BOOKING, BOOKING), (ClashPolicy.CALENDAR, CALENDAR)]
)
def test_the_preferred_side_goes_before_the_earlier_one_but_not_before_a_fixed_item(
    policy: ClashPolicy, side: Side
) -> None:
    preferred, earlier = claim("p", side, 5), claim("e", side.other, 0)
    fixed = replace(claim("f", side.other, 9), fixed=True)
    order = sorted([preferred, earlier, fixed], key=lambda c: strength(c, policy))
    assert [c.link.id for c in order] == ["f", "p", "e"]


# --- what is lost ------------------------------------------------------------------------------


def verdicts(*claims: Claim, policy: ClashPolicy = ClashPolicy.FIRST) -> list[Verdict]:
    return judge(claims, policy=policy, window=WINDOW, zone="UTC")


def losses(*claims: Claim) -> dict[str, list[str]]:
    """Who loses to whom."""
    return {v.loser.link.id: [w.link.id for w in v.winners] for v in verdicts(*claims)}


def test_the_weaker_loses_all_of_a_single_booking() -> None:
    early, late = claim("b", BOOKING, 0, occ(9, 11)), claim("e", CALENDAR, 5, occ(10, 12))
    assert verdicts(late, early) == [
        Verdict(
            loser=late,
            winners=(early,),
            dates=(),
            taken=(span(9, 11),),
            ask=False,
        )
    ]
    assert verdicts(early, late, policy=ClashPolicy.ASK)[0].ask


@pytest.mark.parametrize(
    ("what", "clashes"),
    [
        (occ(10, 11), False),
        (occ(8, 9), False),
        (occ(9.5, 9.75), True),
        (occ(8, 12), True),
        (occ(9.5, 9.5), False),
        (occ(9, 10, busy=Busy.FREE), False),
        (occ(9, 10, busy=Busy.TENTATIVE), True),
    ],
    ids=["after", "before", "within", "around", "no length", "free", "tentative"],
)
def test_what_meets(what: Occupancy, clashes: bool) -> None:
    assert bool(verdicts(claim("b", BOOKING, 0), claim("e", CALENDAR, 5, what))) is clashes


def test_what_stood_there_before_is_not_judged_again() -> None:
    one, two = claim("b", BOOKING, 0, new=False), claim("e", CALENDAR, 5, new=False)
    assert verdicts(one, two) == []
    assert losses(replace(one, new=True), two) == {"e": ["b"]}
    assert losses(one, replace(two, new=True)) == {"e": ["b"]}
    elsewhere = claim("x", BOOKING, 9, occ(20, 21))
    assert verdicts(one, two, elsewhere) == [], "a new claim at another time changes nothing"


def test_one_side_alone_has_nothing_to_judge_but_what_calsync_put_back() -> None:
    one, two = claim("1", BOOKING, 0), claim("2", BOOKING, 5)
    assert verdicts(one, two) == []
    assert losses(one, replace(two, back=True)) == {"2": ["1"]}


def test_what_lost_its_time_takes_it_from_nobody_else() -> None:
    """first beats second, so second does not stand in the way of third."""
    first = claim("first", CALENDAR, 0, occ(9, 10))
    second = claim("second", BOOKING, 1, occ(9, 12))
    third = claim("third", CALENDAR, 2, occ(11, 12))
    assert losses(third, second, first) == {"second": ["first"]}


def test_one_loser_and_all_its_winners_from_the_strongest() -> None:
    late = claim("late", BOOKING, 9, occ(9, 12))
    # By time of day the other way round than by strength.
    winners = [claim("w1", CALENDAR, 1, occ(11, 12)), claim("w2", CALENDAR, 2, occ(9, 10))]
    assert losses(late, *winners) == {"late": ["w1", "w2"]}
    (verdict,) = verdicts(late, *winners)
    assert [span.start.hour for span in verdict.taken] == [9, 11]


def test_the_verdicts_come_from_the_strongest_loser_down() -> None:
    """late loses to the very first, and comes after middle, who loses to the second."""
    first = claim("first", CALENDAR, 0, occ(9, 10))
    second = claim("second", CALENDAR, 1, occ(12, 13))
    middle, late = claim("middle", BOOKING, 2, occ(12, 13)), claim("late", BOOKING, 3, occ(9, 10))
    assert list(losses(first, second, middle, late)) == ["middle", "late"]


def test_time_taken_is_told_in_its_order_also_where_it_begins_together() -> None:
    late = claim("late", BOOKING, 9, occ(9, 12))
    winners = [claim(f"w{n}", CALENDAR, n, occ(9, end)) for n, end in enumerate((12, 10, 11))]
    (verdict,) = verdicts(late, *winners)
    assert verdict.taken == (span(9, 10), span(9, 11), span(9, 12))


def test_dates_of_one_series_do_not_fight_each_other() -> None:
    """One of its dates was moved onto another one, and calsync has put it all back."""
    second = DAY + timedelta(days=1, hours=9)
    onto_first = Override(
        recurrence_id=second,
        start=second - timedelta(days=1),
        end=second - timedelta(days=1) + timedelta(hours=1),
    )
    rule = Rule(frequency=Frequency.DAILY, count=2)
    twice = occ(9, 10, recurrence=Recurrence(rule=rule, overrides=(onto_first,)))
    put_back = claim("series", BOOKING, 0, twice, back=True)
    assert verdicts(put_back, claim("elsewhere", CALENDAR, 1, occ(20, 21))) == []


def test_winners_are_named_from_the_strongest_in_a_full_room_too() -> None:
    hours = [5, 2, 6, 7, 8, 9, 10, 11, 3, 12]
    others = [claim(f"w{n}", CALENDAR, n, occ(at, at + 1)) for n, at in enumerate(hours)]
    assert losses(claim("late", BOOKING, 99, occ(2, 4)), *others) == {"late": ["w1", "w8"]}


def test_a_series_loses_only_the_dates_that_are_taken() -> None:
    series = claim("series", BOOKING, 5, daily(9, 10))
    second = occ(24 + 9, 24 + 10)
    (verdict,) = verdicts(series, claim("e", CALENDAR, 0, second))
    assert verdict.dates == (second.start,)
    every = [claim(f"e{n}", CALENDAR, n, occ(24 * n + 9, 24 * n + 10)) for n in (2, 0, 1)]
    two = verdicts(series, *every[:2])[0]
    assert two.dates == (DAY + timedelta(hours=9), DAY + timedelta(days=2, hours=9))
    assert verdicts(series, *every)[0].dates == (), "all of it is lost as a whole"


def test_an_endless_series_is_never_lost_as_a_whole() -> None:
    """The window shows only some of its dates, and the rest may be free."""
    series = claim("series", BOOKING, 5, daily(9, 10, count=None))
    other = claim("other", CALENDAR, 0, daily(9, 10, count=400))
    (verdict,) = verdicts(series, other)
    assert verdict.dates == tuple(DAY + timedelta(days=n, hours=9) for n in range(28))


@pytest.mark.parametrize(
    ("count", "excluded", "whole"), [(28, (), True), (29, (), False), (29, (28,), True)]
)
def test_a_series_with_dates_behind_the_window_is_not_lost_as_a_whole(
    count: int, excluded: tuple[int, ...], whole: bool
) -> None:
    """The window is of 28 days. What comes later is judged when it comes into sight."""
    away = tuple(DAY + timedelta(days=n, hours=9) for n in excluded)
    series = claim("series", BOOKING, 5, daily(9, 10, count=count, excluded=away))
    (verdict,) = verdicts(series, claim("other", CALENDAR, 0, daily(9, 10, count=28)))
    assert len(verdict.dates) == (0 if whole else 28)


@pytest.mark.parametrize(
    ("hours", "count", "whole"),
    [((0, 1), 28, True), ((0, 1), 29, False), ((22, 26), 28, True), ((22, 26), 29, False)],
    ids=["all before the end", "one from the end on", "one across the end", "one behind"],
)
def test_a_date_across_the_end_of_the_window_is_in_sight(
    hours: tuple[float, float], count: int, whole: bool
) -> None:
    series = claim("series", BOOKING, 5, daily(*hours, count=count))
    (verdict,) = verdicts(series, claim("other", CALENDAR, 0, daily(*hours, count=28)))
    assert (verdict.dates == ()) is whole


def test_a_date_behind_the_window_that_takes_no_time_is_nothing_to_keep() -> None:
    day = DAY + timedelta(days=28, hours=9)
    free = Override(recurrence_id=day, start=day, end=day + timedelta(hours=1), busy=Busy.FREE)
    series = claim("series", BOOKING, 5, daily(9, 10, count=29, overrides=(free,)))
    (verdict,) = verdicts(series, claim("other", CALENDAR, 0, daily(9, 10, count=28)))
    assert verdict.dates == ()


def test_a_date_that_two_meetings_take_is_lost_once() -> None:
    series = claim("series", BOOKING, 9, daily(9, 11))
    pair = [claim("x", CALENDAR, 0, occ(9, 10)), claim("y", CALENDAR, 1, occ(10, 11))]
    (verdict,) = verdicts(series, *pair)
    assert verdict.dates == (DAY + timedelta(hours=9),)
    assert [w.link.id for w in verdict.winners] == ["x", "y"]


def test_only_some_dates_of_a_free_series_may_be_busy() -> None:
    """A series that is shown as free, with one date that is not, meets others on that date."""
    second = DAY + timedelta(days=1, hours=9)
    rule = Rule(frequency=Frequency.DAILY, count=3)
    changed = Override(recurrence_id=second, start=second, end=second + timedelta(hours=1))
    recurrence = Recurrence(rule=rule, overrides=(changed,))
    series = claim("s", BOOKING, 5, occ(9, 10, busy=Busy.FREE, recurrence=recurrence))
    other = claim("e", CALENDAR, 0, daily(9, 10))
    (verdict,) = verdicts(series, other)
    assert verdict.taken == (span(24 + 9, 24 + 10),)


@st.composite
def claims(draw: st.DrawFn) -> list[Claim]:
    found = []
    for number in range(draw(st.integers(2, 6))):
        start = draw(st.integers(8, 12))
        span = (start, start + draw(st.integers(1, 3)))
        found.append(
            claim(
                f"c{number}",
                draw(st.sampled_from(Side)),
                draw(st.integers(0, 3)),
                daily(*span) if draw(st.booleans()) else occ(*span),
                new=draw(st.booleans()),
                back=draw(st.integers(0, 5)) == 0,
            )
        )
    return found


@given(claims(), st.randoms(use_true_random=False))
def test_the_order_of_the_claims_does_not_matter(given_claims: list[Claim], rng: object) -> None:
    shuffled = list(given_claims)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert verdicts(*shuffled) == verdicts(*given_claims)


@given(claims())
def test_whoever_loses_was_weaker_and_at_least_one_of_the_two_was_new(
    given_claims: list[Claim],
) -> None:
    for verdict in verdicts(*given_claims):
        for winner in verdict.winners:
            key = [strength(c, ClashPolicy.FIRST) for c in (winner, verdict.loser)]
            assert key[0] < key[1]
            assert winner.new or verdict.loser.new
            assert is_race(winner, verdict.loser)
