"""Defects of the core that a review found, each as the behaviour that is wanted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from calsync.engine.cycle import cycle
from calsync.errors import StoreError, Unavailable
from calsync.model import (
    ClashPolicy,
    Done,
    EffectKind,
    InDoubt,
    Later,
    LinkState,
    NoticeKind,
    Refused,
    Seen,
    Side,
    Stale,
    Unknown,
    former_mark,
)
from calsync.reconcile.guard import Limits
from calsync.worker.plan import PollSettings, Timetable
from tests.properties.test_clashes import ANNA, BERT, book, invite, notices, times, weekly, world
from tests.support.memory_side import Faults
from tests.support.room import World, single


def titles(w, side):
    return sorted(str(o.title) for o in w.shown(side))


def only(w, *states):
    return [lk for lk in w.store.links("p1") if lk.state in (states or (LinkState.ACTIVE,))]


def test_compare_asked_for_while_a_cycle_runs_is_not_lost():
    t = Timetable(PollSettings())
    t.add("p", 0.0)
    turn = t.start(0.0)
    assert turn
    assert not turn.full
    t.compare_all(1.0)
    t.finish("p", 2.0, active=False)
    assert t.turns["p"].full


def test_an_approval_is_not_overwritten_by_a_saved_idle_state():
    w = World(4)
    for n in range(3):
        w.calendar.put(f"e{n}", single(n * 2))
    w.rest()
    real = w.calendar.pull

    def down(*a):
        raise Unavailable("down")

    w.calendar.pull = down
    w.cycle()
    w.calendar.pull = real
    w.calendar.items.clear()
    w.calendar.feed.clear()
    w.cycle(full=True)
    assert w.store.states()["p1"].halted
    w.store.state_map["p1"] = replace(w.store.state_map["p1"], halted="", approved=True)
    w.ctx.save_idle()
    assert w.store.states()["p1"].approved


def test_a_room_whose_items_all_left_the_window_is_not_halted():
    w = World(5)
    w.calendar.put("e", single(1))
    w.rest()
    w.clock.at += timedelta(days=60)
    # a listing of the window no longer shows it
    real = w.calendar.pull

    def pull(pair, cursor, window):
        p = real(pair, cursor, window)
        return replace(
            p,
            observations=tuple(
                o
                for o in p.observations
                if not isinstance(o, Seen)
                or o.occupancy.end.replace(tzinfo=window.start.tzinfo) > window.start
            ),
        )

    w.calendar.pull = pull
    report = w.cycle(full=True)
    assert report.halt is None, report.halt


def test_both_sides_restored_is_one_booking():
    w = world()
    w.calendar.put("e", single(1, title="x"))
    w.rest()
    (b,) = w.booking.live()
    w.calendar.remove("e")
    w.rest()
    assert not w.booking.live()
    w.calendar.put("e", single(1, title="x"))
    w.booking.put(b, single(1, title="x"))
    w.rest()
    assert len(w.shown(Side.BOOKING)) == len(w.shown(Side.CALENDAR)) == 1


def test_a_create_that_arrives_after_its_booking_was_cancelled_is_removed():
    w = world()
    book(w, "b", single(1, title="x"))
    late = []
    real = w.calendar._apply

    def apply(pair, effects):
        late.extend(effects)
        return [InDoubt("timeout") for _ in effects]

    w.calendar.apply = apply
    w.cycle()
    del w.calendar.apply
    w.booking.remove("b")
    w.cycle()  # looked up: not there
    w.rest()
    real(late[0])
    w.rest()
    assert w.shown(Side.CALENDAR) == []


def test_a_refused_move_that_was_overtaken_by_a_free_one_is_confirmed():
    w = world()
    book(w, "b", single(1, title="b"))
    w.rest()
    invite(w, "e", single(5, title="e"))
    w.tick()
    w.booking.put("b", single(5, title="b"), pending=True, person=ANNA)
    real = w.booking.apply
    done = []

    def apply(pair, effects):
        if not done and any(e.kind is EffectKind.CHANGE_BOOKING for e in effects):
            done.append(1)
            w.booking.put("b", single(9, title="b"), pending=True, person=ANNA)
        return real(pair, effects)

    w.booking.apply = apply
    w.rest()
    assert w.booking.live()["b"] == single(9, title="b")
    assert [n.notice.kind for n in w.store.ledger.values()] == [NoticeKind.CONFIRMED] * 2


def overlaps(side):
    out = []
    items = [(k, i) for k, i in side.items.items() if not i.deleted]
    for n, (k, a) in enumerate(items):
        for other, b in items[n + 1 :]:
            if any(x.meets(y) for x in times(a.occupancy) for y in times(b.occupancy)):
                out.append((k, other))
    return out


@pytest.mark.parametrize("how", ["refused", "stale"])
def test_nothing_is_written_onto_time_that_was_not_freed(how):
    w = world()
    book(w, "b", single(1, title="b"))
    invite(w, "e", single(1, title="e"))
    real = w.calendar._apply
    seen = []

    def one(effect):
        if effect.kind is EffectKind.DECLINE_EVENT:
            if how == "refused":
                return Refused("no right to decline")
            if not seen:
                seen.append(1)
                w.calendar.put("e", single(1, title="e2"), owned=False, person=BERT)
        out = real(effect)
        assert overlaps(w.calendar) == [], effect
        return out

    w.calendar._apply = one
    w.rest()
    assert overlaps(w.calendar) == []


def test_a_lost_move_does_not_go_back_onto_time_that_was_booked_since():
    w = world()
    book(w, "b", single(1, title="b"))
    w.rest()
    invite(w, "e", single(5, title="e"))
    w.tick()
    w.booking.put("b", single(5, title="b"), pending=True, person=ANNA)
    book(w, "c", single(1, title="c"))
    w.rest()
    assert overlaps(w.booking) == []
    assert overlaps(w.calendar) == []
    assert titles(w, Side.CALENDAR) == ["c", "e"]


def test_an_edit_of_a_created_event_survives_the_lost_reply():
    w = world()
    book(w, "b", single(1, title="x"))
    w.calendar.faults.lose_reply = 1.0
    w.cycle()
    w.heal()
    (k,) = w.calendar.live()
    w.tick()
    w.calendar.put(k, single(1, title="edited"))
    w.rest()
    assert titles(w, Side.CALENDAR) == titles(w, Side.BOOKING) == ["edited"]


def test_who_cancelled_is_not_told_of_a_rejection():
    w = world()
    invite(w, "e", single(1, title="e"))
    book(w, "b", single(1, title="b"))
    real = w.booking.apply

    def apply(pair, effects):
        if any(e.kind is EffectKind.REJECT_BOOKING for e in effects):
            w.booking.remove("b")
        return real(pair, effects)

    w.booking.apply = apply
    w.rest()
    assert notices(w) == []


def test_an_item_that_became_poison_in_doubt_stops_only_itself():
    w = world()
    book(w, "b", single(1, title="x"))
    w.rest()
    w.booking.put("b", single(2, title="x"))
    w.calendar.faults.lose_reply = 1.0
    w.cycle()
    w.heal()
    (k,) = w.calendar.live()
    real = w.calendar._read
    w.calendar._read = lambda key: (
        Unknown(key=key, reason="poison", poison=True) if key == k else real(key)
    )
    book(w, "c", single(9, title="c"))
    for _ in range(4):
        w.cycle()
    assert "c" in titles(w, Side.CALENDAR)


def test_an_older_state_replayed_after_the_newer_in_one_round_is_dropped():
    w = world()
    w.calendar.put("e", single(1, title="1"))
    w.rest()
    w.calendar.put("e", single(1, title="2"))
    w.calendar.put("e", single(1, title="3"))
    h = w.calendar.items["e"].history
    real = w.calendar.pull
    w.calendar.pull = lambda p, c, win: replace(real(p, c, win), observations=(h[-1], h[-2]))
    w.cycle()
    w.calendar.pull = real
    w.rest()
    assert titles(w, Side.BOOKING) == ["3"]


def test_a_removal_told_beside_an_old_state_is_confirmed():
    w = world()
    w.calendar.put("e", single(1, title="1"))
    w.rest()
    w.calendar.put("e", single(1, title="2"))
    h = w.calendar.items["e"].history[-1]
    w.calendar.remove("e")
    real = w.calendar.pull
    w.calendar.pull = lambda p, c, win: replace(real(p, c, win), observations=(h,), hints=("e",))
    w.cycle()
    w.calendar.pull = real
    w.rest()
    assert titles(w, Side.BOOKING) == []


def test_dates_given_up_while_the_organiser_retitles_are_declined():
    w = world()
    invite(w, "e", weekly(1, title="s"))
    w.rest()
    (k,) = w.booking.live()
    occ = w.booking.live()[k]
    gone = occ.start + timedelta(days=7)
    w.booking.put(k, replace(occ, recurrence=replace(occ.recurrence, excluded=(gone,))))
    w.tick()
    w.calendar.put("e", replace(occ, title="renamed"), owned=False, person=BERT)
    w.rest()
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    kept = w.shown(Side.CALENDAR)[0].recurrence.excluded == (gone,)
    recorded = list(w.store.conflicts)
    assert kept or recorded, "an edit was lost without a record"


def test_an_edit_that_cannot_take_effect_is_recorded_though_the_organiser_edited_too():
    w = world()
    invite(w, "e", single(1, title="e"))
    w.rest()
    (k,) = w.booking.live()
    w.booking.put(k, single(3, title="e"))
    w.tick()
    w.calendar.put("e", single(1, title="e2"), owned=False, person=BERT)
    w.rest()
    assert titles(w, Side.BOOKING) == ["e2"]
    assert w.store.conflicts
    assert w.store.conflicts[0].lost == single(3, title="e")


def test_a_clash_is_recorded_once_however_often_its_refusal_is_put_off():
    w = world()
    book(w, "b", single(1, title="b"))
    invite(w, "e", single(1, title="e"))
    w.calendar.faults.later = 1.0
    for _ in range(5):
        w.cycle()
    w.heal()
    w.rest()
    assert len(w.store.conflicts) == 1


def test_a_refusal_that_never_sticks_is_parked():
    w = world()
    book(w, "b", single(1 + 168, title="b"))
    invite(w, "e", weekly(1, title="s"))
    calls = []

    def stuck(item, effect):
        calls.append(1)
        return Done(w.calendar._seen(item), complete=False)

    w.calendar._decline_dates = stuck
    for _ in range(8):
        w.cycle()
    assert len(calls) <= 8, len(calls)


def test_a_series_made_anew_whose_reply_was_lost_keeps_its_booking():
    w = world()
    w.calendar.put("e", weekly(1, title="s"))
    w.rest()
    (k,) = w.booking.live()
    occ = w.booking.live()[k]
    w.booking.put(
        k,
        replace(
            occ, recurrence=replace(occ.recurrence, rule=replace(occ.recurrence.rule, count=6))
        ),
    )

    def apply(pair, effects):
        e = effects[0]
        w.calendar.remove("e")
        w.calendar.put("e-new", e.target, tag=e.tag, replaces=former_mark("e"))
        return [InDoubt("lost")]

    w.calendar.apply = apply
    w.cycle()
    del w.calendar.apply
    w.restart()
    w.rest()
    assert list(w.booking.live()) == [k]
    assert not any(kind is EffectKind.DELETE_BOOKING for kind, _ in w.booking.log)
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)


def test_a_late_reading_of_a_former_key_does_not_overwrite_the_link():
    w = world()
    w.calendar.put("e", single(1, title="s"))
    w.rest()
    old = w.calendar.items["e"].history[-1]
    (k,) = w.booking.live()
    w.booking.put(k, single(9, title="s"))

    def apply(pair, effects):
        e = effects[0]
        w.calendar.remove("e")
        it = w.calendar.put("e-new", e.target, tag=e.tag)
        return [Done(w.calendar._seen(it))]

    w.calendar.apply = apply
    w.cycle()
    del w.calendar.apply
    w.rest()
    real = w.calendar.pull
    w.calendar.pull = lambda p, c, win: replace(real(p, c, win), observations=(old,))
    w.cycle()
    w.calendar.pull = real
    w.rest()
    assert titles(w, Side.BOOKING) == titles(w, Side.CALENDAR) == ["s"]
    assert any(lk.event.key == "e-new" for lk in only(w))


def test_a_passing_read_failure_does_not_take_a_parked_link_up_again():
    w = world(clash_policy=ClashPolicy.ASK)
    book(w, "b", single(1, title="b"))
    invite(w, "e", single(1, title="e"))
    w.rest()
    assert len(w.store.conflicts) == 1
    real = w.calendar.pull
    w.calendar.pull = lambda p, c, win: replace(
        real(p, c, win), observations=(Unknown(key="e", reason="blip"),)
    )
    w.cycle()
    w.calendar.pull = real
    w.rest()
    assert {lk.state for lk in w.store.links("p1")} == {LinkState.PARKED}
    assert len(w.store.conflicts) == 1
    assert len(w.shown(Side.CALENDAR)) == 1


def test_an_unreadable_moment_does_not_let_a_deleted_item_come_back():
    w = world()
    w.calendar.put("e", single(1, title="x"))
    w.rest()
    old = w.calendar.items["e"].history[-1]
    w.tick(600)  # what was made just now is not said to be gone so soon
    w.calendar.remove("e")
    w.booking.faults.later = 1.0
    w.cycle()
    w.booking.faults.later = 1.0
    real, read = w.calendar.pull, w.calendar._read
    w.calendar.pull = lambda p, c, win: replace(
        real(p, c, win), observations=(Unknown(key="e", reason="blip"),)
    )
    w.calendar._read = lambda key: Unknown(key=key, reason="blip")
    w.cycle()
    w.calendar._read = read
    w.booking.heal = None
    w.heal()
    w.calendar.pull = lambda p, c, win: replace(real(p, c, win), observations=(old,))
    w.cycle()
    w.calendar.pull = real
    w.rest()
    assert titles(w, Side.BOOKING) == []


def test_the_guard_counts_rejections():
    w = World(3, titles=True, limits=Limits())
    w.rest()
    for n in range(12):
        invite(w, f"e{n}", single(n * 2, title=f"e{n}"))
    for n in range(12):
        book(w, f"b{n}", single(n * 2, title=f"b{n}"))
    report = w.cycle()
    assert report.halt is not None


def test_a_booking_beyond_the_window_does_not_keep_the_room_awake():
    w = world()
    book(w, "b", single(24 * 500, title="far"))
    for _ in range(3):
        r = w.cycle()
    assert not r.unsettled
    assert not r.active


# --- found by the random histories ------------------------------------------------------------


def test_what_is_put_back_clashes_with_what_was_booked_there_since():
    """An invitee's copy moved on the platform goes back; somebody booked its time meanwhile."""
    w = world()
    invite(w, "e", single(1, title="e"))
    w.rest()
    (k,) = w.booking.live()
    w.tick()
    w.booking.put(k, single(4, title="e"))
    book(w, "c", single(1, title="c"))
    w.rest()
    assert overlaps(w.calendar) == []
    assert overlaps(w.booking) == []
    assert titles(w, Side.CALENDAR) == ["e"]
    assert (NoticeKind.REJECTED, ANNA.address) in notices(w)


