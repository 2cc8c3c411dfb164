"""A room planned whose rules hold for Outlook's bookings, too: who is declined or warned, what is
let pass, and that nobody is judged twice for one act."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from calsync.conflicts.rules import House, bare
from calsync.mapping.booking_rules import BookingRules, Opening
from calsync.model import (
    EffectKind,
    Link,
    LinkState,
    NoticeKind,
    Occupancy,
    Override,
    Person,
    Plan,
    Reaction,
    Reactions,
    Seen,
    Tally,
    Weekday,
)
from calsync.reconcile.decide import Decision, Verb
from calsync.reconcile.guard import USUAL
from calsync.reconcile.join import link_id
from calsync.reconcile.obey import Judged, judge_links, passing, warning
from calsync.reconcile.plan import MAX_ATTEMPTS
from tests.unit.core.planning import ANNA, kinds, planned, stored
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    NOW,
    at,
    daily,
    gone,
    link,
    occ,
    seen,
    there,
)

#: The room opens at ten and has eight seats.
FROM_TEN = BookingRules(opening=(Opening(frozenset(Weekday), 600, 1080),), seats=True)
NINE, TEN = occ(9, 10), occ(10, 11)
DECLINE, WARN = Reaction.DECLINE, Reaction.WARN
K = EffectKind


def house(reaction: Reaction = DECLINE, **more: Any) -> House:
    some = Reactions(opening_hours=reaction, seats=reaction)
    return House(rules=FROM_TEN, reactions=some, capacity=8, **more)


def invitation(what: Occupancy, **more: Any) -> Seen:
    return seen(what, **{"key": "e", "owned": False, "person": ANNA, "modified": at(5), **more})


NEW = link_id("p", CALENDAR, "e")


def held(what: Occupancy = TEN, **more: Any) -> Link:
    """A meeting of Anna's that both sides have."""
    theirs = there(what, key="e", owned=False)
    given = {"base": what, "origin": CALENDAR, "person": ANNA, **more}
    return link(there(what, key="b"), theirs, **given)


def plan(*links: Link, shows: Seen | None = None, by: House | None = None, **more: Any) -> Plan:
    return planned(*links, calendar=[shows] if shows else [], house=by or house(), **more)


def test_what_is_against_a_rule_is_declined_and_not_carried_over() -> None:
    made = plan(shows=invitation(NINE))
    assert kinds(made) == [(K.DECLINE_EVENT, NEW)]
    (effect,) = made.effects
    assert effect.refusal is not None
    assert (effect.refusal.code, effect.refusal.dates) == ("against-rules", ())
    assert "open" in effect.refusal.reason
    assert "against the rules of the room: the room is not open then" in effect.why
    kept = stored(made)[NEW]
    assert (kept.in_flight, kept.passed, kept.writes.count) == (True, None, 1)
    assert made.notices == [], "Exchange tells its organizer"


def test_what_may_be_is_carried_over_and_remembered_as_judged() -> None:
    made = plan(shows=invitation(replace(TEN, title="t"), seats=8))
    assert kinds(made) == [(K.CREATE_BOOKING, NEW)]
    assert (made.notices, [r.verb for r in made.rulings]) == ([], ["create booking"])
    kept = stored(made)[NEW]
    assert (kept.passed, kept.passed_seats) == (TEN, 8)


@pytest.mark.parametrize(
    ("shows", "seats"), [(invitation(NINE), ""), (invitation(TEN, seats=9), " for 9")]
)
def test_a_warning_goes_to_whoever_booked_and_the_booking_stands(shows: Seen, seats: str) -> None:
    made = plan(shows=shows, by=house(WARN))
    assert kinds(made) == [(K.CREATE_BOOKING, NEW)]
    (notice,) = made.notices
    assert (notice.kind, notice.person, notice.link_id) == (NoticeKind.WARNED, ANNA, NEW)
    assert (notice.booking_key, notice.occupancy) == (NEW, shows.occupancy)
    assert notice.revision == f"{at(0).isoformat()}{seats}", "one act is told of once"
    assert notice.refusal is not None
    assert (notice.refusal.code, "it stands" in notice.refusal.reason) == ("against-rules", True)
    (ruling,) = (r for r in made.rulings if r.verb == "warn")
    assert ruling.link_id == NEW
    assert "against the rules of the room" in ruling.why
    assert stored(made)[NEW].passed == shows.occupancy


@pytest.mark.parametrize(
    ("more", "told"),
    [({"person": Person("Anna", "")}, False), ({"owned": True}, True)],
    ids=["no address", "the room's own"],
)
def test_where_nobody_can_be_declined_or_told_that_is_on_record(
    more: dict[str, Any], told: bool
) -> None:
    reaction = DECLINE if told else WARN
    made = plan(shows=invitation(NINE, **more), by=house(reaction))
    assert kinds(made) == [(K.CREATE_BOOKING, NEW)]
    (ruling,) = (r for r in made.rulings if r.verb == "warn")
    assert ("nobody could be told" in ruling.why) is not told
    assert len(made.notices) == told


