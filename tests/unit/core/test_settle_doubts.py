"""Writes in doubt and writes made in part: what a side says it made and does not show, and what of
a series moved as a whole is agreed on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    NO_ORGANIZER,
    Absence,
    Done,
    EffectKind,
    Gone,
    Half,
    InDoubt,
    Later,
    Link,
    LinkState,
    Override,
    Presence,
    Refusal,
    Refused,
    RoomAnswer,
    Stale,
    former_mark,
)
from calsync.reconcile.observe import LAG
from calsync.reconcile.sent import sending
from calsync.reconcile.settle import NEVER_ARRIVED, settle
from tests.unit.core.values import (
    CALENDAR,
    DAY,
    NOW,
    agreed,
    at,
    daily,
    effect,
    link,
    occ,
    seen,
    there,
)

K = EffectKind
NINE, TEN, TWELVE = occ(9, 10), occ(10, 11), occ(12, 13)
SENT = fingerprint(NINE)
MAKES = effect(K.CREATE_EVENT, target=NINE)
TO_MAKE = link(there(NINE, key="b"), Half(sent=SENT), in_flight=True, pending=True)
MADE = InDoubt("not shown", made=True)


def after(item: Link, outcome: Any, made: Any = MAKES, now: datetime = NOW) -> Link:
    return settle(item, made, outcome, now=now, quiet=False).link


def test_what_a_side_says_it_made_is_awaited_as_long_as_a_copy_may_lag() -> None:
    """Then somebody has removed it: a deletion, and no failure."""
    first = after(TO_MAKE, MADE)
    assert (first.in_flight, first.event.created) == (True, NOW)
    again = after(first, MADE, now=NOW + LAG - timedelta(seconds=1))
    assert again == first, "the time it was first heard of counts"
    gone = after(first, MADE, now=NOW + LAG)
    assert (gone.in_flight, gone.base) == (False, NINE)
    assert gone.event == Half(
        presence=Presence.GONE, created=NOW, mark=0, reason=Absence.READ.value
    ), "under which key it was, nobody knows"
    only_doubt = after(TO_MAKE, InDoubt("lost"))
    assert only_doubt.event.created is None


def test_what_was_there_before_is_in_doubt_for_as_long_as_it_takes() -> None:
    changes = effect(K.CHANGE_EVENT, key="k", was=NINE, target=TEN)
    for made in (at(0), None):
        stands = link(there(TEN), there(NINE, created=made), base=NINE, in_flight=True)
        assert after(stands, MADE, changes, now=NOW + LAG * 9) == stands


def test_a_person_without_a_calendar_leaves_the_booking_ready_for_another_way() -> None:
    asked = replace(TO_MAKE, organizer="anna@x.example")
    free = after(asked, Refused("closed", code=NO_ORGANIZER))
    assert (free.in_flight, free.organizer, free.hindrance) == (False, "", "closed")
    assert (free.event.sent, free.state) == ("", LinkState.ACTIVE)


@pytest.mark.parametrize(
    ("made", "code"),
    [(MAKES, ""), (MAKES, "poison"), (effect(K.CHANGE_EVENT, key="k", target=NINE), NO_ORGANIZER)],
    ids=["any other reason", "not to be understood", "its meeting stands there"],
)
def test_whatever_else_a_side_will_not_do_waits_for_a_person(made: Any, code: str) -> None:
    """A meeting that stands in a calendar cannot go another way any more."""
    asked = replace(TO_MAKE, organizer="anna@x.example")
    parked = after(asked, Refused("closed", code=code), made)
    assert parked == replace(asked, in_flight=False, state=LinkState.PARKED, reason="closed")


def test_only_what_never_arrived_may_still_arrive() -> None:
    late = after(TO_MAKE, Later(0.0, NEVER_ARRIVED)).event.reason
    assert late
    assert after(TO_MAKE, Later(5.0, "throttled")).event.reason == ""
    assert after(TO_MAKE, InDoubt("lost")).event.reason == late
    there_already = link(there(TEN), there(NINE), base=NINE, in_flight=True)
    assert after(there_already, InDoubt("lost")).event.reason == ""


@pytest.mark.parametrize(("tries", "base"), [(SENT, True), (f"{SENT} other", False)])
def test_of_several_contents_nobody_knows_which_one_was_removed(tries: str, base: bool) -> None:
    item = replace(TO_MAKE, event=Half(sent=tries))
    removed = after(item, Done(Gone(key="e", absence=Absence.READ)))
    assert (removed.base == NINE) is base


def test_what_was_removed_leaves_the_base_that_was_agreed_on() -> None:
    item = link(there(TEN), there(NINE), base=NINE, in_flight=True)
    changes = effect(K.CHANGE_EVENT, key="k", was=NINE, target=TEN)
    assert after(item, Done(Gone(key="k", absence=Absence.READ)), changes).base == NINE
    deletes = effect(K.DELETE_EVENT, key="k", was=NINE)
    assert after(item, Done(Gone(key="k", absence=Absence.READ)), deletes).base == NINE


def test_who_is_removed_waits_for_an_answer_only_if_it_did() -> None:
    stands = replace(agreed(NINE), in_flight=True)
    left = after(stands, Done(Gone(key="k", absence=Absence.READ)), effect(K.DELETE_EVENT, key="k"))
    assert left.pending is False


def test_what_is_declined_before_it_was_ever_carried_over_has_no_base() -> None:
    """That the rules let it pass once is no matter to its end."""
    new = link(None, there(TEN), origin=CALENDAR, in_flight=True, passed=TEN)
    declines = effect(K.DECLINE_EVENT, key="k", was=TEN)
    left = after(new, Done(Gone(key="k", absence=Absence.DECLINED)), declines)
    ended = replace(
        new.event,
        presence=Presence.GONE,
        seen=None,
        fingerprint="",
        mark=6,
        reason=Absence.DECLINED.value,
    )
    assert left == replace(new, event=ended, in_flight=False)


def test_what_a_create_made_of_which_the_content_is_not_known_any_more_has_no_base() -> None:
    """The outbox keeps no content: people may have changed it since it was made."""
    forgot = effect(K.CREATE_EVENT, fingerprint=fingerprint(TWELVE))
    item = replace(TO_MAKE, event=Half(sent=fingerprint(TWELVE)))
    made = after(item, Done(seen(TEN, key="e", mark=9)), forgot)
    assert (made.base, made.event.seen) == (None, TEN)


def test_what_is_written_to_a_booking_is_agreed_on_although_its_room_has_not_answered() -> None:
    """The meeting was moved once more meanwhile: that waits; what was carried over is done."""
    waits = there(TWELVE, key="~e", answer=RoomAnswer.WAITING)
    item = link(there(NINE, key="k"), waits, base=NINE, in_flight=True)
    write = effect(K.CHANGE_BOOKING, key="k", was=NINE, target=TEN)
    done = after(item, Done(seen(TEN, mark=9)), write)
    assert (done.base, done.event.seen) == (TEN, TWELVE)


@pytest.mark.parametrize(
    ("made", "outcome", "says"),
    [
        (MAKES, Stale(seen(NINE)), ""),
        (MAKES, Stale(None), ""),
        (MAKES, Later(0.0, "throttled"), "throttled"),
        (MAKES, Refused("closed"), "closed"),
        (MAKES, Refused("closed", code=NO_ORGANIZER), "closed"),
        (MAKES, InDoubt("lost"), "lost"),
        (MAKES, Done(seen(NINE, mark=9)), ""),
        (effect(K.CONFIRM_BOOKING, key="k"), Done(seen(NINE, mark=9)), ""),
    ],
)
def test_every_outcome_says_for_the_log_what_came_of_it(made: Any, outcome: Any, says: str) -> None:
    what = settle(TO_MAKE, made, outcome, now=NOW, quiet=False).what
    assert what
    assert says in what


# --- in part -------------------------------------------------------------------------------------

DATES = [DAY + timedelta(days=n) for n in range(3)]


def changed(day: datetime, hour: int) -> Override:
    start = day + timedelta(hours=hour + 3)
    return Override(
        recurrence_id=day + timedelta(hours=hour), start=start, end=start + timedelta(hours=1)
    )


def series(hour: int, *days: int) -> Any:
    return daily(hour, hour + 1, overrides=tuple(changed(DATES[n], hour) for n in days))


def named(what: Any, title: str = "Two") -> Any:
    return replace(what, title=title)


@pytest.mark.parametrize(
    ("base", "target", "shows", "agreed_on"),
    [
        (series(9), series(11, 0, 1), series(11, 0), series(11, 0)),
        (series(9), series(11, 0, 1), series(11), series(11)),
        (series(9), series(9, 0, 1), series(9, 0), series(9, 0)),
        (series(9), series(9, 0), series(9, 2), series(9)),
        (series(9), series(11, 0), series(9), series(9)),
        (series(9), named(series(9, 0)), series(9, 0), series(9, 0)),
        (series(9), named(series(9, 0)), named(series(9, 0), "Three"), series(9, 0)),
    ],
    ids=[
        "moved, one of two dates",
        "moved alone",
        "one of two",
        "another one",
        "not at all",
        "a date, and no title yet",
        "a date, and people named it",
    ],
)
def test_what_of_a_change_was_made(base: Any, target: Any, shows: Any, agreed_on: Any) -> None:
    """What is missing is still to be made; what is there besides is people's."""
    item = link(there(target), there(base), base=base, in_flight=True)
    part = Done(seen(shows, mark=9), complete=False)
    changes = effect(K.CHANGE_EVENT, key="k", was=base, target=target)
    assert after(item, part, changes).base == agreed_on