def test_the_claim_of_a_merged_move_is_made_where_the_time_was_chosen():
    """Both sides moved b, the platform's time wins; another meeting was moved onto it."""
    w = world()
    book(w, "b", single(1, title="b"))
    book(w, "c", single(9, title="c"))
    w.rest()
    by = {o.title: k for k, o in w.calendar.live().items()}
    w.tick()
    w.booking.put("b", single(4, title="b"))
    w.tick()
    w.calendar.put(by["b"], single(6, title="b"))
    w.tick()
    w.calendar.put(by["c"], single(4, title="c"))
    w.rest()
    assert overlaps(w.calendar) == []
    assert overlaps(w.booking) == []


def test_an_item_given_a_new_life_claims_its_time():
    w = world()
    book(w, "b", single(1, title="b"))
    w.rest()
    (k,) = w.calendar.live()
    w.tick()
    w.calendar.put(k, single(2, title="b"))
    w.rest()
    w.tick()
    w.booking.put("b", single(2, title="b2"))
    w.calendar.remove(k)
    invite(w, "e", single(2, title="block"), owned=True)
    w.rest()
    assert overlaps(w.calendar) == []
    assert overlaps(w.booking) == []


def test_a_restored_item_whose_confirmation_failed_is_looked_at_again():
    w = world()
    book(w, "b", single(1, title="b"))
    w.rest()
    w.booking.remove("b")
    w.rest()
    w.booking.put("b", single(1, title="b"), person=ANNA)
    w.booking._read = lambda key: Unknown(key=key, reason="blip")
    w.cycle()
    del w.booking._read
    w.rest()
    assert titles(w, Side.CALENDAR) == ["b"]


