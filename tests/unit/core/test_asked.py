"""Meetings in people's calendars: what the table makes of the room's answer, and where a booking
of the platform is made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from calsync.engine.theirs import _is_another
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    NO_ORGANIZER,
    Absence,
    Done,
    EditPolicy,
    EffectKind,
    Frequency,
    Half,
    InDoubt,
    Later,
    Link,
    LinkState,
    Notice,
    NoticeKind,
    OrganizerFallback,
    Person,
    Plan,
    Presence,
    Recurrence,
    Refusal,
    Refused,
    RoomAnswer,
    Rule,
    Seen,
    Side,
    WriteAs,
)
from calsync.reconcile.decide import WAITS, Verb, decide
from calsync.reconcile.observe import ANSWERS_WITHIN, accept
from calsync.reconcile.plan import reconcile
from calsync.reconcile.route import may_be_our_own, routed
from calsync.reconcile.settle import settle
from calsync.reconcile.told import by_its_person
from tests.unit.core.planning import ANNA, BERT, RENAMED
from tests.unit.core.values import (
    NOW,
    PAIR,
    WINDOW,
    agreed,
    at,
    effect,
    gone,
    link,
    occ,
    seen,
    there,
)

ASKED = replace(PAIR, write_as=WriteAs.ORGANIZER)
FALLS_BACK = replace(ASKED, organizer_fallback=OrganizerFallback.ROOM)
NINE, TEN, NOON = occ(9, 10), occ(10, 11), occ(12, 13)
WAITING, ACCEPTED, DECLINED = RoomAnswer.WAITING, RoomAnswer.ACCEPTED, RoomAnswer.DECLINED


def asked(booking: Any, event: Any, answer: RoomAnswer, **more: Any) -> Link:
    """A booking, and the meeting of its person. What is an occupancy is there and says that."""
    mine = booking if isinstance(booking, Half) else there(booking, key="b")
    sent = fingerprint(event) if more.pop("ours", False) else ""
    theirs = there(event, key="~e", answer=answer, sent=sent)
    given: dict[str, Any] = {"base": NINE, "organizer": ANNA.address, "person": ANNA, **more}
    return link(mine, theirs, **given)


def verb(one: Link) -> Verb:
    return decide(one, EditPolicy.ORIGIN).verb


def plan(*links: Link, pair: Any = ASKED, **more: Any) -> Plan:
    return reconcile(links, {}, {}, pair=pair, window=WINDOW, now=NOW, **more)


# --- the table ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("booking", "event", "more", "wanted"),
    [
        (NINE, NINE, {}, Verb.SKIP),
        (NINE, TEN, {}, Verb.SKIP),
        (TEN, TEN, {}, Verb.SKIP),
        (TEN, NINE, {}, Verb.WRITE_EVENT),
        (TEN, NOON, {}, Verb.WRITE_EVENT),
        (NINE, TEN, {"ours": True}, Verb.WRITE_EVENT),
        (TEN, TEN, {"ours": True}, Verb.SKIP),
        (gone(key="b"), NINE, {}, Verb.DELETE_EVENT),
        (gone(key="b"), TEN, {}, Verb.DELETE_EVENT),
    ],
)
def test_what_waits_is_neither_agreed_nor_carried_over(
    booking: Any, event: Any, more: dict[str, Any], wanted: Verb
) -> None:
    one = asked(booking, event, WAITING, **more)
    decision = decide(one, EditPolicy.ORIGIN)
    assert decision.verb is wanted
    if wanted is Verb.SKIP:
        assert decision.why == WAITS
    if wanted is Verb.WRITE_EVENT:
        assert decision.target == booking


def test_only_what_waits_or_was_declined_is_decided_otherwise() -> None:
    for booking, event in ((NINE, NINE), (TEN, NINE), (NINE, TEN), (TEN, NOON)):
        accepted, plain = (asked(booking, event, a) for a in (ACCEPTED, RoomAnswer.NONE))
        assert decide(accepted, EditPolicy.ORIGIN) == decide(plain, EditPolicy.ORIGIN)


@pytest.mark.parametrize(
    ("booking", "event", "more", "wanted"),
    [
        (NINE, NINE, {"pending": True}, Verb.REJECT_BOOKING),
        (NINE, NINE, {}, Verb.REJECT_BOOKING),
        (NINE, TEN, {}, Verb.REJECT_BOOKING),
        (NINE, NINE, {"origin": Side.CALENDAR}, Verb.DELETE_BOOKING),
        (TEN, TEN, {"pending": True}, Verb.GIVE_BACK),
        (TEN, TEN, {}, Verb.REJECT_BOOKING),
        (TEN, NINE, {}, Verb.WRITE_EVENT),
        (TEN, NOON, {}, Verb.WRITE_EVENT),
        (NINE, TEN, {"ours": True}, Verb.WRITE_EVENT),
        (NINE, TEN, {"pending": True, "refusal": Refusal(reason="no")}, Verb.WRITE_EVENT),
        (NINE, TEN, {"refusal": Refusal(reason="no")}, Verb.REJECT_BOOKING),
        (NINE, NINE, {"pending": True, "refusal": Refusal(reason="no")}, Verb.REJECT_BOOKING),
        (gone(key="b"), NINE, {}, Verb.DELETE_EVENT),
        (gone(key="b"), NINE, {"hindrance": "left"}, Verb.BURY),
        (gone(key="b"), NINE, {"origin": Side.CALENDAR}, Verb.BURY),
        (RENAMED, RENAMED, {"pending": True}, Verb.REJECT_BOOKING),
        (TEN, TEN, {"pending": True, "base": None}, Verb.REJECT_BOOKING),
        (Half(), NINE, {"base": None}, Verb.BURY),
    ],
)
def test_what_the_room_declined(
    booking: Any, event: Any, more: dict[str, Any], wanted: Verb
) -> None:
    one = asked(booking, event, DECLINED, **more)
    decision = decide(one, EditPolicy.ORIGIN)
    assert decision.verb is wanted
    assert decision.why, "the history says why"
    if wanted in (Verb.GIVE_BACK,):
        assert decision.target == NINE
    half = replace(one.booking, presence=Presence.UNKNOWN, reason="timeout")
    unread = decide(replace(one, booking=half), EditPolicy.ORIGIN)
    assert (unread.verb, unread.why) == (Verb.SKIP, "booking side unknown: timeout")


SERIES = replace(NINE, recurrence=Recurrence(rule=Rule(frequency=Frequency.DAILY, count=3)))
LESS = replace(
    SERIES, recurrence=replace(SERIES.recurrence, excluded=(NINE.start,)), title="renamed"
)


@pytest.mark.parametrize(
    ("mine", "base", "told"),
    [
        (TEN, NINE, True),
        (RENAMED, NINE, True),
        (replace(NINE, private=True), NINE, False),
        (replace(TEN, private=True), replace(NINE, private=True), True),
        (SERIES, NINE, True),
        (NINE, SERIES, True),
        (replace(SERIES, title="renamed"), SERIES, True),
        (LESS, SERIES, False),
        (replace(LESS, title="again"), LESS, True),
        (TEN, None, False),
    ],
    ids=[
        "moved", "renamed", "made private", "private and moved", "repeated", "repeated no more",
        "a series renamed", "a date less, and renamed", "renamed without that date", "no base",
    ],
)  # fmt: skip
def test_what_an_organizer_made_in_outlook_may_be_told_from_the_platform(
    mine: Any, base: Any, told: bool
) -> None:
    """A date that the room alone gives up is not cancelled for everybody, and what is private has
    no name here that could be written."""
    for answer in (ACCEPTED, DECLINED) if base else (ACCEPTED,):
        made = there(base or NINE, key="~e", owned=False, answer=answer)
        one = link(there(mine, key="b"), made, base=base, origin=Side.CALENDAR)
        decision = decide(one, EditPolicy.BOOKING)
        assert (decision.verb is Verb.WRITE_EVENT) is told
        if not told:
            assert (decision.verb, decision.target) == (Verb.WRITE_BOOKING, base or NINE)


def test_what_cannot_be_told_while_the_room_considers_gives_way_to_what_it_was_asked() -> None:
    """The meeting was moved to ten and the room asked; then a date was given up, and more."""
    moved = replace(TEN, recurrence=SERIES.recurrence)
    made = there(moved, key="~e", owned=False, answer=WAITING, sent=fingerprint(moved))
    one = link(there(LESS, key="b"), made, base=SERIES, origin=Side.CALENDAR)
    decision = decide(one, EditPolicy.BOOKING)
    assert (decision.verb, decision.target) == (Verb.WRITE_BOOKING, moved)
    assert decision.conflict is not None
    assert decision.conflict.lost == LESS


def test_edits_of_its_person_in_outlook_and_on_the_platform_are_merged() -> None:
    made = there(TEN, key="~e", owned=False, answer=ACCEPTED)
    decision = decide(link(there(RENAMED, key="b"), made, base=NINE), EditPolicy.ORIGIN)
    both = replace(TEN, title="renamed")
    assert (decision.verb, decision.target) == (Verb.WRITE_BOTH, both)
    assert decision.conflict is None


# --- the answer --------------------------------------------------------------------------------


def test_an_answer_from_before_the_move_is_none_until_it_is_old_enough() -> None:
    one = asked(NINE, NINE, ACCEPTED)
    moved = seen(
        TEN, key="~e", mark=9, answer=ACCEPTED, answered=at(5), modified=at(10), created=at(0)
    )
    fresh = accept(one, Side.CALENDAR, moved, at(10) + timedelta(seconds=1))
    assert fresh is not None
    assert fresh.event.answer is WAITING
    later = accept(fresh, Side.CALENDAR, moved, at(10) + ANSWERS_WITHIN)
    assert later is not None
    assert later.event.answer is ACCEPTED, "nobody asks again: so it stands for this time"
    answered = replace(moved, answered=at(10), mark=10)
    at_once = accept(one, Side.CALENDAR, answered, at(10))
    assert at_once is not None
    assert at_once.event.answer is ACCEPTED


def test_the_answer_to_a_series_stands_where_a_date_of_it_changes() -> None:
    daily = Recurrence(rule=Rule(frequency=Frequency.DAILY, count=5))
    whole = replace(NINE, recurrence=daily)
    without = replace(daily, excluded=(NINE.start + timedelta(days=1),))
    fewer, moved = replace(NINE, recurrence=without), replace(TEN, recurrence=daily)
    for content, wanted in ((fewer, ACCEPTED), (moved, WAITING)):
        one = asked(whole, whole, ACCEPTED, base=whole)
        now = seen(
            content,
            key="~e",
            mark=9,
            answer=ACCEPTED,
            answered=at(5),
            modified=at(10),
            created=at(0),
        )
        for _ in range(2):
            later = accept(one, Side.CALENDAR, now, at(10) + timedelta(seconds=1))
            assert later is not None
            assert later.event.answer is wanted
            one, now = later, replace(now, mark=10)


def test_the_rooms_copy_stays_known() -> None:
    one = asked(NINE, NINE, WAITING)
    taken = accept(one, Side.CALENDAR, seen(NINE, key="~e", copy="c", answer=ACCEPTED), NOW)
    assert taken is not None
    again = accept(taken, Side.CALENDAR, seen(NINE, key="~e", mark=7, answer=ACCEPTED), NOW)
    assert again is not None
    assert again.event.copy == "c"


def test_confirmed_when_the_room_has_said_yes_and_not_before() -> None:
    waits = plan(asked(NINE, NINE, WAITING, pending=True))
    assert waits.effects == []
    assert [skip.reason for skip in waits.skips] == [WAITS]
    yes = plan(asked(NINE, NINE, ACCEPTED, pending=True))
    assert [one.kind for one in yes.effects] == [EffectKind.CONFIRM_BOOKING]


def test_declined_it_is_rejected_with_a_reason() -> None:
    found = plan(asked(NINE, NINE, DECLINED, pending=True))
    (one,) = found.effects
    assert one.kind is EffectKind.REJECT_BOOKING
    assert one.refusal is not None
    assert "The room declined it" in one.refusal.reason
    assert (one.refusal.code, one.why) == ("room-declined", "the room declined it")
    assert found.links[0].hindrance == "", "so its meeting is given up"
    theirs = plan(asked(NINE, TEN, DECLINED, pending=True))
    assert theirs.links[0].hindrance, "its person moved it: so it is theirs"
    stood = plan(asked(NINE, NINE, DECLINED))
    assert stood.links[0].hindrance, "what stood stays with its person"


def test_a_move_that_the_room_refuses_goes_back() -> None:
    one = asked(TEN, TEN, DECLINED, pending=True, ours=True)
    found = plan(one)
    (back,) = found.effects
    assert (back.kind, back.target, back.merged) == (EffectKind.CHANGE_BOOKING, NINE, True)
    assert back.refusal is not None
    follows = replace(found.links[0], in_flight=False, booking=there(NINE, key="b"))
    assert [(e.kind, e.target) for e in plan(follows).effects] == [(EffectKind.CHANGE_EVENT, NINE)]


def test_who_meets_what_waits_is_not_judged_before_the_room() -> None:
    waits = asked(NINE, NINE, WAITING, pending=True)
    other = link(None, there(NINE, key="o", owned=False, since=at(5)), id="y", origin=Side.CALENDAR)
    assert plan(waits, other).effects == []
    yes = replace(waits, event=replace(waits.event, answer=ACCEPTED))
    assert plan(yes, other).effects != []
    no = replace(waits, event=replace(waits.event, answer=DECLINED))
    assert {e.kind for e in plan(no, other).effects} == {
        EffectKind.REJECT_BOOKING,
        EffectKind.CREATE_BOOKING,
    }


# --- where it is made --------------------------------------------------------------------------


def booked(**more: Any) -> Link:
    given: dict[str, Any] = {"person": ANNA, "pending": True, **more}
    return link(there(NINE, key="b"), **given)


def test_a_new_booking_is_made_with_its_person() -> None:
    (one,) = plan(booked()).effects
    assert (one.kind, one.organizer) == (EffectKind.CREATE_EVENT, ANNA.address)
    for pair, more in ((PAIR, {}), (ASKED, {"importing": True})):
        (plain,) = plan(booked(), pair=pair, **more).effects
        assert (plain.kind, plain.organizer) == (EffectKind.CREATE_EVENT, "")


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (booked(person=Person("Eve")), "names nobody's mail address"),
        (replace(booked(), hindrance="closed", person=ANNA), "closed"),
    ],
)
def test_without_a_calendar_it_is_refused_or_made_in_the_room(one: Link, says: str) -> None:
    (refused,) = plan(one).effects
    assert refused.kind is EffectKind.REJECT_BOOKING
    assert refused.refusal is not None
    assert says in refused.refusal.reason
    assert refused.refusal.code == NO_ORGANIZER
    assert says in plan(one).links[0].hindrance
    (made,) = plan(one, pair=FALLS_BACK).effects
    assert (made.kind, made.organizer) == (EffectKind.CREATE_EVENT, "")


def test_what_was_sent_to_one_mailbox_goes_there_again() -> None:
    tried = replace(booked(organizer=BERT.address), event=Half(sent="x"))
    assert routed(tried, ASKED).organizer == BERT.address
    assert routed(tried, PAIR).organizer == BERT.address, "also where the room was switched back"
    assert routed(booked(person=Person("", ASKED.mailbox)), ASKED).organizer == ""


def test_a_create_that_was_in_doubt_once_goes_no_other_way() -> None:
    one = effect(EffectKind.CREATE_EVENT, target=NINE, organizer=ANNA.address)
    sent = replace(booked(organizer=ANNA.address, in_flight=True), event=Half(sent="x"))
    closed = Refused("closed", code=NO_ORGANIZER)
    first = settle(sent, one, closed, now=NOW, quiet=False).link
    assert (first.state, first.organizer, first.hindrance) == (LinkState.ACTIVE, "", "closed")
    for doubt in (InDoubt("lost"), Later(0.0, "it never arrived")):
        doubted = settle(sent, one, doubt, now=NOW, quiet=False).link
        after = settle(replace(doubted, in_flight=True), one, closed, now=NOW, quiet=False).link
        assert (after.state, after.reason) == (LinkState.PARKED, "closed")
    waited = settle(sent, one, Later(5.0, "throttled"), now=NOW, quiet=False).link
    again = settle(replace(waited, in_flight=True), one, closed, now=NOW, quiet=False).link
    assert again.hindrance == "closed", "refused at the door, it never was in doubt"


def test_a_change_moves_the_base_when_the_room_has_said_yes() -> None:
    one = replace(asked(TEN, NINE, ACCEPTED), in_flight=True)
    change = effect(EffectKind.CHANGE_EVENT, target=TEN, key="~e", version="v5", was=NINE)
    shows = seen(TEN, key="~e", mark=9, answer=WAITING, modified=at(9))
    waits = settle(one, change, Done(shows), now=at(9), quiet=False).link
    assert waits.base == NINE
    said = replace(shows, answer=ACCEPTED, answered=at(10), mark=10, version="v10")
    sent = replace(waits, event=replace(waits.event, sent=fingerprint(TEN)))
    agreed_on = accept(sent, Side.CALENDAR, said, at(10))
    assert agreed_on is not None
    assert agreed_on.base == TEN


# --- who is meant ------------------------------------------------------------------------------


def test_what_may_be_our_own_is_held() -> None:
    tried = replace(booked(organizer=ANNA.address), event=Half(sent="x"))
    assert may_be_our_own(tried, ANNA.address.upper())
    assert may_be_our_own(tried, "")
    assert not may_be_our_own(tried, BERT.address)
    assert not may_be_our_own(booked(organizer=ANNA.address), ANNA.address), "nothing was sent"
    assert not may_be_our_own(agreed(NINE, organizer=ANNA.address), ANNA.address)


def test_nobody_hides_a_meeting_under_anothers_uid() -> None:
    def meeting(what: Any, who: Person) -> Seen:
        return seen(what, uid="u", person=who, owned=False)

    ours = meeting(NINE, ANNA)
    assert not _is_another(meeting(NINE, ANNA), ours)
    assert not _is_another(meeting(TEN, ANNA), ours), "her copy follows with a delay"
    assert not _is_another(meeting(NINE, Person("", "anna@alias.example")), ours)
    assert not _is_another(meeting(TEN, Person()), ours)
    assert _is_another(meeting(TEN, BERT), ours)


def test_nobody_is_told_what_they_did_themselves() -> None:
    def news(cause: Side) -> Notice:
        kind = NoticeKind.CANCELLED
        return Notice(
            kind=kind,
            link_id="x",
            booking_key="b",
            revision="1",
            person=ANNA,
            occupancy=NINE,
            cause=cause,
        )

    one = asked(NINE, NINE, ACCEPTED)
    assert by_its_person(one, news(Side.CALENDAR))
    assert not by_its_person(one, news(Side.BOOKING))
    assert not by_its_person(agreed(NINE), news(Side.CALENDAR))
    dropped = replace(one, event=gone(key="~e", reason=Absence.DROPPED.value))
    assert not by_its_person(dropped, news(Side.CALENDAR)), "somebody else did that"