@pytest.mark.parametrize("origin", [BOOKING, CALENDAR])
def test_a_move_in_the_calendar_is_judged_whoever_booked(origin: Any) -> None:
    moved = invitation(NINE, mark=9)
    assert kinds(plan(held(origin=origin), shows=moved)) == [(K.DECLINE_EVENT, "x")]
    renamed = invitation(replace(TEN, title="new"), mark=9)
    assert kinds(plan(held(origin=origin), shows=renamed)) == [(K.CHANGE_BOOKING, "x")]


def test_one_move_is_told_of_once_by_the_time_it_was_made() -> None:
    (notice,) = plan(held(), shows=invitation(NINE, mark=9), by=house(WARN)).notices
    assert notice.revision == at(5).isoformat()


def test_time_that_it_held_or_was_let_have_is_not_judged_again() -> None:
    early = held(NINE)
    longer = replace(NINE, end=TEN.end)
    renamed = invitation(replace(NINE, title="new"), mark=9)
    assert kinds(plan(early, shows=renamed)) == [(K.CHANGE_BOOKING, "x")]
    assert kinds(plan(early, shows=invitation(longer, mark=9))) == [(K.DECLINE_EVENT, "x")]
    passed = replace(early, passed=longer)
    assert kinds(plan(passed, shows=invitation(longer, mark=9))) == [(K.CHANGE_BOOKING, "x")]


def test_what_the_platform_asks_for_is_not_judged_here() -> None:
    item = link(there(NINE, key="b"), there(TEN, key="e"), base=TEN)
    assert kinds(plan(item, booking=[seen(NINE, key="b", mark=9)])) == [(K.CHANGE_EVENT, "x")]


@pytest.mark.parametrize(
    ("before", "now", "origin", "declined"),
    [
        (4, 9, CALENDAR, True),
        (9, 10, CALENDAR, True),
        (9, 9, CALENDAR, False),
        (10, 9, CALENDAR, False),
        (None, 9, CALENDAR, False),  # It stood before anybody counted.
        (4, 8, CALENDAR, False),
        (4, None, CALENDAR, False),
        (4, 9, BOOKING, False),
    ],
)
def test_more_people_than_before_are_judged_though_nothing_else_changed(
    before: int | None, now: int | None, origin: Any, declined: bool
) -> None:
    item = held(origin=origin, seats=before, passed_seats=before)
    made = plan(item, shows=invitation(TEN, mark=9, seats=now))
    assert kinds(made) == ([(K.DECLINE_EVENT, "x")] if declined else [])


def test_what_was_done_before_the_rules_were_these_is_let_pass() -> None:
    made = plan(shows=invitation(NINE, created=at(5)), by=house(since=at(5)))
    assert kinds(made) == [(K.CREATE_BOOKING, NEW)]
    assert stored(made)[NEW].passed == NINE
    made = plan(shows=invitation(NINE, created=at(6)), by=house(since=at(5)))
    assert kinds(made) == [(K.DECLINE_EVENT, NEW)]


def test_a_first_import_judges_nobody() -> None:
    made = plan(shows=invitation(NINE), importing=True)
    assert kinds(made) == [(K.CREATE_BOOKING, NEW)]
    assert made.notices == []


def test_what_is_gone_is_not_judged_by_the_time_it_stood_at() -> None:
    away = gone(key="e", seen=NINE, owned=False)
    item = link(there(TEN, key="b"), away, base=TEN, origin=CALENDAR, person=ANNA)
    made = plan(replace(item, seats=9, passed_seats=4))
    assert kinds(made) == [(K.DELETE_BOOKING, "x")]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"attempts": MAX_ATTEMPTS}, "did not take effect"),
        ({"writes": Tally(count=USUAL.per_booking, since=NOW)}, "was written 20 times"),
    ],
)
def test_a_decline_that_does_not_help_is_a_persons_to_decide(
    more: dict[str, Any], why: str
) -> None:
    made = plan(held(**more), shows=invitation(NINE, mark=9))
    assert made.effects == []
    kept = stored(made)["x"]
    assert (kept.state, why in kept.reason) == (LinkState.PARKED, True)


def test_of_a_series_what_is_left_is_carried_over_after_the_decline() -> None:
    """One date was moved before the room opens: it is declined, and the rest was let pass."""
    series = daily(10, 11)
    assert series.recurrence is not None
    second = TEN.start + timedelta(days=1)
    early = Override(
        recurrence_id=second, start=second - timedelta(hours=2), end=second - timedelta(hours=1)
    )
    moved = replace(series, recurrence=replace(series.recurrence, overrides=(early,)))
    made = plan(held(series), shows=invitation(moved, mark=9))
    (effect,) = made.effects
    assert effect.kind is K.DECLINE_EVENT
    assert effect.refusal is not None
    assert effect.refusal.dates == (second,)
    rest = replace(series, recurrence=replace(series.recurrence, excluded=(second,)))
    assert stored(made)["x"].passed == bare(rest)


# --- what is an act ------------------------------------------------------------------------------


def acts(item: Link, verb: Verb, target: Occupancy | None = None) -> dict[str, Judged]:
    decision = Decision(verb=verb, why="w", target=target)
    return judge_links(house(), {item.id: item}, {item.id: decision}, zone="UTC", now=NOW)