def test_an_event_removed_before_its_create_was_seen_stays_removed():
    w = world()
    book(w, "b", single(1, title="b"))
    w.calendar.faults.lose_reply = 1.0
    w.cycle()
    w.heal()
    (k,) = w.calendar.live()
    w.calendar.remove(k)
    w.rest()
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR) == []


def test_a_create_whose_item_was_first_seen_unreadable_does_not_hold_up_the_room():
    w = world()
    invite(w, "e", single(1, title="e"), owned=True)
    w.booking.faults.lose_reply = 1.0
    w.cycle()
    w.heal()
    (k,) = w.booking.live()
    w.booking.remove(k)
    real = w.booking.pull
    w.booking.pull = lambda p, c, win: replace(
        real(p, c, win), observations=(Unknown(key=k, reason="blip"),), hints=()
    )
    w.cycle()
    w.booking.pull = real
    w.rest()


def test_a_create_waits_for_what_a_merge_moves_off_its_time_in_the_next_round():
    w = world()
    book(w, "b", single(1, title="b"))
    w.rest()
    (k,) = w.calendar.live()
    w.tick()
    w.calendar.put(k, single(5, title="b"))
    w.tick()
    w.booking.put("b", single(1, title="b2"), person=ANNA)
    invite(w, "e", single(1, title="e"))
    real = w.booking._apply

    def one(effect):
        out = real(effect)
        assert overlaps(w.booking) == [], effect
        return out

    w.booking._apply = one
    w.rest()