def half_way(what: Any, *, mark: int = 9, tried: bool = True) -> Link:
    """A merge in doubt: the booking was moved to eleven, the calendar's event was renamed."""
    base, moved = series(9), series(11, 0)
    renamed = replace(base, title="Two")
    item = link(there(moved, key="b"), there(renamed), base=base, in_flight=True)
    write = effect(K.CHANGE_EVENT, key="k", target=replace(moved, title="Two"), merged=True)
    return after(item, Stale(seen(what, mark=mark), tried=tried), write)


def test_half_of_a_merge_counts_only_where_it_was_tried_and_is_shown_now() -> None:
    """Else it is people who moved it, without the date that the booking has changed."""
    shown = replace(series(11), title="Two")
    assert half_way(shown).base == series(11)
    assert half_way(shown, tried=False).base == series(9)
    other = half_way(named(series(9), "Three"))
    assert (other.base, other.event.seen) == (series(9), named(series(9), "Three"))
    late = half_way(shown, mark=1)
    assert (late.base, late.event.seen) == (series(9), replace(series(9), title="Two"))


def test_what_won_over_another_edit_is_not_contested_by_what_is_still_to_be_made() -> None:
    """A date that both sides moved is missing in the event that was just made anew."""

    def moved(hour: int) -> Any:
        return daily(
            9, 10, overrides=(replace(changed(DATES[1], 9), end=DATES[1].replace(hour=hour)),)
        )

    item = link(there(moved(14), key="b"), there(moved(15)), base=moved(16), in_flight=True)
    item = sending(item, effect(K.CHANGE_EVENT, key="k", target=moved(14)))
    new = seen(series(9), mark=9, replaces=former_mark("k"))
    write = effect(K.CHANGE_EVENT, key="k", fingerprint=fingerprint(moved(14)), merged=True)
    found = after(item, Stale(new, tried=True), write)
    assert found.base == series(9)


