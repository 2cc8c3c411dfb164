"""What shows that a write of ours came late, and what people did: where the one is not taken for
the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Busy,
    Done,
    EditPolicy,
    EffectKind,
    Half,
    Link,
    Occupancy,
    Presence,
    RoomAnswer,
    Seen,
)
from calsync.reconcile.observe import accept
from calsync.reconcile.rebase import bury
from calsync.reconcile.remade import replaced
from calsync.reconcile.sent import sending
from calsync.reconcile.settle import settle
from tests.unit.core.planning import RENAMED, planned, stored
from tests.unit.core.test_sent import (
    ANEW,
    BARE,
    FOURTH,
    HELD,
    LATER,
    MOVED,
    MOVING,
    NINE,
    ONE_BACK,
    SHORT,
    SHORTER,
    TEN,
    THIRD,
    retitled,
    writing,
)
from tests.unit.core.values import (
    CALENDAR,
    NOW,
    at,
    daily,
    effect,
    gone,
    link,
    seen,
    there,
)


def base_when(item: Link, shows: Seen) -> Occupancy | None:
    """What both sides count as agreed on once the calendar shows this."""
    found = accept(replace(item, in_flight=False), CALENDAR, shows, NOW)
    assert found is not None
    return found.base


@pytest.mark.parametrize(
    ("answer", "base"),
    [
        (RoomAnswer.ACCEPTED, TEN),
        (RoomAnswer.WAITING, NINE),
        (RoomAnswer.DECLINED, NINE),
    ],
)
def test_a_late_move_of_a_meeting_is_agreed_on_when_the_room_has_said_yes(
    answer: RoomAnswer, base: Occupancy
) -> None:
    assert base_when(MOVING, seen(TEN, key="e", mark=9, answer=answer)) == base


# --- a series on its way -------------------------------------------------------------------------


def sent(item: Link, what: Occupancy) -> Link:
    """With what was sent to its event last."""
    return replace(item, event=replace(item.event, sent=fingerprint(what)))


@pytest.mark.parametrize(
    ("item", "shows"),
    [
        (writing(HELD, SHORTER, MOVED)[0], daily(16, 17, count=4)),
        (sent(link(there(TEN, key="b"), there(NINE, key="e"), base=NINE), TEN), retitled(TEN)),
        (sent(link(there(LATER, key="b"), gone(key="e", mark=5), base=HELD), LATER), MOVED),
        (sent(link(there(LATER, key="b"), Half(), base=HELD), LATER), MOVED),
        (sent(link(there(LATER, key="b"), there(HELD, key="e")), LATER), MOVED),
    ],
    ids=["moved on", "not a series", "it was gone", "it never was there", "never agreed on"],
)
def test_what_is_no_half_of_a_write_is_peoples(item: Link, shows: Occupancy) -> None:
    assert base_when(item, seen(shows, key="e", mark=9)) == item.base


def test_half_of_a_write_is_known_also_where_the_item_could_not_be_read_since() -> None:
    unread = Half(presence=Presence.UNKNOWN, key="e", mark=5, reason="timeout")
    item = sent(link(there(LATER, key="b"), unread, base=HELD), LATER)
    assert base_when(item, seen(MOVED, key="e", mark=9)) == MOVED


def half_merged(base: Occupancy, mine: Occupancy, theirs: Occupancy, shows: Seen) -> Any:
    """The base, when the answer says how far a merge came."""
    item, target = writing(base, mine, theirs)
    assert target not in (mine, theirs)
    write = effect(EffectKind.CHANGE_EVENT, key="e", target=target, merged=True)
    return settle(item, write, Done(shows, complete=False), now=NOW, quiet=False).link.base


def test_what_people_retitle_as_a_series_is_moved_is_a_change_of_what_was_written() -> None:
    item, target = writing(HELD, replace(SHORTER, title="Mine"), MOVED)
    assert target.title == "Mine"
    assert base_when(item, seen(retitled(BARE), key="e", mark=9)) == replace(BARE, title="Mine")


def test_of_a_merge_that_moved_a_series_half_way_only_what_both_show_is_agreed_on() -> None:
    """Its title, its kind and whether it is private are decided anew."""
    mine = replace(SHORTER, title="Mine", busy=Busy.TENTATIVE, private=True)
    theirs = replace(MOVED, title="Two", busy=Busy.FREE)
    shows = seen(replace(BARE, title="Two", busy=Busy.FREE), key="e", mark=9)
    assert half_merged(replace(HELD, title="One"), mine, theirs, shows) == replace(
        BARE, title="One"
    )


LONG = replace(SHORT, end=FOURTH + timedelta(minutes=45))


@pytest.mark.parametrize(
    ("mine", "theirs", "base"),
    [
        (
            daily(9, 10, count=4, excluded=(THIRD,), overrides=(SHORT,)),
            HELD,
            daily(9, 10, count=4, overrides=(SHORT,)),
        ),
        (daily(9, 10, count=4, excluded=(THIRD,), overrides=(LONG,)), SHORTER, BARE),
    ],
    ids=["put back in the calendar", "changed on the platform"],
)
def test_what_people_did_to_a_date_before_a_merge_made_its_series_anew_is_heard(
    mine: Occupancy, theirs: Occupancy, base: Occupancy
) -> None:
    """The fourth date was short."""
    shows = seen(retitled(BARE), **ANEW)
    assert half_merged(SHORTER, mine, retitled(theirs), shows) == base


def test_of_what_was_gone_a_merge_made_anew_is_peoples() -> None:
    item = link(there(ONE_BACK, key="b"), gone(key="e", mark=5), base=HELD)
    both = replaced(item, CALENDAR, seen(BARE, **ANEW), NOW)
    assert both is not None
    assert both[1].base == HELD


# --- a create in doubt --------------------------------------------------------------------------


def making(booking: Half, **more: Any) -> Link:
    """Its event, at nine, is being made, and nobody knows yet whether it was."""
    making = effect(EffectKind.CREATE_EVENT, target=NINE)
    return sending(link(booking, in_flight=True, **more), making)


@pytest.mark.parametrize(
    ("item", "shows", "base"),
    [
        (making(there(NINE, key="b")), seen(RENAMED, key="e", tag="x"), NINE),
        (making(there(TEN, key="b")), seen(RENAMED, key="e", tag="x"), None),
        (making(there(NINE, key="b", uid="u")), seen(RENAMED, key="e", uid="u"), None),
        (link(gone(key="b"), in_flight=True), seen(NINE, key="e", tag="x"), None),
    ],
    ids=["renamed", "not what was sent last", "made by another", "nothing was noted"],
)
def test_what_a_create_in_doubt_made_is_known_by_its_tag_and_by_what_was_sent(
    item: Link, shows: Seen, base: Occupancy | None
) -> None:
    """Taken for agreed on, a booking that was moved since would be moved back."""
    assert stored(planned(item, calendar=[shows]))["x"].base == base


@pytest.mark.parametrize("policy", EditPolicy)
def test_what_comes_under_the_name_of_a_tombstone_of_which_nothing_was_sent_is_peoples(
    policy: EditPolicy,
) -> None:
    came = seen(NINE, key="e", tag="x", created=at(9))
    tomb = bury(making(gone(key="b")))
    assert planned(tomb, calendar=[came], edit=policy).conflicts == []
    unnoted = replace(tomb, event=replace(tomb.event, sent=""))
    assert len(planned(unnoted, calendar=[came], edit=policy).conflicts) == 1