# --- found by the simulation (tests/simulation) ------------------------------------------------


def no_overlap_is_written(w):
    """Every write of calsync is checked against what stands on its side."""
    for port in (w.booking, w.calendar):
        real = port._apply

        def one(effect, real=real, port=port):
            out = real(effect)
            assert overlaps(port) == [], effect
            return out

        port._apply = one


def test_moves_go_in_the_order_in_which_they_leave_their_times():
    w = world()
    for slot, title in ((1, "a"), (2, "b"), (3, "c")):
        w.calendar.put(title, single(slot, title=title))
    w.rest()
    for slot, title in ((4, "c"), (3, "b"), (2, "a")):
        w.calendar.put(title, single(slot, title=title))
    no_overlap_is_written(w)
    w.rest()
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)


@pytest.mark.parametrize("key", list("efghi"))  # whatever the order of their links
def test_a_refused_date_is_given_up_before_its_winner_is_moved_there(key):
    w = world()
    w.calendar.put(key, single(9, title="e"))
    w.rest()
    book(w, "s", weekly(1, title="s"))
    w.tick()
    w.calendar.put(key, single(1, title="e"))
    no_overlap_is_written(w)
    w.rest()
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    assert len(w.store.conflicts) == 1


@pytest.mark.parametrize("change", ["title", "date"])
def test_an_edit_of_a_created_series_survives_the_lost_reply(change):
    w = world()
    w.calendar.put("e", weekly(1, title="s"))
    w.booking.faults.lose_reply = 1.0
    w.cycle()
    w.heal()
    (k,) = w.booking.live()
    occ = w.booking.live()[k]
    day = (occ.start + timedelta(days=7),)
    edited = (
        replace(occ, title="s2")
        if change == "title"
        else replace(occ, recurrence=replace(occ.recurrence, excluded=day))
    )
    w.booking.put(k, edited)
    w.rest()
    assert w.shown(Side.CALENDAR) == w.shown(Side.BOOKING) == [edited]