def test_a_single_item_that_is_said_to_be_made_in_part_was_made_whole() -> None:
    """What differs in it is what people changed since."""
    item = link(there(named(NINE)), there(NINE), base=NINE, in_flight=True)
    write = effect(K.CHANGE_EVENT, key="k", was=NINE, target=named(NINE))
    part = Done(seen(named(NINE, "Three"), mark=9), complete=False)
    assert after(item, part, write).base == named(NINE)


def test_who_is_told_that_a_move_was_refused_claims_nothing_anew() -> None:
    no = effect(K.CONFIRM_BOOKING, key="k", refusal=Refusal(reason="taken"))
    asked = replace(agreed(NINE, pending=True), in_flight=True)
    assert after(asked, Done(seen(NINE, mark=9)), no).claim is None


def test_a_change_without_a_base_agrees_on_what_is_shown() -> None:
    item = link(there(series(9, 0)), there(series(9)), in_flight=True)
    part = Done(seen(series(9, 2), mark=9), complete=False)
    changes = effect(K.CHANGE_EVENT, key="k", was=series(9), target=series(9, 0))
    assert after(item, part, changes).base == series(9, 2)


def test_a_write_that_was_carried_out_says_so() -> None:
    stands = replace(agreed(NINE, pending=True), in_flight=True)
    gone = settle(
        stands,
        effect(K.DELETE_EVENT, key="k", was=NINE),
        Done(Gone(key="k", absence=Absence.READ)),
        now=at(2000),
        quiet=False,
    )
    assert gone.what == "confirmed"
