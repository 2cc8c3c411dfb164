"""What the outcome of a write means for its link, and what a look-up says of one in doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Absence,
    ConflictKind,
    Done,
    Effect,
    EffectKind,
    Gone,
    Half,
    InDoubt,
    Later,
    Link,
    LinkState,
    Notice,
    NoticeKind,
    Occupancy,
    Outcome,
    Override,
    Person,
    Presence,
    Refusal,
    Refused,
    Side,
    Stale,
    Tally,
)
from calsync.reconcile.settle import NEVER_ARRIVED, Settled, settle
from tests.unit.core.values import (
    BOOKING,
    CALENDAR,
    DAY,
    NOW,
    agreed,
    at,
    daily,
    effect,
    gone,
    link,
    occ,
    seen,
    there,
    unknown,
)

NINE, TEN = occ(9, 10), occ(10, 11)
RENAMED = replace(NINE, title="renamed")
ANNA = Person("Anna", "anna@x.example")
TAKEN = Refusal(reason="The room was already booked at that time.")
SOME_DATES = replace(TAKEN, dates=(DAY,))
K = EffectKind
EDIT = ConflictKind.EDIT


def settled(item: Link, made: Effect, outcome: Outcome, *, quiet: bool = False) -> Settled:
    return settle(item, made, outcome, now=NOW, quiet=quiet)


def flying(item: Link, **more: object) -> Link:
    return replace(item, in_flight=True, attempts=3, **more)  # type: ignore[arg-type]


def change(side: Side, target: Occupancy = TEN, **more: object) -> Effect:
    kind = K.CHANGE_BOOKING if side is BOOKING else K.CHANGE_EVENT
    return effect(kind, key="k", was=NINE, target=target, **more)


# --- nothing was written -------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_stale_and_not_read_means_read_again_before_anything_is_decided(side: Side) -> None:
    result = settled(flying(agreed(NINE)), change(side), Stale(None))
    half = result.link.half(side)
    assert (half.presence, half.fingerprint) == (Presence.UNKNOWN, "")
    assert half.reason
    assert half.seen == NINE, "what was last understood is kept"
    assert half.key == agreed(NINE).half(side).key
    assert result.link.half(side.other) == agreed(NINE).half(side.other)
    assert not result.link.in_flight
    assert (result.open, result.notices) == (False, ())


def test_stale_keeps_the_state_of_its_own_that_a_side_shows() -> None:
    item = link(there(NINE), there(TEN), base=NINE)
    assert settled(flying(item), change(CALENDAR), Stale(None)).link.event.seen == TEN


@pytest.mark.parametrize("side", Side)
def test_stale_and_read_is_a_reading(side: Side) -> None:
    result = settled(flying(agreed(NINE)), change(side), Stale(seen(RENAMED, mark=9)))
    assert result.link.half(side).seen == RENAMED
    assert not result.link.in_flight
    late = settled(flying(agreed(NINE)), change(side), Stale(seen(RENAMED, mark=1)))
    assert late.link == replace(agreed(NINE), attempts=3), "a late one is dropped as ever"


@pytest.mark.parametrize(
    ("now", "recorded"),
    [
        (replace(NINE, title="renamed"), True),
        (NINE, True),
        (replace(TEN, title="renamed"), False),
        (occ(11, 12), False),
    ],
    ids=["back, and renamed", "back", "as ours, and renamed", "moved elsewhere"],
)
@pytest.mark.parametrize("side", Side)
def test_who_may_have_undone_a_write_in_doubt_is_on_record(
    side: Side, now: Occupancy, recorded: bool
) -> None:
    """Found by simulation (seed 203453): a move of the calendar was carried over, and calsync died
    before it could say so; who then moved the booking back seemed not to have moved it at all."""
    moved = (there(NINE), there(TEN)) if side is BOOKING else (there(TEN), there(NINE))
    item = flying(link(*moved, base=NINE))
    found = seen(now, mark=9, version="v9")
    result = settled(item, change(side), Stale(found, tried=True))
    assert bool(result.conflicts) is recorded
    assert all((c.kind, c.winner, c.lost) == (EDIT, side.other, now) for c in result.conflicts)
    assert all(side.value in c.reason for c in result.conflicts)
    assert result.link.half(side).seen == (None if now == NINE else now)
    assert settled(item, change(side), Stale(found)).conflicts == (), "it never was in doubt"
    late = replace(found, mark=1)
    assert settled(item, change(side), Stale(late, tried=True)).conflicts == (), "a late reading"


def test_a_series_half_written_to_the_calendar_is_undone_by_nobody() -> None:
    """Its steps are taken one by one, and a process may die between two."""
    moved = there(daily(11, 12))
    for item, side, recorded in (
        (link(moved, there(daily(9, 10)), base=daily(9, 10)), CALENDAR, False),
        (link(there(daily(9, 10)), moved, base=daily(9, 10)), BOOKING, True),
    ):
        found = Stale(seen(daily(9, 10), mark=9), tried=True)
        assert bool(settled(item, change(side, daily(11, 12)), found).conflicts) is recorded


def test_what_was_to_be_written_is_known_while_the_other_side_shows_it() -> None:
    on = link(there(NINE), there(occ(13, 14)), base=NINE)
    assert (
        settled(flying(on), change(BOOKING), Stale(seen(NINE, mark=9), tried=True)).conflicts == ()
    )


def test_put_off_is_no_attempt() -> None:
    written = replace(flying(agreed(NINE)), writes=Tally(2, NOW))
    result = settled(written, change(CALENDAR), Later(5.0, "throttled"))
    assert result.link == replace(agreed(NINE), attempts=2, writes=Tally(1, NOW))
    assert "throttled" in result.what
    none = replace(flying(agreed(NINE)), attempts=0)
    assert settled(none, change(CALENDAR), Later(5.0)).link.attempts == 0


def test_what_a_side_will_not_do_is_parked_with_its_reason() -> None:
    result = settled(flying(agreed(NINE)), change(CALENDAR), Refused("too long", "code"))
    assert (result.link.state, result.link.reason) == (LinkState.PARKED, "too long")
    assert not result.link.in_flight
    assert "too long" in result.what


def test_in_doubt_stays_open_and_changes_nothing() -> None:
    item = flying(agreed(NINE))
    result = settled(item, change(CALENDAR), InDoubt("timeout"))
    assert (result.link, result.open) == (item, True)
    assert "timeout" in result.what


@pytest.mark.parametrize("outcome", [Stale(None), Later(1.0), Refused("no"), Stale(seen(NINE))])
@pytest.mark.parametrize(
    ("made", "kept"),
    [
        (change(BOOKING, refusal=TAKEN), False),
        (effect(K.REJECT_BOOKING, key="k", refusal=TAKEN), False),
        (effect(K.DECLINE_EVENT, key="k", refusal=TAKEN), True),
        (effect(K.CONFIRM_BOOKING, key="k", refusal=TAKEN), True),
        (change(BOOKING), True),
    ],
    ids=["move back", "rejection", "decline", "confirmation", "no refusal"],
)
def test_a_refusal_that_did_not_take_effect_is_not_told(
    made: Effect, kept: bool, outcome: Outcome
) -> None:
    item = flying(agreed(NINE), refusal=TAKEN)
    assert (settled(item, made, outcome).link.refusal == TAKEN) is kept
    assert settled(item, made, InDoubt("timeout")).link.refusal == TAKEN, "it may have"


# --- it took effect ------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_what_both_sides_show_is_the_new_base(side: Side) -> None:
    """The other side was changed, the write carried it over: at rest."""
    other = there(TEN, key="o")
    item = link(
        other if side is CALENDAR else there(NINE, key="k"),
        there(NINE, key="k") if side is CALENDAR else other,
        base=NINE,
    )
    result = settled(flying(item), change(side), Done(seen(TEN, mark=9)))
    new = result.link
    assert (new.base, new.base_fingerprint) == (TEN, fingerprint(TEN))
    assert (new.in_flight, new.attempts) == (False, 0)
    assert (new.booking.seen, new.event.seen) == (None, None), "kept once, as the base"
    assert (new.half(side).mark, new.half(side).version) == (9, "v9")
    assert result.what == "confirmed"


@pytest.mark.parametrize("side", Side)
def test_what_people_changed_since_the_write_is_a_change_against_its_target(side: Side) -> None:
    item = flying(link(there(TEN, key="b"), there(TEN, key="e"), base=NINE))
    later = replace(TEN, title="later")
    new = settled(item, change(side), Done(seen(later, mark=9))).link
    assert new.base == TEN
    assert new.half(side).seen == later
    assert new.attempts == 3, "not at rest"


def test_a_newer_reading_than_the_answer_of_our_write_keeps_its_mark() -> None:
    item = flying(link(there(TEN), there(NINE, mark=20), base=NINE))
    assert settled(item, change(CALENDAR), Done(seen(TEN, mark=9))).link.event.mark == 20


@pytest.mark.parametrize(
    ("made", "base"),
    [(change(CALENDAR, merged=True), NINE), (effect(K.DECLINE_EVENT, key="k"), NINE)],
    ids=["merge", "decline"],
)
def test_a_merge_moves_the_base_only_once_both_sides_show_it(made: Effect, base: Occupancy) -> None:
    item = flying(link(there(RENAMED), there(NINE), base=NINE))
    assert settled(item, made, Done(seen(TEN, mark=9))).link.base == base
    both = flying(link(there(TEN), there(NINE), base=NINE))
    assert settled(both, made, Done(seen(TEN, mark=9))).link.base == TEN
    for away in (unknown(), gone()):
        half = replace(away, fingerprint=fingerprint(TEN))
        one_sided = flying(link(half, there(NINE), base=NINE))
        assert settled(one_sided, made, Done(seen(TEN, mark=9))).link.base == NINE


def test_half_of_a_merge_is_agreed_on_field_by_field() -> None:
    """The booking was renamed, the event made longer; the event shows both by now."""
    longer = replace(NINE, end=TEN.end)
    merged = replace(longer, title="renamed")
    item = flying(link(there(RENAMED), there(longer), base=NINE))
    written = change(CALENDAR, merged, merged=True)
    new = settled(item, written, Done(seen(merged, mark=9))).link
    assert new.base == RENAMED
    assert new.event.seen == merged


def test_what_cannot_be_seen_on_both_sides_is_not_agreed_on() -> None:
    written = change(BOOKING, TEN, merged=True)
    for away in (unknown(), gone()):
        item = flying(link(there(NINE), replace(away, fingerprint=fingerprint(TEN)), base=NINE))
        assert settled(item, written, Done(seen(TEN, mark=9))).link.base == NINE


def test_a_merge_without_a_base_is_agreed_on_where_both_show_it_and_not_before() -> None:
    written = change(CALENDAR, TEN, merged=True)
    done = Done(seen(TEN, mark=9))
    assert settled(flying(link(there(TEN), there(NINE))), written, done).link.base == TEN
    assert settled(flying(link(there(RENAMED), there(NINE))), written, done).link.base is None


def test_a_booking_that_still_waits_says_so() -> None:
    item = flying(link(there(NINE), there(TEN), base=NINE), pending=True)
    answered = Done(seen(TEN, mark=9))
    assert not settled(item, change(BOOKING), answered).link.pending
    waiting = Done(seen(TEN, mark=9, pending=True))
    assert settled(item, change(BOOKING), waiting).link.pending
    assert settled(item, change(CALENDAR), answered).link.pending, "an event answers nobody"


def test_a_refused_move_counts_as_held_in_the_calendar_once_it_is_back() -> None:
    """Its event stood there all along: who booked there meanwhile could not see that."""
    item = flying(link(there(TEN), there(NINE), base=NINE), claim=BOOKING)
    back = change(BOOKING, NINE, refusal=TAKEN)
    assert settled(item, back, Done(seen(NINE, mark=9))).link.claim is CALENDAR
    some = change(BOOKING, NINE, refusal=SOME_DATES)
    assert settled(item, some, Done(seen(NINE, mark=9))).link.claim is BOOKING
    assert settled(item, change(BOOKING, NINE), Done(seen(NINE, mark=9))).link.claim is BOOKING


# --- it was made ---------------------------------------------------------------------------------


def create(target: Occupancy = NINE) -> Effect:
    return effect(K.CREATE_EVENT, target=target)


def to_make(target: Occupancy = NINE, *before: Occupancy) -> Link:
    """A booking whose event is being made, for the second time where it was tried ``before``."""
    sent = " ".join(fingerprint(one) for one in (*before, target))
    return flying(link(there(target, key="b"), Half(sent=sent)))


def test_what_was_made_is_the_base() -> None:
    new = settled(to_make(), create(), Done(seen(NINE, key="e", mark=1))).link
    assert (new.base, new.event.key, new.attempts) == (NINE, "e", 0)


def test_what_people_renamed_before_we_heard_of_it_is_their_change() -> None:
    new = settled(to_make(), create(), Done(seen(RENAMED, key="e"))).link
    assert (new.base, new.event.seen, new.claim) == (NINE, RENAMED, None)


@pytest.mark.parametrize(
    ("modified", "since"),
    [(at(7), at(7)), (None, NOW), (at(0), at(0) + timedelta(microseconds=1))],
    ids=["later", "no time given", "in the moment it was made"],
)
def test_what_people_moved_before_we_heard_of_it_is_claimed_where_they_moved_it(
    modified: datetime | None, since: datetime
) -> None:
    new = settled(to_make(), create(), Done(seen(TEN, key="e", modified=modified))).link
    assert (new.base, new.event.seen) == (NINE, TEN)
    assert (new.claim, new.event.since) == (CALENDAR, since)


def test_of_several_tries_any_may_have_made_it() -> None:
    two = to_make(TEN, NINE)
    new = settled(two, create(TEN), Done(seen(NINE, key="e"))).link
    assert new.base == NINE, "the former try was the one that arrived"
    unclear = settled(two, create(TEN), Done(seen(RENAMED, key="e"))).link
    assert unclear.base is None, "nobody can tell which of them people have changed"
    assert unclear.event.seen == RENAMED


def in_doubt(item: Link, made: Effect) -> Link:
    """The link after a try of which nobody knows, and a look-up that did not find it."""
    doubted = settled(item, made, InDoubt("its reply was lost")).link
    later = settled(doubted, made, Later(0.0, NEVER_ARRIVED)).link
    return flying(later)


def test_what_a_lost_life_of_our_database_made_is_not_what_people_made_of_it() -> None:
    found = Done(seen(RENAMED, key="e"), complete=False, earlier=True)
    unknown = settled(to_make(), create(), found).link
    assert (unknown.base, unknown.event.seen) == (None, RENAMED)
    known = settled(in_doubt(to_make(), create()), create(), found).link
    assert known.base == NINE, "that try made it, and people changed it since"
    equal = Done(seen(NINE, key="e", mark=1), earlier=True)
    assert settled(to_make(), create(), equal).link.base == NINE


def test_a_create_in_doubt_of_the_booking_side_is_remembered_too() -> None:
    item = flying(link(Half(sent=fingerprint(NINE)), there(NINE, key="e")))
    made = effect(K.CREATE_BOOKING, target=NINE)
    found = Done(seen(RENAMED, key="b"), complete=False, earlier=True)
    assert settled(item, made, found).link.base is None
    assert settled(in_doubt(item, made), made, found).link.base == NINE


DATES = [DAY + timedelta(days=n, hours=9) for n in range(3)]


def changed_date(day: datetime) -> Override:
    later = day + timedelta(hours=1)
    return Override(recurrence_id=day, start=later, end=later + timedelta(hours=1))


SERIES = daily(9, 10, excluded=(DATES[0],), overrides=(changed_date(DATES[1]),))


@pytest.mark.parametrize(
    ("shows", "base"),
    [
        (daily(9, 10), daily(9, 10)),
        (daily(9, 10, excluded=(DATES[0],)), daily(9, 10, excluded=(DATES[0],))),
        (
            daily(9, 10, overrides=(changed_date(DATES[1]),)),
            daily(9, 10, overrides=(changed_date(DATES[1]),)),
        ),
        # The last date was removed by somebody: that is no part of what we made.
        (daily(9, 10, excluded=(DATES[2],)), daily(9, 10)),
        # Moved as a whole: nothing can be told from its dates.
        (daily(11, 12), SERIES),
        (occ(9, 10), SERIES),
    ],
    ids=["master only", "one excluded", "one changed", "one removed", "moved", "no series"],
)
def test_of_a_series_made_in_part_the_missing_exceptions_are_still_to_be_made(
    shows: Occupancy, base: Occupancy
) -> None:
    part = Done(seen(shows, key="e"), complete=False)
    result = settled(to_make(SERIES), create(SERIES), part)
    assert result.link.base == base
    assert result.what == "confirmed in part"


def test_a_part_of_what_is_to_be_made_is_agreed_on_whoever_remembers_that_it_was_made() -> None:
    part = Done(seen(daily(9, 10), key="e"), complete=False, earlier=True)
    assert settled(to_make(SERIES), create(SERIES), part).link.base == daily(9, 10)


def test_a_change_made_in_part_agrees_on_what_the_side_shows() -> None:
    item = flying(link(there(SERIES), there(daily(9, 10)), base=daily(9, 10)))
    shows = daily(9, 10, excluded=(DATES[0],))
    part = Done(seen(shows, mark=9), complete=False)
    assert settled(item, change(CALENDAR, SERIES), part).link.base == shows


def test_a_series_changed_as_a_whole_is_agreed_on_as_it_was_written() -> None:
    """What people changed since then is theirs."""
    item = flying(link(there(SERIES), there(daily(9, 10)), base=daily(9, 10)))
    since = daily(9, 10, excluded=DATES[:2])
    assert settled(item, change(CALENDAR, SERIES), Done(seen(since, mark=9))).link.base == SERIES


def test_a_single_item_is_made_whole_or_not_at_all() -> None:
    half = flying(link(there(TEN), there(NINE), base=NINE))
    later = Done(seen(replace(TEN, title="later"), mark=9), complete=False)
    assert settled(half, change(CALENDAR), later).link.base == TEN
    part = Done(seen(RENAMED, key="e"), complete=False)
    assert settled(to_make(), create(), part).link.base == NINE


# --- it is gone ----------------------------------------------------------------------------------


def rejected(absence: Absence = Absence.REFUSED, **more: object) -> tuple[Link, Effect, Done]:
    item = flying(link(there(NINE, key="b")), person=ANNA, pending=True)
    made = effect(K.REJECT_BOOKING, key="b", version="v5", was=NINE, refusal=TAKEN)
    return item, replace(made, **more), Done(Gone(key="b", absence=absence))  # type: ignore[arg-type]


def test_a_rejection_is_told_once_with_its_reason() -> None:
    result = settled(*rejected())
    assert result.notices == (
        Notice(
            kind=NoticeKind.REJECTED,
            link_id="x",
            booking_key="b",
            revision="v5",
            person=ANNA,
            occupancy=NINE,
            refusal=TAKEN,
        ),
    )
    assert result.link.booking.presence is Presence.GONE
    assert (result.link.pending, result.link.in_flight) == (False, False)


def test_nobody_is_told_who_gave_the_booking_up_or_on_import() -> None:
    assert settled(*rejected(), quiet=True).notices == ()
    assert settled(*rejected(Absence.READ)).notices == ()
    assert settled(*rejected(was=None)).notices == ()
    assert settled(*rejected(key=None)).notices == ()


def test_a_deleted_event_leaves_a_booking_waiting_and_is_told_to_nobody() -> None:
    item = flying(agreed(NINE), pending=True, person=ANNA)
    made = effect(K.DELETE_EVENT, key="e", was=NINE)
    result = settled(item, made, Done(Gone(key="e", absence=Absence.READ)))
    assert result.link.event.presence is Presence.GONE
    assert (result.link.pending, result.notices) == (True, ())


def test_made_and_removed_before_we_saw_it_is_a_deletion_and_no_failure() -> None:
    result = settled(to_make(), create(), Done(Gone(key="e", absence=Absence.READ)))
    assert result.link.base == NINE
    assert result.link.event.presence is Presence.GONE
    based = flying(agreed(NINE))
    kept = settled(based, change(CALENDAR), Done(Gone(key="e", absence=Absence.READ)))
    assert kept.link.base == NINE, "not the target: it was never agreed on"
    decline = effect(K.DECLINE_EVENT, key="e")
    no_target = settled(
        flying(link(None, there(NINE))), decline, Done(Gone(key="e", absence=Absence.READ))
    )
    assert no_target.link.base is None


def test_an_end_older_than_what_is_known_is_dropped_but_the_write_is_over() -> None:
    late = Done(Gone(key="e", absence=Absence.READ, mark=1))
    result = settled(flying(agreed(NINE)), effect(K.DELETE_EVENT, key="e"), late)
    assert result.link.event.presence is Presence.PRESENT
    assert not result.link.in_flight


# --- news of what others did ---------------------------------------------------------------------


def deletion(kind: EffectKind, **more: object) -> Settled:
    """Of a booking that stood, on the side that still has it."""
    by_calendar = kind is K.DELETE_BOOKING
    key = "b" if by_calendar else "e"
    item = replace(flying(agreed(NINE)), person=ANNA)
    if not by_calendar:
        item = replace(item, booking=replace(item.booking, presence=Presence.GONE, key="b"))
    item = replace(item, **more)  # type: ignore[arg-type]
    made = effect(kind, key=key, version="v5", was=NINE)
    return settled(item, made, Done(Gone(key=key, absence=Absence.REMOVED)))


@pytest.mark.parametrize(
    ("kind", "cause", "revision"),
    [(K.DELETE_BOOKING, CALENDAR, "v5"), (K.DELETE_EVENT, BOOKING, "")],
)
def test_who_booked_is_told_that_it_was_cancelled(
    kind: EffectKind, cause: Side, revision: str
) -> None:
    (notice,) = deletion(kind).notices
    assert notice.kind is NoticeKind.CANCELLED
    assert (notice.cause, notice.revision, notice.booking_key) == (cause, revision, "b")
    assert (notice.person, notice.occupancy) == (ANNA, NINE)


@pytest.mark.parametrize("kind", [K.DELETE_BOOKING, K.DELETE_EVENT])
def test_exchange_itself_tells_those_who_booked_in_outlook(kind: EffectKind) -> None:
    assert deletion(kind, origin=CALENDAR).notices == ()


def test_the_event_of_a_rejected_booking_goes_in_silence() -> None:
    refused = Half(presence=Presence.GONE, key="b", reason=Absence.REFUSED.value)
    assert deletion(K.DELETE_EVENT, booking=refused).notices == ()


def test_a_part_is_told_as_the_booking_it_belongs_to() -> None:
    part = Half(presence=Presence.GONE, key="b#2", reason=Absence.DELETED.value)
    (notice,) = deletion(K.DELETE_EVENT, booking=part).notices
    assert notice.booking_key == "b"


def moved(*, quiet: bool = False, **more: object) -> Settled:
    item = replace(flying(agreed(NINE)), person=ANNA, **more)  # type: ignore[arg-type]
    made = effect(K.CHANGE_BOOKING, key="b", version="v5", was=NINE, target=TEN)
    return settled(item, made, Done(seen(TEN, key="b", mark=9)), quiet=quiet)


def test_who_booked_is_told_that_it_was_moved_in_the_calendar() -> None:
    (notice,) = moved().notices
    assert (notice.kind, notice.was, notice.occupancy) == (NoticeKind.CHANGED, NINE, TEN)
    assert (notice.revision, notice.cause) == ("v9", CALENDAR)
    assert moved(origin=CALENDAR).notices == ()
    assert moved(quiet=True).notices == (), "nobody is told of anything just now"


def test_a_new_title_is_no_news_and_an_answer_says_the_new_time_itself() -> None:
    item = replace(flying(agreed(NINE)), person=ANNA)
    made = effect(K.CHANGE_BOOKING, key="b", was=NINE, target=RENAMED)
    assert settled(item, made, Done(seen(RENAMED, key="b", mark=9))).notices == ()
    made = effect(K.CHANGE_BOOKING, key="b", was=NINE, target=TEN)
    pending = replace(seen(TEN, key="b", mark=9), pending=True)
    assert settled(item, made, Done(pending)).notices == ()
    refused = replace(made, refusal=TAKEN)
    assert settled(item, refused, Done(seen(TEN, key="b", mark=9))).notices == ()


# --- the answer ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (None, NoticeKind.CONFIRMED),
        (SOME_DATES, NoticeKind.CONFIRMED),
        (TAKEN, NoticeKind.REJECTED),
    ],
    ids=["yes", "yes, but for some dates", "not moved"],
)
def test_one_answer_to_the_person_who_booked(refusal: Refusal | None, kind: NoticeKind) -> None:
    item = flying(agreed(NINE), person=ANNA, pending=True, refusal=refusal)
    confirm = effect(K.CONFIRM_BOOKING, key="b", refusal=refusal)
    done = Done(seen(NINE, key="b", mark=9))
    result = settled(item, confirm, done)
    assert result.notices == (
        Notice(
            kind=kind,
            link_id="x",
            booking_key="b",
            revision="v9",
            person=ANNA,
            occupancy=NINE,
            refusal=refusal,
        ),
    )
    assert (result.link.refusal, result.link.pending, result.link.attempts) == (None, False, 0)
    assert settled(item, confirm, done, quiet=True).notices == ()


def test_a_confirmation_changes_no_base() -> None:
    item = flying(agreed(NINE), person=ANNA)
    result = settled(item, effect(K.CONFIRM_BOOKING, key="b"), Done(seen(TEN, key="b", mark=9)))
    assert result.link.base == NINE


def test_any_other_write_answers_nobody() -> None:
    item = flying(link(there(NINE), there(TEN), base=NINE), person=ANNA)
    result = settled(item, change(BOOKING, refusal=TAKEN), Done(seen(TEN, mark=9)))
    assert result.notices == ()