def test_time_that_was_put_back_is_claimed_where_it_was_chosen():
    """Only the organiser can move a meeting: what its booking was moved to is put back, and who
    books the time on the platform meanwhile races with the meeting."""
    w = world()
    invite(w, "e", single(1, title="e"))
    w.rest()
    (k,) = w.booking.live()
    w.tick()
    w.booking.put(k, single(5, title="e"))
    real = w.booking.apply

    def apply(pair, effects):
        del w.booking.apply
        book(w, "b", single(1, title="b"))
        return real(pair, effects)

    w.booking.apply = apply
    w.rest()
    assert titles(w, Side.CALENDAR) == titles(w, Side.BOOKING) == ["e"]
    assert notices(w) == [(NoticeKind.REJECTED, ANNA.address)]


def test_who_books_the_time_that_a_refused_move_goes_back_to_loses_it():
    w = world()
    book(w, "b", single(1, title="b"))
    w.rest()
    invite(w, "e", single(5, title="e"))
    w.tick()
    w.booking.put("b", single(5, title="b"), pending=True, person=ANNA)
    real = w.booking.apply

    def apply(pair, effects):
        del w.booking.apply
        book(w, "c", single(1, title="c"))
        return real(pair, effects)

    w.booking.apply = apply
    w.rest()
    assert titles(w, Side.CALENDAR) == titles(w, Side.BOOKING) == ["b", "e"]
    told = [(n.notice.booking_key, n.notice.kind) for n in w.store.ledger.values()]
    assert told[1:] == [("b", NoticeKind.REJECTED), ("c", NoticeKind.REJECTED)]