@pytest.mark.parametrize("verb", [Verb.NOTHING, Verb.REBASE])
@pytest.mark.parametrize(
    ("origin", "seats", "before", "act"),
    [
        (CALENDAR, 9, 4, True),
        (CALENDAR, 4, 9, True),
        (CALENDAR, 9, None, True),
        (CALENDAR, 4, 4, False),
        (CALENDAR, None, 4, False),
        (CALENDAR, None, None, False),
        (BOOKING, 9, 4, False),
        (BOOKING, 9, None, False),
    ],
)
def test_at_rest_only_another_number_of_people_is_an_act(
    verb: Verb, origin: Any, seats: int | None, before: int | None, act: bool
) -> None:
    item = held(origin=origin, seats=seats, passed_seats=before)
    assert list(acts(item, verb)) == (["x"] if act else [])


def test_a_number_that_one_reading_lacks_is_not_forgotten() -> None:
    item = held(seats=4, passed_seats=4)
    blank = plan(item, shows=invitation(TEN, mark=9))
    assert blank.effects == []
    again = plan(stored(blank)["x"], shows=invitation(TEN, mark=10, seats=9))
    assert kinds(again) == [(K.DECLINE_EVENT, "x")]


def test_what_is_on_neither_side_is_no_act() -> None:
    assert acts(link(origin=CALENDAR, seats=9), Verb.NOTHING) == {}


@pytest.mark.parametrize(
    "verb", [Verb.WRITE_EVENT, Verb.DELETE_EVENT, Verb.DELETE_BOOKING, Verb.SKIP]
)
def test_what_does_not_come_from_the_calendar_is_no_act_there(verb: Verb) -> None:
    item = link(there(NINE, key="b"), there(TEN, key="e"), base=TEN, seats=9, origin=CALENDAR)
    assert acts(item, verb, NINE) == {}


@pytest.mark.parametrize(
    ("since", "created", "when"),
    [(at(5), at(3), at(5)), (None, at(3), at(3)), (None, None, NOW)],
    ids=["it came to its time", "it was made", "no time is told"],
)
def test_an_act_is_judged_as_of_the_time_it_was_done(since: Any, created: Any, when: Any) -> None:
    theirs = there(NINE, key="e", since=since, created=created)
    item = link(there(TEN, key="b", since=at(1), created=at(2)), theirs, base=TEN)
    assert acts(item, Verb.WRITE_BOOKING, NINE)["x"].act.at == when


@pytest.mark.parametrize(
    ("origin", "seats", "before", "news"),
    [
        (CALENDAR, 9, 4, 9),
        (CALENDAR, 9, 9, None),
        (CALENDAR, 9, None, None),
        (CALENDAR, None, 4, None),
        (BOOKING, 9, 4, None),
    ],
    ids=["more", "as many", "never counted", "not told", "the platform's"],
)
def test_how_many_come_is_judged_once(
    origin: Any, seats: int | None, before: int | None, news: int | None
) -> None:
    theirs = there(NINE, key="e", owned=False)
    item = link(there(TEN, key="b"), theirs, base=TEN, origin=origin)
    item = replace(item, seats=seats, passed_seats=before)
    assert acts(item, Verb.WRITE_BOOKING, NINE)["x"].act.seats == news


@pytest.mark.parametrize(("origin", "news"), [(CALENDAR, 9), (BOOKING, None)])
def test_of_a_new_one_they_are_news_where_it_was_booked_in_the_calendar(
    origin: Any, news: int | None
) -> None:
    item = link(None, there(NINE, key="e"), origin=origin, seats=9)
    assert acts(item, Verb.CREATE_BOOKING, NINE)["x"].act.seats == news


def test_what_may_be_was_judged_by_no_rule() -> None:
    (judged,) = acts(held(replace(TEN, title="t"), base=TEN), Verb.WRITE_BOOKING, TEN).values()
    assert (judged.verdict, judged.declines) == (None, False)


def test_what_was_let_pass_is_remembered_as_long_as_the_base_does_not_say_it() -> None:
    item = held(seats=4)
    assert passing(item, replace(NINE, title="t")) == replace(item, passed=NINE, passed_seats=4)
    again = passing(replace(item, passed=NINE), replace(TEN, title="t"))
    assert again == replace(item, passed=None, passed_seats=4)
    booked = held(origin=BOOKING, seats=4)
    assert passing(booked, NINE) == replace(booked, passed=NINE), "the platform counts its own"


@pytest.mark.parametrize(("since", "named"), [(at(0), at(0)), (None, NOW)])
def test_more_people_are_told_of_once_by_the_time_the_meeting_has(since: Any, named: Any) -> None:
    item = held(seats=9, passed_seats=4)
    item = replace(item, event=replace(item.event, since=since))
    decision = {"x": Decision(verb=Verb.NOTHING, why="w")}
    (judged,) = judge_links(house(WARN), {"x": item}, decision, zone="UTC", now=NOW).values()
    notice, _ = warning(item, judged)
    assert notice is not None
    assert notice.revision == f"{named.isoformat()} for 9"