def test_what_is_restored_comes_after_what_was_booked_meanwhile():
    w = world()
    book(w, "b", single(1, title="b"))
    w.rest()
    w.booking.remove("b")
    w.rest()
    invite(w, "e", single(1, title="e"))
    w.tick()
    w.booking.put("b", single(1, title="b"), pending=True, person=ANNA)
    w.rest()
    assert titles(w, Side.CALENDAR) == titles(w, Side.BOOKING) == ["e"]


def test_an_event_moved_before_its_create_was_known_claims_its_new_time():
    w = world()
    book(w, "b", single(1, title="b"))
    w.calendar.faults.lose_reply = 1.0
    w.cycle()
    w.heal()
    (k,) = w.calendar.live()
    w.tick()
    w.calendar.put(k, single(3, title="b2"))
    book(w, "c", single(3, title="c"))
    w.booking.put("b", single(1, title="b3"), pending=True, person=ANNA)
    no_overlap_is_written(w)
    w.rest()
    assert titles(w, Side.CALENDAR) == titles(w, Side.BOOKING) == ["b3"]
    assert w.shown(Side.CALENDAR) == [single(3, title="b3")]


def test_a_rejection_seen_before_its_lost_reply_is_looked_up_is_told_with_its_reason():
    w = world()
    invite(w, "e", single(1, title="e"))
    book(w, "b", single(1, title="b"))
    book(w, "other", single(7, title="other"))  # its answer is due: both sides are read again
    real = w.booking.apply

    def apply(pair, effects):
        outcomes = real(pair, effects)
        if effects[0].kind is EffectKind.REJECT_BOOKING:
            return [InDoubt("lost") for _ in outcomes]
        return outcomes

    w.booking.apply = apply
    w.cycle()
    del w.booking.apply
    w.rest()
    told = [n.notice for n in w.store.ledger.values() if n.notice.booking_key == "b"]
    assert [n.kind for n in told] == [NoticeKind.REJECTED]
    assert told[0].refusal
    assert [a.room_id for a in told[0].refusal.alternatives] == ["r2"]


def test_who_cannot_be_read_just_now_is_refused_later_and_told():
    w = world()
    invite(w, "e", single(1, title="e"))
    book(w, "b", single(1, title="b"))
    real, tries = w.booking._apply, []

    def one(effect):
        if effect.kind is EffectKind.REJECT_BOOKING and not tries:
            tries.append(effect)
            return Stale(None)
        return real(effect)

    w.booking._apply = one
    w.rest()
    assert tries
    assert notices(w) == [(NoticeKind.REJECTED, ANNA.address)]


def test_nothing_is_made_on_time_that_a_move_in_doubt_has_to_leave():
    w = world()
    book(w, "b", single(1, title="b"))
    w.rest()
    w.tick()
    w.booking.put("b", single(5, title="b"), person=ANNA)
    book(w, "c", single(1, title="c"))
    invite(w, "e", single(9, title="e"))  # something succeeds: there is a second round
    no_overlap_is_written(w)

    def apply(pair, effects):
        del w.calendar.apply
        return [InDoubt("lost") for _ in effects]

    w.calendar.apply = apply
    w.rest()
    assert titles(w, Side.CALENDAR) == ["b", "c", "e"]


def test_a_booking_restored_while_it_is_made_anew_is_one_booking():
    w = world()
    invite(w, "e", single(1, title="e"))
    w.calendar.items["e"].uid = "u"
    w.rest()
    (k,) = w.booking.live()
    w.booking.remove(k)
    w.calendar.put("e", single(3, title="e2"))
    real = w.booking.apply
    w.booking.apply = lambda pair, effects: [Later(0.0, "busy") for _ in effects]
    w.cycle()
    w.booking.apply = real
    w.tick()
    w.booking.put(k, single(1, title="e"))
    w.rest()
    assert titles(w, Side.BOOKING) == titles(w, Side.CALENDAR) == ["e2"]
    assert w.store.conflicts[-1].lost == single(1, title="e")


def test_an_event_restored_while_it_is_made_anew_is_one_booking():
    w = world()
    book(w, "b", single(1, title="b"))
    w.rest()
    (k,) = w.calendar.live()
    w.calendar.remove(k)
    w.booking.put("b", single(3, title="b2"), person=ANNA)
    real = w.calendar.apply
    w.calendar.apply = lambda pair, effects: [Later(0.0, "busy") for _ in effects]
    w.cycle()
    w.calendar.apply = real
    w.tick()
    w.calendar.put(k, single(1, title="b"))
    w.rest()
    assert titles(w, Side.BOOKING) == titles(w, Side.CALENDAR) == ["b2"]


def test_former_lives_restored_on_both_sides_are_one_booking():
    w = world()
    invite(w, "e", single(1, title="e"))
    w.calendar.items["e"].uid = "u"
    w.rest()
    (former,) = w.booking.live()
    w.booking.remove(former)
    w.calendar.put("e", single(3, title="e2"))  # it wins: its booking is made anew
    w.rest()
    w.calendar.remove("e")
    w.rest()
    assert w.shown(Side.BOOKING) == []
    w.tick()
    w.calendar.put("e", single(3, title="e2"))
    w.booking.put(former, single(1, title="e"))
    w.rest()
    assert len(w.shown(Side.BOOKING)) == len(w.shown(Side.CALENDAR)) == 1


def test_what_was_read_before_another_process_took_the_room_is_never_stored():
    w = world()
    w.calendar.put("e", single(1, title="e"))
    w.restart()
    stalled = cycle(w.ctx, w.pair)
    call = next(stalled)
    read = call.run()  # it has seen the event, and stalls
    w.restart()
    w.calendar.remove("e")
    w.cycle()

    def wake():
        answer = read
        while True:
            answer = stalled.send(answer).run()

    with pytest.raises(StoreError, match="lease"):
        wake()
    w.rest()
    assert w.shown(Side.BOOKING) == []


def test_who_lost_the_lease_reads_again_from_where_the_room_stands():
    w = world()
    former = w.ctx
    w.restart()
    w.cycle()
    stored = replace(w.ctx.state(w.pair), calendar_cursor="0")
    w.store.state_map["p1"] = stored
    former.fences.pop("p1")  # as the worker does once a commit was refused
    former.begin(w.pair)
    assert former.state(w.pair).calendar_cursor == "0"


def test_a_move_that_only_a_stale_write_showed_moves_the_claim():
    w = world()
    w.calendar.put("e", single(1, title="e"))
    w.rest()
    (k,) = w.booking.live()
    w.tick()
    w.calendar.put("e", single(1, title="e2"))
    real = w.booking.apply

    def apply(pair, effects):
        del w.booking.apply
        w.tick()
        w.booking.put(k, single(3, title="e"))
        return real(pair, effects)

    w.booking.apply = apply
    w.cycle()
    (link,) = only(w)
    assert link.claimed_on is Side.BOOKING
    w.rest()
    assert titles(w, Side.CALENDAR) == ["e2"]
    assert w.shown(Side.CALENDAR) == [single(3, title="e2")]


def test_after_a_stale_write_everything_is_read_as_late_as_what_it_showed():
    w = world()
    invite(w, "e", single(1, title="e"))
    invite(w, "f", single(3, title="f"))
    w.rest()
    (of_e,) = (k for k, o in w.booking.live().items() if o.title == "e")
    w.tick()
    w.booking.remove(of_e)
    real = w.calendar.apply

    def apply(pair, effects):
        del w.calendar.apply
        w.tick()
        w.calendar.remove("f")
        w.calendar.put("e", single(3, title="e2"), owned=False, person=BERT)
        return real(pair, effects)

    w.calendar.apply = apply
    no_overlap_is_written(w)
    w.rest()
    assert titles(w, Side.CALENDAR) == titles(w, Side.BOOKING) == ["e2"]


@pytest.mark.parametrize("side", list(Side))
def test_a_late_state_of_what_is_gone_on_both_sides_meets_its_mark(side):
    """Observation rule 3: the reading that should have told it apart had failed."""
    w = world()
    w.calendar.put("e", single(1, title="gone for good"))
    w.rest()
    for port in (w.booking, w.calendar):
        (key,) = port.live()
        port.remove(key)
    w.rest()
    assert only(w) == []
    port, writes = w.side(side), (w.booking.writes, w.calendar.writes)
    (key,) = port.items
    for faults in (Faults(stale=1.0, unreadable=1.0), Faults(stale=1.0)):
        port.feed.append(key)
        port.faults = faults
        w.cycle()
    w.heal()
    w.rest()
    assert (w.booking.writes, w.calendar.writes) == writes
    assert {lk.state for lk in w.store.links("p1")} == {LinkState.BURIED}


def test_a_write_in_doubt_that_cannot_be_looked_up_holds_nothing_but_itself():
    """And what wants its time: nobody knows whether it has left it."""
    w = world()
    book(w, "b", single(1, title="moved"))
    w.rest()
    (event,) = w.calendar.live()
    w.booking.put("b", single(5, title="moved"))
    w.calendar.faults = Faults(lose_reply=1.0)
    w.cycle()
    w.heal()
    read, pull = w.calendar._read, w.calendar.pull
    blank = Unknown(key=event, reason="500")

    def unread(*args):
        told = pull(*args)
        shown = tuple(blank if obs.key == event else obs for obs in told.observations)
        return replace(told, observations=shown)

    w.calendar._read = lambda key: blank if key == event else read(key)
    w.calendar.pull = unread
    book(w, "elsewhere", single(3, title="elsewhere"))
    book(w, "there", single(1, title="wants its place"))
    for _ in range(12):
        report = w.cycle()
    assert report.unsettled
    assert not report.error
    assert titles(w, Side.CALENDAR) == ["elsewhere", "moved"]
    w.calendar._read, w.calendar.pull = read, pull
    w.rest()
    assert titles(w, Side.CALENDAR) == ["elsewhere", "moved", "wants its place"]
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    assert w.store.conflicts == []


def test_a_booking_moved_away_and_back_races_with_who_was_given_its_time_meanwhile():
    """Its move was seen, and its time given to a meeting; its return makes two that want it."""
    w = world()
    book(w, "b", single(1, title="back"))
    w.rest()
    invite(w, "e", single(1, title="given its place"))
    w.calendar.items["e"].created = w.booking.items["b"].created - timedelta(hours=1)
    w.tick()
    w.booking.put("b", single(5, title="back"))
    apply = w.booking.apply

    def meanwhile(pair, effects):
        if w.booking.items["b"].occupancy == single(5, title="back"):
            w.booking.put("b", single(1, title="back"))
        return apply(pair, effects)

    w.booking.apply = meanwhile
    w.calendar.faults = Faults(later=1.0)
    w.cycle()
    w.heal()
    w.rest()
    assert len(w.shown(Side.BOOKING)) == 1
    assert w.shown(Side.BOOKING) == w.shown(Side.CALENDAR)
    assert len(w.store.conflicts) == 1
